//! What was read of whatever is suspect, so that an incident shows the inputs beside the decisions that they led to.
//!
//! Kept are: rounds without an answer and the first ones after that, numbers and states that a finding (pending or told) rests on with
//! the one that ended it, and members of redundancy groups that say something else than before. All of it is bounded.
//!
//! Never here: a judgement. What nobody suspects leaves no trace; the whole of it is in a record (`tape`).

use super::Core;
use super::recent::Recent;
use crate::incident::{Event, EventBody, ReadAt, Reading};
use crate::model::redundancy::Role;
use crate::model::{Device, DeviceId, FindingKey, FindingKind, Mono, Name, Now, Part, Site};
use crate::poll::{AgentReading, AgentRound, Observation, ReachRound, ServiceReading, TcpReading};
use crate::rules::Rules;
use crate::rules::number::unit;
use crate::rules::service::fault;
use crate::sample::{PartSample, Sample, Samples};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Readings kept of one device.
const OF_DEVICE: usize = 48;
/// Readings kept of all devices together.
const OF_ALL: usize = 32_768;
/// Readings of one device that one step of an incident shows.
const SHOWN: usize = 16;
/// Good rounds that are kept after bad ones.
const GOOD_AFTER_BAD: u8 = 3;
/// What was read longer ago than that led to nothing new.
const BEFORE: Duration = Duration::from_secs(30 * 60);
/// Incidents of which it is remembered what they have shown.
const SHOWING: usize = 4_096;

/// A reading, and how often it was the same since.
#[derive(Debug)]
struct Kept {
    first: Mono,
    last: Mono,
    times: u32,
    reading: Reading,
    /// An incident has shown it: what comes is another one.
    shown: bool,
}

/// What a round asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asked {
    Liveness,
    Agent,
    Port(Name),
    Service(Name),
}

/// A member of a group in an instance: group, member, instance.
type Place = (Name, Name, Name);

/// What was read of late.
#[derive(Debug)]
pub(super) struct Inputs {
    recent: Recent<Kept>,
    /// Good rounds still to be kept after a bad one.
    after_bad: HashMap<(DeviceId, Asked), u8>,
    /// Findings that rested on the last reading of a device.
    rested: HashMap<Name, Vec<FindingKey>>,
    /// What members said last.
    roles: BTreeMap<Place, (Option<Role>, Option<i64>)>,
    /// Until when incidents have shown what was read.
    shown: HashMap<u64, Mono>,
}

impl Inputs {
    pub(super) fn new() -> Inputs {
        Inputs {
            recent: Recent::new(OF_DEVICE, OF_ALL),
            after_bad: HashMap::new(),
            rested: HashMap::new(),
            roles: BTreeMap::new(),
            shown: HashMap::new(),
        }
    }

    /// Other devices have other numbers.
    pub(super) fn reload(&mut self) {
        self.after_bad.clear();
    }

    /// Takes what was observed, after the rules have judged it.
    pub(super) fn take(&mut self, observation: &Observation, samples: &Samples, rules: &Rules, site: &Site) {
        match observation {
            Observation::Reach(round) => self.liveness(round, site),
            Observation::Agent(round) => self.agent(round, site),
            Observation::Tcp(reading) => self.port(reading, site),
            Observation::Service(reading) => self.service(reading, site),
        }
        if !(rules.conditions().is_empty() && self.rested.is_empty()) {
            self.rests(observation, samples, rules, site);
        }
        for view in &samples.members {
            let (Some(group), Some(member)) = (
                site.redundancy.get(view.group),
                site.redundancy.get(view.group).and_then(|g| g.members.get(view.member)),
            ) else {
                continue;
            };
            let device = &site.device(member.device).name;
            for row in &view.rows {
                let label = match &row.unit {
                    Some(unit) => Name::from(format!("{} {unit}", member.label)),
                    None => Name::clone(&member.label),
                };
                let place = (Name::clone(&group.name), label, Name::clone(&row.instance.number));
                self.role(device, place, (row.role, row.transitions), view.asked);
            }
        }
    }

    /// Keeps a reading; of one that says the same as the last of its kind only the time.
    fn keep(&mut self, device: &Name, at: Mono, reading: Reading) {
        let of_kind = |k: &&mut Kept| k.reading.is_of_kind(&reading);
        let before = self.recent.of_mut(device).rev().find(of_kind);
        if let Some(before) = before
            && !before.shown
            && before.reading.says_the_same(&reading)
        {
            before.last = at;
            before.times += 1;
            return;
        }
        let kept = Kept {
            first: at,
            last: at,
            times: 1,
            reading,
            shown: false,
        };
        self.recent.keep(device, kept);
    }

    /// Is a round of this kind worth keeping?
    fn worth(&mut self, device: DeviceId, asked: Asked, bad: bool) -> bool {
        if bad {
            self.after_bad.insert((device, asked), GOOD_AFTER_BAD);
            return true;
        }
        if self.after_bad.is_empty() {
            return false;
        }
        let key = (device, asked);
        let Some(left) = self.after_bad.get_mut(&key) else {
            return false;
        };
        *left -= 1;
        if *left == 0 {
            self.after_bad.remove(&key);
        }
        true
    }

    fn liveness(&mut self, round: &ReachRound, site: &Site) {
        let bad = round.received < round.sent || round.send_error.is_some();
        if !self.worth(round.device, Asked::Liveness, bad) {
            return;
        }
        let total: Duration = round.rtts.iter().sum();
        let reading = Reading::Liveness {
            confirm: round.kind == crate::poll::RoundKind::Confirm,
            sent: round.sent,
            received: round.received,
            rtt_ms: (!round.rtts.is_empty()).then(|| total.as_secs_f64() * 1e3 / round.rtts.len() as f64),
            errors: round.errors.iter().take(4).copied().collect(),
            send_error: round.send_error.clone(),
        };
        self.keep(&site.device(round.device).name, round.ended, reading);
    }

    fn agent(&mut self, round: &AgentRound, site: &Site) {
        let partial = round.outcome.as_ref().is_ok_and(|reading| reading.partial);
        if !self.worth(round.device, Asked::Agent, round.outcome.is_err() || partial) {
            return;
        }
        let reading = match &round.outcome {
            Ok(_) => Reading::AgentAnswered { partial },
            Err(failure) => Reading::AgentFailed {
                failure: failure.clone(),
            },
        };
        self.keep(&site.device(round.device).name, round.ended, reading);
    }

    fn port(&mut self, tried: &TcpReading, site: &Site) {
        let asked = Asked::Port(Name::clone(&tried.watch));
        if self.worth(tried.device, asked, tried.result.is_err()) {
            let reading = Reading::Tcp {
                watch: Name::clone(&tried.watch),
                result: tried.result.clone().map(|took| took.as_secs_f64() * 1e3),
            };
            self.keep(&site.device(tried.device).name, tried.at, reading);
        }
    }

    fn service(&mut self, asked: &ServiceReading, site: &Site) {
        let device = site.device(asked.device);
        let good = match (device.service(&asked.watch), &asked.result) {
            (Some(service), Ok(answer)) => fault(service, answer, asked.wall).is_none(),
            _ => false,
        };
        if self.worth(asked.device, Asked::Service(Name::clone(&asked.watch)), !good) {
            let reading = Reading::Service {
                watch: Name::clone(&asked.watch),
                took_ms: asked.took.as_secs_f64() * 1e3,
                result: asked.result.clone(),
            };
            self.keep(&device.name, asked.at, reading);
        }
    }

    /// A number that a finding rests on.
    pub(super) fn number(&mut self, sample: &Sample, site: &Site) {
        let device = site.device(sample.device);
        self.keep(&device.name, sample.at, number(sample, device));
    }

    /// States that findings of these devices rest on, or rested on until now, and numbers that are missed.
    fn rests(&mut self, observation: &Observation, samples: &Samples, rules: &Rules, site: &Site) {
        let (id, at, reading) = match observation {
            Observation::Reach(round) => (round.device, round.ended, None),
            Observation::Agent(round) => (round.device, round.ended, round.outcome.as_deref().ok()),
            Observation::Tcp(_) | Observation::Service(_) => return,
        };
        // A circuit's numbers may be read at the operator's port.
        let mut devices = vec![id];
        for sample in &samples.numbers {
            if devices.last() != Some(&sample.device) {
                devices.push(sample.device);
            }
        }
        for of in devices {
            let name = &site.device(of).name;
            let mut keys = self.rested.remove(name).unwrap_or_default();
            if rules.conditions().has_any_of(name) {
                let held: Vec<FindingKey> = rules.conditions().of(name).map(|(key, _)| key.clone()).collect();
                keys.retain(|key| !held.contains(key));
                keys.extend(held.iter().cloned());
                self.rested.insert(Name::clone(name), held);
            }
            for key in &keys {
                let own = reading.filter(|_| of == id);
                if let Some(reading) = read_for(key, (of, site.device(of)), samples, own) {
                    self.keep(name, at, reading);
                }
            }
        }
    }

    fn role(&mut self, device: &Name, place: Place, says: (Option<Role>, Option<i64>), at: Mono) {
        let before = self.roles.get(&place);
        if before == Some(&says) {
            return;
        }
        if before.is_some() {
            let (group, member, instance) = place.clone();
            let (role, transitions) = says;
            let reading = Reading::Role {
                group,
                instance,
                member,
                role,
                transitions,
            };
            self.keep(device, at, reading);
        }
        self.roles.insert(place, says);
    }

    /// What was read of a device since `from` that concerns a finding; how many older ones are not shown.
    fn since(&mut self, device: &Name, key: &FindingKey, from: Mono, now: Now) -> (Vec<ReadAt>, u64) {
        let late = |k: &&mut Kept| k.last > from && k.reading.concerns(key);
        let late: Vec<&mut Kept> = self.recent.of_mut(device).filter(late).collect();
        let more = late.len().saturating_sub(SHOWN);
        let show = |kept: &mut Kept| {
            kept.shown = true;
            ReadAt {
                at: now.wall_at(kept.first),
                times: kept.times,
                until: (kept.times > 1).then(|| now.wall_at(kept.last)),
                reading: kept.reading.clone(),
            }
        };
        (late.into_iter().skip(more).map(show).collect(), more as u64)
    }

    /// From when on an incident has not shown what was read; from now on it has.
    fn show(&mut self, incident: u64, now: Mono) -> Mono {
        if self.shown.len() >= SHOWING {
            self.shown.retain(|_, until| now.since(*until) < BEFORE);
        }
        self.shown.insert(incident, now).unwrap_or_default().max(now - BEFORE)
    }
}

/// What this observation says of what a finding is about.
fn read_for(
    key: &FindingKey,
    (of, device): (DeviceId, &Device),
    samples: &Samples,
    reading: Option<&AgentReading>,
) -> Option<Reading> {
    match (key.kind, &key.part) {
        (FindingKind::InterfaceDown | FindingKind::InterfaceMissing, Part::Interface(name)) => {
            let reading = reading?;
            if reading.missing.contains(name) {
                return Some(Reading::PortMissing {
                    name: Name::clone(name),
                });
            }
            let port = reading.interfaces.iter().find(|i| i.name == *name)?;
            Some(Reading::Port {
                name: Name::clone(name),
                admin: port.admin,
                oper: port.oper,
            })
        }
        (FindingKind::ComponentFailed, Part::Component(name)) => {
            let of_part = |part: &&PartSample| part.name == *name;
            let part = samples.parts.iter().find(of_part)?;
            Some(Reading::Component {
                name: part.name.clone(),
                code: part.code,
                state: part.state.as_ref().map(|(state, _)| Name::clone(state)),
            })
        }
        (FindingKind::NoData, part) => {
            let of_metric = |s: &&Sample| s.device == of && Some(s.metric) == key.metric && s.part == *part;
            samples.numbers.iter().find(of_metric).map(|s| number(s, device))
        }
        _ => None,
    }
}

fn number(sample: &Sample, device: &Device) -> Reading {
    Reading::Number {
        part: sample.part.clone(),
        metric: sample.metric,
        unit: unit(device, &sample.part, sample.metric),
        value: sample.value.ok(),
        unknown: sample.value.err().map(|why| Name::from(why.key())),
    }
}

impl Core {
    /// What was read of that which an incident is about stands behind each of its decisions.
    pub(super) fn readings_of(&mut self, events: &[Event], now: Now) {
        for event in events {
            let (
                Some(id),
                EventBody::Opened { change }
                | EventBody::Reopened { change }
                | EventBody::Changed { change }
                | EventBody::RootGood { change }
                | EventBody::Recovered { change },
            ) = (event.incident, &event.body)
            else {
                continue;
            };
            let from = self.inputs.show(id, now.mono);
            for device in self.about(&change.key) {
                let (readings, more) = self.inputs.since(&device, &change.key, from, now);
                if !readings.is_empty() {
                    let body = EventBody::Readings { device, readings, more };
                    self.book.record(Some(id), body, now);
                }
            }
        }
    }
}
