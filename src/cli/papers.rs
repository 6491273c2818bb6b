//! `hinomi completions` and `hinomi man`: made from the definitions of the command line, so that they cannot say anything else.

use super::{Cli, Failure};
use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Generator;
use clap_mangen::Man;
use std::io::Write;
use std::path::Path;

/// Shells with completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> Result<u8, Failure> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut command = Cli::command();
    command.set_bin_name("hinomi");
    command.build();
    shell.try_generate(&command, out)?;
    Ok(0)
}

/// Writes `hinomi.1` and one page a verb, such as `hinomi-incidents-ack.1`.
pub(super) fn man(folder: &Path, out: &mut dyn Write) -> Result<u8, Failure> {
    let failed = |path: &Path, e: &std::io::Error| Failure::new(1, format!("cannot write {}: {e}", path.display()));
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, "hinomi", &mut pages);
    for (name, command) in &pages {
        let path = folder.join(format!("{name}.1"));
        let mut page = Vec::new();
        let see_also = see_also(name, command);
        let source = concat!("hinomi ", env!("CARGO_PKG_VERSION"));
        let man = Man::new(command.clone()).title(name.to_uppercase()).source(source);
        man.manual("hinomi").render(&mut page)?;
        page.extend_from_slice(see_also.as_bytes());
        std::fs::write(&path, page).map_err(|e| failed(&path, &e))?;
    }
    writeln!(out, "{} pages written to {}", pages.len(), folder.display())?;
    Ok(0)
}

/// The command and everything below it, each with the name of its page.
fn collect(command: &Command, name: &str, pages: &mut Vec<(String, Command)>) {
    // A page has no space in its name: `man hinomi check` looks for `hinomi-check`.
    pages.push((name.to_owned(), command.clone().display_name(name)));
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        collect(below, &format!("{name}-{}", below.get_name()), pages);
    }
}

/// The parts that the definitions do not hold: files, and the other pages.
fn see_also(name: &str, command: &Command) -> String {
    let mut text = String::from(".SH FILES\n");
    for (path, what) in [
        (
            "/etc/hinomi/hinomi.toml",
            "the configuration; conf.d/*.toml beside it are read after it",
        ),
        (
            "/etc/hinomi/secrets/",
            "one file a secret: { credential = \\(dqNAME\\(dq } names it",
        ),
        ("/var/lib/hinomi/", "ledger, outbox and control socket"),
    ] {
        text.push_str(&format!(".TP\n{path}\n{what}\n"));
    }
    let mut others: Vec<String> = command
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| format!("{name}-{}(1)", c.get_name()))
        .collect();
    if let Some((above, _)) = name.rsplit_once('-') {
        others.insert(0, format!("{above}(1)"));
    }
    text.push_str(&format!(".SH SEE ALSO\n{}\n", others.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_a_page_and_a_completion() {
        let folder = std::env::temp_dir().join(format!("hinomi-man-{}", std::process::id()));
        let mut out = Vec::new();
        man(&folder, &mut out).unwrap();
        completions(Shell::Bash, &mut out).unwrap();
        let words = String::from_utf8(out).unwrap();
        for verb in Cli::command().get_subcommands() {
            let page = folder.join(format!("hinomi-{}.1", verb.get_name()));
            let page = std::fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
            // Who made the pages, and with which environment, is nobody's business.
            assert!(!page.contains(&format!("default: {}", super::super::login())), "{page}");
            assert!(page.contains(".SH NAME") && page.contains(".SH FILES"), "{page}");
            assert!(words.contains(verb.get_name()), "{} is not completed", verb.get_name());
        }
        assert!(folder.join("hinomi-incidents-ack.1").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
