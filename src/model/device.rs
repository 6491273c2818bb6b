//! Devices: what is watched, how, and on which path it lies.

use super::circuit::Circuit;
use super::host_address::{self, HostAddress, Zone};
use super::service::Service;
use super::{FindingKind, FindingRule, Name, Threshold, ThresholdKind, snmp::SnmpAccess};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Index into [`super::Site::devices`]. Dense, valid for one `Site` only: a reload gives new ones, names stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct DeviceId(pub u32);

impl DeviceId {
    /// For indexing slices.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whose device it is (guideline 3.2.1(1)): decides finding kind, verdict and who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The operator itself.
    Own,
    /// The interconnection platform, past the demarcation point.
    Platform,
    /// An access carrier.
    Carrier,
    /// A connected institution.
    Institution,
}

impl Owner {
    /// The word in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Owner::Own => "own",
            Owner::Platform => "platform",
            Owner::Carrier => "carrier",
            Owner::Institution => "institution",
        }
    }

    /// The finding when such a device falls silent.
    pub fn down_kind(self) -> FindingKind {
        match self {
            Owner::Own | Owner::Carrier => FindingKind::DeviceDown,
            Owner::Platform => FindingKind::PlatformDown,
            Owner::Institution => FindingKind::CircuitSilent,
        }
    }
}

/// Life of a device in the inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not yet in service: checked, not polled.
    Planned,
    /// Watched.
    #[default]
    Active,
    /// Out of service: not polled.
    Ended,
}

/// How liveness is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// ICMP or ICMPv6 echo.
    Echo,
    /// An SNMP GET of sysUpTime.
    Snmp,
    /// The state of the circuit's line, as the operator's device tells it in its SNMP round.
    Line,
    /// A TCP connection to this port.
    Tcp(u16),
    /// Not watched; taken as up while its path is up.
    None,
}

/// Why a device is in the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Written as `[[device]]`.
    Managed,
    /// An access circuit: see [`Device::circuit`].
    Circuit,
    /// Made from a line of `daemon.uplinks` that is no device's address: feeds the blind guard, is never accused.
    UplinkOnly,
}

/// What follows a missed round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// Echoes, spread evenly.
    pub echoes: u32,
    /// Over this time; the answer of the last is waited for `timeout` more.
    pub over: Duration,
}

/// What must be seen before "up" is believed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recover {
    /// Good rounds in a row.
    pub rounds: u32,
    /// And at least this long since the first of them.
    pub over: Duration,
}

/// Times of polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollSettings {
    /// Between the starts of two rounds.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Echoes a round, 200 ms apart.
    pub echoes: u32,
    /// After a miss.
    pub confirm: Confirm,
    /// Before up again.
    pub recover: Recover,
}

impl PollSettings {
    /// Longest time from the fault to "down": interval + confirm.over + timeout (design section 3).
    pub fn detection(&self) -> Duration {
        self.interval + self.confirm.over + self.timeout
    }
}

/// One entry of `interfaces`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceWanted {
    /// ifName, with `*` and `?` as wildcards.
    pub pattern: Name,
    /// Contracted rate in bit/s; utilisation is of this, else of the port's speed.
    pub rate_bps: Option<u64>,
    /// A finding when it is not up, even if it never was.
    pub expect_up: bool,
    /// `role = "backup"`: down or dormant is healthy.
    pub backup: bool,
    /// `to = …`: where the cable of this port ends.
    pub to: Option<LinkEnd>,
}

/// The far end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// A device of this site.
    pub device: Name,
    /// Its port, by ifName, if that is known.
    pub interface: Option<Name>,
}

impl InterfaceWanted {
    /// It names one interface. A pattern with `*` or `?` does not.
    pub fn is_named(&self) -> bool {
        self.is_by_alias() || !self.pattern.contains(['*', '?'])
    }

    /// It names an interface by its ifAlias, or by the user of its session.
    pub fn is_by_alias(&self) -> bool {
        self.pattern.starts_with("alias:") || self.pattern.starts_with("session:")
    }
}

/// Anything else that needs monitoring.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Unique within the device.
    pub name: Name,
    /// What is asked.
    pub kind: WatchKind,
}

/// What a `watch` asks.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchKind {
    /// Any OID whose value is a number.
    Oid {
        /// The instance, as sub-identifiers.
        oid: Vec<u32>,
        /// Multiplied to the raw value.
        scale: f64,
        /// For people.
        unit: String,
        /// Two levels, if any.
        threshold: Option<Threshold>,
    },
    /// A TCP port that should take connections. Refused or silent for the device's confirm time is a finding.
    Tcp {
        /// Port on the device's address.
        port: u16,
    },
    /// A certificate, a page, a name server, a clock, a plugin.
    Service(Arc<Service>),
}

/// The link that crosses the demarcation point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demarcation {
    /// The own edge device; also the parent.
    pub device: DeviceId,
    /// Its interface toward the platform, by ifName.
    pub interface: Name,
    /// `peers = …`: BGP neighbours that are reached over this link. Those in a subnet of the interface count too.
    pub peers: Vec<IpAddr>,
    /// `subnet = …`: the addresses on this link; else what the edge device tells of its interface.
    pub subnet: Option<Subnet>,
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Subnet {
    /// One of them.
    pub address: IpAddr,
    /// How many bits they share: at most 32 (IPv4) or 128 (IPv6).
    pub length: u8,
}

impl Subnet {
    /// Is it one of them?
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let ((own, width), (other, other_width)) = (bits(self.address), bits(address));
        let shared = u32::from(self.length).min(width);
        width == other_width && (own ^ other).checked_shr(128 - shared).unwrap_or(0) == 0
    }
}

/// Where a socket is bound: to a network device or to a local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// `SO_BINDTODEVICE`.
    Device(String),
    /// A local source address.
    Address(HostAddress),
}

/// One watched device; groups and defaults are already folded in. What many have in common is shared, not copied: a nation has
/// hundreds of thousands of circuits.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Unique, the identity across reloads. Of a circuit: its id.
    pub name: Name,
    /// Why it is here.
    pub role: Role,
    /// Literal address.
    pub address: IpAddr,
    /// The link on which the address is one, if it is a link-local one of IPv6.
    pub zone: Option<Zone>,
    /// Whose.
    pub owner: Owner,
    /// `group = …`.
    pub group: Option<Name>,
    /// `site = …`.
    pub site: Option<Name>,
    /// `class = …`.
    pub class: Option<Name>,
    /// Free words.
    pub tags: Arc<[String]>,
    /// Planned, active, ended.
    pub status: Status,
    /// How liveness is found out.
    pub liveness: Liveness,
    /// Times.
    pub poll: PollSettings,
    /// What only an access circuit has.
    pub circuit: Option<Box<Circuit>>,
    /// Without it no SNMP is spoken.
    pub snmp: Option<Arc<SnmpAccess>>,
    /// `None` is `profile = "auto"`: chosen by sysObjectID.
    pub profile: Option<Name>,
    /// Interfaces by ifName (`alias:` by ifAlias, `session:` by the session's user).
    pub interfaces: Arc<[InterfaceWanted]>,
    /// Anything else.
    pub watches: Arc<[Watch]>,
    /// Thresholds in force for this device.
    pub thresholds: Arc<BTreeMap<ThresholdKind, Threshold>>,
    /// `[findings]` in force for this device, where they differ from the kind's default.
    pub findings: Arc<BTreeMap<FindingKind, FindingRule>>,
    /// Reachable while one of these is. `demarcation.device` is among them.
    pub parents: Vec<DeviceId>,
    /// For devices of the platform.
    pub demarcation: Option<Demarcation>,
}

impl Device {
    /// The service that a `watch` of this name asks.
    pub fn service(&self, watch: &str) -> Option<&Arc<Service>> {
        let watch = self.watches.iter().find(|w| *w.name == *watch)?;
        match &watch.kind {
            WatchKind::Service(service) => Some(service),
            WatchKind::Oid { .. } | WatchKind::Tcp { .. } => None,
        }
    }

    /// Its address with its zone, as people write it.
    pub fn host(&self) -> HostAddress {
        HostAddress {
            ip: self.address,
            zone: self.zone.clone(),
        }
    }

    /// Where its service on a port is reached.
    pub fn at_port(&self, port: u16) -> SocketAddr {
        host_address::socket(self.address, self.zone.as_ref(), port)
    }

    /// May a datagram from there be its own? The port does not matter; the zone does, as each link has its own `fe80::1`.
    pub fn is_at(&self, from: SocketAddr) -> bool {
        let zone = self.zone.as_ref().map(|z| z.index);
        let same_link = match (zone, from) {
            (Some(zone), SocketAddr::V6(v6)) => v6.scope_id() == zone,
            _ => true,
        };
        same_link && self.address.to_canonical() == from.ip().to_canonical()
    }

    /// Looks at what is used of a device in every round (see `core::warm`).
    pub fn warm(&self) {
        black_box(self.circuit.as_ref().map(|c| (c.down_bps, c.tells_utilization)));
        black_box((
            self.name.as_bytes().first(),
            self.parents.first(),
            self.interfaces.len(),
        ));
        black_box((self.poll.interval, self.address.is_ipv6(), self.status));
    }

    /// The entries of `interfaces` that mean an interface: by its name, and by the `alias:` or `session:` that it was found by.
    pub fn wants<'w>(&'w self, name: &'w str, found_by: Option<&'w Name>) -> impl Iterator<Item = &'w InterfaceWanted> {
        let fits = move |w: &&InterfaceWanted| found_by == Some(&w.pattern) || glob(&w.pattern, name);
        self.interfaces.iter().filter(fits)
    }

    /// Level and delay of a finding kind for this device.
    pub fn rule(&self, kind: FindingKind) -> FindingRule {
        self.findings.get(&kind).copied().unwrap_or_else(|| kind.default_rule())
    }
}

/// Whether a name fits a pattern with `*` (any run) and `?` (one character).
pub fn glob(pattern: &str, name: &str) -> bool {
    let (mut p, mut n) = (pattern.chars(), name.chars());
    // Where to go on after the last star, one character of the name later each time.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = n.clone();
        let Some(c) = n.next() else {
            return p.all(|rest| rest == '*');
        };
        match p.next() {
            Some('*') => {
                n = before;
                star = Some((p.clone(), n.clone()));
            }
            Some(wanted) if wanted == '?' || wanted == c => {}
            _ => {
                let Some((after, from)) = &mut star else { return false };
                from.next();
                (p, n) = (after.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Subnet, glob};

    #[test]
    fn a_subnet_holds_what_shares_its_bits() {
        let subnet = |address: &str, length| Subnet {
            address: address.parse().expect("an address"),
            length,
        };
        let holds = |s: Subnet, a: &str| s.contains(a.parse().expect("an address"));
        assert!(holds(subnet("198.51.100.2", 30), "198.51.100.1"));
        assert!(!holds(subnet("198.51.100.2", 30), "198.51.100.5"));
        assert!(holds(subnet("198.51.100.2", 31), "198.51.100.3"));
        assert!(holds(subnet("198.51.100.2", 32), "198.51.100.2"));
        assert!(!holds(subnet("198.51.100.2", 32), "198.51.100.3"));
        assert!(holds(subnet("2001:db8::1", 64), "2001:db8::ffff"));
        assert!(!holds(subnet("2001:db8::1", 64), "2001:db8:0:1::1"));
        assert!(!holds(subnet("198.51.100.2", 0), "2001:db8::1"), "another family");
        assert!(holds(subnet("198.51.100.2", 0), "203.0.113.1"));
    }

    #[test]
    fn globs_match_as_an_engineer_expects() {
        assert!(glob("xe-0/0/*", "xe-0/0/12"));
        assert!(!glob("xe-0/0/*", "xe-0/1/0"));
        assert!(glob("*", ""));
        assert!(glob("eth?", "eth0"));
        assert!(!glob("eth?", "eth10"));
        assert!(glob("*a*b*", "xxaxxbxx"));
        assert!(!glob("ae1", "ae10"));
        assert!(glob("a?c*", "abc") && glob("a*b*c", "aXbYbZc") && !glob("a?", "a"));
    }
}
