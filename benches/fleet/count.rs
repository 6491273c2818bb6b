//! What was asked of whom and when: a few numbers by address, and a log of the rounds that began in the measured window.

use super::agent::Asked;

/// A round of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The agent.
    pub(crate) who: u32,
    /// Its first request, milliseconds since the fleet began.
    pub(crate) ms: u32,
    /// All its ports were asked for.
    pub(crate) complete: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    began: u32,
    ms: u32,
    shape: u32,
    entry: u32,
    ports: u64,
}

/// Requests of one kind of probe.
#[derive(Debug)]
pub(crate) struct Count {
    interval_ms: u32,
    all_ports: u64,
    latest: Vec<Latest>,
    pub(crate) log: Vec<Entry>,
    /// Datagrams in the window.
    pub(crate) requests: u64,
    /// The same objects again within a round.
    pub(crate) retries: u64,
    /// GETs of one object: is the agent there?
    pub(crate) single: u64,
    /// GETNEXT and GETBULK.
    pub(crate) walks: u64,
    /// Not understood.
    pub(crate) garbage: u64,
}

const NEVER: u32 = u32::MAX;

impl Count {
    pub(crate) fn new(targets: u32, ports: u32, interval_ms: u32) -> Count {
        let latest = Latest {
            entry: NEVER,
            ..Latest::default()
        };
        Count {
            interval_ms,
            all_ports: if ports >= 64 { u64::MAX } else { (1 << ports) - 1 },
            latest: vec![latest; targets as usize],
            log: Vec::new(),
            requests: 0,
            retries: 0,
            single: 0,
            walks: 0,
            garbage: 0,
        }
    }

    /// A new window. Rounds under way stay what they are: their beginning lies before it.
    pub(crate) fn restart(&mut self) {
        self.latest.iter_mut().for_each(|l| l.entry = NEVER);
        self.log.clear();
        (self.requests, self.retries, self.single, self.walks, self.garbage) = (0, 0, 0, 0, 0);
    }

    /// An SNMP request. A round is the first GET of a poll after half an interval or more since the last round began.
    pub(crate) fn asked(&mut self, who: u32, ms: u32, asked: Asked) {
        self.requests += 1;
        self.walks += u64::from(asked.walk);
        if !asked.poll {
            self.single += u64::from(!asked.walk);
            return;
        }
        let latest = &mut self.latest[who as usize];
        let within = latest.began != 0 && ms - latest.began < self.interval_ms / 2;
        if within && latest.shape == asked.shape {
            self.retries += 1;
            return;
        }
        if !within {
            *latest = Latest {
                began: ms,
                entry: self.log.len() as u32,
                ..Latest::default()
            };
            self.log.push(Entry {
                who,
                ms,
                complete: false,
            });
        }
        latest.shape = asked.shape;
        latest.ports |= asked.ports;
        if latest.ports & self.all_ports == self.all_ports && latest.entry != NEVER {
            self.log[latest.entry as usize].complete = true;
        }
    }

    /// An echo request. Those that follow within 1.5 s belong to the same round.
    pub(crate) fn echo(&mut self, who: u32, ms: u32) {
        self.requests += 1;
        let latest = &mut self.latest[who as usize];
        let again = latest.ms != 0 && ms - latest.ms < 1_500;
        latest.ms = ms;
        if again {
            self.retries += 1;
            return;
        }
        self.log.push(Entry {
            who,
            ms,
            complete: true,
        });
    }
}
