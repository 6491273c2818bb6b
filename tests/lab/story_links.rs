//! Links with two ends: an aggregation device and an edge lose power, one end of a cable falls, a cable is cut. Each is one incident and one
//! mail a recipient, with the ports inside it; whether the devices tell their neighbours (lldpd), the configuration does, or nobody.

use crate::mailbox::Mail;
use crate::net::Net;
use crate::parts::{COMMUNITY, Running, Snmpd};
use crate::routers::{agent_lines, agentx};
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices};
use crate::words::{Tone, list, tone};
use crate::world::World;
use std::time::Duration;

/// Devices with an agent; each is a namespace of this name.
const SPEAK: [&str; 3] = ["edge-a", "edge-b", "agg"];
/// A port is told 30 s after it was read as down, and read every 5 s: later than this nothing comes any more.
const NOTHING_MORE: Duration = Duration::from_secs(50);

/// Who knows where the cables end.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Nobody,
    Lldp,
    Written,
}

/// The cable between edge-b and agg, with a coupling in the middle that can be pulled at either side.
struct Coupling(Net);

impl Coupling {
    fn put_in(world: &World) -> Result<Coupling, String> {
        let coupling = Net::new(&["coupling"])?;
        world.net.shell("edge-b", "ip link delete agg0")?;
        coupling.cable(("edge-b", "agg0", "192.0.2.37/30"), ("coupling", "tob", ""))?;
        coupling.cable(("agg", "up1", "192.0.2.38/30"), ("coupling", "toa", ""))?;
        coupling.shell(
            "coupling",
            "ip link add br0 type bridge && echo 16384 > /sys/class/net/br0/bridge/group_fwd_mask && \
             ip link set toa master br0 && ip link set tob master br0 && ip link set br0 up",
        )?;
        Ok(Coupling(coupling))
    }

    fn pull(&self, sides: &[&str], up: bool) -> Result<(), String> {
        for side in sides {
            self.0.plug("coupling", side, up, &[])?;
        }
        Ok(())
    }
}

/// Debian's lldpd in a namespace, as an agentx subagent of its snmpd. Its files in /run are its own: `ip netns exec` gives it a mount
/// namespace.
fn lldpd(world: &World, ns: &str) -> Result<Running, String> {
    let lines = format!("configure system hostname {ns}\nconfigure lldp tx-interval 2\n");
    let config = world.folder.write(&format!("lldpd-{ns}.conf"), &lines)?;
    let socket = agentx(&world.folder, ns)?;
    let line = format!(
        "mount -t tmpfs tmpfs /run && mkdir -p /run/lldpd && exec lldpd -d -x -X {} -u /run/lldpd.socket -O {}",
        socket.trim_start_matches("unix:"),
        config.display()
    );
    let log = world.folder.path().join(format!("lldpd-{ns}.log"));
    Running::start(Some(ns), &log, &[], &["sh", "-c", &line])
}

fn config(world: &World, known: Known) -> Result<String, String> {
    let choices = Choices {
        snmp: true,
        edge_a: "",
        thresholds: "",
    };
    let text = site::world(&world.folder, &choices)?;
    let ports = |device: &str| match (known, device) {
        (Known::Written, "edge-a") => r#""plat0", "up0", { name = "agg0", to = "agg" }"#,
        (Known::Written, "edge-b") => {
            r#""plat0", "up0", { name = "agg0", to = { device = "agg", interface = "up1" } }"#
        }
        (Known::Written, "agg") => r#"{ name = "up0", to = "edge-a" }, { name = "up1", to = "edge-b" }"#,
        (_, "agg") => r#""up0", "up1""#,
        _ => r#""plat0", "up0", "agg0""#,
    };
    let (edge_b, edge_a) = (crate::world::EDGE_B, r#"interfaces = ["plat0", "up0", "agg0"]"#);
    let text = text
        .replace(edge_a, &format!("interfaces = [{}]", ports("edge-a")))
        .replace(
            &format!("address = \"{edge_b}\"\nparents = [\"gw\"]\n"),
            &format!(
                "address = \"{edge_b}\"\nparents = [\"gw\"]\nsnmp = \"v2c\"\ninterfaces = [{}]\n",
                ports("edge-b")
            ),
        )
        .replace(
            "parents = [\"edge-a\"]\nsnmp = \"v2c\"\n",
            &format!(
                "parents = [\"edge-a\", \"edge-b\"]\nsnmp = \"v2c\"\ninterfaces = [{}]\n",
                ports("agg")
            ),
        );
    let all = SPEAK.iter().all(|device| text.contains(ports(device)));
    ensure(all, || format!("the ports are not in the configuration:\n{text}"))?;
    Ok(text)
}

pub(crate) fn unknown(tale: &mut Tale) -> Result<(), String> {
    run(tale, Known::Nobody)
}

pub(crate) fn told_by_lldp(tale: &mut Tale) -> Result<(), String> {
    run(tale, Known::Lldp)
}

pub(crate) fn written(tale: &mut Tale) -> Result<(), String> {
    run(tale, Known::Written)
}

fn run(tale: &mut Tale, known: Known) -> Result<(), String> {
    let mut world = World::build(tale)?;
    let coupling = Coupling::put_in(&world)?;
    let mut daemons = Vec::new();
    for ns in SPEAK {
        let lines = match known {
            Known::Lldp => agent_lines(&world.folder, ns, "127.0.0.1", COMMUNITY)?,
            _ => String::new(),
        };
        world.agents.push(Snmpd::start_with(&world.folder, ns, &lines)?);
        if known == Known::Lldp {
            daemons.push(lldpd(&world, ns)?);
        }
    }
    if known == Known::Lldp {
        neighbours_told(tale, &world, &mut daemons)?;
    }
    let config = config(&world, known)?;
    world.start(tale, &config)?;
    world.wait_reach(
        tale,
        &["agg", "edge-b", "inst-1", "inst-2"],
        &["up"],
        Duration::from_secs(40),
    )?;
    // Ports are expected up once they were seen up.
    std::thread::sleep(Duration::from_secs(12));
    let guessed = known == Known::Nobody;

    let ports = ["up0", "up1", "acc1", "acc2"];
    power(&world, "agg", &ports, false, &[])?;
    // A coupling gives light of its own: what hangs on it falls with the device behind it.
    coupling.pull(&["tob"], false)?;
    tale.say("power off: agg");
    one_incident(tale, &mut world, (Tone::Critical, "agg", 2))?;
    let routes = [("default", "192.0.2.33")];
    power(&world, "agg", &ports, true, &routes)?;
    coupling.pull(&["tob"], true)?;
    for mail in over(tale, &mut world, 2)? {
        ensure(
            mail.body.contains("edge-a agg0") && mail.body.contains("edge-b agg0"),
            || format!("both ports toward agg belong into it:\n{}", mail.body),
        )?;
        ensure(
            mail.body.contains("おそらく") == guessed || mail.body.contains("robably") == guessed,
            || {
                format!(
                    "what is guessed is said to be probable, what is known is not:\n{}",
                    mail.body
                )
            },
        )?;
    }

    let ports = ["up0", "agg0", "plat0"];
    power(&world, "edge-b", &ports, false, &[])?;
    coupling.pull(&["toa"], false)?;
    tale.say("power off: edge-b");
    one_incident(tale, &mut world, (Tone::Critical, "edge-b", 2))?;
    power(&world, "edge-b", &ports, true, &[("default", "192.0.2.13")])?;
    coupling.pull(&["toa"], true)?;
    for mail in over(tale, &mut world, 2)? {
        ensure(mail.body.contains("up1"), || {
            format!("agg's port toward edge-b belongs into it:\n{}", mail.body)
        })?;
    }

    coupling.pull(&["toa"], false)?;
    tale.say("one end: agg's side of the cable to edge-b falls");
    one_incident(tale, &mut world, (Tone::Warning, "up1", 1))?;
    coupling.pull(&["toa"], true)?;
    over(tale, &mut world, 1)?;

    coupling.pull(&["toa", "tob"], false)?;
    tale.say("the cable between agg and edge-b is cut");
    one_incident(tale, &mut world, (Tone::Warning, "", 1))?;
    coupling.pull(&["toa", "tob"], true)?;
    for mail in over(tale, &mut world, 1)? {
        ensure(mail.body.contains("up1") && mail.body.contains("agg0"), || {
            format!("both ends belong into it:\n{}", mail.body)
        })?;
    }
    Ok(())
}

/// A device without power: no carrier on any of its cables.
fn power(world: &World, ns: &str, ports: &[&str], on: bool, routes: &[(&str, &str)]) -> Result<(), String> {
    for (at, port) in ports.iter().enumerate() {
        let routes = if at + 1 == ports.len() { routes } else { &[] };
        world.net.plug(ns, port, on, routes)?;
    }
    Ok(())
}

/// Waits until snmpd of agg gives the names of both edges by LLDP-MIB.
fn neighbours_told(tale: &Tale, world: &World, daemons: &mut [Running]) -> Result<(), String> {
    let began = tale.seconds();
    let line = format!("snmpwalk -v 2c -c {COMMUNITY} -On 127.0.0.1 1.0.8802.1.1.2.1.4.1.1.9");
    loop {
        let told = world.net.shell("agg", &line).unwrap_or_default();
        if told.contains("edge-a") && told.contains("edge-b") {
            tale.say("agg tells both edges as its neighbours");
            return Ok(());
        }
        if tale.seconds() - began > 60.0 {
            let logs: Vec<String> = daemons.iter_mut().map(|d| d.tail(5)).collect();
            return Err(format!(
                "agg does not tell its neighbours: {told}\n      {}",
                logs.join("\n      ")
            ));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Exactly so many mails, all about one incident that names this.
fn one_incident(tale: &Tale, world: &mut World, (wanted, about, count): (Tone, &str, usize)) -> Result<(), String> {
    let before = world.mails().len();
    wait(tale, world, before + count, 90)?;
    std::thread::sleep(NOTHING_MORE);
    let mails = world.mails().split_off(before);
    ensure(mails.len() == count, || {
        format!(
            "one incident and {count} mails were expected, there are: {}",
            list(&mails)
        )
    })?;
    for mail in &mails {
        ensure(tone(mail) == wanted && mail.subject().contains(about), || {
            format!("not about {about}: {}", mail.brief())
        })?;
    }
    let status = world.daemon()?.status()?;
    let incidents = status["incidents"].as_array().cloned().unwrap_or_default();
    let open = incidents.iter().filter(|i| i["recovered"].is_null()).count();
    ensure(open == 1, || {
        format!("one open incident was expected, there are {open}")
    })?;
    tale.say(format!("one incident, {count} mails: {}", mails[0].brief()));
    Ok(())
}

/// Exactly so many recoveries.
fn over(tale: &Tale, world: &mut World, count: usize) -> Result<Vec<Mail>, String> {
    let before = world.mails().len();
    tale.say("healed");
    wait(tale, world, before + count, 90)?;
    // The other end of a cable is read within the next interval.
    std::thread::sleep(Duration::from_secs(15));
    let mails = world.mails().split_off(before);
    ensure(
        mails.len() == count && mails.iter().all(|m| tone(m) == Tone::Recovered),
        || format!("{count} recoveries were expected, there are: {}", list(&mails)),
    )?;
    Ok(mails)
}

fn wait(tale: &Tale, world: &mut World, count: usize, limit: u64) -> Result<(), String> {
    let until = tale.seconds() + limit as f64;
    while world.mails().len() < count {
        if tale.seconds() > until {
            let (mails, log) = (world.mails(), world.daemon()?.running.tail(20));
            return Err(format!(
                "{count} mails were expected within {limit} s, there are: {}\n      {log}",
                list(&mails)
            ));
        }
        world.daemon()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
