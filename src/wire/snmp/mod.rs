//! SNMP v1, v2c and v3 as they stand on the wire (RFC 1157, 1901, 3412, 3414, 3416).
//!
//! - [`ber`]: tags, lengths, integers, object identifiers.
//! - [`pdu`]: values, varbinds, PDUs.
//! - [`message`]: the envelope of each version.
//! - [`trap`]: notifications, and what goes back to who sent them.
//! - [`usm`]: keys, HMAC and encryption of the user-based security model.
//!
//! Never here: a decision whether a message is believed. `decode` says what stands there, the client of `poll::agent` checks
//! who said it. Decoding does not recurse, copies nothing that is larger than the datagram, and refuses whatever is not exactly
//! one message: depth is fixed by the format (message, PDU, list, varbind), so a nest of sequences ends at its second level.

pub mod ber;
pub mod message;
pub mod pdu;
pub mod trap;
pub mod usm;

pub use ber::DecodeError;
pub use message::{
    Message, Scoped, ScopedData, ScopedPdu, V3Header, V3Message, decode, encode_community, encode_v3, number_of,
};
pub use pdu::{Body, Names, Pdu, PduKind, PduView, Request, Value, ValueView, VarBind, VarBindView};

/// msgVersion as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 1157.
    V1,
    /// RFC 1901.
    V2c,
    /// RFC 3412.
    V3,
}

impl Version {
    /// The number on the wire.
    pub fn number(self) -> i64 {
        match self {
            Version::V1 => 0,
            Version::V2c => 1,
            Version::V3 => 3,
        }
    }
}
