//! SNMPv3 on the port for notifications (RFC 3414 section 3.2). Of a trap the *sender* is authoritative: keys are localised to its engine,
//! its clock is known from authenticated messages only, and the first of them sets it. Of an inform *we* are: senders discover our
//! engine by Reports, and only what was authenticated is answered by a Response.
//!
//! Never here: state changed by a message that proves nothing.

use super::{Senders, Taken, TrapResult, Traps};
use crate::model::snmp::{Credentials, SnmpAccess, V3User};
use crate::model::{DeviceId, Mono};
use crate::poll::agent::session::{Engine, LAST_BOOT, MAX_SIZE, WINDOW, auth_of, privacy_of};
use crate::wire::snmp::trap::{of_pdu, report, response};
use crate::wire::snmp::usm::{AuthKey, PrivacyKey};
use crate::wire::snmp::{Scoped, ScopedData, ScopedPdu, V3Header, V3Message, Version, encode_v3};
use std::net::IpAddr;
use std::sync::Arc;

/// Engines remembered of one device.
const ENGINES: usize = 4;

/// usmStats (RFC 3414 section 5): the counter and its instance follow.
const USM_STATS: [u32; 9] = [1, 3, 6, 1, 6, 3, 15, 1, 1];

/// The counters of usmStats that a Report carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stat {
    UnsupportedLevel = 1,
    NotInTimeWindow = 2,
    UnknownUser = 3,
    UnknownEngine = 4,
    WrongDigest = 5,
    Decryption = 6,
}

/// Outside of the time window.
struct NotInTime;

/// Keys of one user, localised to one engine.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    auth: Option<AuthKey>,
    privacy: Option<PrivacyKey>,
}

/// A sender that v3 is spoken with.
struct Sender {
    device: DeviceId,
    access: Arc<SnmpAccess>,
}

impl Sender {
    fn user(&self) -> Option<&V3User> {
        match &self.access.credentials {
            Credentials::V3(user) => Some(user),
            Credentials::V1 { .. } | Credentials::V2c { .. } => None,
        }
    }
}

impl Traps {
    pub(super) fn take_v3(
        &mut self,
        first: usize,
        ip: IpAddr,
        message: &V3Message<'_>,
        bytes: &[u8],
        now: Mono,
    ) -> Taken {
        let header = &message.header;
        let own = header.engine_id == self.local.id;
        // RFC 3412 section 6.4: only what waits for an answer is reportable; a trap never is.
        if !own && header.reportable {
            self.count(TrapResult::Discovery);
            return (None, self.report(message, Stat::UnknownEngine, None, now));
        }
        let Some(sender) = self.sender(first, ip, header.user) else {
            self.count(TrapResult::Unauthenticated);
            return (None, self.report(message, Stat::UnknownUser, None, now));
        };
        let Some(user) = sender.user() else {
            return self.refused(TrapResult::Unauthenticated);
        };
        let encrypted = matches!(message.data, ScopedData::Encrypted(_));
        if message.authenticated != user.auth.is_some() || encrypted != user.privacy.is_some() {
            self.count(TrapResult::Unauthenticated);
            return (None, self.report(message, Stat::UnsupportedLevel, None, now));
        }
        if own {
            self.take_inform(&sender, ip, message, bytes, now)
        } else {
            self.take_trap(&sender, ip, message, bytes, now)
        }
    }

    /// The device of this address that has this user.
    fn sender(&self, first: usize, ip: IpAddr, name: &[u8]) -> Option<Sender> {
        self.devices_at(first, ip).find_map(|device| {
            let sender = Sender {
                device,
                access: Arc::clone(self.site.device(device).snmp.as_ref()?),
            };
            let ours = sender.user().is_some_and(|user| user.user.as_bytes() == name);
            ours.then_some(sender)
        })
    }

    /// The sender is authoritative.
    fn take_trap(&mut self, sender: &Sender, ip: IpAddr, message: &V3Message<'_>, bytes: &[u8], now: Mono) -> Taken {
        if !(5..=32).contains(&message.header.engine_id.len()) {
            return self.refused(TrapResult::Malformed);
        }
        let Some(privacy) = self.proven(sender, message, bytes, now) else {
            return self.refused(TrapResult::Unauthenticated);
        };
        let Ok(privacy) = privacy else {
            return self.refused(TrapResult::NotInTimeWindow);
        };
        let mut plain = Vec::new();
        let Some(scoped) = opened(message, privacy.as_ref(), &mut plain) else {
            return self.refused(TrapResult::Malformed);
        };
        match of_pdu(&scoped.pdu, Version::V3) {
            // Of an inform we are authoritative: one for another engine is somebody's mistake.
            Ok(notification) if !notification.confirmed => (self.seen(sender.device, ip, &notification, now), None),
            _ => self.refused(TrapResult::Malformed),
        }
    }

    /// Checks signature and time of a trap; the privacy key of its engine. `None`: it is not signed by who it says; `Err`: it is too old.
    fn proven(
        &mut self,
        sender: &Sender,
        message: &V3Message<'_>,
        bytes: &[u8],
        now: Mono,
    ) -> Option<Result<Option<PrivacyKey>, NotInTime>> {
        let id = message.header.engine_id;
        let name = self.site.device(sender.device).name.clone();
        let engines = self
            .senders
            .get(&name)
            .map(|s| s.engines.as_slice())
            .unwrap_or_default();
        let known = engines.iter().position(|e| e.id == id);
        let (auth, privacy) = match known.map(|at| &engines[at]) {
            Some(engine) => (engine.auth.clone(), engine.privacy.clone()),
            // The privacy key may cost a hash over a mebibyte: it is made when the sender has proven itself.
            None => (self.auth_key(sender, id), None),
        };
        if !verified(auth.as_ref(), message, bytes) {
            return None;
        }
        let privacy = privacy.or_else(|| self.privacy_key(sender, id));
        let senders = self.senders.entry(name).or_insert_with(|| Senders {
            access: Arc::clone(&sender.access),
            engines: Vec::new(),
        });
        let at = known.unwrap_or_else(|| {
            let engine = Engine {
                id: id.to_vec(),
                boots: 0,
                time: 0,
                at: now,
                synced: false,
                auth,
                privacy: privacy.clone(),
            };
            remember(&mut senders.engines, engine)
        });
        let (boots, time) = (message.header.boots, message.header.time);
        // Who signs nothing has no clock either.
        let in_time = !message.authenticated || senders.engines[at].accept_time(boots, time, now);
        Some(if in_time { Ok(privacy) } else { Err(NotInTime) })
    }

    /// We are authoritative.
    fn take_inform(&mut self, sender: &Sender, ip: IpAddr, message: &V3Message<'_>, bytes: &[u8], now: Mono) -> Taken {
        let keys = self.own_keys(sender);
        if !verified(keys.auth.as_ref(), message, bytes) {
            self.count(TrapResult::Unauthenticated);
            return (None, self.report(message, Stat::WrongDigest, None, now));
        }
        if message.authenticated && !self.in_time(message.header.boots, message.header.time, now) {
            // RFC 3414 section 4 (2): this is how a sender learns our boots and time; who plays back learns them, too.
            self.count(match message.header.boots {
                0 => TrapResult::Discovery,
                _ => TrapResult::NotInTimeWindow,
            });
            return (
                None,
                self.report(message, Stat::NotInTimeWindow, keys.auth.as_ref(), now),
            );
        }
        let mut plain = Vec::new();
        let Some(scoped) = opened(message, keys.privacy.as_ref(), &mut plain) else {
            self.count(TrapResult::Unauthenticated);
            return (None, self.report(message, Stat::Decryption, None, now));
        };
        let notification = match of_pdu(&scoped.pdu, Version::V3) {
            Ok(notification) if notification.confirmed => notification,
            _ => return self.refused(TrapResult::Malformed),
        };
        let answer = self.answer_v3(message, &scoped, &keys, now);
        (self.seen(sender.device, ip, &notification, now), Some(answer))
    }

    /// The Response, signed and encrypted as the inform was.
    fn answer_v3(&mut self, message: &V3Message<'_>, scoped: &ScopedPdu<'_>, keys: &Keys, now: Mono) -> Vec<u8> {
        self.salt = self.salt.wrapping_add(1);
        let header = self.header(message, message.header.user, now);
        let pdu = response(&scoped.pdu);
        let written = Scoped {
            engine_id: scoped.engine_id,
            context: scoped.context,
            body: (&pdu).into(),
        };
        let privacy = keys.privacy.as_ref().map(|key| (key, self.salt));
        encode_v3(&header, MAX_SIZE, &written, keys.auth.as_ref(), privacy)
    }

    /// A Report, if the message may have one.
    fn report(&mut self, message: &V3Message<'_>, stat: Stat, auth: Option<&AuthKey>, now: Mono) -> Option<Vec<u8>> {
        let number = stat as usize;
        self.usm_stats[number] = self.usm_stats[number].wrapping_add(1);
        if !message.header.reportable {
            return None;
        }
        let asked = match message.data {
            ScopedData::Plain(bytes) => ScopedPdu::read(bytes).map_or(0, |scoped| scoped.pdu.request_id),
            ScopedData::Encrypted(_) => 0,
        };
        let counter: Vec<u32> = USM_STATS.into_iter().chain([stat as u32, 0]).collect();
        let pdu = report(asked, &counter, self.usm_stats[number]);
        let header = self.header(message, if auth.is_some() { message.header.user } else { &[] }, now);
        let scoped = Scoped {
            engine_id: &self.local.id,
            context: &[],
            body: (&pdu).into(),
        };
        Some(encode_v3(&header, MAX_SIZE, &scoped, auth, None))
    }

    fn header<'a>(&'a self, message: &V3Message<'_>, user: &'a [u8], now: Mono) -> V3Header<'a> {
        V3Header {
            id: message.header.id,
            reportable: false,
            engine_id: &self.local.id,
            boots: self.local.boots,
            time: self.time(now),
            user,
        }
    }

    /// snmpEngineTime.
    fn time(&self, now: Mono) -> u32 {
        u32::try_from(now.since(self.local.started).as_secs())
            .unwrap_or(LAST_BOOT)
            .min(LAST_BOOT)
    }

    /// RFC 3414 section 3.2 step 7a, for the authoritative side.
    fn in_time(&self, boots: u32, time: u32, now: Mono) -> bool {
        boots == self.local.boots && boots != LAST_BOOT && time.abs_diff(self.time(now)) <= WINDOW
    }

    fn auth_key(&mut self, sender: &Sender, engine: &[u8]) -> Option<AuthKey> {
        let (protocol, password) = sender.user()?.auth.as_ref()?;
        Some(self.keys.master(auth_of(*protocol), password)?.auth_key(engine))
    }

    fn privacy_key(&mut self, sender: &Sender, engine: &[u8]) -> Option<PrivacyKey> {
        let user = sender.user()?;
        let (hash, _) = user.auth.as_ref()?;
        let (protocol, password) = user.privacy.as_ref()?;
        let master = self.keys.master(auth_of(*hash), password)?;
        Some(master.privacy_key(privacy_of(*protocol), engine))
    }

    /// Keys for messages to us: made once for each SNMP section.
    fn own_keys(&mut self, sender: &Sender) -> Keys {
        if let Some(keys) = self.own_keys.get(&sender.access.name) {
            return keys.clone();
        }
        let id = self.local.id.clone();
        let keys = Keys {
            auth: self.auth_key(sender, &id),
            privacy: self.privacy_key(sender, &id),
        };
        self.own_keys.insert(sender.access.name.clone(), keys.clone());
        keys
    }
}

/// Is it signed with the key, or not signed where none is due? (The level was compared before.)
fn verified(auth: Option<&AuthKey>, message: &V3Message<'_>, bytes: &[u8]) -> bool {
    match (auth, message.authenticated) {
        (Some(key), true) => key.verify(bytes, message.auth_params.clone()),
        (None, false) => true,
        _ => false,
    }
}

/// The scoped PDU, decrypted into `plain` where it has to be.
fn opened<'a>(message: &V3Message<'a>, key: Option<&PrivacyKey>, plain: &'a mut Vec<u8>) -> Option<ScopedPdu<'a>> {
    match (message.data, key) {
        (ScopedData::Plain(bytes), _) => ScopedPdu::read(bytes).ok(),
        (ScopedData::Encrypted(_), None) => None,
        (ScopedData::Encrypted(bytes), Some(key)) => {
            let (boots, time) = (message.header.boots, message.header.time);
            *plain = key.decrypt(boots, time, message.privacy_params, bytes)?;
            ScopedPdu::read(plain).ok()
        }
    }
}

/// Adds an engine; the one that was silent for longest makes room. Gives its place.
fn remember(engines: &mut Vec<Engine>, engine: Engine) -> usize {
    if engines.len() >= ENGINES {
        let oldest = engines
            .iter()
            .enumerate()
            .min_by_key(|(_, e)| e.at)
            .map_or(0, |(at, _)| at);
        engines.swap_remove(oldest);
    }
    engines.push(engine);
    engines.len() - 1
}
