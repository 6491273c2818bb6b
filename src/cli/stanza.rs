//! The stanza that `hinomi discover` prints: a `[[device]]` that `hinomi check` accepts, with what was seen as comments.
//!
//! Pure text. Never here: sockets, and a key that the configuration does not know.

mod groups;

use super::words;
use crate::core::{DeviceStatus, InterfaceStatus};
use crate::model::HostAddress;
use crate::model::profile::{IndexPart, Profile, Redundancy};
use crate::model::role_source::{ROLE_SOURCES, RowIs};
use crate::model::text::{harmless, is_hostile};
use crate::sample::roles::Told;
use std::fmt::Write;
use std::path::Path;

/// RFC 2863: up.
const UP: u8 = 1;

/// What was found of a device.
pub(super) struct Found<'f> {
    pub(super) name: String,
    pub(super) address: HostAddress,
    /// The section [snmp.NAME].
    pub(super) snmp: &'f str,
    /// Where the community came from, if the section is not in the configuration yet.
    pub(super) community: Option<&'f Path>,
    pub(super) port: u16,
    pub(super) profile: Option<&'f Profile>,
    pub(super) status: &'f DeviceStatus,
    /// Shown beside the roles.
    pub(super) tables: &'f [Redundancy],
    /// The second look, or why there was none.
    pub(super) second: Result<&'f Second, &'f str>,
}

/// What the second look gave.
pub(super) struct Second {
    /// sysObjectID.
    pub(super) object_id: Option<Vec<u32>>,
    /// sysDescr.
    pub(super) description: Option<String>,
    /// All that tells a role.
    pub(super) told: Vec<Told>,
    /// Objects of the profile's own tables as read.
    pub(super) readings: Vec<(String, String)>,
}

/// The whole stanza.
pub(super) fn stanza(found: &Found<'_>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(found, &mut text);
    text
}

fn write(found: &Found<'_>, out: &mut String) -> std::fmt::Result {
    head(found, out)?;
    if let Some(file) = found.community {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
        writeln!(out, "[snmp.{}]", found.snmp)?;
        writeln!(out, "version = \"2c\"")?;
        writeln!(out, "community = {{ file = {} }}", quoted(&file.display().to_string()))?;
        if found.port != 161 {
            writeln!(out, "port = {}", found.port)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "[[device]]")?;
    writeln!(out, "name = {}", quoted(&plain(&found.name)))?;
    writeln!(out, "address = \"{}\"", found.address)?;
    writeln!(out, "snmp = {}", quoted(found.snmp))?;
    if let Some(profile) = found.profile {
        writeln!(out, "profile = {}", quoted(&profile.name))?;
    }
    interfaces(&found.status.interfaces, out)?;
    redundancy(found, out)
}

fn head(found: &Found<'_>, out: &mut String) -> std::fmt::Result {
    match found.profile {
        Some(p) => {
            let verified = if p.verified {
                "verified objects"
            } else {
                "no verified objects of this make"
            };
            writeln!(out, "# {}: {}, {verified}.", found.address, p.title)?;
            writeln!(out, "# Source: {}.", p.source)?;
            if let Some(note) = &p.note {
                writeln!(out, "# Note: {note}.")?;
            }
        }
        None => writeln!(
            out,
            "# {}: it does not tell its make (sysObjectID), and no profile fits.",
            found.address
        )?,
    }
    if let Ok(second) = found.second {
        let id = second.object_id.as_deref().map_or("none".to_owned(), dotted);
        writeln!(out, "# sysObjectID: {id}")?;
        let description = second.description.as_deref().map_or("none".to_owned(), one_line);
        writeln!(out, "# sysDescr: {description}")?;
    }
    let numbers = found.status.metrics.iter().filter_map(|m| {
        let value = words::value(m.metric, *m.value.as_ref().ok()?);
        let which = m.which.as_ref().map(|w| format!(" ({})", plain(w))).unwrap_or_default();
        m.part.is_none().then(|| format!("{} {value}{which}", m.metric.key()))
    });
    let numbers: Vec<String> = numbers.collect();
    match numbers.is_empty() {
        false => writeln!(out, "# Now: {}.", numbers.join(", "))?,
        true => writeln!(
            out,
            "# It answered with no number: neither load nor memory nor anything else that a threshold could judge."
        )?,
    }
    unanswered(found, out)
}

/// What the profile knows and the device did not answer.
fn unanswered(found: &Found<'_>, out: &mut String) -> std::fmt::Result {
    let metrics = &found.status.metrics;
    let silent = |key: &str| {
        let mut answered = metrics.iter().filter(|m| m.part.is_none() && m.metric.key() == key);
        !answered.any(|m| m.value.is_ok())
    };
    let measures = found.profile.map_or(&[][..], |p| p.measures.as_slice());
    let mut names: Vec<&str> = Vec::new();
    for key in measures.iter().map(|m| m.metric.key()).filter(|key| silent(key)) {
        if !names.contains(&key) {
            names.push(key);
        }
    }
    match names.is_empty() {
        true => Ok(()),
        false => writeln!(
            out,
            "# Of its profile this answered nothing: {}. A threshold on it would never be judged.",
            names.join(", ")
        ),
    }
}

fn interfaces(all: &[InterfaceStatus], out: &mut String) -> std::fmt::Result {
    if all.is_empty() {
        return writeln!(out, "# It names no interface.");
    }
    let width = all.iter().map(|i| quoted(&i.name).chars().count()).max().unwrap_or(0) + 1;
    writeln!(out, "interfaces = [")?;
    for interface in all {
        // What the configuration would not take, or what is down now, stands there as a comment.
        let off = !usable(&interface.name) || interface.oper != Some(UP);
        let mark = if off { "#" } else { " " };
        let name = format!("{},", quoted(&plain(&interface.name)));
        writeln!(out, "{mark} {name:width$}  # {}", about(interface))?;
    }
    writeln!(out, "]")
}

/// Speed, state and alias.
fn about(interface: &InterfaceStatus) -> String {
    let speed = interface.speed_bps.filter(|s| *s > 0).map(|s| words::bps(s as f64));
    let state = match (interface.admin, interface.oper) {
        (Some(2), _) => "off (ifAdminStatus down)",
        (_, Some(oper)) => words::oper_word(oper),
        (_, None) => "state unknown",
    };
    let alias = interface.alias.as_deref().map(plain).filter(|a| !a.is_empty());
    let alias = alias.map(|a| format!("\"{a}\""));
    let all: Vec<String> = [speed, Some(state.to_owned()), alias].into_iter().flatten().collect();
    all.join(", ")
}

/// A name that the configuration takes as it is: no wildcard, not too long.
fn usable(name: &str) -> bool {
    let fits = name.chars().count() <= 100 && name.trim() == name && !name.is_empty();
    let reserved = name.starts_with("alias:") || name.starts_with("session:");
    fits && !reserved && !name.contains(['*', '?']) && !name.chars().any(is_hostile)
}

fn redundancy(found: &Found<'_>, out: &mut String) -> std::fmt::Result {
    let second = match found.second {
        Ok(second) => second,
        Err(why) => return writeln!(out, "# Its redundancy could not be read: {}", plain(why)),
    };
    let interfaces = &found.status.interfaces;
    let mut rows: Vec<String> = second.told.iter().map(|told| line(told, interfaces)).collect();
    for table in found.tables.iter().filter(|table| !is_source(table)) {
        rows.extend(second.readings.iter().filter_map(|r| row(table, r, interfaces)));
    }
    if rows.is_empty() {
        return writeln!(
            out,
            "# It tells no redundancy: no VRRP, HSRP, BGP, OSPF, aggregate or cluster that it speaks of."
        );
    }
    writeln!(out, "# Redundancy it takes part in, as seen now:")?;
    rows.iter().try_for_each(|row| writeln!(out, "#   {row}"))?;
    groups::groups(found, second, out)
}

/// Is this what the daemon reads itself?
fn is_source(table: &Redundancy) -> bool {
    ROLE_SOURCES.iter().any(|s| s.state == table.state.oid())
}

/// `vrrp eth0 51: master  (VRRPV3-MIB (RFC 6527))`.
fn line(told: &Told, interfaces: &[InterfaceStatus]) -> String {
    let place = place_of(told, interfaces);
    let space = if place.is_empty() { "" } else { " " };
    let (kind, word) = (told.source.kind.key(), plain(&told.word));
    format!("{kind:<4} {place}{space}{word}  ({})", told.source.title)
}

/// What the row is about, as people read it: interfaces by name, addresses as addresses.
fn place_of(told: &Told, interfaces: &[InterfaceStatus]) -> String {
    let named = |index: Option<&u32>| {
        let index = index.copied().unwrap_or_default();
        let known = interfaces.iter().find(|i| i.index == index);
        known.map_or_else(|| index.to_string(), |i| plain(&i.name))
    };
    if let Some(peer) = told.peer {
        return peer.to_string();
    }
    if let Some(unit) = &told.unit {
        return plain(unit);
    }
    match told.source.row {
        RowIs::Port => named(told.index.first()),
        RowIs::Virtual { .. } => {
            let own = told.instance.interface.as_deref().map(plain);
            format!(
                "{} {}",
                own.unwrap_or_else(|| named(told.index.first())),
                told.instance.number
            )
        }
        _ => plain(&told.instance.number),
    }
}

/// `vrrp  eth0 51: master  (VRRP (RFC 6527))`, if this object is of the table and says something.
fn row(table: &Redundancy, (oid, value): &(String, String), interfaces: &[InterfaceStatus]) -> Option<String> {
    let oid: Vec<u32> = oid.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let index = oid.strip_prefix(table.state.oid())?;
    let code: i64 = value.parse().ok()?;
    if table.none == Some(code) {
        return None;
    }
    let state = match table.states.iter().find(|(c, _)| *c == code) {
        Some((_, word)) => word.to_string(),
        None => code.to_string(),
    };
    let place = place(&table.index, index, interfaces);
    let space = if place.is_empty() { "" } else { " " };
    Some(format!("{:<4} {place}{space}{state}  ({})", table.kind, table.title))
}

/// The index as people read it: interfaces by name, addresses with dots.
fn place(parts: &[IndexPart], mut index: &[u32], interfaces: &[InterfaceStatus]) -> String {
    let mut words: Vec<String> = Vec::new();
    for part in parts {
        let take = match part {
            IndexPart::Interface | IndexPart::Number => 1,
            IndexPart::Ipv4 => 4,
            IndexPart::Rest => break,
        };
        // An address of another length, such as IPv6: as it is.
        let Some((head, rest)) = index.split_at_checked(take) else {
            words.push(dotted(index));
            break;
        };
        index = rest;
        let named = interfaces
            .iter()
            .find(|i| *part == IndexPart::Interface && [i.index] == *head);
        words.push(named.map_or_else(|| dotted(head), |i| plain(&i.name)));
    }
    words.join(" ")
}

fn dotted(numbers: &[u32]) -> String {
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    words.join(".")
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The text of several lines as one, without what is only space.
fn one_line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// One harmless line: it came from a device, and stands in a comment.
fn plain(text: &str) -> String {
    harmless(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::builtin_profiles;

    fn interface(index: u32, name: &str) -> InterfaceStatus {
        InterfaceStatus {
            name: name.into(),
            alias: None,
            found_by: None,
            index,
            admin: Some(1),
            oper: Some(1),
            speed_bps: Some(1_000_000_000),
            in_bps: Err(String::new()),
            out_bps: Err(String::new()),
            in_octets: None,
            out_octets: None,
        }
    }

    fn rows(oid: &str, value: &str) -> Vec<String> {
        let profiles = builtin_profiles();
        let interfaces = [interface(3, "eth0"), interface(7, "bond0")];
        let tables = profiles
            .iter()
            .filter(|p| matches!(&*p.name, "host-resources" | "cisco-ios" | "arista"));
        let reading = (oid.to_owned(), value.to_owned());
        let tables = tables.flat_map(|p| &p.redundancy);
        tables.filter_map(|t| row(t, &reading, &interfaces)).collect()
    }

    #[test]
    fn what_only_a_profile_shows_is_told_by_the_names_of_the_device() {
        let lag = "1.2.840.10006.300.43.1.2.1.1.13.3";
        assert_eq!(rows(lag, "0"), [""; 0], "in no aggregate");
        assert_eq!(rows(lag, "7").len(), 1);
        assert!(rows(lag, "7")[0].starts_with("lag  eth0 7  ("), "{:?}", rows(lag, "7"));
        assert_eq!(rows(lag, "no such object"), [""; 0]);
        assert_eq!(one_line("a \r\n  b\x1b[2J"), "a b [2J");
    }

    #[test]
    fn names_that_would_be_patterns_are_comments() {
        for name in ["eth0", "GigabitEthernet0/0/0", "回線 1", "a\"b"] {
            assert!(usable(name), "{name}");
        }
        for name in ["", "eth*", "x?", "alias:x", " eth0"] {
            assert!(!usable(name), "{name}");
        }
        assert_eq!(quoted("a\"b\\c"), "'a\"b\\c'");
    }
}
