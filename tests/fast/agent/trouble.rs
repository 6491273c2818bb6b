//! Agents that answer in part: values that cannot be read, objects that are refused without saying which, answers that must be small. What
//! can be read is read, what cannot is told, and the next rounds know it.

use super::fake::{self, Asked, Datagram, World, v1, v2c, v3};
use super::{UPTIME, ports, site};
use async_snmp::{PduType, Value};
use hinomi::model::snmp::Credentials;
use hinomi::model::{Name, Watch, WatchKind};
use hinomi::poll::unread::{CutBy, NotRead};
use hinomi::poll::{AgentFailure, AgentReading};
use std::time::Duration;

/// A watch of its own.
const ODD: [u32; 6] = [1, 3, 6, 1, 3, 1];
const GOOD: [u32; 6] = [1, 3, 6, 1, 3, 2];

fn world(credentials: Credentials) -> World {
    let mut device = site::device("edge-a", 161, credentials, &["a", "b"]);
    let watch = |name: &str, oid: [u32; 6]| Watch {
        name: Name::from(name),
        kind: WatchKind::Oid {
            oid: oid.to_vec(),
            scale: 1.0,
            unit: "C".into(),
            threshold: None,
        },
    };
    device.watches = [watch("odd", ODD), watch("good", GOOD)].into();
    let mut world = World::of(device);
    world.fake.set(&ODD, Value::Gauge32(5));
    world.fake.set(&GOOD, Value::Integer(42));
    world
}

fn value(reading: &AgentReading, oid: &[u32]) -> Option<f64> {
    let read = reading.scalars.iter().find(|s| *s.oid == *oid);
    read.and_then(|s| s.value.as_ref()?.as_f64())
}

/// async-snmp writes no refusal without a pointer at an object: this one is written over.
fn refusal(world: &World, asked: &Asked, (status, index): (u8, u8)) -> Datagram {
    let echo = asked.oids.iter().map(|o| fake::bind(o, Value::Null)).collect();
    let pdu = fake::response(asked.request_id, (5, 1), echo);
    let mut bytes = fake::community(asked.version, fake::COMMUNITY, pdu);
    let written = [2, 1, 5, 2, 1, 1];
    let at = bytes.windows(written.len()).position(|w| w == written).unwrap();
    (bytes[at + 2], bytes[at + 5]) = (status, index);
    world.datagram(bytes)
}

#[test]
fn a_value_that_cannot_be_read_costs_itself_alone() {
    let mut world = world(v2c());
    // The gauge 5 becomes the gauge -1, which there is not.
    let broken = |world: &World, asked: &Asked| {
        let mut answer = world.truth(asked);
        let odd = [0x06, 5, 0x2b, 6, 1, 3, 1, 0x42, 1, 5];
        if let Some(at) = answer.bytes.windows(odd.len()).position(|w| w == odd) {
            answer.bytes[at + odd.len() - 1] = 0xff;
        }
        vec![answer]
    };
    for _ in 0..3 {
        let reading = *world.round(broken).outcome.unwrap();
        assert_eq!((ports(&reading).len(), value(&reading, &GOOD)), (2, Some(42.0)));
        assert_eq!((value(&reading, &ODD), reading.partial), (None, false));
        let [unread] = &reading.unread[..] else {
            panic!("{:?}", reading.unread)
        };
        let negative = matches!(
            &unread.why,
            NotRead::Value {
                tag: 0x42,
                octets: 1,
                ..
            }
        );
        assert!(*unread.oid == ODD && negative, "{unread:?}");
    }
    let reading = world.honest();
    assert_eq!((value(&reading, &ODD), reading.unread.len()), (Some(5.0), 0));
}

#[test]
fn what_an_agent_refuses_is_found_whatever_it_points_at() {
    for credentials in [v1(), v2c()] {
        for status in [(5, 0), (16, 0), (6, 99), (5, 1), (13, 0xff)] {
            let mut world = world(credentials.clone());
            let refuses = |world: &World, asked: &Asked| match asked.kind == PduType::GetRequest
                && asked.oids.contains(&ODD.to_vec())
            {
                true => vec![refusal(world, asked, status)],
                false => vec![world.truth(asked)],
            };
            for round in 0..3 {
                let reading = *world.round(refuses).outcome.unwrap();
                let read = (ports(&reading).len(), value(&reading, &GOOD), value(&reading, &ODD));
                assert_eq!(read, (2, Some(42.0), None), "{status:?} in round {round}");
                let refused = NotRead::Refused(status.0.into());
                assert!(
                    reading.unread.iter().any(|u| *u.oid == ODD && u.why == refused),
                    "{:?}",
                    reading.unread
                );
            }
            let odd = |world: &World| world.asked.iter().filter(|a| a.oids.contains(&ODD.to_vec())).count();
            assert_eq!(odd(&world), 0, "it is known by now");
            // It is tried again, and well.
            world.pass(Duration::from_secs(301));
            let reading = world.honest();
            assert_eq!(
                (value(&reading, &ODD), reading.unread.len()),
                (Some(5.0), 0),
                "{status:?}"
            );
        }
    }
}

#[test]
fn an_agent_that_refuses_everything_has_failed() {
    let mut world = world(v2c());
    let round = world.round(|world, asked| vec![refusal(world, asked, (16, 0))]);
    assert_eq!(round.outcome, Err(AgentFailure::ErrorStatus(16)));
    assert!(world.asked.len() < 8, "{}", world.asked.len());
}

#[test]
fn walks_go_on_where_getbulk_or_a_row_is_refused() {
    let mut world = world(v2c());
    let no_bulk = |world: &World, asked: &Asked| match asked.kind {
        PduType::GetBulkRequest => vec![refusal(world, asked, (5, 0))],
        _ => vec![world.truth(asked)],
    };
    let reading = *world.round(no_bulk).outcome.unwrap();
    assert_eq!(
        (ports(&reading).len(), reading.cuts.len()),
        (2, 0),
        "{:?}",
        reading.cuts
    );
}

/// From the first round on, and after rounds in which everything was answered.
#[test]
fn an_agent_that_answers_small_requests_only_is_read_in_small_ones() {
    for credentials in [v1(), v2c(), v3()] {
        for limit in [1, 2, 6, 8, 10] {
            let mut world = world(credentials.clone());
            let small = |world: &World, asked: &Asked| match asked.oids.len() > limit {
                true => Vec::new(),
                false => vec![world.truth(asked)],
            };
            let complete = |world: &mut World| {
                let reading = *world.round(small).outcome.unwrap();
                !reading.partial && ports(&reading).len() == 2 && value(&reading, &GOOD) == Some(42.0)
            };
            let rounds = (0..6).position(|_| complete(&mut world));
            assert!(rounds.is_some(), "limit {limit}: {:?}", world.asked.last());
            assert!(complete(&mut world));
            assert!(complete(&mut world));
            assert!(
                world.asked.iter().all(|a| a.oids.len() <= limit),
                "limit {limit} is known"
            );
            // Large requests are tried again later.
            let requests = world.asked.len();
            for _ in 0..6 {
                world.pass(Duration::from_secs(3_700));
                world.honest();
            }
            world.honest();
            assert!(
                world.asked.len() < requests || limit > 6,
                "limit {limit}: {} then {}",
                requests,
                world.asked.len()
            );
        }
    }
}

#[test]
fn answers_over_so_many_octets_are_cut_in_pieces() {
    let mut world = world(v2c());
    let small = |world: &World, asked: &Asked| {
        let truth = world.truth(asked);
        if truth.bytes.len() > 200 {
            Vec::new()
        } else {
            vec![truth]
        }
    };
    let whole = (0..6).any(|_| {
        world
            .round(small)
            .outcome
            .is_ok_and(|r| !r.partial && ports(&r).len() == 2)
    });
    assert!(whole, "{:?}", world.asked.last());
    let reading = *world.round(small).outcome.unwrap();
    assert!(!reading.partial && ports(&reading).len() == 2);
}

#[test]
fn silence_to_one_object_is_told_of_that_object() {
    let mut world = world(v2c());
    let silent = |world: &World, asked: &Asked| match asked.oids.contains(&ODD.to_vec()) {
        true => Vec::new(),
        false => vec![world.truth(asked)],
    };
    let mut reading = *world.round(silent).outcome.unwrap();
    for _ in 0..4 {
        reading = *world.round(silent).outcome.unwrap();
    }
    assert_eq!(
        (ports(&reading).len(), value(&reading, &GOOD), reading.partial),
        (2, Some(42.0), false)
    );
    assert!(
        reading
            .unread
            .iter()
            .any(|u| *u.oid == ODD && u.why == NotRead::Silence),
        "{:?}",
        reading.unread
    );
    assert!(world.asked.iter().all(|a| !a.oids.contains(&ODD.to_vec())));
}

#[test]
fn a_round_that_broke_off_says_where() {
    let mut world = world(v2c());
    world.honest();
    // sysUpTime alone is answered, everything else is met by silence.
    let round = world.round(|world, asked| match asked.oids[..] == [UPTIME.to_vec()] {
        true => vec![world.truth(asked)],
        false => Vec::new(),
    });
    let reading = round.outcome.unwrap();
    let broken = reading.broken_off.unwrap();
    assert_eq!((reading.partial, broken.how), (true, AgentFailure::Timeout));
    assert!(!broken.at.is_empty());
}

#[test]
fn of_more_interfaces_than_are_allowed_the_first_are_read_and_it_is_told() {
    let mut device = site::device("edge-a", 161, v2c(), &["*", "port9"]);
    let access = device.snmp.as_deref().unwrap().clone();
    device.snmp = Some(std::sync::Arc::new(hinomi::model::snmp::SnmpAccess {
        interfaces_max: 3,
        ..access
    }));
    let mut world = World::of(device);
    for index in 3..=9 {
        world.fake.port(index, &format!("port{index}"), 1_000);
    }
    for _ in 0..2 {
        let reading = world.honest();
        let names: Vec<&str> = reading.interfaces.iter().map(|i| &*i.name).collect();
        assert_eq!(names, ["a", "b", "port9"]);
        let [cut] = &reading.cuts[..] else {
            panic!("{:?}", reading.cuts)
        };
        assert_eq!((cut.rows, cut.by), (3, CutBy::Rows));
    }
}

#[test]
fn names_in_the_encodings_of_japanese_devices_stay_apart_and_match() {
    let octets = |bytes: &[u8]| Value::OctetString(bytes.to_vec().into());
    let name = |index| [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, index];
    let alias = |index| [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18, index];
    let mut world = World::new(v2c(), &["東京", "大阪", "alias:東京第一病院"]);
    // EUC-JP, and an ifAlias in Shift_JIS.
    world.fake.set(&name(1), octets(b"\xc5\xec\xb5\xfe"));
    world.fake.set(&name(2), octets(b"\xc2\xe7\xba\xe5"));
    world.fake.port(3, "c", 3_000);
    world
        .fake
        .set(&alias(3), octets(b"\x93\x8c\x8b\x9e\x91\xe6\x88\xea\x95\x61\x89\x40"));
    for _ in 0..2 {
        let reading = world.honest();
        let names: Vec<(&str, u32)> = reading.interfaces.iter().map(|i| (&*i.name, i.index)).collect();
        assert_eq!(names, [("c", 3), ("大阪", 2), ("東京", 1)]);
        assert_eq!(reading.interfaces[0].alias.as_deref(), Some("東京第一病院"));
        assert!(reading.missing.is_empty(), "{:?}", reading.missing);
    }
    let walks = world.asked.iter().filter(|a| a.kind != PduType::GetRequest);
    assert_eq!(walks.count(), 0, "nothing is looked up again");
    // Octets that are no text at all: two ports, not one.
    let mut world = World::new(v2c(), &["*"]);
    world.fake.set(&name(1), octets(b"\xff\x01"));
    world.fake.set(&name(2), octets(b"\xfe\x01"));
    let reading = world.honest();
    let names: Vec<&str> = reading.interfaces.iter().map(|i| &*i.name).collect();
    assert_eq!(names, ["\\xfe\\x01", "\\xff\\x01"]);
}
