//! Liveness rounds in flight: a slab whose slot and generation are part of what is sent, so that an answer finds its round
//! without a search and an answer to a round that is over finds none.
//!
//! Never here: when to send, what a missed round means.

use super::timers::Awake;
use super::{ReachRound, RoundKind};
use crate::model::{DeviceId, Mono};
use std::net::IpAddr;
use std::time::Duration;

/// More ICMP errors than this about one round say nothing new.
const MAX_ERRORS: usize = 8;
/// Attempts whose memory a free slot keeps.
const SPARE: usize = 4;

/// Names one round, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RoundKey {
    /// Index in the slab.
    pub(super) slot: u32,
    /// How often the slot was used before.
    pub(super) generation: u32,
}

/// What became of one echo (or GET, or connection).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptState {
    /// Sent; no answer yet, or never.
    Waiting,
    /// Answered in time.
    Answered,
    /// The operating system refused to send it, or the attempt is known to have failed.
    Failed,
}

/// One echo (or GET, or connection).
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// Given to the socket at.
    pub(super) sent: Mono,
    /// The same in awake time.
    pub(super) sent_awake: Awake,
    /// What became of it.
    pub(super) state: AttemptState,
}

/// One liveness round. A regular round of which all was lost becomes the confirm burst in its place: it keeps slot, cookie and
/// attempts, so an answer still on its way when the burst begins counts for the burst.
#[derive(Debug)]
pub(super) struct Round {
    /// Whom.
    pub(super) device: DeviceId,
    /// Regular, then maybe confirm.
    pub(super) kind: RoundKind,
    /// When it was due, for lateness; `None` if it was asked for.
    pub(super) due: Option<Mono>,
    /// When the first attempt of the regular round was sent: the confirm burst ends `confirm.over` after this.
    pub(super) begun: Awake,
    /// When the confirm burst began and how far apart its attempts are.
    pub(super) burst: (Awake, Duration),
    /// All attempts, the regular ones first.
    pub(super) attempts: Vec<Attempt>,
    /// Index of the first attempt of this kind.
    pub(super) first: usize,
    /// Attempts of this kind end here (exclusive).
    pub(super) planned: usize,
    /// ICMP sequence number of attempt 0.
    pub(super) seq_base: u16,
    /// Random, never told to anybody but the target.
    pub(super) nonce: u64,
    /// Round-trip times of this kind.
    pub(super) rtts: Vec<Duration>,
    /// ICMP errors of this kind.
    pub(super) errors: Vec<(IpAddr, u8, u8)>,
    /// Last words of the operating system.
    pub(super) send_error: Option<String>,
    /// Thousandths of an echo a second that its burst needs; counted in [`Rounds::burst_load`] while it runs.
    pub(super) load: u32,
    /// For SNMP and TCP: the token of the attempt that is open.
    pub(super) token: Option<u64>,
}

impl Round {
    /// Attempts of this kind.
    pub(super) fn own(&self) -> &[Attempt] {
        self.attempts.get(self.first..).unwrap_or_default()
    }

    /// Answered ones, including those sent before the burst and answered in it.
    pub(super) fn received(&self) -> u32 {
        u32::try_from(self.rtts.len()).unwrap_or(u32::MAX)
    }

    /// Nothing more is to be sent and nothing more can come.
    pub(super) fn complete(&self) -> bool {
        self.attempts.len() >= self.planned && self.own().iter().all(|a| a.state != AttemptState::Waiting)
    }

    /// Remembers an ICMP error about the target.
    pub(super) fn note_error(&mut self, from: IpAddr, kind: u8, code: u8) {
        if self.errors.len() < MAX_ERRORS && !self.errors.contains(&(from, kind, code)) {
            self.errors.push((from, kind, code));
        }
    }

    /// What is told about it at `ended`.
    pub(super) fn report(&mut self, ended: Mono) -> ReachRound {
        let own = self.own();
        let failed = own.iter().all(|a| a.state == AttemptState::Failed) && !own.is_empty();
        let started = own.first().map_or(ended, |a| a.sent);
        let carried = self.attempts[..self.first]
            .iter()
            .filter(|a| a.state == AttemptState::Answered)
            .count();
        let sent = u32::try_from(own.len() + carried).unwrap_or(u32::MAX);
        ReachRound {
            device: self.device,
            kind: self.kind,
            started,
            ended: ended.max(started),
            sent,
            received: self.received(),
            rtts: std::mem::take(&mut self.rtts),
            errors: std::mem::take(&mut self.errors),
            send_error: self.send_error.take().filter(|_| failed),
            rejected: None,
        }
    }
}

/// The slab.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    slots: Vec<Slot>,
    free: Vec<u32>,
    burst_load: u32,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    round: Option<Round>,
    /// Memory for the attempts of the next round.
    spare: Vec<Attempt>,
}

impl Rounds {
    /// Begins a regular round. `nonce` is random.
    pub(super) fn insert(&mut self, device: DeviceId, due: Option<Mono>, planned: usize, nonce: u64) -> RoundKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                round: None,
                spare: Vec::new(),
            });
            u32::try_from(self.slots.len() - 1).expect("fewer rounds in flight than 2^32: at most a few per device")
        });
        let place = &mut self.slots[slot as usize];
        place.round = Some(Round {
            device,
            kind: RoundKind::Regular,
            due,
            begun: Awake::default(),
            burst: Default::default(),
            attempts: std::mem::take(&mut place.spare),
            first: 0,
            planned,
            seq_base: (nonce >> 48) as u16,
            nonce,
            rtts: Vec::new(),
            errors: Vec::new(),
            send_error: None,
            load: 0,
            token: None,
        });
        RoundKey {
            slot,
            generation: place.generation,
        }
    }

    /// The round, unless it is over.
    pub(super) fn get(&self, key: RoundKey) -> Option<&Round> {
        let slot = self.slots.get(key.slot as usize)?;
        slot.round.as_ref().filter(|_| slot.generation == key.generation)
    }

    /// The round, unless it is over.
    pub(super) fn get_mut(&mut self, key: RoundKey) -> Option<&mut Round> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        slot.round.as_mut().filter(|_| slot.generation == key.generation)
    }

    /// Was there ever such a round, and is it over?
    pub(super) fn is_over(&self, key: RoundKey) -> bool {
        self.slots
            .get(key.slot as usize)
            .is_some_and(|s| key.generation < s.generation)
    }

    /// Ends a round and frees its slot. False if it was over already.
    pub(super) fn remove(&mut self, key: RoundKey) -> bool {
        let slot = self
            .slots
            .get_mut(key.slot as usize)
            .filter(|s| s.generation == key.generation);
        let Some((slot, mut round)) = slot.and_then(|s| s.round.take().map(|r| (s, r))) else {
            return false;
        };
        // A confirm burst has many: what it used is given back.
        if round.attempts.capacity() <= SPARE {
            round.attempts.clear();
            slot.spare = round.attempts;
        }
        slot.generation = slot.generation.wrapping_add(1);
        self.burst_load = self.burst_load.saturating_sub(round.load);
        self.free.push(key.slot);
        true
    }

    /// Thousandths of an echo a second that all running bursts need.
    pub(super) fn burst_load(&self) -> u32 {
        self.burst_load
    }

    /// The round's burst begins and needs so many thousandths of an echo a second.
    pub(super) fn load(&mut self, key: RoundKey, load: u32) {
        if let Some(round) = self.get_mut(key) {
            let before = std::mem::replace(&mut round.load, load);
            self.burst_load = self.burst_load.saturating_sub(before).saturating_add(load);
        }
    }

    /// All that are in flight, by slot.
    pub(super) fn keys(&self) -> Vec<RoundKey> {
        let key = |(i, s): (usize, &Slot)| {
            s.round.as_ref()?;
            Some(RoundKey {
                slot: u32::try_from(i).ok()?,
                generation: s.generation,
            })
        };
        self.slots.iter().enumerate().filter_map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_is_used_again_does_not_answer_to_its_old_key() {
        let mut r = Rounds::default();
        let a = r.insert(DeviceId(1), None, 1, 7);
        assert!(r.get(a).is_some() && !r.is_over(a));
        assert!(r.remove(a) && !r.remove(a));
        let b = r.insert(DeviceId(2), None, 1, 8);
        assert_eq!(a.slot, b.slot);
        assert!(r.get(a).is_none() && r.is_over(a) && r.get(b).is_some());
        assert_eq!(r.keys(), [b]);
    }
}
