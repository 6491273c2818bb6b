//! Telling stories: one with its history, or many on all cores.

use super::judge::{self, Findings};
use super::kept::KEPT;
use super::kinds::{Kind, kind as named};
use super::options::Options;
use super::summary::Summary;
use super::world::{Counts, World};
use super::{plot, truth::At};
use hinomi::core::player::{Player, Said};
use hinomi::core::tape::Line;
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
fn tell(seed: u64, kind: Option<&'static Kind>, record: bool, all: bool) -> World {
    let mut world = World::new(plot::write(seed, kind), record);
    if all {
        world.tell_all();
    }
    world.run();
    judge::end::judge(&mut world);
    if record {
        replay(&mut world);
    }
    world
}

/// The record, written as JSON lines and read again, must give the same events and mails, to the letter.
fn replay(world: &mut World) {
    let lines = world.record.take().unwrap_or_default();
    match played(&lines, world) {
        Err(why) => world.judge.wrong(format!("the record cannot be played: {why}")),
        Ok(said) if said != world.said => {
            let at = said.iter().zip(&world.said).take_while(|(a, b)| a == b).count();
            world
                .judge
                .wrong(format!("the replay says something else from its {at}th word on"));
        }
        Ok(_) => {}
    }
}

fn played(lines: &[Line], world: &World) -> Result<Vec<String>, String> {
    let site = &world.plot.town.site;
    let (mut player, mut said) = (None, Vec::new());
    for line in lines {
        let text = serde_json::to_string(line).map_err(|e| e.to_string())?;
        let line: Line = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        // Each start of the daemon begins anew, with what the ledger gave back.
        if matches!(line, Line::Began(_)) {
            player = None;
        }
        let playing = match &mut player {
            Some(player) => player,
            None => player.insert(Player::new(&line, site.clone()).map_err(|e| e.to_string())?),
        };
        let mut now = Vec::new();
        playing.line(line, |_| None, &mut now).map_err(|e| e.to_string())?;
        said.extend(now.into_iter().map(|one| match one {
            Said::Event(event) => event.to_json(),
            Said::Mail(delivery) => format!("{delivery:?}"),
        }));
    }
    Ok(said)
}

fn told(seed: u64, kind: Option<&'static Kind>, record: bool) -> Told {
    // A panic is a failure of its seed, not the end of the others.
    let result = std::panic::catch_unwind(|| tell(seed, kind, record, false));
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
    let world = tell(seed, kind, true, true);
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
