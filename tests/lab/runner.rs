//! The lab's own small runner: chooses stories, checks what they need, holds their deadlines, prints the summary. Several stories
//! are told side by side, each by a process of its own: they mostly wait.

use crate::{net, parts};
use std::collections::VecDeque;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One story.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) headline: &'static str,
    /// Programs, or the words `root` and `loopback`.
    pub(crate) needs: &'static [&'static str],
    /// Seconds it usually takes: the slowest begin first.
    pub(crate) usual: u32,
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

const USAGE: &str = "usage: lab [NAME…] [--list] [--long] [--jobs N]\n  NAME: a story, or the first words of several. --jobs: so many side by side, 3 unless \
                     written; 1 shows them as they happen.";

/// What was asked for.
struct Asked {
    long: bool,
    jobs: usize,
    names: Vec<String>,
}

fn read(stories: &[Story], args: &[String]) -> Result<Asked, ExitCode> {
    let mut asked = Asked {
        long: false,
        jobs: 3,
        names: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => {
                for story in stories {
                    println!("{:<20} {}", story.name, story.headline);
                }
                return Err(ExitCode::SUCCESS);
            }
            "--long" => asked.long = true,
            "--jobs" => match args.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0) {
                Some(jobs) => asked.jobs = jobs,
                None => {
                    eprintln!("lab: --jobs needs a number above 0");
                    return Err(ExitCode::from(2));
                }
            },
            "--help" | "-h" => {
                println!("{USAGE}");
                return Err(ExitCode::SUCCESS);
            }
            other if other.starts_with('-') => {
                eprintln!("lab: {other} is not an option\n{USAGE}");
                return Err(ExitCode::from(2));
            }
            name => asked.names.push(name.to_owned()),
        }
    }
    Ok(asked)
}

/// Runs what was asked for.
pub(crate) fn main(stories: &'static [Story], args: &[String]) -> ExitCode {
    let asked = match read(stories, args) {
        Ok(asked) => asked,
        Err(code) => return code,
    };
    let is_one = |n: &String| stories.iter().any(|s| s.name == n);
    let named = |s: &Story| {
        asked
            .names
            .iter()
            .any(|n| s.name == n || (!is_one(n) && s.name.starts_with(&format!("{n}-"))))
    };
    let chosen: Vec<&Story> = stories.iter().filter(|s| asked.names.is_empty() || named(s)).collect();
    if chosen.is_empty() {
        eprintln!("lab: no story is called {}; see --list", asked.names.join(", "));
        return ExitCode::from(2);
    }
    net::remove_stale();
    if asked.jobs > 1 && chosen.len() > 1 {
        return summary(&side_by_side(&chosen, &asked));
    }
    start_watchdog();
    let ends: Vec<(&Story, f64, End)> = chosen.iter().map(|story| tell(story, asked.long)).collect();
    summary(&ends)
}

/// A story that another process tells.
struct Telling {
    story: &'static Story,
    child: Child,
    log: PathBuf,
    began: Instant,
}

fn side_by_side(chosen: &[&'static Story], asked: &Asked) -> Vec<(&'static Story, f64, End)> {
    // The slowest first, so that none of them stands alone at the end.
    let mut waiting: Vec<&'static Story> = chosen.to_vec();
    waiting.sort_by_key(|s| std::cmp::Reverse(s.usual));
    let mut waiting: VecDeque<_> = waiting.into();
    let (mut running, mut ends): (Vec<Telling>, Vec<_>) = (Vec::new(), Vec::new());
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < asked.jobs {
            let Some(story) = waiting.pop_front() else { break };
            println!("--- {} begins: {}", story.name, story.headline);
            match begin(story, asked.long) {
                Ok(telling) => running.push(telling),
                Err(why) => ends.push((story, 0.0, End::Failed(why))),
            }
        }
        std::thread::sleep(Duration::from_millis(100));
        let mut at = 0;
        while at < running.len() {
            match running[at].child.try_wait() {
                Ok(None) => at += 1,
                _ => ends.push(end(running.swap_remove(at))),
            }
        }
    }
    ends.sort_by_key(|(story, ..)| chosen.iter().position(|c| c.name == story.name));
    ends
}

fn begin(story: &'static Story, long: bool) -> Result<Telling, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let log = std::env::temp_dir().join(format!("{}-{}", net::full("log"), story.name));
    let out = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(own)
        .args(["--jobs", "1", story.name]);
    if long {
        command.arg("--long");
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .map_err(|e| format!("cannot start a story: {e}"))?;
    Ok(Telling {
        story,
        child,
        log,
        began: Instant::now(),
    })
}

/// Prints what a process told, and reads its end off its summary.
fn end(mut telling: Telling) -> (&'static Story, f64, End) {
    let status = telling.child.wait();
    let text = std::fs::read_to_string(&telling.log).unwrap_or_default();
    let _ = std::fs::remove_file(&telling.log);
    let (story_text, result) = text.split_once("\n=== lab summary\n").unwrap_or((&text, ""));
    println!("{}", story_text.trim_end());
    let line = result.lines().next().unwrap_or_default();
    let after = |word: &str| line.split_once(word).map(|(_, rest)| rest.trim().to_owned());
    let end = if line.contains(" passed ") {
        End::Passed
    } else if let Some(why) = after("skipped: ") {
        End::Skipped(why)
    } else {
        let status = status.map_or_else(|e| e.to_string(), |s| s.to_string());
        // `FAILED   12.3 s: why`
        let why = after("FAILED").and_then(|rest| rest.split_once(" s: ").map(|(_, why)| why.to_owned()));
        End::Failed(why.unwrap_or_else(|| format!("the story ended with {status}")))
    };
    (telling.story, telling.began.elapsed().as_secs_f64(), end)
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
