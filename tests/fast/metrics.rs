//! Pictures of a small world with circuits in it, made in slices; and a large one, streamed and read back.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own site has failed")]

use crate::world::World;
use hinomi::config::{Found, NotFound, SecretFrom, SourceFile, Surroundings, check};
use hinomi::core::picture::{CircuitPort, Port, Row};
use hinomi::core::{Picture, ReachState, Snapshot};
use hinomi::metrics::Text;
use hinomi::metrics::names::FAMILIES;
use hinomi::model::{FindingKind, Level, Metric, Role, Secret, Site};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

struct Dummies;

impl Surroundings for Dummies {
    fn secret(&self, _: &SecretFrom) -> Result<Found, NotFound> {
        Ok(Found {
            secret: Some(Secret::new("public")),
            doubt: None,
        })
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        panic!("no table {}", path.display())
    }

    fn certificates(&self, _: &Path) -> Result<(), NotFound> {
        Ok(())
    }

    fn profiles(&self, _: &Path) -> Result<Vec<SourceFile>, NotFound> {
        Ok(Vec::new())
    }
}

fn site(text: &str) -> Site {
    let head = "[operator]\nname = \"Test\"\ntimezone = \"Asia/Tokyo\"\n[snmp.s]\nversion = \"2c\"\ncommunity = { env = \"X\" }\n";
    let file = SourceFile {
        path: "hinomi.toml".into(),
        text: format!("{head}{text}"),
        private: true,
    };
    let loaded = check(&[file], &Dummies);
    let words: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    loaded.site.unwrap_or_else(|| panic!("{}", words.join("\n")))
}

/// The world begins on a Saturday at 06:20 in Tokyo.
const TOWN: &str = r#"
[poll]
interval = "10s"
confirm  = { echoes = 3, over = "5s" }

[[device]]
name       = "agg"
address    = "192.0.2.1"
snmp       = "s"
interfaces = ["up0"]

[[circuit]]
id             = "N-line"
institution_id = "1"
institution    = "Clinic One"
measure        = "device"
device         = "agg"
interface      = "ge-0/0/1"
down           = "100 Mbit/s"
up             = "10 Mbit/s"
power          = "always"

[[circuit]]
id             = "N-cpe"
institution_id = "2"
measure        = "cpe"
interface      = "wan0"
address        = "192.0.2.12"
snmp           = "s"
device         = "agg"
power          = "always"

[[circuit]]
id             = "N-night"
institution_id = "3"
address        = "192.0.2.13"
device         = "agg"
measure        = "none"
power          = "may-be-off"
hours          = "Sat 06:30-12:00"
"#;

fn town() -> World {
    let mut world = World::new(site(TOWN));
    for port in &mut world.agent("agg").ports {
        (port.in_bps, port.out_bps) = (5_000_000, 20_000_000);
    }
    world
}

fn picture(world: &World, step: usize) -> Picture {
    let mut picture = world.core.begin_picture(world.clock());
    for from in (0..world.core.devices()).step_by(step) {
        world.core.picture(from..from + step, &mut picture);
    }
    picture
}

fn row<'p>(picture: &'p Picture, name: &str) -> &'p Row {
    &picture.rows[picture.site.find(name).unwrap().index()]
}

#[test]
fn a_picture_in_slices_is_the_picture_in_one_piece() {
    let mut world = town();
    world.run_to(Duration::from_secs(130));
    world.host("N-cpe", false);
    world.run_to(Duration::from_secs(600));
    let (whole, sliced) = (
        format!("{:?}", picture(&world, 1000)),
        format!("{:?}", picture(&world, 1)),
    );
    assert_eq!(whole, sliced, "compared as text: unknown numbers are NaN");
    let mut snapshot = world.core.begin_snapshot(world.clock());
    (0..world.core.devices()).for_each(|i| world.core.snapshot_slice(i..i + 1, &mut snapshot));
    assert_eq!(snapshot, world.snapshot());
}

#[test]
fn a_circuit_has_its_port_and_its_share_wherever_it_is_measured() {
    let mut world = town();
    world.run_to(Duration::from_secs(130));
    let p = picture(&world, 1000);
    let line = row(&p, "N-line");
    // What leaves the operator's port goes down to the institution: 20 of 100 Mbit/s; 5 of 10 come up.
    assert!(
        (line.down_ratio - 0.2).abs() < 0.01 && (line.up_ratio - 0.5).abs() < 0.02,
        "{line:?}"
    );
    assert_eq!((line.state, line.level), (ReachState::Up, Level::Ok));
    let name = |c: &CircuitPort| p.site.device(c.circuit).name.to_string();
    let ports: BTreeMap<String, Port> = p.circuit_ports.iter().map(|c| (name(c), c.port)).collect();
    assert_eq!(ports.keys().collect::<Vec<_>>(), ["N-cpe", "N-line"]);
    assert!(ports["N-line"].in_octets.unwrap() > 1_000_000 && ports["N-line"].oper == Some(1));
    assert_eq!(p.ports.len(), 1, "a line is no port of its device: {:?}", p.ports);
    assert_eq!(&*p.ports[0].name, "up0");
    let of_agg: Vec<Metric> = p.numbers.iter().map(|n| n.metric).collect();
    assert!(of_agg.contains(&Metric::UtilizationIn), "{of_agg:?}");
    assert!(row(&p, "N-cpe").rtt_seconds > 0.0 && row(&p, "N-line").rtt_seconds.is_nan());
}

#[test]
fn a_silent_circuit_is_a_finding_in_the_picture_and_a_line_in_the_list() {
    let mut world = town();
    world.run_to(Duration::from_secs(130));
    world.host("N-cpe", false);
    world.run_to(Duration::from_secs(600));
    let p = picture(&world, 1000);
    assert_eq!(
        (row(&p, "N-cpe").state, row(&p, "N-cpe").level),
        (ReachState::Down, Level::Warning)
    );
    let silent: Vec<FindingKind> = p.findings.iter().map(|f| f.kind).collect();
    assert_eq!(silent, [FindingKind::CircuitSilent]);
    assert_eq!(p.head.incidents_open, [(Level::Warning, 1)].into());
    let circuits = world.snapshot().circuits;
    assert_eq!(circuits.states, [(ReachState::Up, 2), (ReachState::Down, 1)].into());
    assert_eq!((circuits.listed_count, &*circuits.listed[0].circuit), (1, "N-cpe"));
    assert_eq!(circuits.listed[0].findings, [FindingKind::CircuitSilent]);
    assert_eq!((circuits.still_off_count, circuits.still_off.len()), (0, 0));
}

#[test]
fn who_is_still_off_half_an_hour_after_opening_is_listed_for_the_help_desk() {
    let mut world = town();
    world.run_to(Duration::from_secs(130));
    world.host("N-night", false);
    // Opens at 06:30: 10 minutes after the start.
    world.run_to(Duration::from_secs(2_390));
    let circuits = world.snapshot().circuits;
    assert_eq!(circuits.states.get(&ReachState::Off), Some(&1), "{circuits:?}");
    assert_eq!((circuits.listed_count, circuits.still_off_count), (0, 0));
    world.run_to(Duration::from_secs(2_461));
    let circuits = world.snapshot().circuits;
    assert_eq!(circuits.still_off_count, 1);
    assert_eq!(&*circuits.still_off[0].circuit, "N-night");
    world.host("N-night", true);
    world.run_to(Duration::from_secs(2_600));
    assert_eq!(world.snapshot().circuits.still_off_count, 0);
}

#[test]
fn a_circuit_is_told_in_full_by_name_and_left_out_of_the_whole() {
    let mut world = town();
    world.run_to(Duration::from_secs(130));
    let line = world.core.device("N-line").unwrap();
    let circuit = line.circuit.unwrap();
    assert_eq!(
        (&*circuit.institution, circuit.line_device.as_deref()),
        ("Clinic One", Some("agg"))
    );
    assert_eq!(line.interfaces.len(), 1);
    assert!(
        line.interfaces[0]
            .out_bps
            .as_ref()
            .is_ok_and(|bps| (*bps / 2e7 - 1.0).abs() < 0.05)
    );
    assert!(world.core.device("N-nobody").is_none());
    let names =
        |d: &hinomi::core::DeviceStatus| d.interfaces.iter().map(|i| i.name.to_string()).collect::<BTreeSet<_>>();
    let snapshot = world.snapshot();
    assert_eq!(snapshot.devices.len(), 1);
    assert_eq!(names(&snapshot.devices[0]), ["up0".to_owned()].into());
    let asked = names(&world.core.device("agg").unwrap());
    assert_eq!(asked, ["up0".to_owned(), "ge-0/0/1".to_owned()].into());
}

/// A nation's lists stay short, and the worst are in them.
#[test]
fn lists_of_circuits_are_cut_and_counted() {
    let mut text = "[poll]\ninterval = \"10s\"\nconfirm = { echoes = 3, over = \"5s\" }\n".to_owned();
    for i in 0..450 {
        // The last fifty are of service providers: critical after a minute.
        let class = if i < 400 { "user" } else { "service-provider" };
        text += &format!(
            "[[circuit]]\nid = \"N-{i:03}\"\ninstitution_id = \"{i}\"\nclass = \"{class}\"\nmeasure = \"none\"\naddress = \"10.0.{}.{}\"\npower = \"always\"\n",
            i / 250,
            i % 250 + 1
        );
    }
    let mut world = World::new(site(&text));
    world.run_to(Duration::from_secs(60));
    for i in 0..450 {
        world.host(&format!("N-{i:03}"), i % 10 == 0 && i < 400);
    }
    world.run_to(Duration::from_secs(900));
    let circuits = world.snapshot().circuits;
    assert_eq!(circuits.states.values().sum::<u64>(), 450);
    assert_eq!(circuits.listed.len(), 200);
    assert_eq!(circuits.listed_count, 410);
    let levels: Vec<Level> = circuits.listed.iter().map(|c| c.level).collect();
    assert!(levels.is_sorted_by(|a, b| a >= b), "the worst first");
    assert_eq!(levels.iter().filter(|l| **l == Level::Critical).count(), 50);
}

/// `HINOMI_BLESS=1` rewrites the document; the difference is what gets reviewed.
#[test]
fn the_document_lists_every_family() {
    let mut table = String::from("| Name | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for f in FAMILIES {
        let labels: Vec<String> = f.labels.iter().map(|l| format!("`{l}`")).collect();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            f.name,
            f.kind.key(),
            labels.join(" "),
            f.help
        );
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, _) = text.split_once("| Name |").unwrap();
    let wanted = head.to_owned() + &table;
    if std::env::var_os("HINOMI_BLESS").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    assert!(
        text == wanted || std::env::var_os("HINOMI_BLESS").is_some(),
        "docs/metrics.md is not what names.rs says"
    );
}

/// A picture of many circuits, all up.
fn nation(circuits: usize) -> Picture {
    let mut text = String::new();
    for i in 0..circuits {
        text += &format!(
            "[[circuit]]\nid = \"N-{i:07}\"\ninstitution_id = \"{i:07}\"\nclass = \"user\"\nmeasure = \"cpe\"\ninterface = \"wan0\"\naddress = \"10.{}.{}.{}\"\nsnmp = \"s\"\n",
            i >> 16,
            i >> 8 & 255,
            i & 255
        );
    }
    let site = Arc::new(site(&text));
    let mut p = Picture::new(site.clone(), Snapshot::default());
    for (n, (id, device)) in site.iter().enumerate() {
        p.rows.push(Row {
            role: device.role,
            state: ReachState::Up,
            level: Level::Ok,
            rtt_seconds: n as f32 * 1e-6,
            maintenance: false,
            down_ratio: 0.25,
            up_ratio: 0.125,
        });
        let port = Port {
            in_octets: Some(n as u64 * 1_000_003),
            out_octets: Some(n as u64),
            oper: Some(1),
            ..Port::default()
        };
        p.circuit_ports.push(CircuitPort { circuit: id, port });
    }
    assert!(p.rows.iter().all(|r| r.role == Role::Circuit));
    p
}

/// A parser of the text format as small as can be: families in one run, a type before the first sample, each series once.
#[derive(Default)]
struct Parser {
    rest: String,
    family: String,
    ended: HashSet<String>,
    series: HashSet<String>,
    samples: BTreeMap<String, u64>,
}

impl Parser {
    fn feed(&mut self, slice: &str) {
        self.rest.push_str(slice);
        let text = std::mem::take(&mut self.rest);
        let (lines, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
        lines.lines().for_each(|l| self.line(l));
        self.rest = rest.to_owned();
    }

    fn line(&mut self, line: &str) {
        if let Some(head) = line.strip_prefix("# ") {
            let mut words = head.splitn(3, ' ');
            let (what, name) = (words.next().unwrap(), words.next().unwrap());
            if what == "HELP" {
                assert!(self.ended.insert(name.to_owned()), "{name} begins twice");
                self.family = name.to_owned();
            }
            assert!(what == "HELP" || name == self.family, "{line}");
            return;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|s| name.strip_suffix(s))
            .unwrap_or(name);
        assert!(
            name == self.family || base == self.family,
            "{line} stands in {}",
            self.family
        );
        assert!(labels.ends_with('}'), "{line}");
        for label in labels.trim_end_matches('}').split(',').filter(|l| !l.is_empty()) {
            let (key, text) = label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(
                text.ends_with('"') && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{line}"
            );
        }
        assert!(self.series.insert(series.to_owned()), "{series} stands twice");
        *self.samples.entry(name.to_owned()).or_default() += 1;
    }
}

#[test]
fn a_nation_is_streamed_in_small_slices_that_parse() {
    const CIRCUITS: usize = 20_000;
    let mut text = Text::new(String::new(), Arc::new(nation(CIRCUITS)));
    let mut parser = Parser::default();
    let (mut bytes, mut largest) = (0, 0);
    while let Some(slice) = text.next_slice() {
        (bytes, largest) = (bytes + slice.len(), largest.max(slice.capacity()));
        parser.feed(&slice);
    }
    assert_eq!(parser.rest, "", "the last line ends");
    assert!(
        bytes > 10_000_000 && largest <= 72 << 10,
        "{bytes} bytes, slices of {largest}"
    );
    for name in [
        "probe_success",
        "probe_icmp_duration_seconds",
        "ifHCInOctets",
        "ifHCOutOctets",
        "ifOperStatus",
        "hinomi_circuit_info",
        "hinomi_circuit_state",
        "hinomi_device_level",
    ] {
        assert_eq!(parser.samples.get(name), Some(&(CIRCUITS as u64)), "{name}");
    }
    assert_eq!(
        parser.samples.get("hinomi_circuit_utilization_ratio"),
        Some(&(2 * CIRCUITS as u64))
    );
    assert!(parser.series.contains("hinomi_circuits{state=\"up\"}"));
}

const PAIR: &str = r#"
[poll]
interval = "10s"

[[device]]
name    = "edge-a"
address = "192.0.2.11"
snmp    = "s"

[[device]]
name    = "edge-b"
address = "192.0.2.12"
snmp    = "s"

[[redundancy]]
name      = "edge gateway"
kind      = "vrrp"
members   = ["edge-a", "edge-b"]
preferred = "edge-a"
"#;

#[test]
fn a_group_is_told_by_member_and_as_a_whole() {
    use hinomi::wire::snmp::Value;
    let mut world = World::new(site(PAIR));
    let state = |world: &mut World, device: &str, state: i64| {
        let oid = vec![1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 6, 2, 51, 1];
        world.agent(device).values.insert(oid, Value::Integer(state));
    };
    state(&mut world, "edge-a", 3);
    state(&mut world, "edge-b", 2);
    world.run_to(Duration::from_secs(60));
    state(&mut world, "edge-a", 2);
    state(&mut world, "edge-b", 3);
    world.run_to(Duration::from_secs(120));
    let mut pieces = Text::new(String::new(), Arc::new(picture(&world, 1000)));
    let text: String = std::iter::from_fn(|| pieces.next_slice()).collect();
    for line in [
        "hinomi_redundancy_role{group=\"edge gateway\",member=\"edge-b\",instance=\"51\",role=\"active\"} 1",
        "hinomi_redundancy_role{group=\"edge gateway\",member=\"edge-a\",instance=\"51\",role=\"active\"} 0",
        "hinomi_redundancy_ready{group=\"edge gateway\"} 2",
        "hinomi_redundancy_configured{group=\"edge gateway\"} 2",
        "hinomi_redundancy_level{group=\"edge gateway\"} 1",
        "hinomi_switchovers_total{group=\"edge gateway\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    let snapshot = world.snapshot();
    let group = &snapshot.redundancy[0];
    assert_eq!(
        (group.ready, group.configured, group.level),
        (Some(2), 2, Level::Warning)
    );
    assert_eq!(group.instances[0].active.as_deref(), Some("edge-b"));
    assert_eq!(group.instances[0].preferred.as_deref(), Some("edge-a"));
    let json = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(
        serde_json::from_str::<Snapshot>(&json).unwrap().redundancy,
        snapshot.redundancy
    );
}
