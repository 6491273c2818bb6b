//! The ledger on a real file: what is committed is there again, and what is not what was written is noticed.

use hinomi::incident::{Batch, Ledger, LedgerError, RowChange};
use std::path::{Path, PathBuf};

/// A directory of its own, removed at the end.
pub(super) struct Dir(pub(super) PathBuf);

impl Dir {
    pub(super) fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("hinomi-ledger-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    pub(super) fn db(&self) -> PathBuf {
        self.0.join("ledger.db")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn batch(id: u64) -> Batch {
    Batch {
        id,
        events: (0..3)
            .map(|i| format!("{{\"at\":{id},\"n\":{i},\"event\":\"opened\"}}"))
            .collect(),
        rows: vec![RowChange {
            id,
            pending: !id.is_multiple_of(2),
            json: format!("{{\"row\":{id},\"text\":\"復旧\"}}"),
        }],
    }
}

#[test]
fn what_was_committed_is_there_again() {
    let dir = Dir::new("again");
    let (mut ledger, fresh) = Ledger::open(&dir.0).unwrap();
    assert_eq!((fresh.events.len(), fresh.head, fresh.damage), (0, None, None));
    let head = ledger.commit(&[batch(1), batch(2)]).unwrap();
    assert_eq!(head.seq, 6);
    let head = ledger.commit(&[batch(3)]).unwrap();
    drop(ledger);
    let (ledger, restored) = Ledger::open(&dir.0).unwrap();
    assert_eq!(restored.ledger_id, fresh.ledger_id);
    assert_eq!(restored.ledger_id.len(), 16);
    assert_eq!(restored.events.len(), 9);
    assert_eq!(restored.events[..3], batch(1).events);
    assert_eq!(restored.rows.iter().map(|r| r.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((restored.last_row, restored.head), (3, Some(head.clone())));
    assert_eq!(ledger.head(), head);
}

#[test]
fn a_row_is_replaced_not_repeated() {
    let dir = Dir::new("row");
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    ledger.commit(&[batch(1)]).unwrap();
    let mut done = batch(1);
    done.rows[0].pending = false;
    ledger.commit(&[done]).unwrap();
    drop(ledger);
    assert_eq!(Ledger::open(&dir.0).unwrap().1.rows.len(), 0);
}

#[test]
fn reading_starts_at_the_last_checkpoint_and_still_proves_the_chain() {
    let dir = Dir::new("checkpoint");
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    ledger.commit(&[batch(1)]).unwrap();
    let checkpoint = Batch {
        events: vec![
            "{\"at\":1,\"event\":\"checkpoint\",\"book\":{}}".to_owned(),
            "{\"at\":2}".to_owned(),
        ],
        ..Batch::default()
    };
    let head = ledger.commit(std::slice::from_ref(&checkpoint)).unwrap();
    drop(ledger);
    let (_, restored) = Ledger::open(&dir.0).unwrap();
    assert_eq!(restored.events, checkpoint.events);
    assert_eq!(restored.head, Some(head));
}

#[test]
fn a_second_daemon_is_refused_and_told_who_holds_it() {
    let dir = Dir::new("lock");
    let (ledger, _) = Ledger::open(&dir.0).unwrap();
    let error = Ledger::open(&dir.0).unwrap_err();
    assert!(
        matches!(&error, LedgerError::Locked { pid, .. } if *pid == std::process::id().to_string()),
        "{error}"
    );
    drop(ledger);
    Ledger::open(&dir.0).unwrap();
}

#[test]
fn a_reader_needs_no_lock_and_changes_nothing() {
    let dir = Dir::new("reader");
    assert!(matches!(Ledger::read_only(&dir.0), Err(LedgerError::Missing { .. })));
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    ledger.commit(&[batch(1)]).unwrap();
    assert_eq!(
        Ledger::read_only(&dir.0).unwrap().events.len(),
        3,
        "while the daemon runs"
    );
    drop(ledger);
    let before = std::fs::read(dir.db()).unwrap();
    assert_eq!(Ledger::read_only(&dir.0).unwrap().events.len(), 3, "after it ended");
    assert_eq!(std::fs::read(dir.db()).unwrap(), before);
}

#[test]
fn a_file_of_a_newer_hinomi_is_refused_and_left_alone() {
    let dir = Dir::new("newer");
    drop(Ledger::open(&dir.0).unwrap());
    let conn = rusqlite::Connection::open(dir.db()).unwrap();
    conn.pragma_update(None, "user_version", 7).unwrap();
    drop(conn);
    let error = Ledger::open(&dir.0).unwrap_err();
    assert!(matches!(error, LedgerError::Newer { found: 7, .. }), "{error}");
    assert!(error.to_string().contains("newer version"));
    assert!(!dir.0.join("ledger.db.damaged-1").exists());
}

/// Some files to be damaged: 200 events, the log folded in.
fn filled(name: &str) -> Dir {
    let dir = Dir::new(name);
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    for id in 1..=60 {
        ledger.commit(&[batch(id)]).unwrap();
    }
    drop(ledger);
    assert!(!dir.0.join("ledger.db-wal").exists(), "a clean end folds the log in");
    dir
}

#[test]
fn flipped_bytes_are_noticed_or_harmless() {
    let dir = filled("flip");
    let whole = std::fs::read(dir.db()).unwrap();
    let (truth, mut harmless, mut noticed) = (Ledger::read_only(&dir.0).unwrap(), 0, 0);
    for i in 0..200usize {
        let mut bytes = whole.clone();
        let at = (i * 7919 + 13 * i * i) % bytes.len();
        bytes[at] ^= 1 << (i % 8);
        std::fs::write(dir.db(), &bytes).unwrap();
        match Ledger::read_only(&dir.0) {
            Ok(read) if read.damage.is_none() => {
                assert_eq!(
                    (&read.events, &read.rows),
                    (&truth.events, &truth.rows),
                    "byte {at} changed what was read"
                );
                harmless += 1;
            }
            _ => noticed += 1,
        }
    }
    assert!(noticed > 50, "{noticed} noticed, {harmless} harmless");
}

#[test]
fn a_damaged_file_is_kept_aside_and_what_is_proven_good_is_carried_over() {
    let dir = filled("aside");
    let mut bytes = std::fs::read(dir.db()).unwrap();
    // The text of the last event, found from the end.
    let needle = b"{\"at\":60,\"n\":2";
    let at = bytes.windows(needle.len()).rposition(|w| w == needle).unwrap();
    bytes[at + 6] = b'7';
    std::fs::write(dir.db(), &bytes).unwrap();
    let (mut ledger, restored) = Ledger::open(&dir.0).unwrap();
    let damage = restored.damage.unwrap();
    assert!(damage.contains("event 180 is not what was written"), "{damage}");
    assert_eq!(restored.events.len(), 179, "all before it");
    assert_eq!(restored.rows.len(), 30);
    assert_eq!(
        std::fs::read(dir.0.join("ledger.db.damaged-1")).unwrap(),
        bytes,
        "as it was found"
    );
    ledger.commit(&[batch(61)]).unwrap();
    drop(ledger);
    let (_, again) = Ledger::open(&dir.0).unwrap();
    assert_eq!((again.damage, again.events.len(), again.last_row), (None, 182, 61));
}

#[test]
fn a_torn_file_and_one_that_is_no_database_do_not_stop_the_daemon() {
    for (n, torn) in [true, false].into_iter().enumerate() {
        let dir = filled(&format!("torn{n}"));
        let bytes = std::fs::read(dir.db()).unwrap();
        let rest = if torn {
            bytes[..bytes.len() / 2].to_vec()
        } else {
            b"this is no database at all, not in the least".repeat(99)
        };
        std::fs::write(dir.db(), rest).unwrap();
        let (mut ledger, restored) = Ledger::open(&dir.0).unwrap();
        assert!(restored.damage.is_some());
        ledger.commit(&[batch(100)]).unwrap();
    }
}

#[test]
fn a_removed_event_and_a_changed_row_are_noticed() {
    for sql in [
        "DELETE FROM events WHERE seq = 90",
        "UPDATE events SET text = replace(text, '30', '31') WHERE seq = 90",
        "UPDATE rows SET json = replace(json, 'text', 'test') WHERE id = 7",
        "UPDATE rows SET id = 77 WHERE id = 7",
    ] {
        let dir = filled("insider");
        rusqlite::Connection::open(dir.db()).unwrap().execute(sql, []).unwrap();
        assert!(Ledger::open(&dir.0).unwrap().1.damage.is_some(), "{sql}");
    }
}

#[test]
fn a_copy_taken_at_any_moment_opens_clean_with_every_committed_event() {
    let dir = Dir::new("copy");
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    for id in 1..=20 {
        let head = ledger.commit(&[batch(id)]).unwrap();
        // What a kill would leave: the files as they are, without the process.
        let left = Dir::new("copy-left");
        for file in ["ledger.db", "ledger.db-wal"] {
            std::fs::copy(dir.0.join(file), left.0.join(file)).unwrap();
        }
        let (_, restored) = Ledger::open(&left.0).unwrap();
        assert_eq!((restored.damage, restored.head), (None, Some(head)));
        assert_eq!(restored.events.len() as u64, id * 3);
    }
}

#[test]
fn a_torn_log_gives_back_a_prefix_and_no_damage() {
    let dir = Dir::new("log");
    let (mut ledger, _) = Ledger::open(&dir.0).unwrap();
    for id in 1..=10 {
        ledger.commit(&[batch(id)]).unwrap();
    }
    let log = std::fs::read(dir.0.join("ledger.db-wal")).unwrap();
    for part in 1..10 {
        let left = Dir::new("log-left");
        std::fs::copy(dir.db(), left.db()).unwrap();
        std::fs::write(left.0.join("ledger.db-wal"), &log[..log.len() * part / 10 + 5]).unwrap();
        let (_, restored) = Ledger::open(&left.0).unwrap();
        assert_eq!(restored.damage, None, "part {part}");
        assert_eq!(restored.events.len() % 3, 0, "whole batches only");
    }
}

#[test]
fn a_full_disk_costs_no_event_and_heals_by_itself() {
    let dir = Dir::new("full");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(&dir.0)
        .output()
        .is_ok_and(|o| o.status.success());
    if !mounted {
        eprintln!("skipped: needs root to mount a small tmpfs");
        return;
    }
    let result = std::panic::catch_unwind(|| full_disk(&dir.0));
    let _ = std::process::Command::new("umount").arg("-l").arg(&dir.0).status();
    result.unwrap();
}

fn full_disk(dir: &Path) {
    let (mut ledger, _) = Ledger::open(dir).unwrap();
    ledger.commit(&[batch(1)]).unwrap();
    fill(dir, "filler");
    // The reserve takes the first ones.
    let mut id = 2;
    while !ledger.is_short_of_space() {
        ledger.commit(&[batch(id)]).unwrap();
        id += 1;
        assert!(id < 10_000, "the disk is not full");
    }
    fill(dir, "filler2");
    let mut failed = 0;
    while failed < 3 {
        if let Err(error) = ledger.commit(&[batch(id)]) {
            assert!(error.to_string().contains("make room"), "{error}");
            failed += 1;
        }
        id += 1;
        assert!(id < 20_000, "the disk is not full");
    }
    // A mail with this number leaves now; the daemon is killed before there is room again.
    let opened = super::loss::opened(4_711);
    let lost = Batch {
        events: vec![opened],
        ..Batch::default()
    };
    ledger.commit(std::slice::from_ref(&lost)).unwrap_err();
    let left = Dir::new("full-left");
    for file in ["ledger.db", "ledger.db-wal", "ledger.head", "ledger.lock"] {
        std::fs::copy(dir.join(file), left.0.join(file)).unwrap();
    }
    let (_, killed) = Ledger::open(&left.0).unwrap();
    assert_eq!(
        (killed.damage, killed.last_incident),
        (None, 4_711),
        "never given again"
    );
    std::fs::remove_file(dir.join("filler2")).unwrap();
    let head = ledger.commit(&[batch(id)]).unwrap();
    assert_eq!(head.seq, id * 3 + 1, "those of the failed commits too");
    drop(ledger);
    std::fs::remove_file(dir.join("filler")).unwrap();
    let (_, restored) = Ledger::open(dir).unwrap();
    assert_eq!((restored.damage, restored.events.len() as u64), (None, id * 3 + 1));
}

fn fill(dir: &Path, name: &str) {
    use std::io::Write;
    let mut file = std::fs::File::create(dir.join(name)).unwrap();
    for size in [65_536, 4_096] {
        while file.write_all(&vec![1u8; size]).is_ok() {}
    }
}
