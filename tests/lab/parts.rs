//! The parts of a story: real programs, started so that they die with the lab, and the daemon under test.

use crate::net::{full, output};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A folder of one story; removed with this value, kept with `HINOMI_LAB_KEEP=1`.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(story: &str) -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("{}-{story}", full("dir")));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        mode(&path, "755")?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it that only its owner can read.
    pub(crate) fn secret(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.write(name, "")?;
        mode(&path, "600")?;
        self.write(name, text)
    }

    /// A file in it, with this text.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("HINOMI_LAB_KEEP").is_some() {
            println!("    kept: {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn mode(path: &Path, mode: &str) -> Result<(), String> {
    crate::net::run("chmod", &[mode, &path.display().to_string()])
}

/// A program that ends with this value, and with the lab if that is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) what: String,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

impl Running {
    /// Starts a program, inside a namespace if one is named.
    pub(crate) fn start(ns: Option<&str>, log: &Path, env: &[(&str, &str)], argv: &[&str]) -> Result<Running, String> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|e| format!("{}: {e}", log.display()))?;
        let err = out.try_clone().map_err(|e| e.to_string())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(ns) = ns {
            command.args(["ip", "netns", "exec", &full(ns)]);
        }
        let child = command
            .args(argv)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", argv.join(" ")))?;
        Ok(Running {
            child,
            what: argv.join(" "),
            log: log.to_owned(),
        })
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// It has ended; how.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|s| s.to_string())
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// SIGKILL to it and its children at one time: none of them says goodbye.
    pub(crate) fn kill_all(&mut self) {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        self.signal(Signal::STOP);
        for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
            if let Some(pid) = Pid::from_raw(child) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        self.kill();
    }

    /// SIGTERM, and waits; its exit status, or an error if it does not stop in time.
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<String, String> {
        self.signal(Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
        Err(format!(
            "{} did not stop within {} s of SIGTERM",
            self.what,
            limit.as_secs()
        ))
    }

    /// The process id of its first child, if it has one.
    pub(crate) fn first_child(&self) -> Option<String> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    }

    /// The last lines of its output.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log)
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n      ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended().is_none() && self.stop(Duration::from_secs(2)).is_err() {
            self.kill();
        }
    }
}

/// A real OpenSMTPD that takes mail for anybody and writes each to a file. Its control socket and spool have fixed places: each
/// instance gets its own in a mount namespace. In plain text: Debian 12's OpenSMTPD 6.8 cannot sign in a TLS handshake ("missing
/// private key" with OpenSSL 3, whatever the key); TLS is tried against the scripted relay in the fast tests.
pub(crate) fn smtpd(folder: &Folder, ns: &str, port: u16) -> Result<(Running, PathBuf), String> {
    let dir = folder.path().display();
    let mails = folder.path().join(format!("mail-{ns}"));
    std::fs::create_dir_all(&mails).map_err(|e| e.to_string())?;
    mode(&mails, "1777")?;
    let keep = folder.write(
        &format!("keep-{ns}.sh"),
        &format!(
            "#!/bin/sh\nat=$(date +%s%N)\nnew=$(mktemp -p {} XXXXXXXX)\n{{ echo \"X-Lab-Arrived: $at\"; echo \"X-Lab-Recipient: \
             $1\"; cat; }} > \"$new\" && chmod 644 \"$new\" && mv \"$new\" {}/$at-${{new##*/}}.eml\n",
            mails.display(),
            mails.display()
        ),
    )?;
    mode(&keep, "755")?;
    let config = folder.write(
        &format!("smtpd-{ns}.conf"),
        &format!(
            "listen on 0.0.0.0 port {port}\ntable everybody {{ \"@\" = nobody }}\naction keep mda \"{} '%{{rcpt}}'\" virtual \
             <everybody>\nmatch from any for any action keep\n",
            keep.display()
        ),
    )?;
    // A relay looks its client's name up before it greets: answer from a file, and refuse the rest at once.
    let hosts = folder.write(
        "hosts",
        "127.0.0.1 localhost\n192.0.2.2 mon.example.net\n203.0.113.2 mon.example.org\n",
    )?;
    let resolver = folder.write(
        "resolv.conf",
        "nameserver 127.0.0.1\nlookup file bind\noptions timeout:1 attempts:1\n",
    )?;
    let start = folder.write(
        &format!("start-{ns}.sh"),
        &format!(
            "set -e\nmount -t tmpfs tmpfs /var/spool\nmount -t tmpfs -o mode=755 tmpfs /run\nif [ ! -d /var/lib/opensmtpd ]; \
             then echo 'no /var/lib/opensmtpd'; exit 1; fi\nmount -t tmpfs -o mode=755 tmpfs /var/lib/opensmtpd\nmkdir -m 711 \
             /var/spool/smtpd\nmkdir -m 755 /var/lib/opensmtpd/empty\nmount --bind {} /etc/hosts\nmount --bind {} \
             /etc/resolv.conf\nexec smtpd -d -f {}\n",
            hosts.display(),
            resolver.display(),
            config.display()
        ),
    )?;
    let log = PathBuf::from(format!("{dir}/smtpd-{ns}.log"));
    let mut running = Running::start(Some(ns), &log, &[], &["sh", &start.display().to_string()])?;
    let began = Instant::now();
    let listening = format!(":{port:04X} ");
    loop {
        if let Some(status) = running.ended() {
            return Err(format!(
                "OpenSMTPD in {ns} ended at once ({status}): {}",
                running.tail(5)
            ));
        }
        let sockets = output("ip", &["netns", "exec", &full(ns), "cat", "/proc/net/tcp"]).unwrap_or_default();
        if sockets.contains(&listening) {
            return Ok((running, mails));
        }
        if began.elapsed() > Duration::from_secs(15) {
            return Err(format!("OpenSMTPD in {ns} does not listen: {}", running.tail(5)));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A real snmpd whose processor load is what a file says.
#[derive(Debug)]
pub(crate) struct Snmpd {
    pub(crate) running: Running,
    load: PathBuf,
}

/// v2c community and v3 user of the lab's agents; SHA-256 and AES-128.
pub(crate) const COMMUNITY: &str = "lab-community";
pub(crate) const V3_USER: &str = "noc";
pub(crate) const V3_AUTH: &str = "lab-authentication";
pub(crate) const V3_PRIVACY: &str = "lab-privacy-words";

impl Snmpd {
    pub(crate) fn start(folder: &Folder, ns: &str) -> Result<Snmpd, String> {
        Snmpd::start_with(folder, ns, "")
    }

    /// Starts it with more lines of configuration.
    pub(crate) fn start_with(folder: &Folder, ns: &str, more: &str) -> Result<Snmpd, String> {
        let dir = folder.path().display();
        let load = folder.write(&format!("load-{ns}"), "20\n")?;
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        let config = folder.write(
            &format!("snmpd-{ns}.conf"),
            &format!(
                "agentAddress udp:161\nrocommunity {COMMUNITY}\ncreateUser {V3_USER} SHA-256 \"{V3_AUTH}\" AES \
                 \"{V3_PRIVACY}\"\nrouser {V3_USER} priv\nsysName {ns}\npass_persist -p 1 .1.3.6.1.2.1.25.3.3.1.2 {} part load \
                 {}\n{more}",
                own.display(),
                load.display()
            ),
        )?;
        let persistent = format!("{dir}/snmpd-{ns}");
        let log = PathBuf::from(format!("{dir}/snmpd-{ns}.log"));
        let running = Running::start(
            Some(ns),
            &log,
            &[("SNMP_PERSISTENT_DIR", &persistent), ("MIBS", "")],
            &[
                "snmpd",
                "-f",
                "-Lo",
                "-C",
                "-c",
                &config.display().to_string(),
                "-p",
                &format!("{persistent}.pid"),
            ],
        )?;
        let mut snmpd = Snmpd { running, load };
        snmpd.wait(ns)?;
        Ok(snmpd)
    }

    fn wait(&mut self, ns: &str) -> Result<(), String> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.running.ended() {
                return Err(format!(
                    "snmpd in {ns} ended at once ({status}): {}",
                    self.running.tail(5)
                ));
            }
            // Port 161 is 00A1.
            let sockets = output("ip", &["netns", "exec", &full(ns), "cat", "/proc/net/udp"]).unwrap_or_default();
            if sockets.contains(":00A1 ") {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(15) {
                return Err(format!("snmpd in {ns} does not listen: {}", self.running.tail(5)));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// hrProcessorLoad from now on. Renamed into place: never half written.
    pub(crate) fn load(&self, percent: u32) -> Result<(), String> {
        let new = self.load.with_extension("new");
        std::fs::write(&new, format!("{percent}\n")).map_err(|e| e.to_string())?;
        std::fs::rename(&new, &self.load).map_err(|e| e.to_string())
    }
}

/// The daemon under test.
#[derive(Debug)]
pub(crate) struct Hinomi {
    pub(crate) running: Running,
    config: PathBuf,
    ns: Option<String>,
}

impl Hinomi {
    /// The binary that was built with the lab, or another one to be tried (a package's, an older version's).
    fn binary() -> String {
        std::env::var("HINOMI_LAB_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_hinomi").to_owned())
    }

    /// Starts `hinomi run` and waits until it answers `status`.
    pub(crate) fn start(folder: &Folder, ns: Option<&str>, config: &Path) -> Result<Hinomi, String> {
        Hinomi::start_with(folder, ns, config, &[])
    }

    /// The same, with more words on the command line.
    pub(crate) fn start_with(
        folder: &Folder,
        ns: Option<&str>,
        config: &Path,
        more: &[&str],
    ) -> Result<Hinomi, String> {
        let mut hinomi = Hinomi::launch(folder, ns, config, more)?;
        let began = Instant::now();
        loop {
            if let Some(status) = hinomi.running.ended() {
                return Err(format!(
                    "hinomi ended at once ({status}):\n      {}",
                    hinomi.running.tail(20)
                ));
            }
            if hinomi.ask(&["status"]).is_ok() {
                return Ok(hinomi);
            }
            if began.elapsed() > Duration::from_secs(20) {
                return Err(format!("hinomi does not answer:\n      {}", hinomi.running.tail(20)));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts it and does not wait.
    fn launch(folder: &Folder, ns: Option<&str>, config: &Path, more: &[&str]) -> Result<Hinomi, String> {
        let log = folder.path().join("hinomi.log");
        let (binary, path) = (Hinomi::binary(), config.display().to_string());
        let mut argv = vec![binary.as_str(), "run", "--config", &path];
        argv.extend(more);
        Ok(Hinomi {
            running: Running::start(ns, &log, &[("HINOMI_LOG", "info"), ("NO_COLOR", "1")], &argv)?,
            config: config.to_owned(),
            ns: ns.map(str::to_owned),
        })
    }

    /// A verb of the command line, against this daemon; its standard output if it succeeded.
    pub(crate) fn ask(&self, verb: &[&str]) -> Result<String, String> {
        let (config, binary) = (self.config.display().to_string(), Hinomi::binary());
        let mut args: Vec<&str> = verb.to_vec();
        args.extend(["--config", &config]);
        match &self.ns {
            Some(ns) => {
                let name = full(ns);
                let mut all = vec!["netns", "exec", &name, binary.as_str()];
                all.extend(args);
                output("ip", &all)
            }
            None => output(&binary, &args),
        }
    }

    /// The picture as JSON.
    pub(crate) fn status(&self) -> Result<serde_json::Value, String> {
        let text = self.ask(&["status", "--json"])?;
        serde_json::from_str(&text).map_err(|e| format!("status --json is no JSON: {e}: {text}"))
    }
}

/// Why a part or privilege cannot be had here; `None` if it can.
pub(crate) fn missing(need: &str) -> Option<String> {
    match need {
        "root" => match rustix::process::geteuid().is_root() {
            false => Some("root (for network namespaces)".into()),
            true => {
                let probe = full("probe");
                let made = crate::net::run("ip", &["netns", "add", &probe]);
                let _ = crate::net::run("ip", &["netns", "delete", &probe]);
                made.err().map(|e| format!("network namespaces ({e})"))
            }
        },
        "loopback" => std::net::UdpSocket::bind("127.1.0.1:0")
            .err()
            .map(|e| format!("loopback addresses 127.1.0.x ({e})")),
        "frr" => crate::routers::missing_frr(),
        program => {
            let path = std::env::var("PATH").unwrap_or_default();
            if program == "cargo-deb" {
                let there = path.split(':').any(|dir| Path::new(dir).join(program).is_file());
                return (!there).then(|| "cargo-deb (cargo install --locked cargo-deb)".to_owned());
            }
            let package = match program {
                "ip" => "iproute2",
                "nft" => "nftables",
                "smtpd" => "opensmtpd",
                "ping" => "iputils-ping",
                "snmpget" | "snmpwalk" => "snmp",
                "systemd-nspawn" => "systemd-container",
                "nsenter" => "util-linux",
                other => other,
            };
            (!path.split(':').any(|dir| Path::new(dir).join(program).is_file()))
                .then(|| format!("{program} (Debian package {package})"))
        }
    }
}

/// The parts the lab plays itself, inside a namespace or under a real program.
pub(crate) fn play(args: &[String]) -> ExitCode {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["load", file] => {
            pass_persist(Path::new(file));
            ExitCode::SUCCESS
        }
        ["mail", relay, recipient] => match send_mail(relay, recipient) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("lab: {why}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("lab: no such part");
            ExitCode::from(2)
        }
    }
}

/// snmpd's pass_persist protocol for one row of hrProcessorLoad, read from a file at each request.
fn pass_persist(file: &Path) {
    const COLUMN: &str = ".1.3.6.1.2.1.25.3.3.1.2";
    let row = format!("{COLUMN}.1");
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let mut out = std::io::stdout().lock();
    while let Some(command) = lines.next() {
        let value = || std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        let reply = match command.as_str() {
            "PING" => "PONG\n".to_owned(),
            "get" if lines.next().as_deref() == Some(&row) => format!("{row}\ninteger\n{}\n", value()),
            "getnext" => {
                let asked = lines.next().unwrap_or_default();
                let before =
                    asked == COLUMN || asked == format!("{COLUMN}.0") || COLUMN.starts_with(&format!("{asked}."));
                if before {
                    format!("{row}\ninteger\n{}\n", value())
                } else {
                    "NONE\n".to_owned()
                }
            }
            "set" => {
                lines.next();
                lines.next();
                "not-writable\n".to_owned()
            }
            _ => "NONE\n".to_owned(),
        };
        if out.write_all(reply.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// The smallest mail client that can try a relay.
fn send_mail(relay: &str, recipient: &str) -> Result<(), String> {
    let stream = std::net::TcpStream::connect(relay).map_err(|e| format!("{relay}: {e}"))?;
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .map_err(|e| e.to_string())?;
    let mut replies = std::io::BufReader::new(&stream);
    let text = "Subject: =?utf-8?B?6Kmm6aiT?= test\r\nMessage-ID: <lab@example.net>\r\n\r\nbody\r\n.";
    for line in [
        "",
        "EHLO lab.example.net",
        "MAIL FROM:<lab@example.net>",
        &format!("RCPT TO:<{recipient}>"),
        "DATA",
        text,
        "QUIT",
    ] {
        if !line.is_empty() {
            (&stream)
                .write_all(format!("{line}\r\n").as_bytes())
                .map_err(|e| e.to_string())?;
        }
        let mut reply = String::new();
        while reply.len() < 4 || reply.as_bytes()[3] == b'-' {
            reply.clear();
            if replies.read_line(&mut reply).map_err(|e| e.to_string())? == 0 {
                return Err("the relay hung up".into());
            }
        }
        if !reply.starts_with(['2', '3']) {
            return Err(format!("{line}: {reply}"));
        }
    }
    Ok(())
}
