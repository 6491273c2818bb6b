//! What devices have in common is kept once: a group's ports, thresholds and words are written once and mean the same for a thousand.
//! It saves memory, and in every round time: what all devices share stays in the cache.
//!
//! Never here: what an entry means.

use crate::model::{Device, Name};
use std::collections::HashSet;
use std::sync::Arc;

/// Different ones remembered; where there are more, some are kept twice.
const REMEMBERED: usize = 32;

/// Lets all devices share what is equal.
pub(super) fn share(devices: &mut [Device]) {
    let (mut words, mut tags) = (HashSet::new(), Recent::default());
    let (mut interfaces, mut watches) = (Recent::default(), Recent::default());
    let (mut thresholds, mut findings) = (Recent::default(), Recent::default());
    for device in devices {
        let names = [
            &mut device.group,
            &mut device.site,
            &mut device.class,
            &mut device.profile,
        ];
        names.into_iter().flatten().for_each(|name| word(&mut words, name));
        tags.share(&mut device.tags);
        interfaces.share(&mut device.interfaces);
        watches.share(&mut device.watches);
        thresholds.share(&mut device.thresholds);
        findings.share(&mut device.findings);
    }
}

fn word(known: &mut HashSet<Name>, name: &mut Name) {
    match known.get(name) {
        Some(one) => *name = Arc::clone(one),
        None => drop(known.insert(Arc::clone(name))),
    }
}

/// The last different things of one kind, the latest first.
struct Recent<T: ?Sized>(Vec<Arc<T>>);

impl<T: ?Sized> Default for Recent<T> {
    fn default() -> Recent<T> {
        Recent(Vec::new())
    }
}

impl<T: ?Sized + PartialEq> Recent<T> {
    fn share(&mut self, thing: &mut Arc<T>) {
        match self.0.iter().position(|known| **known == **thing) {
            Some(at) => {
                *thing = Arc::clone(&self.0[at]);
                self.0[..=at].rotate_right(1);
            }
            None => {
                self.0.truncate(REMEMBERED - 1);
                self.0.insert(0, Arc::clone(thing));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_kept_once_as_long_as_it_is_remembered() {
        let mut recent = Recent::default();
        let mut one = |text: &str| {
            let mut thing: Arc<str> = text.into();
            recent.share(&mut thing);
            thing
        };
        let (a, b) = (one("a"), one("b"));
        assert!(Arc::ptr_eq(&a, &one("a")) && Arc::ptr_eq(&b, &one("b")));
        (0..REMEMBERED).for_each(|i| drop(one(&i.to_string())));
        assert!(!Arc::ptr_eq(&a, &one("a")));
    }
}
