//! What an incident shows of what was read: the inputs beside the decisions, for each kind of finding, and nothing of healthy devices.

use crate::trap::site;
use crate::world::World;
use hinomi::incident::EventBody;
use hinomi::model::Site;
use hinomi::notify::text::timeline;
use hinomi::wire::snmp::{DecodeError, Value};
use std::time::Duration;

const SITE: &str = r#"
[operator]
name = "Test"
language = "en"
[daemon]
uplinks = ["192.0.2.254", "192.0.2.253"]
[thresholds]
cpu = { warning = "70 %", critical = "90 %", for = "60s" }
[snmp.two]
version = "2c"
community = { env = "public" }
[[device]]
name = "edge"
address = "192.0.2.1"
snmp = "two"
interfaces = ["ge-0/0/1", "ge-0/0/2"]
[[device]]
name = "beside"
address = "192.0.2.2"
snmp = "two"
interfaces = ["ge-0/0/1"]
[[device]]
name = "calm"
address = "192.0.2.3"
snmp = "two"
interfaces = ["ge-0/0/1"]
[[redundancy]]
name = "way out"
kind = "link"
members = [{ device = "edge", interface = "ge-0/0/1" }, { device = "edge", interface = "ge-0/0/2" }]
preferred = "ge-0/0/1"
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
    let mut world = World::new(Site::clone(&site(SITE)));
    world.run_to(s(600));
    world
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The timeline of the incident about `root`, as `explain` shows it.
fn lines(world: &World, root: &str) -> Vec<String> {
    let book = hinomi::incident::Book::restore(&world.events).0;
    let all = &book.state().incidents;
    let incident = all.iter().find(|i| i.root.to_string() == root);
    let incident =
        incident.unwrap_or_else(|| panic!("{:?}", all.iter().map(|i| i.root.to_string()).collect::<Vec<_>>()));
    timeline(incident).into_iter().map(|(_, line)| line).collect()
}

fn at(lines: &[String], words: &str) -> usize {
    let found = lines.iter().position(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("no \"{words}\" in {lines:#?}"))
}

#[test]
fn a_silent_device_shows_its_rounds_before_the_verdict_and_the_answers_before_the_end() {
    let mut world = world();
    world.host("edge", false);
    world.run_to(s(800));
    world.host("edge", true);
    world.run_to(s(1_400));
    let lines = lines(&world, "edge device-down");
    let (first, sure) = (
        at(&lines, "read: edge answered 0 of"),
        at(&lines, "(asked again to be sure)"),
    );
    let (opened, ended) = (at(&lines, "opened, critical"), at(&lines, "ended, recovered"));
    assert!(first < sure && sure < opened, "{lines:#?}");
    let good = at(&lines[opened..], "read: edge answered 3 of 3") + opened;
    assert!(good < ended, "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("SNMP")),
        "its agent is not the matter: {lines:#?}"
    );
}

#[test]
fn a_port_shows_its_state_as_read_and_a_group_what_its_members_say() {
    let mut world = world();
    world.agent("edge").ports[0].up = false;
    world.run_to(s(760));
    world.agent("edge").ports[0].up = true;
    world.run_to(s(1_800));
    let port = lines(&world, "edge/ge-0/0/1 interface-down");
    let (down, opened) = (
        at(&port, "read: edge ge-0/0/1: ifOperStatus down, ifAdminStatus up"),
        at(&port, "opened"),
    );
    let (up, ended) = (at(&port, "ge-0/0/1: ifOperStatus up"), at(&port, "ended"));
    assert!(down < opened && opened < up && up < ended, "{port:#?}");
    let group = lines(&world, "hinomi/way out switched-over");
    let said = at(&group, "read: edge in way out: edge ge-0/0/1 is failed");
    assert!(said < at(&group, "opened"), "{group:#?}");
}

/// The device answers, its agent answers, and no port of it is measured: somebody has to hear of it.
#[test]
fn a_round_that_ends_at_the_same_place_each_time_is_a_finding() {
    let mut world = world();
    let unreadable = Value::Unreadable {
        tag: 0x43,
        contents: Vec::new(),
        why: DecodeError::Range,
    };
    let uptime = vec![1, 3, 6, 1, 2, 1, 1, 3, 0];
    world.run_to(s(300));
    world.agent("edge").values.insert(uptime.clone(), unreadable);
    world.run_to(s(1_800));
    world.agent("edge").values.remove(&uptime);
    world.run_to(s(3_000));
    let told = lines(&world, "edge agent-silent");
    let opened = at(&told, "its answers end at 1.3.6.1.2.1.1.3.0 each time");
    assert!(
        opened <= at(&told, "opened") && at(&told, "opened") < at(&told, "ended"),
        "{told:#?}"
    );
}

#[test]
fn an_agent_shows_how_it_failed_and_a_number_what_was_measured() {
    let mut world = world();
    world.agent("edge").running = false;
    world.agent("beside").cpu = Some(95);
    world.run_to(s(1_800));
    world.agent("beside").cpu = Some(20);
    world.run_to(s(3_000));
    let agent = lines(&world, "edge agent-silent");
    assert!(
        at(&agent, "read: edge SNMP: no answer") < at(&agent, "opened"),
        "{agent:#?}"
    );
    let cpu = lines(&world, "beside threshold cpu");
    let (measured, opened) = (at(&cpu, "read: beside cpu = 95.0 %"), at(&cpu, "opened"));
    let (good, ended) = (at(&cpu, "read: beside cpu = 20.0 %"), at(&cpu, "ended"));
    assert!(measured < opened && opened < good && good < ended, "{cpu:#?}");
}

#[test]
fn an_incident_shows_a_bounded_number_of_readings_and_healthy_devices_leave_none() {
    let mut world = world();
    world.agent("edge").ports[0].up = false;
    for minute in 0..70 {
        world.agent("beside").cpu = Some(91 + minute % 8);
        world.run_to(s(600 + 60 * minute as u64));
    }
    world.agent("edge").ports[0].up = true;
    world.agent("beside").cpu = Some(20);
    world.run_to(s(600 + 4_200 + 900));
    let port = lines(&world, "edge/ge-0/0/1 interface-down");
    let all_alike = at(&port, "ifOperStatus down, ifAdminStatus up, 6");
    assert!(port[all_alike].contains(" times in 1 h "), "{port:#?}");
    let shown = port.iter().filter(|line| line.starts_with("read: ")).count();
    assert!(shown <= 4, "{port:#?}");
    let cpu = lines(&world, "beside threshold cpu");
    let shown = cpu.iter().filter(|line| line.starts_with("read: beside cpu")).count();
    assert!((16..=33).contains(&shown), "{shown}: {cpu:#?}");
    at(&cpu, "readings of beside before that are not shown");
    let events = world.events.iter().map(|line| hinomi::incident::Event::from_json(line));
    let of_calm = |body: &EventBody| matches!(body, EventBody::Readings { device, .. } if &**device == "calm");
    assert!(!events.map(|e| e.expect("an event").body).any(|body| of_calm(&body)));
}
