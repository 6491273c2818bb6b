//! A stand-in of the SNMP client until branch `snmp` is merged: same verbs, a request is eight octets of token.
#![allow(missing_docs)]

use super::{AgentFailure, AgentRound, Channel, DropReason};
use crate::model::{DeviceId, Mono, Now, Site};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum AgentEvent {
    Send {
        channel: Channel,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Round(AgentRound),
    Liveness {
        device: DeviceId,
        token: u64,
        result: Result<Duration, AgentFailure>,
        started: Mono,
        ended: Mono,
    },
}

#[derive(Debug)]
pub struct Agents {
    site: Arc<Site>,
    open: BTreeMap<u64, (DeviceId, Mono, bool)>,
    events: Vec<AgentEvent>,
    next: u64,
    dropped: BTreeMap<DropReason, u64>,
}

impl Agents {
    pub fn new(site: Arc<Site>, _seed: [u8; 32]) -> Agents {
        Agents {
            site,
            open: BTreeMap::new(),
            events: Vec::new(),
            next: 1 << 60,
            dropped: BTreeMap::new(),
        }
    }
    pub fn reload(&mut self, site: Arc<Site>, _now: Now) {
        self.site = site;
    }
    fn send(&mut self, device: DeviceId, token: u64, now: Now, round: bool) {
        let d = self.site.device(device);
        let to = SocketAddr::new(d.address, d.snmp.as_ref().map_or(161, |s| s.port));
        self.open.insert(token, (device, now.mono, round));
        self.events.push(AgentEvent::Send {
            channel: Channel::Udp(0),
            to,
            bytes: token.to_be_bytes().to_vec(),
        });
    }
    pub fn start_round(&mut self, device: DeviceId, now: Now) {
        self.next += 1;
        self.send(device, self.next, now, true);
    }
    pub fn start_liveness(&mut self, device: DeviceId, token: u64, now: Now) {
        self.send(device, token, now, false);
    }
    pub fn busy(&self, device: DeviceId) -> bool {
        self.open.values().any(|o| o.0 == device)
    }
    pub fn take(&mut self, _channel: Channel, _from: SocketAddr, at: Mono, bytes: &[u8], now: Now) {
        let token = bytes.try_into().map(u64::from_be_bytes).unwrap_or(0);
        if let Some(o) = self.open.remove(&token) {
            self.end(token, o, Ok(at.since(o.1)), now);
        }
    }
    fn end(&mut self, token: u64, o: (DeviceId, Mono, bool), result: Result<Duration, AgentFailure>, now: Now) {
        let (device, started, round) = o;
        self.events.push(if round {
            let outcome = result.map(|_| Default::default());
            AgentEvent::Round(AgentRound {
                device,
                started,
                ended: now.mono,
                outcome,
            })
        } else {
            AgentEvent::Liveness {
                device,
                token,
                result,
                started,
                ended: now.mono,
            }
        });
    }
    pub fn send_failed(&mut self, _channel: Channel, _to: SocketAddr, _error: &str, _now: Now) {}
    fn deadline(&self, o: &(DeviceId, Mono, bool)) -> Mono {
        o.1 + self.site.device(o.0).poll.timeout
    }
    pub fn next_wakeup(&self) -> Mono {
        self.open
            .values()
            .map(|o| self.deadline(o))
            .min()
            .unwrap_or(Mono::NEVER)
    }
    pub fn wake(&mut self, now: Now) {
        let due: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, o)| self.deadline(o) <= now.mono)
            .map(|(t, _)| *t)
            .collect();
        for token in due {
            if let Some(o) = self.open.remove(&token) {
                self.end(token, o, Err(AgentFailure::Timeout), now);
            }
        }
    }
    pub fn events(&mut self) -> Vec<AgentEvent> {
        std::mem::take(&mut self.events)
    }
    pub fn dropped(&self) -> &BTreeMap<DropReason, u64> {
        &self.dropped
    }
}
