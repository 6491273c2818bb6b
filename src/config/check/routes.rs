//! `[[route]]`: ways for mail, in order of preference.

use super::Unique;
use super::devices::Inventory;
use super::snmp::{not_read, secret};
use crate::config::raw::{At, Node, Place, Value};
use crate::config::reader::{self, Walk, wrong_type};
use crate::config::report::Ctx;
use crate::config::values::{self, Taken};
use crate::model::{Bind, Relay, Route, Secret, Tls};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

const SMTP: &str = "\"smtps://mail.example.net\" or \"smtp://203.0.113.25:587\", or a list of such";
const TLS: &[(&str, Tls)] = &[("starttls", Tls::StartTls), ("smtps", Tls::Smtps), ("none", Tls::None)];

/// A route, and where its parts stand.
pub(super) struct Placed {
    pub(super) route: Route,
    /// Parallel to `route.relays`.
    pub(super) relays: Vec<Place>,
    pub(super) crosses: Place,
}

/// Reads all routes; the place is that of the name.
pub(super) fn routes(top: &Walk<'_>, inventory: &Inventory) -> Vec<At<Placed>> {
    let mut unique = Unique::new(top.ctx, "route");
    let all = super::tables(top, "route")
        .into_iter()
        .filter_map(|walk| route(walk, inventory, &mut unique));
    all.collect()
}

fn route(walk: Walk<'_>, inventory: &Inventory, unique: &mut Unique<'_>) -> Option<At<Placed>> {
    let name = walk.required("name", "it stands in `route-test` and in metrics", walk.name("name"));
    let out_of_band = walk.flag("out_of_band").is_some_and(|f| f.value);
    let tls = walk.word("tls", TLS);
    let relays = relays(&walk, tls.as_ref());
    let tls_name = walk.text("tls_name", host);
    let tls_ca = certificates(&walk);
    let bind = bind(&walk);
    let auth = auth(&walk);
    let from = walk.text("from", values::mail_address);
    let from = walk.required("from", "the sender's address, such as \"hinomi@example.net\"", from);
    let helo = walk.text("helo", helo);
    let crosses_at = walk.get("crosses").map(|e| e.node.at);
    let crosses = inventory.crosses(&walk);
    walk.finish();
    if let Some(bind) = &bind {
        same_family(walk_ctx(unique), bind, &relays);
    }
    let name = name.filter(|n| unique.add(n))?;
    Some(At {
        at: name.at,
        value: Placed {
            relays: relays.iter().map(|r| r.at).collect(),
            crosses: crosses_at.unwrap_or(name.at),
            route: Route {
                name: Arc::from(name.value),
                out_of_band,
                relays: relays.into_iter().map(|r| r.value).collect(),
                tls_name: tls_name.map(|t| t.value),
                tls_ca,
                bind: bind.map(|b| b.value),
                auth,
                from: from.map_or(String::new(), |f| f.value),
                helo: helo.map(|h| h.value),
                crosses,
            },
        },
    })
}

fn walk_ctx<'c>(unique: &Unique<'c>) -> &'c Ctx<'c> {
    unique.ctx
}

fn relays(walk: &Walk<'_>, tls: Option<&At<Tls>>) -> Vec<At<Relay>> {
    let read = |ctx: &Ctx<'_>, node: &Node| {
        let value = reader::text(ctx, "smtp", node, |s| relay(s, tls.map(|t| t.value)))?;
        Some(At { value, at: node.at })
    };
    let found = walk.read("smtp", |ctx, key, node| match &node.value {
        Value::String(_) => Some(read(ctx, node).into_iter().collect()),
        Value::Array(nodes) if nodes.is_empty() => {
            ctx.error(node.at, "`smtp` is empty", SMTP);
            None
        }
        Value::Array(nodes) => Some(nodes.iter().filter_map(|n| read(ctx, n)).collect::<Vec<_>>()),
        other => {
            wrong_type(ctx, key, node, other, SMTP);
            None
        }
    });
    walk.required("smtp", SMTP, found).map_or(Vec::new(), |f| f.value)
}

/// `smtps://host[:port]` or `smtp://host[:port]`.
fn relay(text: &str, tls: Option<Tls>) -> Taken<Relay> {
    let (tls, rest, port) = match (text.strip_prefix("smtps://"), text.strip_prefix("smtp://"), tls) {
        (Some(rest), _, None | Some(Tls::Smtps)) => (Tls::Smtps, rest, 465),
        (Some(_), _, Some(_)) => {
            return values::refuse(
                "is smtps://, but `tls` says otherwise",
                "remove `tls`, or write smtp:// with tls = \"starttls\"",
            );
        }
        (_, Some(_), Some(Tls::Smtps)) => {
            return values::refuse("is smtp://, but `tls` says smtps", "write smtps:// and remove `tls`");
        }
        (_, Some(rest), tls) => (tls.unwrap_or(Tls::StartTls), rest, 587),
        _ => return values::refuse("is not the address of a relay", SMTP),
    };
    if rest.contains('@') {
        return values::refuse(
            "has a user in the address",
            "write `user` and `password` as keys of the route",
        );
    }
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((literal, "")) => (literal, Some(port)),
        Some((literal, behind)) => (literal, behind.strip_prefix(':').and_then(|p| p.parse().ok())),
        None => match rest.split_once(':') {
            Some((host, digits)) => (host, digits.parse().ok()),
            None => (rest, Some(port)),
        },
    };
    let Some(port) = port.filter(|p| *p > 0) else {
        return values::refuse(
            "has a port that is none",
            "an IPv6 address stands in brackets: \"smtp://[2001:db8::25]:587\"; a port is 1 to 65535",
        );
    };
    // The network device of a zone is looked up with each mail: that of a modem comes and goes.
    let host = match bare(host).parse::<IpAddr>() {
        Ok(_) => values::host_address(host, &|_| Ok(0))?.to_string(),
        Err(_) => self::host(host)?,
    };
    Ok(Relay { host, port, tls })
}

/// A literal address without its zone.
fn bare(host: &str) -> &str {
    host.split('%').next().unwrap_or(host)
}

/// A host name, or a literal address.
fn host(text: &str) -> Taken<String> {
    let label = |l: &str| !l.is_empty() && l.len() <= 63 && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let digits = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if text.parse::<IpAddr>().is_ok() || (!digits && text.len() <= 253 && text.split('.').all(label)) {
        return Ok(text.to_string());
    }
    values::refuse(
        format!("has no usable host: \"{text}\""),
        "a host name or a literal address, nothing behind it",
    )
}

fn helo(text: &str) -> Taken<String> {
    let literal = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if literal.is_some_and(|l| l.strip_prefix("IPv6:").unwrap_or(l).parse::<IpAddr>().is_ok()) {
        return Ok(text.to_string());
    }
    host(text)
}

fn certificates(walk: &Walk<'_>) -> Option<PathBuf> {
    let path = super::operator::path(walk, "tls_ca")?;
    if let Err(missing) = walk.ctx.around.certificates(&path.value) {
        walk.ctx
            .error(path.at, format!("`tls_ca` {}", missing.what), missing.hint);
    }
    Some(path.value)
}

fn bind(walk: &Walk<'_>) -> Option<At<Bind>> {
    let hint = "{ device = \"wwan0\" } or { address = \"203.0.113.77\" }";
    let entry = walk.get("bind")?;
    let table = Walk::of(walk.ctx, &entry.node, "`bind`", hint)?;
    let device = table.text("device", |s| match s.len() {
        _ if values::is_device_name(s) => Ok(s.to_string()),
        _ => values::refuse(
            format!("is not the name of a network device: \"{s}\""),
            "as `ip link` shows it, at most 15 characters: \"wwan0\"",
        ),
    });
    let address = table.text("address", |s| values::host_address(s, &|name| walk.ctx.zone(name)));
    let given = table.get("device").is_some() as u8 + table.get("address").is_some() as u8;
    table.finish();
    if given != 1 {
        walk.ctx
            .error(entry.node.at, "`bind` needs either `device` or `address`", hint);
        return None;
    }
    let value = device
        .map(|d| Bind::Device(d.value))
        .or(address.map(|a| Bind::Address(a.value)))?;
    Some(At {
        value,
        at: entry.node.at,
    })
}

/// A socket bound to an IPv4 address cannot reach an IPv6 relay, and the other way round.
fn same_family(ctx: &Ctx<'_>, bind: &At<Bind>, relays: &[At<Relay>]) {
    let Bind::Address(local) = &bind.value else { return };
    for relay in relays {
        if let Ok(remote) = bare(&relay.value.host).parse::<IpAddr>()
            && remote.is_ipv4() != local.ip.is_ipv4()
        {
            let what = format!("`bind` is {local}, from which the relay {remote} cannot be reached");
            ctx.error(bind.at, what, "both have to be IPv4, or both IPv6");
        }
    }
}

fn auth(walk: &Walk<'_>) -> Option<(String, Secret)> {
    let user = walk.text("user", |s| match s {
        "" => values::refuse("is empty", "the user for AUTH, or no `user` and no `password`"),
        s => Ok(s.to_string()),
    });
    let password = walk.get("password").map(|e| (e, secret(walk.ctx, "password", &e.node)));
    match (walk.get("user"), &password) {
        (Some(user), None) => walk.ctx.error(
            user.key_at,
            "`user` without `password`",
            "AUTH needs both; a relay without AUTH needs neither",
        ),
        (None, Some((entry, _))) => walk.ctx.error(
            entry.key_at,
            "`password` without `user`",
            "AUTH needs both; a relay without AUTH needs neither",
        ),
        _ => {}
    }
    let (_, password) = password?;
    Some((user?.value, password?.value.unwrap_or_else(not_read)))
}
