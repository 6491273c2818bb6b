//! `hinomi plugins`: the helper that runs the commands of watches, and the list of what it may run.

use super::Failure;
use crate::daemon;
use crate::daemon::plugins::{List, serve};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Longest list that is read.
const MOST: u64 = 64 << 20;

/// Where the helper has its list from.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration that names the commands
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIG, env = super::CONFIG_VARIABLE, hide_env_values = true)]
    config: PathBuf,
    /// Write the list of commands into this file and end: for a helper that may not read the configuration itself
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    write: Option<PathBuf>,
    /// Take the commands from such a file, not from the configuration
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

/// Serves until SIGTERM, or writes the list.
pub(super) fn plugins(options: &Options, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(file) = &options.write {
        let list = configured(&options.config).map_err(|e| Failure::new(2, e))?;
        write(&list, file).map_err(|e| Failure::new(1, format!("{}: {e}", file.display())))?;
        writeln!(out, "{} commands written to {}", list.commands.len(), file.display())?;
        return Ok(0);
    }
    let read = || match &options.list {
        Some(file) => written(file),
        None => configured(&options.config),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(1, e.to_string()))?;
    let served = runtime.block_on(serve(read, |socket, commands| {
        eprintln!("hinomi plugins: {commands} commands, listening on {}", socket.display());
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    }));
    served.map_err(|e| Failure::new(1, format!("the helper for plugins cannot serve: {e}")))?;
    Ok(0)
}

/// Without secrets: no command needs one, and whoever runs programs should not hold any.
fn configured(config: &Path) -> Result<List, String> {
    daemon::load_without_secrets(config).map(|site| List::of(&site))
}

fn written(file: &Path) -> Result<List, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", file.display());
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(MOST).read_to_string(&mut text).map_err(failed)?;
    serde_json::from_str(&text).map_err(|e| format!("{} is no list of commands: {e}", file.display()))
}

/// Whole or not at all: the helper may read while this writes. Root writes into a folder of the helper's user, with whom plugins run:
/// so nothing that stands there is opened, followed or given other rights, only replaced.
fn write(list: &List, file: &Path) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut open = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
    // Readable for the helper, writable for whoever made it; by the open file, whatever its name leads to by now.
    open.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    serde_json::to_writer(&mut open, list)?;
    open.sync_all()?;
    std::fs::rename(&beside, file)
}
