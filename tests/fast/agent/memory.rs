//! What a restart keeps: another process takes up what the one before had learned, through the form it has in the file.

use super::fake::{self, Fake, World};
use super::{ports, site};
use async_snmp::{PduType, Value};
use hinomi::model::snmp::Credentials;
use hinomi::model::{Device, DeviceId, Name, Now, Wall};
use hinomi::poll::agent::memory::{Memories, Memory};
use hinomi::poll::agent::{AgentEvent, Agents};
use hinomi::poll::{AgentFailure, Counter};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

impl World {
    fn time(&self) -> Now {
        Now {
            mono: self.now,
            wall: Wall((self.now.0 / 1_000) as i64),
        }
    }

    /// What is written down, as text.
    fn written(&self) -> (String, Memories) {
        let memories = self.agents.remember(0..usize::MAX, self.time());
        let text = serde_json::to_string(&memories).unwrap();
        let read: Vec<Memory> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, memories, "{text}");
        let read = Memories {
            at: self.time().wall,
            profiles: self.agents.profiles_mark(),
            devices: read.into_iter().map(|m| (m.name().clone(), m)).collect(),
        };
        (text, read)
    }

    /// The process ends and another one starts after `time`, with this device in its configuration.
    fn restart(&mut self, device: Device, time: Duration) {
        let (_, memories) = self.written();
        self.pass(time);
        self.agents = Agents::new(site::site(vec![device]), [2; 32]);
        let now = self.time();
        self.agents.recall(memories, now);
    }

    fn age(&mut self, seconds: u32) {
        self.fake.set(&super::UPTIME, Value::TimeTicks(100_000 + seconds * 100));
    }

    fn walks(&self) -> usize {
        self.asked.iter().filter(|a| a.kind != PduType::GetRequest).count()
    }
}

fn device(credentials: Credentials, interfaces: &[&str]) -> Device {
    site::device("edge-a", 161, credentials, interfaces)
}

fn all() -> [Credentials; 3] {
    [fake::v1(), fake::v2c(), fake::v3()]
}

#[test]
fn after_a_restart_nothing_is_walked_and_no_engine_is_looked_for() {
    for credentials in all() {
        let mut world = World::new(credentials.clone(), &["a", "b"]);
        world.honest();
        let settled = world.honest();
        let requests = world.asked.len();
        world.restart(device(credentials, &["a", "b"]), MINUTE);
        world.age(60);
        let reading = world.honest();
        assert_eq!((world.walks(), world.asked.len()), (0, requests), "{:?}", world.asked);
        assert_eq!(ports(&reading), ports(&settled));
        assert_eq!(
            reading.profile.map(|p| p.name.clone()),
            settled.profile.map(|p| p.name.clone())
        );
        assert_eq!(reading.scalars, settled.scalars);
        assert!(world.agents.dropped().is_empty(), "{:?}", world.agents.dropped());
    }
}

#[test]
fn no_secret_is_written_down_and_a_circuit_is_small() {
    for credentials in all() {
        let mut circuit = site::device("N-0000001", 161, credentials, &["a"]);
        circuit.role = hinomi::model::Role::Circuit;
        circuit.thresholds = Default::default();
        let mut world = World::of(circuit);
        world.honest();
        let (text, memories) = world.written();
        assert_eq!(memories.devices.len(), 1);
        for secret in [fake::COMMUNITY, fake::PASSWORD.as_bytes(), fake::USER.as_bytes()] {
            assert!(!text.contains(std::str::from_utf8(secret).unwrap()), "{text}");
        }
        let engine = if text.contains("\"e\":") { 70 } else { 0 };
        assert!(text.len() < 100 + engine, "{} octets: {text}", text.len());
    }
}

#[test]
fn a_device_renumbered_meanwhile_is_read_rightly_in_the_first_round() {
    for credentials in all() {
        let mut world = World::new(credentials.clone(), &["a", "b"]);
        world.honest();
        world.restart(device(credentials, &["a", "b"]), MINUTE);
        world.age(60);
        // Not a word of it in ifTableLastChange.
        world.fake.port(1, "b", 2_000);
        world.fake.port(2, "a", 1_000);
        let reading = world.honest();
        assert!(world.walks() > 0);
        let base = |c: Counter| match c {
            Counter::C64(v) => v / 1_000,
            Counter::C32(v) => u64::from(v) / 1_000,
        };
        let read: Vec<_> = ports(&reading)
            .into_iter()
            .map(|(n, i, c)| (n.to_owned(), i, base(c)))
            .collect();
        assert_eq!(read, [("a".to_owned(), 2, 1), ("b".to_owned(), 1, 2)]);
        assert!(reading.missing.is_empty());
    }
}

#[test]
fn a_device_restarted_meanwhile_is_looked_through_again() {
    let mut world = World::new(fake::v2c(), &["a"]);
    world.honest();
    world.restart(device(fake::v2c(), &["a"]), Duration::from_secs(7_200));
    // An hour up: more than it had when hinomi ended, less than it would have now.
    world.age(3_600);
    world.honest();
    assert!(world.walks() > 0);
    // One that has not restarted, after as long a rest, is not.
    world.restart(device(fake::v2c(), &["a"]), Duration::from_secs(7_200));
    world.age(3_600 + 7_200);
    world.honest();
    assert_eq!(world.walks(), 0);
}

#[test]
fn another_configuration_starts_afresh() {
    let moved = |d: &mut Device| d.address = [127, 0, 0, 2].into();
    let renamed = |d: &mut Device| d.name = "edge-b".into();
    let wants_more = |d: &mut Device| {
        d.interfaces = site::device("x", 161, fake::v2c(), &["a", "b"]).interfaces;
    };
    let read_as = |d: &mut Device| d.profile = Some("host-resources".into());
    let changes: [&dyn Fn(&mut Device); 4] = [&moved, &renamed, &wants_more, &read_as];
    for (i, change) in changes.into_iter().enumerate() {
        let mut world = World::new(fake::v2c(), &["a"]);
        world.honest();
        let mut other = device(fake::v2c(), &["a"]);
        change(&mut other);
        world.target.set_ip(other.address);
        world.restart(other, MINUTE);
        world.age(60);
        let reading = world.honest();
        assert!(world.walks() > 0, "change {i}");
        assert!(
            reading.missing.is_empty(),
            "change {i}: nothing is called missing that was not looked for"
        );
    }
}

#[test]
fn other_profiles_are_learned_anew_and_names_are_not() {
    let mut world = World::new(fake::v2c(), &["a"]);
    world.honest();
    let settled = world.honest();
    let (_, mut memories) = world.written();
    memories.profiles ^= 1;
    world.agents = Agents::new(site::site(vec![device(fake::v2c(), &["a"])]), [2; 32]);
    let now = world.time();
    world.agents.recall(memories, now);
    let reading = world.honest();
    let names = |oids: &[Vec<u32>]| oids.iter().any(|o| o.starts_with(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1]));
    let walked: Vec<_> = world.asked.iter().filter(|a| a.kind != PduType::GetRequest).collect();
    assert!(!walked.is_empty() && !walked.iter().any(|a| names(&a.oids)));
    assert_eq!(
        reading.profile.map(|p| p.name.clone()),
        settled.profile.map(|p| p.name.clone())
    );
}

#[test]
fn a_name_that_was_missing_is_looked_for_before_it_is_called_missing() {
    let mut world = World::new(fake::v2c(), &["a", "b*"]);
    world.honest();
    world.fake.remove_port(2);
    world.fake.set(&super::IF_NUMBER, Value::Integer(1));
    world.pass(MINUTE);
    world.age(60);
    assert_eq!(super::missing(&world.honest()), ["b"]);
    // It comes back while hinomi is away, and an agent without these objects would not tell.
    let port = |fake: &mut Fake| fake.port(2, "b", 2_000);
    for back in [true, false] {
        world.restart(device(fake::v2c(), &["a", "b*"]), MINUTE);
        if back {
            port(&mut world.fake);
        } else {
            world.fake.remove_port(2);
        }
        let reading = world.honest();
        let expected: &[&str] = if back { &[] } else { &["b"] };
        assert_eq!(
            super::missing(&reading),
            expected,
            "what a glob once matched is remembered"
        );
    }
}

#[test]
fn what_an_answer_may_hold_is_remembered() {
    let mut world = World::new(fake::v2c(), &["a", "b"]);
    world.fake.limit = 300;
    world.honest();
    world.honest();
    let requests = world.asked.len();
    assert!(requests > 1, "small answers take several requests");
    world.restart(device(fake::v2c(), &["a", "b"]), MINUTE);
    world.age(60);
    let reading = world.honest();
    assert_eq!(
        (world.walks(), world.asked.len()),
        (0, requests),
        "nothing is too big again"
    );
    assert_eq!(ports(&reading).len(), 2);
}

#[test]
fn an_engine_replaced_meanwhile_that_keeps_silent_costs_no_round() {
    let mut world = World::new(fake::v3(), &["a"]);
    world.honest();
    world.restart(device(fake::v3(), &["a"]), MINUTE);
    world.age(60);
    world.fake.engine = b"\x80\x00\x1f\x88\x04engine-b".to_vec();
    world.fake.boots = 1;
    let silent = |world: &World, asked: &fake::Asked| {
        // To a request for the engine that it was it says nothing.
        let old = asked.boots == 5;
        if old { Vec::new() } else { vec![world.truth(asked)] }
    };
    let reading = world.round(silent).outcome.unwrap();
    assert_eq!(ports(&reading).len(), 1);
    // A probe that stays unanswered doubts the engine, too: the next one is answered.
    world.restart(device(fake::v3(), &["a"]), MINUTE);
    world.fake.engine = b"\x80\x00\x1f\x88\x04engine-c".to_vec();
    world.fake.boots = 7;
    let silent = |world: &World, asked: &fake::Asked| {
        let old = asked.boots == 1;
        if old { Vec::new() } else { vec![world.truth(asked)] }
    };
    for expected in [Some(AgentFailure::Timeout), None] {
        let now = world.clock();
        world.agents.start_liveness(DeviceId(0), 1, now);
        let AgentEvent::Liveness { result, .. } = world.run(silent) else {
            panic!("a probe ends in a result")
        };
        assert_eq!(result.err(), expected);
    }
}

#[test]
fn an_agent_that_says_nothing_after_the_restart_is_not_forgotten() {
    let mut world = World::new(fake::v3(), &["a"]);
    world.honest();
    let (before, _) = world.written();
    world.restart(device(fake::v3(), &["a"]), Duration::ZERO);
    let (after, memories) = world.written();
    let rows = |text: &str| {
        text.split("\"t\":")
            .nth(1)
            .map(|t| t.split("]]").next().unwrap().to_owned())
    };
    assert_eq!(rows(&before), rows(&after));
    assert!(memories.devices.contains_key(&Name::from("edge-a")));
}
