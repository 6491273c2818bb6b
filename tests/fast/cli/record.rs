//! Records from outside: made by a real daemon with a real fault and real mails, played by `hinomi replay`.

use super::*;

/// A daemon that is restarted with `--record` from its first moment; one device, one relay.
fn start_recording(folder: &Folder, record: &Path) -> Daemon {
    let words = [
        "run",
        "--config",
        folder.config().to_str().unwrap(),
        "--record",
        record.to_str().unwrap(),
    ]
    .map(str::to_owned);
    Daemon::spawn(hinomi(&words.each_ref().map(String::as_str)))
}

#[test]
fn what_was_recorded_from_the_start_plays_to_the_same_mails() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let listeners = [
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    ];
    folder.write(&tcp_site(&relay, &listeners));
    let (config, record) = (folder.config(), folder.0.join("night.jsonl"));
    let config = config.to_str().unwrap();
    let mut daemon = start_recording(&folder, &record);
    assert_eq!(mode(&record), 0o600, "it holds names and mails");
    until_up(config, 2);
    let again = run(&["record", folder.0.join("second").to_str().unwrap(), "--config", config]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("one at a time"), "{}", text(&again.stderr));
    let [first, _second] = listeners;
    let port = first.local_addr().unwrap();
    drop(first);
    until("the mail is accepted", || relay.mails().len() == 1);
    assert_eq!(
        run(&["incidents", "ack", "1", "--by", "night shift", "--config", config])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(run(&["reload", "--config", config]).status.code(), Some(0));
    let _back = std::net::TcpListener::bind(port).unwrap();
    daemon.end("-TERM");

    let file = record.to_str().unwrap();
    let played = run(&["replay", file, "--config", config, "--mails"]);
    let said = text(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{said}{}", text(&played.stderr));
    for words in [
        "attempt to mail as then, to the octet",
        "mail  to noc@example.net over lte",
        "device-down",
        "by night shift",
    ] {
        assert!(said.contains(words), "no \"{words}\" in:\n{said}");
    }
    let one = text(&run(&["replay", file, "--config", config, "--incident", "1"]).stdout);
    assert!(
        one.contains("d0 confirm: 0 of ") && one.contains("rule  #1 d0 device-down"),
        "{one}"
    );
    assert!(!one.contains("in    d1"), "d1 has no part in it:\n{one}");

    // Another configuration: what would have been said?
    let patient =
        std::fs::read_to_string(folder.config()).unwrap() + "\n[findings]\ndevice-down = { level = \"warning\" }\n";
    let other = folder.0.join("other.toml");
    std::fs::write(&other, patient).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    let played = run(&["replay", file, "--config", other.to_str().unwrap(), "--mails"]);
    let said = text(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{said}{}", text(&played.stderr));
    assert!(
        said.contains("another configuration") && said.contains("[WARNING] #1 d0 down"),
        "{said}"
    );

    // The tape is cut in the middle of a line, as a full disk or a power failure does; and one whose mails were tampered with.
    let whole = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, &whole[..whole.len() - 20]).unwrap();
    assert_eq!(run(&["replay", file, "--config", config]).status.code(), Some(0));
    std::fs::write(&record, whole.replace("[CRITICAL] #1", "[CRITICAL] #7")).unwrap();
    let other = run(&["replay", file, "--config", config]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        text(&other.stdout).contains("NOT the same as then"),
        "{}",
        text(&other.stdout)
    );
    std::fs::write(&record, "rubbish\n").unwrap();
    let refused = run(&["replay", file, "--config", config]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("night.jsonl:1: this is no line of a record"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn a_running_daemon_is_recorded_for_a_while_and_what_changed_is_kept() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let mut listeners: Vec<_> = (0..3)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    folder.write(&tcp_site(&relay, &listeners));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let daemon = Daemon::start(&folder.config());
    until_up(config, 3);
    let file = folder.0.join("part.jsonl");
    let file = file.to_str().unwrap();
    let unknown = run(&["record", file, "--target", "d9", "--config", config]);
    assert!(
        text(&unknown.stderr).contains("no device and no circuit \"d9\""),
        "{}",
        text(&unknown.stderr)
    );
    let recorder = hinomi(&["record", file, "--target", "d0", "--for", "6s", "--config", config])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    drop(listeners.pop());
    let ended = recorder.wait_with_output().unwrap();
    assert!(
        text(&ended.stdout).contains("play them with"),
        "{}",
        text(&ended.stdout)
    );
    let lines = std::fs::read_to_string(file).unwrap();
    assert!(
        lines.contains("\"d0\"") && lines.contains("\"d2\""),
        "what was named, and what changed:\n{lines}"
    );
    assert!(
        !lines.contains("\"device\":\"d1\""),
        "not what was well all the time:\n{lines}"
    );
    no_secret(lines.as_bytes());
    let played = run(&["replay", file, "--config", config]);
    let said = text(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{said}{}", text(&played.stderr));
    assert!(
        said.contains("d2 device-down") && said.contains("began midway"),
        "{said}"
    );
    // The recorder is gone: another may come.
    let again = run(&["record", file, "--for", "600ms", "--config", config]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    drop(daemon);
}
