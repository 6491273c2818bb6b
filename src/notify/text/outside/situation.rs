//! What happened, in one or two sentences for a party outside.
//!
//! Never here: whose fault it is, or what is to be done.

use super::{Trouble, Writer};
use crate::incident::NoticeKind;
use crate::model::{FindingKind, Language, Metric, Owner, Part, Party, Verdict};
use crate::notify::reader::ContractLine;
use crate::notify::text::{LATE, bound, quantity, words};
use crate::rules::Cause;

impl Writer<'_> {
    pub(super) fn situation(&self) -> String {
        if self.has_ended_unmeasured() {
            let words = self.say(
                "We no longer monitor what this notice was about; whether the fault is over was not measured.",
                "本件の対象は当社の監視対象外となりました。復旧は確認していません。",
            );
            return words.to_owned();
        }
        if self.is_over_in_part() {
            let words = match self.have_incidents_of_their_own() {
                true => self.say(
                    "This fault is over. The circuits that do not work yet have another fault, with notices of its own.",
                    "本件の障害は復旧しました。未復旧の回線は、別の障害として対応しています。",
                ),
                false => self.say(
                    "The fault is over, but some of the circuits are not back yet.",
                    "障害は復旧しましたが、一部の回線はまだ復旧していません。",
                ),
            };
            return words.to_owned();
        }
        if self.is_over() {
            let late = self.was_not_told().then(|| {
                self.say(
                    " We could not tell you when it began.",
                    "発生時にお知らせできず、申し訳ございません。",
                )
            });
            return format!("{}{}", self.over(), late.unwrap_or_default());
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
            Trouble::Monitoring if self.notice.root.kind == FindingKind::Blind => self
                .say(
                    "Our monitoring is cut off: we cannot see the state of your connection now. If it does not work, please call us.",
                    "当社の監視が中断しており、現在、貴社（貴機関）の通信の状態を確認できません。異常がある場合はお電話ください。",
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

    /// Each circuit that is not back belongs to another incident by now.
    fn have_incidents_of_their_own(&self) -> bool {
        let lines = &self.notice.lines;
        let apart = |line: &ContractLine| self.notice.apart.iter().any(|(name, _)| *name == line.circuit);
        lines.out.len() == lines.out_count && lines.out.iter().all(apart)
    }

    /// The first notice of this incident waits in this very mail, because no relay took it in time.
    fn was_not_told(&self) -> bool {
        let first = self.facts.earlier.first();
        first.is_some_and(|n| n.kind == NoticeKind::Opened && self.facts.now.since(n.at) > LATE)
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
                "A part of our network has switched over to its standby.",
                "当社ネットワークの一部が、予備系へ切り替わりました。",
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
    pub(super) fn theirs(&self) -> bool {
        !self.notice.lines.is_empty()
    }

    /// The line is up, and what stands at its end is silent.
    fn router_silent(&self) -> &'static str {
        match self.notice.reader {
            Party::Institution if self.theirs() => self.say(
                "The router at your site does not answer our monitoring.",
                "貴機関に設置のルーターから、当社の監視への応答がありません。",
            ),
            Party::Carrier if self.theirs() => self.say(
                "The router behind the access circuits below does not answer our monitoring; our end of the line is up.",
                "次のアクセス回線の先にある接続機関のルーターから応答がありません（当社側の回線ポートはアップしています）。",
            ),
            _ => self.say(
                "The router of a connected institution does not answer our monitoring.",
                "接続機関のルーターから、当社の監視への応答がありません。",
            ),
        }
    }

    /// A mail without news says how long it has lasted.
    pub(super) fn still_open(&self) -> Option<String> {
        let repeats = matches!(self.notice.kind, NoticeKind::Reminder | NoticeKind::Escalation);
        (repeats && !self.is_over()).then(|| {
            let since = words(self.facts.language).duration(self.notice.at.since(self.notice.since));
            match self.facts.language {
                Language::English => format!("It is still open, {since} after it began."),
                Language::Japanese => format!("発生から{since}が経過しましたが、継続しています。"),
            }
        })
    }

    fn no_traffic(&self) -> &'static str {
        let is_circuit = self.notice.owner == Some(Owner::Institution);
        if is_circuit && self.verdict() == Some(Verdict::InstitutionSide) && self.line_is_up() {
            return self.router_silent();
        }
        match (self.notice.reader, self.notice.owner) {
            (Party::Institution, _) if self.theirs() => self.say(
                "We get no answer over your circuits below.",
                "貴機関の次の回線で、通信断を検知しました。",
            ),
            (Party::Carrier, _) if self.theirs() => self.say(
                "We get no answer over the access circuits below.",
                "次のアクセス回線で、通信断を検知しました。",
            ),
            (Party::Platform, Some(Owner::Platform)) => self.say(
                "Your equipment next to the demarcation point does not answer our monitoring.",
                "責任分界点に隣接する貴社側の機器から、当社の監視への応答がありません。",
            ),
            (Party::Institution, Some(Owner::Platform)) => self.say(
                "Equipment of the interconnection platform that connects to us does not answer our monitoring. Services that use the platform may not be available.",
                "当社と接続する相互接続基盤側の機器から応答がありません。基盤経由のサービスを利用できないおそれがあります。",
            ),
            (_, Some(Owner::Platform)) => self.say(
                "Equipment of the interconnection platform that connects to us does not answer our monitoring.",
                "当社と接続する相互接続基盤側の機器から応答がありません。",
            ),
            (Party::Institution, _) => self.say(
                "There is a fault that may affect your connection.",
                "貴機関の接続に影響するおそれのある障害が発生しています。",
            ),
            (_, Some(Owner::Institution)) => self.say(
                "We get no answer over the circuit of a connected institution.",
                "接続機関の回線で、通信断を検知しました。",
            ),
            _ => self.say(
                "There is a fault in our network.",
                "当社ネットワークで障害が発生しています。",
            ),
        }
    }

    /// A number over its threshold. What is measured by a watch has a name of ours, which is not told.
    fn load(&self) -> String {
        let is_circuit = matches!(self.notice.owner, Some(Owner::Institution | Owner::Carrier));
        let whose = match (self.notice.reader, self.theirs()) {
            (Party::Institution, true) => self.say("your circuit", "貴機関の回線"),
            (Party::Carrier, true) => self.say("the access circuit below", "次のアクセス回線"),
            _ if is_circuit => self.say("one access circuit", "アクセス回線1本"),
            _ => self.say("a device in our network", "当社ネットワークの機器"),
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
                Language::English => format!("A measured value of {whose} is outside of its limits."),
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
            Metric::UtilizationDown => self.say("download utilisation", "使用率（下り）").to_owned(),
            Metric::UtilizationUp => self.say("upload utilisation", "使用率（上り）").to_owned(),
            _ => words(self.facts.language).what(&plain),
        };
        let (value, b) = (quantity(*value, unit), bound(*b, unit));
        match self.facts.language {
            Language::English => format!("The {what} of {whose} is at {value}; the limit is {b}."),
            Language::Japanese => format!("{whose}の{what}が {value} です（しきい値 {b}）。"),
        }
    }
}
