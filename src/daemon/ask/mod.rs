//! Watched services are asked: TLS, HTTP, DNS, NTP; plugins by way of their helper. I/O.
//!
//! Every question has one deadline, and every answer a longest size. Never here: when something is asked, whether an answer is good.

mod command;
mod dns;
mod http;
mod ntp;
mod tls;

use super::clock;
use crate::model::PluginSettings;
use crate::model::service::{Answer, Ask, Endpoint, Failure};
use crate::poll::AskJob;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;

/// Questions at once: a name server that hangs must not make a thousand sockets.
static PLACES: Semaphore = Semaphore::const_new(128);

/// A plugin waits a little for its place with the helper, and is killed there at its deadline: that answer is waited for.
const BESIDE_A_PLUGIN: Duration = Duration::from_secs(4);

/// Asks, and tells how long it took.
pub(super) async fn ask(job: &AskJob, plugins: &PluginSettings) -> (Duration, Result<Answer, Failure>) {
    let limit = job.service.timeout;
    let Ok(Ok(_place)) = tokio::time::timeout(limit, PLACES.acquire()).await else {
        let busy = "too many watches wait for their answers in hinomi".to_owned();
        return (Duration::ZERO, Err(Failure::NotKnown(busy)));
    };
    let began = clock::mono();
    let deadline = match job.service.ask {
        Ask::Command { .. } => limit + BESIDE_A_PLUGIN,
        _ => limit,
    };
    let result = tokio::time::timeout(deadline, one(job, plugins))
        .await
        .unwrap_or_else(|_| {
            let late = format!("no whole answer within {}", humantime::format_duration(limit));
            Err(match job.service.ask {
                Ask::Command { .. } => Failure::NotKnown("the helper for plugins does not answer in time".to_owned()),
                _ => Failure::NoAnswer(late),
            })
        });
    (clock::mono().since(began), result)
}

async fn one(job: &AskJob, plugins: &PluginSettings) -> Result<Answer, Failure> {
    let limit = job.service.timeout;
    match &job.service.ask {
        Ask::Tls { to, trust } => tls::ask(to, trust).await.map(Answer::Tls),
        Ask::Http(ask) => http::ask(ask).await,
        Ask::Dns { name, kind, server, .. } => dns::ask(name, *kind, *server, limit).await,
        Ask::Ntp { server } => ntp::ask(*server, limit).await.map(Answer::Ntp),
        Ask::Command { argv } => command::ask(job, argv, plugins).await,
    }
}

/// The system's words, without its numbers.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn no_answer(error: &std::io::Error) -> Failure {
    Failure::NoAnswer(words(error))
}

/// Connects to the written address, or to one that the name has.
async fn connect(to: &Endpoint) -> Result<TcpStream, Failure> {
    if let Some(address) = to.address.or_else(|| to.host.parse::<IpAddr>().ok()) {
        return TcpStream::connect(SocketAddr::new(address, to.port))
            .await
            .map_err(|e| no_answer(&e));
    }
    let found = tokio::net::lookup_host((to.host.as_str(), to.port)).await;
    let found: Vec<SocketAddr> = match found {
        Ok(found) => found.take(8).collect(),
        Err(_) => Vec::new(),
    };
    if found.is_empty() {
        let what = format!("this host finds no address for the name {}", to.host);
        return Err(Failure::NoAnswer(what));
    }
    TcpStream::connect(found.as_slice()).await.map_err(|e| no_answer(&e))
}

/// A datagram that answers, or why the last one does not. Foreign senders never get here: the socket is connected.
/// `question` gives the octets of a try and what its answer is read with.
async fn exchange<T, C>(
    server: SocketAddr,
    again: Duration,
    question: impl Fn() -> (Vec<u8>, C),
    read: impl Fn(&[u8], &C) -> Result<T, String>,
) -> Result<T, Failure> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let ours = |e: std::io::Error| Failure::NotKnown(format!("this host gives no socket: {}", words(&e)));
    let socket = UdpSocket::bind(local).await.map_err(ours)?;
    socket.connect(server).await.map_err(|e| no_answer(&e))?;
    let mut refused = None;
    let mut datagram = vec![0_u8; 8192];
    for _ in 0..TRIES {
        let (octets, asked) = question();
        socket.send(&octets).await.map_err(|e| no_answer(&e))?;
        let until = tokio::time::Instant::now() + again;
        // A flood of wrong answers ends with the time of the try.
        while let Ok(received) = tokio::time::timeout_at(until, socket.recv(&mut datagram)).await {
            let length = received.map_err(|e| no_answer(&e))?;
            match read(&datagram[..length], &asked) {
                Ok(found) => return Ok(found),
                Err(why) => refused = Some(why),
            }
        }
    }
    Err(match refused {
        Some(why) => Failure::Malformed(format!("what came back is not believed: {why}")),
        None => Failure::NoAnswer(format!("no answer to {TRIES} datagrams")),
    })
}

/// Datagrams get lost: a question is sent so often within its deadline.
const TRIES: u32 = 3;

/// How long one of the tries is waited for: all of them end just before the deadline, so that its reason is told.
fn each_try(limit: Duration) -> Duration {
    limit * 9 / 10 / TRIES
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
