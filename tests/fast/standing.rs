//! What those who look are told beyond a state: that something recovers, what it lies behind, when it will be told, that it is planned work.

use crate::scenarios::site;
use crate::world::World;
use hinomi::core::{DeviceStatus, ReachState};
use hinomi::model::maintenance::{By, WindowStage};
use hinomi::model::{Level, Name, Wall, Window};
use std::path::Path;
use std::time::Duration;

/// A device to be worked on from 600 s to 4200 s, circuits behind it, an edge beside it.
fn world() -> World {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/maintenance-once/site.toml");
    World::new(site(&path))
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn start(world: &World) -> Wall {
    world.clock().wall.before(world.elapsed())
}

fn device(world: &World, name: &str) -> DeviceStatus {
    world.core.device_now(name, world.clock()).expect("a device")
}

#[test]
fn what_answers_again_recovers_round_by_round_before_it_is_up() {
    let mut w = world();
    let start = start(&w);
    w.run_to(s(100));
    w.host("edge-b", false);
    w.run_to(s(200));
    assert_eq!(device(&w, "edge-b").recovering, None, "it does not answer");
    w.host("edge-b", true);
    w.run_to(s(218));
    let during = device(&w, "edge-b");
    let r = during.recovering.expect("it answers and is not believed yet");
    assert_eq!((during.reach, r.rounds), (ReachState::Down, 3));
    assert!((1..3).contains(&r.good_rounds), "{r:?}");
    let first = r.first_answer.since(start.after(s(200)));
    assert!(r.first_answer >= start.after(s(200)) && first <= s(11), "{r:?}");
    w.run_to(s(250));
    let long = device(&w, "edge-b").recovering.expect("60 s are not over");
    assert!(
        long.good_rounds >= 3 && long.last_answer.since(long.first_answer) < s(60),
        "{long:?}"
    );
    assert_eq!(long.first_answer, r.first_answer, "the first answer stays the first");
    w.host("edge-b", false);
    w.run_to(s(265));
    assert_eq!(
        device(&w, "edge-b").recovering,
        None,
        "silent again: what was good counts no more"
    );
    w.host("edge-b", true);
    w.run_to(s(350));
    let after = device(&w, "edge-b");
    assert_eq!((after.reach, after.recovering), (ReachState::Up, None));
}

#[test]
fn an_unreachable_circuit_names_the_incident_that_it_lies_behind() {
    let mut w = world();
    w.run_to(s(100));
    w.host("agg-3", false);
    w.run_to(s(140));
    let clinic = device(&w, "clinic-1");
    let behind = clinic.behind.expect("behind agg-3");
    assert_eq!(clinic.reach, ReachState::Unreachable);
    assert_eq!(behind.root.device.as_deref(), Some("agg-3"));
    assert_eq!(behind.incident, Some(1));
    assert_eq!(clinic.isolation, None, "its own silence accuses nobody");
    let agg = device(&w, "agg-3");
    assert_eq!(agg.findings[0].incident, Some(1));
    let verdict = |i: &Option<hinomi::model::Isolation>| i.as_ref().map(|i| i.verdict);
    let (now, told) = (verdict(&agg.isolation), verdict(&agg.findings[0].isolation));
    assert!(
        now.is_some() && now == told,
        "judged now as the incident says: {now:?} {told:?}"
    );
}

#[test]
fn a_finding_that_waits_says_when_it_will_be_told() {
    let mut w = world();
    w.run_to(s(100));
    w.host("clinic-1", false);
    w.run_to(s(200));
    let waiting = device(&w, "clinic-1").findings.remove(0);
    let at = waiting.told_from.expect("it waits for its five minutes");
    assert_eq!((waiting.level, waiting.incident), (Level::Ok, None));
    let before = Duration::from_millis(at.since(w.clock().wall).as_millis() as u64 - 500) + w.elapsed();
    w.run_to(before);
    assert!(w.snapshot().incidents.is_empty(), "not before the moment that it says");
    w.run_to(before + s(1));
    let told = device(&w, "clinic-1").findings.remove(0);
    assert_eq!((told.told_from, told.incident), (None, Some(1)), "and at that moment");
}

#[test]
fn planned_work_is_seen_on_all_that_it_covers() {
    let mut w = world();
    let start = start(&w);
    let covered = |w: &World, name: &str| device(w, name).maintenance.map(|m| (m.window, m.by, m.stage));
    let window = |stage| Some(("agg-3 upgrade".into(), Some(By::Own), Some(stage)));
    let stage = |w: &World| w.snapshot().maintenance[0].stage;
    w.run_to(s(590));
    assert_eq!((covered(&w, "agg-3"), stage(&w)), (None, WindowStage::Planned));
    w.run_to(s(700));
    w.host("agg-3", false);
    w.run_to(s(800));
    let until = Some(start.after(s(4200)));
    let in_force = WindowStage::InForce { until };
    for name in ["agg-3", "clinic-1", "clinic-2"] {
        assert_eq!(covered(&w, name), window(in_force), "{name}");
    }
    assert_eq!((covered(&w, "edge-b"), stage(&w)), (None, in_force));
    let muted = w.snapshot().incidents[0].muted.clone().expect("kept quiet");
    assert_eq!((&*muted.window, muted.stage), ("agg-3 upgrade", Some(in_force)));
    w.run_to(s(4300));
    let settling = WindowStage::Settling {
        ended: start.after(s(4200)),
        until: start.after(s(4800)),
    };
    assert_eq!((covered(&w, "clinic-2"), stage(&w)), (window(settling), settling));
    w.run_to(s(4900));
    assert_eq!((covered(&w, "agg-3"), stage(&w)), (None, WindowStage::Over));
    assert_eq!(w.snapshot().incidents[0].muted, None);
}

#[test]
fn a_window_in_the_past_says_so() {
    let mut w = world();
    w.run_to(s(7200));
    let now = w.clock();
    let window = |start: Wall, end: Wall| Window {
        name: Name::from("late"),
        what: vec!["agg-3".into()],
        by: By::Own,
        start,
        end,
        set_by: "noc".to_owned(),
        note: None,
    };
    let mut set = |start, end| {
        let order = hinomi::core::MaintenanceOrder::Set(window(start, end));
        w.core.maintain(order, now).expect_err("no such window")
    };
    let past = set(now.wall.before(s(3600)), now.wall.before(s(60)));
    assert!(
        past.contains("lies in the past") && past.contains("08:19:00 JST"),
        "{past}"
    );
    let backwards = set(now.wall.after(s(60)), now.wall.after(s(30)));
    assert!(backwards.contains("before it begins"), "{backwards}");
}
