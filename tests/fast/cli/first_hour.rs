//! The first hour of a new user: a configuration by `init`, the environment, root by mistake, a terminal of 80 columns, a log for machines.

use super::*;

#[test]
fn init_writes_a_site_that_check_takes_and_overwrites_nothing() {
    let folder = Folder::new();
    let file = folder.config();
    let file = file.to_str().unwrap();
    let missing = run(&["init", "--config", file, "--operator", "Op"]);
    assert_eq!(missing.status.code(), Some(2));
    let said = text(&missing.stderr);
    for flag in ["--device NAME=ADDRESS", "--mail ADDRESS", "--relay URL"] {
        assert!(said.contains(flag), "{said}");
    }
    assert!(!said.contains("--operator NAME"), "{said}");
    let flags = [
        "init",
        "--config",
        file,
        "--operator",
        "Op \"A\"",
        "--device",
        "edge=192.0.2.11",
        "--mail",
        "noc@example.net",
        "--relay",
        "smtps://mail.example.net",
    ];
    let written = run(&flags);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    assert_eq!(mode(&folder.config()), 0o640);
    let check = run(&["check", file, "--no-secrets"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
    assert_eq!(
        run(&["check", file, "--no-secrets", "--strict"]).status.code(),
        Some(1),
        "it has one way only"
    );
    let before = std::fs::read(folder.config()).unwrap();
    let again = run(&flags);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(std::fs::read(folder.config()).unwrap(), before);
    let forced = run(&[&flags[..], &["--force", "--gateway", "192.0.2.1"]].concat());
    assert_eq!(forced.status.code(), Some(0), "{}", text(&forced.stderr));
    assert_eq!(std::fs::read(folder.0.join("hinomi.toml.old")).unwrap(), before);
    // What the daemon would refuse is not written.
    let wrong = run(&[&flags[..10], &["mail.example.net", "--force"]].concat());
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong.stderr).contains("is not the address of a relay"),
        "{}",
        text(&wrong.stderr)
    );
    assert_eq!(
        run(&["init", "--device", "edge=edge.example.net"]).status.code(),
        Some(2),
        "no name service is asked"
    );
}

#[test]
fn the_environment_names_the_configuration_and_the_command_line_wins() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let check = |words: &[&str], variable: &str| hinomi(words).env("HINOMI_CONFIG", variable).output().unwrap();
    let file = folder.config();
    let file = file.to_str().unwrap();
    let named = check(&["check"], file);
    assert!(text(&named.stdout).starts_with(file), "{}", text(&named.stdout));
    for words in [&["check", file][..], &["check", "--config", file]] {
        let other = check(words, "/nowhere/hinomi.toml");
        assert!(text(&other.stdout).starts_with(file), "{}", text(&other.stdout));
    }
    let status = check(&["status"], file);
    assert!(
        text(&status.stderr).contains(folder.0.to_str().unwrap()),
        "{}",
        text(&status.stderr)
    );
}

#[test]
fn root_does_not_run_on_the_state_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let state = folder.0.join("state");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(65_534), Some(65_534)).unwrap();
    let refused = run(&["run", "--config", folder.config().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(
        said.contains("belongs to user 65534") && said.contains("systemctl start hinomi"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0, "nothing is left there");
}

#[test]
fn a_terminal_of_80_columns_gets_80_and_a_file_everything() {
    let folder = Folder::new();
    folder.write(&site(&[
        "core-router-of-the-eastern-point-of-presence",
        "東京第二データセンター集約ルーター",
    ]));
    let _daemon = Daemon::start(&folder.config());
    let config = folder.config();
    let config = config.to_str().unwrap();
    until("both are down", || {
        text(&run(&["status", "--config", config]).stdout)
            .matches("DOWN")
            .count()
            == 2
    });
    let narrow = |words: &[&str]| {
        let output = hinomi(&[words, &["--config", config]].concat())
            .env("COLUMNS", "80")
            .output()
            .unwrap();
        text(&output.stdout)
    };
    for words in [&["status"][..], &["incidents", "list"]] {
        let page = narrow(words);
        assert!(
            page.contains('…') && page.contains("device-down") && page.contains("#1"),
            "{page}"
        );
        for line in page.lines() {
            let wide = line.chars().filter(|c| u32::from(*c) > 0x2e80).count();
            assert!(line.chars().count() + wide <= 80, "{line}");
        }
    }
    let whole = text(&run(&["status", "--config", config]).stdout);
    assert!(
        whole.contains("core-router-of-the-eastern-point-of-presence") && !whole.contains('…'),
        "{whole}"
    );
}

#[test]
fn a_circuit_is_probed_like_a_device() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let circuit = |id: &str, more: &str| {
        format!("\n[[circuit]]\nid = \"{id}\"\ninstitution_id = \"{id}\"\npower = \"always\"\n{more}\n")
    };
    folder.write(
        &(site(&["a", "b"])
            + &circuit("N-1", &format!("address = \"127.0.0.1\"\nliveness = {{ tcp = {port} }}"))
            // A line on the second device, whose agent does not answer.
            + &circuit("N-2", "device = \"b\"\ninterface = \"ge-0/0/1\"")),
    );
    let config = folder.config();
    let config = config.to_str().unwrap();
    let up = run(&["probe", "N-1", "--config", config]);
    assert_eq!(up.status.code(), Some(0), "{}{}", text(&up.stdout), text(&up.stderr));
    assert!(text(&up.stdout).contains("reach      up"), "{}", text(&up.stdout));
    let line = run(&["probe", "N-2", "--config", config]);
    let said = text(&line.stdout);
    assert_eq!(line.status.code(), Some(1), "{said}{}", text(&line.stderr));
    assert!(
        said.contains("on b, port ge-0/0/1") && said.contains("agent      b: "),
        "{said}"
    );
}

#[test]
fn every_line_of_the_log_is_logfmt() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let mut daemon = Daemon::start(&folder.config());
    daemon.wait_for("opened, critical");
    daemon.end("-TERM");
    let log = daemon.log();
    for line in log.lines() {
        assert!(
            line.starts_with("ts=20") && line.contains(" level=") && line.contains(" msg="),
            "{line}"
        );
        // Outside of quotes there is nothing but pairs.
        let (mut bare, mut quoted, mut escaped) = (String::new(), false, false);
        for c in line.chars() {
            match (quoted, escaped, c) {
                (true, true, _) => escaped = false,
                (true, false, '\\') => escaped = true,
                (_, _, '"') => quoted = !quoted,
                (false, _, c) => bare.push(c),
                _ => {}
            }
        }
        assert!(
            !quoted && bare.split(' ').all(|pair| pair.matches('=').count() == 1),
            "{line}"
        );
    }
}
