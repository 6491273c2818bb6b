//! From a relay's name to a connected socket: bounded name resolution, bind to a network device or a source address. I/O.
//!
//! A literal address needs no name service: the way out must not depend on what may be broken.

use super::smtp::{Fault, system};
use crate::model::{Bind, HostAddress, Relay, Route, Zone};
use crate::notify::Stage;
use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

/// Longest wait for the name service.
const RESOLVE: Duration = Duration::from_secs(5);
/// Longest wait for a TCP connection to one address.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects to the first address of the relay that takes the connection.
pub(super) async fn connect(route: &Route, relay: &Relay, deadline: Instant) -> Result<TcpStream, Fault> {
    let addresses = addresses(route, relay, deadline).await?;
    let mut errors = Vec::new();
    for (i, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = (left / u32::try_from(addresses.len() - i).unwrap_or(1)).min(CONNECT);
        match connect_one(route.bind.as_ref(), *address, Instant::now() + share).await {
            Ok(stream) => return Ok(stream),
            Err(error) => errors.push(error),
        }
    }
    Err(Fault::Broken {
        stage: Stage::Connect,
        error: errors.join("; "),
    })
}

/// Addresses of the relay, of the family of the bind address if there is one.
async fn addresses(route: &Route, relay: &Relay, deadline: Instant) -> Result<Vec<SocketAddr>, Fault> {
    let broken = |error: String| Fault::Broken {
        stage: Stage::Resolve,
        error,
    };
    let host = relay.host.trim_start_matches('[').trim_end_matches(']');
    let mut found: Vec<SocketAddr> = if let Some(literal) = literal(host, relay.port).map_err(&broken)? {
        vec![literal]
    } else {
        let until = deadline.min(Instant::now() + RESOLVE);
        match timeout_at(until, tokio::net::lookup_host((host, relay.port))).await {
            Ok(Ok(list)) => list.collect(),
            Ok(Err(e)) => {
                return Err(broken(format!(
                    "the name {host} has no address ({}): check the name service, or write the address",
                    system(&e)
                )));
            }
            Err(_) => {
                return Err(broken(format!(
                    "the name service did not answer in time for {host}: write the relay's address to do without"
                )));
            }
        }
    };
    found.dedup();
    if let Some(Bind::Address(own)) = &route.bind {
        found.retain(|a| a.is_ipv4() == own.ip.is_ipv4());
    }
    // Two of each family are enough: every one costs a share of the deadline.
    found.truncate(4);
    if found.is_empty() {
        return Err(broken(format!(
            "{host} has no address of the family of the bind address"
        )));
    }
    Ok(found)
}

/// A literal address with its zone, whose network device is looked up each time: it may come and go. `None`: it is a name.
fn literal(host: &str, port: u16) -> Result<Option<SocketAddr>, String> {
    let (plain, zone) = match host.split_once('%') {
        Some((plain, zone)) => (plain, Some(zone)),
        None => (host, None),
    };
    let Ok(ip) = plain.parse::<IpAddr>() else {
        return Ok(None);
    };
    let index = |name: &str| name.parse().ok().or_else(|| if_nametoindex(name).ok());
    let zone = zone.map(|name| match index(name) {
        Some(index) => Ok(Zone {
            name: name.into(),
            index,
        }),
        None => Err(format!(
            "this host has no network device {name}, over which {plain} would be reached"
        )),
    });
    let zone = zone.transpose()?;
    Ok(Some(HostAddress { ip, zone }.with_port(port)))
}

async fn connect_one(bind: Option<&Bind>, to: SocketAddr, until: Instant) -> Result<TcpStream, String> {
    let socket = if to.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(|e| format!("this host gives no TCP socket ({})", system(&e)))?;
    match bind {
        Some(Bind::Device(device)) => socket.bind_device(Some(device.as_bytes())).map_err(|e| {
            format!(
                "cannot bind to network device {device} ({}): does it exist, and is CAP_NET_RAW granted?",
                system(&e)
            )
        })?,
        Some(Bind::Address(own)) => socket.bind(own.with_port(0)).map_err(|e| {
            format!(
                "cannot send from {own} ({}): is the address still on this host?",
                system(&e)
            )
        })?,
        None => {}
    }
    match timeout_at(until, socket.connect(to)).await {
        Ok(Ok(stream)) => {
            // Commands are small and each waits for its answer.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => Err(format!("{to} refuses the connection")),
        Ok(Err(e)) => Err(format!("{to}: {}", system(&e))),
        Err(_) => Err(format!("{to} does not answer")),
    }
}
