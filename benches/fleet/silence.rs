//! Who is silent now: their agents do not answer, and the kernel's echo replies from their addresses are dropped (nftables, in
//! the network namespace that the bench runs in). Where answers are lost, the same share of echo replies is.

use super::nature::chosen;
use super::options::Options;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

const TABLE: &str = "table inet hinomi_fleet {
    set silent { type ipv4_addr; flags interval; auto-merge; }
    set silent6 { type ipv6_addr; flags interval; auto-merge; }
    chain output {
        type filter hook output priority 0;
        icmp type echo-reply ip saddr @silent drop
        icmpv6 type echo-reply ip6 saddr @silent6 drop
        icmp type echo-reply jump loss
        icmpv6 type echo-reply jump loss
    }
    chain loss {
        LOSS
    }
}
";

/// The silent.
#[derive(Debug)]
pub(crate) struct Silence {
    options: Options,
    silent: Vec<bool>,
    /// Silent at any time since the window began.
    ever: Vec<bool>,
    table: bool,
}

impl Silence {
    pub(crate) fn new(options: Options) -> Silence {
        let silent = vec![false; options.targets as usize];
        Silence {
            ever: silent.clone(),
            silent,
            options,
            table: false,
        }
    }

    pub(crate) fn silent(&self, who: u32) -> bool {
        self.silent[who as usize]
    }

    pub(crate) fn ever(&self, who: u32) -> bool {
        self.ever[who as usize]
    }

    /// A window begins.
    pub(crate) fn restart(&mut self) {
        self.ever.clone_from(&self.silent);
    }

    /// `40%`, `all`, `group 3` or nothing ("back"); in addition to who is silent, except for "back". Returns how many are silent now.
    pub(crate) fn change(&mut self, words: &[&str]) -> Result<usize, String> {
        let targets = self.silent.len() as u32;
        let picked: Box<dyn Fn(u32) -> bool> = match words {
            ["back"] => Box::new(|_| false),
            ["silence", "all"] => Box::new(|_| true),
            ["silence", "group", group] => {
                let group: u32 = group.parse().map_err(|e| format!("group {group}: {e}"))?;
                let groups = self.options.groups;
                Box::new(move |i| group_of(i, targets, groups) == group)
            }
            ["silence", share] => {
                let percent: f64 = share
                    .trim_end_matches('%')
                    .parse()
                    .map_err(|e| format!("{share}: {e}"))?;
                Box::new(move |i| chosen(i, "silent", percent))
            }
            other => {
                return Err(format!(
                    "{}: silence N% | silence all | silence group N | back",
                    other.join(" ")
                ));
            }
        };
        let back = words == ["back"];
        for i in 0..targets {
            let slot = &mut self.silent[i as usize];
            *slot = !back && (*slot || picked(i));
            self.ever[i as usize] |= *slot;
        }
        self.tell_kernel()?;
        Ok(self.silent.iter().filter(|s| **s).count())
    }

    /// Echo replies are lost as answers are; nothing to do where none are.
    pub(crate) fn begin(&mut self) -> Result<(), String> {
        if self.options.loss > 0.0 {
            self.tell_kernel()
        } else {
            Ok(())
        }
    }

    fn tell_kernel(&mut self) -> Result<(), String> {
        let mut script = String::new();
        if !std::mem::replace(&mut self.table, true) {
            let loss = match (self.options.loss * 1_000.0) as u64 {
                0 => String::new(),
                of_100_000 => format!("numgen random mod 100000 < {of_100_000} drop"),
            };
            script += &TABLE.replace("LOSS", &loss);
        }
        let ranges = ranges(&self.silent, &self.options);
        for (set, v6) in [("silent", false), ("silent6", true)] {
            // Writing to a String cannot fail.
            let _ = writeln!(script, "flush set inet hinomi_fleet {set}");
            let of_family: Vec<String> = ranges
                .iter()
                .filter(|(from, _)| from.is_ipv6() == v6)
                .map(element)
                .collect();
            for some in of_family.chunks(5_000) {
                let _ = writeln!(script, "add element inet hinomi_fleet {set} {{ {} }}", some.join(", "));
            }
        }
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|e| format!("nft: {e}"))?;
        if let Some(mut pipe) = nft.stdin.take() {
            pipe.write_all(script.as_bytes()).map_err(|e| format!("nft: {e}"))?;
        }
        let status = nft.wait().map_err(|e| format!("nft: {e}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("nft: {status}"))
        }
    }
}

/// The group of an agent: runs of neighbouring numbers, as behind one aggregation device.
pub(crate) fn group_of(i: u32, targets: u32, groups: u32) -> u32 {
    (u64::from(i) * u64::from(groups) / u64::from(targets.max(1))) as u32
}

/// As nft writes it: a range of one address is refused.
fn element((from, to): &(IpAddr, IpAddr)) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

/// Runs of silent neighbours of one family.
fn ranges(silent: &[bool], options: &Options) -> Vec<(IpAddr, IpAddr)> {
    let mut all: Vec<(IpAddr, IpAddr)> = Vec::new();
    for i in (0..).zip(silent).filter(|(_, s)| **s).map(|(i, _)| i) {
        let address = options.address(i);
        match all.last_mut() {
            Some((_, to)) if options.index(*to).map(|i| i + 1) == Some(i) && to.is_ipv6() == address.is_ipv6() => {
                *to = address;
            }
            _ => all.push((address, address)),
        }
    }
    all
}
