//! What a cell says, as the tree of TOML would have it: numbers, lists, tables from dotted columns.

use crate::config::csv::Cell;
use crate::config::lookalike::looks_like;
use crate::config::raw::{Entry, Node, Place, Table, Value};
use crate::config::report::Ctx;
use crate::config::values;

/// Where a cell stands.
pub(super) fn place(file: u32, cell: &Cell<'_>) -> Place {
    Place {
        file,
        start: cell.start,
        end: cell.end,
    }
}

/// Numbers where TOML has numbers.
pub(super) fn typed(path: &[String], text: &str, at: Place) -> Node {
    let whole = matches!(path.last().map(String::as_str), Some("echoes" | "rounds"));
    let value = match text.parse::<i64>() {
        Ok(n) if whole => Value::Integer(n),
        _ => Value::String(text.to_string()),
    };
    Node { value, at }
}

/// Puts a value to its path; `false` if the path goes through a value.
pub(super) fn put(table: &mut Table, path: &[String], key_at: Place, node: Node) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    if rest.is_empty() {
        let new = table.get(first).is_none();
        if new {
            table.entries.push(Entry {
                key: first.clone(),
                key_at,
                node,
            });
        }
        return new;
    }
    if table.get(first).is_none() {
        let inner = Node {
            value: Value::Table(Table {
                at: node.at,
                entries: Vec::new(),
            }),
            at: node.at,
        };
        table.entries.push(Entry {
            key: first.clone(),
            key_at,
            node: inner,
        });
    }
    match table
        .entries
        .iter_mut()
        .find(|e| e.key == *first)
        .map(|e| &mut e.node.value)
    {
        Some(Value::Table(inner)) => put(inner, rest, key_at, node),
        _ => false,
    }
}

/// The parts of a cell that holds a list: separated by `;` where there is one, else by spaces.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let by_semicolon = text.contains(';');
    let split = move |c: char| if by_semicolon { c == ';' } else { c.is_whitespace() };
    text.split(split).map(str::trim).filter(|p| !p.is_empty())
}

/// A list of texts as TOML would have it.
pub(super) fn list(text: &str, at: Place) -> Node {
    let nodes = parts(text).map(|p| Node {
        value: Value::String(p.to_string()),
        at,
    });
    Node {
        value: Value::Array(nodes.collect()),
        at,
    }
}

/// Liveness as a cell says it: a word, or `tcp:22`, which is `{ tcp = 22 }` in TOML.
pub(super) fn liveness(text: &str, at: Place) -> Node {
    let string = |s: &str| Node {
        value: Value::String(s.to_string()),
        at,
    };
    match text.strip_prefix("tcp:").map(|p| p.trim().parse::<i64>()) {
        Some(Ok(port)) => {
            let entry = Entry {
                key: "tcp".to_string(),
                key_at: at,
                node: Node {
                    value: Value::Integer(port),
                    at,
                },
            };
            Node {
                value: Value::Table(Table {
                    at,
                    entries: vec![entry],
                }),
                at,
            }
        }
        _ => string(text),
    }
}

/// A cell's text, taken by `take`; a refusal is reported.
pub(super) fn take<T>(
    ctx: &Ctx<'_>,
    key: &str,
    text: &str,
    at: Place,
    take: impl FnOnce(&str) -> values::Taken<T>,
) -> Option<T> {
    match take(text) {
        Ok(value) => Some(value),
        Err(refusal) => {
            let hint = looks_like(text).unwrap_or(refusal.hint);
            ctx.error(at, format!("`{key}` {}", refusal.what), hint);
            None
        }
    }
}
