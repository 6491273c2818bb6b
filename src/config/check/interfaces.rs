//! `interfaces` of a device: names with wildcards, contracted rates, expectations.

use crate::config::raw::{At, Node, Value};
use crate::config::reader::{self, Walk};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::{InterfaceWanted, LinkEnd};
use std::cell::RefCell;
use std::sync::Arc;

const HINT: &str = "a list such as [\"xe-0/0/*\", { name = \"ae1\", rate = \"200 Mbit/s\", expect = \"up\" }]";
const TO: &str = "where the cable of this port ends: \"agg-1\", or { device = \"agg-1\", interface = \"xe-0\" }";

/// Interfaces as wanted, and the devices that `to` names.
pub(super) type Interfaces = (Option<At<Vec<InterfaceWanted>>>, Vec<At<String>>);

/// Reads `interfaces`.
pub(super) fn interfaces(walk: &Walk<'_>) -> Interfaces {
    let mut seen: Vec<String> = Vec::new();
    let named: RefCell<Vec<At<String>>> = RefCell::default();
    let all = walk.list("interfaces", HINT, |ctx, node| {
        let wanted = interface(ctx, node, &named)?;
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
    });
    (all, named.into_inner())
}

fn interface(ctx: &Ctx<'_>, node: &Node, named: &RefCell<Vec<At<String>>>) -> Option<InterfaceWanted> {
    if !matches!(node.value, Value::Table(_)) {
        let pattern = reader::text(ctx, "interfaces", node, pattern)?;
        return Some(InterfaceWanted {
            pattern: Arc::from(pattern),
            rate_bps: None,
            expect_up: false,
            backup: false,
            to: None,
        });
    }
    let walk = Walk::of(ctx, node, "an entry of `interfaces`", HINT)?;
    let name = walk.text("name", pattern);
    let name = walk.required("name", "the ifName; `*` and `?` are wildcards", name);
    let rate = walk.text("rate", values::rate);
    let expect = walk.word("expect", &[("up", ())]);
    let role = walk.word("role", &[("backup", ())]);
    let to = walk.read("to", |ctx, _, node| link_end(ctx, node));
    walk.finish();
    let to = to.map(|to| {
        let (device, interface) = to.value;
        let end = LinkEnd {
            device: Arc::from(device.value.as_str()),
            interface: interface.map(Arc::from),
        };
        named.borrow_mut().push(device);
        end
    });
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
        to,
    })
}

/// `to`: a device, or a device and its port.
fn link_end(ctx: &Ctx<'_>, node: &Node) -> Option<(At<String>, Option<String>)> {
    if !matches!(node.value, Value::Table(_)) {
        let value = reader::text(ctx, "to", node, values::name)?;
        return Some((At { value, at: node.at }, None));
    }
    let table = Walk::of(ctx, node, "`to`", TO)?;
    let device = table.required("device", TO, table.name("device"));
    let interface = table.text("interface", |s| match s.contains(['*', '?']) {
        true => values::refuse("is a pattern", "the far end of a port is one port; write its ifName"),
        false => values::name(s),
    });
    table.finish();
    Some((device?, interface.map(|i| i.value)))
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
