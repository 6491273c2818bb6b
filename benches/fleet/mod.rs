//! A network of SNMP agents on 127.0.0.0/8: each address is an agent, none has a socket, a thread or counters of its own.
//!
//! One UDP socket answers for all of them from the address that was asked; one RAW socket counts the echo requests that the
//! kernel answers by itself. The fleet counts what it was asked by address, and is the judge of what was missed.
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

use std::net::Ipv4Addr;

/// All agents listen here, each on its own address.
pub(crate) const PORT: u16 = 16_161;
/// What the agents take.
pub(crate) const COMMUNITY: &str = "fleet";
const FIRST: u32 = 0x7f01_0001;

/// The address of agent `i`: 127.1.0.1 and up.
pub(crate) fn address(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + i)
}

/// The agent of an address, if it is one of `targets`.
pub(crate) fn index(address: Ipv4Addr, targets: u32) -> Option<u32> {
    u32::from(address).checked_sub(FIRST).filter(|i| *i < targets)
}
