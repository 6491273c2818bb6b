//! Reading a socket until it would block, each datagram dated by the kernel.
//!
//! The engine looks every 10 ms. Without the kernel's time stamp (SO_TIMESTAMPNS) every round trip would be rounded up to that.

use super::batch::{Arrived, BATCH, Payloads};
use super::{RECEIVE_BUFFER, Reading};
use crate::model::Mono;
use crate::poll::{Channel, PollInput};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

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
    payloads: Payloads,
    /// The present batch.
    batch: Vec<Arrived>,
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers {
            payloads: Payloads::new(),
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
            match self.payloads.receive(socket, &mut self.batch) {
                Ok(()) => {}
                Err(Errno::EAGAIN) => return,
                // An error that an earlier datagram left on the socket (a refused port): reading it clears it.
                Err(_) => continue,
            }
            for (i, datagram) in self.batch.iter().enumerate() {
                let bytes = self.payloads.get(i, datagram.length);
                if let (Some(from), true) = (datagram.from, wanted(bytes)) {
                    into.push(PollInput::Datagram {
                        channel,
                        from,
                        at: datagram.stamp_ns.map_or(now.mono, |stamp| dated(stamp, now, earliest)),
                        bytes: bytes.to_vec(),
                    });
                }
            }
            if self.batch.len() < BATCH {
                return;
            }
        }
    }
}

/// Sleeps until one of these can be read, or for so long, to the millisecond above.
pub(super) fn wait(on: &[BorrowedFd<'_>], longest: Duration) {
    let mut asked: Vec<PollFd<'_>> = on.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    let milliseconds = longest.as_micros().div_ceil(1_000);
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::ZERO);
    // Interrupted, or out of memory: the caller looks at what is there and comes back.
    let _ = poll(&mut asked, timeout);
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

/// The kernel's time stamp, carried over to the clock of deadlines. The wall clock may have stepped since it was taken: the result
/// never lies outside `earliest` and now.
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
