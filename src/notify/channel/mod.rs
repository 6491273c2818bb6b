//! Delivery over real relays: `deliver` for the outbox, `test` for the route tests, `send_test_mail` for `hinomi route-test`. I/O.
//!
//! Every call has a deadline around everything, and always gives an outcome. The relays of a route are tried in order while the
//! failure is before DATA; from there on the mail may have been taken, and trying again is the outbox's decision.
//!
//! Never here: which route, when, to whom (that is the plan's); plain text where TLS was asked for; a password in any output.

mod bind;
mod message;
mod smtp;
pub mod tls;

use crate::model::{Operator, Relay, Route, Tls, Wall};
use crate::notify::{Mail, Outcome, RouteTest, Stage};
use message::Message;
use smtp::{Fault, Session, Transcript};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Sends one mail over a route. Returns within `deadline` (and the half second of a QUIT that stays unanswered).
pub async fn deliver(route: &Route, mail: &Mail, operator: &Operator, deadline: Duration) -> Outcome {
    deliver_logged(route, mail, operator, deadline, &mut Transcript::default()).await
}

/// Tests a route: connect, TLS, EHLO, with `with_auth` AUTH, NOOP, QUIT. Its transcript holds no secret.
pub async fn test(route: &Route, with_auth: bool, deadline: Duration) -> RouteTest {
    let mut log = Transcript::default();
    let work = if with_auth { Work::TestWithAuth } else { Work::Test };
    let result = each_relay(route, &work, deadline, &mut log).await;
    RouteTest {
        route: route.name.clone(),
        with_auth,
        transcript: log.lines,
        result: result
            .map(|(relay, _)| relay)
            .map_err(|fault| (fault.stage(), fault.words().to_owned())),
    }
}

/// Sends a real test mail over a route and tells the whole transaction, for `hinomi route-test`.
///
/// `id` makes the Message-ID unique; `now` is the Date.
pub async fn send_test_mail(
    route: &Route,
    to: &str,
    operator: &Operator,
    id: u64,
    now: Wall,
    deadline: Duration,
) -> (Outcome, Vec<String>) {
    let domain = route.from.rsplit('@').next().unwrap_or("localhost");
    let mail = Mail {
        to: to.to_owned(),
        message_id: format!("route-test.{id:016x}@{domain}"),
        in_reply_to: None,
        subject: format!("[試験/TEST] hinomi route {}", route.name),
        body: format!(
            "これは {} の監視 (hinomi) による経路 \"{}\" の試験メールです。対応は不要です。\n\n\
             This is a test mail of route \"{}\" sent by the monitoring (hinomi) of {}. Nothing needs to be done.\n",
            operator.name, route.name, route.name, operator.name
        ),
        headers: vec![("X-Hinomi-Route-Test".to_owned(), route.name.to_string())],
        date: now,
    };
    let mut log = Transcript::default();
    let outcome = deliver_logged(route, &mail, operator, deadline, &mut log).await;
    (outcome, log.lines)
}

async fn deliver_logged(
    route: &Route,
    mail: &Mail,
    operator: &Operator,
    deadline: Duration,
    log: &mut Transcript,
) -> Outcome {
    let message: Message = match message::build(route, mail, operator) {
        Ok(message) => message,
        // Nobody was asked: the mail itself cannot be sent, over this or any other route.
        Err((stage, reply)) => return Outcome::Permanent { stage, reply },
    };
    match each_relay(route, &Work::Send(message), deadline, log).await {
        Ok((relay, reply)) => Outcome::Accepted { relay, reply },
        Err(Fault::Refused { stage, code, reply }) if code >= 500 => Outcome::Permanent { stage, reply },
        Err(Fault::Refused { stage, reply, .. }) => Outcome::Transient { stage, reply },
        Err(Fault::Broken { stage, error }) => Outcome::Failed { stage, error },
    }
}

/// What is done with a relay that answers.
enum Work {
    /// NOOP.
    Test,
    /// AUTH, NOOP.
    TestWithAuth,
    /// AUTH, and the whole transaction.
    Send(Message),
}

/// Opens a session with one relay after the other and does `work` on it, while failing is before DATA. Gives the relay and its
/// last words.
///
/// Each relay gets a fair share of the time that is left, so that a silent first one does not eat that of the second.
async fn each_relay(
    route: &Route,
    work: &Work,
    deadline: Duration,
    log: &mut Transcript,
) -> Result<(String, String), Fault> {
    // Before the first word: a relay may know the password from another session, and say it to a test without AUTH.
    if let Some((user, password)) = &route.auth {
        log.hide_auth(user, password);
    }
    let overall = Instant::now() + deadline;
    let mut failed: Vec<(String, Fault)> = Vec::new();
    for (i, relay) in route.relays.iter().enumerate() {
        let left = overall.saturating_duration_since(Instant::now());
        let until = Instant::now() + left / u32::try_from(route.relays.len() - i).unwrap_or(1);
        let name = host_port(relay);
        log.note("* ", &format!("{name} ({})", way(relay.tls)));
        let result = match open(route, relay, until, log).await {
            Ok(mut session) => {
                let result = perform(route, work, &mut session, overall).await;
                // After a broken line there is nobody to take leave of.
                if !matches!(result, Err(Fault::Broken { .. })) {
                    session.quit().await;
                }
                result
            }
            Err(fault) => Err(fault),
        };
        match result {
            Ok(value) => return Ok((name, value)),
            Err(fault) => {
                log.note("* ", &format!("failed: {}", fault.words()));
                let stop = is_final(&fault);
                failed.push((name, fault));
                if stop {
                    break;
                }
            }
        }
    }
    Err(summed_up(failed))
}

async fn perform(route: &Route, work: &Work, session: &mut Session<'_>, overall: Instant) -> Result<String, Fault> {
    if let (Some((user, password)), false) = (&route.auth, matches!(work, Work::Test)) {
        session.auth(user, password).await?;
    }
    match work {
        Work::Send(message) => session.send(message, overall).await,
        Work::Test | Work::TestWithAuth => session.noop().await.map(|()| String::new()),
    }
}

/// Would the next relay of the same route only say the same, or might the mail have been taken?
fn is_final(fault: &Fault) -> bool {
    match fault {
        // The recipient is refused, not the relay; and a second wrong password may lock the account.
        Fault::Refused {
            stage: Stage::Recipient,
            code,
            ..
        } => *code >= 500,
        Fault::Refused {
            stage: Stage::Auth,
            code,
            ..
        } => *code >= 500,
        other => other.stage() >= Stage::Data,
    }
}

/// One fault for the whole route: that of the relay that got furthest, with what the others said behind it.
fn summed_up(mut failed: Vec<(String, Fault)>) -> Fault {
    // The later of two that got equally far is the one that ended the attempt.
    let Some(last) = (0..failed.len()).max_by_key(|i| failed[*i].1.stage()) else {
        return Fault::Broken {
            stage: Stage::Connect,
            error: "the route has no relay".to_owned(),
        };
    };
    let (name, fault) = failed.swap_remove(last);
    let others: String = failed
        .iter()
        .map(|(relay, other)| format!("; {relay}: {}", other.words()))
        .collect();
    match fault {
        Fault::Refused { stage, code, reply } => Fault::Refused {
            stage,
            code,
            reply: format!("{name}: {reply}{others}"),
        },
        Fault::Broken { stage, error } => Fault::Broken {
            stage,
            error: format!("{name}: {error}{others}"),
        },
    }
}

/// Connect, TLS, greeting, EHLO.
async fn open<'a>(route: &Route, relay: &Relay, until: Instant, log: &'a mut Transcript) -> Result<Session<'a>, Fault> {
    let stream = bind::connect(route, relay, until).await?;
    let unknown = IpAddr::from([0, 0, 0, 0]);
    let peer = stream.peer_addr().map_or(unknown, |a| a.ip());
    let helo = hello_name(route, stream.local_addr().ok());
    if relay.tls == Tls::Smtps {
        let encrypted = encrypt(Box::new(stream), route, relay, until).await?;
        log.note("* ", "TLS established");
        let mut session = Session::new(encrypted, peer, true, until, log);
        session.greeting().await?;
        session.hello(&helo).await?;
        return Ok(session);
    }
    let mut session = Session::new(Box::new(stream), peer, false, until, log);
    session.greeting().await?;
    session.hello(&helo).await?;
    if relay.tls == Tls::StartTls {
        session.starttls().await?;
        let (stream, log) = session.into_parts();
        let encrypted = encrypt(stream, route, relay, until).await?;
        log.note("* ", "TLS established");
        session = Session::new(encrypted, peer, true, until, log);
        session.hello(&helo).await?;
    }
    Ok(session)
}

async fn encrypt(
    stream: Box<dyn smtp::Io>,
    route: &Route,
    relay: &Relay,
    until: Instant,
) -> Result<Box<dyn smtp::Io>, Fault> {
    let name = route.tls_name.as_deref().unwrap_or(&relay.host);
    let fault = |error: String| Fault::Broken {
        stage: Stage::Tls,
        error,
    };
    match timeout_at(until, tls::handshake(stream, name, route.tls_ca.as_deref())).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(fault(error)),
        Err(_) => Err(fault("the relay fell silent during the TLS handshake".to_owned())),
    }
}

fn host_port(relay: &Relay) -> String {
    // An address of IPv6 stands in brackets, with its zone.
    match relay.host.contains(':') {
        true => format!("[{}]:{}", relay.host.trim_matches(['[', ']']), relay.port),
        false => format!("{}:{}", relay.host, relay.port),
    }
}

fn way(tls: Tls) -> &'static str {
    match tls {
        Tls::Smtps => "TLS from the first byte",
        Tls::StartTls => "STARTTLS",
        Tls::None => "plain text",
    }
}

/// The name for EHLO: as written, else this host's full name, else its address. A bare host name is refused by many relays
/// (RFC 5321 4.1.4 asks for a full name or an address).
fn hello_name(route: &Route, local: Option<SocketAddr>) -> String {
    if let Some(name) = &route.helo {
        return message::clean(name, 255);
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    if let Some(name) = full_name(&host_name(), &hosts) {
        return name;
    }
    match local.map(|a| a.ip()) {
        Some(IpAddr::V4(a)) => format!("[{a}]"),
        Some(IpAddr::V6(a)) => format!("[IPv6:{a}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

/// What this host calls itself, by uname(2): the file of /proc that has it as well is hidden from the unit (`ProcSubset=pid`).
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().trim().to_owned()
}

/// The full name of `host`: itself if it has a dot, else the name with a dot on its line in the hosts file.
fn full_name(host: &str, hosts: &str) -> Option<String> {
    let valid = |name: &str| {
        name.contains('.') && name.split('.').all(|l| !l.is_empty()) && !name.starts_with("localhost") && {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        }
    };
    if valid(host) {
        return Some(host.to_owned());
    }
    let lines = hosts.lines().map(|l| l.split('#').next().unwrap_or(""));
    let names = lines.map(|l| l.split_whitespace().skip(1).collect::<Vec<_>>());
    let own = names.filter(|n| n.contains(&host));
    own.flatten().find(|n| valid(n)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The daemon spawns deliveries on several threads: the futures must be able to move.
    #[test]
    fn deliveries_can_be_spawned() {
        fn movable<F: Future + Send>(make: impl Fn(&'static Route, &'static Mail, &'static Operator) -> F) {
            drop(make);
        }
        movable(|route, mail, operator| deliver(route, mail, operator, Duration::ZERO));
        movable(|route, _, _| test(route, true, Duration::ZERO));
        movable(|route, _, operator| send_test_mail(route, "", operator, 0, Wall(0), Duration::ZERO));
    }

    #[test]
    fn the_name_said_in_ehlo_is_never_a_bare_host_name() {
        assert_eq!(full_name("noc1.example.net", ""), Some("noc1.example.net".to_owned()));
        let hosts = "127.0.0.1 localhost\n# noc1 x.y\n127.0.1.1 noc1.example.net noc1\n";
        assert_eq!(full_name("noc1", hosts), Some("noc1.example.net".to_owned()));
        assert_eq!(full_name("noc1", "127.0.0.1 localhost noc1\n"), None);
        assert_eq!(full_name("", "127.0.0.1 localhost\n"), None);
    }
}
