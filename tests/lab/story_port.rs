//! Ports of a real agent: one goes down and comes back, one vanishes with its card and comes back under another number, the agent
//! itself restarts. No spike, no port taken for another.

use crate::mailbox::Mail;
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices};
use crate::words::{Tone, list, tone};
use crate::world::World;
use serde_json::Value;
use std::time::Duration;

/// What can come in on these ports at most: nothing but echoes, SNMP and the lab's own pings runs here.
const SPIKE_BPS: f64 = 20e6;

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let mut world = World::build(tale)?;
    let agg = world.agent("agg")?;
    let config = site::world(
        &world.folder,
        &Choices {
            snmp: true,
            edge_a: "",
            thresholds: "",
        },
    )?
    .replace("snmp = \"v2c\"\n", "snmp = \"v2c\"\ninterfaces = [\"acc*\"]\n")
    // edge-a has no agent in this story.
    .replace("snmp = \"v3\"\ninterfaces = [\"plat0\", \"up0\", \"agg0\"]\n", "");
    world.start(tale, &config)?;
    world.wait_reach(tale, &["agg", "inst-1", "inst-2"], &["up"], Duration::from_secs(40))?;
    watch(tale, &mut world, 60, "both ports are read", |ports| {
        ports.len() == 2 && ports.iter().all(|p| p.in_bps.is_some())
    })?;

    world.net.shell("agg", "ip link set acc2 down")?;
    tale.say("acc2 of agg is put down by its administrator: noted, nobody is told");
    world.net.shell("inst1", "ip link set wan0 down")?;
    tale.say("the cable of acc1 is pulled at the institution's end");
    let opened = told(tale, &mut world, 0, 75)?;
    ensure(opened.subject().contains("agg") && opened.says("acc1"), || {
        format!("not about acc1: {}", opened.brief())
    })?;
    ensure(tone(&opened) == Tone::Warning, || {
        format!("not a warning: {}", opened.brief())
    })?;
    world
        .net
        .shell("inst1", "ip link set wan0 up && ip route add default via 192.0.2.65")?;
    world.net.shell("agg", "ip link set acc2 up")?;
    tale.say("the cable of acc1 is back; acc2 is put up again");
    let closed = told(tale, &mut world, 1, 60)?;
    ensure(tone(&closed) == Tone::Recovered, || {
        format!("no recovery: {}", closed.brief())
    })?;

    let before = numbers(&mut world)?;
    world.agents[agg].running.kill();
    world.net.shell("agg", "ip link delete acc1")?;
    world
        .net
        .cable(("agg", "acc1", "192.0.2.65/30"), ("inst1", "wan0", "192.0.2.66/30"))?;
    world.net.route("inst1", "default", "192.0.2.65")?;
    world.agents[agg] = crate::parts::Snmpd::start(&world.folder, "agg")?;
    tale.say("agg's agent restarts; acc1 has another number now, its counters begin at nought");
    watch(
        tale,
        &mut world,
        90,
        "acc1 is read again, under its new number",
        |ports| {
            ports
                .iter()
                .any(|p| p.name == "acc1" && Some(&p.index) != before.get("acc1") && p.in_bps.is_some())
        },
    )?;
    let mails = world.mails();
    ensure(mails.len() == 2, || {
        format!("two mails in all were expected: {}", list(&mails))
    })
}

struct Port {
    name: String,
    index: u64,
    in_bps: Option<f64>,
}

fn ports(world: &mut World) -> Result<Vec<Port>, String> {
    let status = world.daemon()?.status()?;
    let agg = status["devices"]
        .as_array()
        .and_then(|l| l.iter().find(|d| d["name"] == "agg"))
        .cloned()
        .unwrap_or(Value::Null);
    let read = |p: &Value| Port {
        name: p["name"].as_str().unwrap_or_default().to_owned(),
        index: p["index"].as_u64().unwrap_or(0),
        in_bps: p["in_bps"].as_f64(),
    };
    Ok(agg["interfaces"]
        .as_array()
        .map(|l| l.iter().map(read).collect())
        .unwrap_or_default())
}

fn numbers(world: &mut World) -> Result<std::collections::BTreeMap<String, u64>, String> {
    Ok(ports(world)?.into_iter().map(|p| (p.name, p.index)).collect())
}

/// Reads the ports until it is as wanted; a rate that cannot be is a failure at once.
fn watch(
    tale: &Tale,
    world: &mut World,
    limit: u64,
    what: &str,
    wanted: impl Fn(&[Port]) -> bool,
) -> Result<(), String> {
    let until = tale.seconds() + limit as f64;
    loop {
        let ports = ports(world)?;
        for port in &ports {
            let bps = port.in_bps.unwrap_or(0.0);
            ensure(bps < SPIKE_BPS, || {
                format!("a spike: {} shows {bps:.0} bit/s", port.name)
            })?;
        }
        if wanted(&ports) {
            let seen: Vec<String> = ports
                .iter()
                .map(|p| {
                    format!(
                        "{} (ifIndex {}) {:.0} bit/s",
                        p.name,
                        p.index,
                        p.in_bps.unwrap_or(f64::NAN)
                    )
                })
                .collect();
            tale.say(format!("{what}: {}", seen.join(", ")));
            return Ok(());
        }
        let seen = || {
            ports
                .iter()
                .map(|p| format!("{} {} {:?}", p.name, p.index, p.in_bps))
                .collect::<Vec<_>>()
                .join(", ")
        };
        ensure(tale.seconds() < until, || {
            format!("not within {limit} s: {what}; the ports are: {}", seen())
        })?;
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The mail after so many.
fn told(tale: &Tale, world: &mut World, after: usize, limit: u64) -> Result<Mail, String> {
    let until = tale.seconds() + limit as f64;
    while world.mails().len() <= after {
        if tale.seconds() > until {
            let (mails, log) = (world.mails(), world.daemon()?.running.tail(12));
            return Err(format!(
                "no mail within {limit} s; accepted so far: {}\n      {log}",
                list(&mails)
            ));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let mail = world.mails().swap_remove(after);
    tale.say(mail.brief());
    Ok(mail)
}
