//! Planned work keeps people asleep: which findings a maintenance window covers.
//!
//! Covered is what a window names, and what has every path through it. What says that the service is lost, that two are active,
//! or that hinomi itself is cut off is told all the same. Measuring goes on.
//!
//! Pure. Never here: what becomes of an incident when its window is over (that is the notifier).

use crate::incident::{Book, Incident};
use crate::model::maintenance::{By, Subject, When, Window, WindowStage, subject};
use crate::model::{Device, DeviceId, FindingKey, FindingKind, Measure, Name, Now, Part, Redundancy, Site, Wall};
use crate::rules::reach::down_key;
use crate::rules::{Calendar, Cause};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Windows are looked at this often: they begin and end on whole minutes.
const LOOK: Duration = Duration::from_secs(60);

/// What is covered now, and by which window.
pub(crate) struct Mutes {
    calendar: Calendar,
    ids: HashMap<Name, DeviceId>,
    /// In force or settling.
    active: Vec<Active>,
    /// Looked at since the start or the reload: a window may have ended while nobody looked.
    looked: bool,
    next: Wall,
}

/// A window that is in force, or that has ended and is followed by the settling time.
struct Active {
    name: Name,
    /// Subjects as written.
    what: Vec<Name>,
    by: By,
    stage: WindowStage,
    cover: Cover,
}

/// A window that covers a device, for those who look.
#[derive(Clone, Debug, PartialEq)]
pub struct Covering {
    /// Its name.
    pub window: Name,
    /// Whose work it is.
    pub by: By,
    /// In force or settling.
    pub stage: WindowStage,
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
        let known: Vec<_> = self.active.iter().map(|a| (&a.name, a.stage)).collect();
        f.debug_struct("Mutes").field("active", &known).finish_non_exhaustive()
    }
}

impl Mutes {
    pub(crate) fn new(site: &Site) -> Mutes {
        Mutes {
            calendar: Calendar::new(&site.operator),
            ids: site.iter().map(|(id, d)| (d.name.clone(), id)).collect(),
            active: Vec::new(),
            looked: false,
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
        let planned = site.maintenance.iter().map(|m| {
            (
                &m.name,
                &m.what,
                m.by,
                m.when.stage(now.wall, |at| self.calendar.at(at)),
            )
        });
        let set = windows
            .iter()
            .map(|w| (&w.name, &w.what, w.by, WindowStage::of_span(w.start, w.end, now.wall)));
        let active: Vec<_> = planned.chain(set).filter(|(.., stage)| stage.is_active()).collect();
        let known = self.active.iter().map(|a| (&a.name, &a.what, a.by, a.stage));
        if known.eq(active.iter().copied()) {
            return !std::mem::replace(&mut self.looked, true);
        }
        self.looked = true;
        let active = active.into_iter().map(|(name, what, by, stage)| Active {
            name: name.clone(),
            what: what.clone(),
            by,
            stage,
            cover: Cover::of(site, what),
        });
        self.active = active.collect();
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

    /// The window that keeps an incident quiet now: one in force, or one that has ended if the fault began inside it.
    pub(crate) fn window(&self, site: &Site, book: &Book, incident: &Incident) -> Option<&Name> {
        if always_told(incident.root.kind) {
            return None;
        }
        let holds = |active: &&Active| {
            let began_inside = match active.stage {
                WindowStage::Settling { ended, .. } => self.began_before(ended, active, site, book, incident),
                _ => true,
            };
            began_inside && self.covers(&active.cover, site, &incident.root, incident.cause())
        };
        self.active.iter().find(holds).map(|a| &a.name)
    }

    fn covers(&self, cover: &Cover, site: &Site, key: &FindingKey, cause: &Cause) -> bool {
        let id = key.device.as_ref().and_then(|name| self.ids.get(name)).copied();
        match (&key.part, id) {
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
        }
    }

    /// May the fault have begun before the window ended? A poll that found it says that it began since the poll before; and what is
    /// found first when something comes back late from the work belongs to the work.
    fn began_before(&self, ended: Wall, window: &Active, site: &Site, book: &Book, incident: &Incident) -> bool {
        let began = began(incident);
        let devices = self.concerned(site, &incident.root);
        let longest = devices.iter().map(|id| site.device(*id).poll.interval).max();
        let interval = longest.unwrap_or_default();
        if began.before(interval) < ended {
            return true;
        }
        let mut look: Vec<DeviceId> = devices;
        let mut seen = BTreeSet::new();
        while let Some(id) = look.pop() {
            let device = site.device(id);
            if !seen.insert(id) {
                continue;
            }
            let down = book.latest(&down_key(device)).filter(|i| i.id != incident.id);
            let held = down.filter(|i| i.held.as_ref().is_some_and(|h| h.window == window.name));
            let back = held.map(|i| i.recovered.unwrap_or(began));
            if back.is_some_and(|back| back >= ended && began <= back.after(interval * 2)) {
                return true;
            }
            look.extend(&device.parents);
        }
        false
    }

    /// The devices that a finding is about.
    fn concerned(&self, site: &Site, key: &FindingKey) -> Vec<DeviceId> {
        let group = match &key.part {
            Part::Redundancy(name) => site.redundancy.iter().find(|g| g.name == *name),
            _ => None,
        };
        let members = group.into_iter().flat_map(|g| &g.members).map(|m| m.device);
        let own = key.device.as_ref().and_then(|name| self.ids.get(name)).copied();
        own.into_iter().chain(members).collect()
    }

    /// The window that covers a device as a whole now, one in force before one that is settling.
    pub(crate) fn of_device(&self, id: DeviceId) -> Option<Covering> {
        let covering = self.active.iter().filter(|a| a.cover.devices.contains(&id));
        let first = covering.min_by_key(|a| !matches!(a.stage, WindowStage::InForce { .. }))?;
        Some(first.covering())
    }

    /// The active window of this name.
    pub(crate) fn named(&self, window: &str) -> Option<Covering> {
        self.active.iter().find(|a| *a.name == *window).map(Active::covering)
    }

    /// How a window stands at a moment.
    pub(crate) fn stage(&self, when: &When, now: Wall) -> WindowStage {
        when.stage(now, |at| self.calendar.at(at))
    }
}

impl Active {
    fn covering(&self) -> Covering {
        Covering {
            window: self.name.clone(),
            by: self.by,
            stage: self.stage,
        }
    }
}

/// The window that covers a device as a whole at a moment, of those of the site and those set by hand: for whoever looks without a daemon.
pub fn covering(site: &Site, windows: &[Window], device: DeviceId, now: Now) -> Option<Covering> {
    let mut mutes = Mutes::new(site);
    mutes.refresh(site, windows, now);
    mutes.of_device(device)
}

/// When the last thing that an incident speaks of began.
fn began(incident: &Incident) -> Wall {
    let moved = match incident.cause() {
        Cause::SwitchedOver { moved, .. } => moved.iter().map(|m| m.at).max(),
        _ => None,
    };
    moved.unwrap_or(incident.last.since)
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
