//! Starting and ending the daemon.

use super::engine::{Engine, Links};
use super::health::Part;
use super::inbox::{EngineSender, engine_inbox};
use super::messages::ToEngine;
use super::recorder::{self, Recorder};
use super::shared::WebPages;
use super::traps::ToTraps;
use super::words::Word;
use super::{Shared, cache, clock, control, keep, ledger, messages, site, systemd, traps, work};
use crate::core::tape::Beginning;
use crate::core::{Core, Snapshot};
use crate::incident::{Ledger, LedgerError, Restored};
use crate::model::Site;
use crate::net::{Net, NoSockets};
use crate::web::{self, Offer};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for the engine.
const INBOX: usize = 4096;
/// Batches that may wait for the ledger thread; more wait in the engine.
const LEDGER_QUEUE: usize = 64;
/// Pieces of work that may wait for tokio.
const WORK_QUEUE: usize = 1024;
/// Messages that may wait for the thread of the traps.
const TRAPS_INBOX: usize = 16;
/// Parts of a copy of what was learned that may wait for the thread that keeps it: all of a nation, when it ends.
const CACHE_QUEUE: usize = 256;
/// The ledger thread's last transaction, and the last copy of what was learned, may take this long; after that the process ends without it (SQLite is crash-safe).
const LAST_COMMIT: Duration = Duration::from_millis(700);

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// Record everything that is taken in from the start, into this file.
    pub record: Option<PathBuf>,
}

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration has errors; the text lists them.
    #[error("the configuration has errors, nothing was started:\n{0}")]
    Config(String),
    /// The state directory is not usable.
    #[error(
        "cannot use the state directory {path}: {error}. Create it, owned by the user hinomi runs as (the systemd unit does by \
         StateDirectory=), or name another one in daemon.state"
    )]
    State {
        /// Which.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// Root would leave files in the state directory of the service that the service cannot open.
    #[error(
        "the state directory {path} belongs to user {uid}, the one of the service, and this is root: what root writes there the service \
         could not open. Start the service: systemctl start hinomi. By hand, as that user: systemd-run --pty -p User={uid} -p \
         AmbientCapabilities=CAP_NET_RAW hinomi run"
    )]
    Root {
        /// Which.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// The ledger cannot be opened, or another daemon holds it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No sockets.
    #[error(transparent)]
    Sockets(#[from] NoSockets),
    /// Echo is configured but not possible.
    #[error("{0}")]
    Echo(String),
    /// A listener cannot be opened.
    #[error("cannot listen on {at} ({key} in the configuration): {error}. Is another program listening there?")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Which key.
        key: &'static str,
        /// The system's words.
        error: io::Error,
    },
    /// A socket for traps cannot be opened.
    #[error("cannot listen for traps on {at} (traps.listen in the configuration): {error}. {}", traps::hint(.error))]
    Traps {
        /// Where.
        at: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
    /// systemd has handed over no usable socket for traps.
    #[error(
        "traps.listen is \"systemd\", but: {0}. Enable hinomi-traps.socket and start hinomi by `systemctl restart hinomi-traps.socket \
         hinomi.service`, or write addresses, such as [\"0.0.0.0:10162\"]"
    )]
    TrapsInherited(io::Error),
    /// The control socket cannot be opened.
    #[error("cannot open the control socket {path}: {error}")]
    Control {
        /// Where.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file of the record cannot be written.
    #[error("cannot write the record {path}: {error}. Under systemd only the state directory may be written")]
    Record {
        /// Which.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A thread or the runtime cannot be started.
    #[error("cannot start threads: {0}. Is this host out of memory or processes?")]
    Threads(io::Error),
    /// A part of the daemon ended by itself.
    #[error("a part of hinomi ({0}) ended by itself; this is a mistake in hinomi, please report it with the log")]
    Broken(&'static str),
}

/// A running daemon.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    engine: EngineSender,
    engine_thread: Option<JoinHandle<()>>,
    ledger: SyncSender<messages::ToLedger>,
    ledger_thread: Option<JoinHandle<()>>,
    record_thread: Option<JoinHandle<()>>,
    /// Only where traps are listened for.
    traps_thread: Option<JoinHandle<()>>,
    traps_at: Vec<SocketAddr>,
    cache_thread: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
    listen: SocketAddr,
    metrics: Option<SocketAddr>,
}

/// Runs until SIGTERM or SIGINT.
pub fn run(options: RunOptions) -> Result<(), RunError> {
    let (handle, signals) = begin(options, Signals::listen)?;
    let runtime = handle.runtime.as_ref().ok_or(RunError::Broken("runtime"))?;
    let ended = runtime.block_on(signals.serve(&handle));
    handle.stop();
    ended
}

/// The signals the program answers to. They are listened for before anybody is told that it is ready.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to end; reloads on SIGHUP.
    async fn serve(mut self, handle: &Handle) -> Result<(), RunError> {
        let mut look = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Ok(()),
                _ = self.interrupt.recv() => return Ok(()),
                _ = self.hangup.recv() => {
                    let shared = Arc::clone(&handle.shared);
                    // Its outcome is logged and counted.
                    tokio::spawn(async move { super::reload::reload(&shared, false).await });
                }
                _ = look.tick() => if let Some(part) = handle.ended() {
                    Word::ThreadEnded { part }.log();
                    return Err(RunError::Broken(part));
                },
            }
        }
    }
}

/// Starts everything and returns; the daemon runs until [`Handle::stop`]. Signals are left to the caller.
pub fn start(options: RunOptions) -> Result<Handle, RunError> {
    begin(options, || Ok(())).map(|(handle, ())| handle)
}

/// Starts everything. `prepare` is called inside the runtime, before anything listens.
fn begin<S>(options: RunOptions, prepare: impl FnOnce() -> io::Result<S>) -> Result<(Handle, S), RunError> {
    let read = site::read(&options.config).map_err(RunError::Config)?;
    let site = read.site;
    let state = site.daemon.state.clone();
    prepare_state(&state)?;
    // Also the lock: a second daemon on the same state ends here.
    let (ledger, restored) = Ledger::open(&state)?;
    if let Some(what) = restored.damage.clone() {
        Word::LedgerDamaged { what }.log();
    }
    let net = Net::open()?;
    let sockets = net.describe();
    let no_echo = (why(&net, false), why(&net, true));
    let trap_sockets = site.traps.as_ref().map(traps::open).transpose()?;
    let (to_engine, inbox) = engine_inbox(INBOX).map_err(RunError::Threads)?;
    let (to_traps, traps_inbox) = sync_channel(TRAPS_INBOX);
    let shared = Arc::new(Shared::new(
        options.config,
        Arc::clone(&site),
        to_engine.clone(),
        to_traps,
        no_echo,
    ));
    shared.check_sockets(&site).map_err(RunError::Echo)?;
    if let Some(what) = restored.damage.clone() {
        shared.health.ledger_begun_anew(what);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("hinomi-io")
        .enable_all()
        .build()
        .map_err(RunError::Threads)?;
    let (prepared, doors) = {
        let _inside = runtime.enter();
        (prepare().map_err(RunError::Threads)?, Doors::open(&site)?)
    };
    let (work_queue, work_inbox) = mpsc::channel(WORK_QUEUE);
    let (to_ledger, ledger_inbox) = sync_channel(LEDGER_QUEUE);
    let ledger_thread = spawn_ledger(ledger, ledger_inbox, &to_engine, &shared)?;
    let (to_cache, cache_inbox) = sync_channel(CACHE_QUEUE);
    let cache_thread = spawn_cache(cache_inbox, &state)?;
    let links = Links {
        inbox,
        ledger: to_ledger.clone(),
        work: work_queue,
        cache: to_cache,
        health: Arc::clone(&shared.health),
    };
    let (recorder, record_thread) = options.record.as_deref().map(start_record).transpose()?.unzip();
    let engine_thread = spawn_engine(Arc::clone(&site), restored, net, links, recorder)?;
    let (traps_thread, traps_at) = trap_sockets
        .map(|sockets| traps::spawn(&site, sockets, traps_inbox, &to_engine, &shared.own))
        .transpose()
        .map_err(RunError::Threads)?
        .unzip();
    let (listen, metrics) = doors.addresses();
    {
        let _inside = runtime.enter();
        doors.serve(&shared);
        spawn_tasks(&shared, work_inbox);
    }
    keep::keep(&read.files, &read.tables, &state);
    announce(&site, read.warnings, sockets, [Some(listen), metrics]);
    systemd::ready();
    let handle = Handle {
        shared,
        engine: to_engine,
        engine_thread: Some(engine_thread),
        ledger: to_ledger,
        ledger_thread: Some(ledger_thread),
        record_thread,
        traps_thread,
        traps_at: traps_at.unwrap_or_default(),
        cache_thread: Some(cache_thread),
        runtime: Some(runtime),
        listen,
        metrics,
    };
    Ok((handle, prepared))
}

fn spawn_tasks(shared: &Arc<Shared>, work_inbox: mpsc::Receiver<messages::Work>) {
    tokio::spawn(work::run(Arc::clone(shared), work_inbox));
    tokio::spawn(systemd::watchdog(Arc::clone(shared)));
    tokio::spawn(systemd::status(Arc::clone(shared)));
    tokio::spawn(super::beat::run(Arc::clone(shared)));
}

fn announce(site: &Site, warnings: usize, sockets: String, listening: [Option<SocketAddr>; 2]) {
    if warnings > 0 {
        Word::ConfigDoubts { warnings }.log();
    }
    Word::Started {
        devices: site.devices.len(),
        routes: site.routes.len(),
        sockets,
    }
    .log();
    for at in listening.into_iter().flatten() {
        Word::Listening { at }.log();
    }
}

fn why(net: &Net, v6: bool) -> Option<String> {
    net.echo(v6).err().map(ToString::to_string)
}

/// Returns after the engine's first turn: a large site takes a moment to be set up.
fn spawn_engine(
    site: Arc<Site>,
    restored: Restored,
    net: Net,
    links: Links,
    recorder: Option<Recorder>,
) -> Result<JoinHandle<()>, RunError> {
    let (ready, running) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("hinomi-engine".to_owned())
        .spawn(move || {
            let learned = cache::read(&site.daemon.state);
            let now = clock::now();
            let began = recorder
                .as_ref()
                .map(|_| Box::new(Beginning::of_start(&restored, &site, true, now)));
            let mut core = Core::new(site, restored, rand::random(), now);
            core.recall(learned, clock::now());
            let mut engine = Engine::new(core, net, links);
            if let (Some(recorder), Some(began)) = (recorder, began) {
                engine.record_to(recorder, began);
            }
            engine.run(ready);
        })
        .map_err(RunError::Threads)?;
    running.recv().map_err(|_| RunError::Broken(Part::Engine.key()))?;
    Ok(thread)
}

/// The file of a record and the thread that writes it.
fn start_record(path: &Path) -> Result<(Recorder, JoinHandle<()>), RunError> {
    let file = recorder::create(path).map_err(|error| RunError::Record {
        path: path.to_owned(),
        error,
    })?;
    let (recorder, source) = recorder::pair();
    let thread = std::thread::Builder::new()
        .name("hinomi-record".to_owned())
        .spawn(move || recorder::write(file, source))
        .map_err(RunError::Threads)?;
    Ok((recorder, thread))
}

fn spawn_cache(inbox: Receiver<messages::ToCache>, state: &Path) -> Result<JoinHandle<()>, RunError> {
    let state = state.to_owned();
    std::thread::Builder::new()
        .name("hinomi-cache".to_owned())
        .spawn(move || cache::run(&inbox, &state))
        .map_err(RunError::Threads)
}

fn spawn_ledger(
    ledger: Ledger,
    inbox: Receiver<messages::ToLedger>,
    engine: &EngineSender,
    shared: &Arc<Shared>,
) -> Result<JoinHandle<()>, RunError> {
    let (engine, health, own) = (engine.clone(), Arc::clone(&shared.health), Arc::clone(&shared.own));
    std::thread::Builder::new()
        .name("hinomi-ledger".to_owned())
        .spawn(move || ledger::run(ledger, &inbox, &engine, &health, &own))
        .map_err(RunError::Threads)
}

/// Everything that listens.
struct Doors {
    listen: TcpListener,
    listen_at: SocketAddr,
    metrics: Option<(TcpListener, SocketAddr)>,
    control: tokio::net::UnixListener,
}

impl Doors {
    fn open(site: &Site) -> Result<Doors, RunError> {
        let (listen, listen_at) = tcp(site.daemon.listen, "daemon.listen")?;
        let metrics = site.daemon.metrics.map(|at| tcp(at, "daemon.metrics")).transpose()?;
        Ok(Doors {
            listen,
            listen_at,
            metrics,
            control: control::open(&site.daemon.state)?,
        })
    }

    fn addresses(&self) -> (SocketAddr, Option<SocketAddr>) {
        (self.listen_at, self.metrics.as_ref().map(|(_, at)| *at))
    }

    fn serve(self, shared: &Arc<Shared>) {
        let pages: Arc<dyn web::Pages> = Arc::new(WebPages(Arc::clone(shared)));
        let offer = if self.metrics.is_some() {
            Offer::WithoutMetrics
        } else {
            Offer::All
        };
        tokio::spawn(web::serve(self.listen, Arc::clone(&pages), offer));
        if let Some((listener, _)) = self.metrics {
            tokio::spawn(web::serve(listener, pages, Offer::MetricsOnly));
        }
        tokio::spawn(control::serve(Arc::clone(shared), self.control));
    }
}

fn tcp(at: SocketAddr, key: &'static str) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |error| RunError::Listen { at, key, error };
    let listener = std::net::TcpListener::bind(at).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let real = listener.local_addr().map_err(failed)?;
    Ok((TcpListener::from_std(listener).map_err(failed)?, real))
}

/// Creates the state directory (not its parents), readable by nobody else.
/// What root writes into the service's state directory the service cannot open: hinomi by hand would end the monitoring.
fn refuse_root(path: &Path) -> Result<(), RunError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = match path.metadata() {
        Ok(state) => state.uid(),
        // It is not there yet: that of the service is made by systemd.
        Err(_) if path == Path::new(crate::config::DEFAULT_STATE) => user_id(SERVICE_USER).unwrap_or(0),
        Err(_) => 0,
    };
    match owner {
        0 => Ok(()),
        uid => Err(RunError::Root {
            path: path.to_owned(),
            uid,
        }),
    }
}

/// The user of systemd/hinomi.sysusers.
const SERVICE_USER: &str = "hinomi";

/// The number of a user of this host.
fn user_id(name: &str) -> Option<u32> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

fn prepare_state(path: &Path) -> Result<(), RunError> {
    refuse_root(path)?;
    use std::os::unix::fs::DirBuilderExt;
    let failed = |error| RunError::State {
        path: path.to_owned(),
        error,
    };
    // Ledger, outbox, what was learned, last good configuration: they name people and devices, and are made for the owner alone,
    // whoever may look into a folder that was there before.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(failed(e)),
        _ if !path.is_dir() => Err(failed(io::ErrorKind::NotADirectory.into())),
        _ => Ok(()),
    }
}

impl Handle {
    /// Where `daemon.listen` really listens (port 0 asks the kernel to choose).
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where `/metrics` is.
    pub fn metrics(&self) -> SocketAddr {
        self.metrics.unwrap_or(self.listen)
    }

    /// Where traps and informs come in; empty where they are not listened for.
    pub fn traps(&self) -> &[SocketAddr] {
        &self.traps_at
    }

    /// The picture of everything, taken now; `None` if the engine does not answer. Not to be called from async code.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let (reply, picture) = oneshot::channel();
        self.engine.send(ToEngine::Snapshot { fresh: true, reply }).ok()?;
        picture.blocking_recv().ok()
    }

    /// Reads the configuration again. `Ok` says what changed, `Err` why the old one runs on. Not to be called from async code.
    pub fn reload(&self, force: bool) -> Result<String, String> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(super::reload::reload(&self.shared, force)),
            None => Err("hinomi is ending".to_owned()),
        }
    }

    /// The part that ended by itself, if one did.
    pub fn ended(&self) -> Option<&'static str> {
        let over = |t: &Option<JoinHandle<()>>| t.as_ref().is_none_or(JoinHandle::is_finished);
        match (over(&self.engine_thread), over(&self.ledger_thread)) {
            (true, _) => Some(Part::Engine.key()),
            (_, true) => Some(Part::Ledger.key()),
            _ => self.traps_thread.as_ref().filter(|t| t.is_finished()).map(|_| "traps"),
        }
    }

    /// Ends the daemon: attempts under way get a moment, what waits is written, then the threads end. Under two seconds.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        Word::Stopping.log();
        systemd::stopping();
        // First: what it still hands over would find nobody.
        let _ = self.shared.traps.try_send(ToTraps::Stop);
        if let Some(traps) = self.traps_thread.take() {
            let _ = traps.join();
        }
        let _ = self.engine.send(ToEngine::Stop);
        if let Some(engine) = self.engine_thread.take() {
            // It ends by itself within its own grace; a panic in it has been logged by the panic hook.
            let _ = engine.join();
        }
        if let Some(record) = self.record_thread.take() {
            // It writes what it has and ends with the engine; a panic in it has been logged, too.
            let _ = record.join();
        }
        // While the ledger's lock is still ours: after that it may be another daemon's.
        let _ = std::fs::remove_file(control::path(&self.shared.state));
        let _ = self.ledger.try_send(messages::ToLedger::Stop);
        let began = clock::mono();
        let last = [self.ledger_thread.take(), self.cache_thread.take()];
        let busy = |t: &JoinHandle<()>| !t.is_finished();
        while last.iter().flatten().any(busy) && clock::mono().since(began) < LAST_COMMIT {
            std::thread::sleep(Duration::from_millis(5));
        }
        runtime.shutdown_timeout(Duration::from_millis(200));
        Word::Stopped.log();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
