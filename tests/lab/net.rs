//! Network namespaces: made, wired, broken, removed. Names are `hnm-<pid>-<name>`, so that a later run can tell what a dead one left.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const PREFIX: &str = "hnm-";

/// A set of namespaces that goes away with this value.
pub(crate) struct Net {
    names: Vec<String>,
}

impl Net {
    /// Makes the namespaces: forwarding on, IPv6 off (no chatter), loopback up.
    pub(crate) fn new(names: &[&str]) -> Result<Net, String> {
        let mut net = Net { names: Vec::new() };
        for name in names {
            let full = full(name);
            run("ip", &["netns", "add", &full])?;
            net.names.push(full.clone());
            net.shell(
                name,
                "ip link set lo up && cd /proc/sys/net && echo 1 > ipv4/ip_forward && echo 1 > ipv6/conf/all/disable_ipv6 && \
                 echo 1 > ipv6/conf/default/disable_ipv6",
            )?;
        }
        Ok(net)
    }

    /// A cable between two namespaces: `(namespace, interface, address/length)` at each end; a port of a switch has no address.
    pub(crate) fn cable(&self, a: (&str, &str, &str), b: (&str, &str, &str)) -> Result<(), String> {
        run(
            "ip",
            &[
                "link",
                "add",
                a.1,
                "netns",
                &full(a.0),
                "type",
                "veth",
                "peer",
                "name",
                b.1,
                "netns",
                &full(b.0),
            ],
        )?;
        for (ns, interface, address) in [a, b] {
            if !address.is_empty() {
                run("ip", &["-n", &full(ns), "address", "add", address, "dev", interface])?;
            }
            run("ip", &["-n", &full(ns), "link", "set", interface, "up"])?;
        }
        Ok(())
    }

    /// A static route.
    pub(crate) fn route(&self, ns: &str, to: &str, via: &str) -> Result<(), String> {
        run("ip", &["-n", &full(ns), "route", "add", to, "via", via])
    }

    /// Pulls or plugs one end of a cable. The kernel forgets static routes over a cable that was pulled: `routes` puts them back.
    pub(crate) fn plug(&self, ns: &str, interface: &str, up: bool, routes: &[(&str, &str)]) -> Result<(), String> {
        run(
            "ip",
            &[
                "-n",
                &full(ns),
                "link",
                "set",
                interface,
                if up { "up" } else { "down" },
            ],
        )?;
        if up {
            for (to, via) in routes {
                run("ip", &["-n", &full(ns), "route", "replace", to, "via", via])?;
            }
        }
        Ok(())
    }

    /// Everything that comes in, goes out or goes through is dropped without a word: a router that died.
    pub(crate) fn silence(&self, ns: &str) -> Result<(), String> {
        let mut rules = String::from("table inet lab {\n");
        for hook in ["input", "output", "forward"] {
            rules.push_str(&format!(
                " chain {hook} {{ type filter hook {hook} priority 0; policy drop; }}\n"
            ));
        }
        rules.push_str("}\n");
        self.rules(ns, &rules)
    }

    /// Drops this share of what comes in by an interface.
    pub(crate) fn lose(&self, ns: &str, interface: &str, percent: u32) -> Result<(), String> {
        self.rules(
            ns,
            &format!(
                "table inet lab {{\n chain prerouting {{ type filter hook prerouting priority -300; iifname \"{interface}\" \
                 numgen random mod 100 < {percent} counter drop; }}\n}}\n"
            ),
        )
    }

    /// Drops TCP to and from a port.
    pub(crate) fn drop_tcp(&self, ns: &str, port: u16) -> Result<(), String> {
        self.rules(
            ns,
            &format!(
                "table inet lab {{\n chain input {{ type filter hook input priority 0; tcp dport {port} drop; }}\n}}\n"
            ),
        )
    }

    /// Drops what comes in for a UDP port.
    pub(crate) fn drop_udp(&self, ns: &str, port: u16) -> Result<(), String> {
        self.drop_in(ns, &format!("udp dport {port}"))
    }

    /// Drops what comes in and fits an expression of nftables.
    pub(crate) fn drop_in(&self, ns: &str, what: &str) -> Result<(), String> {
        self.rules(
            ns,
            &format!(
                "table inet lab {{\n chain input {{ type filter hook input priority 0; {what} counter drop; }}\n}}\n"
            ),
        )
    }

    /// Takes all drops away again.
    pub(crate) fn heal(&self, ns: &str) -> Result<(), String> {
        self.rules(ns, "flush ruleset\n")
    }

    fn rules(&self, ns: &str, rules: &str) -> Result<(), String> {
        run_with_input("ip", &["netns", "exec", &full(ns), "nft", "-f", "-"], rules)
    }

    /// A line of shell inside a namespace; its standard output.
    pub(crate) fn shell(&self, ns: &str, line: &str) -> Result<String, String> {
        output("ip", &["netns", "exec", &full(ns), "sh", "-c", line])
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            remove(name);
        }
    }
}

/// The full name of a namespace.
pub(crate) fn full(name: &str) -> String {
    format!("{PREFIX}{}-{name}", std::process::id())
}

/// Removes what runs of the lab left behind that are dead now.
pub(crate) fn remove_stale() {
    let mut removed = 0;
    for name in list().into_iter().filter(|n| is_stale(n)) {
        remove(&name);
        removed += 1;
    }
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_stale) && std::fs::remove_dir_all(entry.path()).is_ok() {
            removed += 1;
        }
    }
    if removed > 0 {
        println!("removed {removed} namespaces and folders that an earlier run left");
    }
}

/// `hnm-<pid>-…` of a lab that no longer runs.
fn is_stale(name: &str) -> bool {
    let owner = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split('-').next())
        .and_then(|p| p.parse::<u32>().ok());
    owner.is_some_and(|pid| !alive(pid))
}

/// Removes the namespaces of this process.
pub(crate) fn remove_own() {
    let own = full("");
    for name in list().into_iter().filter(|n| n.starts_with(&own)) {
        remove(&name);
    }
}

fn list() -> Vec<String> {
    output("ip", &["netns", "list"])
        .unwrap_or_default()
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| n.starts_with(PREFIX))
        .map(str::to_owned)
        .collect()
}

/// A lab process of that number is running (numbers are used again: another program's does not count).
fn alive(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).contains("lab"))
}

/// Ends what runs inside, by its number, and removes the namespace.
fn remove(name: &str) {
    for signal in ["-TERM", "-KILL"] {
        let inside = output("ip", &["netns", "pids", name]).unwrap_or_default();
        let pids: Vec<&str> = inside.split_whitespace().collect();
        if pids.is_empty() {
            break;
        }
        let mut args = vec![signal];
        args.extend(&pids);
        let _ = Command::new("kill").args(&args).stderr(Stdio::null()).status();
        std::thread::sleep(Duration::from_millis(150));
    }
    let _ = Command::new("ip")
        .args(["netns", "delete", name])
        .stderr(Stdio::null())
        .status();
}

/// Runs a program to its end; its words if it fails.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<(), String> {
    output(program, args).map(|_| ())
}

/// Runs a program to its end; its standard output.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot run {program}: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!(
        "{program} {} failed: {}{}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr).trim(),
        String::from_utf8_lossy(&out.stdout).trim()
    ))
}

fn run_with_input(program: &str, args: &[&str], input: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run {program}: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .map_err(|e| format!("{program} takes no input: {e}"))?;
    }
    let out = child.wait_with_output().map_err(|e| format!("{program}: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} {} failed: {}\n{input}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr).trim()
    ))
}
