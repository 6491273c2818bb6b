//! hinomi (火の見, the fire-watch tower): watches the network of an operator who connects medical institutions, judges by two
//! levels, says whose fault it is, keeps every fault as an incident, and gets the mail out.
//!
//! Read the modules in the order of the data:
//!
//! 1. [`model`]: the words of the network. Imports nothing of ours but [`text`], which makes text from outside harmless.
//! 2. [`config`]: from TOML to a checked [`model::Site`]; all mistakes at once, each with its place.
//! 3. [`wire`]: bytes to values and back: ICMP, SNMP. Imports nothing of ours but [`text`].
//! 4. [`poll`]: what is asked when; datagrams in, datagrams out; answers become observations.
//! 5. [`sample`]: observations become numbers: rates, loss, utilisation, each known or unknown with its reason.
//! 6. [`rules`]: numbers and silence become findings with a level, a cause and a verdict.
//! 7. [`incident`]: findings become incidents; the ledger keeps them.
//! 8. [`notify`]: incidents become mails: plan, retry, route choice, texts; channels deliver.
//! 9. [`core`]: the one composition of 4 to 8. The daemon, the demo and the tests all drive this and nothing else.
//! 10. [`metrics`]: names and encoding of what Prometheus reads.
//! 11. [`net`], [`daemon`], [`web`], [`cli`]: the shell: sockets, the clock, threads, HTTP, the command line.
//!
//! The first nine are seven crates (`hinomi-model` with [`files`] and [`text`], `hinomi-wire`, `hinomi-config`, `hinomi-poll` with [`sample`],
//! `hinomi-rules`, `hinomi-notify` with [`incident`], `hinomi-core` with [`metrics`]), so that a change compiles only what lies behind it.
//! Each has its manifest beside its first module, and in each `crate::model` means the same as here.
//!
//! Invariants, held by `tests/fast/architecture.rs`:
//! - Data flows one way; nobody imports its reader. What comes back (probe now, delivery result, acknowledgement) is an input.
//! - Pure modules read no clock, socket, file or random source. Time and randomness are arguments.
//! - Whatever has time has four verbs: take an input with `now`, say the next wake-up, wake, hand out effects.

// The parts that are crates of their own, in the order of the data.
pub use hinomi_config::config;
pub use hinomi_core::{core, metrics};
pub use hinomi_model::{files, model, text};
pub use hinomi_notify::{incident, notify};
pub use hinomi_poll::{poll, sample};
pub use hinomi_rules::rules;
pub use hinomi_wire::wire;
// The shell.
pub mod cli;
pub mod daemon;
pub mod net;
pub mod web;
