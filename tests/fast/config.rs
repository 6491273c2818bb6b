//! The configuration from outside: every example loads, every mistake is told in exactly the words that stand beside it.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise")]

mod bad;
mod circuits;
mod csv_mutations;
mod defaults;
mod host;
mod mutations;
mod sample;
mod site;
mod watches;

use hinomi::config::{self, Found, Host, Loaded, NotFound, SecretFrom, SourceFile, Surroundings};
use hinomi::model::{Secret, Site};
use std::path::{Path, PathBuf};

/// What every secret is in these tests; it may show up nowhere.
const SECRET: &str = "hunter2-dummy-secret";

/// Gives a dummy for every secret, except where the name says that it is absent or short.
struct Dummies;

impl Surroundings for Dummies {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        let (SecretFrom::Credential(name) | SecretFrom::Env(name)) = from else {
            let SecretFrom::File(path) = from else { unreachable!() };
            return if path.ends_with("absent-secret") {
                Host::new().secret(from)
            } else {
                found(SECRET)
            };
        };
        match name.as_str() {
            "short" => found("hunter2"),
            n if n.to_lowercase().contains("absent") => Host::new().secret(from),
            _ => found(SECRET),
        }
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        // The CSV files that config/hinomi.toml tells of, with their required columns and no row.
        let columns = match path.to_str() {
            Some("circuits.csv") => "id,institution_id\n",
            Some("devices.csv") => "name,address\n",
            Some("contacts.csv") => "name,party,mail\n",
            Some("holidays.csv") => "date\n",
            _ => return Host::new().table(path),
        };
        Ok(columns.to_string())
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        if path.ends_with("absent-ca.pem") {
            Host::new().certificates(path)
        } else {
            Ok(())
        }
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound> {
        // config/hinomi.toml names one that stands beside the installed file.
        match folder.to_str() {
            Some("profiles") => Ok(Vec::new()),
            _ => Host::new().profiles(folder),
        }
    }
}

fn found(secret: &str) -> Result<Found, NotFound> {
    Ok(Found {
        secret: Some(Secret::new(secret)),
        doubt: None,
    })
}

/// Checks one text as `hinomi.toml`.
fn check(text: &str) -> Loaded {
    let file = SourceFile {
        path: PathBuf::from("hinomi.toml"),
        text: text.to_string(),
        private: false,
    };
    config::check(&[file], &Dummies)
}

/// All problems as they are printed.
fn printed(loaded: &Loaded) -> String {
    loaded.problems.iter().map(|p| format!("{p}\n")).collect()
}

/// The errors among the problems.
fn errors_of(loaded: &Loaded) -> Vec<&config::Problem> {
    let errors = loaded.problems.iter().filter(|p| p.severity == config::Severity::Error);
    errors.collect()
}

/// The site of a text that is put behind an operator's name.
fn site(text: &str) -> Site {
    let text = format!("[operator]\nname = \"x\"\n{text}");
    let loaded = check(&text);
    loaded
        .site
        .as_ref()
        .cloned()
        .unwrap_or_else(|| panic!("{}", printed(&loaded)))
}

/// The files `*.toml` of a folder of this repository, by name.
fn files_in(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{folder}: {e}"))
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

fn examples() -> Vec<(PathBuf, String)> {
    let mut files = files_in("examples");
    files.extend(files_in("examples/circuits"));
    assert!(files.len() >= 4, "examples are missing");
    files
        .into_iter()
        .map(|p| (p.clone(), std::fs::read_to_string(&p).unwrap()))
        .collect()
}

#[test]
fn every_example_is_clean() {
    for (path, _) in examples() {
        let loaded = config::load_with(&path, &Dummies);
        assert_eq!(printed(&loaded), "", "{}", path.display());
        assert!(loaded.site.is_some());
        let mut out = Vec::new();
        let options = hinomi::cli::check::CheckOptions {
            no_secrets: true,
            ..Default::default()
        };
        let code = hinomi::cli::check::check_with(&path, options, &mut out);
        assert_eq!(code, 0, "{}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn an_unknown_key_is_refused_in_every_table_of_every_example() {
    let mut planted = 0;
    for (path, text) in examples() {
        for (at, line) in plantings(&text) {
            let mut changed = text.clone();
            changed.insert_str(at, &line);
            let key_at = at + line.find("bogus_key").unwrap();
            let before = &changed[..key_at];
            let place = (
                before.matches('\n').count() as u32 + 1,
                before.rsplit('\n').next().unwrap().chars().count() as u32 + 1,
            );
            let loaded = check(&changed);
            let told = loaded
                .problems
                .iter()
                .any(|p| (p.line, p.column) == place && p.what.contains("`bogus_key`"));
            let names = loaded
                .problems
                .iter()
                .any(|p| p.line == place.0 && p.what.contains("bogus_key"));
            // Where keys are names ([snmp.NAME]) the key is a section that is none.
            assert!(
                told || names,
                "{} line {}: {}",
                path.display(),
                place.0,
                printed(&loaded)
            );
            assert!(loaded.site.is_none());
            planted += 1;
        }
    }
    assert!(planted > 100, "only {planted} places were found");
}

/// Where a bogus key can be planted, and the text to insert: at the top, below each header, behind each `{`, before each dotted key.
fn plantings(text: &str) -> Vec<(usize, String)> {
    let mut all = vec![(0, "bogus_key = 1\n".to_string())];
    let mut offset = 0;
    let mut depth = 0i32;
    for line in text.split_inclusive('\n') {
        let code = code_of(line);
        if depth == 0 && code.starts_with('[') {
            all.push((offset + line.len(), "bogus_key = 1\n".to_string()));
        } else if depth == 0
            && let Some((table, _)) = code.split('=').next().and_then(|k| k.trim().rsplit_once('.'))
        {
            all.push((offset, format!("{table}.bogus_key = 1\n")));
        }
        let mut quoted = false;
        for (i, c) in code.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '{' if !quoted => all.push((offset + i + 1, " bogus_key = 1,".to_string())),
                '[' if !quoted => depth += 1,
                ']' if !quoted => depth -= 1,
                _ => {}
            }
        }
        offset += line.len();
    }
    all
}

/// The line without its comment.
fn code_of(line: &str) -> &str {
    let mut quoted = false;
    for (i, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..i],
            _ => {}
        }
    }
    line
}

#[test]
fn no_secret_shows_in_debug_or_in_any_problem() {
    for (path, text) in examples() {
        let loaded = config::load_with(&path, &Dummies);
        assert!(!format!("{loaded:?}").contains("hunter2"));
        // Inline, in a file that others can read: refused, and not repeated.
        let inline = text.replace("{ credential = \"snmp-core\" }", "\"hunter2-inline\"");
        let shown = printed(&check(&inline));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_secret_written_inline_is_taken_from_a_private_file_only() {
    let text = "[operator]\nname = \"x\"\n[snmp.a]\nversion = \"2c\"\ncommunity = \"hunter2-inline\"\n";
    assert!(check(text).site.is_none());
    let file = SourceFile {
        path: PathBuf::from("hinomi.toml"),
        text: text.to_string(),
        private: true,
    };
    assert!(config::check(&[file], &Dummies).site.is_some());
}

#[test]
fn check_counts_and_summarises() {
    let run = |path: &str, json, strict| {
        let mut out = Vec::new();
        let options = hinomi::cli::check::CheckOptions {
            json,
            strict,
            no_secrets: true,
        };
        let code = hinomi::cli::check::check_with(Path::new(path), options, &mut out);
        (code, String::from_utf8(out).unwrap())
    };
    let (code, text) = run("examples/full.toml", false, true);
    assert_eq!(code, 0);
    assert!(text.contains("5 devices: 3 own, 2 platform"), "{text}");
    assert!(
        text.contains("22s  edge-a, edge-b (interval 10s + confirm 10s + timeout 2s)"),
        "{text}"
    );
    let (code, text) = run("tests/config_bad/five-mistakes.toml", false, false);
    assert_eq!(code, 2);
    assert!(
        text.contains("5 errors: hinomi would refuse this configuration"),
        "{text}"
    );
    let (code, text) = run("tests/config_bad/doubt-same-address.toml", false, false);
    assert_eq!(code, 0, "`check && …` goes on where the daemon would start");
    assert!(text.contains("usable, with 1 warning"), "{text}");
    let (code, text) = run("tests/config_bad/doubt-same-address.toml", true, true);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["warnings"], 1);
    assert_eq!(json["problems"][0]["severity"], "warning");
    assert_eq!(json["site"]["devices"], 3);
    let (code, text) = run("examples/no-such-file.toml", false, false);
    assert_eq!(code, 2);
    assert!(text.contains("cannot be read"), "{text}");
}
