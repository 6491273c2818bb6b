//! No false sentence: what a mail says, and must not say, in each state, in both languages.

use super::letters::{circuit_of, fault_while_mail_is_down};
use super::world::{MIN, Relay, World, answers, cpu, down, key, no_answer, s, site};
use hinomi::model::{
    Address, Escalation, Evidence, FindingKind, Isolation, Language, Level, Match, Part, Procedure, Site, Verdict, When,
};
use hinomi::rules::Cause;

/// One state, and the words that the last mail about it has and has not.
struct Row {
    state: &'static str,
    site: fn(&mut Site),
    play: fn(&mut World),
    english: (&'static [&'static str], &'static [&'static str]),
    japanese: (&'static [&'static str], &'static [&'static str]),
}

fn plain(_: &mut Site) {}

fn circuits(site: &mut Site) {
    for (n, id) in ["N-1", "N-2", "N-3"].iter().enumerate() {
        circuit_of(&mut site.devices[3 + n], id, ("1", "Hinomi Clinic"), "carrier-1", None);
    }
}

fn agg_down(w: &mut World) {
    for id in ["N-1", "N-2", "N-3"] {
        w.behind(&down("agg"), id, true);
    }
    w.take(&w.change(&down("agg"), Level::Critical, no_answer()));
    w.pass(s(5));
}

fn institution_side(w: &mut World, evidence: Vec<Evidence>) {
    let root = key(Some("N-1"), Part::Device, FindingKind::CircuitSilent);
    let mut change = w.change(&root, Level::Critical, no_answer());
    change.isolation = Some(Isolation {
        verdict: Verdict::InstitutionSide,
        evidence,
    });
    w.take(&change);
    w.pass(s(5));
}

const TABLE: &[Row] = &[
    Row {
        state: "an escalation and a reminder are due together, and nothing was undeliverable",
        site: |site| {
            site.procedures[0].escalate = vec![Escalation {
                after: s(10 * MIN),
                tell: vec!["noc".into()],
            }];
            site.procedures[0].remind = Some(s(10 * MIN));
        },
        play: |w| {
            w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
            w.pass(s(10 * MIN + 30));
        },
        english: (
            &["2 notices were due at one time"],
            &["could not be delivered", " late"],
        ),
        japanese: (
            &["同時刻の2件の通知を1通にまとめています"],
            &["送信できなかった", "【遅延】"],
        ),
    },
    Row {
        state: "a fault began and ended while no relay took mail",
        site: plain,
        play: |w| fault_while_mail_is_down(w, &down("edge-a")),
        english: (
            &[
                "could not be delivered before (1)",
                "late",
                "It speaks of 2026-10-26 16:43:20 JST",
            ],
            &["at one time"],
        ),
        japanese: (
            &["送信できなかった1件", "【遅延】", "2026-10-26 16:43:20 JST 時点"],
            &["同時刻"],
        ),
    },
    Row {
        state: "it was acknowledged while the mail waited",
        site: plain,
        play: |w| {
            w.relay("office", Relay::Dead);
            w.relay("lte", Relay::Dead);
            w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
            w.pass(s(3 * MIN));
            w.acknowledge(1, "sato").unwrap();
            w.pass(s(MIN));
            w.relay("lte", Relay::Works);
            w.pass(s(6 * MIN));
        },
        english: (&["Acknowledged by: sato"], &["To acknowledge"]),
        japanese: (&["対応中: sato"], &["対応を開始する場合"]),
    },
    Row {
        state: "this host could not send, and can again by the time the mail is read",
        site: plain,
        play: |w| {
            let cause = Cause::CutOff {
                uplinks: 2,
                send_error: Some("Network is unreachable".to_owned()),
            };
            w.take(&w.change(&key(None, Part::Host, FindingKind::Blind), Level::Critical, cause));
            w.pass(s(5));
        },
        english: (&["could not send: Network is unreachable"], &["cannot send"]),
        japanese: (
            &["送信できませんでした: ネットワークに到達できません"],
            &["unreachable", "送信できません:"],
        ),
    },
    Row {
        state: "of three circuits behind it one is down again by itself",
        site: circuits,
        play: |w| {
            agg_down(w);
            for id in ["N-1", "N-2", "N-3"] {
                w.behind(&down("agg"), id, false);
            }
            let again = key(Some("N-2"), Part::Device, FindingKind::CircuitSilent);
            w.take(&w.change(&again, Level::Warning, no_answer()));
            w.pass(s(5));
            w.take(&w.change(&down("agg"), Level::Ok, answers()));
            w.pass(s(5));
        },
        english: (
            &[
                "Back: 2 circuits (N-1, N-3)",
                "Not well, by an incident of its own: N-2 #2",
                "follow up",
            ],
            &["N-1, N-2", "devices"],
        ),
        japanese: (
            &["復旧済み: 2回線（N-1、N-3）", "別の事案で継続中: N-2 #2"],
            &["N-1、N-2", "台"],
        ),
    },
    Row {
        state: "circuits are behind it, and no devices",
        site: circuits,
        play: agg_down,
        english: (&["Impact: 3 circuits (N-1, N-2, N-3)"], &["devices"]),
        japanese: (&["影響範囲: 3回線（N-1、N-2、N-3）"], &["台"]),
    },
    Row {
        state: "circuits and a device are behind it",
        site: circuits,
        play: |w| {
            w.behind(&down("agg"), "clinic-9", true);
            agg_down(w);
        },
        english: (&["Impact: 3 circuits, 1 device ("], &["4 "]),
        japanese: (&["影響範囲: 3回線、機器1台（"], &["4"]),
    },
    Row {
        state: "escalated two minutes after it was told; it had begun before",
        site: |site| {
            site.procedures[0].escalate = vec![Escalation {
                after: s(2 * MIN),
                tell: vec!["noc".into()],
            }];
        },
        play: |w| {
            let mut change = w.change(&down("edge-a"), Level::Critical, no_answer());
            change.since = w.now.wall.before(s(70));
            w.take(&change);
            w.pass(s(2 * MIN + 5));
        },
        english: (
            &["not acknowledged 2 min after it was first told", "down (escalated)"],
            &["3 min", "open for"],
        ),
        japanese: (
            &["最初の通知から2分が経過し", "応答なし（エスカレーション）"],
            &["3分", "上申"],
        ),
    },
    Row {
        state: "over, after a procedure that matched while it was open",
        site: |site| {
            let tell = site.procedures[0].tell.clone();
            site.procedures.truncate(1);
            site.procedures.push(Procedure {
                name: "everything".into(),
                matches: Match::default(),
                tell,
                escalate: Vec::new(),
                remind: None,
            });
        },
        play: |w| {
            w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
            w.pass(s(5));
            w.take(&w.change(&down("edge-a"), Level::Ok, answers()));
            w.pass(s(5));
        },
        english: (&["Procedure: critical"], &["everything"]),
        japanese: (&["通知手順: critical"], &["everything"]),
    },
    Row {
        state: "an interface was removed from the configuration",
        site: plain,
        play: |w| {
            let port = key(
                Some("edge-a"),
                Part::Interface("xe-0".into()),
                FindingKind::InterfaceDown,
            );
            w.take(&w.change(&port, Level::Critical, Cause::OperDown { oper: 2 }));
            w.pass(s(5));
            w.take(&w.change(&port, Level::Ok, Cause::Removed));
            w.pass(s(5));
        },
        english: (
            &["[NO LONGER WATCHED] #1", "No longer watched since"],
            &["RECOVERED", "Recovery confirmed"],
        ),
        japanese: (
            &["[監視対象外] #1", "監視対象外となった時刻"],
            &["[復旧]", "復旧確認・"],
        ),
    },
    Row {
        state: "the institution's side, and the line was read as up",
        site: circuits,
        play: |w| {
            let up = Evidence::InterfaceOper {
                device: "agg".into(),
                interface: "ge-0".into(),
                up: true,
            };
            institution_side(w, vec![up]);
        },
        english: (
            &["the line is up", "Circuit: N-1 (100 Mbit/s, Hinomi Clinic, carrier-1)"],
            &[],
        ),
        japanese: (
            &[
                "当社側の回線ポートはアップしています",
                "回線: N-1（100 Mbit/s、Hinomi Clinic、carrier-1）",
            ],
            &[],
        ),
    },
    Row {
        state: "the institution's side, and the line was not measured",
        site: circuits,
        play: |w| institution_side(w, Vec::new()),
        english: (&["ask the institution to check"], &["the line is up"]),
        japanese: (&["接続機関へ電源"], &["アップしています"]),
    },
    Row {
        state: "silent for four minutes, confirmed later, ended when all were back",
        site: circuits,
        play: |w| {
            agg_down(w);
            w.pass(s(5 * MIN));
            w.take(&w.change(&down("agg"), Level::Ok, answers()));
            w.pass(s(3 * MIN));
            for id in ["N-1", "N-2", "N-3"] {
                w.behind(&down("agg"), id, false);
            }
            w.pass(s(5));
        },
        english: (
            &[
                "First good answer: 2026-10-26 16:37:20 JST (after 4 min 10 s of silence)",
                "Recovery confirmed: 2026-10-26 16:38:25 JST",
                "Incident ended: 2026-10-26 16:41:25 JST",
                "Incident lasted: 8 min 15 s",
            ],
            &["\nLasted"],
        ),
        japanese: (
            &[
                "最初の正常応答: 2026-10-26 16:37:20 JST（無応答 4分10秒）",
                "復旧確認: 2026-10-26 16:38:25 JST",
                "事案終了: 2026-10-26 16:41:25 JST",
                "事案の継続時間: 8分15秒",
            ],
            &["\n継続時間"],
        ),
    },
    Row {
        state: "it goes up and down",
        site: plain,
        play: |w| {
            for _ in 0..5 {
                w.take(&w.change(&cpu("edge-a"), Level::Critical, super::world::above(95.0, 90.0)));
                w.pass(s(MIN));
                w.take(&w.change(&cpu("edge-a"), Level::Ok, super::world::below(50.0, 85.0)));
                w.pass(s(MIN));
            }
        },
        english: (&["Flapping"], &["up and down", "Up and down"]),
        japanese: (&["変動"], &["不安定"]),
    },
    Row {
        state: "one of two addresses is refused",
        site: |site| {
            site.contacts[0].mail.push(Address {
                mail: "second@noc.example".to_owned(),
                crosses: Vec::new(),
                when: When::Always,
            });
        },
        play: |w| {
            let root = key(None, Part::Contact("manager".into()), FindingKind::ContactRefused);
            let error = "manager@noc.example over office: 550 no such user".to_owned();
            w.take(&w.change(&root, Level::Critical, Cause::ContactRefused { error }));
            w.pass(s(5));
        },
        english: (
            &["no route gets a mail to an address of manager: manager@noc.example"],
            &["told of nothing"],
        ),
        japanese: (
            &["連絡先 manager の宛先に、どの経路でもメールを送れません"],
            &["何も伝わって"],
        ),
    },
];

#[test]
fn each_state_is_told_as_it_is_in_both_languages() {
    for row in TABLE {
        for (language, (has, has_not)) in [(Language::English, row.english), (Language::Japanese, row.japanese)] {
            let mut site = site();
            site.operator.language = language;
            (row.site)(&mut site);
            let mut w = World::of(site);
            (row.play)(&mut w);
            let mail = w.arrived.iter().rev().find(|a| a.mail.to == "noc@noc.example");
            let mail = &mail.unwrap_or_else(|| panic!("{}: no mail", row.state)).mail;
            let text = format!("{}\n{}", mail.subject, mail.body);
            for words in has {
                assert!(text.contains(words), "{}: no {words:?} in\n{text}", row.state);
            }
            for words in has_not {
                assert!(!text.contains(words), "{}: {words:?} in\n{text}", row.state);
            }
        }
    }
}

/// Which address of a contact gets which mail.
#[test]
fn each_address_gets_what_its_when_says() {
    let address = |mail: &str, when| Address {
        mail: mail.to_owned(),
        crosses: Vec::new(),
        when,
    };
    let mut site = site();
    site.contacts[0].mail = vec![
        address("always@noc.example", When::Always),
        address("too@noc.example", When::Always),
        address("critical@noc.example", When::Critical),
        address("oncall@noc.example", When::Unanswered),
    ];
    let count =
        |w: &World| ["always", "too", "critical", "oncall"].map(|who| w.subjects(&format!("{who}@noc.example")).len());
    // A warning that goes away.
    let mut w = World::of(site.clone());
    w.take(&w.change(&cpu("edge-a"), Level::Warning, super::world::above(75.0, 70.0)));
    w.pass(s(MIN));
    w.take(&w.change(&cpu("edge-a"), Level::Ok, super::world::below(50.0, 65.0)));
    w.pass(s(MIN));
    assert_eq!(count(&w), [2, 2, 0, 0]);
    // A critical one that is acknowledged and goes away.
    let mut w = World::of(site.clone());
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(MIN));
    assert_eq!(count(&w), [1, 1, 1, 0]);
    w.acknowledge(1, "sato").unwrap();
    w.pass(s(30 * MIN));
    w.take(&w.change(&down("edge-a"), Level::Ok, answers()));
    w.pass(s(MIN));
    assert_eq!(count(&w), [2, 2, 2, 0], "good news goes to those who had the bad");
    // One that nobody acknowledges: the repeat, and the end, go to all.
    let mut w = World::of(site.clone());
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(16 * MIN));
    assert_eq!(count(&w), [2, 2, 2, 1]);
    w.restart();
    w.take(&w.change(&down("edge-a"), Level::Ok, answers()));
    w.pass(s(MIN));
    assert_eq!(count(&w), [3, 3, 3, 2], "also after a restart");
    let ids: std::collections::BTreeSet<&str> = w.arrived.iter().map(|a| a.mail.message_id.as_str()).collect();
    let told: std::collections::BTreeSet<_> = w.arrived.iter().map(|a| &a.mail.in_reply_to).collect();
    assert!(
        ids.len() < w.arrived.len(),
        "all addresses of a contact get one Message-ID"
    );
    assert!(told.len() > 1, "and later mails thread");
    // An address that is refused is said, and the other addresses of the contact hear of everything.
    let mut w = World::of(site);
    for route in ["office", "lte"] {
        w.relay(route, Relay::Rejects(vec!["too@noc.example".to_owned()]));
    }
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(MIN));
    assert_eq!(count(&w)[0], 1);
    let mut noc = w.refused.iter().filter(|(name, _)| &**name == "noc");
    let last = noc.next_back().unwrap().1.as_deref().unwrap_or_default().to_owned();
    assert!(last.contains("too@noc.example"), "{last}");
}
