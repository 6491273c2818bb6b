//! One SNMP-speaking device: what is remembered from round to round, and how a round goes on.
//!
//! Never here: datagrams, request numbers, deadlines (that is the parent module).

mod answers;
mod asking;
mod recall;

use super::learn::Learned;
use super::roles;
use super::round::{Round, Spare, fit};
use super::session::Session;
use super::table::Table;
use super::template::{Library, Plan};
use super::topology::Cables;
use super::wanted::{ProfileWish, Wanted};
use crate::model::snmp::SnmpAccess;
use crate::model::{Device, Mono, Name, Profile, Profiles};
use crate::poll::{AgentFailure, AgentReading};
use crate::wire::snmp::{Names, PduKind};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Octets of a whole answer that fits one unfragmented datagram on any path of use.
const ANSWER: u16 = 1_400;
/// Below this, halving a request makes no sense.
const SMALLEST: u16 = 160;
/// Rows asked of a GETBULK.
const REPETITIONS: u8 = 16;
/// A round that has lasted so long begins no further walk over a profile's column, or for cables.
const NO_MORE_WALKS: Duration = Duration::from_secs(20);
/// Look for the instances of a profile's columns again at most this often because one of them is gone, or a column has none.
const COLUMNS_AGAIN: Duration = Duration::from_secs(300);
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
    slim: bool,
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
            target: SocketAddr::new(device.address, access.port),
            channel,
            timeout: device.poll.timeout,
            session: Session::new(access),
            profile: named(&wanted, profiles),
            wanted,
            round: None,
            object_id: None,
            learned: None,
            learned_at: Mono::default(),
            table: Table::default(),
            cables: Cables::default(),
            roles: roles::Rows::default(),
            uptime: None,
            plan: None,
            room: ANSWER,
            repetitions: REPETITIONS,
            slim: false,
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
        if self.plan.is_none() {
            let items = self.settled_items();
            self.plan = Some(library.plan(items, self.room()));
        }
        self.round = Some(spare.round(self.plan.clone(), now));
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
        let mut reading = spare.reading();
        reading.partial = !complete;
        reading.uptime = round.uptime;
        reading.engine = self.session.engine(now);
        reading.rtt = round.rtt;
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
        Some((round, reading))
    }
}

/// The profile that the configuration names.
fn named(wanted: &Wanted, profiles: &Profiles) -> Option<Arc<Profile>> {
    match &wanted.profile {
        ProfileWish::Named(name) => profiles.by_name(name).cloned(),
        ProfileWish::Auto | ProfileWish::None => None,
    }
}
