//! config/hinomi.toml: what is marked REQUIRED is required, and nothing else is.

use super::Dummies;
use hinomi::config::{self, SourceFile};
use std::path::Path;

/// A section of the sample with the lines that are marked.
struct Section {
    head: String,
    required: Vec<String>,
}

/// The first example of each section, switched on.
fn sections() -> Vec<Section> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/hinomi.toml")).unwrap();
    let mut all: Vec<Section> = Vec::new();
    let mut heads: Vec<String> = Vec::new();
    let mut is_first = false;
    for line in text.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if line.starts_with('[') {
            let head = line.split(" #").next().unwrap().trim().to_owned();
            is_first = !heads.contains(&head);
            heads.push(head.clone());
            if is_first {
                all.push(Section {
                    head,
                    required: Vec::new(),
                });
            }
        } else if line.contains("# REQUIRED") {
            assert!(is_first, "marked in a second example: {line}");
            all.last_mut().unwrap().required.push(line.to_owned());
        }
    }
    all.retain(|s| !s.required.is_empty());
    all
}

fn said(text: &str) -> String {
    let file = SourceFile {
        path: "hinomi.toml".into(),
        text: text.to_owned(),
        private: true,
    };
    let loaded = config::check(&[file], &Dummies);
    loaded.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_marked_as_required_is_and_nothing_else() {
    let all = sections();
    assert!(all.len() >= 13, "the sections are not found");
    for section in &all {
        // A section alone: what it refers to is missing, which is told otherwise.
        let operator = if section.head == "[operator]" {
            ""
        } else {
            "[operator]\nname = \"x\"\n"
        };
        let whole = format!("{operator}{}\n{}\n", section.head, section.required.join("\n"));
        let complaints = said(&whole);
        // The lines of the file itself are echoed below each complaint.
        let told = complaints
            .lines()
            .filter(|l| l.starts_with("hinomi.toml:") && l.contains("error:"));
        let missing: Vec<&str> = told
            .filter(|l| l.contains(" has no `") || l.contains("needs"))
            .collect();
        // A circuit needs an address or a device, and a window an end or a week: the sample says so where they stand.
        let either = ["[[circuit]]", "[[maintenance]]"].contains(&&*section.head);
        assert!(missing.is_empty() || either, "{}: {missing:#?}", section.head);
        for (i, line) in section.required.iter().enumerate() {
            let key = line.split(" = ").next().unwrap();
            let mut rest = section.required.clone();
            rest.remove(i);
            let less = format!("{operator}{}\n{}\n", section.head, rest.join("\n"));
            let complaints = said(&less);
            assert!(
                complaints.contains(&format!("`{key}`")),
                "{}: nobody misses {key}:\n{complaints}",
                section.head
            );
        }
    }
}
