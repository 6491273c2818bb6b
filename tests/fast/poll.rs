//! Polling on a virtual clock against a simulated network: rounds, the miss and what follows, what is believed, the schedule.

#![allow(clippy::unwrap_used)]

mod net;
mod raw;

use hinomi::model::service::{Answer, Ask, Endpoint, Failure, Trust};
use hinomi::model::{DeviceId, Liveness, Mono, Owner, Service, Status, Watch, WatchKind};
use hinomi::poll::disbelief::Disbelief;
use hinomi::poll::{Channel, DropReason, Observation, PollEffect, PollInput, ReachRound, RoundKind, ServiceReading};
use net::{Behaviour, Net, device, icmp_error, ms, packet, secs, site};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const D: DeviceId = DeviceId(0);

/// The first confirm burst that ended without any answer.
fn down_at(net: &Net, id: DeviceId) -> Option<Mono> {
    net.reach(id)
        .find(|(_, r)| r.kind == RoundKind::Confirm && r.received == 0)
        .map(|(at, _)| at)
}

fn dropped(net: &Net, reason: DropReason) -> u64 {
    net.poll.counters().dropped.get(&reason).copied().unwrap_or(0)
}

#[test]
fn a_round_is_three_echoes_200_ms_apart_once_an_interval() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.run_for(secs(60));
    let rounds: Vec<_> = net.reach(D).map(|(_, r)| r.clone()).collect();
    assert_eq!(rounds.len(), 6);
    for (i, r) in rounds.iter().enumerate() {
        assert_eq!(
            (r.kind, r.sent, r.received, r.rtts.len()),
            (RoundKind::Regular, 3, 3, 3)
        );
        assert!(r.rtts.iter().all(|rtt| *rtt == ms(5)), "{:?}", r.rtts);
        assert_eq!(r.ended.since(r.started), ms(405), "a round ends with its last answer");
        assert_eq!(r.started.since(rounds[0].started), secs(10) * i as u32);
    }
    assert_eq!(net.poll.counters().rounds[&("echo", "ok")], 6);
}

#[test]
fn detection_takes_never_longer_than_interval_and_over_and_timeout() {
    // (interval, timeout, echoes, confirm echoes, over) in ms: the default, own core, the 5 s promise, circuits, and odd ones.
    let settings = [
        (60_000, 2_000, 3, 15, 30_000),
        (10_000, 2_000, 3, 15, 10_000),
        (1_000, 1_000, 3, 15, 2_000),
        (60_000, 2_000, 1, 15, 30_000),
        (2_000, 2_000, 3, 15, 2_000),
        (1_000, 2_000, 3, 5, 1_000),
        (1_000, 300, 3, 1, 400),
    ];
    for (interval, timeout, echoes, confirm, over) in settings {
        for step in 0..23u64 {
            let mut d = device("edge-a", "192.0.2.1");
            (d.poll.interval, d.poll.timeout, d.poll.echoes) = (ms(interval), ms(timeout), echoes);
            (d.poll.confirm.echoes, d.poll.confirm.over) = (confirm, ms(over));
            let promised = d.poll.detection();
            let mut net = Net::new(site(vec![d]));
            net.run_for(ms(2 * interval) + ms(interval) * step as u32 / 23);
            assert_eq!(down_at(&net, D), None);
            let cut = net.now;
            net.set("192.0.2.1", Behaviour::Silent);
            net.run_for(promised + secs(1));
            let took = down_at(&net, D).expect("down").since(cut);
            assert!(
                took <= promised,
                "{interval} {timeout} {echoes} {over}: {took:?} > {promised:?} at {step}"
            );
        }
    }
}

#[test]
fn a_miss_is_told_and_then_confirmed_by_a_burst_spread_over_its_time() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.run_for(secs(20));
    net.set("192.0.2.1", Behaviour::Silent);
    net.sent.clear();
    net.run_for(secs(22));
    let kinds: Vec<_> = net
        .reach(D)
        .map(|(_, r)| (r.kind, r.sent, r.received))
        .skip(2)
        .collect();
    assert_eq!(kinds[..2], [(RoundKind::Regular, 3, 0), (RoundKind::Confirm, 15, 0)]);
    let times: Vec<f64> = net.sent[3..18]
        .iter()
        .map(|(at, _)| at.since(net.sent[0].0).as_secs_f64())
        .collect();
    assert!(
        (times[0] - 2.4).abs() < 0.001,
        "the burst follows the miss at once: {times:?}"
    );
    assert!(
        (times[14] - 10.0).abs() < 0.001,
        "and ends `over` after the first missed echo: {times:?}"
    );
    assert!(
        times.windows(2).all(|w| (w[1] - w[0] - 7.6 / 14.0).abs() < 0.001),
        "evenly: {times:?}"
    );
}

#[test]
fn any_answer_ends_the_burst() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.run_for(secs(10));
    net.set("192.0.2.1", Behaviour::Silent);
    while net.reach(D).last().is_none_or(|(_, r)| r.received > 0) {
        net.run_for(ms(10));
    }
    net.run_for(secs(3));
    net.set("192.0.2.1", Behaviour::Answer(ms(5)));
    net.run_for(secs(1));
    let (_, last) = net.reach(D).last().expect("the confirm");
    assert_eq!((last.kind, last.received), (RoundKind::Confirm, 1));
    assert!(last.sent < 15);
}

#[test]
fn twenty_percent_loss_for_ten_minutes_brings_nothing_down() {
    let devices = (1..=50)
        .map(|i| device(&format!("d{i}"), &format!("192.0.2.{i}")))
        .collect();
    let mut net = Net::new(site(devices));
    (1..=50).for_each(|i| net.set(&format!("192.0.2.{i}"), Behaviour::Lossy(20, ms(5))));
    net.run_for(secs(600));
    assert!((0..50).all(|i| down_at(&net, DeviceId(i)).is_none()));
    let (sent, got) = (0..50)
        .flat_map(|i| net.reach(DeviceId(i)))
        .fold((0, 0), |(s, g), (_, r)| (s + r.sent, g + r.received));
    let loss = 1.0 - f64::from(got) / f64::from(sent);
    assert!((0.17..0.23).contains(&loss), "measured {loss}");
}

#[test]
fn only_the_true_answer_is_believed() {
    type Forge = fn(&[u8]) -> (&'static str, Vec<u8>);
    let payload = |octets| Disbelief::Payload { octets, sent: 16 };
    let elsewhere = Disbelief::Source(([192, 0, 2, 99], 0).into());
    // What comes instead of the answer, from whom, how it is counted and what is told of it. Offsets are in the ICMP message.
    let cases: [(Forge, DropReason, Disbelief); 9] = [
        (|b| ("192.0.2.99", b.to_vec()), DropReason::WrongSource, elsewhere),
        (
            |b| ("192.0.2.1", net::flip(b, 4)),
            DropReason::ForeignEcho,
            Disbelief::Sequence,
        ),
        (
            |b| ("192.0.2.1", net::flip(b, 6)),
            DropReason::ForeignEcho,
            Disbelief::Sequence,
        ),
        (
            |b| ("192.0.2.1", net::flip(b, 23)),
            DropReason::ForeignEcho,
            payload(16),
        ),
        (
            |b| ("192.0.2.1", net::flip(b, 11)),
            DropReason::ForeignEcho,
            payload(16),
        ),
        (
            |b| ("192.0.2.1", b[..20].to_vec()),
            DropReason::ForeignEcho,
            payload(12),
        ),
        (|b| ("192.0.2.1", b[..16].to_vec()), DropReason::ForeignEcho, payload(8)),
        (
            |b| ("192.0.2.1", [b, &[0; 40]].concat()),
            DropReason::ForeignEcho,
            payload(56),
        ),
        (
            |b| ("192.0.2.1", [&b[..8], &[0; 16]].concat()),
            DropReason::ForeignEcho,
            payload(16),
        ),
    ];
    for (i, (forge, reason, why)) in cases.into_iter().enumerate() {
        let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
        net.set("192.0.2.1", Behaviour::Forged(forge));
        net.run_for(secs(40));
        assert!(down_at(&net, D).is_some(), "case {i} was believed");
        assert!(
            dropped(&net, reason) > 10,
            "case {i}: {:?}",
            net.poll.counters().dropped
        );
        let (_, round) = net.reach(D).last().expect("a round");
        assert_eq!(round.rejected.as_ref().map(|r| r.why.clone()), Some(why), "case {i}");
    }
}

#[test]
fn a_damaged_packet_is_malformed() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.icmp_in("192.0.2.1", vec![0x45, 0, 0]);
    assert_eq!(dropped(&net, DropReason::Malformed), 1);
}

#[test]
fn duplicates_and_late_answers_are_counted_and_change_nothing() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.set("192.0.2.1", Behaviour::Twice(ms(5)));
    net.run_for(secs(10));
    assert_eq!(net.reach(D).map(|(_, r)| r.received).collect::<Vec<_>>(), [3]);
    // The second copy of the last echo comes when the round is over.
    assert_eq!(
        (
            dropped(&net, DropReason::DuplicateEcho),
            dropped(&net, DropReason::LateEcho)
        ),
        (2, 1)
    );
    net.set("192.0.2.1", Behaviour::Answer(ms(2_100)));
    net.run_for(secs(25));
    assert!(
        down_at(&net, D).is_some(),
        "answers later than the timeout are no answers"
    );
    let late = |r: &hinomi::poll::ReachRound| r.rejected.as_ref().map(|r| r.why.clone());
    net.run_for(secs(25));
    let (_, last) = net.reach(D).last().expect("a round");
    assert_eq!(late(last), Some(Disbelief::Late { tenths: 21 }));
    assert!(dropped(&net, DropReason::LateEcho) > 10);
}

#[test]
fn an_error_about_the_target_is_evidence_and_no_answer() {
    for quote in [8, 64] {
        let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
        net.set("192.0.2.1", Behaviour::Unreachable("198.51.100.7", quote));
        net.run_for(secs(13));
        let (_, r) = net.reach(D).next().expect("a round");
        assert_eq!(
            (r.received, r.errors.as_slice()),
            (0, [("198.51.100.7".parse().unwrap(), 3, 1)].as_slice())
        );
    }
    // About somebody else's echo, or with a cookie that is not ours.
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.icmp_in("198.51.100.7", icmp_error("192.0.2.1", &[8, 0, 0, 0, 1, 2, 3, 4]));
    assert_eq!(dropped(&net, DropReason::ForeignEcho), 1);
}

#[test]
fn a_send_error_of_this_host_is_told_if_nothing_could_be_sent() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.set("192.0.2.1", Behaviour::CannotSend("Network is unreachable"));
    net.run_for(secs(25));
    for (_, r) in net.reach(D).take(2) {
        assert_eq!(
            (r.received, r.send_error.as_deref()),
            (0, Some("Network is unreachable"))
        );
    }
    assert_eq!(net.reach(D).nth(1).map(|(_, r)| r.kind), Some(RoundKind::Confirm));
}

#[test]
fn a_silent_device_gets_one_echo_a_round_and_nothing_else_until_it_answers() {
    let mut d = device("edge-a", "192.0.2.1");
    d.snmp = net::access();
    d.watches = [Watch {
        name: "bgp".into(),
        kind: WatchKind::Tcp { port: 179 },
    }]
    .into();
    let mut net = Net::new(site(vec![d]));
    net.set("192.0.2.1", Behaviour::Silent);
    net.run_for(secs(25));
    net.input(PollInput::Silent(D, true));
    net.run_for(secs(25));
    net.sent.clear();
    net.seen.clear();
    net.run_for(secs(50));
    assert_eq!(net.sent.len(), 5, "{:?}", net.sent);
    assert_eq!(net.reach(D).count(), 5);
    assert!(net.reach(D).all(|(_, r)| (r.kind, r.sent) == (RoundKind::Regular, 1)));
    assert_eq!(net.seen.len(), 5, "no SNMP, no TCP");
    net.set("192.0.2.1", Behaviour::Answer(ms(5)));
    net.seen.clear();
    net.run_for(secs(30));
    assert_eq!(
        net.reach(D).map(|(_, r)| r.received).collect::<Vec<_>>(),
        [1, 3, 3],
        "full rounds once it answers"
    );
    net.input(PollInput::Silent(D, false));
    net.seen.clear();
    net.run_for(secs(30));
    assert!(
        net.seen.iter().any(|(_, o)| matches!(o, Observation::Tcp(_))),
        "watches are back"
    );
}

#[test]
fn probe_now_starts_a_round_at_once_and_never_two() {
    let mut d = device("edge-a", "192.0.2.1");
    d.poll.interval = secs(3600);
    let mut net = Net::new(site(vec![d.clone(), Net::planned("later", "192.0.2.2")]));
    net.input(PollInput::ProbeNow(D));
    net.input(PollInput::ProbeNow(D));
    net.input(PollInput::ProbeNow(DeviceId(1)));
    net.input(PollInput::ProbeNow(DeviceId(77)));
    net.run_for(secs(2));
    assert_eq!(
        net.sent.len(),
        6,
        "the second asks for a round newer than the first answer"
    );
    net.input(PollInput::Silent(D, true));
    net.sent.clear();
    net.seen.clear();
    net.input(PollInput::ProbeNow(D));
    net.run_for(secs(1));
    assert_eq!((net.sent.len(), net.reach(D).count()), (1, 1));
}

#[test]
fn a_fresh_snmp_round_is_made_on_request_once_a_second_and_not_of_the_silent() {
    let mut d = device("edge-a", "192.0.2.1");
    (d.poll.interval, d.snmp) = (secs(3600), net::access());
    let mut net = Net::new(site(vec![d, device("no-snmp", "192.0.2.2")]));
    let rounds = |net: &Net| {
        let agent = |(_, o): &&(Mono, Observation)| matches!(o, Observation::Agent(r) if r.device == D);
        net.seen.iter().filter(agent).count()
    };
    net.input(PollInput::ProbeAgent(D));
    net.run_for(ms(500));
    assert_eq!(rounds(&net), 1, "at once");
    for _ in 0..1_000 {
        net.input(PollInput::ProbeAgent(D));
        net.run_for(ms(4));
    }
    net.run_for(secs(3));
    assert!(
        (4..=7).contains(&rounds(&net)),
        "{} rounds in four seconds",
        rounds(&net)
    );
    let before = rounds(&net);
    net.input(PollInput::ProbeAgent(DeviceId(1)));
    net.input(PollInput::ProbeAgent(DeviceId(77)));
    net.input(PollInput::Silent(D, true));
    net.input(PollInput::ProbeAgent(D));
    net.run_for(secs(3));
    assert_eq!(rounds(&net), before);
}

#[test]
fn a_thousand_requests_for_one_device_are_one_round_a_second() {
    let mut d = device("edge-a", "192.0.2.1");
    d.poll.interval = secs(3600);
    let mut net = Net::new(site(vec![d]));
    for _ in 0..1_000 {
        net.input(PollInput::ProbeNow(D));
        net.run_for(ms(5));
    }
    net.run_for(secs(2));
    assert_eq!(
        net.reach(D).count(),
        6,
        "five seconds of requests, the last still answered by a round of its own"
    );
    let last = net.reach(D).last().map(|(_, r)| r.started);
    net.input(PollInput::ProbeNow(D));
    net.run_for(ms(500));
    assert_ne!(
        net.reach(D).last().map(|(_, r)| r.started),
        last,
        "at once again after a rest"
    );
}

#[test]
fn planned_and_ended_devices_are_left_alone() {
    let mut ended = device("old", "192.0.2.3");
    ended.status = Status::Ended;
    let mut net = Net::new(site(vec![Net::planned("later", "192.0.2.2"), ended]));
    assert_eq!(net.poll.next_wakeup(), Mono::NEVER);
    net.run_for(secs(60));
    assert!(net.sent.is_empty());
}

#[test]
fn a_reload_keeps_phase_silence_and_the_round_in_flight() {
    let (a, b) = (device("edge-a", "192.0.2.1"), device("edge-b", "192.0.2.2"));
    let mut net = Net::new(site(vec![a.clone(), b.clone()]));
    net.set("192.0.2.2", Behaviour::Answer(secs(1)));
    net.run_for(secs(40));
    let starts = |net: &Net, id| net.reach(id).map(|(_, r)| r.started).collect::<Vec<Mono>>();
    let phase = starts(&net, DeviceId(1))[0];
    net.input(PollInput::Silent(DeviceId(0), true));
    while net.sent.last().is_none_or(|(_, to)| to.ip().to_string() != "192.0.2.2") {
        net.run_for(ms(10));
    }
    net.seen.clear();
    // edge-a is second now, edge-b first, and a third one is new.
    net.reload(site(vec![b.clone(), a.clone(), device("edge-c", "192.0.2.3")]));
    net.run_for(secs(5));
    let (_, first) = net.reach(DeviceId(0)).next().expect("the round in flight ends");
    assert_eq!((first.sent, first.received), (3, 3));
    net.run_for(secs(60));
    for at in starts(&net, DeviceId(0)) {
        assert_eq!(
            at.since(phase).as_micros() % secs(10).as_micros(),
            0,
            "the phase is kept"
        );
    }
    assert_eq!(starts(&net, DeviceId(0)).len(), 7, "no round lost, none twice");
    assert!(
        net.reach(DeviceId(1)).next().is_some_and(|(_, r)| r.sent == 1),
        "still silent"
    );
    assert!(net.reach(DeviceId(2)).count() >= 6);
    // A new address begins afresh, a removed device is not heard of again.
    let mut moved = a;
    moved.address = "192.0.2.9".parse().unwrap();
    net.reload(site(vec![moved]));
    net.seen.clear();
    net.run_for(secs(10));
    assert!(
        net.seen
            .iter()
            .all(|(_, o)| matches!(o, Observation::Reach(r) if r.device == D))
    );
    assert!(
        net.reach(D).all(|(_, r)| r.sent == 3),
        "silence belonged to the old address"
    );
}

#[test]
fn a_hundred_reloads_lose_no_round() {
    let devices: Vec<_> = (1..=20)
        .map(|i| device(&format!("d{i}"), &format!("192.0.2.{i}")))
        .collect();
    let mut net = Net::new(site(devices.clone()));
    for i in 0..100 {
        net.run_for(ms(997));
        let mut order = devices.clone();
        order.rotate_left(i % 20);
        net.reload(site(order));
    }
    net.reload(site(devices));
    net.run_for(secs(101) - ms(99_700));
    let total: u64 = net.poll.counters().rounds.values().sum();
    assert!(
        (200..=220).contains(&total),
        "{total} rounds in 101 s of 20 devices at 10 s"
    );
    assert_eq!(net.poll.counters().rounds.keys().collect::<Vec<_>>(), [&("echo", "ok")]);
}

#[test]
fn after_a_stall_nothing_is_lost_and_nothing_is_caught_up() {
    let devices: Vec<_> = (1..=100)
        .map(|i| device(&format!("d{i}"), &format!("192.0.2.{i}")))
        .collect();
    let mut net = Net::new(site(devices));
    (1..=100).for_each(|i| net.set(&format!("192.0.2.{i}"), Behaviour::Answer(ms(1_500))));
    net.run_for(secs(20));
    net.seen.clear();
    net.sent.clear();
    // Stopped for a minute in the middle of rounds; the answers wait in the socket's buffer.
    net.stall(secs(60));
    assert!(net.sent.len() < 50, "{} sent at once", net.sent.len());
    net.run_for(secs(9));
    assert!(
        (0..100)
            .flat_map(|i| net.reach(DeviceId(i)))
            .all(|(_, r)| r.received > 0),
        "nobody is accused"
    );
    let c = net.poll.counters();
    assert!((500..=600).contains(&c.skipped), "{}", c.skipped);
    assert!(c.stalled >= secs(59) && c.stalled <= secs(60), "{:?}", c.stalled);
    assert!(
        c.lateness.last().is_some_and(|(_, n)| *n <= 300),
        "skipped rounds are not counted as late"
    );
}

#[test]
fn ipv6_is_polled_like_ipv4() {
    let mut net = Net::new(site(vec![device("edge-a", "2001:db8::1")]));
    net.run_for(secs(10));
    assert_eq!(
        net.reach(D).map(|(_, r)| (r.sent, r.received)).collect::<Vec<_>>(),
        [(3, 3)]
    );
    net.set("2001:db8::1", Behaviour::Silent);
    net.run_for(secs(25));
    assert!(down_at(&net, D).is_some());
}

#[test]
fn tcp_liveness_retries_at_once_then_confirms() {
    let mut d = device("edge-a", "192.0.2.1");
    d.liveness = Liveness::Tcp(22);
    let promised = d.poll.detection();
    let mut net = Net::new(site(vec![d]));
    net.run_for(secs(20));
    assert!(net.reach(D).all(|(_, r)| (r.sent, r.received) == (1, 1)) && net.reach(D).count() == 2);
    let cut = net.now;
    net.set("192.0.2.1", Behaviour::Silent);
    net.seen.clear();
    net.run_for(promised + secs(1));
    let rounds: Vec<&ReachRound> = net.reach(D).map(|(_, r)| r).collect();
    assert_eq!(
        (rounds[0].kind, rounds[0].sent, rounds[0].received),
        (RoundKind::Regular, 2, 0)
    );
    assert_eq!((rounds[1].kind, rounds[1].received), (RoundKind::Confirm, 0));
    assert!((3..=5).contains(&rounds[1].sent), "{}", rounds[1].sent);
    assert!(down_at(&net, D).is_some_and(|at| at.since(cut) <= promised));
    // Refused at once is no answer either; attempts keep their distance.
    net.set("192.0.2.1", Behaviour::Refused);
    net.sent.clear();
    net.run_for(secs(10));
    assert!(
        net.connects.windows(3).all(|w| w[2].since(w[0]) >= ms(500)),
        "{:?}",
        net.connects
    );
    net.set("192.0.2.1", Behaviour::Answer(ms(5)));
    net.seen.clear();
    net.run_for(secs(20));
    assert!(
        net.reach(D)
            .last()
            .is_some_and(|(_, r)| r.kind == RoundKind::Regular && r.rtts == [ms(5)])
    );
}

#[test]
fn snmp_liveness_goes_the_same_way() {
    let mut d = device("edge-a", "192.0.2.1");
    (d.liveness, d.snmp) = (Liveness::Snmp, net::access());
    let promised = d.poll.detection();
    let mut net = Net::new(site(vec![d]));
    net.run_for(secs(60));
    assert!(net.reach(D).all(|(_, r)| (r.sent, r.received) == (1, 1)) && net.reach(D).count() == 6);
    assert!(
        net.seen
            .iter()
            .filter(|(_, o)| matches!(o, Observation::Agent(a) if a.outcome.is_ok()))
            .count()
            == 6
    );
    let cut = net.now;
    net.set("192.0.2.1", Behaviour::Silent);
    net.run_for(promised + secs(1));
    assert!(down_at(&net, D).is_some_and(|at| at.since(cut) <= promised));
}

#[test]
fn a_tcp_watch_is_told_each_interval() {
    let mut d = device("edge-a", "192.0.2.1");
    d.watches = [Watch {
        name: "bgp".into(),
        kind: WatchKind::Tcp { port: 179 },
    }]
    .into();
    let mut net = Net::new(site(vec![d]));
    net.run_for(secs(20));
    net.set("192.0.2.1", Behaviour::Refused);
    net.run_for(secs(20));
    let readings: Vec<_> = net
        .seen
        .iter()
        .filter_map(|(_, o)| if let Observation::Tcp(t) = o { Some(t) } else { None })
        .collect();
    assert_eq!(readings.len(), 4);
    assert_eq!((&*readings[0].watch, &readings[0].result), ("bgp", &Ok(ms(5))));
    assert_eq!(readings[3].result, Err("Connection refused".to_owned()));
}

fn page(name: &str, address: &str, interval: Duration) -> Watch {
    let to = Endpoint {
        host: address.to_owned(),
        port: 443,
        address: None,
    };
    Watch {
        name: name.into(),
        kind: WatchKind::Service(Arc::new(Service {
            ask: Ask::Tls { to, trust: Trust::Any },
            interval,
            timeout: secs(2),
            number: None,
            within: None,
            failed: Default::default(),
        })),
    }
}

/// Seconds after the first at which a service was to be asked.
fn asked(net: &Net, watch: &str) -> Vec<u64> {
    let of = net.asks.iter().filter(|(_, job)| *job.watch == *watch);
    let times: Vec<Mono> = of.map(|(at, _)| *at).collect();
    times.iter().map(|at| at.since(times[0]).as_secs()).collect()
}

/// The shell answers the last question about a service.
fn answer(net: &mut Net, watch: &str, result: Result<Answer, Failure>) {
    let of = net.asks.iter().rev().find(|(_, job)| *job.watch == *watch);
    let token = of.map(|(_, job)| job.token).expect("it was asked");
    let took = ms(20);
    net.input(PollInput::Asked { token, took, result });
}

fn readings<'n>(net: &'n Net, watch: &str) -> Vec<&'n ServiceReading> {
    let all = net.seen.iter();
    all.filter_map(|(_, o)| match o {
        Observation::Service(reading) if *reading.watch == *watch => Some(&**reading),
        _ => None,
    })
    .collect()
}

fn refused() -> Result<Answer, Failure> {
    Err(Failure::NoAnswer("Connection refused".to_owned()))
}

#[test]
fn a_service_has_an_interval_of_its_own_and_the_shell_forgetting_it_says_nothing_of_it() {
    let mut d = device("edge-a", "192.0.2.1");
    d.watches = [page("slow", "192.0.2.1", secs(40)), page("quick", "192.0.2.1", secs(5))].into();
    let mut net = Net::new(site(vec![d]));
    net.run_for(secs(100));
    let slow = readings(&net, "slow");
    assert!((2..=3).contains(&slow.len()), "{slow:?}");
    assert!(
        slow.iter().all(|r| matches!(r.result, Err(Failure::NotKnown(_)))),
        "{slow:?}"
    );
    // 2 s of timeout and 5 s of guard: every other round of 5 s finds the last one running.
    assert!((9..=11).contains(&readings(&net, "quick").len()));
    assert!(net.poll.counters().overrun > 0);
}

#[test]
fn a_service_that_fails_is_asked_again_soon_and_only_when_the_rules_want_it() {
    let mut d = device("edge-a", "192.0.2.1");
    d.watches = [page("certificate", "192.0.2.1", secs(600))].into();
    let mut net = Net::new(site(vec![d]));
    while net.asks.is_empty() {
        net.run_for(secs(1));
    }
    answer(&mut net, "certificate", refused());
    for _ in 0..3 {
        net.input(PollInput::AskAgain(D, "certificate".into()));
    }
    net.input(PollInput::AskAgain(D, "no such watch".into()));
    net.run_for(secs(100));
    assert_eq!(asked(&net, "certificate").len(), 2, "once, whoever wants it how often");
    assert!((14..=16).contains(&asked(&net, "certificate")[1]));
    assert_eq!(readings(&net, "certificate")[0].took, ms(20));
}

#[test]
fn silence_of_a_device_stops_what_lives_on_it_and_nothing_else() {
    let mut d = device("edge-a", "192.0.2.1");
    d.watches = [
        page("here", "192.0.2.1", secs(10)),
        page("there", "192.0.2.9", secs(10)),
        page("named", "example.net", secs(10)),
    ]
    .into();
    let mut net = Net::new(site(vec![d]));
    net.input(PollInput::Silent(D, true));
    net.run_for(secs(15));
    let all: BTreeSet<&str> = net.asks.iter().map(|(_, job)| &*job.watch).collect();
    assert_eq!(all, BTreeSet::from(["there", "named"]));
    net.input(PollInput::Silent(D, false));
    net.run_for(secs(15));
    assert!(net.asks.iter().any(|(_, job)| &*job.watch == "here"));
}

#[test]
fn an_answer_to_a_service_that_a_reload_changed_is_dropped() {
    let mut d = device("edge-a", "192.0.2.1");
    d.watches = [page("certificate", "192.0.2.1", secs(10))].into();
    let mut net = Net::new(site(vec![d.clone()]));
    net.run_for(secs(11));
    d.watches = [page("certificate", "192.0.2.1", secs(20))].into();
    while net.asks.len() < 2 {
        net.run_for(ms(100));
    }
    let (now, told) = (net.clock(), readings(&net, "certificate").len());
    net.poll.reload(site(vec![d]), now);
    answer(&mut net, "certificate", refused());
    assert_eq!(readings(&net, "certificate").len(), told);
    let before = net.asks.len();
    net.run_for(secs(21));
    assert!(net.asks.len() > before, "it is asked anew");
}

#[test]
fn a_shell_that_forgets_a_connection_stops_nothing() {
    let mut d = device("edge-a", "192.0.2.1");
    d.liveness = Liveness::Tcp(22);
    let mut net = Net::new(site(vec![d]));
    net.set("192.0.2.1", Behaviour::Forgotten);
    net.run_for(secs(40));
    assert!(net.reach(D).count() >= 2);
    net.set("192.0.2.1", Behaviour::Answer(ms(5)));
    net.run_for(secs(40));
    assert!(net.reach(D).last().is_some_and(|(_, r)| r.received == 1));
}

#[test]
fn rounds_are_spread_and_start_on_time() {
    let devices: Vec<_> = (0..1_000)
        .map(|i| device(&format!("N-{i:07}"), &format!("10.0.{}.{}", i / 250, 1 + i % 250)))
        .collect();
    let mut net = Net::new(site(devices));
    net.run_for(secs(10));
    net.sent.clear();
    net.run_for(secs(10));
    let mut per_tick = std::collections::BTreeMap::new();
    net.sent
        .iter()
        .for_each(|(at, _)| *per_tick.entry(at.0 / 10_000).or_insert(0u32) += 1);
    assert_eq!(net.sent.len(), 3_000);
    assert!(
        per_tick.values().all(|n| *n <= 16),
        "mean is 3, at most {:?}",
        per_tick.values().max()
    );
    let c = net.poll.counters();
    assert_eq!((c.lateness[0].1, c.lateness[8].1), (2_000, 2_000), "all within 10 ms");
}

#[test]
fn a_burst_is_paced_and_nothing_is_lost() {
    let devices: Vec<_> = (0..1_000)
        .map(|i| device(&format!("N-{i:07}"), &format!("10.0.{}.{}", i / 250, 1 + i % 250)))
        .collect();
    let mut net = Net::new(site(devices));
    (0..1_000).for_each(|i| net.input(PollInput::ProbeNow(DeviceId(i))));
    net.run_for(secs(2));
    let mut per_tick = std::collections::BTreeMap::new();
    net.sent
        .iter()
        .for_each(|(at, _)| *per_tick.entry(at.0 / 10_000).or_insert(0u32) += 1);
    // Ticks that were slept through are made up for, as far as the smallest receive buffer allows.
    assert!(per_tick.values().all(|n| *n <= 192), "{:?}", per_tick.values().max());
    assert!((0..1_000).all(|i| net.reach(DeviceId(i)).any(|(_, r)| r.received == 3)));
    assert!(net.poll.counters().paced > 0);
}

#[test]
fn when_thousands_fall_silent_confirms_take_turns_and_what_matters_goes_first() {
    const MANY: u32 = 4_000;
    let (parent, other) = (DeviceId(MANY), DeviceId(MANY + 1));
    let address = |i: u32| format!("10.0.{}.{}", i / 250, 1 + i % 250);
    let mut devices: Vec<_> = (0..MANY).map(|i| device(&format!("N-{i:07}"), &address(i))).collect();
    for d in &mut devices {
        (d.owner, d.poll.echoes, d.parents) = (Owner::Institution, 1, vec![parent]);
    }
    devices.push(device("agg-1", "192.0.2.1"));
    devices.push(device("edge-a", "192.0.2.2"));
    let promised = devices[MANY as usize].poll.detection();
    let mut net = Net::new(site(devices));
    net.run_for(secs(20));
    (0..MANY).for_each(|i| net.set(&address(i), Behaviour::Silent));
    net.set("192.0.2.1", Behaviour::Silent);
    let cut = net.now;
    let mut down = std::collections::BTreeMap::new();
    for _ in 0..40 {
        net.run_for(secs(2));
        for (at, o) in std::mem::take(&mut net.seen) {
            match o {
                Observation::Reach(r) if r.device == other => assert_eq!(r.received, 3, "the rest is undisturbed"),
                Observation::Reach(r) if r.kind == RoundKind::Confirm => {
                    down.insert(r.device, at);
                    net.input(PollInput::Silent(r.device, true));
                }
                _ => {}
            }
        }
    }
    assert!(
        down[&parent].since(cut) <= promised,
        "what others depend on is found in its time"
    );
    assert_eq!(down.len(), MANY as usize + 1, "all of them in the end");
    assert!(net.poll.counters().postponed > 0);
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let devices = (1..=9)
            .map(|i| device(&format!("d{i}"), &format!("192.0.2.{i}")))
            .collect();
        let mut net = Net::new(site(devices));
        (1..=9).for_each(|i| net.set(&format!("192.0.2.{i}"), Behaviour::Lossy(60, ms(5))));
        net.run_for(secs(100));
        (net.seen, net.sent)
    };
    assert_eq!(run(), run());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn arbitrary_datagrams_never_panic_and_are_never_an_answer(
        packets in prop::collection::vec((prop::bool::ANY, prop::bool::ANY, prop::collection::vec(any::<u8>(), 0..64)), 1..40),
    ) {
        let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1"), device("edge-b", "2001:db8::1")]));
        net.set("192.0.2.1", Behaviour::Silent);
        net.set("2001:db8::1", Behaviour::Silent);
        for (v6, framed, bytes) in packets {
            net.run_for(ms(300));
            let from = if v6 { "2001:db8::1" } else { "192.0.2.1" };
            // Half of them carry a valid header and checksum, so that the inside is reached.
            net.icmp_in(from, if framed { packet(from, bytes) } else { bytes });
        }
        net.run_for(secs(25));
        prop_assert!(net.seen.iter().all(|(_, o)| matches!(o, Observation::Reach(r) if r.received == 0)));
        prop_assert!(down_at(&net, D).is_some());
    }
}

/// One thing that happens to a network under watch.
#[derive(Clone, Debug)]
enum Happening {
    Behave(u8, u8),
    Silent(u8, bool),
    Probe(u8),
    Reload(u8, u8),
    Stall(u16),
    Run(u16),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0..8u8, 0..6u8).prop_map(|(d, b)| Happening::Behave(d, b)),
        (0..8u8, any::<bool>()).prop_map(|(d, s)| Happening::Silent(d, s)),
        (0..8u8).prop_map(Happening::Probe),
        (any::<u8>(), any::<u8>()).prop_map(|(turn, change)| Happening::Reload(turn, change)),
        (0..20_000u16).prop_map(Happening::Stall),
        (0..5_000u16).prop_map(Happening::Run),
        (0..5_000u16).prop_map(Happening::Run),
    ]
}

/// Eight devices, the last two by TCP and SNMP; a turned order, and by the bits of `change` another address or out of service.
fn changing_site(turn: u8, change: u8) -> std::sync::Arc<hinomi::model::Site> {
    let mut devices: Vec<_> = (0..8u8)
        .map(|i| device(&format!("d{i}"), &format!("192.0.2.{i}")))
        .collect();
    devices[6].liveness = Liveness::Tcp(22);
    (devices[7].liveness, devices[7].snmp) = (Liveness::Snmp, net::access());
    devices[5].snmp = net::access();
    for (i, d) in devices.iter_mut().enumerate().filter(|(i, _)| change & 1 << i != 0) {
        match turn % 3 {
            0 => d.address = format!("192.0.2.{}", 100 + i).parse().unwrap(),
            1 => d.status = Status::Planned,
            _ => d.poll.interval = secs(5),
        }
    }
    devices.rotate_left(usize::from(turn % 8));
    site(devices)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_a_good_network_is_seen_as_good_afterwards(story in prop::collection::vec(happening(), 1..60)) {
        let behaviours = [
            Behaviour::Silent,
            Behaviour::Lossy(50, ms(5)),
            Behaviour::Twice(ms(1_900)),
            Behaviour::CannotSend("No buffer space available"),
            Behaviour::Refused,
            Behaviour::Forgotten,
        ];
        let mut net = Net::new(changing_site(0, 0));
        for step in story {
            match step {
                Happening::Behave(d, b) => net.set(&format!("192.0.2.{d}"), behaviours[usize::from(b)].clone()),
                Happening::Silent(d, s) => net.input(PollInput::Silent(DeviceId(d.into()), s)),
                Happening::Probe(d) => net.input(PollInput::ProbeNow(DeviceId(d.into()))),
                Happening::Reload(turn, change) => net.reload(changing_site(turn, change)),
                Happening::Stall(t) => net.stall(ms(t.into())),
                Happening::Run(t) => net.run_for(ms(t.into())),
            }
        }
        net.reload(changing_site(0, 0));
        for d in 0..8u8 {
            net.set(&format!("192.0.2.{d}"), Behaviour::Answer(ms(5)));
            net.input(PollInput::Silent(DeviceId(d.into()), false));
        }
        // What is still in flight has to end: at the latest when a forgotten GET is given up.
        net.run_for(secs(90));
        net.seen.clear();
        net.run_for(secs(30));
        for d in 0..8 {
            let rounds: Vec<_> = net.reach(DeviceId(d)).map(|(_, r)| (r.kind, r.sent == r.received)).collect();
            prop_assert_eq!(rounds, [(RoundKind::Regular, true); 3], "device {}", d);
        }
        let agents = |d| net.seen.iter().filter(move |(_, o)| matches!(o, Observation::Agent(a) if a.device == DeviceId(d))).count();
        prop_assert_eq!((agents(5), agents(7)), (3, 3));
    }
}

#[test]
fn effects_name_the_raw_socket_and_port_zero() {
    let mut net = Net::new(site(vec![device("edge-a", "192.0.2.1")]));
    net.poll.take(PollInput::ProbeNow(D), net.clock());
    let effects = net.poll.effects();
    let [PollEffect::Send { channel, to, bytes }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (*channel, to.to_string().as_str(), bytes[0]),
        (Channel::Icmp, "192.0.2.1:0", 8)
    );
}
