//! Where the credentials lie that systemd hands to hinomi.service: for the daemon in one folder, and for whoever checks or probes from a
//! shell in the places that the unit names, so that `hinomi check` says the same in a shell as under systemd.
//!
//! Reads unit files. Never here: the secret itself.

use std::path::{Path, PathBuf};

/// The unit whose credentials they are.
const UNIT: &str = "hinomi.service";
/// Before the name of a file in a folder that the unit loads whole: `LoadCredential=hinomi:/etc/hinomi/secrets`.
const PREFIX: &str = "hinomi_";
/// Folders with units, the one that wins first.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// The folder that the unit loads as it is shipped, where no unit is installed, and those in which systemd looks by itself.
const STORES: [&str; 3] = ["/etc/hinomi/secrets", "/etc/credstore", "/run/credstore"];
/// Longest unit file that is read.
const MOST: u64 = 256 << 10;

/// Where to look.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    /// Of this process, if systemd started it: then nothing else counts.
    given: Option<PathBuf>,
    /// Lines of the unit.
    loads: Vec<Load>,
    /// The folder of the running unit.
    running: PathBuf,
}

/// A line of a unit that names credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Load {
    id: String,
    path: PathBuf,
    sealed: Sealed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sealed {
    /// `LoadCredential=`.
    No,
    /// `LoadCredentialEncrypted=`: only systemd opens it.
    Yes,
}

impl Credentials {
    pub(super) fn of_this_process() -> Credentials {
        let given = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let loads = match given {
            Some(_) => Vec::new(),
            None => loads(&UNITS.map(PathBuf::from)),
        };
        Credentials {
            given,
            loads,
            running: Path::new("/run/credentials").join(UNIT),
        }
    }

    /// Files that may hold a credential; the first that is there counts.
    pub(super) fn paths(&self, name: &str) -> Vec<PathBuf> {
        let both = |folder: &Path| [folder.join(name), folder.join(format!("{PREFIX}{name}"))];
        if let Some(folder) = &self.given {
            return both(folder).into();
        }
        let mut paths = Vec::new();
        for load in self.loads.iter().filter(|load| load.sealed == Sealed::No) {
            if load.id == name {
                paths.push(load.path.clone());
            } else if PREFIX.strip_suffix('_') == Some(&*load.id) {
                paths.push(load.path.join(name));
            } else if let Some(file) = name.strip_prefix(&format!("{}_", load.id)) {
                paths.push(load.path.join(file));
            }
        }
        paths.extend(both(&self.running));
        paths.extend(STORES.iter().map(|store| Path::new(store).join(name)));
        paths
    }

    /// Where it was looked, for people.
    pub(super) fn looked(&self) -> String {
        let mut all: Vec<String> = match &self.given {
            Some(folder) => vec![folder.display().to_string()],
            None => self
                .loads
                .iter()
                .filter(|load| load.sealed == Sealed::No)
                .map(|load| load.path.display().to_string())
                .collect(),
        };
        if self.given.is_none() {
            all.extend(STORES.map(str::to_owned));
        }
        all.dedup();
        all.join(" or ")
    }

    /// The command that puts a credential in place, or that lets systemd open it.
    pub(super) fn remedy(&self, name: &str) -> String {
        let sealed = self
            .loads
            .iter()
            .find(|load| load.sealed == Sealed::Yes && load.id == name);
        if let Some(Load { path, .. }) = sealed {
            return format!(
                "only systemd opens it before the service runs: systemd-run --wait --pipe -p \
                 LoadCredentialEncrypted={name}:{} hinomi check",
                path.display()
            );
        }
        format!(
            "as root: (umask 077; systemd-ask-password -n '{name}:' > /etc/hinomi/secrets/{name}), or in the unit \
             LoadCredential={name}:PATH; to check without secrets: hinomi check --no-secrets"
        )
    }
}

/// The lines of the unit and of its drop-ins, as systemd reads them.
fn loads(folders: &[PathBuf]) -> Vec<Load> {
    let text = |path: &Path| {
        let content = crate::files::read(path, MOST).ok()?;
        Some(String::from_utf8_lossy(&content.bytes).into_owned())
    };
    let mut texts: Vec<String> = folders.iter().find_map(|f| text(&f.join(UNIT))).into_iter().collect();
    let mut drop_ins: Vec<PathBuf> = folders
        .iter()
        .flat_map(|f| crate::files::list(&f.join(format!("{UNIT}.d"))).into_iter().flatten())
        .filter(|path| path.extension().is_some_and(|e| e == "conf"))
        .collect();
    drop_ins.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    texts.extend(drop_ins.iter().filter_map(|path| text(path)));
    let mut all = Vec::new();
    for line in texts.iter().flat_map(|text| text.lines()).map(str::trim) {
        let (value, sealed) = match line.split_once('=') {
            Some((key, value)) if key.trim() == "LoadCredential" => (value.trim(), Sealed::No),
            Some((key, value)) if key.trim() == "LoadCredentialEncrypted" => (value.trim(), Sealed::Yes),
            _ => continue,
        };
        match value.split_once(':') {
            Some((id, path)) if path.starts_with('/') => all.push(Load {
                id: id.to_owned(),
                path: PathBuf::from(path),
                sealed,
            }),
            // An empty value takes back what stood before.
            None if value.is_empty() => all.retain(|load| load.sealed != sealed),
            // Without a path systemd looks in its stores, and so does this.
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_unit_and_its_drop_ins_say_where_a_credential_lies() {
        let dir = std::env::temp_dir().join(format!("hinomi-units-{}", std::process::id()));
        let (etc, usr) = (dir.join("etc"), dir.join("usr"));
        let drop_in = etc.join("hinomi.service.d");
        std::fs::create_dir_all(&drop_in).unwrap();
        std::fs::create_dir_all(&usr).unwrap();
        let unit = "[Service]\nLoadCredential=hinomi:/etc/hinomi/secrets\n# LoadCredential=no:/no\n";
        std::fs::write(usr.join("hinomi.service"), unit).unwrap();
        let more = "[Service]\nLoadCredential = smtp:/srv/smtp\nLoadCredentialEncrypted=sealed:/srv/sealed\n";
        std::fs::write(drop_in.join("10.conf"), more).unwrap();
        let credentials = Credentials {
            given: None,
            loads: loads(&[etc.clone(), usr.clone()]),
            running: "/run/credentials/hinomi.service".into(),
        };
        let first = |name: &str| credentials.paths(name)[0].clone();
        assert_eq!(first("snmp-core"), Path::new("/etc/hinomi/secrets/snmp-core"));
        assert!(credentials.paths("smtp").contains(&"/srv/smtp".into()));
        assert!(!credentials.looked().contains("/no"), "{}", credentials.looked());
        assert!(
            credentials
                .remedy("sealed")
                .contains("LoadCredentialEncrypted=sealed:/srv/sealed")
        );
        assert!(credentials.remedy("new").contains("/etc/hinomi/secrets/new"));
        std::fs::write(drop_in.join("20.conf"), "LoadCredential=\n").unwrap();
        let taken_back = loads(&[etc, usr]);
        assert_eq!(taken_back.len(), 1, "{taken_back:?}");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn under_systemd_only_its_folder_counts() {
        let credentials = Credentials {
            given: Some("/run/credentials/hinomi.service".into()),
            loads: Vec::new(),
            running: "/x".into(),
        };
        let wanted = ["snmp-core", "hinomi_snmp-core"].map(|f| Path::new("/run/credentials/hinomi.service").join(f));
        assert_eq!(credentials.paths("snmp-core"), wanted);
    }
}
