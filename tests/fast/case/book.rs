//! The book: one incident a root, its life, its acknowledgement, what hangs below it.

use super::world::{MIN, World, above, answers, below, cpu, down, no_answer, s};
use hinomi::incident::book::{FEW, INCIDENTS, TIMELINES};
use hinomi::incident::{Book, EventBody, Phase, lint};
use hinomi::model::{FindingKey, FindingKind, Level, Wall};
use hinomi::rules::{Cause, Note};

#[test]
fn up_and_down_the_levels_is_one_incident() {
    let mut w = World::new();
    let key = cpu("edge-a");
    for (to, cause) in [
        (Level::Warning, above(75.0, 70.0)),
        (Level::Critical, above(95.0, 90.0)),
        (Level::Warning, below(84.0, 85.0)),
        (Level::Ok, below(62.0, 65.0)),
    ] {
        w.take(&w.change(&key, to, cause));
        w.pass(s(10));
    }
    assert_eq!(w.book.state().incidents.len(), 1);
    let incident = w.book.get(1).unwrap();
    assert_eq!((incident.phase, incident.worst), (Phase::Recovered, Level::Critical));
    assert_eq!(
        w.subjects("noc@noc.example"),
        [
            "[注意/WARNING] #1 edge-a CPU使用率",
            "[警告/CRITICAL] #1 edge-a CPU使用率",
            "[注意/WARNING] #1 edge-a CPU使用率",
            "[復旧] #1 edge-a CPU使用率"
        ]
    );
    // The manager hears of it from critical on, in English.
    assert_eq!(
        w.subjects("manager@noc.example"),
        [
            "[CRITICAL] #1 edge-a CPU",
            "[WARNING] #1 edge-a CPU",
            "[RECOVERED] #1 edge-a CPU"
        ]
    );
}

#[test]
fn the_same_root_within_30_minutes_goes_on_under_its_number() {
    for (pause, number) in [(29, 1), (31, 2)] {
        let mut w = World::new();
        let key = down("edge-a");
        w.take(&w.change(&key, Level::Critical, no_answer()));
        w.pass(s(60));
        w.take(&w.change(&key, Level::Ok, answers()));
        w.pass(s(pause * MIN));
        w.take(&w.change(&key, Level::Critical, no_answer()));
        w.pass(s(10));
        assert_eq!(
            w.book.open().map(|i| i.id).collect::<Vec<_>>(),
            [number],
            "after {pause} min"
        );
    }
}

#[test]
fn what_is_listed_before_a_case_is_reopened_is_listed_in_it() {
    let mut w = World::new();
    let root = down("edge-a");
    let lost = |ready| Note {
        root: down("edge-a"),
        key: FindingKey::of_redundancy(&"edge gateway".into(), FindingKind::RedundancyLost),
        cause: Cause::RedundancyLost {
            ready,
            configured: 3,
            instances: Vec::new(),
            missing: Vec::new(),
        },
    };
    let notes = |w: &World| w.book.get(1).unwrap().notes.len();
    w.take(&w.change(&root, Level::Critical, no_answer()));
    w.take(&w.change(&root, Level::Ok, answers()));
    w.pass(s(MIN));
    // The device is silent again, and its delay runs.
    for ready in [2, 2, 1] {
        w.book.note(&lost(ready), w.now);
    }
    assert_eq!(notes(&w), 0, "nobody reads a case that is over");
    w.take(&w.change(&root, Level::Critical, no_answer()));
    assert_eq!(notes(&w), 2);
}

#[test]
fn mails_of_an_incident_thread_under_its_first() {
    let mut w = World::new();
    let key = down("edge-a");
    w.take(&w.change(&key, Level::Critical, no_answer()));
    w.pass(s(60));
    w.take(&w.change(&key, Level::Ok, answers()));
    w.pass(s(60));
    let mails: Vec<_> = w
        .arrived
        .iter()
        .filter(|a| a.mail.to == "manager@noc.example")
        .collect();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].mail.in_reply_to, None);
    assert_eq!(mails[1].mail.in_reply_to.as_ref(), Some(&mails[0].mail.message_id));
}

#[test]
fn what_hangs_below_a_root_is_listed_inside_and_mails_nobody() {
    let mut w = World::new();
    let root = down("agg");
    // Two are known to be unreachable before the root's own delay is over, one later.
    w.behind(&root, "clinic-1", true);
    w.behind(&root, "clinic-2", true);
    w.take(&w.change(&root, Level::Critical, no_answer()));
    w.behind(&root, "clinic-3", true);
    w.pass(s(60));
    assert_eq!(w.book.get(1).unwrap().unreachable().count(), 3);
    assert_eq!(w.subjects("noc@noc.example").len(), 1);
    // The root is good; two come back: the third is named.
    w.take(&w.change(&root, Level::Ok, answers()));
    w.behind(&root, "clinic-1", false);
    w.behind(&root, "clinic-2", false);
    w.pass(s(60));
    assert_eq!(w.subjects("noc@noc.example").len(), 1, "the third is still waited for");
    w.pass(s(28 * 60));
    assert_eq!(w.subjects("noc@noc.example").len(), 1, "and for half an hour");
    w.pass(s(70));
    let last = &w.arrived.last().unwrap().mail;
    assert!(w.subjects("noc@noc.example")[1].starts_with("[復旧]"));
    let english = w.arrived.iter().rfind(|a| a.mail.to == "manager@noc.example").unwrap();
    assert!(
        english.mail.body.contains("NOT BACK YET: 1 device (clinic-3)"),
        "{}",
        english.mail.body
    );
    assert!(
        english.mail.body.contains("Back: 2 devices (clinic-1, clinic-2)"),
        "{}",
        last.body
    );
    // It returns a day later: noted, no mail.
    let before = w.arrived.len();
    w.pass(s(86_400));
    w.behind(&root, "clinic-3", false);
    w.pass(s(60));
    assert_eq!(w.arrived.len(), before);
}

#[test]
fn recovery_is_told_as_soon_as_all_are_back() {
    let mut w = World::new();
    let root = down("agg");
    w.take(&w.change(&root, Level::Critical, no_answer()));
    for i in 1..=30 {
        w.behind(&root, &format!("clinic-{i}"), true);
    }
    w.pass(s(60));
    w.take(&w.change(&root, Level::Ok, answers()));
    for i in 1..=28 {
        w.behind(&root, &format!("clinic-{i}"), false);
    }
    assert_eq!(w.book.get(1).unwrap().phase, Phase::Recovering);
    w.behind(&root, "clinic-29", false);
    assert_eq!(w.book.get(1).unwrap().phase, Phase::Recovered, "29 of 30 are 95 %");
}

#[test]
fn a_root_bad_again_before_recovery_was_told_says_nothing_new() {
    let mut w = World::new();
    let root = down("agg");
    w.take(&w.change(&root, Level::Critical, no_answer()));
    w.behind(&root, "clinic-1", true);
    w.pass(s(60));
    w.take(&w.change(&root, Level::Ok, answers()));
    w.pass(s(60));
    w.take(&w.change(&root, Level::Critical, no_answer()));
    w.pass(s(60));
    assert_eq!(w.subjects("noc@noc.example").len(), 1);
    assert_eq!(w.book.get(1).unwrap().phase, Phase::Open);
}

#[test]
fn a_child_with_its_own_incident_is_folded_in_whatever_comes_first() {
    for affected_first in [true, false] {
        let mut w = World::new();
        let (root, child) = (down("agg"), down("clinic-1"));
        w.take(&w.change(&child, Level::Warning, no_answer()));
        w.pass(s(60));
        w.take(&w.change(&root, Level::Critical, no_answer()));
        let folding = w.change(&child, Level::Ok, Cause::Unreachable);
        if affected_first {
            w.behind(&root, "clinic-1", true);
            w.take(&folding);
        } else {
            w.take(&folding);
            w.behind(&root, "clinic-1", true);
        }
        w.pass(s(60));
        let inside = w.book.get(1).unwrap();
        assert_eq!((inside.phase, inside.folded_into), (Phase::Folded, Some(2)));
        assert_eq!(
            w.subjects("noc@noc.example").len(),
            2,
            "one for each opening, none for the folding"
        );
        // An hour later the root is back, the child is not: its own incident goes on.
        w.pass(s(60 * MIN));
        w.take(&w.change(&root, Level::Ok, answers()));
        w.behind(&root, "clinic-1", false);
        w.take(&w.change(&child, Level::Warning, no_answer()));
        w.pass(s(60));
        assert_eq!(w.book.open().map(|i| i.id).collect::<Vec<_>>(), [1]);
    }
}

#[test]
fn an_acknowledgement_stops_expires_and_is_voided_by_a_rise() {
    let mut w = World::new();
    let key = cpu("edge-a");
    assert!(w.acknowledge(1, "noc").is_err());
    w.take(&w.change(&key, Level::Warning, above(75.0, 70.0)));
    w.acknowledge(1, " n\u{202e}o\u{200b}c[0m\n ").unwrap();
    assert_eq!(w.book.get(1).unwrap().acknowledged.as_ref().unwrap().by, "noc[0m");
    w.pass(s(8 * 60 * MIN - 1));
    assert!(w.book.get(1).unwrap().acknowledged.is_some());
    w.pass(s(2));
    assert!(w.book.get(1).unwrap().acknowledged.is_none());
    w.acknowledge(1, "noc").unwrap();
    w.take(&w.change(&key, Level::Critical, above(95.0, 90.0)));
    assert!(w.book.get(1).unwrap().acknowledged.is_none());
    w.take(&w.change(&key, Level::Ok, below(50.0, 65.0)));
    assert!(w.acknowledge(1, "noc").unwrap_err().contains("already over"));
}

#[test]
fn a_stepped_clock_neither_ends_nor_repeats_anything() {
    for step in [86_400_000, -7_200_000] {
        let mut w = World::new();
        w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
        w.acknowledge(1, "noc").unwrap();
        w.pass(s(60));
        let before = (w.arrived.len(), w.events.len());
        w.now.wall = Wall(w.now.wall.0 + step);
        w.pass(s(60));
        assert_eq!((w.arrived.len(), w.events.len()), before, "step of {step} ms");
        // Restarted with the new time: still acknowledged if it went back; 8 h are over if it went a day ahead.
        w.restart();
        w.pass(s(1));
        assert_eq!(w.book.get(1).unwrap().acknowledged.is_some(), step < 0);
    }
}

#[test]
fn a_restart_gives_back_the_same_book_and_levels() {
    let mut w = World::new();
    w.take(&w.change(&down("agg"), Level::Critical, no_answer()));
    w.behind(&down("agg"), "clinic-1", true);
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(20));
    let (again, problems) = Book::restore(&w.lines);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(again.state(), w.book.state());
    let levels: Vec<_> = again.levels().into_iter().map(|(k, l, _)| (k.to_string(), l)).collect();
    assert_eq!(
        levels,
        [
            ("agg device-down".to_owned(), Level::Critical),
            ("edge-a threshold cpu".to_owned(), Level::Warning)
        ]
    );
    assert_eq!(again.hanging().len(), 1);
}

#[test]
fn lines_that_cannot_be_are_left_out_and_explained() {
    let mut w = World::new();
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    let mut lines = w.lines.clone();
    lines.push("{\"at\":0".to_owned());
    lines.push(lines[0].clone());
    lines.push(
        lines[0]
            .replace("\"incident\":1", "\"incident\":9")
            .replace("opened", "recovered"),
    );
    lines.push("{\"at\":0,\"tick\":0,\"event\":\"of-the-future\"}".to_owned());
    let (book, problems) = Book::restore(&lines);
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert_eq!(lint(&book), Vec::<String>::new());
    assert_eq!(book.open().count(), 1);
}

#[test]
fn a_number_that_is_none_can_be_written_and_read_back() {
    let mut w = World::new();
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(f64::INFINITY, f64::NAN)));
    let (book, problems) = Book::restore(&w.lines);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(book.open().count(), 1);
}

#[test]
fn a_checkpoint_stands_for_everything_before_it() {
    let mut w = World::new();
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(5));
    for i in 0..100_000u32 {
        let rows = vec![u64::from(i)];
        w.book.record(None, EventBody::NotLedgered { rows }, w.now);
    }
    w.pump();
    let at = w
        .lines
        .iter()
        .position(|l| l.contains("\"event\":\"checkpoint\""))
        .unwrap();
    let (book, problems) = Book::restore(&w.lines[at..]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(book.get(1), w.book.get(1));
    assert!(w.recorded(|b| matches!(b, EventBody::Checkpoint { .. })) == 1);
}

#[test]
fn four_changes_in_half_an_hour_are_one_notice_in_and_one_out() {
    let mut w = World::new();
    let key = cpu("edge-a");
    w.take(&w.change(&key, Level::Warning, above(75.0, 70.0)));
    for _ in 0..10 {
        w.pass(s(60));
        w.take(&w.change(&key, Level::Ok, below(60.0, 63.0)));
        w.pass(s(60));
        w.take(&w.change(&key, Level::Warning, above(75.0, 70.0)));
    }
    w.pass(s(60));
    // Opened, recovered, again, recovered, and then the notice that it flaps.
    assert_eq!(
        w.subjects("noc@noc.example").len(),
        5,
        "{:#?}",
        w.subjects("noc@noc.example")
    );
    // A rise to critical is told all the same.
    w.take(&w.change(&key, Level::Critical, above(95.0, 90.0)));
    w.pass(s(60));
    assert_eq!(w.subjects("noc@noc.example")[5], "[警告/CRITICAL] #1 edge-a CPU使用率");
    w.acknowledge(1, "noc").unwrap();
    w.take(&w.change(&key, Level::Ok, below(50.0, 63.0)));
    w.pass(s(29 * MIN));
    assert_eq!(w.subjects("noc@noc.example").len(), 6);
    w.pass(s(2 * MIN));
    assert_eq!(w.subjects("noc@noc.example")[6], "[復旧] #1 edge-a CPU使用率");
    w.pass(s(60 * MIN));
    assert_eq!(w.subjects("noc@noc.example").len(), 7);
}

#[test]
fn two_thousand_roots_that_flap_for_hours_do_not_fill_the_book() {
    let mut book = Book::default();
    let mut w = World::new();
    let keys: Vec<FindingKey> = (0..2_000).map(|n| down(&format!("host-{n}"))).collect();
    let mut after = Vec::new();
    // Up and down every 40 minutes: each time a new number.
    for minute in 0..60 {
        for key in &keys {
            let bad = minute % 2 == 0;
            let change = match bad {
                true => w.change(key, Level::Critical, no_answer()),
                false => w.change(key, Level::Ok, answers()),
            };
            book.take(&change, w.now);
        }
        book.events();
        w.now.mono = w.now.mono + s(40 * MIN);
        w.now.wall = w.now.wall.after(s(40 * MIN));
        after.push((book.state().incidents.len(), book.state().timelines()));
    }
    let most = after.iter().map(|(n, _)| *n).max().unwrap();
    assert!(book.state().last_id > 20_000, "{}", book.state().last_id);
    assert!(most <= INCIDENTS + 4_000, "{most} incidents are kept");
    let weight = after.iter().map(|(_, w)| *w).max().unwrap();
    assert!(weight <= TIMELINES + most * FEW, "{weight} events are kept");
    assert_eq!(
        after[40..].iter().map(|(n, _)| *n).max(),
        after[20..40].iter().map(|(n, _)| *n).max()
    );
    assert_eq!(lint(&book), Vec::<String>::new());
}

#[test]
fn an_incident_that_flaps_for_a_day_keeps_how_it_began_and_no_more_than_its_share() {
    let mut book = Book::default();
    let mut w = World::new();
    let keys: Vec<FindingKey> = (0..200).map(|n| down(&format!("host-{n}"))).collect();
    let mut lines = Vec::new();
    for minute in 0..700 {
        for key in &keys {
            let change = match minute % 2 == 0 {
                true => w.change(key, Level::Critical, no_answer()),
                false => w.change(key, Level::Ok, answers()),
            };
            book.take(&change, w.now);
        }
        lines.extend(book.events().iter().map(hinomi::incident::Event::to_json));
        w.now.mono = w.now.mono + s(MIN);
        w.now.wall = w.now.wall.after(s(MIN));
    }
    assert_eq!(book.state().incidents.len(), keys.len());
    assert!(
        book.state().timelines() <= TIMELINES + keys.len() * FEW,
        "{}",
        book.state().timelines()
    );
    assert!(book.state().incidents.iter().all(|i| i.timeline.len() >= FEW));
    // What is read back is what was kept, with a checkpoint on the way or not.
    let from = lines
        .iter()
        .rposition(|l| l.contains("\"event\":\"checkpoint\""))
        .unwrap_or(0);
    let (again, problems) = Book::restore(&lines[from..]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(again.state(), book.state());
}
