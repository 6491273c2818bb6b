//! The varbinds of a notification in one short line for people: which interface, which VRID, which peer.
//!
//! Never here: trust. Text of a device has no control characters and a bounded length when it leaves here.

use crate::model::snmp::TextEncoding;
use crate::model::text::{harmless, shortened};
use crate::poll::text::strict;
use crate::wire::snmp::trap::Notification;
use crate::wire::snmp::{ValueView, VarBindView, ber};

/// Longest line, in characters.
const LONGEST: usize = 160;
/// Longest piece of text taken from one varbind, in characters.
const LONGEST_TEXT: usize = 64;
/// Varbinds that nobody knows are shown as they are, so many of them.
const UNKNOWN_SHOWN: usize = 3;

/// What stands behind the column in an instance.
#[derive(Clone, Copy)]
enum Index {
    /// Nothing of use.
    Nothing,
    /// ifIndex.
    Interface,
    /// ifIndex, VRID (RFC 2787; RFC 6527 has the family behind them).
    Vrrp,
    /// ifIndex, group number.
    Hsrp,
    /// An IPv4 address.
    Peer,
    /// Family, length, address (InetAddress as an index).
    InetPeer,
}

/// A column that matters.
struct Column {
    oid: &'static [u32],
    label: &'static str,
    index: Index,
    /// Names of its values, from 0.
    values: &'static [&'static str],
}

const fn column(oid: &'static [u32], label: &'static str, index: Index, values: &'static [&'static str]) -> Column {
    Column {
        oid,
        label,
        index,
        values,
    }
}

/// RFC 2863.
const IF_STATES: &[&str] = &[
    "",
    "up",
    "down",
    "testing",
    "unknown",
    "dormant",
    "notPresent",
    "lowerLayerDown",
];
/// RFC 4273.
const BGP_STATES: &[&str] = &[
    "",
    "idle",
    "connect",
    "active",
    "opensent",
    "openconfirm",
    "established",
];
/// CISCO-HSRP-MIB.
const HSRP_STATES: &[&str] = &["", "initial", "learn", "listen", "speak", "standby", "active"];
/// RFC 6527.
const MASTER_REASONS: &[&str] = &["notMaster", "priority", "preempted", "masterNoResponse"];
/// KEEPALIVED-MIB.
const KEEPALIVED_STATES: &[&str] = &["init", "backup", "master", "fault"];
/// RFC 4750.
const OSPF_STATES: &[&str] = &[
    "",
    "down",
    "attempt",
    "init",
    "twoWay",
    "exchangeStart",
    "exchange",
    "loading",
    "full",
];

const COLUMNS: &[Column] = &[
    column(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 1], "ifIndex", Index::Nothing, &[]),
    column(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1], "ifName", Index::Interface, &[]),
    column(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2], "ifDescr", Index::Interface, &[]),
    column(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18], "ifAlias", Index::Interface, &[]),
    column(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 7], "admin", Index::Interface, IF_STATES),
    column(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8], "oper", Index::Interface, IF_STATES),
    column(&[1, 3, 6, 1, 4, 1, 9, 2, 2, 1, 1, 20], "reason", Index::Interface, &[]),
    column(&[1, 3, 6, 1, 2, 1, 68, 1, 3, 1, 7], "master", Index::Vrrp, &[]),
    column(&[1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 3], "master", Index::Vrrp, &[]),
    column(
        &[1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 2],
        "reason",
        Index::Vrrp,
        MASTER_REASONS,
    ),
    column(
        &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 2],
        "instance",
        Index::Nothing,
        &[],
    ),
    column(
        &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1, 4],
        "state",
        Index::Nothing,
        KEEPALIVED_STATES,
    ),
    column(
        &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 1, 1, 2],
        "group",
        Index::Nothing,
        &[],
    ),
    column(
        &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 1, 1, 3],
        "state",
        Index::Nothing,
        KEEPALIVED_STATES,
    ),
    column(
        &[1, 3, 6, 1, 4, 1, 9, 9, 106, 1, 2, 1, 1, 15],
        "state",
        Index::Hsrp,
        HSRP_STATES,
    ),
    column(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 7], "peer", Index::Nothing, &[]),
    column(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 2], "state", Index::Peer, BGP_STATES),
    column(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 14], "error", Index::Peer, &[]),
    column(
        &[1, 3, 6, 1, 4, 1, 9, 9, 187, 1, 2, 5, 1, 3],
        "state",
        Index::InetPeer,
        BGP_STATES,
    ),
    column(
        &[1, 3, 6, 1, 4, 1, 9, 9, 187, 1, 2, 5, 1, 28],
        "error",
        Index::InetPeer,
        &[],
    ),
    column(&[1, 3, 6, 1, 2, 1, 14, 10, 1, 3], "neighbour", Index::Nothing, &[]),
    column(&[1, 3, 6, 1, 2, 1, 14, 10, 1, 6], "state", Index::Nothing, OSPF_STATES),
    column(&[1, 3, 6, 1, 2, 1, 33, 1, 2, 3], "minutes left", Index::Nothing, &[]),
    column(
        &[1, 3, 6, 1, 2, 1, 33, 1, 2, 2],
        "seconds on battery",
        Index::Nothing,
        &[],
    ),
    column(&[1, 3, 6, 1, 2, 1, 33, 1, 6, 2, 1, 2], "alarm", Index::Nothing, &[]),
    column(&[1, 3, 6, 1, 4, 1, 318, 2, 3, 3], "message", Index::Nothing, &[]),
];

/// The line; empty if nothing is worth saying.
pub(super) fn line(notification: &Notification<'_>, from: std::net::IpAddr, encoding: TextEncoding) -> String {
    let mut words = Words {
        said: Vec::new(),
        encoding,
    };
    let mut unknown = Vec::new();
    for varbind in &notification.varbinds {
        let name = varbind.oid();
        match COLUMNS.iter().find_map(|c| Some((c, name.strip_prefix(c.oid)?))) {
            Some((column, instance)) => words.column(column, instance, varbind.value),
            None if unknown.len() < UNKNOWN_SHOWN => unknown.push(varbind),
            None => {}
        }
    }
    if words.said.is_empty() {
        unknown.into_iter().for_each(|varbind| words.unknown(varbind));
    }
    // Whatever stands there proves nothing; a proxy or an address translation between shows in it, though.
    if let Some(agent) = notification.agent_address.map(std::net::IpAddr::from)
        && agent != from
        && !agent.is_unspecified()
    {
        words.add("agent-addr", agent.to_string());
    }
    words.line()
}

/// Label and text, each label once.
struct Words {
    said: Vec<(&'static str, String)>,
    encoding: TextEncoding,
}

impl Words {
    fn add(&mut self, label: &'static str, text: String) {
        if !text.is_empty() && !self.said.iter().any(|(l, _)| *l == label) {
            self.said.push((label, text));
        }
    }

    fn column(&mut self, column: &Column, instance: &[u32], value: ValueView<'_>) {
        match (column.index, instance) {
            (Index::Interface, [index, ..]) => self.add("ifIndex", index.to_string()),
            (Index::Vrrp, [index, vrid, ..]) => {
                self.add("ifIndex", index.to_string());
                self.add("VRID", vrid.to_string());
            }
            (Index::Hsrp, [index, group, ..]) => {
                self.add("ifIndex", index.to_string());
                self.add("group", group.to_string());
            }
            (Index::Peer, peer) => self.add("peer", address(peer).unwrap_or_default()),
            (Index::InetPeer, [_, _, peer @ ..]) => self.add("peer", address(peer).unwrap_or_default()),
            _ => {}
        }
        let named = match value {
            ValueView::Integer(n) => usize::try_from(n).ok().and_then(|n| column.values.get(n)),
            _ => None,
        };
        let text = match (named, column.label, value) {
            (Some(name), ..) if !name.is_empty() => (*name).to_owned(),
            // RFC 4271 section 4.5: error code and subcode.
            (_, "error", ValueView::OctetString([code, sub])) => format!("{code}/{sub}"),
            (_, "master", ValueView::OctetString(octets)) if matches!(octets.len(), 4 | 16) => {
                let numbers: Vec<u32> = octets.iter().map(|o| u32::from(*o)).collect();
                address(&numbers).unwrap_or_default()
            }
            _ => plain(value, self.encoding),
        };
        self.add(column.label, text);
    }

    fn unknown(&mut self, varbind: &VarBindView<'_>) {
        // Octets that nobody knows may be an address: only UTF-8 says by itself that it is text.
        let encoding = match self.encoding {
            TextEncoding::Auto => TextEncoding::Utf8,
            known => known,
        };
        let text = plain(varbind.value, encoding);
        if !text.is_empty() {
            self.said.push(("", format!("{}={text}", dotted(&varbind.oid()))));
        }
    }

    fn line(self) -> String {
        let word = |(label, text): &(&str, String)| match *label {
            "" => text.clone(),
            label => format!("{label} {text}"),
        };
        let line = self.said.iter().map(word).collect::<Vec<_>>().join(", ");
        shortened(&line, LONGEST).into_owned()
    }
}

/// `1.3.6.1`.
pub(super) fn dotted(oid: &[u32]) -> String {
    oid.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// An address written as numbers of an index.
fn address(numbers: &[u32]) -> Option<String> {
    let octets: Vec<u8> = numbers.iter().map(|n| u8::try_from(*n).ok()).collect::<Option<_>>()?;
    let address: std::net::IpAddr = match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok()?.into(),
        16 => <[u8; 16]>::try_from(octets).ok()?.into(),
        _ => return None,
    };
    Some(address.to_string())
}

/// A value as it is.
fn plain(value: ValueView<'_>, encoding: TextEncoding) -> String {
    match value {
        ValueView::Integer(n) => n.to_string(),
        ValueView::Counter32(n) | ValueView::Gauge32(n) | ValueView::TimeTicks(n) => n.to_string(),
        ValueView::Counter64(n) => n.to_string(),
        ValueView::IpAddress(octets) => std::net::Ipv4Addr::from(octets).to_string(),
        ValueView::Oid(contents) => ber::oid(contents).map(|oid| dotted(&oid)).unwrap_or_default(),
        ValueView::OctetString(octets) => text(octets, encoding),
        ValueView::Opaque(_)
        | ValueView::Null
        | ValueView::NoSuchObject
        | ValueView::NoSuchInstance
        | ValueView::EndOfMibView
        | ValueView::Unreadable { .. } => String::new(),
    }
}

/// Octets as text if they are that, else in hexadecimal.
fn text(octets: &[u8], encoding: TextEncoding) -> String {
    let trimmed = octets.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(&[0]).unwrap_or(trimmed);
    let printable = |s: &str| s.chars().all(|c| !c.is_control() || c.is_whitespace());
    match strict(trimmed, encoding).filter(|s| printable(s)) {
        Some(text) => shortened(harmless(&text).trim(), LONGEST_TEXT).into_owned(),
        None => octets.iter().take(16).map(|o| format!("{o:02x}")).collect(),
    }
}
