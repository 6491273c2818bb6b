//! Stories on an explicit clock: each folder of `tests/scenarios/` has a story, a site, events and the notices expected.
//!
//! `HINOMI_BLESS=1` rewrites the expectations; the difference is what gets reviewed.

use crate::world;
use hinomi::config::{Found, NotFound, SecretFrom, Surroundings};
use hinomi::model::{Secret, Site};
use hinomi::wire::snmp::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use world::World;

/// Every secret of a story is the same word.
pub(crate) struct Dummies;

impl Surroundings for Dummies {
    fn secret(&self, _: &SecretFrom) -> Result<Found, NotFound> {
        Ok(Found {
            secret: Some(Secret::new("public")),
            doubt: None,
        })
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        hinomi::config::Host::new().table(path)
    }

    fn certificates(&self, _: &Path) -> Result<(), NotFound> {
        Ok(())
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<hinomi::config::SourceFile>, hinomi::config::NotFound> {
        hinomi::config::Host::new().profiles(folder)
    }
}

pub(crate) fn site(path: &Path) -> Site {
    let loaded = hinomi::config::load_with(path, &Dummies);
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    loaded
        .site
        .unwrap_or_else(|| panic!("{} does not check:\n{}", path.display(), problems.join("\n")))
}

/// One line of `events.txt`: `90s  down platform-pe-1`.
fn play(world: &mut World, folder: &Path, line: &str) {
    let mut words = line.split_whitespace();
    let at = humantime::parse_duration(words.next().expect("a time")).expect("a time like 90s");
    world.run_to(at);
    let words: Vec<&str> = words.collect();
    match words[..] {
        ["down", device] => world.host(device, false),
        ["up", device] => world.host(device, true),
        ["mute", device] => world.mute(device, true),
        ["speaks", device] => world.mute(device, false),
        ["cpu", device, percent] => world.agent(device).cpu = percent.parse().ok(),
        ["object", device, oid, ref value @ ..] => {
            let value = value.join(" ");
            let value = match value.strip_prefix("text:") {
                Some(text) => Value::OctetString(text.as_bytes().to_vec()),
                None => Value::Integer(value.parse().expect("a whole number")),
            };
            world.agent(device).values.insert(numbers(oid), value);
        }
        ["object-gone", device, oid] => drop(world.agent(device).values.remove(&numbers(oid))),
        ["vrrp", device, ids, state] => {
            for id in range(ids) {
                vrrp(world, device, id, state);
            }
        }
        ["vrrp-counts", device, id, more] => {
            let more = more.parse().expect("a whole number");
            add(world, device, &[VRRP_COUNT, &[2, number(id), 1]].concat(), more);
        }
        ["bgp", device, peer, state] => bgp(world, device, peer, state),
        ["bgp-counts", device, peer, more] => {
            let more = more.parse().expect("a whole number");
            add(world, device, &[BGP, &[15], &numbers(peer)].concat(), more);
        }
        ["table-gone", device, oid] => {
            let column = numbers(oid);
            world.agent(device).values.retain(|oid, _| !oid.starts_with(&column));
        }
        ["agent", device, state] => world.agent(device).running = state == "runs",
        ["reboot", device] => {
            let now = world.elapsed();
            let agent = world.agent(device);
            agent.booted = Some(now);
            for port in &mut agent.ports {
                (port.in_octets, port.out_octets) = (0.0, 0.0);
            }
        }
        ["port", device, name, state] => {
            let port = port(world, device, name);
            match state {
                "up" | "down" => port.up = state == "up",
                "admin-down" | "admin-up" => port.admin_up = state == "admin-up",
                other => panic!("port state `{other}`"),
            }
        }
        ["alias", device, name, text] => text.clone_into(&mut port(world, device, name).alias),
        ["rename", device, name, other] => other.clone_into(&mut port(world, device, name).name),
        ["cannot-send", device, state] => {
            let address = world.address(device);
            match state {
                "on" => drop(world.unsendable.insert(address)),
                _ => drop(world.unsendable.remove(&address)),
            }
        }
        ["says-unreachable", router, device] => {
            let (router, device) = (world.address(router), world.address(device));
            world.says_unreachable.insert(device, router);
        }
        ["lldp", device, name, other, far_port] => lldp(world, device, name, other, far_port),
        ["address", device, name, address, length] => address_of(world, device, name, address, length),
        ["port-gone", device, name] => world.agent(device).ports.retain(|p| p.name != name),
        ["flow", device, name, bps] => {
            let bps = bps.parse().expect("bit/s as a number");
            let port = port(world, device, name);
            (port.in_bps, port.out_bps) = (bps, bps);
        }
        ["swap", device] => {
            let ports = &mut world.agent(device).ports;
            let (a, b) = (ports[0].index, ports[1].index);
            (ports[0].index, ports[1].index) = (b, a);
        }
        ["uplink", state] => world.uplink_up = state == "up",
        ["loss", percent] => world.loss_percent = percent.parse().expect("percent"),
        ["relay", name, state] => match state {
            "down" => drop(world.relays_down.insert(name.to_owned())),
            _ => drop(world.relays_down.remove(name)),
        },
        ["answer", watch, took, ref result @ ..] => {
            let took = humantime::parse_duration(took).expect("a time");
            let result = serde_json::from_str(&result.join(" ")).expect("an answer as JSON");
            world.answers.insert(watch.replace('_', " "), (took, result));
        }
        ["ledger", state] => world.commit_fails = state == "fails",
        ["ack", incident, by] => {
            world
                .acknowledge(incident.parse().expect("a number"), by)
                .expect("the incident is open");
        }
        ["maintain", name, length, ref what @ ..] => {
            world.maintain(name, humantime::parse_duration(length).expect("a time"), what);
        }
        ["maintain-end", name] => world.maintain_end(name),
        ["restart", down_for] => world.restart(humantime::parse_duration(down_for).expect("a time")),
        ["reload", file] => world.reload(site(&folder.join(file))),
        ["end"] => {}
        _ => panic!("no such event: {line}"),
    }
}

fn numbers(oid: &str) -> Vec<u32> {
    let all = oid.split('.').map(|n| n.parse().expect("an object identifier"));
    all.collect()
}

/// VRRPV3-MIB: vrrpv3OperationsEntry and vrrpv3StatisticsMasterTransitions.
const VRRP: &[u32] = &[1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1];
const VRRP_COUNT: &[u32] = &[1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 1];
/// BGP4-MIB: bgpPeerEntry.
const BGP: &[u32] = &[1, 3, 6, 1, 2, 1, 15, 3, 1];

fn number(text: &str) -> u32 {
    text.parse().expect("a whole number")
}

/// `51`, or `1-100`.
fn range(text: &str) -> std::ops::RangeInclusive<u32> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    number(from)..=number(to)
}

fn add(world: &mut World, device: &str, oid: &[u32], more: u32) {
    let values = &mut world.agent(device).values;
    let count = match values.get(oid) {
        Some(Value::Counter32(n)) => *n,
        _ => 0,
    };
    values.insert(oid.to_vec(), Value::Counter32(count + more));
}

/// A virtual router takes a state; the counter of transitions goes with it, as an agent's does.
fn vrrp(world: &mut World, device: &str, id: u32, state: &str) {
    let code = match state {
        "init" => 1,
        "backup" => 2,
        "master" => 3,
        other => panic!("VRRP state `{other}`"),
    };
    let index = [2, id, 1];
    let oid = [VRRP, &[6], &index].concat();
    let before = world.agent(device).values.insert(oid, Value::Integer(code));
    let became = code == 3 && before != Some(Value::Integer(3));
    add(world, device, &[VRRP_COUNT, &index].concat(), u32::from(became));
}

/// A session of BGP takes a state.
fn bgp(world: &mut World, device: &str, peer: &str, state: &str) {
    let states = ["idle", "connect", "active", "opensent", "openconfirm", "established"];
    let code = 1 + states.iter().position(|s| *s == state).expect("a state of BGP");
    let peer = numbers(peer);
    let value = Value::Integer(i64::try_from(code).expect("small"));
    let before = world
        .agent(device)
        .values
        .insert([BGP, &[2], &peer].concat(), value.clone());
    let became = code == 6 && before != Some(value);
    add(world, device, &[BGP, &[15], &peer].concat(), u32::from(became));
}

/// LLDP-MIB: lldpRemEntry.
const LLDP: &[u32] = &[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1];

/// A device hears a neighbour on a port.
fn lldp(world: &mut World, device: &str, name: &str, other: &str, far_port: &str) {
    let index = port(world, device, name).index;
    let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
    let row = [0, index, 1];
    let values = &mut world.agent(device).values;
    for (column, value) in [
        (4, Value::Integer(7)),
        (5, text(other)),
        (6, Value::Integer(5)),
        (7, text(far_port)),
        (8, text("")),
        (9, text(other)),
    ] {
        values.insert([LLDP, &[column], &row].concat(), value);
    }
}

/// A port of a device has an address: ipAdEntIfIndex and ipAdEntNetMask.
fn address_of(world: &mut World, device: &str, name: &str, address: &str, length: &str) {
    const IP_ADDR: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 20, 1];
    let index = port(world, device, name).index;
    let mask = u32::MAX << (32 - number(length));
    let values = &mut world.agent(device).values;
    values.insert(
        [IP_ADDR, &[2], &numbers(address)].concat(),
        Value::Integer(index.into()),
    );
    let mask = Value::IpAddress(mask.to_be_bytes());
    values.insert([IP_ADDR, &[3], &numbers(address)].concat(), mask);
}

fn port<'a>(world: &'a mut World, device: &str, name: &str) -> &'a mut world::Port {
    world
        .agent(device)
        .ports
        .iter_mut()
        .find(|p| p.name == name)
        .unwrap_or_else(|| panic!("no port {name}"))
}

/// What people see: the mails in the order the relays took them, then what is open at the end.
fn told(world: &World) -> String {
    let mut out = String::new();
    for taken in &world.taken {
        let mail = &taken.delivery.mail;
        let thread = if mail.in_reply_to.is_some() { " (reply)" } else { "" };
        let at = taken.at.as_secs_f64();
        let _ = writeln!(out, "{at:8.1} s  {} -> {}{thread}", taken.delivery.route, mail.to);
        let _ = writeln!(out, "            {}", mail.subject);
        for line in mail.body.lines().take_while(|l| !l.is_empty()) {
            let _ = writeln!(out, "            | {line}");
        }
        for line in mail
            .body
            .lines()
            .filter(|l| l.starts_with("Impact") || l.starts_with("Also"))
        {
            let _ = writeln!(out, "            | {line}");
        }
    }
    let _ = writeln!(out, "at the end:");
    let snapshot = world.snapshot();
    for incident in snapshot.incidents.iter().rev() {
        let verdict = incident.isolation.as_ref().map_or("-", |i| i.verdict.key());
        let state = if incident.recovered.is_some() {
            "recovered"
        } else {
            "open"
        };
        let _ = writeln!(
            out,
            "  #{} {} {:?} {state} verdict {verdict}",
            incident.id, incident.root, incident.level
        );
    }
    for device in snapshot
        .devices
        .iter()
        .filter(|d| d.reach != hinomi::model::ReachState::Up)
    {
        let _ = writeln!(out, "  {} is {:?}", device.name, device.reach);
    }
    out
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut all: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("tests/scenarios")
        .flatten()
        .map(|e| e.path())
        .collect();
    // HINOMI_STORY=link plays the stories that have this in their names.
    let only = std::env::var("HINOMI_STORY").unwrap_or_default();
    all.retain(|p| p.is_dir() && p.file_name().is_some_and(|n| n.to_string_lossy().contains(&only)));
    all.sort();
    all
}

#[test]
fn every_story_is_told_as_expected() {
    let bless = std::env::var_os("HINOMI_BLESS").is_some();
    let mut wrong = Vec::new();
    let folders = folders();
    let some = std::env::var_os("HINOMI_STORY").is_some();
    assert!(some || folders.len() >= 12, "the stories are gone");
    for folder in &folders {
        for file in ["story.md", "site.toml", "events.txt"] {
            assert!(folder.join(file).exists(), "{} has no {file}", folder.display());
        }
        let mut world = World::recording(site(&folder.join("site.toml")));
        let events = std::fs::read_to_string(folder.join("events.txt")).expect("events.txt");
        for line in events
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            play(&mut world, folder, line);
        }
        world.run_to(world.elapsed() + Duration::from_millis(1));
        let (book, problems) = hinomi::incident::Book::restore(&world.events);
        assert!(
            problems.is_empty(),
            "{}: the ledger does not fold: {problems:?}",
            folder.display()
        );
        let faults = hinomi::incident::lint(&book);
        assert!(faults.is_empty(), "{}: {faults:?}", folder.display());
        if let Err(why) = world.play_again() {
            wrong.push(format!(
                "{}: played again, it is told otherwise: {why}",
                folder.display()
            ));
        }
        let seen = told(&world);
        let path = folder.join("expected.txt");
        if bless {
            std::fs::write(&path, &seen).expect("expected.txt");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if seen != expected {
            wrong.push(format!(
                "{}\n--- expected\n{expected}--- seen\n{seen}",
                folder.display()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} stories:\n{}",
        wrong.len(),
        folders.len(),
        wrong.join("\n")
    );
}

/// The first mail of a story, whole.
fn first_mail(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    let mut world = World::new(site(&folder.join("site.toml")));
    let events = std::fs::read_to_string(folder.join("events.txt")).expect("events.txt");
    for line in events.lines().map(str::trim).filter(|l| !l.is_empty()) {
        play(&mut world, &folder, line);
    }
    let taken = world.taken.first().expect("a mail");
    taken.delivery.mail.body.clone()
}

#[test]
fn the_evidence_names_the_witness_and_does_not_contradict_itself() {
    let session = "edge-a: the BGP session with 198.51.100.1 is down";
    for (story, witness) in [
        ("platform-silent-neighbour-in-the-subnet-is-the-witness", session),
        ("platform-silent-all-sessions-lost", session),
        (
            "platform-silent-edge-has-no-route",
            "router 192.0.2.11 says the target cannot be reached",
        ),
    ] {
        let body = first_mail(story);
        assert!(body.contains(witness), "{story}:\n{body}");
        assert!(body.contains("edge-a plat0 is up"), "{story}:\n{body}");
        assert!(!body.contains("no independent evidence"), "{story}:\n{body}");
    }
    let open = first_mail("platform-silent-sessions-stand");
    assert!(
        open.contains("edge-a plat0 is up") && open.contains("no independent evidence"),
        "{open}"
    );
    assert!(!open.contains("gives no data"), "it is up: it was read\n{open}");
}

#[test]
fn what_cannot_be_sent_to_says_so() {
    let body = first_mail("cannot-send-to-one-without-uplinks");
    let says = "this host could not send to it: Network is unreachable";
    assert!(body.contains(says), "{body}");
    assert!(body.contains("own network") && !body.contains("cut off"), "{body}");
}

#[test]
fn both_ends_of_a_link_are_named() {
    let written = first_mail("link-written-cut");
    assert!(written.contains("edge-a agg0: the link toward agg up-a"), "{written}");
    let learned = first_mail("link-learned-cut");
    assert!(learned.contains("edge-a agg0: the link toward agg up-a"), "{learned}");
    assert!(learned.contains("agg answers"), "{learned}");
}
