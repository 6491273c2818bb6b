//! What the benches have in common: a network namespace of their own, programs that are started, measured and ended by their id,
//! the configuration of hinomi, the floors, the peers, and the table of docs/performance.md.
//!
//! Never here: a judgement of hinomi by hinomi's own words where the fleet can judge.

#![allow(dead_code, reason = "each bench uses its own part")]

pub(crate) mod arguments;
pub(crate) mod buffers;
pub(crate) mod fleet_handle;
pub(crate) mod floor;
pub(crate) mod hinomi;
pub(crate) mod peers;
pub(crate) mod program;
pub(crate) mod report;
pub(crate) mod usage;

use crate::fleet;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Set for the process that runs inside of the namespace.
const INSIDE: &str = "HINOMI_BENCH_INSIDE";

type Work = fn(&[String]) -> Result<(), String>;

/// Runs a bench, or the child process that it started, or nothing where it cannot run.
pub(crate) fn enter(bench: Work) -> ExitCode {
    enter_with(bench, "", |_| Err("this bench has no child of its own".to_owned()))
}

/// [`enter`] for a bench that has a kind of child beside those that all have.
pub(crate) fn enter_with(bench: Work, kind: &str, work: Work) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let outcome = match words.first().map(String::as_str) {
        Some("--child") => child(&words[1..], kind, work),
        _ if std::env::var_os(INSIDE).is_none() => unshared(&words),
        _ => loopback_up().and_then(|()| {
            report::sweep();
            bench(&words)
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// The same program again, in a network namespace without a name: it ends with the last process in it, whatever that dies of.
fn unshared(words: &[String]) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot name this program: {e}"))?;
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--"]).arg(own).args(words).env(INSIDE, "1");
    let skipped = |e| format!("skipped: needs root and `unshare` (util-linux) for a network namespace of its own: {e}");
    if !words.iter().any(|w| w == buffers::SWITCH) {
        return Err(skipped(inside.exec()));
    }
    let _buffers = buffers::DebianBuffers::set()?;
    let status = inside.status().map_err(skipped)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the bench ended with {status}"))
    }
}

fn loopback_up() -> Result<(), String> {
    run("ip", &["link", "set", "lo", "up"])?;
    // Where this host has no IPv6, the fleet that wants it says so.
    let _ = run("ip", &["-6", "route", "add", "local", fleet::V6_NETWORK, "dev", "lo"]);
    Ok(())
}

/// Runs a short program to its end.
pub(crate) fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(words)
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// A program of a Debian package, if it is installed.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    folders
        .iter()
        .map(|f| PathBuf::from(f).join(program))
        .find(|p| p.exists())
}

fn child(words: &[String], own: &str, work: Work) -> Result<(), String> {
    // Whatever the bench dies of, its children go with it; the wish survives `exec`.
    let term = rustix::process::Signal::TERM;
    rustix::process::set_parent_process_death_signal(Some(term)).map_err(|e| format!("death signal: {e}"))?;
    let (kind, rest) = words.split_first().ok_or("--child: which?")?;
    match kind.as_str() {
        kind if kind == own => work(rest),
        "fleet" => {
            let mut options = fleet::options::Options::default();
            for pair in rest.chunks(2) {
                let [name, value] = pair else {
                    return Err(format!("{}: needs a value", pair[0]));
                };
                if !options.take(name, value)? {
                    return Err(format!("{name}: not an option of the fleet"));
                }
            }
            fleet::process::run(options)
        }
        "floor-snmp" => floor::snmp(&floor::Options::read(rest)?),
        "floor-echo" => floor::echo(&floor::Options::read(rest)?),
        "exec" => {
            let (program, words) = rest.split_first().ok_or("--child exec: which program?")?;
            Err(format!("{program}: {}", Command::new(program).args(words).exec()))
        }
        other => Err(format!("--child {other}: fleet, floor-snmp, floor-echo or exec")),
    }
}
