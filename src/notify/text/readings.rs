//! What was read, as a line of a timeline, in English.
//!
//! Never here: mails; what is kept (that is `core::inputs`).

use super::en::{agent, duration};
use super::service::answer_in_english;
use super::{clean, oper_name, quantity};
use crate::incident::{ReadAt, Reading};
use crate::model::redundancy::Role;
use crate::model::{Name, Part, Wall};

/// What was read of a device, each with its time.
pub(super) fn lines(device: &Name, readings: &[ReadAt], more: u64) -> Vec<(Wall, String)> {
    let first = readings.first().filter(|_| more > 0);
    let older = first.map(|first| {
        (
            first.at,
            format!("read: {more} readings of {} before that are not shown", clean(device)),
        )
    });
    let line = |read: &ReadAt| {
        let often = match read.until {
            Some(until) => format!(", {} times in {}", read.times, duration(until.since(read.at))),
            None => String::new(),
        };
        (
            read.at,
            format!("read: {} {}{often}", clean(device), reading(&read.reading)),
        )
    };
    older.into_iter().chain(readings.iter().map(line)).collect()
}

fn reading(reading: &Reading) -> String {
    let state = |code: Option<u8>| code.map_or("unknown", oper_name);
    match reading {
        Reading::Liveness {
            send_error: Some(error),
            ..
        } => format!("not asked, this host could not send: {}", clean(error)),
        Reading::Liveness {
            confirm,
            sent,
            received,
            rtt_ms,
            errors,
            ..
        } => {
            let why = if *confirm { " (asked again to be sure)" } else { "" };
            let rtt = rtt_ms.map(|ms| format!(", {ms:.1} ms")).unwrap_or_default();
            let errors: String = errors
                .iter()
                .map(|(from, kind, code)| format!("; {from} says ICMP type {kind} code {code}"))
                .collect();
            format!("answered {received} of {sent}{rtt}{why}{errors}")
        }
        Reading::AgentFailed { failure } => format!("SNMP: {}", agent(failure)),
        Reading::AgentAnswered { partial: true } => "SNMP: answered, then no more before all was read".to_owned(),
        Reading::AgentAnswered { partial: false } => "SNMP: answered".to_owned(),
        Reading::Number {
            part,
            metric,
            unit,
            value,
            unknown,
        } => {
            let of = match part {
                Part::Interface(name) | Part::Watch(name) => format!("{} ", clean(name)),
                Part::Component(name) => format!("{} ", clean(&name.label)),
                _ => String::new(),
            };
            let value = match (value, unknown) {
                (Some(value), _) => quantity(*value, unit),
                (None, why) => format!("unknown ({})", why.as_deref().unwrap_or("no reading")),
            };
            format!("{of}{} = {value}", metric.key())
        }
        Reading::Port { name, admin, oper } => {
            format!(
                "{}: ifOperStatus {}, ifAdminStatus {}",
                clean(name),
                state(*oper),
                state(*admin)
            )
        }
        Reading::PortMissing { name } => format!("{}: no such interface", clean(name)),
        Reading::Component { name, code, state } => {
            let state = state.as_deref().map(|s| format!(" ({})", clean(s))).unwrap_or_default();
            format!("{}: state {code}{state}", clean(&name.label))
        }
        Reading::Tcp { watch, result: Ok(ms) } => format!("{}: connected in {ms:.1} ms", clean(watch)),
        Reading::Tcp {
            watch,
            result: Err(why),
        } => format!("{}: {}", clean(watch), clean(why)),
        Reading::Service { watch, took_ms, result } => {
            format!("{}: {} ({took_ms:.1} ms)", clean(watch), answer_in_english(result))
        }
        Reading::Role {
            group,
            instance,
            member,
            role,
            transitions,
        } => {
            let instance = if instance.is_empty() {
                String::new()
            } else {
                format!(" {}", clean(instance))
            };
            let role = role.map_or("not told", Role::key);
            let count = transitions
                .map(|n| format!(", became active {n} times"))
                .unwrap_or_default();
            format!("in {}{instance}: {} is {role}{count}", clean(group), clean(member))
        }
    }
}
