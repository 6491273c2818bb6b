//! Text from outside as it may be kept: one line, no control or invisible characters, cut.
//!
//! Never here: what the text says.

/// Reads text as UTF-8 (what is not is replaced), without what could steer a terminal or hide, at most `most` characters.
pub fn plain(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let kept = text.chars().filter(|c| !is_invisible(*c));
    let spaced = kept.map(|c| if c.is_control() || is_break(c) { ' ' } else { c });
    let out: String = spaced.take(most).collect();
    out.trim().to_owned()
}

fn is_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Direction marks, joiners, tags: nobody sees them, and they change what is seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{061C}' | '\u{FEFF}'
        | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn text_from_outside_is_one_harmless_line() {
        assert_eq!(plain(b"DISK OK\r\n\x1b[31mred", 100), "DISK OK   [31mred");
        assert_eq!(plain("a\u{202e}b\u{2028}c\u{200b}".as_bytes(), 100), "ab c");
        assert_eq!(plain(b"\xff\xfeok", 100), "\u{fffd}\u{fffd}ok");
        assert_eq!(plain(&[b'x'; 1000], 10).len(), 10);
    }
}
