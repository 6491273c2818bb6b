//! What a relay says. A relay on loopback answers each line with the next piece of the input; delivering a mail and testing a route
//! must end in their time, and no password and nothing that a terminal obeys may stand in what is told of it.
#![no_main]

use hinomi::config::load_with;
use hinomi::model::{Site, Tls, Wall};
use hinomi::notify::{Outcome, channel};
use libfuzzer_sys::fuzz_target;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

#[path = "around.rs"]
mod around;

/// The password, and how AUTH writes it.
const SECRETS: [&str; 3] = [
    "s3cret-of-the-relay",
    "czNjcmV0LW9mLXRoZS1yZWxheQ==",
    "AG5vYwBzM2NyZXQtb2YtdGhlLXJlbGF5",
];
/// A conversation has this long; its end may take half a second more.
const DEADLINE: Duration = Duration::from_millis(200);

fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("site.toml");
        let loaded = load_with(&file, &around::Dummy);
        loaded
            .site
            .unwrap_or_else(|| panic!("site.toml: {:?}", loaded.problems))
    })
}

async fn relay(listener: TcpListener, pieces: Vec<Vec<u8>>) {
    let Ok((mut stream, _)) = listener.accept().await else {
        return;
    };
    let mut heard = [0; 4096];
    for piece in pieces {
        if stream.write_all(&piece).await.is_err() {
            return;
        }
        match timeout(Duration::from_millis(3), stream.read(&mut heard)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return,
        }
    }
}

fn harmless(line: &str) {
    assert!(
        !SECRETS.iter().any(|s| line.contains(s)),
        "a password is told: {line:?}"
    );
    assert!(
        !line.chars().any(char::is_control),
        "control characters of the relay are told: {line:?}"
    );
    assert!(
        line.chars().count() <= 1_000,
        "a relay's words have no end: {} characters",
        line.chars().count()
    );
}

async fn conversation(mode: u8, pieces: Vec<Vec<u8>>) -> Vec<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port on loopback");
    let mut route = site().routes[0].clone();
    route.relays[0].port = listener.local_addr().expect("an address").port();
    if mode & 4 != 0 {
        route.relays[0].tls = Tls::StartTls;
    }
    let relay = tokio::spawn(relay(listener, pieces));
    let told = if mode & 2 == 0 {
        let test = channel::test(&route, mode & 1 != 0, DEADLINE).await;
        let mut told = test.transcript;
        told.push(match test.result {
            Ok(relay) => relay,
            Err((_, words)) => words,
        });
        told
    } else {
        let (outcome, mut told) =
            channel::send_test_mail(&route, "noc@example.net", &site().operator, 7, Wall(0), DEADLINE).await;
        told.push(match outcome {
            Outcome::Accepted { reply, .. } | Outcome::Permanent { reply, .. } | Outcome::Transient { reply, .. } => {
                reply
            }
            Outcome::Failed { error, .. } => error,
        });
        told
    };
    relay.abort();
    told
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, said)) = data.split_first() else { return };
    let pieces: Vec<Vec<u8>> = said.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let told = runtime.block_on(async { timeout(Duration::from_secs(3), conversation(*mode, pieces)).await });
    for line in told.expect("a conversation ends in its time") {
        harmless(&line);
    }
});
