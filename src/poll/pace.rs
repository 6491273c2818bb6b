//! No burst leaves this host: so many datagrams per socket and tick, the rest in the next tick.
//!
//! Regular echoes go before confirm echoes: a step of many silent targets must not delay the rest.
//!
//! Never here: a deadline; a datagram given up.

use super::inflight::RoundKey;
use super::schedule::{Due, TICK_US};
use super::{Channel, PollEffect, UDP_SOCKETS};
use crate::model::Mono;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Datagrams per socket and tick of 10 ms.
const PER_TICK: u32 = 64;

/// Ticks whose budgets may be spent at once: 192 small datagrams fit the receive buffer of an unprivileged service (212,992 octets, at
/// 768 a packet).
const CATCH_UP: u32 = 3;

/// SNMP rounds begun per tick, over all sockets.
const STARTS_PER_TICK: u32 = 256;

/// Datagrams that wait for one socket.
type Queue = VecDeque<(SocketAddr, Vec<u8>)>;

/// What waits for its tick.
#[derive(Debug)]
pub(super) struct Pacer {
    tick: u64,
    /// Ticks whose budget may be spent now.
    ticks: u32,
    udp: Vec<(u32, Queue)>,
    echoes_used: u32,
    regular: VecDeque<RoundKey>,
    confirm: VecDeque<RoundKey>,
    starts_used: u32,
    starts: VecDeque<Due>,
    /// Datagrams and starts that had to wait for another tick.
    delayed: u64,
}

impl Pacer {
    /// Nothing waits.
    pub(super) fn new() -> Pacer {
        Pacer {
            tick: 0,
            ticks: 1,
            udp: (0..UDP_SOCKETS).map(|_| (0, VecDeque::new())).collect(),
            echoes_used: 0,
            regular: VecDeque::new(),
            confirm: VecDeque::new(),
            starts_used: 0,
            starts: VecDeque::new(),
            delayed: 0,
        }
    }

    /// To be called before anything is taken out: a new tick has a new budget.
    pub(super) fn enter(&mut self, now: Mono) {
        let tick = now.0 / TICK_US;
        if tick > self.tick {
            // Ticks that were slept through are made up for, as far as one burst does not fill the smallest receive buffer.
            self.ticks = u32::try_from(tick - self.tick).unwrap_or(u32::MAX).min(CATCH_UP);
            self.tick = tick;
            self.echoes_used = 0;
            self.starts_used = 0;
            self.udp.iter_mut().for_each(|(used, _)| *used = 0);
            let waiting = self.regular.len() + self.confirm.len() + self.starts.len();
            let waiting = waiting + self.udp.iter().map(|(_, q)| q.len()).sum::<usize>();
            self.delayed = self.delayed.saturating_add(waiting as u64);
        }
    }

    /// The next echo of this round wants to leave.
    pub(super) fn echo(&mut self, key: RoundKey, confirm: bool) {
        if confirm { &mut self.confirm } else { &mut self.regular }.push_back(key);
    }

    /// An SNMP round wants to begin.
    pub(super) fn start(&mut self, due: Due) {
        self.starts.push_back(due);
    }

    /// A UDP datagram wants to leave.
    pub(super) fn datagram(&mut self, socket: u8, to: SocketAddr, bytes: Vec<u8>) {
        let i = usize::from(socket) % self.udp.len();
        self.udp[i].1.push_back((to, bytes));
    }

    /// Takes out an echo, if the budget allows. Whether the round still lives is for the caller to see;
    /// [`Pacer::spend_echo`] when it does.
    pub(super) fn next_echo(&mut self) -> Option<RoundKey> {
        if self.echoes_used >= PER_TICK * self.ticks {
            return None;
        }
        self.regular.pop_front().or_else(|| self.confirm.pop_front())
    }

    /// An echo was sent.
    pub(super) fn spend_echo(&mut self) {
        self.echoes_used += 1;
    }

    /// Takes out an SNMP round that may begin.
    pub(super) fn next_start(&mut self) -> Option<Due> {
        if self.starts_used >= STARTS_PER_TICK * self.ticks {
            return None;
        }
        let due = self.starts.pop_front()?;
        self.starts_used += 1;
        Some(due)
    }

    /// Forgets SNMP rounds that have not begun.
    pub(super) fn forget_starts(&mut self) -> Vec<Due> {
        self.starts.drain(..).collect()
    }

    /// Adds the UDP datagrams that may leave now.
    pub(super) fn release(&mut self, out: &mut Vec<PollEffect>) {
        for (i, (used, queue)) in (0u8..).zip(self.udp.iter_mut()) {
            while *used < PER_TICK * self.ticks {
                let Some((to, bytes)) = queue.pop_front() else { break };
                *used += 1;
                out.push(PollEffect::Send {
                    channel: Channel::Udp(i),
                    to,
                    bytes,
                });
            }
        }
    }

    /// When something that waits may leave.
    pub(super) fn next(&self) -> Mono {
        let idle = self.regular.is_empty()
            && self.confirm.is_empty()
            && self.starts.is_empty()
            && self.udp.iter().all(|(_, q)| q.is_empty());
        if idle {
            Mono::NEVER
        } else {
            Mono((self.tick + 1) * TICK_US)
        }
    }

    /// How often something had to wait for another tick.
    pub(super) fn delayed(&self) -> u64 {
        self.delayed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_spread_over_ticks_and_nothing_is_lost() {
        let mut p = Pacer::new();
        let to: SocketAddr = "127.0.0.1:161".parse().unwrap();
        p.enter(Mono(0));
        (0..150).for_each(|_| p.datagram(3, to, vec![1]));
        let mut sent = Vec::new();
        for tick in 0..4 {
            p.enter(Mono(tick * TICK_US));
            let mut out = Vec::new();
            p.release(&mut out);
            sent.push(out.len());
        }
        assert_eq!(sent, [64, 64, 22, 0]);
        assert_eq!(p.next(), Mono::NEVER);
        assert_eq!(p.delayed(), 86 + 22);
    }

    #[test]
    fn what_was_slept_through_is_made_up_for_within_bounds() {
        let mut p = Pacer::new();
        let key = |slot| RoundKey { slot, generation: 0 };
        for (tick, expected) in [(1, 64), (3, 128), (100, 192), (101, 64)] {
            (0..300).for_each(|slot| p.echo(key(slot), false));
            p.enter(Mono(tick * TICK_US));
            let mut sent = 0;
            while p.next_echo().is_some() {
                p.spend_echo();
                sent += 1;
            }
            assert_eq!(sent, expected, "tick {tick}");
            p.regular.clear();
        }
    }

    #[test]
    fn confirm_echoes_wait_for_regular_ones() {
        let mut p = Pacer::new();
        let key = |slot| RoundKey { slot, generation: 0 };
        p.echo(key(1), true);
        p.echo(key(2), false);
        assert_eq!(
            (p.next_echo(), p.next_echo(), p.next_echo()),
            (Some(key(2)), Some(key(1)), None)
        );
    }
}
