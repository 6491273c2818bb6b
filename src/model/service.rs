//! What a `watch` may ask beside SNMP: a certificate, a web page, a name server, a clock, a plugin; and what the answer says.
//!
//! Never here: how it is asked, and whether the answer is good.

use super::{FindingRule, Level, Metric, Threshold, Wall};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Something that is asked in rounds of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// What is asked.
    pub ask: Ask,
    /// Between the starts of two rounds.
    pub interval: Duration,
    /// An answer that takes longer is none.
    pub timeout: Duration,
    /// On [`Metric::CertificateDays`] or [`Metric::ClockOffset`], where there is such a number.
    pub number: Option<Threshold>,
    /// On [`Metric::AnswerTime`].
    pub within: Option<Threshold>,
    /// Level and delay of a wrong answer and of none, where the watch itself says so.
    pub failed: FailedRule,
}

/// The `failed` of a watch, as far as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedRule {
    /// How bad.
    pub level: Option<Level>,
    /// How long it must last.
    pub after: Option<Duration>,
}

impl FailedRule {
    /// With what holds where the watch says nothing.
    pub fn over(self, rule: FindingRule) -> FindingRule {
        FindingRule {
            level: self.level.unwrap_or(rule.level),
            after: self.after.unwrap_or(rule.after),
        }
    }
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or a literal address (IPv6 without brackets); stands in the certificate and in the Host header.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Where to connect instead of looking the name up.
    pub address: Option<IpAddr>,
}

/// Who may have signed a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nobody asks.
    Any,
    /// The authorities of this host.
    System,
    /// The authorities in this PEM file.
    Authority(PathBuf),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// The certificate that a TLS server shows.
    Tls {
        /// Where.
        to: Endpoint,
        /// Who may have signed it.
        trust: Trust,
    },
    /// A page, by one GET; redirects are not followed.
    Http(HttpAsk),
    /// A record of a name, from one server.
    Dns {
        /// The name, as written.
        name: String,
        /// Which record.
        kind: RecordKind,
        /// Whom.
        server: SocketAddr,
        /// What the answer should be.
        expect: DnsExpect,
    },
    /// The clock of an NTP server (RFC 5905) against the clock of this host.
    Ntp {
        /// Whom.
        server: SocketAddr,
    },
    /// A program that speaks the plugin protocol of Nagios: exit code, one line, numbers behind a bar.
    Command {
        /// Absolute path and arguments.
        argv: Vec<String>,
    },
}

/// A GET and what should come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAsk {
    /// Over TLS?
    pub scheme: Scheme,
    /// Where.
    pub to: Endpoint,
    /// Path and query.
    pub path: String,
    /// Who may have signed the certificate, for `https`.
    pub trust: Trust,
    /// Good status codes; empty: any from 200 to 299.
    pub status: Vec<u16>,
    /// Must stand in the page.
    pub text: Option<String>,
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

/// Types of DNS records that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// Name server.
    Ns,
    /// Name of an address.
    Ptr,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
}

impl RecordKind {
    /// Every kind and its word.
    pub const WORDS: [(&'static str, RecordKind); 7] = [
        ("A", RecordKind::A),
        ("AAAA", RecordKind::Aaaa),
        ("CNAME", RecordKind::Cname),
        ("NS", RecordKind::Ns),
        ("PTR", RecordKind::Ptr),
        ("MX", RecordKind::Mx),
        ("TXT", RecordKind::Txt),
    ];

    /// The word in zone files.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, k)| *k == self).map_or("", |(w, _)| w)
    }
}

/// A DNS record. Names are in small letters and end without a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A
    A(Ipv4Addr),
    /// AAAA
    Aaaa(Ipv6Addr),
    /// CNAME, NS or PTR
    Name(RecordKind, String),
    /// MX: preference and name
    Mx(u16, String),
    /// TXT, its strings joined
    Txt(String),
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Record::A(a) => write!(f, "A {a}"),
            Record::Aaaa(a) => write!(f, "AAAA {a}"),
            Record::Name(kind, name) => write!(f, "{} {name}", kind.word()),
            Record::Mx(preference, name) => write!(f, "MX {preference} {name}"),
            Record::Txt(text) => write!(f, "TXT {text}"),
        }
    }
}

/// What a DNS answer should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsExpect {
    /// Any record of the kind.
    Some,
    /// These records and no others, in any order.
    Exactly(Vec<Record>),
    /// The name must not exist (NXDOMAIN).
    Absent,
}

impl Ask {
    /// The word in the configuration and in counters.
    pub fn key(&self) -> &'static str {
        match self {
            Ask::Tls { .. } => "tls",
            Ask::Http(_) => "http",
            Ask::Dns { .. } => "dns",
            Ask::Ntp { .. } => "ntp",
            Ask::Command { .. } => "command",
        }
    }

    /// The literal address that is asked, where there is one.
    pub fn address(&self) -> Option<IpAddr> {
        let endpoint = |to: &Endpoint| to.address.or_else(|| to.host.parse().ok());
        match self {
            Ask::Tls { to, .. } => endpoint(to),
            Ask::Http(http) => endpoint(&http.to),
            Ask::Dns { server, .. } | Ask::Ntp { server } => Some(server.ip()),
            Ask::Command { .. } => None,
        }
    }
}

impl Service {
    /// The threshold on one of its numbers.
    pub fn threshold(&self, metric: Metric) -> Option<&Threshold> {
        match metric {
            Metric::CertificateDays | Metric::ClockOffset => self.number.as_ref(),
            Metric::AnswerTime => self.within.as_ref(),
            _ => None,
        }
    }

    /// Does it live on the device that it is written for? Silence of that device explains silence of its service then. A plugin
    /// asks about its device; whatever has another address, or only a name, stands for itself.
    pub fn is_on(&self, device: IpAddr) -> bool {
        matches!(self.ask, Ask::Command { .. }) || self.ask.address() == Some(device)
    }
}

/// Why there is no answer to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The other side gave none: refused, timed out, name not found; the system's words.
    NoAnswer(String),
    /// The other side gave something that is no answer: not the protocol, too long, never ending.
    Malformed(String),
    /// It was not asked, or the answer says that it does not know: nothing is known of the other side.
    NotKnown(String),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Of [`Ask::Tls`].
    Tls(Certificate),
    /// Of [`Ask::Http`].
    Http {
        /// Status code.
        status: u16,
        /// Is the text in the page?
        text: TextCheck,
        /// Octets of the page that were read.
        octets: u64,
        /// Over TLS: what was shown.
        certificate: Option<Certificate>,
    },
    /// Of [`Ask::Dns`].
    Dns {
        /// RFC 1035: 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
        rcode: u8,
        /// Records of the kind that was asked for, sorted.
        records: Vec<Record>,
    },
    /// Of [`Ask::Ntp`].
    Ntp(Clock),
    /// Of [`Ask::Command`].
    Command {
        /// What the exit code says.
        exit: Exit,
        /// The first line of its output, cut and cleaned.
        text: String,
        /// Numbers, in the order of the output.
        perfdata: Vec<Perf>,
    },
}

/// A certificate that a server showed (RFC 5280), and who checked what of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Valid from.
    pub not_before: Wall,
    /// Valid until.
    pub not_after: Wall,
    /// Whom it was given to, for people.
    pub subject: String,
    /// Does it stand for the name that was asked?
    pub name: NameCheck,
    /// Is it signed by somebody who is trusted?
    pub chain: ChainCheck,
}

/// Does a certificate stand for the name?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameCheck {
    /// Yes.
    Fits,
    /// No, it stands for these.
    Differs(Vec<String>),
}

/// Is a certificate signed by somebody who is trusted?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainCheck {
    /// Nobody asked.
    NotAsked,
    /// Yes.
    Trusted,
    /// No, and why.
    Untrusted(String),
}

/// Is a text in a page?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextCheck {
    /// Nobody asked.
    NotAsked,
    /// Yes.
    Found,
    /// No.
    Missing,
}

/// A clock, as its server tells it (RFC 5905).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Server's clock less ours, microseconds.
    pub offset_us: i64,
    /// Round trip, microseconds.
    pub delay_us: u64,
    /// 1 to 15; 0, and 16 and more, is unsynchronised.
    pub stratum: u8,
    /// 3: unsynchronised.
    pub leap: u8,
    /// Largest error against the primary source, microseconds.
    pub dispersion_us: u64,
    /// A kiss code: the server wants to be asked no more, or less often.
    pub kiss: Option<String>,
}

/// What the exit code of a plugin says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// 0
    Ok,
    /// 1
    Warning,
    /// 2
    Critical,
}

/// One number of a plugin's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Perf {
    /// Its label.
    pub label: String,
    /// In its unit.
    pub value: f64,
    /// `s`, `%`, `B`, `c` …; empty: a plain number.
    pub unit: String,
}
