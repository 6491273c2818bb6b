//! Log lines as logfmt: `ts=2026-11-22T13:45:16.250Z level=info msg=incident id=7 what="opened, critical: …"`. What is no bare word is
//! quoted, so that every line is taken apart by the same rule; a control character never gets into the log.

use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Who dates the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dated {
    /// hinomi: RFC 3339 in UTC.
    Here,
    /// The journal.
    Elsewhere,
}

/// The format.
#[derive(Clone, Copy, Debug)]
pub struct Logfmt(pub Dated);

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::default();
        if self.0 == Dated::Here {
            // To the millisecond: more is noise.
            let now = super::clock::now().wall;
            let stamp = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            line.pair("ts", &format!("{stamp:.3}"));
        }
        line.pair("level", word(*event.metadata().level()));
        // The message first, then the fields in their order.
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.pair("msg", &fields.message);
        for (key, value) in &fields.others {
            line.pair(key, value);
        }
        writeln!(out, "{}", line.0)
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
}

/// A line that grows.
#[derive(Default)]
struct Line(String);

impl Line {
    fn pair(&mut self, key: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        let bare = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
        if !value.is_empty() && value.chars().all(bare) {
            self.0.push_str(value);
            return;
        }
        self.0.push('"');
        for c in value.chars() {
            // Writing into a String cannot fail.
            let _ = match c {
                '"' | '\\' => write!(self.0, "\\{c}"),
                '\n' => write!(self.0, "\\n"),
                '\r' => write!(self.0, "\\r"),
                '\t' => write!(self.0, "\\t"),
                c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c)),
                c => write!(self.0, "{c}"),
            };
        }
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader of logfmt makes of a line.
    fn taken_apart(line: &str) -> Vec<(String, String)> {
        let (mut pairs, mut rest) = (Vec::new(), line);
        while let Some((key, after)) = rest.split_once('=') {
            let Some(quoted) = after.strip_prefix('"') else {
                let (value, after) = after.split_once(' ').unwrap_or((after, ""));
                pairs.push((key.to_owned(), value.to_owned()));
                rest = after;
                continue;
            };
            let (mut value, mut escaped, mut end) = (String::new(), false, quoted.len());
            for (at, c) in quoted.char_indices() {
                match (escaped, c) {
                    (false, '\\') => escaped = true,
                    (false, '"') => {
                        end = at + 1;
                        break;
                    }
                    (true, 'n') => {
                        value.push('\n');
                        escaped = false;
                    }
                    (_, c) => {
                        value.push(c);
                        escaped = false;
                    }
                }
            }
            pairs.push((key.to_owned(), value));
            rest = quoted[end..].trim_start();
        }
        pairs
    }

    #[test]
    fn every_value_can_be_read_back() {
        for value in [
            "plain",
            "",
            "two words",
            "a=b",
            "say \"hi\"",
            "back\\slash",
            "line\nbreak",
            "東京 1",
        ] {
            let mut line = Line::default();
            line.pair("level", "info");
            line.pair("what", value);
            line.pair("id", "7");
            let wanted: Vec<(String, String)> = [("level", "info"), ("what", value), ("id", "7")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
            assert_eq!(taken_apart(&line.0), wanted, "{}", line.0);
            assert!(!line.0.contains('\n'));
        }
        let mut line = Line::default();
        line.pair("what", "\u{1b}[2J");
        assert_eq!(line.0, "what=\"\\u001b[2J\"");
    }
}
