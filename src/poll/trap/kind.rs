//! What a notification says, as far as that decides where to look.
//!
//! Object identifiers are those of RFC 3418 (generic), RFC 2787 and 6527 (VRRP), RFC 1657 and 4273 (BGP), RFC 4750 and 5643 (OSPF),
//! RFC 1628 (UPS), IEEE 802.3 clause 30 (LAG), KEEPALIVED-MIB, NET-SNMP-AGENT-MIB, and of the vendors: CISCO-HSRP-MIB, CISCO-RF-MIB,
//! CISCO-STACKWISE-MIB, CISCO-VIRTUAL-SWITCH-MIB, CISCO-UNIFIED-FIREWALL-MIB, CISCO-BGP4-MIB, BGP4-V2-MIB-JUNIPER, MIB-Jnx-JSRPD,
//! JUNIPER-MIB, ARISTA-BGP4V2-MIB, FORTINET-FORTIGATE-MIB, PAN-TRAPS, F5-BIGIP-COMMON-MIB, A10-AX-NOTIFICATIONS, AT-VCSTACK-MIB,
//! HUAWEI-STACK-MIB, TIMETRA-SYSTEM-MIB, PowerNet-MIB.
//!
//! Never here: whether what it says is true.

use serde::{Deserialize, Serialize};

/// What a notification says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrapKind {
    /// The agent started with a configuration that may have changed.
    ColdStart,
    /// The agent started anew.
    WarmStart,
    /// An interface went down.
    LinkDown,
    /// An interface came up.
    LinkUp,
    /// Somebody asked the device with a wrong community or password.
    AuthenticationFailure,
    /// The sender became VRRP master.
    VrrpNewMaster,
    /// A VRRP instance or group changed its state (keepalived).
    VrrpState,
    /// An HSRP group became active or standby, or ceased to be.
    HsrpState,
    /// A BGP session was established.
    BgpEstablished,
    /// A BGP session was lost.
    BgpBackward,
    /// An OSPF neighbour changed its state.
    OspfNeighbour,
    /// A link aggregate came up or went down.
    Aggregate,
    /// The active unit of a redundant pair or stack changed, or its redundancy did.
    HighAvailability,
    /// The UPS runs on its battery.
    OnBattery,
    /// Mains power is back.
    MainsBack,
    /// An alarm of the UPS came or went.
    UpsAlarm,
    /// The agent is being stopped.
    AgentStops,
    /// Anything else: a hint all the same.
    Other,
}

impl TrapKind {
    /// The word for people, logs and `--json`.
    pub fn key(self) -> &'static str {
        match self {
            TrapKind::ColdStart => "cold-start",
            TrapKind::WarmStart => "warm-start",
            TrapKind::LinkDown => "link-down",
            TrapKind::LinkUp => "link-up",
            TrapKind::AuthenticationFailure => "authentication-failure",
            TrapKind::VrrpNewMaster => "vrrp-new-master",
            TrapKind::VrrpState => "vrrp-state",
            TrapKind::HsrpState => "hsrp-state",
            TrapKind::BgpEstablished => "bgp-established",
            TrapKind::BgpBackward => "bgp-backward",
            TrapKind::OspfNeighbour => "ospf-neighbour",
            TrapKind::Aggregate => "aggregate",
            TrapKind::HighAvailability => "high-availability",
            TrapKind::OnBattery => "on-battery",
            TrapKind::MainsBack => "mains-back",
            TrapKind::UpsAlarm => "ups-alarm",
            TrapKind::AgentStops => "agent-stops",
            TrapKind::Other => "other",
        }
    }

    /// The kind of a notification. The same notification has a zero before its last number, or none, depending on the version of
    /// SNMP that its MIB was written for and that it came in (RFC 3584 section 3): that zero is passed over on both sides.
    pub fn of(oid: &[u32]) -> TrapKind {
        let (head, last) = split(oid);
        let known = KINDS
            .iter()
            .find(|(base, numbers, _)| head == *base && numbers.contains(&last));
        known.map_or(TrapKind::Other, |(_, _, kind)| *kind)
    }
}

/// A notification without the zero: what it belongs to, and its number.
fn split(oid: &[u32]) -> (&[u32], u32) {
    match oid {
        [head @ .., 0, last] | [head @ .., last] => (head, *last),
        [] => (&[], 0),
    }
}

const GENERIC: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];
const VRRP: &[u32] = &[1, 3, 6, 1, 2, 1, 68];
const VRRP_V3: &[u32] = &[1, 3, 6, 1, 2, 1, 207];
const KEEPALIVED: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 10];
const HSRP: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 106, 2];
const BGP: &[u32] = &[1, 3, 6, 1, 2, 1, 15];
const BGP_OLD: &[u32] = &[1, 3, 6, 1, 2, 1, 15, 7];
const CISCO_BGP: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 187];
const JUNIPER_BGP: &[u32] = &[1, 3, 6, 1, 4, 1, 2636, 5, 1, 1, 1];
const ARISTA_BGP: &[u32] = &[1, 3, 6, 1, 4, 1, 30065, 4, 1];
const OSPF: &[u32] = &[1, 3, 6, 1, 2, 1, 14, 16, 2];
const OSPF_V3: &[u32] = &[1, 3, 6, 1, 2, 1, 191];
const LAG: &[u32] = &[1, 2, 840, 10006, 300, 43];
const CISCO_RF: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 176, 2];
const CISCO_STACKWISE: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 500, 0];
const CISCO_VSS: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 388];
const CISCO_ASA: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 491];
const FORTIGATE: &[u32] = &[1, 3, 6, 1, 4, 1, 12356, 101, 2];
const JUNIPER_SRX: &[u32] = &[1, 3, 6, 1, 4, 1, 2636, 3, 39, 1, 14, 1];
const JUNIPER_CHASSIS: &[u32] = &[1, 3, 6, 1, 4, 1, 2636, 4, 1];
const JUNIPER_VC: &[u32] = &[1, 3, 6, 1, 4, 1, 2636, 4, 14];
const PALO_ALTO: &[u32] = &[1, 3, 6, 1, 4, 1, 25461, 2, 1, 3, 2];
const F5: &[u32] = &[1, 3, 6, 1, 4, 1, 3375, 2, 4];
const A10: &[u32] = &[1, 3, 6, 1, 4, 1, 22610, 2, 4, 3, 12, 2, 2];
const ALLIED_STACK: &[u32] = &[1, 3, 6, 1, 4, 1, 207, 8, 4, 4, 3, 13];
const ALLIED_STACK_V1: &[u32] = &[1, 3, 6, 1, 4, 1, 207, 8, 4, 4, 3, 13, 6];
const HUAWEI_STACK: &[u32] = &[1, 3, 6, 1, 4, 1, 2011, 5, 25, 183, 1, 22];
const NOKIA: &[u32] = &[1, 3, 6, 1, 4, 1, 6527, 3, 1, 3, 1];
const UPS: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 2];
const APC: &[u32] = &[1, 3, 6, 1, 4, 1, 318];
const NET_SNMP: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 4];

/// What it belongs to, its numbers there, what it says.
const KINDS: &[(&[u32], &[u32], TrapKind)] = &[
    (GENERIC, &[1], TrapKind::ColdStart),
    (GENERIC, &[2], TrapKind::WarmStart),
    (GENERIC, &[3], TrapKind::LinkDown),
    (GENERIC, &[4], TrapKind::LinkUp),
    (GENERIC, &[5], TrapKind::AuthenticationFailure),
    (VRRP, &[1], TrapKind::VrrpNewMaster),
    (VRRP_V3, &[1], TrapKind::VrrpNewMaster),
    (KEEPALIVED, &[1, 2], TrapKind::VrrpState),
    (HSRP, &[1], TrapKind::HsrpState),
    (BGP, &[1], TrapKind::BgpEstablished),
    (BGP, &[2], TrapKind::BgpBackward),
    (BGP_OLD, &[1], TrapKind::BgpEstablished),
    (BGP_OLD, &[2], TrapKind::BgpBackward),
    (CISCO_BGP, &[5], TrapKind::BgpEstablished),
    (CISCO_BGP, &[2, 6, 8], TrapKind::BgpBackward),
    (JUNIPER_BGP, &[1], TrapKind::BgpEstablished),
    (JUNIPER_BGP, &[2], TrapKind::BgpBackward),
    (ARISTA_BGP, &[1], TrapKind::BgpEstablished),
    (ARISTA_BGP, &[2], TrapKind::BgpBackward),
    (OSPF, &[2], TrapKind::OspfNeighbour),
    (OSPF_V3, &[2], TrapKind::OspfNeighbour),
    (LAG, &[1, 2], TrapKind::Aggregate),
    (CISCO_RF, &[1, 2], TrapKind::HighAvailability),
    (CISCO_STACKWISE, &[1, 2, 4, 5, 6], TrapKind::HighAvailability),
    (CISCO_VSS, &[1, 2], TrapKind::HighAvailability),
    (CISCO_ASA, &[3, 4], TrapKind::HighAvailability),
    (FORTIGATE, &[401, 402, 403, 404, 405], TrapKind::HighAvailability),
    (JUNIPER_SRX, &[1, 2, 3, 4], TrapKind::HighAvailability),
    (JUNIPER_CHASSIS, &[4], TrapKind::HighAvailability),
    (JUNIPER_VC, &[1, 2, 3, 4], TrapKind::HighAvailability),
    (
        PALO_ALTO,
        &[
            800, 801, 802, 803, 804, 805, 806, 807, 808, 809, 811, 812, 814, 816, 817, 827,
        ],
        TrapKind::HighAvailability,
    ),
    (F5, &[14, 15, 16], TrapKind::HighAvailability),
    (A10, &[1, 2, 3, 23, 24, 34], TrapKind::HighAvailability),
    (ALLIED_STACK, &[1, 2, 3, 4, 5, 6, 7], TrapKind::HighAvailability),
    (ALLIED_STACK_V1, &[1, 2, 3, 4, 5, 6, 7], TrapKind::HighAvailability),
    (HUAWEI_STACK, &[1, 2, 3, 4, 5, 6, 7], TrapKind::HighAvailability),
    (NOKIA, &[24, 25, 26, 27], TrapKind::HighAvailability),
    (UPS, &[1], TrapKind::OnBattery),
    (UPS, &[3, 4], TrapKind::UpsAlarm),
    (APC, &[5], TrapKind::OnBattery),
    (APC, &[9], TrapKind::MainsBack),
    (APC, &[1, 2, 3, 7, 11, 17, 53, 54], TrapKind::UpsAlarm),
    (NET_SNMP, &[2], TrapKind::AgentStops),
    (NET_SNMP, &[3], TrapKind::WarmStart),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_notification_stands_in_the_table_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for (base, numbers, _) in KINDS {
            for number in *numbers {
                assert!(seen.insert((*base, *number)), "{base:?} {number}");
            }
        }
    }

    #[test]
    fn a_zero_before_the_last_number_changes_nothing() {
        let of = |oid: &[u32]| TrapKind::of(oid);
        assert_eq!(of(&[1, 3, 6, 1, 2, 1, 15, 7, 2]), TrapKind::BgpBackward);
        assert_eq!(of(&[1, 3, 6, 1, 2, 1, 15, 7, 0, 2]), TrapKind::BgpBackward);
        assert_eq!(of(&[1, 3, 6, 1, 2, 1, 15, 0, 2]), TrapKind::BgpBackward);
        assert_eq!(of(&[1, 3, 6, 1, 2, 1, 33, 2, 0, 1]), TrapKind::OnBattery);
        assert_eq!(of(&[1, 3, 6, 1, 4, 1, 9, 9, 500, 0, 0, 2]), TrapKind::HighAvailability);
        assert_eq!(of(&[1, 3, 6, 1, 4, 1, 318, 0, 5]), TrapKind::OnBattery);
        assert_eq!(of(&[]), TrapKind::Other);
        assert_eq!(of(&[0]), TrapKind::Other);
    }
}
