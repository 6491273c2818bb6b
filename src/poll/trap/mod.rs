//! Traps and informs: who may send them, which are believed, what goes back.
//!
//! A notification is a hint to look now, never a fact. The source must be the address of a device of the site that is asked by SNMP; each
//! source has a bucket, which is looked at before anything is decoded, so that a flood costs little; the community or the
//! user must be that of the device's own `[snmp.NAME]`. An inform is answered only when its sender has proven who it is.
//!
//! Datagrams in, datagrams out. Memory grows with the sources that have spoken, and those stand in the inventory.
//!
//! Never here: a socket, a clock, a judgement about health.

mod details;
mod kind;
mod usm;

pub use kind::TrapKind;

use crate::model::snmp::{Credentials, TextEncoding};
use crate::model::{DeviceId, Mono, Name, Role, Site, Status};
use crate::poll::agent::session::{Engine, KeyRing};
use crate::wire::snmp::trap::{Notification, Received, decode, response};
use crate::wire::snmp::{PduView, encode_community};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A notification that was believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapSeen {
    /// Whose address it came from.
    pub device: DeviceId,
    /// What it says.
    pub kind: TrapKind,
    /// Its object identifier (snmpTrapOID), in dotted form.
    pub oid: String,
    /// The varbinds that matter, for people: cleaned and short.
    pub details: String,
    /// When it came in.
    pub at: Mono,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrapResult {
    /// Believed.
    Accepted,
    /// An inform that was believed before: its Response got lost.
    Repeated,
    /// A discovery or a resynchronisation before an inform: answered by a Report, nothing told yet.
    Discovery,
    /// No device of the site that is asked by SNMP has this address.
    UnknownSource,
    /// More than its bucket holds.
    RateLimited,
    /// No notification of SNMP.
    Malformed,
    /// Not the community of the device's SNMP section.
    WrongCommunity,
    /// Not the version, user, key or security level of the device's SNMP section.
    Unauthenticated,
    /// v3: too old, or from the future: perhaps recorded and played back.
    NotInTimeWindow,
}

impl TrapResult {
    /// All of them, in the order of `/metrics`.
    pub const ALL: [TrapResult; 9] = [
        TrapResult::Accepted,
        TrapResult::Repeated,
        TrapResult::Discovery,
        TrapResult::UnknownSource,
        TrapResult::RateLimited,
        TrapResult::Malformed,
        TrapResult::WrongCommunity,
        TrapResult::Unauthenticated,
        TrapResult::NotInTimeWindow,
    ];

    /// The label in `/metrics`.
    pub fn key(self) -> &'static str {
        match self {
            TrapResult::Accepted => "accepted",
            TrapResult::Repeated => "repeated",
            TrapResult::Discovery => "discovery",
            TrapResult::UnknownSource => "unknown_source",
            TrapResult::RateLimited => "rate_limited",
            TrapResult::Malformed => "malformed",
            TrapResult::WrongCommunity => "wrong_community",
            TrapResult::Unauthenticated => "unauthenticated",
            TrapResult::NotInTimeWindow => "not_in_time_window",
        }
    }
}

/// hinomi as an SNMPv3 engine: for informs the receiver is authoritative (RFC 3414 section 1.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEngine {
    /// snmpEngineID, 5 to 32 octets, the same at every start.
    pub id: Vec<u8>,
    /// snmpEngineBoots: one more at every start.
    pub boots: u32,
    /// When snmpEngineTime was 0.
    pub started: Mono,
}

/// What a source may send, and what it has sent.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Whole datagrams and parts of one.
    tokens: f64,
    at: Mono,
    /// request-id and sysUpTime of its last inform.
    inform: Option<(i32, u32)>,
}

/// SNMPv3 engines that a device has proven to be (it may have one for each member).
#[derive(Debug)]
struct Senders {
    access: Arc<crate::model::snmp::SnmpAccess>,
    engines: Vec<Engine>,
}

/// Receives notifications for a site.
#[derive(Debug)]
pub struct Traps {
    site: Arc<Site>,
    /// Sorted; devices of the operator before circuits.
    sources: Vec<(IpAddr, DeviceId)>,
    /// Datagrams a second of one source, and at once.
    rate: f64,
    burst: f64,
    buckets: HashMap<IpAddr, Bucket>,
    senders: HashMap<Name, Senders>,
    local: LocalEngine,
    /// Keys of users localised to our own engine, by SNMP section.
    own_keys: HashMap<String, usm::Keys>,
    keys: KeyRing,
    /// Never the same twice for one key (RFC 3826 section 3.1.1.1).
    salt: u64,
    /// usmStats, by their number.
    usm_stats: [u32; 7],
    counts: [u64; TrapResult::ALL.len()],
}

/// What [`Traps::take`] makes of one datagram.
type Taken = (Option<TrapSeen>, Option<Vec<u8>>);

impl Traps {
    /// Nobody has spoken yet. `salt` must be random: it keeps the encryption of two runs apart.
    pub fn new(site: Arc<Site>, local: LocalEngine, salt: u64) -> Traps {
        let mut traps = Traps {
            sources: Vec::new(),
            rate: 0.0,
            burst: 0.0,
            buckets: HashMap::new(),
            senders: HashMap::new(),
            local,
            own_keys: HashMap::new(),
            keys: KeyRing::default(),
            salt,
            usm_stats: [0; 7],
            counts: [0; TrapResult::ALL.len()],
            site: Arc::clone(&site),
        };
        traps.adopt(site);
        traps
    }

    /// Another site. What is known of the engines of a device whose credentials are the same is kept, so that nothing old can be played
    /// back after a reload; buckets go on, too.
    pub fn reload(&mut self, site: Arc<Site>) {
        self.keys.clear();
        self.own_keys.clear();
        self.adopt(site);
        let known: HashMap<&str, _> = match self.senders.is_empty() {
            true => HashMap::new(),
            false => self.site.devices.iter().map(|d| (&*d.name, d.snmp.as_ref())).collect(),
        };
        self.senders
            .retain(|name, s| known.get(&**name).is_some_and(|a| *a == Some(&s.access)));
        let sources = &self.sources;
        self.buckets.retain(|ip, _| first_of(sources, *ip).is_some());
    }

    fn adopt(&mut self, site: Arc<Site>) {
        let speaks = |d: &crate::model::Device| d.status == Status::Active && d.snmp.is_some();
        let mut sources: Vec<(IpAddr, DeviceId)> = site
            .iter()
            .filter(|(_, d)| speaks(d))
            .map(|(id, d)| (d.address.to_canonical(), id))
            .collect();
        sources.sort_unstable_by_key(|(ip, id)| (*ip, site.device(*id).role == Role::Circuit, *id));
        self.sources = sources;
        // A listener that a reload took out of the configuration stays until the restart, with its limits.
        if let Some(settings) = &site.traps {
            self.rate = f64::from(settings.rate);
            self.burst = f64::from(settings.burst);
        }
        self.site = site;
    }

    /// The site that the ids of [`TrapSeen`] belong to.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> impl Iterator<Item = (TrapResult, u64)> {
        TrapResult::ALL.into_iter().zip(self.counts)
    }

    /// How many datagrams became this.
    pub fn count_of(&self, result: TrapResult) -> u64 {
        self.counts[result as usize]
    }

    /// Takes a datagram that came in at `now`; gives what was learned, and what is to be sent back to `from`.
    pub fn take(&mut self, from: SocketAddr, bytes: &[u8], now: Mono) -> Taken {
        let ip = from.ip().to_canonical();
        let Some(first) = first_of(&self.sources, ip) else {
            return self.refused(TrapResult::UnknownSource);
        };
        if !self.admit(ip, now) {
            return self.refused(TrapResult::RateLimited);
        }
        match decode(bytes) {
            Err(_) => self.refused(TrapResult::Malformed),
            Ok(Received::Community {
                community,
                notification,
                inform,
            }) => match self.device_of(first, ip, community) {
                Err(result) => self.refused(result),
                Ok(device) => {
                    let answer = inform.as_ref().map(|pdu| answer(community, &notification, pdu));
                    (self.seen(device, ip, &notification, now), answer)
                }
            },
            Ok(Received::V3(message)) => self.take_v3(first, ip, &message, bytes, now),
        }
    }

    fn refused(&mut self, result: TrapResult) -> Taken {
        self.count(result);
        (None, None)
    }

    fn count(&mut self, result: TrapResult) {
        self.counts[result as usize] += 1;
    }

    /// Takes one from the bucket of a source.
    fn admit(&mut self, ip: IpAddr, now: Mono) -> bool {
        let (rate, burst) = (self.rate, self.burst);
        let bucket = self.buckets.entry(ip).or_insert(Bucket {
            tokens: burst,
            at: now,
            inform: None,
        });
        let earned = now.since(bucket.at).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + earned).min(burst);
        bucket.at = bucket.at.max(now);
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// The devices of an address, from the first on (a misconfigured site may have several).
    fn devices_at(&self, first: usize, ip: IpAddr) -> impl Iterator<Item = DeviceId> {
        let here = self.sources[first..].iter().take_while(move |(at, _)| *at == ip);
        here.map(|(_, device)| *device)
    }

    /// The device whose community this is.
    fn device_of(&self, first: usize, ip: IpAddr, community: &[u8]) -> Result<DeviceId, TrapResult> {
        let mut result = TrapResult::Unauthenticated;
        for id in self.devices_at(first, ip) {
            match self.site.device(id).snmp.as_ref().map(|a| &a.credentials) {
                Some(Credentials::V1 { community: own } | Credentials::V2c { community: own }) => {
                    if own.expose() == community {
                        return Ok(id);
                    }
                    result = TrapResult::WrongCommunity;
                }
                // Who speaks v3 is not believed without it.
                Some(Credentials::V3(_)) | None => {}
            }
        }
        Err(result)
    }

    /// Tells of a notification, once of an inform that is repeated.
    fn seen(&mut self, device: DeviceId, ip: IpAddr, notification: &Notification<'_>, now: Mono) -> Option<TrapSeen> {
        if notification.confirmed {
            let this = Some((notification.request_id, notification.uptime));
            let before = self
                .buckets
                .get_mut(&ip)
                .map(|b| std::mem::replace(&mut b.inform, this));
            if before == Some(this) {
                self.count(TrapResult::Repeated);
                return None;
            }
        }
        self.count(TrapResult::Accepted);
        let access = self.site.device(device).snmp.as_ref();
        let text = access.map_or(TextEncoding::Auto, |a| a.text);
        Some(TrapSeen {
            device,
            kind: TrapKind::of(&notification.oid),
            oid: details::dotted(&notification.oid),
            details: details::line(notification, ip, text),
            at: now,
        })
    }
}

/// Where the devices of an address begin.
fn first_of(sources: &[(IpAddr, DeviceId)], ip: IpAddr) -> Option<usize> {
    let first = sources.partition_point(|(at, _)| *at < ip);
    sources.get(first).is_some_and(|(at, _)| *at == ip).then_some(first)
}

/// The Response to an inform of v2c.
fn answer(community: &[u8], notification: &Notification<'_>, inform: &PduView<'_>) -> Vec<u8> {
    encode_community(notification.version, community, &response(inform))
}
