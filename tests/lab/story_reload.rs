//! 100 reloads under load. The agents are the judges: each was asked in every second.

use crate::parts::{Folder, Hinomi};
use crate::runner::{Tale, ensure};
use crate::story_mail_out::{Stage, name};
use crate::words::list;
use std::time::{Duration, Instant};

const RELOADS: usize = 100;
const AGENTS: u16 = 20;

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let folder = Folder::new(tale.name)?;
    let stage = Stage::new(&folder, AGENTS, 1, "")?;
    let mut hinomi = Hinomi::start(&folder, None, &stage.config)?;
    std::thread::sleep(Duration::from_secs(3));
    stage.agents[0].set(80);
    stage.agents[1].set(97);
    let until = tale.seconds() + 20.0;
    while stage.mails().len() < 2 && tale.seconds() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    let before = stage.mails();
    ensure(before.len() == 2, || {
        format!("two mails before the reloads were expected: {}", list(&before))
    })?;
    let findings = open_findings(&hinomi)?;
    tale.say(format!(
        "{AGENTS} agents asked every second, 2 findings open; now {RELOADS} reloads"
    ));

    let from = Instant::now();
    for number in 0..RELOADS {
        // Every reload changes something else: a contact's address, a threshold of memory, one device that comes and goes.
        let mut text = stage.text.replace(
            "noc@example.net",
            if number % 2 == 0 {
                "noc2@example.net"
            } else {
                "noc@example.net"
            },
        );
        text = text.replace(
            "[thresholds]",
            &format!(
                "[thresholds]\nload5 = {{ warning = {}.0, critical = 90.0 }}",
                10 + number % 7
            ),
        );
        if number % 3 == 0 {
            text.push_str("\n[[device]]\nname = \"guest\"\naddress = \"127.1.9.9\"\nliveness = \"none\"\n");
        }
        if number + 1 == RELOADS {
            text.clone_from(&stage.text);
        }
        folder.write("hinomi.toml", &text)?;
        hinomi
            .ask(&["reload"])
            .map_err(|e| format!("reload {}: {e}", number + 1))?;
        std::thread::sleep(Duration::from_millis(250));
        if let Some(status) = hinomi.running.ended() {
            return Err(format!("hinomi ended ({status}):\n      {}", hinomi.running.tail(20)));
        }
    }
    let to = Instant::now();
    tale.say(format!("{RELOADS} reloads in {:.1} s", (to - from).as_secs_f64()));

    let mut worst = 0.0_f64;
    for (number, agent) in stage.agents.iter().enumerate() {
        let asked: Vec<Instant> = agent.asked().into_iter().filter(|t| *t >= from && *t <= to).collect();
        let gaps = asked.windows(2).map(|w| (w[1] - w[0]).as_secs_f64());
        let gap = gaps.fold(0.0_f64, f64::max);
        worst = worst.max(gap);
        let seconds = (to - from).as_secs_f64();
        // One round a second; the ends of the span may cut off one.
        ensure(asked.len() as f64 >= seconds - 1.5, || {
            format!(
                "{} was asked {} times in {seconds:.1} s: polls were lost",
                name(number),
                asked.len()
            )
        })?;
        ensure(gap < 1.5, || {
            format!("{} was not asked for {gap:.2} s: a poll was lost", name(number))
        })?;
    }
    tale.say(format!(
        "no poll lost as counted by the agents; the longest gap is {worst:.2} s of 1 s"
    ));
    let after = open_findings(&hinomi)?;
    ensure(findings == after, || {
        format!("findings were reset: before {findings:?}, after {after:?}")
    })?;
    let mails = stage.mails();
    ensure(mails.len() == 2, || format!("a reload made mails: {}", list(&mails)))?;
    tale.say("both findings stand as before, no mail more");
    hinomi.running.stop(Duration::from_secs(5)).map(|_| ())
}

/// Device, kind and since of every finding with a level.
fn open_findings(hinomi: &Hinomi) -> Result<Vec<String>, String> {
    let status = hinomi.status()?;
    let mut found = Vec::new();
    for device in status["devices"].as_array().into_iter().flatten() {
        for finding in device["findings"].as_array().into_iter().flatten() {
            if finding["level"] != "ok" {
                found.push(format!(
                    "{} {} since {}",
                    device["name"], finding["level"], finding["since"]
                ));
            }
        }
    }
    Ok(found)
}
