//! The platform's router goes silent and takes the office relay with it: guideline 3.2.2(2).

use crate::mailbox::{Mail, epoch};
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices};
use crate::words::{Tone, list, tone};
use crate::world::World;
use std::time::Duration;

const RECIPIENTS: [&str; 2] = ["noc@example.net", "manager@example.net"];
const BEHIND: [&str; 3] = ["agg", "inst-1", "inst-2"];

pub(crate) fn with_witness(tale: &mut Tale) -> Result<(), String> {
    let mut world = World::build(tale)?;
    world.agent("edge-a")?;
    world.agent("agg")?;
    world.background()?;
    let told = platform_falls(tale, &mut world, true)?;
    for mail in &told {
        ensure(
            mail.says("相互接続基盤") || mail.body.to_lowercase().contains("platform"),
            || format!("the mail does not accuse the platform:\n{}", mail.body),
        )?;
        ensure(!undetermined(mail), || {
            format!(
                "there was a second witness, but the mail says undetermined:\n{}",
                mail.body
            )
        })?;
        ensure(mail.says("plat0"), || {
            format!(
                "the mail does not name its second witness, plat0 of edge-a:\n{}",
                mail.body
            )
        })?;
    }
    recovery(tale, &mut world, &told)
}

pub(crate) fn without_witness(tale: &mut Tale) -> Result<(), String> {
    let mut world = World::build(tale)?;
    let told = platform_falls(tale, &mut world, false)?;
    for mail in &told {
        ensure(undetermined(mail), || {
            format!("without a witness the mail must say undetermined:\n{}", mail.body)
        })?;
    }
    Ok(())
}

/// The words for "platform or demarcation link, undetermined".
fn undetermined(mail: &Mail) -> bool {
    mail.says("未確定") || mail.says("undetermined")
}

/// Cuts the platform off and gives the first mail to each recipient.
fn platform_falls(tale: &Tale, world: &mut World, snmp: bool) -> Result<Vec<Mail>, String> {
    let config = site::world(
        &world.folder,
        &Choices {
            snmp,
            edge_a: "",
            thresholds: "",
        },
    )?;
    world.start(tale, &config)?;
    let all = ["gw", "edge-a", "edge-b", "platform-pe", "agg", "inst-1", "inst-2"];
    world.wait_reach(tale, &all, &["up"], Duration::from_secs(40))?;
    if snmp {
        tale.say("45 s of traffic over plat0, so that its end means something");
        std::thread::sleep(Duration::from_secs(45));
    }
    let before = world.mails();
    ensure(before.is_empty(), || {
        format!("mails before the fault: {}", list(&before))
    })?;

    world.net.silence("platform")?;
    let cut = epoch();
    tale.say("cut: the platform's router drops everything, the office relay is behind it");
    let told = world.oob_box.wait(
        "critical mail to both recipients out of band",
        Duration::from_secs(75),
        |mails| {
            let first: Vec<Mail> = RECIPIENTS
                .iter()
                .filter_map(|r| mails.iter().find(|m| m.recipient == *r).cloned())
                .collect();
            (first.len() == RECIPIENTS.len()).then_some(first)
        },
    );
    let told = match told {
        Ok(told) => told,
        Err(why) => return Err(format!("{why}\n      {}", world.daemon()?.running.tail(20))),
    };
    for mail in &told {
        let seconds = (mail.arrived - cut) as f64 / 1e9;
        tale.say(format!(
            "{seconds:.1} s after the cut the out-of-band relay accepted: {}",
            mail.brief()
        ));
        ensure(seconds <= 60.0, || {
            format!("60 s were promised, it took {seconds:.1} s")
        })?;
        ensure(tone(mail) == Tone::Critical, || {
            format!("not critical: {}", mail.subject())
        })?;
        ensure(mail.says("platform-pe"), || {
            format!("it does not name platform-pe: {}", mail.brief())
        })?;
    }
    tale.say("20 s more: nothing else may come");
    std::thread::sleep(Duration::from_secs(20));
    let mails = world.mails();
    ensure(mails.len() == RECIPIENTS.len(), || {
        format!("one mail a recipient was promised: {}", list(&mails))
    })?;
    let wrong = mails.iter().filter(|m| BEHIND.iter().any(|b| m.subject().contains(b)));
    ensure(wrong.clone().count() == 0, || {
        format!("mails about what is not at fault: {}", list(wrong))
    })?;
    Ok(told)
}

/// Heals the platform; one recovery mail a recipient, under the first.
fn recovery(tale: &Tale, world: &mut World, told: &[Mail]) -> Result<(), String> {
    world.net.heal("platform")?;
    tale.say("the platform is back");
    let limit = Duration::from_secs(120);
    let until = tale.seconds() + limit.as_secs_f64();
    while world.mails().len() < 2 * told.len() && tale.seconds() < until {
        world.daemon()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(10));
    let mails = world.mails();
    ensure(mails.len() == 2 * told.len(), || {
        format!("one recovery mail a recipient was expected: {}", list(&mails))
    })?;
    for first in told {
        let later = mails
            .iter()
            .find(|m| m.recipient == first.recipient && m.message_id() != first.message_id());
        let later = later.ok_or_else(|| format!("no recovery mail to {}", first.recipient))?;
        tale.say(format!("recovery: {}", later.brief()));
        ensure(tone(later) == Tone::Recovered, || {
            format!("no recovery: {}", later.subject())
        })?;
        ensure(later.header("In-Reply-To") == first.message_id(), || {
            format!(
                "it does not thread: In-Reply-To {}, first {}",
                later.header("In-Reply-To"),
                first.message_id()
            )
        })?;
    }
    Ok(())
}
