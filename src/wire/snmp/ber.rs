//! The part of ASN.1 BER that SNMP uses (RFC 3417 section 8): definite lengths, low tag numbers.
//!
//! Reading goes through `snmp2::asn1::AsnReader` for tags and lengths. Integers and object identifiers are read here, because its
//! readers cut values above the range of their type short in silence and hand out sub-identifiers of any size; its
//! constructed reader takes a closure that cannot hand anything out, so nesting goes through raw contents.
//!
//! Never here: recursion, or a length believed before the octets are there.

use snmp2::AsnReader;

/// INTEGER.
pub const INTEGER: u8 = snmp2::asn1::TYPE_INTEGER;
/// OCTET STRING.
pub const OCTET_STRING: u8 = snmp2::asn1::TYPE_OCTETSTRING;
/// NULL.
pub const NULL: u8 = snmp2::asn1::TYPE_NULL;
/// OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = snmp2::asn1::TYPE_OBJECTIDENTIFIER;
/// SEQUENCE, SEQUENCE OF.
pub const SEQUENCE: u8 = snmp2::asn1::TYPE_SEQUENCE;

/// RFC 3416 section 4.1: an object identifier has at most 128 sub-identifiers.
pub const MAX_SUB_IDENTIFIERS: usize = 128;

/// Why bytes are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Ends early, or a length points past its end.
    #[error("the message ends before its lengths say")]
    Truncated,
    /// Another tag than the format has at this place (also: nested where nothing nests).
    #[error("tag {found:#04x} stands where the format does not have it")]
    Tag {
        /// The tag that was found.
        found: u8,
    },
    /// An integer that does not fit its type.
    #[error("a number is outside the range of its type")]
    Range,
    /// An object identifier that is none: empty, cut, a sub-identifier over 32 bits, or more than 128 of them.
    #[error("an object identifier is malformed")]
    Oid,
    /// Not as many octets as its type has.
    #[error("a value has another length than its type")]
    Length,
    /// Octets after the end of a structure.
    #[error("octets follow after the end of the message")]
    TrailingBytes,
    /// A version of SNMP that does not exist.
    #[error("unknown SNMP version {0}")]
    Version(i64),
    /// Flags that RFC 3412 forbids (privacy without authentication), or another security model than USM.
    #[error("the message flags or the security model are not valid")]
    Flags,
    /// More varbinds than any datagram of use holds.
    #[error("too many varbinds")]
    Count,
    /// A whole message, but no trap and no inform, or one without sysUpTime.0 and snmpTrapOID.0 at its beginning.
    #[error("the message is no notification")]
    NoNotification,
}

/// A strict reader over one constructed value's contents.
pub struct Reader<'a> {
    inner: AsnReader<'a>,
}

impl<'a> Reader<'a> {
    /// Reads from the first octet.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader {
            inner: AsnReader::from_bytes(bytes),
        }
    }

    /// The next tag, without moving.
    ///
    /// # Errors
    /// At the end.
    pub fn peek(&mut self) -> Result<u8, DecodeError> {
        self.inner.peek_byte().map_err(|_| DecodeError::Truncated)
    }

    /// The contents of the next value, which must have this tag.
    ///
    /// # Errors
    /// Another tag, or fewer octets than its length says.
    pub fn contents(&mut self, tag: u8) -> Result<&'a [u8], DecodeError> {
        let found = self.peek()?;
        if found != tag {
            return Err(DecodeError::Tag { found });
        }
        self.inner.read_raw(tag).map_err(|_| DecodeError::Truncated)
    }

    /// A reader over the contents of the next value.
    ///
    /// # Errors
    /// As [`Reader::contents`].
    pub fn constructed(&mut self, tag: u8) -> Result<Reader<'a>, DecodeError> {
        self.contents(tag).map(Reader::new)
    }

    /// An INTEGER within `low..=high`.
    ///
    /// # Errors
    /// Another tag, or out of range.
    pub fn integer(&mut self, low: i64, high: i64) -> Result<i64, DecodeError> {
        let value = signed(self.contents(INTEGER)?)?;
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(DecodeError::Range)
        }
    }

    /// An INTEGER within 0..2³¹.
    ///
    /// # Errors
    /// Another tag, or out of range.
    pub fn unsigned31(&mut self) -> Result<u32, DecodeError> {
        let value = self.integer(0, i64::from(i32::MAX))?;
        u32::try_from(value).map_err(|_| DecodeError::Range)
    }

    /// Octets not yet read.
    pub fn left(&self) -> usize {
        self.inner.bytes_left()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// When octets are left.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.left() == 0 {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }
}

/// Contents of an INTEGER: two's complement of 1 to 8 octets.
///
/// # Errors
/// Empty, or longer.
pub fn signed(contents: &[u8]) -> Result<i64, DecodeError> {
    let first = *contents.first().ok_or(DecodeError::Range)?;
    if contents.len() > 8 {
        return Err(DecodeError::Range);
    }
    let fill = if first & 0x80 == 0 { 0 } else { 0xff };
    let mut bytes = [fill; 8];
    bytes[8 - contents.len()..].copy_from_slice(contents);
    Ok(i64::from_be_bytes(bytes))
}

/// Contents of an unsigned type of `width` octets (4 or 8). With the top bit set it should begin with a zero octet; agents that
/// leave that out send exactly `width` octets, which is taken as meant. Anything shorter with the top bit set is negative.
///
/// # Errors
/// Empty, negative, or too large.
pub fn unsigned(contents: &[u8], width: usize) -> Result<u64, DecodeError> {
    let first = *contents.first().ok_or(DecodeError::Range)?;
    let digits = match contents {
        [0, rest @ ..] if rest.len() == width => rest,
        all if all.len() < width && first & 0x80 != 0 => return Err(DecodeError::Range),
        all if all.len() <= width => all,
        _ => return Err(DecodeError::Range),
    };
    Ok(digits.iter().fold(0u64, |sum, b| (sum << 8) | u64::from(*b)))
}

/// Checks the contents of an OBJECT IDENTIFIER without taking it apart.
///
/// # Errors
/// See [`DecodeError::Oid`].
pub fn check_oid(contents: &[u8]) -> Result<(), DecodeError> {
    let (mut sub, mut count) = (0u32, 1usize);
    let mut begun = false;
    for byte in contents {
        // 2³² does not fit, and a leading 0x80 would be a second spelling of the same number.
        if sub >> 25 != 0 || (*byte == 0x80 && !begun) {
            return Err(DecodeError::Oid);
        }
        begun = byte & 0x80 != 0;
        sub = if begun { (sub << 7) | u32::from(byte & 0x7f) } else { 0 };
        count += usize::from(!begun);
    }
    if begun || contents.is_empty() || count > MAX_SUB_IDENTIFIERS {
        return Err(DecodeError::Oid);
    }
    Ok(())
}

/// Contents of an OBJECT IDENTIFIER.
///
/// # Errors
/// See [`DecodeError::Oid`].
pub fn oid(contents: &[u8]) -> Result<Vec<u32>, DecodeError> {
    check_oid(contents)?;
    let mut out = Vec::with_capacity(contents.len() + 1);
    let mut sub = 0u32;
    for byte in contents {
        sub = (sub << 7) | u32::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            let top = (sub / 40).min(2);
            out.push(top);
            sub -= top * 40;
        }
        out.push(sub);
        sub = 0;
    }
    Ok(out)
}

/// Room for a datagram of use; a longer message makes its own.
const ROOM: usize = 512;

/// Writes from the last octet to the first, so that every length is known when it is written.
pub struct Writer {
    /// What was written stands at the end.
    buffer: Vec<u8>,
    start: usize,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Writer {
        Writer {
            buffer: vec![0; ROOM],
            start: ROOM,
        }
    }

    /// Octets written so far; the difference of two marks is the length of what was written between them.
    pub fn mark(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The message, first octet first.
    pub fn finish(mut self) -> Vec<u8> {
        let length = self.mark();
        self.buffer.copy_within(self.start.., 0);
        self.buffer.truncate(length);
        self.buffer
    }

    /// Octets as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.grow(bytes.len());
        }
        let end = self.start;
        self.start -= bytes.len();
        self.buffer[self.start..end].copy_from_slice(bytes);
    }

    fn octet(&mut self, byte: u8) {
        if self.start == 0 {
            self.grow(1);
        }
        self.start -= 1;
        self.buffer[self.start] = byte;
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let length = self.mark();
        let mut larger = vec![0; (self.buffer.len() * 2).max(length + by)];
        let start = larger.len() - length;
        larger[start..].copy_from_slice(&self.buffer[self.start..]);
        (self.buffer, self.start) = (larger, start);
    }

    /// Tag and length of what was written since `mark`.
    pub fn header(&mut self, tag: u8, mark: usize) {
        let mut len = self.mark() - mark;
        if len < 128 {
            self.octet(len.to_le_bytes()[0]);
        } else {
            let mut count = 0u8;
            while len > 0 {
                self.octet(len.to_le_bytes()[0]);
                len >>= 8;
                count += 1;
            }
            self.octet(0x80 | count);
        }
        self.octet(tag);
    }

    /// A primitive with these contents.
    pub fn primitive(&mut self, tag: u8, contents: &[u8]) {
        let mark = self.mark();
        self.raw(contents);
        self.header(tag, mark);
    }

    /// A signed integer in the fewest octets.
    pub fn signed(&mut self, tag: u8, value: i64) {
        let bytes = value.to_be_bytes();
        let skip = bytes
            .windows(2)
            .take_while(|w| (w[0] == 0 && w[1] & 0x80 == 0) || (w[0] == 0xff && w[1] & 0x80 != 0))
            .count();
        self.primitive(tag, &bytes[skip..]);
    }

    /// An unsigned integer in the fewest octets.
    pub fn unsigned(&mut self, tag: u8, value: u64) {
        let mut bytes = [0u8; 9];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        let skip = bytes.windows(2).take_while(|w| w[0] == 0 && w[1] & 0x80 == 0).count();
        self.primitive(tag, &bytes[skip..]);
    }

    /// An OBJECT IDENTIFIER; an empty one or one with a single number is written as `0.0`.
    pub fn oid(&mut self, oid: &[u32]) {
        let mark = self.mark();
        self.oid_contents(oid);
        self.header(OBJECT_IDENTIFIER, mark);
    }

    /// The contents of an OBJECT IDENTIFIER alone.
    pub fn oid_contents(&mut self, oid: &[u32]) {
        let (top, second, rest) = match oid {
            [a, b, rest @ ..] => (*a, *b, rest),
            _ => (0, 0, &[][..]),
        };
        for sub in rest.iter().rev() {
            self.sub_identifier(u64::from(*sub));
        }
        self.sub_identifier(u64::from(top) * 40 + u64::from(second));
    }

    fn sub_identifier(&mut self, mut value: u64) {
        let mut more = 0;
        loop {
            self.octet((value & 0x7f).to_le_bytes()[0] | more);
            value >>= 7;
            more = 0x80;
            if value == 0 {
                break;
            }
        }
    }
}

/// Octets that an object identifier takes, header included.
pub fn oid_size(oid: &[u32]) -> usize {
    2 + oid
        .iter()
        .skip(1)
        .map(|s| (38 - s.leading_zeros() as usize).max(7) / 7)
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(f: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut w = Writer::new();
        f(&mut w);
        w.finish()
    }

    #[test]
    fn integers_are_written_in_the_fewest_octets() {
        for (value, bytes) in [
            (0i64, &[2, 1, 0][..]),
            (127, &[2, 1, 0x7f]),
            (128, &[2, 2, 0, 0x80]),
            (-1, &[2, 1, 0xff]),
            (-129, &[2, 2, 0xff, 0x7f]),
            (i64::from(i32::MIN), &[2, 4, 0x80, 0, 0, 0]),
        ] {
            assert_eq!(written(|w| w.signed(INTEGER, value)), bytes);
            assert_eq!(signed(&bytes[2..]), Ok(value));
        }
        assert_eq!(
            written(|w| w.unsigned(0x41, u64::from(u32::MAX))),
            [0x41, 5, 0, 255, 255, 255, 255]
        );
        assert_eq!(written(|w| w.unsigned(0x46, u64::MAX))[..3], [0x46, 9, 0]);
    }

    #[test]
    fn unsigned_values_outside_their_type_are_refused() {
        assert_eq!(unsigned(&[0, 0xff, 0xff, 0xff, 0xff], 4), Ok(u64::from(u32::MAX)));
        assert_eq!(unsigned(&[0xff, 0xff, 0xff, 0xff], 4), Ok(u64::from(u32::MAX)));
        assert_eq!(
            unsigned(&[1, 0, 0, 0, 5], 4),
            Err(DecodeError::Range),
            "2^32 + 5 is not 5"
        );
        assert_eq!(unsigned(&[0xff], 4), Err(DecodeError::Range));
        assert_eq!(unsigned(&[], 8), Err(DecodeError::Range));
        assert_eq!(unsigned(&[0, 255, 255, 255, 255, 255, 255, 255, 255], 8), Ok(u64::MAX));
        assert_eq!(signed(&[0; 9]), Err(DecodeError::Range));
    }

    #[test]
    fn object_identifiers_of_every_size() {
        for numbers in [
            &[1, 3, 6, 1, 4, 1, 8072, 3, 2][..],
            &[2, 999, 3],
            &[0, 0],
            &[1, 3, u32::MAX, 127, 128, 0],
        ] {
            let bytes = written(|w| w.oid(numbers));
            assert_eq!(oid(&bytes[2..]).as_deref(), Ok(numbers));
        }
        assert_eq!(written(|w| w.oid(&[1, 3, 6, 1, 128])), [6, 5, 0x2b, 6, 1, 0x81, 0]);
        let cases = [
            &[][..],
            &[0x81],
            &[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00],
            &[0x2b, 0x80, 1],
            &[1; 128],
        ];
        for bad in cases {
            assert_eq!(
                (oid(bad), check_oid(bad)),
                (Err(DecodeError::Oid), Err(DecodeError::Oid)),
                "{bad:x?}"
            );
        }
    }

    #[test]
    fn the_estimated_size_is_the_real_one() {
        for numbers in [&[1, 3, 6, 1, 127, 128, 16_383, 16_384, u32::MAX][..], &[1, 3]] {
            assert_eq!(oid_size(numbers), written(|w| w.oid(numbers)).len());
        }
    }

    #[test]
    fn a_message_longer_than_its_first_room_is_written_whole() {
        let long: Vec<u8> = (0..3_000u32).map(|i| i as u8).collect();
        let bytes = written(|w| {
            w.signed(INTEGER, 7);
            w.raw(&long);
            w.oid(&[1, 3]);
            w.header(SEQUENCE, 0);
        });
        assert_eq!(bytes[..4], [SEQUENCE, 0x82, 0x0b, 0xbe]);
        assert_eq!(bytes[4..7], [6, 1, 0x2b]);
        assert_eq!((&bytes[7..3_007], &bytes[3_007..]), (&long[..], &[2, 1, 7][..]));
    }

    #[test]
    fn lengths_point_at_octets_that_are_there() {
        assert_eq!(Reader::new(&[4, 5, 1]).contents(4), Err(DecodeError::Truncated));
        let huge = [4, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reader::new(&huge).contents(4), Err(DecodeError::Truncated));
        assert_eq!(
            Reader::new(&[0x30, 0x80, 0, 0]).contents(0x30),
            Err(DecodeError::Truncated),
            "indefinite"
        );
    }
}
