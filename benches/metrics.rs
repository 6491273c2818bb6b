//! What a scrape of /metrics takes, and whether polling notices: a real Prometheus scrapes while the fleet counts.
//!
//! `cargo bench --bench metrics [-- --targets 20000 --ports 1 --interval 10 --seconds 120 --scrape 60 --devices --write]`
//! Each target is an access circuit measured at the institution, or (`--devices`) a device.
//! Time and memory of a scrape without compression, the number of series, what promtool says, and what was missed meanwhile.

#![allow(clippy::disallowed_methods, missing_docs)]

mod fleet;
mod shared;

use fleet::options::Options;
use shared::arguments::Arguments;
use shared::fleet_handle::Fleet;
use shared::hinomi::{Config, Hinomi, Probes, Surface, get};
use shared::program::Program;
use shared::report::{Folder, Report};
use shared::usage::memory_kib;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const PROMETHEUS: u16 = 19_090;

fn main() -> ExitCode {
    shared::enter(bench)
}

fn bench(words: &[String]) -> Result<(), String> {
    let defaults = Options {
        targets: 20_000,
        interval_s: 10,
        ..Options::default()
    };
    let arguments = Arguments::read(words, defaults, &["--seconds", "--scrape"], &["--devices", "--write"])?;
    let options = &arguments.fleet;
    let seconds = arguments.number("--seconds", 120)?;
    let interval = Duration::from_secs(u64::from(options.interval_s));
    let folder = Folder::new()?;
    let mut report = Report::new("metrics");
    println!("metrics: {}", options.describe());
    let surface = match arguments.has("--devices") {
        true => Surface::Devices,
        false => Surface::CircuitsCpe,
    };
    let mut fleet = Fleet::start(options, folder.path())?;
    let mut hinomi = Config::new(options, Probes::Both, surface).start(folder.path())?;
    let all = u64::from(options.targets);
    fleet.settle(interval, interval * 10, |w| w.snmp.answering.complete >= all * 99 / 100)?;
    quiet(seconds.min(60), &mut fleet, &mut hinomi, &mut report)?;
    one_scrape(&hinomi, &mut report)?;
    let scrape = arguments.number("--scrape", 60)?;
    let missed = scraped(seconds, scrape, &mut fleet, &mut hinomi, folder.path(), &mut report)?;
    if arguments.has("--write") {
        report.write()?;
    }
    if missed > 0 {
        Err(format!("{missed} intervals were missed"))
    } else {
        Ok(())
    }
}

/// What polling uses while nobody reads.
fn quiet(seconds: u64, fleet: &mut Fleet, hinomi: &mut Hinomi, report: &mut Report) -> Result<(), String> {
    fleet.order("measure")?;
    let used = hinomi.program.during(Duration::from_secs(seconds))?;
    let late = fleet.verdict()?.snmp.answering.late_ms;
    report.row(
        "not scraped",
        format!(
            "{:.1} % of a core, late p99 {} ms, most {} ms",
            used.percent(seconds as f64),
            late[1],
            late[2]
        ),
    );
    Ok(())
}

/// One scrape by hand.
fn one_scrape(hinomi: &Hinomi, report: &mut Report) -> Result<(), String> {
    let (pid, before) = (hinomi.program.pid(), hinomi.program.usage());
    let resident = memory_kib(pid, "VmRSS");
    // Resets the high-water mark of this process (proc(5)).
    let clear = format!("/proc/{pid}/clear_refs");
    std::fs::write(&clear, "5").map_err(|e| format!("{clear}: {e}"))?;
    let begun = Instant::now();
    let text = hinomi.metrics()?;
    let (took, used) = (begun.elapsed(), hinomi.program.usage() - before);
    let series = text.lines().filter(|l| !l.starts_with('#')).count();
    let extra = memory_kib(pid, "VmHWM").saturating_sub(resident);
    report.row(
        "one scrape, not compressed",
        format!(
            "{series} series, {:.1} MB, {:.0} ms, {:.0} ms of CPU, {:.1} MiB beside what was resident",
            text.len() as f64 / 1e6,
            took.as_secs_f64() * 1e3,
            used.total_s * 1e3,
            extra as f64 / 1024.0
        ),
    );
    report.row("promtool check metrics", promtool(&text)?);
    Ok(())
}

/// Whether promtool can parse it, and how many lines it complains of.
fn promtool(text: &str) -> Result<String, String> {
    let Some(program) = shared::installed("promtool") else {
        return Ok("skipped: needs prometheus".to_owned());
    };
    let mut command = Command::new(program);
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let words = |e: std::io::Error| format!("promtool: {e}");
    let mut child = command.spawn().map_err(words)?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(text.as_bytes()).map_err(words)?;
    }
    let output = child.wait_with_output().map_err(words)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    // Exit 1: it cannot be parsed; 3: it can, and the linter has something to say.
    match output.status.code() {
        Some(0) => Ok("parsed, no complaint".to_owned()),
        Some(3) => Ok(format!(
            "parsed, {} complaints of its linter: {}",
            lines.len(),
            complaints(&lines)
        )),
        _ => Err(format!(
            "promtool cannot parse it: {}",
            lines[..lines.len().min(3)].join(" ")
        )),
    }
}

/// Each complaint once, without the metric it is about; with how many there are of it and one of the metrics.
fn complaints(lines: &[&str]) -> String {
    let mut kinds: std::collections::BTreeMap<&str, (usize, &str)> = std::collections::BTreeMap::new();
    for (metric, words) in lines.iter().filter_map(|l| l.split_once(' ')) {
        kinds.entry(words).or_insert((0, metric)).0 += 1;
    }
    let all: Vec<_> = kinds
        .iter()
        .map(|(words, (n, metric))| format!("{n} × {metric} {words}"))
        .collect();
    all.join("; ")
}

/// Prometheus scrapes while the fleet counts.
fn scraped(
    seconds: u64,
    scrape: u64,
    fleet: &mut Fleet,
    hinomi: &mut Hinomi,
    folder: &Path,
    report: &mut Report,
) -> Result<u64, String> {
    let Some(program) = shared::installed("prometheus") else {
        report.row("scraped by Prometheus", "skipped: needs prometheus");
        return Ok(0);
    };
    let mut prometheus = prometheus(&program, scrape, hinomi.port, folder)?;
    fleet.order("measure")?;
    let used = hinomi.program.during(Duration::from_secs(seconds))?;
    let judged = fleet.verdict()?;
    prometheus.running()?;
    report.row(
        format!("Prometheus, each {scrape} s"),
        format!(
            "scrapes took {} s, {} samples each",
            query("scrape_duration_seconds")?,
            query("scrape_samples_scraped")?
        ),
    );
    let (snmp, echo) = (&judged.snmp.answering, &judged.echo.answering);
    report.row(
        "scraped",
        format!(
            "{:.1} % of a core, {} MiB at most",
            used.percent(seconds as f64),
            memory_kib(hinomi.program.pid(), "VmHWM") / 1024
        ),
    );
    report.row(
        "missed meanwhile, by the fleet",
        format!(
            "SNMP {} of {} (late p99 {} ms, most {} ms), echo {} of {} (late p99 {} ms, most {} ms)",
            snmp.missed,
            snmp.rounds,
            snmp.late_ms[1],
            snmp.late_ms[2],
            echo.missed,
            echo.rounds,
            echo.late_ms[1],
            echo.late_ms[2]
        ),
    );
    Ok(snmp.missed + echo.missed)
}

fn prometheus(program: &Path, scrape: u64, port: u16, folder: &Path) -> Result<Program, String> {
    let file = folder.join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: {scrape}s, scrape_timeout: {scrape}s }}\nscrape_configs:\n- job_name: hinomi\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n"
    );
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let words = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", folder.join("tsdb").display()),
        format!("--web.listen-address=127.0.0.1:{PROMETHEUS}"),
    ];
    let mut prometheus = Program::foreign("prometheus", program, &words, folder)?;
    let begun = Instant::now();
    while get(PROMETHEUS, "/-/ready", Duration::from_secs(1)).is_err() {
        prometheus.running()?;
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(format!("prometheus is not ready: {}", prometheus.last_words()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(prometheus)
}

/// The last value of a series of Prometheus about its only target.
fn query(name: &str) -> Result<String, String> {
    let body = get(
        PROMETHEUS,
        &format!("/api/v1/query?query={name}"),
        Duration::from_secs(10),
    )?;
    let value = body
        .rsplit_once("\",")
        .and_then(|_| body.rsplit('"').nth(1))
        .unwrap_or_default();
    if value.parse::<f64>().is_ok() {
        Ok(value.to_owned())
    } else {
        Err(format!("prometheus has no {name}: {body}"))
    }
}
