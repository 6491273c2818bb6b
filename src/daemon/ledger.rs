//! The ledger thread: takes all waiting batches into one transaction, answers the engine.

use super::clock;
use super::health::{Health, Part};
use super::messages::{ToEngine, ToLedger};
use super::parts::Ledger;
use crate::core::Input;
use crate::incident::Batch;
use crate::metrics::Own;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// Most batches in one transaction.
const GROUP: usize = 256;
/// Marks of progress while there is nothing to write.
const IDLE: Duration = Duration::from_secs(1);

/// Runs until told to stop, or until the engine is gone.
pub(super) fn run(
    mut ledger: Ledger,
    inbox: &Receiver<ToLedger>,
    engine: &SyncSender<ToEngine>,
    health: &Health,
    own: &Arc<Own>,
) {
    let mut last = false;
    while !last {
        health.mark(Part::Ledger);
        let mut batches = Vec::new();
        match inbox.recv_timeout(IDLE) {
            Ok(ToLedger::Commit(batch)) => batches.push(batch),
            Ok(ToLedger::Stop) | Err(RecvTimeoutError::Disconnected) => last = true,
            Err(RecvTimeoutError::Timeout) => continue,
        }
        while batches.len() < GROUP {
            match inbox.try_recv() {
                Ok(ToLedger::Commit(batch)) => batches.push(batch),
                Ok(ToLedger::Stop) => last = true,
                Err(_) => break,
            }
        }
        if !batches.is_empty() {
            write(&mut ledger, &batches, engine, own);
        }
    }
}

fn write(ledger: &mut Ledger, batches: &[Batch], engine: &SyncSender<ToEngine>, own: &Own) {
    let began = clock::mono();
    let result = ledger.commit(batches).map_err(|e| e.to_string());
    own.committed(clock::mono().since(began));
    for batch in batches {
        let input = Input::Committed {
            batch: batch.id,
            result: result.clone(),
        };
        // The engine reads its inbox every 10 ms, so that this waits only while it is stuck; then nothing else matters.
        let _ = engine.send(ToEngine::Input(Box::new(input)));
    }
}
