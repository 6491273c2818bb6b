//! Names and encoding of what Prometheus reads.
//!
//! [`names`] is the one table of names; [`text`] streams what a snapshot holds in slices, so that a million series are never
//! in memory at once; [`own`] keeps the daemon's own numbers in a registry of the `prometheus` crate.
//!
//! Never here: a socket, a clock, a file; a label whose values are unbounded.

pub mod names;
pub mod own;
pub mod text;

pub use own::{Own, Process};
pub use text::Text;
