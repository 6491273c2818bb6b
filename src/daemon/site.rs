//! Reading the configuration for the daemon and for commands that work without it.

use super::keep;
use crate::config::{self, Found, Host, Loaded, NotFound, SecretFrom, Severity, SourceFile, Surroundings};
use crate::model::Site;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A checked configuration and the files it came from.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) site: Arc<Site>,
    pub(super) files: Vec<PathBuf>,
    /// The CSV files and vendor profiles they name.
    pub(super) tables: Vec<PathBuf>,
    pub(super) warnings: usize,
}

/// Loads and checks a configuration; `Err` holds every error in it, worded for people.
pub fn load(path: &Path) -> Result<Arc<Site>, String> {
    read(path).map(|r| r.site)
}

/// The same on a machine that has none of its secrets: good for everything but speaking to somebody.
pub fn load_without_secrets(path: &Path) -> Result<Arc<Site>, String> {
    taken(config::load_with(path, &Host::new().without_secrets())).map(|r| r.site)
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
    let (tables, files): (Vec<_>, Vec<_>) = kept.into_iter().partition(|k| k.table);
    let files: Vec<SourceFile> = files
        .into_iter()
        .map(|k| SourceFile {
            path: k.path,
            text: k.text,
            private: k.private,
        })
        .collect();
    let around = KeptTables {
        host: Host::new(),
        tables: tables.into_iter().map(|k| (k.path, k.text)).collect(),
    };
    taken(config::check(&files, &around)).map(|r| r.site)
}

/// This host, with the CSV files and vendor profiles as they were when they were last good.
struct KeptTables {
    host: Host,
    tables: BTreeMap<PathBuf, String>,
}

impl Surroundings for KeptTables {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        self.host.secret(from)
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        let kept = self.tables.get(path);
        kept.cloned().ok_or_else(|| not_kept(path))
    }

    fn zone(&self, name: &str) -> Result<u32, NotFound> {
        self.host.zone(name)
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        self.host.certificates(path)
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound> {
        let kept = self.tables.iter();
        let here =
            kept.filter(|(path, _)| path.parent() == Some(folder) && path.extension().is_some_and(|e| e == "toml"));
        let files: Vec<SourceFile> = here
            .map(|(path, text)| SourceFile {
                path: path.clone(),
                text: text.clone(),
                private: false,
            })
            .collect();
        match files.is_empty() {
            true => Err(not_kept(folder)),
            false => Ok(files),
        }
    }
}

fn not_kept(path: &Path) -> NotFound {
    NotFound {
        what: format!("was not kept: {}", path.display()),
        hint: "the next start of the daemon keeps it".to_owned(),
    }
}

fn taken(loaded: Loaded) -> Result<Read, String> {
    let doubts = loaded.problems.iter().filter(|p| p.severity == Severity::Warning);
    let warnings = doubts.count();
    match loaded.site {
        Some(site) => Ok(Read {
            site: Arc::new(site),
            files: loaded.files,
            tables: loaded.tables,
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
