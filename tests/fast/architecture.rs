//! The house rules as data: who may import whom, what pure code never touches, how a module opens. A breach is explained in one
//! sentence; planted breaches prove that each rule can fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeSet;
use std::path::Path;

/// A module of the crate and what it may import of ours. The order is the order of the data.
const IMPORTS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("model", &["text"]),
    ("wire", &["text"]),
    ("files", &[]),
    ("config", &["model", "files"]),
    ("poll", &["model", "wire"]),
    ("sample", &["model", "poll"]),
    ("rules", &["model", "poll", "sample"]),
    ("incident", &["model", "poll", "rules"]),
    ("notify", &["model", "files", "poll", "rules", "incident"]),
    (
        "core",
        &["model", "wire", "poll", "sample", "rules", "incident", "notify"],
    ),
    // Of the core, its snapshot only: see CORE_ONLY.
    ("metrics", &["model", "poll", "rules", "core"]),
    ("net", &["model", "poll"]),
    (
        "web",
        &[
            "model", "config", "poll", "sample", "rules", "incident", "notify", "core", "metrics", "net",
        ],
    ),
    ("daemon", &["*"]),
    ("cli", &["*"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Names of `core` that drive it; who only reads may not have them.
const CORE_ONLY: &[&str] = &["Core", "Input", "Effect"];

/// Files and folders that may touch the outside world.
const SHELL: &[&str] = &[
    "files.rs",
    "config/credentials.rs",
    "config/load.rs",
    "incident/ledger.rs",
    "incident/ledger/",
    "notify/channel/",
    "net/",
    "daemon/",
    "web/",
    "cli/",
    "main.rs",
];

/// What pure code never names, and why.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "an executor"),
    ("async", "an executor"),
    ("await", "an executor"),
    ("socket2::Socket", "sockets"),
    ("socket2::SockRef", "sockets"),
    ("rustix", "the operating system"),
    ("rusqlite", "files"),
    ("hyper", "sockets"),
    ("lettre::transport", "mail transport (it belongs to notify/channel)"),
    ("UdpSocket", "sockets"),
    ("TcpStream", "sockets"),
    ("TcpListener", "sockets"),
    ("UnixStream", "sockets"),
    ("UnixListener", "sockets"),
    ("std::fs", "files"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::time::Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("Instant::now", "a clock"),
    ("Zoned::now", "a clock"),
    ("Timestamp::now", "a clock"),
    ("rand::rng", "randomness"),
    ("rand::random", "randomness"),
    ("thread_rng", "randomness"),
    ("from_os_rng", "randomness"),
    ("OsRng", "randomness"),
    ("SysRng", "randomness"),
    ("println", "the terminal"),
    ("eprintln", "the terminal"),
];

#[test]
fn the_house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    assert!(
        files.len() > 30,
        "the walk over src found only {} files: it looks in the wrong place",
        files.len()
    );
    let breaches = breaches(&files);
    assert!(
        breaches.is_empty(),
        "{} breaches of the house rules:\n- {}",
        breaches.len(),
        breaches.join("\n- ")
    );
}

/// The unit has `ProcSubset=pid`: of /proc only the folders of processes are there. What is read elsewhere works in a shell and not there.
#[test]
fn what_the_unit_hides_is_not_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    let unit = std::fs::read_to_string(root.join("../systemd/hinomi.service")).unwrap();
    assert!(
        unit.contains("ProcSubset=pid"),
        "the unit no longer hides it: drop this test"
    );
    for (path, text) in &files {
        let own = |rest: &&str| rest.starts_with("self/") || rest.starts_with('{');
        let read = text.split("\"/proc/").skip(1).filter(|rest| !own(rest));
        assert_eq!(read.count(), 0, "{path} reads of /proc what the unit hides");
        assert!(!text.contains("\"/sys/"), "{path} reads /sys");
    }
}

/// A part of the workspace depends on another only where the table lets one of its modules import one of the other's.
#[test]
fn manifests_follow_the_import_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = |part: &str| -> Vec<String> {
        let lib = std::fs::read_to_string(root.join(part).join("lib.rs")).unwrap();
        let names = lib
            .lines()
            .filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
        names.map(str::to_owned).collect()
    };
    let mut parts = 0;
    for entry in std::fs::read_dir(&root).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            continue;
        };
        parts += 1;
        let part = manifest.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        let may: BTreeSet<&str> = modules(part)
            .iter()
            .flat_map(|m| IMPORTS.iter().find(|(name, _)| name == m).unwrap().1)
            .copied()
            .collect();
        for name in table["dependencies"].as_table().unwrap().keys() {
            let Some(other) = name.strip_prefix("hinomi-") else {
                continue;
            };
            assert!(
                modules(other).iter().any(|m| may.contains(&**m)),
                "src/{part}/Cargo.toml depends on {name}, and no module of {part} may import one of {other}"
            );
        }
    }
    assert!(parts >= 7, "only {parts} manifests were found below src");
}

/// One planted breach a rule: (path, text, what the sentence must say).
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "model/x.rs",
        "//! M.\nuse crate::poll::Channel;\n",
        "model may not import poll",
    ),
    (
        "wire/x.rs",
        "//! M.\nuse crate::{model::Name, wire::icmp};\n",
        "wire may not import model",
    ),
    (
        "poll/x.rs",
        "//! M.\nfn f() -> crate::rules::Cause { todo() }\n",
        "poll may not import rules",
    ),
    (
        "rules/a/x.rs",
        "//! M.\nuse super::super::super::notify::Mail;\n",
        "rules may not import notify",
    ),
    (
        "web/mod.rs",
        "//! M.\nuse crate::daemon::Handle;\n",
        "web may not import daemon",
    ),
    (
        "metrics/x.rs",
        "//! M.\nuse crate::core::{Snapshot, Input};\n",
        "metrics may not use core::Input",
    ),
    ("rules/x.rs", "//! M.\nfn f() { std::fs::read(\"x\"); }\n", "files"),
    ("rules/x.rs", "//! M.\nuse std::{fmt, fs};\n", "files"),
    (
        "sample/x.rs",
        "//! M.\nuse std::time::{Duration, Instant};\n",
        "a clock",
    ),
    (
        "notify/retry.rs",
        "//! M.\nfn f() { let jitter = rand::random::<f64>(); }\n",
        "randomness",
    ),
    ("incident/book.rs", "//! M.\nuse super::ledger::Ledger;\n", "ledger"),
    ("notify/plan.rs", "//! M.\nuse crate::notify::channel;\n", "channel"),
    (
        "core/x.rs",
        "//! M.\nuse crate::incident::{Batch, ledger::Ledger};\n",
        "ledger",
    ),
    ("net/x.rs", "//! M.\nfn f() { unsafe { g() } }\n", "unsafe"),
    ("poll/x.rs", "use crate::model::Name;\n", "says what it is for"),
    ("surprise/mod.rs", "//! M.\n", "does not stand in the import table"),
];

/// What must not be taken for a breach.
const HARMLESS: &[(&str, &str)] = &[
    (
        "rules/x.rs",
        "//! M, see [`crate::notify`].\n// use crate::notify::Mail;\n/* tokio */\nconst T: &str = \"std::fs crate::cli\";\n",
    ),
    (
        "rules/x.rs",
        "//! M.\n#[cfg(test)]\nmod tests {\n    use crate::core::Core;\n    fn f() { std::fs::read(\"{\"); }\n}\n",
    ),
    (
        "poll/x.rs",
        "//! M.\nuse super::super::wire::icmp;\nuse std::net::{IpAddr, SocketAddr};\nconst C: char = '\"';\nfn f<'a>(x: &'a str) {}\n",
    ),
    (
        "config/load.rs",
        "//! M.\nfn f() { std::fs::read(r#\"unsafe \" \"#); }\n",
    ),
    ("metrics/x.rs", "//! M.\nuse crate::core::Snapshot;\n"),
    (
        "config/check/x.rs",
        "//! M.\nuse super::poll;\nfn f() { poll::check(); }\n",
    ),
];

#[test]
fn every_rule_can_fail() {
    for (path, text, wanted) in PLANTED {
        let found = breaches(&[((*path).to_owned(), (*text).to_owned())]);
        assert!(
            found.iter().any(|b| b.contains(wanted)),
            "a planted breach was not seen: {path}: {text}: {found:?}"
        );
    }
    for (path, text) in HARMLESS {
        let found = breaches(&[((*path).to_owned(), (*text).to_owned())]);
        assert!(
            found.is_empty(),
            "harmless code was taken for a breach: {path}: {text}: {found:?}"
        );
    }
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Every breach in these files, one sentence each.
fn breaches(files: &[(String, String)]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (path, text) in files {
        if !text.starts_with("//!") && path != "main.rs" {
            found.insert(format!(
                "src/{path} does not open with //!: each module first says what it is for and what it never does"
            ));
        }
        let tokens = tokens(&without_tests(&without_text(text)));
        imports(path, &tokens, &mut found);
        purity(path, &tokens, &mut found);
        if tokens.iter().any(|t| t == "unsafe") {
            found.insert(format!("src/{path} uses unsafe, which this crate does without"));
        }
    }
    found.into_iter().collect()
}

fn imports(path: &str, tokens: &[String], found: &mut BTreeSet<String>) {
    let module = module_path(path);
    let top = module.first().map_or("lib", String::as_str);
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == top) else {
        found.insert(format!("module {top} does not stand in the import table of tests/fast/architecture.rs: say there what it may import"));
        return;
    };
    for used in paths(tokens, &module)
        .into_iter()
        .filter(|(_, ours)| *ours)
        .map(|(path, _)| path)
    {
        let Some(target) = used.first() else { continue };
        // Macros and items of the crate's root are not modules.
        if !IMPORTS.iter().any(|(name, _)| name == target) || target == top {
            continue;
        }
        if !allowed.contains(&"*") && !allowed.contains(&target.as_str()) {
            found.insert(format!(
                "src/{path}: {top} may not import {target}: data flows one way, and {top} sees only {}",
                if allowed.is_empty() {
                    "itself".to_owned()
                } else {
                    allowed.join(", ")
                }
            ));
        }
        if top == "metrics" && target == "core" && used.get(1).is_some_and(|n| CORE_ONLY.contains(&n.as_str())) {
            found.insert(format!(
                "src/{path}: metrics may not use core::{}: it reads snapshots and drives nothing",
                used[1]
            ));
        }
    }
}

fn purity(path: &str, tokens: &[String], found: &mut BTreeSet<String>) {
    if SHELL
        .iter()
        .any(|s| path == *s || (s.ends_with('/') && path.starts_with(s)))
    {
        return;
    }
    let module = module_path(path);
    let all = paths(tokens, &module);
    let spelled: BTreeSet<String> = all.iter().map(|(p, _)| p.join("::")).collect();
    for (word, what) in IMPURE {
        let hit = if word.contains("::") {
            spelled
                .iter()
                .any(|p| p == word || p.starts_with(&format!("{word}::")) || p.ends_with(&format!("::{word}")))
        } else {
            tokens.iter().any(|t| t == word)
        };
        if hit {
            found.insert(format!(
                "src/{path} is pure but names {word}: {what} belong to the shell and come in as an argument"
            ));
        }
    }
    for (place, name) in [("incident", "ledger"), ("notify", "channel")] {
        let inside = all
            .iter()
            .any(|(p, ours)| *ours && p.len() > 1 && p[0] == place && p[1] == name);
        if inside && path != format!("{place}/mod.rs") {
            found.insert(format!(
                "src/{path} is pure but imports {place}::{name}, which does I/O: only the shell does that"
            ));
        }
    }
}

/// `poll/agent/mod.rs` is `[poll, agent]`.
fn module_path(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|p| p == "mod") {
        parts.pop();
    }
    parts
}

/// Every path in the code with its groups spread out; `crate` and `super` are resolved, so that a path of ours begins with its
/// top module; `true` with those. `std::{fmt, fs}` gives `std::fmt` and `std::fs`.
fn paths(tokens: &[String], module: &[String]) -> Vec<(Vec<String>, bool)> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_name(&tokens[at]) && (at == 0 || tokens[at - 1] != "::");
        if begins && tokens.get(at + 1).is_some_and(|t| t == "::") {
            let mut raw = Vec::new();
            at = spread(tokens, at, &mut Vec::new(), &mut raw);
            out.extend(raw.into_iter().map(|p| resolve(p, module)));
        } else {
            at += 1;
        }
    }
    out
}

/// Reads a path from `at`, with what stands before it; gives the place after it.
fn spread(tokens: &[String], mut at: usize, before: &mut Vec<String>, out: &mut Vec<Vec<String>>) -> usize {
    let depth = before.len();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.as_str() {
                        "}" => {
                            at += 1;
                            break;
                        }
                        name if is_name(name) || name == "{" || name == "*" => at = spread(tokens, at, before, out),
                        _ => at += 1,
                    }
                }
                before.truncate(depth);
                return at;
            }
            Some(name) if is_name(name) || name == "*" => {
                before.push(name.to_owned());
                at += 1;
                if tokens.get(at).is_some_and(|t| t == "::")
                    && tokens.get(at + 1).is_some_and(|t| is_name(t) || t == "{" || t == "*")
                {
                    at += 1;
                    continue;
                }
                out.push(before.clone());
                before.truncate(depth);
                return at;
            }
            _ => {
                before.truncate(depth);
                return at.max(1);
            }
        }
    }
}

fn resolve(path: Vec<String>, module: &[String]) -> (Vec<String>, bool) {
    match path.first().map(String::as_str) {
        Some("crate" | "hinomi") => (path[1..].to_vec(), true),
        Some("self") => ([module, &path[1..]].concat(), true),
        Some("super") => {
            let ups = path.iter().take_while(|p| *p == "super").count();
            (
                [&module[..module.len().saturating_sub(ups)], &path[ups..]].concat(),
                true,
            )
        }
        // Another crate, or a neighbour of the same name: `poll::check` inside config/check is config's own.
        _ => (path, false),
    }
}

fn is_name(token: &str) -> bool {
    token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs.
fn tokens(code: &str) -> Vec<String> {
    let chars: Vec<char> = code.chars().collect();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let c = chars[at];
        if c.is_alphanumeric() || c == '_' {
            let from = at;
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            out.push(chars[from..at].iter().collect());
        } else if c == ':' && chars.get(at + 1) == Some(&':') {
            out.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                out.push(c.to_string());
            }
            at += 1;
        }
    }
    out
}

/// Comments and literals become blanks; lines stay.
fn without_text(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let (mut out, mut at) = (String::with_capacity(source.len()), 0);
    while at < chars.len() {
        let end = comment_end(&chars, at)
            .or_else(|| raw_string_end(&chars, at))
            .or_else(|| quoted_end(&chars, at));
        match end {
            Some(end) => {
                out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    if chars[at] != '/' {
        return None;
    }
    match chars.get(at + 1)? {
        '/' => Some(
            chars[at..]
                .iter()
                .position(|c| *c == '\n')
                .map_or(chars.len(), |n| at + n),
        ),
        '*' => {
            let (mut depth, mut i) = (1, at + 2);
            while i < chars.len() && depth > 0 {
                match (chars[i], chars.get(i + 1)) {
                    ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
                    ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
            }
            Some(i)
        }
        _ => None,
    }
}

fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let fresh = at == 0 || !(chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') || chars[at - 1] == 'b';
    if chars[at] != 'r' || !fresh {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let from = at + 2 + hashes;
    let length = chars[from..].windows(close.len()).position(|w| w == close.as_slice())?;
    Some(from + length + close.len())
}

fn quoted_end(chars: &[char], at: usize) -> Option<usize> {
    let quote = chars[at];
    if quote == '\'' {
        // A lifetime has no closing quote right behind it.
        let escaped = chars.get(at + 1) == Some(&'\\');
        if !escaped && chars.get(at + 2) != Some(&'\'') {
            return None;
        }
    } else if quote != '"' {
        return None;
    }
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    Some((i + 1).min(chars.len()))
}

/// Cuts out what follows `#[cfg(test)]`, up to its closing brace or semicolon.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut rest) = (String::new(), code);
    while let Some(start) = rest.find(MARK) {
        out.push_str(&rest[..start]);
        let after = &rest[start + MARK.len()..];
        let (mut depth, mut end) = (0_i32, after.len());
        for (i, c) in after.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ';' if depth == 0 => {}
                _ => continue,
            }
            if depth == 0 {
                end = i + 1;
                break;
            }
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}
