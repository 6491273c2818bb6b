//! `[[maintenance]]`: planned work, once or every week.
//!
//! Never here: whether a window is in force.

use super::Unique;
use super::devices::Inventory;
use crate::config::hours::hours;
use crate::config::raw::At;
use crate::config::reader::{self, Walk, unknown_reference};
use crate::config::values::{Refusal, Taken, refuse};
use crate::model::maintenance::{By, LONGEST, Maintenance, SETTLING, When, subject};
use crate::model::{Device, Name, Operator, Wall};
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::Arc;
use std::time::Duration;

const WHAT: &str = "a list of devices, circuits, ports as \"edge-a/xe-0/0/1\", \"site:NAME\", \"group:NAME\", \"carrier:NAME\" or \
    \"institution:ID\"";
const MOMENT: &str = "date and time in the operator's time zone, such as \"2026-12-05 01:00\"";
const EVERY: &str = "weekly hours, such as \"Sun 02:00-04:00\"";

/// Reads all windows.
pub(super) fn maintenance(top: &Walk<'_>, inventory: &Inventory, operator: Option<&Operator>) -> Vec<Maintenance> {
    let mut unique = Unique::new(top.ctx, "maintenance");
    let zone = operator.map_or("UTC", |o| &o.timezone);
    let mut all = Vec::new();
    for walk in super::tables(top, "maintenance") {
        let name = walk.required(
            "name",
            "it stands in `hinomi status` and with each finding it explains",
            walk.name("name"),
        );
        let what = what(&walk, &inventory.devices);
        let by = walk.word("by", &By::ALL);
        let by = walk.required("by", "who does the work: \"own\", \"platform\" or \"carrier\"", by);
        let when = when(&walk, zone);
        walk.finish();
        let name = name.filter(|n| unique.add(n));
        if let (Some(name), Some(what), Some(by), Some(when)) = (name, what, by, when) {
            all.push(Maintenance {
                name: Arc::from(name.value),
                what,
                by: by.value,
                when,
            });
        }
    }
    all
}

fn what(walk: &Walk<'_>, devices: &[Device]) -> Option<Vec<Name>> {
    let words = walk.list("what", WHAT, |ctx, node| {
        let value = reader::text(ctx, "what", node, |t| match t.trim() {
            "" => refuse("names nothing", WHAT),
            word => Ok(word.to_owned()),
        })?;
        Some(At { value, at: node.at })
    });
    let words = walk.required("what", WHAT, words)?;
    if words.value.is_empty() {
        walk.ctx.error(words.at, "`what` is empty", WHAT);
    }
    for word in &words.value {
        if subject(devices, &word.value).is_none() {
            let names = devices.iter().map(|d| &*d.name);
            unknown_reference(walk.ctx, "device, circuit or port", word, names, WHAT);
        }
    }
    Some(words.value.into_iter().map(|w| Arc::from(w.value)).collect())
}

fn when(walk: &Walk<'_>, zone: &str) -> Option<When> {
    let start = walk.text("start", |t| moment(t, zone));
    let end = walk.text("end", |t| moment(t, zone));
    let every = walk.text("every", |t| {
        let mut hours = hours(t).map_err(|r| Refusal {
            hint: EVERY.to_owned(),
            ..r
        })?;
        // Work is done on holidays as on other days.
        hours.on_holidays = true;
        Ok(hours)
    });
    let once = walk.has("start") || walk.has("end");
    match (once, walk.has("every")) {
        (true, true) => {
            walk.ctx.error(
                walk.at(),
                format!("{} has both `every` and a `start` or an `end`", walk.name),
                "a window is either once (`start` and `end`) or every week (`every`): make two of it",
            );
            None
        }
        (false, true) => {
            let every = every?;
            if Duration::from_secs(u64::from(every.value.longest_break()) * 60) <= SETTLING {
                walk.ctx.error(
                    every.at,
                    "`every` leaves no time at which anybody would be told: 10 minutes after a window things may still come back",
                    "if something is not to be watched any more: status = \"ended\"",
                );
                return None;
            }
            Some(When::Weekly(every.value))
        }
        (_, false) => {
            let start = walk.required("start", MOMENT, start);
            let end = walk.required("end", MOMENT, end);
            let (start, end) = (start?, end?);
            if end.value.since(start.value) > LONGEST {
                let days = LONGEST.as_secs() / 86_400;
                let what = format!("the window is longer than {days} days: nobody would be told for so long");
                walk.ctx.error(
                    end.at,
                    what,
                    "if something is not to be watched any more: status = \"ended\"",
                );
                return None;
            }
            if end.value <= start.value {
                walk.ctx.error(end.at, "`end` is not after `start`", MOMENT);
                return None;
            }
            Some(When::Once {
                start: start.value,
                end: end.value,
            })
        }
    }
}

/// A moment as people write it on a command line, or in words what is wrong with it.
pub fn moment_in_words(text: &str, zone: &str) -> Result<Wall, String> {
    moment(text, zone).map_err(|r| format!("{}: write {}", r.what, r.hint))
}

/// A moment as people write it, in a time zone. One that the zone skips (summer time) is the next there is.
fn moment(text: &str, zone: &str) -> Taken<Wall> {
    let plain = text.trim().replacen('T', " ", 1);
    let read =
        DateTime::strptime("%Y-%m-%d %H:%M", &plain).or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M:%S", &plain));
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap_or(TimeZone::UTC);
    match read.and_then(|t| t.to_zoned(zone)) {
        Ok(at) => Ok(Wall(at.timestamp().as_millisecond())),
        Err(_) => refuse(format!("is not a moment: \"{text}\""), MOMENT),
    }
}
