//! A profile's objects become one number, or the state of a part.
//!
//! Never here: which rows of a table are meant (the agent has learned that), and what a state leads to.

use crate::model::profile::{Component, Measure, Object, Over, PartState, Values, unsigned};
use crate::model::{Level, Limits, Name, Place, Threshold};
use crate::poll::{ScalarReading, TableRow};
use std::borrow::Cow;
use std::cmp::Ordering;

/// What was read, in the order of the object identifiers.
pub struct Readings<'r>(Cow<'r, [ScalarReading]>);

impl<'r> Readings<'r> {
    /// Takes them as they are if they are in order, as they come from an agent.
    pub fn new(readings: &'r [ScalarReading]) -> Readings<'r> {
        if readings.is_sorted_by(|a, b| a.oid <= b.oid) {
            return Readings(Cow::Borrowed(readings));
        }
        let mut sorted = readings.to_vec();
        sorted.sort_by(|a, b| a.oid.cmp(&b.oid));
        Readings(Cow::Owned(sorted))
    }

    /// The value of one instance, if it is a number. `index` is the end of its identifier.
    fn get(&self, oid: &[u32], index: &[u32]) -> Option<f64> {
        let wanted = || oid.iter().chain(index);
        let at = self.0.binary_search_by(|r| r.oid.iter().cmp(wanted())).ok()?;
        let value = self.0.get(at)?.value.as_ref()?;
        value.as_f64().filter(|v| v.is_finite())
    }

    /// The value of one instance, if it is a number.
    pub fn find(&self, oid: &[u32]) -> Option<f64> {
        self.get(oid, &[])
    }
}

/// A number, and which row it is from if one row decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// In the unit of the measure's metric.
    pub value: f64,
    /// The row that decides, or of how many rows it is the mean.
    pub which: Option<Name>,
    /// The device's own limits for the row that decides.
    pub limits: Option<Limits>,
}

/// A measure with its rows.
pub type Measured<'m> = (&'m Measure, &'m [TableRow]);

/// The number that a measure and those that join it make, or `None` if any object it needs is missing. `site` is the threshold that
/// judges rows for which the device has no limits of its own.
pub fn evaluate(group: &[Measured<'_>], site: Option<&Threshold>, readings: &Readings<'_>) -> Option<Evaluated> {
    let (first, rows) = group.first()?;
    if first.over == Over::Sum && is_tabular(first) {
        let value = sum(first, rows, readings)?;
        return Some(plain(value, None));
    }
    let mut all = Vec::new();
    for (measure, rows) in group {
        values(measure, rows, readings, &mut all);
    }
    if first.over == Over::Mean && is_tabular(first) {
        let count = all.len();
        let value = all.iter().map(|r| r.value).sum::<f64>() / count as f64;
        let which = (count > 1).then(|| Name::from(format!("mean of {count}")));
        return (count > 0).then(|| plain(value, which));
    }
    worst(&all, site, first.metric.sign())
}

/// It is made of rows of a table.
pub fn is_tabular(measure: &Measure) -> bool {
    measure.objects.iter().any(|o| matches!(o, Object::Column(_)))
}

fn plain(value: f64, which: Option<Name>) -> Evaluated {
    Evaluated {
        value,
        which,
        limits: None,
    }
}

/// What one row, or an instance, gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowValue<'r> {
    /// In the unit of the measure's metric.
    pub value: f64,
    /// The row's name.
    pub label: Option<&'r Name>,
    /// The device's own limits for it.
    pub limits: Option<Limits>,
    /// Where it was measured.
    pub place: Place,
}

/// The number of each row that gives one.
pub fn values<'r>(measure: &'r Measure, rows: &'r [TableRow], readings: &Readings<'_>, out: &mut Vec<RowValue<'r>>) {
    if !is_tabular(measure) {
        let value = measure.number(&objects(measure, &[], readings), 1.0);
        out.extend(value.map(|value| RowValue {
            value,
            label: measure.rows.name.as_ref(),
            limits: None,
            place: Place::Air,
        }));
        return;
    }
    out.extend(rows.iter().filter_map(|row| {
        Some(RowValue {
            value: measure.number(&objects(measure, &row.index, readings), row.factor)?,
            label: row.label.as_ref(),
            limits: row.limits,
            place: row.place,
        })
    }));
}

/// The row that is worst off. Where the device has limits of its own, that is the one nearest to them, not the one with the greatest
/// number; what sits in a chip or a transceiver and has no limits is left out beside what sits in the air: the site's limits are
/// made for the air.
fn worst(all: &[RowValue<'_>], site: Option<&Threshold>, sign: f64) -> Option<Evaluated> {
    let counts = |row: &&RowValue<'_>| row.limits.is_some() || row.place == Place::Air;
    let some_count = all.iter().any(|row| counts(&row));
    let rows = all.iter().filter(|row| !some_count || counts(row));
    let worst = rows.max_by(|a, b| {
        let order = site.map_or(Ordering::Equal, |site| {
            standing(a, site, sign).cmp_to(&standing(b, site, sign))
        });
        order.then((a.value * sign).total_cmp(&(b.value * sign)))
    })?;
    Some(Evaluated {
        value: worst.value,
        which: worst.label.cloned(),
        limits: worst.limits,
    })
}

/// How a row stands against its limits.
struct Standing {
    /// Levels whose beginning it has reached.
    raised: usize,
    /// Levels whose end it has not: where it was once above, it is still what counts.
    held: usize,
    /// How far it is from the graver of its limits; below zero before it.
    distance: f64,
}

impl Standing {
    fn cmp_to(&self, other: &Standing) -> Ordering {
        let levels = (self.raised, self.held).cmp(&(other.raised, other.held));
        levels.then(self.distance.total_cmp(&other.distance))
    }
}

fn standing(row: &RowValue<'_>, site: &Threshold, sign: f64) -> Standing {
    let own = row.limits.and_then(|limits| limits.threshold(site));
    let threshold = own.as_ref().unwrap_or(site);
    let value = row.value * sign;
    let bounds = || {
        [Level::Warning, Level::Critical]
            .into_iter()
            .filter_map(|l| threshold.bound(l))
    };
    Standing {
        raised: bounds().filter(|b| value >= b.raise()).count(),
        held: bounds().filter(|b| value > b.clear()).count(),
        distance: bounds().next_back().map_or(f64::NEG_INFINITY, |b| value - b.raise()),
    }
}

/// The values of a row's objects, in their order; what means "no reading" is none.
fn objects(measure: &Measure, index: &[u32], readings: &Readings<'_>) -> Values {
    let value = |i: usize| {
        let value = readings.get(measure.objects.get(i)?.oid(), index)?;
        (!measure.ignores(value)).then_some(value)
    };
    [0, 1, 2, 3].map(value)
}

/// Each object summed over the rows, then the formula; rows with a factor below zero are taken off the first object. A row of which
/// something is missing would make the share wrong: nothing then.
fn sum(measure: &Measure, rows: &[TableRow], readings: &Readings<'_>) -> Option<f64> {
    let needs = measure.formula.needs();
    let mut total: Values = [None; 4];
    let mut less = 0.0;
    for row in rows {
        let values = objects(measure, &row.index, readings);
        if row.factor < 0.0 {
            less -= unsigned(values[0]?) * row.factor;
            continue;
        }
        if values[..needs].iter().any(Option::is_none) {
            return None;
        }
        for (sum, value) in total.iter_mut().zip(values) {
            *sum = value.map(|v| unsigned(v) * row.factor + sum.unwrap_or(0.0)).or(*sum);
        }
    }
    // More than is in use cannot be a part of it: such an agent does not count it in.
    total[0] = total[0].map(|used| if less <= used { used - less } else { used });
    measure.number(&total, 1.0)
}

/// The state of a part: its code, and what that means if the profile says so. `None`: it gave nothing.
pub fn state<'c>(
    component: &'c Component,
    row: Option<&TableRow>,
    readings: &Readings<'_>,
) -> Option<(i64, Option<&'c PartState>)> {
    let value = readings.get(component.object.oid(), row.map_or(&[], |r| &*r.index))?;
    #[allow(clippy::cast_possible_truncation)] // a code: it saturates, and then means nothing
    let code = value.round() as i64;
    Some((code, component.states.iter().find(|s| s.code == code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::profile::{Formula, Rows};
    use crate::model::{Bound, Metric};
    use crate::poll::observation::Number;

    fn reading(oid: &[u32], value: Number) -> ScalarReading {
        ScalarReading {
            oid: oid.into(),
            value: Some(value),
        }
    }

    fn measure(formula: Formula, objects: &[Object], over: Over) -> Measure {
        Measure {
            metric: Metric::Cpu,
            objects: objects.to_vec(),
            formula,
            scale: 1.0,
            over,
            rows: Rows::default(),
            ignore: Vec::new(),
            joins: false,
            fallback: false,
        }
    }

    fn evaluate(measure: &Measure, rows: &[TableRow], readings: &Readings<'_>) -> Option<Evaluated> {
        super::evaluate(&[(measure, rows)], None, readings)
    }

    fn column(n: u32) -> Object {
        Object::Column([1, n].into())
    }

    fn row(index: u32) -> TableRow {
        TableRow {
            part: 0,
            index: [index].into(),
            label: Some(format!("row {index}").into()),
            id: None,
            factor: 1.0,
            limits: None,
            place: Place::Air,
        }
    }

    #[test]
    fn rows_make_a_mean_a_worst_or_a_sum() {
        let read = [(1, 90), (2, 40)].map(|(i, v)| reading(&[1, 5, i], Number::Signed(v)));
        let (readings, rows) = (Readings::new(&read), [row(1), row(2)]);
        let value = |over| {
            let sessions = Measure {
                metric: Metric::Sessions,
                ..measure(Formula::Value, &[column(5)], over)
            };
            let found = evaluate(&sessions, &rows, &readings);
            found.map(|e| (e.value, e.which.map(|w| w.to_string())))
        };
        assert_eq!(value(Over::Mean), Some((65.0, Some("mean of 2".to_owned()))));
        assert_eq!(value(Over::Worst), Some((90.0, Some("row 1".to_owned()))));
        assert_eq!(value(Over::Sum), Some((130.0, None)));
        let none = evaluate(&measure(Formula::Value, &[column(5)], Over::Mean), &[], &readings);
        assert_eq!(none, None, "no processor row is unknown, never 0 %");
    }

    #[test]
    fn what_falls_is_worst_where_it_is_least() {
        let read = [(1, 90), (2, 40)].map(|(i, v)| reading(&[1, 5, i], Number::Signed(v)));
        let battery = Measure {
            metric: Metric::BatteryCharge,
            ..measure(Formula::Value, &[column(5)], Over::Worst)
        };
        let rows = [row(1), row(2)];
        let found = evaluate(&battery, &rows, &Readings::new(&read));
        assert_eq!(found.map(|e| e.value), Some(40.0));
    }

    #[test]
    fn memory_leaves_out_buffers_and_cache() {
        let at = |i: u32| Object::Instance([2, i, 0].into());
        let memory = measure(Formula::TotalLessFree, &[at(5), at(6), at(14), at(15)], Over::Worst);
        let all = [(5, 1000), (6, 100), (14, 50), (15, 250)].map(|(i, v)| reading(&[2, i, 0], Number::Signed(v)));
        let value = |read: &[ScalarReading]| evaluate(&memory, &[], &Readings::new(read)).map(|e| e.value);
        assert_eq!(value(&all), Some(60.0));
        assert_eq!(value(&all[..2]), Some(90.0), "buffers and cache need not be there");
        assert_eq!(value(&all[1..]), None);
        let mut turned = all.clone();
        turned.reverse();
        assert_eq!(value(&turned), Some(60.0), "in any order");
    }

    #[test]
    fn a_sum_of_shares_misses_no_row() {
        let share = measure(Formula::UsedOfTotal, &[column(6), column(5)], Over::Sum);
        let mut read = vec![
            reading(&[1, 5, 1], Number::Signed(200)),
            reading(&[1, 5, 2], Number::Signed(600)),
            reading(&[1, 6, 1], Number::Signed(50)),
            reading(&[1, 6, 2], Number::Signed(150)),
        ];
        let rows = [row(1), row(2)];
        let value = |read: &[ScalarReading]| evaluate(&share, &rows, &Readings::new(read)).map(|e| e.value);
        assert_eq!(value(&read), Some(25.0));
        read[1] = reading(&[1, 5, 2], Number::Signed(-4_294_967_296 + 600));
        assert_eq!(value(&read), Some(25.0), "a size that went below zero is a large one");
        read.pop();
        assert_eq!(value(&read), None);
    }

    #[test]
    fn a_sensor_that_is_not_ok_says_nothing() {
        let sensor = measure(Formula::Sensor, &[column(4), column(5)], Over::Worst);
        let tenths = TableRow { factor: 0.1, ..row(1) };
        let value = |status: i64| {
            let read = [
                reading(&[1, 4, 1], Number::Signed(385)),
                reading(&[1, 5, 1], Number::Signed(status)),
            ];
            evaluate(&sensor, std::slice::from_ref(&tenths), &Readings::new(&read)).map(|e| e.value)
        };
        assert_eq!(value(1), Some(38.5));
        assert_eq!(value(2), None);
    }

    #[test]
    fn values_that_mean_no_reading_are_none() {
        let zero = Measure {
            ignore: vec![0],
            ..measure(Formula::Value, &[Object::Instance([3, 0].into())], Over::Worst)
        };
        let value = |v: i64| evaluate(&zero, &[], &Readings::new(&[reading(&[3, 0], Number::Signed(v))]));
        assert_eq!(value(0), None);
        assert_eq!(value(41).map(|e| e.value), Some(41.0));
    }

    #[test]
    fn who_is_nearest_to_its_own_limits_is_worst_off() {
        let bound = |raise| Bound::new(raise, raise - 5.0);
        let hold = std::time::Duration::ZERO;
        let site = Threshold::new(bound(55.0), bound(65.0), hold, hold).unwrap();
        let heat = Measure {
            metric: Metric::Temperature,
            ..measure(Formula::Value, &[column(5)], Over::Worst)
        };
        let (mut chip, inlet, mut die) = (row(1), row(2), row(3));
        chip.limits = Limits::new(Some(110.0), Some(125.0));
        die.place = Place::Chip;
        let rows = [chip, inlet, die];
        let worst = |values: [i64; 3]| {
            let read = [0, 1, 2].map(|i| reading(&[1, 5, i as u32 + 1], Number::Signed(values[i])));
            let found = super::evaluate(&[(&heat, &rows)], Some(&site), &Readings::new(&read));
            found.map(|e| (e.value, e.limits.is_some()))
        };
        assert_eq!(
            worst([88, 30, 99]),
            Some((30.0, false)),
            "35 degrees are left to it, 37 to the chip"
        );
        assert_eq!(
            worst([88, 58, 99]),
            Some((58.0, false)),
            "a chip without limits is not held against the air's"
        );
        assert_eq!(worst([112, 30, 99]), Some((112.0, true)));
        assert_eq!(
            worst([107, 30, 99]),
            Some((107.0, true)),
            "above where its warning ends, it may still last"
        );
        assert_eq!(worst([126, 58, 99]), Some((126.0, true)), "the graver level counts");
        let alone = super::evaluate(
            &[(&heat, &rows[2..])],
            Some(&site),
            &Readings::new(&[reading(&[1, 5, 3], Number::Signed(70))]),
        );
        assert_eq!(alone.map(|e| e.value), Some(70.0), "nothing else is there");
    }

    #[test]
    fn what_is_kept_in_case_it_is_needed_again_is_not_in_use() {
        let share = measure(Formula::UsedOfTotal, &[column(6), column(5)], Over::Sum);
        let (mut all, mut kept) = (row(1), row(7));
        (all.factor, kept.factor) = (1024.0, -4096.0);
        let rows = [all, kept];
        let value = |cached: i64| {
            let read = [
                reading(&[1, 5, 1], Number::Signed(1_000)),
                reading(&[1, 5, 7], Number::Signed(250)),
                reading(&[1, 6, 1], Number::Signed(900)),
                reading(&[1, 6, 7], Number::Signed(cached)),
            ];
            evaluate(&share, &rows, &Readings::new(&read)).map(|e| e.value)
        };
        assert_eq!(value(200), Some(10.0), "each row in its own unit");
        assert_eq!(value(240), Some(90.0), "more than is in use is no part of it");
    }

    #[test]
    fn a_number_that_no_device_can_mean_is_none() {
        let at = |metric, scale, raw: i64| {
            let measure = Measure {
                metric,
                scale,
                ..measure(Formula::Value, &[Object::Instance([3, 0].into())], Over::Worst)
            };
            let read = [reading(&[3, 0], Number::Signed(raw))];
            evaluate(&measure, &[], &Readings::new(&read)).map(|e| e.value)
        };
        for raw in [-1, 255, 65_535, 2_147_483_647, 4_294_967_295] {
            assert_eq!(at(Metric::Cpu, 1.0, raw), None, "{raw} %");
            assert_eq!(at(Metric::BatteryCharge, 1.0, raw), None, "{raw} %");
        }
        for raw in [-273, 255, 32_767, 65_535, 2_147_483_647] {
            assert_eq!(at(Metric::Temperature, 1.0, raw), None, "{raw} degrees");
        }
        for raw in [-1, 65_535, 2_147_483_647, 4_294_967_295] {
            assert_eq!(at(Metric::BatteryRuntime, 60.0, raw), None, "{raw} minutes");
        }
        assert_eq!(at(Metric::BatteryRuntime, 60.0, 72), Some(4_320.0));
        assert_eq!(at(Metric::Temperature, 1.0, -7), Some(-7.0));
        assert_eq!(at(Metric::Cpu, 1.0, 103), Some(100.0), "an average that overshoots");
        assert_eq!(at(Metric::UpsLoad, 1.0, 130), Some(130.0), "an overloaded UPS");
    }
}
