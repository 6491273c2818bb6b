//! Stories that once showed a mistake of the product, told again in every run.

/// Seed, kind, and what it showed.
pub(crate) const KEPT: &[(u64, &str, &str)] = &[
    (
        17,
        "own-device-dead",
        "an edge came back and was missing data for the time it was away",
    ),
    (211, "own-device-dead", "the same, after a long outage"),
    (
        1285,
        "mixed",
        "an agent was told at once: what it did not answer while this host was cut off counted",
    ),
    (1551, "mixed", "the same, with a dead device"),
    (
        21428,
        "mixed",
        "the same, when the first failure came before the silence of the device was seen",
    ),
    (
        5058,
        "mixed",
        "an agent was told late because one of two ways to its device came back",
    ),
    (8517, "mixed", "the same, with another aggregation device"),
    (
        518,
        "restart",
        "an agent that came back while the daemon was dead stayed silent for ever",
    ),
    (
        41,
        "routers-dead-scattered",
        "circuits, five and more but fewer than half of a device's, waited for each other and were told late or never",
    ),
    (
        24787,
        "mixed",
        "a link went down behind a silent router: an answer from before passed for one from behind it",
    ),
    (
        7754,
        "relay-out",
        "a mail that hung while its route came back waited for its slot",
    ),
    (
        28986,
        "relay-out",
        "the same, with an attempt that hung on the other route",
    ),
];
