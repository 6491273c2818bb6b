//! CSV files beside the configuration: which are named, what their columns are called, and their rows.
//!
//! A column is a key of the section, or a dotted one (`thresholds.utilization.warning`). Each mistake of the header is told once, each
//! bad row by its own place. Never here: what a value means.

use super::operator;
use crate::config::csv::{Cell, Fault, Rows};
use crate::config::mask;
use crate::config::raw::{At, Entry, Node, Place, SourceFile, Table, Value};
use crate::config::reader::{did_you_mean, wrong_type};
use crate::config::report::{Ctx, Draft, TableFile};
use crate::config::values;

/// Where a section names CSV files: section, key, what is in it.
const NAMED: [(&str, &str, &str); 4] = [
    ("circuits", "file", "circuits"),
    ("devices", "file", "devices"),
    ("contacts", "file", "contacts"),
    ("operator", "holidays", "holidays"),
];
const FILE: &str = "the path of a CSV file, or a list of them; relative ones start at the folder of this file";

/// Reads every CSV file that the tree names.
pub(super) fn fetch(ctx: &Ctx<'_>, root: &Table) {
    let mut tables: Vec<TableFile> = Vec::new();
    for (section, key, kind) in NAMED {
        let Some(Entry {
            node: Node {
                value: Value::Table(table),
                ..
            },
            ..
        }) = root.get(section)
        else {
            continue;
        };
        let Some(entry) = table.get(key) else { continue };
        let nodes = match &entry.node.value {
            Value::Array(nodes) if section != "operator" => nodes.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        for node in nodes {
            let Some(source) = read(ctx, key, node) else { continue };
            if let Some(other) = tables
                .iter()
                .find(|t| t.section == kind && t.source.path == source.path)
            {
                let what = format!(
                    "the file {} is named twice: also at {}",
                    source.path.display(),
                    ctx.show(other.named_at)
                );
                ctx.error(node.at, what, "remove one of the two");
                continue;
            }
            tables.push(TableFile {
                named_at: node.at,
                section: kind,
                source,
                hidden: false.into(),
            });
        }
    }
    ctx.set_tables(tables);
}

fn read(ctx: &Ctx<'_>, key: &str, node: &Node) -> Option<SourceFile> {
    let Value::String(text) = &node.value else {
        wrong_type(ctx, key, node, &node.value, FILE);
        return None;
    };
    if text.is_empty() || text.contains('\0') {
        ctx.error(node.at, format!("`{key}` is not a path"), FILE);
        return None;
    }
    let path = operator::resolve(
        ctx,
        &At {
            value: text.clone(),
            at: node.at,
        },
    );
    match ctx.around.table(&path) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Some(SourceFile {
                path,
                text,
                private: false,
            })
        }
        Err(missing) => {
            // What stands in it is not missing: as after a syntax error.
            ctx.push(
                Draft::error(node.at, format!("`{key}` {}", missing.what))
                    .hint(missing.hint)
                    .syntax(),
            );
            None
        }
    }
}

/// What the columns of a file may be called.
pub(super) struct Keys {
    /// Plain ones; a row gives them by their place in this list.
    pub(super) plain: &'static [&'static str],
    /// Those without which no row can be read, as places in `plain`.
    pub(super) required: &'static [usize],
    /// Known elsewhere but not for a cell, and what to do instead.
    pub(super) refused: &'static [(&'static str, &'static str)],
    /// Dotted ones.
    pub(super) dotted: Vec<String>,
}

/// A dotted column of a file.
pub(super) struct Dotted {
    cell: usize,
    path: Vec<String>,
    at: Place,
}

/// The columns of one file.
pub(super) struct Columns {
    /// For each plain key, the cell that holds it.
    cell_of: Vec<Option<usize>>,
    pub(super) dotted: Vec<Dotted>,
    /// Cells whose column has no name, or none that is known.
    nameless: Vec<usize>,
    /// Cells of a row.
    width: usize,
}

/// One row that is as long as the header.
pub(super) struct Row<'t, 'r> {
    cells: &'r [Cell<'t>],
    columns: &'r Columns,
    file: u32,
}

impl Row<'_, '_> {
    /// A plain key's text and place; `None` if its cell is empty or its column absent.
    pub(super) fn get(&self, key: usize) -> Option<(&str, Place)> {
        self.cell(self.columns.cell_of[key]?)
    }

    fn cell(&self, at: usize) -> Option<(&str, Place)> {
        let cell = &self.cells[at];
        (!cell.text.is_empty()).then(|| (&*cell.text, place(self.file, cell)))
    }

    /// Where the row begins.
    pub(super) fn at(&self) -> Place {
        place(self.file, &self.cells[0])
    }

    /// The texts of all dotted cells, to know equal ones by; empty if no such cell is filled.
    pub(super) fn dotted_texts(&self, into: &mut String) {
        into.clear();
        for (i, column) in self.columns.dotted.iter().enumerate() {
            if let Some((text, _)) = self.cell(column.cell) {
                into.push_str(&format!("{i}={text}\n"));
            }
        }
    }

    /// The dotted cells as the tables they would be in TOML.
    pub(super) fn dotted_table(&self, ctx: &Ctx<'_>) -> Table {
        let mut table = Table {
            at: self.at(),
            entries: Vec::new(),
        };
        for column in &self.columns.dotted {
            if let Some((text, at)) = self.cell(column.cell)
                && !put(&mut table, &column.path, column.at, typed(&column.path, text, at))
            {
                ctx.error(
                    at,
                    format!("`{}` is set both as a whole and in part", column.path.join(".")),
                    "leave one of the cells empty",
                );
            }
        }
        table
    }
}

fn place(file: u32, cell: &Cell<'_>) -> Place {
    Place {
        file,
        start: cell.start,
        end: cell.end,
    }
}

/// Numbers where TOML has numbers.
fn typed(path: &[String], text: &str, at: Place) -> Node {
    let whole = matches!(path.last().map(String::as_str), Some("echoes" | "rounds"));
    let value = match text.parse::<i64>() {
        Ok(n) if whole => Value::Integer(n),
        _ => Value::String(text.to_string()),
    };
    Node { value, at }
}

/// Puts a value to its path; `false` if the path goes through a value.
fn put(table: &mut Table, path: &[String], key_at: Place, node: Node) -> bool {
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

/// At most so many rows have all files of a section.
pub(super) fn most_rows(ctx: &Ctx<'_>, section: &'static str) -> usize {
    ctx.tables_of(section)
        .map(|(_, t)| t.source.text.bytes().filter(|b| *b == b'\n').count())
        .sum()
}

/// Reads all rows of all files of a section.
pub(super) fn rows(ctx: &Ctx<'_>, section: &'static str, keys: &Keys, mut each: impl FnMut(&Row<'_, '_>)) {
    for (file, table) in ctx.tables_of(section) {
        let mut rows = Rows::new(&table.source.text);
        let mut cells = Vec::new();
        let columns = match rows.next_into(&mut cells) {
            Some(Ok(())) => columns(ctx, file, table, keys, &cells),
            Some(Err((fault, at))) => {
                broken(ctx, file, fault, at);
                None
            }
            None => {
                let hint = format!("the first line names the columns, such as: {}", keys.plain.join(","));
                ctx.push(
                    Draft::error(Place { file, start: 0, end: 0 }, "the file is empty")
                        .hint(hint)
                        .syntax(),
                );
                None
            }
        };
        let Some(columns) = columns else { continue };
        while let Some(read) = rows.next_into(&mut cells) {
            match read {
                Err((fault, at)) => broken(ctx, file, fault, at),
                // Spreadsheets leave rows of commas behind.
                Ok(()) if cells.iter().all(|c| c.text.is_empty()) => {}
                Ok(()) if cells.len() != columns.width => uneven(ctx, file, &cells, columns.width),
                Ok(()) => {
                    let row = Row {
                        cells: &cells,
                        columns: &columns,
                        file,
                    };
                    nameless(ctx, &row);
                    each(&row);
                }
            }
        }
    }
}

fn broken(ctx: &Ctx<'_>, file: u32, fault: Fault, at: std::ops::Range<u32>) {
    let (what, hint) = match fault {
        Fault::Open => (
            "a quote that is not closed on its line",
            "close it with \"; a quote inside of quotes is written twice: \"\"",
        ),
        Fault::AfterQuote => (
            "text behind a closing quote",
            "put the whole cell in quotes, and write quotes inside of it twice: \"\"",
        ),
    };
    ctx.error(
        Place {
            file,
            start: at.start,
            end: at.end,
        },
        what,
        hint,
    );
}

fn uneven(ctx: &Ctx<'_>, file: u32, cells: &[Cell<'_>], width: usize) {
    let (first, last) = (&cells[0], &cells[cells.len() - 1]);
    let at = Place {
        file,
        start: first.start,
        end: last.end,
    };
    let what = format!("the row has {} cells, the header has {width}", cells.len());
    let hint = match cells.len() > width {
        true => "a text with a comma in it needs quotes: \"Mon-Fri 08:30-18:00, Sat 08:30-12:30\"",
        false => "an empty cell still has its comma",
    };
    ctx.error(at, what, hint);
}

/// Something in a column that has no name would be ignored in silence.
fn nameless(ctx: &Ctx<'_>, row: &Row<'_, '_>) {
    for cell in &row.columns.nameless {
        if let Some((text, at)) = row.cell(*cell) {
            ctx.error(
                at,
                format!("\"{text}\" stands in a column without a name"),
                "name the column in the first line, or remove it",
            );
        }
    }
}

fn columns(ctx: &Ctx<'_>, file: u32, table: &TableFile, keys: &Keys, cells: &[Cell<'_>]) -> Option<Columns> {
    let mut columns = Columns {
        cell_of: vec![None; keys.plain.len()],
        dotted: Vec::new(),
        nameless: Vec::new(),
        width: cells.len(),
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut good = true;
    for (i, cell) in cells.iter().enumerate() {
        let (key, at) = (&*cell.text, place(file, cell));
        if key.is_empty() {
            columns.nameless.push(i);
        } else if seen.contains(&key) {
            ctx.error(
                at,
                format!("the column `{key}` is there twice"),
                "remove one of the two",
            );
        } else if let Some(plain) = keys.plain.iter().position(|k| *k == key) {
            columns.cell_of[plain] = Some(i);
        } else if keys.dotted.iter().any(|d| d == key) {
            let path = key.split('.').map(str::to_string).collect();
            columns.dotted.push(Dotted { cell: i, path, at });
        } else {
            table.hidden.set(table.hidden.get() || mask::secret_like(key));
            good &= !unknown(ctx, key, at, keys);
        }
        seen.push(key);
    }
    for key in keys.required.iter().map(|k| keys.plain[*k]) {
        if good && !seen.contains(&key) {
            let at = Place {
                file,
                start: cells[0].start,
                end: cells[cells.len() - 1].end,
            };
            let hint = match cells {
                [one] if one.text.contains([';', '\t']) => "columns are separated by commas".to_string(),
                _ => format!("the first line names the columns; known are: {}", keys.plain.join(", ")),
            };
            ctx.push(
                Draft::error(at, format!("there is no column `{key}`"))
                    .hint(hint)
                    .syntax(),
            );
            return None;
        }
    }
    good.then_some(columns)
}

/// Reports a column that is not known; `true` if no row can be read without it.
fn unknown(ctx: &Ctx<'_>, key: &str, at: Place, keys: &Keys) -> bool {
    if let Some((_, hint)) = keys
        .refused
        .iter()
        .find(|(k, _)| *k == key || key.starts_with(&format!("{k}.")))
    {
        ctx.error(at, format!("the column `{key}` is not for CSV"), *hint);
        return false;
    }
    let all = || keys.plain.iter().copied().chain(keys.dotted.iter().map(String::as_str));
    let meant = did_you_mean(key, all());
    // Every row would be called incomplete, for the same reason.
    let explains = keys.required.iter().any(|k| {
        meant
            .as_ref()
            .is_some_and(|m| m.contains(&format!("`{}`", keys.plain[*k])))
    });
    let hint = meant.unwrap_or_else(|| {
        let dotted = if keys.dotted.is_empty() {
            String::new()
        } else {
            format!(", and dotted ones such as {}", keys.dotted[0])
        };
        format!("known are: {}{dotted}", keys.plain.join(", "))
    });
    let draft = Draft::error(at, format!("unknown column `{key}`")).hint(hint);
    ctx.push(if explains { draft.syntax() } else { draft });
    explains
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

/// Dotted columns of `[thresholds]` lines.
pub(super) fn threshold_columns(kinds: &[&str]) -> Vec<String> {
    let keys = [
        "",
        ".warning",
        ".critical",
        ".for",
        ".clear_for",
        ".clear.warning",
        ".clear.critical",
    ];
    kinds
        .iter()
        .flat_map(|kind| keys.iter().map(move |k| format!("thresholds.{kind}{k}")))
        .collect()
}

/// Dotted columns of `[poll]`.
pub(super) fn poll_columns() -> Vec<String> {
    let keys = [
        "interval",
        "timeout",
        "echoes",
        "confirm.echoes",
        "confirm.over",
        "recover.rounds",
        "recover.over",
    ];
    keys.iter().map(|k| format!("poll.{k}")).collect()
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
            ctx.error(at, format!("`{key}` {}", refusal.what), refusal.hint);
            None
        }
    }
}
