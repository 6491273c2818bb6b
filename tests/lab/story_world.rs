//! The lab's own network, tried without hinomi: if this fails, no other story means anything.

use crate::mailbox::Mailbox;
use crate::net::full;
use crate::parts::{COMMUNITY, Running, V3_AUTH, V3_PRIVACY, V3_USER};
use crate::runner::{Tale, ensure};
use crate::world::{AGG, EDGE_A, EDGE_B, GW, INST1, INST2, MON_ROUTES, OFFICE, OOB, PLATFORM, SMTP, World};
use std::time::Duration;

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let mut world = World::build(tale)?;
    let everybody = [GW, EDGE_A, EDGE_B, AGG, INST1, INST2, PLATFORM, OFFICE, OOB];
    for address in everybody {
        answers(&world, address, true)?;
    }
    tale.say("everybody answers echoes");
    agents(tale, &mut world)?;
    relays(tale, &world)?;

    world.net.silence("platform")?;
    answers(&world, PLATFORM, false)?;
    answers(&world, OFFICE, false)?;
    answers(&world, AGG, true)?;
    world.net.heal("platform")?;
    answers(&world, OFFICE, true)?;
    tale.say("the platform can be silenced and healed");

    world.net.plug("mon", "eth0", false, &[])?;
    answers(&world, GW, false)?;
    answers(&world, OOB, true)?;
    world.net.plug("mon", "eth0", true, &MON_ROUTES)?;
    answers(&world, INST2, true)?;
    tale.say("the monitor's uplink can be cut and healed");
    loss(tale, &world)
}

fn answers(world: &World, address: &str, wanted: bool) -> Result<(), String> {
    let got = world.net.shell("mon", &format!("ping -q -c 1 -W 1 {address}")).is_ok();
    ensure(got == wanted, || {
        format!("{address} should {}answer echoes", if wanted { "" } else { "not " })
    })
}

fn agents(tale: &Tale, world: &mut World) -> Result<(), String> {
    let (edge, agg) = (world.agent("edge-a")?, world.agent("agg")?);
    let load = "1.3.6.1.2.1.25.3.3.1.2";
    let v3 = format!("snmpget -m '' -Oqv -v3 -l authPriv -u {V3_USER} -a SHA-256 -A {V3_AUTH} -x AES -X {V3_PRIVACY}");
    for percent in [65, 95] {
        world.agents[edge].load(percent)?;
        let seen = world.net.shell("mon", &format!("{v3} {EDGE_A} {load}.1"))?;
        ensure(seen.trim() == percent.to_string(), || {
            format!("snmpd should say {percent}, it says {seen}")
        })?;
    }
    world.agents[agg].load(33)?;
    let walked = world
        .net
        .shell("mon", &format!("snmpwalk -m '' -Oqn -v2c -c {COMMUNITY} {AGG} {load}"))?;
    ensure(walked.trim() == format!(".{load}.1 33"), || {
        format!("a walk gives {walked}")
    })?;
    let names = world.net.shell(
        "mon",
        &format!("snmpwalk -m '' -Oqv -v2c -c {COMMUNITY} {EDGE_A} 1.3.6.1.2.1.31.1.1.1.1"),
    )?;
    ensure(names.contains("\"plat0\""), || {
        format!("edge-a has no plat0 but {names}")
    })?;
    tale.say("both real agents answer, over v3 and v2c, and their load follows the story");
    Ok(())
}

fn relays(tale: &Tale, world: &World) -> Result<(), String> {
    let own = std::env::current_exe()
        .map_err(|e| e.to_string())?
        .display()
        .to_string();
    let log = world.folder.path().join("mail-client.log");
    let boxes: [(&str, &Mailbox); 2] = [(OFFICE, &world.office_box), (OOB, &world.oob_box)];
    for (relay, mailbox) in boxes {
        let relay = format!("{relay}:{SMTP}");
        let mut client = Running::start(
            Some("mon"),
            &log,
            &[],
            &[&own, "part", "mail", &relay, "noc@example.net"],
        )?;
        let mails = mailbox.wait("test mail", Duration::from_secs(10), |m| {
            (m.len() == 1).then(|| m.to_vec())
        })?;
        ensure(
            mails[0].recipient == "noc@example.net" && mails[0].subject() == "試験 test",
            || format!("not the mail that was sent: {}", mails[0].brief()),
        )?;
        let _ = client.stop(Duration::from_secs(2));
    }
    tale.say(format!("both relays accept mail ({}, {})", full("office"), full("oob")));
    Ok(())
}

fn loss(tale: &Tale, world: &World) -> Result<(), String> {
    world.net.lose("gw", "mon0", 20)?;
    let report = world
        .net
        .shell("mon", &format!("ping -q -i 0.01 -c 400 -W 1 {GW} || true"))?;
    world.net.heal("gw")?;
    let percent = report
        .split(", ")
        .find(|p| p.contains("% packet loss"))
        .and_then(|p| p.split('%').next()?.trim().parse::<f64>().ok());
    let percent = percent.ok_or_else(|| format!("ping says {report}"))?;
    ensure((12.0..=28.0).contains(&percent), || {
        format!("20 % loss were ordered, {percent} % are measured")
    })?;
    tale.say(format!("20 % loss ordered, {percent} % measured over 400 echoes"));
    Ok(())
}
