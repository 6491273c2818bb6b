//! Numbers and silence become findings with a level, a cause and a verdict.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

pub use hinomi_poll::{model, poll, sample};

#[path = "mod.rs"]
pub mod rules;
