//! Words and units of the format: durations, rates, shares, temperatures, object identifiers, addresses.
//!
//! Text in, value out, or what is wrong with it and what would be right. Never here: places, the tree.

use super::{NotFound, lookalike};
use crate::model::host_address::{HostAddress, Zone, is_link_local_v6, not_a_host};
use crate::model::mail_address::{MailAddress, NoMailAddress};
use crate::model::text::is_hostile;
use std::net::{IpAddr, SocketAddr};
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

/// An address with its prefix length: `198.51.100.0/30`.
pub(crate) fn subnet(text: &str) -> Taken<crate::model::Subnet> {
    let parts = text.split_once('/');
    let address = parts.and_then(|(address, _)| address.parse::<IpAddr>().ok());
    let length = parts.and_then(|(_, length)| length.parse::<u8>().ok());
    match (address, length) {
        (Some(address), Some(length)) if length <= if address.is_ipv4() { 32 } else { 128 } => {
            Ok(crate::model::Subnet { address, length })
        }
        _ => refuse(
            format!("is not a network: \"{text}\""),
            "an address and its prefix length, such as \"198.51.100.0/30\" or \"2001:db8::/64\"",
        ),
    }
}

/// Finds the index of a network device of this host by its name.
pub(crate) type FindZone<'f> = &'f dyn Fn(&str) -> Result<u32, NotFound>;

/// A literal address of one host that this host can send to, or send from.
pub(crate) fn host_address(text: &str, find: FindZone<'_>) -> Taken<HostAddress> {
    let (plain, zone) = match text.split_once('%') {
        Some((plain, zone)) => (plain, Some(zone)),
        None => (text, None),
    };
    let ip = address(plain)?;
    match zone {
        None if is_link_local_v6(ip) => refuse(
            format!("is of one link only, and does not say of which: {ip}"),
            format!("name the network device behind a percent sign, as `ip link` shows it: \"{ip}%eth0\""),
        ),
        Some(_) if !is_link_local_v6(ip) => refuse(
            format!("has a zone, which only a link-local IPv6 address has: \"{text}\""),
            format!("write it without: \"{ip}\""),
        ),
        Some(written) => Ok(HostAddress {
            ip,
            zone: Some(zone_of(written, find)?),
        }),
        None => Ok(HostAddress { ip, zone: None }),
    }
}

/// `eth0` or `2`, behind the percent sign (RFC 4007 section 11).
fn zone_of(text: &str, find: FindZone<'_>) -> Taken<Zone> {
    let index = match text.parse::<u32>() {
        Ok(0) => Err(not_a_zone(text)),
        Ok(index) => Ok(index),
        Err(_) if is_device_name(text) => find(text).map_err(|missing| Refusal {
            what: missing.what,
            hint: missing.hint,
        }),
        Err(_) => Err(not_a_zone(text)),
    }?;
    Ok(Zone {
        name: text.into(),
        index,
    })
}

fn not_a_zone(text: &str) -> Refusal {
    Refusal {
        what: format!("has a zone that is no network device: \"{text}\""),
        hint: "the name or the number of a network device, as `ip link` shows it: \"fe80::1%eth0\"".to_owned(),
    }
}

/// Can it be the name of a network device (Linux: at most 15 bytes)?
pub(crate) fn is_device_name(text: &str) -> bool {
    (1..=15).contains(&text.len()) && !text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
}

/// A literal address of one host, which need not be one that this host can send to: link-local ones stand without a zone.
pub(crate) fn address(text: &str) -> Taken<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        if let Some(what) = not_a_host(address) {
            let hint = match mapped(address) {
                Some(v4) => format!("write it as IPv4: \"{v4}\""),
                None => "write the host's own address".to_owned(),
            };
            return refuse(format!("is not the address of one host: {address} is {what}"), hint);
        }
        return Ok(address);
    }
    if text.contains('/') {
        return refuse(
            format!("is a network or an interface, not one address: \"{text}\""),
            "write one address without \"/\"",
        );
    }
    if text.parse::<SocketAddr>().is_ok() {
        return refuse(
            format!("has a port: \"{text}\""),
            "write the address alone; the port of SNMP stands in its [snmp.…] section",
        );
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'))
        && inner.parse::<IpAddr>().is_ok()
    {
        return refuse(
            format!("is in brackets: \"{text}\""),
            format!("brackets stand where a port follows; write \"{inner}\""),
        );
    }
    if text.contains('%') {
        return refuse(
            format!("has a zone, which has no place here: \"{text}\""),
            "the zone is the affair of the device that has the address; write the address alone",
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

fn mapped(address: IpAddr) -> Option<std::net::Ipv4Addr> {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    }
}

/// A literal address of this host with a port, to listen on: `0.0.0.0` and `::` are all of them.
pub(crate) fn listener(text: &str, example: &str, find: FindZone<'_>) -> Taken<SocketAddr> {
    let not_one = || Refusal {
        what: format!("is not an address with a port: \"{text}\""),
        hint: format!("a literal address and a port: {example}"),
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(not_one)?;
    let port: u16 = port.parse().map_err(|_| not_one())?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let plain = bare.unwrap_or(host);
    let Ok(ip) = plain.split('%').next().unwrap_or(plain).parse::<IpAddr>() else {
        return Err(not_one());
    };
    if ip.is_ipv6() != bare.is_some() {
        return Err(not_one());
    }
    if ip.is_unspecified() && !plain.contains('%') {
        return Ok(SocketAddr::new(ip, port));
    }
    Ok(host_address(plain, find)?.with_port(port))
}

/// `local@domain`: whatever is taken here, a mail to it can be built (`notify::channel`).
pub(crate) fn mail_address(text: &str) -> Taken<String> {
    let why = match MailAddress::parse(text) {
        Ok(address) => return Ok(address.to_string()),
        Err(why) => why,
    };
    let hint = match (why, text.rsplit_once('@')) {
        (NoMailAddress::Dots, Some((local, domain))) => {
            format!("with quotes it is one: \"{local}\"@{domain}; in TOML: '\"{local}\"@{domain}'")
        }
        (NoMailAddress::BareLiteral, Some((local, domain))) => match domain.contains(':') {
            true => format!("write {local}@[IPv6:{domain}]"),
            false => format!("write {local}@[{domain}]"),
        },
        (NoMailAddress::Literal, Some((local, domain)))
            if domain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() =>
        {
            format!("write {local}@[IPv6:{}]", domain.trim_matches(['[', ']']))
        }
        (NoMailAddress::NotAscii, Some((_, domain))) if !domain.is_ascii() => {
            "write the domain as it is in the name service, with \"xn--\"".to_owned()
        }
        _ => "write it bare, such as \"noc@example.net\"".to_owned(),
    };
    refuse(format!("is not a mail address: \"{text}\": {why}"), hint)
}

/// A name: shown in mails, tables and metrics.
pub(crate) fn name(text: &str) -> Taken<String> {
    if text.trim().is_empty() {
        return refuse("is empty", "names appear in mails and tables; write one");
    }
    if lookalike::has_invisible(text) {
        return refuse(
            "has a character that nobody sees",
            "two names that look the same are two; remove it",
        );
    }
    if text.trim() != text || text.chars().any(is_hostile) || text.chars().count() > 100 {
        return refuse(
            "has spaces around it, control or invisible characters, or more than 100 characters",
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
