//! The bench's end of the fleet's process: orders out, verdicts in.

use super::program::{Program, own};
use crate::fleet::judge::Verdict;
use crate::fleet::options::Options;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// A running fleet.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) program: Program,
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

/// What the fleet says of one kind of probe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// Datagrams.
    pub(crate) requests: u64,
    /// The same objects again, or further echoes of a round.
    pub(crate) retries: u64,
    /// GETNEXT and GETBULK.
    pub(crate) walks: u64,
    /// GETs of one object.
    pub(crate) single: u64,
    /// Not understood.
    pub(crate) garbage: u64,
    /// Addresses that answer, honestly.
    pub(crate) answering: Verdict,
    /// Addresses that lie.
    pub(crate) lying: Verdict,
    /// Addresses that were silent at some time in the window.
    pub(crate) silent: Verdict,
}

/// All that the fleet says of a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Its length.
    pub(crate) seconds: f64,
    pub(crate) snmp: Judged,
    pub(crate) echo: Judged,
}

impl Fleet {
    pub(crate) fn start(options: &Options, folder: &Path) -> Result<Fleet, String> {
        Fleet::start_kind("fleet", options, folder)
    }

    /// A child of another kind that takes the same orders.
    pub(crate) fn start_kind(kind: &str, options: &Options, folder: &Path) -> Result<Fleet, String> {
        let mut command = own(kind)?;
        command
            .args(options.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut program = Program::start("fleet", &mut command, folder)?;
        let (orders, words) = (program.child.stdin.take(), program.child.stdout.take());
        let (Some(orders), Some(words)) = (orders, words) else {
            return Err("the fleet has no pipes".to_owned());
        };
        let mut fleet = Fleet {
            program,
            orders,
            words: BufReader::new(words),
        };
        fleet.answer()?;
        Ok(fleet)
    }

    /// Gives an order; the lines of its answer.
    pub(crate) fn order(&mut self, order: &str) -> Result<Vec<String>, String> {
        writeln!(self.orders, "{order}").map_err(|e| format!("the fleet: {e}: {}", self.program.last_words()))?;
        let lines = self.answer()?;
        match lines.iter().find_map(|l| l.strip_prefix("error: ")) {
            Some(problem) => Err(format!("the fleet: {problem}")),
            None => Ok(lines),
        }
    }

    fn answer(&mut self) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match self.words.read_line(&mut line) {
                Ok(n) if n > 0 => {}
                _ => return Err(format!("the fleet has ended: {}", self.program.last_words())),
            }
            if line.trim_end() == "end" {
                return Ok(lines);
            }
            lines.push(line.trim_end().to_owned());
        }
    }

    /// The verdict on the window since the last `measure`.
    pub(crate) fn verdict(&mut self) -> Result<Window, String> {
        let lines = self.order("verdict")?;
        let line = |name: &str| {
            lines
                .iter()
                .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '))
                .unwrap_or_default()
        };
        let number = |line: &str, field: &str| -> u64 {
            let found = line
                .split_whitespace()
                .find_map(|w| w.strip_prefix(field)?.strip_prefix('=')?.parse().ok());
            found.unwrap_or(0)
        };
        let judged = |name: &str| -> Result<Judged, String> {
            let group = |which: &str| {
                let text = line(&format!("{name}-{which}"));
                Verdict::read(text).ok_or_else(|| format!("the fleet's verdict cannot be read: {text}"))
            };
            let totals = line(name);
            Ok(Judged {
                requests: number(totals, "requests"),
                retries: number(totals, "retries"),
                walks: number(totals, "walks"),
                single: number(totals, "single"),
                garbage: number(totals, "garbage"),
                answering: group("answering")?,
                lying: group("lying")?,
                silent: group("silent")?,
            })
        };
        Ok(Window {
            seconds: number(line("window"), "ms") as f64 / 1e3,
            snmp: judged("snmp")?,
            echo: judged("echo")?,
        })
    }

    /// Waits until `enough` of one interval, with the verdict at hand; the time it took.
    pub(crate) fn settle(
        &mut self,
        interval: Duration,
        patience: Duration,
        enough: impl Fn(&Window) -> bool,
    ) -> Result<Duration, String> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            self.order("measure")?;
            std::thread::sleep(interval);
            if enough(&self.verdict()?) {
                return Ok(begun.elapsed());
            }
        }
        let last = self.verdict()?;
        Err(format!("not all are asked after {} s: {:?}", patience.as_secs(), last))
    }
}
