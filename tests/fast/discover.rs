//! `hinomi discover` from outside: against the real snmpd, and against agents that pose as other makes. What it prints must check clean.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a real agent lives in real time"
)]

use crate::agent::fake::Fake;
use crate::profiles::{fixture, oid, text, value};
use async_snmp::{Oid, Value};
use hinomi::config::{Host, load_with};
use hinomi::model::Mono;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A folder with the community of the agents.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, community: &[u8]) -> Folder {
        let path = std::env::temp_dir().join(format!("hinomi-discover-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("community"), community).unwrap();
        Folder(path)
    }

    fn discover(&self, port: u16) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_hinomi"))
            .args([
                "discover",
                "127.0.0.1",
                "--name",
                "edge \"a\"",
                "--port",
                &port.to_string(),
                "--community",
            ])
            .arg(self.0.join("community"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!shown.contains("s3cret-community"), "a secret was printed: {shown}");
        output
    }

    /// The stanza, pasted into a configuration, checks without an error.
    fn stanza(&self, port: u16) -> (String, hinomi::model::Site) {
        let output = self.discover(port);
        let (stanza, told) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{told}");
        assert_eq!(told, "", "no progress where no terminal is");
        let main = self.0.join("hinomi.toml");
        std::fs::write(&main, format!("[operator]\nname = \"x\"\n\n{stanza}")).unwrap();
        let loaded = load_with(&main, &Host::new().without_secrets());
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        let site = loaded
            .site
            .unwrap_or_else(|| panic!("{stanza}\n{}", problems.join("\n")));
        (stanza, site)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An agent on loopback, until it goes out of scope.
struct Posed {
    port: u16,
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Posed {
    fn new(fake: Fake) -> Posed {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let serve = move || {
            let mut buffer = [0; 65_536];
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let answer = fake.answer(&Fake::read(&buffer[..length]), Mono(0));
                socket.send_to(&answer, from).unwrap();
            }
        };
        Posed {
            port,
            ends,
            thread: Some(std::thread::spawn(serve)),
        }
    }
}

impl Drop for Posed {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// An agent that poses as this profile's make.
fn posing(profile: &str) -> Fake {
    let all = fixture("posed.toml", "agent");
    let posed = all.iter().find(|a| text(a, "profile") == profile).unwrap();
    let mut fake = Fake::new();
    fake.objects.retain(|oid, _| !oid.starts_with(&[1, 3, 6, 1, 2, 1, 25]));
    let id = Value::ObjectIdentifier(Oid::from_slice(&oid(text(posed, "object_id"))));
    fake.set(&[1, 3, 6, 1, 2, 1, 1, 2, 0], id);
    if posed.contains_key("sys_descr") {
        let words = text(posed, "sys_descr").as_bytes().to_vec();
        fake.set(&[1, 3, 6, 1, 2, 1, 1, 1, 0], Value::OctetString(words.into()));
    }
    for (object, posed) in posed["objects"].as_table().unwrap() {
        fake.set(&oid(object), value(posed));
    }
    fake
}

#[test]
fn the_real_snmpd_becomes_a_stanza_that_checks() {
    let Some(snmpd) = crate::snmpd::start("discover", "") else {
        return;
    };
    let folder = Folder::new("snmpd", b"public\n");
    let (stanza, site) = folder.stanza(snmpd.port());
    let device = &site.devices[0];
    assert_eq!(
        (&*device.name, device.profile.as_deref()),
        ("edge \"a\"", Some("net-snmp"))
    );
    assert!(device.interfaces.iter().any(|i| &*i.pattern == "lo"), "{stanza}");
    // net-snmp has no processor load in its first minute.
    assert!(stanza.contains("memory ") && stanza.contains("load5 "), "{stanza}");
    assert!(stanza.contains("tells no redundancy"), "{stanza}");
}

#[test]
fn other_makes_are_told_with_their_interfaces_and_redundancy() {
    let mut cisco = posing("cisco-ios");
    cisco.port(9, "GigabitEthernet0/9", 9_000);
    cisco.port(10, "weird*\"name", 9_000);
    cisco.set(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8, 2], Value::Integer(2));
    cisco.set(
        &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18, 9],
        Value::OctetString(b"to PE-1\n[[device]]\x1b[2J".to_vec().into()),
    );
    cisco.set(&oid("1.3.6.1.4.1.9.9.106.1.2.1.1.15.9.10"), Value::Integer(6));
    cisco.set(&oid("1.3.6.1.2.1.15.3.1.2.198.51.100.1"), Value::Integer(6));
    cisco.set(&oid("1.3.6.1.2.1.14.10.1.6.192.0.2.9.0"), Value::Integer(8));
    cisco.set(&oid("1.2.840.10006.300.43.1.2.1.1.13.1"), Value::Integer(0));
    cisco.set(&oid("1.2.840.10006.300.43.1.2.1.1.13.9"), Value::Integer(1));
    let agent = Posed::new(cisco);
    let folder = Folder::new("cisco", b"s3cret-community\n");
    let (stanza, site) = folder.stanza(agent.port);
    let device = &site.devices[0];
    assert_eq!(device.profile.as_deref(), Some("cisco-ios"));
    let names: Vec<&str> = device.interfaces.iter().map(|i| &*i.pattern).collect();
    assert_eq!(
        names,
        ["GigabitEthernet0/9", "a"],
        "down and odd ones are comments: {stanza}"
    );
    for wanted in [
        "# 127.0.0.1: Cisco IOS, IOS-XE, verified objects.",
        "cpu 71.0 % (cpu 2), memory 75.0 % (memory 1)",
        "temperature 38.5 C (Switch 1 Inlet)",
        "hsrp GigabitEthernet0/9 10 active  (CISCO-HSRP-MIB)",
        "bgp  198.51.100.1 established  (BGP4-MIB (RFC 4273))",
        "ospf 192.0.2.9 full  (OSPF-MIB (RFC 4750))",
        "# kind = \"hsrp\"",
        "# members = ['edge \"a\"', \"NAME OF THE OTHER DEVICE\"]",
        "# sysObjectID: 1.3.6.1.4.1.9.1",
        "lag  GigabitEthernet0/9 1  (link aggregation",
        "1.00 Gbit/s, up, \"to PE-1",
    ] {
        assert!(stanza.contains(wanted), "{wanted}\n{stanza}");
    }
    assert!(!stanza.contains("GigabitEthernet0/9 0"), "{stanza}");
    assert!(
        !stanza.contains("\n[[device]]\u{fffd}"),
        "a device's text stays inside its comment: {stanza}"
    );
}

/// An agent that answers these objects, and says who it is.
fn agent(id: &str, description: &str, objects: &[(&str, Value)]) -> Posed {
    let mut fake = Fake::new();
    fake.objects.retain(|oid, _| !oid.starts_with(&[1, 3, 6, 1, 2, 1, 25]));
    let id = Value::ObjectIdentifier(Oid::from_slice(&oid(id)));
    fake.set(&[1, 3, 6, 1, 2, 1, 1, 2, 0], id);
    let text = |text: &str| Value::OctetString(text.as_bytes().to_vec().into());
    fake.set(&[1, 3, 6, 1, 2, 1, 1, 1, 0], text(description));
    for (object, value) in objects {
        fake.set(&oid(object), value.clone());
    }
    Posed::new(fake)
}

fn words(text: &str) -> Value {
    Value::OctetString(text.as_bytes().to_vec().into())
}

#[test]
fn what_the_daemon_reads_of_a_cluster_is_printed_and_written_as_a_group() {
    let agent = agent(
        "1.3.6.1.4.1.25461.2.3.54",
        "Example firewall\n  of a series",
        &[
            ("1.3.6.1.4.1.25461.2.1.2.1.11.0", words("active")),
            ("1.3.6.1.4.1.25461.2.1.2.1.12.0", words("passive")),
        ],
    );
    let folder = Folder::new("panos-ha", b"s3cret-community\n");
    let (stanza, site) = folder.stanza(agent.port);
    for wanted in [
        "# sysObjectID: 1.3.6.1.4.1.25461.2.3.54",
        "# sysDescr: Example firewall of a series",
        "ha   own unit active  (PAN-COMMON-MIB",
        "ha   peer unit standby  (PAN-COMMON-MIB",
        "answered nothing: cpu",
    ] {
        assert!(stanza.contains(wanted), "{wanted}\n{stanza}");
    }
    let group = &site.redundancy[0];
    assert_eq!((group.kind.key(), group.members.len()), ("ha", 1), "{stanza}");
}

#[test]
fn neighbours_over_ipv6_are_told_by_their_addresses() {
    let state = "1.3.6.1.4.1.30065.4.1.1.2.1.13.1";
    let v6 = format!("{state}.2.16.32.1.13.184.0.5.0.64.0.0.0.0.0.18.0.1");
    let local = format!("{state}.4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.0.0.3");
    let v4 = format!("{state}.1.4.192.0.2.9");
    let objects = [
        (&*v4, Value::Integer(6)),
        (&*v6, Value::Integer(3)),
        (&*local, Value::Integer(6)),
    ];
    let agent = agent("1.3.6.1.4.1.30065.1", "Example switch", &objects);
    let folder = Folder::new("bgp-v6", b"s3cret-community\n");
    let (stanza, _) = folder.stanza(agent.port);
    for wanted in [
        "bgp  192.0.2.9 established  (ARISTA-BGP4V2-MIB)",
        "bgp  2001:db8:5:40::12:1 active  (ARISTA-BGP4V2-MIB)",
        "bgp  fe80::7 established  (ARISTA-BGP4V2-MIB)",
        "peer = \"2001:db8:5:40::12:1\" }",
    ] {
        assert!(stanza.contains(wanted), "{wanted}\n{stanza}");
    }
}

#[test]
fn aggregates_and_instances_on_many_interfaces_are_told_by_their_interfaces() {
    let name = |index: u32, name: &'static str| (format!("1.3.6.1.2.1.31.1.1.1.1.{index}"), words(name));
    let hsrp = |index: u32, role: i32| {
        (
            format!("1.3.6.1.4.1.9.9.106.1.2.1.1.15.{index}.1"),
            Value::Integer(role),
        )
    };
    let all = [name(40, "Vl40"), name(50, "Vl50"), hsrp(40, 6), hsrp(50, 5)];
    let objects: Vec<(&str, Value)> = all.iter().map(|(oid, value)| (&**oid, value.clone())).collect();
    let agent = agent("1.3.6.1.4.1.9.1.1745", "Cisco IOS Software, example", &objects);
    let folder = Folder::new("hsrp-vlans", b"s3cret-community\n");
    let (stanza, _) = folder.stanza(agent.port);
    assert!(
        stanza.contains("hsrp Vl40 1 active  (") && stanza.contains("hsrp Vl50 1 standby  ("),
        "{stanza}"
    );
}

#[test]
fn a_make_without_verified_objects_says_so() {
    let agent = Posed::new(posing("fitelnet"));
    let folder = Folder::new("fitelnet", b"s3cret-community\n");
    let (stanza, site) = folder.stanza(agent.port);
    assert_eq!(site.devices[0].profile.as_deref(), Some("fitelnet"));
    assert!(stanza.contains("no verified objects of this make"), "{stanza}");
}

#[test]
fn what_shares_a_prefix_is_told_apart() {
    for profile in ["cisco-asa", "juniper-srx", "yamaha-swx", "ups-mib"] {
        let agent = Posed::new(posing(profile));
        let folder = Folder::new(profile, b"s3cret-community\n");
        let (_, site) = folder.stanza(agent.port);
        assert_eq!(site.devices[0].profile.as_deref(), Some(profile));
    }
}

#[test]
fn a_probe_lists_the_parts_that_are_well_too() {
    let agent = Posed::new(posing("nokia-sros"));
    let folder = Folder::new("probe", b"s3cret-community\n");
    let (stanza, _) = folder.stanza(agent.port);
    let main = folder.0.join("hinomi.toml");
    let device = format!("[operator]\nname = \"x\"\n\n{stanza}liveness = \"snmp\"\n");
    std::fs::write(&main, device).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hinomi"))
        .args(["probe", "edge \"a\"", "--config"])
        .arg(&main)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    let says = |words: &[&str]| shown.lines().any(|line| words.iter().all(|w| line.contains(w)));
    for line in [
        &["fan 1.1", "ok", "healthy"][..],
        &["fan 1.2", "failed"],
        &["AC power supply 1.2", "notEquipped", "healthy"],
        &["DC power supply 1.2", "outOfService", "failed"],
        &["temperature", "hardware", "44.0 C", "critical 75.0 C"],
    ] {
        assert!(says(line), "{line:?}\n{shown}\n{told}");
    }
}

#[test]
fn a_device_that_does_not_answer_is_told_in_words() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new("silent", b"s3cret-community\n");
    let output = folder.discover(silent.local_addr().unwrap().port());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("127.0.0.1 port") && told.contains("no answer"), "{told}");
}

#[test]
fn without_credentials_it_says_which_are_needed() {
    let output = Command::new(env!("CARGO_BIN_EXE_hinomi"))
        .args(["discover", "127.0.0.1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--snmp"));
    let folder = Folder::new("section", b"x");
    std::fs::write(folder.0.join("hinomi.toml"), "[operator]\nname = \"x\"\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hinomi"))
        .args(["discover", "127.0.0.1", "--snmp", "core", "--config"])
        .arg(folder.0.join("hinomi.toml"))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && told.contains("no section [snmp.core]"),
        "{told}"
    );
}
