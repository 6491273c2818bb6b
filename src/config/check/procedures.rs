//! `[[procedure]]`: who is told what. The first that matches is followed.

use super::Unique;
use super::devices::Inventory;
use super::findings::LEVELS;
use super::layer::OWNERS;
use crate::config::raw::At;
use crate::config::reader::{self, Walk, unknown_reference};
use crate::config::values::{self, Taken};
use crate::model::contact::CIRCUIT_CONTACT;
use crate::model::{Contact, Escalation, FindingKind, Level, Match, Name, Procedure, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const TELL: &str = "a list of names of contacts, such as [\"noc\", \"manager\"]";
const ESCALATE: &str = "a list such as [{ after = \"15m\", unless = \"acknowledged\", tell = [\"manager\"] }]";

/// Reads all procedures; the place is that of the name.
pub(super) fn procedures(top: &Walk<'_>, inventory: &Inventory, contacts: &[At<Contact>]) -> Vec<At<Procedure>> {
    let mut unique = Unique::new(top.ctx, "procedure");
    let mut all = Vec::new();
    let sites: BTreeSet<&str> = inventory.devices.iter().filter_map(|d| d.site.as_deref()).collect();
    for walk in super::tables(top, "procedure") {
        let name = walk.required("name", "it stands in mails and in `explain`", walk.name("name"));
        let matches = matches(&walk, inventory, &sites);
        let tell = tell(&walk, contacts);
        let escalate = escalate(&walk, contacts);
        let remind = walk.duration("remind", Duration::from_secs(60)).map(|d| d.value);
        walk.unsupported(
            "report",
            "reports to other parties come in a later version; until then name their contacts in `tell`",
        );
        walk.finish();
        let Some(name) = name.filter(|n| unique.add(n)) else {
            continue;
        };
        all.push(At {
            at: name.at,
            value: Procedure {
                name: Arc::from(name.value),
                matches,
                tell,
                escalate,
                remind,
            },
        });
    }
    all
}

fn tell(walk: &Walk<'_>, contacts: &[At<Contact>]) -> Vec<Name> {
    let names = walk.names("tell", TELL);
    let Some(names) = walk.required("tell", TELL, names) else {
        return Vec::new();
    };
    if names.value.is_empty() {
        walk.ctx.error(names.at, "`tell` is empty", TELL);
    }
    let mut told: Vec<Name> = Vec::new();
    for name in &names.value {
        if name.value == CIRCUIT_CONTACT {
            told.push(Arc::from(CIRCUIT_CONTACT));
            continue;
        }
        match contacts.iter().find(|c| *c.value.name == *name.value) {
            Some(contact) if told.contains(&contact.value.name) => {
                walk.ctx.error(
                    name.at,
                    format!("`{}` is listed twice", name.value),
                    "each contact is told once; remove one",
                );
            }
            Some(contact) => told.push(contact.value.name.clone()),
            None => {
                let all = contacts.iter().map(|c| &*c.value.name);
                unknown_reference(walk.ctx, "contact", name, all, "there is no [[contact]] at all");
            }
        }
    }
    told
}

fn escalate(walk: &Walk<'_>, contacts: &[At<Contact>]) -> Vec<Escalation> {
    let read = walk.list("escalate", ESCALATE, |ctx, node| {
        let step = Walk::of(ctx, node, "an entry of `escalate`", ESCALATE)?;
        let after = step.duration("after", Duration::from_secs(1));
        let after = step.required(
            "after",
            "how long after the incident was opened, such as \"15m\"",
            after,
        );
        let _ = step.word("unless", &[("acknowledged", ())]);
        let tell = tell(&step, contacts);
        step.finish();
        Some(Escalation {
            after: after?.value,
            tell,
        })
    });
    read.map_or(Vec::new(), |r| r.value)
}

fn matches(walk: &Walk<'_>, inventory: &Inventory, sites: &BTreeSet<&str>) -> Match {
    let hint = "a table of conditions, such as { level = \"critical\" }; all of them must hold";
    let Some(entry) = walk.get("match") else {
        return Match::default();
    };
    let Some(m) = Walk::of(walk.ctx, &entry.node, "`match`", hint) else {
        return Match::default();
    };
    let verdicts: Vec<(&str, Verdict)> = Verdict::ALL.into_iter().map(|v| (v.key(), v)).collect();
    let levels: Vec<(&str, Level)> = LEVELS.iter().copied().filter(|(_, l)| *l != Level::Ok).collect();
    let circuit = circuit(&m, inventory);
    let found = Match {
        level: m.word("level", &levels).map(|l| l.value),
        verdict: m.word("verdict", &verdicts).map(|v| v.value),
        owner: m.word("owner", OWNERS).map(|o| o.value),
        kind: m.text("kind", kind).map(|k| k.value),
        class: reference(&m, "class", || inventory.classes.iter().map(String::as_str), ""),
        group: reference(
            &m,
            "group",
            || inventory.groups.iter().map(String::as_str),
            "there is no [group.NAME] at all",
        ),
        site: reference(&m, "site", || sites.iter().copied(), "no device has a `site`"),
        // A circuit is told of by its id, as a device is by its name.
        device: circuit.or(reference(
            &m,
            "device",
            || inventory.names().iter().map(|n| &**n),
            "there is no [[device]] at all",
        )),
        affected_at_least: m.text("affected", affected).map(|a| a.value),
    };
    m.finish();
    found
}

/// `circuit = "N-…"`.
fn circuit(m: &Walk<'_>, inventory: &Inventory) -> Option<Name> {
    let id = m.name("circuit")?;
    if let Some(device) = m.get("device") {
        m.ctx.error(
            device.key_at,
            "a condition on a circuit and on a device: no notice is of both",
            "write two procedures, one for each",
        );
    }
    if !inventory.circuits.ids.contains_key(id.value.as_str()) {
        let mut near: Vec<&str> = Vec::new();
        if m.ctx.may_guess(inventory.circuits.ids.len()) {
            near.extend(inventory.circuits.ids.keys().map(|n| &**n));
            near.sort_unstable();
        }
        let none = "it is not among the ids of [[circuit]] and of the files of [circuits]";
        unknown_reference(m.ctx, "circuit", &id, near.iter().copied(), none);
    }
    Some(Arc::from(id.value))
}

fn reference<'n, I: Iterator<Item = &'n str> + Clone>(
    walk: &Walk<'_>,
    key: &'static str,
    all: impl Fn() -> I,
    none: &str,
) -> Option<Name> {
    let name = walk.name(key)?;
    if !all().any(|known| known == name.value) {
        unknown_reference(walk.ctx, key, &name, all(), none);
    }
    Some(Arc::from(name.value))
}

fn kind(text: &str) -> Taken<FindingKind> {
    let known = || FindingKind::ALL.into_iter().map(FindingKind::key);
    if let Some(kind) = FindingKind::ALL.into_iter().find(|k| k.key() == text) {
        return Ok(kind);
    }
    let hint = reader::did_you_mean(text, known()).unwrap_or_else(|| format!("one of: {}", reader::listing(known())));
    values::refuse(format!("cannot be \"{text}\""), hint)
}

fn affected(text: &str) -> Taken<u32> {
    let number = text.trim().strip_prefix(">=").and_then(|n| n.trim().parse().ok());
    match number {
        Some(n) if n > 0 => Ok(n),
        _ => values::refuse(
            format!("is not understood: \"{text}\""),
            "how many devices at least: \">= 100\"",
        ),
    }
}
