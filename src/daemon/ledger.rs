//! The ledger thread: takes all waiting batches into one transaction, answers the engine, and looks whether the ledger is still there.

use super::clock;
use super::health::{Health, Part};
use super::inbox::EngineSender;
use super::messages::{ToEngine, ToLedger};
use super::words::Word;
use crate::core::{Input, LedgerNews};
use crate::incident::{Batch, Ledger};
use crate::metrics::Own;
use crate::model::Mono;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Most batches in one transaction.
const GROUP: usize = 256;
/// Marks of progress while there is nothing to write.
const IDLE: Duration = Duration::from_millis(500);

/// After a failure, time between two tries.
const RETRY: Duration = Duration::from_secs(5);
/// Time between two looks at the files; every transaction looks as well.
const LOOK: Duration = Duration::from_secs(1);

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
            Err(RecvTimeoutError::Timeout) => {}
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
        if let Some(news) = state.look(&mut ledger, clock::mono()) {
            tell(engine, Input::Ledger(news));
        }
    }
}

fn tell(engine: &EngineSender, input: Input) {
    // The bell wakes the engine, so that this waits only while it is stuck; then nothing else matters.
    let _ = engine.send(ToEngine::Input(Box::new(input)));
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
        tell(engine, input);
    }
    result.is_ok()
}

/// What the thread remembers of the store's health.
#[derive(Default)]
struct State {
    failed: bool,
    short: bool,
    tried: Option<Mono>,
    looked: Option<Mono>,
    /// The engine knows that the ledger cannot be begun anew.
    is_lost: bool,
}

impl State {
    fn after(&mut self, ledger: &Ledger, worked: bool) {
        self.failed = !worked;
        self.tried = Some(clock::mono());
        if ledger.is_short_of_space() && !self.short {
            Word::LedgerShortOfSpace.log();
        }
        self.short = ledger.is_short_of_space();
    }

    /// Looks after the files when it is time; what came of it, once.
    fn look(&mut self, ledger: &mut Ledger, now: Mono) -> Option<LedgerNews> {
        let is_due = |last: Option<Mono>, every: Duration| last.is_none_or(|at| now.since(at) >= every);
        if is_due(self.looked, LOOK) {
            self.looked = Some(now);
            match ledger.look() {
                Ok(()) => self.is_lost = false,
                Err(error) if !std::mem::replace(&mut self.is_lost, true) => {
                    self.failed = true;
                    return Some(LedgerNews::Lost { why: error.to_string() });
                }
                Err(_) => {}
            }
        }
        // The ledger keeps what it could not write; without new events it is tried again from here.
        if self.failed && !self.is_lost && is_due(self.tried, RETRY) {
            self.tried = Some(now);
            self.failed = ledger.commit(&[]).is_err();
        }
        ledger.renewed().map(LedgerNews::Renewed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_is_gone_is_told_once_and_its_return_as_well() {
        let dir = std::env::temp_dir().join(format!("hinomi-ledger-thread-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let (mut ledger, _) = Ledger::open(&dir).unwrap();
        let mut state = State::default();
        let at = |s: u64| Mono(0) + Duration::from_secs(s);
        assert_eq!(state.look(&mut ledger, at(1)), None);
        std::fs::remove_dir_all(&dir).unwrap();
        // A file in the folder's place: nothing can be begun anew there.
        std::fs::write(&dir, b"").unwrap();
        assert_eq!(state.look(&mut ledger, at(1)), None, "not every turn");
        assert!(matches!(state.look(&mut ledger, at(2)), Some(LedgerNews::Lost { .. })));
        assert_eq!(state.look(&mut ledger, at(3)), None, "told once");
        std::fs::remove_file(&dir).unwrap();
        let Some(LedgerNews::Renewed(renewed)) = state.look(&mut ledger, at(4)) else {
            panic!("it can be begun anew");
        };
        assert!(renewed.is_whole && renewed.what.contains("removed"), "{renewed:?}");
        assert_eq!(state.look(&mut ledger, at(5)), None);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
