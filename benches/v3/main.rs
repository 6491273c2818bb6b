//! SNMPv3 with authentication and privacy at size, and the hour in which every engine reboots between two polls.
//!
//! `cargo bench --bench v3 [-- --targets 5000 --interval 60 --seconds 180 --write]`
//! The agents are those of an independent implementation (async-snmp); each counts what it served, and the judge of the fleet says
//! what was missed. After the first window every engine restarts on command (boots one higher, time at 0).

#![allow(clippy::disallowed_methods, missing_docs)]

mod agents;
#[path = "../fleet/mod.rs"]
mod fleet;
#[path = "../shared/mod.rs"]
mod shared;

use fleet::PORT;
use fleet::options::Options;
use shared::arguments::Arguments;
use shared::fleet_handle::Fleet;
use shared::hinomi::{Config, Hinomi, Probes, Surface};
use shared::report::{Folder, Report};
use shared::usage::memory_kib;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    shared::enter_with(bench, "agents", agents::run)
}

fn bench(words: &[String]) -> Result<(), String> {
    let defaults = Options {
        targets: 5_000,
        ..Options::default()
    };
    let arguments = Arguments::read(words, defaults, &["--seconds"], &["--write"])?;
    let options = &arguments.fleet;
    let interval = Duration::from_secs(u64::from(options.interval_s));
    let seconds = arguments.number("--seconds", 180)?;
    let folder = Folder::new()?;
    let mut report = Report::new("v3");
    println!("v3: {}, user with SHA-256 and AES-128", options.describe());
    let mut fleet = Fleet::start_kind("agents", options, folder.path())?;
    let mut config = Config::new(options, Probes::Snmp, Surface::Devices);
    config.snmp = format!(
        "version = \"3\"\nuser = \"{}\"\nauth = {{ protocol = \"sha256\", password = \"{}\" }}\n\
         privacy = {{ protocol = \"aes128\", password = \"{}\" }}\nport = {PORT}\n",
        agents::USER,
        agents::AUTH_PASSWORD,
        agents::PRIVACY_PASSWORD
    );
    let mut hinomi = config.start(folder.path())?;
    let all = u64::from(options.targets);
    let settled = fleet.settle(interval, interval * 10, |w| w.snmp.answering.complete >= all * 99 / 100)?;
    report.row("all agents known after", format!("{:.0} s", settled.as_secs_f64()));
    let mut missed = window("steady", seconds, &mut fleet, &mut hinomi, &mut report, |_| Ok(None))?;
    missed += window(
        "every engine reboots",
        seconds,
        &mut fleet,
        &mut hinomi,
        &mut report,
        |fleet| {
            std::thread::sleep(interval / 2);
            Ok(Some(fleet.order("reboot")?.concat()))
        },
    )?;
    if arguments.has("--write") {
        report.write()?;
    }
    if missed > 0 {
        Err(format!("{missed} polls were missed"))
    } else {
        Ok(())
    }
}

/// One window, in which `event` happens after it began.
fn window(
    name: &str,
    seconds: u64,
    fleet: &mut Fleet,
    hinomi: &mut Hinomi,
    report: &mut Report,
    event: impl Fn(&mut Fleet) -> Result<Option<String>, String>,
) -> Result<u64, String> {
    let before = hinomi.program.usage();
    fleet.order("measure")?;
    let begun = std::time::Instant::now();
    let words = event(fleet)?;
    std::thread::sleep(Duration::from_secs(seconds).saturating_sub(begun.elapsed()));
    let used = hinomi.program.usage() - before;
    hinomi.program.running()?;
    let verdict = fleet.order("verdict")?;
    let usm = verdict
        .iter()
        .find_map(|l| l.strip_prefix("usm "))
        .unwrap_or_default()
        .to_owned();
    let judged = fleet.verdict()?;
    let v = &judged.snmp.answering;
    let [p50, p99, max] = v.late_ms;
    report.row(
        format!("{name}: polls served"),
        format!(
            "{} missed, {} served, late p50 {p50} ms, p99 {p99} ms, most {max} ms",
            v.missed, v.complete
        ),
    );
    report.row(format!("{name}: refused by the agents so far"), usm);
    if let Some(words) = words {
        report.row(format!("{name}: the agents"), words);
    }
    report.row(
        format!("{name}: used"),
        format!(
            "{:.1} µs a poll, {:.1} % of a core, {} MiB",
            used.us_each(v.complete),
            used.percent(seconds as f64),
            memory_kib(hinomi.program.pid(), "VmRSS") / 1024
        ),
    );
    Ok(v.missed)
}
