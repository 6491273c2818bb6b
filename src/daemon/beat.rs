//! The heartbeat: somebody outside notices when hinomi falls silent. Sent only while the engine and the ledger make progress.

use super::health::Part;
use super::words::Word;
use super::{Shared, heartbeat};
use std::sync::Arc;
use std::time::Duration;

/// A part that made no progress for this long is stuck: then no beat is sent, so that somebody looks.
const STUCK: Duration = Duration::from_secs(15);
/// Looks for a heartbeat in a new configuration.
const LOOK: Duration = Duration::from_secs(5);

/// Beats until the runtime ends.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut failing = false;
    loop {
        let Some(heartbeat) = shared.site().heartbeat.clone() else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let alive = [Part::Engine, Part::Ledger]
            .into_iter()
            .all(|p| shared.health.age(p) < STUCK);
        if alive {
            let result = heartbeat::beat(&heartbeat.url).await;
            shared.own.heartbeat(result.is_ok());
            match result {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    Word::HeartbeatFailed { error }.log();
                }
                Err(_) => {}
            }
        }
        tokio::time::sleep(heartbeat.every).await;
    }
}
