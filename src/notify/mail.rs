//! One mail on its way, and what a relay said to it.

use crate::model::{Name, Wall};
use serde::{Deserialize, Serialize};

/// A mail, ready to be sent to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Envelope recipient and To.
    pub to: String,
    /// Without angle brackets; the same on every attempt and every route.
    pub message_id: String,
    /// The incident's first mail to this recipient, if this is not it. Goes into In-Reply-To and References.
    pub in_reply_to: Option<String>,
    /// Without line breaks or control characters.
    pub subject: String,
    /// Plain text, lines separated by `\n`.
    pub body: String,
    /// Extra headers of ours, ASCII: `X-Hinomi-Incident`, `X-Hinomi-Ledger` …
    pub headers: Vec<(String, String)>,
    /// Date header.
    pub date: Wall,
}

/// One attempt, handed to the shell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Identifies the attempt when its outcome comes back.
    pub attempt: u64,
    /// Over which route.
    pub route: Name,
    /// What.
    pub mail: Mail,
}

/// Where in the transaction (RFC 5321).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Host name to address.
    Resolve,
    /// TCP connection, including bind.
    Connect,
    /// TLS handshake or STARTTLS.
    Tls,
    /// Greeting and EHLO.
    Greeting,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    MailFrom,
    /// RCPT TO.
    Recipient,
    /// DATA up to the final dot.
    Data,
    /// After the final dot, waiting for the 250.
    FinalDot,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// 250 after the final dot.
    Accepted {
        /// Which relay of the route, `host:port`.
        relay: String,
        /// Its words (queue id).
        reply: String,
    },
    /// The relay said 4xx.
    Transient {
        /// Where.
        stage: Stage,
        /// Its words.
        reply: String,
    },
    /// The relay said 5xx.
    Permanent {
        /// Where; `Recipient` means the address is bad, not the route.
        stage: Stage,
        /// Its words.
        reply: String,
    },
    /// No relay of the route could be spoken to, or it fell silent or cut the line.
    Failed {
        /// Where. `FinalDot` means the mail may have been accepted.
        stage: Stage,
        /// What happened, for people.
        error: String,
    },
}

/// Result of testing a route: connect, TLS, EHLO, (AUTH), NOOP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTest {
    /// Which.
    pub route: Name,
    /// AUTH was tried too.
    pub with_auth: bool,
    /// Lines for a person (`> EHLO …`, `< 250 …`), without secrets.
    pub transcript: Vec<String>,
    /// The relay that answered, or where and why it failed.
    pub result: Result<String, (Stage, String)>,
}
