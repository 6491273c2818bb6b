//! `hinomi route-test`: a real mail over one route or all, with the transaction shown. Secrets are not in it.

use super::Failure;
use super::table::{Paint, cell, colour, painted, plain};
use crate::daemon::{self, clock};
use crate::model::Route;
use crate::notify::{Outcome, channel};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Around one attempt.
const ATTEMPT: Duration = Duration::from_secs(30);

/// Tests; exit code 0 if every route that was asked for took the mail.
pub(super) fn route_test(name: Option<&str>, to: &str, config: &Path, out: &mut dyn Write) -> Result<u8, Failure> {
    let site = daemon::load(config).map_err(|e| Failure::new(2, e))?;
    let routes: Vec<&Route> = site
        .routes
        .iter()
        .filter(|r| name.is_none_or(|n| n == &*r.name))
        .collect();
    if routes.is_empty() {
        let known: Vec<&str> = site.routes.iter().map(|r| &*r.name).collect();
        return Err(Failure::new(
            1,
            format!("no such route; the configuration has: {}", known.join(", ")),
        ));
    }
    let runtime = runtime()?;
    let mut failed = 0;
    for route in routes {
        writeln!(out, "route {}", route.name)?;
        let mail = channel::send_test_mail(route, to, &site.operator, rand::random(), clock::now().wall, ATTEMPT);
        let (outcome, transcript) = runtime.block_on(mail);
        for line in transcript {
            writeln!(out, "  {}", painted(&plain(line), false))?;
        }
        let (text, paint) = verdict(&outcome, to);
        failed += u8::from(paint == Paint::Bad);
        writeln!(out, "  {}\n", painted(&cell(text, paint), colour()))?;
        out.flush()?;
    }
    Ok(u8::from(failed > 0))
}

/// A runtime for one command.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(1, format!("cannot start: {e}")))
}

fn verdict(outcome: &Outcome, to: &str) -> (String, Paint) {
    let stage = |stage| crate::metrics::text::key(stage);
    match outcome {
        Outcome::Accepted { relay, reply } => (
            format!("accepted by {relay}: {reply} - accepted is not received: look into the mailbox of {to}"),
            Paint::Good,
        ),
        Outcome::Transient { stage: s, reply } => (
            format!("NOT SENT: refused for now at {}: {reply}", stage(s)),
            Paint::Bad,
        ),
        Outcome::Permanent { stage: s, reply } => (format!("NOT SENT: refused at {}: {reply}", stage(s)), Paint::Bad),
        Outcome::Failed { stage: s, error } => (format!("NOT SENT: failed at {}: {error}", stage(s)), Paint::Bad),
    }
}
