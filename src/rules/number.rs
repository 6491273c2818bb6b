//! Numbers against their thresholds, and numbers that do not come.

mod silence;

pub use silence::WHOLE;
pub(super) use silence::{Answer, still_named};

use super::condition::Conditions;
use super::threshold::{Step, ThresholdState};
use super::{Cause, FindingChange, RuleEffect};
use crate::model::device::glob;
use crate::model::{
    Device, DeviceId, FindingKey, FindingKind, InterfaceWanted, Level, Limits, Liveness, Measure, Metric, Mono, Name,
    Now, Part, Site, Status, Threshold, WatchKind,
};
use crate::sample::{Sample, Unknown};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

/// Identity of a number within its device.
pub type NumberKey = (Part, Metric);

/// One number as last judged.
#[derive(Clone, Debug)]
pub struct Number {
    /// Its threshold's state.
    pub state: ThresholdState,
    /// Last value, or why there is none.
    pub last: Result<f64, Unknown>,
    /// When the last value came; since when it is waited for if none has.
    pub known_at: Mono,
    /// A value has come at least once.
    pub ever: bool,
    /// When something was last said of it, a value or why there is none.
    said_at: Mono,
    /// Why there has been no value since the last one: what was said beside "warming up".
    why: Option<Unknown>,
    /// Milliseconds for which the agent has answered without a value of it. While nobody answers it stands still.
    unheard_ms: u32,
    /// The row of a table that it is from, where one decides; few numbers have one.
    pub which: Option<Box<Name>>,
    /// The device's own limits for that row.
    pub limits: Option<Box<Limits>>,
}

/// All numbers.
pub struct Numbers {
    /// By [`DeviceId`]; each list is sorted and short.
    numbers: Vec<Vec<(NumberKey, Number)>>,
    /// By [`DeviceId`]: when its agent answered last, and the ports that are wanted by name.
    agents: Vec<silence::Agent>,
}

impl Number {
    fn new(at: Mono) -> Number {
        Number {
            state: ThresholdState::default(),
            last: Err(Unknown::WarmingUp),
            known_at: at,
            ever: false,
            said_at: at,
            why: None,
            unheard_ms: 0,
            which: None,
            limits: None,
        }
    }

    /// A value came, or word that there is nothing to judge.
    fn heard(&mut self, at: Mono) {
        (self.known_at, self.said_at, self.ever) = (at, at, true);
        (self.why, self.unheard_ms) = (None, 0);
    }
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
                WatchKind::Service(service) => service.threshold(metric),
                WatchKind::Tcp { .. } => None,
            }),
        (None, _) => None,
    }
}

/// How often a number of this part is read.
fn interval(device: &Device, part: &Part) -> Duration {
    let service = match part {
        Part::Watch(name) => device.service(name),
        _ => None,
    };
    service.map_or(device.poll.interval, |s| s.interval)
}

/// The unit people read.
pub fn unit(device: &Device, part: &Part, metric: Metric) -> String {
    let fixed = match metric {
        Metric::Load5 | Metric::Sessions => "",
        Metric::Temperature => "C",
        Metric::Rtt | Metric::BatteryRuntime | Metric::ClockOffset | Metric::AnswerTime => "s",
        Metric::CertificateDays => "d",
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

fn key(device: &Name, (part, metric): &NumberKey, kind: FindingKind) -> FindingKey {
    FindingKey {
        device: Some(device.clone()),
        part: part.clone(),
        kind,
        metric: Some(*metric),
    }
}

impl Numbers {
    /// None measured yet: what is wanted by name is waited for.
    pub(super) fn new(site: &Site, now: Mono) -> Numbers {
        let mut numbers = Numbers {
            numbers: vec![Vec::new(); site.devices.len()],
            agents: silence::agents(site, now),
        };
        numbers.wait(site, now);
        numbers
    }

    /// Numbers that are wanted by name are there before they come.
    fn wait(&mut self, site: &Site, now: Mono) {
        for (id, device) in site.iter() {
            for (part, metric) in silence::named_numbers(device) {
                self.at(id, &part, metric, || Number::new(now));
            }
        }
    }

    /// All numbers of a device, in a stable order.
    pub fn of(&self, device: DeviceId) -> impl Iterator<Item = (&Part, Metric, &Number)> {
        let of_device = self.numbers.get(device.index()).into_iter().flatten();
        of_device.map(|((part, metric), number)| (part, *metric, number))
    }

    /// Looks at the numbers of a device.
    pub(super) fn warm(&self, device: DeviceId) {
        black_box(self.agents.get(device.index()).map(|a| a.last));
        for ((_, metric), number) in self.numbers.get(device.index()).into_iter().flatten() {
            black_box((*metric, number.known_at));
        }
    }

    /// The place of a number; made by `fresh` if there is none.
    fn at(
        &mut self,
        device: DeviceId,
        part: &Part,
        metric: Metric,
        fresh: impl FnOnce() -> Number,
    ) -> Option<&mut Number> {
        let list = self.numbers.get_mut(device.index())?;
        let at = match list.binary_search_by(|((p, m), _)| p.cmp(part).then(m.cmp(&metric))) {
            Ok(at) => at,
            Err(at) => {
                list.reserve_exact(1);
                list.insert(at, ((part.clone(), metric), fresh()));
                at
            }
        };
        list.get_mut(at).map(|(_, number)| number)
    }

    /// A level that was in force when the daemon stopped.
    pub(super) fn restore(&mut self, device: DeviceId, part: &Part, metric: Metric, level: Level, now: Now) {
        let restored = || Number {
            state: ThresholdState::restored(level),
            ever: true,
            ..Number::new(now.mono)
        };
        if let Some(number) = self.at(device, part, metric, restored) {
            *number = restored();
        }
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
        let fresh = || Number::new(sample.at);
        let Some(number) = self.at(sample.device, &sample.part, sample.metric, fresh) else {
            return;
        };
        let value = match sample.value {
            Err(reason) => {
                (number.last, number.said_at) = (Err(reason), sample.at);
                match reason {
                    Unknown::TooFewPackets => number.heard(sample.at),
                    Unknown::WarmingUp => return,
                    _ => {
                        number.why = Some(reason);
                        return;
                    }
                }
                None
            }
            Ok(value) => Some(value),
        };
        if value.is_some() {
            if sample.at.since(number.known_at)
                >= silence::patience(device, sample.metric, interval(device, &sample.part))
            {
                number.state.gap();
            }
            number.heard(sample.at);
        }
        if number.limits.as_deref() != sample.limits.as_ref() {
            number.limits = sample.limits.map(Box::new);
        }
        let id = || (sample.part.clone(), sample.metric);
        if conditions.has_any_of(&device.name) {
            let no_data = key(&device.name, &id(), FindingKind::NoData);
            out.extend(conditions.end(&no_data, Cause::DataBack, now).map(RuleEffect::Finding));
        }
        let Some(value) = value else { return };
        number.last = Ok(value);
        if number.which.as_deref() != sample.which.as_ref() {
            number.which = sample.which.clone().map(Box::new);
        }
        let Some(threshold) = threshold(device, &sample.part, sample.metric) else {
            return;
        };
        // Where the device has limits of its own for what it measures, they judge.
        let own = sample.limits.and_then(|limits| limits.threshold(threshold));
        let threshold = own.as_ref().unwrap_or(threshold);
        let suspect = number.state.is_suspect();
        let step = number.state.take(value * sample.metric.sign(), threshold, sample.at);
        if !tells(device, sample.metric) {
            return;
        }
        if suspect || number.state.is_suspect() {
            out.push(RuleEffect::Suspect(sample.clone()));
        }
        if let Some(step) = step {
            let reading = (value, &sample.which);
            out.push(RuleEffect::Finding(change(&id(), device, &step, reading, now)));
        }
    }

    /// Takes a new configuration: ends findings whose threshold is gone, and forgets numbers that are not measured any more.
    pub(super) fn reload(
        &mut self,
        old: &Site,
        new: &Site,
        ids: &HashMap<Name, DeviceId>,
        out: &mut Vec<RuleEffect>,
        now: Now,
    ) {
        let before = std::mem::replace(&mut self.numbers, vec![Vec::new(); new.devices.len()]);
        let agents = std::mem::replace(&mut self.agents, silence::agents(new, now.mono));
        for ((device, mut numbers), agent) in old.devices.iter().zip(before).zip(agents) {
            let to = ids.get(&device.name).copied();
            if let Some(place) = to.and_then(|id| self.agents.get_mut(id.index())) {
                place.goes_on(agent);
            }
            let kept = to.map(|id| new.device(id));
            numbers.retain_mut(|(number_key, number)| {
                let number_key: &NumberKey = number_key;
                let (part, metric) = number_key;
                let still_judged = kept.is_some_and(|d| judged(d, part, *metric) && tells(d, *metric));
                if !still_judged && number.state.level() > Level::Ok && tells(device, *metric) {
                    out.push(RuleEffect::Finding(FindingChange {
                        key: key(&device.name, number_key, FindingKind::Threshold),
                        from: number.state.level(),
                        to: Level::Ok,
                        since: now.wall,
                        at: now.wall,
                        cause: Cause::Removed,
                        isolation: None,
                    }));
                    number.state = ThresholdState::default();
                }
                kept.is_some_and(|d| measured(d, part, *metric))
            });
            if let Some(place) = to.and_then(|id| self.numbers.get_mut(id.index())) {
                *place = numbers;
            }
        }
        self.wait(new, now.mono);
    }
}

/// Is a level of this number told, or only shown? (Utilisation of a circuit of class `user` mails nobody unless the configuration
/// says so: design section 6.)
pub(super) fn tells(device: &Device, metric: Metric) -> bool {
    let of_circuit = matches!(metric, Metric::UtilizationDown | Metric::UtilizationUp);
    !of_circuit || device.circuit.as_ref().is_none_or(|c| c.tells_utilization)
}

/// Is the number asked for at all?
fn measured(device: &Device, part: &Part, metric: Metric) -> bool {
    if device.status != Status::Active {
        return false;
    }
    match (part, metric) {
        // Where no threshold is on them the sampler shows them, and no number is made.
        (_, Metric::Loss | Metric::Rtt) => {
            let asked = !matches!(device.liveness, Liveness::None | Liveness::Line);
            asked && threshold(device, part, metric).is_some()
        }
        (_, Metric::UtilizationDown | Metric::UtilizationUp) => {
            device.circuit.as_ref().is_some_and(|c| c.measure != Measure::Nothing)
        }
        (_, Metric::Errors | Metric::Discards) if device.circuit.is_some() => {
            device.circuit.as_ref().is_some_and(|c| c.measure != Measure::Nothing)
        }
        // The name of a port that was found by its alias is not known here.
        (Part::Interface(name), _) => {
            let fits = |w: &InterfaceWanted| w.is_by_alias() || glob(&w.pattern, name);
            device.snmp.is_some() && device.interfaces.iter().any(fits)
        }
        (Part::Watch(name), _) => device.watches.iter().any(|w| {
            let of_service = !matches!(metric, Metric::Watch);
            w.name == *name && of_service == matches!(w.kind, WatchKind::Service(_))
        }),
        _ => device.snmp.is_some(),
    }
}

/// Is it told if it does not come? Whatever is judged, and a `watch`, which is there for its number.
pub(super) fn awaited(device: &Device, part: &Part, metric: Metric) -> bool {
    let watched = matches!(part, Part::Watch(_)) && measured(device, part, metric);
    (watched || judged(device, part, metric)) && tells(device, metric)
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
    let unit = unit(device, &id.0, id.1);
    let bound = step.bound * id.1.sign();
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
        key: key(&device.name, id, FindingKind::Threshold),
        from: step.from,
        to: step.to,
        since: now.wall_at(step.since),
        at: now.wall,
        cause,
        isolation: None,
    }
}
