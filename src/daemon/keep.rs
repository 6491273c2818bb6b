//! What an emergency mail needs, kept at every configuration that was taken: the files themselves, readable by the owner only.
//!
//! `hinomi alarm` reads the copy when the present files are broken. No secret that lives outside of the files is copied: it is
//! looked up again where the files say, relative to where they stood.

use super::words::Word;
use crate::files;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const FOLDER: &str = "last-good";
const INDEX: &str = "files.json";
/// Longest file that is kept: what the configuration takes.
const MOST: u64 = 512 * 1024 * 1024;

/// One kept file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it stood, absolute.
    pub path: PathBuf,
    /// What stood in it.
    pub text: String,
    /// Only its owner could read it: secrets written in it count.
    pub private: bool,
    /// A file that another one names: a CSV file, a vendor profile.
    #[serde(default)]
    pub table: bool,
}

/// Keeps the files of a configuration that was just taken. A failure is logged: it does not stop the watch.
pub(super) fn keep(files: &[PathBuf], tables: &[PathBuf], state: &Path) {
    let folder = state.join(FOLDER);
    if let Err(error) = write(files, tables, &folder) {
        Word::LastGoodNotKept {
            at: folder,
            error: error.to_string(),
        }
        .log();
    }
}

fn write(files: &[PathBuf], tables: &[PathBuf], folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let all = files
        .iter()
        .map(|path| read(path, false))
        .chain(tables.iter().map(|path| read(path, true)));
    let kept: Vec<Kept> = all.collect::<std::io::Result<_>>()?;
    let temporary = folder.join(".files.json");
    // A left-over of an interrupted write may have other rights.
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(&kept)?)?;
    file.sync_all()?;
    std::fs::rename(temporary, folder.join(INDEX))
}

fn read(path: &Path, table: bool) -> std::io::Result<Kept> {
    // They were read a moment ago, and may be something else by now.
    let content = files::read(path, MOST).map_err(std::io::Error::other)?;
    Ok(Kept {
        path: std::path::absolute(path)?,
        text: String::from_utf8(content.bytes).map_err(std::io::Error::other)?,
        private: content.mode & 0o077 == 0,
        table,
    })
}

/// The copy in a state directory, if there is one.
pub fn kept(state: &Path) -> Option<Vec<Kept>> {
    let text = std::fs::read(state.join(FOLDER).join(INDEX)).ok()?;
    serde_json::from_slice(&text).ok()
}
