//! `hinomi init`: a small commented configuration from flags, or from questions where a person sits before it.
//!
//! What it writes is checked before it is kept; secrets are not asked for, their places are named.

mod text;

use super::Failure;
use crate::config::{self, Host, Severity, SourceFile};
use clap::{Args, ValueEnum};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where every option stands, on a host that has the package.
const ALL_OPTIONS: &str = "/usr/share/doc/hinomi/hinomi.toml";

/// The site in a few words.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Options {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIG, env = super::CONFIG_VARIABLE, hide_env_values = true)]
    config: PathBuf,
    /// Name of the operator, in every mail
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Language of mails
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    language: Option<Language>,
    /// Time zone of mails and windows, an IANA name; Asia/Tokyo without it
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Address of the own gateway: if it is silent, this host is cut off and no device is called down
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<String>,
    /// A device of the own network; the first is the edge, the others lie behind it. May be given several times
    #[arg(long = "device", value_name = "NAME=ADDRESS", value_parser = named)]
    devices: Vec<Named>,
    /// Credential with the SNMP community of the own devices; without it they are watched by echo only
    #[arg(long, value_name = "NAME")]
    snmp: Option<String>,
    /// The device of the platform past the demarcation point
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = named)]
    platform: Option<Named>,
    /// Port of the edge that leads to the platform, such as xe-0/0/0
    #[arg(long, value_name = "IFNAME", requires = "platform")]
    demarcation: Option<String>,
    /// Who is mailed; may be given several times
    #[arg(long = "mail", value_name = "ADDRESS")]
    mail: Vec<String>,
    /// The office relay: smtps://HOST or smtp://HOST (STARTTLS), with a port behind a colon
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// Sender of the mails; hinomi@ and the domain of the first --mail without it
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// User at the office relay; the password is the credential smtp-office
    #[arg(long, value_name = "NAME")]
    relay_user: Option<String>,
    /// A relay over another network, for the night when the platform or the own network is down; a literal address
    #[arg(long, value_name = "URL")]
    oob_relay: Option<String>,
    /// Network device that leads there, such as wwan0
    #[arg(long, value_name = "DEVICE", requires = "oob_relay")]
    oob_device: Option<String>,
    /// Name in the certificate of that relay
    #[arg(long, value_name = "HOST", requires = "oob_relay")]
    oob_tls_name: Option<String>,
    /// User at that relay; the password is the credential smtp-oob
    #[arg(long, value_name = "NAME", requires = "oob_relay")]
    oob_user: Option<String>,
    /// The relays speak no TLS: for a relay on this host only
    #[arg(long)]
    plaintext: bool,
    /// Replace a file that is there; it is kept with .old behind its name
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Ja,
    En,
}

/// `NAME=ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    name: String,
    address: String,
}

fn named(text: &str) -> Result<Named, String> {
    let wrong = || "a name and a literal address are meant, such as edge=192.0.2.11".to_owned();
    let (name, address) = text.split_once('=').ok_or_else(wrong)?;
    let (name, address) = (name.trim(), address.trim());
    config::host_address(address)?;
    match name.is_empty() {
        true => Err(wrong()),
        false => Ok(Named {
            name: name.to_owned(),
            address: address.to_owned(),
        }),
    }
}

/// Writes the file, and says what comes next.
pub(super) fn init(options: &Options, out: &mut dyn Write) -> Result<u8, Failure> {
    let path = &options.config;
    if path.exists() && !options.force {
        return Err(Failure::new(
            1,
            format!(
                "{} is there already: nothing was written. With --force it is replaced and kept as {}",
                path.display(),
                old(path).display()
            ),
        ));
    }
    let mut options = options.clone();
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        ask(&mut options, &mut stdin.lock(), &mut std::io::stderr())?;
    }
    complete(&options)?;
    let written = text::configuration(&options);
    check(path, &written)?;
    write(path, &written, options.force).map_err(|e| cannot_write(path, &e))?;
    writeln!(out, "{} is written; every option: {ALL_OPTIONS}", path.display())?;
    out.write_all(text::next_steps(&options).as_bytes())?;
    Ok(0)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ": try again with sudo, or name another file with --config",
        std::io::ErrorKind::NotFound => ": make its folder first (the package and systemd/install do)",
        _ => "",
    };
    Failure::new(1, format!("cannot write {}: {error}{hint}", path.display()))
}

fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    PathBuf::from(name)
}

/// Names every flag without which there is no site.
fn complete(options: &Options) -> Result<(), Failure> {
    let missing: Vec<&str> = [
        ("--operator NAME", options.operator.is_none()),
        ("--device NAME=ADDRESS", options.devices.is_empty()),
        ("--mail ADDRESS", options.mail.is_empty()),
        ("--relay URL", options.relay.is_none()),
    ]
    .iter()
    .filter(|(_, missing)| *missing)
    .map(|(flag, _)| *flag)
    .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(
            2,
            format!(
                "missing: {}. On a terminal `hinomi init` asks; `hinomi init --help` lists all flags",
                missing.join(", ")
            ),
        )),
    }
}

/// The daemon must take what is written here.
fn check(path: &Path, written: &str) -> Result<(), Failure> {
    let file = SourceFile {
        path: path.to_owned(),
        text: written.to_owned(),
        private: true,
    };
    let loaded = config::check(&[file], &Host::new().without_secrets());
    let errors: String = loaded
        .problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    match loaded.site {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            2,
            format!("with these answers the configuration would be refused, nothing was written:\n{errors}"),
        )),
    }
}

/// As private as it can be while the group of the folder (`hinomi`, where the package made it) reads it.
fn write(path: &Path, written: &str, force: bool) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let group = folder.metadata()?.gid();
    let new = path.with_extension("toml.new");
    // What a run before this one left half-written is nobody's.
    let _ = std::fs::remove_file(&new);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(&new)?;
    file.write_all(written.as_bytes())?;
    file.sync_all()?;
    // Only root, and a member of the group, may do this; for others the file is their own anyway.
    let _ = std::os::unix::fs::chown(&new, None, Some(group));
    if force && path.exists() {
        std::fs::rename(path, old(path))?;
    }
    std::fs::rename(&new, path)
}

/// Asks for what no flag gave. An empty answer takes the suggestion, or leaves the thing out.
fn ask(options: &mut Options, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<(), Failure> {
    let mut ask = Asker { input, out };
    ask.say("hinomi init writes a small site. Enter takes what stands in brackets; - leaves an optional thing out.")?;
    ask.text(&mut options.operator, "Name of the operator, in every mail", None, &any)?;
    if options.language.is_none() {
        let mut language = None;
        ask.text(&mut language, "Language of mails, ja or en", Some("ja"), &language_word)?;
        options.language = Some(match language.as_deref() {
            Some("en") => Language::En,
            _ => Language::Ja,
        });
    }
    ask.optional(
        &mut options.gateway,
        "Address of the own gateway (this host's first hop)",
        &address,
    )?;
    while options.devices.is_empty() {
        ask.device(
            &mut options.devices,
            "The edge router, NAME=ADDRESS, such as edge=192.0.2.11",
        )?;
    }
    loop {
        let before = options.devices.len();
        ask.device(
            &mut options.devices,
            "Another own device behind it, NAME=ADDRESS (Enter: no more)",
        )?;
        if options.devices.len() == before {
            break;
        }
    }
    ask.optional(
        &mut options.snmp,
        "Credential with their SNMP community, such as snmp-core (-: echo only)",
        &any,
    )?;
    if options.platform.is_none() {
        let mut platform = Vec::new();
        ask.device(
            &mut platform,
            "The platform's device past the demarcation point, NAME=ADDRESS (Enter: none)",
        )?;
        options.platform = platform.pop();
    }
    if options.platform.is_some() {
        ask.optional(
            &mut options.demarcation,
            "Port of the edge that leads there, such as xe-0/0/0",
            &any,
        )?;
    }
    if options.mail.is_empty() {
        let mut mail = None;
        ask.text(&mut mail, "Who is mailed; several with commas", None, &mail_addresses)?;
        let all = mail.unwrap_or_default();
        options.mail = all.split(',').map(|a| a.trim().to_owned()).collect();
    }
    ask.text(
        &mut options.relay,
        "The office relay, such as smtps://mail.example.net",
        None,
        &any,
    )?;
    ask.optional(&mut options.relay_user, "User at that relay (Enter: none)", &any)?;
    ask.optional(
        &mut options.oob_relay,
        "A relay over another network (LTE), literal address, such as smtp://203.0.113.25 (Enter: none)",
        &any,
    )?;
    if options.oob_relay.is_some() {
        ask.optional(
            &mut options.oob_device,
            "Network device that leads there, such as wwan0",
            &any,
        )?;
        ask.optional(&mut options.oob_tls_name, "Name in the certificate of that relay", &any)?;
        ask.optional(&mut options.oob_user, "User at that relay (Enter: none)", &any)?;
    }
    Ok(())
}

/// What is wrong with an answer.
type Judge<'j> = &'j dyn Fn(&str) -> Result<(), String>;

fn any(_: &str) -> Result<(), String> {
    Ok(())
}

fn address(text: &str) -> Result<(), String> {
    config::host_address(text).map(|_| ())
}

fn language_word(text: &str) -> Result<(), String> {
    match text {
        "ja" | "en" => Ok(()),
        _ => Err("ja or en".to_owned()),
    }
}

fn mail_addresses(text: &str) -> Result<(), String> {
    let good = |a: &str| {
        a.trim()
            .split_once('@')
            .is_some_and(|(who, at)| !who.is_empty() && !at.is_empty())
    };
    match text.split(',').all(good) {
        true => Ok(()),
        false => Err("mail addresses, such as noc@example.net, oncall@mobile.example.org".to_owned()),
    }
}

struct Asker<'a> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
}

impl Asker<'_> {
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// One answer; `None`: nothing was typed.
    fn answer(&mut self, question: &str, suggested: Option<&str>) -> Result<Option<String>, Failure> {
        let shown = suggested.map(|s| format!(" [{s}]")).unwrap_or_default();
        write!(self.out, "{question}{shown}: ")?;
        self.out.flush()?;
        let mut line = String::new();
        let read = self.input.read_line(&mut line);
        match read {
            Ok(0) => Err(Failure::new(1, "the answers ended: nothing was written")),
            Ok(_) => {
                let text = line.trim();
                let typed = (!text.is_empty()).then(|| text.to_owned());
                Ok(typed.or_else(|| suggested.map(str::to_owned)))
            }
            Err(e) => Err(Failure::new(1, format!("cannot read the answer: {e}"))),
        }
    }

    /// Asks until there is a good answer, unless a flag gave one.
    fn text(
        &mut self,
        slot: &mut Option<String>,
        question: &str,
        suggested: Option<&str>,
        judge: Judge<'_>,
    ) -> Result<(), Failure> {
        while slot.is_none() {
            match self.answer(question, suggested)? {
                None => self.say("  this one is needed")?,
                Some(text) => match judge(&text) {
                    Ok(()) => *slot = Some(text),
                    Err(why) => self.say(&format!("  {why}"))?,
                },
            }
        }
        Ok(())
    }

    /// The same for something that may be left out.
    fn optional(&mut self, slot: &mut Option<String>, question: &str, judge: Judge<'_>) -> Result<(), Failure> {
        while slot.is_none() {
            let Some(text) = self.answer(question, None)?.filter(|text| text != "-") else {
                break;
            };
            match judge(&text) {
                Ok(()) => *slot = Some(text),
                Err(why) => self.say(&format!("  {why}"))?,
            }
        }
        Ok(())
    }

    fn device(&mut self, devices: &mut Vec<Named>, question: &str) -> Result<(), Failure> {
        while let Some(text) = self.answer(question, None)?.filter(|text| text != "-") {
            match named(&text) {
                Ok(device) => {
                    devices.push(device);
                    break;
                }
                Err(why) => self.say(&format!("  {why}"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str) -> (Options, String) {
        let mut options = Options::default();
        let mut said = Vec::new();
        ask(&mut options, &mut answers.as_bytes(), &mut said).unwrap();
        (options, String::from_utf8(said).unwrap())
    }

    #[test]
    fn questions_and_flags_give_a_site_that_the_daemon_takes() {
        let (options, said) = answered(
            "Example \"Net\" K.K.\nde\nen\nfoo\n192.0.2.1\nedge\nedge=192.0.2.11\nagg=192.0.2.21\n\nsnmp-core\npe=198.51.100.1\n\
             xe-0/0/0\nnoc\nnoc@example.net, oncall@mobile.example.org\nsmtps://mail.example.net\nhinomi\nsmtp://203.0.113.25\n\
             wwan0\nrelay.example.org\nhinomi\n",
        );
        assert!(said.contains("ja or en") && said.contains("edge=192.0.2.11"), "{said}");
        assert_eq!(options.devices.len(), 2);
        let written = text::configuration(&options);
        check(Path::new("hinomi.toml"), &written).unwrap_or_else(|f| panic!("{f}\n{written}"));
        let loaded = config::check(
            &[SourceFile {
                path: "hinomi.toml".into(),
                text: written.clone(),
                private: true,
            }],
            &Host::new().without_secrets(),
        );
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert!(
            problems.is_empty(),
            "without a warning: {}\n{written}",
            problems.join("\n")
        );
        let site = loaded.site.unwrap();
        assert_eq!(&*site.operator.name, "Example \"Net\" K.K.");
        assert_eq!(site.routes.len(), 2);
        assert!(text::next_steps(&options).contains("/etc/hinomi/secrets/smtp-oob"));
    }

    #[test]
    fn the_least_is_a_site_too_and_an_end_of_the_answers_writes_nothing() {
        let (options, _) = answered("Op\n\n\nedge=192.0.2.11\n\n-\n\nnoc@example.net\nsmtp://192.0.2.25\n\n\n");
        check(Path::new("hinomi.toml"), &text::configuration(&options)).unwrap_or_else(|f| panic!("{f}"));
        let mut half = Options::default();
        assert!(ask(&mut half, &mut "Op\n".as_bytes(), &mut Vec::new()).is_err());
        assert!(complete(&half).is_err());
    }
}
