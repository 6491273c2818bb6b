//! Two real keepalived stand in for each other: the master is killed, links are cut, the two lose sight of each other, both are down,
//! the role goes back, and five flips in a minute.

use crate::mailbox::epoch;
use crate::pair::{Pair, role, seconds};
use crate::routers::Keepalived;
use crate::runner::{Tale, ensure};
use crate::words::{Tone, tone};
use std::time::Duration;

const GROUP: &str = "edge gateway";
const LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn group() -> String {
    format!(
        "[[redundancy]]\nname = \"{GROUP}\"\nkind = \"vrrp\"\nmembers = [\"edge-a\", \"edge-b\"]\npreferred = \"edge-a\"\n"
    )
}

/// Version 2 and the table of RFC 2787: the master is killed, and takes its role back when it is started again.
pub(crate) fn master_killed(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let [mut a, mut b] = pair.vrrp(tale, 2, "1")?;
    let findings = "redundancy-lost = { level = \"warning\", after = \"8s\" }\nswitched-back = { after = \"20s\" }\n";
    pair.watch(tale, findings, &group(), &[])?;

    let killed = epoch();
    a.kill();
    tale.say("edge-a: keepalived is killed, without a word to its neighbour");
    let moved = b.wait("MASTER", killed, LIMIT)?;
    tale.say(format!("edge-b is master {:.2} s after that", seconds(killed, moved)));
    pair.in_time(tale, "switched-over", moved, true)?;
    let opened = pair.told(tale, 0, &["WARNING", GROUP, "switchover"], 10)?;
    ensure(opened.says("from edge-a to edge-b"), || {
        format!("not from edge-a to edge-b:\n{}", opened.body)
    })?;
    let lost = pair.told(tale, 1, &["WARNING", GROUP, "redundancy lost"], 20)?;
    ensure(lost.says("edge-a"), || {
        format!("it does not name who is missing:\n{}", lost.body)
    })?;

    let started = epoch();
    a.again()?;
    let back = a.wait("MASTER", started, LIMIT)?;
    tale.say("edge-a: keepalived is started again and takes its role back");
    let again = pair.told(tale, 2, &["RECOVERED", GROUP, "redundancy lost"], 20)?;
    ensure(again.header("In-Reply-To") == lost.message_id(), || {
        "the recovery does not thread".into()
    })?;
    let over = pair.told(tale, 3, &["RECOVERED", GROUP, "switchover"], 40)?;
    ensure(over.header("In-Reply-To") == opened.message_id(), || {
        "the recovery does not thread".into()
    })?;
    let after = seconds(back, over.arrived);
    ensure((20.0..30.0).contains(&after), || {
        format!("told {after:.1} s after it was back, 20 s are set")
    })?;
    tale.say(format!(
        "switched back: told {after:.1} s after edge-a was master again (20 s are set)"
    ));
    pair.quiet(tale, 6, 4, &["switched-over", "redundancy-lost"])?;
    both_killed(tale, &mut pair, &mut a, &mut b)
}

/// Their agents cannot tell any more: that nobody is master is not proven, that nobody stands ready is.
fn both_killed(tale: &Tale, pair: &mut Pair, a: &mut Keepalived, b: &mut Keepalived) -> Result<(), String> {
    b.kill();
    a.kill();
    tale.say("both keepalived are killed");
    let told = pair.told(tale, 4, &["CRITICAL", GROUP, "redundancy lost"], 25)?;
    ensure(told.says("edge-a") && told.says("edge-b"), || {
        format!("it does not name both:\n{}", told.body)
    })?;
    let started = epoch();
    a.again()?;
    a.wait("MASTER", started, LIMIT)?;
    tale.say("edge-a's is started again and master");
    let better = pair.told(tale, 5, &["WARNING", GROUP, "redundancy lost"], 20)?;
    ensure(!better.says("edge-a:") && better.says("edge-b:"), || {
        format!("only edge-b is missing:\n{}", better.body)
    })?;
    b.again()?;
    tale.say("edge-b's is started again");
    pair.told(tale, 6, &["RECOVERED", GROUP, "redundancy lost"], 20)?;
    pair.quiet(tale, 6, 7, &["switched-over", "redundancy-lost"])
}

/// Version 3 and the table of RFC 6527: a link cut whose traps are lost, both masters at once, both without a link.
pub(crate) fn links(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let [mut a, mut b] = pair.vrrp(tale, 3, "0.25")?;
    let findings = "redundancy-lost = { level = \"warning\", after = \"60s\" }\nswitched-back = { after = \"10s\" }\n";
    pair.watch(tale, findings, &group(), &[])?;

    // A split: edge-b does not hear edge-a, and takes the role as well.
    let split = epoch();
    pair.net.drop_in("edge-b", "ip protocol 112")?;
    let both = b.wait("MASTER", split, LIMIT)?;
    tale.say("edge-b does not hear edge-a any more: both are master");
    let noticed = pair.noticed("both-active", both, 25)?;
    tale.say(format!(
        "both-active: noticed {noticed:.2} s after it was so (two reads of both, 5 s apart)"
    ));
    ensure(noticed <= 12.0, || format!("both-active took {noticed:.2} s"))?;
    let told = pair.told(tale, 0, &["CRITICAL", GROUP, "both active"], 10)?;
    ensure(tone(&told) == Tone::Critical, || {
        format!("not critical: {}", told.brief())
    })?;
    let healed = epoch();
    pair.net.heal("edge-b")?;
    b.wait("BACKUP", healed, LIMIT)?;
    tale.say("edge-b hears edge-a again and gives way");
    pair.told(tale, 1, &["RECOVERED", GROUP, "both active"], 20)?;

    // Both links are cut: nobody carries the service.
    let cut = epoch();
    for edge in ["edge-a", "edge-b"] {
        pair.net.plug(edge, "lan0", false, &[])?;
    }
    a.wait("FAULT", cut, LIMIT)?;
    b.wait("FAULT", cut, LIMIT)?;
    tale.say("lan0 of both edges is cut: nobody is master");
    let noticed = pair.noticed("none-active", cut, 25)?;
    tale.say(format!(
        "none-active: noticed {noticed:.2} s after the cut (two reads of both, 5 s apart)"
    ));
    ensure(noticed <= 12.0, || format!("none-active took {noticed:.2} s"))?;
    let told = pair.told(tale, 2, &["CRITICAL", GROUP, "service lost"], 10)?;
    ensure(tone(&told) == Tone::Critical, || {
        format!("not critical: {}", told.brief())
    })?;
    let healed = epoch();
    for edge in ["edge-a", "edge-b"] {
        pair.net.plug(edge, "lan0", true, &[])?;
    }
    a.wait("MASTER", healed, LIMIT)?;
    tale.say("both links are back, edge-a is master");
    pair.told(tale, 3, &["RECOVERED", GROUP, "service lost"], 20)?;
    pair.quiet(tale, 6, 4, &["both-active", "none-active"])?;

    // One link is cut, and no trap arrives: seen by the next look.
    pair.traps(false)?;
    let cut = epoch();
    pair.net.plug("edge-a", "lan0", false, &[])?;
    let moved = b.wait("MASTER", cut, LIMIT)?;
    tale.say("lan0 of edge-a is cut, its traps are lost on the way: edge-b is master");
    pair.in_time(tale, "switched-over", moved, false)?;
    pair.told(tale, 4, &["WARNING", GROUP, "switchover"], 10)?;
    pair.traps(true)?;
    let healed = epoch();
    pair.net.plug("edge-a", "lan0", true, &[])?;
    a.wait("MASTER", healed, LIMIT)?;
    tale.say("lan0 of edge-a is back, it is master again");
    pair.told(tale, 5, &["RECOVERED", GROUP, "switchover"], 30)?;
    pair.quiet(tale, 6, 6, &["both-active", "none-active", "switched-over"])
}

/// Five times there and back within a minute.
pub(crate) fn flips(tale: &mut Tale) -> Result<(), String> {
    let mut pair = Pair::build(tale)?;
    let [mut a, mut b] = pair.vrrp(tale, 3, "0.25")?;
    pair.watch(tale, "switched-back = { after = \"20s\" }\n", &group(), &[])?;
    let began = epoch();
    for flip in 1..=5 {
        let at = epoch();
        pair.net.plug("edge-a", "lan0", false, &[])?;
        let moved = b.wait("MASTER", at, LIMIT)?;
        if flip == 1 {
            pair.in_time(tale, "switched-over", moved, true)?;
        }
        std::thread::sleep(Duration::from_secs(3));
        let at = epoch();
        pair.net.plug("edge-a", "lan0", true, &[])?;
        a.wait("MASTER", at, LIMIT)?;
        tale.say(format!("flip {flip}: to edge-b and back to edge-a"));
        std::thread::sleep(Duration::from_secs(3));
    }
    let took = seconds(began, epoch());
    ensure(took <= 60.0, || format!("five flips took {took:.1} s: not a minute"))?;
    tale.say(format!("five flips in {took:.1} s"));
    pair.until(tale, "edge-a is master in hinomi's picture", 10, |s| {
        role(s, GROUP, "edge-a") == "active" && role(s, GROUP, "edge-b") == "standby"
    })?;
    for flip in 2..=4 {
        pair.told(tale, flip - 1, &["WARNING", GROUP, "switchover"], 5)?;
    }
    let last = pair.told(tale, 4, &[GROUP, "switchover"], 5)?;
    tale.say(&last.body);
    pair.quiet(tale, 25, 5, &["switched-over"])
}
