//! `hinomi status`.

use super::table::{self, Cell, Paint, cell, colour, csv, length, painted, plain, print, short, zone_line};
use super::{Daemon, Failure, client, json as public, standing, words};
use crate::core::snapshot::IncidentSummary;
use crate::core::{CircuitLine, Circuits, DeviceStatus, FindingStatus, MaintenanceStatus, RedundancyStatus, Snapshot};
use crate::model::{Level, Name, Wall};
use clap::Args;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Between two pictures of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// In which form it is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Form {
    /// Refresh every 2 s until Ctrl-C
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print devices and listed circuits as CSV (RFC 4180) with times in RFC 3339
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// All circuits that are silent or have a finding, not only the first 20
    #[arg(long)]
    all: bool,
}

/// Prints the picture, or one device of it, once, or again and again.
pub(super) fn status(daemon: &Daemon, device: Option<&str>, form: Form, out: &mut dyn Write) -> Result<u8, Failure> {
    let clear = form.watch && std::io::stdout().is_terminal();
    loop {
        let mut page = Vec::new();
        match device {
            Some(name) => one(daemon, &client::device(daemon, name)?, form, &mut page)?,
            None => all(&client::snapshot(daemon)?, form, &mut page)?,
        }
        if clear {
            write!(out, "\x1b[H\x1b[2J")?;
        }
        out.write_all(&page)?;
        if !form.watch {
            return Ok(0);
        }
        writeln!(out)?;
        out.flush()?;
        std::thread::sleep(WATCH);
    }
}

/// Anything with keys as indented JSON; see docs/json.md.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    public::object(value)
}

/// Columns of a device; `OWNER` only where the terminal has room.
const HEAD: [&str; 9] = [
    "DEVICE", "STATE", "RTT", "LOSS", "LEVEL", "SINCE", "NO", "FINDING", "OWNER",
];
/// More circuits than this do not help anybody on a terminal; `--all` shows more.
const SHOWN: usize = 20;

/// The open incident of each device, circuit or group; of several the worst, then the oldest.
struct Open<'s>(BTreeMap<&'s str, &'s IncidentSummary>);

impl<'s> Open<'s> {
    fn of(incidents: &'s [IncidentSummary]) -> Open<'s> {
        let mut open: Vec<&IncidentSummary> = incidents.iter().filter(|i| i.recovered.is_none()).collect();
        // The first that is put in stays.
        open.sort_by_key(|i| (Reverse(i.level), i.opened));
        let mut map = BTreeMap::new();
        for incident in open {
            let name = incident.root.device.as_deref().or_else(|| incident.root.group());
            if let Some(name) = name {
                map.entry(name).or_insert(incident);
            }
        }
        Open(map)
    }

    fn get(&self, name: &str) -> Option<&'s IncidentSummary> {
        self.0.get(name).copied()
    }

    /// `#7`, or nothing.
    fn number(&self, name: &str) -> String {
        self.get(name).map(|i| format!("#{}", i.id)).unwrap_or_default()
    }
}

fn one(daemon: &Daemon, d: &DeviceStatus, form: Form, out: &mut dyn Write) -> Result<(), Failure> {
    if form.json {
        writeln!(out, "{}", json(d)?)?;
        return Ok(());
    }
    let snapshot = client::snapshot(daemon)?;
    let open = Open::of(&snapshot.incidents);
    if form.csv {
        csv(out, &CSV_HEAD, &[csv_device(d, &open)])?;
        return Ok(());
    }
    writeln!(out, "{}", zone_line(snapshot.at))?;
    devices(&[d], &open, snapshot.at, out)?;
    Ok(())
}

fn all(s: &Snapshot, form: Form, out: &mut dyn Write) -> Result<(), Failure> {
    if form.json {
        writeln!(out, "{}", json(s)?)?;
        return Ok(());
    }
    if form.csv {
        let open = Open::of(&s.incidents);
        let devices = s.devices.iter().map(|d| csv_device(d, &open));
        let circuits = s.circuits.listed.iter().map(|c| csv_circuit(c, &open));
        let rows: Vec<Vec<String>> = devices.chain(circuits).collect();
        csv(out, &CSV_HEAD, &rows)?;
        return Ok(());
    }
    show(s, form, out)?;
    Ok(())
}

fn show(s: &Snapshot, form: Form, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = colour();
    let open = Open::of(&s.incidents);
    headline(s, out, colour)?;
    let mut sorted: Vec<&DeviceStatus> = s.devices.iter().collect();
    // What is wrong first, by level, then age; the rest as the configuration has it.
    sorted.sort_by_key(|d| match d.level {
        Level::Ok => (Reverse(Level::Ok), 0),
        level => (Reverse(level), d.since.0),
    });
    devices(&sorted, &open, s.at, out)?;
    not_whole(&s.devices, out)?;
    planned_work(&s.maintenance, out, colour)?;
    redundancy(&s.redundancy, &open, out, colour)?;
    let most = if form.all { usize::MAX } else { SHOWN };
    circuits(&s.circuits, (&open, s.at, most), out, colour)?;
    if !s.routes.is_empty() {
        writeln!(out)?;
        let rows: Vec<Vec<Cell>> = s.routes.iter().map(|r| route(r, s.at)).collect();
        print(out, &["ROUTE", "READY", "TESTED", "LAST FAILURE"], &rows, colour)?;
    }
    Ok(())
}

fn devices(all: &[&DeviceStatus], open: &Open<'_>, now: Wall, out: &mut dyn Write) -> std::io::Result<()> {
    let columns = table::columns(HEAD.len(), 1);
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|d| row(d, open, now).into_iter().take(columns).collect())
        .collect();
    print(out, &HEAD[..columns], &rows, colour())
}

fn headline(s: &Snapshot, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    let count = |level| s.incidents_open.get(&level).copied().unwrap_or(0);
    let waiting: u64 = s.outbox_pending.values().sum();
    writeln!(
        out,
        "{}\n{} devices, {} critical, {} warning, {waiting} mails waiting",
        zone_line(s.at),
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

fn redundancy(groups: &[RedundancyStatus], open: &Open<'_>, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut sorted: Vec<&RedundancyStatus> = groups.iter().collect();
    sorted.sort_by_key(|g| Reverse(g.level));
    let rows: Vec<Vec<Cell>> = sorted
        .into_iter()
        .map(|g| {
            let mut cells = words::group(g);
            let finding = cells.len().saturating_sub(1);
            cells.insert(finding, plain(open.number(&g.name)));
            cells
        })
        .collect();
    print(
        out,
        &["REDUNDANCY", "KIND", "READY", "ACTIVE", "LEVEL", "NO", "FINDING"],
        &rows,
        colour,
    )
}

/// What a list of circuits needs: the open incidents, now, and how many are shown.
type Shown<'s> = (&'s Open<'s>, Wall, usize);

fn circuits(c: &Circuits, shown: Shown<'_>, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    let total: u64 = c.states.values().sum();
    if total == 0 {
        return Ok(());
    }
    let states: Vec<String> = c
        .states
        .iter()
        .map(|(state, n)| format!("{n} {}", painted(&words::reach(*state), colour)))
        .collect();
    let s = if total == 1 { "" } else { "s" };
    writeln!(out, "\n{total} circuit{s}: {}", states.join(", "))?;
    list("silent or with a finding", (c.listed_count, &c.listed), shown, out)?;
    list(
        "still off 30 min after opening",
        (c.still_off_count, &c.still_off),
        shown,
        out,
    )
}

fn list(
    what: &str,
    (count, lines): (u64, &[CircuitLine]),
    (open, now, most): Shown<'_>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "\n{count} {what}")?;
    let mut sorted: Vec<&CircuitLine> = lines.iter().collect();
    sorted.sort_by_key(|c| (Reverse(c.level), c.since));
    let rows: Vec<Vec<Cell>> = sorted.into_iter().take(most).map(|c| circuit(c, open, now)).collect();
    let head = [
        "CIRCUIT",
        "STATE",
        "LEVEL",
        "SINCE",
        "NO",
        "FINDING",
        "INSTITUTION",
        "CARRIER",
    ];
    print(out, &head, &rows, colour())?;
    match count.saturating_sub(rows.len() as u64) {
        0 => Ok(()),
        more if rows.len() < lines.len() => {
            writeln!(out, "and {more} more (--all; one in full: hinomi explain CIRCUIT)")
        }
        more => writeln!(out, "and {more} more (one in full: hinomi explain CIRCUIT)"),
    }
}

fn circuit(c: &CircuitLine, open: &Open<'_>, now: Wall) -> Vec<Cell> {
    let findings: Vec<&str> = c.findings.iter().map(|f| f.key()).collect();
    let state = words::reach(c.reach);
    vec![
        state.with_text(&*c.circuit),
        state,
        words::level(c.level),
        since(c.since, now),
        plain(open.number(&c.circuit)),
        plain(findings.join(", ")),
        plain(format!("{} ({})", c.institution, c.institution_id)),
        plain(c.carrier.as_deref().unwrap_or("-")),
    ]
}

fn since(at: Wall, now: Wall) -> Cell {
    plain(if at.0 == 0 { "-".to_owned() } else { short(at, now) })
}

fn row(d: &DeviceStatus, open: &Open<'_>, now: Wall) -> Vec<Cell> {
    vec![
        plain(&*d.name),
        standing::reach(d.reach, d.recovering.as_ref(), d.behind.as_ref()),
        plain(d.rtt_seconds.map_or("-".to_owned(), |s| format!("{:.1} ms", s * 1e3))),
        plain(d.loss_percent.map_or("-".to_owned(), |p| format!("{p:.0} %"))),
        standing::level(d.level, d.maintenance.as_ref()),
        since(d.since, now),
        plain(open.number(&d.name)),
        finding(d, open.get(&d.name)),
        plain(d.owner.key()),
    ]
}

/// What is wrong, the worst first, and who works on it; what only waits for its delay stands dimmed.
fn finding(d: &DeviceStatus, incident: Option<&IncidentSummary>) -> Cell {
    let words = |f: &FindingStatus| match part(f) {
        Some(part) => format!("{} {part}", f.key.finding()),
        None => f.key.finding(),
    };
    let mut told: Vec<&FindingStatus> = d.findings.iter().filter(|f| f.level > Level::Ok).collect();
    told.sort_by_key(|f| (Reverse(f.level), f.since));
    if told.is_empty() {
        let waiting: Vec<String> = d.findings.iter().map(words).collect();
        let waiting = waiting.join(", ");
        let not_told = if waiting.is_empty() { "" } else { " (not told)" };
        return cell(waiting + not_told, Paint::Dim);
    }
    let all: Vec<String> = told.into_iter().map(words).collect();
    let mut text = all.join(", ");
    if let Some(by) = incident.and_then(|i| i.acknowledged_by.as_deref()) {
        text.push_str(&format!(" (acknowledged by {by})"));
    }
    plain(text)
}

/// The part of a device that a finding is about.
fn part(f: &FindingStatus) -> Option<String> {
    let target = f.key.target();
    let (_, part) = target.split_once(f.key.device.as_deref()?)?;
    part.strip_prefix('/').map(str::to_owned)
}

fn route(r: &crate::core::RouteStatus, now: Wall) -> Vec<Cell> {
    let ready = match (r.ready, r.crossed_out) {
        (None, _) => cell("not tested", Paint::Dim),
        (Some(true), false) => cell("yes", Paint::Good),
        (Some(true), true) => cell("yes, but crosses a fault: used last", Paint::Warn),
        (Some(false), _) => cell("NO", Paint::Bad),
    };
    vec![
        plain(&*r.name),
        ready,
        plain(r.tested.map_or("-".to_owned(), |at| short(at, now))),
        plain(r.error.clone().unwrap_or_default()),
    ]
}

const CSV_HEAD: [&str; 11] = [
    "kind",
    "name",
    "state",
    "since",
    "rtt_seconds",
    "loss_percent",
    "level",
    "incident",
    "findings",
    "owner",
    "institution",
];

fn csv_at(at: Wall) -> String {
    if at.0 == 0 { String::new() } else { public::moment(at) }
}

fn csv_device(d: &DeviceStatus, open: &Open<'_>) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let findings: Vec<String> = d
        .findings
        .iter()
        .filter(|f| f.level > Level::Ok)
        .map(|f| f.key.finding())
        .collect();
    let institution = d.circuit.as_ref().map(|c| Name::clone(&c.institution));
    vec![
        if institution.is_some() { "circuit" } else { "device" }.to_owned(),
        d.name.to_string(),
        words::reach_key(d.reach),
        csv_at(d.since),
        number(d.rtt_seconds),
        number(d.loss_percent),
        d.level.key().to_owned(),
        open.get(&d.name).map(|i| i.id.to_string()).unwrap_or_default(),
        findings.join(" "),
        d.owner.key().to_owned(),
        institution.as_deref().unwrap_or_default().to_owned(),
    ]
}

fn csv_circuit(c: &CircuitLine, open: &Open<'_>) -> Vec<String> {
    let findings: Vec<&str> = c.findings.iter().map(|f| f.key()).collect();
    vec![
        "circuit".to_owned(),
        c.circuit.to_string(),
        words::reach_key(c.reach),
        csv_at(c.since),
        String::new(),
        String::new(),
        c.level.key().to_owned(),
        open.get(&c.circuit).map(|i| i.id.to_string()).unwrap_or_default(),
        findings.join(" "),
        "institution".to_owned(),
        c.institution.to_string(),
    ]
}
