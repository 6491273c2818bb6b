//! Arbitrary stories: whatever happens, the book stays possible, a restart gives it back, and every notice gets out in the end.

use super::world::{Disk, Relay, World, above, answers, cpu, down, no_answer, s};
use hinomi::incident::{Book, EventBody, lint};
use hinomi::model::{FindingKey, Level};
use hinomi::rules::Cause;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Act {
    Change(usize, Level, u8),
    Behind(usize, u8, bool),
    Acknowledge(u64),
    Pass(u64),
    Relay(bool, u8),
    Down(u8),
    Disk(u8),
    Restart,
}

fn keys() -> Vec<FindingKey> {
    vec![
        down("edge-a"),
        down("agg"),
        down("platform-pe-1"),
        down("clinic-1"),
        down("clinic-2"),
        cpu("edge-a"),
        cpu("clinic-1"),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let level = prop_oneof![Just(Level::Ok), Just(Level::Warning), Just(Level::Critical)];
    prop_oneof![
        6 => (0..7usize, level, 0..4u8).prop_map(|(k, l, c)| Act::Change(k, l, c)),
        4 => (0..5usize, 0..5u8, any::<bool>()).prop_map(|(k, d, u)| Act::Behind(k, d, u)),
        1 => (1..5u64).prop_map(Act::Acknowledge),
        6 => prop_oneof![Just(1), Just(25), Just(400), Just(4000), Just(40_000)].prop_map(Act::Pass),
        3 => (any::<bool>(), 0..9u8).prop_map(|(r, m)| Act::Relay(r, m)),
        1 => (0..4u8).prop_map(Act::Down),
        1 => (0..3u8).prop_map(Act::Disk),
        1 => Just(Act::Restart),
    ]
}

fn relay(n: u8) -> Relay {
    match n {
        0 | 8 => Relay::Works,
        1 => Relay::Dead,
        2 => Relay::Later,
        3 => Relay::Rejects(vec!["noc@noc.example".to_owned(), "manager@noc.example".to_owned()]),
        4 => Relay::RejectsText,
        5 => Relay::WrongPassword,
        6 => Relay::Silent,
        _ => Relay::CutsAfterDot,
    }
}

/// `ambiguous`: something happened after which a second copy is allowed.
fn play(w: &mut World, act: &Act, ambiguous: &mut bool) {
    let keys = keys();
    match act {
        Act::Change(k, level, cause) => {
            let cause = match (level, cause) {
                (Level::Ok, 0) => Cause::Unreachable,
                (Level::Ok, 1) => Cause::Removed,
                (Level::Ok, _) => answers(),
                (_, 0) => above(92.5, 90.0),
                _ => no_answer(),
            };
            w.take(&w.change(&keys[*k], *level, cause));
        }
        Act::Behind(k, device, unreachable) => {
            let device = ["edge-a", "agg", "clinic-1", "clinic-2", "clinic-3"][*device as usize];
            w.behind(&keys[*k], device, *unreachable);
        }
        Act::Acknowledge(id) => {
            let _ = w.acknowledge(*id, "somebody");
        }
        Act::Pass(seconds) => w.pass(s(*seconds)),
        Act::Relay(office, mode) => {
            let mode = relay(*mode);
            *ambiguous |= matches!(mode, Relay::CutsAfterDot | Relay::Silent);
            w.relay(if *office { "office" } else { "lte" }, mode);
        }
        Act::Down(mask) => {
            let down: Vec<u32> = (0..2).filter(|i| mask & (1 << i) != 0).collect();
            w.down(&down, mask == &3);
        }
        Act::Disk(n) => w.disk = [Disk::Works, Disk::Full, Disk::Hangs][*n as usize],
        Act::Restart => {
            // What was under way may have been accepted.
            *ambiguous = true;
            w.restart();
        }
    }
}

/// 100, or what `PROPTEST_CASES` says.
fn cases() -> u32 {
    let said = std::env::var("PROPTEST_CASES").ok();
    said.and_then(|n| n.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_notice_gets_out_and_the_book_stays_possible(acts in prop::collection::vec(act(), 1..40)) {
        let mut w = World::new();
        let mut ambiguous = false;
        for act in &acts {
            play(&mut w, act, &mut ambiguous);
            prop_assert_eq!(lint(&w.book), Vec::<String>::new());
        }
        // One route returns.
        w.disk = Disk::Works;
        w.relay("lte", Relay::Works);
        w.pass(s(15 * 60));
        // A reminder or an escalation may have begun in the last moment.
        for _ in 0..5 {
            if w.pending() > 0 {
                w.pass(s(31));
            }
        }
        prop_assert_eq!(w.pending(), 0, "rows: {:?}", w.rows.values().filter(|r| r.pending).map(|r| &r.json).collect::<Vec<_>>());
        let (again, problems) = Book::restore(&w.lines);
        prop_assert_eq!(problems, Vec::<String>::new());
        prop_assert_eq!(again.state(), w.book.state());
        if !ambiguous {
            let mut copies: BTreeMap<(String, String), u32> = BTreeMap::new();
            for arrived in &w.arrived {
                *copies.entry((arrived.mail.message_id.clone(), arrived.mail.to.clone())).or_default() += 1;
            }
            prop_assert!(copies.values().all(|n| *n == 1), "{:?}", copies);
        }
        // Every planned notice is accepted, or told inside one that is.
        let noticed = w.recorded(|b| matches!(b, EventBody::Noticed { .. }));
        let accepted = w.recorded(|b| matches!(b, EventBody::Delivered { duplicate: false, .. }));
        let inside: usize = w.events.iter().map(|e| match &e.body {
            EventBody::Collapsed { rows, .. } => rows.len(),
            _ => 0,
        }).sum();
        prop_assert_eq!(noticed, accepted + inside);
    }
}
