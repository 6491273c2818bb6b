//! How a device or a finding stands, beyond its state: what confirms it, what it lies behind, what planned work covers it, when it is told.
//!
//! Never here: a judgement.

use super::Core;
use super::snapshot::{Behind, Covered, FindingStatus, Recovering};
use crate::model::{Device, DeviceId, FindingKey, Level, ReachState};
use crate::rules::condition::Condition;
use crate::rules::reach::{Node, down_key};

/// A device that is down and answers again.
pub(super) fn recovering(node: &Node, device: &Device) -> Option<Recovering> {
    let (first, good) = (node.first_miss?, node.good_since?);
    let last = node.last_answer.unwrap_or(good);
    (node.state == ReachState::Down).then(|| Recovering {
        good_rounds: node.good_rounds,
        rounds: device.poll.recover.rounds,
        // Down is since the first miss: that moment stands on both clocks.
        first_answer: node.since.after(good.since(first)),
        last_answer: node.since.after(last.since(first)),
        over_seconds: device.poll.recover.over.as_secs_f64(),
    })
}

/// What a device that cannot be reached lies behind.
pub(super) fn behind(core: &Core, id: DeviceId, device: &Device) -> Option<Behind> {
    let node = core.rules.reach().node(id);
    if node.state != ReachState::Unreachable {
        return None;
    }
    if let Some(incident) = core.book.above(&device.name) {
        let (root, incident) = (incident.root.clone(), Some(incident.id));
        return Some(Behind { root, incident });
    }
    // The incident of the root is not open yet.
    let root = down_key(core.site.device(node.root?));
    Some(Behind { root, incident: None })
}

/// The planned work that covers a device now.
pub(super) fn maintenance(core: &Core, id: DeviceId) -> Option<Covered> {
    core.notifier.maintenance_of(id).map(Covered::from)
}

/// A condition that holds.
pub(super) fn finding(core: &Core, key: &FindingKey, condition: &Condition) -> FindingStatus {
    let conditions = core.rules.conditions();
    let id = key.device.as_ref().and_then(|name| core.rules.find(name));
    let covered = id.is_some_and(|id| core.notifier.maintenance_of(id).is_some());
    FindingStatus {
        key: key.clone(),
        level: if condition.raised { condition.level } else { Level::Ok },
        since: condition.since_wall,
        cause: condition.cause.clone(),
        isolation: condition.isolation.clone(),
        incident: core.book.latest(key).filter(|i| i.is_open()).map(|i| i.id),
        // Planned work holds it back.
        told_from: conditions.told_from(key).filter(|_| !covered),
        part_of: condition.part_of.clone(),
    }
}
