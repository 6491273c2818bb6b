//! Who made progress when: marks that the threads leave and that the watchdog, `/healthz` and `/metrics` read.

use super::clock;
use crate::model::Mono;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A ledger that was begun anew is shown for so long, so that whoever asks once a minute sees it.
const SHOWN: Duration = Duration::from_secs(300);

/// Parts that must make progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The engine thread.
    Engine,
    /// The ledger thread.
    Ledger,
    /// The tokio runtime.
    Tokio,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Engine, Part::Ledger, Part::Tokio];

    pub(crate) fn key(self) -> &'static str {
        match self {
            Part::Engine => "engine",
            Part::Ledger => "ledger",
            Part::Tokio => "tokio",
        }
    }
}

/// The marks.
#[derive(Debug)]
pub(crate) struct Health {
    marks: [AtomicU64; 3],
    config_ok: AtomicBool,
    ledger_error: Mutex<Option<String>>,
    /// Contacts whom no route takes mail for, in words.
    refused: Mutex<Vec<String>>,
    /// When the ledger was last begun anew, and why.
    begun_anew: Mutex<Option<(Mono, String)>>,
}

impl Health {
    pub(crate) fn new() -> Health {
        let now = clock::mono().0;
        Health {
            marks: std::array::from_fn(|_| AtomicU64::new(now)),
            config_ok: AtomicBool::new(true),
            ledger_error: Mutex::new(None),
            refused: Mutex::default(),
            begun_anew: Mutex::new(None),
        }
    }

    /// This part made progress.
    pub(crate) fn mark(&self, part: Part) {
        self.marks[part as usize].store(clock::mono().0, Ordering::Relaxed);
    }

    /// When it last did.
    pub(crate) fn last(&self, part: Part) -> Mono {
        Mono(self.marks[part as usize].load(Ordering::Relaxed))
    }

    /// How long ago.
    pub(crate) fn age(&self, part: Part) -> Duration {
        clock::mono().since(self.last(part))
    }

    /// The ledger works (`None`), or its words.
    pub(crate) fn set_ledger_error(&self, error: Option<String>) {
        *self.ledger_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// The ledger's words while it does not work.
    pub(crate) fn ledger_error(&self) -> Option<String> {
        self.ledger_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These contacts cannot be told of anything, in words.
    pub(crate) fn set_refused(&self, contacts: Vec<String>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = contacts;
    }

    /// The contacts that cannot be told of anything.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ledger was damaged or gone, and was begun anew.
    pub(crate) fn ledger_begun_anew(&self, what: String) {
        *self.begun_anew.lock().unwrap_or_else(PoisonError::into_inner) = Some((clock::mono(), what));
    }

    /// Why the ledger was begun anew, for as long as that is to be shown.
    pub(crate) fn begun_anew(&self, now: Mono) -> Option<String> {
        let begun = self.begun_anew.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = begun.as_ref().filter(|(at, _)| now.since(*at) < SHOWN);
        recent.map(|(_, what)| what.clone())
    }

    /// The last reload worked.
    pub(crate) fn set_config_ok(&self, ok: bool) {
        self.config_ok.store(ok, Ordering::Relaxed);
    }

    /// Did it?
    pub(crate) fn config_ok(&self) -> bool {
        self.config_ok.load(Ordering::Relaxed)
    }
}
