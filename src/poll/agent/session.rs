//! Who says what: requests are signed and encrypted here, and an answer is believed here or not.
//!
//! SNMPv3 state (RFC 3414) changes only by messages that carry a right HMAC. Two kinds of unauthenticated Reports are needed all
//! the same: the answer to a discovery gives a *candidate* engine, which replaces the proven one only when an
//! authenticated answer has come from it; and usmStats Reports are hints for the operator when no true answer comes.
//!
//! Never here: retries, deadlines, what is asked.

use super::flight::{Flight, Stage};
use super::memory::{EngineMemory, Since};
use super::oids::{UNKNOWN_CONTEXTS, USM_STATS};
use crate::model::snmp::{AuthProtocol, Credentials, PrivacyProtocol, SnmpAccess, V3User};
use crate::model::{Mono, Secret};
use crate::poll::{AgentFailure, DropReason};
use crate::wire::snmp::usm::{Auth, AuthKey, MasterKey, Privacy, PrivacyKey};
use crate::wire::snmp::{
    Names, PduKind, PduView, Request, Scoped, ScopedData, ScopedPdu, V3Header, V3Message, Version, encode_community,
    encode_v3,
};
use std::collections::HashMap;
use std::sync::Arc;

/// RFC 3414 section 3.2 step 7: seconds that two clocks may differ.
pub(in crate::poll) const WINDOW: u32 = 150;
/// RFC 3414 section 2.2.1: an engine that has come this far answers nobody until it is given a new identity.
pub(in crate::poll) const LAST_BOOT: u32 = 0x7fff_ffff;
/// What we can take: the largest UDP payload over IPv4.
pub(in crate::poll) const MAX_SIZE: u32 = 65_507;

/// Passwords hashed once per user, not once per device. Emptied at a reload.
#[derive(Debug, Default)]
pub(in crate::poll) struct KeyRing {
    masters: HashMap<(Auth, Secret), Arc<MasterKey>>,
}

impl KeyRing {
    pub(in crate::poll) fn master(&mut self, auth: Auth, password: &Secret) -> Option<Arc<MasterKey>> {
        if let Some(key) = self.masters.get(&(auth, password.clone())) {
            return Some(Arc::clone(key));
        }
        let key = Arc::new(MasterKey::from_password(auth, password.expose())?);
        self.masters.insert((auth, password.clone()), Arc::clone(&key));
        Some(key)
    }

    pub(in crate::poll) fn clear(&mut self) {
        self.masters.clear();
    }
}

/// What a message turned out to be.
#[derive(Debug)]
pub(super) enum Opened<'a> {
    /// A true answer.
    Answer(PduView<'a>),
    /// The agent has told its engine: ask again, now the real question.
    Discovered,
    /// The agent has proven its new boots and time: ask again.
    Resynchronised,
    /// The agent says it is another engine than the one asked, or that its clock went back: discover, then ask again.
    EngineGone,
    /// A signed request was answered where the encrypted one was not: the keys of privacy differ.
    PrivacyDiffers,
    /// An unproven reason why no true answer will come: remember it, go on waiting.
    Hint(AgentFailure),
    /// Not believed: go on waiting.
    Drop(DropReason),
}

/// Engines that are told and not proven are kept, at most.
const CANDIDATES: usize = 4;

/// An SNMPv3 engine as we know it.
#[derive(Debug)]
pub(in crate::poll) struct Engine {
    pub(in crate::poll) id: Vec<u8>,
    pub(in crate::poll) boots: u32,
    pub(in crate::poll) time: u32,
    /// When `time` was so.
    pub(in crate::poll) at: Mono,
    /// `boots` and `time` come from an authenticated message.
    pub(in crate::poll) synced: bool,
    pub(in crate::poll) auth: Option<AuthKey>,
    pub(in crate::poll) privacy: Option<PrivacyKey>,
}

impl Engine {
    fn time_at(&self, now: Mono) -> u32 {
        let passed = u32::try_from(now.since(self.at).as_secs()).unwrap_or(u32::MAX);
        self.time.saturating_add(passed).min(LAST_BOOT)
    }

    /// RFC 3414 section 3.2 step 7b, for the side that is not authoritative: called only with a message whose HMAC is right.
    pub(in crate::poll) fn accept_time(&mut self, boots: u32, time: u32, at: Mono) -> bool {
        let newer = boots > self.boots || (boots == self.boots && time > self.time);
        if boots == LAST_BOOT {
            return false;
        }
        if !self.synced || newer {
            (self.boots, self.time, self.at, self.synced) = (boots, time, at, true);
            return true;
        }
        boots == self.boots && time.saturating_add(WINDOW) >= self.time_at(at)
    }
}

/// SNMPv3 with one device.
#[derive(Debug)]
pub(super) struct V3Session {
    access: Arc<SnmpAccess>,
    proven: Option<Engine>,
    /// Engines that were told and not proven yet, the last told last: whoever is on the way may tell of one, too.
    candidates: Vec<Engine>,
    /// Ask for the engine before the next request.
    discover: bool,
    /// The candidate is what an earlier process knew; nothing has come from it yet.
    recalled: bool,
}

/// How one device is spoken to.
#[derive(Debug)]
pub(super) enum Session {
    Community(Version, Arc<SnmpAccess>),
    V3(Box<V3Session>),
}

/// The community of an access that has one.
pub(super) fn community(access: &SnmpAccess) -> &[u8] {
    match &access.credentials {
        Credentials::V1 { community } | Credentials::V2c { community } => community.expose(),
        Credentials::V3(_) => &[],
    }
}

/// The numbers of a request and what it is.
pub(super) struct Question<'a> {
    pub(super) id: i32,
    pub(super) request_id: i32,
    pub(super) kind: PduKind,
    pub(super) repetitions: u32,
    pub(super) names: &'a Names,
    /// Signed but not encrypted, whatever the user has: for the diagnosis only.
    pub(super) plain: bool,
}

impl Session {
    pub(super) fn new(access: &Arc<SnmpAccess>) -> Session {
        match &access.credentials {
            Credentials::V1 { .. } => Session::Community(Version::V1, Arc::clone(access)),
            Credentials::V2c { .. } => Session::Community(Version::V2c, Arc::clone(access)),
            Credentials::V3(_) => Session::V3(Box::new(V3Session {
                access: Arc::clone(access),
                proven: None,
                candidates: Vec::new(),
                discover: true,
                recalled: false,
            })),
        }
    }

    pub(super) fn version(&self) -> Version {
        match self {
            Session::Community(version, _) => *version,
            Session::V3(_) => Version::V3,
        }
    }

    pub(super) fn needs_discovery(&self) -> bool {
        matches!(self, Session::V3(v3) if v3.discover)
    }

    pub(super) fn want_discovery(&mut self) {
        if let Session::V3(v3) = self {
            v3.discover = true;
        }
    }

    /// No true answer came in a whole round: what was only told, not proven, is forgotten, and the next request asks for the
    /// engine first (agents with a new identity may keep silent to the old one).
    pub(super) fn start_afresh(&mut self) {
        if let Session::V3(v3) = self {
            v3.candidates.clear();
            (v3.discover, v3.recalled) = (true, false);
        }
    }

    /// The engine, if proven, or recalled and neither proven nor dropped yet.
    pub(super) fn memory(&self, now: Mono) -> Option<EngineMemory> {
        let Session::V3(v3) = self else { return None };
        let proven = v3.proven.as_ref().filter(|e| e.synced);
        let engine = proven.or(v3.candidates.last().filter(|_| v3.recalled))?;
        Some(EngineMemory {
            id: engine.id.iter().map(|b| format!("{b:02x}")).collect(),
            boots: engine.boots,
            time: engine.time_at(now),
        })
    }

    /// Takes up what an earlier process knew of the engine, as if a discovery had told it: it has to be proven.
    pub(super) fn recall(&mut self, memory: &EngineMemory, since: Since, keys: &mut KeyRing) {
        let Session::V3(v3) = self else { return };
        let digits = memory.id.as_bytes().chunks(2);
        let id: Option<Vec<u8>> = digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
            .collect();
        let Some(id) = id.filter(|id| (5..=32).contains(&id.len()) && memory.boots < LAST_BOOT) else {
            return;
        };
        let passed = u32::try_from(since.elapsed.as_secs()).unwrap_or(LAST_BOOT);
        let (auth, privacy) = v3.keys(&id, keys);
        v3.candidates = vec![Engine {
            id,
            boots: memory.boots,
            time: memory.time.saturating_add(passed).min(LAST_BOOT),
            at: since.now,
            synced: false,
            auth,
            privacy,
        }];
        (v3.discover, v3.recalled) = (false, true);
    }

    /// A request stayed unanswered. An engine with another identity by now may keep silent to what was recalled: it is asked who it is.
    pub(super) fn doubt(&mut self) {
        if matches!(self, Session::V3(v3) if v3.recalled) {
            self.start_afresh();
        }
    }

    /// Boots and time of the engine, if proven.
    pub(super) fn engine(&self, now: Mono) -> Option<(u32, u32)> {
        match self {
            Session::V3(v3) => v3
                .proven
                .as_ref()
                .filter(|e| e.synced)
                .map(|e| (e.boots, e.time_at(now))),
            Session::Community(..) => None,
        }
    }

    /// Encrypts, and knows an engine to encrypt for.
    pub(super) fn is_private(&self) -> bool {
        let engine = |v3: &V3Session| {
            v3.candidates
                .last()
                .or(v3.proven.as_ref())
                .is_some_and(|e| e.privacy.is_some())
        };
        matches!(self, Session::V3(v3) if !v3.discover && engine(v3))
    }

    /// Octets of a message around its varbinds, for sizing requests by their answer.
    pub(super) fn overhead(&self) -> usize {
        match self {
            Session::Community(_, access) => 32 + community(access).len(),
            Session::V3(v3) => v3.user().map_or(200, |u| 200 + u.user.len() + u.context.len()),
        }
    }

    /// The datagram of a question.
    pub(super) fn ask(&self, question: &Question<'_>, salt: u64, now: Mono) -> Vec<u8> {
        let request = Request {
            kind: question.kind,
            request_id: question.request_id,
            repetitions: if question.kind == PduKind::GetBulk {
                question.repetitions
            } else {
                0
            },
            names: question.names,
        };
        match self {
            Session::Community(version, access) => encode_community(*version, community(access), request),
            Session::V3(v3) => v3.ask(question, request, salt, now),
        }
    }

    /// The datagram of a discovery (RFC 3414 section 4): no user, no engine, nothing asked.
    pub(super) fn discovery(id: i32, request_id: i32) -> Vec<u8> {
        let header = V3Header {
            id,
            reportable: true,
            ..V3Header::default()
        };
        let request = Request {
            kind: PduKind::Get,
            request_id,
            repetitions: 0,
            names: &Names::new(std::iter::empty()),
        };
        let scoped = Scoped {
            engine_id: &[],
            context: &[],
            body: request.into(),
        };
        encode_v3(&header, MAX_SIZE, &scoped, None, None)
    }
}

impl V3Session {
    fn user(&self) -> Option<&V3User> {
        match &self.access.credentials {
            Credentials::V3(user) => Some(user),
            Credentials::V1 { .. } | Credentials::V2c { .. } => None,
        }
    }

    fn ask(&self, question: &Question<'_>, request: Request<'_>, salt: u64, now: Mono) -> Vec<u8> {
        let engine = self.candidates.last().or(self.proven.as_ref());
        let (Some(engine), Some(user)) = (engine, self.user()) else {
            return Session::discovery(question.id, request.request_id);
        };
        let header = V3Header {
            id: question.id,
            reportable: true,
            engine_id: &engine.id,
            boots: engine.boots,
            time: engine.time_at(now),
            user: user.user.as_bytes(),
        };
        let scoped = Scoped {
            engine_id: &engine.id,
            context: user.context.as_bytes(),
            body: request.into(),
        };
        let privacy = engine
            .privacy
            .as_ref()
            .filter(|_| !question.plain)
            .map(|key| (key, salt));
        encode_v3(&header, MAX_SIZE, &scoped, engine.auth.as_ref(), privacy)
    }

    /// Takes the answer to a discovery. It is not authenticated, so it only makes a candidate.
    pub(super) fn discovered(&mut self, message: &V3Message<'_>, at: Mono, keys: &mut KeyRing) -> Opened<'static> {
        let ScopedData::Plain(bytes) = message.data else {
            return Opened::Drop(DropReason::WrongContent);
        };
        let Ok(scoped) = ScopedPdu::read(bytes) else {
            return Opened::Drop(DropReason::Malformed);
        };
        let id = message.header.engine_id;
        if message.authenticated || scoped.pdu.kind != PduKind::Report || !(5..=32).contains(&id.len()) {
            return Opened::Drop(DropReason::WrongContent);
        }
        let (auth, privacy) = self.keys(id, keys);
        self.candidates.retain(|e| e.id != id);
        if self.candidates.len() >= CANDIDATES {
            self.candidates.remove(0);
        }
        self.candidates.push(Engine {
            id: id.to_vec(),
            boots: message.header.boots,
            time: message.header.time,
            at,
            synced: false,
            auth,
            privacy,
        });
        (self.discover, self.recalled) = (false, false);
        Opened::Discovered
    }

    fn keys(&self, engine_id: &[u8], keys: &mut KeyRing) -> (Option<AuthKey>, Option<PrivacyKey>) {
        let Some(user) = self.user() else {
            return (None, None);
        };
        let Some((protocol, password)) = &user.auth else {
            return (None, None);
        };
        // A key that is already localised for this engine is not made again.
        if let Some(known) = self.proven.as_ref().filter(|e| e.id == engine_id) {
            return (known.auth.clone(), known.privacy.clone());
        }
        let hash = auth_of(*protocol);
        let auth = keys.master(hash, password).map(|m| m.auth_key(engine_id));
        let privacy = user.privacy.as_ref().and_then(|(protocol, password)| {
            Some(
                keys.master(hash, password)?
                    .privacy_key(privacy_of(*protocol), engine_id),
            )
        });
        (auth, privacy)
    }

    /// Takes a message that came for an open request. `plain` is room for what it decrypts to.
    pub(super) fn open<'a>(
        &mut self,
        message: &V3Message<'a>,
        bytes: &[u8],
        flight: &Flight,
        at: Mono,
        plain: &'a mut Vec<u8>,
    ) -> Opened<'a> {
        let id = message.header.engine_id;
        let candidate = self.candidates.iter_mut().find(|e| e.id == id);
        let Some(engine) = candidate.or(self.proven.as_mut().filter(|e| e.id == id)) else {
            // Not authenticated, and cannot be: it only leads to a discovery, which the caller allows once in a round.
            return match usm_report(message) {
                Some(4) if !message.authenticated => Opened::EngineGone,
                _ => Opened::Drop(DropReason::NotInTime),
            };
        };
        if let Some(key) = &engine.auth {
            if !message.authenticated {
                return unauthenticated(message);
            }
            if !key.verify(bytes, message.auth_params.clone()) {
                return Opened::Drop(DropReason::BadDigest);
            }
            if message.header.boots == LAST_BOOT {
                return Opened::Hint(AgentFailure::BootsExhausted);
            }
            if !engine.accept_time(message.header.boots, message.header.time, at) {
                return match usm_report(message) {
                    Some(2) => Opened::EngineGone,
                    _ => Opened::Drop(DropReason::NotInTime),
                };
            }
            if flight.stage == Stage::Diagnosis {
                return match usm_report(message) {
                    Some(2) => Opened::Drop(DropReason::NotInTime),
                    _ => Opened::PrivacyDiffers,
                };
            }
        } else if message.authenticated {
            return Opened::Drop(DropReason::WrongSecurityLevel);
        }
        let scoped = match engine.unwrap_scoped(message, plain) {
            Ok(scoped) => scoped,
            Err(opened) => return opened,
        };
        match scoped.pdu.kind {
            PduKind::Report => return report(&scoped.pdu, engine.auth.is_some()),
            PduKind::Response => {}
            _ => return Opened::Drop(DropReason::WrongContent),
        }
        let encrypted = matches!(message.data, ScopedData::Encrypted(_));
        if encrypted != engine.privacy.is_some() {
            return Opened::Drop(DropReason::WrongSecurityLevel);
        }
        let Some(user) = self.user() else {
            return Opened::Drop(DropReason::WrongContent);
        };
        let same_context = scoped.engine_id == id && scoped.context == user.context.as_bytes();
        let same_user = message.header.user == user.user.as_bytes();
        if !same_user || !same_context || scoped.pdu.request_id != flight.request_id {
            return Opened::Drop(DropReason::WrongContent);
        }
        // Whoever signs is the one: what else was told meanwhile is forgotten.
        if let Some(at) = self.candidates.iter().position(|e| e.id == id) {
            self.proven = Some(self.candidates.swap_remove(at));
        }
        self.candidates.clear();
        (self.discover, self.recalled) = (false, false);
        Opened::Answer(scoped.pdu)
    }
}

impl Engine {
    fn unwrap_scoped<'a>(&self, message: &V3Message<'a>, plain: &'a mut Vec<u8>) -> Result<ScopedPdu<'a>, Opened<'a>> {
        match (message.data, &self.privacy) {
            (ScopedData::Plain(bytes), _) => ScopedPdu::read(bytes).map_err(|_| Opened::Drop(DropReason::Malformed)),
            (ScopedData::Encrypted(_), None) => Err(Opened::Drop(DropReason::WrongSecurityLevel)),
            (ScopedData::Encrypted(bytes), Some(key)) => {
                let (boots, time) = (message.header.boots, message.header.time);
                // The HMAC was right, so noise means that the two sides encrypt with different keys.
                let noise = || Opened::Hint(AgentFailure::WrongPrivacy);
                *plain = key
                    .decrypt(boots, time, message.privacy_params, bytes)
                    .ok_or_else(noise)?;
                ScopedPdu::read(plain).map_err(|_| noise())
            }
        }
    }
}

/// An unauthenticated message where an authenticated one is due: a hint at most.
fn unauthenticated(message: &V3Message<'_>) -> Opened<'static> {
    let ScopedData::Plain(bytes) = message.data else {
        return Opened::Drop(DropReason::WrongSecurityLevel);
    };
    match ScopedPdu::read(bytes) {
        Err(_) => Opened::Drop(DropReason::Malformed),
        Ok(scoped) if scoped.pdu.kind != PduKind::Report => Opened::Drop(DropReason::WrongSecurityLevel),
        Ok(scoped) => report(&scoped.pdu, false),
    }
}

/// A Report from the engine that was asked. `proven`: its HMAC was right.
fn report(pdu: &PduView<'_>, proven: bool) -> Opened<'static> {
    let counter = pdu.varbinds.first().map(|v| v.oid()).unwrap_or_default();
    if UNKNOWN_CONTEXTS.iter().any(|known| counter == *known) {
        return Opened::Hint(AgentFailure::UnknownContext);
    }
    match usm_counter(pdu) {
        Some(1) => Opened::Hint(AgentFailure::UnsupportedLevel),
        Some(2) if proven => Opened::Resynchronised,
        Some(3) => Opened::Hint(AgentFailure::UnknownUser),
        Some(5) => Opened::Hint(AgentFailure::WrongKey),
        Some(6) => Opened::Hint(AgentFailure::WrongPrivacy),
        _ => Opened::Drop(DropReason::ForgedReport),
    }
}

/// The usmStats counter of a plain Report.
fn usm_report(message: &V3Message<'_>) -> Option<u32> {
    let ScopedData::Plain(bytes) = message.data else {
        return None;
    };
    let scoped = ScopedPdu::read(bytes).ok()?;
    (scoped.pdu.kind == PduKind::Report).then(|| usm_counter(&scoped.pdu))?
}

fn usm_counter(pdu: &PduView<'_>) -> Option<u32> {
    match pdu.varbinds.first()?.oid().strip_prefix(USM_STATS)? {
        [number, 0] => Some(*number),
        _ => None,
    }
}

pub(in crate::poll) fn auth_of(protocol: AuthProtocol) -> Auth {
    match protocol {
        AuthProtocol::Sha1 => Auth::Sha1,
        AuthProtocol::Sha224 => Auth::Sha224,
        AuthProtocol::Sha256 => Auth::Sha256,
        AuthProtocol::Sha384 => Auth::Sha384,
        AuthProtocol::Sha512 => Auth::Sha512,
    }
}

pub(in crate::poll) fn privacy_of(protocol: PrivacyProtocol) -> Privacy {
    match protocol {
        PrivacyProtocol::Aes128 => Privacy::Aes128,
        PrivacyProtocol::Aes192 => Privacy::Aes192,
        PrivacyProtocol::Aes256 => Privacy::Aes256,
        PrivacyProtocol::Aes192c => Privacy::Aes192c,
        PrivacyProtocol::Aes256c => Privacy::Aes256c,
    }
}
