//! Text from outside made harmless: what devices, relays and people write reaches terminals, the log, mails, metrics and the ledger. One
//! rule for all of them.
//!
//! [`clean`] and [`harmless`] are for text that is read: what nobody can see is left out. [`escaped`] is for text that is a name: two
//! different texts stay two different names.
//!
//! Never here: how octets become text (that is `poll::text`).

use std::borrow::Cow;

/// Longest text of others in a line for people, in characters.
const FOREIGN: usize = 200;

/// Something that a terminal, a log or a mail reader would obey, or that nobody sees: control characters (C0, C1), line and paragraph
/// separators, marks that turn the direction of writing, characters without a picture.
pub fn is_hostile(c: char) -> bool {
    c >= '\u{7f}' && (c.is_control() || is_separator(c) || is_invisible(c)) || c < ' '
}

fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Of Unicode's Default_Ignorable_Code_Point, without the selectors that choose between variants of one kanji.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E00FF}'
    )
}

/// A text without anything hostile: what is not seen is left out, what would break or move a line becomes a space.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let seen = text.chars().filter(|c| !is_invisible(*c));
    seen.map(|c| if is_hostile(c) { ' ' } else { c }).collect()
}

/// The same, trimmed and not too long: for a line of a mail, the log, the ledger.
pub fn clean(text: &str) -> String {
    shortened(&harmless(text), FOREIGN).trim().to_owned()
}

/// Octets from outside that should be UTF-8, as one line of at most so many characters and a sign where it was cut; what is no text shows as
/// the sign for that.
pub fn line(octets: &[u8], longest: usize) -> String {
    let text = String::from_utf8_lossy(octets);
    shortened(harmless(&text).trim(), longest).into_owned()
}

/// Who did something, as he writes his name.
pub fn signature(by: &str) -> String {
    let by = harmless(by);
    by.trim().chars().take(80).collect()
}

/// A remark that somebody gave with an order, on one line and not longer than a mail's line or two.
pub fn remark(text: &str) -> String {
    shortened(harmless(text).trim(), 200).into_owned()
}

/// At most so many characters, and a sign where something was cut.
pub fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A text that is a name. What is hostile is written as `\x1b` or `\u{202e}`; a backslash that would read like the beginning of such a sign
/// is written as one itself, so that no two texts become the same.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c == '\\' || is_hostile(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        match c {
            '\\' if begins_escape(&text[at + 1..]) => out.push_str("\\x5c"),
            c if c < '\u{80}' && is_hostile(c) => out.push_str(&octet(c as u8)),
            c if is_hostile(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// An octet that is no text, as [`escaped`] writes it.
pub fn octet(octet: u8) -> String {
    format!("\\x{octet:02x}")
}

/// What follows a backslash would make it read as an escape.
fn begins_escape(rest: &str) -> bool {
    let hex = |rest: &str| rest.chars().take(2).filter(char::is_ascii_hexdigit).count() == 2;
    rest.strip_prefix('x').is_some_and(hex) || rest.starts_with("u{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_become_one_harmless_line() {
        assert_eq!(line(b"DISK OK\r\n\x1b[31mred", 100), "DISK OK   [31mred");
        assert_eq!(line("a\u{202e}b\u{2028}c\u{200b}".as_bytes(), 100), "ab c");
        assert_eq!(line(b"\xff\xfeok", 100), "\u{fffd}\u{fffd}ok");
        assert_eq!(line(&[b'x'; 1000], 10), "xxxxxxxxxx…");
    }
    use std::collections::BTreeSet;

    #[test]
    fn nothing_hostile_is_left() {
        let hostile = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}";
        for c in hostile.chars() {
            assert!(is_hostile(c), "{c:?}");
            let text = format!("a{c}b");
            for made in [harmless(&text).into_owned(), clean(&text), escaped(&text).into_owned()] {
                assert!(!made.chars().any(is_hostile), "{c:?}: {made:?}");
            }
        }
        assert_eq!(harmless("a\u{202e}b\n\u{1b}[31mc"), "ab  [31mc");
        for plain in [
            "ge-0/0/1",
            "東京第一病院",
            "ｱﾞ 葛\u{e0100}",
            "C:\\Device\\NPF_{1}",
            "é",
            "",
        ] {
            assert_eq!((&*harmless(plain), &*escaped(plain)), (plain, plain));
        }
    }

    #[test]
    fn two_names_never_become_one() {
        let names = [
            "a\u{1b}",
            "a\\x1b",
            "a\\x5cx1b",
            "a\u{202e}",
            "a\\u{202e}",
            "a\u{85}",
            "a\\x85",
            "a",
            "a\\",
            "a\\x1",
            "a\u{200b}",
        ];
        let all: BTreeSet<String> = names.iter().map(|n| escaped(n).into_owned()).collect();
        assert_eq!(all.len(), names.len(), "{all:?}");
        assert_eq!(escaped("\\server\\x"), "\\server\\x", "an ordinary backslash stays");
    }

    #[test]
    fn a_line_for_people_has_an_end() {
        assert_eq!(clean(&"x".repeat(300)).chars().count(), FOREIGN + 1);
        assert_eq!(clean(" \u{feff}x\n"), "x");
    }
}
