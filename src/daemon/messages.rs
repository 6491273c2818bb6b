//! What the parts of the daemon say to each other. The drawing is in [`super`].

use super::orders::Reply;
use crate::core::snapshot::IncidentSummary;
use crate::core::tape::{Beginning, Line, Wants};
use crate::core::{Counts, DeviceStatus, Input, MaintenanceOrder, Picture, Snapshot};
use crate::incident::{Batch, IncidentOrder};
use crate::model::{Name, Site, Wall};
use crate::notify::Delivery;
use crate::poll::AskJob;
use crate::poll::agent::memory::Memory;
use crate::poll::trap::TrapSeen;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A record that has begun: its beginning, and where its lines come.
pub(crate) type Record = (Box<Beginning>, tokio::sync::mpsc::Receiver<Line>);

/// To the engine.
#[derive(Debug)]
pub(crate) enum ToEngine {
    /// Anything the core takes.
    Input(Box<Input>),
    /// A picture, at most a second old; `fresh`: taken now.
    Snapshot {
        /// Not from the cache.
        fresh: bool,
        /// Where to.
        reply: oneshot::Sender<Arc<Snapshot>>,
    },
    /// The numbers of all devices for `/metrics`.
    Picture {
        /// Where to.
        reply: oneshot::Sender<Arc<Picture>>,
    },
    /// How many are in which state.
    Counts {
        /// Where to.
        reply: oneshot::Sender<Box<Counts>>,
    },
    /// One incident, whether or not it stands in the picture.
    Incident {
        /// Its number.
        id: u64,
        /// Where to; `None` if the book has none of this number.
        reply: oneshot::Sender<Option<Box<IncidentSummary>>>,
    },
    /// An operator acknowledges an incident or takes that back.
    Order {
        /// Its number.
        incident: u64,
        /// What is ordered.
        order: IncidentOrder,
        /// Where to, when the ledger has answered.
        reply: Reply,
    },
    /// An operator sets or ends a maintenance window.
    Maintain {
        /// What.
        order: MaintenanceOrder,
        /// Where to, when the ledger has answered.
        reply: Reply,
    },
    /// What is critical about hinomi itself.
    Troubles {
        /// Where to; each in words for people.
        reply: oneshot::Sender<Vec<String>>,
    },
    /// One device or circuit in full.
    Device {
        /// Its name.
        name: String,
        /// Where to; `None` if there is none of this name.
        reply: oneshot::Sender<Option<Box<DeviceStatus>>>,
    },
    /// Keep what is taken in, and hand it over line by line.
    Record {
        /// What is wanted.
        wants: Wants,
        /// The beginning and where the lines come; or why not.
        reply: oneshot::Sender<Result<Record, String>>,
    },
    /// A checked configuration; answered when the core has taken it.
    Reload {
        /// The site.
        site: Arc<Site>,
        /// Taken, and how long that took the engine.
        done: oneshot::Sender<Duration>,
    },
    /// Traps and informs that were believed.
    Traps {
        /// The site that their ids belong to.
        site: Arc<Site>,
        /// In the order they came.
        seen: Vec<TrapSeen>,
    },
    /// Come to an end.
    Stop,
}

/// To the ledger thread.
#[derive(Debug)]
pub(crate) enum ToLedger {
    /// Write it, answer the engine.
    Commit(Batch),
    /// Write what waits, then end.
    Stop,
}

/// To the thread that keeps what was learned.
#[derive(Debug)]
pub(crate) enum ToCache {
    /// A copy begins; what was begun before is dropped.
    Begin {
        /// When.
        at: Wall,
        /// Stands for the profiles in use.
        profiles: u32,
    },
    /// Some devices of it.
    Some(Vec<Memory>),
    /// That was all: it takes the place of the copy before.
    End,
}

/// To tokio.
#[derive(Debug)]
pub(crate) enum Work {
    /// Send a mail.
    Deliver(Box<Delivery>),
    /// Test a route.
    TestRoute {
        /// Name.
        route: Name,
        /// AUTH too.
        with_auth: bool,
    },
    /// Ask a watched service.
    Ask(AskJob),
    /// Connect, close, tell.
    TcpConnect {
        /// To be returned.
        token: u64,
        /// Where.
        to: SocketAddr,
        /// Give up after.
        timeout: Duration,
    },
}
