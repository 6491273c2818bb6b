//! Which instance of a group the row of a member is about.
//!
//! Members number their instances each for itself, and one number (a VRID, an HSRP group) may be used on many interfaces. Two rows are
//! about the same instance if they have the number and a virtual address in common; where one of them tells no address, if they are on
//! interfaces of one name. The order of rows never pairs anything. What cannot be told apart is not known.
//!
//! Never here: what the members are in an instance.

use super::state::{Group, Instance};
use crate::model::Name;
use crate::model::redundancy::InstanceId;

impl Instance {
    /// Has it this number? One that the ledger remembers has told its name only.
    fn has_number(&self, name: &Name, id: &InstanceId) -> bool {
        match self.ids.is_empty() {
            true => *name == id.number || id.full_names().any(|full| full == *name),
            false => self.ids.values().any(|known| known.number == id.number),
        }
    }

    /// Some member calls it so, too.
    fn any(&self, mut fits: impl FnMut(&InstanceId) -> bool) -> bool {
        self.ids.values().any(&mut fits)
    }
}

impl Group {
    /// The instance that a row of a member is about; a new one if there is none yet, and `None` if that cannot be told.
    /// `several`: the member uses the number more than once. `told`: instances that it has told of in this reading.
    pub(super) fn place(
        &mut self,
        slot: usize,
        id: &InstanceId,
        several: bool,
        told: &[(usize, Name)],
    ) -> Option<Name> {
        let free = |name: &&Name| !told.iter().any(|(s, n)| *s == slot && n == *name);
        let named = self.instances.iter().filter(|(name, i)| i.has_number(name, id));
        let numbered: Vec<&Name> = named.map(|(name, _)| name).filter(free).collect();
        let found = match id.is_bare() {
            true => self.by_number(slot, several, &numbered)?,
            false => self.by_mark(slot, id, several, &numbered),
        };
        let name = match found {
            Some(name) => name,
            None => self.add(id, several)?,
        };
        let instance = self.instances.entry(Name::clone(&name)).or_default();
        match instance.ids.get_mut(&slot) {
            // What was not told in one reading is remembered from the last.
            Some(known) if id.is_bare() => known.number = Name::clone(&id.number),
            _ => drop(instance.ids.insert(slot, id.clone())),
        }
        Some(name)
    }

    /// By the number alone: the only one that it can be. The outer `None`: it can be several.
    fn by_number(&self, slot: usize, several: bool, numbered: &[&Name]) -> Option<Option<Name>> {
        let own = |name: &&&Name| self.instances[**name].ids.contains_key(&slot);
        let mine: Vec<&&Name> = numbered.iter().filter(own).collect();
        match (mine.as_slice(), numbered) {
            _ if several => None,
            ([one], _) => Some(Some(Name::clone(one))),
            (_, [one]) => Some(Some(Name::clone(one))),
            (_, []) => Some(None),
            _ => None,
        }
    }

    /// By a virtual address, by what it was before, by the interface, or by what the ledger remembers.
    fn by_mark(&self, slot: usize, id: &InstanceId, several: bool, numbered: &[&Name]) -> Option<Name> {
        let find = |fits: &dyn Fn(&Name, &Instance) -> bool| {
            let all = || numbered.iter().map(|name| (*name, &self.instances[*name]));
            let found = all().find(|(name, i)| fits(name, i));
            found.map(|(name, _)| Name::clone(name))
        };
        let shares = |known: &InstanceId| !known.addresses.is_disjoint(&id.addresses);
        let beside = |known: &InstanceId| {
            let told = known.addresses.is_empty() || id.addresses.is_empty();
            told && id.interface.is_some() && known.interface == id.interface
        };
        let same = |known: &InstanceId| known.interface == id.interface;
        let alone = || !several && numbered.len() == 1;
        find(&|_, i| i.any(shares))
            .or_else(|| find(&|_, i| i.ids.get(&slot).is_some_and(same)))
            .or_else(|| find(&|_, i| i.any(beside)))
            .or_else(|| find(&|name, i| i.ids.is_empty() && id.full_names().any(|full| full == *name)))
            // Those who call it so tell no more than the number.
            .or_else(|| find(&|_, i| alone() && i.ids.values().all(InstanceId::is_bare)))
    }

    /// A new instance. Its number is its name while it is the only one of that number.
    fn add(&mut self, id: &InstanceId, several: bool) -> Option<Name> {
        let others = self.instances.iter().any(|(name, i)| i.has_number(name, id));
        if !several && !others {
            return Some(Name::clone(&id.number));
        }
        let plain = self
            .instances
            .get(&id.number)
            .and_then(|i| i.ids.values().find(|id| !id.is_bare()));
        if let Some(full) = plain.cloned().and_then(|plain| self.unused(&plain)) {
            self.rename(&Name::clone(&id.number), full);
        }
        self.unused(id)
    }

    fn unused(&self, id: &InstanceId) -> Option<Name> {
        id.full_names().find(|name| !self.instances.contains_key(name))
    }

    fn rename(&mut self, from: &Name, to: Name) {
        if let Some(instance) = self.instances.remove(from) {
            self.instances.insert(Name::clone(&to), instance);
            self.renamed.push((Name::clone(from), to));
        }
    }

    /// Has the member of a slot a part in this instance? One that stands in for others in some instance and never told of this one has none:
    /// there is nothing of it that could be lost.
    pub(super) fn has_part(&self, slot: usize, instance: &Instance) -> bool {
        let stands_in = |i: &Instance| i.ids.len() > 1 && i.ids.contains_key(&slot);
        instance.ids.contains_key(&slot) || instance.of_all || !self.instances.values().any(stands_in)
    }
}
