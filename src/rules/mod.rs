//! Numbers and silence become findings: a level, a cause, and for silence a verdict with its evidence.
//!
//! Never here: a clock, I/O, a word of a mail. Absence of data neither raises nor clears a threshold.

mod calendar;
pub mod change;
mod component;
pub mod condition;
pub mod engine;
mod explain;
mod institution;
pub mod interface;
pub mod isolation;
mod judged;
mod lines;
mod links;
pub mod number;
pub mod reach;
pub mod redundancy;
mod ripe;
pub mod service;
pub mod threshold;

pub use calendar::Calendar;
pub use change::{Absence, Affected, Cause, FindingChange, Missing, Moved, Note};
pub use engine::Rules;
pub use service::Fault;

use crate::model::{DeviceId, Name};
use crate::sample::Sample;
use std::collections::BTreeMap;

/// What the rules say and ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleEffect {
    /// A finding changed.
    Finding(FindingChange),
    /// A device hangs below a root, or no longer does.
    Affected(Affected),
    /// A number that a finding rests on, or may soon, or rested on until now.
    Suspect(Sample),
    /// Something is listed in the case of another finding.
    Note(Note),
    /// Who is active in each instance of a redundancy group now: to be known after a restart.
    Active(Name, BTreeMap<Name, Name>),
    /// A fresh SNMP round of this device is wanted now.
    ProbeAgent(DeviceId),
    /// A fresh round of this device is wanted now.
    Probe(DeviceId),
    /// A service that failed is to be asked again soon: the device and the watch.
    AskAgain(DeviceId, Name),
    /// The device is known to be silent: ask little; or not any more.
    Silent(DeviceId, bool),
}
