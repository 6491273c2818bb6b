//! `hinomi maintenance`: planned work keeps people asleep; measuring goes on.

use super::table::{clock_time, colour, plain, print, zone_line};
use super::{Daemon, Failure, client, standing};
use crate::core::MaintenanceStatus;
use crate::daemon::clock;
use crate::daemon::control::{Reply, Request};
use crate::model::maintenance::By;
use clap::{Subcommand, ValueEnum};
use std::io::Write;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Windows of the configuration, and those set by hand
    List,
    /// Set one: nobody is told of what it names and of what has every path through it; what is still bad 10 min after its end is told
    Add {
        /// Its name, for example "agg-3 upgrade"
        name: String,
        /// Devices, circuits, ports (edge-a/xe-0/0/1), site:NAME, group:NAME, carrier:NAME, institution:ID
        #[arg(long, required = true, num_args = 1..)]
        what: Vec<String>,
        /// Whose work it is
        #[arg(long, value_enum, default_value_t = Party::Own)]
        by: Party,
        /// From, in the operator's time zone, for example "2026-12-05 01:00"; now without it
        #[arg(long)]
        start: Option<String>,
        /// Until
        #[arg(long, required_unless_present = "length")]
        end: Option<String>,
        /// For so long, for example 2h
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with = "end")]
        length: Option<Duration>,
        /// Who sets it; the login without it
        #[arg(long, value_name = "NAME", default_value_t = super::login(), hide_default_value = true)]
        set_by: String,
        /// A remark for the others: a ticket number, who is on site
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// End one now, or take it back
    End {
        /// Its name
        name: String,
        /// Who says so; the login without it
        #[arg(long, alias = "by", value_name = "NAME", default_value_t = super::login(), hide_default_value = true)]
        set_by: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Party {
    Own,
    Platform,
    Carrier,
}

/// Lists, sets or ends.
pub(super) fn maintenance(daemon: &Daemon, verb: Option<Verb>, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let request = match verb.unwrap_or(Verb::List) {
        Verb::List => return list(daemon, json, out),
        Verb::Add {
            name,
            what,
            by,
            start,
            end,
            length,
            set_by,
            note,
        } => Request::MaintenanceSet {
            name,
            what,
            by: match by {
                Party::Own => By::Own,
                Party::Platform => By::Platform,
                Party::Carrier => By::Carrier,
            },
            start,
            end,
            seconds: length.map(|l| l.as_secs()),
            set_by,
            note,
        },
        Verb::End { name, set_by } => Request::MaintenanceEnd { name, by: set_by },
    };
    match client::ask(daemon, &request)? {
        Reply::Done(words) => {
            writeln!(out, "{words}")?;
            Ok(0)
        }
        Reply::Refused(why) | Reply::NotRecorded(why) => Err(Failure::new(1, why)),
        _ => Err(client::unexpected()),
    }
}

fn list(daemon: &Daemon, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let windows = client::snapshot(daemon)?.maintenance;
    if json {
        writeln!(out, "{}", super::json::list("maintenance", &windows)?)?;
        return Ok(0);
    }
    if windows.is_empty() {
        writeln!(out, "no maintenance is planned")?;
        return Ok(0);
    }
    let row = |w: &MaintenanceStatus| {
        let when = match (&w.once, &w.weekly) {
            (Some((start, end)), _) => format!("{} to {}", clock_time(*start), clock_time(*end)),
            (None, weekly) => weekly.clone().unwrap_or_default(),
        };
        let what: Vec<&str> = w.what.iter().map(|w| &**w).collect();
        vec![
            plain(w.name.to_string()),
            standing::window(w),
            plain(when),
            plain(w.by.clone()),
            plain(w.set_by.clone().unwrap_or_else(|| "configuration".to_owned())),
            plain(what.join(", ")),
            plain(w.note.clone().unwrap_or_default()),
        ]
    };
    let rows: Vec<_> = windows.iter().map(row).collect();
    writeln!(out, "{}", zone_line(clock::now().wall))?;
    print(
        out,
        &["WINDOW", "NOW", "WHEN", "BY", "SET BY", "WHAT", "NOTE"],
        &rows,
        colour(),
    )?;
    Ok(0)
}
