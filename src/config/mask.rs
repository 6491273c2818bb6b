//! Blanks what may be a secret in a line of the configuration before the line is shown.
//!
//! Looks at the line alone, so that it holds after syntax errors too, and at what began on a line above it: a text of several lines, a
//! list or table of a key that holds secrets. Rather blanks too much. Never here: the tree.

use super::reader::distance;
use super::report::clean;
use std::ops::Range;

/// Most characters of a line that are shown, around the place in question: a file can be one line.
const SHOWN: usize = 200;

/// A piece of a file to be shown.
pub(crate) struct Piece<'t> {
    /// The line, without its end.
    pub(crate) line: &'t str,
    /// Its first byte in the file.
    pub(crate) starts: usize,
    /// Bytes of the line in question.
    pub(crate) marked: Range<usize>,
}

/// What is shown of a line: the part around its mark, with secrets as `***`, and where the mark stands in it: first column and length
/// in characters. `above` are the places of the whole file that began on a line before ([`open_texts`]).
pub(crate) fn line(piece: &Piece<'_>, above: &[Range<usize>]) -> (String, (usize, usize)) {
    let end = piece.starts + piece.line.len();
    let inside = above.partition_point(|r| r.end <= piece.starts);
    let from_above = above[inside..].iter().take_while(|r| r.start < end);
    let window = window(piece);
    // A line that is longer than any a person writes is not looked through in full for each of its problems.
    let mut ranges = match piece.line.len() > LONGEST_LINE {
        true => std::iter::once(0..piece.line.len()).collect(),
        false => secret_ranges(piece.line),
    };
    ranges
        .extend(from_above.map(|r| r.start.saturating_sub(piece.starts)..r.end.min(end).saturating_sub(piece.starts)));
    ranges.retain(|r| r.start < r.end && r.end > window.start && r.start < window.end);
    shown_line(piece, window, &joined(ranges))
}

/// A line that is longer is not shown at all: what is a secret in it would have to be looked for from its beginning each time.
const LONGEST_LINE: usize = 64 * 1024;

/// The same for a line that cannot hold a secret.
pub(crate) fn unmasked(piece: &Piece<'_>) -> (String, (usize, usize)) {
    shown_line(piece, window(piece), &[])
}

/// The bytes of the line that are shown: all of a line of usual length, else as much around the mark.
fn window(piece: &Piece<'_>) -> Range<usize> {
    let line = piece.line;
    if line.len() <= SHOWN {
        return 0..line.len();
    }
    let mark = floor(line, piece.marked.start.min(line.len()));
    let before = line[..mark].char_indices().rev().nth(SHOWN / 4).map_or(0, |(i, _)| i);
    let after = line[before..]
        .char_indices()
        .nth(SHOWN)
        .map_or(line.len(), |(i, _)| before + i);
    before..after
}

/// The beginning of the character that a byte belongs to.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Ranges in order, those that touch made one: each is shown as one `***`.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|r| r.start);
    let mut all: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match all.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => all.push(range),
        }
    }
    all
}

fn shown_line(piece: &Piece<'_>, window: Range<usize>, secrets: &[Range<usize>]) -> (String, (usize, usize)) {
    let (from, to) = (piece.marked.start, piece.marked.end);
    let mut shown = String::new();
    let (mut start, mut length) = (None, 0);
    let mut columns = 0;
    if window.start > 0 {
        shown.push('…');
        columns = 1;
    }
    let mut blanked = usize::MAX;
    for (at, c) in piece.line[window.clone()].char_indices() {
        let at = at + window.start;
        let inside = secrets.iter().position(|r| r.contains(&at));
        let text = match inside {
            Some(range) if range != blanked => "***".to_string(),
            Some(_) => String::new(),
            None => c.to_string(),
        };
        blanked = inside.unwrap_or(usize::MAX);
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
    if window.end < piece.line.len() {
        shown.push('…');
    }
    (clean(&shown), (start.unwrap_or(columns), length.max(1)))
}

/// The places of a file that belong to something that began on a line above: texts of several lines in `"""` or `'''` (of any key: one
/// that is not closed swallows the secrets below it), and lists and tables of a key that holds a secret. In order, none overlap.
pub(crate) fn open_texts(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut all = Vec::new();
    // A list or table of a key with secrets: where it began, and how many brackets are open.
    let mut list: Option<(usize, usize)> = None;
    let (mut i, mut key_start) = (0, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'#' => i = end_of_line(bytes, i),
            quote @ (b'"' | b'\'') if bytes.get(i..i + 3) == Some(&[quote; 3][..]) => {
                let end = end_of_long(bytes, i + 3, quote);
                if list.is_none() {
                    all.push(i + 3..end);
                }
                i = end + 2;
            }
            quote @ (b'"' | b'\'') => i = end_of_string(&bytes[..end_of_line(bytes, i)], i, quote),
            b'=' if list.is_none() && holds_secret(text.get(key_start..i).unwrap_or("")) => {
                let value = i + 1 + blanks(&bytes[i + 1..]);
                match bytes.get(value) {
                    Some(b'[' | b'{') => {
                        list = Some((value, 0));
                        i = value - 1;
                    }
                    // Whoever breaks the line behind the equals sign means what stands on the next one.
                    Some(b'\r' | b'\n') => {
                        let next = end_of_line(bytes, value);
                        all.push(next..end_of_line(bytes, next + 1));
                    }
                    _ => {}
                }
            }
            b'[' | b'{' => {
                key_start = i + 1;
                if let Some((_, open)) = &mut list {
                    *open += 1;
                }
            }
            b']' | b'}' => {
                key_start = i + 1;
                if let Some((began, open)) = list {
                    list = (open > 1).then_some((began, open.saturating_sub(1)));
                    if list.is_none() && bytes[began..i].contains(&b'\n') {
                        all.push(end_of_line(bytes, began)..i);
                    }
                }
            }
            b',' | b'\n' if list.is_none() => key_start = i + 1,
            _ => {}
        }
        i += 1;
    }
    if let Some((began, _)) = list {
        all.push(end_of_line(bytes, began)..bytes.len());
    }
    all.retain(|r| r.start < r.end);
    joined(all)
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
}

/// Where the three closing quotes begin, or the end of the file.
fn end_of_long(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut i = from;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' if quote == b'"' => i += 1,
            b if b == quote && bytes.get(i..i + 3) == Some(&[quote; 3][..]) => return i,
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// Words that a key with a secret has in it, or that the one who wrote it took for such a key.
const SECRET_WORDS: [&str; 12] = [
    "pass", "secret", "communit", "token", "pwd", "psk", "passwd", "apikey", "api_key", "auth_key", "priv_key",
    "private",
];
/// Keys that hold a secret or a table with one: with a text in place of the table, the text may be the secret.
const SECRET_KEYS: [&str; 6] = ["auth", "privacy", "priv", "key", "pw", "pin"];

/// Does a key of this name hold a secret (or was it meant to)?
pub(crate) fn secret_like(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let parts = lower.split('.').map(|p| p.trim().trim_matches(['"', '\'']));
    let mut found = false;
    let mut last = "";
    for part in parts {
        last = part;
        // Names of sections and texts that hold an equals sign are long; keys are not.
        if part.len() > 40 {
            continue;
        }
        found |= SECRET_WORDS.iter().any(|w| part.contains(w))
            || ["password", "community"]
                .iter()
                .any(|w| part.len() > 3 && distance(part, w) <= 3);
    }
    found && !names_a_place(last)
}

/// Does a text behind this key stand where a table with a secret should?
fn text_may_be_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    let last = last.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    SECRET_KEYS.contains(&last.as_str())
}

/// Is what stands behind this key a secret, or a table or list with one?
fn holds_secret(key: &str) -> bool {
    secret_like(key) || text_may_be_secret(key)
}

/// Is it (or was it meant to be) the key of an address whose path is a secret?
fn is_url(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    let last = last.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    matches!(last.len(), 2..=7) && (distance(&last, "url") <= 1 || distance(&last, "webhook") <= 1 || last == "http")
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
                let value = i + 1 + blanks(&bytes[i + 1..]);
                let is_text = matches!(bytes.get(value), Some(b'"' | b'\''));
                if is_url(key) && is_text {
                    let end = end_of_string(bytes, value, bytes[value]);
                    ranges.push(behind_the_host(line, value + 1)..end);
                }
                let is_list = bytes.get(value) == Some(&b'[');
                if within || secret_like(key) || (is_text || is_list) && text_may_be_secret(key) {
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

/// `scheme://user:password@host/path?query`: what stands before the `@`, and what stands behind the host.
fn url_users(line: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    for (at, _) in line.match_indices("://") {
        let rest = &line[at + 3..];
        let end = rest.find(['"', '\'', ' ', ',', '}', ']']).unwrap_or(rest.len());
        if let Some(user) = rest[..end].rfind('@') {
            all.push(at + 3..at + 3 + user);
        }
        let host = rest[..end].rfind('@').map_or(0, |user| user + 1);
        if let Some(path) = rest[host..end].find(['/', '?', '#']) {
            all.push(at + 3 + host + path + 1..at + 3 + end);
        }
    }
    all
}

/// Where the host of an address ends that begins at `from`; `from` itself where none is to be seen.
fn behind_the_host(line: &str, from: usize) -> usize {
    let rest = line.get(from..).unwrap_or("");
    let Some(scheme) = rest.find("//").filter(|at| *at <= 8) else {
        return from;
    };
    let host = scheme + 2;
    let name = rest[host..]
        .find(['/', '?', '#', '"', '\''])
        .unwrap_or(rest.len() - host);
    let slash = usize::from(rest[host + name..].starts_with('/'));
    from + host + name + slash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        of_file(text, text, 0..1).0
    }

    /// What is shown of a line of a file.
    fn of_file(file: &str, text: &str, marked: Range<usize>) -> (String, (usize, usize)) {
        let starts = file.find(text).unwrap();
        let piece = Piece {
            line: text,
            starts,
            marked,
        };
        line(&piece, &open_texts(file))
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
        let (shown, (start, length)) = of_file(text, text, at..at + 4);
        assert_eq!(shown.chars().skip(start).take(length).collect::<String>(), "port");
    }

    #[test]
    fn what_began_on_a_line_above_is_blanked() {
        for (file, line) in [
            ("password = \"\"\"\nS3CRET\\q\n\"\"\"\nname = \"x\"\n", "S3CRET\\q"),
            ("password = '''\n# S3CRET\n'''\n", "# S3CRET"),
            ("x = \"\"\"\nnever closed\ncommunity: S3CRET\n", "community: S3CRET"),
            ("community = [\n  \"S3CRET\",\n]\n", "  \"S3CRET\","),
            ("auth = { x = 1,\n password =\n \"S3CRET\" }\n", " \"S3CRET\" }"),
            ("password = {\n value = \"S3CRET\"", " value = \"S3CRET\""),
        ] {
            let shown = of_file(file, line, 0..1).0;
            assert!(!shown.contains("S3CRET"), "{file}: {shown}");
        }
        let file = "password = \"\"\"\nS3CRET\n\"\"\"\nname = \"x\"\n# \"\"\" '\nsite = \"y\"\n";
        assert_eq!(of_file(file, "name = \"x\"", 0..1).0, "name = \"x\"");
        assert_eq!(of_file(file, "site = \"y\"", 0..1).0, "site = \"y\"");
    }

    #[test]
    fn the_path_of_an_address_is_blanked() {
        for (text, is) in [
            (
                r#"url = "https://w.example.org/S3CRET?x=1""#,
                r#"url = "https://w.example.org/***""#,
            ),
            (
                r#"url = "htps://me:pw@w.example.org/S3CRET""#,
                r#"url = "htps://***@w.example.org/***""#,
            ),
            (
                r#"url = "https//w.example.org/S3CRET""#,
                r#"url = "https//w.example.org/***""#,
            ),
            (r#"url = "S3CRET""#, r#"url = "***""#),
            (r#"ulr = "w.example.org/S3CRET""#, r#"ulr = "***""#),
            (
                r#"to = "ftp://w.example.org/S3CRET", every = "1m""#,
                r#"to = "ftp://w.example.org/***", every = "1m""#,
            ),
            (
                r#"smtp = "smtps://mail.example.net:465""#,
                r#"smtp = "smtps://mail.example.net:465""#,
            ),
            (r#"auth = "S3CRET""#, r#"auth = "***""#),
            (r#"psk = "S3CRET""#, r#"psk = "***""#),
            (
                r#"key = "S3CRET", protocol = "sha256""#,
                r#"key = "***", protocol = "sha256""#,
            ),
        ] {
            assert_eq!(shown(text), is);
        }
    }

    #[test]
    fn a_long_line_is_cut_around_its_mark() {
        let text = format!(
            "x = \"{}\", community = \"S3CRET\", y = 1, z = \"{}\"",
            "医".repeat(5_000),
            "b".repeat(5_000)
        );
        let at = text.find("y = 1").unwrap();
        let (shown, (start, length)) = of_file(&text, &text, at..at + 5);
        assert!(
            shown.chars().count() <= SHOWN + 2 && shown.starts_with('…') && shown.ends_with('…'),
            "{shown}"
        );
        assert_eq!(shown.chars().skip(start).take(length).collect::<String>(), "y = 1");
        assert!(!shown.contains("S3CRET"), "{shown}");
        let (shown, _) = of_file(&text, &text, 0..text.len());
        assert!(
            shown.starts_with("x = ") && shown.chars().count() <= SHOWN + 2,
            "{shown}"
        );
        let text = format!("{}password = \"S3CRET\"", "a = 1, ".repeat(20_000));
        let at = text.find("S3CRET").unwrap();
        assert!(!of_file(&text, &text, at..at + 1).0.contains("S3CRET"));
    }
}
