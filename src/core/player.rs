//! Plays a record: the same inputs through the same rules, and what was said then.
//!
//! A record that holds everything from the daemon's start, played with the configuration it was made with, gives the same mails to
//! the octet. Any other (begun midway, only part of the inputs, another configuration: "what would have been said?") is played as
//! if the ledger had taken every batch and the relays every mail at once.
//!
//! Never here: a file, words for people.

use super::tape::{Beginning, FORMAT, Line, Took, Turn};
use super::{Core, Effect, Input};
use crate::incident::{Event, Head};
use crate::model::{Mono, Now, Site};
use crate::notify::{Delivery, Outcome, RouteTest};
use std::sync::Arc;
use std::time::Duration;

/// What playing gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Something for the ledger.
    Event(Box<Event>),
    /// A mail.
    Mail(Box<Delivery>),
}

/// Why a record cannot be played.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// It does not begin with its beginning.
    #[error("the first line of a record says what it was made from; this file begins with something else")]
    NoBeginning,
    /// Another version's.
    #[error("this record has format {0}, this hinomi reads format {FORMAT}")]
    Format(u32),
    /// A reload to a configuration that is not at hand.
    #[error("at {at} ms since 1970 a configuration with fingerprint {fingerprint} was loaded: give it too")]
    Reload {
        /// Wall time.
        at: i64,
        /// Which.
        fingerprint: String,
    },
}

/// A record being played.
pub struct Player {
    core: Core,
    exact: bool,
    now: Now,
    /// Lines that whoever wrote the record lost.
    pub lost: u64,
}

impl Player {
    /// Begins. `site`: the configuration to play with, as a rule the one of the record.
    pub fn new(first: &Line, site: Arc<Site>) -> Result<Player, PlayError> {
        let Line::Began(began) = first else {
            return Err(PlayError::NoBeginning);
        };
        if began.format != FORMAT {
            return Err(PlayError::Format(began.format));
        }
        let exact = is_exact(began, &site);
        Ok(Player {
            core: Core::play(site, began),
            exact,
            now: began.now,
            lost: 0,
        })
    }

    /// What is played is the same to the octet.
    pub fn is_exact(&self) -> bool {
        self.exact && self.lost == 0 && self.core.strangers() == 0
    }

    /// Observations of devices that the configuration does not have.
    pub fn strangers(&self) -> u64 {
        self.core.strangers()
    }

    /// What is open and what ended lately.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Plays one line. `sites` gives the configuration of a fingerprint, for a reload.
    pub fn line(
        &mut self,
        line: Line,
        sites: impl FnOnce(&str) -> Option<Arc<Site>>,
        said: &mut Vec<Said>,
    ) -> Result<(), PlayError> {
        match line {
            Line::Turn(turn) => self.turn(*turn, sites, said)?,
            Line::Lost { lines } => self.lost += lines,
            Line::Began(_) | Line::Mail(_) => {}
        }
        Ok(())
    }

    fn turn(
        &mut self,
        turn: Turn,
        sites: impl FnOnce(&str) -> Option<Arc<Site>>,
        said: &mut Vec<Said>,
    ) -> Result<(), PlayError> {
        let now = turn.now;
        if !self.exact {
            self.pass_time(now, said);
            // The answers of the shell of then belong to the mails of then.
            if matches!(
                turn.took,
                Took::Committed { .. } | Took::CommitLate { .. } | Took::Ledger(_) | Took::Delivered { .. }
            ) {
                return Ok(());
            }
        }
        let fingerprint = match &turn.took {
            Took::Reload { fingerprint } => fingerprint.clone(),
            _ => String::new(),
        };
        if !self.core.play_turn(turn, sites) {
            // Played with another configuration, that one stays in force.
            if !self.exact {
                return Ok(());
            }
            return Err(PlayError::Reload {
                at: now.wall.0,
                fingerprint,
            });
        }
        self.now = now;
        self.hand_out(now, said);
        Ok(())
    }

    /// What the time alone brings before the next line.
    fn pass_time(&mut self, until: Now, said: &mut Vec<Said>) {
        self.hand_out(self.now, said);
        let mut last = Mono(0);
        loop {
            let due = self.core.next_wakeup().max(self.now.mono);
            if due >= until.mono {
                return;
            }
            // Whatever is due at one moment again and again is left to the next line.
            let due = if due == last {
                due + Duration::from_millis(10)
            } else {
                due
            };
            last = due;
            let now = Now {
                mono: due,
                wall: until.wall.before(until.mono.since(due)),
            };
            self.now = now;
            self.core.wake(now);
            self.hand_out(now, said);
        }
    }

    fn hand_out(&mut self, now: Now, said: &mut Vec<Said>) {
        loop {
            let effects = self.core.effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                let answer = match effect {
                    Effect::Commit(batch) => {
                        let events = batch.events.iter().filter_map(|e| Event::from_json(e).ok());
                        said.extend(events.map(|e| Said::Event(Box::new(e))));
                        Input::Committed {
                            batch: batch.id,
                            result: Ok(Head {
                                seq: batch.id,
                                hash: "played".to_owned(),
                            }),
                        }
                    }
                    Effect::Deliver(delivery) => {
                        let attempt = delivery.attempt;
                        said.push(Said::Mail(Box::new(delivery)));
                        Input::Delivered {
                            attempt,
                            outcome: Outcome::Accepted {
                                relay: "played".to_owned(),
                                reply: "250".to_owned(),
                            },
                        }
                    }
                    Effect::TestRoute { route, with_auth } => Input::RouteTested(RouteTest {
                        route,
                        with_auth,
                        transcript: Vec::new(),
                        result: Ok("played".to_owned()),
                    }),
                    Effect::Send { .. } | Effect::TcpConnect { .. } | Effect::Ask(_) => continue,
                };
                if !self.exact {
                    self.core.take(answer, now);
                }
            }
        }
    }
}

fn is_exact(began: &Beginning, site: &Site) -> bool {
    began.complete && !began.midway && began.fingerprint == site.fingerprint
}
