//! Licences, sources, banned crates and duplicate versions of what is built, against the lists in `.deny.toml`: the gate that needs
//! nothing but cargo.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

struct Package {
    name: String,
    version: String,
    license: String,
    source: Option<String>,
}

#[test]
fn dependencies_are_what_the_lists_allow() {
    let lists = lists();
    let breaches = breaches(&packages(), &lists);
    assert!(
        breaches.is_empty(),
        "{} breaches of .deny.toml:\n- {}",
        breaches.len(),
        breaches.join("\n- ")
    );
}

#[test]
fn every_list_can_fail() {
    let lists = lists();
    let package = |name: &str, version: &str, license: &str, source: Option<&str>| Package {
        name: name.into(),
        version: version.into(),
        license: license.into(),
        source: source.map(str::to_owned),
    };
    let home = Some("registry+https://registry.example/crates.io-index");
    let planted = [
        package("copyleft", "1.0.0", "GPL-3.0-only", home),
        package("both", "1.0.0", "MIT AND GPL-3.0-only", home),
        package("stranger", "1.0.0", "MIT", Some("git+https://example.org/stranger")),
        package("openssl", "1.0.0", "MIT", home),
        package("twice", "1.0.0", "MIT", home),
        package("twice", "2.0.0", "MIT", home),
    ];
    let found = breaches(&planted, &lists);
    for wanted in [
        "copyleft 1.0.0 has",
        "both 1.0.0 has",
        "stranger 1.0.0 comes",
        "openssl is banned",
        "twice is built in 2 versions",
    ] {
        assert!(
            found.iter().any(|b| b.contains(wanted)),
            "not seen: {wanted}: {found:?}"
        );
    }
    // None of these packages is there, so every exception is one too many.
    assert!(found.iter().any(|b| b.contains("no longer needed")), "{found:?}");
    for fine in [
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
        "Unlicense OR MIT",
    ] {
        assert!(licensed(fine, &lists), "{fine}");
    }
}

fn lists() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deny.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What is built for Linux, ourselves left out.
fn packages() -> Vec<Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let all: Value = serde_json::from_slice(&out.stdout).unwrap();
    let nodes: BTreeMap<&str, &Value> = all["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| (n["id"].as_str().unwrap(), n))
        .collect();
    let root = all["resolve"]["root"].as_str().unwrap();
    let (mut built, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(id) = open.pop() {
        if built.insert(id) {
            open.extend(
                nodes[id]["deps"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|d| d["pkg"].as_str().unwrap()),
            );
        }
    }
    let ours = all["workspace_members"].as_array().unwrap();
    let word = |p: &Value, key: &str| p[key].as_str().unwrap_or_default().to_owned();
    all["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| !ours.contains(&p["id"]) && built.contains(p["id"].as_str().unwrap()))
        .map(|p| Package {
            name: word(p, "name"),
            version: word(p, "version"),
            license: word(p, "license"),
            source: p["source"].as_str().map(str::to_owned),
        })
        .collect()
}

fn breaches(packages: &[Package], lists: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    let banned = named(&lists["bans"]["deny"]);
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for p in packages {
        if !licensed(&p.license, lists) {
            found.push(format!(
                "{} {} has the licence {:?}, which is not on the list",
                p.name, p.version, p.license
            ));
        }
        // As cargo-deny's default: the public crate registry and nothing else.
        let home = |s: &String| s.starts_with("registry+") && s.ends_with("/crates.io-index");
        if !p.source.as_ref().is_some_and(home) {
            found.push(format!(
                "{} {} comes from a source that is not on the list",
                p.name, p.version
            ));
        }
        if let Some((_, _, reason)) = banned.iter().find(|(name, ..)| *name == p.name) {
            found.push(format!("{} is banned: {reason}", p.name));
        }
        versions.entry(&p.name).or_default().insert(&p.version);
    }
    let skips = named(&lists["bans"]["skip"]);
    for (name, all) in &versions {
        let excused = |v: &&&str| {
            skips
                .iter()
                .any(|(n, of, _)| n == name && (**v == of || v.starts_with(&format!("{of}."))))
        };
        let left = all.iter().filter(|v| !excused(v)).count();
        if left > 1 {
            let list: Vec<&str> = all.iter().copied().collect();
            found.push(format!(
                "{name} is built in {} versions ({}): give a reason in bans.skip",
                all.len(),
                list.join(", ")
            ));
        }
    }
    for (name, of, reason) in skips {
        if reason.is_empty() {
            found.push(format!("the exception for {name} {of} gives no reason"));
        }
        if versions.get(name.as_str()).is_none_or(|all| all.len() < 2) {
            found.push(format!("the exception for {name} {of} is no longer needed"));
        }
    }
    found
}

/// "OR" and the old "/" need one licence of the list, "AND" needs all.
fn licensed(expression: &str, lists: &toml::Table) -> bool {
    let allowed = words(&lists["licenses"]["allow"]);
    let plain = expression
        .replace(['(', ')'], "")
        .replace(" / ", " OR ")
        .replace('/', " OR ");
    plain
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|l| allowed.contains(&l.trim().to_owned())))
}

fn words(list: &toml::Value) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect()
}

/// Name, version and reason of each entry.
fn named(list: &toml::Value) -> Vec<(String, String, String)> {
    let word = |t: &toml::Value, key: &str| t.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .map(|t| (word(t, "name"), word(t, "version"), word(t, "reason")))
        .collect()
}
