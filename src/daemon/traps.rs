//! The thread for traps and informs: a flood of them never delays the engine, because the engine only sees what was believed.
//!
//! Informs are answered from here. What was believed goes to the engine's inbox, some at a time; what finds no room there waits here, up
//! to a bound, and is counted beyond it.
//!
//! Never here: a decision who is believed (that is [`crate::poll::trap`]).

use super::clock;
use super::messages::ToEngine;
use super::words::Word;
use crate::metrics::Own;
use crate::model::{Mono, Site};
use crate::net::traps::{TrapMemory, TrapSockets};
use crate::poll::trap::{LocalEngine, TrapResult, TrapSeen, Traps};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::Duration;

/// A message to this thread is seen after this time at the latest.
const LOOK: Duration = Duration::from_millis(200);
/// After datagrams were read, so long the next ones gather: a flood then costs a system call for many, not one for each. At 50,000 a second 100
/// gather, which fit the smallest receive buffer there is.
const GATHER: Duration = Duration::from_millis(2);
/// The counters are handed on, and the kernel's are read, this often.
const COUNT: Duration = Duration::from_secs(1);
/// What was refused is told in the log at most this often.
const TELL: Duration = Duration::from_secs(60);
/// Notifications in one message to the engine.
const TOGETHER: usize = 256;
/// Notifications that may wait for the engine.
const WAITING: usize = 8_192;

/// To this thread.
#[derive(Debug)]
pub(super) enum ToTraps {
    /// Another configuration.
    Site(Arc<Site>),
    /// Come to an end.
    Stop,
}

/// The thread's state.
pub(super) struct Listener {
    sockets: TrapSockets,
    traps: Traps,
    inbox: Receiver<ToTraps>,
    engine: SyncSender<ToEngine>,
    own: Arc<Own>,
    waiting: Vec<TrapSeen>,
    /// Believed, but the engine had no room.
    overflow: u64,
    counted: Mono,
    told: Mono,
    /// What the log knows already.
    told_refused: u64,
    /// The last sender that was refused because no device has its address.
    stranger: Option<SocketAddr>,
}

impl Listener {
    pub(super) fn new(
        sockets: TrapSockets,
        traps: Traps,
        inbox: Receiver<ToTraps>,
        engine: SyncSender<ToEngine>,
        own: Arc<Own>,
    ) -> Listener {
        let now = clock::mono();
        Listener {
            sockets,
            traps,
            inbox,
            engine,
            own,
            waiting: Vec::new(),
            overflow: 0,
            counted: now,
            // The first minute's refusals are told when it is over.
            told: now,
            told_refused: 0,
            stranger: None,
        }
    }

    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let mut memory = TrapMemory::new();
        self.count();
        loop {
            match self.inbox.try_recv() {
                Ok(ToTraps::Site(site)) => {
                    // What waits has the numbers of the old site: it goes with that.
                    self.hand_over();
                    self.overflow += self.waiting.len() as u64;
                    self.waiting.clear();
                    self.traps.reload(site);
                }
                Ok(ToTraps::Stop) | Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            self.sockets.wait(if self.waiting.is_empty() { LOOK } else { GATHER });
            let came = self.receive(&mut memory);
            if !self.hand_over() {
                return;
            }
            self.account(clock::mono());
            if came > 0 {
                std::thread::sleep(GATHER);
            }
        }
    }

    fn receive(&mut self, memory: &mut TrapMemory) -> usize {
        let now = clock::mono();
        let (traps, waiting, overflow, stranger) = (
            &mut self.traps,
            &mut self.waiting,
            &mut self.overflow,
            &mut self.stranger,
        );
        let strangers = traps.count_of(TrapResult::UnknownSource);
        let mut last = None;
        let came = self.sockets.receive(memory, |from, bytes| {
            let (seen, answer) = traps.take(from, bytes, now);
            match seen {
                Some(seen) if waiting.len() < WAITING => waiting.push(seen),
                Some(_) => *overflow += 1,
                None => last = Some(from),
            }
            answer
        });
        if traps.count_of(TrapResult::UnknownSource) > strangers {
            *stranger = last;
        }
        came
    }

    /// Gives what was believed to the engine, as far as it has room. `false`: the engine has ended.
    fn hand_over(&mut self) -> bool {
        while !self.waiting.is_empty() {
            let rest = self.waiting.split_off(self.waiting.len().min(TOGETHER));
            let seen = std::mem::replace(&mut self.waiting, rest);
            let site = Arc::clone(self.traps.site());
            match self.engine.try_send(ToEngine::Traps { site, seen }) {
                Ok(()) => {}
                Err(TrySendError::Full(ToEngine::Traps { mut seen, .. })) => {
                    seen.append(&mut self.waiting);
                    self.waiting = seen;
                    return true;
                }
                Err(_) => return false,
            }
        }
        true
    }

    fn account(&mut self, now: Mono) {
        if now.since(self.counted) >= COUNT {
            self.counted = now;
            self.count();
        }
        if now.since(self.told) >= TELL {
            self.told = now;
            self.tell();
        }
    }

    fn count(&self) {
        let counts = self.traps.counts().map(|(result, count)| (result.key(), count));
        self.own.traps(counts.chain([("engine_busy", self.overflow)]));
        if let Some(drops) = self.sockets.kernel_drops() {
            self.own.traps_dropped(drops);
        }
    }

    fn tell(&mut self) {
        let refused: Vec<(&'static str, u64)> = self
            .traps
            .counts()
            .filter(|(result, count)| {
                !matches!(
                    result,
                    TrapResult::Accepted | TrapResult::Repeated | TrapResult::Discovery
                ) && *count > 0
            })
            .map(|(result, count)| (result.key(), count))
            .collect();
        let all: u64 = refused.iter().map(|(_, count)| count).sum();
        if all > self.told_refused {
            self.told_refused = all;
            let words: Vec<String> = refused.iter().map(|(key, count)| format!("{key} {count}")).collect();
            Word::TrapsRefused {
                counts: words.join(", "),
                stranger: self.stranger,
            }
            .log();
        }
    }
}

/// What is kept of the engine that informs are sent to.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// snmpEngineID in hexadecimal.
    engine_id: String,
    /// snmpEngineBoots of the last run.
    boots: u32,
}

const FILE: &str = "snmp-engine.json";

/// The private enterprise number that stands for "none of one's own" (RFC 5612). The random part makes the identity unique.
const ENTERPRISE: u32 = 32_473;
/// RFC 3411, SnmpEngineID: octets chosen by the administrator follow.
const OCTETS: u8 = 5;

/// Our identity as an SNMPv3 engine, one boot later than the last time. Where it cannot be kept this run has a new one: the same identity with
/// the same boots twice would let old informs be played back.
pub(super) fn local_engine(state: &Path) -> LocalEngine {
    let (id, boots) = kept_engine(state, rand::random()).unwrap_or_else(|error| {
        Word::TrapIdentityNotKept {
            error: error.to_string(),
        }
        .log();
        (identity(rand::random()), 1)
    });
    LocalEngine {
        id,
        boots,
        started: clock::mono(),
    }
}

fn identity(random: [u8; 16]) -> Vec<u8> {
    let [a, b, c, d] = (ENTERPRISE | 1 << 31).to_be_bytes();
    [a, b, c, d, OCTETS].into_iter().chain(random).collect()
}

/// What the file says, one boot later, and written back. A file that is absent or damaged gives a new identity.
fn kept_engine(state: &Path, random: [u8; 16]) -> io::Result<(Vec<u8>, u32)> {
    let path = state.join(FILE);
    let (id, boots) = read(&path).unwrap_or_else(|| (identity(random), 0));
    let boots = boots + 1;
    let kept = Kept {
        engine_id: id.iter().map(|octet| format!("{octet:02x}")).collect(),
        boots,
    };
    let new = state.join(format!("{FILE}.new"));
    let mut file = std::fs::File::create(&new)?;
    file.write_all(serde_json::to_string(&kept)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    Ok((id, boots))
}

/// Identity and boots as they were kept, if they are usable.
fn read(path: &Path) -> Option<(Vec<u8>, u32)> {
    let kept: Kept = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let digits = kept.engine_id.as_bytes();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let id: Vec<u8> = digits.chunks(2).map(octet).collect::<Option<_>>()?;
    // RFC 3414 section 2.2.1: an engine whose boots have come to their end needs a new identity.
    ((5..=32).contains(&id.len()) && kept.boots < i32::MAX.unsigned_abs() - 1).then_some((id, kept.boots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_stays_and_boots_grow_and_damage_gives_a_new_identity() {
        let folder = std::env::temp_dir().join(format!("hinomi-engine-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = kept_engine(&folder, [1; 16]).unwrap();
        let second = kept_engine(&folder, [2; 16]).unwrap();
        assert_eq!((&first.0, first.1, second.1), (&second.0, 1, 2));
        assert_eq!(first.0[..5], [0x80, 0, 0x7e, 0xd9, 5]);
        std::fs::write(folder.join(FILE), "{\"engine_id\":\"80é\",\"boots\":7}").unwrap();
        let third = kept_engine(&folder, [3; 16]).unwrap();
        assert_eq!((third.1, third.0 == first.0), (1, false));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(kept_engine(&folder, [4; 16]).is_err());
    }
}
