//! The end of a story: everything is well again for long enough, so nothing may be open, unsaid or undelivered.

use super::super::world::World;
use super::notices::{OUT, OUT_AFTER};
use super::*;
use hinomi::incident::{Book, lint};
use hinomi::model::{Liveness, ReachState};

/// Notices about one fault, to all contacts together.
const NOTICES: u32 = 40;

/// Looks at the whole story.
pub(crate) fn judge(world: &mut World) {
    let (book, problems) = Book::restore(&world.ledger);
    let wrong: Vec<String> = problems
        .iter()
        .map(|p| format!("the ledger does not fold: {p}"))
        .chain(lint(&book).iter().map(|p| format!("lint: {p}")))
        .collect();
    wrong.into_iter().for_each(|w| world.judge.wrong(w));
    well(world);
    said(world);
    delivered(world);
    counted(world);
    verdicts(world);
    groups::judge(world);
}

/// The picture at the end.
fn well(world: &mut World) {
    let snapshot = world.core.snapshot(world.clock());
    let mut wrong = Vec::new();
    for (id, case) in &world.judge.cases {
        if case.open {
            wrong.push(format!("#{id} {} is open at the end", case.root));
        }
    }
    for device in &snapshot.devices {
        if !matches!(device.reach, ReachState::Up | ReachState::Lossy | ReachState::Suspect) {
            wrong.push(format!("{} is {:?} at the end", device.name, device.reach));
        }
        let lossy = |k: FindingKind| k == FindingKind::Lossy;
        for finding in device.findings.iter().filter(|f| !lossy(f.key.kind)) {
            if finding.level > Level::Ok {
                wrong.push(format!("{} holds {} at the end", device.name, finding.key));
            }
        }
    }
    for group in snapshot.redundancy.iter().filter(|g| g.level > Level::Ok) {
        wrong.push(format!("{} holds {:?} at the end", group.name, group.level));
    }
    if snapshot.blind || snapshot.ledger_error.is_some() {
        wrong.push("blind, or without a ledger, at the end".to_owned());
    }
    // What was planned at the very end is under way.
    let judge = &world.judge;
    let late = |r: &&Row| r.planned + SECOND > world.now && !r.said_accepted;
    let under_way = judge.rows.values().filter(late).count() as u64;
    if snapshot.outbox_pending.values().sum::<u64>() > under_way {
        wrong.push(format!("the outbox holds {:?} at the end", snapshot.outbox_pending));
    }
    circuits(world, &mut wrong);
    wrong.into_iter().for_each(|w| world.judge.wrong(w));
}

/// Circuits that answer are up. (Of a large town, some.)
fn circuits(world: &World, wrong: &mut Vec<String>) {
    let all = world.plot.town.of(Tier::Circuit);
    for i in all.iter().step_by(1 + all.len() / 40) {
        let device = world.plot.town.device(*i);
        let Some(status) = world.core.device(&device.name) else {
            wrong.push(format!("{} is not known", device.name));
            continue;
        };
        let up = matches!(status.reach, ReachState::Up | ReachState::Lossy | ReachState::Suspect);
        let answers = world.truth.answers(*i);
        if answers && !up && device.liveness == Liveness::Echo {
            wrong.push(format!("{} answers and is {:?} at the end", device.name, status.reach));
        }
        if world.truth.is_off(*i) && device.liveness == Liveness::Echo && status.reach != ReachState::Off {
            wrong.push(format!(
                "{} is switched off and is {:?} at the end",
                device.name, status.reach
            ));
        }
    }
}

/// What had to be said was said in time.
fn said(world: &mut World) {
    let judge = &world.judge;
    let missed: Vec<String> = judge
        .wants
        .iter()
        .filter(|w| !w.is_met(&judge.cases))
        .map(|w| {
            let fault = &world.plot.faults[w.fault];
            let what: String = format!("{:?}", fault.what).chars().take(40).collect();
            format!(
                "{what} broken from {:.1} to {:.1} s was not told by {:.1} s",
                fault.from as f64 / 1e6,
                fault.to as f64 / 1e6,
                w.by.unwrap_or(0) as f64 / 1e6
            )
        })
        .collect();
    missed.into_iter().for_each(|m| world.judge.wrong(m));
}

/// Every row is in the accepted mail, alone or inside a later one, in time.
fn delivered(world: &mut World) {
    let now = world.now;
    let judge = &mut world.judge;
    for route in 0..2 {
        if let Some(from) = judge.working[route].take() {
            judge.routes[route].push((from, now));
        }
    }
    let mut wrong = Vec::new();
    let mut inside: BTreeMap<u64, u32> = BTreeMap::new();
    for (number, row) in &judge.rows {
        let taken = |row: &Row| judge.taken.get(&row.message).map(|(at, ..)| *at);
        let (mut last, mut at) = (*number, row);
        let mut accepted = taken(row);
        while let Some(into) = at.into.filter(|into| *into > last) {
            let Some(next) = judge.rows.get(&into) else { break };
            (last, at) = (into, next);
            accepted = [accepted, taken(next)].into_iter().flatten().min();
        }
        if last != *number {
            *inside.entry(last).or_default() += 1;
        }
        let deadline = deadline(judge, row.planned);
        match (accepted, deadline) {
            (Some(at), Some(by)) if at > by => wrong.push(format!(
                "row {number} was planned at {:.1} s and got out at {:.1} s, due {:.1} s",
                row.planned as f64 / 1e6,
                at as f64 / 1e6,
                by as f64 / 1e6
            )),
            (None, Some(by)) if by <= now => wrong.push(format!(
                "row {number} ({} of #{} to {}) was planned at {:.1} s and never got out",
                row.kind.key(),
                row.incident,
                row.contact,
                row.planned as f64 / 1e6
            )),
            _ => {}
        }
        if row.said_accepted && accepted.is_none() {
            wrong.push(format!("row {number} is said to be accepted and no relay has it"));
        }
    }
    for (number, count) in inside {
        let Some((_, _, body)) = judge.rows.get(&number).and_then(|r| judge.taken.get(&r.message)) else {
            continue;
        };
        let listed = body
            .lines()
            .filter(|l| l.starts_with("  ") && l.contains(" [") && !l.starts_with("  -"))
            .count();
        if (listed as u32) < count + 1 {
            wrong.push(format!(
                "row {number} stands for {count} others and lists {listed} times:\n{body}"
            ));
        }
    }
    wrong.into_iter().for_each(|w| judge.wrong(w));
}

/// When a row planned then must have got out: the first time that one way has worked for long enough. `None`: no way worked so long.
fn deadline(judge: &Judge, planned: At) -> Option<At> {
    let ledger = if judge.ledger_trouble { 45 * SECOND } else { 0 };
    let of = |(from, to): &(At, At)| {
        let bound = if *from > 0 { OUT_AFTER } else { OUT } + ledger;
        let by = planned.max(*from) + bound;
        (by <= *to).then_some(by)
    };
    judge.routes.iter().flatten().filter_map(of).min()
}

/// One fault, one incident; few notices, whatever the number of circuits.
fn counted(world: &mut World) {
    let mut incidents: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for case in world.judge.cases.values() {
        if let Some(fault) = case.fault {
            let entry = incidents.entry(fault).or_default();
            entry.0 += 1;
            entry.1 += case.notices;
        }
    }
    for (fault, (cases, notices)) in incidents {
        let fault = &world.plot.faults[fault];
        let most = match fault.what {
            What::Relay(_) => 3,
            What::Ledger => 2,
            // Fewer than five point to nothing in common.
            // Nor do more of them beside as many whose lines are up.
            What::Many(_) if fault.kind.name == "town-dark-at-night" => 9,
            What::Many(_) if fault.kind.name == "town-returns-late" => 2,
            _ if world.plot.mixed => 2,
            _ => 1,
        };
        let what: String = format!("{:?}", fault.what).chars().take(40).collect();
        if cases > most {
            world
                .judge
                .wrong(format!("{what} is one fault and made {cases} incidents"));
        }
        if notices > NOTICES {
            world
                .judge
                .wrong(format!("{what} is one fault and made {notices} notices"));
        }
    }
}

/// How often the verdict was left open where the evidence tells.
fn verdicts(world: &mut World) {
    let mut findings = world.judge.findings;
    for case in world.judge.cases.values() {
        let Some(fault) = case.fault.map(|f| &world.plot.faults[f]) else {
            continue;
        };
        let (Some(last), Some(first)) = (case.verdict, case.first_verdict) else {
            continue;
        };
        if !world.plot.open_is_right(fault) {
            findings.verdicts += 1;
            findings.open += u32::from(super::super::kinds::is_open(last));
            findings.open_first += u32::from(super::super::kinds::is_open(first));
        }
    }
    if let Some((percent, seconds)) = world.plot.faults.iter().find_map(|f| match f.what {
        What::Loss(percent) if percent > 20 => Some((percent, (f.to - f.from) as f64 / 1e6)),
        _ => None,
    }) {
        let p = f64::from(percent) / 100.0;
        for device in &world.plot.town.site.devices {
            let rounds = seconds / device.poll.interval.as_secs_f64();
            // Every echo of a round and every echo of its confirm burst.
            findings.expected_false += rounds * p.powi((device.poll.echoes + device.poll.confirm.echoes) as i32);
        }
    }
    world.judge.findings = findings;
}
