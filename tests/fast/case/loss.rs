//! Nothing recorded is lost in silence: a ledger with notices that wait is removed, emptied, cut, replaced, changed in a bit or an
//! octet, at rest and while it is open, and each is told or changes nothing.
//!
//! The long form: `HINOMI_FLIPS=20000 cargo test --release --test fast case::loss`.

use super::ledger::Dir;
use super::world::{MIN, Relay, World, down, no_answer, s};
use hinomi::core::{Core, Effect};
use hinomi::incident::{Batch, Event, Ledger, LedgerError, Restored, RowChange};
use hinomi::model::Level;
use std::collections::BTreeSet;
use std::path::Path;

/// Incidents of the world below.
const INCIDENTS: usize = 12;

/// Batches as the core makes them, with mails that no relay takes.
fn batches() -> Vec<Batch> {
    let mut w = World::new();
    let routes: Vec<String> = w.site.routes.iter().map(|r| r.name.to_string()).collect();
    let mut batches = Vec::new();
    let mut lines = 0;
    for n in 0..INCIDENTS {
        // Some are delivered, so that there are rows that wait no longer.
        for route in &routes {
            w.relay(route, if n < 4 { Relay::Works } else { Relay::Dead });
        }
        w.take(&w.change(&down(&format!("host-{n}")), Level::Critical, no_answer()));
        w.pass(s(MIN));
        batches.push(Batch {
            id: n as u64,
            events: w.lines[lines..].to_vec(),
            rows: w.rows.values().cloned().collect(),
        });
        lines = w.lines.len();
    }
    batches
}

/// The line of the opening of an incident with this number.
pub(super) fn opened(number: u64) -> String {
    let mut w = World::new();
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    let event = w.events.iter().find(|e| e.incident == Some(1)).unwrap();
    let event = Event {
        incident: Some(number),
        ..event.clone()
    };
    event.to_json()
}

/// A ledger with all of it: closed, or as a kill leaves it.
fn filled(name: &str, is_killed: bool) -> Dir {
    let dir = Dir::new(&format!("loss-{name}"));
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    for batch in batches() {
        ledger.commit(&[batch]).unwrap();
    }
    if !is_killed {
        return dir;
    }
    let left = Dir::new(&format!("loss-{name}-killed"));
    copy(&dir.0, &left.0);
    left
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        // The index of the log is memory, not record: a kill loses it.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

fn number(rows: &[RowChange]) -> BTreeSet<u64> {
    rows.iter().map(|r| r.id).collect()
}

/// Positions that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

fn flips() -> usize {
    let said = std::env::var("HINOMI_FLIPS").ok();
    said.and_then(|n| n.parse().ok()).unwrap_or(500)
}

/// Changes bits and octets of a file, each alone, and looks what is read then.
fn flip(name: &str, file: &str, is_killed: bool, least: usize) {
    let dir = filled(name, is_killed);
    let truth = Ledger::read_only(&dir.0).unwrap();
    assert!(truth.damage.is_none() && truth.rows.len() >= INCIDENTS - 4, "{truth:?}");
    let whole = std::fs::read(dir.0.join(file)).unwrap();
    let mut dice = Dice(0x5eed_0123_4567);
    let (mut noticed, mut harmless) = (0, 0);
    for n in 0..flips() {
        let at = dice.below(whole.len());
        let mut bytes = whole.clone();
        match n % 2 {
            0 => bytes[at] ^= 1 << dice.below(8),
            _ => bytes[at] = bytes[at].wrapping_add(1 + dice.below(255) as u8),
        }
        let trial = Dir::new(&format!("loss-{name}-trial"));
        copy(&dir.0, &trial.0);
        std::fs::write(trial.0.join(file), &bytes).unwrap();
        // Every tenth by a start, which must also be able to go on.
        let read = match n % 10 {
            0 => Ledger::open(&trial.0).map(|(mut ledger, restored)| {
                ledger.commit(&batches()[..1]).unwrap();
                restored
            }),
            _ => Ledger::read_only(&trial.0),
        };
        match read {
            Ok(read) if read.damage.is_none() => {
                assert_eq!(read.rows, truth.rows, "octet {at} of {file} changed what waits");
                assert_eq!(read.events, truth.events, "octet {at} of {file} changed what happened");
                harmless += 1;
            }
            Ok(_) | Err(LedgerError::Newer { .. }) => noticed += 1,
            Err(error) => panic!("octet {at} of {file}: {error}"),
        }
    }
    println!("{file}: {} changes, {noticed} noticed, {harmless} harmless", flips());
    assert!(
        noticed >= least * flips() / 500,
        "{noticed} noticed, {harmless} harmless"
    );
}

#[test]
fn a_changed_bit_or_octet_of_the_ledger_is_noticed_or_harmless() {
    flip("db", "ledger.db", false, 150);
}

#[test]
fn a_changed_bit_or_octet_of_the_log_that_a_kill_leaves_is_noticed_or_harmless() {
    flip("wal", "ledger.db-wal", true, 150);
}

#[test]
fn a_changed_bit_or_octet_of_the_anchor_is_noticed_or_harmless() {
    flip("head", "ledger.head", false, 0);
}

#[test]
fn a_row_that_says_it_is_delivered_is_not_believed_against_the_events() {
    for sql in [
        "UPDATE rows SET pending = 0",
        "UPDATE rows SET pending = 0 WHERE id = (SELECT max(id) FROM rows WHERE pending = 1)",
        "DELETE FROM rows WHERE id = (SELECT max(id) FROM rows WHERE pending = 1)",
        "UPDATE rows SET json = replace(json, 'edge', 'egde') WHERE pending = 0",
        "UPDATE events SET checkpoint = 1 WHERE seq = (SELECT max(seq) FROM events)",
        "DELETE FROM events WHERE seq > (SELECT max(seq) - 20 FROM events)",
        "UPDATE meta SET value = '0000000000000000'",
    ] {
        let dir = filled("sql", false);
        let changed = rusqlite::Connection::open(dir.db()).unwrap().execute(sql, []).unwrap();
        if sql.contains("json") && changed == 0 {
            continue;
        }
        assert!(changed > 0, "{sql} changes nothing");
        let read = Ledger::read_only(&dir.0).unwrap();
        assert!(read.damage.is_some(), "read only: {sql}");
        let (ledger, restored) = Ledger::open(&dir.0).unwrap();
        let damage = restored.damage.unwrap_or_else(|| panic!("{sql}"));
        assert!(
            damage.contains("damaged-1") && damage.contains("ledger.accept"),
            "{damage}"
        );
        drop(ledger);
        let (_, again) = Ledger::open(&dir.0).unwrap();
        assert_eq!(again.damage, None, "what was begun anew is sound: {sql}");
    }
}

#[test]
fn a_table_or_column_of_another_name_is_damage_and_the_next_start_goes_on() {
    for sql in [
        "ALTER TABLE rows RENAME COLUMN sum TO sun",
        "ALTER TABLE rows RENAME COLUMN json TO jsom",
        "ALTER TABLE rows RENAME TO rowt",
        "ALTER TABLE events RENAME COLUMN hash TO hasi",
        "ALTER TABLE events RENAME TO evants",
        "ALTER TABLE meta RENAME TO neta",
    ] {
        let dir = filled("names", false);
        rusqlite::Connection::open(dir.db())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let read = Ledger::read_only(&dir.0).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert!(read.damage.is_some(), "read only: {sql}");
        let (mut ledger, restored) = Ledger::open(&dir.0).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert!(restored.damage.is_some_and(|d| d.contains("damaged-1")), "{sql}");
        ledger.commit(&batches()[..1]).unwrap();
    }
}

#[test]
fn a_ledger_that_is_gone_empty_cut_or_another_at_rest_is_told_and_no_number_is_given_twice() {
    type Harm = fn(&Path);
    let other = || {
        let other = Dir::new("loss-other");
        let (mut ledger, _) = Ledger::open(&other.0).unwrap();
        for batch in batches().iter().chain(&batches()[..2]) {
            ledger.commit(std::slice::from_ref(batch)).unwrap();
        }
        drop(ledger);
        std::fs::read(other.db()).unwrap()
    };
    let harms: [(&str, Harm); 7] = [
        ("removed", |db| std::fs::remove_file(db).unwrap()),
        ("removed with its anchor", |db| {
            std::fs::remove_file(db).unwrap();
            std::fs::remove_file(db.with_file_name("ledger.head")).unwrap();
        }),
        ("removed but for the lock", |db| {
            for name in ["ledger.db", "ledger.head", "ledger.reserve"] {
                std::fs::remove_file(db.with_file_name(name)).unwrap();
            }
        }),
        ("emptied", |db| std::fs::write(db, b"").unwrap()),
        ("emptied with its anchor", |db| {
            std::fs::write(db, b"").unwrap();
            std::fs::write(db.with_file_name("ledger.head"), b"").unwrap();
        }),
        ("cut", |db| {
            let bytes = std::fs::read(db).unwrap();
            std::fs::write(db, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("anchor removed", |db| {
            std::fs::remove_file(db.with_file_name("ledger.head")).unwrap()
        }),
    ];
    for is_killed in [false, true] {
        for (name, harm) in harms {
            let dir = filled("rest", is_killed);
            let truth = Ledger::read_only(&dir.0).unwrap();
            harm(&dir.db());
            let (_ledger, restored) = Ledger::open(&dir.0).unwrap();
            if restored.damage.is_none() {
                // After a kill the log may hold every page that was cut off.
                assert_eq!((name, is_killed), ("cut", true));
                assert_eq!((&restored.events, &restored.rows), (&truth.events, &truth.rows));
            }
            if !name.contains("anchor") && !name.contains("lock") {
                assert_eq!(restored.last_incident, INCIDENTS as u64, "{name}: numbers go on");
            }
            assert_eq!(restored.rows.is_empty(), restored.events.is_empty(), "{name}");
        }
        let dir = filled("rest-other", is_killed);
        let _ = std::fs::remove_file(dir.0.join("ledger.db-wal"));
        std::fs::write(dir.db(), other()).unwrap();
        let damage = Ledger::open(&dir.0).unwrap().1.damage.unwrap();
        assert!(damage.contains("another ledger"), "{damage}");
    }
}

#[test]
fn an_empty_file_beside_the_log_of_a_kill_costs_nothing_that_waits() {
    let dir = filled("log", true);
    let truth = Ledger::read_only(&dir.0).unwrap();
    std::fs::write(dir.db(), b"").unwrap();
    let (_, restored) = Ledger::open(&dir.0).unwrap();
    assert!(restored.damage.is_some());
    assert_eq!(number(&restored.rows), number(&truth.rows));
    assert_eq!(restored.events, truth.events);
}

#[test]
fn an_older_copy_is_told_and_taken_when_an_operator_says_so() {
    let dir = Dir::new("loss-older");
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    let all = batches();
    ledger.commit(&all[..6]).unwrap();
    drop(ledger);
    let older = std::fs::read(dir.db()).unwrap();
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    ledger.commit(&all[6..]).unwrap();
    drop(ledger);

    std::fs::write(dir.db(), &older).unwrap();
    let told = Dir::new("loss-older-told");
    copy(&dir.0, &told.0);
    let damage = Ledger::open(&told.0).unwrap().1.damage.unwrap();
    assert!(
        damage.contains("are missing") && damage.contains("ledger.accept"),
        "{damage}"
    );

    std::fs::write(dir.0.join("ledger.accept"), b"").unwrap();
    let (mut ledger, restored) = Ledger::open(&dir.0).unwrap();
    assert_eq!((restored.damage, restored.accepted), (None, true));
    assert_eq!(
        restored.last_incident, INCIDENTS as u64,
        "numbers that mails have named"
    );
    ledger.commit(&all[..1]).unwrap();
    drop(ledger);
    let (_, again) = Ledger::open(&dir.0).unwrap();
    assert_eq!((again.damage, again.accepted), (None, false), "once");
}

#[test]
fn a_first_start_is_silent_and_so_is_every_kill_between_a_commit_and_its_anchor() {
    let dir = Dir::new("loss-first");
    assert_eq!(
        Ledger::open(&dir.0).unwrap().1,
        Restored {
            ledger_id: Ledger::read_only(&dir.0).unwrap().ledger_id,
            ..Restored::default()
        }
    );
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    for batch in batches() {
        let before = std::fs::read(dir.0.join("ledger.head")).unwrap();
        ledger.commit(&[batch]).unwrap();
        let left = Dir::new("loss-first-left");
        copy(&dir.0, &left.0);
        std::fs::write(left.0.join("ledger.head"), before).unwrap();
        assert_eq!(Ledger::open(&left.0).unwrap().1.damage, None);
    }
}

#[test]
fn a_ledger_that_is_harmed_while_it_is_open_is_begun_anew_and_told() {
    type Harm = fn(&Path);
    let harms: [(&str, bool, Harm); 9] = [
        ("ledger.db removed", true, |dir| {
            std::fs::remove_file(dir.join("ledger.db")).unwrap()
        }),
        ("log removed", true, |dir| {
            std::fs::remove_file(dir.join("ledger.db-wal")).unwrap()
        }),
        ("all removed", true, |dir| {
            for name in [
                "ledger.db",
                "ledger.db-wal",
                "ledger.db-shm",
                "ledger.lock",
                "ledger.head",
            ] {
                std::fs::remove_file(dir.join(name)).unwrap();
            }
        }),
        ("folder removed", true, |dir| std::fs::remove_dir_all(dir).unwrap()),
        ("folder moved", true, |dir| {
            let away = dir.with_extension("away");
            let _ = std::fs::remove_dir_all(&away);
            std::fs::rename(dir, &away).unwrap();
        }),
        ("replaced", true, |dir| {
            std::fs::write(dir.join("other"), b"something else").unwrap();
            std::fs::rename(dir.join("other"), dir.join("ledger.db")).unwrap();
        }),
        ("emptied", false, |dir| {
            std::fs::write(dir.join("ledger.db"), b"").unwrap()
        }),
        ("log cut", false, |dir| {
            let log = std::fs::OpenOptions::new()
                .write(true)
                .open(dir.join("ledger.db-wal"))
                .unwrap();
            log.set_len(100).unwrap();
        }),
        ("tail cut by another program", false, |dir| {
            let conn = rusqlite::Connection::open(dir.join("ledger.db")).unwrap();
            conn.execute("DELETE FROM events WHERE seq > 20", []).unwrap();
        }),
    ];
    for (name, is_whole, harm) in harms {
        for by_commit in [false, true] {
            if by_commit && name.contains("another program") {
                continue;
            }
            let dir = Dir::new("loss-open");
            let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
            let all = batches();
            ledger.commit(&all[..10]).unwrap();
            ledger.look().unwrap();
            assert_eq!(ledger.renewed(), None);
            harm(&dir.0);
            if !by_commit {
                ledger.look().unwrap();
                assert!(ledger.renewed().is_some_and(|r| is_whole <= r.is_whole), "{name}");
            }
            ledger.commit(&all[10..]).unwrap();
            if by_commit {
                assert!(ledger.renewed().is_some_and(|r| is_whole <= r.is_whole), "{name}");
            }
            ledger.look().unwrap();
            assert_eq!(ledger.renewed(), None, "{name}: told once");
            let error = Ledger::open(&dir.0).unwrap_err();
            assert!(
                matches!(error, LedgerError::Locked { .. }),
                "{name}: it is ours: {error}"
            );
            drop(ledger);
            let (_, restored) = Ledger::open(&dir.0).unwrap();
            assert_eq!(restored.damage, None, "{name}");
            if is_whole {
                let lines: Vec<String> = all.iter().flat_map(|b| b.events.clone()).collect();
                assert_eq!(restored.events, lines, "{name}");
                assert_eq!(
                    number(&restored.rows),
                    number(
                        &all[INCIDENTS - 1]
                            .rows
                            .iter()
                            .filter(|r| r.pending)
                            .cloned()
                            .collect::<Vec<_>>()
                    )
                );
            }
        }
    }
}

#[test]
fn a_folder_that_another_daemon_has_taken_is_left_to_it() {
    let dir = Dir::new("loss-taken");
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    ledger.commit(&batches()[..2]).unwrap();
    std::fs::remove_dir_all(&dir.0).unwrap();
    let (mut other, _) = Ledger::open(&dir.0).unwrap();
    other.commit(&batches()[..1]).unwrap();
    let before = other.head();
    let error = ledger.commit(&batches()[2..3]).unwrap_err();
    assert!(matches!(error, LedgerError::Locked { .. }), "{error}");
    other.commit(&[]).unwrap();
    assert_eq!((other.renewed(), other.head()), (None, before));
    drop(other);
    // When that one has ended, what is open here goes on, whole.
    ledger.look().unwrap();
    assert!(ledger.renewed().is_some_and(|r| r.is_whole));
}

#[test]
fn a_core_writes_all_it_holds_into_a_ledger_that_was_begun_anew_empty() {
    use hinomi::core::{Input, LedgerNews};
    use hinomi::incident::{Book, Head, Renewed};
    let w = World::new();
    let restored = Restored {
        events: batches().into_iter().flat_map(|b| b.events).collect(),
        rows: batches()[INCIDENTS - 1].rows.clone(),
        last_incident: 40,
        ..Restored::default()
    };
    let waiting: BTreeSet<u64> = restored.rows.iter().filter(|r| r.pending).map(|r| r.id).collect();
    let mut core = Core::new(w.site.clone(), restored, [7; 32], w.now);
    let renewed = Renewed {
        what: "gone".to_owned(),
        is_whole: false,
    };
    // What was under way belongs to the file that is gone.
    let commits = |core: &mut Core| -> Vec<Batch> {
        let effects = core.effects();
        let batches = effects.into_iter().filter_map(|e| match e {
            Effect::Commit(batch) => Some(batch),
            _ => None,
        });
        batches.collect()
    };
    let first = commits(&mut core);
    core.take(Input::Ledger(LedgerNews::Renewed(renewed)), w.now);
    let result = Ok(Head {
        seq: 1,
        hash: String::new(),
    });
    let batch = first[0].id;
    core.take(Input::Committed { batch, result }, w.now);
    let batch = commits(&mut core).remove(0);
    let at = batch
        .events
        .iter()
        .position(|e| e.contains("\"event\":\"checkpoint\""))
        .unwrap();
    let (book, problems) = Book::restore(&batch.events[at..]);
    assert_eq!(problems, Vec::<String>::new());
    // The devices are none of the site's, so that their incidents have ended; the ledger's own failure is the next number.
    let of_memory = (book.state().incidents.len(), book.state().last_id);
    assert_eq!(of_memory, (INCIDENTS + 1, 41));
    assert!(waiting.is_subset(&number(&batch.rows)), "{waiting:?}");
}
