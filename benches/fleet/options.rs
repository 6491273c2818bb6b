//! What the network is like, from the command line of the fleet's process and back.

use super::{address, address_v6, number_v4, number_v6};
use std::net::IpAddr;

/// The options of a fleet.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Addresses.
    pub(crate) targets: u32,
    /// Interfaces of each.
    pub(crate) ports: u32,
    /// Seconds between two polls of an address, as the poller is configured.
    pub(crate) interval_s: u32,
    /// Runs of addresses that can fall silent together.
    pub(crate) groups: u32,
    /// Per cent of addresses that answer late, and how late.
    pub(crate) slow: f64,
    pub(crate) delay_ms: u64,
    /// Per cent of answers that are lost.
    pub(crate) loss: f64,
    /// Per cent of addresses that never answer.
    pub(crate) silent: f64,
    /// Per cent of addresses that lie.
    pub(crate) lying: f64,
    /// The last so many addresses are IPv6.
    pub(crate) v6: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            targets: 1_000,
            ports: 1,
            interval_s: 60,
            groups: 48,
            slow: 0.0,
            delay_ms: 800,
            loss: 0.0,
            silent: 0.0,
            lying: 0.0,
            v6: 0,
        }
    }
}

impl Options {
    /// The address of agent `i`.
    pub(crate) fn address(&self, i: u32) -> IpAddr {
        if self.is_v6(i) {
            address_v6(i).into()
        } else {
            address(i).into()
        }
    }

    /// The agent of an address, if it is one of this fleet.
    pub(crate) fn index(&self, address: IpAddr) -> Option<u32> {
        let number = match address {
            IpAddr::V4(v4) => number_v4(v4),
            IpAddr::V6(v6) => number_v6(v6),
        };
        number.filter(|i| *i < self.targets && self.is_v6(*i) == address.is_ipv6())
    }

    fn is_v6(&self, i: u32) -> bool {
        i >= self.targets.saturating_sub(self.v6)
    }

    /// Takes `--name value`; `Ok(false)`: not an option of the fleet.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, String> {
            value.parse().map_err(|e| format!("{name} {value}: {e}"))
        }
        match name {
            "--targets" => self.targets = parsed(name, value)?,
            "--ports" => self.ports = parsed(name, value)?,
            "--interval" => self.interval_s = parsed(name, value)?,
            "--groups" => self.groups = parsed(name, value)?,
            "--slow" => self.slow = parsed(name, value)?,
            "--delay-ms" => self.delay_ms = parsed(name, value)?,
            "--loss" => self.loss = parsed(name, value)?,
            "--silent" => self.silent = parsed(name, value)?,
            "--lying" => self.lying = parsed(name, value)?,
            "--v6" => self.v6 = parsed(name, value)?,
            _ => return Ok(false),
        }
        if self.targets == 0 || self.ports == 0 || self.interval_s == 0 || self.groups == 0 || self.targets > 2_000_000
        {
            return Err(format!(
                "{name} {value}: 1 to 2000000 targets, and no other option is 0"
            ));
        }
        Ok(true)
    }

    /// For the command line of the fleet's process.
    pub(crate) fn words(&self) -> Vec<String> {
        let pairs = [
            ("--targets", self.targets.to_string()),
            ("--ports", self.ports.to_string()),
            ("--interval", self.interval_s.to_string()),
            ("--groups", self.groups.to_string()),
            ("--slow", self.slow.to_string()),
            ("--delay-ms", self.delay_ms.to_string()),
            ("--loss", self.loss.to_string()),
            ("--silent", self.silent.to_string()),
            ("--lying", self.lying.to_string()),
            ("--v6", self.v6.to_string()),
        ];
        pairs
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect()
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{} addresses with {} ports, interval {} s",
            self.targets, self.ports, self.interval_s
        );
        for (percent, what) in [
            (self.loss, "of answers lost"),
            (self.silent, "silent"),
            (self.lying, "lying"),
        ] {
            if percent > 0.0 {
                text += &format!(", {percent} % {what}");
            }
        }
        if self.v6 > 0 {
            text += &format!(", {} of them IPv6", self.v6.min(self.targets));
        }
        if self.slow > 0.0 {
            text += &format!(", {} % answer {} ms late", self.slow, self.delay_ms);
        }
        text
    }
}
