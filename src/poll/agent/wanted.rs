//! What a device is asked for, from the configuration and from its profile.
//!
//! Never here: what was learned from the device.

use crate::model::{Device, Name, Profile, Profiles, WatchKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the configuration wants of a device.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) patterns: Vec<Name>,
    pub(super) scalars: Vec<Vec<u32>>,
    /// Named in the configuration; `None`: by sysObjectID.
    pub(super) profile: Option<Arc<Profile>>,
    /// To choose from.
    pub(super) profiles: Arc<Profiles>,
}

impl Wanted {
    /// `also`: interfaces that other devices name as their demarcation point.
    pub(super) fn of(device: &Device, also: &[Name], profiles: &Arc<Profiles>) -> Wanted {
        let patterns: BTreeSet<Name> = device
            .interfaces
            .iter()
            .map(|i| Name::clone(&i.pattern))
            .chain(also.iter().cloned())
            .collect();
        let scalars: BTreeSet<Vec<u32>> = device
            .watches
            .iter()
            .filter_map(|w| match &w.kind {
                WatchKind::Oid { oid, .. } => Some(oid.clone()),
                WatchKind::Tcp { .. } => None,
            })
            .collect();
        Wanted {
            patterns: patterns.into_iter().collect(),
            scalars: scalars.into_iter().collect(),
            profile: device.profile.as_deref().and_then(|p| profiles.by_name(p)).cloned(),
            profiles: Arc::clone(profiles),
        }
    }
}
