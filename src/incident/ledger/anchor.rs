//! The anchor: where the ledger stood, kept in a file beside it (`ledger.head`), so that a ledger that is gone, empty, cut or another
//! one is noticed, and no number is given twice.
//!
//! Two slots are written in turn, in place: a torn write spoils one of them, and a full disk has room for it.

use super::{hex, io_words, store, unhex};
use crate::incident::ledger::LedgerError;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// One slot, octets: a sector, which disks write whole.
const SLOT: usize = 512;
/// What a slot begins with; the number is the version of its format.
const TITLE: &str = "hinomi-ledger-head 1";

/// Where the ledger stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Which ledger.
    pub(super) ledger_id: String,
    /// Sequence number of its last event.
    pub(super) seq: u64,
    /// The chain's hash there.
    pub(super) hash: [u8; 32],
    /// Highest number of an incident that was given, recorded or not.
    pub(super) last_incident: u64,
    /// Highest number of an outbox row that was given, recorded or not.
    pub(super) last_row: u64,
}

/// What a folder says of its anchor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// There is a file, and neither slot is what was written.
    Spoiled,
    /// The last mark, and its turn.
    Mark(Mark, u64),
}

/// The file, kept open.
#[derive(Debug)]
pub(super) struct Anchor {
    path: PathBuf,
    file: Option<File>,
    turn: u64,
    is_synced: bool,
    written: Option<Mark>,
}

impl Anchor {
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("ledger.head")
    }

    /// What the file says.
    pub(super) fn read(dir: &Path) -> Result<Found, LedgerError> {
        let path = Anchor::path(dir);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(e) => return Err(store(&path, "read", &io_words(&e))),
        };
        let slots = bytes.chunks(SLOT).take(2).filter_map(parse);
        Ok(match slots.max_by_key(|(_, turn)| *turn) {
            Some((mark, turn)) => Found::Mark(mark, turn),
            None => Found::Spoiled,
        })
    }

    /// Goes on after what was found.
    pub(super) fn new(dir: &Path, found: &Found) -> Anchor {
        Anchor {
            path: Anchor::path(dir),
            file: None,
            turn: if let Found::Mark(_, turn) = found { *turn } else { 0 },
            is_synced: true,
            written: None,
        }
    }

    /// Writes the mark; it is on the disk for sure after [`Anchor::sync`]. An older mark is no harm, so that an error is none either:
    /// the next one is tried again.
    pub(super) fn write(&mut self, mark: &Mark) {
        if self.written.as_ref() == Some(mark) && self.file.is_some() {
            return;
        }
        self.written = self.put(mark).is_ok().then(|| mark.clone());
        self.is_synced = false;
    }

    fn put(&mut self, mark: &Mark) -> std::io::Result<()> {
        let is_new = self.file.is_none();
        if is_new {
            let mut options = OpenOptions::new();
            self.file = Some(
                options
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&self.path)?,
            );
        }
        let Some(file) = &self.file else { return Ok(()) };
        self.turn += 1;
        let slot = format(mark, self.turn);
        // A new file gets both at once, so that no later write needs room.
        for n in [self.turn, self.turn + 1].into_iter().take(if is_new { 2 } else { 1 }) {
            file.write_all_at(&slot, (n % 2) * SLOT as u64)?;
        }
        Ok(())
    }

    /// Sees to it that the last mark survives a power cut.
    pub(super) fn sync(&mut self) {
        if !self.is_synced
            && let Some(file) = &self.file
        {
            self.is_synced = file.sync_all().is_ok();
        }
    }

    /// The file was removed or another one stands there: the next mark makes it anew.
    pub(super) fn look(&mut self) {
        let Some(file) = &self.file else { return };
        let own = file.metadata().map(|m| (m.dev(), m.ino(), m.len()));
        let there = self.path.metadata().map(|m| (m.dev(), m.ino(), m.len()));
        let is_whole = own.as_ref().is_ok_and(|(_, _, len)| *len == 2 * SLOT as u64);
        if !is_whole || !matches!((own, there), (Ok(own), Ok(there)) if own == there) {
            self.file = None;
        }
    }
}

fn format(mark: &Mark, turn: u64) -> Vec<u8> {
    let body = format!(
        "{TITLE} {turn} {} {} {} {} {}",
        mark.ledger_id,
        mark.seq,
        hex(&mark.hash),
        mark.last_incident,
        mark.last_row
    );
    let mut line = format!("{body} {}", hex(&Sha256::digest(&body).into())).into_bytes();
    line.resize(SLOT - 1, b' ');
    line.push(b'\n');
    line
}

fn parse(slot: &[u8]) -> Option<(Mark, u64)> {
    let text = std::str::from_utf8(slot).ok()?.trim_end();
    let (body, sum) = text.rsplit_once(' ')?;
    if unhex(sum)? != <[u8; 32]>::from(Sha256::digest(body)) {
        return None;
    }
    let mut words = body.strip_prefix(TITLE)?.trim_start().split(' ');
    let mut word = || words.next();
    let turn = word()?.parse().ok()?;
    let mark = Mark {
        ledger_id: word()?.to_owned(),
        seq: word()?.parse().ok()?,
        hash: unhex(word()?)?,
        last_incident: word()?.parse().ok()?,
        last_row: word()?.parse().ok()?,
    };
    Some((mark, turn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(seq: u64) -> Mark {
        Mark {
            ledger_id: "0123456789abcdef".to_owned(),
            seq,
            hash: [7; 32],
            last_incident: 12,
            last_row: 34,
        }
    }

    #[test]
    fn a_slot_holds_the_largest_numbers_and_says_what_was_written() {
        let mark = Mark {
            seq: u64::MAX,
            last_incident: u64::MAX,
            last_row: u64::MAX,
            ..mark(1)
        };
        let slot = format(&mark, u64::MAX);
        assert_eq!(slot.len(), SLOT);
        assert_eq!(parse(&slot), Some((mark, u64::MAX)));
    }

    #[test]
    fn no_flipped_bit_gives_another_mark() {
        let slot = format(&mark(9), 5);
        for bit in 0..slot.len() * 8 {
            let mut spoiled = slot.clone();
            spoiled[bit / 8] ^= 1 << (bit % 8);
            let read = parse(&spoiled);
            assert!(read.is_none() || read == Some((mark(9), 5)), "bit {bit}: {read:?}");
        }
    }

    #[test]
    fn a_spoiled_slot_gives_the_mark_before() {
        let dir = std::env::temp_dir().join(format!("hinomi-anchor-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let _ = std::fs::remove_file(Anchor::path(&dir));
        assert_eq!(Anchor::read(&dir).expect("no file"), Found::Nothing);
        let mut anchor = Anchor::new(&dir, &Found::Nothing);
        for seq in 1..=3 {
            anchor.write(&mark(seq));
        }
        anchor.sync();
        assert_eq!(Anchor::read(&dir).expect("a file"), Found::Mark(mark(3), 3));
        let mut bytes = std::fs::read(Anchor::path(&dir)).expect("a file");
        bytes[SLOT + 40] ^= 1;
        std::fs::write(Anchor::path(&dir), &bytes).expect("a file");
        assert_eq!(Anchor::read(&dir).expect("a file"), Found::Mark(mark(2), 2));
        std::fs::write(Anchor::path(&dir), b"").expect("a file");
        assert_eq!(Anchor::read(&dir).expect("a file"), Found::Spoiled);
        std::fs::remove_dir_all(&dir).expect("the folder");
    }
}
