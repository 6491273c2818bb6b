//! Which literal addresses can be those of one host, and the zone that a link-local one needs.
//!
//! Addresses that parse and cannot work are refused wherever an address is written: a device that nobody can ever reach would be
//! called down, and a route over such a relay would never carry a mail.

use super::Name;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The link on which a link-local IPv6 address is one (RFC 4007 section 6): `%eth0`, `%2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone {
    /// As it is written.
    pub name: Name,
    /// The index of the network device on this host (`ip link`), at the time when the configuration was read.
    pub index: u32,
}

/// A literal address of one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAddress {
    /// The address.
    pub ip: IpAddr,
    /// Given if and only if the address is a link-local IPv6 one.
    pub zone: Option<Zone>,
}

impl HostAddress {
    /// With a port, and with the zone as the system takes it.
    pub fn with_port(&self, port: u16) -> SocketAddr {
        socket(self.ip, self.zone.as_ref(), port)
    }
}

impl From<IpAddr> for HostAddress {
    fn from(ip: IpAddr) -> HostAddress {
        HostAddress { ip, zone: None }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "{}%{}", self.ip, zone.name),
            None => write!(f, "{}", self.ip),
        }
    }
}

/// An address, a zone and a port as the system takes them.
pub fn socket(ip: IpAddr, zone: Option<&Zone>, port: u16) -> SocketAddr {
    match (ip, zone) {
        (IpAddr::V6(v6), Some(zone)) => SocketAddr::V6(SocketAddrV6::new(v6, port, 0, zone.index)),
        _ => SocketAddr::new(ip, port),
    }
}

/// Is it an address of one link only (`fe80::/10`), which means nothing without its zone?
pub fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}

/// What an address is that cannot be the address of one host; `None` if it can.
///
/// RFC 6890 and the IANA registries of special-purpose addresses; RFC 1112 for class E.
pub fn not_a_host(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) => not_a_host_v4(v4),
        IpAddr::V6(v6) => not_a_host_v6(v6),
    }
}

fn not_a_host_v4(v4: Ipv4Addr) -> Option<&'static str> {
    match v4.octets() {
        [255, 255, 255, 255] => Some("the broadcast address, which is everybody on a link"),
        [0, ..] => Some("of 0.0.0.0/8, \"this network\", to which nothing can be sent"),
        [224..=239, ..] => Some("a multicast address, which is a group of hosts"),
        [240..=255, ..] => Some("of 240.0.0.0/4 (class E), which is reserved: no host has one"),
        _ => None,
    }
}

fn not_a_host_v6(v6: Ipv6Addr) -> Option<&'static str> {
    if v6.is_unspecified() {
        return Some("the unspecified address, to which nothing can be sent");
    }
    if v6.is_multicast() {
        return Some("a multicast address, which is a group of hosts");
    }
    // ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).
    if v6.to_ipv4_mapped().is_some() {
        return Some("an IPv4 address written as IPv6 (\"IPv4-mapped\"), which does not stand on any wire");
    }
    // ::/96 but ::1 (RFC 4291 section 2.5.5.1, deprecated).
    if v6.segments()[..6] == [0; 6] && v6 != Ipv6Addr::LOCALHOST {
        return Some("an \"IPv4-compatible\" IPv6 address, which RFC 4291 has withdrawn");
    }
    if v6.segments()[0] & 0xffc0 == 0xfec0 {
        return Some("of fec0::/10 (\"site-local\"), which RFC 3879 has withdrawn");
    }
    // 100::/64 (RFC 6666).
    if v6.segments()[..4] == [0x100, 0, 0, 0] {
        return Some("of 100::/64, where everything is discarded");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_host_can_have_is_named() {
        let of = |text: &str| not_a_host(text.parse().unwrap());
        for good in [
            "192.0.2.1",
            "10.0.0.0",
            "127.0.0.1",
            "169.254.1.1",
            "223.255.255.255",
            "100.64.0.1",
            "::1",
            "2001:db8::1",
            "fe80::1",
            "fd00::1",
            "64:ff9b::c000:201",
        ] {
            assert_eq!(of(good), None, "{good}");
        }
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.254",
            "255.255.255.255",
            "::",
            "ff02::1",
            "::ffff:192.0.2.1",
            "::192.0.2.1",
            "fec0::1",
            "100::1",
        ] {
            assert!(of(bad).is_some(), "{bad}");
        }
        assert!(of("255.255.255.255").unwrap().contains("broadcast"));
        let link_local = |text: &str| is_link_local_v6(text.parse().unwrap());
        assert!(link_local("fe80::1") && link_local("febf::1") && !link_local("fec0::1") && !link_local("169.254.1.1"));
    }

    #[test]
    fn a_zone_is_kept_on_the_way_to_the_system_and_to_people() {
        let zone = Zone {
            name: "eth0".into(),
            index: 2,
        };
        let address = HostAddress {
            ip: "fe80::1".parse().unwrap(),
            zone: Some(zone),
        };
        assert_eq!(address.to_string(), "fe80::1%eth0");
        assert!(matches!(address.with_port(161), SocketAddr::V6(to) if to.scope_id() == 2 && to.port() == 161));
    }
}
