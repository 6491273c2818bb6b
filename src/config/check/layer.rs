//! What `[class.NAME]`, `[group.NAME]` and `[[device]]` may say alike: one layer of a device's settings.

use super::findings::{self, FindingPart};
use super::poll::{self, PollPart};
use super::thresholds::{self, ThresholdPart};
use super::{interfaces, watches};
use crate::config::raw::{At, Node, Place, Value};
use crate::config::reader::{self, Walk};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::{InterfaceWanted, Liveness, Name, Owner, Profiles, Status, Watch};
use std::collections::BTreeMap;

pub(super) const OWNERS: &[(&str, Owner)] = &[
    ("own", Owner::Own),
    ("platform", Owner::Platform),
    ("carrier", Owner::Carrier),
    ("institution", Owner::Institution),
];
pub(super) const STATUSES: &[(&str, Status)] = &[
    ("planned", Status::Planned),
    ("active", Status::Active),
    ("ended", Status::Ended),
];

/// Classes that exist without a section.
const CLASSES: [&str; 2] = ["user", "service-provider"];

/// A class: thresholds and findings only.
#[derive(Default)]
pub(super) struct Class {
    pub(super) thresholds: ThresholdPart,
    pub(super) findings: FindingPart,
}

/// One layer; `None` is "not said here".
#[derive(Default)]
pub(super) struct Layer {
    pub(super) owner: Option<Owner>,
    pub(super) site: Option<At<String>>,
    pub(super) class: Option<At<String>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) status: Option<Status>,
    pub(super) liveness: Option<At<Liveness>>,
    pub(super) snmp: Option<At<String>>,
    /// Inner `None` is `"auto"`.
    pub(super) profile: Option<Option<Name>>,
    pub(super) interfaces: Option<At<Vec<InterfaceWanted>>>,
    /// Devices that `to` of an interface names.
    pub(super) links: Vec<At<String>>,
    pub(super) watches: Option<At<Vec<Watch>>>,
    pub(super) parents: Option<At<Vec<At<String>>>>,
    pub(super) poll: PollPart,
    pub(super) thresholds: ThresholdPart,
    pub(super) findings: FindingPart,
}

/// All `[class.NAME]`, with those that exist anyway.
pub(super) fn classes(top: &Walk<'_>) -> BTreeMap<String, Class> {
    let mut all: BTreeMap<String, Class> = CLASSES.iter().map(|c| ((*c).to_string(), Class::default())).collect();
    for (entry, walk) in super::named(top, "class") {
        let name = walk.name.clone();
        let class = Class {
            thresholds: thresholds::part(&walk, &format!("thresholds of {name}")),
            findings: findings::part(&walk, &format!("findings of {name}")),
        };
        walk.finish();
        all.insert(entry.key.clone(), class);
    }
    all
}

/// All `[group.NAME]`.
pub(super) fn groups(top: &Walk<'_>) -> BTreeMap<String, Layer> {
    let mut all = BTreeMap::new();
    for (entry, walk) in super::named(top, "group") {
        let group = layer(&walk);
        for key in ["name", "address", "group", "demarcation"] {
            if let Some(entry) = walk.get(key) {
                walk.ctx.error(
                    entry.key_at,
                    format!("`{key}` belongs to one device, not to a group"),
                    "write it in the [[device]]",
                );
            }
        }
        walk.finish();
        all.insert(entry.key.clone(), group);
    }
    all
}

/// The keys that groups and devices share.
pub(super) fn layer(walk: &Walk<'_>) -> Layer {
    let name = walk.name.clone();
    let (interfaces, links) = interfaces::interfaces(walk);
    Layer {
        owner: walk.word("owner", OWNERS).map(|o| o.value),
        site: walk.name("site"),
        class: walk.name("class"),
        tags: walk
            .names("tags", "a list of words")
            .map(|t| t.value.into_iter().map(|t| t.value).collect()),
        status: walk.word("status", STATUSES).map(|s| s.value),
        liveness: walk.read("liveness", liveness),
        snmp: walk.name("snmp"),
        profile: walk
            .text("profile", |text| profile_name(text, &walk.ctx.profiles()))
            .map(|p| p.value),
        interfaces,
        links,
        watches: watches::watches(walk),
        parents: walk.names(
            "parents",
            "a list of names of devices, such as [\"edge-a\", \"edge-b\"]",
        ),
        poll: poll::part(walk, &format!("poll of {name}")),
        thresholds: thresholds::part(walk, &format!("thresholds of {name}")),
        findings: findings::part(walk, &format!("findings of {name}")),
    }
}

fn profile_name(text: &str, profiles: &Profiles) -> values::Taken<Option<Name>> {
    if text == "auto" {
        return Ok(None);
    }
    if let Some(profile) = profiles.by_name(text) {
        return Ok(Some(Name::clone(&profile.name)));
    }
    let known = || std::iter::once("auto").chain(profiles.iter().map(|p| &*p.name));
    let hint = reader::did_you_mean(text, known()).unwrap_or_else(|| format!("one of: {}", reader::listing(known())));
    values::refuse(format!("is not a vendor profile: \"{text}\""), hint)
}

fn liveness(ctx: &Ctx<'_>, key: &str, node: &Node) -> Option<Liveness> {
    const WORDS: &[(&str, Liveness)] = &[
        ("echo", Liveness::Echo),
        ("snmp", Liveness::Snmp),
        ("none", Liveness::None),
    ];
    if let Value::Table(_) = node.value {
        let walk = Walk::of(ctx, node, "`liveness`", "")?;
        let port = walk.number("tcp", 1..=65_535);
        let port = walk.required("tcp", "the port that takes connections: { tcp = 22 }", port);
        walk.finish();
        return port.and_then(|p| u16::try_from(p.value).ok()).map(Liveness::Tcp);
    }
    if !matches!(node.value, Value::String(_)) {
        reader::wrong_type(
            ctx,
            key,
            node,
            &node.value,
            "\"echo\", \"snmp\", \"none\" or { tcp = 22 }",
        );
        return None;
    }
    if let Value::String(text) = &node.value
        && !WORDS.iter().any(|(w, _)| w == text)
    {
        let hint = "one of \"echo\", \"snmp\", \"none\", or { tcp = 22 } (tcp:22 in CSV)";
        ctx.error(node.at, format!("`{key}` cannot be \"{text}\""), hint);
        return None;
    }
    reader::word(ctx, key, node, WORDS)
}

/// The strongest layer that says something: the device's, else the group's.
pub(super) fn first<'l, T>(
    device: &'l Layer,
    group: Option<&'l Layer>,
    field: impl Fn(&'l Layer) -> Option<&'l T>,
) -> Option<&'l T> {
    field(device).or_else(|| group.and_then(field))
}

/// Where something of a layer stands, for a complaint.
pub(super) fn place<T>(found: Option<&At<T>>, otherwise: Place) -> Place {
    found.map_or(otherwise, |f| f.at)
}
