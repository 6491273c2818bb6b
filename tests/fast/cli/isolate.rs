//! `hinomi isolate` from outside: beside a running daemon, and without one.

use super::*;

#[test]
fn the_target_is_asked_now_and_the_rules_say_whose_it_is() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let mut listeners: Vec<_> = (0..3)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let behind = "\n[[device]]\nname = \"clinic\"\naddress = \"127.0.0.1\"\nowner = \"institution\"\nparents = [\"d0\"]\nliveness = { tcp = 1 }\n";
    folder.write(&(tcp_site(&relay, &listeners) + behind));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let alone = run(&["isolate", "d1", "--config", config]);
    let said = text(&alone.stdout);
    assert_eq!(alone.status.code(), Some(0), "{said}{}", text(&alone.stderr));
    assert!(
        said.contains("no fault is to be seen") && said.contains("no daemon answers"),
        "{said}"
    );

    let daemon = Daemon::start(&folder.config());
    drop(listeners.pop());
    daemon.wait_for("incident id=");
    let began = Instant::now();
    let down = run(&["isolate", "d2", "--config", config]);
    let said = text(&down.stdout);
    assert_eq!(down.status.code(), Some(1), "{said}{}", text(&down.stderr));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "in seconds, not {:?}",
        began.elapsed()
    );
    for words in [
        "verdict    own-network",
        "d2 silent since",
        "next step  restore it",
        "d2 device-down",
        "incident #",
    ] {
        assert!(said.contains(words), "no \"{words}\" in:\n{said}");
    }
    let clinic = run(&["isolate", "clinic", "--json", "--config", config]);
    let report: serde_json::Value = serde_json::from_slice(&clinic.stdout).unwrap();
    assert_eq!(clinic.status.code(), Some(1), "{report}");
    assert_eq!(
        report["verdict"], "undetermined",
        "a router without a line says nothing of the carrier: {report}"
    );
    assert_eq!(report["path"][0]["device"], "d0", "{report}");
    assert_eq!(report["path"][0]["reach"], "up", "{report}");

    // Planned work accuses nobody, and everybody who looks sees it.
    let set = run(&[
        "maintenance",
        "add",
        "work on d2",
        "--what",
        "d2",
        "--for",
        "1h",
        "--config",
        config,
    ]);
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stderr));
    let planned = text(&run(&["isolate", "d2", "--config", config]).stdout);
    assert!(
        planned.contains("verdict    planned: maintenance \"work on d2\" of ours, in force until ")
            && planned.contains("ask nobody to look for a fault")
            && !planned.contains("verdict    own-network"),
        "{planned}"
    );
    let status = text(&run(&["status", "--config", config]).stdout);
    assert!(
        status.contains("critical, maintenance") && status.contains("MAINTENANCE"),
        "{status}"
    );
    let list = text(&run(&["maintenance", "list", "--config", config]).stdout);
    assert!(
        list.contains("in force until ") && list.contains("  (times in "),
        "{list}"
    );
    let explain = text(&run(&["explain", "d2", "--config", config]).stdout);
    assert!(
        explain.contains("planned    maintenance \"work on d2\" of ours") && explain.contains(", incident #"),
        "{explain}"
    );
    run(&["maintenance", "end", "work on d2", "--config", config]);
    let list = text(&run(&["maintenance", "list", "--config", config]).stdout);
    assert!(list.contains("ended, settling until "), "{list}");

    // The incident's number explains itself, too.
    let explain = text(&run(&["explain", "1", "--config", config]).stdout);
    assert!(
        explain.contains("#1 ") && explain.contains("hinomi replay FILE --incident 1"),
        "{explain}"
    );
    let unknown = run(&["isolate", "d9", "--config", config]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stderr).contains("no device and no circuit \"d9\""),
        "{}",
        text(&unknown.stderr)
    );
}
