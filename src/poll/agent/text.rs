//! Text and numbers as agents give them, made fit for the rest of the house.
//!
//! Never here: how octets become text (that is `poll::text`).

use crate::model::Name;
use crate::model::snmp::TextEncoding;
use crate::poll::observation::Number;
use crate::poll::text;
use crate::wire::snmp::{Value, ValueView, ber};

/// An interface's name; `None` if there is none.
pub(super) fn name(value: ValueView<'_>, encoding: TextEncoding) -> Option<Name> {
    match value {
        ValueView::OctetString(octets) => text::name(octets, encoding).map(Name::from),
        _ => None,
    }
}

/// The text of a value that was kept.
pub(super) fn name_of(value: &Value, encoding: TextEncoding) -> Option<Name> {
    match value {
        Value::OctetString(octets) => text::name(octets, encoding).map(Name::from),
        _ => None,
    }
}

/// A kept value holds no text.
pub(super) fn is_empty(value: &Value) -> bool {
    name_of(value, TextEncoding::Utf8).is_none()
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
