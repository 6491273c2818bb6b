//! Random small sites under random faults, on the virtual clock: what must hold whatever happens.
//!
//! `HINOMI_SEEDS=1..5000 cargo test --release --test fast random` tries more than the fixed list. A failure prints its seed
//! and its history; a seed that once failed is kept in [`REGRESSIONS`].

mod judge;
mod town;
mod truth;

use crate::world::World;
use std::time::Duration;
use town::{Dice, Town};
use truth::Truth;

/// Seeds that once showed a bug, with what it was.
const REGRESSIONS: &[(u64, &str)] = &[
    (16, "accused of what was missed before the way to it was back"),
    (170, "an agent told the moment its device was back, not asked since"),
    (192, "a port told after two short cuts of the way, not asked since"),
    (
        209,
        "an edge that came back in its confirm counted as forwarding all the time",
    ),
    (
        380,
        "hidden below a root for ever: what lay between was back before the root",
    ),
    (457, "an agent told without its delay after an outage"),
    (705, "a port told on a failure older than the outage's end"),
];

/// Faults begin and end within this time; then everything is well.
const TROUBLE: Duration = Duration::from_secs(5400);
/// Long enough for `recover`, for flapping to end, and for everybody to be told.
const CALM: Duration = Duration::from_secs(45 * 60);

/// Runs one seed and says what was wrong.
fn run(seed: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let town = Town::build(&mut dice);
    let faults = truth::faults(&town, &mut dice);
    let truth = Truth::new(town, faults);
    let mut world = World::new(truth.town.site(Duration::ZERO, &truth.faults));
    for at in truth.moments() {
        world.run_to(at);
        truth.apply(&mut world, at);
    }
    world.run_to(TROUBLE + CALM);
    let wrong = judge::judge(&truth, &world);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "seed {seed}:\n  {}\n{}{}",
        wrong.join("\n  "),
        truth.story(),
        judge::story(&world)
    ))
}

fn seeds() -> Vec<u64> {
    let Ok(range) = std::env::var("HINOMI_SEEDS") else {
        // Unoptimised, a seed takes a second.
        let last = if cfg!(debug_assertions) { 15 } else { 150 };
        return (1..=last).chain(REGRESSIONS.iter().map(|(seed, _)| *seed)).collect();
    };
    let (from, to) = range.split_once("..").unwrap_or((&range, &range));
    let number = |s: &str| s.parse::<u64>().expect("HINOMI_SEEDS=from..to");
    (number(from)..=number(to)).collect()
}

#[test]
fn whatever_happens_the_right_people_are_told_and_nobody_is_accused_wrongly() {
    let (seeds, next) = (seeds(), std::sync::atomic::AtomicUsize::new(0));
    let work = || {
        let mut failed = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            // A panic is a failure of its seed, not the end of the others.
            let result = std::panic::catch_unwind(|| run(*seed));
            failed.extend(
                result
                    .unwrap_or_else(|_| Err(format!("seed {seed}: panicked, see above")))
                    .err(),
            );
        }
        failed
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter()
            .flat_map(|t| t.join().expect("panics are caught"))
            .collect()
    });
    let shown: Vec<&str> = failed.iter().take(3).map(String::as_str).collect();
    let heads: Vec<&str> = failed.iter().flat_map(|f| f.lines().take(2)).collect();
    assert!(
        failed.is_empty(),
        "{} seeds failed\n{}\n\n{}",
        failed.len(),
        shown.join("\n\n"),
        heads.join("\n")
    );
}
