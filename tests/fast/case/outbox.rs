//! The outbox: schedule, route choice, addresses, collapse, restart. Rows 20 to 30 of the fault matrix on an explicit clock.

use super::world::{Disk, MIN, Relay, START, World, above, answers, cpu, down, no_answer, s, site};
use hinomi::incident::EventBody;
use hinomi::model::Level;
use hinomi::rules::Cause;

const NOC: &str = "noc@noc.example";
const MANAGER: &str = "manager@noc.example";

fn critical(w: &mut World, device: &str) {
    w.take(&w.change(&down(device), Level::Critical, no_answer()));
}

#[test]
fn a_refused_connection_moves_on_to_the_next_route_at_once() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.times(MANAGER), [(0, "lte")]);
    assert_eq!(w.pending(), 0);
    let envelopes: Vec<_> = w.arrived.iter().map(|a| a.mail.to.as_str()).collect();
    assert_eq!(envelopes.len(), 2, "one envelope a recipient: {envelopes:?}");
}

#[test]
fn a_failed_delivery_is_the_state_of_its_route_at_once() {
    let mut w = World::new();
    let ready = |w: &World| w.notifier.stats(w.now).routes[0].ready;
    w.pass(s(5));
    assert_eq!(ready(&w), Some(true), "tested at the start");
    w.relay("office", Relay::Dead);
    w.states.clear();
    critical(&mut w, "edge-a");
    w.pass(s(1));
    assert_eq!(ready(&w), Some(false));
    assert_eq!(w.notifier.no_route_works(), None, "the other one does");
    assert!(
        w.states.is_empty(),
        "whether it is a fault the next test says: {:?}",
        w.states
    );
    w.pass(s(70));
    assert_eq!(w.states.first(), Some(&("office".into(), false)));
    w.relay("office", Relay::Works);
    w.pass(s(70));
    assert_eq!(ready(&w), Some(true), "a test reaches the stage that failed");
}

#[test]
fn a_relay_that_passes_tests_and_takes_no_mail_is_not_ready() {
    let mut w = World::new();
    let ready = |w: &World| w.notifier.stats(w.now).routes[0].ready;
    w.pass(s(5));
    w.relay("office", Relay::Full);
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(5));
    assert_eq!(ready(&w), Some(true), "one answer \"later\" is no failure yet");
    w.pass(s(30));
    assert_eq!(ready(&w), Some(false));
    let tests = w.tests.len();
    w.pass(s(10 * MIN));
    assert!(w.tests.len() > tests + 1, "it is tested: {:?}", w.tests);
    assert_eq!(ready(&w), Some(false), "and that says nothing of what failed");
    w.relay("office", Relay::Works);
    critical(&mut w, "edge-b");
    w.pass(s(5));
    assert_eq!(ready(&w), Some(true), "the next mail tries it in its turn, and tells");
}

#[test]
fn what_no_test_sees_is_not_held_against_a_route_for_ever() {
    let mut w = World::new();
    w.relay("office", Relay::Full);
    critical(&mut w, "edge-a");
    w.pass(s(60));
    assert_eq!(w.notifier.stats(w.now).routes[0].ready, Some(false));
    w.relay("office", Relay::Works);
    w.pass(s(66 * MIN));
    assert_eq!(w.notifier.stats(w.now).routes[0].ready, Some(true));
}

#[test]
fn a_route_across_something_down_is_tried_last_and_not_dropped() {
    let mut w = World::new();
    w.down(&[1], false);
    critical(&mut w, "platform-pe-1");
    w.pass(s(5));
    assert!(
        w.attempts.iter().all(|(_, route, _)| &**route == "lte"),
        "{:?}",
        w.attempts
    );
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert!(w.times(MANAGER).contains(&(5, "office")), "{:?}", w.times(MANAGER));
}

#[test]
fn blind_cuts_every_route_that_is_not_out_of_band() {
    let mut w = World::new();
    w.down(&[], true);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert!(w.attempts.iter().all(|(_, route, _)| &**route == "lte"));
}

#[test]
fn an_address_behind_something_down_is_used_last() {
    let mut w = World::new();
    w.down(&[0], false);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.subjects(NOC).len(), 0);
    assert_eq!(w.subjects("oncall@mobile.example").len(), 1);
}

#[test]
fn a_way_that_is_cut_while_mail_waits_is_left_at_once() {
    let mut w = World::new();
    w.relay("office", Relay::Later);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.arrived.len(), 0);
    w.down(&[1], false);
    w.pass(s(1));
    assert_eq!(w.times(MANAGER), [(5, "lte")]);
}

#[test]
fn temporary_refusals_stay_on_schedule_until_they_are_two() {
    let mut w = World::new();
    w.relay("office", Relay::Later);
    critical(&mut w, "edge-a");
    w.pass(s(10));
    assert_eq!(w.arrived.len(), 0);
    w.pass(s(10));
    assert_eq!(w.times(MANAGER), [(15, "lte")]);
}

#[test]
fn greylisting_on_the_only_route_follows_the_schedule_and_loses_nothing() {
    let mut site = site();
    site.routes.truncate(1);
    let mut w = World::of(site);
    w.relay("office", Relay::Later);
    w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(13 * MIN));
    let at: Vec<i64> = w.attempts.iter().map(|(at, _, _)| (at.0 - START) / 1000).collect();
    assert_eq!(at, [0, 15, 30, 60, 120, 420, 720]);
    let ids: std::collections::BTreeSet<_> = w.arrived.iter().map(|a| &a.mail.message_id).collect();
    assert_eq!(ids.len(), 0);
    w.relay("office", Relay::Works);
    w.pass(s(5 * MIN));
    assert_eq!(w.times(NOC).len(), 1);
    let late = &w.arrived[0].mail.body;
    assert!(late.contains("【遅延】このメールは17分0秒遅れています"), "{late}");
}

#[test]
fn a_rejected_address_is_not_the_routes_fault() {
    let mut w = World::new();
    w.relay("office", Relay::Rejects(vec![NOC.to_owned()]));
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.times("oncall@mobile.example"), [(0, "office")]);
    assert_eq!(w.times(MANAGER), [(0, "office")]);
    assert_eq!(
        w.recorded(|b| matches!(b, EventBody::AddressRefused { address, .. } if address == NOC)),
        1
    );
    assert!(w.notifier.stats(w.now).routes[0].error.is_none());
}

#[test]
fn a_relay_that_rejects_all_addresses_is_passed_by() {
    let mut w = World::new();
    w.relay(
        "office",
        Relay::Rejects(vec![
            NOC.to_owned(),
            "oncall@mobile.example".to_owned(),
            MANAGER.to_owned(),
        ]),
    );
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.times(NOC), [(0, "lte")]);
    assert_eq!(w.times(MANAGER), [(0, "lte")]);
}

#[test]
fn a_refused_password_moves_on_and_does_not_lock_the_account() {
    let mut w = World::new();
    w.relay("office", Relay::WrongPassword);
    critical(&mut w, "edge-a");
    for i in 0..6 {
        w.pass(s(30));
        w.take(&w.change(&cpu(&format!("clinic-{}", i + 1)), Level::Warning, above(75.0, 70.0)));
    }
    w.pass(s(5));
    let office = w.attempts.iter().filter(|(_, r, _)| &**r == "office").count();
    assert!(office <= 2, "the two first rows at most: {office}");
    assert_eq!(w.pending(), 0);
}

#[test]
fn a_text_refused_by_one_relay_goes_over_the_next_and_shames_nobody() {
    let mut w = World::new();
    w.relay("office", Relay::RejectsText);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.times(MANAGER), [(0, "lte")]);
    assert_eq!(w.notifier.stats(w.now).routes[0].ready, Some(true));
}

#[test]
fn a_silent_relay_gets_company_after_20_seconds_if_it_is_critical() {
    let mut w = World::new();
    w.pass(s(1));
    w.relay("office", Relay::Silent);
    critical(&mut w, "edge-a");
    w.take(&w.change(&cpu("agg"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(60));
    assert_eq!(w.times(MANAGER), [(21, "lte")]);
    assert_eq!(
        w.times(NOC),
        [(21, "lte"), (31, "lte")],
        "the warning waits for the deadline"
    );
}

#[test]
fn both_ways_may_accept_and_say_so_with_the_same_message_id() {
    let mut w = World::new();
    w.relay("office", Relay::Slow(s(25)));
    critical(&mut w, "edge-a");
    w.pass(s(60));
    let mails: Vec<_> = w.arrived.iter().filter(|a| a.mail.to == MANAGER).collect();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].mail.message_id, mails[1].mail.message_id);
    assert!(
        mails
            .iter()
            .any(|a| &*a.route == "lte" && (a.at.0 - START) / 1000 == 20)
    );
    assert_eq!(
        w.recorded(|b| matches!(b, EventBody::Delivered { duplicate: true, .. })),
        2
    );
}

#[test]
fn a_relay_that_passes_every_test_and_fails_every_delivery_is_not_flooded() {
    for relay in [
        Relay::CutsAfterDot,
        Relay::Later,
        Relay::RejectsText,
        Relay::WrongPassword,
    ] {
        let mut w = World::new();
        w.relay("office", relay.clone());
        w.relay("lte", relay.clone());
        w.take(&w.change(&cpu("edge-a"), Level::Warning, above(75.0, 70.0)));
        for i in 0..360 {
            w.down(if i % 2 == 0 { &[1] } else { &[] }, false);
            w.pass(s(10));
        }
        // 15 slots in an hour, and one out of turn a minute while the path flaps; over two routes.
        assert!(w.attempts.len() <= 2 * 80, "{relay:?}: {}", w.attempts.len());
    }
}

#[test]
fn a_line_cut_after_the_final_dot_gives_at_most_one_duplicate() {
    let mut w = World::new();
    w.relay("office", Relay::CutsAfterDot);
    critical(&mut w, "edge-a");
    w.pass(s(10 * MIN));
    let mails: Vec<_> = w.arrived.iter().filter(|a| a.mail.to == MANAGER).collect();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].mail.message_id, mails[1].mail.message_id);
    assert!(mails[1].mail.body.contains("Possible duplicate"));
}

#[test]
fn a_fault_that_began_and_ended_while_mail_was_down_is_one_mail_with_its_times() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(10 * MIN));
    w.take(&w.change(&down("edge-a"), Level::Ok, answers()));
    w.pass(s(10 * MIN));
    assert_eq!(w.arrived.len(), 0);
    w.relay("lte", Relay::Works);
    w.pass(s(70));
    for to in [NOC, MANAGER] {
        assert_eq!(w.subjects(to).len(), 1, "{to}");
    }
    let mail = &w.arrived.iter().find(|a| a.mail.to == MANAGER).unwrap().mail;
    assert_eq!(mail.subject, "[RECOVERED] #1 edge-a down");
    assert!(
        mail.body
            .contains("Notices that could not be delivered before (1), oldest first"),
        "{}",
        mail.body
    );
    assert!(
        mail.body.contains("[CRITICAL] opened: does not answer: 15 tries"),
        "{}",
        mail.body
    );
    assert_eq!(mail.in_reply_to, None, "the first that gets out");
    assert_eq!(w.pending(), 0);
    // What comes later threads under the mail that really went out.
    critical(&mut w, "edge-a");
    w.pass(s(5));
    let thread = w.arrived.last().unwrap().mail.in_reply_to.clone();
    assert!(
        w.arrived[..2]
            .iter()
            .any(|a| Some(&a.mail.message_id) == thread.as_ref())
    );
}

#[test]
fn ten_faults_while_mail_was_down_are_ten_mails_a_contact_critical_first() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    for i in 1..=10 {
        let device = format!("clinic-{i}");
        let level = if i % 2 == 0 { Level::Critical } else { Level::Warning };
        w.take(&w.change(&down(&device), level, no_answer()));
        w.pass(s(30));
        w.take(&w.change(&down(&device), Level::Ok, answers()));
    }
    w.pass(s(30 * MIN));
    w.relay("office", Relay::Works);
    w.relay("lte", Relay::Works);
    w.pass(s(2 * MIN));
    let subjects = w.subjects(NOC);
    assert_eq!(subjects.len(), 10, "{subjects:#?}");
    let numbers: Vec<u64> = w
        .arrived
        .iter()
        .filter(|a| a.mail.to == NOC)
        .map(|a| incident_of(&a.mail.headers))
        .collect();
    assert!(
        numbers[..5].iter().all(|n| n.is_multiple_of(2)),
        "critical first: {numbers:?}"
    );
    assert_eq!(w.pending(), 0);
}

/// Whenever the relay comes back: a lesser row may have its slot first, but it never leaves first.
#[test]
fn a_lesser_row_whose_slot_comes_first_lets_the_critical_ones_go_before_it() {
    for back_after in (60..900).step_by(7) {
        let mut w = World::new();
        w.relay("office", Relay::Dead);
        w.relay("lte", Relay::Dead);
        critical(&mut w, "edge-a");
        w.pass(s(37));
        critical(&mut w, "edge-b");
        for i in 1..=3 {
            w.pass(s(41));
            w.take(&w.change(&down(&format!("clinic-{i}")), Level::Warning, no_answer()));
        }
        // Not in the very moment of a slot: a critical row that has just failed lets the lesser ones try.
        w.pass(s(back_after) + std::time::Duration::from_millis(500));
        w.relay("office", Relay::Works);
        w.pass(s(10 * MIN));
        let numbers: Vec<u64> = w.arrived.iter().map(|a| incident_of(&a.mail.headers)).collect();
        let first_lesser = numbers.iter().position(|n| *n > 2).unwrap();
        let before = &numbers[..first_lesser];
        assert!(
            before.contains(&1) && before.contains(&2),
            "back after {back_after} s: {numbers:?}"
        );
    }
}

fn incident_of(headers: &[(String, String)]) -> u64 {
    let (_, value) = headers.iter().find(|(n, _)| n == "X-Hinomi-Incident").unwrap();
    value.parse().unwrap()
}

#[test]
fn mail_that_waits_an_hour_is_stuck_and_shown_and_still_delivered() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(61 * MIN));
    let stats = w.notifier.stats(w.now);
    // Opened and, after 15 minutes, the escalation to a third contact.
    assert_eq!((stats.stuck, stats.pending[&Level::Critical]), (2, 3));
    assert!(stats.oldest >= s(3600));
    w.restart();
    assert_eq!(w.notifier.stats(w.now).stuck, 2, "age survives a restart");
    w.pass(s(23 * 60 * MIN));
    w.relay("office", Relay::Works);
    w.pass(s(2 * MIN));
    assert_eq!(w.pending(), 0);
}

#[test]
fn a_kill_in_the_middle_of_an_attempt_repeats_it_with_the_same_message_id() {
    let mut w = World::new();
    w.pass(s(1));
    w.relay("office", Relay::Slow(s(10)));
    critical(&mut w, "edge-a");
    let first: Vec<String> = w.arrived.iter().map(|a| a.mail.message_id.clone()).collect();
    assert_eq!(first.len(), 2, "taken by the relay, its 250 not seen");
    w.restart();
    w.pass(s(60));
    let all: Vec<String> = w.arrived.iter().map(|a| a.mail.message_id.clone()).collect();
    assert_eq!(all.len(), 4);
    assert_eq!(first, all[2..]);
    assert_eq!(w.pending(), 0);
}

#[test]
fn with_the_disk_full_notices_leave_marked() {
    let mut w = World::new();
    w.disk = Disk::Full;
    critical(&mut w, "edge-a");
    w.pass(s(5));
    assert_eq!(w.subjects(NOC), ["【未記録】[警告/CRITICAL] #1 edge-a 応答なし"]);
    assert_eq!(w.subjects(MANAGER), ["[not ledgered] [CRITICAL] #1 edge-a down"]);
    assert_eq!(w.recorded(|b| matches!(b, EventBody::NotLedgered { .. })), 1);
}

#[test]
fn a_ledger_that_hangs_holds_a_notice_for_30_seconds_and_no_longer() {
    let mut w = World::new();
    w.disk = Disk::Hangs;
    critical(&mut w, "edge-a");
    w.pass(s(29));
    assert_eq!(w.attempts.len(), 0, "nothing leaves before it is recorded");
    w.pass(s(2));
    assert_eq!(w.times(MANAGER), [(30, "office")]);
}

#[test]
fn tests_run_at_start_then_every_5_minutes_and_every_minute_while_failing() {
    let mut w = World::new();
    w.pass(s(299));
    assert_eq!(w.tests.len(), 2, "each route once");
    w.pass(s(2));
    assert_eq!(w.tests.len(), 4);
    w.relay("office", Relay::Dead);
    w.pass(s(10 * MIN));
    let failing = w.tests.iter().filter(|(_, r, _)| &**r == "office").count();
    assert!((2 + 6..=2 + 7).contains(&failing), "{failing}");
    assert_eq!(
        w.states.last().map(|(r, ready)| (r.to_string(), *ready)),
        Some(("lte".to_owned(), true))
    );
    assert!(w.states.contains(&("office".into(), false)));
    let before = w.tests.len();
    w.relay("office", Relay::Works);
    w.pass(s(2 * MIN));
    assert_eq!(w.notifier.stats(w.now).routes[0].ready, Some(true));
    assert!(w.tests.len() > before);
}

#[test]
fn a_failing_route_is_tried_last_until_a_test_succeeds() {
    let mut w = World::new();
    w.pass(s(1));
    w.relay("office", Relay::Dead);
    for i in 1..=3 {
        w.take(&w.change(&cpu(&format!("clinic-{i}")), Level::Warning, above(75.0, 70.0)));
        w.pass(s(1));
    }
    let office = |w: &World| w.attempts.iter().filter(|(_, r, _)| &**r == "office").count();
    assert_eq!(office(&w), 2, "after two failures no more");
    assert_eq!(w.arrived.len(), 3);
    w.relay("office", Relay::Works);
    w.pass(s(2 * MIN));
    w.take(&w.change(&cpu("clinic-9"), Level::Warning, above(75.0, 70.0)));
    w.pass(s(1));
    assert_eq!(office(&w), 3);
}

#[test]
fn a_path_that_flaps_costs_no_extra_mail() {
    let mut w = World::new();
    critical(&mut w, "edge-a");
    for i in 0..360 {
        w.down(if i % 2 == 0 { &[1] } else { &[] }, false);
        let relay = if i % 2 == 0 { Relay::Dead } else { Relay::Works };
        w.relay("office", relay);
        w.pass(s(10));
    }
    // Opened, and the repeat after 15 minutes without acknowledgement; and the escalation for the third contact.
    assert!(
        w.arrived.len() <= 6,
        "{:#?}",
        w.arrived.iter().map(|a| &a.mail.subject).collect::<Vec<_>>()
    );
}

#[test]
fn a_removed_contact_still_gets_what_was_planned_and_nothing_new() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(20));
    let mut site = (*w.site).clone();
    site.contacts.retain(|c| &*c.name != "manager");
    site.routes.remove(0);
    w.site = std::sync::Arc::new(site);
    w.notifier.reload(w.site.clone(), w.now);
    w.pump();
    w.relay("lte", Relay::Works);
    w.pass(s(2 * MIN));
    assert_eq!(w.subjects(MANAGER).len(), 1);
    w.take(&w.change(&down("edge-a"), Level::Ok, Cause::Removed));
    w.pass(s(10));
    assert_eq!(w.subjects(MANAGER).len(), 1);
    assert_eq!(w.subjects(NOC).len(), 2);
}

#[test]
fn at_most_eight_are_open_and_a_silent_relay_does_not_take_them_all() {
    let mut w = World::new();
    w.pass(s(1));
    w.relay("office", Relay::Silent);
    for i in 1..=20 {
        w.take(&w.change(&down(&format!("clinic-{i}")), Level::Warning, no_answer()));
    }
    critical(&mut w, "edge-a");
    let open = w.attempts.len();
    assert_eq!(open, 4, "two of the warnings, both critical");
    w.pass(s(14 * MIN));
    assert_eq!(w.pending(), 0);
}

#[test]
fn a_row_that_cannot_be_read_is_said_and_harms_no_other() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(5));
    w.rows.get_mut(&1).unwrap().json.truncate(20);
    w.relay("office", Relay::Works);
    w.restart();
    w.pass(s(5));
    assert_eq!(w.recorded(|b| matches!(b, EventBody::Damage { .. })), 1);
    assert_eq!(w.arrived.len(), 1);
}

#[test]
fn six_hundred_notices_wait_and_all_get_out() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    for i in 0..300 {
        let key = hinomi::model::FindingKey {
            device: Some(format!("cpe-{i}").into()),
            ..down("clinic-1")
        };
        let change = w.change(&key, Level::Critical, no_answer());
        w.book.take(&change, w.now);
    }
    w.pump();
    w.pass(s(3));
    w.relay("lte", Relay::Works);
    w.pass(s(14 * MIN));
    assert_eq!((w.pending(), w.arrived.len()), (0, 600));
}

/// Both addresses of "noc" are refused.
fn refuses_noc() -> Relay {
    Relay::Rejects(vec![NOC.to_owned(), "oncall@mobile.example".to_owned()])
}

#[test]
fn a_contact_whom_every_way_refuses_is_said_until_a_relay_takes_a_mail() {
    let mut w = World::new();
    w.relay("office", refuses_noc());
    w.relay("lte", refuses_noc());
    critical(&mut w, "edge-a");
    w.pass(s(10 * MIN));
    let noc = |w: &World| -> Vec<Option<String>> {
        let of = w.refused.iter().filter(|(name, _)| &**name == "noc");
        of.map(|(_, words)| words.clone()).collect()
    };
    let said = noc(&w);
    assert_eq!(said.len(), 1, "said once, not in each round: {said:?}");
    let words = said[0].as_deref().unwrap();
    assert!(
        words.contains("550") && words.contains("mobile.example") && words.contains("lte"),
        "{words}"
    );
    assert_eq!(w.notifier.refused_contacts().count(), 1);
    w.relay("lte", Relay::Works);
    w.pass(s(6 * MIN));
    assert_eq!(noc(&w)[1..], [None], "over");
    assert_eq!(w.notifier.refused_contacts().count(), 0);
}

#[test]
fn a_dead_route_beside_one_that_refuses_hides_nothing() {
    let mut w = World::new();
    w.relay("office", refuses_noc());
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(MIN));
    assert!(
        w.refused
            .iter()
            .any(|(name, words)| &**name == "noc" && words.is_some()),
        "{:?}",
        w.refused
    );
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(MIN));
    assert_eq!(w.refused, [], "nobody has refused anything");
}

#[test]
fn a_mail_that_waits_goes_to_the_address_that_a_reload_has_put_right() {
    let mut w = World::new();
    w.relay("office", refuses_noc());
    w.relay("lte", refuses_noc());
    critical(&mut w, "edge-a");
    w.pass(s(MIN));
    let mut site = (*w.site).clone();
    site.contacts[0].mail.truncate(1);
    site.contacts[0].mail[0].mail = "right@noc.example".to_owned();
    w.site = std::sync::Arc::new(site);
    w.notifier.reload(w.site.clone(), w.now);
    w.pump();
    w.pass(s(5));
    assert_eq!(w.subjects("right@noc.example").len(), 1);
    assert_eq!(w.notifier.refused_contacts().count(), 0);
    w.restart();
    assert_eq!(w.pending(), 0);
}

/// What this version keeps of a row and the one before it did not.
const NEW_OF_ROW: [&str; 1] = ["mailbox"];
const NEW_OF_NOTICE: [&str; 11] = [
    "reader",
    "addressee",
    "lines",
    "desk",
    "unreachable_circuits",
    "back_circuits",
    "apart",
    "ended",
    "waited",
    "held",
    "institution",
];

#[test]
fn a_row_from_before_each_address_had_its_own_is_still_delivered() {
    let mut w = World::new();
    w.relay("office", Relay::Dead);
    w.relay("lte", Relay::Dead);
    critical(&mut w, "edge-a");
    w.pass(s(MIN));
    for row in w.rows.values_mut() {
        let mut json: serde_json::Value = serde_json::from_str(&row.json).unwrap();
        NEW_OF_ROW
            .iter()
            .for_each(|key| _ = json.as_object_mut().unwrap().remove(*key));
        let notice = json["notice"].as_object_mut().unwrap();
        NEW_OF_NOTICE.iter().for_each(|key| _ = notice.remove(*key));
        row.json = json.to_string();
    }
    w.relay("lte", Relay::Works);
    w.restart();
    w.pass(s(6 * MIN));
    assert_eq!(w.subjects(NOC), ["[警告/CRITICAL] #1 edge-a 応答なし"]);
    assert_eq!(w.subjects(MANAGER), ["[CRITICAL] #1 edge-a down"]);
    assert_eq!(w.pending(), 0);
}
