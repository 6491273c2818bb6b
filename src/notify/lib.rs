//! Findings become incidents in the ledger, incidents become mails.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

pub use hinomi_model::files;
pub use hinomi_rules::{model, poll, rules};

#[path = "../incident/mod.rs"]
pub mod incident;
#[path = "mod.rs"]
pub mod notify;

#[cfg(test)]
use hinomi_rules::sample;
