//! What one poll of a device costs: hinomi, the bare loop that sends the same bytes, and the peers on the same objects, in one run.
//!
//! `cargo bench --bench poll [-- --targets 40000 --interval 10 --seconds 20 --peer-targets 1000 --write]`
//! A poll is the full set of objects that the configuration needs: name, states, octets, packets, errors and discards of one port,
//! processor and memory. It is complete when the fleet was asked for all of it.

#![allow(clippy::disallowed_methods, missing_docs)]

mod fleet;
mod shared;

use fleet::ber::{Oid, expect};
use fleet::options::Options;
use shared::arguments::Arguments;
use shared::fleet_handle::Fleet;
use shared::floor;
use shared::hinomi::{Config, Probes, Surface};
use shared::peers;
use shared::program::{Program, own};
use shared::report::{Folder, Report};
use shared::usage::{Usage, memory_kib};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

fn main() -> ExitCode {
    shared::enter(bench)
}

/// Rates are known, and judged, after 30 s of readings; what is kept of each device has its final size then.
const WARM: Duration = Duration::from_secs(40);

/// CPU of one subject for one poll.
struct Cost {
    polls: u64,
    used: Usage,
}

impl Cost {
    fn us(&self) -> f64 {
        self.used.us_each(self.polls)
    }

    fn words(&self, seconds: f64) -> String {
        format!(
            "{:.1} µs a poll ({:.0} % in the kernel), {:.0} polls/s, {:.1} % of a core",
            self.us(),
            self.used.kernel_percent(),
            self.polls as f64 / seconds,
            self.used.percent(seconds)
        )
    }
}

fn bench(words: &[String]) -> Result<(), String> {
    let defaults = Options {
        targets: 40_000,
        interval_s: 10,
        ..Options::default()
    };
    let arguments = Arguments::read(words, defaults, &["--seconds", "--peer-targets"], &["--write"])?;
    let (options, seconds) = (&arguments.fleet, arguments.number("--seconds", 20)?);
    let peer_targets = arguments.number("--peer-targets", 1_000)? as u32;
    let folder = Folder::new()?;
    let mut report = Report::new("poll");
    println!("poll: {}", options.describe());
    let mut fleet = Fleet::start(options, folder.path())?;
    let (hinomi, requests) = hinomi(options, seconds, &mut fleet, folder.path(), &mut report)?;
    let floor = floor_of(options, seconds, &requests, &mut fleet, folder.path())?;
    report.row("floor", floor.words(seconds as f64));
    report.row("hinomi / floor", format!("{:.2}", hinomi.us() / floor.us()));
    let oids = objects(&requests);
    // What a poll is, in full.
    println!("objects of a poll: {}", oids.join(" "));
    collectd(
        &oids,
        peer_targets,
        options.interval_s,
        seconds,
        &mut fleet,
        folder.path(),
        &hinomi,
        &mut report,
    )?;
    exporter(
        &oids,
        peer_targets,
        options.interval_s,
        seconds,
        folder.path(),
        &hinomi,
        &mut report,
    )?;
    if arguments.has("--write") {
        report.write()
    } else {
        Ok(())
    }
}

/// Runs the daemon until every address is polled, then measures; also the requests of one poll, hexadecimal.
fn hinomi(
    options: &Options,
    seconds: u64,
    fleet: &mut Fleet,
    folder: &Path,
    report: &mut Report,
) -> Result<(Cost, Vec<String>), String> {
    let mut hinomi = Config::new(options, Probes::Snmp, Surface::Devices).start(folder)?;
    report.row("start of hinomi", format!("{:.1} s", hinomi.started.as_secs_f64()));
    let interval = Duration::from_secs(u64::from(options.interval_s));
    let settled = fleet.settle(interval, interval * 12, |w| w.snmp.settled())?;
    report.row("all agents known after", format!("{:.0} s", settled.as_secs_f64()));
    std::thread::sleep(WARM);
    fleet.order("measure")?;
    std::thread::sleep(interval);
    let requests = fleet.order("requests")?;
    fleet.order("measure")?;
    let used = hinomi.program.during(Duration::from_secs(seconds))?;
    let window = fleet.verdict()?;
    let cost = Cost {
        polls: window.snmp.answering.complete,
        used,
    };
    report.row("hinomi", cost.words(seconds as f64));
    let v = &window.snmp.answering;
    let [p50, p99, max] = v.late_ms;
    report.row(
        "polls missed, by the fleet",
        format!(
            "{} of {}; {} requests, {} repeated; late p50 {p50} ms, p99 {p99} ms, most {max} ms",
            v.missed, v.rounds, window.snmp.requests, window.snmp.retries
        ),
    );
    report.row(
        "memory of hinomi",
        format!("{} MiB", memory_kib(hinomi.program.pid(), "VmRSS") / 1024),
    );
    hinomi.program.stop();
    Ok((cost, requests))
}

fn floor_of(
    options: &Options,
    seconds: u64,
    requests: &[String],
    fleet: &mut Fleet,
    folder: &Path,
) -> Result<Cost, String> {
    let mut command = own("floor-snmp")?;
    command
        .args(floor::Options::words(options.targets, options.interval_s, requests))
        .stdin(Stdio::null());
    let mut floor = Program::start("floor", &mut command, folder)?;
    std::thread::sleep(Duration::from_secs(2));
    fleet.order("measure")?;
    let used = floor.during(Duration::from_secs(seconds))?;
    let asked = fleet.verdict()?.snmp.requests;
    Ok(Cost {
        polls: asked / requests.len().max(1) as u64,
        used,
    })
}

/// The objects in these requests, as people write them.
fn objects(requests: &[String]) -> Vec<String> {
    let unhex = |r: &String| -> Vec<u8> {
        (0..r.len() / 2)
            .filter_map(|i| u8::from_str_radix(r.get(i * 2..i * 2 + 2)?, 16).ok())
            .collect()
    };
    let mut all = Vec::new();
    for request in requests.iter().map(unhex) {
        let list = || {
            let (message, _) = expect(0x30, &request)?;
            let rest = expect(0x04, expect(0x02, message)?.1)?.1;
            let pdu = fleet::ber::tlv(rest)?.1;
            let rest = expect(0x02, expect(0x02, expect(0x02, pdu)?.1)?.1)?.1;
            Some(expect(0x30, rest)?.0.to_vec())
        };
        let list = list().unwrap_or_default();
        let mut list = list.as_slice();
        while let Some((pair, rest)) = expect(0x30, list) {
            let oid = expect(0x06, pair).and_then(|(name, _)| Oid::read(name));
            all.extend(oid.map(|o| o.arcs().iter().map(u32::to_string).collect::<Vec<_>>().join(".")));
            list = rest;
        }
    }
    all.sort();
    all.dedup();
    all
}

#[allow(clippy::too_many_arguments, reason = "the parts of one run")]
fn collectd(
    oids: &[String],
    targets: u32,
    interval_s: u32,
    seconds: u64,
    fleet: &mut Fleet,
    folder: &Path,
    hinomi: &Cost,
    report: &mut Report,
) -> Result<(), String> {
    let Some(program) = shared::installed("collectd") else {
        report.row("collectd", "skipped: needs collectd-core");
        return Ok(());
    };
    // Its values are numbers: names and states of the octet string type stay out.
    let numbers: Vec<String> = oids.iter().filter(|o| !is_text(o)).cloned().collect();
    let mut collectd = peers::collectd(&program, &numbers, targets, interval_s, folder)?;
    std::thread::sleep(Duration::from_secs(u64::from(interval_s) + 3));
    fleet.order("measure")?;
    let used = collectd.during(Duration::from_secs(seconds))?;
    let cost = Cost {
        polls: fleet.verdict()?.snmp.requests,
        used,
    };
    report.row(
        format!("collectd, {} numbers in one GET", numbers.len()),
        cost.words(seconds as f64),
    );
    report.row("hinomi / collectd", ratio(hinomi, &cost));
    Ok(())
}

fn exporter(
    oids: &[String],
    targets: u32,
    interval_s: u32,
    seconds: u64,
    folder: &Path,
    hinomi: &Cost,
    report: &mut Report,
) -> Result<(), String> {
    let Some(program) = shared::installed("prometheus-snmp-exporter") else {
        report.row("snmp_exporter", "skipped: needs prometheus-snmp-exporter");
        return Ok(());
    };
    let (exporter, port) = peers::snmp_exporter(&program, oids, folder)?;
    peers::scrape(port, oids.len(), targets, interval_s, 2)?;
    let before = exporter.usage();
    let (scrapes, whole) = peers::scrape(port, oids.len(), targets, interval_s, seconds)?;
    let cost = Cost {
        polls: scrapes,
        used: exporter.usage() - before,
    };
    report.row(
        format!("snmp_exporter, {} objects", oids.len()),
        format!("{}, {whole} of {scrapes} whole", cost.words(seconds as f64)),
    );
    report.row("hinomi / snmp_exporter", ratio(hinomi, &cost));
    Ok(())
}

fn is_text(oid: &str) -> bool {
    let texts = [
        ".31.1.1.1.1.",
        ".31.1.1.1.18.",
        ".2.2.1.2.",
        ".25.2.3.1.2.",
        ".25.2.3.1.3.",
        ".1.1.2.",
    ];
    texts.iter().any(|t| oid.contains(t))
}

fn ratio(own: &Cost, peer: &Cost) -> String {
    format!("1/{:.1}", peer.us() / own.us())
}
