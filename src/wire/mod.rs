//! Bytes to values and back: ICMP and SNMP messages, DNS, NTP, certificates and the output of plugins as they stand on the wire.
//!
//! Never here: a socket, a clock, a decision; an import of any other module of ours but `text`. Nothing that comes from the network may
//! panic, allocate without bound or recurse without bound.

pub mod certificate;
pub mod dns;
pub mod icmp;
pub mod ntp;
pub mod perfdata;
pub mod snmp;
