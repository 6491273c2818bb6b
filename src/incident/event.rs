//! What happened, one event a line in the ledger. The state of every case is a fold of these and of nothing else.
//!
//! Never here: a decision. Who makes an event, and when, stands in `book` and in `notify`.

use super::book::State;
use super::reading::ReadAt;
use crate::model::{FindingKey, Level, Name, Wall, Window};
use crate::poll::trap::TrapKind;
use crate::rules::{Cause, FindingChange};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Milliseconds on the book's own clock: begins at wall time when the book is first used and never steps while the daemon runs.
/// Deadlines are kept on it, so that a clock step neither ends nor repeats anything (fault matrix rows 15 and 16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tick(pub i64);

impl Tick {
    /// The tick `d` later.
    pub fn after(self, d: std::time::Duration) -> Tick {
        Tick(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The tick `d` earlier.
    pub fn before(self, d: std::time::Duration) -> Tick {
        Tick(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, for people.
    pub at: Wall,
    /// When, for deadlines.
    pub tick: Tick,
    /// The incident it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub body: EventBody,
}

/// Why an acknowledgement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcknowledgeEnd {
    /// Its 8 hours are over.
    Expired,
    /// The incident rose to critical.
    Worse,
    /// An operator took it back.
    TakenBack,
}

/// Who else hears of an acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    /// Nobody: it stops reminders and escalation, and stands in `incidents list`.
    #[default]
    Nobody,
    /// The own contacts that were told of the incident get a mail.
    Others,
}

impl Tell {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    fn is_nobody(&self) -> bool {
        *self == Tell::Nobody
    }
}

/// What an operator orders about an open incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum IncidentOrder {
    /// Somebody works on it.
    Acknowledge {
        /// Who.
        by: String,
        /// A remark for the others: a ticket number, what is being done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Whether the others get a mail.
        #[serde(default, skip_serializing_if = "Tell::is_nobody")]
        tell: Tell,
    },
    /// The acknowledgement was a slip, or whoever gave it cannot go on.
    TakeBack {
        /// Who says so.
        by: String,
    },
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A new incident.
    Opened,
    /// Its level rose.
    Worse,
    /// Its level fell, but it is not over.
    Better,
    /// Same level, another verdict.
    Verdict,
    /// Same level, and more has happened (another switchover).
    More,
    /// Over.
    Recovered,
    /// The same root again within 30 minutes.
    Reopened,
    /// Still open, not acknowledged.
    Reminder,
    /// Nobody acknowledged in time.
    Escalation,
    /// A critical notice was accepted by a relay 15 minutes ago and nobody acknowledged: again, another way.
    Repeat,
    /// Up and down too often; further changes are not told one by one.
    FlappingBegan,
    /// Quiet for 30 minutes; the final state.
    FlappingEnded,
    /// Somebody acknowledged it and wants the others to know.
    Acknowledged,
}

impl NoticeKind {
    /// The word in `--json` and logs.
    pub fn key(self) -> &'static str {
        match self {
            NoticeKind::Opened => "opened",
            NoticeKind::Worse => "worse",
            NoticeKind::Better => "better",
            NoticeKind::Verdict => "verdict",
            NoticeKind::More => "more",
            NoticeKind::Recovered => "recovered",
            NoticeKind::Reopened => "reopened",
            NoticeKind::Reminder => "reminder",
            NoticeKind::Escalation => "escalation",
            NoticeKind::Repeat => "repeat",
            NoticeKind::FlappingBegan => "flapping-began",
            NoticeKind::FlappingEnded => "flapping-ended",
            NoticeKind::Acknowledged => "acknowledged",
        }
    }

    /// Sent because nobody has acknowledged.
    pub fn is_unanswered(self) -> bool {
        matches!(self, NoticeKind::Reminder | NoticeKind::Escalation | NoticeKind::Repeat)
    }

    /// Tells of something that needs a person now (as opposed to good news).
    pub fn is_call(self) -> bool {
        matches!(self, NoticeKind::Opened | NoticeKind::Worse | NoticeKind::Reopened)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventBody {
    /// The daemon started.
    Started {
        /// Its version.
        version: String,
        /// Fingerprint of the configuration.
        fingerprint: String,
    },
    /// A new configuration is in force.
    Reloaded {
        /// Its fingerprint.
        fingerprint: String,
    },
    /// The ledger or the book had something to say at start (damage, impossible states).
    Damage {
        /// In words for people.
        what: String,
    },
    /// A new incident; its number is [`Event::incident`].
    Opened {
        /// The finding that opened it.
        change: FindingChange,
    },
    /// Its level or verdict changed.
    Changed {
        /// How.
        change: FindingChange,
    },
    /// The root is good, what was behind it is not all back yet.
    RootGood {
        /// The change to `Ok`.
        change: FindingChange,
    },
    /// Over.
    Recovered {
        /// The change to `Ok`.
        change: FindingChange,
    },
    /// The same root is bad again within 30 minutes.
    Reopened {
        /// How.
        change: FindingChange,
    },
    /// The device is behind another fault now; its incident goes on inside that one.
    Folded {
        /// The change with cause `Unreachable`.
        change: FindingChange,
        /// The incident it hangs below; `None` until the book learns which.
        into: Option<u64>,
    },
    /// A device is unreachable because of this root.
    AffectedAdded {
        /// Which.
        device: Name,
    },
    /// It answers again, or is judged by itself, or hangs below another root.
    AffectedRemoved {
        /// Which.
        device: Name,
    },
    /// The device sent a trap or an inform: a hint that made hinomi look, never a reason for a level.
    Trap {
        /// Which device.
        device: Name,
        /// When it came in (before the incident was opened, perhaps).
        seen: Wall,
        /// What it says.
        kind: TrapKind,
        /// Its object identifier in dotted form.
        oid: String,
        /// Its varbinds for people.
        details: String,
    },
    /// What was read of a device before the event that this follows: what that rests on.
    Readings {
        /// Which device.
        device: Name,
        /// In the order they were read.
        readings: Vec<ReadAt>,
        /// Older ones that are not kept.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u64,
    },
    /// More traps came than an incident keeps one by one.
    MoreTraps {
        /// So many.
        count: u64,
    },
    /// Something that belongs to this incident and has none of its own (a switchover because the active member is down).
    Noted {
        /// What it would have been.
        key: FindingKey,
        /// What happened.
        cause: Cause,
    },
    /// Who is active in each instance of a redundancy group, so that a switchover while hinomi is away is seen afterwards.
    ActiveMembers {
        /// The group.
        group: Name,
        /// Instance to member; the only instance has an empty name.
        instances: BTreeMap<Name, Name>,
    },
    /// Somebody took it in hand.
    Acknowledged {
        /// Who.
        by: String,
        /// Until when it holds.
        until: Tick,
        /// A remark for the others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Whether the others get a mail.
        #[serde(default, skip_serializing_if = "Tell::is_nobody")]
        tell: Tell,
    },
    /// The acknowledgement no longer holds.
    AcknowledgeEnded {
        /// Why.
        why: AcknowledgeEnd,
        /// Who took it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Four changes in 30 minutes.
    FlappingBegan,
    /// Quiet for 30 minutes.
    FlappingEnded,
    /// Planned work explains it: nobody is told for as long as the window lasts.
    Muted {
        /// Which window.
        window: Name,
    },
    /// The window is over.
    Unmuted {
        /// Which window.
        window: Name,
    },
    /// Somebody has set a maintenance window.
    MaintenanceSet {
        /// It.
        window: Window,
    },
    /// Somebody has ended one before its time, or taken it back before it began.
    MaintenanceEnded {
        /// Its name.
        window: Name,
        /// Who.
        by: String,
    },
    /// A notice was planned: one row of the outbox.
    Noticed {
        /// The row.
        row: u64,
        /// Its Message-ID.
        message_id: String,
        /// To whom.
        contact: Name,
        /// Why.
        notice: NoticeKind,
        /// Level it speaks of.
        level: Level,
        /// The procedure that asked for it; `None` where those told before are told.
        procedure: Option<Name>,
        /// Step of `escalate`, from 0.
        step: Option<u32>,
    },
    /// No procedure matches: nobody is told.
    NobodyTold {
        /// Of what.
        notice: NoticeKind,
        /// Level.
        level: Level,
    },
    /// A relay took responsibility for a mail.
    Delivered {
        /// The row.
        row: u64,
        /// To whom.
        contact: Name,
        /// At which address.
        address: String,
        /// Over which route.
        route: Name,
        /// Which relay of it.
        relay: String,
        /// Its words.
        reply: String,
        /// The row is a call of level critical (see [`NoticeKind::is_call`]).
        critical_call: bool,
        /// It had been accepted over another route before.
        duplicate: bool,
    },
    /// A relay said 5xx to this address.
    AddressRefused {
        /// The row.
        row: u64,
        /// To whom.
        contact: Name,
        /// Which address.
        address: String,
        /// Over which route.
        route: Name,
        /// The relay's words.
        reply: String,
    },
    /// Rows of one incident for one contact that waited together go out as one mail.
    Collapsed {
        /// The rows that get no mail of their own.
        rows: Vec<u64>,
        /// The row whose mail lists their times.
        into: u64,
        /// Message-ID of that mail.
        message_id: String,
        /// To whom.
        contact: Name,
    },
    /// These rows left before they were in the ledger (it could not be written).
    NotLedgered {
        /// Which.
        rows: Vec<u64>,
    },
    /// The ledger was begun anew from one that was damaged: what became of notices that waited by the events and have no row.
    OutboxMended {
        /// Rows that are lost: whom they were for is not told by them.
        lost: Vec<u64>,
        /// Rows that were known to be done with.
        ended: Vec<u64>,
    },
    /// The whole book, so that a start need not read further back.
    Checkpoint {
        /// Everything.
        book: Box<State>,
    },
}

impl EventBody {
    /// The finding that a change of an incident is about.
    pub fn root(&self) -> Option<&FindingKey> {
        match self {
            EventBody::Opened { change }
            | EventBody::Changed { change }
            | EventBody::RootGood { change }
            | EventBody::Recovered { change }
            | EventBody::Reopened { change } => Some(&change.key),
            _ => None,
        }
    }

    /// An operator's order, as opposed to what hinomi itself found or did.
    pub fn is_order(&self) -> bool {
        matches!(
            self,
            EventBody::Acknowledged { .. }
                | EventBody::AcknowledgeEnded {
                    why: AcknowledgeEnd::TakenBack,
                    ..
                }
                | EventBody::MaintenanceSet { .. }
                | EventBody::MaintenanceEnded { .. }
        )
    }

    /// The device that it names, if it names one.
    pub fn device(&self) -> Option<&Name> {
        match self {
            EventBody::AffectedAdded { device } | EventBody::AffectedRemoved { device } => Some(device),
            body => body.root()?.device.as_ref(),
        }
    }
}

impl Event {
    /// One line for the ledger.
    pub fn to_json(&self) -> String {
        // Only a map with a key that is not a string can make this fail, and there is none.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line of the ledger.
    pub fn from_json(text: &str) -> Result<Event, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }
}
