//! Datagrams that leave together: one system call for up to 64 of one socket.
//!
//! Never here: which datagram may leave when (the pacer of `poll` knows), a retry after an error.

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// Datagrams of one system call.
const BATCH: usize = 64;

/// What waits for one socket.
pub(super) type Queue = Vec<(SocketAddr, Vec<u8>)>;

/// Memory that is reused for every batch.
#[derive(Debug)]
pub(super) struct Batches {
    headers: MultiHeaders<SockaddrStorage>,
}

impl Batches {
    pub(super) fn new() -> Batches {
        Batches {
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Sends all of the queue, in order. `failed` hears of each datagram that this host could not send, with the system's words.
    pub(super) fn send(&mut self, socket: &UdpSocket, queue: &Queue, mut failed: impl FnMut(SocketAddr, String)) {
        let mut rest = &queue[..];
        // An error left on the socket by an earlier datagram (a refused port) is cleared by the first try.
        let mut tried = false;
        while let Some((to, _)) = rest.first() {
            match self.some(socket, &rest[..rest.len().min(BATCH)]) {
                Ok(sent) if sent > 0 => (rest, tried) = (&rest[sent.min(rest.len())..], false),
                Err(Errno::EINTR) => {}
                Err(Errno::ECONNREFUSED) if !tried => tried = true,
                // A full queue of this host loses a datagram as any full queue on the way does: no proof that it cannot send.
                Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS) => (rest, tried) = (&rest[1..], false),
                Err(error) => {
                    failed(*to, error.desc().to_owned());
                    (rest, tried) = (&rest[1..], false);
                }
            }
        }
    }

    /// How many of them the kernel took; an error is about the first.
    fn some(&mut self, socket: &UdpSocket, queue: &[(SocketAddr, Vec<u8>)]) -> Result<usize, Errno> {
        let slices: Vec<[IoSlice<'_>; 1]> = queue.iter().map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
        let to: Vec<Option<SockaddrStorage>> = queue.iter().map(|(to, _)| Some((*to).into())).collect();
        let nothing: [ControlMessage<'_>; 0] = [];
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            slices.iter(),
            &to,
            nothing,
            flags,
        )?;
        Ok(sent.count())
    }
}
