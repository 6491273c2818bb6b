//! The output of a plugin (Monitoring Plugins guidelines): one line for people, and numbers behind a bar.
//!
//! Never here: the exit code, a threshold.

use crate::text::line;

/// What a plugin printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Its first line, up to the bar.
    pub text: String,
    /// Numbers, in their order.
    pub numbers: Vec<Number>,
}

/// `'label'=value[unit]`; the thresholds behind it are the plugin's affair.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Its label.
    pub label: String,
    /// Its value.
    pub value: f64,
    /// `s`, `%`, `B`, `c` …; empty: a plain number.
    pub unit: String,
}

/// Numbers that are kept.
const NUMBERS: usize = 64;
/// Characters of a label, of a unit, and of the line that are kept.
const LABEL: usize = 64;
const UNIT: usize = 8;
const LINE: usize = 300;

/// Reads what a plugin printed: numbers stand behind the bar of the first line, and behind the first bar of the lines after it.
pub fn read(printed: &[u8]) -> Output {
    let end = printed.iter().position(|b| *b == b'\n').unwrap_or(printed.len());
    let (first, rest) = printed.split_at(end);
    let (text, behind) = cut(first);
    let (_, more) = cut(rest);
    let mut numbers = Vec::new();
    for part in [behind, more] {
        collect(&String::from_utf8_lossy(part), &mut numbers);
    }
    Output {
        text: line(text, LINE),
        numbers,
    }
}

/// Before and behind the first bar.
fn cut(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|b| *b == b'|') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

fn collect(text: &str, numbers: &mut Vec<Number>) {
    let mut rest = text.trim_start();
    while !rest.is_empty() && numbers.len() < NUMBERS {
        let Some((label, behind)) = label(rest) else { return };
        let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
        let (value, next) = behind.split_at(end);
        numbers.extend(number(&label, value));
        rest = next.trim_start();
    }
}

/// The label before `=`, and what stands behind that. In a quoted label two quotes stand for one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (label, behind) = text.split_once('=')?;
        // A word without a value: the rest is read all the same.
        let label = label.rsplit(char::is_whitespace).next().unwrap_or(label);
        return Some((label.to_owned(), behind));
    };
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let (part, behind) = rest.split_once('\'')?;
        label.push_str(part);
        match behind.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => return behind.strip_prefix('=').map(|behind| (label, behind)),
        }
    }
}

fn number(label: &str, text: &str) -> Option<Number> {
    let value = text.split(';').next().unwrap_or_default();
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+');
    let mut end = value.find(|c| !is_of_number(c)).unwrap_or(value.len());
    // 1.5e-3, but not 3E of some unit.
    let exponent = value.get(end..).and_then(|r| r.strip_prefix(['e', 'E']));
    if let Some(digits) = exponent {
        let signed = digits.strip_prefix(['-', '+']).unwrap_or(digits);
        let count = signed.find(|c: char| !c.is_ascii_digit()).unwrap_or(signed.len());
        if count > 0 {
            end += 1 + digits.len() - signed.len() + count;
        }
    }
    let (digits, unit) = value.split_at(end);
    // Some plugins print the comma of their language.
    let value: f64 = digits.replace(',', ".").parse().ok().filter(|v: &f64| v.is_finite())?;
    Some(Number {
        label: line(label.as_bytes(), LABEL),
        value,
        unit: line(unit.as_bytes(), UNIT),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(printed: &str) -> Vec<(String, f64, String)> {
        let found = read(printed.as_bytes()).numbers;
        found.into_iter().map(|n| (n.label, n.value, n.unit)).collect()
    }

    fn one(label: &str, value: f64, unit: &str) -> (String, f64, String) {
        (label.to_owned(), value, unit.to_owned())
    }

    #[test]
    fn real_lines_are_read() {
        let ping = "PING OK - Packet loss = 0%, RTA = 0.05 ms|rta=0.050000ms;100.0;500.0;0.0 pl=0%;20;60;0\n";
        assert_eq!(read(ping.as_bytes()).text, "PING OK - Packet loss = 0%, RTA = 0.05 ms");
        assert_eq!(numbers(ping), [one("rta", 0.05, "ms"), one("pl", 0.0, "%")]);
        let disk = "DISK OK\n/ 15272 MB (77%)\n/boot 68 MB | '/ free'=15272MB;1;2 '/it''s'=68MB\nmore=1c";
        assert_eq!(
            numbers(disk),
            [
                one("/ free", 15272.0, "MB"),
                one("/it's", 68.0, "MB"),
                one("more", 1.0, "c")
            ]
        );
    }

    #[test]
    fn odd_numbers_are_read_or_left_out() {
        assert_eq!(
            numbers("x|a=U b=-1.5e-3s c=3,5 d=nan e= f=1e999 g=.5 h=2E"),
            [
                one("b", -0.0015, "s"),
                one("c", 3.5, ""),
                one("g", 0.5, ""),
                one("h", 2.0, "E")
            ]
        );
        assert_eq!(numbers("x|word a=1"), [one("a", 1.0, "")]);
        assert_eq!(numbers("x|'open=1 a=2"), []);
        assert_eq!(numbers("x|'a'b=1"), []);
    }

    #[test]
    fn what_is_hostile_is_bounded() {
        let many: String = (0..1000).map(|i| format!("l{i}={i} ")).collect();
        assert_eq!(numbers(&format!("x|{many}")).len(), NUMBERS);
        let found = read(b"a\x1b[2J\x00|'l\x1b'=1\x07");
        assert_eq!(found.text, "a [2J");
        assert!(
            !found
                .numbers
                .iter()
                .any(|n| n.label.contains('\u{1b}') || n.unit.contains('\u{7}'))
        );
        let text = read(&[0xff; 10_000]).text;
        assert!(text.ends_with('…') && text.chars().count() == LINE + 1, "{text}");
        assert_eq!(read(b""), Output::default());
    }
}
