//! Who is told, and what is due by time alone.

use super::world::{MIN, Relay, World, above, answers, below, cpu, down, no_answer, platform_fault, s, site};
use hinomi::incident::EventBody;
use hinomi::model::{Circuit, CircuitRole, FindingKind, Level, Match, Measure, Owner, Power, Verdict};

#[test]
fn the_first_procedure_that_matches_is_followed() {
    let table: [(Match, &str, bool); 10] = [
        (Match::default(), "edge-a", true),
        (
            Match {
                owner: Some(Owner::Own),
                ..Match::default()
            },
            "edge-a",
            true,
        ),
        (
            Match {
                owner: Some(Owner::Platform),
                ..Match::default()
            },
            "edge-a",
            false,
        ),
        (
            Match {
                kind: Some(FindingKind::DeviceDown),
                ..Match::default()
            },
            "edge-a",
            true,
        ),
        (
            Match {
                kind: Some(FindingKind::Threshold),
                ..Match::default()
            },
            "edge-a",
            false,
        ),
        (
            Match {
                device: Some("agg".into()),
                ..Match::default()
            },
            "edge-a",
            false,
        ),
        (
            Match {
                site: Some("tokyo".into()),
                ..Match::default()
            },
            "edge-a",
            true,
        ),
        (
            Match {
                group: Some("core".into()),
                ..Match::default()
            },
            "edge-a",
            false,
        ),
        (
            Match {
                verdict: Some(Verdict::Platform),
                ..Match::default()
            },
            "edge-a",
            false,
        ),
        (
            Match {
                affected_at_least: Some(2),
                ..Match::default()
            },
            "edge-a",
            false,
        ),
    ];
    for (matches, device, expected) in table {
        let mut site = site();
        site.procedures[0].matches = matches.clone();
        site.procedures.truncate(1);
        let mut w = World::of(site);
        w.take(&w.change(&down(device), Level::Critical, no_answer()));
        w.pass(s(5));
        assert_eq!(!w.arrived.is_empty(), expected, "{matches:?}");
        let nobody = w.recorded(|b| matches!(b, EventBody::NobodyTold { .. }));
        assert_eq!(nobody == 1, !expected, "an event says so");
    }
}

#[test]
fn escalation_waits_for_its_time_and_for_nobody_who_acknowledged() {
    for acknowledged in [false, true] {
        let mut w = World::new();
        w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
        w.pass(s(14 * MIN));
        assert_eq!(w.subjects("boss@noc.example").len(), 0);
        if acknowledged {
            w.acknowledge(1, "tanaka").unwrap();
        }
        w.pass(s(2 * MIN));
        assert_eq!(w.subjects("boss@noc.example").len(), usize::from(!acknowledged));
        w.pass(s(60 * MIN));
        assert_eq!(w.subjects("boss@noc.example").len(), usize::from(!acknowledged), "once");
        w.take(&w.change(&down("edge-a"), Level::Ok, answers()));
        w.pass(s(5));
        assert_eq!(
            w.subjects("boss@noc.example").len(),
            2 * usize::from(!acknowledged),
            "told before"
        );
    }
}

#[test]
fn escalation_counts_from_when_its_procedure_began_to_apply_and_over_a_restart() {
    let mut w = World::new();
    let key = cpu("edge-a");
    w.take(&w.change(&key, Level::Warning, above(75.0, 70.0)));
    w.pass(s(60 * MIN));
    w.take(&w.change(&key, Level::Critical, above(95.0, 90.0)));
    w.pass(s(10 * MIN));
    assert_eq!(w.subjects("boss@noc.example").len(), 0);
    w.restart();
    w.pass(s(4 * MIN));
    assert_eq!(w.subjects("boss@noc.example").len(), 0);
    w.pass(s(2 * MIN));
    assert_eq!(w.subjects("boss@noc.example").len(), 1);
    w.restart();
    w.pass(s(30 * MIN));
    assert_eq!(w.subjects("boss@noc.example").len(), 1);
}

#[test]
fn reminders_come_until_somebody_acknowledges() {
    let mut site = site();
    site.procedures[1].remind = Some(s(60 * MIN));
    let mut w = World::of(site);
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(2 * 60 * MIN + 10));
    assert_eq!(
        w.times("noc@noc.example"),
        [(0, "office"), (3600, "office"), (7200, "office")]
    );
    w.acknowledge(1, "tanaka").unwrap();
    w.pass(s(7 * 60 * MIN));
    assert_eq!(w.times("noc@noc.example").len(), 3);
    w.pass(s(61 * MIN));
    assert_eq!(w.times("noc@noc.example").len(), 4, "the acknowledgement is over");
    w.take(&w.change(&cpu("edge-a"), Level::Ok, below(50.0, 63.0)));
    w.pass(s(24 * 60 * MIN));
    assert_eq!(w.times("noc@noc.example").len(), 5);
}

#[test]
fn a_critical_call_without_acknowledgement_goes_out_once_more_another_way_and_to_addresses_for_that_case() {
    let mut w = World::new();
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(60 * MIN));
    assert_eq!(w.times("noc@noc.example"), [(0, "office"), (900, "lte")]);
    assert_eq!(
        w.times("oncall@mobile.example"),
        [(900, "lte")],
        "only while nobody answers"
    );
    assert_eq!(
        w.times("manager@noc.example"),
        [(0, "office"), (900, "lte")],
        "it has no other address"
    );
    let body = &w
        .arrived
        .iter()
        .find(|a| a.mail.to == "oncall@mobile.example")
        .unwrap()
        .mail
        .body;
    assert!(body.contains("【再送】"), "{body}");
}

#[test]
fn the_repeat_counts_from_acceptance_and_an_acknowledgement_stops_it() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(10 * MIN));
    w.relay("lte", Relay::Works);
    w.pass(s(14 * MIN));
    assert_eq!(w.times("manager@noc.example").len(), 1);
    w.acknowledge(1, "tanaka").unwrap();
    w.pass(s(60 * MIN));
    assert_eq!(w.times("manager@noc.example").len(), 1);
}

#[test]
fn warnings_are_not_repeated() {
    let mut w = World::new();
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(60 * MIN));
    assert_eq!(w.arrived.len(), 1);
}

#[test]
fn another_verdict_is_told_another_piece_of_evidence_is_not() {
    let mut w = World::new();
    let mut change = w.change(&down("platform-pe-1"), Level::Critical, no_answer());
    let mut isolation = platform_fault(w.now.wall);
    isolation.verdict = Verdict::PlatformOrDemarcation;
    change.isolation = Some(isolation);
    w.take(&change);
    w.pass(s(30));
    let mut isolation = platform_fault(w.now.wall);
    isolation.verdict = Verdict::PlatformOrDemarcation;
    isolation.evidence.pop();
    change.isolation = Some(isolation);
    w.take(&change);
    w.pass(s(30));
    assert_eq!(w.subjects("manager@noc.example").len(), 1);
    change.isolation = Some(platform_fault(w.now.wall));
    w.take(&change);
    w.pass(s(30));
    assert_eq!(w.subjects("manager@noc.example").len(), 2);
    let last = w.arrived.iter().rfind(|a| a.mail.to == "manager@noc.example").unwrap();
    assert!(last.mail.body.contains("Verdict: interconnection platform\n"));
    assert_eq!(
        w.subjects("manager@noc.example")[0],
        w.subjects("manager@noc.example")[1],
        "phones thread by subject"
    );
}

#[test]
fn the_contact_of_a_circuit_is_told_of_its_own_circuit_only() {
    let mut site = site();
    let mut clinic = site.contacts[2].clone();
    (clinic.name, clinic.mail[0].mail) = ("clinic-1-office".into(), "office@clinic.example".to_owned());
    site.contacts.push(clinic);
    site.devices[3].circuit = Some(Box::new(circuit("clinic-1-office")));
    site.procedures[0].tell.push("circuit.contact".into());
    site.procedures[0].escalate[0].tell = vec!["circuit.contact".into()];
    site.procedures[1].tell = vec!["circuit.contact".into()];
    let mut w = World::of(site);
    // Another clinic has no contact: only those named are told, and nobody where none is named.
    w.take(&w.change(&down("clinic-2"), Level::Critical, no_answer()));
    w.pass(s(20 * MIN));
    assert_eq!(w.subjects("office@clinic.example").len(), 0);
    assert!(!w.subjects("manager@noc.example").is_empty());
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(MIN));
    assert_eq!(w.subjects("office@clinic.example").len(), 0);
    // Its own: when it falls silent, after 15 minutes, and when it is back.
    w.take(&w.change(&down("clinic-1"), Level::Critical, no_answer()));
    w.pass(s(MIN));
    assert_eq!(w.subjects("office@clinic.example").len(), 1);
    w.pass(s(15 * MIN));
    assert!(w.subjects("office@clinic.example").len() >= 2, "escalated");
    let so_far = w.subjects("office@clinic.example").len();
    w.take(&w.change(&down("clinic-1"), Level::Ok, answers()));
    w.pass(s(MIN));
    assert_eq!(w.subjects("office@clinic.example").len(), so_far + 1);
}

fn circuit(contact: &str) -> Circuit {
    Circuit {
        institution_id: "1312345".into(),
        institution: "Example Clinic".into(),
        carrier: None,
        role: CircuitRole::Main,
        measure: Measure::Nothing,
        down_bps: None,
        up_bps: None,
        power: Power::Always,
        hours: Default::default(),
        contact: Some(contact.into()),
        tells_utilization: false,
    }
}

#[test]
fn what_is_over_before_it_is_told_is_told_to_those_whom_it_was_for() {
    let mut w = World::new();
    let (bad, good) = (
        w.change(&down("edge-a"), Level::Critical, no_answer()),
        w.change(&down("edge-a"), Level::Ok, answers()),
    );
    w.book.take(&bad, w.now);
    w.take(&good);
    w.pass(s(60));
    let told = |contact: &str| w.subjects(contact).iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    for contact in ["noc@noc.example", "manager@noc.example"] {
        assert!(!told(contact).is_empty(), "{contact}");
    }
    let notices = w.recorded(|b| {
        matches!(
            b,
            EventBody::Noticed {
                notice: hinomi::incident::NoticeKind::Opened,
                level: Level::Critical,
                ..
            }
        )
    });
    assert_eq!(notices, 2, "both contacts of the critical procedure");
}

fn refused(contact: &str) -> hinomi::model::FindingKey {
    hinomi::model::FindingKey {
        device: None,
        part: hinomi::model::Part::Contact(contact.into()),
        kind: FindingKind::ContactRefused,
        metric: None,
    }
}

#[test]
fn whom_no_relay_takes_is_told_of_to_others() {
    let cause = || hinomi::rules::Cause::ContactRefused {
        error: "550 no such user".to_owned(),
    };
    let mut w = World::new();
    w.take(&w.change(&refused("noc"), Level::Critical, cause()));
    w.pass(s(5));
    assert_eq!(
        w.subjects("noc@noc.example").len() + w.subjects("oncall@mobile.example").len(),
        0
    );
    assert_eq!(
        w.subjects("manager@noc.example"),
        ["[CRITICAL] #1 hinomi no mail reaches noc"]
    );
    // Where the procedure names nobody else, the operator's other people hear of it.
    let mut alone = site();
    alone.procedures.truncate(1);
    alone.procedures[0].tell = vec!["noc".into()];
    alone.procedures[0].escalate.clear();
    let mut w = World::of(alone);
    w.take(&w.change(&refused("noc"), Level::Critical, cause()));
    w.pass(s(5));
    assert_eq!(
        w.subjects("noc@noc.example").len() + w.subjects("oncall@mobile.example").len(),
        0
    );
    assert_eq!(
        (
            w.subjects("manager@noc.example").len(),
            w.subjects("boss@noc.example").len()
        ),
        (1, 1)
    );
}

/// The first spell was told, and its end; the second was planned work's: its end is nobody's news.
#[test]
fn the_end_of_what_planned_work_kept_quiet_is_told_to_nobody() {
    let mut w = World::new();
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(MIN));
    w.take(&w.change(&cpu("edge-a"), Level::Ok, below(60.0, 65.0)));
    w.pass(s(5 * MIN));
    let told = w.subjects("noc@noc.example").len();
    assert_eq!(told, 2);
    let window = hinomi::model::Window {
        name: "upgrade".into(),
        what: vec!["edge-a".into()],
        by: hinomi::model::maintenance::By::Own,
        start: w.now.wall,
        end: w.now.wall.after(s(30 * MIN)),
        set_by: "noc".to_owned(),
        note: None,
    };
    w.book.record(None, EventBody::MaintenanceSet { window }, w.now);
    w.pump();
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(MIN));
    assert_eq!(
        w.recorded(|b| matches!(b, EventBody::Reopened { .. })),
        1,
        "it is the same incident"
    );
    w.take(&w.change(&cpu("edge-a"), Level::Ok, below(60.0, 65.0)));
    w.pass(s(20 * MIN));
    assert_eq!(w.subjects("noc@noc.example").len(), told);
}
