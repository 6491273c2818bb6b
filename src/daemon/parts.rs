//! STUB of the ledger until the branch `case` is merged.
use crate::incident::{Batch, Head, Restored};
use std::path::Path;

#[derive(Debug)]
pub(crate) struct Ledger(u64);

impl Ledger {
    pub(crate) fn open(_dir: &Path) -> Result<(Ledger, Restored), String> {
        Ok((Ledger(0), Restored::default()))
    }
    pub(crate) fn commit(&mut self, batches: &[Batch]) -> Result<Head, String> {
        self.0 += batches.iter().map(|b| b.events.len() as u64).sum::<u64>();
        Ok(Head {
            seq: self.0,
            hash: "stub".into(),
        })
    }
}
