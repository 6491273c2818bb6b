//! A profile's objects become one number, or the state of a part.
//!
//! Never here: which rows of a table are meant (the agent has learned that), and what a state leads to.

use crate::model::Name;
use crate::model::profile::{Component, Formula, Measure, Object, Over, PartState};
use crate::poll::{ScalarReading, TableRow};
use std::borrow::Cow;

/// entPhySensorOperStatus: ok
const SENSOR_OK: f64 = 1.0;

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
    /// The row that decides, if it has a name.
    pub which: Option<Name>,
}

/// The measure's number, or `None` if any object it needs is missing. `rows` are those of this measure.
pub fn evaluate(measure: &Measure, rows: &[TableRow], readings: &Readings<'_>) -> Option<Evaluated> {
    let tabular = measure.objects.iter().any(|o| matches!(o, Object::Column(_)));
    if !tabular {
        let value = number(measure, &objects(measure, &[], readings))?;
        return Some(Evaluated { value, which: None });
    }
    let all = rows.iter().map(|row| (row, objects(measure, &row.index, readings)));
    if measure.over == Over::Sum {
        return sum(measure, all.map(|(_, values)| values)).map(|value| Evaluated { value, which: None });
    }
    let values = all.filter_map(|(row, values)| Some((row, number(measure, &values)? * row.factor)));
    if measure.over == Over::Mean {
        let (sum, count) = values.fold((0.0, 0u32), |(s, n), (_, v)| (s + v, n + 1));
        let value = sum / f64::from(count);
        return (count > 0).then_some(Evaluated { value, which: None });
    }
    let sign = measure.metric.sign();
    let (row, value) = values.max_by(|a, b| (a.1 * sign).total_cmp(&(b.1 * sign)))?;
    Some(Evaluated {
        value,
        which: row.label.clone(),
    })
}

/// The values of a row's objects, in their order; what means "no reading" is none.
fn objects(measure: &Measure, index: &[u32], readings: &Readings<'_>) -> [Option<f64>; 4] {
    let value = |i: usize| {
        let value = readings.get(measure.objects.get(i)?.oid(), index)?;
        let ignored = measure.ignore.iter().any(|raw| (*raw as f64 - value).abs() < 0.5);
        (!ignored).then_some(value)
    };
    [0, 1, 2, 3].map(value)
}

fn number(measure: &Measure, values: &[Option<f64>; 4]) -> Option<f64> {
    let [first, second, third, fourth] = *values;
    let share = |used: f64, total: f64| (total > 0.0).then(|| (used / total * 100.0).clamp(0.0, 100.0));
    match measure.formula {
        Formula::Value => first.map(|v| v * measure.scale),
        Formula::HundredMinus => first.map(|v| 100.0 - v * measure.scale),
        Formula::UsedOfTotal => share(unsigned(first?), unsigned(second?)),
        Formula::UsedAndFree => share(unsigned(first?), unsigned(first?) + unsigned(second?)),
        Formula::TotalLessFree => {
            let free = unsigned(second?) + third.map_or(0.0, unsigned) + fourth.map_or(0.0, unsigned);
            share(unsigned(first?) - free, unsigned(first?))
        }
        // Without a status the value is believed: not every agent has that column.
        Formula::Sensor => first
            .filter(|_| second.is_none_or(|s| s == SENSOR_OK))
            .map(|v| v * measure.scale),
    }
}

/// Sizes beyond 2^31 come out negative where an agent uses INTEGER (hrStorageSize).
fn unsigned(size: f64) -> f64 {
    if size < 0.0 { size + 4_294_967_296.0 } else { size }
}

/// Each object summed over the rows, then the formula. A row of which something is missing would make the share wrong: nothing then.
fn sum(measure: &Measure, rows: impl Iterator<Item = [Option<f64>; 4]>) -> Option<f64> {
    let mut total = [None; 4];
    for row in rows {
        if row[..measure.formula.needs()].iter().any(Option::is_none) {
            return None;
        }
        for (sum, value) in total.iter_mut().zip(row) {
            *sum = value.map(|v| unsigned(v) + sum.unwrap_or(0.0)).or(*sum);
        }
    }
    number(measure, &total)
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
    use crate::model::Metric;
    use crate::model::profile::Rows;
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
        }
    }

    fn column(n: u32) -> Object {
        Object::Column([1, n].into())
    }

    fn row(index: u32) -> TableRow {
        TableRow {
            part: 0,
            index: [index].into(),
            label: Some(format!("row {index}").into()),
            factor: 1.0,
        }
    }

    #[test]
    fn rows_make_a_mean_a_worst_or_a_sum() {
        let read = [(1, 90), (2, 40)].map(|(i, v)| reading(&[1, 5, i], Number::Signed(v)));
        let (readings, rows) = (Readings::new(&read), [row(1), row(2)]);
        let value = |over| {
            let found = evaluate(&measure(Formula::Value, &[column(5)], over), &rows, &readings);
            found.map(|e| (e.value, e.which.map(|w| w.to_string())))
        };
        assert_eq!(value(Over::Mean), Some((65.0, None)));
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
}
