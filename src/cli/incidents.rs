//! `hinomi incidents`.

use super::status::json as to_json;
use super::table::{Cell, Paint, cell, colour, moment, painted, plain, print};
use super::{Daemon, Failure, client, standing, words};
use crate::core::{self, snapshot::IncidentSummary};
use crate::daemon::clock;
use crate::daemon::control::{Reply, Request};
use crate::incident::{Book, Ledger};
use crate::model::{Level, Wall};
use crate::notify::text::cause_in_english;
use std::cmp::Reverse;
use std::io::Write;

/// What the daemon says; if it is not running, what stands in its ledger.
fn read(daemon: &Daemon) -> Result<Vec<IncidentSummary>, Failure> {
    match client::snapshot(daemon) {
        Ok(snapshot) => Ok(snapshot.incidents),
        Err(failure) => Ok(core::incidents(&ledger(daemon, failure)?, clock::now().wall)),
    }
}

/// One of them. It may be one that a long list leaves out.
fn find(daemon: &Daemon, number: u64) -> Result<Option<IncidentSummary>, Failure> {
    match client::ask(daemon, &Request::Incident { number }) {
        Ok(Reply::Incident(incident)) => Ok(incident.map(|i| *i)),
        Ok(Reply::Refused(why)) => Err(Failure::new(3, why)),
        Ok(_) => Err(client::unexpected()),
        Err(failure) => Ok(ledger(daemon, failure)?.get(number).map(core::incident)),
    }
}

/// The device that an incident is about.
pub(super) fn root(daemon: &Daemon, number: u64) -> Option<String> {
    let incident = find(daemon, number).ok().flatten()?;
    incident.root.device.map(|d| d.to_string())
}

/// The book as the ledger has it, where the daemon does not answer.
fn ledger(daemon: &Daemon, failure: Failure) -> Result<Book, Failure> {
    if daemon.socket.is_some() {
        return Err(failure);
    }
    let Ok(restored) = Ledger::read_only(&client::state(&daemon.config)) else {
        return Err(failure);
    };
    eprintln!("hinomi: {failure}\nhinomi: this is what stands in its ledger");
    Ok(Book::restore(&restored.events).0)
}

/// All of them.
pub(super) fn list(daemon: &Daemon, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let mut incidents = read(daemon)?;
    // Open incidents first, by level, then age; recovered ones below, the latest first.
    incidents.sort_by_key(|i| match i.recovered {
        None => (false, Reverse(i.level), i.opened, Reverse(Wall(0))),
        Some(at) => (true, Reverse(Level::Ok), Wall(0), Reverse(at)),
    });
    if json {
        writeln!(out, "{}", to_json(&incidents)?)?;
        return Ok(0);
    }
    if incidents.is_empty() {
        writeln!(out, "no incidents: nothing open, nothing recovered within 24 h")?;
        return Ok(0);
    }
    let rows: Vec<Vec<Cell>> = incidents.iter().map(row).collect();
    let head = [
        "NO",
        "LEVEL",
        "TARGET",
        "OPENED",
        "REOPENED",
        "RECOVERED",
        "VERDICT",
        "BEHIND",
        "ACKNOWLEDGED",
    ];
    print(out, &head, &rows, colour())?;
    Ok(0)
}

fn row(i: &IncidentSummary) -> Vec<Cell> {
    let level = match i.recovered {
        Some(_) => cell("recovered", Paint::Good),
        None => standing::level(i.level, i.muted.as_ref()),
    };
    vec![
        plain(format!("#{}", i.id)),
        level,
        plain(i.root.to_string()),
        plain(moment(i.opened)),
        plain(i.reopened.map_or("-".to_owned(), moment)),
        plain(i.recovered.map_or("-".to_owned(), moment)),
        plain(i.isolation.as_ref().map_or("-", |x| x.verdict.key())),
        plain(i.affected_count.to_string()),
        plain(i.acknowledged_by.as_deref().unwrap_or("-")),
    ]
}

/// One of them.
pub(super) fn show(daemon: &Daemon, number: u64, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let Some(i) = find(daemon, number)? else {
        return Err(Failure::new(
            1,
            format!("there is no incident #{number} among the open ones and those that ended within 48 h"),
        ));
    };
    if json {
        writeln!(out, "{}", to_json(&i)?)?;
        return Ok(0);
    }
    let level = match i.recovered {
        Some(at) => cell(format!("recovered {}", moment(at)), Paint::Good),
        None => words::level(i.level),
    };
    writeln!(
        out,
        "#{} {}  {}",
        i.id,
        painted(&plain(i.root.to_string()), false),
        painted(&level, colour())
    )?;
    let mut line = |key: &str, text: String| writeln!(out, "  {key:<13} {}", painted(&plain(text), false));
    line("opened", moment(i.opened))?;
    if let Some(at) = i.reopened {
        line("reopened", moment(at))?;
    }
    line("cause", cause_in_english(&i.root, i.level, &i.cause))?;
    if let Some(isolation) = &i.isolation {
        line("verdict", words::isolation(isolation))?;
    }
    if let Some(by) = &i.acknowledged_by {
        line("acknowledged", format!("by {by}"))?;
    }
    if let Some(covered) = &i.muted {
        line("kept quiet", format!("by {}", standing::maintenance(covered)))?;
    }
    if !i.affected.is_empty() {
        let names: Vec<&str> = i.affected.iter().map(|n| &**n).collect();
        let more = i.affected_count.saturating_sub(names.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        line(
            "behind it",
            format!("{} devices: {}{more}", i.affected_count, names.join(", ")),
        )?;
    }
    writeln!(out)?;
    for (at, what) in &i.timeline {
        writeln!(out, "  {}  {}", moment(*at), painted(&plain(what.clone()), false))?;
    }
    Ok(0)
}

/// Takes one in hand.
pub(super) fn ack(daemon: &Daemon, number: u64, by: String, out: &mut dyn Write) -> Result<u8, Failure> {
    match client::ask(daemon, &Request::Acknowledge { incident: number, by })? {
        Reply::Done(text) => {
            writeln!(out, "{text}")?;
            Ok(0)
        }
        Reply::Refused(why) | Reply::NotRecorded(why) => Err(Failure::new(1, why)),
        Reply::Snapshot(_) | Reply::Device(_) | Reply::Incident(_) => Err(client::unexpected()),
    }
}
