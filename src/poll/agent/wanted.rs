//! What a device is asked for, from the configuration and from its profile.
//!
//! Never here: what was learned from the device.

use crate::model::profile::{Object, Profile};
use crate::model::{Device, Name, WatchKind};
use std::collections::BTreeSet;

/// What the configuration wants of a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) patterns: Vec<Name>,
    pub(super) scalars: Vec<Vec<u32>>,
    pub(super) profile: Option<Name>,
}

impl Wanted {
    /// `also`: interfaces that other devices name as their demarcation point.
    pub(super) fn of(device: &Device, also: &[Name]) -> Wanted {
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
            profile: device.profile.clone(),
        }
    }
}

fn objects_of(profile: Option<&'static Profile>) -> impl Iterator<Item = &'static Object> {
    profile.into_iter().flat_map(|p| p.measures).flat_map(|m| m.objects)
}

pub(super) fn scalars_of(profile: Option<&'static Profile>) -> impl Iterator<Item = Vec<u32>> {
    objects_of(profile).filter_map(|o| match o {
        Object::Scalar(oid) => Some(oid.to_vec()),
        Object::Column(_) => None,
    })
}

pub(super) fn columns_of(profile: Option<&'static Profile>) -> Vec<Vec<u32>> {
    let columns: BTreeSet<Vec<u32>> = objects_of(profile)
        .filter_map(|o| match o {
            Object::Column(oid) => Some(oid.to_vec()),
            Object::Scalar(_) => None,
        })
        .collect();
    columns.into_iter().collect()
}
