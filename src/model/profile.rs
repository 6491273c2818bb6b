//! What CPU, memory, temperature, sessions, fans and power mean per make: which objects are read, and how they become a number or
//! a state. Profiles are data: `config` reads them from TOML (`model/profiles/*.toml`, and the site's own folder).
//!
//! Never here: an object identifier of a make, and the reading of a file.

use super::words::{Phrase, Words};
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
    /// A text with one of these words in it and none of those.
    Words {
        /// One of these.
        some: Vec<Phrase>,
        /// None of these: `PS 1 Fan` is a fan, `PSU 12V` a voltage.
        none: Vec<Phrase>,
    },
}

impl Wanted {
    /// Does a label say what is wanted?
    pub fn says(some: &[Phrase], none: &[Phrase], label: &str) -> bool {
        let words = Words::of(label);
        some.iter().any(|p| p.is_in(&words)) && !none.iter().any(|p| p.is_in(&words))
    }
}

/// Where the device's own limits of a row stand. They are read when rows are looked up.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LimitSource {
    /// It has none.
    #[default]
    None,
    /// Columns of the same index, in the row's unit.
    Columns {
        /// Where it warns.
        warning: Option<Oid>,
        /// Where it takes itself for endangered.
        critical: Option<Oid>,
    },
    /// An entry laid out as entSensorThresholdEntry (CISCO-ENTITY-SENSOR-MIB): the row's index with a number behind it; columns 2
    /// severity, 3 relation, 4 value.
    Severities(Oid),
}

/// Rows of a table: which are meant, and where they are named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The first of these columns in which the row has a cell decides. None: all rows.
    pub picks: Vec<Pick>,
    /// Rows that are part of what the others count, and taken off it: buffers and cache within memory. They are not counted with the
    /// others, whatever `picks` says of them.
    pub less: Option<Pick>,
    /// Columns with the row's name, read only when rows are looked up; the first that is not empty counts.
    pub labels: Vec<Oid>,
    /// How rows are called that have no name, before their index; and an instance.
    pub name: Option<Name>,
    /// An ENTITY-SENSOR-MIB entry: rows of type celsius (column 1) are meant, scale (column 2) and precision (column 3) give each
    /// row its factor.
    pub sensor: Option<Oid>,
    /// A column by whose number the row is multiplied (hrStorageAllocationUnits).
    pub unit: Option<Oid>,
    /// The device's own limits.
    pub limits: LimitSource,
}

impl Rows {
    /// Columns that are read only when rows are looked up.
    fn looked_up(&self) -> impl Iterator<Item = Oid> {
        let picks = self.picks.iter().chain(&self.less).map(|p| p.column.clone());
        let sensor = |entry: &Oid| [1, 2, 3].map(|n| column(entry, n));
        let limits: Vec<Oid> = match &self.limits {
            LimitSource::None => Vec::new(),
            LimitSource::Columns { warning, critical } => warning.iter().chain(critical).cloned().collect(),
            LimitSource::Severities(entry) => [2, 3, 4].map(|n| column(entry, n)).into(),
        };
        let sensors = self.sensor.iter().flat_map(sensor);
        let more = self.labels.iter().chain(&self.unit).cloned();
        picks.chain(sensors).chain(more).chain(limits)
    }
}

/// One metric of a profile. Of several measures of one metric the first counts by which a device gives a plausible number.
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
    /// Its rows stand beside those of the measure before it, of the same metric: the processors of cards beside those that route.
    pub joins: bool,
    /// Of any make: read only where nothing of the make's own gives this metric. [`Profiles::new`] adds these.
    pub fallback: bool,
}

/// Values of a row's objects, in their order.
pub type Values = [Option<f64>; 4];

impl Measure {
    /// Whether a raw value means "no reading".
    pub fn ignores(&self, raw: f64) -> bool {
        self.ignore.iter().any(|ignored| (*ignored as f64 - raw).abs() < 0.5)
    }

    /// The number that these values make in the metric's unit, times the row's factor if it is no share; `None` if something is
    /// missing, or if it is none that a device can mean: an answer is not yet a reading.
    pub fn number(&self, values: &Values, factor: f64) -> Option<f64> {
        let factor = match self.formula {
            Formula::Value | Formula::Sensor => factor,
            Formula::HundredMinus | Formula::UsedOfTotal | Formula::UsedAndFree | Formula::TotalLessFree => 1.0,
        };
        self.metric.plausible(self.raw(values)? * factor)
    }

    fn raw(&self, values: &Values) -> Option<f64> {
        /// entPhySensorOperStatus: ok
        const SENSOR_OK: f64 = 1.0;
        let [first, second, third, fourth] = *values;
        let share = |used: f64, total: f64| (total > 0.0).then(|| (used / total * 100.0).clamp(0.0, 100.0));
        match self.formula {
            Formula::Value => first.map(|v| v * self.scale),
            Formula::HundredMinus => first.map(|v| 100.0 - v * self.scale),
            Formula::UsedOfTotal => share(unsigned(first?), unsigned(second?)),
            Formula::UsedAndFree => share(unsigned(first?), unsigned(first?) + unsigned(second?)),
            Formula::TotalLessFree => {
                let free = unsigned(second?) + third.map_or(0.0, unsigned) + fourth.map_or(0.0, unsigned);
                share(unsigned(first?) - free, unsigned(first?))
            }
            // Without a status the value is believed: not every agent has that column.
            Formula::Sensor => first
                .filter(|_| second.is_none_or(|s| s == SENSOR_OK))
                .map(|v| v * self.scale),
        }
    }
}

/// Sizes beyond 2^31 come out negative where an agent uses INTEGER (hrStorageSize).
pub fn unsigned(size: f64) -> f64 {
    if size < 0.0 { size + 4_294_967_296.0 } else { size }
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Words of sysDescr: of profiles that share a prefix a device is of the one whose words it says, the longest first.
    pub sys_descr: Vec<Phrase>,
    /// Where sysDescr does not tell profiles of one prefix apart: a device that gives a number here is of this one.
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
    /// Which of them only fallback measures need, by position: [`Profiles::new`] fills this in.
    pub only_fallback: u64,
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

    /// Is this part read of any make, where nothing of its own gives the metric?
    pub fn is_fallback(&self, part: usize) -> bool {
        self.measures.get(part).is_some_and(|m| m.fallback)
    }

    /// The columns that have to be walked to find the rows of these parts: those that tell which rows there are come first, then those
    /// that pick, name and limit them. `known_empty`: of a table without rows nothing else is asked.
    pub fn columns_of(&self, wanted: impl Fn(usize) -> bool, known_empty: impl Fn(&[u32]) -> bool) -> Vec<Oid> {
        let mut first = std::collections::BTreeSet::new();
        let mut then = std::collections::BTreeSet::new();
        for (part, (rows, objects)) in self.parts().enumerate() {
            let Some(Object::Column(base)) = objects.first() else {
                continue;
            };
            if !wanted(part) || known_empty(base) {
                continue;
            }
            first.insert(base.clone());
            then.extend(objects.iter().map(|o| Oid::from(o.oid())));
            then.extend(rows.looked_up());
        }
        let then: Vec<Oid> = then.difference(&first).cloned().collect();
        first.into_iter().chain(then).collect()
    }

    /// All columns of the make's own that are walked to find rows.
    pub fn columns(&self) -> impl Iterator<Item = Oid> {
        self.columns_of(|part| !self.is_fallback(part), |_| false).into_iter()
    }

    /// Everything that is read or looked up, for comparisons with what is known of a make.
    pub fn objects(&self) -> impl Iterator<Item = Oid> {
        self.columns().chain(self.all_instances())
    }

    /// The make's own measures.
    pub fn own_measures(&self) -> impl Iterator<Item = &Measure> {
        self.measures.iter().filter(|m| !m.fallback)
    }

    /// The measures of any make behind those of the make's own.
    fn fall_back_to(&mut self, any: &[Measure]) {
        let fallback = |m: &Measure, fallback| Measure { fallback, ..m.clone() };
        if &*self.name == ANY {
            // Whatever it is, it has processors and memory; a thermometer that it has not is not missed.
            let missed = |m: &Measure| matches!(m.metric, Metric::Cpu | Metric::Memory);
            self.measures = any.iter().map(|m| fallback(m, !missed(m))).collect();
        } else {
            self.measures.retain(|m| !m.fallback);
            self.measures.extend(any.iter().map(|m| fallback(m, true)));
        }
        self.instances = self.all_instances();
        let own: std::collections::BTreeSet<&[u32]> = (0..)
            .zip(self.parts())
            .filter(|(part, _)| !self.is_fallback(*part))
            .flat_map(|(_, (_, objects))| objects)
            .map(Object::oid)
            .collect();
        let only = self.instances.iter().take(MOST_INSTANCES).enumerate();
        let only = only.filter(|(_, oid)| !own.contains(&***oid));
        self.only_fallback = only.fold(0, |mask, (i, _)| mask | 1 << i);
    }
}

/// The profile whose measures any make falls back to.
const ANY: &str = "host-resources";

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
        for profile in profiles {
            let profile = Arc::new(profile);
            match all.iter_mut().find(|p| p.name == profile.name) {
                Some(old) => *old = profile,
                None => all.push(profile),
            }
        }
        let any = all.iter().find(|p| &*p.name == ANY);
        let any: Vec<Measure> = any.map_or(Vec::new(), |p| p.measures.clone());
        for profile in &mut all {
            Arc::make_mut(profile).fall_back_to(&any);
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

    /// Those whose prefix fits best. More than one only if they share it: then sysDescr tells, or else [`Profile::tell_by`].
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

    /// The one that the device's own words name: of several the one with the longest.
    pub fn by_words(&self, sys_descr: &str) -> Option<&'p Arc<Profile>> {
        let words = Words::of(sys_descr);
        let length = |p: &Profile| {
            let said = p.sys_descr.iter().filter(|phrase| phrase.is_in(&words));
            said.map(Phrase::words).max()
        };
        let fitting = self.all.iter().filter_map(|p| Some((length(p)?, p)));
        // Of the same length the first counts.
        let best = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, p)| *p)
    }

    /// The one meant where words do not tell: the first whose question was answered with a number, else the one that asks nothing.
    pub fn pick(&self, answered: impl Fn(&[u32]) -> bool) -> Option<&'p Arc<Profile>> {
        let told = self
            .all
            .iter()
            .find(|p| p.tell_by.as_ref().is_some_and(|oid| answered(oid)));
        let silent = |p: &&&Arc<Profile>| p.tell_by.is_none();
        let plain = || self.all.iter().find(|p| silent(p) && p.sys_descr.is_empty());
        told.or_else(plain).or_else(|| self.all.iter().find(silent)).copied()
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
            sys_descr: Vec::new(),
            tell_by: tell_by.map(Oid::from),
            source: String::new(),
            verified: true,
            note: None,
            measures: Vec::new(),
            components: Vec::new(),
            redundancy: Vec::new(),
            left_out: Vec::new(),
            instances: Vec::new(),
            only_fallback: 0,
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
