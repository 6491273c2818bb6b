//! hinomi (火の見, the fire-watch tower): watches the network of an operator who connects medical institutions, judges by two
//! levels, says whose fault it is, keeps every fault as a case, and gets the mail out.
//!
//! Read the modules in the order of the data:
//!
//! 1. [`model`]: the words of the network. Imports nothing of ours.
//! 2. [`config`]: from TOML to a checked [`model::Site`]; all mistakes at once, each with its place.
//! 3. [`wire`]: bytes to values and back: ICMP, SNMP. Imports nothing of ours.
//! 4. [`poll`]: what is asked when; datagrams in, datagrams out; answers become observations.
//! 5. [`sample`]: observations become numbers: rates, loss, utilisation, each known or unknown with its reason.
//! 6. [`rules`]: numbers and silence become findings with a level, a cause and a verdict.
//! 7. [`incident`]: findings become cases; the ledger keeps them.
//! 8. [`notify`]: cases become mails: plan, retry, route choice, texts; channels deliver.
//! 9. [`core`]: the one composition of 4 to 8. The daemon, the demo and the tests all drive this and nothing else.
//! 10. [`metrics`]: names and encoding of what Prometheus reads.
//! 11. [`net`], [`daemon`], [`web`], [`cli`]: the shell: sockets, the clock, threads, HTTP, the command line.
//!
//! Invariants, held by `tests/architecture.rs`:
//! - Data flows one way; nobody imports its reader. What comes back (probe now, delivery result, acknowledgement) is an input.
//! - Pure modules read no clock, socket, file or random source. Time and randomness are arguments.
//! - Whatever has time has four verbs: take an input with `now`, say the next wake-up, wake, hand out effects.

pub mod model;
// Files within bounds: config, notify::channel and the shell read and write by it.
pub mod files;
// From text to the model.
pub mod config;
// Pure, in the order of the data.
pub mod core;
pub mod incident;
pub mod metrics;
pub mod notify;
pub mod poll;
pub mod rules;
pub mod sample;
pub mod wire;
// The shell.
pub mod cli;
pub mod daemon;
pub mod net;
pub mod web;
