//! Redundancy groups for people: who is active, how many are ready, what is wrong.
//!
//! Never here: a judgement.

use super::{Core, FindingStatus, RedundancyInstance, RedundancyMember, RedundancyStatus, standing};
use crate::model::redundancy::Role;
use crate::model::{FindingKey, Now, Part};
use crate::rules::redundancy::{GroupStatus, InstanceStatus, MemberStatus};

/// All groups, in the order of the configuration.
pub(super) fn groups(core: &Core, now: Now) -> Vec<RedundancyStatus> {
    let states = core.rules.redundancy(now.mono);
    core.site
        .redundancy
        .iter()
        .zip(states)
        .map(|(of, state)| group(core, of, state))
        .collect()
}

fn group(core: &Core, of: &crate::model::Redundancy, state: GroupStatus) -> RedundancyStatus {
    let conditions = core.rules.conditions().iter();
    let own = |key: &FindingKey| matches!(&key.part, Part::Redundancy(name) if *name == of.name);
    let findings: Vec<FindingStatus> = conditions
        .filter(|(key, _)| own(key))
        .map(|(key, c)| standing::finding(core, key, c))
        .collect();
    RedundancyStatus {
        name: of.name.clone(),
        kind: of.kind,
        ready: state.ready,
        configured: state.configured,
        need: of.kind.counts().then_some(of.need),
        switchovers: state.switchovers,
        level: findings.iter().map(|f| f.level).max().unwrap_or_default(),
        findings,
        instances: state.instances.into_iter().map(|i| instance(of, i)).collect(),
    }
}

fn instance(of: &crate::model::Redundancy, state: InstanceStatus) -> RedundancyInstance {
    let preferred = of.preferred(&state.instance).and_then(|m| of.members.get(m));
    let member = |m: MemberStatus| RedundancyMember {
        member: m.member,
        role: m.role,
        why: match m.role {
            Some(Role::Failed) if of.kind.counts() => Some("down".to_owned()),
            _ => m.why.map(str::to_owned),
        },
    };
    RedundancyInstance {
        active: state.active,
        preferred: preferred.map(|m| m.label.clone()),
        members: state.members.into_iter().map(member).collect(),
        instance: state.instance,
    }
}
