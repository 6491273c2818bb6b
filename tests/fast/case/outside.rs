//! A party outside is told nothing of ours and nothing of another party: random sites, incidents and contacts.

use super::letters::{circuit_of, contact_of};
use super::world::{MIN, World, above, answers, no_answer, s, site};
use hinomi::model::{
    ComponentName, Device, Evidence, FindingKey, FindingKind, Isolation, Language, Level, Match, Metric, Name, Part,
    Party, Procedure, Site, Verdict,
};
use hinomi::poll::AgentFailure;
use hinomi::rules::{Absence, Cause, Fault, Missing, Moved};
use proptest::prelude::*;

const OUTSIDE: [Party; 6] = [
    Party::Platform,
    Party::Operator,
    Party::Carrier,
    Party::Institution,
    Party::Vendor,
    Party::Regulator,
];

/// Names that stand in no sentence by chance.
fn mark(word: &str, n: usize) -> String {
    format!("{word}Qz{n}x")
}

/// A site whose every name is a mark: `circuits` of four institutions and two carriers, a contact of each of them, and of all parties.
fn marked_site(circuits: usize, language: Language) -> Site {
    let mut site = site();
    site.operator.language = language;
    site.operator.name = "Example Medical Network K.K.".to_owned();
    site.operator.phone = Some("+81-3-0000-0000".to_owned());
    for (n, device) in site.devices.iter_mut().enumerate() {
        device.name = mark("Dev", n).into();
        device.site = Some(mark("Site", n).into());
        device.address = format!("10.77.{n}.9").parse().unwrap();
    }
    for n in 0..circuits {
        let (institution, carrier) = (n % 4, n % 2);
        let ids = (mark("Iid", institution), mark("Inst", institution));
        let contact = mark("Cinst", institution);
        let device: &mut Device = &mut site.devices[3 + n];
        let address = device.address;
        circuit_of(
            device,
            &mark("Circ", n),
            (&ids.0, &ids.1),
            &mark("Carr", carrier),
            Some(&contact),
        );
        device.address = address;
    }
    let mut contacts = vec![contact_of(Party::Own, &mark("Cown", 0), "cown0@own.example")];
    for n in 0..4 {
        contacts.push(contact_of(
            Party::Institution,
            &mark("Cinst", n),
            &format!("cinst{n}@inst.example"),
        ));
    }
    for n in 0..2 {
        let mut desk = contact_of(Party::Carrier, &mark("Ccarr", n), &format!("ccarr{n}@carr.example"));
        desk.carrier = Some(mark("Carr", n).into());
        contacts.push(desk);
    }
    for party in OUTSIDE {
        let n = party as usize;
        contacts.push(contact_of(
            party,
            &mark("Cother", n),
            &format!("cother{n}@other.example"),
        ));
    }
    for (n, contact) in contacts.iter_mut().enumerate() {
        contact.phone = Some(format!("+99-{n:04}-7777"));
        contact.role = Some(mark("Role", n));
    }
    site.procedures = vec![Procedure {
        name: mark("Proc", 0).into(),
        matches: Match::default(),
        tell: contacts.iter().map(|c| c.name.clone()).collect(),
        escalate: Vec::new(),
        remind: Some(s(60 * MIN)),
    }];
    site.contacts = contacts;
    site
}

/// Every text that a contact must not see: all names, addresses and numbers that are not its own.
fn forbidden(site: &Site, who: &hinomi::model::Contact) -> Vec<String> {
    let mut all: Vec<String> = vec![
        "hinomi".into(),
        "PortQz".into(),
        "WatchQz".into(),
        "GroupQz".into(),
        "ErrorQz".into(),
        mark("Proc", 0),
        mark("Window", 0),
    ];
    let theirs = |d: &Device| {
        d.circuit.as_ref().is_some_and(|c| match who.party {
            Party::Institution => c.contact.as_ref() == Some(&who.name),
            Party::Carrier => c.carrier.as_ref() == who.carrier.as_ref(),
            _ => false,
        })
    };
    for device in &site.devices {
        all.push(device.address.to_string());
        all.extend(device.site.as_ref().map(ToString::to_string));
        if !theirs(device) {
            all.push(device.name.to_string());
        }
        if let Some(circuit) = &device.circuit {
            all.extend(circuit.carrier.as_ref().map(ToString::to_string));
            all.push(circuit.institution_id.to_string());
            if !(who.party == Party::Institution && theirs(device)) {
                all.push(circuit.institution.to_string());
            }
        }
    }
    for contact in &site.contacts {
        all.push(contact.name.to_string());
        all.extend(contact.mail.iter().map(|a| a.mail.clone()));
        all.extend(contact.phone.clone());
        all.extend(contact.role.clone());
    }
    for route in &site.routes {
        all.push(format!(" {} ", route.name));
    }
    all.sort();
    all.dedup();
    all
}

fn part(which: usize, device: usize) -> Part {
    match which % 7 {
        0 | 1 => Part::Device,
        2 => Part::Interface(mark("Port", device).into()),
        3 => Part::Watch(mark("Watch", device).into()),
        4 => Part::Component(ComponentName {
            id: mark("Port", device).into(),
            label: mark("Port", device).into(),
        }),
        5 => Part::Redundancy(mark("Group", device).into()),
        _ => Part::Host,
    }
}

fn root(site: &Site, device: usize, which: usize, kind: FindingKind, metric: Option<Metric>) -> FindingKey {
    let device = &site.devices[device % site.devices.len()];
    let part = part(which, device.address.to_string().len());
    let of_none = matches!(part, Part::Redundancy(_) | Part::Host);
    FindingKey {
        device: (!of_none).then(|| device.name.clone()),
        part,
        kind,
        metric,
    }
}

/// Causes that carry every name they can.
fn cause(which: usize, w: &World, root: &FindingKey) -> Cause {
    let device: Name = root.device.clone().unwrap_or_else(|| mark("Dev", 1).into());
    let error = mark("Error", 1);
    match which % 12 {
        0 | 1 => no_answer(),
        2 => above(93.0, 90.0),
        3 => Cause::AgentSilent {
            failure: AgentFailure::WrongKey,
        },
        4 => Cause::ChildrenAnswer { child: device },
        5 => Cause::CutOff {
            uplinks: 2,
            send_error: Some(error),
        },
        6 => Cause::WatchFailed {
            fault: Fault::Plugin { text: error },
        },
        7 => Cause::RouteFailed { error },
        8 => Cause::SwitchedOver {
            moved: vec![Moved {
                group: mark("Group", 1).into(),
                instances: vec![mark("Port", 3).into()],
                from: mark("Dev", 1).into(),
                to: mark("Dev", 2).into(),
                at: w.now.wall,
                by: vec![mark("Dev", 2).into()],
                counted: false,
                back: false,
            }],
            because: Some(root.clone()),
        },
        9 => Cause::RedundancyLost {
            ready: 1,
            configured: 2,
            instances: vec![mark("Port", 4).into()],
            missing: vec![Missing {
                member: mark("Dev", 1).into(),
                why: Absence::DeviceDown,
            }],
        },
        10 => Cause::Above {
            value: 1.0,
            bound: 2.0,
            unit: "%".to_owned(),
            which: Some(mark("Port", 5).into()),
        },
        _ => Cause::NameNotFound {
            circuit: Some(mark("Circ", 1).into()),
            ports: hinomi::poll::Ports {
                first: vec![mark("Port", 6).into()],
                count: 9,
            },
        },
    }
}

#[derive(Clone, Debug)]
struct Incident {
    device: usize,
    part: usize,
    kind: usize,
    metric: usize,
    cause: usize,
    verdict: usize,
    level: usize,
    behind: Vec<usize>,
    minutes: u64,
    end: usize,
}

fn incidents() -> impl Strategy<Value = Incident> {
    let what = (
        0usize..33,
        0usize..7,
        0usize..23,
        0usize..9,
        0usize..12,
        0usize..9,
        0usize..2,
    );
    let course = (proptest::collection::vec(3usize..33, 0..12), 0u64..90, 0usize..4);
    (what, course).prop_map(
        |((device, part, kind, metric, cause, verdict, level), (behind, minutes, end))| Incident {
            device,
            part,
            kind,
            metric,
            cause,
            verdict,
            level,
            behind,
            minutes,
            end,
        },
    )
}

const METRICS: [Option<Metric>; 9] = [
    None,
    Some(Metric::Cpu),
    Some(Metric::UtilizationIn),
    Some(Metric::UtilizationDown),
    Some(Metric::Temperature),
    Some(Metric::Rtt),
    Some(Metric::Watch),
    Some(Metric::BatteryRuntime),
    Some(Metric::Sessions),
];

fn evidence(w: &World) -> Vec<Evidence> {
    vec![
        Evidence::DeviceSilent {
            device: mark("Dev", 1).into(),
            since: w.now.wall,
        },
        Evidence::InterfaceOper {
            device: mark("Dev", 0).into(),
            interface: mark("Port", 1).into(),
            up: true,
        },
        Evidence::IcmpUnreachable {
            from: "10.77.1.9".parse().unwrap(),
        },
        Evidence::SendFailed {
            error: mark("Error", 2),
        },
    ]
}

fn play(site: Site, incidents: &[Incident]) -> World {
    let mut w = World::of(site);
    for i in incidents {
        let site = w.site.clone();
        let root = root(&site, i.device, i.part, FindingKind::ALL[i.kind], METRICS[i.metric]);
        let name = |n: &usize| site.devices[n % site.devices.len()].name.clone();
        for n in &i.behind {
            w.behind(&root, &name(n), true);
        }
        let level = [Level::Warning, Level::Critical][i.level];
        let mut change = w.change(&root, level, cause(i.cause, &w, &root));
        if let Some(verdict) = Verdict::ALL.get(i.verdict) {
            change.isolation = Some(Isolation {
                verdict: *verdict,
                evidence: evidence(&w),
            });
        }
        w.take(&change);
        w.pass(s(i.minutes * MIN + 5));
        for n in i.behind.iter().skip(i.end) {
            w.behind(&root, &name(n), false);
        }
        let good = match i.end {
            0 => continue,
            1 => Cause::Removed,
            _ => answers(),
        };
        w.take(&w.change(&root, Level::Ok, good));
        w.pass(s(MIN));
    }
    w
}

/// What a mail must not hold and does.
fn leaks(w: &World) -> Vec<String> {
    let mut leaks = Vec::new();
    for contact in w.site.contacts.iter().filter(|c| c.party.is_outside()) {
        let forbidden = forbidden(&w.site, contact);
        let of = w.arrived.iter().filter(|a| a.mail.to == contact.mail[0].mail);
        for mail in of.map(|a| &a.mail) {
            let text = format!("{}\n{}", mail.subject, mail.body);
            let held = forbidden.iter().filter(|word| text.contains(word.as_str()));
            leaks.extend(held.map(|word| format!("{} ({}) sees {word}:\n{text}", contact.name, contact.party.key())));
        }
    }
    leaks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn no_mail_to_a_party_outside_holds_anything_of_others(
        circuits in 0usize..24,
        japanese in any::<bool>(),
        incidents in proptest::collection::vec(incidents(), 1..4),
    ) {
        let language = if japanese { Language::Japanese } else { Language::English };
        let w = play(marked_site(circuits, language), &incidents);
        let outside = w.arrived.iter().filter(|a| !a.mail.to.ends_with("@own.example")).count();
        prop_assert!(outside > 0, "nobody outside was told: the test looks at nothing");
        let leaks = leaks(&w);
        prop_assert!(leaks.is_empty(), "{}", leaks.join("\n\n"));
    }
}

/// The check itself can fail: our own mail, sent to a party outside, is full of such words.
#[test]
fn the_own_text_would_be_seen_as_a_leak() {
    let mut site = marked_site(8, Language::English);
    // The institution is taken for one of ours.
    let at = site.contacts.iter().position(|c| &*c.name == "CinstQz0x").unwrap();
    site.contacts[at].party = Party::Own;
    let incident = Incident {
        device: 3,
        part: 0,
        kind: 2,
        metric: 0,
        cause: 0,
        verdict: 0,
        level: 1,
        behind: Vec::new(),
        minutes: 0,
        end: 2,
    };
    let mut w = play(site, &[incident]);
    let mut site = (*w.site).clone();
    site.contacts[at].party = Party::Institution;
    w.site = std::sync::Arc::new(site);
    let leaks = leaks(&w);
    for word in ["hinomi", "10.77.3.9", "CownQz0x"] {
        assert!(
            leaks.iter().any(|l| l.contains(&format!("sees {word}"))),
            "{word} was not seen: {leaks:?}"
        );
    }
}

/// Only those whose fault it is are asked for anything: not the carrier of other circuits, not another institution.
#[test]
fn only_whose_fault_it_is_by_the_verdict_is_asked_to_act() {
    let asks = |w: &World, to: &str| {
        let mail = &w.arrived.iter().find(|a| a.mail.to == to).unwrap().mail.body;
        !mail.contains("What you have to do: nothing")
    };
    for (verdict, asked, not) in [
        (
            Verdict::AccessCarrier,
            vec!["ccarr0@carr.example"],
            vec!["ccarr1@carr.example", "cinst0@inst.example", "cother1@other.example"],
        ),
        (
            Verdict::InstitutionSide,
            vec!["cinst0@inst.example"],
            vec!["cinst1@inst.example", "ccarr0@carr.example", "cother1@other.example"],
        ),
    ] {
        let mut w = World::of(marked_site(8, Language::English));
        let site = w.site.clone();
        let root = root(&site, 3, 0, FindingKind::CircuitSilent, None);
        let mut change = w.change(&root, Level::Critical, no_answer());
        change.isolation = Some(Isolation {
            verdict,
            evidence: Vec::new(),
        });
        w.take(&change);
        w.pass(s(5));
        for to in asked {
            assert!(asks(&w, to), "{verdict:?}: {to} is not asked");
        }
        for to in not {
            assert!(!asks(&w, to), "{verdict:?}: {to} is asked");
        }
    }
}
