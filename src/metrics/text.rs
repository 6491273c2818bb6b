//! The text exposition format, streamed family by family and device by device from a snapshot.

use super::names::{Emit, FAMILIES, Kind};
use crate::core::{DeviceStatus, InterfaceStatus, MetricStatus, ReachState, Snapshot};
use crate::model::{Level, Part};
use std::fmt::Write as _;
use std::sync::Arc;

/// A slice is handed out when it has grown past this.
const SLICE: usize = 64 << 10;

/// Longest label value: device text can be long, and a series is kept for weeks.
const LONGEST_LABEL: usize = 200;

/// The whole of `/metrics`, handed out in slices.
#[derive(Debug)]
pub struct Text {
    own: Option<String>,
    snapshot: Arc<Snapshot>,
    family: usize,
    device: usize,
}

impl Text {
    /// `own` is [`super::Own::encode`].
    pub fn new(own: String, snapshot: Arc<Snapshot>) -> Text {
        Text {
            own: Some(own),
            snapshot,
            family: 0,
            device: 0,
        }
    }

    /// The next slice; `None` at the end.
    pub fn next_slice(&mut self) -> Option<String> {
        if let Some(own) = self.own.take() {
            return Some(own);
        }
        let mut writer = Writer::default();
        while let Some(family) = FAMILIES.get(self.family) {
            writer.begin(family.name, family.kind, family.help, family.labels);
            // A family that goes on in a new slice has had its head already.
            writer.headed = self.device > 0;
            match family.emit {
                Emit::Registry => {}
                Emit::Once(write) => write(&self.snapshot, &mut writer),
                Emit::PerDevice(write) => {
                    while let Some(device) = self.snapshot.devices.get(self.device) {
                        if writer.out.len() >= SLICE {
                            return Some(writer.out);
                        }
                        write(device, &mut writer);
                        self.device += 1;
                    }
                }
            }
            self.device = 0;
            self.family += 1;
        }
        (!writer.out.is_empty()).then_some(writer.out)
    }
}

/// Writes the samples of one family after the other.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    headed: bool,
}

impl Writer {
    fn begin(&mut self, name: &'static str, kind: Kind, help: &'static str, labels: &'static [&'static str]) {
        (self.name, self.kind, self.help, self.labels) = (name, kind.key(), help, labels);
    }

    /// The head stands before the first sample only, so that an empty family leaves no trace.
    fn head(&mut self) {
        if !self.headed {
            let _ = writeln!(
                self.out,
                "# HELP {} {}\n# TYPE {} {}",
                self.name, self.help, self.name, self.kind
            );
            self.headed = true;
        }
    }

    /// One sample; label values in the order of the family's labels.
    fn sample(&mut self, values: &[&str], value: f64) {
        self.line("", values, None, value);
    }

    fn line(&mut self, suffix: &str, values: &[&str], le: Option<&str>, value: f64) {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        self.head();
        let _ = write!(self.out, "{}{suffix}", self.name);
        let labels = self.labels.iter().copied().zip(values.iter().copied());
        let mut open = false;
        for (label, text) in labels.chain(le.map(|le| ("le", le))) {
            self.out.push(if open { ',' } else { '{' });
            open = true;
            self.out.push_str(label);
            self.out.push_str("=\"");
            escape(text, &mut self.out);
            self.out.push('"');
        }
        if open {
            self.out.push('}');
        }
        self.out.push(' ');
        number(value, &mut self.out);
        self.out.push('\n');
    }
}

/// Escapes a label value, drops control characters and cuts it.
fn escape(text: &str, out: &mut String) {
    for c in text.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL) {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

fn number(value: f64, out: &mut String) {
    let _ = match value {
        v if v.is_nan() => write!(out, "NaN"),
        v if v.is_infinite() => write!(out, "{}Inf", if v > 0.0 { '+' } else { '-' }),
        v => write!(out, "{v}"),
    };
}

fn level(level: Level) -> f64 {
    match level {
        Level::Ok => 0.0,
        Level::Warning => 1.0,
        Level::Critical => 2.0,
    }
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// The kebab-case name of a unit variant, as in `--json`.
pub(crate) fn key<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned()
}

pub(super) fn config_info(s: &Snapshot, w: &mut Writer) {
    w.sample(&[&s.fingerprint], 1.0);
}

pub(super) fn blind(s: &Snapshot, w: &mut Writer) {
    w.sample(&[], truth(s.blind));
}

const STATES: [ReachState; 8] = [
    ReachState::Unknown,
    ReachState::Up,
    ReachState::Lossy,
    ReachState::Suspect,
    ReachState::Down,
    ReachState::Unreachable,
    ReachState::Blind,
    ReachState::NotWatched,
];

pub(super) fn targets(s: &Snapshot, w: &mut Writer) {
    for state in STATES {
        let count = s.devices.iter().filter(|d| d.reach == state).count();
        w.sample(&[&key(&state)], count as f64);
    }
}

pub(super) fn polls(s: &Snapshot, w: &mut Writer) {
    for ((kind, result), count) in &s.polls {
        w.sample(&[kind, result], *count as f64);
    }
}

pub(super) fn lag(s: &Snapshot, w: &mut Writer) {
    let mut count = 0;
    for (bound, below) in s.lateness.iter().filter(|(bound, _)| bound.is_finite()) {
        w.line("_bucket", &[], Some(&bound.to_string()), *below as f64);
        count = *below;
    }
    if let Some((_, all)) = s.lateness.iter().find(|(bound, _)| !bound.is_finite()) {
        count = *all;
    }
    w.line("_bucket", &[], Some("+Inf"), count as f64);
    w.line("_sum", &[], None, s.lateness_sum);
    w.line("_count", &[], None, count as f64);
}

pub(super) fn dropped(s: &Snapshot, w: &mut Writer) {
    for (reason, count) in &s.dropped {
        w.sample(&[&key(reason)], *count as f64);
    }
}

pub(super) fn unknown(s: &Snapshot, w: &mut Writer) {
    for (reason, count) in &s.unknown {
        w.sample(&[reason], *count as f64);
    }
}

pub(super) fn incidents(s: &Snapshot, w: &mut Writer) {
    for l in [Level::Ok, Level::Warning, Level::Critical] {
        let open = s.incidents.iter().filter(|i| i.recovered.is_none() && i.level == l);
        w.sample(&[&key(&l)], open.count() as f64);
    }
}

pub(super) fn notices(s: &Snapshot, w: &mut Writer) {
    for ((route, result), count) in &s.notices {
        w.sample(&[route, result], *count as f64);
    }
}

pub(super) fn pending(s: &Snapshot, w: &mut Writer) {
    for l in [Level::Ok, Level::Warning, Level::Critical] {
        let count = s.outbox_pending.get(&l).copied().unwrap_or(0);
        w.sample(&[&key(&l)], count as f64);
    }
}

pub(super) fn oldest(s: &Snapshot, w: &mut Writer) {
    w.sample(&[], s.outbox_oldest_seconds);
}

pub(super) fn stuck(s: &Snapshot, w: &mut Writer) {
    w.sample(&[], s.outbox_stuck as f64);
}

pub(super) fn route_ready(s: &Snapshot, w: &mut Writer) {
    for route in &s.routes {
        // Not tested yet is not ready: an alert on 0 must not wait for the first test.
        w.sample(&[&route.name], truth(route.ready == Some(true)));
    }
}

pub(super) fn ledger_working(s: &Snapshot, w: &mut Writer) {
    w.sample(&[], truth(s.ledger_error.is_none()));
}

pub(super) fn ledger_sequence(s: &Snapshot, w: &mut Writer) {
    if let Some((sequence, _)) = &s.ledger_head {
        w.sample(&[], *sequence as f64);
    }
}

pub(super) fn ledger_head(s: &Snapshot, w: &mut Writer) {
    if let Some((_, hash)) = &s.ledger_head {
        w.sample(&[hash], 1.0);
    }
}

pub(super) fn device_info(d: &DeviceStatus, w: &mut Writer) {
    let word = |w: &Option<crate::model::Name>| w.as_deref().unwrap_or_default().to_owned();
    let profile = d.profile.as_deref().unwrap_or_default();
    w.sample(
        &[
            &d.name,
            &d.address,
            d.owner.key(),
            &word(&d.site),
            &word(&d.group),
            profile,
        ],
        1.0,
    );
}

pub(super) fn device_level(d: &DeviceStatus, w: &mut Writer) {
    w.sample(&[&d.name], level(d.level));
}

pub(super) fn finding_level(d: &DeviceStatus, w: &mut Writer) {
    for f in &d.findings {
        let part = match &f.key.part {
            Part::Device | Part::Host => "",
            Part::Interface(name)
            | Part::Watch(name)
            | Part::Component(name)
            | Part::Route(name)
            | Part::Common(name) => name,
        };
        let metric = f.key.metric.map(|m| key(&m)).unwrap_or_default();
        w.sample(&[&d.name, part, f.key.kind.key(), &metric], level(f.level));
    }
}

fn each_metric(d: &DeviceStatus, mut write: impl FnMut(&MetricStatus, &[&str; 3])) {
    for m in &d.metrics {
        write(m, &[&d.name, &key(&m.metric), m.part.as_deref().unwrap_or_default()]);
    }
}

pub(super) fn metric(d: &DeviceStatus, w: &mut Writer) {
    // A number that is not known has no sample: absent, never zero.
    each_metric(d, |m, labels| {
        if let Ok(value) = m.value {
            w.sample(labels, value);
        }
    });
}

pub(super) fn metric_level(d: &DeviceStatus, w: &mut Writer) {
    each_metric(d, |m, labels| w.sample(labels, level(m.level)));
}

pub(super) fn loss(d: &DeviceStatus, w: &mut Writer) {
    if let Some(percent) = d.loss_percent {
        w.sample(&[&d.name], percent / 100.0);
    }
}

pub(super) fn probe_success(d: &DeviceStatus, w: &mut Writer) {
    let value = match d.reach {
        ReachState::Up | ReachState::Lossy => 1.0,
        ReachState::Suspect | ReachState::Down | ReachState::Unreachable => 0.0,
        // Silence of the monitor is not silence of the device.
        ReachState::Unknown | ReachState::Blind | ReachState::NotWatched | ReachState::Off => return,
    };
    w.sample(&[&d.name, d.owner.key()], value);
}

pub(super) fn rtt(d: &DeviceStatus, w: &mut Writer) {
    if let Some(seconds) = d.rtt_seconds {
        w.sample(&[&d.name, "rtt"], seconds);
    }
}

pub(super) fn uptime(d: &DeviceStatus, w: &mut Writer) {
    if let Some(ticks) = d.uptime_ticks {
        w.sample(&[&d.name], f64::from(ticks));
    }
}

fn each_interface(d: &DeviceStatus, w: &mut Writer, value: impl Fn(&InterfaceStatus) -> Option<f64>) {
    for i in &d.interfaces {
        if let Some(v) = value(i) {
            let alias = i.alias.as_deref().unwrap_or_default();
            w.sample(&[&d.name, &i.index.to_string(), &i.name, alias], v);
        }
    }
}

pub(super) fn in_octets(d: &DeviceStatus, w: &mut Writer) {
    each_interface(d, w, |i| i.in_octets.map(|v| v as f64));
}

pub(super) fn out_octets(d: &DeviceStatus, w: &mut Writer) {
    each_interface(d, w, |i| i.out_octets.map(|v| v as f64));
}

pub(super) fn oper(d: &DeviceStatus, w: &mut Writer) {
    each_interface(d, w, |i| i.oper.map(f64::from));
}

pub(super) fn admin(d: &DeviceStatus, w: &mut Writer) {
    each_interface(d, w, |i| i.admin.map(f64::from));
}

pub(super) fn speed(d: &DeviceStatus, w: &mut Writer) {
    each_interface(d, w, |i| i.speed_bps.map(|bps| bps as f64 / 1e6));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Metric, Owner, Wall};

    pub(crate) fn device(name: &str) -> DeviceStatus {
        DeviceStatus {
            name: name.into(),
            address: "192.0.2.1".to_owned(),
            owner: Owner::Own,
            site: Some("tokyo".into()),
            group: None,
            reach: ReachState::Up,
            since: Wall(0),
            rtt_seconds: Some(0.0125),
            loss_percent: Some(5.0),
            level: Level::Warning,
            findings: Vec::new(),
            metrics: vec![MetricStatus {
                metric: Metric::UtilizationIn,
                part: Some("xe-0/0/0".into()),
                which: None,
                value: Ok(71.5),
                level: Level::Warning,
                judged_by: String::new(),
            }],
            interfaces: vec![InterfaceStatus {
                name: "xe-0/0/0".into(),
                alias: Some("to \"PE\"\\1\n\x1b[2J".to_owned()),
                index: 501,
                admin: Some(1),
                oper: Some(1),
                speed_bps: Some(10_000_000_000),
                in_bps: Ok(1.0),
                out_bps: Err("first reading".to_owned()),
                in_octets: Some(18_446_744_073_709_551_615),
                out_octets: None,
            }],
            profile: None,
            agent_error: None,
            detection_seconds: 92.0,
            uptime_ticks: Some(4_294_967_295),
            readings: Vec::new(),
        }
    }

    fn whole(snapshot: Snapshot) -> Vec<String> {
        let mut text = Text::new(String::new(), Arc::new(snapshot));
        std::iter::from_fn(|| text.next_slice()).collect()
    }

    #[test]
    fn device_text_is_escaped_and_cleaned() {
        let text = whole(Snapshot {
            devices: vec![device("a")],
            ..Snapshot::default()
        })
        .concat();
        let wanted =
            "ifHighSpeed{device=\"a\",ifIndex=\"501\",ifName=\"xe-0/0/0\",ifAlias=\"to \\\"PE\\\"\\\\1[2J\"} 10000\n";
        assert!(text.contains(wanted), "{text}");
        assert!(
            !text.contains("ifHCOutOctets"),
            "what was not read has no sample: {text}"
        );
    }

    #[test]
    fn unknown_is_absent_and_silence_of_the_monitor_accuses_nobody() {
        let mut blind = device("a");
        blind.reach = ReachState::Blind;
        blind.rtt_seconds = None;
        blind.metrics[0].value = Err("no answer".to_owned());
        let text = whole(Snapshot {
            devices: vec![blind],
            ..Snapshot::default()
        })
        .concat();
        for absent in ["probe_success", "probe_icmp_duration_seconds", "hinomi_metric{"] {
            assert!(!text.contains(absent), "{absent}");
        }
        assert!(text.contains("hinomi_device_level{device=\"a\"} 1\n"));
    }

    #[test]
    fn many_devices_come_in_slices_with_one_head_a_family() {
        let devices = (0..3_000).map(|i| device(&format!("device-{i:05}"))).collect();
        let slices = whole(Snapshot {
            devices,
            ..Snapshot::default()
        });
        assert!(slices.len() > 10, "{} slices", slices.len());
        assert!(slices.iter().all(|s| s.len() < 2 * SLICE));
        let text = slices.concat();
        assert_eq!(text.matches("# TYPE ifHCInOctets counter\n").count(), 1);
        assert_eq!(text.matches("\nifHCInOctets{").count(), 3_000);
        assert_eq!(text.matches("\nprobe_success{").count(), 3_000);
    }

    #[test]
    fn a_histogram_ends_with_infinity_and_its_count() {
        let text = whole(Snapshot {
            lateness: vec![(0.01, 5), (0.5, 8), (f64::INFINITY, 9)],
            lateness_sum: 1.25,
            ..Snapshot::default()
        })
        .concat();
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
        let snapshot = Snapshot {
            devices: vec![device("a"), device("東京")],
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
        let text = super::super::Own::new().encode() + &whole(snapshot).concat();
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
}
