//! Where the fault is, who acts, and what the reader is asked for. Only whose fault it is by the verdict is asked for anything.
//!
//! Never here: what happened.

use super::{Trouble, Writer};
use crate::model::{Evidence, Owner, Party, Verdict};

impl Writer<'_> {
    /// Where the fault is, as far as it is known.
    pub(super) fn where_it_is(&self) -> Option<String> {
        if self.is_over() || self.trouble() != Trouble::NoTraffic {
            return None;
        }
        let is_theirs = self.notice.reader == Party::Institution && self.theirs();
        let place = match self.verdict() {
            Some(Verdict::OwnNetwork) => self.say("in our network", "当社ネットワーク内"),
            Some(Verdict::Platform) => self.say("on the interconnection platform", "相互接続基盤側"),
            Some(Verdict::DemarcationLink) => self.say(
                "on the link between our network and the interconnection platform",
                "当社ネットワークと相互接続基盤を結ぶ回線",
            ),
            Some(Verdict::AccessCarrier) => self.say("probably on the access line", "アクセス回線区間と推定"),
            Some(Verdict::InstitutionSide) if is_theirs && self.line_is_up() => self.say(
                "at your site (power, router, LAN), as far as we can see; our end of the line is up",
                "貴機関内（電源、ルーター、LAN）と推定されます。当社側の回線ポートはアップしています",
            ),
            Some(Verdict::InstitutionSide) if is_theirs => self.say(
                "at your site (power, router, LAN), as far as we can see",
                "貴機関内（電源、ルーター、LAN）と推定されます",
            ),
            Some(Verdict::InstitutionSide) => self.say("probably at the connected institution", "接続機関側と推定"),
            Some(Verdict::PlatformOrDemarcation) => self.say(
                "on the interconnection platform or the link to it, not known which yet",
                "相互接続基盤側、または当社との間の回線（調査中）",
            ),
            Some(Verdict::Blind | Verdict::Undetermined) | None if self.notice.owner == Some(Owner::Own) => self.say(
                "in our network; the exact place is not known yet",
                "当社ネットワーク内（詳細は調査中）",
            ),
            Some(Verdict::Blind | Verdict::Undetermined) | None => self.say("not known yet", "調査中"),
        };
        Some(self.line(self.say("Where", "障害箇所"), place))
    }

    /// The operator's end of the line was read as up.
    pub(super) fn line_is_up(&self) -> bool {
        let evidence = self.notice.isolation.iter().flat_map(|i| &i.evidence);
        evidence
            .into_iter()
            .any(|e| matches!(e, Evidence::InterfaceOper { up: true, .. }))
    }

    pub(super) fn who_does_what(&self) -> Vec<String> {
        let please = match self.notice.reader {
            Party::Institution => self.say("What you have to do", "貴機関でのご対応"),
            _ => self.say("What you have to do", "貴社でのご対応"),
        };
        let acts = self.say("Who acts", "対応");
        let nothing = self.say("nothing", "不要です。");
        if self.is_over() && !self.is_over_in_part() {
            return vec![self.line(please, nothing)];
        }
        let (who, what) = self.actor();
        let news = self.say("Next news", "次のご連絡");
        let when = match (self.is_over(), self.notice.flapping) {
            (true, _) => self.say(
                "in the notices about what is not back",
                "未復旧の回線に関するお知らせでご連絡します。",
            ),
            (false, true) => self.say(
                "the state changes often; you hear from us when it is stable, or gets worse",
                "状態が変動しているため、安定したとき、または悪化したときにお知らせします。",
            ),
            (false, false) => self.say(
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
            Trouble::Load if self.notice.reader == Party::Institution && self.theirs() => {
                return (
                    self.say(
                        "we watch it, and act where needed",
                        "当社で経過を監視し、必要に応じて対応します。",
                    ),
                    Some(self.say(
                        "your connection may be slow: please put off large transfers where you can, or call us",
                        "通信が遅くなるおそれがあります。可能であれば大容量の通信を控えるか、当社へご相談ください。",
                    )),
                );
            }
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
            Party::Platform => self.say("you and we together", "貴社と当社で対応します。"),
            Party::Institution => self.say("you and we together", "貴機関と当社で対応します。"),
            _ => self.say("you and we together", "貴社と当社で対応します。"),
        };
        match (self.notice.reader, self.verdict()) {
            (Party::Platform, Some(Verdict::Platform)) => (
                you_and_we,
                Some(self.say(
                    "please check your side and call us; we found no fault on our side of the demarcation point",
                    "貴社側をご確認のうえ、当社へご連絡ください（責任分界点の当社側に異常は確認されていません）。",
                )),
            ),
            (Party::Platform, Some(Verdict::DemarcationLink | Verdict::PlatformOrDemarcation)) => (
                you_and_we,
                Some(self.say(
                    "please check your end of the link and call us; we check ours",
                    "回線の貴社側をご確認のうえ、当社へご連絡ください。当社側は当社で確認します。",
                )),
            ),
            (Party::Carrier, Some(Verdict::AccessCarrier)) if self.theirs() => (
                you_and_we,
                Some(self.say(
                    "please test the circuits above and call us",
                    "上記の回線を試験のうえ、当社へご連絡ください。",
                )),
            ),
            (Party::Institution, Some(Verdict::InstitutionSide)) if self.theirs() => (
                you_and_we,
                Some(self.say(
                    "please check power, router and LAN at your site, and call us with what you find",
                    "貴機関内の電源、ルーター、LANをご確認のうえ、結果を当社へご連絡ください。",
                )),
            ),
            (Party::Institution, Some(Verdict::Undetermined) | None)
                if self.theirs() && self.notice.owner == Some(Owner::Institution) =>
            {
                (
                    we,
                    Some(self.say(
                        "if your router is switched off or being worked on, please call us",
                        "ルーターの電源断や工事など、お心当たりがあれば当社へご連絡ください。",
                    )),
                )
            }
            (party, Some(Verdict::AccessCarrier)) => (
                self.say(
                    "we do, together with the access carrier",
                    "当社が、アクセス回線事業者とともに対応します。",
                ),
                self.until_called(party),
            ),
            (party, Some(Verdict::Platform | Verdict::DemarcationLink | Verdict::PlatformOrDemarcation)) => (
                self.say(
                    "we do, together with the interconnection platform",
                    "当社が、相互接続基盤側とともに対応します。",
                ),
                self.until_called(party),
            ),
            (party, Some(Verdict::InstitutionSide)) => (
                self.say(
                    "we do, together with the institution",
                    "当社が、接続機関とともに対応します。",
                ),
                self.until_called(party),
            ),
            (party, _) => (we, self.until_called(party)),
        }
    }

    /// Makers are called where they are needed.
    fn until_called(&self, party: Party) -> Option<&'static str> {
        (party == Party::Vendor).then(|| {
            self.say(
                "nothing until we call you",
                "現時点では不要です。必要な場合は当社からご連絡します。",
            )
        })
    }
}
