//! A [`Mail`] as bytes for the wire: RFC 5322 headers, RFC 2047 words, MIME body. Pure.
//!
//! lettre encodes headers and body. What it does not do by itself is done here: a Date in the operator's own time zone, control
//! characters taken out of everything that becomes a header (lettre keeps a CR or LF inside an encoded word), and an envelope that is
//! given and not read out of the headers.

use crate::model::text::is_hostile;
use crate::model::{MailAddress, Operator, Route};
use crate::notify::{Mail, Stage};
use lettre::message::header::{self, HeaderName, HeaderValue, Headers};
use lettre::message::{Mailbox, Mailboxes, SinglePart};

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
///
/// Every address that [`MailAddress`] takes can stand on both sides: the envelope is those addresses themselves, nothing is read back
/// out of a header.
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

/// The headers, then the part with the body: what lettre's own builder makes, which however wants to understand From and To again and
/// has other rules for addresses.
fn content(mail: &Mail, operator: &Operator, from: &MailAddress, to: &MailAddress) -> Result<Vec<u8>, String> {
    let mut headers = Headers::new();
    headers.set(header::From::from(Mailboxes::from(mailbox(
        Some(clean(&operator.name, HEADER_CAP)),
        from,
    ))));
    headers.set(header::To::from(Mailboxes::from(mailbox(None, to))));
    headers.set(header::Subject::from(clean(&mail.subject, HEADER_CAP)));
    headers.set(header::MessageId::from(bracketed(&mail.message_id)));
    if let Some(first) = &mail.in_reply_to {
        headers.set(header::InReplyTo::from(bracketed(first)));
        headers.set(header::References::from(bracketed(first)));
    }
    raw(&mut headers, "Date", &date(mail, operator))?;
    raw(&mut headers, "Auto-Submitted", "auto-generated")?;
    for (name, value) in &mail.headers {
        raw(&mut headers, name, value)?;
    }
    headers.set(header::MIME_VERSION_1_0);
    let body = mail.body.replace("\r\n", "\n").replace('\n', "\r\n");
    let mut bytes = headers.to_string().into_bytes();
    bytes.extend(SinglePart::plain(body).formatted());
    Ok(bytes)
}

fn mailbox(name: Option<String>, address: &MailAddress) -> Mailbox {
    // Checked by `MailAddress`: no blank, no control character, nothing that ends a header.
    Mailbox::new(name, lettre::Address::new_dangerous(address.local(), address.domain()))
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

/// An address for the envelope, by the same rule as in the configuration.
fn address(what: &str, text: &str) -> Result<MailAddress, String> {
    MailAddress::parse(text)
        .map_err(|why| format!("the {what} address \"{}\" is no mail address: {why}", clean(text, 100)))
}

fn bracketed(id: &str) -> String {
    format!("<{}>", clean(id, HEADER_CAP).trim_matches(['<', '>', ' ']))
}

fn raw(headers: &mut Headers, name: &str, value: &str) -> Result<(), String> {
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
    use proptest::prelude::*;

    #[test]
    fn dots_are_doubled_and_line_ends_made_crlf() {
        assert_eq!(dot_stuffed(b".a\n..b\r\nc\rd\n."), b"..a\r\n...b\r\nc d\r\n..\r\n");
        assert_eq!(dot_stuffed(b""), b"");
    }

    fn route(from: &str) -> Route {
        Route {
            name: "r".into(),
            out_of_band: false,
            relays: Vec::new(),
            tls_name: None,
            tls_ca: None,
            bind: None,
            auth: None,
            from: from.to_owned(),
            helo: None,
            crosses: Vec::new(),
        }
    }

    fn mail(to: &str, domain: &str) -> Mail {
        Mail {
            to: to.to_owned(),
            message_id: format!("1.2.3@{domain}"),
            in_reply_to: None,
            subject: "x".to_owned(),
            body: "y\n".to_owned(),
            headers: Vec::new(),
            date: crate::model::Wall(0),
        }
    }

    /// Texts near to addresses: letters, marks, quotes, brackets, dots, `@`.
    fn like_addresses() -> impl Strategy<Value = String> {
        let local = "[a-z0-9.+_@\"\\\\<> \u{e9}-]{0,8}|\"[ -~]{0,12}\"|[!-~]{1,70}";
        let domain = "[a-z0-9.-]{1,12}|\\[[0-9.]{7,15}\\]|\\[IPv6:[0-9a-f:]{2,12}\\]|[ -~]{0,6}|(example\\.){1,40}net";
        (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"))
    }

    proptest! {
        /// The rule of the configuration and the builder are one: whatever the first takes, the second can send from and to.
        #[test]
        fn every_address_that_is_taken_can_be_written_to_and_from(text in like_addresses()) {
            let operator = Operator {
                name: "x".to_owned(),
                phone: None,
                language: crate::model::Language::English,
                timezone: "UTC".to_owned(),
                holidays: [].into(),
            };
            match MailAddress::parse(&text) {
                Ok(address) => {
                    let built = build(&route(&text), &mail(&text, address.domain()), &operator).unwrap();
                    prop_assert_eq!((built.from.as_str(), built.to.as_str()), (text.as_str(), text.as_str()));
                    let head = String::from_utf8(built.bytes).unwrap();
                    let head = head.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
                    let line = format!("To: {text}");
                    prop_assert!(head.lines().any(|l| l == line), "{}", head);
                    prop_assert!(head.lines().all(|l| l.contains(": ")), "{}", head);
                }
                Err(_) => prop_assert!(build(&route("a@b.net"), &mail(&text, "b.net"), &operator).is_err()),
            }
        }
    }

    #[test]
    fn controls_and_bidi_marks_do_not_pass() {
        assert_eq!(clean("a\r\nBcc: x\u{1b}[31m\u{202e}b\u{9b}", 100), "a  Bcc: x [31m b");
        assert_eq!(clean("あいう", 2), "あい");
    }
}
