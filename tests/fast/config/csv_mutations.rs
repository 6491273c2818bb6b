//! Whatever is done to the CSV files of a site: no panic, every place lies inside, and an error is never silent.

use super::Dummies;
use hinomi::config::{self, Found, NotFound, SecretFrom, SourceFile, Surroundings};
use proptest::prelude::*;
use std::path::Path;

const NAMES: [&str; 4] = ["circuits.csv", "devices.csv", "contacts.csv", "holidays.csv"];

/// The example's files, one of them changed.
struct Changed<'c> {
    name: &'c str,
    text: &'c str,
}

impl Surroundings for Changed<'_> {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        Dummies.secret(from)
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        match path.ends_with(self.name) {
            true => Ok(self.text.to_string()),
            false => Dummies.table(path),
        }
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        Dummies.certificates(path)
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound> {
        Dummies.profiles(folder)
    }
}

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new("examples/circuits").join(name)).unwrap()
}

fn places_are_inside(name: &str, text: &str) {
    let loaded = config::load_with(Path::new("examples/circuits/hinomi.toml"), &Changed { name, text });
    assert_eq!(loaded.site.is_none(), loaded.has_errors());
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
    for problem in loaded.problems.iter().filter(|p| p.file.ends_with(name)) {
        assert!(!problem.to_string().is_empty());
        if problem.line == 0 {
            assert!(problem.what.starts_with("and "), "{problem}");
            continue;
        }
        let line = lines
            .get(problem.line as usize - 1)
            .unwrap_or_else(|| panic!("{problem}"));
        assert!(
            (1..=line.chars().count() as u32 + 1).contains(&problem.column),
            "{problem}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_file_never_panics(
        which in 0usize..4,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[,;\"'\r\n a-z0-9医.:%\\-\u{0}\u{feff}]{0,6}"), 1..6),
    ) {
        let mut text = example(NAMES[which]);
        for (at, remove, insert) in cuts {
            let mut start = at.index(text.len() + 1);
            while !text.is_char_boundary(start) { start -= 1; }
            let mut end = (start + remove).min(text.len());
            while !text.is_char_boundary(end) { end -= 1; }
            text.replace_range(start..end.max(start), &insert);
        }
        places_are_inside(NAMES[which], &text);
    }

    #[test]
    fn shuffled_cells_never_panic(
        which in 0usize..4,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..12),
    ) {
        let text = example(NAMES[which]);
        let mut cells: Vec<&str> = text.split(',').collect();
        for (a, b) in moves {
            let (a, b) = (a.index(cells.len()), b.index(cells.len()));
            cells.swap(a, b);
        }
        places_are_inside(NAMES[which], &cells.join(","));
    }
}
