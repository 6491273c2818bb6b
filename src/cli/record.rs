//! `hinomi record`: asks the running daemon for a record and writes it, until Ctrl-C or the time is over.

use super::{Daemon, Failure, client};
use crate::daemon::clock;
use crate::daemon::control::{Reply, Request};
use crate::files;
use clap::Args;
use std::io::{BufRead, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// Looks at the clock this often while nothing comes.
const LOOK: Duration = Duration::from_millis(500);

/// What to record.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Everything of this device or circuit, too; may be given several times
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Everything of all of them (a large network: megabytes a second)
    #[arg(long)]
    all: bool,
    /// End after this time, for example 30m
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    length: Option<Duration>,
}

/// Records.
pub(super) fn record(daemon: &Daemon, file: &Path, options: &Options, out: &mut dyn Write) -> Result<u8, Failure> {
    let failed = |e: std::io::Error| Failure::new(1, format!("cannot write {}: {e}", file.display()));
    let request = Request::Record {
        all: options.all,
        targets: options.targets.clone(),
    };
    let (reply, mut lines) = client::ask_and_stay(daemon, &request)?;
    match reply {
        Reply::Done(_) => {}
        Reply::Refused(why) => return Err(Failure::new(1, why)),
        _ => return Err(client::unexpected()),
    }
    // What it holds is not for everybody: names of people, addresses, texts of mails.
    let mut record = std::io::BufWriter::new(files::create_private(file).map_err(failed)?);
    lines.get_ref().set_read_timeout(Some(LOOK)).map_err(failed)?;
    let (began, mut count, mut line) = (clock::mono(), 0u64, Vec::new());
    loop {
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) if line.ends_with(b"\n") => {
                record.write_all(&line).map_err(failed)?;
                record.flush().map_err(failed)?;
                line.clear();
                count += 1;
            }
            // Half a line stays in `line`; the rest comes.
            Ok(_) => {}
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(e) => return Err(Failure::new(3, format!("hinomi ended the record: {e}"))),
        }
        if options
            .length
            .is_some_and(|length| clock::mono().since(began) >= length)
        {
            break;
        }
    }
    writeln!(
        out,
        "{count} lines in {}; play them with: hinomi replay {}",
        file.display(),
        file.display()
    )?;
    Ok(0)
}
