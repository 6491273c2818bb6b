//! What the READMEs say must be true: the configuration checks clean, both languages state the same facts, the files they name exist.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use hinomi::config::{Host, load_with};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The text of the first block of this kind.
fn block(text: &str, kind: &str) -> String {
    let start = text
        .find(&format!("```{kind}\n"))
        .unwrap_or_else(|| panic!("no ```{kind} block"))
        + kind.len()
        + 4;
    text[start..].split("```").next().unwrap().to_owned()
}

#[test]
fn the_configuration_of_the_readme_checks_clean() {
    let toml = block(&readme("README.md"), "toml");
    let lines = toml.lines().filter(|l| !l.trim().is_empty()).count();
    assert!(lines <= 30, "30 lines were promised, there are {lines}");
    assert_eq!(
        toml,
        block(&readme("README.ja.md"), "toml"),
        "both READMEs show the same configuration"
    );

    let dir = std::env::temp_dir().join(format!("hinomi-readme-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("hinomi.toml");
    std::fs::write(&file, &toml).unwrap();
    let loaded = load_with(&file, &Host::new().without_secrets());
    std::fs::remove_dir_all(&dir).unwrap();
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(loaded.site.unwrap().routes.len(), 2);
}

/// `hinomi contacts` on the configuration of the README and on the examples: who gets what, as the README says.
#[test]
fn contacts_says_who_gets_what_of_the_readme() {
    let dir = std::env::temp_dir().join(format!("hinomi-readme-contacts-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("hinomi.toml");
    std::fs::write(&file, block(&readme("README.md"), "toml")).unwrap();
    let contacts = |file: &Path, more: &[&str]| {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_hinomi"))
            .args(["contacts", "--config"])
            .arg(file)
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, told, _) = contacts(&file, &[]);
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_hinomi"))
        .args(["check", "--no-secrets"])
        .arg(&file)
        .output()
        .unwrap();
    let check = String::from_utf8_lossy(&check.stdout).into_owned();
    let says = "noc (own): noc@example.net (every mail), oncall@mobile.example.org (mails of critical incidents)";
    assert!(check.contains(says), "{check}");
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(code, Some(0));
    for line in [
        "noc (own)",
        "noc@example.net            every mail",
        "oncall@mobile.example.org  mails of critical incidents",
        "told by `everything`: whatever no procedure above takes",
        "write `phone` in [operator]",
    ] {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
    let circuits = root().join("examples/circuits/hinomi.toml");
    for (contact, lines) in [
        (
            "clinic-101",
            ["contact of 1 circuit", "never told", "can match its circuits"],
        ),
        (
            "hospital-104",
            [
                "contact of 2 circuits",
                "told by `service provider`",
                "duty@mobile.example.org     every mail",
            ],
        ),
    ] {
        let (code, told, _) = contacts(&circuits, &[contact]);
        assert_eq!(code, Some(0));
        for line in lines {
            assert!(told.contains(line), "no {line:?} in\n{told}");
        }
    }
    let (code, _, said) = contacts(&circuits, &["nobody"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no contact `nobody`"), "{said}");
}

#[test]
fn both_readmes_state_the_same_facts() {
    let (en, ja) = (readme("README.md"), readme("README.ja.md"));
    // Names, numbers of clauses, commands, options and metrics are the same words in both.
    let mut facts: Vec<&str> = en
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|c| c.is_ascii() && !c.contains('\n'))
        .collect();
    let clauses = en
        .lines()
        .filter(|l| l.starts_with("| 1.") || l.starts_with("| 2.") || l.starts_with("| 3."));
    facts.extend(clauses.filter_map(|l| l.split(['|', ',']).nth(1)).map(str::trim));
    facts.sort_unstable();
    facts.dedup();
    assert!(facts.len() > 40, "the facts are not found: {facts:?}");
    let missing: Vec<&&str> = facts.iter().filter(|f| !ja.contains(**f)).collect();
    assert!(missing.is_empty(), "not in README.ja.md: {missing:?}");
    let rows = |text: &str| text.lines().filter(|l| l.starts_with("| ")).count();
    assert_eq!(rows(&en), rows(&ja), "the tables differ in length");
    for kind in ["sh", "text"] {
        let commands = |t: &str| {
            block(t, kind)
                .lines()
                .map(|l| l.split('#').next().unwrap().trim().to_owned())
                .collect::<Vec<_>>()
        };
        if kind == "sh" {
            assert_eq!(commands(&en), commands(&ja));
        }
    }
}

/// The lines of all blocks of shell, without comments.
fn shell_lines(text: &str) -> Vec<String> {
    let blocks = text
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let lines = blocks
        .flat_map(str::lines)
        .map(|line| line.split(" #").next().unwrap().trim());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Whether a command of a README is one that exists: those of hinomi are run elsewhere (tests/fast/cli/readme.rs).
fn is_real(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let unit = |word: &&str| {
        let file = if word.contains('.') {
            (*word).to_owned()
        } else {
            format!("{word}.service")
        };
        root().join("systemd").join(file).exists()
    };
    let cargo = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    match words.as_slice() {
        ["hinomi", ..] => true,
        ["systemctl", "enable", "--now", units @ ..] | ["systemctl", "restart" | "reload", units @ ..] => {
            units.iter().all(unit)
        }
        ["cargo", "run", "--release", "--example", name, ..] => root().join("examples").join(name).exists(),
        ["cargo", "build", "--release"] => true,
        ["cargo", "test", "--release", "--test", name, ..] => cargo.contains(&format!("name = \"{name}\"")),
        ["apt", "install", file] => file.starts_with("./target/debian/hinomi_"),
        [
            "(umask",
            "077;",
            "systemd-ask-password",
            "-n",
            "'community:'",
            ">",
            file,
        ] => file.starts_with("/etc/hinomi/secrets/"),
        [script, ..] => {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(root().join(script)).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        }
        [] => false,
    }
}

#[test]
fn every_command_of_the_readmes_is_one_that_exists() {
    let (en, ja) = (shell_lines(&readme("README.md")), shell_lines(&readme("README.ja.md")));
    assert_eq!(en, ja, "both READMEs give the same commands");
    assert!(en.len() > 8, "the commands are not found: {en:?}");
    let unknown: Vec<&str> = en
        .iter()
        .flat_map(|line| line.split(" && "))
        .filter(|c| !is_real(c))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // The test itself can fail.
    for wrong in [
        "systemctl enable --now hinomy",
        "tests/runn",
        "cargo run --release --example dema",
        "rm -rf /",
    ] {
        assert!(!is_real(wrong), "{wrong}");
    }
}

#[test]
fn what_is_refused_as_not_supported_yet_is_refused() {
    let dir = std::env::temp_dir().join(format!("hinomi-readme-refused-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("hinomi.toml");
    for name in ["README.md", "README.ja.md"] {
        let text = readme(name);
        let line = text.lines().position(|l| l.contains("not supported yet")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let around = lines[line - 1..=line].join(" ");
        let around = around.split("not supported yet").next().unwrap();
        let sections: Vec<&str> = around
            .split("`[")
            .skip(1)
            .filter_map(|s| s.split("]`").next())
            .collect();
        assert!(sections.len() > 3, "{name}: {around}");
        for section in sections {
            std::fs::write(&file, format!("[operator]\nname = \"x\"\n[{section}]\nx = 1\n")).unwrap();
            let loaded = load_with(&file, &Host::new().without_secrets());
            let said: String = loaded.problems.iter().map(ToString::to_string).collect();
            assert!(said.contains(&format!("`{section}` is not supported yet")), "{said}");
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_the_readmes_name_exists() {
    for name in ["README.md", "README.ja.md"] {
        let text = readme(name);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(Path::new(&root()).join(link).exists(), "{name} links to {link}");
        }
        for file in ["tests/run", ".ci/run", "systemd/install", "systemd/deb/make"] {
            assert!(
                text.contains(file),
                "{name} no longer names {file}: drop it from this test"
            );
            assert!(root().join(file).exists(), "{name} names {file}");
        }
    }
}

#[test]
fn the_verbs_of_the_readme_are_the_verbs_of_the_program() {
    let text = readme("README.md");
    for verb in [
        "run",
        "check",
        "contacts",
        "reload",
        "status",
        "explain",
        "incidents",
        "probe",
        "route-test",
    ] {
        assert!(
            text.contains(&format!("`hinomi {verb}")),
            "the README does not name {verb}"
        );
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_hinomi"))
            .args([verb, "--help"])
            .output()
            .unwrap();
        assert!(out.status.success(), "hinomi {verb} --help");
    }
}

#[test]
fn the_profile_of_the_readme_is_taken_as_it_stands_and_every_profile_is_named() {
    let profile = |text: &str| {
        text.split("```toml\n")
            .nth(2)
            .unwrap()
            .split("```")
            .next()
            .unwrap()
            .to_owned()
    };
    let dir = std::env::temp_dir().join(format!("hinomi-readme-profile-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("profiles")).unwrap();
    let file = dir.join("hinomi.toml");
    std::fs::write(
        &file,
        "[operator]\nname = \"x\"\n[profiles]\ndirectory = \"profiles\"\n",
    )
    .unwrap();
    for name in ["README.md", "README.ja.md"] {
        let text = readme(name);
        std::fs::write(dir.join("profiles/site.toml"), profile(&text)).unwrap();
        let loaded = load_with(&file, &Host::new().without_secrets());
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        let site = loaded.site.unwrap_or_else(|| panic!("{name}: {}", problems.join("\n")));
        assert_eq!(site.profiles.by_name("site-router").unwrap().own_measures().count(), 2);
        for built_in in hinomi::config::builtin_profiles().iter().map(|p| &p.name) {
            let box_switch = built_in.starts_with("alaxala-") && !text.contains(&**built_in);
            assert!(
                text.contains(&format!("`{built_in}`")) || box_switch,
                "{name} does not name {built_in}"
            );
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// What follows `hinomi` in a sentence and is no verb of the program.
const SENTENCES: &[&str] = &[
    "would", "starts", "serves", "says", "itself", "has", "could", "by", "is", "keeps", "runs", "does", "writes",
    "reads", "and",
];

/// Texts of a folder's files, below it too.
fn texts(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, all);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            all.push((path, text));
        }
    }
}

#[test]
fn every_command_that_hinomi_hands_out_exists() {
    let mut files = Vec::new();
    for folder in ["src", "config", "systemd", "examples"] {
        texts(&root().join(folder), &mut files);
    }
    let mut commands = std::collections::BTreeMap::new();
    for (path, text) in &files {
        for before in ["`hinomi ", ": hinomi ", "(hinomi ", "&& hinomi "] {
            for rest in text.split(before).skip(1) {
                let word = |text: &str| {
                    text.chars()
                        .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                        .collect::<String>()
                };
                let verb = word(rest);
                let below = word(rest[verb.len()..].trim_start_matches(' '));
                let has_verbs = matches!(verb.as_str(), "incidents" | "maintenance");
                let command = match has_verbs && !below.is_empty() {
                    true => vec![verb, below],
                    false => vec![verb],
                };
                commands.entry(command).or_insert(path);
            }
        }
    }
    commands.retain(|words, _| !words[0].is_empty() && !SENTENCES.contains(&&*words[0]));
    assert!(commands.len() > 20, "the commands are not found: {commands:?}");
    for (words, path) in commands {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_hinomi"))
            .args(&words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}: hinomi {} is no command",
            path.display(),
            words.join(" ")
        );
    }
}
