//! Conditions that are true or false: each has a level and a delay, and becomes a finding when it has lasted that long.

use super::{Cause, FindingChange};
use crate::model::{FindingKey, FindingKind, FindingRule, Isolation, Level, Mono, Name, Now, Part, Wall};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One condition that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// When it began.
    pub since: Mono,
    /// The same for people.
    pub since_wall: Wall,
    /// When it becomes a finding.
    pub due: Mono,
    /// The level it has then; `Level::Ok` is shown only.
    pub level: Level,
    /// Its last cause.
    pub cause: Cause,
    /// It is a finding.
    pub raised: bool,
    /// Set when raised.
    pub isolation: Option<Isolation>,
    /// The level that it has by itself, without what it explains.
    own: Level,
    /// What it explains wants to be told, and on this level at least.
    floor: Level,
    /// It is listed in the case of this finding and has none of its own.
    pub part_of: Option<FindingKey>,
}

/// All conditions that hold now.
#[derive(Default)]
pub struct Conditions {
    held: BTreeMap<FindingKey, Condition>,
    /// How many are held of each device.
    of_device: HashMap<Name, u32>,
    due: BTreeSet<(Mono, FindingKey)>,
}

impl Conditions {
    /// The condition holds since `since`. Its delay counts from `counted_from` (the moment it was confirmed).
    pub fn hold(
        &mut self,
        key: FindingKey,
        rule: FindingRule,
        cause: Cause,
        since: Mono,
        counted_from: Mono,
        now: Now,
    ) {
        if let Some(condition) = self.held.get_mut(&key) {
            condition.cause = cause;
            // It may have been paused, and what explained it may be over.
            if !condition.raised && condition.level > Level::Ok {
                self.due.insert((condition.due, key));
            }
            return;
        }
        let due = counted_from + rule.after;
        let condition = Condition {
            since,
            since_wall: now.wall_at(since),
            due,
            level: rule.level,
            cause,
            raised: false,
            isolation: None,
            own: rule.level,
            floor: Level::Ok,
            part_of: None,
        };
        if rule.level > Level::Ok {
            self.due.insert((due, key.clone()));
        }
        self.insert(key, condition);
    }

    /// The same condition with newer numbers, while it waits for its delay.
    pub(super) fn restate(&mut self, key: &FindingKey, cause: Cause) {
        if let Some(condition) = self.held.get_mut(key).filter(|c| !c.raised) {
            condition.cause = cause;
        }
    }

    /// A finding that was open when the daemon stopped.
    pub fn restore(&mut self, key: FindingKey, level: Level, since_wall: Wall, cause: Cause, now: Now) {
        let since = now.mono - now.wall.since(since_wall);
        let condition = Condition {
            since,
            since_wall,
            due: since,
            level,
            cause,
            raised: true,
            isolation: None,
            own: level,
            floor: Level::Ok,
            part_of: None,
        };
        self.insert(key, condition);
    }

    /// The condition no longer holds; the change to tell, if it was a finding.
    pub fn end(&mut self, key: &FindingKey, cause: Cause, now: Now) -> Option<FindingChange> {
        let condition = self.held.remove(key)?;
        if let Some(device) = &key.device
            && let Some(count) = self.of_device.get_mut(device)
        {
            *count -= 1;
            if *count == 0 {
                self.of_device.remove(device);
            }
        }
        self.due.remove(&(condition.due, key.clone()));
        condition.raised.then(|| FindingChange {
            key: key.clone(),
            from: condition.level,
            to: Level::Ok,
            since: condition.since_wall,
            at: now.wall,
            cause,
            isolation: None,
        })
    }

    /// When the next one becomes a finding.
    pub fn next_due(&self) -> Mono {
        self.due.first().map_or(Mono::NEVER, |(at, _)| *at)
    }

    /// Takes out the next one whose delay has passed. The caller raises or ends it.
    pub fn ripe(&mut self, now: Now) -> Option<FindingKey> {
        let (at, key) = self.due.first()?.clone();
        if at > now.mono {
            return None;
        }
        self.due.remove(&(at, key.clone()));
        Some(key)
    }

    /// Makes a ripe condition a finding.
    pub fn raise(&mut self, key: &FindingKey, isolation: Option<Isolation>, now: Now) -> Option<FindingChange> {
        let condition = self.held.get_mut(key)?;
        condition.raised = true;
        condition.isolation = isolation.clone();
        Some(FindingChange {
            key: key.clone(),
            from: Level::Ok,
            to: condition.level,
            since: condition.since_wall,
            at: now.wall,
            cause: condition.cause.clone(),
            isolation,
        })
    }

    /// A condition that holds is worse (or better) than it was; the change to tell, if it is a finding.
    pub fn set_level(&mut self, key: &FindingKey, level: Level, now: Now) -> Option<FindingChange> {
        let condition = self.held.get_mut(key).filter(|_| level > Level::Ok)?;
        condition.own = level;
        self.settle(key, now)
    }

    /// Another finding that this one explains has lasted as long as its own rule says: both are told now, in one case, on the worse of the
    /// two levels. The change to tell, if it is a finding already.
    pub(super) fn speak_for(&mut self, key: &FindingKey, level: Level, now: Now) -> Option<FindingChange> {
        let condition = self
            .held
            .get_mut(key)
            .filter(|c| c.level > Level::Ok && c.floor < level)?;
        condition.floor = level;
        // One that is paused or put off is waited for.
        if !condition.raised && self.due.remove(&(condition.due, key.clone())) {
            condition.due = condition.due.min(now.mono);
            self.due.insert((condition.due, key.clone()));
        }
        self.settle(key, now)
    }

    /// What it explained is over, or is told by itself.
    pub(super) fn speak_for_itself(&mut self, key: &FindingKey, now: Now) -> Option<FindingChange> {
        self.held.get_mut(key)?.floor = Level::Ok;
        self.settle(key, now)
    }

    fn settle(&mut self, key: &FindingKey, now: Now) -> Option<FindingChange> {
        let condition = self.held.get_mut(key)?;
        let level = condition.own.max(condition.floor);
        if condition.level == level {
            return None;
        }
        let from = std::mem::replace(&mut condition.level, level);
        if !condition.raised {
            self.due.insert((condition.due, key.clone()));
            return None;
        }
        Some(FindingChange {
            key: key.clone(),
            from,
            to: level,
            since: condition.since_wall,
            at: now.wall,
            cause: condition.cause.clone(),
            isolation: None,
        })
    }

    /// The cause of a raised one has more to tell; the change that says so, on the same level.
    pub fn tell_again(&mut self, key: &FindingKey, cause: Cause, now: Now) -> Option<FindingChange> {
        let condition = self.held.get_mut(key)?;
        condition.cause = cause;
        condition.raised.then(|| FindingChange {
            key: key.clone(),
            from: condition.level,
            to: condition.level,
            since: condition.since_wall,
            at: now.wall,
            cause: condition.cause.clone(),
            isolation: None,
        })
    }

    /// The verdict of a raised one changed; the change to tell.
    pub fn isolate_again(&mut self, key: &FindingKey, isolation: Isolation, now: Now) -> Option<FindingChange> {
        let condition = self.held.get_mut(key).filter(|c| c.raised)?;
        if condition
            .isolation
            .as_ref()
            .is_some_and(|old| old.verdict == isolation.verdict)
        {
            return None;
        }
        condition.isolation = Some(isolation.clone());
        Some(FindingChange {
            key: key.clone(),
            from: condition.level,
            to: condition.level,
            since: condition.since_wall,
            at: now.wall,
            cause: condition.cause.clone(),
            isolation: Some(isolation),
        })
    }

    /// What was told of one that was a finding when the daemon stopped.
    pub(super) fn recall_told(&mut self, key: &FindingKey, cause: Cause, isolation: Option<Isolation>) {
        if let Some(condition) = self.held.get_mut(key).filter(|c| c.raised) {
            (condition.cause, condition.isolation) = (cause, isolation);
        }
    }

    /// From now on it is listed in the case of another finding; the change to tell, if it had a case of its own.
    pub(super) fn make_part_of(&mut self, key: &FindingKey, root: &FindingKey, now: Now) -> Option<FindingChange> {
        let condition = self.held.get_mut(key)?;
        condition.part_of = Some(root.clone());
        self.due.remove(&(condition.due, key.clone()));
        std::mem::take(&mut condition.raised).then(|| FindingChange {
            key: key.clone(),
            from: condition.level,
            to: Level::Ok,
            since: condition.since_wall,
            at: now.wall,
            cause: Cause::PartOf { root: root.clone() },
            isolation: None,
        })
    }

    /// It is judged by itself again, not before `until`.
    pub(super) fn judge_by_itself(&mut self, key: &FindingKey, until: Mono) {
        if let Some(condition) = self.held.get_mut(key) {
            condition.part_of = None;
        }
        self.put_off(key, until);
    }

    /// Nothing at all holds.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Looks one up.
    pub fn get(&self, key: &FindingKey) -> Option<&Condition> {
        self.held.get(key)
    }

    fn insert(&mut self, key: FindingKey, condition: Condition) {
        if let Some(device) = key.device.clone() {
            *self.of_device.entry(device).or_default() += u32::from(!self.held.contains_key(&key));
        }
        self.held.insert(key, condition);
    }

    /// Is any of a device held? Asked for each reading of each device.
    pub fn has_any_of(&self, device: &Name) -> bool {
        self.of_device.contains_key(device)
    }

    /// Those of a device, in a stable order.
    pub fn of<'a>(&'a self, device: &'a Name) -> impl Iterator<Item = (&'a FindingKey, &'a Condition)> {
        let first = FindingKey {
            device: Some(device.clone()),
            part: Part::Device,
            kind: FindingKind::DeviceDown,
            metric: None,
        };
        self.held
            .range(first..)
            .take_while(move |(key, _)| key.device.as_ref() == Some(device))
    }

    /// A ripe condition is looked at again later: what it rests on is being found out.
    pub(super) fn put_off(&mut self, key: &FindingKey, until: Mono) {
        if let Some(condition) = self.held.get_mut(key).filter(|c| !c.raised) {
            self.due.remove(&(condition.due, key.clone()));
            condition.due = until;
            self.due.insert((until, key.clone()));
        }
    }

    /// Nobody can say now whether it still holds: it does not become a finding before it is held again.
    pub(super) fn pause(&mut self, key: &FindingKey) {
        if let Some(condition) = self.held.get(key) {
            self.due.remove(&(condition.due, key.clone()));
        }
    }

    /// When a condition that waits for its delay becomes a finding, if it still holds then. `None`: it is one, is shown only, or waits for
    /// something that is being found out.
    pub fn told_from(&self, key: &FindingKey) -> Option<Wall> {
        let condition = self.held.get(key).filter(|c| !c.raised)?;
        let waits = self.due.contains(&(condition.due, key.clone()));
        waits.then(|| condition.since_wall.after(condition.due.since(condition.since)))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&FindingKey, &Condition)> {
        self.held.iter()
    }

    /// Is it a finding now?
    pub fn raised(&self, key: &FindingKey) -> bool {
        self.held.get(key).is_some_and(|c| c.raised)
    }
}
