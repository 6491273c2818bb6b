//! `[[device]]` and devices.csv: the inventory, with groups and defaults folded in and references resolved.

use super::circuits::{self, Circuits};
use super::findings::{self, FindingPart};
use super::layer::{self, Class, Layer, first, place};
use super::operator::Daemon;
use super::poll::{self, PollPart};
use super::snmp::Accesses;
use super::thresholds::ThresholdPart;
use super::{Unique, device_rows, doubts_paths, paths, share};
use crate::config::names::NameMap;
use crate::config::raw::{At, Node, Place, Value};
use crate::config::reader::{Walk, unknown_reference};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::{
    Crossing, Device, DeviceId, HostAddress, Liveness, Name, Owner, Role, Status, Subnet, Threshold, ThresholdKind,
    WatchKind,
};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What devices are built from.
pub(super) struct Defaults<'d> {
    pub(super) poll: PollPart,
    pub(super) accesses: Accesses,
    pub(super) thresholds: ThresholdPart,
    pub(super) findings: &'d FindingPart,
    pub(super) classes: BTreeMap<String, Class>,
    pub(super) groups: BTreeMap<String, Layer>,
}

/// All devices and what others refer to.
pub(super) struct Inventory {
    pub(super) devices: Vec<Device>,
    pub(super) uplinks: Vec<DeviceId>,
    /// Names of devices to ids; circuits are not among them.
    pub(super) ids: NameMap<Name, DeviceId>,
    /// The names in `ids`, sorted, once somebody asks.
    sorted: OnceCell<Vec<Name>>,
    /// Where each device stands (its name), parallel to `devices`.
    pub(super) places: Vec<Place>,
    /// Whether `snmp` is written for a device, perhaps wrongly.
    pub(super) speaks_snmp: Vec<bool>,
    /// What only circuits have.
    pub(super) circuits: Circuits,
    pub(super) groups: Vec<String>,
    pub(super) classes: Vec<String>,
}

impl Inventory {
    /// The names of devices, sorted: for guesses.
    pub(super) fn names(&self) -> &[Name] {
        self.sorted.get_or_init(|| {
            let circuits = &self.circuits.ids;
            let devices = self.devices.iter().filter(|d| d.role != Role::Circuit);
            let mut names: Vec<Name> = devices
                .map(|d| d.name.clone())
                .filter(|n| !circuits.contains_key(n))
                .collect();
            names.sort_unstable();
            names
        })
    }

    /// The device of a name, or a report.
    pub(super) fn resolve(&self, ctx: &Ctx<'_>, name: &At<String>) -> Option<DeviceId> {
        let found = self.ids.get(name.value.as_str()).copied();
        if found.is_none() {
            unknown_reference(
                ctx,
                "device",
                name,
                self.names().iter().map(|n| &**n),
                "there is no [[device]] at all",
            );
        }
        found
    }

    /// `crosses`: device names and `{ any = […] }`.
    pub(super) fn crosses(&self, walk: &Walk<'_>) -> Vec<Crossing> {
        let hint = "a list of device names, all of them needed; where one suffices: { any = [\"a\", \"b\"] }";
        walk.list("crosses", hint, |ctx, node| self.crossing(ctx, node, hint))
            .map_or(Vec::new(), |c| c.value)
    }

    fn crossing(&self, ctx: &Ctx<'_>, node: &Node, hint: &str) -> Option<Crossing> {
        if matches!(node.value, Value::String(_)) {
            let value = crate::config::reader::text(ctx, "crosses", node, values::name)?;
            return self.resolve(ctx, &At { value, at: node.at }).map(Crossing::Device);
        }
        let walk = Walk::of(ctx, node, "an entry of `crosses`", hint)?;
        let any = walk.names("any", hint);
        let any = walk.required("any", hint, any);
        walk.finish();
        let any = any?;
        if any.value.is_empty() {
            ctx.error(any.at, "`any` is empty", hint);
        }
        Some(Crossing::Any(
            any.value.iter().filter_map(|n| self.resolve(ctx, n)).collect(),
        ))
    }
}

/// A device as written, before references are resolved.
pub(super) struct Written {
    pub(super) name: At<String>,
    group: Option<At<String>>,
    address: Option<At<HostAddress>>,
    pub(super) layer: Layer,
    pub(super) demarcation: Option<WrittenDemarcation>,
}

/// `demarcation`, before its device is resolved.
pub(super) struct WrittenDemarcation {
    pub(super) device: At<String>,
    pub(super) interface: At<String>,
    pub(super) peers: Vec<IpAddr>,
    pub(super) subnet: Option<Subnet>,
}

impl Written {
    fn speaks_snmp(&self, groups: &BTreeMap<String, Layer>) -> bool {
        let group = self.group.as_ref().and_then(|g| groups.get(&g.value));
        first(&self.layer, group, |l| l.snmp.as_ref()).is_some()
    }
}

/// Reads all devices and puts the inventory together.
pub(super) fn inventory(top: &Walk<'_>, defaults: &Defaults<'_>, daemon: &Daemon) -> Inventory {
    let ctx = top.ctx;
    let mut unique = Unique::new(ctx, "device");
    let mut written: Vec<Written> = super::tables(top, "device").into_iter().filter_map(read).collect();
    device_rows::rows(top, |walk| written.extend(read(walk)));
    written.retain(|d| unique.add(&d.name));
    let mut devices: Vec<Device> = written.iter().map(|d| build(ctx, d, defaults)).collect();
    share::share(&mut devices);
    let ids = |(i, d): (usize, &Device)| (Name::clone(&d.name), DeviceId(u32::try_from(i).unwrap_or(u32::MAX)));
    let mut inventory = Inventory {
        ids: devices.iter().enumerate().map(ids).collect(),
        devices,
        uplinks: Vec::new(),
        sorted: OnceCell::new(),
        places: written.iter().map(|d| d.name.at).collect(),
        speaks_snmp: written.iter().map(|d| d.speaks_snmp(&defaults.groups)).collect(),
        circuits: Circuits::default(),
        groups: defaults.groups.keys().cloned().collect(),
        classes: defaults.classes.keys().cloned().collect(),
    };
    paths::connect(ctx, &mut inventory, &written, &defaults.groups);
    for snmp in defaults.groups.values().filter_map(|g| g.snmp.as_ref()) {
        access(ctx, snmp, &defaults.accesses);
    }
    for class in defaults.groups.values().filter_map(|g| g.class.as_ref()) {
        known_class(ctx, class, defaults);
    }
    circuits::circuits(top, defaults, &mut inventory);
    paths::uplinks(ctx, &mut inventory, daemon, &poll::settle(ctx, &[&defaults.poll]));
    doubts_paths::doubts(ctx, &inventory, &written, &defaults.groups);
    doubts_paths::none_at_all(ctx, &inventory, &written, &defaults.groups, daemon.at);
    inventory
}

fn read(walk: Walk<'_>) -> Option<Written> {
    let name = walk.required(
        "name",
        "every device has a name; everything else refers to it",
        walk.name("name"),
    );
    let address = walk.text("address", |s| values::host_address(s, &|name| walk.ctx.zone(name)));
    let address = walk.required("address", "the literal IPv4 or IPv6 address that is polled", address);
    let group = walk.name("group");
    let layer = layer::layer(&walk);
    let demarcation = demarcation(&walk);
    walk.finish();
    Some(Written {
        name: name?,
        group,
        address,
        layer,
        demarcation,
    })
}

fn demarcation(walk: &Walk<'_>) -> Option<WrittenDemarcation> {
    let hint = "the link that crosses the demarcation point: { device = \"edge-a\", interface = \"xe-0/0/0\" }";
    let entry = walk.get("demarcation")?;
    let table = Walk::of(walk.ctx, &entry.node, "`demarcation`", hint)?;
    let device = table.required("device", hint, table.name("device"));
    let interface = table.text("interface", |s| match s.contains(['*', '?']) {
        true => values::refuse(
            "is a pattern",
            "the demarcation link is one interface; write its ifName",
        ),
        false => values::name(s),
    });
    let interface = table.required("interface", hint, interface);
    let peers = table.list(
        "peers",
        "BGP neighbours over this link: [\"198.51.100.1\"]",
        |ctx, node| crate::config::reader::text(ctx, "peers", node, values::address),
    );
    let subnet = table.text("subnet", values::subnet);
    table.finish();
    Some(WrittenDemarcation {
        device: device?,
        interface: interface?,
        peers: peers.map_or_else(Vec::new, |p| p.value),
        subnet: subnet.map(|s| s.value),
    })
}

fn build(ctx: &Ctx<'_>, written: &Written, defaults: &Defaults<'_>) -> Device {
    let group = written.group.as_ref().and_then(|name| {
        let found = defaults.groups.get(&name.value);
        if found.is_none() {
            let all = defaults.groups.keys().map(String::as_str);
            unknown_reference(ctx, "group", name, all, "add a section [group.NAME], or remove `group`");
        }
        found
    });
    let own = &written.layer;
    if let Some(class) = &own.class {
        known_class(ctx, class, defaults);
    }
    let owner = *first(own, group, |l| l.owner.as_ref()).unwrap_or(&Owner::Own);
    let class = first(own, group, |l| l.class.as_ref());
    let class_part = class.and_then(|c| defaults.classes.get(&c.value));
    let snmp = match &own.snmp {
        Some(name) => access(ctx, name, &defaults.accesses),
        None => group
            .and_then(|g| g.snmp.as_ref())
            .and_then(|n| defaults.accesses.get(&n.value).cloned().flatten()),
    };
    let (none, empty) = (Layer::default(), Class::default());
    let (group_part, class_part) = (group.unwrap_or(&none), class_part.unwrap_or(&empty));
    let mut thresholds = thresholds(
        owner,
        &defaults.thresholds,
        &class_part.thresholds,
        &[&group_part.thresholds, &own.thresholds],
    );
    if first(own, group, |l| l.snmp.as_ref()).is_none() {
        // From [thresholds] they reach every device; where nothing can be read they would only ever miss their data.
        thresholds.retain(|kind, _| by_echo(*kind));
    }
    let device = Device {
        name: Arc::from(written.name.value.as_str()),
        role: Role::Managed,
        address: written
            .address
            .as_ref()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.value.ip),
        zone: written.address.as_ref().and_then(|a| a.value.zone.clone()),
        owner,
        group: written.group.as_ref().map(|g| Arc::from(g.value.as_str())),
        site: first(own, group, |l| l.site.as_ref()).map(|s| Arc::from(s.value.as_str())),
        class: class.map(|c| Arc::from(c.value.as_str())),
        tags: first(own, group, |l| l.tags.as_ref()).map_or_else(|| [].into(), |t| t.as_slice().into()),
        status: *first(own, group, |l| l.status.as_ref()).unwrap_or(&Status::Active),
        liveness: first(own, group, |l| l.liveness.as_ref()).map_or(Liveness::Echo, |l| l.value),
        poll: poll::settle(ctx, &[&defaults.poll, &group_part.poll, &own.poll]),
        snmp,
        profile: first(own, group, |l| l.profile.as_ref()).cloned().flatten(),
        interfaces: first(own, group, |l| l.interfaces.as_ref())
            .map_or_else(|| [].into(), |i| i.value.as_slice().into()),
        watches: first(own, group, |l| l.watches.as_ref()).map_or_else(|| [].into(), |w| w.value.as_slice().into()),
        thresholds: Arc::new(thresholds),
        findings: Arc::new(findings::settle(&[
            defaults.findings,
            &class_part.findings,
            &group_part.findings,
            &own.findings,
        ])),
        circuit: None,
        parents: Vec::new(),
        demarcation: None,
    };
    needs_snmp(ctx, written, group, &device);
    device
}

/// The thresholds in force. Loss and round-trip time from [thresholds] do not reach beyond the own network (design section 3).
fn thresholds(
    owner: Owner,
    top: &ThresholdPart,
    class: &ThresholdPart,
    named: &[&ThresholdPart],
) -> BTreeMap<ThresholdKind, Threshold> {
    let foreign = matches!(owner, Owner::Platform | Owner::Institution);
    let off = |kind: &ThresholdKind| foreign && matches!(kind, ThresholdKind::Loss | ThresholdKind::Rtt);
    let top = top.iter().filter(|(kind, _)| !off(kind)).map(|(k, t)| (*k, *t));
    super::thresholds::settle(top, &[class], named)
}

pub(super) fn access(
    ctx: &Ctx<'_>,
    name: &At<String>,
    accesses: &Accesses,
) -> Option<Arc<crate::model::snmp::SnmpAccess>> {
    let found = accesses.get(&name.value);
    if found.is_none() {
        let all = accesses.keys().map(String::as_str);
        unknown_reference(
            ctx,
            "section [snmp.…] named",
            name,
            all,
            "add a section [snmp.NAME] with version and credentials",
        );
    }
    found.cloned().flatten()
}

fn known_class(ctx: &Ctx<'_>, class: &At<String>, defaults: &Defaults<'_>) {
    if !defaults.classes.contains_key(&class.value) {
        unknown_reference(ctx, "class", class, defaults.classes.keys().map(String::as_str), "");
    }
}

/// Judged from echoes alone.
fn by_echo(kind: ThresholdKind) -> bool {
    matches!(kind, ThresholdKind::Loss | ThresholdKind::Rtt)
}

/// Interfaces, watches of OIDs and liveness by SNMP need credentials.
fn needs_snmp(ctx: &Ctx<'_>, written: &Written, group: Option<&Layer>, device: &Device) {
    if first(&written.layer, group, |l| l.snmp.as_ref()).is_some() {
        return;
    }
    let at = written.name.at;
    let name = &written.name.value;
    let hint = "add snmp = \"NAME\" to the device or its group, and a section [snmp.NAME]";
    if !device.interfaces.is_empty() {
        let at = place(written.layer.interfaces.as_ref(), at);
        ctx.error(
            at,
            format!("`interfaces` of `{name}` cannot be read: the device has no `snmp`"),
            hint,
        );
    }
    if device.watches.iter().any(|w| matches!(w.kind, WatchKind::Oid { .. })) {
        let at = place(written.layer.watches.as_ref(), at);
        ctx.error(
            at,
            format!("a watch by `oid` of `{name}` cannot be read: the device has no `snmp`"),
            hint,
        );
    }
    if written
        .layer
        .thresholds
        .iter()
        .any(|(kind, line)| line.is_some() && !by_echo(*kind))
    {
        let what = format!("`thresholds` of `{name}` need what is read by SNMP, and the device has no `snmp`");
        ctx.error(at, what, hint);
    }
    if device.liveness == Liveness::Snmp {
        let at = place(written.layer.liveness.as_ref(), at);
        ctx.error(
            at,
            format!("liveness of `{name}` is by SNMP, but the device has no `snmp`"),
            hint,
        );
    }
}
