//! A ledger that is not what was written, or not where it is held open: kept aside, and begun anew with everything that can be proven.
//!
//! The new file is made under another name and takes its place when it is whole: a kill in between loses nothing.

use super::place::make_folder;
use super::read::{Contents, Expected, Rows, create, is_damage, open_and_read, read_contents, read_events, tail};
use super::undelivered::known;
use super::{LedgerError, Unreadable, connect, genesis, io_words, sql_store, store, with_suffix, write_batches};
use crate::incident::batch::Batch;
use crate::incident::event::{Event, EventBody};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// How an operator says that a file is meant to be there.
pub(super) const ON_PURPOSE: &str = "if it was changed on purpose (a copy from a backup was put back), stop hinomi, put that copy in place as \
     ledger.db, make an empty file ledger.accept beside it, and start hinomi";

/// What could be proven good of a file.
#[derive(Debug, Default)]
struct Saved {
    events: Vec<String>,
    rows: Rows,
}

impl Saved {
    fn of(conn: &Connection) -> Saved {
        let mut saved = Saved::default();
        // Each is read as far as it goes.
        let _ = read_events(conn, &mut saved.events);
        let _ = saved.rows.read(conn);
        saved
    }

    fn of_file(path: &Path) -> Saved {
        if path.metadata().map_or(0, |m| m.len()) == 0 {
            return Saved::of_log(path).unwrap_or_default();
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags);
        conn.map(|c| Saved::of(&c)).unwrap_or_default()
    }

    /// A killed process leaves a log (`-wal`) beside the file. Where the file is gone or empty SQLite would throw the log away; beside an
    /// empty page it reads it.
    fn of_log(path: &Path) -> Option<Saved> {
        let log = std::fs::read(with_suffix(path, "-wal")).ok()?;
        let page: [u8; 4] = log.get(8..12)?.try_into().ok()?;
        let page = u32::from_be_bytes(page);
        if !(512..=65_536).contains(&page) {
            return None;
        }
        let copy = with_suffix(path, ".from-log");
        remove_all(&copy);
        std::fs::write(&copy, vec![0; usize::try_from(page).ok()?]).ok()?;
        std::fs::write(with_suffix(&copy, "-wal"), log).ok()?;
        let saved = Connection::open(&copy).ok().map(|c| Saved::of(&c));
        remove_all(&copy);
        saved
    }

    /// Ends what the events say is waiting and no row is there for: the new ledger must not contradict itself. Gives how many notices
    /// are lost.
    fn mend(&mut self) -> usize {
        let Some(last) = self.events.last().and_then(|e| Event::from_json(e).ok()) else {
            return 0;
        };
        let pending: BTreeSet<u64> = self.rows.pending.iter().map(|r| r.id).collect();
        let waiting = known(&self.events).waiting.0;
        let without: Vec<u64> = waiting.difference(&pending).copied().collect();
        if without.is_empty() {
            return 0;
        }
        let (ended, lost): (Vec<u64>, Vec<u64>) = without.into_iter().partition(|id| self.rows.ended.contains(id));
        let count = lost.len();
        let mended = Event {
            incident: None,
            body: EventBody::OutboxMended { lost, ended },
            ..last
        };
        self.events.push(mended.to_json());
        count
    }
}

/// Whatever can still be proven good of a damaged file, for reading only.
pub(super) fn salvage(conn: &Connection) -> crate::incident::Restored {
    let saved = Saved::of(conn);
    crate::incident::Restored {
        events: saved.events,
        rows: saved.rows.pending,
        last_row: saved.rows.last,
        ..Default::default()
    }
}

/// Keeps the damaged file aside and begins a new one with what could be saved.
pub(super) fn start_anew(path: &Path, what: &str) -> Result<(Connection, Contents), LedgerError> {
    let mut saved = Saved::of_file(path);
    let lost = saved.mend();
    let (events, rows) = (saved.events.len(), saved.rows.pending.len());
    let last_row = saved.rows.last;
    let fresh = build(path, saved)?;
    let aside = put_aside(path)?;
    take_place(&fresh, path)?;
    let (conn, mut contents) = open_and_read(path, &Expected::default()).map_err(|e| again(path, e))?;
    contents.restored.last_row = contents.restored.last_row.max(last_row);
    let kept = match aside {
        Some(aside) => format!("it is kept as {}", aside.display()),
        None => "nothing of it is left".to_owned(),
    };
    let lost = match lost {
        0 => String::new(),
        n => format!("{n} notices that waited are lost; "),
    };
    contents.restored.damage = Some(format!(
        "the ledger was damaged ({what}); {kept}, a new one was begun with {events} events and {rows} waiting notices that could be \
         proven good; {lost}incidents since then may be missing, look at the devices' state; {ON_PURPOSE}"
    ));
    Ok((conn, contents))
}

fn again(path: &Path, unreadable: Unreadable) -> LedgerError {
    match unreadable {
        Unreadable::Refused(error) => error,
        Unreadable::Damaged(words) => store(path, "begun anew", &words),
    }
}

/// A whole new ledger beside the old one.
fn build(path: &Path, saved: Saved) -> Result<PathBuf, LedgerError> {
    let fresh = fresh(path);
    remove_all(&fresh);
    let failed = |e: rusqlite::Error| sql_store(path, "begun anew", &e);
    let mut conn = connect(&fresh).map_err(failed)?;
    create(&conn).map_err(failed)?;
    let batch = Batch {
        id: 0,
        events: saved.events,
        rows: saved.rows.pending,
    };
    write_batches(&mut conn, [&batch].into_iter(), &mut (0, genesis())).map_err(failed)?;
    conn.close().map_err(|(_, e)| failed(e))?;
    Ok(fresh)
}

/// The new ledger before it takes its place.
pub(super) fn fresh(path: &Path) -> PathBuf {
    with_suffix(path, ".new")
}

fn remove_all(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(with_suffix(path, suffix));
    }
}

fn take_place(fresh: &Path, path: &Path) -> Result<(), LedgerError> {
    let moved = File::open(fresh)
        .and_then(|f| f.sync_all())
        .and_then(|()| std::fs::rename(fresh, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new("."))))
        .and_then(|dir| dir.sync_all());
    moved.map_err(|e| store(path, "put in place", &io_words(&e)))
}

/// Moves whatever stands at the ledger's paths aside; `None` if nothing does.
fn put_aside(path: &Path) -> Result<Option<PathBuf>, LedgerError> {
    let is_free = |n: &u32| {
        let aside = with_suffix(path, &format!(".damaged-{n}"));
        ["", "-wal", "-shm"]
            .iter()
            .all(|suffix| !with_suffix(&aside, suffix).exists())
    };
    let n = (1..u32::MAX).find(is_free).unwrap_or(u32::MAX);
    let aside = with_suffix(path, &format!(".damaged-{n}"));
    let mut any = None;
    for suffix in ["-wal", "-shm", ""] {
        let from = with_suffix(path, suffix);
        if from.exists() {
            std::fs::rename(&from, with_suffix(&aside, suffix)).map_err(|e| store(path, "put aside", &io_words(&e)))?;
            any = Some(aside.clone());
        }
    }
    Ok(any)
}

/// A ledger that was begun anew while hinomi runs.
pub(super) struct Anew {
    pub(super) conn: Connection,
    pub(super) ledger_id: String,
    pub(super) seq: u64,
    pub(super) hash: [u8; 32],
    /// It holds everything that the old one held.
    pub(super) is_whole: bool,
    /// Where what stood in its place is kept.
    pub(super) aside: Option<PathBuf>,
}

/// Begins anew at `path`, which no longer leads to the file that is held open in `old`: with everything that `old` still gives, or empty.
/// After an error `old` is given back, as what is in there may be nowhere else.
pub(super) fn renew(
    path: &Path,
    old: Option<Connection>,
    at: (u64, [u8; 32]),
) -> Result<Anew, (Option<Connection>, LedgerError)> {
    let fresh = fresh(path);
    let is_whole = match old.as_ref().map(|conn| copy(conn, &fresh, path, at)) {
        Some(Ok(is_whole)) => is_whole,
        Some(Err(error)) => return Err((old, error)),
        None => false,
    };
    if !is_whole && let Err(error) = build(path, Saved::default()) {
        return Err((old, error));
    }
    let aside = match put_aside(path) {
        Ok(aside) => aside,
        Err(error) => return Err((old, error)),
    };
    // Closing removes the log by its name: before there is another one of that name.
    drop(old);
    let anew = take_place(&fresh, path).and_then(|()| {
        let failed = |e: rusqlite::Error| sql_store(path, "begun anew", &e);
        let conn = connect(path).map_err(failed)?;
        let ledger_id = super::read::ledger_id(&conn).map_err(failed)?;
        let (seq, hash) = tail(&conn).map_err(failed)?.unwrap_or_else(|| (0, genesis()));
        Ok(Anew {
            conn,
            ledger_id,
            seq,
            hash,
            is_whole,
            aside,
        })
    });
    anew.map_err(|error| (None, error))
}

/// Copies the whole ledger out of the open file. `Ok(false)`: that file is damaged. An error: there is no room, or no folder.
fn copy(conn: &Connection, fresh: &Path, path: &Path, at: (u64, [u8; 32])) -> Result<bool, LedgerError> {
    remove_all(fresh);
    if let Some(dir) = path.parent() {
        make_folder(dir).map_err(|e| store(path, "begun anew", &io_words(&e)))?;
    }
    match conn.execute("VACUUM INTO ?1", [fresh.display().to_string()]) {
        Ok(_) => {}
        Err(e) if is_damage(&e) => return Ok(false),
        Err(e) => return Err(sql_store(path, "copied", &e)),
    }
    let is_whole = connect(fresh).is_ok_and(|copy| {
        let read = read_contents(&copy, fresh).is_ok_and(|c| (c.seq, c.hash) == at);
        let count = copy.query_row("SELECT count(*) FROM events", [], |r| r.get::<_, i64>(0));
        read && count.is_ok_and(|n| super::unsigned(n) == at.0) && copy.close().is_ok()
    });
    Ok(is_whole)
}
