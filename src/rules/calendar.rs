//! The operator's local time, as opening hours see it.
//!
//! Never here: a clock. Whoever asks brings the time.

use crate::model::{LocalMinute, Operator, Wall};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::Arc;

const MINUTE_MS: i64 = 60_000;

/// Turns wall time into minutes of the week, once a minute.
pub struct Calendar {
    zone: TimeZone,
    holidays: Arc<[i32]>,
    /// The minute since 1970 that was last asked for, and what it is.
    last: (i64, LocalMinute),
}

impl Calendar {
    /// The calendar of an operator. A time zone that is not known is UTC (the check of the configuration refuses such a one).
    pub fn new(operator: &Operator) -> Calendar {
        let never = LocalMinute {
            of_week: 0,
            holiday: false,
        };
        Calendar {
            // The bundled database, as in mails: what is judged, and what a record plays, must not depend on the host's files.
            zone: TimeZoneDatabase::bundled()
                .get(&operator.timezone)
                .unwrap_or(TimeZone::UTC),
            holidays: operator.holidays.clone(),
            last: (i64::MIN, never),
        }
    }

    /// Local time at `wall`.
    pub fn local(&mut self, wall: Wall) -> LocalMinute {
        let minute = wall.0.div_euclid(MINUTE_MS);
        if self.last.0 != minute {
            self.last = (minute, self.compute(minute));
        }
        self.last.1
    }

    /// Local time at `wall`, computed afresh.
    pub fn at(&self, wall: Wall) -> LocalMinute {
        self.compute(wall.0.div_euclid(MINUTE_MS))
    }

    fn compute(&self, minute: i64) -> LocalMinute {
        let at = Timestamp::from_millisecond(minute.saturating_mul(MINUTE_MS)).unwrap_or_default();
        let local = self.zone.to_datetime(at);
        let day = i16::from(local.weekday().to_monday_zero_offset());
        let of_week = day * 1_440 + i16::from(local.hour()) * 60 + i16::from(local.minute());
        LocalMinute {
            of_week: of_week.unsigned_abs(),
            holiday: self.holidays.binary_search(&days(local.date())).is_ok(),
        }
    }
}

/// Days since 1970-01-01.
fn days(date: Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Language;

    #[test]
    fn minutes_of_the_week_in_the_operators_zone() {
        let mut calendar = Calendar::new(&Operator {
            name: String::new(),
            phone: None,
            language: Language::Japanese,
            timezone: "Asia/Tokyo".to_owned(),
            // 2026-11-23, Labour Thanksgiving Day.
            holidays: [days(jiff::civil::date(2026, 11, 23))].into(),
        });
        // Sunday 2026-11-22 15:00 UTC is Monday 00:00 in Tokyo.
        let monday = Wall(1_795_359_600_000);
        let at = |minutes: i64| Wall(monday.0 + minutes * MINUTE_MS + 59_999);
        let expected = |of_week, holiday| LocalMinute { of_week, holiday };
        assert_eq!(calendar.local(at(0)), expected(0, true));
        assert_eq!(calendar.local(at(1_439)), expected(1_439, true));
        assert_eq!(calendar.local(at(1_440)), expected(1_440, false));
        assert_eq!(calendar.local(at(-1)), expected(10_079, false));
    }
}
