//! Rows that an agent gives no ifName: they are called by their ifDescr where no other row bears that name.

#![allow(clippy::unwrap_used, reason = "a test that cannot pose its agent has failed")]

use super::fake::{World, v1, v2c};
use async_snmp::Value;
use hinomi::poll::{AgentReading, Counter};

const IF_DESCR: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
const IF_NAME: [u32; 11] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];

/// Ports `a` and `b` have names; of the others some have none, which is empty or not there at all.
fn world(credentials: hinomi::model::snmp::Credentials, empty: bool) -> World {
    let mut world = World::new(credentials, &["a", "b", "uplink", "twice"]);
    for (index, descr) in [(11, "uplink"), (12, "twice"), (13, "twice"), (14, "b")] {
        world.fake.port(index, "", 1_000 * u64::from(index));
        let descr = Value::OctetString(descr.as_bytes().to_vec().into());
        world.fake.set(&[&IF_DESCR[..], &[index]].concat(), descr);
        if !empty {
            world.fake.objects.remove(&[&IF_NAME[..], &[index]].concat());
        }
    }
    world.fake.set(&[1, 3, 6, 1, 2, 1, 2, 1, 0], Value::Integer(6));
    world
}

fn ports(reading: &AgentReading) -> Vec<(&str, u32)> {
    reading.interfaces.iter().map(|i| (&*i.name, i.index)).collect()
}

#[test]
fn a_row_without_a_name_is_called_by_its_description_where_that_is_unique() {
    for credentials in [v1(), v2c()] {
        let wide = !matches!(credentials, hinomi::model::snmp::Credentials::V1 { .. });
        for empty in [true, false] {
            let mut world = world(credentials.clone(), empty);
            world.honest();
            let reading = world.honest();
            assert_eq!(ports(&reading), [("a", 1), ("b", 2), ("uplink", 11)], "empty: {empty}");
            assert_eq!(reading.missing.len(), 1, "{:?}", reading.missing);
            assert_eq!(
                &*reading.missing[0], "twice",
                "two rows bear it: neither is taken for it"
            );
            let counter = reading.interfaces[2].in_octets;
            let right = if wide {
                Counter::C64(11_006)
            } else {
                Counter::C32(11_010)
            };
            assert_eq!(counter, Some(right), "64-bit counters where the row has them");
        }
    }
}

#[test]
fn a_description_that_becomes_another_is_noticed_in_the_answer() {
    let mut world = world(v2c(), true);
    world.honest();
    world.honest();
    let moved = Value::OctetString(b"spare".to_vec().into());
    world.fake.set(&[&IF_DESCR[..], &[11]].concat(), moved);
    let reading = world.honest();
    assert_eq!(ports(&reading), [("a", 1), ("b", 2)]);
    assert!(reading.missing.iter().any(|name| &**name == "uplink"));
}
