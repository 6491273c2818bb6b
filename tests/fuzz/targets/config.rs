//! The files of a site as people and spreadsheets leave them: the TOML, one of its CSV files, or a profile. No panic; every place that is told
//! lies in the file; there is a site if and only if there is no error; no secret in any word.
#![no_main]

use hinomi::config::{Found, NotFound, SecretFrom, SourceFile, Surroundings, check};
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};

#[path = "around.rs"]
mod around;

const TOML: &str = include_str!("../../../examples/circuits/hinomi.toml");
/// Added where the changed file is a profile.
const PROFILES: &str = "\n[profiles]\ndirectory = \"profiles\"\n";
const NAMES: [&str; 6] = [
    "hinomi.toml",
    "circuits.csv",
    "devices.csv",
    "contacts.csv",
    "holidays.csv",
    "profiles/own.toml",
];
const TABLES: [&str; 6] = [
    "",
    include_str!("../../../examples/circuits/circuits.csv"),
    include_str!("../../../examples/circuits/devices.csv"),
    include_str!("../../../examples/circuits/contacts.csv"),
    include_str!("../../../examples/circuits/holidays.csv"),
    "",
];

/// The example's files, one of them changed.
struct Files<'a> {
    changed: &'a str,
    text: &'a str,
}

impl Surroundings for Files<'_> {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        around::Dummy.secret(from)
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        let known = NAMES
            .iter()
            .position(|name| path == Path::new(name))
            .filter(|at| *at > 0);
        match known {
            Some(at) if NAMES[at] == self.changed => Ok(self.text.to_owned()),
            Some(at) => Ok(TABLES[at].to_owned()),
            None => Err(NotFound {
                what: format!("cannot be read: {}", path.display()),
                hint: String::new(),
            }),
        }
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        around::Dummy.certificates(path)
    }

    fn profiles(&self, _: &Path) -> Result<Vec<SourceFile>, NotFound> {
        let own = (self.changed == NAMES[5]).then(|| source(NAMES[5], self.text.to_owned()));
        Ok(own.into_iter().collect())
    }
}

fn source(name: &str, text: String) -> SourceFile {
    SourceFile {
        path: PathBuf::from(name),
        text,
        private: false,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((which, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let changed = NAMES[usize::from(*which) % NAMES.len()];
    let main = match changed {
        "hinomi.toml" => text.to_owned(),
        "profiles/own.toml" => format!("{TOML}{PROFILES}"),
        _ => TOML.to_owned(),
    };
    let loaded = check(&[source(NAMES[0], main)], &Files { changed, text });
    assert_eq!(
        loaded.site.is_none(),
        loaded.has_errors(),
        "a site if and only if there is no error"
    );
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
    for problem in &loaded.problems {
        let shown = problem.to_string();
        assert!(!shown.contains("s3cret-password"), "a secret is told: {shown}");
        if problem.file != changed || problem.line == 0 {
            continue;
        }
        let line = lines
            .get(problem.line as usize - 1)
            .unwrap_or_else(|| panic!("no such line: {shown}"));
        let width = line.chars().count() as u32 + 1;
        assert!((1..=width).contains(&problem.column), "no such column: {shown}");
    }
});
