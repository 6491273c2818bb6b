//! Numbers and silence become findings: a level, a cause, and for silence a verdict with its evidence.
//!
//! Never here: a clock, I/O, a word of a mail. Absence of data neither raises nor clears a threshold.

pub mod change;

pub use change::{Affected, Cause, FindingChange};
