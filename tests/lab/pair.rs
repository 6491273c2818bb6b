//! The network of the redundancy stories: two edges that stand in for each other, toward their own LAN by VRRP and toward the
//! platform by BGP and OSPF. Addresses are documentation ranges and exist only inside the namespaces.
//!
//! ```text
//!   relay ── mail0 mon ─┬─ eth0 ── edge-a ─┬─ lan0 ── lan (a switch) ── lan0 ─┬─ edge-b ── eth1 ─ mon
//!           (hinomi)    └─ …               └─ plat0 ─────── platform ── plat0 ─┘
//! ```

use crate::mailbox::{Mail, Mailbox, epoch};
use crate::net::Net;
use crate::parts::{COMMUNITY, Folder, Hinomi, Running, Snmpd, smtpd};
use crate::routers::{Keepalived, Vrrp, agent_lines};
use crate::runner::{Tale, ensure};
use crate::words::list;
use crate::world::SMTP;
use serde_json::Value;
use std::time::Duration;

pub(crate) const EDGE_A: &str = "192.0.2.10";
pub(crate) const EDGE_B: &str = "192.0.2.14";
pub(crate) const PEER_A: &str = "198.51.100.2";
pub(crate) const PEER_B: &str = "198.51.100.6";

/// Seconds between two looks at an edge.
pub(crate) const INTERVAL: f64 = 5.0;
/// A look that a trap asked for.
pub(crate) const BY_TRAP: f64 = 2.0;
/// Beyond the interval, until the answers of a look are in and judged.
const SLACK: f64 = 1.0;

const NAMES: [&str; 6] = ["mon", "edge-a", "edge-b", "lan", "platform", "relay"];

/// The network with its agents and its relay, and the daemon once it is started. The order is the order of the end.
pub(crate) struct Pair {
    pub(crate) hinomi: Option<Hinomi>,
    _agents: Vec<Snmpd>,
    _relay: Running,
    mailbox: Mailbox,
    pub(crate) net: Net,
    pub(crate) folder: Folder,
}

/// An incident as hinomi has it.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// `switched-over` …
    pub(crate) kind: String,
    /// Milliseconds since 1970.
    pub(crate) opened: i64,
}

impl Pair {
    /// Wires everything, starts both snmpds and the relay.
    pub(crate) fn build(tale: &Tale) -> Result<Pair, String> {
        let folder = Folder::new(tale.name)?;
        let net = Net::new(&NAMES)?;
        wire(&net)?;
        let (relay, mails) = smtpd(&folder, "relay", SMTP)?;
        let mut agents = Vec::new();
        for (ns, monitor) in [("edge-a", "192.0.2.9"), ("edge-b", "192.0.2.13")] {
            let lines = agent_lines(&folder, ns, monitor, COMMUNITY)?;
            agents.push(Snmpd::start_with(&folder, ns, &lines)?);
        }
        tale.say("network, both agents and the relay are up");
        Ok(Pair {
            hinomi: None,
            _agents: agents,
            _relay: relay,
            mailbox: Mailbox::new(&mails),
            net,
            folder,
        })
    }

    /// Both keepalived; edge-a is to be master, and is waited for.
    pub(crate) fn vrrp(&self, tale: &Tale, version: u8, advert: &'static str) -> Result<[Keepalived; 2], String> {
        let vrrp = |priority| Vrrp {
            version,
            advert,
            priority,
        };
        let mut a = Keepalived::start(&self.folder, "edge-a", vrrp(150))?;
        let mut b = Keepalived::start(&self.folder, "edge-b", vrrp(100))?;
        a.wait("MASTER", 0, Duration::from_secs(15))?;
        b.wait("BACKUP", 0, Duration::from_secs(15))?;
        tale.say(format!("keepalived speaks VRRP version {version}: edge-a is master"));
        Ok([a, b])
    }

    /// Starts the daemon with these redundancy groups and findings, and waits until it has seen `ready` members of each group.
    pub(crate) fn watch(&mut self, tale: &Tale, findings: &str, groups: &str, more: &[&str]) -> Result<(), String> {
        let config = config(&self.folder, findings, groups)?;
        let path = self.folder.write("hinomi.toml", &config)?;
        self.hinomi = Some(Hinomi::start_with(&self.folder, Some("mon"), &path, more)?);
        self.until(tale, "both members of every group are read and ready", 40, |status| {
            let groups = status["redundancy"].as_array().map_or(&[][..], Vec::as_slice);
            !groups.is_empty()
                && groups
                    .iter()
                    .all(|g| g["ready"] == g["configured"] && !g["ready"].is_null())
        })
    }

    fn daemon(&mut self) -> Result<&mut Hinomi, String> {
        let hinomi = self.hinomi.as_mut().ok_or("the daemon is not started")?;
        if let Some(status) = hinomi.running.ended() {
            return Err(format!("hinomi ended ({status}):\n      {}", hinomi.running.tail(20)));
        }
        Ok(hinomi)
    }

    /// Waits until `status --json` is as wanted.
    pub(crate) fn until(
        &mut self,
        tale: &Tale,
        what: &str,
        limit: u64,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<(), String> {
        let until = tale.seconds() + limit as f64;
        loop {
            let status = self.daemon()?.status()?;
            if wanted(&status) {
                tale.say(what);
                return Ok(());
            }
            if tale.seconds() > until {
                let (mails, log) = (self.mailbox.all(), self.daemon()?.running.tail(12));
                return Err(format!(
                    "not within {limit} s: {what}; the groups are {}; mails: {}\n      {log}",
                    status["redundancy"],
                    list(&mails)
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What hinomi has opened so far, oldest first.
    pub(crate) fn incidents(&mut self) -> Result<Vec<Incident>, String> {
        let text = self.daemon()?.ask(&["incidents", "--json"])?;
        let all: Value =
            serde_json::from_str(&text).map_err(|e| format!("incidents --json is no JSON: {e}: {text}"))?;
        let one = |i: &Value| Incident {
            kind: i["root"]["kind"].as_str().unwrap_or_default().to_owned(),
            opened: i["opened"]
                .as_str()
                .and_then(|at| at.parse::<jiff::Timestamp>().ok())
                .map_or(0, jiff::Timestamp::as_millisecond),
        };
        let mut all: Vec<Incident> = all["incidents"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(one)
            .collect();
        all.sort_by_key(|i| i.opened);
        Ok(all)
    }

    /// Waits for an incident of a kind that was opened after `since`; seconds from `since` (nanoseconds since 1970) until then.
    pub(crate) fn noticed(&mut self, kind: &str, since: u128, limit: u64) -> Result<f64, String> {
        let began = epoch();
        loop {
            let all = self.incidents()?;
            let after = |i: &&Incident| i.kind == kind && i128::from(i.opened) * 1_000_000 + 1_000_000 >= since as i128;
            if let Some(found) = all.iter().find(after) {
                return Ok((i128::from(found.opened) * 1_000_000 - since as i128) as f64 / 1e9);
            }
            if epoch() - began > u128::from(limit) * 1_000_000_000 {
                let (mails, log) = (self.mailbox.all(), self.daemon()?.running.tail(20));
                let status = self.daemon()?.status()?;
                return Err(format!(
                    "no {kind} within {limit} s; incidents: {all:?}; groups: {}; mails: {}\n      {log}",
                    status["redundancy"],
                    list(&mails)
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Noticed as soon as was promised: with a trap within two seconds, without one within an interval.
    pub(crate) fn in_time(&mut self, tale: &Tale, kind: &str, since: u128, trap: bool) -> Result<(), String> {
        let seconds = self.noticed(kind, since, 20)?;
        let (how, most) = match trap {
            true => ("with a trap", BY_TRAP),
            false => ("without a trap", INTERVAL + SLACK),
        };
        tale.say(format!("{kind}: noticed {seconds:.2} s after it was so, {how}"));
        ensure(seconds <= most, || {
            format!("{kind} {how} was to be noticed within {most} s, it took {seconds:.2} s")
        })
    }

    /// Waits for the mail after so many, which must be this one.
    pub(crate) fn told(&mut self, tale: &Tale, after: usize, subject: &[&str], limit: u64) -> Result<Mail, String> {
        let until = tale.seconds() + limit as f64;
        loop {
            let mails = self.mailbox.all();
            if let Some(mail) = mails.get(after) {
                tale.say(mail.brief());
                ensure(subject.iter().all(|w| mail.subject().contains(w)), || {
                    format!("mail {} should say {subject:?}: {}", after + 1, list(&mails))
                })?;
                return Ok(mail.clone());
            }
            if tale.seconds() > until {
                let log = self.daemon()?.running.tail(20);
                let status = self.daemon()?.status()?;
                return Err(format!(
                    "no mail {subject:?} within {limit} s; accepted: {}; groups: {}\n      {log}",
                    list(&mails),
                    status["redundancy"]
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Everything the relay accepted.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mailbox.all()
    }

    /// Waits and sees that nothing is told but so many mails, and that nothing was found but these kinds, in this order.
    pub(crate) fn quiet(&mut self, tale: &Tale, seconds: u64, told: usize, found: &[&str]) -> Result<(), String> {
        std::thread::sleep(Duration::from_secs(seconds));
        let mails = self.mailbox.all();
        ensure(mails.len() == told, || {
            format!("{told} mails in all were expected: {}", list(&mails))
        })?;
        let kinds: Vec<String> = self.incidents()?.into_iter().map(|i| i.kind).collect();
        ensure(kinds == found, || {
            format!("the incidents should be {found:?}, they are {kinds:?}")
        })?;
        tale.say(format!(
            "{seconds} s more: {told} mails in all, incidents: {}",
            found.join(", ")
        ));
        Ok(())
    }

    /// Traps reach the monitor, or are lost on the way.
    pub(crate) fn traps(&self, arrive: bool) -> Result<(), String> {
        match arrive {
            true => self.net.heal("mon"),
            false => self.net.drop_udp("mon", 162),
        }
    }
}

/// From one time (nanoseconds since 1970) to another.
pub(crate) fn seconds(from: u128, to: u128) -> f64 {
    (to as f64 - from as f64) / 1e9
}

/// The role of a member of a group, in the group's first instance.
pub(crate) fn role(status: &Value, group: &str, member: &str) -> String {
    let groups = status["redundancy"].as_array().map_or(&[][..], Vec::as_slice);
    let members = groups.iter().filter(|g| g["name"] == group).flat_map(|g| {
        let instance = g["instances"].as_array().and_then(|i| i.first());
        instance
            .and_then(|i| i["members"].as_array())
            .cloned()
            .unwrap_or_default()
    });
    let mut named = members.filter(|m| m["member"].as_str().is_some_and(|n| n.starts_with(member)));
    named
        .next()
        .and_then(|m| m["role"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn wire(net: &Net) -> Result<(), String> {
    net.cable(("mon", "eth0", "192.0.2.9/30"), ("edge-a", "up0", "192.0.2.10/30"))?;
    net.cable(("mon", "eth1", "192.0.2.13/30"), ("edge-b", "up0", "192.0.2.14/30"))?;
    net.cable(("mon", "mail0", "203.0.113.2/30"), ("relay", "eth0", "203.0.113.1/30"))?;
    net.cable(
        ("edge-a", "plat0", "198.51.100.1/30"),
        ("platform", "edgea", "198.51.100.2/30"),
    )?;
    net.cable(
        ("edge-b", "plat0", "198.51.100.5/30"),
        ("platform", "edgeb", "198.51.100.6/30"),
    )?;
    net.cable(("edge-a", "lan0", "192.0.2.66/28"), ("lan", "porta", ""))?;
    net.cable(("edge-b", "lan0", "192.0.2.67/28"), ("lan", "portb", ""))?;
    net.shell(
        "lan",
        "ip link add br0 type bridge && ip link set dev porta master br0 && ip link set dev portb master br0 && ip link set br0 up",
    )?;
    Ok(())
}

fn config(folder: &Folder, findings: &str, groups: &str) -> Result<String, String> {
    folder.secret("community", COMMUNITY)?;
    let state = folder.path().join("state").display().to_string();
    Ok(format!(
        r#"
[operator]
name     = "Example Medical Network K.K."
language = "en"
timezone = "Asia/Tokyo"

[daemon]
state   = "{state}"
listen  = "127.0.0.1:9730"

[poll]
interval = "5s"
timeout  = "1s"
confirm  = {{ echoes = 5, over = "5s" }}
recover  = {{ rounds = 2, over = "10s" }}

[snmp.v2c]
version   = "2c"
community = {{ file = "community" }}

[traps]
listen = ["0.0.0.0:162"]

[findings]
{findings}

[[device]]
name    = "edge-a"
address = "{EDGE_A}"
snmp    = "v2c"

[[device]]
name    = "edge-b"
address = "{EDGE_B}"
snmp    = "v2c"

{groups}

[[contact]]
name  = "noc"
party = "own"
mail  = ["noc@example.net"]

[[procedure]]
name = "all"
tell = ["noc"]

[[route]]
name = "office"
smtp = "smtp://203.0.113.1:{SMTP}"
tls  = "none"
from = "hinomi@example.net"
"#
    ))
}
