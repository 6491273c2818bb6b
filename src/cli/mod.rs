//! The command line: one file a verb.
//!
//! Exit codes: 0 done, 1 not done (or `check`: warnings only; `route-test`: a route failed), 2 the command line or the
//! configuration has errors, 3 the daemon is not running or does not answer.

mod alarm;
pub mod check;
mod client;
mod discover;
mod explain;
mod incidents;
mod isolate;
mod maintenance;
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

/// 火の見: watches the network of an operator who connects medical institutions, and gets the notice out.
#[derive(Debug, Parser)]
#[command(name = "hinomi", version, about, disable_help_subcommand = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done (check: warnings only; route-test: a route failed); \
    2 the command line or the configuration has errors; 3 the daemon is not running or does not answer.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Watch: runs until SIGTERM; SIGHUP reloads
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// Record everything that is taken in, from the start, into this file: `hinomi replay` plays it to the same mails
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Read a configuration and print every mistake in it at once
    Check {
        /// The file
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Take every secret as present, to check a file on a machine that has none of them
        #[arg(long)]
        no_secrets: bool,
    },
    /// Let the running daemon read its configuration again; with a mistake in it the old one runs on
    Reload {
        #[command(flatten)]
        daemon: Daemon,
        /// Even if more than half of the devices would be gone
        #[arg(long)]
        force: bool,
    },
    /// Poll one device once, now, without the daemon, and print everything read and how it was judged
    Probe {
        /// Its name in the configuration
        device: String,
        #[command(flatten)]
        config: ConfigFile,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Walk a device and print a stanza for the configuration: profile, interfaces, redundancy it takes part in
    Discover {
        /// Its literal address
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
        /// Again every 2 s until Ctrl-C
        #[arg(long, conflicts_with = "json")]
        watch: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Incidents: list, show, take in hand
    Incidents {
        #[command(subcommand)]
        what: Option<Incidents>,
        #[command(flatten)]
        daemon: Daemon,
        /// As JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Why a device, a circuit, a redundancy group or an incident is as it is
    Explain {
        /// Its name, the circuit's id, or an incident's number
        #[arg(value_name = "NAME|NUMBER")]
        device: String,
        #[command(flatten)]
        daemon: Daemon,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Where is the fault? Asks a device or circuit and everything on its way, now, and says whose it is
    Isolate {
        /// Its name, or the circuit's id
        target: String,
        #[command(flatten)]
        daemon: Daemon,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Planned work: list windows, set one, end one
    Maintenance {
        #[command(subcommand)]
        what: Option<maintenance::Verb>,
        #[command(flatten)]
        daemon: Daemon,
        /// As JSON
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
        /// Its name; all routes without it
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
            Verb::Run { .. }
            | Verb::Check { .. }
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
    /// Open ones, and those recovered within 24 h
    List,
    /// One with its timeline
    Show {
        /// Its number
        number: u64,
    },
    /// Take one in hand: stops escalation and reminders
    Ack {
        /// Its number
        number: u64,
        /// Who does; the login without it
        #[arg(long, alias = "by", value_name = "NAME", default_value_t = login())]
        set_by: String,
    },
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
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

/// How the running daemon is found.
#[derive(Debug, Args)]
struct Daemon {
    /// The daemon's configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG, global = true)]
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
        Verb::Check { file, json, no_secrets } => {
            let options = check::CheckOptions { json, no_secrets };
            Ok(check::check_with(&file, options, out))
        }
        Verb::Reload { daemon, force } => client::reload(&daemon, force, out),
        Verb::Probe { device, config, json } => probe::probe(&device, &config.config, json, out),
        Verb::Discover { address, options } => discover::discover(&address, &options, out),
        Verb::Status {
            device,
            daemon,
            watch,
            json,
        } => status::status(&daemon, device.as_deref(), (watch, json), out),
        Verb::Incidents { what, daemon, json } => match what.unwrap_or(Incidents::List) {
            Incidents::List => incidents::list(&daemon, json, out),
            Incidents::Show { number } => incidents::show(&daemon, number, json, out),
            Incidents::Ack { number, set_by } => incidents::ack(&daemon, number, set_by, out),
        },
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
