//! (being written)

pub mod heartbeat;
