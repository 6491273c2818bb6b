//! One file a mistake, with the exact words. `HINOMI_BLESS=1` rewrites the words; then read them.

use super::{Dummies, files_in, printed};
use hinomi::config;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn mistakes() -> Vec<std::path::PathBuf> {
    [
        "tests/config_bad",
        "tests/config_bad/alone",
        "tests/config_bad/two-files",
    ]
    .iter()
    .flat_map(|f| files_in(f))
    .collect()
}

#[test]
fn each_mistake_is_told_in_exactly_these_words() {
    let mut wrong = Vec::new();
    let all = mistakes();
    assert!(all.len() >= 100, "mistakes are missing");
    for path in all {
        // Whatever the umask of the checkout was: one mistake is that others can read the file.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let told = printed(&config::load_with(&path, &Dummies));
        let expected = path.with_extension("txt");
        if std::env::var_os("HINOMI_BLESS").is_some() {
            std::fs::write(&expected, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if told != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- told\n{told}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_name_of_a_mistake_says_whether_it_is_an_error() {
    for path in mistakes() {
        let loaded = config::load_with(&path, &Dummies);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!loaded.problems.is_empty(), "{name}: nothing is told");
        let doubt = name.starts_with("doubt-") || name == "no-way-out";
        assert_eq!(loaded.site.is_some(), doubt, "{name}");
        assert_eq!(loaded.has_errors(), !doubt, "{name}");
    }
}

#[test]
fn no_secret_of_a_mistake_is_repeated() {
    for path in mistakes() {
        let shown = printed(&config::load_with(&path, &Dummies));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn five_mistakes_are_five_problems() {
    let loaded = config::load_with(Path::new("tests/config_bad/five-mistakes.toml"), &Dummies);
    assert_eq!(loaded.problems.len(), 5, "{}", printed(&loaded));
}

#[test]
fn a_line_that_is_no_toml_hides_nothing_below_it() {
    let lines = [
        "interval \"60s\"",
        "= 1",
        ".a = 1",
        "a. = 1",
        "}",
        "]",
        "\"a",
        "a = ",
        "a = }",
        "[",
        "[[x]",
        "[]",
        "interval",
        "a = 1 b = 2",
        "a = \"x",
        "a == 1",
        "[a.]",
        "医療 = 1",
        "<<<<<<< HEAD",
        "a = 1 = 2",
        "a = [1",
        "a = { b = 1",
    ];
    for garbage in lines {
        let text = format!("[operator]\nname = \"x\"\n[daemon]\n{garbage}\n\n[poll]\nechoes = 30\n");
        let loaded = super::check(&text);
        let told = |lines: std::ops::RangeInclusive<u32>| loaded.problems.iter().any(|p| lines.contains(&p.line));
        assert!(told(4..=6) && told(7..=7), "{garbage}: {}", printed(&loaded));
    }
}
