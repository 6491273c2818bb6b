//! The lab's own small runner: chooses stories, checks what they need, holds their deadlines, prints the summary.

use crate::{net, parts};
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One story.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) headline: &'static str,
    /// Programs, or the words `root` and `loopback`.
    pub(crate) needs: &'static [&'static str],
    /// A story that takes longer is hung.
    pub(crate) limit: Duration,
    pub(crate) run: fn(&mut Tale) -> Result<(), String>,
}

/// What a story is told with: its clock and its choices.
pub(crate) struct Tale {
    pub(crate) name: &'static str,
    /// The long form was asked for.
    pub(crate) long: bool,
    began: Instant,
}

impl Tale {
    /// Seconds since the story began.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Prints what happened, with the time.
    pub(crate) fn say(&self, what: impl Display) {
        println!("  {:>7.1} s  {what}", self.seconds());
    }
}

/// Fails a story with a sentence unless it holds.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

enum End {
    Passed,
    Failed(String),
    Skipped(String),
}

const USAGE: &str = "usage: lab [NAME…] [--list] [--long]   (names match by their beginning)";

/// Runs what was asked for.
pub(crate) fn main(stories: &'static [Story], args: &[String]) -> ExitCode {
    let mut long = false;
    let mut names = Vec::new();
    for arg in args {
        match arg.as_str() {
            "--list" => {
                for story in stories {
                    println!("{:<20} {}", story.name, story.headline);
                }
                return ExitCode::SUCCESS;
            }
            "--long" => long = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other if other.starts_with('-') => {
                eprintln!("lab: {other} is not an option\n{USAGE}");
                return ExitCode::from(2);
            }
            name => names.push(name.to_owned()),
        }
    }
    let chosen: Vec<&Story> = stories
        .iter()
        .filter(|s| {
            names.is_empty()
                || names
                    .iter()
                    .any(|n| s.name == n || s.name.starts_with(&format!("{n}-")))
        })
        .collect();
    if chosen.is_empty() {
        eprintln!("lab: no story is called {}; see --list", names.join(", "));
        return ExitCode::from(2);
    }
    net::remove_stale();
    start_watchdog();
    let ends: Vec<(&Story, f64, End)> = chosen.iter().map(|story| tell(story, long)).collect();
    summary(&ends)
}

fn tell(story: &'static Story, long: bool) -> (&'static Story, f64, End) {
    println!("\n=== {}: {}", story.name, story.headline);
    let began = Instant::now();
    let missing: Vec<String> = story.needs.iter().filter_map(|n| parts::missing(n)).collect();
    if !missing.is_empty() {
        let why = format!("needs {}", missing.join(", "));
        println!("    skipped: {why}");
        return (story, 0.0, End::Skipped(why));
    }
    arm(story.limit);
    let mut tale = Tale {
        name: story.name,
        long,
        began,
    };
    let end = match (story.run)(&mut tale) {
        Ok(()) => End::Passed,
        Err(why) => End::Failed(why),
    };
    disarm();
    let seconds = began.elapsed().as_secs_f64();
    match &end {
        End::Failed(why) => println!("    FAILED after {seconds:.1} s: {why}"),
        _ => println!("    passed in {seconds:.1} s"),
    }
    (story, seconds, end)
}

fn summary(ends: &[(&Story, f64, End)]) -> ExitCode {
    println!("\n=== lab summary");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (story, seconds, end) in ends {
        match end {
            End::Passed => {
                passed += 1;
                println!("{:<20} passed   {seconds:.1} s", story.name);
            }
            End::Failed(why) => {
                failed += 1;
                println!(
                    "{:<20} FAILED   {seconds:.1} s: {}",
                    story.name,
                    why.lines().next().unwrap_or("")
                );
            }
            End::Skipped(why) => {
                skipped += 1;
                println!("{:<20} skipped: {why}", story.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    let required = std::env::var("HINOMI_LAB_REQUIRE").is_ok_and(|v| v == "1");
    if required && skipped > 0 {
        println!("a skip is a failure here: HINOMI_LAB_REQUIRE=1");
    }
    if failed > 0 || (required && skipped > 0) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Milliseconds since the start of the lab at which the present story is hung; 0 while none runs.
static LIMIT: AtomicU64 = AtomicU64::new(0);
static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

fn millis() -> u64 {
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn arm(limit: Duration) {
    LIMIT.store(
        millis() + u64::try_from(limit.as_millis()).unwrap_or(u64::MAX / 2),
        Ordering::SeqCst,
    );
}

fn disarm() {
    LIMIT.store(0, Ordering::SeqCst);
}

fn start_watchdog() {
    millis();
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let limit = LIMIT.load(Ordering::SeqCst);
            if limit != 0 && millis() > limit {
                println!(
                    "\n    FAILED: the story is past its deadline; the lab stops here\n0 passed, 1 failed, 0 skipped"
                );
                net::remove_own();
                // The children die with this process (PR_SET_PDEATHSIG).
                std::process::exit(1);
            }
        }
    });
}
