//! The whole of polling: what is due, requests, what is in flight, answers, name resolution, SNMPv3 engines; and the notifications
//! that devices send by themselves ([`trap`]).
//!
//! Datagrams in, datagrams out. Takes input with `now`, says when it wants to be woken, wakes, hands out effects.
//!
//! Never here: a socket, a clock, randomness (the seed is an argument), a judgement about health.

pub mod agent;
pub mod counters;
pub mod disbelief;
pub mod observation;
pub mod text;
pub mod trap;
pub mod unread;

mod echo;
mod engine;
mod inflight;
mod liveness;
mod pace;
mod reload;
mod schedule;
mod services;
mod timers;

pub use agent::fits_alias;
pub use counters::PollCounters;
pub use engine::Poll;
pub use observation::{
    AgentFailure, AgentReading, AgentRound, Counter, InterfaceReading, Neighbour, Observation, PortAddress, Ports,
    ReachRound, RoleCell, RoleValue, RoundKind, ScalarReading, ServiceReading, TableRow, TcpReading, Topology,
};

use crate::model::service::{Answer, Failure};
use crate::model::{DeviceId, Mono, Name, Service};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Which socket a datagram belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Channel {
    /// SNMP over UDP; the number spreads targets over a few sockets (0..[`UDP_SOCKETS`]), the family follows the address.
    Udp(u8),
    /// RAW ICMP or ICMPv6; the family follows the address.
    Icmp,
}

/// An agent that started less than this ago may not have everything yet: what is missing is asked for in each round, and nobody is told that
/// there is no data.
pub const YOUNG: Duration = Duration::from_secs(300);

/// Is an agent with this sysUpTime (TimeTicks) so young?
pub fn is_young(uptime: Option<u32>) -> bool {
    uptime.is_some_and(|ticks| Duration::from_millis(u64::from(ticks) * 10) < YOUNG)
}

/// How many UDP sockets a family has: the default receive buffer of one loses bursts (measured).
pub const UDP_SOCKETS: u8 = 8;

/// What comes in.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum PollInput {
    /// A datagram arrived. ICMPv4 bytes begin with the IP header, ICMPv6 bytes with the ICMPv6 header.
    Datagram {
        /// Socket it came in on.
        channel: Channel,
        /// Source address (port 0 for ICMP).
        from: SocketAddr,
        /// When it arrived (kernel time stamp where there is one).
        at: Mono,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// The operating system refused to send.
    SendFailed {
        /// Socket.
        channel: Channel,
        /// To whom.
        to: SocketAddr,
        /// The system's words, for example "Network is unreachable".
        error: String,
    },
    /// A TCP connection attempt ended.
    TcpEnded {
        /// From [`PollEffect::TcpConnect`].
        token: u64,
        /// Time to connect, or the system's words ("Connection refused", "timed out").
        result: Result<Duration, String>,
    },
    /// A round of a watched service ended.
    Asked {
        /// From [`PollEffect::Ask`].
        token: u64,
        /// How long it took.
        took: Duration,
        /// What came back.
        result: Result<Answer, Failure>,
    },
    /// The rules want a fresh round of this device now.
    ProbeNow(DeviceId),
    /// The rules want to be sure of a service that failed: another round of this `watch` soon.
    AskAgain(DeviceId, Name),
    /// Something is said to have changed on this device: a round of its SNMP agent now.
    ProbeAgent(DeviceId),
    /// The rules know this device to be silent (true): one attempt a round, no SNMP, no retry, no confirm; or not any more.
    Silent(DeviceId, bool),
}

/// What goes out.
#[derive(Clone, Debug, PartialEq)]
pub enum PollEffect {
    /// Send this datagram.
    Send {
        /// Socket.
        channel: Channel,
        /// To whom (port 0 for ICMP).
        to: SocketAddr,
        /// Payload; for ICMP from the ICMP header on.
        bytes: Vec<u8>,
    },
    /// Connect, then close; answer with [`PollInput::TcpEnded`].
    TcpConnect {
        /// To be returned.
        token: u64,
        /// Where.
        to: SocketAddr,
        /// Give up after.
        timeout: Duration,
    },
    /// Ask a watched service; answer with [`PollInput::Asked`].
    Ask(AskJob),
    /// Something was learned.
    Observed(Observation),
}

/// A watched service is to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct AskJob {
    /// To be returned.
    pub token: u64,
    /// The device that the `watch` is written for, by name.
    pub device: Name,
    /// The watch's name.
    pub watch: Name,
    /// What is asked, and how long an answer may take.
    pub service: Arc<Service>,
}

/// Datagrams that were not believed, by kind; for `/metrics` (`hinomi_dropped_total{reason}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// Not BER, or not an SNMP message, or nested too deep.
    Malformed,
    /// Bytes after the message.
    TrailingBytes,
    /// Not the version that was asked.
    WrongVersion,
    /// Not the community that was asked with.
    WrongCommunity,
    /// No request with that id is open (late, duplicate or invented).
    UnknownRequest,
    /// From another address or port than was asked.
    WrongSource,
    /// Not a Response (or Report), or other OIDs, or another number of varbinds than was asked.
    WrongContent,
    /// USM: HMAC does not fit.
    BadDigest,
    /// USM: outside the time window, or engine of somebody else.
    NotInTime,
    /// USM: less security than was asked.
    WrongSecurityLevel,
    /// USM: a Report that proves nothing (unauthenticated, asks for a change of state).
    ForgedReport,
    /// ICMP: not ours (identifier or cookie does not fit).
    ForeignEcho,
    /// ICMP: ours, but the round is over.
    LateEcho,
    /// ICMP: already counted.
    DuplicateEcho,
}
