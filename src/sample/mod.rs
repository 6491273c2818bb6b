//! Observations become numbers: rates from counters, loss and round-trip time from rounds, CPU and memory from a profile's
//! objects. Every number is known, or unknown with its reason; an unknown one is never zero and never a guess.
//!
//! Never here: a clock, I/O, a judgement.

pub mod counter;
pub mod loss;
mod profile;
pub mod scalar;

use crate::model::profile::Health;
use crate::model::{DeviceId, Metric, Mono, Name, Part, Site, WatchKind};
use crate::poll::{AgentReading, InterfaceReading, Observation, ReachRound};
use counter::{InterfaceCounters, Rates};
use loss::LossWindow;
use scalar::Readings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why a number is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Fewer than 30 s (or 20 echoes) of readings so far. Neutral: not counted as missing data.
    WarmingUp,
    /// Too few packets in the window to speak of a share. Neutral.
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
    /// Neither a contracted rate nor a port speed is known.
    NoSpeed,
}

impl Unknown {
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
            Unknown::NoSpeed => "no-speed",
        }
    }

    /// Says nothing about health and nothing about missing data.
    pub fn neutral(self) -> bool {
        matches!(self, Unknown::WarmingUp | Unknown::TooFewPackets)
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
    /// The row of a table that decides, where one does: the hottest sensor.
    #[serde(default)]
    pub which: Option<Name>,
    /// When it was measured.
    pub at: Mono,
}

/// The state of a part: a fan, a power supply.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSample {
    /// Its name, unique within the device.
    pub name: Name,
    /// What it is one of.
    pub component: Name,
    /// As read, and as the MIB calls it.
    pub code: i64,
    /// What that means; `None`: the profile does not say.
    pub state: Option<(Name, Health)>,
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
}

/// State of all devices' counters and windows.
pub struct Sampler {
    site: Arc<Site>,
    /// Interfaces at demarcation points.
    crossings: BTreeSet<(DeviceId, Name)>,
    devices: Vec<DeviceSamples>,
    unknown: BTreeMap<Unknown, u64>,
}

#[derive(Default)]
struct DeviceSamples {
    silent: bool,
    loss: LossWindow,
    interfaces: BTreeMap<Name, InterfaceCounters>,
}

impl Sampler {
    /// Nothing measured yet.
    pub fn new(site: Arc<Site>) -> Sampler {
        let devices = site.devices.iter().map(|_| DeviceSamples::default()).collect();
        Sampler {
            crossings: crossings(&site),
            site,
            devices,
            unknown: BTreeMap::new(),
        }
    }

    /// Takes a new configuration; devices of the same name, address and SNMP section keep their counters.
    pub fn reload(&mut self, site: Arc<Site>) {
        let mut old: BTreeMap<Name, (usize, DeviceSamples)> = BTreeMap::new();
        for (i, state) in std::mem::take(&mut self.devices).into_iter().enumerate() {
            old.insert(self.site.devices[i].name.clone(), (i, state));
        }
        for device in &site.devices {
            let kept = old.remove(&device.name).filter(|(i, _)| {
                let before = &self.site.devices[*i];
                before.address == device.address && before.snmp == device.snmp
            });
            self.devices.push(kept.map(|(_, state)| state).unwrap_or_default());
        }
        self.crossings = crossings(&site);
        self.site = site;
    }

    /// Unknown intervals so far, by reason.
    pub fn unknown(&self) -> &BTreeMap<Unknown, u64> {
        &self.unknown
    }

    /// Last rates of an interface, in bit/s in and out.
    pub fn rates(&self, device: DeviceId, interface: &str) -> Option<&Rates> {
        self.devices
            .get(device.index())?
            .interfaces
            .get(interface)
            .map(InterfaceCounters::rates)
    }

    /// Echo loss in percent over the window, if there are enough echoes.
    pub fn loss(&self, device: DeviceId) -> Option<f64> {
        self.devices.get(device.index())?.loss.percent()
    }

    /// The device is known to be silent, or not any more: what it does not answer then is silence, not loss.
    pub fn silence(&mut self, device: DeviceId, silent: bool) {
        if let Some(state) = self.devices.get_mut(device.index()).filter(|s| s.silent != silent) {
            state.silent = silent;
            state.loss = LossWindow::default();
        }
    }

    /// Turns an observation into numbers.
    pub fn take(&mut self, observation: &Observation) -> Samples {
        let mut out = Samples::default();
        match observation {
            Observation::Reach(round) => self.reach(round, &mut out),
            Observation::Agent(round) => {
                if let Ok(reading) = &round.outcome {
                    self.scalars(round.device, reading, round.ended, &mut out);
                    for interface in &reading.interfaces {
                        self.interface(round.device, interface, &mut out);
                    }
                }
            }
            Observation::Tcp(_) => {}
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
        let mut number = |metric, value| {
            out.numbers.push(Sample {
                device: round.device,
                part: Part::Device,
                metric,
                value,
                which: None,
                at: round.ended,
            });
        };
        number(Metric::Loss, state.loss.percent().ok_or(Unknown::WarmingUp));
        if let Some(rtt) = state.loss.mean_rtt() {
            number(Metric::Rtt, Ok(rtt));
        }
    }

    fn scalars(&self, device: DeviceId, reading: &AgentReading, at: Mono, out: &mut Samples) {
        let Some(wanted) = self.site.devices.get(device.index()) else {
            return;
        };
        let readings = Readings::new(&reading.scalars);
        if let Some(profile) = reading.profile.as_deref().and_then(|p| self.site.profiles.by_name(p)) {
            let numbers = profile::numbers(profile, &reading.rows, &readings);
            out.numbers.extend(numbers.into_iter().map(|(metric, found)| Sample {
                device,
                part: Part::Device,
                metric,
                value: found.as_ref().map(|e| e.value).ok_or(Unknown::Missing),
                which: found.and_then(|e| e.which),
                at,
            }));
            out.parts = profile::parts(profile, &reading.rows, &readings);
        }
        for watch in wanted.watches.iter() {
            if let WatchKind::Oid { oid, scale, .. } = &watch.kind {
                let value = readings.find(oid).map(|v| v * scale).ok_or(Unknown::Missing);
                let part = Part::Watch(watch.name.clone());
                out.numbers.push(Sample {
                    device,
                    part,
                    metric: Metric::Watch,
                    value,
                    which: None,
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
        let contracted = wanted
            .interfaces
            .iter()
            .filter(|w| crate::model::device::glob(&w.pattern, &reading.name))
            .find_map(|w| w.rate_bps);
        let counters = state.interfaces.entry(reading.name.clone()).or_default();
        counters.push(reading);
        let rates = counters.rates();
        let part = Part::Interface(reading.name.clone());
        let speed = contracted.or(reading.speed_bps).filter(|s| *s > 0);
        let share = |bps: Result<f64, Unknown>| -> Result<f64, Unknown> {
            Ok(bps? / speed.ok_or(Unknown::NoSpeed)? as f64 * 100.0)
        };
        for (metric, value) in [
            (Metric::UtilizationIn, share(rates.in_bps)),
            (Metric::UtilizationOut, share(rates.out_bps)),
            (Metric::Errors, rates.errors_percent),
            (Metric::Discards, rates.discards_percent),
        ] {
            out.numbers.push(Sample {
                device,
                part: part.clone(),
                metric,
                value,
                which: None,
                at: reading.at,
            });
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

fn crossings(site: &Site) -> BTreeSet<(DeviceId, Name)> {
    let demarcations = site.devices.iter().filter_map(|d| d.demarcation.as_ref());
    demarcations.map(|x| (x.device, x.interface.clone())).collect()
}
