//! The story: what is done to the network, which mails are expected, and whether they were the right ones.

use super::network::Network;
use super::relay::{At, Mail, Relay, Rule, Script};
use super::screen::{Screen, Words};
use super::site;
use hinomi::core::snapshot::IncidentSummary;
use hinomi::core::{DeviceStatus, ReachState, Snapshot};
use hinomi::daemon::Handle;
use hinomi::model::{Evidence, Isolation, Metric, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Longest wait for one thing to happen; most take a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the story ended early.
pub(crate) enum End {
    Interrupted,
    Broken(String),
}

/// A mail the story expects.
struct Expected {
    /// Over this route; `None`: over any.
    route: Option<&'static str>,
    to: &'static str,
    /// Word in brackets at the start of the subject.
    word: Words,
    /// Device in the subject.
    about: &'static str,
}

const NOC: &str = "noc@mobile.example.org";
const MANAGER: &str = "manager@mobile.example.org";
const WARNING: Words = ("[WARNING]", "[注意/WARNING]");
const CRITICAL: Words = ("[CRITICAL]", "[警告/CRITICAL]");
const RECOVERED: Words = ("[RECOVERED]", "[復旧]");

pub(crate) struct Story {
    pub(crate) screen: Screen,
    pub(crate) network: Network,
    pub(crate) office: Relay,
    pub(crate) relays: Vec<(&'static str, Receiver<Mail>)>,
    pub(crate) got: Vec<(&'static str, Mail)>,
    pub(crate) daemon: Handle,
    pub(crate) stop: Arc<AtomicBool>,
    /// What the platform's incident said of whose fault it is.
    pub(crate) isolation: Option<Isolation>,
    pub(crate) missed: u32,
}

impl Story {
    pub(crate) fn tell(&mut self) -> Result<(), End> {
        self.prologue()?;
        self.cpu()?;
        self.platform()?;
        self.recovery()
    }

    fn prologue(&mut self) -> Result<(), End> {
        self.screen.headline(("The network", "監視対象のネットワーク"));
        for line in self
            .screen
            .say((
                "hinomi ─┬─ edge-a ──(demarcation)── platform-pe-1 ── office-gw ── office mail relay\n\
             \x20       ├─ edge-b ── agg-1\n\
             \x20       └─ lte (out of band) ── second mail relay",
                "hinomi ─┬─ edge-a ──(責任分界点)── platform-pe-1(相互接続基盤) ── office-gw ── 事業所のメールリレー\n\
             \x20       ├─ edge-b ── agg-1\n\
             \x20       └─ lte (帯域外の経路) ── 第二のメールリレー",
            ))
            .lines()
        {
            self.screen.plain(line);
        }
        self.wait(
            (
                "every device answers and both mail routes are proven",
                "全機器の応答と両メール経路の確認",
            ),
            |s| {
                let all = s.devices.len() >= site::DEVICES.len() && s.devices.iter().all(answers);
                all && s.routes.len() == 2 && s.routes.iter().all(|r| r.ready == Some(true))
            },
        )?;
        let words = self.screen.say((
            "all devices up, both mail routes ready",
            "全機器が応答、両メール経路とも使用可",
        ));
        self.screen.good(words);
        self.pause(5)?;
        Ok(())
    }

    fn cpu(&mut self) -> Result<(), End> {
        self.screen.headline((
            "Act 1: CPU of edge-a through warning to critical and back",
            "第1幕: edge-a のCPU使用率が注意から警告へ、そして復旧",
        ));
        self.screen.tell((
            "warning from 70 %, critical from 90 %, each for 3 s; now 31 %",
            "注意 70 %、警告 90 %、いずれも3秒継続で判定。現在 31 %",
        ));
        self.pause(3)?;
        self.screen.tell(("the CPU climbs to 78 %", "CPU使用率が 78 % に上昇"));
        self.network.set_cpu("edge-a", 78);
        self.expect(
            ("the warning", "注意の通知"),
            &[mail(NOC, WARNING, "edge-a").over("office")],
        )?;
        self.pause(6)?;
        self.screen.tell((
            "the CPU climbs to 96 %; critical is told to the manager too",
            "CPU使用率が 96 % に上昇。警告は管理者にも通知",
        ));
        self.network.set_cpu("edge-a", 96);
        let both = [
            mail(NOC, CRITICAL, "edge-a").over("office"),
            mail(MANAGER, CRITICAL, "edge-a").over("office"),
        ];
        self.expect(("the critical notice", "警告の通知"), &both)?;
        self.pause(6)?;
        self.screen.tell(("back to 35 %", "35 % に低下"));
        self.network.set_cpu("edge-a", 35);
        let both = [mail(NOC, RECOVERED, "edge-a"), mail(MANAGER, RECOVERED, "edge-a")];
        self.expect(("the recovery", "復旧の通知"), &both)?;
        self.pause(6)
    }

    fn platform(&mut self) -> Result<(), End> {
        self.screen.headline((
            "Act 2: the platform falls silent and takes the office relay with it",
            "第2幕: 相互接続基盤が沈黙し、事業所のメールリレーも道連れに",
        ));
        self.screen.tell((
            "platform-pe-1 answers no more; behind it office-gw and the office relay are cut off",
            "platform-pe-1 が無応答。その先の office-gw とメールリレーにも届かない",
        ));
        self.screen.tell((
            "edge-a and its demarcation interface stay up, but no octets come in any more: the second witness",
            "edge-a と責任分界点のインターフェースは正常、しかし受信オクテットが止まる: 第二の証拠",
        ));
        self.network.silence("platform-pe-1");
        self.network.silence("office-gw");
        self.network.set_traffic("edge-a", 0.0, 230e6);
        let silent = Rule::at(At::Greeting);
        self.office.set(Script {
            rules: vec![silent],
            ..Script::default()
        });
        let both = [
            mail(NOC, CRITICAL, "platform-pe-1").over("lte"),
            mail(MANAGER, CRITICAL, "platform-pe-1").over("lte"),
        ];
        self.expect(
            (
                "34 s of silence, then the mail over the other way",
                "無応答34秒の継続、そして別経路のメール",
            ),
            &both,
        )?;
        let about = |i: &&IncidentSummary| i.root.device.as_deref() == Some("platform-pe-1");
        let picture = self.daemon.snapshot();
        let incident = picture.as_ref().and_then(|s| s.incidents.iter().find(about));
        self.isolation = incident.and_then(|i| i.isolation.clone());
        self.pause(6)
    }

    fn recovery(&mut self) -> Result<(), End> {
        self.screen
            .headline(("Act 3: everything comes back", "第3幕: すべて復旧"));
        self.office.set(Script::default());
        for name in ["platform-pe-1", "office-gw"] {
            self.network.speak(name).map_err(End::Broken)?;
        }
        self.network.set_traffic("edge-a", 410e6, 230e6);
        let both = [
            mail(NOC, RECOVERED, "platform-pe-1"),
            mail(MANAGER, RECOVERED, "platform-pe-1"),
        ];
        self.expect(("the recovery, in the same thread", "復旧の通知 (同じスレッド)"), &both)?;
        self.wait(("every device to be up again", "全機器の復旧"), |s| {
            s.devices.iter().all(answers)
        })
    }

    /// Were all mails right, and no other?
    pub(crate) fn sum_up(&mut self) -> bool {
        // A mail too many would come soon after.
        let _ = self.pause(2);
        self.screen.headline(("What came", "結果"));
        let mut seen = BTreeSet::new();
        let twice = self
            .got
            .iter()
            .filter(|(_, m)| !seen.insert((m.to.clone(), m.message_id())))
            .count();
        let behind = self
            .got
            .iter()
            .filter(|(_, m)| m.subject().contains("office-gw"))
            .count();
        let first = |to: &str| {
            let mut of = self
                .got
                .iter()
                .filter(|(_, m)| m.to == [to] && m.subject().contains("platform-pe-1"));
            of.next().map(|(_, m)| m.message_id())
        };
        let threads = [NOC, MANAGER].iter().all(|to| {
            let last = self
                .got
                .iter()
                .rev()
                .find(|(_, m)| m.to == [*to] && m.subject().contains("platform-pe-1"));
            let above = last
                .and_then(|(_, m)| m.header("In-Reply-To"))
                .map(|id| id.trim_matches(['<', '>']).to_owned());
            above.is_some() && above == first(to)
        });
        let count = self.got.len();
        self.check(
            self.missed == 0,
            ("every expected mail came", "期待した通知はすべて届いた"),
        );
        self.check(twice == 0, ("each came once", "重複なし"));
        self.check(
            behind == 0,
            (
                "nothing about what is only unreachable behind the fault",
                "障害点の先にある機器については通知なし",
            ),
        );
        let stopped = |e: &Evidence| matches!(e, Evidence::OctetsInStopped { .. });
        let verdict = self.isolation.as_ref();
        let witness = verdict.is_some_and(|i| i.verdict == Verdict::Platform && i.evidence.iter().any(stopped));
        self.check(
            witness,
            (
                "verdict: the platform, with octets stopped as the second witness",
                "判定は相互接続基盤、第二の証拠は受信オクテットの停止",
            ),
        );
        self.check(
            threads,
            (
                "the recovery threads under the first mail",
                "復旧の通知は最初の通知のスレッドに続く",
            ),
        );
        self.screen.plain(&format!("{count} mails / 通"));
        self.missed == 0 && twice == 0 && behind == 0 && witness && threads
    }

    fn check(&mut self, good: bool, words: Words) {
        let text = self.screen.say(words);
        if good {
            self.screen.good(text);
        } else {
            self.screen
                .bad(&format!("{}: {text}", self.screen.say(("not so", "不成立"))));
        }
    }

    pub(crate) fn where_to_look(&mut self, config: &str) {
        let url = format!("http://{}/metrics", self.daemon.metrics());
        self.screen
            .headline(("The daemon is still running", "監視は続いています"));
        self.screen.plain(&format!("metrics:  {url}"));
        self.screen.plain(&format!("config:   {config}"));
        self.screen.plain(&format!("try:      curl -s {url} | grep hinomi_"));
        self.screen
            .plain(&format!("          cargo run --release -- status --config {config}"));
    }

    /// Until Ctrl-C.
    pub(crate) fn stay(&mut self) {
        self.screen.tell(("Ctrl-C ends it.", "Ctrl-C で終了します。"));
        while self.turn().is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a picture of the daemon is as wanted.
    fn wait(&mut self, what: Words, done: impl Fn(&Snapshot) -> bool) -> Result<(), End> {
        let done = |story: &Story| story.daemon.snapshot().is_some_and(|s| done(&s));
        if self.until(what, PATIENCE, done)? {
            return Ok(());
        }
        self.miss(what);
        Ok(())
    }

    /// Waits for these mails, in any order, counted from now on.
    fn expect(&mut self, what: Words, mails: &[Expected]) -> Result<(), End> {
        let from = self.got.len();
        let came = |story: &Story| {
            mails
                .iter()
                .all(|m| story.got[from..].iter().any(|(route, got)| m.is(route, got)))
        };
        if !self.until(what, PATIENCE, came)? {
            self.miss(what);
        }
        Ok(())
    }

    fn miss(&mut self, what: Words) {
        self.missed += 1;
        let text = self.screen.say(what);
        let late = self.screen.say(("did not happen within", "が起こらなかった、待ち時間"));
        self.screen.bad(&format!("{text}: {late} {} s", PATIENCE.as_secs()));
    }

    fn pause(&mut self, seconds: u64) -> Result<(), End> {
        self.until(("time to read", "読む時間"), Duration::from_secs(seconds), |_| {
            false
        })
        .map(|_| ())
    }

    /// Shows what comes until it is done (true) or the time is over (false).
    fn until(&mut self, what: Words, limit: Duration, done: impl Fn(&Story) -> bool) -> Result<bool, End> {
        let begun = Instant::now();
        let text = format!(
            "{}: {}",
            self.screen.say(("waiting for", "待機中")),
            self.screen.say(what)
        );
        loop {
            self.turn()?;
            if done(self) {
                self.screen.clear();
                return Ok(true);
            }
            if begun.elapsed() > limit {
                self.screen.clear();
                return Ok(false);
            }
            let state = self.state();
            self.screen.waiting(&text, begun.elapsed(), &state);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What there is to see on the daemon's own picture: the CPU, and who does not answer.
    fn state(&self) -> String {
        let Some(picture) = self.daemon.snapshot() else {
            return String::new();
        };
        let mut out = String::new();
        for device in &picture.devices {
            let cpu = device
                .metrics
                .iter()
                .find(|m| m.metric == Metric::Cpu)
                .and_then(|m| m.value.as_ref().ok());
            if let (Some(percent), "edge-a") = (cpu, &*device.name) {
                out.push_str(&format!("  edge-a CPU {percent:.0} %"));
            }
            if device.reach != ReachState::Up {
                out.push_str(&format!("  {} {}", device.name, reach(device.reach)));
            }
        }
        out
    }

    /// Shows the mails that have come; sees whether to go on.
    fn turn(&mut self) -> Result<(), End> {
        let new: Vec<(&'static str, Mail)> = self
            .relays
            .iter()
            .flat_map(|(route, inbox)| inbox.try_iter().map(|m| (*route, m)))
            .collect();
        for (route, mail) in new {
            self.screen.mail(&mail, route);
            self.got.push((route, mail));
        }
        if self.stop.load(Ordering::SeqCst) {
            return Err(End::Interrupted);
        }
        match self.daemon.ended() {
            Some(part) => Err(End::Broken(format!("the daemon ended by itself ({part})"))),
            None => Ok(()),
        }
    }
}

/// Up; "lossy" is what was lost a moment ago.
fn answers(device: &DeviceStatus) -> bool {
    matches!(device.reach, ReachState::Up | ReachState::Lossy)
}

fn reach(state: ReachState) -> &'static str {
    match state {
        ReachState::Up => "up",
        ReachState::Lossy => "lossy",
        ReachState::Suspect => "silent, being confirmed",
        ReachState::Down => "down",
        ReachState::Unreachable => "unreachable",
        _ => "not known",
    }
}

fn mail(to: &'static str, word: Words, about: &'static str) -> Expected {
    Expected {
        route: None,
        to,
        word,
        about,
    }
}

impl Expected {
    fn over(mut self, route: &'static str) -> Expected {
        self.route = Some(route);
        self
    }

    fn is(&self, route: &str, mail: &Mail) -> bool {
        let subject = mail.subject();
        self.route.is_none_or(|r| r == route)
            && mail.to == [self.to]
            && (subject.contains(self.word.0) || subject.contains(self.word.1))
            && subject.contains(self.about)
    }
}
