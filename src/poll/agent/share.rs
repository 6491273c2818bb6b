//! What many devices have in common, kept once: names of ports, rows of tables. It saves memory, and more than that time: what all rounds
//! look at stays in the cache.
//!
//! Never here: what a thing means.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Look for what nobody uses any more when there are so many.
const CLEAN_MIN: usize = 1_024;

/// Things of one kind, each once.
#[derive(Debug)]
pub(super) struct Shared<T: ?Sized> {
    all: HashSet<Arc<T>>,
    clean_at: usize,
}

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared {
            all: HashSet::new(),
            clean_at: CLEAN_MIN,
        }
    }
}

impl<T: ?Sized + Eq + Hash> Shared<T> {
    /// The one that is equal to this.
    pub(super) fn one(&mut self, thing: &Arc<T>) -> Arc<T> {
        if let Some(known) = self.all.get(thing) {
            return Arc::clone(known);
        }
        if self.all.len() >= self.clean_at {
            self.all.retain(|one| Arc::strong_count(one) > 1);
            self.clean_at = (self.all.len() * 2).max(CLEAN_MIN);
        }
        self.all.insert(Arc::clone(thing));
        Arc::clone(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_become_one_and_what_nobody_uses_is_forgotten() {
        let mut shared: Shared<str> = Shared::default();
        let (a, b) = (shared.one(&"wan0".into()), shared.one(&"wan0".into()));
        assert!(Arc::ptr_eq(&a, &b));
        (0..5_000).for_each(|i| drop(shared.one(&i.to_string().into())));
        assert!(shared.all.len() <= CLEAN_MIN + 1, "{}", shared.all.len());
        assert!(Arc::ptr_eq(&a, &shared.one(&"wan0".into())));
    }
}
