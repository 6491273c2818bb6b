//! CSV files beside the configuration: which are named, and their rows.
//!
//! Each bad row is told by its own place. Never here: what a value means.

use super::cells::{place, put, typed};
use super::columns::{Columns, Keys, columns};
use super::operator;
use crate::config::csv::{Cell, Fault, Rows};
use crate::config::raw::{At, Entry, Node, Place, SourceFile, Table, Value};
use crate::config::reader::wrong_type;
use crate::config::report::{Ctx, Draft, TableFile};

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
