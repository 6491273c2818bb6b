//! The command line of a bench: `--name value` pairs and a few switches.

use crate::fleet::options::Options;
use std::collections::BTreeMap;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// The network.
    pub(crate) fleet: Options,
    own: BTreeMap<String, String>,
    switches: Vec<String>,
}

impl Arguments {
    /// `own` are the names of the bench's options that take a value.
    pub(crate) fn read(
        words: &[String],
        defaults: Options,
        own: &[&str],
        switches: &[&str],
    ) -> Result<Arguments, String> {
        let mut all = Arguments {
            fleet: defaults,
            own: BTreeMap::new(),
            switches: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(name) = words.next() {
            if switches.contains(&name.as_str()) {
                all.switches.push(name.clone());
                continue;
            }
            let value = words.next().ok_or(format!("{name}: needs a value, or is unknown"))?;
            if own.contains(&name.as_str()) {
                all.own.insert(name.clone(), value.clone());
            } else if !all.fleet.take(name, value)? {
                return Err(format!(
                    "{name}: unknown; there are {} {}",
                    own.join(" "),
                    switches.join(" ")
                ));
            }
        }
        Ok(all)
    }

    pub(crate) fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|s| s == switch)
    }

    pub(crate) fn word<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.own.get(name).map_or(default, String::as_str)
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> Result<u64, String> {
        let value = self.own.get(name);
        value.map_or(Ok(default), |v| v.parse().map_err(|e| format!("{name} {v}: {e}")))
    }
}
