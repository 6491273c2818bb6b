//! Real routers of the redundancy stories: keepalived and FRR, each with its SNMP subagent at the snmpd of its namespace. Their
//! configurations, sockets and process files stand in the story's folder; nothing of the host is read or written.

use crate::net::run;
use crate::parts::{Folder, Running};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where Debian's package `frr` has its daemons.
const FRR: &str = "/usr/lib/frr";

/// A folder of one router inside the story's.
fn home(folder: &Folder, ns: &str) -> Result<PathBuf, String> {
    let path = folder.path().join(format!("router-{ns}"));
    std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// The agentx socket of a namespace's snmpd.
pub(crate) fn agentx(folder: &Folder, ns: &str) -> Result<String, String> {
    Ok(format!("unix:{}", home(folder, ns)?.join("agentx").display()))
}

/// Lines for snmpd: a master for subagents, and traps to the monitor.
pub(crate) fn agent_lines(folder: &Folder, ns: &str, monitor: &str, community: &str) -> Result<String, String> {
    Ok(format!(
        "master agentx\nagentXSocket {}\nagentXPerms 0777 0755\ntrap2sink {monitor}:162 {community}\n",
        agentx(folder, ns)?
    ))
}

/// How keepalived is set up: one virtual router on `lan0`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vrrp {
    /// 2 or 3; decides the standard table that is served, too (RFC 2787, RFC 6527).
    pub(crate) version: u8,
    /// Seconds between advertisements, as it is written.
    pub(crate) advert: &'static str,
    /// Its own: the higher is master.
    pub(crate) priority: u8,
}

/// The virtual router's number.
pub(crate) const VRID: &str = "51";

/// A keepalived.
#[derive(Debug)]
pub(crate) struct Keepalived {
    running: Running,
    ns: String,
    start: PathBuf,
    moves: PathBuf,
}

impl Keepalived {
    pub(crate) fn start(folder: &Folder, ns: &str, vrrp: Vrrp) -> Result<Keepalived, String> {
        let home = home(folder, ns)?;
        let moves = home.join("moves");
        // Who was what when, from keepalived itself: the measure for what hinomi says.
        let notify = home.join("notify.sh");
        let script = format!("#!/bin/sh\necho \"$(date +%s%N) $3\" >> {}\n", moves.display());
        write(&notify, &script)?;
        run("chmod", &["755", &notify.display().to_string()])?;
        let Vrrp {
            version,
            advert,
            priority,
        } = vrrp;
        let config = home.join("keepalived.conf");
        let notify = notify.display();
        let text = format!(
            "global_defs {{\n router_id {ns}\n vrrp_version {version}\n enable_snmp_rfcv{version}\n enable_traps\n script_user \
             root\n}}\nvrrp_instance gateway {{\n state BACKUP\n interface lan0\n virtual_router_id {VRID}\n priority \
             {priority}\n advert_int {advert}\n virtual_ipaddress {{\n  192.0.2.65/28\n }}\n notify {notify}\n}}\n"
        );
        write(&config, &text)?;
        let start = home.join("start-keepalived.sh");
        let dir = home.display();
        // It has files in /run whatever it is told: a /run of its own, in the mount namespace that `ip netns exec` makes.
        let text = format!(
            "mount -t tmpfs tmpfs /run && exec keepalived -P -n -l -D -G -f {} -A {} -p {dir}/keepalived.pid -r {dir}/vrrp.pid\n",
            config.display(),
            agentx(folder, ns)?
        );
        write(&start, &text)?;
        Ok(Keepalived {
            running: Keepalived::launch(ns, &home, &start)?,
            ns: ns.to_owned(),
            start,
            moves,
        })
    }

    fn launch(ns: &str, home: &Path, start: &Path) -> Result<Running, String> {
        let log = home.join("keepalived.log");
        Running::start(Some(ns), &log, &[("MIBS", "")], &["sh", &start.display().to_string()])
    }

    /// It is gone without a word: nothing is handed over.
    pub(crate) fn kill(&mut self) {
        self.running.kill_all();
    }

    /// Starts it again.
    pub(crate) fn again(&mut self) -> Result<(), String> {
        let home = self.start.parent().unwrap_or(Path::new("/")).to_owned();
        self.running = Keepalived::launch(&self.ns, &home, &self.start)?;
        Ok(())
    }

    /// Its states so far, with the time (nanoseconds since 1970) of each.
    pub(crate) fn moves(&self) -> Vec<(u128, String)> {
        let text = std::fs::read_to_string(&self.moves).unwrap_or_default();
        let one = |line: &str| {
            let (at, state) = line.split_once(' ')?;
            Some((at.parse().ok()?, state.to_owned()))
        };
        text.lines().filter_map(one).collect()
    }

    /// Waits until it is in a state that it took after `since`; when that was.
    pub(crate) fn wait(&mut self, state: &str, since: u128, limit: Duration) -> Result<u128, String> {
        let began = Instant::now();
        loop {
            let moves = self.moves();
            if let Some((at, last)) = moves.last()
                && last == state
                && *at >= since
            {
                return Ok(*at);
            }
            let ended = self.running.ended();
            if ended.is_some() || began.elapsed() > limit {
                return Err(format!(
                    "keepalived of {} should be {state}, its states were {moves:?} (ended: {ended:?}):\n      {}",
                    self.ns,
                    self.running.tail(12)
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// How FRR is set up in one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Router<'a> {
    pub(crate) ns: &'a str,
    pub(crate) id: &'a str,
    /// Its AS, with neighbours and theirs, if it speaks BGP.
    pub(crate) bgp: Option<(u32, &'a [(&'a str, u32)])>,
    /// Its interfaces with OSPF, and the network that they are in.
    pub(crate) ospf: Option<(&'a [&'a str], &'a str)>,
    /// With subagents.
    pub(crate) snmp: bool,
    /// Seconds of graceful restart; 0: none.
    pub(crate) graceful: u32,
}

/// FRR in one namespace: zebra, and what of bgpd and ospfd it needs.
#[derive(Debug)]
pub(crate) struct Frr {
    ns: String,
    home: PathBuf,
    daemons: BTreeMap<&'static str, Running>,
    snmp: bool,
}

impl Frr {
    pub(crate) fn start(folder: &Folder, router: &Router<'_>) -> Result<Frr, String> {
        let home = home(folder, router.ns)?;
        let head = format!("hostname {}\nlog timestamp precision 3\n", router.ns);
        let agentx_line = if router.snmp { "agentx\n" } else { "" };
        write(&home.join("zebra.conf"), &head)?;
        let mut names = vec!["zebra"];
        if let Some((own, neighbours)) = router.bgp {
            let text = bgp(router, own, neighbours);
            write(&home.join("bgpd.conf"), &format!("{head}{agentx_line}{text}"))?;
            names.push("bgpd");
        }
        if let Some((interfaces, network)) = router.ospf {
            let text = ospf(router.id, interfaces, network);
            write(&home.join("ospfd.conf"), &format!("{head}{agentx_line}{text}"))?;
            names.push("ospfd");
        }
        // net-snmp's library inside FRR reads it from here.
        write(
            &home.join("frr.conf"),
            &format!("agentXSocket {}\n", agentx(folder, router.ns)?),
        )?;
        std::fs::create_dir_all(home.join("vty")).map_err(|e| e.to_string())?;
        // FRR gives its privileges up as it does in production.
        run("chown", &["-R", "frr:frr", &home.display().to_string()])?;
        let mut frr = Frr {
            ns: router.ns.to_owned(),
            home,
            daemons: BTreeMap::new(),
            snmp: router.snmp,
        };
        for name in names {
            frr.launch(name)?;
        }
        Ok(frr)
    }

    /// Starts one of its daemons (again) and waits until it takes commands.
    pub(crate) fn launch(&mut self, name: &'static str) -> Result<(), String> {
        let at = |file: &str| self.home.join(file).display().to_string();
        let (program, vty) = (
            format!("{FRR}/{name}"),
            self.home.join("vty").join(format!("{name}.vty")),
        );
        let mut argv = vec![program, "-z".into(), at("zserv.api"), "--vty_socket".into(), at("vty")];
        argv.extend(
            [
                "-P",
                "0",
                "-i",
                &at(&format!("{name}.pid")),
                "-f",
                &at(&format!("{name}.conf")),
            ]
            .map(str::to_owned),
        );
        argv.extend(["--log".into(), "stdout".into(), "--log-level".into(), "info".into()]);
        if self.snmp && name != "zebra" {
            argv.extend(["-M".into(), "snmp".into()]);
        }
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let home = at("");
        let env = [
            ("SNMPCONFPATH", home.as_str()),
            ("SNMP_PERSISTENT_DIR", &home),
            ("MIBS", ""),
            ("TZ", "UTC"),
        ];
        let _ = std::fs::remove_file(&vty);
        let mut running = Running::start(Some(&self.ns), &self.home.join(format!("{name}.log")), &env, &argv)?;
        let began = Instant::now();
        while !vty.exists() {
            let ended = running.ended();
            if ended.is_some() || began.elapsed() > Duration::from_secs(15) {
                return Err(format!(
                    "{name} in {} does not start ({ended:?}): {}",
                    self.ns,
                    running.tail(6)
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.daemons.insert(name, running);
        Ok(())
    }

    /// One of its daemons is gone without a word to its neighbours.
    pub(crate) fn kill(&mut self, name: &str) {
        if let Some(running) = self.daemons.get_mut(name) {
            running.kill_all();
        }
    }

    /// When a daemon last wrote a line with these words: nanoseconds since 1970.
    pub(crate) fn said(&self, name: &str, words: &str) -> Result<u128, String> {
        let daemon = self.daemons.get(name).ok_or_else(|| format!("{name} does not run"))?;
        let text = std::fs::read_to_string(&daemon.log).map_err(|e| format!("{}: {e}", daemon.log.display()))?;
        let line = text.lines().rfind(|l| l.contains(words));
        let at = line.and_then(moment);
        at.ok_or_else(|| format!("{name} did not say {words:?}: {}", daemon.tail(8)))
    }

    /// The last lines of a daemon.
    pub(crate) fn tail(&self, name: &str) -> String {
        self.daemons.get(name).map(|d| d.tail(12)).unwrap_or_default()
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        // zebra is the last: the others say goodbye to it.
        for name in ["ospfd", "bgpd", "zebra"] {
            self.daemons.remove(name);
        }
    }
}

fn bgp(router: &Router<'_>, own: u32, neighbours: &[(&str, u32)]) -> String {
    let mut text = format!(
        "router bgp {own}\n bgp router-id {}\n no bgp ebgp-requires-policy\n no bgp network import-check\n bgp \
         log-neighbor-changes\n timers bgp 1 3\n",
        router.id
    );
    if router.graceful > 0 {
        let seconds = router.graceful;
        let _ = writeln!(
            text,
            " bgp graceful-restart\n bgp graceful-restart restart-time {seconds}"
        );
    }
    for (address, remote) in neighbours {
        let _ = writeln!(
            text,
            " neighbor {address} remote-as {remote}\n neighbor {address} timers connect 1"
        );
    }
    if !router.snmp {
        text.push_str(" address-family ipv4 unicast\n  network 203.0.113.128/25\n exit-address-family\n");
    }
    text
}

fn ospf(id: &str, interfaces: &[&str], network: &str) -> String {
    let mut text = String::new();
    for name in interfaces {
        let _ = writeln!(
            text,
            "interface {name}\n ip ospf network point-to-point\n ip ospf dead-interval minimal hello-multiplier 4"
        );
    }
    let _ = writeln!(
        text,
        "router ospf\n ospf router-id {id}\n log-adjacency-changes\n network {network} area 0"
    );
    text
}

/// `2026/11/25 15:49:38.120 …`, UTC.
fn moment(line: &str) -> Option<u128> {
    let mut words = line.split_whitespace();
    let (date, time) = (words.next()?, words.next()?);
    let mut date = date.split('/').map(|n| n.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (time.next()?.parse::<u128>().ok()?, time.next()?.parse::<u128>().ok()?);
    let second = time.next()?.parse::<f64>().ok()?;
    // Days since 1970 in the Gregorian calendar; a year begins in March, so that the leap day is its last.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = u128::try_from(days).ok()? * 86_400 + hour * 3_600 + minute * 60;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 60 seconds")]
    let nanoseconds = (second * 1e9) as u128;
    Some(seconds * 1_000_000_000 + nanoseconds)
}

/// What of FRR and its subagents is not here.
pub(crate) fn missing_frr() -> Option<String> {
    let daemons = ["zebra", "bgpd", "ospfd"];
    if !daemons.iter().all(|d| Path::new(FRR).join(d).is_file()) {
        return Some("FRR (Debian package frr)".into());
    }
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut modules = libraries.map(|e| e.path().join("frr/modules/bgpd_snmp.so"));
    (!modules.any(|m| m.is_file())).then(|| "FRR's SNMP modules (Debian package frr-snmp)".into())
}
