//! Who is silent now: their agents do not answer, and the kernel's echo replies from their addresses are dropped (nftables, in
//! the network namespace that the bench runs in).

use super::nature::chosen;
use super::{address, index};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

const TABLE: &str = "table ip hinomi_fleet {
    set silent { type ipv4_addr; flags interval; auto-merge; }
    chain output { type filter hook output priority 0; icmp type echo-reply ip saddr @silent drop; }
}
";

/// The silent.
#[derive(Debug)]
pub(crate) struct Silence {
    silent: Vec<bool>,
    groups: u32,
    /// Silent at any time since the window began.
    ever: Vec<bool>,
    table: bool,
}

impl Silence {
    pub(crate) fn new(targets: u32, groups: u32) -> Silence {
        let silent = vec![false; targets as usize];
        Silence {
            ever: silent.clone(),
            silent,
            groups,
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
                let groups = self.groups;
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

    fn tell_kernel(&mut self) -> Result<(), String> {
        let mut script = String::new();
        if !std::mem::replace(&mut self.table, true) {
            script += TABLE;
        }
        script += "flush set ip hinomi_fleet silent\n";
        let ranges = ranges(&self.silent);
        for some in ranges.chunks(5_000) {
            let list: Vec<String> = some.iter().map(element).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(script, "add element ip hinomi_fleet silent {{ {} }}", list.join(", "));
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
fn element((from, to): &(Ipv4Addr, Ipv4Addr)) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

/// Runs of silent neighbours.
fn ranges(silent: &[bool]) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let mut all: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
    for i in (0..).zip(silent).filter(|(_, s)| **s).map(|(i, _)| i) {
        match all.last_mut() {
            Some((_, to)) if index(*to, u32::MAX) == Some(i - 1) => *to = address(i),
            _ => all.push((address(i), address(i))),
        }
    }
    all
}
