//! Plugins (commands of watches) and the helper that runs them: `hinomi plugins`, a process of its own with a user of its own.
//!
//! The daemon never runs a program. It asks the helper by a Unix socket for "the command of this watch", by name; the helper runs
//! what *its* list says, and this list was made from the configuration before the helper began (in the unit: by root, from files
//! that neither the daemon nor the helper may write). So a daemon that was taken over can have a checked plugin run again, and
//! nothing else: no path, no argument, no environment of its choice. A digest goes with the question, so that after a change of
//! the configuration an old list is noticed and told, never run.
//!
//! Never here: what an exit code means for the watch.

mod run;
mod serve;

pub use serve::serve;

use crate::model::service::Ask;
use crate::model::{Site, WatchKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::Duration;

/// Longest answer of the helper: 64 kB of output, as JSON.
pub(crate) const LONGEST_REPLY: u64 = 512 * 1024;

/// One question, as a JSON line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The device that the watch is written for.
    pub device: String,
    /// The watch's name.
    pub watch: String,
    /// Of the command that is meant, by [`digest`].
    pub digest: String,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was run.
    Ran(Ran),
    /// It was not, and why.
    Refused {
        /// For people.
        why: String,
    },
}

/// A plugin that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// What it printed; if that is nothing, what it printed as an error.
    pub output: String,
}

/// How a plugin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal.
    Signal(i32),
    /// Killed at its deadline.
    Late,
    /// Killed for writing without end.
    Endless,
    /// It could not be started; `output` says why.
    NotStarted,
}

/// What the helper may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Where it listens.
    pub socket: PathBuf,
    /// How many run at once.
    pub at_once: u32,
    /// The commands.
    pub commands: Vec<Command>,
}

/// One command of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The device that the watch is written for.
    pub device: String,
    /// The watch's name.
    pub watch: String,
    /// Path and arguments.
    pub argv: Vec<String>,
    /// Killed after this.
    pub timeout_ms: u64,
}

impl List {
    /// What a configuration names.
    pub fn of(site: &Site) -> List {
        let watches = site.devices.iter().flat_map(|d| d.watches.iter().map(move |w| (d, w)));
        let commands = watches.filter_map(|(device, watch)| match &watch.kind {
            WatchKind::Service(service) => match &service.ask {
                Ask::Command { argv } => Some(Command {
                    device: device.name.to_string(),
                    watch: watch.name.to_string(),
                    argv: argv.clone(),
                    timeout_ms: u64::try_from(service.timeout.as_millis()).unwrap_or(u64::MAX),
                }),
                _ => None,
            },
            WatchKind::Oid { .. } | WatchKind::Tcp { .. } => None,
        });
        List {
            socket: site.plugins.socket.clone(),
            at_once: site.plugins.at_once,
            commands: commands.collect(),
        }
    }

    /// The command of a question, or why there is none.
    fn find(&self, request: &Request) -> Result<&Command, String> {
        let named = |c: &&Command| c.device == request.device && c.watch == request.watch;
        let Some(command) = self.commands.iter().find(named) else {
            return Err(format!(
                "the helper knows no command \"{}\" of {}: systemctl reload hinomi-plugins",
                request.watch, request.device
            ));
        };
        let known = digest(&command.argv, Duration::from_millis(command.timeout_ms));
        match known == request.digest {
            true => Ok(command),
            false => Err(format!(
                "the helper knows another command \"{}\" of {}: systemctl reload hinomi-plugins",
                request.watch, request.device
            )),
        }
    }
}

/// Stands for a command and its deadline.
pub fn digest(argv: &[String], timeout: Duration) -> String {
    let mut hash = Sha256::new();
    hash.update(timeout.as_millis().to_be_bytes());
    for word in argv {
        // The length keeps words from moving into each other.
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word.as_bytes());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
