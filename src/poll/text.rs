//! Octets that agents send as text, made into names. Names are keys: different octets stay different names, whatever they are written in.
//!
//! UTF-8 is tried first, then what Japanese devices store: Shift_JIS as Windows has it (CP932) and EUC-JP, each only if every octet fits.
//! The decision rests on the octets of the one text and on the configuration alone, so it is the same in every round.
//!
//! Never here: which objects are text.

use super::schedule::stable_hash;
use crate::model::snmp::TextEncoding;
use crate::model::text::{escaped, octet};
use encoding_rs::{EUC_JP, SHIFT_JIS};
use std::borrow::Cow;

/// Longest name kept, in characters (SnmpAdminString and DisplayString end at 255 octets).
const LONGEST: usize = 255;
/// Of a longer one so much is kept; what stands for the rest follows.
const KEPT: usize = LONGEST - 17;

/// A name; `None` if nothing is there.
pub fn name(octets: &[u8], encoding: TextEncoding) -> Option<String> {
    // Some agents pad with zeros or blanks, or end with one.
    let padding = |b: &u8| *b == 0 || b.is_ascii_whitespace();
    let from = octets.iter().position(|b| !b.is_ascii_whitespace())?;
    let to = octets.iter().rposition(|b| !padding(b))?;
    let text = decode(octets.get(from..=to)?, encoding);
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        // Two long names that begin alike are two names.
        Some(_) => {
            let kept: String = text.chars().take(KEPT).collect();
            Some(format!("{kept}~{:016x}", stable_hash(&[text])))
        }
        None => (!text.is_empty()).then(|| text.to_owned()),
    }
}

/// Octets as text; what is none stands as `\x93`, what a terminal would obey as `\x1b` or `\u{202e}`.
pub fn decode(octets: &[u8], encoding: TextEncoding) -> Cow<'_, str> {
    if let Some(text) = strict(octets, encoding) {
        return match text {
            Cow::Borrowed(text) => escaped(text),
            Cow::Owned(text) => Cow::Owned(escaped(&text).into_owned()),
        };
    }
    // Agents cut long texts, be it in the middle of a character.
    if let Some((text, rest)) = cut(octets, encoding) {
        let text = escaped(&text).into_owned();
        return Cow::Owned(rest.iter().fold(text, |text, b| text + &octet(*b)));
    }
    let runs = octets.chunk_by(|a, b| a.is_ascii() == b.is_ascii());
    let shown = runs.map(|run| match std::str::from_utf8(run) {
        Ok(ascii) if run.is_ascii() => escaped(ascii).into_owned(),
        _ => run.iter().map(|b| octet(*b)).collect(),
    });
    Cow::Owned(shown.collect())
}

/// Every octet fits; else `None`.
pub fn strict(octets: &[u8], encoding: TextEncoding) -> Option<Cow<'_, str>> {
    let utf_8 = || std::str::from_utf8(octets).ok().map(Cow::Borrowed);
    match encoding {
        TextEncoding::Auto => utf_8().or_else(|| japanese(octets)),
        TextEncoding::Utf8 => utf_8(),
        TextEncoding::ShiftJis => shift_jis(octets).or_else(utf_8),
        TextEncoding::EucJp => euc_jp(octets).or_else(utf_8),
    }
}

/// The text up to a last character that was cut, and the octets of it.
fn cut(octets: &[u8], encoding: TextEncoding) -> Option<(Cow<'_, str>, &[u8])> {
    let utf_8 = || {
        let error = std::str::from_utf8(octets).err().filter(|e| e.error_len().is_none())?;
        let (text, rest) = octets.split_at(error.valid_up_to());
        // With nothing but ASCII before it the octet may be anything.
        let text = std::str::from_utf8(text).ok().filter(|text| !text.is_ascii())?;
        Some((Cow::Borrowed(text), rest))
    };
    let double = |encoding| {
        let (rest, text) = octets.split_last()?;
        let lead = |b: &u8| *b >= 0x80;
        let text = strict(text, encoding).filter(|text| lead(rest) && !text.is_ascii())?;
        Some((text, std::slice::from_ref(rest)))
    };
    match encoding {
        TextEncoding::Utf8 => utf_8(),
        TextEncoding::Auto => utf_8().or_else(|| double(TextEncoding::Auto)),
        one => double(one).or_else(utf_8),
    }
}

/// Text that is no UTF-8.
fn japanese(octets: &[u8]) -> Option<Cow<'_, str>> {
    // UTF-8 that was cut can be read as Shift_JIS, too; it is no less UTF-8 for that.
    let cut = std::str::from_utf8(octets).err().filter(|e| e.error_len().is_none());
    if cut.is_some_and(|e| octets.iter().take(e.valid_up_to()).any(|b| !b.is_ascii())) {
        return None;
    }
    match (shift_jis(octets), euc_jp(octets)) {
        (Some(shift_jis), Some(euc_jp)) => Some(match is_euc_jp(octets, &shift_jis) {
            true => euc_jp,
            false => shift_jis,
        }),
        (shift_jis, euc_jp) => shift_jis.or(euc_jp),
    }
}

/// Octets that fit both: kanji of EUC-JP read as Shift_JIS are half-width katakana. Names of places and firms are kanji of every day more
/// often than half-width katakana in pairs.
fn is_euc_jp(octets: &[u8], shift_jis: &str) -> bool {
    let half = |c: char| ('\u{ff61}'..='\u{ff9f}').contains(&c);
    shift_jis.contains(half) && (is_common_euc(octets) || !are_katakana_words(shift_jis))
}

/// Letters, hiragana, katakana and kanji of level 1 (JIS X 0208 rows 3 to 5 and 16 to 47), with their punctuation.
fn is_common_euc(octets: &[u8]) -> bool {
    let mut rest = octets.iter();
    while let Some(lead) = rest.next() {
        if lead.is_ascii() {
            continue;
        }
        if !matches!(lead, 0xa1 | 0xa3..=0xa5 | 0xb0..=0xcf) || rest.next().is_none() {
            return false;
        }
    }
    true
}

/// Half-width katakana that somebody may have written: a voiced mark follows what can be voiced, no word begins with a small letter or a
/// mark, and none stands beside kanji.
fn are_katakana_words(text: &str) -> bool {
    let mut before = ' ';
    text.chars().all(|c| {
        let last = std::mem::replace(&mut before, c);
        let begins = !('\u{ff66}'..='\u{ff9f}').contains(&last);
        match c {
            '\u{ff9e}' => matches!(last, '\u{ff73}' | '\u{ff76}'..='\u{ff84}' | '\u{ff8a}'..='\u{ff8e}'),
            '\u{ff9f}' => matches!(last, '\u{ff8a}'..='\u{ff8e}'),
            '\u{ff66}'..='\u{ff70}' => !begins,
            '\u{ff61}'..='\u{ff65}' => !begins,
            c => ('\u{ff71}'..='\u{ff9d}').contains(&c) || c.is_ascii(),
        }
    })
}

fn shift_jis(octets: &[u8]) -> Option<Cow<'_, str>> {
    // The web's decoder gives 0x80 as a control character; no device means that.
    let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(octets)?;
    (!octets.contains(&0x80) || !text.contains('\u{80}')).then_some(text)
}

fn euc_jp(octets: &[u8]) -> Option<Cow<'_, str>> {
    EUC_JP.decode_without_bom_handling_and_without_replacement(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TextEncoding::{Auto, EucJp, ShiftJis, Utf8};

    fn in_euc(text: &str) -> Vec<u8> {
        EUC_JP.encode(text).0.into_owned()
    }

    fn in_sjis(text: &str) -> Vec<u8> {
        SHIFT_JIS.encode(text).0.into_owned()
    }

    #[test]
    fn text_is_cleaned_and_bounded() {
        let text = |s: &[u8]| name(s, Auto);
        assert_eq!(text(b"xe-0/0/1\0").as_deref(), Some("xe-0/0/1"));
        assert_eq!(text(b"a\x1b[2Jb").as_deref(), Some("a\\x1b[2Jb"));
        assert_eq!(text("a\u{202e}b".as_bytes()).as_deref(), Some("a\\u{202e}b"));
        assert_eq!(
            (text(b" \0"), text(b""), text("\u{3000}".as_bytes())),
            (None, None, None)
        );
        let long = |last| text(&[&[b'x'; 4_000][..], &[last]].concat()).unwrap();
        assert_eq!(long(b'x').len(), 255);
        assert_ne!(long(b'x'), long(b'y'));
    }

    #[test]
    fn names_of_japanese_devices_are_read_in_whatever_they_are_written() {
        for text in [
            "東京",
            "大阪",
            "名古屋",
            "福岡",
            "本社",
            "東京第一病院",
            "病院-1F",
            "渋谷",
            "澤田医院",
            "ルータ1",
            "サーバ室",
            "あおい薬局",
            "回線：主系",
            "ｷｮｳﾄ支店 東棟",
        ] {
            for octets in [text.as_bytes().to_vec(), in_sjis(text), in_euc(text)] {
                assert_eq!(name(&octets, Auto).as_deref(), Some(text), "{octets:x?}");
            }
            assert_eq!(name(&in_sjis(text), ShiftJis).as_deref(), Some(text));
            assert_eq!(name(&in_euc(text), EucJp).as_deref(), Some(text));
            assert!(name(text.as_bytes(), ShiftJis).is_some());
        }
        // Of what windows has beyond the standard, and of half-width katakana.
        for text in ["①号機", "髙橋医院", "ﾄｳｷｮｳ", "ｶﾞﾗｽ-1"] {
            assert_eq!(name(&in_sjis(text), Auto).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_text_stays_different() {
        assert_eq!(name(b"\x93", Auto).as_deref(), Some("\\x93"));
        assert_eq!(name(b"ge\xff0\xfe", Auto).as_deref(), Some("ge\\xff0\\xfe"));
        assert_eq!(name(b"\\x93", Auto).as_deref(), Some("\\x5cx93"));
        assert_eq!(name(&in_sjis("東京"), Utf8).as_deref(), Some("\\x93\\x8c\\x8b\\x9e"));
        assert_ne!(name(b"\x80", Auto), name("\u{80}".as_bytes(), Auto));
        let all: std::collections::BTreeSet<String> =
            (0u8..=255).filter_map(|b| name(&[b'a', b, b'z'], Utf8)).collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn a_text_that_was_cut_in_a_character_keeps_what_is_whole() {
        for octets in [
            "東京第一病院".as_bytes().to_vec(),
            in_sjis("東京第一病院"),
            in_euc("東京第一病院"),
        ] {
            let cut = &octets[..octets.len() - 1];
            let text = name(cut, Auto).unwrap();
            assert!(text.starts_with("東京第一病\\x"), "{text}");
        }
    }
}
