//! `[[profile.redundancy]]`: what a make tells of its redundancy beside the roles that groups are judged by (those are in
//! `model::role_source`); `hinomi discover` shows it.
//!
//! `kind`, `title`, `state` (the object), `index` (what a row's index is made of: `interface`, `number`, `ipv4`, `rest`), `states`
//! (words of the MIB with their codes), `none` (a value that means there is nothing).
//!
//! Never here: what is made of it.

use super::{codes, integer, line, object};
use crate::config::reader::Walk;
use crate::model::profile::{IndexPart, Redundancy};

const KINDS: &[(&str, &str)] = &[
    ("vrrp", "vrrp"),
    ("hsrp", "hsrp"),
    ("bgp", "bgp"),
    ("ospf", "ospf"),
    ("lag", "lag"),
    ("ha", "ha"),
];

const PARTS: &[(&str, IndexPart)] = &[
    ("interface", IndexPart::Interface),
    ("number", IndexPart::Number),
    ("ipv4", IndexPart::Ipv4),
    ("rest", IndexPart::Rest),
];

/// Reads one.
pub(super) fn redundancy(walk: Walk<'_>) -> Option<Redundancy> {
    let kind = walk.required("kind", "what kind of redundancy", walk.word("kind", KINDS));
    let title = walk.required("title", "its MIB, for people", walk.text("title", line));
    let state = walk.required("state", "the object with the state", walk.text("state", object));
    let index = walk.list("index", "a list of: interface, number, ipv4, rest", |ctx, node| {
        crate::config::reader::word(ctx, "index", node, PARTS)
    });
    let states = codes(
        &walk,
        "states",
        "words of the MIB with their codes, such as { backup = 2, master = 3 }",
    );
    let none = walk.read("none", integer);
    walk.finish();
    Some(Redundancy {
        kind: kind?.value.into(),
        title: title?.value,
        state: state?.value,
        index: index.map_or(Vec::new(), |i| i.value),
        states: states
            .into_iter()
            .map(|s| (s.value.0, s.value.1.as_str().into()))
            .collect(),
        none: none.map(|n| n.value),
    })
}
