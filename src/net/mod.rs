//! Batches of datagrams: 8 UDP sockets and one RAW ICMP socket per address family, never one per target.
//!
//! All sockets are non-blocking. The engine reads them dry once a tick and sends what the core hands out.
//!
//! Never here: what a datagram means, a retry, a clock (the time is an argument), a thread.

mod icmp;
mod receive;
mod udp;

pub use icmp::IcmpError;

use crate::model::Mono;
use crate::poll::{Channel, PollInput};
use icmp::IcmpSocket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use udp::UdpFleet;

/// Bytes a socket asks the kernel for. Best effort: without privilege the kernel grants what `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 4 << 20;

/// "No buffer space available" of Linux.
const ENOBUFS: i32 = 105;

/// One reading of the two clocks that received datagrams are dated with.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The clock of all deadlines.
    pub mono: Mono,
    /// Nanoseconds since 1970 at the same moment: kernel time stamps are given on this clock.
    pub real_ns: i128,
}

/// All sockets that polling uses.
#[derive(Debug)]
pub struct Net {
    udp_v4: Option<UdpFleet>,
    udp_v6: Option<UdpFleet>,
    icmp_v4: Result<IcmpSocket, IcmpError>,
    icmp_v6: Result<IcmpSocket, IcmpError>,
    buffers: receive::Buffers,
    /// When the sockets were last read dry.
    dry: Mono,
}

/// No socket of either family could be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open a UDP socket for SNMP, neither IPv4 ({v4}) nor IPv6 ({v6}): is this host out of file descriptors?"
)]
pub struct NoSockets {
    v4: io::Error,
    v6: io::Error,
}

impl Net {
    /// Opens the sockets. ICMP may be missing (see [`Net::echo`]); at least one family of UDP must be there.
    pub fn open() -> Result<Net, NoSockets> {
        let (udp_v4, udp_v6) = match (UdpFleet::open(false), UdpFleet::open(true)) {
            (Err(v4), Err(v6)) => return Err(NoSockets { v4, v6 }),
            (v4, v6) => (v4.ok(), v6.ok()),
        };
        Ok(Net {
            udp_v4,
            udp_v6,
            icmp_v4: IcmpSocket::open(false),
            icmp_v6: IcmpSocket::open(true),
            buffers: receive::Buffers::new(),
            dry: Mono(0),
        })
    }

    /// Whether echo works toward this family, and if not, why.
    pub fn echo(&self, v6: bool) -> Result<(), &IcmpError> {
        let socket = if v6 { &self.icmp_v6 } else { &self.icmp_v4 };
        socket.as_ref().map(|_| ())
    }

    /// For the log: which sockets are open.
    pub fn describe(&self) -> String {
        let udp = |fleet: &Option<UdpFleet>| fleet.as_ref().map_or(0, UdpFleet::len);
        let icmp = |socket: &Result<IcmpSocket, IcmpError>| match socket {
            Ok(s) if s.filtered() => "RAW, filtered in the kernel".to_owned(),
            Ok(_) => "RAW, filtered by hinomi".to_owned(),
            Err(e) => format!("none ({e})"),
        };
        format!(
            "UDP {} IPv4 + {} IPv6; ICMP {}; ICMPv6 {}",
            udp(&self.udp_v4),
            udp(&self.udp_v6),
            icmp(&self.icmp_v4),
            icmp(&self.icmp_v6)
        )
    }

    /// Reads every socket until it would block and appends what came, in the order of the sockets.
    pub fn receive_dry(&mut self, now: Reading, into: &mut Vec<PollInput>) {
        for fleet in [&self.udp_v4, &self.udp_v6].into_iter().flatten() {
            for (number, socket) in fleet.sockets() {
                self.buffers
                    .drain(socket, Channel::Udp(number), now, self.dry, into, |_| true);
            }
        }
        for socket in [&self.icmp_v4, &self.icmp_v6].into_iter().flatten() {
            self.buffers
                .drain(socket.socket(), Channel::Icmp, now, self.dry, into, |bytes| {
                    socket.wanted(bytes)
                });
        }
        self.dry = now.mono;
    }

    /// Sends one datagram. `Some` says that this host itself could not.
    pub fn send(&mut self, channel: Channel, to: SocketAddr, bytes: &[u8]) -> Option<PollInput> {
        let error = match self.try_send(channel, to, bytes) {
            Ok(()) => return None,
            Err(error) => error,
        };
        Some(PollInput::SendFailed { channel, to, error })
    }

    fn try_send(&mut self, channel: Channel, to: SocketAddr, bytes: &[u8]) -> Result<(), String> {
        let v6 = matches!(to.ip(), IpAddr::V6(_));
        let socket = match channel {
            Channel::Udp(number) => {
                let fleet = if v6 { &self.udp_v6 } else { &self.udp_v4 };
                match fleet {
                    Some(fleet) => fleet.socket(number),
                    None => return Err(format!("this host has no {}", if v6 { "IPv6" } else { "IPv4" })),
                }
            }
            Channel::Icmp => match if v6 { &self.icmp_v6 } else { &self.icmp_v4 } {
                Ok(icmp) => icmp.socket(),
                Err(error) => return Err(error.to_string()),
            },
        };
        match socket.send_to(bytes, to) {
            Ok(_) => Ok(()),
            // An error that an earlier datagram left on the socket (a refused port): the second try sends.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                socket.send_to(bytes, to).map(|_| ()).map_err(|e| words(&e))
            }
            // A full queue of this host loses a datagram as any full queue on the way does: no proof that it cannot send.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock || e.raw_os_error() == Some(ENOBUFS) => Ok(()),
            Err(e) => Err(words(&e)),
        }
    }
}

/// The system's words without the number, for example "Network is unreachable".
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};

    const NOW: Reading = Reading {
        mono: Mono(1_000_000),
        real_ns: 0,
    };

    /// What comes in over UDP; a RAW socket, where there is one, also hears what other tests cause.
    fn wait_for(net: &mut Net, wanted: usize) -> Vec<PollInput> {
        let mut got = Vec::new();
        for _ in 0..200 {
            net.receive_dry(NOW, &mut got);
            got.retain(|i| {
                matches!(
                    i,
                    PollInput::Datagram {
                        channel: Channel::Udp(_),
                        ..
                    }
                )
            });
            if got.len() >= wanted {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        got
    }

    #[test]
    fn a_datagram_goes_out_and_its_answer_comes_back_on_the_same_channel() {
        let mut net = Net::open().unwrap();
        let agent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(net.send(Channel::Udp(3), agent.local_addr().unwrap(), b"ask"), None);
        let mut buffer = [0; 16];
        let (length, from) = agent.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"ask");
        agent.send_to(b"answer", from).unwrap();
        let got = wait_for(&mut net, 1);
        match &got[..] {
            [
                PollInput::Datagram {
                    channel, from, bytes, ..
                },
            ] => {
                assert_eq!(*channel, Channel::Udp(3));
                assert_eq!(*from, agent.local_addr().unwrap());
                assert_eq!(bytes, b"answer");
            }
            other => panic!("{} inputs", other.len()),
        }
    }

    #[test]
    fn more_datagrams_than_one_batch_are_read_in_one_go() {
        let mut net = Net::open().unwrap();
        let agent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(net.send(Channel::Udp(0), agent.local_addr().unwrap(), b"ask"), None);
        let (_, from) = agent.recv_from(&mut [0; 16]).unwrap();
        for i in 0..150u8 {
            agent.send_to(&[i], from).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let got = wait_for(&mut net, 1);
        assert_eq!(got.len(), 150, "the first look reads all of them");
        for (i, input) in got.iter().enumerate() {
            assert!(matches!(input, PollInput::Datagram { bytes, .. } if usize::from(bytes[0]) == i));
        }
    }

    #[test]
    fn a_refused_port_neither_blocks_nor_hides_the_next_datagram() {
        let mut net = Net::open().unwrap();
        let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        for _ in 0..3 {
            assert_eq!(net.send(Channel::Udp(1), closed, b"x"), None);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let agent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(net.send(Channel::Udp(1), agent.local_addr().unwrap(), b"ask"), None);
        let (_, from) = agent.recv_from(&mut [0; 16]).unwrap();
        agent.send_to(b"answer", from).unwrap();
        assert_eq!(wait_for(&mut net, 1).len(), 1);
    }

    #[test]
    fn a_send_that_this_host_refuses_comes_back_with_the_systems_words() {
        let mut net = Net::open().unwrap();
        let too_long = vec![0; 70_000];
        match net.send(Channel::Udp(0), "127.0.0.1:9".parse().unwrap(), &too_long) {
            Some(PollInput::SendFailed { error, .. }) => assert_eq!(error, "Message too long"),
            other => panic!("{}", other.is_some()),
        }
    }

    /// Runs where the test may open a RAW socket.
    #[test]
    fn an_echo_to_loopback_gives_the_reply_and_not_the_request() {
        let mut net = Net::open().unwrap();
        if let Err(e) = net.echo(false) {
            println!("skipped: needs CAP_NET_RAW ({e})");
            return;
        }
        // Type 8, code 0, checksum, identifier 0x1234, sequence 1: the one's complement sum of the words is 0xffff.
        let request = [8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1];
        assert_eq!(net.send(Channel::Icmp, "127.0.0.1:0".parse().unwrap(), &request), None);
        let mut got = Vec::new();
        for _ in 0..50 {
            net.receive_dry(NOW, &mut got);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let replies: Vec<_> = got
            .iter()
            .filter_map(|i| match i {
                PollInput::Datagram {
                    channel: Channel::Icmp,
                    bytes,
                    ..
                } if bytes.len() >= 28 => Some(&bytes[20..28]),
                _ => None,
            })
            .filter(|icmp| icmp[4..6] == [0x12, 0x34])
            .collect();
        assert_eq!(replies.len(), 1);
        assert_eq!(replies[0][0], 0, "an echo reply");
    }
}
