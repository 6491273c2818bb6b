//! What is wrong, and where: `file:line:column: error: …`, the line, a caret, and what would be right.
//!
//! Never here: a secret. What stands behind a key that may hold one is blanked before a line is shown.

use super::raw::{Place, SourceFile};
use super::{NotFound, Surroundings, mask};
use crate::model::Profiles;
use serde::Serialize;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// How bad a problem of the configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The site would not be watched as its owner thinks.
    Warning,
    /// The configuration is refused.
    Error,
}

/// One problem, ready to be shown as text (`Display`) or as JSON (`Serialize`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// The file, as given.
    pub file: String,
    /// From 1; 0 where the problem is the file as a whole.
    pub line: u32,
    /// In characters, from 1; 0 where the problem is the file as a whole.
    pub column: u32,
    /// What is wrong and why.
    pub what: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The line of the file, with anything secret blanked.
    pub source_line: String,
    /// How many problems this one stands for: 1, or all those of a long list that are not shown one by one.
    pub count: usize,
    /// Where the marker stands under `source_line`: first column and length, in characters.
    #[serde(skip)]
    pub(crate) marker: (usize, usize),
    /// Something is not there; it may stand in a file that could not be read.
    #[serde(skip)]
    pub(crate) may_be_elsewhere: bool,
}

impl Problem {
    /// The same, for a `Result`.
    pub(crate) fn boxed(file: String, what: String, hint: Option<String>) -> Box<Problem> {
        Box::new(Problem::of_file(file, what, hint))
    }

    /// A problem of a whole file: it cannot be read.
    pub(crate) fn of_file(file: String, what: String, hint: Option<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            file,
            line: 0,
            column: 0,
            what,
            hint,
            source_line: String::new(),
            count: 1,
            marker: (0, 0),
            may_be_elsewhere: false,
        }
    }

    /// What was left out of a long list.
    fn and_more(severity: Severity, file: String, count: usize) -> Problem {
        let word = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let plural = if count == 1 { "" } else { "s" };
        Problem {
            severity,
            count,
            ..Problem::of_file(file, format!("and {count} more {word}{plural} in this file"), None)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        if self.line == 0 {
            writeln!(f, "{}: {severity}: {}", self.file, self.what)?;
        } else {
            writeln!(
                f,
                "{}:{}:{}: {severity}: {}",
                self.file, self.line, self.column, self.what
            )?;
            writeln!(f, "{:>5} | {}", self.line, self.source_line)?;
            let (start, length) = self.marker;
            let before: String = self.source_line.chars().take(start).map(blank).collect();
            let marked: usize = self.source_line.chars().skip(start).take(length).map(width).sum();
            writeln!(f, "      | {before}{}", "^".repeat(marked.max(1)))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "      hint: {hint}")?;
        }
        Ok(())
    }
}

/// Columns of a terminal: East Asian characters take two.
fn width(c: char) -> usize {
    if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}')
    {
        2
    } else {
        1
    }
}

fn blank(c: char) -> &'static str {
    match (c, width(c)) {
        ('\t', _) => "\t",
        (_, 2) => "  ",
        _ => " ",
    }
}

/// Longest text of a message: what stands in it from the file may be megabytes.
const MOST_WORDS: usize = 600;

/// Cuts a message.
fn cut(text: String) -> String {
    match text.char_indices().nth(MOST_WORDS) {
        Some((at, _)) => format!("{}… (cut here)", &text[..at]),
        None => text,
    }
}

/// Text from the file, safe for a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if crate::model::text::is_hostile(c) && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A problem before its place is worked out.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    severity: Severity,
    at: Place,
    what: String,
    hint: Option<String>,
    /// The parser itself stumbled.
    syntax: bool,
    /// A header could not be read: what follows looks as if it belonged to the section above.
    headless: bool,
    /// May only be the consequence of a syntax error elsewhere: something is missing.
    consequence: bool,
}

impl Draft {
    pub(crate) fn error(at: Place, what: impl Into<String>) -> Draft {
        Draft {
            severity: Severity::Error,
            at,
            what: what.into(),
            hint: None,
            syntax: false,
            headless: false,
            consequence: false,
        }
    }

    pub(crate) fn warning(at: Place, what: impl Into<String>) -> Draft {
        Draft {
            severity: Severity::Warning,
            ..Draft::error(at, what)
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Draft {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn syntax(mut self) -> Draft {
        self.syntax = true;
        self
    }

    pub(crate) fn headless(mut self, headless: bool) -> Draft {
        self.headless = headless;
        self
    }

    pub(crate) fn consequence(mut self) -> Draft {
        self.consequence = true;
        self
    }
}

/// A CSV file that the configuration names.
#[derive(Debug)]
pub(crate) struct TableFile {
    /// The key that names it.
    pub(crate) named_at: Place,
    /// What is in it: `circuits`, `devices`, `contacts`, `holidays`.
    pub(crate) section: &'static str,
    /// Its text, without a byte order mark.
    pub(crate) source: SourceFile,
    /// A column seems to hold secrets: no row of it is shown.
    pub(crate) hidden: Cell<bool>,
}

/// Of each file, so many problems of a severity are shown; the rest is a number.
const MOST_SHOWN: usize = 50;
/// Of all files together, so many problems of a severity are shown: a hundred lines are as many as anybody reads.
const MOST_SHOWN_IN_ALL: usize = 50;
/// Of each file, so many problems of a severity are kept, to show the first of them; the rest is counted.
const MOST_KEPT: usize = 1_000;

/// Comparisons of names spent on "did you mean" in a whole run: guesses must not take longer than the check.
const MOST_GUESSES: usize = 100_000;

/// What every reader of the tree shares: the files, what is outside of them, and the problems found so far.
pub(crate) struct Ctx<'a> {
    pub(crate) files: &'a [SourceFile],
    pub(crate) around: &'a dyn Surroundings,
    /// CSV files, numbered on from `files`; known once the tree is.
    tables: OnceCell<Vec<TableFile>>,
    drafts: RefCell<Vec<Draft>>,
    /// Vendor profiles that devices may name.
    profiles: OnceCell<Arc<Profiles>>,
    errors: Cell<usize>,
    guesses: Cell<usize>,
    /// First byte of each line of each file, worked out when a problem asks for it.
    lines: RefCell<BTreeMap<u32, Vec<usize>>>,
    /// What is open from line to line in each file, worked out when a line is shown.
    open: RefCell<BTreeMap<u32, Vec<std::ops::Range<usize>>>>,
    /// Problems by file and severity: of those beyond [`MOST_KEPT`] only the number is known.
    counted: RefCell<BTreeMap<(u32, Severity), usize>>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(files: &'a [SourceFile], around: &'a dyn Surroundings) -> Ctx<'a> {
        Ctx {
            files,
            around,
            tables: OnceCell::new(),
            drafts: RefCell::new(Vec::new()),
            profiles: OnceCell::new(),
            errors: Cell::new(0),
            guesses: Cell::new(0),
            lines: RefCell::new(BTreeMap::new()),
            open: RefCell::new(BTreeMap::new()),
            counted: RefCell::new(BTreeMap::new()),
        }
    }

    /// The vendor profiles of this site are these, from now on.
    pub(crate) fn know(&self, profiles: Arc<Profiles>) {
        let _ = self.profiles.set(profiles);
    }

    /// The vendor profiles of this site.
    pub(crate) fn profiles(&self) -> Arc<Profiles> {
        self.profiles.get().cloned().unwrap_or_default()
    }

    /// The index of a network device of this host.
    pub(crate) fn zone(&self, name: &str) -> Result<u32, NotFound> {
        self.around.zone(name)
    }

    /// Takes the CSV files that the tree names; once.
    pub(crate) fn set_tables(&self, tables: Vec<TableFile>) {
        let _ = self.tables.set(tables);
    }

    /// The CSV files.
    pub(crate) fn tables(&self) -> &[TableFile] {
        self.tables.get().map_or(&[], Vec::as_slice)
    }

    /// The CSV files of a section with their numbers.
    pub(crate) fn tables_of(&self, section: &'static str) -> impl Iterator<Item = (u32, &TableFile)> {
        let first = self.files.len();
        let numbered = self.tables().iter().enumerate();
        numbered
            .filter(move |(_, t)| t.section == section)
            .map(move |(i, t)| (u32::try_from(first + i).unwrap_or(u32::MAX), t))
    }

    fn table(&self, file: u32) -> Option<&TableFile> {
        self.tables().get((file as usize).checked_sub(self.files.len())?)
    }

    /// Any file by its number.
    fn file(&self, file: u32) -> Option<&SourceFile> {
        self.files
            .get(file as usize)
            .or_else(|| self.table(file).map(|t| &t.source))
    }

    /// May so many names be compared for a guess?
    pub(crate) fn may_guess(&self, names: usize) -> bool {
        let spent = self.guesses.get() + names;
        let may = spent <= MOST_GUESSES;
        if may {
            self.guesses.set(spent);
        }
        may
    }

    pub(crate) fn push(&self, draft: Draft) {
        self.errors
            .set(self.errors.get() + usize::from(draft.severity == Severity::Error));
        let mut counted = self.counted.borrow_mut();
        let count = counted.entry((draft.at.file, draft.severity)).or_default();
        *count += 1;
        if *count <= MOST_KEPT {
            self.drafts.borrow_mut().push(draft);
        }
    }

    /// So many errors of this file are kept that a further one is only counted: it need not be worded.
    pub(crate) fn is_full(&self, at: Place) -> bool {
        let counted = self.counted.borrow();
        counted
            .get(&(at.file, Severity::Error))
            .is_some_and(|n| *n >= MOST_KEPT)
    }

    pub(crate) fn error(&self, at: Place, what: impl Into<String>, hint: impl Into<String>) {
        self.push(Draft::error(at, what).hint(hint));
    }

    pub(crate) fn warn(&self, at: Place, what: impl Into<String>, hint: impl Into<String>) {
        self.push(Draft::warning(at, what).hint(hint));
    }

    /// How many errors there are so far.
    pub(crate) fn error_count(&self) -> usize {
        self.errors.get()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors.get() > 0
    }

    /// The text of a place; empty if there is none.
    pub(crate) fn text_at(&self, at: Place) -> &str {
        self.file(at.file)
            .and_then(|f| f.text.get(at.start as usize..at.end as usize))
            .unwrap_or("")
    }

    /// Line (from 0) of a place and that line's first byte.
    fn line_of(&self, at: Place) -> (usize, usize) {
        let Some(file) = self.file(at.file) else { return (0, 0) };
        let mut all = self.lines.borrow_mut();
        let lines = all.entry(at.file).or_insert_with(|| {
            let ends = file.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect()
        });
        let line = lines
            .partition_point(|start| *start <= at.start as usize)
            .saturating_sub(1);
        (line, lines[line])
    }

    /// Do both stand on one line?
    pub(crate) fn same_line(&self, a: Place, b: Place) -> bool {
        a.file == b.file && self.line_of(a).0 == self.line_of(b).0
    }

    /// The bytes of the whole line of a place, without its end.
    pub(crate) fn line_span(&self, at: Place) -> std::ops::Range<usize> {
        let (_, start) = self.line_of(at);
        start..start + self.line_at(at).len()
    }

    /// The whole line of a place, without its end.
    pub(crate) fn line_at(&self, at: Place) -> &str {
        let (_, start) = self.line_of(at);
        let rest = self.file(at.file).and_then(|f| f.text.get(start..)).unwrap_or("");
        rest.split('\n').next().unwrap_or("").trim_end_matches('\r')
    }

    /// Line and column of a place, both from 1.
    fn position(&self, at: Place) -> (u32, u32) {
        let (line, start) = self.line_of(at);
        let text = self.file(at.file).map_or("", |f| f.text.as_str());
        let end = (at.start as usize).min(text.len());
        let column = text.get(start..end).map_or(0, |t| t.chars().count());
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        (number(line), number(column))
    }

    /// The path of a file, as it is shown.
    fn path(&self, file: u32) -> String {
        self.file(file).map_or(String::new(), |f| f.path.display().to_string())
    }

    /// `file:line:column` of a place.
    pub(crate) fn show(&self, at: Place) -> String {
        let (line, column) = self.position(at);
        format!("{}:{line}:{column}", self.path(at.file))
    }

    /// All problems, in the order of the files.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut drafts = self.drafts.take();
        if drafts.iter().any(|d| d.syntax) {
            // After a syntax error parts of the file are missing: what is only absent is not the writer's mistake.
            let syntax: Vec<(u32, usize)> = drafts
                .iter()
                .filter(|d| d.syntax)
                .map(|d| (d.at.file, self.line_of(d.at).0))
                .collect();
            let headless: Vec<(u32, std::ops::Range<usize>)> = drafts
                .iter()
                .filter(|d| d.headless)
                .filter_map(|d| self.below(d.at))
                .collect();
            let misplaced = |at: Place| {
                headless
                    .iter()
                    .any(|(f, r)| *f == at.file && r.contains(&(at.start as usize)))
            };
            let explained =
                |d: &Draft| d.consequence || misplaced(d.at) || syntax.contains(&(d.at.file, self.line_of(d.at).0));
            drafts.retain(|d| d.syntax || !explained(d));
        }
        drafts.sort_by_key(|d| (d.at.file, d.at.start));
        // What a group says wrong is found once for each of its devices.
        let mut told = BTreeSet::new();
        drafts.retain(|d| told.insert((d.at, d.what.clone())));
        self.shown(drafts)
    }

    /// Drafts, sorted by place, as problems. Of a file only the first are shown, then how many there are more.
    fn shown(&self, drafts: Vec<Draft>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut in_all: BTreeMap<Severity, usize> = BTreeMap::new();
        let mut drafts = drafts.into_iter().peekable();
        while let Some(file) = drafts.peek().map(|d| d.at.file) {
            let mut here: BTreeMap<Severity, (usize, usize)> = BTreeMap::new();
            while let Some(draft) = drafts.next_if(|d| d.at.file == file) {
                let (shown, left_out) = here.entry(draft.severity).or_default();
                let in_all = in_all.entry(draft.severity).or_default();
                if *shown < MOST_SHOWN && *in_all < MOST_SHOWN_IN_ALL {
                    *shown += 1;
                    *in_all += 1;
                    problems.push(self.finish(draft));
                } else {
                    *left_out += 1;
                }
            }
            for (severity, (_, left_out)) in here.into_iter().rev() {
                let all = self.counted.borrow().get(&(file, severity)).copied().unwrap_or(0);
                let more = left_out + all.saturating_sub(MOST_KEPT);
                if more > 0 {
                    problems.push(Problem::and_more(severity, self.path(file), more));
                }
            }
        }
        problems
    }

    /// The lines below a header that could not be read: they look as if they belonged to the section above.
    fn below(&self, at: Place) -> Option<(u32, std::ops::Range<usize>)> {
        let line = self.line_span(at);
        let text = self.files.get(at.file as usize)?.text.as_str();
        let mut end = line.end;
        for below in text.get(line.end..)?.split_inclusive('\n') {
            if below.trim_start().starts_with('[') {
                break;
            }
            end += below.len();
        }
        Some((at.file, line.start..end))
    }

    fn finish(&self, draft: Draft) -> Problem {
        let (line, column) = self.position(draft.at);
        let (source_line, marker) = self.marked(draft.at);
        Problem {
            severity: draft.severity,
            file: self.path(draft.at.file),
            line,
            column,
            what: cut(clean(&draft.what)),
            hint: draft.hint.as_deref().map(clean).map(cut),
            source_line,
            count: 1,
            marker,
            may_be_elsewhere: draft.consequence,
        }
    }

    /// The line of a place without secrets, and where the place stands in it.
    fn marked(&self, at: Place) -> (String, (usize, usize)) {
        let whole = self.line_at(at);
        let (_, line_start) = self.line_of(at);
        let from = (at.start as usize).saturating_sub(line_start).min(whole.len());
        let to = (at.end as usize).saturating_sub(line_start).clamp(from, whole.len());
        let piece = mask::Piece {
            line: whole,
            starts: line_start,
            marked: from..to,
        };
        match self.table(at.file) {
            Some(table) if table.hidden.get() && line_start > 0 => {
                ("(not shown: this file seems to hold secrets)".to_string(), (0, 1))
            }
            // What a row holds is no `key = value`; a column of secrets hides all rows.
            Some(_) => mask::unmasked(&piece),
            None => {
                let mut open = self.open.borrow_mut();
                let text = || self.file(at.file).map_or("", |f| f.text.as_str());
                let open = open.entry(at.file).or_insert_with(|| mask::open_texts(text()));
                mask::line(&piece, open)
            }
        }
    }
}
