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
        "next step  decide the policy",
        "d2 device-down",
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
