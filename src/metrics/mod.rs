//! Names and encoding of what Prometheus reads.
//!
//! [`names`] is the one table of names; [`text`] streams what a picture holds in slices (`once` and `rows` say what), so that a
//! million series are never in memory at once; [`own`] keeps the daemon's own numbers in a registry of the `prometheus` crate.
//!
//! Never here: a socket, a clock, a file; a label whose values are unbounded.

pub mod names;
mod once;
pub mod own;
mod rows;
pub mod text;

pub use own::{Own, Process};
pub use text::Text;
