//! The mails of ten situations, in both languages, for each party: `docs/mails.md` shows them as they are.
//!
//! `HINOMI_BLESS=1` rewrites the page; the difference is what gets reviewed.

use super::world::{MIN, Relay, World, above, answers, below, cpu, key, no_answer, platform_fault, s, site};
use hinomi::model::{
    Address, Circuit, CircuitRole, Contact, Device, Escalation, Evidence, FindingKey, FindingKind, Isolation, Language,
    Level, Match, Measure, Metric, Owner, Part, Party, Power, Procedure, Site, Verdict, When,
};
use hinomi::rules::{Absence, Cause, Missing, Moved};
use std::fmt::Write;
use std::path::Path;

/// Every party that a contact of the page belongs to, and its mailbox.
const READERS: [(Party, &str, &str); 6] = [
    (Party::Own, "noc", "noc@noc.example"),
    (Party::Institution, "clinic-office", "office@clinic.example"),
    (Party::Platform, "platform-desk", "desk@platform.example"),
    (Party::Operator, "operator-b", "oncall@operator-b.example"),
    (Party::Carrier, "carrier-desk", "desk@carrier.example"),
    (Party::Vendor, "maker-support", "support@maker.example"),
];

pub(super) fn circuit_of(
    device: &mut Device,
    id: &str,
    institution: (&str, &str),
    carrier: &str,
    contact: Option<&str>,
) {
    device.name = id.into();
    device.owner = Owner::Institution;
    device.circuit = Some(Box::new(Circuit {
        institution_id: institution.0.into(),
        institution: institution.1.into(),
        carrier: Some(carrier.into()),
        role: CircuitRole::Main,
        measure: Measure::Nothing,
        down_bps: Some(100_000_000),
        up_bps: Some(100_000_000),
        power: Power::Always,
        hours: Default::default(),
        contact: contact.map(Into::into),
        tells_utilization: true,
    }));
}

pub(super) fn contact_of(party: Party, name: &str, mail: &str) -> Contact {
    Contact {
        name: name.into(),
        party,
        role: (party == Party::Platform).then(|| "operations desk".to_owned()),
        mail: vec![Address {
            mail: mail.to_owned(),
            crosses: Vec::new(),
            when: When::Always,
        }],
        phone: Some(format!("+81-3-5555-000{}", party as u8)),
        language: None,
        carrier: (party == Party::Carrier).then(|| "access-carrier-1".into()),
    }
}

/// The small world's site, with three circuits of two institutions behind `agg`, and a contact of every party, all of them told.
fn page_site(language: Language) -> Site {
    let mut site = site();
    site.operator.language = language;
    site.operator.phone = Some("+81-3-0000-0000".to_owned());
    let clinic = ("1312345", "Hinomi Clinic");
    circuit_of(
        &mut site.devices[3],
        "N-0004242",
        clinic,
        "access-carrier-1",
        Some("clinic-office"),
    );
    circuit_of(
        &mut site.devices[4],
        "N-0004243",
        clinic,
        "access-carrier-1",
        Some("clinic-office"),
    );
    circuit_of(
        &mut site.devices[5],
        "N-0005001",
        ("1319999", "Minato Pharmacy"),
        "access-carrier-1",
        None,
    );
    site.contacts = READERS
        .iter()
        .map(|(party, name, mail)| contact_of(*party, name, mail))
        .collect();
    site.procedures = vec![Procedure {
        name: "everybody".into(),
        matches: Match::default(),
        tell: READERS.iter().map(|(_, name, _)| (*name).into()).collect(),
        escalate: vec![Escalation {
            after: s(2 * MIN),
            tell: vec!["noc".into()],
        }],
        remind: Some(s(4 * 60 * MIN)),
    }];
    site
}

fn device_key(device: &str, kind: FindingKind) -> FindingKey {
    key(Some(device), Part::Device, kind)
}

fn judged(w: &World, root: &FindingKey, verdict: Verdict, evidence: Vec<Evidence>) -> hinomi::rules::FindingChange {
    let mut change = w.change(root, Level::Critical, no_answer());
    change.isolation = Some(Isolation { verdict, evidence });
    change
}

/// Open for five minutes, acknowledged after one, and over.
fn open_and_over(w: &mut World, change: &hinomi::rules::FindingChange, good: Cause) {
    w.take(change);
    w.pass(s(MIN));
    w.acknowledge(1, "sato").unwrap();
    w.pass(s(4 * MIN));
    w.take(&w.change(&change.key, Level::Ok, good));
    w.pass(s(5));
}

fn line_down(w: &mut World) {
    let root = device_key("N-0004242", FindingKind::CircuitSilent);
    let mut change = judged(w, &root, Verdict::AccessCarrier, Vec::new());
    change.cause = Cause::LineDown;
    open_and_over(w, &change, answers());
}

fn router_off(w: &mut World) {
    let root = device_key("N-0004242", FindingKind::CircuitSilent);
    let up = Evidence::InterfaceOper {
        device: "agg".into(),
        interface: "ge-0/0/17".into(),
        up: true,
    };
    let change = judged(w, &root, Verdict::InstitutionSide, vec![up]);
    open_and_over(w, &change, answers());
}

fn platform_down(w: &mut World) {
    let root = device_key("platform-pe-1", FindingKind::PlatformDown);
    let mut change = w.change(&root, Level::Critical, no_answer());
    change.isolation = Some(platform_fault(w.now.wall));
    open_and_over(w, &change, answers());
}

fn aggregation_down(w: &mut World) {
    let root = device_key("agg", FindingKind::DeviceDown);
    let silent = Evidence::DeviceSilent {
        device: "agg".into(),
        since: w.now.wall.before(s(10)),
    };
    let change = judged(w, &root, Verdict::OwnNetwork, vec![silent]);
    let circuits = ["N-0004242", "N-0004243", "N-0005001"];
    circuits.iter().for_each(|c| w.behind(&root, c, true));
    w.take(&change);
    w.pass(s(MIN));
    w.acknowledge(1, "sato").unwrap();
    w.pass(s(4 * MIN));
    // One is silent by itself when its way is back.
    circuits.iter().for_each(|c| w.behind(&root, c, false));
    w.take(&w.change(
        &device_key("N-0004243", FindingKind::CircuitSilent),
        Level::Warning,
        no_answer(),
    ));
    w.take(&w.change(&root, Level::Ok, answers()));
    w.pass(s(5));
    w.arrived.retain(|a| a.mail.subject.contains("#1 "));
}

fn cpu_high(w: &mut World) {
    let root = cpu("edge-a");
    w.take(&w.change(&root, Level::Warning, above(75.3, 70.0)));
    w.pass(s(MIN));
    w.acknowledge(1, "sato").unwrap();
    w.pass(s(2 * MIN));
    w.take(&w.change(&root, Level::Ok, below(62.0, 65.0)));
    w.pass(s(5));
}

fn circuit_full(w: &mut World) {
    let root = FindingKey {
        metric: Some(Metric::UtilizationDown),
        ..device_key("N-0004242", FindingKind::Threshold)
    };
    w.take(&w.change(&root, Level::Critical, above(93.1, 90.0)));
    w.pass(s(MIN));
}

fn switchover(w: &mut World) {
    let root = FindingKey::of_redundancy(&"edge gateway".into(), FindingKind::SwitchedOver);
    let moved = vec![Moved {
        group: "edge gateway".into(),
        instances: vec!["".into()],
        from: "edge-a".into(),
        to: "edge-b".into(),
        at: w.now.wall,
        by: vec!["edge-b".into()],
        counted: false,
        back: false,
    }];
    w.take(&w.change(&root, Level::Warning, Cause::SwitchedOver { moved, because: None }));
    let lost = FindingKey::of_redundancy(&"edge gateway".into(), FindingKind::RedundancyLost);
    let missing = vec![Missing {
        member: "edge-a".into(),
        why: Absence::DeviceDown,
    }];
    let cause = Cause::RedundancyLost {
        ready: 1,
        configured: 2,
        instances: Vec::new(),
        missing,
    };
    w.take(&w.change(&lost, Level::Warning, cause));
    w.pass(s(MIN));
}

fn cut_off(w: &mut World) {
    host_cut_off(w, Some("Network is unreachable"));
}

/// The monitoring host sees nothing for 95 s.
pub(super) fn host_cut_off(w: &mut World, send_error: Option<&str>) {
    w.down(&[], true);
    let root = key(None, Part::Host, FindingKind::Blind);
    let cause = Cause::CutOff {
        uplinks: 2,
        send_error: send_error.map(str::to_owned),
    };
    let mut change = w.change(&root, Level::Critical, cause);
    change.isolation = Some(Isolation {
        verdict: Verdict::Blind,
        evidence: vec![Evidence::UplinksSilent {
            uplinks: 2,
            own_gateway: true,
        }],
    });
    w.take(&change);
    w.pass(s(90));
    w.down(&[], false);
    w.take(&w.change(&root, Level::Ok, Cause::Connected { blind_seconds: 95.0 }));
    w.pass(s(5));
}

fn nobody_answers(w: &mut World) {
    w.take(&w.change(
        &device_key("edge-a", FindingKind::DeviceDown),
        Level::Critical,
        no_answer(),
    ));
    w.pass(s(4 * 60 * MIN + MIN));
}

fn mail_was_down(w: &mut World) {
    fault_while_mail_is_down(w, &device_key("N-0004242", FindingKind::CircuitSilent));
}

/// It begins and ends while no relay takes mail.
pub(super) fn fault_while_mail_is_down(w: &mut World, root: &FindingKey) {
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    w.take(&w.change(root, Level::Critical, no_answer()));
    w.pass(s(10 * MIN));
    w.take(&w.change(root, Level::Ok, answers()));
    w.pass(s(5 * MIN));
    w.relay("lte", Relay::Works);
    w.pass(s(2 * MIN));
}

type Story = fn(&mut World);

pub(super) const SITUATIONS: [(&str, &str, Story); 10] = [
    (
        "The line of an access circuit is down, and comes back",
        "The port on the operator's side is down: the access carrier is asked.",
        line_down,
    ),
    (
        "The router of an institution is silent, its line is up",
        "Power, router or LAN of the institution.",
        router_off,
    ),
    (
        "A router of the interconnection platform is silent",
        "Past the demarcation point, with a second piece of evidence.",
        platform_down,
    ),
    (
        "An aggregation switch of the operator is down, with three circuits behind it",
        "When it is back, one circuit is silent by itself.",
        aggregation_down,
    ),
    (
        "A load is over its threshold",
        "CPU of an own router, warning.",
        cpu_high,
    ),
    (
        "An access circuit is full",
        "The contracted rate is used up, critical.",
        circuit_full,
    ),
    (
        "A switchover, and one member less",
        "Two routers that stand in for each other.",
        switchover,
    ),
    ("The monitoring host is cut off", "It accuses nobody.", cut_off),
    (
        "Nobody acknowledges",
        "Escalation after two minutes, the mail again after fifteen, a reminder after four hours.",
        nobody_answers,
    ),
    (
        "Mail was down, and a fault began and ended meanwhile",
        "Told afterwards, in one mail.",
        mail_was_down,
    ),
];

pub(super) fn told(language: Language, story: Story) -> World {
    let mut w = World::of(page_site(language));
    story(&mut w);
    w
}

/// Told when it began; what came after that waited for a relay.
fn mail_failed_later(w: &mut World) {
    let circuit = device_key("N-0004242", FindingKind::CircuitSilent);
    w.take(&w.change(&circuit, Level::Warning, no_answer()));
    w.pass(s(MIN));
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    w.take(&w.change(&circuit, Level::Critical, no_answer()));
    w.pass(s(10 * MIN));
    w.take(&w.change(&circuit, Level::Ok, answers()));
    w.pass(s(5 * MIN));
    w.relay("lte", Relay::Works);
    w.pass(s(2 * MIN));
}

#[test]
fn a_late_recovery_says_that_nobody_was_told_only_where_nobody_was() {
    for (language, words) in [
        (Language::English, "We could not tell you when it began."),
        (Language::Japanese, "発生時にお知らせできず"),
    ] {
        for (story, is_said) in [(mail_was_down as Story, true), (mail_failed_later, false)] {
            let w = told(language, story);
            let clinic = w
                .arrived
                .iter()
                .rfind(|a| a.mail.to == "office@clinic.example")
                .unwrap();
            assert_eq!(clinic.mail.body.contains(words), is_said, "{}", clinic.mail.body);
        }
    }
}

fn page() -> String {
    let mut out = String::from(
        "# Mails\n\nWhat each party is told in ten situations, in both languages, as hinomi sends it. A test writes this page and \
         compares it with what hinomi sends.\nAll contacts are told of everything here; who is told at a site is up to its procedures \
         (`hinomi contacts` says it).\nAn address that is not the operator's own gets a text without names of the operator's devices, people or \
         of other parties.\n",
    );
    for (number, (title, words, story)) in (1..).zip(SITUATIONS) {
        let _ = write!(out, "\n## {number}. {title}\n\n{words}\n");
        let (english, japanese) = (told(Language::English, story), told(Language::Japanese, story));
        for (party, _, mailbox) in READERS {
            for (w, language) in [(&english, "English"), (&japanese, "日本語")] {
                let _ = write!(out, "\n### {number}. {}, {language}\n", party.key());
                for arrived in w.arrived.iter().filter(|a| a.mail.to == mailbox) {
                    let _ = write!(
                        out,
                        "\n```text\nSubject: {}\n\n{}```\n",
                        arrived.mail.subject, arrived.mail.body
                    );
                }
            }
        }
    }
    out
}

#[test]
fn the_page_of_mails_shows_what_is_sent() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mails.md");
    let now = page();
    if std::env::var_os("HINOMI_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        now == written,
        "docs/mails.md is not what is sent: run with HINOMI_BLESS=1, then read every line of the difference"
    );
}

#[test]
fn every_mail_says_what_to_do_next_and_outside_whom_to_call() {
    for (title, _, story) in SITUATIONS {
        for (language, step, please, call) in [
            (
                Language::English,
                "Next step: ",
                "What you have to do: ",
                "Call us: +81-3-0000-0000",
            ),
            (
                Language::Japanese,
                "次の手順: ",
                "でのご対応: ",
                "お問い合わせ: +81-3-0000-0000",
            ),
        ] {
            let w = told(language, story);
            assert!(!w.arrived.is_empty(), "{title}");
            for arrived in &w.arrived {
                let body = &arrived.mail.body;
                match arrived.mail.to == "noc@noc.example" {
                    true => assert!(body.contains(step), "{title}: {body}"),
                    false => assert!(body.contains(please) && body.contains(call), "{title}: {body}"),
                }
            }
        }
    }
}

#[test]
fn the_subject_of_a_party_keeps_its_words_but_for_tag_and_end() {
    for (title, _, story) in SITUATIONS {
        for language in [Language::English, Language::Japanese] {
            let w = told(language, story);
            for (_, _, mailbox) in READERS {
                let strip = |subject: &str| {
                    let rest = subject.split_once("] ").map_or("", |(_, rest)| rest);
                    let marks = [" (", "（"];
                    let end = marks.iter().filter_map(|m| rest.rfind(m)).max().unwrap_or(rest.len());
                    (
                        rest[..end].to_owned(),
                        rest.split(' ').next().unwrap_or_default().to_owned(),
                    )
                };
                let all: Vec<(String, String)> = w.subjects(mailbox).into_iter().map(strip).collect();
                for (words, incident) in &all {
                    let other = all.iter().find(|(w, i)| i == incident && w != words);
                    assert_eq!(other, None, "{title}: {words}");
                }
            }
        }
    }
}
