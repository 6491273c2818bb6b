//! A network of SNMP agents on 127.0.0.0/8, and on fd00:6869:6e6f::/64 where IPv6 is wanted: each address is an agent, none has a socket, a thread or counters of its own.
//!
//! One UDP socket a family answers for all of them from the address that was asked; one RAW socket a family counts the echo
//! requests that the kernel answers by itself. The fleet counts what it was asked by address, and is the judge of what was missed.
//!
//! Its codec is its own, so that a flaw of ours does not judge itself. Never here: anything of hinomi.

pub(crate) mod agent;
pub(crate) mod ber;
pub(crate) mod count;
pub(crate) mod judge;
pub(crate) mod mib;
pub(crate) mod nature;
pub(crate) mod options;
pub(crate) mod process;
pub(crate) mod silence;

use std::net::{Ipv4Addr, Ipv6Addr};

/// All agents listen here, each on its own address.
pub(crate) const PORT: u16 = 16_161;
/// What the agents take.
pub(crate) const COMMUNITY: &str = "fleet";
const FIRST: u32 = 0x7f01_0001;

/// The address of agent `i`: 127.1.0.1 and up.
pub(crate) fn address(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + i)
}

/// The network of the agents that speak IPv6; a local route on the loopback device makes all of its addresses this host's.
pub(crate) const V6_NETWORK: &str = "fd00:6869:6e6f::/64";
const V6_FIRST: u128 = 0xfd00_6869_6e6f_0000_0000_0000_0001_0000;

/// The IPv6 address of agent `i`: fd00:6869:6e6f::1:0 and up.
pub(crate) fn address_v6(i: u32) -> Ipv6Addr {
    Ipv6Addr::from(V6_FIRST + u128::from(i))
}

/// The number of an agent by its IPv4 address.
fn number_v4(address: Ipv4Addr) -> Option<u32> {
    u32::from(address).checked_sub(FIRST)
}

/// The number of an agent by its IPv6 address.
fn number_v6(address: Ipv6Addr) -> Option<u32> {
    let number = u128::from(address).checked_sub(V6_FIRST)?;
    u32::try_from(number).ok()
}
