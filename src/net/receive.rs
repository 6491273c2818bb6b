//! Reading a socket until it would block.

use super::{RECEIVE_BUFFER, Reading};
use crate::poll::{Channel, PollInput};
use socket2::Socket;
use std::io;
use std::net::UdpSocket;

/// Longest datagram that is taken whole.
const LONGEST: usize = 65_535;

/// What a socket is given when it is opened. Best effort: polling works without.
pub(super) fn prepare(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
}

/// Memory that is reused for every datagram.
#[derive(Debug)]
pub(super) struct Buffers(Box<[u8]>);

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers(vec![0; LONGEST].into_boxed_slice())
    }

    /// Reads until nothing is left. Errors that an earlier datagram left on the socket are passed over.
    pub(super) fn drain(
        &mut self,
        socket: &UdpSocket,
        channel: Channel,
        now: Reading,
        into: &mut Vec<PollInput>,
        wanted: impl Fn(&[u8]) -> bool,
    ) {
        // Bounded, so that a flood on one socket cannot hold the engine.
        for _ in 0..16_384 {
            match socket.recv_from(&mut self.0) {
                Ok((length, from)) => {
                    let bytes = &self.0[..length];
                    if wanted(bytes) {
                        into.push(PollInput::Datagram {
                            channel,
                            from,
                            at: now.mono,
                            bytes: bytes.to_vec(),
                        });
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }
}
