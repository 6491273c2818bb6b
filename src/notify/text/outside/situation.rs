//! What happened, in one or two sentences for a party outside.
//!
//! Never here: whose fault it is, or what is to be done.

use super::{Trouble, Writer};
use crate::model::{FindingKind, Language, Metric, Owner, Part, Party};
use crate::notify::text::{bound, quantity, words};
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
    pub(super) fn theirs(&self) -> bool {
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
}
