//! What a device has of its profile: which rows of the tables are meant, and which of several measures of one metric it answers.
//! Learned by walks now and then, so that a round asks for nothing that is not there.
//!
//! Never here: what the values mean for anybody's health.

mod rows;

use crate::model::profile::{MOST_INSTANCES, Object, Oid, Profile};
use crate::model::snmp::TextEncoding;
use crate::model::{Metric, Name, Place};
use crate::poll::observation::Number;
use crate::poll::{ScalarReading, TableRow};
use crate::wire::snmp::Value;
use rows::{Reader, dotted, made_up};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows of one measure or component, at most: they are all read each round.
const MOST_ROWS: usize = 256;

/// What walks found, by column: index and value.
pub(super) type Found = BTreeMap<Vec<u32>, Vec<(Vec<u32>, Value)>>;

/// What is known of a device's profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Learned {
    /// Rows that are read, in the order of their parts; handed out with each reading.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) rows: Arc<[TableRow]>,
    /// Instances of the profile that are not read because another measure of their metric is answered, by position.
    #[serde(skip_serializing_if = "none_dropped")]
    dropped: u64,
    /// The first complete round has shown what is answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
    /// What any make may answer is read where nothing of the make's own gives a number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deep: bool,
    /// A metric of the profile has nothing that answers, or not all columns were walked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lacking: bool,
    /// Some metric has nothing at all that answers, neither of the make's own nor of what any make may answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bare: bool,
}

fn none_dropped(dropped: &u64) -> bool {
    *dropped == 0
}

impl Learned {
    /// Rows from walks; everything is asked for until it is known what is answered.
    /// `cut`: not all columns were walked, so that there is more to learn. `deep`: what any make may answer was walked too.
    pub(super) fn of(
        profile: Option<&Profile>,
        (found, text): (&Found, TextEncoding),
        cut: bool,
        deep: bool,
    ) -> Learned {
        let Some(profile) = profile else {
            return Learned::default();
        };
        let mut rows = Vec::new();
        for (part, (which, objects)) in profile.parts().enumerate() {
            let Some(Object::Column(base)) = objects.first() else {
                continue;
            };
            if profile.is_fallback(part) && !deep {
                continue;
            }
            let measure = profile.measures.get(part);
            let component = part
                .checked_sub(profile.measures.len())
                .and_then(|i| profile.components.get(i));
            let read = Reader::new(which, base, (found, text));
            let metric = measure.map(|m| m.metric);
            let of_part = rows.len();
            rows.extend(read.meant(base).take(MOST_ROWS).map(|(index, less)| {
                let row = TableRow {
                    part: u16::try_from(part).unwrap_or(u16::MAX),
                    label: read.label(index, component.map(|c| &*c.name)),
                    id: component.map(|c| format!("{} {}", c.name, dotted(index)).into()),
                    factor: read.factor(index) * if less { -1.0 } else { 1.0 },
                    limits: read.limits(index),
                    place: Place::Air,
                    index: index.as_slice().into(),
                };
                let place = row.label.as_deref().filter(|_| metric == Some(Metric::Temperature));
                TableRow {
                    place: place.map_or(Place::Air, Place::of),
                    ..row
                }
            }));
            let unnamed = rows.len() - of_part > 1;
            for row in rows[of_part..].iter_mut().filter(|r| r.label.is_none()) {
                row.label = made_up(which, &row.index, metric, unnamed);
            }
        }
        distinct(&mut rows);
        Learned {
            rows: rows.into(),
            deep,
            lacking: cut,
            ..Learned::default()
        }
    }

    /// Everything to be read in a round; an object of two parts comes twice.
    pub(super) fn asked<'a>(&'a self, profile: Option<&'a Profile>) -> impl Iterator<Item = Vec<u32>> + 'a {
        profile.into_iter().flat_map(move |profile| {
            let all = profile.instances.iter().enumerate();
            let own = move |i: usize| self.deep || i >= MOST_INSTANCES || profile.only_fallback & (1 << i) == 0;
            let instances = all.filter(move |(i, _)| self.keeps(*i) && own(*i));
            let instances = instances.map(|(_, oid)| oid.to_vec());
            let cells = self.rows.iter().flat_map(|row| {
                let objects = profile.objects_of(usize::from(row.part)).iter();
                objects.map(|o| [o.oid(), &*row.index].concat())
            });
            instances.chain(cells)
        })
    }

    fn keeps(&self, instance: usize) -> bool {
        instance >= MOST_INSTANCES || self.dropped & (1 << instance) == 0
    }

    /// An object that was answered when this was learned.
    pub(super) fn answered_before(&self, profile: Option<&Profile>, oid: &[u32]) -> bool {
        let Some(profile) = profile.filter(|_| self.settled) else {
            return false;
        };
        let instance = profile.instances.binary_search_by(|known| (**known).cmp(oid));
        let of_row = |row: &TableRow| {
            let mut objects = profile.objects_of(usize::from(row.part)).iter();
            objects.any(|o| oid.strip_prefix(o.oid()) == Some(&*row.index))
        };
        instance.is_ok_and(|i| self.keeps(i)) || self.rows.iter().any(of_row)
    }

    /// There may be more by now.
    pub(super) fn is_lacking(&self) -> bool {
        self.lacking
    }

    /// Some metric of the profile has nothing that answers.
    pub(super) fn is_bare(&self) -> bool {
        self.bare
    }

    /// The columns of what any make may answer, for the metrics of which nothing of the make's own gives a number; `None` where
    /// nothing is lacking. `read` is sorted.
    pub(super) fn deeper(&self, profile: &Profile, read: &[ScalarReading]) -> Option<Vec<Oid>> {
        if self.deep || self.settled {
            return None;
        }
        let measures = || profile.measures.iter().enumerate();
        let own = measures().filter(|(_, m)| !m.fallback);
        let served: BTreeSet<&str> = own
            .filter(|(part, _)| self.answers(profile, *part, read))
            .map(|(_, m)| m.metric.key())
            .collect();
        let lacks = |part: usize| {
            let measure = profile.measures.get(part).filter(|m| m.fallback);
            measure.is_some_and(|m| !served.contains(m.metric.key()))
        };
        let lacking = measures().any(|(part, _)| lacks(part));
        lacking.then(|| profile.columns_of(lacks, |_| false))
    }

    /// After the first complete round: of several measures of one metric, and of several components of one name, the first that
    /// gives something plausible is read from now on; and nothing that does not answer. `read` is sorted. True if this was that round.
    pub(super) fn settle(&mut self, profile: Option<&Profile>, read: &[ScalarReading]) -> bool {
        let Some(profile) = profile.filter(|_| !self.settled) else {
            return false;
        };
        let kept = self.kept(profile, read);
        let served: BTreeSet<&str> = (profile.measures.iter().zip(&kept))
            .filter(|(_, kept)| **kept)
            .map(|(m, _)| m.metric.key())
            .collect();
        let own = profile.measures.iter().filter(|m| !m.fallback);
        self.lacking |= own.map(|m| m.metric.key()).any(|metric| !served.contains(metric));
        self.bare = profile.measures.iter().any(|m| !served.contains(m.metric.key()));
        let rows = self
            .rows
            .iter()
            .filter(|r| kept.get(usize::from(r.part)) == Some(&true));
        self.rows = rows.cloned().collect();
        let needed: BTreeSet<&Oid> = profile
            .parts()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .flat_map(|((_, objects), _)| objects)
            .filter_map(|o| match o {
                Object::Instance(oid) if value(oid, &[], read).is_some() => Some(oid),
                _ => None,
            })
            .collect();
        for (i, oid) in profile.instances.iter().enumerate().take(MOST_INSTANCES) {
            if !needed.contains(oid) {
                self.dropped |= 1 << i;
            }
        }
        self.settled = true;
        true
    }

    /// Which parts are read: of each metric and of each name the first that answers, and of measures those that join it.
    fn kept(&self, profile: &Profile, read: &[ScalarReading]) -> Vec<bool> {
        let measures = profile.measures.iter().map(|m| (m.metric.key(), m.joins));
        let components = profile.components.iter().map(|c| (&*c.name, false));
        let (count, mut group) = (profile.measures.len(), 0);
        let mut served: BTreeMap<(bool, &str), usize> = BTreeMap::new();
        let mut kept = Vec::with_capacity(count + profile.components.len());
        for (part, (name, joins)) in measures.chain(components).enumerate() {
            group = if joins { group } else { part };
            let answers = self.answers(profile, part, read);
            kept.push(answers && *served.entry((part < count, name)).or_insert(group) == group);
        }
        kept
    }

    /// Does the device give what this part cannot do without, and, of a measure, a number that can be meant?
    fn answers(&self, profile: &Profile, part: usize, read: &[ScalarReading]) -> bool {
        let objects = profile.objects_of(part);
        let number = |oid: &[u32], index: &[u32]| value(oid, index, read).and_then(Number::as_f64);
        let answered = |index: &[u32], factor: f64| match profile.measures.get(part) {
            Some(measure) => {
                let value = |i: usize| number(objects.get(i)?.oid(), index).filter(|raw| !measure.ignores(*raw));
                measure.number(&[0, 1, 2, 3].map(value), factor).is_some()
            }
            None => objects.first().is_some_and(|o| value(o.oid(), index, read).is_some()),
        };
        match objects.first() {
            Some(Object::Column(_)) => {
                let mut rows = self
                    .rows
                    .iter()
                    .filter(|r| usize::from(r.part) == part && r.factor > 0.0);
                rows.any(|row| answered(&row.index, row.factor))
            }
            Some(Object::Instance(_)) => answered(&[], 1.0),
            None => false,
        }
    }
}

/// What was read of an object. `read` is sorted.
fn value<'r>(oid: &[u32], index: &[u32], read: &'r [ScalarReading]) -> Option<&'r Number> {
    let wanted = || oid.iter().chain(index);
    let at = read.binary_search_by(|r| r.oid.iter().cmp(wanted())).ok()?;
    read.get(at)?.value.as_ref()
}

/// People tell parts apart by their names: two of one name get their index behind it.
fn distinct(rows: &mut [TableRow]) {
    let mut count: BTreeMap<(u16, Name), usize> = BTreeMap::new();
    for row in rows.iter() {
        if let Some(label) = &row.label {
            *count.entry((row.part, Name::clone(label))).or_default() += 1;
        }
    }
    for row in rows {
        if let Some(label) = row.label.clone()
            && count.get(&(row.part, Name::clone(&label))).is_some_and(|n| *n > 1)
        {
            row.label = Some(format!("{label} ({})", dotted(&row.index)).into());
        }
    }
}
