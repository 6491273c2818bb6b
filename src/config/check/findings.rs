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

/// Kinds of the design that this version does not find.
pub(super) const NOT_YET_KINDS: [&str; 6] = [
    "switched-over",
    "redundancy-lost",
    "both-active",
    "none-active",
    "preferred-inactive",
    "switched-back",
];

/// What belongs to this host, not to a device.
const OF_THE_HOST: [FindingKind; 4] = [
    FindingKind::Blind,
    FindingKind::RouteNotReady,
    FindingKind::LastRouteLost,
    FindingKind::LedgerFailed,
];

/// Dotted columns of a device's `findings`.
pub(super) fn columns() -> Vec<String> {
    let kinds = FindingKind::ALL
        .into_iter()
        .filter(|k| *k != FindingKind::Threshold && !OF_THE_HOST.contains(k));
    kinds
        .flat_map(|k| ["level", "after"].map(|key| format!("findings.{}.{key}", k.key())))
        .collect()
}

/// One line, as far as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FindingLine {
    level: Option<Level>,
    after: Option<Duration>,
}

/// The lines of one section.
pub(super) type FindingPart = BTreeMap<FindingKind, FindingLine>;

/// `[findings]`.
pub(super) fn top(top: &Walk<'_>) -> FindingPart {
    part(top, "[findings]", true)
}

/// `findings` of a section.
pub(super) fn part(walk: &Walk<'_>, name: &str, host_too: bool) -> FindingPart {
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
        if !host_too && OF_THE_HOST.contains(&kind) {
            let what = format!("`{}` is about this host, not about a device", kind.key());
            walk.ctx
                .error(entry.key_at, what, "write it in [findings] at the top level");
            continue;
        }
        let Some(line) = Walk::of(walk.ctx, &entry.node, format!("`{}`", kind.key()), hint) else {
            continue;
        };
        let found = FindingLine {
            level: line.word("level", LEVELS).map(|l| l.value),
            after: line.duration("after", Duration::ZERO).map(|d| d.value),
        };
        line.finish();
        part.insert(kind, found);
    }
    for key in NOT_YET_KINDS {
        table.unsupported(key, super::NOT_YET);
    }
    table.finish();
    part
}

/// The rules in force for a device, where they differ from the kind's default. The weakest part first.
pub(super) fn settle(parts: &[&FindingPart]) -> BTreeMap<FindingKind, FindingRule> {
    let mut rules = BTreeMap::new();
    for kind in FindingKind::ALL.into_iter().filter(|k| !OF_THE_HOST.contains(k)) {
        let rule = fold(kind, parts);
        if rule != kind.default_rule() {
            rules.insert(kind, rule);
        }
    }
    rules
}

/// The rules of what belongs to no device.
pub(super) fn of_the_host(part: &FindingPart) -> BTreeMap<FindingKind, FindingRule> {
    let rules = OF_THE_HOST.into_iter().map(|kind| (kind, fold(kind, &[part])));
    rules.filter(|(kind, rule)| *rule != kind.default_rule()).collect()
}

fn fold(kind: FindingKind, parts: &[&FindingPart]) -> FindingRule {
    let mut rule = kind.default_rule();
    for line in parts.iter().filter_map(|p| p.get(&kind)) {
        rule.level = line.level.unwrap_or(rule.level);
        rule.after = line.after.unwrap_or(rule.after);
    }
    rule
}
