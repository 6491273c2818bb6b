//! `hinomi isolate`: where is the fault? Asks the target and everything on its way now, with a core of its own, for the help desk that has an
//! institution on the phone. Whose fault a silence is the running daemon says, which has read for longer; without one the same rules
//! judge by what was heard now.

mod known;

use super::status::json as to_json;
use super::table::{Paint, cell, colour, moment, painted, plain, print};
use super::{Daemon, Failure, explain, standing, words};
use crate::core::snapshot::IncidentSummary;
use crate::core::{Core, Covered, DeviceStatus, ReachState};
use crate::daemon::trace::Hop;
use crate::daemon::{self, clock, once, trace};
use crate::model::{
    Confirm, DeviceId, FindingKind, FindingRule, InterfaceWanted, Liveness, Measure, Name, Owner, Power, Role, Site,
    Status, Verdict,
};
use crate::notify::text::next_step_in_english;
use crate::poll::fits_alias;
use known::{Known, Told};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Others with something in common that are asked too, of each kind.
const OTHERS: usize = 8;
/// Fewer silent others than this say nothing about what they have in common.
const COMMON: usize = 3;
/// No longer than this, whatever is silent.
const PATIENCE: Duration = Duration::from_secs(12);

/// What was found out.
#[derive(Debug, Serialize)]
struct Report {
    target: Name,
    address: String,
    institution: Option<Name>,
    reach: ReachState,
    verdict: Option<Verdict>,
    because: Vec<String>,
    next_step: Option<String>,
    /// Planned work that explains the silence: then nobody is accused.
    planned: Option<Covered>,
    path: Vec<Step>,
    access: Option<Access>,
    others: Vec<Others>,
    platform: Vec<Step>,
    trace: Result<Vec<Hop>, String>,
    /// What the running daemon has open about it; `None`: no daemon answers.
    incidents: Option<Vec<Known>>,
}

#[derive(Debug, Serialize)]
struct Step {
    device: Name,
    address: String,
    reach: ReachState,
    rtt_seconds: Option<f64>,
    agent_error: Option<String>,
    /// Planned work that covers it.
    planned: Option<Covered>,
}

#[derive(Debug, Serialize)]
struct Access {
    device: Name,
    port: Name,
    /// RFC 2863 numbers; `None`: not told.
    admin: Option<u8>,
    oper: Option<u8>,
    missing: bool,
    /// The agent of the device was read.
    answered: bool,
}

#[derive(Debug, Serialize)]
struct Others {
    common: String,
    asked: usize,
    answer: usize,
}

/// Isolates. Exit code 0: the target answers; 1: it does not.
pub(super) fn isolate(name: &str, daemon: &Daemon, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let site = daemon::load(&daemon.config).map_err(|e| Failure::new(2, e))?;
    let Some(id) = site.find(name) else {
        return Err(explain::unknown(name, site.devices.iter().map(|d| &*d.name)));
    };
    let target = site.device(id);
    let address = target.address;
    // A line without an address has no way of its own to be traced.
    let traced = (target.liveness != Liveness::Line).then(|| std::thread::spawn(move || trace::trace(address)));
    let near = Near::of(&site, id);
    let core = once::watch(&near.site, PATIENCE, |core, _, _| near.is_settled(core, name))
        .map_err(|e| Failure::new(1, e.to_string()))?;
    let trace = match traced.map(std::thread::JoinHandle::join) {
        Some(Ok(result)) => result.map_err(|e| e.to_string()),
        Some(Err(_)) => Err("the trace ended by itself: a mistake in hinomi, please report it".to_owned()),
        None => Err("the circuit is known by its line only: it has no address to trace".to_owned()),
    };
    let told = Told::ask(daemon, name);
    let report = near.report(&site, id, &core, trace, told.as_ref());
    match json {
        true => writeln!(out, "{}", to_json(&report)?)?,
        false => tell(&report, out)?,
    }
    Ok(u8::from(!matches!(report.reach, ReachState::Up | ReachState::Lossy)))
}

/// The target, all that lies on its way, the platform, and some that share its way: a site of its own.
struct Near {
    site: Arc<Site>,
    path: Vec<Name>,
    platform: Vec<Name>,
    others: BTreeMap<String, Vec<Name>>,
}

impl Near {
    fn of(site: &Site, target: DeviceId) -> Near {
        let mut path = BTreeSet::from([target]);
        let mut above = vec![target];
        while let Some(id) = above.pop() {
            above.extend(site.device(id).parents.iter().filter(|p| path.insert(**p)));
        }
        let platform: Vec<DeviceId> = site
            .iter()
            .filter(|(id, d)| d.owner == Owner::Platform && d.status == Status::Active && *id != target)
            .map(|(id, _)| id)
            .take(OTHERS)
            .collect();
        let others = others(site, target);
        let all: BTreeSet<DeviceId> = path
            .iter()
            .chain(&platform)
            .chain(others.values().flatten())
            .chain(&site.uplinks)
            .copied()
            .collect();
        // Parents of what was added: an edge of the platform's other router, for example.
        let all = with_parents(site, all);
        let name = |id: &DeviceId| site.device(*id).name.clone();
        path.remove(&target);
        Near {
            site: Arc::new(small(site, &all, target)),
            path: path.iter().map(name).collect(),
            platform: platform.iter().map(name).collect(),
            others: others
                .iter()
                .map(|(common, ids)| (common.clone(), ids.iter().map(name).collect()))
                .collect(),
        }
    }

    /// The target is judged, and everybody on the way has said something.
    fn is_settled(&self, core: &Core, target: &str) -> bool {
        let decided = |s: ReachState| !matches!(s, ReachState::Unknown | ReachState::Suspect);
        let settled = |name: &Name| {
            let device = core.device(name);
            device.is_none_or(|d| {
                let asks = self.site.devices.iter().any(|x| x.name == *name && x.snmp.is_some());
                let agent = !asks || d.uptime_ticks.is_some() || d.agent_error.is_some() || d.reach == ReachState::Down;
                decided(d.reach) && agent
            })
        };
        let named = |names: &[Name]| names.iter().all(&settled);
        core.device(target).is_none_or(|d| decided(d.reach))
            && named(&self.path)
            && named(&self.platform)
            && self.others.values().all(|names| named(names))
    }

    fn report(
        &self,
        site: &Site,
        id: DeviceId,
        core: &Core,
        trace: Result<Vec<Hop>, String>,
        told: Option<&Told>,
    ) -> Report {
        let target = site.device(id);
        let reach = core.device(&target.name).map_or(ReachState::Unknown, |d| d.reach);
        let others = self.others(core);
        let silent = !matches!(reach, ReachState::Up | ReachState::Lossy | ReachState::NotWatched);
        let by_daemon = told.filter(|_| silent).and_then(Told::isolation);
        let asked = by_daemon.is_none();
        let (mut verdict, mut because) = match by_daemon {
            Some((isolation, because)) => (Some(isolation.verdict), because),
            None => self.judged(core, &target.name, reach),
        };
        because.extend(told.filter(|_| !silent).and_then(Told::still_open));
        let access = access(site, id, core);
        because.extend(access.as_ref().and_then(Access::question));
        for o in others.iter().filter(|o| silent && o.asked >= COMMON && o.answer == 0) {
            // One of many: the fault lies in what they share, and the line of one of them says nothing about it.
            because.push(format!(
                "all {} others on the same {} that were asked are silent too",
                o.asked, o.common
            ));
            if asked && verdict.is_some_and(|v| matches!(v, Verdict::InstitutionSide | Verdict::Undetermined)) {
                verdict = Some(Verdict::Undetermined);
            }
        }
        let steps = |names: &[Name]| {
            names
                .iter()
                .filter_map(|n| step(site, core, told, n))
                .collect::<Vec<_>>()
        };
        let (path, platform) = (steps(&self.path), steps(&self.platform));
        let worked_on = path
            .iter()
            .chain(&platform)
            .filter_map(|s| Some((s, s.planned.as_ref()?)));
        because.extend(worked_on.map(|(s, p)| format!("{} is in {}", s.device, standing::maintenance(p))));
        let planned = known::planned(site, told, id).filter(|_| silent && verdict != Some(Verdict::Blind));
        if planned.is_some() {
            verdict = None;
        }
        let next_step = planned.as_ref().map(known::next_step);
        Report {
            target: target.name.clone(),
            address: target.host().to_string(),
            institution: target.circuit.as_ref().map(|c| c.institution.clone()),
            reach,
            next_step: next_step.or(verdict.map(|v| next_step_in_english(v).to_owned())),
            planned,
            verdict,
            because,
            path,
            access,
            others,
            platform,
            trace,
            incidents: told.map(Told::incidents),
        }
    }

    fn others(&self, core: &Core) -> Vec<Others> {
        let answers = |n: &&Name| {
            core.device(n)
                .is_some_and(|d| matches!(d.reach, ReachState::Up | ReachState::Lossy))
        };
        let count = |(common, names): (&String, &Vec<Name>)| Others {
            common: common.clone(),
            asked: names.len(),
            answer: names.iter().filter(answers).count(),
        };
        self.others.iter().map(count).collect()
    }

    /// What the rules make of what was heard now: of the target itself, or of what it hangs below.
    fn judged(&self, core: &Core, target: &Name, reach: ReachState) -> (Option<Verdict>, Vec<String>) {
        let snapshot = core.snapshot(clock::now());
        if snapshot.blind {
            let because = vec!["no uplink of this host answers: it cannot say anything about anybody else".to_owned()];
            return (Some(Verdict::Blind), because);
        }
        let about = |i: &&IncidentSummary| i.root.device.as_ref() == Some(target) || i.affected.contains(target);
        match snapshot.incidents.iter().find(about) {
            Some(incident) => {
                let mut because: Vec<String> = match incident.root.device.as_ref() == Some(target) {
                    true => Vec::new(),
                    false => vec![format!("it lies behind {}", incident.root)],
                };
                let isolation = incident.isolation.as_ref();
                because.extend(
                    isolation
                        .into_iter()
                        .flat_map(|i| i.evidence.iter().map(words::evidence)),
                );
                (isolation.map(|i| i.verdict), because)
            }
            None if matches!(reach, ReachState::Up | ReachState::Lossy) => (
                None,
                vec!["it answers, and so does everything on its way: no fault is to be seen from here".to_owned()],
            ),
            None => (None, vec!["not enough was heard to say anything".to_owned()]),
        }
    }
}

impl Access {
    /// What its absence asks.
    fn question(&self) -> Option<String> {
        if !self.missing || !self.answered {
            return None;
        }
        Some(match self.is_session() {
            true => format!("{} has no {} now: no session is up", self.device, self.port),
            false => format!(
                "{} has no port {}: nothing is known of the line",
                self.device, self.port
            ),
        })
    }

    fn is_session(&self) -> bool {
        self.port.starts_with("session:")
    }
}

fn with_parents(site: &Site, mut all: BTreeSet<DeviceId>) -> BTreeSet<DeviceId> {
    let mut above: Vec<DeviceId> = all.iter().copied().collect();
    while let Some(id) = above.pop() {
        let crossing = site.device(id).demarcation.as_ref().map(|d| d.device);
        let line = site.device(id).circuit.as_ref().and_then(|c| match &c.measure {
            Measure::Line(line) => Some(line.device),
            _ => None,
        });
        let parents = site.device(id).parents.iter().copied().chain(crossing).chain(line);
        for parent in parents {
            if all.insert(parent) {
                above.push(parent);
            }
        }
    }
    all
}

/// Circuits that share the target's device, site or carrier; a few of each.
fn others(site: &Site, target: DeviceId) -> BTreeMap<String, Vec<DeviceId>> {
    let of = site.device(target);
    let mut others: BTreeMap<String, Vec<DeviceId>> = BTreeMap::new();
    let Some(circuit) = &of.circuit else { return others };
    for (id, device) in site
        .iter()
        .filter(|(id, d)| *id != target && d.status == Status::Active)
    {
        let Some(other) = &device.circuit else { continue };
        let parent = of.parents.first().filter(|p| device.parents.first() == Some(p));
        let commons = [
            parent.map(|p| format!("device {}", site.device(*p).name)),
            circuit
                .carrier
                .as_ref()
                .filter(|c| other.carrier.as_ref() == Some(c))
                .map(|c| format!("carrier {c}")),
        ];
        for common in commons.into_iter().flatten() {
            let list = others.entry(common).or_default();
            if list.len() < OTHERS {
                list.push(id);
            }
        }
    }
    others
}

/// A site of these devices alone, judged at once and by nobody's opening hours; nobody is told.
fn small(site: &Site, all: &BTreeSet<DeviceId>, target: DeviceId) -> Site {
    let new: BTreeMap<DeviceId, DeviceId> = all
        .iter()
        .enumerate()
        .map(|(i, old)| (*old, DeviceId(u32::try_from(i).unwrap_or(u32::MAX))))
        .collect();
    let moved = |ids: &[DeviceId]| -> Vec<DeviceId> { ids.iter().filter_map(|id| new.get(id).copied()).collect() };
    let devices = all.iter().map(|old| {
        let mut device = site.device(*old).clone();
        device.parents = moved(&device.parents);
        device.demarcation = device.demarcation.and_then(|mut d| {
            d.device = *new.get(&d.device)?;
            Some(d)
        });
        if let Some(circuit) = &mut device.circuit {
            circuit.power = Power::Always;
            if let Measure::Line(line) = &mut circuit.measure {
                line.device = new.get(&line.device).copied().unwrap_or_default();
            }
        }
        if *old == target && device.role != Role::UplinkOnly {
            device.status = Status::Active;
        }
        let timeout = device.poll.timeout.min(Duration::from_millis(800));
        device.poll.timeout = timeout;
        device.poll.interval = Duration::from_secs(2);
        device.poll.echoes = 3;
        device.poll.confirm = Confirm {
            echoes: 6,
            over: Duration::from_secs(2),
        };
        device.thresholds = Arc::default();
        device.watches = Arc::default();
        device.findings = Arc::new(at_once());
        device.interfaces = needed(site, *old, all).into();
        device
    });
    Site {
        devices: devices.collect(),
        uplinks: moved(&site.uplinks),
        redundancy: Vec::new(),
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        maintenance: Vec::new(),
        heartbeat: None,
        traps: None,
        ..site.clone()
    }
}

fn at_once() -> BTreeMap<FindingKind, FindingRule> {
    let rule = |kind: FindingKind| {
        let after = Duration::ZERO;
        (
            kind,
            FindingRule {
                after,
                ..kind.default_rule()
            },
        )
    };
    FindingKind::ALL.into_iter().map(rule).collect()
}

/// Of a device's ports only those through which somebody here is reached.
fn needed(site: &Site, of: DeviceId, all: &BTreeSet<DeviceId>) -> Vec<InterfaceWanted> {
    let ports = all.iter().filter_map(|id| {
        let device = site.device(*id);
        let crossing = device
            .demarcation
            .as_ref()
            .filter(|d| d.device == of)
            .map(|d| &d.interface);
        let line = device.circuit.as_ref().and_then(|c| match &c.measure {
            Measure::Line(line) if line.device == of => Some(&line.port),
            _ => None,
        });
        crossing.or(line)
    });
    let ports: BTreeSet<&Name> = ports.collect();
    let wanted = |pattern: &Name| InterfaceWanted {
        pattern: pattern.clone(),
        rate_bps: None,
        expect_up: false,
        backup: false,
        to: None,
    };
    ports.into_iter().map(wanted).collect()
}

fn step(site: &Site, core: &Core, told: Option<&Told>, name: &Name) -> Option<Step> {
    let d = core.device(name)?;
    Some(Step {
        planned: site.find(name).and_then(|id| known::planned(site, told, id)),
        device: d.name,
        address: d.address,
        reach: d.reach,
        rtt_seconds: d.rtt_seconds,
        agent_error: d.agent_error,
    })
}

/// The port through which the target is reached, as its device tells it now.
fn access(site: &Site, id: DeviceId, core: &Core) -> Option<Access> {
    let target = site.device(id);
    let line = target.circuit.as_ref().and_then(|c| match &c.measure {
        Measure::Line(line) => Some((line.device, line.port.clone())),
        _ => None,
    });
    let crossing = target.demarcation.as_ref().map(|d| (d.device, d.interface.clone()));
    let (device, port) = line.or(crossing)?;
    let device = core.device(&site.device(device).name)?;
    let found = find(&device, &port);
    Some(Access {
        admin: found.and_then(|i| i.admin),
        oper: found.and_then(|i| i.oper),
        missing: found.is_none(),
        answered: device.uptime_ticks.is_some() && device.agent_error.is_none(),
        device: device.name.clone(),
        port,
    })
}

/// `alias:` and `session:` are found as the daemon finds them: another text that contains this one is another port.
fn find<'a>(device: &'a DeviceStatus, port: &str) -> Option<&'a crate::core::InterfaceStatus> {
    device.interfaces.iter().find(|i| {
        let by_alias = || port.contains(':') && fits_alias(port, i.alias.as_deref().unwrap_or_default(), &i.name);
        *i.name == *port || i.found_by.as_deref() == Some(port) || by_alias()
    })
}

fn tell(r: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    let colour = colour();
    let institution = r.institution.as_ref().map(|i| format!(", {i}")).unwrap_or_default();
    let now = painted(&words::reach(r.reach), colour);
    writeln!(
        out,
        "{} ({}{institution}): {now}   {}",
        r.target,
        r.address,
        moment(clock::now().wall)
    )?;
    let verdict = match (&r.planned, r.verdict) {
        (Some(planned), _) => cell(format!("planned: {}", standing::maintenance(planned)), Paint::Warn),
        (None, Some(verdict)) => cell(verdict.key(), Paint::Bad),
        (None, None) => cell("none", Paint::Good),
    };
    writeln!(out, "verdict    {}", painted(&verdict, colour))?;
    for line in &r.because {
        writeln!(out, "           - {}", painted(&plain(line.clone()), false))?;
    }
    if let Some(next) = &r.next_step {
        writeln!(out, "next step  {next}")?;
    }
    let mut rows = Vec::new();
    let mut step = |role: &'static str, s: &Step| {
        let rtt = s.rtt_seconds.map_or("-".to_owned(), |t| format!("{:.1} ms", t * 1e3));
        let agent = s.agent_error.clone().unwrap_or_default();
        rows.push(vec![
            plain(role),
            plain(s.device.to_string()),
            plain(s.address.clone()),
            words::reach(s.reach),
            plain(rtt),
            plain(agent),
        ]);
    };
    r.path.iter().for_each(|s| step("on the way", s));
    r.platform.iter().for_each(|s| step("platform", s));
    if !rows.is_empty() {
        writeln!(out)?;
        print(out, &["", "DEVICE", "ADDRESS", "REACH", "RTT", "AGENT"], &rows, colour)?;
    }
    writeln!(out)?;
    if let Some(a) = &r.access {
        let state = match (a.missing, a.oper, a.admin) {
            (true, ..) if a.is_session() => "no session of this name is up".to_owned(),
            (true, ..) => "the device has no such port (a question about the configuration)".to_owned(),
            (_, Some(1), _) => "up".to_owned(),
            (_, Some(_), Some(2)) => "put down by an administrator".to_owned(),
            (_, oper, _) => format!(
                "not up (ifOperStatus {})",
                oper.map_or("-".to_owned(), |o| o.to_string())
            ),
        };
        writeln!(
            out,
            "access     {} {}: {state}",
            a.device,
            painted(&plain(a.port.to_string()), false)
        )?;
    }
    for o in &r.others {
        writeln!(
            out,
            "others     on the same {}: {} of {} asked answer",
            o.common, o.answer, o.asked
        )?;
    }
    match &r.trace {
        Ok(hops) if hops.is_empty() => writeln!(out, "trace      nobody answers on the way")?,
        Ok(hops) => {
            for h in hops {
                let who = h.from.map_or("nobody answers".to_owned(), |f| f.to_string());
                let rtt = h.rtt_seconds.map_or(String::new(), |t| format!("  {:.1} ms", t * 1e3));
                let says = match (h.target, h.unreachable) {
                    (true, _) => "  the target".to_owned(),
                    (_, Some((kind, code))) => format!("  says it cannot be reached (type {kind}, code {code})"),
                    _ => String::new(),
                };
                writeln!(out, "trace {:>4}  {who}{rtt}{says}", h.hop)?;
            }
        }
        Err(why) => writeln!(out, "trace      none: {why}")?,
    }
    match &r.incidents {
        None => writeln!(out, "incidents  not known: no daemon answers")?,
        Some(all) if all.is_empty() => writeln!(out, "incidents  none is open about it")?,
        Some(all) => {
            for i in all {
                let verdict = i.verdict.map(|v| format!(", verdict {}", v.key())).unwrap_or_default();
                writeln!(
                    out,
                    "incidents  #{} {} ({} behind it{verdict})",
                    i.id, i.root, i.behind_it
                )?;
            }
        }
    }
    Ok(())
}
