//! The next step of each mail to our own people, where no verdict says it: one by kind of finding, in both languages.
//!
//! Never here: the step after a verdict (that is the language's own).

use crate::model::{FindingKind, Language, Level};
use crate::notify::plan::Notice;
use crate::rules::Cause;

/// What to do now, by the state of the incident.
pub(super) fn next(notice: &Notice, language: Language) -> &'static str {
    let (english, japanese) = match notice.level {
        Level::Ok => over(notice),
        _ if notice.flapping && notice.root.kind != FindingKind::Threshold => (
            "find out why it goes up and down (cable, optics, power); the state now may change again",
            "状態が変動する原因（ケーブル、光モジュール、電源など）を確認してください。現在の状態は再び変わる可能性があります",
        ),
        _ => open(notice.root.kind),
    };
    match language {
        Language::English => english,
        Language::Japanese => japanese,
    }
}

fn over(notice: &Notice) -> (&'static str, &'static str) {
    if notice.cause == Cause::Removed {
        return (
            "check that it was meant to leave the configuration; whether the fault is over was not measured",
            "設定からの削除が意図どおりか確認してください。障害が復旧したかは測定していません",
        );
    }
    if notice.root.kind == FindingKind::Blind {
        return (
            "look for what may have happened meanwhile: nothing was seen while this host was cut off",
            "監視できなかった間に発生した事象がないか確認してください",
        );
    }
    if notice.unreachable_count > 0 || !notice.apart.is_empty() {
        return (
            "follow up what is not back yet",
            "未復旧のものを引き続き確認してください",
        );
    }
    (
        "tell those whom you called that it is over; nothing else to do",
        "電話で連絡した相手があれば、復旧を伝えてください。ほかの対応は不要です",
    )
}

fn open(kind: FindingKind) -> (&'static str, &'static str) {
    match kind {
        FindingKind::DeviceDown => (
            "check its power and its links; call whoever can reach the place",
            "電源と接続リンクを確認し、現地に行ける担当者へ連絡してください",
        ),
        FindingKind::PlatformDown => (
            "check the own side of the demarcation point, then call the platform's desk",
            "責任分界点の自社側を確認し、相互接続基盤の窓口へ連絡してください",
        ),
        FindingKind::CircuitSilent => (
            "check the own side, then ask the institution whether its router has power",
            "自社側を確認し、接続機関へルーターの電源などの確認を依頼してください",
        ),
        FindingKind::CircuitsLost => (
            "look at what these circuits have in common, then call the access carrier or whoever owns it",
            "これらの回線に共通する設備を確認し、アクセス回線事業者などの担当へ連絡してください",
        ),
        FindingKind::InterfaceDown | FindingKind::InterfaceMissing => (
            "check port, optics, cable and card, and the device at the other end",
            "ポート、光モジュール、ケーブル、カード、および対向機器を確認してください",
        ),
        FindingKind::ComponentFailed => (
            "have the part looked at and replaced; check whether another one carries the load",
            "部品の点検と交換を手配し、残りの部品で運転を続けられるか確認してください",
        ),
        FindingKind::AgentSilent | FindingKind::NoData => (
            "check SNMP on the device (agent, access list, credentials); no value of it is judged meanwhile",
            "機器のSNMP（エージェント、アクセス制限、認証情報）を確認してください。その間、値は判定されません",
        ),
        FindingKind::WatchFailed => (
            "check the service, and the way to it",
            "対象のサービスと、そこまでの経路を確認してください",
        ),
        FindingKind::ControlPlaneSilent => (
            "traffic passes; check the device's CPU and management access before it gets worse",
            "通信は通っています。機器のCPUと管理用アクセスを確認してください",
        ),
        FindingKind::Lossy => (
            "look for errors and load on the way",
            "経路上のエラーと負荷を確認してください",
        ),
        FindingKind::Blind => (
            "check this host, its gateway and its uplinks; conclude nothing about anything else",
            "この監視サーバー、ゲートウェイ、上位接続先を確認してください。他の機器の状態は判断できません",
        ),
        FindingKind::RouteNotReady | FindingKind::LastRouteLost => (
            "test the route, with an address of your own: hinomi route-test --to ADDRESS",
            "次を実行して経路を試験してください（ADDRESS は自分のアドレス）: hinomi route-test --to ADDRESS",
        ),
        FindingKind::ContactRefused => (
            "correct the address in the configuration, then: hinomi reload",
            "設定のアドレスを直し、次を実行してください: hinomi reload",
        ),
        FindingKind::LedgerFailed => (
            "check disk and permissions of the state folder on this host",
            "この監視サーバーのディスクと、状態保存先フォルダーの権限を確認してください",
        ),
        FindingKind::SwitchedOver | FindingKind::PreferredInactive => (
            "find out why it switched, and plan the switch back",
            "切り替わった原因を確認し、切戻しの要否と時期を検討してください",
        ),
        FindingKind::RedundancyLost => (
            "restore the missing member: one more fault interrupts the service",
            "欠けている系を復旧してください。さらに障害が起きるとサービスが停止します",
        ),
        FindingKind::BothActive => (
            "check the link between the members: traffic may be split or lost",
            "両系を結ぶリンクを確認してください。通信の分断や損失のおそれがあります",
        ),
        FindingKind::NoneActive => (
            "restore a member at once: the service is interrupted",
            "ただちに1系を復旧してください。サービスが停止しています",
        ),
        FindingKind::Threshold => (
            "find what is using it, and whether it is still rising",
            "何が使用しているかを特定し、増え続けていないか確認してください",
        ),
    }
}
