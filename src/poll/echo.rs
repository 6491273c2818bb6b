//! Echo requests that cannot be answered by guessing, and what of the received ICMP is about one of them.
//!
//! The identifier is one per process; the payload carries slot and generation of the round, and a random number that only the
//! target (and who sees the traffic) can know. Address, identifier, sequence number and payload must all fit.
//!
//! Never here: when to send; what a lost echo means.

use super::inflight::{AttemptState, Round, RoundKey, Rounds};
use crate::model::{DeviceId, Site, Status};
use crate::wire::icmp;
use std::net::IpAddr;

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
