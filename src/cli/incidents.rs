//! `hinomi incidents`: the list, one with its timeline, and the orders about one.

use super::status::json as to_json;
use super::table::{self, Cell, Paint, cell, colour, csv, minute, moment, painted, plain, print};
use super::{Daemon, Failure, client, json, standing, words};
use crate::core::{self, snapshot::IncidentSummary};
use crate::daemon::clock;
use crate::daemon::control::{Reply, Request};
use crate::incident::history::{History, Keep};
use crate::incident::{Book, Event, IncidentOrder, Ledger, Tell};
use crate::model::{Level, Wall};
use crate::notify::text::cause_in_english;
use clap::Args;
use std::cmp::Reverse;
use std::io::{ErrorKind, Write};

/// What is listed, and how.
#[derive(Debug, Default, Args)]
pub(super) struct Options {
    /// Those that were open at any time since then: "24h", "30d", "2026-12-05" or "2026-12-05 01:00" in the operator's time zone
    #[arg(long, value_name = "TIME", conflicts_with = "all")]
    since: Option<String>,
    /// Every incident that the ledger holds
    #[arg(long)]
    all: bool,
    /// Print CSV (RFC 4180) with times in RFC 3339
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// Who orders, a remark, and whether the others are told.
pub(super) type Acknowledge = (String, Option<String>, bool);

/// What the daemon says; if it is not running, what stands in its ledger.
fn read(daemon: &Daemon, options: &Options) -> Result<Vec<IncidentSummary>, Failure> {
    let now = clock::now().wall;
    let since = match &options.since {
        _ if options.all => Some(Wall(0)),
        None => None,
        Some(text) => Some(since(text, daemon, now)?),
    };
    if let Some(since) = since {
        let history = history(daemon, Keep::Summary)?;
        let wanted = history
            .incidents()
            .filter(|i| i.is_open() || i.recovered.is_none_or(|at| at >= since));
        return Ok(wanted.map(core::incident).collect());
    }
    match client::snapshot(daemon) {
        Ok(snapshot) => Ok(snapshot.incidents),
        Err(failure) => Ok(core::incidents(&ledger(daemon, failure)?, now)),
    }
}

/// A moment as `--since` gives it.
fn since(text: &str, daemon: &Daemon, now: Wall) -> Result<Wall, Failure> {
    if let Ok(length) = humantime::parse_duration(text) {
        return Ok(now.before(length));
    }
    let zone = client::zone(&daemon.config).unwrap_or_else(|| crate::config::DEFAULT_ZONE.to_owned());
    let full = match text.trim().len() {
        10 => format!("{} 00:00", text.trim()),
        _ => text.to_owned(),
    };
    crate::config::moment(&full, &zone).map_err(|why| {
        Failure::new(
            2,
            format!("--since {text}: {why}; a length such as 24h or 30d is taken as well"),
        )
    })
}

/// Everything that the ledger ever held.
fn history(daemon: &Daemon, keep: Keep) -> Result<History, Failure> {
    let mut history = History::new(keep);
    let state = client::state(&daemon.config);
    if std::fs::read_dir(&state).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied) {
        let state = state.display();
        return Err(Failure::new(
            3,
            format!("{state} may be read only by root and by the user hinomi runs as: try again with sudo"),
        ));
    }
    let mut unread = 0u64;
    let read = Ledger::read_all(&state, |line| match Event::from_json(line) {
        Ok(event) => history.apply(event),
        Err(_) => unread += 1,
    });
    match read {
        Err(error) => return Err(Failure::new(1, error.to_string())),
        Ok(Some(damage)) => eprintln!("hinomi: the ledger is damaged, the list ends before that: {damage}"),
        Ok(None) => {}
    }
    let left_out = unread + history.refused();
    if left_out > 0 {
        eprintln!("hinomi: {left_out} events of the ledger could not be read and are left out");
    }
    Ok(history)
}

/// One of them. It may be one that a long list leaves out, or one of long ago.
fn find(daemon: &Daemon, number: u64) -> Result<Option<IncidentSummary>, Failure> {
    let found = match client::ask(daemon, &Request::Incident { number }) {
        Ok(Reply::Incident(incident)) => incident.map(|i| *i),
        Ok(Reply::Refused(why)) => return Err(Failure::new(3, why)),
        Ok(_) => return Err(client::unexpected()),
        Err(failure) => ledger(daemon, failure)?.get(number).map(core::incident),
    };
    if found.is_some() {
        return Ok(found);
    }
    // Without a ledger that can be read there is nothing of long ago.
    let history = history(daemon, Keep::Timeline(number)).ok();
    Ok(history.and_then(|h| h.get(number).map(core::incident)))
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
pub(super) fn list(daemon: &Daemon, options: &Options, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let mut incidents = read(daemon, options)?;
    // Open incidents first, by level, then age; recovered ones below, the latest first.
    incidents.sort_by_key(|i| match i.recovered {
        None => (false, Reverse(i.level), i.opened, Reverse(Wall(0))),
        Some(at) => (true, Reverse(Level::Ok), Wall(0), Reverse(at)),
    });
    if json {
        writeln!(out, "{}", json::list("incidents", &incidents)?)?;
        return Ok(0);
    }
    if options.csv {
        let rows: Vec<Vec<String>> = incidents.iter().map(csv_row).collect();
        csv(out, &CSV_HEAD, &rows)?;
        return Ok(0);
    }
    if incidents.is_empty() {
        let what = match (options.all, &options.since) {
            (true, _) => "no incidents: the ledger holds none".to_owned(),
            (false, Some(since)) => format!("no incidents: none was open since {since}"),
            (false, None) => {
                "no incidents: nothing open, nothing recovered within 24 h (--since 30d, --all)".to_owned()
            }
        };
        writeln!(out, "{what}")?;
        return Ok(0);
    }
    let now = clock::now().wall;
    writeln!(out, "{}", table::zone_line(now))?;
    let columns = table::columns(HEAD.len(), 1);
    let rows: Vec<Vec<Cell>> = incidents
        .iter()
        .map(|i| row(i, now).into_iter().take(columns).collect())
        .collect();
    print(out, &HEAD[..columns], &rows, colour())?;
    Ok(0)
}

const HEAD: [&str; 9] = [
    "NO", "LEVEL", "TARGET", "FINDING", "OPENED", "NOW", "BEHIND", "ACK BY", "VERDICT",
];

fn row(i: &IncidentSummary, now: Wall) -> Vec<Cell> {
    let (level, state) = match (i.recovered, &i.muted, i.reopened) {
        (Some(at), ..) => (
            cell("ok", Paint::Good),
            cell(format!("recovered {}", minute(at, now)), Paint::Good),
        ),
        (None, Some(_), _) => (words::level(i.level), cell("open, maintenance", Paint::Dim)),
        (None, None, Some(at)) => (
            words::level(i.level),
            cell(format!("reopened {}", minute(at, now)), Paint::Bad),
        ),
        (None, None, None) => (words::level(i.level), plain("open")),
    };
    let acknowledged = match (&i.acknowledged_by, &i.last_acknowledged_by) {
        (Some(by), _) => plain(by),
        (None, Some(by)) => cell(by, Paint::Dim),
        (None, None) => plain("-"),
    };
    vec![
        plain(format!("#{}", i.id)),
        level,
        plain(i.root.target()),
        plain(i.root.finding()),
        plain(minute(i.opened, now)),
        state,
        plain(match i.affected_count {
            0 => "-".to_owned(),
            n => n.to_string(),
        }),
        acknowledged,
        plain(i.isolation.as_ref().map_or("-", |x| x.verdict.key())),
    ]
}

const CSV_HEAD: [&str; 13] = [
    "number",
    "level",
    "target",
    "finding",
    "opened",
    "reopened",
    "recovered",
    "verdict",
    "behind",
    "acknowledged_by",
    "acknowledged_at",
    "note",
    "maintenance",
];

fn csv_row(i: &IncidentSummary) -> Vec<String> {
    let at = |at: Option<Wall>| at.map(json::moment).unwrap_or_default();
    vec![
        i.id.to_string(),
        i.level.key().to_owned(),
        i.root.target(),
        i.root.finding(),
        at(Some(i.opened)),
        at(i.reopened),
        at(i.recovered),
        i.isolation
            .as_ref()
            .map(|x| x.verdict.key().to_owned())
            .unwrap_or_default(),
        i.affected_count.to_string(),
        i.last_acknowledged_by.clone().unwrap_or_default(),
        at(i.last_acknowledged_at),
        i.acknowledge_note.clone().unwrap_or_default(),
        i.muted
            .as_ref()
            .map(|covered| covered.window.to_string())
            .unwrap_or_default(),
    ]
}

/// One of them.
pub(super) fn show(daemon: &Daemon, number: u64, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let Some(i) = find(daemon, number)? else {
        return Err(Failure::new(
            1,
            format!(
                "there is no incident #{number}, neither in the book nor in the ledger (hinomi incidents list --all)"
            ),
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
    if let Some(text) = acknowledged(&i) {
        line("acknowledged", text)?;
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
        line("behind it", format!("{}: {}{more}", i.affected_count, names.join(", ")))?;
    }
    writeln!(out)?;
    for (at, what) in &i.timeline {
        writeln!(out, "  {}  {}", moment(*at), painted(&plain(what.clone()), false))?;
    }
    Ok(0)
}

/// Who acknowledged, when, and with which remark.
fn acknowledged(i: &IncidentSummary) -> Option<String> {
    let by = i.acknowledged_by.as_ref().or(i.last_acknowledged_by.as_ref())?;
    let at = i.last_acknowledged_at.map(|at| format!(" at {}", moment(at)));
    let note = i.acknowledge_note.as_ref().map(|note| format!(": {note}"));
    let over = match (&i.acknowledged_by, i.recovered) {
        (None, None) => " (no longer in force)",
        _ => "",
    };
    Some(format!(
        "by {by}{}{over}{}",
        at.unwrap_or_default(),
        note.unwrap_or_default()
    ))
}

/// Acknowledges one.
pub(super) fn ack(
    daemon: &Daemon,
    number: u64,
    (by, note, tell): Acknowledge,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let tell = if tell { Tell::Others } else { Tell::Nobody };
    order(daemon, number, IncidentOrder::Acknowledge { by, note, tell }, out)
}

/// Takes the acknowledgement of one back.
pub(super) fn unack(daemon: &Daemon, number: u64, by: String, out: &mut dyn Write) -> Result<u8, Failure> {
    order(daemon, number, IncidentOrder::TakeBack { by }, out)
}

fn order(daemon: &Daemon, incident: u64, order: IncidentOrder, out: &mut dyn Write) -> Result<u8, Failure> {
    match client::ask(daemon, &Request::Order { incident, order })? {
        Reply::Done(text) => {
            writeln!(out, "{text}")?;
            Ok(0)
        }
        Reply::Refused(why) | Reply::NotRecorded(why) => Err(Failure::new(1, why)),
        Reply::Snapshot(_) | Reply::Device(_) | Reply::Incident(_) => Err(client::unexpected()),
    }
}
