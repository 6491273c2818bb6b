//! Watches that ask a service: `tls`, `http`, `dns`, `ntp`, `command`.
//!
//! Never here: how it is asked; a look-up of a name.

use super::findings::LEVELS;
use super::thresholds;
use crate::config::raw::{Node, Value};
use crate::config::reader::{Walk, text, wrong_type};
use crate::config::report::Ctx;
use crate::config::values::{self, Taken, Unit, refuse};
use crate::model::service::{Ask, DnsExpect, Endpoint, FailedRule, HttpAsk, Record, RecordKind, Scheme, Trust};
use crate::model::{Bound, Level, Service, Threshold};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Keys that these watches have beside those of all.
pub(super) const KEYS: [&str; 9] = [
    "address", "expect", "failed", "interval", "offset", "server", "timeout", "trust", "within",
];

/// Fewer would be a load on whoever is asked.
const LEAST_INTERVAL: Duration = Duration::from_secs(5);
/// Where nothing is written.
const INTERVAL: Duration = Duration::from_secs(60);
/// A certificate changes rarely.
const INTERVAL_OF_TLS: Duration = Duration::from_secs(600);
/// Where nothing is written.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A plugin that runs longer holds a place of the helper.
const LONGEST: Duration = Duration::from_secs(120);
/// Longest text of a page that is looked for, and longest argument list.
const LONGEST_TEXT: usize = 500;
/// Most records, status codes or arguments that may be written.
const MOST: usize = 50;

/// Reads a watch that asks a service; `key` is the one of its kind.
pub(super) fn service(walk: &Walk<'_>, key: &str) -> Option<Service> {
    let (ask, number) = match key {
        "tls" => tls(walk),
        "http" => (http(walk), Some(None)),
        "dns" => (dns(walk), Some(None)),
        "ntp" => ntp(walk),
        _ => (command(walk), Some(None)),
    };
    let default = if key == "tls" { INTERVAL_OF_TLS } else { INTERVAL };
    let interval = walk.duration("interval", LEAST_INTERVAL);
    let timeout = walk.duration("timeout", Duration::from_millis(100));
    let every = interval.as_ref().map_or(default, |i| i.value);
    let limit = timeout.as_ref().map_or(TIMEOUT.min(every / 2), |t| t.value);
    if limit >= every {
        let at = timeout
            .as_ref()
            .or(interval.as_ref())
            .map_or(walk.at(), |found| found.at);
        let what = format!(
            "the timeout of {} does not fit into the interval of {}",
            values::show_duration(limit),
            values::show_duration(every)
        );
        walk.ctx
            .error(at, what, "an answer must be there before the next question");
        return None;
    }
    if limit > LONGEST {
        let at = timeout.as_ref().map_or(walk.at(), |found| found.at);
        let what = format!("the timeout of {} is too long", values::show_duration(limit));
        walk.ctx.error(at, what, "two minutes at most");
        return None;
    }
    let within = within(walk, every, limit);
    let failed = failed(walk);
    Some(Service {
        ask: ask?,
        interval: every,
        timeout: limit,
        number: number?,
        within: within?,
        failed: failed?,
    })
}

/// A threshold that was read: outer `None`: wrong; inner `None`: not written.
type Levels = Option<Option<Threshold>>;

/// `tls = "host:443"`.
fn tls(walk: &Walk<'_>) -> (Option<Ask>, Levels) {
    const HINT: &str = "host and port, such as \"console.example.net:443\"";
    let to = walk.text("tls", |s| endpoint(s, HINT)).map(|t| t.value);
    let to = addressed(walk, to);
    let trust = trust(walk, Trust::Any);
    let threshold = match thresholds::read_levels(walk, (Unit::Days, true)) {
        Some(None) => Some(default_days()),
        read => read,
    };
    let ask = to.zip(trust).map(|(to, trust)| Ask::Tls { to, trust });
    (ask, threshold)
}

/// Warning 30 days before the end of a certificate, critical 7 days before.
fn default_days() -> Option<Threshold> {
    let bound = |days: f64| Bound::new(-days, -Unit::Days.default_clear_above(days));
    Threshold::new(bound(30.0), bound(7.0), Duration::ZERO, Duration::ZERO)
}

/// `http = "https://portal.example.net/health"`.
fn http(walk: &Walk<'_>) -> Option<Ask> {
    let found = walk.text("http", url).map(|u| u.value);
    let (scheme, to, path) = found.map_or((None, None, None), |(s, t, p)| (Some(s), Some(t), Some(p)));
    let to = addressed(walk, to);
    let trust = trust(walk, Trust::System);
    let expect = match walk.get("expect") {
        None => Some((Vec::new(), None)),
        Some(entry) => page(walk.ctx, &entry.node),
    };
    let (status, text) = expect?;
    Some(Ask::Http(HttpAsk {
        scheme: scheme?,
        to: to?,
        path: path?,
        trust: trust?,
        status,
        text,
    }))
}

/// `expect` of a page: a status, a text, or `{ status = …, text = … }`.
fn page(ctx: &Ctx<'_>, node: &Node) -> Option<(Vec<u16>, Option<String>)> {
    const HINT: &str = "a status such as 200, a text such as \"ready\", or { status = [200, 204], text = \"ready\" }";
    match &node.value {
        Value::Integer(_) | Value::Array(_) => Some((statuses(ctx, node)?, None)),
        Value::String(_) => Some((Vec::new(), Some(text(ctx, "expect", node, wanted_text)?))),
        Value::Table(_) => {
            let walk = Walk::of(ctx, node, "`expect`", HINT)?;
            let status = match walk.get("status") {
                None => Some(Vec::new()),
                Some(entry) => statuses(ctx, &entry.node),
            };
            let written = walk.has("text");
            let text = walk.text("text", wanted_text).map(|t| t.value);
            walk.finish();
            (text.is_some() || !written).then_some((status?, text))
        }
        other => {
            wrong_type(ctx, "expect", node, other, HINT);
            None
        }
    }
}

fn statuses(ctx: &Ctx<'_>, node: &Node) -> Option<Vec<u16>> {
    let one = |node: &Node| match &node.value {
        Value::Integer(n) if (100..=599).contains(n) => u16::try_from(*n).ok(),
        _ => None,
    };
    let found: Option<Vec<u16>> = match &node.value {
        Value::Array(nodes) if !nodes.is_empty() && nodes.len() <= MOST => nodes.iter().map(one).collect(),
        _ => one(node).map(|status| vec![status]),
    };
    if found.is_none() {
        let hint = "a number from 100 to 599, or a list of such numbers";
        ctx.error(node.at, "this is no HTTP status", hint);
    }
    found
}

fn wanted_text(s: &str) -> Taken<String> {
    if s.is_empty() || s.len() > LONGEST_TEXT {
        return refuse(
            "is empty or longer than 500 octets",
            "a few words that stand in the page",
        );
    }
    Ok(s.to_owned())
}

/// Scheme, where to, path and query.
fn url(s: &str) -> Taken<(Scheme, Endpoint, String)> {
    const HINT: &str = "such as \"https://portal.example.net/health\"";
    let (scheme, rest, port) = match (s.strip_prefix("https://"), s.strip_prefix("http://")) {
        (Some(rest), _) => (Scheme::Https, rest, 443),
        (None, Some(rest)) => (Scheme::Http, rest, 80),
        (None, None) => return refuse("does not begin with http:// or https://", HINT),
    };
    if !s.is_ascii() || s.contains(|c: char| c.is_whitespace() || c.is_control()) || s.len() > 2000 {
        return refuse("has spaces, characters beyond ASCII, or is too long", HINT);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return refuse(
            "holds a user or a password",
            "a page that needs none; secrets do not belong into a URL",
        );
    }
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok((scheme, host_and_port(authority, Some(port), HINT)?, path))
}

/// `host:port` with the port written.
fn endpoint(s: &str, hint: &str) -> Taken<Endpoint> {
    host_and_port(s, None, hint)
}

fn host_and_port(s: &str, default: Option<u16>, hint: &str) -> Taken<Endpoint> {
    let (host, port) = match s.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => s.rsplit_once(':').map_or((s, None), |(host, port)| (host, Some(port))),
    };
    let port = match (port, default) {
        (Some(port), _) => port.parse::<u16>().ok().filter(|p| *p > 0),
        (None, default) => default,
    };
    let is_name = host.split('.').all(|label| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(fits)
    });
    let is_host = host.parse::<IpAddr>().is_ok() || is_name && host.len() <= 253;
    match (is_host, port) {
        (true, Some(port)) => Ok(Endpoint {
            host: host.to_owned(),
            port,
            address: None,
        }),
        (true, None) => refuse(format!("has no port: \"{s}\""), hint),
        (false, _) => refuse(format!("is not a host name or an address: \"{s}\""), hint),
    }
}

/// With the `address` to connect to instead of looking the name up.
fn addressed(walk: &Walk<'_>, to: Option<Endpoint>) -> Option<Endpoint> {
    let address = walk.text("address", values::address);
    if walk.has("address") && address.is_none() {
        return None;
    }
    to.map(|to| Endpoint {
        address: address.map(|a| a.value),
        ..to
    })
}

/// `trust = "any"`, `"system"`, or a file.
fn trust(walk: &Walk<'_>, default: Trust) -> Option<Trust> {
    if !walk.has("trust") {
        let _ = walk.get("trust");
        return Some(default);
    }
    let found = walk.text("trust", |s| match s {
        "any" => Ok(Trust::Any),
        "system" => Ok(Trust::System),
        path if path.starts_with('/') && !path.contains('\0') => Ok(Trust::Authority(PathBuf::from(path))),
        other => refuse(
            format!("cannot be \"{other}\""),
            "\"any\" (the chain is not checked), \"system\" (this host's authorities), or the absolute path of a PEM file",
        ),
    });
    let found = found?;
    if let Trust::Authority(path) = &found.value
        && let Err(missing) = walk.ctx.around.certificates(path)
    {
        let what = format!("`trust` {}", missing.what);
        walk.ctx.error(found.at, what, missing.hint);
    }
    Some(found.value)
}

/// `dns = "name"`, `server`, `expect`.
fn dns(walk: &Walk<'_>) -> Option<Ask> {
    const HINT: &str = "a name, such as \"ehr.example.jp\"";
    let name = walk.text("dns", |s| dns_name(s, HINT));
    let server = walk.text("server", |s| server(s, 53));
    let server = walk.required("server", "the name server that is asked: \"192.0.2.53\"", server);
    let expect = match walk.get("expect") {
        None => Some((RecordKind::A, DnsExpect::Some)),
        Some(entry) => records(walk.ctx, &entry.node),
    };
    let (kind, expect) = expect?;
    Some(Ask::Dns {
        name: name?.value,
        kind,
        server: server?.value,
        expect,
    })
}

fn dns_name(s: &str, hint: &str) -> Taken<String> {
    let name = s.strip_suffix('.').unwrap_or(s).to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let label = |l: &str| (1..=63).contains(&l.len()) && l.chars().all(fits);
    if name.len() > 253 || !name.split('.').all(label) {
        return refuse(format!("is not a domain name: \"{s}\""), hint);
    }
    Ok(name)
}

/// A literal address, with its port if it is another than usual.
fn server(s: &str, port: u16) -> Taken<SocketAddr> {
    match s.parse::<SocketAddr>() {
        Ok(at) if at.port() > 0 => {
            values::address(&at.ip().to_string())?;
            Ok(at)
        }
        _ => Ok(SocketAddr::new(values::address(s)?, port)),
    }
}

/// `expect` of a name: `"A 192.0.2.1"`, a list of such, a type alone, or `"NXDOMAIN"`.
fn records(ctx: &Ctx<'_>, node: &Node) -> Option<(RecordKind, DnsExpect)> {
    const HINT: &str =
        "such as \"A 192.0.2.1\", [\"A 192.0.2.1\", \"A 192.0.2.2\"], \"MX\" (any record of the type), \"NXDOMAIN\"";
    let nodes: Vec<&Node> = match &node.value {
        Value::String(s) if s == "NXDOMAIN" => return Some((RecordKind::A, DnsExpect::Absent)),
        Value::String(s) if !s.contains(' ') => {
            let kind = text(ctx, "expect", node, record_kind)?;
            return Some((kind, DnsExpect::Some));
        }
        Value::String(_) => vec![node],
        Value::Array(nodes) if (1..=MOST).contains(&nodes.len()) => nodes.iter().collect(),
        other => {
            wrong_type(ctx, "expect", node, other, HINT);
            return None;
        }
    };
    let mut all = Vec::new();
    let mut kinds = Vec::new();
    for node in nodes {
        let (kind, record) = text(ctx, "expect", node, |s| record(s, HINT))?;
        kinds.push(kind);
        all.push(record);
    }
    let kind = *kinds.first()?;
    if kinds.iter().any(|k| *k != kind) {
        ctx.error(
            node.at,
            "`expect` holds records of several types",
            "write one watch a type",
        );
        return None;
    }
    all.sort();
    all.dedup();
    Some((kind, DnsExpect::Exactly(all)))
}

fn record_kind(s: &str) -> Taken<RecordKind> {
    let found = RecordKind::WORDS.iter().find(|(word, _)| *word == s);
    match found {
        Some((_, kind)) => Ok(*kind),
        None => refuse(
            format!("names no type of record that is known: \"{s}\""),
            "one of A, AAAA, CNAME, NS, PTR, MX, TXT, with or without its value; or NXDOMAIN",
        ),
    }
}

fn record(s: &str, hint: &str) -> Taken<(RecordKind, Record)> {
    let (word, value) = s.split_once(' ').unwrap_or((s, ""));
    let (kind, value) = (record_kind(word)?, value.trim());
    let wrong = || refuse(format!("holds no value of its type: \"{s}\""), hint);
    let record = match kind {
        RecordKind::A => value.parse().ok().map(Record::A),
        RecordKind::Aaaa => value.parse().ok().map(Record::Aaaa),
        RecordKind::Cname | RecordKind::Ns | RecordKind::Ptr => {
            dns_name(value, hint).ok().map(|name| Record::Name(kind, name))
        }
        RecordKind::Mx => {
            let parts = value.split_once(' ');
            let parsed = parts.and_then(|(p, name)| Some((p.parse().ok()?, dns_name(name.trim(), hint).ok()?)));
            parsed.map(|(preference, name)| Record::Mx(preference, name))
        }
        RecordKind::Txt => (!value.is_empty()).then(|| Record::Txt(value.to_owned())),
    };
    record.map_or_else(wrong, |record| Ok((kind, record)))
}

/// `ntp = "192.0.2.123"`; its levels stand in `offset`, or in the entry as those of any watch do.
fn ntp(walk: &Walk<'_>) -> (Option<Ask>, Levels) {
    let server = walk.text("ntp", |s| server(s, 123)).map(|s| s.value);
    let direct = thresholds::levels(walk, Unit::Time);
    let threshold = match walk.get("offset") {
        None => direct,
        Some(entry) => {
            if walk.has("warning") || walk.has("critical") {
                let what = "the levels of the offset are written twice";
                walk.ctx.error(
                    entry.key_at,
                    what,
                    "leave either `offset` or `warning` and `critical` away",
                );
                return (None, None);
            }
            let hint = "{ warning = \"100ms\", critical = \"1s\" }";
            let table = Walk::of(walk.ctx, &entry.node, "`offset`", hint);
            table.and_then(|table| {
                let read = thresholds::levels(&table, Unit::Time);
                table.finish();
                read
            })
        }
    };
    let threshold = match threshold {
        Some(None) => Some(default_offset()),
        read => read,
    };
    (server.map(|server| Ask::Ntp { server }), threshold)
}

/// A clock that is off by a tenth of a second makes logs hard to compare; by a second, wrong.
fn default_offset() -> Option<Threshold> {
    let bound = |s: f64| Bound::new(s, Unit::Time.default_clear(s));
    Threshold::new(bound(0.1), bound(1.0), Duration::ZERO, Duration::ZERO)
}

/// `command = ["/usr/lib/nagios/plugins/check_…", …]`.
fn command(walk: &Walk<'_>) -> Option<Ask> {
    const HINT: &str = "the absolute path of a program and its arguments, each in quotes: [\"/usr/lib/nagios/plugins/check_ntp_time\", \"-H\", \"192.0.2.12\"]";
    let list = walk.list("command", HINT, |ctx, node| {
        text(ctx, "command", node, |s| {
            match s.contains('\0') || s.len() > LONGEST_TEXT {
                true => refuse(
                    "holds an argument that no program can take, or one longer than 500 octets",
                    HINT,
                ),
                false => Ok(s.to_owned()),
            }
        })
    })?;
    let absolute = list
        .value
        .first()
        .is_some_and(|path| path.starts_with('/') && path.len() > 1);
    if !absolute || list.value.len() > MOST {
        let what = "`command` does not begin with the absolute path of a program, or has more than 50 arguments";
        walk.ctx.error(list.at, what, HINT);
        return None;
    }
    Some(Ask::Command { argv: list.value })
}

/// `within = "2s"`: warning when two answers in a row take longer; or a table with two levels.
fn within(walk: &Walk<'_>, interval: Duration, timeout: Duration) -> Levels {
    let Some(entry) = walk.get("within") else {
        return Some(None);
    };
    let threshold = match &entry.node.value {
        Value::Table(_) => {
            let table = Walk::of(walk.ctx, &entry.node, "`within`", "")?;
            let read = thresholds::levels(&table, Unit::Time);
            table.finish();
            read?
        }
        _ => {
            let most = text(walk.ctx, "within", &entry.node, values::duration)?.as_secs_f64();
            let bound = Bound::new(most, Unit::Time.default_clear(most));
            Threshold::new(bound, None, interval, interval)
        }
    };
    let highest = [Level::Warning, Level::Critical]
        .into_iter()
        .filter_map(|level| threshold.as_ref()?.bound(level))
        .map(|bound| bound.raise())
        .fold(0.0, f64::max);
    if highest >= timeout.as_secs_f64() {
        let what = format!(
            "`within` is never reached: after the timeout of {} an answer counts as none",
            values::show_duration(timeout)
        );
        walk.ctx
            .error(entry.node.at, what, "make `timeout` longer, or `within` shorter");
        return None;
    }
    Some(threshold)
}

/// `failed = { level = "critical", after = "2m" }`.
fn failed(walk: &Walk<'_>) -> Option<FailedRule> {
    let Some(entry) = walk.get("failed") else {
        return Some(FailedRule::default());
    };
    let hint = "level and delay of a wrong answer and of none: { level = \"critical\", after = \"2m\" }";
    let table = Walk::of(walk.ctx, &entry.node, "`failed`", hint)?;
    let (has_level, has_after) = (table.has("level"), table.has("after"));
    let level = table.word("level", LEVELS).map(|l| l.value);
    let after = table.duration("after", Duration::ZERO).map(|d| d.value);
    table.finish();
    let complete = level.is_some() == has_level && after.is_some() == has_after;
    complete.then_some(FailedRule { level, after })
}
