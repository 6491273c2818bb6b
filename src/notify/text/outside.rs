//! What a party outside is told: what of theirs is affected, since when, who acts, what they have to do, whom to call, when they hear
//! again. One wording, two languages.
//!
//! Made of levels, kinds, times, verdicts, and the reader's own contract numbers alone. Never here: a name of a device, a port, a
//! contact or another party, an address, a command, or words that came from a cause.

use super::{Clock, Facts, LATE, Letter, bound, clean, headers, quantity, rate, words};
use crate::incident::NoticeKind;
use crate::model::{Evidence, FindingKind, Language, Level, Metric, Owner, Part, Party, Verdict};
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
        of_one
            .filter(|_| self.notice.reader == Party::Institution)
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

    fn situation(&self) -> String {
        if self.has_ended_unmeasured() {
            let words = self.say(
                "We no longer monitor what this notice was about; whether the fault is over was not measured.",
                "本件の対象は当社の監視対象外となりました。復旧は確認していません。",
            );
            return words.to_owned();
        }
        if self.is_over_in_part() {
            let words = self.say(
                "The fault is over, but some of your circuits are not back yet.",
                "障害は復旧しましたが、一部の回線はまだ復旧していません。",
            );
            return words.to_owned();
        }
        if self.is_over() {
            return self.over().to_owned();
        }
        match self.trouble() {
            Trouble::NoTraffic => self.no_traffic().to_owned(),
            Trouble::Load => self.load(),
            Trouble::Redundancy => self.redundancy().to_owned(),
            Trouble::Hardware => self
                .say(
                    "A part of a device in our network reports a fault.",
                    "当社ネットワークの機器の部品が異常を示しています。",
                )
                .to_owned(),
            Trouble::Service => self
                .say(
                    "A check of a service in our network fails.",
                    "当社ネットワークのサービス確認で異常を検知しました。",
                )
                .to_owned(),
            Trouble::Monitoring => self
                .say(
                    "Our monitoring is impaired. No effect on your service is known.",
                    "当社の監視に支障が出ています。サービスへの影響は確認されていません。",
                )
                .to_owned(),
        }
    }

    fn over(&self) -> &'static str {
        match self.trouble() {
            Trouble::NoTraffic | Trouble::Hardware | Trouble::Service => {
                self.say("The fault is over.", "障害は復旧しました。")
            }
            Trouble::Load => self.say(
                "The value is back within its limits.",
                "測定値は、しきい値の範囲内に戻りました。",
            ),
            Trouble::Redundancy => self.say("This is over.", "本件は終了しました。"),
            Trouble::Monitoring => self.say("Our monitoring works normally again.", "当社の監視は正常に戻りました。"),
        }
    }

    fn redundancy(&self) -> &'static str {
        let theirs = self.notice.reader == Party::Institution && self.theirs();
        match (self.notice.root.kind, theirs) {
            (FindingKind::SwitchedOver, true) => self.say(
                "Your connection has switched over to another circuit.",
                "貴機関の接続が、別の回線へ切り替わりました。",
            ),
            (FindingKind::SwitchedOver, false) => self.say(
                "Our network has switched over between two sides that stand in for each other.",
                "当社ネットワークで、冗長構成の切替りが発生しました。",
            ),
            (FindingKind::RedundancyLost, true) => self.say(
                "The redundancy of your connection is reduced.",
                "貴機関の接続の冗長性が低下しています。",
            ),
            (FindingKind::RedundancyLost, false) => self.say(
                "The redundancy of our network is reduced.",
                "当社ネットワークの冗長性が低下しています。",
            ),
            _ => self.say(
                "The redundancy of our network does not work as it should.",
                "当社ネットワークの冗長構成が、想定どおりに動作していません。",
            ),
        }
    }

    /// Circuits of the reader are touched.
    fn theirs(&self) -> bool {
        !self.notice.lines.is_empty()
    }

    fn no_traffic(&self) -> &'static str {
        match (self.notice.reader, self.notice.owner) {
            (Party::Institution, _) if self.theirs() => self.say(
                "Your circuits below do not answer our monitoring.",
                "貴機関の次の回線が、当社の監視に応答していません。",
            ),
            (Party::Carrier, _) if self.theirs() => self.say(
                "The access circuits below do not answer our monitoring.",
                "次のアクセス回線が、当社の監視に応答していません。",
            ),
            (Party::Platform, Some(Owner::Platform)) => self.say(
                "Your equipment next to the demarcation point does not answer our monitoring.",
                "責任分界点の一つ先にある基盤側の機器が、当社の監視に応答していません。",
            ),
            (Party::Institution, Some(Owner::Platform)) => self.say(
                "The interconnection platform does not answer our monitoring. What you reach over it may not be available.",
                "相互接続基盤が、当社の監視に応答していません。基盤経由のサービスを利用できないおそれがあります。",
            ),
            (_, Some(Owner::Platform)) => self.say(
                "The interconnection platform does not answer our monitoring.",
                "相互接続基盤が、当社の監視に応答していません。",
            ),
            (Party::Institution, _) => self.say(
                "There is a fault that may affect your connection.",
                "貴機関の接続に影響するおそれのある障害が発生しています。",
            ),
            (_, Some(Owner::Institution)) => self.say(
                "A circuit of a connected institution does not answer our monitoring.",
                "接続機関の回線が、当社の監視に応答していません。",
            ),
            _ => self.say(
                "There is a fault in our network.",
                "当社ネットワークで障害が発生しています。",
            ),
        }
    }

    /// A number over its threshold. What is measured by a watch has a name of ours, which is not told.
    fn load(&self) -> String {
        let whose = match (self.notice.reader, self.theirs()) {
            (Party::Institution, true) => self.say("On your circuit", "貴機関の回線"),
            (Party::Carrier, true) => self.say("On the access circuit below", "次のアクセス回線"),
            _ => self.say("In our network", "当社ネットワーク"),
        };
        let metric = self.notice.root.metric.filter(|m| *m != Metric::Watch);
        let (
            Some(metric),
            Cause::Above {
                value, bound: b, unit, ..
            },
        ) = (metric, &self.notice.cause)
        else {
            return match self.facts.language {
                Language::English => format!("{whose} a measured value is outside of its limits."),
                Language::Japanese => format!("{whose}で、測定値がしきい値の範囲外です。"),
            };
        };
        let plain = crate::model::FindingKey {
            device: None,
            part: Part::Device,
            kind: FindingKind::Threshold,
            metric: Some(metric),
        };
        let what = match metric {
            Metric::UtilizationIn | Metric::UtilizationOut => self.say("utilisation", "使用率").to_owned(),
            Metric::UtilizationDown => self.say("utilisation (down)", "使用率（下り）").to_owned(),
            Metric::UtilizationUp => self.say("utilisation (up)", "使用率（上り）").to_owned(),
            _ => words(self.facts.language).what(&plain),
        };
        let (value, b) = (quantity(*value, unit), bound(*b, unit));
        match self.facts.language {
            Language::English => format!("{whose} the {what} is at {value}; the limit is {b}."),
            Language::Japanese => format!("{whose}の{what}が {value} です（しきい値 {b}）。"),
        }
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
        let mut lines = vec![self.line(self.say("Since", "発生"), &self.clock.full(notice.since))];
        if let Some(confirmed) = notice.recovered.filter(|_| !self.has_ended_unmeasured()) {
            // For the reader it was over when it worked again; that we looked longer to be sure is our affair.
            let over = super::answered(notice).map_or(confirmed, |(at, _)| at);
            lines.push(self.line(self.say("Restored", "復旧"), &self.clock.full(over)));
            let lasted = words(self.facts.language).duration(over.since(notice.since));
            lines.push(self.line(self.say("Lasted", "継続時間"), &lasted));
        }
        lines
    }

    /// Where the fault is, as far as it is known.
    fn where_it_is(&self) -> Option<String> {
        if self.is_over() || self.trouble() != Trouble::NoTraffic {
            return None;
        }
        let is_theirs = self.notice.reader == Party::Institution;
        let place = match self.verdict() {
            Some(Verdict::OwnNetwork) => self.say("in our network", "当社ネットワーク内"),
            Some(Verdict::Platform) => self.say("on the interconnection platform", "相互接続基盤側"),
            Some(Verdict::DemarcationLink) => self.say(
                "on the link between our network and the interconnection platform",
                "当社ネットワークと相互接続基盤を結ぶ回線",
            ),
            Some(Verdict::AccessCarrier) => self.say("on the access line", "アクセス回線"),
            Some(Verdict::InstitutionSide) if is_theirs && self.line_is_up() => self.say(
                "at your site (power, router, LAN), as far as we can see; the line to you is up",
                "貴機関内（電源、ルーター、LAN）の可能性があります。当社で測定した回線の状態は正常です",
            ),
            Some(Verdict::InstitutionSide) if is_theirs => self.say(
                "at your site (power, router, LAN), as far as we can see",
                "貴機関内（電源、ルーター、LAN）の可能性があります",
            ),
            Some(Verdict::InstitutionSide) => self.say("at the connected institution", "接続機関側"),
            Some(Verdict::PlatformOrDemarcation) => self.say(
                "on the interconnection platform or the link to it, not known which yet",
                "相互接続基盤側、または当社との間の回線（調査中）",
            ),
            Some(Verdict::Blind | Verdict::Undetermined) | None => self.say("not known yet", "調査中"),
        };
        Some(self.line(self.say("Where", "障害箇所"), place))
    }

    /// The operator's end of the line was read as up.
    fn line_is_up(&self) -> bool {
        let evidence = self.notice.isolation.iter().flat_map(|i| &i.evidence);
        evidence
            .into_iter()
            .any(|e| matches!(e, Evidence::InterfaceOper { up: true, .. }))
    }

    fn who_does_what(&self) -> Vec<String> {
        let (acts, please) = (self.say("Who acts", "対応"), self.say("What you have to do", "お願い"));
        let nothing = self.say("nothing", "作業の必要はありません。");
        if self.is_over() && !self.is_over_in_part() {
            return vec![self.line(please, nothing)];
        }
        let (who, what) = self.actor();
        let news = self.say("Next news", "次のご連絡");
        let when = match self.notice.flapping {
            true => self.say(
                "the state changes often; you hear from us when it is stable, or gets worse",
                "状態が変動しているため、安定したとき、または悪化したときにお知らせします。",
            ),
            false => self.say(
                "when the situation changes, and when the fault is over",
                "状況が変わったとき、および復旧したときにお知らせします。",
            ),
        };
        vec![
            self.line(acts, who),
            self.line(please, what.unwrap_or(nothing)),
            self.line(news, when),
        ]
    }

    /// Who acts, and what the reader is asked for.
    fn actor(&self) -> (&'static str, Option<&'static str>) {
        let we = self.say("we do", "当社で調査、復旧にあたります。");
        match self.trouble() {
            Trouble::NoTraffic => {}
            Trouble::Load => {
                return (
                    self.say(
                        "we watch it, and act where needed",
                        "当社で経過を監視し、必要に応じて対応します。",
                    ),
                    None,
                );
            }
            _ => return (we, None),
        }
        let you_and_we = match self.notice.reader {
            Party::Platform => self.say("you and we together", "基盤側と当社で対応します。"),
            Party::Institution => self.say("you and we together", "貴機関と当社で対応します。"),
            _ => self.say("you and we together", "貴社と当社で対応します。"),
        };
        match (self.notice.reader, self.verdict()) {
            (Party::Platform, Some(Verdict::Platform)) => (
                you_and_we,
                Some(self.say(
                    "please check your side and call us; our side of the demarcation point looks clean",
                    "基盤側をご確認のうえ、当社へご連絡ください（責任分界点の当社側に異常は見えません）。",
                )),
            ),
            (Party::Platform, Some(Verdict::DemarcationLink | Verdict::PlatformOrDemarcation)) => (
                you_and_we,
                Some(self.say(
                    "please check your end of the link and call us; we check ours",
                    "回線の基盤側をご確認のうえ、当社へご連絡ください。当社側は当社で確認します。",
                )),
            ),
            (Party::Carrier, Some(Verdict::AccessCarrier)) => (
                you_and_we,
                Some(self.say(
                    "please test the circuits above and call us",
                    "上記の回線を試験のうえ、当社へご連絡ください。",
                )),
            ),
            (Party::Institution, Some(Verdict::InstitutionSide)) => (
                you_and_we,
                Some(self.say(
                    "please check power, router and LAN at your site, and call us with what you find",
                    "貴機関内の電源、ルーター、LANをご確認のうえ、結果を当社へご連絡ください。",
                )),
            ),
            (Party::Institution, Some(Verdict::Undetermined) | None)
                if self.notice.owner == Some(Owner::Institution) =>
            {
                (
                    we,
                    Some(self.say(
                        "if your router is switched off or being worked on, please call us",
                        "ルーターの電源断や工事など、お心当たりがあれば当社へご連絡ください。",
                    )),
                )
            }
            (Party::Vendor, _) => (
                we,
                Some(self.say("nothing until we call you", "必要な場合は当社からご連絡します。")),
            ),
            _ => (we, None),
        }
    }

    /// Whom to call, and by which number.
    fn reference(&self) -> String {
        let number = self.notice.incident;
        match (self.facts.operator.phone.as_deref().map(clean), self.facts.language) {
            (Some(phone), Language::English) => format!("Call us: {phone} (incident #{number})"),
            (Some(phone), Language::Japanese) => format!("お問い合わせ: {phone}（受付番号 #{number}）"),
            (None, Language::English) => format!("Incident: #{number}"),
            (None, Language::Japanese) => format!("受付番号: #{number}"),
        }
    }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
