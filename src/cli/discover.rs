//! `hinomi discover`: walks one device that need not be in the configuration and prints a stanza ready to paste.
//!
//! It drives the daemon's own core over real sockets, twice: for profile and interfaces, then for the tables that tell redundancy.
//! Never here: how the stanza is written (that is `stanza`).

use super::{Failure, stanza};
use crate::config::{self, builtin_profiles};
use crate::core::{DeviceStatus, Snapshot};
use crate::daemon::{self, clock, once};
use crate::model::profile::{Component, Profile, Redundancy, Rows};
use crate::model::snmp::{Credentials, SnmpAccess};
use crate::model::{
    Confirm, DaemonSettings, Device, InterfaceWanted, Language, Liveness, Mono, Name, Operator, Owner, PollSettings,
    Profiles, Recover, Role, Secret, Site, Status,
};
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
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIG)]
    config: PathBuf,
}

/// Whom, and with which profiles at hand.
struct Target {
    address: IpAddr,
    access: Arc<SnmpAccess>,
    profiles: Arc<Profiles>,
}

/// Discovers a device.
pub(super) fn discover(address: IpAddr, options: &Options, out: &mut dyn Write) -> Result<u8, Failure> {
    let target = target(address, options)?;
    let mut progress = Progress::new();
    let first = look(
        &target,
        &target.profiles,
        None,
        &["*"],
        &mut progress,
        "profile and interfaces",
    )?;
    let profile = first
        .profile
        .as_deref()
        .and_then(|p| target.profiles.by_name(p))
        .cloned();
    let tables = tables(&target.profiles, profile.as_deref());
    let plan = Arc::new(Profiles::new([plan(&tables)]));
    // What the device has of its own accord is known; that this fails takes nothing from it.
    let second = look(&target, &plan, Some(PLAN), &[], &mut progress, "redundancy");
    progress.end();
    let found = stanza::Found {
        name: options.name.clone().unwrap_or_else(|| address.to_string()),
        address,
        snmp: &target.access.name,
        community: options.community.as_deref(),
        port: target.access.port,
        profile: profile.as_deref(),
        status: &first,
        tables: &tables,
        readings: second
            .as_ref()
            .map(|d| d.readings.as_slice())
            .map_err(|f| f.text.as_str()),
    };
    out.write_all(stanza::stanza(&found).as_bytes())?;
    Ok(0)
}

fn target(address: IpAddr, options: &Options) -> Result<Target, Failure> {
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
            address,
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
    };
    Ok(Target {
        address,
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

/// The tables that may tell redundancy: those of every make, then the make's own.
fn tables(profiles: &Profiles, profile: Option<&Profile>) -> Vec<Redundancy> {
    let standard = profiles.by_name("host-resources");
    let own = profile.filter(|p| standard.is_none_or(|s| s.name != p.name));
    let all = standard
        .iter()
        .flat_map(|p| &p.redundancy)
        .chain(own.into_iter().flat_map(|p| &p.redundancy));
    all.cloned().collect()
}

/// A profile that reads these tables and nothing else.
fn plan(tables: &[Redundancy]) -> Profile {
    let component = |(i, table): (usize, &Redundancy)| Component {
        name: format!("table {i}").into(),
        object: table.state.clone(),
        rows: Rows::default(),
        states: Vec::new(),
    };
    Profile {
        name: PLAN.into(),
        title: PLAN.to_owned(),
        sys_object_ids: Vec::new(),
        tell_by: None,
        source: String::new(),
        verified: true,
        note: None,
        measures: Vec::new(),
        components: tables.iter().enumerate().map(component).collect(),
        redundancy: Vec::new(),
        left_out: Vec::new(),
        instances: Vec::new(),
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
    let began = clock::mono();
    let elapsed = || clock::mono().since(began);
    let enough = |picture: &Snapshot, answers: usize| {
        progress.show(step, elapsed(), answers);
        let done = |d: &DeviceStatus| d.agent_error.is_some() || d.uptime_ticks.is_some();
        picture.devices.first().is_some_and(done) || (answers == 0 && elapsed() > SILENCE)
    };
    let picture = once::look(&site, PATIENCE, enough).map_err(|e| Failure::new(1, e.to_string()))?;
    let device = picture.devices.into_iter().next();
    let who = format!("{} port {}", target.address, target.access.port);
    match device {
        Some(d) if d.uptime_ticks.is_some() => Ok(d),
        Some(DeviceStatus {
            agent_error: Some(error),
            ..
        }) => Err(Failure::new(1, format!("{who} cannot be discovered: {error}."))),
        _ => Err(Failure::new(
            1,
            format!("{who} gave no whole answer within {} s.", elapsed().as_secs()),
        )),
    }
}

/// A site of this device alone: nobody is told, nothing is recorded.
fn site(target: &Target, profiles: &Arc<Profiles>, profile: Option<&str>, interfaces: &[&str]) -> Site {
    let wanted = |pattern: &&str| InterfaceWanted {
        pattern: Name::from(*pattern),
        rate_bps: None,
        expect_up: false,
        backup: false,
    };
    let device = Device {
        name: target.address.to_string().into(),
        role: Role::Managed,
        address: target.address,
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
