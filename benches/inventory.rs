//! A nation of circuits in CSV: how long `hinomi check` takes for them, and what a site of them weighs.
//!
//! `cargo bench --bench inventory [-- CIRCUITS [FOLDER]]`. Writes 5,000 devices, 240,000 circuits (half measured on devices, half on the router
//! at the institution) and a contact for every second circuit into a temporary folder (or one that is
//! kept); checks them here and by the real program;
//! then the same with one bad row in a hundred; then what the daemon's start makes of them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use hinomi::config::{self, Host, Loaded};
use hinomi::core::Core;
use hinomi::incident::Restored;
use hinomi::model::{Mono, Now, Wall};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

const DEVICES: u32 = 5_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let circuits: u32 = arguments
        .first()
        .map_or(240_000, |a| a.parse().expect("a number of circuits"));
    let kept = arguments.get(1).map(PathBuf::from);
    let folder = kept
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("hinomi-inventory-{}", std::process::id())));
    println!(
        "inventory: {circuits} circuits, {DEVICES} devices, {} contacts, all in CSV",
        circuits / 2
    );
    let good = write(&folder.join("good"), circuits, 0);
    let (loaded, _) = in_process("check here", &good, circuits);
    assert!(
        loaded.site.is_some(),
        "the rows are meant to be right: {}",
        loaded.problems[0]
    );
    start(loaded, circuits);
    program("hinomi check", &good, circuits, &[]);
    program("hinomi check --json", &good, circuits, &["--json"]);
    let bad = write(&folder.join("bad"), circuits, 100);
    let (loaded, errors) = in_process("1 % bad rows, here", &bad, circuits);
    drop(loaded);
    println!(
        "{:<28}{errors:>8} mistakes found in {} bad rows",
        "",
        circuits.div_ceil(100)
    );
    program("1 % bad rows, hinomi check", &bad, circuits, &[]);
    if kept.is_none() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

/// Kilobytes of a process, by the name that /proc gives them.
fn memory(process: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// User and system time of this process and of the children that have ended, in hundredths of a second (Linux).
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name in brackets: utime stime cutime cstime are the 12th to 15th field.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    fields.skip(11).take(4).map(|f| f.parse::<u64>().unwrap()).sum()
}

/// A running measurement of time by the clock and by the processor.
struct Watch(Instant, u64);

impl Watch {
    fn new() -> Watch {
        Watch(Instant::now(), cpu())
    }

    fn report(&self, what: &str, circuits: u32, kilobytes: u64) {
        let (wall, cpu) = (self.0.elapsed().as_secs_f64(), (cpu() - self.1) as f64 / 1e2);
        let a_row = cpu * 1e9 / f64::from(circuits);
        println!(
            "{what:<28}{wall:>7.2} s {cpu:>7.2} s of a core {a_row:>6.0} ns a row {:>6} MB",
            kilobytes / 1024
        );
    }
}

fn in_process(what: &str, main: &Path, circuits: u32) -> (Loaded, usize) {
    let before = memory("self", "VmRSS");
    let watch = Watch::new();
    let loaded = config::load_with(main, &Host::new().without_secrets());
    watch.report(what, circuits, memory("self", "VmRSS").saturating_sub(before));
    let errors = loaded.problems.iter().map(|p| p.count).sum();
    (loaded, errors)
}

/// The real program, from its start to its end.
fn program(what: &str, main: &Path, circuits: u32, more: &[&str]) {
    let watch = Watch::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hinomi"))
        .arg("check")
        .arg(main)
        .arg("--no-secrets")
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (id, mut peak) = (child.id().to_string(), 0);
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(memory(&id, "VmHWM"));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    watch.report(what, circuits, peak);
}

/// What the daemon does with the site before its first packet.
fn start(loaded: Loaded, circuits: u32) {
    let (site, before) = (Arc::new(loaded.site.unwrap()), memory("self", "VmRSS"));
    let now = Now {
        mono: Mono(1_000_000),
        wall: Wall(1_800_000_000_000),
    };
    let watch = Watch::new();
    let core = Core::new(Arc::clone(&site), Restored::default(), [7; 32], now);
    watch.report("Core::new", circuits, memory("self", "VmRSS").saturating_sub(before));
    drop(core);
    let watch = Watch::new();
    drop(site);
    watch.report("dropping the site", circuits, 0);
}

/// Writes a site; with `bad_every` one row in so many is wrong. The path of its main file.
fn write(folder: &Path, circuits: u32, bad_every: u32) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("hinomi.toml", MAIN);
    put("holidays.csv", "date,name\n2027-01-01,元日\n2027-01-11,成人の日\n");
    put("devices.csv", &devices());
    put("circuits.csv", &rows(circuits, bad_every));
    put("contacts.csv", &contacts(circuits));
    folder.join("hinomi.toml")
}

fn devices() -> String {
    let mut text = String::from("name,address,group,site,interfaces\n");
    for n in 0..DEVICES {
        writeln!(
            text,
            "agg-{n},10.255.{}.{},aggregation,site-{},xe-0/0/*",
            n / 250,
            n % 250 + 1,
            n % 100
        )
        .unwrap();
    }
    text
}

fn rows(circuits: u32, bad_every: u32) -> String {
    let mut text = String::from(
        "id,institution_id,institution,class,carrier,role,measure,device,interface,down,up,address,snmp,power,hours,contact,status\n",
    );
    for n in 0..circuits {
        let bad = bad_every > 0 && n % bad_every == 0;
        let (class, power) = if n % 20 == 7 {
            ("service-provider", "")
        } else {
            ("user", "may-be-off")
        };
        let (measure, device, port, address, snmp) = if n % 2 == 0 {
            (
                "device",
                format!("agg-{}", n / 2 % DEVICES),
                format!("ge-0/{}/{}", n / 480_000, n / 2 / DEVICES),
                String::new(),
                "",
            )
        } else {
            let address = format!("10.{}.{}.{}", n >> 16, (n >> 8) & 0xff, n & 0xff);
            ("cpe", String::new(), "eth0".to_string(), address, "cpe")
        };
        let down = if bad {
            "100 Mbps"
        } else {
            ["100 Mbit/s", "1 Gbit/s", "50 Mbit/s"][n as usize % 3]
        };
        let hours = ["\"Mon-Fri 08:30-18:00, Sat 08:30-12:30\"", "Mon-Sat 09:00-17:30", ""][n as usize % 3];
        let contact = if n % 2 == 0 { format!("c-{n}") } else { String::new() };
        writeln!(
            text,
            "N-{n:07},13{:05},医療法人第{}クリニック,{class},carrier-{},main,{measure},{device},{port},{down},100 Mbit/s,{address},{snmp},{power},{hours},{contact},active",
            n / 2, n / 2, n % 4,
        )
        .unwrap();
    }
    text
}

fn contacts(circuits: u32) -> String {
    let mut text = String::from("name,party,mail,phone\n");
    for n in (0..circuits).step_by(2) {
        writeln!(
            text,
            "c-{n},institution,office{n}@clinic{n}.example.jp,+81-3-0000-{:04}",
            n % 10_000
        )
        .unwrap();
    }
    text
}

const MAIN: &str = r#"
[operator]
name = "Bench"
holidays = "holidays.csv"

[daemon]
uplinks = ["192.0.2.1", "192.0.2.11"]

[snmp.core]
version = "2c"
community = { env = "HINOMI_CORE" }

[snmp.cpe]
version = "2c"
community = { env = "HINOMI_CPE" }

[thresholds]
utilization = { warning = "70 %", critical = "90 %", for = "5m" }

[group.aggregation]
snmp = "core"

[devices]
file = "devices.csv"

[circuits]
file = "circuits.csv"
hours = "Mon-Fri 09:00-18:00"

[contacts]
file = "contacts.csv"

[[contact]]
name = "noc"
party = "own"
mail = "noc@example.net"

[[procedure]]
name = "institutions"
match = { owner = "institution" }
tell = ["noc", "circuit.contact"]

[[procedure]]
name = "everything"
tell = ["noc"]

[[route]]
name = "out of band"
out_of_band = true
smtp = "smtp://203.0.113.25"
tls_name = "relay.example.org"
from = "hinomi@example.org"
"#;
