//! Reading the ledger: its format, the chain, the rows' sums; and what is done about a file that is not what was written.

use super::{
    FULL_CHECK, LedgerError, ROWS_KEPT, SCHEMA, connect, genesis, head, io_words, link, row_sum, signed, sql_store,
    store, unsigned, with_suffix, write_batches,
};
use crate::incident::batch::{Batch, Restored, RowChange};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::path::{Path, PathBuf};

/// What one reading of the file gave.
pub(super) struct Contents {
    pub(super) restored: Restored,
    pub(super) seq: u64,
    pub(super) hash: [u8; 32],
}

/// Why a file could not be read through.
pub(super) enum Unreadable {
    /// Its contents are not what was written.
    Damaged(String),
    /// It may be whole; the system or its format is in the way.
    Refused(LedgerError),
}

pub(super) fn open_and_read(path: &Path) -> Result<(Connection, Contents), Unreadable> {
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
pub(super) fn tail(conn: &Connection) -> rusqlite::Result<Option<(u64, [u8; 32])>> {
    conn.query_row("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1", [], |r| {
        Ok((unsigned(r.get(0)?), r.get(1)?))
    })
    .optional()
}

pub(super) fn read_contents(conn: &Connection, path: &Path) -> Result<Contents, Unreadable> {
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
pub(super) fn salvage(conn: &Connection) -> Restored {
    let mut restored = Restored::default();
    let _ = read_events(conn, &mut restored.events);
    let _ = read_rows(conn, &mut restored);
    restored
}

/// Keeps the damaged file aside and begins a new one with what could be saved.
pub(super) fn start_anew(path: &Path, what: &str) -> Result<(Connection, Contents), LedgerError> {
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
