//! The control socket: a Unix socket in the state directory that only its owner may open. One JSON line asks, one answers.

use super::messages::ToEngine;
use super::orders::Ordered;
use super::words::Word;
use super::{RunError, Shared};
use super::{clock, reload};
use crate::core::snapshot::IncidentSummary;
use crate::core::tape::{Beginning, Line, Wants};
use crate::core::{DeviceStatus, MaintenanceOrder, Snapshot};
use crate::incident::{IncidentOrder, Tell};
use crate::model::maintenance::{self, By};
use crate::model::text::{harmless, is_hostile, remark, signature};
use crate::model::{Name, Site, Window};
use crate::notify::text::moment;
use crate::web::{Places, Progress, Watched};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// Longest request line.
const LONGEST: u64 = 64 << 10;
/// A client has this long for its request, and for taking each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Such a piece.
const PIECE: usize = 64 << 10;
/// Clients at a time; those who do not get on make room for the next.
const CLIENTS: usize = 32;
/// It is looked so often whether the socket still stands where clients look for it.
const LOOK: Duration = Duration::from_secs(1);

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// The picture of everything, at most a second old, never older than the last acknowledgement or reload.
    Snapshot,
    /// One device or circuit in full.
    Device {
        /// Its name.
        name: String,
    },
    /// One incident.
    Incident {
        /// Its number.
        number: u64,
    },
    /// Acknowledge an incident, or take that back.
    Order {
        /// Number.
        incident: u64,
        /// What is ordered.
        order: IncidentOrder,
    },
    /// Set a maintenance window.
    MaintenanceSet {
        /// Its name.
        name: String,
        /// Subjects.
        what: Vec<String>,
        /// Whose work.
        by: By,
        /// From, in the operator's time zone; now without it.
        start: Option<String>,
        /// Until …
        end: Option<String>,
        /// … or for so long, seconds.
        seconds: Option<u64>,
        /// Who sets it.
        set_by: String,
        /// A remark for the others.
        #[serde(default)]
        note: Option<String>,
    },
    /// End a maintenance window.
    MaintenanceEnd {
        /// Its name.
        name: String,
        /// Who ends it.
        by: String,
    },
    /// Keep what is taken in; after the answer the record follows, line by line, until the client hangs up.
    Record {
        /// Everything.
        all: bool,
        /// Names of devices and circuits of which everything is kept.
        targets: Vec<String>,
    },
    /// Read the configuration again.
    Reload {
        /// Even if more than half of the targets are gone.
        force: bool,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Request::Snapshot`].
    Snapshot(Arc<Snapshot>),
    /// To [`Request::Device`]; `None` if the configuration has none of this name.
    Device(Option<Box<DeviceStatus>>),
    /// To [`Request::Incident`]; `None` if the book has none of this number.
    Incident(Option<Box<IncidentSummary>>),
    /// Done; words for a person.
    Done(String),
    /// Not done, and why.
    Refused(String),
    /// In force, but not in the ledger, and why: a restart may undo it.
    NotRecorded(String),
}

/// Where the socket of a state directory is.
pub fn path(state: &Path) -> PathBuf {
    state.join("control")
}

/// Opens the socket. The lock on the state directory is held, so that what stands there is a dead one's.
pub(super) fn open(state: &Path) -> Result<UnixListener, RunError> {
    let path = path(state);
    let failed = |error| RunError::Control {
        path: path.clone(),
        error,
    };
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Answers until the runtime ends.
pub(super) async fn serve(shared: Arc<Shared>, mut listener: UnixListener) {
    let places = Places::new(CLIENTS, CLIENTS);
    let mut look = tokio::time::interval(LOOK);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = look.tick() => {
                if let Some(again) = gone(&shared.state) {
                    listener = again;
                }
                continue;
            }
        };
        match accepted {
            Ok((client, _)) => {
                let shared = Arc::clone(&shared);
                let work = |progress| async move {
                    // A client that went away has nobody to be told.
                    let _ = one(&shared, client, progress).await;
                };
                places.seat(None, work).await;
            }
            // Out of file descriptors: wait for some to be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Another socket, where ours was removed. What else stands at its path may be another daemon's and is left alone.
fn gone(state: &Path) -> Option<UnixListener> {
    let path = path(state);
    let error = path.symlink_metadata().err()?;
    if error.kind() != std::io::ErrorKind::NotFound {
        return None;
    }
    let listener = UnixListener::bind(&path).ok()?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).ok()?;
    Some(listener)
}

async fn one(shared: &Arc<Shared>, client: UnixStream, progress: Arc<Progress>) -> std::io::Result<()> {
    let (read, write) = client.into_split();
    let mut write = Watched::new(write, Arc::clone(&progress));
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(LONGEST));
    let mut tape = None;
    let request = tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await;
    progress.asked();
    let reply = match request {
        Err(_) => Reply::Refused("no request within 10 s".to_owned()),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(_)) => match serde_json::from_str(&line) {
            Ok(Request::Record { all, targets }) => match record(shared, all, targets).await {
                Ok((began, lines)) => {
                    tape = Some((Line::Began(began), lines));
                    Reply::Done("recording".to_owned())
                }
                Err(why) => Reply::Refused(why),
            },
            Ok(request) => answer(shared, request).await,
            Err(error) => Reply::Refused(format!(
                "not understood ({error}): are the daemon and this command of the same version?"
            )),
        },
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    hand_over(&mut write, &text).await?;
    match tape {
        Some((began, lines)) => play_out(began, lines, reader, write).await,
        None => Ok(()),
    }
}

/// Writes all of it, as long as the client takes it.
async fn hand_over(write: &mut (impl AsyncWrite + Unpin), text: &[u8]) -> std::io::Result<()> {
    for piece in text.chunks(PIECE) {
        tokio::time::timeout(PATIENCE, write.write_all(piece)).await??;
    }
    Ok(())
}

async fn record(
    shared: &Shared,
    all: bool,
    targets: Vec<String>,
) -> Result<(Box<Beginning>, mpsc::Receiver<Line>), String> {
    let site = shared.site();
    if let Some(unknown) = targets.iter().find(|name| site.find(name).is_none()) {
        return Err(format!("the configuration has no device and no circuit \"{unknown}\""));
    }
    let targets = targets.into_iter().map(Name::from).collect();
    let wants = Wants { all, targets };
    let begun = shared.ask(|reply| ToEngine::Record { wants, reply }).await;
    begun.unwrap_or_else(|| Err("the engine does not answer; see the log".to_owned()))
}

/// Sends the lines of a record until the client hangs up: then the receiver is dropped and the engine stops recording.
async fn play_out(
    began: Line,
    mut lines: mpsc::Receiver<Line>,
    mut client: impl tokio::io::AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut next = Some(began);
    let mut hung_up = [0; 1];
    while let Some(line) = next {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        hand_over(&mut write, &text).await?;
        next = tokio::select! {
            line = lines.recv() => line,
            // A client that records has nothing more to say.
            _ = client.read(&mut hung_up) => None,
        };
    }
    Ok(())
}

async fn answer(shared: &Arc<Shared>, request: Request) -> Reply {
    match request {
        Request::Snapshot => match shared.snapshot(false).await {
            Some(snapshot) => Reply::Snapshot(snapshot),
            None => stuck(),
        },
        Request::Device { name } => {
            let device = shared.ask(|reply| ToEngine::Device { name, reply }).await;
            device.map_or_else(stuck, Reply::Device)
        }
        Request::Incident { number: id } => {
            let incident = shared.ask(|reply| ToEngine::Incident { id, reply }).await;
            incident.map_or_else(stuck, Reply::Incident)
        }
        Request::MaintenanceSet {
            name,
            what,
            by,
            start,
            end,
            seconds,
            set_by,
            note,
        } => match window(&shared.site(), (name, what, by), (set_by, note), (start, end, seconds)) {
            Ok(window) => {
                let operator = &shared.site().operator;
                let (from, until) = (moment(window.start, operator), moment(window.end, operator));
                let words = format!(
                    "maintenance \"{}\" from {from} until {until}; what is still bad 10 min later is told",
                    window.name
                );
                maintain(shared, MaintenanceOrder::Set(window), words).await
            }
            Err(why) => Reply::Refused(why),
        },
        Request::MaintenanceEnd { name, by } => {
            let (name, by) = (harmless(&name).into_owned(), signature(&by));
            let words = format!("maintenance \"{name}\" ended; what is still bad in 10 min is told");
            let name = name.into();
            maintain(shared, MaintenanceOrder::End { name, by }, words).await
        }
        // Answered by `one`, which goes on with the lines.
        Request::Record { .. } => Reply::Refused("a record is not answered with one line".to_owned()),
        Request::Order { incident, order } => incident_order(shared, incident, order).await,
        Request::Reload { force } => match reload::reload(shared, force).await {
            Ok(summary) => Reply::Done(summary),
            Err(why) => Reply::Refused(why),
        },
    }
}

async fn maintain(shared: &Shared, order: MaintenanceOrder, words: String) -> Reply {
    let ordered = shared.order(|reply| ToEngine::Maintain { order, reply }).await;
    let done = Word::Maintenance { what: words.clone() };
    answered(ordered, done, words)
}

/// Says done, to the client and in the log, only of what the ledger holds.
fn answered(ordered: Option<Ordered>, done: Word, words: String) -> Reply {
    match ordered {
        None => Reply::Refused(
            "hinomi does not answer or is ending: look whether the order was taken (`hinomi incidents`, `hinomi maintenance \
             list`), and see the log"
                .to_owned(),
        ),
        Some(Ordered::Refused(why)) => Reply::Refused(why),
        Some(Ordered::Recorded) => {
            done.log();
            Reply::Done(words)
        }
        Some(Ordered::NotRecorded(why)) => {
            let why = format!(
                "taken, NOT recorded: the ledger cannot be written ({why}). It is in force now and is recorded as soon as the ledger \
                 can be written; if hinomi ends before that, give the order again"
            );
            Word::OrderNotRecorded {
                what: words,
                why: why.clone(),
            }
            .log();
            Reply::NotRecorded(why)
        }
    }
}

/// A window as somebody asks for it: what, and when.
fn window(
    site: &Site,
    (name, what, by): (String, Vec<String>, By),
    (set_by, note): (String, Option<String>),
    (start, end, seconds): (Option<String>, Option<String>, Option<u64>),
) -> Result<Window, String> {
    let read = |text: String| crate::config::moment(&text, &site.operator.timezone);
    let name = name.trim();
    if name.is_empty() || name.chars().any(is_hostile) || name.chars().count() > 100 {
        return Err("the window needs a short, plain name".to_owned());
    }
    let start = start.map(read).transpose()?.unwrap_or_else(|| clock::now().wall);
    let end = match (end, seconds) {
        (Some(end), _) => read(end)?,
        (None, Some(seconds)) if seconds <= maintenance::LONGEST.as_secs() => start.after(Duration::from_secs(seconds)),
        (None, Some(_)) => {
            return Err(format!(
                "a window is at most {} days long",
                maintenance::LONGEST.as_secs() / 86_400
            ));
        }
        (None, None) => return Err("until when? Give --end or --for".to_owned()),
    };
    Ok(Window {
        name: name.into(),
        what: what.into_iter().map(Name::from).collect(),
        by,
        start,
        end,
        set_by: signature(&set_by),
        note: note.as_deref().map(remark).filter(|note| !note.is_empty()),
    })
}

fn stuck() -> Reply {
    Reply::Refused("the engine does not answer; see the log".to_owned())
}

async fn incident_order(shared: &Shared, incident: u64, order: IncidentOrder) -> Reply {
    // What is given stands in the answer, the log and the ledger.
    let (order, done, words) = match order {
        IncidentOrder::Acknowledge { by, note, tell } => {
            let (by, note) = (signature(&by), note.as_deref().map(remark));
            let others = match tell {
                Tell::Nobody => "",
                Tell::Others => "; the other own contacts that know of it are told",
            };
            let words = format!("incident #{incident} acknowledged by {by}{others}");
            let done = Word::Acknowledged {
                id: incident,
                by: by.clone(),
            };
            (IncidentOrder::Acknowledge { by, note, tell }, done, words)
        }
        IncidentOrder::TakeBack { by } => {
            let by = signature(&by);
            let words = format!(
                "acknowledgement of incident #{incident} taken back by {by}; reminders and escalation run again"
            );
            let done = Word::AcknowledgeTakenBack {
                id: incident,
                by: by.clone(),
            };
            (IncidentOrder::TakeBack { by }, done, words)
        }
    };
    let ordered = shared.order(|reply| ToEngine::Order { incident, order, reply });
    answered(ordered.await, done, words)
}
