//! The operator's network of the stories, out of namespaces:
//!
//! ```text
//!   oob ── wwan0 mon ── gw ──┬── edge-a ──┬── platform ── office
//!   relay   (hinomi)         │            └── agg ──┬── inst1
//!                            └── edge-b             └── inst2
//! ```
//!
//! Addresses are documentation ranges and exist only inside the namespaces. `plat0` of edge-a crosses the demarcation point.

use crate::mailbox::{Mail, Mailbox};
use crate::net::Net;
use crate::parts::{Folder, Hinomi, Running, Snmpd, smtpd};
use crate::runner::Tale;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const GW: &str = "192.0.2.1";
pub(crate) const EDGE_A: &str = "192.0.2.10";
pub(crate) const EDGE_B: &str = "192.0.2.14";
pub(crate) const AGG: &str = "192.0.2.34";
pub(crate) const INST1: &str = "192.0.2.66";
pub(crate) const INST2: &str = "192.0.2.70";
pub(crate) const PLATFORM: &str = "198.51.100.2";
pub(crate) const OFFICE: &str = "198.51.100.66";
pub(crate) const OOB: &str = "203.0.113.1";

/// Both relays listen here.
pub(crate) const SMTP: u16 = 2525;

const NAMES: [&str; 10] = [
    "mon", "gw", "edge-a", "edge-b", "platform", "agg", "inst1", "inst2", "office", "oob",
];

/// Routes of `mon` over its cable to `gw`, needed again when that was pulled.
pub(crate) const MON_ROUTES: [(&str, &str); 2] = [("192.0.2.0/24", GW), ("198.51.100.0/24", GW)];

/// The network with its relays, and the daemon once it is started. The order is the order of the end: daemon, parts, namespaces.
pub(crate) struct World {
    pub(crate) hinomi: Option<Hinomi>,
    pub(crate) traffic: Option<Running>,
    pub(crate) agents: Vec<Snmpd>,
    pub(crate) office: Option<Running>,
    _oob: Running,
    pub(crate) office_box: Mailbox,
    pub(crate) oob_box: Mailbox,
    pub(crate) net: Net,
    pub(crate) folder: Folder,
}

impl World {
    /// Wires everything and starts the two relays.
    pub(crate) fn build(tale: &Tale) -> Result<World, String> {
        let folder = Folder::new(tale.name)?;
        let net = Net::new(&NAMES)?;
        wire(&net)?;
        let (office, office_mails) = smtpd(&folder, "office", SMTP)?;
        let (oob, oob_mails) = smtpd(&folder, "oob", SMTP)?;
        tale.say("network and both relays are up");
        Ok(World {
            hinomi: None,
            traffic: None,
            agents: Vec::new(),
            office: Some(office),
            _oob: oob,
            office_box: Mailbox::new(&office_mails),
            oob_box: Mailbox::new(&oob_mails),
            net,
            folder,
        })
    }

    /// Starts a real snmpd on a device; its place in `agents`.
    pub(crate) fn agent(&mut self, ns: &str) -> Result<usize, String> {
        self.agents.push(Snmpd::start(&self.folder, ns)?);
        Ok(self.agents.len() - 1)
    }

    /// Bounded traffic from the platform into edge-a, so that octets in can stop.
    pub(crate) fn background(&mut self) -> Result<(), String> {
        let log = self.folder.path().join("traffic.log");
        let argv = ["ping", "-q", "-i", "0.02", "-s", "1200", "-w", "900", "198.51.100.1"];
        self.traffic = Some(Running::start(Some("platform"), &log, &[], &argv)?);
        Ok(())
    }

    /// Writes the configuration and starts the daemon in `mon`.
    pub(crate) fn start(&mut self, tale: &Tale, config: &str) -> Result<PathBuf, String> {
        let path = self.folder.write("hinomi.toml", config)?;
        self.hinomi = Some(Hinomi::start(&self.folder, Some("mon"), &path)?);
        tale.say("hinomi runs");
        Ok(path)
    }

    /// The daemon.
    pub(crate) fn daemon(&mut self) -> Result<&mut Hinomi, String> {
        let hinomi = self.hinomi.as_mut().ok_or("the daemon is not started")?;
        if let Some(status) = hinomi.running.ended() {
            return Err(format!("hinomi ended ({status}):\n      {}", hinomi.running.tail(20)));
        }
        Ok(hinomi)
    }

    /// What both relays accepted, oldest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let mut all = self.office_box.all();
        all.extend(self.oob_box.all());
        all.sort_by_key(|m| m.arrived);
        all
    }

    /// Waits until the states of these devices are as wanted.
    pub(crate) fn wait_reach(
        &mut self,
        tale: &Tale,
        devices: &[&str],
        wanted: &[&str],
        limit: Duration,
    ) -> Result<(), String> {
        let began = tale.seconds();
        loop {
            let status = self.daemon()?.status()?;
            let states: Vec<String> = devices.iter().map(|d| reach(&status, d)).collect();
            if states.iter().all(|s| wanted.contains(&s.as_str())) {
                tale.say(format!("{} {}", devices.join(", "), wanted.join(" or ")));
                return Ok(());
            }
            if tale.seconds() - began > limit.as_secs_f64() {
                let log = self.daemon()?.running.tail(12);
                return Err(format!(
                    "{} should be {} within {} s, but are {}; the daemon's last lines:\n      {log}",
                    devices.join(", "),
                    wanted.join(" or "),
                    limit.as_secs(),
                    states.join(", ")
                ));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The reach of a device in `status --json`; empty if it is not there.
pub(crate) fn reach(status: &serde_json::Value, device: &str) -> String {
    status["devices"]
        .as_array()
        .and_then(|list| list.iter().find(|d| d["name"] == device))
        .and_then(|d| d["reach"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn wire(net: &Net) -> Result<(), String> {
    net.cable(("mon", "eth0", "192.0.2.2/30"), ("gw", "mon0", "192.0.2.1/30"))?;
    net.cable(("gw", "edgea", "192.0.2.9/30"), ("edge-a", "up0", "192.0.2.10/30"))?;
    net.cable(("gw", "edgeb", "192.0.2.13/30"), ("edge-b", "up0", "192.0.2.14/30"))?;
    net.cable(("edge-a", "agg0", "192.0.2.33/30"), ("agg", "up0", "192.0.2.34/30"))?;
    net.cable(("edge-b", "agg0", "192.0.2.37/30"), ("agg", "up1", "192.0.2.38/30"))?;
    net.cable(("agg", "acc1", "192.0.2.65/30"), ("inst1", "wan0", "192.0.2.66/30"))?;
    net.cable(("agg", "acc2", "192.0.2.69/30"), ("inst2", "wan0", "192.0.2.70/30"))?;
    net.cable(
        ("edge-a", "plat0", "198.51.100.1/30"),
        ("platform", "edgea", "198.51.100.2/30"),
    )?;
    net.cable(
        ("edge-b", "plat0", "198.51.100.5/30"),
        ("platform", "edgeb", "198.51.100.6/30"),
    )?;
    net.cable(
        ("platform", "office", "198.51.100.65/30"),
        ("office", "eth0", "198.51.100.66/30"),
    )?;
    net.cable(("mon", "wwan0", "203.0.113.2/30"), ("oob", "eth0", "203.0.113.1/30"))?;
    for (to, via) in MON_ROUTES {
        net.route("mon", to, via)?;
    }
    for (ns, to, via) in [
        ("gw", "192.0.2.32/27", "192.0.2.10"),
        ("gw", "192.0.2.64/26", "192.0.2.10"),
        ("gw", "198.51.100.4/30", "192.0.2.14"),
        ("gw", "198.51.100.0/24", "192.0.2.10"),
        ("edge-a", "192.0.2.64/26", "192.0.2.34"),
        ("edge-a", "198.51.100.64/26", "198.51.100.2"),
        ("edge-a", "default", "192.0.2.9"),
        ("edge-b", "default", "192.0.2.13"),
        ("agg", "default", "192.0.2.33"),
        ("inst1", "default", "192.0.2.65"),
        ("inst2", "default", "192.0.2.69"),
        ("platform", "192.0.2.0/24", "198.51.100.1"),
        ("office", "default", "198.51.100.65"),
    ] {
        net.route(ns, to, via)?;
    }
    Ok(())
}
