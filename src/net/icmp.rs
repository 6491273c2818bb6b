//! A RAW ICMP or ICMPv6 socket. RAW is chosen explicitly: an unprivileged DGRAM socket loses the errors about a target
//! ("host unreachable") and replaces the identifier. It needs CAP_NET_RAW.
//!
//! The kernel drops what is neither an echo reply nor an error (classic BPF, which needs no `unsafe` of ours); where the
//! filter cannot be attached, the same is done here.

use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io;
use std::net::UdpSocket;

/// Why there is no echo toward a family.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IcmpError {
    /// EPERM.
    #[error("not permitted: a RAW socket needs CAP_NET_RAW")]
    NotPermitted,
    /// Anything else, for example a kernel without IPv6.
    #[error("{0}")]
    Other(String),
}

/// ICMP types that are let through: echo reply, destination unreachable, time exceeded, parameter problem.
const TYPES_V4: [u8; 4] = [0, 3, 11, 12];
/// ICMPv6 (RFC 4443): destination unreachable, packet too big, time exceeded, parameter problem, echo reply.
const TYPES_V6: [u8; 5] = [1, 2, 3, 4, 129];

/// One RAW socket.
#[derive(Debug)]
pub(super) struct IcmpSocket {
    // A RAW socket is sent on and read from by the same calls as a UDP socket.
    socket: UdpSocket,
    v6: bool,
    filtered: bool,
}

impl IcmpSocket {
    pub(super) fn open(v6: bool) -> Result<IcmpSocket, IcmpError> {
        let (domain, protocol) = if v6 {
            (Domain::IPV6, Protocol::ICMPV6)
        } else {
            (Domain::IPV4, Protocol::ICMPV4)
        };
        let socket = Socket::new(domain, Type::RAW, Some(protocol)).map_err(error)?;
        socket.set_nonblocking(true).map_err(error)?;
        super::receive::prepare(&socket);
        let filter = if v6 { filter_v6() } else { filter_v4() };
        let filtered = socket.attach_filter(&filter).is_ok();
        Ok(IcmpSocket {
            socket: socket.into(),
            v6,
            filtered,
        })
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(super) fn filtered(&self) -> bool {
        self.filtered
    }

    /// Whether the message is of a type that polling can use.
    pub(super) fn wanted(&self, bytes: &[u8]) -> bool {
        let icmp = if self.v6 {
            Some(0)
        } else {
            bytes.first().map(|b| usize::from(b & 0x0f) * 4)
        };
        let kind = icmp.and_then(|at| bytes.get(at));
        let types: &[u8] = if self.v6 { &TYPES_V6 } else { &TYPES_V4 };
        kind.is_some_and(|k| types.contains(k))
    }
}

fn error(e: io::Error) -> IcmpError {
    match e.kind() {
        io::ErrorKind::PermissionDenied => IcmpError::NotPermitted,
        _ => IcmpError::Other(super::words(&e)),
    }
}

// Classic BPF (linux/filter.h).
const LDX_MSH: u16 = 0xb1; // X = 4 * (byte[k] & 0x0f)
const LD_BYTE: u16 = 0x30; // A = byte[k]
const LD_BYTE_X: u16 = 0x50; // A = byte[X + k]
const JEQ: u16 = 0x15; // A == k ?
const RET: u16 = 0x06;
const WHOLE: u32 = 0x4_0000;

/// IPv4: the packet begins with the IP header.
fn filter_v4() -> Vec<SockFilter> {
    let mut program = vec![SockFilter::new(LDX_MSH, 0, 0, 0), SockFilter::new(LD_BYTE_X, 0, 0, 0)];
    accept(&mut program, &TYPES_V4);
    program
}

/// IPv6: the packet begins with the ICMPv6 header.
fn filter_v6() -> Vec<SockFilter> {
    let mut program = vec![SockFilter::new(LD_BYTE, 0, 0, 0)];
    accept(&mut program, &TYPES_V6);
    program
}

/// Compares A with each type; a hit jumps to "take the whole packet", none falls through to "drop".
fn accept(program: &mut Vec<SockFilter>, types: &[u8]) {
    for (i, kind) in types.iter().enumerate() {
        // After this comparison: the other comparisons, then the drop, then the accept.
        let over = u8::try_from(types.len() - i).unwrap_or(u8::MAX);
        program.push(SockFilter::new(JEQ, over, 0, u32::from(*kind)));
    }
    program.push(SockFilter::new(RET, 0, 0, 0));
    program.push(SockFilter::new(RET, 0, 0, WHOLE));
}
