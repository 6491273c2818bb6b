//! Batches of datagrams: 8 UDP sockets and one RAW ICMP socket per address family, never one per target; and the sockets for traps
//! ([`traps`]), which have a thread of their own.
//!
//! All sockets are non-blocking. The engine reads them dry once a tick and sends what the core hands out.
//!
//! Never here: what a datagram means, a retry, a clock (the time is an argument), a thread.

mod batch;
mod drops;
mod icmp;
mod receive;
mod send;
mod trace;
pub mod traps;
mod udp;

pub use drops::Drops;
pub use icmp::IcmpError;
pub use trace::Tracer;

use crate::model::Mono;
use crate::poll::{Channel, PollInput, UDP_SOCKETS};
use icmp::IcmpSocket;
use send::{Batches, Queue};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use udp::UdpFleet;

/// Bytes a socket asks the kernel for. Best effort: without privilege the kernel grants what `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 4 << 20;

/// One reading of the two clocks that received datagrams are dated with.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The clock of all deadlines.
    pub mono: Mono,
    /// Nanoseconds since 1970 at the same moment: kernel time stamps are given on this clock.
    pub real_ns: i128,
}

/// Memory of system calls that carry many datagrams; it belongs to the thread that made it.
#[derive(Debug)]
pub struct Memory {
    buffers: receive::Buffers,
    batches: Batches,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Memory {
    /// Some megabytes, of which only what is received is ever touched.
    pub fn new() -> Memory {
        Memory {
            buffers: receive::Buffers::new(),
            batches: Batches::new(),
        }
    }
}

/// All sockets that polling uses.
#[derive(Debug)]
pub struct Net {
    udp_v4: Option<UdpFleet>,
    udp_v6: Option<UdpFleet>,
    icmp_v4: Result<IcmpSocket, IcmpError>,
    icmp_v6: Result<IcmpSocket, IcmpError>,
    /// What waits for [`Net::flush`], by family and socket.
    outgoing: [Vec<Queue>; 2],
    outgoing_icmp: [Queue; 2],
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
            outgoing: [(); 2].map(|()| vec![Queue::new(); usize::from(UDP_SOCKETS)]),
            outgoing_icmp: [Queue::new(), Queue::new()],
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

    /// Sleeps until a socket or `bell` can be read, or for so long.
    pub fn wait(&self, bell: BorrowedFd<'_>, longest: Duration) {
        let fleets = [&self.udp_v4, &self.udp_v6];
        let udp = fleets.iter().copied().flatten().flat_map(UdpFleet::sockets);
        let icmp = [&self.icmp_v4, &self.icmp_v6].into_iter().flatten();
        let mut sockets: Vec<BorrowedFd<'_>> = udp.map(|(_, socket)| socket.as_fd()).collect();
        sockets.extend(icmp.map(|icmp| icmp.socket().as_fd()));
        sockets.push(bell);
        receive::wait(&sockets, longest);
    }

    /// Reads every socket until it would block and appends what came, in the order of the sockets.
    pub fn receive_dry(&mut self, memory: &mut Memory, now: Reading, into: &mut Vec<PollInput>) {
        let fleets = [&self.udp_v4, &self.udp_v6];
        let udp = fleets.iter().copied().flatten().flat_map(UdpFleet::sockets);
        let icmp: Vec<&IcmpSocket> = [&self.icmp_v4, &self.icmp_v6].into_iter().flatten().collect();
        let mut sockets: Vec<(Channel, &UdpSocket)> = udp.map(|(i, socket)| (Channel::Udp(i), socket)).collect();
        sockets.extend(icmp.iter().map(|i| (Channel::Icmp, i.socket())));
        let all: Vec<&UdpSocket> = sockets.iter().map(|(_, socket)| *socket).collect();
        let first_icmp = all.len() - icmp.len();
        for (i, readable) in receive::readable(&all).into_iter().enumerate() {
            if readable {
                let (channel, socket) = sockets[i];
                let raw = i.checked_sub(first_icmp).and_then(|i| icmp.get(i));
                let wanted = |bytes: &[u8]| raw.is_none_or(|raw| raw.wanted(bytes));
                memory.buffers.drain(socket, channel, now, self.dry, into, wanted);
            }
        }
        self.dry = now.mono;
    }

    /// Puts a datagram where [`Net::flush`] finds it.
    pub fn queue(&mut self, channel: Channel, to: SocketAddr, bytes: Vec<u8>) {
        let family = usize::from(to.is_ipv6());
        let queues = match channel {
            Channel::Udp(number) => &mut self.outgoing[family][usize::from(number) % usize::from(UDP_SOCKETS)],
            Channel::Icmp => &mut self.outgoing_icmp[family],
        };
        queues.push((to, bytes));
    }

    /// Sends what was queued. What this host itself could not send is appended to `failed`.
    pub fn flush(&mut self, memory: &mut Memory, failed: &mut Vec<PollInput>) {
        for (v6, fleet) in [(false, &self.udp_v4), (true, &self.udp_v6)] {
            for number in 0..UDP_SOCKETS {
                let queue = &mut self.outgoing[usize::from(v6)][usize::from(number)];
                let socket = fleet.as_ref().map(|f| f.socket(number)).ok_or_else(|| no_family(v6));
                flush(&mut memory.batches, Channel::Udp(number), socket, queue, failed);
            }
        }
        for (v6, icmp) in [(false, &self.icmp_v4), (true, &self.icmp_v6)] {
            let queue = &mut self.outgoing_icmp[usize::from(v6)];
            let socket = icmp.as_ref().map(IcmpSocket::socket).map_err(ToString::to_string);
            flush(&mut memory.batches, Channel::Icmp, socket, queue, failed);
        }
    }

    /// Datagrams that the kernel received for these sockets and dropped because their buffers were full, since they were opened;
    /// `None` where the kernel does not tell.
    pub fn kernel_drops(&self) -> Option<Drops> {
        drops::read(self)
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

fn no_family(v6: bool) -> String {
    format!("this host has no {}", if v6 { "IPv6" } else { "IPv4" })
}

fn flush(
    batches: &mut Batches,
    channel: Channel,
    socket: Result<&UdpSocket, String>,
    queue: &mut Queue,
    failed: &mut Vec<PollInput>,
) {
    if queue.is_empty() {
        return;
    }
    let mut fail = |to, error| failed.push(PollInput::SendFailed { channel, to, error });
    match socket {
        Ok(socket) => batches.send(socket, queue, fail),
        Err(why) => queue.iter().for_each(|(to, _)| fail(*to, why.clone())),
    }
    queue.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// Queues and flushes one datagram.
    fn send(net: &mut Net, channel: Channel, to: SocketAddr, bytes: &[u8]) -> Option<PollInput> {
        let mut failed = Vec::new();
        net.queue(channel, to, bytes.to_vec());
        net.flush(&mut Memory::new(), &mut failed);
        failed.pop()
    }

    const NOW: Reading = Reading {
        mono: Mono(1_000_000),
        real_ns: 0,
    };

    /// What comes in over UDP; a RAW socket, where there is one, also hears what other tests cause.
    fn wait_for(net: &mut Net, wanted: usize) -> Vec<PollInput> {
        let (mut got, mut memory) = (Vec::new(), Memory::new());
        for _ in 0..200 {
            net.receive_dry(&mut memory, NOW, &mut got);
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
        assert_eq!(
            send(&mut net, Channel::Udp(3), agent.local_addr().unwrap(), b"ask"),
            None
        );
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
        assert_eq!(
            send(&mut net, Channel::Udp(0), agent.local_addr().unwrap(), b"ask"),
            None
        );
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
            assert_eq!(send(&mut net, Channel::Udp(1), closed, b"x"), None);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let agent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(
            send(&mut net, Channel::Udp(1), agent.local_addr().unwrap(), b"ask"),
            None
        );
        let (_, from) = agent.recv_from(&mut [0; 16]).unwrap();
        agent.send_to(b"answer", from).unwrap();
        assert_eq!(wait_for(&mut net, 1).len(), 1);
    }

    #[test]
    fn a_send_that_this_host_refuses_comes_back_with_the_systems_words() {
        let mut net = Net::open().unwrap();
        let too_long = vec![0; 70_000];
        match send(&mut net, Channel::Udp(0), "127.0.0.1:9".parse().unwrap(), &too_long) {
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
        assert_eq!(
            send(&mut net, Channel::Icmp, "127.0.0.1:0".parse().unwrap(), &request),
            None
        );
        let (mut got, mut memory) = (Vec::new(), Memory::new());
        for _ in 0..50 {
            net.receive_dry(&mut memory, NOW, &mut got);
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
