//! Whose fault a silence is (guideline 1.3.2): the verdict with the evidence it rests on.
//!
//! A verdict "platform" needs a second witness; without one it stays "platform or demarcation link". A wrong report to the
//! platform costs the operator its credibility.

use super::interface::Interfaces;
use super::lines::LineStates;
use super::links::Links;
use super::reach::{CommonKind, Reach};
use super::redundancy::{Redundancies, Session};
use crate::model::verdict::WitnessMissing;
use crate::model::{
    Demarcation, Device, DeviceId, Evidence, Isolation, Measure, Mono, Name, Now, Owner, ReachState, Site, Verdict,
};
use crate::sample::CrossingOctets;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Readings kept of a demarcation interface.
const HISTORY: Duration = Duration::from_secs(600);
/// Rate before the fault is taken over at most this long.
const BEFORE: Duration = Duration::from_secs(180);
/// … and over at least this long: agents refresh counters on timers of their own.
const BEFORE_MIN: Duration = Duration::from_secs(25);
/// Since the fault this much is enough, because there the out-octets tell whether the counters are alive: our own echo requests
/// go on leaving by this interface.
const AFTER_MIN: Duration = Duration::from_secs(15);
/// Readings this soon after the first miss may still show the time before it.
const SETTLE: Duration = Duration::from_secs(5);
/// Less traffic than this before the fault, and its absence says nothing.
const BEFORE_BPS_MIN: f64 = 1_000.0;
/// "Stopped" is at most this share of what it was.
const STOPPED_SHARE: f64 = 0.05;

/// When, octets in, octets out.
type Point = (Mono, u64, u64);

/// Octets of the interfaces that cross the demarcation point.
#[derive(Default)]
pub struct Crossings {
    history: BTreeMap<(Name, Name), VecDeque<Point>>,
}

/// What the in-octets of the demarcation interface say.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flow {
    Stopped { before_bps: f64, after_bps: f64 },
    Flowing { after_bps: f64 },
    Unknown(WitnessMissing),
}

impl Crossings {
    /// Takes a reading.
    pub fn take(&mut self, octets: &CrossingOctets, device: &Device) {
        let series = self
            .history
            .entry((device.name.clone(), octets.interface.clone()))
            .or_default();
        match octets.octets {
            Some((inward, outward)) => series.push_back((octets.at, inward, outward)),
            None => series.clear(),
        }
        while series.front().is_some_and(|(at, ..)| octets.at.since(*at) > HISTORY) {
            series.pop_front();
        }
    }

    fn flow(&self, device: &Name, interface: &Name, since: Mono) -> Flow {
        let Some(series) = self.history.get(&(device.clone(), interface.clone())) else {
            return Flow::Unknown(WitnessMissing::InterfaceNotRead);
        };
        let before = rate(
            series.iter().filter(|p| p.0 <= since && since.since(p.0) <= BEFORE),
            BEFORE_MIN,
        );
        let after = rate(series.iter().filter(|p| p.0 >= since + SETTLE), AFTER_MIN);
        match (before, after) {
            (Some((b, _)), Some(_)) if b < BEFORE_BPS_MIN => Flow::Unknown(WitnessMissing::TooLittleTraffic),
            (_, Some((_, false))) => Flow::Unknown(WitnessMissing::InterfaceNotRead),
            (Some((b, _)), Some((a, _))) if a <= b * STOPPED_SHARE => Flow::Stopped {
                before_bps: b,
                after_bps: a,
            },
            (Some(_), Some((a, _))) => Flow::Flowing { after_bps: a },
            _ => Flow::Unknown(WitnessMissing::InterfaceNotRead),
        }
    }
}

/// Bit/s in, and whether anything went out, over points that span at least `min`.
fn rate<'a>(points: impl Iterator<Item = &'a Point> + Clone, min: Duration) -> Option<(f64, bool)> {
    let (first, last) = (points.clone().next()?, points.last()?);
    let span = last.0.since(first.0);
    let bps = last.1.saturating_sub(first.1) as f64 * 8.0 / span.as_secs_f64();
    (span >= min).then_some((bps, last.2 > first.2))
}

/// What a verdict is made from.
pub(super) struct Scene<'a> {
    pub(super) lines: &'a LineStates,
    pub(super) links: &'a Links,
    pub(super) site: &'a Site,
    pub(super) reach: &'a Reach,
    pub(super) interfaces: &'a Interfaces,
    pub(super) crossings: &'a Crossings,
    pub(super) redundancy: &'a Redundancies,
    pub(super) now: Now,
}

impl Scene<'_> {
    /// The verdict on a device that does not answer.
    pub(super) fn silent(&self, id: DeviceId) -> Isolation {
        let device = self.site.device(id);
        let node = self.reach.node(id);
        let since = node.first_miss.unwrap_or(self.now.mono);
        let mut evidence = vec![Evidence::DeviceSilent {
            device: device.name.clone(),
            since: self.now.wall_at(since),
        }];
        evidence.extend(device.parents.iter().filter_map(|p| self.answers(*p)));
        evidence.extend(
            node.said_unreachable
                .iter()
                .map(|(from, ..)| *from)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|from| Evidence::IcmpUnreachable { from }),
        );
        evidence.extend(
            node.send_error
                .iter()
                .map(|error| Evidence::SendFailed { error: error.clone() }),
        );
        let verdict = match (device.owner, &device.demarcation) {
            (Owner::Own, _) => Verdict::OwnNetwork,
            (Owner::Platform, Some(crossing)) => self.platform(id, crossing, since, &mut evidence),
            (Owner::Platform, None) => self.other_router(id, since, None, &mut evidence),
            (Owner::Carrier | Owner::Institution, _) => self.line(id, since, &mut evidence),
        };
        // What cannot even be sent to accuses nobody else.
        let verdict = match verdict {
            Verdict::InstitutionSide if node.send_error.is_some() => Verdict::Undetermined,
            verdict => verdict,
        };
        Isolation { verdict, evidence }
    }

    /// The line of a circuit tells the carrier's fault from the institution's: line lost, or line up and router silent. Without a reading
    /// of it newer than the silence nobody is named.
    fn line(&self, id: DeviceId, since: Mono, evidence: &mut Vec<Evidence>) -> Verdict {
        let circuit = self.site.device(id).circuit.as_deref();
        let (Some(Measure::Line(line)), Some((up, at))) = (circuit.map(|c| &c.measure), self.lines.state(id)) else {
            return Verdict::Undetermined;
        };
        if at < since {
            return Verdict::Undetermined;
        }
        evidence.push(Evidence::InterfaceOper {
            device: self.site.device(line.device).name.clone(),
            interface: line.port.clone(),
            up,
        });
        if up {
            Verdict::InstitutionSide
        } else {
            Verdict::AccessCarrier
        }
    }

    /// The verdict on what lost circuits have in common. That they fall silent behind one device or at one site may be the operator's fault, the
    /// carrier's, or a power failure of the town: only circuits of one carrier that have nothing else in common point to a party.
    pub(super) fn common(&self, label: &Name) -> Isolation {
        let kind = self.reach.common_kind(label);
        let verdict = match kind {
            Some(CommonKind::Carrier) => Verdict::AccessCarrier,
            _ => Verdict::Undetermined,
        };
        let device = label.strip_prefix("device ").or(label.strip_prefix("card "));
        let device = device.map(|rest| rest.split(' ').next().unwrap_or(rest));
        let device = device.and_then(|name| self.site.iter().find(|(_, d)| &*d.name == name));
        Isolation {
            verdict,
            evidence: device.and_then(|(id, _)| self.answers(id)).into_iter().collect(),
        }
    }

    pub(super) fn answers(&self, id: DeviceId) -> Option<Evidence> {
        let node = self.reach.node(id);
        let up = matches!(node.state, ReachState::Up | ReachState::Lossy);
        let at = self.now.wall_at(node.last_answer?);
        up.then(|| Evidence::DeviceUp {
            device: self.site.device(id).name.clone(),
            at,
        })
    }

    fn platform(&self, id: DeviceId, crossing: &Demarcation, since: Mono, evidence: &mut Vec<Evidence>) -> Verdict {
        let edge = &self.site.device(crossing.device).name;
        let interface = &crossing.interface;
        // A state read before the fault says nothing about it; nor does a link that is up again, as long as nothing was missed over it.
        let came_up = self.interfaces.came_up(crossing.device, interface);
        let missed = came_up <= since || self.reach.node(id).last_miss >= Some(came_up);
        let up = self
            .interfaces
            .oper_up(crossing.device, interface)
            .filter(|(up, at)| *at >= since && (!up || missed))
            .map(|(up, _)| up);
        if let Some(up) = up {
            let (device, interface) = (edge.clone(), interface.clone());
            evidence.push(Evidence::InterfaceOper { device, interface, up });
        }
        if up == Some(false) {
            return Verdict::DemarcationLink;
        }
        if let Some(mut sessions) = self.sessions_lost(id, crossing, since, up) {
            evidence.append(&mut sessions);
            return Verdict::Platform;
        }
        // That our own edge has no way to it any more is in the evidence already.
        if up == Some(true) && self.edge_has_no_way(id, crossing) {
            return Verdict::Platform;
        }
        let (device, interface) = (edge.clone(), interface.clone());
        let missing = match self.crossings.flow(edge, &interface, since) {
            Flow::Stopped { before_bps, after_bps } if up == Some(true) => {
                evidence.push(Evidence::OctetsInStopped {
                    device,
                    interface,
                    before_bps,
                    after_bps,
                });
                return Verdict::Platform;
            }
            Flow::Flowing { after_bps } => {
                evidence.push(Evidence::OctetsInFlowing {
                    device,
                    interface,
                    after_bps,
                });
                WitnessMissing::StillFlowing
            }
            Flow::Unknown(WitnessMissing::InterfaceNotRead) if up.is_some() => WitnessMissing::RateNotKnown,
            Flow::Unknown(reason) => reason,
            Flow::Stopped { .. } => WitnessMissing::InterfaceNotRead,
        };
        self.other_router(id, since, Some(missing), evidence)
    }

    /// BGP sessions that are down, as own devices tell: with the target, or with a neighbour on the same link while the link is up; or,
    /// whatever is known of the link, all sessions with the platform, on two devices. Somebody else's word for the silence.
    fn sessions_lost(
        &self,
        id: DeviceId,
        crossing: &Demarcation,
        since: Mono,
        up: Option<bool>,
    ) -> Option<Vec<Evidence>> {
        let all = self.redundancy.sessions(since, (self.site, self.reach, self.now.mono));
        let target = self.site.device(id).address;
        let told = |sessions: &[&Session]| {
            let evidence = sessions.iter().map(|s| Evidence::SessionDown {
                device: self.site.device(s.device).name.clone(),
                peer: s.peer,
            });
            evidence.collect::<Vec<_>>()
        };
        let with_target: Vec<&Session> = all.iter().filter(|s| s.down && s.peer == target).collect();
        let over_link: Vec<&Session> = all.iter().filter(|s| self.is_over(s, crossing)).collect();
        let lost = |sessions: &[&Session]| !sessions.is_empty() && sessions.iter().all(|s| s.down);
        if up == Some(true) && !with_target.is_empty() {
            return Some(told(&with_target));
        }
        if up == Some(true) && lost(&over_link) {
            return Some(told(&over_link));
        }
        let crossings = || self.site.devices.iter().filter(|d| d.owner == Owner::Platform);
        let with_platform = |s: &&Session| {
            let over = |d: &Device| d.demarcation.as_ref().is_some_and(|c| self.is_over(s, c));
            crossings().any(|d| d.address == s.peer || over(d))
        };
        let with_platform: Vec<&Session> = all.iter().filter(with_platform).collect();
        let devices: BTreeSet<DeviceId> = with_platform.iter().map(|s| s.device).collect();
        (lost(&with_platform) && devices.len() > 1).then(|| told(&with_platform))
    }

    /// Does this session run over the link across the demarcation point? Its neighbour is written as such, or lies in a subnet of the
    /// interface.
    fn is_over(&self, session: &Session, crossing: &Demarcation) -> bool {
        let told = self.links.addresses(&self.site.device(crossing.device).name);
        let of_interface = told.iter().filter(|a| a.port.as_ref() == Some(&crossing.interface));
        let mut subnets = crossing.subnet.into_iter().chain(of_interface.map(|a| a.subnet));
        let beside = session.device == crossing.device && subnets.any(|s| s.contains(session.peer));
        beside || crossing.peers.contains(&session.peer)
    }

    /// Our own edge says that it has no route to the target, or that nobody on the link answers for it (RFC 792, RFC 4443).
    fn edge_has_no_way(&self, id: DeviceId, crossing: &Demarcation) -> bool {
        let device = self.site.device(crossing.device);
        let own = |from: &IpAddr| {
            let told = self.links.addresses(&device.name);
            device.address == *from || told.iter().any(|a| a.subnet.address == *from)
        };
        let mut said = self.reach.node(id).said_unreachable.iter();
        said.any(|(from, kind, code)| {
            let no_way = match from {
                IpAddr::V4(_) => *kind == 3 && matches!(code, 0 | 1),
                IpAddr::V6(_) => *kind == 1 && matches!(code, 0 | 3),
            };
            no_way && own(from)
        })
    }

    /// The platform's other router, seen over another link, is the other possible witness. `missing`: why nobody else is one.
    fn other_router(
        &self,
        id: DeviceId,
        since: Mono,
        missing: Option<WitnessMissing>,
        evidence: &mut Vec<Evidence>,
    ) -> Verdict {
        let missing = missing.map(|reason| Evidence::NoWitness { reason });
        // What keeps this host from sending to one of them may keep it from sending to the other.
        if self.reach.node(id).send_error.is_some() {
            return Verdict::Undetermined;
        }
        let device = self.site.device(id);
        let others: Vec<_> = self
            .site
            .iter()
            .filter(|(other, d)| *other != id && d.owner == Owner::Platform && d.demarcation.is_some())
            .filter(|(_, d)| d.demarcation != device.demarcation)
            .collect();
        let silent = others.iter().find(|(other, _)| {
            let node = self.reach.node(*other);
            let confirmed =
                node.state == ReachState::Down || node.state == ReachState::Suspect && node.confirmed_at.is_some();
            // The other's own edge must be up, or its silence has another reason.
            let edge_up = self
                .site
                .device(*other)
                .parents
                .iter()
                .any(|p| self.answers(*p).is_some());
            confirmed && edge_up && node.send_error.is_none()
        });
        if let Some((other, d)) = silent {
            let since = self.now.wall_at(self.reach.node(*other).first_miss.unwrap_or(since));
            evidence.push(Evidence::DeviceSilent {
                device: d.name.clone(),
                since,
            });
            return Verdict::Platform;
        }
        evidence.extend(missing);
        match others.iter().find_map(|(other, _)| self.answers(*other)) {
            Some(up) => evidence.push(up),
            None => evidence.push(Evidence::NoWitness {
                reason: WitnessMissing::NoOtherRouter,
            }),
        }
        Verdict::PlatformOrDemarcation
    }

    /// The verdict on an interface that is down.
    pub(super) fn interface_down(&self, id: DeviceId, interface: &Name) -> Isolation {
        let device = self.site.device(id);
        let crosses = self.site.devices.iter().any(|d| {
            d.owner == Owner::Platform
                && d.demarcation
                    .as_ref()
                    .is_some_and(|x| x.device == id && x.interface == *interface)
        });
        let verdict = match (device.owner, crosses) {
            (_, true) => Verdict::DemarcationLink,
            (Owner::Own, false) => Verdict::OwnNetwork,
            _ => Verdict::Undetermined,
        };
        let down = Evidence::InterfaceOper {
            device: device.name.clone(),
            interface: interface.clone(),
            up: false,
        };
        Isolation {
            verdict,
            evidence: std::iter::once(down).chain(self.answers(id)).collect(),
        }
    }
}
