//! Incoming messages: whose they are, whether they are believed, and what follows.
//!
//! Never here: what a v3 message proves (that is `session`), what values mean.

use super::device::{Agent, Step};
use super::flight::{Flight, Owner, Stage};
use super::session::{Opened, Session, community};
use super::{AgentEvent, Agents, DETOURS, id_of};
use crate::model::{Mono, Now};
use crate::poll::disbelief::Disbelief;
use crate::poll::{AgentFailure, Channel, DropReason};
use crate::wire::snmp::{DecodeError, Message, Names, PduKind, PduView};
use std::net::SocketAddr;

impl Agents {
    /// Why the message is not believed, if it is not.
    pub(super) fn received(
        &mut self,
        channel: Channel,
        from: SocketAddr,
        at: Mono,
        bytes: &[u8],
        message: Message<'_>,
        now: Now,
    ) -> Option<DropReason> {
        let id = match &message {
            Message::Community { pdu, .. } => pdu.request_id,
            Message::V3(v3) => v3.header.id,
        };
        let Some(slot) = self.flights.find(id) else {
            self.nobodys(id, (channel, from), at);
            return Some(DropReason::UnknownRequest);
        };
        let flight = self.flights.get_mut(slot)?;
        let agent = self.agents.get_mut(flight.device as usize)?.as_mut()?;
        let source = agent.target.ip() == from.ip() && agent.target.port() == from.port();
        if !source || Channel::Udp(agent.channel) != channel {
            let device = flight.device;
            self.reject(device, Disbelief::of(DropReason::WrongSource, from), from, at);
            return Some(DropReason::WrongSource);
        }
        let device = flight.device;
        let mut plain = Vec::new();
        let opened = match (&mut agent.session, message) {
            (Session::V3(v3), Message::V3(message)) if flight.stage == Stage::Discovery => {
                let engine = message.header.engine_id;
                if flight.engines.iter().any(|told| told == engine) {
                    Opened::Drop(DropReason::UnknownRequest)
                } else {
                    let opened = v3.discovered(&message, at, &mut self.keys);
                    if matches!(opened, Opened::Discovered) {
                        flight.engines.push(engine.to_vec());
                    }
                    opened
                }
            }
            (Session::V3(v3), Message::V3(message)) => v3.open(&message, bytes, flight, at, &mut plain),
            (
                Session::Community(version, access),
                Message::Community {
                    version: v,
                    community: c,
                    pdu,
                },
            ) => {
                if v != *version {
                    Opened::Drop(DropReason::WrongVersion)
                } else if c != community(access) {
                    Opened::Drop(DropReason::WrongCommunity)
                } else if pdu.kind != PduKind::Response {
                    Opened::Drop(DropReason::WrongContent)
                } else {
                    Opened::Answer(pdu)
                }
            }
            _ => Opened::Drop(DropReason::WrongVersion),
        };
        let dropped = self.opened(slot, opened, at, now);
        if let Some(reason) = dropped {
            self.reject(device, Disbelief::of(reason, from), from, at);
        }
        dropped
    }

    /// An answer to no request that is open, from where somebody is asked: late, or to something that was never asked.
    fn nobodys(&mut self, id: i32, (channel, from): (Channel, SocketAddr), at: Mono) {
        for device in self.at(from) {
            // A second copy of what was believed is no news.
            let waits = |a: &&mut Agent| a.round.is_some() || a.given_up.is_some_and(|(given_up, _)| given_up == id);
            let here = |a: &&mut Agent| Channel::Udp(a.channel) == channel;
            let Some(agent) = self.agent(device).filter(here).filter(waits) else {
                continue;
            };
            let why = match agent.given_up {
                Some((given_up, sent)) if given_up == id => Disbelief::late(at.since(sent)),
                _ => Disbelief::Number,
            };
            self.reject(device, why, from, at);
        }
    }

    /// Something that is no message came from where an answer is awaited: if no answer comes, that is what the operator should hear.
    pub(super) fn suspect(
        &mut self,
        (channel, from): (Channel, SocketAddr),
        at: Mono,
        error: &DecodeError,
        number: Option<i32>,
    ) {
        let asked = number
            .and_then(|n| self.flights.find(n))
            .and_then(|slot| self.flights.get(slot));
        let asked = asked.map(|flight| flight.device);
        let why = match error {
            DecodeError::Version(_) => Disbelief::Version,
            _ => Disbelief::Malformed,
        };
        // One that names a request of ours is about that one, wherever it comes from.
        for device in asked.map_or_else(|| self.at(from), |device| vec![device]) {
            self.reject(device, why.clone(), from, at);
        }
        for device in self.at(from) {
            let agent = self.agents.get_mut(device as usize).and_then(Option::as_mut);
            if let Some(agent) = agent.filter(|a| Channel::Udp(a.channel) == channel)
                && let Some(round) = &mut agent.round
            {
                round.hint.get_or_insert(AgentFailure::Malformed);
            }
        }
    }

    fn opened(&mut self, slot: u32, opened: Opened<'_>, at: Mono, now: Now) -> Option<DropReason> {
        let flight = self.flights.get_mut(slot)?;
        match opened {
            Opened::Drop(reason) => {
                if reason == DropReason::WrongContent {
                    flight.hint.get_or_insert(AgentFailure::Malformed);
                }
                return Some(reason);
            }
            Opened::Hint(failure) => {
                flight.hint = Some(failure);
                return None;
            }
            Opened::PrivacyDiffers => {
                let flight = self.land_all(slot)?;
                self.end(flight.device, Some(AgentFailure::WrongPrivacy), now);
                return None;
            }
            Opened::Answer(pdu) => {
                let agent = self.agents.get(flight.device as usize)?.as_ref()?;
                if !answers(self.uptime.asked(flight, agent), flight, &pdu, agent.repetitions()) {
                    flight.hint.get_or_insert(AgentFailure::Malformed);
                    return Some(DropReason::WrongContent);
                }
                let flight = self.land_all(slot)?;
                self.answered(&flight, &pdu, at, now);
                return None;
            }
            Opened::Discovered | Opened::Resynchronised | Opened::EngineGone => {}
        }
        let gone = matches!(opened, Opened::EngineGone);
        if !self.may_detour(slot) {
            if matches!(opened, Opened::Resynchronised) {
                self.flights.get_mut(slot)?.hint = Some(AgentFailure::NotInTimeWindow);
                return None;
            }
            return Some(DropReason::ForgedReport);
        }
        if matches!(opened, Opened::Resynchronised) {
            let flight = self.land_all(slot)?;
            match flight.owner {
                Owner::Round => self.go_on_after(flight.device, now),
                owner => self.probe(flight.device, owner, now),
            }
            return None;
        }
        // That was told, not proven: the request stays open, and whichever answer is signed is taken.
        let (device, owner) = self.flights.get(slot).map(|f| (f.device, f.owner))?;
        if gone {
            self.agent(device)?.session.want_discovery();
        }
        match owner {
            Owner::Round => {
                let beside = self.launch(device, (owner, Stage::Question), now);
                let round = self.agent(device)?.round.as_mut()?;
                round.beside.extend(beside);
            }
            owner => self.probe(device, owner, now),
        }
        None
    }

    /// Takes out a request and those that ask the same.
    fn land_all(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.land(slot)?;
        for sibling in self.siblings(&flight) {
            self.land(sibling);
        }
        Some(flight)
    }

    /// Counts a detour of the flight's owner; false if it has had enough.
    fn may_detour(&mut self, slot: u32) -> bool {
        let Some(flight) = self.flights.get_mut(slot) else {
            return false;
        };
        let count = match &mut flight.owner {
            Owner::Liveness { detours, .. } => Some(detours),
            Owner::Round => {
                let agent = self.agents.get_mut(flight.device as usize).and_then(Option::as_mut);
                agent.and_then(|a| a.round.as_mut()).map(|r| &mut r.detours)
            }
        };
        let allowed = count.filter(|c| **c < DETOURS);
        allowed.map(|c| *c += 1).is_some()
    }

    fn answered(&mut self, flight: &Flight, pdu: &PduView<'_>, at: Mono, now: Now) {
        let rtt = at.since(flight.sent);
        if let Owner::Liveness { token, started, .. } = flight.owner {
            self.events.push(AgentEvent::Liveness {
                device: id_of(flight.device),
                token,
                result: Ok(rtt),
                started,
                ended: at,
            });
            return;
        }
        let Some(agent) = self
            .agents
            .get_mut(flight.device as usize)
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        if let Some(round) = &mut agent.round {
            round.slot = None;
            round.rtt.get_or_insert(rtt);
        }
        match agent.answer(pdu, &mut self.library, at, now.mono) {
            Step::Continue => self.go_on(flight.device, now),
            Step::Fail(failure) => self.end(flight.device, Some(failure), now),
        }
    }
}

/// Is this a possible answer to what was asked? A GET names exactly the objects asked for, in order; a refusal names them or nothing.
fn answers(asked: Option<&Names>, flight: &Flight, pdu: &PduView<'_>, repetitions: u32) -> bool {
    let same = || asked.is_some_and(|names| names.same(&pdu.varbinds));
    if pdu.error_status != 0 {
        return pdu.varbinds.is_empty() || same();
    }
    match flight.kind {
        PduKind::GetBulk => pdu.varbinds.len() <= repetitions.try_into().unwrap_or(usize::MAX),
        PduKind::GetNext => pdu.varbinds.len() == 1,
        _ => same(),
    }
}
