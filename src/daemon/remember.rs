//! The copy of what was learned of agents, taken in slices so that no poll waits for it: now and then, and when the daemon ends.
//!
//! Never here: a file (the thread of `cache` writes), what a memory means.

use super::clock;
use super::messages::ToCache;
use super::words::Word;
use crate::core::Core;
use crate::model::{Mono, Name, Now};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

/// After the start, and after a copy, the next one begins.
const FIRST: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_secs(600);
/// Time for the copy in one tick.
const SHARE: Duration = Duration::from_millis(1);
/// Ticks are at least this far apart, however many messages wake the engine.
const APART: Duration = Duration::from_millis(8);
/// The clock is read after so many devices.
const STEP: usize = 8;
/// Devices of one message, at most.
const SLICE: usize = 4_096;
/// Notes logged by one process, at most.
const NOTED: usize = 10_000;
/// At the end the whole copy may take this long; else the one before stays.
const LAST: Duration = Duration::from_millis(1_000);

/// How far the present copy is.
pub(super) struct Remember {
    next: Mono,
    last_slice: Mono,
    /// The next device.
    at: Option<usize>,
    /// What the thread had no room for yet.
    waiting: Option<ToCache>,
    /// Notes that were logged, by a hash of device and note.
    noted: HashSet<u64>,
}

impl Remember {
    /// The first copy begins some minutes from `now`.
    pub(super) fn new(now: Mono) -> Remember {
        Remember {
            next: now + FIRST,
            last_slice: now,
            at: None,
            waiting: None,
            noted: HashSet::new(),
        }
    }

    /// Ids have changed: a copy under way begins anew.
    pub(super) fn reloaded(&mut self) {
        if self.at.take().is_some() {
            (self.next, self.waiting) = (Mono(0), None);
        }
    }

    /// When [`Remember::tick`] has something to do.
    pub(super) fn next_turn(&self) -> Mono {
        if self.at.is_some() || self.waiting.is_some() {
            self.last_slice
        } else {
            self.next
        }
    }

    /// Goes on for one tick's share.
    pub(super) fn tick(&mut self, core: &Core, cache: &SyncSender<ToCache>, now: Now) {
        let idle = self.at.is_none() && now.mono < self.next && self.waiting.is_none();
        if idle || now.mono.since(self.last_slice) < APART {
            return;
        }
        self.last_slice = now.mono;
        self.go_on(core, cache, now, SHARE);
    }

    /// Takes a whole copy now: the daemon ends.
    pub(super) fn all(&mut self, core: &Core, cache: &SyncSender<ToCache>, now: Now) {
        let began = clock::mono();
        (self.at, self.waiting, self.next) = (None, None, now.mono);
        while (self.at.is_some() || self.waiting.is_some() || self.next <= now.mono)
            && clock::mono().since(began) < LAST
        {
            if !self.go_on(core, cache, now, LAST) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// False if the thread has no room for more.
    fn go_on(&mut self, core: &Core, cache: &SyncSender<ToCache>, now: Now, share: Duration) -> bool {
        if let Some(message) = self.waiting.take()
            && !self.hand_over(message, cache)
        {
            return false;
        }
        let Some(from) = self.at else {
            if self.next <= now.mono {
                (self.at, self.next) = (Some(0), now.mono + EVERY);
                let profiles = core.profiles_mark();
                return self.hand_over(ToCache::Begin { at: now.wall, profiles }, cache);
            }
            return true;
        };
        let began = clock::mono();
        let (mut to, mut some) = (from, Vec::new());
        while to < core.devices() && to < from + SLICE && clock::mono().since(began) < share {
            some.append(&mut core.remember(to..to + STEP, now));
            self.note(core.notes(to..to + STEP));
            to += STEP;
        }
        self.at = Some(to).filter(|to| *to < core.devices());
        if !self.hand_over(ToCache::Some(some), cache) {
            // `End` follows when there is room: a slice without devices brings the copy back to this place.
            self.at = self.at.or(Some(to));
            return false;
        }
        self.at.is_some() || self.hand_over(ToCache::End, cache)
    }

    /// Logs each note once.
    fn note(&mut self, notes: Vec<(Name, String)>) {
        for (device, what) in notes {
            let mut hash = DefaultHasher::new();
            (&device, &what).hash(&mut hash);
            if self.noted.len() < NOTED && self.noted.insert(hash.finish()) {
                let device = device.to_string();
                Word::Noted { device, what }.log();
            }
        }
    }

    /// What finds no room waits.
    fn hand_over(&mut self, message: ToCache, cache: &SyncSender<ToCache>) -> bool {
        match cache.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(message)) => {
                self.waiting = Some(message);
                false
            }
            // Its thread is gone, with a word in the log: no copy any more.
            Err(TrySendError::Disconnected(_)) => {
                (self.at, self.waiting, self.next) = (None, None, Mono::NEVER);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Host, SourceFile, check};
    use crate::incident::Restored;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn core(devices: usize) -> Core {
        let mut text = "[operator]\nname = \"Test\"\n".to_owned();
        for i in 0..devices {
            let (a, b) = (i / 250, i % 250);
            text += &format!("[[device]]\nname = \"d{i}\"\naddress = \"192.0.{a}.{b}\"\nliveness = \"none\"\n");
        }
        let file = SourceFile {
            path: "hinomi.toml".into(),
            text,
            private: true,
        };
        let loaded = check(&[file], &Host::new().without_secrets());
        let words: String = loaded.problems.iter().map(ToString::to_string).collect();
        let site = loaded.site.unwrap_or_else(|| panic!("{words}"));
        Core::new(Arc::new(site), Restored::default(), [7; 32], clock::now())
    }

    fn later(seconds: u64) -> Now {
        let now = clock::now();
        Now {
            mono: now.mono + Duration::from_secs(seconds),
            ..now
        }
    }

    fn words(inbox: &Receiver<ToCache>) -> String {
        let word = |message| match message {
            ToCache::Begin { .. } => 'b',
            ToCache::Some(_) => 's',
            ToCache::End => 'e',
        };
        inbox.try_iter().map(word).collect()
    }

    #[test]
    fn a_copy_is_taken_now_and_then_and_waits_for_room() {
        let core = core(10);
        let (cache, inbox) = sync_channel(1);
        let mut remember = Remember::new(clock::mono());
        remember.tick(&core, &cache, later(60));
        assert_eq!(words(&inbox), "", "too early");
        let mut heard = String::new();
        for tick in 0..20 {
            remember.tick(&core, &cache, later(200 + tick));
            heard += &words(&inbox);
        }
        assert_eq!(
            heard.replace("ss", "s"),
            "bse",
            "one copy, in order, though only one message finds room"
        );
        remember.tick(&core, &cache, later(900));
        assert_eq!(words(&inbox), "b", "ten minutes later the next one");
    }

    #[test]
    fn a_reload_begins_the_copy_anew() {
        let core = core(10);
        let (cache, inbox) = sync_channel(8);
        let mut remember = Remember::new(clock::mono());
        remember.tick(&core, &cache, later(200));
        assert_eq!(words(&inbox), "b");
        remember.reloaded();
        for tick in 1..4 {
            remember.tick(&core, &cache, later(200 + tick));
        }
        assert_eq!(words(&inbox), "bse");
    }

    #[test]
    fn the_last_copy_is_whole_or_is_given_up_in_time() {
        let core = core(200);
        let (cache, inbox) = sync_channel(256);
        let mut remember = Remember::new(clock::mono());
        remember.all(&core, &cache, clock::now());
        assert_eq!(words(&inbox), "bse");
        let (cache, inbox) = sync_channel(1);
        let began = clock::mono();
        Remember::new(began).all(&core, &cache, clock::now());
        assert!(
            clock::mono().since(began) < LAST * 2,
            "a hung disk does not hold the end"
        );
        assert_eq!(words(&inbox), "b");
    }
}
