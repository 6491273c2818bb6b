//! `watch` of a device: anything else that needs monitoring.

use super::thresholds;
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
    let mut not_yet = false;
    for key in ["tls", "command", "http", "dns"] {
        if let Some(entry) = walk.get(key) {
            ctx.error(
                entry.key_at,
                format!("a watch by `{key}` is not supported yet"),
                "watches by `oid` and by `tcp` are; remove this one or comment it out",
            );
            not_yet = true;
        }
    }
    if not_yet {
        return None;
    }
    let name = walk.required("name", "it is shown in mails and tables", walk.name("name"));
    let oid = walk.text("oid", values::oid);
    let tcp = walk.number("tcp", 1..=65_535);
    let kind = match (walk.get("oid"), walk.get("tcp")) {
        (Some(_), None) => number(&walk, oid.map(|o| o.value)),
        (None, Some(_)) => tcp
            .and_then(|t| u16::try_from(t.value).ok())
            .map(|port| WatchKind::Tcp { port }),
        (Some(_), Some(tcp)) => {
            ctx.error(
                tcp.key_at,
                "a watch with both `oid` and `tcp`",
                "write two watches, each with its name",
            );
            None
        }
        (None, None) => {
            walk.missing(
                "oid",
                "or `tcp`: what is asked; such as oid = \"1.3.6.1.…\" or tcp = 179",
            );
            for key in ["unit", "scale", "warning", "critical", "clear", "for", "clear_for"] {
                let _ = walk.get(key);
            }
            None
        }
    };
    walk.finish();
    Some(Watch {
        name: Arc::from(name?.value),
        kind: kind?,
    })
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
