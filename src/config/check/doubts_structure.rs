//! Doubts about what is not written: a site that is taken as it stands, and that lacks what verdicts and mails rest on.
//!
//! Never here: errors.

use super::devices::Inventory;
use super::routes::Placed;
use crate::config::raw::At;
use crate::config::report::Ctx;
use crate::model::{Contact, Device, Owner, Party, Procedure, Role, Status};

/// Looks through a site that may still have errors.
pub(super) fn doubts(
    ctx: &Ctx<'_>,
    inventory: &Inventory,
    contacts: &[At<Contact>],
    routes: &[At<Placed>],
    procedures: &[At<Procedure>],
) {
    // What a mistake hides is not missing.
    if ctx.has_errors() {
        return;
    }
    demarcation(ctx, inventory);
    crossings(ctx, inventory, routes);
    mailboxes(ctx, contacts, routes, procedures);
}

fn managed(device: &Device) -> bool {
    device.role == Role::Managed && device.status == Status::Active
}

/// A platform's device whose link is not known cannot be told from the link.
fn demarcation(ctx: &Ctx<'_>, inventory: &Inventory) {
    let of_platform = |d: &Device| managed(d) && d.owner == Owner::Platform;
    // One device with its link is enough: those behind it hang on it.
    let known = inventory
        .devices
        .iter()
        .any(|d| of_platform(d) && d.demarcation.is_some());
    let lacking = inventory.devices.iter().zip(&inventory.places);
    let mut lacking =
        lacking.filter(|(d, _)| of_platform(d) && d.demarcation.is_none() && (!known || d.parents.is_empty()));
    if let Some((device, at)) = lacking.next() {
        let more = match lacking.count() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        ctx.warn(
            *at,
            format!("`{}`{more} has owner = \"platform\" and no `demarcation`", device.name),
            "without the link that crosses the demarcation point hinomi never calls its silence a fault of the platform: demarcation = { device = \
             \"EDGE\", interface = \"IFNAME\" }",
        );
    }
}

/// A way that neither is out of band nor depends on anything is taken first when everything else is down.
fn crossings(ctx: &Ctx<'_>, inventory: &Inventory, routes: &[At<Placed>]) {
    let watched = inventory.devices.iter().any(managed);
    for At { value, at } in routes {
        let here = |host: &str| host == "localhost" || host.parse().is_ok_and(|a: std::net::IpAddr| a.is_loopback());
        let route = &value.route;
        if route.out_of_band || !route.crosses.is_empty() || !watched || route.relays.iter().all(|r| here(&r.host)) {
            continue;
        }
        ctx.warn(
            *at,
            format!("`{}` is not out_of_band and has no `crosses`", route.name),
            "a mail about a fault on its way would be tried over it first: name what its relay is reached through, such as crosses = \
             [\"EDGE\"], or write out_of_band = true if it uses neither the own network nor the platform",
        );
    }
}

/// Who is called at night, and has mailboxes only where the office relay is.
fn mailboxes(ctx: &Ctx<'_>, contacts: &[At<Contact>], routes: &[At<Placed>], procedures: &[At<Procedure>]) {
    let called = |name: &str| {
        let told = procedures.iter().flat_map(|p| {
            let steps = p.value.escalate.iter().flat_map(|e| &e.tell);
            p.value.tell.iter().chain(steps)
        });
        told.clone().any(|t| &**t == name)
    };
    // The office's own domain, where its relay stands, if a fault of the own network cuts that off.
    let inside = |mail: &str| {
        let domain = mail.rsplit_once('@').map_or("", |(_, domain)| domain);
        routes.iter().map(|r| &r.value.route).find(|route| {
            let of_domain = |host: &str| host == domain || host.ends_with(&format!(".{domain}"));
            !route.out_of_band && !route.crosses.is_empty() && route.relays.iter().any(|r| of_domain(&r.host))
        })
    };
    for At { value: contact, at } in contacts {
        let mail = &contact.mail;
        // Where `crosses` is written for all of them, that is said elsewhere.
        let written = mail.iter().all(|a| !a.crosses.is_empty());
        if contact.party != Party::Own || mail.is_empty() || written || !called(&contact.name) {
            continue;
        }
        let all: Option<Vec<_>> = mail.iter().map(|a| inside(&a.mail)).collect();
        if let Some(route) = all.and_then(|routes| routes.first().copied()) {
            ctx.warn(
                *at,
                format!("`{}` has mailboxes only where the relay of the route `{}` is", contact.name, route.name),
                "when what that route crosses is down nobody reads them: add a mailbox outside, such as one of a mobile carrier",
            );
        }
    }
}
