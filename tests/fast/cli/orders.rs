//! What an operator orders and reads beside a running daemon: maintenance, lists, a reload that cannot be hung up.

use super::{Daemon, Folder, Relay, Script, hinomi, run, site, text};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

fn ordered(folder: &Folder, words: &[&str]) -> (Option<i32>, String) {
    let config = folder.config();
    let output = run(&[words, &["--config", config.to_str().unwrap()]].concat());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn maintenance_ends_within_a_year_and_says_who_set_it_and_in_which_zone() {
    let folder = Folder::new();
    let weekly =
        "\n[[maintenance]]\nname = \"weekly\"\nwhat = [\"a\"]\nby = \"carrier\"\nevery = \"Sun 02:00-04:00\"\n";
    folder.write(&(site(&["a"]).replace("\"UTC\"", "\"Asia/Tokyo\"") + weekly));
    let _daemon = Daemon::start(&folder.config());
    let add = ["maintenance", "add", "work", "--what", "a"];
    for long in [
        ["--for", "500000000000s"],
        ["--for", "367days"],
        ["--end", "9999-12-31 00:00"],
        ["--for", "300years"],
    ] {
        let (code, said) = ordered(&folder, &[&add[..], &long].concat());
        assert_eq!(code, Some(1), "{long:?}: {said}");
        assert!(said.contains("366 days"), "{said}");
    }
    let config = folder.config();
    let words = [
        &add[..],
        &[
            "--for",
            "366days",
            "--note",
            "ticket 4712",
            "--config",
            config.to_str().unwrap(),
        ],
    ]
    .concat();
    let output = hinomi(&words)
        .env("SUDO_USER", "tanaka")
        .env("USER", "root")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains(" JST until "), "{}", text(&output.stdout));
    let (_, list) = ordered(&folder, &["maintenance", "list"]);
    assert!(
        list.lines()
            .next()
            .is_some_and(|l| l.ends_with(" JST  (times in Asia/Tokyo)")),
        "named once: {list}"
    );
    let line = |name: &str| {
        list.lines()
            .find(|l| l.starts_with(name))
            .unwrap_or_else(|| panic!("{list}"))
    };
    assert!(
        line("work").contains("tanaka") && line("work").ends_with("ticket 4712") && list.matches("JST").count() == 1,
        "{list}"
    );
    assert!(
        line("work").contains("own"),
        "whose it is, where nothing is said: {list}"
    );
    assert!(
        line("weekly").contains("Sun 02:00-04:00") && !list.contains("holidays"),
        "{list}"
    );
    // One name for who says so; the one of before goes on working.
    assert_eq!(
        ordered(&folder, &["maintenance", "end", "work", "--by", "me"]).0,
        Some(0)
    );
    let help = text(&run(&["maintenance", "end", "--help"]).stdout);
    assert!(help.contains("--set-by") && !help.contains("--by "), "{help}");
}

#[test]
fn what_is_open_stands_first_by_level_and_age() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let route = format!(
        "\n[[route]]\nname = \"r\"\nsmtp = \"smtp://{}\"\ntls = \"none\"\nfrom = \"h@example.net\"\n",
        relay.addr
    );
    // Two that fall silent, of which one is gone with a reload; and one that is only a warning.
    let warning = "findings.device-down = { level = \"warning\", after = \"0s\" }\n";
    let text_of =
        |names: &[&str]| site(names).replace("name = \"mild\"\n", &format!("name = \"mild\"\n{warning}")) + &route;
    folder.write(&text_of(&["mild", "gone", "grave"]));
    let _daemon = Daemon::start(&folder.config());
    let listed = |wanted: &dyn Fn(&str) -> bool| {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            let (_, list) = ordered(&folder, &["incidents", "list"]);
            if wanted(&list) || Instant::now() > until {
                break list;
            }
        }
    };
    listed(&|list| ["mild", "gone", "grave"].iter().all(|name| list.contains(name)));
    folder.write(&text_of(&["mild", "grave"]));
    assert_eq!(ordered(&folder, &["reload"]).0, Some(0));
    let list = listed(&|list| list.contains("recovered"));
    let place = |name: &str| {
        let row = list.lines().position(|l| l.contains(name) && l.contains("device-down"));
        row.unwrap_or_else(|| panic!("{list}"))
    };
    assert!(
        place("grave") < place("mild") && place("mild") < place("gone"),
        "{list}"
    );
    let (first, rest) = list.split_once('\n').unwrap();
    assert!(
        first.contains(" UTC") && !rest.contains("UTC"),
        "the zone stands once: {list}"
    );
    looks_back(&folder);
}

/// What is over, from the ledger; in forms for other programs.
fn looks_back(folder: &Folder) {
    let list = |words: &[&str]| ordered(folder, &[&["incidents", "list"], words].concat());
    for words in [&["--all"][..], &["--since", "1h"], &["--since", "2020-01-01"]] {
        let (code, said) = list(words);
        assert!(
            code == Some(0) && ["mild", "gone", "grave"].iter().all(|n| said.contains(n)),
            "{words:?}: {said}"
        );
    }
    let (code, said) = list(&["--since", "yesterday"]);
    assert!(code == Some(2) && said.contains("30d"), "{said}");
    let (_, said) = list(&["--csv"]);
    let rows: Vec<&str> = said.lines().collect();
    assert!(
        rows[0].starts_with("number,level,target,finding,opened") && rows.len() == 4,
        "{said}"
    );
    assert!(
        rows[1].contains("critical,grave,device-down,20") && rows[1].contains("Z,"),
        "{said}"
    );
    let (_, said) = ordered(folder, &["status", "--csv"]);
    assert!(said.contains("device,grave,down,20"), "{said}");
}

#[test]
fn an_acknowledgement_has_a_note_is_mailed_taken_back_and_stays_after_the_end() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text_of = format!(
        "{}\n[[device]]\nname = \"gw\"\naddress = \"127.0.0.1\"\nliveness = {{ tcp = {port} }}\n\
         \n[[contact]]\nname = \"platform-desk\"\nparty = \"platform\"\nmail = [\"desk@platform.example\"]\n\
         \n[[route]]\nname = \"r\"\nsmtp = \"smtp://{}\"\ntls = \"none\"\nfrom = \"h@example.net\"\n",
        site(&[])
            .replace("tell = [\"noc\"]", "tell = [\"noc\", \"platform-desk\"]")
            .replace("[poll]", "[poll]\nrecover = { rounds = 1, over = \"1s\" }"),
        relay.addr
    );
    folder.write(&text_of);
    let daemon = Daemon::start(&folder.config());
    super::until_up(folder.config().to_str().unwrap(), 1);
    drop(listener);
    daemon.wait_for("incident id=1");
    assert!(relay.wait_for(2, Duration::from_secs(20)), "both are told of the fault");
    let (code, said) = ordered(
        &folder,
        &[
            "incidents",
            "ack",
            "#1",
            "--set-by",
            "tanaka",
            "--note",
            "ticket 4711\u{1b}[2J",
            "--tell",
        ],
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(relay.wait_for(3, Duration::from_secs(20)), "{}", daemon.log());
    let mail = &relay.mails()[2];
    assert_eq!(
        mail.to,
        ["noc@example.net"],
        "who works on it is told to the own people only"
    );
    assert!(
        mail.body().contains("tanaka: ticket 4711") && !mail.body().contains('\u{1b}'),
        "{}",
        mail.body()
    );
    let (_, said) = ordered(&folder, &["incidents", "show", "#1"]);
    assert!(
        said.contains("by tanaka at ") && said.contains(": ticket 4711"),
        "{said}"
    );
    let (_, said) = ordered(&folder, &["status"]);
    let row = said.lines().find(|l| l.starts_with("gw")).unwrap();
    assert!(
        row.contains("#1") && row.contains("device-down (acknowledged by tanaka)"),
        "{said}"
    );

    let (code, said) = ordered(&folder, &["incidents", "unack", "1"]);
    assert!(code == Some(0) && said.contains("taken back"), "{said}");
    let (code, said) = ordered(&folder, &["incidents", "unack", "1"]);
    assert!(code == Some(1) && said.contains("not acknowledged"), "{said}");
    let (_, said) = ordered(&folder, &["incidents", "show", "1"]);
    assert!(!said.contains("\n  acknowledged "), "a slip does not stay: {said}");
    assert_eq!(
        ordered(&folder, &["incidents", "ack", "1", "--set-by", "suzuki"]).0,
        Some(0)
    );
    let _listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    daemon.wait_for("ended, ");
    let (_, said) = ordered(&folder, &["incidents", "list"]);
    assert!(said.contains("recovered") && said.contains("suzuki"), "{said}");
    let (code, said) = ordered(&folder, &["incidents", "ack", "four"]);
    assert!(code == Some(2) && said.contains("such as 4 or '#4'"), "{said}");
}

#[test]
fn a_secret_that_is_a_fifo_does_not_hang_up_a_reload() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let daemon = Daemon::start(&folder.config());
    let fifo = folder.0.join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for (secret, what) in [
        ("fifo", "a FIFO"),
        ("/dev/zero", "a device"),
        (".", "a folder"),
        ("state/control", "a socket"),
    ] {
        let began = Instant::now();
        let changed = site(&["a"]).replace(&format!("\"{}\"", super::SECRET), &format!("{{ file = \"{secret}\" }}"));
        folder.write(&changed);
        let (code, said) = ordered(&folder, &["reload"]);
        assert_eq!(code, Some(2), "{secret}: {said}");
        assert!(said.contains(what) && said.contains("not reloaded"), "{secret}: {said}");
        let check = run(&["check", folder.config().to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(2));
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{secret}: {:?}",
            began.elapsed()
        );
    }
    folder.write(&site(&["a", "b"]));
    assert_eq!(
        ordered(&folder, &["reload"]).0,
        Some(0),
        "what is put right is taken: {}",
        daemon.log()
    );
}

#[test]
fn a_contact_whom_no_relay_takes_is_told_of_to_another_and_readyz_says_so() {
    let folder = Folder::new();
    let rule = crate::relay::Rule::at(crate::relay::At::Rcpt)
        .only("noc@example.net")
        .reply("550 5.1.1 no such user");
    let relay = Relay::start(Script {
        rules: vec![rule],
        ..Script::default()
    });
    folder.write(&format!(
        "{}\n[[contact]]\nname = \"boss\"\nparty = \"own\"\nmail = ['\"the..boss\"@example.net']\n\n[[route]]\nname = \"r\"\nsmtp = \
         \"smtp://{}\"\ntls = \"none\"\nfrom = \"h@[192.0.2.5]\"\n",
        site(&["dead"]),
        relay.addr
    ));
    let daemon = Daemon::start(&folder.config());
    assert!(relay.wait_for(1, Duration::from_secs(20)), "{}", daemon.log());
    let mail = &relay.mails()[0];
    assert_eq!(mail.to, ["\"the..boss\"@example.net"]);
    assert_eq!(mail.from, "h@[192.0.2.5]");
    assert!(mail.subject().contains("no mail reaches noc"), "{}", mail.subject());
    let (code, why) = daemon.get("/readyz");
    assert_eq!(code, 503);
    assert!(why.contains("contact noc") && why.contains("550"), "{why}");
}

#[test]
fn a_record_is_private_whatever_stood_there() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let _daemon = Daemon::start(&folder.config());
    let file = folder.0.join("record");
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = ordered(&folder, &["record", file.to_str().unwrap(), "--all", "--for", "1s"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, said) = ordered(&folder, &["record", "/dev/null", "--for", "1s"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a device"), "{said}");
}
