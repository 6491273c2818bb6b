//! `hinomi discover`: walks one device that need not be in the configuration and prints a stanza ready to paste.
//!
//! It drives the daemon's own core over real sockets, twice: for profile and interfaces, then for the tables that tell redundancy.
//! Never here: how the stanza is written (that is `stanza`).

use super::{Failure, stanza};
use crate::config::{self, builtin_profiles};
use crate::core::{Core, DeviceStatus};
use crate::daemon::trace::{self, Hop};
use crate::daemon::{self, clock, once};
use crate::model::profile::{Component, Object, Profile, Redundancy, Rows};
use crate::model::redundancy::{RoleObject, SWITCHED_BACK};
use crate::model::snmp::{Credentials, SnmpAccess, TextEncoding};
use crate::model::{
    self, Confirm, DaemonSettings, Device, DeviceId, HostAddress, InterfaceWanted, Language, Liveness, Member,
    MemberPart, Mono, Name, Now, Operator, Owner, PollSettings, Preferred, Profiles, Recover, RedundancyKind, Role,
    Secret, Site, Status,
};
use crate::poll::RoleValue;
use crate::poll::observation::Number;
use crate::sample;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A device with thousands of interfaces and a slow agent takes minutes.
const PATIENCE: Duration = Duration::from_secs(180);
/// Whoever has not answered anything by then does not answer.
const SILENCE: Duration = Duration::from_secs(20);
const PLAN: &str = "redundancy";
/// SNMPv2-MIB: who it is, and what it says of itself.
const SYS_OBJECT_ID: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 2, 0];
const SYS_DESCR: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 1, 0];

/// How the device is spoken to.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// A section [snmp.NAME] of the configuration
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "community",
        conflicts_with = "community"
    )]
    snmp: Option<String>,
    /// A file with the community, for SNMP version 2c without a configuration
    #[arg(long, value_name = "FILE")]
    community: Option<PathBuf>,
    /// The agent's port, with --community
    #[arg(long, value_name = "PORT", default_value_t = 161, conflicts_with = "snmp")]
    port: u16,
    /// The name in the stanza; the address without it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The configuration file, with --snmp
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIG, env = super::CONFIG_VARIABLE, hide_env_values = true)]
    config: PathBuf,
}

/// Whom, and with which profiles at hand.
struct Target {
    address: HostAddress,
    access: Arc<SnmpAccess>,
    profiles: Arc<Profiles>,
}

/// Discovers a device.
pub(super) fn discover(address: &HostAddress, options: &Options, out: &mut dyn Write) -> Result<u8, Failure> {
    let target = target(address, options)?;
    let mut progress = Progress::new();
    let first = look(
        &target,
        &target.profiles,
        None,
        &["*"],
        &mut progress,
        "profile and interfaces",
    );
    let first =
        first.map_err(|failure| Failure::new(failure.code, format!("{failure}{}", on_the_way(address, options))))?;
    let profile = first
        .profile
        .as_deref()
        .and_then(|p| target.profiles.by_name(p))
        .cloned();
    let tables = tables(&target.profiles, profile.as_deref());
    // What the device has of its own accord is known; that this fails takes nothing from it.
    let second = roles(&target, &tables, &mut progress);
    progress.end();
    let found = stanza::Found {
        name: options.name.clone().unwrap_or_else(|| address.to_string()),
        address: address.clone(),
        snmp: &target.access.name,
        community: options.community.as_deref(),
        port: target.access.port,
        profile: profile.as_deref(),
        status: &first,
        tables: &tables,
        second: second.as_ref().map_err(|f| f.text.as_str()),
    };
    out.write_all(stanza::stanza(&found).as_bytes())?;
    Ok(0)
}

/// Who on the way says something about an address that gave no answer.
fn on_the_way(address: &HostAddress, options: &Options) -> String {
    // Without CAP_NET_RAW the way cannot be traced, and nothing is said of it.
    let Ok(hops) = trace::trace(address.ip) else {
        return String::new();
    };
    let site = daemon::load_without_secrets(&options.config).ok();
    let own = |ip: IpAddr| {
        let device = site.iter().flat_map(|s| &s.devices).find(|d| d.address == ip);
        device.map_or_else(|| ip.to_string(), |d| format!("{} ({ip})", d.name))
    };
    match hops.last() {
        None => " Nobody answers on the way to it.".to_owned(),
        Some(Hop { target: true, .. }) => {
            " It answers echo: its agent does not run, does not take requests from this host, or has another community or user.".to_owned()
        }
        Some(Hop {
            from: Some(from),
            unreachable: Some(_),
            ..
        }) => format!(" {} says that it cannot be reached: nobody has this address there, or there is no way to it.", own(*from)),
        Some(Hop { from: Some(from), .. }) => format!(" The last that answers on the way is {}.", own(*from)),
        Some(_) => String::new(),
    }
}

fn target(address: &HostAddress, options: &Options) -> Result<Target, Failure> {
    let Some(file) = &options.community else {
        let name = options.snmp.as_deref().unwrap_or_default();
        let site = daemon::load(&options.config).map_err(|e| Failure::new(2, e))?;
        let access = site.accesses.iter().find(|a| a.name == name).cloned().ok_or_else(|| {
            let known: Vec<&str> = site.accesses.iter().map(|a| a.name.as_str()).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let file = options.config.display();
            Failure::new(1, format!("{file} has no section [snmp.{name}]. There is: {known}."))
        })?;
        return Ok(Target {
            address: address.clone(),
            access,
            profiles: Arc::clone(&site.profiles),
        });
    };
    let access = SnmpAccess {
        name: "discovered".to_owned(),
        port: options.port,
        credentials: Credentials::V2c {
            community: community(file)?,
        },
        text: TextEncoding::Auto,
        interfaces_max: SnmpAccess::INTERFACES_MAX,
    };
    Ok(Target {
        address: address.clone(),
        access: Arc::new(access),
        profiles: builtin_profiles(),
    })
}

fn community(file: &Path) -> Result<Secret, Failure> {
    use config::Surroundings;
    let found = config::Host::new().secret(&config::SecretFrom::File(file.to_path_buf()));
    let secret = found.map_err(|e| Failure::new(1, format!("the community {}", e.what)))?;
    secret
        .secret
        .ok_or_else(|| Failure::new(1, format!("{} holds no community", file.display())))
}

/// Lists the redundancy that profiles show beside the roles that the daemon reads: of every make first, then of this make.
fn tables(profiles: &Profiles, profile: Option<&Profile>) -> Vec<Redundancy> {
    let standard = profiles.by_name("host-resources");
    let own = profile.filter(|p| standard.is_none_or(|s| s.name != p.name));
    let all = standard
        .iter()
        .flat_map(|p| &p.redundancy)
        .chain(own.into_iter().flat_map(|p| &p.redundancy));
    all.cloned().collect()
}

/// Reads who the device is and everything of redundancy that the daemon could read, in the way that the daemon reads it.
fn roles(target: &Target, tables: &[Redundancy], progress: &mut Progress) -> Result<stanza::Second, Failure> {
    let plan = Arc::new(Profiles::new([plan(tables)]));
    let mut site = site(target, &plan, Some(PLAN), &[]);
    site.redundancy = groups();
    let core = watched(target, &Arc::new(site), progress, "redundancy")?;
    let reading = core.last_reading(DeviceId(0));
    let text = |oid: &[u32]| {
        let cell = reading?.roles.iter().find(|c| *c.oid == *oid)?;
        match cell.value.as_ref()? {
            RoleValue::Octets(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            RoleValue::Number(_) => None,
        }
    };
    let id = reading.and_then(|r| r.scalars.iter().find(|s| *s.oid == SYS_OBJECT_ID));
    Ok(stanza::Second {
        object_id: id.and_then(|s| match &s.value {
            Some(Number::Oid(oid)) => Some(oid.clone()),
            _ => None,
        }),
        description: text(&SYS_DESCR),
        told: reading.map(sample::roles::told).unwrap_or_default(),
        readings: core
            .device(&core.site().device(DeviceId(0)).name)
            .map(|d| d.readings)
            .unwrap_or_default(),
    })
}

/// Groups that make the daemon read all tables of roles, whoever the neighbours are.
fn groups() -> Vec<model::Redundancy> {
    let group = |(n, (kind, members)): (usize, (RedundancyKind, usize))| {
        let member = |m: usize| Member {
            device: DeviceId(0),
            label: m.to_string().into(),
            part: MemberPart::Whole,
        };
        model::Redundancy {
            name: format!("{} {n}", kind.key()).into(),
            kind,
            members: (0..members).map(member).collect(),
            preferred: Preferred::Nobody,
            need: 1,
            preempt_delay: Duration::ZERO,
            graceful_restart: Duration::ZERO,
            object: (kind == RedundancyKind::Role).then(|| RoleObject {
                oid: SYS_DESCR.to_vec(),
                values: Default::default(),
            }),
            switched_back: SWITCHED_BACK,
            findings: Default::default(),
        }
    };
    use RedundancyKind::{Bgp, Ha, Hsrp, Lag, Ospf, Role, Vrrp};
    // Units of one device, and roles of several, are told by different tables.
    let all = [
        (Vrrp, 2),
        (Hsrp, 2),
        (Bgp, 2),
        (Ospf, 2),
        (Lag, 2),
        (Ha, 1),
        (Ha, 2),
        (Role, 2),
    ];
    all.into_iter().enumerate().map(group).collect()
}

/// A profile that reads these tables and nothing else.
fn plan(tables: &[Redundancy]) -> Profile {
    let component = |(i, object): (usize, Object)| Component {
        name: format!("table {i}").into(),
        object,
        rows: Rows::default(),
        states: Vec::new(),
    };
    let who = Object::Instance(SYS_OBJECT_ID.as_slice().into());
    let objects = std::iter::once(who).chain(tables.iter().map(|t| t.state.clone()));
    Profile {
        name: PLAN.into(),
        title: PLAN.to_owned(),
        sys_object_ids: Vec::new(),
        sys_descr: Vec::new(),
        tell_by: None,
        source: String::new(),
        verified: true,
        note: None,
        measures: Vec::new(),
        components: objects.enumerate().map(component).collect(),
        redundancy: Vec::new(),
        left_out: Vec::new(),
        instances: Vec::new(),
        only_fallback: 0,
    }
}

/// One round of one device.
fn look(
    target: &Target,
    profiles: &Arc<Profiles>,
    profile: Option<&str>,
    interfaces: &[&str],
    progress: &mut Progress,
    step: &str,
) -> Result<DeviceStatus, Failure> {
    let site = Arc::new(site(target, profiles, profile, interfaces));
    let core = watched(target, &site, progress, step)?;
    let device = core.snapshot(clock::now()).devices.into_iter().next();
    device.ok_or_else(|| Failure::new(1, format!("{} gave no whole answer.", target.who())))
}

/// Watches the device of a site until one round of it has ended.
fn watched(target: &Target, site: &Arc<Site>, progress: &mut Progress, step: &str) -> Result<Core, Failure> {
    let began = clock::mono();
    let elapsed = || clock::mono().since(began);
    let enough = |core: &Core, now: Now, answers: usize| {
        progress.show(step, elapsed(), answers);
        let done = |d: &DeviceStatus| d.agent_error.is_some() || d.uptime_ticks.is_some();
        let ended = core.last_reading(DeviceId(0)).is_some() || core.snapshot(now).devices.first().is_some_and(done);
        ended || (answers == 0 && elapsed() > SILENCE)
    };
    let core = once::watch(site, PATIENCE, enough).map_err(|e| Failure::new(1, e.to_string()))?;
    if core.last_reading(DeviceId(0)).is_some_and(|r| r.uptime.is_some()) {
        return Ok(core);
    }
    let error = core
        .snapshot(clock::now())
        .devices
        .into_iter()
        .find_map(|d| d.agent_error);
    let (who, seconds) = (target.who(), elapsed().as_secs());
    Err(match error {
        Some(error) => Failure::new(1, format!("{who} cannot be discovered: {error}.")),
        None => Failure::new(1, format!("{who} gave no whole answer within {seconds} s.")),
    })
}

impl Target {
    fn who(&self) -> String {
        format!("{} port {}", self.address, self.access.port)
    }
}

/// A site of this device alone: nobody is told, nothing is recorded.
fn site(target: &Target, profiles: &Arc<Profiles>, profile: Option<&str>, interfaces: &[&str]) -> Site {
    let wanted = |pattern: &&str| InterfaceWanted {
        pattern: Name::from(*pattern),
        rate_bps: None,
        expect_up: false,
        backup: false,
        to: None,
    };
    let device = Device {
        name: target.address.to_string().into(),
        role: Role::Managed,
        address: target.address.ip,
        zone: target.address.zone.clone(),
        owner: Owner::Own,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::None,
        poll: poll(),
        circuit: None,
        snmp: Some(Arc::clone(&target.access)),
        profile: profile.map(Name::from),
        interfaces: interfaces.iter().map(wanted).collect(),
        watches: [].into(),
        thresholds: Default::default(),
        findings: Default::default(),
        parents: Vec::new(),
        demarcation: None,
    };
    Site {
        operator: Operator {
            name: String::new(),
            phone: None,
            language: Language::English,
            timezone: "UTC".to_owned(),
            holidays: [].into(),
        },
        daemon: DaemonSettings {
            state: PathBuf::new(),
            listen: ([127, 0, 0, 1], 0).into(),
            metrics: None,
        },
        uplinks: Vec::new(),
        devices: vec![device],
        accesses: Vec::new(),
        profiles: Arc::clone(profiles),
        findings: Default::default(),
        redundancy: Vec::new(),
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        maintenance: Vec::new(),
        heartbeat: None,
        traps: None,
        plugins: Default::default(),
        fingerprint: String::new(),
    }
}

/// Asked at once, with the patience of a daemon.
fn poll() -> PollSettings {
    PollSettings {
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(2),
        echoes: 1,
        confirm: Confirm {
            echoes: 3,
            over: Duration::from_secs(2),
        },
        recover: Recover {
            rounds: 1,
            over: Duration::from_secs(1),
        },
    }
}

/// One line on standard error that is written over and over; nothing where that is no terminal.
struct Progress {
    shown: bool,
    last: Option<Mono>,
    steps: usize,
    step: String,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            shown: std::io::stderr().is_terminal(),
            last: None,
            steps: 0,
            step: String::new(),
        }
    }

    fn show(&mut self, step: &str, elapsed: Duration, answers: usize) {
        if self.step != step {
            self.steps += 1;
            step.clone_into(&mut self.step);
        }
        let due = self
            .last
            .is_none_or(|last| clock::mono().since(last) >= Duration::from_millis(100));
        if self.shown && due {
            self.last = Some(clock::mono());
            eprint!("\r\x1b[2K{}", line(self.steps, step, elapsed, answers));
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.shown, false) {
            eprint!("\r\x1b[2K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// `[######......] profile and interfaces, 12 answers, 3 s`. How much a device has is not known before, so half of the bar is a step,
/// filled the more slowly the longer it takes.
fn line(steps: usize, step: &str, elapsed: Duration, answers: usize) -> String {
    const WIDTH: usize = 12;
    let half = WIDTH / 2;
    let within = (answers * half).checked_div(answers + 10).unwrap_or(0);
    let filled = (steps.saturating_sub(1) * half + within).min(WIDTH);
    let bar = "#".repeat(filled) + &".".repeat(WIDTH - filled);
    format!("[{bar}] {step}: {answers} answers, {} s", elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_and_never_overflows() {
        let bar = |steps, answers| line(steps, "x", Duration::from_secs(3), answers);
        assert_eq!(bar(1, 0), "[............] x: 0 answers, 3 s");
        assert!(bar(1, 30).starts_with("[####........]"));
        assert!(bar(2, 0).starts_with("[######......]"));
        assert!(bar(9, usize::MAX / 100).starts_with("[############]"));
    }
}
