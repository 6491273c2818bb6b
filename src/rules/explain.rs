//! What explains that a port is down: its far end is silent, or the far end of the same cable is down too. Such a port is listed in the
//! incident of that finding, and has none of its own while that incident is open.
//!
//! An explanation never lowers a finding: it has to be told already, on the same level or a worse one. Nor does it delay one, but by the
//! few seconds in which a fault of the far end that is as bad or worse is being confirmed: one fault is one incident. When it ends, the port
//! is judged by itself again.
//!
//! Never here: how a port is found to be down.

use super::engine::Rules;
use super::interface::interface_key;
use super::links::End;
use super::reach::{PARENT_HOLD, down_key};
use super::{Cause, Note, RuleEffect};
use crate::model::{
    DeviceId, FarEnd, FindingKey, FindingKind, Level, LinkKnown, Liveness, Mono, Name, Now, Part, ReachState, Role,
    Status,
};
use std::cmp::Ordering;
use std::time::Duration;

/// Until a round that was asked for has been taken, beyond a timeout.
const ASKED: Duration = Duration::from_secs(1);
/// Neighbours that are asked when a port falls whose far end is not known.
const ASKED_MAX: usize = 16;

/// What explains that a port is down.
enum Explanation {
    /// A finding that is told; what is at the far end.
    Root(FindingKey, FarEnd),
    /// It is being found out: look again then.
    Asking(Mono),
    /// Nothing that is told; what is at the far end, if that is known.
    Nothing(Option<FarEnd>),
}

/// What is known of a device at the far end.
enum Silence {
    /// It is silent, and this finding tells so.
    Told(FindingKey),
    /// It is being confirmed.
    Asking(Mono),
    /// It answers, or its silence is not told.
    No,
}

/// A port that is down.
struct Fallen {
    key: FindingKey,
    id: DeviceId,
    port: Name,
    since: Mono,
    level: Level,
}

impl Rules {
    /// A port has fallen: whoever may be at its far end is asked at once.
    pub(super) fn ask_far_end(&mut self, id: DeviceId, port: &Name, since: Mono) {
        let known = self.links.far_end(id, port, &self.site, &self.interfaces);
        let asked = match known {
            Some(end) => vec![end.device],
            None => self.neighbours(id),
        };
        let not_heard = |other: &DeviceId| {
            let node = self.reach.node(*other);
            let asks = matches!(node.state, ReachState::Up | ReachState::Lossy | ReachState::Unknown);
            asks && node.last_answer.is_none_or(|at| at < since)
        };
        let asked = asked.into_iter().filter(not_heard).take(ASKED_MAX);
        self.out.extend(asked.map(RuleEffect::Probe));
    }

    /// A port that is down and has lasted its delay: is it a part of another finding, or to be looked at later? If not, its far end as
    /// far as it is known, and it is told by itself.
    pub(super) fn port_by_itself(&mut self, key: &FindingKey, id: DeviceId, now: Now) -> Result<Option<FarEnd>, ()> {
        let Some(fallen) = self.fallen(key, id) else {
            return Ok(None);
        };
        if let Some(root) = self.conditions.get(key).and_then(|c| c.part_of.clone()) {
            if self.told_root(&root).is_some() {
                return Err(());
            }
            // What explained it is over. The two ends of a cable come up one after the other, and are read one after the other.
            let after = self.site.device(id).rule(FindingKind::InterfaceDown).after;
            let settle = self.site.device(id).poll.interval + self.site.device(id).poll.timeout;
            self.conditions.judge_by_itself(key, now.mono + after.max(settle));
            return Err(());
        }
        match self.explain(&fallen, now) {
            Explanation::Root(root, to) => {
                self.list_in(&fallen, root, to, now);
                Err(())
            }
            Explanation::Asking(until) => {
                self.conditions.put_off(key, until);
                Err(())
            }
            Explanation::Nothing(to) => Ok(to),
        }
    }

    /// A device is told as silent: ports toward it that were told before go on in its case.
    pub(super) fn list_ports_toward_silent(&mut self, now: Now) {
        let ports = self.conditions.iter().filter(|(key, c)| c.raised && is_port(key));
        let ports: Vec<FindingKey> = ports.map(|(key, _)| key.clone()).collect();
        for key in ports {
            let id = key.device.as_ref().and_then(|name| self.find(name));
            let Some(fallen) = id.and_then(|id| self.fallen(&key, id)) else {
                continue;
            };
            if let Explanation::Root(root, to) = self.explain(&fallen, now)
                && !is_port(&root)
            {
                self.list_in(&fallen, root, to, now);
            }
        }
    }

    fn list_in(&mut self, fallen: &Fallen, root: FindingKey, to: FarEnd, now: Now) {
        let oper = match self.conditions.get(&fallen.key).map(|c| &c.cause) {
            Some(Cause::OperDown { oper }) => *oper,
            _ => 2,
        };
        let ended = self.conditions.make_part_of(&fallen.key, &root, now);
        self.out.push(RuleEffect::Note(Note {
            root,
            key: fallen.key.clone(),
            cause: Cause::LinkDown { oper, to },
        }));
        self.out.extend(ended.map(RuleEffect::Finding));
    }

    fn fallen(&self, key: &FindingKey, id: DeviceId) -> Option<Fallen> {
        let condition = self.conditions.get(key)?;
        let Part::Interface(port) = &key.part else { return None };
        is_port(key).then(|| Fallen {
            key: key.clone(),
            id,
            port: port.clone(),
            since: condition.since,
            level: condition.level,
        })
    }

    fn explain(&mut self, fallen: &Fallen, now: Now) -> Explanation {
        match self
            .links
            .far_end(fallen.id, &fallen.port, &self.site, &self.interfaces)
        {
            Some(end) => self.by_far_end(fallen, end, now),
            None => self.by_time(fallen, now),
        }
    }

    /// The far end is known: its device is silent, or its port is down too, or neither.
    fn by_far_end(&mut self, fallen: &Fallen, mut end: End, now: Now) -> Explanation {
        match self.silence(end.device, fallen, now) {
            Silence::Told(root) => return Explanation::Root(root, end.named(&self.site)),
            Silence::Asking(until) => return Explanation::Asking(until),
            Silence::No => {}
        }
        if end.port.is_none()
            && let [port] = &self.fallen_toward(end.device, fallen)[..]
        {
            end.port = Some(port.clone());
        }
        self.by_port(fallen, &end)
    }

    /// The port at the far end is told already, alone or as a part.
    fn by_port(&self, fallen: &Fallen, end: &End) -> Explanation {
        let to = end.named(&self.site);
        let other = end
            .port
            .as_ref()
            .map(|port| interface_key(self.site.device(end.device), port, FindingKind::InterfaceDown));
        let root = other.and_then(|key| self.told_root(&key));
        match root.filter(|root| *root != fallen.key && self.is_as_bad(root, fallen.level)) {
            Some(root) => Explanation::Root(root, to),
            None => Explanation::Nothing(Some(to)),
        }
    }

    /// The far end is not known: what fell at the same time, if that is one thing only.
    fn by_time(&mut self, fallen: &Fallen, now: Now) -> Explanation {
        let site = self.site.clone();
        let own = site.device(fallen.id).poll;
        let mut silent = Vec::new();
        let mut pairs = Vec::new();
        let mut asking = None;
        for other in self.neighbours(fallen.id) {
            // Another port leads there.
            if self.links.leads(fallen.id, other, &site, &self.interfaces) {
                continue;
            }
            let node = self.reach.node(other);
            let away = matches!(node.state, ReachState::Suspect | ReachState::Down) && !node.control_plane;
            let window = site.device(other).poll.detection() + own.interval + own.timeout;
            if away && node.first_miss.is_some_and(|at| apart(at, fallen.since) <= window) {
                silent.push(other);
            } else if let Silence::Asking(until) = self.silence(other, fallen, now) {
                asking = asking.max(Some(until));
            }
            let ports = self.fallen_toward(other, fallen);
            pairs.extend(ports.into_iter().map(|port| (other, port)));
        }
        let guessed = |device, port| End {
            device,
            port,
            known: LinkKnown::Guessed,
        };
        match (&silent[..], asking, &pairs[..]) {
            ([device], ..) => match self.silence(*device, fallen, now) {
                Silence::Told(root) => Explanation::Root(root, guessed(*device, None).named(&site)),
                Silence::Asking(until) => Explanation::Asking(until),
                Silence::No => Explanation::Nothing(None),
            },
            ([], Some(until), _) => Explanation::Asking(until),
            ([], None, [(device, port)]) if self.pairs_only_with(*device, port, fallen) => {
                self.by_port(fallen, &guessed(*device, Some(port.clone())))
            }
            _ => Explanation::Nothing(None),
        }
    }

    /// Ports of a device that are down, fell at the same time, and may be the far end of this one.
    fn fallen_toward(&self, other: DeviceId, fallen: &Fallen) -> Vec<Name> {
        let site = &self.site;
        let (far, own) = (site.device(other), site.device(fallen.id));
        let window = far.poll.interval + own.poll.interval + far.poll.timeout + own.poll.timeout;
        let held = self.conditions.of(&far.name).filter(|(key, _)| is_port(key));
        let fits = |(key, c): (&FindingKey, &super::condition::Condition)| {
            let Part::Interface(port) = &key.part else { return None };
            let end = self.links.far_end(other, port, site, &self.interfaces);
            let may = end.is_none_or(|e| e.device == fallen.id && e.port.is_none_or(|p| p == fallen.port));
            (may && apart(c.since, fallen.since) <= window).then(|| port.clone())
        };
        held.filter_map(fits).collect()
    }

    /// Seen from the other side, too, there is one explanation only.
    fn pairs_only_with(&self, other: DeviceId, port: &Name, fallen: &Fallen) -> bool {
        let key = interface_key(self.site.device(other), port, FindingKind::InterfaceDown);
        let seen = self.fallen(&key, other);
        seen.is_some_and(|seen| self.fallen_toward(fallen.id, &seen) == [fallen.port.clone()])
    }

    /// Devices that may be at the far end of a port: parents and children that are watched.
    fn neighbours(&self, id: DeviceId) -> Vec<DeviceId> {
        let site = &self.site;
        let all = site.device(id).parents.iter().chain(&self.reach.children[id.index()]);
        let counts = |other: &&DeviceId| {
            let device = site.device(**other);
            let watched = device.status == Status::Active && device.liveness != Liveness::None;
            watched && device.role == Role::Managed
        };
        all.filter(counts).copied().collect()
    }

    fn silence(&mut self, device: DeviceId, fallen: &Fallen, now: Now) -> Silence {
        let site = self.site.clone();
        let (of, node) = (site.device(device), self.reach.node(device));
        let root = match node.state {
            ReachState::Down if !node.control_plane => Some(device),
            ReachState::Unreachable => node.root,
            _ => None,
        };
        if let Some(root) = root {
            let key = down_key(site.device(root));
            let told = self.conditions.raised(&key) && self.is_as_bad(&key, fallen.level);
            return if told { Silence::Told(key) } else { Silence::No };
        }
        let silent = match node.state {
            ReachState::Suspect => true,
            ReachState::Up | ReachState::Lossy => node.last_answer.is_none_or(|at| at < fallen.since),
            _ => false,
        };
        // The device's fault is told as soon as it is confirmed; where it is worse, a parent that is asked is waited for too.
        let until = match of.rule(of.owner.down_kind()).level.cmp(&fallen.level) {
            Ordering::Greater => fallen.since + of.poll.detection() + PARENT_HOLD,
            Ordering::Equal => fallen.since + of.poll.detection() + ASKED,
            Ordering::Less => fallen.since,
        };
        if !silent || now.mono >= until {
            return Silence::No;
        }
        if node.state != ReachState::Suspect {
            self.out.push(RuleEffect::Probe(device));
        }
        Silence::Asking(until.min(now.mono + of.poll.timeout + ASKED))
    }

    fn is_as_bad(&self, root: &FindingKey, level: Level) -> bool {
        self.conditions.get(root).is_some_and(|c| c.level >= level)
    }

    /// The finding in whose case this one is told: its own, or the one it is a part of.
    pub(super) fn told_root(&self, key: &FindingKey) -> Option<FindingKey> {
        let mut key = key.clone();
        // A port of a link whose other port has become a part of a device's case.
        for _ in 0..3 {
            let condition = self.conditions.get(&key)?;
            if condition.raised {
                return Some(key);
            }
            key = condition.part_of.clone()?;
        }
        None
    }
}

fn is_port(key: &FindingKey) -> bool {
    key.kind == FindingKind::InterfaceDown && matches!(key.part, Part::Interface(_))
}

fn apart(a: Mono, b: Mono) -> Duration {
    a.max(b).since(a.min(b))
}
