//! `[operator]` and `[daemon]`.

use crate::config::raw::At;
use crate::config::reader::{self, Walk};
use crate::config::report::{Ctx, Draft};
use crate::config::values;
use crate::model::{DaemonSettings, HostAddress, Language, Operator};
use std::net::SocketAddr;
use std::path::PathBuf;

pub(super) const LANGUAGES: &[(&str, Language)] = &[("ja", Language::Japanese), ("en", Language::English)];

/// `[operator] timezone` where nothing is written.
pub(in crate::config) const DEFAULT_ZONE: &str = "Asia/Tokyo";

/// `[operator]`; `None` if it is missing or wrong.
pub(super) fn operator(top: &Walk<'_>) -> Option<Operator> {
    let Some(entry) = top.get("operator") else {
        let draft = Draft::error(top.at(), "there is no [operator] section");
        top.ctx.push(
            draft
                .hint("add: [operator] and name = \"…\", the name that stands in mails")
                .consequence(),
        );
        return None;
    };
    let walk = Walk::of(top.ctx, &entry.node, "[operator]", "write a section: [operator]")?;
    let name = walk.required("name", "your company's name, as it stands in mails", walk.name("name"));
    let phone = walk.text("phone", values::name);
    let language = walk.word("language", LANGUAGES);
    let timezone = walk.text("timezone", timezone);
    // The file itself was read beforehand.
    let _ = walk.get("holidays");
    walk.finish();
    Some(Operator {
        name: name?.value,
        phone: phone.map(|p| p.value),
        language: language.map_or(Language::Japanese, |l| l.value),
        timezone: timezone.map_or_else(|| DEFAULT_ZONE.to_string(), |t| t.value),
        holidays: super::holidays::holidays(top.ctx).into(),
    })
}

fn timezone(text: &str) -> values::Taken<String> {
    if jiff::tz::TimeZoneDatabase::bundled().get(text).is_ok() {
        return Ok(text.to_string());
    }
    values::refuse(
        format!("is not a time zone that is known: \"{text}\""),
        "an IANA name, such as \"Asia/Tokyo\" or \"UTC\"",
    )
}

/// `[daemon]` as written.
pub(super) struct Daemon {
    pub(super) settings: DaemonSettings,
    /// Addresses of `uplinks` and their places.
    pub(super) uplinks: Vec<At<HostAddress>>,
    /// Where the section or `uplinks` stands, for doubts.
    pub(super) at: crate::config::raw::Place,
}

/// `[daemon]`, with its defaults.
pub(super) fn daemon(top: &Walk<'_>) -> Daemon {
    let mut daemon = Daemon {
        settings: DaemonSettings {
            state: PathBuf::from(crate::config::DEFAULT_STATE),
            listen: SocketAddr::from(([127, 0, 0, 1], 9730)),
            metrics: None,
        },
        uplinks: Vec::new(),
        at: top.at(),
    };
    let Some(entry) = top.get("daemon") else { return daemon };
    let Some(walk) = Walk::of(top.ctx, &entry.node, "[daemon]", "write a section: [daemon]") else {
        return daemon;
    };
    daemon.at = walk.at();
    if let Some(state) = path(&walk, "state") {
        daemon.settings.state = state.value;
    }
    if let Some(listen) = walk.text("listen", |s| listener(s, walk.ctx)) {
        daemon.settings.listen = listen.value;
    }
    if let Some(metrics) = walk.text("metrics", |s| listener(s, walk.ctx)) {
        if metrics.value == daemon.settings.listen {
            walk.ctx.error(
                metrics.at,
                "`metrics` is the same as `listen`",
                "leave it out: /metrics is on `listen` then",
            );
        }
        daemon.settings.metrics = Some(metrics.value);
    }
    let hint = "a list of literal addresses, such as [\"192.0.2.1\", \"192.0.2.11\"]";
    let read = |ctx: &Ctx<'_>, node: &crate::config::raw::Node| {
        let value = reader::text(ctx, "uplinks", node, |s| {
            values::host_address(s, &|name| ctx.zone(name))
        })?;
        Some(At { value, at: node.at })
    };
    if let Some(uplinks) = walk.list("uplinks", hint, read) {
        daemon.at = uplinks.at;
        daemon.uplinks = uplinks.value;
    }
    walk.finish();
    daemon
}

fn listener(text: &str, ctx: &Ctx<'_>) -> values::Taken<SocketAddr> {
    values::listener(text, "\"127.0.0.1:9730\" or \"[::1]:9730\"", &|name| ctx.zone(name))
}

/// A path, resolved against the folder of the file it stands in.
pub(super) fn path(walk: &Walk<'_>, key: &'static str) -> Option<At<PathBuf>> {
    let found = walk.text(key, |s| match s {
        "" => values::refuse("is empty", "a path; relative ones start at the folder of this file"),
        s if s.contains('\0') => values::refuse(
            "is not a path",
            "a path; relative ones start at the folder of this file",
        ),
        s => Ok(s.to_string()),
    })?;
    Some(At {
        value: resolve(walk.ctx, &found),
        at: found.at,
    })
}

pub(super) fn resolve(ctx: &Ctx<'_>, text: &At<String>) -> PathBuf {
    let folder = ctx.files.get(text.at.file as usize).and_then(|f| f.path.parent());
    folder.map_or_else(|| PathBuf::from(&text.value), |f| f.join(&text.value))
}
