//! When a mail is tried again, and over which route: what each route last did, what lies across it, when it is tested.
//!
//! Pure. Never here: what a mail says, or a socket.

use super::mail::{RouteTest, Stage};
use crate::model::{Crossing, DeviceId, Mono, Name, Now, Route, Site, Wall};
use std::collections::BTreeSet;
use std::time::Duration;

/// A working route is tested this often …
const TEST: Duration = Duration::from_secs(300);
/// … a failing one this often …
const RETEST: Duration = Duration::from_secs(60);
/// … and with AUTH this often. After a refused AUTH nothing is tried for [`TEST`]: relays lock accounts.
const TEST_AUTH: Duration = Duration::from_secs(3600);
/// A route that failed this often in a row, or since this long, is tried last.
const FAILURES: u32 = 2;
/// See [`FAILURES`].
const FAILING: Duration = Duration::from_secs(60);
/// A delivery failed where no test comes: tests alone do not make the route ready again before this has passed.
const UNPROVEN: Duration = Duration::from_secs(900);
/// A test that was never answered counts as failed.
const LOST: Duration = Duration::from_secs(120);

/// The first slot after `now` of attempts at 0, 15 s, 30 s, 60 s, 2 min, then every 5 min, counted from `start`.
pub(crate) fn next_slot(start: Mono, now: Mono) -> Mono {
    let age = now.since(start);
    let early = [15, 30, 60, 120].map(Duration::from_secs);
    if let Some(slot) = early.into_iter().find(|slot| *slot > age) {
        return start + slot;
    }
    let rounds = (age - Duration::from_secs(120)).as_secs() / 300 + 1;
    start + Duration::from_secs(120 + rounds * 300)
}

/// Failures of one row on one route: how many, since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    pub(crate) times: u32,
    pub(crate) since: Mono,
}

impl Failing {
    /// Twice, or for 60 s.
    pub(crate) fn is_enough(self, now: Mono) -> bool {
        self.times >= FAILURES || now.since(self.since) >= FAILING
    }
}

/// How a delivery failed by the route's own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 4xx: later, perhaps.
    Deferred,
    /// 5xx.
    Refused,
    /// No connection, no answer, or it broke off.
    Broken,
}

/// One route and what is known of it.
#[derive(Debug)]
pub(crate) struct RouteState {
    pub(crate) name: Name,
    out_of_band: bool,
    crosses: Vec<Crossing>,
    has_auth: bool,
    failing: Option<Failing>,
    /// AUTH was refused; nothing is tried before this.
    auth_refused_until: Option<Mono>,
    crossed: bool,
    /// Until then only a delivery makes it ready: one failed at a stage that tests do not reach.
    unproven_until: Option<Mono>,
    pub(crate) ready: Option<bool>,
    pub(crate) tested: Option<Wall>,
    pub(crate) error: Option<String>,
    next_test: Mono,
    next_auth: Mono,
    testing: Option<Mono>,
}

impl RouteState {
    fn new(route: &Route, now: Mono) -> RouteState {
        RouteState {
            name: route.name.clone(),
            out_of_band: route.out_of_band,
            crosses: route.crosses.clone(),
            has_auth: route.auth.is_some(),
            failing: None,
            auth_refused_until: None,
            crossed: false,
            unproven_until: None,
            ready: None,
            tested: None,
            error: None,
            next_test: now,
            next_auth: now,
            testing: None,
        }
    }

    fn is_demoted(&self, now: Mono) -> bool {
        self.failing.is_some_and(|f| f.is_enough(now))
    }

    /// Chosen last now because of what lies across it.
    pub(crate) fn is_crossed_out(&self) -> bool {
        self.crossed
    }

    fn failed(&mut self, error: String, now: Mono) {
        let failing = self.failing.get_or_insert(Failing { times: 0, since: now });
        failing.times = failing.times.saturating_add(1);
        self.error = Some(error);
        // A closer look soon, so that the route comes back as soon as it works.
        if self.testing.is_none() && self.auth_refused_until.is_none() {
            self.next_test = self.next_test.min(now + RETEST);
        }
    }

    /// `true` if it was not known to work.
    fn worked(&mut self) -> bool {
        let news = self.failing.is_some() || self.ready != Some(true);
        self.failing = None;
        self.auth_refused_until = None;
        self.unproven_until = None;
        self.ready = Some(true);
        self.error = None;
        news
    }
}

/// All routes, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) list: Vec<RouteState>,
    /// What changed and the rules should hear: route, ready, words of the failure.
    pub(crate) news: Vec<(Name, bool, Option<String>)>,
}

impl Routes {
    pub(crate) fn new(site: &Site, now: Mono) -> Routes {
        Routes {
            list: site.routes.iter().map(|r| RouteState::new(r, now)).collect(),
            news: Vec::new(),
        }
    }

    /// Routes of the same name keep what is known of them, unless the route itself changed.
    pub(crate) fn reload(&mut self, old: &Site, site: &Site, now: Mono) {
        let mut before = std::mem::take(&mut self.list);
        for route in &site.routes {
            let same = old.routes.iter().any(|r| same_way(r, route));
            let kept = before
                .iter()
                .position(|s| s.name == route.name)
                .map(|i| before.swap_remove(i));
            let mut state = RouteState::new(route, now);
            if let Some(kept) = kept.filter(|_| same) {
                state = RouteState {
                    out_of_band: route.out_of_band,
                    crosses: route.crosses.clone(),
                    ..kept
                };
            }
            self.list.push(state);
        }
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut RouteState> {
        self.list.iter_mut().find(|r| *r.name == *name)
    }

    /// What lies across which route now. `true` if anything changed.
    pub(crate) fn set_paths(&mut self, down: &BTreeSet<DeviceId>, blind: bool) -> bool {
        let mut changed = false;
        for route in &mut self.list {
            let crossed = (blind && !route.out_of_band) || route.crosses.iter().any(|c| is_cut(c, down));
            changed |= crossed != route.crossed;
            route.crossed = crossed;
        }
        changed
    }

    /// Routes in the order to be tried: as configured, but those cut or failing last (and both, last of all).
    pub(crate) fn order(&self, worse: impl Fn(&RouteState) -> u8, now: Mono) -> Vec<Name> {
        let usable = |r: &&RouteState| r.auth_refused_until.is_none_or(|t| t <= now);
        let mut order: Vec<(u8, Name)> = self
            .list
            .iter()
            .filter(usable)
            .map(|r| {
                let rank = u8::from(r.crossed) + u8::from(r.is_demoted(now)) + worse(r);
                (rank, r.name.clone())
            })
            .collect();
        order.sort_by_key(|(rank, _)| *rank);
        order.into_iter().map(|(_, name)| name).collect()
    }

    /// A delivery over this route failed, by the route's own fault: it is not ready from now on, for all who look. One answer "later" is no
    /// failure yet.
    pub(crate) fn failed(&mut self, name: &str, stage: Stage, fault: Fault, words: &str, now: Mono) {
        let Some(route) = self.get_mut(name) else { return };
        if fault == Fault::Refused && stage == Stage::Auth {
            route.refuse_auth(now);
        }
        route.failed(format!("{}: {words}", stage_words(stage)), now);
        let seen_by_tests = stage < Stage::MailFrom;
        let again = route.failing.is_some_and(|f| f.is_enough(now));
        if fault == Fault::Deferred && !seen_by_tests && !again {
            return;
        }
        route.ready = Some(false);
        // Whether it is a fault that somebody is told of the next test says.
        if !seen_by_tests && (again || fault == Fault::Refused) {
            route.unproven_until = Some(now + UNPROVEN);
        }
    }

    /// Nothing says that any of them works, and of each it is known that it failed last.
    pub(crate) fn none_works(&self) -> bool {
        !self.list.is_empty() && self.list.iter().all(|r| r.ready == Some(false))
    }

    /// A delivery was accepted. `true` if the route was not known to work.
    pub(crate) fn worked(&mut self, name: &str) -> bool {
        let Some(route) = self.get_mut(name) else { return false };
        let news = route.worked();
        if news {
            let name = route.name.clone();
            self.news.push((name, true, None));
        }
        news
    }

    /// The result of a test. `true` if the test before failed. (A relay that passes every test and fails every delivery must not
    /// call for attempts each time.)
    pub(crate) fn tested(&mut self, test: &RouteTest, now: Now) -> bool {
        let Some(route) = self.get_mut(&test.route) else {
            return false;
        };
        route.testing = None;
        route.tested = Some(now.wall);
        let mut back = false;
        match &test.result {
            // A test without AUTH says nothing about an AUTH that was refused.
            Ok(_) if route.auth_refused_until.is_some() && !test.with_auth => {}
            // The relay says good day to a test and took no mail: the next mail tries it in its turn, and tells.
            Ok(_) if route.unproven_until.is_some_and(|t| t > now.mono) => {
                route.failing = None;
                route.next_test = now.mono + TEST;
            }
            Ok(_) => {
                back = route.ready == Some(false);
                route.worked();
                route.next_test = now.mono + TEST;
                if test.with_auth {
                    route.next_auth = now.mono + TEST_AUTH;
                }
            }
            Err((stage, words)) => {
                route.ready = Some(false);
                route.next_test = now.mono + RETEST;
                if *stage == Stage::Auth {
                    route.refuse_auth(now.mono);
                }
                route.failed(format!("{}: {words}", stage_words(*stage)), now.mono);
            }
        }
        // Findings go by tests: whether the relay takes mails again nobody knows before the next one.
        let news = (
            route.name.clone(),
            test.result.is_ok() && route.auth_refused_until.is_none(),
            route.error.clone(),
        );
        self.news.push(news);
        back
    }

    /// Tests that are due: route and whether AUTH is to be tried.
    pub(crate) fn due_tests(&mut self, now: Mono) -> Vec<(Name, bool)> {
        let mut due = Vec::new();
        for route in &mut self.list {
            if route.testing.is_some_and(|t| now.since(t) < LOST) || route.next_test > now {
                continue;
            }
            route.testing = Some(now);
            route.next_test = now + RETEST;
            let with_auth = route.has_auth && (route.next_auth <= now || route.auth_refused_until.is_some());
            due.push((route.name.clone(), with_auth));
        }
        due
    }

    /// When the next test is due.
    pub(crate) fn next_test(&self) -> Mono {
        let of = |r: &RouteState| r.testing.map_or(r.next_test, |t| r.next_test.max(t + LOST));
        self.list.iter().map(of).min().unwrap_or(Mono::NEVER)
    }
}

impl RouteState {
    fn refuse_auth(&mut self, now: Mono) {
        self.ready = Some(false);
        self.auth_refused_until = Some(now + TEST);
        self.next_test = now + TEST;
    }
}

/// The same relays, spoken to in the same way.
fn same_way(a: &Route, b: &Route) -> bool {
    a.name == b.name
        && a.relays == b.relays
        && a.auth == b.auth
        && a.bind == b.bind
        && a.tls_name == b.tls_name
        && a.tls_ca == b.tls_ca
        && a.from == b.from
        && a.helo == b.helo
}

/// Is what the way needs down?
pub(crate) fn is_cut(crossing: &Crossing, down: &BTreeSet<DeviceId>) -> bool {
    match crossing {
        Crossing::Device(id) => down.contains(id),
        Crossing::Any(ids) => !ids.is_empty() && ids.iter().all(|id| down.contains(id)),
    }
}

/// The stage in words, for logs, status and the finding of the route.
pub fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "name lookup",
        Stage::Connect => "connect",
        Stage::Tls => "TLS",
        Stage::Greeting => "greeting",
        Stage::Auth => "AUTH",
        Stage::MailFrom => "MAIL FROM",
        Stage::Recipient => "RCPT TO",
        Stage::Data => "DATA",
        Stage::FinalDot => "after the final dot",
    }
}
