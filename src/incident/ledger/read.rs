//! Reading the ledger: its format, the chain, the rows' sums, and whether it is the ledger that was last written here.

use super::anchor::Mark;
use super::undelivered::known;
use super::{
    FULL_CHECK, LedgerError, ROWS_KEPT, SCHEMA, connect, genesis, head, io_words, link, row_sum, signed, sql_store,
    store, unsigned,
};
use crate::incident::batch::{Restored, RowChange};
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::Path;

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

/// What is known of a ledger before its file is opened.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Where it stood.
    pub(super) mark: Option<Mark>,
    /// What says that there was one.
    pub(super) trace: Option<&'static str>,
}

impl Expected {
    /// A folder in which hinomi has run before has a ledger with something in it.
    pub(super) fn check_file(&self, path: &Path) -> Result<(), Unreadable> {
        let refused = |e: &std::io::Error| Unreadable::Refused(store(path, "read", &io_words(e)));
        let size = match path.metadata() {
            Ok(m) => Some(m.len()),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(refused(&e)),
        };
        match (size, self.trace) {
            (None, Some(trace)) => Err(Unreadable::Damaged(format!(
                "it is gone, but {trace} beside it is there"
            ))),
            (Some(0), Some(trace)) => Err(Unreadable::Damaged(format!(
                "it is empty, but {trace} beside it is there"
            ))),
            (None | Some(0), None) => Ok(()),
            (Some(_), _) => {
                let mut header = [0; 20];
                let mut file = std::fs::File::open(path).map_err(|e| refused(&e))?;
                let read = file.read(&mut header).map_err(|e| refused(&e))?;
                // SQLite takes any other format for one that a newer SQLite can write.
                match header[18..] {
                    [1..=2, 1..=2] => Ok(()),
                    _ if read < header.len() => Ok(()),
                    _ => Err(Unreadable::Damaged(
                        "its header names a format that never was".to_owned(),
                    )),
                }
            }
        }
    }

    /// A ledger may be ahead of its mark (a kill between the two), never behind it.
    pub(super) fn compare(&self, conn: &Connection, contents: &Contents, path: &Path) -> Result<(), Unreadable> {
        let Some(mark) = &self.mark else { return Ok(()) };
        if contents.restored.ledger_id != mark.ledger_id {
            let words = "it is another ledger than the one that hinomi last wrote here";
            return Err(Unreadable::Damaged(words.to_owned()));
        }
        if contents.seq < mark.seq {
            return Err(Unreadable::Damaged(format!(
                "it ends with event {}, but hinomi had written event {}: the last {} are missing",
                contents.seq,
                mark.seq,
                mark.seq - contents.seq
            )));
        }
        let stored: Option<[u8; 32]> = conn
            .query_row("SELECT hash FROM events WHERE seq = ?1", [signed(mark.seq)], |r| {
                r.get(0)
            })
            .optional()
            .map_err(|e| unreadable(path, &e))?;
        if mark.seq > 0 && stored != Some(mark.hash) {
            return Err(Unreadable::Damaged(format!(
                "its event {} is another one than hinomi wrote",
                mark.seq
            )));
        }
        Ok(())
    }
}

pub(super) fn open_and_read(path: &Path, expected: &Expected) -> Result<(Connection, Contents), Unreadable> {
    expected.check_file(path)?;
    let conn = connect(path).map_err(|e| unreadable(path, &e))?;
    let version: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .map_err(|e| unreadable(path, &e))?;
    if version == 0 && is_empty(&conn).map_err(|e| unreadable(path, &e))? {
        if let Some(trace) = expected.trace {
            return Err(Unreadable::Damaged(format!(
                "it holds nothing, but {trace} beside it is there"
            )));
        }
        create(&conn).map_err(|e| unreadable(path, &e))?;
    }
    let contents = read_contents(&conn, path)?;
    expected.compare(&conn, &contents, path)?;
    let keep = i64::try_from(contents.restored.last_row.saturating_sub(ROWS_KEPT)).unwrap_or(0);
    // Making room is not worth an error.
    let _ = conn.execute("DELETE FROM rows WHERE pending = 0 AND id < ?1", [keep]);
    Ok((conn, contents))
}

fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))
}

/// All or nothing: a kill in between leaves an empty file.
pub(super) fn create(conn: &Connection) -> rusqlite::Result<()> {
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

pub(super) fn ledger_id(conn: &Connection) -> rusqlite::Result<String> {
    conn.query_row("SELECT value FROM meta WHERE key = 'ledger_id'", [], |r| r.get(0))
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
        ledger_id: ledger_id(conn).map_err(fail)?,
        ..Restored::default()
    };
    let (seq, hash) = read_events(conn, &mut restored.events).map_err(|e| e.into_unreadable(path))?;
    let mut rows = Rows::default();
    rows.read(conn).map_err(fail)?;
    let known = known(&restored.events);
    rows.check(&known.waiting.0).map_err(Unreadable::Damaged)?;
    restored.rows = rows.pending;
    restored.last_row = rows.last;
    restored.last_incident = known.last_incident;
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
pub(super) enum Stop {
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
pub(super) fn read_events(conn: &Connection, events: &mut Vec<String>) -> Result<(u64, [u8; 32]), Stop> {
    let from: Option<i64> = conn.query_row("SELECT max(seq) FROM events WHERE checkpoint = 1", [], |r| r.get(0))?;
    let is_checkpointed = from.is_some();
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
        if is_checkpointed && events.is_empty() && !super::is_checkpoint(&text) {
            // Neither the mark of a checkpoint nor the index of these marks is under a sum: a false one would hide what is before it.
            return Err(Stop::Broken(format!(
                "event {number} is marked as a checkpoint and is none"
            )));
        }
        (seq, hash) = (number, stored);
        events.push(text);
    }
    if is_checkpointed && events.is_empty() {
        return Err(Stop::Broken("the last checkpoint is missing".to_owned()));
    }
    Ok((seq, hash))
}

/// All events from the first on, each proven by the chain before it is handed over.
pub(super) fn walk(conn: &Connection, mut each: impl FnMut(&str)) -> Result<(), Stop> {
    let mut statement = conn.prepare("SELECT seq, hash, text FROM events ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut before: Option<(u64, [u8; 32])> = None;
    while let Some(row) = rows.next()? {
        let (number, stored, text): (i64, [u8; 32], String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let number = unsigned(number);
        // A ledger that was begun anew goes on with the numbers of the one before, whose last hash it does not hold.
        let hash = match before {
            Some((seq, hash)) if number == seq + 1 => Some(hash),
            Some((seq, _)) => return Err(Stop::Broken(format!("event {} is missing", seq + 1))),
            None => (number == 1).then(genesis),
        };
        if hash.is_some_and(|hash| link(&hash, &text) != stored) {
            return Err(Stop::Broken(format!(
                "event {number} is not what was written: its hash does not fit"
            )));
        }
        each(&text);
        before = Some((number, stored));
    }
    Ok(())
}

/// Outbox rows, each proven by its sum, whether or not it says that it waits.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those that wait.
    pub(super) pending: Vec<RowChange>,
    /// Those that ended.
    pub(super) ended: BTreeSet<u64>,
    broken: Option<u64>,
    /// Highest number.
    pub(super) last: u64,
}

impl Rows {
    /// What was read before an error stays.
    pub(super) fn read(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut statement = conn.prepare("SELECT id, pending, sum, json FROM rows ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = unsigned(row.get(0)?);
            self.last = self.last.max(id);
            let change = || -> rusqlite::Result<(RowChange, [u8; 32])> {
                let change = RowChange {
                    id,
                    pending: row.get(1)?,
                    json: row.get(3)?,
                };
                Ok((change, row.get(2)?))
            };
            match change() {
                Ok((change, sum)) if sum == row_sum(&change) => match change.pending {
                    true => self.pending.push(change),
                    false => _ = self.ended.insert(id),
                },
                _ => self.broken = Some(id),
            }
        }
        Ok(())
    }

    /// Whether they are whole, and those that wait by the events wait here, too.
    fn check(&self, waiting: &BTreeSet<u64>) -> Result<(), String> {
        if let Some(id) = self.broken {
            return Err(format!("outbox row {id} is not what was written"));
        }
        let pending: BTreeSet<u64> = self.pending.iter().map(|r| r.id).collect();
        match waiting.difference(&pending).next() {
            None => Ok(()),
            Some(id) if self.ended.contains(id) => Err(format!(
                "outbox row {id} says that it is delivered, but no event says so"
            )),
            Some(id) => Err(format!("outbox row {id}, which waits for delivery, is missing")),
        }
    }
}

/// Damage is what SQLite calls corrupt, what is no database, and tables that are not ours.
pub(super) fn unreadable(path: &Path, e: &rusqlite::Error) -> Unreadable {
    match is_damage(e) {
        true => Unreadable::Damaged(e.to_string()),
        false => Unreadable::Refused(sql_store(path, "read", e)),
    }
}

pub(super) fn is_damage(e: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    match e {
        E::SqliteFailure(f, _) => matches!(
            f.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown | ErrorCode::TypeMismatch
        ),
        // What is asked never changes: tables or columns that are not there are the file's fault.
        E::SqlInputError { .. } => true,
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => true,
        E::QueryReturnedNoRows | E::Utf8Error(..) => true,
        _ => false,
    }
}
