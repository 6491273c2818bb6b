//! Everything the daemon logs: one fixed text an event, with its fields. The level says who is woken:
//! error = hinomi cannot monitor, warn = a notice way is lost, info = incidents and the daemon's own life, debug = per poll,
//! trace = per packet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// One event of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// All parts run.
    Started {
        /// Devices.
        devices: usize,
        /// Mail routes.
        routes: usize,
        /// Sockets, for people.
        sockets: String,
    },
    /// The configuration is usable, with warnings.
    ConfigDoubts {
        /// How many.
        warnings: usize,
    },
    /// The HTTP listener is open.
    Listening {
        /// Where.
        at: SocketAddr,
    },
    /// The sockets for traps and informs are open.
    TrapsListening {
        /// Where, and how many octets the kernel keeps for each.
        sockets: String,
        /// snmpEngineID in hexadecimal: what some senders of v3 informs want written in their configuration.
        engine: String,
    },
    /// A trap or an inform was believed: its device is asked now.
    TrapSeen {
        /// Which device.
        device: String,
        /// What it says.
        kind: &'static str,
        /// For people.
        details: String,
    },
    /// Traps and informs were not believed.
    TrapsRefused {
        /// How many since the start, by reason.
        counts: String,
        /// The last sender that is no device of the configuration.
        stranger: Option<SocketAddr>,
    },
    /// Identity and boots as an SNMPv3 engine could not be kept in the state directory.
    TrapIdentityNotKept {
        /// The system's words.
        error: String,
    },
    /// Asked to end.
    Stopping,
    /// Ended.
    Stopped,
    /// Something of a device's answers is not used as it is.
    Noted {
        /// Which device.
        device: String,
        /// For people.
        what: String,
    },
    /// A configuration was taken.
    Reloaded {
        /// What changed, for people.
        summary: String,
    },
    /// A configuration was refused; the old one runs on.
    ReloadRefused {
        /// Why, for people.
        why: String,
    },
    /// The ledger did not take a batch.
    CommitFailed {
        /// Its words.
        error: String,
    },
    /// The ledger takes batches again.
    CommitWorks,
    /// The ledger was damaged and kept aside at start.
    LedgerDamaged {
        /// What was found and done.
        what: String,
    },
    /// The ledger lives on its reserve.
    LedgerShortOfSpace,
    /// The ledger has not answered; its notices leave without it.
    CommitLate {
        /// For how long.
        waited: Duration,
    },
    /// The record of `hinomi run --record` has ended early.
    RecordFailed {
        /// The system's words.
        error: String,
    },
    /// An attempt to deliver ended without acceptance.
    NotDelivered {
        /// Route.
        route: String,
        /// Incident mail's id.
        message_id: String,
        /// What happened.
        error: String,
    },
    /// A relay accepted a mail.
    Delivered {
        /// Route.
        route: String,
        /// Incident mail's id.
        message_id: String,
        /// Relay.
        relay: String,
    },
    /// A route test failed.
    RouteFailed {
        /// Route.
        route: String,
        /// What happened.
        error: String,
    },
    /// A route test worked.
    RouteReady {
        /// Route.
        route: String,
    },
    /// The heartbeat could not be sent.
    HeartbeatFailed {
        /// What happened.
        error: String,
    },
    /// An event of the ledger: an incident opened, changed, recovered; a notice planned, delivered.
    Event {
        /// The incident's number, if it belongs to one.
        incident: Option<u64>,
        /// What happened.
        what: String,
    },
    /// Somebody took an incident in hand.
    Acknowledged {
        /// Number.
        id: u64,
        /// Who.
        by: String,
    },
    /// Somebody took an acknowledgement back.
    AcknowledgeTakenBack {
        /// Number.
        id: u64,
        /// Who.
        by: String,
    },
    /// Somebody has set or ended a maintenance window.
    Maintenance {
        /// What, for people.
        what: String,
    },
    /// An operator's order is in force and not in the ledger.
    OrderNotRecorded {
        /// Which, for people.
        what: String,
        /// Why.
        why: String,
    },
    /// The ledger was not where it is held open, and what was done about it.
    LedgerMoved {
        /// What was found and done.
        what: String,
    },
    /// A part made no progress; the watchdog is not fed.
    Stuck {
        /// Which.
        part: &'static str,
        /// For how long.
        age: Duration,
    },
    /// What the emergency mail needs could not be kept.
    LastGoodNotKept {
        /// Where.
        at: PathBuf,
        /// The system's words.
        error: String,
    },
    /// What an earlier process learned of agents cannot be used.
    LearnedNotRead {
        /// Where it lies.
        at: PathBuf,
        /// Why.
        error: String,
    },
    /// What was learned of agents could not be kept.
    LearnedNotKept {
        /// Where.
        at: PathBuf,
        /// The system's words.
        error: String,
    },
    /// A thread of hinomi ended by itself: a mistake in hinomi.
    ThreadEnded {
        /// Which.
        part: &'static str,
    },
}

impl Word {
    /// Writes it to the log.
    pub fn log(self) {
        match self {
            Word::Started {
                devices,
                routes,
                sockets,
            } => info!(devices, routes, %sockets, "watching"),
            Word::ConfigDoubts { warnings } => {
                info!(warnings, "the configuration has warnings; hinomi check prints them");
            }
            Word::Listening { at } => info!(%at, "listening"),
            Word::TrapsListening { sockets, engine } => {
                info!(%sockets, engine_id = %engine, "listening for traps and informs");
            }
            Word::TrapSeen { device, kind, details } => debug!(%device, kind, %details, "trap: asking the device now"),
            Word::TrapsRefused { counts, stranger: None } => {
                info!(%counts, "traps not believed; hinomi_traps_total on /metrics counts them")
            }
            Word::TrapsRefused {
                counts,
                stranger: Some(from),
            } => {
                info!(
                    %counts,
                    %from,
                    "traps not believed; where `from` is one of your devices, let it send from the address in the configuration"
                );
            }
            Word::TrapIdentityNotKept { error } => {
                info!(
                    %error,
                    "snmpEngineID could not be kept in the state directory: this run has another one, which senders of informs discover"
                );
            }
            Word::Stopping => info!("stopping"),
            Word::Stopped => info!("stopped"),
            Word::Noted { device, what } => info!(%device, %what, "noted"),
            Word::Reloaded { summary } => info!(%summary, "configuration reloaded"),
            Word::ReloadRefused { why } => error!(%why, "configuration refused, the old one runs on"),
            Word::CommitFailed { error } => {
                warn!(%error, "the ledger did not take events: notices leave unrecorded; check the disk of the state directory");
            }
            Word::LedgerDamaged { what } => error!(%what, "the ledger was damaged"),
            Word::LedgerShortOfSpace => {
                warn!("the disk of the state directory is full, the ledger lives on its reserve: make room now");
            }
            Word::CommitWorks => info!("the ledger takes events again"),
            Word::CommitLate { waited } => {
                warn!(
                    ?waited,
                    "the ledger does not answer: notices leave unrecorded; check the disk of the state directory"
                );
            }
            Word::RecordFailed { error } => {
                info!(%error, "the record cannot be written any more and ends here; monitoring goes on");
            }
            Word::NotDelivered {
                route,
                message_id,
                error,
            } => {
                warn!(%route, %message_id, %error, "mail not accepted, will be tried again");
            }
            Word::Delivered {
                route,
                message_id,
                relay,
            } => info!(%route, %message_id, %relay, "mail accepted"),
            Word::RouteFailed { route, error } => warn!(%route, %error, "mail route does not work"),
            Word::RouteReady { route } => debug!(%route, "mail route works"),
            Word::HeartbeatFailed { error } => warn!(%error, "heartbeat not accepted"),
            Word::Event {
                incident: Some(id),
                what,
            } => info!(id, %what, "incident"),
            Word::Event { incident: None, what } => info!(%what, "event"),
            Word::AcknowledgeTakenBack { id, by } => info!(id, %by, "acknowledgement taken back"),
            Word::Acknowledged { id, by } => info!(id, %by, "incident acknowledged"),
            Word::Maintenance { what } => info!(%what, "maintenance"),
            Word::OrderNotRecorded { what, why } => warn!(%what, %why, "an operator's order is not recorded"),
            Word::LedgerMoved { what } => error!(%what, "the ledger is not what hinomi holds open"),
            Word::Stuck { part, age } => error!(part, ?age, "no progress, the watchdog is not fed"),
            Word::LastGoodNotKept { at, error } => {
                warn!(at = %at.display(), %error, "the copy for emergency mails could not be written");
            }
            Word::LearnedNotRead { at, error } => {
                info!(at = %at.display(), %error, "what was learned of agents before cannot be used: it is learned anew, nothing is to be done");
            }
            Word::LearnedNotKept { at, error } => {
                info!(at = %at.display(), %error, "what was learned of agents could not be kept: the next start asks more; check the disk of the state directory");
            }
            Word::ThreadEnded { part } => {
                error!(part, "a part of hinomi ended, so hinomi ends: systemd starts it again")
            }
        }
    }
}
