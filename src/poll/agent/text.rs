//! Text and numbers as agents give them, made fit for the rest of the house.
//!
//! Never here: trust. What comes out has no control characters and a bounded length.

use crate::model::Name;
use crate::poll::observation::Number;
use crate::wire::snmp::{Value, ValueView, ber};

/// Longest text kept of a name or an alias, in characters (SnmpAdminString and DisplayString end at 255 octets).
const LONGEST: usize = 255;

/// An interface's name; `None` if there is none.
pub(super) fn name(value: ValueView<'_>) -> Option<Name> {
    label(value).map(Name::from)
}

/// The same of a value that was kept.
pub(super) fn name_of(value: &Value) -> Option<Name> {
    label_of(value).map(Name::from)
}

/// The text of a value that was kept.
pub(super) fn label_of(value: &Value) -> Option<String> {
    match value {
        Value::OctetString(bytes) => label(ValueView::OctetString(bytes)),
        _ => None,
    }
}

/// A text; `None` if it is absent or empty.
pub(super) fn label(value: ValueView<'_>) -> Option<String> {
    let ValueView::OctetString(bytes) = value else {
        return None;
    };
    let text = String::from_utf8_lossy(bytes);
    // Some agents pad with zeros or end with one.
    let text = text.trim_end_matches('\0').trim();
    let clean: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    (!clean.is_empty()).then_some(clean)
}

/// A value as a number, if it is one.
pub(super) fn number(value: ValueView<'_>) -> Option<Number> {
    match value {
        ValueView::Integer(v) => Some(Number::Signed(v)),
        ValueView::Counter32(v) | ValueView::Gauge32(v) | ValueView::TimeTicks(v) => {
            Some(Number::Unsigned(u64::from(v)))
        }
        ValueView::Counter64(v) => Some(Number::Unsigned(v)),
        ValueView::Oid(v) => ber::oid(v).ok().map(Number::Oid),
        ValueView::OctetString(bytes) => {
            let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\0').trim();
            finite(text.parse().ok()?)
        }
        ValueView::Opaque(bytes) => floating(bytes),
        _ => None,
    }
}

/// net-snmp's floating point numbers: a BER value with the tag 0x9f78 (float) or 0x9f79 (double) inside an Opaque.
fn floating(bytes: &[u8]) -> Option<Number> {
    match bytes {
        [0x9f, 0x78, 4, rest @ ..] => finite(f64::from(f32::from_be_bytes(rest.try_into().ok()?))),
        [0x9f, 0x79, 8, rest @ ..] => finite(f64::from_be_bytes(rest.try_into().ok()?)),
        _ => None,
    }
}

fn finite(value: f64) -> Option<Number> {
    value.is_finite().then_some(Number::Text(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cleaned_and_bounded() {
        let text = |s: &[u8]| label(ValueView::OctetString(s));
        assert_eq!(text(b"xe-0/0/1\0").as_deref(), Some("xe-0/0/1"));
        assert_eq!(text(b"a\x1b[2Jb").as_deref(), Some("a\u{fffd}[2Jb"));
        assert_eq!(text(b" \0"), None);
        assert_eq!(text(&[b'x'; 4_000]).map(|s| s.len()), Some(255));
        assert_eq!(label(ValueView::NoSuchInstance), None);
    }

    #[test]
    fn numbers_in_every_form() {
        let text = |s: &str| number(ValueView::OctetString(s.as_bytes()));
        assert_eq!(text("0.25"), Some(Number::Text(0.25)));
        assert_eq!(text(" 41 \0"), Some(Number::Text(41.0)));
        assert_eq!(text("NaN"), None);
        assert_eq!(text("inf"), None);
        assert_eq!(text("41 C"), None);
        let half = ValueView::Opaque(&[0x9f, 0x78, 4, 0x3f, 0, 0, 0]);
        assert_eq!(number(half), Some(Number::Text(0.5)));
        assert_eq!(number(ValueView::Opaque(&[0x9f, 0x78, 4, 0x3f])), None);
        assert_eq!(number(ValueView::EndOfMibView), None);
    }
}
