//! Watched services from outside: `probe`, the helper for plugins, and real name servers, clocks and plugins where the host has them.

use super::*;
use std::net::{TcpListener, UdpSocket};

/// A site of one device that is always taken as up, with these watches.
fn watching(folder: &Folder, watches: &[String]) {
    let device = format!(
        "\n[[device]]\nname = \"edge\"\naddress = \"127.0.0.1\"\nliveness = \"none\"\nwatch = [\n  {},\n]\n\n\
         [plugins]\nsocket = \"{}/plugins\"\nat_once = 2\n",
        watches.join(",\n  "),
        folder.0.display()
    );
    folder.write(&(site(&[]) + &device));
}

fn probe(folder: &Folder) -> String {
    let config = folder.config();
    let output = run(&["probe", "edge", "--config", config.to_str().unwrap()]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn helper(folder: &Folder, words: &[&str]) -> Running {
    let mut command = hinomi(&["plugins"]);
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    let child = Running(command.spawn().unwrap());
    let socket = folder.0.join("plugins");
    until("the helper listens", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    child
}

fn watch(what: &str, name: &str, interval: &str, timeout: &str) -> String {
    format!("{{ {what}, name = \"{name}\", interval = \"{interval}\", timeout = \"{timeout}\" }}")
}

fn command(words: &[&str], name: &str, timeout: &str) -> String {
    // A text in Rust's quotes is one in TOML's, as long as it is ASCII.
    watch(&format!("command = {words:?}"), name, "10s", timeout)
}

fn shell(script: &str, name: &str) -> String {
    command(&["/bin/sh", "-c", script], name, "2s")
}

#[test]
fn plugins_are_run_by_their_helper_and_told_in_full() {
    let folder = Folder::new();
    let flood = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    let first = [
        shell("echo 'DISK OK - fine | /=42MB;50;60'; exit 0", "good"),
        shell("echo 'LOAD WARNING'; exit 1", "warns"),
    ];
    watching(&folder, &first);
    let config = folder.config();
    let config = config.to_str().unwrap();
    assert!(probe(&folder).contains("the helper for plugins cannot be asked"));
    for (watches, wanted) in [
        (first, ["OK: DISK OK - fine; / = 42MB", "WARNING: LOAD WARNING"]),
        (
            [
                shell("echo 'SSH CRITICAL'; exit 2", "critical"),
                shell("echo 'odd'; exit 3", "unknown"),
            ],
            [
                "CRITICAL: SSH CRITICAL",
                "not known: the plugin says unknown (exit code 3): odd",
            ],
        ),
        (
            [shell("sleep 30", "hangs"), shell(flood, "floods")],
            [
                "no answer: the plugin did not end in time and was killed",
                "no valid answer: the plugin wrote more than 64 kB and was killed",
            ],
        ),
    ] {
        watching(&folder, &watches);
        let _helper = helper(&folder, &["--config", config]);
        let said = probe(&folder);
        assert!(wanted.iter().all(|w| said.contains(w)), "{wanted:?}: {said}");
    }
}

#[test]
fn the_helper_runs_what_its_list_says_and_nothing_else() {
    let folder = Folder::new();
    watching(&folder, &[shell("echo first", "c")]);
    let config = folder.config();
    let config = config.to_str().unwrap();
    let list = folder.0.join("commands.json");
    let list = list.to_str().unwrap();
    // What a plugin may have put there is replaced, not written through.
    let victim = folder.0.join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.0.join("commands.new")).unwrap();
    std::os::unix::fs::symlink(&victim, list).unwrap();
    let written = run(&["plugins", "--config", config, "--write", list]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(std::fs::symlink_metadata(list).unwrap().is_file());
    assert_eq!(text(&written.stdout), format!("1 commands written to {list}\n"));
    let helper = helper(&folder, &["--list", list]);
    assert!(probe(&folder).contains("OK: first"));
    // Another command in the configuration is not run by the old list.
    watching(&folder, &[shell("echo second", "c")]);
    let said = probe(&folder);
    assert!(
        said.contains("the helper knows another command") && !said.contains("OK: "),
        "{said}"
    );
    run(&["plugins", "--config", config, "--write", list]);
    let hangup = Command::new("kill")
        .args(["-HUP", &helper.0.id().to_string()])
        .status()
        .unwrap();
    assert!(hangup.success());
    until("the new list is in force", || probe(&folder).contains("OK: second"));
    // Whoever holds the socket has no way to name a program.
    let ask = |line: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(folder.0.join("plugins")).unwrap();
        let _ = stream.write_all(line.as_bytes());
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        text(&said)
    };
    let invented = r#"{"device":"edge","watch":"c","digest":"","argv":["/bin/touch","/tmp/x"]}"#;
    assert!(ask(&format!("{invented}\n")).contains("knows another command"));
    assert!(ask("{\"device\":\"edge\",\"watch\":\"d\",\"digest\":\"\"}\n").contains("knows no command"));
    assert!(ask("nonsense\n").contains("does not understand"));
    assert!(!ask(&format!("{}\n", "x".repeat(100_000))).contains("ran"));
    let socket = std::fs::metadata(folder.0.join("plugins")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o660, "owner and group");
}

#[test]
fn at_most_so_many_plugins_run_at_once() {
    let folder = Folder::new();
    let slow: Vec<String> = (0..6)
        .map(|i| command(&["/bin/sleep", "9"], &format!("s{i}"), "5s"))
        .collect();
    watching(&folder, &slow);
    let config = folder.config();
    let _helper = helper(&folder, &["--config", config.to_str().unwrap()]);
    let said = probe(&folder);
    assert_eq!(
        said.matches("gives no answer: the plugin did not end in time").count(),
        2,
        "{said}"
    );
    assert_eq!(
        said.matches("not known: the helper already runs as many plugins as it may (2)")
            .count(),
        4,
        "{said}"
    );
}

fn needs(program: &str, package: &str) -> bool {
    let found = Path::new(program).exists();
    if !found {
        eprintln!("skipped: needs {package}");
    }
    found
}

#[test]
fn real_plugins_are_read() {
    let plugin = |name: &str| format!("/usr/lib/nagios/plugins/{name}");
    if !needs(&plugin("check_tcp"), "monitoring-plugins-basic") {
        return;
    }
    let folder = Folder::new();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port().to_string();
    let (tcp, dummy) = (plugin("check_tcp"), plugin("check_dummy"));
    let config = folder.config();
    for (watches, wanted) in [
        (
            [
                command(&[&tcp, "-H", "127.0.0.1", "-p", &port], "port", "5s"),
                command(&[&tcp, "-H", "127.0.0.1", "-p", "1"], "closed", "5s"),
            ],
            [
                "OK: TCP OK",
                "CRITICAL: connect to address 127.0.0.1 and port 1: Connection refused",
            ],
        ),
        (
            [
                command(&[&dummy, "3", "who knows"], "dummy", "5s"),
                command(&[&dummy, "1", "hm"], "hm", "5s"),
            ],
            ["unknown (exit code 3): UNKNOWN: who knows", "WARNING: WARNING: hm"],
        ),
    ] {
        watching(&folder, &watches);
        let _helper = helper(&folder, &["--config", config.to_str().unwrap()]);
        let said = probe(&folder);
        assert!(wanted.iter().all(|w| said.contains(w)), "{wanted:?}: {said}");
    }
}

fn free_udp() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_real_name_server_is_asked() {
    let program = "/usr/sbin/dnsmasq";
    if !needs(program, "dnsmasq-base") {
        return;
    }
    let (folder, port) = (Folder::new(), free_udp());
    let mut server = quiet(program);
    server.args([
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
    ]);
    server.args([
        "--pid-file=",
        "--user=",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
    ]);
    server.args([&format!("--port={port}"), "--local=/example.jp/"]);
    server.args([
        "--host-record=ehr.example.jp,192.0.2.80",
        "--cname=www.example.jp,ehr.example.jp",
    ]);
    server.args([
        "--mx-host=example.jp,mail.example.jp,10",
        "--txt-record=example.jp,v=spf1 -all",
    ]);
    let _server = Running(server.spawn().unwrap());
    let dns = |name: &str, expect: &str| {
        let what = format!("dns = \"{name}\", server = \"127.0.0.1:{port}\", expect = \"{expect}\"");
        watch(&what, &format!("{name} {expect}"), "10s", "3s")
    };
    watching(
        &folder,
        &[
            dns("ehr.example.jp", "A 192.0.2.80"),
            dns("www.example.jp", "A 192.0.2.66"),
            dns("example.jp", "MX 10 mail.example.jp"),
            dns("example.jp", "TXT v=spf1 -all"),
            dns("absent.example.jp", "NXDOMAIN"),
            dns("elsewhere.example.net", "A"),
        ],
    );
    let said = probe(&folder);
    for wanted in [
        "NOERROR A 192.0.2.80",
        "NOERROR MX 10 mail.example.jp",
        "NOERROR TXT v=spf1 -all",
        "www.example.jp A 192.0.2.66 is A 192.0.2.80, not A 192.0.2.66",
        "elsewhere.example.net A is answered with REFUSED",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(!said.contains("absent.example.jp NXDOMAIN is answered"), "{said}");
}

#[test]
fn a_real_clock_is_asked() {
    let program = "/usr/sbin/chronyd";
    if !needs(program, "chrony") {
        return;
    }
    let user = text(&Command::new("id").arg("-u").output().unwrap().stdout);
    if user.trim() != "0" {
        eprintln!("skipped: needs root for chronyd");
        return;
    }
    let start = |folder: &Folder, name: &str, source: &str| {
        let port = free_udp();
        let file = folder.0.join(name);
        let lines = format!(
            "port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\nbindcmdaddress /\n{source}\npidfile {}.pid\n",
            file.display()
        );
        std::fs::write(&file, lines).unwrap();
        let mut server = quiet(program);
        server.args(["-x", "-d", "-u", "root", "-f", file.to_str().unwrap()]);
        (port, Running(server.spawn().unwrap()))
    };
    let folder = Folder::new();
    let (set, _set) = start(&folder, "set", "local stratum 4");
    let (free, _free) = start(&folder, "free", "");
    let ntp = |port: u16, name: &str| watch(&format!("ntp = \"127.0.0.1:{port}\""), name, "10s", "5s");
    watching(&folder, &[ntp(set, "set"), ntp(free, "free")]);
    // A clock that has just begun needs a moment until it says that it is set.
    until("the clock is set", || probe(&folder).contains("stratum 4, leap 0"));
    let said = probe(&folder);
    assert!(
        said.contains("free is set by nothing: its clock is not synchronised"),
        "{said}"
    );
}

#[test]
fn the_daemon_tells_of_services_in_explain_and_metrics() {
    let folder = Folder::new();
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = web.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in web.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\n\x1b[2J");
        }
    });
    let page = format!("http = \"http://127.0.0.1:{port}/\", failed = {{ after = \"0s\" }}");
    let plugin = "command = [\"/bin/echo\", \"UPS OK | charge=97%\"]";
    watching(
        &folder,
        &[watch(&page, "portal", "5s", "1s"), watch(plugin, "ups", "5s", "1s")],
    );
    let config = folder.config();
    let config = config.to_str().unwrap();
    let _helper = helper(&folder, &["--config", config]);
    let daemon = Daemon::start(&folder.config());
    let explain = || text(&run(&["explain", "edge", "--config", config]).stdout);
    until("the page's status is told", || {
        explain().contains("portal answers with HTTP status 500")
    });
    let said = explain();
    assert!(said.contains("watch-failed") && !said.contains('\u{1b}'), "{said}");
    until("the metrics have it", || {
        let (_, metrics) = daemon.get("/metrics");
        [
            "hinomi_watch_success{device=\"edge\",watch=\"portal\",kind=\"http\"} 0",
            "hinomi_watch_success{device=\"edge\",watch=\"ups\",kind=\"command\"} 1",
            "hinomi_watch_perfdata{device=\"edge\",watch=\"ups\",label=\"charge\",unit=\"%\"} 97",
            "hinomi_finding_level{device=\"edge\",part=\"portal\",kind=\"watch-failed\"} 1",
            "hinomi_metric{device=\"edge\",metric=\"answer-time\",part=\"portal\",unit=\"seconds\"}",
        ]
        .iter()
        .all(|row| metrics.contains(row))
    });
}
