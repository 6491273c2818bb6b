//! Both ways out are dead while faults come and go; afterwards everything is told, once, the worst first.

use crate::agents::{self, Agent};
use crate::mailbox::Mailbox;
use crate::parts::{Folder, Hinomi, smtpd};
use crate::relay::{self, Dial};
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices, Crowd};
use crate::words::{Tone, list, tone};
use crate::world::{SMTP, World};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) fn one_fault(tale: &mut Tale) -> Result<(), String> {
    let mut world = World::build(tale)?;
    let config = site::world(
        &world.folder,
        &Choices {
            snmp: false,
            edge_a: "",
            thresholds: "",
        },
    )?;
    world.start(tale, &config)?;
    world.wait_reach(tale, &["gw", "edge-a", "edge-b"], &["up"], Duration::from_secs(40))?;
    world.office = None;
    world.net.drop_tcp("oob", SMTP)?;
    tale.say("the office relay is stopped, the out-of-band relay swallows packets");

    world.net.plug("gw", "edgeb", false, &[])?;
    let began = clock();
    tale.say("edge-b is cut");
    world.wait_reach(tale, &["edge-b"], &["down"], Duration::from_secs(40))?;
    std::thread::sleep(Duration::from_secs(5));
    world.net.plug("gw", "edgeb", true, &[])?;
    tale.say("edge-b is back");
    world.wait_reach(tale, &["edge-b"], &["up"], Duration::from_secs(60))?;
    std::thread::sleep(Duration::from_secs(5));
    let early = world.mails();
    ensure(early.is_empty(), || {
        format!("mails through dead relays: {}", list(&early))
    })?;

    world.net.heal("oob")?;
    let (office, _) = smtpd(&world.folder, "office", SMTP)?;
    world.office = Some(office);
    tale.say("both relays are back");
    let until = tale.seconds() + 330.0;
    // Beside it there may be a notice that no way out was left: that is another incident.
    let about = |world: &World| {
        world
            .mails()
            .into_iter()
            .filter(|m| !m.subject().contains("hinomi"))
            .collect::<Vec<_>>()
    };
    while about(&world).len() < 2 && tale.seconds() < until {
        world.daemon()?;
        std::thread::sleep(Duration::from_millis(300));
    }
    std::thread::sleep(Duration::from_secs(15));
    let mails = about(&world);
    ensure(mails.len() == 2, || {
        format!("one mail to each of two recipients was expected: {}", list(&mails))
    })?;
    for mail in &mails {
        tale.say(mail.brief());
        ensure(mail.says("edge-b"), || {
            format!("it does not name edge-b: {}", mail.brief())
        })?;
        // The fault began in this minute or the next (the first unanswered echo comes up to an interval later).
        ensure(began.iter().any(|minute| mail.says(minute)), || {
            format!(
                "the time it began ({}) is not in it:\n{}",
                began.join(" or "),
                mail.body
            )
        })?;
    }
    Ok(())
}

/// This minute and the next in the operator's time zone, as HH:MM.
fn clock() -> Vec<String> {
    let now = crate::mailbox::epoch() / 1_000_000_000 + 9 * 3600;
    [now, now + 60]
        .iter()
        .map(|t| format!("{:02}:{:02}", t / 3600 % 24, t / 60 % 60))
        .collect()
}

const FAULTS: u16 = 25;
/// The first so many are warnings; the others are critical.
const WARNINGS: usize = 20;

pub(crate) fn many_faults(tale: &mut Tale) -> Result<(), String> {
    let folder = Folder::new(tale.name)?;
    let stage = Stage::new(&folder, FAULTS, 1, "")?;
    let mut hinomi = Hinomi::start(&folder, None, &stage.config)?;
    tale.say(format!("{FAULTS} agents are watched"));
    std::thread::sleep(Duration::from_secs(4));
    stage.dials.iter().for_each(|d| d.failing.store(1000, Ordering::SeqCst));
    tale.say("both relays refuse everybody");
    // Warnings first, so that only order by level can put the critical ones in front.
    for (number, agent) in stage.agents.iter().enumerate() {
        agent.set(if number < WARNINGS { 80 } else { 97 });
        std::thread::sleep(Duration::from_millis(120));
    }
    std::thread::sleep(Duration::from_secs(5));
    for number in [0, 1, WARNINGS, WARNINGS + 1] {
        stage.agents[number].set(10);
    }
    tale.say(format!(
        "{FAULTS} faults began, {WARNINGS} of them warnings; 4 are over"
    ));
    std::thread::sleep(Duration::from_secs(8));
    let early = stage.mails();
    ensure(early.is_empty(), || {
        format!("mails through dead relays: {}", list(&early))
    })?;
    stage.dials.iter().for_each(|d| d.failing.store(0, Ordering::SeqCst));
    tale.say("both relays are well again");

    let about_faults = || {
        stage
            .mails()
            .into_iter()
            .filter(|m| m.subject().contains("flt-"))
            .collect::<Vec<_>>()
    };
    let until = tale.seconds() + 330.0;
    while about_faults().len() < usize::from(FAULTS) && tale.seconds() < until {
        if let Some(status) = hinomi.running.ended() {
            return Err(format!("hinomi ended ({status}):\n      {}", hinomi.running.tail(20)));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    std::thread::sleep(Duration::from_secs(15));
    let mails = about_faults();
    for mail in &stage.mails() {
        tale.say(mail.brief());
    }
    ensure(mails.len() == usize::from(FAULTS), || {
        format!(
            "{FAULTS} mails were expected, there are {}: {}",
            mails.len(),
            list(&mails)
        )
    })?;
    for name in stage.names() {
        let count = mails.iter().filter(|m| m.subject().contains(&name)).count();
        ensure(count == 1, || format!("{name} has {count} mails"))?;
    }
    // In the moment in which the relays come back, two conversations about lesser ones may be open with each of them; after that the
    // critical ones go first.
    let places: Vec<usize> = (WARNINGS..usize::from(FAULTS))
        .filter_map(|n| mails.iter().position(|m| m.subject().contains(&name(n))))
        .collect();
    tale.say(format!("places of the critical ones among {FAULTS}: {places:?}"));
    ensure(
        places
            .iter()
            .all(|at| *at < usize::from(FAULTS) - WARNINGS + 2 * stage.dials.len()),
        || format!("the critical ones were not first: {}", list(&mails)),
    )?;
    let critical = mails.iter().filter(|m| tone(m) == Tone::Critical).count();
    ensure(critical == 3, || {
        format!(
            "three critical ones are still open, {critical} mails say so: {}",
            list(&mails)
        )
    })?;
    // Beside them at most the notice that no way was left, told once it was over.
    let others: Vec<_> = stage
        .mails()
        .into_iter()
        .filter(|m| !m.subject().contains("flt-"))
        .collect();
    ensure(others.len() <= 1, || format!("other mails: {}", list(&others)))
}

/// The name of a device, from 0.
pub(crate) fn name(number: usize) -> String {
    format!("flt-{number:03}")
}

/// Agents and two scripted relays on loopback, and a configuration for them.
pub(crate) struct Stage {
    pub(crate) agents: Vec<Arc<Agent>>,
    pub(crate) dials: [Arc<Dial>; 2],
    pub(crate) config: std::path::PathBuf,
    pub(crate) text: String,
    boxes: [Mailbox; 2],
}

impl Stage {
    pub(crate) fn new(folder: &Folder, count: u16, lasting: u32, more: &str) -> Result<Stage, String> {
        let (agents, port) = agents::start(count)?;
        let dials = [Arc::new(Dial::new(7)), Arc::new(Dial::new(11))];
        let dirs = [folder.path().join("mail-first"), folder.path().join("mail-second")];
        let ports = [
            relay::start(&dirs[0], dials[0].clone())?,
            relay::start(&dirs[1], dials[1].clone())?,
        ];
        let named: Vec<(String, String)> = agents
            .iter()
            .enumerate()
            .map(|(n, a)| (name(n), a.address.split(':').next().unwrap_or_default().to_owned()))
            .collect();
        let listen = free_port()?;
        let text = site::crowd(
            folder,
            &Crowd {
                agents: &named,
                agent_port: port,
                relay_ports: ports,
                listen,
                lasting,
                more,
            },
        )?;
        let config = folder.write("hinomi.toml", &text)?;
        Ok(Stage {
            agents,
            dials,
            config,
            text,
            boxes: [Mailbox::new(&dirs[0]), Mailbox::new(&dirs[1])],
        })
    }

    /// What both relays accepted, oldest first.
    pub(crate) fn mails(&self) -> Vec<crate::mailbox::Mail> {
        let mut all = self.boxes[0].all();
        all.extend(self.boxes[1].all());
        all.sort_by_key(|m| m.arrived);
        all
    }

    pub(crate) fn names(&self) -> Vec<String> {
        (0..self.agents.len()).map(name).collect()
    }
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    Ok(listener.local_addr().map_err(|e| e.to_string())?.port())
}
