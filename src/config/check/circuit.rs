//! The cells of one access circuit: their keys and words. A row of CSV and a `[[circuit]]` are the same from here on.
//!
//! Never here: what becomes of a circuit (that is `circuit_build`).

use super::tables::Row;
use crate::config::raw::{At, Place};
use crate::config::reader::Walk;
use crate::config::report::{Ctx, Draft};
use crate::config::values::{self, Taken, refuse};
use crate::model::Liveness;
use crate::model::circuit::{CircuitRole, Power};
use std::net::{IpAddr, Ipv4Addr};

/// The keys of a circuit, which are the columns of circuits.csv.
pub(super) const KEYS: [&str; 18] = [
    "id",
    "institution_id",
    "institution",
    "class",
    "carrier",
    "role",
    "measure",
    "device",
    "interface",
    "down",
    "up",
    "address",
    "liveness",
    "snmp",
    "power",
    "hours",
    "contact",
    "status",
];
/// Places of the keys in [`KEYS`].
pub(super) const ID: usize = 0;
pub(super) const INSTITUTION_ID: usize = 1;
pub(super) const INSTITUTION: usize = 2;
pub(super) const CLASS: usize = 3;
pub(super) const CARRIER: usize = 4;
pub(super) const ROLE: usize = 5;
pub(super) const MEASURE: usize = 6;
pub(super) const DEVICE: usize = 7;
pub(super) const INTERFACE: usize = 8;
pub(super) const DOWN: usize = 9;
pub(super) const UP: usize = 10;
pub(super) const ADDRESS: usize = 11;
pub(super) const LIVENESS: usize = 12;
pub(super) const SNMP: usize = 13;
pub(super) const POWER: usize = 14;
pub(super) const HOURS: usize = 15;
pub(super) const CONTACT: usize = 16;
pub(super) const STATUS: usize = 17;

pub(super) const ROLES: &[(&str, CircuitRole)] = &[
    ("main", CircuitRole::Main),
    ("backup", CircuitRole::Backup),
    ("shared", CircuitRole::Shared),
];
pub(super) const POWERS: &[(&str, Power)] = &[("may-be-off", Power::MayBeOff), ("always", Power::Always)];
pub(super) const MEASURES: &[(&str, Where)] =
    &[("device", Where::Device), ("cpe", Where::Cpe), ("none", Where::Nowhere)];
/// Stands in for an address that is wrong.
pub(super) const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
pub(super) const PORT: &str =
    "an ifName such as \"ge-0/0/17\", or \"alias:N-0004242\", or \"session:clinic0042@example\"";

/// The word of `measure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Device,
    Cpe,
    Nowhere,
}

/// A text and its place.
pub(super) type Cell<'r> = Option<(&'r str, Place)>;

/// A circuit as written.
pub(super) struct Given<'r> {
    pub(super) cells: [Cell<'r>; KEYS.len()],
    pub(super) at: Place,
    /// Of a `[[circuit]]`: tells what is missing, unless a misspelt key explains it.
    walk: Option<&'r Walk<'r>>,
}

impl<'r> Given<'r> {
    pub(super) fn of_row(row: &'r Row<'_, '_>) -> Given<'r> {
        Given {
            cells: std::array::from_fn(|i| row.get(i)),
            at: row.at(),
            walk: None,
        }
    }

    pub(super) fn of_table(texts: &'r [Option<At<String>>; KEYS.len()], walk: &'r Walk<'r>) -> Given<'r> {
        let cell = |i: usize| texts[i].as_ref().map(|t| (t.value.as_str(), t.at));
        Given {
            cells: std::array::from_fn(cell),
            at: walk.at(),
            walk: Some(walk),
        }
    }

    /// How the circuit is called in messages.
    pub(super) fn name(&self) -> String {
        self.cells[ID].map_or_else(|| "a circuit".to_string(), |(id, _)| format!("circuit `{id}`"))
    }

    pub(super) fn missing(&self, ctx: &Ctx<'_>, key: usize, hint: &str) {
        match self.walk {
            Some(walk) => walk.missing(KEYS[key], hint),
            None => ctx.push(
                Draft::error(self.at, format!("{} has no `{}`", self.name(), KEYS[key]))
                    .hint(hint)
                    .consequence(),
            ),
        }
    }
}

/// Is it one port?
pub(super) fn port(text: &str) -> Taken<()> {
    if let Some((kind @ ("alias" | "session"), rest)) = text.split_once(':')
        && rest.trim().is_empty()
    {
        return refuse(format!("has nothing behind `{kind}:`"), PORT);
    }
    if text.contains(['*', '?']) {
        return refuse(format!("is a pattern: \"{text}\""), "a circuit is measured on one port");
    }
    values::name(text).map(|_| ())
}

/// The word of `liveness`.
pub(super) fn liveness(text: &str) -> Taken<Liveness> {
    let port = text
        .strip_prefix("tcp:")
        .and_then(|p| p.trim().parse::<u16>().ok())
        .filter(|p| *p > 0);
    Ok(match (text, port) {
        ("echo", _) => Liveness::Echo,
        ("snmp", _) => Liveness::Snmp,
        ("line", _) => Liveness::Line,
        ("none", _) => Liveness::None,
        (_, Some(port)) => Liveness::Tcp(port),
        _ => {
            return refuse(
                format!("cannot be \"{text}\""),
                "one of \"echo\", \"line\", \"snmp\", \"none\", or a port: \"tcp:22\"",
            );
        }
    })
}
