//! The sockets that traps and informs come in on: opened here, or inherited from systemd.
//!
//! Received in batches, whole, with the address they came from; an answer leaves by the socket that its question came in on.
//!
//! Never here: what a datagram means, a thread, a rate limit.

use super::batch::{Arrived, BATCH, Payloads};
use super::{RECEIVE_BUFFER, drops, receive};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags};
use rustix::net::{AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

/// Name of the inherited sockets (`FileDescriptorName=` of the socket unit).
pub const INHERITED: &str = "traps";

/// Batches read from one socket in one go, so that another socket and whoever waits for the thread have their turn.
const BATCHES: usize = 64;

/// Sockets for notifications.
#[derive(Debug)]
pub struct TrapSockets(Vec<UdpSocket>);

/// Memory of system calls that carry many datagrams; it belongs to the thread that made it.
#[derive(Debug)]
pub struct TrapMemory {
    payloads: Payloads,
    batch: Vec<Arrived>,
}

impl Default for TrapMemory {
    fn default() -> TrapMemory {
        TrapMemory::new()
    }
}

impl TrapMemory {
    /// Some megabytes, of which only what is received is ever touched.
    pub fn new() -> TrapMemory {
        TrapMemory {
            payloads: Payloads::new(),
            batch: Vec::with_capacity(BATCH),
        }
    }
}

impl TrapSockets {
    /// Opens a socket for each address.
    ///
    /// # Errors
    /// The address that failed, and the system's words.
    pub fn open(at: &[SocketAddr]) -> Result<TrapSockets, (SocketAddr, io::Error)> {
        let sockets = at.iter().map(|at| open_one(*at).map_err(|error| (*at, error)));
        Ok(TrapSockets(sockets.collect::<Result<_, _>>()?))
    }

    /// Takes the UDP sockets that systemd has opened for this process under the name [`INHERITED`].
    ///
    /// # Errors
    /// There is none, or one is of another kind.
    pub fn inherited() -> io::Result<TrapSockets> {
        let mut sockets = Vec::new();
        for (fd, name) in sd_notify::listen_fds_with_names()? {
            if name == INHERITED {
                sockets.push(adopt(fd)?);
            }
        }
        if sockets.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "systemd has handed over no socket of the name \"traps\"",
            ));
        }
        Ok(TrapSockets(sockets))
    }

    /// Where they listen, and how many octets the kernel keeps for each (it counts its own bookkeeping in).
    pub fn describe(&self) -> Vec<(SocketAddr, usize)> {
        let of = |s: &UdpSocket| Some((s.local_addr().ok()?, SockRef::from(s).recv_buffer_size().ok()?));
        self.0.iter().filter_map(of).collect()
    }

    /// Waits until something is there, or for so long.
    pub fn wait(&self, longest: Duration) {
        let sockets: Vec<BorrowedFd<'_>> = self.0.iter().map(AsFd::as_fd).collect();
        receive::wait(&sockets, longest);
    }

    /// Reads what is there and answers what `take` answers. Gives how many datagrams came; what cannot be sent is given up: who waits
    /// for it asks again.
    pub fn receive(
        &self,
        memory: &mut TrapMemory,
        mut take: impl FnMut(SocketAddr, &[u8]) -> Option<Vec<u8>>,
    ) -> usize {
        let mut all = 0;
        let mut answers = Vec::new();
        for socket in &self.0 {
            for _ in 0..BATCHES {
                match memory.payloads.receive(socket, &mut memory.batch) {
                    Ok(()) => {}
                    Err(Errno::EAGAIN) => break,
                    // An error that an answer of ours left on the socket: reading it clears it.
                    Err(_) => continue,
                }
                for (i, datagram) in memory.batch.iter().enumerate() {
                    let Some(from) = datagram.from else { continue };
                    if let Some(answer) = take(from, memory.payloads.get(i, datagram.length)) {
                        answers.push((from, answer));
                    }
                }
                all += memory.batch.len();
                for (to, answer) in answers.drain(..) {
                    let _ = socket.send_to(&answer, to);
                }
                if memory.batch.len() < BATCH {
                    break;
                }
            }
        }
        all
    }

    /// Datagrams that the kernel dropped because a buffer was full; `None` where it does not tell.
    pub fn kernel_drops(&self) -> Option<u64> {
        drops::dropped(&["udp", "udp6"], &self.0.iter().filter_map(drops::inode).collect())
    }
}

fn open_one(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        // IPv4 has a socket of its own, or is not wanted.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Best effort: the kernel grants what net.core.rmem_max allows.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&at.into())?;
    Ok(socket.into())
}

/// A socket of our own on what an inherited number stands for. The number travels through the kernel and comes back as an owned
/// descriptor: that way is checked by the kernel, where taking the number as it is would need trust in it.
fn adopt(fd: RawFd) -> io::Result<UdpSocket> {
    let socket = UdpSocket::from(duplicate(fd)?);
    let kind = SockRef::from(&socket);
    let (kind, family) = (kind.r#type()?, kind.domain()?);
    if kind != Type::DGRAM || !(family == Domain::IPV4 || family == Domain::IPV6) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the socket \"traps\" that systemd has handed over is not one for UDP: write ListenDatagram= with a port in hinomi-traps.socket",
        ));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    let rights = [fd];
    let message = [ControlMessage::ScmRights(&rights)];
    nix::sys::socket::sendmsg::<()>(
        other.as_raw_fd(),
        &[IoSlice::new(&[0])],
        &message,
        MsgFlags::empty(),
        None,
    )?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut octet = [0];
    rustix::net::recvmsg(
        &ours,
        &mut [IoSliceMut::new(&mut octet)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message
            && let Some(fd) = fds.next()
        {
            return Ok(fd);
        }
    }
    Err(io::Error::other("the kernel did not hand over the inherited socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> TrapSockets {
        TrapSockets::open(&["127.0.0.1:0".parse().unwrap()]).unwrap()
    }

    #[test]
    fn what_comes_in_is_answered_by_the_same_socket() {
        let sockets = loopback();
        let (at, _) = sockets.describe()[0];
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for i in 0..200u8 {
            sender.send_to(&[i], at).unwrap();
        }
        sockets.wait(Duration::from_secs(5));
        let mut seen = Vec::new();
        let count = sockets.receive(&mut TrapMemory::new(), |from, bytes| {
            assert_eq!(from, sender.local_addr().unwrap());
            seen.push(bytes[0]);
            (bytes[0] == 199).then(|| b"thanks".to_vec())
        });
        assert_eq!((count, seen), (200, (0..200).collect()));
        let (length, from) = sender.recv_from(&mut [0; 16]).unwrap();
        assert_eq!((length, from), (6, at));
    }

    #[test]
    fn an_inherited_socket_is_taken_over_and_another_kind_of_file_is_refused() {
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ours = adopt(theirs.as_raw_fd()).unwrap();
        assert_eq!(ours.local_addr().unwrap(), theirs.local_addr().unwrap());
        drop(theirs);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"x", ours.local_addr().unwrap()).unwrap();
        let sockets = TrapSockets(vec![ours]);
        sockets.wait(Duration::from_secs(5));
        assert_eq!(sockets.receive(&mut TrapMemory::new(), |_, _| None), 1);
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(
            adopt(tcp.as_raw_fd())
                .unwrap_err()
                .to_string()
                .contains("ListenDatagram")
        );
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(adopt(file.as_raw_fd()).is_err());
        assert!(adopt(1_000_000).is_err());
    }

    #[test]
    fn a_full_buffer_is_counted() {
        let sockets = loopback();
        let (at, _) = sockets.describe()[0];
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(sockets.kernel_drops(), Some(0));
        for _ in 0..200_000 {
            let _ = sender.send_to(&[0; 100], at);
            if sockets.kernel_drops().is_some_and(|drops| drops > 0) {
                return;
            }
        }
        panic!("the buffer never filled");
    }
}
