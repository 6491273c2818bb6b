//! `hinomi run`.

use super::Failure;
use crate::daemon::logfmt::{Dated, Logfmt};
use crate::daemon::{self, RunError, RunOptions};
use std::path::PathBuf;
use tracing_subscriber::filter::EnvFilter;

/// Runs the daemon until it is told to end.
pub(super) fn run(config: PathBuf, record: Option<PathBuf>) -> Result<u8, Failure> {
    log_to_stderr();
    daemon::run(RunOptions { config, record })
        .map(|()| 0)
        .map_err(|e| match e {
            RunError::Config(_) => Failure::new(2, e.to_string()),
            _ => Failure::new(1, e.to_string()),
        })
}

/// Log lines go to standard error; under systemd the journal dates them.
fn log_to_stderr() {
    let wanted = std::env::var("HINOMI_LOG").or_else(|_| std::env::var("RUST_LOG"));
    let filter = EnvFilter::builder().parse_lossy(wanted.as_deref().unwrap_or("info"));
    let dated = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => Dated::Elsewhere,
        None => Dated::Here,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .event_format(Logfmt(dated));
    // An error means that logging has been set up already, in a test.
    let _ = lines.try_init();
}
