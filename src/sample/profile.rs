//! A profile's measures and components over one reading.
//!
//! Never here: how one number is worked out (that is `scalar`).

use super::PartSample;
use super::scalar::{Evaluated, Readings, evaluate, state};
use crate::model::profile::{Health, Object, PartState, Profile};
use crate::model::{Metric, Name};
use crate::poll::TableRow;

/// Each metric of the profile once: of several measures the first that gives a number.
pub(super) fn numbers(
    profile: &Profile,
    rows: &[TableRow],
    readings: &Readings<'_>,
) -> Vec<(Metric, Option<Evaluated>)> {
    let mut all: Vec<(Metric, Option<Evaluated>)> = Vec::with_capacity(profile.measures.len());
    for (part, measure) in profile.measures.iter().enumerate() {
        let before = all.iter().position(|(metric, _)| *metric == measure.metric);
        if before.is_some_and(|i| all[i].1.is_some()) {
            continue;
        }
        let found = evaluate(measure, &of_part(part, rows), readings);
        match before {
            Some(i) => all[i].1 = found,
            None => all.push((measure.metric, found)),
        }
    }
    all
}

/// Each part that gave a state.
pub(super) fn parts(profile: &Profile, rows: &[TableRow], readings: &Readings<'_>) -> Vec<PartSample> {
    let mut all = Vec::new();
    for (i, component) in profile.components.iter().enumerate() {
        let mut add = |name: &Name, row: Option<&TableRow>| {
            let Some((code, found)) = state(component, row, readings) else {
                return;
            };
            let mean = |s: &PartState| -> (Name, Health) { (Name::clone(&s.word), s.health) };
            all.push(PartSample {
                name: Name::clone(name),
                component: Name::clone(&component.name),
                code,
                state: found.map(mean),
            });
        };
        match component.object {
            Object::Instance(_) => add(&component.name, None),
            Object::Column(_) => {
                for row in of_part(profile.measures.len() + i, rows) {
                    add(row.label.as_ref().unwrap_or(&component.name), Some(row));
                }
            }
        }
    }
    all
}

fn of_part(part: usize, rows: &[TableRow]) -> Vec<&TableRow> {
    rows.iter().filter(|r| usize::from(r.part) == part).collect()
}
