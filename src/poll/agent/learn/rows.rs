//! Rows of a profile's tables as walks found them: which are meant, how they are called, what limits they have.
//!
//! Never here: what is read of them each round.

use super::Found;
use crate::model::profile::{LimitSource, Oid, Pick, Rows, Wanted, column};
use crate::model::snmp::TextEncoding;
use crate::model::{Limits, Metric, Name, words};
use crate::poll::agent::text;
use crate::wire::snmp::Value;

/// What walks found, as one measure or component reads it.
pub(super) struct Reader<'a> {
    which: &'a Rows,
    found: &'a Found,
    encoding: TextEncoding,
    /// `less` takes rows off the others.
    is_less: bool,
}

/// All rows of the table would be taken off: there is nothing to take them off, so they are what is meant.
fn less_is_all(base: &[u32], which: &Rows, (found, encoding): (&Found, TextEncoding)) -> bool {
    let Some(less) = &which.less else { return false };
    let is_less = |index: &[u32]| says(less, index, (found, encoding)).unwrap_or(false);
    let mut rows = found.get(base).into_iter().flatten().map(|(index, _)| index);
    !rows.any(|index| !is_less(index) && picked(which, index, (found, encoding)))
}

/// What a column says of a row; `None` if it has no cell there.
fn says(pick: &Pick, index: &[u32], (found, encoding): (&Found, TextEncoding)) -> Option<bool> {
    let value = cell(&pick.column, index, found)?;
    Some(match (&pick.wanted, value) {
        (Wanted::Numbers(wanted), Value::Integer(v)) => wanted.contains(v),
        (Wanted::Numbers(wanted), Value::Gauge32(v)) => wanted.contains(&i64::from(*v)),
        (Wanted::Oid(wanted), Value::Oid(v)) => **wanted == **v,
        (Wanted::Words { some, none }, value) => {
            Wanted::says(some, none, &text::name_of(value, encoding).unwrap_or_default())
        }
        _ => false,
    })
}

/// Is the row one of those that are meant?
fn picked(which: &Rows, index: &[u32], (found, encoding): (&Found, TextEncoding)) -> bool {
    /// entPhySensorType: celsius
    const CELSIUS: i64 = 8;
    if let Some(entry) = &which.sensor
        && !matches!(cell(&column(entry, 1), index, found), Some(Value::Integer(CELSIUS)))
    {
        return false;
    }
    let mut said = which
        .picks
        .iter()
        .filter_map(|pick| says(pick, index, (found, encoding)));
    which.picks.is_empty() || said.next().unwrap_or(false)
}

impl<'a> Reader<'a> {
    /// `base`: the column whose rows are meant.
    pub(super) fn new(which: &'a Rows, base: &[u32], (found, encoding): (&'a Found, TextEncoding)) -> Reader<'a> {
        Reader {
            which,
            found,
            encoding,
            is_less: !less_is_all(base, which, (found, encoding)),
        }
    }

    /// The indices of the rows that are meant, and whether each is taken off the others.
    pub(super) fn meant(&self, base: &[u32]) -> impl Iterator<Item = (&'a Vec<u32>, bool)> + use<'_, 'a> {
        let (which, found, encoding) = (self.which, self.found, self.encoding);
        let rows = found.get(base).into_iter().flatten().map(|(index, _)| index);
        rows.filter_map(move |index| {
            let less = which.less.as_ref().filter(|_| self.is_less);
            if less.is_some_and(|less| says(less, index, (found, encoding)) == Some(true)) {
                return Some((index, true));
            }
            picked(which, index, (found, encoding)).then_some((index, false))
        })
    }

    /// How the row is called: its label without words of state; a component's says also what it is, if the label does not.
    pub(super) fn label(&self, index: &[u32], component: Option<&str>) -> Option<Name> {
        let texts = self.which.labels.iter().filter_map(|c| cell(c, index, self.found));
        let label = texts
            .filter_map(|value| text::name_of(value, self.encoding))
            .map(|l| words::without_state(&l))
            .next();
        match (component, label) {
            (None, label) => label.map(Name::from),
            (Some(name), None) => Some(format!("{name} {}", dotted(index)).into()),
            (Some(name), Some(label)) => {
                let says = label.to_lowercase().contains(&name.to_lowercase());
                Some(if says { label } else { format!("{name} {label}") }.into())
            }
        }
    }

    fn number(&self, column: &[u32], index: &[u32]) -> Option<f64> {
        plain(cell(column, index, self.found)?)
    }

    /// What the row's value is multiplied with.
    pub(super) fn factor(&self, index: &[u32]) -> f64 {
        let unit = self.which.unit.as_ref().and_then(|c| self.number(c, index));
        let unit = unit.filter(|u| *u >= 1.0).unwrap_or(1.0);
        unit * factor(self.which, index, self.found)
    }

    /// The device's own limits of the row.
    pub(super) fn limits(&self, index: &[u32]) -> Option<Limits> {
        let scale = factor(self.which, index, self.found);
        // Zero and the ends of EntitySensorValue (RFC 3433) say that there is none.
        let real = |limit: &f64| *limit > 0.0 && *limit < 1e9;
        let at = |column: &Option<Oid>| {
            let raw = self.number(column.as_ref()?, index).filter(real)?;
            Metric::Temperature.plausible(raw * scale)
        };
        match &self.which.limits {
            LimitSource::None => None,
            LimitSource::Columns { warning, critical } => Limits::new(at(warning), at(critical)),
            LimitSource::Severities(entry) => self.severities(entry, index, scale),
        }
    }

    /// CISCO-ENTITY-SENSOR-MIB: of the limits that the value must not exceed the lowest minor one warns, the lowest graver one is
    /// critical.
    fn severities(&self, entry: &[u32], index: &[u32], scale: f64) -> Option<Limits> {
        /// SensorThresholdSeverity: minor, major
        const MINOR: f64 = 10.0;
        const MAJOR: f64 = 20.0;
        /// SensorThresholdRelation: greaterThan, greaterOrEqual
        const ABOVE: [f64; 2] = [3.0, 4.0];
        let [severity, relation, value] = [2, 3, 4].map(|n| column(entry, n));
        let mut limits: [Option<f64>; 2] = [None; 2];
        let rows = self.found.get(&value[..]).into_iter().flatten().map(|(index, _)| index);
        for row in rows.filter(|row| row.starts_with(index) && row.len() == index.len() + 1) {
            let number = |column: &[u32]| self.number(column, row);
            let (Some(severity), Some(relation), Some(value)) = (number(&severity), number(&relation), number(&value))
            else {
                continue;
            };
            let Some(value) = Metric::Temperature.plausible(value * scale).filter(|v| *v > 0.0) else {
                continue;
            };
            if severity >= MINOR && ABOVE.contains(&relation) {
                let limit = &mut limits[usize::from(severity >= MAJOR)];
                *limit = Some(limit.map_or(value, |known| known.min(value)));
            }
        }
        Limits::new(limits[0], limits[1])
    }
}

pub(super) fn dotted(index: &[u32]) -> String {
    let numbers: Vec<String> = index.iter().map(u32::to_string).collect();
    numbers.join(".")
}

/// The name of a row that the device does not name: what it is, and its index where it is not the only one.
pub(super) fn made_up(which: &Rows, index: &[u32], metric: Option<Metric>, several: bool) -> Option<Name> {
    match (&which.name, metric) {
        (Some(name), _) if !several => Some(Name::clone(name)),
        (Some(name), _) => Some(format!("{name} {}", dotted(index)).into()),
        (None, Some(metric)) if several => Some(format!("{} {}", metric.key(), dotted(index)).into()),
        _ => None,
    }
}

/// A value as a number, if it is one.
fn plain(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(v) => Some(*v as f64),
        Value::Counter32(v) | Value::Gauge32(v) | Value::TimeTicks(v) => Some(f64::from(*v)),
        Value::OctetString(octets) => std::str::from_utf8(octets)
            .ok()?
            .trim()
            .parse()
            .ok()
            .filter(|v: &f64| v.is_finite()),
        _ => None,
    }
}

fn cell<'a>(column: &[u32], index: &[u32], found: &'a Found) -> Option<&'a Value> {
    let rows = found.get(column)?;
    // A walk gives them in order.
    let at = rows.binary_search_by(|(i, _)| i.as_slice().cmp(index)).ok()?;
    rows.get(at).map(|(_, value)| value)
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
