//! The real daemon, with a configuration made for the fleet.

use super::program::Program;
use crate::fleet::options::Options;
use crate::fleet::silence::group_of;
use crate::fleet::{COMMUNITY, PORT};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Which probes a target gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probes {
    /// A full set of columns, and nothing beside it.
    Snmp,
    /// One echo.
    Echo,
    /// Both.
    Both,
}

/// How the targets are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// Each as a `[[device]]`.
    Devices,
    /// Each as a line of `circuits.csv`, measured at the institution.
    CircuitsCpe,
    /// Devices with many ports, each port a line of `circuits.csv`.
    CircuitsDevice,
}

/// A configuration to be written.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) options: Options,
    pub(crate) probes: Probes,
    pub(crate) surface: Surface,
    /// How to speak SNMP: what stands in `[snmp.fleet]`.
    pub(crate) snmp: String,
    /// Further sections.
    pub(crate) more: String,
    /// One circuit in a hundred has another contracted rate and stands first, so that every circuit has another place too.
    pub(crate) changed: bool,
}

impl Config {
    pub(crate) fn new(options: &Options, probes: Probes, surface: Surface) -> Config {
        let snmp = format!("version = \"2c\"\ncommunity = \"{COMMUNITY}\"\nport = {PORT}\n");
        Config {
            options: options.clone(),
            probes,
            surface,
            snmp,
            more: String::new(),
            changed: false,
        }
    }

    /// `hinomi.toml`, and `circuits.csv` if there is one.
    fn texts(&self, state: &Path, port: u16) -> (String, Option<String>) {
        let o = &self.options;
        let mut toml = format!(
            "[operator]\nname = \"Fleet\"\nlanguage = \"en\"\ntimezone = \"UTC\"\n\
             [daemon]\nstate = \"{}\"\nlisten = \"127.0.0.1:{port}\"\n\
             [poll]\ninterval = \"{}s\"\nechoes = 1\n[snmp.fleet]\n{}{}",
            state.display(),
            o.interval_s,
            self.snmp,
            self.more
        );
        let snmp = if self.probes == Probes::Echo {
            ""
        } else {
            "snmp = \"fleet\"\n"
        };
        let liveness = if self.probes == Probes::Snmp { "none" } else { "echo" };
        match self.surface {
            Surface::Devices => {
                let _ = write!(
                    toml,
                    "[group.fleet]\n{snmp}liveness = \"{liveness}\"\nowner = \"institution\"\n"
                );
                let ports = interfaces(o);
                let ports = if self.probes == Probes::Echo {
                    String::new()
                } else {
                    ports
                };
                (0..o.targets).for_each(|i| device(&mut toml, o, i, &ports));
                (toml, None)
            }
            Surface::CircuitsCpe => {
                for g in 0..o.groups {
                    let _ = write!(
                        toml,
                        "[[device]]\nname = \"agg-{g}\"\naddress = \"127.0.1.{}\"\nliveness = \"none\"\n",
                        g + 1
                    );
                }
                toml += "[circuits]\nfile = \"circuits.csv\"\n";
                (toml, Some(self.cpe_lines()))
            }
            Surface::CircuitsDevice => {
                let _ = write!(toml, "[group.fleet]\n{snmp}liveness = \"{liveness}\"\n");
                (0..o.targets).for_each(|i| device(&mut toml, o, i, ""));
                toml += "[circuits]\nfile = \"circuits.csv\"\n";
                (toml, Some(device_lines(o)))
            }
        }
    }

    fn cpe_lines(&self) -> String {
        let (o, snmp) = (&self.options, if self.probes == Probes::Echo { "" } else { "fleet" });
        let mut csv = HEADER.to_owned();
        let of_change = |i: &u32| i.is_multiple_of(100);
        let (first, rest): (Vec<u32>, Vec<u32>) = (0..o.targets).partition(|i| self.changed && of_change(i));
        for i in first.into_iter().chain(rest) {
            let group = group_of(i, o.targets, o.groups);
            let rate = if self.changed && of_change(&i) { 50 } else { 100 };
            let _ = writeln!(
                csv,
                "N-{i:07},{i:07},Clinic {i},user,carrier-{},main,cpe,agg-{group},wan0,{rate} Mbit/s,{rate} Mbit/s,{},{snmp},always,,,active",
                i % 4,
                o.address(i)
            );
        }
        csv
    }

    /// Writes the files into `folder` and starts the daemon, which knows nothing.
    pub(crate) fn start(&self, folder: &Path) -> Result<Hinomi, String> {
        let _ = std::fs::remove_dir_all(folder.join("state"));
        self.start_again(folder)
    }

    /// As [`Config::start`], with the state that an earlier one has left.
    pub(crate) fn start_again(&self, folder: &Path) -> Result<Hinomi, String> {
        let io = |e: std::io::Error| format!("{}: {e}", folder.display());
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = listener.map_err(|e| format!("no free TCP port: {e}"))?.port();
        let state = folder.join("state");
        let (toml, csv) = self.texts(&state, port);
        let file = folder.join("hinomi.toml");
        std::fs::write(&file, toml).map_err(io)?;
        // A community stands in it: nobody else may read it.
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(io)?;
        if let Some(csv) = csv {
            std::fs::write(folder.join("circuits.csv"), csv).map_err(io)?;
        }
        let words = ["run".to_owned(), "--config".to_owned(), file.display().to_string()];
        let begun = Instant::now();
        let mut program = Program::foreign("hinomi", Path::new(env!("CARGO_BIN_EXE_hinomi")), &words, folder)?;
        while get(port, "/healthz", Duration::from_secs(2)).is_err() {
            program.running()?;
            if begun.elapsed() > Duration::from_secs(300) {
                return Err(format!("hinomi does not listen after 300 s: {}", program.last_words()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let started = begun.elapsed();
        Ok(Hinomi {
            program,
            port,
            config: file,
            started,
        })
    }
}

const HEADER: &str = "id,institution_id,institution,class,carrier,role,measure,device,interface,down,up,address,snmp,power,hours,contact,status\n";

fn interfaces(o: &Options) -> String {
    if o.ports == 1 {
        "interfaces = [\"wan0\"]\n".to_owned()
    } else {
        "interfaces = [\"ge-0/0/*\"]\n".to_owned()
    }
}

fn device(toml: &mut String, o: &Options, i: u32, ports: &str) {
    let _ = write!(
        toml,
        "[[device]]\nname = \"agent-{i}\"\ngroup = \"fleet\"\naddress = \"{}\"\n{ports}",
        o.address(i)
    );
}

fn device_lines(o: &Options) -> String {
    let mut csv = HEADER.to_owned();
    for (i, port) in (0..o.targets).flat_map(|i| (0..o.ports).map(move |p| (i, p))) {
        let n = u64::from(i) * u64::from(o.ports) + u64::from(port);
        let _ = writeln!(
            csv,
            "N-{n:07},{n:07},Clinic {n},user,carrier-{},main,device,agent-{i},ge-0/0/{port},100 Mbit/s,100 Mbit/s,,,always,,,active",
            n % 4
        );
    }
    csv
}

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Hinomi {
    pub(crate) program: Program,
    pub(crate) port: u16,
    pub(crate) config: PathBuf,
    /// From the start of the process to the first answer on /healthz.
    pub(crate) started: Duration,
}

impl Hinomi {
    /// Writes the circuits of another configuration and has the daemon take it; how long that took, and its words.
    pub(crate) fn reload(&self, config: &Config) -> Result<(Duration, String), String> {
        let folder = self.config.parent().unwrap_or(Path::new("."));
        let (_, csv) = config.texts(&folder.join("state"), self.port);
        let csv = csv.ok_or("only circuits can be changed: --circuits")?;
        std::fs::write(folder.join("circuits.csv"), csv).map_err(|e| format!("{}: {e}", folder.display()))?;
        let begun = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_hinomi"))
            .args(["reload", "--config"])
            .arg(&self.config)
            .output()
            .map_err(|e| format!("hinomi reload: {e}"))?;
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        match output.status.success() {
            true => Ok((begun.elapsed(), words)),
            false => Err(format!("hinomi reload: {words}")),
        }
    }

    /// The text of /metrics.
    pub(crate) fn metrics(&self) -> Result<String, String> {
        get(self.port, "/metrics", Duration::from_secs(60))
    }

    /// The sum of the series whose line begins with `prefix`.
    pub(crate) fn sum(text: &str, prefix: &str) -> f64 {
        let of = |l: &str| {
            l.strip_prefix(prefix)
                .and_then(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        };
        text.lines().filter_map(of).sum()
    }
}

/// An HTTP GET on loopback; the body.
pub(crate) fn get(port: u16, path: &str, patience: Duration) -> Result<String, String> {
    let words = |e: std::io::Error| format!("port {port}{path}: {e}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(words)?;
    stream.set_read_timeout(Some(patience)).map_err(words)?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .map_err(words)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(words)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(format!("port {port}{path}: not HTTP"))?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status == "200" {
        Ok(body.to_owned())
    } else {
        Err(format!("port {port}{path}: status {status}: {body}"))
    }
}
