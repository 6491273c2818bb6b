//! Requests that are out: the slab they lie in, the number that finds them, and their deadlines.
//!
//! The slot is part of the request's number, so an answer is found without a search; the rest of the number is random, so an
//! answer to an earlier tenant of the slot (late, duplicate, invented) does not fit.
//!
//! Never here: what is asked or what an answer means.

use crate::model::Mono;
use crate::poll::AgentFailure;
use crate::wire::snmp::PduKind;
use std::collections::{BTreeSet, VecDeque};

const SLOT_BITS: u32 = 17;
const SLOTS: usize = 1 << SLOT_BITS;

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The device's round.
    Round,
    /// A liveness probe.
    Liveness {
        /// The caller's.
        token: u64,
        /// First datagram sent.
        started: Mono,
        /// Discoveries and resynchronisations so far.
        detours: u8,
    },
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The owner's own question.
    Question,
    /// SNMPv3: who is the agent? The question follows.
    Discovery,
    /// SNMPv3: the encrypted question stayed unanswered; is a signed one answered?
    Diagnosis,
}

/// One request.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) device: usize,
    pub(super) owner: Owner,
    pub(super) stage: Stage,
    /// request-id (v1, v2c) or msgID (v3); holds the slot.
    pub(super) id: i32,
    /// request-id of the PDU: all random in v3, where it is inside the signed part.
    pub(super) request_id: i32,
    pub(super) kind: PduKind,
    pub(super) oids: Vec<Vec<u32>>,
    pub(super) sent: Mono,
    pub(super) deadline: Mono,
    /// What an unauthenticated Report said; true only if nothing better comes.
    pub(super) hint: Option<AgentFailure>,
}

/// All requests that are out.
#[derive(Debug, Default)]
pub(super) struct Flights {
    slots: Vec<Option<Flight>>,
    free: VecDeque<usize>,
    deadlines: BTreeSet<(Mono, usize)>,
}

impl Flights {
    /// A free slot and the number of a request in it; `None` if 131,072 requests are out.
    pub(super) fn reserve(&mut self, random: u32) -> Option<(usize, i32)> {
        // Oldest free slot first: a number that was just given up stays unknown for as long as possible.
        let slot = if self.slots.len() < SLOTS && self.free.len() < 64 {
            self.slots.push(None);
            self.slots.len() - 1
        } else {
            self.free.pop_front()?
        };
        let number = (random << SLOT_BITS) | u32::try_from(slot).ok()?;
        Some((slot, i32::try_from(number & 0x7fff_ffff).unwrap_or(0)))
    }

    /// Puts the request into the slot that was reserved for it.
    pub(super) fn launch(&mut self, slot: usize, flight: Flight) {
        self.deadlines.insert((flight.deadline, slot));
        self.slots[slot] = Some(flight);
    }

    /// The slot of a number, if a request with exactly this number is out.
    pub(super) fn find(&self, id: i32) -> Option<usize> {
        let slot = usize::try_from(id).ok()? & (SLOTS - 1);
        self.get(slot).filter(|f| f.id == id).map(|_| slot)
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Flight> {
        self.slots.get(slot)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Flight> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Takes the request out: from now on its number is unknown.
    pub(super) fn land(&mut self, slot: usize) -> Option<Flight> {
        let flight = self.slots.get_mut(slot)?.take()?;
        self.deadlines.remove(&(flight.deadline, slot));
        self.free.push_back(slot);
        Some(flight)
    }

    pub(super) fn next_deadline(&self) -> Mono {
        self.deadlines.first().map_or(Mono::NEVER, |(at, _)| *at)
    }

    /// A slot whose deadline has come.
    pub(super) fn overdue(&self, now: Mono) -> Option<usize> {
        self.deadlines
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, slot)| *slot)
    }

    /// Slots of the requests that fit.
    pub(super) fn select(&self, fits: impl Fn(&Flight) -> bool) -> Vec<usize> {
        let open = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(i, f)| f.as_ref().map(|f| (i, f)));
        open.filter(|(_, f)| fits(f)).map(|(i, _)| i).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(id: i32, deadline: u64) -> Flight {
        Flight {
            device: 0,
            owner: Owner::Round,
            stage: Stage::Question,
            id,
            request_id: id,
            kind: PduKind::Get,
            oids: Vec::new(),
            sent: Mono(0),
            deadline: Mono(deadline),
            hint: None,
        }
    }

    #[test]
    fn the_number_of_an_earlier_tenant_is_unknown() {
        let mut flights = Flights::default();
        let mut seen = Vec::new();
        for random in 0..1_000 {
            let (slot, id) = flights.reserve(random).unwrap();
            assert!(id >= 0);
            flights.launch(slot, flight(id, 5));
            assert_eq!(flights.find(id), Some(slot));
            assert_eq!(flights.find(id ^ (1 << 20)), None, "other random bits");
            flights.land(slot).unwrap();
            assert_eq!(flights.find(id), None);
            seen.push(slot);
        }
        assert!(
            seen.windows(50).all(|w| w[1..].iter().all(|s| *s != w[0])),
            "reused too soon"
        );
        assert_eq!(flights.next_deadline(), Mono::NEVER);
    }

    #[test]
    fn deadlines_come_in_order() {
        let mut flights = Flights::default();
        for deadline in [30, 10, 20] {
            let (slot, id) = flights.reserve(7).unwrap();
            flights.launch(slot, flight(id, deadline));
        }
        assert_eq!(flights.next_deadline(), Mono(10));
        assert_eq!(flights.overdue(Mono(9)), None);
        let slot = flights.overdue(Mono(10)).unwrap();
        assert_eq!(flights.land(slot).unwrap().deadline, Mono(10));
        assert_eq!(flights.next_deadline(), Mono(20));
    }

    #[test]
    fn full_is_an_answer_not_a_panic() {
        let mut flights = Flights::default();
        for _ in 0..SLOTS {
            let (slot, id) = flights.reserve(1).unwrap();
            flights.launch(slot, flight(id, 1));
        }
        assert!(flights.reserve(1).is_none());
    }
}
