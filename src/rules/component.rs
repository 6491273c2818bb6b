//! Parts with a state: a fan, a power supply, a battery, a sensor that says it is not well. A code that the profile does not know
//! says nothing: it neither begins nor ends a finding.

use super::condition::Conditions;
use super::{Cause, RuleEffect};
use crate::model::profile::Health;
use crate::model::{ComponentName, Device, FindingKey, FindingKind, FindingRule, Level, Mono, Name, Now, Part};
use crate::sample::PartSample;
use std::collections::BTreeSet;

fn key(device: &Device, name: &ComponentName) -> FindingKey {
    FindingKey {
        device: Some(Name::clone(&device.name)),
        part: Part::Component(name.clone()),
        kind: FindingKind::ComponentFailed,
        metric: None,
    }
}

/// Takes the states of one reading.
pub(super) fn take(
    device: &Device,
    parts: &[PartSample],
    at: Mono,
    conditions: &mut Conditions,
    out: &mut Vec<RuleEffect>,
    now: Now,
) {
    if parts.is_empty() {
        return;
    }
    for part in parts {
        let Some((word, health)) = &part.state else { continue };
        let key = key(device, &part.name);
        if *health == Health::Healthy {
            let cause = Cause::ComponentHealthy {
                word: Name::clone(word),
            };
            out.extend(conditions.end(&key, cause, now).map(RuleEffect::Finding));
            continue;
        }
        let rule = rule(device, *health);
        // From "not as it should" to "does not work" is another level, if the configuration makes it one.
        let other = conditions.get(&key).is_some_and(|c| c.level != rule.level);
        let since = conditions.get(&key).map_or(at, |c| c.since);
        let cause = Cause::ComponentFailed {
            component: Name::clone(&part.component),
            word: Name::clone(word),
            code: part.code,
        };
        if other {
            out.extend(conditions.end(&key, cause.clone(), now).map(RuleEffect::Finding));
        }
        conditions.hold(key, rule, cause, since, at, now);
    }
    taken_out(device, parts, conditions, out, now);
}

/// The level of `[findings]` is that of a part that does not work; one that works, but not as it should, is a warning at most.
fn rule(device: &Device, health: Health) -> FindingRule {
    let rule = device.rule(FindingKind::ComponentFailed);
    match health {
        Health::Failed => rule,
        Health::Warning | Health::Healthy => FindingRule {
            level: rule.level.min(Level::Warning),
            ..rule
        },
    }
}

/// A part whose table answers and which is not in it any more was taken out. If the whole table is silent, nothing is known.
fn taken_out(device: &Device, parts: &[PartSample], conditions: &mut Conditions, out: &mut Vec<RuleEffect>, now: Now) {
    let answering: BTreeSet<&Name> = parts.iter().map(|p| &p.component).collect();
    let gone = |(key, condition): (&FindingKey, &super::condition::Condition)| {
        let (Part::Component(name), Cause::ComponentFailed { component, .. }) = (&key.part, &condition.cause) else {
            return None;
        };
        let there = parts.iter().any(|p| p.name == *name);
        (answering.contains(component) && !there).then(|| key.clone())
    };
    let gone: Vec<FindingKey> = conditions.of(&device.name).filter_map(gone).collect();
    for key in gone {
        out.extend(conditions.end(&key, Cause::ComponentGone, now).map(RuleEffect::Finding));
    }
}
