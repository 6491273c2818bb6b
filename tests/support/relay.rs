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
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod certs;
pub mod mime;

pub use certs::Cert;
use std::io::{self, BufRead, BufReader, Read, Write};
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
        Rule { at, recipient: None, times: None, percent: 100, what: Do::Silent }
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
pub enum Tls {
    #[default]
    Plain,
    StartTls,
    Smtps,
}

/// What the relay does.
#[derive(Clone, Debug)]
pub struct Script {
    pub tls: Tls,
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
        Script { tls: Tls::Plain, cert: Cert::Good, auth: None, rules: Vec::new(), spool: None, seed: 1 }
    }
}

impl Script {
    /// Fails at random: `percent` of the mails are refused with 451 before, and as many lose their 250.
    pub fn flaky(percent: u32, seed: u64) -> Script {
        let refused = Rule::at(At::Mail).reply("451 4.3.0 try again later").percent(percent);
        let lost = Rule::at(At::Dot).act(Do::KeepAndCut).percent(percent);
        Script { rules: vec![refused, lost], seed, ..Script::default() }
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
        self.header("Message-ID").unwrap_or_default().trim_matches(['<', '>']).to_owned()
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
        let state = Mutex::new(State { script, ..State::default() });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), open: AtomicBool::new(true), dice });
        let relay = Relay { addr, shared, accepting: Mutex::new(None) };
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
        let waited = self.shared.changed.wait_timeout_while(state, timeout, |s| s.mails.len() < n);
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
                    let _ = Talk::begin(&shared, stream);
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

trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// A stream that can be taken back out of its reader.
type Boxed = BufReader<Box<dyn Line>>;

struct Talk<'a> {
    shared: &'a Shared,
    line: Boxed,
    tcp: TcpStream,
    encrypted: bool,
    user: Option<String>,
    helo: String,
    from: String,
    to: Vec<String>,
}

/// The conversation is over.
fn over<T>() -> io::Result<T> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

impl Talk<'_> {
    fn begin(shared: &Shared, tcp: TcpStream) -> io::Result<()> {
        let _ = tcp.set_nodelay(true);
        let script = shared.lock().script.clone();
        let copy = tcp.try_clone()?;
        let line: Box<dyn Line> = match script.tls {
            Tls::Smtps => Box::new(encrypt(copy, script.cert)?),
            _ => Box::new(copy),
        };
        let encrypted = script.tls == Tls::Smtps;
        let line = BufReader::new(line);
        let mut talk =
            Talk { shared, line, tcp, encrypted, user: None, helo: String::new(), from: String::new(), to: Vec::new() };
        let ended = talk.converse();
        let _ = talk.tcp.shutdown(Shutdown::Both);
        ended
    }

    fn converse(&mut self) -> io::Result<()> {
        self.answer(At::Greeting, "220 relay.example.org ESMTP")?;
        loop {
            let command = self.read_line()?;
            self.shared.lock().commands.push(command.clone());
            let upper = command.to_ascii_uppercase();
            let verb = upper.split([' ', ':']).next().unwrap_or("").to_owned();
            match verb.as_str() {
                "EHLO" | "HELO" => self.ehlo(&command)?,
                "STARTTLS" => self.starttls()?,
                "AUTH" => self.auth(&command)?,
                "MAIL" => self.mail(&command)?,
                "RCPT" => self.rcpt(&command)?,
                "DATA" => self.data()?,
                "NOOP" => self.answer(At::Noop, "250 2.0.0 Ok")?,
                "RSET" => self.say("250 2.0.0 Ok")?,
                "QUIT" => return self.say("221 2.0.0 Bye"),
                _ => self.say("500 5.5.2 what?")?,
            }
        }
    }

    fn ehlo(&mut self, command: &str) -> io::Result<()> {
        self.helo = command.get(5..).unwrap_or("").to_owned();
        let script = self.shared.lock().script.clone();
        let mut lines = vec!["relay.example.org".to_owned(), "8BITMIME".to_owned(), "SIZE 10240000".to_owned()];
        if script.tls == Tls::StartTls && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        if let Some((mechanisms, ..)) = &script.auth {
            lines.push(format!("AUTH {mechanisms}"));
        }
        let last = lines.len() - 1;
        let lines: Vec<String> =
            lines.iter().enumerate().map(|(i, l)| format!("250{}{l}", if i == last { ' ' } else { '-' })).collect();
        self.answer(At::Ehlo, &lines.join("\r\n"))
    }

    fn starttls(&mut self) -> io::Result<()> {
        self.answer(At::StartTls, "220 2.0.0 go ahead")?;
        let cert = self.shared.lock().script.cert;
        self.line = BufReader::new(Box::new(encrypt(self.tcp.try_clone()?, cert)?));
        self.encrypted = true;
        Ok(())
    }

    fn auth(&mut self, command: &str) -> io::Result<()> {
        let Some((_, user, password)) = self.shared.lock().script.auth.clone() else {
            return self.say("502 5.5.1 no AUTH here");
        };
        let given: Vec<String> = if let Some(word) = command.strip_prefix("AUTH PLAIN ") {
            let plain = String::from_utf8_lossy(&mime::base64(word.as_bytes())).into_owned();
            plain.split('\0').skip(1).map(str::to_owned).collect()
        } else {
            self.say("334 VXNlcm5hbWU6")?;
            let user = self.read_line()?;
            self.say("334 UGFzc3dvcmQ6")?;
            let password = self.read_line()?;
            [user, password].iter().map(|w| String::from_utf8_lossy(&mime::base64(w.as_bytes())).into_owned()).collect()
        };
        if given == [user.clone(), password] {
            self.user = Some(user);
            return self.answer(At::Auth, "235 2.7.0 welcome");
        }
        // Some relays repeat what they were given; the transcript must survive that.
        self.answer(At::Auth, &format!("535 5.7.8 wrong: {}", given.join("/")))
    }

    fn mail(&mut self, command: &str) -> io::Result<()> {
        (self.from, self.to) = (address(command), Vec::new());
        if self.shared.lock().script.auth.is_some() && self.user.is_none() {
            return self.say("530 5.7.0 who are you?");
        }
        self.answer(At::Mail, "250 2.1.0 Ok")
    }

    fn rcpt(&mut self, command: &str) -> io::Result<()> {
        self.to.push(address(command));
        self.answer(At::Rcpt, "250 2.1.5 Ok")
    }

    fn data(&mut self) -> io::Result<()> {
        self.answer(At::Data, "354 end with a dot")?;
        let mut raw = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.line.read_until(b'\n', &mut line)? == 0 {
                return over();
            }
            if line == b".\r\n" {
                break;
            }
            raw.extend_from_slice(if line.starts_with(b".") { &line[1..] } else { &line });
        }
        match self.rule(At::Dot) {
            Some(Do::KeepAndCut) => {
                self.keep(raw, false)?;
                over()
            }
            Some(Do::Delay(pause)) => {
                std::thread::sleep(pause);
                self.keep(raw, true)
            }
            Some(what) => self.act(what, "250 2.0.0 Ok"),
            None => self.keep(raw, true),
        }
    }

    /// Stores the mail, then says so. Nobody may see it before it is safe.
    fn keep(&mut self, raw: Vec<u8>, acknowledged: bool) -> io::Result<()> {
        let mail = Mail {
            from: self.from.clone(),
            to: self.to.clone(),
            raw,
            at: SystemTime::now(),
            arrived: Instant::now(),
            encrypted: self.encrypted,
            user: self.user.clone(),
            helo: self.helo.clone(),
            peer: self.tcp.peer_addr()?,
            acknowledged,
        };
        let mut state = self.shared.lock();
        let number = state.mails.len() + 1;
        if let Some(folder) = &state.script.spool {
            let mut file = std::fs::File::create(folder.join(format!("{number:04}.eml")))?;
            file.write_all(format!("X-Envelope-To: {}\r\n", mail.to.join(", ")).as_bytes())?;
            file.write_all(&mail.raw)?;
            file.sync_all()?;
        }
        state.listeners.retain(|l| l.send(mail.clone()).is_ok());
        state.mails.push(mail);
        drop(state);
        self.shared.changed.notify_all();
        if acknowledged { self.say(&format!("250 2.0.0 Ok: queued as TEST{number:04}")) } else { Ok(()) }
    }

    /// The usual answer, unless a rule says otherwise.
    fn answer(&mut self, at: At, usual: &str) -> io::Result<()> {
        match self.rule(at) {
            Some(what) => self.act(what, usual),
            None => self.say(usual),
        }
    }

    fn rule(&self, at: At) -> Option<Do> {
        let mut state = self.shared.lock();
        let rule = state.script.rules.iter_mut().find(|r| {
            r.at == at
                && r.times != Some(0)
                && r.recipient.as_ref().is_none_or(|wanted| self.to.iter().any(|to| to == wanted))
                && self.roll() < r.percent
        })?;
        rule.times = rule.times.map(|n| n - 1);
        Some(rule.what.clone())
    }

    /// 0 to 99 (xorshift: the same seed gives the same run).
    fn roll(&self) -> u32 {
        let step = |mut x: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        let before = self.shared.dice.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |x| Some(step(x)));
        (step(before.unwrap_or(1)) % 100) as u32
    }

    fn act(&mut self, what: Do, usual: &str) -> io::Result<()> {
        match what {
            Do::Reply(line) => self.say(&line),
            Do::Silent => loop {
                let mut hole = [0_u8; 512];
                if self.line.read(&mut hole)? == 0 {
                    return over();
                }
            },
            Do::Drip(pause) => {
                for byte in usual.bytes().filter(|b| *b != b'\n').cycle() {
                    self.line.get_mut().write_all(&[byte])?;
                    self.line.get_mut().flush()?;
                    std::thread::sleep(pause);
                }
                over()
            }
            Do::Cut | Do::KeepAndCut => over(),
            Do::EndlessLines => loop {
                self.say("250-and another thing")?;
            },
            Do::LongLine => loop {
                self.line.get_mut().write_all(&[b'x'; 1024])?;
            },
            Do::Delay(pause) => {
                std::thread::sleep(pause);
                self.say(usual)
            }
        }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let out = self.line.get_mut();
        out.write_all(format!("{text}\r\n").as_bytes())?;
        out.flush()
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if (&mut self.line).take(64 * 1024).read_until(b'\n', &mut line)? == 0 {
            return over();
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn address(command: &str) -> String {
    command.split(['<', '>']).nth(1).unwrap_or("").to_owned()
}

fn encrypt(tcp: TcpStream, cert: Cert) -> io::Result<rustls::StreamOwned<rustls::ServerConnection, TcpStream>> {
    let session = rustls::ServerConnection::new(certs::server(cert)).map_err(io::Error::other)?;
    Ok(rustls::StreamOwned::new(session, tcp))
}
