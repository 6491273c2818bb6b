//! From TOML to a checked site; all mistakes at once, each with its place.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

pub use hinomi_model::{files, model};

#[path = "mod.rs"]
pub mod config;
