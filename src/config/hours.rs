//! Opening hours as people write them: "Mon-Fri 08:30-18:00, Sat 08:30-12:30".
//!
//! Text in, [`Hours`] out; as text again by their `Display`. Never here: what day it is.

use super::values::{Taken, refuse};
use crate::model::circuit::{Hours, WEEK_MINUTES};

const DAY: u16 = 24 * 60;
const HINT: &str =
    "such as \"Mon-Fri 08:30-18:00, Sat 08:30-12:30\", with \", holidays\" where holidays are open too, or \"always\"";
/// Names of the days: short, long, Japanese.
const DAYS: [[&str; 3]; 7] = [
    ["Mon", "Monday", "月"],
    ["Tue", "Tuesday", "火"],
    ["Wed", "Wednesday", "水"],
    ["Thu", "Thursday", "木"],
    ["Fri", "Friday", "金"],
    ["Sat", "Saturday", "土"],
    ["Sun", "Sunday", "日"],
];

/// One word of the text.
enum Word {
    /// Days of the week from Monday, both included; may go over Sunday.
    Days(u16, u16),
    /// Minutes of the day; the second is not after the first if it goes over midnight.
    Span(u16, u16),
    Holidays,
}

/// Reads opening hours. Times hold for the days before them; without days, for every day.
pub(crate) fn hours(text: &str) -> Taken<Hours> {
    let plain = text.trim();
    if plain.eq_ignore_ascii_case("always") {
        return Ok(always());
    }
    let (mut days, mut spans): (Vec<u16>, Vec<(u16, u16)>) = (Vec::new(), Vec::new());
    let (mut on_holidays, mut day_open, mut has_span) = (false, false, false);
    for piece in joined(plain).split([',', ' ', ';', '、']).filter(|p| !p.is_empty()) {
        match word(text, piece)? {
            Word::Holidays => on_holidays = true,
            Word::Days(from, to) => {
                if !day_open {
                    days.clear();
                }
                day_open = true;
                let last = if to < from { to + 7 } else { to };
                days.extend((from..=last).map(|d| d % 7));
            }
            Word::Span(from, to) => {
                (day_open, has_span) = (false, true);
                let all: Vec<u16> = (0..7).collect();
                let which = if days.is_empty() { &all } else { &days };
                which.iter().for_each(|day| add(&mut spans, *day, from, to));
            }
        }
    }
    if day_open || !has_span {
        return refuse(format!("has days without times, or no times at all: \"{text}\""), HINT);
    }
    match Hours::new(spans, on_holidays) {
        Some(hours) => Ok(hours),
        None => refuse(format!("is not understood: \"{text}\""), HINT),
    }
}

/// Open at any minute, on holidays too.
fn always() -> Hours {
    // A span of the whole week is neither empty nor outside of it.
    Hours::new(vec![(0, WEEK_MINUTES)], true).unwrap_or_default()
}

/// "08:30 - 18:00" is one word, and every dash is a hyphen.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if matches!(c, '–' | '—' | '~' | '〜' | '～') {
            '-'
        } else {
            c
        };
        let c = if c.is_whitespace() { ' ' } else { c };
        if c == '-' {
            out.truncate(out.trim_end().len());
        }
        if c != ' ' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

fn word(text: &str, piece: &str) -> Taken<Word> {
    if piece.eq_ignore_ascii_case("holidays") || piece == "祝日" {
        return Ok(Word::Holidays);
    }
    let (from, to) = piece.split_once('-').unwrap_or((piece, piece));
    if let (Some(from), Some(to)) = (day(from), day(to)) {
        return Ok(Word::Days(from, to));
    }
    match (time(from), time(to)) {
        (Some(from), Some(to)) if from == to => refuse(
            format!("has a time that ends when it begins: \"{piece}\""),
            "the whole day is 00:00-24:00",
        ),
        (Some(from), Some(to)) if from < DAY && to > 0 => Ok(Word::Span(from, to)),
        (Some(from), Some(0)) if from < DAY => Ok(Word::Span(from, DAY)),
        _ if text.to_lowercase().contains("always") => refuse(
            format!("has \"always\" beside other words: \"{text}\""),
            "\"always\" stands alone",
        ),
        _ => refuse(format!("has a word that is not understood: \"{piece}\""), HINT),
    }
}

fn day(text: &str) -> Option<u16> {
    let at = DAYS
        .iter()
        .position(|names| names.iter().any(|n| n.eq_ignore_ascii_case(text)))?;
    u16::try_from(at).ok()
}

/// `08:30` in minutes; at most 24:00.
fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |s: &str| s.len() <= 2 && !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

fn add(spans: &mut Vec<(u16, u16)>, day: u16, from: u16, to: u16) {
    let start = day * DAY;
    if from < to {
        spans.push((start + from, start + to));
        return;
    }
    // Over midnight: the rest belongs to the next day, after Sunday to Monday.
    spans.push((start + from, start + DAY));
    let next = (day + 1) % 7 * DAY;
    spans.push((next, next + to));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Hours {
        hours(text).unwrap_or_else(|r| panic!("{text}: {} ({})", r.what, r.hint))
    }

    #[test]
    fn hours_are_read_as_an_office_writes_them() {
        let clinic = read("Mon-Fri 08:30-18:00, Sat 08:30-12:30");
        assert_eq!(clinic.spans().len(), 6);
        assert_eq!(clinic.spans()[0], (510, 1080));
        assert_eq!(clinic.spans()[5], (5 * 1440 + 510, 5 * 1440 + 750));
        assert!(!clinic.on_holidays);
        assert_eq!(clinic.to_string(), "Mon-Fri 08:30-18:00, Sat 08:30-12:30");
        assert_eq!(read("mon - fri 8:30 – 18:00; saturday 08:30-12:30"), clinic);
        assert_eq!(read("月-金 08:30〜18:00、土 08:30-12:30"), clinic);
        assert_eq!(read("Mon, Wed 09:00-12:00 14:00-17:00").spans().len(), 4);
        assert_eq!(read("Mon 09:00-12:00, 14:00-17:00").spans().len(), 2);
        assert_eq!(read("always"), read("Mon-Sun 00:00-24:00, holidays"));
        assert_eq!(read("00:00-24:00").spans(), [(0, WEEK_MINUTES)]);
        assert_eq!(read("Fri-Mon 10:00-11:00").spans().len(), 4);
    }

    #[test]
    fn a_night_goes_over_midnight_and_over_the_week() {
        assert_eq!(read("Mon 22:00-02:00").spans(), [(1320, 1560)]);
        assert_eq!(
            read("Sun 22:00-02:00").spans(),
            [(0, 120), (6 * 1440 + 1320, WEEK_MINUTES)]
        );
        assert_eq!(read("Mon 20:00-00:00").spans(), [(1200, 1440)]);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Mon",
            "Mon-Fri",
            "Mon 9-18",
            "Mon 09:00",
            "Mon 25:00-26:00",
            "Mon 09:60-10:00",
            "Mon 09:00-09:00",
            "Mun 09:00-10:00",
            "always, Mon 09:00-10:00",
            "holidays",
            "Mon 09:00-10:00, Tue",
            "Mon 24:00-02:00",
            "Mon 009:00-10:00",
        ] {
            assert!(hours(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(
            spans in prop::collection::vec((0u16..WEEK_MINUTES, 1u16..4000), 1..8),
            on_holidays: bool,
        ) {
            let spans = spans.into_iter().map(|(from, long)| (from, from.saturating_add(long).min(WEEK_MINUTES))).collect();
            let hours = Hours::new(spans, on_holidays).unwrap();
            prop_assert_eq!(read(&hours.to_string()), hours);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[MonSatFri0-9:, \\-holidayse]{0,30}") {
            let _ = hours(&text);
        }
    }
}
