//! The ledger: events and outbox rows in one SQLite file, append-only and hash-chained; committed before any notice leaves.
//!
//! The one place of this module that does I/O. One writer, one transaction for all waiting batches, WAL with synchronous FULL.
//! A damaged file is never written to and never deleted: it is kept aside, and what could still be proven good is carried over.
//!
//! Never here: what an event means (but for finding the last checkpoint).

use super::batch::{Batch, Head, Restored, RowChange};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
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

/// What one reading of the file gave.
struct Contents {
    restored: Restored,
    seq: u64,
    hash: [u8; 32],
}

/// Why a file could not be read through.
enum Unreadable {
    /// Its contents are not what was written.
    Damaged(String),
    /// It may be whole; the system or its format is in the way.
    Refused(LedgerError),
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

fn open_and_read(path: &Path) -> Result<(Connection, Contents), Unreadable> {
    let conn = connect(path).map_err(|e| unreadable(path, &e))?;
    let version: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .map_err(|e| unreadable(path, &e))?;
    if version == 0 && is_empty(&conn).map_err(|e| unreadable(path, &e))? {
        create(&conn).map_err(|e| unreadable(path, &e))?;
    }
    let contents = read_contents(&conn, path)?;
    let keep = i64::try_from(contents.restored.last_row.saturating_sub(ROWS_KEPT)).unwrap_or(0);
    // Making room is not worth an error.
    let _ = conn.execute("DELETE FROM rows WHERE pending = 0 AND id < ?1", [keep]);
    Ok((conn, contents))
}

fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))
}

/// All or nothing: a kill in between leaves an empty file.
fn create(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "BEGIN;
         CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
         CREATE TABLE events (
             seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, checkpoint INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
         CREATE INDEX checkpoints ON events (seq) WHERE checkpoint = 1;
         CREATE TABLE rows (id INTEGER PRIMARY KEY, pending INTEGER NOT NULL, sum BLOB NOT NULL, json TEXT NOT NULL) STRICT;
         CREATE INDEX pending ON rows (id) WHERE pending = 1;
         INSERT INTO meta VALUES ('ledger_id', lower(hex(randomblob(8))));
         PRAGMA user_version = 1;
         COMMIT;",
    )
}

/// The last event's number and hash.
fn tail(conn: &Connection) -> rusqlite::Result<Option<(u64, [u8; 32])>> {
    conn.query_row("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1", [], |r| {
        Ok((unsigned(r.get(0)?), r.get(1)?))
    })
    .optional()
}

fn read_contents(conn: &Connection, path: &Path) -> Result<Contents, Unreadable> {
    let fail = |e: rusqlite::Error| unreadable(path, &e);
    let version: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .map_err(fail)?;
    if version > SCHEMA {
        return Err(Unreadable::Refused(LedgerError::Newer {
            path: path.display().to_string(),
            found: version,
        }));
    }
    if version != SCHEMA {
        return Err(Unreadable::Damaged(format!(
            "it says format {version}, which never was"
        )));
    }
    check_structure(conn, path)?;
    let mut restored = Restored {
        ledger_id: conn
            .query_row("SELECT value FROM meta WHERE key = 'ledger_id'", [], |r| r.get(0))
            .map_err(fail)?,
        ..Restored::default()
    };
    let (seq, hash) = read_events(conn, &mut restored.events).map_err(|e| e.into_unreadable(path))?;
    read_rows(conn, &mut restored).map_err(|e| e.into_unreadable(path))?;
    restored.head = (seq > 0).then(|| head(seq, &hash));
    Ok(Contents { restored, seq, hash })
}

fn check_structure(conn: &Connection, path: &Path) -> Result<(), Unreadable> {
    if path.metadata().is_ok_and(|m| m.len() > FULL_CHECK) {
        return Ok(());
    }
    let said: String = conn
        .query_row("PRAGMA quick_check(1)", [], |r| r.get(0))
        .map_err(|e| unreadable(path, &e))?;
    match said.as_str() {
        "ok" => Ok(()),
        said => Err(Unreadable::Damaged(format!("its structure is broken: {said}"))),
    }
}

/// Reading stopped: by SQLite, or because the contents contradict their sums.
enum Stop {
    Sql(rusqlite::Error),
    Broken(String),
}

impl From<rusqlite::Error> for Stop {
    fn from(e: rusqlite::Error) -> Stop {
        Stop::Sql(e)
    }
}

impl Stop {
    fn into_unreadable(self, path: &Path) -> Unreadable {
        match self {
            Stop::Sql(e) => unreadable(path, &e),
            Stop::Broken(what) => Unreadable::Damaged(what),
        }
    }
}

/// Events since the last checkpoint, each proven by the chain. What was read before a break stays in `events`.
fn read_events(conn: &Connection, events: &mut Vec<String>) -> Result<(u64, [u8; 32]), Stop> {
    let from: Option<i64> = conn.query_row("SELECT max(seq) FROM events WHERE checkpoint = 1", [], |r| r.get(0))?;
    let from = from.map_or(1, unsigned);
    let before = conn
        .query_row(
            "SELECT hash FROM events WHERE seq = ?1",
            [signed(from.saturating_sub(1))],
            |r| r.get(0),
        )
        .optional()?;
    let mut hash: [u8; 32] = before.unwrap_or_else(genesis);
    let mut seq = from.saturating_sub(1);
    let mut statement = conn.prepare("SELECT seq, hash, text FROM events WHERE seq >= ?1 ORDER BY seq")?;
    let mut rows = statement.query([signed(from)])?;
    while let Some(row) = rows.next()? {
        let (number, stored, text): (i64, [u8; 32], String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let number = unsigned(number);
        if number != seq.saturating_add(1) {
            return Err(Stop::Broken(format!("event {} is missing", seq + 1)));
        }
        let expected = link(&hash, &text);
        if expected != stored {
            return Err(Stop::Broken(format!(
                "event {number} is not what was written: its hash does not fit"
            )));
        }
        (seq, hash) = (number, stored);
        events.push(text);
    }
    Ok((seq, hash))
}

/// Pending rows, each proven by its sum.
fn read_rows(conn: &Connection, restored: &mut Restored) -> Result<(), Stop> {
    restored.last_row = conn
        .query_row("SELECT max(id) FROM rows", [], |r| r.get::<_, Option<i64>>(0))?
        .map_or(0, unsigned);
    let mut broken = None;
    let mut statement = conn.prepare("SELECT id, pending, sum, json FROM rows WHERE pending <> 0 ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let change = RowChange {
            id: unsigned(row.get(0)?),
            pending: row.get(1)?,
            json: row.get(3)?,
        };
        let sum: [u8; 32] = row.get(2)?;
        if sum == row_sum(&change) {
            restored.rows.push(change);
        } else {
            broken = Some(change.id);
        }
    }
    match broken {
        None => Ok(()),
        Some(id) => Err(Stop::Broken(format!("outbox row {id} is not what was written"))),
    }
}

/// Whatever can still be proven good of a damaged file.
fn salvage(conn: &Connection) -> Restored {
    let mut restored = Restored::default();
    let _ = read_events(conn, &mut restored.events);
    let _ = read_rows(conn, &mut restored);
    restored
}

/// Keeps the damaged file aside and begins a new one with what could be saved.
fn start_anew(path: &Path, what: &str) -> Result<(Connection, Contents), LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let saved = Connection::open_with_flags(path, flags)
        .map(|c| salvage(&c))
        .unwrap_or_default();
    let aside = put_aside(path)?;
    let (mut conn, mut contents) = open_and_read(path).map_err(|e| match e {
        Unreadable::Refused(error) => error,
        Unreadable::Damaged(words) => store(path, "begun anew", &words),
    })?;
    let batch = Batch {
        id: 0,
        events: saved.events.clone(),
        rows: saved.rows.clone(),
        fresh_from: 0,
    };
    let mut chain = (contents.seq, contents.hash);
    write_batches(&mut conn, [&batch].into_iter(), &mut chain).map_err(|e| sql_store(path, "written", &e))?;
    (contents.seq, contents.hash) = chain;
    contents.restored.damage = Some(format!(
        "the ledger was damaged ({what}); it is kept as {}, a new one was begun with {} events and {} waiting notices that could \
         be proven good; incidents since then may be missing, look at the devices' state",
        aside.display(),
        saved.events.len(),
        saved.rows.len()
    ));
    contents.restored.head = (chain.0 > 0).then(|| head(chain.0, &chain.1));
    contents.restored.events = saved.events;
    contents.restored.rows = saved.rows;
    contents.restored.last_row = saved.last_row;
    Ok((conn, contents))
}

fn put_aside(path: &Path) -> Result<PathBuf, LedgerError> {
    let free = |n: &u32| !with_suffix(path, &format!(".damaged-{n}")).exists();
    let n = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
    let aside = with_suffix(path, &format!(".damaged-{n}"));
    for suffix in ["-wal", "-shm", ""] {
        let from = with_suffix(path, suffix);
        if from.exists() {
            std::fs::rename(&from, with_suffix(&aside, suffix)).map_err(|e| store(path, "put aside", &io_words(&e)))?;
        }
    }
    Ok(aside)
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

/// Damage is what SQLite calls corrupt, what is no database, and tables that are not ours.
fn unreadable(path: &Path, e: &rusqlite::Error) -> Unreadable {
    use rusqlite::Error as E;
    let damaged = match e {
        E::SqliteFailure(f, _) => matches!(
            f.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown | ErrorCode::TypeMismatch
        ),
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => true,
        E::QueryReturnedNoRows | E::Utf8Error(..) => true,
        _ => false,
    };
    if damaged {
        return Unreadable::Damaged(e.to_string());
    }
    Unreadable::Refused(sql_store(path, "read", e))
}
