//! From TOML to a checked [`crate::model::Site`]: all mistakes at once, each with its place.
//!
//! Text becomes a tree with places (`raw`), the tree is walked by typed readers that know every key (`reader`, `values`), each section
//! is checked in a file of its own (`check`), vendor profiles likewise (`profile`), problems are worded and secrets blanked
//! (`report`, `mask`). The many (circuits, devices, contacts) stand in CSV files (`csv`). What lies outside of the text (secrets,
//! certificates, profile files, those CSV files) is asked of [`Surroundings`]. Only `load` reads files.
//!
//! Never here: what is done with a site. Nothing is "parsed later": past this module every value is checked.

mod check;
mod credentials;
mod csv;
mod hours;
mod load;
mod lookalike;
mod mask;
mod names;
mod profile;
mod raw;
mod reader;
mod report;
mod values;

pub use check::check;
pub use check::maintenance::moment_in_words as moment;
/// The operator's time zone where nothing is written.
pub const DEFAULT_ZONE: &str = check::operator::DEFAULT_ZONE;
/// The state directory where nothing is written: the one that systemd makes for the unit.
pub const DEFAULT_STATE: &str = "/var/lib/hinomi";

pub use load::{Host, host_address, load, load_with};
pub use profile::{builtin_problems, builtin_profiles};
pub use raw::SourceFile;
pub use report::{Problem, Severity};

use crate::model::{Secret, Site};
use std::path::{Path, PathBuf};

/// What came of a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// Present if and only if no problem is an error.
    pub site: Option<Site>,
    /// Everything that is wrong or doubtful, in the order of the files.
    pub problems: Vec<Problem>,
    /// The files of the configuration itself that were read, in order.
    pub files: Vec<PathBuf>,
    /// The files that these name and that were read: CSV files, vendor profiles.
    pub tables: Vec<PathBuf>,
}

impl Loaded {
    /// Any error among the problems?
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }
}

/// Where a secret lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// `{ credential = "name" }`: a systemd credential.
    Credential(String),
    /// `{ file = "path" }`, already resolved against the file it stands in.
    File(PathBuf),
    /// `{ env = "NAME" }`.
    Env(String),
}

/// A secret that was found, or not looked for.
#[derive(Debug)]
pub struct Found {
    /// `None`: secrets are not read this time (`hinomi check --no-secrets`).
    pub secret: Option<Secret>,
    /// Something doubtful about it, such as a file that everybody can read.
    pub doubt: Option<String>,
}

/// Why something outside of the text is not at hand.
#[derive(Clone, Debug)]
pub struct NotFound {
    /// Where was looked and what was there, to follow the name of the key.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// What lies outside of the text. The shell reads the host; tests give dummies.
pub trait Surroundings {
    /// Reads a secret, or says where it looked and why that failed. Never with the secret in the words.
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound>;

    /// Reads a CSV file (circuits, devices, contacts, holidays), or says why that failed.
    fn table(&self, path: &Path) -> Result<String, NotFound>;

    /// The index of a network device of this host, for the zone of a link-local address (`fe80::1%eth0`).
    fn zone(&self, name: &str) -> Result<u32, NotFound> {
        Err(NotFound {
            what: format!("has a zone that is not looked for here: \"{name}\""),
            hint: "write the number of the network device, as `ip link` shows it".to_owned(),
        })
    }

    /// Makes sure that a PEM file with certificates is there.
    fn certificates(&self, path: &Path) -> Result<(), NotFound>;

    /// Reads the profile files of a folder (`*.toml`), by name.
    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound>;
}
