//! What a device has of its profile: which rows of the tables are meant, and which of several measures of one metric it answers.
//! Learned by walks now and then, so that a round asks for nothing that is not there.
//!
//! Never here: what the values mean for anybody's health.

use super::text;
use crate::model::Name;
use crate::model::profile::{MOST_INSTANCES, Object, Oid, Pick, Profile, Rows, Wanted, column};
use crate::model::snmp::TextEncoding;
use crate::poll::observation::Number;
use crate::poll::{ScalarReading, TableRow};
use crate::wire::snmp::Value;
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
    /// A metric of the profile has nothing that answers, or not all columns were walked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lacking: bool,
}

fn none_dropped(dropped: &u64) -> bool {
    *dropped == 0
}

impl Learned {
    /// Rows from walks; everything is asked for until it is known what is answered.
    /// `cut`: not all columns were walked, so that there is more to learn.
    pub(super) fn of(profile: Option<&Profile>, found: &Found, text: TextEncoding, cut: bool) -> Learned {
        let Some(profile) = profile else {
            return Learned::default();
        };
        let mut rows = Vec::new();
        for (part, (which, objects)) in profile.parts().enumerate() {
            let Some(Object::Column(base)) = objects.first() else {
                continue;
            };
            let name = part
                .checked_sub(profile.measures.len())
                .and_then(|i| profile.components.get(i));
            let name = name.map(|c| &*c.name);
            rows.extend(meant(base, which, found, text).take(MOST_ROWS).map(|index| TableRow {
                part: u16::try_from(part).unwrap_or(u16::MAX),
                label: label(which, index, name, (found, text)),
                factor: factor(which, index, found),
                index: index.as_slice().into(),
            }));
        }
        distinct(&mut rows);
        Learned {
            rows: rows.into(),
            lacking: cut,
            ..Learned::default()
        }
    }

    /// Everything to be read in a round; an object of two parts comes twice.
    pub(super) fn asked<'a>(&'a self, profile: Option<&'a Profile>) -> impl Iterator<Item = Vec<u32>> + 'a {
        profile.into_iter().flat_map(|profile| {
            let all = profile.instances.iter().enumerate();
            let instances = all.filter(|(i, _)| self.keeps(*i)).map(|(_, oid)| oid.to_vec());
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

    /// After the first complete round: of several measures of one metric, and of several components of one name, the first that is
    /// answered is read from now on; and nothing that does not answer. `read` is sorted. True if this was that round.
    pub(super) fn settle(&mut self, profile: Option<&Profile>, read: &[ScalarReading]) -> bool {
        let Some(profile) = profile.filter(|_| !self.settled) else {
            return false;
        };
        let names = profile.measures.iter().map(|m| m.metric.key());
        let names: Vec<&str> = names.chain(profile.components.iter().map(|c| &*c.name)).collect();
        let measures = profile.measures.len();
        let mut served: BTreeSet<(bool, &str)> = BTreeSet::new();
        let mut kept = vec![false; names.len()];
        for (part, name) in names.iter().enumerate() {
            let answers = self.answers(profile, part, read);
            kept[part] = answers && served.insert((part < measures, name));
        }
        let lacks = |(part, name): (usize, &&str)| part < measures && !served.contains(&(true, *name));
        self.lacking |= names.iter().enumerate().any(lacks);
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

    /// Does the device give what this part cannot do without?
    fn answers(&self, profile: &Profile, part: usize, read: &[ScalarReading]) -> bool {
        let measure = profile.measures.get(part);
        let (needs, ignore) = measure.map_or((1, &[][..]), |m| (m.formula.needs(), &m.ignore));
        let given = |oid: &[u32], index: &[u32]| {
            value(oid, index, read).is_some_and(|v| {
                v.as_f64()
                    .is_none_or(|v| !ignore.iter().any(|i| (*i as f64 - v).abs() < 0.5))
            })
        };
        let objects = profile.objects_of(part);
        let answered = |object: &Object| match object {
            Object::Instance(oid) => given(oid, &[]),
            Object::Column(base) => self
                .rows
                .iter()
                .filter(|r| usize::from(r.part) == part)
                .any(|r| given(base, &r.index)),
        };
        !objects.is_empty() && objects.iter().take(needs).all(answered)
    }
}

/// What was read of an object. `read` is sorted.
fn value<'r>(oid: &[u32], index: &[u32], read: &'r [ScalarReading]) -> Option<&'r Number> {
    let wanted = || oid.iter().chain(index);
    let at = read.binary_search_by(|r| r.oid.iter().cmp(wanted())).ok()?;
    read.get(at)?.value.as_ref()
}

/// The indices of the rows that are meant.
fn meant<'a>(
    base: &[u32],
    which: &'a Rows,
    found: &'a Found,
    text: TextEncoding,
) -> impl Iterator<Item = &'a Vec<u32>> {
    let rows = found.get(base).into_iter().flatten().map(|(index, _)| index);
    rows.filter(move |index| {
        which
            .pick
            .as_ref()
            .is_none_or(|pick| picked(pick, index, (found, text)))
    })
}

fn picked(pick: &Pick, index: &[u32], (found, text): (&Found, TextEncoding)) -> bool {
    let Some(value) = cell(&pick.column, index, found) else {
        return false;
    };
    match (&pick.wanted, value) {
        (Wanted::Numbers(wanted), Value::Integer(v)) => wanted.contains(v),
        (Wanted::Numbers(wanted), Value::Gauge32(v)) => wanted.contains(&i64::from(*v)),
        (Wanted::Oid(wanted), Value::Oid(v)) => **wanted == **v,
        (Wanted::Words(wanted), value) => {
            let text = text::name_of(value, text).unwrap_or_default().to_lowercase();
            wanted.iter().any(|word| text.contains(word.as_str()))
        }
        _ => false,
    }
}

fn cell<'a>(column: &[u32], index: &[u32], found: &'a Found) -> Option<&'a Value> {
    let rows = found.get(column)?;
    // A walk gives them in order.
    let at = rows.binary_search_by(|(i, _)| i.as_slice().cmp(index)).ok()?;
    rows.get(at).map(|(_, value)| value)
}

/// How the row is called: its label; a component's says also what it is, if the label does not.
fn label(which: &Rows, index: &[u32], component: Option<&str>, (found, text): (&Found, TextEncoding)) -> Option<Name> {
    let label = which
        .label
        .as_ref()
        .and_then(|column| text::name_of(cell(column, index, found)?, text));
    match (component, label) {
        (None, label) => label,
        (Some(name), None) => {
            let dotted: Vec<String> = index.iter().map(u32::to_string).collect();
            Some(format!("{name} {}", dotted.join(".")).into())
        }
        (Some(name), Some(label)) => {
            let says = label.to_lowercase().contains(&name.to_lowercase());
            Some(if says { label } else { format!("{name} {label}").into() })
        }
    }
}

/// A finding is known by its part's name: two parts of one name get their index behind it.
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
            let dotted: Vec<String> = row.index.iter().map(u32::to_string).collect();
            row.label = Some(format!("{label} ({})", dotted.join(".")).into());
        }
    }
}

/// 10 to the power of scale and precision (RFC 3433): a sensor in millivolts with one decimal counts ten-thousandths.
fn factor(which: &Rows, index: &[u32], found: &Found) -> f64 {
    let Some(entry) = &which.sensor else { return 1.0 };
    let number = |n: u32| match cell(&column(entry, n), index, found) {
        Some(Value::Integer(v)) => i32::try_from(*v).ok(),
        _ => None,
    };
    let scale = number(2).filter(|s| (1..=17).contains(s)).unwrap_or(9);
    let precision = number(3).filter(|p| (0..=9).contains(p)).unwrap_or(0);
    10f64.powi(3 * (scale - 9) - precision)
}
