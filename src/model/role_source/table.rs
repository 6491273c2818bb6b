//! The table itself: standard MIBs first, then makes. A make is a few lines of this table.
//!
//! Facts only, each from the MIB named in its title. Known and left out, with the reason:
//! - SRX chassis cluster (jnxJsChassisCluster…): no table to poll, traps only;
//! - haState of Check Point: the words of the state are not verified;
//! - vrrpOperationsState of the RFC 2787 successor draft: rarely implemented;
//! - vrrpOperMasterIpAddr: a master may name the other router there (seen with keepalived), so that roles are never taken from it;
//! - cRFStatusLastSwactReasonCode: a reason, no count; the switchover of a Cisco RF pair shows in no counter that is verified;
//! - fgHaStatsSyncStatus: a unit whose configuration is not in step can take over all the same;
//! - static aggregates (ifStackTable): a member without LACP is judged by its ifOperStatus.
//!
//! Never here: what was read.

use super::{Addresses, Code, IndexPart, Meaning, Pairing, RoleSource, RowIs, UnitIs, Whose};
use crate::model::RedundancyKind;
use crate::model::redundancy::Role::{Active, Alone, Failed, Standby};

const VRRP: Meaning = Meaning::Codes(&[
    (1, "initialize", Some(Failed)),
    (2, "backup", Some(Standby)),
    (3, "master", Some(Active)),
]);
const BGP: Meaning = Meaning::Codes(&[
    (1, "idle", Some(Failed)),
    (2, "connect", Some(Failed)),
    (3, "active", Some(Failed)),
    (4, "opensent", Some(Failed)),
    (5, "openconfirm", Some(Failed)),
    (6, "established", Some(Active)),
]);
/// full; twoWay is what two routers on a broadcast segment stay in that are not its designated ones: nothing can be sent to each
/// other without a designated one that is full, so it is healthy.
const OSPF: Meaning = Meaning::Codes(&[
    (1, "down", Some(Failed)),
    (2, "attempt", Some(Failed)),
    (3, "init", Some(Failed)),
    (4, "twoWay", Some(Active)),
    (5, "exchangeStart", Some(Failed)),
    (6, "exchange", Some(Failed)),
    (7, "loading", Some(Failed)),
    (8, "full", Some(Active)),
]);
const CISCO_RF: Meaning = Meaning::Codes(&[
    (1, "notKnown", Some(Failed)),
    (2, "disabled", Some(Failed)),
    (3, "initialization", Some(Failed)),
    (4, "negotiation", Some(Failed)),
    (5, "standbyCold", Some(Failed)),
    (6, "standbyColdConfig", Some(Failed)),
    (7, "standbyColdFileSys", Some(Failed)),
    (8, "standbyColdBulk", Some(Failed)),
    (9, "standbyHot", Some(Standby)),
    (10, "activeFast", None),
    (11, "activeDrain", None),
    (12, "activePreconfig", None),
    (13, "activePostconfig", None),
    (14, "active", Some(Active)),
    (15, "activeExtraload", Some(Active)),
    (16, "activeHandback", Some(Active)),
]);

const IF_NAME_BY_INDEX: Option<&[u32]> = None;

const fn source(
    kind: RedundancyKind,
    title: &'static str,
    state: &'static [u32],
    row: RowIs,
    meaning: Meaning,
) -> RoleSource {
    let (whose, pairing) = match row {
        RowIs::Unit(_) => (Whose::Units, Pairing::Named),
        RowIs::Neighbour(_) => (Whose::Session, Pairing::Named),
        RowIs::Port => (Whose::Port, Pairing::Named),
        RowIs::Whole => (Whose::Device, Pairing::Named),
        RowIs::Virtual { .. } | RowIs::Called(_) | RowIs::Instance => (Whose::Device, Pairing::Number),
    };
    RoleSource {
        kind,
        title,
        state,
        row,
        whose,
        pairing,
        meaning,
        transitions: None,
        second: None,
        own_row: None,
        alive: None,
    }
}

const fn ha(title: &'static str, state: &'static [u32], row: RowIs, codes: &'static [Code]) -> RoleSource {
    source(RedundancyKind::Ha, title, state, row, Meaning::Codes(codes))
}

const UNIT: RowIs = RowIs::Unit(UnitIs::Index);

/// Every table, the better of several of one kind first: a member that answers several is read by the first. Of those that tell units the
/// one that tells most of them is read.
pub const ROLE_SOURCES: &[RoleSource] = &[
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 1]),
        pairing: Pairing::Virtual {
            // vrrpv3AssociatedIpAddrRowStatus.
            addresses: Addresses::Indices(&[1, 3, 6, 1, 2, 1, 207, 1, 1, 2, 1, 2], IndexPart::Inet),
            interface: IF_NAME_BY_INDEX,
        },
        ..source(
            RedundancyKind::Vrrp,
            "VRRPV3-MIB (RFC 6527)",
            &[1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 6],
            RowIs::Virtual { family: true },
            VRRP,
        )
    },
    RoleSource {
        pairing: Pairing::Virtual {
            // vrrpAddressValue and vrrpInstancePrimaryInterface.
            addresses: Addresses::Values(&[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 6, 1, 3]),
            interface: Some(&[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 10]),
        },
        ..source(
            RedundancyKind::Vrrp,
            "KEEPALIVED-MIB",
            &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 4],
            RowIs::Called(&[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 3]),
            Meaning::Codes(&[
                (0, "init", Some(Failed)),
                (1, "backup", Some(Standby)),
                (2, "master", Some(Active)),
                (3, "fault", Some(Failed)),
                (5, "stop", Some(Failed)),
                (6, "deleted", Some(Failed)),
            ]),
        )
    },
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 2, 1, 68, 2, 4, 1, 1]),
        pairing: Pairing::Virtual {
            // vrrpAssoIpAddrRowStatus.
            addresses: Addresses::Indices(&[1, 3, 6, 1, 2, 1, 68, 1, 4, 1, 2], IndexPart::Ipv4),
            interface: IF_NAME_BY_INDEX,
        },
        ..source(
            RedundancyKind::Vrrp,
            "VRRP-MIB (RFC 2787)",
            &[1, 3, 6, 1, 2, 1, 68, 1, 3, 1, 3],
            RowIs::Virtual { family: false },
            VRRP,
        )
    },
    RoleSource {
        pairing: Pairing::Virtual {
            // cHsrpGrpVirtualIpAddr.
            addresses: Addresses::Column(&[1, 3, 6, 1, 4, 1, 9, 9, 106, 1, 2, 1, 1, 11]),
            interface: IF_NAME_BY_INDEX,
        },
        ..source(
            RedundancyKind::Hsrp,
            "CISCO-HSRP-MIB",
            &[1, 3, 6, 1, 4, 1, 9, 9, 106, 1, 2, 1, 1, 15],
            RowIs::Virtual { family: false },
            Meaning::Codes(&[
                (1, "initial", Some(Failed)),
                (2, "learn", Some(Failed)),
                (3, "listen", Some(Standby)),
                (4, "speak", Some(Standby)),
                (5, "standby", Some(Standby)),
                (6, "active", Some(Active)),
            ]),
        )
    },
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 4, 1, 9, 9, 187, 1, 2, 5, 1, 18]),
        ..source(
            RedundancyKind::Bgp,
            "CISCO-BGP4-MIB (cbgpPeer2)",
            &[1, 3, 6, 1, 4, 1, 9, 9, 187, 1, 2, 5, 1, 3],
            RowIs::Neighbour(&[IndexPart::Inet]),
            BGP,
        )
    },
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 4, 1, 2636, 5, 1, 1, 2, 6, 1, 1, 5]),
        ..source(
            RedundancyKind::Bgp,
            "BGP4-V2-MIB-JUNIPER",
            &[1, 3, 6, 1, 4, 1, 2636, 5, 1, 1, 2, 1, 1, 1, 2],
            RowIs::Neighbour(&[IndexPart::Number, IndexPart::Inet, IndexPart::Inet]),
            BGP,
        )
    },
    source(
        RedundancyKind::Bgp,
        "ARISTA-BGP4V2-MIB",
        &[1, 3, 6, 1, 4, 1, 30065, 4, 1, 1, 2, 1, 13],
        RowIs::Neighbour(&[IndexPart::Number, IndexPart::Inet]),
        BGP,
    ),
    source(
        RedundancyKind::Bgp,
        "TIMETRA-BGP-MIB",
        &[1, 3, 6, 1, 4, 1, 6527, 3, 1, 2, 14, 4, 7, 1, 59],
        RowIs::Neighbour(&[IndexPart::Number, IndexPart::Inet]),
        BGP,
    ),
    RoleSource {
        transitions: Some(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 15]),
        ..source(
            RedundancyKind::Bgp,
            "BGP4-MIB (RFC 4273)",
            &[1, 3, 6, 1, 2, 1, 15, 3, 1, 2],
            RowIs::Neighbour(&[IndexPart::Ipv4]),
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
            RowIs::Neighbour(&[IndexPart::Ipv4, IndexPart::Number]),
            OSPF,
        )
    },
    RoleSource {
        alive: Some(&[1, 3, 6, 1, 2, 1, 191, 1, 1, 1, 0]),
        ..source(
            RedundancyKind::Ospf,
            "OSPFV3-MIB (RFC 5643)",
            &[1, 3, 6, 1, 2, 1, 191, 1, 9, 1, 8],
            RowIs::Neighbour(&[IndexPart::Number, IndexPart::Number, IndexPart::RouterId]),
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
    // fgHaStatsPrimarySerial (older editions: fgHaStatsMasterSerial), each unit called by its fgHaStatsSerial.
    source(
        RedundancyKind::Ha,
        "FORTINET-FORTIGATE-MIB (fgHaStatsTable)",
        &[1, 3, 6, 1, 4, 1, 12356, 101, 13, 2, 1, 1, 16],
        RowIs::Unit(UnitIs::Value(&[1, 3, 6, 1, 4, 1, 12356, 101, 13, 2, 1, 1, 2])),
        Meaning::Serial,
    ),
    ha(
        "FORTINET-FORTIGATE-MIB (fgVdEntHaState)",
        &[1, 3, 6, 1, 4, 1, 12356, 101, 3, 2, 1, 1, 4],
        RowIs::Instance,
        &[
            (1, "primary", Some(Active)),
            (2, "secondary", Some(Standby)),
            (3, "standalone", Some(Alone)),
        ],
    ),
    // panSysHAState and panSysHAPeerState: the words of active/passive and active/active pairs.
    RoleSource {
        whose: Whose::Partners,
        second: Some(&[1, 3, 6, 1, 4, 1, 25461, 2, 1, 2, 1, 12, 0]),
        ..source(
            RedundancyKind::Ha,
            "PAN-COMMON-MIB (panSysHAState, panSysHAPeerState)",
            &[1, 3, 6, 1, 4, 1, 25461, 2, 1, 2, 1, 11, 0],
            RowIs::Whole,
            Meaning::Words(&[
                ("active", Active),
                ("active-primary", Active),
                ("active-secondary", Standby),
                ("passive", Standby),
                ("suspended", Failed),
                ("non-functional", Failed),
                ("disabled", Alone),
            ]),
        )
    },
    ha(
        "F5-BIGIP-SYSTEM-MIB (sysCmFailoverStatusId)",
        &[1, 3, 6, 1, 4, 1, 3375, 2, 1, 14, 3, 1, 0],
        RowIs::Whole,
        &[
            (0, "unknown", None),
            (1, "offline", Some(Failed)),
            (2, "forcedOffline", Some(Failed)),
            (3, "standby", Some(Standby)),
            (4, "active", Some(Active)),
        ],
    ),
    ha(
        "A10-AX-MIB (axHAGroupLocalStatus)",
        &[1, 3, 6, 1, 4, 1, 22610, 2, 4, 3, 17, 2, 2, 1, 2],
        RowIs::Instance,
        &[(0, "standby", Some(Standby)), (1, "active", Some(Active))],
    ),
    ha(
        "CISCO-UNIFIED-FIREWALL-MIB (cufwFOGrpHAstate)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 491, 1, 4, 2, 1, 1, 3],
        RowIs::Instance,
        &[(9, "active", Some(Active)), (10, "standby", Some(Standby))],
    ),
    // The other rows of the table are the failover interface and parts of the hardware. cfwHardwareInformation says which unit answers.
    RoleSource {
        whose: Whose::Partners,
        own_row: Some((&[1, 3, 6, 1, 4, 1, 9, 9, 147, 1, 2, 1, 1, 1, 2], "(this device)")),
        ..ha(
            "CISCO-FIREWALL-MIB (cfwHardwareStatusValue)",
            &[1, 3, 6, 1, 4, 1, 9, 9, 147, 1, 2, 1, 1, 1, 3],
            RowIs::Unit(UnitIs::Rows(&[(6, "primary unit"), (7, "secondary unit")])),
            &[
                (1, "other", None),
                (2, "up", None),
                (3, "down", Some(Failed)),
                (4, "error", Some(Failed)),
                (5, "overTemp", Some(Failed)),
                (6, "busy", None),
                (7, "noMedia", Some(Failed)),
                (8, "backup", None),
                (9, "active", Some(Active)),
                (10, "standby", Some(Standby)),
            ],
        )
    },
    ha(
        "CISCO-VPC-MIB (cVpcRoleStatus)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 807, 1, 2, 1, 1, 2],
        RowIs::Instance,
        &[
            (1, "primarySecondary", Some(Standby)),
            (2, "primary", Some(Active)),
            (3, "secondaryPrimary", Some(Active)),
            (4, "secondary", Some(Standby)),
            (5, "noneEstablished", Some(Alone)),
        ],
    ),
    ha(
        "CISCO-STACKWISE-MIB (cswSwitchRole)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 500, 1, 2, 1, 1, 3],
        UNIT,
        &[
            (1, "master", Some(Active)),
            (2, "member", Some(Standby)),
            (3, "notMember", Some(Alone)),
            (4, "standby", Some(Standby)),
        ],
    ),
    ha(
        "CISCO-VIRTUAL-SWITCH-MIB (cvsChassisRole)",
        &[1, 3, 6, 1, 4, 1, 9, 9, 388, 1, 2, 2, 1, 2],
        UNIT,
        &[
            (1, "standalone", Some(Alone)),
            (2, "active", Some(Active)),
            (3, "standby", Some(Standby)),
        ],
    ),
    // Two supervisors of one chassis, or the two of a stack that hold its control plane: never the roles of two devices.
    RoleSource {
        whose: Whose::Units,
        second: Some(&[1, 3, 6, 1, 4, 1, 9, 9, 176, 1, 1, 4, 0]),
        ..source(
            RedundancyKind::Ha,
            "CISCO-RF-MIB (cRFStatusUnitState, cRFStatusPeerUnitState)",
            &[1, 3, 6, 1, 4, 1, 9, 9, 176, 1, 1, 2, 0],
            RowIs::Whole,
            CISCO_RF,
        )
    },
    ha(
        "JUNIPER-VIRTUALCHASSIS-MIB (jnxVirtualChassisMemberRole)",
        &[1, 3, 6, 1, 4, 1, 2636, 3, 40, 1, 4, 1, 1, 1, 3],
        UNIT,
        &[
            (1, "master", Some(Active)),
            (2, "backup", Some(Standby)),
            (3, "linecard", Some(Standby)),
        ],
    ),
    // The first number of the index is the kind of part: routing engines and control boards are rows of one table.
    ha(
        "JUNIPER-MIB (jnxRedundancyState)",
        &[1, 3, 6, 1, 4, 1, 2636, 3, 1, 14, 1, 7],
        RowIs::Unit(UnitIs::Kind),
        &[
            (1, "unknown", None),
            (2, "master", Some(Active)),
            (3, "backup", Some(Standby)),
            (4, "disabled", Some(Failed)),
        ],
    ),
    ha(
        "HUAWEI-STACK-MIB (hwMemberStackRole)",
        &[1, 3, 6, 1, 4, 1, 2011, 5, 25, 183, 1, 20, 1, 3],
        UNIT,
        &[
            (1, "master", Some(Active)),
            (2, "standby", Some(Standby)),
            (3, "slave", Some(Standby)),
        ],
    ),
    ha(
        "HH3C-STACK-MIB (hh3cStackBoardRole)",
        &[1, 3, 6, 1, 4, 1, 25506, 2, 91, 3, 1, 1],
        UNIT,
        &[
            (1, "slave", Some(Standby)),
            (2, "master", Some(Active)),
            (3, "loading", Some(Failed)),
            (4, "other", None),
        ],
    ),
    ha(
        "EXTREME-STACKING-MIB (extremeStackMemberRole)",
        &[1, 3, 6, 1, 4, 1, 1916, 1, 33, 2, 1, 4],
        UNIT,
        &[
            (1, "master", Some(Active)),
            (2, "slave", Some(Standby)),
            (3, "backup", Some(Standby)),
        ],
    ),
    ha(
        "FOUNDRY-SN-STACKING-MIB (snStackingOperUnitRole)",
        &[1, 3, 6, 1, 4, 1, 1991, 1, 1, 3, 31, 2, 2, 1, 2],
        UNIT,
        &[
            (1, "other", None),
            (2, "active", Some(Active)),
            (3, "standby", Some(Standby)),
            (4, "member", Some(Standby)),
            (5, "standalone", Some(Alone)),
        ],
    ),
    ha(
        "AT-VCSTACK-MIB (vcstackRole)",
        &[1, 3, 6, 1, 4, 1, 207, 8, 4, 4, 3, 13, 5, 1, 5],
        UNIT,
        &[
            (1, "leaving", Some(Failed)),
            (2, "discovering", Some(Failed)),
            (3, "synchronizing", Some(Failed)),
            (4, "backupMember", Some(Standby)),
            (5, "pendingMaster", Some(Failed)),
            (6, "disabledMaster", Some(Failed)),
            (7, "fallbackMaster", Some(Active)),
            (8, "activeMaster", Some(Active)),
        ],
    ),
];

/// Columns of the default route's rows (IP-FORWARD-MIB, RFC 4292; RFC1213-MIB), each with what its index begins with and what follows:
/// the next hop stands at the end. Of the last one the value is the next hop.
pub const DEFAULT_ROUTES: &[(&str, &[u32], &[IndexPart])] = &[
    (
        "IP-FORWARD-MIB (inetCidrRouteIfIndex), IPv4",
        &[1, 3, 6, 1, 2, 1, 4, 24, 7, 1, 7, 1, 4, 0, 0, 0, 0, 0],
        &[IndexPart::ObjectId, IndexPart::Inet],
    ),
    (
        "IP-FORWARD-MIB (inetCidrRouteIfIndex), IPv6",
        &[
            1, 3, 6, 1, 2, 1, 4, 24, 7, 1, 7, 2, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
        &[IndexPart::ObjectId, IndexPart::Inet],
    ),
    (
        "IP-FORWARD-MIB (ipCidrRouteIfIndex)",
        &[1, 3, 6, 1, 2, 1, 4, 24, 4, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        &[IndexPart::Number, IndexPart::Ipv4],
    ),
    (
        "RFC1213-MIB (ipRouteNextHop)",
        &[1, 3, 6, 1, 2, 1, 4, 21, 1, 7, 0, 0, 0, 0],
        &[],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn a_neighbour_is_known_by_its_place_in_the_index() {
        let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let v4 = address("198.51.100.1");
        let told = |title: &str, index: &[u32], peer: IpAddr| {
            let source = ROLE_SOURCES.iter().find(|s| s.title.starts_with(title));
            source.expect("a source of this title").is_about(index, peer)
        };
        assert!(told("BGP4-MIB", &[198, 51, 100, 1], v4));
        assert!(told("CISCO-BGP4", &[1, 4, 198, 51, 100, 1], v4));
        // Routing instance, local type and address, remote type and address, without lengths.
        let juniper = [0, 1, 192, 0, 2, 11, 1, 198, 51, 100, 1];
        assert!(told("BGP4-V2-MIB-JUNIPER", &juniper, v4));
        assert!(
            !told("BGP4-V2-MIB-JUNIPER", &juniper, address("192.0.2.11")),
            "that is our own end"
        );
        let v6 = [1, 2, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 198, 51, 100, 1];
        assert!(told("ARISTA", &v6, address("2001:db8::c633:6401")));
        assert!(!told("ARISTA", &v6, v4), "it only ends like another neighbour");
        assert!(told("OSPF-MIB", &[198, 51, 100, 1, 0], v4));
        assert!(told("OSPFV3", &[7, 0, 0xc633_6401], v4) && !told("OSPFV3", &[7, 0, 1], v4));
    }

    #[test]
    fn no_object_stands_twice_and_no_value_has_two_meanings() {
        let mut seen = std::collections::BTreeSet::new();
        for source in ROLE_SOURCES {
            let own = [Some(source.state), source.second, source.alive, source.addresses()];
            for oid in own.into_iter().flatten().chain(source.beside()) {
                assert!(seen.insert(oid), "{} reads an object of another", source.title);
            }
            if let Meaning::Codes(codes) = source.meaning {
                let sorted = codes.windows(2).all(|w| w[0].0 < w[1].0);
                assert!(sorted, "{}: sorted codes", source.title);
                assert!(codes.iter().any(|(_, _, r)| *r == Some(Active)), "{}", source.title);
            }
        }
    }

    #[test]
    fn units_of_a_chassis_are_never_the_roles_of_a_pair_of_devices() {
        for source in ROLE_SOURCES.iter().filter(|s| s.kind == RedundancyKind::Ha) {
            assert!(source.serves(1) || source.serves(2), "{}", source.title);
            let units = matches!(source.row, RowIs::Unit(_)) && source.own_row.is_none();
            assert!(!units || !source.serves(2), "{} tells units", source.title);
        }
        let told = |title: &str| ROLE_SOURCES.iter().find(|s| s.title.starts_with(title)).expect("there");
        assert!(told("CISCO-RF-MIB").serves(1) && !told("CISCO-RF-MIB").serves(2));
        assert!(told("CISCO-VPC-MIB").serves(2) && !told("CISCO-VPC-MIB").serves(1));
    }
}
