//! The command line: one file a verb.
//!
//! Exit codes: 0 done, 1 not done (or `check --strict`: warnings only; `route-test`: a route failed), 2 the command line or the
//! configuration has errors, 3 the daemon is not running or does not answer.

mod alarm;
pub mod check;
mod client;
mod contacts;
mod discover;
mod explain;
mod incidents;
mod init;
mod isolate;
mod json;
mod maintenance;
mod papers;
mod plugins;
mod probe;
mod record;
mod replay;
mod route_test;
mod run;
mod standing;
mod stanza;
mod status;
mod table;
mod words;

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/hinomi/hinomi.toml";

/// Names another one for every verb, in place of `--config`.
const CONFIG_VARIABLE: &str = "HINOMI_CONFIG";

/// 火の見: watches the network of an operator who connects medical institutions, and gets the notice out.
#[derive(Debug, Parser)]
#[command(name = "hinomi", version, about, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done (check --strict: warnings only; route-test: a route failed); \
    2 the command line or the configuration has errors; 3 the daemon is not running or does not answer.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a small commented configuration, from flags or from questions
    Init(init::Options),
    /// Run the daemon until SIGTERM; SIGHUP reloads
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// Record everything that is taken in, from the start, into this file: `hinomi replay` plays it to the same mails
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Read a configuration and print every mistake in it at once
    Check {
        /// The configuration file; it wins over --config
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Exit with 1 where there are warnings and no errors; without it warnings are printed and the exit code is 0
        #[arg(long)]
        strict: bool,
        /// Take every secret as present, to check a file on a machine that has none of them
        #[arg(long)]
        no_secrets: bool,
    },
    /// Who is told of what, at which address, when
    Contacts {
        /// Only this contact
        name: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Let the running daemon read its configuration again; with a mistake in it the old one runs on
    Reload {
        #[command(flatten)]
        daemon: Daemon,
        /// Even if more than half of the devices would be gone
        #[arg(long)]
        force: bool,
    },
    /// Poll one device or circuit once, now, without the daemon, and print everything read and how it was judged
    Probe {
        /// Name of a device, or id of a circuit, in the configuration
        #[arg(value_name = "DEVICE|CIRCUIT")]
        device: String,
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Walk a device and print a stanza for the configuration: profile, interfaces, redundancy it takes part in
    Discover {
        /// Literal address of the device
        #[arg(value_parser = crate::config::host_address)]
        address: crate::model::HostAddress,
        #[command(flatten)]
        options: discover::Options,
    },
    /// What the running daemon sees
    Status {
        /// Only this device or circuit
        device: Option<String>,
        #[command(flatten)]
        daemon: Daemon,
        #[command(flatten)]
        form: status::Form,
    },
    /// Incidents: list, show, acknowledge
    Incidents {
        #[command(subcommand)]
        what: Option<Incidents>,
        #[command(flatten)]
        daemon: Daemon,
        /// Print JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Why a device, a circuit, a redundancy group or an incident is as it is
    Explain {
        /// Name of a device or group, id of a circuit, or number of an incident
        #[arg(value_name = "NAME|NUMBER")]
        device: String,
        #[command(flatten)]
        daemon: Daemon,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Where is the fault? Asks a device or circuit and everything on its way, now, and says whose it is
    Isolate {
        /// Name of a device, or id of a circuit
        target: String,
        #[command(flatten)]
        daemon: Daemon,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Planned work: list windows, set one, end one
    Maintenance {
        #[command(subcommand)]
        what: Option<maintenance::Verb>,
        #[command(flatten)]
        daemon: Daemon,
        /// Print JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Record what the running daemon takes in, until Ctrl-C: what changes, and everything of the targets named
    Record {
        /// Where to; JSON lines
        file: PathBuf,
        #[command(flatten)]
        options: record::Options,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Play a record through the same rules and print what would have been said, with reasons
    Replay {
        /// The record
        file: PathBuf,
        #[command(flatten)]
        options: replay::Options,
    },
    /// Send a real test mail over a route (or all) and show the transaction
    RouteTest {
        /// Name of the route; all routes without it
        name: Option<String>,
        /// Who receives the mail
        #[arg(long)]
        to: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Mail the operator's own contacts, out of band first, that a systemd unit failed (used by hinomi-alarm@.service)
    Alarm {
        /// The unit
        #[arg(long)]
        unit: String,
        #[command(flatten)]
        config: ConfigFile,
        /// Where the daemon keeps its state, if the configuration cannot say it
        #[arg(long)]
        state: Option<PathBuf>,
    },
    /// Run the commands of watches for the daemon, which runs no program itself (used by hinomi-plugins.service)
    Plugins(plugins::Options),
    /// Print the completions of a shell: `hinomi completions bash > /etc/bash_completion.d/hinomi`
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: papers::Shell,
    },
    /// Write the man pages, one a verb, into a folder
    Man {
        /// The folder; it is made if it is not there
        folder: PathBuf,
    },
    /// Print the version
    Version,
}

impl Verb {
    /// The configuration whose operator reads what is printed.
    fn configuration(&self) -> Option<&Path> {
        match self {
            Verb::Status { daemon, .. }
            | Verb::Incidents { daemon, .. }
            | Verb::Explain { daemon, .. }
            | Verb::Isolate { daemon, .. }
            | Verb::Maintenance { daemon, .. } => Some(&daemon.config),
            Verb::Probe { config, .. } => Some(&config.config),
            Verb::Replay { options, .. } => options.configuration(),
            Verb::Init(_)
            | Verb::Completions { .. }
            | Verb::Man { .. }
            | Verb::Run { .. }
            | Verb::Check { .. }
            | Verb::Contacts { .. }
            | Verb::Reload { .. }
            | Verb::Discover { .. }
            | Verb::Record { .. }
            | Verb::RouteTest { .. }
            | Verb::Alarm { .. }
            | Verb::Plugins(_)
            | Verb::Version => None,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Incidents {
    /// Open ones, and those that recovered within 24 h
    List(incidents::Options),
    /// One with its timeline
    Show {
        /// Number of the incident: 4 or '#4'
        #[arg(value_parser = incident_number)]
        number: u64,
    },
    /// Acknowledge one: stops escalation and reminders for 8 h
    Ack {
        /// Number of the incident: 4 or '#4'
        #[arg(value_parser = incident_number)]
        number: u64,
        /// Who acknowledges; the login without it
        #[arg(long, alias = "by", value_name = "NAME", default_value_t = login(), hide_default_value = true)]
        set_by: String,
        /// A remark for the others: a ticket number, what is being done
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Mail it to the own contacts that were told of the incident
        #[arg(long)]
        tell: bool,
    },
    /// Take an acknowledgement back: escalation and reminders run again
    Unack {
        /// Number of the incident: 4 or '#4'
        #[arg(value_parser = incident_number)]
        number: u64,
        /// Who takes it back; the login without it
        #[arg(long, alias = "by", value_name = "NAME", default_value_t = login(), hide_default_value = true)]
        set_by: String,
    },
}

/// The number of an incident as a mail's subject or a person writes it.
fn incident_number(text: &str) -> Result<u64, String> {
    let digits = text.trim().trim_start_matches('#');
    digits
        .parse()
        .map_err(|_| "the number of an incident is meant, such as 4 or '#4'".to_owned())
}

/// Who gives this command: whoever called sudo, else the login.
fn login() -> String {
    let named = |key: &str| std::env::var(key).ok().filter(|name| !name.trim().is_empty());
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(named);
    name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG, env = CONFIG_VARIABLE, hide_env_values = true)]
    config: PathBuf,
}

/// How the running daemon is found.
#[derive(Debug, Args)]
struct Daemon {
    /// The daemon's configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG, env = CONFIG_VARIABLE, hide_env_values = true, global = true)]
    config: PathBuf,
    /// Its control socket, if not where the configuration says
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
}

/// Why a command was not done: the exit code and words for a person.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Failure {
        Failure {
            code,
            text: text.into(),
        }
    }
}

impl From<std::io::Error> for Failure {
    /// Only output is written with `?`: a closed pipe or a full disk.
    fn from(error: std::io::Error) -> Failure {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // `hinomi status | head -1`: whoever read has read enough.
            return Failure::new(0, String::new());
        }
        Failure::new(1, format!("cannot write the output: {error}"))
    }
}

/// Runs one command line; returns the exit code.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with 0, mistakes to standard error with 2.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    // An error means that a test in the same process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut out = std::io::stdout().lock();
    let result = dispatch(cli.verb, &mut out);
    let flushed = out.flush();
    match result {
        Ok(code) if flushed.is_ok() => code,
        Ok(_) => 1,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("hinomi: {failure}");
            }
            failure.code
        }
    }
}

fn dispatch(verb: Verb, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(zone) = verb.configuration().and_then(client::zone) {
        table::use_zone(&zone);
    }
    match verb {
        Verb::Run { config, record } => run::run(config.config, record),
        Verb::Check {
            file,
            config,
            json,
            strict,
            no_secrets,
        } => {
            let options = check::CheckOptions {
                json,
                strict,
                no_secrets,
            };
            Ok(check::check_with(&file.unwrap_or(config.config), options, out))
        }
        Verb::Init(options) => init::init(&options, out),
        Verb::Completions { shell } => papers::completions(shell, out),
        Verb::Man { folder } => papers::man(&folder, out),
        Verb::Contacts { name, config } => contacts::contacts(&config.config, name.as_deref(), out),
        Verb::Reload { daemon, force } => client::reload(&daemon, force, out),
        Verb::Probe { device, config, json } => probe::probe(&device, &config.config, json, out),
        Verb::Discover { address, options } => discover::discover(&address, &options, out),
        Verb::Status { device, daemon, form } => status::status(&daemon, device.as_deref(), form, out),
        Verb::Incidents { what, daemon, json } => {
            match what.unwrap_or(Incidents::List(incidents::Options::default())) {
                Incidents::List(options) => incidents::list(&daemon, &options, json, out),
                Incidents::Show { number } => incidents::show(&daemon, number, json, out),
                Incidents::Ack {
                    number,
                    set_by,
                    note,
                    tell,
                } => incidents::ack(&daemon, number, (set_by, note, tell), out),
                Incidents::Unack { number, set_by } => incidents::unack(&daemon, number, set_by, out),
            }
        }
        Verb::Explain { device, daemon, json } => explain::explain(&daemon, &device, json, out),
        Verb::Isolate { target, daemon, json } => isolate::isolate(&target, &daemon, json, out),
        Verb::Maintenance { what, daemon, json } => maintenance::maintenance(&daemon, what, json, out),
        Verb::Record { file, options, daemon } => record::record(&daemon, &file, &options, out),
        Verb::Replay { file, options } => replay::replay(&file, &options, out),
        Verb::RouteTest { name, to, config } => route_test::route_test(name.as_deref(), &to, &config.config, out),
        Verb::Alarm { unit, config, state } => alarm::alarm(&unit, &config.config, state.as_deref(), out),
        Verb::Plugins(options) => plugins::plugins(&options, out),
        Verb::Version => {
            writeln!(out, "hinomi {}", env!("CARGO_PKG_VERSION"))?;
            Ok(0)
        }
    }
}
