//! From the tree to a checked site, one file per kind of section. Pure: what lies outside is asked of `Surroundings`.
//!
//! Never here: files, and giving up at the first mistake: each part is replaced by a default and the check goes on.

mod cells;
mod circuit;
mod circuit_build;
mod circuit_settings;
mod circuits;
mod columns;
mod contact_rows;
mod contacts;
mod device_rows;
mod devices;
mod doubts;
mod doubts_circuits;
mod doubts_contacts;
mod doubts_paths;
mod doubts_structure;
mod findings;
mod holidays;
mod interfaces;
mod layer;
pub(in crate::config) mod maintenance;
pub(in crate::config) mod operator;
mod paths;
mod plugins;
mod poll;
mod ports;
mod procedures;
mod profiles;
mod redundancy;
mod routes;
mod services;
mod share;
mod snmp;
mod tables;
mod thresholds;
mod traps;
mod watches;

use super::raw::{self, Entry, Place, Table, Value};
use super::reader::{Walk, wrong_type};
use super::report::Ctx;
use super::{Loaded, Severity, SourceFile, Surroundings};
use crate::model::{Heartbeat, Site};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Checks files as read, the main one first.
pub fn check(files: &[SourceFile], around: &dyn Surroundings) -> Loaded {
    let ctx = Ctx::new(files, around);
    let root = raw::parse(&ctx);
    let own = profiles::own(&Walk::new(&ctx, &root, "the file"));
    ctx.know(super::profile::with_own(own.profiles));
    tables::fetch(&ctx, &root);
    let site = site(&ctx, &root, fingerprint(&ctx, &own.files));
    if site.is_none() && !ctx.has_errors() {
        // Cannot happen; if it does, a site without a word would be worse than this.
        ctx.error(
            root.at,
            "the file cannot be understood, and hinomi cannot say why",
            "this is a fault of hinomi: please report it",
        );
    }
    let wrong = ctx.has_errors() || own.problems.iter().any(|p| p.severity == Severity::Error);
    let named = ctx.tables().iter().map(|t| &t.source).chain(&own.files);
    let tables = named.map(|f| f.path.clone()).collect();
    let mut problems = ctx.into_problems();
    problems.extend(own.problems);
    Loaded {
        site: if wrong { None } else { site },
        files: files.iter().map(|f| f.path.clone()).collect(),
        tables,
        problems,
    }
}

/// SHA-256 over all files.
fn fingerprint(ctx: &Ctx<'_>, profiles: &[SourceFile]) -> String {
    let mut hash = Sha256::new();
    let tables = ctx.tables().iter().map(|t| &t.source);
    for file in ctx.files.iter().chain(profiles).chain(tables) {
        // The length keeps text from moving between two files unnoticed.
        hash.update((file.text.len() as u64).to_be_bytes());
        hash.update(file.text.as_bytes());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn site(ctx: &Ctx<'_>, root: &Table, fingerprint: String) -> Option<Site> {
    let top = Walk::new(ctx, root, "the file");
    let operator = operator::operator(&top);
    let daemon = operator::daemon(&top);
    let poll = poll::top(&top);
    profiles::section(&top);
    let accesses = snmp::sections(&top);
    let thresholds = thresholds::top(&top);
    let findings = findings::top(&top);
    let classes = layer::classes(&top);
    let groups = layer::groups(&top);
    let known = accesses.values().flatten().cloned().collect();
    let inventory = devices::inventory(
        &top,
        &devices::Defaults {
            poll,
            accesses,
            thresholds,
            findings: &findings,
            classes,
            groups,
        },
        &daemon,
    );
    let redundancy = redundancy::redundancy(&top, &inventory, &findings);
    let contacts = contacts::contacts(&top, &inventory);
    let routes = routes::routes(&top, &inventory);
    let procedures = procedures::procedures(&top, &inventory, &contacts);
    let heartbeat = heartbeat(&top);
    let maintenance = maintenance::maintenance(&top, &inventory, operator.as_ref());
    let traps = traps::traps(&top);
    let plugins = plugins::plugins(&top);
    not_built_yet(&top);
    top.finish();
    doubts::doubts(ctx, &inventory, &daemon, &contacts, &routes, &procedures);
    doubts_circuits::doubts(ctx, &inventory, &procedures);
    doubts_structure::doubts(ctx, &inventory, &contacts, &routes, &procedures);
    doubts_contacts::doubts(ctx, &inventory, operator.as_ref(), &contacts, &procedures);
    Some(Site {
        operator: operator?,
        daemon: daemon.settings,
        uplinks: inventory.uplinks,
        devices: inventory.devices,
        accesses: known,
        profiles: ctx.profiles(),
        findings: findings::of_the_host(&findings),
        redundancy,
        contacts: contacts.into_iter().map(|c| c.value).collect(),
        procedures: procedures.into_iter().map(|p| p.value).collect(),
        routes: routes.into_iter().map(|r| r.value.route).collect(),
        maintenance,
        heartbeat,
        traps,
        plugins,
        fingerprint,
    })
}

/// Sections that have their place in the configuration and nothing behind it: refused by name, so that nobody believes them to work.
fn not_built_yet(top: &Walk<'_>) {
    for (section, hint) in [
        (
            "syslog",
            "hinomi takes no log lines in this version: keep the syslog server that you have",
        ),
        ("logs", "hinomi keeps no log archive in this version"),
        (
            "history",
            "hinomi keeps no traffic history in this version: let Prometheus read /metrics",
        ),
        (
            "receiver",
            "hinomi writes to no other system in this version: let Prometheus read /metrics",
        ),
        ("report", "hinomi writes no reports in this version"),
        ("form", "hinomi fills in no forms in this version"),
        (
            "inbox",
            "hinomi reads no mail in this version: acknowledge with hinomi incidents ack NUMBER",
        ),
        ("webhook", "hinomi sends nothing but mail in this version"),
        (
            "console",
            "hinomi has no web console in this version: hinomi status, hinomi explain",
        ),
        ("status", "hinomi has no status page in this version: hinomi status"),
        ("drill", "hinomi keeps no drills in this version"),
    ] {
        top.unsupported(section, hint);
    }
}

fn heartbeat(top: &Walk<'_>) -> Option<Heartbeat> {
    let entry = top.get("heartbeat")?;
    let walk = Walk::of(top.ctx, &entry.node, "[heartbeat]", "write a section: [heartbeat]")?;
    let url = walk.text("url", |s| {
        let host = s.strip_prefix("https://").or_else(|| s.strip_prefix("http://"));
        match host {
            Some(h) if !h.is_empty() && !h.starts_with('/') && s.is_ascii() && !s.contains(char::is_whitespace) => {
                Ok(s.to_string())
            }
            _ => super::values::refuse(
                "is not an address for HTTP",
                "such as \"https://watch.example.org/ping/hinomi-1\"",
            ),
        }
    });
    let url = walk.required("url", "the address that somebody else watches", url);
    let every = walk.duration("every", Duration::from_secs(1));
    walk.finish();
    Some(Heartbeat {
        url: url?.value,
        every: every.map_or(Duration::from_secs(60), |d| d.value),
    })
}

/// The entries of `[[key]]`, each as a table with a `name`.
pub(in crate::config) fn tables<'a>(top: &Walk<'a>, key: &'static str) -> Vec<Walk<'a>> {
    named_by(top, key, "name")
}

/// The entries of `[[key]]`, each as a table; `by` is the key that names one.
fn named_by<'a>(top: &Walk<'a>, key: &'static str, by: &str) -> Vec<Walk<'a>> {
    let Some(entry) = top.get(key) else { return Vec::new() };
    let hint = format!("each one is a section of its own: [[{key}]]");
    let Value::Array(nodes) = &entry.node.value else {
        wrong_type(top.ctx, key, &entry.node, &entry.node.value, &hint);
        return Vec::new();
    };
    let name_of = |table: &Table| match table.get(by).map(|e| &e.node.value) {
        Some(Value::String(s)) if !s.is_empty() => format!("[[{key}]] `{s}`"),
        _ => format!("[[{key}]]"),
    };
    let walk = |node: &'a raw::Node| match &node.value {
        Value::Table(table) => Some(Walk::new(top.ctx, table, name_of(table))),
        _ => Walk::of(top.ctx, node, format!("an entry of `{key}`"), &hint),
    };
    nodes.iter().filter_map(walk).collect()
}

/// The sub-tables of `[key.NAME]`.
fn named<'a>(top: &Walk<'a>, key: &'static str) -> Vec<(&'a Entry, Walk<'a>)> {
    let Some(entry) = top.get(key) else { return Vec::new() };
    let hint = format!("each one is a section with a name: [{key}.NAME]");
    let Some(walk) = Walk::of(top.ctx, &entry.node, format!("`{key}`"), &hint) else {
        return Vec::new();
    };
    let of = |e: &'a Entry| Walk::of(top.ctx, &e.node, format!("[{key}.{}]", e.key), &hint).map(|w| (e, w));
    walk.entries().iter().filter_map(of).collect()
}

/// Names that may be used once only: reports the second with the place of the first.
pub(in crate::config) struct Unique<'c> {
    ctx: &'c Ctx<'c>,
    what: &'static str,
    seen: super::names::NameMap<String, Place>,
}

impl<'c> Unique<'c> {
    pub(in crate::config) fn new(ctx: &'c Ctx<'c>, what: &'static str) -> Unique<'c> {
        Unique {
            ctx,
            what,
            seen: super::names::NameMap::default(),
        }
    }

    /// `true` if the name is new.
    pub(in crate::config) fn add(&mut self, name: &raw::At<String>) -> bool {
        if let Some(first) = self.seen.get(&name.value) {
            let what = format!(
                "the {} `{}` is written twice: also at {}",
                self.what,
                name.value,
                self.ctx.show(*first)
            );
            self.ctx.error(
                name.at,
                what,
                "names are how everything else refers to it; give one of the two another name",
            );
            return false;
        }
        self.seen.insert(name.value.clone(), name.at);
        true
    }
}
