//! `[thresholds]`, and `thresholds.…` of classes, groups and devices: two levels on one number.

use crate::config::raw::{At, Node, Value};
use crate::config::reader::{Walk, wrong_type};
use crate::config::report::Ctx;
use crate::config::values::Unit;
use crate::model::{Bound, Threshold, ThresholdKind};
use std::collections::BTreeMap;
use std::time::Duration;

const KINDS: &[(&str, ThresholdKind, Unit)] = &[
    ("cpu", ThresholdKind::Cpu, Unit::Share),
    ("memory", ThresholdKind::Memory, Unit::Share),
    ("load5", ThresholdKind::Load5, Unit::Load),
    ("temperature", ThresholdKind::Temperature, Unit::Celsius),
    ("utilization", ThresholdKind::Utilization, Unit::Share),
    ("errors", ThresholdKind::Errors, Unit::Share),
    ("discards", ThresholdKind::Discards, Unit::Share),
    ("loss", ThresholdKind::Loss, Unit::Share),
    ("rtt", ThresholdKind::Rtt, Unit::Time),
    ("sessions", ThresholdKind::Sessions, Unit::Load),
    ("sessions-used", ThresholdKind::SessionsUsed, Unit::Share),
    ("ups-load", ThresholdKind::UpsLoad, Unit::Share),
    ("battery-charge", ThresholdKind::BatteryCharge, Unit::Share),
    ("battery-runtime", ThresholdKind::BatteryRuntime, Unit::Time),
];

/// Is there a threshold of this name?
pub(super) fn is_kind(key: &str) -> bool {
    KINDS.iter().any(|(k, ..)| *k == key)
}

/// The names of all thresholds.
pub(super) fn kinds() -> Vec<&'static str> {
    KINDS.iter().map(|(k, ..)| *k).collect()
}

/// The lines of one section; `None` is `"off"`.
pub(super) type ThresholdPart = BTreeMap<ThresholdKind, Option<Threshold>>;

/// `[thresholds]`.
pub(super) fn top(top: &Walk<'_>) -> ThresholdPart {
    part(top, "[thresholds]")
}

/// `thresholds` of a section.
pub(super) fn part(walk: &Walk<'_>, name: &str) -> ThresholdPart {
    let mut part = ThresholdPart::new();
    let Some(entry) = walk.get("thresholds") else {
        return part;
    };
    let hint = "lines such as cpu = { warning = \"70 %\", critical = \"90 %\", for = \"3m\" }";
    let Some(table) = Walk::of(walk.ctx, &entry.node, name, hint) else {
        return part;
    };
    for (key, kind, unit) in KINDS {
        if let Some(found) = table.read(key, |ctx, key, node| line(ctx, key, node, (*unit, kind.falls()))) {
            part.insert(*kind, found.value);
        }
    }
    table.finish();
    part
}

/// The thresholds in force, the weakest first: for all, then those that are meant for this very device.
pub(super) fn settle(
    top: impl Iterator<Item = (ThresholdKind, Option<Threshold>)>,
    shared: &[&ThresholdPart],
    named: &[&ThresholdPart],
) -> BTreeMap<ThresholdKind, Threshold> {
    let mut lines: ThresholdPart = top.collect();
    for part in shared {
        lines.extend(part.iter().map(|(k, t)| (*k, *t)));
    }
    for part in named {
        lines.extend(part.iter().map(|(k, t)| (*k, t.map(Threshold::by_name))));
    }
    lines
        .into_iter()
        .filter_map(|(kind, line)| line.map(|t| (kind, t)))
        .collect()
}

/// One line: a table, or `"off"` (inner `None`).
fn line(ctx: &Ctx<'_>, key: &str, node: &Node, unit: (Unit, bool)) -> Option<Option<Threshold>> {
    match &node.value {
        Value::String(s) if s == "off" => Some(None),
        Value::Table(_) => {
            let walk = Walk::of(ctx, node, format!("`{key}`"), "")?;
            let read = read_levels(&walk, unit);
            walk.finish();
            match read? {
                Some(threshold) => Some(Some(threshold)),
                None => {
                    ctx.error(
                        node.at,
                        format!("`{key}` sets neither `warning` nor `critical`"),
                        "give at least one of the two levels, or \"off\"",
                    );
                    None
                }
            }
        }
        other => {
            let hint = "a table, such as { warning = \"70 %\", critical = \"90 %\", for = \"3m\" }, or \"off\"";
            wrong_type(ctx, key, node, other, hint);
            None
        }
    }
}

/// The keys `warning critical clear for clear_for` of a table. Outer `None`: wrong; inner `None`: no level is set.
pub(super) fn levels(walk: &Walk<'_>, unit: Unit) -> Option<Option<Threshold>> {
    read_levels(walk, (unit, false))
}

/// The same; `falls`: lower is worse. Such a threshold holds negated numbers (see `ThresholdKind::falls`).
pub(super) fn read_levels(walk: &Walk<'_>, (unit, falls): (Unit, bool)) -> Option<Option<Threshold>> {
    let sign = if falls { -1.0 } else { 1.0 };
    let warning = number(walk, "warning", unit);
    let critical = number(walk, "critical", unit);
    let clear = clear(walk, unit);
    let hold = walk.duration("for", Duration::ZERO).map_or(Duration::ZERO, |d| d.value);
    let clear_hold = walk.duration("clear_for", Duration::ZERO).map_or(hold, |d| d.value);
    if let (Some(Some(w)), Some(Some(c))) = (&warning, &critical)
        && w.value * sign >= c.value * sign
    {
        let (side, hint) = match falls {
            false => ("below", "higher is worse: warning comes first, critical above it"),
            true => ("above", "lower is worse: warning comes first, critical below it"),
        };
        let (w_shown, c_shown) = (unit.show(w.value), unit.show(c.value));
        let what = format!("the warning of {w_shown} is not {side} the critical of {c_shown}");
        walk.ctx.error(w.at, what, hint);
        return None;
    }
    let (clear_warning, clear_critical) = clear?;
    let warning = bound(walk, "warning", (unit, sign), warning?, clear_warning);
    let critical = bound(walk, "critical", (unit, sign), critical?, clear_critical);
    let (warning, critical) = (warning?, critical?);
    if warning.is_none() && critical.is_none() {
        return Some(None);
    }
    Some(Some(Threshold::new(warning, critical, hold, clear_hold)?))
}

/// Outer `None`: wrong; inner `None`: not written.
fn number(walk: &Walk<'_>, key: &'static str, unit: Unit) -> Option<Option<At<f64>>> {
    if walk.get(key).is_none() {
        return Some(None);
    }
    walk.read(key, |ctx, key, node| value(ctx, key, node, unit)).map(Some)
}

fn value(ctx: &Ctx<'_>, key: &str, node: &Node, unit: Unit) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // thresholds are small numbers
    let taken = match &node.value {
        Value::String(s) => unit.text(s),
        Value::Integer(n) => unit.plain(*n as f64),
        Value::Float(n) => unit.plain(*n),
        other => {
            wrong_type(ctx, key, node, other, "a number with its unit");
            return None;
        }
    };
    match taken {
        Ok(v) => Some(v),
        Err(refusal) => {
            ctx.error(node.at, format!("`{key}` {}", refusal.what), refusal.hint);
            None
        }
    }
}

type Clears = (Option<At<f64>>, Option<At<f64>>);

fn clear(walk: &Walk<'_>, unit: Unit) -> Option<Clears> {
    let Some(entry) = walk.get("clear") else {
        return Some((None, None));
    };
    let hint = "a table with the value at which each level ends: { warning = …, critical = … }";
    let table = Walk::of(walk.ctx, &entry.node, "`clear`", hint)?;
    let warning = number(&table, "warning", unit);
    let critical = number(&table, "critical", unit);
    table.finish();
    Some((warning?, critical?))
}

/// A level with the value at which it ends. Outer `None`: wrong; inner `None`: not set.
fn bound(
    walk: &Walk<'_>,
    level: &str,
    (unit, sign): (Unit, f64),
    raise: Option<At<f64>>,
    clear: Option<At<f64>>,
) -> Option<Option<Bound>> {
    match (raise, clear) {
        (None, None) => Some(None),
        (None, Some(clear)) => {
            walk.ctx.error(
                clear.at,
                format!("`clear` gives a value for {level}, which is not set"),
                format!("set `{level}` too, or remove this"),
            );
            None
        }
        (Some(raise), Some(clear)) if clear.value * sign > raise.value * sign => {
            let what = format!(
                "{level} would end at {} but begin only at {}",
                unit.show(clear.value),
                unit.show(raise.value)
            );
            let side = if sign > 0.0 { "below" } else { "above" };
            let hint = format!("the value at which a level ends lies at or {side} the one at which it begins");
            walk.ctx.error(clear.at, what, hint);
            None
        }
        (Some(raise), clear) => {
            let default = || match sign > 0.0 {
                true => unit.default_clear(raise.value),
                false => unit.default_clear_above(raise.value),
            };
            let clear = clear.map_or_else(default, |c| c.value);
            Some(Some(Bound::new(raise.value * sign, clear * sign)?))
        }
    }
}
