//! The envelope: version and community (RFC 1157, 1901), or header, security parameters and scoped PDU (RFC 3412, 3414).
//!
//! Never here: a judgement whether a v3 message is genuine. Its scoped PDU stays bytes until the caller has verified the HMAC
//! and decrypted it.

use super::ber::{self, DecodeError, Reader, Writer};
use super::usm::{AuthKey, PrivacyKey};
use super::{Body, PduView, Version};
use std::ops::Range;

const FLAG_AUTH: u8 = 1;
const FLAG_PRIVACY: u8 = 2;
const FLAG_REPORTABLE: u8 = 4;
const USM: i64 = 3;

/// What stands in a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// v1 or v2c.
    Community {
        /// V1 or V2c.
        version: Version,
        /// As received.
        community: &'a [u8],
        /// The PDU.
        pdu: PduView<'a>,
    },
    /// v3.
    V3(V3Message<'a>),
}

/// Header and security parameters of a v3 message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct V3Header<'a> {
    /// msgID.
    pub id: i32,
    /// The sender expects a Report when it fails.
    pub reportable: bool,
    /// msgAuthoritativeEngineID.
    pub engine_id: &'a [u8],
    /// msgAuthoritativeEngineBoots.
    pub boots: u32,
    /// msgAuthoritativeEngineTime, seconds.
    pub time: u32,
    /// msgUserName.
    pub user: &'a [u8],
}

/// A v3 message, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V3Message<'a> {
    /// Header and security parameters.
    pub header: V3Header<'a>,
    /// msgMaxSize.
    pub max_size: u32,
    /// authFlag.
    pub authenticated: bool,
    /// Where msgAuthenticationParameters stand in the datagram.
    pub auth_params: Range<usize>,
    /// msgPrivacyParameters.
    pub privacy_params: &'a [u8],
    /// What is inside.
    pub data: ScopedData<'a>,
}

/// The scoped PDU as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopedData<'a> {
    /// Plain, tag and length included: for [`ScopedPdu::read`].
    Plain(&'a [u8]),
    /// Encrypted.
    Encrypted(&'a [u8]),
}

/// contextEngineID, contextName and the PDU, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopedPdu<'a> {
    /// contextEngineID.
    pub engine_id: &'a [u8],
    /// contextName.
    pub context: &'a [u8],
    /// The PDU.
    pub pdu: PduView<'a>,
}

/// contextEngineID, contextName and the PDU, as written.
#[derive(Clone, Copy, Debug)]
pub struct Scoped<'a> {
    /// contextEngineID.
    pub engine_id: &'a [u8],
    /// contextName.
    pub context: &'a [u8],
    /// The PDU.
    pub body: Body<'a>,
}

impl<'a> ScopedPdu<'a> {
    /// Reads a plain or decrypted scoped PDU.
    ///
    /// # Errors
    /// When it is none: with a wrong privacy key, decrypting gives noise.
    pub fn read(bytes: &'a [u8]) -> Result<ScopedPdu<'a>, DecodeError> {
        let mut outer = Reader::new(bytes);
        let mut r = outer.constructed(ber::SEQUENCE)?;
        outer.end()?;
        let engine_id = r.contents(ber::OCTET_STRING)?;
        let context = r.contents(ber::OCTET_STRING)?;
        let pdu = PduView::read(&mut r)?;
        r.end()?;
        Ok(ScopedPdu {
            engine_id,
            context,
            pdu,
        })
    }
}

impl Scoped<'_> {
    fn write(&self, w: &mut Writer) {
        let mark = w.mark();
        self.body.write(w);
        w.primitive(ber::OCTET_STRING, self.context);
        w.primitive(ber::OCTET_STRING, self.engine_id);
        w.header(ber::SEQUENCE, mark);
    }
}

/// Writes a v1 or v2c message. (`Version::V3` has no community; its number would be written all the same.)
pub fn encode_community<'a>(version: Version, community: &[u8], body: impl Into<Body<'a>>) -> Vec<u8> {
    let mut w = Writer::new();
    body.into().write(&mut w);
    w.primitive(ber::OCTET_STRING, community);
    w.signed(ber::INTEGER, version.number());
    w.header(ber::SEQUENCE, 0);
    w.finish()
}

/// Writes a v3 message with the security model USM. With `auth` it is signed; with `privacy` (only together with `auth`) the scoped
/// PDU is encrypted with this salt, which must never repeat for one key and engine boot. `max_size` is what we can take.
pub fn encode_v3(
    header: &V3Header<'_>,
    max_size: u32,
    scoped: &Scoped<'_>,
    auth: Option<&AuthKey>,
    privacy: Option<(&PrivacyKey, u64)>,
) -> Vec<u8> {
    let privacy = privacy.filter(|_| auth.is_some());
    let mut w = Writer::new();
    match privacy {
        None => scoped.write(&mut w),
        Some((key, salt)) => {
            let mut inner = Writer::new();
            scoped.write(&mut inner);
            let mut bytes = inner.finish();
            key.encrypt(header.boots, header.time, salt, &mut bytes);
            w.primitive(ber::OCTET_STRING, &bytes);
        }
    }
    let tag_len = auth.map_or(0, AuthKey::tag_len);
    let from_end = write_security(&mut w, header, tag_len, privacy.map(|(_, salt)| salt));
    let mark = w.mark();
    w.signed(ber::INTEGER, USM);
    let mut flags = if header.reportable { FLAG_REPORTABLE } else { 0 };
    flags |= if auth.is_some() { FLAG_AUTH } else { 0 };
    flags |= if privacy.is_some() { FLAG_PRIVACY } else { 0 };
    w.primitive(ber::OCTET_STRING, &[flags]);
    w.signed(ber::INTEGER, i64::from(max_size));
    w.signed(ber::INTEGER, i64::from(header.id));
    w.header(ber::SEQUENCE, mark);
    w.signed(ber::INTEGER, Version::V3.number());
    w.header(ber::SEQUENCE, 0);
    let mut message = w.finish();
    if let Some(key) = auth {
        let start = message.len() - from_end;
        let tag = key.sign(&message);
        message[start..start + tag_len].copy_from_slice(&tag[..tag_len]);
    }
    message
}

/// Writes msgSecurityParameters with the HMAC still zero; returns how far its first octet is from the end of the message.
fn write_security(w: &mut Writer, header: &V3Header<'_>, tag_len: usize, salt: Option<u64>) -> usize {
    let mark = w.mark();
    match salt {
        Some(salt) => w.primitive(ber::OCTET_STRING, &salt.to_be_bytes()),
        None => w.primitive(ber::OCTET_STRING, &[]),
    }
    let zeros = w.mark();
    w.raw(&vec![0; tag_len]);
    let from_end = w.mark();
    w.header(ber::OCTET_STRING, zeros);
    w.primitive(ber::OCTET_STRING, header.user);
    w.signed(ber::INTEGER, i64::from(header.time));
    w.signed(ber::INTEGER, i64::from(header.boots));
    w.primitive(ber::OCTET_STRING, header.engine_id);
    w.header(ber::SEQUENCE, mark);
    w.header(ber::OCTET_STRING, mark);
    from_end
}

/// Reads one datagram, which must hold exactly one message.
///
/// # Errors
/// When it does not.
pub fn decode(bytes: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut outer = Reader::new(bytes);
    let mut r = outer.constructed(ber::SEQUENCE)?;
    outer.end()?;
    let version = match r.integer(i64::MIN, i64::MAX)? {
        0 => Version::V1,
        1 => Version::V2c,
        3 => return decode_v3(bytes, r).map(Message::V3),
        other => return Err(DecodeError::Version(other)),
    };
    let community = r.contents(ber::OCTET_STRING)?;
    let pdu = PduView::read(&mut r)?;
    r.end()?;
    Ok(Message::Community {
        version,
        community,
        pdu,
    })
}

/// The number that answers a request (request-id, of v3 msgID), read without a look at anything behind it. Proves nothing: [`decode`] does.
pub fn number_of(bytes: &[u8]) -> Option<i32> {
    let mut r = Reader::new(bytes).constructed(ber::SEQUENCE).ok()?;
    let mut inner = match r.integer(i64::MIN, i64::MAX).ok()? {
        3 => r.constructed(ber::SEQUENCE).ok()?,
        _ => {
            r.contents(ber::OCTET_STRING).ok()?;
            let tag = r.peek().ok()?;
            r.constructed(tag).ok()?
        }
    };
    i32::try_from(inner.integer(i64::from(i32::MIN), i64::from(i32::MAX)).ok()?).ok()
}

fn decode_v3<'a>(bytes: &'a [u8], mut r: Reader<'a>) -> Result<V3Message<'a>, DecodeError> {
    let mut global = r.constructed(ber::SEQUENCE)?;
    let id = global.integer(0, i64::from(i32::MAX))?;
    let max_size = global.unsigned31()?;
    let flags = match global.contents(ber::OCTET_STRING)? {
        [flags] => *flags,
        _ => return Err(DecodeError::Flags),
    };
    let model = global.integer(0, i64::from(i32::MAX))?;
    global.end()?;
    if model != USM || flags & (FLAG_AUTH | FLAG_PRIVACY) == FLAG_PRIVACY {
        return Err(DecodeError::Flags);
    }
    let mut outer = r.constructed(ber::OCTET_STRING)?;
    let mut s = outer.constructed(ber::SEQUENCE)?;
    outer.end()?;
    let engine_id = s.contents(ber::OCTET_STRING)?;
    let boots = s.unsigned31()?;
    let time = s.unsigned31()?;
    let user = s.contents(ber::OCTET_STRING)?;
    let tag = s.contents(ber::OCTET_STRING)?;
    // What stands behind the tag is this long, so its place needs no pointers.
    let after_tag = s.left();
    let privacy_params = s.contents(ber::OCTET_STRING)?;
    s.end()?;
    let data_len = r.left();
    let data = if flags & FLAG_PRIVACY != 0 {
        ScopedData::Encrypted(r.contents(ber::OCTET_STRING)?)
    } else {
        let rest = bytes.get(bytes.len() - data_len..).ok_or(DecodeError::Truncated)?;
        r.contents(ber::SEQUENCE)?;
        ScopedData::Plain(rest)
    };
    r.end()?;
    let end = bytes.len() - data_len - after_tag;
    Ok(V3Message {
        header: V3Header {
            id: i32::try_from(id).map_err(|_| DecodeError::Range)?,
            reportable: flags & FLAG_REPORTABLE != 0,
            engine_id,
            boots,
            time,
            user,
        },
        max_size,
        authenticated: flags & FLAG_AUTH != 0,
        auth_params: end - tag.len()..end,
        privacy_params,
        data,
    })
}
