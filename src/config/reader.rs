//! Typed reading of a table: each key asked for is known, each key left over is a mistake with "did you mean".
//!
//! A reader reports what is wrong and goes on. Never here: what the sections mean.

use super::lookalike::{self, looks_like};
use super::raw::{At, Entry, Node, Place, Table, Value};
use super::report::{Ctx, Draft};
use super::values::{self, Refusal, Taken};
use std::cell::RefCell;
use std::time::Duration;

/// A guess at a key counts as much as so many names that are compared: the budget is one for all.
const GUESS_OF_KEY: usize = 10;

/// Walks one table and remembers what was asked for.
pub(crate) struct Walk<'a> {
    pub(crate) ctx: &'a Ctx<'a>,
    table: &'a Table,
    /// How the table is called in messages: "`[poll]`", "`[[device]]` edge-a".
    pub(crate) name: String,
    known: RefCell<Vec<&'static str>>,
    /// Known, but refused: not proposed to anybody.
    not_yet: RefCell<Vec<&'static str>>,
    /// Keys that should be there, with their hints: told at the end, unless a misspelt one explains it.
    missing: RefCell<Vec<(String, String)>>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(ctx: &'a Ctx<'a>, table: &'a Table, name: impl Into<String>) -> Walk<'a> {
        Walk {
            ctx,
            table,
            name: name.into(),
            known: RefCell::new(Vec::new()),
            not_yet: RefCell::new(Vec::new()),
            missing: RefCell::new(Vec::new()),
        }
    }

    /// Walks a value that has to be a table.
    pub(crate) fn of(ctx: &'a Ctx<'a>, node: &'a Node, name: impl Into<String>, hint: &str) -> Option<Walk<'a>> {
        let name = name.into();
        match &node.value {
            Value::Table(table) => Some(Walk::new(ctx, table, name)),
            other => {
                ctx.error(node.at, format!("{name} is {}, not a table", other.type_name()), hint);
                None
            }
        }
    }

    /// Where the table stands.
    pub(crate) fn at(&self) -> Place {
        self.table.at
    }

    /// The entry of a key, which is known from now on.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'a Entry> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.get(key)
    }

    /// The key is written, rightly or wrongly.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// All entries, for tables whose keys are names; nothing is left over then.
    pub(crate) fn entries(&self) -> &'a [Entry] {
        &self.table.entries
    }

    /// A key that `design.md` knows and this version does not: refused, never ignored.
    pub(crate) fn unsupported(&self, key: &'static str, hint: &str) {
        self.not_yet.borrow_mut().push(key);
        if let Some(entry) = self.get(key) {
            self.ctx
                .error(entry.key_at, format!("`{key}` is not supported yet"), hint);
        }
    }

    /// Reads a key's value by `read`; `None` if it is absent or wrong (then that has been reported).
    pub(crate) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&'a Ctx<'a>, &str, &'a Node) -> Option<T>,
    ) -> Option<At<T>> {
        let entry = self.get(key)?;
        let value = read(self.ctx, key, &entry.node)?;
        Some(At {
            value,
            at: entry.node.at,
        })
    }

    /// A text, taken by `take`.
    pub(crate) fn text<T>(&self, key: &'static str, take: impl FnOnce(&str) -> Taken<T>) -> Option<At<T>> {
        self.read(key, |ctx, key, node| text(ctx, key, node, take))
    }

    /// A name.
    pub(crate) fn name(&self, key: &'static str) -> Option<At<String>> {
        self.text(key, values::name)
    }

    /// A duration from `least` on.
    pub(crate) fn duration(&self, key: &'static str, least: Duration) -> Option<At<Duration>> {
        let found = self.text(key, values::duration)?;
        if found.value < least {
            let least = values::show_duration(least);
            let what = format!("`{key}` is too short: \"{}\"", values::show_duration(found.value));
            self.ctx.error(found.at, what, format!("at least \"{least}\""));
            return None;
        }
        Some(found)
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, key: &'static str, range: std::ops::RangeInclusive<u32>) -> Option<At<u32>> {
        self.read(key, |ctx, key, node| {
            let hint = format!("a whole number from {} to {}", range.start(), range.end());
            match &node.value {
                Value::Integer(n) => match u32::try_from(*n) {
                    Ok(n) if range.contains(&n) => return Some(n),
                    _ => ctx.error(node.at, format!("`{key}` is out of range: {n}"), hint),
                },
                other => wrong_type(ctx, key, node, other, &hint),
            }
            None
        })
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &'static str) -> Option<At<bool>> {
        self.read(key, |ctx, key, node| match &node.value {
            Value::Boolean(b) => Some(*b),
            other => {
                wrong_type(ctx, key, node, other, "true or false, without quotes");
                None
            }
        })
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<T>> {
        self.read(key, |ctx, key, node| word(ctx, key, node, words))
    }

    /// A list, each element read by `read`; elements that are wrong are reported and left out.
    pub(crate) fn list<T>(
        &self,
        key: &'static str,
        hint: &str,
        mut read: impl FnMut(&'a Ctx<'a>, &'a Node) -> Option<T>,
    ) -> Option<At<Vec<T>>> {
        self.read(key, |ctx, key, node| match &node.value {
            Value::Array(nodes) => Some(nodes.iter().filter_map(|n| read(ctx, n)).collect()),
            other => {
                wrong_type(ctx, key, node, other, hint);
                None
            }
        })
    }

    /// A list of names with their places.
    pub(crate) fn names(&self, key: &'static str, hint: &str) -> Option<At<Vec<At<String>>>> {
        self.list(key, hint, |ctx, node| {
            let value = text(ctx, key, node, values::name)?;
            Some(At { value, at: node.at })
        })
    }

    /// A key is missing; `finish` reports it.
    pub(crate) fn missing(&self, key: &str, hint: impl Into<String>) {
        self.missing.borrow_mut().push((key.to_string(), hint.into()));
    }

    /// A key that must be there.
    pub(crate) fn required<T>(&self, key: &'static str, hint: &str, found: Option<T>) -> Option<T> {
        if found.is_none() && self.table.get(key).is_none() {
            self.missing(key, hint);
        }
        found
    }

    /// Refuses every key nobody asked for, and tells what is missing.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        let not_yet = self.not_yet.borrow();
        let mut missing = self.missing.take();
        let usable = || known.iter().copied().filter(|k| !not_yet.contains(k));
        let unknown = |entry: &&Entry| !known.contains(&entry.key.as_str());
        for entry in self.table.entries.iter().filter(unknown) {
            if self.ctx.is_full(entry.key_at) {
                self.ctx.push(Draft::error(entry.key_at, ""));
                continue;
            }
            // Guesses are for people: a file with thousands of unknown keys is something else.
            let meant = match self.ctx.may_guess(known.len() * GUESS_OF_KEY) {
                true => did_you_mean(&lookalike::plain(&entry.key), usable()),
                false => None,
            };
            missing.retain(|(key, _)| !meant.as_ref().is_some_and(|m| m.contains(&format!("`{key}`"))));
            let near = looks_like(&entry.key).or(meant);
            let hint = near.unwrap_or_else(|| format!("known here: {}", listing(usable())));
            let what = format!("unknown key `{}` in {}", entry.key, self.name);
            self.ctx.error(entry.key_at, what, hint);
        }
        for (key, hint) in missing {
            let what = format!("{} has no `{key}`", self.name);
            self.ctx.push(Draft::error(self.at(), what).hint(hint).consequence());
        }
    }
}

/// The value has another type than it should.
pub(crate) fn wrong_type(ctx: &Ctx<'_>, key: &str, node: &Node, found: &Value, hint: &str) {
    ctx.error(node.at, format!("`{key}` is {}", found.type_name()), hint);
}

/// A text, taken by `take`.
pub(crate) fn text<T>(ctx: &Ctx<'_>, key: &str, node: &Node, take: impl FnOnce(&str) -> Taken<T>) -> Option<T> {
    match &node.value {
        Value::String(s) => match take(s) {
            Ok(value) => return Some(value),
            Err(Refusal { what, hint }) => {
                let hint = looks_like(s).unwrap_or(hint);
                ctx.error(node.at, format!("`{key}` {what}"), hint);
            }
        },
        other => {
            let hint = match take("") {
                Err(Refusal { hint, .. }) => hint,
                Ok(_) => "a text in quotes".to_string(),
            };
            wrong_type(ctx, key, node, other, &hint);
        }
    }
    None
}

/// One of some words.
pub(crate) fn word<T: Copy>(ctx: &Ctx<'_>, key: &str, node: &Node, words: &[(&str, T)]) -> Option<T> {
    text(ctx, key, node, |s| {
        let all = || words.iter().map(|(w, _)| *w);
        words
            .iter()
            .find(|(w, _)| *w == s)
            .map(|(_, v)| *v)
            .ok_or_else(|| Refusal {
                what: format!("cannot be \"{s}\""),
                hint: did_you_mean(s, all())
                    .unwrap_or_else(|| format!("one of: {}", listing(all())))
                    .replace('`', "\""),
            })
    })
}

/// Reports a reference to something that is not there, with "did you mean".
pub(crate) fn unknown_reference<'n>(
    ctx: &Ctx<'_>,
    what: &str,
    name: &At<String>,
    all: impl Iterator<Item = &'n str> + Clone,
    none: &str,
) {
    // A whole list that is missing needs no guesses, which would take minutes with many thousand names.
    let near = match ctx.may_guess(all.clone().count()) {
        true => seems_to_be(&name.value, all.clone()).or_else(|| did_you_mean(&name.value, all.clone())),
        false => None,
    };
    let hint = near.unwrap_or_else(|| match all.clone().take(13).count() {
        0 => none.to_string(),
        1..=12 => format!("there is: {}", listing(all)),
        _ => "it is none of the many names there are".to_string(),
    });
    let draft = Draft::error(name.at, format!("there is no {what} `{}`", name.value));
    ctx.push(draft.hint(hint).consequence());
}

/// Names that only look equal: which character is another one.
fn seems_to_be<'n>(name: &str, all: impl Iterator<Item = &'n str>) -> Option<String> {
    let meant = lookalike::plain(name);
    let meant = meant.trim();
    let known = { all }.find(|known| lookalike::plain(known).trim() == meant)?;
    let odd = looks_like(name).or_else(|| looks_like(known).map(|odd| format!("in its own name {odd}")));
    Some(format!("it seems to be `{known}`, but {}", odd?))
}

/// "did you mean `x`?" if something is near enough.
pub(crate) fn did_you_mean<'n>(word: &str, all: impl Iterator<Item = &'n str>) -> Option<String> {
    let limit = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    all.filter(|known| known.len().abs_diff(word.len()) <= limit)
        .map(|known| (distance(&word.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(d, known)| *d <= limit && *d < known.chars().count())
        .min_by_key(|(d, _)| *d)
        .map(|(_, known)| format!("did you mean `{known}`?"))
}

/// Edit distance where a swap of neighbours counts one.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// Names in backquotes, with commas.
pub(crate) fn listing<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut quoted: Vec<String> = Vec::new();
    // Sections that are read by several hands name a key more than once.
    for name in names.map(|n| format!("`{n}`")) {
        if !quoted.contains(&name) {
            quoted.push(name);
        }
    }
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["interval", "timeout", "echoes"];
        assert_eq!(
            did_you_mean("intervall", words.into_iter()).as_deref(),
            Some("did you mean `interval`?")
        );
        assert_eq!(
            did_you_mean("tiemout", words.into_iter()).as_deref(),
            Some("did you mean `timeout`?")
        );
        assert_eq!(did_you_mean("bogus", words.into_iter()), None);
        assert_eq!(distance("abcd", "acbd"), 1);
        assert_eq!(listing(["echoes", "over", "echoes"].into_iter()), "`echoes`, `over`");
    }
}
