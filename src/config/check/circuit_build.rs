//! From the cells of a circuit to a [`Device`] with a [`Circuit`]. What circuits have in common is worked out once and shared.
//!
//! Never here: where circuits are written.

use super::cells::take;
use super::circuit::{
    self, ADDRESS, CARRIER, CLASS, CONTACT, DEVICE, DOWN, Given, HOURS, ID, INSTITUTION, INSTITUTION_ID, INTERFACE,
    KEYS, LIVENESS, MEASURE, MEASURES, PORT, POWER, POWERS, ROLE, ROLES, SNMP, STATUS, UNKNOWN, UP, Where,
};
use super::circuit_settings::{Judged, Parts, Settings};
use super::circuits::{Circuits, Common, DEFAULT_HOURS, MEASURED};
use super::devices::{Defaults, Inventory, access};
use super::layer::STATUSES;
use super::ports::Wanted;
use crate::config::hours;
use crate::config::names::{NameMap, NameSet};
use crate::config::raw::{At, Place};
use crate::config::reader::{did_you_mean, listing, unknown_reference};
use crate::config::report::{Ctx, Draft};
use crate::config::values::{self, Taken, refuse};
use crate::model::circuit::{Circuit, Hours, Line, Measure, Power};
use crate::model::snmp::SnmpAccess;
use crate::model::{Device, DeviceId, InterfaceWanted, Liveness, Name, Owner, Role, Status, ThresholdKind, Watch};
use std::sync::Arc;

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
    /// By class, parts, and what is known by numbers.
    settings: NameMap<(Name, usize, Judged), Settings>,
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
        let class = self.class(given);
        let device = self.device(given);
        let status = self.word(given, STATUS, STATUSES).unwrap_or_default();
        let measure = self.measure(given, device);
        let address = given.cells[ADDRESS].map(|_| {
            let read = |text: &str| values::host_address(text, &|name| self.ctx.zone(name));
            self.cell(given, ADDRESS, read).unwrap_or_else(|| UNKNOWN.into())
        });
        let liveness = self.liveness(given, &measure);
        let snmp = self.snmp(given, &measure, liveness);
        let can = Judged {
            measured: measure != Measure::Nothing,
            by_echo: liveness == Liveness::Echo,
        };
        let settings = self.settings(given, &class, parts, can);
        let mut circuit = self.circuit(given, &class, status, measure);
        circuit.tells_utilization = settings.tells_utilization;
        let Some((id, at)) = id else { return };
        self.want_port(&circuit, status);
        let parent = device.and_then(|d| self.inventory.devices.get(d.index()));
        let address = address.or(parent.map(Device::host)).unwrap_or_else(|| UNKNOWN.into());
        let device = Device {
            name: id,
            role: Role::Circuit,
            address: address.ip,
            zone: address.zone,
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

    /// What only a circuit has.
    fn circuit(&mut self, given: &Given<'_>, class: &str, status: Status, measure: Measure) -> Circuit {
        let institution_id = self.shared(given, INSTITUTION_ID);
        if given.cells[INSTITUTION_ID].is_none() {
            let hint = "the institution's code: names repeat, codes do not";
            given.missing(self.ctx, INSTITUTION_ID, hint);
        }
        let institution_id = institution_id.unwrap_or_else(|| self.intern(""));
        let default = if class == "user" {
            Power::MayBeOff
        } else {
            Power::Always
        };
        let power = self.word(given, POWER, POWERS).unwrap_or(default);
        Circuit {
            institution: self
                .shared(given, INSTITUTION)
                .unwrap_or_else(|| institution_id.clone()),
            institution_id,
            carrier: self.shared(given, CARRIER),
            role: self.word(given, ROLE, ROLES).unwrap_or_default(),
            measure,
            down_bps: self.rate(given, DOWN),
            up_bps: self.rate(given, UP),
            power,
            hours: self.hours(given, power, status),
            contact: self.contact(given),
            tells_utilization: false,
        }
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
        take(self.ctx, "interface", text, at, circuit::port)?;
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
        let Some(liveness) = take(self.ctx, "liveness", text, at, circuit::liveness) else {
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

    fn settings(&mut self, given: &Given<'_>, class: &Name, parts: usize, can: Judged) -> Settings {
        let own = &self.parts[parts];
        let set = |kind: &ThresholdKind| own.thresholds.get(kind).is_some_and(Option::is_some);
        for (key, kind) in MEASURED
            .iter()
            .filter(|(_, kind)| set(kind) && !can.be_judged_by(*kind))
        {
            let what = format!("`thresholds.{key}` of {} has nothing to judge", given.name());
            let hint = match kind {
                ThresholdKind::Loss | ThresholdKind::Rtt => "loss and rtt need liveness = \"echo\"",
                _ => "it needs a circuit that is measured: `device` and `interface`, or measure = \"cpe\"",
            };
            self.ctx.error(given.at, what, hint);
        }
        let key = (class.clone(), parts, can);
        if let Some(settings) = self.settings.get(&key) {
            return settings.clone();
        }
        let before = self.ctx.error_count();
        let settings = Settings::of(self.ctx, self.defaults, self.common, class, own, can);
        // What is wrong is told of each circuit.
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
                to: None,
            }]
            .into()
        };
        self.cpe_ports.entry(port.clone()).or_insert_with(new).clone()
    }
}
