//! The subject as a process of its own: started, measured through /proc, stopped.

use super::agent;
use super::options::{Options, Subject};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running subject.
pub(crate) struct Program {
    child: Child,
    metrics: Option<u16>,
    folder: Option<PathBuf>,
}

/// Starts what is to be measured.
pub(crate) fn start(options: &Options, subject: Subject) -> Program {
    let words = |c: &mut Command| c.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    match subject {
        Subject::Engine | Subject::Floor => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let name = if subject == Subject::Floor { "floor" } else { "engine" };
            command.args(["--child", "--subject", name, "--devices", &options.devices.to_string()]);
            command.args([
                "--seconds",
                &options.seconds.to_string(),
                "--interval",
                &options.interval.to_string(),
            ]);
            Program {
                child: words(&mut command),
                metrics: None,
                folder: None,
            }
        }
        Subject::Daemon => {
            let folder = std::env::temp_dir().join(format!("hinomi-fleet-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let file = folder.join("hinomi.toml");
            std::fs::write(&file, configuration(options, &folder, port)).unwrap();
            let mut permissions = std::fs::metadata(&file).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
            std::fs::set_permissions(&file, permissions).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_hinomi"));
            command.args(["run", "--config"]).arg(&file);
            Program {
                child: words(&mut command),
                metrics: Some(port),
                folder: Some(folder),
            }
        }
    }
}

/// The configuration of the daemon: every agent with liveness by SNMP and one interface.
fn configuration(options: &Options, folder: &std::path::Path, port: u16) -> String {
    let (interval, udp, state) = (
        options.interval,
        agent::PORT,
        folder.join("state").display().to_string(),
    );
    let mut text = format!(
        "[operator]\nname = \"Fleet\"\nlanguage = \"en\"\ntimezone = \"UTC\"\n\
         [daemon]\nstate = \"{state}\"\nlisten = \"127.0.0.1:{port}\"\n\
         [poll]\ninterval = \"{interval}s\"\n\
         [snmp.fleet]\nversion = \"2c\"\ncommunity = \"fleet\"\nport = {udp}\n\
         [group.fleet]\nsnmp = \"fleet\"\nliveness = \"snmp\"\n"
    );
    for i in 0..options.devices {
        let address = agent::address(i);
        text += &format!(
            "[[device]]\nname = \"agent-{i}\"\ngroup = \"fleet\"\naddress = \"{address}\"\ninterfaces = [\"eth0\"]\n"
        );
    }
    text
}

impl Program {
    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }

    /// System time so far, as a share of all of its time (counted in ticks of 10 ms).
    pub(crate) fn in_kernel(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<f64> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|f| f.parse().ok())
            .collect();
        // After the name and the state letter: utime and stime are the 11th and 12th numbers.
        let (user, system) = (
            fields.get(10).copied().unwrap_or(0.0),
            fields.get(11).copied().unwrap_or(0.0),
        );
        system / (user + system).max(1.0)
    }

    /// User and system time so far, of all its threads that live.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let of = |entry: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(entry.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(tasks.into_iter().flatten().filter_map(of).sum())
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|l| l.starts_with("VmRSS:"));
        line.and_then(|l| l.split_whitespace().nth(1))
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }

    /// The bucket of the lateness histogram that holds 99 %, from the daemon's metrics; and how many rounds it counted.
    pub(crate) fn lateness(&self) -> Option<(f64, u64)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics?)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let bucket = |line: &str| {
            let (bound, count) = line
                .strip_prefix("hinomi_poll_lag_seconds_bucket{")?
                .split_once("\"}")?;
            let bound = bound.rsplit_once("le=\"")?.1;
            Some((
                if bound == "+Inf" {
                    f64::INFINITY
                } else {
                    bound.parse().ok()?
                },
                count.trim().parse::<f64>().ok()? as u64,
            ))
        };
        p99(&text.lines().filter_map(bucket).collect::<Vec<_>>())
    }

    /// Ends it; what it printed.
    pub(crate) fn stop(&mut self) -> String {
        let mut words = String::new();
        match self.metrics {
            Some(_) => {
                let pid = rustix::process::Pid::from_child(&self.child);
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            None => drop(self.child.stdout.as_mut().unwrap().read_to_string(&mut words)),
        }
        let ended = self.child.wait().unwrap();
        if !ended.success() {
            println!("the subject ended with {ended}");
        }
        if let Some(folder) = self.folder.take() {
            let _ = std::fs::remove_dir_all(folder);
        }
        words
    }
}

/// The first bound of a cumulative histogram that holds 99 %.
pub(crate) fn p99(buckets: &[(f64, u64)]) -> Option<(f64, u64)> {
    let total = buckets.last()?.1;
    let enough = |b: &&(f64, u64)| b.1 as f64 >= total as f64 * 0.99;
    (total > 0)
        .then(|| buckets.iter().find(enough).map(|b| (b.0, total)))
        .flatten()
}
