//! What is asked when, and what numbers the answers are.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

pub use hinomi_model::model;
pub use hinomi_wire::wire;

#[path = "mod.rs"]
pub mod poll;
#[path = "../sample/mod.rs"]
pub mod sample;
