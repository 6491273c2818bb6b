//! Taking a new configuration: loaded and checked off the engine, all or nothing. On any mistake the old one runs on.

use super::messages::ToEngine;
use super::words::Word;
use super::{Shared, clock, keep, site};
use crate::model::{Device, Liveness, Site, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Reloads. `Ok` says what changed, `Err` why the old configuration runs on; both are logged and counted.
pub(super) async fn reload(shared: &Arc<Shared>, force: bool) -> Result<String, String> {
    // One at a time: two reloads side by side could end with the older file in force.
    let _turn = shared.reloading.lock().await;
    super::systemd::reloading();
    let result = attempt(shared, force).await;
    super::systemd::ready_again();
    shared.health.set_config_ok(result.is_ok());
    match &result {
        Ok(summary) => {
            shared.own.reloaded(Some(clock::now().wall.0 as f64 / 1e3));
            Word::Reloaded {
                summary: summary.clone(),
            }
            .log();
        }
        Err(why) => {
            shared.own.reloaded(None);
            Word::ReloadRefused { why: why.clone() }.log();
        }
    }
    result
}

async fn attempt(shared: &Arc<Shared>, force: bool) -> Result<String, String> {
    let path = shared.config.clone();
    let read = tokio::task::spawn_blocking(move || site::read(&path))
        .await
        .map_err(|_| "reading the configuration broke off: a mistake in hinomi, please report it".to_owned())??;
    let site = read.site;
    let old = shared.site();
    let summary = compare(&old, &site, force)?;
    shared.check_sockets(&site)?;
    let (done, taken) = oneshot::channel();
    shared
        .tell_engine(ToEngine::Reload {
            site: Arc::clone(&site),
            done,
        })
        .await;
    taken
        .await
        .map_err(|_| "the engine is ending; the configuration was not taken".to_owned())?;
    shared.set_site(Arc::clone(&site));
    keep::keep(&read.files, &shared.state);
    Ok(summary)
}

/// What changes between two sites, in words; `Err` if it must not be taken.
fn compare(old: &Site, new: &Site, force: bool) -> Result<String, String> {
    let names = |site: &Site| -> BTreeSet<_> { site.devices.iter().map(|d| d.name.clone()).collect() };
    let (before, after) = (names(old), names(new));
    let gone = before.difference(&after).count();
    if gone * 2 > before.len() && !force {
        return Err(format!(
            "{gone} of {} devices would be gone. If that is meant: hinomi reload --force",
            before.len()
        ));
    }
    let mut needs_restart = Vec::new();
    for (what, differs) in [
        ("daemon.state", old.daemon.state != new.daemon.state),
        ("daemon.listen", old.daemon.listen != new.daemon.listen),
        ("daemon.metrics", old.daemon.metrics != new.daemon.metrics),
    ] {
        if differs {
            needs_restart.push(what);
        }
    }
    let known: BTreeMap<_, _> = old.devices.iter().map(|d| (&d.name, d)).collect();
    let differs = |d: &&Device| known.get(&d.name).is_some_and(|o| o != d);
    let changed = new.devices.iter().filter(differs).count();
    let mut summary = format!(
        "{} devices ({} new, {gone} gone, {changed} changed), {} routes",
        after.len(),
        after.difference(&before).count(),
        new.routes.len()
    );
    if !needs_restart.is_empty() {
        summary.push_str(&format!(
            "; {} change only at the next restart",
            needs_restart.join(", ")
        ));
    }
    Ok(summary)
}

/// Whether any active device is watched by echo, for each family (IPv4, IPv6).
pub(super) fn needs_echo(site: &Site) -> (bool, bool) {
    let mut needs = (false, false);
    for d in &site.devices {
        if d.status == Status::Active && d.liveness == Liveness::Echo {
            if d.address.is_ipv6() {
                needs.1 = true;
            } else {
                needs.0 = true;
            }
        }
    }
    needs
}
