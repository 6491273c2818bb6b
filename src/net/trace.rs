//! A RAW socket whose packets may live only so many hops: who answers on the way to a target.
//!
//! Never here: a clock, what an answer means.

use super::icmp::{IcmpError, IcmpSocket};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Longest packet that is looked at.
const LONGEST: usize = 2_048;

/// The socket of one trace.
#[derive(Debug)]
pub struct Tracer {
    icmp: IcmpSocket,
    v6: bool,
}

impl Tracer {
    /// Opens it; it needs CAP_NET_RAW.
    pub fn open(v6: bool) -> Result<Tracer, IcmpError> {
        IcmpSocket::open(v6).map(|icmp| Tracer { icmp, v6 })
    }

    /// Sends a packet (from the ICMP header on) that dies after `hops` hops.
    pub fn send(&self, to: IpAddr, hops: u8, packet: &[u8]) -> io::Result<()> {
        let socket = self.icmp.socket();
        let options = socket2::SockRef::from(socket);
        if self.v6 {
            options.set_unicast_hops_v6(u32::from(hops))?;
        } else {
            options.set_ttl_v4(u32::from(hops))?;
        }
        socket.send_to(packet, SocketAddr::new(to, 0)).map(|_| ())
    }

    /// One packet that came, and from whom, if one did; as [`crate::wire::icmp::parse`] wants it.
    pub fn receive(&self) -> Option<(IpAddr, Vec<u8>)> {
        let mut bytes = vec![0; LONGEST];
        // "Nothing there", and errors that an earlier packet left on the socket, are the same to a trace.
        let (length, from) = self.icmp.socket().recv_from(&mut bytes).ok()?;
        bytes.truncate(length);
        Some((from.ip(), bytes))
    }
}
