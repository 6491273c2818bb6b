//! Echo requests that cannot be answered by guessing, and what of the received ICMP is about one of them.
//!
//! The identifier is one per process; the payload carries slot and generation of the round, and a random number that only the
//! target (and who sees the traffic) can know. Address, identifier, sequence number and payload must all fit.
//!
//! Never here: which round is due; what a lost echo means.

use super::disbelief::{Disbelief, Rejected};
use super::engine::{Poll, Timer};
use super::inflight::{AttemptState, Round, RoundKey, Rounds};
use super::{Channel, DropReason, PollEffect, RoundKind};
use crate::model::{DeviceId, Mono, Now, Site, Status};
use crate::wire::icmp::{self, IcmpMessage};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Between the echoes of a regular round.
pub(super) const ECHO_GAP: Duration = Duration::from_millis(200);

/// Slot, generation, nonce.
pub(super) const PAYLOAD: usize = 16;

/// The echo request of attempt `index` of a round.
pub(super) fn request(v6: bool, ident: u16, key: RoundKey, round: &Round, index: usize) -> Vec<u8> {
    let mut payload = [0u8; PAYLOAD];
    payload[..4].copy_from_slice(&key.slot.to_be_bytes());
    payload[4..8].copy_from_slice(&key.generation.to_be_bytes());
    payload[8..].copy_from_slice(&round.nonce.to_be_bytes());
    icmp::echo_request(v6, ident, sequence(round, index), &payload)
}

fn sequence(round: &Round, index: usize) -> u16 {
    round.seq_base.wrapping_add(index as u16)
}

/// The attempt of a round with this sequence number.
pub(super) fn attempt_of(round: &Round, seq: u16) -> Option<usize> {
    let index = usize::from(seq.wrapping_sub(round.seq_base));
    (index < round.attempts.len()).then_some(index)
}

/// Whose payload it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Of this round, which is in flight.
    Ours(RoundKey),
    /// Of a round that is over.
    Over,
    /// Of nobody.
    Foreign,
}

/// Reads the payload of a reply, or what an error quotes of it (`None` if that is too little to tell).
pub(super) fn cookie(payload: &[u8], rounds: &Rounds) -> Option<Cookie> {
    let (slot, rest) = payload.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<4>()?;
    let (nonce, _) = rest.split_first_chunk::<8>()?; // a quoted packet may be padded (RFC 4884)
    let key = RoundKey {
        slot: u32::from_be_bytes(*slot),
        generation: u32::from_be_bytes(*generation),
    };
    Some(match rounds.get(key) {
        Some(r) if r.nonce == u64::from_be_bytes(*nonce) => Cookie::Ours(key),
        Some(_) => Cookie::Foreign,
        None if rounds.is_over(key) => Cookie::Over,
        None => Cookie::Foreign,
    })
}

/// The round that a payload names, believed or not.
fn key_of(payload: &[u8]) -> Option<RoundKey> {
    let (slot, rest) = payload.split_first_chunk::<4>()?;
    let (generation, _) = rest.split_first_chunk::<4>()?;
    Some(RoundKey {
        slot: u32::from_be_bytes(*slot),
        generation: u32::from_be_bytes(*generation),
    })
}

/// The latest attempt that is still open: the one that a failed send is about.
pub(super) fn latest_open(round: &Round) -> Option<usize> {
    round.attempts.iter().rposition(|a| a.state == AttemptState::Waiting)
}

/// Devices by address: what is about an address need not carry our payload.
#[derive(Debug)]
pub(super) struct Addresses(Vec<(IpAddr, DeviceId)>);

impl Addresses {
    /// Of all devices in service.
    pub(super) fn new(site: &Site) -> Addresses {
        let active = site.iter().filter(|(_, d)| d.status == Status::Active);
        let mut all: Vec<_> = active.map(|(id, d)| (d.address.to_canonical(), id)).collect();
        all.sort_unstable();
        Addresses(all)
    }

    /// The devices with this address (a misconfigured site may have several).
    pub(super) fn find(&self, address: IpAddr) -> impl Iterator<Item = DeviceId> + '_ {
        let address = address.to_canonical();
        let from = self.0.partition_point(|(a, _)| *a < address);
        self.0[from..]
            .iter()
            .take_while(move |(a, _)| *a == address)
            .map(|(_, id)| *id)
    }
}

impl Poll {
    /// Sends the echoes that may leave in this tick.
    pub(super) fn send_echoes(&mut self, now: Now) {
        while let Some(key) = self.pacer.next_echo() {
            let Some(id) = self.rounds.get(key).map(|r| r.device) else {
                continue;
            };
            self.pacer.spend_echo();
            let index = self.begin_attempt(key, None, now);
            let Some(round) = self.rounds.get(key) else { continue };
            let (to, settings) = (self.site.device(id).at_port(0), self.site.device(id).poll);
            let bytes = request(to.is_ipv6(), self.ident, key, round, index);
            let (confirm, last) = (round.kind == RoundKind::Confirm, round.attempts.len() >= round.planned);
            let (begun, awake, (start, gap)) = (round.begun, self.clock.awake(), round.burst);
            let in_burst = u32::try_from(round.attempts.len() - round.first).unwrap_or(u32::MAX);
            self.effect(PollEffect::Send {
                channel: Channel::Icmp,
                to,
                bytes,
            });
            match (last, confirm) {
                (true, _) => self.timers.after(awake, settings.timeout, Timer::Expire(key, confirm)),
                (false, false) => self.timers.after(awake, ECHO_GAP, Timer::Step(key, false)),
                (false, true) => self
                    .timers
                    .at(start + gap.saturating_mul(in_burst), Timer::Step(key, true)),
            }
            if index == 0 && !self.states[id.index()].silent {
                self.plan_cut(key, begun, &settings);
            }
        }
    }

    /// A packet came in on the RAW socket.
    /// The device whose round an echo reply seems to answer.
    pub(super) fn echo_seems_from(&self, v6: bool, bytes: &[u8]) -> Option<DeviceId> {
        let Ok(IcmpMessage::EchoReply { payload, .. }) = icmp::parse(v6, bytes) else {
            return None;
        };
        match cookie(payload, &self.rounds)? {
            Cookie::Ours(key) => self.rounds.get(key).map(|round| round.device),
            Cookie::Over | Cookie::Foreign => None,
        }
    }

    pub(super) fn icmp(&mut self, from: SocketAddr, at: Mono, bytes: &[u8], now: Now) {
        match icmp::parse(from.is_ipv6(), bytes) {
            Err(_) => self.drop_datagram(DropReason::Malformed),
            Ok(IcmpMessage::Other) => {}
            Ok(IcmpMessage::EchoReply { ident, seq, payload }) => {
                let whole = ident == self.ident && payload.len() == PAYLOAD;
                match cookie(payload, &self.rounds) {
                    Some(Cookie::Ours(key)) if whole => self.echo_reply(key, from, seq, at, now),
                    whose => self.not_believed(whose, (ident, payload), from, at),
                }
            }
            Ok(IcmpMessage::Error {
                kind_type,
                code,
                original_to,
                ident,
                seq,
                payload,
            }) => {
                if ident != self.ident {
                    return self.drop_datagram(DropReason::ForeignEcho);
                }
                let about = self.round_of_error(original_to, seq, payload);
                match about.and_then(|key| self.rounds.get_mut(key)) {
                    Some(round) => round.note_error(from.ip().to_canonical(), kind_type, code),
                    None => self.drop_datagram(DropReason::LateEcho),
                }
            }
        }
    }

    /// The round that an ICMP error is about. Routers need not quote our payload; then address and sequence number must do.
    fn round_of_error(&self, original_to: IpAddr, seq: u16, payload: &[u8]) -> Option<RoundKey> {
        let quoted = match cookie(payload, &self.rounds) {
            Some(Cookie::Ours(key)) => Some(key),
            Some(Cookie::Over | Cookie::Foreign) => return None,
            None => None,
        };
        let keys = self
            .addresses
            .find(original_to)
            .filter_map(|d| self.states[d.index()].current);
        let mut fitting = keys.filter(|key| quoted.is_none_or(|q| q == *key));
        fitting.find(|key| self.rounds.get(*key).is_some_and(|r| attempt_of(r, seq).is_some()))
    }

    /// A reply that answers nothing that was sent. If it seems to come from a device, or knows a cookie of ours, it leaves its trace there.
    fn not_believed(&mut self, whose: Option<Cookie>, (ident, payload): (u16, &[u8]), from: SocketAddr, at: Mono) {
        let ours = ident == self.ident;
        let late = whose == Some(Cookie::Over) && ours && payload.len() == PAYLOAD;
        self.drop_datagram(if late {
            DropReason::LateEcho
        } else {
            DropReason::ForeignEcho
        });
        let known = match whose {
            Some(Cookie::Ours(key)) => self.rounds.get(key).map(|round| round.device),
            // Whoever else sends echoes from this host has another identifier.
            _ if ours => self.addresses.find(from.ip()).next(),
            _ => None,
        };
        let Some(device) = known else { return };
        let given_up = self.given_up.get(&device);
        let says_something = payload.iter().any(|b| *b != 0);
        // A second copy of what was answered in time is no news.
        if late && given_up.is_none() && says_something {
            return;
        }
        let given_up = given_up.filter(|(key, _)| key_of(payload) == Some(*key));
        let why = match given_up {
            _ if payload.len() != PAYLOAD => Disbelief::Payload {
                octets: payload.len(),
                sent: PAYLOAD,
            },
            Some((_, sent)) if late && says_something => Disbelief::late(at.since(*sent)),
            _ if late && says_something => Disbelief::TooLate,
            _ if matches!(whose, Some(Cookie::Ours(_))) => Disbelief::Sequence,
            _ => Disbelief::Payload {
                octets: PAYLOAD,
                sent: PAYLOAD,
            },
        };
        self.reject(device, why, from, at);
    }

    fn reject(&mut self, device: DeviceId, why: Disbelief, from: SocketAddr, at: Mono) {
        self.rejected.insert(device, Box::new(Rejected { why, from, at }));
    }

    /// A reply that knows the cookie.
    fn echo_reply(&mut self, key: RoundKey, from: SocketAddr, seq: u16, at: Mono, now: Now) {
        let Some(round) = self.rounds.get_mut(key) else { return };
        let id = round.device;
        let device = self.site.device(id);
        if !device.is_at(from) {
            self.reject(id, Disbelief::Source(from), from, at);
            return self.drop_datagram(DropReason::WrongSource);
        }
        let Some(attempt) = attempt_of(round, seq).and_then(|i| round.attempts.get_mut(i)) else {
            self.reject(id, Disbelief::Sequence, from, at);
            return self.drop_datagram(DropReason::ForeignEcho);
        };
        if attempt.state == AttemptState::Answered {
            return self.drop_datagram(DropReason::DuplicateEcho);
        }
        let rtt = at.since(attempt.sent);
        // In time by its own stamp, or by the time this process was awake (then the stamp is when we got round to reading it).
        if rtt.min(self.clock.awake().since(attempt.sent_awake)) > device.poll.timeout {
            self.reject(id, Disbelief::late(rtt), from, at);
            return self.drop_datagram(DropReason::LateEcho);
        }
        attempt.state = AttemptState::Answered;
        round.rtts.push(rtt);
        self.answered(key, now);
    }

    /// The operating system refused to send an echo.
    pub(super) fn echo_not_sent(&mut self, to: SocketAddr, error: &str, now: Now) {
        let keys: Vec<_> = self
            .addresses
            .find(to.ip())
            .filter(|d| self.site.device(*d).is_at(to))
            .filter_map(|d| self.states[d.index()].current)
            .collect();
        for key in keys {
            let Some(round) = self.rounds.get_mut(key) else {
                continue;
            };
            let Some(index) = latest_open(round) else {
                continue;
            };
            round.attempts[index].state = AttemptState::Failed;
            round.send_error = Some(error.to_owned());
            if round.complete() {
                self.end(key, now);
            }
        }
    }
}
