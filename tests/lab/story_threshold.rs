//! A real snmpd's processor load is driven up and down through both levels; the mails say when hinomi saw it.

use crate::mailbox::{Mail, epoch};
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices};
use crate::words::{Tone, list, tone};
use crate::world::World;
use std::time::Duration;

const NOC: &str = "noc@example.net";

/// Load, and what may be told while it lasts.
const STEPS: [(u32, Option<Tone>); 7] = [
    (65, None),
    (75, Some(Tone::Warning)),
    (95, Some(Tone::Critical)),
    (87, None),
    (84, Some(Tone::Warning)),
    (68, None),
    (62, Some(Tone::Recovered)),
];

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let mut world = World::build(tale)?;
    let edge = world.agent("edge-a")?;
    let config = site::world(
        &world.folder,
        &Choices {
            snmp: true,
            edge_a: "poll = { interval = \"2s\", timeout = \"1s\" }\n",
            thresholds: "[thresholds]\ncpu = { warning = \"70 %\", critical = \"90 %\", for = \"6s\", clear_for = \"6s\" }\n",
        },
    )?;
    world.start(tale, &config)?;
    world.wait_reach(tale, &["edge-a"], &["up"], Duration::from_secs(30))?;
    wait_for_load(&mut world, tale)?;

    // A level needs 6 s of values 2 s apart; with the mail that is under 10 s. 16 s a step leave no doubt which step it came from.
    let hold = Duration::from_secs(16);
    for (percent, wanted) in STEPS {
        world.agents[edge].load(percent)?;
        let from = epoch();
        tale.say(format!("input: {percent} %"));
        std::thread::sleep(hold);
        step(tale, &mut world, percent, wanted, from)?;
    }
    whole(&world)
}

/// The agent has been read once.
fn wait_for_load(world: &mut World, tale: &Tale) -> Result<(), String> {
    for _ in 0..150 {
        let text = world.daemon()?.ask(&["status", "--json"])?;
        let status: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let edge = status["devices"]
            .as_array()
            .and_then(|l| l.iter().find(|d| d["name"] == "edge-a"))
            .cloned();
        let known = edge.is_some_and(|d| {
            d["metrics"]
                .as_array()
                .is_some_and(|l| l.iter().any(|m| m["metric"] == "cpu" && m["value"].is_number()))
        });
        if known {
            tale.say("the first processor load is read over SNMPv3");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err(format!(
        "the processor load of edge-a is never read; {}",
        world.daemon()?.running.tail(12)
    ))
}

/// What the NOC was told while one load lasted.
fn step(tale: &Tale, world: &mut World, percent: u32, wanted: Option<Tone>, from: u128) -> Result<(), String> {
    let mails: Vec<Mail> = world
        .mails()
        .into_iter()
        .filter(|m| m.recipient == NOC && m.arrived >= from)
        .collect();
    for mail in &mails {
        let late = (mail.arrived - from) as f64 / 1e9;
        tale.say(format!("{percent} % for {late:.1} s when accepted: {}", mail.brief()));
    }
    let tones: Vec<Tone> = mails.iter().map(tone).collect();
    let log = world.daemon()?.running.tail(6);
    ensure(tones == wanted.into_iter().collect::<Vec<_>>(), || {
        format!(
            "at {percent} % there should be {wanted:?}, but there is {tones:?}: {}\n      {log}",
            list(&mails)
        )
    })
}

/// One thread, about edge-a only, and the manager was told of what was critical.
fn whole(world: &World) -> Result<(), String> {
    let mails = world.mails();
    let noc: Vec<&Mail> = mails.iter().filter(|m| m.recipient == NOC).collect();
    let first = noc.first().ok_or("no mail at all")?.message_id();
    ensure(noc.iter().skip(1).all(|m| m.header("In-Reply-To") == first), || {
        format!(
            "the later mails do not thread under {first}: {}",
            list(noc.iter().copied())
        )
    })?;
    let strangers: Vec<&Mail> = mails.iter().filter(|m| !m.subject().contains("edge-a")).collect();
    ensure(strangers.is_empty(), || {
        format!("mails about something else: {}", list(strangers))
    })?;
    let manager: Vec<Tone> = mails.iter().filter(|m| m.recipient != NOC).map(tone).collect();
    ensure(
        manager.first() == Some(&Tone::Critical) && manager.last() == Some(&Tone::Recovered),
        || format!("the manager should hear of the critical level first and of the recovery last: {manager:?}"),
    )
}
