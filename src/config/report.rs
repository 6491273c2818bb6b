//! What is wrong, and where: `file:line:column: error: …`, the line, a caret, and what would be right.
//!
//! Never here: a secret. What stands behind a key that may hold one is blanked before a line is shown.

use super::raw::{Place, SourceFile};
use super::{Surroundings, mask};
use crate::model::Profiles;
use serde::Serialize;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
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
            marker: (0, 0),
            may_be_elsewhere: false,
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

/// Text from the file, safe for a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
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

/// What every reader of the tree shares: the files, what is outside of them, and the problems found so far.
pub(crate) struct Ctx<'a> {
    pub(crate) files: &'a [SourceFile],
    pub(crate) around: &'a dyn Surroundings,
    drafts: RefCell<Vec<Draft>>,
    /// Vendor profiles that devices may name.
    profiles: OnceCell<Arc<Profiles>>,
    /// First byte of each line of each file.
    lines: Vec<Vec<usize>>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(files: &'a [SourceFile], around: &'a dyn Surroundings) -> Ctx<'a> {
        let starts = |f: &SourceFile| {
            std::iter::once(0)
                .chain(
                    f.text
                        .bytes()
                        .enumerate()
                        .filter(|(_, b)| *b == b'\n')
                        .map(|(i, _)| i + 1),
                )
                .collect()
        };
        Ctx {
            files,
            around,
            drafts: RefCell::new(Vec::new()),
            profiles: OnceCell::new(),
            lines: files.iter().map(starts).collect(),
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

    pub(crate) fn push(&self, draft: Draft) {
        self.drafts.borrow_mut().push(draft);
    }

    pub(crate) fn error(&self, at: Place, what: impl Into<String>, hint: impl Into<String>) {
        self.push(Draft::error(at, what).hint(hint));
    }

    pub(crate) fn warn(&self, at: Place, what: impl Into<String>, hint: impl Into<String>) {
        self.push(Draft::warning(at, what).hint(hint));
    }

    /// How many problems there are so far.
    pub(crate) fn count(&self) -> usize {
        self.drafts.borrow().len()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.drafts.borrow().iter().any(|d| d.severity == Severity::Error)
    }

    /// The text of a place; empty if there is none.
    pub(crate) fn text_at(&self, at: Place) -> &'a str {
        self.files
            .get(at.file as usize)
            .and_then(|f| f.text.get(at.start as usize..at.end as usize))
            .unwrap_or("")
    }

    /// Line (from 0) of a place and the byte where it begins.
    fn line_of(&self, at: Place) -> (usize, usize) {
        let Some(lines) = self.lines.get(at.file as usize) else {
            return (0, 0);
        };
        let line = lines
            .partition_point(|start| *start <= at.start as usize)
            .saturating_sub(1);
        (line, lines[line])
    }

    /// The bytes of the whole line of a place, without its end.
    pub(crate) fn line_span(&self, at: Place) -> std::ops::Range<usize> {
        let (_, start) = self.line_of(at);
        start..start + self.line_at(at).len()
    }

    /// The whole line of a place, without its end.
    pub(crate) fn line_at(&self, at: Place) -> &'a str {
        let (_, start) = self.line_of(at);
        let rest = self
            .files
            .get(at.file as usize)
            .and_then(|f| f.text.get(start..))
            .unwrap_or("");
        rest.split('\n').next().unwrap_or("").trim_end_matches('\r')
    }

    /// Line and column of a place, both from 1.
    fn position(&self, at: Place) -> (u32, u32) {
        let (line, start) = self.line_of(at);
        let text = &self.files.get(at.file as usize).map_or("", |f| f.text.as_str());
        let end = (at.start as usize).min(text.len());
        let column = text.get(start..end).map_or(0, |t| t.chars().count());
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        (number(line), number(column))
    }

    /// `file:line:column` of a place.
    pub(crate) fn show(&self, at: Place) -> String {
        let (line, column) = self.position(at);
        let file = self
            .files
            .get(at.file as usize)
            .map_or(String::new(), |f| f.path.display().to_string());
        format!("{file}:{line}:{column}")
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
        drafts.into_iter().map(|d| self.finish(d)).collect()
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
        let whole = self.line_at(draft.at);
        let (_, line_start) = self.line_of(draft.at);
        let from = (draft.at.start as usize).saturating_sub(line_start).min(whole.len());
        let to = (draft.at.end as usize)
            .saturating_sub(line_start)
            .clamp(from, whole.len());
        let (source_line, marker) = mask::line(whole, from, to);
        Problem {
            severity: draft.severity,
            file: self
                .files
                .get(draft.at.file as usize)
                .map_or(String::new(), |f| f.path.display().to_string()),
            line,
            column,
            what: clean(&draft.what),
            hint: draft.hint.as_deref().map(clean),
            source_line,
            marker,
            may_be_elsewhere: draft.consequence,
        }
    }
}
