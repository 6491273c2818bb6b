//! `watch` of a device: anything else that needs monitoring.

use super::{services, thresholds};
use crate::config::raw::{At, Node, Value};
use crate::config::reader::{Walk, wrong_type};
use crate::config::report::Ctx;
use crate::config::values::{self, Unit};
use crate::model::{Watch, WatchKind};
use std::sync::Arc;

const HINT: &str =
    "a list such as [{ oid = \"1.3.6.1.…\", name = \"…\", warning = 60 }, { tcp = 179, name = \"bgp port\" }]";

/// Reads `watch`.
pub(super) fn watches(walk: &Walk<'_>) -> Option<At<Vec<Watch>>> {
    let mut seen: Vec<String> = Vec::new();
    walk.list("watch", HINT, |ctx, node| {
        let watch = watch(ctx, node)?;
        if seen.iter().any(|s| **s == *watch.name) {
            ctx.error(
                node.at,
                format!("the watch `{}` is written twice for this device", watch.name),
                "give one of the two another name",
            );
            return None;
        }
        seen.push(watch.name.to_string());
        Some(watch)
    })
}

fn watch(ctx: &Ctx<'_>, node: &Node) -> Option<Watch> {
    let walk = Walk::of(ctx, node, "an entry of `watch`", HINT)?;
    let name = walk.required("name", "it is shown in mails and tables", walk.name("name"));
    let asked: Vec<&'static str> = KINDS.into_iter().filter(|key| walk.has(key)).collect();
    for key in KINDS.into_iter().filter(|key| !asked.contains(key)) {
        let _ = walk.get(key);
    }
    let kind = match asked.as_slice() {
        ["oid"] => number(&walk, walk.text("oid", values::oid).map(|o| o.value)),
        ["tcp"] => {
            let port = walk.number("tcp", 1..=65_535);
            let port = port.and_then(|t| u16::try_from(t.value).ok());
            port.map(|port| WatchKind::Tcp { port })
        }
        [key] => services::service(&walk, key).map(|service| WatchKind::Service(Arc::new(service))),
        [first, second, ..] => {
            for key in &asked {
                let _ = walk.get(key);
            }
            let at = walk.get(second).map_or(node.at, |entry| entry.key_at);
            let what = format!("a watch with both `{first}` and `{second}`");
            ctx.error(at, what, "write two watches, each with its name");
            known(&walk);
            None
        }
        [] => {
            walk.missing(
                "oid",
                "or `tcp`, `tls`, `http`, `dns`, `ntp`, `command`: what is asked; such as oid = \"1.3.6.1.…\" or tcp = 179",
            );
            known(&walk);
            None
        }
    };
    walk.finish();
    Some(Watch {
        name: Arc::from(name?.value),
        kind: kind?,
    })
}

/// What a watch may ask, by its key.
const KINDS: [&str; 7] = ["oid", "tcp", "tls", "http", "dns", "ntp", "command"];

/// Keys of any kind of watch: where the kind is not known, none of them is a mistake.
fn known(walk: &Walk<'_>) {
    let of_oids = ["unit", "scale", "warning", "critical", "clear", "for", "clear_for"];
    for key in of_oids.into_iter().chain(services::KEYS) {
        let _ = walk.get(key);
    }
}

fn number(walk: &Walk<'_>, oid: Option<Vec<u32>>) -> Option<WatchKind> {
    let unit = walk
        .text("unit", |s| Ok(s.to_string()))
        .map_or(String::new(), |u| u.value);
    let scale = walk.read("scale", |ctx, key, node| match node.value {
        #[allow(clippy::cast_precision_loss)] // a factor written by hand
        Value::Integer(n) if n != 0 => Some(n as f64),
        Value::Float(n) if n != 0.0 => Some(n),
        ref other => {
            wrong_type(
                ctx,
                key,
                node,
                other,
                "a number other than 0 that the value is multiplied by, such as 0.1",
            );
            None
        }
    });
    let threshold = thresholds::levels(walk, Unit::Any);
    Some(WatchKind::Oid {
        oid: oid?,
        scale: scale.map_or(1.0, |s| s.value),
        unit,
        threshold: threshold?,
    })
}
