//! Blanks what may be a secret in a line of the configuration before the line is shown.
//!
//! Works on the line alone, so that it holds after syntax errors too, and rather blanks too much. Never here: the tree.

use super::reader::distance;
use super::report::clean;
use std::ops::Range;

/// The line with secrets as `***`, and where bytes `from..to` of it stand then: first column and length in characters.
pub(crate) fn line(line: &str, from: usize, to: usize) -> (String, (usize, usize)) {
    shown_line(line, from, to, &secret_ranges(line))
}

/// The same for a line that cannot hold a secret.
pub(crate) fn unmasked(line: &str, from: usize, to: usize) -> (String, (usize, usize)) {
    shown_line(line, from, to, &[])
}

fn shown_line(line: &str, from: usize, to: usize, secrets: &[Range<usize>]) -> (String, (usize, usize)) {
    let mut shown = String::new();
    let (mut start, mut length) = (None, 0);
    let mut columns = 0;
    for (at, c) in line.char_indices() {
        let inside = secrets.iter().find(|r| r.contains(&at));
        let text = match inside {
            Some(range) if range.start == at => "***".to_string(),
            Some(_) => String::new(),
            None => c.to_string(),
        };
        let width = text.chars().count();
        if at >= from && start.is_none() {
            start = Some(columns);
        }
        if at >= from && at < to {
            length += width;
        }
        columns += width;
        shown.push_str(&text);
    }
    (clean(&shown), (start.unwrap_or(columns), length.max(1)))
}

/// Does a key of this name hold a secret (or was it meant to)?
pub(crate) fn secret_like(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let parts = lower.split('.').map(|p| p.trim().trim_matches(['"', '\'']));
    let mut found = false;
    let mut last = "";
    for part in parts {
        last = part;
        found |= ["pass", "secret", "communit", "token"].iter().any(|w| part.contains(w))
            || ["password", "community"]
                .iter()
                .any(|w| part.len() > 3 && distance(part, w) <= 3);
    }
    found && !names_a_place(last)
}

/// Keys whose value says where a secret lies, which is none itself.
fn names_a_place(key: &str) -> bool {
    matches!(
        key.trim().trim_matches(['"', '\'']),
        "credential" | "file" | "env" | "protocol"
    )
}

fn secret_ranges(line: &str) -> Vec<Range<usize>> {
    let bytes = line.as_bytes();
    let mut ranges = url_users(line);
    // For each open brace: does it belong to a key that holds a secret?
    let mut tables: Vec<bool> = Vec::new();
    let (mut i, mut key_start, mut opens_secret) = (0, 0, false);
    let mut equals = false;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'"' | b'\'') => i = end_of_string(bytes, i, quote),
            b'#' => break,
            b'{' => {
                tables.push(std::mem::take(&mut opens_secret));
                key_start = i + 1;
            }
            b'}' => {
                tables.pop();
                key_start = i + 1;
            }
            b',' | b'[' | b']' => key_start = i + 1,
            b'=' => {
                equals = true;
                let key = line.get(key_start..i).unwrap_or("");
                let within = tables.last().copied().unwrap_or(false) && !names_a_place(key);
                if within || secret_like(key) {
                    let value = i
                        + 1
                        + bytes[i + 1..]
                            .iter()
                            .take_while(|b| **b == b' ' || **b == b'\t')
                            .count();
                    match bytes.get(value) {
                        Some(b'{') => opens_secret = true,
                        Some(quote @ (b'"' | b'\'')) if bytes.get(value..value + 3) != Some(&[*quote; 3][..]) => {
                            let end = end_of_string(bytes, value, *quote);
                            // Unclosed, or followed by more: blank to the end of the line.
                            let rest = line.get(end + 1..).unwrap_or("").trim_start();
                            let closed = end < bytes.len() && (rest.is_empty() || rest.starts_with([',', '}', '#']));
                            ranges.push(value + 1..if closed { end } else { bytes.len() });
                            i = end;
                        }
                        Some(_) => {
                            ranges.push(value..bytes.len());
                            i = bytes.len();
                        }
                        None => {}
                    }
                }
            }
            _ => {}
        }
        i += 1;
    }
    let word = line
        .trim_start()
        .split(|c: char| !(c.is_alphanumeric() || "._-".contains(c)))
        .next()
        .unwrap_or("");
    if !equals && secret_like(word) {
        ranges.push(line.len() - line.trim_start().len() + word.len()..line.len());
    }
    ranges.retain(|r| r.start < r.end);
    ranges
}

/// The closing quote, or the end of the line.
fn end_of_string(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut i = open + 1;
    while i < bytes.len() && bytes[i] != quote {
        i += if quote == b'"' && bytes[i] == b'\\' { 2 } else { 1 };
    }
    i.min(bytes.len())
}

/// `scheme://user:password@host`: what stands before the `@`.
fn url_users(line: &str) -> Vec<Range<usize>> {
    line.match_indices("://")
        .filter_map(|(at, _)| {
            let rest = &line[at + 3..];
            let host = rest.find(['"', '\'', ' ']).unwrap_or(rest.len());
            rest[..host].rfind('@').map(|end| at + 3..at + 3 + end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        line(text, 0, 1).0
    }

    #[test]
    fn secrets_are_blanked_and_places_are_not() {
        assert_eq!(shown(r#"community = "hunter2" # lab"#), r#"community = "***" # lab"#);
        assert_eq!(shown(r#"comunity = "hunter2""#), r#"comunity = "***""#);
        assert_eq!(shown(r#"community = hunter2"#), r#"community = ***"#);
        assert_eq!(shown(r#"community = "hunter2"#), r#"community = "***"#);
        assert_eq!(shown(r#"community "hunter2""#), r#"community***"#);
        assert_eq!(
            shown(r#"password = { file = "a/b" }"#),
            r#"password = { file = "a/b" }"#
        );
        assert_eq!(
            shown(r#"password = { value = "hunter2" }"#),
            r#"password = { value = "***" }"#
        );
        let v3 = r#"auth = { protocol = "sha256", password = "hunter2", x = 1 }"#;
        assert_eq!(shown(v3), r#"auth = { protocol = "sha256", password = "***", x = 1 }"#);
        assert_eq!(
            shown(r#"smtp = "smtp://me:hunter2@relay""#),
            r#"smtp = "smtp://***@relay""#
        );
        assert_eq!(shown(r#"name = "edge-a""#), r#"name = "edge-a""#);
        assert_eq!(shown(r#"community = "hunt"er2""#), r#"community = "***"#);
        assert_eq!(shown(r#"auth.password = 'x=,y'"#), r#"auth.password = '***'"#);
    }

    #[test]
    fn the_marker_moves_with_the_blanked_text() {
        let text = r#"password = "a long secret", port = 1"#;
        let at = text.find("port").unwrap();
        let (shown, (start, length)) = line(text, at, at + 4);
        assert_eq!(shown.chars().skip(start).take(length).collect::<String>(), "port");
    }
}
