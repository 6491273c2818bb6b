//! How something stands beyond its state, in a few words for a terminal: being confirmed, behind another fault, in planned work.

use super::table::{Cell, Paint, cell, clock_time};
use super::words;
use crate::core::{Behind, Covered, MaintenanceStatus, ReachState, Recovering};
use crate::model::maintenance::{By, WindowStage};
use crate::model::{FindingKey, Level, Part};

/// A level; planned work is said beside it, and keeps a fault from shouting.
pub(super) fn level(level: Level, maintenance: Option<&Covered>) -> Cell {
    let word = match level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Critical => "critical",
    };
    match maintenance {
        Some(_) => cell(format!("{word}, maintenance"), Paint::Dim),
        None => words::level(level),
    }
}

/// Reachability: what answers again and is being confirmed is not "DOWN" to whoever looks, and what cannot be reached says because of what.
pub(super) fn reach(state: ReachState, recovering: Option<&Recovering>, behind: Option<&Behind>) -> Cell {
    match (state, recovering, behind) {
        (ReachState::Down, Some(r), _) => cell(confirming(r), Paint::Warn),
        (ReachState::Unreachable, _, Some(b)) => cell(format!("unreachable, {}", because(b)), Paint::Warn),
        _ => words::reach(state),
    }
}

/// `recovering, 2 of 3`, or where only time is missing `recovering, 45 of 60 s`.
fn confirming(r: &Recovering) -> String {
    if r.good_rounds < r.rounds {
        return format!("recovering, {} of {}", r.good_rounds, r.rounds);
    }
    let seconds = r.last_answer.since(r.first_answer).as_secs();
    format!("recovering, {seconds} of {:.0} s", r.over_seconds)
}

/// `behind #1 sw`.
pub(super) fn because(behind: &Behind) -> String {
    let name = target(&behind.root);
    match behind.incident {
        Some(number) => format!("behind #{number} {name}"),
        None => format!("behind {name}"),
    }
}

/// The device of a finding, or what else it is about.
fn target(key: &FindingKey) -> String {
    match (&key.device, &key.part) {
        (Some(device), _) => device.to_string(),
        (None, Part::Common(label) | Part::Redundancy(label)) => label.to_string(),
        (None, _) => "this host".to_owned(),
    }
}

/// `maintenance "agg-3 upgrade" of ours, in force until 13:43`.
pub(super) fn maintenance(covered: &Covered) -> String {
    let whose = covered.by.map(|by| format!(" {}", whose(by))).unwrap_or_default();
    let stage = covered.stage.map(|s| format!(", {}", stage(s))).unwrap_or_default();
    format!("maintenance \"{}\"{whose}{stage}", covered.window)
}

/// Whose work it is.
pub(super) fn whose(by: By) -> &'static str {
    match by {
        By::Own => "of ours",
        By::Platform => "of the platform",
        By::Carrier => "of the carrier",
    }
}

/// How a window stands.
pub(super) fn stage(stage: WindowStage) -> String {
    match stage {
        WindowStage::Planned => "not begun".to_owned(),
        WindowStage::InForce { until: Some(until) } => format!("in force until {}", clock_time(until)),
        WindowStage::InForce { until: None } => "in force".to_owned(),
        WindowStage::Settling { until, .. } => format!("ended, settling until {}", clock_time(until)),
        WindowStage::Over => "over".to_owned(),
    }
}

/// The same of a window in a list, with its colour.
pub(super) fn window(of: &MaintenanceStatus) -> Cell {
    let text = match (of.stage, of.once) {
        // One that is taken back before it begins has no length.
        (WindowStage::Over, Some((start, end))) if start >= end => "taken back".to_owned(),
        (stage_now, _) => stage(stage_now),
    };
    cell(text, if of.stage.is_active() { Paint::Warn } else { Paint::Dim })
}
