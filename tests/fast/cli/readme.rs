//! Every command line of both READMEs is one that the program takes, tried beside a running daemon.

use super::{Daemon, Folder, Relay, Script, hinomi, site, text};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Longest run of one command; those that go on until Ctrl-C are ended then.
const LONGEST: Duration = Duration::from_secs(3);

/// The commands of a README: those in its tables, where a further one of the same verb stands without its beginning, and all others.
fn commands(readme: &str) -> Vec<String> {
    let (mut all, mut is_shell) = (Vec::new(), false);
    for line in readme.lines() {
        if line.starts_with("```") {
            is_shell = line == "```sh";
            continue;
        }
        if is_shell {
            let parts = line
                .split("&&")
                .map(str::trim)
                .filter_map(|c| c.strip_prefix("hinomi "));
            all.extend(parts.map(|c| c.split('#').next().unwrap().trim().to_owned()));
            continue;
        }
        let mut verb = String::new();
        for span in line.split('`').skip(1).step_by(2) {
            if let Some(words) = span.strip_prefix("hinomi ") {
                words.split(' ').next().unwrap().clone_into(&mut verb);
                all.push(words.to_owned());
            } else if line.starts_with("| `hinomi ") && line.split(" | ").next().unwrap().contains(&format!("`{span}`"))
            {
                all.push(match (verb.as_str(), span.starts_with("--")) {
                    ("incidents" | "maintenance", false) => format!("{verb} {span}"),
                    ("discover", true) => format!("{verb} ADDRESS {span}"),
                    _ => panic!("`{span}` belongs to no command: {line}"),
                });
            }
        }
    }
    all
}

/// The command without what stands in brackets, and with each of the brackets alone.
fn forms(command: &str) -> Vec<String> {
    let (mut plain, mut optional, mut rest) = (String::new(), Vec::new(), command);
    while let Some((before, bracket)) = rest.split_once('[') {
        let (inner, after) = bracket.split_once(']').unwrap();
        plain.push_str(before);
        optional.push((plain.len(), inner.to_owned()));
        rest = after;
    }
    plain.push_str(rest);
    let mut all = vec![plain.clone()];
    all.extend(
        optional
            .iter()
            .map(|(at, inner)| format!("{} {inner} {}", &plain[..*at], &plain[*at..])),
    );
    all
}

/// The words with something real for each placeholder.
fn filled(command: &str, folder: &Folder) -> Vec<String> {
    let at = |name: &str| folder.0.join(name).to_str().unwrap().to_owned();
    let mut words: Vec<String> = Vec::new();
    for word in command.split_whitespace() {
        let verb = words.first().cloned().unwrap_or_default();
        let before = words.last().cloned().unwrap_or_default();
        words.push(match (word, before.as_str(), verb.as_str()) {
            ("FILE", "--config", _) | ("FILE", _, "check") => at("hinomi.toml"),
            ("FILE", "--community", _) => at("community"),
            ("FILE", ..) => at("record"),
            ("NAME", "--set-by", _) => "somebody".to_owned(),
            ("NAME", "--snmp", _) => "none".to_owned(),
            ("NAME", _, "maintenance") => "work".to_owned(),
            ("NAME", _, "route-test") => "office".to_owned(),
            ("NAME" | "DEVICE" | "SUBJECT", ..) => "edge".to_owned(),
            ("N", ..) => "1".to_owned(),
            ("TIME", ..) => "24h".to_owned(),
            ("TEXT", ..) => "remark".to_owned(),
            ("VERB", ..) => "status".to_owned(),
            ("SHELL", ..) => "bash".to_owned(),
            ("FOLDER", ..) => at("man"),
            ("NAME=ADDRESS", ..) => "edge=192.0.2.11".to_owned(),
            ("ADDRESS", "--to", _) => "noc@example.net".to_owned(),
            ("ADDRESS", ..) => "127.0.0.1".to_owned(),
            _ => word.to_owned(),
        });
    }
    words
}

/// Runs it for a while; what it said on standard error, and its exit code if it ended by itself.
fn tried(words: &[String]) -> (Option<i32>, String) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = hinomi(&words)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let mut code = None;
    while code.is_none() && began.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(20));
        code = child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    (code, text(&output.stderr))
}

#[test]
fn every_command_line_of_the_readmes_is_taken() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    folder.write(&format!(
        "{}\n[[route]]\nname = \"office\"\nsmtp = \"smtp://{}\"\ntls = \"none\"\nfrom = \"h@example.net\"\n",
        site(&["edge"]),
        relay.addr
    ));
    std::fs::write(folder.0.join("community"), "none").unwrap();
    let _daemon = Daemon::start(&folder.config());
    let mut tried_so_far = Vec::new();
    for name in ["README.md", "README.ja.md"] {
        let readme = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let all = commands(&readme);
        assert!(all.len() > 20, "the commands of {name} are not found: {all:?}");
        for command in all.iter().flat_map(|c| forms(c)) {
            let mut words = filled(&command, &folder);
            let daemon = [
                "reload",
                "status",
                "incidents",
                "explain",
                "isolate",
                "maintenance",
                "record",
                "probe",
            ];
            if words[0] == "init" {
                if words.len() > 3 {
                    let file = folder.0.join("new.toml");
                    let _ = std::fs::remove_file(&file);
                    words.extend(["--config".to_owned(), file.to_str().unwrap().to_owned()]);
                } else {
                    words.push("--help".to_owned());
                }
            } else if words[0] == "check" && words.len() > 1 && !words[1].ends_with(".toml")
                || daemon.contains(&words[0].as_str())
                || matches!(words[0].as_str(), "route-test" | "discover")
            {
                words.extend(["--config".to_owned(), folder.config().to_str().unwrap().to_owned()]);
            } else if words.len() == 1 && words[0] != "help" {
                // On a machine that has hinomi installed nothing of its own is looked at or started.
                words.push("--help".to_owned());
            }
            if tried_so_far.contains(&words) {
                continue;
            }
            let (code, said) = tried(&words);
            let usage = ["Usage:", "unexpected argument", "required arguments", "invalid value"];
            assert!(
                !usage.iter().any(|u| said.contains(u)),
                "{name}: hinomi {}: {said}",
                words.join(" ")
            );
            let whole = matches!(words[0].as_str(), "init" | "help" | "completions" | "man" | "version");
            assert!(
                !whole || code == Some(0),
                "{name}: hinomi {}: {code:?}: {said}",
                words.join(" ")
            );
            if matches!(words[0].as_str(), "maintenance" | "status" | "reload" | "explain") && words[1] != "1" {
                let done = code == Some(0) || words.contains(&"--watch".to_owned());
                let twice = said.contains("already") || said.contains("no window");
                assert!(
                    done || twice,
                    "{name}: hinomi {} gives {code:?}: {said}",
                    words.join(" ")
                );
            }
            tried_so_far.push(words);
        }
    }
}
