//! `[poll]`, and `poll.…` of groups and devices: times of polling, and whether they fit each other.

use crate::config::raw::{At, Place};
use crate::config::reader::Walk;
use crate::config::report::Ctx;
use crate::config::values::show_duration;
use crate::model::{Confirm, PollSettings, Recover};
use std::time::Duration;

/// What is used where nothing is written.
pub(super) const DEFAULTS: PollSettings = PollSettings {
    interval: Duration::from_secs(60),
    timeout: Duration::from_secs(2),
    echoes: 3,
    confirm: Confirm {
        echoes: 15,
        over: Duration::from_secs(30),
    },
    recover: Recover {
        rounds: 3,
        over: Duration::from_secs(60),
    },
};

/// Echoes of one round are this far apart.
const SPACING: Duration = Duration::from_millis(200);

/// The times one section gives.
#[derive(Clone, Debug, Default)]
pub(super) struct PollPart {
    interval: Option<At<Duration>>,
    timeout: Option<At<Duration>>,
    echoes: Option<At<u32>>,
    confirm: Option<At<Confirm>>,
    recover: Option<At<Recover>>,
}

impl PollPart {
    /// Circuits are asked one echo a round: they are many.
    pub(super) fn one_echo() -> PollPart {
        let echoes = Some(At {
            value: 1,
            at: Place::default(),
        });
        PollPart {
            echoes,
            ..PollPart::default()
        }
    }
}

/// `[poll]`.
pub(super) fn top(top: &Walk<'_>) -> PollPart {
    part(top, "[poll]")
}

/// `poll` of a section: a table, or dotted keys, which is the same.
pub(super) fn part(walk: &Walk<'_>, name: &str) -> PollPart {
    let Some(entry) = walk.get("poll") else {
        return PollPart::default();
    };
    let hint = "a table, such as { interval = \"10s\" }, or poll.interval = \"10s\"";
    let Some(poll) = Walk::of(walk.ctx, &entry.node, name, hint) else {
        return PollPart::default();
    };
    let part = PollPart {
        interval: poll.duration("interval", Duration::from_secs(1)),
        timeout: poll.duration("timeout", Duration::from_millis(10)),
        echoes: poll.number("echoes", 1..=20),
        confirm: confirm(&poll),
        recover: recover(&poll),
    };
    poll.finish();
    part
}

fn confirm(poll: &Walk<'_>) -> Option<At<Confirm>> {
    let entry = poll.get("confirm")?;
    let walk = Walk::of(
        poll.ctx,
        &entry.node,
        "`confirm`",
        "a table, such as { echoes = 15, over = \"30s\" }",
    )?;
    let echoes = walk.number("echoes", 1..=100);
    let echoes = walk.required("echoes", "how many echoes follow a miss, such as 15", echoes);
    let over = walk.duration("over", Duration::from_millis(100));
    let over = walk.required("over", "over how long they are spread, such as \"30s\"", over);
    walk.finish();
    let (echoes, over) = (echoes?, over?);
    if over.value / echoes.value < Duration::from_millis(50) {
        let what = format!(
            "{} echoes over {} are less than 50ms apart",
            echoes.value,
            show_duration(over.value)
        );
        poll.ctx
            .error(entry.node.at, what, "fewer echoes, or spread over a longer time");
    }
    Some(At {
        value: Confirm {
            echoes: echoes.value,
            over: over.value,
        },
        at: entry.node.at,
    })
}

fn recover(poll: &Walk<'_>) -> Option<At<Recover>> {
    let entry = poll.get("recover")?;
    let walk = Walk::of(
        poll.ctx,
        &entry.node,
        "`recover`",
        "a table, such as { rounds = 3, over = \"60s\" }",
    )?;
    let rounds = walk.number("rounds", 1..=100);
    let rounds = walk.required("rounds", "how many good rounds, such as 3", rounds);
    let over = walk.duration("over", Duration::ZERO);
    let over = walk.required("over", "and at least how long, such as \"60s\"", over);
    walk.finish();
    Some(At {
        value: Recover {
            rounds: rounds?.value,
            over: over?.value,
        },
        at: entry.node.at,
    })
}

/// Puts the parts together, the weakest first, and checks that the times fit.
pub(super) fn settle(ctx: &Ctx<'_>, parts: &[&PollPart]) -> PollSettings {
    let mut settings = DEFAULTS;
    // The place of the strongest line that was written, for a complaint.
    let (mut interval_at, mut timeout_at, mut echoes_at) = (None, None, None);
    for part in parts {
        if let Some(p) = &part.interval {
            (settings.interval, interval_at) = (p.value, Some(p.at));
        }
        if let Some(p) = &part.timeout {
            (settings.timeout, timeout_at) = (p.value, Some(p.at));
        }
        if let Some(p) = &part.echoes {
            (settings.echoes, echoes_at) = (p.value, Some(p.at));
        }
        if let Some(p) = &part.confirm {
            settings.confirm = p.value;
        }
        if let Some(p) = &part.recover {
            settings.recover = p.value;
        }
    }
    let (interval, timeout) = (show_duration(settings.interval), show_duration(settings.timeout));
    if settings.timeout > settings.interval {
        match timeout_at.max(interval_at) {
            Some(at) => ctx.error(
                at,
                format!("the timeout of {timeout} is longer than the interval of {interval}"),
                "an answer must have come or be given up before the next round",
            ),
            None => settings.timeout = settings.interval,
        }
    }
    let spread = SPACING * settings.echoes.saturating_sub(1);
    if spread >= settings.interval
        && let Some(at) = echoes_at.max(interval_at)
    {
        let what = format!(
            "{} echoes, 200ms apart, do not fit into the interval of {interval}",
            settings.echoes
        );
        ctx.error(at, what, "fewer echoes, or a longer interval");
    }
    settings
}
