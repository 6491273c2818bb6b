//! A network of the wanted size, polled by the real daemon: what the fleet says was missed, how late, and what it took.
//!
//! `cargo bench --bench fleet -- --shape cpe|device --targets N --seconds S [--circuits] [--v6 N] [--lying 1 --slow 10 --loss 1] [--step 50]
//! [--night 85] [--reload] [--restart]`; `--reload` takes another configuration while all is polled: one circuit in a hundred changed, and all
//! at other places; `--restart` says what the first interval of another start asks, with and without what the one before has
//! learned; `--growth` prints a table for 1,000, 10,000, 100,000 and 240,000 targets. With `--circuits` the targets stand in
//! circuits.csv, else each is a `[[device]]`. In the shape `device` a target is a device with 48 ports.

#![allow(clippy::disallowed_methods, missing_docs)]

mod fleet;
mod shared;

use fleet::options::Options;
use shared::arguments::Arguments;
use shared::fleet_handle::{Fleet, Judged, Window};
use shared::hinomi::{Config, Hinomi, Probes, Surface};
use shared::report::{Folder, Report};
use shared::usage::memory_kib;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Sizes of `--growth`.
const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 240_000];

fn main() -> ExitCode {
    shared::enter(bench)
}

fn bench(words: &[String]) -> Result<(), String> {
    let own = ["--shape", "--seconds", "--step", "--night", "--probes"];
    let arguments = Arguments::read(
        words,
        Options::default(),
        &own,
        &["--circuits", "--growth", "--restart", "--reload", "--write"],
    )?;
    let mut options = arguments.fleet.clone();
    let (surface, name) = match (arguments.word("--shape", "cpe"), arguments.has("--circuits")) {
        ("cpe", true) => (Surface::CircuitsCpe, "fleet-cpe"),
        ("cpe", false) => (Surface::Devices, "fleet-cpe"),
        ("device", circuits) => {
            options.ports = if options.ports == 1 { 48 } else { options.ports };
            (
                if circuits {
                    Surface::CircuitsDevice
                } else {
                    Surface::Devices
                },
                "fleet-device",
            )
        }
        (other, _) => return Err(format!("--shape {other}: cpe or device")),
    };
    let probes = match arguments.word("--probes", "both") {
        "both" => Probes::Both,
        "snmp" => Probes::Snmp,
        "echo" => Probes::Echo,
        other => return Err(format!("--probes {other}: both, snmp or echo")),
    };
    let sizes: &[u32] = if arguments.has("--growth") {
        &SIZES
    } else {
        &[options.targets]
    };
    let name = match (arguments.has("--growth"), arguments.has("--reload")) {
        (true, _) => "fleet-growth",
        (false, true) => "fleet-reload",
        (false, false) => name,
    };
    let mut report = Report::new(name);
    let mut missed = 0;
    for targets in sizes {
        options.targets = *targets;
        println!("fleet: {}", options.describe());
        let config = Config::new(&options, probes, surface);
        missed += measure(&config, &arguments, &mut report)?;
    }
    if arguments.has("--write") {
        report.write()?;
    }
    if missed > 0 {
        Err(format!("{missed} intervals were missed"))
    } else {
        Ok(())
    }
}

/// One size: start, settle, measure, and the steps that were asked for. Returns what was missed of those that answer.
fn measure(config: &Config, arguments: &Arguments, report: &mut Report) -> Result<u64, String> {
    let folder = Folder::new()?;
    let mut fleet = Fleet::start(&config.options, folder.path())?;
    let interval = Duration::from_secs(u64::from(config.options.interval_s));
    let size = format!("{} targets: ", config.options.targets);
    let mut hinomi = config.start(folder.path())?;
    report.row(
        format!("{size}start, `check`"),
        format!("{:.1} s, {:.1} s", hinomi.started.as_secs_f64(), check(&hinomi)?),
    );
    let settled = match fleet.settle(interval, interval * 10, |w| all_asked(w, config.probes)) {
        Ok(settled) => settled,
        // A size too large is a result too: the sizes before it keep their lines.
        Err(problem) => {
            report.row(format!("{size}not measured"), problem);
            return Ok(u64::from(config.options.targets));
        }
    };
    report.row(
        format!("{size}all asked after"),
        format!("{:.0} s", settled.as_secs_f64()),
    );
    let mut missed = window(&size, &mut fleet, &mut hinomi, config.probes, arguments, report)?;
    for (option, name) in [("--step", "step of silence"), ("--night", "night")] {
        let percent = arguments.number(option, 0)?;
        if percent > 0 {
            let silent = fleet.order(&format!("silence {percent}%"))?.concat();
            missed += window(
                &format!("{size}{name}, {silent}: "),
                &mut fleet,
                &mut hinomi,
                config.probes,
                arguments,
                report,
            )?;
            fleet.order("back")?;
        }
    }
    if arguments.has("--reload") {
        let changed = Config {
            changed: true,
            ..config.clone()
        };
        for (step, config) in [("1 % changed", &changed), ("and back", config)] {
            fleet.order("measure")?;
            let before = hinomi.metrics()?;
            let (took, words) = hinomi.reload(config)?;
            std::thread::sleep(interval * 2);
            let after = hinomi.metrics()?;
            let dropped = |text| Hinomi::sum(text, "hinomi_kernel_dropped_total");
            report.row(
                format!("{size}reload, {step}"),
                format!(
                    "{:.1} s; {words}; the kernel dropped {} datagrams",
                    took.as_secs_f64(),
                    dropped(&after) - dropped(&before)
                ),
            );
            let judged = fleet.verdict()?;
            missed += row(&format!("{size}SNMP around it"), &judged.snmp, report);
            missed += row(&format!("{size}echo around it"), &judged.echo, report);
        }
    }
    if arguments.has("--restart") {
        for (learned, words) in [(true, "with what was learned"), (false, "without")] {
            hinomi.program.stop();
            let file = folder.path().join("state/learned.jsonl");
            let octets = std::fs::metadata(&file)
                .map_err(|e| format!("{}: {e}", file.display()))?
                .len();
            if !learned {
                std::fs::remove_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            }
            fleet.order("measure")?;
            hinomi = config.start_again(folder.path())?;
            let used = hinomi.program.during(interval)?;
            let snmp = fleet.verdict()?.snmp;
            report.row(
                format!("{size}restart {words}"),
                format!(
                    "{} walk requests and {} datagrams in the first {} s, {:.1} % of a core; up after {:.1} s, the file has {octets} octets",
                    snmp.walks,
                    snmp.requests,
                    interval.as_secs(),
                    used.percent(interval.as_secs_f64()),
                    hinomi.started.as_secs_f64()
                ),
            );
        }
    }
    Ok(missed)
}

/// Seconds that `hinomi check` takes. Its words do not matter here.
fn check(hinomi: &Hinomi) -> Result<f64, String> {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_hinomi"))
        .arg("check")
        .arg(&hinomi.config)
        .output();
    output.map_err(|e| format!("hinomi check: {e}"))?;
    Ok(begun.elapsed().as_secs_f64())
}

fn all_asked(window: &Window, probes: Probes) -> bool {
    (probes == Probes::Echo || window.snmp.settled()) && (probes == Probes::Snmp || window.echo.settled())
}

fn window(
    prefix: &str,
    fleet: &mut Fleet,
    hinomi: &mut Hinomi,
    probes: Probes,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<u64, String> {
    let seconds = arguments.number("--seconds", 240)?;
    let fleet_before = fleet.program.usage();
    fleet.order("measure")?;
    let used = hinomi.program.during(Duration::from_secs(seconds))?;
    let fleet_used = fleet.program.usage() - fleet_before;
    let judged = fleet.verdict()?;
    let mut missed = 0;
    if probes != Probes::Echo {
        missed += row(&format!("{prefix}SNMP"), &judged.snmp, report);
    }
    if probes != Probes::Snmp {
        missed += row(&format!("{prefix}echo"), &judged.echo, report);
    }
    let pid = hinomi.program.pid();
    report.row(
        format!("{prefix}used"),
        format!(
            "{:.1} % of a core ({:.0} % in the kernel), {} MiB, at most {} MiB; the fleet {:.1} %",
            used.percent(seconds as f64),
            used.kernel_percent(),
            memory_kib(pid, "VmRSS") / 1024,
            memory_kib(pid, "VmHWM") / 1024,
            fleet_used.percent(seconds as f64)
        ),
    );
    let after = hinomi.metrics()?;
    let sum = |name: &str| Hinomi::sum(&after, name);
    report.row(
        format!("{prefix}believed of them"),
        format!(
            "{} devices and {} circuits down, {} answers refused for their source, {} incidents open",
            sum("hinomi_targets{state=\"down\"}"),
            sum("hinomi_circuits{state=\"down\"}"),
            sum("hinomi_dropped_total{reason=\"wrong-source\"}"),
            sum("hinomi_incidents{")
        ),
    );
    Ok(missed)
}

/// The verdict on one kind of probe.
fn row(name: &str, judged: &Judged, report: &mut Report) -> u64 {
    let v = &judged.answering;
    let [p50, p99, max] = v.late_ms;
    let mut text = format!(
        "{} missed of {} targets, {} rounds ({} complete), late p50 {p50} ms, p99 {p99} ms, most {max} ms; {} datagrams, {} repeated",
        v.missed, v.targets, v.rounds, v.complete, judged.requests, judged.retries
    );
    for (who, v) in [("liars", &judged.lying), ("silent", &judged.silent)] {
        if v.targets > 0 {
            text += &format!("; {} {who}: {} rounds", v.targets, v.rounds);
        }
    }
    report.row(name, text);
    v.missed
}
