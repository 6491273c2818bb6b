//! What is written by name is measured or told, whatever its agent lacks, freezes or lies about: random configurations against random
//! agents, on the virtual clock.

use crate::trap::site;
use crate::world::{Lie, World};
use hinomi::core::{DeviceStatus, MetricStatus};
use hinomi::model::{FindingKind, Level, Metric, Part, Site};
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

/// Objects that an agent may lie about: what for, and the start of their identifiers.
const OBJECTS: [(&str, &[u32]); 11] = [
    ("sysUpTime", &[1, 3, 6, 1, 2, 1, 1, 3]),
    ("ifNumber", &[1, 3, 6, 1, 2, 1, 2, 1]),
    ("ifSpeed", &[1, 3, 6, 1, 2, 1, 2, 2, 1, 5]),
    ("ifAdminStatus", &[1, 3, 6, 1, 2, 1, 2, 2, 1, 7]),
    ("ifOperStatus", &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8]),
    ("ifName", &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1]),
    ("ifHCInOctets", &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6]),
    ("ifHCOutOctets", &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10]),
    ("ifHighSpeed", &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15]),
    ("hrProcessorLoad", &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2]),
    ("the watched object", &WATCHED),
];
const WATCHED: [u32; 8] = [1, 3, 6, 1, 3, 9, 9, 0];
const IF_SPEED: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 5];

const IN_BPS: u64 = 300_000_000;
const OUT_BPS: u64 = 150_000_000;

/// One configuration, and what its agent does.
#[derive(Clone, Debug)]
struct Story {
    interval: u64,
    /// Of `no-data`, `interface-missing` and `agent-silent`.
    after: u64,
    ports: usize,
    /// Contracted rate of the ports, Mbit/s.
    rate: Option<u64>,
    /// The threshold on the CPU stands on the device itself.
    own_cpu: bool,
    /// The agent has ifSpeed beside ifHighSpeed.
    low_speed: bool,
    lies: Vec<(usize, Lie)>,
    /// When the lies begin, seconds.
    begins: u64,
    /// hinomi is started anew so long after the lies began.
    restart: Option<u64>,
}

impl Story {
    fn site(&self) -> Site {
        let cpu = "cpu = { warning = \"70 %\", for = \"0s\" }";
        let (all, own) = match self.own_cpu {
            true => ("", format!("thresholds.{cpu}")),
            false => (cpu, String::new()),
        };
        let rate = self
            .rate
            .map(|r| format!(", rate = \"{r} Mbit/s\""))
            .unwrap_or_default();
        let ports: Vec<String> = (0..self.ports)
            .map(|i| format!("{{ name = \"xe-{i}\"{rate} }}"))
            .collect();
        let text = format!(
            r#"
[operator]
name = "Test"
language = "en"
[poll]
interval = "{interval}s"
timeout = "1s"
confirm = {{ echoes = 3, over = "2s" }}
[findings]
no-data = {{ level = "warning", after = "{after}s" }}
interface-missing = {{ level = "warning", after = "{after}s" }}
agent-silent = {{ level = "warning", after = "{after}s" }}
[thresholds]
utilization = {{ warning = "90 %", for = "0s" }}
{all}
[snmp.two]
version = "2c"
community = {{ env = "public" }}
[[device]]
name = "edge"
address = "192.0.2.1"
snmp = "two"
interfaces = [{ports}]
watch = [{{ name = "fuel", oid = "{watched}", unit = "l", warning = 90, critical = 95 }}]
{own}
[[contact]]
name = "noc"
party = "own"
mail = ["noc@example.net"]
[[procedure]]
name = "all"
tell = ["noc"]
[[route]]
name = "office"
smtp = "smtps://mail.example.net"
from = "hinomi@example.net"
"#,
            interval = self.interval,
            after = self.after,
            ports = ports.join(", "),
            watched = WATCHED.map(|n| n.to_string()).join("."),
        );
        Site::clone(&site(&text))
    }

    /// All that is waited for is told by then: three intervals, 30 s until rates are known, the delay of the finding; five minutes more
    /// until zero is no number, and the rounds in which names are looked for in vain.
    fn bound(&self) -> u64 {
        let zero = self.lies.iter().any(|(_, lie)| *lie == Lie::Zero);
        self.after + 30 + self.interval * 6 + if zero { 300 } else { 0 } + 15
    }

    fn run(&self) -> Result<(), String> {
        let s = Duration::from_secs;
        let mut world = World::new(self.site());
        for port in &mut world.agent("edge").ports {
            (port.in_bps, port.out_bps) = (IN_BPS, OUT_BPS);
        }
        world.agent("edge").set(&WATCHED, 40);
        if self.low_speed {
            for i in 0..self.ports as u32 {
                world
                    .agent("edge")
                    .set_gauge(&[&IF_SPEED[..], &[501 + i]].concat(), 1_000_000_000);
            }
        }
        world.run_to(s(self.begins));
        for (object, lie) in &self.lies {
            world.lie("edge", OBJECTS[*object].1, *lie);
        }
        let mut from = self.begins;
        if let Some(after) = self.restart {
            from += after;
            world.run_to(s(from));
            world.restart(s(2));
            from += 2;
        }
        world.run_to(s(from + self.bound()));
        let snapshot = world.snapshot();
        let device = snapshot.devices.iter().find(|d| &*d.name == "edge").ok_or("no edge")?;
        self.judge(device)
    }

    fn judge(&self, device: &DeviceStatus) -> Result<(), String> {
        for i in 0..self.ports {
            let port = format!("xe-{i}");
            let speed = self.rate.map_or(1_000.0, |r| r as f64) * 1e6;
            for (metric, bps) in [(Metric::UtilizationIn, IN_BPS), (Metric::UtilizationOut, OUT_BPS)] {
                self.told_or(device, metric, Some(&port), bps as f64 / speed * 100.0)?;
            }
            let state = device.interfaces.iter().any(|p| *p.name == *port && p.oper.is_some());
            if !state && !told(device, Some(&port)) {
                return Err(format!("the state of {port} is not known, and nobody is told"));
            }
        }
        self.told_or(device, Metric::Watch, Some("fuel"), 40.0)?;
        if self.own_cpu {
            self.told_or(device, Metric::Cpu, None, 10.0)?;
        }
        let silent = |m: &&MetricStatus| m.value.is_err() && m.level == Some(Level::Ok);
        match device.metrics.iter().find(silent) {
            Some(m) => Err(format!("{m:?} is not known and called ok")),
            None => Ok(()),
        }
    }

    /// Is the number known, and right, or is it told that it is not?
    fn told_or(&self, device: &DeviceStatus, metric: Metric, part: Option<&str>, right: f64) -> Result<(), String> {
        let of = |m: &&MetricStatus| m.metric == metric && m.part.as_deref() == part;
        let value = device.metrics.iter().find(of).map(|m| m.value.clone());
        let right = match &value {
            Some(Ok(v)) => self.may_be_wrong(metric) || (v / right - 1.0).abs() < 0.1,
            _ => false,
        };
        if right || told(device, part) {
            return Ok(());
        }
        let findings: Vec<String> = device
            .findings
            .iter()
            .map(|f| format!("{} {:?}", f.key, f.level))
            .collect();
        Err(format!(
            "{metric:?} of {part:?} is {value:?}, and nobody is told: {findings:?}"
        ))
    }

    /// A number that stands, or is 0, may be true: nobody can tell. So it is with octets of a port; but not with both directions at zero,
    /// and not with a speed, as long as there are two of them.
    fn may_be_wrong(&self, metric: Metric) -> bool {
        let lied = |name: &str| {
            let of =
                |(object, lie): &&(usize, Lie)| OBJECTS[*object].0 == name && matches!(lie, Lie::Freezes | Lie::Zero);
            self.lies.iter().any(|l| of(&l))
        };
        match metric {
            Metric::Watch => lied("the watched object"),
            Metric::Cpu => lied("hrProcessorLoad"),
            Metric::UtilizationIn => lied("ifHCInOctets"),
            Metric::UtilizationOut => lied("ifHCOutOctets"),
            _ => false,
        }
    }
}

/// Is something told of this part, or of the device as a whole?
fn told(device: &DeviceStatus, part: Option<&str>) -> bool {
    let concerns = |key: &hinomi::model::FindingKey| match &key.part {
        Part::Interface(name) | Part::Watch(name) => part == Some(&**name),
        Part::Device => part.is_none() || key.metric.is_none(),
        _ => false,
    };
    let kinds = [
        FindingKind::NoData,
        FindingKind::InterfaceMissing,
        FindingKind::InterfaceDown,
        FindingKind::AgentSilent,
        FindingKind::Threshold,
    ];
    let mut raised = device.findings.iter().filter(|f| f.level > Level::Ok);
    raised.any(|f| kinds.contains(&f.key.kind) && concerns(&f.key))
}

fn story() -> impl Strategy<Value = Story> {
    let lie = select(vec![Lie::Lacks, Lie::Freezes, Lie::Retypes, Lie::Zero]);
    let config = (
        select(vec![5u64, 10, 30, 60]),
        select(vec![0u64, 20, 60]),
        1..4usize,
        proptest::option::of(select(vec![500u64, 1_000])),
        any::<bool>(),
        any::<bool>(),
    );
    let agent = (
        proptest::collection::vec((0..OBJECTS.len(), lie), 1..3),
        select(vec![0u64, 1, 47, 200]),
        proptest::option::of(select(vec![20u64, 100, 400])),
    );
    (config, agent).prop_map(
        |((interval, after, ports, rate, own_cpu, low_speed), (lies, begins, restart))| Story {
            interval,
            after,
            ports,
            rate,
            own_cpu,
            low_speed,
            lies,
            begins,
            restart,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_by_name_is_measured_or_told(story in story()) {
        if let Err(why) = story.run() {
            prop_assert!(false, "{}\n{:?}", why, story);
        }
    }
}

/// Each object in each way once, from the start and later: what the random stories may miss.
#[test]
fn each_object_that_is_lied_about_is_noticed() {
    let mut wrong = Vec::new();
    for (object, (name, _)) in OBJECTS.iter().enumerate() {
        for lie in [Lie::Lacks, Lie::Freezes, Lie::Retypes, Lie::Zero] {
            for begins in [0, 100] {
                let story = Story {
                    interval: 5,
                    after: 20,
                    ports: 2,
                    rate: None,
                    own_cpu: true,
                    low_speed: begins > 0,
                    lies: vec![(object, lie)],
                    begins,
                    restart: None,
                };
                if let Err(why) = story.run() {
                    wrong.push(format!("{name} {lie:?} from {begins} s: {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A threshold for all, or a pattern, may have nothing to judge on a device; what it once judged is waited for, also after a restart.
#[test]
fn what_was_once_given_is_waited_for_after_a_restart() {
    let s = Duration::from_secs;
    let story = |own_cpu| Story {
        interval: 5,
        after: 20,
        ports: 1,
        rate: None,
        own_cpu,
        low_speed: false,
        lies: Vec::new(),
        begins: 0,
        restart: None,
    };
    let no_data = |world: &World| {
        let findings = &world.snapshot().devices[0].findings;
        findings
            .iter()
            .any(|f| f.key.kind == FindingKind::NoData && f.key.metric == Some(Metric::Cpu) && f.level > Level::Ok)
    };
    for (own_cpu, given, memory, told) in [
        (true, false, false, true),
        (true, true, false, true),
        (false, true, true, true),
        (false, true, false, false),
        (false, false, true, false),
    ] {
        let mut world = World::new(story(own_cpu).site());
        if !given {
            world.agent("edge").cpu = None;
        }
        world.run_to(s(60));
        world.agent("edge").cpu = None;
        world.run_to(s(64));
        match memory {
            true => world.restart_with_memory(s(1)),
            false => world.restart(s(1)),
        }
        world.run_to(s(130));
        assert_eq!(
            no_data(&world),
            told,
            "own threshold: {own_cpu}, given: {given}, remembered: {memory}"
        );
    }
}
