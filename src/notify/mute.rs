//! Planned work keeps people asleep: which findings a maintenance window covers.
//!
//! Covered is what a window names, and what has every path through it. What says that the service is lost, that two are active,
//! or that hinomi itself is cut off is told all the same. Measuring goes on.
//!
//! Pure. Never here: what becomes of an incident when its window is over (that is the notifier).

use crate::model::maintenance::{SETTLING, Subject, Window, subject};
use crate::model::{
    Device, DeviceId, FindingKey, FindingKind, Measure, Name, Now, Part, Redundancy, Site, Wall, maintenance::When,
};
use crate::rules::{Calendar, Cause};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Windows are looked at this often: they begin and end on whole minutes.
const LOOK: Duration = Duration::from_secs(60);

/// What is covered now, and by which window.
pub(crate) struct Mutes {
    calendar: Calendar,
    ids: HashMap<Name, DeviceId>,
    /// In force or settling: name, what it covers.
    active: Vec<(Name, Cover)>,
    /// Of those: names and subjects, to see a change.
    known: Vec<(Name, Vec<Name>)>,
    next: Wall,
}

/// What one window covers.
#[derive(Debug, Default, PartialEq)]
struct Cover {
    devices: BTreeSet<DeviceId>,
    interfaces: BTreeSet<(DeviceId, Name)>,
    /// As the common parts of circuits are called: `site tokyo`, `carrier access-carrier-1`.
    commons: BTreeSet<String>,
}

impl std::fmt::Debug for Mutes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mutes")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl Mutes {
    pub(crate) fn new(site: &Site) -> Mutes {
        Mutes {
            calendar: Calendar::new(&site.operator),
            ids: site.iter().map(|(id, d)| (d.name.clone(), id)).collect(),
            active: Vec::new(),
            known: Vec::new(),
            next: Wall(i64::MIN),
        }
    }

    /// Looks again which windows are in force; true if that has changed.
    pub(crate) fn refresh(&mut self, site: &Site, windows: &[Window], now: Now) -> bool {
        if now.wall < self.next {
            return false;
        }
        let minute = i64::try_from(LOOK.as_millis()).unwrap_or(60_000);
        self.next = Wall((now.wall.0.div_euclid(minute) + 1) * minute);
        let planned = site.maintenance.iter().filter(|m| self.holds(&m.when, now.wall));
        let set = windows
            .iter()
            .filter(|w| w.start <= now.wall && now.wall < w.end.after(SETTLING));
        let known: Vec<(Name, Vec<Name>)> = planned
            .map(|m| (m.name.clone(), m.what.clone()))
            .chain(set.map(|w| (w.name.clone(), w.what.clone())))
            .collect();
        if known == self.known {
            return false;
        }
        self.active = known
            .iter()
            .map(|(name, what)| (name.clone(), Cover::of(site, what)))
            .collect();
        self.known = known;
        true
    }

    /// A window was set, ended, or the clock was stepped: look at once.
    pub(crate) fn look_now(&mut self) {
        self.next = Wall(i64::MIN);
    }

    /// When a window may begin or end next, if there is any.
    pub(crate) fn next(&self, site: &Site, windows: &[Window]) -> Option<Wall> {
        (!site.maintenance.is_empty() || !windows.is_empty()).then_some(self.next)
    }

    fn holds(&self, when: &When, at: Wall) -> bool {
        match when {
            When::Once { start, end } => *start <= at && at < end.after(SETTLING),
            When::Weekly(hours) => {
                let minutes = SETTLING.as_secs() / 60;
                (0..=minutes).any(|m| hours.open(self.calendar.at(at.before(Duration::from_secs(m * 60)))))
            }
        }
    }

    /// The window that covers a finding now.
    pub(crate) fn window(&self, site: &Site, key: &FindingKey, cause: &Cause) -> Option<&Name> {
        if always_told(key.kind) {
            return None;
        }
        let id = key.device.as_ref().and_then(|name| self.ids.get(name)).copied();
        let covered = |cover: &Cover| match (&key.part, id) {
            (Part::Common(label), _) => cover.common(label, &self.ids),
            (Part::Redundancy(group), _) => {
                let group = site.redundancy.iter().find(|g| g.name == *group);
                group.is_some_and(|g| cover.explains(g, cause))
            }
            (Part::Interface(port), Some(id)) => {
                cover.devices.contains(&id) || cover.interfaces.contains(&(id, port.clone()))
            }
            (_, Some(id)) => cover.devices.contains(&id),
            (_, None) => false,
        };
        self.active.iter().find(|(_, c)| covered(c)).map(|(name, _)| name)
    }

    /// Is a window in force or settling?
    pub(crate) fn in_force(&self, name: &str) -> bool {
        self.active.iter().any(|(n, _)| **n == *name)
    }
}

/// No planned work explains these away.
fn always_told(kind: FindingKind) -> bool {
    matches!(
        kind,
        FindingKind::Blind
            | FindingKind::RouteNotReady
            | FindingKind::LastRouteLost
            | FindingKind::ContactRefused
            | FindingKind::LedgerFailed
            | FindingKind::NoneActive
            | FindingKind::BothActive
    )
}

impl Cover {
    fn of(site: &Site, what: &[Name]) -> Cover {
        let mut cover = Cover::default();
        for word in what {
            match subject(&site.devices, word) {
                Some(Subject::Device(id)) => drop(cover.devices.insert(id)),
                Some(Subject::Interface(id, port)) => drop(cover.interfaces.insert((id, port))),
                Some(Subject::Site(name)) => {
                    cover.commons.insert(format!("site {name}"));
                    cover.all(site, |d| d.site.as_ref() == Some(&name));
                }
                Some(Subject::Group(name)) => cover.all(site, |d| d.group.as_ref() == Some(&name)),
                Some(Subject::Carrier(name)) => {
                    cover.commons.insert(format!("carrier {name}"));
                    let carrier = |d: &Device| d.circuit.as_ref().and_then(|c| c.carrier.clone());
                    cover.all(site, |d| carrier(d).as_ref() == Some(&name));
                }
                Some(Subject::Institution(name)) => {
                    let of = |d: &Device| d.circuit.as_ref().is_some_and(|c| c.institution_id == name);
                    let label = site.devices.iter().find(|d| of(d)).and_then(|d| d.circuit.as_ref());
                    cover.commons.extend(label.map(|c| c.institution_label().to_string()));
                    cover.all(site, of);
                }
                // A reload took it away.
                None => {}
            }
        }
        cover.spread(site);
        cover
    }

    fn all(&mut self, site: &Site, wanted: impl Fn(&Device) -> bool) {
        self.devices
            .extend(site.iter().filter(|(_, d)| wanted(d)).map(|(id, _)| id));
    }

    /// What has every path through what is covered already. Parents have no cycle; few levels lie above a circuit.
    fn spread(&mut self, site: &Site) {
        loop {
            let more: Vec<DeviceId> = site
                .iter()
                .filter(|(id, d)| !self.devices.contains(id) && self.is_behind(d))
                .map(|(id, _)| id)
                .collect();
            if more.is_empty() {
                return;
            }
            self.devices.extend(more);
        }
    }

    fn is_behind(&self, device: &Device) -> bool {
        if device.parents.is_empty() {
            return false;
        }
        // The port through which a parent leads to it.
        let through = |parent: DeviceId| {
            let crossing = device.demarcation.as_ref().filter(|d| d.device == parent);
            let line = device.circuit.as_ref().and_then(|c| match &c.measure {
                Measure::Line(line) if line.device == parent => Some(&line.port),
                _ => None,
            });
            crossing.map(|d| &d.interface).or(line)
        };
        device.parents.iter().all(|parent| {
            let port = through(*parent).is_some_and(|port| self.interfaces.contains(&(*parent, port.clone())));
            port || self.devices.contains(parent)
        })
    }

    /// Redundancy is lost by, or roles move off or onto, members that are worked on: expected. One other member among the missing, and it is
    /// told.
    fn explains(&self, group: &Redundancy, cause: &Cause) -> bool {
        let worked_on = |name: &Name| {
            let member = group.members.iter().find(|m| m.is_called(name));
            member.is_some_and(|m| self.devices.contains(&m.device))
        };
        match cause {
            Cause::RedundancyLost { missing, .. } => missing.iter().all(|m| worked_on(&m.member)),
            // What is good again needs no explanation: that it flaps is told to those who were told of it.
            Cause::RedundancyBack { .. } => false,
            Cause::SwitchedOver { moved, .. } | Cause::SwitchedBack { moved } | Cause::SwitchoverSettled { moved } => {
                moved.iter().all(|m| worked_on(&m.from) || worked_on(&m.to))
            }
            _ => group.members.iter().any(|m| self.devices.contains(&m.device)),
        }
    }

    fn common(&self, label: &str, ids: &HashMap<Name, DeviceId>) -> bool {
        if self.commons.contains(label) {
            return true;
        }
        let rest = label.strip_prefix("device ").or_else(|| label.strip_prefix("card "));
        let device = rest.map(|r| r.split(' ').next().unwrap_or(r));
        device
            .and_then(|name| ids.get(name))
            .is_some_and(|id| self.devices.contains(id))
    }
}
