//! The one composition of polling, rules, incidents and mails, and what Prometheus reads of it.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

pub use hinomi_notify::{incident, model, notify, poll, rules};
pub use hinomi_poll::wire;
pub use hinomi_rules::sample;

#[path = "mod.rs"]
pub mod core;
#[path = "../metrics/mod.rs"]
pub mod metrics;

#[cfg(test)]
use hinomi_config::config;
