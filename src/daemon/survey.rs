//! Pictures for those who only read, made in slices so that no poll waits for them.
//!
//! The engine thread gives them at most [`SHARE`] of each tick. A small site is done at once; a nation takes some tenths of a second.
//! Whoever asks while a picture is being made gets that one, unless it has to be taken from now on.

use super::clock;
use crate::core::{Core, Counts, Picture, Snapshot};
use crate::model::{Mono, Now};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Time for pictures in one tick.
const SHARE: Duration = Duration::from_millis(2);
/// Ticks are at least this far apart, however many messages wake the engine.
const APART: Duration = Duration::from_millis(8);
/// The clock is read after so many devices: one takes some microseconds in full, a few hundred nanoseconds as a row.
const STEP: usize = 16;
/// A picture for people may be this old.
const AGE: Duration = Duration::from_secs(1);

/// For `/metrics`.
type ForMetrics = oneshot::Sender<Arc<Picture>>;
/// For people.
type ForPeople = oneshot::Sender<Arc<Snapshot>>;

/// For the service manager.
type ForStatus = oneshot::Sender<Box<Counts>>;

/// A picture in the making.
enum Job {
    Status(Box<Counts>),
    Metrics(Box<Picture>),
    People(Box<Snapshot>),
}

/// Who waits for what, and how far it is.
#[derive(Default)]
pub(super) struct Survey {
    job: Option<(Mono, Job)>,
    /// The next device.
    next: usize,
    metrics: Vec<ForMetrics>,
    people: Vec<ForPeople>,
    status: Vec<ForStatus>,
    /// These want a picture that is begun after they asked.
    fresh: Vec<ForPeople>,
    cached: Option<(Mono, Arc<Snapshot>)>,
    last_slice: Option<Mono>,
}

impl Survey {
    /// Somebody waits for something that [`Survey::tick`] makes.
    pub(super) fn is_wanted(&self) -> bool {
        let asked = self.metrics.len() + self.people.len() + self.fresh.len() + self.status.len();
        self.job.is_some() || asked > 0
    }

    /// Somebody wants the numbers.
    pub(super) fn want_metrics(&mut self, reply: ForMetrics) {
        self.metrics.push(reply);
    }

    /// The service manager wants the counts.
    pub(super) fn want_status(&mut self, reply: ForStatus) {
        self.status.push(reply);
    }

    /// Somebody wants to see everything, at most a second old, or (`fresh`) as it is from now on.
    pub(super) fn want_people(&mut self, reply: ForPeople, fresh: bool, now: Now) {
        match &self.cached {
            Some((at, snapshot)) if !fresh && now.mono.since(*at) < AGE => {
                // Whoever asked may have gone away.
                let _ = reply.send(Arc::clone(snapshot));
            }
            _ if fresh => self.fresh.push(reply),
            _ => self.people.push(reply),
        }
    }

    /// What was seen before is not true any more: an operator acted.
    pub(super) fn outdated(&mut self) {
        self.cached = None;
        if matches!(self.job, Some((_, Job::People(_)))) {
            self.job = None;
        }
    }

    /// The ids of devices have changed: what was begun is begun again.
    pub(super) fn reloaded(&mut self) {
        (self.cached, self.job) = (None, None);
    }

    /// Goes on for one tick's share.
    pub(super) fn tick(&mut self, core: &Core, dropped: impl FnOnce() -> Vec<(&'static str, u64)>, now: Now) {
        if !self.is_wanted() || self.last_slice.is_some_and(|last| now.mono.since(last) < APART) {
            return;
        }
        let began = clock::mono();
        self.last_slice = Some(now.mono);
        let (at, mut job) = match self.job.take() {
            Some(job) => job,
            None => self.begin(core, now),
        };
        while self.next < core.devices() && clock::mono().since(began) < SHARE {
            let range = self.next..self.next + STEP;
            match &mut job {
                Job::Status(counts) => core.counts_slice(range.clone(), counts),
                Job::Metrics(picture) => core.picture(range.clone(), picture),
                Job::People(snapshot) => core.snapshot_slice(range.clone(), snapshot),
            }
            self.next = range.end;
        }
        if self.next < core.devices() {
            self.job = Some((at, job));
            return;
        }
        match job {
            Job::Status(counts) => {
                for reply in self.status.drain(..) {
                    let _ = reply.send(counts.clone());
                }
            }
            Job::Metrics(mut picture) => {
                picture.kernel_dropped = dropped();
                // It is not kept here: to give back its memory is not the engine's work.
                let picture = Arc::from(picture);
                for reply in self.metrics.drain(..) {
                    let _ = reply.send(Arc::clone(&picture));
                }
            }
            Job::People(snapshot) => {
                let snapshot = Arc::from(snapshot);
                for reply in self.people.drain(..) {
                    let _ = reply.send(Arc::clone(&snapshot));
                }
                self.cached = Some((at, snapshot));
            }
        }
    }

    /// People first: they are few, and somebody looks at a screen.
    fn begin(&mut self, core: &Core, now: Now) -> (Mono, Job) {
        self.next = 0;
        self.people.append(&mut self.fresh);
        let job = if !self.people.is_empty() {
            Job::People(Box::new(core.begin_snapshot(now)))
        } else if !self.metrics.is_empty() {
            Job::Metrics(Box::new(core.begin_picture(now)))
        } else {
            Job::Status(Box::new(core.begin_counts(now)))
        };
        (now.mono, job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Host, SourceFile, check};
    use crate::core::Input;
    use crate::incident::Restored;
    use crate::model::Site;

    fn site(devices: usize) -> Arc<Site> {
        let mut text = "[operator]\nname = \"Test\"\n".to_owned();
        for i in 0..devices {
            text += &format!("[[device]]\nname = \"d{i}\"\naddress = \"192.0.2.{i}\"\nliveness = \"none\"\n");
        }
        let file = SourceFile {
            path: "hinomi.toml".into(),
            text,
            private: true,
        };
        let loaded = check(&[file], &Host::new().without_secrets());
        let words: String = loaded.problems.iter().map(ToString::to_string).collect();
        Arc::new(loaded.site.unwrap_or_else(|| panic!("{words}")))
    }

    fn core(devices: usize) -> Core {
        Core::new(site(devices), Restored::default(), [7; 32], clock::now())
    }

    fn later(seconds: u64) -> Now {
        let now = clock::now();
        Now {
            mono: now.mono + Duration::from_secs(seconds),
            ..now
        }
    }

    /// A picture of which the first `done` devices are taken already.
    fn half(core: &Core, done: usize) -> Survey {
        let mut picture = Box::new(core.begin_picture(clock::now()));
        core.picture(0..done, &mut picture);
        Survey {
            job: Some((clock::mono(), Job::Metrics(picture))),
            next: done,
            ..Survey::default()
        }
    }

    #[test]
    fn a_picture_goes_on_where_the_last_tick_left_it() {
        let core = core(40);
        let mut survey = half(&core, 7);
        let (reply, mut picture) = oneshot::channel();
        survey.want_metrics(reply);
        survey.tick(&core, || vec![("udp", 3)], later(1));
        let picture = picture.try_recv().unwrap();
        let devices: Vec<usize> = picture.managed.iter().map(|m| m.device.index()).collect();
        assert_eq!(devices, (0..40).collect::<Vec<_>>());
        assert_eq!(picture.kernel_dropped, [("udp", 3)]);
    }

    #[test]
    fn a_reload_begins_a_picture_anew() {
        let mut core = core(40);
        let mut survey = half(&core, 30);
        let (reply, mut picture) = oneshot::channel();
        survey.want_metrics(reply);
        core.take(Input::Reload(site(5)), clock::now());
        survey.reloaded();
        survey.tick(&core, Vec::new, later(1));
        assert_eq!(picture.try_recv().unwrap().rows.len(), 5);
    }

    #[test]
    fn who_wants_it_fresh_is_not_served_from_a_picture_that_was_begun_before() {
        let core = core(3);
        let mut survey = half(&core, 1);
        let (reply, mut fresh) = oneshot::channel();
        survey.want_people(reply, true, later(0));
        let (reply, mut numbers) = oneshot::channel();
        survey.want_metrics(reply);
        let at = later(1);
        survey.tick(&core, Vec::new, at);
        assert!(numbers.try_recv().is_ok() && fresh.try_recv().is_err());
        survey.tick(&core, Vec::new, at);
        assert!(
            fresh.try_recv().is_err(),
            "one slice a tick, however often the engine wakes"
        );
        survey.tick(&core, Vec::new, later(2));
        assert_eq!(fresh.try_recv().unwrap().devices.len(), 3);
    }
}
