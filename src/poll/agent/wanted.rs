//! What a device is asked for, from the configuration.
//!
//! Never here: what was learned from the device.

use super::roles::{self, RoleTable};
use crate::model::device::glob;
use crate::model::{Device, DeviceId, Measure, MemberPart, Metric, Name, Role, Site, ThresholdKind, WatchKind};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Which profile a device is read by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ProfileWish {
    /// By sysObjectID.
    Auto,
    /// This one.
    Named(Name),
    /// None: nothing of it is judged.
    None,
}

/// Interfaces that are wanted; each list is sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Patterns {
    /// Whole names.
    pub(super) literal: Vec<Name>,
    /// Names with `*` and `?`.
    globs: Vec<Name>,
    /// `alias:` and `session:`.
    pub(super) aliases: Vec<Name>,
}

impl Patterns {
    fn new(patterns: impl Iterator<Item = Name>) -> Patterns {
        let all: BTreeSet<Name> = patterns.collect();
        let (aliases, names): (Vec<_>, Vec<_>) = all.into_iter().partition(|p| is_alias(p));
        let (globs, literal) = names.into_iter().partition(|p| p.contains(['*', '?']));
        Patterns {
            literal,
            globs,
            aliases,
        }
    }

    /// All of it, list by list.
    pub(super) fn lists(&self) -> [&[Name]; 3] {
        [&self.literal, &self.globs, &self.aliases]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.globs.is_empty() && self.aliases.is_empty()
    }

    /// Is this name wanted?
    pub(super) fn by_name(&self, name: &str) -> bool {
        self.literal.binary_search_by(|p| (**p).cmp(name)).is_ok() || self.globs.iter().any(|p| glob(p, name))
    }

    /// Is this name, `alias:` or `session:` wanted?
    pub(super) fn wants(&self, name: &Name) -> bool {
        self.by_name(name) || self.aliases.binary_search(name).is_ok()
    }

    /// The `alias:` or `session:` that a row with this ifAlias was wanted by.
    pub(super) fn by_alias(&self, alias: &str, name: Option<&str>) -> Option<Name> {
        let fits = |p: &&Name| fits_alias(p, alias, name.unwrap_or_default());
        self.aliases.iter().find(fits).cloned()
    }

    /// Some are wanted by a name with `*` or `?`.
    pub(super) fn has_globs(&self) -> bool {
        !self.globs.is_empty()
    }

    /// Some are wanted by their ifAlias.
    pub(super) fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }
}

fn is_alias(pattern: &str) -> bool {
    pattern.starts_with("alias:") || pattern.starts_with("session:")
}

/// Does a row fit `alias:TEXT` or `session:USER`? The text stands in ifAlias as a word of its own: carriers and engineers write more
/// beside a contract number. The user of a session may stand in ifName instead.
pub fn fits_alias(pattern: &str, alias: &str, name: &str) -> bool {
    if let Some(text) = pattern.strip_prefix("alias:") {
        return has_word(alias, text);
    }
    let user = pattern.strip_prefix("session:");
    user.is_some_and(|user| has_word(alias, user) || has_word(name, user))
}

/// `word` stands in `text`, and nothing that could belong to a longer word touches it.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + word.len()..]);
            !before.ends_with(part) && !after.starts_with(part)
        })
}

/// What other devices and circuits need of a device.
#[derive(Debug, Default)]
pub(super) struct Also {
    interfaces: Vec<Name>,
    /// Errors and discards of lines that are circuits.
    faults: bool,
    /// What redundancy groups need.
    roles: Vec<RoleTable>,
    /// A link across the demarcation point ends on it: which neighbours are on that link?
    addresses: bool,
}

impl Also {
    /// By device. Ports of circuits are among the device's own interfaces already.
    pub(super) fn of(site: &Site) -> HashMap<DeviceId, Also> {
        let mut also: HashMap<DeviceId, Also> = HashMap::new();
        for device in &site.devices {
            if let Some(demarcation) = &device.demarcation {
                let also = also.entry(demarcation.device).or_default();
                also.interfaces.push(Name::clone(&demarcation.interface));
                also.addresses = true;
            }
            if let Some(Measure::Line(line)) = device.circuit.as_ref().map(|c| &c.measure)
                && judges_faults(device)
            {
                also.entry(line.device).or_default().faults = true;
            }
        }
        for group in &site.redundancy {
            for member in &group.members {
                let also = also.entry(member.device).or_default();
                if let MemberPart::Interface(name) = &member.part {
                    also.interfaces.push(Name::clone(name));
                }
                roles::want(&mut also.roles, group, member);
            }
        }
        also
    }
}

fn judges_faults(device: &Device) -> bool {
    let judged = |kind| device.thresholds.contains_key(&kind);
    judged(ThresholdKind::Errors) || judged(ThresholdKind::Discards)
}

/// What the configuration wants of a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) patterns: Patterns,
    pub(super) scalars: Vec<Arc<[u32]>>,
    pub(super) profile: ProfileWish,
    /// Errors and discards of interfaces are judged.
    pub(super) faults: bool,
    /// ifAlias is shown.
    pub(super) alias: bool,
    /// What is at the far ends of its ports.
    pub(super) cables: bool,
    /// Its own addresses.
    pub(super) addresses: bool,
    /// What redundancy groups need.
    pub(super) roles: Vec<RoleTable>,
}

impl Wanted {
    /// `also`: what other devices and circuits need of this one.
    pub(super) fn of(device: &Device, also: &Also) -> Wanted {
        let interfaces = device.interfaces.iter().map(|i| Name::clone(&i.pattern));
        let scalars: BTreeSet<Arc<[u32]>> = device
            .watches
            .iter()
            .filter_map(|w| match &w.kind {
                WatchKind::Oid { oid, .. } => Some(Arc::from(oid.as_slice())),
                WatchKind::Tcp { .. } | WatchKind::Service(_) => None,
            })
            .collect();
        let managed = device.role == Role::Managed;
        let patterns = Patterns::new(interfaces.chain(also.interfaces.iter().cloned()));
        Wanted {
            scalars: scalars.into_iter().collect(),
            profile: match &device.profile {
                Some(name) if managed || load_judged(device) => ProfileWish::Named(Name::clone(name)),
                None if managed || load_judged(device) => ProfileWish::Auto,
                _ => ProfileWish::None,
            },
            faults: also.faults || judges_faults(device),
            alias: managed,
            cables: managed && !patterns.is_empty(),
            addresses: also.addresses,
            patterns,
            roles: also.roles.clone(),
        }
    }
}

/// Anything that only a profile can give is judged.
fn load_judged(device: &Device) -> bool {
    let of_interfaces = [
        Metric::UtilizationIn,
        Metric::Errors,
        Metric::Discards,
        Metric::Loss,
        Metric::Rtt,
    ];
    let of_interfaces = of_interfaces.map(Metric::kind);
    device
        .thresholds
        .keys()
        .any(|kind| !of_interfaces.contains(&Some(*kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_globs_and_aliases_are_told_apart() {
        let names = ["ge-0/0/*", "xe-0", "alias:N-0004242", "session:clinic0042@example"];
        let p = Patterns::new(names.into_iter().map(Name::from));
        assert!(p.by_name("xe-0") && p.by_name("ge-0/0/7") && !p.by_name("xe-01") && !p.by_name("alias:N-0004242"));
        let by = |alias, name| p.by_alias(alias, name).as_deref().map(str::to_owned);
        assert_eq!(by("N-0004242", None).as_deref(), Some("alias:N-0004242"));
        assert_eq!(
            by("cust N-0004242 Example Clinic", None).as_deref(),
            Some("alias:N-0004242")
        );
        assert_eq!(by("N-00042421", None), None, "a longer number is another contract");
        assert_eq!(by("XN-0004242", None), None);
        assert_eq!(by("", Some("ppp-clinic0042@example")), None, "a part of a longer name");
        assert_eq!(
            by("", Some("<clinic0042@example>")).as_deref(),
            Some("session:clinic0042@example")
        );
    }
}
