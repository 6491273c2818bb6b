//! A mail address that a relay can be given as it stands: RFC 5321 section 4.1.2, in ASCII.
//!
//! The one rule for mail addresses: the configuration takes what this takes, and a mail to it can be built. Quoted local parts
//! (`"foo..bar"@example.net`, the form of old mobile addresses in Japan) and address literals (`noc@[192.0.2.1]`) are addresses.

use super::host_address::not_a_host;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest local part, in octets (RFC 5321 section 4.5.3.1.1).
const LOCAL: usize = 64;
/// Longest address, in octets: a path is at most 256 with its angle brackets (RFC 5321 section 4.5.3.1.3).
const WHOLE: usize = 254;
/// Longest label of a domain, in octets (RFC 1035 section 2.3.4).
const LABEL: usize = 63;

/// `local@domain`, checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress {
    text: String,
    at: usize,
}

/// Why a text is no mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMailAddress {
    /// No `@`, or nothing on one side of it.
    Parts,
    /// A character outside of ASCII.
    NotAscii,
    /// A blank or a control character, also between quotes.
    Blank,
    /// A dot at the beginning or end of the local part, or two in a row: allowed between quotes only.
    Dots,
    /// Another character that a local part may have between quotes only, or quotes that do not enclose all of it.
    Local,
    /// The domain is no host name.
    Domain,
    /// The domain is an IPv4 or IPv6 address without its brackets.
    BareLiteral,
    /// What stands in brackets is no address of a host.
    Literal,
    /// Longer than RFC 5321 allows.
    Long,
}

impl NoMailAddress {
    /// What is wrong, to follow the address.
    pub fn words(self) -> &'static str {
        match self {
            NoMailAddress::Parts => "it needs a local part, one @ and a domain",
            NoMailAddress::NotAscii => "it has characters outside of ASCII, which many relays do not take",
            NoMailAddress::Blank => "it has a blank or a control character",
            NoMailAddress::Dots => "a dot at an end of the local part, or two in a row, may stand between quotes only",
            NoMailAddress::Local => "the local part has a character that may stand between quotes only",
            NoMailAddress::Domain => "its domain is no host name",
            NoMailAddress::BareLiteral => "an address as its domain stands in brackets",
            NoMailAddress::Literal => "what stands in brackets is no address of a host",
            NoMailAddress::Long => "it is longer than 254 characters, or its local part than 64",
        }
    }
}

impl fmt::Display for NoMailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl MailAddress {
    /// Takes a bare address (no name, no angle brackets), or says why it is none.
    pub fn parse(text: &str) -> Result<MailAddress, NoMailAddress> {
        if !text.is_ascii() {
            return Err(NoMailAddress::NotAscii);
        }
        if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(NoMailAddress::Blank);
        }
        let at = text.rfind('@').ok_or(NoMailAddress::Parts)?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        if local.is_empty() || domain.is_empty() {
            return Err(NoMailAddress::Parts);
        }
        if local.len() > LOCAL || text.len() > WHOLE {
            return Err(NoMailAddress::Long);
        }
        check_local(local)?;
        check_domain(domain)?;
        Ok(MailAddress {
            text: text.to_owned(),
            at,
        })
    }

    /// The whole, as it stands in an envelope.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Before the `@`, with its quotes.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// Behind the `@`, with its brackets.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Dot-string or Quoted-string.
fn check_local(local: &str) -> Result<(), NoMailAddress> {
    if let Some(inner) = local.strip_prefix('"') {
        return match inner.strip_suffix('"') {
            Some(inner) if !inner.is_empty() && quoted(inner) => Ok(()),
            _ => Err(NoMailAddress::Local),
        };
    }
    // atext of RFC 5322 section 3.2.3.
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    if !local.bytes().all(|b| atext(b) || b == b'.') {
        return Err(NoMailAddress::Local);
    }
    match local.split('.').any(str::is_empty) {
        true => Err(NoMailAddress::Dots),
        false => Ok(()),
    }
}

/// qtextSMTP and quoted-pairSMTP, without blanks: relays differ in what they make of those.
fn quoted(inner: &str) -> bool {
    let mut bytes = inner.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' if bytes.next().is_some() => {}
            b'\\' | b'"' => return false,
            _ => {}
        }
    }
    true
}

fn check_domain(domain: &str) -> Result<(), NoMailAddress> {
    if let Some(inner) = domain.strip_prefix('[') {
        return match inner.strip_suffix(']') {
            Some(literal) if is_literal(literal) => Ok(()),
            _ => Err(NoMailAddress::Literal),
        };
    }
    if domain.parse::<std::net::IpAddr>().is_ok() {
        return Err(NoMailAddress::BareLiteral);
    }
    let label = |l: &str| {
        (1..=LABEL).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let number = domain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match domain.split('.').all(label) && !number {
        true => Ok(()),
        false => Err(NoMailAddress::Domain),
    }
}

/// An address as RFC 5321 section 4.1.3 writes it, of a host that can exist.
fn is_literal(literal: &str) -> bool {
    let v6 = literal.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let address = match v6 {
        Some(tag) => literal[tag.len()..].parse::<Ipv6Addr>().map(Into::into),
        None => literal.parse::<Ipv4Addr>().map(Into::into),
    };
    address.is_ok_and(|a| not_a_host(a).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_rfc_5321_are_taken_and_nothing_else() {
        let long = format!("{}@example.net", "a".repeat(LOCAL));
        for good in [
            "noc@example.net",
            "root@localhost",
            "a+b=c/d@sub.example.net",
            "\"foo..bar\"@docomo.ne.jp",
            "\"foo.\"@ezweb.ne.jp",
            "\"a@b\"@example.net",
            "\"a\\\"b\"@example.net",
            "noc@[192.0.2.1]",
            "noc@[IPv6:2001:db8::1]",
            "noc@xn--wgv71a119e.jp",
            "noc@8.example.net",
            long.as_str(),
        ] {
            let address = MailAddress::parse(good);
            assert_eq!(
                address.map(|a| format!("{}@{}", a.local(), a.domain())),
                Ok(good.to_owned())
            );
        }
        for (bad, why) in [
            ("", NoMailAddress::Parts),
            ("noc", NoMailAddress::Parts),
            ("@example.net", NoMailAddress::Parts),
            ("noc@", NoMailAddress::Parts),
            ("当直@example.net", NoMailAddress::NotAscii),
            ("noc@例え.jp", NoMailAddress::NotAscii),
            ("\"a b\"@example.net", NoMailAddress::Blank),
            ("a b@example.net", NoMailAddress::Blank),
            ("a\r\nb@example.net", NoMailAddress::Blank),
            ("foo..bar@docomo.ne.jp", NoMailAddress::Dots),
            ("foo.@docomo.ne.jp", NoMailAddress::Dots),
            (".foo@docomo.ne.jp", NoMailAddress::Dots),
            ("NOC<noc@example.net>", NoMailAddress::Local),
            ("a@b@example.net", NoMailAddress::Local),
            ("\"a\"b@example.net", NoMailAddress::Local),
            ("\"a\"b\"@example.net", NoMailAddress::Local),
            ("\"\"@example.net", NoMailAddress::Local),
            ("\"a\\\"@example.net", NoMailAddress::Local),
            ("\"@example.net", NoMailAddress::Local),
            ("noc@example..net", NoMailAddress::Domain),
            ("noc@-example.net", NoMailAddress::Domain),
            ("noc@example.net.", NoMailAddress::Domain),
            ("noc@ex_ample.net", NoMailAddress::Domain),
            ("noc@1.2.3", NoMailAddress::Domain),
            ("noc@192.0.2.1", NoMailAddress::BareLiteral),
            ("noc@2001:db8::1", NoMailAddress::BareLiteral),
            ("noc@[2001:db8::1]", NoMailAddress::Literal),
            ("noc@[example.net]", NoMailAddress::Literal),
            ("noc@[192.0.2.1", NoMailAddress::Literal),
            ("noc@[0.0.0.0]", NoMailAddress::Literal),
            ("noc@[IPv6:ff02::1]", NoMailAddress::Literal),
        ] {
            assert_eq!(MailAddress::parse(bad), Err(why), "{bad}");
        }
        assert_eq!(MailAddress::parse(&format!("a{long}")), Err(NoMailAddress::Long));
        let domain = format!("a@{}net", "example.".repeat(32));
        assert_eq!(MailAddress::parse(&domain), Err(NoMailAddress::Long));
    }
}
