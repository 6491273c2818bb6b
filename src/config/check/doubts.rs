//! What is allowed and still doubtful: warnings of `hinomi check`.
//!
//! Each says what will not work on the night it is needed. Never here: errors.

use super::devices::Inventory;
use super::operator::Daemon;
use super::routes::Placed;
use crate::config::raw::At;
use crate::config::report::{Ctx, Draft};
use crate::model::{Contact, Crossing, Device, Level, Liveness, Match, Owner, Party, Procedure, Role, Status, Tls};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Looks through a site that may still have errors.
pub(super) fn doubts(
    ctx: &Ctx<'_>,
    inventory: &Inventory,
    daemon: &Daemon,
    contacts: &[At<Contact>],
    routes: &[At<Placed>],
    procedures: &[At<Procedure>],
) {
    devices(ctx, inventory, daemon);
    told(ctx, daemon, contacts, routes, procedures);
    unmatched(ctx, daemon, procedures);
    unreached(ctx, procedures);
    for route in routes {
        route_doubts(ctx, inventory, &route.value);
    }
}

/// Fewer attempts of a confirm than this are too few where packets are lost.
const ATTEMPTS_MIN: u128 = 5;

fn devices(ctx: &Ctx<'_>, inventory: &Inventory, daemon: &Daemon) {
    let hint = "name two addresses that answer echo: the first hop, and one beyond it";
    match daemon.uplinks.len() {
        0 => warn_later(
            ctx,
            daemon.at,
            "no `uplinks`: if this host is cut off, every device will be called down",
            hint,
        ),
        1 => warn_later(
            ctx,
            daemon.at,
            "one uplink only: if it fails, this host will call itself blind",
            hint,
        ),
        _ => {}
    }
    let managed = || {
        inventory
            .devices
            .iter()
            .zip(&inventory.places)
            .filter(|(d, _)| d.role == Role::Managed)
    };
    if managed().next().is_none() && inventory.circuits.ids.is_empty() && !ctx.has_errors() {
        warn_later(
            ctx,
            daemon.at,
            "there is no [[device]]: nothing is watched",
            "add: [[device]] with name and address",
        );
    }
    let mut seen: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for (device, at) in managed().filter(|(d, _)| d.status == Status::Active) {
        if device.liveness == Liveness::None && device.snmp.is_none() && device.watches.is_empty() {
            let what = format!(
                "`{}` is not watched at all: liveness is none and it has no `snmp`",
                device.name
            );
            ctx.warn(*at, what, "give it a liveness, or status = \"planned\"");
        }
        few_attempts(ctx, device, *at);
        for parent in device.parents.iter().filter_map(|p| inventory.devices.get(p.index())) {
            if parent.status != Status::Active {
                let what = format!(
                    "`{}` has the parent `{}`, which is not watched: it is planned or ended",
                    device.name, parent.name
                );
                ctx.warn(
                    *at,
                    what,
                    "nobody can tell then whether the path or the device has failed; name a parent that is active",
                );
            }
        }
        if device.address.is_unspecified() || device.address.is_loopback() {
            continue;
        }
        if let Some(other) = seen.insert(device.address, &device.name) {
            let what = format!(
                "`{}` has the same address as `{other}`: {}",
                device.name, device.address
            );
            ctx.warn(*at, what, "each of the two is polled; is one a slip?");
        }
    }
}

/// Attempts by SNMP or TCP go one after the other, each for up to `timeout`: a short `confirm` holds few of them, and few lost
/// packets then make a device look dead.
fn few_attempts(ctx: &Ctx<'_>, device: &Device, at: crate::config::raw::Place) {
    if !matches!(device.liveness, Liveness::Snmp | Liveness::Tcp(_)) {
        return;
    }
    let attempts = device.poll.confirm.over.as_millis() / device.poll.timeout.as_millis().max(1);
    if attempts < ATTEMPTS_MIN {
        let what = format!(
            "`{}` is called down after {attempts} lost attempts of its confirm: by SNMP and TCP they go one after the other, {} each",
            device.name,
            humantime::format_duration(device.poll.timeout)
        );
        ctx.warn(
            at,
            what,
            "on a lossy way that cries wolf: a shorter `timeout`, a longer `confirm.over`, or liveness = \"echo\"",
        );
    }
}

/// Those on call need a way that does not depend on what has failed.
fn told(ctx: &Ctx<'_>, daemon: &Daemon, contacts: &[At<Contact>], routes: &[At<Placed>], procedures: &[At<Procedure>]) {
    if contacts.is_empty() || routes.is_empty() || procedures.is_empty() {
        let missing: Vec<&str> = [
            ("[[contact]]", contacts.is_empty()),
            ("[[procedure]]", procedures.is_empty()),
            ("[[route]]", routes.is_empty()),
        ]
        .iter()
        .filter(|(_, none)| *none)
        .map(|(name, _)| *name)
        .collect();
        warn_later(
            ctx,
            daemon.at,
            format!("nobody is told: there is no {}", missing.join(" and no ")),
            "see examples/small.toml",
        );
        return;
    }
    if !routes.iter().any(|r| r.value.route.out_of_band) {
        let what = "no route is out_of_band: when the platform or the own network is down, no mail gets out";
        ctx.warn(
            routes[0].at,
            what,
            "add a [[route]] over another network, with out_of_band = true",
        );
    }
    let called = |name: &str| {
        procedures.iter().any(|p| {
            p.value
                .tell
                .iter()
                .chain(p.value.escalate.iter().flat_map(|e| &e.tell))
                .any(|t| &**t == name)
        })
    };
    for contact in contacts
        .iter()
        .filter(|c| c.value.party == Party::Own && called(&c.value.name))
    {
        let mail = &contact.value.mail;
        if !mail.is_empty() && mail.iter().all(|a| !a.crosses.is_empty()) {
            let what = format!(
                "`{}` has no mailbox outside of the own network and the platform",
                contact.value.name
            );
            ctx.warn(
                contact.at,
                what,
                "add one without `crosses`, such as a mailbox of a mobile carrier",
            );
        }
    }
}

/// Is there, for each level, a procedure that takes whatever the others leave?
fn unmatched(ctx: &Ctx<'_>, daemon: &Daemon, procedures: &[At<Procedure>]) {
    if procedures.is_empty() {
        return;
    }
    for (level, word) in [(Level::Warning, "warning"), (Level::Critical, "critical")] {
        let only = Match {
            level: Some(level),
            ..Match::default()
        };
        if procedures.iter().any(|p| covers(&p.value.matches, &only)) {
            continue;
        }
        let some = procedures
            .iter()
            .any(|p| p.value.matches.level.is_none_or(|l| l == level));
        let what = match some {
            true => format!("some notices of level {word} are matched by no procedure: nobody is told of them"),
            false => format!("level {word} is matched by no procedure: nobody is told"),
        };
        let hint = format!("add at the end: [[procedure]] with match = {{ level = \"{word}\" }}");
        ctx.warn(procedures.last().map_or(daemon.at, |p| p.at), what, hint);
    }
}

/// A procedure below one that takes everything it takes is never followed.
fn unreached(ctx: &Ctx<'_>, procedures: &[At<Procedure>]) {
    for (i, later) in procedures.iter().enumerate() {
        if let Some(earlier) = procedures[..i]
            .iter()
            .find(|e| covers(&e.value.matches, &later.value.matches))
        {
            let what = format!(
                "`{}` is never followed: `{}` above it matches everything that it matches",
                later.value.name, earlier.value.name
            );
            ctx.warn(
                later.at,
                what,
                "the first that matches is followed: put the narrower one first",
            );
        }
    }
}

/// Does `wide` match whatever `narrow` matches?
fn covers(wide: &Match, narrow: &Match) -> bool {
    fn open<T: PartialEq>(wide: &Option<T>, narrow: &Option<T>) -> bool {
        wide.is_none() || wide == narrow
    }
    open(&wide.level, &narrow.level)
        && open(&wide.verdict, &narrow.verdict)
        && open(&wide.owner, &narrow.owner)
        && open(&wide.kind, &narrow.kind)
        && open(&wide.class, &narrow.class)
        && open(&wide.group, &narrow.group)
        && open(&wide.site, &narrow.site)
        && open(&wide.device, &narrow.device)
        && wide.affected_at_least.unwrap_or(0) <= narrow.affected_at_least.unwrap_or(0)
}

fn route_doubts(ctx: &Ctx<'_>, inventory: &Inventory, placed: &Placed) {
    let route = &placed.route;
    for (relay, at) in route.relays.iter().zip(&placed.relays) {
        let literal = relay.host.split('%').next().and_then(|h| h.parse::<IpAddr>().ok());
        let here = literal.is_some_and(|a| a.is_loopback()) || relay.host == "localhost";
        if route.out_of_band && literal.is_none() && !here {
            let what = format!(
                "the out-of-band relay `{}` needs name service on the way out",
                relay.host
            );
            ctx.warn(*at, what, "write its literal address, and its name as tls_name");
        }
        if relay.port == 25 && !here {
            ctx.warn(
                *at,
                "port 25 outward: many networks block it",
                "submission is on 587 (STARTTLS) or 465 (smtps://)",
            );
        }
        if relay.tls == Tls::None && !here {
            let what = match route.auth {
                Some(_) => "mail, user and password go out in plain text",
                None => "mail goes out in plain text",
            };
            ctx.warn(
                *at,
                what,
                "it tells who is down and why; use tls = \"starttls\" or smtps://",
            );
        }
        if relay.tls != Tls::None && literal.is_some() && route.tls_name.is_none() {
            let what = format!("the certificate of {} will be checked against that address", relay.host);
            ctx.warn(
                *at,
                what,
                "relays' certificates seldom name an address: write the name in it as tls_name",
            );
        }
    }
    if route.out_of_band {
        let ids = route.crosses.iter().flat_map(|c| match c {
            Crossing::Device(id) => std::slice::from_ref(id),
            Crossing::Any(ids) => ids,
        });
        for device in ids.filter_map(|id| inventory.devices.get(id.index())) {
            if matches!(device.owner, Owner::Own | Owner::Platform) {
                let what = format!(
                    "`{}` is out_of_band, but crosses `{}`, owner = \"{}\"",
                    route.name,
                    device.name,
                    device.owner.key()
                );
                ctx.warn(
                    placed.crosses,
                    what,
                    "an out-of-band way uses neither the own network nor the platform",
                );
            }
        }
    }
}

/// Something that is not there may only be missing because of a syntax error.
fn warn_later(ctx: &Ctx<'_>, at: crate::config::raw::Place, what: impl Into<String>, hint: &str) {
    ctx.push(Draft::warning(at, what).hint(hint).consequence());
}
