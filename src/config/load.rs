//! Reads the configuration from this host: the file, `conf.d/*.toml` beside it, CSV files, secrets, certificates.
//!
//! The only part of `config` with I/O. Never here: what a key means.

use super::report::Problem;
use super::{Found, Loaded, NotFound, SecretFrom, SourceFile, Surroundings, check};
use crate::model::Secret;
use std::path::{Path, PathBuf};

/// Longest file that is read: anything longer is no configuration.
const MOST: u64 = 64 * 1024 * 1024;
/// Longest CSV file that is read: a nation of circuits has some 40 MB.
const MOST_TABLE: u64 = 512 * 1024 * 1024;

/// Reads and checks a configuration with its secrets. Never panics, never stops at the first mistake.
pub fn load(path: &Path) -> Loaded {
    load_with(path, &Host::new())
}

/// The same, with secrets and certificates from elsewhere.
pub fn load_with(path: &Path, around: &dyn Surroundings) -> Loaded {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths(path, &mut problems) {
        match read(&path) {
            Ok(file) => files.push(file),
            Err(problem) => problems.push(*problem),
        }
    }
    if files.is_empty() {
        return Loaded {
            site: None,
            problems,
            files: Vec::new(),
            tables: Vec::new(),
        };
    }
    let mut loaded = check(&files, around);
    if !problems.is_empty() {
        // What stands in the files that could not be read is not missing: only what was seen counts.
        loaded.site = None;
        loaded.problems.retain(|p| !p.may_be_elsewhere);
        loaded.problems.splice(0..0, problems);
    }
    loaded
}

/// The main file, then `conf.d/*.toml` beside it, by name.
fn paths(main: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut all = vec![main.to_path_buf()];
    let folder = main
        .parent()
        .map_or_else(|| PathBuf::from("conf.d"), |p| p.join("conf.d"));
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return all,
        Err(e) => {
            let what = format!("this folder cannot be read: {}", words(&e));
            problems.push(Problem::of_file(
                folder.display().to_string(),
                what,
                Some(rights_hint()),
            ));
            return all;
        }
    };
    let mut more: Vec<PathBuf> = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let hidden = entry.file_name().as_encoded_bytes().first() == Some(&b'.');
                let path = entry.path();
                if !hidden && path.extension().is_some_and(|e| e == "toml") {
                    more.push(path);
                }
            }
            Err(e) => {
                let what = format!("this folder cannot be read to its end: {e}");
                problems.push(Problem::of_file(folder.display().to_string(), what, None));
            }
        }
    }
    more.sort();
    all.extend(more);
    all
}

fn rights_hint() -> String {
    "the user that runs hinomi must be able to read it".to_string()
}

/// The operating system's words, without its numbers.
fn words(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_string(),
        std::io::ErrorKind::PermissionDenied => "this user may not read it".to_string(),
        _ => e.to_string(),
    }
}

fn read(path: &Path) -> Result<SourceFile, Box<Problem>> {
    let shown = path.display().to_string();
    let fail = |e: std::io::Error| {
        let hint = match e.kind() {
            std::io::ErrorKind::NotFound => {
                "is the path right? examples/small.toml is a file to start from".to_string()
            }
            _ => rights_hint(),
        };
        Problem::boxed(shown.clone(), format!("cannot be read: {}", words(&e)), Some(hint))
    };
    let meta = std::fs::metadata(path).map_err(fail)?;
    if !meta.is_file() {
        let what = "is not a file".to_string();
        return Err(Problem::boxed(
            shown,
            what,
            Some("name the main file, such as /etc/hinomi/hinomi.toml".to_string()),
        ));
    }
    if meta.len() > MOST {
        return Err(Problem::boxed(
            shown,
            format!("is {} bytes long, which is no configuration", meta.len()),
            None,
        ));
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let what = format!("is not UTF-8 from line {line} on");
        Problem::boxed(
            shown,
            what,
            Some("save it as UTF-8 (iconv -f SHIFT_JIS -t UTF-8, if it was written so)".to_string()),
        )
    })?;
    Ok(SourceFile {
        path: path.to_path_buf(),
        text,
        private: !others_can_read(&meta),
    })
}

fn others_can_read(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o077 != 0
}

/// This host: credentials given by systemd, files, the environment.
#[derive(Clone, Debug)]
pub struct Host {
    /// Where credentials lie; the first folder that has one counts.
    folders: Vec<PathBuf>,
    /// Secrets are read (else taken as present).
    secrets: bool,
}

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

impl Host {
    /// Credentials from `$CREDENTIALS_DIRECTORY` where systemd set it, else from the folders in which systemd looks.
    pub fn new() -> Host {
        let folders = match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => vec![PathBuf::from(folder)],
            None => vec![PathBuf::from("/etc/credstore"), PathBuf::from("/run/credstore")],
        };
        Host { folders, secrets: true }
    }

    /// Takes every secret as present without looking, to check a file on a machine that has none of them.
    #[must_use]
    pub fn without_secrets(mut self) -> Host {
        self.secrets = false;
        self
    }

    fn credential(&self, name: &str) -> Result<Found, NotFound> {
        for folder in &self.folders {
            match secret_file(&folder.join(name)) {
                Ok(secret) => return Ok(found(secret, None)),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => {
                    return Err(not_found(format!(
                        "cannot be read: credential `{name}` in {}: {}",
                        folder.display(),
                        words(&e)
                    )));
                }
            }
        }
        let looked: Vec<String> = self.folders.iter().map(|f| f.display().to_string()).collect();
        Err(NotFound {
            what: format!("cannot be read: no credential `{name}` in {}", looked.join(" or ")),
            hint: format!(
                "in the unit: LoadCredential={name}:PATH; to check without secrets: hinomi check --no-secrets"
            ),
        })
    }
}

impl Surroundings for Host {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        if !self.secrets {
            return Ok(Found {
                secret: None,
                doubt: None,
            });
        }
        match from {
            SecretFrom::Credential(name) => self.credential(name),
            SecretFrom::File(path) => {
                let shown = path.display();
                let secret =
                    secret_file(path).map_err(|e| not_found(format!("cannot be read: {shown}: {}", words(&e))))?;
                let open = std::fs::metadata(path).is_ok_and(|m| everybody_can_read(&m));
                Ok(found(
                    secret,
                    open.then(|| format!("lies in a file that everybody can read: {shown}")),
                ))
            }
            SecretFrom::Env(name) => match std::env::var_os(name) {
                Some(value) if !value.is_empty() => Ok(found(Secret::new(value.as_encoded_bytes()), None)),
                Some(_) => Err(not_found(format!("is empty: {name} in the environment"))),
                None => Err(not_found(format!("cannot be read: no {name} in the environment"))),
            },
        }
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        table(path)
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        let shown = path.display();
        let hint = "a PEM file with the certificate of the authority that signs the relay's".to_string();
        match std::fs::read(path) {
            Ok(bytes) if bytes.windows(27).any(|w| w == b"-----BEGIN CERTIFICATE-----") => Ok(()),
            Ok(_) => Err(NotFound {
                what: format!("has no certificate in it: {shown}"),
                hint,
            }),
            Err(e) => Err(NotFound {
                what: format!("cannot be read: {shown}: {}", words(&e)),
                hint,
            }),
        }
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound> {
        let hint = "a folder with profile files (*.toml); the README says what stands in one".to_string();
        let wrong = |what: String| NotFound {
            what,
            hint: hint.clone(),
        };
        let cannot = |e: std::io::Error| wrong(format!("cannot be read: {}: {}", folder.display(), words(&e)));
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let hidden = path
                .file_name()
                .is_some_and(|n| n.as_encoded_bytes().first() == Some(&b'.'));
            if !hidden && path.extension().is_some_and(|e| e == "toml") {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            return Err(wrong(format!(
                "has no profile file (*.toml) in it: {}",
                folder.display()
            )));
        }
        paths.sort();
        let read = |path: PathBuf| read(&path).map_err(|p| wrong(format!("cannot be used: {}: {}", p.file, p.what)));
        paths.into_iter().map(read).collect()
    }
}

/// A CSV file as text.
fn table(path: &Path) -> Result<String, NotFound> {
    let shown = path.display();
    let fail = |what: String, hint: &str| NotFound {
        what: format!("{what}: {shown}"),
        hint: hint.to_string(),
    };
    let readable = "the user that runs hinomi must be able to read it";
    let words = |e: std::io::Error| NotFound {
        what: format!("cannot be read: {shown}: {}", words(&e)),
        hint: match e.kind() {
            std::io::ErrorKind::NotFound => "relative paths start at the folder of the file they stand in".to_string(),
            _ => readable.to_string(),
        },
    };
    let meta = std::fs::metadata(path).map_err(words)?;
    if !meta.is_file() {
        return Err(fail("is not a file".to_string(), "name a CSV file"));
    }
    if meta.len() > MOST_TABLE {
        return Err(fail(
            format!("is {} bytes long, which is no list of circuits", meta.len()),
            "cut it into several files",
        ));
    }
    let bytes = std::fs::read(path).map_err(words)?;
    String::from_utf8(bytes).map_err(|e| {
        let (what, hint) = not_utf8(e.as_bytes(), e.utf8_error().valid_up_to());
        fail(what, hint)
    })
}

/// What a file that is not UTF-8 seems to be, and how it becomes UTF-8.
fn not_utf8(bytes: &[u8], good: usize) -> (String, &'static str) {
    const EXCEL: &str = "in Excel, save it as \"CSV UTF-8\"; or on this host: iconv -f CP932 -t UTF-8 OLD > NEW";
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let hint = "in Excel, save it as \"CSV UTF-8\"; or on this host: iconv -f UTF-16 -t UTF-8 OLD > NEW";
        return ("is not UTF-8 but UTF-16 (\"Unicode text\")".to_string(), hint);
    }
    let line = bytes.iter().take(good).filter(|b| **b == b'\n').count() + 1;
    let (lead, trail) = (
        bytes.get(good).copied().unwrap_or(0),
        bytes.get(good + 1).copied().unwrap_or(0),
    );
    let double = matches!(lead, 0x81..=0x9f | 0xe0..=0xfc) && matches!(trail, 0x40..=0x7e | 0x80..=0xfc);
    if double || matches!(lead, 0xa1..=0xdf) {
        return (
            format!("is not UTF-8 but seems to be Shift_JIS (from line {line} on)"),
            EXCEL,
        );
    }
    (format!("is not UTF-8 from line {line} on"), EXCEL)
}

fn found(secret: Secret, doubt: Option<String>) -> Found {
    Found {
        secret: Some(secret),
        doubt,
    }
}

fn not_found(what: String) -> NotFound {
    NotFound {
        what,
        hint: "to check without secrets: hinomi check --no-secrets".to_string(),
    }
}

fn everybody_can_read(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o004 != 0
}

/// The bytes of a file without the end of its last line.
fn secret_file(path: &Path) -> std::io::Result<Secret> {
    let mut bytes = std::fs::read(path)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(std::io::Error::other("the file is empty"));
    }
    Ok(Secret::new(bytes))
}
