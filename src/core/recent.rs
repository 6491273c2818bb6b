//! The last things of each device by its name, bounded for each device and for all together: a reload does not lose them.
//!
//! Never here: what they are.

use crate::model::Name;
use std::collections::{HashMap, VecDeque};

/// The last things of devices.
#[derive(Debug)]
pub(super) struct Recent<T> {
    of: HashMap<Name, VecDeque<T>>,
    /// Whose, oldest first, so that all together stay bounded.
    order: VecDeque<Name>,
    of_device: usize,
    of_all: usize,
}

impl<T> Recent<T> {
    /// At most so many of a device, and of all.
    pub(super) fn new(of_device: usize, of_all: usize) -> Recent<T> {
        Recent {
            of: HashMap::new(),
            order: VecDeque::new(),
            of_device,
            of_all,
        }
    }

    pub(super) fn keep(&mut self, device: &Name, thing: T) {
        if self.order.len() >= self.of_all
            && let Some(oldest) = self.order.pop_front()
        {
            self.drop_one(&oldest);
        }
        let own = self.of.entry(device.clone()).or_default();
        if own.len() >= self.of_device {
            own.pop_front();
        }
        own.push_back(thing);
        self.order.push_back(device.clone());
    }

    fn drop_one(&mut self, device: &Name) {
        // A device with more than is kept of it has fewer here than places in the order.
        if let Some(own) = self.of.get_mut(device) {
            own.pop_front();
            if own.is_empty() {
                self.of.remove(device);
            }
        }
    }

    /// What is remembered of a device, oldest first.
    pub(super) fn of(&self, device: &Name) -> impl Iterator<Item = &T> {
        self.of.get(device).into_iter().flatten()
    }

    /// The same, to be changed.
    pub(super) fn of_mut(&mut self, device: &Name) -> impl DoubleEndedIterator<Item = &mut T> {
        self.of.get_mut(device).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_and_all_together_stay_bounded() {
        let mut recent = Recent::new(2, 5);
        let names: Vec<Name> = ["a", "b", "c"].map(Name::from).to_vec();
        for n in 0..4 {
            recent.keep(&names[0], n);
        }
        let of = |recent: &Recent<i32>, at: usize| recent.of(&names[at]).copied().collect::<Vec<_>>();
        assert_eq!(of(&recent, 0), [2, 3]);
        for n in 10..14 {
            recent.keep(&names[1 + (n % 2) as usize], n);
        }
        assert!(recent.order.len() <= 5);
        assert!(of(&recent, 0).len() < 2, "the oldest made room");
        assert_eq!((of(&recent, 1), of(&recent, 2)), (vec![10, 12], vec![11, 13]));
    }
}
