//! The words of mails, against golden files in both languages.

use super::letters::{fault_while_mail_is_down, host_cut_off};
use super::world::{MIN, World, above, answers, below, cpu, down, key, no_answer, platform_fault, s, site};
use hinomi::incident::Head;
use hinomi::model::{Evidence, FindingKind, Isolation, Language, Level, Part, Verdict};
use hinomi::notify::text::{clean, timeline};
use hinomi::rules::Cause;
use std::fmt::Write;
use std::path::Path;

/// Plays some stories and prints every mail that a contact of each language gets.
fn stories() -> String {
    let mut out = String::new();
    let mut tell = |title: &str, w: &World| {
        let _ = writeln!(out, "=== {title}");
        for arrived in w
            .arrived
            .iter()
            .filter(|a| a.mail.to == "noc@noc.example" || a.mail.to == "manager@noc.example")
        {
            let _ = writeln!(out, "--- {}\n{}", arrived.mail.subject, arrived.mail.body);
        }
    };
    tell("CPU up and down", &cpu_story());
    tell("platform down, and back", &platform_story());
    tell(
        "own aggregation down, devices behind it, one does not return",
        &children_story(),
    );
    tell("cut off", &blind_story());
    tell("mail was down", &outage_story());
    tell("nobody acknowledges", &silence_story());
    out
}

fn english_too() -> World {
    let mut site = site();
    site.procedures[1].tell.push("manager".into());
    World::of(site)
}

fn cpu_story() -> World {
    let mut w = english_too();
    let key = cpu("edge-a");
    w.take(&w.change(&key, Level::Warning, above(75.3, 70.0)));
    w.pass(s(3 * MIN));
    w.take(&w.change(&key, Level::Critical, above(95.0, 90.0)));
    w.pass(s(5 * MIN));
    w.acknowledge(1, "noc").unwrap();
    w.take(&w.change(&key, Level::Warning, below(84.0, 85.0)));
    w.pass(s(2 * MIN));
    w.take(&w.change(&key, Level::Ok, below(62.0, 65.0)));
    w.pass(s(5));
    w
}

fn platform_story() -> World {
    let mut w = english_too();
    w.down(&[1], false);
    let mut change = w.change(&down("platform-pe-1"), Level::Critical, no_answer());
    change.isolation = Some(platform_fault(w.now.wall));
    w.take(&change);
    w.pass(s(4 * MIN));
    w.down(&[], false);
    w.take(&w.change(&down("platform-pe-1"), Level::Ok, answers()));
    w.pass(s(5));
    w
}

fn children_story() -> World {
    let mut w = english_too();
    let root = down("agg");
    let mut change = w.change(&root, Level::Critical, no_answer());
    change.isolation = Some(Isolation {
        verdict: Verdict::OwnNetwork,
        evidence: vec![Evidence::DeviceSilent {
            device: "agg".into(),
            since: w.now.wall.before(s(10)),
        }],
    });
    for i in 1..=45 {
        w.behind(&root, &format!("clinic-{i}"), true);
    }
    w.take(&change);
    w.pass(s(10 * MIN));
    w.take(&w.change(&root, Level::Ok, answers()));
    for i in 1..=42 {
        w.behind(&root, &format!("clinic-{i}"), false);
    }
    w.pass(s(31 * MIN));
    w
}

fn blind_story() -> World {
    let mut w = english_too();
    host_cut_off(&mut w, None);
    w
}

fn outage_story() -> World {
    let mut w = english_too();
    fault_while_mail_is_down(&mut w, &down("edge-a"));
    w
}

fn silence_story() -> World {
    let mut w = english_too();
    w.take(&w.change(&down("clinic-1"), Level::Critical, no_answer()));
    w.pass(s(5 * 60 * MIN));
    w
}

#[test]
fn mails_read_as_the_golden_file_says() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fast/case/mails.txt");
    let now = stories();
    if std::env::var_os("HINOMI_GOLDEN").is_some() {
        std::fs::write(&golden, &now).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(
        now, expected,
        "run with HINOMI_GOLDEN=1 to accept, then read every line of the difference"
    );
}

#[test]
fn no_story_says_a_link_or_an_empty_value() {
    let text = stories();
    for bad in ["http", "www.", ": \n", "None", "Some(", "  \n", "NaN"] {
        assert!(!text.replace("-- \n", "").contains(bad), "{bad:?}");
    }
}

#[test]
fn foreign_text_is_made_harmless() {
    let cases = [
        ("xe-0/0/0\r\nBcc: all@example", "xe-0/0/0  Bcc: all@example"),
        ("\u{1b}[31mred\u{9b}0m", "[31mred 0m"),
        ("abc\u{202e}fed\u{2066}x\u{200b}", "abcfedx"),
        ("a\u{2028}b\0c\u{7f}", "a b c"),
        ("  直接  ", "直接"),
    ];
    for (dirty, expected) in cases {
        assert_eq!(clean(dirty), expected);
    }
    assert_eq!(clean(&"字".repeat(500)).chars().count(), 201);
}

#[test]
fn hostile_names_and_errors_stay_on_one_line() {
    let mut w = World::new();
    let evil = "lo\r\nX-Evil: 1\u{202e}\u{0}";
    let key = key(Some("edge-a"), Part::Interface(evil.into()), FindingKind::InterfaceDown);
    let mut change = w.change(
        &key,
        Level::Critical,
        Cause::NoData {
            seconds: 1.0,
            reason: format!("boom\n.\r\nQUIT {evil}"),
        },
    );
    change.isolation = Some(Isolation {
        verdict: Verdict::Blind,
        evidence: vec![Evidence::SendFailed { error: evil.to_owned() }],
    });
    w.take(&change);
    w.pass(s(5));
    for arrived in &w.arrived {
        assert!(
            arrived.mail.subject.chars().all(|c| !c.is_control()),
            "{:?}",
            arrived.mail.subject
        );
        let lines = arrived.mail.body.lines();
        assert!(
            lines
                .clone()
                .all(|l| l.chars().all(|c| !c.is_control() && c != '\u{202e}'))
        );
        assert!(
            lines
                .into_iter()
                .all(|l| !l.starts_with("X-Evil") && !l.starts_with("QUIT") && l != ".")
        );
        for (name, value) in &arrived.mail.headers {
            assert!(name.is_ascii() && value.is_ascii() && !value.contains('\n'));
        }
    }
    assert_eq!(w.arrived.len(), 2);
}

#[test]
fn headers_carry_the_incident_and_the_head_of_the_ledger() {
    let mut w = World::new();
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(5));
    let headers = &w.arrived[0].mail.headers;
    let head = Head {
        seq: 3,
        hash: "ab".repeat(32),
    };
    let expected = [
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Hinomi-Incident", "1".to_owned()),
        ("X-Hinomi-Notice", "opened".to_owned()),
        ("X-Hinomi-Ledger", format!("{} {}", head.seq, head.hash)),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    assert_eq!(*headers, expected);
}

#[test]
fn a_contacts_language_overrides_the_operators() {
    let mut site = site();
    site.operator.language = Language::English;
    site.contacts[0].language = Some(Language::Japanese);
    site.contacts[1].language = None;
    let mut w = World::of(site);
    w.take(&w.change(&down("edge-a"), Level::Critical, no_answer()));
    w.pass(s(5));
    assert_eq!(w.subjects("noc@noc.example"), ["[警告/CRITICAL] #1 edge-a 応答なし"]);
    assert_eq!(w.subjects("manager@noc.example"), ["[CRITICAL] #1 edge-a down"]);
}

#[test]
fn the_timeline_tells_the_whole_story_in_order() {
    let w = cpu_story();
    let lines: Vec<String> = timeline(w.book.get(1).unwrap())
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let expected = [
        "opened, warning: CPU 75.3 %, warning from 70 %",
        "notice 1 to manager: opened",
        "notice 2 to noc: opened",
    ];
    assert_eq!(lines[..3], expected);
    assert!(lines.contains(&"acknowledged by noc".to_owned()), "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|l| l == "ended, recovered: CPU 62.0 %, back at or below 65 %"),
        "{lines:#?}"
    );
}
