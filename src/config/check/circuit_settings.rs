//! What circuits have in common: times, thresholds and findings of a class, with what a circuit says of its own.

use super::circuits::Common;
use super::devices::Defaults;
use super::findings;
use super::layer::Class;
use super::poll::{self, PollPart};
use super::thresholds::ThresholdPart;
use crate::config::report::Ctx;
use crate::model::{FindingKind, FindingRule, PollSettings, Threshold, ThresholdKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one circuit says of its own about times and thresholds.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) poll: PollPart,
    pub(super) thresholds: ThresholdPart,
}

/// What circuits of one class with equal parts, measured and heard alike, have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) poll: PollSettings,
    pub(super) thresholds: Arc<BTreeMap<ThresholdKind, Threshold>>,
    pub(super) findings: Arc<BTreeMap<FindingKind, FindingRule>>,
    pub(super) tells_utilization: bool,
}

impl Settings {
    /// Puts the layers together: the top level, `[circuits]`, the class, the circuit.
    pub(super) fn of(
        ctx: &Ctx<'_>,
        defaults: &Defaults<'_>,
        common: &Common,
        class: &str,
        own: &Parts,
        can: Judged,
    ) -> Settings {
        let empty = Class::default();
        let class_part = defaults.classes.get(class).unwrap_or(&empty);
        let parts = [&common.thresholds, &class_part.thresholds, &own.thresholds];
        let (shared, named) = parts.split_at(2);
        let thresholds = thresholds(&defaults.thresholds, shared, named).into_iter();
        Settings {
            poll: poll::settle(ctx, &[&defaults.poll, &PollPart::one_echo(), &common.poll, &own.poll]),
            thresholds: Arc::new(thresholds.filter(|(kind, _)| can.be_judged_by(*kind)).collect()),
            findings: Arc::new(findings::settle(&[defaults.findings, &class_part.findings])),
            tells_utilization: class == "service-provider" || parts.iter().any(|t| sets_utilization(t)),
        }
    }
}

/// What of a circuit is known by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Judged {
    /// Its octets are counted somewhere.
    pub(super) measured: bool,
    /// It answers echoes.
    pub(super) by_echo: bool,
}

impl Judged {
    /// Can a circuit be judged by this?
    pub(super) fn be_judged_by(self, kind: ThresholdKind) -> bool {
        match kind {
            ThresholdKind::Utilization | ThresholdKind::Errors | ThresholdKind::Discards => self.measured,
            ThresholdKind::Loss | ThresholdKind::Rtt => self.by_echo,
            _ => false,
        }
    }
}

/// The thresholds in force, the weakest first. Loss and round-trip time from [thresholds] do not reach institutions.
fn thresholds(
    top: &ThresholdPart,
    shared: &[&ThresholdPart],
    named: &[&ThresholdPart],
) -> BTreeMap<ThresholdKind, Threshold> {
    let foreign = |kind: &ThresholdKind| matches!(kind, ThresholdKind::Loss | ThresholdKind::Rtt);
    let top = top.iter().filter(|(k, _)| !foreign(k)).map(|(k, t)| (*k, *t));
    super::thresholds::settle(top, shared, named)
}

fn sets_utilization(part: &ThresholdPart) -> bool {
    part.get(&ThresholdKind::Utilization).is_some_and(Option::is_some)
}
