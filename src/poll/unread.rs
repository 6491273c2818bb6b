//! What an agent was asked for and did not give: objects, tables that were cut, rounds that broke off. Each says why, so that a person
//! need not guess.
//!
//! Never here: what that means for anybody's health.

use super::AgentFailure;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// So many objects of one reading are told of.
pub(super) const UNREAD_MAX: usize = 32;

/// Why an object was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotRead {
    /// Its value is not as its type has it.
    Value {
        /// Tag (X.690) as received.
        tag: u8,
        /// Octets of its contents.
        octets: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The agent refuses whatever request it stands in: error-status (RFC 3416 section 3).
    Refused(u32),
    /// The agent keeps silent to whatever request it stands in.
    Silence,
    /// What the agent answers to a request for it is not SNMP.
    Malformed,
}

/// An object that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The instance.
    pub oid: Arc<[u32]>,
    /// Why.
    pub why: NotRead,
}

/// Why the walk over a column ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutBy {
    /// It has more rows than are taken.
    Rows,
    /// It took too long.
    Time,
    /// The agent went round in circles.
    Circle,
    /// The agent refused to go on, or rows had to be skipped: error-status.
    Refused(u32),
    /// The agent fell silent.
    Silence,
}

/// A column that was not walked to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The column.
    pub column: Arc<[u32]>,
    /// Rows that were taken.
    pub rows: usize,
    /// Why not more.
    pub by: CutBy,
}

/// Where a round ended before everything was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenOff {
    /// The object, or the column, that was asked for then.
    pub at: Arc<[u32]>,
    /// How.
    pub how: AgentFailure,
}
