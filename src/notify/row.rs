//! One outbox row: a notice for one contact, as it stands in the store, and what is known of its delivery at run time.
//!
//! Pure. Never here: a decision about routes.

use super::plan::Notice;
use super::retry::Failing;
use crate::incident::RowChange;
use crate::model::{Address, Contact, Crossing, Language, Level, Mono, Name, Site, Wall, When};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Least time between two attempts of a row out of turn.
const HURRY: std::time::Duration = std::time::Duration::from_secs(60);

/// An address with what its way depends on, by names: ids do not survive a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredAddress {
    pub(crate) mail: String,
    /// Needed: one of each list.
    pub(crate) crosses: Vec<Vec<Name>>,
}

impl StoredAddress {
    fn is_cut(&self, down: &BTreeSet<Name>) -> bool {
        self.crosses
            .iter()
            .any(|any| !any.is_empty() && any.iter().all(|name| down.contains(name)))
    }
}

/// How a row ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// A relay took responsibility.
    Accepted {
        at: Wall,
        route: Name,
        relay: String,
        address: String,
        reply: String,
    },
    /// Told inside the mail of a later row.
    Collapsed { into: u64 },
}

/// The part that is kept in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) contact: Name,
    /// The address of the contact that this row is for; empty in rows from before each address had one of its own.
    #[serde(default)]
    pub(crate) mailbox: String,
    /// That address, then those that stand in for it where no relay takes a mail for it.
    pub(crate) addresses: Vec<StoredAddress>,
    pub(crate) language: Language,
    pub(crate) message_id: String,
    pub(crate) thread: Option<String>,
    /// For the order of sending: the worse of before and now.
    pub(crate) priority: Level,
    pub(crate) notice: Notice,
    /// Notices of collapsed rows, oldest first.
    pub(crate) earlier: Vec<Notice>,
    pub(crate) ended: Option<Ended>,
}

impl Stored {
    pub(crate) fn new(
        (contact, mailbox): (&Contact, &Mailbox<'_>),
        site: &Site,
        notice: Notice,
        message_id: String,
        thread: Option<String>,
    ) -> Stored {
        Stored {
            contact: contact.name.clone(),
            mailbox: mailbox.address.mail.clone(),
            addresses: addresses(
                std::iter::once(mailbox.address).chain(mailbox.stand_in.iter().copied()),
                site,
            ),
            language: contact.language.unwrap_or(site.operator.language),
            message_id,
            thread,
            priority: notice.level.max(notice.before),
            notice,
            earlier: Vec::new(),
            ended: None,
        }
    }
}

/// One address of a contact that gets a mail, and those that stand in for it.
pub(crate) struct Mailbox<'c> {
    pub(crate) address: &'c Address,
    stand_in: Vec<&'c Address>,
}

/// The addresses of a contact that get a notice. `unanswered`: the contact was told before because nobody had acknowledged.
pub(crate) fn mailboxes<'c>(contact: &'c Contact, notice: &Notice, unanswered: bool) -> Vec<Mailbox<'c>> {
    let gets = |a: &&Address| gets(a.when, notice, unanswered);
    let only = |when: When| contact.mail.iter().all(|a| a.when == when);
    // Written wrongly for that, but nobody is to be told of nothing.
    let all = only(When::Unanswered);
    let chosen: Vec<&Address> = contact.mail.iter().filter(|a| all || gets(a)).collect();
    let stand_in: Vec<&Address> = match all {
        true => Vec::new(),
        false => contact
            .mail
            .iter()
            .filter(|a| a.when == When::Unanswered && !gets(a))
            .collect(),
    };
    let mailbox = |(i, address)| Mailbox {
        address,
        stand_in: if i == 0 { stand_in.clone() } else { Vec::new() },
    };
    chosen.into_iter().enumerate().map(mailbox).collect()
}

fn gets(when: When, notice: &Notice, unanswered: bool) -> bool {
    let kind = notice.kind;
    match when {
        When::Always => true,
        When::Critical if kind.is_call() => notice.level == Level::Critical,
        // Whoever was woken by a critical notice hears how it goes on.
        When::Critical => notice.worst == Level::Critical,
        When::Unanswered => unanswered || kind.is_unanswered(),
    }
}

/// With names for ids.
fn addresses<'c>(all: impl Iterator<Item = &'c Address>, site: &Site) -> Vec<StoredAddress> {
    let name = |id: &crate::model::DeviceId| site.device(*id).name.clone();
    let crossing = |c: &Crossing| match c {
        Crossing::Device(id) => vec![name(id)],
        Crossing::Any(ids) => ids.iter().map(name).collect(),
    };
    let address = |a: &crate::model::Address| StoredAddress {
        mail: a.mail.clone(),
        crosses: a.crosses.iter().map(crossing).collect(),
    };
    all.map(address).collect()
}

/// Incident, contact and address.
pub(crate) type Group = (u64, Name, String);

/// A row at run time.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) stored: Stored,
    /// The batch it was planned in is committed, or could not be.
    pub(crate) released: bool,
    /// It could not be.
    pub(crate) not_ledgered: bool,
    /// Planned; after a start, when it was read.
    pub(crate) created: Mono,
    /// Age it already had then, by wall time.
    pub(crate) age_before: std::time::Duration,
    /// Slots are counted from here.
    pub(crate) started: Mono,
    /// Next attempt.
    pub(crate) due: Mono,
    /// Routes done with in the present round.
    pub(crate) tried: BTreeSet<Name>,
    /// Route and address pairs refused with 5xx at RCPT in the present round.
    pub(crate) refused: BTreeSet<(Name, String)>,
    /// The last refusal of an address: address, route, words.
    pub(crate) last_refusal: Option<String>,
    /// Temporary refusals by route.
    pub(crate) failing: BTreeMap<Name, Failing>,
    /// Open attempts: number, route, start.
    pub(crate) in_flight: Vec<(u64, Name, Mono)>,
    /// An attempt ended so that the mail may have been accepted.
    pub(crate) ambiguous: bool,
    /// The last attempt ended before a relay had heard of this mail.
    pub(crate) unreached: bool,
    /// When it was last called out of turn, or will be.
    pub(crate) hurried: Option<Mono>,
    /// It was called while an attempt was open, and is to be called again.
    pub(crate) called: bool,
    /// It is due but something else must end first.
    pub(crate) blocked: bool,
}

impl Row {
    pub(crate) fn new(id: u64, stored: Stored, now: Mono) -> Row {
        Row {
            id,
            stored,
            released: false,
            not_ledgered: false,
            created: now,
            age_before: std::time::Duration::ZERO,
            started: now,
            due: now,
            tried: BTreeSet::new(),
            refused: BTreeSet::new(),
            last_refusal: None,
            failing: BTreeMap::new(),
            in_flight: Vec::new(),
            ambiguous: false,
            unreached: false,
            hurried: None,
            called: false,
            blocked: false,
        }
    }

    /// Rows of the same incident for the same address of a contact may become one mail.
    pub(crate) fn group(&self) -> Group {
        let stored = &self.stored;
        (stored.notice.incident, stored.contact.clone(), stored.mailbox.clone())
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.stored.ended.is_none()
    }

    pub(crate) fn is_critical(&self) -> bool {
        self.stored.priority == Level::Critical
    }

    /// Critical, and nothing but a relay is missing.
    pub(crate) fn waits_for_a_relay(&self) -> bool {
        self.is_critical() && self.unreached && self.released && self.is_pending() && self.in_flight.is_empty()
    }

    /// Tries again now instead of at its slot; at most once a minute, whatever flaps: called sooner, it goes when the minute is over.
    pub(crate) fn hurry(&mut self, now: Mono) {
        let at = match self.hurried {
            Some(called) if called > now => called,
            Some(called) if now.since(called) < HURRY => called + HURRY,
            _ => now,
        };
        self.hurried = Some(at);
        self.due = self.due.min(at);
        self.tried.clear();
        self.refused.clear();
    }

    /// Takes the party of the contact as it is configured: a text for our own people must not go to anybody else.
    pub(crate) fn take_party(&mut self, site: &Site) {
        if let Some(contact) = site.contacts.iter().find(|c| c.name == self.stored.contact) {
            self.stored.notice.reader = contact.party;
        }
    }

    /// Takes the addresses that the contact has in a new configuration; true if they are others. A contact that is gone keeps its own.
    pub(crate) fn readdress(&mut self, site: &Site) -> bool {
        let Some(contact) = site.contacts.iter().find(|c| c.name == self.stored.contact) else {
            return false;
        };
        let stands_in = |a: &&Address| a.when == When::Unanswered && a.mail != self.stored.mailbox;
        let own = contact.mail.iter().find(|a| a.mail == self.stored.mailbox);
        let addresses = match own {
            Some(own) if self.stored.addresses.len() > 1 => {
                addresses(std::iter::once(own).chain(contact.mail.iter().filter(stands_in)), site)
            }
            Some(own) => addresses(std::iter::once(own), site),
            // The address has gone: whatever the contact has instead.
            None => addresses(contact.mail.iter(), site),
        };
        if addresses == self.stored.addresses {
            return false;
        }
        self.stored.addresses = addresses;
        self.refused.clear();
        self.tried.clear();
        true
    }

    pub(crate) fn age(&self, now: Mono) -> std::time::Duration {
        self.age_before + now.since(self.created)
    }

    /// Addresses in the order to be tried: its own, then those that stand in; those cut, or already used by the call that this one
    /// repeats, last.
    pub(crate) fn addresses(&self, down: &BTreeSet<Name>) -> Vec<String> {
        let used = self.stored.notice.accepted.as_ref().map(|(_, address)| address);
        let mut order: Vec<(u8, &StoredAddress)> = self
            .stored
            .addresses
            .iter()
            .map(|a| (u8::from(a.is_cut(down)) + 2 * u8::from(used == Some(&a.mail)), a))
            .collect();
        order.sort_by_key(|(rank, _)| *rank);
        order.into_iter().map(|(_, a)| a.mail.clone()).collect()
    }

    pub(crate) fn change(&self) -> RowChange {
        RowChange {
            id: self.id,
            pending: self.is_pending(),
            // No map in it has keys other than strings, no number is infinite: the book sees to that.
            json: serde_json::to_string(&self.stored).unwrap_or_default(),
        }
    }
}
