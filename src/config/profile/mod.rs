//! Vendor profiles: TOML to [`Profile`], with the same care as the rest of the configuration: all mistakes at once, each with its place.
//!
//! The format, one or several `[[profile]]` a file:
//!
//! - `name`, `title`, `source` (where the facts are from), `verified` (were the identifiers seen in a MIB or in a definition in use),
//!   `note` (what an operator should know);
//! - `sys_object_ids`: prefixes of sysObjectID, matched on sub-identifier boundaries, the longest wins; `"*"` fits every device; an
//!   empty list: chosen by name only. Where several profiles share a prefix, `sys_descr` lists words of sysDescr by which devices of
//!   this one are known, and `tell_by` an instance that only these have, for those whose words do not tell;
//! - `[[profile.measure]]`: see [`measure`]; `[[profile.component]]`: see [`component`]; `[[profile.redundancy]]`: see [`redundancy`];
//! - `[[profile.left_out]]` with `oids` and `reason`: what is known of the make and not read.
//!
//! An object is written as its instance (`"1.3.6.1.4.1.1182.2.1.7.0"`), or as a column with a star for its rows
//! (`"1.3.6.1.2.1.25.3.3.1.2.*"`).
//!
//! Never here: the reading of files, and what a profile is used for.

mod component;
mod measure;
mod redundancy;

use super::check::Unique;
use super::raw::{self, At, Node, Value};
use super::reader::{Walk, text, wrong_type};
use super::report::{Ctx, Problem};
use super::values::{self, Taken, refuse};
use super::{SourceFile, Surroundings};
use crate::model::profile::{LeftOut, MOST_INSTANCES, Measure, Object, Oid, Profile, Profiles};
use std::sync::{Arc, LazyLock};

/// The profiles built in, by file.
const BUILTIN: &[(&str, &str)] = &[
    ("a10", include_str!("../../model/profiles/a10.toml")),
    ("alaxala", include_str!("../../model/profiles/alaxala.toml")),
    (
        "allied-telesis",
        include_str!("../../model/profiles/allied-telesis.toml"),
    ),
    ("apresia", include_str!("../../model/profiles/apresia.toml")),
    ("arista", include_str!("../../model/profiles/arista.toml")),
    ("century", include_str!("../../model/profiles/century.toml")),
    ("checkpoint", include_str!("../../model/profiles/checkpoint.toml")),
    ("cisco", include_str!("../../model/profiles/cisco.toml")),
    ("comware", include_str!("../../model/profiles/comware.toml")),
    ("extreme", include_str!("../../model/profiles/extreme.toml")),
    ("f5", include_str!("../../model/profiles/f5.toml")),
    ("fitelnet", include_str!("../../model/profiles/fitelnet.toml")),
    ("fortinet", include_str!("../../model/profiles/fortinet.toml")),
    ("hpe-aruba", include_str!("../../model/profiles/hpe-aruba.toml")),
    ("huawei", include_str!("../../model/profiles/huawei.toml")),
    ("infoblox", include_str!("../../model/profiles/infoblox.toml")),
    ("juniper", include_str!("../../model/profiles/juniper.toml")),
    ("mikrotik", include_str!("../../model/profiles/mikrotik.toml")),
    ("nec-ix", include_str!("../../model/profiles/nec-ix.toml")),
    ("net-snmp", include_str!("../../model/profiles/net-snmp.toml")),
    ("netscaler", include_str!("../../model/profiles/netscaler.toml")),
    ("nokia", include_str!("../../model/profiles/nokia.toml")),
    ("paloalto", include_str!("../../model/profiles/paloalto.toml")),
    ("seil", include_str!("../../model/profiles/seil.toml")),
    ("si-r", include_str!("../../model/profiles/si-r.toml")),
    ("sonicwall", include_str!("../../model/profiles/sonicwall.toml")),
    ("standard", include_str!("../../model/profiles/standard.toml")),
    ("ups", include_str!("../../model/profiles/ups.toml")),
    ("yamaha", include_str!("../../model/profiles/yamaha.toml")),
];

static PARSED: LazyLock<(Vec<Profile>, Vec<Problem>)> = LazyLock::new(|| {
    let file = |(name, text): &(&str, &str)| SourceFile {
        path: format!("built-in/{name}.toml").into(),
        text: (*text).to_owned(),
        private: false,
    };
    let files: Vec<SourceFile> = BUILTIN.iter().map(file).collect();
    read(&files, &NoSurroundings)
});

static BUILT_IN: LazyLock<Arc<Profiles>> = LazyLock::new(|| Arc::new(Profiles::new(PARSED.0.clone())));

/// The profiles built in, shared.
pub fn builtin_profiles() -> Arc<Profiles> {
    Arc::clone(&BUILT_IN)
}

/// What is wrong with the profiles built in: nothing, which a test holds.
pub fn builtin_problems() -> &'static [Problem] {
    &PARSED.1
}

/// Those built in with a site's own, which replace those of their names.
pub(super) fn with_own(own: Vec<Profile>) -> Arc<Profiles> {
    match own.is_empty() {
        true => builtin_profiles(),
        false => Arc::new(Profiles::new(PARSED.0.iter().cloned().chain(own))),
    }
}

/// A profile refers to nothing outside of its text.
struct NoSurroundings;

impl Surroundings for NoSurroundings {
    fn secret(&self, _: &super::SecretFrom) -> Result<super::Found, super::NotFound> {
        Err(nothing())
    }

    fn table(&self, _: &std::path::Path) -> Result<String, super::NotFound> {
        Err(nothing())
    }

    fn certificates(&self, _: &std::path::Path) -> Result<(), super::NotFound> {
        Err(nothing())
    }

    fn profiles(&self, _: &std::path::Path) -> Result<Vec<SourceFile>, super::NotFound> {
        Err(nothing())
    }
}

fn nothing() -> super::NotFound {
    super::NotFound {
        what: "is not looked for".to_owned(),
        hint: String::new(),
    }
}

/// Reads profile files: what is right in them, and everything that is wrong.
pub(super) fn read(files: &[SourceFile], around: &dyn Surroundings) -> (Vec<Profile>, Vec<Problem>) {
    let ctx = Ctx::new(files, around);
    let root = raw::parse(&ctx);
    let top = Walk::new(&ctx, &root, "the file");
    let mut unique = Unique::new(&ctx, "profile");
    let profiles = super::check::tables(&top, "profile")
        .into_iter()
        .filter_map(|walk| profile(walk, &mut unique))
        .collect();
    top.finish();
    (profiles, ctx.into_problems())
}

fn profile(walk: Walk<'_>, unique: &mut Unique<'_>) -> Option<Profile> {
    let name = walk.required("name", "the word in `profile = …` of a device", walk.text("name", word));
    let title = walk.name("title");
    let prefixes = walk.list("sys_object_ids", PREFIXES, prefix);
    let prefixes = walk.required("sys_object_ids", PREFIXES, prefixes);
    let tell_by = walk.text("tell_by", instance);
    let words = walk.list(
        "sys_descr",
        "a list of words of sysDescr, such as [\"IOS XR\"]",
        |ctx, node| text(ctx, "sys_descr", node, measure::phrase),
    );
    let source = walk.required(
        "source",
        "where the object identifiers are from",
        walk.text("source", line),
    );
    let verified = walk.required(
        "verified",
        "true if the identifiers were seen in a MIB or on a device, else false",
        walk.flag("verified"),
    );
    let note = walk.text("note", line);
    let mut measures: Vec<Measure> = Vec::new();
    for walk in super::check::tables(&walk, "measure") {
        measures.extend(measure::measure(walk, measures.last().map(|m| m.metric)));
    }
    let profile = Profile {
        name: name.as_ref().map_or("", |n| &n.value).into(),
        title: title.or(name.clone()).map_or(String::new(), |t| t.value),
        sys_object_ids: prefixes.map_or(Vec::new(), |p| p.value),
        sys_descr: words.map_or(Vec::new(), |w| w.value),
        tell_by: tell_by.map(|t| t.value),
        source: source.map_or(String::new(), |s| s.value),
        verified: verified.is_some_and(|v| v.value),
        note: note.map(|n| n.value),
        measures,
        components: super::check::tables(&walk, "component")
            .into_iter()
            .filter_map(component::component)
            .collect(),
        redundancy: super::check::tables(&walk, "redundancy")
            .into_iter()
            .filter_map(redundancy::redundancy)
            .collect(),
        left_out: super::check::tables(&walk, "left_out")
            .into_iter()
            .filter_map(left_out)
            .flatten()
            .collect(),
        instances: Vec::new(),
        only_fallback: 0,
    };
    let read = profile.objects().count();
    if read > MOST_INSTANCES {
        let what = format!("{} reads {read} objects", walk.name);
        let hint = format!("at most {MOST_INSTANCES}: each is asked of every device of this make");
        walk.ctx.error(walk.at(), what, hint);
    }
    walk.finish();
    unique.add(&name?).then_some(profile)
}

const PREFIXES: &str =
    "a list of prefixes of sysObjectID, such as [\"1.3.6.1.4.1.9.1\"]; [\"*\"] fits every device, [] none";

/// `word` of a profile: what people type behind `profile =`.
fn word(text: &str) -> Taken<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match text {
        "" | "auto" => refuse(format!("cannot be \"{text}\""), "a word such as \"cisco-ios\""),
        _ if text.chars().all(plain) && text.len() <= 40 => Ok(text.to_owned()),
        _ => refuse(
            format!("is not a word: \"{text}\""),
            "small letters, digits and hyphens, at most 40, such as \"cisco-ios\"",
        ),
    }
}

/// A sentence for people.
fn line(text: &str) -> Taken<String> {
    match text.trim() {
        "" => refuse("is empty", "one sentence"),
        text if text.chars().any(char::is_control) || text.chars().count() > 500 => {
            refuse("has control characters or more than 500 characters", "one sentence")
        }
        text => Ok(text.to_owned()),
    }
}

fn prefix<'a>(ctx: &'a Ctx<'a>, node: &'a Node) -> Option<Oid> {
    text(ctx, "sys_object_ids", node, |s| match s {
        "*" => Ok(Oid::default()),
        s => match values::oid(s) {
            Ok(oid) => Ok(oid.into()),
            Err(_) => refuse(format!("has a prefix that is no object identifier: \"{s}\""), PREFIXES),
        },
    })
}

/// An instance, without a star.
fn instance(text: &str) -> Taken<Oid> {
    match object(text)? {
        Object::Instance(oid) => Ok(oid),
        Object::Column(_) => refuse(
            format!("is a column: \"{text}\""),
            "one instance, such as \"1.3.6.1.2.1.1.3.0\"",
        ),
    }
}

/// A column, with its star.
fn column(text: &str) -> Taken<Oid> {
    match object(text)? {
        Object::Column(oid) => Ok(oid),
        Object::Instance(_) => refuse(
            format!("is not a column: \"{text}\""),
            "a column with a star for its rows, such as \"1.3.6.1.2.1.25.3.3.1.2.*\"",
        ),
    }
}

/// An instance, or a column with a star.
fn object(text: &str) -> Taken<Object> {
    const HINT: &str = "an instance such as \"1.3.6.1.2.1.1.3.0\", or a column with a star for its rows, such as \
                        \"1.3.6.1.2.1.25.3.3.1.2.*\"";
    let (oid, rows) = match text.strip_suffix(".*") {
        Some(column) => (column, true),
        None => (text, false),
    };
    match values::oid(oid) {
        Ok(oid) if rows => Ok(Object::Column(oid.into())),
        Ok(oid) => Ok(Object::Instance(oid.into())),
        Err(_) => refuse(format!("is not an object: \"{text}\""), HINT),
    }
}

fn left_out(walk: Walk<'_>) -> Option<Vec<LeftOut>> {
    const HINT: &str = "a list of object identifiers (columns without a star)";
    let oids = walk.list("oids", HINT, |ctx, node| text(ctx, "oids", node, values::oid));
    let oids = walk.required("oids", HINT, oids);
    let reason = walk.required("reason", "why they are not read", walk.text("reason", line));
    walk.finish();
    let reason = reason?.value;
    let one = |oid: Vec<u32>| LeftOut {
        oid: oid.into(),
        reason: reason.clone(),
    };
    Some(oids?.value.into_iter().map(one).collect())
}

/// A whole number that may be negative.
fn integer(ctx: &Ctx<'_>, key: &str, node: &Node) -> Option<i64> {
    match &node.value {
        Value::Integer(n) => Some(*n),
        other => {
            wrong_type(ctx, key, node, other, "a whole number");
            None
        }
    }
}

/// `{ normal = 1, failed = 2 }`: words and their codes.
fn codes(walk: &Walk<'_>, key: &'static str, hint: &str) -> Vec<At<(i64, String)>> {
    let Some(entry) = walk.get(key) else { return Vec::new() };
    let Some(table) = Walk::of(walk.ctx, &entry.node, format!("`{key}`"), hint) else {
        return Vec::new();
    };
    let code = |e: &raw::Entry| {
        let code = integer(walk.ctx, &e.key, &e.node)?;
        Some(At {
            value: (code, e.key.clone()),
            at: e.key_at,
        })
    };
    table.entries().iter().filter_map(code).collect()
}
