//! The SNMP client against the real net-snmp agent, over real sockets on loopback. Skipped where snmpd is not installed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a real agent lives in real time

use crate::agent::site;
use hinomi::model::snmp::{AuthProtocol, Credentials, PrivacyProtocol, V3User};
use hinomi::model::{DeviceId, Mono, Now, Secret, Wall};
use hinomi::poll::agent::{AgentEvent, Agents};
use hinomi::poll::{AgentFailure, AgentReading, AgentRound, Channel, DropReason};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SNMPD: &str = "/usr/sbin/snmpd";
const AUTHS: [(AuthProtocol, &str); 5] = [
    (AuthProtocol::Sha1, "SHA"),
    (AuthProtocol::Sha224, "SHA-224"),
    (AuthProtocol::Sha256, "SHA-256"),
    (AuthProtocol::Sha384, "SHA-384"),
    (AuthProtocol::Sha512, "SHA-512"),
];
const PRIVACIES: [(PrivacyProtocol, &str); 3] = [
    (PrivacyProtocol::Aes128, "AES"),
    (PrivacyProtocol::Aes192, "AES-192"),
    (PrivacyProtocol::Aes256, "AES-256"),
];

/// A running snmpd; killed and cleaned up when it goes out of scope.
pub(crate) struct Snmpd {
    child: Child,
    dir: PathBuf,
    port: u16,
}

impl Snmpd {
    /// Where it listens on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Snmpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(dir: &std::path::Path, port: u16) -> Child {
    Command::new(SNMPD)
        .args(["-f", "-Ln", "-c"])
        .arg(dir.join("test.conf"))
        .args(["-I", "-smux,-dlmod,-notification"])
        .arg(format!("udp:127.0.0.1:{port}"))
        .env("SNMP_PERSISTENT_DIR", dir.join("state"))
        // It reads back what it has written only if it looks for its configuration there too.
        .env("SNMPCONFPATH", dir.join("state"))
        .env("MIBS", "")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts snmpd with a user for every protocol, named like `sha-256+aes`; `None` (and a line that says so) if it is missing.
pub(crate) fn start(name: &str, more: &str) -> Option<Snmpd> {
    if !std::path::Path::new(SNMPD).exists() {
        println!("skipped: needs snmpd");
        return None;
    }
    let dir = std::env::temp_dir().join(format!("hinomi-snmpd-{name}-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("state")).unwrap();
    std::fs::write(dir.join("test.conf"), config(more)).unwrap();
    let port = free_port();
    let child = spawn(&dir, port);
    let snmpd = Snmpd { child, dir, port };
    await_agent(port);
    Some(snmpd)
}

fn config(more: &str) -> String {
    let mut config = String::from("rocommunity public 127.0.0.1\ncreateUser plain\nrouser plain noauth\n");
    for (_, auth) in AUTHS {
        config.push_str(&format!(
            "createUser {auth}-only {auth} authpassword\nrouser {auth}-only auth\n"
        ));
        for (_, privacy) in PRIVACIES {
            let user = format!("{auth}+{privacy}");
            config.push_str(&format!(
                "createUser {user} {auth} authpassword {privacy} privpassword\nrouser {user} priv\n"
            ));
        }
    }
    config + more
}

fn await_agent(port: u16) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let mut poller = Poller::new(port, v2c("public"), &[]);
        if poller.round().outcome.is_ok() {
            return;
        }
    }
    panic!("snmpd does not answer on port {port}");
}

fn v2c(community: &str) -> Credentials {
    Credentials::V2c {
        community: Secret::new(community),
    }
}

fn v3(user: &str, auth: Option<(AuthProtocol, &str)>, privacy: Option<(PrivacyProtocol, &str)>) -> Credentials {
    Credentials::V3(V3User {
        user: user.into(),
        auth: auth.map(|(p, s)| (p, Secret::new(s))),
        privacy: privacy.map(|(p, s)| (p, Secret::new(s))),
        context: String::new(),
    })
}

/// Drives `Agents` over one real socket.
struct Poller {
    agents: Agents,
    socket: UdpSocket,
    began: Instant,
    datagrams: usize,
}

impl Poller {
    fn new(port: u16, credentials: Credentials, interfaces: &[&str]) -> Poller {
        Poller::with_timeout(port, credentials, interfaces, Duration::from_secs(1))
    }

    fn with_timeout(port: u16, credentials: Credentials, interfaces: &[&str], timeout: Duration) -> Poller {
        let mut device = site::device("snmpd", port, credentials, interfaces);
        device.poll.timeout = timeout;
        Poller {
            agents: Agents::new(site::site(vec![device]), [7; 32]),
            socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
            began: Instant::now(),
            datagrams: 0,
        }
    }

    fn now(&self) -> Now {
        Now {
            mono: Mono(u64::try_from(self.began.elapsed().as_micros()).unwrap()),
            wall: Wall(0),
        }
    }

    fn round(&mut self) -> AgentRound {
        self.datagrams = 0;
        self.agents.start_round(DeviceId(0), self.now());
        match self.run() {
            AgentEvent::Round(round) => round,
            other => panic!("{other:?}"),
        }
    }

    /// Nothing was refused but, on a busy machine, answers that came too late.
    fn undisturbed(&self) -> bool {
        self.agents
            .dropped()
            .keys()
            .all(|reason| *reason == DropReason::UnknownRequest)
    }

    fn reading(&mut self) -> AgentReading {
        *self.round().outcome.unwrap()
    }

    fn run(&mut self) -> AgentEvent {
        let mut channel = Channel::Udp(0);
        loop {
            for event in self.agents.events() {
                match event {
                    AgentEvent::Send { channel: on, to, bytes } => {
                        channel = on;
                        self.datagrams += 1;
                        self.socket.send_to(&bytes, to).unwrap();
                    }
                    done => return done,
                }
            }
            let now = self.now();
            let wait = self.agents.next_wakeup().since(now.mono).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            let mut buffer = [0; 65_536];
            if let Ok((n, from)) = self.socket.recv_from(&mut buffer) {
                let now = self.now();
                self.agents.take(channel, from, now.mono, &buffer[..n], now);
            }
            let now = self.now();
            self.agents.wake(now);
        }
    }
}

#[test]
fn v1_and_v2c_read_profile_and_interfaces() {
    let Some(snmpd) = start("community", "") else { return };
    let v1 = Credentials::V1 {
        community: Secret::new("public"),
    };
    for credentials in [v2c("public"), v1] {
        let mut poller = Poller::new(snmpd.port, credentials, &["lo", "no-such-port"]);
        for round in 0..2 {
            let reading = poller.reading();
            assert_eq!(
                reading.profile.as_ref().map(|p| &*p.name),
                Some("net-snmp"),
                "round {round}"
            );
            assert!(reading.uptime.is_some());
            assert!(
                reading.scalars.iter().filter(|s| s.value.is_some()).count() >= 5,
                "{:?}",
                reading.scalars
            );
            assert_eq!(reading.interfaces.len(), 1);
            let lo = &reading.interfaces[0];
            assert_eq!((&*lo.name, lo.admin, lo.oper), ("lo", Some(1), Some(1)));
            assert!(lo.in_octets.is_some() && lo.packets.is_some() && lo.errors.is_some() && lo.discards.is_some());
            assert_eq!(
                reading.missing.iter().map(|n| &**n).collect::<Vec<_>>(),
                ["no-such-port"]
            );
        }
        assert!(
            poller.datagrams <= 2,
            "a settled round needs no walk: {} datagrams",
            poller.datagrams
        );
        assert!(poller.undisturbed(), "{:?}", poller.agents.dropped());
    }
}

#[test]
fn v3_in_every_level_and_protocol() {
    let Some(snmpd) = start("v3", "") else { return };
    let mut done = Vec::new();
    let mut poll = |name: &str, credentials| {
        let mut poller = Poller::new(snmpd.port, credentials, &["lo"]);
        let round = poller.round();
        assert!(
            round.outcome.is_ok(),
            "{name}: {:?} {:?}",
            round.outcome,
            poller.agents.dropped()
        );
        assert!(poller.undisturbed(), "{name}: {:?}", poller.agents.dropped());
        done.push(name.to_owned());
    };
    poll("plain", v3("plain", None, None));
    for (auth, auth_name) in AUTHS {
        let name = format!("{auth_name}-only");
        poll(&name, v3(&name, Some((auth, "authpassword")), None));
        for (privacy, privacy_name) in PRIVACIES {
            let name = format!("{auth_name}+{privacy_name}");
            poll(
                &name,
                v3(&name, Some((auth, "authpassword")), Some((privacy, "privpassword"))),
            );
        }
    }
    assert_eq!(done.len(), 21);
}

#[test]
fn wrong_user_key_and_privacy_are_three_different_failures() {
    let Some(snmpd) = start("wrong", "") else { return };
    let (auth, privacy) = (AuthProtocol::Sha256, PrivacyProtocol::Aes128);
    let failure = |user: &str, key: &str, privacy: Option<(PrivacyProtocol, &str)>| {
        let credentials = v3(user, Some((auth, key)), privacy);
        let mut poller = Poller::with_timeout(snmpd.port, credentials, &[], Duration::from_millis(500));
        (poller.round().outcome.map(|_| ()), poller.agents.dropped().clone())
    };
    let good = Some((privacy, "privpassword"));
    assert_eq!(
        failure("nobody", "authpassword", good).0,
        Err(AgentFailure::UnknownUser)
    );
    assert_eq!(
        failure("SHA-256+AES", "wrongpassword", good).0,
        Err(AgentFailure::WrongKey)
    );
    let wrong = Some((privacy, "wrongpassword"));
    assert_eq!(
        failure("SHA-256+AES", "authpassword", wrong).0,
        Err(AgentFailure::WrongPrivacy)
    );
    assert_eq!(
        failure("SHA-256-only", "authpassword", good).0,
        Err(AgentFailure::UnsupportedLevel)
    );
    assert_eq!(failure("SHA-256+AES", "authpassword", good).0, Ok(()));
}

#[test]
fn an_engine_that_restarts_or_is_replaced_costs_no_round() {
    let Some(mut snmpd) = start("restart", "") else { return };
    let user = v3(
        "SHA-256+AES",
        Some((AuthProtocol::Sha256, "authpassword")),
        Some((PrivacyProtocol::Aes128, "privpassword")),
    );
    let mut poller = Poller::new(snmpd.port, user, &["lo"]);
    let mut boots = vec![poller.reading().engine.unwrap().0];
    // Restarted, replaced, then restarted ten times.
    for replaced in [false, true].into_iter().chain([false; 10]) {
        // The agent writes its boots and engine id when it is asked to stop.
        let pid = rustix::process::Pid::from_child(&snmpd.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        snmpd.child.wait().unwrap();
        if replaced {
            // A new box with the old configuration: another engine id, boots from the beginning.
            std::fs::remove_dir_all(snmpd.dir.join("state")).unwrap();
            std::fs::create_dir(snmpd.dir.join("state")).unwrap();
            std::fs::write(snmpd.dir.join("test.conf"), config("engineID hinomi-replaced\n")).unwrap();
        }
        snmpd.child = spawn(&snmpd.dir, snmpd.port);
        await_agent(snmpd.port);
        let reading = poller.reading();
        assert_eq!(reading.interfaces.len(), 1);
        boots.push(reading.engine.unwrap().0);
    }
    assert!(boots[1] > boots[0], "{boots:?}");
    assert!(boots[2] <= boots[1], "{boots:?}");
    assert!(boots[2..].windows(2).all(|pair| pair[1] > pair[0]), "{boots:?}");
    assert_eq!(boots.len(), 13);
}
