//! A record of a run with faults of all kinds, played afterwards: the same mails, to the octet, and those that the relay accepted.

use crate::pair::{Pair, role};
use crate::routers::{Frr, Keepalived};
use crate::runner::{Tale, ensure};
use crate::story_sessions::{self, Routers};
use crate::world::SMTP;
use serde_json::Value;
use std::time::Duration;

/// What goes wrong in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// edge-a has no link to its LAN.
    Link,
    /// edge-b does not hear edge-a.
    Split,
    /// edge-a hears no BGP of the platform.
    Session,
    /// The platform's bgpd is gone.
    Bgpd,
    /// edge-a's keepalived is gone.
    Keepalived,
    /// edge-b is dead to everybody.
    Edge,
    /// The agent of edge-b answers nothing.
    Agent,
    /// No trap arrives.
    Traps,
    /// The relay takes no mail.
    Relay,
}

const ALL: [Fault; 9] = [
    Fault::Link,
    Fault::Session,
    Fault::Relay,
    Fault::Keepalived,
    Fault::Traps,
    Fault::Split,
    Fault::Bgpd,
    Fault::Agent,
    Fault::Edge,
];

/// The network with everything that can be broken.
struct Stage {
    pair: Pair,
    first: Keepalived,
    _second: Keepalived,
    platform: Frr,
    _routers: [Frr; 2],
}

impl Stage {
    fn make(&mut self, fault: Fault) -> Result<(), String> {
        let net = &self.pair.net;
        match fault {
            Fault::Link => net.plug("edge-a", "lan0", false, &[]),
            Fault::Split => net.drop_in("edge-b", "ip protocol 112"),
            Fault::Session => net.drop_in("edge-a", "tcp dport 179 drop; tcp sport 179"),
            Fault::Bgpd => {
                self.platform.kill("bgpd");
                Ok(())
            }
            Fault::Keepalived => {
                self.first.kill();
                Ok(())
            }
            Fault::Edge => net.silence("edge-b"),
            Fault::Agent => net.drop_in("edge-b", "udp dport 161"),
            Fault::Traps => self.pair.traps(false),
            Fault::Relay => net.drop_tcp("relay", SMTP),
        }
    }

    fn mend(&mut self, fault: Fault) -> Result<(), String> {
        let net = &self.pair.net;
        match fault {
            Fault::Link => net.plug("edge-a", "lan0", true, &[]),
            Fault::Session => net.heal("edge-a"),
            Fault::Split | Fault::Edge | Fault::Agent => net.heal("edge-b"),
            Fault::Bgpd => self.platform.launch("bgpd"),
            Fault::Keepalived => self.first.again(),
            Fault::Traps => self.pair.traps(true),
            Fault::Relay => net.heal("relay"),
        }
    }
}

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let [first, second] = pair.vrrp(tale, 3, "0.25")?;
    let Routers { platform, edges } = story_sessions::start(&pair, false, 0)?;
    let findings = "redundancy-lost = { level = \"warning\", after = \"3s\" }\nnone-active = { after = \"4s\" }\nswitched-back = { \
                    after = \"10s\" }\nagent-silent = { level = \"warning\", after = \"10s\" }\n";
    let groups = format!(
        "{}\n{}",
        crate::story_vrrp::group(),
        story_sessions::group("bgp", "preferred = \"edge-a\"\n")
    );
    let record = pair.folder.path().join("run.record").display().to_string();
    pair.watch(tale, findings, &groups, &["--record", &record])?;
    let mut stage = Stage {
        pair,
        first,
        _second: second,
        platform,
        _routers: edges,
    };
    if tale.long {
        at_random(tale, &mut stage, Duration::from_secs(30 * 60))?;
    } else {
        for fault in ALL {
            stage.make(fault)?;
            tale.say(format!("fault: {fault:?}"));
            std::thread::sleep(Duration::from_secs(8));
            stage.mend(fault)?;
            std::thread::sleep(Duration::from_secs(5));
        }
    }
    stage.pair.until(tale, "both groups are whole again", 60, |s| {
        role(s, "edge gateway", "edge-a") == "active" && role(s, "platform sessions", "edge-b") == "active"
    })?;
    std::thread::sleep(Duration::from_secs(20));
    play(tale, &mut stage.pair, &record)
}

/// One or two faults at a time, in an order that a seed gives.
fn at_random(tale: &Tale, stage: &mut Stage, length: Duration) -> Result<(), String> {
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut draw = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) % below
    };
    let end = tale.seconds() + length.as_secs_f64();
    while tale.seconds() < end {
        let mut faults = Vec::new();
        for _ in 0..=draw(2) {
            let index = usize::try_from(draw(ALL.len() as u64)).unwrap_or(0);
            let fault = ALL[index];
            if !faults.contains(&fault) {
                stage.make(fault)?;
                faults.push(fault);
            }
        }
        tale.say(format!("faults: {faults:?}"));
        std::thread::sleep(Duration::from_secs(3 + draw(30)));
        for fault in faults {
            stage.mend(fault)?;
        }
        std::thread::sleep(Duration::from_secs(3 + draw(30)));
    }
    Ok(())
}

/// Ends the daemon and plays its record.
fn play(tale: &Tale, pair: &mut Pair, record: &str) -> Result<(), String> {
    let accepted = pair.mails();
    let hinomi = pair.hinomi.as_mut().ok_or("the daemon is not started")?;
    hinomi.running.stop(Duration::from_secs(15))?;
    let size = std::fs::metadata(record).map_or(0, |m| m.len());
    // An exit code other than 0 is an error here.
    let said = hinomi.ask(&["replay", record])?;
    let verdict = said.lines().last().unwrap_or_default().to_owned();
    tale.say(format!("a record of {} kB, played: {verdict}", size / 1000));
    ensure(said.contains("to the octet"), || {
        format!("not the same to the octet:\n{said}")
    })?;

    let json = hinomi.ask(&["replay", record, "--json"])?;
    let mut played = Vec::new();
    for line in json.lines() {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        let mail = &value["mail"]["mail"];
        if let (Some(subject), Some(body)) = (mail["subject"].as_str(), mail["body"].as_str()) {
            played.push((subject.to_owned(), body.trim_end().to_owned()));
        }
    }
    for mail in &accepted {
        let same = (mail.subject().to_owned(), mail.body.trim_end().to_owned());
        ensure(played.contains(&same), || {
            format!(
                "the relay accepted a mail that the record does not give: {}\n{}",
                mail.brief(),
                mail.body
            )
        })?;
    }
    ensure(accepted.len() >= 10, || {
        format!("only {} mails: too little has happened", accepted.len())
    })?;
    tale.say(format!(
        "{} mails that the relay accepted are among the {} that were played, subject and text alike",
        accepted.len(),
        played.len()
    ));
    Ok(())
}
