//! Findings become cases (guideline 1.3.1(2)): opened, worse, better, recovered; children inside; every change an event.
//!
//! Pure except `ledger`, which keeps the events. Never here: a clock, a mail.

pub mod audit;
pub mod batch;
pub mod book;
pub mod event;
pub mod history;
pub mod ledger;
pub mod reading;
mod state;

pub use audit::lint;
pub use batch::{Batch, Head, Restored, RowChange};
pub use book::{Book, Held, Incident, Phase};
pub use event::{Event, EventBody, IncidentOrder, NoticeKind, Tell, Tick};
pub use history::History;
pub use ledger::{Ledger, LedgerError, Renewed};
pub use reading::{ReadAt, Reading};
