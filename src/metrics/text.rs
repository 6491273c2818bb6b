//! The text exposition format, streamed family by family and row by row from a picture.
//!
//! Never here: the whole text. A million series are 100 MB of it; a slice is `SLICE` and a little.

use super::names::{Emit, FAMILIES, Kind};
use crate::core::Picture;
use crate::model::text::is_hostile;
use std::fmt::Write as _;
use std::sync::Arc;

/// A slice is handed out when it has grown past this.
pub(super) const SLICE: usize = 64 << 10;
/// Room for what may be written after a slice was found to be not full yet.
const MARGIN: usize = 4 << 10;

/// Longest label value: device text can be long, and a series is kept for weeks.
const LONGEST_LABEL: usize = 200;

/// The whole of `/metrics`, handed out in slices.
#[derive(Debug)]
pub struct Text {
    own: Option<String>,
    picture: Arc<Picture>,
    family: usize,
    row: usize,
    /// The family that goes on in the next slice has had its head.
    headed: bool,
}

impl Text {
    /// `own` is [`super::Own::encode`].
    pub fn new(own: String, picture: Arc<Picture>) -> Text {
        Text {
            own: Some(own),
            picture,
            family: 0,
            row: 0,
            headed: false,
        }
    }

    /// The next slice; `None` at the end.
    pub fn next_slice(&mut self) -> Option<String> {
        if let Some(own) = self.own.take() {
            return Some(own);
        }
        let mut writer = Writer::default();
        while let Some(family) = FAMILIES.get(self.family) {
            writer.begin(family.name, family.kind, family.help, family.labels);
            match family.emit {
                Emit::Registry => {}
                Emit::Once(write) => write(&self.picture, &mut writer),
                Emit::Each(rows, write) => {
                    writer.headed = self.headed;
                    while self.row < rows(&self.picture) {
                        if writer.out.len() >= SLICE {
                            self.headed = writer.headed;
                            return Some(writer.out);
                        }
                        write(&self.picture, self.row, &mut writer);
                        self.row += 1;
                    }
                }
            }
            (self.row, self.headed) = (0, false);
            self.family += 1;
        }
        (!writer.out.is_empty()).then_some(writer.out)
    }
}

/// A value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// Written with as many digits as tell it from its neighbours.
    F64(f64),
    /// The same, of half the width.
    F32(f32),
    /// Written in full.
    U64(u64),
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::F64(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Value {
        Value::F32(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::U64(value)
    }
}

/// Writes the samples of one family after the other.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    headed: bool,
}

impl Writer {
    fn begin(&mut self, name: &'static str, kind: Kind, help: &'static str, labels: &'static [&'static str]) {
        if self.out.capacity() == 0 {
            self.out.reserve(SLICE + MARGIN);
        }
        (self.name, self.kind, self.help, self.labels) = (name, kind.key(), help, labels);
        self.headed = false;
    }

    /// The head stands before the first sample only, so that an empty family leaves no trace.
    fn head(&mut self) {
        if !self.headed {
            let _ = writeln!(
                self.out,
                "# HELP {} {}\n# TYPE {} {}",
                self.name, self.help, self.name, self.kind
            );
            self.headed = true;
        }
    }

    /// One sample; label values in the order of the family's labels. An empty value is no label at all, as Prometheus sees it.
    pub(super) fn sample(&mut self, values: &[&str], value: impl Into<Value>) {
        self.line("", values, None, value);
    }

    /// A sample of a histogram.
    pub(super) fn line(&mut self, suffix: &str, values: &[&str], le: Option<&str>, value: impl Into<Value>) {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        self.head();
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let labels = self.labels.iter().copied().zip(values.iter().copied());
        let mut open = false;
        for (label, text) in labels
            .chain(le.map(|le| ("le", le)))
            .filter(|(_, text)| !text.is_empty())
        {
            self.out.push(if open { ',' } else { '{' });
            open = true;
            self.out.push_str(label);
            self.out.push_str("=\"");
            escape(text, &mut self.out);
            self.out.push('"');
        }
        if open {
            self.out.push('}');
        }
        self.out.push(' ');
        number(value.into(), &mut self.out);
        self.out.push('\n');
    }
}

/// Escapes a label value, drops what is hostile and cuts it.
fn escape(text: &str, out: &mut String) {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\';
    if text.len() <= LONGEST_LABEL && text.bytes().all(plain) {
        return out.push_str(text);
    }
    for c in text.chars().filter(|c| !is_hostile(*c)).take(LONGEST_LABEL) {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

fn number(value: Value, out: &mut String) {
    let _ = match value {
        Value::U64(v) => write!(out, "{v}"),
        Value::F64(v) if !v.is_finite() => return not_finite(v, out),
        Value::F32(v) if !v.is_finite() => return not_finite(v.into(), out),
        Value::F64(v) => write!(out, "{v}"),
        Value::F32(v) => write!(out, "{v}"),
    };
}

fn not_finite(value: f64, out: &mut String) {
    out.push_str(match value {
        v if v.is_nan() => "NaN",
        v if v > 0.0 => "+Inf",
        _ => "-Inf",
    });
}

pub(super) fn truth(value: bool) -> u64 {
    u64::from(value)
}

/// The kebab-case name of a unit variant, as in `--json`.
pub fn key<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned()
}

#[cfg(test)]
#[path = "text/tests.rs"]
mod tests;
