//! A [`Mail`] as bytes for the wire: RFC 5322 headers, RFC 2047 words, MIME body. Pure.
//!
//! lettre's builder does the encoding. What it does not do by itself is done here: a Date in the operator's own time zone,
//! and control characters taken out of everything that becomes a header (lettre keeps a CR or LF inside an encoded word).

use crate::model::text::is_hostile;
use crate::model::{Operator, Route};
use crate::notify::{Mail, Stage};
use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};

/// Longest header text that is sent; longer is cut. Device text can be long, a subject of 1,000 characters helps nobody.
const HEADER_CAP: usize = 900;

/// An envelope and the bytes after DATA (CRLF line ends, not yet dot-stuffed).
#[derive(Debug)]
pub(super) struct Message {
    /// Envelope sender.
    pub(super) from: String,
    /// Envelope recipient.
    pub(super) to: String,
    /// Headers and body.
    pub(super) bytes: Vec<u8>,
}

/// Builds the message. The error says at which stage it would have failed and why: nobody need be asked.
pub(super) fn build(route: &Route, mail: &Mail, operator: &Operator) -> Result<Message, (Stage, String)> {
    let from = address("from", &route.from).map_err(|e| (Stage::MailFrom, e))?;
    let to = address("to", &mail.to).map_err(|e| (Stage::Recipient, e))?;
    let bytes = content(mail, operator, &from, &to).map_err(|e| (Stage::Data, e))?;
    Ok(Message {
        from: from.to_string(),
        to: to.to_string(),
        bytes,
    })
}

fn content(mail: &Mail, operator: &Operator, from: &lettre::Address, to: &lettre::Address) -> Result<Vec<u8>, String> {
    let body = mail.body.replace("\r\n", "\n").replace('\n', "\r\n");
    let mut builder = lettre::Message::builder()
        .from(Mailbox::new(Some(clean(&operator.name, HEADER_CAP)), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(clean(&mail.subject, HEADER_CAP))
        .message_id(Some(bracketed(&mail.message_id)));
    if let Some(first) = &mail.in_reply_to {
        builder = builder.in_reply_to(bracketed(first)).references(bracketed(first));
    }
    let mut message = builder
        .singlepart(SinglePart::plain(body))
        .map_err(|e| format!("the mail cannot be put together: {e}"))?;
    let headers = message.headers_mut();
    headers.remove::<header::Date>();
    raw(headers, "Date", &date(mail, operator))?;
    raw(headers, "Auto-Submitted", "auto-generated")?;
    for (name, value) in &mail.headers {
        raw(headers, name, value)?;
    }
    Ok(message.formatted())
}

/// Replaces what is hostile by a space and caps the length.
pub(super) fn clean(text: &str, cap: usize) -> String {
    let harmless = |c| if is_hostile(c) { ' ' } else { c };
    let mut out: String = text.chars().take(cap).map(harmless).collect();
    out.truncate(out.trim_end().len());
    out
}

/// Doubles a dot at the start of a line (RFC 5321 4.5.2), makes all line ends CRLF, and ends with one.
pub(super) fn dot_stuffed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        // A bare CR would be a line end to some relays ("SMTP smuggling").
        out.extend(line.iter().map(|b| if *b == b'\r' { b' ' } else { *b }));
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// An address that is safe in an envelope: lettre checks its form, and SMTP without SMTPUTF8 needs ASCII.
fn address(what: &str, text: &str) -> Result<lettre::Address, String> {
    let parsed: lettre::Address = text
        .parse()
        .map_err(|e| format!("{what} address \"{}\" is not a mail address: {e}", clean(text, 100)))?;
    if parsed.to_string().is_ascii() && !text.chars().any(|c| c.is_control() || c == ' ') {
        Ok(parsed)
    } else {
        Err(format!(
            "{what} address \"{}\" must be plain ASCII without spaces",
            clean(text, 100)
        ))
    }
}

fn bracketed(id: &str) -> String {
    format!("<{}>", clean(id, HEADER_CAP).trim_matches(['<', '>', ' ']))
}

fn raw(headers: &mut header::Headers, name: &str, value: &str) -> Result<(), String> {
    let shown = clean(name, 80);
    let name = HeaderName::new_from_ascii(name.to_owned())
        .map_err(|_| format!("\"{shown}\" cannot be the name of a header"))?;
    headers.insert_raw(HeaderValue::new(name, clean(value, HEADER_CAP)));
    Ok(())
}

/// The date as people at the operator's read it; UTC if nobody knows the zone.
fn date(mail: &Mail, operator: &Operator) -> String {
    let at = jiff::Timestamp::from_millisecond(mail.date.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(&operator.timezone);
    let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
    at.to_zoned(zone).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_and_line_ends_made_crlf() {
        assert_eq!(dot_stuffed(b".a\n..b\r\nc\rd\n."), b"..a\r\n...b\r\nc d\r\n..\r\n");
        assert_eq!(dot_stuffed(b""), b"");
    }

    #[test]
    fn controls_and_bidi_marks_do_not_pass() {
        assert_eq!(clean("a\r\nBcc: x\u{1b}[31m\u{202e}b\u{9b}", 100), "a  Bcc: x [31m b");
        assert_eq!(clean("あいう", 2), "あい");
    }
}
