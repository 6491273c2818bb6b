//! `config/hinomi.toml` names every option, and what it calls a default is one.

use super::{check, printed};
use hinomi::model::Site;

fn shipped() -> String {
    std::fs::read_to_string("config/hinomi.toml").unwrap()
}

/// The site of a text, whose fingerprint is left out: it differs with every letter.
fn site(text: &str) -> Site {
    let loaded = check(text);
    let mut site = loaded
        .site
        .as_ref()
        .cloned()
        .unwrap_or_else(|| panic!("{}", printed(&loaded)));
    site.fingerprint.clear();
    site
}

/// Switches every commented option on: `#key` loses its `#`, `# text` stays.
fn switched_on(text: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest)
            if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[' || c == ']')
                || rest.starts_with("  \"")
                || rest.starts_with("  {") =>
        {
            rest.to_string()
        }
        _ => line.to_string(),
    };
    text.lines().map(|l| on(l) + "\n").collect()
}

#[test]
fn as_shipped_it_changes_no_default() {
    assert_eq!(
        site(&shipped()),
        site("[operator]\nname = \"Example Medical Network K.K.\"\n")
    );
}

#[test]
fn every_option_in_it_is_right() {
    let on = switched_on(&shipped());
    let loaded = check(&on);
    assert!(!loaded.has_errors(), "{}", printed(&loaded));
}

#[test]
fn what_it_calls_a_default_changes_nothing() {
    let on = switched_on(&shipped());
    let with = site(&on);
    let is_default = |line: &&str| line.contains("# default") && !line.starts_with('#');
    let defaults: Vec<&str> = on.lines().filter(is_default).collect();
    assert!(defaults.len() > 25, "only {} defaults are named", defaults.len());
    for left_out in &defaults {
        let without: String = on.lines().filter(|l| l != left_out).map(|l| format!("{l}\n")).collect();
        // Compared as text, of which the first difference is shown; secrets are placeholders in it.
        let (without, with) = (format!("{:#?}", site(&without)), format!("{with:#?}"));
        let difference = without.lines().zip(with.lines()).find(|(a, b)| a != b);
        assert!(without == with, "without `{left_out}`: {difference:?}");
    }
}

#[test]
fn it_names_every_key_that_is_read() {
    let text = switched_on(&shipped());
    let has = |key: &str| {
        text.contains(&format!("{key} ="))
            || text.contains(&format!("{key}."))
            || text.contains(&format!("[{key}"))
            || text.contains(&format!(" {key} "))
    };
    let mut keys = 0;
    for entry in std::fs::read_dir("src/config/check").unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for method in [
            "text", "name", "names", "word", "number", "duration", "flag", "list", "read", "get", "tables", "named",
        ] {
            for call in [format!(".{method}(\""), format!("{method}(top, \"")] {
                for (at, _) in source.match_indices(&call) {
                    let key = source[at + call.len()..].split('"').next().unwrap();
                    keys += 1;
                    assert!(has(key), "`{key}` is read, but config/hinomi.toml does not tell of it");
                }
            }
        }
    }
    assert!(keys > 60, "only {keys} keys were found in the sources");
}
