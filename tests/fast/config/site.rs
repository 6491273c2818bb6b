//! What a right file means: the values of the site.

use super::{Dummies, SECRET, check, printed, site};
use hinomi::config;
use hinomi::model::snmp::{AuthProtocol, Credentials, PrivacyProtocol};
use hinomi::model::{
    Bind, Crossing, Device, FindingKind, Level, Liveness, Owner, Party, Role, Site, ThresholdKind, Tls, Verdict,
    WatchKind,
};
use std::path::Path;
use std::time::Duration;

fn example(name: &str) -> Site {
    let loaded = config::load_with(Path::new(&format!("examples/{name}.toml")), &Dummies);
    loaded.site.unwrap_or_else(|| panic!("{name} has errors"))
}

fn device<'s>(site: &'s Site, name: &str) -> &'s Device {
    site.device(site.find(name).unwrap_or_else(|| panic!("no {name}")))
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn groups_and_defaults_are_folded_in() {
    let site = example("full");
    let edge = device(&site, "edge-a");
    assert_eq!(
        (edge.poll.interval, edge.poll.confirm.over, edge.poll.timeout),
        (s(10), s(10), s(2))
    );
    assert_eq!(edge.poll.detection(), s(22));
    assert_eq!(*edge.tags, ["core"]);
    assert_eq!(
        (edge.owner, edge.liveness, edge.profile.as_deref()),
        (Owner::Own, Liveness::Echo, None)
    );
    assert_eq!(
        edge.snmp.as_ref().map(|a| (a.name.as_str(), a.port)),
        Some(("core", 161))
    );
    let names: Vec<&str> = edge.interfaces.iter().map(|i| &*i.pattern).collect();
    assert_eq!(names, ["xe-0/0/*", "ae1", "lte0"]);
    assert_eq!(
        (edge.interfaces[1].rate_bps, edge.interfaces[1].expect_up),
        (Some(200_000_000), true)
    );
    assert!(edge.interfaces[2].backup);
    assert_eq!(device(&site, "agg-3").poll.interval, s(60));
    let parents: Vec<&str> = device(&site, "agg-3")
        .parents
        .iter()
        .map(|p| &*site.device(*p).name)
        .collect();
    assert_eq!(parents, ["edge-a", "edge-b"]);
}

#[test]
fn the_demarcation_device_is_the_first_parent() {
    let site = example("full");
    let platform = device(&site, "platform-pe-1");
    let link = platform.demarcation.as_ref().unwrap();
    assert_eq!(
        (&*site.device(link.device).name, &*link.interface),
        ("edge-a", "xe-0/0/0")
    );
    assert_eq!(platform.parents, [link.device]);
}

#[test]
fn uplinks_are_devices_of_that_address_or_made() {
    let site = example("full");
    let uplinks: Vec<&Device> = site.uplinks.iter().map(|u| site.device(*u)).collect();
    assert_eq!(
        (&*uplinks[0].name, uplinks[0].role),
        ("uplink 192.0.2.1", Role::UplinkOnly)
    );
    assert_eq!(
        (
            uplinks[0].poll.interval,
            uplinks[0].poll.confirm.over,
            uplinks[0].poll.confirm.echoes
        ),
        (s(5), s(10), 15)
    );
    assert_eq!((&*uplinks[1].name, uplinks[1].role), ("edge-a", Role::Managed));
}

#[test]
fn an_uplink_is_asked_as_often_as_the_quickest_device() {
    let site = site(
        "daemon.uplinks = [\"192.0.2.1\", \"192.0.2.2\"]\n[poll]\ninterval = \"1s\"\ntimeout = \"1s\"\nconfirm = { echoes = 15, over = \"2s\" }\n
         [[device]]\nname = \"a\"\naddress = \"192.0.2.3\"\n".replace("daemon.uplinks", "language = \"en\"\n[daemon]\nuplinks").as_str(),
    );
    let uplink = device(&site, "uplink 192.0.2.1");
    assert_eq!((uplink.poll.interval, uplink.poll.confirm.over), (s(1), s(2)));
}

#[test]
fn thresholds_have_their_default_clears_and_times() {
    let site = example("full");
    let edge = device(&site, "edge-a");
    let bounds = |kind, level| {
        let bound = edge.thresholds[&kind].bound(level).unwrap();
        (bound.raise(), bound.clear())
    };
    assert_eq!(bounds(ThresholdKind::Cpu, Level::Warning), (70.0, 65.0));
    assert_eq!(bounds(ThresholdKind::Cpu, Level::Critical), (90.0, 85.0));
    assert_eq!(bounds(ThresholdKind::Utilization, Level::Warning), (70.0, 60.0));
    assert_eq!(bounds(ThresholdKind::Load5, Level::Critical), (8.0, 7.2));
    let cpu = &edge.thresholds[&ThresholdKind::Cpu];
    assert_eq!((cpu.hold, cpu.clear_hold), (s(180), s(180)));
    assert_eq!(edge.thresholds[&ThresholdKind::Temperature].hold, Duration::ZERO);
    // The device's own line replaces the whole line.
    let own = &device(&site, "edge-b").thresholds[&ThresholdKind::Cpu];
    assert_eq!((own.bound(Level::Warning).unwrap().raise(), own.hold), (60.0, s(300)));
}

#[test]
fn the_stronger_section_wins_line_by_line() {
    let site = site(
        "[thresholds]\ncpu = { warning = \"10 %\" }\nmemory = { warning = \"10 %\" }\nerrors = { warning = \"10 %\" }\nload5 = { warning = 1 }\n
         [class.gold]\nthresholds.cpu = { warning = \"20 %\" }\nthresholds.memory = { warning = \"20 %\" }\nthresholds.errors = { warning = \"20 %\" }\n
         [group.g]\nclass = \"gold\"\nsnmp = \"s\"\nthresholds.cpu = { warning = \"30 %\" }\nthresholds.memory = { warning = \"30 %\" }\n
         [snmp.s]\nversion = \"2c\"\ncommunity = { env = \"S\" }\n
         [[device]]\nname = \"a\"\naddress = \"192.0.2.3\"\ngroup = \"g\"\nthresholds = { cpu = { warning = \"40 %\" }, load5 = \"off\" }\n",
    );
    let a = device(&site, "a");
    let raise = |kind| {
        a.thresholds
            .get(&kind)
            .map(|t| t.bound(Level::Warning).unwrap().raise())
    };
    assert_eq!(raise(ThresholdKind::Cpu), Some(40.0));
    assert_eq!(raise(ThresholdKind::Memory), Some(30.0));
    assert_eq!(raise(ThresholdKind::Errors), Some(20.0));
    assert_eq!(raise(ThresholdKind::Load5), None);
    assert_eq!(a.class.as_deref(), Some("gold"));
}

#[test]
fn thresholds_that_nothing_is_read_for_do_not_reach_a_device() {
    let text = "[thresholds]\ncpu = { warning = \"10 %\" }\nrtt = { warning = \"10ms\" }\n[[device]]\nname = \"a\"\naddress = \"192.0.2.3\"\n";
    let kinds: Vec<ThresholdKind> = device(&site(text), "a").thresholds.keys().copied().collect();
    assert_eq!(kinds, [ThresholdKind::Rtt]);
}

#[test]
fn loss_and_rtt_reach_others_only_where_written_for_them() {
    let site = example("ipv6-v3");
    let rtt = |name| {
        device(&site, name).thresholds[&ThresholdKind::Rtt]
            .bound(Level::Warning)
            .unwrap()
            .raise()
    };
    assert_eq!((rtt("edge"), rtt("platform-pe")), (0.05, 0.02));
    let other = "[thresholds]\nloss = { warning = \"5 %\" }\n[[device]]\nname = \"p\"\nowner = \"platform\"\naddress = \"192.0.2.3\"\n";
    assert!(device(&self::site(other), "p").thresholds.is_empty());
}

#[test]
fn findings_are_folded_part_by_part() {
    let site = site(
        "[findings]\ninterface-down = { after = \"90s\" }\nblind = { level = \"warning\" }\ndevice-down = { level = \"critical\", after = \"0s\" }\n
         [[device]]\nname = \"a\"\naddress = \"192.0.2.3\"\nfindings.interface-down = { level = \"critical\" }\n",
    );
    let a = device(&site, "a");
    let rule = a.rule(FindingKind::InterfaceDown);
    assert_eq!((rule.level, rule.after), (Level::Critical, s(90)));
    assert_eq!(site.rule(FindingKind::Blind).level, Level::Warning);
    // What equals the default is not kept.
    assert_eq!(a.findings.keys().collect::<Vec<_>>(), [&FindingKind::InterfaceDown]);
    assert_eq!(site.findings.len(), 1);
}

#[test]
fn a_switchover_ends_when_the_group_says_or_all_findings_say() {
    let device =
        |name: &str, last: u8| format!("[[device]]\nname = \"{name}\"\naddress = \"192.0.2.{last}\"\nsnmp = \"v2c\"\n");
    let group = |name: &str, own: &str| {
        format!(
            "[[redundancy]]\nname = \"{name}\"\nkind = \"vrrp\"\nmembers = [\"edge-a\", \"edge-b\"]\nfindings = {{ {own} }}\n"
        )
    };
    let back = |all: &str, own: &str| {
        let snmp = "[snmp.v2c]\nversion = \"2c\"\ncommunity = { env = \"X\" }\n";
        let devices = device("edge-a", 1) + &device("edge-b", 2);
        let groups = group("one", "") + &group("two", own);
        let site = site(&format!("[findings]\n{all}\n{snmp}{devices}{groups}"));
        let of = |name: &str| site.redundancy.iter().find(|g| *g.name == *name).unwrap().switched_back;
        (of("one"), of("two"))
    };
    assert_eq!(back("", ""), (s(300), s(300)));
    assert_eq!(back("switched-back = { after = \"1m\" }", ""), (s(60), s(60)));
    let own = "switched-back = { after = \"20s\" }, switched-over = { level = \"critical\" }";
    assert_eq!(back("switched-back = { after = \"1m\" }", own), (s(60), s(20)));
}

#[test]
fn snmp_sections_carry_their_credentials() {
    let site = example("ipv6-v3");
    let access = device(&site, "platform-pe").snmp.clone().unwrap();
    assert_eq!(access.port, 1161);
    let Credentials::V3(user) = &access.credentials else {
        panic!("not version 3")
    };
    assert_eq!((user.user.as_str(), user.context.as_str()), ("operator-7", "operators"));
    assert_eq!(
        user.auth.as_ref().map(|(p, s)| (*p, s.expose())),
        Some((AuthProtocol::Sha512, SECRET.as_bytes()))
    );
    assert_eq!(user.privacy.as_ref().map(|(p, _)| *p), Some(PrivacyProtocol::Aes256));
}

#[test]
fn watches_carry_their_thresholds() {
    let site = example("ipv6-v3");
    let watches = &device(&site, "edge").watches;
    let WatchKind::Oid {
        oid,
        scale,
        unit,
        threshold,
    } = &watches[0].kind
    else {
        panic!("not an OID")
    };
    assert_eq!((oid.len(), *scale, unit.as_str()), (16, 1.0, "C"));
    let bound = |level| threshold.as_ref().unwrap().bound(level).unwrap();
    assert_eq!(
        (bound(Level::Warning).clear(), bound(Level::Critical).clear()),
        (55.0, 67.5)
    );
    assert_eq!(watches[1].kind, WatchKind::Tcp { port: 179 });
}

#[test]
fn routes_and_contacts_are_resolved() {
    let site = example("two-edges");
    let office = &site.routes[0];
    assert_eq!(
        office
            .relays
            .iter()
            .map(|r| (r.host.as_str(), r.port, r.tls))
            .collect::<Vec<_>>(),
        [
            ("mail-1.example.net", 465, Tls::Smtps),
            ("mail-2.example.net", 465, Tls::Smtps),
        ]
    );
    let (pe1, pe2) = (site.find("platform-pe-1").unwrap(), site.find("platform-pe-2").unwrap());
    assert_eq!(office.crosses, [Crossing::Any(vec![pe1, pe2])]);
    assert_eq!(
        office.auth.as_ref().map(|(u, p)| (u.as_str(), p.expose_str())),
        Some(("hinomi", Some(SECRET)))
    );
    let lte = &site.routes[1];
    assert!(lte.out_of_band);
    assert_eq!((lte.relays[0].port, lte.relays[0].tls), (587, Tls::StartTls));
    assert_eq!(
        lte.bind,
        Some(Bind::Address(
            "203.0.113.77".parse::<std::net::IpAddr>().unwrap().into()
        ))
    );
    assert_eq!((site.contacts[1].party, site.contacts[1].mail.len()), (Party::Own, 1));
    assert_eq!(site.procedures[0].matches.affected_at_least, Some(10));
    assert_eq!(site.procedures[1].escalate[0].after, s(900));
    let v6 = example("ipv6-v3");
    assert_eq!(
        (v6.routes[1].relays[0].host.as_str(), v6.routes[1].relays[0].port),
        ("2001:db8:9::25", 587)
    );
    assert_eq!(v6.routes[1].helo.as_deref(), Some("monitor.example.net"));
}

#[test]
fn every_verdict_and_kind_can_be_matched() {
    for verdict in Verdict::ALL {
        let text = format!(
            "[[contact]]\nname = \"n\"\nparty = \"own\"\nmail = \"n@example.net\"\n[[procedure]]\nname = \"p\"\ntell = [\"n\"]\nmatch = {{ verdict = \"{}\", kind = \"threshold\" }}\n",
            verdict.key()
        );
        let site = site(&text);
        assert_eq!(site.procedures[0].matches.verdict, Some(verdict));
        assert_eq!(site.procedures[0].matches.kind, Some(FindingKind::Threshold));
    }
}

#[test]
fn the_fingerprint_follows_the_text() {
    let (a, b) = (site("# a\n"), site("# b\n"));
    assert_eq!(a.fingerprint.len(), 64);
    assert_ne!(a.fingerprint, b.fingerprint);
    assert_eq!(a.fingerprint, site("# a\n").fingerprint);
}

#[test]
fn line_ends_and_a_byte_order_mark_of_other_systems_do_no_harm() {
    let text = std::fs::read_to_string("examples/full.toml").unwrap();
    let (plain, odd) = (check(&text), check(&format!("\u{feff}{}", text.replace('\n', "\r\n"))));
    assert_eq!(printed(&odd), "");
    let (mut plain, mut odd) = (plain.site.unwrap(), odd.site.unwrap());
    plain.fingerprint.clear();
    odd.fingerprint.clear();
    assert_eq!(plain, odd);
}

#[test]
fn what_a_group_says_wrong_is_told_once() {
    let devices: String = (1..9)
        .map(|n| format!("[[device]]\nname = \"d{n}\"\naddress = \"192.0.2.{n}\"\ngroup = \"g\"\n"))
        .collect();
    let loaded = check(&format!(
        "[operator]\nname = \"x\"\n[group.g]\npoll = {{ interval = \"1s\", timeout = \"5s\", echoes = 9 }}\n{devices}"
    ));
    let errors = loaded
        .problems
        .iter()
        .filter(|p| p.severity == hinomi::config::Severity::Error);
    assert_eq!(errors.count(), 2, "{}", printed(&loaded));
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let file = config::SourceFile {
        path: "etc/hinomi/hinomi.toml".into(),
        text: "[operator]\nname = \"x\"\n[daemon]\nstate = \"state\"\n".to_string(),
        private: false,
    };
    let site = config::check(&[file], &Dummies).site.unwrap();
    assert_eq!(site.daemon.state, Path::new("etc/hinomi/state"));
}

#[test]
fn many_thousand_wrong_references_are_told_without_a_guess_each() {
    // Guessing for each would compare 25 million pairs of names and take minutes.
    let devices: String = (0..5_000u32)
        .map(|n| {
            format!(
                "[[device]]\nname = \"d{n}\"\naddress = \"10.0.{}.{}\"\nparents = [\"x{n}\"]\n",
                n / 250,
                n % 250 + 1
            )
        })
        .collect();
    let loaded = check(&format!("[operator]\nname = \"x\"\n{devices}"));
    let guesses = |p: &&config::Problem| p.hint.as_ref().is_some_and(|h| h.starts_with("did you mean"));
    assert!(loaded.problems.iter().map(|p| p.count).sum::<usize>() >= 5_000);
    assert!((1..=200).contains(&loaded.problems.iter().filter(guesses).count()));
}
