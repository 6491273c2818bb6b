//! Who reads a mail, and what of theirs the incident touches: the circuits of an institution or of a carrier, and the desk that our
//! own people phone next.
//!
//! Pure. Never here: words.

use crate::incident::{Book, Incident};
use crate::model::{
    Circuit, Contact, Device, DeviceId, FindingKey, FindingKind, Level, Name, Part, Party, Site, Verdict,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Circuits listed in a mail; the rest is a number.
pub const LINES: usize = 20;

/// A circuit as it is named on the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractLine {
    /// Contract number.
    pub circuit: Name,
    /// Whose.
    pub institution: Name,
    /// The access carrier.
    pub carrier: Option<Name>,
    /// Contracted rate toward the institution, bit/s.
    pub down_bps: Option<u64>,
    /// Contracted rate from the institution, bit/s.
    pub up_bps: Option<u64>,
}

impl ContractLine {
    fn of(device: &Device, circuit: &Circuit) -> ContractLine {
        ContractLine {
            circuit: device.name.clone(),
            institution: circuit.institution.clone(),
            carrier: circuit.carrier.clone(),
            down_bps: circuit.down_bps,
            up_bps: circuit.up_bps,
        }
    }
}

/// Whom our own people phone next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// Whose desk.
    pub party: Party,
    /// The contact's name.
    pub name: Name,
    /// Its role.
    pub role: Option<String>,
    /// Its number.
    pub phone: Option<String>,
}

impl Desk {
    fn of(contact: &Contact) -> Desk {
        Desk {
            party: contact.party,
            name: contact.name.clone(),
            role: contact.role.clone(),
            phone: contact.phone.clone(),
        }
    }
}

/// Circuits that an incident touches: those that are out (or, of a number, concerned), and those that are back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Out now, at most [`LINES`] of them.
    pub out: Vec<ContractLine>,
    /// How many in all.
    pub out_count: usize,
    /// Were out and are back, at most [`LINES`] of them.
    pub back: Vec<ContractLine>,
    /// How many in all.
    pub back_count: usize,
}

impl Lines {
    fn add(&mut self, line: ContractLine, is_out: bool) {
        let (list, count) = match is_out {
            true => (&mut self.out, &mut self.out_count),
            false => (&mut self.back, &mut self.back_count),
        };
        *count += 1;
        if list.len() < LINES {
            list.push(line);
        }
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.out_count + self.back_count == 0
    }

    /// All that are named.
    pub fn named(&self) -> impl Iterator<Item = &ContractLine> {
        self.out.iter().chain(&self.back)
    }
}

/// A device that was behind the root, and is not well though it is not behind it any more: it has an incident of its own.
pub type Apart = (Name, u64);

/// The state of what hung behind an incident, by the book as it stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) unreachable: BTreeSet<Name>,
    pub(crate) back: BTreeSet<Name>,
    pub(crate) apart: Vec<Apart>,
}

impl Behind {
    pub(crate) fn of(incident: &Incident, book: &Book) -> Behind {
        let mut behind = Behind::default();
        if incident.affected.is_empty() {
            return behind;
        }
        let others = book.open().filter(|i| i.id != incident.id);
        let elsewhere: HashMap<&Name, u64> = others.flat_map(|i| i.unreachable().map(|name| (name, i.id))).collect();
        for (name, hanging) in &incident.affected {
            // Silent again, or behind another root: it left this incident without being well.
            let own = |i: &&Incident| i.id != incident.id && i.level > Level::Ok && silences(&i.root);
            let other = || {
                elsewhere
                    .get(name)
                    .copied()
                    .or_else(|| book.open_about(name).find(own).map(|i| i.id))
            };
            match hanging.back {
                None => drop(behind.unreachable.insert(name.clone())),
                Some(_) => match other() {
                    Some(other) => behind.apart.push((name.clone(), other)),
                    None => drop(behind.back.insert(name.clone())),
                },
            }
        }
        behind
    }
}

/// Does the finding say that its device, as a whole, cannot be reached?
fn silences(root: &FindingKey) -> bool {
    root.part == Part::Device
        && matches!(
            root.kind,
            FindingKind::DeviceDown
                | FindingKind::PlatformDown
                | FindingKind::CircuitSilent
                | FindingKind::InterfaceDown
        )
}

/// Looks up what a reader must know.
pub(crate) struct Readers<'a> {
    pub(crate) site: &'a Site,
    pub(crate) devices: &'a BTreeMap<Name, DeviceId>,
}

impl Readers<'_> {
    fn circuit(&self, name: &Name) -> Option<(&Device, &Circuit)> {
        let device = self.site.devices.get(self.devices.get(name)?.index())?;
        Some((device, device.circuit.as_deref()?))
    }

    /// Circuits that the root itself is about.
    fn of_root<'s>(&'s self, incident: &Incident) -> Vec<(&'s Device, &'s Circuit)> {
        if let Some(name) = &incident.root.device {
            return self.circuit(name).into_iter().collect();
        }
        let (Part::Common(label) | Part::Redundancy(label)) = &incident.root.part else {
            return Vec::new();
        };
        let of_institution = |d: &&Device| d.circuit.as_deref().is_some_and(|c| c.institution_label() == *label);
        let all = self.site.devices.iter().filter(of_institution);
        all.filter_map(|d| Some((d, d.circuit.as_deref()?))).collect()
    }

    /// Is a circuit the reader's? Our own people see all.
    fn is_theirs(contact: &Contact, institutions: &BTreeSet<&Name>, circuit: &Circuit) -> bool {
        match contact.party {
            Party::Own => true,
            Party::Institution => institutions.contains(&circuit.institution_id),
            Party::Carrier => circuit.carrier.as_ref().is_some_and(|c| contact.speaks_for(c)),
            Party::Platform | Party::Operator | Party::Vendor | Party::Regulator => false,
        }
    }

    /// The circuits of a reader that the incident touches, as a notice of `level` speaks of them.
    pub(crate) fn lines(&self, contact: &Contact, incident: &Incident, behind: &Behind, level: Level) -> Lines {
        let mut lines = Lines::default();
        let root = self.of_root(incident);
        // Without a circuit of theirs in the incident the whole site need not be searched.
        let of_theirs = |(_, c): &(&Device, &Circuit)| c.contact.as_ref() == Some(&contact.name);
        let named = root.iter().copied();
        let hanging = || incident.affected.keys().filter_map(|name| self.circuit(name));
        let institutions: BTreeSet<&Name> = match contact.party {
            Party::Institution => {
                let theirs = named.clone().chain(hanging()).filter(of_theirs);
                theirs.map(|(_, c)| &c.institution_id).collect()
            }
            _ => BTreeSet::new(),
        };
        for (device, circuit) in root {
            if Self::is_theirs(contact, &institutions, circuit) && !incident.affected.contains_key(&device.name) {
                lines.add(ContractLine::of(device, circuit), level > Level::Ok);
            }
        }
        if contact.party == Party::Own {
            // Our own people get what is behind in lists of its own.
            return lines;
        }
        for name in incident.affected.keys() {
            let Some((device, circuit)) = self.circuit(name) else {
                continue;
            };
            if Self::is_theirs(contact, &institutions, circuit) {
                lines.add(ContractLine::of(device, circuit), !behind.back.contains(name));
            }
        }
        lines
    }

    /// The institution that a contact speaks for, if all circuits that name the contact are of one.
    pub(crate) fn addressee(&self, contact: &Contact) -> Option<Name> {
        if contact.party != Party::Institution {
            return None;
        }
        let circuits = self.site.devices.iter().filter_map(|d| d.circuit.as_deref());
        let mut theirs = circuits.filter(|c| c.contact.as_ref() == Some(&contact.name));
        let first = theirs.next()?;
        let one = theirs.all(|c| c.institution_id == first.institution_id);
        one.then(|| first.institution.clone())
    }

    /// How many of these names are circuits.
    pub(crate) fn circuits(&self, names: &BTreeSet<Name>) -> usize {
        names.iter().filter(|name| self.circuit(name).is_some()).count()
    }

    /// Whom our own people phone next: the desk of the party that the verdict points to, or that the circuit belongs to.
    pub(crate) fn desk(&self, incident: &Incident) -> Option<Desk> {
        let root = self.of_root(incident);
        let circuit = root.first().map(|(_, c)| *c);
        let of_party = |party: Party| {
            let mut all = self.site.contacts.iter().filter(move |c| c.party == party);
            let first = all.next();
            // Of several nobody can say which.
            first.filter(|_| all.next().is_none())
        };
        let institution = || {
            let name = circuit?.contact.as_ref()?;
            self.site.contacts.iter().find(|c| c.name == *name)
        };
        let carrier = || {
            let name = circuit?.carrier.as_ref()?;
            self.site.contacts.iter().find(|c| c.speaks_for(name))
        };
        let verdict = incident.isolation().map(|i| i.verdict);
        let found = match verdict {
            Some(Verdict::Platform | Verdict::DemarcationLink | Verdict::PlatformOrDemarcation) => {
                of_party(Party::Platform)
            }
            Some(Verdict::AccessCarrier) => carrier(),
            Some(Verdict::OwnNetwork | Verdict::Blind) => None,
            Some(Verdict::InstitutionSide | Verdict::Undetermined) | None => institution(),
        };
        found.map(Desk::of)
    }
}
