//! `[[redundancy]]`: who stands in for whom.
//!
//! Never here: what a group's members say.

use super::Unique;
use super::devices::Inventory;
use super::findings::{self, FindingPart};
use crate::config::raw::{At, Node, Place, Value};
use crate::config::reader::{self, Walk, unknown_reference};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::redundancy::{Role as MemberRole, RoleObject, SWITCHED_BACK};
use crate::model::{
    DeviceId, FindingKind, FindingRule, Level, Member, MemberPart, Name, Preferred, Redundancy, RedundancyKind, Role,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A BGP service is lost after this without a session, where no graceful restart time is written.
const BGP_LOST: Duration = Duration::from_secs(90);

const ROLES: &[(&str, MemberRole)] = &[
    ("active", MemberRole::Active),
    ("standby", MemberRole::Standby),
    ("failed", MemberRole::Failed),
];

/// Reads all groups.
pub(super) fn redundancy(top: &Walk<'_>, inventory: &Inventory, findings: &FindingPart) -> Vec<Redundancy> {
    let mut unique = Unique::new(top.ctx, "redundancy group");
    let mut on_path: Option<BTreeSet<DeviceId>> = None;
    let mut groups = Vec::new();
    for walk in super::tables(top, "redundancy") {
        let name = walk.required("name", "it is shown in mails and tables", walk.name("name"));
        let new = name.as_ref().is_none_or(|n| unique.add(n));
        let group = group(walk, name.map(|n| n.value), inventory, findings, &mut on_path);
        groups.extend(group.filter(|_| new));
    }
    groups
}

fn group(
    walk: Walk<'_>,
    name: Option<String>,
    inventory: &Inventory,
    findings: &FindingPart,
    on_path: &mut Option<BTreeSet<DeviceId>>,
) -> Option<Redundancy> {
    let words = RedundancyKind::ALL.map(|k| (k.key(), k));
    let hint = "what makes the members stand in for each other: vrrp, hsrp, bgp, ospf, lag, ha, link, route or role";
    let kind = walk.required("kind", hint, walk.word("kind", &words)).map(|k| k.value);
    let members = members(&walk, kind, inventory);
    let preferred = preferred(&walk, members.as_ref());
    let need = need(&walk, kind, members.as_ref());
    let preempt_delay = walk.duration("preempt_delay", Duration::ZERO);
    let graceful_restart = walk.duration("graceful_restart", Duration::ZERO);
    if let (Some(at), Some(kind)) = (walk.get("graceful_restart"), kind)
        && kind != RedundancyKind::Bgp
    {
        let what = format!("`graceful_restart` of a group of kind \"{}\"", kind.key());
        walk.ctx.error(at.key_at, what, "it belongs to kind = \"bgp\"");
    }
    let object = object(&walk, kind);
    let own = findings::of_a_group(&walk, &format!("findings of {}", walk.name));
    let members: Vec<Member> = members.map_or(Vec::new(), |m| m.value.into_iter().map(|m| m.member).collect());
    walk.finish();
    let (kind, graceful) = (kind?, graceful_restart.map_or(Duration::ZERO, |d| d.value));
    let on_path = on_path.get_or_insert_with(|| service_providers(inventory));
    let carries = members.iter().any(|m| on_path.contains(&m.device));
    let base = |finding: FindingKind| base(finding, kind, graceful, carries);
    Some(Redundancy {
        name: Arc::from(name?),
        kind,
        members,
        preferred,
        need,
        preempt_delay: preempt_delay.map_or(Duration::ZERO, |d| d.value),
        graceful_restart: graceful,
        object: object.filter(|_| kind == RedundancyKind::Role),
        switched_back: findings::switched_back(&[findings, &own]).unwrap_or(SWITCHED_BACK),
        findings: findings::of_redundancy(base, &[findings, &own]),
    })
}

/// Level and delay where nothing is written.
fn base(finding: FindingKind, kind: RedundancyKind, graceful: Duration, service_providers: bool) -> FindingRule {
    let rule = finding.default_rule();
    match finding {
        FindingKind::RedundancyLost if service_providers => FindingRule {
            level: Level::Critical,
            ..rule
        },
        FindingKind::NoneActive if kind == RedundancyKind::Bgp => FindingRule {
            after: if graceful.is_zero() { BGP_LOST } else { graceful },
            ..rule
        },
        _ => rule,
    }
}

/// Devices that circuits of service providers lie behind.
fn service_providers(inventory: &Inventory) -> BTreeSet<DeviceId> {
    let of_class =
        |d: &&crate::model::Device| d.role == Role::Circuit && d.class.as_deref() == Some("service-provider");
    let mut found = BTreeSet::new();
    let circuits = inventory.devices.iter().filter(of_class);
    let mut look: Vec<DeviceId> = circuits.flat_map(|d| d.parents.iter().copied()).collect();
    while let Some(id) = look.pop() {
        if found.insert(id)
            && let Some(device) = inventory.devices.get(id.index())
        {
            look.extend(&device.parents);
        }
    }
    found
}

/// A member with what it may be called by.
struct Written {
    member: Member,
    device: String,
    part: Option<String>,
    at: Place,
}

/// The key that tells members of a kind apart; `None`: the device is the member.
fn part_key(kind: RedundancyKind) -> Option<(&'static str, &'static str)> {
    match kind {
        RedundancyKind::Bgp | RedundancyKind::Ospf => {
            Some(("peer", "{ device = \"edge-a\", peer = \"198.51.100.1\" }"))
        }
        RedundancyKind::Lag | RedundancyKind::Link => {
            Some(("interface", "{ device = \"edge-a\", interface = \"xe-0/0/0\" }"))
        }
        RedundancyKind::Route => Some(("next_hop", "{ device = \"edge-a\", next_hop = \"192.0.2.1\" }")),
        RedundancyKind::Vrrp | RedundancyKind::Hsrp | RedundancyKind::Ha | RedundancyKind::Role => None,
    }
}

fn members(walk: &Walk<'_>, kind: Option<RedundancyKind>, inventory: &Inventory) -> Option<At<Vec<Written>>> {
    let hint = match kind.and_then(part_key) {
        Some((_, example)) => format!("a list such as [{example}, …]"),
        None => "a list of names of devices, such as [\"edge-a\", \"edge-b\"]".to_string(),
    };
    let mut seen: BTreeMap<Name, Place> = BTreeMap::new();
    let mut wrong = false;
    let members = walk.list("members", &hint, |ctx, node| {
        let member = match kind {
            Some(kind) => member(ctx, node, kind, &hint, inventory),
            None => device_of(ctx, node, &hint, inventory),
        };
        wrong |= member.is_none();
        let member = member?;
        if let Some(first) = seen.insert(Name::clone(&member.member.label), node.at) {
            let what = format!(
                "the member `{}` is written twice: also at {}",
                member.member.label,
                ctx.show(first)
            );
            ctx.error(node.at, what, "remove one of the two");
            wrong = true;
            return None;
        }
        Some(member)
    });
    let members = walk.required("members", &hint, members)?;
    // One device may tell of several units.
    let least = if kind == Some(RedundancyKind::Ha) { 1 } else { 2 };
    if !wrong && members.value.len() < least {
        let many = if members.value.is_empty() {
            "no member"
        } else {
            "one member"
        };
        let what = format!("a redundancy group of {many}");
        walk.ctx.error(members.at, what, "two at least stand in for each other");
    }
    Some(members)
}

/// The kind is not known: that its device is not either is told all the same.
fn device_of(ctx: &Ctx<'_>, node: &Node, hint: &str, inventory: &Inventory) -> Option<Written> {
    let device = match &node.value {
        Value::Table(_) => Walk::of(ctx, node, "a member", hint)?.name("device"),
        _ => reader::text(ctx, "members", node, values::name).map(|value| At { value, at: node.at }),
    };
    inventory.resolve(ctx, &device?)?;
    None
}

fn member(ctx: &Ctx<'_>, node: &Node, kind: RedundancyKind, hint: &str, inventory: &Inventory) -> Option<Written> {
    let key = part_key(kind);
    if let Value::String(_) = node.value {
        let value = reader::text(ctx, "members", node, values::name)?;
        if let Some((key, example)) = key {
            let what = format!(
                "a member of kind \"{}\" needs its `{key}`: \"{value}\" names a device only",
                kind.key()
            );
            ctx.error(node.at, what, format!("write {example}"));
            return None;
        }
        let device = At { value, at: node.at };
        return resolved(ctx, device, None, MemberPart::Whole, inventory);
    }
    let walk = Walk::of(ctx, node, "a member", hint)?;
    let device = walk.required("device", hint, walk.name("device"));
    let part = match key {
        None => Some((None, MemberPart::Whole)),
        Some(("interface", _)) => {
            let name = walk.text("interface", |s| match s.contains(['*', '?']) {
                true => values::refuse("is a pattern", "a member is one interface; write its ifName"),
                false => values::name(s),
            });
            let name = walk.required("interface", hint, name);
            name.map(|n| (Some(n.value.clone()), MemberPart::Interface(Arc::from(n.value))))
        }
        Some((key, _)) => {
            let address = walk.required(key, hint, walk.text(key, values::address));
            let part = |a: std::net::IpAddr| match key {
                "peer" => MemberPart::Peer(a),
                _ => MemberPart::NextHop(a),
            };
            address.map(|a| (Some(a.value.to_string()), part(a.value)))
        }
    };
    walk.finish();
    let (text, part) = part?;
    resolved(ctx, device?, text, part, inventory)
}

fn resolved(
    ctx: &Ctx<'_>,
    device: At<String>,
    text: Option<String>,
    part: MemberPart,
    inventory: &Inventory,
) -> Option<Written> {
    let id = inventory.resolve(ctx, &device)?;
    if !inventory.speaks_snmp.get(id.index()).copied().unwrap_or_default() {
        let what = format!(
            "the role of `{}` cannot be read: the device has no `snmp`",
            device.value
        );
        let hint = "add snmp = \"NAME\" to the device or its group, and a section [snmp.NAME]";
        ctx.error(device.at, what, hint);
    }
    let label = match &text {
        Some(text) => format!("{} {text}", device.value),
        None => device.value.clone(),
    };
    Some(Written {
        member: Member {
            device: id,
            label: Arc::from(label),
            part,
        },
        device: device.value,
        part: text,
        at: device.at,
    })
}

fn preferred(walk: &Walk<'_>, members: Option<&At<Vec<Written>>>) -> Preferred {
    let hint =
        "the member that should be active, or one for each instance: { \"51\" = \"edge-a\", \"52\" = \"edge-b\" }";
    let Some(entry) = walk.get("preferred") else {
        return Preferred::Nobody;
    };
    let found = |ctx: &Ctx<'_>, node: &Node| {
        let value = reader::text(ctx, "preferred", node, values::name)?;
        which(ctx, &At { value, at: node.at }, members.map_or(&[][..], |m| &m.value))
    };
    if let Value::String(_) = entry.node.value {
        return found(walk.ctx, &entry.node).map_or(Preferred::Nobody, Preferred::One);
    }
    let Some(by) = Walk::of(walk.ctx, &entry.node, "`preferred`", hint) else {
        return Preferred::Nobody;
    };
    let each = by.entries().iter();
    Preferred::ByInstance(
        each.filter_map(|e| Some((Name::from(e.key.as_str()), found(walk.ctx, &e.node)?)))
            .collect(),
    )
}

/// The member that is meant: by its device, by its peer, interface or next hop, or by both.
fn which(ctx: &Ctx<'_>, name: &At<String>, members: &[Written]) -> Option<usize> {
    let called = |w: &Written| {
        *w.member.label == *name.value || w.device == name.value || w.part.as_deref() == Some(name.value.as_str())
    };
    let mut meant = members.iter().enumerate().filter(|(_, w)| called(w));
    match (meant.next(), meant.next()) {
        (Some((at, _)), None) => Some(at),
        (Some((_, first)), Some((_, second))) => {
            let what = format!(
                "`preferred` fits two members: `{}` and `{}`",
                first.member.label, second.member.label
            );
            let hint = format!(
                "write the whole of it: \"{}\" (this one is at {})",
                first.member.label,
                ctx.show(first.at)
            );
            ctx.error(name.at, what, hint);
            None
        }
        (None, _) => {
            if !members.is_empty() {
                let all = members.iter().map(|w| &*w.member.label);
                unknown_reference(ctx, "member", name, all, "");
            }
            None
        }
    }
}

fn need(walk: &Walk<'_>, kind: Option<RedundancyKind>, members: Option<&At<Vec<Written>>>) -> u32 {
    let Some(need) = walk.number("need", 1..=10_000) else {
        return 1;
    };
    let have = members.map(|m| m.value.len());
    match kind {
        Some(kind) if !kind.counts() => {
            let what = format!("`need` of a group of kind \"{}\"", kind.key());
            let hint = "exactly one of its members is active; `need` belongs to bgp, ospf, lag and link";
            walk.ctx.error(need.at, what, hint);
        }
        _ if have.is_some_and(|have| need.value as usize > have) => {
            let what = format!(
                "`need` is {}, and there are {} members",
                need.value,
                have.unwrap_or_default()
            );
            walk.ctx
                .error(need.at, what, "as many as carry the service at the least");
        }
        _ => return need.value,
    }
    1
}

fn object(walk: &Walk<'_>, kind: Option<RedundancyKind>) -> Option<RoleObject> {
    let oid = walk.text("oid", values::oid);
    let hint = "what its values mean: { \"1\" = \"active\", \"2\" = \"standby\" }";
    let values = walk.get("values");
    if kind != Some(RedundancyKind::Role) {
        for key in ["oid", "values"] {
            if let (Some(entry), Some(kind)) = (walk.get(key), kind) {
                let what = format!("`{key}` of a group of kind \"{}\"", kind.key());
                walk.ctx.error(entry.key_at, what, "it belongs to kind = \"role\"");
            }
        }
        return None;
    }
    let oid = walk.required("oid", "the object that tells the role: an instance, or a column", oid);
    let entry = walk.required("values", hint, values)?;
    let table = Walk::of(walk.ctx, &entry.node, "`values`", hint)?;
    let each = table.entries().iter();
    let values: BTreeMap<String, MemberRole> = each
        .filter_map(|e| Some((e.key.clone(), reader::word(walk.ctx, &e.key, &e.node, ROLES)?)))
        .collect();
    if !values.values().any(|r| *r == MemberRole::Active) && !walk.ctx.has_errors() {
        walk.ctx
            .error(entry.node.at, "no value of `values` means \"active\"", hint);
    }
    Some(RoleObject {
        oid: oid?.value,
        values,
    })
}
