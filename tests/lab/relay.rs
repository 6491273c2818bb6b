//! A relay that fails on purpose: refuses, says 4xx, cuts the line before or after the final dot. What it accepts stands in a
//! file, synced to the disk, before it says 250: the files are the truth, whoever is killed when.

use crate::mailbox::epoch;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What can be changed while it runs, and what it counted.
#[derive(Debug, Default)]
pub(crate) struct Dial {
    /// Of 1,000 connections so many fail somewhere.
    pub(crate) failing: AtomicU32,
    /// Of 1,000 accepted mails so many lose their 250: the sender cannot know.
    pub(crate) forgetting: AtomicU32,
    /// 250s that were cut.
    pub(crate) cut: AtomicU64,
    /// Connections that failed on purpose.
    pub(crate) failed: AtomicU64,
    seed: Mutex<u64>,
}

impl Dial {
    /// The same seed gives the same failures.
    pub(crate) fn new(seed: u64) -> Dial {
        Dial {
            seed: Mutex::new(seed | 1),
            ..Dial::default()
        }
    }

    fn draw(&self, below: u32) -> u32 {
        let mut state = self.seed.lock().expect("no holder of the dial panics");
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        u32::try_from((*state >> 33) % u64::from(below)).unwrap_or(0)
    }
}

/// Listens on loopback until the process ends; gives the port.
pub(crate) fn start(dir: &Path, dial: Arc<Dial>) -> Result<u16, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("relay cannot listen: {e}"))?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (dir, dial) = (dir.clone(), dial.clone());
            std::thread::spawn(move || {
                let _ = talk(&stream, &dir, &dial);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
    Ok(port)
}

/// Where this connection fails.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    AtOnce,
    Greeting,
    Recipient,
    BeforeDot,
    Dot,
}

fn talk(stream: &TcpStream, dir: &Path, dial: &Dial) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let fault = if dial.draw(1000) < dial.failing.load(Ordering::SeqCst) {
        dial.failed.fetch_add(1, Ordering::SeqCst);
        [
            Fault::AtOnce,
            Fault::Greeting,
            Fault::Recipient,
            Fault::BeforeDot,
            Fault::Dot,
        ][dial.draw(5) as usize]
    } else {
        Fault::None
    };
    if fault == Fault::AtOnce {
        return Ok(());
    }
    let mut out = stream;
    let mut lines = BufReader::new(stream);
    if fault == Fault::Greeting {
        return out.write_all(b"421 relay.example.net is not well\r\n");
    }
    out.write_all(b"220 relay.example.net ESMTP\r\n")?;
    let mut recipients: Vec<String> = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.trim_end().to_ascii_uppercase();
        if verb.starts_with("EHLO") {
            out.write_all(b"250-relay.example.net\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")?;
        } else if verb.starts_with("RCPT TO") {
            if fault == Fault::Recipient {
                out.write_all(b"451 4.3.0 try again later\r\n")?;
                continue;
            }
            let address = line.split(['<', '>']).nth(1).unwrap_or("").to_owned();
            recipients.push(address);
            out.write_all(b"250 2.1.5 noted\r\n")?;
        } else if verb == "DATA" {
            out.write_all(b"354 go on\r\n")?;
            let text = data(&mut lines)?;
            match fault {
                Fault::BeforeDot => return Ok(()),
                Fault::Dot => {
                    out.write_all(b"452 4.3.1 no room\r\n")?;
                    continue;
                }
                _ => {}
            }
            for recipient in recipients.drain(..) {
                keep(dir, &recipient, &text)?;
            }
            if dial.draw(1000) < dial.forgetting.load(Ordering::SeqCst) {
                dial.cut.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            out.write_all(b"250 2.0.0 kept\r\n")?;
        } else if verb == "QUIT" {
            return out.write_all(b"221 2.0.0 bye\r\n");
        } else if verb == "RSET" {
            recipients.clear();
            out.write_all(b"250 2.0.0 fresh\r\n")?;
        } else {
            out.write_all(b"250 2.0.0 well\r\n")?;
        }
    }
}

fn data(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

/// Writes, syncs, renames: a file with the final name is whole.
fn keep(dir: &Path, recipient: &str, text: &str) -> std::io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let at = epoch();
    let path: PathBuf = dir.join(format!("{at}-{}", COUNT.fetch_add(1, Ordering::SeqCst)));
    let mut file = std::fs::File::create(&path)?;
    write!(file, "X-Lab-Arrived: {at}\r\nX-Lab-Recipient: {recipient}\r\n{text}")?;
    file.sync_all()?;
    std::fs::rename(&path, path.with_extension("eml"))
}
