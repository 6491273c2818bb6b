//! What our own people are told: everything that is known, the next step, and the command that acknowledges.
//!
//! Never here: a party outside (that is `outside`), or a sentence of one language.

use super::{Clock, Facts, LATE, Label, Letter, Words, answered, clean, device_name, headers, steps};
use crate::model::{Evidence, Isolation, Level};
use crate::notify::plan::{NAMES, Notice};
use crate::rules::Cause;
use std::time::Duration;

/// Writes the mail for our own people.
pub(super) fn letter(facts: &Facts<'_>, words: &dyn Words, clock: &Clock) -> Letter {
    Letter {
        subject: subject(facts, words),
        body: body(facts, words, clock),
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
    let tag = tag(notice, words);
    let name = device_name(&notice.root);
    let what = words.what(&notice.root);
    let end = words.mark(notice.kind).unwrap_or_default();
    let text = format!("{mark}[{tag}] #{} {name} {what}{end}", notice.incident);
    clean(&text)
}

/// The level, or that it is watched no more.
fn tag(notice: &Notice, words: &dyn Words) -> &'static str {
    match has_left(notice) {
        true => words.removed(),
        false => words.tag(notice.level),
    }
}

/// It is over because it left the configuration: that it is good was not measured.
fn has_left(notice: &Notice) -> bool {
    notice.level == Level::Ok && notice.cause == Cause::Removed
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
        lines.push(words.late(late, &clock.full(notice.at)));
    }
    lines.push(String::new());
    lines.extend(target(notice, words));
    lines.extend(times(notice, words, clock));
    lines.extend(evidence(notice, words, clock));
    lines.push(String::new());
    lines.push(line(words, Label::Next, next_step(facts, words)));
    lines.extend(call(notice, words));
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

/// What it is about, as people name it on the phone.
fn target(notice: &Notice, words: &dyn Words) -> Vec<String> {
    let mut lines = vec![line(words, Label::Level, &levels(notice, words))];
    let mut remarks: Vec<String> = notice.owner.map(|o| words.owner(o).to_owned()).into_iter().collect();
    let named = notice.lines.named().next().is_some();
    remarks.extend(notice.institution.as_ref().filter(|_| !named).map(|i| clean(i)));
    remarks.extend(notice.address.clone());
    remarks.extend(notice.site.as_ref().map(|s| clean(s)));
    if notice.root.device.is_some() {
        let target = words.remarks(&device_name(&notice.root), &remarks);
        lines.push(line(words, Label::Target, &target));
    }
    for circuit in notice.lines.named() {
        let mut remarks: Vec<String> = words.rates(circuit).into_iter().collect();
        remarks.push(clean(&circuit.institution));
        remarks.extend(circuit.carrier.as_ref().map(|c| clean(c)));
        lines.push(line(
            words,
            Label::Circuit,
            &words.remarks(&clean(&circuit.circuit), &remarks),
        ));
    }
    lines
}

/// When it began, was judged and, step by step, ended.
fn times(notice: &Notice, words: &dyn Words, clock: &Clock) -> Vec<String> {
    let mut lines = vec![line(words, Label::Began, &clock.full(notice.since))];
    let Some(confirmed) = notice.recovered else {
        lines.push(line(words, Label::Decided, &clock.full(notice.decided)));
        return lines;
    };
    if has_left(notice) {
        lines.push(line(words, Label::Removed, &clock.full(confirmed)));
        return lines;
    }
    if let Some((at, silent)) = answered(notice) {
        let value = format!("{}{}", clock.full(at), words.after(silent));
        lines.push(line(words, Label::Answered, &value));
    }
    match notice
        .ended
        .filter(|end| end.since(confirmed) >= Duration::from_secs(1))
    {
        Some(end) => {
            lines.push(line(words, Label::Recovered, &clock.full(confirmed)));
            lines.push(line(words, Label::Ended, &clock.full(end)));
            lines.push(line(words, Label::Lasted, &words.duration(end.since(notice.since))));
        }
        None => {
            lines.push(line(words, Label::RecoveredEnded, &clock.full(confirmed)));
            lines.push(line(
                words,
                Label::Lasted,
                &words.duration(confirmed.since(notice.since)),
            ));
        }
    }
    lines
}

/// `注意 → 警告`, or the one level where it did not change.
fn levels(notice: &Notice, words: &dyn Words) -> String {
    let now = tag(notice, words);
    if notice.before == notice.level || notice.before == Level::Ok {
        return now.to_owned();
    }
    format!("{} → {now}", words.tag(notice.before))
}

/// What to do now: by the verdict while somebody is accused, else by the state.
fn next_step(facts: &Facts<'_>, words: &dyn Words) -> &'static str {
    match accused(facts.notice) {
        Some(isolation) => words.next_step(isolation.verdict, line_is_up(isolation)),
        None => steps::next(facts.notice, facts.language),
    }
}

/// The operator's end of a line was read as up.
fn line_is_up(isolation: &Isolation) -> bool {
    let up = |e: &Evidence| matches!(e, Evidence::InterfaceOper { up: true, .. });
    isolation.evidence.iter().any(up)
}

/// Whom to phone.
fn call(notice: &Notice, words: &dyn Words) -> Option<String> {
    let desk = notice.desk.as_ref().filter(|_| notice.level > Level::Ok)?;
    let mut remarks = vec![words.party(desk.party).to_owned()];
    remarks.extend(desk.role.as_deref().map(clean));
    let who = words.remarks(&clean(&desk.name), &remarks);
    let who = match &desk.phone {
        Some(phone) => format!("{who} {}", clean(phone)),
        None => who,
    };
    Some(line(words, Label::Call, &who))
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
    if isolation.evidence.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), words.label(Label::Evidence).to_owned()];
    let evidence = isolation.evidence.iter();
    lines.extend(evidence.map(|e| format!("  - {}", words.evidence(e, clock))));
    lines
}

fn behind(notice: &Notice, words: &dyn Words) -> Vec<String> {
    let mut lines = Vec::new();
    let over = notice.level == Level::Ok;
    let missing = if over { Label::NotBack } else { Label::Unreachable };
    for (label, list, count, circuits) in [
        (
            missing,
            &notice.unreachable,
            notice.unreachable_count,
            notice.unreachable_circuits,
        ),
        (Label::Back, &notice.back, notice.back_count, notice.back_circuits),
    ] {
        if count == 0 {
            continue;
        }
        let mut names: Vec<String> = list.iter().take(NAMES).map(|n| clean(n)).collect();
        if count > names.len() {
            names.push(words.and_more(count - names.len()));
        }
        let amount = words.amount(circuits, count.saturating_sub(circuits));
        lines.push(line(words, label, &words.listed(&amount, &names.join(words.comma()))));
    }
    let apart = notice.apart.iter().map(|(name, id)| format!("{} #{id}", clean(name)));
    let apart: Vec<String> = apart.collect();
    if !apart.is_empty() {
        lines.push(line(words, Label::Apart, &apart.join(words.comma())));
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
    // One that waited longer could not leave; what was due at one time goes out together.
    let waited = facts.earlier.iter().filter(|n| facts.now.since(n.at) > LATE).count();
    let head = match waited {
        0 => words.together(facts.earlier.len() + 1),
        n => words.earlier(n),
    };
    let mut lines = vec![String::new(), head];
    for notice in facts.earlier.iter().chain([facts.notice]) {
        let tag = tag(notice, words);
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
        Some(by) => {
            let note = notice.acknowledge_note.as_deref();
            let note = note.map(|note| format!("{}{}", words.colon(), clean(note)));
            lines.push(words.acknowledged(&clean(by)) + &note.unwrap_or_default());
        }
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
