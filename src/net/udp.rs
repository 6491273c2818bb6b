//! The UDP sockets of one address family. Several, because the default receive buffer of one loses bursts (measured).

use crate::poll::UDP_SOCKETS;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// [`UDP_SOCKETS`] non-blocking sockets on ports the kernel chose.
#[derive(Debug)]
pub(super) struct UdpFleet(Vec<UdpSocket>);

impl UdpFleet {
    pub(super) fn open(v6: bool) -> io::Result<UdpFleet> {
        (0..UDP_SOCKETS)
            .map(|_| open_one(v6))
            .collect::<io::Result<_>>()
            .map(UdpFleet)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The socket of a number; numbers past the end wrap, so that no value can go out of bounds.
    pub(super) fn socket(&self, number: u8) -> &UdpSocket {
        &self.0[usize::from(number) % self.0.len()]
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = (u8, &UdpSocket)> {
        (0..UDP_SOCKETS).zip(&self.0)
    }
}

fn open_one(v6: bool) -> io::Result<UdpSocket> {
    let (domain, any): (_, SocketAddr) = if v6 {
        (Domain::IPV6, (Ipv6Addr::UNSPECIFIED, 0).into())
    } else {
        (Domain::IPV4, (Ipv4Addr::UNSPECIFIED, 0).into())
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        // IPv4 has sockets of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    super::receive::prepare(&socket);
    socket.bind(&any.into())?;
    Ok(socket.into())
}
