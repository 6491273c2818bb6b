//! `hinomi contacts`: who is told of what, at which address, when.
//!
//! Reads the configuration alone; no daemon is needed. Never here: who is told by an incident (that is `notify::plan`).

use super::Failure;
use super::table::{Paint, cell, colour, painted, plain};
use crate::config::{self, Host};
use crate::model::contact::CIRCUIT_CONTACT;
use crate::model::{Address, Contact, Crossing, Device, Escalation, Match, Name, Procedure, Site, When};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Contacts of circuits that are printed in full; the others are a number.
const SHOWN: usize = 20;

/// Prints all contacts, or one.
pub(super) fn contacts(config: &Path, name: Option<&str>, out: &mut dyn Write) -> Result<u8, Failure> {
    // Who is told needs no secret: anybody who may read the file may ask.
    let loaded = config::load_with(config, &Host::new().without_secrets());
    let Some(site) = &loaded.site else {
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        return Err(Failure::new(2, problems.join("\n")));
    };
    let told = Told::of(site);
    let wanted: Vec<&Contact> = match name {
        Some(name) => {
            let found: Vec<&Contact> = site.contacts.iter().filter(|c| *c.name == *name).collect();
            if found.is_empty() {
                let what = format!("there is no contact `{name}` in {}", config.display());
                return Err(Failure::new(1, what));
            }
            found
        }
        None => site.contacts.iter().collect(),
    };
    let phone = site.operator.phone.as_deref();
    let number = phone.unwrap_or("none: write `phone` in [operator]");
    writeln!(
        out,
        "{}",
        painted(
            &plain(format!("{}, number for other parties: {number}", site.operator.name)),
            false
        )
    )?;
    let by_circuit = |c: &&Contact| !told.by_name.contains_key(&*c.name) && told.circuits.contains_key(&*c.name);
    let many = wanted.iter().filter(|c| by_circuit(c)).count() > SHOWN;
    let mut left = 0;
    for contact in wanted {
        if name.is_none() && many && by_circuit(&contact) {
            left += 1;
            continue;
        }
        print(contact, site, &told, out)?;
    }
    if left > 0 {
        writeln!(
            out,
            "\n{left} contacts of circuits, each told of its own circuits ({}); one of them: hinomi contacts NAME",
            told.of_circuits
                .iter()
                .map(|(_, why)| why.as_str())
                .collect::<Vec<_>>()
                .join("; ")
        )?;
    }
    writeln!(
        out,
        "\nWhoever was told of a fault is told of its end. A critical notice that a relay took and nobody acknowledged is sent again \
         after 15 min, by another route where there is one."
    )?;
    Ok(0)
}

/// One line an address of the operator's own people, for `hinomi check`.
pub(super) fn summary(site: &Site) -> Vec<String> {
    let told = Told::of(site);
    let own = site.contacts.iter().filter(|c| told.by_name.contains_key(&*c.name));
    let line = |c: &Contact| {
        let all: Vec<String> = c
            .mail
            .iter()
            .map(|a| format!("{} ({})", a.mail, gets(a.when)))
            .collect();
        format!("{} ({}): {}", c.name, c.party.key(), all.join(", "))
    };
    own.map(line).collect()
}

fn gets(when: When) -> &'static str {
    match when {
        When::Always => "every mail",
        When::Critical => "mails of critical incidents",
        When::Unanswered => "when nobody has acknowledged, or no other address takes mail",
    }
}

fn print(contact: &Contact, site: &Site, told: &Told<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut head = vec![contact.party.key().to_owned()];
    head.extend(contact.role.clone());
    head.extend(contact.phone.as_ref().map(|p| format!("phone {p}")));
    head.extend(contact.carrier.as_ref().map(|c| format!("for carrier {c}")));
    if contact.party.is_outside() {
        head.push("gets a text without names of ours".to_owned());
    }
    let line = |text: String, paint: Paint| painted(&cell(text, paint), colour());
    writeln!(
        out,
        "\n{} ({})",
        line(contact.name.to_string(), Paint::Plain),
        line(head.join(", "), Paint::Plain)
    )?;
    let width = contact.mail.iter().map(|a| a.mail.len()).max().unwrap_or(0);
    for address in &contact.mail {
        let text = format!(
            "  {:width$}  {}{}",
            address.mail,
            gets(address.when),
            needs(address, site)
        );
        writeln!(out, "{}", line(text, Paint::Plain))?;
    }
    let mut reasons: Vec<&String> = told.by_name.get(&*contact.name).into_iter().flatten().collect();
    let circuits = told.circuits.get(&*contact.name).map_or(0, Vec::len);
    reasons.extend(told.by_circuits(&contact.name));
    for reason in &reasons {
        writeln!(out, "  {}", line(format!("told by {reason}"), Paint::Plain))?;
    }
    if circuits > 0 {
        let s = if circuits == 1 { "" } else { "s" };
        writeln!(out, "  contact of {circuits} circuit{s}")?;
    }
    if reasons.is_empty() {
        let why = match circuits {
            0 => "never told: no procedure names this contact",
            _ => "never told: no procedure that tells `circuit.contact` can match its circuits",
        };
        writeln!(out, "  {}", line(why.to_owned(), Paint::Warn))?;
    }
    Ok(())
}

/// What the way to a mailbox needs.
fn needs(address: &Address, site: &Site) -> String {
    let name = |id: &crate::model::DeviceId| site.device(*id).name.to_string();
    let one = |c: &Crossing| match c {
        Crossing::Device(id) => name(id),
        Crossing::Any(ids) => ids.iter().map(name).collect::<Vec<_>>().join(" or "),
    };
    let all: Vec<String> = address.crosses.iter().map(one).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!("; its way needs {}", all.join(", ")),
    }
}

/// By which procedures whom.
struct Told<'s> {
    by_name: BTreeMap<&'s str, Vec<String>>,
    /// Procedures that tell `circuit.contact`, and in which words.
    of_circuits: Vec<(&'s Match, String)>,
    /// Contacts of circuits, where some procedure tells them: their circuits.
    circuits: BTreeMap<&'s str, Vec<&'s Device>>,
}

impl<'s> Told<'s> {
    fn of(site: &'s Site) -> Told<'s> {
        let mut told = Told {
            by_name: BTreeMap::new(),
            of_circuits: Vec::new(),
            circuits: BTreeMap::new(),
        };
        for procedure in &site.procedures {
            let when = conditions(&procedure.matches);
            let reminded = remind(procedure);
            told.add(
                procedure,
                &procedure.tell,
                &format!("`{}`: {when}{reminded}", procedure.name),
            );
            for step in &procedure.escalate {
                told.add(procedure, &step.tell, &escalation(procedure, step, &when));
            }
        }
        if !told.of_circuits.is_empty() {
            for device in &site.devices {
                if let Some(name) = device.circuit.as_ref().and_then(|c| c.contact.as_deref()) {
                    told.circuits.entry(name).or_default().push(device);
                }
            }
        }
        told
    }

    /// Why a contact of circuits is told: by the procedures that can match one of its circuits.
    fn by_circuits(&self, contact: &str) -> Vec<&String> {
        let circuits = self.circuits.get(contact).map_or(&[][..], Vec::as_slice);
        let can = |m: &Match| circuits.iter().any(|d| can_match(m, d));
        self.of_circuits
            .iter()
            .filter(|(m, _)| can(m))
            .map(|(_, why)| why)
            .collect()
    }

    fn add(&mut self, procedure: &'s Procedure, tell: &'s [Name], why: &str) {
        for name in tell.iter().collect::<BTreeSet<_>>() {
            match &**name {
                CIRCUIT_CONTACT => self.of_circuits.push((&procedure.matches, why.to_owned())),
                name => self.by_name.entry(name).or_default().push(why.to_owned()),
            }
        }
    }
}

/// Can a fault of this circuit meet the conditions? Level, kind and verdict depend on the fault.
fn can_match(m: &Match, device: &Device) -> bool {
    let is = |wanted: &Option<Name>, have: Option<&Name>| wanted.as_ref().is_none_or(|w| Some(w) == have);
    m.owner.is_none_or(|o| o == device.owner)
        && is(&m.class, device.class.as_ref())
        && is(&m.group, device.group.as_ref())
        && is(&m.site, device.site.as_ref())
        && is(&m.device, Some(&device.name))
}

fn escalation(procedure: &Procedure, step: &Escalation, when: &str) -> String {
    format!(
        "`{}`: {when}, {} later if nobody has acknowledged",
        procedure.name,
        show(step.after)
    )
}

fn remind(procedure: &Procedure) -> String {
    match procedure.remind {
        Some(every) => format!(", again every {} until somebody acknowledges", show(every)),
        None => String::new(),
    }
}

fn show(d: Duration) -> String {
    humantime::format_duration(d).to_string()
}

/// The conditions of a procedure, as they are written.
fn conditions(m: &Match) -> String {
    let mut all: Vec<String> = Vec::new();
    all.extend(m.level.map(|l| format!("level {}", crate::metrics::text::key(&l))));
    all.extend(m.verdict.map(|v| format!("verdict {}", v.key())));
    all.extend(m.owner.map(|o| format!("owner {}", o.key())));
    all.extend(m.kind.map(|k| format!("kind {}", k.key())));
    for (word, name) in [
        ("class", &m.class),
        ("group", &m.group),
        ("site", &m.site),
        ("device or circuit", &m.device),
    ] {
        all.extend(name.as_ref().map(|n| format!("{word} {n}")));
    }
    all.extend(m.affected_at_least.map(|n| format!("at least {n} affected")));
    match all.is_empty() {
        true => "whatever no procedure above takes".to_owned(),
        false => all.join(", "),
    }
}
