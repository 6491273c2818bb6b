//! Pictures made by hand, and what becomes of them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Host, SourceFile, check};
use crate::core::picture::{CircuitPort, FindingRow, ManagedRow, NumberRow, Port, PortRow, Row};
use crate::core::{ReachState, Snapshot};
use crate::model::{DeviceId, FindingKind, Level, Metric, Part, Role, Site};
use crate::sample::Spread;

/// Devices, and circuits measured at the institution after them.
fn site(devices: &[&str], circuits: usize) -> Arc<Site> {
    let mut text = "[operator]\nname = \"Test\"\n[snmp.s]\nversion = \"2c\"\ncommunity = { env = \"X\" }\n".to_owned();
    for name in devices {
        text += &format!("[[device]]\nname = \"{name}\"\naddress = \"192.0.2.1\"\nsite = \"tokyo\"\nsnmp = \"s\"\n");
    }
    for i in 0..circuits {
        text += &format!(
            "[[circuit]]\nid = \"N-{i:05}\"\ninstitution_id = \"{i}\"\nclass = \"user\"\ncarrier = \"east\"\nmeasure = \"cpe\"\n\
             interface = \"wan0\"\naddress = \"10.{}.{}.{}\"\nsnmp = \"s\"\n",
            i >> 16,
            i >> 8 & 255,
            i & 255
        );
    }
    let file = SourceFile {
        path: "hinomi.toml".into(),
        text,
        private: true,
    };
    let loaded = check(&[file], &Host::new().without_secrets());
    let words: String = loaded.problems.iter().map(ToString::to_string).collect();
    Arc::new(loaded.site.unwrap_or_else(|| panic!("{words}")))
}

const PORT: Port = Port {
    in_octets: Some(18_446_744_073_709_551_615),
    out_octets: None,
    oper: Some(1),
    admin: Some(1),
    speed_bps: Some(10_000_000_000),
};

/// Everything up, each device with a port and a number, each circuit with a port.
fn picture(devices: &[&str], circuits: usize) -> Picture {
    let site = site(devices, circuits);
    let mut p = Picture::new(site.clone(), Snapshot::default());
    for (id, device) in site.iter() {
        p.rows.push(Row {
            role: device.role,
            state: ReachState::Up,
            level: Level::Warning,
            rtt_seconds: 0.0125,
            maintenance: false,
            down_ratio: if device.role == Role::Circuit { 0.5 } else { f32::NAN },
            up_ratio: f32::NAN,
        });
        if device.role == Role::Circuit {
            p.circuit_ports.push(CircuitPort {
                circuit: id,
                port: PORT,
            });
            continue;
        }
        p.managed.push(ManagedRow {
            device: id,
            loss_ratio: Some(0.05),
            round_trip: Some(Spread {
                min_seconds: 0.01,
                max_seconds: 0.25,
                deviation_seconds: 0.03125,
            }),
            uptime_ticks: Some(4_294_967_295),
            profile: None,
        });
        p.ports.push(PortRow {
            device: id,
            index: 501,
            name: "xe-0/0/0".into(),
            alias: Some("to \"PE\"\\1\n\x1b[2J".into()),
            port: PORT,
        });
        p.numbers.push(NumberRow {
            device: id,
            metric: Metric::UtilizationIn,
            part: Some("xe-0/0/0".into()),
            value: Some(71.5),
            level: Some(Level::Warning),
        });
    }
    p
}

fn slices(picture: Picture) -> Vec<String> {
    let mut text = Text::new(String::new(), Arc::new(picture));
    std::iter::from_fn(|| text.next_slice()).collect()
}

#[test]
fn device_text_is_escaped_and_cleaned() {
    let text = slices(picture(&["a"], 0)).concat();
    let labels = "{device=\"a\",ifIndex=\"501\",ifName=\"xe-0/0/0\",ifAlias=\"to \\\"PE\\\"\\\\1[2J\"}";
    for wanted in [
        format!("ifHighSpeed{labels} 10000\n"),
        format!("ifHCInOctets{labels} 18446744073709551615\n"),
        "sysUpTime{device=\"a\"} 4294967295\n".to_owned(),
        "probe_icmp_duration_seconds{device=\"a\",phase=\"rtt\"} 0.0125\n".to_owned(),
        "hinomi_rtt_seconds{device=\"a\",of=\"max\"} 0.25\n".to_owned(),
        "hinomi_device_info{device=\"a\",address=\"192.0.2.1\",owner=\"own\",site=\"tokyo\"} 1\n".to_owned(),
    ] {
        assert!(text.contains(&wanted), "{wanted}{text}");
    }
    assert!(
        !text.contains("ifHCOutOctets"),
        "what was not read has no sample: {text}"
    );
}

#[test]
fn a_circuit_is_labelled_from_the_configuration_alone() {
    let mut p = picture(&["a"], 1);
    p.findings.push(FindingRow {
        device: DeviceId(1),
        part: Part::Device,
        kind: FindingKind::CircuitSilent,
        metric: None,
        level: Level::Warning,
    });
    let text = slices(p).concat();
    for wanted in [
        "hinomi_circuits{state=\"up\"} 1\n",
        "hinomi_targets{state=\"up\"} 1\n",
        "hinomi_circuit_info{circuit=\"N-00000\",institution_id=\"0\",institution=\"0\",class=\"user\",carrier=\"east\",role=\"main\",port=\"wan0\"} 1\n",
        "hinomi_circuit_state{circuit=\"N-00000\",institution_id=\"0\"} 1\n",
        "hinomi_circuit_utilization_ratio{circuit=\"N-00000\",institution_id=\"0\",direction=\"down\"} 0.5\n",
        "ifHCInOctets{device=\"N-00000\",ifName=\"wan0\",circuit=\"N-00000\"} 18446744073709551615\n",
        "ifOperStatus{device=\"N-00000\",ifName=\"wan0\",circuit=\"N-00000\"} 1\n",
        "probe_success{device=\"N-00000\",owner=\"institution\"} 1\n",
        "hinomi_device_level{device=\"N-00000\"} 1\n",
        "hinomi_finding_level{device=\"N-00000\",kind=\"circuit-silent\"} 1\n",
    ] {
        assert!(text.contains(wanted), "{wanted}{text}");
    }
    assert!(!text.contains("direction=\"up\""), "what is unknown is absent: {text}");
}

#[test]
fn every_state_has_its_number_in_the_help() {
    let text = slices(picture(&[], 1)).concat();
    let help = text
        .lines()
        .find(|l| l.starts_with("# HELP hinomi_circuit_state "))
        .unwrap();
    for (number, state) in super::super::once::STATES.iter().enumerate() {
        let words = format!("{number} {}", key(state).replace('-', " "));
        assert!(help.contains(&words), "{words} is not in: {help}");
    }
}

#[test]
fn unknown_is_absent_and_silence_of_the_monitor_accuses_nobody() {
    let mut p = picture(&["a"], 0);
    p.rows[0].state = ReachState::Blind;
    p.rows[0].rtt_seconds = f32::NAN;
    p.numbers[0].value = None;
    let text = slices(p).concat();
    for absent in ["probe_success", "probe_icmp_duration_seconds", "hinomi_metric{"] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(text.contains("hinomi_device_level{device=\"a\"} 1\n"));
    assert!(
        !text.contains("hinomi_circuit"),
        "without circuits there is no word of them"
    );
}

#[test]
fn many_devices_come_in_slices_with_one_head_a_family() {
    let names: Vec<String> = (0..3_000).map(|i| format!("device-{i:05}")).collect();
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    let slices = slices(picture(&names, 2_000));
    assert!(slices.len() > 10, "{} slices", slices.len());
    assert!(slices.iter().all(|s| s.len() < SLICE + MARGIN));
    let text = slices.concat();
    for (name, kind, samples) in [
        ("ifHCInOctets", "counter", 5_000),
        ("ifAdminStatus", "gauge", 3_000),
        ("probe_success", "gauge", 5_000),
        ("hinomi_circuit_state", "gauge", 2_000),
    ] {
        assert_eq!(text.matches(&format!("# TYPE {name} {kind}\n")).count(), 1, "{name}");
        assert_eq!(text.matches(&format!("\n{name}{{")).count(), samples, "{name}");
    }
}

#[test]
fn a_histogram_ends_with_infinity_and_its_count() {
    let mut p = picture(&[], 0);
    p.head.lateness = vec![(0.01, 5), (0.5, 8), (f64::INFINITY, 9)];
    p.head.lateness_sum = 1.25;
    let text = slices(p).concat();
    let wanted = "hinomi_poll_lag_seconds_bucket{le=\"0.01\"} 5\nhinomi_poll_lag_seconds_bucket{le=\"0.5\"} 8\n\
                  hinomi_poll_lag_seconds_bucket{le=\"+Inf\"} 9\nhinomi_poll_lag_seconds_sum 1.25\n\
                  hinomi_poll_lag_seconds_count 9\n";
    assert!(text.contains(wanted), "{text}");
}

/// Prometheus's own parser; its lint may complain of the compatible names only.
#[test]
fn promtool_takes_everything() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut p = picture(&["a", "東京"], 3);
    p.kernel_dropped = vec![("icmp", 0), ("udp", 7)];
    p.head = Snapshot {
        polls: [(("snmp".to_owned(), "ok".to_owned()), 3)].into(),
        notices: [(("office".to_owned(), "accepted".to_owned()), 1)].into(),
        unknown: [("uptime fell".to_owned(), 2)].into(),
        dropped: [(crate::poll::DropReason::LateEcho, 1)].into(),
        lateness: vec![(0.01, 5), (f64::INFINITY, 9)],
        ledger_head: Some((7, "ab12".to_owned())),
        ..Snapshot::default()
    };
    let mut promtool = match Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(_) => return println!("skipped: needs promtool"),
    };
    let text = super::super::Own::new().encode() + &slices(p).concat();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let compatible = ["ifHC", "ifOper", "ifAdmin", "ifHigh", "sysUpTime"];
    let unexpected: Vec<_> = said
        .lines()
        .filter(|l| !compatible.iter().any(|n| l.starts_with(n)))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}\n{text}");
}
