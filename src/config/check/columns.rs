//! The header of a CSV file: a column is a key of its section, or a dotted one (`thresholds.utilization.warning`).
//!
//! Each mistake of a header is told once. Never here: rows.

use super::cells::place;
use crate::config::csv::Cell;
use crate::config::lookalike::{self, looks_like};
use crate::config::mask;
use crate::config::raw::Place;
use crate::config::reader::did_you_mean;
use crate::config::report::{Ctx, Draft, TableFile};

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
    pub(super) cell: usize,
    pub(super) path: Vec<String>,
    pub(super) at: Place,
}

/// The columns of one file.
pub(super) struct Columns {
    /// For each plain key, the cell that holds it.
    pub(super) cell_of: Vec<Option<usize>>,
    pub(super) dotted: Vec<Dotted>,
    /// Cells whose column has no name, or none that is known.
    pub(super) nameless: Vec<usize>,
    /// Cells of a row.
    pub(super) width: usize,
}

/// Reads the header; `None` if no row can be read by it.
pub(super) fn columns(ctx: &Ctx<'_>, file: u32, table: &TableFile, keys: &Keys, cells: &[Cell<'_>]) -> Option<Columns> {
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
    let meant = did_you_mean(&lookalike::plain(key), all());
    // Every row would be called incomplete, for the same reason.
    let explains = keys.required.iter().any(|k| {
        meant
            .as_ref()
            .is_some_and(|m| m.contains(&format!("`{}`", keys.plain[*k])))
    });
    let hint = looks_like(key).or(meant).unwrap_or_else(|| {
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

/// Dotted columns of `[thresholds]` lines.
pub(super) fn thresholds(kinds: &[&str]) -> Vec<String> {
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
pub(super) fn poll() -> Vec<String> {
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
