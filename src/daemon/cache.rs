//! What was learned of agents, in a file of the state directory: it spares the next start the walks. It may be lost at any time.
//!
//! One line of JSON a device between a first line that says what the file is and a last one with count and checksum. A file that is
//! damaged anywhere is not used at all. No secret stands in it.
//!
//! Never here: what a memory means (`poll::agent` knows), when a copy is taken.

use super::messages::ToCache;
use super::words::Word;
use crate::model::{Name, Wall};
use crate::poll::agent::memory::{Memories, Memory};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

const FILE: &str = "learned.jsonl";
const TEMPORARY: &str = ".learned.jsonl";
/// Another layout has another number.
const FORMAT: u32 = 1;
/// A larger file is none of ours: a nation takes some tens of megabytes.
const LONGEST: u64 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
struct First {
    learned: u32,
    /// Milliseconds since 1970.
    at: Wall,
    profiles: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Last {
    devices: usize,
    /// FNV-1a of everything before this line.
    sum: u64,
}

/// FNV-1a: enough against a torn write or a bad block.
struct Sum(u64);

impl Sum {
    fn new() -> Sum {
        Sum(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        self.0 = bytes.iter().fold(self.0, step);
    }
}

/// What an earlier process learned; nothing, with a word in the log, if that cannot be used.
pub(super) fn read(state: &Path) -> Memories {
    let at = state.join(FILE);
    let result = bytes(&at).and_then(|bytes| bytes.map_or_else(|| Ok(Memories::default()), |b| parse(&b)));
    result.unwrap_or_else(|error| {
        Word::LearnedNotRead { at, error }.log();
        Memories::default()
    })
}

/// `None`: there is no such file.
fn bytes(at: &Path) -> Result<Option<Vec<u8>>, String> {
    match std::fs::metadata(at) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.to_string()),
        Ok(m) if m.len() > LONGEST || !m.is_file() => return Err("not a file of hinomi".to_owned()),
        Ok(_) => {}
    }
    std::fs::read(at).map(Some).map_err(|e| e.to_string())
}

fn parse(bytes: &[u8]) -> Result<Memories, String> {
    let whole = bytes.strip_suffix(b"\n").ok_or("it breaks off")?;
    let last_at = whole.iter().rposition(|b| *b == b'\n').ok_or("it breaks off")? + 1;
    let last: Last = serde_json::from_slice(&whole[last_at..]).map_err(|_| "it breaks off")?;
    let mut sum = Sum::new();
    sum.add(&bytes[..last_at]);
    if sum.0 != last.sum {
        return Err("its checksum differs: it is damaged".to_owned());
    }
    let mut lines = bytes[..last_at].split_inclusive(|b| *b == b'\n');
    let other = || "it has the layout of another version of hinomi".to_owned();
    let first: First = serde_json::from_slice(lines.next().unwrap_or_default()).map_err(|_| other())?;
    if first.learned != FORMAT {
        return Err(other());
    }
    // The count is not believed before it was counted.
    let mut devices: HashMap<Name, Memory> = HashMap::with_capacity(last.devices.min(bytes.len() / 16));
    for line in lines {
        let memory: Memory = serde_json::from_slice(line).map_err(|_| other())?;
        devices.insert(Name::clone(memory.name()), memory);
    }
    if devices.len() != last.devices {
        return Err(format!("{} devices stand in it, not {}", devices.len(), last.devices));
    }
    Ok(Memories {
        at: first.at,
        profiles: first.profiles,
        devices,
    })
}

/// Writes copies until the engine is gone. A copy that cannot be written is given up; the one before stays.
pub(super) fn run(inbox: &Receiver<ToCache>, state: &Path) {
    let mut copy: Option<Copy> = None;
    let mut failing = false;
    while let Ok(message) = inbox.recv() {
        let result = match message {
            ToCache::Begin { at, profiles } => Copy::begin(state, at, profiles).map(|new| copy = Some(new)),
            ToCache::Some(memories) => copy.as_mut().map_or(Ok(()), |c| c.add(&memories)),
            ToCache::End => copy
                .take()
                .map_or(Ok(()), |c| c.end(state))
                .inspect(|()| failing = false),
        };
        if let Err(error) = result {
            copy = None;
            // Once, not every ten minutes.
            if !std::mem::replace(&mut failing, true) {
                Word::LearnedNotKept {
                    at: state.join(FILE),
                    error: error.to_string(),
                }
                .log();
            }
        }
    }
}

/// A copy in the making. It takes the place of the one before only when it is whole.
struct Copy {
    temporary: PathBuf,
    file: BufWriter<File>,
    devices: usize,
    sum: Sum,
    /// The present line.
    line: Vec<u8>,
}

impl Copy {
    fn begin(state: &Path, at: Wall, profiles: u32) -> io::Result<Copy> {
        let temporary = state.join(TEMPORARY);
        // A left-over of an interrupted write may have other rights.
        let _ = std::fs::remove_file(&temporary);
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
        let mut copy = Copy {
            temporary,
            file: BufWriter::with_capacity(1 << 16, file),
            devices: 0,
            sum: Sum::new(),
            line: Vec::new(),
        };
        let learned = FORMAT;
        copy.line(&First { learned, at, profiles })?;
        Ok(copy)
    }

    fn line(&mut self, what: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, what)?;
        self.line.push(b'\n');
        self.sum.add(&self.line);
        self.file.write_all(&self.line)
    }

    fn add(&mut self, memories: &[Memory]) -> io::Result<()> {
        self.devices += memories.len();
        memories.iter().try_for_each(|m| self.line(m))
    }

    /// Not forced to the disk: after a power cut the checksum says whether it got there.
    fn end(mut self, state: &Path) -> io::Result<()> {
        let (devices, sum) = (self.devices, self.sum.0);
        self.line(&Last { devices, sum })?;
        self.file.flush()?;
        std::fs::rename(&self.temporary, state.join(FILE))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot write its file has failed")]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    fn memory(i: u32) -> Memory {
        let text = format!(r#"{{"n":"N-{i:07}","k":7,"u":8640000,"t":{{"r":[[3,"wan0"]],"v":[2,0],"c":4}},"l":{{}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("hinomi-cache-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn keep(&self, slices: Vec<Vec<Memory>>) {
            let (to_cache, inbox) = sync_channel(64);
            let (at, profiles) = (Wall(1_000), 9);
            to_cache.send(ToCache::Begin { at, profiles }).unwrap();
            slices
                .into_iter()
                .for_each(|s| to_cache.send(ToCache::Some(s)).unwrap());
            to_cache.send(ToCache::End).unwrap();
            drop(to_cache);
            run(&inbox, &self.0);
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = Folder::new("again");
        assert!(read(&folder.0).devices.is_empty(), "a first start");
        folder.keep(vec![
            (0..10).map(memory).collect(),
            Vec::new(),
            (10..15).map(memory).collect(),
        ]);
        let read = read(&folder.0);
        assert_eq!((read.at, read.profiles, read.devices.len()), (Wall(1_000), 9, 15));
        let one = &read.devices["N-0000012"];
        assert_eq!(*one, memory(12));
        let line = serde_json::to_vec(one).unwrap();
        assert!(line.len() < 100, "{} octets a circuit", line.len());
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.0.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else reads it");
    }

    #[test]
    fn a_file_that_is_damaged_anywhere_is_not_used() {
        let folder = Folder::new("damaged");
        folder.keep(vec![(0..3).map(memory).collect()]);
        let good = std::fs::read(folder.0.join(FILE)).unwrap();
        assert_eq!(parse(&good).unwrap().devices.len(), 3);
        for end in 0..good.len() {
            assert!(parse(&good[..end]).is_err(), "cut after {end} octets");
        }
        for at in 0..good.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                assert!(parse(&bad).is_err(), "bit {bit:#x} of octet {at}");
            }
        }
        assert!(parse(b"").is_err() && parse(&[0; 4_096]).is_err());
    }

    #[test]
    fn a_copy_that_breaks_off_leaves_the_one_before() {
        let folder = Folder::new("breaks-off");
        folder.keep(vec![vec![memory(1)]]);
        let (to_cache, inbox) = sync_channel(64);
        let (at, profiles) = (Wall(2_000), 9);
        to_cache.send(ToCache::Begin { at, profiles }).unwrap();
        to_cache.send(ToCache::Some(vec![memory(2), memory(3)])).unwrap();
        drop(to_cache);
        run(&inbox, &folder.0);
        assert_eq!(read(&folder.0).at, Wall(1_000));
        // And a folder that is gone is no reason to end.
        let gone = Folder(folder.0.join("gone"));
        gone.keep(vec![vec![memory(1)]]);
        assert!(read(&gone.0).devices.is_empty());
    }
}
