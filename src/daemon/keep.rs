//! What an emergency mail needs, kept at every configuration that was taken: the files themselves, readable by the owner only.
//!
//! `hinomi alarm` reads the copy when the present files are broken. No secret that lives outside of the files is copied: it is
//! looked up again where the files say, relative to where they stood.

use super::words::Word;
use crate::model::Site;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const FOLDER: &str = "last-good";
const INDEX: &str = "files.json";

/// One kept file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it stood, absolute.
    pub path: PathBuf,
    /// What stood in it.
    pub text: String,
}

/// Keeps the files of a configuration that was just taken. A failure is logged: it does not stop the watch.
pub(super) fn keep(config: &Path, site: &Site) {
    let folder = site.daemon.state.join(FOLDER);
    if let Err(error) = write(config, &folder) {
        Word::LastGoodNotKept {
            at: folder,
            error: error.to_string(),
        }
        .log();
    }
}

fn write(config: &Path, folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let kept: Vec<Kept> = files(config)?
        .into_iter()
        .map(|path| {
            Ok(Kept {
                text: std::fs::read_to_string(&path)?,
                path,
            })
        })
        .collect::<std::io::Result<_>>()?;
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

/// The files a configuration consists of: itself, then `conf.d/*.toml` beside it, sorted.
pub fn files(config: &Path) -> std::io::Result<Vec<PathBuf>> {
    let config = std::path::absolute(config)?;
    let mut parts = Vec::new();
    if let Ok(folder) = std::fs::read_dir(config.with_file_name("conf.d")) {
        parts = folder
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "toml"))
            .collect();
        parts.sort();
    }
    parts.insert(0, config);
    Ok(parts)
}

/// The copy in a state directory, if there is one.
pub fn kept(state: &Path) -> Option<Vec<Kept>> {
    let text = std::fs::read(state.join(FOLDER).join(INDEX)).ok()?;
    serde_json::from_slice(&text).ok()
}
