//! Who is told, by which procedure and over which way (guideline 3.2.2(2), 3.2.3).

use super::FindingKind;
use super::{Bind, DeviceId, Language, Level, Name, Owner, Secret, Verdict};
use std::time::Duration;

/// Whom a contact belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The operator itself.
    Own,
    /// The interconnection platform.
    Platform,
    /// Another network operator.
    Operator,
    /// An access carrier.
    Carrier,
    /// A connected institution.
    Institution,
    /// A maker or maintainer.
    Vendor,
    /// An authority.
    Regulator,
}

/// What a way depends on. All crossings of a list are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// This device.
    Device(DeviceId),
    /// Any one of these suffices.
    Any(Vec<DeviceId>),
}

/// A mail address of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `local@domain`, checked.
    pub mail: String,
    /// What the way to this mailbox depends on.
    pub crosses: Vec<Crossing>,
}

/// `[[contact]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Unique.
    pub name: Name,
    /// Whose.
    pub party: Party,
    /// Free text, for example "operations general manager".
    pub role: Option<String>,
    /// In order of preference, never empty.
    pub mail: Vec<Address>,
    /// Shown, not dialled.
    pub phone: Option<String>,
    /// Overrides the operator's.
    pub language: Option<Language>,
}

/// Conditions of a procedure; all given ones must hold. A list holds if one of it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The notice's level.
    pub level: Option<Level>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The device's owner.
    pub owner: Option<Owner>,
    /// The finding's kind.
    pub kind: Option<FindingKind>,
    /// The device's class.
    pub class: Option<Name>,
    /// The device's group.
    pub group: Option<Name>,
    /// The device's site.
    pub site: Option<Name>,
    /// The device's name.
    pub device: Option<Name>,
    /// At least this many devices behind the root, itself included.
    pub affected_at_least: Option<u32>,
}

/// In `tell`: whoever is the contact of the circuit that the notice is about, nobody if it is about none.
pub const CIRCUIT_CONTACT: &str = "circuit.contact";

/// One name in `tell`: a contact's, or [`CIRCUIT_CONTACT`].
pub type Recipient = Name;

/// One step of `escalate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// After the incident was opened.
    pub after: Duration,
    /// Told then, unless somebody has acknowledged.
    pub tell: Vec<Recipient>,
}

/// `[[procedure]]`: the first that matches is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Procedure {
    /// Unique.
    pub name: Name,
    /// When it applies.
    pub matches: Match,
    /// Contacts told at each change.
    pub tell: Vec<Recipient>,
    /// If nobody acknowledges.
    pub escalate: Vec<Escalation>,
    /// Repeat while still open and not acknowledged.
    pub remind: Option<Duration>,
}

/// How a relay is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte (`smtps://`).
    Smtps,
    /// STARTTLS, required: a relay that does not offer it is not used.
    StartTls,
    /// Plain text, only if written.
    None,
}

/// One relay of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Host name or literal address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How.
    pub tls: Tls,
}

/// `[[route]]`: a way for mail, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Unique.
    pub name: Name,
    /// Does not use the operator's own network or the platform.
    pub out_of_band: bool,
    /// Tried in order, never empty.
    pub relays: Vec<Relay>,
    /// Name in the relay's certificate, where it differs from the host (literal addresses).
    pub tls_name: Option<String>,
    /// PEM file of the authority that signs the relay's certificate, where it is not a public one.
    pub tls_ca: Option<std::path::PathBuf>,
    /// Where the socket is bound.
    pub bind: Option<Bind>,
    /// AUTH user and password.
    pub auth: Option<(String, Secret)>,
    /// Envelope sender and From.
    pub from: String,
    /// Name said in EHLO; the host's name unless written.
    pub helo: Option<String>,
    /// What the way depends on.
    pub crosses: Vec<Crossing>,
}
