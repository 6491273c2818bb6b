//! Cases become mails: who is told (plan), when and over which way (retry), in which words (text); channels deliver.
//!
//! Never here, outside `channel`: a socket, a clock, a file.

pub mod channel;
pub mod mail;
mod mute;
pub mod outbox;
pub mod plan;
pub mod reader;
pub mod retry;
mod row;
pub mod text;

pub use mail::{Delivery, Mail, Outcome, RouteTest, Stage};
pub use mute::{Covering, covering};
pub use outbox::{Notifier, NotifierStats, NotifyEffect, RouteView};
pub use plan::Notice;
