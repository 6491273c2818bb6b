//! A session against a relay on the other end of a pipe.

use super::*;
use tokio::io::{DuplexStream, duplex};

fn session<'a>(io: DuplexStream, peer: &str, log: &'a mut Transcript) -> Session<'a> {
    let deadline = Instant::now() + Duration::from_secs(10);
    Session::new(Box::new(io), peer.parse().unwrap(), false, deadline, log)
}

/// Says these words, one block for each thing it hears, then hangs up.
async fn relay(mut io: DuplexStream, words: &[&str]) {
    for text in words {
        io.write_all(text.as_bytes()).await.unwrap();
        let _ = io.read(&mut [0_u8; 512]).await;
    }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn no_password_leaves_in_plain_text() {
    run(async {
        let (ours, theirs) = duplex(4096);
        let mut log = Transcript::default();
        let script = ["220 hi\r\n", "250-hi\r\n250 AUTH PLAIN\r\n"];
        let (heard, ()) = tokio::join!(
            async {
                let mut session = session(ours, "192.0.2.25", &mut log);
                session.greeting().await.unwrap();
                session.hello("[192.0.2.1]").await.unwrap();
                session.auth("hinomi", &Secret::new("hunter2")).await
            },
            relay(theirs, &script)
        );
        let fault = heard.unwrap_err();
        assert_eq!(fault.stage(), Stage::Auth);
        assert!(fault.words().contains("plain text"), "{}", fault.words());
        assert!(
            !log.lines.iter().any(|l| l.contains("AUTH ") && l.starts_with('>')),
            "{:?}",
            log.lines
        );
    });
}

#[test]
fn a_relay_that_refuses_in_the_middle_of_a_mail_is_heard() {
    run(async {
        let (ours, theirs) = duplex(256);
        let mut log = Transcript::default();
        let script = ["250 ok\r\n", "250 ok\r\n", "354 go\r\n", "552 5.3.4 too big\r\n"];
        let message = Message {
            from: "a@example.net".into(),
            to: "b@example.net".into(),
            bytes: vec![b'x'; 100_000],
        };
        let (sent, ()) = tokio::join!(
            async {
                let mut session = session(ours, "127.0.0.1", &mut log);
                let overall = session.deadline;
                session.send(&message, overall).await
            },
            async {
                let mut theirs = theirs;
                for text in script {
                    let _ = theirs.read(&mut [0_u8; 128]).await;
                    theirs.write_all(text.as_bytes()).await.unwrap();
                }
            }
        );
        let fault = sent.unwrap_err();
        assert!(
            matches!(
                fault,
                Fault::Refused {
                    stage: Stage::Data,
                    code: 552,
                    ..
                }
            ),
            "{fault:?}"
        );
    });
}

#[test]
fn a_relay_that_does_not_let_us_is_not_a_bad_address() {
    let of = |code, text: &str| {
        is_policy(&Reply {
            code,
            lines: vec![text.to_owned()],
        })
    };
    assert!(of(554, "5.7.1 Relay access denied") && of(530, "authenticate first"));
    assert!(!of(550, "5.1.1 no such user") && !of(250, "5.7. is how this begins") && !of(450, "4.7.1 greylisted"));
}

#[test]
fn base64_of_the_rfc_vectors() {
    let of = |s: &str| base64(s.as_bytes());
    assert_eq!(
        [of(""), of("f"), of("fo"), of("foo"), of("foob")],
        ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
    );
    assert_eq!(base64(b"\0user\0p\xff\xfe"), "AHVzZXIAcP/+");
}

#[test]
fn a_transcript_hides_what_it_was_told_to_hide() {
    let mut log = Transcript::default();
    log.hide("hunter2".to_owned());
    log.note("< ", "535 wrong password hunter2\r\n\u{1b}[2J");
    assert_eq!(log.lines, ["< 535 wrong password ****   [2J"]);
}
