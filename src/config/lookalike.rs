//! Characters that look like those of ASCII, or like nothing, and are others: full-width forms of Japanese input, typographic quotes
//! and dashes of a word processor, spaces that are none, letters of other alphabets.
//!
//! Asked when a text has been refused, so that the message names what nobody sees. Never here: whether a text is refused.

/// What stands in a text in the place of something else: the first such character with its name and place, or `None`.
pub(crate) fn looks_like(text: &str) -> Option<String> {
    let found = text.chars().enumerate().find_map(|(i, c)| Some((i, c, of(c)?)));
    let (place, c, meant) = found?;
    let code = format!("U+{:04X}", u32::from(c));
    let place = place + 1;
    Some(match meant {
        Meant::Nothing(name) => {
            format!("character {place} is {name} ({code}), which nobody sees: remove it")
        }
        Meant::Blank(name) => {
            format!("character {place} is {name} ({code}), not a plain blank: type a plain one, or remove it")
        }
        Meant::Ascii(plain, kind) => {
            format!("character {place} is {kind} `{c}` ({code}), not `{plain}`: type it in ASCII")
        }
    })
}

/// The text as it was probably meant, to compare names by.
pub(crate) fn plain(text: &str) -> String {
    let meant = |c: char| match of(c) {
        Some(Meant::Nothing(_)) => None,
        Some(Meant::Blank(_)) => Some(' '),
        Some(Meant::Ascii(plain, _)) => Some(plain),
        None => Some(c),
    };
    text.chars().filter_map(meant).collect()
}

/// Does a text have characters that nobody sees?
pub(crate) fn has_invisible(text: &str) -> bool {
    text.chars().any(|c| matches!(of(c), Some(Meant::Nothing(_))))
}

/// Characters of a line that are looked at.
const LINE: usize = 2_000;

/// What stands on a line of TOML in the place of something else, outside of quotes and comments, where nothing but ASCII may stand.
/// `None` too where words of another language stand there: those want quotes.
pub(crate) fn on_line(line: &str) -> Option<String> {
    let outside = outside_quotes(line);
    let other = |c: char| !c.is_ascii() && of(c).is_none();
    if outside.contains(other) {
        None
    } else {
        looks_like(&outside)
    }
}

/// The part of a line that is neither in quotes nor a comment.
fn outside_quotes(line: &str) -> String {
    let (mut out, mut quote, mut escaped) = (String::new(), None, false);
    for c in line.chars().take(LINE) {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = open == '"' && c == '\\' && !escaped;
                // Places stay what they are in the line.
                out.push('.');
            }
            None if c == '#' => return out,
            None => {
                if c == '"' || c == '\'' {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

/// What a character is taken for.
#[derive(Clone, Copy)]
enum Meant {
    /// It has no width.
    Nothing(&'static str),
    /// It looks like a blank.
    Blank(&'static str),
    /// It looks like this one; what it is instead.
    Ascii(char, &'static str),
}

fn of(c: char) -> Option<Meant> {
    invisible(c).or_else(|| punctuation(c)).or_else(|| letter(c))
}

fn invisible(c: char) -> Option<Meant> {
    Some(match c {
        '\u{200b}' => Meant::Nothing("a zero-width space"),
        '\u{200c}' | '\u{200d}' => Meant::Nothing("a zero-width joiner"),
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Meant::Nothing("a mark of writing direction")
        }
        '\u{2060}' | '\u{feff}' => Meant::Nothing("a zero-width no-break space (a byte order mark)"),
        '\u{00ad}' => Meant::Nothing("a soft hyphen"),
        '\u{00a0}' => Meant::Blank("a no-break space"),
        '\u{202f}' => Meant::Blank("a narrow no-break space"),
        '\u{2000}'..='\u{200a}' | '\u{205f}' => Meant::Blank("a typographic space"),
        '\u{2028}' | '\u{2029}' | '\u{0085}' => Meant::Blank("a line separator"),
        '\u{3000}' => Meant::Blank("a full-width (ideographic) space"),
        _ => return None,
    })
}

fn punctuation(c: char) -> Option<Meant> {
    const QUOTE: &str = "the typographic quote";
    const DASH: &str = "the dash";
    Some(match c {
        '\u{ff01}'..='\u{ff5e}' => {
            let plain = char::from_u32(u32::from(c) - 0xfee0)?;
            Meant::Ascii(plain, "the full-width")
        }
        '“' | '”' | '„' | '‟' | '″' | '〝' | '〞' | '〟' | '«' | '»' => Meant::Ascii('"', QUOTE),
        '‘' | '’' | '‚' | '‛' | '′' | '´' => Meant::Ascii('\'', QUOTE),
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣' | '﹘' | 'ー' | 'ｰ' | '─' => {
            Meant::Ascii('-', DASH)
        }
        '。' | '｡' => Meant::Ascii('.', "the Japanese full stop"),
        '、' | '､' => Meant::Ascii(',', "the Japanese comma"),
        '〜' => Meant::Ascii('~', "the wave dash"),
        '∕' | '⁄' => Meant::Ascii('/', "the fraction slash"),
        '∶' => Meant::Ascii(':', "the ratio sign"),
        '﹫' => Meant::Ascii('@', "the small"),
        '﹪' => Meant::Ascii('%', "the small"),
        _ => return None,
    })
}

/// Letters of Cyrillic and Greek that have the shape of a Latin one.
fn letter(c: char) -> Option<Meant> {
    const CYRILLIC: (&str, &str) = ("АВЕЅІЈКМНОРСТХУаеѕіјорсхуԁԛԝ", "ABESIJKMHOPCTXYaesijopcxydqw");
    const GREEK: (&str, &str) = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοναι", "ABEZHIKMNOPTYXovai");
    for ((theirs, ours), kind) in [(CYRILLIC, "the Cyrillic"), (GREEK, "the Greek")] {
        if let Some(at) = theirs.chars().position(|t| t == c) {
            return ours.chars().nth(at).map(|plain| Meant::Ascii(plain, kind));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_named_with_its_place() {
        for (text, says) in [
            ("192.0.2.１", "character 9 is the full-width `１` (U+FF11), not `1`"),
            ("edge\u{200b}-a", "character 5 is a zero-width space (U+200B)"),
            ("edge-a\u{a0}", "character 7 is a no-break space (U+00A0)"),
            ("edge　a", "character 5 is a full-width (ideographic) space (U+3000)"),
            (
                "“edge-a”",
                "character 1 is the typographic quote `“` (U+201C), not `\"`",
            ),
            ("edge–a", "character 5 is the dash `–` (U+2013), not `-`"),
            ("еdge-a", "character 1 is the Cyrillic `е` (U+0435), not `e`"),
            ("\u{202e}edge", "character 1 is a mark of writing direction (U+202E)"),
        ] {
            let told = looks_like(text).unwrap_or_default();
            assert!(told.starts_with(says), "{text}: {told}");
        }
        for good in ["edge-a", "東京病院", "100 Mbit/s", "`x`", "55 °C"] {
            assert_eq!(looks_like(good), None, "{good}");
        }
    }

    #[test]
    fn letters_of_other_alphabets_stand_beside_those_they_look_like() {
        for (theirs, plain) in [('А', 'A'), ('у', 'y'), ('ԝ', 'w'), ('Χ', 'X'), ('ι', 'i')] {
            assert_eq!(super::plain(&theirs.to_string()), plain.to_string());
        }
        assert_eq!(super::plain("ｅｄｇｅ\u{200b}－ａ"), "edge-a");
    }

    #[test]
    fn only_what_is_outside_of_quotes_is_looked_at_in_a_line() {
        for good in ["name = \"東京　病院\" # “x”", r#"a = "x\"　" "#, "name = 東京　病院"] {
            assert_eq!(on_line(good), None, "{good}");
        }
        for bad in ["name　= \"x\"", "name = “x”", "\u{200b}name = \"x\"", "［poll］"] {
            assert!(on_line(bad).is_some(), "{bad}");
        }
    }
}
