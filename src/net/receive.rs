//! Reading a socket until it would block, each datagram dated by the kernel.
//!
//! The engine looks every 10 ms. Without the kernel's time stamp (SO_TIMESTAMPNS) every round trip would be rounded up to that.

use super::{RECEIVE_BUFFER, Reading};
use crate::model::Mono;
use crate::poll::{Channel, PollInput};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::Socket;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Longest datagram that is taken whole.
const LONGEST: usize = 65_535;
/// Datagrams read from one socket in one go, so that a flood on one cannot hold the engine.
const FLOOD: usize = 16_384;

/// What a socket is given when it is opened. Best effort: polling works without, less precisely.
pub(super) fn prepare(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &true);
}

/// Memory that is reused for every datagram.
#[derive(Debug)]
pub(super) struct Buffers {
    payload: Box<[u8]>,
    control: Vec<u8>,
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers {
            payload: vec![0; LONGEST].into_boxed_slice(),
            control: cmsg_space!(TimeSpec),
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
        for _ in 0..FLOOD {
            let mut payload = [IoSliceMut::new(&mut self.payload)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut payload, Some(&mut self.control), flags);
            let (length, from, at) = match &received {
                Ok(message) => (message.bytes, sender(message), arrival(message, now, earliest)),
                Err(Errno::EAGAIN) => return,
                // An error that an earlier datagram left on the socket (a refused port): reading it clears it.
                Err(_) => continue,
            };
            let bytes = &self.payload[..length];
            if let (Some(from), true) = (from, wanted(bytes)) {
                into.push(PollInput::Datagram {
                    channel,
                    from,
                    at,
                    bytes: bytes.to_vec(),
                });
            }
        }
    }
}

fn sender(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SocketAddr> {
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
