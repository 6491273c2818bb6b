//! The words of the network, and files within bounds.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

#[path = "mod.rs"]
pub mod model;
// Files within bounds: config, notify::channel and the shell read and write by it.
#[path = "../files.rs"]
pub mod files;
// Text from outside made harmless: the wire and the model read by it.
#[path = "../text.rs"]
pub mod text;
