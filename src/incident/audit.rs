//! A linter for impossible states of the book. Runs after every test and at every start.
//!
//! Never here: a repair. What is wrong is said; people decide.

use super::book::{Book, Incident, Phase};
use crate::model::Level;
use std::collections::BTreeMap;

/// Every impossible thing in the book, one sentence each; empty if the book is sound.
pub fn lint(book: &Book) -> Vec<String> {
    let mut problems = Vec::new();
    let incidents = &book.state().incidents;
    for pair in incidents.windows(2) {
        if pair[0].id >= pair[1].id {
            problems.push(format!("incident #{} stands before #{}", pair[0].id, pair[1].id));
        }
    }
    let mut open_roots = BTreeMap::new();
    let mut hanging = BTreeMap::new();
    for incident in incidents {
        let id = incident.id;
        if id > book.state().last_id {
            problems.push(format!("incident #{id} has a number that was never given"));
        }
        if incident.is_open()
            && let Some(other) = open_roots.insert(&incident.root, id)
        {
            problems.push(format!(
                "incidents #{other} and #{id} are both open for {}",
                incident.root
            ));
        }
        for device in incident.unreachable().filter(|_| incident.is_open()) {
            if let Some(other) = hanging.insert(device, id) {
                problems.push(format!("{device} hangs below both #{other} and #{id}"));
            }
        }
        lint_phase(incident, &mut problems);
        lint_folded(book, incident, &mut problems);
    }
    problems
}

fn lint_phase(incident: &Incident, problems: &mut Vec<String>) {
    let id = incident.id;
    let mut check = |wrong: bool, what: &str| {
        if wrong {
            problems.push(format!("incident #{id} ({}) {what}", incident.root));
        }
    };
    let open = incident.phase == Phase::Open;
    check(
        open != (incident.level > Level::Ok),
        "is open without a level, or has a level without being open",
    );
    check(
        open == incident.recovered.is_some(),
        "is open with a time of recovery, or ended without one",
    );
    check(
        incident.is_open() == incident.ended.is_some(),
        "is open with an end, or ended without one",
    );
    check(
        (incident.phase == Phase::Recovering) != incident.good.is_some(),
        "waits for what is behind it without a beginning of the wait, or the other way round",
    );
    check(
        !incident.is_open() && incident.acknowledged.is_some(),
        "is over and still acknowledged",
    );
    check(incident.worst < incident.level, "has a level above its worst one");
    check(
        incident.missing != incident.unreachable().count(),
        "miscounts those behind it",
    );
    check(
        incident.phase != Phase::Folded && incident.folded_into.is_some(),
        "is folded into another one and lives on its own",
    );
    check(incident.last.key != incident.root, "holds a change of another finding");
    let own = incident.root.device.as_ref();
    check(
        own.is_some_and(|d| incident.affected.contains_key(d)),
        "lists its own root among those behind it",
    );
}

fn lint_folded(book: &Book, incident: &Incident, problems: &mut Vec<String>) {
    // Follows the chain; longer than the book is a circle.
    let mut at = incident.folded_into;
    let mut steps = 0;
    while let Some(id) = at {
        steps += 1;
        if id == incident.id || steps > book.state().incidents.len() {
            problems.push(format!(
                "incident #{} is folded into itself by way of others",
                incident.id
            ));
            return;
        }
        at = book.get(id).and_then(|i| i.folded_into);
    }
}
