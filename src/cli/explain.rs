//! `hinomi explain`: why a device or a redundancy group is shown as it is. `hinomi probe` prints with the same hand.

use super::status::json as to_json;
use super::table::{Cell, Paint, cell, clock_time, colour, length, painted, plain, print, zone_line};
use super::{Daemon, Failure, client, incidents, standing, words};
use crate::core::{CircuitStatus, DeviceStatus, FindingStatus, InterfaceStatus, RedundancyStatus};
use crate::daemon::clock;
use crate::model::CircuitRole;
use crate::model::profile::Health;
use crate::model::redundancy::Role;
use crate::notify::text::cause_in_english;
use crate::sample::{PartReading, PartValue};
use std::io::Write;

/// Explains a device of the running daemon.
pub(super) fn explain(daemon: &Daemon, name: &str, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(number) = name.strip_prefix('#').and_then(|n| n.parse().ok()) {
        return incident(daemon, number, json, out);
    }
    let device = match client::device(daemon, name) {
        Ok(device) => device,
        Err(unknown) => {
            let groups = client::snapshot(daemon)?.redundancy;
            let Some(group) = groups.iter().find(|g| &*g.name == name) else {
                // A bare number is an incident's, unless something is called so.
                return match name.parse() {
                    Ok(number) => incident(daemon, number, json, out),
                    Err(_) => Err(unknown),
                };
            };
            match json {
                true => writeln!(out, "{}", to_json(group)?)?,
                false => print_group(group, out)?,
            }
            return Ok(0);
        }
    };
    if json {
        writeln!(out, "{}", to_json(&device)?)?;
    } else {
        print_device(&device, out)?;
    }
    Ok(0)
}

/// What led to an incident: what was read and the decisions on it, with their numbers and evidence, and how the device stands now.
fn incident(daemon: &Daemon, number: u64, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let code = incidents::show(daemon, number, json, out)?;
    if json {
        return Ok(code);
    }
    let root = incidents::root(daemon, number);
    if let Some(device) = root.and_then(|name| client::device(daemon, &name).ok()) {
        writeln!(out)?;
        print_device(&device, out)?;
    }
    writeln!(
        out,
        "\nShown is what a finding rested on. Every single input, where a record was running (hinomi run --record, hinomi record): hinomi replay FILE --incident {number}"
    )?;
    Ok(code)
}

/// No device has this name; names those that look alike.
pub(super) fn unknown<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Failure {
    let low = name.to_lowercase();
    let alike: Vec<&str> = all
        .filter(|n| {
            let n = n.to_lowercase();
            n.contains(&low) || low.contains(&n)
        })
        .take(5)
        .collect();
    let hint = match alike.is_empty() {
        true => String::new(),
        false => format!(" Did you mean: {}?", alike.join(", ")),
    };
    Failure::new(
        1,
        format!("the configuration has no device and no circuit \"{name}\".{hint}"),
    )
}

/// Everything about one redundancy group.
fn print_group(g: &RedundancyStatus, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = colour();
    writeln!(out, "{}, redundancy group of kind {}", g.name, g.kind.key())?;
    let ready = g.ready.map_or("not known".to_owned(), |n| n.to_string());
    let need = g.need.map(|n| format!(", {n} needed")).unwrap_or_default();
    for (key, text) in [
        (
            "ready",
            format!("{ready} of {} in the worst instance{need}", g.configured),
        ),
        ("moved", format!("{} times since hinomi started", g.switchovers)),
        ("level", painted(&words::level(g.level), colour)),
    ] {
        writeln!(out, "  {key:<10} {text}")?;
    }
    list_findings(&g.findings, out, colour)?;
    writeln!(out, "\nMembers")?;
    let rows: Vec<Vec<Cell>> = g
        .instances
        .iter()
        .flat_map(|i| i.members.iter().map(move |m| (i, m)))
        .map(|(i, m)| {
            let preferred = if i.preferred.as_ref() == Some(&m.member) {
                "yes"
            } else {
                "-"
            };
            vec![
                plain(if i.instance.is_empty() { "-" } else { &i.instance }),
                plain(&*m.member),
                plain(m.role.map_or("not known", Role::key)),
                plain(preferred),
                plain(m.why.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    print(out, &["INSTANCE", "MEMBER", "ROLE", "PREFERRED", ""], &rows, colour)
}

/// Everything about one device.
pub(super) fn print_device(d: &DeviceStatus, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = colour();
    writeln!(
        out,
        "{} ({}), {}{}   {}",
        d.name,
        d.address,
        d.owner.key(),
        d.site.as_ref().map(|s| format!(", {s}")).unwrap_or_default(),
        zone_line(clock::now().wall),
    )?;
    if let Some(circuit) = &d.circuit {
        print_circuit(circuit, out)?;
    }
    let mut line = |key: &str, text: String| writeln!(out, "  {key:<10} {text}");
    let since = if d.since.0 == 0 {
        String::new()
    } else {
        format!(" since {}", clock_time(d.since))
    };
    let reach = standing::reach(d.reach, d.recovering.as_ref(), d.behind.as_ref());
    // While it is confirmed that it answers again, what the silence began with is still said.
    let silent = d.recovering.as_ref().map_or("", |_| ", silent");
    line("reach", format!("{}{silent}{since}", painted(&reach, colour)))?;
    if let Some(r) = &d.recovering {
        line("", format!("answers again since {}", clock_time(r.first_answer)))?;
    }
    if let Some(covered) = &d.maintenance {
        line("planned", painted(&plain(standing::maintenance(covered)), false))?;
    }
    if let Some(rtt) = d.rtt_seconds {
        line("rtt", format!("{:.2} ms (mean of the last round)", rtt * 1e3))?;
    }
    if let Some(all) = &d.rtt_spread {
        let [least, most, spread] = [all.min_seconds, all.max_seconds, all.deviation_seconds].map(|s| s * 1e3);
        let text = format!("{least:.2} to {most:.2} ms, standard deviation {spread:.2} ms (last 5 to 10 min)");
        line("", text)?;
    }
    if let Some(loss) = d.loss_percent {
        line("loss", format!("{loss:.1} % of the last 5 min"))?;
    }
    let detection = (d.detection_seconds * 10.0).round() / 10.0;
    line(
        "detection",
        format!("a fault is called down after at most {detection} s"),
    )?;
    line("level", painted(&words::level(d.level), colour))?;
    if let Some(error) = &d.agent_error {
        line("agent", painted(&plain(error.clone()), false))?;
    }
    if let Some(profile) = &d.profile {
        line("profile", painted(&plain(profile.clone()), false))?;
    }
    if let Some(ticks) = d.uptime_ticks {
        line("uptime", length(f64::from(ticks) / 100.0))?;
    }
    list_findings(&d.findings, out, colour)?;
    notes(d, out)?;
    metrics(d, out, colour)?;
    parts(d, out, colour)?;
    interfaces(d, out, colour)?;
    traps(d, out, colour)?;
    readings(d, out, colour)
}

/// Prints the notes about the device and the last rejected answers.
fn notes(d: &DeviceStatus, out: &mut dyn Write) -> std::io::Result<()> {
    if !d.notes.is_empty() {
        writeln!(out, "\nNoted")?;
        for note in &d.notes {
            writeln!(out, "  {}", painted(&plain(note), false))?;
        }
    }
    if !d.rejected.is_empty() {
        writeln!(out, "\nNot believed, each time the last")?;
        for (at, why) in &d.rejected {
            writeln!(out, "  {}  {}", clock_time(*at), painted(&plain(why), false))?;
        }
    }
    Ok(())
}

/// Whose circuit it is, and where it is measured.
fn print_circuit(c: &CircuitStatus, out: &mut dyn Write) -> std::io::Result<()> {
    let role = match c.role {
        CircuitRole::Main => "main",
        CircuitRole::Backup => "backup",
        CircuitRole::Shared => "shared",
    };
    let carrier = c.carrier.as_ref().map(|c| format!(", {c}")).unwrap_or_default();
    let rate = |bps: Option<u64>| bps.map_or("the port's speed".to_owned(), |v| words::bps(v as f64));
    let measured = match (&c.line_device, &c.port) {
        (Some(device), Some(port)) => format!("on {device}, port {port}"),
        (None, Some(port)) => format!("at the institution's router, port {port}"),
        _ => "not measured, liveness only".to_owned(),
    };
    let hours = match &c.hours {
        Some(hours) => format!("may be off outside of {hours}"),
        None => "always on: silence is a fault".to_owned(),
    };
    for (key, text) in [
        ("for", format!("{} ({})", c.institution, c.institution_id)),
        ("circuit", format!("{role}{carrier}")),
        (
            "measured",
            format!("{measured}; of {} down, {} up", rate(c.down_bps), rate(c.up_bps)),
        ),
        ("power", hours),
    ] {
        writeln!(out, "  {key:<10} {}", painted(&plain(text), false))?;
    }
    Ok(())
}

/// Which incident tells of a finding, or when one will.
fn told(f: &FindingStatus) -> String {
    match (f.incident, f.told_from, &f.part_of) {
        (Some(number), ..) => format!(", incident #{number}"),
        (None, _, Some(root)) => format!(", a part of {root}"),
        (None, Some(at), None) => format!(", told from {}", clock_time(at)),
        (None, None, None) => String::new(),
    }
}

fn list_findings(all: &[FindingStatus], out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nFindings")?;
    for f in all {
        let what = f.key.to_string();
        writeln!(
            out,
            "  {}  {what}, since {}{}",
            painted(&words::finding(f.level), colour),
            clock_time(f.since),
            told(f)
        )?;
        writeln!(
            out,
            "    because  {}",
            painted(&plain(cause_in_english(&f.key, f.level, &f.cause)), false)
        )?;
        if let Some(isolation) = &f.isolation {
            writeln!(
                out,
                "    verdict  {}",
                painted(&plain(words::isolation(isolation)), false)
            )?;
        }
    }
    Ok(())
}

/// How old what was read is, where that is older than two rounds that were missed.
fn stale(d: &DeviceStatus) -> Option<String> {
    let age = clock::now().wall.since(d.read?).as_secs_f64();
    (age > 3.0 * d.interval_seconds.max(1.0)).then(|| length(age))
}

/// The head of a list of what was read, with its age where that matters.
fn head_of(what: &str, d: &DeviceStatus, out: &mut dyn Write, colour: bool) -> std::io::Result<Paint> {
    match stale(d) {
        None => writeln!(out, "\n{what}").map(|()| Paint::Plain),
        Some(age) => {
            let old = cell(format!("read {age} ago, not known since"), Paint::Warn);
            writeln!(out, "\n{what}: {}", painted(&old, colour)).map(|()| Paint::Dim)
        }
    }
}

fn metrics(d: &DeviceStatus, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if d.metrics.is_empty() {
        return Ok(());
    }
    let paint = head_of("Numbers", d, out, colour)?;
    let rows: Vec<Vec<Cell>> = d
        .metrics
        .iter()
        .map(|m| {
            let value = match &m.value {
                Ok(v) => words::value(m.metric, *v),
                Err(why) => format!("unknown: {why}"),
            };
            let judged = if m.judged_by.is_empty() {
                "no threshold"
            } else {
                &m.judged_by
            };
            vec![
                plain(crate::metrics::text::key(&m.metric)),
                plain(m.part.as_deref().or(m.which.as_deref()).unwrap_or("-")),
                cell(value, paint),
                if paint == Paint::Dim {
                    words::known(m.level).with_paint(paint)
                } else {
                    words::known(m.level)
                },
                plain(judged),
            ]
        })
        .collect();
    print(out, &["NUMBER", "PART", "VALUE", "LEVEL", "JUDGED BY"], &rows, colour)
}

/// Fans, power supplies, sensors and processors, the healthy ones too: whoever looks wants to see that they are watched.
fn parts(d: &DeviceStatus, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if d.parts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nParts")?;
    let rows: Vec<Vec<Cell>> = d.parts.iter().map(part).collect();
    print(out, &["KIND", "PART", "SAYS", "WHICH IS"], &rows, colour)
}

fn part(part: &PartReading) -> Vec<Cell> {
    let (says, means) = match &part.value {
        PartValue::State { code, word, health } => {
            let word = word.as_deref().map_or_else(|| format!("state {code}"), str::to_owned);
            let means = match health {
                Some(Health::Healthy) => "healthy",
                Some(Health::Warning) => "not as it should be",
                Some(Health::Failed) => "failed",
                None => "not known to the profile",
            };
            (word, means.to_owned())
        }
        PartValue::Number { metric, value, limits } => {
            let limit = |word: &str, limit: Option<f64>| limit.map(|l| format!("{word} {}", words::value(*metric, l)));
            let own = limits.map(|l| [limit("warning", l.warning), limit("critical", l.critical)]);
            let own: Vec<String> = own.into_iter().flatten().flatten().collect();
            let means = match own.is_empty() {
                true => String::new(),
                false => format!("its own limits: {}", own.join(", ")),
            };
            (words::value(*metric, *value), means)
        }
    };
    vec![plain(&*part.kind), plain(&*part.label), plain(says), plain(means)]
}

fn interfaces(d: &DeviceStatus, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if d.interfaces.is_empty() {
        return Ok(());
    }
    let paint = head_of("Interfaces", d, out, colour)?;
    let rows = d.interfaces.iter().map(interface);
    // What is old is not shown as if it were so now.
    let dimmed = |row: Vec<Cell>| row.into_iter().map(|c| c.with_paint(paint)).collect();
    let rows: Vec<Vec<Cell>> = rows.map(dimmed).collect();
    print(
        out,
        &["INTERFACE", "INDEX", "ADMIN", "OPER", "SPEED", "IN", "OUT", "ALIAS"],
        &rows,
        colour,
    )
}

fn interface(i: &InterfaceStatus) -> Vec<Cell> {
    let state = |s: Option<u8>| s.map_or("-", words::oper_word);
    let rate = |r: &Result<f64, String>| match r {
        Ok(v) => words::bps(*v),
        Err(why) => format!("unknown: {why}"),
    };
    vec![
        plain(&*i.name),
        plain(i.index.to_string()),
        plain(state(i.admin)),
        plain(state(i.oper)),
        plain(i.speed_bps.map_or("-".to_owned(), |s| words::bps(s as f64))),
        plain(rate(&i.in_bps)),
        plain(rate(&i.out_bps)),
        plain(i.alias.as_deref().unwrap_or_default()),
    ]
}

fn readings(d: &DeviceStatus, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if d.readings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nRead")?;
    let rows: Vec<Vec<Cell>> = d
        .readings
        .iter()
        .map(|(oid, value)| vec![plain(oid), plain(value)])
        .collect();
    print(out, &["OID OR WATCH", "VALUE"], &rows, colour)
}

/// What the device said by itself; hints, so nothing is called good or bad for them.
fn traps(d: &DeviceStatus, out: &mut dyn Write, colour: bool) -> std::io::Result<()> {
    if d.traps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nTraps")?;
    let rows: Vec<Vec<Cell>> = d
        .traps
        .iter()
        .map(|t| {
            vec![
                plain(clock_time(t.seen)),
                plain(t.kind.key()),
                plain(&t.oid),
                plain(&t.details),
            ]
        })
        .collect();
    print(out, &["SEEN", "KIND", "OID", "SAYS"], &rows, colour)
}
