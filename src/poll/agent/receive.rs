//! Incoming messages: whose they are, whether they are believed, and what follows.
//!
//! Never here: what a v3 message proves (that is `session`), what values mean.

use super::device::Step;
use super::flight::{Flight, Owner, Stage};
use super::session::{Opened, Session, community};
use super::{AgentEvent, Agents, DETOURS, id_of};
use crate::model::{Mono, Now};
use crate::poll::{AgentFailure, Channel, DropReason};
use crate::wire::snmp::{Message, Names, PduKind, PduView};
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
            return Some(DropReason::UnknownRequest);
        };
        let flight = self.flights.get_mut(slot)?;
        let agent = self.agents.get_mut(flight.device as usize)?.as_mut()?;
        let source = agent.target.ip() == from.ip() && agent.target.port() == from.port();
        if !source || Channel::Udp(agent.channel) != channel {
            return Some(DropReason::WrongSource);
        }
        let mut plain = Vec::new();
        let opened = match (&mut agent.session, message) {
            (Session::V3(v3), Message::V3(message)) if flight.stage == Stage::Discovery => {
                v3.discovered(&message, at, &mut self.keys)
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
        self.opened(slot, opened, at, now)
    }

    /// Something that is no message came from where an answer is awaited: if no answer comes, that is what the operator should hear.
    pub(super) fn suspect(&mut self, channel: Channel, from: SocketAddr) {
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
                let flight = self.land(slot)?;
                self.end(flight.device, Some(AgentFailure::WrongPrivacy), now);
                return None;
            }
            Opened::Answer(pdu) => {
                let agent = self.agents.get(flight.device as usize)?.as_ref()?;
                if !answers(self.uptime.asked(flight, agent), flight, &pdu, agent.repetitions()) {
                    flight.hint.get_or_insert(AgentFailure::Malformed);
                    return Some(DropReason::WrongContent);
                }
                let flight = self.land(slot)?;
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
        let flight = self.land(slot)?;
        if gone {
            self.agent(flight.device)?.session.want_discovery();
        }
        match flight.owner {
            Owner::Round => self.go_on_after(flight.device, now),
            owner => self.probe(flight.device, owner, now),
        }
        None
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
