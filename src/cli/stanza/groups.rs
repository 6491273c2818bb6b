//! Groups for the configuration, as far as one device shows them: its units and its aggregates as they are, and what has another device
//! in it as an example to be completed.
//!
//! Never here: a group that is not seen.

use super::{Found, Second, place_of, plain, quoted, usable};
use crate::model::RedundancyKind;
use crate::model::redundancy::Role;
use crate::model::role_source::Whose;
use crate::sample::roles::Told;
use std::collections::BTreeMap;
use std::fmt::Write;

/// IEEE8023-LAG-MIB: dot3adAggPortAttachedAggID.
const AGGREGATE: &str = "1.2.840.10006.300.43.1.2.1.1.13.";

/// Writes them.
pub(super) fn groups(found: &Found<'_>, second: &Second, out: &mut String) -> std::fmt::Result {
    units(found, second, out)?;
    aggregates(found, second, out)?;
    for kind in [RedundancyKind::Bgp, RedundancyKind::Ospf] {
        sessions(found, second, kind, out)?;
    }
    for kind in [RedundancyKind::Vrrp, RedundancyKind::Hsrp, RedundancyKind::Ha] {
        pairs(found, second, kind, out)?;
    }
    Ok(())
}

fn own_name(found: &Found<'_>) -> String {
    quoted(&plain(&found.name))
}

/// A group of this device alone: its units, of all sets that it tells the largest.
fn units(found: &Found<'_>, second: &Second, out: &mut String) -> std::fmt::Result {
    let mut sets: BTreeMap<&str, usize> = BTreeMap::new();
    for told in second
        .told
        .iter()
        .filter(|t| t.unit.is_some() && t.role != Some(Role::Alone))
    {
        *sets.entry(told.source.title).or_default() += 1;
    }
    if sets.values().all(|units| *units < 2) {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "[[redundancy]]")?;
    writeln!(out, "name = {}", quoted(&plain(&format!("{} units", found.name))))?;
    writeln!(out, "kind = \"ha\"")?;
    writeln!(out, "members = [{}]", own_name(found))
}

/// Ports of one aggregate.
fn aggregates(found: &Found<'_>, second: &Second, out: &mut String) -> std::fmt::Result {
    let mut ports: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (oid, value) in &second.readings {
        let index = oid.strip_prefix(AGGREGATE).and_then(|i| i.parse::<u32>().ok());
        let (Some(index), Ok(aggregate)) = (index, value.parse::<u32>()) else {
            continue;
        };
        let port = found
            .status
            .interfaces
            .iter()
            .find(|i| i.index == index && usable(&i.name));
        if let Some(port) = port.filter(|_| aggregate != 0 && aggregate != index) {
            ports.entry(aggregate).or_default().push(port.name.to_string());
        }
    }
    for (aggregate, ports) in ports.iter().filter(|(_, ports)| ports.len() > 1) {
        let known = found.status.interfaces.iter().find(|i| i.index == *aggregate);
        let called = known.map_or_else(|| aggregate.to_string(), |i| i.name.to_string());
        writeln!(out)?;
        writeln!(out, "[[redundancy]]")?;
        writeln!(out, "name = {}", quoted(&plain(&format!("{} {called}", found.name))))?;
        writeln!(out, "kind = \"lag\"")?;
        let device = own_name(found);
        let member = |port: &String| format!("{{ device = {device}, interface = {} }}", quoted(port));
        let members: Vec<String> = ports.iter().map(member).collect();
        writeln!(out, "members = [{}]", members.join(", "))?;
    }
    Ok(())
}

/// Sessions that may stand in for each other: whether they do is for people to say.
fn sessions(found: &Found<'_>, second: &Second, kind: RedundancyKind, out: &mut String) -> std::fmt::Result {
    let mut peers: Vec<std::net::IpAddr> = Vec::new();
    for peer in second
        .told
        .iter()
        .filter(|t| t.source.kind == kind)
        .filter_map(|t| t.peer)
    {
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    if peers.len() < 2 {
        return Ok(());
    }
    let device = own_name(found);
    let member = |peer: &std::net::IpAddr| format!("{{ device = {device}, peer = \"{peer}\" }}");
    let members: Vec<String> = peers.iter().map(member).collect();
    writeln!(out)?;
    writeln!(out, "# If these stand in for each other, take out the marks:")?;
    example(found, kind, &members.join(", "), out)
}

/// A group with another device.
fn pairs(found: &Found<'_>, second: &Second, kind: RedundancyKind, out: &mut String) -> std::fmt::Result {
    let own = |t: &&Told| t.source.kind == kind && matches!(t.source.whose, Whose::Device | Whose::Partners);
    let rows: Vec<&Told> = second.told.iter().filter(own).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let alone = rows.iter().all(|t| t.role == Some(Role::Alone));
    if alone {
        return writeln!(out, "# It is in no cluster now: {}.", place_and_word(rows[0], found));
    }
    writeln!(out, "# With the device that stands in for it, take out the marks:")?;
    example(
        found,
        kind,
        &format!("{}, \"NAME OF THE OTHER DEVICE\"", own_name(found)),
        out,
    )
}

fn place_and_word(told: &Told, found: &Found<'_>) -> String {
    let place = place_of(told, &found.status.interfaces);
    format!("{place} {}", plain(&told.word)).trim().to_owned()
}

fn example(found: &Found<'_>, kind: RedundancyKind, members: &str, out: &mut String) -> std::fmt::Result {
    writeln!(out, "# [[redundancy]]")?;
    writeln!(
        out,
        "# name = {}",
        quoted(&plain(&format!("{} {}", found.name, kind.key())))
    )?;
    writeln!(out, "# kind = \"{}\"", kind.key())?;
    writeln!(out, "# members = [{members}]")
}
