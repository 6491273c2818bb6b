//! English.

use super::{
    Clock, Facts, Label, Words, bits, bound, clean, device_name, errors, far_end, interface_of, oper_name, part_name,
    ports_of, quantity, rate, redundancy, seconds, service, unread,
};
use crate::incident::event::AcknowledgeEnd;
use crate::incident::{Event, EventBody, Held, NoticeKind};
use crate::model::verdict::WitnessMissing;
use crate::model::{Evidence, FarEnd, FindingKey, FindingKind, Level, LinkKnown, Metric, Owner, Party, Verdict, Wall};
use crate::notify::plan::Notice;
use crate::notify::reader::ContractLine;
use crate::poll::AgentFailure;
use crate::poll::trap::TrapKind;
use crate::rules::{Cause, FindingChange};
use std::time::Duration;

pub(super) struct English;

fn metric(metric: Metric, root: &FindingKey) -> String {
    let word = match metric {
        Metric::Cpu => "CPU",
        Metric::Memory => "memory",
        Metric::Load5 => "load average (5 min)",
        Metric::Temperature => "temperature",
        Metric::UtilizationIn => "utilisation in",
        Metric::UtilizationOut => "utilisation out",
        Metric::UtilizationDown => "download utilisation",
        Metric::UtilizationUp => "upload utilisation",
        Metric::Errors => "errors",
        Metric::Discards => "discards",
        Metric::Loss => "packet loss",
        Metric::Rtt => "round-trip time",
        Metric::Sessions => "sessions",
        Metric::SessionsUsed => "session table",
        Metric::UpsLoad => "UPS load",
        Metric::BatteryCharge => "battery charge",
        Metric::BatteryRuntime => "battery runtime",
        Metric::CertificateDays => "validity left",
        Metric::ClockOffset => "offset",
        Metric::AnswerTime => "answer time",
        Metric::Watch => return part_name(root).unwrap_or_else(|| "watch".to_owned()),
    };
    match part_name(root) {
        Some(part) => format!("{part} {word}"),
        None => word.to_owned(),
    }
}

/// What a finding without a number is about.
pub(super) fn port_or_all(root: &FindingKey, all: &str) -> String {
    part_name(root).unwrap_or_else(|| all.to_owned())
}

fn what(root: &FindingKey) -> String {
    let part = part_name(root).unwrap_or_default();
    let number = root.metric.map_or_else(|| part.clone(), |m| metric(m, root));
    match root.kind {
        FindingKind::DeviceDown => "down".to_owned(),
        FindingKind::PlatformDown => "platform down".to_owned(),
        FindingKind::CircuitSilent => "institution router silent".to_owned(),
        FindingKind::CircuitsLost => "circuits lost".to_owned(),
        FindingKind::InterfaceDown if part.is_empty() => "down".to_owned(),
        FindingKind::InterfaceDown => format!("{part} down"),
        FindingKind::InterfaceMissing => format!("{part} missing"),
        FindingKind::ComponentFailed => format!("{part} fault"),
        FindingKind::AgentSilent => "SNMP silent".to_owned(),
        FindingKind::NoData if number.is_empty() => "no data: interfaces".to_owned(),
        FindingKind::NoData => format!("no data: {number}"),
        FindingKind::WatchFailed => format!("{part} failed"),
        FindingKind::ControlPlaneSilent => "control plane silent".to_owned(),
        FindingKind::Lossy => "packet loss".to_owned(),
        FindingKind::Blind => "monitoring host cut off".to_owned(),
        FindingKind::RouteNotReady => format!("mail route {part} not ready"),
        FindingKind::LastRouteLost => "no mail route works".to_owned(),
        FindingKind::ContactRefused => format!("no mail reaches {part}"),
        FindingKind::LedgerFailed => "ledger not written".to_owned(),
        kind @ (FindingKind::SwitchedOver
        | FindingKind::RedundancyLost
        | FindingKind::BothActive
        | FindingKind::NoneActive
        | FindingKind::PreferredInactive) => redundancy::what_in_english(kind).to_owned(),
        FindingKind::Threshold => number,
    }
}

pub(super) fn agent(failure: &AgentFailure) -> String {
    match failure {
        AgentFailure::Timeout => "no answer (agent stopped, port filtered, or wrong community)".to_owned(),
        AgentFailure::UnknownUser => "the agent does not know the SNMPv3 user".to_owned(),
        AgentFailure::WrongKey => "wrong authentication password or protocol".to_owned(),
        AgentFailure::WrongPrivacy => "wrong privacy password or protocol".to_owned(),
        AgentFailure::UnsupportedLevel => "the SNMPv3 user is not allowed this security level".to_owned(),
        AgentFailure::NotInTimeWindow => "the agent's SNMPv3 clock cannot be followed".to_owned(),
        AgentFailure::Malformed => "its answers are not valid SNMP".to_owned(),
        AgentFailure::ErrorStatus(n) => format!("it answers with error status {n}"),
        AgentFailure::BrokenOff(broken) => unread::broken_off_in_english(broken),
        AgentFailure::UnknownContext => "the agent does not know the SNMPv3 context".to_owned(),
        AgentFailure::BootsExhausted => {
            "its snmpEngineBoots stands at the maximum: give the agent a new engine ID".to_owned()
        }
        AgentFailure::NotBelieved(rejected) => {
            format!(
                "no answer that can be believed: {}",
                unread::disbelief_in_english(&rejected.why)
            )
        }
    }
}

/// One sentence, without the target's name.
pub(super) fn cause(root: &FindingKey, level: Level, cause: &Cause) -> String {
    let number = root.metric.map_or_else(|| what(root), |m| metric(m, root));
    let part = part_name(root).unwrap_or_else(|| "interface".to_owned());
    let falls = root.metric.is_some_and(Metric::falls);
    match cause {
        Cause::Above {
            value,
            bound: b,
            unit,
            which,
        } => {
            let level = English.level(level).to_lowercase();
            let which = which.as_ref().map(|w| format!(" ({})", clean(w))).unwrap_or_default();
            let down = if falls { " down" } else { "" };
            format!(
                "{number} {}{which}, {level} from {}{down}",
                quantity(*value, unit),
                bound(*b, unit)
            )
        }
        Cause::Below { value, bound: b, unit } => {
            let side = if falls { "above" } else { "below" };
            format!(
                "{number} {}, back at or {side} {}",
                quantity(*value, unit),
                bound(*b, unit)
            )
        }
        Cause::ComponentFailed { word, code, .. } => format!("{part} says {} (state {code})", clean(word)),
        Cause::ComponentHealthy { word } => format!("{part} recovered ({})", clean(word)),
        Cause::ComponentGone => format!("{part} is not there any more, while others of its kind are: taken out"),
        Cause::NoAnswer {
            sent,
            seconds,
            rejected,
        } => {
            let why = rejected
                .as_ref()
                .map(|r| format!("; {}", unread::disbelief_in_english(&r.why)));
            let why = why.unwrap_or_default();
            format!("does not answer: {sent} tries in {seconds:.1} s, none answered{why}")
        }
        Cause::LineDown => "the line is down (the port on our side is not up, or its session is gone)".to_owned(),
        Cause::CircuitsLost { lost, of } => format!("{lost} of {of} circuits fell silent together"),
        Cause::CircuitsBack { back, of } => format!("{back} of {of} lost circuits are back"),
        Cause::Answers { silent_seconds } => {
            format!("answers again, was silent for {}", duration(seconds(*silent_seconds)))
        }
        Cause::OperDown { oper } => format!("{part} is not up ({})", oper_name(*oper)),
        Cause::LinkDown { oper, to } => format!("{part} is not up ({}): {}", oper_name(*oper), link(to)),
        Cause::PartOf { root } => format!("goes on as a part of: {} {}", device_name(root), what(root)),
        Cause::OperHealthy { admin_down: true, .. } => format!("{part} was switched off by an administrator"),
        Cause::OperHealthy { oper, .. } => format!("{part} is healthy again ({})", oper.map_or("unknown", oper_name)),
        Cause::NameVanished => format!("{part} is gone from the interface table (card, module or stack member lost?)"),
        Cause::NameNotFound { circuit, ports } => {
            let unknown = circuit
                .as_ref()
                .map(|c| format!("; the state of circuit {} is not known", clean(c)));
            let has = ports_of(ports, ", ").map(|(names, more)| match more {
                0 => format!("; it has {names}"),
                more => format!("; it has {names} and {more} more"),
            });
            format!(
                "the device has no interface {part} (renamed, or a slip in the configuration?){}{}",
                has.unwrap_or_default(),
                unknown.unwrap_or_default()
            )
        }
        Cause::NameReturned => format!("{part} is in the interface table again"),
        Cause::NoData { seconds: s, reason } => {
            let number = if root.metric.is_some() {
                number
            } else {
                port_or_all(root, "any interface")
            };
            format!(
                "no value of {number} for {}: {}",
                duration(seconds(*s)),
                super::reasons::in_english(reason)
            )
        }
        Cause::DataBack if root.metric.is_none() => {
            format!("data for {} available again", port_or_all(root, "interfaces"))
        }
        Cause::DataBack => format!("data for {number} available again"),
        Cause::AgentSilent { failure } => format!("answers, but its SNMP agent does not: {}", agent(failure)),
        Cause::AgentBack => "the SNMP agent answers again".to_owned(),
        Cause::ChildrenAnswer { child } => {
            format!(
                "does not answer itself, but {} behind it does: control plane silent",
                clean(child)
            )
        }
        Cause::CutOff { uplinks, send_error } => match send_error {
            Some(error) => format!("this monitoring host could not send: {}", errors::plain(error)),
            None => format!("this monitoring host is cut off: all {uplinks} uplinks are silent"),
        },
        Cause::Connected { blind_seconds } => format!(
            "sees the network again, was cut off for {}",
            duration(seconds(*blind_seconds))
        ),
        Cause::TcpFailed { error } => format!("{part} does not take connections: {}", errors::plain(error)),
        Cause::TcpWorks => format!("{part} takes connections again"),
        Cause::WatchFailed { fault } => service::in_english(&part, fault),
        Cause::WatchWorks => format!("{part} gives the right answer again"),
        Cause::RouteFailed { error } => format!("mail route does not work: {}", errors::plain(error)),
        Cause::RouteWorks => "mail route works again".to_owned(),
        Cause::ContactRefused { error } => {
            format!("no route gets a mail to an address of {part}: {}", clean(error))
        }
        Cause::ContactTold => format!("a relay takes mails for {part} again"),
        Cause::LedgerFailed { error } => format!("the ledger cannot be written: {}", errors::plain(error)),
        Cause::LedgerWorks => "the ledger is written again".to_owned(),
        Cause::Unreachable => "unreachable: everything on its path is down".to_owned(),
        Cause::Removed => "no longer watched: removed from the configuration".to_owned(),
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
        | Cause::PreferredAgain => redundancy::in_english(root, cause, what),
        Cause::Loss { percent } => format!("{percent:.1} % of the echoes are lost"),
    }
}

/// Where the cable of a port ends.
fn link(to: &FarEnd) -> String {
    let end = far_end(to);
    match to.known {
        LinkKnown::Written | LinkKnown::Learned => format!("the link toward {end}"),
        LinkKnown::Guessed => format!("probably the link toward {end}"),
    }
}

pub(super) fn duration(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86400, s % 86400 / 3600),
    }
}

/// As it was configured: `2 min`, without seconds that are none.
fn whole(d: Duration) -> String {
    match d.as_secs() {
        s if s >= 3600 && s % 3600 == 0 => format!("{} h", s / 3600),
        s if s >= 60 && s % 60 == 0 => format!("{} min", s / 60),
        _ => duration(d),
    }
}

impl Words for English {
    fn level(&self, level: Level) -> &'static str {
        match level {
            Level::Ok => "RECOVERED",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
        }
    }

    fn tag(&self, level: Level) -> &'static str {
        self.level(level)
    }

    fn removed(&self) -> &'static str {
        "NO LONGER WATCHED"
    }

    fn mark(&self, kind: NoticeKind) -> Option<&'static str> {
        match kind {
            NoticeKind::Reminder => Some(" (still open)"),
            NoticeKind::Escalation => Some(" (escalated)"),
            NoticeKind::Repeat => Some(" (sent again)"),
            NoticeKind::Reopened => Some(" (again)"),
            _ => None,
        }
    }

    fn amount(&self, circuits: usize, devices: usize) -> String {
        let some = |n: usize, word: &str| (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }));
        let both: Vec<String> = some(circuits, "circuit")
            .into_iter()
            .chain(some(devices, "device"))
            .collect();
        both.join(", ")
    }

    fn listed(&self, amount: &str, names: &str) -> String {
        format!("{amount} ({names})")
    }

    fn party(&self, party: Party) -> &'static str {
        match party {
            Party::Own => "own",
            Party::Platform => "interconnection platform",
            Party::Operator => "network operator",
            Party::Carrier => "access carrier",
            Party::Institution => "connected institution",
            Party::Vendor => "vendor",
            Party::Regulator => "authority",
        }
    }

    fn rates(&self, line: &ContractLine) -> Option<String> {
        match (line.down_bps, line.up_bps) {
            (Some(down), Some(up)) if down == up => Some(rate(down)),
            (Some(down), Some(up)) => Some(format!("{} down, {} up", rate(down), rate(up))),
            (one, other) => one.or(other).map(rate),
        }
    }

    fn after(&self, d: Duration) -> String {
        format!(" (after {} of silence)", duration(d))
    }

    fn what(&self, root: &FindingKey) -> String {
        what(root)
    }

    fn cause(&self, notice: &Notice) -> String {
        cause(&notice.root, notice.level, &notice.cause)
    }

    fn verdict(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::OwnNetwork => "own network",
            Verdict::Platform => "interconnection platform",
            Verdict::DemarcationLink => "link across the demarcation point",
            Verdict::AccessCarrier => "access carrier",
            Verdict::InstitutionSide => "connected institution's side",
            Verdict::Blind => "none: this monitoring host itself is cut off",
            Verdict::PlatformOrDemarcation => {
                "undetermined: interconnection platform or link across the demarcation point"
            }
            Verdict::Undetermined => "undetermined",
        }
    }

    fn evidence(&self, evidence: &Evidence, clock: &Clock) -> String {
        match evidence {
            Evidence::DeviceUp { device, at } => format!("{} answers (last {})", clean(device), clock.short(*at)),
            Evidence::DeviceSilent { device, since } => {
                format!("{} silent since {}", clean(device), clock.short(*since))
            }
            Evidence::InterfaceOper { device, interface, up } => {
                format!(
                    "{} is {}",
                    interface_of(device, interface),
                    if *up { "up" } else { "down" }
                )
            }
            Evidence::OctetsInStopped {
                device,
                interface,
                before_bps,
                after_bps,
            } => format!(
                "{}: incoming traffic stopped ({} before, {} since)",
                interface_of(device, interface),
                bits(*before_bps),
                bits(*after_bps)
            ),
            Evidence::OctetsInFlowing {
                device,
                interface,
                after_bps,
            } => format!(
                "{}: traffic still comes in ({})",
                interface_of(device, interface),
                bits(*after_bps)
            ),
            Evidence::LinkToward { device, interface, to } => {
                format!("{}: {}", interface_of(device, interface), link(to))
            }
            Evidence::IcmpUnreachable { from } => format!("router {from} says the target cannot be reached"),
            Evidence::SessionDown { device, peer } => {
                format!("{}: the BGP session with {peer} is down", clean(device))
            }
            Evidence::UplinksSilent { uplinks, own_gateway } => {
                let gateway = if *own_gateway {
                    ", the own gateway among them"
                } else {
                    ""
                };
                format!("all {uplinks} uplinks of this host are silent{gateway}")
            }
            Evidence::SendFailed { error } => format!("this host could not send to it: {}", errors::plain(error)),
            Evidence::NoWitness { reason } => match reason {
                WitnessMissing::InterfaceNotRead => "no independent evidence: the demarcation interface gives no data",
                WitnessMissing::RateNotKnown => {
                    "no independent evidence: how much the demarcation interface carries since the fault is not known yet"
                }
                WitnessMissing::TooLittleTraffic => {
                    "no independent evidence: too little traffic before the fault to judge by"
                }
                WitnessMissing::StillFlowing => {
                    "no independent evidence: traffic still comes in over the demarcation interface"
                }
                WitnessMissing::NoOtherRouter => "no independent evidence: no other platform router is watched",
            }
            .to_owned(),
        }
    }

    fn next_step(&self, verdict: Verdict, line_is_up: bool) -> &'static str {
        match verdict {
            Verdict::OwnNetwork => "restore it, or have it restored; tell the institutions concerned",
            Verdict::Platform => "the own side looks clean; ask the platform's desk to check, with the evidence above",
            Verdict::DemarcationLink => {
                "check port, optics and cable on the own side first, then ask the platform to check its side"
            }
            Verdict::AccessCarrier => "ask the access carrier to test the line; tell the institution",
            Verdict::InstitutionSide if line_is_up => {
                "the line is up; ask the institution to check its router, LAN and power"
            }
            Verdict::InstitutionSide => "ask the institution to check its router, LAN and power",
            Verdict::Blind => "check this host, its gateway and its uplinks; conclude nothing about anything else",
            Verdict::PlatformOrDemarcation => {
                "check the own side of the demarcation link first; then ask the platform, and say that it is undetermined"
            }
            Verdict::Undetermined => {
                "check the own service first; if it is clean, ask the institution to check its side"
            }
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
            NoticeKind::Worse => "It got worse.".to_owned(),
            NoticeKind::Better => "It got better but is not over.".to_owned(),
            NoticeKind::More => "It went on: another switchover while this one is open.".to_owned(),
            NoticeKind::Verdict => "The fault location was reassessed.".to_owned(),
            NoticeKind::Reopened => format!("Again within 30 minutes; first opened {}.", clock.full(notice.opened)),
            NoticeKind::Reminder => format!("STILL OPEN {open_for} after it began, and not acknowledged."),
            NoticeKind::Escalation => format!("ESCALATED: not acknowledged {waited} after it was first told."),
            NoticeKind::Repeat => {
                format!(
                    "SENT AGAIN, by another route where there is one: not acknowledged {waited} after a relay took the first mail."
                )
            }
            NoticeKind::FlappingBegan => {
                "Flapping: 4 changes in 30 minutes. Changes are no longer told one by one; a rise to critical still is."
                    .to_owned()
            }
            NoticeKind::FlappingEnded => "No change for 30 minutes: this is the state it settled in.".to_owned(),
            NoticeKind::Acknowledged => "Somebody works on it; nothing is asked of you.".to_owned(),
        })
    }

    fn held(&self, held: &Held, until: Wall, clock: &Clock) -> String {
        format!(
            "Held back by the maintenance \"{}\" from {} to {}.",
            clean(&held.window),
            clock.short(held.from),
            clock.short(until)
        )
    }

    fn kind(&self, kind: NoticeKind) -> &'static str {
        match kind {
            NoticeKind::Opened => "opened",
            NoticeKind::Worse => "worse",
            NoticeKind::Better => "better",
            NoticeKind::Verdict => "location reassessed",
            NoticeKind::More => "went on",
            NoticeKind::Recovered => "recovered",
            NoticeKind::Reopened => "again",
            NoticeKind::Reminder => "still open",
            NoticeKind::Escalation => "escalated",
            NoticeKind::Repeat => "sent again",
            NoticeKind::FlappingBegan => "flapping",
            NoticeKind::FlappingEnded => "settled",
            NoticeKind::Acknowledged => "acknowledged",
        }
    }

    fn label(&self, label: Label) -> &'static str {
        match label {
            Label::Level => "Level",
            Label::Target => "Target",
            Label::Began => "Began",
            Label::Decided => "Judged",
            Label::Answered => "First good answer",
            Label::Recovered => "Recovery confirmed",
            Label::RecoveredEnded => "Recovery confirmed, incident ended",
            Label::Ended => "Incident ended",
            Label::Removed => "No longer watched since",
            Label::Lasted => "Incident lasted",
            Label::Circuit => "Circuit",
            Label::Call => "Call",
            Label::Apart => "Not well, by an incident of its own",
            Label::Verdict => "Verdict",
            Label::Evidence => "Because:",
            Label::Next => "Next step",
            Label::Unreachable => "Impact",
            Label::NotBack => "NOT BACK YET",
            Label::Back => "Back",
            Label::Also => "Also",
            Label::Incident => "Incident",
            Label::Procedure => "Procedure",
            Label::Told => "Told",
        }
    }

    fn and_more(&self, more: usize) -> String {
        format!("and {more} more")
    }

    fn late(&self, by: Duration, of: &str) -> String {
        format!(
            "This mail is {} late: no relay accepted it before. It speaks of {of}.",
            duration(by)
        )
    }

    fn together(&self, count: usize) -> String {
        format!("{count} notices were due at one time and go out as this one mail, the present state last:")
    }

    fn not_ledgered(&self) -> &'static str {
        "NOT LEDGERED: hinomi could not write its ledger (disk full?). This mail left without being recorded."
    }

    fn not_ledgered_mark(&self) -> &'static str {
        "[not ledgered] "
    }

    fn possible_duplicate(&self) -> &'static str {
        "Possible duplicate: an earlier attempt may have got through."
    }

    fn earlier(&self, count: usize) -> String {
        format!("Notices that could not be delivered before ({count}), oldest first, the present state last:")
    }

    fn flapping(&self) -> &'static str {
        "Flapping: changes are not told one by one until there was none for 30 minutes."
    }

    fn acknowledge(&self, incident: u64) -> String {
        format!("To acknowledge (stops reminders and escalation for 8 h): hinomi incidents ack {incident}")
    }

    fn acknowledged(&self, by: &str) -> String {
        format!("Acknowledged by: {by}")
    }

    fn owner(&self, owner: Owner) -> &'static str {
        match owner {
            Owner::Own => "own",
            Owner::Platform => "interconnection platform",
            Owner::Carrier => "access carrier",
            Owner::Institution => "connected institution",
        }
    }

    fn remarks(&self, name: &str, remarks: &[String]) -> String {
        if remarks.is_empty() {
            return name.to_owned();
        }
        format!("{name} ({})", remarks.join(", "))
    }

    fn comma(&self) -> &'static str {
        ", "
    }

    fn colon(&self) -> &'static str {
        ": "
    }
}

fn noted(key: &FindingKey, what: &Cause) -> String {
    format!("{}: {}", device_name(key), cause(key, Level::Warning, what))
}

/// One line of a timeline.
pub(super) fn event(event: &Event) -> Option<String> {
    let change = |word: &str, c: &FindingChange| {
        let verdict = c.isolation.as_ref().map(|i| format!(" [verdict: {}]", i.verdict.key()));
        let level = match c.to == Level::Ok && c.cause == Cause::Removed {
            true => English.removed().to_lowercase(),
            false => English.level(c.to).to_lowercase(),
        };
        format!(
            "{word} {level}: {}{}",
            cause(&c.key, c.to, &c.cause),
            verdict.unwrap_or_default()
        )
    };
    Some(match &event.body {
        EventBody::Started { version, .. } => format!("hinomi {version} started"),
        EventBody::Reloaded { fingerprint } => format!(
            "configuration {} in force",
            fingerprint.get(..12).unwrap_or(fingerprint)
        ),
        EventBody::Damage { what } => clean(what),
        EventBody::Opened { change: c } => change("opened,", c),
        EventBody::Changed { change: c } => change("now", c),
        EventBody::Recovered { change: c } => change("ended,", c),
        EventBody::Reopened { change: c } => change("again", c),
        EventBody::RootGood { .. } => "the root is good; waiting for what is behind it".to_owned(),
        EventBody::Folded { into: Some(id), .. } => format!("goes on inside incident #{id}"),
        EventBody::Folded { into: None, .. } => "goes on inside another incident".to_owned(),
        EventBody::AffectedAdded { device } => format!("{} unreachable because of it", clean(device)),
        EventBody::AffectedRemoved { device } => format!("{} back", clean(device)),
        EventBody::Trap {
            device,
            seen,
            kind,
            oid,
            details,
        } => trap(device, event.at.since(*seen), *kind, oid, details),
        EventBody::MoreTraps { count } => format!("{count} more traps of the device came, not kept one by one"),
        EventBody::Noted { key, cause: c } => noted(key, c),
        EventBody::ActiveMembers { group, instances } => {
            let active = instances.iter().take(8).map(|(i, m)| match i.is_empty() {
                true => clean(m),
                false => format!("{} {}", clean(i), clean(m)),
            });
            let active: Vec<String> = active.collect();
            format!("{}: active are {}", clean(group), active.join(", "))
        }
        EventBody::Acknowledged { by, note: None, .. } => format!("acknowledged by {}", clean(by)),
        EventBody::Acknowledged {
            by, note: Some(note), ..
        } => format!("acknowledged by {}: {}", clean(by), clean(note)),
        EventBody::AcknowledgeEnded { why, by } => match why {
            AcknowledgeEnd::TakenBack => {
                format!("acknowledgement taken back by {}", clean(by.as_deref().unwrap_or("?")))
            }
            AcknowledgeEnd::Expired => "the acknowledgement expired after 8 h".to_owned(),
            AcknowledgeEnd::Worse => "the acknowledgement no longer holds: it rose to critical".to_owned(),
        },
        EventBody::FlappingBegan => "flapping: changes are no longer told one by one".to_owned(),
        EventBody::FlappingEnded => "no change for 30 minutes".to_owned(),
        EventBody::Muted { window } => format!("planned work explains it ({}): nobody is told", clean(window)),
        EventBody::Unmuted { window } => format!("planned work is over ({})", clean(window)),
        EventBody::MaintenanceSet { window } => format!(
            "maintenance {} set by {}{}: {}",
            clean(&window.name),
            clean(&window.set_by),
            window
                .note
                .as_deref()
                .map(|n| format!(" ({})", clean(n)))
                .unwrap_or_default(),
            window.what.iter().map(|w| clean(w)).collect::<Vec<_>>().join(", ")
        ),
        EventBody::MaintenanceEnded { window, by } => format!("maintenance {} ended by {}", clean(window), clean(by)),
        EventBody::Noticed {
            row, contact, notice, ..
        } => {
            format!("notice {row} to {}: {}", clean(contact), English.kind(*notice))
        }
        EventBody::NobodyTold { notice, .. } => {
            format!("{}: no procedure matches, nobody is told", English.kind(*notice))
        }
        EventBody::Delivered {
            row,
            address,
            route,
            relay,
            reply,
            duplicate,
            ..
        } => {
            let twice = if *duplicate { " (a second time)" } else { "" };
            let relay = clean(relay);
            format!(
                "notice {row} accepted{twice} for {} over {} by {relay}: {}",
                clean(address),
                clean(route),
                clean(reply)
            )
        }
        EventBody::AddressRefused {
            row,
            address,
            route,
            reply,
            ..
        } => format!(
            "notice {row}: {} refused over {}: {}",
            clean(address),
            clean(route),
            clean(reply)
        ),
        EventBody::Collapsed { rows, into, .. } => {
            let rows: Vec<String> = rows.iter().map(u64::to_string).collect();
            format!("notices {} told inside notice {into}", rows.join(", "))
        }
        EventBody::NotLedgered { rows } => format!("{} notices left before the ledger could be written", rows.len()),
        EventBody::OutboxMended { lost, .. } => {
            format!("{} notices that waited are lost with the damaged ledger", lost.len())
        }
        EventBody::Checkpoint { .. } | EventBody::Readings { .. } => return None,
    })
}

/// A trap on a timeline: a hint, so it is told as the device's word.
fn trap(device: &str, before: std::time::Duration, kind: TrapKind, oid: &str, details: &str) -> String {
    let what = match kind {
        TrapKind::Other => format!("other ({})", clean(oid)),
        known => known.key().to_owned(),
    };
    let details = match clean(details) {
        empty if empty.is_empty() => empty,
        some => format!(": {some}"),
    };
    match before.as_secs() {
        0 => format!("{} sent a trap, {what}{details}", clean(device)),
        s => format!("{} had sent a trap {s} s before, {what}{details}", clean(device)),
    }
}
