//! Answers that were rightly not believed. They are never data; but that something answered, and how, is what a person needs to know
//! when "nothing answers".
//!
//! Never here: whether an answer is believed.

use super::DropReason;
use crate::model::Mono;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Why an answer was not believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disbelief {
    /// From another address or port than was asked.
    Source(SocketAddr),
    /// After the timeout: so many tenths of a second after the request.
    Late {
        /// Tenths of a second.
        tenths: u64,
    },
    /// After its round was over, nobody knows by how much.
    TooLate,
    /// To a request that is not open: late, or never made.
    Number,
    /// Another version of SNMP.
    Version,
    /// Another community.
    Community,
    /// Not SNMP, or not ICMP, at all.
    Malformed,
    /// Of other objects than were asked for, or another user, or context.
    Content,
    /// v3: the signature does not fit.
    Signature,
    /// v3: of another time, or another engine.
    Clock,
    /// v3: less security than was asked for.
    Security,
    /// v3: a Report that proves nothing.
    Report,
    /// An echo with another payload than was sent.
    Payload {
        /// Octets that came.
        octets: usize,
        /// Octets that were sent.
        sent: usize,
    },
    /// An echo with another identifier or sequence number.
    Sequence,
}

impl Disbelief {
    /// An answer that came so long after its request.
    pub(super) fn late(after: Duration) -> Disbelief {
        Disbelief::Late {
            tenths: u64::try_from(after.as_millis() / 100).unwrap_or(u64::MAX),
        }
    }

    /// What an SNMP message that was dropped for this reason shows.
    pub(super) fn of(reason: DropReason, from: SocketAddr) -> Disbelief {
        match reason {
            DropReason::WrongSource => Disbelief::Source(from),
            DropReason::WrongVersion => Disbelief::Version,
            DropReason::WrongCommunity => Disbelief::Community,
            DropReason::UnknownRequest | DropReason::DuplicateEcho => Disbelief::Number,
            DropReason::LateEcho => Disbelief::TooLate,
            DropReason::BadDigest => Disbelief::Signature,
            DropReason::NotInTime => Disbelief::Clock,
            DropReason::WrongSecurityLevel => Disbelief::Security,
            DropReason::ForgedReport => Disbelief::Report,
            DropReason::ForeignEcho => Disbelief::Sequence,
            DropReason::WrongContent => Disbelief::Content,
            DropReason::Malformed | DropReason::TrailingBytes => Disbelief::Malformed,
        }
    }
}

/// The last answer of a target that was not believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub why: Disbelief,
    /// Who sent it, as far as that can be seen (port 0 for ICMP).
    pub from: SocketAddr,
    /// When it came.
    pub at: Mono,
}
