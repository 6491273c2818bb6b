//! Doubts about ways: a device that says nothing of its parents, while those like it lie behind something.
//!
//! Such a device is called down as a fault of its own when what it really lies behind fails. Never here: errors.

use super::devices::{Inventory, Written};
use super::layer::{Layer, first};
use crate::config::raw::Place;
use crate::config::reader::listing;
use crate::config::report::{Ctx, Draft};
use crate::model::{Device, DeviceId, Owner, Role, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Names that are listed in a warning.
const LISTED: usize = 3;
/// From so many own devices on, one of them lies behind another.
const FEW: usize = 3;

/// Warns of each device without `parents` that the ways of others suggest. `written` are the first devices of the inventory.
pub(super) fn doubts(ctx: &Ctx<'_>, inventory: &Inventory, written: &[Written], groups: &BTreeMap<String, Layer>) {
    let devices = &inventory.devices;
    // Said in so many words, also that there are none.
    let said = |i: usize| {
        let group = devices[i].group.as_deref().and_then(|g| groups.get(g));
        first(&written[i].layer, group, |l| l.parents.as_ref()).is_some()
    };
    let above: BTreeSet<DeviceId> = devices.iter().flat_map(|d| d.parents.iter().copied()).collect();
    let mut alike: BTreeMap<Kin<'_>, Alike> = BTreeMap::new();
    for (i, device) in devices.iter().enumerate().take(written.len()) {
        let exception = device.parents.is_empty() && said(i);
        if device.role == Role::Managed && device.status == Status::Active && !exception {
            for kin in kin(device, above.contains(&id(i))) {
                let alike = alike.entry(kin).or_default();
                alike.lacking += usize::from(device.parents.is_empty());
                alike.all.push(i);
            }
        }
    }
    for (i, device) in devices.iter().enumerate().take(written.len()) {
        let asked = device.role == Role::Managed && device.status == Status::Active && !said(i);
        if !asked || !device.parents.is_empty() || inventory.uplinks.contains(&id(i)) {
            continue;
        }
        let others = kin(device, above.contains(&id(i)))
            .into_iter()
            .filter_map(|kin| others_with_parents(inventory, i, &kin, alike.get(&kin)?));
        if let Some((kin, others)) = { others }.next() {
            warn(ctx, inventory, i, &kin, &others);
        }
    }
}

/// Warns of a site in which nobody wrote any parents: a fault of one device is then a fault of every device behind it.
pub(super) fn none_at_all(
    ctx: &Ctx<'_>,
    inventory: &Inventory,
    written: &[Written],
    groups: &BTreeMap<String, Layer>,
    at: Place,
) {
    let said = |(i, w): (usize, &Written)| {
        let group = inventory.devices[i].group.as_deref().and_then(|g| groups.get(g));
        first(&w.layer, group, |l| l.parents.as_ref()).is_some()
    };
    let own = inventory.devices.iter().take(written.len());
    let own = own.filter(|d| d.role == Role::Managed && d.status == Status::Active && d.owner == Owner::Own);
    if own.count() < FEW || written.iter().enumerate().any(said) {
        return;
    }
    let hint = "when one fails, all behind it are called down, each with an incident and a mail of its own: parents = [\"NAME\"] of each \
                device, or parents = [] where it is reached directly";
    ctx.push(Draft::warning(at, "no device has `parents`").hint(hint).consequence());
}

fn id(i: usize) -> DeviceId {
    DeviceId(u32::try_from(i).unwrap_or(u32::MAX))
}

/// What devices have in common that makes their ways alike. Whether others lie behind them tells the layers of a network apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kin<'d> {
    /// Past the demarcation point, or at an institution: there is always something before it.
    Beyond(Owner),
    /// `group = …`.
    Group(&'d str, bool),
    /// `agg-1` and `agg-2`: the name without its digits.
    Name(String, Owner, bool),
    /// At one site, of one owner.
    Site(&'d str, Owner, bool),
}

/// The devices of one kind.
#[derive(Default)]
struct Alike {
    all: Vec<usize>,
    /// How many of them have no parents.
    lacking: usize,
}

fn kin(device: &Device, is_parent: bool) -> Vec<Kin<'_>> {
    let owner = device.owner;
    let mut all = Vec::new();
    if matches!(owner, Owner::Platform | Owner::Institution) {
        all.push(Kin::Beyond(owner));
    }
    all.extend(device.group.as_deref().map(|g| Kin::Group(g, is_parent)));
    let stem: String = device.name.chars().filter(|c| !c.is_numeric()).collect();
    if stem.len() < device.name.len() && stem.chars().filter(|c| c.is_alphabetic()).count() >= 2 {
        all.push(Kin::Name(stem, owner, is_parent));
    }
    all.extend(device.site.as_deref().map(|s| Kin::Site(s, owner, is_parent)));
    all
}

/// The others of a kind, if all of them have parents: those that do not lie behind this one themselves.
fn others_with_parents<'d>(
    inventory: &Inventory,
    of: usize,
    kin: &Kin<'d>,
    alike: &Alike,
) -> Option<(Kin<'d>, Vec<usize>)> {
    // `of` lacks them itself. Where a second one does, no rule is to be seen; so the many of one kind are compared with one device at most.
    if alike.lacking > 1 {
        return None;
    }
    let behind = |i: &usize| *i != of && !lies_behind(inventory, *i, id(of));
    let others: Vec<usize> = alike.all.iter().copied().filter(behind).collect();
    // A site has devices of several layers: one other is no rule yet.
    let least = if matches!(kin, Kin::Site(..)) { 2 } else { 1 };
    (others.len() >= least).then(|| (kin.clone(), others))
}

/// Is the one on a way to the other? Circles have been reported already, and end here.
fn lies_behind(inventory: &Inventory, device: usize, before: DeviceId) -> bool {
    let (mut seen, mut look) = (BTreeSet::new(), inventory.devices[device].parents.clone());
    while let Some(next) = look.pop() {
        if next == before {
            return true;
        }
        if seen.insert(next) {
            look.extend(&inventory.devices[next.index()].parents);
        }
    }
    false
}

fn warn(ctx: &Ctx<'_>, inventory: &Inventory, of: usize, kin: &Kin<'_>, others: &[usize]) {
    let name = &inventory.devices[of].name;
    let like = match kin {
        Kin::Beyond(owner) => format!("the other devices with owner = \"{}\"", owner.key()),
        Kin::Group(group, _) => format!("the others of the group `{group}`"),
        Kin::Name(..) => "those with names like it".to_owned(),
        Kin::Site(site, owner, _) => format!(
            "the other devices of the site `{site}` with owner = \"{}\"",
            owner.key()
        ),
    };
    let shown = listing(others.iter().take(LISTED).map(|i| &*inventory.devices[*i].name));
    let more = match others.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = format!("`{name}` has no `parents`, while {like} have: {shown}{more}");
    let parents = |i: usize| inventory.devices[i].parents.iter().copied().collect::<BTreeSet<_>>();
    let common = others
        .iter()
        .map(|i| parents(*i))
        .reduce(|a, b| &a & &b)
        .unwrap_or_default();
    let suggested: Vec<String> = common
        .iter()
        .filter(|id| id.index() != of)
        .map(|id| format!("\"{}\"", inventory.devices[id.index()].name))
        .collect();
    let example = match suggested.is_empty() {
        true => "[\"NAME\"]".to_owned(),
        false => format!("[{}]", suggested.join(", ")),
    };
    let hint = format!(
        "when what it lies behind fails, it would be called down as a fault of its own: parents = {example}, or parents = [] if it is \
         reached directly"
    );
    ctx.push(Draft::warning(inventory.places[of], what).hint(hint).consequence());
}
