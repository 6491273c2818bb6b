//! Whatever is done to a file: no panic, and every place lies inside it.

use super::{check, examples};
use proptest::prelude::*;

fn places_are_inside(text: &str) {
    let loaded = check(text);
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(loaded.site.is_none(), loaded.has_errors());
    // What is only counted has no place.
    for p in loaded.problems.iter().filter(|p| p.line > 0) {
        let line = lines
            .get(p.line as usize - 1)
            .unwrap_or_else(|| panic!("line {} of {}: {p}", p.line, lines.len()));
        assert!((1..=line.chars().count() as u32 + 1).contains(&p.column), "{p}");
        // Printing must not panic either.
        assert!(p.to_string().starts_with("hinomi.toml:"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_example_never_panics(
        which in 0usize..4,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[\\[\\]{}=.,\"'#\n a-z0-9医%\\\\\u{0}]{0,6}"), 1..6),
    ) {
        let mut text = examples()[which].1.clone();
        for (at, remove, insert) in cuts {
            let mut start = at.index(text.len() + 1);
            while !text.is_char_boundary(start) { start -= 1; }
            let mut end = (start + remove).min(text.len());
            while !text.is_char_boundary(end) { end -= 1; }
            text.replace_range(start..end.max(start), &insert);
        }
        places_are_inside(&text);
    }

    #[test]
    fn shuffled_lines_never_panic(
        which in 0usize..4,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..12),
    ) {
        let text = examples()[which].1.clone();
        let mut lines: Vec<&str> = text.split('\n').collect();
        for (from, to) in moves {
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
        }
        places_are_inside(&lines.join("\n"));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        places_are_inside(&text);
    }
}

#[test]
fn deep_nesting_is_refused_without_a_panic() {
    places_are_inside(&format!("a = {}1", "[".repeat(20_000)));
    places_are_inside(&format!("a = {}", "{ a = ".repeat(20_000)));
    let path = vec!["a"; 5_000].join(".");
    places_are_inside(&format!("{path} = 1"));
    places_are_inside(&format!("[{path}]\nb = 1"));
}
