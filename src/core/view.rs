//! The snapshot: a copy of what those who only read may see, made when somebody asks.

use super::circuits;
use super::commits::Ordered;
use super::snapshot::{Covered, FindingStatus, IncidentSummary, TrapLine};
use super::standing;
use super::{
    Circuits, Core, Counts, DeviceStatus, InterfaceStatus, MaintenanceStatus, MetricStatus, RouteStatus, Snapshot,
};
use crate::incident::{Book, Incident};
use crate::model::maintenance::{By, When, WindowStage};
use crate::model::words::natural;
use crate::model::{
    Device, DeviceId, FindingKind, Level, Measure, Metric, Name, Now, Part, Role, Threshold, Wall, WatchKind,
};
use crate::notify::text;
use crate::poll::disbelief::Rejected;
use crate::poll::observation::Number;
use crate::poll::{Counter, InterfaceReading};
use crate::rules::number;
use crate::sample::{PartReading, Unknown};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// No more incidents are listed, of those that are open and of the others.
const INCIDENTS: usize = 500;
/// No more names are listed behind an incident.
const AFFECTED: usize = 200;
/// Recovered incidents stay in the list this long.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// What is said once.
pub(super) fn head(core: &Core, now: Now) -> Snapshot {
    let counters = core.feed.counters();
    let stats = core.notifier.stats(now);
    let own = |(kind, result): (&str, &str)| (kind.to_owned(), result.to_owned());
    Snapshot {
        at: now.wall,
        fingerprint: core.site.fingerprint.clone(),
        devices: Vec::new(),
        circuits: Circuits::default(),
        redundancy: super::groups::groups(core, now),
        incidents: Vec::new(),
        incidents_open: open(&core.book),
        maintenance: maintenance(core, now.wall),
        routes: stats.routes.into_iter().map(route).collect(),
        blind: core.rules.reach().blind(),
        outbox_pending: stats.pending,
        outbox_oldest_seconds: stats.oldest.as_secs_f64(),
        outbox_stuck: stats.stuck,
        polls: counters.rounds.iter().map(|(k, n)| (own(*k), *n)).collect(),
        dropped: counters.dropped,
        unknown: core
            .sampler
            .unknown()
            .iter()
            .map(|(reason, n)| (reason.key().to_owned(), *n))
            .collect(),
        notices: stats.notices,
        lateness: counters.lateness,
        lateness_sum: counters.lateness_sum,
        ledger_head: core.head.as_ref().map(|h| (h.seq, h.hash.clone())),
        ledger_error: core.ledger_error.clone(),
    }
}

/// Beside the name of whoever gave an order that the ledger does not hold yet.
const UNRECORDED: &str = " (not recorded yet)";

/// Incidents, with what the daemon alone knows: how the window stands that keeps one quiet, and a word where an acknowledgement is not in
/// the ledger (a crash would undo it).
pub(super) fn marked(core: &Core, mut incidents: Vec<IncidentSummary>) -> Vec<IncidentSummary> {
    for incident in &mut incidents {
        if let Some(muted) = &mut incident.muted {
            let known = core.notifier.maintenance_named(&muted.window);
            *muted = known.map_or_else(|| muted.clone(), Covered::from);
        }
        if let Some(by) = &mut incident.acknowledged_by
            && core.commits.is_unrecorded(&Ordered::Incident(incident.id))
        {
            by.push_str(UNRECORDED);
        }
    }
    incidents
}

fn maintenance(core: &Core, at: Wall) -> Vec<MaintenanceStatus> {
    let planned = core.site.maintenance.iter().map(|m| {
        let (once, weekly) = match &m.when {
            When::Once { start, end } => (Some((*start, *end)), None),
            // That work is done on holidays too is a matter of course, and nobody wrote it.
            When::Weekly(hours) => (None, Some(hours.without_holidays())),
        };
        let stage = core.notifier.stage(&m.when, at);
        (&m.name, &m.what, m.by, once, weekly, None, stage)
    });
    let set = core.book.state().windows.iter().map(|w| {
        let once = Some((w.start, w.end));
        let mut set_by = w.set_by.clone();
        if core.commits.is_unrecorded(&Ordered::Window(w.name.clone())) {
            set_by.push_str(UNRECORDED);
        }
        let stage = WindowStage::of_span(w.start, w.end, at);
        (&w.name, &w.what, w.by, once, None, Some(set_by), stage)
    });
    let status =
        |(name, what, by, once, weekly, set_by, stage): (&Name, &Vec<Name>, By, _, _, _, _)| MaintenanceStatus {
            stage,
            name: name.clone(),
            what: what.clone(),
            by: by.key().to_owned(),
            once,
            weekly,
            set_by,
            // Those of the configuration have comments there.
            note: (core.book.state().windows.iter().find(|w| w.name == *name)).and_then(|w| w.note.clone()),
        };
    planned.chain(set).map(status).collect()
}

fn open(book: &Book) -> BTreeMap<Level, u64> {
    let mut open = BTreeMap::new();
    for incident in book.open().filter(|i| i.recovered.is_none()) {
        *open.entry(incident.level).or_default() += 1;
    }
    open
}

/// Devices in full, circuits by number.
pub(super) fn slice(core: &Core, range: Range<usize>, snapshot: &mut Snapshot) {
    let local = core.rules.local(snapshot.at);
    for index in range.start..range.end.min(core.site.devices.len()) {
        let id = DeviceId(u32::try_from(index).unwrap_or(u32::MAX));
        let found = &core.site.devices[index];
        match found.role {
            Role::Managed => snapshot.devices.push(device(core, id, found, false)),
            Role::Circuit => circuits::count(core, id, found, local, &mut snapshot.circuits),
            Role::UplinkOnly => {}
        }
    }
    circuits::cut(&mut snapshot.circuits);
}

pub(super) fn counts(core: &Core, now: Now) -> Counts {
    Counts {
        blind: core.rules.reach().blind(),
        incidents_open: open(&core.book),
        mails_waiting: core.notifier.stats(now).pending.values().sum(),
        ..Counts::default()
    }
}

pub(super) fn count(core: &Core, range: Range<usize>, counts: &mut Counts) {
    for index in range.start..range.end.min(core.site.devices.len()) {
        let state = core
            .rules
            .reach()
            .node(DeviceId(u32::try_from(index).unwrap_or(u32::MAX)))
            .state;
        match core.site.devices[index].role {
            Role::Managed => *counts.devices.entry(state).or_default() += 1,
            Role::Circuit => *counts.circuits.entry(state).or_default() += 1,
            Role::UplinkOnly => {}
        }
    }
}

fn route(view: crate::notify::RouteView) -> RouteStatus {
    let crate::notify::RouteView {
        name,
        ready,
        tested,
        error,
        crossed_out,
    } = view;
    RouteStatus {
        name,
        ready,
        tested,
        error,
        crossed_out,
    }
}

/// A device; with the ports that are lines of circuits only if it is asked for by name: there can be a nation of them.
pub(super) fn device(core: &Core, id: DeviceId, device: &Device, lines: bool) -> DeviceStatus {
    let node = core.rules.reach().node(id);
    let findings = findings(core, &device.name);
    let reading = core.last[id.index()].reading.as_deref();
    DeviceStatus {
        name: device.name.clone(),
        address: device.host().to_string(),
        owner: device.owner,
        site: device.site.clone(),
        group: device.group.clone(),
        reach: node.state,
        recovering: standing::recovering(node, device),
        behind: standing::behind(core, id, device),
        maintenance: standing::maintenance(core, id),
        since: node.since,
        rtt_seconds: node.rtt_seconds,
        rtt_spread: core.sampler.round_trip(id),
        loss_percent: core.sampler.loss(id),
        level: findings.iter().map(|f| f.level).max().unwrap_or_default(),
        findings,
        isolation: None,
        metrics: metrics(core, id, device),
        interfaces: interfaces(core, id, device, lines),
        circuit: device.circuit.as_deref().map(|c| circuits::status(core, c)),
        profile: reading.and_then(|r| r.profile.as_ref().map(|p| p.name.to_string())),
        agent_error: core
            .rules
            .agent(&device.name)
            .and_then(|a| a.failure.as_ref())
            .map(failure),
        rejected: rejected(core, id),
        detection_seconds: device.poll.detection().as_secs_f64(),
        uptime_ticks: reading.and_then(|r| r.uptime),
        read: core.last[id.index()].read,
        interval_seconds: device.poll.interval.as_secs_f64(),
        traps: if lines { traps(core, &device.name) } else { Vec::new() },
        notes: super::notes::notes(core, id, device),
        parts: reading.filter(|_| lines).map(parts).unwrap_or_default(),
        readings: readings(core, id, device),
    }
}

/// Parts in the order that people count in.
fn parts(reading: &crate::poll::AgentReading) -> Vec<PartReading> {
    let mut parts = crate::sample::parts_of(reading);
    parts.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| natural(&a.label, &b.label)));
    parts
}

fn traps(core: &Core, device: &Name) -> Vec<TrapLine> {
    let line = |kept: &super::traps::Kept| TrapLine {
        seen: kept.seen,
        kind: kept.trap.kind,
        oid: kept.trap.oid.clone(),
        details: kept.trap.details.clone(),
    };
    core.traps.of(device).map(line).collect()
}

/// What an agent's failure means, for people at night.
pub(super) fn failure(failure: &crate::poll::AgentFailure) -> String {
    use crate::poll::AgentFailure as F;
    let words = match failure {
        F::Timeout => "no answer: the agent is stopped, the port is filtered, or the community is wrong",
        F::UnknownUser => "the agent does not know this SNMPv3 user (usmStatsUnknownUserNames)",
        F::WrongKey => "wrong authentication password or protocol (usmStatsWrongDigests)",
        F::WrongPrivacy => "wrong privacy password or protocol (usmStatsDecryptionErrors)",
        F::UnsupportedLevel => "the agent has this SNMPv3 user without the security level asked for",
        F::NotInTimeWindow => "the agent's SNMPv3 clock does not settle (usmStatsNotInTimeWindows)",
        F::Malformed => "the agent answers with something that is not a valid answer",
        F::ErrorStatus(n) => return format!("the agent answers with error-status {n}"),
        F::BrokenOff(_) | F::UnknownContext | F::BootsExhausted | F::NotBelieved(_) => {
            return text::agent_in_english(failure);
        }
    };
    words.to_owned()
}

/// Lines about answers that were not believed.
fn rejected(core: &Core, id: DeviceId) -> Vec<(Wall, String)> {
    let all = core.last[id.index()].rejected.iter().zip(["liveness", "SNMP"]);
    let line = |(rejected, of): (&Option<Box<(Wall, Rejected)>>, &str)| {
        let (at, rejected) = &**rejected.as_ref()?;
        let (why, from) = (
            text::disbelief_in_english(&rejected.why),
            rejected.from.ip().to_canonical(),
        );
        Some((*at, format!("{of}: {why} (from {from})")))
    };
    all.filter_map(line).collect()
}

pub(super) fn findings(core: &Core, device: &Name) -> Vec<FindingStatus> {
    let conditions = core.rules.conditions().of(device);
    let mut all: Vec<FindingStatus> = conditions.map(|(key, c)| standing::finding(core, key, c)).collect();
    let threshold = |i: &&crate::incident::Incident| i.root.kind == FindingKind::Threshold;
    for incident in core.book.open_about(device).filter(threshold) {
        if all.iter().all(|f| f.key != incident.root) {
            all.push(FindingStatus {
                key: incident.root.clone(),
                level: incident.level,
                since: incident.opened,
                cause: incident.cause().clone(),
                isolation: None,
                incident: Some(incident.id),
                told_from: None,
                part_of: None,
            });
        }
    }
    all
}

/// The name of a part that has a number of its own.
pub(super) fn part_name(part: &Part) -> Option<Name> {
    match part {
        Part::Interface(name) | Part::Watch(name) => Some(name.clone()),
        _ => None,
    }
}

fn metrics(core: &Core, id: DeviceId, device: &Device) -> Vec<MetricStatus> {
    let words = |r: &Result<f64, Unknown>| r.map_err(|u| u.key().to_owned());
    let mut all: Vec<MetricStatus> = core
        .rules
        .numbers()
        .of(id)
        .map(|(part, metric, number)| MetricStatus {
            metric,
            part: part_name(part),
            which: number.which.as_deref().cloned(),
            value: words(&number.last),
            level: known_level(number.state.level(), number.last.is_ok()),
            judged_by: number::threshold(device, part, metric)
                .map(|site| {
                    let own = number.limits.as_ref().and_then(|limits| limits.threshold(site));
                    let whose = if own.is_some() { "its own limits: " } else { "" };
                    let unit = number::unit(device, part, metric);
                    format!(
                        "{whose}{}",
                        judged_by(own.as_ref().unwrap_or(site), &unit, metric.sign())
                    )
                })
                .unwrap_or_default(),
        })
        .collect();
    all.extend(core.sampler.unjudged(id).map(|(metric, value)| MetricStatus {
        metric,
        part: None,
        which: None,
        level: known_level(Level::Ok, value.is_ok()),
        value: words(&value),
        judged_by: String::new(),
    }));
    all.extend(never(core, id, device, &all));
    for watch in device
        .watches
        .iter()
        .filter(|w| matches!(w.kind, WatchKind::Tcp { .. }))
    {
        let value = match core.last[id.index()].tcp.as_ref().and_then(|tcp| tcp.get(&watch.name)) {
            Some(Ok(time)) => Ok(time.as_secs_f64()),
            Some(Err(error)) => Err(error.clone()),
            None => continue,
        };
        let part = Some(watch.name.clone());
        let judged_by = "connects".to_owned();
        all.push(MetricStatus {
            metric: Metric::Watch,
            part,
            which: None,
            level: known_level(Level::Ok, value.is_ok()),
            value,
            judged_by,
        });
    }
    // The device's own first, then ports and watches as people count them.
    all.sort_by(|a, b| by_name(a.part.as_deref(), b.part.as_deref()));
    all
}

fn by_name(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => natural(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// No value is no level, unless one holds from before.
pub(super) fn known_level(level: Level, known: bool) -> Option<Level> {
    Some(level).filter(|level| known || *level > Level::Ok)
}

/// Thresholds for all that nothing on this device was ever held against.
fn never(core: &Core, id: DeviceId, device: &Device, all: &[MetricStatus]) -> Vec<MetricStatus> {
    if core.last[id.index()].reading.is_none() || device.circuit.is_some() {
        return Vec::new();
    }
    let judged = |metric: &&Metric| {
        let kind = metric.kind().is_some_and(|kind| device.thresholds.contains_key(&kind));
        kind && all.iter().all(|m| m.metric.kind() != metric.kind())
    };
    let status = |metric: &Metric| MetricStatus {
        metric: *metric,
        part: None,
        which: None,
        value: Err("the device gives none".to_owned()),
        level: None,
        judged_by: number::threshold(device, &Part::Device, *metric)
            .map(|t| judged_by(t, &number::unit(device, &Part::Device, *metric), metric.sign()))
            .unwrap_or_default(),
    };
    number::WHOLE.iter().filter(judged).map(status).collect()
}

/// A threshold in words: `warning 70 % (clear 65 %), critical 90 % (clear 85 %), for 3m`.
fn judged_by(threshold: &Threshold, unit: &str, sign: f64) -> String {
    let space = if unit.is_empty() { "" } else { " " };
    let level = |level, word: &str| {
        threshold.bound(level).map(|b| {
            let (raise, clear) = (b.raise() * sign, b.clear() * sign);
            format!("{word} {raise}{space}{unit} (clear {clear}{space}{unit})")
        })
    };
    let levels: Vec<String> = [level(Level::Warning, "warning"), level(Level::Critical, "critical")]
        .into_iter()
        .flatten()
        .collect();
    format!(
        "{}, for {}",
        levels.join(", "),
        humantime::format_duration(threshold.hold)
    )
}

fn interfaces(core: &Core, id: DeviceId, device: &Device, lines: bool) -> Vec<InterfaceStatus> {
    if let Some(Measure::Line(line)) = device.circuit.as_ref().map(|c| &c.measure) {
        let reading = core.last[line.device.index()].reading.as_deref();
        let mut ports = reading.into_iter().flat_map(|r| &r.interfaces);
        let port = ports.find(|i| i.name == line.port || i.found_by.as_ref() == Some(&line.port));
        return port.map(|i| interface(core, line.device, i)).into_iter().collect();
    }
    let shown = |i: &&InterfaceReading| lines || core.sampler.lines().circuit(&core.site, id, i).is_none();
    let reading = core.last[id.index()].reading.as_deref();
    let ports = reading.into_iter().flat_map(|r| &r.interfaces).filter(shown);
    let mut ports: Vec<InterfaceStatus> = ports.map(|i| interface(core, id, i)).collect();
    ports.sort_by(|a, b| natural(&a.name, &b.name));
    ports
}

/// A counter of any width.
pub(super) fn wide(counter: Counter) -> u64 {
    match counter {
        Counter::C64(v) => v,
        Counter::C32(v) => u64::from(v),
    }
}

fn interface(core: &Core, id: DeviceId, reading: &InterfaceReading) -> InterfaceStatus {
    let rates = core.sampler.rates(id, &reading.name);
    let words = |r: Option<Result<f64, Unknown>>| r.unwrap_or(Err(Unknown::WarmingUp)).map_err(|u| u.key().to_owned());
    InterfaceStatus {
        name: reading.name.clone(),
        alias: reading.alias.as_deref().map(str::to_owned),
        found_by: reading.found_by.clone(),
        index: reading.index,
        admin: reading.admin,
        oper: reading.oper,
        speed_bps: core.sampler.speed(id, &reading.name).or(reading.speed_bps),
        in_bps: words(rates.map(|r| r.in_bps)),
        out_bps: words(rates.map(|r| r.out_bps)),
        in_octets: reading.in_octets.map(wide),
        out_octets: reading.out_octets.map(wide),
    }
}

/// Objects as read, and what watched services answered last.
fn readings(core: &Core, id: DeviceId, device: &Device) -> Vec<(String, String)> {
    let last = &core.last[id.index()];
    let scalars = last.reading.as_deref().into_iter().flat_map(|r| &r.scalars).map(raw);
    let watched = |watch: &crate::model::Watch| {
        let (_, result) = last.services.as_ref()?.get(&watch.name)?;
        let text = crate::notify::text::answer_in_english(result);
        Some((watch.name.to_string(), text))
    };
    scalars.chain(device.watches.iter().filter_map(watched)).collect()
}

fn raw(reading: &crate::poll::ScalarReading) -> (String, String) {
    let dotted = |oid: &[u32]| oid.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    let value = match &reading.value {
        None => "no such object".to_owned(),
        Some(Number::Signed(v)) => v.to_string(),
        Some(Number::Unsigned(v)) => v.to_string(),
        Some(Number::Text(v)) => v.to_string(),
        Some(Number::Oid(oid)) => dotted(oid),
    };
    (dotted(&reading.oid), value)
}

/// The incidents of a book that are open or recovered within the last 24 h, newest first, at most `INCIDENTS` of each. Also for a
/// ledger that is read while no daemon runs.
pub fn incidents(book: &Book, now: Wall) -> Vec<IncidentSummary> {
    let (mut open, mut recovered) = (INCIDENTS, INCIDENTS);
    let room = |incident: &&Incident| {
        let room = if incident.is_open() { &mut open } else { &mut recovered };
        let left = room.checked_sub(1);
        *room = left.unwrap_or_default();
        left.is_some()
    };
    let mut all: Vec<IncidentSummary> = book.recent(now.before(RECENT)).filter(room).map(incident).collect();
    all.sort_by_key(|i| std::cmp::Reverse(i.id));
    all
}

/// One incident.
pub fn incident(incident: &Incident) -> IncidentSummary {
    let affected = incident.unreachable().take(incident.missing.min(AFFECTED));
    IncidentSummary {
        id: incident.id,
        root: incident.root.clone(),
        level: incident.level,
        opened: incident.opened,
        reopened: incident.reopened(),
        recovered: incident.recovered,
        acknowledged_by: incident.acknowledged.as_ref().map(|a| a.by.clone()),
        last_acknowledged_by: incident.last_acknowledged.as_ref().map(|a| a.by.clone()),
        last_acknowledged_at: incident.last_acknowledged.as_ref().map(|a| a.at),
        acknowledge_note: incident.last_acknowledged.as_ref().and_then(|a| a.note.clone()),
        muted: incident.muted.clone().map(Covered::by_name),
        isolation: incident.isolation().cloned(),
        affected: affected.cloned().collect(),
        affected_count: incident.missing,
        cause: incident.cause().clone(),
        timeline: crate::notify::text::timeline(incident),
    }
}
