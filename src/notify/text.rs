//! From a notice to a mail that somebody woken at 03:00 understands at once. One structure, two languages.
//!
//! The subject keeps its words for the life of an incident, but for the level and a remark at its end: phones thread by subject. The
//! first line of the body says what happened, with the numbers. Whatever a device or a relay said is cleaned before it gets in here. No
//! links. Own people get everything; a party outside gets a text of its own (`outside`).
//!
//! Never here: a decision about who is told, or a clock.

mod en;
mod errors;
mod ja;
mod outside;
mod own;
mod readings;
mod reasons;
mod redundancy;
mod service;
mod steps;
mod unread;

use super::plan::Notice;
use super::reader::ContractLine;
pub use crate::model::text::clean;
pub use service::answer_in_english;
pub use unread::{cut_in_english, disbelief_in_english, end_in_english, unread_in_english};

use crate::incident::{Event, EventBody, Head, Held, Incident, NoticeKind};
use crate::model::{Evidence, FindingKey, Language, Level, Name, Operator, Part, Party, Verdict, Wall};
use crate::poll::Ports;
use crate::rules::Cause;
use std::time::Duration;

/// A mail later than this says so.
const LATE: Duration = Duration::from_secs(60);

/// What a mail is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The notice.
    pub notice: &'a Notice,
    /// Notices of rows that were collapsed into this one, oldest first.
    pub earlier: &'a [Notice],
    /// Of the contact.
    pub language: Language,
    /// Name and time zone.
    pub operator: &'a Operator,
    /// Head of the ledger's chain.
    pub head: Option<&'a Head>,
    /// The ledger could not be written.
    pub not_ledgered: bool,
    /// An attempt ended so that this mail may have been accepted before.
    pub possible_duplicate: bool,
    /// Now.
    pub now: Wall,
}

/// The finished text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Without line breaks.
    pub subject: String,
    /// Lines separated by `\n`.
    pub body: String,
    /// ASCII.
    pub headers: Vec<(String, String)>,
}

/// What a language must be able to say. Sentences come whole: word order is the language's own affair.
trait Words {
    /// The level in a sentence; `Level::Ok` is "recovered".
    fn level(&self, level: Level) -> &'static str;
    /// The level where people of other tools may read one for the other: `警告/CRITICAL`.
    fn tag(&self, level: Level) -> &'static str;
    /// In place of the level, of what has left the configuration.
    fn removed(&self) -> &'static str;
    /// At the end of the subject, of a mail that is not a change of state.
    fn mark(&self, kind: NoticeKind) -> Option<&'static str>;
    /// What the finding is, for the subject: never with a number that changes.
    fn what(&self, root: &FindingKey) -> String;
    /// The first line: what happened, with the numbers. Without the target's name.
    fn cause(&self, notice: &Notice) -> String;
    fn verdict(&self, verdict: Verdict) -> &'static str;
    fn evidence(&self, evidence: &Evidence, clock: &Clock) -> String;
    /// The next step of the guideline's flow (1.3.2). `line_is_up`: the line was read as up.
    fn next_step(&self, verdict: Verdict, line_is_up: bool) -> &'static str;
    /// Devices and circuits in numbers: `2 circuits, 1 device`.
    fn amount(&self, circuits: usize, devices: usize) -> String;
    /// `2 circuits (a, b)`.
    fn listed(&self, amount: &str, names: &str) -> String;
    /// `C-001 (#7)`: silent again, by an incident of its own.
    fn party(&self, party: Party) -> &'static str;
    /// Contracted rates of a circuit.
    fn rates(&self, line: &ContractLine) -> Option<String>;
    /// How long it was silent, behind the time of the first good answer.
    fn after(&self, d: Duration) -> String;
    fn duration(&self, d: Duration) -> String;
    /// Why this mail was sent, where it is not simply a new incident.
    fn why(&self, facts: &Facts<'_>, clock: &Clock) -> Option<String>;
    /// Planned work kept it quiet until this notice.
    fn held(&self, held: &Held, until: Wall, clock: &Clock) -> String;
    fn kind(&self, kind: NoticeKind) -> &'static str;
    /// `Level`, `Since`, … the label before a value.
    fn label(&self, label: Label) -> &'static str;
    fn and_more(&self, more: usize) -> String;
    /// The mail waited: how long, and of when it speaks.
    fn late(&self, by: Duration, of: &str) -> String;
    /// Before notices that go out in this mail, and were not kept from going out before.
    fn together(&self, count: usize) -> String;
    fn not_ledgered(&self) -> &'static str;
    fn not_ledgered_mark(&self) -> &'static str;
    fn possible_duplicate(&self) -> &'static str;
    fn earlier(&self, count: usize) -> String;
    fn flapping(&self) -> &'static str;
    fn acknowledge(&self, incident: u64) -> String;
    fn acknowledged(&self, by: &str) -> String;
    fn owner(&self, owner: crate::model::Owner) -> &'static str;
    /// `Name (remark, remark)`.
    fn remarks(&self, name: &str, remarks: &[String]) -> String;
    /// Between names, and between a label and its value.
    fn comma(&self) -> &'static str;
    fn colon(&self) -> &'static str;
}

/// Labels of the body's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Level,
    Target,
    Began,
    Decided,
    Answered,
    Recovered,
    RecoveredEnded,
    Ended,
    Removed,
    Lasted,
    Circuit,
    Call,
    Apart,
    Verdict,
    Evidence,
    Next,
    Unreachable,
    NotBack,
    Back,
    Also,
    Incident,
    Procedure,
    Told,
}

/// Times in the operator's zone.
struct Clock {
    zone: jiff::tz::TimeZone,
}

impl Clock {
    fn new(operator: &Operator) -> Clock {
        // The bundled database: what a mail says must not depend on the host's files.
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(&operator.timezone);
        Clock {
            zone: zone.unwrap_or(jiff::tz::TimeZone::UTC),
        }
    }

    fn zoned(&self, at: Wall) -> jiff::Zoned {
        let stamp = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        stamp.to_zoned(self.zone.clone())
    }

    /// `2026-11-22 03:12:05 JST`
    fn full(&self, at: Wall) -> String {
        self.zoned(at).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// `11-22 03:12:05`
    fn short(&self, at: Wall) -> String {
        self.zoned(at).strftime("%m-%d %H:%M:%S").to_string()
    }
}

fn words(language: Language) -> &'static dyn Words {
    match language {
        Language::Japanese => &ja::Japanese,
        Language::English => &en::English,
    }
}

/// Writes the mail.
pub fn render(facts: &Facts<'_>) -> Letter {
    let words = words(facts.language);
    let clock = Clock::new(facts.operator);
    if facts.notice.reader.is_outside() {
        return outside::letter(facts, &clock);
    }
    own::letter(facts, words, &clock)
}

fn headers(facts: &Facts<'_>) -> Vec<(String, String)> {
    let mut headers = vec![
        ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
        ("X-Hinomi-Incident".to_owned(), facts.notice.incident.to_string()),
        ("X-Hinomi-Notice".to_owned(), facts.notice.kind.key().to_owned()),
    ];
    let ledger = match facts.head {
        _ if facts.not_ledgered => "not-ledgered".to_owned(),
        Some(head) => format!("{} {}", head.seq, head.hash),
        None => "empty".to_owned(),
    };
    headers.push(("X-Hinomi-Ledger".to_owned(), ledger));
    headers
}

/// The first good answer after a silence, and how long that was.
fn answered(notice: &Notice) -> Option<(Wall, Duration)> {
    let Cause::Answers { silent_seconds } = &notice.cause else {
        return None;
    };
    let silent = seconds(*silent_seconds);
    Some((notice.since.after(silent).min(notice.recovered?), silent))
}

/// Names of what a device has, and how many more there are.
fn ports_of(ports: &Ports, comma: &str) -> Option<(String, usize)> {
    let names: Vec<String> = ports.first.iter().map(|n| clean(n)).collect();
    let more = (ports.count as usize).saturating_sub(names.len());
    (!names.is_empty()).then(|| (names.join(comma), more))
}

/// A moment in the operator's time zone, as mails say it.
pub fn moment(at: Wall, operator: &Operator) -> String {
    Clock::new(operator).full(at)
}

/// What the guideline's flow (1.3.2) does next after a verdict, in English.
pub fn next_step_in_english(verdict: Verdict) -> &'static str {
    en::English.next_step(verdict, false)
}

/// The timeline of an incident for `incidents show`: when, and what, in English.
pub fn timeline(incident: &Incident) -> Vec<(Wall, String)> {
    let (mut read, mut happened) = (Vec::new(), Vec::new());
    for event in &incident.timeline {
        match &event.body {
            EventBody::Readings {
                device,
                readings: all,
                more,
            } => read.extend(readings::lines(device, all, *more)),
            _ => happened.extend(en::event(event).map(|what| (event.at, what))),
        }
    }
    // What was read stands where it was read, and before what was decided at that moment.
    read.append(&mut happened);
    read.sort_by_key(|(at, _)| *at);
    read
}

/// How an agent failed, in English.
pub fn agent_in_english(failure: &crate::poll::AgentFailure) -> String {
    en::agent(failure)
}

/// A cause in one English sentence without the target's name, for `status`, `explain` and logs.
pub fn cause_in_english(root: &FindingKey, level: Level, cause: &Cause) -> String {
    en::cause(root, level, cause)
}

/// What happened in one English sentence, for the log and `replay`; `None` for what is not worth a line.
pub fn event_in_english(event: &Event) -> Option<String> {
    match &event.body {
        EventBody::Checkpoint { .. } | EventBody::Readings { .. } => None,
        _ => en::event(event),
    }
}

/// The name before everything else: the device, or hinomi itself.
fn device_name(root: &FindingKey) -> String {
    match (&root.device, &root.part) {
        (Some(device), _) => clean(device),
        (None, Part::Common(label) | Part::Redundancy(label)) => clean(label),
        (None, _) => "hinomi".to_owned(),
    }
}

/// The part's name, if it has one.
fn part_name(root: &FindingKey) -> Option<String> {
    match &root.part {
        Part::Interface(n) | Part::Watch(n) | Part::Route(n) | Part::Contact(n) => Some(clean(n)),
        Part::Component(n) => Some(clean(&n.label)),
        Part::Device | Part::Common(_) | Part::Host | Part::Redundancy(_) => None,
    }
}

/// `edge-a, xe-0/0/0` for evidence.
fn interface_of(device: &Name, interface: &Name) -> String {
    format!("{} {}", clean(device), clean(interface))
}

/// The far end of a link: `agg-1 xe-0`, or the device alone.
fn far_end(to: &crate::model::FarEnd) -> String {
    match &to.interface {
        Some(interface) => interface_of(&to.device, interface),
        None => clean(&to.device),
    }
}

/// A value for people: one digit after the point, small times in milliseconds.
fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "s" if value.abs() < 1.0 => format!("{:.1} ms", value * 1000.0),
        "C" => format!("{value:.1} °C"),
        "" if value.abs() >= 1000.0 => format!("{value:.0}"),
        "" => format!("{value:.2}"),
        "%" if value.abs() < 1.0 && value != 0.0 => format!("{value:.3} %"),
        unit => format!("{value:.1} {}", clean(unit)),
    }
}

/// A bound for people: as it was written, without needless digits.
fn bound(value: f64, unit: &str) -> String {
    match unit {
        "s" if value.abs() < 1.0 => format!("{} ms", trim(value * 1000.0)),
        "C" => format!("{} °C", trim(value)),
        "" => trim(value),
        unit => format!("{} {}", trim(value), clean(unit)),
    }
}

fn trim(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bits(bps: f64) -> String {
    match bps {
        b if b >= 1e9 => format!("{:.1} Gbit/s", b / 1e9),
        b if b >= 1e6 => format!("{:.1} Mbit/s", b / 1e6),
        b if b >= 1e3 => format!("{:.1} kbit/s", b / 1e3),
        b => format!("{b:.0} bit/s"),
    }
}

/// A contracted rate, as it is written: `100 Mbit/s`.
fn rate(bps: u64) -> String {
    let number = |unit: u64, word: &str| {
        #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
        let value = bps as f64 / unit as f64;
        format!("{} {word}", trim(value))
    };
    match bps {
        1_000_000_000.. => number(1_000_000_000, "Gbit/s"),
        1_000_000.. => number(1_000_000, "Mbit/s"),
        1_000.. => number(1_000, "kbit/s"),
        _ => format!("{bps} bit/s"),
    }
}

/// Seconds as a duration; what is no duration is zero.
fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s.max(0.0)).unwrap_or_default()
}

/// RFC 2863 ifOperStatus.
fn oper_name(oper: u8) -> &'static str {
    match oper {
        1 => "up",
        2 => "down",
        3 => "testing",
        4 => "unknown",
        5 => "dormant",
        6 => "notPresent",
        7 => "lowerLayerDown",
        _ => "?",
    }
}
