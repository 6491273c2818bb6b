//! Words and units of the format: durations, rates, shares, temperatures, object identifiers, addresses.
//!
//! Text in, value out, or what is wrong with it and what would be right. Never here: places, the tree.

use std::net::IpAddr;
use std::time::Duration;

/// Why a text is refused: what is wrong (the key stands before it), and what would be right.
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) hint: String,
}

pub(crate) type Taken<T> = Result<T, Refusal>;

pub(crate) fn refuse<T>(what: impl Into<String>, hint: impl Into<String>) -> Taken<T> {
    Err(Refusal {
        what: what.into(),
        hint: hint.into(),
    })
}

/// `90s`, `3m`, `1h 30m`.
pub(crate) fn duration(text: &str) -> Taken<Duration> {
    const HINT: &str = "a number with its unit: \"500ms\", \"90s\", \"3m\", \"4h\", \"2d\"";
    match humantime::parse_duration(text) {
        // `M` is months there: nobody means that here.
        Ok(_) if text.contains(char::is_uppercase) => refuse(
            format!("is not a duration: \"{text}\""),
            "units are small letters: minutes are `m`, hours `h`, days `d`",
        ),
        Ok(d) if d <= Duration::from_secs(366 * 86_400) => Ok(d),
        Ok(_) => refuse(format!("is longer than a year: \"{text}\""), HINT),
        Err(_) => refuse(format!("is not a duration: \"{text}\""), HINT),
    }
}

/// A duration as people write it.
pub(crate) fn show_duration(d: Duration) -> String {
    humantime::format_duration(d).to_string()
}

/// `100 Mbit/s` in bit/s.
pub(crate) fn rate(text: &str) -> Taken<u64> {
    const HINT: &str = "a number and one of bit/s, kbit/s, Mbit/s, Gbit/s: \"100 Mbit/s\"";
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "bit/s" => 1e0,
        "kbit/s" => 1e3,
        "Mbit/s" => 1e6,
        "Gbit/s" => 1e9,
        "Tbit/s" => 1e12,
        "" => return refuse(format!("has no unit: \"{text}\""), HINT),
        _ => return refuse(format!("has a unit that is not known: \"{unit}\""), HINT),
    };
    match number.parse::<f64>() {
        Ok(n) if n > 0.0 && n.is_finite() && n * factor >= 1.0 && n * factor <= 1e15 => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked: 1 to 1e15
            Ok((n * factor).round() as u64)
        }
        _ => refuse(format!("is not a rate: \"{text}\""), HINT),
    }
}

/// A number's text and the unit behind it.
pub(crate) fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)))
        .unwrap_or(text.len());
    (text[..end].trim(), text[end..].trim())
}

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What a threshold counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Percent, 0 to 100.
    Share,
    /// Degrees Celsius.
    Celsius,
    /// Seconds, written as a duration.
    Time,
    /// Days, written as a duration.
    Days,
    /// A number of at least 0.
    Load,
    /// Any number (the unit of a `watch`).
    Any,
}

impl Unit {
    fn example(self) -> &'static str {
        match self {
            Unit::Share => "write a share with its sign, such as \"70 %\"",
            Unit::Celsius => "write a temperature with its unit, such as \"55 C\"",
            Unit::Time => "write a time with its unit, such as \"50ms\"",
            Unit::Days => "write a time with its unit, such as \"30d\"",
            Unit::Load | Unit::Any => "write a plain number, such as 4.0",
        }
    }

    /// A value with its unit, for messages.
    pub(crate) fn show(self, value: f64) -> String {
        // Binary fractions must not show: 0.009000000000000001 is 0.009.
        let value = (value * 1e9).round() / 1e9;
        match self {
            Unit::Share => format!("{value} %"),
            Unit::Celsius => format!("{value} C"),
            Unit::Time => show_duration(Duration::try_from_secs_f64(value).unwrap_or_default()),
            Unit::Days => show_duration(Duration::try_from_secs_f64(value * DAY).unwrap_or_default()),
            Unit::Load | Unit::Any => format!("{value}"),
        }
    }

    /// A number without quotes.
    pub(crate) fn plain(self, value: f64) -> Taken<f64> {
        match self {
            Unit::Any => Ok(value),
            Unit::Load if value >= 0.0 => Ok(value),
            Unit::Load => refuse(format!("is below zero: {value}"), self.example()),
            _ => refuse(format!("has no unit: {value}"), self.example()),
        }
    }

    /// A number in quotes, with its unit.
    pub(crate) fn text(self, text: &str) -> Taken<f64> {
        if self == Unit::Time {
            return Ok(duration(text)?.as_secs_f64());
        }
        if self == Unit::Days {
            return Ok(duration(text)?.as_secs_f64() / DAY);
        }
        let (number, unit) = split_unit(text);
        let wanted = match self {
            Unit::Share => unit == "%",
            Unit::Celsius => matches!(unit, "C" | "°C"),
            _ => unit.is_empty(),
        };
        let Some(value) = number.parse::<f64>().ok().filter(|v| v.is_finite() && wanted) else {
            let hint = if self == Unit::Celsius && matches!(unit, "F" | "°F" | "K") {
                "temperatures are in degrees Celsius, such as \"55 C\""
            } else {
                self.example()
            };
            return refuse(format!("is not understood: \"{text}\""), hint);
        };
        if self == Unit::Share && !(0.0..=100.0).contains(&value) {
            return refuse(format!("is not between 0 % and 100 %: \"{text}\""), self.example());
        }
        if self == Unit::Celsius && !(-90.0..=500.0).contains(&value) {
            return refuse(format!("is not a temperature of a device: \"{text}\""), self.example());
        }
        if self == Unit::Load {
            return self.plain(value);
        }
        Ok(value)
    }

    /// Where a level ends if nothing is said: raise × 0.9, or five points below a share of 50 % and more.
    pub(crate) fn default_clear(self, raise: f64) -> f64 {
        let clear = if self == Unit::Share && raise >= 50.0 {
            raise - 5.0
        } else {
            // A tenth below, also on the other side of zero.
            raise - raise.abs() * 0.1
        };
        // Without the dust of binary fractions, which would show in `explain`.
        ((clear * 1e9).round() / 1e9).min(raise)
    }
}

impl Unit {
    /// Where a level ends if nothing is said and lower is worse: a tenth above, of a share five points at least, 100 at most.
    pub(crate) fn default_clear_above(self, raise: f64) -> f64 {
        let clear = match self {
            Unit::Share => (raise + (raise * 0.1).max(5.0)).min(100.0),
            _ => raise + raise.abs() * 0.1,
        };
        ((clear * 1e9).round() / 1e9).max(raise)
    }
}

/// `1.3.6.1.2.1.1.3.0` as sub-identifiers.
pub(crate) fn oid(text: &str) -> Taken<Vec<u32>> {
    const HINT: &str = "numbers with dots between, down to the instance: \"1.3.6.1.2.1.1.3.0\"";
    let parts: Result<Vec<u32>, _> = text
        .strip_prefix('.')
        .unwrap_or(text)
        .split('.')
        .map(str::parse)
        .collect();
    match parts {
        Ok(oid) if (2..=128).contains(&oid.len()) && oid[0] <= 2 && (oid[0] == 2 || oid[1] < 40) => Ok(oid),
        _ => refuse(format!("is not an object identifier: \"{text}\""), HINT),
    }
}

/// A literal address.
pub(crate) fn address(text: &str) -> Taken<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        if address.is_unspecified() || address.is_multicast() {
            return refuse(
                format!("is not the address of one host: {address}"),
                "write the host's own address",
            );
        }
        return Ok(address);
    }
    if text.contains('/') {
        return refuse(
            format!("is a network or an interface, not one address: \"{text}\""),
            "write one address without \"/\"",
        );
    }
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return refuse(
            format!("has a port: \"{text}\""),
            "write the address alone; the port of SNMP stands in its [snmp.…] section",
        );
    }
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return refuse(
            format!("is not an IPv4 address: \"{text}\""),
            "four numbers from 0 to 255, such as \"192.0.2.11\"",
        );
    }
    refuse(
        format!("is not a literal IPv4 or IPv6 address: \"{text}\""),
        "host names are not looked up: name service may be down when it matters; write \"192.0.2.11\" or \"2001:db8::11\"",
    )
}

/// `local@domain`.
pub(crate) fn mail_address(text: &str) -> Taken<String> {
    match text.parse::<lettre::Address>() {
        Ok(a) if a.to_string() == text && text.is_ascii() => Ok(text.to_string()),
        _ => refuse(
            format!("is not a mail address: \"{text}\""),
            "write it bare, such as \"noc@example.net\"",
        ),
    }
}

/// A name: shown in mails, tables and metrics.
pub(crate) fn name(text: &str) -> Taken<String> {
    if text.trim().is_empty() {
        return refuse("is empty", "names appear in mails and tables; write one");
    }
    if text.trim() != text || text.chars().any(char::is_control) || text.chars().count() > 100 {
        return refuse(
            "has spaces around it, control characters, or more than 100 characters",
            "names appear in mail subjects and tables; keep them short and plain",
        );
    }
    Ok(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_refused() {
        assert_eq!(rate("100 Mbit/s").ok(), Some(100_000_000));
        assert_eq!(rate("1.5Gbit/s").ok(), Some(1_500_000_000));
        assert!(rate("100").is_err() && rate("100 Mbps").is_err() && rate("-1 bit/s").is_err());
        assert_eq!(Unit::Share.text("70 %").ok(), Some(70.0));
        assert_eq!(Unit::Share.text("0.01%").ok(), Some(0.01));
        assert!(
            Unit::Share.text("101 %").is_err() && Unit::Share.text("70").is_err() && Unit::Share.plain(70.0).is_err()
        );
        assert_eq!(Unit::Celsius.text("55 C").ok(), Some(55.0));
        assert!(Unit::Celsius.text("131 F").is_err());
        assert_eq!(Unit::Time.text("50ms").ok(), Some(0.05));
        assert_eq!(oid("1.3.6.1.2.1.1.3.0").ok().map(|o| o.len()), Some(9));
        assert!(oid("1.3.6.x").is_err() && oid("").is_err() && oid("1..3").is_err());
        assert!(
            duration("3m").is_ok() && duration("3M").is_err() && duration("2y").is_err() && duration("60").is_err()
        );
    }

    #[test]
    fn default_clears_are_those_of_the_design() {
        assert_eq!(Unit::Share.default_clear(70.0), 65.0);
        assert_eq!(Unit::Share.default_clear(90.0), 85.0);
        assert_eq!(Unit::Share.default_clear(40.0), 36.0);
        assert_eq!(Unit::Celsius.default_clear(60.0), 54.0);
        assert_eq!(Unit::Share.default_clear_above(20.0), 25.0);
        assert_eq!(Unit::Share.default_clear_above(100.0), 100.0);
        assert_eq!(Unit::Time.default_clear_above(600.0), 660.0);
        assert!(Unit::Any.default_clear(-10.0) < -10.0);
    }
}
