//! The control socket: a Unix socket in the state directory that only its owner may open. One JSON line asks, one answers.

use super::messages::ToEngine;
use super::reload;
use super::words::Word;
use super::{RunError, Shared};
use crate::core::snapshot::IncidentSummary;
use crate::core::{DeviceStatus, Snapshot};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Longest request line.
const LONGEST: u64 = 64 << 10;
/// A client has this long for its request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clients at a time.
const CLIENTS: usize = 32;

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
    /// Take an incident in hand.
    Acknowledge {
        /// Number.
        incident: u64,
        /// Who says so.
        by: String,
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
pub(super) async fn serve(shared: Arc<Shared>, listener: UnixListener) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((client, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that went away has nobody to be told.
                    let _ = one(&shared, client).await;
                    drop(permit);
                });
            }
            // Out of file descriptors: wait for some to be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn one(shared: &Arc<Shared>, client: UnixStream) -> std::io::Result<()> {
    let (read, mut write) = client.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(LONGEST));
    let reply = match tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await {
        Err(_) => Reply::Refused("no request within 10 s".to_owned()),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(_)) => match serde_json::from_str(&line) {
            Ok(request) => answer(shared, request).await,
            Err(error) => Reply::Refused(format!(
                "not understood ({error}): are the daemon and this command of the same version?"
            )),
        },
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    write.write_all(&text).await
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
        Request::Acknowledge { incident, by } => acknowledge(shared, incident, by).await,
        Request::Reload { force } => match reload::reload(shared, force).await {
            Ok(summary) => Reply::Done(summary),
            Err(why) => Reply::Refused(why),
        },
    }
}

fn stuck() -> Reply {
    Reply::Refused("the engine does not answer; see the log".to_owned())
}

async fn acknowledge(shared: &Shared, incident: u64, by: String) -> Reply {
    let word = Word::Acknowledged {
        id: incident,
        by: by.clone(),
    };
    let words = format!("incident #{incident} acknowledged by {by}");
    match shared.ask(|reply| ToEngine::Acknowledge { incident, by, reply }).await {
        None => stuck(),
        Some(Err(why)) => Reply::Refused(why),
        Some(Ok(())) => {
            word.log();
            Reply::Done(words)
        }
    }
}
