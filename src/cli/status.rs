//! `hinomi status`.

use super::table::{Cell, Paint, cell, colour, length, moment, painted, plain, print};
use super::{Daemon, Failure, client, words};
use crate::core::{DeviceStatus, Snapshot};
use crate::model::Level;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Between two pictures of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// Prints the picture once, or again and again.
pub(super) fn status(daemon: &Daemon, watch: bool, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    loop {
        let snapshot = client::snapshot(daemon)?;
        if json {
            writeln!(out, "{}", super::status::json(&snapshot)?)?;
            return Ok(0);
        }
        if watch && std::io::stdout().is_terminal() {
            write!(out, "\x1b[H\x1b[2J")?;
        }
        show(&snapshot, out)?;
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

fn show(s: &Snapshot, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = colour();
    headline(s, out, colour)?;
    let head = ["DEVICE", "OWNER", "REACH", "RTT", "LOSS", "LEVEL", "SINCE"];
    let rows: Vec<Vec<Cell>> = s.devices.iter().map(row).collect();
    print(out, &head, &rows, colour)?;
    if !s.routes.is_empty() {
        writeln!(out)?;
        let rows: Vec<Vec<Cell>> = s.routes.iter().map(route).collect();
        print(out, &["ROUTE", "READY", "TESTED", "LAST FAILURE"], &rows, colour)?;
    }
    Ok(())
}

fn headline(s: &Snapshot, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    let open: Vec<_> = s.incidents.iter().filter(|i| i.recovered.is_none()).collect();
    let count = |level| open.iter().filter(|i| i.level == level).count();
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

fn row(d: &DeviceStatus) -> Vec<Cell> {
    vec![
        plain(&*d.name),
        plain(d.owner.key()),
        words::reach(d.reach),
        plain(d.rtt_seconds.map_or("-".to_owned(), |s| format!("{:.1} ms", s * 1e3))),
        plain(d.loss_percent.map_or("-".to_owned(), |p| format!("{p:.0} %"))),
        words::level(d.level),
        plain(if d.since.0 == 0 {
            "-".to_owned()
        } else {
            moment(d.since)
        }),
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
        plain(r.tested.map_or("-".to_owned(), moment)),
        plain(r.error.clone().unwrap_or_default()),
    ]
}
