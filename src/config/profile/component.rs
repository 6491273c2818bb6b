//! `[[profile.component]]`: parts with a state.
//!
//! `name` is what they are (`fan`), `state` the object, `healthy`, `warning` and `failed` the words of the MIB with their codes;
//! `where` picks rows, `label` names them. A code that stands in none of the three says nothing.
//!
//! Never here: what a failed part leads to.

use super::{codes, measure, object};
use crate::config::reader::Walk;
use crate::config::values;
use crate::model::profile::{Component, Health, PartState};

const HINT: &str = "words of the MIB with their codes, such as { normal = 1, notPresent = 5 }";

/// Reads one.
pub(super) fn component(walk: Walk<'_>) -> Option<Component> {
    let name = walk.required(
        "name",
        "what they are, such as \"fan\"",
        walk.text("name", values::name),
    );
    let state = walk.required("state", "the object with the state", walk.text("state", object));
    let rows = measure::rows(&walk);
    let mut states: Vec<PartState> = Vec::new();
    for (key, health) in [
        ("healthy", Health::Healthy),
        ("warning", Health::Warning),
        ("failed", Health::Failed),
    ] {
        for found in codes(&walk, key, HINT) {
            let (code, word) = found.value;
            if let Some(other) = states.iter().find(|s| s.code == code) {
                let what = format!("the code {code} is `{}` and `{word}`", other.word);
                walk.ctx.error(found.at, what, "a code has one meaning");
                continue;
            }
            states.push(PartState {
                code,
                word: word.as_str().into(),
                health,
            });
        }
    }
    if walk.has("healthy") && states.iter().all(|s| s.health == Health::Healthy) {
        walk.missing("failed", "or `warning`: which codes tell a fault");
    }
    if !walk.has("healthy") {
        walk.missing("healthy", HINT);
    }
    walk.finish();
    Some(Component {
        name: name?.value.as_str().into(),
        object: state?.value,
        rows,
        states,
    })
}
