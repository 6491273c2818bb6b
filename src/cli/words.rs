//! Causes, verdicts and levels in one English line, for a terminal.

use super::table::{Cell, Paint, cell, length, moment};
use crate::core::ReachState;
use crate::model::verdict::WitnessMissing;
use crate::model::{Evidence, Isolation, Level};
use crate::poll::AgentFailure;
use crate::rules::Cause;

/// A level with its colour.
pub(super) fn level(level: Level) -> Cell {
    match level {
        Level::Ok => cell("ok", Paint::Good),
        Level::Warning => cell("WARNING", Paint::Warn),
        Level::Critical => cell("CRITICAL", Paint::Bad),
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
        ReachState::Blind => ("blind", Paint::Warn),
        ReachState::NotWatched => ("not watched", Paint::Dim),
    };
    cell(text, paint)
}

/// Why an agent gave nothing, and where to look.
pub(super) fn agent_failure(failure: &AgentFailure) -> String {
    match failure {
        AgentFailure::Timeout => "no answer (agent stopped, port filtered, or for v1/v2c a wrong community)".to_owned(),
        AgentFailure::UnknownUser => "the agent does not know the SNMPv3 user".to_owned(),
        AgentFailure::WrongKey => "wrong SNMPv3 authentication password or protocol".to_owned(),
        AgentFailure::WrongPrivacy => "wrong SNMPv3 privacy password or protocol".to_owned(),
        AgentFailure::UnsupportedLevel => "the SNMPv3 user has no such security level on the agent".to_owned(),
        AgentFailure::NotInTimeWindow => "outside the SNMPv3 time window even after resynchronising".to_owned(),
        AgentFailure::Malformed => "the answer was not a valid SNMP message".to_owned(),
        AgentFailure::ErrorStatus(number) => format!("the agent said error-status {number} (RFC 3416)"),
    }
}

/// Why a finding stands where it stands.
pub(super) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Above { value, bound, unit } => format!("{value:.1} {unit}, at or above {bound:.1} {unit}"),
        Cause::Below { value, bound, unit } => format!("{value:.1} {unit}, at or below {bound:.1} {unit}"),
        Cause::NoAnswer { sent, seconds } => format!("none of {sent} requests answered in {seconds:.0} s"),
        Cause::Answers { silent_seconds } => format!("answers again after {}", length(*silent_seconds)),
        Cause::OperDown { oper } => format!("ifOperStatus is {oper} ({})", oper_word(*oper)),
        Cause::OperHealthy { admin_down: true, .. } => "administratively down".to_owned(),
        Cause::OperHealthy { oper: Some(oper), .. } => format!("ifOperStatus is {oper} ({})", oper_word(*oper)),
        Cause::OperHealthy { .. } => "healthy".to_owned(),
        Cause::NameVanished => "the name is no longer in the interface table".to_owned(),
        Cause::NameReturned => "the name is back in the interface table".to_owned(),
        Cause::NoData { seconds, reason } => format!("no value for {}: {reason}", length(*seconds)),
        Cause::DataBack => "values again".to_owned(),
        Cause::AgentSilent { failure } => agent_failure(failure),
        Cause::AgentBack => "the agent answers again".to_owned(),
        Cause::ChildrenAnswer { child } => format!("silent itself, but {child} behind it answers"),
        Cause::CutOff {
            send_error: Some(error),
            ..
        } => format!("this host cannot send: {error}"),
        Cause::CutOff { uplinks, .. } => format!("all {uplinks} uplinks are silent"),
        Cause::Connected { blind_seconds } => format!("an uplink answers again after {}", length(*blind_seconds)),
        Cause::TcpFailed { error } | Cause::RouteFailed { error } => error.clone(),
        Cause::TcpWorks => "takes connections again".to_owned(),
        Cause::RouteWorks => "works again".to_owned(),
        Cause::Unreachable => "everything on its path is down".to_owned(),
        Cause::Removed => "removed from the configuration".to_owned(),
        Cause::Loss { percent } => format!("{percent:.1} % of the echoes lost"),
    }
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

/// Whose fault, and what that rests on.
pub(super) fn isolation(isolation: &Isolation) -> String {
    let evidence: Vec<String> = isolation.evidence.iter().map(evidence).collect();
    match evidence.is_empty() {
        true => isolation.verdict.key().to_owned(),
        false => format!("{} ({})", isolation.verdict.key(), evidence.join("; ")),
    }
}

fn evidence(e: &Evidence) -> String {
    match e {
        Evidence::DeviceUp { device, at } => format!("{device} answered at {}", moment(*at)),
        Evidence::DeviceSilent { device, since } => format!("{device} silent since {}", moment(*since)),
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
        Evidence::IcmpUnreachable { from } => format!("{from} says it cannot be reached"),
        Evidence::UplinksSilent { uplinks, own_gateway } => {
            let gateway = if *own_gateway {
                ", the own gateway among them"
            } else {
                ""
            };
            format!("all {uplinks} uplinks silent{gateway}")
        }
        Evidence::SendFailed { error } => format!("this host cannot send: {error}"),
        Evidence::NoWitness { reason } => match reason {
            WitnessMissing::InterfaceNotRead => "no second witness: the demarcation interface is not read",
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
