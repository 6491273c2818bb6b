//! The daemon: the clock, the threads, the channels between them, reload, shutdown, systemd.
//!
//! ```text
//!  network ◄──────► engine (1 thread: sockets, core; no locks) ◄──────────── snapshot? reload, stop
//!                    │ ▲      │                     ▲   inbox, 4096 messages        │
//!        64 batches  │ │      │ 1024 pieces         │                               │
//!                    ▼ │      ▼ of work             │                               │
//!               ledger     tokio (2 threads) ───────┘                               │
//!               (1 thread) │ mail attempts, route tests, TCP, watched services      │
//!               cache      │                                                        │
//!               (1 thread: what was learned of agents, for the next start)          │
//!                          │ control socket ◄── hinomi status, ack, reload ─────────┤
//!                          │ HTTP           ◄── /metrics, /healthz, /readyz ────────┘
//!                          └ heartbeat, watchdog, status line, signals
//!
//!  devices ◄─────► traps (1 thread, where [traps] is written) ──► inbox of the engine: only what was believed, 256 at a time
//! ```
//!
//! Full channels: the engine never waits. A full ledger queue makes a backlog in the engine, and a ledger that stays silent for
//! 10 s is told to the core as failed, so that notices leave unrecorded. A full cache queue makes the copy take longer. Work that
//! finds no room fails at once and is tried again by the core. Traps that find no room wait in their thread, 8192 of them; more are
//! counted. Everybody else waits for the engine's inbox, which is read every 10 ms.
//!
//! Never here: a decision. What is polled, judged, told and retried is decided in [`crate::core`].

pub mod clock;
pub mod control;
pub mod heartbeat;
pub mod keep;
pub mod logfmt;
pub mod once;
pub mod plugins;
pub mod trace;
pub mod words;

mod ask;
mod beat;
mod cache;
mod engine;
mod health;
mod inbox;
mod ledger;
mod messages;
mod orders;
mod recorder;
mod reload;
mod remember;
mod shared;
mod site;
mod start;
mod survey;
mod systemd;
mod traps;
mod work;

pub(crate) use shared::Shared;
pub use site::{load, load_last_good, load_without_secrets};
pub use start::{Handle, RunError, RunOptions, run, start};
