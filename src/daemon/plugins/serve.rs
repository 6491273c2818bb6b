//! The helper's socket: one question a connection, a few plugins at once, everybody else waits a little. I/O.
//!
//! Who may connect is decided by the rights of the socket's directory, and of the socket: owner and group.

use super::{List, Reply, Request, run};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

/// Longest question.
const LONGEST: u64 = 16 * 1024;
/// Until a question, or until an answer is taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// Until a plugin gets a place.
const QUEUE: Duration = Duration::from_secs(2);
/// Connections at once.
const CLIENTS: usize = 64;

/// Serves until SIGTERM; SIGHUP reads the list again by `read`. `ready` is called when the socket is open.
pub async fn serve(
    read: impl Fn() -> std::result::Result<List, String>,
    ready: impl FnOnce(&Path, usize),
) -> Result<()> {
    let wrong = |why: String| Error::new(ErrorKind::InvalidData, why);
    let list = read().map_err(wrong)?;
    let listener = open(&list.socket)?;
    let socket = list.socket.clone();
    let at_once = usize::try_from(list.at_once).unwrap_or(1);
    ready(&list.socket, list.commands.len());
    let helper = Arc::new(Helper {
        list: RwLock::new(Arc::new(list)),
        places: Semaphore::new(at_once),
    });
    let clients = Arc::new(Semaphore::new(CLIENTS));
    let (mut stop, mut again) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    loop {
        let permit = Arc::clone(&clients).acquire_owned();
        tokio::select! {
            _ = stop.recv() => break,
            _ = again.recv() => match read() {
                Ok(list) => helper.take(list),
                Err(why) => eprintln!("hinomi plugins: the old list stays in force: {why}"),
            },
            accepted = async {
                let permit = permit.await;
                (listener.accept().await, permit)
            } => {
                let (Ok((client, _)), permit) = accepted else {
                    // Out of descriptors: what runs ends and gives some back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let helper = Arc::clone(&helper);
                tokio::spawn(async move {
                    // A client that went away has nobody to be told.
                    let _ = helper.one(client).await;
                    drop(permit);
                });
            }
        }
    }
    let _ = std::fs::remove_file(socket);
    Ok(())
}

/// Opens the socket for owner and group. What stands there is a dead helper's: two of them would be two units.
fn open(path: &PathBuf) -> Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

struct Helper {
    list: RwLock<Arc<List>>,
    places: Semaphore,
}

impl Helper {
    /// Another list. Socket and places stay those of the start.
    fn take(&self, list: List) {
        eprintln!("hinomi plugins: {} commands", list.commands.len());
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(list);
    }

    async fn one(&self, client: UnixStream) -> Result<()> {
        let (from, mut to) = client.into_split();
        let mut line = String::new();
        let mut from = BufReader::new(from.take(LONGEST));
        match tokio::time::timeout(PATIENCE, from.read_line(&mut line)).await {
            Ok(read) => read?,
            Err(_) => return Ok(()),
        };
        let reply = match serde_json::from_str::<Request>(&line) {
            Ok(request) => self.answer(&request).await,
            Err(_) => Reply::Refused {
                why: "the helper was asked something that it does not understand".to_owned(),
            },
        };
        let mut line = serde_json::to_vec(&reply).map_err(Error::other)?;
        line.push(b'\n');
        let write = async {
            to.write_all(&line).await?;
            to.shutdown().await
        };
        tokio::time::timeout(PATIENCE, write).await.unwrap_or(Ok(()))
    }

    async fn answer(&self, request: &Request) -> Reply {
        let list = Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner));
        let command = match list.find(request) {
            Ok(command) => command,
            Err(why) => return Reply::Refused { why },
        };
        let Ok(Ok(_place)) = tokio::time::timeout(QUEUE, self.places.acquire()).await else {
            let why = format!(
                "the helper already runs as many plugins as it may ({}): [plugins] at_once",
                list.at_once
            );
            return Reply::Refused { why };
        };
        Reply::Ran(run::run(command).await)
    }
}
