//! Text to one tree of values, each with its place; several files become one tree.
//!
//! The parser recovers after a syntax error, so that a file with five mistakes reports five. Never here: what a key means.

use super::lookalike;
use super::report::{Ctx, Draft};
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One configuration file as read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As shown in problems; relative paths in the file resolve against its folder.
    pub path: PathBuf,
    /// Its whole text.
    pub text: String,
    /// Nobody but the owner can read it: only then may a secret stand in it.
    pub private: bool,
}

/// Where a value stands: bytes `start..end` of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index of the file.
    pub(crate) file: u32,
    /// First byte.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
}

/// Something with its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) at: Place,
}

/// A value of the file.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date, or a number that fits no type of ours: its name.
    Other(&'static str),
    Array(Vec<Node>),
    Table(Table),
}

/// A value and its place.
pub(crate) type Node = At<Value>;

impl Value {
    /// The type's name for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "a text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Other(name) => name,
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// `key = value`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Place,
    pub(crate) node: Node,
}

/// A table, its entries in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) at: Place,
    pub(crate) entries: Vec<Entry>,
}

impl Table {
    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }
}

/// Parses all files into one tree. Syntax errors and keys given twice are reported to `ctx`.
pub(crate) fn parse(ctx: &Ctx<'_>) -> Table {
    let mut root = Table::default();
    for (index, file) in ctx.files.iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let (tree, errors) = parse_one(ctx, index, &file.text);
        for (at, message) in one_a_line(ctx, errors).into_iter().take(MOST_SYNTAX) {
            report_syntax(ctx, &tree, &message, at);
        }
        merge(ctx, &mut root, tree);
    }
    root
}

/// Lines that make the parser give up the rest of the file: as many are blanked before it is left at that.
const MOST_BLANKED: usize = 50;
/// Bytes that are parsed again after a line was blanked, in all: a file of megabytes is not parsed fifty times.
const MOST_AGAIN: usize = 8 * 1024 * 1024;
/// Syntax errors of one file that are looked at: beyond that it is no configuration.
const MOST_SYNTAX: usize = 1_000;

/// Parses one file. Where the parser gives up, the line is blanked and it starts again, so that nothing below is hidden.
fn parse_one(ctx: &Ctx<'_>, index: u32, text: &str) -> (Table, Vec<(Place, String)>) {
    let whole = Place {
        file: index,
        start: 0,
        end: 0,
    };
    let mut text = text.to_string();
    let mut told: Vec<(Place, String)> = Vec::new();
    let mut parsed = 0;
    loop {
        let (table, errors) = DeTable::parse_recoverable(&text);
        let errors = errors
            .iter()
            .map(|e| (place(index, &e.span().unwrap_or(0..0)), e.message().to_string()));
        let errors: Vec<(Place, String)> = errors.collect();
        let gave_up = errors
            .iter()
            .find(|(_, message)| ends_the_parse(message))
            .map(|(at, _)| ctx.line_span(*at));
        parsed += text.len();
        match gave_up.filter(|_| told.len() < MOST_BLANKED && parsed < MOST_AGAIN) {
            Some(line) if !text[line.clone()].trim().is_empty() => {
                let on_it =
                    |(at, _): &&(Place, String)| line.contains(&(at.start as usize)) || at.start as usize == line.end;
                told.extend(errors.iter().filter(on_it).take(1).cloned());
                let blank = " ".repeat(line.len());
                text.replace_range(line, &blank);
            }
            _ => {
                let tree = convert_table(index, whole, table.into_inner());
                told.extend(errors);
                return (tree, told);
            }
        }
    }
}

/// Errors after which the parser reads no further.
fn ends_the_parse(message: &str) -> bool {
    message.starts_with("key with no value") || (message.starts_with("unclosed") && message.contains("array table"))
}

fn place(file: u32, span: &std::ops::Range<usize>) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        file,
        start: number(span.start),
        end: number(span.end.max(span.start)),
    }
}

fn convert_table(file: u32, at: Place, table: DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            key_at: place(file, &key.span()),
            key: key.into_inner().into_owned(),
            node: convert(file, value),
        })
        .collect();
    entries.sort_by_key(|e| e.key_at);
    Table { at, entries }
}

fn convert(file: u32, value: Spanned<DeValue<'_>>) -> Node {
    let at = place(file, &value.span());
    let value = match value.into_inner() {
        DeValue::String(s) => Value::String(s.into_owned()),
        DeValue::Integer(i) => {
            i64::from_str_radix(i.as_str(), i.radix()).map_or(Value::Other("a number too large"), Value::Integer)
        }
        DeValue::Float(f) => match f.as_str().parse::<f64>() {
            Ok(f) if f.is_finite() => Value::Float(f),
            _ => Value::Other("not a finite number"),
        },
        DeValue::Boolean(b) => Value::Boolean(b),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(a) => Value::Array(a.into_iter().map(|v| convert(file, v)).collect()),
        DeValue::Table(t) => Value::Table(convert_table(file, at, t)),
    };
    Node { value, at }
}

/// Joins the tree of a further file: tables merge, arrays of tables are joined, anything else twice is an error.
fn merge(ctx: &Ctx<'_>, into: &mut Table, from: Table) {
    if into.entries.is_empty() {
        *into = from;
        return;
    }
    for entry in from.entries {
        let Some(old) = into.entries.iter_mut().find(|e| e.key == entry.key) else {
            into.entries.push(entry);
            continue;
        };
        let joined = is_array_of_tables(ctx, &old.node) && is_array_of_tables(ctx, &entry.node);
        match (&mut old.node.value, entry.node.value) {
            (Value::Table(a), Value::Table(b)) => merge(ctx, a, b),
            (Value::Array(a), Value::Array(b)) if joined => a.extend(b),
            _ => ctx.push(
                Draft::error(
                    entry.key_at,
                    format!("`{}` is given twice: also at {}", entry.key, ctx.show(old.key_at)),
                )
                .hint("a key may stand in one file only; remove one of the two"),
            ),
        }
    }
}

fn is_array_of_tables(ctx: &Ctx<'_>, node: &Node) -> bool {
    match &node.value {
        Value::Array(nodes) => nodes.iter().all(|n| ctx.text_at(n.at).starts_with("[[")),
        _ => false,
    }
}

/// One slip makes the parser stumble several times: the first of a line is kept, in the words of a list that stays open if there is one.
fn one_a_line(ctx: &Ctx<'_>, mut errors: Vec<(Place, String)>) -> Vec<(Place, String)> {
    errors.sort_by_key(|(at, _)| *at);
    let mut kept: Vec<(Place, String)> = Vec::new();
    for (at, message) in errors {
        match kept.last_mut() {
            Some((first, words)) if ctx.same_line(*first, at) => {
                if message.starts_with("unclosed") {
                    *words = message;
                }
            }
            _ => kept.push((at, message)),
        }
    }
    kept
}

/// Turns the parser's words into ours where ours say more.
fn report_syntax(ctx: &Ctx<'_>, tree: &Table, message: &str, at: Place) {
    if message.starts_with("duplicate key") {
        let key = ctx.text_at(at).to_string();
        let first = first_of(ctx, tree, &key, at).map(|p| format!(": also at {}", ctx.show(p)));
        let what = format!("`{key}` is given twice{}", first.unwrap_or_default());
        ctx.push(
            Draft::error(at, what)
                .hint("remove one of the two, or put both contents under one")
                .syntax(),
        );
        return;
    }
    if let Some(odd) = lookalike::on_line(ctx.line_at(at)) {
        let draft = Draft::error(at, "the line has a character that TOML does not know");
        ctx.push(draft.hint(odd).syntax());
        return;
    }
    let quotes = "a text needs a pair of quotes on one line: \"…\"; a list [ … ]; a table { … }";
    let conflict = ["<<<<<<<", "=======", ">>>>>>>"]
        .iter()
        .any(|mark| ctx.line_at(at).starts_with(mark));
    let (what, hint) = if conflict {
        let hint = "two versions of this part stand here one after the other: keep one, and remove the marks";
        ("a merge of two versions was left unfinished".to_string(), hint)
    } else if message.contains("must be quoted") && ctx.text_at(at).is_empty() {
        ("there is no value here".to_string(), quotes)
    } else if message.contains("must be quoted") {
        ("a text without quotes".to_string(), quotes)
    } else if message.contains("invalid basic string") || message.contains("invalid literal string") {
        ("a text that is not closed".to_string(), quotes)
    } else if message.starts_with("unclosed") && message.contains("table") && !message.contains("inline") {
        (
            "a section header that is not closed".to_string(),
            "a section is `[name]`, an entry of a list of sections `[[name]]`",
        )
    } else if message.starts_with("unclosed array") {
        (
            "a list that is not closed before this".to_string(),
            "close it with `]`; its entries have commas between them",
        )
    } else if message.starts_with("unclosed inline table") {
        (
            "a table that is not closed before this".to_string(),
            "close it with `}`",
        )
    } else if message.starts_with("key with no value") {
        (
            "a key without `=`".to_string(),
            "a line is `key = value`, `[section]` or `[[list entry]]`",
        )
    } else {
        let hint = "this is not TOML; a line is `key = value`, `[section]` or `[[list entry]]`";
        (format!("the file cannot be read here: {message}"), hint)
    };
    ctx.push(
        Draft::error(at, what)
            .hint(hint)
            .syntax()
            .headless(ctx.line_at(at).trim_start().starts_with('[')),
    );
}

/// Where a key that is given twice stood first: a header by its text, a key by the nearest one before.
fn first_of(ctx: &Ctx<'_>, tree: &Table, key: &str, at: Place) -> Option<Place> {
    let line = ctx.line_at(at);
    if let Some(header) = line
        .trim()
        .strip_prefix('[')
        .and_then(|_| line.trim().split_inclusive(']').next())
    {
        let text = &ctx.files[at.file as usize].text;
        let mut offset = 0;
        for candidate in text.split_inclusive('\n') {
            if offset + candidate.len() > at.start as usize {
                return None;
            }
            if candidate.trim().starts_with(header) {
                return Some(place(at.file, &(offset..offset + candidate.trim_end().len())));
            }
            offset += candidate.len();
        }
        return None;
    }
    let mut best = None;
    nearest_before(tree, key, at, &mut best);
    best
}

fn nearest_before(table: &Table, key: &str, at: Place, best: &mut Option<Place>) {
    for entry in &table.entries {
        if entry.key == key && entry.key_at < at && best.is_none_or(|b| b < entry.key_at) {
            *best = Some(entry.key_at);
        }
        visit(&entry.node, key, at, best);
    }
}

fn visit(node: &Node, key: &str, at: Place, best: &mut Option<Place>) {
    match &node.value {
        Value::Table(t) => nearest_before(t, key, at, best),
        Value::Array(nodes) => nodes.iter().for_each(|n| visit(n, key, at, best)),
        _ => {}
    }
}
