//! The tape: what the core took in, line by line, so that what happened can be played again through the same rules.
//!
//! It is cut behind polling: an observation, not a datagram, so a tape holds no community and no key, and playing it asks nobody.
//! A line of the tape is one JSON line of a record (`hinomi record`, `hinomi run --record`, `hinomi replay`).
//!
//! Never here: a file, a clock, a decision about health.

use super::{Input, LedgerNews, MaintenanceOrder};
use crate::incident::{Head, IncidentOrder, Restored, RowChange};
use crate::model::{DeviceId, Name, Now, ReachState, Site};
use crate::notify::{Delivery, Outcome, RouteTest};
use crate::poll::trap::TrapSeen;
use crate::poll::{Observation, ServiceReading};
use crate::rules::Rules;
use crate::rules::service::fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Changes when older records can no longer be read.
pub const FORMAT: u32 = 1;

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// The first line.
    Began(Box<Beginning>),
    /// The core took something in.
    Turn(Box<Turn>),
    /// A mail that the core wanted sent then: not an input, kept to be compared with.
    Mail(Box<Delivery>),
    /// Lines are missing here: whoever wrote the record could not keep up.
    Lost {
        /// How many.
        lines: u64,
    },
}

/// What was known when the record began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beginning {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of hinomi.
    pub version: String,
    /// Fingerprint of the configuration.
    pub fingerprint: String,
    /// When.
    pub now: Now,
    /// The daemon had run before: what was pending then is not known (as after a restart at that moment).
    pub midway: bool,
    /// Everything was kept, not only what changed and the targets that were named.
    pub complete: bool,
    /// See [`Restored::ledger_id`].
    pub ledger_id: String,
    /// See [`Restored::events`].
    pub events: Vec<String>,
    /// See [`Restored::rows`].
    pub rows: Vec<RowChange>,
    /// See [`Restored::head`].
    pub head: Option<Head>,
    /// See [`Restored::last_row`].
    pub last_row: u64,
    /// See [`Restored::last_incident`].
    #[serde(default)]
    pub last_incident: u64,
    /// See [`Restored::accepted`].
    #[serde(default)]
    pub accepted: bool,
    /// See [`Restored::damage`].
    pub damage: Option<String>,
}

impl Beginning {
    /// The beginning of a daemon's life.
    pub fn of_start(restored: &Restored, site: &Site, complete: bool, now: Now) -> Beginning {
        Beginning {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: site.fingerprint.clone(),
            now,
            midway: false,
            complete,
            ledger_id: restored.ledger_id.clone(),
            events: restored.events.clone(),
            rows: restored.rows.clone(),
            head: restored.head.clone(),
            last_row: restored.last_row,
            last_incident: restored.last_incident,
            accepted: restored.accepted,
            damage: restored.damage.clone(),
        }
    }

    /// What the ledger would have given back at that moment.
    pub fn restored(&self) -> Restored {
        Restored {
            ledger_id: self.ledger_id.clone(),
            events: self.events.clone(),
            rows: self.rows.clone(),
            head: self.head.clone(),
            last_row: self.last_row,
            last_incident: self.last_incident,
            accepted: self.accepted,
            damage: self.damage.clone(),
        }
    }
}

/// One turn of the core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub now: Now,
    /// What was taken beside observations.
    pub took: Took,
    /// Observations, by pass: rules may ask for more within a turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<Vec<Seen>>,
}

/// What a turn began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Took {
    /// Datagrams, of which observations came.
    Polled,
    /// The time.
    Time,
    /// See [`Input::Trap`].
    Trap {
        /// Whose, by name.
        device: Name,
        /// What it said.
        trap: TrapSeen,
    },
    /// See [`Input::Incident`].
    Incident {
        /// Number.
        incident: u64,
        /// What was ordered.
        order: IncidentOrder,
    },
    /// See [`Input::Maintenance`].
    Maintenance(MaintenanceOrder),
    /// See [`Input::Committed`].
    Committed {
        /// Which batch.
        batch: u64,
        /// The answer.
        result: Result<Head, String>,
    },
    /// See [`Input::CommitLate`].
    CommitLate {
        /// Which batch.
        batch: u64,
        /// In words.
        error: String,
    },
    /// See [`Input::Ledger`].
    Ledger(LedgerNews),
    /// See [`Input::Delivered`].
    Delivered {
        /// Which attempt.
        attempt: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// See [`Input::RouteTested`].
    RouteTested(RouteTest),
    /// See [`Input::Reload`]; the configuration itself is not on the tape.
    Reload {
        /// Its fingerprint.
        fingerprint: String,
    },
}

impl Took {
    /// What of an input goes on the tape.
    pub(super) fn of(input: &Input, site: &Site) -> Took {
        match input.clone() {
            Input::Poll(_) => Took::Polled,
            Input::Trap(trap) => Took::Trap {
                device: site
                    .devices
                    .get(trap.device.index())
                    .map(|d| d.name.clone())
                    .unwrap_or_default(),
                trap,
            },
            Input::Incident { incident, order } => Took::Incident { incident, order },
            Input::Maintenance(order) => Took::Maintenance(order),
            Input::Committed { batch, result } => Took::Committed { batch, result },
            Input::CommitLate { batch, error } => Took::CommitLate { batch, error },
            Input::Ledger(news) => Took::Ledger(news),
            Input::Delivered { attempt, outcome } => Took::Delivered { attempt, outcome },
            Input::RouteTested(test) => Took::RouteTested(test),
            Input::Reload(site) => Took::Reload {
                fingerprint: site.fingerprint.clone(),
            },
        }
    }
}

/// An observation, by the device's name: ids are another after a reload, and in another configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Whose.
    pub device: Name,
    /// The profile it was read by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    /// What.
    pub observation: Observation,
}

impl Seen {
    fn of(observation: &Observation, site: &Site) -> Option<Seen> {
        let device = site.devices.get(observation.device().index())?;
        let profile = match observation {
            Observation::Agent(round) => round.outcome.as_ref().ok().and_then(|r| r.profile.as_ref()),
            _ => None,
        };
        Some(Seen {
            device: device.name.clone(),
            profile: profile.map(|p| p.name.clone()),
            observation: observation.clone(),
        })
    }

    /// The observation as this site numbers its devices; `None` if it has none of that name.
    pub(super) fn observation(self, site: &Site, device: DeviceId) -> Observation {
        let mut observation = self.observation;
        match &mut observation {
            Observation::Agent(round) => {
                if let (Ok(reading), Some(name)) = (&mut round.outcome, &self.profile) {
                    reading.profile = site.profiles.by_name(name).cloned();
                }
            }
            Observation::Reach(_) | Observation::Tcp(_) | Observation::Service(_) => {}
        }
        observation.renumber(device);
        observation
    }
}

/// The service gave the answer that it should give.
fn is_well(reading: &ServiceReading, site: &Site) -> bool {
    let device = site.devices.get(reading.device.index());
    let service = device.and_then(|d| d.service(&reading.watch));
    match (service, &reading.result) {
        (Some(service), Ok(answer)) => fault(service, answer, reading.wall).is_none(),
        _ => false,
    }
}

/// What is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Everything: only then is what is played the same to the octet.
    pub all: bool,
    /// These, whatever they say.
    pub targets: BTreeSet<Name>,
}

/// A tape that runs.
#[derive(Debug, Default)]
pub(super) struct Tape {
    wants: Wants,
    passes: Vec<Vec<Seen>>,
    lines: Vec<Line>,
}

impl Tape {
    pub(super) fn new(wants: Wants) -> Tape {
        Tape {
            wants,
            ..Tape::default()
        }
    }

    /// A pass of the turn begins.
    pub(super) fn pass(&mut self) {
        self.passes.push(Vec::new());
    }

    /// Keeps an observation, before the rules have taken it.
    pub(super) fn observed(&mut self, observation: &Observation, site: &Site, rules: &Rules) {
        if !self.wanted(observation, site, rules) {
            return;
        }
        if let (Some(seen), Some(pass)) = (Seen::of(observation, site), self.passes.last_mut()) {
            pass.push(seen);
        }
    }

    /// Unless everything is wanted: what was named, and whatever is not a plain "well, as before".
    fn wanted(&self, observation: &Observation, site: &Site, rules: &Rules) -> bool {
        let id = observation.device();
        let named = || {
            site.devices
                .get(id.index())
                .is_some_and(|d| self.wants.targets.contains(&d.name))
        };
        let well = || match observation {
            Observation::Reach(round) => round.received == round.sent && round.send_error.is_none(),
            Observation::Agent(round) => round.outcome.is_ok(),
            Observation::Tcp(reading) => reading.result.is_ok(),
            Observation::Service(reading) => is_well(reading, site),
        };
        let up = || matches!(rules.reach().node(id).state, ReachState::Up | ReachState::NotWatched);
        self.wants.all || named() || !well() || !up()
    }

    /// Ends the turn. `due`: it would have been taken for the time alone.
    pub(super) fn turned(&mut self, took: Took, due: bool, now: Now) {
        let mut passes = std::mem::take(&mut self.passes);
        while passes.last().is_some_and(Vec::is_empty) {
            passes.pop();
        }
        if due || !passes.is_empty() || !matches!(took, Took::Polled | Took::Time) {
            self.lines.push(Line::Turn(Box::new(Turn { now, took, passes })));
        }
    }

    pub(super) fn mail(&mut self, delivery: &Delivery) {
        self.lines.push(Line::Mail(Box::new(delivery.clone())));
    }

    pub(super) fn lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }
}
