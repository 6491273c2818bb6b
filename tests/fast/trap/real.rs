//! net-snmp's own snmptrap and snmpinform against the daemon's listener on loopback. Skipped where they are not installed.

#![allow(clippy::disallowed_methods)] // real tools live in real time

use super::PASSWORD;
use hinomi::daemon::{Handle, RunOptions, start};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SNMPTRAP: &str = "/usr/bin/snmptrap";
const SNMPINFORM: &str = "/usr/bin/snmpinform";
const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";
const V3: [&str; 12] = [
    "-v3", "-l", "authPriv", "-u", "noc", "-a", "SHA-256", "-A", PASSWORD, "-x", "AES", "-X",
];

/// A running daemon with two devices, whose agents are sockets of this test: 127.0.0.1 speaks v2c, 127.0.0.2 v3.
struct Station {
    daemon: Handle,
    folder: PathBuf,
    agents: [UdpSocket; 2],
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Station {
    /// `None`, and a line that says so, without the tools.
    fn open(name: &str) -> Option<Station> {
        if !(Path::new(SNMPTRAP).exists() && Path::new(SNMPINFORM).exists()) {
            println!("skipped: needs snmptrap");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("hinomi-trap-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("tools")).unwrap();
        let agents = ["127.0.0.1", "127.0.0.2"].map(|ip| {
            let agent = UdpSocket::bind((ip, 0)).unwrap();
            agent.set_nonblocking(true).unwrap();
            agent
        });
        let config = folder.join("hinomi.toml");
        std::fs::write(&config, toml(&folder, &agents, "public")).unwrap();
        std::fs::set_permissions(&config, PermissionsExt::from_mode(0o600)).unwrap();
        let daemon = start(RunOptions { config, record: None }).unwrap();
        Some(Station { daemon, folder, agents })
    }

    /// Runs a tool; gives whether it was content.
    fn tool(&self, program: &str, source: &str, words: &[&str]) -> bool {
        let to = self.daemon.traps()[0].to_string();
        let status = Command::new(program)
            .args(words)
            .args([
                &format!("--clientaddr={source}"),
                "-t",
                "1",
                "-r",
                "1",
                &to,
                "12345",
                LINK_DOWN,
            ])
            .args(["1.3.6.1.2.1.2.2.1.1.3", "i", "3"])
            // What the tools keep (their boots) stays in the folder of this test.
            .env("SNMP_PERSISTENT_DIR", self.folder.join("tools"))
            .env("SNMPCONFPATH", self.folder.join("tools"))
            .env("MIBS", "")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        status.success()
    }

    /// `hinomi_traps_total{result="…"}`.
    fn count(&self, result: &str) -> u64 {
        let mut stream = TcpStream::connect(self.daemon.metrics()).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let name = format!("hinomi_traps_total{{result=\"{result}\"}} ");
        let line = text.lines().find_map(|l| l.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name} is not in /metrics"))
            .parse()
            .unwrap()
    }

    /// The count when it has come this far, or after 5 s.
    fn await_count(&self, result: &str, wanted: u64) -> u64 {
        let began = Instant::now();
        loop {
            let count = self.count(result);
            if count >= wanted || began.elapsed() > Duration::from_secs(5) {
                return count;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Is this agent asked something within 2 s?
    fn asked(&self, agent: usize) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            if self.agents[agent].recv(&mut [0; 2048]).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn drain(&self) {
        for agent in &self.agents {
            while agent.recv(&mut [0; 2048]).is_ok() {}
        }
    }
}

fn toml(folder: &Path, agents: &[UdpSocket; 2], community: &str) -> String {
    let port = |i: usize| agents[i].local_addr().unwrap().port();
    format!(
        "[operator]\nname = \"Test\"\n[daemon]\nstate = \"{}\"\nlisten = \"127.0.0.1:0\"\n\
         [poll]\ninterval = \"1h\"\n\
         [traps]\nlisten = [\"127.0.0.1:0\"]\n\
         [snmp.two]\nversion = \"2c\"\ncommunity = \"{community}\"\nport = {}\n\
         [snmp.three]\nversion = \"3\"\nuser = \"noc\"\nauth = {{ protocol = \"sha256\", password = \"{PASSWORD}\" }}\n\
         privacy = {{ protocol = \"aes128\", password = \"{PASSWORD}\" }}\nport = {}\n\
         [[device]]\nname = \"edge\"\naddress = \"127.0.0.1\"\nsnmp = \"two\"\nliveness = \"none\"\n\
         [[device]]\nname = \"core\"\naddress = \"127.0.0.2\"\nsnmp = \"three\"\nliveness = \"none\"\n",
        folder.join("state").display(),
        port(0),
        port(1),
    )
}

#[test]
fn what_the_real_tools_send_is_believed_and_its_device_is_asked_at_once() {
    let Some(station) = Station::open("believed") else {
        return;
    };
    let v3: Vec<&str> = V3.into_iter().chain([PASSWORD]).collect();
    station.drain();
    // The v1 tool has other arguments: enterprise, agent, generic, specific, uptime.
    let v1 = Command::new(SNMPTRAP)
        .args(["-v1", "-c", "public", &station.daemon.traps()[0].to_string()])
        .args(["1.3.6.1.4.1.9.1.1", "192.0.2.77", "2", "0", "12345"])
        .env("SNMP_PERSISTENT_DIR", station.folder.join("tools"))
        .env("MIBS", "")
        .status();
    assert!(v1.unwrap().success());
    assert!(
        station.asked(0),
        "v1: the agent is asked though its next round is an hour away"
    );
    assert!(station.tool(SNMPTRAP, "127.0.0.1", &["-v2c", "-c", "public"]));
    assert_eq!(station.await_count("accepted", 2), 2);
    assert!(station.tool(SNMPTRAP, "127.0.0.2", &v3));
    assert_eq!(station.await_count("accepted", 3), 3);
    assert!(station.asked(1), "v3: the agent is asked");
    assert!(
        station.tool(SNMPINFORM, "127.0.0.1", &["-v2c", "-c", "public"]),
        "the inform of v2c was not answered"
    );
    assert_eq!(station.await_count("accepted", 4), 4);
    assert!(
        station.tool(SNMPINFORM, "127.0.0.2", &v3),
        "the inform of v3 was not answered"
    );
    assert_eq!(station.await_count("accepted", 5), 5);
    assert!(station.count("discovery") > 0, "the tool has discovered our engine");
    for result in [
        "malformed",
        "wrong_community",
        "unauthenticated",
        "not_in_time_window",
        "unknown_source",
    ] {
        assert_eq!(station.count(result), 0, "{result}");
    }
}

#[test]
fn what_must_not_be_believed_is_not_and_its_inform_is_not_answered() {
    let Some(station) = Station::open("refused") else {
        return;
    };
    station.drain();
    let wrong: Vec<&str> = V3
        .into_iter()
        .chain([PASSWORD])
        .map(|w| if w == PASSWORD { "another-password" } else { w })
        .collect();
    let right: Vec<&str> = V3.into_iter().chain([PASSWORD]).collect();
    assert!(!station.tool(SNMPINFORM, "127.0.0.1", &["-v2c", "-c", "private"]));
    assert!(station.await_count("wrong_community", 1) >= 1);
    assert!(!station.tool(SNMPINFORM, "127.0.0.2", &wrong));
    assert!(station.await_count("unauthenticated", 1) >= 1);
    assert!(!station.tool(SNMPINFORM, "127.0.0.9", &right));
    assert!(station.await_count("unknown_source", 1) >= 1);
    assert!(
        station.tool(SNMPTRAP, "127.0.0.2", &["-v2c", "-c", "public"]),
        "a trap is never answered"
    );
    assert_eq!(station.count("accepted"), 0);
    assert!(!station.asked(0) && !station.asked(1), "nobody is asked for it");
}

#[test]
fn a_reload_changes_the_community_and_keeps_the_socket() {
    let Some(station) = Station::open("reload") else { return };
    let v3: Vec<&str> = V3.into_iter().chain([PASSWORD]).collect();
    let config = station.folder.join("hinomi.toml");
    let at = station.daemon.traps().to_vec();
    std::fs::write(&config, toml(&station.folder, &station.agents, "another")).unwrap();
    station.daemon.reload(false).unwrap();
    assert!(station.tool(SNMPINFORM, "127.0.0.1", &["-v2c", "-c", "another"]));
    assert!(!station.tool(SNMPINFORM, "127.0.0.1", &["-v2c", "-c", "public"]));
    assert_eq!(station.daemon.traps(), at);
    assert!(station.tool(SNMPINFORM, "127.0.0.2", &v3));
    let text = std::fs::read_to_string(station.folder.join("state/snmp-engine.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(kept["boots"], 1, "one more at the next start");
}
