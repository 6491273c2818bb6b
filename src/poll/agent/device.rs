//! One SNMP-speaking device: what is remembered from round to round, and how a round goes on.
//!
//! Never here: datagrams, request numbers, deadlines (that is the parent module).

mod answers;
mod asking;
mod recall;

use super::learn::Learned;
use super::roles;
use super::round::{Ask, Round, Spare, fit};
use super::session::Session;
use super::table::Table;
use super::template::{Library, Plan};
use super::topology::Cables;
use super::wanted::{ProfileWish, Wanted};
use crate::model::snmp::SnmpAccess;
use crate::model::{Device, Mono, Name, Profile, Profiles};
use crate::poll::disbelief::Rejected;
use crate::poll::unread::{Cut, NotRead, UNREAD_MAX, Unread};
use crate::poll::{AgentFailure, AgentReading};
use crate::wire::snmp::{Names, PduKind, ber};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Octets of a whole answer that fits one unfragmented datagram on any path of use.
const ANSWER: u16 = 1_400;
/// No request is made for less; what is larger even so is cut into pieces by number.
const SMALLEST: u16 = 64;
/// An agent that wanted smaller requests is asked for more again after this long, then less often.
const LARGER_AGAIN: Duration = Duration::from_secs(600);
/// An object that an agent has trouble with is asked for again after this long, then less often.
const TROUBLES_AGAIN: Duration = Duration::from_secs(300);
/// But at least this often.
const AT_LEAST: Duration = Duration::from_secs(3_600);
/// More such objects are not remembered.
const TROUBLES_MAX: usize = 256;
/// Rows asked of a GETBULK.
const REPETITIONS: u8 = 16;
/// A round that has lasted so long begins no further walk over a profile's column, or for cables.
const NO_MORE_WALKS: Duration = Duration::from_secs(20);
/// Look for the instances of a profile's columns again at most this often because one of them is gone, or a column has none.
const COLUMNS_AGAIN: Duration = Duration::from_secs(300);
/// And this often while the agent is young.
const YOUNG_AGAIN: Duration = Duration::from_secs(10);
/// And this often without any reason.
const COLUMNS_REFRESH: Duration = Duration::from_secs(3_600);

/// Everything remembered of a device.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: Name,
    pub(super) access: Arc<SnmpAccess>,
    pub(super) target: SocketAddr,
    pub(super) channel: u8,
    pub(super) timeout: Duration,
    pub(super) wanted: Arc<Wanted>,
    pub(super) session: Session,
    pub(super) round: Option<Box<Round>>,
    profile: Option<Arc<Profile>>,
    object_id: Option<Arc<[u32]>>,
    /// What the device has of its profile; `None` until it was looked up.
    learned: Option<Learned>,
    learned_at: Mono,
    /// The agent was young then: there may be more by now.
    learned_young: bool,
    /// Since when it may be young by our own clock: an uptime that stands still makes nobody young for good.
    begun: Option<Mono>,
    /// It was in its last round.
    young: bool,
    table: Table,
    cables: Cables,
    /// Rows of the tables that tell roles.
    roles: roles::Rows,
    uptime: Option<u32>,
    /// The requests of a round in which nothing has to be looked up; `None` when that has changed.
    plan: Option<Plan>,
    /// Octets of answer a request may cause; halved by tooBig and by loss.
    room: u16,
    repetitions: u8,
    /// Objects that a request may ask for.
    most: u16,
    /// When larger requests are tried again.
    larger: Again,
    /// Objects with which the agent refuses, or does not answer, the whole request.
    troubles: BTreeMap<Box<[u8]>, NotRead>,
    /// When they are tried again.
    retry: Again,
    /// Counts rounds: what is found once may be chance.
    rounds: u32,
    /// Objects that kept the agent silent in one of the last rounds.
    suspected: BTreeMap<Box<[u8]>, Suspicion>,
    /// Rounds in a row that found a limit of what may be asked for at once.
    limited: Suspicion,
    /// `room` and `most` as they were before this round found them too large; the next round asks as before.
    tentative: Option<(u16, u16)>,
    /// Columns that were not walked to their end.
    cuts: Vec<Cut>,
    /// The last answer that was not believed and was not told of yet.
    pub(super) rejected: Option<Box<Rejected>>,
    /// Number of the last request that was given up, and when it was sent.
    pub(super) given_up: Option<(i32, Mono)>,
    /// v1: objects whose mention makes the agent refuse the whole request.
    absent: BTreeSet<Box<[u8]>>,
    /// Names or rows were learned that other devices may have too.
    unshared: bool,
}

/// How a round goes on after an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Continue,
    Fail(AgentFailure),
}

/// What to ask next.
pub(super) enum Question<'a> {
    /// A GET, or a walk's next step.
    Ask(PduKind, &'a Names),
    /// The round is complete.
    Complete,
}

impl Agent {
    pub(super) fn new(
        device: &Device,
        access: &Arc<SnmpAccess>,
        wanted: Arc<Wanted>,
        profiles: &Profiles,
        channel: u8,
    ) -> Agent {
        Agent {
            name: Name::clone(&device.name),
            access: Arc::clone(access),
            target: device.at_port(access.port),
            channel,
            timeout: device.poll.timeout,
            session: Session::new(access),
            profile: named(&wanted, profiles),
            wanted,
            round: None,
            object_id: None,
            learned: None,
            learned_at: Mono::default(),
            learned_young: false,
            begun: None,
            young: false,
            table: Table::default(),
            cables: Cables::default(),
            roles: roles::Rows::default(),
            uptime: None,
            plan: None,
            room: ANSWER,
            repetitions: REPETITIONS,
            most: u16::MAX,
            larger: Again::new(LARGER_AGAIN),
            troubles: BTreeMap::new(),
            retry: Again::new(TROUBLES_AGAIN),
            rounds: 0,
            suspected: BTreeMap::new(),
            limited: Suspicion::default(),
            tentative: None,
            cuts: Vec::new(),
            rejected: None,
            given_up: None,
            absent: BTreeSet::new(),
            unshared: false,
        }
    }

    /// What was learned and other devices have too is kept once.
    pub(super) fn share(&mut self, library: &mut Library) {
        if std::mem::take(&mut self.unshared) {
            self.table.share(&mut library.names);
            if let Some(learned) = &mut self.learned {
                learned.rows = library.rows.one(&learned.rows);
            }
        }
    }

    /// The configuration changed, but not whom we speak to and how: keep what was learned.
    pub(super) fn rewant(&mut self, wanted: Arc<Wanted>, timeout: Duration) {
        self.timeout = timeout;
        if self.wanted.patterns != wanted.patterns {
            self.table.rewanted(&wanted.patterns);
            self.cables.look_again();
        }
        if self.wanted.roles != wanted.roles {
            self.roles.forget();
        }
        if self.wanted != wanted {
            self.plan = None;
        }
        self.wanted = wanted;
    }

    /// The profile that the configuration names says what it said before.
    pub(super) fn is_named_alike(&self, profiles: &Profiles) -> bool {
        !matches!(self.wanted.profile, ProfileWish::Named(_)) || self.profile == named(&self.wanted, profiles)
    }

    /// Profiles have changed. One that is chosen by sysObjectID is chosen anew by the next round; what was learned of a profile
    /// that is still the same is kept.
    pub(super) fn reprofile(&mut self, profiles: &Profiles) {
        match self.wanted.profile {
            ProfileWish::Named(_) => self.profile = named(&self.wanted, profiles),
            ProfileWish::Auto => self.object_id = None,
            ProfileWish::None => {}
        }
    }

    /// Looks at what a round needs, so that it lies in the cache (see `core::warm`).
    pub(super) fn warm(&self) {
        black_box(self.round.as_ref().map(|r| (r.planned, r.told_apart)));
        black_box((self.room, self.target.port(), self.unshared, self.timeout));
        black_box((self.learned_at, self.uptime, self.plan.as_ref().map(|plan| plan.len())));
        self.table.warm();
    }

    /// Begins a round; the caller has made sure that none is under way.
    pub(super) fn begin_round(&mut self, library: &mut Library, spare: &mut Spare, now: Mono) {
        self.try_again(now);
        self.rounds = self.rounds.wrapping_add(1);
        if let Some((room, most)) = self.tentative.take() {
            (self.room, self.most, self.plan) = (room, most, None);
        }
        if self.plan.is_none() {
            let items = self.settled_items();
            self.plan = Some(library.plan(items, self.room(), self.most()));
        }
        self.round = Some(spare.round(self.plan.clone(), now));
    }

    /// What was given up long enough ago is tried in this round.
    fn try_again(&mut self, now: Mono) {
        if now >= self.retry.at {
            self.retry.at = Mono::NEVER;
            self.troubles.clear();
        }
        if now >= self.larger.at {
            self.larger.given_up(now);
            self.room = self.room.saturating_mul(2).min(ANSWER);
            self.most = self.most.saturating_mul(2);
            self.repetitions = self.repetitions.saturating_mul(2).clamp(1, REPETITIONS);
            self.plan = None;
        }
    }

    /// Tells what was asked for and not read.
    fn unread(&self, round: &mut Round, reading: &mut AgentReading) {
        if !round.unread.is_empty() || !self.troubles.is_empty() {
            let known = self.troubles.iter().filter_map(|(name, why)| {
                Some(Unread {
                    oid: ber::oid(name).ok()?.into(),
                    why: why.clone(),
                })
            });
            let all = std::mem::take(&mut round.unread).into_iter().chain(known);
            reading.unread = all.take(UNREAD_MAX).collect();
        }
        reading.cuts.clone_from(&self.cuts);
    }

    /// Ports are read, whose counters are worth nothing without sysUpTime.
    pub(super) fn has_rows(&self) -> bool {
        self.table.rows.as_ref().is_some_and(|rows| !rows.is_empty())
    }

    /// Where the round stands: the first object that is asked for, or the column.
    pub(super) fn place(&self) -> Option<Arc<[u32]>> {
        match self.round.as_ref()?.ask.as_ref()? {
            Ask::Get(get) => get.begins_with().and_then(|name| ber::oid(name).ok()).map(Arc::from),
            Ask::Walk(walk) => Some(walk.base.as_slice().into()),
        }
    }

    /// Ends the round: what was read, for the caller to hand out.
    pub(super) fn end_round(
        &mut self,
        complete: bool,
        library: &mut Library,
        spare: &mut Spare,
        now: Mono,
    ) -> Option<(Box<Round>, Box<AgentReading>)> {
        let mut round = self.round.take()?;
        if complete {
            // After a round that broke off, a restart is still to be noticed by the next one.
            self.uptime = round.uptime.or(self.uptime);
        }
        round.settle();
        if complete
            && let Some(learned) = &mut self.learned
            && learned.settle(self.profile.as_deref(), &round.scalars)
        {
            (self.plan, self.unshared) = (None, true);
            self.share(library);
        }
        if complete && self.troubles.is_empty() {
            self.retry = Again::new(TROUBLES_AGAIN);
        }
        let mut reading = spare.reading();
        reading.partial = !complete;
        self.unread(&mut round, &mut reading);
        reading.uptime = round.uptime;
        reading.engine = self.session.engine(now);
        reading.rtt = round.rtt;
        reading.step_by_step = self.repetitions == 0;
        reading.profile.clone_from(&self.profile);
        reading.rows = match &self.learned {
            Some(learned) => Arc::clone(&learned.rows),
            None => Arc::default(),
        };
        std::mem::swap(&mut reading.scalars, &mut round.scalars);
        std::mem::swap(&mut reading.roles, &mut round.roles);
        self.table.readings(&mut round.rows, &mut reading.interfaces);
        if std::mem::take(&mut self.cables.untold) {
            reading.topology = Some(Box::new(self.cables.known.clone()));
        }
        reading.missing.extend_from_slice(self.table.missing_names());
        fit(&mut reading.scalars);
        fit(&mut reading.roles);
        fit(&mut reading.interfaces);
        reading.never_found.extend(self.table.never_found().cloned());
        fit(&mut reading.missing);
        fit(&mut reading.never_found);
        reading.ports = self.table.ports();
        Some((round, reading))
    }
}

/// When something that was given up is tried again: soon, then less and less often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    at: Mono,
    wait: Duration,
}

impl Again {
    fn new(first: Duration) -> Again {
        Again {
            at: Mono::NEVER,
            wait: first,
        }
    }

    /// It was given up now.
    fn given_up(&mut self, now: Mono) {
        self.at = now + self.wait;
        self.wait = (self.wait * 2).min(AT_LEAST);
    }
}

/// How often something was found in rounds that followed each other. A network that loses datagrams shows the same now and then.
#[derive(Clone, Copy, Debug, Default)]
struct Suspicion {
    times: u8,
    round: u32,
}

impl Suspicion {
    /// It was found in this round; in how many rounds in a row by now.
    fn again(&mut self, round: u32) -> u8 {
        if self.round != round {
            let in_a_row = self.times > 0 && self.round.wrapping_add(1) == round;
            self.times = if in_a_row { self.times.saturating_add(1) } else { 1 };
            self.round = round;
        }
        self.times
    }
}

/// The profile that the configuration names.
fn named(wanted: &Wanted, profiles: &Profiles) -> Option<Arc<Profile>> {
    match &wanted.profile {
        ProfileWish::Named(name) => profiles.by_name(name).cloned(),
        ProfileWish::Auto | ProfileWish::None => None,
    }
}
