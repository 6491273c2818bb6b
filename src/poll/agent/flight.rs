//! Requests that are out: the slab they lie in, the number that finds them, and their deadlines.
//!
//! The slot is part of the request's number, so an answer is found without a search; the rest of the number is random, so an
//! answer to an earlier tenant of the slot (late, duplicate, invented) does not fit.
//!
//! Never here: what is asked or what an answer means.

use crate::model::Mono;
use crate::poll::AgentFailure;
use crate::wire::snmp::PduKind;
use std::collections::VecDeque;
use std::time::Duration;

const SLOT_BITS: u32 = 17;
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;

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

/// One request. What it asks is known to its owner: a round has one request out at a time, everything else asks sysUpTime.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) device: u32,
    pub(super) owner: Owner,
    pub(super) stage: Stage,
    pub(super) kind: PduKind,
    /// request-id (v1, v2c) or msgID (v3); holds the slot.
    pub(super) id: i32,
    /// request-id of the PDU: all random in v3, where it is inside the signed part.
    pub(super) request_id: i32,
    pub(super) sent: Mono,
    pub(super) deadline: Mono,
    /// What an unauthenticated Report said; true only if nothing better comes.
    pub(super) hint: Option<AgentFailure>,
    /// Of a discovery: engines that have answered it.
    pub(super) engines: Vec<Vec<u8>>,
}

impl Flight {
    /// Where it lies.
    pub(super) fn slot(&self) -> u32 {
        self.id.cast_unsigned() & SLOT_MASK
    }
}

/// When it is, the slot, and the number that was in it then.
type Deadline = (Mono, u32, i32);

/// All requests that are out.
#[derive(Debug, Default)]
pub(super) struct Flights {
    slots: Vec<Option<Flight>>,
    free: VecDeque<u32>,
    /// One queue per timeout, which deadlines leave in the order they came. What has landed never stands first.
    deadlines: Vec<(Duration, VecDeque<Deadline>)>,
}

impl Flights {
    /// A free slot and the number of a request in it; `None` if 131,072 requests are out.
    pub(super) fn reserve(&mut self, random: u32) -> Option<(u32, i32)> {
        // Oldest free slot first: a number that was just given up stays unknown for as long as possible.
        let slot = if self.slots.len() < SLOTS && self.free.len() < 64 {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).ok()?
        } else {
            self.free.pop_front()?
        };
        let number = (random << SLOT_BITS) | slot;
        Some((slot, (number & 0x7fff_ffff).cast_signed()))
    }

    /// Puts the request into the slot that was reserved for it.
    pub(super) fn launch(&mut self, slot: u32, flight: Flight) {
        let timeout = flight.deadline.since(flight.sent);
        let entry = (flight.deadline, slot, flight.id);
        match self.deadlines.iter_mut().find(|(t, _)| *t == timeout) {
            Some((_, queue)) => queue.push_back(entry),
            None => self.deadlines.push((timeout, VecDeque::from([entry]))),
        }
        self.slots[slot as usize] = Some(flight);
    }

    /// The slot of a number, if a request with exactly this number is out.
    pub(super) fn find(&self, id: i32) -> Option<u32> {
        let slot = u32::try_from(id).ok()? & SLOT_MASK;
        self.get(slot).filter(|f| f.id == id).map(|_| slot)
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Flight> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Flight> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Takes the request out: from now on its number is unknown.
    pub(super) fn land(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push_back(slot);
        let timeout = flight.deadline.since(flight.sent);
        if let Some((_, queue)) = self.deadlines.iter_mut().find(|(t, _)| *t == timeout) {
            let landed = |entry: &&Deadline| {
                let (_, slot, id) = entry;
                self.slots[*slot as usize].as_ref().is_none_or(|f| f.id != *id)
            };
            while queue.front().filter(landed).is_some() {
                queue.pop_front();
            }
        }
        Some(flight)
    }

    /// When the next request has waited long enough.
    pub(super) fn next_deadline(&self) -> Mono {
        let fronts = self.deadlines.iter().filter_map(|(_, q)| q.front());
        fronts.map(|(at, ..)| *at).min().unwrap_or(Mono::NEVER)
    }

    /// A slot whose deadline has come.
    pub(super) fn overdue(&self, now: Mono) -> Option<u32> {
        let fronts = self.deadlines.iter().filter_map(|(_, q)| q.front());
        fronts.filter(|(at, ..)| *at <= now).min().map(|(_, slot, _)| *slot)
    }

    /// All that are out.
    pub(super) fn slots(&self) -> Vec<u32> {
        let open = self.slots.iter().enumerate().filter(|(_, f)| f.is_some());
        open.filter_map(|(i, _)| u32::try_from(i).ok()).collect()
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
            sent: Mono(0),
            deadline: Mono(deadline),
            hint: None,
            engines: Vec::new(),
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
