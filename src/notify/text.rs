//! From a notice to a mail that somebody woken at 03:00 understands at once. One structure, two languages.
//!
//! The subject keeps its words for the life of an incident, but for the level: phones thread by subject. The first line of the
//! body says what happened, with the numbers. Whatever a device or a relay said is cleaned before it gets in here. No links.
//!
//! Never here: a decision about who is told, or a clock.

mod en;
mod ja;
mod readings;
mod reasons;
mod redundancy;
mod service;
mod unread;

use super::plan::{NAMES, Notice};
pub use crate::model::text::clean;
pub use service::answer_in_english;
pub use unread::{cut_in_english, disbelief_in_english, end_in_english, unread_in_english};

use crate::incident::{Event, EventBody, Head, Held, Incident, NoticeKind};
use crate::model::{Evidence, FindingKey, Isolation, Language, Level, Name, Operator, Part, Verdict, Wall};
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
    /// `[警告]`; `Level::Ok` is "recovered".
    fn level(&self, level: Level) -> &'static str;
    /// What the finding is, for the subject: never with a number that changes.
    fn what(&self, root: &FindingKey) -> String;
    /// The first line: what happened, with the numbers. Without the target's name.
    fn cause(&self, notice: &Notice) -> String;
    fn verdict(&self, verdict: Verdict) -> &'static str;
    fn evidence(&self, evidence: &Evidence, clock: &Clock) -> String;
    /// The next step of the guideline's flow (1.3.2).
    fn next_step(&self, verdict: Verdict) -> &'static str;
    fn duration(&self, d: Duration) -> String;
    /// Why this mail was sent, where it is not simply a new incident.
    fn why(&self, facts: &Facts<'_>, clock: &Clock) -> Option<String>;
    /// Planned work kept it quiet until this notice.
    fn held(&self, held: &Held, until: Wall, clock: &Clock) -> String;
    fn kind(&self, kind: NoticeKind) -> &'static str;
    /// `Level`, `Since`, … the label before a value.
    fn label(&self, label: Label) -> &'static str;
    fn and_more(&self, more: usize) -> String;
    fn late(&self, by: Duration) -> String;
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
    Recovered,
    Lasted,
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
    Letter {
        subject: subject(facts, words),
        body: body(facts, words, &clock),
        headers: headers(facts),
    }
}

fn subject(facts: &Facts<'_>, words: &dyn Words) -> String {
    let notice = facts.notice;
    let mark = if facts.not_ledgered {
        words.not_ledgered_mark()
    } else {
        ""
    };
    let tag = words.level(notice.level);
    let name = device_name(&notice.root);
    let what = words.what(&notice.root);
    let text = format!("{mark}[{tag}] #{} {name} {what}", notice.incident);
    clean(&text)
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

fn body(facts: &Facts<'_>, words: &dyn Words, clock: &Clock) -> String {
    let notice = facts.notice;
    let mut lines = Vec::new();
    lines.push(headline(notice, words));
    lines.extend(accused(notice).map(|i| line(words, Label::Verdict, words.verdict(i.verdict))));
    lines.extend(words.why(facts, clock));
    lines.extend(notice.held.as_ref().map(|held| words.held(held, notice.at, clock)));
    if facts.not_ledgered {
        lines.push(words.not_ledgered().to_owned());
    }
    let late = facts.now.since(notice.at);
    if late > LATE {
        lines.push(words.late(late));
    }
    lines.push(String::new());
    lines.extend(times(notice, words, clock));
    lines.extend(evidence(notice, words, clock));
    lines.extend(behind(notice, words));
    lines.extend(notes(notice, words));
    lines.extend(earlier(facts, words, clock));
    lines.push(String::new());
    lines.extend(footer(facts, words));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// `edge-a: CPU 95.0 % …`
fn headline(notice: &Notice, words: &dyn Words) -> String {
    format!("{}{}{}", device_name(&notice.root), words.colon(), words.cause(notice))
}

fn line(words: &dyn Words, label: Label, value: &str) -> String {
    format!("{}{}{value}", words.label(label), words.colon())
}

fn times(notice: &Notice, words: &dyn Words, clock: &Clock) -> Vec<String> {
    let mut lines = vec![line(words, Label::Level, &levels(notice, words))];
    let mut remarks: Vec<String> = notice.owner.map(|o| words.owner(o).to_owned()).into_iter().collect();
    remarks.extend(notice.institution.as_ref().map(|i| clean(i)));
    remarks.extend(notice.address.clone());
    remarks.extend(notice.site.as_ref().map(|s| clean(s)));
    if notice.root.device.is_some() {
        let target = words.remarks(&device_name(&notice.root), &remarks);
        lines.push(line(words, Label::Target, &target));
    }
    lines.push(line(words, Label::Began, &clock.full(notice.since)));
    match notice.recovered {
        Some(at) => {
            lines.push(line(words, Label::Recovered, &clock.full(at)));
            lines.push(line(words, Label::Lasted, &words.duration(at.since(notice.since))));
        }
        None => lines.push(line(words, Label::Decided, &clock.full(notice.decided))),
    }
    lines
}

/// `警告（注意から）`, or the one level where it did not change.
fn levels(notice: &Notice, words: &dyn Words) -> String {
    let now = words.level(notice.level);
    if notice.before == notice.level || notice.before == Level::Ok {
        return now.to_owned();
    }
    format!("{} → {now}", words.level(notice.before))
}

/// The verdict, while there is something to be accused of.
fn accused(notice: &Notice) -> Option<&Isolation> {
    notice.isolation.as_ref().filter(|_| notice.level > Level::Ok)
}

/// What the verdict rests on, and what to do about it.
fn evidence(notice: &Notice, words: &dyn Words, clock: &Clock) -> Vec<String> {
    let Some(isolation) = accused(notice) else {
        return Vec::new();
    };
    let mut lines = vec![String::new()];
    if !isolation.evidence.is_empty() {
        lines.push(words.label(Label::Evidence).to_owned());
    }
    let evidence = isolation.evidence.iter();
    lines.extend(evidence.map(|e| format!("  - {}", words.evidence(e, clock))));
    lines.push(line(words, Label::Next, words.next_step(isolation.verdict)));
    lines
}

fn behind(notice: &Notice, words: &dyn Words) -> Vec<String> {
    let mut lines = Vec::new();
    let over = notice.level == Level::Ok;
    let missing = if over { Label::NotBack } else { Label::Unreachable };
    for (label, list, count) in [
        (missing, &notice.unreachable, notice.unreachable_count),
        (Label::Back, &notice.back, notice.back_count),
    ] {
        if count == 0 {
            continue;
        }
        let mut names: Vec<String> = list.iter().take(NAMES).map(|n| clean(n)).collect();
        if count > names.len() {
            names.push(words.and_more(count - names.len()));
        }
        lines.push(line(
            words,
            label,
            &format!("{count}{}{}", words.colon(), names.join(words.comma())),
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// What is listed here instead of having an incident of its own.
fn notes(notice: &Notice, words: &dyn Words) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, cause) in &notice.notes {
        let told = Notice {
            root: key.clone(),
            cause: cause.clone(),
            notes: Vec::new(),
            ..notice.clone()
        };
        let (name, what) = (device_name(key), words.what(key));
        let said = format!("{name} {what}{}{}", words.colon(), words.cause(&told));
        lines.push(line(words, Label::Also, &said));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

fn earlier(facts: &Facts<'_>, words: &dyn Words, clock: &Clock) -> Vec<String> {
    if facts.earlier.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), words.earlier(facts.earlier.len())];
    for notice in facts.earlier.iter().chain([facts.notice]) {
        let tag = words.level(notice.level);
        let kind = words.kind(notice.kind);
        lines.push(format!(
            "  {} [{tag}] {kind}{}{}",
            clock.short(notice.at),
            words.colon(),
            words.cause(notice)
        ));
    }
    lines
}

fn footer(facts: &Facts<'_>, words: &dyn Words) -> Vec<String> {
    let notice = facts.notice;
    let mut lines = Vec::new();
    if notice.flapping {
        lines.push(words.flapping().to_owned());
    }
    if facts.possible_duplicate {
        lines.push(words.possible_duplicate().to_owned());
    }
    match &notice.acknowledged_by {
        Some(by) => lines.push(words.acknowledged(&clean(by))),
        None if notice.level > Level::Ok => lines.push(words.acknowledge(notice.incident)),
        None => {}
    }
    let mut last = line(words, Label::Incident, &format!("#{}", notice.incident));
    if let Some(name) = &notice.procedure {
        last = format!("{last}  {}", line(words, Label::Procedure, &clean(name)));
    }
    lines.push(last);
    let told: Vec<String> = notice.told.iter().map(|n| clean(n)).collect();
    lines.push(line(words, Label::Told, &told.join(words.comma())));
    lines.push(format!("-- \nhinomi / {}", clean(&facts.operator.name)));
    lines
}

/// A moment in the operator's time zone, as mails say it.
pub fn moment(at: Wall, operator: &Operator) -> String {
    Clock::new(operator).full(at)
}

/// What the guideline's flow (1.3.2) does next after a verdict, in English.
pub fn next_step_in_english(verdict: Verdict) -> &'static str {
    en::English.next_step(verdict)
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
