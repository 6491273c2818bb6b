//! Tables that tell redundancy roles: rows move, go, and come back, and a round still reads what is there now.

use super::fake::{World, v1, v2c};
use super::site;
use async_snmp::Value;
use hinomi::model::snmp::Credentials;
use hinomi::model::{DeviceId, Member, MemberPart, Preferred, Redundancy, RedundancyKind};
use hinomi::poll::{AgentReading, RoleValue};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const V3: [u32; 11] = [1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1];
const V3_COUNT: [u32; 12] = [1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 1];
const BGP: [u32; 9] = [1, 3, 6, 1, 2, 1, 15, 3, 1];

fn world(credentials: Credentials, kind: RedundancyKind, part: MemberPart, object: Option<&[u32]>) -> World {
    let device = site::device("edge-a", 161, credentials, &[]);
    let mut site = Arc::unwrap_or_clone(site::site(vec![device]));
    site.redundancy.push(Redundancy {
        name: "group".into(),
        kind,
        members: vec![Member {
            device: DeviceId(0),
            label: "edge-a".into(),
            part,
        }],
        preferred: Preferred::Nobody,
        need: 1,
        preempt_delay: Duration::ZERO,
        graceful_restart: Duration::ZERO,
        switched_back: hinomi::model::redundancy::SWITCHED_BACK,
        object: object.map(|oid| hinomi::model::redundancy::RoleObject {
            oid: oid.to_vec(),
            values: BTreeMap::new(),
        }),
        findings: BTreeMap::new(),
    });
    World::at(Arc::new(site))
}

fn vrrp(credentials: Credentials) -> World {
    world(credentials, RedundancyKind::Vrrp, MemberPart::Whole, None)
}

fn state(world: &mut World, index: u32, state: i32) {
    world
        .fake
        .set(&[&V3[..], &[6, index, 51, 1]].concat(), Value::Integer(state));
    world
        .fake
        .set(&[&V3_COUNT[..], &[index, 51, 1]].concat(), Value::Counter32(7));
}

/// What has a value: the last sub-identifiers, and the value.
fn cells(reading: &AgentReading) -> Vec<(Vec<u32>, i64)> {
    let number = |v: &RoleValue| match v {
        RoleValue::Number(n) => *n,
        RoleValue::Octets(_) => -1,
    };
    let cells = reading.roles.iter();
    let cells = cells.filter_map(|c| Some((c.oid[c.oid.len() - 4..].to_vec(), number(c.value.as_ref()?))));
    cells.collect()
}

#[test]
fn a_row_that_moved_is_read_in_the_same_round() {
    for credentials in [v1(), v2c()] {
        let mut world = vrrp(credentials);
        state(&mut world, 7, 3);
        let first = world.honest();
        assert_eq!(cells(&first), [(vec![6, 7, 51, 1], 3), (vec![1, 7, 51, 1], 7)]);
        let settled = world.honest();
        assert_eq!(cells(&settled), cells(&first));
        assert!(
            world.asked.len() <= 2,
            "a settled round walks nothing: {:?}",
            world.asked.len()
        );
        // The index moves, as after a failover.
        world.fake.objects.retain(|oid, _| !oid.starts_with(&V3[..8]));
        state(&mut world, 9, 2);
        assert_eq!(cells(&world.honest()), [(vec![6, 9, 51, 1], 2), (vec![1, 9, 51, 1], 7)]);
    }
}

#[test]
fn a_table_that_went_away_gives_nothing_and_is_found_again_at_once() {
    for credentials in [v1(), v2c()] {
        let mut world = vrrp(credentials);
        state(&mut world, 7, 3);
        world.honest();
        world.fake.objects.retain(|oid, _| !oid.starts_with(&V3[..8]));
        for _ in 0..3 {
            assert_eq!(cells(&world.honest()), []);
        }
        state(&mut world, 7, 2);
        assert_eq!(cells(&world.honest()).len(), 2, "the first round after it is back");
    }
}

#[test]
fn a_row_that_only_a_walk_gives_is_read_in_every_round() {
    // keepalived 2.2.7: GET denies every row of the RFC 2787 table.
    let mut world = vrrp(v2c());
    let table = [1, 3, 6, 1, 2, 1, 68, 1, 3, 1];
    world.fake.by_walk_only = Some(table.to_vec());
    for state in [3, 2, 3] {
        let oid = [&table[..], &[3, 4, 51]].concat();
        world.fake.set(&oid, Value::Integer(state));
        assert_eq!(cells(&world.honest()), [(vec![1, 3, 4, 51], i64::from(state))]);
    }
}

#[test]
fn a_neighbour_that_comes_back_is_read_at_once() {
    let peer = "198.51.100.5".parse().unwrap();
    let mut world = world(v2c(), RedundancyKind::Ospf, MemberPart::Peer(peer), None);
    let (runs, row) = (
        [1, 3, 6, 1, 2, 1, 14, 1, 1, 0],
        [1, 3, 6, 1, 2, 1, 14, 10, 1, 6, 198, 51, 100, 5, 0],
    );
    world.fake.set(&runs, Value::Integer(1));
    world.fake.set(&row, Value::Integer(8));
    let (here, gone) = ((vec![51, 100, 5, 0], 8), (vec![14, 1, 1, 0], 1));
    assert_eq!(cells(&world.honest()), [gone.clone(), here.clone()]);
    world.fake.objects.remove(&row[..]);
    for _ in 0..2 {
        assert_eq!(cells(&world.honest()), std::slice::from_ref(&gone));
    }
    world.fake.set(&row, Value::Integer(8));
    assert_eq!(cells(&world.honest()), [gone, here]);
}

#[test]
fn of_all_sessions_only_the_groups_own_is_read() {
    let peer = "198.51.100.1".parse().unwrap();
    let mut world = world(v2c(), RedundancyKind::Bgp, MemberPart::Peer(peer), None);
    for last in 1..=40 {
        world
            .fake
            .set(&[&BGP[..], &[2, 198, 51, 100, last]].concat(), Value::Integer(6));
        world
            .fake
            .set(&[&BGP[..], &[15, 198, 51, 100, last]].concat(), Value::Counter32(3));
    }
    assert_eq!(
        cells(&world.honest()),
        [(vec![198, 51, 100, 1], 6), (vec![198, 51, 100, 1], 3)]
    );
    assert_eq!(world.honest().roles.len(), 2);
}

#[test]
fn an_object_of_the_sites_own_may_be_an_instance_or_a_column() {
    let base = [1, 3, 6, 1, 4, 1, 8_072, 9_999, 1];
    for instance in [&[][..], &[4][..]] {
        let mut world = world(v2c(), RedundancyKind::Role, MemberPart::Whole, Some(&base));
        world.fake.set(&[&base[..], instance].concat(), Value::Integer(1));
        world.honest();
        assert_eq!(cells(&world.honest()).iter().map(|c| c.1).collect::<Vec<_>>(), [1]);
    }
}
