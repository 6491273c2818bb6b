//! The ledger thread: takes all waiting batches into one transaction, answers the engine.

use super::clock;
use super::health::{Health, Part};
use super::inbox::EngineSender;
use super::messages::{ToEngine, ToLedger};
use super::words::Word;
use crate::core::Input;
use crate::incident::{Batch, Ledger};
use crate::metrics::Own;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Most batches in one transaction.
const GROUP: usize = 256;
/// Marks of progress while there is nothing to write.
const IDLE: Duration = Duration::from_millis(500);

/// After a failure, idle turns between two tries.
const RETRY_EVERY: u32 = 10;

/// Runs until told to stop, or until the engine is gone.
pub(super) fn run(
    mut ledger: Ledger,
    inbox: &Receiver<ToLedger>,
    engine: &EngineSender,
    health: &Health,
    own: &Arc<Own>,
) {
    let mut last = false;
    let mut state = State::default();
    while !last {
        health.mark(Part::Ledger);
        let mut batches = Vec::new();
        match inbox.recv_timeout(IDLE) {
            Ok(ToLedger::Commit(batch)) => batches.push(batch),
            Ok(ToLedger::Stop) | Err(RecvTimeoutError::Disconnected) => last = true,
            Err(RecvTimeoutError::Timeout) => {
                state.idle(&mut ledger);
                continue;
            }
        }
        while batches.len() < GROUP {
            match inbox.try_recv() {
                Ok(ToLedger::Commit(batch)) => batches.push(batch),
                Ok(ToLedger::Stop) => last = true,
                Err(_) => break,
            }
        }
        if !batches.is_empty() {
            let result = write(&mut ledger, &batches, engine, own);
            state.after(&ledger, result);
        }
    }
}

/// Whether the last transaction worked.
fn write(ledger: &mut Ledger, batches: &[Batch], engine: &EngineSender, own: &Own) -> bool {
    let began = clock::mono();
    let result = ledger.commit(batches).map_err(|e| e.to_string());
    own.committed(clock::mono().since(began));
    for batch in batches {
        let input = Input::Committed {
            batch: batch.id,
            result: result.clone(),
        };
        // The bell wakes the engine, so that this waits only while it is stuck; then nothing else matters.
        let _ = engine.send(ToEngine::Input(Box::new(input)));
    }
    result.is_ok()
}

/// What the thread remembers of the store's health.
#[derive(Default)]
struct State {
    failed: bool,
    short: bool,
    idle_since_failure: u32,
}

impl State {
    fn after(&mut self, ledger: &Ledger, worked: bool) {
        self.failed = !worked;
        self.idle_since_failure = 0;
        if ledger.is_short_of_space() && !self.short {
            Word::LedgerShortOfSpace.log();
        }
        self.short = ledger.is_short_of_space();
    }

    /// After a failure the ledger keeps what it could not write; without new events it is tried again from here.
    fn idle(&mut self, ledger: &mut Ledger) {
        if !self.failed {
            return;
        }
        self.idle_since_failure += 1;
        if self.idle_since_failure.is_multiple_of(RETRY_EVERY) && ledger.commit(&[]).is_ok() {
            self.failed = false;
        }
    }
}
