//! What is written once a scrape: counts, and hinomi's own health.

use super::text::{Writer, key, truth};
use crate::core::{Picture, ReachState};
use crate::model::maintenance::WindowStage;
use crate::model::redundancy::Role;
use crate::model::{Level, Role as DeviceRole};

pub(super) fn config_info(p: &Picture, w: &mut Writer) {
    w.sample(&[&p.head.fingerprint], 1);
}

pub(super) fn blind(p: &Picture, w: &mut Writer) {
    w.sample(&[], truth(p.head.blind));
}

/// Every state, in the order of the numbers of `hinomi_circuit_state`.
pub(super) const STATES: [ReachState; 9] = [
    ReachState::Unknown,
    ReachState::Up,
    ReachState::Lossy,
    ReachState::Suspect,
    ReachState::Down,
    ReachState::Unreachable,
    ReachState::Off,
    ReachState::Blind,
    ReachState::NotWatched,
];

/// The number of a state: its place in [`STATES`].
pub(super) fn number(state: ReachState) -> usize {
    STATES.iter().position(|s| *s == state).unwrap_or_default()
}

fn by_state(p: &Picture, role: DeviceRole) -> [u64; STATES.len()] {
    let mut counts = [0; STATES.len()];
    for row in p.rows.iter().filter(|r| r.role == role) {
        counts[number(row.state)] += 1;
    }
    counts
}

pub(super) fn targets(p: &Picture, w: &mut Writer) {
    let counts = STATES.iter().zip(by_state(p, DeviceRole::Managed));
    // A device written as such is never "off".
    for (state, count) in counts.filter(|(state, _)| **state != ReachState::Off) {
        w.sample(&[&key(state)], count);
    }
}

pub(super) fn circuits(p: &Picture, w: &mut Writer) {
    let counts = by_state(p, DeviceRole::Circuit);
    if counts.iter().any(|n| *n > 0) {
        for (state, count) in STATES.iter().zip(counts) {
            w.sample(&[&key(state)], count);
        }
    }
}

pub(super) fn kernel_dropped(p: &Picture, w: &mut Writer) {
    for (socket, count) in &p.kernel_dropped {
        w.sample(&[socket], *count);
    }
}

pub(super) fn polls(p: &Picture, w: &mut Writer) {
    for ((kind, result), count) in &p.head.polls {
        w.sample(&[kind, result], *count);
    }
}

pub(super) fn lag(p: &Picture, w: &mut Writer) {
    let mut count = 0;
    for (bound, below) in p.head.lateness.iter().filter(|(bound, _)| bound.is_finite()) {
        w.line("_bucket", &[], Some(&bound.to_string()), *below);
        count = *below;
    }
    if let Some((_, all)) = p.head.lateness.iter().find(|(bound, _)| !bound.is_finite()) {
        count = *all;
    }
    w.line("_bucket", &[], Some("+Inf"), count);
    w.line("_sum", &[], None, p.head.lateness_sum);
    w.line("_count", &[], None, count);
}

pub(super) fn dropped(p: &Picture, w: &mut Writer) {
    for (reason, count) in &p.head.dropped {
        w.sample(&[&key(reason)], *count);
    }
}

pub(super) fn unknown(p: &Picture, w: &mut Writer) {
    for (reason, count) in &p.head.unknown {
        w.sample(&[reason], *count);
    }
}

pub(super) fn incidents(p: &Picture, w: &mut Writer) {
    // An open incident has a level; one whose root is good and that waits for what is behind it is counted with the warnings.
    let waiting = p.head.incidents_open.get(&Level::Ok).copied().unwrap_or(0);
    for (l, more) in [(Level::Warning, waiting), (Level::Critical, 0)] {
        w.sample(&[l.key()], more + p.head.incidents_open.get(&l).copied().unwrap_or(0));
    }
}

pub(super) fn notices(p: &Picture, w: &mut Writer) {
    for ((route, result), count) in &p.head.notices {
        w.sample(&[route, result], *count);
    }
}

pub(super) fn pending(p: &Picture, w: &mut Writer) {
    for l in [Level::Ok, Level::Warning, Level::Critical] {
        let count = p.head.outbox_pending.get(&l).copied().unwrap_or(0);
        w.sample(&[&key(&l)], count);
    }
}

pub(super) fn oldest(p: &Picture, w: &mut Writer) {
    w.sample(&[], p.head.outbox_oldest_seconds);
}

pub(super) fn stuck(p: &Picture, w: &mut Writer) {
    w.sample(&[], p.head.outbox_stuck);
}

pub(super) fn route_ready(p: &Picture, w: &mut Writer) {
    for route in &p.head.routes {
        // Not tested yet is not ready: an alert on 0 must not wait for the first test.
        w.sample(&[&route.name], truth(route.ready == Some(true)));
    }
}

pub(super) fn maintenance(p: &Picture, w: &mut Writer) {
    for window in &p.head.maintenance {
        let stage = match window.stage {
            WindowStage::InForce { .. } => "in-force",
            WindowStage::Settling { .. } => "settling",
            WindowStage::Planned | WindowStage::Over => continue,
        };
        w.sample(&[&window.name, &window.by, stage], 1_u64);
    }
}

pub(super) fn ledger_working(p: &Picture, w: &mut Writer) {
    w.sample(&[], truth(p.head.ledger_error.is_none()));
}

pub(super) fn ledger_sequence(p: &Picture, w: &mut Writer) {
    if let Some((sequence, _)) = &p.head.ledger_head {
        w.sample(&[], *sequence);
    }
}

pub(super) fn ledger_head(p: &Picture, w: &mut Writer) {
    if let Some((_, hash)) = &p.head.ledger_head {
        w.sample(&[hash], 1);
    }
}

/// Instances of redundancy groups, as their members see them.
pub(super) fn redundancy_role(p: &Picture, w: &mut Writer) {
    for group in &p.head.redundancy {
        for instance in &group.instances {
            for member in &instance.members {
                // A role that is not known has no sample.
                for role in member
                    .role
                    .iter()
                    .flat_map(|held| Role::ALL.map(|role| (role, *held == role)))
                {
                    let labels = [&*group.name, &*member.member, &*instance.instance, role.0.key()];
                    w.sample(&labels, truth(role.1));
                }
            }
        }
    }
}

pub(super) fn redundancy_ready(p: &Picture, w: &mut Writer) {
    for group in &p.head.redundancy {
        if let Some(ready) = group.ready {
            w.sample(&[&group.name], u64::from(ready));
        }
    }
}

pub(super) fn redundancy_configured(p: &Picture, w: &mut Writer) {
    for group in &p.head.redundancy {
        w.sample(&[&group.name], u64::from(group.configured));
    }
}

pub(super) fn redundancy_level(p: &Picture, w: &mut Writer) {
    for group in &p.head.redundancy {
        w.sample(&[&group.name], group.level as u64);
    }
}

pub(super) fn switchovers(p: &Picture, w: &mut Writer) {
    for group in &p.head.redundancy {
        w.sample(&[&group.name], group.switchovers);
    }
}
