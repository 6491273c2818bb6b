//! A profile's measures and components over one reading.
//!
//! Never here: how one number is worked out (that is `scalar`).

use super::scalar::{Readings, evaluate, state};
use super::{PartSample, Sample, Unknown};
use crate::model::profile::{Health, Measure, Object, PartState, Profile};
use crate::model::{DeviceId, Mono, Name, Part};
use crate::poll::TableRow;

/// Each metric of the profile once: of several measures the first that gives a number. `rows` are in the order of their parts.
pub(super) fn numbers(
    profile: &Profile,
    rows: &[TableRow],
    readings: &Readings<'_>,
    (device, at): (DeviceId, Mono),
    out: &mut Vec<Sample>,
) {
    let before = out.len();
    let sample = |part: usize, measure: &Measure| {
        let found = evaluate(measure, of_part(part, rows), readings);
        Sample {
            device,
            part: Part::Device,
            metric: measure.metric,
            value: found.as_ref().map(|e| e.value).ok_or(Unknown::Missing),
            which: found.and_then(|e| e.which),
            at,
        }
    };
    for (part, measure) in profile.measures.iter().enumerate() {
        let mut ours = out.iter_mut().skip(before);
        match ours.find(|s| s.metric == measure.metric) {
            Some(known) if known.value.is_ok() => {}
            Some(unknown) => *unknown = sample(part, measure),
            None => out.push(sample(part, measure)),
        }
    }
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

fn of_part(part: usize, rows: &[TableRow]) -> &[TableRow] {
    let from = rows.partition_point(|r| usize::from(r.part) < part);
    let to = rows.partition_point(|r| usize::from(r.part) <= part);
    rows.get(from..to).unwrap_or_default()
}
