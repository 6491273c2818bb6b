//! The program from outside: verbs, exit codes, signals, what is printed, and what must never be.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads the clock to see that it ends in time"
)]

mod first_hour;
mod holds;
mod isolate;
mod orders;
mod readme;
mod record;
mod watches;

use crate::relay::{Relay, Script};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Stands in the configuration as a community and must not stand in anything that comes out.
const SECRET: &str = "Geheim-7Q9x";

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hinomi-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn config(&self) -> PathBuf {
        self.0.join("hinomi.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
        std::fs::set_permissions(self.config(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A site that needs no privilege and no peer: agents on ports where nobody listens.
fn site(devices: &[&str]) -> String {
    let mut text = format!(
        r#"
[operator]
name = "Test Network"
language = "en"
timezone = "UTC"

[daemon]
state = "state"
listen = "127.0.0.1:0"

[poll]
interval = "1s"
timeout = "300ms"
confirm = {{ echoes = 2, over = "300ms" }}

[snmp.none]
version = "2c"
community = "{SECRET}"
port = 1

[[contact]]
name = "noc"
party = "own"
mail = ["noc@example.net"]

[[procedure]]
name = "all"
tell = ["noc"]
"#
    );
    for name in devices {
        text.push_str(&format!(
            "\n[[device]]\nname = \"{name}\"\naddress = \"127.0.0.1\"\nsnmp = \"none\"\nliveness = \"snmp\"\n"
        ));
    }
    text
}

fn hinomi(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hinomi"));
    command.args(words).stdin(Stdio::null());
    for name in [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "JOURNAL_STREAM",
        "RUST_LOG",
        "HINOMI_LOG",
        "RUNTIME_DIRECTORY",
    ] {
        command.env_remove(name);
    }
    command
}

fn run(words: &[&str]) -> Output {
    let output = hinomi(words).output().unwrap();
    no_secret(&output.stdout);
    no_secret(&output.stderr);
    output
}

fn no_secret(bytes: &[u8]) {
    assert!(!String::from_utf8_lossy(bytes).contains(SECRET), "a secret was printed");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A daemon that is ended with the test.
struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    listen: SocketAddr,
}

impl Daemon {
    fn start(config: &Path) -> Daemon {
        Daemon::start_with(config, &[])
    }

    fn start_with(config: &Path, env: &[(&str, &str)]) -> Daemon {
        let mut command = hinomi(&["run", "--config", config.to_str().unwrap()]);
        command.envs(env.iter().copied());
        Daemon::spawn(command)
    }

    fn spawn(mut command: Command) -> Daemon {
        let mut child = command
            .env("HINOMI_LOG", "trace")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut daemon = Daemon {
            child,
            log,
            listen: ([0, 0, 0, 0], 0).into(),
        };
        let line = daemon.wait_for("listening at=");
        let at = line.split("listening at=").nth(1).unwrap();
        daemon.listen = at.trim().parse().unwrap();
        daemon
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The first line of the log with these words in it.
    fn wait_for(&self, words: &str) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(line) = self.log().lines().find(|l| l.contains(words)) {
                return line.to_owned();
            }
            assert!(Instant::now() < until, "no \"{words}\" in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.listen).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        no_secret(answer.as_bytes());
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body(&answer))
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Exit code and how long it took, after a signal.
    fn end(&mut self, signal: &str) -> (Option<i32>, Duration) {
        self.signal(signal);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("did not end; log:\n{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            no_secret(self.log().as_bytes());
        }
    }
}

/// The body of an answer, with chunks joined.
fn body(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return rest.to_owned();
    }
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    whole
}

#[test]
fn the_version_is_printed_and_help_names_the_exit_codes() {
    let version = run(&["version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(text(&version.stdout), format!("hinomi {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for verb in [
        "run",
        "check",
        "reload",
        "probe",
        "status",
        "incidents",
        "explain",
        "route-test",
        "alarm",
    ] {
        assert!(
            text(&help.stdout).contains(&format!("\n  {verb} ")),
            "{verb} is missing"
        );
    }
    assert!(text(&help.stdout).contains("Exit codes:"));
}

#[test]
fn a_mistake_on_the_command_line_is_2_and_goes_to_standard_error() {
    let output = run(&["sattus"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(
        text(&output.stderr).contains("status"),
        "no suggestion: {}",
        text(&output.stderr)
    );
}

#[test]
fn without_a_daemon_every_question_says_how_to_start_it() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let config = folder.config();
    let config = config.to_str().unwrap();
    for words in [
        vec!["status"],
        vec!["incidents"],
        vec!["incidents", "show", "1"],
        vec!["incidents", "ack", "1", "--by", "x"],
        vec!["explain", "a"],
        vec!["reload"],
    ] {
        let output = run(&[&words[..], &["--config", config]].concat());
        assert_eq!(output.status.code(), Some(3), "{words:?}: {}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(
            said.contains("hinomi is not running") && said.contains("systemctl start hinomi"),
            "{said}"
        );
        assert!(said.contains(folder.0.join("state").to_str().unwrap()), "{said}");
    }
}

#[test]
fn a_broken_configuration_is_refused_with_all_its_mistakes_and_2() {
    let folder = Folder::new();
    folder.write(&site(&["a", "a"]).replace("interval", "intervall"));
    let output = run(&["run", "--config", folder.config().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("intervall") && said.contains("did you mean"), "{said}");
    assert!(said.contains("nothing was started"), "{said}");
    assert!(
        !folder.0.join("state").exists(),
        "nothing is made for a configuration that is refused"
    );
}

#[test]
fn a_state_directory_without_parent_is_refused_in_words() {
    let folder = Folder::new();
    folder.write(&site(&["a"]).replace("state = \"state\"", "state = \"not/there\""));
    let output = run(&["run", "--config", folder.config().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("cannot use the state directory"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_daemon_answers_status_and_metrics_and_ends_within_two_seconds() {
    let folder = Folder::new();
    folder.write(&site(&["edge-a", "東京"]));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let mut daemon = Daemon::start(&folder.config());

    assert_eq!(daemon.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(daemon.get("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(daemon.get("/").0, 404);
    let (code, metrics) = daemon.get("/metrics");
    assert_eq!(code, 200);
    assert!(
        metrics.contains("\nhinomi_config_last_reload_successful 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nhinomi_outbox_pending{level=\"critical\"} 0\n"),
        "{metrics}"
    );
    promtool(&metrics);

    let status = run(&["status", "--config", config]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    assert!(text(&status.stdout).contains("DEVICE"), "{}", text(&status.stdout));
    let json = run(&["status", "--json", "--config", config]);
    let parsed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(parsed.get("devices").is_some());
    assert_eq!(
        run(&["incidents", "ack", "77", "--by", "x", "--config", config])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(run(&["explain", "nobody", "--config", config]).status.code(), Some(1));

    let state = folder.0.join("state");
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("control")), 0o600);
    assert_eq!(mode(&state.join("last-good/files.json")), 0o600);

    let (code, took) = daemon.end("-TERM");
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(daemon.log().contains("stopped"));
}

/// Lines on a device that does not answer: nobody knows how they are.
#[test]
fn circuits_are_counted_for_people_told_by_name_and_stand_on_metrics() {
    let folder = Folder::new();
    let row = |n: u32| format!("N-{n:04},{n},Clinic {n},east,device,a,ge-0/0/{n},always,active\n");
    let rows: String = (0..30).map(row).collect();
    std::fs::write(
        folder.0.join("circuits.csv"),
        format!("id,institution_id,institution,carrier,measure,device,interface,power,status\n{rows}"),
    )
    .unwrap();
    folder.write(&(site(&["a"]) + "\n[circuits]\nfile = \"circuits.csv\"\n"));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let daemon = Daemon::start(&folder.config());

    let status = run(&["status", "--config", config]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    assert!(
        text(&status.stdout).contains("30 circuits: "),
        "{}",
        text(&status.stdout)
    );
    assert!(!text(&status.stdout).contains("N-0004"), "a nation is not printed");
    let json = run(&["status", "--json", "--config", config]);
    let parsed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let states = parsed["circuits"]["states"].as_object().unwrap();
    assert_eq!(states.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 30);
    assert_eq!(parsed["devices"].as_array().unwrap().len(), 1);

    let explained = run(&["explain", "N-0004", "--config", config]);
    let said = text(&explained.stdout);
    assert_eq!(explained.status.code(), Some(0), "{}", text(&explained.stderr));
    assert!(
        said.contains("Clinic 4 (4)") && said.contains("on a, port ge-0/0/4"),
        "{said}"
    );
    let one = run(&["status", "N-0004", "--config", config]);
    assert_eq!((one.status.code(), text(&one.stdout).lines().count()), (Some(0), 3));
    let nobody = run(&["explain", "N-9999", "--config", config]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        text(&nobody.stderr).contains("no device and no circuit \"N-9999\""),
        "{}",
        text(&nobody.stderr)
    );

    let (code, metrics) = daemon.get("/metrics");
    assert_eq!(code, 200);
    for wanted in [
        "\nhinomi_circuit_info{circuit=\"N-0004\",institution_id=\"4\",institution=\"Clinic 4\",class=\"user\",carrier=\"east\",role=\"main\",line_device=\"a\",port=\"ge-0/0/4\"} 1\n",
        "\nhinomi_circuit_state{circuit=\"N-0029\",institution_id=\"29\"} ",
        "\nhinomi_kernel_dropped_total{socket=\"udp\"} 0\n",
    ] {
        assert!(metrics.contains(wanted), "{wanted}{metrics}");
    }
    promtool(&metrics);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Prometheus's own parser must take what is exposed; its lint may complain of nothing but the compatible names.
fn promtool(metrics: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: needs promtool");
        return;
    };
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    let unexpected: Vec<&str> = said
        .lines()
        .filter(|l| {
            !["ifHC", "ifOper", "ifAdmin", "ifHigh", "sysUpTime"]
                .iter()
                .any(|n| l.starts_with(n))
        })
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_and_the_first_lives() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let daemon = Daemon::start(&folder.config());
    let second = run(&["run", "--config", folder.config().to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains("another hinomi runs"), "{said}");
    assert!(said.contains(&format!("process {}", daemon.child.id())), "{said}");
    assert_eq!(daemon.get("/healthz").0, 200);
}

#[test]
fn a_killed_daemon_leaves_nothing_that_stops_the_next() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let mut first = Daemon::start(&folder.config());
    first.end("-KILL");
    let config = folder.config();
    let incidents = run(&["incidents", "--config", config.to_str().unwrap()]);
    assert_eq!(
        incidents.status.code(),
        Some(0),
        "its ledger can be read: {}",
        text(&incidents.stderr)
    );
    assert!(
        text(&incidents.stderr).contains("hinomi is not running"),
        "and that is said"
    );
    let second = Daemon::start(&folder.config());
    assert_eq!(second.get("/healthz").0, 200);
}

#[test]
fn a_reload_takes_a_good_file_and_refuses_a_bad_one() {
    let folder = Folder::new();
    folder.write(&site(&["a", "b", "c"]));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let daemon = Daemon::start(&folder.config());

    folder.write(&site(&["a", "b", "c", "d"]));
    let good = run(&["reload", "--config", config]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert!(
        text(&good.stdout).contains("4 devices (1 new, 0 gone, 0 changed)"),
        "{}",
        text(&good.stdout)
    );

    folder.write(&(site(&["a"]) + "\nnonsense = 1\n"));
    let bad = run(&["reload", "--config", config]);
    assert_eq!(bad.status.code(), Some(2));
    let said = text(&bad.stderr);
    assert!(
        said.contains("the old configuration runs on") && said.contains("nonsense"),
        "{said}"
    );
    assert!(
        daemon
            .get("/metrics")
            .1
            .contains("\nhinomi_config_last_reload_successful 0\n")
    );
    let (code, why) = daemon.get("/readyz");
    assert_eq!(code, 503);
    assert!(why.contains("configuration"), "{why}");

    folder.write(&site(&["a"]));
    let most_gone = run(&["reload", "--config", config]);
    assert_eq!(most_gone.status.code(), Some(2));
    assert!(
        text(&most_gone.stderr).contains("--force"),
        "{}",
        text(&most_gone.stderr)
    );
    let forced = run(&["reload", "--force", "--config", config]);
    assert_eq!(forced.status.code(), Some(0), "{}", text(&forced.stderr));
    assert_eq!(daemon.get("/readyz").0, 200);

    folder.write(&site(&["a", "b"]));
    daemon.signal("-HUP");
    daemon.wait_for("2 devices (1 new, 0 gone");
}

#[test]
fn circuits_and_devices_that_would_be_gone_are_counted_apart() {
    let folder = Folder::new();
    let circuits = |ids: std::ops::Range<u32>| {
        let row = |n| format!("N-{n},{n},192.0.2.{n},planned\n");
        let rows: String = ids.map(row).collect();
        std::fs::write(
            folder.0.join("circuits.csv"),
            format!("id,institution_id,address,status\n{rows}"),
        )
        .unwrap();
    };
    let with = |devices: &[&str]| folder.write(&(site(devices) + "\n[circuits]\nfile = \"circuits.csv\"\n"));
    circuits(0..10);
    with(&["a", "b", "c"]);
    let _daemon = Daemon::start(&folder.config());
    let config = folder.config();
    let reload = |more: &[&str]| {
        let mut words = vec!["reload", "--config", config.to_str().unwrap()];
        words.extend(more);
        let output = run(&words);
        (
            output.status.code(),
            text(&output.stdout).to_string() + &text(&output.stderr),
        )
    };
    // A device more moves every id of the circuits behind it: that is no change of theirs.
    with(&["a", "b", "c", "d"]);
    let (code, said) = reload(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("4 devices and 10 circuits (1 new, 0 gone, 0 changed)"),
        "{said}"
    );
    circuits(0..4);
    let (code, said) = reload(&[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("6 of 10 circuits would be gone") && said.contains("--force"),
        "{said}"
    );
    circuits(0..10);
    with(&["a"]);
    let (code, said) = reload(&[]);
    assert_eq!(
        code,
        Some(2),
        "three of four devices must not hide behind the circuits: {said}"
    );
    assert!(said.contains("3 of 4 devices would be gone"), "{said}");
    let (code, said) = reload(&["--force"]);
    assert_eq!(code, Some(0), "{said}");
    std::fs::remove_file(folder.0.join("circuits.csv")).unwrap();
    let (code, said) = reload(&[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("circuits.csv: there is no such file"), "{said}");
}

#[test]
fn a_client_that_says_nothing_does_not_hold_the_others_up() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let daemon = Daemon::start(&folder.config());
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(daemon.listen).unwrap()).collect();
    let began = Instant::now();
    assert_eq!(daemon.get("/healthz").0, 200);
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(silent);
}

#[test]
fn rubbish_on_the_control_socket_is_answered_in_words() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let daemon = Daemon::start(&folder.config());
    let mut stream = std::os::unix::net::UnixStream::connect(folder.0.join("state/control")).unwrap();
    stream.write_all(b"{\"ask\":\"moon\"}\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains("refused") && answer.contains("not understood"),
        "{answer}"
    );
    assert_eq!(daemon.get("/healthz").0, 200);
}

/// Two ways: one that is refused, and the out-of-band one.
fn with_routes(relay: &Relay, office: u16) -> String {
    site(&["a"])
        + &format!(
            r#"
[[route]]
name = "office"
smtp = "smtp://127.0.0.1:{office}"
tls = "none"
from = "hinomi@example.net"

[[route]]
name = "lte"
out_of_band = true
smtp = "smtp://127.0.0.1:{}"
tls = "none"
from = "hinomi@example.org"

[[contact]]
name = "manager"
party = "own"
mail = [{{ address = "manager@example.net", crosses = ["a"] }}, "manager@mobile.example.org"]

[[contact]]
name = "desk"
party = "platform"
mail = ["desk@platform.example.jp"]
"#,
            relay.port()
        )
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn alarm(folder: &Folder, log: &str) -> Output {
    let config = folder.config();
    let words = [
        "alarm",
        "--unit",
        "hinomi.service",
        "--config",
        config.to_str().unwrap(),
    ];
    let mut child = hinomi(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    no_secret(&output.stdout);
    no_secret(&output.stderr);
    output
}

#[test]
fn the_alarm_reaches_every_own_contact_out_of_band_first_and_then_keeps_quiet() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.join("state")).unwrap();
    let relay = Relay::start(Script::default());
    folder.write(&with_routes(&relay, closed_port()));
    let first = alarm(&folder, "thread panicked\x1b[2J\nlast line\n");
    assert_eq!(
        first.status.code(),
        Some(0),
        "{}{}",
        text(&first.stdout),
        text(&first.stderr)
    );
    let mails = relay.mails();
    let to: Vec<_> = mails.iter().flat_map(|m| m.to.clone()).collect();
    assert_eq!(
        to,
        ["noc@example.net", "manager@mobile.example.org", "manager@example.net"],
        "every address of ours, not the platform"
    );
    for mail in &mails {
        assert!(mail.subject().contains("hinomi is not watching"), "{}", mail.subject());
        assert!(
            mail.body().contains("last line") && !mail.body().contains('\x1b'),
            "{}",
            mail.body()
        );
        no_secret(&mail.raw);
    }
    assert_ne!(mails[0].message_id(), mails[1].message_id());
    let second = alarm(&folder, "");
    assert_eq!(second.status.code(), Some(0));
    assert!(
        text(&second.stdout).contains("not repeated"),
        "{}",
        text(&second.stdout)
    );
    assert_eq!(relay.mails().len(), 3);
}

#[test]
fn the_alarm_uses_the_last_good_configuration_when_the_present_one_is_broken() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let own = folder.0.join("own");
    std::fs::create_dir(&own).unwrap();
    let profile = "[[profile]]\nname = \"own\"\nsys_object_ids = []\nsource = \"this site\"\nverified = true\n";
    std::fs::write(own.join("own.toml"), profile).unwrap();
    let config = with_routes(&relay, closed_port()) + "\n[profiles]\ndirectory = \"own\"\n";
    folder.write(&config);
    drop(Daemon::start(&folder.config()));
    folder.write("[daemon]\nstate = \"state\"\nnonsense = 1\n");
    let output = alarm(&folder, "");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    let mails = relay.mails();
    let alarms: Vec<_> = mails.iter().filter(|m| m.subject().contains("not watching")).collect();
    assert_eq!(alarms.len(), 3, "noc, and the two addresses of manager");
    assert!(
        alarms[0].body().contains("nonsense"),
        "says what is wrong: {}",
        alarms[0].body()
    );
}

#[test]
fn the_last_good_configuration_has_its_csv_files_too() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let contacts = folder.0.join("contacts.csv");
    std::fs::write(&contacts, "name,party,mail\nduty,own,duty@mobile.example.org\n").unwrap();
    let csv = "\n[contacts]\nfile = \"./contacts.csv\"\n\n[[procedure]]\nname = \"duty\"\ntell = [\"duty\"]\n";
    folder.write(&(with_routes(&relay, closed_port()) + csv));
    drop(Daemon::start(&folder.config()));
    std::fs::remove_file(contacts).unwrap();
    let output = alarm(&folder, "");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    let told = relay
        .mails()
        .iter()
        .filter(|m| m.subject().contains("not watching"))
        .count();
    assert_eq!(
        told,
        4,
        "noc, manager at two addresses, and duty: {}",
        text(&output.stdout)
    );
}

#[test]
fn an_alarm_that_nobody_takes_fails_and_says_why() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.join("state")).unwrap();
    let relay = Relay::start(Script::default());
    folder.write(&with_routes(&relay, closed_port()));
    relay.stop();
    let output = alarm(&folder, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("NOT TOLD"), "{}", text(&output.stdout));
    relay.restart().unwrap();
    assert_eq!(
        alarm(&folder, "").status.code(),
        Some(0),
        "a failed one is not kept quiet about"
    );
}

#[test]
fn route_test_shows_the_transaction_and_tells_which_route_failed() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    folder.write(&with_routes(&relay, closed_port()));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let all = run(&["route-test", "--to", "noc@example.net", "--config", config]);
    let said = text(&all.stdout);
    assert_eq!(all.status.code(), Some(1), "{said}");
    assert!(
        said.contains("NOT SENT") && said.contains("> EHLO") && said.contains("accepted by"),
        "{said}"
    );
    let one = run(&["route-test", "lte", "--to", "noc@example.net", "--config", config]);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one.stdout));
    assert_eq!(relay.mails().len(), 2);
    let none = run(&["route-test", "ltte", "--to", "noc@example.net", "--config", config]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("office, lte"), "{}", text(&none.stderr));
}

#[test]
fn the_units_are_valid_and_little_exposed() {
    let folder = Folder::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let units = ["hinomi.service", "hinomi-alarm@.service", "hinomi-plugins.service"];
    for name in units {
        let unit = std::fs::read_to_string(root.join(name)).unwrap();
        let here = unit.replace("/usr/bin/hinomi", env!("CARGO_BIN_EXE_hinomi"));
        std::fs::write(folder.0.join(name), here).unwrap();
    }
    for name in units {
        let unit = folder.0.join(name);
        let unit = unit.to_str().unwrap();
        let security = ["security", "--offline=true", "--threshold=20", "--no-pager", unit];
        let Ok(output) = Command::new("systemd-analyze").args(security).output() else {
            println!("skipped: needs systemd-analyze");
            return;
        };
        assert!(
            output.status.success(),
            "more exposed than 2.0: {}",
            text(&output.stdout)
        );
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no", unit])
            .output()
            .unwrap();
        let said = text(&output.stderr);
        let ours: Vec<_> = said.lines().filter(|l| l.contains("hinomi")).collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
}

#[test]
fn systemd_is_told_ready_alive_reloading_and_stopping() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let path = folder.0.join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    // Generous: while the other tests use all processors, a thread may not run for seconds, and then no watchdog is fed.
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut all = Vec::new();
    let mut heard = |wanted: &str| {
        loop {
            let mut buffer = [0; 1024];
            let Ok(length) = socket.recv(&mut buffer) else {
                panic!("no {wanted} in {all:?}");
            };
            all.push(text(&buffer[..length]));
            if all.iter().any(|m| m.lines().any(|l| l.starts_with(wanted))) {
                return;
            }
        }
    };
    let env = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "3000000")];
    let mut daemon = Daemon::start_with(&folder.config(), &env);
    heard("READY=1");
    heard("WATCHDOG=1");
    let config = folder.config();
    let reload = run(&["reload", "--config", config.to_str().unwrap()]);
    assert_eq!(reload.status.code(), Some(0), "{}", text(&reload.stderr));
    heard("RELOADING=1");
    daemon.end("-TERM");
    heard("STOPPING=1");
    let position = |wanted: &str| all.iter().rposition(|m| m.starts_with(wanted));
    assert!(position("STATUS=1 devices").is_some(), "{all:?}");
    assert!(
        position("READY=1") > position("RELOADING=1"),
        "ready again after the reload: {all:?}"
    );
}

/// Three devices that take TCP connections, and one way for mail.
fn tcp_site(relay: &Relay, listeners: &[std::net::TcpListener]) -> String {
    let mut text = site(&[])
        + &format!(
            "\n[[route]]\nname = \"lte\"\nout_of_band = true\nsmtp = \"smtp://127.0.0.1:{}\"\ntls = \"none\"\n\
             from = \"hinomi@example.org\"\n",
            relay.port()
        );
    for (number, listener) in listeners.iter().enumerate() {
        let port = listener.local_addr().unwrap().port();
        text.push_str(&format!(
            "\n[[device]]\nname = \"d{number}\"\naddress = \"127.0.0.1\"\nliveness = {{ tcp = {port} }}\n"
        ));
    }
    text
}

/// Waits until so many devices are up.
fn until_up(config: &str, count: usize) {
    until("all are up", || {
        let status = run(&["status", "--config", config]);
        text(&status.stdout).matches(" up ").count() == count
    });
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_fault_becomes_a_mail_even_if_the_daemon_is_killed_before_any_relay_took_it() {
    let folder = Folder::new();
    let relay = Relay::start(Script::default());
    let mut listeners: Vec<_> = (0..3)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    folder.write(&tcp_site(&relay, &listeners));
    let config = folder.config();
    let config = config.to_str().unwrap();
    let mut first = Daemon::start(&folder.config());
    until_up(config, 3);
    relay.stop();
    assert_eq!(run(&["probe", "d2", "--config", config]).status.code(), Some(0));
    drop(listeners.pop());
    let probe = run(&["probe", "d2", "--config", config]);
    assert_eq!(probe.status.code(), Some(1), "{}", text(&probe.stdout));
    first.wait_for("incident id=1");
    first.wait_for("mail not accepted");
    first.end("-KILL");
    assert!(relay.mails().is_empty());

    relay.restart().unwrap();
    let second = Daemon::start(&folder.config());
    until("the mail is accepted", || !relay.mails().is_empty());
    second.wait_for("mail accepted");
    let mails = relay.mails();
    assert_eq!(mails.len(), 1, "one mail");
    assert!(
        mails[0].subject().contains("#1") && mails[0].subject().contains("d2"),
        "{}",
        mails[0].subject()
    );

    let ack = run(&["incidents", "ack", "1", "--by", "night shift", "--config", config]);
    assert_eq!(ack.status.code(), Some(0), "{}", text(&ack.stderr));
    let show = run(&["incidents", "show", "1", "--config", config]);
    let said = text(&show.stdout);
    assert!(
        said.contains("d2 device-down") && said.contains("by night shift"),
        "{said}"
    );
    let explain = run(&["explain", "d2", "--config", config]);
    assert!(
        text(&explain.stdout).contains("device-down"),
        "{}",
        text(&explain.stdout)
    );
    for _ in 0..20 {
        let reload = run(&["reload", "--config", config]);
        assert_eq!(reload.status.code(), Some(0), "{}", text(&reload.stderr));
    }
    let list = text(&run(&["incidents", "--json", "--config", config]).stdout);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["version"], 1);
    let list = list["incidents"].as_array().unwrap();
    assert_eq!(
        list.len(),
        1,
        "twenty reloads neither end nor repeat a finding: {list:?}"
    );
    assert!(
        list[0]["recovered"].is_null() && list[0]["acknowledged_by"] == "night shift",
        "{list:?}"
    );
    let (_, metrics) = second.get("/metrics");
    assert!(
        metrics.contains("\nhinomi_device_level{device=\"d2\"} 2\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nhinomi_notices_total{route=\"lte\",result=\"accepted\"} 1\n"),
        "{metrics}"
    );
    promtool(&metrics);
}

/// This program as somebody without CAP_NET_RAW; `None` if that cannot be arranged here.
fn unprivileged(words: &[&str]) -> Option<Command> {
    let may = |line: &str| u64::from_str_radix(line.trim(), 16).is_ok_and(|caps| caps >> 13 & 1 == 1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    if !status.lines().filter_map(|l| l.strip_prefix("CapEff:")).any(may) {
        return Some(hinomi(words));
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--bounding-set",
        "-net_raw",
        "--inh-caps",
        "-net_raw",
        env!("CARGO_BIN_EXE_hinomi"),
    ]);
    command.args(words).stdin(Stdio::null());
    let there = Command::new("setpriv").arg("--version").output().is_ok();
    there.then_some(command)
}

#[test]
fn echo_without_cap_net_raw_is_refused_with_the_two_ways_out() {
    let folder = Folder::new();
    folder.write(&(site(&["a"]) + "\n[[device]]\nname = \"echo\"\naddress = \"127.0.0.1\"\n"));
    let config = folder.config();
    let Some(mut command) = unprivileged(&["run", "--config", config.to_str().unwrap()]) else {
        println!("skipped: needs setpriv");
        return;
    };
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("CAP_NET_RAW") && said.contains("liveness = \"snmp\""),
        "{said}"
    );
}

#[test]
fn what_was_learned_is_kept_at_the_end_and_its_damage_is_one_line_of_the_log() {
    let folder = Folder::new();
    folder.write(&site(&["a"]));
    let file = folder.0.join("state/learned.jsonl");
    let mut daemon = Daemon::start(&folder.config());
    let (code, took) = daemon.end("-TERM");
    assert!(
        code == Some(0) && took < Duration::from_secs(2),
        "{code:?} after {took:?}"
    );
    let good = std::fs::read_to_string(&file).unwrap();
    no_secret(good.as_bytes());
    assert!(good.lines().last().unwrap().contains("\"sum\":"), "{good}");
    let words = "it is learned anew";
    for (text, lines) in [
        (good.clone(), 0),
        (good.replace("\"sum\":", "\"sum\":1"), 1),
        (String::new(), 1),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut daemon = Daemon::start(&folder.config());
        assert_eq!(daemon.get("/healthz").0, 200);
        assert_eq!(daemon.end("-TERM").0, Some(0));
        assert_eq!(daemon.log().matches(words).count(), lines, "{}", daemon.log());
        let again = std::fs::read_to_string(&file).unwrap();
        assert!(
            again.lines().last().unwrap().contains("\"sum\":"),
            "it is good again: {again}"
        );
    }
}
