//! The engine thread: it alone owns the core and the sockets, so there are no locks around them.
//!
//! Each turn: read the clock, receive all sockets dry, take the messages, wake the core if it is due, hand out its effects, sleep
//! until something is due, a datagram comes or a message comes. Turns stand on a grid of 10 ms, so that under load each takes many
//! datagrams at once; only a message is answered between two ticks.

use super::clock;
use super::health::{Health, Part};
use super::inbox::EngineInbox;
use super::messages::{Record, ToCache, ToEngine, ToLedger, Work};
use super::orders::Orders;
use super::recorder::{self, Recorder};
use super::remember::Remember;
use super::survey::Survey;
use super::words::Word;
use crate::core::tape::{Beginning, Line, Wants};
use crate::core::{Core, Effect, Input, LedgerNews};
use crate::incident::{Batch, Event};
use crate::model::service::Failure;
use crate::model::{Mono, Now, Site};
use crate::net::{Drops, Memory, Net};
use crate::notify::text::event_in_english;
use crate::notify::{Delivery, Outcome, RouteTest, Stage};
use crate::poll::PollInput;
use crate::poll::trap::TrapSeen;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Turns are this far apart.
const TICK: Duration = Duration::from_millis(10);
/// An engine with nothing to do leaves a mark of its progress this often.
const PROGRESS: Duration = Duration::from_millis(500);
/// The kernel's count of dropped datagrams may be this old.
const DROPS_AGE: Duration = Duration::from_secs(10);
/// A ledger that has not answered for this long is treated as failed: no notice waits for a hung disk.
pub(super) const COMMIT_DEADLINE: Duration = Duration::from_secs(10);
/// At the end, attempts under way may take this long to tell their outcome, so that fewer mails are sent twice.
const LAST_ATTEMPTS: Duration = Duration::from_millis(800);

/// Where the engine's effects go.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) inbox: EngineInbox,
    pub(super) ledger: SyncSender<ToLedger>,
    pub(super) work: Sender<Work>,
    pub(super) cache: SyncSender<ToCache>,
    pub(super) health: Arc<Health>,
}

pub(super) struct Engine {
    core: Core,
    net: Net,
    memory: Memory,
    links: Links,
    /// Batches the ledger's queue had no room for yet, in order.
    backlog: VecDeque<Batch>,
    /// Batches without an answer: when they were handed out, and whether the core knows that they are late.
    unanswered: BTreeMap<u64, (Mono, bool)>,
    orders: Orders,
    /// Mail attempts under way.
    attempts: usize,
    survey: Survey,
    recorder: Option<Recorder>,
    remember: Remember,
    drops: Option<(Mono, Drops)>,
    received: Vec<PollInput>,
    stopping: Option<Mono>,
    ledger_works: bool,
    /// The core may have effects that the last turn left for the next one.
    unfinished: bool,
}

impl Engine {
    pub(super) fn new(core: Core, net: Net, links: Links) -> Engine {
        Engine {
            core,
            net,
            memory: Memory::new(),
            links,
            backlog: VecDeque::new(),
            unanswered: BTreeMap::new(),
            orders: Orders::default(),
            attempts: 0,
            survey: Survey::default(),
            recorder: None,
            remember: Remember::new(clock::mono()),
            drops: None,
            received: Vec::new(),
            stopping: None,
            ledger_works: true,
            unfinished: false,
        }
    }

    /// Everything that the core, which has just been made, takes in goes there.
    pub(super) fn record_to(&mut self, mut recorder: Recorder, began: Box<Beginning>) {
        let wants = Wants {
            all: true,
            ..Wants::default()
        };
        self.core.record_from_start(wants);
        recorder.hand_over(vec![Line::Began(began)]);
        self.recorder = Some(recorder);
    }

    /// Runs until told to stop. `ready` hears of the first turn.
    pub(super) fn run(mut self, ready: SyncSender<()>) {
        let mut ready = Some(ready);
        loop {
            self.turn();
            if let Some(ready) = ready.take() {
                // Whoever started the engine may have given up.
                let _ = ready.send(());
            }
            if self.finished() {
                return;
            }
            self.sleep();
            match self.links.inbox.recv_timeout(to_next_tick(clock::mono())) {
                Ok(message) => self.message(message, clock::now()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sleeps until something is due, a datagram comes or the bell rings; not at all if the next tick has work.
    fn sleep(&self) {
        let now = clock::mono();
        let due = self.next_turn(now);
        if due > now + TICK {
            self.net.wait(self.links.inbox.bell(), due.since(now));
            self.links.inbox.silence();
        }
    }

    /// When the next turn has something to do, if nothing comes in before.
    fn next_turn(&self, now: Mono) -> Mono {
        let each_tick =
            self.unfinished || !self.backlog.is_empty() || self.survey.is_wanted() || self.stopping.is_some();
        if each_tick {
            return now;
        }
        let unanswered = self.unanswered.values().filter(|(_, told)| !told);
        let late_commit = unanswered.map(|(since, _)| *since + COMMIT_DEADLINE).min();
        (now + PROGRESS)
            .min(self.core.next_wakeup())
            .min(self.remember.next_turn())
            .min(late_commit.unwrap_or(Mono::NEVER))
    }

    fn turn(&mut self) {
        let reading = clock::reading();
        self.net.receive_dry(&mut self.memory, reading, &mut self.received);
        let now = clock::now();
        if !self.received.is_empty() {
            self.core.take_polled(&mut self.received, now);
        }
        while let Ok(message) = self.links.inbox.try_recv() {
            self.message(message, now);
        }
        if self.core.next_wakeup() <= now.mono {
            self.core.wake(now);
        }
        self.effects(now);
        self.late_commits(now);
        self.hand_over_backlog();
        self.hand_over_record();
        let (net, drops) = (&self.net, &mut self.drops);
        self.survey.tick(&self.core, || dropped(net, drops, now), now);
        self.remember.tick(&self.core, &self.links.cache, now);
        self.links.health.mark(Part::Engine);
    }

    fn message(&mut self, message: ToEngine, now: Now) {
        match message {
            ToEngine::Input(input) => self.input(*input, now),
            ToEngine::Snapshot { fresh, reply } => {
                self.survey.want_people(reply, fresh, now);
            }
            ToEngine::Picture { reply } => self.survey.want_metrics(reply),
            ToEngine::Counts { reply } => self.survey.want_status(reply),
            // Whoever asked may have gone away.
            ToEngine::Incident { id, reply } => {
                let _ = reply.send(self.core.incident(id).map(Box::new));
            }
            ToEngine::Order { incident, order, reply } => {
                // Who acknowledged wants to see it.
                self.survey.outdated();
                let result = self.core.order(incident, order, now);
                self.orders.taken(result, self.core.latest_batch(), reply, now.mono);
            }
            ToEngine::Maintain { order, reply } => {
                self.survey.outdated();
                let result = self.core.maintain(order, now);
                self.orders.taken(result, self.core.latest_batch(), reply, now.mono);
            }
            ToEngine::Troubles { reply } => {
                let _ = reply.send(self.core.own_troubles());
            }
            ToEngine::Device { name, reply } => {
                let _ = reply.send(self.core.device_now(&name, now).map(Box::new));
            }
            // Whoever asked may have gone away; the next hand-over notices.
            ToEngine::Record { wants, reply } => {
                let _ = reply.send(self.record(wants, now));
            }
            ToEngine::Reload { site, done } => {
                self.core.take(Input::Reload(site), now);
                self.survey.reloaded();
                self.remember.reloaded();
                self.tell_refused_contacts();
                let _ = done.send(clock::mono().since(now.mono));
            }
            ToEngine::Traps { site, seen } => self.traps(&site, seen, now),
            ToEngine::Stop => {
                self.stopping = Some(now.mono);
                // At once, so that it is written while attempts under way tell their outcome.
                self.remember.all(&self.core, &self.links.cache, now);
            }
        }
    }

    fn record(&mut self, wants: Wants, now: Now) -> Result<Record, String> {
        self.hand_over_record();
        if self.recorder.is_some() {
            return Err("a record is being made already; one at a time".to_owned());
        }
        let (recorder, source) = recorder::pair();
        self.recorder = Some(recorder);
        Ok((Box::new(self.core.record(wants, now)), source))
    }

    fn hand_over_record(&mut self) {
        if let Some(recorder) = &mut self.recorder
            && !recorder.hand_over(self.core.recorded())
        {
            self.recorder = None;
            self.core.record_no_more();
        }
    }

    /// Around a reload, the thread that receives traps and the core may have different configurations for a moment: names are the same.
    fn traps(&mut self, site: &Arc<Site>, seen: Vec<TrapSeen>, now: Now) {
        let same = Arc::ptr_eq(site, self.core.site());
        for mut trap in seen {
            let name = &site.device(trap.device).name;
            Word::TrapSeen {
                device: name.to_string(),
                kind: trap.kind.key(),
                details: trap.details.clone(),
            }
            .log();
            if !same {
                let Some(id) = self.core.find(name) else { continue };
                trap.device = id;
            }
            self.core.take(Input::Trap(trap), now);
        }
    }

    fn input(&mut self, input: Input, now: Now) {
        match &input {
            Input::Committed { batch, result } => {
                self.unanswered.remove(batch);
                if self.orders.committed(*batch, result.as_ref().err().map(String::as_str)) {
                    self.survey.outdated();
                }
                self.tell_ledger_state(result.as_ref().err().cloned());
            }
            Input::Ledger(news) => self.ledger_news(news),
            Input::Incident { .. } => self.survey.outdated(),
            Input::Delivered { .. } => self.attempts = self.attempts.saturating_sub(1),
            _ => {}
        }
        let delivered = matches!(input, Input::Delivered { .. });
        self.core.take(input, now);
        if delivered {
            self.tell_refused_contacts();
        }
    }

    /// For `/readyz`.
    fn tell_refused_contacts(&self) {
        let words = |(name, refusal)| format!("contact {name}: no route takes mail for it: {refusal}");
        self.links
            .health
            .set_refused(self.core.refused_contacts().map(words).collect());
    }

    fn ledger_news(&mut self, news: &LedgerNews) {
        match news {
            LedgerNews::Lost { why } => self.tell_ledger_state(Some(why.clone())),
            LedgerNews::Renewed(renewed) => {
                let what = renewed.what.clone();
                self.links.health.ledger_begun_anew(what.clone());
                Word::LedgerMoved { what }.log();
            }
        }
    }

    fn tell_ledger_state(&mut self, error: Option<String>) {
        self.links.health.set_ledger_error(error.clone());
        match error {
            Some(error) if self.ledger_works => Word::CommitFailed { error }.log(),
            None if !self.ledger_works => Word::CommitWorks.log(),
            _ => return,
        }
        self.ledger_works = !self.ledger_works;
    }

    fn effects(&mut self, now: Now) {
        // An effect that fails at once comes back as an input, which may have effects of its own; after a few rounds the next turn goes on.
        self.unfinished = false;
        for _ in 0..4 {
            let effects = self.core.effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                if let Some(answer) = self.carry_out(effect, now) {
                    self.core.take(answer, now);
                }
            }
            let mut failed = Vec::new();
            self.net.flush(&mut self.memory, &mut failed);
            if !failed.is_empty() {
                self.core.take_polled(&mut failed, now);
            }
        }
        self.unfinished = true;
    }

    fn carry_out(&mut self, effect: Effect, now: Now) -> Option<Input> {
        match effect {
            Effect::Send { channel, to, bytes } => {
                self.net.queue(channel, to, bytes);
                None
            }
            Effect::Commit(batch) => {
                log_events(&batch);
                self.unanswered.insert(batch.id, (now.mono, false));
                self.backlog.push_back(batch);
                self.hand_over_backlog();
                None
            }
            Effect::Deliver(delivery) => self.deliver(delivery),
            Effect::TestRoute { route, with_auth } => {
                let work = Work::TestRoute {
                    route: route.clone(),
                    with_auth,
                };
                self.links.work.try_send(work).err().map(|_| {
                    Input::RouteTested(RouteTest {
                        route,
                        with_auth,
                        transcript: Vec::new(),
                        result: Err((Stage::Connect, "too much work waits in hinomi".to_owned())),
                    })
                })
            }
            Effect::Ask(job) => {
                let token = job.token;
                self.links.work.try_send(Work::Ask(job)).err().map(|_| {
                    Input::Poll(PollInput::Asked {
                        token,
                        took: Duration::ZERO,
                        result: Err(Failure::NotKnown("too much work waits in hinomi".to_owned())),
                    })
                })
            }
            Effect::TcpConnect { token, to, timeout } => {
                let work = Work::TcpConnect { token, to, timeout };
                self.links.work.try_send(work).err().map(|_| {
                    Input::Poll(PollInput::TcpEnded {
                        token,
                        result: Err("too much work waits in hinomi".to_owned()),
                    })
                })
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) -> Option<Input> {
        if self.stopping.is_some() {
            return None; // The row stays pending; the next start delivers it.
        }
        let attempt = delivery.attempt;
        if self.links.work.try_send(Work::Deliver(Box::new(delivery))).is_ok() {
            self.attempts += 1;
            return None;
        }
        Some(Input::Delivered {
            attempt,
            outcome: Outcome::Failed {
                stage: Stage::Connect,
                error: "too much work waits in hinomi".to_owned(),
            },
        })
    }

    fn hand_over_backlog(&mut self) {
        while let Some(batch) = self.backlog.pop_front() {
            match self.links.ledger.try_send(ToLedger::Commit(batch)) {
                Ok(()) => {}
                Err(
                    TrySendError::Full(ToLedger::Commit(batch)) | TrySendError::Disconnected(ToLedger::Commit(batch)),
                ) => {
                    self.backlog.push_front(batch);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// No notice waits for a hung ledger. The batch stays with it, and its answer counts when it comes.
    fn late_commits(&mut self, now: Now) {
        let mut late = Vec::new();
        for (batch, (since, told)) in &mut self.unanswered {
            if !*told && now.mono.since(*since) > COMMIT_DEADLINE {
                *told = true;
                late.push(*batch);
            }
        }
        let hangs = self.unanswered.values().any(|(_, told)| *told);
        self.orders.late(hangs, COMMIT_DEADLINE, now.mono);
        for batch in late {
            if std::mem::replace(&mut self.ledger_works, false) {
                Word::CommitLate {
                    waited: COMMIT_DEADLINE,
                }
                .log();
            }
            let error = format!("the ledger has not answered for {} s", COMMIT_DEADLINE.as_secs());
            self.links.health.set_ledger_error(Some(error.clone()));
            self.core.take(Input::CommitLate { batch, error }, now);
            self.effects(now);
        }
    }

    /// After a stop: when nothing is under way any more, or the grace is over.
    fn finished(&self) -> bool {
        self.stopping.is_some_and(|since| {
            let idle = self.attempts == 0 && self.unanswered.is_empty() && self.backlog.is_empty();
            idle || clock::mono().since(since) > LAST_ATTEMPTS
        })
    }
}

/// Ticks stand on a grid, so that the time a turn takes does not stretch the next one.
fn to_next_tick(now: Mono) -> Duration {
    let tick = u64::try_from(TICK.as_micros()).unwrap_or(1);
    Duration::from_micros(tick - now.0 % tick)
}

/// What the kernel dropped, by kind of socket; read again when it is old.
fn dropped(net: &Net, cached: &mut Option<(Mono, Drops)>, now: Now) -> Vec<(&'static str, u64)> {
    if cached.is_none_or(|(at, _)| now.mono.since(at) >= DROPS_AGE) {
        *cached = net.kernel_drops().map(|drops| (now.mono, drops));
    }
    // Where the kernel does not tell there is no sample: absent, never zero.
    cached.map_or_else(Vec::new, |(_, d)| vec![("icmp", d.icmp), ("udp", d.udp)])
}

/// What goes into the ledger also goes into the log.
fn log_events(batch: &Batch) {
    for text in &batch.events {
        // An order is logged as done when it is recorded, by the one who answers it.
        let event = serde_json::from_str::<Event>(text).ok();
        let event = event.filter(|e| !e.body.is_order());
        if let Some((event, what)) = event.and_then(|e| event_in_english(&e).map(|what| (e, what))) {
            let incident = event.incident;
            Word::Event {
                incident,
                what: event
                    .body
                    .root()
                    .map_or(what.clone(), |target| format!("{target}: {what}")),
            }
            .log();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Host, SourceFile, check};
    use crate::daemon::inbox::{EngineSender, engine_inbox};
    use crate::incident::{Head, Restored};
    use std::sync::mpsc::{Receiver, sync_channel};

    fn site() -> Arc<Site> {
        let text =
            "[operator]\nname = \"Test\"\n[[device]]\nname = \"a\"\naddress = \"127.0.0.1\"\nliveness = \"none\"\n";
        let file = SourceFile {
            path: "hinomi.toml".into(),
            text: text.to_owned(),
            private: true,
        };
        let loaded = check(&[file], &Host::new().without_secrets());
        let words: String = loaded.problems.iter().map(ToString::to_string).collect();
        Arc::new(loaded.site.unwrap_or_else(|| panic!("{words}")))
    }

    /// An engine whose ledger queue holds `room` batches and is never read.
    fn engine(
        room: usize,
    ) -> (
        Engine,
        EngineSender,
        Receiver<ToLedger>,
        tokio::sync::mpsc::Receiver<Work>,
    ) {
        let (to_engine, inbox) = engine_inbox(16).unwrap();
        let (ledger, ledger_inbox) = sync_channel(room);
        let (work, work_inbox) = tokio::sync::mpsc::channel(1);
        let links = Links {
            inbox,
            ledger,
            work,
            cache: sync_channel(1).0,
            health: Arc::new(Health::new()),
        };
        let core = Core::new(site(), Restored::default(), [7; 32], clock::now());
        let engine = Engine::new(core, Net::open().unwrap(), links);
        (engine, to_engine, ledger_inbox, work_inbox)
    }

    fn later(seconds: u64) -> Now {
        let now = clock::now();
        Now {
            mono: now.mono + Duration::from_secs(seconds),
            ..now
        }
    }

    #[test]
    fn no_notice_waits_for_a_hung_ledger_and_its_late_answer_counts() {
        let (mut engine, _to_engine, ledger, _work) = engine(4);
        engine.turn();
        let Ok(ToLedger::Commit(batch)) = ledger.try_recv() else {
            panic!("the start is an event");
        };
        engine.late_commits(later(5));
        assert!(engine.ledger_works, "five seconds are not too long");
        engine.late_commits(later(11));
        assert!(!engine.ledger_works);
        assert!(engine.links.health.ledger_error().is_some_and(|e| e.contains("10 s")));
        let answer = Input::Committed {
            batch: batch.id,
            result: Ok(Head {
                seq: 1,
                hash: "00".to_owned(),
            }),
        };
        engine.input(answer, later(12));
        assert!(engine.ledger_works && engine.unanswered.is_empty());
        assert_eq!(engine.links.health.ledger_error(), None);
    }

    #[test]
    fn an_idle_engine_sleeps_until_something_is_due_and_no_tick_is_lost_while_somebody_waits() {
        let (mut engine, to_engine, ledger, _work) = engine(4);
        engine.turn();
        let now = clock::mono();
        assert!(engine.next_turn(now) > now + TICK, "nothing is due");
        assert!(
            engine.next_turn(now) <= now + PROGRESS,
            "progress is shown all the same"
        );
        let (since, _) = engine.unanswered.values().next().copied().unwrap();
        let nearly_late = since + COMMIT_DEADLINE - Duration::from_millis(100);
        assert_eq!(engine.next_turn(nearly_late), since + COMMIT_DEADLINE);
        drop(ledger);
        let (reply, _counts) = tokio::sync::oneshot::channel();
        to_engine.send(ToEngine::Counts { reply }).unwrap();
        engine.sleep();
        let message = engine.links.inbox.try_recv().unwrap();
        engine.message(message, clock::now());
        assert_eq!(engine.next_turn(now), now, "somebody waits for the counts");
        engine.survey.tick(&engine.core, Vec::new, later(1));
        assert!(engine.next_turn(now) > now + TICK, "and has them");
    }

    #[test]
    fn a_full_ledger_queue_never_holds_the_engine() {
        let (mut engine, _to_engine, ledger, _work) = engine(1);
        for id in 100..110 {
            let batch = Batch { id, ..Batch::default() };
            assert!(engine.carry_out(Effect::Commit(batch), later(0)).is_none());
        }
        assert_eq!(engine.backlog.len(), 9);
        let mut order = Vec::new();
        while let Ok(ToLedger::Commit(batch)) = ledger.try_recv() {
            order.push(batch.id);
            engine.hand_over_backlog();
        }
        assert_eq!(order, (100..110).collect::<Vec<_>>(), "all, in order");
    }

    #[test]
    fn work_without_room_fails_at_once_and_comes_back() {
        let (mut engine, _to_engine, _ledger, _work) = engine(1);
        let test = || Effect::TestRoute {
            route: "lte".into(),
            with_auth: false,
        };
        assert!(engine.carry_out(test(), later(0)).is_none());
        let Some(Input::RouteTested(answer)) = engine.carry_out(test(), later(0)) else {
            panic!("the second finds no room");
        };
        assert!(answer.result.is_err());
    }

    #[test]
    fn a_picture_is_a_second_old_at_most_and_taken_now_where_that_is_asked() {
        let (mut engine, _to_engine, _ledger, _work) = engine(4);
        let mut ask = |fresh, seconds| {
            let (reply, mut picture) = tokio::sync::oneshot::channel();
            engine.message(ToEngine::Snapshot { fresh, reply }, later(seconds));
            engine.survey.tick(&engine.core, Vec::new, later(seconds));
            picture.try_recv().unwrap()
        };
        let first = ask(false, 0);
        assert!(Arc::ptr_eq(&first, &ask(false, 0)));
        let second = ask(true, 1);
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&second, &ask(false, 3)));
    }

    #[test]
    fn the_service_manager_gets_counts_and_no_picture_is_made_for_it() {
        let (mut engine, _to_engine, _ledger, _work) = engine(4);
        let (reply, mut counts) = tokio::sync::oneshot::channel();
        engine.message(ToEngine::Counts { reply }, later(0));
        engine.survey.tick(&engine.core, Vec::new, later(0));
        let counts = counts.try_recv().unwrap();
        assert_eq!(
            counts.devices.values().sum::<u64>(),
            engine.core.snapshot(later(0)).devices.len() as u64
        );
        assert_eq!((counts.blind, counts.mails_waiting), (false, 0));
    }

    #[test]
    fn what_is_asked_by_name_is_answered_and_an_unknown_name_is_none() {
        let (mut engine, _to_engine, _ledger, _work) = engine(4);
        let mut ask = |name: &str| {
            let (reply, mut device) = tokio::sync::oneshot::channel();
            let name = name.to_owned();
            engine.message(ToEngine::Device { name, reply }, later(0));
            device.try_recv().unwrap()
        };
        assert_eq!(&*ask("a").unwrap().name, "a");
        assert!(ask("b").is_none());
    }

    #[test]
    fn a_stop_ends_at_once_when_nothing_is_under_way_and_soon_when_something_is() {
        let (mut engine, to_engine, _ledger, _work) = engine(4);
        engine.turn();
        to_engine.send(ToEngine::Stop).unwrap();
        engine.turn();
        assert!(!engine.finished(), "a batch waits for its answer");
        std::thread::sleep(LAST_ATTEMPTS);
        assert!(engine.finished(), "but not for ever");
    }
}
