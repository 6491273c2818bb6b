//! The ledger: events and outbox rows in one SQLite file, append-only and hash-chained; committed before any notice leaves.
//!
//! The one place of this module that does I/O. One writer, one transaction for all waiting batches, WAL with synchronous FULL.
//! A damaged file is never written to and never deleted: it is kept aside, and what could still be proven good is carried over.
//!
//! Never here: what an event means (but for finding the last checkpoint).

mod read;

use self::read::{Unreadable, open_and_read, read_contents, salvage, start_anew, tail};
use super::batch::{Batch, Head, Restored, RowChange};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of the tables, in `PRAGMA user_version`.
const SCHEMA: i64 = 1;
/// Freed when the disk is full, so that the notices of the moment can still be recorded.
const RESERVE: usize = 4 << 20;
/// A freed reserve is tried to be made again after this many commits that worked.
const RESERVE_RETRY: u32 = 100;
/// Events kept in memory while the store cannot be written.
const BACKLOG: usize = 200_000;
/// Above this the file's structure is checked only where it is read: a start must not take minutes.
const FULL_CHECK: u64 = 64 << 20;
/// Delivered rows kept in the store; the ledger's events tell of all.
const ROWS_KEPT: u64 = 100_000;

/// Why the ledger cannot be used. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another daemon holds it.
    #[error(
        "the ledger {path} is in use by process {pid}: another hinomi runs on this state directory; stop it first, or give this one \
         another `daemon.state`"
    )]
    Locked {
        /// The ledger.
        path: String,
        /// The holder, as it wrote itself down.
        pid: String,
    },
    /// Written by a newer hinomi.
    #[error(
        "the ledger {path} has format {found}, this hinomi knows format {SCHEMA}: it was written by a newer version; install that \
         version, or move the file away to begin a new ledger"
    )]
    Newer {
        /// The ledger.
        path: String,
        /// Its version.
        found: i64,
    },
    /// There is none.
    #[error("there is no ledger at {path}: hinomi has not run with this `daemon.state` yet, or it stands elsewhere")]
    Missing {
        /// Where one was looked for.
        path: String,
    },
    /// The operating system or SQLite refused.
    #[error("the ledger {path} cannot be {doing}: {words}")]
    Store {
        /// The ledger.
        path: String,
        /// `opened`, `written` …
        doing: &'static str,
        /// The system's words and what they mean.
        words: String,
    },
}

/// The open ledger; nobody else writes while this lives.
#[derive(Debug)]
pub struct Ledger {
    dir: PathBuf,
    _lock: File,
    /// `None` after a failed commit: what the file holds is unknown until it is read again.
    conn: Option<Connection>,
    seq: u64,
    hash: [u8; 32],
    /// Batches that could not be written; they go first next time.
    backlog: Vec<Batch>,
    /// Where the chain stands if the failed commit is in the file after all.
    expected: Option<(u64, [u8; 32])>,
    /// The reserve was used; commits that worked since.
    reserve_freed: Option<u32>,
    /// The last commit failed for want of room.
    was_full: bool,
}

impl Ledger {
    /// Opens or creates the ledger in `dir` (creating that too), verifies the chain since the last checkpoint, and gives back what
    /// is needed to go on. A damaged file is kept aside; then [`Restored::damage`] says so.
    pub fn open(dir: &Path) -> Result<(Ledger, Restored), LedgerError> {
        let path = dir.join("ledger.db");
        std::fs::create_dir_all(dir).map_err(|e| store(&path, "opened", &io_words(&e)))?;
        let lock = take_lock(dir)?;
        let (conn, contents) = match open_and_read(&path) {
            Ok(opened) => opened,
            Err(Unreadable::Refused(error)) => return Err(error),
            Err(Unreadable::Damaged(what)) => start_anew(&path, &what)?,
        };
        let mut ledger = Ledger {
            dir: dir.to_owned(),
            _lock: lock,
            conn: Some(conn),
            seq: contents.seq,
            hash: contents.hash,
            backlog: Vec::new(),
            expected: None,
            reserve_freed: None,
            was_full: false,
        };
        if make_reserve(&ledger.reserve()).is_err() {
            ledger.reserve_freed = Some(0);
        }
        Ok((ledger, contents.restored))
    }

    /// Reads the ledger without taking it: for listing incidents while the daemon does not run.
    pub fn read_only(dir: &Path) -> Result<Restored, LedgerError> {
        let path = dir.join("ledger.db");
        if !path.exists() {
            return Err(LedgerError::Missing {
                path: path.display().to_string(),
            });
        }
        // Without a log beside it the file is complete in itself, and reading it must not need write permission.
        let has_log = with_suffix(&path, "-wal").metadata().is_ok_and(|m| m.len() > 0);
        let mode = if has_log { "mode=ro" } else { "immutable=1" };
        let uri = format!("file:{}?{mode}", uri_path(&path));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(uri, flags).map_err(|e| sql_store(&path, "read", &e))?;
        match read_contents(&conn, &path) {
            Ok(contents) => Ok(contents.restored),
            Err(Unreadable::Refused(error)) => Err(error),
            Err(Unreadable::Damaged(what)) => {
                let mut restored = salvage(&conn);
                restored.damage = Some(what);
                Ok(restored)
            }
        }
    }

    /// Writes all batches in one transaction and gives the new head. After an error the batches are kept in memory and go first
    /// with the next commit; the caller lets their notices leave all the same.
    pub fn commit(&mut self, batches: &[Batch]) -> Result<Head, LedgerError> {
        if let Err(error) = self.reopen() {
            self.keep(batches);
            return Err(error);
        }
        match self.write(batches) {
            Ok(head) => Ok(head),
            Err(_) if self.was_full && self.free_reserve() => {
                let again = self.reopen().and_then(|()| self.write(batches));
                again.inspect_err(|_| self.keep(batches))
            }
            Err(error) => {
                self.keep(batches);
                Err(error)
            }
        }
    }

    /// The disk was full and the reserve was used: make room.
    pub fn is_short_of_space(&self) -> bool {
        self.reserve_freed.is_some()
    }

    /// Where the chain stands.
    pub fn head(&self) -> Head {
        head(self.seq, &self.hash)
    }

    fn path(&self) -> PathBuf {
        self.dir.join("ledger.db")
    }

    fn reserve(&self) -> PathBuf {
        self.dir.join("ledger.reserve")
    }

    fn keep(&mut self, batches: &[Batch]) {
        let kept: usize = self.backlog.iter().map(|b| b.events.len()).sum();
        if kept < BACKLOG {
            self.backlog.extend_from_slice(batches);
        }
    }

    /// After a failed commit: reads where the file stands, and forgets the backlog if it is in there after all.
    fn reopen(&mut self) -> Result<(), LedgerError> {
        if self.conn.is_some() {
            return Ok(());
        }
        let path = self.path();
        let conn = connect(&path).map_err(|e| sql_store(&path, "opened again", &e))?;
        let (seq, hash) = tail(&conn)
            .map_err(|e| sql_store(&path, "read again", &e))?
            .unwrap_or_else(|| (0, genesis()));
        if self.expected == Some((seq, hash)) {
            self.backlog.clear();
        } else if (seq, hash) != (self.seq, self.hash) {
            let words =
                "it was changed by somebody else while hinomi was running; restart hinomi, it will verify the file";
            return Err(store(&path, "continued", words));
        }
        self.seq = seq;
        self.hash = hash;
        self.expected = None;
        self.conn = Some(conn);
        Ok(())
    }

    fn write(&mut self, batches: &[Batch]) -> Result<Head, LedgerError> {
        let path = self.path();
        let Some(mut conn) = self.conn.take() else {
            return Err(store(&path, "written", "it is not open"));
        };
        let mut chain = (self.seq, self.hash);
        let all = self.backlog.iter().chain(batches);
        let result = write_batches(&mut conn, all, &mut chain);
        match result {
            Ok(()) => {
                self.conn = Some(conn);
                (self.seq, self.hash) = chain;
                self.backlog.clear();
                self.renew_reserve();
                Ok(self.head())
            }
            Err(error) => {
                self.expected = Some(chain);
                self.was_full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
                Err(sql_store(&path, "written", &error))
            }
        }
    }

    /// `true` if there was a reserve to free.
    fn free_reserve(&mut self) -> bool {
        let freed = std::fs::remove_file(self.reserve()).is_ok();
        if freed {
            self.reserve_freed = Some(0);
        }
        freed
    }

    fn renew_reserve(&mut self) {
        self.reserve_freed = match self.reserve_freed {
            Some(commits) if commits < RESERVE_RETRY => Some(commits + 1),
            Some(_) if make_reserve(&self.reserve()).is_err() => Some(0),
            _ => None,
        };
    }
}

fn write_batches<'a>(
    conn: &mut Connection,
    batches: impl Iterator<Item = &'a Batch>,
    chain: &mut (u64, [u8; 32]),
) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    {
        let mut event =
            transaction.prepare("INSERT INTO events (seq, hash, checkpoint, text) VALUES (?1, ?2, ?3, ?4)")?;
        let mut row =
            transaction.prepare("INSERT OR REPLACE INTO rows (id, pending, sum, json) VALUES (?1, ?2, ?3, ?4)")?;
        for batch in batches {
            for text in &batch.events {
                chain.0 += 1;
                chain.1 = link(&chain.1, text);
                event.execute(params![signed(chain.0), &chain.1[..], is_checkpoint(text), text])?;
            }
            for change in &batch.rows {
                row.execute(params![
                    signed(change.id),
                    change.pending,
                    &row_sum(change)[..],
                    change.json
                ])?;
            }
        }
    }
    transaction.commit()
}

/// SQLite's integers are signed; no number of ours comes near the difference.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A negative number was never written: it will not fit what is around it.
fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Only a body of that name begins so: a quotation mark inside a text is escaped.
fn is_checkpoint(text: &str) -> bool {
    text.contains("\"event\":\"checkpoint\"")
}

/// One link of the chain.
fn link(before: &[u8; 32], text: &str) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(text).finalize().into()
}

/// What the first event is chained to.
fn genesis() -> [u8; 32] {
    Sha256::digest(b"hinomi ledger").into()
}

fn row_sum(row: &RowChange) -> [u8; 32] {
    let state = [u8::from(row.pending)];
    let sum = Sha256::new().chain_update(row.id.to_be_bytes()).chain_update(state);
    sum.chain_update(&row.json).finalize().into()
}

fn head(seq: u64, hash: &[u8; 32]) -> Head {
    Head {
        seq,
        hash: hash.iter().map(|b| format!("{b:02x}")).collect(),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Escapes what has a meaning in SQLite's file URIs.
fn uri_path(path: &Path) -> String {
    let text = path.display().to_string();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// The lock dies with the process, however that dies.
fn take_lock(dir: &Path) -> Result<File, LedgerError> {
    let path = dir.join("ledger.lock");
    let fail = |e: &std::io::Error| store(&path, "locked", &io_words(e));
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = open.map_err(|e| fail(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            let pid = pid.trim();
            return Err(LedgerError::Locked {
                path: dir.join("ledger.db").display().to_string(),
                pid: if pid.is_empty() {
                    "(unknown)".to_owned()
                } else {
                    pid.to_owned()
                },
            });
        }
        Err(TryLockError::Error(e)) => return Err(fail(&e)),
    }
    // The number is for people only: a full disk must not keep the daemon from starting.
    let _ = file.set_len(0);
    let _ = file.seek(SeekFrom::Start(0));
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

fn make_reserve(path: &Path) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|m| m.len() == RESERVE as u64) {
        return Ok(());
    }
    let written = File::create(path).and_then(|mut f| f.write_all(&vec![0x5a; RESERVE]).and_then(|()| f.sync_all()));
    if written.is_err() {
        // Half a reserve would only take the last room.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn store(path: &Path, doing: &'static str, words: &str) -> LedgerError {
    LedgerError::Store {
        path: path.display().to_string(),
        doing,
        words: words.to_owned(),
    }
}

fn io_words(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::PermissionDenied => {
            format!("{e}; the user hinomi runs as must be able to write to `daemon.state`")
        }
        std::io::ErrorKind::StorageFull => format!("{e}; make room on that disk"),
        std::io::ErrorKind::ReadOnlyFilesystem => format!("{e}; mount it writable"),
        _ => e.to_string(),
    }
}

fn sql_store(path: &Path, doing: &'static str, e: &rusqlite::Error) -> LedgerError {
    let hint = match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; make room on that disk, hinomi goes on by itself",
        Some(ErrorCode::ReadOnly) => "; the file system is read-only, or the file belongs to another user",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; the user hinomi runs as must be able to write to `daemon.state`"
        }
        Some(ErrorCode::SystemIoFailure) => "; the disk has a fault, look at the kernel's log",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another program has it open (sqlite3?)",
        _ => "",
    };
    store(path, doing, &format!("{e}{hint}"))
}
