//! The stanza that `hinomi discover` prints: a `[[device]]` that `hinomi check` accepts, with what was seen as comments.
//!
//! Pure text. Never here: sockets, and a key that the configuration does not know.

use super::words;
use crate::core::{DeviceStatus, InterfaceStatus};
use crate::model::HostAddress;
use crate::model::profile::{IndexPart, Profile, Redundancy};
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
    pub(super) tables: &'f [Redundancy],
    /// Objects of the tables as read, or why there are none.
    pub(super) readings: Result<&'f [(String, String)], &'f str>,
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
    let numbers = found.status.metrics.iter().filter_map(|m| {
        let value = words::value(m.metric, *m.value.as_ref().ok()?);
        let which = m.which.as_ref().map(|w| format!(" ({})", plain(w))).unwrap_or_default();
        m.part.is_none().then(|| format!("{} {value}{which}", m.metric.key()))
    });
    let numbers: Vec<String> = numbers.collect();
    if !numbers.is_empty() {
        writeln!(out, "# Now: {}.", numbers.join(", "))?;
    }
    Ok(())
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
    fits && !reserved && !name.contains(['*', '?']) && !name.chars().any(char::is_control)
}

fn redundancy(found: &Found<'_>, out: &mut String) -> std::fmt::Result {
    let readings = match found.readings {
        Ok(readings) => readings,
        Err(why) => return writeln!(out, "# Its redundancy could not be read: {}", plain(why)),
    };
    let rows: Vec<String> = found
        .tables
        .iter()
        .flat_map(|table| {
            readings
                .iter()
                .filter_map(move |r| row(table, r, &found.status.interfaces))
        })
        .collect();
    if rows.is_empty() {
        return writeln!(
            out,
            "# It tells no redundancy: no VRRP, HSRP, BGP, OSPF, aggregate or cluster that it speaks of."
        );
    }
    writeln!(out, "# Redundancy it takes part in, as seen now (not a setting):")?;
    rows.iter().try_for_each(|row| writeln!(out, "#   {row}"))
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

/// One line without control characters: it came from a device, and stands in a comment.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::builtin_profiles;

    fn interface(index: u32, name: &str) -> InterfaceStatus {
        InterfaceStatus {
            name: name.into(),
            alias: None,
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
    fn redundancy_is_told_by_the_names_of_the_device() {
        assert_eq!(
            rows("1.3.6.1.2.1.207.1.1.1.1.6.3.51.1", "3"),
            ["vrrp eth0 51 master  (VRRP (RFC 6527))"]
        );
        assert_eq!(
            rows("1.3.6.1.2.1.15.3.1.2.198.51.100.1", "6"),
            ["bgp  198.51.100.1 established  (BGP (RFC 4273))"]
        );
        assert_eq!(
            rows("1.3.6.1.2.1.14.10.1.6.192.0.2.9.0", "8"),
            ["ospf 192.0.2.9 full  (OSPF (RFC 4750))"]
        );
        assert_eq!(
            rows("1.3.6.1.4.1.9.9.106.1.2.1.1.15.9.10", "5"),
            ["hsrp 9 10 standby  (HSRP (CISCO-HSRP-MIB))"],
            "an interface that is not known by name is told by its number"
        );
        assert_eq!(
            rows("1.2.840.10006.300.43.1.2.1.1.13.3", "0"),
            [""; 0],
            "in no aggregate"
        );
        assert_eq!(rows("1.2.840.10006.300.43.1.2.1.1.13.3", "7").len(), 1);
        assert_eq!(rows("1.3.6.1.2.1.15.3.1.2.198.51.100.1", "no such object"), [""; 0]);
        let v6 = "1.3.6.1.4.1.30065.4.1.1.2.1.13.1.2.16";
        assert_eq!(
            rows(&format!("{v6}.32.1"), "1").len(),
            1,
            "a short index is shown as it is"
        );
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
