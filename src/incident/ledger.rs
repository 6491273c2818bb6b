//! The ledger: events and outbox rows in one SQLite file, append-only and hash-chained; committed before any notice leaves.
//!
//! The one place of this module that does I/O. One writer, one transaction for all waiting batches, WAL with synchronous FULL.
//! A damaged file is never written to and never deleted: it is kept aside, and what could still be proven good is carried over. The
//! files held open are compared with those at their paths, and the file with the anchor beside it, which says where the chain stood.
//!
//! Never here: what an event means (but for finding the last checkpoint).

mod anchor;
mod anew;
mod place;
mod read;
mod undelivered;

use self::anchor::{Anchor, Found, Mark};
use self::anew::{ON_PURPOSE, renew, salvage, start_anew};
use self::place::{Lock, Standing, make_folder, trace};
use self::read::{Expected, Unreadable, is_damage, open_and_read, read_contents, tail};
use super::batch::{Batch, Head, Restored, RowChange};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
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

/// The ledger was begun anew while it was open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// What was found and what was done about it, for people.
    pub what: String,
    /// It holds all that it held. If not, what is in memory is to be written again: a checkpoint and all rows that wait.
    pub is_whole: bool,
}

/// The open ledger; nobody else writes while this lives.
#[derive(Debug)]
pub struct Ledger {
    dir: PathBuf,
    lock: Lock,
    anchor: Anchor,
    ledger_id: String,
    /// `None` after a failed commit: what the file holds is unknown until it is read again.
    conn: Option<Connection>,
    standing: Standing,
    seq: u64,
    hash: [u8; 32],
    /// Highest numbers that were given, written or not.
    last_incident: u64,
    last_row: u64,
    /// Batches that could not be written; they go first next time.
    backlog: Vec<Batch>,
    /// Events that found no room in the backlog.
    dropped: usize,
    /// Where the chain stands if the failed commit is in the file after all.
    expected: Option<(u64, [u8; 32])>,
    /// The reserve was used; commits that worked since.
    reserve_freed: Option<u32>,
    /// The last commit failed for want of room.
    was_full: bool,
    renewed: Option<Renewed>,
}

/// Opens the file of a ledger that another process may be writing.
fn open_read_only(path: &Path) -> Result<Connection, LedgerError> {
    // Without a log beside it the file is complete in itself, and reading it must not need write permission.
    let has_log = with_suffix(path, "-wal").metadata().is_ok_and(|m| m.len() > 0);
    let mode = if has_log { "mode=ro" } else { "immutable=1" };
    let uri = format!("file:{}?{mode}", uri_path(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags).map_err(|e| sql_store(path, "read", &e))
}

impl Ledger {
    /// Opens or creates the ledger in `dir` (creating that too), verifies the chain since the last checkpoint, compares it with its
    /// anchor, and gives back what is needed to go on. A damaged file is kept aside; then [`Restored::damage`] says so.
    pub fn open(dir: &Path) -> Result<(Ledger, Restored), LedgerError> {
        let path = dir.join("ledger.db");
        make_folder(dir).map_err(|e| store(&path, "opened", &io_words(&e)))?;
        let mut lock = Lock::take(dir)?;
        let found = Anchor::read(dir)?;
        let accept = dir.join("ledger.accept");
        let accepted = accept.exists();
        let mark = if let Found::Mark(mark, _) = &found {
            Some(mark.clone())
        } else {
            None
        };
        let expected = Expected {
            trace: trace(dir, &lock).filter(|_| !accepted),
            mark: mark.clone().filter(|_| !accepted),
        };
        // Made by a start that was killed before it was put in place: nothing else holds what could be saved.
        if !path.exists() && anew::fresh(&path).exists() {
            let _ = std::fs::rename(anew::fresh(&path), &path);
        }
        let (conn, mut contents) = match open_and_read(&path, &expected) {
            Ok(opened) => opened,
            Err(Unreadable::Refused(error)) => return Err(error),
            Err(Unreadable::Damaged(what)) => start_anew(&path, &what)?,
        };
        let restored = &mut contents.restored;
        if let Some(mark) = &mark {
            restored.last_incident = restored.last_incident.max(mark.last_incident);
            restored.last_row = restored.last_row.max(mark.last_row);
        } else if lock.had_ledger && !accepted && restored.damage.is_none() {
            restored.damage = Some(without_anchor(dir, &found));
        }
        restored.accepted = accepted;
        lock.sign();
        let mut ledger = Ledger {
            dir: dir.to_owned(),
            lock,
            anchor: Anchor::new(dir, &found),
            ledger_id: restored.ledger_id.clone(),
            conn: Some(conn),
            standing: Standing::of(&path),
            seq: contents.seq,
            hash: contents.hash,
            last_incident: restored.last_incident,
            last_row: restored.last_row,
            backlog: Vec::new(),
            dropped: 0,
            expected: None,
            reserve_freed: None,
            was_full: false,
            renewed: None,
        };
        ledger.anchor.write(&ledger.mark());
        ledger.anchor.sync();
        let _ = std::fs::remove_file(accept);
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
        // Read first: the ledger of a daemon that runs only goes on.
        let mark = match Anchor::read(dir) {
            Ok(Found::Mark(mark, _)) => Some(mark),
            _ => None,
        };
        let expected = Expected { mark, trace: None };
        if let Err(Unreadable::Damaged(what)) = expected.check_file(&path) {
            let damage = Some(what);
            return Ok(Restored {
                damage,
                ..Restored::default()
            });
        }
        let conn = open_read_only(&path)?;
        let read = read_contents(&conn, &path);
        match read.and_then(|c| expected.compare(&conn, &c, &path).map(|()| c)) {
            Ok(contents) => Ok(contents.restored),
            Err(Unreadable::Refused(error)) => Err(error),
            Err(Unreadable::Damaged(what)) => {
                let mut restored = salvage(&conn);
                restored.damage = Some(what);
                Ok(restored)
            }
        }
    }

    /// Hands over every event that the ledger holds, the oldest first, without taking it; `Some` says where its chain is broken, and
    /// what came before that was handed over.
    pub fn read_all(dir: &Path, each: impl FnMut(&str)) -> Result<Option<String>, LedgerError> {
        let path = dir.join("ledger.db");
        if !path.exists() {
            return Err(LedgerError::Missing {
                path: path.display().to_string(),
            });
        }
        let conn = open_read_only(&path)?;
        match read::walk(&conn, each) {
            Ok(()) => Ok(None),
            Err(read::Stop::Broken(what)) => Ok(Some(what)),
            Err(read::Stop::Sql(e)) if is_damage(&e) => Ok(Some(e.to_string())),
            Err(read::Stop::Sql(e)) => Err(sql_store(&path, "read", &e)),
        }
    }

    /// Writes all batches in one transaction and gives the new head. After an error the batches are kept in memory and go first
    /// with the next commit; the caller lets their notices leave all the same.
    pub fn commit(&mut self, batches: &[Batch]) -> Result<Head, LedgerError> {
        self.note_numbers(batches);
        let result = self.try_commit(batches);
        if result.is_err() {
            self.keep(batches);
        }
        // Also after a failure: what was given a number leaves in mails now, and no crash may give that number again.
        self.anchor.write(&self.mark());
        if result.is_err() {
            self.anchor.sync();
        }
        result
    }

    fn try_commit(&mut self, batches: &[Batch]) -> Result<Head, LedgerError> {
        self.stand()?;
        self.reopen()?;
        match self.write(batches) {
            Err(_) if self.was_full && self.free_reserve() => {
                self.reopen()?;
                self.write(batches)
            }
            result => result,
        }
    }

    /// Looks whether the ledger still is where it is held open, and still ends where it was left; begins anew where it is not. To be called
    /// every second or so.
    pub fn look(&mut self) -> Result<(), LedgerError> {
        self.stand()?;
        let tail = self.conn.as_ref().map(tail);
        match tail {
            Some(Ok(tail)) if tail.unwrap_or_else(|| (0, genesis())) != (self.seq, self.hash) => {
                self.begin_anew("another program has changed its last event")?;
            }
            Some(Err(e)) if is_damage(&e) => {
                self.begin_anew(&format!("it was damaged while hinomi was running: {e}"))?
            }
            _ => {}
        }
        self.anchor.look();
        self.anchor.write(&self.mark());
        self.anchor.sync();
        Ok(())
    }

    /// What became of a ledger that was not where it was held open, once.
    pub fn renewed(&mut self) -> Option<Renewed> {
        self.renewed.take()
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

    fn mark(&self) -> Mark {
        Mark {
            ledger_id: self.ledger_id.clone(),
            seq: self.seq,
            hash: self.hash,
            last_incident: self.last_incident,
            last_row: self.last_row,
        }
    }

    fn note_numbers(&mut self, batches: &[Batch]) {
        for batch in batches {
            let opened = batch.events.iter().filter_map(|line| undelivered::opened(line)).max();
            self.last_incident = self.last_incident.max(opened.unwrap_or(0));
            self.last_row = self.last_row.max(batch.rows.iter().map(|r| r.id).max().unwrap_or(0));
        }
    }

    fn keep(&mut self, batches: &[Batch]) {
        let kept: usize = self.backlog.iter().map(|b| b.events.len()).sum();
        match kept < BACKLOG {
            true => self.backlog.extend_from_slice(batches),
            false => self.dropped += batches.iter().map(|b| b.events.len()).sum::<usize>(),
        }
    }

    /// The files held open are those at their paths; if they are not, the ledger is begun anew there.
    fn stand(&mut self) -> Result<(), LedgerError> {
        let path = self.path();
        let moved = self.standing.look();
        let lock_is_there = self.lock.is_there();
        match moved.map_err(|e| store(&path, "looked at", &io_words(&e)))? {
            Some(what) => self.begin_anew(&what),
            None if lock_is_there => Ok(()),
            None => {
                self.take_lock()?;
                self.renewed = Some(Renewed {
                    what: "ledger.lock was removed or replaced while hinomi was running; it was made again, the ledger is whole"
                        .to_owned(),
                    is_whole: true,
                });
                Ok(())
            }
        }
    }

    /// An error if another daemon was quicker: then the folder is that one's.
    fn take_lock(&mut self) -> Result<(), LedgerError> {
        make_folder(&self.dir).map_err(|e| store(&self.path(), "begun anew", &io_words(&e)))?;
        self.lock = Lock::take(&self.dir)?;
        self.lock.sign();
        Ok(())
    }

    fn begin_anew(&mut self, what: &str) -> Result<(), LedgerError> {
        let path = self.path();
        if !self.lock.is_there() {
            self.take_lock()?;
        }
        let anew = renew(&path, self.conn.take(), (self.seq, self.hash)).map_err(|(old, error)| {
            self.conn = old;
            error
        })?;
        self.conn = Some(anew.conn);
        self.standing = Standing::of(&path);
        (self.ledger_id, self.seq, self.hash) = (anew.ledger_id, anew.seq, anew.hash);
        self.expected = None;
        if make_reserve(&self.reserve()).is_err() {
            self.reserve_freed = Some(0);
        }
        let holds = match anew.is_whole {
            true => "with everything that had been recorded",
            false => "with what hinomi has in memory: open incidents and waiting notices; older history is not in it",
        };
        let aside = match anew.aside {
            Some(aside) => format!("; what stood there is kept as {}", aside.display()),
            None => String::new(),
        };
        self.renewed = Some(Renewed {
            what: format!(
                "the ledger {}: {what}; it was begun anew {holds}{aside}; {ON_PURPOSE}",
                path.display()
            ),
            is_whole: anew.is_whole,
        });
        Ok(())
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
            drop(conn);
            return self.begin_anew("it was changed by another program while hinomi was running");
        }
        self.standing = Standing::of(&path);
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
                self.tell_dropped();
                self.renew_reserve();
                Ok(self.head())
            }
            Err(error) => {
                // Closing removes the log: from now on it may be missing.
                drop(conn);
                self.standing = Standing::of(&path);
                self.expected = Some(chain);
                self.was_full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
                Err(sql_store(&path, "written", &error))
            }
        }
    }

    /// Too much came while nothing could be written: what is in memory stands for it.
    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 && self.renewed.is_none() {
            self.renewed = Some(Renewed {
                what: format!(
                    "the ledger could not be written for so long that {dropped} events are lost; open incidents and waiting notices are \
                     written again from memory"
                ),
                is_whole: false,
            });
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
    Head { seq, hash: hex(hash) }
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

/// The ledger is whole as far as it goes, and how far it should go is not known.
fn without_anchor(dir: &Path, found: &Found) -> String {
    let state = if *found == Found::Spoiled {
        "is not what was written"
    } else {
        "is missing"
    };
    format!(
        "{} {state}: what the ledger holds is proven good, but whether its end was cut off cannot be known; incidents of the last time may \
         be missing, look at the devices' state",
        Anchor::path(dir).display()
    )
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(bytes)
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
