//! `hinomi check FILE`: everything that is wrong with a configuration, or what was read of it.
//!
//! Exit code 0: the daemon would take it; 1: it has warnings, with `--strict`; 2: errors, the daemon would refuse it. Never here: what is wrong (that is `config`).

use crate::config::{self, Host, Loaded, Severity};
use crate::model::{Device, Liveness, Measure, PollSettings, Role, Site, Status, ThresholdKind, Written};
use serde::Serialize;
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// How a configuration is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// One JSON object instead of text.
    pub json: bool,
    /// Warnings alone make the exit code 1.
    pub strict: bool,
    /// Take every secret as present: to check a file on a machine that has none of them.
    pub no_secrets: bool,
}

/// Checks a file with its secrets; the exit code.
pub fn check(path: &Path, json: bool, out: &mut dyn Write) -> u8 {
    let options = CheckOptions {
        json,
        ..CheckOptions::default()
    };
    check_with(path, options, out)
}

/// Checks a file; the exit code.
pub fn check_with(path: &Path, options: CheckOptions, out: &mut dyn Write) -> u8 {
    let host = if options.no_secrets {
        Host::new().without_secrets()
    } else {
        Host::new()
    };
    let loaded = config::load_with(path, &host);
    // Output that nobody reads (a closed pipe) does not change the outcome.
    let _ = if options.json {
        json(&loaded, out)
    } else {
        text(path, &loaded, options, out)
    };
    exit_code(&loaded, options.strict)
}

fn exit_code(loaded: &Loaded, strict: bool) -> u8 {
    match loaded.problems.iter().map(|p| p.severity).max() {
        None => 0,
        Some(Severity::Warning) => u8::from(strict),
        Some(Severity::Error) => 2,
    }
}

fn count(loaded: &Loaded, severity: Severity) -> usize {
    let of_it = loaded.problems.iter().filter(|p| p.severity == severity);
    of_it.map(|p| p.count).sum()
}

fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn text(path: &Path, loaded: &Loaded, options: CheckOptions, out: &mut dyn Write) -> io::Result<()> {
    for problem in &loaded.problems {
        writeln!(out, "{problem}")?;
    }
    let (errors, warnings) = (count(loaded, Severity::Error), count(loaded, Severity::Warning));
    let file = path.display();
    match &loaded.site {
        None => {
            let also = if warnings > 0 {
                format!(" and {}", plural(warnings, "warning"))
            } else {
                String::new()
            };
            writeln!(
                out,
                "{file}: {}{also}: hinomi would refuse this configuration",
                plural(errors, "error")
            )
        }
        Some(site) => {
            match warnings {
                0 => writeln!(out, "{file}: ok")?,
                n => writeln!(out, "{file}: usable, with {}", plural(n, "warning"))?,
            }
            let files: Vec<_> = loaded.files.iter().chain(&loaded.tables).collect();
            if let [_, .., last] = files.as_slice() {
                writeln!(
                    out,
                    "  {} read, the last is {}",
                    plural(files.len(), "file"),
                    last.display()
                )?;
            }
            summary(site, out)?;
            if options.no_secrets {
                writeln!(out, "  secrets were not read")?;
            }
            Ok(())
        }
    }
}

fn summary(site: &Site, out: &mut dyn Write) -> io::Result<()> {
    let managed: Vec<&Device> = site.devices.iter().filter(|d| d.role == Role::Managed).collect();
    let owners: Vec<String> = ["own", "platform", "carrier", "institution"]
        .into_iter()
        .map(|owner| (owner, managed.iter().filter(|d| d.owner.key() == owner).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(owner, n)| format!("{n} {owner}"))
        .collect();
    writeln!(out, "  {}: {}", plural(managed.len(), "device"), owners.join(", "))?;
    circuits(site, out)?;
    if !site.redundancy.is_empty() {
        writeln!(out, "  {}", plural(site.redundancy.len(), "redundancy group"))?;
    }
    waited(site, out)?;
    let oob = site.routes.iter().filter(|r| r.out_of_band).count();
    writeln!(
        out,
        "  {}, {}, {}, {} ({oob} out of band)",
        plural(site.uplinks.len(), "uplink"),
        plural(site.contacts.len(), "contact"),
        plural(site.procedures.len(), "procedure"),
        plural(site.routes.len(), "route"),
    )?;
    told(site, out)?;
    writeln!(out, "  \"down\" is known at most so long after the fault:")?;
    for group in detection(site) {
        let p = group.settings;
        let show = |d: Duration| humantime::format_duration(d).to_string();
        let sum = format!(
            "interval {} + confirm {} + timeout {}",
            show(p.interval),
            show(p.confirm.over),
            show(p.timeout)
        );
        writeln!(out, "  {:>9}  {} ({sum})", show(p.detection()), names(&group))?;
    }
    Ok(())
}

/// Who is told at which address; of many the first.
fn told(site: &Site, out: &mut dyn Write) -> io::Result<()> {
    const SHOWN: usize = 8;
    let all = super::contacts::summary(site);
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "  who is told (hinomi contacts says of what):")?;
    for line in all.iter().take(SHOWN) {
        writeln!(out, "    {line}")?;
    }
    match all.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

/// Lists the numbers that are told when they never come, and those that may stay silent on a device without them.
fn waited(site: &Site, out: &mut dyn Write) -> io::Result<()> {
    let polled = |d: &&Device| d.role == Role::Managed && d.status == Status::Active && d.snmp.is_some();
    let devices = || site.devices.iter().filter(polled);
    let ports = |named: bool| {
        let wanted = devices().flat_map(|d| d.interfaces.iter());
        wanted.filter(|w| w.is_named() == named).count()
    };
    let thresholds = |written: Written| {
        let all = devices().flat_map(|d| d.thresholds.iter());
        // These come with ports and echoes.
        let whole = all.filter(|(kind, _)| {
            use ThresholdKind as K;
            !matches!(kind, K::Utilization | K::Errors | K::Discards | K::Loss | K::Rtt)
        });
        whole.filter(|(_, t)| t.written == written).count()
    };
    let watches = devices().flat_map(|d| d.watches.iter()).count();
    let (patterns, for_all) = (ports(false), thresholds(Written::ForAll));
    if devices().next().is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "  told if it never gives a value: {}, {}, {} written by name",
        plural(ports(true), "port"),
        if watches == 1 {
            "1 watch".to_owned()
        } else {
            format!("{watches} watches")
        },
        plural(thresholds(Written::ByName), "threshold"),
    )?;
    if patterns + for_all > 0 {
        writeln!(
            out,
            "  silent where a device does not have it: {}, {} for all (hinomi probe shows which)",
            plural(patterns, "port pattern"),
            plural(for_all, "threshold"),
        )?;
    }
    Ok(())
}

fn circuits(site: &Site, out: &mut dyn Write) -> io::Result<()> {
    let all = CircuitSummary::of(site);
    if all.count == 0 {
        return Ok(());
    }
    let places = [
        ("on devices", all.on_devices),
        ("at the institution", all.at_the_institution),
        ("by liveness only", all.by_liveness_only),
    ];
    let places: Vec<String> = places
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(place, n)| format!("{n} {place}"))
        .collect();
    let mut line = format!(
        "  {} of {}: measured {}",
        plural(all.count, "circuit"),
        plural(all.institutions, "institution"),
        places.join(", ")
    );
    if all.not_active > 0 {
        line.push_str(&format!("; {} planned or ended", all.not_active));
    }
    writeln!(out, "{line}")
}

/// Circuits in numbers.
#[derive(Default, Serialize)]
struct CircuitSummary {
    count: usize,
    institutions: usize,
    on_devices: usize,
    at_the_institution: usize,
    by_liveness_only: usize,
    not_active: usize,
}

impl CircuitSummary {
    fn of(site: &Site) -> CircuitSummary {
        let mut all = CircuitSummary::default();
        let mut institutions: HashSet<&str> = HashSet::new();
        for (device, circuit) in site.devices.iter().filter_map(|d| Some((d, d.circuit.as_ref()?))) {
            all.count += 1;
            institutions.insert(&circuit.institution_id);
            all.not_active += usize::from(device.status != Status::Active);
            *match circuit.measure {
                Measure::Line(_) => &mut all.on_devices,
                Measure::Cpe(_) => &mut all.at_the_institution,
                Measure::Nothing => &mut all.by_liveness_only,
            } += 1;
        }
        all.institutions = institutions.len();
        all
    }
}

/// Devices with equal times.
struct Detection<'s> {
    settings: PollSettings,
    /// Devices by name.
    devices: Vec<&'s str>,
    /// Circuits, which are too many for names.
    circuits: usize,
}

/// The watched devices by detection time, the quickest first.
fn detection(site: &Site) -> Vec<Detection<'_>> {
    let mut groups: Vec<Detection<'_>> = Vec::new();
    let watched = |d: &&Device| d.status == Status::Active && d.liveness != Liveness::None;
    for device in site.devices.iter().filter(watched) {
        let times = |p: &PollSettings| (p.interval, p.confirm.over, p.timeout);
        let found = groups.iter().position(|g| times(&g.settings) == times(&device.poll));
        let at = found.unwrap_or_else(|| {
            groups.push(Detection {
                settings: device.poll,
                devices: Vec::new(),
                circuits: 0,
            });
            groups.len() - 1
        });
        match device.role {
            Role::Circuit => groups[at].circuits += 1,
            _ => groups[at].devices.push(&device.name),
        }
    }
    groups.sort_by_key(|g| g.settings.detection());
    groups
}

fn names(group: &Detection<'_>) -> String {
    const SHOWN: usize = 6;
    let all = &group.devices;
    let mut shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        shown.push_str(&format!(" and {} more", all.len() - SHOWN));
    }
    if group.circuits > 0 {
        let and = if all.is_empty() { "" } else { ", and " };
        shown.push_str(&format!("{and}{}", plural(group.circuits, "circuit")));
    }
    shown
}

#[derive(Serialize)]
struct Report<'r> {
    /// Of this format.
    version: u32,
    errors: usize,
    warnings: usize,
    problems: &'r [config::Problem],
    files: Vec<String>,
    site: Option<SiteSummary<'r>>,
}

#[derive(Serialize)]
struct SiteSummary<'r> {
    fingerprint: &'r str,
    devices: usize,
    circuits: CircuitSummary,
    redundancy_groups: usize,
    uplinks: usize,
    contacts: usize,
    procedures: usize,
    routes: usize,
    detection: Vec<DetectionSummary<'r>>,
}

#[derive(Serialize)]
struct DetectionSummary<'r> {
    seconds: f64,
    devices: Vec<&'r str>,
    /// Circuits with these times, by number.
    circuits: usize,
}

fn json(loaded: &Loaded, out: &mut dyn Write) -> io::Result<()> {
    let site = loaded.site.as_ref().map(|site| SiteSummary {
        fingerprint: &site.fingerprint,
        devices: site.devices.iter().filter(|d| d.role == Role::Managed).count(),
        circuits: CircuitSummary::of(site),
        redundancy_groups: site.redundancy.len(),
        uplinks: site.uplinks.len(),
        contacts: site.contacts.len(),
        procedures: site.procedures.len(),
        routes: site.routes.len(),
        detection: detection(site)
            .into_iter()
            .map(|g| DetectionSummary {
                seconds: g.settings.detection().as_secs_f64(),
                devices: g.devices,
                circuits: g.circuits,
            })
            .collect(),
    });
    let report = Report {
        version: 1,
        errors: count(loaded, Severity::Error),
        warnings: count(loaded, Severity::Warning),
        problems: &loaded.problems,
        files: loaded
            .files
            .iter()
            .chain(&loaded.tables)
            .map(|f| f.display().to_string())
            .collect(),
        site,
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
