//! One access circuit: from its cells to a [`Device`] with a [`Circuit`]. What circuits have in common is worked out once and shared.
//!
//! A row and a `[[circuit]]` are the same here. Never here: where circuits are written.

use super::circuits::{Circuits, Common, DEFAULT_HOURS, MEASURED};
use super::devices::{Defaults, Inventory, access};
use super::findings;
use super::layer::{Class, STATUSES};
use super::poll::{self, PollPart};
use super::ports::Wanted;
use super::tables::{Row, take};
use super::thresholds::ThresholdPart;
use crate::config::hours;
use crate::config::names::{NameMap, NameSet};
use crate::config::raw::{At, Place};
use crate::config::reader::{Walk, did_you_mean, listing, unknown_reference};
use crate::config::report::{Ctx, Draft};
use crate::config::values::{self, Taken, refuse};
use crate::model::circuit::{Circuit, CircuitRole, Hours, Line, Measure, Power};
use crate::model::snmp::SnmpAccess;
use crate::model::{
    Device, DeviceId, FindingKind, FindingRule, InterfaceWanted, Liveness, Name, Owner, PollSettings, Role, Status,
    Threshold, ThresholdKind, Watch,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The keys of a circuit, which are the columns of circuits.csv.
pub(super) const KEYS: [&str; 18] = [
    "id",
    "institution_id",
    "institution",
    "class",
    "carrier",
    "role",
    "measure",
    "device",
    "interface",
    "down",
    "up",
    "address",
    "liveness",
    "snmp",
    "power",
    "hours",
    "contact",
    "status",
];
/// Places of the keys in [`KEYS`].
const ID: usize = 0;
const INSTITUTION_ID: usize = 1;
const INSTITUTION: usize = 2;
const CLASS: usize = 3;
const CARRIER: usize = 4;
const ROLE: usize = 5;
const MEASURE: usize = 6;
const DEVICE: usize = 7;
const INTERFACE: usize = 8;
const DOWN: usize = 9;
const UP: usize = 10;
const ADDRESS: usize = 11;
const LIVENESS: usize = 12;
const SNMP: usize = 13;
const POWER: usize = 14;
const HOURS: usize = 15;
const CONTACT: usize = 16;
const STATUS: usize = 17;

const ROLES: &[(&str, CircuitRole)] = &[
    ("main", CircuitRole::Main),
    ("backup", CircuitRole::Backup),
    ("shared", CircuitRole::Shared),
];
const POWERS: &[(&str, Power)] = &[("may-be-off", Power::MayBeOff), ("always", Power::Always)];
const MEASURES: &[(&str, Where)] = &[("device", Where::Device), ("cpe", Where::Cpe), ("none", Where::Nowhere)];
/// Stands in for an address that is wrong.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const PORT: &str = "an ifName such as \"ge-0/0/17\", or \"alias:N-0004242\", or \"session:clinic0042@example\"";

/// The word of `measure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Device,
    Cpe,
    Nowhere,
}

/// A text and its place.
type Cell<'r> = Option<(&'r str, Place)>;

/// A circuit as written.
pub(super) struct Given<'r> {
    cells: [Cell<'r>; KEYS.len()],
    at: Place,
    /// Of a `[[circuit]]`: tells what is missing, unless a misspelt key explains it.
    walk: Option<&'r Walk<'r>>,
}

impl<'r> Given<'r> {
    pub(super) fn of_row(row: &'r Row<'_, '_>) -> Given<'r> {
        Given {
            cells: std::array::from_fn(|i| row.get(i)),
            at: row.at(),
            walk: None,
        }
    }

    pub(super) fn of_table(texts: &'r [Option<At<String>>; KEYS.len()], walk: &'r Walk<'r>) -> Given<'r> {
        let cell = |i: usize| texts[i].as_ref().map(|t| (t.value.as_str(), t.at));
        Given {
            cells: std::array::from_fn(cell),
            at: walk.at(),
            walk: Some(walk),
        }
    }

    /// How the circuit is called in messages.
    fn name(&self) -> String {
        self.cells[ID].map_or_else(|| "a circuit".to_string(), |(id, _)| format!("circuit `{id}`"))
    }

    fn missing(&self, ctx: &Ctx<'_>, key: usize, hint: &str) {
        match self.walk {
            Some(walk) => walk.missing(KEYS[key], hint),
            None => ctx.push(
                Draft::error(self.at, format!("{} has no `{}`", self.name(), KEYS[key]))
                    .hint(hint)
                    .consequence(),
            ),
        }
    }
}

/// What one circuit says of its own about times and thresholds.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) poll: PollPart,
    pub(super) thresholds: ThresholdPart,
}

/// What circuits of one class with equal parts, measured and heard alike, have in common.
#[derive(Clone)]
struct Settings {
    poll: PollSettings,
    thresholds: Arc<BTreeMap<ThresholdKind, Threshold>>,
    findings: Arc<BTreeMap<FindingKind, FindingRule>>,
    tells_utilization: bool,
}

/// Builds circuits one after the other.
pub(super) struct Builder<'b> {
    pub(super) ctx: &'b Ctx<'b>,
    defaults: &'b Defaults<'b>,
    common: &'b Common,
    inventory: &'b mut Inventory,
    parts: Vec<Parts>,
    wanted: Vec<Wanted>,
    circuits: Circuits,
    names: NameSet<Name>,
    rates: NameMap<String, u64>,
    hours: NameMap<String, Arc<Hours>>,
    /// The same hours may be written in many ways.
    equal_hours: NameSet<Arc<Hours>>,
    default_hours: Arc<Hours>,
    /// By class, parts, measured, by echo.
    settings: NameMap<(Name, usize, bool, bool), Settings>,
    /// Interfaces of routers at institutions, by their one port.
    cpe_ports: NameMap<Name, Arc<[InterfaceWanted]>>,
    no_tags: Arc<[String]>,
    no_interfaces: Arc<[InterfaceWanted]>,
    no_watches: Arc<[Watch]>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(
        ctx: &'b Ctx<'b>,
        defaults: &'b Defaults<'b>,
        common: &'b Common,
        inventory: &'b mut Inventory,
    ) -> Builder<'b> {
        Builder {
            ctx,
            defaults,
            common,
            inventory,
            parts: vec![Parts::default()],
            wanted: Vec::new(),
            circuits: Circuits::default(),
            names: NameSet::default(),
            rates: NameMap::default(),
            hours: NameMap::default(),
            equal_hours: NameSet::default(),
            default_hours: Arc::new(hours::hours(DEFAULT_HOURS).unwrap_or_default()),
            settings: NameMap::default(),
            cpe_ports: NameMap::default(),
            no_tags: [].into(),
            no_interfaces: [].into(),
            no_watches: [].into(),
        }
    }

    /// Keeps parts that circuits refer to by the number returned; 0 are those that say nothing.
    pub(super) fn keep(&mut self, parts: Parts) -> usize {
        self.parts.push(parts);
        self.parts.len() - 1
    }

    /// Makes room for so many circuits.
    pub(super) fn expect(&mut self, rows: usize) {
        self.inventory.devices.reserve(rows);
        self.inventory.places.reserve(rows);
        self.circuits.ids.reserve(rows);
    }

    /// What was gathered: what others ask about, and the ports to be read on devices.
    pub(super) fn finish(self) -> (Circuits, Vec<Wanted>) {
        (self.circuits, self.wanted)
    }

    /// Checks one circuit and adds it. It is added even if something is wrong with it, so that what refers to it is not wrong too.
    pub(super) fn add(&mut self, given: &Given<'_>, parts: usize) {
        let id = self.id(given);
        let institution_id = self.shared(given, INSTITUTION_ID);
        if given.cells[INSTITUTION_ID].is_none() {
            given.missing(
                self.ctx,
                INSTITUTION_ID,
                "the institution's code: names repeat, codes do not",
            );
        }
        let class = self.class(given);
        let device = self.device(given);
        let role = self.word(given, ROLE, ROLES).unwrap_or_default();
        let status = self.word(given, STATUS, STATUSES).unwrap_or_default();
        let measure = self.measure(given, device);
        let address = given.cells[ADDRESS].map(|_| self.cell(given, ADDRESS, values::address).unwrap_or(UNKNOWN));
        let liveness = self.liveness(given, &measure);
        let snmp = self.snmp(given, &measure, liveness);
        let settings = self.settings(given, &class, parts, &measure, liveness);
        let power = self.word(given, POWER, POWERS);
        let power = power.unwrap_or(if &*class == "user" {
            Power::MayBeOff
        } else {
            Power::Always
        });
        let circuit = Circuit {
            institution: self
                .shared(given, INSTITUTION)
                .or_else(|| institution_id.clone())
                .unwrap_or_else(|| "".into()),
            institution_id: institution_id.unwrap_or_else(|| "".into()),
            carrier: self.shared(given, CARRIER),
            role,
            down_bps: self.rate(given, DOWN),
            up_bps: self.rate(given, UP),
            power,
            hours: self.hours(given, power, status),
            contact: self.contact(given),
            tells_utilization: settings.tells_utilization,
            measure,
        };
        let Some((id, at)) = id else { return };
        self.want_port(&circuit, status);
        let parent = device.and_then(|d| self.inventory.devices.get(d.index()));
        let device = Device {
            name: id,
            role: Role::Circuit,
            address: address.or(parent.map(|p| p.address)).unwrap_or(UNKNOWN),
            owner: Owner::Institution,
            group: None,
            site: parent.and_then(|p| p.site.clone()),
            class: Some(class),
            tags: self.no_tags.clone(),
            status,
            liveness,
            poll: settings.poll,
            snmp,
            profile: None,
            interfaces: self.cpe_port(&circuit.measure),
            watches: self.no_watches.clone(),
            thresholds: settings.thresholds,
            findings: settings.findings,
            parents: device.into_iter().collect(),
            demarcation: None,
            circuit: Some(Box::new(circuit)),
        };
        self.inventory.devices.push(device);
        self.inventory.places.push(at);
    }

    /// The id, unless it is missing or taken.
    fn id(&mut self, given: &Given<'_>) -> Option<(Name, Place)> {
        let Some((text, at)) = given.cells[ID] else {
            given.missing(self.ctx, ID, "the contract number: everything else refers to it");
            return None;
        };
        take(self.ctx, "id", text, at, values::name)?;
        let first = match self.inventory.ids.get(text) {
            Some(device) => Some(("a device", self.inventory.places[device.index()])),
            None => self.circuits.ids.get(text).map(|first| ("a circuit", *first)),
        };
        if let Some((what, first)) = first {
            let what = format!("`{text}` is already {what}: at {}", self.ctx.show(first));
            self.ctx.error(
                at,
                what,
                "ids and names are how everything else refers to them; each is there once",
            );
            return None;
        }
        let id: Name = Arc::from(text);
        self.circuits.ids.insert(id.clone(), at);
        Some((id, at))
    }

    /// A cell, read by `read`.
    fn cell<T>(&self, given: &Given<'_>, key: usize, read: impl FnOnce(&str) -> Taken<T>) -> Option<T> {
        let (text, at) = given.cells[key]?;
        take(self.ctx, KEYS[key], text, at, read)
    }

    /// A cell that is one of some words.
    fn word<T: Copy>(&self, given: &Given<'_>, key: usize, words: &[(&str, T)]) -> Option<T> {
        self.cell(given, key, |text| {
            let all = || words.iter().map(|(w, _)| *w);
            let found = words.iter().find(|(w, _)| *w == text).map(|(_, v)| *v);
            match found {
                Some(value) => Ok(value),
                None => refuse(
                    format!("cannot be \"{text}\""),
                    did_you_mean(text, all())
                        .unwrap_or_else(|| format!("one of: {}", listing(all())))
                        .replace('`', "\""),
                ),
            }
        })
    }

    /// A name that repeats: one copy of it is shared.
    fn shared(&mut self, given: &Given<'_>, key: usize) -> Option<Name> {
        let (text, at) = given.cells[key]?;
        if let Some(known) = self.names.get(text) {
            return Some(known.clone());
        }
        take(self.ctx, KEYS[key], text, at, values::name)?;
        Some(self.intern(text))
    }

    fn intern(&mut self, text: &str) -> Name {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        let name: Name = Arc::from(text);
        self.names.insert(name.clone());
        name
    }

    fn class(&mut self, given: &Given<'_>) -> Name {
        let Some((text, at)) = given.cells[CLASS] else {
            return self.intern("user");
        };
        if !self.defaults.classes.contains_key(text) {
            let class = At {
                value: text.to_string(),
                at,
            };
            unknown_reference(
                self.ctx,
                "class",
                &class,
                self.defaults.classes.keys().map(String::as_str),
                "",
            );
        }
        self.intern(text)
    }

    /// The operator's device that the circuit ends on.
    fn device(&self, given: &Given<'_>) -> Option<DeviceId> {
        let (text, at) = given.cells[DEVICE]?;
        if let Some(id) = self.inventory.ids.get(text) {
            return Some(*id);
        }
        self.inventory.resolve(
            self.ctx,
            &At {
                value: text.to_string(),
                at,
            },
        )
    }

    fn measure(&mut self, given: &Given<'_>, device: Option<DeviceId>) -> Measure {
        let default = if given.cells[DEVICE].is_some() {
            Where::Device
        } else {
            Where::Nowhere
        };
        let written = self.word(given, MEASURE, MEASURES);
        let port = self.port(given);
        let place = written.unwrap_or(default);
        if place == Where::Nowhere {
            if let (Some((_, at)), None) = (given.cells[INTERFACE], given.cells[MEASURE]) {
                self.ctx.error(
                    at,
                    "`interface` does not say of which router",
                    "add `device`, or measure = \"cpe\" with `address` and `snmp`",
                );
            }
            return Measure::Nothing;
        }
        if given.cells[INTERFACE].is_none() {
            let hint = format!("{PORT}; to watch liveness only: measure = \"none\"");
            given.missing(self.ctx, INTERFACE, &hint);
        }
        if place == Where::Cpe && given.cells[ADDRESS].is_none() {
            given.missing(
                self.ctx,
                ADDRESS,
                "with measure = \"cpe\": the router at the institution",
            );
        }
        if place == Where::Device {
            self.measurable(given, device);
        }
        match (place, device, port) {
            (Where::Cpe, _, Some(port)) => Measure::Cpe(port),
            (Where::Device, Some(device), Some(port)) => Measure::Line(Line { device, port }),
            _ => Measure::Nothing,
        }
    }

    /// With measure = "device" the device must be there and speak SNMP.
    fn measurable(&self, given: &Given<'_>, device: Option<DeviceId>) {
        let Some((text, at)) = given.cells[DEVICE] else {
            given.missing(
                self.ctx,
                DEVICE,
                "with measure = \"device\": the device that the line ends on",
            );
            return;
        };
        if device.is_some_and(|d| !self.inventory.speaks_snmp[d.index()]) {
            let what = format!("`{text}` has no `snmp`: nothing can be measured on it");
            self.ctx.error(
                at,
                what,
                "add `snmp` to that device or its group, or measure = \"none\" here",
            );
        }
    }

    fn port(&mut self, given: &Given<'_>) -> Option<Name> {
        let (text, at) = given.cells[INTERFACE]?;
        take(self.ctx, "interface", text, at, port)?;
        Some(self.intern(text))
    }

    /// How it is found out whether the circuit is up.
    fn liveness(&self, given: &Given<'_>, measure: &Measure) -> Liveness {
        let has_address = given.cells[ADDRESS].is_some();
        let has_line = matches!(measure, Measure::Line(_));
        let Some((text, at)) = given.cells[LIVENESS] else {
            if !has_address && given.cells[DEVICE].is_none() && given.cells[MEASURE].is_none() {
                let what = format!(
                    "{} has neither `address` nor `device`: nothing tells whether it is up",
                    given.name()
                );
                let hint = "give the address of the router at the institution, or the device and interface that the line ends on";
                self.ctx.push(Draft::error(given.at, what).hint(hint).consequence());
            } else if !has_address && given.cells[MEASURE].is_some_and(|(m, _)| m == "none") {
                given.missing(
                    self.ctx,
                    ADDRESS,
                    "with measure = \"none\" nothing else tells whether it is up",
                );
            }
            return if has_address { Liveness::Echo } else { Liveness::Line };
        };
        let Some(liveness) = take(self.ctx, "liveness", text, at, liveness) else {
            return Liveness::None;
        };
        if liveness == Liveness::Line && !has_line {
            self.ctx.error(
                at,
                "`liveness` by the line needs measure = \"device\"",
                "add `device` and `interface`, or choose another liveness",
            );
        } else if !has_address && liveness != Liveness::Line && !(liveness == Liveness::None && has_line) {
            self.ctx.error(
                at,
                format!("`liveness` by {text} needs `address`"),
                "add the address of the router at the institution",
            );
        }
        liveness
    }

    /// Only the router at the institution is asked by the circuit's own credentials.
    fn snmp(&self, given: &Given<'_>, measure: &Measure, liveness: Liveness) -> Option<Arc<SnmpAccess>> {
        let needed = matches!(measure, Measure::Cpe(_)) || liveness == Liveness::Snmp;
        let written = given.cells[SNMP].map(|(text, at)| match self.defaults.accesses.get(text) {
            Some(found) => found.clone(),
            None => access(
                self.ctx,
                &At {
                    value: text.to_string(),
                    at,
                },
                &self.defaults.accesses,
            ),
        });
        if needed && written.is_none() && !self.common.has_snmp {
            given.missing(
                self.ctx,
                SNMP,
                "how the router at the institution is asked; for all of them: [circuits] snmp = \"NAME\"",
            );
        }
        written.unwrap_or_else(|| self.common.snmp.clone()).filter(|_| needed)
    }

    fn settings(
        &mut self,
        given: &Given<'_>,
        class: &Name,
        parts: usize,
        measure: &Measure,
        liveness: Liveness,
    ) -> Settings {
        let (measured, by_echo) = (*measure != Measure::Nothing, liveness == Liveness::Echo);
        let own = &self.parts[parts];
        for (key, kind) in MEASURED
            .iter()
            .filter(|(_, kind)| own.thresholds.get(kind).is_some_and(Option::is_some))
        {
            if !possible(*kind, measured, by_echo) {
                let what = format!("`thresholds.{key}` of {} has nothing to judge", given.name());
                let hint = match kind {
                    ThresholdKind::Loss | ThresholdKind::Rtt => "loss and rtt need liveness = \"echo\"",
                    _ => "it needs a circuit that is measured: `device` and `interface`, or measure = \"cpe\"",
                };
                self.ctx.error(given.at, what, hint);
            }
        }
        let key = (class.clone(), parts, measured, by_echo);
        if let Some(settings) = self.settings.get(&key) {
            return settings.clone();
        }
        let before = self.ctx.error_count();
        let empty = Class::default();
        let class_part = self.defaults.classes.get(&**class).unwrap_or(&empty);
        let weaker = [&self.common.thresholds, &class_part.thresholds, &own.thresholds];
        let thresholds = thresholds(&self.defaults.thresholds, &weaker);
        let settings = Settings {
            poll: poll::settle(
                self.ctx,
                &[&self.defaults.poll, &PollPart::one_echo(), &self.common.poll, &own.poll],
            ),
            thresholds: Arc::new(
                thresholds
                    .into_iter()
                    .filter(|(kind, _)| possible(*kind, measured, by_echo))
                    .collect(),
            ),
            findings: Arc::new(findings::settle(&[self.defaults.findings, &class_part.findings])),
            tells_utilization: &**class == "service-provider" || weaker.iter().any(|t| sets_utilization(t)),
        };
        if self.ctx.error_count() == before {
            self.settings.insert(key, settings.clone());
        }
        settings
    }

    fn rate(&mut self, given: &Given<'_>, key: usize) -> Option<u64> {
        let (text, at) = given.cells[key]?;
        if let Some(known) = self.rates.get(text) {
            return Some(*known);
        }
        let rate = take(self.ctx, KEYS[key], text, at, values::rate)?;
        self.rates.insert(text.to_string(), rate);
        Some(rate)
    }

    fn hours(&mut self, given: &Given<'_>, power: Power, status: Status) -> Arc<Hours> {
        let default = self.common.hours.clone().unwrap_or_else(|| self.default_hours.clone());
        let Some((text, at)) = given.cells[HOURS] else {
            if self.common.hours.is_none() && power == Power::MayBeOff && status == Status::Active {
                let (count, first) = &mut self.circuits.without_hours;
                if *count == 0 {
                    *first = given.at;
                }
                *count += 1;
            }
            return default;
        };
        if let Some(known) = self.hours.get(text) {
            return known.clone();
        }
        let Some(hours) = take(self.ctx, "hours", text, at, hours::hours) else {
            return default;
        };
        let hours = match self.equal_hours.get(&hours) {
            Some(equal) => equal.clone(),
            None => Arc::new(hours),
        };
        self.equal_hours.insert(hours.clone());
        self.hours.insert(text.to_string(), hours.clone());
        hours
    }

    fn contact(&mut self, given: &Given<'_>) -> Option<Name> {
        let name = self.shared(given, CONTACT)?;
        self.circuits
            .contacts
            .push((name.clone(), given.cells[CONTACT].map_or(given.at, |(_, at)| at)));
        Some(name)
    }

    fn want_port(&mut self, circuit: &Circuit, status: Status) {
        if let (Measure::Line(line), Status::Active) = (&circuit.measure, status) {
            self.wanted.push(Wanted {
                device: line.device,
                port: line.port.clone(),
                role: circuit.role,
                circuit: self.inventory.devices.len(),
            });
        }
    }

    /// What the router at the institution is asked for.
    fn cpe_port(&mut self, measure: &Measure) -> Arc<[InterfaceWanted]> {
        let Measure::Cpe(port) = measure else {
            return self.no_interfaces.clone();
        };
        let new = || {
            [InterfaceWanted {
                pattern: port.clone(),
                rate_bps: None,
                expect_up: false,
                backup: false,
            }]
            .into()
        };
        self.cpe_ports.entry(port.clone()).or_insert_with(new).clone()
    }
}

/// Can a circuit be judged by this?
fn possible(kind: ThresholdKind, measured: bool, by_echo: bool) -> bool {
    match kind {
        ThresholdKind::Utilization | ThresholdKind::Errors | ThresholdKind::Discards => measured,
        ThresholdKind::Loss | ThresholdKind::Rtt => by_echo,
        _ => false,
    }
}

/// The thresholds in force, the weakest first. Loss and round-trip time from [thresholds] do not reach institutions.
fn thresholds(top: &ThresholdPart, parts: &[&ThresholdPart]) -> BTreeMap<ThresholdKind, Threshold> {
    let foreign = |kind: &ThresholdKind| matches!(kind, ThresholdKind::Loss | ThresholdKind::Rtt);
    let mut lines: ThresholdPart = top.iter().filter(|(k, _)| !foreign(k)).map(|(k, t)| (*k, *t)).collect();
    for part in parts {
        lines.extend(part.iter().map(|(k, t)| (*k, *t)));
    }
    lines
        .into_iter()
        .filter_map(|(kind, line)| line.map(|t| (kind, t)))
        .collect()
}

fn sets_utilization(part: &ThresholdPart) -> bool {
    part.get(&ThresholdKind::Utilization).is_some_and(Option::is_some)
}

fn port(text: &str) -> Taken<()> {
    if let Some((kind @ ("alias" | "session"), rest)) = text.split_once(':')
        && rest.trim().is_empty()
    {
        return refuse(format!("has nothing behind `{kind}:`"), PORT);
    }
    if text.contains(['*', '?']) {
        return refuse(format!("is a pattern: \"{text}\""), "a circuit is measured on one port");
    }
    values::name(text).map(|_| ())
}

fn liveness(text: &str) -> Taken<Liveness> {
    let port = text
        .strip_prefix("tcp:")
        .and_then(|p| p.trim().parse::<u16>().ok())
        .filter(|p| *p > 0);
    Ok(match (text, port) {
        ("echo", _) => Liveness::Echo,
        ("snmp", _) => Liveness::Snmp,
        ("line", _) => Liveness::Line,
        ("none", _) => Liveness::None,
        (_, Some(port)) => Liveness::Tcp(port),
        _ => {
            return refuse(
                format!("cannot be \"{text}\""),
                "one of \"echo\", \"line\", \"snmp\", \"none\", or a port: \"tcp:22\"",
            );
        }
    })
}
