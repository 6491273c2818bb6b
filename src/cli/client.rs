//! Speaking to the running daemon over its control socket.

use super::{Daemon, Failure};
use crate::core::{DeviceStatus, Snapshot};
use crate::daemon::control::{self, Reply, Request};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A reload reads files and secrets; everything else is quick.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest configuration file that is looked into.
const MOST: u64 = 16 << 20;

/// `hinomi reload`.
pub(super) fn reload(daemon: &Daemon, force: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    match ask(daemon, &Request::Reload { force })? {
        Reply::Done(summary) => {
            writeln!(out, "reloaded: {summary}")?;
            Ok(0)
        }
        Reply::Refused(why) => Err(Failure::new(
            2,
            format!("not reloaded, the old configuration runs on:\n{why}"),
        )),
        _ => Err(unexpected()),
    }
}

/// The picture of everything.
pub(super) fn snapshot(daemon: &Daemon) -> Result<Snapshot, Failure> {
    match ask(daemon, &Request::Snapshot)? {
        Reply::Snapshot(snapshot) => Ok(Arc::unwrap_or_clone(snapshot)),
        Reply::Refused(why) => Err(Failure::new(3, why)),
        _ => Err(unexpected()),
    }
}

/// One device or circuit in full; says which names look alike if there is none of this name.
pub(super) fn device(daemon: &Daemon, name: &str) -> Result<DeviceStatus, Failure> {
    let request = Request::Device { name: name.to_owned() };
    match ask(daemon, &request)? {
        Reply::Device(Some(device)) => Ok(*device),
        Reply::Device(None) => {
            let snapshot = snapshot(daemon)?;
            let circuits = snapshot.circuits.listed.iter().map(|c| &*c.circuit);
            let all = snapshot.devices.iter().map(|d| &*d.name).chain(circuits);
            Err(super::explain::unknown(name, all))
        }
        Reply::Refused(why) => Err(Failure::new(3, why)),
        _ => Err(unexpected()),
    }
}

pub(super) fn unexpected() -> Failure {
    Failure::new(
        3,
        "the daemon answered something else than was asked: are both of the same version?",
    )
}

/// One request, one reply, and the line stays open for what follows.
pub(super) fn ask_and_stay(daemon: &Daemon, request: &Request) -> Result<(Reply, BufReader<UnixStream>), Failure> {
    let path = socket(daemon);
    let mut stream = UnixStream::connect(&path).map_err(|e| not_there(&path, &e))?;
    let lost = |e: std::io::Error| Failure::new(3, format!("hinomi does not answer on {}: {e}", path.display()));
    stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
    let line = serde_json::to_string(request).map_err(|e| lost(e.into()))? + "\n";
    stream.write_all(line.as_bytes()).map_err(lost)?;
    let mut reader = BufReader::new(stream);
    let mut answer = String::new();
    reader.read_line(&mut answer).map_err(lost)?;
    let reply = serde_json::from_str(&answer).map_err(|_| unexpected())?;
    Ok((reply, reader))
}

/// One request, one reply.
pub(super) fn ask(daemon: &Daemon, request: &Request) -> Result<Reply, Failure> {
    let path = socket(daemon);
    let mut stream = UnixStream::connect(&path).map_err(|e| not_there(&path, &e))?;
    let talk = || -> std::io::Result<String> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer)?;
        Ok(answer)
    };
    let mut talk = talk;
    let answer = talk().map_err(|e| Failure::new(3, format!("hinomi does not answer on {}: {e}", path.display())))?;
    if answer.is_empty() {
        return Err(Failure::new(3, "hinomi ended before it answered; see its log"));
    }
    serde_json::from_str(&answer).map_err(|_| unexpected())
}

fn not_there(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    Failure::new(
        3,
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
                "hinomi is not running: nothing listens on {path}. Start it with: systemctl start hinomi (or, if it runs with \
                 another configuration, name that with --config FILE)"
            ),
            ErrorKind::PermissionDenied => {
                format!("{path} may be opened only by root and by the user hinomi runs as: try again with sudo")
            }
            _ => format!("cannot open {path}: {error}"),
        },
    )
}

fn socket(daemon: &Daemon) -> PathBuf {
    match &daemon.socket {
        Some(path) => path.clone(),
        None => control::path(&state(&daemon.config)),
    }
}

/// The operator's time zone that a configuration names, without checking anything else in it; `None` if it cannot be read.
pub(super) fn zone(config: &Path) -> Option<String> {
    let operator = files(config)
        .into_iter()
        .find_map(|file| table(&file)?.remove("operator"))?;
    let written = operator.get("timezone").and_then(toml::Value::as_str);
    Some(written.unwrap_or(crate::config::DEFAULT_ZONE).to_owned())
}

/// A configuration file as a table.
fn table(file: &Path) -> Option<toml::Table> {
    String::from_utf8(crate::files::read(file, MOST).ok()?.bytes)
        .ok()?
        .parse()
        .ok()
}

/// The state directory that a configuration names, without checking anything else in it: secrets need not be readable here.
pub(super) fn state(config: &Path) -> PathBuf {
    let named = files(config).into_iter().find_map(|file| {
        let state = table(&file)?.get("daemon")?.get("state")?.as_str()?.to_owned();
        Some(file.with_file_name(state))
    });
    named.unwrap_or_else(|| PathBuf::from(crate::config::DEFAULT_STATE))
}

/// The main file, then `conf.d/*.toml` beside it.
fn files(config: &Path) -> Vec<PathBuf> {
    let mut more: Vec<PathBuf> = crate::files::list(&config.with_file_name("conf.d"))
        .into_iter()
        .flatten()
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    more.sort();
    more.insert(0, config.to_owned());
    more
}
