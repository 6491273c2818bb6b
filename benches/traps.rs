//! A flood of traps from one device beside one honest trap a second from another, and the polls of a fleet beside both.
//!
//! `cargo bench --bench traps [-- --targets 1000 --interval 10 --seconds 60 --rate 50000 --debian-buffers --write]`
//! The flood comes from an address of the inventory and is well-formed with the right community: nothing but its rate gives it away.
//! Whether an honest trap was acted on is seen from outside: its device's agent is a socket of this bench, which must be asked within a
//! second. Ends with 1 if more honest traps were without effect than the kernel dropped datagrams, or a poll of the fleet was missed.

#![allow(clippy::disallowed_methods, missing_docs)]

mod fleet;
mod shared;

use fleet::COMMUNITY;
use fleet::options::Options;
use hinomi::wire::snmp::{Pdu, PduKind, Value, VarBind, Version, encode_community};
use shared::arguments::Arguments;
use shared::fleet_handle::Fleet;
use shared::hinomi::{Config, Hinomi, Probes, Surface};
use shared::report::{Folder, Report};
use shared::usage::memory_kib;
use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TRAPS: &str = "127.0.0.1:10162";
const FLOOD: &str = "127.9.9.8";
const HONEST: &str = "127.9.9.9";
/// Where the agents of the two senders are; only that of the honest one is there.
const AGENT_PORT: u16 = 16_162;
/// An honest trap must have made hinomi ask within this time.
const EFFECT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    shared::enter(bench)
}

fn bench(words: &[String]) -> Result<(), String> {
    let defaults = Options {
        interval_s: 10,
        ..Options::default()
    };
    let switches = [shared::buffers::SWITCH, "--write"];
    let arguments = Arguments::read(words, defaults, &["--seconds", "--rate"], &switches)?;
    let options = &arguments.fleet;
    let seconds = arguments.number("--seconds", 60)?;
    let rate = arguments.number("--rate", 50_000)?;
    let folder = Folder::new()?;
    let mut report = Report::new("traps");
    println!(
        "traps: {rate} a second from one device, one a second from another; beside it {}",
        options.describe()
    );
    let agent = UdpSocket::bind((HONEST, AGENT_PORT)).map_err(|e| format!("{HONEST}: {e}"))?;
    let mut fleet = Fleet::start(options, folder.path())?;
    let mut config = Config::new(options, Probes::Snmp, Surface::Devices);
    config.more = more();
    let mut hinomi = config.start(folder.path())?;
    report.row("receive buffer of the socket for traps", receive_buffer(folder.path())?);
    let interval = Duration::from_secs(u64::from(options.interval_s));
    fleet.settle(interval, interval * 6, |w| w.snmp.settled())?;
    let mut missed = window("no trap", seconds, &mut fleet, &mut hinomi, &mut report, || Ok(()))?;
    let before = memory_kib(hinomi.program.pid(), "VmRSS");
    let mut sent = ((0, Duration::ZERO), Honest::default());
    missed += window("flood", seconds, &mut fleet, &mut hinomi, &mut report, || {
        sent = both(rate, Duration::from_secs(seconds), &agent)?;
        Ok(())
    })?;
    let after = memory_kib(hinomi.program.pid(), "VmRSS");
    report.row("memory before and after", format!("{before} KiB, {after} KiB"));
    // The counters are handed on once a second.
    std::thread::sleep(Duration::from_secs(2));
    let text = hinomi.metrics()?;
    let ((flood, lasted), honest) = sent;
    let of = |result: &str| Hinomi::sum(&text, &format!("hinomi_traps_total{{result=\"{result}\"}}"));
    let drops = Hinomi::sum(&text, "hinomi_traps_dropped_total");
    report.row(
        "sent",
        format!(
            "{flood} ({:.0} a second) and {}",
            flood as f64 / lasted.as_secs_f64(),
            honest.sent
        ),
    );
    report.row(
        "hinomi counts",
        format!(
            "{:.0} accepted, {:.0} over the limit of their source",
            of("accepted"),
            of("rate_limited")
        ),
    );
    report.row("dropped by the kernel, both together", format!("{drops:.0}"));
    report.row(
        "honest traps acted on",
        format!(
            "{} of {}, the device asked after {} ms on average, {} ms at most",
            honest.acted,
            honest.sent,
            honest.mean_ms(),
            honest.most.as_millis()
        ),
    );
    if arguments.has("--write") {
        report.write()?;
    }
    let without = honest.sent - honest.acted;
    if without as f64 > drops {
        return Err(format!(
            "{without} honest traps had no effect, and the kernel dropped {drops} datagrams"
        ));
    }
    if missed > 0 {
        return Err(format!("{missed} polls were missed"));
    }
    Ok(())
}

/// The two senders, and where traps come in. Nothing is due of them within the bench.
fn more() -> String {
    let device = |name: &str, address: &str| {
        format!(
            "[[device]]\nname = \"{name}\"\naddress = \"{address}\"\nsnmp = \"own\"\nliveness = \"none\"\n\
             poll = {{ interval = \"24h\", timeout = \"100ms\" }}\n"
        )
    };
    format!(
        "[traps]\nlisten = [\"{TRAPS}\"]\n[snmp.own]\nversion = \"2c\"\ncommunity = \"{COMMUNITY}\"\nport = {AGENT_PORT}\n{}{}",
        device("flooding", FLOOD),
        device("honest", HONEST)
    )
}

/// What hinomi says when it opens the socket.
fn receive_buffer(folder: &Path) -> Result<String, String> {
    let file = folder.join("hinomi.log");
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let found = text
        .split("(receive buffer ")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    let limit = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
    let found = found.ok_or("hinomi does not say how large the receive buffer is")?;
    Ok(format!(
        "{found} (as the kernel counts; net.core.rmem_max {})",
        limit.trim()
    ))
}

/// A trap linkDown of an interface.
fn trap(interface: i64) -> Vec<u8> {
    let varbind = |oid: &[u32], value| VarBind {
        oid: oid.to_vec(),
        value,
    };
    let pdu = Pdu {
        kind: PduKind::Trap,
        request_id: 1,
        error_status: 0,
        error_index: 0,
        varbinds: vec![
            varbind(&[1, 3, 6, 1, 2, 1, 1, 3, 0], Value::TimeTicks(12_345)),
            varbind(
                &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0],
                Value::Oid(vec![1, 3, 6, 1, 6, 3, 1, 1, 5, 3]),
            ),
            varbind(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 3], Value::Integer(interface)),
            varbind(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 7, 3], Value::Integer(1)),
            varbind(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8, 3], Value::Integer(2)),
        ],
    };
    encode_community(Version::V2c, COMMUNITY.as_bytes(), &pdu)
}

fn sender(source: &str) -> Result<UdpSocket, String> {
    let socket = UdpSocket::bind((source, 0)).and_then(|s| s.connect(TRAPS).map(|()| s));
    socket.map_err(|e| format!("{source} to {TRAPS}: {e}"))
}

/// What became of the honest traps.
#[derive(Clone, Copy, Debug, Default)]
struct Honest {
    sent: u64,
    acted: u64,
    all: Duration,
    most: Duration,
}

impl Honest {
    fn mean_ms(&self) -> u128 {
        self.all.as_millis() / u128::from(self.acted.max(1))
    }
}

/// Datagrams of the flood, and how long it lasted.
type Flood = (u64, Duration);

/// Both senders for so long: the flood, and what became of the honest ones.
fn both(rate: u64, length: Duration, agent: &UdpSocket) -> Result<(Flood, Honest), String> {
    let over = Arc::new(AtomicBool::new(false));
    let (socket, end) = (sender(FLOOD)?, Arc::clone(&over));
    let flood = std::thread::spawn(move || flood(&socket, rate, &end));
    let honest = honest(&sender(HONEST)?, length, agent);
    over.store(true, Ordering::Relaxed);
    let sent = flood
        .join()
        .map_err(|_| "the thread of the flood has ended by a mistake")?;
    Ok((sent, honest?))
}

fn flood(socket: &UdpSocket, rate: u64, over: &AtomicBool) -> Flood {
    let (bytes, begun) = (trap(3), Instant::now());
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            // A full queue of the sender's host is no drop of the receiver.
            sent += u64::from(socket.send(&bytes).is_ok());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    (sent, begun.elapsed())
}

/// One trap a second, and whether it made hinomi ask the device.
fn honest(socket: &UdpSocket, length: Duration, agent: &UdpSocket) -> Result<Honest, String> {
    let io = |e: std::io::Error| format!("the honest device: {e}");
    let (mut honest, begun, mut room) = (Honest::default(), Instant::now(), [0; 2048]);
    agent.set_read_timeout(Some(Duration::from_millis(10))).map_err(io)?;
    while begun.elapsed() + EFFECT * 2 < length {
        // What was asked before, retries of the round before among it.
        while agent.recv(&mut room).is_ok() {}
        let at = Instant::now();
        socket
            .send(&trap(i64::try_from(honest.sent).unwrap_or(0)))
            .map_err(io)?;
        honest.sent += 1;
        let mut took = None;
        while at.elapsed() < EFFECT {
            if agent.recv(&mut room).is_ok() && took.is_none() {
                took = Some(at.elapsed());
            }
        }
        if let Some(took) = took {
            honest.acted += 1;
            honest.all += took;
            honest.most = honest.most.max(took);
        }
        // A round without an answer ends in some tenths of a second, and the next may begin a second after the last.
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(honest)
}

/// One window in which `event` happens; polls missed.
fn window(
    name: &str,
    seconds: u64,
    fleet: &mut Fleet,
    hinomi: &mut Hinomi,
    report: &mut Report,
    event: impl FnOnce() -> Result<(), String>,
) -> Result<u64, String> {
    let before = hinomi.program.usage();
    fleet.order("measure")?;
    let begun = Instant::now();
    event()?;
    std::thread::sleep(Duration::from_secs(seconds).saturating_sub(begun.elapsed()));
    let used = hinomi.program.usage() - before;
    hinomi.program.running()?;
    let window = fleet.verdict()?;
    let v = &window.snmp.answering;
    let [p50, p99, most] = v.late_ms;
    report.row(
        format!("{name}: polls of {} devices", v.targets),
        format!(
            "{} missed, {} served, late p50 {p50} ms, p99 {p99} ms, most {most} ms",
            v.missed, v.complete
        ),
    );
    report.row(
        format!("{name}: CPU of hinomi"),
        format!("{:.1} % of a core", used.percent(seconds as f64)),
    );
    Ok(v.missed)
}
