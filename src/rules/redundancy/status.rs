//! Groups for those who only read: status, explain, metrics.
//!
//! Never here: a judgement that is not made elsewhere.

use super::Redundancies;
use super::state::Standing;
use crate::model::redundancy::Role;
use crate::model::{Mono, Name, Site};
use crate::rules::reach::Reach;

/// How a member stands in an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberStatus {
    /// Its label.
    pub member: Name,
    /// `None`: not known now.
    pub role: Option<Role>,
    /// Why it is not known, or what is wrong.
    pub why: Option<&'static str>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceStatus {
    /// Its name; empty where the group is one instance.
    pub instance: Name,
    /// Who is active, as last known.
    pub active: Option<Name>,
    /// All members.
    pub members: Vec<MemberStatus>,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatus {
    /// Members that are ready in the worst instance; `None` before anything was read, or where the kind does not tell.
    pub ready: Option<u32>,
    /// How many there are.
    pub configured: u32,
    /// Times that another member became active, since the start.
    pub switchovers: u64,
    /// By name.
    pub instances: Vec<InstanceStatus>,
}

impl Redundancies {
    /// All groups, parallel to [`Site::redundancy`].
    pub fn status(&self, site: &Site, reach: &Reach, now: Mono) -> Vec<GroupStatus> {
        let one = |(of, group): (&crate::model::Redundancy, &super::state::Group)| {
            let mut ready: Option<u32> = None;
            let mut instances = Vec::new();
            for (name, instance) in &group.instances {
                let standing = |at| group.standing(at, instance, site, reach, now);
                let standings: Vec<Standing> = (0..group.slots.len()).map(standing).collect();
                let good = |s: &&Standing| match of.kind.counts() {
                    true => **s == Standing::Is(Role::Active),
                    false => matches!(s, Standing::Is(Role::Active | Role::Standby)),
                };
                let apart = |at: &usize| standings[*at] == Standing::NotTold && !group.has_part(*at, instance);
                let apart: Vec<bool> = (0..standings.len()).map(|at| apart(&at)).collect();
                let here = standings.iter().filter(good).count() + apart.iter().filter(|a| **a).count();
                let here = u32::try_from(here).unwrap_or(u32::MAX);
                if of.kind.tells_standby() {
                    ready = Some(ready.map_or(here, |r| r.min(here)));
                }
                let member = |((slot, standing), apart): ((&super::state::Slot, &Standing), &bool)| MemberStatus {
                    member: Name::clone(&slot.label),
                    role: match standing {
                        Standing::Is(role) => Some(*role),
                        _ => None,
                    },
                    why: if *apart {
                        Some("has no part in this instance")
                    } else {
                        why(*standing)
                    },
                };
                instances.push(InstanceStatus {
                    instance: Name::clone(name),
                    active: instance.active.clone(),
                    members: group.slots.iter().zip(&standings).zip(&apart).map(member).collect(),
                });
            }
            GroupStatus {
                ready,
                configured: u32::try_from(group.slots.len()).unwrap_or(u32::MAX),
                switchovers: group.switchovers,
                instances,
            }
        };
        site.redundancy.iter().zip(&self.groups).map(one).collect()
    }
}

fn why(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Is(Role::Alone) => Some("it is in no cluster: nobody stands in for it"),
        Standing::Is(_) => None,
        Standing::NotTold => Some("its agent does not tell (is the daemon of this protocol running?)"),
        Standing::DeviceDown => Some("its device does not answer"),
        Standing::Unknown => Some("not read, or its agent is silent"),
    }
}
