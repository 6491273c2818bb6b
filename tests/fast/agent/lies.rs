//! Lies of an agent or of somebody on the way: none is believed, none does harm later, each is counted by its kind.

use super::fake::{self, Asked, Datagram, Fake, ROUND_TRIP, World, bind, community, request, response, v2c, v3};
use async_snmp::{Value, Version};
use hinomi::model::DeviceId;
use hinomi::poll::agent::AgentEvent;
use hinomi::poll::disbelief::Disbelief;
use hinomi::poll::{AgentFailure, AgentReading, DropReason};
use std::time::Duration;

/// A lie and how it is counted.
type Lie = (&'static str, DropReason, fn(&World, &Asked) -> Datagram);

/// What a round says in which nothing is asked any more that the device does not have.
fn settled(world: &mut World) -> AgentReading {
    world.honest();
    said(world.honest())
}

/// Everything a reading says but when it was made.
fn said(mut reading: AgentReading) -> AgentReading {
    reading.interfaces.iter_mut().for_each(|i| i.at = Default::default());
    reading.rtt = None;
    reading.engine = None;
    reading
}

/// Values that differ from the truth.
fn wrong(world: &World, asked: &Asked) -> Vec<async_snmp::VarBind> {
    let (_, _, mut varbinds) = world.fake.values(asked);
    for varbind in &mut varbinds {
        match &mut varbind.value {
            Value::Counter64(v) => *v += 1_000_000,
            Value::TimeTicks(v) => *v += 77,
            _ => {}
        }
    }
    varbinds
}

fn v2c_lie(world: &World, asked: &Asked) -> Vec<u8> {
    community(
        Version::V2c,
        fake::COMMUNITY,
        response(asked.request_id, (0, 0), wrong(world, asked)),
    )
}

const COMMUNITY_LIES: [Lie; 13] = [
    ("request id", DropReason::UnknownRequest, |w, a| {
        let pdu = response(a.request_id ^ (1 << 20), (0, 0), wrong(w, a));
        w.datagram(community(Version::V2c, fake::COMMUNITY, pdu))
    }),
    ("version", DropReason::WrongVersion, |w, a| {
        let values = vec![bind(&a.oids[0], Value::TimeTicks(1))];
        w.datagram(community(
            Version::V1,
            fake::COMMUNITY,
            response(a.request_id, (0, 0), values),
        ))
    }),
    ("community", DropReason::WrongCommunity, |w, a| {
        w.datagram(community(
            Version::V2c,
            b"public",
            response(a.request_id, (0, 0), wrong(w, a)),
        ))
    }),
    ("source address", DropReason::WrongSource, |w, a| Datagram {
        from: ([127, 0, 0, 9], 161).into(),
        ..w.datagram(v2c_lie(w, a))
    }),
    ("source port", DropReason::WrongSource, |w, a| Datagram {
        from: ([127, 0, 0, 1], 1_161).into(),
        ..w.datagram(v2c_lie(w, a))
    }),
    ("type", DropReason::WrongContent, |w, a| {
        w.datagram(community(
            Version::V2c,
            fake::COMMUNITY,
            request(a.request_id, wrong(w, a)),
        ))
    }),
    ("other objects", DropReason::WrongContent, |w, a| {
        let mut values = wrong(w, a);
        values.reverse();
        values.push(bind(&[1, 3, 6, 1, 9], Value::Integer(1)));
        w.datagram(community(
            Version::V2c,
            fake::COMMUNITY,
            response(a.request_id, (0, 0), values),
        ))
    }),
    ("one object less", DropReason::WrongContent, |w, a| {
        let mut values = wrong(w, a);
        values.pop();
        w.datagram(community(
            Version::V2c,
            fake::COMMUNITY,
            response(a.request_id, (0, 0), values),
        ))
    }),
    ("truncated", DropReason::Malformed, |w, a| {
        let mut bytes = v2c_lie(w, a);
        bytes.truncate(bytes.len() - 3);
        w.datagram(bytes)
    }),
    ("trailing bytes", DropReason::TrailingBytes, |w, a| {
        w.datagram([v2c_lie(w, a), vec![0, 0]].concat())
    }),
    ("nested 4,000 deep", DropReason::Malformed, |w, _| {
        let mut nest = Vec::new();
        for _ in 0..4_000usize {
            let len = u16::try_from(nest.len()).unwrap().to_be_bytes();
            nest.splice(0..0, [0x30, 0x82, len[0], len[1]]);
        }
        w.datagram(nest)
    }),
    ("not SNMP", DropReason::Malformed, |w, _| w.datagram(b"hello".to_vec())),
    ("a refusal of other objects", DropReason::WrongContent, |w, a| {
        let echo = vec![bind(&[1, 3, 6, 1, 9], Value::Null)];
        w.datagram(community(
            Version::V2c,
            fake::COMMUNITY,
            response(a.request_id, (5, 1), echo),
        ))
    }),
];

const V3_LIES: [Lie; 9] = [
    ("a v2c answer with the message id", DropReason::WrongVersion, |w, a| {
        w.datagram(community(
            Version::V2c,
            fake::USER.as_bytes(),
            response(a.msg_id, (0, 0), wrong(w, a)),
        ))
    }),
    ("an unsigned answer", DropReason::WrongSecurityLevel, |w, a| {
        w.datagram(
            w.fake
                .v3(a.msg_id, None, (5, 1_001), response(a.request_id, (0, 0), wrong(w, a))),
        )
    }),
    ("a wrong key", DropReason::BadDigest, |w, a| {
        let other = Fake {
            engine: b"\x80\x00\x1f\x88\x04engine-x".to_vec(),
            ..Fake::new()
        };
        w.datagram(w.fake.v3(
            a.msg_id,
            Some(&other.key()),
            (5, 1_001),
            response(a.request_id, (0, 0), wrong(w, a)),
        ))
    }),
    ("a flipped bit", DropReason::BadDigest, |w, a| {
        let mut bytes = w.fake.v3(
            a.msg_id,
            Some(&w.fake.key()),
            (5, 1_001),
            response(a.request_id, (0, 0), wrong(w, a)),
        );
        *bytes.last_mut().unwrap() ^= 1;
        w.datagram(bytes)
    }),
    ("a replay of long ago", DropReason::NotInTime, |w, a| {
        let pdu = response(a.request_id, (0, 0), wrong(w, a));
        w.datagram(w.fake.v3(a.msg_id, Some(&w.fake.key()), (5, 800), pdu))
    }),
    ("a replay of the last boot", DropReason::NotInTime, |w, a| {
        let pdu = response(a.request_id, (0, 0), wrong(w, a));
        w.datagram(w.fake.v3(a.msg_id, Some(&w.fake.key()), (4, 9_999), pdu))
    }),
    ("a forged Report with higher boots", DropReason::ForgedReport, |w, a| {
        w.datagram(w.fake.report(a, 2, None, (99, 1)))
    }),
    (
        "a forged Report that the engine is unknown",
        DropReason::ForgedReport,
        |w, a| w.datagram(w.fake.report(a, 4, None, (99, 1))),
    ),
    (
        "another request's answer, rightly signed",
        DropReason::WrongContent,
        |w, a| {
            let pdu = response(a.request_id ^ 1, (0, 0), wrong(w, a));
            w.datagram(w.fake.v3(a.msg_id, Some(&w.fake.key()), (5, 1_001), pdu))
        },
    ),
];

fn lie_before_the_truth(mut world: World, (name, reason, lie): Lie) {
    // Two rounds before: the first resolves names.
    world.honest();
    let truth = settled(&mut world);
    let mut lies = 0;
    let round = world.round(|world, asked| {
        lies += 1;
        let mut first = lie(world, asked);
        first.delay = ROUND_TRIP / 2;
        vec![first, world.truth(asked)]
    });
    assert_eq!(said(*round.outcome.unwrap()), truth, "{name}: believed");
    assert_eq!(
        world.agents.dropped().get(&reason),
        Some(&lies),
        "{name}: {:?}",
        world.agents.dropped()
    );
    assert_eq!(world.agents.dropped().len(), 1, "{name}: {:?}", world.agents.dropped());
    let requests = world.asked.len();
    assert_eq!(said(world.honest()), truth, "{name}: did harm");
    assert_eq!(
        world.asked.len(),
        requests,
        "{name}: the next round needs no more requests"
    );
}

#[test]
fn lies_in_v2c() {
    for lie in COMMUNITY_LIES {
        lie_before_the_truth(World::new(v2c(), &["a", "b"]), lie);
    }
}

#[test]
fn lies_in_v3() {
    for lie in V3_LIES {
        lie_before_the_truth(World::new(v3(), &["a", "b"]), lie);
    }
}

#[test]
fn a_liar_alone_gives_nothing() {
    for (credentials, lies) in [(v2c(), &COMMUNITY_LIES[..]), (v3(), &V3_LIES[..])] {
        for (name, reason, lie) in lies {
            let mut world = World::new(credentials.clone(), &["a"]);
            world.honest();
            let round = world.round(|world, asked| vec![lie(world, asked)]);
            let told = round.rejected.as_deref().cloned();
            let told = told.unwrap_or_else(|| panic!("{name}: left no trace"));
            let failure = match reason {
                DropReason::WrongContent | DropReason::Malformed | DropReason::TrailingBytes => AgentFailure::Malformed,
                _ => AgentFailure::NotBelieved(Box::new(told.clone())),
            };
            assert_eq!(round.outcome, Err(failure), "{name}");
            let why = match reason {
                DropReason::UnknownRequest => Disbelief::Number,
                DropReason::WrongVersion => Disbelief::Version,
                DropReason::WrongCommunity => Disbelief::Community,
                DropReason::WrongSource => Disbelief::Source(told.from),
                DropReason::WrongContent => Disbelief::Content,
                DropReason::BadDigest => Disbelief::Signature,
                DropReason::NotInTime => Disbelief::Clock,
                DropReason::WrongSecurityLevel => Disbelief::Security,
                DropReason::ForgedReport => Disbelief::Report,
                _ => Disbelief::Malformed,
            };
            assert_eq!(told.why, why, "{name}");
            assert_eq!(world.agents.dropped().get(reason), Some(&3), "{name}");
            world.honest();
        }
    }
}

#[test]
fn late_and_duplicate_answers_are_nobodys() {
    for credentials in [v2c(), v3()] {
        let mut world = World::new(credentials, &["a"]);
        let truth = settled(&mut world);
        let mut tries = 0;
        let round = world.round(|world, asked| {
            tries += 1;
            let mut answer = world.truth(asked);
            if tries == 1 {
                answer.delay = Duration::from_millis(1_001);
            }
            let mut again = world.truth(asked);
            again.delay = answer.delay;
            vec![answer, again]
        });
        assert_eq!(said(*round.outcome.unwrap()), truth);
        for _ in 0..3 {
            assert_eq!(
                said(world.honest()),
                truth,
                "a late answer does not shift the following ones"
            );
        }
        assert_eq!(world.agents.dropped().get(&DropReason::UnknownRequest), Some(&3));
    }
}

#[test]
fn every_flipped_bit_of_a_signed_answer_is_noticed() {
    let mut world = World::new(v3(), &["a"]);
    let truth = settled(&mut world);
    world.agents.start_liveness(DeviceId(0), 1, world.clock());
    let AgentEvent::Send { channel, to, bytes } = world.only_event() else {
        panic!()
    };
    let answer = world.fake.answer(&Fake::read(&bytes), world.now);
    for bit in 0..answer.len() * 8 {
        let mut bad = answer.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        world.deliver(channel, to, &bad);
        assert!(world.agents.events().is_empty(), "bit {bit} was believed");
    }
    let dropped: u64 = world.agents.dropped().values().sum();
    assert_eq!(dropped, u64::try_from(answer.len() * 8).unwrap());
    world.deliver(channel, to, &answer);
    assert!(matches!(
        world.agents.events()[..],
        [AgentEvent::Liveness { result: Ok(_), .. }]
    ));
    assert_eq!(said(world.honest()), truth);
}

#[test]
fn flipped_bits_of_a_community_answer_crash_nothing() {
    let mut world = World::new(v2c(), &["a"]);
    let truth = settled(&mut world);
    for bit in (0..4_000).step_by(3) {
        let _ = world.round(|world, asked| {
            let mut answer = world.truth(asked);
            let at = bit % (answer.bytes.len() * 8);
            answer.bytes[at / 8] ^= 1 << (at % 8);
            vec![answer]
        });
    }
    // What seemed to be refused, or to silence the agent, for rounds on end is asked for again within the hour.
    for _ in 0..61 {
        world.pass(Duration::from_secs(60));
    }
    world.honest();
    assert_eq!(said(world.honest()), truth);
}

#[test]
fn a_forged_discovery_costs_no_round() {
    let mut world = World::new(v3(), &["a"]);
    // Somebody answers each discovery first, with an engine of his own and no key.
    let forge = |world: &World, asked: &Asked| {
        let liar = Fake {
            engine: b"\x80\x00\x1f\x88\x04engine-x".to_vec(),
            ..Fake::new()
        };
        let mut forged = world.datagram(liar.report(asked, 4, None, (1_000, 1)));
        forged.delay = ROUND_TRIP / 2;
        let mut out = vec![world.truth(asked)];
        if asked.oids.is_empty() {
            out.push(forged);
        }
        out
    };
    let first = said(*world.round(forge).outcome.unwrap());
    assert_eq!(first.interfaces.len(), 1);
    // He stops, and all is well; he begins again, and what is proven stays.
    let truth = settled(&mut world);
    assert_eq!(said(*world.round(forge).outcome.unwrap()), truth);
}

#[test]
fn forged_reports_of_another_engine_starve_nobody() {
    let mut world = World::new(v3(), &["a"]);
    world.honest();
    let truth = said(world.honest());
    // Whoever sees the number of each request answers it first, unsigned: the engine is another one.
    let forge = |world: &World, asked: &Asked| {
        let liar = Fake {
            engine: b"\x80\x00\x1f\x88\x04engine-x".to_vec(),
            ..Fake::new()
        };
        let mut forged = world.datagram(liar.report(asked, 4, None, (1_000, 1)));
        forged.delay = ROUND_TRIP / 2;
        vec![forged, world.truth(asked)]
    };
    for _ in 0..7 {
        assert_eq!(said(*world.round(forge).outcome.unwrap()), truth);
        assert!(world.asked.len() < 20, "bounded: {}", world.asked.len());
        world.agents.start_liveness(DeviceId(0), 1, world.clock());
        let event = world.run(forge);
        assert!(matches!(event, AgentEvent::Liveness { result: Ok(_), .. }), "{event:?}");
    }
    assert_eq!(said(world.honest()), truth);
    assert_eq!(world.asked.len(), 1, "nothing of it stays");
}

#[test]
fn reports_tell_wrong_user_key_and_level_apart_but_never_against_a_true_answer() {
    for (counter, failure) in [
        (1, AgentFailure::UnsupportedLevel),
        (3, AgentFailure::UnknownUser),
        (5, AgentFailure::WrongKey),
        (6, AgentFailure::WrongPrivacy),
    ] {
        let mut world = World::new(v3(), &["a"]);
        world.honest();
        let report = |world: &World, asked: &Asked| {
            if asked.oids.is_empty() {
                return world.truth(asked);
            }
            world.datagram(world.fake.report(asked, counter, None, (5, 1_000)))
        };
        let round = world.round(|world, asked| vec![report(world, asked)]);
        assert_eq!(round.outcome, Err(failure.clone()));
        world.agents.start_liveness(DeviceId(0), 1, world.clock());
        let event = world.run(|world, asked| vec![report(world, asked)]);
        assert!(matches!(event, AgentEvent::Liveness { result: Err(f), .. } if f == failure));
        let round = world.round(|world, asked| {
            let mut truth = world.truth(asked);
            truth.delay = ROUND_TRIP * 2;
            vec![report(world, asked), truth]
        });
        assert!(round.outcome.is_ok(), "a hint is not believed against a true answer");
    }
}

#[test]
fn an_engine_that_is_never_in_time_says_so() {
    let mut world = World::new(v3(), &["a"]);
    let round = world.round(|world, asked| {
        if asked.oids.is_empty() {
            return vec![world.truth(asked)];
        }
        let time = world.fake.time + u32::try_from(world.now.0 / 1_000_000).unwrap();
        vec![world.datagram(world.fake.report(asked, 2, Some(&world.fake.key()), (5, time)))]
    });
    assert_eq!(round.outcome, Err(AgentFailure::NotInTimeWindow));
    assert!(world.asked.len() < 10, "bounded: {}", world.asked.len());
    world.honest();
}
