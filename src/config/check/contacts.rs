//! `[[contact]]` and contacts.csv: people and parties, and the mailboxes they are told at.

use super::devices::Inventory;
use super::operator::LANGUAGES;
use super::{Unique, contact_rows};
use crate::config::names::NameSet;
use crate::config::raw::{At, Node, Value};
use crate::config::reader::{self, Walk, unknown_reference};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::contact::CIRCUIT_CONTACT;
use crate::model::{Address, Contact, Party, When};
use std::sync::Arc;

pub(super) const PARTIES: &[(&str, Party)] = &[
    ("own", Party::Own),
    ("platform", Party::Platform),
    ("operator", Party::Operator),
    ("carrier", Party::Carrier),
    ("institution", Party::Institution),
    ("vendor", Party::Vendor),
    ("regulator", Party::Regulator),
];
const HINT: &str =
    "a list, each of which is told: [\"noc@example.net\", { address = \"oncall@example.org\", when = \"critical\" }]";

/// Reads all contacts; the place is that of the name.
pub(super) fn contacts(top: &Walk<'_>, inventory: &Inventory) -> Vec<At<Contact>> {
    let mut unique = Unique::new(top.ctx, "contact");
    let read = |walk| contact(walk, inventory);
    let mut all: Vec<At<Contact>> = super::tables(top, "contact").into_iter().filter_map(read).collect();
    contact_rows::rows(top, &mut all);
    all.retain(|c| {
        let name = At {
            value: c.value.name.to_string(),
            at: c.at,
        };
        if name.value == CIRCUIT_CONTACT {
            let what = format!("a contact cannot be called `{CIRCUIT_CONTACT}`");
            top.ctx.error(
                c.at,
                what,
                "in `tell` it means the contact of the circuit; give this one another name",
            );
        }
        unique.add(&name)
    });
    of_circuits(top.ctx, inventory, &all);
    all
}

/// The contacts that circuits name must be there.
fn of_circuits(ctx: &Ctx<'_>, inventory: &Inventory, all: &[At<Contact>]) {
    if inventory.circuits.contacts.is_empty() {
        return;
    }
    let names: NameSet<&str> = all.iter().map(|c| &*c.value.name).collect();
    for (name, at) in inventory
        .circuits
        .contacts
        .iter()
        .filter(|(name, _)| !names.contains(&**name))
    {
        let name = At {
            value: name.to_string(),
            at: *at,
        };
        let known = all.iter().map(|c| &*c.value.name);
        unknown_reference(
            ctx,
            "contact",
            &name,
            known,
            "there is no [[contact]] at all, and no file of [contacts]",
        );
    }
}

fn contact(walk: Walk<'_>, inventory: &Inventory) -> Option<At<Contact>> {
    let name = walk.required("name", "procedures refer to it", walk.name("name"));
    let party = walk.word("party", PARTIES);
    let party = walk.required(
        "party",
        "whose: \"own\", \"platform\", \"operator\", \"carrier\", \"institution\", \"vendor\" or \"regulator\"",
        party,
    );
    let plain = |key| walk.text(key, values::name).map(|t| t.value);
    let (role, phone) = (plain("role"), plain("phone"));
    let language = walk.word("language", LANGUAGES).map(|l| l.value);
    let carrier = carrier(&walk, party.as_ref(), inventory);
    let mail = walk.read("mail", |ctx, _, node| Some(mailboxes(ctx, node, inventory)));
    let mail = walk.required("mail", HINT, mail);
    if let Some(mail) = mail.as_ref().filter(|m| m.value.0 == 0) {
        walk.ctx
            .error(mail.at, "`mail` is empty", "a contact needs at least one mailbox");
    }
    walk.unsupported(
        "hours",
        "every contact is told at any hour; remove it or comment it out",
    );
    walk.unsupported("deputy", "name the deputy in `tell` or `escalate` of the procedure");
    walk.finish();
    let name = name?;
    Some(At {
        at: name.at,
        value: Contact {
            name: Arc::from(name.value),
            // A contact that is wrong elsewhere still exists for those that refer to it.
            party: party.map_or(Party::Own, |p| p.value),
            role,
            mail: mail.map_or(Vec::new(), |m| m.value.1),
            phone,
            language,
            carrier,
        },
    })
}

/// `carrier`: whose desk the contact is, by the name that circuits give the carrier.
fn carrier(walk: &Walk<'_>, party: Option<&At<Party>>, inventory: &Inventory) -> Option<Arc<str>> {
    let name = walk.name("carrier")?;
    if let Some(party) = party.filter(|p| p.value != Party::Carrier) {
        let what = format!("`carrier` on a contact with party = \"{}\"", party.value.key());
        walk.ctx
            .error(name.at, what, "it names whose desk this is: party = \"carrier\"");
    }
    let of = |d: &'_ crate::model::Device| d.circuit.as_ref().and_then(|c| c.carrier.clone());
    let known: std::collections::BTreeSet<Arc<str>> = inventory.devices.iter().filter_map(of).collect();
    if !known.contains(name.value.as_str()) {
        unknown_reference(
            walk.ctx,
            "carrier",
            &name,
            known.iter().map(|n| &**n),
            "no circuit has a `carrier`",
        );
    }
    Some(Arc::from(name.value))
}

/// How many were written, and those that are right.
fn mailboxes(ctx: &Ctx<'_>, node: &Node, inventory: &Inventory) -> (usize, Vec<Address>) {
    match &node.value {
        Value::Array(nodes) => (
            nodes.len(),
            nodes.iter().filter_map(|n| mailbox(ctx, n, inventory)).collect(),
        ),
        _ => (1, mailbox(ctx, node, inventory).into_iter().collect()),
    }
}

fn mailbox(ctx: &Ctx<'_>, node: &Node, inventory: &Inventory) -> Option<Address> {
    if !matches!(node.value, Value::Table(_)) {
        return Some(Address {
            mail: reader::text(ctx, "mail", node, values::mail_address)?,
            crosses: Vec::new(),
            when: When::Always,
        });
    }
    let walk = Walk::of(ctx, node, "an entry of `mail`", HINT)?;
    let mail = walk.text("address", values::mail_address);
    let mail = walk.required("address", HINT, mail);
    let crosses = inventory.crosses(&walk);
    let whens: Vec<(&str, When)> = When::ALL.into_iter().map(|w| (w.key(), w)).collect();
    let when = walk.word("when", &whens).map_or(When::Always, |w| w.value);
    walk.finish();
    Some(Address {
        mail: mail?.value,
        crosses,
        when,
    })
}
