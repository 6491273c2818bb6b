//! A small Debian with a real systemd: made once by mmdebstrap, booted by systemd-nspawn without a network but loopback. Each boot has
//! the same clean root below a layer in memory.

use crate::net::{output, run};
use crate::parts::{Folder, Running};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is in it beside what every Debian has.
const PACKAGES: &str =
    "systemd,systemd-sysv,opensmtpd,iproute2,procps,snmpd,snmp,binutils,ca-certificates,monitoring-plugins-basic";

/// A relay that keeps each mail as a file, an agent with a community of its own, and the name of the host.
pub(crate) const RELAY: &str = r#"
echo mon > /etc/hostname
hostname mon
printf '127.0.0.1 localhost\n127.0.1.1 mon.hst.example mon\n' > /etc/hosts
cat > /usr/local/bin/keep <<'KEEP'
#!/bin/sh
at=$(date +%s%N)
{ echo "X-Lab-Arrived: $at"; echo "X-Lab-Recipient: $1"; cat; } > /story/mail/$at.new && chmod 644 /story/mail/$at.new && mv /story/mail/$at.new /story/mail/$at.eml
KEEP
chmod 755 /usr/local/bin/keep
cat > /etc/smtpd.conf <<'SMTPD'
listen on 127.0.0.1 port 2525
table everybody { "@" = nobody }
action keep mda "/usr/local/bin/keep '%{rcpt}'" virtual <everybody>
match from any for any action keep
SMTPD
systemctl restart opensmtpd
printf 'agentAddress udp:127.0.0.1:161\nrocommunity a-credential\n' > /etc/snmp/snmpd.conf
systemctl restart snmpd
"#;

/// A running system.
#[derive(Debug)]
pub(crate) struct Debian {
    running: Running,
    leader: String,
}

/// The root file system, made if it is not there yet. It takes half a minute and some 400 MB below the target folder.
fn root() -> Result<PathBuf, String> {
    let release = std::fs::read_to_string("/etc/os-release").map_err(|e| format!("/etc/os-release: {e}"))?;
    let suite = release
        .lines()
        .find_map(|l| l.strip_prefix("VERSION_CODENAME="))
        .unwrap_or("bookworm");
    let mut hasher = DefaultHasher::new();
    (suite, PACKAGES).hash(&mut hasher);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("debian-{suite}-{:08x}", hasher.finish() as u32));
    if path.is_dir() {
        return Ok(path);
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&new);
    std::fs::create_dir_all(&new).map_err(|e| format!("{}: {e}", new.display()))?;
    let include = format!("--include={PACKAGES}");
    let made = run(
        "timeout",
        &[
            "900",
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            &include,
            suite,
            &new.display().to_string(),
        ],
    );
    if let Err(problem) = made {
        let _ = std::fs::remove_dir_all(&new);
        return Err(format!("mmdebstrap: {problem}"));
    }
    match std::fs::rename(&new, &path) {
        Ok(()) => Ok(path),
        // Another story was faster.
        Err(_) if path.is_dir() => std::fs::remove_dir_all(&new).map(|()| path).map_err(|e| e.to_string()),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

impl Debian {
    /// Boots it with these folders and files of the host inside (`--bind=…`, `--bind-ro=…`), and waits until it is up.
    pub(crate) fn boot(folder: &Folder, binds: &[String]) -> Result<Debian, String> {
        let directory = format!("--directory={}", root()?.display());
        let mut argv = vec![
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--console=pipe",
            "--volatile=overlay",
            &directory,
        ];
        argv.extend(binds.iter().map(String::as_str));
        argv.push("--boot");
        let running = Running::start(None, &folder.path().join("debian.log"), &[], &argv)?;
        let mut debian = Debian {
            running,
            leader: String::new(),
        };
        let began = Instant::now();
        loop {
            if let Some(status) = debian.running.ended() {
                return Err(format!("systemd-nspawn ended ({status}): {}", debian.running.tail(10)));
            }
            // While it sets the container up, systemd-nspawn has a child that is not the container's first process yet.
            debian.leader = debian.running.first_child().unwrap_or_default();
            if let Ok(state) = debian.run("systemctl is-system-running || true") {
                // Degraded: a unit of Debian's own that a container has no use for.
                if matches!(state.trim(), "running" | "degraded") {
                    return Ok(debian);
                }
            }
            if began.elapsed() > Duration::from_secs(120) {
                return Err(format!("the system does not come up: {}", debian.running.tail(20)));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A line of shell inside; its standard output if it succeeded.
    pub(crate) fn run(&self, line: &str) -> Result<String, String> {
        let environment = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let argv = [
            "--target",
            &self.leader,
            "--all",
            "--",
            "env",
            "-i",
            environment,
            "sh",
            "-ec",
            line,
        ];
        output("nsenter", &argv)
    }

    /// Whether the system's own network answers echoes: /proc/sys is read-only inside, and shows each network from within it.
    pub(crate) fn echoes(&self, answered: bool) -> Result<(), String> {
        let ignored = if answered { "0" } else { "1" };
        let line = format!("echo {ignored} > /proc/sys/net/ipv4/icmp_echo_ignore_all");
        crate::net::run(
            "nsenter",
            &["--target", &self.leader, "--net", "--", "sh", "-ec", &line],
        )
    }

    /// Repeats a line until it succeeds and `holds` of its output; the output.
    pub(crate) fn wait(&self, line: &str, limit: Duration, holds: impl Fn(&str) -> bool) -> Result<String, String> {
        let began = Instant::now();
        loop {
            let last = self.run(line);
            match last {
                Ok(text) if holds(&text) => return Ok(text),
                last if began.elapsed() > limit => {
                    return Err(format!("not within {} s: {line}: {last:?}", limit.as_secs()));
                }
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}
