//! `kill -9` at random moments while faults come and go and the relays fail at random. The oracle reads only what the relays
//! accepted: a fault has its own device, so its name in an accepted mail is the proof.

use crate::mailbox::{Mail, epoch};
use crate::parts::{Folder, Hinomi};
use crate::runner::{Tale, ensure};
use crate::story_mail_out::{Stage, name};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Asked every second, a load counts at once; retries and one busy second more.
const DETECTION: f64 = 3.5;

/// A fault: from when to when its device was overloaded, nanoseconds since 1970.
struct Fault {
    device: usize,
    from: u128,
    to: u128,
}

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let kills: u32 = if tale.long { 200 } else { 12 };
    let seed = std::env::var("HINOMI_LAB_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| epoch() as u64 | 1);
    tale.say(format!(
        "{kills} kills; HINOMI_LAB_SEED={seed} plays the same dice again"
    ));
    let mut dice = Dice(seed | 1);
    let folder = Folder::new(tale.name)?;
    // On average 5 s from kill to kill , a fault every second (long: every three), each for 8 s or so.
    let stage = Stage::new(&folder, u16::try_from((kills * 4 + 20).min(400)).unwrap_or(400), 0, "")?;
    for dial in &stage.dials {
        dial.failing.store(300, Ordering::SeqCst);
        dial.forgetting.store(30, Ordering::SeqCst);
    }

    // Of 1,000 looks (one in 32 ms or so) this many begin a fault: the devices must last to the end.
    let often = if tale.long { 11 } else { 35 };
    let mut ups: Vec<(u128, u128)> = Vec::new();
    let mut faults: Vec<Fault> = Vec::new();
    for number in 1..=kills {
        let mut hinomi = Hinomi::start(&folder, None, &stage.config).map_err(|e| format!("start {number}: {e}"))?;
        let up = epoch();
        let until = up + u128::from(dice.between(200, 9000)) * 1_000_000;
        while epoch() < until {
            step(&stage, &mut faults, &mut dice, often);
            std::thread::sleep(Duration::from_millis(dice.between(5, 60)));
        }
        if let Some(status) = hinomi.running.ended() {
            return Err(format!(
                "hinomi ended by itself ({status}):\n      {}",
                hinomi.running.tail(20)
            ));
        }
        hinomi.running.kill();
        ups.push((up, epoch()));
        if number % 10 == 0 || number == kills {
            tale.say(format!(
                "kill {number}: {} faults so far, {} mails accepted",
                faults.len(),
                stage.mails().len()
            ));
        }
    }
    let mut hinomi = Hinomi::start(&folder, None, &stage.config)?;
    let up = epoch();
    tale.say("the last start; the relays are well from now on");
    stage.dials.iter().for_each(|d| d.failing.store(0, Ordering::SeqCst));
    stage.dials.iter().for_each(|d| d.forgetting.store(0, Ordering::SeqCst));
    std::thread::sleep(Duration::from_secs(8));
    let end = epoch();
    for fault in faults.iter_mut().filter(|f| f.to == 0) {
        stage.agents[fault.device].set(10);
        fault.to = end;
    }
    ups.push((up, u128::MAX));

    let due: Vec<&Fault> = faults
        .iter()
        .filter(|f| ups.iter().any(|u| seconds(f.from.max(u.0), f.to.min(u.1)) > DETECTION))
        .collect();
    let told = |mails: &[Mail], fault: &Fault| mails.iter().any(|m| m.says(&name(fault.device)));
    let limit = tale.seconds() + 330.0;
    loop {
        let mails = stage.mails();
        let untold: Vec<String> = due
            .iter()
            .filter(|f| !told(&mails, f))
            .map(|f| name(f.device))
            .collect();
        if untold.is_empty() {
            break;
        }
        ensure(tale.seconds() < limit, || {
            let log = hinomi.running.tail(8);
            format!(
                "faults never told: {} of {}: {}\n      {log}",
                untold.len(),
                due.len(),
                untold.join(", ")
            )
        })?;
        if let Some(status) = hinomi.running.ended() {
            return Err(format!(
                "hinomi ended by itself ({status}):\n      {}",
                hinomi.running.tail(20)
            ));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    // What is still under way may yet make a duplicate.
    std::thread::sleep(Duration::from_secs(5));
    verdict(tale, &stage, kills, due.len(), faults.len())
}

fn seconds(from: u128, to: u128) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}

/// Now and then a fault begins on a fresh device, now and then one ends.
fn step(stage: &Stage, faults: &mut Vec<Fault>, dice: &mut Dice, often: u64) {
    let now = epoch();
    if dice.between(0, 1000) < often && faults.len() < stage.agents.len() {
        let device = faults.len();
        stage.agents[device].set(if dice.between(0, 2) == 0 { 97 } else { 80 });
        faults.push(Fault {
            device,
            from: now,
            to: 0,
        });
    }
    for fault in faults.iter_mut().filter(|f| f.to == 0) {
        if seconds(fault.from, now) > 1.0 && dice.between(0, 1000) < 4 {
            stage.agents[fault.device].set(10);
            fault.to = now;
        }
    }
}

fn verdict(tale: &Tale, stage: &Stage, kills: u32, due: usize, faults: usize) -> Result<(), String> {
    let mails = stage.mails();
    let mut copies: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for mail in &mails {
        *copies.entry((&mail.recipient, mail.message_id())).or_default() += 1;
    }
    let duplicates: u64 = copies.values().map(|n| n - 1).sum();
    let cut: u64 = stage.dials.iter().map(|d| d.cut.load(Ordering::SeqCst)).sum();
    let failed: u64 = stage.dials.iter().map(|d| d.failed.load(Ordering::SeqCst)).sum();
    tale.say(format!(
        "{faults} faults, {due} lasted past detection while hinomi was up, all told; {} mails, {failed} transactions failed, {cut} \
         lost their 250, {duplicates} duplicates with the same Message-ID",
        mails.len()
    ));
    ensure(duplicates <= u64::from(kills) + cut, || {
        format!("{duplicates} duplicates for {kills} kills and {cut} lost 250s")
    })?;
    // The same notice under another Message-ID would be a duplicate that no phone can fold.
    for number in 0..faults {
        let mut ids: Vec<&str> = mails
            .iter()
            .filter(|m| m.subject().contains(&name(number)) && m.header("X-Hinomi-Notice") == "opened")
            .map(Mail::message_id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ensure(ids.len() <= 1, || {
            format!(
                "{} was told first under {} Message-IDs: {}",
                name(number),
                ids.len(),
                ids.join(", ")
            )
        })?;
    }
    Ok(())
}

/// xorshift64: the same seed, the same story (as far as the machine allows).
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (self.0 >> 11) % (high - low)
    }
}
