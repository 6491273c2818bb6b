//! What the running daemon knows of a target: its open incidents, whose fault it says that is, planned work. What it has read for hours is worth
//! more than a look of some seconds, and two answers to one question help nobody.
//!
//! Never here: a question to the network.

use super::super::table::clock_time;
use super::super::{Daemon, client, standing, words};
use crate::core::snapshot::IncidentSummary;
use crate::core::{Covered, DeviceStatus, MaintenanceStatus, Snapshot};
use crate::daemon::clock;
use crate::model::maintenance::{By, WindowStage};
use crate::model::{DeviceId, Isolation, Name, Site, Verdict, Window};
use crate::notify;
use serde::Serialize;

/// An open incident about the target.
#[derive(Debug, Serialize)]
pub(super) struct Known {
    pub(super) id: u64,
    pub(super) root: String,
    pub(super) behind_it: usize,
    pub(super) verdict: Option<Verdict>,
}

/// The daemon's word on the target.
pub(super) struct Told {
    snapshot: Snapshot,
    device: Option<DeviceStatus>,
    target: Name,
}

impl Told {
    /// Asks it; `None`: no daemon answers.
    pub(super) fn ask(daemon: &Daemon, target: &str) -> Option<Told> {
        Some(Told {
            snapshot: client::snapshot(daemon).ok()?,
            device: client::device(daemon, target).ok(),
            target: target.into(),
        })
    }

    fn about(&self) -> impl Iterator<Item = &IncidentSummary> {
        let behind = self
            .device
            .as_ref()
            .and_then(|d| d.behind.as_ref())
            .and_then(|b| b.incident);
        self.snapshot.incidents.iter().filter(move |i| {
            let of_it = i.root.device.as_ref() == Some(&self.target) || i.affected.contains(&self.target);
            i.recovered.is_none() && (of_it || Some(i.id) == behind)
        })
    }

    /// The open incidents about it.
    pub(super) fn incidents(&self) -> Vec<Known> {
        let known = |i: &IncidentSummary| Known {
            id: i.id,
            root: i.root.to_string(),
            behind_it: i.affected_count,
            verdict: i.isolation.as_ref().map(|x| x.verdict),
        };
        self.about().map(known).collect()
    }

    /// Whose fault its silence is, and what that rests on: as its incident says, else as the daemon judges it now.
    pub(super) fn isolation(&self) -> Option<(Isolation, Vec<String>)> {
        let incident = self.about().find(|i| i.isolation.is_some());
        let (isolation, source) = match incident {
            Some(i) => {
                let whose = match i.root.device.as_ref() == Some(&self.target) {
                    true => String::new(),
                    false => format!("it lies behind {}: ", i.root),
                };
                (
                    i.isolation.clone()?,
                    format!("{whose}incident #{}, open since {}", i.id, clock_time(i.opened)),
                )
            }
            None => {
                let judged = self.device.as_ref()?.isolation.clone()?;
                (judged, "judged by the daemon from what it has read so far".to_owned())
            }
        };
        let evidence = isolation.evidence.iter().map(words::evidence);
        let because = std::iter::once(source).chain(evidence).collect();
        Some((isolation, because))
    }

    /// What the daemon still has open about a target that answers.
    pub(super) fn still_open(&self) -> Option<String> {
        let incident = self.about().next()?;
        let state = self.device.as_ref().filter(|d| d.recovering.is_some());
        let state = state.map(|d| standing::reach(d.reach, d.recovering.as_ref(), None));
        let state = state
            .map(|cell| format!(": {}", super::painted(&cell, false)))
            .unwrap_or_default();
        Some(format!("incident #{} about it is still open{state}", incident.id))
    }

    /// Windows that somebody set by hand.
    fn windows(&self) -> Vec<Window> {
        let window = |w: &MaintenanceStatus| {
            let (start, end) = w.once?;
            Some(Window {
                name: w.name.clone(),
                what: w.what.clone(),
                by: By::ALL.iter().find(|(word, _)| *word == w.by)?.1,
                start,
                end,
                set_by: w.set_by.clone()?,
                note: w.note.clone(),
            })
        };
        self.snapshot.maintenance.iter().filter_map(window).collect()
    }
}

/// The planned work that covers a device now: windows of the configuration, and those that the daemon knows.
pub(super) fn planned(site: &Site, told: Option<&Told>, device: DeviceId) -> Option<Covered> {
    let set_by_hand = told.map(Told::windows).unwrap_or_default();
    notify::covering(site, &set_by_hand, device, clock::now()).map(Covered::from)
}

/// What to do about a target that is silent in planned work.
pub(super) fn next_step(planned: &Covered) -> String {
    match planned.stage {
        Some(WindowStage::Settling { until, .. }) => format!(
            "the work has ended and things are given time to come back: wait until {}; what is still bad then is told",
            clock_time(until)
        ),
        Some(WindowStage::InForce { until: Some(until) }) => format!(
            "planned work explains it: ask nobody to look for a fault; tell a caller that the work lasts until {}",
            clock_time(until)
        ),
        _ => "planned work explains it: ask nobody to look for a fault".to_owned(),
    }
}
