//! Words in what devices call their parts: a label is read as words, never as a string that something stands in somewhere.
//!
//! `RPS 12V` has no word `PS`, and `FAN_TMP_3` has the words `fan` and `tmp`. Ports are put in the order that people count in.
//!
//! Never here: what a word means for anybody's health.

use std::cmp::Ordering;

/// Some words in a row, in small letters, to be looked for in labels: `power supply`. A word also fits with digits behind it (`fan`
/// fits `FAN1`) and in the plural; `#` stands for digits (`#v` fits `12V`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase(Vec<String>);

impl Phrase {
    /// `None` if there is no word in it.
    pub fn new(text: &str) -> Option<Phrase> {
        let keep = |c: char| c.is_alphanumeric() || c == '#';
        let words = text.split(|c: char| !keep(c)).filter(|w| !w.is_empty());
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        (!words.is_empty()).then_some(Phrase(words))
    }

    /// How many words it has.
    pub fn words(&self) -> usize {
        self.0.len()
    }

    /// Does it stand in this label?
    pub fn is_in(&self, label: &Words) -> bool {
        let stands = |words: &[String]| {
            let mut places = words.windows(self.0.len());
            places.any(|place| place.iter().zip(&self.0).all(|(word, wanted)| fits(word, wanted)))
        };
        stands(&label.whole) || stands(&label.parts)
    }
}

/// A label as words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Letters and digits that touch.
    whole: Vec<String>,
    /// The same, cut where a capital letter begins a word: `SysFan1`.
    parts: Vec<String>,
}

impl Words {
    /// Takes a label apart.
    pub fn of(label: &str) -> Words {
        let whole: Vec<&str> = label
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .collect();
        Words {
            parts: whole.iter().flat_map(|word| humps(word)).collect(),
            whole: whole.into_iter().map(str::to_lowercase).collect(),
        }
    }
}

/// `PSUFan1` is `psu`, `fan1`.
fn humps(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut all = vec![String::new()];
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|b| letters.get(b));
        let after = letters.get(i + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|b| b.is_lowercase() || b.is_uppercase() && after.is_some_and(|a| a.is_lowercase()));
        if begins {
            all.push(String::new());
        }
        if let Some(last) = all.last_mut() {
            last.extend(letter.to_lowercase());
        }
    }
    all
}

/// Does a word of a label fit a wanted one?
fn fits(word: &str, wanted: &str) -> bool {
    if let Some(unit) = wanted.strip_prefix('#') {
        let digits = word.strip_suffix(unit);
        return digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    }
    let Some(rest) = word.strip_prefix(wanted) else {
        return false;
    };
    let number = rest.bytes().all(|b| b.is_ascii_digit());
    let lettered = wanted.ends_with(|c: char| c.is_alphabetic());
    rest.is_empty() || lettered && (number || rest == "s")
}

/// Words of state that makes write behind a label. The row's state says it better, and a label that changes with it is of no use.
const STATES: &[&str] = &[
    "normal",
    "ok",
    "okay",
    "good",
    "faulty",
    "fault",
    "failed",
    "failure",
    "fail",
    "bad",
    "critical",
    "warning",
    "shutdown",
    "shut",
    "absent",
    "present",
    "missing",
    "notpresent",
    "notexist",
    "notinstalled",
    "notfunctioning",
    "notpowered",
    "functioning",
    "nonfunctional",
    "operational",
    "nonoperational",
    "healthy",
    "unhealthy",
    "degraded",
    "alarm",
    "alarmed",
    "unknown",
    "green",
    "yellow",
    "amber",
    "orange",
    "red",
    "empty",
    "removed",
    "inserted",
    "installed",
    "offline",
    "online",
    "running",
    "stopped",
    "active",
    "inactive",
    "enabled",
    "disabled",
    "error",
    "lost",
    "on",
    "off",
    "up",
    "down",
    "standby",
    "powered",
    "exist",
    "is",
    "not",
    "no",
    "non",
    "state",
    "status",
];

/// States only in company: `Switch 1 Power On` ends in one, `Uplink Up` too, and `RPS` is no state.
const WEAK: &[&str] = &["is", "not", "no", "non", "state", "status", "exist"];

/// The label without the words of state that stand behind it or behind one of its parts: `Switch 1 - Power Supply B, Normal` is
/// `Switch 1 - Power Supply B`, `Sw1, PS1 Normal, RPS NotExist` is `Sw1, PS1, RPS`.
pub fn without_state(label: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for part in label.split([',', ';']) {
        let part = cut_state(part.trim());
        if !part.is_empty() {
            kept.push(part.to_owned());
        }
    }
    match kept.is_empty() {
        true => label.trim().to_owned(),
        false => kept.join(", "),
    }
}

/// One part of a label without the words of state at its end.
fn cut_state(part: &str) -> &str {
    let separator = |c: char| c.is_whitespace() || matches!(c, ':' | '-' | '=' | '(' | ')' | '[' | ']' | '/' | '_');
    let mut rest = part;
    let mut cut = part;
    loop {
        let trimmed = rest.trim_end_matches(separator);
        let from = trimmed
            .rfind(separator)
            .map_or(0, |at| at + trimmed[at..].chars().next().map_or(1, char::len_utf8));
        let word = trimmed[from..].to_lowercase();
        if word.is_empty() || !STATES.contains(&word.as_str()) {
            return cut;
        }
        rest = &trimmed[..from];
        let strong = !WEAK.contains(&word.as_str());
        // A weak word counts only in front of a strong one: "is not present".
        if strong || cut.len() < part.len() {
            cut = rest.trim_end_matches(separator);
        } else {
            return cut;
        }
    }
}

/// The order in which people count: `1/9` before `1/10`, letters as they come.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let number = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (m, n) = (number(left), number(right));
        let order = if m > 0 && n > 0 {
            let digits = |text: &str, count: usize| text[..count].trim_start_matches('0').to_owned();
            let (x, y) = (digits(left, m), digits(right, n));
            (left, right) = (&left[m..], &right[n..]);
            x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
        } else {
            let (mut x, mut y) = (left.chars(), right.chars());
            let order = match (x.next(), y.next()) {
                // Names that differ in leading zeros only have an order too.
                (None, None) => return a.cmp(b),
                (x, y) => x.cmp(&y),
            };
            (left, right) = (x.as_str(), y.as_str());
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(label: &str, phrase: &str) -> bool {
        Phrase::new(phrase).is_some_and(|p| p.is_in(&Words::of(label)))
    }

    #[test]
    fn a_word_is_not_a_part_of_another_one() {
        for (label, phrase) in [
            ("FAN_TMP_3", "tmp"),
            ("FAN 1  CPU Fan1 Speed  ", "fan"),
            ("SysFan1", "fan"),
            ("PSUFan2", "psu"),
            ("Power Supply: Power Supply 0 @ 0/0/*", "power supply"),
            ("RPS 12V", "#v"),
            ("+3.3V", "#v"),
            ("PS1", "ps"),
            ("PSM slot 1", "psm"),
            ("Fans", "fan"),
        ] {
            assert!(has(label, phrase), "{phrase} in {label}");
        }
        for (label, phrase) in [
            ("RPS 12V", "ps"),
            ("RPS 1", "ps 1"),
            ("Fantail", "fan"),
            ("Stamp 1", "tmp"),
            ("Attempt", "temp"),
            ("12Vout", "#v"),
            ("", "fan"),
        ] {
            assert!(!has(label, phrase), "{phrase} in {label}");
        }
        assert_eq!(Phrase::new(" - "), None);
    }

    #[test]
    fn words_of_state_are_no_part_of_a_name() {
        for (label, name) in [
            ("Switch 1 - Power Supply B, Normal", "Switch 1 - Power Supply B"),
            ("Switch 1 - Power Supply B, Faulty", "Switch 1 - Power Supply B"),
            ("Sw1, PS1 Normal, RPS NotExist", "Sw1, PS1, RPS"),
            ("SW#1, Sensor#1, GREEN", "SW#1, Sensor#1"),
            ("PSU 2 (OK)", "PSU 2"),
            ("PSU 2: not present", "PSU 2"),
            ("Fan 3 is not functioning", "Fan 3"),
            ("fan-1 FAILED", "fan-1"),
            ("Chassis Fan Tray 1", "Chassis Fan Tray 1"),
            ("module 0/0/0", "module 0/0/0"),
            ("Normal", "Normal"),
            ("Fan Status", "Fan Status"),
            ("主電源 1", "主電源 1"),
        ] {
            assert_eq!(without_state(label), name, "{label}");
        }
    }

    #[test]
    fn ports_are_counted_as_people_count() {
        let mut ports = [
            "1/10",
            "1/9",
            "1/1",
            "xe-0/0/10",
            "xe-0/0/2",
            "Gi2/0/1",
            "Gi1/0/11",
            "Gi1/0/2",
            "01",
            "1",
        ];
        ports.sort_by(|a, b| natural(a, b));
        let right = [
            "01",
            "1",
            "1/1",
            "1/9",
            "1/10",
            "Gi1/0/2",
            "Gi1/0/11",
            "Gi2/0/1",
            "xe-0/0/2",
            "xe-0/0/10",
        ];
        assert_eq!(ports, right);
        let long = "9".repeat(400);
        assert_eq!(natural(&long, "1"), Ordering::Greater, "longer than any number type");
        assert_eq!(natural("同じ", "同じ"), Ordering::Equal);
    }
}
