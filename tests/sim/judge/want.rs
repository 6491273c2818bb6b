//! What must be said: an outage that lasted longer than the computed detection time, in plain view, is an incident in time.

use super::*;
use hinomi::model::{Liveness, Measure, Power, Role};

/// One thing that must be said.
pub(crate) struct Want {
    pub(crate) fault: usize,
    /// One of these findings.
    kinds: Vec<FindingKind>,
    /// About this device; whatever it is about if none.
    target: Option<usize>,
    /// So long after it came into plain view.
    needs: At,
    from: At,
    to: At,
    in_view: Option<At>,
    /// It was hidden for a while.
    hidden: bool,
    /// Said by then.
    pub(crate) by: Option<At>,
}

/// When nothing more is needed than the daemon's ticks, the answer of an uplink, and a batch at the ledger.
const MARGIN: At = 3 * SECOND;
/// What stood before it must be believed to be back first.
const VIEW_BACK: At = 240 * SECOND;

/// Everything that the plot's faults must lead to.
pub(super) fn all(plot: &Plot) -> Vec<Want> {
    let faults = plot.faults.iter().enumerate();
    faults.filter_map(|(n, fault)| of(n, fault, plot)).collect()
}

fn of(number: usize, fault: &Fault, plot: &Plot) -> Option<Want> {
    let (kinds, target, needs) = match &fault.what {
        What::Dead(i) | What::Mute(i) => of_device(*i, matches!(fault.what, What::Mute(_)), plot)?,
        What::Port(device, port) => of_port(*device, *port, plot)?,
        What::Cable(ends) => {
            let poll = |end: &(usize, usize)| &plot.town.device(end.0).poll;
            let slowest = ends
                .iter()
                .map(|e| micros(poll(e).interval * 2 + poll(e).timeout))
                .max();
            (
                vec![FindingKind::InterfaceDown],
                None,
                slowest.unwrap_or_default() + 30 * SECOND,
            )
        }
        What::Agent(i) => {
            let poll = &plot.town.device(*i).poll;
            let needs = 300 * SECOND + 2 * micros(poll.interval) + 6 * micros(poll.timeout);
            (vec![FindingKind::AgentSilent], Some(*i), needs)
        }
        What::Host => {
            let poll = &plot.town.device(0).poll;
            (vec![FindingKind::Blind], None, micros(poll.detection()) + 16 * SECOND)
        }
        What::Many(all) => {
            let counts = |i: &&usize| plot.town.device(**i).liveness == Liveness::Echo;
            let enough = all.iter().filter(counts).count() * 10 >= all.len() * 6 && all.len() >= 8;
            if !enough || plot.kind.name == "town-dark-at-night" {
                return None;
            }
            let poll = &plot.town.device(*all.first()?).poll;
            let needs = micros(poll.detection()) + 2 * micros(poll.interval) + 30 * SECOND;
            (vec![FindingKind::CircuitsLost], None, needs)
        }
        What::Cpu(_) | What::Traffic(..) | What::Relay(_) | What::Ledger | What::Loss(_) | What::Group(_) => {
            return None;
        }
    };
    let lossy = plot
        .acts
        .iter()
        .any(|(_, a)| matches!(a, super::super::plot::Act::Loss(p) if *p > 0));
    Some(Want {
        fault: number,
        kinds,
        target,
        needs: needs
            + MARGIN
            + if plot.mixed { 120 * SECOND } else { 0 }
            + match lossy {
                // A lost echo makes it wait for the device to be looked at, each time.
                true if matches!(fault.what, What::Agent(_)) => 60 * SECOND,
                true => 20 * SECOND,
                false => 0,
            },
        from: fault.from,
        to: fault.to,
        in_view: None,
        hidden: false,
        by: None,
    })
}

type Needed = (Vec<FindingKind>, Option<usize>, At);

fn of_device(i: usize, mute: bool, plot: &Plot) -> Option<Needed> {
    let device = plot.town.device(i);
    let open = device
        .circuit
        .as_ref()
        .is_none_or(|c| c.power == Power::Always || plot.kind.party != "nobody");
    if device.role == Role::UplinkOnly || device.liveness != Liveness::Echo || !open {
        return None;
    }
    let detection = micros(device.poll.detection());
    let down = device.owner.down_kind();
    let provider = device.class.as_deref() == Some("service-provider");
    // What forwards and is heard through is only its own control plane.
    let only_way = |j: &Vec<u32>| *j == [i as u32];
    // Others are silent, too: it may wait for a look at what they have in common.
    let others =
        device.circuit.is_some() && plot.faults.iter().filter(|f| matches!(f.what, What::Dead(_))).count() >= 5;
    let heard_through = mute && plot.town.ways.iter().any(only_way);
    let delay = match down {
        _ if heard_through => 300,
        FindingKind::PlatformDown => 30,
        FindingKind::CircuitSilent if provider => 60,
        FindingKind::CircuitSilent => 300,
        _ => 0,
    };
    // More than half of the town behind it: one more round is wanted of it.
    let behind = plot.town.behind(i).len();
    let many = if behind * 2 + 4 > plot.town.tiers.len() {
        micros(device.poll.interval + device.poll.timeout)
    } else {
        0
    };
    let mut needs = detection + delay * SECOND + many;
    if others {
        needs =
            needs.max(micros(device.poll.interval * 3 + device.poll.timeout) + 25 * SECOND + delay.min(60) * SECOND);
    }
    if heard_through {
        needs += 40 * SECOND;
    }
    Some((vec![down, FindingKind::ControlPlaneSilent], Some(i), needs))
}

fn of_port(device: usize, port: usize, plot: &Plot) -> Option<Needed> {
    let edge = &plot.town.device(device).poll;
    let crosses = |i: &usize| {
        let d = plot.town.device(*i);
        let link = d
            .demarcation
            .as_ref()
            .is_some_and(|x| x.device.index() == device && port == 0);
        let name = plot.town.ports[device].get(port);
        let line = d.circuit.as_ref().is_some_and(|c| {
            matches!(&c.measure, Measure::Line(l) if l.device.index() == device && name.is_some_and(|n| **n == *l.port))
        });
        link || line
    };
    let Some(behind) = (0..plot.town.tiers.len()).find(crosses) else {
        let needs = 2 * micros(edge.interval) + 30 * SECOND + micros(edge.timeout);
        return (!plot.town.ports[device].is_empty()).then(|| (vec![FindingKind::InterfaceDown], Some(device), needs));
    };
    if plot.town.device(behind).liveness != Liveness::Line {
        return of_device(behind, false, plot);
    }
    let provider = plot.town.always_on(behind);
    let needs = 2 * micros(edge.interval) + if provider { 60 } else { 300 } * SECOND;
    Some((vec![FindingKind::CircuitSilent], Some(behind), needs))
}

impl Want {
    /// What is true from now on.
    pub(super) fn look(&mut self, now: At, truth: &Truth, plot: &Plot, alive: bool) {
        if self.by.is_some() {
            return;
        }
        let lasts = self.from <= now && now < self.to;
        let uplink = truth.answers(0) || truth.answers(1) || matches!(plot.faults[self.fault].what, What::Host);
        // What its agent does can be seen only of a device that answers.
        let agent = matches!(plot.faults[self.fault].what, What::Agent(_));
        let seen = |i: usize| truth.way_open(i) && (!agent || truth.answers(i));
        // So can its ports.
        let read = match plot.faults[self.fault].what {
            What::Port(device, _) => truth.answers(device) && !truth.mum[device].holds(),
            _ => true,
        };
        let view = alive && uplink && read && self.target.is_none_or(seen);
        if !lasts {
            self.in_view = None;
        } else if view {
            self.in_view.get_or_insert(now);
        } else {
            (self.in_view, self.hidden) = (None, true);
        }
    }

    /// Time has passed with nothing changed.
    pub(super) fn pass(&mut self, now: At) {
        let needs = self.needs + if self.hidden { VIEW_BACK } else { 0 };
        if let (Some(since), None) = (self.in_view, self.by)
            && since + needs <= now
        {
            self.by = Some(since + needs);
        }
    }

    /// Was it said?
    pub(super) fn is_met(&self, cases: &BTreeMap<u64, Case>) -> bool {
        let Some(by) = self.by else { return true };
        cases.values().any(|c| {
            let kind = self.kinds.contains(&c.root.kind);
            let about = self.target.is_none() || c.target == self.target;
            let in_time = c.spells.iter().any(|at| *at >= self.from && *at <= by);
            kind && about && (in_time || c.spells.iter().any(|at| *at < self.from) && c.covers(self.from))
        })
    }
}

impl Case {
    /// Was it open all that time?
    pub(super) fn lasts(&self, from: At, to: At) -> bool {
        self.covers(from) && !self.ends.iter().any(|e| from <= *e && *e <= to)
    }

    /// Was it open at that time already?
    fn covers(&self, at: At) -> bool {
        self.spells.iter().any(|s| *s <= at)
            && self.ends.iter().filter(|e| **e <= at).count() < self.spells.iter().filter(|s| **s <= at).count()
    }
}
