//! Real FRR toward the platform: sessions of BGP and OSPF are lost on one edge, then on both; bgpd restarts and forwarding goes on.

use crate::mailbox::epoch;
use crate::pair::{EDGE_A, EDGE_B, PEER_A, PEER_B, Pair, role, seconds};
use crate::routers::{Frr, Router};
use crate::runner::{Tale, ensure};
use crate::words::{Tone, list, tone};
use std::time::Duration;

const OWN_AS: u32 = 65_001;
const PLATFORM_AS: u32 = 65_000;
const GROUP: &str = "platform sessions";

/// Platform, edge-a, edge-b.
pub(crate) struct Routers {
    pub(crate) platform: Frr,
    pub(crate) edges: [Frr; 2],
}

pub(crate) fn start(pair: &Pair, ospf: bool, graceful: u32) -> Result<Routers, String> {
    let (folder, to_edges) = (&pair.folder, [("198.51.100.1", OWN_AS), ("198.51.100.5", OWN_AS)]);
    let platform = Router {
        ns: "platform",
        id: PEER_A,
        bgp: (!ospf).then_some((PLATFORM_AS, &to_edges)),
        ospf: ospf.then_some((&["edgea", "edgeb"], "198.51.100.0/29")),
        snmp: false,
        graceful,
    };
    let edge = |ns, id, peer: &[(&str, u32)]| {
        let router = Router {
            ns,
            id,
            bgp: (!ospf).then_some((OWN_AS, peer)),
            ospf: ospf.then_some((&["plat0"], "198.51.100.0/29")),
            snmp: true,
            graceful,
        };
        Frr::start(folder, &router)
    };
    Ok(Routers {
        platform: Frr::start(folder, &platform)?,
        edges: [
            edge("edge-a", EDGE_A, &[(PEER_A, PLATFORM_AS)])?,
            edge("edge-b", EDGE_B, &[(PEER_B, PLATFORM_AS)])?,
        ],
    })
}

pub(crate) fn group(kind: &str, more: &str) -> String {
    format!(
        "[[redundancy]]\nname = \"{GROUP}\"\nkind = \"{kind}\"\nmembers = [{{ device = \"edge-a\", peer = \"{PEER_A}\" }}, \
         {{ device = \"edge-b\", peer = \"{PEER_B}\" }}]\nneed = 1\n{more}"
    )
}

/// One edge loses its BGP session, then both do.
pub(crate) fn bgp(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let routers = start(&pair, false, 0)?;
    let findings = "redundancy-lost = { level = \"warning\", after = \"4s\" }\nnone-active = { after = \"5s\" }\nswitched-back = { \
                    after = \"10s\" }\n";
    pair.watch(tale, findings, &group("bgp", "preferred = \"edge-a\"\n"), &[])?;
    let cut = "tcp dport 179 drop; tcp sport 179";
    one_then_both(tale, &mut pair, &routers.edges[0], "bgpd", cut, " Down ")
        .map_err(|e| format!("{e}\n      platform: {}", routers.platform.tail("bgpd")))
}

/// The same with OSPF, whose table drops the row of a neighbour that is gone.
pub(crate) fn ospf(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let routers = start(&pair, true, 0)?;
    let findings = "redundancy-lost = { level = \"warning\", after = \"4s\" }\nnone-active = { after = \"5s\" }\nswitched-back = { \
                    after = \"10s\" }\n";
    pair.watch(tale, findings, &group("ospf", "preferred = \"edge-a\"\n"), &[])?;
    one_then_both(
        tale,
        &mut pair,
        &routers.edges[0],
        "ospfd",
        "ip protocol 89",
        "Full -> ",
    )
    .map_err(|e| format!("{e}\n      platform: {}", routers.platform.tail("ospfd")))
}

/// edge-a loses its neighbour, then edge-b does, then both have it again. `lost` is what edge-a's own daemon says then.
fn one_then_both(
    tale: &Tale,
    pair: &mut Pair,
    edge: &Frr,
    daemon: &str,
    protocol: &str,
    lost: &str,
) -> Result<(), String> {
    let cut = epoch();
    pair.net.drop_in("edge-a", protocol)?;
    tale.say("edge-a hears nothing of the platform any more");
    pair.until(tale, "the session of edge-a is seen as failed", 20, |s| {
        role(s, GROUP, "edge-a") == "failed"
    })?;
    let at = edge.said(daemon, lost)?;
    tale.say(format!("edge-a itself noticed {:.2} s after the cut", seconds(cut, at)));
    pair.in_time(tale, "switched-over", at, true)?;
    let opened = pair.told(tale, 0, &["WARNING", GROUP, "switchover"], 10)?;
    ensure(opened.says(&format!("from edge-a {PEER_A} to edge-b {PEER_B}")), || {
        format!("not from edge-a to edge-b:\n{}", opened.body)
    })?;
    let fewer = pair.told(tale, 1, &["WARNING", GROUP, "redundancy lost"], 20)?;
    ensure(fewer.says(PEER_A) && fewer.says("failed"), || {
        format!("it does not name the session:\n{}", fewer.body)
    })?;

    pair.net.drop_in("edge-b", protocol)?;
    tale.say("edge-b hears nothing of the platform either");
    let worse = pair.told(tale, 2, &["CRITICAL", GROUP, "service lost"], 30)?;
    ensure(tone(&worse) == Tone::Critical, || {
        format!("not critical: {}", worse.brief())
    })?;

    for edge in ["edge-b", "edge-a"] {
        pair.net.heal(edge)?;
    }
    tale.say("both hear the platform again");
    pair.until(tale, "both sessions are seen as good", 30, |s| {
        role(s, GROUP, "edge-a") == "active" && role(s, GROUP, "edge-b") == "active"
    })?;
    let over = pair.told(tale, 5, &["RECOVERED", GROUP, "switchover"], 30)?;
    let mails = pair.mails();
    for first in [&opened, &fewer, &worse] {
        let ends =
            |m: &&crate::mailbox::Mail| tone(m) == Tone::Recovered && m.header("In-Reply-To") == first.message_id();
        ensure(mails.iter().filter(ends).count() == 1, || {
            format!("one recovery of {} was expected: {}", first.subject(), list(&mails))
        })?;
    }
    ensure(over.header("In-Reply-To") == opened.message_id(), || {
        "the recovery does not thread".into()
    })?;
    pair.quiet(tale, 8, 6, &["switched-over", "redundancy-lost", "none-active"])
}

/// bgpd of the platform restarts: within the time of graceful restart nobody is told; beyond it the service is lost.
pub(crate) fn graceful(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let mut routers = start(&pair, false, 12)?;
    pair.watch(tale, "", &group("bgp", "graceful_restart = \"12s\"\n"), &[])?;
    let kept = |pair: &Pair| {
        let routes = pair.net.shell("edge-a", "ip route show 203.0.113.128/25");
        routes.map(|r| r.contains("via"))
    };
    let until = tale.seconds() + 20.0;
    while !kept(&pair)? {
        ensure(tale.seconds() < until, || {
            "edge-a has no route from the platform".into()
        })?;
        std::thread::sleep(Duration::from_millis(100));
    }
    tale.say("edge-a has the platform's route");

    routers.platform.kill("bgpd");
    tale.say("the platform's bgpd is killed");
    pair.until(tale, "both sessions are seen as failed", 10, |s| {
        role(s, GROUP, "edge-a") == "failed" && role(s, GROUP, "edge-b") == "failed"
    })?;
    ensure(kept(&pair)?, || "edge-a dropped the route: no graceful restart".into())?;
    std::thread::sleep(Duration::from_secs(3));
    routers.platform.launch("bgpd")?;
    tale.say("it runs again; edge-a kept its routes all the time");
    pair.until(tale, "both sessions are seen as good", 15, |s| {
        role(s, GROUP, "edge-a") == "active" && role(s, GROUP, "edge-b") == "active"
    })?;
    pair.quiet(tale, 15, 0, &[])?;

    let killed = epoch();
    routers.platform.kill("bgpd");
    tale.say("it is killed again and stays away");
    let told = pair.told(tale, 0, &["CRITICAL", GROUP, "service lost"], 30)?;
    let after = seconds(killed, told.arrived);
    tale.say(format!("told {after:.1} s after that (12 s are set)"));
    ensure((12.0..20.0).contains(&after), || {
        format!("told {after:.1} s after the loss, 12 s are set")
    })?;
    routers.platform.launch("bgpd")?;
    tale.say("it runs again");
    pair.told(tale, 1, &["RECOVERED", GROUP, "service lost"], 20)?;
    pair.quiet(tale, 8, 2, &["none-active"])
}
