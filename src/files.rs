//! Files that others gave: read within bounds of kind, size and time; and files that only their owner may read.
//!
//! A path of the configuration may name anything: a FIFO that nobody writes to, a device that never ends, a file of a network file
//! system that has stopped to answer. None of them may hold up a reload for good. I/O.
//!
//! Never here: what stands in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Longest wait for one file …
const PATIENCE: Duration = Duration::from_secs(10);
/// … and for each further one, while an earlier one has not ended.
const LITTLE: Duration = Duration::from_secs(1);
/// So many readings that do not end are left behind; beyond that none is begun.
const MOST_LEFT: usize = 4;
/// Most entries of a folder that are looked at.
const MOST_ENTRIES: usize = 100_000;

/// States of one reading: it runs, it has handed over its result, nobody waits for it any more.
const RUNS: u8 = 0;
const DONE: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Readings that were given up and have not ended.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// It is something else than a file with bytes in it.
    #[error("is not a file but {0}")]
    NotAFile(&'static str),
    /// More bytes than it may have.
    #[error("is longer than {} kB", .most / 1024)]
    TooLong {
        /// As many it may have.
        most: u64,
    },
    /// The system did not answer in time.
    #[error("was not read within {} s: does its file system (a network one?) answer?", PATIENCE.as_secs())]
    Hangs,
    /// The system's words.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NotRead {
    /// There is no such file.
    pub fn is_absent(&self) -> bool {
        matches!(self, NotRead::Io(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

/// What a file held when it was read.
#[derive(Debug)]
pub struct Content {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Reads a regular file of at most `most` bytes, within a bounded time.
pub fn read(path: &Path, most: u64) -> Result<Content, NotRead> {
    let path = path.to_owned();
    within(PATIENCE, move || read_now(&path, most))
}

/// The paths in a folder, in no order, within a bounded time.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, NotRead> {
    let folder = folder.to_owned();
    within(PATIENCE, move || {
        let entries = std::fs::read_dir(&folder)?.take(MOST_ENTRIES);
        Ok(entries.map(|e| Ok(e?.path())).collect::<io::Result<_>>()?)
    })
}

fn read_now(path: &Path, most: u64) -> Result<Content, NotRead> {
    // A FIFO would be waited for until somebody writes to it, unless it is said that we do not wait; to a file it is all the same.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let file = match file {
        Ok(file) => file,
        // A socket cannot be opened at all.
        Err(e) => match std::fs::metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => return Err(NotRead::NotAFile("a socket")),
            _ => return Err(e.into()),
        },
    };
    let meta = file.metadata()?;
    if let Some(other) = other_than_a_file(meta.file_type()) {
        return Err(NotRead::NotAFile(other));
    }
    if meta.len() > most {
        return Err(NotRead::TooLong { most });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    // Files of the kernel say that they are empty and are not; and a file may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(NotRead::TooLong { most });
    }
    Ok(Content {
        bytes,
        mode: meta.mode() & 0o7777,
    })
}

fn other_than_a_file(kind: std::fs::FileType) -> Option<&'static str> {
    match kind {
        k if k.is_file() => None,
        k if k.is_dir() => Some("a folder"),
        k if k.is_fifo() => Some("a FIFO"),
        k if k.is_socket() => Some("a socket"),
        k if k.is_char_device() || k.is_block_device() => Some("a device"),
        _ => Some("something else"),
    }
}

/// Does it on a thread of its own and waits for it so long; what takes longer is left behind, a few at most.
fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<T, NotRead> + Send + 'static,
) -> Result<T, NotRead> {
    let left = LEFT.load(Ordering::SeqCst);
    if left >= MOST_LEFT {
        return Err(NotRead::Hangs);
    }
    let patience = if left > 0 { patience.min(LITTLE) } else { patience };
    let (done, result) = sync_channel(1);
    let state = Arc::new(AtomicU8::new(RUNS));
    let of_thread = Arc::clone(&state);
    std::thread::Builder::new()
        .name("hinomi-file".to_owned())
        .spawn(move || {
            let _ = done.send(work());
            // Given up meanwhile: it is one fewer that hangs.
            if of_thread.swap(DONE, Ordering::SeqCst) == GIVEN_UP {
                LEFT.fetch_sub(1, Ordering::SeqCst);
            }
        })?;
    match result.recv_timeout(patience) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            LEFT.fetch_add(1, Ordering::SeqCst);
            if state.swap(GIVEN_UP, Ordering::SeqCst) == DONE {
                // It has ended in the same moment.
                LEFT.fetch_sub(1, Ordering::SeqCst);
                return result.try_recv().unwrap_or(Err(NotRead::Hangs));
            }
            Err(NotRead::Hangs)
        }
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("reading it broke off").into()),
    }
}

/// Opens a file to be written from its beginning that holds what is not for everybody: only its owner may read it.
///
/// One that others could read is replaced, not overwritten: who has it open would go on reading.
pub fn create_private(path: &Path) -> io::Result<File> {
    let new = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new() {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        result => return result,
    }
    let meta = std::fs::metadata(path)?;
    if let Some(other) = other_than_a_file(meta.file_type()) {
        return Err(io::Error::other(format!("it is not a file but {other}")));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        std::fs::remove_file(path)?;
        return new();
    }
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().write(true).custom_flags(nofollow).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("hinomi-files-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_files_of_a_bounded_size_are_read() {
        let folder = Folder::new("read");
        let at = |name: &str| folder.0.join(name);
        std::fs::write(at("file"), "twelve bytes").unwrap();
        let content = read(&at("file"), 12).unwrap();
        assert_eq!(content.bytes, b"twelve bytes");
        assert!(matches!(read(&at("file"), 11), Err(NotRead::TooLong { most: 11 })));
        assert!(read(&at("absent"), 11).unwrap_err().is_absent());
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, what) in [
            (at("fifo"), "a FIFO"),
            (at("socket"), "a socket"),
            (folder.0.clone(), "a folder"),
            (PathBuf::from("/dev/zero"), "a device"),
        ] {
            let told = read(&path, 100).unwrap_err().to_string();
            assert_eq!(told, format!("is not a file but {what}"));
        }
        assert!(list(&folder.0).unwrap().contains(&at("file")));
        // A file of the kernel has no length and yet an end.
        assert!(!read(Path::new("/proc/self/status"), 100_000).unwrap().bytes.is_empty());
    }

    #[test]
    fn what_does_not_end_is_left_behind_and_the_next_one_is_read() {
        let (go, wait) = sync_channel::<()>(0);
        let hung = within(Duration::from_millis(50), move || {
            let _ = wait.recv();
            Ok(())
        });
        assert!(matches!(hung, Err(NotRead::Hangs)));
        assert!(within(Duration::from_secs(5), || Ok(1)).is_ok());
        drop(go);
    }

    #[test]
    fn a_private_file_is_private_whatever_stood_there() {
        let folder = Folder::new("private");
        let path = folder.0.join("record");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        create_private(&path).unwrap().write_all(b"long, old").unwrap();
        assert_eq!(mode(), 0o600);
        create_private(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!((mode(), std::fs::read(&path).unwrap()), (0o600, b"new".to_vec()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut who_looked = File::open(&path).unwrap();
        create_private(&path).unwrap().write_all(b"secret").unwrap();
        assert_eq!((mode(), std::fs::read(&path).unwrap()), (0o600, b"secret".to_vec()));
        let mut seen = String::new();
        who_looked.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "new", "who had it open sees nothing of what came after");
        assert!(create_private(Path::new("/dev/null")).is_err());
        assert!(create_private(&folder.0).is_err());
    }
}
