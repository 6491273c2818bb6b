//! What does not come: told as "no data", whatever the reason.
//!
//! What the operator wrote by name (a port, a `watch`, a circuit, a threshold of a device) is waited for from the start. What only a
//! pattern matched, or a threshold for all, is waited for once it has given a value. Time counts while the agent answers, and no reason
//! excuses for longer than the number's patience.
//!
//! Never here: a value; a device or an agent that is silent as a whole.

use super::{Number, NumberKey, Numbers, awaited, key, threshold};
use crate::model::{
    Demarcation, Device, DeviceId, FindingKey, FindingKind, Measure, Member, MemberPart, Metric, Mono, Name, Now, Part,
    Role, Site, Status, WatchKind, Written,
};
use crate::poll::agent::memory::NumberMemory;
use crate::poll::{AgentReading, InterfaceReading, YOUNG};
use crate::rules::condition::Conditions;
use crate::rules::interface::interface_key;
use crate::rules::judged::is_service;
use crate::rules::{Cause, RuleEffect};
use crate::sample::Unknown;
use crate::sample::counter::RATE_OVER;
use crate::sample::loss::ECHOES_MIN;
use crate::sample::roles::MemberView;
use std::collections::HashSet;
use std::time::Duration;

/// No value for this many intervals is "no data".
const NO_DATA_INTERVALS: u32 = 3;
/// Rounds farther apart than this many intervals were not all answered.
const APART: u32 = 2;
/// RFC 2863: up.
const UP: u8 = 1;

/// What a device's agent is waited for with.
pub(super) struct Agent {
    /// When it answered last.
    pub(super) last: Mono,
    /// Its sysUpTime then.
    uptime: Option<u32>,
    /// Ports that are wanted by their names, sorted.
    ports: Vec<Name>,
    /// Ports that are wanted by `alias:` or `session:`, sorted.
    aliases: Vec<Name>,
    /// Of these ports, those whose state was not read, and for how many milliseconds.
    unheard: Vec<(Name, u32)>,
    /// Memberships in redundancy groups.
    members: Vec<Membership>,
}

/// A device's part in a redundancy group.
struct Membership {
    /// Positions in [`Site::redundancy`] and in its members.
    at: (usize, usize),
    group: Name,
    /// It has told a role. From then on the group judges what it says.
    told: bool,
    unheard_ms: u32,
}

/// One answered round of an agent.
#[derive(Clone, Copy)]
pub(in crate::rules) struct Answer<'r> {
    /// When it began.
    pub(in crate::rules) began: Mono,
    pub(in crate::rules) reading: &'r AgentReading,
    /// What it says of the redundancy groups that the device belongs to.
    pub(in crate::rules) members: &'r [MemberView],
    /// Between two rounds.
    pub(in crate::rules) interval: Duration,
    /// Time that it stands for.
    pub(in crate::rules) step: Duration,
    /// The agent has just started: what is missing may still come.
    pub(in crate::rules) young: bool,
    pub(in crate::rules) now: Now,
}

/// Something that does not come.
struct Silent {
    key: FindingKey,
    unheard_ms: u32,
    reason: Unknown,
}

/// How long a number may take.
pub(super) fn patience(device: &Device, metric: Metric, interval: Duration) -> Duration {
    let settles = match metric {
        Metric::UtilizationIn
        | Metric::UtilizationOut
        | Metric::UtilizationDown
        | Metric::UtilizationUp
        | Metric::Errors
        | Metric::Discards
            if interval <= RATE_OVER =>
        {
            RATE_OVER
        }
        Metric::Loss => interval * ECHOES_MIN.div_ceil(device.poll.echoes.max(1)),
        _ => Duration::ZERO,
    };
    interval * NO_DATA_INTERVALS + settles
}

/// The numbers of a device that are wanted by name.
pub(super) fn named_numbers(device: &Device) -> Vec<NumberKey> {
    let watches = device
        .watches
        .iter()
        .filter(|w| matches!(w.kind, WatchKind::Oid { .. }));
    let watches = watches.map(|w| (Part::Watch(Name::clone(&w.name)), Metric::Watch));
    let ports = device.interfaces.iter().filter(|w| w.is_named() && !w.is_by_alias());
    let ports = ports.flat_map(|w| {
        let of_port = [
            Metric::UtilizationIn,
            Metric::UtilizationOut,
            Metric::Errors,
            Metric::Discards,
        ];
        of_port.map(|metric| (Part::Interface(Name::clone(&w.pattern)), metric))
    });
    let whole = WHOLE.iter().map(|metric| (Part::Device, *metric));
    let all = watches.chain(ports.filter(|_| device.circuit.is_none())).chain(whole);
    all.filter(|(part, metric)| awaited(device, part, *metric) && is_named(device, part, *metric))
        .collect()
}

/// Numbers of a device as a whole that its agent gives. Loss and round-trip time come with its answers.
pub const WHOLE: [Metric; 13] = [
    Metric::Cpu,
    Metric::Memory,
    Metric::Load5,
    Metric::Temperature,
    Metric::UtilizationDown,
    Metric::UtilizationUp,
    Metric::Errors,
    Metric::Discards,
    Metric::Sessions,
    Metric::SessionsUsed,
    Metric::UpsLoad,
    Metric::BatteryCharge,
    Metric::BatteryRuntime,
];

/// Did the operator mean this very number?
fn is_named(device: &Device, part: &Part, metric: Metric) -> bool {
    let circuit = device.circuit.as_ref();
    match (part, metric) {
        (Part::Watch(_), _) => true,
        (Part::Interface(name), _) => {
            let mut wanted = device.wants(name, None).peekable();
            // A port that no name and no pattern fits was found by its alias.
            wanted.peek().is_none() || wanted.any(|w| w.is_named())
        }
        // A circuit is written by name, one by one.
        (_, Metric::UtilizationDown | Metric::UtilizationUp) => circuit.is_some(),
        (_, Metric::Errors | Metric::Discards) if circuit.is_none() => false,
        _ => threshold(device, part, metric).is_some_and(|t| t.written == Written::ByName),
    }
}

/// Is what a "no data" without a number is about still wanted by name?
pub(in crate::rules) fn still_named(site: &Site, device: &Device, part: &Part) -> bool {
    let id = site.find(&device.name);
    let here = |other: DeviceId| Some(other) == id;
    let of_group = |m: &Member, name: &Name| here(m.device) && m.part == MemberPart::Interface(Name::clone(name));
    match part {
        Part::Interface(name) => {
            let demarcation = |d: &Demarcation| here(d.device) && d.interface == *name;
            device.interfaces.iter().any(|w| w.is_named() && w.pattern == *name)
                || site
                    .devices
                    .iter()
                    .filter_map(|d| d.demarcation.as_ref())
                    .any(demarcation)
                || site
                    .redundancy
                    .iter()
                    .flat_map(|g| &g.members)
                    .any(|m| of_group(m, name))
        }
        Part::Redundancy(name) => {
            let mut group = site.redundancy.iter().filter(|g| g.name == *name);
            group.any(|g| g.members.iter().any(|m| here(m.device)))
        }
        _ => true,
    }
}

/// What the agents of a site are waited for with.
pub(super) fn agents(site: &Site, now: Mono) -> Vec<Agent> {
    let mut agents: Vec<Agent> = site.devices.iter().map(|d| Agent::new(d, now)).collect();
    for demarcation in site.devices.iter().filter_map(|d| d.demarcation.as_ref()) {
        want(&mut agents, demarcation.device, &demarcation.interface);
    }
    for (g, group) in site.redundancy.iter().enumerate() {
        for (m, member) in group.members.iter().enumerate() {
            if let MemberPart::Interface(name) = &member.part {
                want(&mut agents, member.device, name);
            } else if let Some(agent) = agents.get_mut(member.device.index()) {
                agent.members.push(Membership {
                    at: (g, m),
                    group: Name::clone(&group.name),
                    told: false,
                    unheard_ms: 0,
                });
            }
        }
    }
    agents
}

fn want(agents: &mut [Agent], device: DeviceId, port: &Name) {
    if let Some(agent) = agents.get_mut(device.index())
        && let Err(at) = agent.ports.binary_search(port)
    {
        agent.ports.insert(at, Name::clone(port));
    }
}

impl Agent {
    fn new(device: &Device, now: Mono) -> Agent {
        let asked = device.status == Status::Active && device.role != Role::UplinkOnly && device.snmp.is_some();
        let wanted = || device.interfaces.iter().filter(|w| asked && w.is_named());
        let list = |by_alias: bool| {
            let names = wanted().filter(|w| w.is_by_alias() == by_alias);
            let mut names: Vec<Name> = names.map(|w| Name::clone(&w.pattern)).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        Agent {
            last: now,
            uptime: None,
            ports: list(false),
            aliases: list(true),
            unheard: Vec::new(),
            members: Vec::new(),
        }
    }

    /// The same device under another configuration.
    pub(super) fn goes_on(&mut self, before: Agent) {
        (self.last, self.uptime) = (before.last, before.uptime);
        self.unheard = before.unheard;
    }

    fn has_many(&self) -> bool {
        self.ports.len() + self.aliases.len() > 1
    }

    /// Ports whose state was read, or which are known to be missing, are heard of. Both lists are in the order of their names.
    fn listen(&mut self, answer: Answer<'_>) {
        let (mut rest, mut silent) = (answer.reading.interfaces.as_slice(), Vec::new());
        for name in &self.ports {
            let here = rest.iter().position(|i| *i.name >= **name).unwrap_or(rest.len());
            rest = rest.get(here..).unwrap_or_default();
            let read = rest.first().is_some_and(|i| i.name == *name && i.oper.is_some());
            if !read && answer.reading.missing.binary_search(name).is_err() {
                silent.push(Name::clone(name));
            }
        }
        let found = answer
            .reading
            .interfaces
            .iter()
            .filter(|i| i.found_by.is_some() && i.oper.is_some());
        if !self.aliases.is_empty() && found.clone().count() < self.aliases.len() {
            let found: HashSet<&Name> = found.filter_map(|i| i.found_by.as_ref()).collect();
            let known = |alias: &&Name| found.contains(*alias) || answer.reading.missing.binary_search(alias).is_ok();
            silent.extend(self.aliases.iter().filter(|a| !known(a)).cloned());
        }
        if silent.is_empty() && self.unheard.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.unheard);
        let since = |name: &Name| before.iter().find(|(n, _)| n == name).map_or(0, |(_, ms)| *ms);
        let step = millis(answer.step);
        self.unheard = silent
            .into_iter()
            .map(|name| {
                let ms = since(&name).saturating_add(step);
                (name, ms)
            })
            .collect();
    }
}

impl Agent {
    /// Members that have never told a role. Whoever has told one is the group's affair.
    fn listen_to_members(&mut self, answer: Answer<'_>) {
        let step = millis(answer.step);
        for member in self.members.iter_mut().filter(|m| !m.told) {
            let mut views = answer.members.iter().filter(|v| (v.group, v.member) == member.at);
            member.told = views.any(|v| v.rows.iter().any(|row| row.role.is_some()));
            member.unheard_ms = if member.told {
                0
            } else {
                member.unheard_ms.saturating_add(step)
            };
        }
    }
}

fn silent_members(
    device: &Device,
    agent: &Agent,
    answer: Answer<'_>,
    conditions: &Conditions,
    silent: &mut Vec<Silent>,
) {
    let patience = millis(answer.interval * NO_DATA_INTERVALS);
    for member in agent.members.iter().filter(|m| m.unheard_ms >= patience) {
        let key = |device: Option<&Name>, kind: FindingKind| FindingKey {
            device: device.cloned(),
            part: Part::Redundancy(Name::clone(&member.group)),
            kind,
            metric: None,
        };
        // That the group counts it as lost is told.
        let lost = key(None, FindingKind::RedundancyLost);
        let key = key(Some(&device.name), FindingKind::NoData);
        if conditions.get(&lost).is_none() && silent.iter().all(|s| s.key != key) {
            silent.push(Silent {
                key,
                unheard_ms: member.unheard_ms,
                reason: Unknown::Missing,
            });
        }
    }
}

impl Numbers {
    /// An agent has answered: the time that this answer stands for (a time in which it did not answer is not one in which something was
    /// missing), and whether it has just started. An uptime that stands still says nothing.
    pub(in crate::rules) fn answered(
        &mut self,
        id: DeviceId,
        interval: Duration,
        uptime: Option<u32>,
        now: Mono,
    ) -> (Duration, bool) {
        let Some(agent) = self.agents.get_mut(id.index()) else {
            return (Duration::ZERO, false);
        };
        let step = now.since(std::mem::replace(&mut agent.last, now)).min(interval * APART);
        let moves = std::mem::replace(&mut agent.uptime, uptime) != uptime;
        let up = uptime.map(|ticks| Duration::from_millis(u64::from(ticks) * 10));
        let young = up.is_some_and(|up| up < YOUNG + interval * NO_DATA_INTERVALS);
        (step, young && moves)
    }

    /// What a restart must not forget: what was once given and is not written by name, and what has not been given for a while.
    pub(in crate::rules) fn waited_for(&self, id: DeviceId, device: &Device) -> Vec<NumberMemory> {
        let all = self.numbers.get(id.index()).into_iter().flatten();
        let waited = all.filter(|((part, metric), number)| {
            let late = number.unheard_ms > millis(device.poll.interval * APART);
            awaited(device, part, *metric) && (late || number.ever && !is_named(device, part, *metric))
        });
        waited
            .map(|((part, metric), number)| NumberMemory {
                part: part.clone(),
                metric: *metric,
                ever: number.ever,
                unheard_ms: number.unheard_ms,
            })
            .collect()
    }

    /// Takes up what an earlier process waited for, as far as it is still wanted.
    pub(in crate::rules) fn wait_for(&mut self, id: DeviceId, device: &Device, all: &[NumberMemory], now: Mono) {
        for memory in all.iter().filter(|m| awaited(device, &m.part, m.metric)) {
            if let Some(number) = self.at(id, &memory.part, memory.metric, || Number::new(now)) {
                number.ever |= memory.ever;
                number.unheard_ms = number.unheard_ms.max(memory.unheard_ms);
            }
        }
    }

    /// An agent has not answered: that time is not counted.
    pub(in crate::rules) fn unanswered(&mut self, id: DeviceId, now: Mono) {
        if let Some(agent) = self.agents.get_mut(id.index()) {
            agent.last = now;
        }
    }

    /// What this answer should have given and did not, for too long.
    pub(in crate::rules) fn overdue(
        &mut self,
        id: DeviceId,
        device: &Device,
        answer: Answer<'_>,
        conditions: &mut Conditions,
        out: &mut Vec<RuleEffect>,
    ) {
        let mut silent = Vec::new();
        if let Some(agent) = self.agents.get_mut(id.index()) {
            agent.listen(answer);
            silent_ports(device, agent, answer, &mut silent);
            agent.listen_to_members(answer);
            silent_members(device, agent, answer, conditions, &mut silent);
        }
        self.silent_numbers(id, device, answer, conditions, &mut silent);
        if conditions.has_any_of(&device.name) {
            let over = |key: &&FindingKey| {
                let of_agent =
                    key.kind == FindingKind::NoData && key.metric.is_none() && !is_service(device, &key.part);
                of_agent && silent.iter().all(|s| s.key != **key)
            };
            let over: Vec<FindingKey> = conditions
                .of(&device.name)
                .map(|(key, _)| key)
                .filter(over)
                .cloned()
                .collect();
            for key in over {
                let ended = conditions.end(&key, Cause::DataBack, answer.now);
                out.extend(ended.map(RuleEffect::Finding));
            }
        }
        tell(device, silent, conditions, answer);
    }

    /// The same for a circuit that is measured on the device that answered.
    pub(in crate::rules) fn overdue_line(
        &mut self,
        circuit: DeviceId,
        device: &Device,
        answer: Answer<'_>,
        conditions: &mut Conditions,
    ) {
        let mut silent = Vec::new();
        self.silent_numbers(circuit, device, answer, conditions, &mut silent);
        tell(device, silent, conditions, answer);
    }

    fn silent_numbers(
        &mut self,
        id: DeviceId,
        device: &Device,
        answer: Answer<'_>,
        conditions: &Conditions,
        silent: &mut Vec<Silent>,
    ) {
        let step = millis(answer.step);
        let agent = self.agents.get(id.index());
        let many = agent.is_some_and(Agent::has_many);
        let unheard = agent.map_or(&[][..], |a| a.unheard.as_slice());
        for (number_key, number) in self.numbers.get_mut(id.index()).into_iter().flatten() {
            // A service has rounds of its own, which tell of themselves.
            if number.known_at >= answer.began || is_service(device, &number_key.0) {
                continue;
            }
            number.unheard_ms = number.unheard_ms.saturating_add(step);
            let patience = millis(patience(device, number_key.1, answer.interval));
            if number.unheard_ms < patience || !asked(device, number_key, number) {
                continue;
            }
            if excused(device, &number_key.0, answer.reading, conditions) {
                continue;
            }
            if number.said_at < answer.began {
                number.last = Err(Unknown::NotRead);
                number.why = Some(Unknown::NotRead);
            }
            // That the state of the port is not read is told; that it gives no numbers follows from it.
            let told = |port: &Name| unheard.iter().any(|(name, ms)| name == port && *ms >= patience);
            if matches!(&number_key.0, Part::Interface(port) if told(port)) {
                continue;
            }
            add(device, number_key, number, many, silent);
        }
    }
}

/// Does its absence mean anything?
fn asked(device: &Device, (part, metric): &NumberKey, number: &Number) -> bool {
    (number.ever || is_named(device, part, *metric)) && awaited(device, part, *metric)
}

/// A number that has been silent for too long: told once a part and reason, and once a device what is the same for all its ports.
fn add(device: &Device, number_key: &NumberKey, number: &Number, many: bool, silent: &mut Vec<Silent>) {
    let part = &number_key.0;
    let reason = number.why.or(number.last.err()).unwrap_or(Unknown::NotRead);
    let of_port = matches!(part, Part::Interface(_));
    let key = match many && of_port && reason.is_of_device() {
        true => whole(device),
        false => key(&device.name, number_key, FindingKind::NoData),
    };
    let same = |s: &Silent| s.key == key || of_port && s.key.part == *part && s.reason == reason;
    if !silent.iter().any(same) {
        silent.push(Silent {
            key,
            unheard_ms: number.unheard_ms,
            reason,
        });
    }
}

/// No data of a device's interfaces at all.
fn whole(device: &Device) -> FindingKey {
    FindingKey {
        device: Some(Name::clone(&device.name)),
        part: Part::Device,
        kind: FindingKind::NoData,
        metric: None,
    }
}

fn silent_ports(device: &Device, agent: &Agent, answer: Answer<'_>, silent: &mut Vec<Silent>) {
    let patience = millis(answer.interval * NO_DATA_INTERVALS);
    let nothing = answer.reading.interfaces.is_empty() && answer.reading.missing.is_empty();
    for (name, ms) in agent.unheard.iter().filter(|(_, ms)| *ms >= patience) {
        let read = |i: &InterfaceReading| i.name == *name || i.found_by.as_ref() == Some(name);
        let here = answer.reading.interfaces.iter().any(read);
        silent.push(Silent {
            key: match nothing && agent.has_many() {
                true => whole(device),
                false => interface_key(device, name, FindingKind::NoData),
            },
            unheard_ms: *ms,
            reason: if here { Unknown::Missing } else { Unknown::NotRead },
        });
        if nothing && agent.has_many() {
            return;
        }
    }
}

/// The state of the port says that there is nothing to measure, or that it is missing is the finding.
fn excused(device: &Device, part: &Part, reading: &AgentReading, conditions: &Conditions) -> bool {
    // Both lists are in the order of their names.
    let off = |name: &Name| {
        let all = &reading.interfaces;
        let by_name = all
            .binary_search_by(|i| i.name.cmp(name))
            .ok()
            .and_then(|at| all.get(at));
        let port = by_name.or_else(|| all.iter().find(|i| i.found_by.as_ref() == Some(name)));
        let down = |state: Option<u8>| state.is_some_and(|s| s != UP);
        reading.missing.binary_search(name).is_ok() || port.is_some_and(|i| down(i.oper) || down(i.admin))
    };
    match (part, device.circuit.as_ref().map(|c| &c.measure)) {
        (Part::Interface(name), _) => {
            let missing = interface_key(device, name, FindingKind::InterfaceMissing);
            conditions.get(&missing).is_some() || off(name)
        }
        (Part::Device, Some(Measure::Line(line))) => off(&line.port),
        (Part::Device, Some(Measure::Cpe(port))) => off(port),
        _ => false,
    }
}

/// May it still come? An agent that has just started does not give everything at once, and is asked for it in each round. That excuse, too,
/// ends by our own clock: of an agent that starts again and again it is told all the same.
fn may_still_come(reason: Unknown, unheard: Duration, answer: Answer<'_>) -> bool {
    let missing = matches!(reason, Unknown::Missing | Unknown::NotRead | Unknown::WarmingUp);
    missing && answer.young && unheard < YOUNG * 2 + answer.interval * NO_DATA_INTERVALS
}

fn tell(device: &Device, silent: Vec<Silent>, conditions: &mut Conditions, answer: Answer<'_>) {
    let now = answer.now;
    for Silent {
        key,
        unheard_ms,
        reason,
    } in silent
    {
        let unheard = Duration::from_millis(unheard_ms.into());
        if may_still_come(reason, unheard, answer) && conditions.get(&key).is_none() {
            continue;
        }
        let cause = Cause::NoData {
            seconds: unheard.as_secs_f64(),
            reason: reason.key().to_owned(),
        };
        let since = now.mono - unheard;
        conditions.hold(key, device.rule(FindingKind::NoData), cause, since, since, now);
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
