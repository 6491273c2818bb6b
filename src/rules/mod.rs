//! Numbers and silence become findings: a level, a cause, and for silence a verdict with its evidence.
//!
//! Never here: a clock, I/O, a word of a mail. Absence of data neither raises nor clears a threshold.

mod calendar;
pub mod change;
mod component;
pub mod condition;
pub mod engine;
pub mod interface;
pub mod isolation;
mod judged;
mod lines;
pub mod number;
pub mod reach;
mod ripe;
pub mod threshold;

pub use calendar::Calendar;
pub use change::{Affected, Cause, FindingChange};
pub use engine::Rules;

use crate::model::DeviceId;

/// What the rules say and ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleEffect {
    /// A finding changed.
    Finding(FindingChange),
    /// A device hangs below a root, or no longer does.
    Affected(Affected),
    /// A fresh round of this device is wanted now.
    Probe(DeviceId),
    /// The device is known to be silent: ask little; or not any more.
    Silent(DeviceId, bool),
}
