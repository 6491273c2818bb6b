//! Vendor profiles: every verified object is read or left out with a reason, every profile makes the right numbers of an agent that
//! poses as its make, and the right profile is chosen.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use crate::agent::fake::{World, v1, v2c};
use crate::agent::site;
use async_snmp::{Oid, Value};
use hinomi::config::{builtin_problems, builtin_profiles};
use hinomi::model::profile::{Health, Object, Profile, Profiles};
use hinomi::model::{Bound, Metric, Name, Threshold, ThresholdKind};
use hinomi::poll::{AgentReading, AgentRound, Observation};
use hinomi::sample::Sampler;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value as Toml;

pub(crate) fn fixture(name: &str, list: &str) -> Vec<toml::Table> {
    let path = format!("{}/tests/profiles/{name}", env!("CARGO_MANIFEST_DIR"));
    let table: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let entries = table[list].as_array().unwrap().iter();
    entries.map(|e| e.as_table().unwrap().clone()).collect()
}

pub(crate) fn text<'t>(table: &'t toml::Table, key: &str) -> &'t str {
    table[key].as_str().unwrap()
}

pub(crate) fn oid(text: &str) -> Vec<u32> {
    text.split('.').map(|n| n.parse().unwrap()).collect()
}

#[test]
fn the_profiles_built_in_have_no_problem() {
    let problems: Vec<String> = builtin_problems().iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(builtin_profiles().iter().count() >= 40);
}

#[test]
fn every_verified_object_is_read_or_left_out_with_a_reason() {
    let profiles = builtin_profiles();
    let entries = fixture("verified.toml", "entry");
    assert!(entries.len() > 200, "the fixture is not all there");
    let mut missing = Vec::new();
    for entry in &entries {
        let (name, object) = (text(entry, "profile"), oid(text(entry, "oid")));
        let Some(profile) = profiles.by_name(name) else {
            missing.push(format!("no profile {name}"));
            continue;
        };
        // A profile may read one row of a table.
        let read = profile.objects().any(|o| o.starts_with(&object));
        let left_out = profile.left_out.iter().any(|l| *l.oid == *object);
        match (read, left_out) {
            (false, false) => missing.push(format!("{name}: {} {}", text(entry, "object"), text(entry, "oid"))),
            (true, true) => missing.push(format!("{name}: {} is read and left out", text(entry, "oid"))),
            _ => {}
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn states_mean_what_the_verified_list_says() {
    let profiles = builtin_profiles();
    let mut compared = 0;
    for entry in fixture("verified.toml", "entry")
        .iter()
        .filter(|e| e.contains_key("codes"))
    {
        let profile = profiles.by_name(text(entry, "profile")).unwrap();
        let object = oid(text(entry, "oid"));
        let healthy: Vec<i64> = entry["healthy"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_integer().unwrap())
            .collect();
        for component in profile.components.iter().filter(|c| *c.object.oid() == *object) {
            for state in component.states.iter().filter(|s| s.health == Health::Healthy) {
                // The sources name no code for what was added here from the MIB itself.
                let codes = entry["codes"].as_table().unwrap();
                let named = codes.iter().any(|(_, c)| c.as_integer() == Some(state.code));
                let what = format!("{}: {} {}", profile.name, text(entry, "object"), state.word);
                let added = ["hotStandby", "onBatteryTest"].contains(&&*state.word);
                assert!(added || !named || healthy.contains(&state.code), "{what}");
            }
            for code in &healthy {
                let state = component.states.iter().find(|s| s.code == *code);
                let health = state.map(|s| s.health);
                let what = format!("{}: {} {code}: {health:?}", profile.name, text(entry, "object"));
                assert_eq!(health, Some(Health::Healthy), "{what}");
            }
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn a_shared_prefix_is_told_apart_by_exactly_one_question_less_than_profiles() {
    let profiles = builtin_profiles();
    let mut by_prefix: BTreeMap<Vec<u32>, Vec<&Profile>> = BTreeMap::new();
    for profile in profiles.iter() {
        for prefix in &profile.sys_object_ids {
            by_prefix.entry(prefix.to_vec()).or_default().push(profile);
        }
    }
    for (prefix, sharing) in by_prefix {
        let silent: Vec<&Name> = sharing
            .iter()
            .filter(|p| p.tell_by.is_none() && p.sys_descr.is_empty())
            .map(|p| &p.name)
            .collect();
        // One alone needs no words of its own.
        assert_eq!(
            if sharing.len() == 1 { 1 } else { silent.len() },
            1,
            "{prefix:?} is of {silent:?}: one of them must be the one that asks nothing"
        );
    }
}

#[test]
fn sys_object_id_chooses_on_boundaries() {
    let choose = |id: &str| {
        let profiles = builtin_profiles();
        let id = oid(id);
        let candidates = profiles.candidates(&id);
        candidates.pick(|_| false).unwrap().name.to_string()
    };
    for (id, wanted) in [
        ("1.3.6.1.4.1.21839.1.2.1", "host-resources"),
        ("1.3.6.1.4.1.21839.1.2.10", "alaxala-ax1230s"),
        ("1.3.6.1.4.1.21839.1.2.7", "alaxala-ax3630s"),
        ("1.3.6.1.4.1.21839.1.2.70", "host-resources"),
        ("1.3.6.1.4.1.9.1.1208", "cisco-ios"),
        ("1.3.6.1.4.1.9.12.3.1.3.1062", "cisco-nxos"),
        ("1.3.6.1.4.1.9.12", "host-resources"),
        ("1.3.6.1.4.1.11821", "host-resources"),
        ("1.3.6.1.4.1.1182", "yamaha-rt"),
        ("1.3.6.1.4.1.8072.3.2.10", "net-snmp"),
        ("1.3.6.1.4.1.8072.3.1", "host-resources"),
        ("1.3", "host-resources"),
    ] {
        assert_eq!(choose(id), wanted, "{id}");
    }
}

pub(crate) fn value(posed: &Toml) -> Value {
    match posed {
        Toml::Integer(n) => Value::Integer(i32::try_from(*n).unwrap()),
        Toml::String(s) => match s.split_once(':') {
            Some(("oid", rest)) => Value::ObjectIdentifier(Oid::from_slice(&oid(rest))),
            Some(("gauge", rest)) => Value::Gauge32(rest.parse().unwrap()),
            Some(("counter64", rest)) => Value::Counter64(rest.parse().unwrap()),
            Some(("ticks", rest)) => Value::TimeTicks(rest.parse().unwrap()),
            _ => Value::OctetString(s.clone().into_bytes().into()),
        },
        other => panic!("an object cannot be {other}"),
    }
}

/// What is asked of a posed agent: two rounds, so that what was learned in the first is what the second rests on.
fn readings(posed: &toml::Table, credentials: hinomi::model::snmp::Credentials) -> (World, [AgentReading; 2]) {
    let by_name = posed.contains_key("by_name").then(|| text(posed, "profile"));
    let mut device = site::device("edge-a", 161, credentials, &[]);
    device.profile = by_name.map(Name::from);
    let mut world = World::of(device);
    world
        .fake
        .objects
        .retain(|oid, _| !oid.starts_with(&[1, 3, 6, 1, 2, 1, 25]));
    let id = Value::ObjectIdentifier(Oid::from_slice(&oid(text(posed, "object_id"))));
    world.fake.set(&[1, 3, 6, 1, 2, 1, 1, 2, 0], id);
    if posed.contains_key("sys_descr") {
        let words = text(posed, "sys_descr").as_bytes().to_vec();
        world
            .fake
            .set(&[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::OctetString(words.into()));
    }
    for (object, posed) in posed["objects"].as_table().unwrap() {
        world.fake.set(&oid(object), value(posed));
    }
    let readings = [world.honest(), world.honest()];
    (world, readings)
}

type Told = (
    BTreeMap<String, Option<f64>>,
    BTreeMap<String, String>,
    BTreeMap<String, String>,
);

/// Numbers, parts and deciding rows as the sampler makes them of a reading.
fn told(world: &World, reading: AgentReading) -> Told {
    told_under(world, reading, None)
}

/// The same under the site's threshold on temperature.
fn told_under(world: &World, reading: AgentReading, temperature: Option<Threshold>) -> Told {
    let mut device = site::device("edge-a", 161, v2c(), &[]);
    let temperature: BTreeMap<_, _> = temperature
        .map(|t| (ThresholdKind::Temperature, t))
        .into_iter()
        .collect();
    device.thresholds = temperature.into();
    let mut sampler = Sampler::new(site::site(vec![device]));
    let samples = sampler.take(&Observation::Agent(AgentRound {
        rejected: None,
        device: hinomi::model::DeviceId(0),
        started: world.now,
        ended: world.now,
        outcome: Ok(Box::new(reading)),
    }));
    let (mut numbers, mut which) = (BTreeMap::new(), BTreeMap::new());
    for sample in samples.numbers.into_iter().filter(|s| s.metric != Metric::Loss) {
        let before = numbers.insert(
            sample.metric.key().to_owned(),
            sample.value.ok().map(|v| (v * 1e6).round() / 1e6),
        );
        assert_eq!(before, None, "{} twice", sample.metric.key());
        which.extend(sample.which.map(|w| (sample.metric.key().to_owned(), w.to_string())));
    }
    let word = |p: &hinomi::sample::PartSample| p.state.as_ref().map_or_else(String::new, |(word, _)| word.to_string());
    let parts = samples
        .parts
        .iter()
        .map(|p| (p.name.label.to_string(), word(p)))
        .collect();
    (numbers, parts, which)
}

fn words(posed: &toml::Table, key: &str) -> BTreeMap<String, String> {
    let words = posed.get(key).and_then(Toml::as_table).into_iter().flatten();
    words
        .map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned()))
        .collect()
}

fn expected_numbers(posed: &toml::Table) -> BTreeMap<String, Option<f64>> {
    let number = |v: &Toml| match v {
        Toml::String(s) if s == "missing" => None,
        Toml::Integer(n) => Some(*n as f64),
        other => Some(other.as_float().unwrap()),
    };
    let numbers = posed["numbers"].as_table().unwrap().iter();
    numbers.map(|(k, v)| (k.clone(), number(v))).collect()
}

fn threshold(posed: &toml::Table) -> Option<Threshold> {
    let table = posed.get("thresholds")?.as_table()?;
    let bound = |key: &str| table.get(key).and_then(Toml::as_integer).map(|v| v as f64);
    let bound = |key| bound(key).and_then(|raise| Bound::new(raise, raise - 3.0));
    let hold = std::time::Duration::ZERO;
    Threshold::new(bound("warning"), bound("critical"), hold, hold)
}

#[test]
fn every_make_gives_the_right_numbers_and_states() {
    let mut wrong = Vec::new();
    for posed in fixture("posed.toml", "agent") {
        // SNMPv1 has no 64-bit counters.
        let wide = posed["objects"].to_string().contains("counter64:");
        for credentials in [v1(), v2c()].into_iter().skip(usize::from(wide)) {
            let version = format!("{credentials:?}").split([' ', '{']).next().unwrap().to_owned();
            let (world, readings) = readings(&posed, credentials);
            for (round, reading) in readings.into_iter().enumerate() {
                let name = text(&posed, "profile");
                let at = format!("{name} ({}), {version}, round {round}", text(&posed, "object_id"));
                let profile = reading.profile.as_ref().map(|p| &*p.name);
                if profile != Some(name) {
                    wrong.push(format!("{at}: took it for {profile:?}"));
                    continue;
                }
                let (numbers, parts, which) = told_under(&world, reading, threshold(&posed));
                if numbers != expected_numbers(&posed) {
                    wrong.push(format!("{at}: numbers {numbers:?}"));
                }
                if parts != words(&posed, "parts") {
                    wrong.push(format!("{at}: parts {parts:?}"));
                }
                let expected = words(&posed, "which");
                if expected.iter().any(|(metric, row)| which.get(metric) != Some(row)) {
                    wrong.push(format!("{at}: which {which:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_profile_has_an_agent_that_poses_as_it() {
    let posed: BTreeSet<String> = fixture("posed.toml", "agent")
        .iter()
        .map(|a| text(a, "profile").to_owned())
        .collect();
    let profiles = builtin_profiles();
    let lacking: Vec<&Name> = profiles
        .iter()
        .filter(|p| !posed.contains(&*p.name))
        .map(|p| &p.name)
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn a_settled_round_asks_for_nothing_that_is_not_there() {
    for posed in fixture("posed.toml", "agent") {
        let (mut world, _) = readings(&posed, v2c());
        world.honest();
        let asked: BTreeSet<Vec<u32>> = world.asked.iter().flat_map(|a| a.oids.iter().cloned()).collect();
        let absent: Vec<&Vec<u32>> = asked.iter().filter(|o| !world.fake.objects.contains_key(*o)).collect();
        assert!(absent.is_empty(), "{}: {absent:?}", text(&posed, "profile"));
        assert!(
            world.asked.iter().all(|a| a.kind == async_snmp::PduType::GetRequest),
            "{}",
            text(&posed, "profile")
        );
    }
}

#[test]
fn who_it_is_is_asked_once_and_after_a_restart() {
    let (id, uptime) = ([1, 3, 6, 1, 2, 1, 1, 2, 0], [1, 3, 6, 1, 2, 1, 1, 3, 0]);
    let (all, poses) = (builtin_profiles(), fixture("posed.toml", "agent"));
    let named = |posed: &toml::Table| all.by_name(text(posed, "profile")).unwrap();
    let mut tried = 0;
    for posed in poses.iter().filter(|p| !p.contains_key("by_name")) {
        let Some(question) = &named(posed).tell_by else {
            continue;
        };
        let name = Some(text(posed, "profile"));
        let (mut world, _) = readings(posed, v2c());
        if !world.fake.objects.contains_key(&question[..]) {
            continue;
        }
        world.fake.set(&uptime, Value::TimeTicks(5_000));
        world.honest();
        world.honest();
        let asks = |world: &World, oid: &[u32]| world.asked.iter().any(|a| a.oids.iter().any(|o| o == oid));
        assert!(!asks(&world, &id), "{name:?}");
        // Just after the restart the module that tells the lines apart is not up.
        let told = world.fake.objects.remove(&question[..]).unwrap();
        world.fake.set(&uptime, Value::TimeTicks(100));
        let reading = world.honest();
        assert!(asks(&world, &id) && asks(&world, question), "{name:?}");
        assert_eq!(reading.profile.as_ref().map(|p| &*p.name), name);
        world.fake.set(question, told);
        world.honest();
        assert!(!asks(&world, &id), "{name:?}");
        tried += 1;
    }
    assert!(tried >= 2, "{tried}");
}

#[test]
fn a_reload_asks_who_it_is_only_if_profiles_have_changed() {
    let id = [1, 3, 6, 1, 2, 1, 1, 2, 0];
    let poses = fixture("posed.toml", "agent");
    let nec = poses.iter().find(|p| text(p, "profile") == "nec-ix").unwrap();
    let (mut world, _) = readings(nec, v2c());
    let site = |change: fn(&mut hinomi::model::Profile)| {
        let mut site = site::site(vec![site::device("edge-a", 161, v2c(), &[])])
            .as_ref()
            .clone();
        let mut profiles: Vec<_> = builtin_profiles().iter().map(|p| p.as_ref().clone()).collect();
        profiles.iter_mut().filter(|p| &*p.name == "nec-ix").for_each(change);
        site.profiles = hinomi::model::Profiles::new(profiles).into();
        site
    };
    let asks = |world: &World| world.asked.iter().any(|a| a.oids.iter().any(|o| *o == id));
    world.agents.reload(site(|_| {}).into(), world.clock());
    world.honest();
    assert!(!asks(&world), "the same profiles, read anew");
    let only_cpu = |p: &mut hinomi::model::Profile| p.measures.retain(|m| m.metric == Metric::Cpu);
    world.agents.reload(site(only_cpu).into(), world.clock());
    let reading = world.honest();
    assert!(asks(&world));
    assert_eq!(reading.profile.as_ref().map(|p| p.own_measures().count()), Some(1));
    assert_eq!(told(&world, reading).0.len(), 1);
}

#[test]
fn an_object_that_comes_later_is_found() {
    let posed = fixture("posed.toml", "agent");
    let nec = posed.iter().find(|p| text(p, "profile") == "nec-ix").unwrap();
    let (mut world, _) = readings(nec, v2c());
    let memory = oid("1.3.6.1.4.1.119.2.3.84.2.6.2.0");
    let had = world.fake.objects.remove(&memory).unwrap();
    let reading = world.honest();
    assert_eq!(
        told(&world, reading).0["memory"],
        None,
        "what was there and is gone is missing"
    );
    world.now = world.now + std::time::Duration::from_secs(301);
    world.honest();
    world.fake.objects.insert(memory, had);
    world.now = world.now + std::time::Duration::from_secs(301);
    let reading = world.honest();
    assert_eq!(told(&world, reading).0["memory"], Some(41.0));
}

#[test]
fn columns_have_rows_and_instances_have_none() {
    // A column asked for as an instance would never be answered; the list says which is which.
    let profiles: std::sync::Arc<Profiles> = builtin_profiles();
    for entry in fixture("verified.toml", "entry") {
        let profile = profiles.by_name(text(&entry, "profile")).unwrap();
        let object = oid(text(&entry, "oid"));
        let all = profile.parts().flat_map(|(_, objects)| objects);
        for found in all.filter(|o| *o.oid() == *object) {
            let tabular = matches!(found, Object::Column(_));
            assert_eq!(
                tabular,
                text(&entry, "kind") == "table",
                "{} {}",
                profile.name,
                text(&entry, "oid")
            );
        }
    }
}

#[test]
fn what_groups_read_stands_in_one_table_only() {
    use hinomi::model::role_source::ROLE_SOURCES;
    for profile in builtin_profiles().iter() {
        for table in &profile.redundancy {
            let source = ROLE_SOURCES.iter().find(|s| s.state == table.state.oid());
            assert!(
                source.is_none(),
                "{}: {} is a source of roles",
                profile.name,
                table.title
            );
        }
    }
}
