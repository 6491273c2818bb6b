//! Two levels on one number (guideline 3.2.1(3) and (5)): warning (注意) and critical (警告), each with its own clear value.

use super::Level;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a threshold can be set on, as written in `[thresholds]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdKind {
    /// CPU use, percent.
    Cpu,
    /// Memory use, percent.
    Memory,
    /// Five-minute load average, no unit.
    Load5,
    /// Temperature, degrees Celsius.
    Temperature,
    /// Use of a circuit, percent of the contracted rate if given, else of the port's speed; worse direction of the two is not
    /// mixed: each direction is judged by itself.
    Utilization,
    /// Interface errors, percent of packets.
    Errors,
    /// Interface discards, percent of packets.
    Discards,
    /// Echo loss, percent.
    Loss,
    /// Echo round-trip time, seconds.
    Rtt,
    /// Sessions (connections, NAPT entries) in the device's table.
    Sessions,
    /// Sessions, percent of what the device can hold.
    SessionsUsed,
    /// Load of a UPS, percent of what it can bear.
    UpsLoad,
    /// Charge of a UPS's battery, percent. Lower is worse.
    BatteryCharge,
    /// Time that a UPS's battery will last, seconds. Lower is worse.
    BatteryRuntime,
}

impl ThresholdKind {
    /// Lower is worse. Its thresholds hold negated numbers, so that everything that judges knows one direction only: see
    /// [`Metric::sign`].
    pub fn falls(self) -> bool {
        matches!(self, ThresholdKind::BatteryCharge | ThresholdKind::BatteryRuntime)
    }
}

/// One measured quantity; the unit is fixed by the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Percent.
    Cpu,
    /// Percent.
    Memory,
    /// No unit.
    Load5,
    /// Degrees Celsius.
    Temperature,
    /// Percent of the rate, toward the device's port (ifHCInOctets).
    UtilizationIn,
    /// Percent of the rate, out of the device's port (ifHCOutOctets).
    UtilizationOut,
    /// Of an access circuit: percent of its contracted rate toward the institution.
    UtilizationDown,
    /// Of an access circuit: percent of its contracted rate from the institution.
    UtilizationUp,
    /// Percent of packets.
    Errors,
    /// Percent of packets.
    Discards,
    /// Percent.
    Loss,
    /// Seconds.
    Rtt,
    /// A number.
    Sessions,
    /// Percent.
    SessionsUsed,
    /// Percent.
    UpsLoad,
    /// Percent. Lower is worse.
    BatteryCharge,
    /// Seconds. Lower is worse.
    BatteryRuntime,
    /// The unit of the `watch`.
    Watch,
    /// Days until a certificate ends. Lower is worse.
    CertificateDays,
    /// Seconds between a clock and ours, without its sign.
    ClockOffset,
    /// Seconds until the whole answer was there.
    AnswerTime,
}

impl Metric {
    /// The word in profiles, in `--json` and in metrics.
    pub fn key(self) -> &'static str {
        match self {
            Metric::Cpu => "cpu",
            Metric::Memory => "memory",
            Metric::Load5 => "load5",
            Metric::Temperature => "temperature",
            Metric::UtilizationIn => "utilization-in",
            Metric::UtilizationOut => "utilization-out",
            Metric::UtilizationDown => "utilization-down",
            Metric::UtilizationUp => "utilization-up",
            Metric::Errors => "errors",
            Metric::Discards => "discards",
            Metric::Loss => "loss",
            Metric::Rtt => "rtt",
            Metric::Sessions => "sessions",
            Metric::SessionsUsed => "sessions-used",
            Metric::UpsLoad => "ups-load",
            Metric::BatteryCharge => "battery-charge",
            Metric::BatteryRuntime => "battery-runtime",
            Metric::Watch => "watch",
            Metric::CertificateDays => "certificate-days",
            Metric::ClockOffset => "clock-offset",
            Metric::AnswerTime => "answer-time",
        }
    }

    /// The threshold that judges this metric; `None` for a `watch`, which carries its own.
    pub fn kind(self) -> Option<ThresholdKind> {
        Some(match self {
            Metric::Cpu => ThresholdKind::Cpu,
            Metric::Memory => ThresholdKind::Memory,
            Metric::Load5 => ThresholdKind::Load5,
            Metric::Temperature => ThresholdKind::Temperature,
            Metric::UtilizationIn | Metric::UtilizationOut | Metric::UtilizationDown | Metric::UtilizationUp => {
                ThresholdKind::Utilization
            }
            Metric::Errors => ThresholdKind::Errors,
            Metric::Discards => ThresholdKind::Discards,
            Metric::Loss => ThresholdKind::Loss,
            Metric::Rtt => ThresholdKind::Rtt,
            Metric::Sessions => ThresholdKind::Sessions,
            Metric::SessionsUsed => ThresholdKind::SessionsUsed,
            Metric::UpsLoad => ThresholdKind::UpsLoad,
            Metric::BatteryCharge => ThresholdKind::BatteryCharge,
            Metric::BatteryRuntime => ThresholdKind::BatteryRuntime,
            Metric::Watch | Metric::CertificateDays | Metric::ClockOffset | Metric::AnswerTime => return None,
        })
    }

    /// The value, if a device can mean it: agents write "not known" as 4294967295, 2147483647, 65535, 255, -1 or -273, and a share
    /// that is a little above the whole is the whole (averages overshoot).
    pub fn plausible(self, value: f64) -> Option<f64> {
        /// A battery that lasts longer than a month says that it does not know.
        const MONTH_SECONDS: f64 = 31.0 * 86_400.0;
        let (least, most) = match self {
            Metric::Cpu | Metric::Memory | Metric::SessionsUsed | Metric::BatteryCharge => (0.0, 110.0),
            // RFC 1628: upsOutputPercentLoad is 0 to 200.
            Metric::UpsLoad => (0.0, 200.0),
            // No part of a device is as cold as interstellar dust, or melts lead.
            Metric::Temperature => (-60.0, 200.0),
            Metric::Load5 => (0.0, 100_000.0),
            Metric::Sessions => (0.0, 2_147_483_646.0),
            Metric::BatteryRuntime => (0.0, MONTH_SECONDS),
            _ => return Some(value),
        };
        let whole = if most == 110.0 { 100.0 } else { most };
        (value >= least && value <= most).then(|| value.min(whole))
    }

    /// Lower is worse.
    pub fn falls(self) -> bool {
        self == Metric::CertificateDays || self.kind().is_some_and(ThresholdKind::falls)
    }

    /// What a value is multiplied with before it is held against its threshold, and a bound before it is shown: 1, or −1 where
    /// lower is worse.
    pub fn sign(self) -> f64 {
        if self.falls() { -1.0 } else { 1.0 }
    }
}

/// Where one level begins and where it ends. `clear <= raise` always (the constructor refuses anything else).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    raise: f64,
    clear: f64,
}

impl Bound {
    /// `None` unless both are finite and `clear <= raise`.
    pub fn new(raise: f64, clear: f64) -> Option<Bound> {
        (raise.is_finite() && clear.is_finite() && clear <= raise).then_some(Bound { raise, clear })
    }

    /// The level begins when the value is at or above this.
    pub fn raise(&self) -> f64 {
        self.raise
    }

    /// The level ends when the value is at or below this.
    pub fn clear(&self) -> f64 {
        self.clear
    }
}

/// Two levels on one number. Higher is worse. At least one level is set, and `warning.raise < critical.raise`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    warning: Option<Bound>,
    critical: Option<Bound>,
    /// How long the value must stay at or above `raise` before the level counts (`for`).
    pub hold: Duration,
    /// How long the value must stay at or below `clear` before the level ends (`clear_for`).
    pub clear_hold: Duration,
    /// Whether it is meant for this very device.
    pub written: Written,
}

/// Where a threshold was written. What is meant for one device must be measured there, or its absence is told; what is meant for all
/// may have nothing to judge on some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Written {
    /// For all: in `[thresholds]`, in a class.
    #[default]
    ForAll,
    /// On the device or circuit, or on its group.
    ByName,
}

impl Threshold {
    /// `None` if no level is set, or if the two are the wrong way round.
    pub fn new(
        warning: Option<Bound>,
        critical: Option<Bound>,
        hold: Duration,
        clear_hold: Duration,
    ) -> Option<Threshold> {
        match (&warning, &critical) {
            (None, None) => None,
            (Some(w), Some(c)) if w.raise >= c.raise => None,
            _ => Some(Threshold {
                warning,
                critical,
                hold,
                clear_hold,
                written: Written::ForAll,
            }),
        }
    }

    /// The same, meant for this very device.
    pub fn by_name(self) -> Threshold {
        Threshold {
            written: Written::ByName,
            ..self
        }
    }

    /// The bound of a level; `None` for `Level::Ok` and for a level that is not set.
    pub fn bound(&self, level: Level) -> Option<Bound> {
        match level {
            Level::Ok => None,
            Level::Warning => self.warning,
            Level::Critical => self.critical,
        }
    }
}
