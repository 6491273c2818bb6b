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
    (
        28,
        "switchover",
        "the second switchover of an instance was lost, because the other one had moved alike before",
    ),
    (
        209,
        "switchover",
        "two instances that moved in opposite directions waited for the one device that was not asked",
    ),
    (
        203,
        "switchover",
        "a counter that was read a moment before its role was a second switchover",
    ),
    (
        210,
        "switchover-between-polls",
        "there and back while both were read, one after the other",
    ),
    (
        15,
        "roles-flap",
        "there and back between two polls was not told while a switchover was open",
    ),
    (
        18,
        "nobody-active",
        "a protocol that was started anew was a switchover to the other one",
    ),
    (19, "nobody-active", "a role was said to be back before it was read"),
    (
        78,
        "nobody-active",
        "two sessions that came back one after the other were a switchover",
    ),
    (
        12,
        "sessions-reset",
        "the reset of a session that waits was a switchover",
    ),
    (
        9,
        "member-lost",
        "tables of a unit were never looked for again beside one that is never there",
    ),
    (
        151,
        "master-dead",
        "an instance that moved after the others was not listed in the case of the dead device",
    ),
    (
        2,
        "redundancy-mixed",
        "after a restart a switchover that was back stayed open",
    ),
    (
        87,
        "redundancy-mixed",
        "of two that were active at once the one that fell silent had given up",
    ),
    (
        83,
        "redundancy-mixed",
        "counters of a device that had started anew were compared with those before",
    ),
    (
        5462,
        "redundancy-mixed",
        "a switchover after one that was listed elsewhere waited for the detection time of a device that lives",
    ),
    (
        24,
        "switchover",
        "a trap made hinomi look before the old one had given up, and the next look came five seconds later",
    ),
    (
        75,
        "work-on-a-member",
        "the session of a device that had been down passed for the one that stood in",
    ),
    (
        215,
        "work-on-a-member",
        "work on one member kept quiet that the loss of the other one flapped",
    ),
    (
        23162,
        "switchover-between-polls",
        "a role taken while both were active, and given back before the next reading, was forgotten",
    ),
    (
        26180,
        "redundancy-mixed",
        "what a round that broke off had not read counted as missing",
    ),
    (
        51939,
        "redundancy-mixed",
        "a loss that had begun was told while nobody could say whether it lasted",
    ),
    (
        31268,
        "switchover-between-polls",
        "a switchover waited for the next echo of a device whose agent had just answered",
    ),
    (
        35710,
        "redundancy-mixed",
        "both took the role after nobody had it, and the first that was read had switched over",
    ),
    (
        79851,
        "work-on-a-member",
        "work kept quiet that what had been told was good again",
    ),
    (
        25287,
        "redundancy-mixed",
        "counters of a device that had started anew, compared with those before, told once more what was told",
    ),
    (
        111591,
        "redundancy-mixed",
        "a device died again before it was read, and its case did not list the lost redundancy anew",
    ),
    (133457, "redundancy-mixed", "the same, with a device that stands in"),
    (
        126794,
        "redundancy-mixed",
        "a switchover after one that was listed elsewhere waited ten seconds for a reading that nobody had asked for",
    ),
    (189976, "redundancy-mixed", "the same, with firewalls"),
    (
        140203,
        "redundancy-mixed",
        "that an agent told of no session any more was laid to the death of its neighbour, and told late",
    ),
    (
        184936,
        "member-lost",
        "the preferred session was good again and not believed until the other one was read",
    ),
    (
        198375,
        "nobody-active",
        "a counter told that somebody had taken the role, and the loss of the service went on until the next round",
    ),
    (
        323998,
        "redundancy-mixed",
        "a preferred session whose device answered again was passed over because that was not believed yet",
    ),
    (
        340588,
        "redundancy-mixed",
        "a switchover in the same interval in which two that were active at once parted was forgotten",
    ),
    (
        392366,
        "redundancy-mixed",
        "members that were cut off by two faults were said to be lost",
    ),
    (
        318312,
        "redundancy-mixed",
        "the platform was accused by a link that was up again after the last echo was missed",
    ),
    (
        376838,
        "mixed",
        "an agent was told five minutes late because all echoes of one round were lost",
    ),
    (
        534789,
        "redundancy-mixed",
        "a switchover that counters told of while both were still believed to be active was forgotten",
    ),
    (
        701852,
        "redundancy-mixed",
        "one that came back while nobody was active made nobody look at the other one, which had the role",
    ),
    (
        928059,
        "split-brain",
        "what was over in the moment it was told was told by the procedure of something that is well",
    ),
    (
        961472,
        "redundancy-mixed",
        "a port that LACP had put out of its aggregate was good when the table of LACP vanished",
    ),
    (
        950372,
        "redundancy-mixed",
        "a loss of redundancy waited for the delay of a fault that came later",
    ),
    (
        721173,
        "redundancy-mixed",
        "a flip that counters proved was dropped because both were active right after it",
    ),
    (
        562791,
        "roles-flap",
        "a row that moved while it was read lost the count of the one before",
    ),
    (
        967222,
        "redundancy-mixed",
        "after both had been active one old reading was enough to call it a switchover",
    ),
];
