//! A fleet of SNMP agents on loopback, polled by hinomi: what was missed (counted by the fleet, not by us), lateness, CPU, memory.
//!
//! `cargo bench --bench fleet -- [--devices 1000] [--seconds 300] [--interval 10] [--subject daemon|engine|floor]`
//! Without a subject: the floor for at most a minute, then the daemon, and the ratio of their CPU.
//!
//! `engine` is `poll` alone on 8 sockets in one thread; `daemon` is the real program with a configuration made for the purpose.
//! `floor` is a bare loop of sends and receives at the same rate: what the sockets alone cost.
//! The subject is a process of its own, so that its CPU and memory are not mixed with the fleet's.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod agent;
mod engine;
mod floor;
mod judge;
mod options;
mod program;

use options::{Options, Subject};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("fleet: {problem}");
            return ExitCode::from(2);
        }
    };
    if options.child {
        match options.subject {
            Some(Subject::Floor) => floor::run(&options),
            _ => engine::run(&options),
        }
        return ExitCode::SUCCESS;
    }
    if let Some(subject) = options.subject {
        return exit(measure(&options, subject).0);
    }
    let short = Options {
        seconds: options.seconds.min(60).max(3 * options.interval),
        ..options.clone()
    };
    let (_, floor) = measure(&short, Subject::Floor);
    println!();
    let (missed, daemon) = measure(&options, Subject::Daemon);
    println!("ratio            {:.1} × the floor a request", daemon / floor);
    exit(missed)
}

fn exit(missed: u64) -> ExitCode {
    if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Has the fleet polled by the subject; returns how many rounds were missed, and microseconds of CPU a request.
fn measure(options: &Options, subject: Subject) -> (u64, f64) {
    let begun = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let agents: Vec<_> = (0..options.devices)
        .map(|i| agent::spawn(i, begun, stop.clone()))
        .collect();
    println!(
        "fleet: {} agents on 127.1.0.0/16 port {}, interval {} s, {} s, {}",
        options.devices,
        agent::PORT,
        options.interval,
        options.seconds,
        subject.describe()
    );
    let mut program = program::start(options, subject);
    // The first interval spreads the phases and resolves names; the clock starts after it.
    let settling = Duration::from_secs(options.interval) * 3 / 2;
    std::thread::sleep(settling);
    let (from, cpu_from) = (begun.elapsed(), program.cpu());
    std::thread::sleep(Duration::from_secs(options.seconds).saturating_sub(settling));
    let (to, cpu_to, memory, kernel) = (begun.elapsed(), program.cpu(), program.memory(), program.in_kernel());
    let lateness = program.lateness();
    let words = program.stop();
    stop.store(true, Ordering::Relaxed);
    let logs: Vec<_> = agents.into_iter().map(|a| a.join().unwrap()).collect();
    let verdict = judge::judge(&logs, from, to, Duration::from_secs(options.interval));
    let each = verdict.print(cpu_to.saturating_sub(cpu_from), to - from, memory, kernel);
    match lateness.or_else(|| engine::lateness_from(&words)) {
        Some((bound, n)) => println!("lateness p99     at most {bound} s (by hinomi's own histogram, {n} rounds)"),
        None if subject == Subject::Floor => {}
        None => println!("lateness p99     skipped: the subject did not tell"),
    }
    print!("{words}");
    (verdict.missed(), each)
}
