//! What a trap does in the core: its device is asked now, its incident's timeline has it, and nothing else happens.

use super::site;
use crate::world::World;
use hinomi::core::Input;
use hinomi::incident::{Event, EventBody};
use hinomi::model::{Mono, Site};
use hinomi::notify::text::timeline;
use hinomi::poll::trap::{TrapKind, TrapSeen};
use std::sync::Arc;
use std::time::Duration;

const SITE: &str = r#"
[operator]
name = "Test"
language = "en"
[daemon]
uplinks = ["192.0.2.254", "192.0.2.253"]
[snmp.two]
version = "2c"
community = { env = "public" }
[traps]
listen = "systemd"
[[device]]
name = "edge"
address = "192.0.2.1"
snmp = "two"
interfaces = ["ge-0/0/1"]
[[contact]]
name = "noc"
party = "own"
mail = ["noc@example.net"]
[[procedure]]
name = "all"
tell = ["noc"]
[[route]]
name = "office"
smtp = "smtps://mail.example.net"
from = "hinomi@example.net"
"#;

fn world() -> World {
    let site = site(SITE);
    World::new(Site::clone(&site))
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn link_down(world: &World, details: &str) -> TrapSeen {
    TrapSeen {
        device: world.site.find("edge").unwrap(),
        kind: TrapKind::LinkDown,
        oid: "1.3.6.1.6.3.1.1.5.3".to_owned(),
        details: details.to_owned(),
        at: world.clock().mono,
    }
}

fn trap(world: &mut World, details: &str) {
    let seen = link_down(world, details);
    world.give(Input::Trap(seen));
}

/// Rounds that ended, by kind.
fn rounds(world: &World, kind: &str) -> u64 {
    let snapshot = world.core.snapshot(world.clock());
    snapshot
        .polls
        .iter()
        .filter(|((k, _), _)| k == kind)
        .map(|(_, n)| n)
        .sum()
}

fn events(world: &World) -> Vec<Event> {
    world
        .events
        .iter()
        .map(|line| Event::from_json(line).unwrap())
        .collect()
}

#[test]
fn a_trap_makes_a_round_of_liveness_and_of_snmp_at_once_and_one_a_second_at_most() {
    let mut world = world();
    world.run_to(s(600));
    // Just after a regular round, so that the next one is nearly a minute away.
    let (mut echo, mut snmp) = (rounds(&world, "echo"), rounds(&world, "snmp"));
    let mut t = 600;
    while rounds(&world, "snmp") == snmp {
        t += 1;
        world.run_to(s(t));
    }
    world.run_to(s(t + 3));
    (echo, snmp) = (rounds(&world, "echo") - echo, rounds(&world, "snmp"));
    assert!(echo > 0);
    let echo = rounds(&world, "echo");
    trap(&mut world, "first");
    world.run_to(s(t + 3) + Duration::from_millis(500));
    assert_eq!(rounds(&world, "snmp"), snmp + 1, "at once");
    assert!(rounds(&world, "echo") > echo, "liveness too");
    for i in 0..1_000u64 {
        world.run_to(s(t + 4) + Duration::from_millis(i * 10));
        trap(&mut world, "again");
    }
    world.run_to(s(t + 16));
    let extra = rounds(&world, "snmp") - snmp;
    assert!((10..=13).contains(&extra), "{extra} rounds in 12 s of a thousand traps");
}

#[test]
fn a_trap_alone_opens_nothing_and_tells_nobody() {
    let mut world = world();
    world.run_to(s(600));
    let before = world.taken.len();
    for i in 0..60 {
        world.run_to(s(600 + i * 10));
        trap(&mut world, "ifIndex 3, oper down");
    }
    world.run_to(s(1_800));
    assert_eq!(
        world.taken.len(),
        before,
        "the device says what it says, the line is up"
    );
    assert!(
        events(&world)
            .iter()
            .all(|e| !matches!(e.body, EventBody::Trap { .. } | EventBody::Opened { .. }))
    );
    let device = world.core.device("edge").unwrap();
    assert_eq!(device.traps.len(), 16, "the last ones are kept for explain");
}

#[test]
fn the_timeline_of_a_group_has_the_traps_of_its_members() {
    let ports = r#"interfaces = ["ge-0/0/1", "ge-0/0/2"]"#;
    let group = r#"
[[redundancy]]
name = "way out"
kind = "link"
members = [{ device = "edge", interface = "ge-0/0/1" }, { device = "edge", interface = "ge-0/0/2" }]
preferred = "ge-0/0/1"
"#;
    let text = SITE.replace(r#"interfaces = ["ge-0/0/1"]"#, ports) + group;
    let mut world = World::new(Site::clone(&site(&text)));
    world.run_to(s(600));
    world.agent("edge").ports[0].up = false;
    trap(&mut world, "ifIndex 501, oper down");
    world.run_to(s(660));
    trap(&mut world, "while it is open");
    world.run_to(s(700));
    let open = world.core.snapshot(world.clock()).incidents;
    let group: Vec<u64> = open.iter().filter(|i| i.root.device.is_none()).map(|i| i.id).collect();
    let [id] = group[..] else {
        let roots: Vec<_> = open.iter().map(|i| &i.root).collect();
        panic!("{roots:?}")
    };
    let of_it = events(&world).into_iter().filter(|e| e.incident == Some(id));
    let traps: Vec<EventBody> = of_it
        .map(|e| e.body)
        .filter(|b| matches!(b, EventBody::Trap { .. }))
        .collect();
    assert_eq!(traps.len(), 2, "{traps:?}");
}

#[test]
fn the_timeline_has_what_came_shortly_before_the_incident_and_during_it() {
    let mut world = world();
    world.run_to(s(100));
    trap(&mut world, "long before");
    world.run_to(s(600));
    world.agent("edge").ports[0].up = false;
    trap(&mut world, "ifIndex 501, oper down");
    world.run_to(s(700));
    let open: Vec<u64> = world
        .core
        .snapshot(world.clock())
        .incidents
        .iter()
        .map(|i| i.id)
        .collect();
    let [id] = open[..] else { panic!("{open:?}") };
    let said: Vec<String> = events(&world)
        .iter()
        .filter(|e| e.incident == Some(id))
        .filter_map(hinomi::notify::text::event_in_english)
        .collect();
    assert!(said[0].contains("opened"), "{said:?}");
    assert!(
        said[1].starts_with("edge had sent a trap 3")
            && said[1].ends_with("s before, link-down: ifIndex 501, oper down"),
        "the trap, the round, 30 s until it is a finding: {said:?}"
    );
    assert!(!said.iter().any(|line| line.contains("long before")), "{said:?}");
    for i in 0..80 {
        world.run_to(s(700) + Duration::from_millis(i * 100));
        trap(&mut world, &format!("flap {i}"));
    }
    world.agent("edge").ports[0].up = true;
    world.run_to(s(1_000));
    let of_it: Vec<Event> = events(&world).into_iter().filter(|e| e.incident == Some(id)).collect();
    let traps = of_it
        .iter()
        .filter(|e| matches!(e.body, EventBody::Trap { .. }))
        .count();
    assert_eq!(traps, 50, "one by one");
    let more = of_it.iter().position(|e| e.body == EventBody::MoreTraps { count: 31 });
    let end = of_it.iter().position(|e| matches!(e.body, EventBody::Recovered { .. }));
    assert!(more.unwrap() < end.unwrap(), "the rest by their number, before the end");
}

#[test]
fn the_same_trap_is_told_once_of_an_incident_that_is_reopened() {
    let mut world = world();
    world.run_to(s(600));
    world.agent("edge").ports[0].up = false;
    trap(&mut world, "down");
    world.run_to(s(660));
    world.agent("edge").ports[0].up = true;
    trap(&mut world, "up");
    world.run_to(s(720));
    world.agent("edge").ports[0].up = false;
    trap(&mut world, "down again");
    world.run_to(s(800));
    let mut details = Vec::new();
    for event in events(&world) {
        if let EventBody::Trap { details: said, .. } = event.body {
            details.push(said);
        }
    }
    assert_eq!(details, ["down", "up", "down again"]);
    // And the fold gives back what it was.
    let book = hinomi::incident::Book::restore(&world.events);
    assert_eq!(book.1, Vec::<String>::new());
    let incident = book.0.get(1).unwrap();
    assert_eq!(incident.traps, 3);
    assert_eq!(
        timeline(incident)
            .iter()
            .filter(|(_, line)| line.contains("trap"))
            .count(),
        3
    );
}

#[test]
fn a_trap_of_a_device_that_is_gone_does_nothing() {
    let mut world = world();
    world.run_to(s(100));
    let mut seen = link_down(&world, "");
    seen.device = hinomi::model::DeviceId(99);
    seen.at = Mono(0);
    world.give(Input::Trap(seen));
    world.run_to(s(200));
    assert!(Arc::strong_count(&world.site) > 0);
}
