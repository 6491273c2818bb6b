//! `interfaces` of a device: names with wildcards, contracted rates, expectations.

use crate::config::raw::{At, Node, Value};
use crate::config::reader::{self, Walk};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::InterfaceWanted;
use std::sync::Arc;

const HINT: &str = "a list such as [\"xe-0/0/*\", { name = \"ae1\", rate = \"200 Mbit/s\", expect = \"up\" }]";

/// Reads `interfaces`.
pub(super) fn interfaces(walk: &Walk<'_>) -> Option<At<Vec<InterfaceWanted>>> {
    let mut seen: Vec<String> = Vec::new();
    walk.list("interfaces", HINT, |ctx, node| {
        let wanted = interface(ctx, node)?;
        if seen.iter().any(|s| **s == *wanted.pattern) {
            ctx.error(
                node.at,
                format!("the interface `{}` is listed twice", wanted.pattern),
                "remove one of the two",
            );
            return None;
        }
        seen.push(wanted.pattern.to_string());
        Some(wanted)
    })
}

fn interface(ctx: &Ctx<'_>, node: &Node) -> Option<InterfaceWanted> {
    if !matches!(node.value, Value::Table(_)) {
        let pattern = reader::text(ctx, "interfaces", node, pattern)?;
        return Some(InterfaceWanted {
            pattern: Arc::from(pattern),
            rate_bps: None,
            expect_up: false,
            backup: false,
        });
    }
    let walk = Walk::of(ctx, node, "an entry of `interfaces`", HINT)?;
    let name = walk.text("name", pattern);
    let name = walk.required("name", "the ifName; `*` and `?` are wildcards", name);
    let rate = walk.text("rate", values::rate);
    let expect = walk.word("expect", &[("up", ())]);
    let role = walk.word("role", &[("backup", ())]);
    walk.finish();
    if let (Some(_), Some(role)) = (&expect, &role) {
        ctx.error(
            role.at,
            "a backup line that is expected up",
            "a backup line is healthy while it is down; keep one of `role` and `expect`",
        );
    }
    Some(InterfaceWanted {
        pattern: Arc::from(name?.value),
        rate_bps: rate.map(|r| r.value),
        expect_up: expect.is_some(),
        backup: role.is_some(),
    })
}

fn pattern(text: &str) -> values::Taken<String> {
    if let Some((kind @ ("alias" | "session"), _)) = text.split_once(':') {
        return values::refuse(
            format!("by `{kind}:` is not supported yet"),
            "name the interface by its ifName",
        );
    }
    values::name(text)
}
