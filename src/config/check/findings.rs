//! `[findings]`, and `findings.…` of classes, groups and devices: level and delay of what is not a number.

use crate::config::reader::Walk;
use crate::model::{FindingKind, FindingRule, Level};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const LEVELS: &[(&str, Level)] = &[
    ("ok", Level::Ok),
    ("warning", Level::Warning),
    ("critical", Level::Critical),
];

/// What belongs to this host, not to a device.
const OF_THE_HOST: [FindingKind; 5] = [
    FindingKind::Blind,
    FindingKind::RouteNotReady,
    FindingKind::LastRouteLost,
    FindingKind::ContactRefused,
    FindingKind::LedgerFailed,
];

/// Dotted columns of a device's `findings`.
pub(super) fn columns() -> Vec<String> {
    let kinds = FindingKind::ALL
        .into_iter()
        .filter(|k| *k != FindingKind::Threshold && Whose::Device.may_say(*k));
    kinds
        .flat_map(|k| ["level", "after"].map(|key| format!("findings.{}.{key}", k.key())))
        .collect()
}

/// One line, as far as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FindingLine {
    level: Option<Level>,
    after: Option<Duration>,
    /// Of `switched-over`: from `switched-back`, which ends it.
    over: Option<Duration>,
}

/// The lines of one section.
pub(super) type FindingPart = BTreeMap<FindingKind, FindingLine>;

/// Whose findings a section may speak of.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    Everything,
    Device,
    Group,
}

impl Whose {
    fn may_say(self, kind: FindingKind) -> bool {
        match self {
            Whose::Everything => true,
            Whose::Device => !OF_THE_HOST.contains(&kind) && !kind.is_of_redundancy(),
            Whose::Group => kind.is_of_redundancy(),
        }
    }
}

/// `[findings]`.
pub(super) fn top(top: &Walk<'_>) -> FindingPart {
    lines_of(top, "[findings]", Whose::Everything)
}

/// `findings` of a class, a group of devices or a device.
pub(super) fn part(walk: &Walk<'_>, name: &str) -> FindingPart {
    lines_of(walk, name, Whose::Device)
}

/// `findings` of a redundancy group.
pub(super) fn of_a_group(walk: &Walk<'_>, name: &str) -> FindingPart {
    lines_of(walk, name, Whose::Group)
}

fn lines_of(walk: &Walk<'_>, name: &str, whose: Whose) -> FindingPart {
    let mut part = FindingPart::new();
    let Some(entry) = walk.get("findings") else { return part };
    let hint = "lines such as interface-down = { level = \"warning\", after = \"30s\" }";
    let Some(table) = Walk::of(walk.ctx, &entry.node, name, hint) else {
        return part;
    };
    for kind in FindingKind::ALL {
        let Some(entry) = table.get(kind.key()) else { continue };
        if kind == FindingKind::Threshold {
            walk.ctx.error(
                entry.key_at,
                "`threshold` has no line here",
                "a threshold's levels stand in [thresholds]",
            );
            continue;
        }
        if !whose.may_say(kind) {
            let (what, hint) = misplaced(kind, whose);
            walk.ctx.error(entry.key_at, what, hint);
            continue;
        }
        let Some(line) = Walk::of(walk.ctx, &entry.node, format!("`{}`", kind.key()), hint) else {
            continue;
        };
        let found = FindingLine {
            level: line.word("level", LEVELS).map(|l| l.value),
            after: line.duration("after", Duration::ZERO).map(|d| d.value),
            over: None,
        };
        line.finish();
        part.insert(kind, found);
    }
    if let Some(after) = switched_back_line(&table, whose) {
        part.entry(FindingKind::SwitchedOver).or_default().over = Some(after);
    }
    table.finish();
    part
}

/// `switched-back = { after = … }`: no finding of its own, but the end of one.
fn switched_back_line(table: &Walk<'_>, whose: Whose) -> Option<Duration> {
    let entry = table.get("switched-back")?;
    if !whose.may_say(FindingKind::SwitchedOver) {
        let hint = "write it in [findings] at the top level, or in the [[redundancy]] group";
        let what = "`switched-back` is about a redundancy group, not about a device";
        table.ctx.error(entry.key_at, what, hint);
        return None;
    }
    let hint = "how long the preferred side must be active again: { after = \"5m\" }";
    let line = Walk::of(table.ctx, &entry.node, "`switched-back`", hint)?;
    if let Some(level) = line.get("level") {
        let hint = "it ends a switchover: its level is that of `switched-over`";
        table.ctx.error(level.key_at, "`switched-back` has no level", hint);
        return None;
    }
    let after = line.required("after", hint, line.duration("after", Duration::ZERO));
    line.finish();
    after.map(|d| d.value)
}

/// How long the right side of a group must be active again until a switchover is over. The weakest part first.
pub(super) fn switched_back(parts: &[&FindingPart]) -> Option<Duration> {
    let over = |part: &&FindingPart| part.get(&FindingKind::SwitchedOver)?.over;
    parts.iter().rev().find_map(over)
}

/// What is wrong with a line that stands in the wrong section, and where it belongs.
fn misplaced(kind: FindingKind, whose: Whose) -> (String, &'static str) {
    let key = kind.key();
    match (kind.is_of_redundancy(), whose) {
        (true, _) => (
            format!("`{key}` is about a redundancy group, not about a device"),
            "write it in [findings] at the top level, or in the [[redundancy]] group",
        ),
        (false, Whose::Group) => (
            format!("`{key}` is not about a redundancy group"),
            "write it in [findings] at the top level, or in the device",
        ),
        _ => (
            format!("`{key}` is about this host, not about a device"),
            "write it in [findings] at the top level",
        ),
    }
}

/// The rules in force for a device, where they differ from the kind's default. The weakest part first.
pub(super) fn settle(parts: &[&FindingPart]) -> BTreeMap<FindingKind, FindingRule> {
    let mut rules = BTreeMap::new();
    for kind in FindingKind::ALL.into_iter().filter(|k| Whose::Device.may_say(*k)) {
        let rule = fold(kind.default_rule(), kind, parts);
        if rule != kind.default_rule() {
            rules.insert(kind, rule);
        }
    }
    rules
}

/// The rules of what belongs to no device.
pub(super) fn of_the_host(part: &FindingPart) -> BTreeMap<FindingKind, FindingRule> {
    let rules = OF_THE_HOST
        .into_iter()
        .map(|kind| (kind, fold(kind.default_rule(), kind, &[part])));
    rules.filter(|(kind, rule)| *rule != kind.default_rule()).collect()
}

/// The rules in force for a redundancy group, where they differ from the kind's default. `base` says what holds where nothing is written.
pub(super) fn of_redundancy(
    base: impl Fn(FindingKind) -> FindingRule,
    parts: &[&FindingPart],
) -> BTreeMap<FindingKind, FindingRule> {
    let kinds = FindingKind::ALL.into_iter().filter(|k| k.is_of_redundancy());
    let rules = kinds.map(|kind| (kind, fold(base(kind), kind, parts)));
    rules.filter(|(kind, rule)| *rule != kind.default_rule()).collect()
}

fn fold(mut rule: FindingRule, kind: FindingKind, parts: &[&FindingPart]) -> FindingRule {
    for line in parts.iter().filter_map(|p| p.get(&kind)) {
        rule.level = line.level.unwrap_or(rule.level);
        rule.after = line.after.unwrap_or(rule.after);
    }
    rule
}
