//! 日本語

use super::unread;
use super::{
    Clock, Facts, Label, Words, bits, bound, clean, device_name, errors, far_end, interface_of, oper_name, part_name,
    ports_of, quantity, rate, redundancy, seconds, service,
};
use crate::incident::{Held, NoticeKind};
use crate::model::verdict::WitnessMissing;
use crate::model::{Evidence, FarEnd, FindingKey, FindingKind, Level, LinkKnown, Metric, Owner, Party, Verdict, Wall};
use crate::notify::plan::Notice;
use crate::notify::reader::ContractLine;
use crate::poll::AgentFailure;
use crate::rules::Cause;
use std::time::Duration;

pub(super) struct Japanese;

fn metric(metric: Metric, root: &FindingKey) -> String {
    let word = match metric {
        Metric::Cpu => "CPU使用率",
        Metric::Memory => "メモリ使用率",
        Metric::Load5 => "負荷平均（5分）",
        Metric::Temperature => "温度",
        Metric::UtilizationIn => "回線使用率（受信）",
        Metric::UtilizationOut => "回線使用率（送信）",
        Metric::UtilizationDown => "回線使用率（下り）",
        Metric::UtilizationUp => "回線使用率（上り）",
        Metric::Errors => "エラー率",
        Metric::Discards => "廃棄率",
        Metric::Loss => "パケット損失率",
        Metric::Rtt => "応答時間",
        Metric::Sessions => "セッション数",
        Metric::SessionsUsed => "セッション使用率",
        Metric::UpsLoad => "UPS負荷率",
        Metric::BatteryCharge => "バッテリー残量",
        Metric::BatteryRuntime => "バッテリー残り時間",
        Metric::CertificateDays => "有効期限までの残り",
        Metric::ClockOffset => "時刻のずれ",
        Metric::AnswerTime => "応答所要時間",
        Metric::Watch => return part_name(root).unwrap_or_else(|| "個別監視".to_owned()),
    };
    match part_name(root) {
        Some(part) => format!("{part} {word}"),
        None => word.to_owned(),
    }
}

fn what(root: &FindingKey) -> String {
    let part = part_name(root).unwrap_or_default();
    let number = root.metric.map_or_else(|| part.clone(), |m| metric(m, root));
    match root.kind {
        FindingKind::DeviceDown => "応答なし".to_owned(),
        FindingKind::PlatformDown => "相互接続基盤 応答なし".to_owned(),
        FindingKind::CircuitSilent => "接続機関ルーター 応答なし".to_owned(),
        FindingKind::CircuitsLost => "多数のアクセス回線 断".to_owned(),
        FindingKind::InterfaceDown if part.is_empty() => "ダウン".to_owned(),
        FindingKind::InterfaceDown => format!("{part} ダウン"),
        FindingKind::InterfaceMissing => format!("{part} 消失"),
        FindingKind::ComponentFailed => format!("{part} 異常"),
        FindingKind::AgentSilent => "SNMP応答なし".to_owned(),
        FindingKind::NoData if number.is_empty() => "インターフェース データなし".to_owned(),
        FindingKind::NoData => format!("{number} データなし"),
        FindingKind::WatchFailed => format!("{part} 異常"),
        FindingKind::ControlPlaneSilent => "制御部 応答なし".to_owned(),
        FindingKind::Lossy => "パケット損失".to_owned(),
        FindingKind::Blind => "監視サーバーの通信断".to_owned(),
        FindingKind::RouteNotReady => format!("通知経路 {part} 不通"),
        FindingKind::LastRouteLost => "通知経路 全て不通".to_owned(),
        FindingKind::ContactRefused => format!("連絡先 {part} 配信不能"),
        FindingKind::LedgerFailed => "台帳 書き込み不可".to_owned(),
        kind @ (FindingKind::SwitchedOver
        | FindingKind::RedundancyLost
        | FindingKind::BothActive
        | FindingKind::NoneActive
        | FindingKind::PreferredInactive) => redundancy::what_in_japanese(kind).to_owned(),
        FindingKind::Threshold => number,
    }
}

pub(super) fn agent(failure: &AgentFailure) -> String {
    match failure {
        AgentFailure::Timeout => {
            "応答がありません（エージェント停止、ポート遮断、またはコミュニティ名の誤り）".to_owned()
        }
        AgentFailure::UnknownUser => "SNMPv3のユーザー名が機器に登録されていません".to_owned(),
        AgentFailure::WrongKey => "認証パスワードまたは認証方式が違います".to_owned(),
        AgentFailure::WrongPrivacy => "暗号パスワードまたは暗号方式が違います".to_owned(),
        AgentFailure::UnsupportedLevel => "SNMPv3のユーザーにこのセキュリティレベルが許可されていません".to_owned(),
        AgentFailure::NotInTimeWindow => "SNMPv3の時刻同期ができません".to_owned(),
        AgentFailure::Malformed => "応答がSNMPとして正しくありません".to_owned(),
        AgentFailure::ErrorStatus(n) => format!("エラー応答（error-status {n}）を返しています"),
        AgentFailure::BrokenOff(broken) => unread::broken_off_in_japanese(broken),
        AgentFailure::UnknownContext => "SNMPv3のコンテキストが機器に存在しません".to_owned(),
        AgentFailure::BootsExhausted => {
            "snmpEngineBootsが上限に達しています。機器に新しいエンジンIDを設定してください".to_owned()
        }
        AgentFailure::NotBelieved(rejected) => {
            format!(
                "信頼できる応答がありません: {}",
                unread::disbelief_in_japanese(&rejected.why)
            )
        }
    }
}

fn cause(root: &FindingKey, level: Level, cause: &Cause) -> String {
    let number = root.metric.map_or_else(|| what(root), |m| metric(m, root));
    let part = part_name(root).unwrap_or_else(|| "インターフェース".to_owned());
    let falls = root.metric.is_some_and(Metric::falls);
    match cause {
        Cause::Above {
            value,
            bound: b,
            unit,
            which,
        } => {
            let level = Japanese.level(level);
            let which = which.as_ref().map(|w| format!(" [{}]", clean(w))).unwrap_or_default();
            let side = if falls { "以下" } else { "以上" };
            format!(
                "{number} {}{which}（{level}のしきい値 {} {side}）",
                quantity(*value, unit),
                bound(*b, unit)
            )
        }
        Cause::Below { value, bound: b, unit } => {
            let side = if falls { "以上に回復" } else { "以下に低下" };
            format!(
                "{number} {}（解除値 {} {side}）",
                quantity(*value, unit),
                bound(*b, unit)
            )
        }
        Cause::ComponentFailed { word, code, .. } => {
            format!("{part} の状態が異常です（{}、状態値 {code}）", clean(word))
        }
        Cause::ComponentHealthy { word } => format!("{part} は正常に戻りました（{}）", clean(word)),
        Cause::ComponentGone => format!("{part} がなくなりました（同種の部品は応答しています。取り外しの可能性）"),
        Cause::NoAnswer {
            sent,
            seconds,
            rejected,
        } => {
            let why = rejected
                .as_ref()
                .map(|r| format!("。{}", unread::disbelief_in_japanese(&r.why)));
            let why = why.unwrap_or_default();
            format!("応答がありません（{seconds:.1}秒間に{sent}回確認、全て無応答）{why}")
        }
        Cause::LineDown => "回線断です（当社側のポートがダウン、またはセッションが消失）".to_owned(),
        Cause::CircuitsLost { lost, of } => format!("{of}回線中{lost}回線が一斉に応答しなくなりました"),
        Cause::CircuitsBack { back, of } => format!("断となった{of}回線中{back}回線が戻りました"),
        Cause::Answers { silent_seconds } => {
            format!("応答が戻りました（無応答 {}）", duration(seconds(*silent_seconds)))
        }
        Cause::OperDown { oper } => format!("{part} がダウンしています（ifOperStatus: {}）", oper_name(*oper)),
        Cause::LinkDown { oper, to } => format!(
            "{part} がダウンしています（ifOperStatus: {}）。{}",
            oper_name(*oper),
            link(to)
        ),
        Cause::PartOf { root } => format!("次の障害の一部として継続: {} {}", device_name(root), what(root)),
        Cause::OperHealthy { admin_down: true, .. } => format!("{part} は管理者により閉塞されました"),
        Cause::OperHealthy { oper, .. } => format!("{part} は正常に戻りました（{}）", oper.map_or("不明", oper_name)),
        Cause::NameVanished => {
            format!("{part} がインターフェース表から消えました（カード、モジュール、スタックの脱落の可能性）")
        }
        Cause::NameNotFound { circuit, ports } => {
            let unknown = circuit
                .as_ref()
                .map(|c| format!("。回線 {} の状態は不明です", clean(c)));
            let has = ports_of(ports, "、").map(|(names, more)| match more {
                0 => format!("。装置にあるもの: {names}"),
                more => format!("。装置にあるもの: {names}、ほか{more}"),
            });
            format!(
                "装置に {part} というインターフェースがありません（名称変更、または設定の誤りの可能性）{}{}",
                has.unwrap_or_default(),
                unknown.unwrap_or_default()
            )
        }
        Cause::NameReturned => format!("{part} がインターフェース表に戻りました"),
        Cause::NoData { seconds: s, reason } => {
            let number = match root.metric {
                Some(_) => number,
                None => super::en::port_or_all(root, "インターフェース"),
            };
            format!(
                "{number} の値が{}取得できていません: {}",
                duration(seconds(*s)),
                super::reasons::in_japanese(reason)
            )
        }
        Cause::DataBack if root.metric.is_none() => {
            format!(
                "{} の値が再び取得できています",
                super::en::port_or_all(root, "インターフェース")
            )
        }
        Cause::DataBack => format!("{number} の値が再び取得できています"),
        Cause::AgentSilent { failure } => format!("機器は応答していますが、SNMPが取得できません: {}", agent(failure)),
        Cause::AgentBack => "SNMPの応答が戻りました".to_owned(),
        Cause::ChildrenAnswer { child } => {
            format!(
                "本体は応答しませんが、配下の {} は応答しています（制御部のみ無応答）",
                clean(child)
            )
        }
        Cause::CutOff { uplinks, send_error } => match send_error {
            Some(error) => format!(
                "この監視サーバーから送信できませんでした: {}",
                errors::in_japanese(error)
            ),
            None => format!("この監視サーバーが通信断です（上位接続先{uplinks}か所が全て無応答）"),
        },
        Cause::Connected { blind_seconds } => {
            format!("監視を再開しました（通信断 {}）", duration(seconds(*blind_seconds)))
        }
        Cause::TcpFailed { error } => format!("{part} に接続できません: {}", errors::in_japanese(error)),
        Cause::TcpWorks => format!("{part} に再び接続できます"),
        Cause::WatchFailed { fault } => service::in_japanese(&part, fault),
        Cause::WatchWorks => format!("{part} が再び正しく応答しています"),
        Cause::RouteFailed { error } => format!("通知経路が使えません: {}", errors::in_japanese(error)),
        Cause::RouteWorks => "通知経路が再び使えます".to_owned(),
        Cause::ContactRefused { error } => {
            format!(
                "連絡先 {part} の宛先に、どの経路でもメールを送れません: {}",
                errors::in_japanese(error)
            )
        }
        Cause::ContactTold => format!("連絡先 {part} 宛のメールが再び受理されました"),
        Cause::LedgerFailed { error } => format!("台帳に記録できません: {}", errors::in_japanese(error)),
        Cause::LedgerWorks => "台帳への記録が再開しました".to_owned(),
        Cause::Unreachable => "到達できません（経路上の機器が全てダウン）".to_owned(),
        Cause::Removed => "監視対象外になりました（設定から削除。復旧は確認していません）".to_owned(),
        Cause::SwitchedOver { .. }
        | Cause::SwitchedBack { .. }
        | Cause::SwitchoverSettled { .. }
        | Cause::RedundancyLost { .. }
        | Cause::RedundancyBack { .. }
        | Cause::BothActive { .. }
        | Cause::OneActive
        | Cause::NoneActive { .. }
        | Cause::ActiveAgain
        | Cause::PreferredInactive { .. }
        | Cause::PreferredAgain => redundancy::in_japanese(root, cause, what),
        Cause::Loss { percent } => format!("エコーの{percent:.1} %が失われています"),
    }
}

/// ポートのケーブルの接続先
fn link(to: &FarEnd) -> String {
    let end = far_end(to);
    match to.known {
        LinkKnown::Written | LinkKnown::Learned => format!("{end} への接続リンク"),
        LinkKnown::Guessed => format!("おそらく {end} への接続リンク"),
    }
}

fn duration(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0..60 => format!("{s}秒"),
        60..3600 => format!("{}分{}秒", s / 60, s % 60),
        3600..86400 => format!("{}時間{}分", s / 3600, s % 3600 / 60),
        _ => format!("{}日{}時間", s / 86400, s % 86400 / 3600),
    }
}

/// 設定どおりの長さ（端数の秒は付けない）
fn whole(d: Duration) -> String {
    match d.as_secs() {
        s if s >= 3600 && s % 3600 == 0 => format!("{}時間", s / 3600),
        s if s >= 60 && s % 60 == 0 => format!("{}分", s / 60),
        _ => duration(d),
    }
}

impl Words for Japanese {
    fn level(&self, level: Level) -> &'static str {
        match level {
            Level::Ok => "復旧",
            Level::Warning => "注意",
            Level::Critical => "警告",
        }
    }

    fn tag(&self, level: Level) -> &'static str {
        match level {
            Level::Ok => "復旧",
            Level::Warning => "注意/WARNING",
            Level::Critical => "警告/CRITICAL",
        }
    }

    fn removed(&self) -> &'static str {
        "監視対象外"
    }

    fn mark(&self, kind: NoticeKind) -> Option<&'static str> {
        match kind {
            NoticeKind::Reminder => Some("（継続中）"),
            NoticeKind::Escalation => Some("（エスカレーション）"),
            NoticeKind::Repeat => Some("（再送）"),
            NoticeKind::Reopened => Some("（再発）"),
            _ => None,
        }
    }

    fn amount(&self, circuits: usize, devices: usize) -> String {
        match (circuits, devices) {
            (n, 0) => format!("{n}回線"),
            (0, n) => format!("機器{n}台"),
            (n, m) => format!("{n}回線、機器{m}台"),
        }
    }

    fn listed(&self, amount: &str, names: &str) -> String {
        format!("{amount}（{names}）")
    }

    fn party(&self, party: Party) -> &'static str {
        match party {
            Party::Own => "自社",
            Party::Platform => "相互接続基盤",
            Party::Operator => "ネットワーク事業者",
            Party::Carrier => "アクセス回線事業者",
            Party::Institution => "接続機関",
            Party::Vendor => "保守会社",
            Party::Regulator => "監督官庁",
        }
    }

    fn rates(&self, line: &ContractLine) -> Option<String> {
        match (line.down_bps, line.up_bps) {
            (Some(down), Some(up)) if down == up => Some(rate(down)),
            (Some(down), Some(up)) => Some(format!("下り {}・上り {}", rate(down), rate(up))),
            (one, other) => one.or(other).map(rate),
        }
    }

    fn after(&self, d: Duration) -> String {
        format!("（無応答 {}）", duration(d))
    }

    fn what(&self, root: &FindingKey) -> String {
        what(root)
    }

    fn cause(&self, notice: &Notice) -> String {
        cause(&notice.root, notice.level, &notice.cause)
    }

    fn verdict(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::OwnNetwork => "自社網",
            Verdict::Platform => "相互接続基盤側",
            Verdict::DemarcationLink => "責任分界点の回線",
            Verdict::AccessCarrier => "アクセス回線事業者側",
            Verdict::InstitutionSide => "接続機関側",
            Verdict::Blind => "判定せず（この監視サーバー自体が通信断です）",
            Verdict::PlatformOrDemarcation => "未確定（相互接続基盤側または責任分界点の回線）",
            Verdict::Undetermined => "未確定",
        }
    }

    fn evidence(&self, evidence: &Evidence, clock: &Clock) -> String {
        match evidence {
            Evidence::DeviceUp { device, at } => format!("{} は応答あり（最終 {}）", clean(device), clock.short(*at)),
            Evidence::DeviceSilent { device, since } => {
                format!("{} は {} から無応答", clean(device), clock.short(*since))
            }
            Evidence::InterfaceOper { device, interface, up } => {
                format!(
                    "{} は{}",
                    interface_of(device, interface),
                    if *up { "アップ" } else { "ダウン" }
                )
            }
            Evidence::OctetsInStopped {
                device,
                interface,
                before_bps,
                after_bps,
            } => format!(
                "{} の受信が停止（発生前 {}、発生後 {}）",
                interface_of(device, interface),
                bits(*before_bps),
                bits(*after_bps)
            ),
            Evidence::OctetsInFlowing {
                device,
                interface,
                after_bps,
            } => format!(
                "{} は受信が続いています（{}）",
                interface_of(device, interface),
                bits(*after_bps)
            ),
            Evidence::LinkToward { device, interface, to } => {
                format!("{}: {}", interface_of(device, interface), link(to))
            }
            Evidence::IcmpUnreachable { from } => format!("ルーター {from} が到達不能を通知"),
            Evidence::SessionDown { device, peer } => {
                format!("{}: {peer} とのBGPセッションがダウン", clean(device))
            }
            Evidence::UplinksSilent { uplinks, own_gateway } => {
                let gateway = if *own_gateway {
                    "、自社ゲートウェイを含む"
                } else {
                    ""
                };
                format!("この監視サーバーの上位接続先{uplinks}か所が全て無応答{gateway}")
            }
            Evidence::SendFailed { error } => {
                format!(
                    "この監視サーバーから送信できませんでした: {}",
                    errors::in_japanese(error)
                )
            }
            Evidence::NoWitness { reason } => match reason {
                WitnessMissing::InterfaceNotRead => "第二の根拠なし: 責任分界点のインターフェースの値が取得できません",
                WitnessMissing::RateNotKnown => "第二の根拠なし: 障害後の責任分界点インターフェースの流量がまだ不明",
                WitnessMissing::TooLittleTraffic => "第二の根拠なし: 発生前の通信量が少なく判断できません",
                WitnessMissing::StillFlowing => "第二の根拠なし: 責任分界点では受信が続いています",
                WitnessMissing::NoOtherRouter => "第二の根拠なし: 相互接続基盤の他のルーターを監視していません",
            }
            .to_owned(),
        }
    }

    fn next_step(&self, verdict: Verdict, line_is_up: bool) -> &'static str {
        match verdict {
            Verdict::OwnNetwork => "対応方針を決めて復旧に着手し、影響のある接続機関へ連絡してください",
            Verdict::Platform => {
                "自社側に異常は確認されていません。上の根拠を添えて相互接続基盤の窓口へ確認を依頼してください"
            }
            Verdict::DemarcationLink => {
                "自社側のポート、光モジュール、配線を確認し、その後に相互接続基盤へ確認を依頼してください"
            }
            Verdict::AccessCarrier => "アクセス回線事業者へ回線試験を依頼し、接続機関へ連絡してください",
            Verdict::InstitutionSide if line_is_up => {
                "当社側の回線ポートはアップしています。接続機関へ電源、ルーター、LANの確認を依頼してください"
            }
            Verdict::InstitutionSide => "接続機関へ電源、ルーター、LANの確認を依頼してください",
            Verdict::Blind => {
                "この監視サーバー、ゲートウェイ、上位接続先を確認してください。他の機器の状態は判断できません"
            }
            Verdict::PlatformOrDemarcation => {
                "責任分界点の自社側を先に確認し、その後「未確定」と伝えて相互接続基盤へ確認を依頼してください"
            }
            Verdict::Undetermined => "まず自社サービスを確認し、異常がなければ接続機関へ確認を依頼してください",
        }
    }

    fn duration(&self, d: Duration) -> String {
        duration(d)
    }

    fn why(&self, facts: &Facts<'_>, clock: &Clock) -> Option<String> {
        let notice = facts.notice;
        let open_for = duration(notice.at.since(notice.since));
        let waited = whole(notice.waited.unwrap_or_default());
        Some(match notice.kind {
            NoticeKind::Opened | NoticeKind::Recovered => return None,
            NoticeKind::Worse => "レベルが上がりました。".to_owned(),
            NoticeKind::Better => "レベルが下がりましたが、復旧していません。".to_owned(),
            NoticeKind::More => "復旧前にさらに切り替わりました。".to_owned(),
            NoticeKind::Verdict => "障害切り分けの判定が変わりました。".to_owned(),
            NoticeKind::Reopened => format!("30分以内に再発しました（初回 {}）。", clock.full(notice.opened)),
            NoticeKind::Reminder => format!("【継続中】発生から{open_for}が経過し、対応開始の登録がありません。"),
            NoticeKind::Escalation => {
                format!("【エスカレーション】最初の通知から{waited}が経過し、対応開始の登録がありません。")
            }
            NoticeKind::Repeat => {
                format!(
                    "【再送】最初のメールの受理から{waited}が経過し、対応開始の登録がないため、可能であれば別の経路で再送しています。"
                )
            }
            NoticeKind::FlappingBegan => {
                "状態が変動しています（30分間に4回変化）。以後の変化は個別に通知しません（警告への悪化は通知します）。"
                    .to_owned()
            }
            NoticeKind::FlappingEnded => "30分間変化がなく、変動は収まりました。現在の状態を通知します。".to_owned(),
            NoticeKind::Acknowledged => "担当者が対応を開始しました。対応は不要です。".to_owned(),
        })
    }

    fn held(&self, held: &Held, until: Wall, clock: &Clock) -> String {
        format!(
            "計画保守「{}」のため、{} から {} まで通知を保留していました。",
            clean(&held.window),
            clock.short(held.from),
            clock.short(until)
        )
    }

    fn kind(&self, kind: NoticeKind) -> &'static str {
        match kind {
            NoticeKind::Opened => "発生",
            NoticeKind::Worse => "悪化",
            NoticeKind::Better => "レベル低下",
            NoticeKind::More => "再切替",
            NoticeKind::Verdict => "判定変更",
            NoticeKind::Recovered => "復旧",
            NoticeKind::Reopened => "再発",
            NoticeKind::Reminder => "継続中",
            NoticeKind::Escalation => "エスカレーション",
            NoticeKind::Repeat => "再送",
            NoticeKind::FlappingBegan => "変動中",
            NoticeKind::FlappingEnded => "変動終了",
            NoticeKind::Acknowledged => "対応開始",
        }
    }

    fn label(&self, label: Label) -> &'static str {
        match label {
            Label::Level => "レベル",
            Label::Target => "対象",
            Label::Began => "発生",
            Label::Decided => "判定時刻",
            Label::Answered => "最初の正常応答",
            Label::Recovered => "復旧確認",
            Label::RecoveredEnded => "復旧確認・事案終了",
            Label::Ended => "事案終了",
            Label::Removed => "監視対象外となった時刻",
            Label::Lasted => "事案の継続時間",
            Label::Circuit => "回線",
            Label::Call => "連絡先",
            Label::Apart => "別の事案で継続中",
            Label::Verdict => "障害切り分け",
            Label::Evidence => "根拠:",
            Label::Next => "次の手順",
            Label::Unreachable => "影響範囲",
            Label::NotBack => "未復旧",
            Label::Also => "関連",
            Label::Back => "復旧済み",
            Label::Incident => "事案番号",
            Label::Procedure => "通知手順",
            Label::Told => "通知先",
        }
    }

    fn and_more(&self, more: usize) -> String {
        format!("ほか{more}")
    }

    fn late(&self, by: Duration, of: &str) -> String {
        format!(
            "【遅延】このメールは{}遅れています（それまで受理した中継サーバーがありませんでした）。{of} 時点の内容です。",
            duration(by)
        )
    }

    fn together(&self, count: usize) -> String {
        format!("同時刻の{count}件の通知を1通にまとめています（最後が現在の状態）:")
    }

    fn not_ledgered(&self) -> &'static str {
        "【未記録】台帳に書き込めないまま送信しています（ディスク満杯の可能性）。監視サーバーを確認してください。"
    }

    fn not_ledgered_mark(&self) -> &'static str {
        "【未記録】"
    }

    fn possible_duplicate(&self) -> &'static str {
        "重複の可能性: 前回の送信が届いているかもしれません。"
    }

    fn earlier(&self, count: usize) -> String {
        format!("それまで送信できなかった{count}件の通知（古い順、最後が現在の状態）:")
    }

    fn flapping(&self) -> &'static str {
        "変動中: 30分間変化がなくなるまで、変化を個別に通知しません。"
    }

    fn acknowledge(&self, incident: u64) -> String {
        format!(
            "対応を開始する場合は次を実行（8時間、再通知とエスカレーションを停止）: hinomi incidents ack {incident}"
        )
    }

    fn acknowledged(&self, by: &str) -> String {
        format!("対応中: {by}")
    }

    fn owner(&self, owner: Owner) -> &'static str {
        match owner {
            Owner::Own => "自社",
            Owner::Platform => "相互接続基盤",
            Owner::Carrier => "アクセス回線事業者",
            Owner::Institution => "接続機関",
        }
    }

    fn remarks(&self, name: &str, remarks: &[String]) -> String {
        if remarks.is_empty() {
            return name.to_owned();
        }
        format!("{name}（{}）", remarks.join("、"))
    }

    fn comma(&self) -> &'static str {
        "、"
    }

    fn colon(&self) -> &'static str {
        ": "
    }
}
