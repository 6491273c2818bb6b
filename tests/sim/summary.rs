//! What a run of many stories showed.

use super::run::Told;
use std::collections::BTreeMap;
use std::time::Duration;

/// Of all verdicts where the evidence tells, so many percent may be left open.
const OPEN_PERCENT: f64 = 2.0;
/// Of what is wrong with one story, so much is said at once; `--seed` says the rest.
const SHOWN: usize = 3;

/// Sums over stories.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) stories: u64,
    failed: Vec<u64>,
    kinds: BTreeMap<&'static str, (u64, u64)>,
    targets: Vec<usize>,
    hours: f64,
    datagrams: u64,
    turns: u64,
    events: u64,
    mails: u64,
    incidents: u64,
    notices: u64,
    verdicts: u64,
    open: u64,
    open_first: u64,
    false_alarms: u64,
    expected_false: f64,
}

impl Summary {
    /// Adds a story.
    pub(crate) fn add(&mut self, told: &Told) {
        self.stories += 1;
        let of_kind = self.kinds.entry(told.kind).or_default();
        of_kind.0 += 1;
        of_kind.1 += u64::from(told.findings.open);
        self.targets.push(told.targets);
        self.hours += told.lasted as f64 / 3.6e9;
        self.datagrams += told.counts.datagrams;
        self.turns += told.counts.turns;
        self.events += told.counts.events;
        self.mails += told.counts.mails;
        let f = &told.findings;
        self.incidents += u64::from(f.incidents);
        self.notices += u64::from(f.notices);
        self.verdicts += u64::from(f.verdicts);
        self.open += u64::from(f.open);
        self.open_first += u64::from(f.open_first);
        self.false_alarms += u64::from(f.false_alarms);
        self.expected_false += f.expected_false;
        if !told.wrongs.is_empty() {
            for wrong in told.wrongs.iter().take(SHOWN) {
                println!("seed {} ({}): {wrong}", told.seed, told.kind);
            }
            self.failed.push(told.seed);
        }
    }

    /// One line while it runs.
    pub(crate) fn progress(&self, of: usize, took: Duration) {
        println!(
            "{} of {of} stories, {} failed, {:.0} s",
            self.stories,
            self.failed.len(),
            took.as_secs_f64()
        );
    }

    fn open_percent(&self) -> f64 {
        self.open as f64 * 100.0 / self.verdicts.max(1) as f64
    }

    /// Alarms about healthy devices are no more than chance explains: five standard deviations of a rare event, and one.
    fn chance_explains(&self) -> bool {
        self.false_alarms as f64 <= self.expected_false + 5.0 * self.expected_false.sqrt() + 1.0
    }

    /// Nothing failed, and the shares are what they may be.
    pub(crate) fn is_good(&self, all_kinds: bool) -> bool {
        self.failed.is_empty() && self.chance_explains() && (!all_kinds || self.open_percent() <= OPEN_PERCENT)
    }

    /// Everything, for people.
    pub(crate) fn print(&self, took: Duration, quiet: bool) {
        if !quiet {
            for (kind, (count, open)) in &self.kinds {
                let open = if *open > 0 {
                    format!(", {open} verdicts left open")
                } else {
                    String::new()
                };
                println!("  {count:7} {kind}{open}");
            }
        }
        let mut targets = self.targets.clone();
        targets.sort_unstable();
        let large = targets.iter().filter(|t| **t >= 2_000).count();
        println!(
            "targets    median {}, largest {}, {large} stories with 2,000 or more",
            targets.get(targets.len() / 2).unwrap_or(&0),
            targets.last().unwrap_or(&0)
        );
        println!(
            "told       {:.0} h of virtual time, {} datagrams, {} turns, {} events, {} incidents, {} notices, {} mails",
            self.hours, self.datagrams, self.turns, self.events, self.incidents, self.notices, self.mails
        );
        println!(
            "verdicts   {} where the evidence tells; left open at the end {:.2} %, in the first notice {:.2} %",
            self.verdicts,
            self.open_percent(),
            self.open_first as f64 * 100.0 / self.verdicts.max(1) as f64
        );
        println!(
            "chance     {} alarms about healthy devices at 30 % loss, {:.2} expected",
            self.false_alarms, self.expected_false
        );
        println!(
            "{} stories, {} failed, {:.1} s, {:.2} ms a story",
            self.stories,
            self.failed.len(),
            took.as_secs_f64(),
            took.as_secs_f64() * 1e3 / self.stories.max(1) as f64
        );
        if !self.failed.is_empty() {
            println!("failed     seeds {:?}", self.failed);
        }
        if let Some(cpu) = cpu() {
            let each = cpu.as_secs_f64() * 1e3 / self.stories.max(1) as f64;
            println!("CPU        {:.1} s, {each:.2} ms a story", cpu.as_secs_f64());
        }
    }
}

/// CPU time of this process: on a machine that others use, the clock on the wall tells little.
fn cpu() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .ok()
        .map(Duration::from)
}
