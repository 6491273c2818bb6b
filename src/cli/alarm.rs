//! `hinomi alarm`: the mail that hinomi itself does not run. Called by systemd when the daemon failed; it needs neither the
//! daemon nor its ledger, and falls back to the configuration that was last good.
//!
//! Every own contact is told once, out-of-band routes first. After an accepted mail nothing is sent for 15 minutes, so that a
//! daemon that fails every few seconds does not flood anybody.

use super::route_test::runtime;
use super::{Failure, client, table};
use crate::daemon::{self, clock};
use crate::model::{Address, Contact, Party, Route, Site, When};
use crate::notify::{Mail, Outcome, channel};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Around one attempt.
const ATTEMPT: Duration = Duration::from_secs(30);
/// After an accepted mail.
const QUIET: Duration = Duration::from_secs(15 * 60);
/// Of what failed, at most.
const LINES: usize = 40;
const BYTES: u64 = 64 << 10;

/// Sends it. Exit code 0 if everybody was told (now, or less than 15 minutes ago).
pub(super) fn alarm(unit: &str, config: &Path, state: Option<&Path>, out: &mut dyn Write) -> Result<u8, Failure> {
    let state = state.map_or_else(|| client::state(config), Path::to_owned);
    let stamp = stamp(&state, unit);
    if let Some(seconds) = told_before(&stamp) {
        writeln!(
            out,
            "an alarm for {unit} was accepted {} ago: not repeated",
            table::length(seconds)
        )?;
        return Ok(0);
    }
    let (site, trouble) = site(config, &state)?;
    let body = body(unit, trouble.as_deref(), &last_lines());
    let mut routes: Vec<&Route> = site.routes.iter().collect();
    routes.sort_by_key(|r| !r.out_of_band);
    let own: Vec<&Contact> = site.contacts.iter().filter(|c| c.party == Party::Own).collect();
    if own.is_empty() || routes.is_empty() {
        return Err(Failure::new(
            1,
            "the configuration has no contact with party = \"own\", or no route: nobody can be told",
        ));
    }
    let runtime = runtime()?;
    let run: u64 = rand::random();
    let mut failed = 0;
    for (number, contact) in own.into_iter().enumerate() {
        let tell = tell(&site, &routes, contact, unit, &body, run.wrapping_add(number as u64));
        match runtime.block_on(tell) {
            Ok(words) => writeln!(out, "{}: {words}", contact.name)?,
            Err(words) => {
                failed += 1;
                writeln!(out, "{}: NOT TOLD: {words}", contact.name)?;
            }
        }
    }
    if failed == 0 {
        // Without the stamp the next alarm is merely repeated.
        let _ = std::fs::write(&stamp, clock::now().wall.0.to_string());
    }
    Ok(u8::from(failed > 0))
}

/// The configuration, or the one that was last good together with what is wrong with the present one.
fn site(config: &Path, state: &Path) -> Result<(Arc<Site>, Option<String>), Failure> {
    let trouble = match daemon::load(config) {
        Ok(site) => return Ok((site, None)),
        Err(trouble) => trouble,
    };
    match daemon::load_last_good(state) {
        Ok(site) => Ok((site, Some(trouble))),
        Err(why) => Err(Failure::new(
            1,
            format!("{trouble}\nand the configuration that was last good: {why}"),
        )),
    }
}

/// To every address of a contact, each over the first way that takes it, out-of-band routes first; addresses that are for the case that
/// nobody acknowledges only where no other took it. It is an error if none did.
async fn tell(
    site: &Site,
    routes: &[&Route],
    contact: &Contact,
    unit: &str,
    body: &str,
    id: u64,
) -> Result<String, String> {
    let (later, mut first): (Vec<&Address>, Vec<&Address>) =
        contact.mail.iter().partition(|a| a.when == When::Unanswered);
    first.sort_by_key(|a| !a.crosses.is_empty());
    let (mut done, mut tried) = (Vec::new(), Vec::new());
    for (address, stands_in) in first.iter().map(|a| (a, false)).chain(later.iter().map(|a| (a, true))) {
        if stands_in && !done.is_empty() {
            continue;
        }
        match to_address(site, routes, address, unit, body, id).await {
            Ok(words) => done.push(words),
            Err(words) => tried.push(words),
        }
    }
    let words = done.iter().chain(&tried).cloned().collect::<Vec<_>>().join("; ");
    match done.is_empty() {
        true => Err(words),
        false => Ok(words),
    }
}

/// Over the first way that takes it.
async fn to_address(
    site: &Site,
    routes: &[&Route],
    address: &Address,
    unit: &str,
    body: &str,
    id: u64,
) -> Result<String, String> {
    let mut tried = Vec::new();
    for route in routes {
        let mail = mail(route, address, unit, body, id);
        let attempt = channel::deliver(route, &mail, &site.operator, ATTEMPT);
        let words = match tokio::time::timeout(ATTEMPT * 2, attempt).await {
            Ok(Outcome::Accepted { relay, .. }) => return Ok(format!("accepted by {relay} for {}", address.mail)),
            Ok(Outcome::Transient { reply, .. } | Outcome::Permanent { reply, .. }) => reply,
            Ok(Outcome::Failed { error, .. }) => error,
            Err(_) => "no end".to_owned(),
        };
        tried.push(format!("{} over {}: {words}", address.mail, route.name));
    }
    Err(tried.join("; "))
}

fn mail(route: &Route, address: &Address, unit: &str, body: &str, id: u64) -> Mail {
    let domain = route.from.rsplit('@').next().unwrap_or("localhost");
    Mail {
        to: address.mail.clone(),
        message_id: format!("alarm.{id:016x}@{domain}"),
        in_reply_to: None,
        subject: format!("[警告/CRITICAL] 監視停止 hinomi is not watching ({unit})"),
        body: body.to_owned(),
        headers: vec![("X-Hinomi-Alarm".to_owned(), "unit-failed".to_owned())],
        date: clock::now().wall,
    }
}

fn body(unit: &str, trouble: Option<&str>, lines: &str) -> String {
    let host = channel::host_name();
    let mut text = format!(
        "監視プログラムが異常終了しました。復旧するまで、障害が起きても通知は届きません。\n\
         The monitoring ended. Until it runs again nobody is told of any fault.\n\n\
         ホスト / host: {host}\nサービス / unit: {unit}\n\n\
         確認 / look:   journalctl -u {unit} -n 50\n\
         設定 / check:  hinomi check\n\
         起動 / start:  systemctl start {unit}\n\
         状態 / state:  systemctl status {unit}\n"
    );
    if let Some(trouble) = trouble {
        text.push_str("\n設定ファイルに誤りがあります / the configuration has errors:\n");
        text.push_str(trouble);
        text.push('\n');
    }
    if !lines.is_empty() {
        text.push_str("\n最後のログ / last lines of the log:\n");
        text.push_str(lines);
        text.push('\n');
    }
    text
}

/// The last lines of what failed, if they are given on standard input; cleaned of control characters.
fn last_lines() -> String {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return String::new();
    }
    let mut bytes = Vec::new();
    if stdin.lock().take(BYTES).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter()
        .map(|l| l.chars().filter(|c| !c.is_control()).take(300).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Under systemd in the unit's runtime directory (memory, so that a full disk does not matter), else in the state directory.
fn stamp(state: &Path, unit: &str) -> PathBuf {
    let folder = std::env::var_os("RUNTIME_DIRECTORY").map_or_else(|| state.to_owned(), PathBuf::from);
    let unit: String = unit
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    folder.join(format!("alarm-{unit}.stamp"))
}

fn told_before(stamp: &Path) -> Option<f64> {
    let at: i64 = std::fs::read_to_string(stamp).ok()?.trim().parse().ok()?;
    let age = clock::now().wall.0.saturating_sub(at);
    // A stamp from the future (the clock stepped back) proves nothing.
    let quiet = i64::try_from(QUIET.as_millis()).unwrap_or(0);
    (0..quiet).contains(&age).then_some(age as f64 / 1e3)
}
