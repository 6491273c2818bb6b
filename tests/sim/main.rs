//! The simulation: random networks, random faults, a virtual clock, and a judge that knows the truth.
//!
//! `cargo test --release --test sim` tells 2,000 stories and the kept ones; `-- --stories 100000` is the long run; `-- --seed N` tells
//! one story and prints its history; `-- --kind NAME` tells stories of one kind only.
//!
//! Each story is made by its seed alone: a town (`town`), what goes wrong (`plot`), what is true (`truth`), the world around the core
//! (`world`), and what must hold (`judge`).

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod agent;
mod dice;
mod judge;
mod kept;
mod kinds;
mod options;
mod plot;
mod run;
mod summary;
mod town;
mod truth;
mod world;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match options::parse(std::env::args().skip(1)) {
        Ok(options) => match options.seed {
            Some(seed) => run::one(seed, options.kind),
            None => run::all(&options),
        },
        Err(why) => {
            eprintln!(
                "sim: {why}; known: --stories N, --from N, --seed N, --kind NAME, --replay-every N, --first-failure, --quiet"
            );
            ExitCode::from(2)
        }
    }
}
