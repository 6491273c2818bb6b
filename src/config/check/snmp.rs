//! `[snmp.NAME]`: version, credentials, port, encoding of texts; and how a secret is written.

use crate::config::raw::{At, Node, Value};
use crate::config::reader::{Walk, listing};
use crate::config::report::Ctx;
use crate::config::{SecretFrom, values};
use crate::model::Secret;
use crate::model::snmp::{AuthProtocol, Credentials, PrivacyProtocol, SnmpAccess, TextEncoding, V3User};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All sections by name. `None`: written, but wrong (already reported).
pub(super) type Accesses = BTreeMap<String, Option<Arc<SnmpAccess>>>;

#[derive(Clone, Copy, PartialEq)]
enum Version {
    V1,
    V2c,
    V3,
}

const VERSIONS: &[(&str, Version)] = &[("1", Version::V1), ("2c", Version::V2c), ("3", Version::V3)];
const TEXT: &[(&str, TextEncoding)] = &[
    ("auto", TextEncoding::Auto),
    ("utf-8", TextEncoding::Utf8),
    ("shift-jis", TextEncoding::ShiftJis),
    ("euc-jp", TextEncoding::EucJp),
];
const AUTH: &[(&str, AuthProtocol)] = &[
    ("sha1", AuthProtocol::Sha1),
    ("sha224", AuthProtocol::Sha224),
    ("sha256", AuthProtocol::Sha256),
    ("sha384", AuthProtocol::Sha384),
    ("sha512", AuthProtocol::Sha512),
];
const PRIVACY: &[(&str, PrivacyProtocol)] = &[
    ("aes128", PrivacyProtocol::Aes128),
    ("aes192", PrivacyProtocol::Aes192),
    ("aes256", PrivacyProtocol::Aes256),
    ("aes192c", PrivacyProtocol::Aes192c),
    ("aes256c", PrivacyProtocol::Aes256c),
];

/// Reads all `[snmp.NAME]`.
pub(super) fn sections(top: &Walk<'_>) -> Accesses {
    let mut all = Accesses::new();
    for (entry, walk) in super::named(top, "snmp") {
        all.insert(entry.key.clone(), section(&entry.key, walk).map(Arc::new));
    }
    all
}

fn section(name: &str, walk: Walk<'_>) -> Option<SnmpAccess> {
    let version = walk.word("version", VERSIONS);
    let version = walk.required("version", "one of \"1\", \"2c\", \"3\"", version);
    let port = walk.number("port", 1..=65_535).map_or(161, |p| p.value);
    let interfaces_max = walk
        .number("interfaces_max", 1..=100_000)
        .map_or(SnmpAccess::INTERFACES_MAX, |n| n.value);
    let text = walk.word("text", TEXT).map_or(TextEncoding::Auto, |t| t.value);
    let credentials = match version.map(|v| v.value) {
        Some(Version::V3) => v3(&walk),
        Some(v) => community(&walk, v),
        None => {
            // Known in some version, so that they are not called unknown on top.
            for key in ["community", "user", "auth", "privacy", "context"] {
                let _ = walk.get(key);
            }
            None
        }
    };
    walk.finish();
    Some(SnmpAccess {
        name: name.to_string(),
        port: u16::try_from(port).unwrap_or(161),
        credentials: credentials?,
        text,
        interfaces_max,
    })
}

fn community(walk: &Walk<'_>, version: Version) -> Option<Credentials> {
    for key in ["user", "auth", "privacy", "context"] {
        if let Some(entry) = walk.get(key) {
            walk.ctx.error(
                entry.key_at,
                format!("`{key}` belongs to version 3"),
                "write version = \"3\", or use `community`",
            );
        }
    }
    let found = walk
        .get("community")
        .map(|e| (e, secret(walk.ctx, "community", &e.node)));
    if found.is_none() {
        walk.missing(
            "community",
            "community = { credential = \"NAME\" }, or { file = \"PATH\" }, or { env = \"NAME\" }",
        );
    }
    let (_, community) = found?;
    let community = community?.value.unwrap_or_else(not_read);
    Some(match version {
        Version::V1 => Credentials::V1 { community },
        _ => Credentials::V2c { community },
    })
}

fn v3(walk: &Walk<'_>) -> Option<Credentials> {
    if let Some(entry) = walk.get("community") {
        walk.ctx.error(
            entry.key_at,
            "version 3 has no `community`",
            "it has `user`, `auth` and `privacy`",
        );
    }
    let user = walk.text("user", |s| match s.len() {
        1..=32 => Ok(s.to_string()),
        n => values::refuse(format!("has {n} octets"), "a user name of SNMPv3 has 1 to 32"),
    });
    let user = walk.required("user", "the user name of SNMPv3 (USM)", user);
    let context = walk
        .text("context", |s| Ok(s.to_string()))
        .map_or(String::new(), |c| c.value);
    let hint = "a table: { protocol = \"sha256\", password = { credential = \"NAME\" } }";
    let auth = keyed(walk, "auth", AUTH, "md5", hint);
    let privacy = keyed(
        walk,
        "privacy",
        PRIVACY,
        "des",
        "a table: { protocol = \"aes128\", password = { credential = \"NAME\" } }",
    );
    if let (Some(entry), None) = (walk.get("privacy"), walk.get("auth")) {
        walk.ctx.error(
            entry.key_at,
            "`privacy` without `auth`",
            "SNMPv3 encrypts only what it authenticates; add `auth`",
        );
    }
    Some(Credentials::V3(V3User {
        user: user?.value,
        auth: auth?,
        privacy: privacy?,
        context,
    }))
}

/// `{ protocol, password }`. Outer `None`: wrong; inner `None`: not written.
fn keyed<T: Copy>(
    walk: &Walk<'_>,
    key: &'static str,
    words: &[(&str, T)],
    old: &str,
    hint: &str,
) -> Option<Option<(T, Secret)>> {
    let Some(entry) = walk.get(key) else { return Some(None) };
    let table = Walk::of(walk.ctx, &entry.node, format!("`{key}`"), hint)?;
    let protocol = table.read("protocol", |ctx, key, node| match &node.value {
        Value::String(s) if s.eq_ignore_ascii_case(old) => {
            let known = listing(words.iter().map(|(w, _)| *w));
            ctx.error(node.at, format!("{s} is not supported yet"), format!("one of: {known}"));
            None
        }
        _ => crate::config::reader::word(ctx, key, node, words),
    });
    let protocol = table.required("protocol", hint, protocol);
    let password = table
        .get("password")
        .map(|e| (e.node.at, secret(table.ctx, "password", &e.node)));
    if password.is_none() {
        table.missing("password", hint);
    }
    table.finish();
    let (at, found) = password?;
    let found = found?.value;
    if found.as_ref().is_some_and(|s| s.expose().len() < 8) {
        walk.ctx.error(
            at,
            "`password` is shorter than 8 characters",
            "RFC 3414 asks for 8 and more; agents refuse shorter ones",
        );
        return None;
    }
    Some(Some((protocol?.value, found.unwrap_or_else(not_read))))
}

/// Stands in for a secret that is not looked for (`--no-secrets`).
pub(super) fn not_read() -> Secret {
    Secret::new(Vec::new())
}

/// `{ credential }`, `{ file }`, `{ env }`, or the secret itself in a private file. Inner `None`: not looked for.
pub(super) fn secret(ctx: &Ctx<'_>, key: &str, node: &Node) -> Option<At<Option<Secret>>> {
    const HINT: &str = "{ credential = \"NAME\" }, { file = \"PATH\" } or { env = \"NAME\" }";
    if let Value::String(text) = &node.value {
        if !ctx.files.get(node.at.file as usize).is_some_and(|f| f.private) {
            let what = format!("`{key}` is written in a file that others can read");
            ctx.error(node.at, what, format!("chmod 600 the file, or better {HINT}"));
            return None;
        }
        if text.is_empty() {
            ctx.error(node.at, format!("`{key}` is empty"), HINT);
            return None;
        }
        let value = Some(Secret::new(text.as_bytes()));
        return Some(At { value, at: node.at });
    }
    let walk = Walk::of(ctx, node, format!("`{key}`"), HINT)?;
    let plain = |s: &str| {
        if s.is_empty() {
            values::refuse("is empty", HINT)
        } else {
            Ok(s.to_string())
        }
    };
    let credential = walk.text("credential", |s| match s {
        "" | "." | ".." => values::refuse("is not a name", HINT),
        s if s.contains(['/', '\0']) => values::refuse("is a path, not a name", "for a path write { file = \"PATH\" }"),
        s => Ok(s.to_string()),
    });
    let file = walk.text("file", plain);
    let env = walk.text("env", |s| match s {
        s if s.is_empty() || s.contains(['=', '\0']) => values::refuse("is not a name of the environment", HINT),
        s => Ok(s.to_string()),
    });
    let written = walk.entries().len();
    walk.finish();
    let mut from = Vec::new();
    from.extend(credential.map(|c| SecretFrom::Credential(c.value)));
    from.extend(file.map(|f| SecretFrom::File(super::operator::resolve(ctx, &f))));
    from.extend(env.map(|e| SecretFrom::Env(e.value)));
    if from.len() > 1 || written == 0 {
        ctx.error(
            node.at,
            format!("`{key}` does not say which one place it lies in"),
            format!("one of {HINT}"),
        );
        return None;
    }
    match ctx.around.secret(&from.pop()?) {
        Ok(found) => {
            if let Some(doubt) = found.doubt {
                ctx.warn(
                    node.at,
                    format!("`{key}` {doubt}"),
                    "chmod 600 it, owned by the user that runs hinomi",
                );
            }
            Some(At {
                value: found.secret,
                at: node.at,
            })
        }
        Err(missing) => {
            ctx.error(node.at, format!("`{key}` {}", missing.what), missing.hint);
            None
        }
    }
}
