//! Where agents tell the role of a redundancy member: standard MIBs first, then makes. A make is a few lines of this table.
//!
//! Facts only, each from the MIB named in its title. Known and left out, with the reason:
//! - SRX chassis cluster (jnxJsChassisCluster…): no table to poll, traps only;
//! - fgHaStatsPrimarySerial against fgHaStatsSerial: which row is the answering unit is not verified;
//! - haState of Check Point: the words of the state are not verified;
//! - vrrpOperationsState of the RFC 2787 successor draft: rarely implemented;
//! - vrrpOperMasterIpAddr: a master may name the other router there (seen with keepalived), so that roles are never taken from it;
//! - cRFStatusLastSwactReasonCode: a reason, no count; the switchover of a Cisco RF pair shows in no counter that is verified;
//! - static aggregates (ifStackTable): a member without LACP is judged by its ifOperStatus.
//!
//! Never here: what was read.

use super::RedundancyKind;
use super::redundancy::Role;
use std::net::IpAddr;

/// What the index of a state's row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowIs {
    /// No row: one object for the whole device.
    Whole,
    /// {ifIndex, VRID or group, …}: the instance is called by the second number. `family`: the third is the address family (IPv4 1, IPv6 2).
    Virtual {
        /// The third number is the address family.
        family: bool,
    },
    /// The instance is called by the value of this column (a VRID).
    Called(&'static [u32]),
    /// The instance is called by its index.
    Instance,
    /// A unit of this device, called by its index.
    Unit,
    /// The neighbour's address stands at the end of the index.
    PeerLast,
    /// The neighbour's address stands at the beginning of the index.
    PeerFirst,
    /// The neighbour's router id, one number, stands at the end of the index.
    RouterLast,
    /// A port: ifIndex.
    Port,
}

/// What the value of a state tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A number each.
    Codes(&'static [(i64, Role)]),
    /// A word each, in small letters.
    Words(&'static [(&'static str, Role)]),
    /// LACP's state octet: active if all of `mask` is set.
    Bits(u8),
}

impl RowIs {
    /// Is the row of this index about this neighbour?
    pub fn is_about(self, index: &[u32], peer: IpAddr) -> bool {
        let octets: Vec<u32> = match peer {
            IpAddr::V4(v4) => v4.octets().map(u32::from).into(),
            IpAddr::V6(v6) => v6.octets().map(u32::from).into(),
        };
        match (self, peer) {
            (RowIs::PeerFirst, _) => index.starts_with(&octets),
            (RowIs::RouterLast, IpAddr::V4(v4)) => index.last() == Some(&v4.to_bits()),
            (RowIs::PeerLast, _) => {
                // What stands before it is the address family or the length of the address; an IPv6 address that ends with
                // the octets of an IPv4 one is another neighbour.
                let before = match peer {
                    IpAddr::V4(_) => [1, 4],
                    IpAddr::V6(_) => [2, 16],
                };
                let rest = index.strip_suffix(octets.as_slice());
                rest.is_some_and(|rest| rest.last().is_none_or(|n| before.contains(n)))
            }
            _ => false,
        }
    }
}

/// One table (or object) that tells roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleSource {
    /// Of groups of this kind.
    pub kind: RedundancyKind,
    /// For people, with its MIB.
    pub title: &'static str,
    /// The column; with [`RowIs::Whole`] the instance.
    pub state: &'static [u32],
    /// What a row is.
    pub row: RowIs,
    /// What the value means; one that is not listed tells nothing.
    pub meaning: Meaning,
    /// Counts how often the member became active (of BGP: established), by the same index.
    pub transitions: Option<&'static [u32]>,
    /// A pair of objects that tell two units: this one is the second.
    pub second: Option<&'static [u32]>,
    /// An instance that is there while the protocol runs, of a table that drops the row of a neighbour that is gone: then a neighbour
    /// without a row is known to be gone.
    pub alive: Option<&'static [u32]>,
}

use Role::{Active, Failed, Standby};

const VRRP: Meaning = Meaning::Codes(&[(1, Failed), (2, Standby), (3, Active)]);
const BGP: Meaning = Meaning::Codes(&[
    (1, Failed),
    (2, Failed),
    (3, Failed),
    (4, Failed),
    (5, Failed),
    (6, Active),
]);
/// full; twoWay is what two routers on a broadcast segment stay in that are not its designated ones: nothing can be sent to each
/// other without a designated one that is full, so it is healthy.
const OSPF: Meaning = Meaning::Codes(&[
    (1, Failed),
    (2, Failed),
    (3, Failed),
    (4, Active),
    (5, Failed),
    (6, Failed),
    (7, Failed),
    (8, Active),
]);
const CISCO_RF: Meaning = Meaning::Codes(&[
    (1, Failed),
    (2, Failed),
    (3, Failed),
    (4, Failed),
    (5, Failed),
    (6, Failed),
    (7, Failed),
    (8, Failed),
    (9, Standby),
    (14, Active),
    (15, Active),
    (16, Active),
]);

const fn source(
    kind: RedundancyKind,
    title: &'static str,
    state: &'static [u32],
    row: RowIs,
    meaning: Meaning,
) -> RoleSource {
    RoleSource {
        kind,
        title,
        state,
        row,
        meaning,
        transitions: None,
        second: None,
        alive: None,
    }
}

/// Every table, the better of several of one kind first: a member that answers several is read by the first.
pub const ROLE_SOURCES: &[RoleSource] = &[
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 1]),
        ..source(
            RedundancyKind::Vrrp,
            "VRRPV3-MIB (RFC 6527)",
            &[1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 6],
            RowIs::Virtual { family: true },
            VRRP,
        )
    },
    source(
        RedundancyKind::Vrrp,
        "KEEPALIVED-MIB",
        &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 4],
        RowIs::Called(&[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 3]),
        Meaning::Codes(&[
            (0, Failed),
            (1, Standby),
            (2, Active),
            (3, Failed),
            (5, Failed),
            (6, Failed),
        ]),
    ),
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 2, 1, 68, 2, 4, 1, 1]),
        ..source(
            RedundancyKind::Vrrp,
            "VRRP-MIB (RFC 2787)",
            &[1, 3, 6, 1, 2, 1, 68, 1, 3, 1, 3],
            RowIs::Virtual { family: false },
            VRRP,
        )
    },
    source(
        RedundancyKind::Hsrp,
        "CISCO-HSRP-MIB",
        &[1, 3, 6, 1, 4, 1, 9, 9, 106, 1, 2, 1, 1, 15],
        RowIs::Virtual { family: false },
        Meaning::Codes(&[
            (1, Failed),
            (2, Failed),
            (3, Standby),
            (4, Standby),
            (5, Standby),
            (6, Active),
        ]),
    ),
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 4, 1, 9, 9, 187, 1, 2, 5, 1, 18]),
        ..source(
            RedundancyKind::Bgp,
            "CISCO-BGP4-MIB (cbgpPeer2)",
            &[1, 3, 6, 1, 4, 1, 9, 9, 187, 1, 2, 5, 1, 3],
            RowIs::PeerLast,
            BGP,
        )
    },
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 4, 1, 2636, 5, 1, 1, 2, 6, 1, 1, 5]),
        ..source(
            RedundancyKind::Bgp,
            "BGP4-V2-MIB-JUNIPER",
            &[1, 3, 6, 1, 4, 1, 2636, 5, 1, 1, 2, 1, 1, 1, 2],
            RowIs::PeerLast,
            BGP,
        )
    },
    source(
        RedundancyKind::Bgp,
        "ARISTA-BGP4V2-MIB",
        &[1, 3, 6, 1, 4, 1, 30065, 4, 1, 1, 2, 1, 13],
        RowIs::PeerLast,
        BGP,
    ),
    source(
        RedundancyKind::Bgp,
        "TIMETRA-BGP-MIB",
        &[1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 14, 4, 7, 1, 59],
        RowIs::PeerLast,
        BGP,
    ),
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 15]),
        ..source(
            RedundancyKind::Bgp,
            "BGP4-MIB (RFC 4273)",
            &[1, 3, 6, 1, 2, 1, 15, 3, 1, 2],
            RowIs::PeerLast,
            BGP,
        )
    },
    // ospfRouterId and ospfv3RouterId tell that it runs.
    RoleSource {
        alive: Some(&[1, 3, 6, 1, 2, 1, 14, 1, 1, 0]),
        ..source(
            RedundancyKind::Ospf,
            "OSPF-MIB (RFC 4750)",
            &[1, 3, 6, 1, 2, 1, 14, 10, 1, 6],
            RowIs::PeerFirst,
            OSPF,
        )
    },
    RoleSource {
        alive: Some(&[1, 3, 6, 1, 2, 1, 191, 1, 1, 1, 0]),
        ..source(
            RedundancyKind::Ospf,
            "OSPFV3-MIB (RFC 5643)",
            &[1, 3, 6, 1, 2, 1, 191, 1, 9, 1, 8],
            RowIs::RouterLast,
            OSPF,
        )
    },
    // synchronization, collecting and distributing.
    source(
        RedundancyKind::Lag,
        "IEEE8023-LAG-MIB (dot3adAggPortActorOperState)",
        &[1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 21],
        RowIs::Port,
        Meaning::Bits(0x1c),
    ),
    source(
        RedundancyKind::Ha,
        "FORTINET-FORTIGATE-MIB (fgVdEntHaState)",
        &[1, 3, 6, 1, 4, 1, 12356, 101, 3, 2, 1, 1, 4],
        RowIs::Instance,
        Meaning::Codes(&[(1, Active), (2, Standby), (3, Failed)]),
    ),
    // The words of active/passive and active/active pairs.
    source(
        RedundancyKind::Ha,
        "PAN-COMMON-MIB (panSysHAState)",
        &[1, 3, 6, 1, 4, 1, 25461, 2, 1, 2, 1, 11, 0],
        RowIs::Whole,
        Meaning::Words(&[
            ("active", Active),
            ("active-primary", Active),
            ("active-secondary", Standby),
            ("passive", Standby),
            ("suspended", Failed),
            ("non-functional", Failed),
            ("disabled", Failed),
        ]),
    ),
    source(
        RedundancyKind::Ha,
        "F5-BIGIP-SYSTEM-MIB (sysCmFailoverStatusId)",
        &[1, 3, 6, 1, 4, 1, 3375, 2, 1, 14, 3, 1, 0],
        RowIs::Whole,
        Meaning::Codes(&[(1, Failed), (2, Failed), (3, Standby), (4, Active)]),
    ),
    source(
        RedundancyKind::Ha,
        "A10-AX-MIB (axHAGroupLocalStatus)",
        &[1, 3, 6, 1, 4, 1, 22610, 2, 4, 3, 17, 2, 2, 1, 2],
        RowIs::Instance,
        Meaning::Codes(&[(0, Standby), (1, Active)]),
    ),
    source(
        RedundancyKind::Ha,
        "CISCO-UNIFIED-FIREWALL-MIB (cufwFOGrpHAstate)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 491, 1, 4, 2, 1, 1, 3],
        RowIs::Instance,
        Meaning::Codes(&[(9, Active), (10, Standby)]),
    ),
    source(
        RedundancyKind::Ha,
        "CISCO-FIREWALL-MIB (cfwHardwareStatusValue: 6 the primary unit, 7 the secondary)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 147, 1, 2, 1, 1, 1, 3],
        RowIs::Unit,
        Meaning::Codes(&[(3, Failed), (4, Failed), (5, Failed), (9, Active), (10, Standby)]),
    ),
    RoleSource {
        second: Some(&[1, 3, 6, 1, 4, 1, 9, 9, 176, 1, 1, 4, 0]),
        ..source(
            RedundancyKind::Ha,
            "CISCO-RF-MIB (cRFStatusUnitState, cRFStatusPeerUnitState)",
            &[1, 3, 6, 1, 4, 1, 9, 9, 176, 1, 1, 2, 0],
            RowIs::Whole,
            CISCO_RF,
        )
    },
    source(
        RedundancyKind::Ha,
        "CISCO-STACKWISE-MIB (cswSwitchRole)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 500, 1, 2, 1, 1, 3],
        RowIs::Unit,
        Meaning::Codes(&[(1, Active), (2, Standby), (3, Failed), (4, Standby)]),
    ),
    source(
        RedundancyKind::Ha,
        "CISCO-VIRTUAL-SWITCH-MIB (cvsChassisRole)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 388, 1, 2, 2, 1, 2],
        RowIs::Unit,
        Meaning::Codes(&[(1, Failed), (2, Active), (3, Standby)]),
    ),
    source(
        RedundancyKind::Ha,
        "CISCO-VPC-MIB (cVpcRoleStatus)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 807, 1, 2, 1, 1, 2],
        RowIs::Instance,
        Meaning::Codes(&[(1, Standby), (2, Active), (3, Active), (4, Standby), (5, Failed)]),
    ),
    RoleSource {
        transitions: None,
        ..source(
            RedundancyKind::Ha,
            "JUNIPER-MIB (jnxRedundancyState)",
            &[1, 3, 6, 1, 4, 1, 2636, 3, 1, 14, 1, 7],
            RowIs::Unit,
            Meaning::Codes(&[(2, Active), (3, Standby), (4, Failed)]),
        )
    },
    source(
        RedundancyKind::Ha,
        "JUNIPER-VIRTUALCHASSIS-MIB (jnxVirtualChassisMemberRole)",
        &[1, 3, 6, 1, 4, 1, 2636, 3, 40, 1, 4, 1, 1, 1, 3],
        RowIs::Unit,
        Meaning::Codes(&[(1, Active), (2, Standby), (3, Standby)]),
    ),
    source(
        RedundancyKind::Ha,
        "HUAWEI-STACK-MIB (hwMemberStackRole)",
        &[1, 3, 6, 1, 4, 1, 2011, 5, 25, 183, 1, 20, 1, 3],
        RowIs::Unit,
        Meaning::Codes(&[(1, Active), (2, Standby), (3, Standby)]),
    ),
    source(
        RedundancyKind::Ha,
        "HH3C-STACK-MIB (hh3cStackBoardRole)",
        &[1, 3, 6, 1, 4, 1, 25506, 2, 91, 3, 1, 1],
        RowIs::Unit,
        Meaning::Codes(&[(1, Standby), (2, Active), (3, Failed)]),
    ),
    source(
        RedundancyKind::Ha,
        "EXTREME-STACKING-MIB (extremeStackMemberRole)",
        &[1, 3, 6, 1, 4, 1, 1916, 1, 33, 2, 1, 4],
        RowIs::Unit,
        Meaning::Codes(&[(1, Active), (2, Standby), (3, Standby)]),
    ),
    source(
        RedundancyKind::Ha,
        "FOUNDRY-SN-STACKING-MIB (snStackingOperUnitRole)",
        &[1, 3, 6, 1, 4, 1, 1991, 1, 1, 3, 31, 2, 2, 1, 2],
        RowIs::Unit,
        Meaning::Codes(&[(2, Active), (3, Standby), (4, Standby), (5, Failed)]),
    ),
    source(
        RedundancyKind::Ha,
        "AT-VCSTACK-MIB (vcstackRole)",
        &[1, 3, 6, 1, 4, 1, 207, 8, 4, 4, 3, 13, 5, 1, 5],
        RowIs::Unit,
        Meaning::Codes(&[
            (1, Failed),
            (2, Failed),
            (3, Failed),
            (4, Standby),
            (5, Failed),
            (6, Failed),
            (7, Active),
            (8, Active),
        ]),
    ),
];

/// Columns of the default route's rows (IP-FORWARD-MIB, RFC 4292; RFC1213-MIB), each with what its index begins with. The next hop
/// stands at the end of the index; of the last one it is the value.
pub const DEFAULT_ROUTES: &[(&str, &[u32])] = &[
    (
        "IP-FORWARD-MIB (inetCidrRouteIfIndex), IPv4",
        &[1, 3, 6, 1, 2, 1, 4, 24, 7, 1, 7, 1, 4, 0, 0, 0, 0, 0],
    ),
    (
        "IP-FORWARD-MIB (inetCidrRouteIfIndex), IPv6",
        &[
            1, 3, 6, 1, 2, 1, 4, 24, 7, 1, 7, 2, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    ),
    (
        "IP-FORWARD-MIB (ipCidrRouteIfIndex)",
        &[1, 3, 6, 1, 2, 1, 4, 24, 4, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
    (
        "RFC1213-MIB (ipRouteNextHop)",
        &[1, 3, 6, 1, 2, 1, 4, 21, 1, 7, 0, 0, 0, 0],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_known_by_its_place_in_the_index() {
        let v4: IpAddr = "198.51.100.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::c633:6401".parse().unwrap();
        let IpAddr::V6(octets) = v6 else {
            unreachable!("written above as IPv6")
        };
        let mut cisco6 = vec![2, 16];
        cisco6.extend(octets.octets().map(u32::from));
        assert!(RowIs::PeerLast.is_about(&[198, 51, 100, 1], v4));
        assert!(RowIs::PeerLast.is_about(&[1, 4, 198, 51, 100, 1], v4));
        // Juniper: routing instance, local type and address, remote type and address, without lengths.
        assert!(RowIs::PeerLast.is_about(&[0, 1, 192, 0, 2, 11, 1, 198, 51, 100, 1], v4));
        assert!(RowIs::PeerLast.is_about(&cisco6, v6) && !RowIs::PeerLast.is_about(&cisco6, v4));
        assert!(RowIs::PeerFirst.is_about(&[198, 51, 100, 1, 0], v4));
        assert!(RowIs::RouterLast.is_about(&[7, 0, 0xc633_6401], v4) && !RowIs::RouterLast.is_about(&[7, 0, 1], v4));
    }

    #[test]
    fn no_object_stands_twice_and_no_value_has_two_meanings() {
        let mut seen = std::collections::BTreeSet::new();
        for source in ROLE_SOURCES {
            for oid in [Some(source.state), source.transitions, source.second, source.alive]
                .into_iter()
                .flatten()
            {
                assert!(seen.insert(oid), "{} reads an object of another", source.title);
            }
            if let Meaning::Codes(codes) = source.meaning {
                assert!(
                    codes.windows(2).all(|w| w[0].0 < w[1].0),
                    "{}: sorted codes",
                    source.title
                );
                assert!(codes.iter().any(|(_, r)| *r == Active), "{}", source.title);
            }
        }
    }
}
