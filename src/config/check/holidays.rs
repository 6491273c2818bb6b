//! holidays.csv: days on which institutions are closed.

use super::tables::{self, Keys, take};
use crate::config::report::Ctx;
use crate::config::values::{Taken, refuse};

const KEYS: [&str; 2] = ["date", "name"];
const DATE: usize = 0;

/// The days, sorted, as days since 1970-01-01.
pub(super) fn holidays(ctx: &Ctx<'_>) -> Vec<i32> {
    let keys = Keys {
        plain: &KEYS,
        required: &[DATE],
        refused: &[],
        dotted: Vec::new(),
    };
    let mut days: Vec<i32> = Vec::new();
    tables::rows(ctx, "holidays", &keys, |row| match row.get(DATE) {
        Some((text, at)) => days.extend(take(ctx, "date", text, at, date)),
        None => ctx.error(row.at(), "the row has no `date`", "such as 2027-01-01,New Year's Day"),
    });
    days.sort_unstable();
    days.dedup();
    days
}

/// `2027-01-01`, or `2027/1/1` as spreadsheets write it.
fn date(text: &str) -> Taken<i32> {
    let mut parts = text.split(['-', '/']);
    let mut next = || {
        parts
            .next()
            .filter(|p| p.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|p| p.parse::<i16>().ok())
    };
    let (year, month, day) = (next(), next(), next());
    let day_of = |y: i16, m: i16, d: i16| jiff::civil::Date::new(y, i8::try_from(m).ok()?, i8::try_from(d).ok()?).ok();
    let found = match (year, month, day, parts.next()) {
        (Some(y @ 1970..=2200), Some(m), Some(d), None) => day_of(y, m, d),
        _ => None,
    };
    let epoch = jiff::civil::date(1970, 1, 1);
    match found.and_then(|day| day.since(epoch).ok()) {
        Some(span) => Ok(span.get_days()),
        None => refuse(format!("is not a date: \"{text}\""), "year, month and day: 2027-01-01"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_offices_and_spreadsheets_write_them() {
        assert_eq!(date("1970-01-01").ok(), Some(0));
        assert_eq!(date("2027-01-01").ok(), Some(20_819));
        assert_eq!(date("2027/1/1").ok(), date("2027-01-01").ok());
        for wrong in [
            "2027-02-29",
            "27-1-1",
            "1.1.2027",
            "2027-01",
            "2027-01-01-01",
            "",
            "+2027-01-01",
            "2027-13-01",
        ] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}
