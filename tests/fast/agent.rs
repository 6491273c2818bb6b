//! The SNMP client against a scripted agent that lies, on a virtual clock. What the agent says is written with async-snmp.

#![allow(clippy::unwrap_used)]

pub(crate) mod fake;
mod lies;
mod memory;
mod nameless;
mod roles;
pub(crate) mod site;
mod trouble;

use async_snmp::{PduType, Value, Version};
use fake::{World, v1, v2c, v3};
use hinomi::model::snmp::Credentials;
use hinomi::model::{DeviceId, Mono, Name};
use hinomi::poll::agent::{AgentEvent, Agents};
use hinomi::poll::{AgentFailure, AgentReading, Channel, Counter};
use std::time::Duration;

const UPTIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];
const IF_NUMBER: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 1, 0];

fn ports(reading: &AgentReading) -> Vec<(&str, u32, Counter)> {
    reading
        .interfaces
        .iter()
        .map(|i| (&*i.name, i.index, i.in_octets.unwrap()))
        .collect()
}

fn missing(reading: &AgentReading) -> Vec<&str> {
    reading.missing.iter().map(|n| &**n).collect()
}

#[test]
fn a_settled_round_is_one_request_without_a_walk() {
    for credentials in [v1(), v2c(), v3()] {
        let wide = !matches!(credentials, Credentials::V1 { .. });
        let counter = |v: u32| if wide { Counter::C64(v.into()) } else { Counter::C32(v) };
        let mut world = World::new(credentials, &["a", "b"]);
        world.honest();
        let reading = world.honest();
        assert!(world.asked.len() <= 2, "{:?}", world.asked);
        assert!(world.asked.iter().all(|a| a.kind == PduType::GetRequest));
        let offset = if wide { 6 } else { 10 };
        assert_eq!(
            ports(&reading),
            [("a", 1, counter(1_000 + offset)), ("b", 2, counter(2_000 + offset))]
        );
        let a = &reading.interfaces[0];
        assert_eq!(
            (a.admin, a.oper, a.speed_bps, a.uptime),
            (Some(1), Some(1), Some(1_000_000_000), 100_000)
        );
        assert_eq!(a.alias.as_deref(), Some("alias of a"));
        // In 7 + 8 + 9 and out 11 + 12 + 13; the 32-bit ones 11 and 17.
        let packets = if wide {
            Counter::C64(6_000 + 60)
        } else {
            Counter::C32(2_000 + 28)
        };
        assert_eq!(a.packets, Some(packets));
        assert_eq!(a.errors, Some(Counter::C32(2_000 + 34)));
        assert_eq!(a.discards, Some(Counter::C32(2_000 + 32)));
        assert_eq!(reading.rtt, Some(fake::ROUND_TRIP));
        assert_eq!(reading.profile.as_ref().map(|p| &*p.name), Some("host-resources"));
        assert!(world.agents.dropped().is_empty(), "{:?}", world.agents.dropped());
    }
}

#[test]
fn a_silent_agent_is_asked_three_times_and_a_probe_once() {
    let mut world = World::new(v2c(), &[]);
    let round = world.round(|_, _| Vec::new());
    assert_eq!(round.outcome, Err(AgentFailure::Timeout));
    assert_eq!(world.asked.len(), 3);
    assert_eq!(round.ended.since(round.started), Duration::from_secs(3));
    world.agents.start_liveness(DeviceId(0), 42, world.clock());
    let before = world.now;
    let event = world.run(|_, _| Vec::new());
    assert_eq!(world.asked.len(), 1);
    let AgentEvent::Liveness {
        token,
        result,
        started,
        ended,
        ..
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!((token, result), (42, Err(AgentFailure::Timeout)));
    assert_eq!((started, ended), (before, before + Duration::from_secs(1)));
}

#[test]
fn two_lost_datagrams_cost_nothing_but_time() {
    let mut world = World::new(v2c(), &["a"]);
    world.honest();
    let mut tries = 0;
    let round = world.round(|world, asked| {
        tries += 1;
        if tries < 3 {
            Vec::new()
        } else {
            vec![world.truth(asked)]
        }
    });
    assert_eq!(ports(&round.outcome.unwrap()).len(), 1);
}

#[test]
fn a_probe_goes_out_beside_a_slow_round() {
    for credentials in [v2c(), v3()] {
        let mut world = World::new(credentials, &["a"]);
        world.honest();
        world.agents.start_round(DeviceId(0), world.clock());
        assert!(world.agents.busy(DeviceId(0)));
        world.agents.start_liveness(DeviceId(0), 7, world.clock());
        let event = world.run(|world, asked| {
            // The round's own request is lost.
            if asked.oids.len() > 1 {
                Vec::new()
            } else {
                vec![world.truth(asked)]
            }
        });
        let AgentEvent::Liveness { token: 7, result, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!(result, Ok(fake::ROUND_TRIP));
        let AgentEvent::Round(round) = world.run(|world, asked| vec![world.truth(asked)]) else {
            panic!()
        };
        assert!(round.outcome.is_ok());
        assert!(!world.agents.busy(DeviceId(0)));
    }
}

#[test]
fn swapped_rows_never_feed_the_wrong_port() {
    let mut world = World::new(v2c(), &["a", "b"]);
    world.honest();
    world.fake.port(1, "b", 2_000);
    world.fake.port(2, "a", 1_000);
    let reading = world.honest();
    assert_eq!(
        ports(&reading),
        [("a", 2, Counter::C64(1_006)), ("b", 1, Counter::C64(2_006))]
    );
    assert!(missing(&reading).is_empty());
}

#[test]
fn a_row_with_another_name_is_not_reported_when_the_names_cannot_be_read() {
    let mut world = World::new(v2c(), &["a", "b"]);
    world.honest();
    world.fake.port(1, "c", 7_000);
    let round = world.round(|world, asked| {
        let walk = asked.kind != PduType::GetRequest;
        if walk { Vec::new() } else { vec![world.truth(asked)] }
    });
    let reading = round.outcome.unwrap();
    assert_eq!(ports(&reading), [("b", 2, Counter::C64(2_006))]);
    assert!(missing(&reading).is_empty(), "nothing is known about where a is");
}

#[test]
fn a_port_that_moves_to_a_new_row_is_found_in_the_same_round() {
    let mut world = World::new(v2c(), &["a", "b"]);
    world.honest();
    world.fake.remove_port(1);
    world.fake.port(17, "a", 5_000);
    let reading = world.honest();
    assert_eq!(
        ports(&reading),
        [("a", 17, Counter::C64(5_006)), ("b", 2, Counter::C64(2_006))]
    );
}

#[test]
fn a_port_that_vanishes_is_missing_until_it_is_back() {
    let mut world = World::new(v2c(), &["?"]);
    assert!(missing(&world.honest()).is_empty());
    world.fake.remove_port(2);
    let reading = world.honest();
    assert_eq!((ports(&reading).len(), missing(&reading)), (1, vec!["b"]));
    assert_eq!(missing(&world.honest()), ["b"], "and stays so");
    // It is back without any sign of it: looked for again every five minutes.
    world.fake.port(2, "b", 2_000);
    assert_eq!(missing(&world.honest()), ["b"]);
    world.pass(Duration::from_secs(300));
    let reading = world.honest();
    assert_eq!((ports(&reading).len(), missing(&reading)), (2, vec![]));
    // With a sign of it, at once.
    world.pass(Duration::from_secs(1));
    world.fake.port(3, "c", 3_000);
    world.fake.set(&IF_NUMBER, Value::Integer(3));
    assert_eq!(ports(&world.honest()).len(), 3);
}

#[test]
fn a_table_that_is_away_says_nothing_about_the_ports() {
    let mut world = World::new(v2c(), &["a", "nowhere"]);
    assert_eq!(missing(&world.honest()), ["nowhere"]);
    let whole = world.fake.objects.clone();
    world.fake.remove_columns(&(1..=19).collect::<Vec<_>>());
    for _ in 0..2 {
        let reading = world.honest();
        assert_eq!((ports(&reading).len(), missing(&reading)), (0, vec!["nowhere"]));
        assert!(world.asked.len() <= 3, "{:?}", world.asked);
    }
    world.fake.objects = whole;
    assert_eq!(ports(&world.honest()), [("a", 1, Counter::C64(1_006))]);
    // An agent that never showed an interface: nothing is known, nothing is missing.
    let mut world = World::new(v2c(), &["a"]);
    world
        .fake
        .objects
        .retain(|oid, _| !oid.starts_with(&[1, 3, 6, 1, 2, 1, 31]) && !oid.starts_with(&[1, 3, 6, 1, 2, 1, 2]));
    assert!(missing(&world.honest()).is_empty());
}

#[test]
fn counters_without_sysuptime_are_not_handed_on_and_the_state_is() {
    let mut world = World::new(v2c(), &["a"]);
    world.fake.objects.remove(UPTIME.as_slice());
    let reading = world.honest();
    let port = &reading.interfaces[0];
    assert_eq!((reading.uptime, port.untimed, port.oper), (None, true, Some(1)));
    assert_eq!((port.in_octets, port.out_octets, port.errors), (None, None, None));
}

#[test]
fn names_are_found_step_by_step_where_getbulk_is_not_answered() {
    for refuses in [false, true] {
        let mut world = World::new(v2c(), &["a", "b"]);
        let mut rounds = 0;
        let reading = loop {
            let round = world.round(|world, asked| match (asked.kind, refuses) {
                (PduType::GetBulkRequest, false) => Vec::new(),
                (PduType::GetBulkRequest, true) => {
                    let echo = asked.oids.iter().map(|o| fake::bind(o, Value::Null)).collect();
                    let refusal = fake::response(asked.request_id, (5, 1), echo);
                    vec![world.datagram(fake::community(async_snmp::Version::V2c, fake::COMMUNITY, refusal))]
                }
                _ => vec![world.truth(asked)],
            });
            rounds += 1;
            let reading = round.outcome.unwrap();
            if !reading.interfaces.is_empty() {
                break reading;
            }
            assert!(missing(&reading).is_empty(), "nothing is known of the ports");
            world.pass(Duration::from_secs(60));
        };
        assert!(rounds <= if refuses { 1 } else { 4 }, "{rounds} rounds");
        assert_eq!((ports(&reading).len(), reading.step_by_step), (2, true));
    }
}

#[test]
fn of_two_rows_with_one_name_the_port_is_read_and_not_the_layer_above_it() {
    let kind = |world: &mut World, index: u32, kind: i32| {
        world
            .fake
            .set(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 3, index], Value::Integer(kind));
    };
    // The port, and its MPLS layer above (higher index) or below it; the layer counts a part of what the port counts.
    for (port, layer) in [(1, 9), (9, 1)] {
        let mut world = World::new(v2c(), &["a"]);
        world.fake.remove_port(1);
        let (mut a, mut b) = (1_000_000, 2_000);
        for round in 0..6u64 {
            world.fake.port(port, "a", a);
            world.fake.port(layer, "a", b);
            kind(&mut world, port, 6);
            kind(&mut world, layer, 166);
            let reading = world.honest();
            let read = &reading.interfaces[0];
            assert_eq!((reading.interfaces.len(), read.ambiguous, read.twins), (1, true, 1));
            assert!(round == 0 || read.index == port, "round {round}: {}", read.index);
            world.pass(Duration::from_secs(60));
            (a, b) = (a + 10_000_000, b + 100_000);
        }
    }
    // Nothing tells the rows apart but what they carry: the one that carries more.
    let mut world = World::new(v2c(), &["a"]);
    for round in 0..6u64 {
        world.fake.port(1, "a", 1_000 + round * 10_000_000);
        world.fake.port(9, "a", 1_000 + round * 100_000);
        let index = world.honest().interfaces[0].index;
        assert!(round < 2 || index == 1, "round {round}: {index}");
        world.pass(Duration::from_secs(60));
    }
}

#[test]
fn of_two_rows_with_one_alias_one_is_the_port() {
    let mut world = World::new(v2c(), &["alias:N-0004242", "b"]);
    let alias = |world: &mut World, index: u32| {
        let text = b"cust N-0004242".to_vec();
        world.fake.set(
            &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18, index],
            Value::OctetString(text.into()),
        );
    };
    for round in 0..4u64 {
        world.fake.port(1, "a", 1_000 + round * 10_000_000);
        world.fake.port(2, "b", 1_000 + round * 200_000);
        (1..=2).for_each(|index| alias(&mut world, index));
        let reading = world.honest();
        world.pass(Duration::from_secs(60));
        if round < 2 {
            continue;
        }
        let found = |i: &hinomi::poll::InterfaceReading| (i.name.to_string(), i.found_by.is_some(), i.twins);
        let all: Vec<_> = reading.interfaces.iter().map(found).collect();
        assert_eq!(
            all,
            [("a".to_owned(), true, 1), ("b".to_owned(), false, 0)],
            "b is wanted by its name as well"
        );
    }
}

#[test]
fn a_name_that_never_was_is_missing_and_nothing_is_accused_after_a_broken_walk() {
    let mut world = World::new(v2c(), &["a", "xe-*", "nowhere"]);
    assert_eq!(missing(&world.honest()), ["nowhere"]);
    let mut world = World::new(v2c(), &["a", "b"]);
    world.honest();
    world.fake.circles = true;
    world.fake.set(&IF_NUMBER, Value::Integer(9));
    let reading = world.honest();
    assert_eq!(
        (ports(&reading).len(), missing(&reading)),
        (2, vec![]),
        "the walk went in circles after its first row"
    );
    let asked = world.asked.len();
    assert!(asked < 20, "{asked} requests");
}

#[test]
fn an_endless_table_is_left_after_thirty_seconds() {
    let mut world = World::new(v2c(), &["port7"]);
    world.fake.endless = true;
    let round = world.round(|world, asked| {
        let mut answer = world.truth(asked);
        answer.delay = Duration::from_millis(200);
        vec![answer]
    });
    assert!(round.outcome.is_ok());
    let took = round.ended.since(round.started);
    assert!(
        took < Duration::from_secs(70),
        "one walk of the profile and one of the names: {took:?}"
    );
}

#[test]
fn counters_have_the_width_they_are_read_with() {
    let mut world = World::new(v2c(), &["a", "b"]);
    // Row 2 has no 64-bit octets, row 1 no 64-bit multicast.
    for col in [6, 10] {
        world.fake.objects.remove(&vec![1, 3, 6, 1, 2, 1, 31, 1, 1, 1, col, 2]);
    }
    world.fake.objects.remove(&vec![1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 8, 1]);
    for round in 0..2 {
        let reading = world.honest();
        assert_eq!(
            ports(&reading),
            [("a", 1, Counter::C64(1_006)), ("b", 2, Counter::C32(2_010))],
            "round {round}"
        );
        assert_eq!(reading.interfaces[0].packets, Some(Counter::C64(2_000 + 18)));
        assert_eq!(reading.interfaces[1].packets, Some(Counter::C32(4_000 + 28)));
    }
    assert_eq!(world.asked.len(), 1, "what a row has is remembered");
}

#[test]
fn an_agent_without_ifxtable_is_read_by_ifdescr() {
    let mut world = World::new(v2c(), &["descr-*"]);
    world
        .fake
        .objects
        .retain(|oid, _| !oid.starts_with(&[1, 3, 6, 1, 2, 1, 31]));
    let reading = world.honest();
    assert_eq!(
        ports(&reading),
        [("descr-a", 1, Counter::C32(1_010)), ("descr-b", 2, Counter::C32(2_010))]
    );
    assert_eq!(reading.interfaces[0].speed_bps, Some(1_000_000_000));
}

#[test]
fn an_agent_with_empty_names_is_read_by_ifdescr() {
    let mut world = World::new(v2c(), &["descr-b"]);
    for index in [1, 2] {
        world.fake.set(
            &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, index],
            Value::OctetString(Vec::new().into()),
        );
    }
    assert_eq!(ports(&world.honest()), [("descr-b", 2, Counter::C32(2_010))]);
}

#[test]
fn a_table_that_changes_all_the_time_is_not_walked_all_the_time() {
    let mut world = World::new(v2c(), &["a"]);
    for index in 3..400 {
        world.fake.port(index, &format!("ppp{index}"), 1);
    }
    let (mut walked, mut rounds) = (0, 0);
    for change in 0..60 {
        world.fake.set(&IF_NUMBER, Value::Integer(400 + change));
        let round = world.round(|world, asked| {
            let mut answer = world.truth(asked);
            answer.delay = Duration::from_millis(100);
            vec![answer]
        });
        assert_eq!(ports(&round.outcome.unwrap()).len(), 1);
        walked += usize::from(world.asked.len() > 5);
        rounds += 1;
        world.pass(Duration::from_secs(2));
    }
    assert!(walked >= 2 && walked * 4 < rounds, "{walked} of {rounds}");
}

#[test]
fn v1_leaves_out_what_makes_the_agent_refuse() {
    let mut world = World::new(v1(), &["a", "b"]);
    world.fake.remove_columns(&[18, 19]);
    world.fake.objects.remove(&vec![1, 3, 6, 1, 2, 1, 31, 1, 5, 0]);
    let first = world.honest();
    assert_eq!((ports(&first).len(), first.interfaces[0].alias.as_deref()), (2, None));
    let second = world.honest();
    assert_eq!(ports(&second).len(), 2);
    assert_eq!(world.asked.len(), 2, "what is refused is remembered");
}

#[test]
fn a_restart_and_a_wrap_of_uptime_make_it_look_again() {
    let mut world = World::new(v2c(), &["a"]);
    world.fake.set(&UPTIME, Value::TimeTicks(u32::MAX - 5));
    world.honest();
    world.honest();
    let settled = world.asked.len();
    world.fake.set(&UPTIME, Value::TimeTicks(995));
    let reading = world.honest();
    assert_eq!((reading.uptime, reading.interfaces[0].uptime), (Some(995), 995));
    assert!(world.asked.len() > settled, "names and instances are looked up again");
    world.honest();
    assert_eq!(world.asked.len(), settled);
}

#[test]
fn too_big_halves_and_is_remembered() {
    for limit in [700, 330, 150] {
        for credentials in [v1(), v2c(), v3()] {
            let mut world = World::new(credentials, &["a", "b"]);
            world.fake.limit = limit;
            let reading = world.honest();
            assert_eq!(ports(&reading).len(), 2, "limit {limit}");
            let refused = |world: &World| {
                world
                    .asked
                    .iter()
                    .filter(|a| world.fake.answer(a, world.now).len() < 90)
                    .count()
            };
            let first = refused(&world);
            let reading = world.honest();
            assert_eq!(ports(&reading).len(), 2);
            assert!(
                reading.interfaces[0].alias.is_some(),
                "limit {limit}: a row is cut, not shortened"
            );
            assert!(
                refused(&world) == 0 || first > refused(&world),
                "limit {limit}: {:?}",
                world.asked
            );
        }
    }
}

#[test]
fn of_two_rows_with_one_name_the_one_that_moves_is_read() {
    let mut world = World::new(v2c(), &["a"]);
    world.fake.port(9, "a", 50);
    let reading = world.honest();
    assert_eq!((reading.interfaces.len(), reading.interfaces[0].ambiguous), (1, true));
    world.fake.port(1, "a", 1_100);
    let reading = world.honest();
    assert_eq!(ports(&reading), [("a", 1, Counter::C64(1_106))]);
    // Once it was seen to move, a standstill does not make it the other one.
    assert_eq!(ports(&world.honest()), [("a", 1, Counter::C64(1_106))]);
    world.fake.remove_port(9);
    world.fake.set(&IF_NUMBER, Value::Integer(1));
    world.honest();
    assert!(!world.honest().interfaces[0].ambiguous);
}

#[test]
fn a_refused_watch_does_not_take_the_rest_along() {
    let mut device = site::device("edge-a", 161, v2c(), &["a"]);
    device.watches = [hinomi::model::Watch {
        name: Name::from("temperature"),
        kind: hinomi::model::WatchKind::Oid {
            oid: vec![1, 3, 6, 1, 3, 1],
            scale: 1.0,
            unit: "C".into(),
            threshold: None,
        },
    }]
    .into();
    let mut world = World::of(device);
    // genErr for one object, as agents with a broken subagent say.
    let reading = world.round(|world, asked| {
        let at = asked.oids.iter().position(|o| *o == [1, 3, 6, 1, 3, 1]);
        let Some(at) = at else { return vec![world.truth(asked)] };
        let echo = asked.oids.iter().map(|o| fake::bind(o, Value::Null)).collect();
        let refusal = fake::response(asked.request_id, (5, i32::try_from(at + 1).unwrap()), echo);
        vec![world.datagram(fake::community(Version::V2c, fake::COMMUNITY, refusal))]
    });
    let reading = reading.outcome.unwrap();
    assert_eq!(ports(&reading).len(), 1);
    let watch = reading.scalars.iter().find(|s| *s.oid == [1, 3, 6, 1, 3, 1]).unwrap();
    assert_eq!(watch.value, None);
}

#[test]
fn engine_time_is_estimated_between_polls() {
    let mut world = World::new(v3(), &["a"]);
    world.honest();
    for gap in [170, 300, 86_400] {
        world.pass(Duration::from_secs(gap));
        // The profile's instances and the names are looked up again after an hour; that is no resynchronisation.
        let reading = world.honest();
        assert!(
            world.asked.iter().all(|a| !a.oids.is_empty()),
            "no discovery after {gap} s"
        );
        let reports = world.asked.iter().filter(|a| a.boots != 5).count();
        assert_eq!(reports, 0);
        assert_eq!(reading.engine.map(|e| e.0), Some(5));
    }
}

#[test]
fn a_restarted_or_replaced_engine_costs_no_round() {
    let mut world = World::new(v3(), &["a"]);
    world.honest();
    world.fake.boots = 6;
    world.fake.time = 0;
    assert_eq!(world.honest().engine.map(|e| e.0), Some(6));
    world.fake.engine = b"\x80\x00\x1f\x88\x04engine-b".to_vec();
    world.fake.boots = 1;
    assert_eq!(world.honest().engine.map(|e| e.0), Some(1));
    // Boots that went back (a box restored from a backup) are believed after a fresh start, by their HMAC.
    world.fake.boots = 9;
    world.honest();
    world.fake.boots = 2;
    assert_eq!(world.honest().engine.map(|e| e.0), Some(2));
    world.honest();
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn a_reload_keeps_what_was_learned_unless_it_is_about_somebody_else() {
    let mut world = World::new(v3(), &["a"]);
    world.honest();
    let before = site::device("aaa-new", 161, v3(), &[]);
    let same = site::device("edge-a", 161, v3(), &["a"]);
    let mut moved = same.clone();
    // The same device under another number, its request still out.
    world.agents.start_round(DeviceId(0), world.clock());
    let sent = world.agents.events();
    world
        .agents
        .reload(site::site(vec![before.clone(), same]), world.clock());
    assert!(world.agents.busy(DeviceId(1)) && !world.agents.busy(DeviceId(0)));
    let [AgentEvent::Send { channel, to, bytes }] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    let answer = world.fake.answer(&fake::Fake::read(bytes), world.now);
    world.deliver(*channel, *to, &answer);
    let AgentEvent::Round(round) = world.only_event() else {
        panic!()
    };
    assert_eq!(round.device, DeviceId(1));
    assert!(
        round.outcome.is_ok(),
        "no discovery, no walk: one answer ends the round"
    );
    // Another address: from the beginning, with a discovery.
    moved.address = [127, 0, 0, 2].into();
    world.agents.reload(site::site(vec![before, moved]), world.clock());
    world.agents.start_round(DeviceId(1), world.clock());
    let AgentEvent::Send { bytes, .. } = world.only_event() else {
        panic!()
    };
    assert!(fake::Fake::read(&bytes).oids.is_empty());
}

#[test]
fn a_demarcation_interface_is_read_though_nobody_listed_it() {
    let edge = site::device("edge-a", 161, v2c(), &[]);
    let mut platform = site::device("platform-pe-1", 162, v2c(), &[]);
    platform.demarcation = Some(hinomi::model::Demarcation {
        device: DeviceId(0),
        interface: Name::from("b"),
        peers: Vec::new(),
        subnet: None,
    });
    let mut world = World::of(edge.clone());
    world.agents = Agents::new(site::site(vec![edge, platform]), [1; 32]);
    assert_eq!(ports(&world.honest()), [("b", 2, Counter::C64(2_006))]);
}

#[test]
fn a_send_that_fails_ends_a_probe_at_once() {
    let mut world = World::new(v2c(), &[]);
    world.agents.start_liveness(DeviceId(0), 1, world.clock());
    let AgentEvent::Send { channel, to, .. } = world.only_event() else {
        panic!()
    };
    world
        .agents
        .send_failed(channel, to, "Network is unreachable", world.clock());
    let AgentEvent::Liveness { result, .. } = world.only_event() else {
        panic!()
    };
    assert_eq!(result, Err(AgentFailure::Timeout));
    assert_eq!(world.agents.next_wakeup(), Mono::NEVER);
    assert!(matches!(channel, Channel::Udp(n) if n < hinomi::poll::UDP_SOCKETS));
}

#[test]
fn no_output_shows_a_secret() {
    for credentials in [v2c(), v3()] {
        let mut world = World::new(credentials, &["a"]);
        world.honest();
        let shown = format!("{:?}", world.agents);
        assert!(!shown.contains("s3cret"));
        let bytes = format!("{:?}", fake::PASSWORD.as_bytes());
        assert!(!shown.contains(bytes.trim_matches(['[', ']'])));
    }
}
