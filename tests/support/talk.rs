//! One conversation of the scripted relay.

use super::{At, Cert, Do, Encryption, Mail, Shared, certs, mime};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

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

/// Talks to whoever connected, to the end.
pub fn begin(shared: &Shared, tcp: TcpStream) -> io::Result<()> {
    let _ = tcp.set_nodelay(true);
    let script = shared.lock().script.clone();
    let copy = tcp.try_clone()?;
    let line: Box<dyn Line> = match script.tls {
        Encryption::Smtps => Box::new(encrypt(copy, script.cert)?),
        _ => Box::new(copy),
    };
    let encrypted = script.tls == Encryption::Smtps;
    let line = BufReader::new(line);
    let mut talk = Talk {
        shared,
        line,
        tcp,
        encrypted,
        user: None,
        helo: String::new(),
        from: String::new(),
        to: Vec::new(),
    };
    let ended = talk.converse();
    let _ = talk.tcp.shutdown(Shutdown::Both);
    ended
}

impl Talk<'_> {
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
        let mut lines = vec![
            "relay.example.org".to_owned(),
            "8BITMIME".to_owned(),
            "SIZE 10240000".to_owned(),
        ];
        if script.tls == Encryption::StartTls && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        if let Some((mechanisms, ..)) = &script.auth {
            lines.push(format!("AUTH {mechanisms}"));
        }
        let last = lines.len() - 1;
        let lines: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(i, l)| format!("250{}{l}", if i == last { ' ' } else { '-' }))
            .collect();
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
            [user, password]
                .iter()
                .map(|w| String::from_utf8_lossy(&mime::base64(w.as_bytes())).into_owned())
                .collect()
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
        if acknowledged {
            self.say(&format!("250 2.0.0 Ok: queued as TEST{number:04}"))
        } else {
            Ok(())
        }
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
                && r.recipient
                    .as_ref()
                    .is_none_or(|wanted| self.to.iter().any(|to| to == wanted))
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
        let before = self
            .shared
            .dice
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |x| Some(step(x)));
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
