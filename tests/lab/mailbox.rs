//! What a relay accepted: one file a mail and recipient, read with a decoder that shares nothing with the product.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An accepted mail.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Nanoseconds since 1970 when the relay had it.
    pub(crate) arrived: u128,
    /// Envelope recipient.
    pub(crate) recipient: String,
    headers: Vec<(String, String)>,
    /// Decoded.
    pub(crate) body: String,
}

impl Mail {
    /// A header, unfolded and decoded; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map_or("", |(_, v)| v.as_str())
    }

    /// The subject.
    pub(crate) fn subject(&self) -> &str {
        self.header("Subject")
    }

    /// With angle brackets, as it stands there.
    pub(crate) fn message_id(&self) -> &str {
        self.header("Message-ID")
    }

    /// Subject or body holds this.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.subject().contains(text) || self.body.contains(text)
    }

    /// The first lines, for the story's log.
    pub(crate) fn brief(&self) -> String {
        let first = self.body.lines().find(|l| !l.trim().is_empty()).unwrap_or("");
        format!("mail to {}: {} | {first}", self.recipient, self.subject())
    }
}

/// The folder a relay writes to.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    dir: PathBuf,
}

impl Mailbox {
    pub(crate) fn new(dir: &Path) -> Mailbox {
        Mailbox { dir: dir.to_owned() }
    }

    /// Everything accepted so far, oldest first.
    pub(crate) fn all(&self) -> Vec<Mail> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let mut mails: Vec<Mail> = entries
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|x| x == "eml"))
            .filter_map(|e| std::fs::read(e.path()).ok())
            .map(|bytes| parse(&bytes))
            .collect();
        mails.sort_by_key(|m| m.arrived);
        mails
    }

    /// Waits until `found` picks something out of what has been accepted.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        found: impl Fn(&[Mail]) -> Option<T>,
    ) -> Result<T, String> {
        let began = Instant::now();
        loop {
            let mails = self.all();
            if let Some(value) = found(&mails) {
                return Ok(value);
            }
            if began.elapsed() > limit {
                let seen: Vec<String> = mails.iter().map(Mail::brief).collect();
                return Err(format!(
                    "no {what} within {} s; accepted so far: {}",
                    limit.as_secs(),
                    if seen.is_empty() {
                        "nothing".to_owned()
                    } else {
                        format!("\n    {}", seen.join("\n    "))
                    }
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn epoch() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos())
}

fn parse(bytes: &[u8]) -> Mail {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let get = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.clone())
            .unwrap_or_default()
    };
    let body = match get("Content-Transfer-Encoding").to_ascii_lowercase().as_str() {
        "base64" => String::from_utf8_lossy(&base64(body)).into_owned(),
        "quoted-printable" => String::from_utf8_lossy(&quoted(body, false)).into_owned(),
        _ => body.to_owned(),
    };
    Mail {
        arrived: get("X-Lab-Arrived").parse().unwrap_or(0),
        recipient: get("X-Lab-Recipient"),
        body: body.replace("\r\n", "\n"),
        headers: headers.into_iter().map(|(n, v)| (n, words(&v))).collect(),
    }
}

/// RFC 2047 encoded words; blanks between two of them are not part of the text.
fn words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let Some((decoded, used)) = encoded_word(&rest[start..]) else {
            out.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            after_word = false;
            continue;
        };
        let between = &rest[..start];
        if !(after_word && between.trim().is_empty()) {
            out.push_str(between);
        }
        out.push_str(&decoded);
        rest = &rest[start + used..];
        after_word = true;
    }
    out.push_str(rest);
    out
}

fn encoded_word(text: &str) -> Option<(String, usize)> {
    let mut parts = text[2..].splitn(3, '?');
    let (charset, kind, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.find("?=")?;
    let bytes = match kind {
        "B" | "b" => base64(&rest[..end]),
        "Q" | "q" => quoted(&rest[..end], true),
        _ => return None,
    };
    let used = 2 + charset.len() + 1 + kind.len() + 1 + end + 2;
    Some((String::from_utf8_lossy(&bytes).into_owned(), used))
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0u32, 0u32, Vec::new());
    for byte in text.bytes() {
        let Some(value) = ALPHABET.iter().position(|a| *a == byte) else {
            continue;
        };
        bits = (bits << 6) | u32::try_from(value).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
            bits &= (1 << count) - 1;
        }
    }
    out
}

fn quoted(text: &str, header: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'_' if header => out.push(b' '),
            b'=' if bytes.get(at + 1) == Some(&b'\n') => at += 1,
            b'=' if at + 2 < bytes.len() => {
                let hex = std::str::from_utf8(&bytes[at + 1..at + 3]).unwrap_or("");
                match u8::from_str_radix(hex, 16) {
                    Ok(byte) => {
                        out.push(byte);
                        at += 2;
                    }
                    Err(_) => out.push(b'='),
                }
            }
            byte => out.push(byte),
        }
        at += 1;
    }
    out
}
