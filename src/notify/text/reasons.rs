//! Why there is no value, in the words of a mail. The keys are those of `sample::Unknown`; a ledger of another version may hold
//! others, which stand as they are.

/// English and Japanese, by key.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "warming-up",
        "30 s of readings do not come together",
        "30 秒分の測定がそろいません",
    ),
    (
        "restarted",
        "the device restarts again and again",
        "機器が再起動を繰り返しています",
    ),
    (
        "discontinuity",
        "the device sets its counters back again and again",
        "機器がカウンターを繰り返し初期化しています",
    ),
    ("decreased", "a counter falls", "カウンターが減少しています"),
    (
        "wrap-ambiguous",
        "a 32-bit counter may go round more than once between two readings",
        "32 ビットカウンターが測定間隔内に一周以上する可能性があります",
    ),
    (
        "above-link-speed",
        "more passes than the speed that the port states: the stated speed cannot be right",
        "ポートの申告速度を超える通信量です（申告速度が正しくありません）",
    ),
    (
        "missing",
        "missing (the agent has no such object, or gives no number)",
        "欠落（エージェントに対象がないか、数値ではありません）",
    ),
    (
        "no-speed",
        "the port states no speed that can be used, and no rate is configured",
        "ポートの速度が不明で、契約帯域も設定されていません",
    ),
    (
        "wrong-type",
        "the agent gives a value that is no counter",
        "エージェントの値がカウンター型ではありません",
    ),
    (
        "no-uptime",
        "the agent gives no sysUpTime, without which counters are worth nothing",
        "sysUpTime がないため、カウンターを評価できません",
    ),
    (
        "device-clock",
        "the device's clock (sysUpTime) stands still or runs wrong",
        "機器の時計（sysUpTime）が停止しているか、狂っています",
    ),
    (
        "never-counted",
        "the port is up and its counters stand at zero",
        "ポートはアップですが、カウンターが 0 のままです",
    ),
    (
        "contradicted",
        "packets and octets contradict each other",
        "パケット数とオクテット数が矛盾しています",
    ),
    (
        "not-read",
        "it is not among what the agent answers",
        "エージェントの応答に含まれていません",
    ),
];

fn find(key: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    WORDS.iter().find(|(k, ..)| *k == key)
}

pub(super) fn in_english(key: &str) -> String {
    find(key).map_or_else(|| super::clean(key), |(_, english, _)| (*english).to_owned())
}

pub(super) fn in_japanese(key: &str) -> String {
    find(key).map_or_else(|| super::clean(key), |(.., japanese)| (*japanese).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Unknown;

    #[test]
    fn every_reason_has_words() {
        // Too few packets are a measurement.
        for reason in Unknown::ALL.into_iter().filter(|r| *r != Unknown::TooFewPackets) {
            assert!(find(reason.key()).is_some(), "{}", reason.key());
        }
        assert_eq!(
            in_english("of another\nversion"),
            super::super::clean("of another\nversion")
        );
    }
}
