//! A profile's objects become one number.

use crate::model::profile::{Formula, Measure, Object};
use crate::poll::ScalarReading;
use crate::poll::observation::Number;

const HR_STORAGE_RAM: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 2];

/// The value of one instance, if it is a number.
pub fn find(oid: &[u32], readings: &[ScalarReading]) -> Option<f64> {
    readings
        .iter()
        .find(|r| *r.oid == *oid)?
        .value
        .as_ref()?
        .as_f64()
        .filter(|v| v.is_finite())
}

/// The measure's number, or `None` if any object it needs is missing.
pub fn evaluate(measure: &Measure, readings: &[ScalarReading]) -> Option<f64> {
    let number = |i: usize| match measure.objects.get(i)? {
        Object::Scalar(oid) => find(oid, readings),
        Object::Column(_) => None,
    };
    match measure.formula {
        Formula::Mean => mean(column(measure, 0, readings).filter_map(|(_, v)| v.as_f64())),
        Formula::HundredMinus => number(0).map(|v| 100.0 - v),
        Formula::Scaled(factor) => number(0).map(|v| v * factor),
        Formula::MemoryOfFree => {
            let (total, free) = (number(0)?, number(1)?);
            let reusable = number(2).unwrap_or(0.0) + number(3).unwrap_or(0.0);
            (total > 0.0).then(|| ((total - free - reusable) / total * 100.0).clamp(0.0, 100.0))
        }
        Formula::StorageRam => storage_ram(measure, readings),
    }
}

fn column<'a>(
    measure: &Measure,
    i: usize,
    readings: &'a [ScalarReading],
) -> impl Iterator<Item = (&'a [u32], &'a Number)> + use<'a> {
    let prefix: &'static [u32] = match measure.objects.get(i) {
        Some(Object::Column(oid)) => oid,
        _ => &[],
    };
    readings.iter().filter_map(move |r| {
        let index = r
            .oid
            .strip_prefix(prefix)
            .filter(|rest| !rest.is_empty() && !prefix.is_empty())?;
        Some((index, r.value.as_ref()?))
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values
        .filter(|v| v.is_finite())
        .fold((0.0, 0u32), |(s, n), v| (s + v, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn storage_ram(measure: &Measure, readings: &[ScalarReading]) -> Option<f64> {
    let at = |i: usize, index: &[u32]| {
        column(measure, i, readings)
            .find(|(x, _)| *x == index)
            .and_then(|(_, v)| v.as_f64())
    };
    let (mut size, mut used) = (0.0, 0.0);
    for (index, kind) in column(measure, 0, readings) {
        if matches!(kind, Number::Oid(oid) if oid == HR_STORAGE_RAM) {
            size += at(1, index)?;
            used += at(2, index)?;
        }
    }
    (size > 0.0).then(|| used / size * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::profile;

    fn reading(oid: &[u32], value: Number) -> ScalarReading {
        ScalarReading {
            oid: oid.into(),
            value: Some(value),
        }
    }

    #[test]
    fn cpu_is_the_mean_of_the_processors() {
        let cpu = &profile::by_name("net-snmp").unwrap().measures[0];
        let base = [1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2];
        let at = |i: u32| base.iter().copied().chain([i]).collect::<Vec<_>>();
        let readings = [
            reading(&at(196608), Number::Signed(90)),
            reading(&at(196609), Number::Signed(40)),
        ];
        assert_eq!(evaluate(cpu, &readings), Some(65.0));
        assert_eq!(evaluate(cpu, &[]), None, "no processor row is unknown, never 0 %");
    }

    #[test]
    fn memory_leaves_out_buffers_and_cache() {
        let memory = &profile::by_name("net-snmp").unwrap().measures[1];
        let at = |i: u32| vec![1, 3, 6, 1, 4, 1, 2021, 4, i, 0];
        let all = [(5, 1000), (6, 100), (14, 50), (15, 250)].map(|(i, v)| reading(&at(i), Number::Signed(v)));
        assert_eq!(evaluate(memory, &all), Some(60.0));
        assert_eq!(evaluate(memory, &all[1..]), None);
    }

    #[test]
    fn storage_counts_only_rows_of_type_ram() {
        let memory = &profile::by_name("host-resources").unwrap().measures[1];
        let at = |c: u32, i: u32| vec![1, 3, 6, 1, 2, 1, 25, 2, 3, 1, c, i];
        let disk = vec![1, 3, 6, 1, 2, 1, 25, 2, 1, 4];
        let readings = [
            reading(&at(2, 1), Number::Oid(HR_STORAGE_RAM.to_vec())),
            reading(&at(5, 1), Number::Signed(200)),
            reading(&at(6, 1), Number::Signed(50)),
            reading(&at(2, 31), Number::Oid(disk)),
            reading(&at(5, 31), Number::Signed(10)),
            reading(&at(6, 31), Number::Signed(10)),
        ];
        assert_eq!(evaluate(memory, &readings), Some(25.0));
    }
}
