//! What is allowed of circuits and still doubtful. They are many: each doubt is told once, with a number.

use super::circuits::DEFAULT_HOURS;
use super::devices::Inventory;
use crate::config::names::NameMap;
use crate::config::raw::{At, Place};
use crate::config::report::Ctx;
use crate::model::contact::CIRCUIT_CONTACT;
use crate::model::{Device, DeviceId, FindingKind, Level, Liveness, Match, Name, Owner, Procedure, Role, Status};
use std::collections::HashMap;
use std::net::IpAddr;

/// Looks through the circuits of a site that may still have errors.
pub(super) fn doubts(ctx: &Ctx<'_>, inventory: &Inventory, procedures: &[At<Procedure>]) {
    hours(ctx, inventory);
    addresses(ctx, inventory);
    parents(ctx, inventory);
    if !procedures.is_empty() {
        untold(ctx, inventory, procedures);
        contacts(ctx, inventory, procedures);
    }
}

/// Active circuits and where they stand.
fn circuits(inventory: &Inventory) -> impl Iterator<Item = (&Device, Place)> {
    let all = inventory.devices.iter().zip(inventory.places.iter().copied());
    all.filter(|(d, _)| d.role == Role::Circuit && d.status == Status::Active)
}

/// "circuit `N-1`", or "12 circuits (the first is `N-1`)".
fn so_many(count: usize, first: &str) -> String {
    match count {
        1 => format!("circuit `{first}`"),
        n => format!("{n} circuits (the first is `{first}`)"),
    }
}

fn hours(ctx: &Ctx<'_>, inventory: &Inventory) {
    let (count, at) = inventory.circuits.without_hours;
    if count > 0 {
        let (whose, verb) = if count == 1 {
            ("one circuit".to_string(), "is")
        } else {
            (format!("{count} circuits"), "are")
        };
        let what = format!("{whose} that may be off {verb} taken to be open {DEFAULT_HOURS}: no `hours` are written");
        ctx.warn(
            at,
            what,
            "silence at other times is no fault: write `hours`, for all of them in [circuits], or power = \"always\"",
        );
    }
}

fn addresses(ctx: &Ctx<'_>, inventory: &Inventory) {
    let own = |d: &Device| d.liveness != Liveness::Line && !d.address.is_unspecified() && !d.address.is_loopback();
    let mut seen: NameMap<IpAddr, &Name> = NameMap::default();
    let managed = inventory
        .devices
        .iter()
        .filter(|d| d.role == Role::Managed && d.status == Status::Active);
    seen.extend(managed.map(|d| (d.address, &d.name)));
    for (circuit, at) in circuits(inventory).filter(|(d, _)| own(d)) {
        let is_parent = |other: &Name| {
            circuit
                .parents
                .iter()
                .any(|p| inventory.devices[p.index()].name == *other)
        };
        if let Some(other) = seen.insert(circuit.address, &circuit.name).filter(|o| !is_parent(o)) {
            let what = format!(
                "circuit `{}` has the same address as `{other}`: {}",
                circuit.name, circuit.address
            );
            ctx.warn(at, what, "each of the two is polled; is one a slip?");
        }
    }
}

/// Circuits on a device that nobody looks at.
fn parents(ctx: &Ctx<'_>, inventory: &Inventory) {
    let mut on: HashMap<DeviceId, (usize, &Device, Place)> = HashMap::new();
    let mut order: Vec<DeviceId> = Vec::new();
    for (circuit, at) in circuits(inventory) {
        for parent in &circuit.parents {
            if inventory.devices[parent.index()].status != Status::Active {
                let entry = on.entry(*parent).or_insert_with(|| {
                    order.push(*parent);
                    (0, circuit, at)
                });
                entry.0 += 1;
            }
        }
    }
    for (parent, (count, first, at)) in order.iter().filter_map(|p| on.get(p).map(|o| (p, o))) {
        let device = &inventory.devices[parent.index()].name;
        let what = format!(
            "{} on `{device}`, which is not watched: it is planned or ended",
            so_many(*count, &first.name)
        );
        ctx.warn(*at, what, "nothing is measured then; name a device that is active");
    }
}

/// Circuits whose silence no procedure tells anybody.
fn untold(ctx: &Ctx<'_>, inventory: &Inventory, procedures: &[At<Procedure>]) {
    let mut told: NameMap<(&Option<Name>, &Option<Name>, Level), bool> = NameMap::default();
    let (mut count, mut first): (usize, Option<(&Device, Place)>) = (0, None);
    for (circuit, at) in circuits(inventory) {
        let level = circuit.rule(FindingKind::CircuitSilent).level;
        let alike = (&circuit.class, &circuit.site, level);
        let any = |p: &At<Procedure>| p.value.matches.device.is_none() && takes(&p.value.matches, circuit, level);
        let by_kind = level == Level::Ok || *told.entry(alike).or_insert_with(|| procedures.iter().any(any));
        let by_name = || {
            procedures.iter().any(|p| {
                p.value.matches.device.as_ref() == Some(&circuit.name) && takes(&p.value.matches, circuit, level)
            })
        };
        if !by_kind && !by_name() {
            count += 1;
            first.get_or_insert((circuit, at));
        }
    }
    if let Some((circuit, at)) = first {
        let what = format!(
            "{}: no procedure matches, nobody is told when silent",
            so_many(count, &circuit.name)
        );
        ctx.warn(at, what, "add a [[procedure]] with match = { owner = \"institution\" }");
    }
}

/// Does a procedure take the silence of this one circuit, if its name is right?
fn takes(m: &Match, circuit: &Device, level: Level) -> bool {
    m.owner.is_none_or(|o| o == Owner::Institution)
        && m.kind.is_none_or(|k| k == FindingKind::CircuitSilent)
        && m.level.is_none_or(|l| l == level)
        && m.group.is_none()
        && (m.class.is_none() || m.class == circuit.class)
        && (m.site.is_none() || m.site == circuit.site)
        && m.affected_at_least.is_none_or(|n| n <= 1)
}

/// `circuit.contact` where no circuit has one.
fn contacts(ctx: &Ctx<'_>, inventory: &Inventory, procedures: &[At<Procedure>]) {
    if !inventory.circuits.contacts.is_empty() {
        return;
    }
    for procedure in procedures {
        let p = &procedure.value;
        let mut names = p.tell.iter().chain(p.escalate.iter().flat_map(|e| &e.tell));
        if names.any(|n| &**n == CIRCUIT_CONTACT) {
            let what = format!("`{}` tells `{CIRCUIT_CONTACT}`, but no circuit has a `contact`", p.name);
            ctx.warn(procedure.at, what, "give circuits a contact, or remove it from `tell`");
        }
    }
}
