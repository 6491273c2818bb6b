//! Groups judged by hand-made views: what the stories do not show.

#![allow(clippy::unwrap_used, reason = "a test that cannot build its site has failed")]

use super::state::{Group, Standing};
use super::{Context, Redundancies};
use crate::model::redundancy::{InstanceId, Role};
use crate::model::{
    DeviceId, FindingKey, FindingKind, Level, Member, MemberPart, Mono, Name, Now, Preferred, Redundancy,
    RedundancyKind, Site, Wall,
};
use crate::rules::RuleEffect;
use crate::rules::condition::Conditions;
use crate::rules::reach::Reach;
use crate::sample::roles::{MemberView, RoleRow};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn group(kind: RedundancyKind, parts: &[MemberPart], preferred: Preferred) -> Redundancy {
    let member = |(i, part): (usize, &MemberPart)| Member {
        device: DeviceId(u32::try_from(i).unwrap()),
        label: format!("m{i}").into(),
        part: part.clone(),
    };
    Redundancy {
        name: "g".into(),
        kind,
        members: parts.iter().enumerate().map(member).collect(),
        preferred,
        need: 1,
        preempt_delay: Duration::ZERO,
        graceful_restart: Duration::ZERO,
        object: None,
        switched_back: crate::model::redundancy::SWITCHED_BACK,
        findings: BTreeMap::new(),
    }
}

/// A world of two devices that are not watched, so that only what agents say counts.
struct World {
    site: Site,
    reach: Reach,
    conditions: Conditions,
    groups: Redundancies,
    out: Vec<RuleEffect>,
    now: Mono,
}

impl World {
    fn new(of: Redundancy) -> World {
        let site = site(of);
        let now = Mono(1_000_000_000);
        World {
            reach: Reach::new(&site, at(now)),
            groups: Redundancies::new(&site),
            conditions: Conditions::default(),
            out: Vec::new(),
            site,
            now,
        }
    }

    fn says(&mut self, member: usize, rows: &[(&str, Option<&str>, Role, i64)]) {
        self.reads(member, rows, false);
    }

    fn reads(&mut self, member: usize, rows: &[(&str, Option<&str>, Role, i64)], partial: bool) {
        let row = |(instance, unit, role, count): &(&str, Option<&str>, Role, i64)| RoleRow {
            instance: InstanceId::numbered(*instance),
            unit: unit.map(Name::from),
            role: Some(*role),
            transitions: Some(*count),
        };
        let view = MemberView {
            group: 0,
            member,
            asked: self.now,
            uptime: None,
            partial,
            rows: rows.iter().map(row).collect(),
        };
        self.groups.take(&[view], &self.site);
        self.judge();
    }

    fn judge(&mut self) {
        let now = at(self.now);
        let mut context = Context {
            site: &self.site,
            reach: &self.reach,
            conditions: &mut self.conditions,
            out: &mut self.out,
            now,
        };
        self.groups.judge(&mut context);
        while let Some(key) = self.conditions.ripe(now) {
            self.out
                .extend(self.conditions.raise(&key, None, now).map(RuleEffect::Finding));
        }
    }

    fn after(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// Findings and requests for reads since the last call.
    fn told(&mut self) -> Vec<String> {
        let word = |effect: &RuleEffect| match effect {
            RuleEffect::Finding(c) => Some(format!("{} {:?}", c.key.kind.key(), c.to)),
            RuleEffect::ProbeAgent(d) => Some(format!("read {}", d.0)),
            _ => None,
        };
        std::mem::take(&mut self.out).iter().filter_map(word).collect()
    }

    fn raised(&self, kind: FindingKind) -> bool {
        self.conditions.raised(&FindingKey::of_redundancy(&"g".into(), kind))
    }
}

fn at(mono: Mono) -> Now {
    Now {
        mono,
        wall: Wall(1_794_000_000_000 + i64::try_from(mono.0 / 1_000).unwrap()),
    }
}

fn site(of: Redundancy) -> Site {
    let device = |i: u32| crate::model::Device {
        name: format!("d{i}").into(),
        role: crate::model::Role::Managed,
        address: std::net::Ipv4Addr::new(192, 0, 2, u8::try_from(i).unwrap() + 1).into(),
        zone: None,
        owner: crate::model::Owner::Own,
        group: None,
        site: None,
        class: None,
        tags: Arc::from([]),
        status: crate::model::Status::Active,
        liveness: crate::model::Liveness::None,
        poll: crate::model::PollSettings {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            echoes: 3,
            confirm: crate::model::Confirm {
                echoes: 15,
                over: Duration::from_secs(10),
            },
            recover: crate::model::Recover {
                rounds: 3,
                over: Duration::from_secs(60),
            },
        },
        circuit: None,
        snmp: None,
        profile: None,
        interfaces: Arc::from([]),
        watches: Arc::from([]),
        thresholds: Arc::default(),
        findings: Arc::default(),
        parents: Vec::new(),
        demarcation: None,
    };
    Site {
        operator: crate::model::Operator {
            name: "x".to_owned(),
            phone: None,
            language: crate::model::Language::English,
            timezone: "UTC".to_owned(),
            holidays: Arc::from([]),
        },
        daemon: crate::model::DaemonSettings {
            state: "/".into(),
            listen: ([127, 0, 0, 1], 1).into(),
            metrics: None,
        },
        uplinks: Vec::new(),
        devices: vec![device(0), device(1)],
        accesses: Vec::new(),
        profiles: Arc::default(),
        findings: BTreeMap::new(),
        redundancy: vec![of],
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        maintenance: Vec::new(),
        traps: None,
        plugins: Default::default(),
        heartbeat: None,
        fingerprint: String::new(),
    }
}

use Role::{Active, Failed, Standby};

fn pair() -> World {
    World::new(group(
        RedundancyKind::Vrrp,
        &[MemberPart::Whole, MemberPart::Whole],
        Preferred::One(0),
    ))
}

#[test]
fn what_two_members_say_at_different_times_is_no_contradiction() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Standby, 0)]);
    assert_eq!(w.told(), Vec::<String>::new(), "the first readings say nothing");
    w.after(8);
    // The roles have changed hands; the other one was read before that.
    w.says(1, &[("51", None, Active, 1)]);
    assert_eq!(w.told(), ["read 0"]);
    w.says(0, &[("51", None, Standby, 1)]);
    assert_eq!(w.told(), ["switched-over Warning"]);
    assert!(!w.raised(FindingKind::BothActive));
}

#[test]
fn both_active_takes_two_reads_of_both_five_seconds_apart() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Active, 1)]);
    w.after(4);
    for member in [0, 1] {
        w.says(member, &[("51", None, Active, 1)]);
    }
    assert!(!w.raised(FindingKind::BothActive), "not five seconds");
    w.after(6);
    w.judge();
    assert!(w.told().contains(&"read 1".to_owned()));
    w.says(0, &[("51", None, Active, 1)]);
    assert!(!w.raised(FindingKind::BothActive), "one of the two was read only");
    w.says(1, &[("51", None, Active, 1)]);
    assert_eq!(w.told(), ["both-active Critical"]);
    // One cannot be read: it may still be active.
    w.groups.fell_silent(DeviceId(1));
    w.after(10);
    w.says(0, &[("51", None, Active, 1)]);
    assert!(w.raised(FindingKind::BothActive));
    w.says(1, &[("51", None, Standby, 1)]);
    assert!(!w.raised(FindingKind::BothActive));
}

#[test]
fn a_silent_member_is_never_not_active() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Standby, 0)]);
    w.groups.fell_silent(DeviceId(0));
    for _ in 0..20 {
        w.after(10);
        w.says(1, &[("51", None, Standby, 0)]);
    }
    assert_eq!(w.told(), Vec::<String>::new());
    // Not even one whose readings have become old without a word.
    let of = w.site.redundancy[0].clone();
    let instance = &w.groups.groups[0].instances["51"];
    assert_eq!(
        w.groups.groups[0].standing(0, instance, &w.site, &w.reach, w.now),
        Standing::Unknown
    );
    assert_eq!(of.members.len(), 2);
}

#[test]
fn a_counter_that_began_anew_or_says_what_was_seen_is_no_flip() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 5)]);
    w.says(1, &[("51", None, Standby, 4)]);
    w.after(10);
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Standby, 4)]);
    assert_eq!(w.told(), Vec::<String>::new(), "the daemon was restarted");
    w.after(10);
    w.says(0, &[("51", None, Active, 2)]);
    assert!(w.told().contains(&"read 1".to_owned()));
    w.says(1, &[("51", None, Standby, 5)]);
    assert_eq!(
        w.told(),
        ["switched-over Warning"],
        "one flip, however many counters tell of it"
    );
    assert_eq!(w.groups.groups[0].switchovers, 2);
}

#[test]
fn what_a_reading_does_not_reach_stays_as_it_was_until_it_is_old() {
    let both = [("51", None, Standby, 1), ("52", None, Standby, 1)];
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1), ("52", None, Active, 1)]);
    w.says(1, &both);
    let stands = |w: &World| {
        let group = &w.groups.groups[0];
        group.standing(1, &group.instances["52"], &w.site, &w.reach, w.now)
    };
    w.after(10);
    w.reads(1, &both[..1], true);
    assert_eq!(stands(&w), Standing::Is(Standby));
    for _ in 0..4 {
        w.after(10);
        w.reads(1, &both[..1], true);
    }
    assert_eq!(stands(&w), Standing::Unknown, "it is read no more, the others are");
    w.reads(1, &both[..1], false);
    assert_eq!(stands(&w), Standing::NotTold);
}

#[test]
fn a_loss_that_nobody_can_confirm_is_not_told() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Failed, 1)]);
    w.after(20);
    w.groups.fell_silent(DeviceId(1));
    w.judge();
    w.after(60);
    w.says(0, &[("51", None, Active, 1)]);
    assert!(!w.raised(FindingKind::RedundancyLost));
    // It was lost all the time, as far as anybody knows.
    w.says(1, &[("51", None, Failed, 1)]);
    assert_eq!(w.told(), ["redundancy-lost Warning"]);
}

#[test]
fn both_that_take_the_role_after_nobody_had_it_have_not_switched_over() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Standby, 1)]);
    for member in [0, 1] {
        w.says(member, &[("51", None, Failed, 1)]);
    }
    w.after(10);
    w.told();
    w.says(1, &[("51", None, Active, 2)]);
    assert_eq!(w.told(), ["read 0"], "its last word is ten seconds old");
    w.says(0, &[("51", None, Active, 2)]);
    assert!(!w.told().contains(&"switched-over Warning".to_owned()));
}

#[test]
fn of_links_the_first_good_one_is_active() {
    let ports = ["a", "b"].map(|n| MemberPart::Interface(n.into()));
    let mut w = World::new(group(RedundancyKind::Link, &ports, Preferred::One(0)));
    w.says(0, &[("", None, Active, 0)]);
    w.says(1, &[("", None, Failed, 0)]);
    w.after(10);
    // The backup comes up beside the main line: no switchover.
    w.says(1, &[("", None, Active, 0)]);
    assert_eq!(w.told(), Vec::<String>::new());
    w.after(10);
    w.says(0, &[("", None, Failed, 0)]);
    w.says(1, &[("", None, Active, 0)]);
    assert!(w.told().contains(&"switched-over Warning".to_owned()));
    w.after(61);
    w.says(0, &[("", None, Failed, 0)]);
    w.says(1, &[("", None, Active, 0)]);
    assert!(w.raised(FindingKind::RedundancyLost));
    w.says(1, &[("", None, Failed, 0)]);
    assert!(w.raised(FindingKind::NoneActive));
    assert!(w.raised(FindingKind::RedundancyLost), "it goes on below the outage");
}

#[test]
fn units_of_one_device_are_members_and_one_that_leaves_is_missed() {
    let mut w = World::new(group(RedundancyKind::Ha, &[MemberPart::Whole], Preferred::Nobody));
    let all = [("", Some("unit 1"), Active, 0), ("", Some("unit 2"), Standby, 0)];
    w.says(0, &all);
    assert_eq!(w.groups.groups[0].slots.len(), 2);
    assert_eq!(&*w.groups.groups[0].slots[1].label, "m0 unit 2");
    w.after(10);
    w.says(0, &all[..1]);
    w.after(61);
    w.says(0, &all[..1]);
    assert_eq!(w.told(), ["redundancy-lost Warning"]);
}

#[test]
fn an_instance_that_all_members_have_dropped_is_forgotten() {
    let mut w = pair();
    for member in [0, 1] {
        w.says(member, &[("51", None, Standby, 0), ("52", None, Standby, 0)]);
    }
    w.after(10);
    w.says(0, &[("51", None, Standby, 0)]);
    assert!(w.groups.groups[0].instances.contains_key("52"));
    w.says(1, &[("51", None, Standby, 0)]);
    assert!(!w.groups.groups[0].instances.contains_key("52"));
}

#[test]
fn a_reload_keeps_what_is_known_by_names() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    w.says(1, &[("51", None, Standby, 0)]);
    let old = w.site.clone();
    w.site.redundancy[0].members.reverse();
    w.site.redundancy[0].preferred = Preferred::One(1);
    w.groups.reload(&old, &w.site);
    let group: &Group = &w.groups.groups[0];
    let instance = &group.instances["51"];
    assert_eq!(instance.active.as_deref(), Some("m0"));
    let standing = |slot| group.standing(slot, instance, &w.site, &w.reach, w.now);
    assert_eq!(
        (standing(0), standing(1)),
        (Standing::Is(Standby), Standing::Is(Active))
    );
    w.judge();
    assert_eq!(w.told(), Vec::<String>::new());
    // Another kind is another group.
    let old = w.site.clone();
    w.site.redundancy[0].kind = RedundancyKind::Hsrp;
    w.groups.reload(&old, &w.site);
    assert!(w.groups.groups[0].instances.is_empty());
}

#[test]
fn where_nobody_can_be_good_the_loss_is_critical() {
    let peers = ["198.51.100.1", "198.51.100.5"].map(|p| MemberPart::Peer(p.parse().unwrap()));
    let mut w = World::new(group(RedundancyKind::Bgp, &peers, Preferred::Nobody));
    w.says(0, &[("", None, Failed, 0)]);
    w.says(1, &[("", None, Active, 0)]);
    w.after(61);
    w.says(0, &[("", None, Failed, 0)]);
    assert_eq!(w.told(), ["redundancy-lost Warning"]);
    // The other one cannot be read: that is no reason to wake anybody.
    w.groups.fell_silent(DeviceId(1));
    w.says(0, &[("", None, Failed, 0)]);
    assert_eq!(w.told(), Vec::<String>::new());
    // Its agent answers, and has no such session any more: nobody can be expected to carry the service.
    w.says(1, &[]);
    assert_eq!(w.told(), ["redundancy-lost Critical"]);
    assert!(!w.raised(FindingKind::NoneActive));
    let key = FindingKey::of_redundancy(&"g".into(), FindingKind::RedundancyLost);
    assert_eq!(w.conditions.get(&key).map(|c| c.level), Some(Level::Critical));
}

#[test]
fn a_preferred_session_that_is_good_again_is_the_active_one() {
    let peers = ["198.51.100.1", "198.51.100.5"].map(|p| MemberPart::Peer(p.parse().unwrap()));
    let mut w = World::new(group(RedundancyKind::Bgp, &peers, Preferred::One(0)));
    let active = |w: &World| w.groups.groups[0].instances[""].active.clone();
    for (role, is) in [(Active, "m0"), (Failed, "m1")] {
        w.says(0, &[("", None, role, 1)]);
        w.says(1, &[("", None, Active, 1)]);
        assert_eq!(active(&w).as_deref(), Some(is));
        w.after(10);
    }
    w.told();
    // Whatever has become of the other one since it was read.
    w.says(0, &[("", None, Active, 2)]);
    assert_eq!(active(&w).as_deref(), Some("m0"));
    assert_eq!(w.told(), Vec::<String>::new());
}

#[test]
fn what_changes_while_nobody_is_active_has_all_read_again() {
    let mut w = pair();
    w.says(0, &[("51", None, Active, 1)]);
    for _ in 0..3 {
        w.says(0, &[("51", None, Failed, 1)]);
        w.says(1, &[("51", None, Failed, 1)]);
        w.after(10);
    }
    assert!(w.raised(FindingKind::NoneActive));
    w.told();
    w.says(0, &[("51", None, Standby, 1)]);
    assert_eq!(w.told(), ["read 1"], "it is coming back, perhaps both");
    w.says(1, &[("51", None, Failed, 1)]);
    w.told();
    w.after(8);
    w.says(1, &[("51", None, Standby, 2)]);
    assert_eq!(w.told(), ["read 0"]);
    assert!(w.raised(FindingKind::NoneActive), "it may have lost the role again");
    w.says(0, &[("51", None, Active, 2)]);
    assert!(!w.raised(FindingKind::NoneActive));
}

#[test]
fn a_fault_that_began_anew_lists_the_loss_anew() {
    let ports = ["a", "b"].map(|n| MemberPart::Interface(n.into()));
    let mut w = World::new(group(RedundancyKind::Lag, &ports, Preferred::Nobody));
    let key = super::interface_key(&w.site.devices[0], &"a".into(), FindingKind::InterfaceDown);
    let listed = |w: &mut World| {
        let all = std::mem::take(&mut w.out);
        all.iter().filter(|e| matches!(e, RuleEffect::Note(_))).count()
    };
    for _ in 0..2 {
        let (rule, cause) = (
            FindingKind::InterfaceDown.default_rule(),
            crate::rules::Cause::Unreachable,
        );
        w.conditions
            .hold(key.clone(), rule, cause.clone(), w.now, w.now, at(w.now));
        w.says(0, &[("", None, Failed, 0)]);
        w.says(1, &[("", None, Active, 0)]);
        w.says(0, &[("", None, Failed, 0)]);
        assert_eq!(listed(&mut w), 1);
        // It was up for a moment; the group did not read that.
        w.conditions.end(&key, cause, at(w.now));
        w.after(10);
    }
}

#[test]
fn a_role_that_passed_while_both_were_last_read_as_active_is_told() {
    let mut w = pair();
    for _ in 0..3 {
        w.says(0, &[("51", None, Active, 1)]);
        w.says(1, &[("51", None, Active, 1)]);
        w.after(6);
    }
    assert!(w.raised(FindingKind::BothActive));
    w.told();
    // One gave the role up, and had it again while the other one was away.
    w.says(1, &[("51", None, Standby, 2)]);
    assert_eq!(w.told(), ["read 0", "both-active Ok"]);
    w.says(0, &[("51", None, Active, 2)]);
    assert_eq!(w.told(), ["switched-over Warning"]);
}

/// A row of an instance that its number does not tell apart: number, virtual address, interface, role.
type Marked<'m> = (&'m str, &'m str, &'m str, Role);

impl World {
    fn marks(&mut self, member: usize, rows: &[Marked<'_>]) {
        let row = |(number, address, interface, role): &Marked<'_>| RoleRow {
            instance: InstanceId {
                number: Name::from(*number),
                addresses: address.parse().into_iter().collect(),
                interface: Some(Name::from(*interface)).filter(|i| !i.is_empty()),
            },
            unit: None,
            role: Some(*role),
            transitions: None,
        };
        let view = MemberView {
            group: 0,
            member,
            asked: self.now,
            uptime: None,
            partial: false,
            rows: rows.iter().map(row).collect(),
        };
        self.groups.take(&[view], &self.site);
        self.judge();
    }

    fn names(&self) -> Vec<&str> {
        self.groups.groups[0].instances.keys().map(|name| &**name).collect()
    }

    fn active(&self, instance: &str) -> Option<&str> {
        self.groups.groups[0].instances[instance].active.as_deref()
    }
}

fn hsrp() -> World {
    World::new(group(
        RedundancyKind::Hsrp,
        &[MemberPart::Whole, MemberPart::Whole],
        Preferred::Nobody,
    ))
}

/// Both members say the same for a quarter of an hour.
fn both_say(w: &mut World, first: &[Marked<'_>], second: &[Marked<'_>]) {
    for _ in 0..60 {
        w.marks(0, first);
        w.marks(1, second);
        w.after(15);
    }
}

const QUIET: [FindingKind; 3] = [
    FindingKind::BothActive,
    FindingKind::NoneActive,
    FindingKind::RedundancyLost,
];

#[test]
fn one_number_on_several_interfaces_is_paired_by_the_interface_never_by_its_order() {
    let first = [
        ("1", "", "Vl10", Role::Active),
        ("1", "", "Vl15", Role::Active),
        ("1", "", "Vl20", Role::Standby),
    ];
    let second = [("1", "", "Vl10", Role::Standby), ("1", "", "Vl20", Role::Active)];
    for turned in [false, true] {
        let mut w = hsrp();
        if turned {
            // The member with fewer of them is read first.
            w.marks(1, &second);
        }
        both_say(&mut w, &first, &second);
        assert_eq!(w.names(), ["1 Vl10", "1 Vl15", "1 Vl20"], "{turned}");
        assert_eq!((w.active("1 Vl10"), w.active("1 Vl20")), (Some("m0"), Some("m1")));
        assert!(QUIET.iter().all(|kind| !w.raised(*kind)), "{turned}: {:?}", w.told());
        // What both had and one has no more is lost.
        both_say(&mut w, &first, &second[..1]);
        assert!(w.raised(FindingKind::RedundancyLost) && !w.raised(FindingKind::BothActive));
    }
}

#[test]
fn a_virtual_address_pairs_what_interfaces_of_other_names_carry() {
    let mut w = hsrp();
    let first = [
        ("1", "192.0.2.1", "Vl10", Role::Active),
        ("1", "192.0.2.129", "Vl20", Role::Standby),
    ];
    let second = [
        ("1", "192.0.2.129", "Vl10", Role::Active),
        ("1", "192.0.2.1", "Vl30", Role::Standby),
    ];
    both_say(&mut w, &first, &second);
    assert_eq!(w.names(), ["1 192.0.2.1", "1 192.0.2.129"]);
    assert!(QUIET.iter().all(|kind| !w.raised(*kind)), "{:?}", w.told());
}

#[test]
fn different_addresses_of_one_number_are_never_both_active() {
    let mut w = hsrp();
    let (first, second) = (
        [("1", "192.0.2.1", "Vl10", Role::Active)],
        [("1", "192.0.2.129", "Vl10", Role::Active)],
    );
    both_say(&mut w, &first, &second);
    assert!(!w.raised(FindingKind::BothActive));
    assert!(
        w.raised(FindingKind::RedundancyLost),
        "nobody stands in for anybody in this group"
    );
}

#[test]
fn a_number_is_enough_where_an_agent_tells_no_more() {
    let mut w = hsrp();
    both_say(
        &mut w,
        &[("51", "192.0.2.1", "eth0", Role::Active)],
        &[("51", "", "", Role::Standby)],
    );
    assert_eq!(w.names(), ["51"]);
    assert!(QUIET.iter().all(|kind| !w.raised(*kind)), "{:?}", w.told());
    // Several of one number that nothing tells apart are not known.
    let several = [("51", "", "", Role::Active), ("51", "", "", Role::Active)];
    both_say(&mut w, &[("51", "192.0.2.1", "eth0", Role::Active)], &several);
    assert!(!w.raised(FindingKind::BothActive));
}

#[test]
fn a_restart_knows_instances_by_either_of_their_names() {
    let mut w = hsrp();
    let known = BTreeMap::from([("1 Vl10".into(), Name::from("m0")), ("1 Vl20".into(), Name::from("m1"))]);
    let now = at(w.now);
    w.groups
        .recall(&w.site, &BTreeMap::from([("g".into(), known)]), &[], now);
    let rows = |a, b| [("1", "192.0.2.1", "Vl10", a), ("1", "192.0.2.129", "Vl20", b)];
    both_say(
        &mut w,
        &rows(Role::Active, Role::Standby),
        &rows(Role::Standby, Role::Active),
    );
    assert_eq!(w.names(), ["1 Vl10", "1 Vl20"]);
    assert!(!w.raised(FindingKind::SwitchedOver));
}

#[test]
fn a_device_in_no_cluster_is_told_as_that_and_nobody_is_missed() {
    let mut w = World::new(group(
        RedundancyKind::Ha,
        &[MemberPart::Whole, MemberPart::Whole],
        Preferred::Nobody,
    ));
    for _ in 0..20 {
        w.says(0, &[("1", None, Role::Alone, 0)]);
        w.says(1, &[("1", None, Role::Alone, 0)]);
        w.after(10);
    }
    assert!(!w.raised(FindingKind::NoneActive) && !w.raised(FindingKind::BothActive));
    assert!(w.raised(FindingKind::RedundancyLost));
    let key = FindingKey::of_redundancy(&"g".into(), FindingKind::RedundancyLost);
    let cause = &w.conditions.get(&key).unwrap().cause;
    let crate::rules::Cause::RedundancyLost { missing, .. } = cause else {
        panic!("{cause:?}")
    };
    assert!(
        missing.iter().all(|m| m.why == crate::rules::Absence::Alone),
        "{missing:?}"
    );
}

#[test]
fn the_only_unit_of_a_device_has_nobody_who_stands_in_for_it() {
    let mut w = World::new(group(RedundancyKind::Ha, &[MemberPart::Whole], Preferred::Nobody));
    for _ in 0..20 {
        w.says(0, &[("", Some("unit 1"), Role::Active, 0)]);
        w.after(10);
    }
    assert!(w.raised(FindingKind::RedundancyLost) && !w.raised(FindingKind::NoneActive));
    for _ in 0..20 {
        w.says(
            0,
            &[
                ("", Some("unit 1"), Role::Active, 0),
                ("", Some("unit 2"), Role::Standby, 0),
            ],
        );
        w.after(10);
    }
    assert!(!w.raised(FindingKind::RedundancyLost));
}

/// An aggregate of two ports of one device, of which `ge-1` is down, with a finding of its own.
fn port_down(lost: crate::model::FindingRule, port: crate::model::FindingRule) -> (World, FindingKey) {
    let ports = ["ge-0", "ge-1"].map(|name| MemberPart::Interface(name.into()));
    let mut of = group(RedundancyKind::Lag, &ports, Preferred::Nobody);
    of.members.iter_mut().for_each(|m| m.device = DeviceId(0));
    of.findings.insert(FindingKind::RedundancyLost, lost);
    let mut w = World::new(of);
    let key = crate::rules::interface::interface_key(&w.site.devices[0], &"ge-1".into(), FindingKind::InterfaceDown);
    let (cause, now) = (crate::rules::Cause::OperDown { oper: 2 }, w.now);
    w.conditions.hold(key.clone(), port, cause, now, now, at(now));
    (w, key)
}

fn down_for(w: &mut World, seconds: u64) {
    for _ in 0..seconds {
        w.says(0, &[("", None, Role::Active, 0)]);
        w.says(1, &[("", None, Role::Failed, 0)]);
        w.after(1);
    }
}

#[test]
fn what_explains_a_loss_neither_lowers_nor_delays_it() {
    let rule = |level, seconds| crate::model::FindingRule {
        level,
        after: Duration::from_secs(seconds),
    };
    let (mut w, port) = port_down(rule(Level::Critical, 3), rule(Level::Warning, 30));
    down_for(&mut w, 3);
    assert!(!w.conditions.raised(&port));
    down_for(&mut w, 2);
    assert_eq!(
        w.conditions.get(&port).map(|c| (c.raised, c.level)),
        Some((true, Level::Critical))
    );
    assert!(!w.raised(FindingKind::RedundancyLost), "one fault, one case");
    // The loss is over before the port's own finding is.
    for _ in 0..3 {
        w.says(0, &[("", None, Role::Active, 0)]);
        w.says(1, &[("", None, Role::Active, 0)]);
        w.after(1);
    }
    assert_eq!(w.conditions.get(&port).map(|c| c.level), Some(Level::Warning));

    let (mut w, port) = port_down(rule(Level::Warning, 60), rule(Level::Critical, 5));
    down_for(&mut w, 100);
    let change = |effect: &RuleEffect| matches!(effect, RuleEffect::Finding(_));
    assert_eq!(w.out.iter().filter(|e| change(e)).count(), 1, "told once, as it is");
    assert_eq!(w.conditions.get(&port).map(|c| c.level), Some(Level::Critical));
}

#[test]
fn a_fault_that_came_later_does_not_explain_a_loss() {
    let rule = |level, seconds| crate::model::FindingRule {
        level,
        after: Duration::from_secs(seconds),
    };
    let (mut w, port) = port_down(rule(Level::Warning, 60), rule(Level::Warning, 30));
    let now = at(w.now);
    w.conditions.end(&port, crate::rules::Cause::Unreachable, now);
    let slack = w.site.devices[0].poll.detection().as_secs();
    assert!(slack < 58, "or the test shows nothing");
    down_for(&mut w, 58);
    let (cause, now) = (crate::rules::Cause::OperDown { oper: 2 }, w.now);
    w.conditions
        .hold(port.clone(), rule(Level::Warning, 30), cause, now, now, at(now));
    down_for(&mut w, 5);
    assert!(w.raised(FindingKind::RedundancyLost));
}
