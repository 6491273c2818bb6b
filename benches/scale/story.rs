//! What happens to the simulated network, and what is measured meanwhile.

use super::Shape;
use super::network::Network;
use super::site;
use hinomi::core::{Core, Effect, Input};
use hinomi::incident::{Head, Restored};
use hinomi::model::{Mono, Now, Site, Wall};
use hinomi::poll::PollInput;
use hinomi::poll::agent::memory::{Memories, Memory};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);
/// Wednesday 2026-11-25, 10:00 in Tokyo.
const WEDNESDAY_10_00: i64 = 1_795_568_400_000;
/// The same day, 17:55.
const WEDNESDAY_17_55: i64 = WEDNESDAY_10_00 + (7 * 60 + 55) * 60_000;

struct Bench {
    core: Core,
    network: Network,
    mono: Mono,
    wall: i64,
    answers: VecDeque<PollInput>,
    spent: Duration,
    worst: Duration,
    commits: u64,
    events: Vec<String>,
}

/// Tells the story of this name; false if something was not as it must be.
pub(crate) fn tell(name: &str, shape: Shape, circuits: u32) -> bool {
    let before = resident();
    let begun = Instant::now();
    // The common part of a step is not watched itself: only its circuits tell of it.
    let site = site::site(shape, circuits, name != "step");
    let made = begun.elapsed();
    let of_site = resident() - before;
    let begun = Instant::now();
    let wall = if name == "night" {
        WEDNESDAY_17_55
    } else {
        WEDNESDAY_10_00
    };
    let mut bench = Bench::new(Arc::clone(&site), wall);
    println!("scale: {circuits} circuits, shape {shape:?}, echo and SNMP each 60 s, virtual clock, no sockets");
    println!(
        "start            {:.0} ms for the core, {:.0} ms for the site ({} octets a circuit)",
        begun.elapsed().as_secs_f64() * 1e3,
        made.as_secs_f64() * 1e3,
        of_site * 1024 / u64::from(circuits)
    );
    bench.network.behind = match shape {
        Shape::Cpe => site::BEHIND,
        Shape::Device => site::PER_DEVICE,
    };
    bench.network.silent = vec![false; circuits as usize];
    bench.run("first minute", 60);
    bench.run("second minute", 60);
    let good = match name {
        "minutes" => {
            bench.run("eight more", 480);
            bench.said().is_empty()
        }
        "night" => night(&mut bench, circuits),
        "step" => step(&mut bench, circuits),
        "restart" => restart(&mut bench, &site),
        _ => {
            eprintln!("scale: there is no story `{name}`");
            return false;
        }
    };
    println!(
        "memory           {} octets a circuit, {} MiB in all",
        (resident() - before) * 1024 / u64::from(circuits),
        resident() / 1024
    );
    println!("{}", if good { "as it must be" } else { "NOT as it must be" });
    good
}

/// Another process takes up what this one has learned: hardly more is asked than in any other minute.
fn restart(bench: &mut Bench, site: &Arc<Site>) -> bool {
    let usual = bench.network.requests;
    bench.run("third minute", 60);
    let usual = bench.network.requests - usual;
    let clock = now(bench.mono, bench.wall);
    let (copied, memories) = timed(|| bench.core.remember(0..bench.core.devices(), clock));
    let (written, text) = timed(|| {
        let mut text = Vec::new();
        for memory in &memories {
            serde_json::to_writer(&mut text, memory).unwrap();
            text.push(b'\n');
        }
        text
    });
    let (read, devices) = timed(|| {
        let lines = text.split_inclusive(|b| *b == b'\n');
        let memory = |line| serde_json::from_slice(line).unwrap();
        lines.map(memory).map(|m: Memory| (m.name().clone(), m)).collect()
    });
    let learned = Memories {
        at: clock.wall,
        profiles: bench.core.profiles_mark(),
        devices,
    };
    bench.core = Core::new(Arc::clone(site), Restored::default(), [4; 32], clock);
    let (recalled, ()) = timed(|| bench.core.recall(learned, clock));
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!(
        "what was learned {} devices, {} octets each; {:.0} ms to copy, {:.0} to write down, {:.0} to read, {:.0} to take up",
        memories.len(),
        text.len() / memories.len().max(1),
        ms(copied),
        ms(written),
        ms(read),
        ms(recalled)
    );
    let before = bench.network.requests;
    bench.run("after a restart", 60);
    let first = bench.network.requests - before;
    println!("requests         {first} in the first minute, {usual} in any other");
    first * 10 < usual * 12
}

fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let result = run();
    (begun.elapsed(), result)
}

/// 85 % switch off between 18:00 and 19:30, in an order that has nothing to do with where they are. Nobody may be accused.
fn night(bench: &mut Bench, circuits: u32) -> bool {
    bench.run("until 18:00", 180);
    let off = u64::from(circuits) * 85 / 100;
    let order = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17) % u64::from(circuits);
    let mut done = 0;
    for minute in 0..90u64 {
        let until = off * (minute + 1) / 90;
        for i in done..until {
            bench.network.silent[order(i) as usize] = true;
        }
        done = until;
        if minute % 30 == 29 {
            bench.run("closing", 60);
        } else {
            bench.quiet(60);
        }
    }
    bench.run("night", 300);
    let said = bench.said();
    println!(
        "said             {} incidents: {:?}",
        said.len(),
        said.iter().take(3).collect::<Vec<_>>()
    );
    said.is_empty()
}

/// Half of all circuits fall silent at once by day, behind devices that are not watched; ten minutes later they are back.
fn step(bench: &mut Bench, circuits: u32) -> bool {
    let dead = circuits / 2 / bench.network.behind;
    bench.network.dead_devices = dead;
    bench.run("step, 1st minute", 60);
    bench.run("step, 2nd", 60);
    bench.run("step, 3rd", 60);
    bench.run("step, 4th to 10th", 420);
    let said = bench.said();
    println!(
        "said             {} incidents for {dead} dead devices, the first: {:?}",
        said.len(),
        said.first()
    );
    bench.network.dead_devices = 0;
    bench.run("back, 1st minute", 60);
    bench.run("back, 2nd to 5th", 240);
    let recovered = bench.bodies("recovered");
    println!("recovered        {} incidents", recovered.len());
    let expected = expected(dead);
    println!(
        "expected         {} incidents: {:?} …",
        expected.len(),
        expected.iter().take(3).collect::<Vec<_>>()
    );
    let named = |part: &String| said.iter().any(|s| s.contains(&format!("\"{part}\"")));
    expected.iter().all(named) && said.len() == expected.len() && recovered.len() == said.len()
}

/// The first `dead` devices are dead: what an engineer would name.
fn expected(dead: u32) -> Vec<String> {
    let site = site::SITE;
    let sites = (0..dead / site).map(|i| format!("site site-{i}"));
    let rest = (dead / site * site..dead).map(|i| format!("device agg-{i}"));
    if dead % site * 2 >= site {
        return sites.chain([format!("site site-{}", dead / site)]).collect();
    }
    sites.chain(rest).collect()
}

impl Bench {
    fn new(site: std::sync::Arc<hinomi::model::Site>, wall: i64) -> Bench {
        let mono = Mono(1_000_000);
        let core = Core::new(site, Restored::default(), [3; 32], now(mono, wall));
        Bench {
            core,
            network: Network::default(),
            mono,
            wall,
            answers: VecDeque::new(),
            spent: Duration::ZERO,
            worst: Duration::ZERO,
            commits: 0,
            events: Vec::new(),
        }
    }

    /// Incidents that were opened: the finding of each, and whose fault it is said to be.
    fn said(&self) -> Vec<String> {
        let opened = self.bodies("opened");
        let word = |e: &serde_json::Value| format!("{} {}", e["change"]["key"], e["change"]["isolation"]["verdict"]);
        opened.iter().map(word).collect()
    }

    /// Bodies of the events of this kind.
    fn bodies(&self, kind: &str) -> Vec<serde_json::Value> {
        let body = |text: &String| {
            let event: serde_json::Value = serde_json::from_str(text).ok()?;
            (event["event"] == kind).then_some(event)
        };
        self.events
            .iter()
            .filter(|e| e.contains(kind))
            .filter_map(body)
            .collect()
    }

    /// Time passes, and nothing is printed.
    fn quiet(&mut self, seconds: u32) {
        for _ in 0..seconds * 100 {
            self.tick();
        }
    }

    fn run(&mut self, name: &str, seconds: u32) {
        let before = (self.network.echoes, self.network.requests);
        (self.spent, self.worst) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..seconds * 100 {
            self.tick();
        }
        let (echoes, requests) = (self.network.echoes - before.0, self.network.requests - before.1);
        println!(
            "{name:16} {echoes} echoes, {requests} requests; {:.2} µs of CPU a datagram sent, {:.1} % of a core, worst tick {:.1} ms; {} MiB",
            self.spent.as_secs_f64() * 1e6 / (echoes + requests).max(1) as f64,
            self.spent.as_secs_f64() / f64::from(seconds) * 100.0,
            self.worst.as_secs_f64() * 1e3,
            resident() / 1024,
        );
    }

    fn tick(&mut self) {
        self.mono = self.mono + TICK;
        let clock = now(self.mono, self.wall);
        let answers = std::mem::take(&mut self.answers);
        let begun = Instant::now();
        self.core.take_polled(&mut answers.into(), clock);
        if self.core.next_wakeup() <= self.mono {
            self.core.wake(clock);
        }
        let effects = self.core.effects();
        let took = begun.elapsed();
        self.spent += took;
        self.worst = self.worst.max(took);
        for effect in effects {
            self.effect(effect, clock);
        }
    }

    fn effect(&mut self, effect: Effect, clock: Now) {
        match effect {
            Effect::Send { channel, to, bytes } => {
                let answer = self.network.sent(channel, to, &bytes, clock.mono);
                self.answers.extend(answer);
            }
            Effect::Commit(batch) => {
                self.commits += 1;
                self.events.extend(batch.events);
                let head = Head {
                    seq: self.commits,
                    hash: "00".to_owned(),
                };
                let answer = Input::Committed {
                    batch: batch.id,
                    result: Ok(head),
                };
                self.core.take(answer, clock);
            }
            Effect::TcpConnect { .. } | Effect::Ask(_) | Effect::Deliver(_) | Effect::TestRoute { .. } => {}
        }
    }
}

fn now(mono: Mono, wall: i64) -> Now {
    Now {
        mono,
        wall: Wall(wall + i64::try_from(mono.0 / 1_000).unwrap_or(0)),
    }
}

/// Resident memory in KiB.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:").map(str::to_owned));
    line.and_then(|l| l.split_whitespace().next().and_then(|n| n.parse().ok()))
        .unwrap_or(0)
}
