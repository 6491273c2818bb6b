//! Findings become cases (guideline 1.3.1(2)): opened, worse, better, recovered; children inside; every change an event.
//!
//! Pure except `ledger`, which keeps the events. Never here: a clock, a mail.

pub mod batch;

pub use batch::{Batch, Head, Restored, RowChange};
