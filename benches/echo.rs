//! What one echo costs: hinomi, a bare loop on a RAW socket that sends the same bytes, and fping, at the same pace in one run.
//!
//! `cargo bench --bench echo [-- --targets 40000 --interval 10 --seconds 20 --debian-buffers --write]`
//! Also: echoes that were lost on this host by ourselves, and how far the round trip of one target is from a lone ping of it.
//! With `--debian-buffers` net.core.rmem_max is what Debian sets (212,992) for the 30 s in which the sockets are opened, then put back.

#![allow(clippy::disallowed_methods, missing_docs)]

mod fleet;
mod shared;

use fleet::options::Options;
use shared::arguments::Arguments;
use shared::fleet_handle::Fleet;
use shared::floor;
use shared::hinomi::{Config, Hinomi, Probes, Surface};
use shared::peers;
use shared::program::{Program, own};
use shared::report::{Folder, Report};
use shared::usage::Usage;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

fn main() -> ExitCode {
    shared::enter(bench)
}

/// What all parts of the run share.
struct Run<'a> {
    options: &'a Options,
    seconds: u64,
    fleet: Fleet,
    folder: &'a Path,
    report: Report,
}

fn bench(words: &[String]) -> Result<(), String> {
    let defaults = Options {
        targets: 40_000,
        interval_s: 10,
        ..Options::default()
    };
    let arguments = Arguments::read(words, defaults, &["--seconds"], &[shared::buffers::SWITCH, "--write"])?;
    let folder = Folder::new()?;
    println!("echo: {}", arguments.fleet.describe());
    let mut run = Run {
        options: &arguments.fleet,
        seconds: arguments.number("--seconds", 20)?,
        fleet: Fleet::start(&arguments.fleet, folder.path())?,
        folder: folder.path(),
        report: Report::new("echo"),
    };
    let hinomi = run.hinomi()?;
    let floor = run.floor()?;
    run.report.row("hinomi / floor", format!("{:.2}", hinomi / floor));
    run.fping(hinomi)?;
    if arguments.has("--write") {
        run.report.write()
    } else {
        Ok(())
    }
}

impl Run<'_> {
    /// Microseconds an echo; also the row.
    fn cost(&mut self, name: &str, used: Usage) -> Result<f64, String> {
        let echoes = self.fleet.verdict()?.echo.requests;
        if echoes == 0 {
            return Err(format!("{name}: the fleet has heard no echo request"));
        }
        let (us, seconds) = (used.us_each(echoes), self.seconds as f64);
        let figure = format!(
            "{us:.1} µs an echo ({:.0} % in the kernel), {:.0} echoes/s, {:.1} % of a core",
            used.kernel_percent(),
            echoes as f64 / seconds,
            used.percent(seconds)
        );
        self.report.row(name, figure);
        Ok(us)
    }

    fn hinomi(&mut self) -> Result<f64, String> {
        let interval = Duration::from_secs(u64::from(self.options.interval_s));
        let mut hinomi = Config::new(self.options, Probes::Echo, Surface::Devices).start(self.folder)?;
        let limit = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
        self.report.row(
            "receive buffer that a service gets",
            format!("{} octets (net.core.rmem_max)", limit.trim()),
        );
        let all = u64::from(self.options.targets);
        self.fleet
            .settle(interval, interval * 6, |w| w.echo.answering.rounds >= all * 99 / 100)?;
        let before = hinomi.metrics()?;
        self.fleet.order("measure")?;
        let used = hinomi.program.during(Duration::from_secs(self.seconds))?;
        let us = self.cost("hinomi", used)?;
        let window = self.fleet.verdict()?;
        let after = hinomi.metrics()?;
        let rounds = |text: &str, result: &str| {
            Hinomi::sum(
                text,
                &format!("hinomi_polls_total{{kind=\"echo\",result=\"{result}\"}}"),
            )
        };
        let since = |result: &str| rounds(&after, result) - rounds(&before, result);
        let all = Hinomi::sum(&after, "hinomi_polls_total{kind=\"echo\"")
            - Hinomi::sum(&before, "hinomi_polls_total{kind=\"echo\"");
        self.report.row(
            "echoes lost on this host, by hinomi",
            format!(
                "{:.0} of {all:.0} rounds not answered; every address answers",
                all - since("ok")
            ),
        );
        let v = &window.echo.answering;
        let [p50, p99, max] = v.late_ms;
        self.report.row(
            "echoes missed, by the fleet",
            format!(
                "{} beside {}; late p50 {p50} ms, p99 {p99} ms, most {max} ms",
                v.missed, v.rounds
            ),
        );
        self.round_trip(&after)?;
        hinomi.program.stop();
        Ok(us)
    }

    /// A lone ping of agent 0 beside what hinomi says of it.
    fn round_trip(&mut self, metrics: &str) -> Result<(), String> {
        let own = Hinomi::sum(metrics, "probe_icmp_duration_seconds{device=\"agent-0\"") * 1e3;
        let address = fleet::address(0).to_string();
        if shared::installed("ping").is_none() {
            self.report.row("round trip", "skipped: needs iputils-ping");
            return Ok(());
        }
        let output = Command::new("ping")
            .args(["-q", "-c", "10", "-i", "0.2", &address])
            .output()
            .map_err(|e| format!("ping: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mean = text
            .lines()
            .find_map(|l| l.split_once(" = ")?.1.split('/').nth(1)?.parse::<f64>().ok());
        let mean = mean.ok_or(format!("ping says nothing of the round trip: {text}"))?;
        self.report.row(
            "round trip of one target",
            format!(
                "hinomi {own:.3} ms, a lone ping {mean:.3} ms: {:.3} ms apart",
                (own - mean).abs()
            ),
        );
        Ok(())
    }

    fn floor(&mut self) -> Result<f64, String> {
        let request = self.fleet.order("echo")?;
        let mut command = own("floor-echo")?;
        command
            .args(floor::Options::words(
                self.options.targets,
                self.options.interval_s,
                &request,
            ))
            .stdin(Stdio::null());
        let mut floor = Program::start("floor", &mut command, self.folder)?;
        std::thread::sleep(Duration::from_secs(2));
        self.fleet.order("measure")?;
        let used = floor.during(Duration::from_secs(self.seconds))?;
        self.cost("floor", used)
    }

    fn fping(&mut self, hinomi: f64) -> Result<(), String> {
        let Some(program) = shared::installed("fping") else {
            self.report.row("fping", "skipped: needs fping");
            return Ok(());
        };
        let list = peers::address_list(self.options.targets, self.folder)?;
        let period = self.options.interval_s * 1_000;
        let pace = f64::from(period) / f64::from(self.options.targets);
        for pace in [format!("{pace:.3}"), "0".to_owned()] {
            let flags = format!("-l -q -b 16 -t 2000 -p {period} -i {pace}");
            let mut words: Vec<String> = flags.split(' ').map(str::to_owned).collect();
            words.extend(["-f".to_owned(), list.display().to_string()]);
            let mut fping = Program::foreign("fping", &program, &words, self.folder)?;
            std::thread::sleep(Duration::from_secs(3));
            self.fleet.order("measure")?;
            let used = fping.during(Duration::from_secs(self.seconds))?;
            let us = self.cost(&format!("fping {flags}"), used)?;
            self.report.row("hinomi / fping", format!("{:.2}", hinomi / us));
        }
        Ok(())
    }
}
