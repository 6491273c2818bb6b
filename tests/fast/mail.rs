//! Mail on the wire: rows 20 to 26 and 30 of the fault matrix, against a relay that does what a script says.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads the clock to see that deadlines hold"
)]

use crate::relay;
use hinomi::model::{Bind, Language, Operator, Relay as Target, Route, Secret, Tls, Wall};
use hinomi::notify::channel::{deliver, send_test_mail, test};
use hinomi::notify::{Mail, Outcome, Stage};
use relay::{At, Cert, Do, Encryption, Relay, Rule, Script};
use std::time::{Duration, Instant};

/// Deadline of most tests: long for a busy machine, none of them waits for it.
const LONG: Duration = Duration::from_secs(20);
/// Deadline of those that do wait for it.
const SHORT: Duration = Duration::from_millis(1000);

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn target(relay: &Relay, tls: Tls) -> Target {
    Target {
        host: relay.addr.ip().to_string(),
        port: relay.port(),
        tls,
    }
}

fn route(relays: Vec<Target>) -> Route {
    Route {
        name: "lte".into(),
        out_of_band: true,
        relays,
        tls_name: None,
        tls_ca: None,
        bind: None,
        auth: None,
        from: "hinomi@example.org".to_owned(),
        helo: None,
        crosses: Vec::new(),
    }
}

fn to(relay: &Relay) -> Route {
    route(vec![target(relay, Tls::None)])
}

/// A route over TLS that trusts our authority, as a literal address with `tls_name`.
fn secure(relay: &Relay, tls: Tls) -> Route {
    static FOLDER: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    let ca = FOLDER.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("hinomi-test-ca-{}.pem", std::process::id()));
        relay::certs::write_ca(&path);
        path
    });
    Route {
        tls_name: Some(relay::certs::NAME.to_owned()),
        tls_ca: Some(ca.clone()),
        ..route(vec![target(relay, tls)])
    }
}

fn operator() -> Operator {
    Operator {
        name: "医療ネットワーク株式会社".to_owned(),
        phone: None,
        language: Language::Japanese,
        timezone: "Asia/Tokyo".to_owned(),
        holidays: [].into(),
    }
}

fn mail() -> Mail {
    Mail {
        to: "noc@example.net".to_owned(),
        message_id: "1042.1.abc@hinomi.example.org".to_owned(),
        in_reply_to: Some("1042.0.abc@hinomi.example.org".to_owned()),
        subject: "[警告] #1042 edge-a CPU使用率、長い件名でも折り返しで文字が壊れてはならないことを確かめるための一文"
            .to_owned(),
        body: "CPU使用率 95 % (警告 90 %)\n.先頭の点\n..\n\n対応をお願いします。\n".to_owned(),
        headers: vec![("X-Hinomi-Incident".to_owned(), "1042".to_owned())],
        date: Wall(1_795_352_400_000),
    }
}

fn send(route: &Route, mail: &Mail, deadline: Duration) -> Outcome {
    run(deliver(route, mail, &operator(), deadline))
}

/// Stage and words of a failure.
fn failed(outcome: Outcome) -> (Stage, String) {
    match outcome {
        Outcome::Failed { stage, error } => (stage, error),
        other => panic!("expected Failed, got {other:?}"),
    }
}

#[test]
fn what_arrives_is_what_was_given() {
    let relay = Relay::start(Script::default());
    let outcome = send(&to(&relay), &mail(), LONG);
    let Outcome::Accepted { relay: name, reply } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (name, reply.as_str()),
        (relay.addr.to_string(), "250 2.0.0 Ok: queued as TEST0001")
    );
    let got = &relay.mails()[0];
    assert_eq!(
        (got.from.as_str(), got.to.as_slice()),
        ("hinomi@example.org", &["noc@example.net".to_owned()][..])
    );
    assert_eq!(got.subject(), mail().subject);
    assert_eq!(got.body().trim_end(), mail().body.trim_end());
    assert_eq!(got.message_id(), mail().message_id);
    let first = Some("<1042.0.abc@hinomi.example.org>".to_owned());
    assert_eq!(
        (got.header("In-Reply-To"), got.header("References")),
        (first.clone(), first)
    );
    assert_eq!(got.header("X-Hinomi-Incident").as_deref(), Some("1042"));
    assert_eq!(got.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(got.header("Date").as_deref(), Some("Sun, 22 Nov 2026 22:00:00 +0900"));
    assert_eq!(
        got.header("From").as_deref(),
        Some("医療ネットワーク株式会社 <hinomi@example.org>")
    );
    assert!(got.raw.is_ascii(), "no relay need know 8BITMIME");
    assert!(
        got.raw.split(|b| *b == b'\n').all(|line| line.len() < 999),
        "no line longer than SMTP allows"
    );
    assert!(
        got.helo.contains('.') || got.helo.contains(':'),
        "EHLO {} is a bare host name",
        got.helo
    );
}

#[test]
fn a_plain_ascii_mail_with_dots_arrives_unchanged() {
    let relay = Relay::start(Script::default());
    let body = ".\n..x\nend\n.".to_owned();
    let mail = Mail {
        body: body.clone(),
        subject: "plain".to_owned(),
        in_reply_to: None,
        ..mail()
    };
    assert!(matches!(send(&to(&relay), &mail, LONG), Outcome::Accepted { .. }));
    assert_eq!(relay.mails()[0].body().trim_end_matches('\n'), body);
    assert_eq!(relay.mails()[0].header("In-Reply-To"), None);
}

#[test]
fn a_line_break_from_a_device_makes_no_header() {
    let relay = Relay::start(Script::default());
    let mut mail = mail();
    mail.subject = "edge\r\nBcc: everybody@example.net\u{202e}".to_owned();
    mail.headers.push((
        "X-Hinomi-Device".to_owned(),
        "a\r\nBcc: everybody@example.net".to_owned(),
    ));
    assert!(matches!(send(&to(&relay), &mail, LONG), Outcome::Accepted { .. }));
    assert_eq!(relay.mails()[0].header("Bcc"), None);
    assert_eq!(relay.mails()[0].subject(), "edge  Bcc: everybody@example.net");
    assert_eq!(relay.mails()[0].to, ["noc@example.net"]);
    mail.to = "a@example.net>\r\nRCPT TO:<b@example.net".to_owned();
    assert!(matches!(
        send(&to(&relay), &mail, LONG),
        Outcome::Permanent {
            stage: Stage::Recipient,
            ..
        }
    ));
    assert_eq!(relay.connections(), 1, "nobody was asked about an address that is none");
}

/// Row 20: the first relay of the route refuses, the second takes it.
#[test]
fn a_relay_that_refuses_connections_is_passed_over() {
    let (dead, alive) = (Relay::start(Script::default()), Relay::start(Script::default()));
    dead.stop();
    let (stage, error) = failed(send(&to(&dead), &mail(), LONG));
    assert_eq!(stage, Stage::Connect);
    assert!(
        error.contains(&dead.addr.to_string()) && error.contains("refuses"),
        "{error}"
    );
    let both = route(vec![target(&dead, Tls::None), target(&alive, Tls::None)]);
    let outcome = send(&both, &mail(), LONG);
    assert!(
        matches!(&outcome, Outcome::Accepted { relay, .. } if *relay == alive.addr.to_string()),
        "{outcome:?}"
    );
}

#[test]
fn a_name_that_does_not_exist_is_said_so() {
    let unknown = Target {
        host: "relay.invalid".to_owned(),
        port: 25,
        tls: Tls::None,
    };
    let (stage, error) = failed(send(&route(vec![unknown]), &mail(), LONG));
    assert_eq!(stage, Stage::Resolve);
    assert!(error.contains("relay.invalid"), "{error}");
}

/// Row 21.
#[test]
fn refused_for_now_is_transient_at_its_stage() {
    let stages = [
        (At::Greeting, Stage::Greeting),
        (At::Ehlo, Stage::Greeting),
        (At::Mail, Stage::MailFrom),
        (At::Rcpt, Stage::Recipient),
        (At::Data, Stage::Data),
        (At::Dot, Stage::FinalDot),
    ];
    for (at, stage) in stages {
        let words = "451 4.7.1 greylisted, come\u{7} again";
        let relay = Relay::start(Script {
            rules: vec![Rule::at(at).reply(words).times(1)],
            ..Script::default()
        });
        let reply = format!("{}: 451 4.7.1 greylisted, come  again", relay.addr);
        assert_eq!(send(&to(&relay), &mail(), LONG), Outcome::Transient { stage, reply });
        assert!(relay.mails().is_empty());
        assert!(
            matches!(send(&to(&relay), &mail(), LONG), Outcome::Accepted { .. }),
            "it was only for once: {at:?}"
        );
    }
}

/// Row 22: one envelope a recipient, so one bad address harms nobody else.
#[test]
fn one_bad_recipient_of_three() {
    let rule = Rule::at(At::Rcpt)
        .only("gone@example.net")
        .reply("550 5.1.1 no such user");
    let (relay, second) = (
        Relay::start(Script {
            rules: vec![rule],
            ..Script::default()
        }),
        Relay::start(Script::default()),
    );
    let route = route(vec![target(&relay, Tls::None), target(&second, Tls::None)]);
    for name in ["a@example.net", "gone@example.net", "b@example.net"] {
        let outcome = send(
            &route,
            &Mail {
                to: name.to_owned(),
                ..mail()
            },
            LONG,
        );
        match outcome {
            Outcome::Accepted { .. } => assert_ne!(name, "gone@example.net"),
            Outcome::Permanent {
                stage: Stage::Recipient,
                reply,
            } => {
                assert_eq!(name, "gone@example.net");
                assert!(reply.contains("550 5.1.1 no such user"), "{reply}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let got: Vec<String> = relay.mails().into_iter().flat_map(|m| m.to).collect();
    assert_eq!(got, ["a@example.net", "b@example.net"]);
    assert_eq!(
        second.connections(),
        0,
        "another relay would only say the same about a bad address"
    );
}

/// "You may not relay here" is the route's fault: told as such, and the next relay is asked.
#[test]
fn a_relay_that_does_not_let_us_is_not_a_bad_address() {
    let rule = Rule::at(At::Rcpt).reply("554 5.7.1 Relay access denied");
    let closed = Relay::start(Script {
        rules: vec![rule],
        ..Script::default()
    });
    let outcome = send(&to(&closed), &mail(), LONG);
    assert!(
        matches!(
            &outcome,
            Outcome::Permanent {
                stage: Stage::MailFrom,
                ..
            }
        ),
        "{outcome:?}"
    );
    let open = Relay::start(Script::default());
    let both = route(vec![target(&closed, Tls::None), target(&open, Tls::None)]);
    assert!(matches!(send(&both, &mail(), LONG), Outcome::Accepted { .. }));
    // Greylisted: the other relay may take it now.
    let grey = Rule::at(At::Rcpt).reply("450 4.7.1 greylisted");
    closed.set(Script {
        rules: vec![grey],
        ..Script::default()
    });
    assert!(matches!(send(&both, &mail(), LONG), Outcome::Accepted { .. }));
}

#[test]
fn what_the_scripted_relay_took_is_on_disk_before_it_says_so() {
    let folder = std::env::temp_dir().join(format!("hinomi-test-spool-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let relay = Relay::start(Script {
        spool: Some(folder.clone()),
        ..Script::default()
    });
    assert!(matches!(send(&to(&relay), &mail(), LONG), Outcome::Accepted { .. }));
    relay.restart().unwrap();
    assert!(matches!(send(&to(&relay), &mail(), LONG), Outcome::Accepted { .. }));
    let raw = std::fs::read(folder.join("0002.eml")).unwrap();
    let (headers, body) = relay::mime::decode(&raw);
    assert_eq!(
        relay::mime::find(&headers, "X-Envelope-To").as_deref(),
        Some("noc@example.net")
    );
    assert_eq!(body.trim_end(), mail().body.trim_end());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Row 23.
#[test]
fn refused_for_good_before_data_goes_to_the_next_relay() {
    for at in [At::Greeting, At::Ehlo, At::Mail] {
        let bad = Relay::start(Script {
            rules: vec![Rule::at(at).reply("554 5.7.1 blocked")],
            ..Script::default()
        });
        let outcome = send(&to(&bad), &mail(), LONG);
        assert!(
            matches!(&outcome, Outcome::Permanent { reply, .. } if reply.contains("blocked")),
            "{outcome:?}"
        );
        let good = Relay::start(Script::default());
        let both = route(vec![target(&bad, Tls::None), target(&good, Tls::None)]);
        assert!(matches!(send(&both, &mail(), LONG), Outcome::Accepted { .. }), "{at:?}");
    }
}

#[test]
fn refused_after_data_goes_to_no_other_relay() {
    for at in [At::Data, At::Dot] {
        let bad = Relay::start(Script {
            rules: vec![Rule::at(at).reply("554 5.6.0 no")],
            ..Script::default()
        });
        let other = Relay::start(Script::default());
        let both = route(vec![target(&bad, Tls::None), target(&other, Tls::None)]);
        assert!(matches!(send(&both, &mail(), LONG), Outcome::Permanent { .. }));
        assert_eq!(other.connections(), 0);
    }
}

/// Row 23: a wrong password is tried once, and stands in no transcript, not even when the relay repeats it.
#[test]
fn a_wrong_password_is_tried_once_and_never_shown() {
    for mechanisms in ["PLAIN LOGIN", "LOGIN"] {
        let script = Script {
            auth: Some((mechanisms.to_owned(), "hinomi".into(), "right".into())),
            ..Script::default()
        };
        let (relay, second) = (Relay::start(script), Relay::start(Script::default()));
        let relays = vec![target(&relay, Tls::None), target(&second, Tls::None)];
        let wrong = Route {
            auth: Some(("hinomi".to_owned(), Secret::new("geheim-秘密"))),
            ..route(relays)
        };
        let outcome = send(&wrong, &mail(), LONG);
        assert!(
            matches!(&outcome, Outcome::Permanent { stage: Stage::Auth, reply } if reply.contains("535")),
            "{outcome:?}"
        );
        assert_eq!(second.connections(), 0, "a second wrong password may lock the account");
        let tested = run(test(&wrong, true, LONG));
        assert_eq!(tested.result.as_ref().map_err(|e| e.0), Err(Stage::Auth));
        let (sent, transcript) = run(send_test_mail(&wrong, "noc@example.net", &operator(), 7, Wall(0), LONG));
        let all = format!("{outcome:?}{tested:?}{sent:?}{transcript:?}");
        let secrets: Vec<String> = relay
            .commands()
            .iter()
            .flat_map(|c| c.strip_prefix("AUTH PLAIN ").map(str::to_owned))
            .collect();
        assert_eq!(secrets.is_empty(), mechanisms == "LOGIN");
        for secret in secrets
            .iter()
            .map(String::as_str)
            .chain(["geheim", "秘密", "Z2VoZWltL"])
        {
            assert!(!all.contains(secret), "{secret} shown in {all}");
        }
        assert!(all.contains("****"));
        assert!(
            tested.transcript.iter().any(|l| l.starts_with("> AUTH")),
            "{:?}",
            tested.transcript
        );
        // Without AUTH the test passes: the relay is there.
        assert_eq!(run(test(&wrong, false, LONG)).result, Ok(relay.addr.to_string()));
    }
}

/// A relay that knows the password from an earlier session says it before AUTH, or to a test without AUTH. (Found by fuzzing.)
#[test]
fn a_password_that_a_relay_says_unasked_is_never_shown() {
    let relay = Relay::start(Script {
        auth: Some(("PLAIN".to_owned(), "hinomi".into(), "hunter2-and-more".into())),
        rules: vec![
            Rule::at(At::Greeting).reply("220 hello hunter2-and-more"),
            Rule::at(At::Noop).reply("450 not now aHVudGVyMi1hbmQtbW9yZQ=="),
        ],
        ..Script::default()
    });
    let route = Route {
        auth: Some(("hinomi".to_owned(), Secret::new("hunter2-and-more"))),
        ..to(&relay)
    };
    for with_auth in [false, true] {
        let tested = format!("{:?}", run(test(&route, with_auth, LONG)));
        assert!(
            tested.contains("220 hello ****") && tested.contains("450 not now ****"),
            "{tested}"
        );
        assert!(
            !tested.contains("hunter2") && !tested.contains("aHVudGVyMi1hbmQtbW9yZQ"),
            "{tested}"
        );
    }
    let sent = run(send_test_mail(&route, "noc@example.net", &operator(), 7, Wall(0), LONG));
    assert!(!format!("{sent:?}").contains("hunter2"), "{sent:?}");
}

#[test]
fn the_right_password_is_accepted_by_both_mechanisms() {
    for mechanisms in ["PLAIN LOGIN", "LOGIN"] {
        let script = Script {
            auth: Some((mechanisms.to_owned(), "hinomi".into(), "right".into())),
            ..Script::default()
        };
        let relay = Relay::start(script);
        let route = Route {
            auth: Some(("hinomi".to_owned(), Secret::new("right"))),
            ..to(&relay)
        };
        assert!(matches!(send(&route, &mail(), LONG), Outcome::Accepted { .. }));
        assert_eq!(relay.mails()[0].user.as_deref(), Some("hinomi"));
        assert_eq!(run(test(&route, true, LONG)).result, Ok(relay.addr.to_string()));
    }
}

/// Row 24: silent, one byte at a time, endless, at any stage: always an outcome, always in time.
#[test]
fn a_tarpit_holds_nobody_past_the_deadline() {
    let drip = Do::Drip(Duration::from_millis(20));
    let what = [Do::Silent, drip, Do::EndlessLines, Do::LongLine];
    let stages = [At::Greeting, At::Ehlo, At::Mail, At::Rcpt, At::Data, At::Dot];
    std::thread::scope(|all| {
        for (what, at) in what.iter().flat_map(|w| stages.map(|at| (w, at))) {
            all.spawn(move || {
                let rule = Rule::at(at).act(what.clone());
                let relay = Relay::start(Script {
                    rules: vec![rule],
                    ..Script::default()
                });
                let begun = Instant::now();
                let (stage, error) = failed(send(&to(&relay), &mail(), SHORT));
                let took = begun.elapsed();
                assert!(
                    took < SHORT + Duration::from_millis(1400),
                    "{what:?} at {at:?} took {took:?}"
                );
                assert_eq!(
                    stage == Stage::FinalDot,
                    at == At::Dot,
                    "{what:?} at {at:?}: {stage:?} {error}"
                );
            });
        }
    });
}

/// A silent first relay leaves time for the second.
#[test]
fn a_silent_relay_does_not_eat_the_time_of_the_next() {
    let silent = Relay::start(Script {
        rules: vec![Rule::at(At::Greeting)],
        ..Script::default()
    });
    let good = Relay::start(Script::default());
    let both = route(vec![target(&silent, Tls::None), target(&good, Tls::None)]);
    let outcome = send(&both, &mail(), Duration::from_secs(6));
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

/// A slow relay that has taken DATA may use the whole deadline, not only its share.
#[test]
fn after_data_the_whole_deadline_counts() {
    let slow = Rule::at(At::Dot).act(Do::Delay(Duration::from_millis(1500)));
    let relay = Relay::start(Script {
        rules: vec![slow],
        ..Script::default()
    });
    let other = Relay::start(Script::default());
    let both = route(vec![target(&relay, Tls::None), target(&other, Tls::None)]);
    let outcome = send(&both, &mail(), Duration::from_millis(2600));
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    assert_eq!(other.connections(), 0);
}

/// Row 25: the mail may be there; who decides to repeat it needs to know, and uses the same Message-ID.
#[test]
fn a_lost_250_is_told_from_everything_else() {
    let cut = Rule::at(At::Dot).act(Do::KeepAndCut).times(1);
    let relay = Relay::start(Script {
        rules: vec![cut],
        ..Script::default()
    });
    let (stage, error) = failed(send(&to(&relay), &mail(), LONG));
    assert_eq!(stage, Stage::FinalDot);
    assert!(error.contains("may have been accepted"), "{error}");
    assert!(matches!(send(&to(&relay), &mail(), LONG), Outcome::Accepted { .. }));
    let ids: Vec<String> = relay.mails().iter().map(relay::Mail::message_id).collect();
    assert_eq!(ids, [mail().message_id, mail().message_id]);
    let early = Relay::start(Script {
        rules: vec![Rule::at(At::Data).act(Do::Cut)],
        ..Script::default()
    });
    assert_eq!(failed(send(&to(&early), &mail(), LONG)).0, Stage::Data);
}

/// Row 26.
#[test]
fn tls_works_both_ways() {
    for (script, tls) in [(Encryption::StartTls, Tls::StartTls), (Encryption::Smtps, Tls::Smtps)] {
        let auth = Some(("PLAIN".to_owned(), "hinomi".into(), "right".into()));
        let relay = Relay::start(Script {
            tls: script,
            auth,
            ..Script::default()
        });
        let route = Route {
            auth: Some(("hinomi".to_owned(), Secret::new("right"))),
            ..secure(&relay, tls)
        };
        let outcome = send(&route, &mail(), LONG);
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        assert!(relay.mails()[0].encrypted);
        assert_eq!(run(test(&route, true, LONG)).result, Ok(relay.addr.to_string()));
    }
}

#[test]
fn a_bad_certificate_is_named_and_nothing_is_sent() {
    let cases = [
        (Cert::Expired, "expired: it was valid until 2020-02-29"),
        (Cert::WrongName, "wrong name: the certificate is for"),
    ];
    for (cert, words) in cases {
        for (script, tls) in [(Encryption::StartTls, Tls::StartTls), (Encryption::Smtps, Tls::Smtps)] {
            let relay = Relay::start(Script {
                tls: script,
                cert,
                ..Script::default()
            });
            let (stage, error) = failed(send(&secure(&relay, tls), &mail(), LONG));
            assert_eq!(stage, Stage::Tls);
            assert!(error.contains(words), "{error}");
            assert_eq!(
                run(test(&secure(&relay, tls), false, LONG)).result.map_err(|e| e.0),
                Err(Stage::Tls)
            );
            assert!(!relay.commands().iter().any(|c| c.starts_with("MAIL")));
        }
    }
    let relay = Relay::start(Script {
        tls: Encryption::Smtps,
        ..Script::default()
    });
    let (stage, error) = failed(send(
        &Route {
            tls_ca: None,
            ..secure(&relay, Tls::Smtps)
        },
        &mail(),
        LONG,
    ));
    assert_eq!(stage, Stage::Tls);
    assert!(error.contains("tls_ca"), "{error}");
}

#[test]
fn starttls_taken_out_on_the_way_is_not_plain_text() {
    let relay = Relay::start(Script::default());
    let (stage, error) = failed(send(&secure(&relay, Tls::StartTls), &mail(), LONG));
    assert_eq!(stage, Stage::Tls);
    assert!(error.contains("STARTTLS"), "{error}");
    assert!(relay.mails().is_empty() && !relay.commands().iter().any(|c| c.starts_with("MAIL")));
    // Words slipped in behind the answer to STARTTLS are not believed.
    let early = Rule::at(At::StartTls).reply("220 go ahead\r\n250 2.0.0 injected");
    let relay = Relay::start(Script {
        tls: Encryption::StartTls,
        rules: vec![early],
        ..Script::default()
    });
    assert_eq!(
        failed(send(&secure(&relay, Tls::StartTls), &mail(), LONG)).0,
        Stage::Tls
    );
    // A relay that speaks plain text on the smtps port.
    let relay = Relay::start(Script::default());
    let (stage, error) = failed(send(&secure(&relay, Tls::Smtps), &mail(), LONG));
    assert_eq!(stage, Stage::Tls);
    assert!(error.contains("does not speak TLS"), "{error}");
}

fn source(address: &str) -> Option<Bind> {
    Some(Bind::Address(address.parse::<std::net::IpAddr>().unwrap().into()))
}

/// Row 30: the source is the one that was written.
#[test]
fn a_route_is_bound_to_its_source() {
    let relay = Relay::start(Script::default());
    let bound = Route {
        bind: source("127.0.0.9"),
        ..to(&relay)
    };
    assert!(matches!(send(&bound, &mail(), LONG), Outcome::Accepted { .. }));
    assert_eq!(relay.mails()[0].peer.ip().to_string(), "127.0.0.9");
    let foreign = Route {
        bind: source("192.0.2.77"),
        ..to(&relay)
    };
    let (stage, error) = failed(send(&foreign, &mail(), LONG));
    assert_eq!(stage, Stage::Connect);
    assert!(error.contains("192.0.2.77"), "{error}");
    let nowhere = Route {
        bind: Some(Bind::Device("hinomi-none".to_owned())),
        ..to(&relay)
    };
    let (stage, error) = failed(send(&nowhere, &mail(), LONG));
    assert_eq!(stage, Stage::Connect);
    assert!(error.contains("hinomi-none"), "{error}");
    let six = Route {
        bind: source("::1"),
        ..to(&relay)
    };
    assert_eq!(failed(send(&six, &mail(), LONG)).0, Stage::Resolve);
}

/// What the configuration takes as an address arrives as it is written, in the envelope and in the headers.
#[test]
fn quoted_local_parts_and_address_literals_arrive_as_written() {
    for address in [
        "\"foo..bar\"@docomo.ne.jp",
        "noc@[192.0.2.1]",
        "noc@[IPv6:2001:db8::1]",
        "\"a@b\"@example.net",
    ] {
        let relay = Relay::start(Script::default());
        let route = Route {
            from: address.to_owned(),
            ..to(&relay)
        };
        let to = Mail {
            to: address.to_owned(),
            ..mail()
        };
        assert!(matches!(send(&route, &to, LONG), Outcome::Accepted { .. }), "{address}");
        let got = &relay.mails()[0];
        assert_eq!((got.from.as_str(), got.to[0].as_str()), (address, address));
        assert_eq!(got.header("To").as_deref(), Some(address));
        assert!(
            got.header("From").unwrap().ends_with(&format!("<{address}>")),
            "{:?}",
            got.header("From")
        );
    }
}

/// EHLO keywords are words, whatever stands around them; a relay that refuses EHLO is greeted by HELO.
#[test]
fn what_a_relay_offers_is_read_as_words() {
    for offer in [
        "250-relay\r\n250-STARTTLS \r\n250 AUTH PLAIN",
        "250-relay\r\n250 starttls REQUIRED",
        "250-relay\r\n250-\tStartTLS\r\n\r\n250",
        "250-relay\r\n250-\r\n250 STARTTLS",
    ] {
        let relay = Relay::start(Script {
            rules: vec![Rule::at(At::Ehlo).reply(offer).times(1)],
            tls: Encryption::StartTls,
            ..Script::default()
        });
        let outcome = send(&secure(&relay, Tls::StartTls), &mail(), LONG);
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{offer:?}: {outcome:?}");
    }
    for code in ["500 what?", "502 5.5.1 no", "504 no", "550 5.5.1 command rejected"] {
        let relay = Relay::start(Script {
            rules: vec![Rule::at(At::Ehlo).reply(code).times(1)],
            ..Script::default()
        });
        let outcome = send(&to(&relay), &mail(), LONG);
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{code}: {outcome:?}");
    }
}

#[test]
fn what_is_not_smtp_is_said_to_be_none() {
    let web = Rule::at(At::Greeting).reply("HTTP/1.1 400 Bad Request\u{1b}[2J");
    let relay = Relay::start(Script {
        rules: vec![web],
        ..Script::default()
    });
    let (stage, error) = failed(send(&to(&relay), &mail(), LONG));
    assert_eq!(stage, Stage::Greeting);
    assert!(
        error.contains("not the answer of a mail relay") && !error.contains('\u{1b}'),
        "{error}"
    );
}

#[test]
fn the_test_mail_shows_its_transaction() {
    let relay = Relay::start(Script::default());
    let (outcome, transcript) = run(send_test_mail(
        &to(&relay),
        "noc@example.net",
        &operator(),
        255,
        Wall(0),
        LONG,
    ));
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let said: Vec<&str> = transcript
        .iter()
        .filter_map(|l| l.strip_prefix("> "))
        .map(|l| l.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        said,
        ["EHLO", "MAIL", "RCPT", "DATA", said[4], ".", "QUIT"],
        "{transcript:?}"
    );
    let got = &relay.mails()[0];
    assert_eq!(got.message_id(), "route-test.00000000000000ff@example.org");
    assert!(got.subject().contains("lte") && got.body().contains("試験"));
}

#[test]
fn a_flaky_relay_of_a_seed_does_the_same_twice() {
    let outcomes = |seed| {
        let relay = Relay::start(Script::flaky(40, seed));
        let sent: Vec<bool> = (0..12)
            .map(|_| matches!(send(&to(&relay), &mail(), LONG), Outcome::Accepted { .. }))
            .collect();
        (sent, relay.mails().len())
    };
    let (sent, kept) = outcomes(11);
    assert_eq!((sent.clone(), kept), outcomes(11));
    assert!(sent.contains(&true) && sent.contains(&false) && kept > sent.iter().filter(|s| **s).count());
}
