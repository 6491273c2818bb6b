//! What happened to a redundancy group, in both languages.
//!
//! Never here: other findings.

use super::clean;
use crate::model::{FindingKey, FindingKind, Name, Part};
use crate::rules::{Absence, Cause, Missing, Moved};

/// Instances named in a sentence; the rest is a number.
const NAMED: usize = 8;

/// How a finding of a group is called in English.
pub(super) fn what_in_english(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::SwitchedOver => "switchover",
        FindingKind::RedundancyLost => "redundancy lost",
        FindingKind::BothActive => "both active",
        FindingKind::NoneActive => "service lost",
        _ => "preferred side not active",
    }
}

/// The same in Japanese.
pub(super) fn what_in_japanese(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::SwitchedOver => "切替",
        FindingKind::RedundancyLost => "冗長性喪失",
        FindingKind::BothActive => "両系アクティブ",
        FindingKind::NoneActive => "全系停止",
        _ => "優先系 待機のまま",
    }
}

fn names(all: &[Name], comma: &str) -> String {
    let named: Vec<String> = all.iter().map(|n| clean(n)).collect();
    named.join(comma)
}

/// Those that are named, and how many are not.
fn some(instances: &[Name], comma: &str) -> (String, usize) {
    let shown = instances.len().min(NAMED);
    (names(&instances[..shown], comma), instances.len() - shown)
}

/// The only instance of a group has no name.
fn with_names(instances: &[Name]) -> Vec<Name> {
    instances.iter().filter(|i| !i.is_empty()).cloned().collect()
}

/// The group of a part that is not the one in the subject.
fn other_group<'a>(root: &FindingKey, moved: &'a Moved) -> Option<&'a Name> {
    let own = matches!(&root.part, Part::Redundancy(name) if *name == moved.group);
    (!own).then_some(&moved.group)
}

/// One sentence in English, without the group's name.
pub(super) fn in_english(root: &FindingKey, cause: &Cause, what: impl Fn(&FindingKey) -> String) -> String {
    let instances = |all: &[Name]| match (with_names(all), all.len()) {
        (named, _) if named.is_empty() => String::new(),
        (named, 1) => format!(" (instance {})", names(&named, ", ")),
        (named, n) => match some(&named, ", ") {
            (list, 0) => format!(" ({n} instances: {list})"),
            (list, more) => format!(" ({n} instances: {list} and {more} more)"),
        },
    };
    let moves = |all: &[Moved], back: bool| {
        let one = |m: &Moved| {
            let group = other_group(root, m)
                .map(|g| format!("{}: ", clean(g)))
                .unwrap_or_default();
            let (from, to) = (clean(&m.from), clean(&m.to));
            let way = match (back, m.counted, m.back) {
                (true, ..) => format!("{group}{from} is active again, after {to}"),
                (_, true, true) => format!("{group}switched over from {from} to {to} and back between two polls"),
                (_, true, false) => {
                    format!("{group}{to} lost its role to {from} and took it again between two polls")
                }
                _ => format!("{group}switched over from {from} to {to}"),
            };
            let by = match (m.counted, m.by.is_empty()) {
                (true, _) if !back => ", detected from the transition counters".to_owned(),
                (_, false) if !back => format!(", seen by {}", names(&m.by, " and ")),
                _ => String::new(),
            };
            format!("{way}{}{by}", instances(&m.instances))
        };
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    let missing = |all: &[Missing]| {
        let one = |m: &Missing| {
            let why = match m.why {
                Absence::DeviceDown => "its device does not answer",
                Absence::Failed => "down or failed",
                Absence::NotTold => "its agent does not tell its role; daemon stopped?",
                Absence::Gone => "not listed any more",
                Absence::Standby => "standby",
                Absence::Alone => "in no cluster (standalone)",
            };
            format!("{}: {why}", clean(&m.member))
        };
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    match cause {
        Cause::SwitchedOver { moved, because } => {
            let because = because.as_ref().map(|key| {
                let device = key.device.as_deref().map(clean).unwrap_or_default();
                format!(", because of {device} {}", what(key))
            });
            format!("{}{}", moves(moved, false), because.unwrap_or_default())
        }
        Cause::SwitchedBack { moved } => format!("switched back: {}", moves(moved, true)),
        Cause::SwitchoverSettled { moved } => {
            let to: Vec<Name> = moved.iter().map(|m| Name::clone(&m.to)).collect();
            format!(
                "{} stays active: no preferred member is configured, so this is the new normal",
                names(&to, ", ")
            )
        }
        Cause::RedundancyLost {
            ready,
            configured,
            instances: all,
            missing: who,
        } => format!(
            "{ready} of {configured} members ready{}: {}",
            instances(all),
            missing(who)
        ),
        Cause::RedundancyBack { configured } => format!("all members are ready again ({configured} of {configured})"),
        Cause::BothActive {
            instances: all,
            members,
        } => format!(
            "{} are active at once{}, confirmed by two polls of each: split brain",
            names(members, " and "),
            instances(all)
        ),
        Cause::OneActive => "one member is active again".to_owned(),
        Cause::NoneActive {
            good,
            need,
            instances: all,
            missing: who,
        } => format!(
            "no service: {good} active, {need} needed{}: {}",
            instances(all),
            missing(who)
        ),
        Cause::ActiveAgain => "the service is carried again".to_owned(),
        Cause::PreferredInactive {
            preferred,
            active,
            instances: all,
        } => format!(
            "{} should be active and is ready, but {} is active{}",
            clean(preferred),
            clean(active),
            instances(all)
        ),
        _ => "the preferred side is active again, or not ready any more".to_owned(),
    }
}

/// One sentence in Japanese, without the group's name.
pub(super) fn in_japanese(root: &FindingKey, cause: &Cause, what: impl Fn(&FindingKey) -> String) -> String {
    let instances = |all: &[Name]| match (with_names(all), all.len()) {
        (named, _) if named.is_empty() => String::new(),
        (named, 1) => format!("（インスタンス {}）", names(&named, "、")),
        (named, n) => match some(&named, "、") {
            (list, 0) => format!("（{n}インスタンス: {list}）"),
            (list, more) => format!("（{n}インスタンス: {list} 他{more}）"),
        },
    };
    let moves = |all: &[Moved], back: bool| {
        let one = |m: &Moved| {
            let group = other_group(root, m)
                .map(|g| format!("{}: ", clean(g)))
                .unwrap_or_default();
            let (from, to) = (clean(&m.from), clean(&m.to));
            let way = match (back, m.counted, m.back) {
                (true, ..) => format!("{group}{to} から {from} へ戻りました"),
                (_, true, true) => format!("{group}取得間隔の間に {from} から {to} へ切り替わり、戻りました"),
                (_, true, false) => {
                    format!("{group}取得間隔の間に役割が {to} から {from} へ移り、{to} へ戻りました")
                }
                _ => format!("{group}{from} から {to} へ切り替わりました"),
            };
            let by = match (m.counted, m.by.is_empty()) {
                (true, _) if !back => "（遷移カウンターによる検知）".to_owned(),
                (_, false) if !back => format!("（確認元: {}）", names(&m.by, "、")),
                _ => String::new(),
            };
            format!("{way}{}{by}", instances(&m.instances))
        };
        all.iter().map(one).collect::<Vec<_>>().join("、")
    };
    let missing = |all: &[Missing]| {
        let one = |m: &Missing| {
            let why = match m.why {
                Absence::DeviceDown => "機器応答なし",
                Absence::Failed => "ダウンまたは異常",
                Absence::NotTold => "役割を取得できず（デーモン停止の可能性）",
                Absence::Gone => "一覧から消失",
                Absence::Standby => "待機",
                Absence::Alone => "クラスター未参加（単独動作）",
            };
            format!("{} {why}", clean(&m.member))
        };
        all.iter().map(one).collect::<Vec<_>>().join("、")
    };
    match cause {
        Cause::SwitchedOver { moved, because } => {
            let because = because.as_ref().map(|key| {
                let device = key.device.as_deref().map(clean).unwrap_or_default();
                format!("（原因: {device} {}）", what(key))
            });
            format!("{}{}", moves(moved, false), because.unwrap_or_default())
        }
        Cause::SwitchedBack { moved } => format!("切戻し: {}", moves(moved, true)),
        Cause::SwitchoverSettled { moved } => {
            let to: Vec<Name> = moved.iter().map(|m| Name::clone(&m.to)).collect();
            format!("{} のまま安定しています（優先系の指定なし）", names(&to, "、"))
        }
        Cause::RedundancyLost {
            ready,
            configured,
            instances: all,
            missing: who,
        } => format!(
            "{configured}系中{ready}系のみ使用可能です{}: {}",
            instances(all),
            missing(who)
        ),
        Cause::RedundancyBack { configured } => format!("{configured}系すべて使用可能に戻りました"),
        Cause::BothActive {
            instances: all,
            members,
        } => format!(
            "{} が同時にアクティブです{}（双方を2回取得して一致。互いに見えていない可能性）",
            names(members, "、"),
            instances(all)
        ),
        Cause::OneActive => "アクティブは1系に戻りました".to_owned(),
        Cause::NoneActive {
            good,
            need,
            instances: all,
            missing: who,
        } => format!(
            "サービスを担う系がありません（稼働 {good}、必要 {need}）{}: {}",
            instances(all),
            missing(who)
        ),
        Cause::ActiveAgain => "サービスを担う系が戻りました".to_owned(),
        Cause::PreferredInactive {
            preferred,
            active,
            instances: all,
        } => format!(
            "優先系 {} は使用可能ですが、{} がアクティブのままです{}",
            clean(preferred),
            clean(active),
            instances(all)
        ),
        _ => "優先系がアクティブに戻ったか、使用可能でなくなりました".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;

    fn root() -> FindingKey {
        FindingKey::of_redundancy(&"edge gateway".into(), FindingKind::SwitchedOver)
    }

    fn moved(instances: &[&str]) -> Moved {
        Moved {
            group: "edge gateway".into(),
            instances: instances.iter().map(|i| Name::from(*i)).collect(),
            from: "edge-a".into(),
            to: "edge-b".into(),
            at: Wall(0),
            by: vec!["edge-b".into()],
            counted: false,
            back: false,
        }
    }

    #[test]
    fn a_hundred_instances_are_one_short_sentence() {
        let many: Vec<String> = (1..=100).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let cause = Cause::SwitchedOver {
            moved: vec![moved(&many)],
            because: None,
        };
        let text = in_english(&root(), &cause, |_| String::new());
        assert!(
            text.starts_with("switched over from edge-a to edge-b (100 instances: 1, 2, "),
            "{text}"
        );
        assert!(text.ends_with("and 92 more), seen by edge-b"), "{text}");
        let text = in_japanese(&root(), &cause, |_| String::new());
        assert!(text.contains("100インスタンス") && text.contains("他92"), "{text}");
    }

    #[test]
    fn the_only_instance_is_not_named_and_another_group_is() {
        let mut other = moved(&[""]);
        other.group = "second".into();
        let cause = Cause::SwitchedOver {
            moved: vec![moved(&[""]), other],
            because: None,
        };
        assert_eq!(
            in_english(&root(), &cause, |_| String::new()),
            "switched over from edge-a to edge-b, seen by edge-b; second: switched over from edge-a to edge-b, seen by edge-b"
        );
    }
}
