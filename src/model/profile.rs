//! What CPU, memory, temperature, sessions, fans and power mean per make: which objects are read, and how they become a number or
//! a state. Profiles are data: `config` reads them from TOML (`model/profiles/*.toml`, and the site's own folder).
//!
//! Never here: an object identifier of a make, and the reading of a file.

use super::{Metric, Name};
use std::sync::Arc;

/// An object identifier.
pub type Oid = Box<[u32]>;

/// Scalars of one profile, at most: a device remembers which of them answer in one word.
pub const MOST_INSTANCES: usize = 64;

/// One object a profile reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// The instance, ready to GET (a scalar's ends in .0; a fixed row of a table is one too).
    Instance(Oid),
    /// A column; its rows are found by a walk now and then, and read by GET each round.
    Column(Oid),
}

impl Object {
    /// Its identifier.
    pub fn oid(&self) -> &[u32] {
        match self {
            Object::Instance(oid) | Object::Column(oid) => oid,
        }
    }
}

/// How readings become one number. The order of `objects` is what a formula refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formula {
    /// The first object.
    Value,
    /// 100 minus the first object (a share that is free).
    HundredMinus,
    /// 100 × used / total; objects: used, total.
    UsedOfTotal,
    /// 100 × used / (used + free); objects: used, free.
    UsedAndFree,
    /// 100 × (total − free − buffers − cached) / total; objects: total, free, and perhaps buffers and cached.
    TotalLessFree,
    /// ENTITY-SENSOR-MIB (RFC 3433) and its like; objects: value, operational status. The row's factor comes from its scale and
    /// precision. A sensor whose status is not ok (1) gives nothing.
    Sensor,
}

impl Formula {
    /// How many of the objects it cannot do without.
    pub fn needs(self) -> usize {
        match self {
            Formula::Value | Formula::HundredMinus | Formula::Sensor => 1,
            Formula::UsedOfTotal | Formula::UsedAndFree | Formula::TotalLessFree => 2,
        }
    }
}

/// What is made of several rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Their mean (processors).
    Mean,
    /// The worst one, which is named (sensors, cards). The greatest, of what falls the least.
    Worst,
    /// Their sum; of shares each part is summed first (memory pools, sessions of several processors).
    Sum,
}

/// Which rows of a table are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// A column of the same index; read only when rows are looked up.
    pub column: Oid,
    /// What it must say.
    pub wanted: Wanted,
}

/// What a row's cell must say for the row to be meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// One of these numbers.
    Numbers(Vec<i64>),
    /// This object identifier.
    Oid(Oid),
    /// A text with one of these words in it, in small letters or capitals.
    Words(Vec<String>),
}

/// Rows of a table: which are meant, and where they are named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// `None`: all.
    pub pick: Option<Pick>,
    /// A column with the row's name; read only when rows are looked up.
    pub label: Option<Oid>,
    /// An ENTITY-SENSOR-MIB entry: scale (column 2) and precision (column 3) give each row its factor.
    pub sensor: Option<Oid>,
}

/// One metric of a profile. Of several measures of one metric the first that a device answers counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What it gives.
    pub metric: Metric,
    /// What is read.
    pub objects: Vec<Object>,
    /// How it becomes a number.
    pub formula: Formula,
    /// Times this, to come to the metric's unit. Shares of two objects have none.
    pub scale: f64,
    /// What is made of several rows.
    pub over: Over,
    /// Which rows.
    pub rows: Rows,
    /// Raw values that mean "no reading".
    pub ignore: Vec<i64>,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be, or not there.
    Healthy,
    /// Works, but not as it should.
    Warning,
    /// Does not work.
    Failed,
}

/// One state that a part can be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartState {
    /// As read.
    pub code: i64,
    /// As the MIB calls it.
    pub word: Name,
    /// What that means.
    pub health: Health,
}

/// Parts with a state: fans, power supplies, sensors, batteries.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// What they are: `fan`, `power supply`. A part is called by its label, or by this and its index.
    pub name: Name,
    /// The state.
    pub object: Object,
    /// Which rows.
    pub rows: Rows,
    /// What its codes mean. A code that does not stand here says nothing.
    pub states: Vec<PartState>,
}

/// How one part of a row's index is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexPart {
    /// An ifIndex.
    Interface,
    /// VRID, HSRP group, area or another number.
    Number,
    /// Four numbers: an IPv4 address.
    Ipv4,
    /// Whatever comes: it is not shown.
    Rest,
}

/// A table that tells a redundancy the device takes part in. Read by `hinomi discover` only.
#[derive(Clone, Debug, PartialEq)]
pub struct Redundancy {
    /// `vrrp`, `hsrp`, `bgp`, `ospf`, `lag`, `ha`.
    pub kind: Name,
    /// For people, with its MIB.
    pub title: String,
    /// The column (or instance) with the state.
    pub state: Object,
    /// What the index is made of.
    pub index: Vec<IndexPart>,
    /// What the codes mean; empty where the value is a number to be shown.
    pub states: Vec<(i64, Name)>,
    /// A value that means that there is nothing, such as 0 for "in no aggregate".
    pub none: Option<i64>,
}

/// An object that is known and not read.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// It.
    pub oid: Oid,
    /// Why.
    pub reason: String,
}

/// A make of devices, or a line of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The word in `profile = …`.
    pub name: Name,
    /// For people.
    pub title: String,
    /// sysObjectID prefixes, matched on sub-identifier boundaries, longest first; the empty one fits every device. Without any the
    /// profile is chosen by name only.
    pub sys_object_ids: Vec<Oid>,
    /// Several profiles share a prefix: a device that gives a number here is of this one.
    pub tell_by: Option<Oid>,
    /// Where the facts are from.
    pub source: String,
    /// The object identifiers were seen in a MIB or in a definition that is in use.
    pub verified: bool,
    /// What an operator should know of it.
    pub note: Option<String>,
    /// What it measures.
    pub measures: Vec<Measure>,
    /// What has a state.
    pub components: Vec<Component>,
    /// Where it tells redundancy.
    pub redundancy: Vec<Redundancy>,
    /// What is known and not read.
    pub left_out: Vec<LeftOut>,
    /// All instances that are asked for without a walk, each once, sorted: [`Profiles::new`] fills this in.
    pub instances: Vec<Oid>,
}

impl Profile {
    /// Rows and objects of all measures, then of all components, in the order that `part` of a table row counts.
    pub fn parts(&self) -> impl Iterator<Item = (&Rows, &[Object])> {
        let measures = self.measures.iter().map(|m| (&m.rows, m.objects.as_slice()));
        let components = self
            .components
            .iter()
            .map(|c| (&c.rows, std::slice::from_ref(&c.object)));
        measures.chain(components)
    }

    /// The objects of one of these parts; none of a part that is not there.
    pub fn objects_of(&self, part: usize) -> &[Object] {
        let component = || self.components.get(part.checked_sub(self.measures.len())?);
        match self.measures.get(part) {
            Some(measure) => &measure.objects,
            None => component().map_or(&[], |c| std::slice::from_ref(&c.object)),
        }
    }

    fn all_instances(&self) -> Vec<Oid> {
        let objects = self.parts().flat_map(|(_, objects)| objects);
        let instances = objects.filter_map(|o| match o {
            Object::Instance(oid) => Some(oid.clone()),
            Object::Column(_) => None,
        });
        let all: std::collections::BTreeSet<Oid> = instances.collect();
        all.into_iter().collect()
    }

    /// All columns that are walked to find rows: those read each round, those that pick rows, and those that name them.
    pub fn columns(&self) -> impl Iterator<Item = Oid> {
        let mut all = std::collections::BTreeSet::new();
        for (rows, objects) in self.parts() {
            let columns = objects.iter().filter_map(|o| match o {
                Object::Column(oid) => Some(oid.clone()),
                Object::Instance(_) => None,
            });
            all.extend(columns);
            all.extend(rows.pick.iter().map(|p| p.column.clone()));
            all.extend(rows.label.iter().cloned());
            all.extend(
                rows.sensor
                    .iter()
                    .flat_map(|entry| [column(entry, 2), column(entry, 3)]),
            );
        }
        all.into_iter()
    }

    /// Everything that is read or looked up, for comparisons with what is known of a make.
    pub fn objects(&self) -> impl Iterator<Item = Oid> {
        self.columns().chain(self.all_instances())
    }
}

/// A column of a table's entry.
pub fn column(entry: &[u32], number: u32) -> Oid {
    entry.iter().copied().chain([number]).collect()
}

/// All profiles of a site, the site's own among them.
#[derive(Clone, Default, PartialEq)]
pub struct Profiles {
    all: Vec<Arc<Profile>>,
}

impl std::fmt::Debug for Profiles {
    /// Their names: whole, they would fill screens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all.iter().map(|p| &p.name)).finish()
    }
}

impl Profiles {
    /// Profiles in order; a later one replaces an earlier one of the same name.
    pub fn new(profiles: impl IntoIterator<Item = Profile>) -> Profiles {
        let mut all: Vec<Arc<Profile>> = Vec::new();
        for mut profile in profiles {
            profile.instances = profile.all_instances();
            let profile = Arc::new(profile);
            match all.iter_mut().find(|p| p.name == profile.name) {
                Some(old) => *old = profile,
                None => all.push(profile),
            }
        }
        Profiles { all }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> + Clone {
        self.all.iter()
    }

    /// The profile of a name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Profile>> {
        self.all.iter().find(|p| &*p.name == name)
    }

    /// Those whose prefix fits best. More than one only if they share it: then [`Profile::tell_by`] of those that have one tells.
    pub fn candidates(&self, sys_object_id: &[u32]) -> Candidates<'_> {
        let length = |p: &Profile| {
            let fitting = p.sys_object_ids.iter().filter(|x| sys_object_id.starts_with(x));
            fitting.map(|x| x.len()).max()
        };
        let longest = self.all.iter().filter_map(|p| length(p)).max();
        Candidates {
            all: self
                .all
                .iter()
                .filter(|p| longest.is_some() && length(p) == longest)
                .collect(),
        }
    }
}

/// Profiles that fit a device alike.
#[derive(Clone, Debug)]
pub struct Candidates<'p> {
    all: Vec<&'p Arc<Profile>>,
}

impl<'p> Candidates<'p> {
    /// What has to be asked before one can be picked.
    pub fn questions(&self) -> impl Iterator<Item = &'p Oid> + '_ {
        self.all.iter().filter_map(|p| p.tell_by.as_ref())
    }

    /// The one meant: the first whose question was answered with a number, else the one that asks nothing.
    pub fn pick(&self, answered: impl Fn(&[u32]) -> bool) -> Option<&'p Arc<Profile>> {
        let told = self
            .all
            .iter()
            .find(|p| p.tell_by.as_ref().is_some_and(|oid| answered(oid)));
        told.or_else(|| self.all.iter().find(|p| p.tell_by.is_none())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, prefixes: &[&[u32]], tell_by: Option<&[u32]>) -> Profile {
        Profile {
            name: name.into(),
            title: name.into(),
            sys_object_ids: prefixes.iter().map(|p| Oid::from(*p)).collect(),
            tell_by: tell_by.map(Oid::from),
            source: String::new(),
            verified: true,
            note: None,
            measures: Vec::new(),
            components: Vec::new(),
            redundancy: Vec::new(),
            left_out: Vec::new(),
            instances: Vec::new(),
        }
    }

    fn pick(profiles: &Profiles, id: &[u32], answers: &[&[u32]]) -> Option<Name> {
        let candidates = profiles.candidates(id);
        let picked = candidates.pick(|oid| answers.contains(&oid));
        picked.map(|p| Name::clone(&p.name))
    }

    #[test]
    fn the_longest_prefix_on_a_boundary_wins() {
        let all = Profiles::new([
            profile("any", &[&[]], None),
            profile("one", &[&[1, 2, 1]], None),
            profile("ten", &[&[1, 2, 10]], None),
            profile("one-seven", &[&[1, 2, 1, 7]], None),
        ]);
        for (id, wanted) in [
            (&[1, 2, 1, 5][..], "one"),
            (&[1, 2, 1], "one"),
            (&[1, 2, 10, 5], "ten"),
            (&[1, 2, 1, 7], "one-seven"),
            (&[1, 2, 1, 70], "one"),
            (&[1, 2], "any"),
            (&[1, 2, 100], "any"),
        ] {
            assert_eq!(pick(&all, id, &[]).as_deref(), Some(wanted), "{id:?}");
        }
        assert_eq!(pick(&Profiles::default(), &[1, 2], &[]), None);
    }

    #[test]
    fn who_shares_a_prefix_is_told_by_a_question() {
        let all = Profiles::new([
            profile("router", &[&[1, 9]], None),
            profile("wall", &[&[1, 9]], Some(&[5, 0])),
            profile("far", &[&[1]], Some(&[6, 0])),
        ]);
        let questions = all.candidates(&[1, 9, 4]);
        assert_eq!(questions.questions().count(), 1, "the shorter prefix asks nothing");
        assert_eq!(pick(&all, &[1, 9, 4], &[&[5, 0]]).as_deref(), Some("wall"));
        assert_eq!(pick(&all, &[1, 9, 4], &[&[6, 0]]).as_deref(), Some("router"));
    }

    #[test]
    fn a_later_profile_replaces_one_of_its_name() {
        let all = Profiles::new([
            profile("a", &[&[1]], None),
            profile("b", &[], None),
            profile("a", &[&[2]], None),
        ]);
        assert_eq!(all.iter().count(), 2);
        assert_eq!(pick(&all, &[2, 1], &[]).as_deref(), Some("a"));
        assert_eq!(
            pick(&all, &[1, 1], &[]),
            None,
            "a profile without a prefix is for those who name it"
        );
    }
}
