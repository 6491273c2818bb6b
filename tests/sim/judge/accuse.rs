//! Is what the core says of the network true? Every rise must rest on something that is broken, every fall on something that is well
//! again, every verdict must name the party that is broken or nobody.

use super::*;
use hinomi::model::{Device, Liveness, Metric};

/// How long a finding may come after the end of what it rests on: recovery is believed only then.
fn recovery(device: &Device) -> At {
    let poll = &device.poll;
    micros(poll.interval * (poll.recover.rounds + 1) + poll.recover.over + poll.timeout) + 30 * SECOND
}

impl Judge {
    /// A finding has a level, or a higher one.
    pub(super) fn risen(&mut self, at: At, id: u64, change: &FindingChange, truth: &Truth, plot: &Plot) {
        let target = self.cases.get(&id).and_then(|c| c.target);
        if let Err(why) = self.explained(&change.key, target, change.to, at, truth) {
            if plot
                .faults
                .iter()
                .any(|f| matches!(f.what, What::Loss(percent) if percent > 20))
            {
                self.findings.false_alarms += 1;
            } else {
                let at = at as f64 / 1e6;
                self.wrong(format!(
                    "at {at:.1} s #{id} accuses {} ({:?}): {why}",
                    change.key, change.to
                ));
            }
        }
        self.beside_its_far_end(at, id, change, plot);
        let fault = self.faults_of(&change.key, target, at, plot).first().copied();
        if let Some(case) = self.cases.get_mut(&id) {
            case.fault = fault.or(case.fault);
        }
        self.verdict(at, id, plot);
    }

    /// One fault is one incident: a port is told by itself only while nothing at the other end of its cable is told.
    pub(super) fn beside_its_far_end(&mut self, at: At, id: u64, change: &FindingChange, plot: &Plot) {
        let target = self.cases.get(&id).and_then(|c| c.target);
        let Some(i) = target.filter(|_| change.key.kind == FindingKind::InterfaceDown) else {
            return;
        };
        let Some((device, port)) = self.port(&change.key, i).and_then(|port| far_end(plot, (i, port))) else {
            return;
        };
        let about = |c: &Case| {
            let down = c.root.kind == FindingKind::DeviceDown;
            let end = c.root.kind == FindingKind::InterfaceDown && self.port(&c.root, device) == Some(port);
            c.open && !c.recovering && c.target == Some(device) && (down || end)
        };
        let told = self.cases.iter().find(|(other, c)| **other != id && about(c));
        if let Some((other, case)) = told {
            let text = format!(
                "at {:.1} s #{id} {} is told beside #{other} {} at the other end of its cable",
                at as f64 / 1e6,
                change.key,
                case.root
            );
            self.wrong(text);
        }
    }

    /// Why the model says that this is right, or not.
    fn explained(
        &self,
        key: &FindingKey,
        target: Option<usize>,
        to: Level,
        at: At,
        truth: &Truth,
    ) -> Result<(), String> {
        let held = |span: Option<(At, At)>, least: At, what: &str| match span {
            None => Err(format!("{what} is well")),
            Some((from, to)) if to - from + SECOND / 10 < least => Err(format!(
                "{what} was not well for {:.1} s only",
                (to - from) as f64 / 1e6
            )),
            Some(_) => Ok(()),
        };
        match (key.kind, target) {
            (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, Some(i)) => {
                self.silent(key, i, at, truth)
            }
            (FindingKind::ControlPlaneSilent, Some(i)) => held(truth.own[i].recent(at, self.lag[i]), 60 * SECOND, "it"),
            (FindingKind::InterfaceDown, Some(i)) => {
                let port = self.port(key, i).ok_or("there is no such port")?;
                held(truth.port_down(i, port).recent(at, 100 * SECOND), 0, "the port")
            }
            (FindingKind::AgentSilent, Some(i)) => {
                held(truth.mum[i].recent(at, 100 * SECOND), 240 * SECOND, "the agent")
            }
            (FindingKind::Threshold, Some(i)) => self.above(key, i, to, at, truth),
            (FindingKind::CircuitsLost, _) => {
                let lost = |f: &Fault| matches!(f.what, What::Many(_)) && f.from <= at && at <= f.to;
                self.faults
                    .iter()
                    .any(lost)
                    .then_some(())
                    .ok_or("no circuits were lost together".to_owned())
            }
            (FindingKind::Blind, _) => held(self.blind.recent(at, 60 * SECOND), 9 * SECOND, "an uplink"),
            (FindingKind::RouteNotReady, _) => {
                let broken = self
                    .faults
                    .iter()
                    .any(|f| matches!(f.what, What::Relay(_)) && f.from <= at && at <= f.to + 130 * SECOND);
                let cut = (0..2).any(|r| self.working[r].is_none_or(|from| from > 0 && at < from + 130 * SECOND));
                (broken || cut).then_some(()).ok_or("the route works".to_owned())
            }
            (FindingKind::LastRouteLost, _) => held(self.no_way.recent(at, 130 * SECOND), 0, "a route"),
            (FindingKind::LedgerFailed, _) if self.ledger_trouble => Ok(()),
            // Looked at when the whole story is known (`groups`).
            (kind, _) if kind.is_of_redundancy() => Ok(()),
            _ => Err("nothing of the kind is broken".to_owned()),
        }
    }

    /// A device that is said to be silent.
    fn silent(&self, key: &FindingKey, i: usize, at: At, truth: &Truth) -> Result<(), String> {
        let device = &self.site.devices[i];
        let over = micros(device.poll.confirm.over);
        let Some((from, to)) = truth.own[i].recent(at, self.lag[i]) else {
            return Err(if truth.is_off(i) {
                "it is switched off"
            } else {
                "it is not broken"
            }
            .to_owned());
        };
        if device.liveness != Liveness::Echo {
            return Ok(());
        }
        if to - from + SECOND / 10 < over {
            return Err(format!("it was silent for {:.1} s only", (to - from) as f64 / 1e6));
        }
        let mutes = |f: &&Fault| matches!(f.what, What::Mute(m) if m == i) && f.from + SECOND < at;
        if self.only_way[i] && i > 1 && truth.forwards(i) && !self.mixed && self.faults.iter().any(|f| mutes(&f)) {
            return Err("it forwards: what lies behind it answers".to_owned());
        }
        // Where the ledger is slow, an answer may come after what was decided, and before that is in the ledger.
        let heard = self.heard[i].iter().rfind(|h| **h < at).copied().unwrap_or(0);
        let quiet = at - heard;
        if key.kind == FindingKind::DeviceDown && quiet + SECOND / 10 < over && !self.restarted {
            return Err(format!("it answered {:.1} s ago", quiet as f64 / 1e6));
        }
        Ok(())
    }

    pub(super) fn port(&self, key: &FindingKey, i: usize) -> Option<usize> {
        let Part::Interface(name) = &key.part else { return None };
        self.ports[i].iter().position(|p| **p == **name)
    }

    /// A number that is said to be too high.
    fn above(&self, key: &FindingKey, i: usize, to: Level, at: At, truth: &Truth) -> Result<(), String> {
        let level = usize::from(to == Level::Critical);
        let (gauge, hold, lag) = self.gauge(key, i, truth).ok_or("nothing is known of this number")?;
        let lasted = gauge.above[level].lasted(at, lag);
        match lasted > 0 && lasted + SECOND >= hold {
            true => Ok(()),
            false => Err(format!("it was that high for {:.1} s only", lasted as f64 / 1e6)),
        }
    }

    /// The truth about a number, how long it must last, and how late it may be seen.
    fn gauge(&self, key: &FindingKey, i: usize, truth: &Truth) -> Option<(super::super::truth::Gauge, At, At)> {
        let interval = micros(self.site.devices[i].poll.interval);
        if key.metric == Some(Metric::Watch) {
            return Some((*truth.cpu.get(&i)?, 60 * SECOND, 2 * interval + 5 * SECOND));
        }
        let port = self.port(key, i)?;
        let hold = if self.strict { 0 } else { 60 * SECOND };
        Some((*truth.traffic.get(&(i, port))?, hold, 2 * interval + 45 * SECOND))
    }

    /// A level ended, another one is left.
    pub(super) fn fallen(&mut self, at: At, id: u64, before: Level, truth: &Truth, _plot: &Plot) {
        let Some(case) = self.cases.get(&id) else { return };
        let (root, Some(i)) = (case.root.clone(), case.target) else {
            return;
        };
        if let Err(why) = self.below(&root, i, before, at, truth) {
            self.wrong(format!(
                "at {:.1} s #{id} {root} fell from {before:?}: {why}",
                at as f64 / 1e6
            ));
        }
    }

    fn below(&self, key: &FindingKey, i: usize, before: Level, at: At, truth: &Truth) -> Result<(), String> {
        let level = usize::from(before == Level::Critical);
        let (gauge, hold, lag) = self.gauge(key, i, truth).ok_or("nothing is known of this number")?;
        let lasted = gauge.below[level].lasted(at, lag);
        match lasted > 0 && lasted + SECOND >= hold {
            true => Ok(()),
            false => Err(format!(
                "it was below its clear value for {:.1} s only",
                lasted as f64 / 1e6
            )),
        }
    }

    /// The root is said to be good.
    pub(super) fn good(&mut self, at: At, id: u64, change: &FindingChange, truth: &Truth, plot: &Plot) {
        let Some(case) = self.cases.get_mut(&id) else {
            return self.wrong(format!("#{id} ended and was never opened"));
        };
        let before = case.level;
        if before > Level::Ok {
            case.changes.push(at);
        }
        case.level = Level::Ok;
        let (root, target) = (case.root.clone(), case.target);
        if let Err(why) = self.well(&root, target, before, change, (at, truth, plot)) {
            self.wrong(format!("at {:.1} s #{id} {root} ended: {why}", at as f64 / 1e6));
        }
    }

    fn well(
        &self,
        key: &FindingKey,
        target: Option<usize>,
        before: Level,
        change: &FindingChange,
        (at, truth, plot): (At, &Truth, &Plot),
    ) -> Result<(), String> {
        let over = |span: Span, unseen: At, least: At, what: &str| match (span.over_since(), span.recent(at, 0)) {
            (None, Some((from, _))) if from + unseen < at => Err(format!("{what} is still not well")),
            (Some(since), _) if since > 0 && since + least > at + SECOND => Err(format!(
                "{what} has been well for {:.1} s only",
                at.saturating_sub(since) as f64 / 1e6
            )),
            _ => Ok(()),
        };
        match (key.kind, target) {
            _ if change.cause == Cause::Removed => Ok(()),
            (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::ControlPlaneSilent, Some(_))
                if matches!(change.cause, Cause::ChildrenAnswer { .. } | Cause::NoAnswer { .. }) =>
            {
                Ok(())
            }
            (
                FindingKind::DeviceDown
                | FindingKind::PlatformDown
                | FindingKind::ControlPlaneSilent
                | FindingKind::CircuitSilent,
                Some(i),
            ) => {
                let poll = &plot.town.device(i).poll;
                let line = plot.town.device(i).liveness == Liveness::Line;
                let unseen = micros(poll.interval + poll.timeout) + 2 * SECOND;
                over(
                    truth.silent[i],
                    unseen,
                    if line || plot.mixed {
                        0
                    } else {
                        micros(poll.recover.over)
                    },
                    "it",
                )
            }
            (FindingKind::AgentSilent, Some(i)) => over(truth.mum[i], 70 * SECOND, 0, "the agent"),
            (FindingKind::InterfaceDown, Some(i)) => {
                let port = self.port(key, i).ok_or("there is no such port")?;
                over(truth.port_down(i, port), 70 * SECOND, 0, "the port")
            }
            (FindingKind::Blind, _) => over(self.blind, 32 * SECOND, 60 * SECOND, "the way out"),
            (FindingKind::Threshold, Some(i)) => {
                let level = if before == Level::Critical {
                    Level::Critical
                } else {
                    Level::Warning
                };
                self.below(key, i, level, at, truth)
            }
            (FindingKind::CircuitsLost, _) => self.half_back(at, truth),
            (FindingKind::LastRouteLost, _) => over(self.no_way, 310 * SECOND, 0, "mail"),
            _ => Ok(()),
        }
    }

    fn half_back(&self, at: At, truth: &Truth) -> Result<(), String> {
        let mut best = 0.0_f64;
        for fault in &self.faults {
            if let What::Many(all) = &fault.what
                && fault.from <= at
            {
                let back = all.iter().filter(|i| truth.answers(**i) || truth.is_off(**i)).count();
                best = best.max(back as f64 / all.len() as f64);
            }
        }
        // Those that are judged by their line alone were never lost.
        match best >= 0.3 {
            true => Ok(()),
            false => Err(format!("{:.0} % of what was lost is back", best * 100.0)),
        }
    }

    /// The faults that an incident of this root may be about, the latest first.
    pub(super) fn faults_of(&self, key: &FindingKey, target: Option<usize>, at: At, plot: &Plot) -> Vec<usize> {
        let fits = |f: &Fault| match (key.kind, target) {
            (FindingKind::CircuitsLost, _) => matches!(f.what, What::Many(_)),
            (FindingKind::Blind, _) => matches!(f.what, What::Host) || f.hits(0),
            (FindingKind::RouteNotReady, _) => {
                let name = |r: usize| Part::Route(self.site.routes[r].name.clone());
                matches!(f.what, What::Relay(r) if name(r) == key.part)
            }
            (FindingKind::LastRouteLost, _) => matches!(f.what, What::Relay(_)),
            (FindingKind::LedgerFailed, _) => matches!(f.what, What::Ledger),
            (FindingKind::Threshold, Some(i)) => {
                let port = self.port(key, i);
                matches!(f.what, What::Cpu(d) if d == i && port.is_none())
                    || matches!(f.what, What::Traffic(d, p) if d == i && port == Some(p))
            }
            (FindingKind::InterfaceDown, Some(i)) => {
                let port = self.port(key, i);
                let far = port.and_then(|port| far_end(plot, (i, port)));
                matches!(f.what, What::Port(d, p) if d == i && port == Some(p))
                    || matches!(&f.what, What::Cable(ends) if ends.iter().any(|(d, p)| *d == i && port == Some(*p)))
                    || far.is_some_and(|(device, _)| f.hits(device))
            }
            (_, Some(i)) => {
                let hangs = self.hangs_on[i];
                f.hits(i) || matches!(f.what, What::Port(d, port) if hangs == Some((d, port)))
            }
            _ => false,
        };
        let lag = target.map_or(300 * SECOND, |i| self.lag[i]);
        let mut all: Vec<usize> = (0..plot.faults.len())
            .filter(|n| fits(&plot.faults[*n]) && plot.faults[*n].from <= at && at <= plot.faults[*n].to + lag)
            .collect();
        all.reverse();
        all
    }

    /// The verdict names the party that is broken, or nobody.
    pub(super) fn verdict(&mut self, at: At, id: u64, plot: &Plot) {
        let Some(case) = self.cases.get(&id) else { return };
        let Some(verdict) = case.verdict.filter(|v| !super::super::kinds::is_open(*v)) else {
            return;
        };
        let (root, target) = (case.root.clone(), case.target);
        let faults = self.faults_of(&root, target, at, plot);
        // Of two routers that are silent together one may be dead and the other cut off: each is the other's witness.
        let together = |f: &Fault| {
            root.kind == FindingKind::PlatformDown
                && plot.mixed
                && f.from <= at
                && at <= f.to + 300 * SECOND
                && f.kind.party == "platform"
        };
        let right = faults.iter().any(|n| plot.faults[*n].kind.names(verdict))
            || plot.faults.iter().any(|f| together(f) && f.kind.names(verdict));
        let heavy = plot.faults.iter().any(|f| matches!(f.what, What::Loss(p) if p > 20));
        let right = right || verdict == Verdict::OwnNetwork && self.gateway_alone(id, at);
        if !right && !heavy && !matches!(root.kind, FindingKind::Blind) {
            let broken: Vec<&str> = faults.iter().map(|n| plot.faults[*n].kind.name.as_str()).collect();
            self.wrong(format!(
                "at {:.1} s #{id} {root}: the verdict says {}, but broken is {broken:?}",
                at as f64 / 1e6,
                verdict.key()
            ));
        }
    }

    /// An echo of the gateway was lost by chance just before this host was cut off: the other uplink has answered since, so the gateway alone
    /// seems to be silent.
    fn gateway_alone(&self, id: u64, at: At) -> bool {
        let Some(case) = self.cases.get(&id).filter(|c| c.target == Some(0)) else {
            return false;
        };
        let Cause::NoAnswer { seconds, .. } = case.cause else {
            return false;
        };
        let since = at.saturating_sub((seconds * 1e6) as At + SECOND / 10);
        let cut = |f: &Fault| matches!(f.what, What::Host) && since < f.from && f.from <= at;
        self.faults.iter().any(cut) && self.heard[1].iter().any(|h| since <= *h && *h <= at)
    }

    /// Numbers that have been too high for long enough must have their level.
    pub(super) fn numbers(&mut self, now: At, truth: &Truth, plot: &Plot) {
        let mut missing = Vec::new();
        let levels = [Level::Warning, Level::Critical];
        let cpu = truth.cpu.iter().map(|(i, g)| (*i, None, *g, 3 * SECOND));
        let traffic = truth
            .traffic
            .iter()
            .map(|((i, port), g)| (*i, Some(*port), *g, 40 * SECOND));
        for (i, port, gauge, slack) in cpu.chain(traffic) {
            let device = plot.town.device(i);
            if device.snmp.is_none() || truth.mum[i].recent(now, 400 * SECOND).is_some() || self.restarted {
                continue;
            }
            let hold = 60 * SECOND + 2 * micros(device.poll.interval) + slack + truth.loss as At * 10 * SECOND;
            for (n, level) in levels.into_iter().enumerate() {
                if gauge.above[n].holds() && gauge.above[n].lasted(now, 0) > hold && !self.has_level(i, port, level) {
                    missing.push(format!(
                        "at {:.1} s {} has been {level:?} for {:.0} s and nobody says so",
                        now as f64 / 1e6,
                        device.name,
                        gauge.above[n].lasted(now, 0) as f64 / 1e6
                    ));
                }
            }
        }
        missing.into_iter().for_each(|m| self.wrong(m));
    }

    fn has_level(&self, i: usize, port: Option<usize>, level: Level) -> bool {
        self.cases.values().any(|c| {
            let same = match port {
                None => c.root.metric == Some(Metric::Watch),
                Some(port) => self.port(&c.root, i) == Some(port),
            };
            c.target == Some(i) && c.root.kind == FindingKind::Threshold && same && c.level >= level
        })
    }
}

/// The other end of the cable that ends here.
pub(super) fn far_end(plot: &Plot, end: (usize, usize)) -> Option<(usize, usize)> {
    let far = |cable: &super::super::town::Cable| match cable {
        [own, far] | [far, own] if *own == end => Some(*far),
        _ => None,
    };
    plot.town.cables.iter().find_map(far)
}

/// How long after its end a fault of each device may still be spoken of.
pub(super) fn lags(plot: &Plot) -> Vec<At> {
    plot.town.site.devices.iter().map(recovery).collect()
}
