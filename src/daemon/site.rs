//! Reading the configuration for the daemon and for commands that work without it.

use super::keep;
use crate::config::{self, Host, Loaded, Severity, SourceFile};
use crate::model::Site;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A checked configuration and the files it came from.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) site: Arc<Site>,
    pub(super) files: Vec<PathBuf>,
    pub(super) warnings: usize,
}

/// Loads and checks a configuration; `Err` holds every error in it, worded for people.
pub fn load(path: &Path) -> Result<Arc<Site>, String> {
    read(path).map(|r| r.site)
}

/// The same, with the files.
pub(super) fn read(path: &Path) -> Result<Read, String> {
    taken(config::load(path))
}

/// The configuration that was last good, from the copy in the state directory. Secrets are looked up where it says.
pub fn load_last_good(state: &Path) -> Result<Arc<Site>, String> {
    let Some(kept) = keep::kept(state) else {
        return Err(format!("{} has none", state.display()));
    };
    let files: Vec<SourceFile> = kept
        .into_iter()
        .map(|k| SourceFile {
            path: k.path,
            text: k.text,
            private: k.private,
        })
        .collect();
    taken(config::check(&files, &Host::new())).map(|r| r.site)
}

fn taken(loaded: Loaded) -> Result<Read, String> {
    let doubts = loaded.problems.iter().filter(|p| p.severity == Severity::Warning);
    let warnings = doubts.count();
    match loaded.site {
        Some(site) => Ok(Read {
            site: Arc::new(site),
            files: loaded.files,
            warnings,
        }),
        None => {
            let errors = loaded.problems.iter().filter(|p| p.severity == Severity::Error);
            Err(errors
                .map(ToString::to_string)
                .collect::<String>()
                .trim_end()
                .to_owned())
        }
    }
}
