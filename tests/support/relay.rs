//! A mail relay on loopback that does what a script says: takes mail, refuses, falls silent, drips, cuts the line after the
//! final dot … It keeps every mail it said 250 to (and those it took without saying so), for tests, lab and demo.
//!
//! Include it with `#[path = "…/support/relay.rs"] mod relay;`. Plain threads, no runtime: it goes on whatever the code under
//! test does with its own.
//!
//! ```text
//! let relay = Relay::start(Script::default());
//! relay.set(Script { rules: vec![Rule::at(At::Rcpt).only("bad@example.net").reply("550 5.1.1 no such user")], ..Script::default() });
//! assert!(relay.wait_for(1, Duration::from_secs(5)));
//! println!("{}", relay.mails()[0].subject());
//! ```
#![allow(dead_code, unreachable_pub, missing_docs, clippy::disallowed_methods)]

pub mod certs;
pub mod mime;
mod talk;

pub use certs::Cert;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

/// Where in a conversation a rule applies. The relay has just read what belongs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the final dot.
    Dot,
    Noop,
}

/// What the relay does there instead of its usual answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Do {
    /// Says this line.
    Reply(String),
    /// Says nothing more, and keeps the line open.
    Silent,
    /// Says its usual answer one byte at a time, with this pause, and never comes to an end.
    Drip(Duration),
    /// Cuts the line. After the final dot: without keeping the mail.
    Cut,
    /// Keeps the mail, then cuts the line: the 250 is lost.
    KeepAndCut,
    /// `250-…` without end.
    EndlessLines,
    /// One line without end.
    LongLine,
    /// Waits, then answers as usual.
    Delay(Duration),
}

/// One deviation.
#[derive(Clone, Debug)]
pub struct Rule {
    pub at: At,
    /// Only in conversations with this recipient (for `Rcpt`, `Data`, `Dot`).
    pub recipient: Option<String>,
    /// How many times more; `None` is always.
    pub times: Option<u32>,
    /// In percent of the cases.
    pub percent: u32,
    pub what: Do,
}

impl Rule {
    pub fn at(at: At) -> Rule {
        Rule {
            at,
            recipient: None,
            times: None,
            percent: 100,
            what: Do::Silent,
        }
    }
    pub fn only(mut self, recipient: &str) -> Rule {
        self.recipient = Some(recipient.to_owned());
        self
    }
    pub fn times(mut self, times: u32) -> Rule {
        self.times = Some(times);
        self
    }
    pub fn percent(mut self, percent: u32) -> Rule {
        self.percent = percent;
        self
    }
    pub fn act(mut self, what: Do) -> Rule {
        self.what = what;
        self
    }
    pub fn reply(self, line: &str) -> Rule {
        self.act(Do::Reply(line.to_owned()))
    }
}

/// How TLS is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    #[default]
    None,
    StartTls,
    Smtps,
}

/// What the relay does.
#[derive(Clone, Debug)]
pub struct Script {
    pub tls: Encryption,
    pub cert: Cert,
    /// Mechanisms, user and password; without it AUTH is not offered. With it mail without AUTH is refused.
    pub auth: Option<(String, String, String)>,
    pub rules: Vec<Rule>,
    /// Each mail is written there as `NNNN.eml` (with `X-Envelope-To`) and fsynced before the 250.
    pub spool: Option<PathBuf>,
    /// Seed of the rules with `percent`.
    pub seed: u64,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            tls: Encryption::None,
            cert: Cert::Good,
            auth: None,
            rules: Vec::new(),
            spool: None,
            seed: 1,
        }
    }
}

impl Script {
    /// Fails at random: `percent` of the mails are refused with 451 before, and as many lose their 250.
    pub fn flaky(percent: u32, seed: u64) -> Script {
        let refused = Rule::at(At::Mail).reply("451 4.3.0 try again later").percent(percent);
        let lost = Rule::at(At::Dot).act(Do::KeepAndCut).percent(percent);
        Script {
            rules: vec![refused, lost],
            seed,
            ..Script::default()
        }
    }
}

/// A mail the relay took.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub raw: Vec<u8>,
    pub at: SystemTime,
    pub arrived: Instant,
    /// Came over TLS.
    pub encrypted: bool,
    pub user: Option<String>,
    pub helo: String,
    /// Who connected.
    pub peer: SocketAddr,
    /// The sender was told so (false: the 250 was lost on purpose).
    pub acknowledged: bool,
}

impl Mail {
    pub fn header(&self, name: &str) -> Option<String> {
        mime::find(&mime::decode(&self.raw).0, name)
    }
    pub fn subject(&self) -> String {
        self.header("Subject").unwrap_or_default()
    }
    pub fn message_id(&self) -> String {
        self.header("Message-ID")
            .unwrap_or_default()
            .trim_matches(['<', '>'])
            .to_owned()
    }
    pub fn body(&self) -> String {
        mime::decode(&self.raw).1
    }
}

#[derive(Default)]
struct State {
    script: Script,
    mails: Vec<Mail>,
    listeners: Vec<Sender<Mail>>,
    lines: Vec<TcpStream>,
    connections: u64,
    commands: Vec<String>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    open: AtomicBool,
    dice: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The relay. Dropping it ends it.
pub struct Relay {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Relay {
    /// A relay on a free port of 127.0.0.1.
    pub fn start(script: Script) -> Relay {
        Relay::start_at("127.0.0.1:0", script).expect("loopback has a free port")
    }

    /// A relay on this address.
    pub fn start_at(addr: &str, script: Script) -> io::Result<Relay> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let dice = AtomicU64::new(script.seed.max(1));
        let state = Mutex::new(State {
            script,
            ..State::default()
        });
        let shared = Arc::new(Shared {
            state,
            changed: Condvar::new(),
            open: AtomicBool::new(true),
            dice,
        });
        let relay = Relay {
            addr,
            shared,
            accepting: Mutex::new(None),
        };
        relay.listen(listener);
        Ok(relay)
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Another script from now on (running conversations see it at their next step).
    pub fn set(&self, script: Script) {
        self.shared.lock().script = script;
    }

    /// Refuses connections and cuts those that are open.
    pub fn stop(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.accepting.lock().unwrap_or_else(|e| e.into_inner()).take() {
            let _ = thread.join();
        }
        for line in self.shared.lock().lines.drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again after [`Relay::stop`], on the same port, with the mails kept.
    pub fn restart(&self) -> io::Result<()> {
        self.stop();
        let listener = TcpListener::bind(self.addr)?;
        self.shared.open.store(true, Ordering::SeqCst);
        self.listen(listener);
        Ok(())
    }

    /// All mails kept so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.lock().mails.clone()
    }

    /// Every mail from now on, as it arrives.
    pub fn subscribe(&self) -> Receiver<Mail> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.shared.lock().listeners.push(sender);
        receiver
    }

    /// How many TCP connections came.
    pub fn connections(&self) -> u64 {
        self.shared.lock().connections
    }

    /// Every command line heard (not the mails), in order.
    pub fn commands(&self) -> Vec<String> {
        self.shared.lock().commands.clone()
    }

    /// Waits until at least `n` mails are there; false if they did not come in time.
    pub fn wait_for(&self, n: usize, timeout: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |s| s.mails.len() < n);
        waited.map(|(s, _)| s.mails.len() >= n).unwrap_or(false)
    }

    fn listen(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !shared.open.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let mut state = shared.lock();
                state.connections += 1;
                state.lines.extend(stream.try_clone());
                drop(state);
                let shared = shared.clone();
                std::thread::spawn(move || {
                    // How a conversation ends is the test's matter, not ours.
                    let _ = talk::begin(&shared, stream);
                });
            }
        });
        *self.accepting.lock().unwrap_or_else(|e| e.into_inner()) = Some(thread);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}
