//! What the rules say: a finding changed its level, or a device is behind a fault.

use super::Fault;
use crate::model::{FarEnd, FindingKey, Isolation, Level, Name, Wall};
use crate::poll::disbelief::Rejected;
use crate::poll::{AgentFailure, Ports};
use serde::{Deserialize, Serialize};

/// A finding changed its level. `from != to`, except that a change of verdict alone repeats the level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingChange {
    /// Which finding.
    pub key: FindingKey,
    /// Level before.
    pub from: Level,
    /// Level now. `Level::Ok` ends the finding.
    pub to: Level,
    /// When what it rests on began (first unanswered echo, first value above the bound …).
    pub since: Wall,
    /// When it was decided.
    pub at: Wall,
    /// Why, with the numbers.
    pub cause: Cause,
    /// Whose fault; for silence and interfaces.
    pub isolation: Option<Isolation>,
}

/// A device behind a root finding: unreachable because of it, or reachable again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affected {
    /// The finding it hangs below.
    pub root: FindingKey,
    /// The device.
    pub device: Name,
    /// `true`: everything on its path is down. `false`: it answers again, or is judged by itself now.
    pub unreachable: bool,
    /// When.
    pub at: Wall,
}

/// Something that belongs to the case of another finding and has none of its own: a switchover because the active member is down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The finding in whose case it is listed.
    pub root: FindingKey,
    /// What it would have been.
    pub key: FindingKey,
    /// What happened.
    pub cause: Cause,
}

/// Instances of a redundancy group that moved alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The group.
    pub group: Name,
    /// Which of its instances; an empty name is the only one.
    pub instances: Vec<Name>,
    /// The member that was active before.
    pub from: Name,
    /// The one that was then.
    pub to: Name,
    /// When it was seen.
    pub at: Wall,
    /// Members whose own view says so.
    pub by: Vec<Name>,
    /// Nobody was seen in the other role: only the counters of transitions tell of it.
    pub counted: bool,
    /// `from` is active again.
    pub back: bool,
}

/// Why a member is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// Its device does not answer.
    DeviceDown,
    /// It says so itself: failed, or its session or link is down.
    Failed,
    /// Its agent answers, and tells nothing of the role (a daemon that stopped, or is not configured).
    NotTold,
    /// A unit that its device does not list any more.
    Gone,
    /// It waits, and nobody is active.
    Standby,
    /// It is in no cluster: it works by itself, and nobody stands in for it.
    Alone,
}

/// A member that is not ready, or not active.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    /// Which.
    pub member: Name,
    /// Why.
    pub why: Absence,
}

/// Why a finding changed. The same value feeds the mail, the ledger, the metric and `explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The value has been at or above the bound for the hold time (at or below, where lower is worse). Units are the metric's (see [`crate::model::Metric`]).
    Above {
        /// Last value.
        value: f64,
        /// `raise` of the level that counts now.
        bound: f64,
        /// Unit for people ("%", "C", "s", or a watch's).
        unit: String,
        /// The row of a table that decides, where one does: the hottest sensor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        which: Option<Name>,
    },
    /// The value has been at or below the clear value for the clear time.
    Below {
        /// Last value.
        value: f64,
        /// `clear` of the level that ended.
        bound: f64,
        /// Unit for people.
        unit: String,
    },
    /// None of the echoes of the confirm burst was answered.
    NoAnswer {
        /// Echoes sent since the first miss.
        sent: u32,
        /// Seconds since the first miss.
        seconds: f64,
        /// The last answer that was not believed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rejected: Option<Box<Rejected>>,
    },
    /// The operator's port of the circuit is not up, or its session is gone.
    LineDown,
    /// Circuits with this in common fell silent together.
    CircuitsLost {
        /// Lost within two rounds.
        lost: u32,
        /// Of those that answered before.
        of: u32,
    },
    /// Half of what was lost, or more, is back.
    CircuitsBack {
        /// Back.
        back: u32,
        /// Of those that were lost.
        of: u32,
    },
    /// Answers again, for the recover time.
    Answers {
        /// Seconds it was silent.
        silent_seconds: f64,
    },
    /// ifOperStatus says not up while ifAdminStatus says up.
    OperDown {
        /// RFC 2863 number.
        oper: u8,
    },
    /// The same, of a port that is listed in the case of what is at its far end.
    LinkDown {
        /// RFC 2863 number.
        oper: u8,
        /// Where the cable ends.
        to: FarEnd,
    },
    /// It is listed in the case of another finding from now on.
    PartOf {
        /// That one.
        root: FindingKey,
    },
    /// Up again, or put down by an administrator, or down is expected of it.
    OperHealthy {
        /// RFC 2863 number of ifOperStatus, if known.
        oper: Option<u8>,
        /// Administratively down.
        admin_down: bool,
    },
    /// The name is no longer in the interface table.
    NameVanished,
    /// The device has no interface of a name, alias or session that the configuration gives: nothing is known of what it stands for.
    NameNotFound {
        /// The circuit that is measured there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        circuit: Option<Name>,
        /// What the device has instead.
        #[serde(default, skip_serializing_if = "Ports::is_empty")]
        ports: Ports,
    },
    /// The name is back.
    NameReturned,
    /// A part says that it is not well.
    ComponentFailed {
        /// What it is one of.
        component: Name,
        /// As the MIB calls the state.
        word: Name,
        /// As read.
        code: i64,
    },
    /// It is well again.
    ComponentHealthy {
        /// As the MIB calls the state.
        word: Name,
    },
    /// The part is not there any more, while others of its kind answer.
    ComponentGone,
    /// No value for three intervals.
    NoData {
        /// Seconds without a value.
        seconds: f64,
        /// Why, as the last sample said.
        reason: String,
    },
    /// Values again.
    DataBack,
    /// The agent gave nothing while the device answers liveness.
    AgentSilent {
        /// How it failed last.
        failure: AgentFailure,
    },
    /// The agent answers again.
    AgentBack,
    /// The device is silent, what is behind it answers.
    ChildrenAnswer {
        /// One that answers.
        child: Name,
    },
    /// All uplinks silent, or this host cannot send.
    CutOff {
        /// Uplinks.
        uplinks: u32,
        /// The system's words if sending failed.
        send_error: Option<String>,
    },
    /// An uplink answers again.
    Connected {
        /// Seconds this host was blind.
        blind_seconds: f64,
    },
    /// A TCP port does not take connections.
    TcpFailed {
        /// The system's words.
        error: String,
    },
    /// It does again.
    TcpWorks,
    /// A watched service gives a wrong answer or none.
    WatchFailed {
        /// What is wrong.
        fault: Fault,
    },
    /// It gives the right one.
    WatchWorks,
    /// A route test failed.
    RouteFailed {
        /// Stage and words of the last test.
        error: String,
    },
    /// It works again.
    RouteWorks,
    /// Every relay that was asked refuses all addresses of a contact, or none of them can be written to.
    ContactRefused {
        /// The last refusal: route and words.
        error: String,
    },
    /// A relay has taken a mail for the contact again.
    ContactTold,
    /// The ledger cannot be written, or was found damaged.
    LedgerFailed {
        /// The store's words.
        error: String,
    },
    /// The ledger is written again.
    LedgerWorks,
    /// Everything on its path is down: what it says is not known; it hangs below that root now.
    Unreachable,
    /// Removed from the configuration, or no longer judged by it.
    Removed,
    /// Another member of a redundancy group is active.
    SwitchedOver {
        /// Which instances, from whom to whom.
        moved: Vec<Moved>,
        /// What explains it, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<FindingKey>,
    },
    /// The side that should be active has been so for five minutes.
    SwitchedBack {
        /// What had moved.
        moved: Vec<Moved>,
    },
    /// Nobody is preferred, and the other member has been active for half an hour: that is how it is now.
    SwitchoverSettled {
        /// What had moved.
        moved: Vec<Moved>,
    },
    /// Fewer members are ready than there are.
    RedundancyLost {
        /// Ready in the worst instance.
        ready: u32,
        /// How many there are.
        configured: u32,
        /// Which instances; none where there is only one.
        instances: Vec<Name>,
        /// Who is not ready.
        missing: Vec<Missing>,
    },
    /// All are ready again.
    RedundancyBack {
        /// How many there are.
        configured: u32,
    },
    /// Several members are active.
    BothActive {
        /// Which instances; none where there is only one.
        instances: Vec<Name>,
        /// Who says that it is active.
        members: Vec<Name>,
    },
    /// One is active.
    OneActive,
    /// Nobody carries the service.
    NoneActive {
        /// Good members.
        good: u32,
        /// Needed.
        need: u32,
        /// Which instances; none where there is only one.
        instances: Vec<Name>,
        /// What the members say.
        missing: Vec<Missing>,
    },
    /// Somebody carries it again.
    ActiveAgain,
    /// The preferred member is ready and another one is active.
    PreferredInactive {
        /// Who should be active.
        preferred: Name,
        /// Who is.
        active: Name,
        /// Which instances; none where there is only one.
        instances: Vec<Name>,
    },
    /// The preferred member is active, or is not ready any more.
    PreferredAgain,
    /// Echo loss (shown, no notice unless a threshold is set).
    Loss {
        /// Percent.
        percent: f64,
    },
}
