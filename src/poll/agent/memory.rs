//! What was learned of devices, in a form that outlives the process: where names stand, which profile fits and what of it is answered,
//! how much an answer may hold, which SNMPv3 engine answers.
//!
//! All of it is a hint that the next round proves or drops: the name is read again beside the counters, the engine has to sign. So
//! what is wrong, or was lost, costs requests and never a reading.
//!
//! Never here: a key, a password, a community; a file.

use super::device::Agent;
use super::learn::Learned;
use super::wanted::{ProfileWish, Wanted};
use crate::model::snmp::{Credentials, SnmpAccess, TextEncoding};
use crate::model::{Metric, Mono, Name, Part, Wall};
use crate::poll::Topology;
use crate::poll::schedule::stable_hash;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What was learned of one device. Fields have short names in the file: a nation has hundreds of thousands of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The device's.
    #[serde(rename = "n")]
    pub(super) name: Name,
    /// What the configuration said then of whom we speak to, how, and what is wanted ([`mark`]).
    #[serde(rename = "k")]
    pub(super) mark: u32,
    /// sysUpTime, TimeTicks.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) uptime: Option<u32>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<Box<TableMemory>>,
    /// Names once matched that stand in no row of `table`.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) seen: Vec<Name>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Box<Identity>>,
    /// Of the profile.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) learned: Option<Box<Learned>>,
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub(super) sizes: Option<Sizes>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) engine: Option<Box<EngineMemory>>,
    /// Cables: while a neighbour is down nobody tells of it.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) cables: Option<Box<Topology>>,
    /// Numbers that are waited for because they were once given, or have not been given for a while.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<NumberMemory>,
}

/// A number that is waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberMemory {
    /// Of which part.
    #[serde(rename = "p")]
    pub part: Part,
    /// Which.
    #[serde(rename = "m")]
    pub metric: Metric,
    /// It was given once.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub ever: bool,
    /// Milliseconds for which the agent has answered without it.
    #[serde(rename = "u", default)]
    pub unheard_ms: u32,
}

/// Rows that bear wanted names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TableMemory {
    #[serde(rename = "r", default)]
    pub(super) rows: Vec<(u32, Name)>,
    /// The `alias:` or `session:` that rows were found by.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) found_by: Vec<(u32, Name)>,
    /// Rows without 64-bit counters.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) narrow: Vec<u32>,
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) by_descr: bool,
    /// Rows that are called by their ifDescr, as they have no ifName.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) called_by_descr: Vec<u32>,
    /// ifNumber and ifTableLastChange.
    #[serde(rename = "v", default)]
    pub(super) version: (Option<i64>, Option<u32>),
    /// Milliseconds that the walk took.
    #[serde(rename = "c", default)]
    pub(super) cost_ms: u32,
}

/// sysObjectID and the profile that was chosen by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    #[serde(rename = "o")]
    pub(super) object_id: Arc<[u32]>,
    #[serde(rename = "p")]
    pub(super) profile: Name,
}

/// How large an answer may become.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sizes {
    /// Octets.
    #[serde(rename = "o")]
    pub(super) room: u16,
    /// Rows asked of a GETBULK.
    #[serde(rename = "r")]
    pub(super) repetitions: u8,
    /// Objects.
    #[serde(rename = "m", default = "unlimited", skip_serializing_if = "is_unlimited")]
    pub(super) most: u16,
}

fn unlimited() -> u16 {
    u16::MAX
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_unlimited(most: &u16) -> bool {
    *most == u16::MAX
}

/// An SNMPv3 engine. Its keys are made anew from the passwords.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EngineMemory {
    /// Hexadecimal.
    #[serde(rename = "i")]
    pub(super) id: String,
    #[serde(rename = "b")]
    pub(super) boots: u32,
    /// Seconds.
    #[serde(rename = "t")]
    pub(super) time: u32,
}

impl Memory {
    /// The device's name.
    pub fn name(&self) -> &Name {
        &self.name
    }
}

/// What was learned of a site.
#[derive(Clone, Debug, Default)]
pub struct Memories {
    /// When it was written down.
    pub at: Wall,
    /// The profiles of that time ([`super::Agents::profiles_mark`]): of others, what was learned of them means nothing.
    pub profiles: u32,
    /// By name.
    pub devices: HashMap<Name, Memory>,
}

/// What passes between writing down and reading, and how much of it has to be believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub(super) elapsed: Duration,
    pub(super) now: Mono,
}

/// The clocks of this host and of an agent may differ by this, and by a hundredth of the time passed.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

impl Since {
    /// What sysUpTime must be by now, at least, of a device that has not restarted; `None` if it may have wrapped.
    pub(super) fn uptime(self, then: u32) -> Option<u32> {
        let ticks = |d: Duration| d.as_millis() / 10;
        let passed = u128::from(then) + ticks(self.elapsed);
        let slack = ticks(self.elapsed) / 100 + ticks(CLOCKS_DIFFER);
        let whole = u32::try_from(passed + slack).ok().map(|_| passed.saturating_sub(slack));
        whole.and_then(|least| u32::try_from(least).ok())
    }

    /// When something was looked up that has to be looked up again after `period`. It was not now: the devices of a site that starts
    /// would all be due at once, a period later, or at once after a long rest.
    pub(super) fn looked_up(self, name: &str, period: Duration) -> Mono {
        let share = stable_hash(&[name, "look-up"]) % 1_000;
        self.now - period.mul_f64(share as f64 / 1_000.0)
    }
}

/// Stands for what must not have changed if a memory is to be of use: address, way of speaking, wanted names and profile.
pub(super) fn mark(target: SocketAddr, access: &SnmpAccess, wanted: &Wanted) -> u32 {
    let (version, user, context) = match &access.credentials {
        Credentials::V1 { .. } => ("1", "", ""),
        Credentials::V2c { .. } => ("2c", "", ""),
        Credentials::V3(user) => ("3", &*user.user, &*user.context),
    };
    let profile = match &wanted.profile {
        ProfileWish::Auto => "auto",
        ProfileWish::Named(name) => name,
        ProfileWish::None => "none",
    };
    let mut sum = Sum::default();
    match target.ip() {
        IpAddr::V4(v4) => sum.add(&v4.octets()),
        IpAddr::V6(v6) => sum.add(&v6.octets()),
    }
    if let SocketAddr::V6(v6) = target
        && v6.scope_id() != 0
    {
        sum.add(&v6.scope_id().to_be_bytes());
    }
    sum.add(&target.port().to_be_bytes());
    for word in [version, &access.name, user, context, profile] {
        sum.add(word.as_bytes());
    }
    // The usual one adds nothing, so that what was written down before still fits.
    if access.text != TextEncoding::Auto {
        sum.add(&[access.text as u8]);
    }
    for names in wanted.patterns.lists() {
        sum.add(b"/");
        names.iter().for_each(|name| sum.add(name.as_bytes()));
    }
    sum.short()
}

/// FNV-1a, word by word: all devices are summed whenever a copy is taken, so nothing is put together for it.
struct Sum(u64);

impl Default for Sum {
    fn default() -> Sum {
        Sum(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    fn add(&mut self, word: &[u8]) {
        let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.0 = word.iter().copied().chain([0xff]).fold(self.0, step);
    }

    /// Both halves have a part in it.
    fn short(&self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

/// 32 bits are enough to notice a change.
pub(super) fn short(words: &[&str]) -> u32 {
    (stable_hash(words) >> 32) as u32
}

impl Agent {
    /// See [`mark`].
    pub(super) fn mark(&self) -> u32 {
        mark(self.target, &self.access, &self.wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_uptime_allows_for_clocks_and_wraps() {
        let since = |seconds| Since {
            elapsed: Duration::from_secs(seconds),
            now: Mono(0),
        };
        assert_eq!(since(0).uptime(100_000), Some(100_000 - 6_000));
        assert_eq!(since(0).uptime(100), Some(0), "a young agent");
        // A day later: a day more, less 1 % and a minute.
        assert_eq!(
            since(86_400).uptime(100_000),
            Some(100_000 + 8_640_000 - 86_400 - 6_000)
        );
        assert_eq!(
            since(86_400).uptime(u32::MAX - 1_000),
            None,
            "it has wrapped, or is about to"
        );
    }

    #[test]
    fn what_has_to_be_looked_up_again_is_spread_over_the_period() {
        let since = Since {
            elapsed: Duration::ZERO,
            now: Mono(10_000_000_000),
        };
        let hour = Duration::from_secs(3_600);
        let age = |i: u32| since.now.since(since.looked_up(&format!("N-{i:07}"), hour));
        let quarters = |n: u32| {
            (0..1_000)
                .filter(|i| age(*i) >= hour * n / 4 && age(*i) < hour * (n + 1) / 4)
                .count()
        };
        // Poisson with mean 250: six sigma is 95.
        assert!((0..4).all(|n| (155..345).contains(&quarters(n))));
    }
}
