//! What a party outside is told: what of theirs is affected, since when, who acts, what they have to do, whom to call, when they hear
//! again. One wording, two languages.
//!
//! Made of levels, kinds, times, verdicts, and the reader's own contract numbers alone. Never here: a name of a device, a port, a
//! contact or another party, an address, a command, or words that came from a cause.

mod acts;
mod situation;

use super::{Clock, Facts, LATE, Letter, clean, headers, rate, words};
use crate::incident::NoticeKind;
use crate::model::{FindingKind, Language, Level, Owner, Party, Verdict};
use crate::notify::plan::Notice;
use crate::notify::reader::ContractLine;
use crate::rules::Cause;

/// What the reader notices of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Something does not answer.
    NoTraffic,
    /// A number is over its threshold.
    Load,
    /// Less redundancy than there should be.
    Redundancy,
    /// A part of a device is faulty.
    Hardware,
    /// A watched service fails.
    Service,
    /// Our own monitoring is impaired.
    Monitoring,
}

fn trouble(kind: FindingKind) -> Trouble {
    match kind {
        FindingKind::DeviceDown
        | FindingKind::PlatformDown
        | FindingKind::CircuitSilent
        | FindingKind::CircuitsLost
        | FindingKind::InterfaceDown
        | FindingKind::InterfaceMissing
        | FindingKind::NoneActive => Trouble::NoTraffic,
        FindingKind::Threshold | FindingKind::Lossy => Trouble::Load,
        FindingKind::SwitchedOver
        | FindingKind::RedundancyLost
        | FindingKind::BothActive
        | FindingKind::PreferredInactive => Trouble::Redundancy,
        FindingKind::ComponentFailed => Trouble::Hardware,
        FindingKind::WatchFailed => Trouble::Service,
        FindingKind::AgentSilent
        | FindingKind::NoData
        | FindingKind::ControlPlaneSilent
        | FindingKind::Blind
        | FindingKind::RouteNotReady
        | FindingKind::LastRouteLost
        | FindingKind::ContactRefused
        | FindingKind::LedgerFailed => Trouble::Monitoring,
    }
}

/// Writes for one reader.
struct Writer<'a> {
    facts: &'a Facts<'a>,
    notice: &'a Notice,
    clock: &'a Clock,
}

/// Writes the mail for a party outside.
pub(super) fn letter(facts: &Facts<'_>, clock: &Clock) -> Letter {
    let writer = Writer {
        facts,
        notice: facts.notice,
        clock,
    };
    Letter {
        subject: writer.subject(),
        body: writer.body(),
        headers: headers(facts),
    }
}

impl Writer<'_> {
    fn say(&self, english: &'static str, japanese: &'static str) -> &'static str {
        match self.facts.language {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }

    fn line(&self, label: &str, value: &str) -> String {
        format!("{label}: {value}")
    }

    fn is_over(&self) -> bool {
        self.notice.level == Level::Ok
    }

    fn has_ended_unmeasured(&self) -> bool {
        self.is_over() && self.notice.cause == Cause::Removed
    }

    /// Over, but some of the reader's circuits are not back.
    fn is_over_in_part(&self) -> bool {
        self.is_over() && self.notice.lines.out_count > 0
    }

    fn trouble(&self) -> Trouble {
        trouble(self.notice.root.kind)
    }

    fn verdict(&self) -> Option<Verdict> {
        self.notice.isolation.as_ref().map(|i| i.verdict)
    }

    /// The institution that the reader speaks for, if it is one.
    fn institution(&self) -> Option<String> {
        let of_one = self.notice.addressee.as_ref();
        // What is ours or the platform's and not a fault of the connection itself is not called the institution's.
        let is_of_others = match self.notice.owner {
            Some(Owner::Platform) => true,
            Some(Owner::Own) => self.trouble() != Trouble::NoTraffic,
            Some(Owner::Institution | Owner::Carrier) | None => false,
        };
        of_one
            .filter(|_| self.notice.reader == Party::Institution && !is_of_others)
            .map(|name| clean(name))
    }

    /// The words stay the same for the life of the incident, but for the tag and what stands at the end.
    fn subject(&self) -> String {
        let is_fault = matches!(
            self.trouble(),
            Trouble::NoTraffic | Trouble::Hardware | Trouble::Service
        );
        let tag = match self.notice.level {
            _ if self.has_ended_unmeasured() => self.say("NOTICE", "お知らせ"),
            Level::Ok if self.is_over_in_part() => self.say("PARTLY RESTORED", "一部復旧"),
            Level::Ok => self.say("RESTORED", "復旧"),
            Level::Critical if is_fault => self.say("FAULT", "障害"),
            Level::Warning | Level::Critical => self.say("NOTICE", "お知らせ"),
        };
        let topic = match self.trouble() {
            Trouble::NoTraffic => self.say("connection fault", "通信障害"),
            Trouble::Load => self.say("high load", "負荷上昇"),
            Trouble::Redundancy => self.say("redundancy", "冗長構成"),
            Trouble::Hardware => self.say("equipment fault", "機器故障"),
            Trouble::Service => self.say("service check", "サービス確認"),
            Trouble::Monitoring => self.say("monitoring", "監視"),
        };
        let whose = self.institution().unwrap_or_else(|| self.whose());
        let mark = match self.notice.kind {
            NoticeKind::Reminder | NoticeKind::Escalation => self.say(" (still open)", "（継続中）"),
            NoticeKind::Reopened => self.say(" (again)", "（再発）"),
            _ => "",
        };
        let colon = self.say(":", "");
        clean(&format!(
            "[{tag}] #{} {whose}{colon} {topic}{mark}",
            self.notice.incident
        ))
    }

    /// What it is about, by what does not change in the life of an incident.
    fn whose(&self) -> String {
        let of_root = match self.notice.owner {
            Some(Owner::Platform) => self.say("interconnection platform", "相互接続基盤"),
            Some(Owner::Institution) if self.notice.reader == Party::Institution => {
                self.say("your connection", "ご契約回線")
            }
            Some(Owner::Institution | Owner::Carrier) => self.say("access circuits", "アクセス回線"),
            Some(Owner::Own) | None => return clean(&self.facts.operator.name),
        };
        of_root.to_owned()
    }

    fn body(&self) -> String {
        let mut lines = Vec::new();
        if let (Some(name), Language::Japanese) = (self.institution(), self.facts.language) {
            lines.extend([format!("{name} 御中"), String::new()]);
        }
        lines.push(self.situation());
        lines.extend(self.still_open());
        let late = self.facts.now.since(self.notice.at);
        if late > LATE {
            let at = self.clock.full(self.notice.at);
            lines.push(match self.facts.language {
                Language::English => format!("This mail was delayed; it describes the state of {at}."),
                Language::Japanese => format!("このメールは遅れて届いています。{at} 時点の状況です。"),
            });
        }
        lines.push(String::new());
        lines.extend(self.affected());
        lines.extend(self.times());
        lines.extend(self.where_it_is());
        lines.push(String::new());
        lines.extend(self.who_does_what());
        lines.push(String::new());
        lines.push(self.reference());
        lines.push(format!("-- \n{}", clean(&self.facts.operator.name)));
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }

    fn affected(&self) -> Vec<String> {
        let lines = &self.notice.lines;
        let list = |all: &[ContractLine], count: usize| {
            let mut names: Vec<String> = all.iter().map(|l| self.circuit(l)).collect();
            if count > names.len() {
                let more = count - names.len();
                names.push(match self.facts.language {
                    Language::English => format!("and {more} more"),
                    Language::Japanese => format!("ほか{more}回線"),
                });
            }
            match self.facts.language {
                Language::English => format!("{}: {}", counted(count, "circuit"), names.join(", ")),
                Language::Japanese => format!("{count}回線（{}）", names.join("、")),
            }
        };
        let mut told = Vec::new();
        if lines.out_count > 0 {
            let label = match self.is_over() {
                true => self.say("Not back yet", "未復旧"),
                false => self.say("Affected", "影響範囲"),
            };
            told.push(self.line(label, &list(&lines.out, lines.out_count)));
        }
        if lines.back_count > 0 {
            told.push(self.line(self.say("Back", "復旧済み"), &list(&lines.back, lines.back_count)));
        }
        told
    }

    fn circuit(&self, line: &ContractLine) -> String {
        let rates = match (line.down_bps, line.up_bps) {
            (Some(down), Some(up)) if down == up => Some(rate(down)),
            (Some(down), Some(up)) => Some(match self.facts.language {
                Language::English => format!("{} down, {} up", rate(down), rate(up)),
                Language::Japanese => format!("下り {}・上り {}", rate(down), rate(up)),
            }),
            (Some(one), None) | (None, Some(one)) => Some(rate(one)),
            (None, None) => None,
        };
        let id = clean(&line.circuit);
        match (rates, self.facts.language) {
            (None, _) => id,
            (Some(rates), Language::English) => format!("{id} ({rates})"),
            (Some(rates), Language::Japanese) => format!("{id} {rates}"),
        }
    }

    fn times(&self) -> Vec<String> {
        let notice = self.notice;
        let mut lines = vec![self.line(
            self.say(if self.is_over() { "Began" } else { "Since" }, "発生"),
            &self.clock.full(notice.since),
        )];
        if let Some(confirmed) = notice.recovered.filter(|_| !self.has_ended_unmeasured()) {
            // For the reader it was over when it worked again; that we looked longer to be sure is our affair.
            let over = super::answered(notice).map_or(confirmed, |(at, _)| at);
            lines.push(self.line(self.say("Restored", "復旧"), &self.clock.full(over)));
            let lasted = words(self.facts.language).duration(over.since(notice.since));
            lines.push(self.line(self.say("Lasted", "継続時間"), &lasted));
        }
        lines
    }

    /// Whom to call, and by which number.
    fn reference(&self) -> String {
        let number = self.notice.incident;
        match (self.facts.operator.phone.as_deref().map(clean), self.facts.language) {
            (Some(phone), Language::English) => format!("Call us: {phone} (incident #{number})"),
            (Some(phone), Language::Japanese) => format!("お問い合わせ: {phone}（事案番号 #{number}）"),
            (None, Language::English) => format!("Incident: #{number}"),
            (None, Language::Japanese) => format!("事案番号: #{number}"),
        }
    }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
