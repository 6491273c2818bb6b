//! contacts.csv: the responsible persons of institutions, one a row. They may be as many as the circuits.

use super::cells::{self, take};
use super::columns::Keys;
use super::contacts::PARTIES;
use super::operator::LANGUAGES;
use super::tables::{self, Row};
use crate::config::lookalike::looks_like;
use crate::config::raw::At;
use crate::config::reader::{Walk, did_you_mean, listing};
use crate::config::report::{Ctx, Draft};
use crate::config::values;
use crate::model::{Address, Contact, Party, When};
use std::sync::Arc;

/// The columns.
const KEYS: [&str; 6] = ["name", "party", "mail", "role", "phone", "language"];
const NAME: usize = 0;
const PARTY: usize = 1;
const MAIL: usize = 2;
const ROLE: usize = 3;
const PHONE: usize = 4;
const LANGUAGE: usize = 5;

/// Adds the contacts of all files.
pub(super) fn rows(top: &Walk<'_>, all: &mut Vec<At<Contact>>) {
    if let Some(entry) = top.get("contacts")
        && let Some(walk) = Walk::of(
            top.ctx,
            &entry.node,
            "[contacts]",
            "write a section: [contacts] with file = \"contacts.csv\"",
        )
    {
        let _ = walk.required(
            "file",
            "the path of a CSV file, such as \"contacts.csv\"",
            walk.get("file"),
        );
        walk.finish();
    }
    let keys = Keys {
        plain: &KEYS,
        required: &[NAME, PARTY, MAIL],
        refused: &[
            (
                "crosses",
                "what the way to a mailbox needs is written in [[contact]], in hinomi.toml or conf.d/*.toml",
            ),
            (
                "when",
                "each address of a row gets every mail; what gets fewer is written in [[contact]]",
            ),
            (
                "carrier",
                "the desk of a carrier is written in [[contact]], in hinomi.toml or conf.d/*.toml",
            ),
            ("hours", "not supported yet: every contact is told at any hour"),
            (
                "deputy",
                "not supported yet: name the deputy in `tell` or `escalate` of the procedure",
            ),
        ],
        dotted: Vec::new(),
    };
    tables::rows(top.ctx, "contacts", &keys, |row| all.extend(contact(top.ctx, row)));
}

fn contact(ctx: &Ctx<'_>, row: &Row<'_, '_>) -> Option<At<Contact>> {
    for key in [NAME, PARTY, MAIL] {
        if row.get(key).is_none() {
            let who = row
                .get(NAME)
                .map_or_else(|| "the contact".to_string(), |(name, _)| format!("contact `{name}`"));
            let what = format!("{who} has no `{}`", KEYS[key]);
            ctx.push(
                Draft::error(row.at(), what)
                    .hint("fill the cell, or remove the row")
                    .consequence(),
            );
        }
    }
    let plain = |key: usize| {
        row.get(key)
            .and_then(|(text, at)| take(ctx, KEYS[key], text, at, values::name))
    };
    let (name, at) = row.get(NAME)?;
    take(ctx, "name", name, at, values::name)?;
    // A contact that is wrong elsewhere still exists for those that refer to it.
    Some(At {
        at,
        value: Contact {
            name: Arc::from(name),
            party: word(ctx, row, PARTY, PARTIES).unwrap_or(Party::Own),
            role: plain(ROLE),
            mail: mailboxes(ctx, row),
            phone: plain(PHONE),
            language: word(ctx, row, LANGUAGE, LANGUAGES),
            // The desks of carriers are few: they stand in [[contact]].
            carrier: None,
        },
    })
}

fn word<T: Copy>(ctx: &Ctx<'_>, row: &Row<'_, '_>, key: usize, words: &[(&str, T)]) -> Option<T> {
    let (text, at) = row.get(key)?;
    let found = words.iter().find(|(w, _)| *w == text).map(|(_, v)| *v);
    if found.is_none() {
        let all = || words.iter().map(|(w, _)| *w);
        let near = looks_like(text).or_else(|| did_you_mean(text, all()));
        let hint = near.unwrap_or_else(|| format!("one of: {}", listing(all())));
        ctx.error(
            at,
            format!("`{}` cannot be \"{text}\"", KEYS[key]),
            hint.replace('`', "\""),
        );
    }
    found
}

fn mailboxes(ctx: &Ctx<'_>, row: &Row<'_, '_>) -> Vec<Address> {
    let Some((text, at)) = row.get(MAIL) else {
        return Vec::new();
    };
    let address = |part| take(ctx, "mail", part, at, values::mail_address);
    let all = cells::parts(text).filter_map(address);
    all.map(|mail| Address {
        mail,
        crosses: Vec::new(),
        when: When::Always,
    })
    .collect()
}
