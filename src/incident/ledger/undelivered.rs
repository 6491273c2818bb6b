//! What the events say of numbers and of the outbox: which notices are not delivered (noticed, less delivered, less told inside another
//! one), so that a row that is gone, or says that it waits no longer, is not believed against the chain.

use crate::incident::event::{Event, EventBody};
use crate::incident::state::Undelivered;

/// What events say.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Rows that wait for delivery.
    pub(super) waiting: Undelivered,
    /// Highest number of an incident.
    pub(super) last_incident: u64,
}

/// The words of events that matter here; reading every line as JSON would take long.
fn matters(line: &str) -> bool {
    [
        "opened",
        "noticed",
        "delivered",
        "collapsed",
        "outbox-mended",
        "checkpoint",
    ]
    .iter()
    .any(|word| line.contains(&format!("\"event\":\"{word}\"")))
}

/// What lines say that begin at a checkpoint, or at the beginning.
pub(super) fn known(lines: &[String]) -> Known {
    let mut known = Known::default();
    for line in lines.iter().filter(|line| matters(line)) {
        // A line that cannot be read is told by the book.
        let Ok(event) = Event::from_json(line) else { continue };
        match &event.body {
            EventBody::Checkpoint { book } => {
                known.waiting.clone_from(&book.undelivered);
                known.last_incident = known.last_incident.max(book.last_id);
            }
            EventBody::Opened { .. } => known.last_incident = known.last_incident.max(event.incident.unwrap_or(0)),
            body => known.waiting.apply(body),
        }
    }
    known
}

/// The number of the incident that a line opens.
pub(super) fn opened(line: &str) -> Option<u64> {
    if !line.contains("\"event\":\"opened\"") {
        return None;
    }
    Event::from_json(line).ok()?.incident
}
