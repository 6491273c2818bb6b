//! The one composition of poll, sample, rules, incident and notify. The daemon, the demo and the tests all drive this.
//!
//! Takes input with `now`, says when it wants to be woken, wakes, hands out effects. A commit is an effect with an answer: only
//! `Committed` releases the deliveries of its batch; a failed commit releases them marked "not ledgered".
//!
//! Never here: I/O, a clock, randomness (the seed is an argument).

pub mod snapshot;

pub use snapshot::{DeviceStatus, InterfaceStatus, MetricStatus, ReachState, RouteStatus, Snapshot};

use crate::incident::{Batch, Head, Restored};
use crate::model::{Mono, Name, Now, Site};
use crate::notify::{Delivery, Outcome, RouteTest};
use crate::poll::PollInput;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What comes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram, a failed send, the end of a TCP connection.
    Poll(PollInput),
    /// An operator took an incident in hand.
    Acknowledge {
        /// The incident's number.
        incident: u64,
        /// Who says so.
        by: String,
    },
    /// The ledger's answer to [`Effect::Commit`].
    Committed {
        /// [`Batch::id`].
        batch: u64,
        /// The new head of the chain, or the store's words.
        result: Result<Head, String>,
    },
    /// The outcome of [`Effect::Deliver`].
    Delivered {
        /// [`Delivery::attempt`].
        attempt: u64,
        /// What the relay said.
        outcome: Outcome,
    },
    /// The outcome of [`Effect::TestRoute`].
    RouteTested(RouteTest),
    /// A new configuration, already checked.
    Reload(Arc<Site>),
}

/// What goes out.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a datagram.
    Send {
        /// Which socket.
        channel: crate::poll::Channel,
        /// To whom.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// Connect by TCP, close, tell.
    TcpConnect {
        /// To be returned in `PollInput::TcpEnded`.
        token: u64,
        /// Where.
        to: SocketAddr,
        /// Give up after.
        timeout: Duration,
    },
    /// Write to the ledger; answer with [`Input::Committed`].
    Commit(Batch),
    /// Send a mail; answer with [`Input::Delivered`]. The shell holds a deadline of 30 s around it.
    Deliver(Delivery),
    /// Test a route; answer with [`Input::RouteTested`].
    TestRoute {
        /// Its name.
        route: Name,
        /// AUTH too.
        with_auth: bool,
    },
}

/// The core.
pub struct Core {
    site: Arc<Site>,
}

impl Core {
    /// A core for a site, with what the ledger gave back.
    pub fn new(site: Arc<Site>, _restored: Restored, _seed: [u8; 32], _now: Now) -> Core {
        Core { site }
    }

    /// Takes one input.
    pub fn take(&mut self, _input: Input, _now: Now) {}

    /// When [`Core::wake`] wants to be called; [`Mono::NEVER`] if only an input can change anything.
    pub fn next_wakeup(&self) -> Mono {
        Mono::NEVER
    }

    /// Does what is due.
    pub fn wake(&mut self, _now: Now) {}

    /// Takes out the effects since the last call, in order.
    pub fn effects(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    /// A picture of everything for `status`, `/metrics` and `explain`.
    pub fn snapshot(&self, _now: Now) -> Snapshot {
        let _ = &self.site;
        Snapshot::default()
    }
}
