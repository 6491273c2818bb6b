//! What the core costs at national size: access circuits polled by echo and SNMP every 60 s, judged and recorded, on a virtual clock
//! and without sockets.
//!
//! `cargo bench --bench scale [-- --circuits 240000] [--shape cpe|device] [--story minutes|night|step|restart]`. CPU is the core's alone: what the
//! simulated network does is not counted. Memory is of the whole process less what it had before the site was made.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod network;
mod site;
mod story;

use std::process::ExitCode;

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each circuit is a router of its own at the institution.
    Cpe,
    /// 48 circuits on each device of the operator.
    Device,
}

fn main() -> ExitCode {
    let mut circuits = 240_000;
    let (mut shape, mut story) = (Shape::Cpe, "minutes".to_owned());
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(key) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (key.as_str(), value.as_str()) {
            ("--circuits", n) if n.parse::<u32>().is_ok() => circuits = n.parse().unwrap_or(circuits),
            ("--shape", "cpe") => shape = Shape::Cpe,
            ("--shape", "device") => shape = Shape::Device,
            ("--story", name) => story = name.to_owned(),
            _ => {
                eprintln!(
                    "scale: what is `{key} {value}`? known: --circuits N, --shape cpe|device, --story minutes|night|step|restart"
                );
                return ExitCode::from(2);
            }
        }
    }
    if story::tell(&story, shape, circuits) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
