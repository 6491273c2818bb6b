//! Reading a socket until it would block, each datagram dated by the kernel.
//!
//! The engine looks every 10 ms. Without the kernel's time stamp (SO_TIMESTAMPNS) every round trip would be rounded up to that.

use super::{RECEIVE_BUFFER, Reading};
use crate::model::Mono;
use crate::poll::{Channel, PollInput};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::Socket;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Longest datagram that is taken whole.
pub(super) const LONGEST: usize = 65_535;
/// Datagrams of one system call.
pub(super) const BATCH: usize = 64;
/// Datagrams read from one socket in one go, so that a flood on one cannot hold the engine.
const FLOOD: usize = 16_384;

/// What a socket is given when it is opened. Best effort: polling works without, less precisely.
pub(super) fn prepare(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &true);
}

/// Memory that is reused for every batch.
#[derive(Debug)]
pub(super) struct Buffers {
    payloads: Vec<Box<[u8]>>,
    headers: MultiHeaders<SockaddrStorage>,
    /// Length, sender and time of each datagram of the present batch.
    batch: Vec<(usize, Option<SocketAddr>, Mono)>,
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers {
            payloads: (0..BATCH).map(|_| vec![0; LONGEST].into_boxed_slice()).collect(),
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
            batch: Vec::with_capacity(BATCH),
        }
    }

    /// Reads until nothing is left. Nothing that is read can have arrived before `earliest`, when the socket was last read dry.
    pub(super) fn drain(
        &mut self,
        socket: &UdpSocket,
        channel: Channel,
        now: Reading,
        earliest: Mono,
        into: &mut Vec<PollInput>,
        wanted: impl Fn(&[u8]) -> bool,
    ) {
        for _ in 0..FLOOD / BATCH {
            match self.receive(socket, now, earliest) {
                Ok(()) => {}
                Err(Errno::EAGAIN) => return,
                // An error that an earlier datagram left on the socket (a refused port): reading it clears it.
                Err(_) => continue,
            }
            for ((length, from, at), payload) in self.batch.iter().zip(&self.payloads) {
                let bytes = &payload[..*length];
                if let (Some(from), true) = (from, wanted(bytes)) {
                    into.push(PollInput::Datagram {
                        channel,
                        from: *from,
                        at: *at,
                        bytes: bytes.to_vec(),
                    });
                }
            }
            if self.batch.len() < BATCH {
                return;
            }
        }
    }

    /// One batch.
    fn receive(&mut self, socket: &UdpSocket, now: Reading, earliest: Mono) -> Result<(), Errno> {
        self.batch.clear();
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.payloads.iter_mut().map(|p| [IoSliceMut::new(p)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)?;
        for message in received {
            let dated = arrival(&message, now, earliest);
            self.batch.push((message.bytes, sender(&message), dated));
        }
        Ok(())
    }
}

/// What can be read from now. If the kernel does not say, everything is looked at.
pub(super) fn readable(sockets: &[&UdpSocket]) -> Vec<bool> {
    let mut asked: Vec<PollFd<'_>> = sockets
        .iter()
        .map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN))
        .collect();
    if poll(&mut asked, PollTimeout::ZERO).is_err() {
        return vec![true; sockets.len()];
    }
    // An error on a socket is cleared by reading it.
    asked
        .iter()
        .map(|fd| fd.revents() != Some(PollFlags::empty()))
        .collect()
}

pub(super) fn sender(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SocketAddr> {
    let address = message.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into())))
}

/// The kernel's time stamp, carried over to the clock of deadlines. The wall clock may have stepped since it was taken: what
/// comes out never lies outside `earliest` and now.
fn arrival(message: &RecvMsg<'_, '_, SockaddrStorage>, now: Reading, earliest: Mono) -> Mono {
    let stamp = message
        .cmsgs()
        .ok()
        .into_iter()
        .flatten()
        .find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(t) => {
                Some(i128::from(t.tv_sec()) * 1_000_000_000 + i128::from(t.tv_nsec()))
            }
            _ => None,
        });
    stamp.map_or(now.mono, |stamp| dated(stamp, now, earliest))
}

fn dated(stamp: i128, now: Reading, earliest: Mono) -> Mono {
    let age = u64::try_from(now.real_ns.saturating_sub(stamp)).unwrap_or(0);
    (now.mono - Duration::from_nanos(age)).max(earliest.min(now.mono))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Reading = Reading {
        mono: Mono(5_000_000),
        real_ns: 1_000_000_000_000,
    };

    #[test]
    fn a_time_stamp_is_carried_over_to_the_clock_of_deadlines() {
        assert_eq!(dated(NOW.real_ns - 7_000_000, NOW, Mono(4_990_000)), Mono(4_993_000));
    }

    #[test]
    fn a_wall_clock_that_stepped_cannot_move_an_arrival_out_of_the_tick() {
        assert_eq!(dated(NOW.real_ns + 3_600_000_000_000, NOW, Mono(4_990_000)), NOW.mono);
        assert_eq!(
            dated(NOW.real_ns - 3_600_000_000_000, NOW, Mono(4_990_000)),
            Mono(4_990_000)
        );
        assert_eq!(dated(0, NOW, Mono(9_000_000)), NOW.mono);
    }
}
