//! What was not read, or not believed, in words for people.

use super::clean;
use crate::poll::disbelief::Disbelief;
use crate::poll::unread::{BrokenOff, Cut, CutBy, NotRead, Unread};
use std::net::SocketAddr;

/// `1.3.6.1`.
pub(super) fn dotted(oid: &[u32]) -> String {
    oid.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn seconds(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Why an answer was not believed.
pub fn disbelief_in_english(why: &Disbelief) -> String {
    let words = match why {
        Disbelief::Source(from) => return format!("answers come from {} instead", place(*from, "port")),
        Disbelief::Late { tenths } => {
            return format!(
                "answers come {} s after the request, later than the timeout",
                seconds(*tenths)
            );
        }
        Disbelief::Payload { octets, sent } if octets == sent => "replies come with another payload than was sent",
        Disbelief::Payload { octets, sent } => {
            return format!("replies come with {octets} octets of payload instead of {sent}");
        }
        Disbelief::TooLate => "answers come later than the timeout",
        Disbelief::Number => "an answer with another request number came: it is late, or meant for somebody else",
        Disbelief::Version => "an answer of another SNMP version came",
        Disbelief::Community => "an answer with another community came",
        Disbelief::Malformed => "something came that is no valid SNMP message",
        Disbelief::Content => "an answer came about something else than was asked (other objects, user or context)",
        Disbelief::Signature => "an answer with a wrong SNMPv3 signature came",
        Disbelief::Clock => "an SNMPv3 answer of another time, or of another engine, came",
        Disbelief::Security => "an answer with less SNMPv3 security than was asked for came",
        Disbelief::Report => "an SNMPv3 report came that proves nothing",
        Disbelief::Sequence => "replies come with another identifier or sequence number",
    };
    words.to_owned()
}

pub(super) fn disbelief_in_japanese(why: &Disbelief) -> String {
    let words = match why {
        Disbelief::Source(from) => return format!("別の送信元 {} から応答が来ています", place(*from, "ポート")),
        Disbelief::Late { tenths } => {
            return format!("応答が要求の{}秒後に届いています（タイムアウト後）", seconds(*tenths));
        }
        Disbelief::Payload { octets, sent } if octets == sent => "応答のデータ部が送信したものと異なります",
        Disbelief::Payload { octets, sent } => {
            return format!("応答のデータ部が{octets}オクテットです（送信は{sent}オクテット）");
        }
        Disbelief::TooLate => "応答がタイムアウト後に届いています",
        Disbelief::Number => "要求番号の異なる応答が届きました（遅延、または他宛て）",
        Disbelief::Version => "SNMPバージョンの異なる応答が届きました",
        Disbelief::Community => "コミュニティ名の異なる応答が届きました",
        Disbelief::Malformed => "SNMPとして正しくないものが届きました",
        Disbelief::Content => "要求と異なる内容の応答が届きました（オブジェクト、ユーザー、コンテキスト）",
        Disbelief::Signature => "SNMPv3の署名が正しくない応答が届きました",
        Disbelief::Clock => "SNMPv3の時刻またはエンジンの異なる応答が届きました",
        Disbelief::Security => "SNMPv3のセキュリティレベルが低い応答が届きました",
        Disbelief::Report => "根拠のないSNMPv3のReportが届きました",
        Disbelief::Sequence => "識別子または連番の異なる応答が届いています",
    };
    words.to_owned()
}

fn place(from: SocketAddr, port: &str) -> String {
    match from.port() {
        0 => from.ip().to_canonical().to_string(),
        n => format!("{} {port} {n}", from.ip().to_canonical()),
    }
}

/// Where a round ends each time.
pub(super) fn broken_off_in_english(broken: &BrokenOff) -> String {
    format!(
        "its answers end at {} each time: {}",
        dotted(&broken.at),
        super::en::agent(&broken.how)
    )
}

pub(super) fn broken_off_in_japanese(broken: &BrokenOff) -> String {
    format!(
        "毎回 {} で応答が途切れます: {}",
        dotted(&broken.at),
        super::ja::agent(&broken.how)
    )
}

/// An object that was not read.
pub fn unread_in_english(unread: &Unread) -> String {
    let why = match &unread.why {
        NotRead::Value { tag, octets, why } => {
            format!(
                "its value cannot be read (tag {tag:#04x}, {octets} octets: {})",
                clean(why)
            )
        }
        NotRead::Refused(status) => format!("the agent refuses it (error status {status})"),
        NotRead::Silence => "the agent keeps silent to requests for it".to_owned(),
        NotRead::Malformed => "the agent answers requests for it with something that is not valid SNMP".to_owned(),
    };
    format!("{} is not read: {why}", dotted(&unread.oid))
}

/// A column that was not walked to its end.
pub fn cut_in_english(cut: &Cut) -> String {
    let why = match cut.by {
        CutBy::Rows => "it has more".to_owned(),
        CutBy::Time => "the walk took 30 s".to_owned(),
        CutBy::Circle => "the agent goes round in circles".to_owned(),
        CutBy::Refused(status) => format!("the agent refuses to go on (error status {status})"),
        CutBy::Silence => "the agent fell silent".to_owned(),
    };
    format!(
        "table column {} is cut after {} rows: {why}",
        dotted(&cut.column),
        cut.rows
    )
}

/// Where the last round ended.
pub fn end_in_english(broken: &BrokenOff) -> String {
    format!(
        "the last round ended at {}: {}",
        dotted(&broken.at),
        super::en::agent(&broken.how)
    )
}
