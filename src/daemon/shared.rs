//! What the tokio side of the daemon shares.

use super::engine::COMMIT_DEADLINE;
use super::health::{Health, Part};
use super::inbox::EngineSender;
use super::messages::ToEngine;
use super::orders::{self, Ordered};
use super::traps::ToTraps;
use super::{clock, reload, systemd};
use crate::core::{Counts, Picture, Snapshot};
use crate::metrics::{Own, Text};
use crate::model::{Mono, Site};
use crate::web::{Page, Pages};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// An engine that has not answered for this long is stuck.
const ENGINE_PATIENCE: Duration = Duration::from_secs(5);

/// The runtime leaves a mark every 10 s at least.
const TOKIO_PATIENCE: Duration = Duration::from_secs(30);

/// One picture serves all scrapes for so long.
const PICTURE_AGE: Duration = Duration::from_secs(1);

/// Shared by all tasks.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) config: PathBuf,
    /// The state directory of this run; a reload cannot move it.
    pub(super) state: PathBuf,
    site: Mutex<Arc<Site>>,
    engine: EngineSender,
    /// To the thread of the traps, where there is one.
    pub(super) traps: SyncSender<ToTraps>,
    pub(super) health: Arc<Health>,
    pub(super) own: Arc<Own>,
    pub(super) reloading: tokio::sync::Mutex<()>,
    /// Why there is no echo, IPv4 and IPv6; `None` where it works.
    no_echo: (Option<String>, Option<String>),
    started: f64,
    /// The last picture for `/metrics`; held while one is made, so that a storm of scrapes asks once.
    picture: tokio::sync::Mutex<Option<(Mono, Arc<Picture>)>>,
}

impl Shared {
    pub(super) fn new(
        config: PathBuf,
        site: Arc<Site>,
        engine: EngineSender,
        traps: SyncSender<ToTraps>,
        no_echo: (Option<String>, Option<String>),
    ) -> Shared {
        let own = Arc::new(Own::new());
        let started = systemd::started();
        own.reloaded(Some(started));
        Shared {
            config,
            state: site.daemon.state.clone(),
            site: Mutex::new(site),
            engine,
            traps,
            health: Arc::new(Health::new()),
            own,
            reloading: tokio::sync::Mutex::new(()),
            no_echo,
            started,
            picture: tokio::sync::Mutex::new(None),
        }
    }

    /// The configuration in force.
    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_site(&self, site: Arc<Site>) {
        *self.site.lock().unwrap_or_else(PoisonError::into_inner) = site;
    }

    /// Whether the sockets that a site needs are open; `Err` says what to do.
    pub(super) fn check_sockets(&self, site: &Site) -> Result<(), String> {
        let (v4, v6) = reload::needs_echo(site);
        for (needed, missing, family) in [(v4, &self.no_echo.0, "IPv4"), (v6, &self.no_echo.1, "IPv6")] {
            if let (true, Some(why)) = (needed, missing) {
                return Err(format!(
                    "devices are watched by echo over {family}, but the ICMP socket could not be opened: {why}. Give hinomi \
                     CAP_NET_RAW (the systemd unit does; by hand: setcap cap_net_raw+ep on the binary), or write \
                     liveness = \"snmp\" for these devices"
                ));
            }
        }
        Ok(())
    }

    /// Gives the thread of the traps another site; without that thread nobody needs it.
    pub(super) async fn tell_traps(&self, site: &Arc<Site>) {
        while let Err(TrySendError::Full(_)) = self.traps.try_send(ToTraps::Site(Arc::clone(site))) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends to the engine; waits while its inbox is full.
    pub(crate) async fn tell_engine(&self, message: ToEngine) {
        let mut message = message;
        loop {
            match self.engine.try_send(message) {
                // The engine has ended: the daemon is ending too, and nobody is left to be told.
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => message = back,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks the engine and waits for its answer; `None` if it does not answer.
    pub(crate) async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> ToEngine) -> Option<T> {
        self.ask_within(ENGINE_PATIENCE, message).await
    }

    /// Gives the engine an order and waits until the ledger has answered; `None` if the engine does not answer.
    pub(super) async fn order(&self, message: impl FnOnce(orders::Reply) -> ToEngine) -> Option<Ordered> {
        self.ask_within(ENGINE_PATIENCE + COMMIT_DEADLINE, message).await
    }

    async fn ask_within<T>(
        &self,
        patience: Duration,
        message: impl FnOnce(oneshot::Sender<T>) -> ToEngine,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let ask = async {
            self.tell_engine(message(reply)).await;
            answer.await.ok()
        };
        tokio::time::timeout(patience, ask).await.ok().flatten()
    }

    /// A picture at most a second old, or taken now; `None` if the engine does not answer.
    pub(crate) async fn snapshot(&self, fresh: bool) -> Option<Arc<Snapshot>> {
        self.ask(|reply| ToEngine::Snapshot { fresh, reply }).await
    }

    /// How many are in which state; `None` if the engine does not answer.
    pub(super) async fn counts(&self) -> Option<Box<Counts>> {
        self.ask(|reply| ToEngine::Counts { reply }).await
    }

    /// The numbers of all devices, at most a second old; `None` if the engine does not answer.
    async fn picture(self: &Arc<Self>) -> Option<Arc<Picture>> {
        let mut last = self.picture.lock().await;
        if let Some((_, picture)) = last.as_ref().filter(|(at, _)| clock::mono().since(*at) < PICTURE_AGE) {
            return Some(Arc::clone(picture));
        }
        *last = None;
        let picture = self.ask(|reply| ToEngine::Picture { reply }).await?;
        let at = clock::mono();
        *last = Some((at, Arc::clone(&picture)));
        // Between two scrapes its memory is given back.
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(PICTURE_AGE).await;
            let mut last = shared.picture.lock().await;
            if last.as_ref().is_some_and(|(of, _)| *of == at) {
                *last = None;
            }
        });
        Some(picture)
    }

    /// What does not work, for `/readyz`.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.alive().err());
        for (part, patience) in [(Part::Ledger, COMMIT_DEADLINE), (Part::Tokio, TOKIO_PATIENCE)] {
            let age = self.health.age(part);
            if age >= patience {
                problems.push(format!(
                    "{}: it has made no progress for {} s",
                    part.key(),
                    age.as_secs()
                ));
            }
        }
        if let Some(error) = self.health.ledger_error() {
            problems.push(format!("ledger: {error}"));
        }
        problems.extend(self.health.begun_anew(clock::mono()));
        if let Err(error) = self.check_sockets(&self.site()) {
            problems.push(format!("sockets: {error}"));
        }
        problems.extend(self.health.refused());
        if !self.health.config_ok() {
            problems.push(
                "configuration: the last reload was refused, the old configuration runs on; see the log".to_owned(),
            );
        }
        problems
    }

    fn alive(&self) -> Result<(), String> {
        let age = clock::mono().since(self.health.last(Part::Engine));
        if age < ENGINE_PATIENCE {
            return Ok(());
        }
        Err(format!("the engine has made no progress for {} s", age.as_secs()))
    }
}

/// [`Shared`] as the web pages see it.
#[derive(Clone, Debug)]
pub(super) struct WebPages(pub(super) Arc<Shared>);

impl Pages for WebPages {
    fn metrics(&self) -> Page<Option<Text>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let picture = shared.picture().await?;
            for part in Part::ALL {
                shared.own.progress(part.key(), shared.health.age(part));
            }
            shared.own.process(&systemd::process(shared.started));
            Some(Text::new(shared.own.encode(), picture))
        })
    }

    fn health(&self) -> Result<(), String> {
        self.0.alive()
    }

    fn ready(&self) -> Page<Result<(), Vec<String>>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let mut problems = shared.problems();
            // While the engine is stuck, that is among the problems.
            let own = shared.ask(|reply| ToEngine::Troubles { reply }).await;
            problems.extend(own.unwrap_or_default());
            if problems.is_empty() { Ok(()) } else { Err(problems) }
        })
    }
}
