//! When watched services are asked: in rounds of their own, and once more soon after a failure.
//!
//! Never here: how they are asked (the shell does that), and whether an answer is good (the rules know).

use super::engine::{Poll, Timer, TokenUse};
use super::schedule::Due;
use super::{AskJob, Observation, PollEffect, ServiceReading};
use crate::model::service::{Answer, Failure};
use crate::model::{DeviceId, Now, Service, Status, WatchKind};
use std::sync::Arc;
use std::time::Duration;

/// A service that failed is asked again after this time, to be sure before anybody is told.
const AGAIN: Duration = Duration::from_secs(15);

/// Beyond the deadline of an answer, until the shell must have told of it.
const GUARD: Duration = Duration::from_secs(5);

/// A watch by device and index.
type Place = (DeviceId, u16);

impl Poll {
    /// A round of a service is due.
    pub(super) fn start_service(&mut self, due: Due, index: u16, now: Now) {
        self.lateness.record(due.at, now.mono);
        self.ask((due.device, index));
    }

    fn service(&self, (device, index): Place) -> Option<Arc<Service>> {
        let device = self.site.devices.get(device.index())?;
        let watch = device.watches.get(usize::from(index))?;
        match &watch.kind {
            WatchKind::Service(service) if device.status == Status::Active => Some(Arc::clone(service)),
            _ => None,
        }
    }

    fn ask(&mut self, place: Place) {
        let Some(service) = self.service(place) else { return };
        let device = self.site.device(place.0);
        // What the silence of its device explains is not asked while that lasts.
        if self.states[place.0.index()].silent && service.is_on(device.address) {
            return;
        }
        let Some(watch) = device.watches.get(usize::from(place.1)).map(|w| w.name.clone()) else {
            return;
        };
        let device = device.name.clone();
        if !self.watches_running.insert(place) {
            self.overrun += 1;
            return;
        }
        let token = self.token(TokenUse::Service(place.0, place.1), service.timeout + GUARD);
        self.effect(PollEffect::Ask(AskJob {
            token,
            device,
            watch,
            service,
        }));
    }

    /// A service was asked.
    pub(super) fn asked(&mut self, token: u64, took: Duration, result: Result<Answer, Failure>, now: Now) {
        if let Some(TokenUse::Service(device, index)) = self.tokens.get(&token) {
            let place = (*device, *index);
            self.tokens.remove(&token);
            self.service_ended(place, took, result, now);
        }
    }

    /// A round of a service ended.
    pub(super) fn service_ended(&mut self, place: Place, took: Duration, result: Result<Answer, Failure>, now: Now) {
        self.watches_running.remove(&place);
        let Some(service) = self.service(place) else { return };
        let device = self.site.device(place.0);
        let Some(watch) = device.watches.get(usize::from(place.1)).map(|w| w.name.clone()) else {
            return;
        };
        let word = match &result {
            Ok(_) => "ok",
            Err(Failure::NoAnswer(_)) => "lost",
            Err(Failure::Malformed(_)) => "malformed",
            Err(Failure::NotKnown(_)) => "not-known",
        };
        self.count(service.ask.key(), word);
        self.observed(Observation::Service(Box::new(ServiceReading {
            device: place.0,
            watch,
            at: now.mono,
            wall: now.wall,
            took,
            result,
        })));
    }

    /// The rules want to be sure. What comes by itself before that is enough.
    pub(super) fn ask_again(&mut self, device: DeviceId, watch: &str) {
        let Some(target) = self.site.devices.get(device.index()) else {
            return;
        };
        let index = target.watches.iter().position(|w| *w.name == *watch);
        let Some(index) = index.and_then(|i| u16::try_from(i).ok()) else {
            return;
        };
        let place = (device, index);
        let Some(service) = self.service(place) else { return };
        if service.interval > AGAIN && self.asked_again.insert(place) {
            self.timers
                .after(self.clock.awake(), AGAIN, Timer::AskAgain(device, index));
        }
    }

    /// Now. (After a reload nothing is asked again: the place may be another watch's.)
    pub(super) fn again_due(&mut self, place: Place) {
        if self.asked_again.remove(&place) && !self.watches_running.contains(&place) {
            self.ask(place);
        }
    }
}
