//! Numbers against their thresholds, and numbers that stopped coming.

use super::condition::Conditions;
use super::interface::interface_key;
use super::threshold::{Step, ThresholdState};
use super::{Cause, FindingChange, RuleEffect};
use crate::model::device::glob;
use crate::model::{
    Device, FindingKey, FindingKind, Level, Liveness, Metric, Mono, Name, Now, Part, Status, Threshold, WatchKind,
};
use crate::sample::{Sample, Unknown};
use std::collections::BTreeMap;

/// No value for this many intervals is "no data".
const NO_DATA_INTERVALS: u32 = 3;

/// Identity of a number: device, part, metric. By name, so that it outlives a reload.
pub type NumberKey = (Name, Part, Metric);

/// One number as last judged.
#[derive(Clone, Debug)]
pub struct Number {
    /// Its threshold's state.
    pub state: ThresholdState,
    /// Last value, or why there is none.
    pub last: Result<f64, Unknown>,
    /// When the last value came; the first attempt if none has.
    pub known_at: Mono,
    /// A value has come at least once.
    pub ever: bool,
    /// The row of a table that it is from, where one decides.
    pub which: Option<Name>,
}

/// All numbers.
#[derive(Default)]
pub struct Numbers {
    /// By device first: a device's own are looked through every round.
    numbers: BTreeMap<Name, BTreeMap<(Part, Metric), Number>>,
}

/// The threshold that judges a number of a device.
pub fn threshold<'a>(device: &'a Device, part: &Part, metric: Metric) -> Option<&'a Threshold> {
    match (metric.kind(), part) {
        (Some(kind), _) => device.thresholds.get(&kind),
        (None, Part::Watch(name)) => device
            .watches
            .iter()
            .find(|w| w.name == *name)
            .and_then(|w| match &w.kind {
                WatchKind::Oid { threshold, .. } => threshold.as_ref(),
                WatchKind::Tcp { .. } => None,
            }),
        (None, _) => None,
    }
}

/// The unit people read.
pub fn unit(device: &Device, part: &Part, metric: Metric) -> String {
    let fixed = match metric {
        Metric::Load5 | Metric::Sessions => "",
        Metric::Temperature => "C",
        Metric::Rtt | Metric::BatteryRuntime => "s",
        Metric::Watch => {
            let Part::Watch(name) = part else { return String::new() };
            let watch = device.watches.iter().find(|w| w.name == *name).map(|w| &w.kind);
            return match watch {
                Some(WatchKind::Oid { unit, .. }) => unit.clone(),
                _ => String::new(),
            };
        }
        _ => "%",
    };
    fixed.to_owned()
}

fn key(number: &NumberKey, kind: FindingKind) -> FindingKey {
    FindingKey {
        device: Some(number.0.clone()),
        part: number.1.clone(),
        kind,
        metric: Some(number.2),
    }
}

impl Numbers {
    /// All numbers of a device, in a stable order.
    pub fn of<'a>(&'a self, device: &Name) -> impl Iterator<Item = (&'a Part, Metric, &'a Number)> {
        let of_device = self.numbers.get(device).into_iter().flatten();
        of_device.map(|((part, metric), number)| (part, *metric, number))
    }

    /// One number.
    pub fn get(&self, number: &NumberKey) -> Option<&Number> {
        let (device, part, metric) = number;
        self.numbers.get(device)?.get(&(part.clone(), *metric))
    }

    /// A level that was in force when the daemon stopped.
    pub(super) fn restore(&mut self, number: NumberKey, level: Level, now: Now) {
        let state = ThresholdState::restored(level);
        let fresh = Number {
            state,
            last: Err(Unknown::WarmingUp),
            known_at: now.mono,
            ever: true,
            which: None,
        };
        let (device, part, metric) = number;
        self.numbers.entry(device).or_default().insert((part, metric), fresh);
    }

    /// Takes one number.
    pub(super) fn take(
        &mut self,
        device: &Device,
        sample: &Sample,
        conditions: &mut Conditions,
        out: &mut Vec<RuleEffect>,
        now: Now,
    ) {
        let id = (device.name.clone(), sample.part.clone(), sample.metric);
        let of_device = self.numbers.entry(id.0.clone()).or_default();
        let number = of_device.entry((id.1.clone(), id.2)).or_insert_with(|| Number {
            state: ThresholdState::default(),
            last: Err(Unknown::WarmingUp),
            known_at: sample.at,
            ever: false,
            which: None,
        });
        let value = match sample.value {
            Err(reason) => {
                number.last = Err(reason);
                if reason.neutral() {
                    number.known_at = sample.at;
                }
                return;
            }
            Ok(value) => value,
        };
        if sample.at.since(number.known_at) >= device.poll.interval * NO_DATA_INTERVALS {
            number.state.gap();
        }
        (number.last, number.known_at, number.ever) = (Ok(value), sample.at, true);
        number.which.clone_from(&sample.which);
        let no_data = key(&id, FindingKind::NoData);
        out.extend(conditions.end(&no_data, Cause::DataBack, now).map(RuleEffect::Finding));
        let Some(threshold) = threshold(device, &sample.part, sample.metric) else {
            return;
        };
        if let Some(step) = number.state.take(value * id.2.sign(), threshold, sample.at) {
            out.push(RuleEffect::Finding(change(
                &id,
                device,
                &step,
                (value, &sample.which),
                now,
            )));
        }
    }

    /// Numbers with a threshold that have had no value for three intervals, while the agent answers.
    pub(super) fn overdue(&mut self, device: &Device, conditions: &mut Conditions, now: Now) {
        let patience = device.poll.interval * NO_DATA_INTERVALS;
        for ((part, metric), number) in self.numbers.get(&device.name).into_iter().flatten() {
            let id = &(device.name.clone(), part.clone(), *metric);
            let asked = number.ever || matches!(part, Part::Watch(_));
            let silent = now.mono.since(number.known_at);
            if asked && silent >= patience && judged(device, part, *metric) {
                // That the port is gone is the finding; that it gives no numbers follows from it.
                if let Part::Interface(name) = part
                    && conditions
                        .get(&interface_key(device, name, FindingKind::InterfaceMissing))
                        .is_some()
                {
                    continue;
                }
                let reason = number.last.err().map_or("no answer", Unknown::key).to_owned();
                let cause = Cause::NoData {
                    seconds: silent.as_secs_f64(),
                    reason,
                };
                let rule = device.rule(FindingKind::NoData);
                conditions.hold(
                    key(id, FindingKind::NoData),
                    rule,
                    cause,
                    number.known_at,
                    number.known_at,
                    now,
                );
            }
        }
    }

    /// Ends findings whose threshold is gone, and forgets numbers that are not measured any more.
    pub(super) fn reload(&mut self, devices: &BTreeMap<Name, &Device>, out: &mut Vec<RuleEffect>, now: Now) {
        self.numbers.retain(|name, numbers| {
            let device = devices.get(name);
            numbers.retain(|(part, metric), number| {
                let kept = device.is_some_and(|d| judged(d, part, *metric));
                if !kept && number.state.level() > Level::Ok {
                    out.push(RuleEffect::Finding(FindingChange {
                        key: key(&(name.clone(), part.clone(), *metric), FindingKind::Threshold),
                        from: number.state.level(),
                        to: Level::Ok,
                        since: now.wall,
                        at: now.wall,
                        cause: Cause::Removed,
                        isolation: None,
                    }));
                    number.state = ThresholdState::default();
                }
                kept || device.is_some_and(|d| measured(d, part, *metric))
            });
            device.is_some()
        });
    }
}

/// Is the number asked for at all?
fn measured(device: &Device, part: &Part, metric: Metric) -> bool {
    if device.status != Status::Active {
        return false;
    }
    match (part, metric) {
        (_, Metric::Loss | Metric::Rtt) => device.liveness != Liveness::None,
        (Part::Interface(name), _) => device.snmp.is_some() && device.interfaces.iter().any(|w| glob(&w.pattern, name)),
        (Part::Watch(name), _) => device.watches.iter().any(|w| w.name == *name),
        _ => device.snmp.is_some(),
    }
}

/// Is it held against a threshold?
pub(super) fn judged(device: &Device, part: &Part, metric: Metric) -> bool {
    measured(device, part, metric) && threshold(device, part, metric).is_some()
}

fn change(
    id: &NumberKey,
    device: &Device,
    step: &Step,
    (value, which): (f64, &Option<Name>),
    now: Now,
) -> FindingChange {
    let unit = unit(device, &id.1, id.2);
    let bound = step.bound * id.2.sign();
    let cause = match step.to > step.from {
        true => Cause::Above {
            value,
            bound,
            unit,
            which: which.clone(),
        },
        false => Cause::Below { value, bound, unit },
    };
    FindingChange {
        key: key(id, FindingKind::Threshold),
        from: step.from,
        to: step.to,
        since: now.wall_at(step.since),
        at: now.wall,
        cause,
        isolation: None,
    }
}
