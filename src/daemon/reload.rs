//! Taking a new configuration: loaded and checked off the engine, all or nothing. On any mistake the old one runs on.

use super::messages::ToEngine;
use super::words::Word;
use super::{Shared, clock, keep, site};
use crate::model::{Device, Liveness, Measure, Name, Role, Site, Status};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Polling that stands still for so long is told.
const WORTH_A_WORD: Duration = Duration::from_millis(100);
/// Reading and checking may take so long: a nation of circuits takes some seconds.
const LONGEST: Duration = Duration::from_secs(60);

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
    let read = read(shared.config.clone()).await?;
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
    let stood = taken
        .await
        .map_err(|_| "the engine is ending; the configuration was not taken".to_owned())?;
    let summary = format!("{summary}{}", told(stood));
    shared.tell_traps(&site).await;
    shared.set_site(Arc::clone(&site));
    keep::keep(&read.files, &read.tables, &shared.state);
    Ok(summary)
}

/// Reads the configuration on a thread of its own. Each file has its deadline; should checking not end all the same, this reload ends
/// without it, and the next one can begin.
async fn read(path: PathBuf) -> Result<site::Read, String> {
    let (done, read) = oneshot::channel();
    std::thread::Builder::new()
        .name("hinomi-reload".to_owned())
        .spawn(move || done.send(site::read(&path)))
        .map_err(|e| format!("no thread could be started to read the configuration: {e}"))?;
    match tokio::time::timeout(LONGEST, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err("reading the configuration broke off: a mistake in hinomi, please report it".to_owned()),
        Err(_) => Err(format!(
            "reading the configuration did not end within {} s: is one of its files on a file system that does not answer?",
            LONGEST.as_secs()
        )),
    }
}

/// How long nothing was polled, where that is long enough to be asked about.
fn told(stood: Duration) -> String {
    match stood >= WORTH_A_WORD {
        true => format!("; polling stood still for {:.2} s", stood.as_secs_f64()),
        false => String::new(),
    }
}

/// What changes between two sites, in words; `Err` if it must not be taken.
fn compare(old: &Site, new: &Site, force: bool) -> Result<String, String> {
    let before: HashMap<&str, &Device> = old.devices.iter().map(|d| (&*d.name, d)).collect();
    let after: HashSet<&str> = new.devices.iter().map(|d| &*d.name).collect();
    // Counted apart: ten devices that vanish must not hide behind 240,000 circuits.
    for (what, circuits) in [("devices", false), ("circuits", true)] {
        let of_it = |d: &&Device| (d.role == Role::Circuit) == circuits;
        let all = old.devices.iter().filter(of_it).count();
        let gone = old
            .devices
            .iter()
            .filter(of_it)
            .filter(|d| !after.contains(&*d.name))
            .count();
        if gone * 2 > all && !force {
            return Err(format!(
                "{gone} of {all} {what} would be gone. If that is meant: hinomi reload --force"
            ));
        }
    }
    let listen = |site: &Site| site.traps.as_ref().map(|t| t.listen.clone());
    let mut needs_restart = Vec::new();
    for (what, differs) in [
        ("daemon.state", old.daemon.state != new.daemon.state),
        ("daemon.listen", old.daemon.listen != new.daemon.listen),
        ("daemon.metrics", old.daemon.metrics != new.daemon.metrics),
        ("traps.listen", listen(old) != listen(new)),
    ] {
        if differs {
            needs_restart.push(what);
        }
    }
    let (mut counts, mut fresh, mut changed) = ([0usize; 2], 0usize, 0usize);
    for device in &new.devices {
        counts[usize::from(device.role == Role::Circuit)] += 1;
        match before.get(&*device.name) {
            None => fresh += 1,
            Some(was) => changed += usize::from(differs((old, was), (new, device))),
        }
    }
    let gone = old.devices.iter().filter(|d| !after.contains(&*d.name)).count();
    let circuits = match counts[1] {
        0 => String::new(),
        n => format!(" and {n} circuits"),
    };
    let mut summary = format!(
        "{} devices{circuits} ({fresh} new, {gone} gone, {changed} changed), {} routes",
        counts[0],
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

/// Has a device changed? Ids are of one site only: what they refer to is compared by name.
fn differs((old, was): (&Site, &Device), (new, is): (&Site, &Device)) -> bool {
    let line = |d: &Device| match &d.circuit.as_ref()?.measure {
        Measure::Line(line) => Some(line.device),
        _ => None,
    };
    let refers = |site: &Site, d: &Device| -> Vec<Name> {
        let ids = d
            .parents
            .iter()
            .copied()
            .chain(d.demarcation.as_ref().map(|l| l.device))
            .chain(line(d));
        ids.map(|id| site.device(id).name.clone()).collect()
    };
    let mut same_ids = is.clone();
    same_ids.parents.clone_from(&was.parents);
    if let (Some(link), Some(before)) = (&mut same_ids.demarcation, &was.demarcation) {
        link.device = before.device;
    }
    if let (Some(Measure::Line(is)), Some(before)) = (same_ids.circuit.as_mut().map(|c| &mut c.measure), line(was)) {
        is.device = before;
    }
    same_ids != *was || refers(old, was) != refers(new, is)
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
