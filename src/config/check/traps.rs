//! `[traps]`: where traps and informs come in, and how many one source may send.
//!
//! Never here: who may send them (the devices of the site, with the credentials of their SNMP section).

use crate::config::raw::{At, Value};
use crate::config::reader::{self, Walk, wrong_type};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::{TrapListen, TrapSettings};
use std::net::SocketAddr;

/// Traps a second that one source may send for good, unless it is written.
const RATE: u32 = 10;
/// Traps that one source may send at once, unless it is written.
const BURST: u32 = 50;

const LISTEN: &str = "a list of literal addresses with ports, such as [\"0.0.0.0:162\", \"[::]:162\"], or \"systemd\"";
const PER_SOURCE: &str = "a table: { rate = 10, burst = 50 }";

/// `[traps]`; `None` if it is not there, or wrong.
pub(super) fn traps(top: &Walk<'_>) -> Option<TrapSettings> {
    let entry = top.get("traps")?;
    let walk = Walk::of(top.ctx, &entry.node, "[traps]", "write a section: [traps]")?;
    let listen = walk.required("listen", LISTEN, listen(&walk));
    let (rate, burst) = per_source(&walk);
    walk.finish();
    Some(TrapSettings {
        listen: listen?.value,
        rate,
        burst,
    })
}

fn listen(walk: &Walk<'_>) -> Option<At<TrapListen>> {
    walk.read("listen", |ctx, key, node| match &node.value {
        Value::String(text) if text.parse::<SocketAddr>().is_ok() => {
            let hint = format!("addresses stand in a list: [\"{text}\"]");
            ctx.error(node.at, format!("`{key}` is a text"), hint);
            None
        }
        Value::String(_) => reader::word(ctx, key, node, &[("systemd", ())]).map(|()| TrapListen::Systemd),
        Value::Array(nodes) => {
            let mut all: Vec<At<SocketAddr>> = Vec::new();
            for node in nodes {
                let Some(value) = reader::text(ctx, key, node, |s| address(s, ctx)) else {
                    continue;
                };
                if all.iter().any(|known| known.value == value) {
                    ctx.error(node.at, format!("`{key}` has {value} twice"), "write it once");
                }
                all.push(At { value, at: node.at });
            }
            if nodes.is_empty() {
                ctx.error(node.at, format!("`{key}` is empty"), LISTEN);
            }
            (!all.is_empty()).then(|| TrapListen::At(all.into_iter().map(|at| at.value).collect()))
        }
        other => {
            wrong_type(ctx, key, node, other, LISTEN);
            None
        }
    })
}

fn address(text: &str, ctx: &Ctx<'_>) -> values::Taken<SocketAddr> {
    values::listener(text, "\"0.0.0.0:162\" or \"[::]:162\"", &|name| ctx.zone(name))
}

fn per_source(walk: &Walk<'_>) -> (u32, u32) {
    let written = || {
        let entry = walk.get("per_source")?;
        let table = Walk::of(walk.ctx, &entry.node, "`per_source`", PER_SOURCE)?;
        let rate = table.number("rate", 1..=10_000);
        let burst = table.number("burst", 1..=100_000);
        table.finish();
        Some((rate.map_or(RATE, |r| r.value), burst.map_or(BURST, |b| b.value)))
    };
    written().unwrap_or((RATE, BURST))
}
