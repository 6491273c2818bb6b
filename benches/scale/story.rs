//! What happens to the simulated network, and what is measured meanwhile.

use super::Shape;
use super::network::Network;
use super::site;
use hinomi::core::{Core, Effect, Input};
use hinomi::incident::{Head, Restored};
use hinomi::model::{Mono, Now, Wall};
use hinomi::poll::PollInput;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);
/// Monday 2026-11-23 was a holiday; this is Tuesday 2026-11-24, 16:50 in Tokyo.
const TUESDAY_16_50: i64 = 1_795_506_600_000;

struct Bench {
    core: Core,
    network: Network,
    mono: Mono,
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
    let site = site::site(shape, circuits, true);
    let made = begun.elapsed();
    let of_site = resident() - before;
    let begun = Instant::now();
    let mut bench = Bench::new(site);
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
    match name {
        "minutes" => bench.run("eight more", 480),
        _ => {
            eprintln!("scale: there is no story `{name}`");
            return false;
        }
    }
    println!(
        "memory           {} octets a circuit, {} MiB in all",
        (resident() - before) * 1024 / u64::from(circuits),
        resident() / 1024
    );
    true
}

impl Bench {
    fn new(site: std::sync::Arc<hinomi::model::Site>) -> Bench {
        let mono = Mono(1_000_000);
        let core = Core::new(site, Restored::default(), [3; 32], now(mono));
        Bench {
            core,
            network: Network::default(),
            mono,
            answers: VecDeque::new(),
            spent: Duration::ZERO,
            worst: Duration::ZERO,
            commits: 0,
            events: Vec::new(),
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
        let clock = now(self.mono);
        let answers = std::mem::take(&mut self.answers);
        let begun = Instant::now();
        self.core.take_polled(answers, clock);
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
            Effect::TcpConnect { .. } | Effect::Deliver(_) | Effect::TestRoute { .. } => {}
        }
    }
}

fn now(mono: Mono) -> Now {
    Now {
        mono,
        wall: Wall(TUESDAY_16_50 + i64::try_from(mono.0 / 1_000).unwrap_or(0)),
    }
}

/// Resident memory in KiB.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:").map(str::to_owned));
    line.and_then(|l| l.split_whitespace().next().and_then(|n| n.parse().ok()))
        .unwrap_or(0)
}
