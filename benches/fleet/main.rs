//! A fleet of SNMP agents on loopback, polled by hinomi: what was missed (counted by the fleet, not by us), lateness, CPU, memory.
//!
//! `cargo bench --bench fleet -- [--devices 1000] [--seconds 300] [--interval 10] [--subject daemon|engine|floor]`
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
            Subject::Floor => floor::run(&options),
            _ => engine::run(&options),
        }
        return ExitCode::SUCCESS;
    }
    measure(&options)
}

fn measure(options: &Options) -> ExitCode {
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
        options.subject.describe()
    );
    let mut subject = program::start(options);
    // The first interval spreads the phases and resolves names; the clock starts after it.
    std::thread::sleep(Duration::from_secs(options.interval) * 3 / 2);
    let (from, cpu_from) = (begun.elapsed(), subject.cpu());
    std::thread::sleep(
        Duration::from_secs(options.seconds).saturating_sub(Duration::from_secs(options.interval) * 3 / 2),
    );
    let (to, cpu_to, memory, kernel) = (begun.elapsed(), subject.cpu(), subject.memory(), subject.in_kernel());
    let lateness = subject.lateness();
    let words = subject.stop();
    stop.store(true, Ordering::Relaxed);
    let logs: Vec<_> = agents.into_iter().map(|a| a.join().unwrap()).collect();
    let verdict = judge::judge(&logs, from, to, Duration::from_secs(options.interval));
    verdict.print(cpu_to.saturating_sub(cpu_from), to - from, memory, kernel);
    match lateness.or_else(|| engine::lateness_from(&words)) {
        Some((bound, n)) => println!("lateness p99     at most {bound} s (by hinomi's own histogram, {n} rounds)"),
        None => println!("lateness p99     skipped: the subject did not tell"),
    }
    if options.subject != Subject::Daemon {
        print!("{words}");
    }
    if verdict.missed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
