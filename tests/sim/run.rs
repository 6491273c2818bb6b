//! Telling stories: one with its history, or many on all cores.

use super::judge::{self, Findings};
use super::kept::KEPT;
use super::kinds::{Kind, kind as named};
use super::options::Options;
use super::summary::Summary;
use super::world::{Call, Counts, World};
use super::{plot, truth::At};
use hinomi::core::{Core, Effect};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seed, kind if it is given, and whether the story is replayed from its record.
type Story = (u64, Option<&'static Kind>, bool);

/// What became of a story.
pub(crate) struct Told {
    pub(crate) seed: u64,
    pub(crate) kind: &'static str,
    pub(crate) targets: usize,
    pub(crate) lasted: At,
    pub(crate) counts: Counts,
    pub(crate) findings: Findings,
    pub(crate) wrongs: Vec<String>,
}

/// Tells the story of a seed.
fn tell(seed: u64, kind: Option<&'static Kind>, record: bool) -> World {
    let mut world = World::new(plot::write(seed, kind), record);
    world.run();
    judge::end::judge(&mut world);
    if record {
        replay(&mut world);
    }
    world
}

/// The same calls must have the same effects: events and mails, to the letter.
fn replay(world: &mut World) {
    let calls = world.record.take().unwrap_or_default();
    let mut said = Vec::new();
    let mut core: Option<Core> = None;
    let site = &world.plot.town.site;
    for (now, call) in calls {
        match (call, &mut core) {
            (Call::Start(restored), _) => {
                let seed = if core.is_some() { [9; 32] } else { [7; 32] };
                core = Some(Core::new(site.clone(), *restored, seed, now));
            }
            (Call::Polled(inputs), Some(core)) => core.take_polled(inputs, now),
            (Call::Take(input), Some(core)) => core.take(input, now),
            (Call::Wake, Some(core)) => core.wake(now),
            _ => {}
        }
        for effect in core.iter_mut().flat_map(Core::effects) {
            match effect {
                Effect::Commit(batch) => said.push(format!("{:?}", batch.events)),
                Effect::Deliver(delivery) => said.push(format!("{delivery:?}")),
                _ => {}
            }
        }
    }
    if said != world.said {
        let at = said.iter().zip(&world.said).take_while(|(a, b)| a == b).count();
        world
            .judge
            .wrong(format!("the replay says something else from its {at}th word on"));
    }
}

fn told(seed: u64, kind: Option<&'static Kind>, record: bool) -> Told {
    // A panic is a failure of its seed, not the end of the others.
    let result = std::panic::catch_unwind(|| tell(seed, kind, record));
    match result {
        Ok(world) => Told {
            seed,
            kind: &world.plot.kind.name,
            targets: world.plot.town.tiers.len(),
            lasted: world.plot.ends,
            counts: world.counts,
            findings: world.judge.findings,
            wrongs: world.judge.wrongs().to_vec(),
        },
        Err(_) => Told {
            seed,
            kind: "?",
            targets: 0,
            lasted: 0,
            counts: Counts::default(),
            findings: Findings::default(),
            wrongs: vec!["panicked, see above".to_owned()],
        },
    }
}

/// One story with its history.
pub(crate) fn one(seed: u64, kind: Option<&'static Kind>) -> ExitCode {
    let world = tell(seed, kind, true);
    println!("seed {seed}: {}\n{}", world.plot.kind.name, world.plot.story());
    for line in &world.judge.history {
        println!("{line}");
    }
    println!("{:?} {:?}", world.counts, world.judge.findings);
    for wrong in world.judge.wrongs() {
        println!("WRONG: {wrong}");
    }
    if world.judge.wrongs().is_empty() {
        println!("nothing wrong");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Many stories, on all cores.
pub(crate) fn all(options: &Options) -> ExitCode {
    let begun = Instant::now();
    let kept = KEPT.iter().filter(|_| options.kind.is_none());
    let mut seeds: Vec<Story> = kept.map(|(seed, kind, _)| (*seed, Some(named(kind)), true)).collect();
    let fresh = options.from..options.from + options.stories;
    seeds.extend(fresh.map(|seed| (seed, options.kind, seed % options.replay_every == 0)));
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary::default());
    let work = || {
        while let Some((seed, kind, record)) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let told = told(*seed, *kind, *record);
            let mut summary = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            summary.add(&told);
            if options.first_failure && !told.wrongs.is_empty() {
                next.store(u64::MAX / 2, Ordering::Relaxed);
            }
            if summary.stories % 5_000 == 0 && !options.quiet {
                summary.progress(seeds.len(), begun.elapsed());
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.print(begun.elapsed(), options.quiet);
    if summary.is_good(options.kind.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
