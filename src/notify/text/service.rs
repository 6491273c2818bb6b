//! What is wrong with a watched service, in both languages, and what it answered, for timelines and tables.
//!
//! Never here: whether it is wrong (the rules know).

use super::clean;
use crate::model::Wall;
use crate::model::service::{Answer, Certificate, ChainCheck, Exit, Failure, NameCheck, TextCheck};
use crate::rules::Fault;

/// RFC 1035 and 2136.
fn rcode(code: u8) -> String {
    match code {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        code => format!("rcode {code}"),
    }
}

fn utc(at: Wall) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| "an impossible date".to_owned(),
        |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// Names or records that one sentence lists.
const LISTED: usize = 6;

fn list(words: &[String]) -> String {
    let more = words.len().saturating_sub(LISTED);
    let mut all: Vec<String> = words.iter().take(LISTED).map(|w| clean(w)).collect();
    if more > 0 {
        all.push(format!("+{more}"));
    }
    all.join(", ")
}

/// One sentence about a watch, in English.
pub(super) fn in_english(part: &str, fault: &Fault) -> String {
    match fault {
        Fault::NoAnswer { error } => format!("{part} gives no answer: {}", clean(error)),
        Fault::Malformed { error } => format!("{part} gives something that is no answer: {}", clean(error)),
        Fault::WrongName { wanted, names } if names.is_empty() => {
            format!(
                "{part} shows a certificate that is for no name at all, not for {}",
                clean(wanted)
            )
        }
        Fault::WrongName { wanted, names } => {
            format!(
                "{part} shows a certificate for {}, not for {}",
                list(names),
                clean(wanted)
            )
        }
        Fault::NotYetValid { from } => format!(
            "{part} shows a certificate that is valid only from {} (is the clock of this host right?)",
            utc(*from)
        ),
        Fault::Expired { until } => format!("{part} shows a certificate that expired at {}", utc(*until)),
        Fault::Untrusted { why } => format!("{part} shows a certificate that is not trusted: {}", clean(why)),
        Fault::Status { status } => format!("{part} answers with HTTP status {status}"),
        Fault::TextMissing { wanted } => format!("{part} answers, but without the text \"{}\"", clean(wanted)),
        Fault::Rcode { rcode: code } => format!("{part} is answered with {}", rcode(*code)),
        Fault::Records { found, wanted } => {
            let found = match found.is_empty() {
                true => "has no such record".to_owned(),
                false => format!("is {}", list(found)),
            };
            let wanted = match wanted.is_empty() {
                true => String::new(),
                false => format!(", not {}", list(wanted)),
            };
            format!("{part} {found}{wanted}")
        }
        Fault::Exists => format!("{part} exists, and should not"),
        Fault::Unsynchronised { kiss: Some(code), .. } => {
            format!("{part} refuses to tell the time (kiss code {})", clean(code))
        }
        Fault::Unsynchronised { stratum, kiss: None } => {
            format!("{part} is set by nothing: its clock is not synchronised (stratum {stratum})")
        }
        Fault::Plugin { text } if text.is_empty() => format!("{part}: the plugin says so without a word"),
        Fault::Plugin { text } => format!("{part}: {}", clean(text)),
    }
}

/// The same in Japanese.
pub(super) fn in_japanese(part: &str, fault: &Fault) -> String {
    match fault {
        Fault::NoAnswer { error } => format!("{part} が応答しません: {}", super::errors::in_japanese(error)),
        Fault::Malformed { error } => format!("{part} の応答が不正です: {}", super::errors::in_japanese(error)),
        Fault::WrongName { wanted, names } if names.is_empty() => {
            format!("{part} の証明書に名前がありません（期待した名前: {}）", clean(wanted))
        }
        Fault::WrongName { wanted, names } => format!(
            "{part} の証明書の名前が違います（証明書: {}、期待した名前: {}）",
            list(names),
            clean(wanted)
        ),
        Fault::NotYetValid { from } => format!(
            "{part} の証明書はまだ有効ではありません（{} から有効。この監視サーバーの時計も確認してください）",
            utc(*from)
        ),
        Fault::Expired { until } => format!("{part} の証明書の有効期限が切れています（{} まで）", utc(*until)),
        Fault::Untrusted { why } => format!("{part} の証明書は信頼できません: {}", clean(why)),
        Fault::Status { status } => format!("{part} が HTTP ステータス {status} を返しました"),
        Fault::TextMissing { wanted } => format!("{part} は応答しましたが、「{}」がありません", clean(wanted)),
        Fault::Rcode { rcode: code } => format!("{part} の名前解決が {} で失敗しました", rcode(*code)),
        Fault::Records { found, wanted } => {
            let found = match found.is_empty() {
                true => "該当レコードなし".to_owned(),
                false => list(found),
            };
            let wanted = match wanted.is_empty() {
                true => String::new(),
                false => format!("、期待した値: {}", list(wanted)),
            };
            format!("{part} の名前解決の結果が違います（結果: {found}{wanted}）")
        }
        Fault::Exists => format!("{part} は存在しないはずの名前ですが、存在します"),
        Fault::Unsynchronised { kiss: Some(code), .. } => {
            format!("{part} が時刻の提供を拒否しました（KoDコード {}）", clean(code))
        }
        Fault::Unsynchronised { stratum, kiss: None } => {
            format!("{part} の時計が同期していません（stratum {stratum}）")
        }
        Fault::Plugin { text } if text.is_empty() => format!("{part}: プラグインが異常を示しました（説明なし）"),
        Fault::Plugin { text } => format!("{part}: {}", clean(text)),
    }
}

fn certificate(shown: &Certificate) -> String {
    let name = match &shown.name {
        NameCheck::Fits => String::new(),
        NameCheck::Differs(names) => format!(", for other names: {}", list(names)),
    };
    let chain = match &shown.chain {
        ChainCheck::NotAsked => String::new(),
        ChainCheck::Trusted => ", trusted".to_owned(),
        ChainCheck::Untrusted(why) => format!(", not trusted: {}", clean(why)),
    };
    format!(
        "certificate of {}, valid from {} until {}{name}{chain}",
        clean(&shown.subject),
        utc(shown.not_before),
        utc(shown.not_after)
    )
}

/// What a service answered, in English, for tables and timelines.
pub fn answer_in_english(result: &Result<Answer, Failure>) -> String {
    match result {
        Err(Failure::NoAnswer(error)) => format!("no answer: {}", clean(error)),
        Err(Failure::Malformed(error)) => format!("no valid answer: {}", clean(error)),
        Err(Failure::NotKnown(reason)) => format!("not known: {}", clean(reason)),
        Ok(Answer::Tls(shown)) => certificate(shown),
        Ok(Answer::Http {
            status,
            text,
            octets,
            certificate: shown,
        }) => {
            let text = match text {
                TextCheck::NotAsked => "",
                TextCheck::Found => ", with the text",
                TextCheck::Missing => ", without the text",
            };
            let shown = shown
                .as_ref()
                .map(|c| format!("; {}", certificate(c)))
                .unwrap_or_default();
            format!("HTTP status {status}, {octets} octets{text}{shown}")
        }
        Ok(Answer::Dns { rcode: code, records }) => {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            format!("{} {}", rcode(*code), list(&records)).trim_end().to_owned()
        }
        Ok(Answer::Ntp(clock)) => {
            let kiss = clock
                .kiss
                .as_ref()
                .map(|k| format!(", kiss code {}", clean(k)))
                .unwrap_or_default();
            #[allow(clippy::cast_precision_loss)] // shown to a microsecond
            let ms = |us: u64| us as f64 / 1e3;
            #[allow(clippy::cast_precision_loss)]
            let offset = clock.offset_us as f64 / 1e3;
            format!(
                "offset {offset:+.3} ms, round trip {:.3} ms, stratum {}, leap {}, error at most {:.1} ms{kiss}",
                ms(clock.delay_us),
                clock.stratum,
                clock.leap,
                ms(clock.dispersion_us)
            )
        }
        Ok(Answer::Command { exit, text, perfdata }) => {
            let word = match exit {
                Exit::Ok => "OK",
                Exit::Warning => "WARNING",
                Exit::Critical => "CRITICAL",
            };
            let numbers: String = perfdata
                .iter()
                .map(|p| format!("; {} = {}{}", clean(&p.label), p.value, clean(&p.unit)))
                .collect();
            format!("{word}: {}{numbers}", clean(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_says_is_made_harmless_in_both_languages() {
        let nasty = "x\u{1b}[31m\r\nBcc: a@b\u{202e}";
        for fault in [
            Fault::NoAnswer {
                error: nasty.to_owned(),
            },
            Fault::Plugin { text: nasty.to_owned() },
            Fault::WrongName {
                wanted: "a".to_owned(),
                names: vec![nasty.to_owned()],
            },
            Fault::Records {
                found: vec![nasty.to_owned()],
                wanted: vec!["A 192.0.2.1".to_owned()],
            },
        ] {
            for text in [in_english("w", &fault), in_japanese("w", &fault)] {
                assert!(!text.contains(['\u{1b}', '\r', '\n', '\u{202e}']), "{text:?}");
            }
        }
    }

    #[test]
    fn dates_that_no_calendar_has_are_said_to_be_so() {
        let fault = Fault::Expired { until: Wall(i64::MAX) };
        assert!(in_english("w", &fault).contains("an impossible date"));
    }
}
