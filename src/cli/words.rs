//! States, verdicts and levels in one English line, for a terminal.

use super::table::{Cell, Paint, cell, clock_time, plain};
use crate::core::{ReachState, RedundancyStatus};
use crate::model::verdict::WitnessMissing;
use crate::model::{Evidence, Isolation, Level, LinkKnown, Metric};
use std::collections::BTreeMap;

/// A level with its colour.
pub(super) fn level(level: Level) -> Cell {
    match level {
        Level::Ok => cell("ok", Paint::Good),
        Level::Warning => cell("WARNING", Paint::Warn),
        Level::Critical => cell("CRITICAL", Paint::Bad),
    }
}

/// The level of a number: without a value there is none.
pub(super) fn known(found: Option<Level>) -> Cell {
    found.map_or_else(|| cell("unknown", Paint::Warn), level)
}

/// The level of a finding: one that tells nobody (yet) is "noted", not "ok".
pub(super) fn finding(found: Level) -> Cell {
    match found {
        Level::Ok => cell("noted", Paint::Dim),
        other => level(other),
    }
}

/// A number with the unit of its metric. A watch has a unit of its own, which its thresholds show.
pub(super) fn value(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Load5 | Metric::Watch => format!("{value:.2}"),
        Metric::Temperature => format!("{value:.1} C"),
        Metric::Rtt | Metric::ClockOffset | Metric::AnswerTime => format!("{:.2} ms", value * 1e3),
        Metric::CertificateDays => format!("{value:.1} days"),
        Metric::Sessions => format!("{value:.0}"),
        Metric::BatteryRuntime => super::table::length(value),
        Metric::Errors | Metric::Discards => format!("{value:.4} %"),
        Metric::Cpu
        | Metric::Memory
        | Metric::UtilizationIn
        | Metric::UtilizationOut
        | Metric::UtilizationDown
        | Metric::UtilizationUp
        | Metric::SessionsUsed
        | Metric::UpsLoad
        | Metric::BatteryCharge
        | Metric::Loss => {
            format!("{value:.1} %")
        }
    }
}

/// A state with its colour.
pub(super) fn reach(state: ReachState) -> Cell {
    let (text, paint) = match state {
        ReachState::Unknown => ("unknown", Paint::Dim),
        ReachState::Up => ("up", Paint::Good),
        ReachState::Lossy => ("lossy", Paint::Warn),
        ReachState::Suspect => ("suspect", Paint::Warn),
        ReachState::Down => ("DOWN", Paint::Bad),
        ReachState::Unreachable => ("unreachable", Paint::Warn),
        ReachState::Off => ("off", Paint::Dim),
        ReachState::Blind => ("blind", Paint::Warn),
        ReachState::NotWatched => ("not watched", Paint::Dim),
    };
    cell(text, paint)
}

/// The word of a state in CSV, the same as in `--json`.
pub(super) fn reach_key(state: ReachState) -> String {
    crate::metrics::text::key(&state)
}

/// RFC 2863's word of an ifOperStatus or ifAdminStatus.
pub(super) fn oper_word(number: u8) -> &'static str {
    match number {
        1 => "up",
        2 => "down",
        3 => "testing",
        4 => "unknown",
        5 => "dormant",
        6 => "not present",
        7 => "lower layer down",
        _ => "not in RFC 2863",
    }
}

/// A redundancy group as a row: name, kind, ready, active, level, findings.
pub(super) fn group(g: &RedundancyStatus) -> Vec<Cell> {
    let ready = g.ready.map_or("-".to_owned(), |n| n.to_string());
    let need = g.need.map(|n| format!(", {n} needed")).unwrap_or_default();
    let mut active: BTreeMap<&str, usize> = BTreeMap::new();
    for name in g.instances.iter().filter_map(|i| i.active.as_deref()) {
        *active.entry(name).or_default() += 1;
    }
    let active: Vec<String> = active
        .iter()
        .map(|(name, n)| {
            if *n == 1 {
                (*name).to_owned()
            } else {
                format!("{name} ({n})")
            }
        })
        .collect();
    let findings: Vec<&str> = g.findings.iter().map(|f| f.key.kind.key()).collect();
    vec![
        plain(&*g.name),
        plain(g.kind.key()),
        plain(format!("{ready} of {}{need}", g.configured)),
        plain(if active.is_empty() {
            "-".to_owned()
        } else {
            active.join(", ")
        }),
        level(g.level),
        plain(findings.join(", ")),
    ]
}

/// Whose fault, and what that rests on.
pub(super) fn isolation(isolation: &Isolation) -> String {
    let evidence: Vec<String> = isolation.evidence.iter().map(evidence).collect();
    match evidence.is_empty() {
        true => isolation.verdict.key().to_owned(),
        false => format!("{} ({})", isolation.verdict.key(), evidence.join("; ")),
    }
}

pub(super) fn evidence(e: &Evidence) -> String {
    match e {
        Evidence::DeviceUp { device, at } => format!("{device} answered at {}", clock_time(*at)),
        Evidence::DeviceSilent { device, since } => format!("{device} silent since {}", clock_time(*since)),
        Evidence::InterfaceOper { device, interface, up } => {
            format!("{device} {interface} is {}", if *up { "up" } else { "down" })
        }
        Evidence::OctetsInStopped {
            device,
            interface,
            before_bps,
            after_bps,
        } => {
            format!(
                "{device} {interface} receives {} where {} came before",
                bps(*after_bps),
                bps(*before_bps)
            )
        }
        Evidence::OctetsInFlowing {
            device,
            interface,
            after_bps,
        } => {
            format!("{device} {interface} still receives {}", bps(*after_bps))
        }
        Evidence::LinkToward { device, interface, to } => {
            let probably = if to.known == LinkKnown::Guessed {
                "probably "
            } else {
                ""
            };
            let port = to.interface.as_ref().map(|i| format!(" {i}")).unwrap_or_default();
            format!("{device} {interface} is {probably}the link toward {}{port}", to.device)
        }
        Evidence::IcmpUnreachable { from } => format!("{from} says it cannot be reached"),
        Evidence::SessionDown { device, peer } => format!("{device}: the BGP session with {peer} is down"),
        Evidence::UplinksSilent { uplinks, own_gateway } => {
            let gateway = if *own_gateway {
                ", the own gateway among them"
            } else {
                ""
            };
            format!("all {uplinks} uplinks silent{gateway}")
        }
        Evidence::SendFailed { error } => format!("this host cannot send to it: {error}"),
        Evidence::NoWitness { reason } => match reason {
            WitnessMissing::InterfaceNotRead => "no second witness: the demarcation interface is not read",
            WitnessMissing::RateNotKnown => "no second witness: the rate of the demarcation interface is not known yet",
            WitnessMissing::TooLittleTraffic => "no second witness: too little traffic before the fault",
            WitnessMissing::StillFlowing => "no second witness: octets still come in",
            WitnessMissing::NoOtherRouter => "no second witness: no other platform device over another way",
        }
        .to_owned(),
    }
}

/// A rate for people.
pub(super) fn bps(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} Gbit/s", v / 1e9),
        v if v >= 1e6 => format!("{:.1} Mbit/s", v / 1e6),
        v if v >= 1e3 => format!("{:.1} kbit/s", v / 1e3),
        v => format!("{v:.0} bit/s"),
    }
}
