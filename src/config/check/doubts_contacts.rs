//! What is doubtful about contacts: parties outside that cannot phone back or are not known by what is theirs, people who are never
//! told.
//!
//! Never here: whether a mailbox lies outside of the own network (that is `doubts`).

use super::devices::Inventory;
use crate::config::raw::At;
use crate::config::report::Ctx;
use crate::model::contact::CIRCUIT_CONTACT;
use crate::model::{Contact, Level, Operator, Party, Procedure, When};
use std::collections::BTreeSet;

/// Looks through the contacts of a site that may still have errors.
pub(super) fn doubts(
    ctx: &Ctx<'_>,
    inventory: &Inventory,
    operator: Option<&Operator>,
    contacts: &[At<Contact>],
    procedures: &[At<Procedure>],
) {
    let told = Told::of(inventory, procedures);
    let outside = contacts
        .iter()
        .find(|c| c.value.party.is_outside() && told.names(&c.value));
    if let (Some(operator), Some(outside)) = (operator, outside)
        && operator.phone.is_none()
    {
        let what = format!(
            "`{}` is told (party = \"{}\") and has no number to call: there is no `phone` in [operator]",
            outside.value.name,
            outside.value.party.key()
        );
        ctx.warn(
            outside.at,
            what,
            "add to [operator]: phone = \"+81-3-0000-0000\"; it stands in every mail to another party",
        );
    }
    for contact in contacts.iter().filter(|c| told.names(&c.value)) {
        never(ctx, contact, &told);
        unknown(ctx, inventory, contact, &told);
    }
}

/// Whom the procedures name.
struct Told<'p> {
    by_name: BTreeSet<&'p str>,
    /// Those that are told of warnings.
    of_warnings: BTreeSet<&'p str>,
    /// Contacts of circuits, where a procedure tells `circuit.contact`.
    of_circuits: BTreeSet<&'p str>,
}

impl<'p> Told<'p> {
    fn of(inventory: &'p Inventory, procedures: &'p [At<Procedure>]) -> Told<'p> {
        let all = |p: &'p Procedure| {
            p.tell
                .iter()
                .chain(p.escalate.iter().flat_map(|e| &e.tell))
                .map(|n| &**n)
        };
        let warnings = procedures
            .iter()
            .filter(|p| p.value.matches.level != Some(Level::Critical));
        let by_name: BTreeSet<&str> = procedures.iter().flat_map(|p| all(&p.value)).collect();
        let of_circuits = match by_name.contains(CIRCUIT_CONTACT) {
            true => inventory.circuits.contacts.iter().map(|(n, _)| &**n).collect(),
            false => BTreeSet::new(),
        };
        Told {
            by_name,
            of_warnings: warnings.flat_map(|p| all(&p.value)).collect(),
            of_circuits,
        }
    }

    fn names(&self, contact: &Contact) -> bool {
        self.by_name.contains(&*contact.name) || self.of_circuits.contains(&*contact.name)
    }
}

/// Whoever is told of warnings needs an address that gets them.
fn never(ctx: &Ctx<'_>, contact: &At<Contact>, told: &Told<'_>) {
    let (name, mail) = (&contact.value.name, &contact.value.mail);
    let all = |when: When| !mail.is_empty() && mail.iter().all(|a| a.when == when);
    if all(When::Critical) && (told.of_warnings.contains(&**name) || told.of_circuits.contains(&**name)) {
        ctx.warn(
            contact.at,
            format!("`{name}` is told of warnings, and every address has when = \"critical\": no warning is sent"),
            "leave `when` out of one address, or name the contact only where level = \"critical\"",
        );
    }
    if all(When::Unanswered) {
        ctx.warn(
            contact.at,
            format!("every address of `{name}` has when = \"unanswered\": they are used as if nothing were written"),
            "an address with \"unanswered\" stands behind one without it: leave it out of the first",
        );
    }
}

/// A party outside is told what of theirs is affected: that must be known.
fn unknown(ctx: &Ctx<'_>, inventory: &Inventory, contact: &At<Contact>, told: &Told<'_>) {
    let (name, value) = (&contact.value.name, &contact.value);
    let mut circuits = inventory.devices.iter().filter_map(|d| d.circuit.as_ref());
    match value.party {
        Party::Carrier if value.carrier.is_none() => {
            let known = circuits.any(|c| c.carrier.as_ref().is_some_and(|carrier| value.speaks_for(carrier)));
            if !known {
                let what = format!("`{name}` is told, and no circuit has it as its carrier: its lines cannot be named");
                ctx.warn(
                    contact.at,
                    what,
                    "write carrier = \"…\": the name in `carrier` of the circuits",
                );
            }
        }
        Party::Institution
            if !told.of_circuits.contains(&**name) && !circuits.any(|c| c.contact.as_ref() == Some(name)) =>
        {
            let what =
                format!("`{name}` is told, and no circuit has it as its `contact`: its circuits cannot be named");
            ctx.warn(
                contact.at,
                what,
                "write contact = \"…\" in the circuits of this institution",
            );
        }
        _ => {}
    }
}
