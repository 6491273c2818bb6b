//! One conversation with one relay (RFC 5321, 3207, 4954). I/O, always within a deadline and within bounds of size.
//!
//! Own instead of lettre's connection, for reasons measured and read in its 0.11.23: its errors do not tell the stage (a lost 250
//! after the final dot must be told from a refusal), STARTTLS does not work on a stream that is handed in (and only so can a
//! socket be bound to a device with roots of our own), one refused recipient ends the whole, and its timeout covers
//! connecting only. lettre builds the mails (see `message`).
//!
//! Never here: a password in a transcript, a password or a mail over plain text where TLS was asked for, a panic on a relay's words.

use super::message::{Message, clean, dot_stuffed};
use crate::model::Secret;
use crate::notify::Stage;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Longest line of a relay that is read (RFC 5321 promises 512 octets).
const LINE_CAP: usize = 8 * 1024;
/// Most lines of one reply.
const REPLY_LINES: usize = 128;
/// Most characters of a reply that are kept.
const REPLY_CAP: usize = 300;
/// Most lines of a transcript.
const TRANSCRIPT_LINES: usize = 400;
/// How long a relay may take over QUIT before the line is simply closed.
const QUIT: Duration = Duration::from_millis(500);

/// Any stream a conversation can run on.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Why a conversation ended early.
#[derive(Debug)]
pub(super) enum Fault {
    /// The relay said 4xx or 5xx.
    Refused { stage: Stage, code: u16, reply: String },
    /// It could not be spoken to, fell silent, cut the line, or said what is not SMTP.
    Broken { stage: Stage, error: String },
}

impl Fault {
    pub(super) fn stage(&self) -> Stage {
        match self {
            Fault::Refused { stage, .. } | Fault::Broken { stage, .. } => *stage,
        }
    }

    pub(super) fn words(&self) -> &str {
        match self {
            Fault::Refused { reply, .. } => reply,
            Fault::Broken { error, .. } => error,
        }
    }
}

/// What was said, for a person to read. Knows the secrets, so that none is ever written down, not even when a relay repeats it.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    pub(super) lines: Vec<String>,
    secrets: Vec<String>,
}

impl Transcript {
    /// A note, or a line said (`> `) or heard (`< `).
    pub(super) fn note(&mut self, mark: &str, text: &str) {
        let line = format!("{mark}{}", self.harmless(text));
        match self.lines.len() {
            n if n < TRANSCRIPT_LINES => self.lines.push(line),
            TRANSCRIPT_LINES => self.lines.push("… (cut here)".to_owned()),
            _ => {}
        }
    }

    /// From here on no word of this login is written down.
    pub(super) fn hide_auth(&mut self, user: &str, password: &Secret) {
        let (plain, login) = auth_words(user, password);
        self.hide(plain);
        self.hide(login);
        if let Some(text) = password.expose_str() {
            self.hide(text.to_owned());
        }
    }

    fn hide(&mut self, secret: String) {
        if !secret.is_empty() && !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
    }

    fn harmless(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for secret in &self.secrets {
            out = out.replace(secret.as_str(), "****");
        }
        clean(&out, REPLY_CAP)
    }
}

/// A complete reply.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// One conversation.
pub(super) struct Session<'a> {
    io: Box<dyn Io>,
    peer: IpAddr,
    encrypted: bool,
    unread: Vec<u8>,
    /// What the relay offers: of each line of its answer to EHLO the words, upper case, the keyword first.
    features: Vec<Vec<String>>,
    /// Nothing waits longer than this.
    pub(super) deadline: Instant,
    log: &'a mut Transcript,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        io: Box<dyn Io>,
        peer: IpAddr,
        encrypted: bool,
        deadline: Instant,
        log: &'a mut Transcript,
    ) -> Self {
        Session {
            io,
            peer,
            encrypted,
            unread: Vec::new(),
            features: Vec::new(),
            deadline,
            log,
        }
    }

    /// Reads the relay's greeting.
    pub(super) async fn greeting(&mut self) -> Result<(), Fault> {
        let reply = self.reply(Stage::Greeting).await?;
        self.expect(Stage::Greeting, &reply, 2)
    }

    /// EHLO, or HELO for a relay that knows no other (RFC 5321 section 3.2; 550 as well, section 4.1.1.1 has it among the answers).
    pub(super) async fn hello(&mut self, name: &str) -> Result<(), Fault> {
        let reply = self.command(Stage::Greeting, &format!("EHLO {name}")).await?;
        if matches!(reply.code, 500 | 501 | 502 | 504 | 550) {
            self.features.clear();
            let reply = self.command(Stage::Greeting, &format!("HELO {name}")).await?;
            return self.expect(Stage::Greeting, &reply, 2);
        }
        self.expect(Stage::Greeting, &reply, 2)?;
        self.features = reply.lines.iter().skip(1).map(|l| words(l)).collect();
        Ok(())
    }

    /// STARTTLS up to the point where the handshake begins; gives back the bare stream.
    pub(super) async fn starttls(&mut self) -> Result<(), Fault> {
        let broken = |error: &str| Fault::Broken {
            stage: Stage::Tls,
            error: error.to_owned(),
        };
        if !self.offers("STARTTLS") {
            return Err(broken(
                "the relay does not offer STARTTLS, or somebody on the way took the offer out; nothing is sent in plain text",
            ));
        }
        let reply = self.command(Stage::Tls, "STARTTLS").await?;
        self.expect(Stage::Tls, &reply, 2)?;
        if !self.unread.is_empty() {
            // Words slipped in before the handshake would be taken for the relay's own.
            return Err(broken(
                "the relay (or somebody on the way) sent more after its STARTTLS answer; not trusted",
            ));
        }
        Ok(())
    }

    /// Does the relay offer this extension? Its parameters, if any, do not matter.
    fn offers(&self, keyword: &str) -> bool {
        self.features
            .iter()
            .any(|line| line.first().is_some_and(|k| k == keyword))
    }

    /// Takes the session apart: the stream, and the transcript for the session to come.
    pub(super) fn into_parts(self) -> (Box<dyn Io>, &'a mut Transcript) {
        (self.io, self.log)
    }

    /// AUTH PLAIN, else LOGIN. Never over plain text, unless the relay is on this very host.
    pub(super) async fn auth(&mut self, user: &str, password: &Secret) -> Result<(), Fault> {
        let broken = |error: &str| Fault::Broken {
            stage: Stage::Auth,
            error: error.to_owned(),
        };
        if !self.encrypted && !self.peer.is_loopback() {
            return Err(broken(
                "the password is not sent over plain text: use starttls or smtps for this route",
            ));
        }
        let mechanisms = self
            .features
            .iter()
            .filter(|line| line.first().is_some_and(|k| k == "AUTH"));
        let mechanisms: Vec<String> = mechanisms.flat_map(|line| line[1..].to_vec()).collect();
        let offers = |name: &str| mechanisms.iter().any(|m| m == name);
        let (plain, login) = auth_words(user, password);
        self.log.hide_auth(user, password);
        let reply = if offers("PLAIN") {
            self.command(Stage::Auth, &format!("AUTH PLAIN {plain}")).await?
        } else if offers("LOGIN") {
            let reply = self.command(Stage::Auth, "AUTH LOGIN").await?;
            self.expect(Stage::Auth, &reply, 3)?;
            let reply = self.command(Stage::Auth, &base64(user.as_bytes())).await?;
            self.expect(Stage::Auth, &reply, 3)?;
            self.command(Stage::Auth, &login).await?
        } else {
            return Err(broken(
                "a user is configured but the relay offers neither AUTH PLAIN nor AUTH LOGIN",
            ));
        };
        self.expect(Stage::Auth, &reply, 2)
    }

    /// MAIL, RCPT, DATA, the mail, the final dot. `overall` is the deadline once DATA is accepted: from there on no other relay
    /// is tried. Gives the relay's words after the final dot.
    pub(super) async fn send(&mut self, message: &Message, overall: Instant) -> Result<String, Fault> {
        let reply = self
            .command(Stage::MailFrom, &format!("MAIL FROM:<{}>", message.from))
            .await?;
        self.expect(Stage::MailFrom, &reply, 2)?;
        let reply = self
            .command(Stage::Recipient, &format!("RCPT TO:<{}>", message.to))
            .await?;
        // "You may not relay here" is about the route, not about the address: another route may well take it.
        let whose = if is_policy(&reply) {
            Stage::MailFrom
        } else {
            Stage::Recipient
        };
        self.expect(whose, &reply, 2)?;
        let reply = self.command(Stage::Data, "DATA").await?;
        self.expect(Stage::Data, &reply, 3)?;
        self.deadline = overall;
        let content = dot_stuffed(&message.bytes);
        self.log.note("> ", &format!("({} bytes of mail)", content.len()));
        if let Err(fault) = self.write(Stage::Data, &content).await {
            return Err(self.last_words(fault).await);
        }
        let reply = self.command(Stage::FinalDot, ".").await?;
        self.expect(Stage::FinalDot, &reply, 2)?;
        Ok(self.log.harmless(&spoken(&reply)))
    }

    /// NOOP: the relay is alive past EHLO and AUTH.
    pub(super) async fn noop(&mut self) -> Result<(), Fault> {
        let reply = self.command(Stage::Greeting, "NOOP").await?;
        self.expect(Stage::Greeting, &reply, 2)
    }

    /// Takes leave; what comes of it does not matter any more.
    pub(super) async fn quit(&mut self) {
        self.deadline = self.deadline.min(Instant::now() + QUIT);
        let _ = self.command(Stage::Greeting, "QUIT").await;
        let _ = timeout_at(self.deadline, self.io.shutdown()).await;
    }

    async fn command(&mut self, stage: Stage, line: &str) -> Result<Reply, Fault> {
        self.log.note("> ", line);
        match self.write(stage, format!("{line}\r\n").as_bytes()).await {
            Ok(()) => self.reply(stage).await,
            Err(fault) => Err(self.last_words(fault).await),
        }
    }

    /// A relay that closes the line often says why first.
    async fn last_words(&mut self, fault: Fault) -> Fault {
        let stage = fault.stage();
        self.deadline = self.deadline.min(Instant::now() + QUIT);
        match self.reply(stage).await {
            Ok(reply) => self.expect(stage, &reply, 0).err().unwrap_or(fault),
            Err(_) => fault,
        }
    }

    async fn write(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), Fault> {
        let all = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        match timeout_at(self.deadline, all).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(broken(stage, &format!("the line was cut ({})", system(&e)))),
            Err(_) => Err(broken(stage, "the relay takes no more bytes; given up at the deadline")),
        }
    }

    async fn reply(&mut self, stage: Stage) -> Result<Reply, Fault> {
        let mut lines = Vec::new();
        loop {
            let line = self.line(stage).await?;
            self.log.note("< ", &line);
            if line.is_empty() && !lines.is_empty() && lines.len() < REPLY_LINES {
                // A line end too many within an answer that goes on.
                lines.push(String::new());
                continue;
            }
            let code = line
                .get(..3)
                .and_then(|c| c.parse::<u16>().ok())
                .filter(|c| (200..600).contains(c));
            let Some(code) = code else {
                return Err(broken(
                    stage,
                    &format!("not the answer of a mail relay: \"{}\"", self.log.harmless(&line)),
                ));
            };
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or("").to_owned());
            if !more {
                return Ok(Reply { code, lines });
            }
            if lines.len() >= REPLY_LINES {
                return Err(broken(stage, "the relay's answer does not end; given up"));
            }
        }
    }

    async fn line(&mut self, stage: Stage) -> Result<String, Fault> {
        loop {
            if let Some(end) = self.unread.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.unread.len() > LINE_CAP {
                return Err(broken(stage, "the relay sent a line of more than 8 kB; given up"));
            }
            let mut chunk = [0_u8; 4096];
            match timeout_at(self.deadline, self.io.read(&mut chunk)).await {
                Ok(Ok(0)) => return Err(broken(stage, "the relay cut the line")),
                Ok(Ok(n)) => self.unread.extend_from_slice(&chunk[..n]),
                Ok(Err(e)) => return Err(broken(stage, &format!("the line was cut ({})", system(&e)))),
                Err(_) => return Err(broken(stage, "no complete answer from the relay within the deadline")),
            }
        }
    }

    /// Holds a reply against the class that was expected (2 or 3; 0 accepts none).
    fn expect(&self, stage: Stage, reply: &Reply, class: u16) -> Result<(), Fault> {
        match reply.code / 100 {
            c if c == class => Ok(()),
            4 | 5 => Err(Fault::Refused {
                stage,
                code: reply.code,
                reply: self.log.harmless(&spoken(reply)),
            }),
            _ => Err(broken(
                stage,
                &format!("unexpected answer: {}", self.log.harmless(&spoken(reply))),
            )),
        }
    }
}

/// A refusal for who we are, not for whom the mail is: 530 (AUTH wanted) or an enhanced code 5.7.x (RFC 3463).
fn is_policy(reply: &Reply) -> bool {
    reply.code == 530 || reply.code >= 500 && reply.lines.iter().any(|l| l.starts_with("5.7."))
}

/// The words of one line of an answer to EHLO (RFC 5321 section 4.1.1.1: a keyword, then parameters, whatever blanks lie around), upper
/// case. `AUTH=LOGIN`, the form before RFC 4954, is `AUTH LOGIN`.
fn words(line: &str) -> Vec<String> {
    let line = line.to_ascii_uppercase();
    let line = line.trim_start();
    let line = match line.strip_prefix("AUTH=") {
        Some(mechanisms) => format!("AUTH {mechanisms}"),
        None => line.to_owned(),
    };
    line.split_whitespace().map(str::to_owned).collect()
}

fn spoken(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.lines.join(" "))
}

fn broken(stage: Stage, error: &str) -> Fault {
    let error = match stage {
        Stage::FinalDot => format!("{error}, after the final dot: the mail may have been accepted"),
        _ => error.to_owned(),
    };
    Fault::Broken { stage, error }
}

/// The system's words without its number.
pub(super) fn system(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// What AUTH PLAIN (RFC 4616) and AUTH LOGIN send.
fn auth_words(user: &str, password: &Secret) -> (String, String) {
    let plain = [b"\0", user.as_bytes(), b"\0", password.expose()].concat();
    (base64(&plain), base64(password.expose()))
}

/// Base64 (RFC 4648), for AUTH.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * i) & 63) as usize];
            out.push(if i > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests;
