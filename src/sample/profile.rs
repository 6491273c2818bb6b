//! A profile's measures and components over one reading.
//!
//! Never here: how one number is worked out (that is `scalar`).

use super::scalar::{Measured, Readings, RowValue, evaluate, is_tabular, state, values};
use super::{PartReading, PartSample, PartValue, Sample, Unknown};
use crate::model::profile::{Component, Health, Measure, Object, PartState, Profile};
use crate::model::{ComponentName, Device, DeviceId, Mono, Name, Part};
use crate::poll::TableRow;

/// Each metric of the profile once: of several measures the first that gives a number, with those that join it. `rows` are in the
/// order of their parts. What any make may answer and this device does not is not missing.
pub(super) fn numbers(
    profile: &Profile,
    rows: &[TableRow],
    readings: &Readings<'_>,
    (device, of, at): (DeviceId, &Device, Mono),
    out: &mut Vec<Sample>,
) {
    let before = out.len();
    let mut part = 0;
    while let Some(measure) = profile.measures.get(part) {
        let more = profile.measures.iter().skip(part + 1).take_while(|m| m.joins).count();
        let group = part..part + 1 + more;
        part = group.end;
        let known = out.iter().skip(before).position(|s| s.metric == measure.metric);
        let known = known.and_then(|at| out.get_mut(before + at));
        if known.as_ref().is_some_and(|k| k.value.is_ok()) {
            continue;
        }
        // Most measures of a profile are those of other models: the agent has learned that there are no rows.
        let none = |part: usize| of_part(part, rows).is_empty() && profile.measures.get(part).is_some_and(is_tabular);
        if group.clone().all(none) && (known.is_some() || measure.fallback) {
            continue;
        }
        let measured: Vec<Measured<'_>> = group
            .filter_map(|part| Some((profile.measures.get(part)?, of_part(part, rows))))
            .collect();
        let site = measure.metric.kind().and_then(|kind| of.thresholds.get(&kind));
        let found = evaluate(&measured, site, readings);
        if found.is_none() && (known.is_some() || measure.fallback) {
            continue;
        }
        let sample = sample(measure, found, (device, at));
        match known {
            Some(known) => *known = sample,
            None => out.push(sample),
        }
    }
}

fn sample(measure: &Measure, found: Option<super::scalar::Evaluated>, (device, at): (DeviceId, Mono)) -> Sample {
    Sample {
        device,
        part: Part::Device,
        metric: measure.metric,
        value: found.as_ref().map(|e| e.value).ok_or(Unknown::Missing),
        limits: found.as_ref().and_then(|e| e.limits),
        which: found.and_then(|e| e.which),
        at,
    }
}

/// Each part that gave a state.
pub(super) fn parts(profile: &Profile, rows: &[TableRow], readings: &Readings<'_>) -> Vec<PartSample> {
    let mut all = Vec::new();
    for (i, component) in profile.components.iter().enumerate() {
        let mut add = |row: Option<&TableRow>| {
            let Some((code, found)) = state(component, row, readings) else {
                return;
            };
            let mean = |s: &PartState| -> (Name, Health) { (Name::clone(&s.word), s.health) };
            all.push(PartSample {
                name: name(component, row),
                component: Name::clone(&component.name),
                code,
                state: found.map(mean),
            });
        };
        match component.object {
            Object::Instance(_) => add(None),
            Object::Column(_) => {
                for row in of_part(profile.measures.len() + i, rows) {
                    add(Some(row));
                }
            }
        }
    }
    all
}

/// A part is known by its row, and called by its label.
fn name(component: &Component, row: Option<&TableRow>) -> ComponentName {
    let id = row.and_then(|r| r.id.as_ref()).unwrap_or(&component.name);
    let label = row.and_then(|r| r.label.as_ref()).unwrap_or(id);
    ComponentName {
        id: Name::clone(id),
        label: Name::clone(label),
    }
}

/// Everything that the device tells of its parts, healthy or not: states first, then the numbers of rows of which the device's number
/// is made.
pub(super) fn list(profile: &Profile, rows: &[TableRow], readings: &Readings<'_>) -> Vec<PartReading> {
    let part = |part: PartSample| PartReading {
        kind: part.component,
        label: part.name.label,
        value: PartValue::State {
            code: part.code,
            word: part.state.as_ref().map(|(word, _)| Name::clone(word)),
            health: part.state.map(|(_, health)| health),
        },
    };
    let mut all: Vec<PartReading> = parts(profile, rows, readings).into_iter().map(part).collect();
    for (i, measure) in profile.measures.iter().enumerate() {
        let mut of_rows: Vec<RowValue<'_>> = Vec::new();
        // Of a sum the rows are no parts that anybody would name.
        if measure.over != crate::model::profile::Over::Sum {
            values(measure, of_part(i, rows), readings, &mut of_rows);
        }
        all.extend(of_rows.into_iter().filter_map(|row| {
            Some(PartReading {
                kind: measure.metric.key().into(),
                label: Name::clone(row.label?),
                value: PartValue::Number {
                    metric: measure.metric,
                    value: row.value,
                    limits: row.limits,
                },
            })
        }));
    }
    all
}

fn of_part(part: usize, rows: &[TableRow]) -> &[TableRow] {
    let from = rows.partition_point(|r| usize::from(r.part) < part);
    let to = rows.partition_point(|r| usize::from(r.part) <= part);
    rows.get(from..to).unwrap_or_default()
}
