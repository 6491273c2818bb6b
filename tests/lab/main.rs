//! The lab: the real daemon among real parts (snmpd, OpenSMTPD, nftables) in network namespaces of its own. It drives faults and
//! reads what the relays accepted; what hinomi says about itself is not evidence here.
//!
//! `cargo test --release --test lab -- [NAME…] [--list] [--long]`. A story whose part or privilege is missing is skipped and says
//! so; with `HINOMI_LAB_REQUIRE=1` that is a failure. Nothing leaves the namespaces and loopback, every story has a deadline, and
//! what an earlier run left behind after a crash is removed at the start.

#![allow(clippy::disallowed_methods, reason = "the lab lives in real time")]

mod agents;
mod debian;
mod mailbox;
mod net;
mod pair;
mod parts;
mod relay;
mod routers;
mod runner;
mod site;
mod story_deb;
mod story_kill;
mod story_links;
mod story_mail_out;
mod story_network;
mod story_platform;
mod story_port;
mod story_reload;
mod story_replay;
mod story_sessions;
mod story_systemd;
mod story_threshold;
mod story_vrrp;
mod story_world;
mod words;
mod world;

use runner::Story;
use std::process::ExitCode;
use std::time::Duration;

/// Every story, in the order they are run. Deadlines are generous: they catch a hang, they are not measurements.
const STORIES: &[Story] = &[
    Story {
        name: "world",
        headline: "the lab's own network, agents and relays do what the other stories believe",
        needs: &["root", "ip", "nft", "snmpd", "snmpget", "smtpd", "ping"],
        usual: 12,
        limit: Duration::from_secs(120),
        run: story_world::run,
    },
    Story {
        name: "threshold",
        headline: "real snmpd driven 65, 75, 95, 87, 84, 68, 62 %: warning, critical, warning, recovered",
        needs: &["root", "ip", "nft", "snmpd", "smtpd"],
        usual: 116,
        limit: Duration::from_secs(240),
        run: story_threshold::run,
    },
    Story {
        name: "platform",
        headline: "platform silent and the office relay gone with it: the notice leaves out of band within 60 s",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "ping"],
        usual: 141,
        limit: Duration::from_secs(420),
        run: story_platform::with_witness,
    },
    Story {
        name: "platform-no-witness",
        headline: "the same without a second witness: platform or demarcation link, undetermined",
        needs: &["root", "ip", "nft", "smtpd"],
        usual: 72,
        limit: Duration::from_secs(300),
        run: story_platform::without_witness,
    },
    Story {
        name: "edge-cut",
        headline: "own edge cut: one incident, everything behind it inside, no other mail",
        needs: &["root", "ip", "nft", "smtpd"],
        usual: 75,
        limit: Duration::from_secs(300),
        run: story_network::edge_cut,
    },
    Story {
        name: "blind",
        headline: "the monitor's own uplink cut: one notice out of band, nobody accused, nothing false on return",
        needs: &["root", "ip", "nft", "smtpd"],
        usual: 72,
        limit: Duration::from_secs(300),
        run: story_network::blind,
    },
    Story {
        name: "loss",
        headline: "20 % loss on all links: nothing is called down",
        needs: &["root", "ip", "nft", "smtpd"],
        usual: 68,
        limit: Duration::from_secs(900),
        run: story_network::loss,
    },
    Story {
        name: "port",
        headline: "a port down and back, a port renumbered while the agent restarts: no spike, no port taken for another",
        needs: &["root", "ip", "nft", "snmpd", "smtpd"],
        usual: 150,
        limit: Duration::from_secs(420),
        run: story_port::run,
    },
    Story {
        name: "links",
        headline: "an aggregation device, an edge, one end, a cable: one incident each, the ports inside; nobody tells where cables end",
        needs: &["root", "ip", "nft", "snmpd", "smtpd"],
        usual: 460,
        limit: Duration::from_secs(900),
        run: story_links::unknown,
    },
    Story {
        name: "links-lldp",
        headline: "the same, and lldpd tells where cables end",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "lldpd", "snmpwalk"],
        usual: 460,
        limit: Duration::from_secs(900),
        run: story_links::told_by_lldp,
    },
    Story {
        name: "links-written",
        headline: "the same, and the configuration tells where cables end",
        needs: &["root", "ip", "nft", "snmpd", "smtpd"],
        usual: 460,
        limit: Duration::from_secs(900),
        run: story_links::written,
    },
    Story {
        name: "vrrp",
        headline: "keepalived, VRRP version 2: the master is killed; noticed within 2 s of the trap, switched back, told once each",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "keepalived"],
        usual: 70,
        limit: Duration::from_secs(300),
        run: story_vrrp::master_killed,
    },
    Story {
        name: "vrrp-v3",
        headline: "keepalived, VRRP version 3: both master, nobody master, a link cut without a trap: exactly these mails",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "keepalived"],
        usual: 60,
        limit: Duration::from_secs(300),
        run: story_vrrp::links,
    },
    Story {
        name: "vrrp-flips",
        headline: "keepalived: five flips in a minute are one incident",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "keepalived"],
        usual: 80,
        limit: Duration::from_secs(300),
        run: story_vrrp::flips,
    },
    Story {
        name: "bgp",
        headline: "FRR: the BGP session to the platform lost on one edge, then on both",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "frr"],
        usual: 36,
        limit: Duration::from_secs(300),
        run: story_sessions::bgp,
    },
    Story {
        name: "bgp-graceful",
        headline: "FRR restarts: within its graceful restart nobody is told, beyond it the service is lost",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "frr"],
        usual: 44,
        limit: Duration::from_secs(300),
        run: story_sessions::graceful,
    },
    Story {
        name: "ospf",
        headline: "FRR: OSPF to the platform lost on one edge, then on both",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "frr"],
        usual: 36,
        limit: Duration::from_secs(300),
        run: story_sessions::ospf,
    },
    Story {
        name: "record-replay",
        headline: "faults of all kinds recorded and played: the same mails, to the octet",
        needs: &["root", "ip", "nft", "snmpd", "smtpd", "keepalived", "frr"],
        usual: 145,
        limit: Duration::from_secs(2400),
        run: story_replay::run,
    },
    Story {
        name: "mail-dead-one",
        headline: "a fault that starts and ends while both relays are dead is told afterwards",
        needs: &["root", "ip", "nft", "smtpd"],
        usual: 62,
        limit: Duration::from_secs(420),
        run: story_mail_out::one_fault,
    },
    Story {
        name: "mail-dead-many",
        headline: "25 faults while both relays are dead: one mail per incident and recipient, critical first",
        needs: &["loopback"],
        usual: 37,
        limit: Duration::from_secs(420),
        run: story_mail_out::many_faults,
    },
    Story {
        name: "reload",
        headline: "100 reloads under load: no poll lost, no finding reset",
        needs: &["loopback"],
        usual: 32,
        limit: Duration::from_secs(300),
        run: story_reload::run,
    },
    Story {
        name: "kill",
        headline: "kill -9 at random moments under load with a failing relay: every fault is told",
        needs: &["loopback"],
        usual: 72,
        limit: Duration::from_secs(7200),
        run: story_kill::run,
    },
    Story {
        name: "systemd",
        headline: "installed as the README says, under a real systemd: credentials, traps, reloads, watchdog, alarm mail",
        needs: &["root", "mmdebstrap", "systemd-nspawn", "nsenter"],
        usual: 110,
        limit: Duration::from_secs(1_200),
        run: story_systemd::run,
    },
    Story {
        name: "deb",
        headline: "from the package and the README alone: init, secret, fault, mail, its own ack command, upgrade, removal",
        needs: &["root", "mmdebstrap", "systemd-nspawn", "nsenter", "cargo-deb"],
        usual: 120,
        limit: Duration::from_secs(1_200),
        run: story_deb::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        // The lab starts itself inside a namespace for the parts it plays.
        Some("part") => parts::play(&args[1..]),
        _ => runner::main(STORIES, &args),
    }
}
