//! Reads the configuration from this host: the file, `conf.d/*.toml` beside it, CSV files, secrets, certificates.
//!
//! The only part of `config` with I/O. Never here: what a key means.

use super::credentials::Credentials;
use super::report::Problem;
use super::{Found, Loaded, NotFound, SecretFrom, SourceFile, Surroundings, check, values};
use crate::files::{self, NotRead};
use crate::model::{HostAddress, Secret};
use std::path::{Path, PathBuf};

/// Longest file that is read: anything longer is no configuration. Devices and circuits by the thousand stand in CSV files.
const MOST: u64 = 16 * 1024 * 1024;
/// Longest file with a secret.
const MOST_SECRET: u64 = 64 * 1024;
/// Longest file with certificates: all authorities of a host have some 200 kB.
const MOST_CERTIFICATES: u64 = 16 * 1024 * 1024;
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
    let mut more = match toml_files(&folder) {
        Ok(more) => more,
        Err(e) if e.is_absent() => return all,
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
    more.sort();
    all.extend(more);
    all
}

/// The files `*.toml` of a folder that are not hidden.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, NotRead> {
    let shown = |path: &PathBuf| {
        let hidden = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().first() == Some(&b'.'));
        !hidden && path.extension().is_some_and(|e| e == "toml")
    };
    Ok(files::list(folder)?.into_iter().filter(shown).collect())
}

fn rights_hint() -> String {
    "the user that runs hinomi must be able to read it; in a shell, try again with sudo".to_string()
}

/// What was in the way, to follow "cannot be read: ".
fn words(e: &NotRead) -> String {
    match e {
        NotRead::Io(e) => match e.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_string(),
            std::io::ErrorKind::PermissionDenied => "this user may not read it".to_string(),
            _ => e.to_string(),
        },
        other => format!("it {other}"),
    }
}

fn read(path: &Path) -> Result<SourceFile, Box<Problem>> {
    let shown = path.display().to_string();
    let content = files::read(path, MOST).map_err(|e| match e {
        NotRead::NotAFile(_) => {
            let hint = "name the main file, such as /etc/hinomi/hinomi.toml".to_string();
            Problem::boxed(shown.clone(), e.to_string(), Some(hint))
        }
        NotRead::TooLong { .. } => {
            let hint = "devices, circuits and contacts by the thousand stand in CSV files beside it".to_string();
            Problem::boxed(shown.clone(), format!("{e}, which is no configuration"), Some(hint))
        }
        e => {
            let hint = match e.is_absent() {
                true => "is the path right? `hinomi init` writes a small site to start from".to_string(),
                false => rights_hint(),
            };
            Problem::boxed(shown.clone(), format!("cannot be read: {}", words(&e)), Some(hint))
        }
    })?;
    let text = as_text(content.bytes).map_err(|(what, encoding)| {
        let hint = format!("save it as UTF-8, in an editor or by: iconv -f {encoding} -t UTF-8 OLD > NEW");
        Problem::boxed(shown, what, Some(hint))
    })?;
    Ok(SourceFile {
        path: path.to_path_buf(),
        text,
        private: content.mode & 0o077 == 0,
    })
}

/// This host: credentials given by systemd, files, the environment.
#[derive(Clone, Debug)]
pub struct Host {
    /// Where credentials are looked for.
    credentials: Credentials,
    /// Secrets are read (else taken as present).
    secrets: bool,
}

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

impl Host {
    /// Credentials as systemd gives them to this process, or, in a shell, to the unit.
    pub fn new() -> Host {
        Host {
            credentials: Credentials::of_this_process(),
            secrets: true,
        }
    }

    /// Takes every secret as present without looking, to check a file on a machine that has none of them.
    #[must_use]
    pub fn without_secrets(mut self) -> Host {
        self.secrets = false;
        self
    }

    fn credential(&self, name: &str) -> Result<Found, NotFound> {
        for path in self.credentials.paths(name) {
            match secret_file(&path) {
                Ok((secret, _)) => return Ok(found(secret, None)),
                Err(e) if e.is_absent() => {}
                Err(e) => {
                    let denied = matches!(&e, NotRead::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied);
                    return Err(NotFound {
                        what: format!("cannot be read: credential `{name}` in {}: {}", path.display(), words(&e)),
                        hint: match denied {
                            true => "it is root's alone: try again with sudo; to check without secrets: hinomi check --no-secrets",
                            false => "to check without secrets: hinomi check --no-secrets",
                        }
                        .to_string(),
                    });
                }
            }
        }
        Err(NotFound {
            what: format!(
                "cannot be read: no credential `{name}` in {}",
                self.credentials.looked()
            ),
            hint: self.credentials.remedy(name),
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
                let (secret, mode) =
                    secret_file(path).map_err(|e| not_found(format!("cannot be read: {shown}: {}", words(&e))))?;
                let doubt = format!("lies in a file that everybody can read: {shown}");
                Ok(found(secret, (mode & 0o004 != 0).then_some(doubt)))
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

    fn zone(&self, name: &str) -> Result<u32, NotFound> {
        nix::net::if_::if_nametoindex(name).map_err(|_| NotFound {
            what: format!("is on a network device that this host does not have: \"{name}\""),
            hint: "the name or the number of a network device, as `ip link` shows it".to_string(),
        })
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        let shown = path.display();
        let hint = "a PEM file with the certificate of the authority that signs the relay's".to_string();
        match files::read(path, MOST_CERTIFICATES).map(|c| c.bytes) {
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
        let mut paths =
            toml_files(folder).map_err(|e| wrong(format!("cannot be read: {}: {}", folder.display(), words(&e))))?;
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
    let content = files::read(path, MOST_TABLE).map_err(|e| match e {
        NotRead::NotAFile(_) => fail(e.to_string(), "name a CSV file"),
        NotRead::TooLong { .. } => fail(
            format!("{e}, which is no list of circuits"),
            "cut it into several files",
        ),
        e => NotFound {
            what: format!("cannot be read: {shown}: {}", words(&e)),
            hint: match e.is_absent() {
                true => "relative paths start at the folder of the file they stand in".to_string(),
                false => rights_hint(),
            },
        },
    })?;
    as_text(content.bytes).map_err(|(what, encoding)| {
        let hint =
            format!("in Excel, save it as \"CSV UTF-8\"; or on this host: iconv -f {encoding} -t UTF-8 OLD > NEW");
        fail(what, &hint)
    })
}

/// Bytes as text; or what they seem to be instead, and what iconv calls that.
fn as_text(bytes: Vec<u8>) -> Result<String, (String, &'static str)> {
    // A mark at the beginning, or every other byte zero.
    if let Some((name, encoding)) = wide(&bytes) {
        return Err((format!("is not UTF-8 but {name}"), encoding));
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains("\u{1b}$B") || text.contains("\u{1b}$@") => Err((
            "is not UTF-8 but seems to be ISO-2022-JP (JIS)".to_string(),
            "ISO-2022-JP",
        )),
        Ok(text) if text.contains('\0') => {
            let line = line_of(text.as_bytes(), text.find('\0').unwrap_or(0));
            Err((
                format!("is not a text: it has bytes of zero from line {line} on"),
                "UTF-16",
            ))
        }
        Ok(text) => Ok(text),
        Err(e) => {
            let good = e.utf8_error().valid_up_to();
            let line = line_of(e.as_bytes(), good);
            // The bytes before are ASCII or UTF-8 by luck; what follows tells.
            Err(match (is_euc_jp(e.as_bytes()), is_shift_jis(e.as_bytes())) {
                (true, _) => (
                    format!("is not UTF-8 but seems to be EUC-JP (from line {line} on)"),
                    "EUC-JP",
                ),
                (false, true) => (
                    format!("is not UTF-8 but seems to be Shift_JIS (from line {line} on)"),
                    "CP932",
                ),
                (false, false) => (format!("is not UTF-8 from line {line} on"), "CP932"),
            })
        }
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1
}

/// UTF-16 or UTF-32: by its mark, or by zeros beside most of the first characters.
fn wide(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const SAMPLE: usize = 64;
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", "UTF-32")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(("UTF-16 (\"Unicode text\")", "UTF-16")),
        _ => {}
    }
    let pairs = || bytes.chunks_exact(2).take(SAMPLE);
    let most = |wanted: &dyn Fn(&[u8]) -> bool| {
        pairs().count() > 4 && 2 * pairs().filter(|p| wanted(p)).count() > pairs().count()
    };
    if most(&|p| p[0] != 0 && p[1] == 0) {
        return Some(("UTF-16 without a mark at its beginning", "UTF-16LE"));
    }
    most(&|p| p[0] == 0 && p[1] != 0).then_some(("UTF-16 without a mark at its beginning", "UTF-16BE"))
}

/// Does all of it read as EUC-JP? Two bytes from 0xa1, half-width kana behind 0x8e, JIS X 0212 behind 0x8f.
fn is_euc_jp(bytes: &[u8]) -> bool {
    let high = |b: Option<&u8>| b.is_some_and(|b| (0xa1..=0xfe).contains(b));
    let mut i = 0;
    while let Some(b) = bytes.get(i) {
        i += match b {
            0..=0x7f => 1,
            0x8e if bytes.get(i + 1).is_some_and(|b| (0xa1..=0xdf).contains(b)) => 2,
            0x8f if high(bytes.get(i + 1)) && high(bytes.get(i + 2)) => 3,
            0xa1..=0xfe if high(bytes.get(i + 1)) => 2,
            _ => return false,
        };
    }
    true
}

/// Does all of it read as Shift_JIS (CP932)? Half-width kana alone, else a lead byte and one that follows it.
fn is_shift_jis(bytes: &[u8]) -> bool {
    let mut i = 0;
    while let Some(b) = bytes.get(i) {
        let follows = matches!(bytes.get(i + 1), Some(0x40..=0x7e | 0x80..=0xfc));
        i += match b {
            0..=0x7f | 0xa1..=0xdf => 1,
            0x81..=0x9f | 0xe0..=0xfc if follows => 2,
            _ => return false,
        };
    }
    true
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

/// The bytes of a file without the end of its last line, and its permission bits.
fn secret_file(path: &Path) -> Result<(Secret, u32), NotRead> {
    let files::Content { mut bytes, mode } = files::read(path, MOST_SECRET)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(std::io::Error::other("the file is empty").into());
    }
    Ok((Secret::new(bytes), mode))
}

/// A literal address as it is written on a command line, or in words what is wrong with it.
pub fn host_address(text: &str) -> Result<HostAddress, String> {
    let host = Host::new();
    values::host_address(text, &|name| host.zone(name)).map_err(|r| format!("{}: {}", r.what, r.hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf_8_is_called_by_its_name() {
        let told = |bytes: &[u8]| as_text(bytes.to_vec()).unwrap_err().0;
        let utf16 =
            |order: fn(u16) -> [u8; 2]| "name = \"x\"\n東京".encode_utf16().flat_map(order).collect::<Vec<u8>>();
        for (bytes, is) in [
            (
                [&[0xff, 0xfe], utf16(u16::to_le_bytes).as_slice()].concat(),
                "UTF-16 (\"Unicode text\")",
            ),
            (
                [&[0xfe, 0xff], utf16(u16::to_be_bytes).as_slice()].concat(),
                "UTF-16 (\"Unicode text\")",
            ),
            (utf16(u16::to_le_bytes), "UTF-16 without a mark"),
            (utf16(u16::to_be_bytes), "UTF-16 without a mark"),
            (b"a = 1\n\x93\x8c\x8b\x9e".to_vec(), "Shift_JIS (from line 2 on)"),
            (b"a,\xb1\xb2\xb3\n\x93\x8c".to_vec(), "Shift_JIS (from line 1 on)"),
            (b"a = 1\n\xc5\xec\xb5\xfe".to_vec(), "EUC-JP (from line 2 on)"),
            (b"a = 1\n\x1b$BElJ|".to_vec(), "ISO-2022-JP"),
            (b"a = 1\n\0\0\0\0".to_vec(), "zero from line 2 on"),
        ] {
            assert!(told(&bytes).contains(is), "{}: {is}", told(&bytes));
        }
        assert_eq!(told(b"caf\xe9 \xff"), "is not UTF-8 from line 1 on");
        assert_eq!(as_text("東京".into()).unwrap(), "東京");
    }
}
