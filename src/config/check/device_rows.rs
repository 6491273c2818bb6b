//! devices.csv: each row becomes the table that `[[device]]` would be, and is read by the same hand.

use super::tables::{self, Keys, Row};
use super::{findings, thresholds};
use crate::config::raw::{Entry, Node, Place, Value};
use crate::config::reader::Walk;

/// The columns.
const KEYS: [&str; 13] = [
    "name",
    "address",
    "group",
    "owner",
    "site",
    "class",
    "profile",
    "liveness",
    "status",
    "snmp",
    "parents",
    "interfaces",
    "tags",
];
const NAME: usize = 0;
const ADDRESS: usize = 1;
/// Columns that hold lists.
const LISTS: [&str; 3] = ["parents", "interfaces", "tags"];
const WRITE_IT: &str = "a cell cannot say it: write this device as [[device]] in hinomi.toml or conf.d/*.toml";

/// Gives each row of each file as a table.
pub(super) fn rows(top: &Walk<'_>, mut each: impl FnMut(Walk<'_>)) {
    section(top);
    let ctx = top.ctx;
    let mut dotted = tables::poll_columns();
    dotted.extend(tables::threshold_columns(&thresholds::kinds()));
    dotted.extend(findings::columns());
    dotted.extend(["demarcation.device".to_string(), "demarcation.interface".to_string()]);
    let keys = Keys {
        plain: &KEYS,
        required: &[NAME, ADDRESS],
        refused: &[("watch", WRITE_IT)],
        dotted,
    };
    tables::rows(ctx, "devices", &keys, |row| {
        let mut table = row.dotted_table(ctx);
        for (i, key) in KEYS.iter().enumerate() {
            if let Some((text, at)) = row.get(i) {
                if text.contains(['{', '[']) {
                    ctx.error(at, format!("`{key}` holds more than a name: \"{text}\""), WRITE_IT);
                    continue;
                }
                let node = node(key, text, at);
                table.entries.push(Entry {
                    key: (*key).to_string(),
                    key_at: at,
                    node,
                });
            }
        }
        each(Walk::new(ctx, &table, called(row)));
    });
}

/// `[devices]`, whose files were read beforehand.
fn section(top: &Walk<'_>) {
    if let Some(entry) = top.get("devices")
        && let Some(walk) = Walk::of(
            top.ctx,
            &entry.node,
            "[devices]",
            "write a section: [devices] with file = \"devices.csv\"",
        )
    {
        let _ = walk.required(
            "file",
            "the path of a CSV file, such as \"devices.csv\"",
            walk.get("file"),
        );
        walk.finish();
    }
}

fn called(row: &Row<'_, '_>) -> String {
    row.get(NAME)
        .map_or_else(|| "the device".to_string(), |(name, _)| format!("device `{name}`"))
}

fn node(key: &str, text: &str, at: Place) -> Node {
    if LISTS.contains(&key) {
        return tables::list(text, at);
    }
    if key == "liveness" {
        return tables::liveness(text, at);
    }
    Node {
        value: Value::String(text.to_string()),
        at,
    }
}
