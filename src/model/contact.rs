//! Who is told, by which procedure and over which way (guideline 3.2.2(2), 3.2.3).

use super::FindingKind;
use super::{Bind, DeviceId, Language, Level, Name, Owner, Secret, Verdict};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whom a contact belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The operator itself.
    #[default]
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

impl Party {
    /// Every party, in the order they are documented.
    pub const ALL: [Party; 7] = [
        Party::Own,
        Party::Platform,
        Party::Operator,
        Party::Carrier,
        Party::Institution,
        Party::Vendor,
        Party::Regulator,
    ];

    /// The word in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Party::Own => "own",
            Party::Platform => "platform",
            Party::Operator => "operator",
            Party::Carrier => "carrier",
            Party::Institution => "institution",
            Party::Vendor => "vendor",
            Party::Regulator => "regulator",
        }
    }

    /// Outside of the operator: gets a text that names nothing but what is theirs.
    pub fn is_outside(self) -> bool {
        self != Party::Own
    }
}

/// When an address of a contact gets a mail for the contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// With every mail: what a plain address means.
    #[default]
    Always,
    /// With the mails of incidents that are, or have been, critical.
    Critical,
    /// While nobody has acknowledged: with the repeat of a critical notice, reminders and escalations, and what follows them. It also
    /// stands in for the other addresses where no relay takes a mail for them.
    Unanswered,
}

impl When {
    /// Every value, in the order they are documented.
    pub const ALL: [When; 3] = [When::Always, When::Critical, When::Unanswered];

    /// The word in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            When::Always => "always",
            When::Critical => "critical",
            When::Unanswered => "unanswered",
        }
    }
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
    /// Which mails it gets.
    pub when: When,
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
    /// Each gets what its `when` says. Never empty.
    pub mail: Vec<Address>,
    /// Shown, not dialled.
    pub phone: Option<String>,
    /// Overrides the operator's.
    pub language: Option<Language>,
    /// Of an access carrier: the name that `carrier` of circuits gives it.
    pub carrier: Option<Name>,
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

impl Contact {
    /// Is the contact the desk of this access carrier? Without `carrier` its name is the carrier's.
    pub fn speaks_for(&self, carrier: &str) -> bool {
        self.party == Party::Carrier && *self.carrier.as_deref().unwrap_or(&self.name) == *carrier
    }
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
