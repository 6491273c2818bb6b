//! `hinomi status`.

use super::table::{Cell, Paint, cell, clock_time, colour, length, moment, painted, plain, print};
use super::{Daemon, Failure, client, standing, words};
use crate::core::{CircuitLine, Circuits, DeviceStatus, MaintenanceStatus, RedundancyStatus, Snapshot};
use crate::model::{Level, Wall};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Between two pictures of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// Prints the picture, or one device of it, once, or again and again.
pub(super) fn status(
    daemon: &Daemon,
    device: Option<&str>,
    (watch, json): (bool, bool),
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let clear = watch && std::io::stdout().is_terminal();
    loop {
        let mut page = Vec::new();
        match device {
            Some(name) => one(&client::device(daemon, name)?, json, &mut page)?,
            None => all(&client::snapshot(daemon)?, json, &mut page)?,
        }
        if clear {
            write!(out, "\x1b[H\x1b[2J")?;
        }
        out.write_all(&page)?;
        if !watch {
            return Ok(0);
        }
        writeln!(out)?;
        out.flush()?;
        std::thread::sleep(WATCH);
    }
}

/// Anything as indented JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|e| Failure::new(1, format!("cannot write JSON: {e}")))
}

/// Columns of a device.
const HEAD: [&str; 7] = ["DEVICE", "OWNER", "REACH", "RTT", "LOSS", "LEVEL", "SINCE"];
/// More circuits than this do not help anybody on a terminal; `--json` has more.
const SHOWN: usize = 20;

fn one(d: &DeviceStatus, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    match as_json {
        true => writeln!(out, "{}", json(d)?)?,
        false => print(out, &HEAD, &[row(d)], colour())?,
    }
    Ok(())
}

fn all(s: &Snapshot, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    match as_json {
        true => writeln!(out, "{}", json(s)?)?,
        false => show(s, out)?,
    }
    Ok(())
}

fn show(s: &Snapshot, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = colour();
    headline(s, out, colour)?;
    let rows: Vec<Vec<Cell>> = s.devices.iter().map(row).collect();
    print(out, &HEAD, &rows, colour)?;
    not_whole(&s.devices, out)?;
    planned_work(&s.maintenance, out, colour)?;
    redundancy(&s.redundancy, out, colour)?;
    circuits(&s.circuits, out, colour)?;
    if !s.routes.is_empty() {
        writeln!(out)?;
        let rows: Vec<Vec<Cell>> = s.routes.iter().map(route).collect();
        print(out, &["ROUTE", "READY", "TESTED", "LAST FAILURE"], &rows, colour)?;
    }
    Ok(())
}

fn headline(s: &Snapshot, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    let count = |level| s.incidents_open.get(&level).copied().unwrap_or(0);
    let waiting: u64 = s.outbox_pending.values().sum();
    writeln!(
        out,
        "{}  {} devices, {} critical, {} warning, {waiting} mails waiting",
        moment(s.at),
        s.devices.len(),
        count(Level::Critical),
        count(Level::Warning),
    )?;
    let mut alarm = |text: String| writeln!(out, "{}", painted(&cell(text, Paint::Bad), colour));
    if s.blind {
        alarm("BLIND: this host is cut off; nobody is accused".to_owned())?;
    }
    if let Some(error) = &s.ledger_error {
        alarm(format!("LEDGER: events are not recorded: {error}"))?;
    }
    if s.outbox_stuck > 0 {
        let oldest = length(s.outbox_oldest_seconds);
        alarm(format!(
            "STUCK: {} mails not accepted for more than an hour, the oldest for {oldest}",
            s.outbox_stuck
        ))?;
    }
    writeln!(out)
}

/// Devices of which something was not read.
fn not_whole(devices: &[DeviceStatus], out: &mut dyn Write) -> std::io::Result<()> {
    let noted: Vec<&DeviceStatus> = devices.iter().filter(|d| !d.notes.is_empty()).collect();
    if noted.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nNot read whole (hinomi explain DEVICE)")?;
    for d in noted.iter().take(SHOWN) {
        let more = match d.notes.len() {
            0 | 1 => String::new(),
            n => format!("; {} more", n - 1),
        };
        let first = d.notes.first().map_or("", String::as_str);
        writeln!(
            out,
            "  {}",
            painted(&plain(format!("{}: {first}{more}", d.name)), false)
        )?;
    }
    match noted.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more devices"),
    }
}

/// Windows that keep something quiet now.
fn planned_work(windows: &[MaintenanceStatus], out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    let active = windows.iter().filter(|w| w.stage.is_active());
    let row = |w: &MaintenanceStatus| {
        let what: Vec<&str> = w.what.iter().map(|w| &**w).collect();
        vec![
            plain(&*w.name),
            standing::window(w),
            plain(w.by.clone()),
            plain(what.join(", ")),
        ]
    };
    let rows: Vec<Vec<Cell>> = active.map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    print(out, &["MAINTENANCE", "NOW", "BY", "WHAT"], &rows, colour)
}

fn redundancy(groups: &[RedundancyStatus], out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows: Vec<Vec<Cell>> = groups.iter().map(words::group).collect();
    print(
        out,
        &["REDUNDANCY", "KIND", "READY", "ACTIVE", "LEVEL", "FINDING"],
        &rows,
        colour,
    )
}

fn circuits(c: &Circuits, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    let total: u64 = c.states.values().sum();
    if total == 0 {
        return Ok(());
    }
    let states: Vec<String> = c
        .states
        .iter()
        .map(|(state, n)| format!("{n} {}", painted(&words::reach(*state), colour)))
        .collect();
    writeln!(out, "\n{total} circuits: {}", states.join(", "))?;
    list("silent or with a finding", c.listed_count, &c.listed, out, colour)?;
    list(
        "still off 30 min after opening",
        c.still_off_count,
        &c.still_off,
        out,
        colour,
    )
}

fn list(what: &str, count: u64, lines: &[CircuitLine], out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "\n{count} {what}")?;
    let rows: Vec<Vec<Cell>> = lines.iter().take(SHOWN).map(circuit).collect();
    let head = [
        "CIRCUIT",
        "INSTITUTION",
        "CARRIER",
        "REACH",
        "LEVEL",
        "SINCE",
        "FINDING",
    ];
    print(out, &head, &rows, colour)?;
    match count.saturating_sub(SHOWN as u64) {
        0 => Ok(()),
        more => writeln!(
            out,
            "and {more} more ({} in all with --json; one in full: hinomi explain CIRCUIT)",
            lines.len()
        ),
    }
}

fn circuit(c: &CircuitLine) -> Vec<Cell> {
    let findings: Vec<&str> = c.findings.iter().map(|f| f.key()).collect();
    vec![
        plain(&*c.circuit),
        plain(format!("{} ({})", c.institution, c.institution_id)),
        plain(c.carrier.as_deref().unwrap_or("-")),
        standing::reach(c.reach, c.recovering.as_ref(), c.behind.as_ref()),
        standing::level(c.level, c.maintenance.as_ref()),
        since(c.since),
        plain(findings.join(", ")),
    ]
}

fn since(at: Wall) -> Cell {
    plain(if at.0 == 0 { "-".to_owned() } else { clock_time(at) })
}

fn row(d: &DeviceStatus) -> Vec<Cell> {
    vec![
        plain(&*d.name),
        plain(d.owner.key()),
        standing::reach(d.reach, d.recovering.as_ref(), d.behind.as_ref()),
        plain(d.rtt_seconds.map_or("-".to_owned(), |s| format!("{:.1} ms", s * 1e3))),
        plain(d.loss_percent.map_or("-".to_owned(), |p| format!("{p:.0} %"))),
        standing::level(d.level, d.maintenance.as_ref()),
        since(d.since),
    ]
}

fn route(r: &crate::core::RouteStatus) -> Vec<Cell> {
    let ready = match (r.ready, r.crossed_out) {
        (None, _) => cell("not tested", Paint::Dim),
        (Some(true), false) => cell("yes", Paint::Good),
        (Some(true), true) => cell("yes, but crosses a fault: used last", Paint::Warn),
        (Some(false), _) => cell("NO", Paint::Bad),
    };
    vec![
        plain(&*r.name),
        ready,
        plain(r.tested.map_or("-".to_owned(), clock_time)),
        plain(r.error.clone().unwrap_or_default()),
    ]
}
