//! Tables on a terminal: columns aligned by display width, colour only where it is welcome.

use crate::model::Wall;
use crate::model::text::harmless;
use jiff::tz::TimeZone;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

/// Colour of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    paint: Paint,
}

/// A cell of harmless text.
pub(super) fn cell(text: impl Into<String>, paint: Paint) -> Cell {
    let text = harmless(&text.into()).into_owned();
    Cell { text, paint }
}

/// A cell without colour.
pub(super) fn plain(text: impl Into<String>) -> Cell {
    cell(text, Paint::Plain)
}

/// Prints rows under a head.
pub(super) fn print(out: &mut dyn Write, head: &[&str], rows: &[Vec<Cell>], colour: bool) -> std::io::Result<()> {
    let mut widths: Vec<usize> = head.iter().map(|h| width(h)).collect();
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(width(&cell.text));
        }
    }
    let head: Vec<Cell> = head.iter().map(|h| cell(*h, Paint::Dim)).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (i, (w, cell)) in widths.iter().zip(row).enumerate() {
            line.push_str(&painted(cell, colour));
            if i + 1 < row.len() {
                line.push_str(&" ".repeat(w - width(&cell.text) + 2));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A cell's text with its colour.
pub(super) fn painted(cell: &Cell, colour: bool) -> String {
    let code = match cell.paint {
        _ if !colour => return cell.text.clone(),
        Paint::Plain => return cell.text.clone(),
        Paint::Good => "32",
        Paint::Warn => "33",
        Paint::Bad => "31;1",
        Paint::Dim => "2",
    };
    format!("\x1b[{code}m{}\x1b[0m", cell.text)
}

/// Standard output is a terminal and nobody asked for plain text.
pub(super) fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Columns on a terminal: East Asian wide characters take two, combining marks none.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
            0x1100..=0x115f
            | 0x2e80..=0x303e
            | 0x3041..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1f300..=0x1faff
            | 0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

/// The operator's time zone, as far as this command knows its configuration.
static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Moments are shown in this time zone (an IANA name) from now on; once in the life of a command.
pub(super) fn use_zone(name: &str) {
    if let Ok(zone) = jiff::tz::TimeZoneDatabase::bundled().get(name) {
        let _ = ZONE.set(zone);
    }
}

/// A moment in the operator's time zone, else in this host's, with the zone's name.
pub(super) fn moment(at: Wall) -> String {
    let zone = ZONE.get().cloned().unwrap_or_else(TimeZone::system);
    let at = jiff::Timestamp::from_millisecond(at.0);
    at.map_or_else(
        |_| "-".to_owned(),
        |t| t.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
    )
}

/// A moment in the same zone without the zone's name: for outputs that name the zone once. Today's has no date.
pub(super) fn clock_time(at: Wall) -> String {
    let zoned = |at: Wall| {
        let zone = ZONE.get().cloned().unwrap_or_else(TimeZone::system);
        jiff::Timestamp::from_millisecond(at.0).map(|t| t.to_zoned(zone))
    };
    let (Ok(at), Ok(now)) = (zoned(at), zoned(crate::daemon::clock::now().wall)) else {
        return "-".to_owned();
    };
    let seconds = if at.second() == 0 { "" } else { ":%S" };
    let date = if at.date() == now.date() { "" } else { "%Y-%m-%d " };
    at.strftime(&format!("{date}%H:%M{seconds}")).to_string()
}

/// Names the zone of all times in an output: "times in JST (Asia/Tokyo)".
pub(super) fn zone_line() -> String {
    let zone = ZONE.get().cloned().unwrap_or_else(TimeZone::system);
    let now = jiff::Timestamp::from_millisecond(crate::daemon::clock::now().wall.0).unwrap_or_default();
    let zoned = now.to_zoned(zone);
    let short = zoned.strftime("%Z").to_string();
    match zoned.time_zone().iana_name() {
        Some(name) if name != short => format!("times in {short} ({name})"),
        _ => format!("times in {short}"),
    }
}

/// A length of time in its two largest units.
pub(super) fn length(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86400, s % 86400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        let rows = vec![vec![plain("東京"), plain("x")], vec![plain("ab"), plain("y")]];
        let mut out = Vec::new();
        print(&mut out, &["a", "b"], &rows, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a     b\n東京  x\nab    y\n");
    }

    #[test]
    fn escapes_in_device_text_never_reach_the_terminal() {
        let mut out = Vec::new();
        let text = "x\x1b[2J\ny\u{202e}\u{2066}\u{200b}z\u{2028}\u{feff}\u{9b}";
        print(&mut out, &["a"], &[vec![plain(text)]], true).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("\nx [2J yz\n"));
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!(length(59.9), "59 s");
        assert_eq!(length(61.0), "1 min 1 s");
        assert_eq!(length(90_000.0), "1 d 1 h");
    }
}
