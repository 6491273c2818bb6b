//! One checked site: everything the daemon needs to know, with names resolved.

use super::{Contact, Device, DeviceId, FindingKind, FindingRule, Maintenance, Procedure, Profiles, Redundancy, Route};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Language of mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// 日本語
    #[default]
    #[serde(rename = "ja")]
    Japanese,
    /// English
    #[serde(rename = "en")]
    English,
}

/// `[operator]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Shown in mails.
    pub name: String,
    /// Where other parties reach the operator; stands in what they are told.
    pub phone: Option<String>,
    /// Of mails; a contact may override it.
    pub language: Language,
    /// IANA name, known to exist.
    pub timezone: String,
    /// Days on which institutions are closed: days since 1970-01-01, sorted.
    pub holidays: std::sync::Arc<[i32]>,
}

/// `[daemon]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSettings {
    /// Ledger, outbox, cache, control socket.
    pub state: PathBuf,
    /// /healthz, /readyz, and /metrics unless `metrics` is given.
    pub listen: SocketAddr,
    /// Separate listener for /metrics.
    pub metrics: Option<SocketAddr>,
}

/// `[heartbeat]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// `http://` or `https://`.
    pub url: String,
    /// Between two beats.
    pub every: Duration,
}

/// `[traps]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapSettings {
    /// Where notifications come in.
    pub listen: TrapListen,
    /// Datagrams a second that one source may send for good.
    pub rate: u32,
    /// Datagrams that one source may send at once.
    pub burst: u32,
}

/// `[plugins]`: the helper that runs the commands of watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// Where it listens.
    pub socket: PathBuf,
    /// Plugins that run at once.
    pub at_once: u32,
}

impl Default for PluginSettings {
    fn default() -> PluginSettings {
        PluginSettings {
            socket: PathBuf::from("/run/hinomi-plugins/socket"),
            at_once: 4,
        }
    }
}

/// Where the sockets for notifications come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrapListen {
    /// hinomi opens them.
    At(Vec<SocketAddr>),
    /// systemd has opened them (`hinomi-traps.socket`): ports below 1024 need no privilege of ours then.
    Systemd,
}

/// A whole site, checked. References are ids or names that exist; parents have no cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// `[operator]`.
    pub operator: Operator,
    /// `[daemon]`.
    pub daemon: DaemonSettings,
    /// `daemon.uplinks`, as devices (some made for the purpose), in the order written: the first is the own gateway.
    pub uplinks: Vec<DeviceId>,
    /// Indexed by [`DeviceId`].
    pub devices: Vec<Device>,
    /// `[snmp.NAME]`, each of them, used or not.
    pub accesses: Vec<std::sync::Arc<super::snmp::SnmpAccess>>,
    /// Vendor profiles: those built in and those of `[profiles]`.
    pub profiles: std::sync::Arc<Profiles>,
    /// `[findings]` for what belongs to no device (blind, routes).
    pub findings: BTreeMap<FindingKind, FindingRule>,
    /// `[[redundancy]]`, in order.
    pub redundancy: Vec<Redundancy>,
    /// `[[contact]]`.
    pub contacts: Vec<Contact>,
    /// `[[procedure]]`, in order.
    pub procedures: Vec<Procedure>,
    /// `[[route]]`, in order.
    pub routes: Vec<Route>,
    /// `[[maintenance]]`.
    pub maintenance: Vec<Maintenance>,
    /// `[heartbeat]`.
    pub heartbeat: Option<Heartbeat>,
    /// `[traps]`; without it nothing listens for them.
    pub traps: Option<TrapSettings>,
    /// `[plugins]`.
    pub plugins: PluginSettings,
    /// SHA-256 of the configuration files as read, in hexadecimal.
    pub fingerprint: String,
}

impl Site {
    /// The device of an id of this site.
    pub fn device(&self, id: DeviceId) -> &Device {
        &self.devices[id.index()]
    }

    /// All devices with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices
            .iter()
            .enumerate()
            .map(|(i, d)| (DeviceId(u32::try_from(i).unwrap_or(u32::MAX)), d))
    }

    /// The id of a name.
    pub fn find(&self, name: &str) -> Option<DeviceId> {
        self.iter().find(|(_, d)| &*d.name == name).map(|(id, _)| id)
    }

    /// Level and delay of a finding that belongs to no device.
    pub fn rule(&self, kind: FindingKind) -> FindingRule {
        self.findings.get(&kind).copied().unwrap_or_else(|| kind.default_rule())
    }
}
