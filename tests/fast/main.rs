//! The fast tests: one binary, no privileges, no other software. `cargo test --release --test fast`.

mod agent;
mod architecture;
mod case;
mod cli;
mod config;
mod dependencies;
mod discover;
mod inputs;
mod json;
mod mail;
mod many;
mod metrics;
mod poll;
mod profiles;
mod random;
mod readme;
mod scenarios;
mod silence;
mod snmpd;
mod standing;
mod trap;
mod wire;

#[path = "../support/relay.rs"]
mod relay;
#[path = "../support/world.rs"]
mod world;
