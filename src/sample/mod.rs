//! Observations become numbers: rates from counters, loss and round-trip time from rounds, CPU and memory from a profile's
//! objects. Every number is known, or unknown with its reason; an unknown one is never zero and never a guess.
//!
//! Never here: a clock, I/O, a judgement.

mod clock;
pub mod counter;
pub mod lines;
pub mod loss;
mod profile;
pub mod roles;
pub mod scalar;
pub mod service;

pub use loss::Spread;

use crate::model::profile::Health;
use crate::model::{
    Circuit, ComponentName, Device, DeviceId, Limits, Metric, Mono, Name, Part, Role, Site, ThresholdKind, WatchKind,
};
use crate::poll::{AgentReading, InterfaceReading, Observation, ReachRound};
use clock::DeviceClock;
use counter::{InterfaceCounters, Rates, Terms};
use lines::Lines;
use loss::{LossWindow, RoundTrip};
use roles::{MemberView, Roles};
use scalar::Readings;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hint::black_box;
use std::sync::Arc;

/// Why a number is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Fewer than 30 s (or 20 echoes) of readings so far. It lasts that long and no longer: then it is missing data.
    WarmingUp,
    /// Too few packets in the window to speak of a share: counted, and nothing to judge.
    TooFewPackets,
    /// sysUpTime fell or jumped: the device restarted.
    Restarted,
    /// ifCounterDiscontinuityTime changed.
    Discontinuity,
    /// A 64-bit counter fell.
    Decreased,
    /// A 32-bit counter may have wrapped more than once, or cannot have wrapped at this speed.
    WrapAmbiguous,
    /// More than the port can carry.
    AboveLinkSpeed,
    /// The agent has no such object, or it is not a number.
    Missing,
    /// The agent has the object and it cannot be read: its value is malformed, or the agent refuses it or keeps silent.
    Unreadable,
    /// A watched service gave no answer.
    NoAnswer,
    /// Neither a contracted rate nor a port speed is known.
    NoSpeed,
    /// Where a counter should stand the agent gives another type.
    WrongType,
    /// The agent gives no sysUpTime, without which counters are worth nothing.
    NoUptime,
    /// The device's sysUpTime stands still, or runs more than 5 % off our clock over 30 s.
    DeviceClock,
    /// The port is up, and its counters have stood at zero for 5 minutes.
    NeverCounted,
    /// More octets passed than the packets counted can have carried.
    Contradicted,
    /// Nothing was read of it: its row was not found, or the agent's answers end before it.
    NotRead,
}

impl Unknown {
    /// Every reason.
    pub const ALL: [Unknown; 15] = [
        Unknown::WarmingUp,
        Unknown::TooFewPackets,
        Unknown::Restarted,
        Unknown::Discontinuity,
        Unknown::Decreased,
        Unknown::WrapAmbiguous,
        Unknown::AboveLinkSpeed,
        Unknown::Missing,
        Unknown::NoSpeed,
        Unknown::WrongType,
        Unknown::NoUptime,
        Unknown::DeviceClock,
        Unknown::NeverCounted,
        Unknown::Contradicted,
        Unknown::NotRead,
    ];

    /// The word in metrics and on screens.
    pub fn key(self) -> &'static str {
        match self {
            Unknown::WarmingUp => "warming-up",
            Unknown::TooFewPackets => "too-few-packets",
            Unknown::Restarted => "restarted",
            Unknown::Discontinuity => "discontinuity",
            Unknown::Decreased => "decreased",
            Unknown::WrapAmbiguous => "wrap-ambiguous",
            Unknown::AboveLinkSpeed => "above-link-speed",
            Unknown::Missing => "missing",
            Unknown::Unreadable => "unreadable",
            Unknown::NoAnswer => "no-answer",
            Unknown::NoSpeed => "no-speed",
            Unknown::WrongType => "wrong-type",
            Unknown::NoUptime => "no-uptime",
            Unknown::DeviceClock => "device-clock",
            Unknown::NeverCounted => "never-counted",
            Unknown::Contradicted => "contradicted",
            Unknown::NotRead => "not-read",
        }
    }

    /// Says nothing about health.
    pub fn neutral(self) -> bool {
        matches!(self, Unknown::WarmingUp | Unknown::TooFewPackets)
    }

    /// It is the same for all numbers of the device.
    pub fn is_of_device(self) -> bool {
        matches!(self, Unknown::NoUptime | Unknown::DeviceClock)
    }
}

/// One number, or why there is none.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sample {
    /// Whose.
    pub device: DeviceId,
    /// Of which part.
    pub part: Part,
    /// Which; the unit is the metric's.
    pub metric: Metric,
    /// The number.
    pub value: Result<f64, Unknown>,
    /// The row of a table that decides, where one does: the hottest sensor; or of how many rows it is the mean.
    #[serde(default)]
    pub which: Option<Name>,
    /// The device's own limits for that row: they judge it, not those of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// When it was measured.
    pub at: Mono,
}

/// The state of a part: a fan, a power supply.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSample {
    /// Which, unique within the device.
    pub name: ComponentName,
    /// What it is one of.
    pub component: Name,
    /// As read, and as the MIB calls it.
    pub code: i64,
    /// What that means; `None`: the profile does not say.
    pub state: Option<(Name, Health)>,
}

/// What a device tells of one of its parts, for people who look.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PartReading {
    /// What it is: a fan, a power supply, a temperature, a processor.
    pub kind: Name,
    /// How it is called.
    pub label: Name,
    /// What it tells.
    #[serde(flatten)]
    pub value: PartValue,
}

/// What a part tells.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "tells")]
pub enum PartValue {
    /// Its state.
    State {
        /// As read.
        code: i64,
        /// As the MIB calls it, if the profile says so.
        word: Option<Name>,
        /// What that means.
        health: Option<Health>,
    },
    /// A number.
    Number {
        /// Which.
        metric: Metric,
        /// In the metric's unit.
        value: f64,
        /// The device's own limits for it.
        limits: Option<Limits>,
    },
}

/// Everything that a reading tells of the device's parts, healthy or not.
pub fn parts_of(reading: &AgentReading) -> Vec<PartReading> {
    let readings = Readings::new(&reading.scalars);
    let profile = reading.profile.as_deref();
    profile.map_or(Vec::new(), |p| profile::list(p, &reading.rows, &readings))
}

/// The octet counters of an interface at a demarcation point, as evidence for the verdict.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CrossingOctets {
    /// The edge device.
    pub device: DeviceId,
    /// ifName.
    pub interface: Name,
    /// When.
    pub at: Mono,
    /// In and out; `None` if the series broke here.
    pub octets: Option<(u64, u64)>,
}

/// What one observation gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Numbers.
    pub numbers: Vec<Sample>,
    /// Counters at demarcation points.
    pub octets: Vec<CrossingOctets>,
    /// Parts with a state.
    pub parts: Vec<PartSample>,
    /// Of a liveness round: percent of echoes lost over the window, if that is known. It stands in `numbers` too where a threshold is
    /// on it.
    pub loss: Option<f64>,
    /// What members of redundancy groups say.
    pub members: Vec<MemberView>,
}

/// State of all devices' counters and windows.
pub struct Sampler {
    site: Arc<Site>,
    /// Interfaces at demarcation points.
    crossings: BTreeSet<(DeviceId, Name)>,
    lines: Lines,
    roles: Roles,
    devices: Vec<DeviceSamples>,
    unknown: BTreeMap<Unknown, u64>,
}

struct DeviceSamples {
    silent: bool,
    /// A threshold is on its loss, on its round-trip time. Most devices have neither, and a round of theirs makes no number.
    judged: Judged,
    loss: LossWindow,
    /// Of an operator's device; round-trip times of circuits are not shown.
    round_trip: Option<Box<RoundTrip>>,
    clock: DeviceClock,
    /// Sorted by name.
    interfaces: Vec<(Name, InterfaceCounters)>,
}

#[derive(Clone, Copy)]
struct Judged {
    loss: bool,
    rtt: bool,
}

impl Judged {
    fn of(device: &Device) -> Judged {
        let on = |kind| device.thresholds.contains_key(&kind);
        Judged {
            loss: on(ThresholdKind::Loss),
            rtt: on(ThresholdKind::Rtt),
        }
    }
}

impl DeviceSamples {
    fn new(device: &Device) -> DeviceSamples {
        DeviceSamples {
            silent: false,
            judged: Judged::of(device),
            loss: LossWindow::new(&device.poll),
            round_trip: (device.role == Role::Managed).then(Box::default),
            clock: DeviceClock::default(),
            interfaces: Vec::new(),
        }
    }

    fn interface(&mut self, name: &Name) -> &mut InterfaceCounters {
        let at = match self.interfaces.binary_search_by(|(n, _)| n.cmp(name)) {
            Ok(at) => at,
            Err(at) => {
                self.interfaces.reserve_exact(1);
                self.interfaces.insert(at, (name.clone(), InterfaceCounters::default()));
                at
            }
        };
        &mut self.interfaces[at].1
    }
}

impl Sampler {
    /// Nothing measured yet.
    pub fn new(site: Arc<Site>) -> Sampler {
        let devices = site.devices.iter().map(DeviceSamples::new).collect();
        Sampler {
            crossings: crossings(&site),
            lines: Lines::new(&site),
            roles: Roles::new(&site),
            site,
            devices,
            unknown: BTreeMap::new(),
        }
    }

    /// Takes a new configuration; devices of the same name, address and SNMP section keep their counters.
    pub fn reload(&mut self, site: Arc<Site>) {
        let mut old: HashMap<Name, (usize, DeviceSamples)> = HashMap::new();
        for (i, state) in std::mem::take(&mut self.devices).into_iter().enumerate() {
            old.insert(self.site.devices[i].name.clone(), (i, state));
        }
        for device in &site.devices {
            let kept = old.remove(&device.name).filter(|(i, _)| {
                let before = &self.site.devices[*i];
                before.host() == device.host() && before.snmp == device.snmp
            });
            let mut state = DeviceSamples::new(device);
            if let Some((i, kept)) = kept {
                let same = self.site.devices[i].poll == device.poll;
                (state.interfaces, state.clock) = (kept.interfaces, kept.clock);
                state.silent = kept.silent;
                state.loss = if same { kept.loss } else { state.loss };
                state.round_trip = kept
                    .round_trip
                    .filter(|_| device.role == Role::Managed)
                    .or(state.round_trip);
            }
            self.devices.push(state);
        }
        self.crossings = crossings(&site);
        self.lines = Lines::new(&site);
        self.roles.reload(&self.site, &site);
        self.site = site;
    }

    /// Which ports are lines of circuits.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Unknown intervals so far, by reason.
    pub fn unknown(&self) -> &BTreeMap<Unknown, u64> {
        &self.unknown
    }

    /// Last rates of an interface, in bit/s in and out.
    pub fn rates(&self, device: DeviceId, interface: &str) -> Option<&Rates> {
        self.counters(device, interface).map(InterfaceCounters::rates)
    }

    fn counters(&self, device: DeviceId, interface: &str) -> Option<&InterfaceCounters> {
        let interfaces = &self.devices.get(device.index())?.interfaces;
        let at = interfaces.binary_search_by(|(name, _)| (**name).cmp(interface)).ok()?;
        interfaces.get(at).map(|(_, counters)| counters)
    }

    /// The speed of an interface that can be used, bit/s: of two that contradict each other, the one that its traffic fits.
    pub fn speed(&self, device: DeviceId, interface: &str) -> Option<u64> {
        self.counters(device, interface)?.speed_bps()
    }

    /// Can the clock of a device be used?
    pub fn clock(&self, device: DeviceId) -> Result<(), Unknown> {
        self.devices.get(device.index()).map_or(Ok(()), |d| d.clock.verdict())
    }

    /// Round-trip times of the last minutes.
    pub fn round_trip(&self, device: DeviceId) -> Option<Spread> {
        self.devices.get(device.index())?.round_trip.as_ref()?.spread()
    }

    /// Echo loss in percent over the window, if there are enough echoes.
    pub fn loss(&self, device: DeviceId) -> Option<f64> {
        self.devices.get(device.index())?.loss.percent()
    }

    /// Loss and round-trip time of a device as far as no threshold is on them: nobody judges them, but people look at them. Nothing
    /// before its first round and while it is silent.
    pub fn unjudged(&self, device: DeviceId) -> impl Iterator<Item = (Metric, Result<f64, Unknown>)> {
        let state = self.devices.get(device.index()).filter(|s| s.loss.has_rounds());
        let loss = state
            .filter(|s| !s.judged.loss)
            .map(|s| (Metric::Loss, s.loss.percent().ok_or(Unknown::WarmingUp)));
        let told = self
            .site
            .devices
            .get(device.index())
            .is_some_and(|d| d.role != Role::Circuit);
        let rtt = state
            .filter(|s| told && !s.judged.rtt)
            .and_then(|s| s.loss.mean_rtt())
            .map(|rtt| (Metric::Rtt, Ok(rtt)));
        loss.into_iter().chain(rtt)
    }

    /// The device is known to be silent, or not any more: what it does not answer then is silence, not loss.
    pub fn silence(&mut self, device: DeviceId, silent: bool) {
        let site = &self.site;
        if let Some(state) = self.devices.get_mut(device.index()).filter(|s| s.silent != silent) {
            state.silent = silent;
            state.loss = LossWindow::new(&site.device(device).poll);
            // What it answered before it fell silent says nothing of the way as it is after that.
            state.round_trip.iter_mut().for_each(|all| **all = RoundTrip::default());
        }
    }

    /// Looks at what is kept of a device (see `core::warm`).
    pub fn warm(&self, device: DeviceId) {
        let Some(state) = self.devices.get(device.index()) else {
            return;
        };
        black_box(state.silent);
        state.loss.warm();
        if let Some((name, counters)) = state.interfaces.first() {
            black_box(name.len());
            counters.warm();
        }
    }

    /// Turns an observation into numbers.
    pub fn take(&mut self, observation: &Observation) -> Samples {
        let mut out = Samples::default();
        match observation {
            Observation::Reach(round) => self.reach(round, &mut out),
            Observation::Agent(round) => {
                if let Ok(reading) = &round.outcome {
                    out.members = self.roles.views(&self.site, round.device, round.started, reading);
                    self.scalars(round.device, reading, round.ended, &mut out);
                    for interface in &reading.interfaces {
                        self.interface(round.device, interface, &mut out);
                    }
                }
            }
            Observation::Tcp(_) => {}
            Observation::Service(reading) => {
                if let Some(device) = self.site.devices.get(reading.device.index()) {
                    service::numbers(device, reading, &mut out.numbers);
                }
            }
        }
        for sample in &out.numbers {
            if let Err(reason) = sample.value {
                *self.unknown.entry(reason).or_default() += 1;
            }
        }
        out
    }

    fn reach(&mut self, round: &ReachRound, out: &mut Samples) {
        let Some(state) = self.devices.get_mut(round.device.index()) else {
            return;
        };
        if state.silent {
            return;
        }
        state.loss.push(round);
        if let Some(all) = &mut state.round_trip {
            all.push(round);
        }
        out.loss = state.loss.percent();
        let mut number = |metric, value| {
            out.numbers.push(Sample {
                device: round.device,
                part: Part::Device,
                metric,
                value,
                which: None,
                limits: None,
                at: round.ended,
            });
        };
        if state.judged.loss {
            number(Metric::Loss, out.loss.ok_or(Unknown::WarmingUp));
        }
        if let Some(rtt) = state.loss.mean_rtt().filter(|_| state.judged.rtt) {
            number(Metric::Rtt, Ok(rtt));
        }
    }

    fn scalars(&self, device: DeviceId, reading: &AgentReading, at: Mono, out: &mut Samples) {
        let Some(wanted) = self.site.devices.get(device.index()) else {
            return;
        };
        let readings = Readings::new(&reading.scalars);
        if let Some(profile) = reading.profile.as_deref() {
            profile::numbers(
                profile,
                &reading.rows,
                &readings,
                (device, wanted, at),
                &mut out.numbers,
            );
            out.parts = profile::parts(profile, &reading.rows, &readings);
        }
        for watch in wanted.watches.iter() {
            if let WatchKind::Oid { oid, scale, .. } = &watch.kind {
                let unread = || reading.unread.iter().any(|u| *u.oid == **oid);
                let value = readings.find(oid).map(|v| v * scale);
                let value = value.ok_or_else(|| {
                    if unread() {
                        Unknown::Unreadable
                    } else {
                        Unknown::Missing
                    }
                });
                let part = Part::Watch(watch.name.clone());
                out.numbers.push(Sample {
                    device,
                    part,
                    metric: Metric::Watch,
                    value,
                    which: None,
                    limits: None,
                    at,
                });
            }
        }
    }

    fn interface(&mut self, device: DeviceId, reading: &InterfaceReading, out: &mut Samples) {
        let (Some(wanted), Some(state)) = (
            self.site.devices.get(device.index()),
            self.devices.get_mut(device.index()),
        ) else {
            return;
        };
        let clock = match reading.untimed {
            true => Ok(()),
            false => state.clock.take(reading.at, reading.uptime),
        };
        let line = match wanted.circuit {
            Some(_) => None,
            None => self.lines.circuit(&self.site, device, reading),
        };
        let circuit = wanted.circuit.as_deref().or(line.map(|(_, circuit)| circuit));
        let contracted = match circuit {
            Some(circuit) => circuit.down_bps.max(circuit.up_bps),
            None => wanted
                .wants(&reading.name, reading.found_by.as_ref())
                .find_map(|w| w.rate_bps),
        };
        let terms = Terms {
            contracted_bps: contracted,
            clock,
        };
        let counters = state.interface(&reading.name);
        counters.push(reading, terms);
        let (rates, speed) = (counters.rates(), counters.speed_bps());
        if let Some(circuit) = wanted.circuit.as_deref() {
            // At the institution's router, what comes in from the network goes down to the institution.
            circuit_numbers((device, circuit), (rates.in_bps, rates.out_bps), speed, reading.at, out);
            if judges_faults(wanted) {
                fault_numbers(device, &Part::Device, rates, reading, out);
            }
        } else if let Some((id, circuit)) = line {
            // At the operator's port, what goes out goes down to the institution.
            circuit_numbers((id, circuit), (rates.out_bps, rates.in_bps), speed, reading.at, out);
            if judges_faults(wanted) || judges_faults(self.site.device(id)) {
                fault_numbers(id, &Part::Device, rates, reading, out);
            }
        } else {
            port_numbers((device, wanted), rates, contracted.or(speed), reading, out);
        }
        if self.crossings.contains(&(device, reading.name.clone())) {
            let octets = counters.octets();
            out.octets.push(CrossingOctets {
                device,
                interface: reading.name.clone(),
                at: reading.at,
                octets,
            });
        }
    }
}

fn share(bps: Result<f64, Unknown>, speed: Option<u64>) -> Result<f64, Unknown> {
    match (bps?, speed.filter(|s| *s > 0)) {
        (bps, Some(speed)) => Ok(bps / speed as f64 * 100.0),
        // Nothing is no share of whatever the port could carry. A port without a link has no speed.
        (0.0, None) => Ok(0.0),
        (_, None) => Err(Unknown::NoSpeed),
    }
}

/// Utilisation of a port of the operator's own. `speed`: its contracted rate, or what it can carry.
fn port_numbers(
    (device, wanted): (DeviceId, &Device),
    rates: &Rates,
    speed: Option<u64>,
    reading: &InterfaceReading,
    out: &mut Samples,
) {
    let part = Part::Interface(reading.name.clone());
    for (metric, bps) in [
        (Metric::UtilizationIn, rates.in_bps),
        (Metric::UtilizationOut, rates.out_bps),
    ] {
        out.numbers.push(Sample {
            device,
            part: part.clone(),
            metric,
            value: share(bps, speed),
            which: None,
            limits: None,
            at: reading.at,
        });
    }
    if judges_faults(wanted) {
        fault_numbers(device, &part, rates, reading, out);
    }
}

/// A device whose circuits judge errors gives them to all its ports.
fn judges_faults(device: &Device) -> bool {
    let judged = |kind| device.thresholds.contains_key(&kind);
    judged(ThresholdKind::Errors) || judged(ThresholdKind::Discards)
}

fn fault_numbers(device: DeviceId, part: &Part, rates: &Rates, reading: &InterfaceReading, out: &mut Samples) {
    for (metric, value) in [
        (Metric::Errors, rates.errors_percent),
        (Metric::Discards, rates.discards_percent),
    ] {
        out.numbers.push(Sample {
            device,
            part: part.clone(),
            metric,
            value,
            which: None,
            limits: None,
            at: reading.at,
        });
    }
}

/// Utilisation of an access circuit, of its contracted rate in each direction, else of the port's speed.
fn circuit_numbers(
    (device, circuit): (DeviceId, &Circuit),
    (down, up): (Result<f64, Unknown>, Result<f64, Unknown>),
    speed: Option<u64>,
    at: Mono,
    out: &mut Samples,
) {
    for (metric, bps, rate) in [
        (Metric::UtilizationDown, down, circuit.down_bps),
        (Metric::UtilizationUp, up, circuit.up_bps),
    ] {
        out.numbers.push(Sample {
            device,
            part: Part::Device,
            metric,
            value: share(bps, rate.or(speed)),
            which: None,
            limits: None,
            at,
        });
    }
}

fn crossings(site: &Site) -> BTreeSet<(DeviceId, Name)> {
    let demarcations = site.devices.iter().filter_map(|d| d.demarcation.as_ref());
    demarcations.map(|x| (x.device, x.interface.clone())).collect()
}
