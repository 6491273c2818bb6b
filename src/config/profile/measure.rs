//! `[[profile.measure]]`: one number of a make.
//!
//! `metric` says which. What is read stands in one of these sets of keys: `value`; `free_percent` (100 minus it); `used` and `total`;
//! `used` and `free`; `total` and `free`, perhaps with `buffers` and `cached`, which count as free; `sensor` (an entry laid out as in
//! ENTITY-SENSOR-MIB, of which the sensors in degrees Celsius count). Beside it: `scale`; `over` for several rows: `mean`, `worst`
//! (which is named) or `sum`; `where` picks rows; `label` names them; `ignore` lists raw values that mean "no reading".
//! Of several measures of one metric the first that a device answers counts.
//!
//! Never here: how the number is worked out (that is `sample`).

use super::{column, integer, object};
use crate::config::raw::{Node, Value};
use crate::config::reader::{Walk, listing, text, wrong_type};
use crate::config::report::Ctx;
use crate::config::values;
use crate::model::Metric;
use crate::model::profile::{self, Formula, Measure, Object, Oid, Over, Pick, Rows, Wanted};

const METRICS: &[(&str, Metric)] = &[
    ("cpu", Metric::Cpu),
    ("memory", Metric::Memory),
    ("load5", Metric::Load5),
    ("temperature", Metric::Temperature),
    ("sessions", Metric::Sessions),
    ("sessions-used", Metric::SessionsUsed),
    ("ups-load", Metric::UpsLoad),
    ("battery-charge", Metric::BatteryCharge),
    ("battery-runtime", Metric::BatteryRuntime),
];

const OVERS: &[(&str, Over)] = &[("mean", Over::Mean), ("worst", Over::Worst), ("sum", Over::Sum)];

/// The keys of a formula, in the order of its objects; those after `needs` may be absent.
const FORMULAS: &[(Formula, &[&str])] = &[
    (Formula::Value, &["value"]),
    (Formula::HundredMinus, &["free_percent"]),
    (Formula::UsedOfTotal, &["used", "total"]),
    (Formula::UsedAndFree, &["used", "free"]),
    (Formula::TotalLessFree, &["total", "free", "buffers", "cached"]),
];

/// entPhySensorType: celsius
const CELSIUS: i64 = 8;

/// Reads one.
pub(super) fn measure(walk: Walk<'_>) -> Option<Measure> {
    let metric = walk.required("metric", "which number this is", walk.word("metric", METRICS));
    let mut rows = rows(&walk);
    let objects = ["value", "free_percent", "used", "total", "free", "buffers", "cached"]
        .map(|key| (key, walk.text(key, object).map(|o| o.value)));
    let sensor = walk.text("sensor", values::oid).map(|o| o.value);
    let read = formula(&walk, &objects, sensor, &mut rows);
    let scale = walk.read("scale", factor).map_or(1.0, |s| s.value);
    let over = walk.word("over", OVERS).map(|o| o.value);
    let ignore = walk.list("ignore", "a list of whole numbers", |ctx, node| {
        integer(ctx, "ignore", node)
    });
    let (formula, objects) = match read {
        Some(read) => read,
        None => {
            walk.finish();
            return None;
        }
    };
    let tabular = objects.iter().any(|o| matches!(o, Object::Column(_)));
    if tabular && over.is_none() {
        walk.missing("over", "a column has many rows: \"mean\", \"worst\" or \"sum\"");
    }
    walk.finish();
    Some(Measure {
        metric: metric?.value,
        objects,
        formula,
        scale,
        over: over.unwrap_or(Over::Worst),
        rows,
        ignore: ignore.map_or(Vec::new(), |i| i.value),
    })
}

/// The formula that these keys make, with its objects in order.
fn formula(
    walk: &Walk<'_>,
    objects: &[(&str, Option<Object>)],
    sensor: Option<Vec<u32>>,
    rows: &mut Rows,
) -> Option<(Formula, Vec<Object>)> {
    let written: Vec<&str> = objects.iter().map(|(key, _)| *key).filter(|k| walk.has(k)).collect();
    if walk.has("sensor") {
        if let Some(extra) = written.first() {
            let what = format!("`sensor` and `{extra}` stand in one measure");
            walk.ctx.error(walk.at(), what, "one or the other: write two measures");
        }
        let entry: Oid = sensor?.into();
        rows.pick = Some(Pick {
            column: profile::column(&entry, 1),
            wanted: Wanted::Numbers(vec![CELSIUS]),
        });
        let objects = [4, 5].map(|n| Object::Column(profile::column(&entry, n)));
        rows.sensor = Some(entry);
        return Some((Formula::Sensor, objects.into()));
    }
    let fits = |(formula, keys): &&(Formula, &[&str])| {
        let needed = keys[..formula.needs()].iter().all(|k| written.contains(k));
        needed && written.iter().all(|k| keys.contains(k))
    };
    let Some((formula, keys)) = FORMULAS.iter().find(fits) else {
        let what = match written.is_empty() {
            true => format!("{} reads nothing", walk.name),
            false => {
                let keys = listing(written.iter().copied());
                format!("{} has {keys}, of which no number can be made", walk.name)
            }
        };
        let hint =
            "one of: value; free_percent; used and total; used and free; total and free (and buffers, cached); sensor";
        walk.ctx.error(walk.at(), what, hint);
        return None;
    };
    let found: Vec<Object> = keys
        .iter()
        .filter_map(|key| objects.iter().find(|(k, _)| k == key)?.1.clone())
        .collect();
    let columns = found.iter().filter(|o| matches!(o, Object::Column(_))).count();
    if columns > 0 && columns < found.len() {
        let what = format!("{} mixes columns and instances", walk.name);
        walk.ctx.error(
            walk.at(),
            what,
            "all objects of a share are columns of one table, or all are instances",
        );
        return None;
    }
    // One that is absent because it is wrong has been told.
    (found.len() == written.len()).then_some((*formula, found))
}

/// `where` and `label`.
pub(super) fn rows(walk: &Walk<'_>) -> Rows {
    Rows {
        pick: walk.read("where", pick).map(|p| p.value),
        label: walk.text("label", column).map(|l| l.value),
        sensor: None,
    }
}

/// `where = { column = "….*", is = [8] }`, or with `oid` or `has`.
fn pick<'a>(ctx: &'a Ctx<'a>, _: &str, node: &'a Node) -> Option<Pick> {
    const HINT: &str =
        "such as { column = \"1.3.6.1.2.1.99.1.1.1.1.*\", is = [8] }; or oid = \"…\", or has = [\"fan\"]";
    let walk = Walk::of(ctx, node, "`where`", HINT)?;
    let column = walk.required("column", HINT, walk.text("column", column));
    let numbers = walk.list("is", "a list of whole numbers", |ctx, node| integer(ctx, "is", node));
    let oid = walk.text("oid", values::oid);
    let words = walk.list("has", "a list of words", |ctx, node| {
        text(ctx, "has", node, values::name).map(|w| w.to_lowercase())
    });
    let wanted = match (numbers, oid, words) {
        (Some(numbers), None, None) => Some(Wanted::Numbers(numbers.value)),
        (None, Some(oid), None) => Some(Wanted::Oid(oid.value.into())),
        (None, None, Some(words)) => Some(Wanted::Words(words.value)),
        _ => {
            if ["is", "oid", "has"].iter().filter(|k| walk.has(k)).count() != 1 {
                ctx.error(node.at, "`where` says not once what the column must say", HINT);
            }
            None
        }
    };
    walk.finish();
    Some(Pick {
        column: column?.value,
        wanted: wanted?,
    })
}

fn factor(ctx: &Ctx<'_>, key: &str, node: &Node) -> Option<f64> {
    const HINT: &str = "a number above 0 that the value is multiplied by, such as 0.1";
    match node.value {
        #[allow(clippy::cast_precision_loss)] // a factor written by hand
        Value::Integer(n) if n > 0 => Some(n as f64),
        Value::Float(n) if n > 0.0 && n.is_finite() => Some(n),
        Value::Integer(_) | Value::Float(_) => {
            ctx.error(node.at, format!("`{key}` is not above 0"), HINT);
            None
        }
        ref other => {
            wrong_type(ctx, key, node, other, HINT);
            None
        }
    }
}
