//! Which addresses of contacts no route gets a mail to.
//!
//! Never here: which address gets which mail (that is `row`).

use super::{Notifier, NotifyEffect};
use crate::model::{Name, Site};
use crate::notify::row::{Row, StoredAddress};
use std::collections::BTreeSet;

impl Notifier {
    /// Refusals of addresses that no contact has any more, and for which nothing waits, say nothing.
    pub(super) fn forget_mailboxes(&mut self, site: &Site) {
        let waits = |mailbox: &(Name, String)| {
            let of = |r: &Row| r.is_pending() && (&r.stored.contact, &r.stored.mailbox) == (&mailbox.0, &mailbox.1);
            self.rows.values().any(of)
        };
        let has = |(name, mail): &(Name, String)| {
            let contact = site.contacts.iter().find(|c| c.name == *name);
            contact.map(|c| mail.is_empty() || c.mail.iter().any(|a| a.mail == *mail))
        };
        let gone: Vec<(Name, String)> = self
            .mailboxes
            .keys()
            .filter(|m| has(m).is_none_or(|has| !has && !waits(m)))
            .cloned()
            .collect();
        for mailbox in gone {
            let before = self.refusal(&mailbox.0).map(str::to_owned);
            self.mailboxes.remove(&mailbox);
            if before.is_some() && self.refusal(&mailbox.0).is_none() && has(&mailbox).is_some() {
                self.effects.push(NotifyEffect::ContactState {
                    contact: mailbox.0,
                    refused: None,
                });
            }
        }
    }

    /// The last refusal of an address of a contact, if every way refuses one.
    pub(super) fn refusal(&self, contact: &Name) -> Option<&str> {
        let of = self.mailboxes.iter().filter(|((name, _), _)| name == contact);
        of.filter_map(|(_, words)| words.as_deref()).next()
    }

    /// Notes how an address of a contact was found, and says so where that changes what is known of the contact.
    pub(super) fn found(&mut self, row: u64, refused: Option<String>) {
        let Some(row) = self.rows.get(&row) else { return };
        let contact = row.stored.contact.clone();
        let mailbox = (contact.clone(), row.stored.mailbox.clone());
        let is_known = self.mailboxes.keys().any(|(name, _)| *name == contact);
        let before = self.refusal(&contact).map(str::to_owned);
        self.mailboxes.insert(mailbox, refused);
        let after = self.refusal(&contact).map(str::to_owned);
        if !is_known || before != after {
            self.effects.push(NotifyEffect::ContactState {
                contact,
                refused: after,
            });
        }
    }

    /// Every way has refused all addresses of a row's contact, or failed: somebody else must know.
    pub(super) fn refused_everywhere(&mut self, id: u64) {
        let Some(row) = self.rows.get(&id) else { return };
        let refused = |route: &Name| {
            let pair = |a: &StoredAddress| row.refused.contains(&(route.clone(), a.mail.clone()));
            row.stored.addresses.iter().all(pair)
        };
        if !self.routes.list.iter().any(|r| refused(&r.name)) {
            return;
        }
        let words = row.last_refusal.clone().unwrap_or_default();
        self.found(id, Some(words));
    }

    /// Contacts with an address that no relay takes mail for, and the words of the last refusal.
    pub fn refused_contacts(&self) -> impl Iterator<Item = (&Name, &str)> {
        let names: BTreeSet<&Name> = self.mailboxes.keys().map(|(name, _)| name).collect();
        names.into_iter().filter_map(|name| Some((name, self.refusal(name)?)))
    }
}
