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

impl Cell {
    /// The same text in another colour.
    pub(super) fn with_paint(self, paint: Paint) -> Cell {
        Cell { paint, ..self }
    }

    /// Another text in the same colour.
    pub(super) fn with_text(&self, text: impl Into<String>) -> Cell {
        cell(text, self.paint)
    }
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

/// A column is not made narrower than this.
const NARROWEST: usize = 8;

/// Columns of the terminal, or of `COLUMNS`; `None` where the output goes into a file or another program, which get everything.
pub(super) fn room() -> Option<usize> {
    let named = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let terminal = || {
        let stdout = std::io::stdout();
        let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
        stdout.is_terminal().then_some(usize::from(size.ws_col))
    };
    named.or_else(terminal).filter(|columns| *columns > 0)
}

/// Makes the widest columns narrower until the row fits.
fn fit(widths: &mut [usize], room: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let Some(excess) = total.checked_sub(room).filter(|excess| *excess > 0) else {
            return;
        };
        let widest = widths.iter().copied().max().unwrap_or_default();
        let next = widths.iter().copied().filter(|w| *w < widest).max().unwrap_or_default();
        let lowest = next.max(NARROWEST);
        let Some(at) = widths.iter().rposition(|w| *w == widest && widest > NARROWEST) else {
            return;
        };
        widths[at] -= excess.min(widest.saturating_sub(lowest)).max(1);
    }
}

/// As much of a text as goes into so many columns, with a sign where something was cut.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if width(&out) + width(c.encode_utf8(&mut [0; 4])) >= columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Prints rows of CSV as RFC 4180 has it, but for the line ends, which are those of this system.
pub(super) fn csv(out: &mut dyn Write, head: &[&str], rows: &[Vec<String>]) -> std::io::Result<()> {
    writeln!(out, "{}", head.join(","))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|text| csv_cell(text)).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

fn csv_cell(text: &str) -> String {
    let text = harmless(text);
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

/// Prints rows under a head, as wide as the terminal allows.
pub(super) fn print(out: &mut dyn Write, head: &[&str], rows: &[Vec<Cell>], colour: bool) -> std::io::Result<()> {
    print_within(out, head, rows, (colour, room()))
}

fn print_within(
    out: &mut dyn Write,
    head: &[&str],
    rows: &[Vec<Cell>],
    (colour, room): (bool, Option<usize>),
) -> std::io::Result<()> {
    let mut widths: Vec<usize> = head.iter().map(|h| width(h)).collect();
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(width(&cell.text));
        }
    }
    if let Some(room) = room {
        fit(&mut widths, room);
    }
    let head: Vec<Cell> = head.iter().map(|h| cell(*h, Paint::Dim)).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (i, (w, cell)) in widths.iter().zip(row).enumerate() {
            let shown = Cell {
                text: cut(&cell.text, *w),
                paint: cell.paint,
            };
            line.push_str(&painted(&shown, colour));
            if i + 1 < row.len() {
                line.push_str(&" ".repeat(w.saturating_sub(width(&shown.text)) + 2));
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

fn zoned(at: Wall) -> Option<jiff::Zoned> {
    let zone = ZONE.get().cloned().unwrap_or_else(TimeZone::system);
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    Some(at.to_zoned(zone))
}

/// A moment in a table: the time alone if it is of today, else with the day, and with the year if that is another one. The zone stands
/// once above ([`zone_line`]).
pub(super) fn short(at: Wall, now: Wall) -> String {
    let (Some(at), Some(now)) = (zoned(at), zoned(now)) else {
        return "-".to_owned();
    };
    let form = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M:%S",
        (false, true) => "%m-%d %H:%M",
        (false, false) => "%Y-%m-%d",
    };
    at.strftime(form).to_string()
}

/// The same to the minute, for lists of what is hours old.
pub(super) fn minute(at: Wall, now: Wall) -> String {
    let (Some(at), Some(now)) = (zoned(at), zoned(now)) else {
        return "-".to_owned();
    };
    let form = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M",
        (false, true) => "%m-%d %H:%M",
        (false, false) => "%Y-%m-%d",
    };
    at.strftime(form).to_string()
}

/// From so many columns on there is room for what is of interest to fewer people.
const WIDE: usize = 100;

/// How many of the columns of a table are shown here; the last `less` only where there is room.
pub(super) fn columns(all: usize, less: usize) -> usize {
    match room() {
        Some(room) if room < WIDE => all - less,
        _ => all,
    }
}

/// Now, and the zone of all times below.
pub(super) fn zone_line(now: Wall) -> String {
    let zone = ZONE
        .get()
        .and_then(|zone| zone.iana_name())
        .unwrap_or("this host's zone");
    format!("{}  (times in {zone})", moment(now))
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
    fn a_row_is_as_wide_as_the_terminal_and_what_is_cut_is_marked() {
        let long = "x".repeat(100);
        let rows = vec![vec![plain("#12"), plain("東京".repeat(20)), plain(long), plain("end")]];
        for room in [40, 80, 120] {
            let mut out = Vec::new();
            print_within(&mut out, &["NO", "TARGET", "FINDING", "E"], &rows, (false, Some(room))).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.lines().all(|l| width(l) <= room), "{text}");
            assert!(
                text.contains('…') && text.contains("#12") && text.contains("end"),
                "{text}"
            );
        }
        let mut out = Vec::new();
        print_within(&mut out, &["NO", "TARGET", "FINDING", "E"], &rows, (false, None)).unwrap();
        assert!(!String::from_utf8(out).unwrap().contains('…'), "a file gets everything");
    }

    #[test]
    fn csv_quotes_what_would_break_a_row() {
        let mut out = Vec::new();
        csv(
            &mut out,
            &["a", "b"],
            &[vec!["x,\"y\"".to_owned(), "z\u{1b}[2J".to_owned()]],
        )
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("a,b\n\"x,\"\"y\"\"\",z"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!(length(59.9), "59 s");
        assert_eq!(length(61.0), "1 min 1 s");
        assert_eq!(length(90_000.0), "1 d 1 h");
    }
}
