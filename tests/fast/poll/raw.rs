//! Echo over real RAW sockets on loopback: what the kernel really hands in. Needs CAP_NET_RAW.

#![allow(clippy::disallowed_methods)] // the only test of polling on a real clock

use super::net::{device, ms, secs, site};
use hinomi::model::{DeviceId, Mono, Now, Wall};
use hinomi::poll::{Channel, DropReason, Observation, Poll, PollEffect, PollInput};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

fn socket(v6: bool) -> Option<Socket> {
    let (domain, protocol) = if v6 {
        (Domain::IPV6, Protocol::ICMPV6)
    } else {
        (Domain::IPV4, Protocol::ICMPV4)
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol)).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

#[test]
fn the_kernel_answers_over_ipv4_and_ipv6() {
    for (address, v6) in [("127.0.0.7", false), ("::1", true)] {
        let Some(socket) = socket(v6) else {
            println!("skipped: needs CAP_NET_RAW and {address}");
            continue;
        };
        let begun = Instant::now();
        let clock = || Now {
            mono: Mono(begun.elapsed().as_micros() as u64),
            wall: Wall(0),
        };
        let mut d = device("loopback", address);
        (d.poll.interval, d.poll.timeout) = (secs(3600), ms(900));
        let mut poll = Poll::new(site(vec![d]), [5; 32], clock());
        poll.take(PollInput::ProbeNow(DeviceId(0)), clock());
        let mut buffer = [0u8; 2048];
        let mut seen = None;
        while seen.is_none() && begun.elapsed() < secs(5) {
            for effect in poll.effects() {
                match effect {
                    PollEffect::Send { to, bytes, .. } => drop(socket.send_to(&bytes, &to.into()).unwrap()),
                    PollEffect::Observed(Observation::Reach(r)) => seen = Some(r),
                    _ => {}
                }
            }
            while let Ok(n) = (&socket).read(&mut buffer) {
                let source = if v6 {
                    Ipv6Addr::LOCALHOST.into()
                } else {
                    Ipv4Addr::new(buffer[12], buffer[13], buffer[14], buffer[15]).into()
                };
                let (channel, from, now) = (Channel::Icmp, SocketAddr::new(source, 0), clock());
                poll.take(
                    PollInput::Datagram {
                        channel,
                        from,
                        at: now.mono,
                        bytes: buffer[..n].to_vec(),
                    },
                    now,
                );
            }
            if poll.next_wakeup() <= clock().mono {
                poll.wake(clock());
            }
            std::thread::sleep(ms(1));
        }
        let round = seen.expect("a round within five seconds");
        assert_eq!((round.sent, round.received), (3, 3), "{address}");
        let dropped = poll.counters().dropped;
        assert!(
            dropped.keys().all(|r| *r == DropReason::ForeignEcho),
            "{address}: {dropped:?}"
        );
    }
}
