//! A real snmpd's processor load is driven up and down through both levels; the mails say when hinomi saw it.

use crate::mailbox::{Mail, epoch};
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices};
use crate::words::{Tone, tone};
use crate::world::World;
use std::time::Duration;

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
    let mut inputs: Vec<(u128, u32)> = Vec::new();
    for (percent, _) in STEPS {
        world.agents[edge].load(percent)?;
        inputs.push((epoch(), percent));
        tale.say(format!("input: {percent} %"));
        std::thread::sleep(hold);
        world.daemon()?;
    }
    inputs.push((epoch(), 62));
    judge(tale, &world, &inputs)
}

/// The agent has been read once.
fn wait_for_load(world: &mut World, tale: &Tale) -> Result<(), String> {
    for _ in 0..150 {
        let text = world.daemon()?.ask(&["status", "--json"])?;
        let status: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let edge = status["devices"].as_array().and_then(|l| l.iter().find(|d| d["name"] == "edge-a")).cloned();
        let known = edge.is_some_and(|d| {
            d["metrics"].as_array().is_some_and(|l| l.iter().any(|m| m["metric"] == "cpu" && m["value"]["Ok"].is_number()))
        });
        if known {
            tale.say("the first processor load is read over SNMPv3");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err(format!("the processor load of edge-a is never read; {}", world.daemon()?.running.tail(12)))
}

fn judge(tale: &Tale, world: &World, inputs: &[(u128, u32)]) -> Result<(), String> {
    let mails = world.mails();
    let about: Vec<&Mail> = mails.iter().filter(|m| m.recipient == "noc@example.net").collect();
    let mut told = about.iter();
    for (step, (percent, wanted)) in STEPS.iter().enumerate() {
        let (from, to) = (inputs[step].0, inputs[step + 1].0);
        let here: Vec<&&Mail> = about.iter().filter(|m| m.arrived >= from && m.arrived < to).collect();
        let tones: Vec<Tone> = here.iter().map(|m| tone(m)).collect();
        for mail in &here {
            let late = (mail.arrived - from) as f64 / 1e9;
            tale.say(format!("{percent} % for {late:.1} s when accepted: {}", mail.brief()));
            told.next();
        }
        ensure(tones == wanted.iter().copied().collect::<Vec<_>>(), || {
            format!("at {percent} % there should be {wanted:?}, but there is {tones:?}; all mails: {}", list(&about))
        })?;
    }
    ensure(told.next().is_none(), || format!("mails outside the steps: {}", list(&about)))?;
    let first = about.first().ok_or("no mail at all")?.message_id().to_owned();
    ensure(about.iter().skip(1).all(|m| m.header("In-Reply-To") == first), || {
        format!("the later mails do not thread under {first}: {}", list(&about))
    })?;
    let strangers: Vec<&Mail> = mails.iter().filter(|m| !m.says("edge-a")).collect();
    ensure(strangers.is_empty(), || format!("mails about something else: {}", list(&strangers)))
}

fn list(mails: &[&Mail]) -> String {
    mails.iter().map(|m| format!("\n      {}", m.brief())).collect()
}
