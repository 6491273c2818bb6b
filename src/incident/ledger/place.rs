//! The ledger's place: the lock on the folder, traces of an earlier life, and whether the files held open are those at their paths.

use super::{LedgerError, io_words, store, with_suffix};
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Makes the folder, readable by nobody else, where it is missing.
pub(super) fn make_folder(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The lock on a state directory; it dies with the process, however that dies.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
    /// A ledger was kept here before this process came.
    pub(super) had_ledger: bool,
}

/// In the lock, below the process number: there is a ledger beside it.
const HAS_LEDGER: &str = "ledger";

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Lock, LedgerError> {
        let path = dir.join("ledger.lock");
        let fail = |e: &std::io::Error| store(&path, "locked", &io_words(e));
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = open.map_err(|e| fail(&e))?;
        let mut text = String::new();
        match file.try_lock() {
            Ok(()) => {
                let _ = file.read_to_string(&mut text);
            }
            Err(TryLockError::WouldBlock) => {
                let _ = file.read_to_string(&mut text);
                return Err(LedgerError::Locked {
                    path: dir.join("ledger.db").display().to_string(),
                    pid: text.lines().next().unwrap_or("(unknown)").to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(fail(&e)),
        }
        let had_ledger = text.lines().nth(1) == Some(HAS_LEDGER);
        Ok(Lock { path, file, had_ledger })
    }

    /// Writes down who holds it, and that there is a ledger. For people and for the next start: a full disk must not keep the daemon
    /// from starting.
    pub(super) fn sign(&mut self) {
        let _ = self.file.set_len(0);
        let _ = self.file.seek(SeekFrom::Start(0));
        let _ = write!(self.file, "{}\n{HAS_LEDGER}\n", std::process::id());
    }

    /// Whether another daemon could take a lock beside ours.
    pub(super) fn is_there(&self) -> bool {
        let own = self.file.metadata().map(|m| Identity::of(&m));
        let there = self.path.metadata().map(|m| Identity::of(&m));
        matches!((own, there), (Ok(own), Ok(there)) if own == there)
    }
}

/// What says that a ledger was kept in this folder before: the name of the first thing found.
pub(super) fn trace(dir: &Path, lock: &Lock) -> Option<&'static str> {
    if lock.had_ledger {
        return Some("ledger.lock");
    }
    let names = ["ledger.head", "ledger.reserve", "last-good", "ledger.db.damaged-1"];
    names.into_iter().find(|name| dir.join(name).exists())
}

/// Which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(m: &Metadata) -> Identity {
        Identity {
            device: m.dev(),
            inode: m.ino(),
        }
    }
}

/// The files of an open ledger as they were last seen: ledger.db, its log, its index.
#[derive(Debug)]
pub(super) struct Standing(Vec<(PathBuf, Identity, u64)>);

impl Standing {
    /// As they stand now, right after they were opened.
    pub(super) fn of(path: &Path) -> Standing {
        let mut standing = Standing(Vec::new());
        for suffix in ["", "-wal", "-shm"] {
            let path = with_suffix(path, suffix);
            if let Ok(m) = path.metadata() {
                standing.0.push((path, Identity::of(&m), m.len()));
            }
        }
        standing
    }

    /// Whether they still stand there, and none has shrunk: SQLite never makes them shorter while they are open. `Ok(Some)` says what
    /// happened to them.
    pub(super) fn look(&mut self) -> std::io::Result<Option<String>> {
        for (path, identity, size) in &mut self.0 {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let now = match path.metadata() {
                Ok(now) => now,
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(Some(format!("{name} was removed while hinomi was running")));
                }
                Err(e) => return Err(e),
            };
            if Identity::of(&now) != *identity {
                return Ok(Some(format!(
                    "{name} was replaced by another file while hinomi was running"
                )));
            }
            if now.len() < *size {
                return Ok(Some(format!(
                    "{name} was cut from {size} to {} octets while hinomi was running",
                    now.len()
                )));
            }
            *size = now.len();
        }
        Ok(None)
    }
}
