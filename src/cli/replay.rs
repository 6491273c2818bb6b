//! `hinomi replay`: plays a record through the same rules and prints what is said, with reasons.

use super::table::moment;
use super::{DEFAULT_CONFIG, Failure};
use crate::core::player::{Player, Said};
use crate::core::tape::{Line, Seen, Turn};
use crate::daemon;
use crate::incident::Event;
use crate::model::{Name, Site};
use crate::notify::Delivery;
use crate::notify::text::{answer_in_english, clean, event_in_english};
use crate::poll::Observation;
use clap::Args;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to play.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration to play with; another than the record's answers "what would have been said?". Give more than one if
    /// the record goes over a reload
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG, env = super::CONFIG_VARIABLE, hide_env_values = true)]
    config: Vec<PathBuf>,
    /// Only what belongs to this incident, with every input from the devices it is about
    #[arg(long, value_name = "NUMBER")]
    incident: Option<u64>,
    /// The mails in full
    #[arg(long)]
    mails: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Options {
    /// The configuration whose operator reads what is printed.
    pub(super) fn configuration(&self) -> Option<&Path> {
        self.config.first().map(PathBuf::as_path)
    }
}

/// Plays. Exit code 1: the mails are other than those of then, although they should be the same.
pub(super) fn replay(file: &Path, options: &Options, out: &mut dyn Write) -> Result<u8, Failure> {
    let sites: Vec<Arc<Site>> = options.config.iter().map(|c| load(c)).collect::<Result<_, _>>()?;
    let about = match options.incident {
        Some(id) => Some(About::find(id, file, &sites)?),
        None => None,
    };
    let mut printer = Printer {
        options,
        about,
        out,
        mails: 0,
    };
    let (mut then, mut played) = (Vec::new(), Vec::new());
    let player = run(file, &sites, |line, said| {
        if let Line::Turn(turn) = line {
            printer.inputs(turn)?;
        }
        for one in said {
            printer.said(&one)?;
            if let Said::Mail(mail) = one {
                played.push(*mail);
            }
        }
        if let Line::Mail(mail) = line {
            then.push(mail.as_ref().clone());
        }
        Ok(())
    })?;
    let same = then == played;
    if !options.json {
        printer.summary(&player, &then, &played)?;
    }
    Ok(u8::from(player.is_exact() && !same))
}

fn load(config: &Path) -> Result<Arc<Site>, Failure> {
    // A record is played anywhere: secrets need not be there.
    daemon::load_without_secrets(config).map_err(|e| Failure::new(2, e))
}

/// Plays a file from its first line to its last.
fn run(
    file: &Path,
    sites: &[Arc<Site>],
    mut each: impl FnMut(&Line, Vec<Said>) -> Result<(), Failure>,
) -> Result<Player, Failure> {
    let broken = |n: usize, what: String| Failure::new(2, format!("{}:{n}: {what}", file.display()));
    let opened =
        std::fs::File::open(file).map_err(|e| Failure::new(1, format!("cannot read {}: {e}", file.display())))?;
    let mut player: Option<Player> = None;
    let mut lines = BufReader::new(opened).split(b'\n').enumerate().peekable();
    while let Some((i, text)) = lines.next() {
        let text = text.map_err(|e| broken(i + 1, e.to_string()))?;
        let line: Line = match serde_json::from_slice(&text) {
            Ok(line) => line,
            // The daemon or the disk ended in the middle of it.
            Err(_) if lines.peek().is_none() && i > 0 => break,
            Err(e) => return Err(broken(i + 1, format!("this is no line of a record: {e}"))),
        };
        let mut said = Vec::new();
        let playing = match &mut player {
            Some(player) => player,
            None => {
                let site = fitting(&line, sites);
                player.insert(Player::new(&line, site).map_err(|e| broken(i + 1, e.to_string()))?)
            }
        };
        let by_fingerprint = |f: &str| sites.iter().find(|s| s.fingerprint == f).cloned();
        playing
            .line(line.clone(), by_fingerprint, &mut said)
            .map_err(|e| broken(i + 1, e.to_string()))?;
        each(&line, said)?;
    }
    player.ok_or_else(|| broken(1, "this file is empty".to_owned()))
}

/// The configuration that the record was made with if it is among those given, else the first.
fn fitting(line: &Line, sites: &[Arc<Site>]) -> Arc<Site> {
    let fits = |s: &&Arc<Site>| matches!(line, Line::Began(b) if b.fingerprint == s.fingerprint);
    let site = sites.iter().find(fits).or_else(|| sites.first());
    Arc::clone(site.expect("clap fills in the default configuration"))
}

/// The devices that an incident is about, from a first play.
struct About {
    id: u64,
    devices: BTreeSet<Name>,
}

impl About {
    fn find(id: u64, file: &Path, sites: &[Arc<Site>]) -> Result<About, Failure> {
        let mut devices = BTreeSet::new();
        let player = run(file, sites, |_, said| {
            for one in said {
                if let Said::Event(event) = one
                    && event.incident == Some(id)
                {
                    devices.extend(event.body.device().cloned());
                }
            }
            Ok(())
        })?;
        if player.core().incident(id).is_none() && devices.is_empty() {
            let what = format!("the record, played with this configuration, has no incident #{id}");
            return Err(Failure::new(1, what));
        }
        let parents: Vec<Name> = sites
            .iter()
            .flat_map(|s| {
                let named = |d: &Name| s.find(d).map(|id| s.device(id).parents.clone());
                let ids: Vec<_> = devices.iter().filter_map(named).flatten().collect();
                ids.into_iter().map(|p| s.device(p).name.clone()).collect::<Vec<_>>()
            })
            .collect();
        devices.extend(parents);
        Ok(About { id, devices })
    }
}

struct Printer<'a> {
    options: &'a Options,
    about: Option<About>,
    out: &'a mut dyn Write,
    mails: usize,
}

impl Printer<'_> {
    fn inputs(&mut self, turn: &Turn) -> Result<(), Failure> {
        let Some(about) = &self.about else { return Ok(()) };
        for seen in turn
            .passes
            .iter()
            .flatten()
            .filter(|s| about.devices.contains(&s.device))
        {
            if self.options.json {
                writeln!(
                    self.out,
                    "{}",
                    json(&serde_json::json!({ "at": turn.now.wall, "input": seen }))?
                )?;
            } else {
                writeln!(self.out, "{}  in    {}", moment(turn.now.wall), clean(&in_words(seen)))?;
            }
        }
        Ok(())
    }

    fn said(&mut self, said: &Said) -> Result<(), Failure> {
        match said {
            Said::Event(event) => self.event(event),
            Said::Mail(mail) => self.mail(mail),
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.about.as_ref().is_some_and(|a| event.incident != Some(a.id)) {
            return Ok(());
        }
        if self.options.json {
            writeln!(self.out, "{}", event.to_json())?;
        } else if let Some(words) = event_in_english(event) {
            let incident = event.incident.map(|i| format!("#{i} ")).unwrap_or_default();
            let about = event.body.root().map(|k| format!("{k}: ")).unwrap_or_default();
            writeln!(
                self.out,
                "{}  rule  {incident}{}",
                moment(event.at),
                clean(&(about + &words))
            )?;
        }
        Ok(())
    }

    fn mail(&mut self, delivery: &Delivery) -> Result<(), Failure> {
        let number = delivery.mail.headers.iter().find(|(k, _)| k == "X-Hinomi-Incident");
        let wanted = |a: &About| number.is_some_and(|(_, v)| v.trim_start_matches('#') == a.id.to_string());
        if self.about.as_ref().is_some_and(|a| !wanted(a)) {
            return Ok(());
        }
        self.mails += 1;
        if self.options.json {
            writeln!(self.out, "{}", json(&serde_json::json!({ "mail": delivery }))?)?;
            return Ok(());
        }
        let mail = &delivery.mail;
        let (at, to, route) = (moment(mail.date), &mail.to, &delivery.route);
        writeln!(self.out, "{at}  mail  to {to} over {route}: {}", clean(&mail.subject))?;
        if self.options.mails {
            for line in mail.body.lines() {
                writeln!(self.out, "                           | {}", clean(line))?;
            }
        }
        Ok(())
    }

    fn summary(&mut self, player: &Player, then: &[Delivery], played: &[Delivery]) -> Result<(), Failure> {
        let mut notes = Vec::new();
        if player.lost > 0 {
            notes.push(format!("{} lines were lost when it was recorded", player.lost));
        }
        if player.strangers() > 0 {
            notes.push(format!(
                "{} observations are of devices not in this configuration",
                player.strangers()
            ));
        }
        let verdict = if !player.is_exact() {
            "played as if the ledger and the relays had taken everything at once (the record is not whole, began midway, or was made \
             with another configuration)"
                .to_owned()
        } else if then == played {
            format!("the same {} as then, to the octet", attempts(then.len()))
        } else {
            let same = then.iter().zip(played).take_while(|(a, b)| a == b).count();
            format!(
                "NOT the same as then: {} then, {} now, the first {same} alike; this is a mistake in hinomi, please report it",
                attempts(then.len()),
                attempts(played.len())
            )
        };
        notes.push(verdict);
        for note in notes {
            writeln!(self.out, "({note})")?;
        }
        Ok(())
    }
}

fn attempts(n: usize) -> String {
    match n {
        1 => "1 attempt to mail".to_owned(),
        n => format!("{n} attempts to mail"),
    }
}

fn json(value: &serde_json::Value) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|e| Failure::new(1, e.to_string()))
}

/// An input for people.
fn in_words(seen: &Seen) -> String {
    let name = &seen.device;
    match &seen.observation {
        Observation::Reach(round) => {
            let kind = match round.kind {
                crate::poll::RoundKind::Regular => "round",
                crate::poll::RoundKind::Confirm => "confirm",
            };
            let errors: Vec<String> = round
                .errors
                .iter()
                .map(|(ip, ..)| format!("{ip} says unreachable"))
                .collect();
            let send = round.send_error.as_ref().map(|e| format!("this host cannot send: {e}"));
            let more: Vec<String> = errors.into_iter().chain(send).collect();
            let more = if more.is_empty() {
                String::new()
            } else {
                format!("; {}", more.join(", "))
            };
            format!("{name} {kind}: {} of {} answered{more}", round.received, round.sent)
        }
        Observation::Agent(round) => match &round.outcome {
            Ok(reading) => {
                let down: Vec<&str> = reading
                    .interfaces
                    .iter()
                    .filter(|i| i.oper != Some(1))
                    .map(|i| &*i.name)
                    .collect();
                let ports = reading.interfaces.len();
                let down = if down.is_empty() {
                    String::new()
                } else {
                    format!(", not up: {}", down.join(" "))
                };
                format!(
                    "{name} agent: {} objects, {ports} interfaces{down}",
                    reading.scalars.len()
                )
            }
            Err(failure) => format!("{name} agent: {failure:?}"),
        },
        Observation::Tcp(reading) => match &reading.result {
            Ok(time) => format!(
                "{name} {}: connects in {:.1} ms",
                reading.watch,
                time.as_secs_f64() * 1e3
            ),
            Err(error) => format!("{name} {}: {error}", reading.watch),
        },
        Observation::Service(reading) => format!(
            "{name} {}: {} ({:.1} ms)",
            reading.watch,
            answer_in_english(&reading.result),
            reading.took.as_secs_f64() * 1e3
        ),
    }
}
