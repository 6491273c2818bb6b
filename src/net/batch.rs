//! Up to [`BATCH`] datagrams by one system call, each whole, with its sender and the kernel's time stamp.
//!
//! `recvmmsg(2)` reads and overwrites the lengths in its headers (`msg_namelen`, `msg_controllen`): a header that is used again tells the
//! kernel that the address space is as short as the last address was. Headers are therefore made anew for each call, for every
//! socket and family.
//!
//! Never here: what a datagram means, how often a socket is read.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg};
use nix::sys::time::TimeSpec;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// Longest datagram that is taken whole.
const LONGEST: usize = 65_535;
/// Datagrams of one system call.
pub(super) const BATCH: usize = 64;

/// Memory for the payloads of one batch; it is reused.
#[derive(Debug)]
pub(super) struct Payloads(Vec<Box<[u8]>>);

/// One datagram of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    /// Octets of the payload.
    pub(super) length: usize,
    /// The sender; `None` if the kernel named none of a family of ours.
    pub(super) from: Option<SocketAddr>,
    /// The kernel's time stamp in nanoseconds since 1970, where the socket asks for it (SO_TIMESTAMPNS).
    pub(super) stamp_ns: Option<i128>,
}

impl Payloads {
    /// Some megabytes, of which only the octets that arrive are ever touched.
    pub(super) fn new() -> Payloads {
        Payloads((0..BATCH).map(|_| vec![0; LONGEST].into_boxed_slice()).collect())
    }

    /// Reads one batch into `arrived`, which is emptied first; the payload of its entry `i` is [`Payloads::get`] of `i`.
    ///
    /// # Errors
    /// EAGAIN when nothing is there; anything else is an error that an earlier datagram left on the socket.
    pub(super) fn receive(&mut self, socket: &UdpSocket, arrived: &mut Vec<Arrived>) -> Result<(), Errno> {
        arrived.clear();
        // Space for any address that the kernel knows, so that none can come back cut.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.0.iter_mut().map(|p| [IoSliceMut::new(p)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
        arrived.extend(messages.map(|message| Arrived {
            length: message.bytes,
            from: sender(&message),
            stamp_ns: stamp(&message),
        }));
        Ok(())
    }

    /// The payload of one datagram of the batch that was read last.
    pub(super) fn get(&self, index: usize, length: usize) -> &[u8] {
        &self.0[index][..length]
    }
}

fn sender(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SocketAddr> {
    let address = message.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into())))
}

fn stamp(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<i128> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(t) => {
            Some(i128::from(t.tv_sec()) * 1_000_000_000 + i128::from(t.tv_nsec()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{setsockopt, sockopt};

    /// A non-blocking socket on a loopback address that asks for time stamps, or not.
    fn socket(at: &str, stamps: bool) -> UdpSocket {
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_nonblocking(true).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &stamps).unwrap();
        socket
    }

    #[test]
    fn families_and_time_stamps_may_change_from_call_to_call() {
        let mut payloads = Payloads::new();
        let mut arrived = Vec::new();
        let receivers = [
            socket("127.0.0.1:0", true),
            socket("[::1]:0", false),
            socket("127.0.0.1:0", false),
            socket("[::1]:0", true),
        ];
        for round in 0..3u8 {
            for (i, receiver) in receivers.iter().enumerate() {
                let at = receiver.local_addr().unwrap();
                let sender = socket(if at.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" }, false);
                for number in 0..5u8 {
                    sender.send_to(&[round, number], at).unwrap();
                }
                payloads.receive(receiver, &mut arrived).unwrap();
                assert_eq!(arrived.len(), 5, "round {round}, socket {i}");
                for (number, datagram) in arrived.iter().enumerate() {
                    assert_eq!(
                        datagram.from,
                        Some(sender.local_addr().unwrap()),
                        "round {round}, socket {i}"
                    );
                    assert_eq!(datagram.stamp_ns.is_some(), i % 3 == 0, "round {round}, socket {i}");
                    let number_u8 = u8::try_from(number).unwrap();
                    assert_eq!(payloads.get(number, datagram.length), [round, number_u8]);
                }
            }
        }
        assert_eq!(payloads.receive(&receivers[0], &mut arrived), Err(Errno::EAGAIN));
        assert!(arrived.is_empty());
    }
}
