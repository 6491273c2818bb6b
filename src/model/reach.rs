//! Reachability of a device as judged (design section 3).

use serde::{Deserialize, Serialize};

/// Reachability of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReachState {
    /// Not judged yet.
    #[default]
    Unknown,
    /// Answers.
    Up,
    /// Answers, some echoes are lost.
    Lossy,
    /// A round was lost; being confirmed, or waiting for a parent's result.
    Suspect,
    /// Does not answer.
    Down,
    /// Everything on its path is down.
    Unreachable,
    /// A circuit that is silent while its institution is closed: switched off, no fault.
    Off,
    /// This host is cut off.
    Blind,
    /// `liveness = "none"`, or not active.
    NotWatched,
}
