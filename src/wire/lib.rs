//! Bytes to values and back: ICMP, SNMP, DNS, NTP, certificates, plugin output.
//!
//! A part of hinomi, compiled by itself so that a change in it does not compile the others. Paths are those of the whole: `crate::model` is
//! the model in every part. See `src/lib.rs` of hinomi for the map.

use hinomi_model::text;

#[path = "mod.rs"]
pub mod wire;
