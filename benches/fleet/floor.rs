//! The floor: a bare loop that sends requests of hinomi's size at hinomi's rate and tick, reads what comes, and understands nothing.

use super::agent;
use super::options::Options;
use hinomi::poll::UDP_SOCKETS;
use hinomi::wire::snmp::{Pdu, PduKind, Version, encode_community};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);

/// Asks each agent twice an interval: for its uptime, and for 22 columns, as the engine does.
pub(crate) fn run(options: &Options) {
    let sockets: Vec<_> = (0..UDP_SOCKETS)
        .map(|_| UdpSocket::bind("0.0.0.0:0").unwrap())
        .collect();
    sockets.iter().for_each(|s| s.set_nonblocking(true).unwrap());
    let uptime = vec![1, 3, 6, 1, 2, 1, 1, 3, 0];
    let column = |c| vec![1, 3, 6, 1, 2, 1, 31, 1, 1, 1, c, 1];
    let row = |c| vec![1, 3, 6, 1, 2, 1, 2, 2, 1, c, 1];
    let extended = [1, 6, 7, 8, 9, 10, 11, 12, 13, 15, 18, 19].map(column);
    let columns: Vec<_> = std::iter::once(uptime.clone())
        .chain(extended)
        .chain([7, 8, 13, 14, 19, 20, 5, 10, 16].map(row))
        .collect();
    let encode =
        |oids: &[Vec<u32>]| encode_community(Version::V2c, b"fleet", &Pdu::request(PduKind::Get, 0x1234_5678, oids));
    let requests = [encode(&[uptime]), encode(&columns)];
    let ticks = options.interval * 100;
    let turn = u64::from(options.devices) * 2;
    let (begun, mut sent, mut received) = (Instant::now(), 0u64, 0u64);
    let mut buffer = [0u8; 65_536];
    while begun.elapsed() < Duration::from_secs(options.seconds) + Duration::from_millis(300) {
        for socket in &sockets {
            while socket.recv_from(&mut buffer).is_ok() {
                received += 1;
            }
        }
        let tick = begun.elapsed().as_millis() as u64 / 10;
        while sent < turn * tick / ticks {
            // Every agent is asked for one thing, half an interval later for the other.
            let device = (sent % u64::from(options.devices)) as u32;
            let request = &requests[(sent / u64::from(options.devices) % 2) as usize];
            let to = SocketAddr::new(agent::address(device).into(), agent::PORT);
            let _ = sockets[(device % u32::from(UDP_SOCKETS)) as usize].send_to(request, to);
            sent += 1;
        }
        let into = Duration::from_micros(begun.elapsed().as_micros() as u64 % TICK.as_micros() as u64);
        std::thread::sleep(TICK - into);
    }
    println!("floor            {sent} sent, {received} received");
}
