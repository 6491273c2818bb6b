//! Cases become mails: who is told (plan), when and over which way (retry), in which words (text); channels deliver.
//!
//! Never here, outside `channel`: a socket, a clock, a file.

pub mod channel;
pub mod mail;

pub use mail::{Delivery, Mail, Outcome, RouteTest, Stage};
