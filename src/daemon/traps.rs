//! The thread for traps and informs: a flood of them never delays the engine, because the engine only sees what was believed.
//!
//! Informs are answered from here. What was believed goes to the engine's inbox, some at a time; what finds no room there waits here, up
//! to a bound, and is counted beyond it.
//!
//! Never here: a decision who is believed (that is [`crate::poll::trap`]).

use super::inbox::EngineSender;
use super::messages::ToEngine;
use super::words::Word;
use super::{RunError, clock};
use crate::metrics::Own;
use crate::model::{DeviceId, Mono, Site, TrapListen, TrapSettings};
use crate::net::traps::{TrapMemory, TrapSockets};
use crate::poll::trap::{LocalEngine, TrapResult, TrapSeen, Traps};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, TrySendError};
use std::thread::JoinHandle;
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
/// Between two messages to the engine: when thousands of devices speak at once, polls have their turn too.
const APART: Duration = Duration::from_millis(10);
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

/// Opens the sockets, or takes those of systemd.
pub(super) fn open(settings: &TrapSettings) -> Result<TrapSockets, RunError> {
    match &settings.listen {
        TrapListen::At(at) => TrapSockets::open(at).map_err(|(at, error)| RunError::Traps { at, error }),
        TrapListen::Systemd => TrapSockets::inherited().map_err(RunError::TrapsInherited),
    }
}

/// What to do about a socket that cannot be opened.
pub(super) fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "A port below 1024 needs a privilege that hinomi does without: write listen = \"systemd\" and enable hinomi-traps.socket, or \
             take a port from 1024 on and let the devices send there"
        }
        io::ErrorKind::AddrInUse => "Is another program listening there (snmptrapd, or hinomi-traps.socket)?",
        _ => "Has this host that address?",
    }
}

/// Starts the thread, and tells where it listens, with how large a buffer (too small a one loses bursts), and as which engine (some senders of
/// informs want it written). Gives the addresses.
pub(super) fn spawn(
    site: &Arc<Site>,
    sockets: TrapSockets,
    inbox: Receiver<ToTraps>,
    engine: &EngineSender,
    own: &Arc<Own>,
) -> io::Result<(JoinHandle<()>, Vec<SocketAddr>)> {
    let local = local_engine(&site.daemon.state);
    let described = sockets.describe();
    let word = |(at, octets): &(SocketAddr, usize)| format!("{at} (receive buffer {octets} octets)");
    Word::TrapsListening {
        sockets: described.iter().map(word).collect::<Vec<_>>().join(", "),
        engine: hexadecimal(&local.id),
    }
    .log();
    let traps = Traps::new(Arc::clone(site), local, rand::random());
    let listener = Listener::new(sockets, traps, inbox, engine.clone(), Arc::clone(own));
    let thread = std::thread::Builder::new()
        .name("hinomi-traps".to_owned())
        .spawn(move || listener.run())?;
    Ok((thread, described.into_iter().map(|(at, _)| at).collect()))
}

/// The thread's state.
struct Listener {
    sockets: TrapSockets,
    traps: Traps,
    inbox: Receiver<ToTraps>,
    engine: EngineSender,
    own: Arc<Own>,
    waiting: Vec<TrapSeen>,
    /// When the engine was last given some.
    handed: Mono,
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
    fn new(
        sockets: TrapSockets,
        traps: Traps,
        inbox: Receiver<ToTraps>,
        engine: EngineSender,
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
            handed: Mono(0),
            overflow: 0,
            counted: now,
            // The first minute's refusals are told when it is over.
            told: now,
            told_refused: 0,
            stranger: None,
        }
    }

    /// Runs until told to stop.
    fn run(mut self) {
        let mut memory = TrapMemory::new();
        self.count();
        loop {
            match self.inbox.try_recv() {
                Ok(ToTraps::Site(site)) => self.reload(&site),
                Ok(ToTraps::Stop) | Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            self.sockets.wait(if self.waiting.is_empty() { LOOK } else { GATHER });
            let came = self.receive(&mut memory);
            if !self.hand_over(clock::mono()) {
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

    /// Gives some of what was believed to the engine, if it is time and there is room. `false`: the engine has ended.
    fn hand_over(&mut self, now: Mono) -> bool {
        if self.waiting.is_empty() || now.since(self.handed) < APART {
            return true;
        }
        self.handed = now;
        let rest = self.waiting.split_off(self.waiting.len().min(TOGETHER));
        let seen = std::mem::replace(&mut self.waiting, rest);
        let site = Arc::clone(self.traps.site());
        match self.engine.try_send(ToEngine::Traps { site, seen }) {
            Ok(()) => true,
            Err(TrySendError::Full(ToEngine::Traps { mut seen, .. })) => {
                seen.append(&mut self.waiting);
                self.waiting = seen;
                true
            }
            Err(_) => false,
        }
    }

    /// Another configuration. What waits is translated by name; devices that are gone have nothing to say any more.
    fn reload(&mut self, site: &Arc<Site>) {
        if !self.waiting.is_empty() {
            let old = Arc::clone(self.traps.site());
            let ids: HashMap<&str, DeviceId> = site.iter().map(|(id, d)| (&*d.name, id)).collect();
            self.waiting.retain_mut(|trap| {
                let new = ids.get(&*old.device(trap.device).name);
                trap.device = *new.unwrap_or(&trap.device);
                new.is_some()
            });
        }
        self.traps.reload(Arc::clone(site));
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
fn local_engine(state: &Path) -> LocalEngine {
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

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
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
        engine_id: hexadecimal(&id),
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
    use crate::config::{Host, SourceFile, check};
    use crate::daemon::inbox::engine_inbox;
    use std::sync::mpsc::sync_channel;

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

    #[test]
    fn what_finds_no_room_waits_in_its_order_and_goes_with_a_reload() {
        let site = |first: &str| {
            let text = format!(
                "[operator]\nname = \"Test\"\n[traps]\nlisten = \"systemd\"\n[[device]]\nname = \"{first}\"\naddress = \"192.0.2.1\"\n\
                 [[device]]\nname = \"edge\"\naddress = \"192.0.2.2\"\n"
            );
            let file = SourceFile {
                path: "hinomi.toml".into(),
                text,
                private: true,
            };
            let loaded = check(&[file], &Host::new().without_secrets());
            Arc::new(loaded.site.unwrap())
        };
        let sockets = TrapSockets::open(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let local = LocalEngine {
            id: identity([7; 16]),
            boots: 1,
            started: Mono(0),
        };
        let (engine, inbox) = engine_inbox(1).unwrap();
        let traps = Traps::new(site("gone"), local, 7);
        let mut listener = Listener::new(sockets, traps, sync_channel(1).1, engine, Arc::new(Own::new()));
        let seen = |i: u32| TrapSeen {
            device: DeviceId(u32::from(!i.is_multiple_of(3))),
            kind: crate::poll::trap::TrapKind::Other,
            oid: i.to_string(),
            details: String::new(),
            at: Mono(0),
        };
        listener.waiting = (0..600).map(seen).collect();
        let mut got = Vec::new();
        let mut now = Mono(1_000_000);
        for _ in 0..3 {
            assert!(
                listener.hand_over(now) && listener.hand_over(now),
                "a full inbox is no end"
            );
            now = now + APART;
        }
        assert_eq!(listener.waiting.len(), 600 - TOGETHER);
        listener.reload(&site("another"));
        while got.len() < 600 - (TOGETHER..600).filter(|i| i % 3 == 0).count() {
            let ToEngine::Traps { site, seen } = inbox.try_recv().unwrap() else {
                panic!("another message")
            };
            got.extend(
                seen.into_iter()
                    .map(|t| (site.device(t.device).name.to_string(), t.oid)),
            );
            assert!(listener.hand_over(now));
            now = now + APART;
        }
        assert!(listener.waiting.is_empty());
        let expected = |i: &u32| !i.is_multiple_of(3) || (*i as usize) < TOGETHER;
        let name = |i: u32| if i.is_multiple_of(3) { "gone" } else { "edge" };
        let expected: Vec<(String, String)> = (0..600)
            .filter(expected)
            .map(|i| (name(i).to_owned(), i.to_string()))
            .collect();
        assert_eq!(got, expected);
        drop(inbox);
        listener.waiting = vec![seen(1)];
        assert!(!listener.hand_over(now), "the engine has ended");
    }
}
