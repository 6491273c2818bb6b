//! Faults of the operator's own network: an edge cut, the monitor's own uplink cut, loss everywhere.

use crate::mailbox::{Mail, epoch};
use crate::runner::{Tale, ensure};
use crate::site::{self, Choices};
use crate::words::{Tone, list, tone};
use crate::world::{MON_ROUTES, World};
use std::time::Duration;

const ALL: [&str; 7] = ["gw", "edge-a", "edge-b", "platform-pe", "agg", "inst-1", "inst-2"];
const BEHIND_EDGE_A: [&str; 4] = ["platform-pe", "agg", "inst-1", "inst-2"];
const PLAIN: Choices = Choices {
    snmp: false,
    edge_a: "",
    thresholds: "",
};

fn start(tale: &Tale) -> Result<World, String> {
    let mut world = World::build(tale)?;
    let config = site::world(&world.folder, &PLAIN)?;
    world.start(tale, &config)?;
    world.wait_reach(tale, &ALL, &["up"], Duration::from_secs(40))?;
    Ok(world)
}

/// Waits for so many mails in all, then a while longer for one too many.
fn exactly(tale: &Tale, world: &mut World, count: usize, limit: u64) -> Result<Vec<Mail>, String> {
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
    tale.say(format!("{count} mails; 20 s more: nothing else may come"));
    std::thread::sleep(Duration::from_secs(20));
    let mails = world.mails();
    ensure(mails.len() == count, || {
        format!("{count} mails were expected, there are: {}", list(&mails))
    })?;
    Ok(mails)
}

pub(crate) fn edge_cut(tale: &mut Tale) -> Result<(), String> {
    let mut world = start(tale)?;
    world.net.plug("gw", "edgea", false, &[])?;
    let cut = epoch();
    tale.say("cut: the cable between gw and edge-a");
    let mails = exactly(tale, &mut world, 2, 60)?;
    for mail in &mails {
        tale.say(format!(
            "{:.1} s after the cut: {}",
            (mail.arrived - cut) as f64 / 1e9,
            mail.brief()
        ));
        ensure(
            tone(mail) == Tone::Critical && mail.subject().contains("edge-a"),
            || format!("not about edge-a: {}", mail.brief()),
        )?;
    }
    let status = world.daemon()?.status()?;
    for device in BEHIND_EDGE_A {
        let reach = crate::world::reach(&status, device);
        ensure(reach == "unreachable", || {
            format!("{device} is behind edge-a and should be unreachable, it is {reach}")
        })?;
    }
    let open: Vec<_> = status["incidents"].as_array().cloned().unwrap_or_default();
    ensure(open.len() == 1, || {
        format!("one incident was expected, there are {}", open.len())
    })?;
    let inside = open[0]["affected"].as_array().cloned().unwrap_or_default();
    for device in BEHIND_EDGE_A {
        ensure(inside.iter().any(|d| d == device), || {
            format!("{device} is not listed inside the incident: {inside:?}")
        })?;
    }
    tale.say(format!("one incident; inside it: {}", BEHIND_EDGE_A.join(", ")));

    let routes = [
        ("192.0.2.32/27", "192.0.2.10"),
        ("192.0.2.64/26", "192.0.2.10"),
        ("198.51.100.0/24", "192.0.2.10"),
    ];
    world.net.plug("gw", "edgea", true, &routes)?;
    tale.say("the cable is back");
    let mails = exactly(tale, &mut world, 4, 90)?;
    for mail in &mails[2..] {
        tale.say(mail.brief());
        ensure(tone(mail) == Tone::Recovered, || {
            format!("no recovery: {}", mail.brief())
        })?;
    }
    world.wait_reach(tale, &ALL, &["up"], Duration::from_secs(40))
}

pub(crate) fn blind(tale: &mut Tale) -> Result<(), String> {
    let mut world = start(tale)?;
    world.net.plug("mon", "eth0", false, &[])?;
    let cut = epoch();
    tale.say("cut: the monitor's own uplink");
    let mails = exactly(tale, &mut world, 2, 60)?;
    for mail in &mails {
        tale.say(format!(
            "{:.1} s after the cut: {}",
            (mail.arrived - cut) as f64 / 1e9,
            mail.brief()
        ));
    }
    let out_of_band = world.oob_box.all().len();
    ensure(out_of_band == 2, || {
        format!("both by the out-of-band relay were expected, {out_of_band} came that way")
    })?;
    let accusing = mails.iter().filter(|m| ALL.iter().any(|d| m.subject().contains(d)));
    ensure(accusing.clone().count() == 0, || {
        format!("somebody is accused: {}", list(accusing))
    })?;
    let status = world.daemon()?.status()?;
    ensure(status["blind"] == true, || "status does not say blind".into())?;
    let incidents = status["incidents"].as_array().map_or(0, Vec::len);
    ensure(incidents == 1, || {
        format!("one incident (blind) was expected, there are {incidents}")
    })?;

    world.net.plug("mon", "eth0", true, &MON_ROUTES)?;
    tale.say("the uplink is back");
    let mails = exactly(tale, &mut world, 4, 90)?;
    for mail in &mails[2..] {
        tale.say(mail.brief());
        ensure(tone(mail) == Tone::Recovered, || {
            format!("something false on return: {}", mail.brief())
        })?;
    }
    world.wait_reach(tale, &ALL, &["up"], Duration::from_secs(40))
}

pub(crate) fn loss(tale: &mut Tale) -> Result<(), String> {
    let mut world = start(tale)?;
    // Each cable loses 20 % of what goes away from the monitor: 20 % at gw, 36 % at the edges, 49 % at agg, 59 % at the institutions.
    for (ns, interface) in [
        ("gw", "mon0"),
        ("edge-a", "up0"),
        ("edge-b", "up0"),
        ("platform", "edgea"),
        ("agg", "up0"),
        ("inst1", "wan0"),
        ("inst2", "wan0"),
    ] {
        world.net.lose(ns, interface, 20)?;
    }
    let seconds = if tale.long { 600 } else { 60 };
    tale.say(format!("every cable loses 20 % for {seconds} s"));
    let until = tale.seconds() + f64::from(seconds);
    let mut worst = 0.0_f64;
    while tale.seconds() < until {
        let status = world.daemon()?.status()?;
        for device in ALL {
            let reach = crate::world::reach(&status, device);
            ensure(!["down", "unreachable", "blind"].contains(&reach.as_str()), || {
                format!("{device} is called {reach}")
            })?;
        }
        for device in status["devices"].as_array().into_iter().flatten() {
            worst = worst.max(device["loss_percent"].as_f64().unwrap_or(0.0));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let mails = world.mails();
    ensure(mails.is_empty(), || {
        format!("nobody may be called down, but: {}", list(&mails))
    })?;
    tale.say(format!(
        "nothing was called down; the worst loss hinomi shows is {worst:.0} %"
    ));
    Ok(())
}
