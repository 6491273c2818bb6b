//! `[[profile.measure]]`: one number of a make.
//!
//! `metric` says which. What is read stands in one of these sets of keys: `value`; `free_percent` (100 minus it); `used` and `total`;
//! `used` and `free`; `total` and `free`, perhaps with `buffers` and `cached`, which count as free; `sensor` (an entry laid out as in
//! ENTITY-SENSOR-MIB, of which the sensors in degrees Celsius count). Beside it: `scale`; `over` for several rows: `mean`, `worst`
//! (which is named) or `sum`; `ignore` lists raw values that mean "no reading"; `joins` puts its rows beside those of the measure before
//! it. The keys of rows: `where` picks them, by one column or by the first of several that has a cell; `less` takes some off the
//! others; `label` (one column or several, the first that is not empty) and `name_of_rows` say how they are called; `unit` is a column that
//! multiplies them; `limit_warning`, `limit_critical` or `limits` (an entry laid out as entSensorThresholdEntry) are the device's own.
//! Of several measures of one metric the first counts by which a device gives a plausible number.
//!
//! Never here: how the number is worked out (that is `sample`).

use super::{column, integer, object};
use crate::config::raw::{Node, Value};
use crate::config::reader::{Walk, listing, text, wrong_type};
use crate::config::report::Ctx;
use crate::config::values::{self, Taken, refuse};
use crate::model::profile::{
    Formula, LimitSource, Measure, Object, Oid, Over, Pick, Rows, Wanted, column as column_of,
};
use crate::model::words::Phrase;
use crate::model::{Metric, Name};

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

/// Reads one.
/// `before`: the metric of the measure before it.
pub(super) fn measure(walk: Walk<'_>, before: Option<Metric>) -> Option<Measure> {
    let metric = walk.required("metric", "which number this is", walk.word("metric", METRICS));
    let mut rows = rows(&walk);
    let objects = ["value", "free_percent", "used", "total", "free", "buffers", "cached"]
        .map(|key| (key, walk.text(key, object).map(|o| o.value)));
    let sensor = walk.text("sensor", values::oid).map(|o| o.value);
    let read = formula(&walk, &objects, sensor, &mut rows);
    let scale = walk.read("scale", factor).map_or(1.0, |s| s.value);
    let joins = walk.flag("joins").filter(|j| j.value);
    if let Some(joins) = joins
        .as_ref()
        .filter(|_| before.is_none() || before != metric.as_ref().map(|m| m.value))
    {
        let what = format!("{} joins nothing", walk.name);
        let hint = "the measure before it has to be of the same metric: its rows stand beside those";
        walk.ctx.error(joins.at, what, hint);
    }
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
        joins: joins.is_some(),
        fallback: false,
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
        let objects = [4, 5].map(|n| Object::Column(column_of(&entry, n)));
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

/// Which rows are meant, how they are called, and the limits that they have.
pub(super) fn rows(walk: &Walk<'_>) -> Rows {
    Rows {
        picks: walk.read("where", picks).map_or(Vec::new(), |p| p.value),
        less: walk
            .read("less", |ctx, key, node| pick(ctx, key, node))
            .map(|p| p.value),
        labels: walk.read("label", labels).map_or(Vec::new(), |l| l.value),
        name: walk.text("name_of_rows", values::name).map(|n| Name::from(n.value)),
        sensor: None,
        unit: walk.text("unit", column).map(|u| u.value),
        limits: limits(walk),
    }
}

/// The device's own limits.
fn limits(walk: &Walk<'_>) -> LimitSource {
    let limit = |key| walk.text(key, column).map(|c| c.value);
    let (warning, critical) = (limit("limit_warning"), limit("limit_critical"));
    let entry = walk.text("limits", values::oid).map(|o| Oid::from(o.value));
    match (entry, warning.is_some() || critical.is_some()) {
        (Some(_), true) => {
            let what = "`limits` stands beside `limit_warning` or `limit_critical`";
            walk.ctx
                .error(walk.at(), what, "one or the other: where the device keeps its limits");
            LimitSource::None
        }
        (Some(entry), false) => LimitSource::Severities(entry),
        (None, true) => LimitSource::Columns { warning, critical },
        (None, false) => LimitSource::None,
    }
}

/// One column, or several in their order.
fn labels<'a>(ctx: &'a Ctx<'a>, key: &str, node: &'a Node) -> Option<Vec<Oid>> {
    match &node.value {
        Value::Array(all) => all.iter().map(|node| text(ctx, key, node, column)).collect(),
        _ => Some(vec![text(ctx, key, node, column)?]),
    }
}

/// One `where`, or several in their order.
fn picks<'a>(ctx: &'a Ctx<'a>, key: &str, node: &'a Node) -> Option<Vec<Pick>> {
    match &node.value {
        Value::Array(all) => all.iter().map(|node| pick(ctx, key, node)).collect(),
        _ => Some(vec![pick(ctx, key, node)?]),
    }
}

/// `where = { column = "….*", is = [8] }`, or with `oid`, or with `has` and perhaps `has_not`.
fn pick<'a>(ctx: &'a Ctx<'a>, key: &str, node: &'a Node) -> Option<Pick> {
    const HINT: &str =
        "such as { column = \"1.3.6.1.2.1.99.1.1.1.1.*\", is = [8] }; or oid = \"…\", or has = [\"fan\"]";
    let walk = Walk::of(ctx, node, format!("`{key}`"), HINT)?;
    let column = walk.required("column", HINT, walk.text("column", column));
    let numbers = walk.list("is", "a list of whole numbers", |ctx, node| integer(ctx, "is", node));
    let oid = walk.text("oid", values::oid);
    let some = walk.list("has", "a list of words", |ctx, node| text(ctx, "has", node, phrase));
    let none = walk.list("has_not", "a list of words", |ctx, node| {
        text(ctx, "has_not", node, phrase)
    });
    if none.is_some() && some.is_none() {
        walk.missing("has", "`has_not` takes rows out of those that `has` finds");
    }
    let wanted = match (numbers, oid, some) {
        (Some(numbers), None, None) => Some(Wanted::Numbers(numbers.value)),
        (None, Some(oid), None) => Some(Wanted::Oid(oid.value.into())),
        (None, None, Some(some)) => Some(Wanted::Words {
            some: some.value,
            none: none.map_or(Vec::new(), |n| n.value),
        }),
        _ => {
            if ["is", "oid", "has"].iter().filter(|k| walk.has(k)).count() != 1 {
                ctx.error(node.at, format!("`{key}` says not once what the column must say"), HINT);
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

/// Words that labels are searched for.
pub(super) fn phrase(text: &str) -> Taken<Phrase> {
    match Phrase::new(text) {
        Some(phrase) if text.len() <= 60 => Ok(phrase),
        _ => refuse(
            format!("is no word: \"{text}\""),
            "letters and digits, such as \"power supply\"",
        ),
    }
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
