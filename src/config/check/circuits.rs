//! `[circuits]`, `[[circuit]]` and circuits.csv: where circuits are written, and what they share.
//!
//! What one of them means is in `circuit`, the ports that they are measured on in `ports`.

use super::circuit::{Builder, Given, KEYS, Parts};
use super::devices::{Defaults, Inventory, access};
use super::poll::{self, PollPart};
use super::tables::{self, Keys, Row};
use super::thresholds::{self, ThresholdPart};
use super::{named_by, ports};
use crate::config::hours;
use crate::config::names::NameMap;
use crate::config::raw::{At, Node, Place, Value};
use crate::config::reader::{self, Walk};
use crate::config::report::Ctx;
use crate::model::circuit::Hours;
use crate::model::snmp::SnmpAccess;
use crate::model::{Name, ThresholdKind};
use std::sync::Arc;

/// What a circuit can be measured by, as `thresholds.…` calls it.
pub(super) const MEASURED: [(&str, ThresholdKind); 5] = [
    ("utilization", ThresholdKind::Utilization),
    ("errors", ThresholdKind::Errors),
    ("discards", ThresholdKind::Discards),
    ("loss", ThresholdKind::Loss),
    ("rtt", ThresholdKind::Rtt),
];

/// Institutions whose hours nobody wrote are taken to be open then.
pub(super) const DEFAULT_HOURS: &str = "Mon-Fri 09:00-17:00";

/// `[circuits]`: what holds for a circuit that says nothing else.
#[derive(Default)]
pub(super) struct Common {
    pub(super) poll: PollPart,
    pub(super) thresholds: ThresholdPart,
    pub(super) hours: Option<Arc<Hours>>,
    pub(super) snmp: Option<Arc<SnmpAccess>>,
    /// `snmp` is written, though perhaps wrong.
    pub(super) has_snmp: bool,
}

/// What others ask about circuits.
#[derive(Default)]
pub(super) struct Circuits {
    /// Ids and where they stand.
    pub(super) ids: NameMap<Name, Place>,
    /// The contacts they name.
    pub(super) contacts: Vec<(Name, Place)>,
    /// Active ones that may be off and have no hours: how many, and the first.
    pub(super) without_hours: (usize, Place),
}

/// Reads all circuits into the inventory, whose devices are complete.
pub(super) fn circuits(top: &Walk<'_>, defaults: &Defaults<'_>, inventory: &mut Inventory) {
    let ctx = top.ctx;
    let common = common(top, defaults);
    let mut builder = Builder::new(ctx, defaults, &common, inventory);
    for walk in named_by(top, "circuit", "id") {
        written(&mut builder, walk);
    }
    let mut dotted = tables::poll_columns();
    dotted.extend(tables::threshold_columns(&MEASURED.map(|(key, _)| key)));
    let keys = Keys {
        plain: &KEYS,
        required: &[0, 1],
        refused: &[],
        dotted,
    };
    let mut known: NameMap<String, usize> = NameMap::default();
    builder.expect(tables::most_rows(ctx, "circuits"));
    let mut texts = String::new();
    tables::rows(ctx, "circuits", &keys, |row| {
        let parts = parts_of(&mut builder, &mut known, &mut texts, row);
        builder.add(&Given::of_row(row), parts);
    });
    let (circuits, wanted) = builder.finish();
    ports::add(ctx, inventory, wanted);
    inventory.circuits = circuits;
}

/// `[circuits]`.
fn common(top: &Walk<'_>, defaults: &Defaults<'_>) -> Common {
    let Some(entry) = top.get("circuits") else {
        return Common::default();
    };
    let Some(walk) = Walk::of(
        top.ctx,
        &entry.node,
        "[circuits]",
        "write a section: [circuits] with file = \"circuits.csv\"",
    ) else {
        return Common::default();
    };
    // Read beforehand.
    let _ = walk.get("file");
    let snmp = walk.name("snmp");
    let common = Common {
        poll: poll::part(&walk, "poll of [circuits]"),
        thresholds: threshold_part(&walk, "thresholds of [circuits]"),
        hours: walk.text("hours", hours::hours).map(|h| Arc::new(h.value)),
        snmp: snmp.as_ref().and_then(|name| access(top.ctx, name, &defaults.accesses)),
        has_snmp: snmp.is_some(),
    };
    walk.finish();
    common
}

/// `thresholds` of circuits: what they are not measured by is refused.
fn threshold_part(walk: &Walk<'_>, name: &str) -> ThresholdPart {
    if let Some(Value::Table(table)) = walk.get("thresholds").map(|e| &e.node.value) {
        let known = |key: &str| MEASURED.iter().any(|(k, _)| *k == key);
        for entry in table
            .entries
            .iter()
            .filter(|e| thresholds::is_kind(&e.key) && !known(&e.key))
        {
            let hint = format!("circuits have: {}", reader::listing(MEASURED.iter().map(|(k, _)| *k)));
            walk.ctx
                .error(entry.key_at, format!("a circuit has no `{}`", entry.key), hint);
        }
    }
    thresholds::part(walk, name)
}

/// A `[[circuit]]`.
fn written(builder: &mut Builder<'_>, walk: Walk<'_>) {
    let mut texts: [Option<At<String>>; KEYS.len()] = std::array::from_fn(|_| None);
    for (text, key) in texts.iter_mut().zip(KEYS) {
        *text = walk.read(key, |ctx, key, node| plain(ctx, key, node));
    }
    let parts = parts(&walk);
    let parts = builder.keep(parts);
    builder.add(&Given::of_table(&texts, &walk), parts);
    walk.finish();
}

/// The text of a value, as a cell would say it.
fn plain(ctx: &Ctx<'_>, key: &str, node: &Node) -> Option<String> {
    if let (true, Value::Table(table)) = (key == "liveness", &node.value)
        && let [entry] = table.entries.as_slice()
        && let ("tcp", Value::Integer(port)) = (entry.key.as_str(), &entry.node.value)
    {
        return Some(format!("tcp:{port}"));
    }
    reader::text(ctx, key, node, |s| Ok(s.to_string()))
}

fn parts(walk: &Walk<'_>) -> Parts {
    let name = &walk.name;
    Parts {
        poll: poll::part(walk, &format!("poll of {name}")),
        thresholds: threshold_part(walk, &format!("thresholds of {name}")),
    }
}

/// The dotted cells of a row: equal ones are read once, unless they are wrong, which is told for each row.
fn parts_of(
    builder: &mut Builder<'_>,
    known: &mut NameMap<String, usize>,
    texts: &mut String,
    row: &Row<'_, '_>,
) -> usize {
    row.dotted_texts(texts);
    if texts.is_empty() {
        return 0;
    }
    if let Some(parts) = known.get(texts.as_str()) {
        return *parts;
    }
    let ctx = builder.ctx;
    let before = ctx.error_count();
    let table = row.dotted_table(ctx);
    let name = row
        .get(0)
        .map_or_else(|| "the row".to_string(), |(id, _)| format!("circuit `{id}`"));
    let walk = Walk::new(ctx, &table, name);
    let read = parts(&walk);
    walk.finish();
    let parts = builder.keep(read);
    if ctx.error_count() == before {
        known.insert(texts.clone(), parts);
    }
    parts
}
