//! Errors of the operating system and of connections, in Japanese.
//!
//! Never here: an error's meaning for a verdict.

/// What the system says, and how it is told. The longer of two that begin alike stands first.
const WORDS: &[(&str, &str)] = &[
    ("Network is unreachable", "ネットワークに到達できません"),
    ("network unreachable", "ネットワークに到達できません"),
    ("No route to host", "宛先への経路がありません"),
    ("host unreachable", "宛先に到達できません"),
    ("Network is down", "ネットワークが停止しています"),
    ("Host is down", "宛先が停止しています"),
    ("Connection refused", "接続が拒否されました"),
    ("Connection reset by peer", "接続が相手側から切断されました"),
    ("connection reset", "接続が相手側から切断されました"),
    ("Connection timed out", "接続がタイムアウトしました"),
    ("timed out", "タイムアウトしました"),
    ("no answer", "応答がありません"),
    ("Broken pipe", "接続が切断されました"),
    ("connection lost", "接続が切断されました"),
    ("Cannot assign requested address", "送信元アドレスが使えません"),
    ("No such device", "ネットワークデバイスがありません"),
    ("Operation not permitted", "操作が許可されていません"),
    ("Permission denied", "権限がありません"),
    ("No buffer space available", "送信バッファーが不足しています"),
    ("No space left on device", "ディスクに空きがありません"),
    ("Disk quota exceeded", "ディスクの割り当てを超えています"),
    ("database or disk is full", "ディスクに空きがありません"),
    ("disk I/O error", "ディスクの入出力エラーです"),
    ("Input/output error", "入出力エラーです"),
    ("Read-only file system", "ファイルシステムが読み取り専用です"),
    ("Name or service not known", "名前解決できません"),
    ("Temporary failure in name resolution", "一時的に名前解決できません"),
];

/// Without the number that the system puts behind its words.
pub(super) fn plain(text: &str) -> String {
    let text = super::clean(text);
    match text.find(" (os error ") {
        Some(at) => {
            let rest = text[at..].find(')').map_or("", |end| &text[at + end + 1..]);
            format!("{}{rest}", &text[..at])
        }
        None => text,
    }
}

/// Known phrases in Japanese; what is not known (a relay's own words) stands as it came.
pub(super) fn in_japanese(text: &str) -> String {
    let text = plain(text);
    WORDS.iter().fold(text, |text, (english, japanese)| {
        let lower = text.to_ascii_lowercase();
        match lower.find(&english.to_ascii_lowercase()) {
            // ASCII lower case keeps the length, so the place is the same in both.
            Some(at) => format!("{}{japanese}{}", &text[..at], &text[at + english.len()..]),
            None => text,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::in_japanese;

    #[test]
    fn what_the_system_says_is_told_in_japanese_and_the_rest_stands() {
        assert_eq!(in_japanese("Network is unreachable"), "ネットワークに到達できません");
        assert_eq!(
            in_japanese("connect: Connection refused"),
            "connect: 接続が拒否されました"
        );
        assert_eq!(in_japanese("550 5.1.1 no such user"), "550 5.1.1 no such user");
        assert_eq!(
            in_japanese("Network is unreachable (os error 101)"),
            "ネットワークに到達できません"
        );
        assert_eq!(super::plain("x (os error 5), y"), "x, y");
        assert_eq!(in_japanese("字 timed out 字"), "字 タイムアウトしました 字");
    }
}
