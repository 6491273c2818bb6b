//! Watches of services as they are read: what is written, and what holds where nothing is.

use super::{check, printed};
use hinomi::model::service::{Ask, DnsExpect, Endpoint, Record, RecordKind, Scheme, Trust};
use hinomi::model::{Level, Metric, Service, WatchKind};
use std::sync::Arc;
use std::time::Duration;

/// The service of a device with this one watch.
fn service(watch: &str) -> Arc<Service> {
    let text = format!(
        "[operator]\nname = \"Example\"\n[[device]]\nname = \"edge\"\naddress = \"192.0.2.11\"\nwatch = [{{ name = \"w\", {watch} }}]\n"
    );
    let loaded = check(&text);
    let site = loaded.site.as_ref().unwrap_or_else(|| panic!("{}", printed(&loaded)));
    match &site.devices[0].watches[0].kind {
        WatchKind::Service(service) => Arc::clone(service),
        other => panic!("{other:?}"),
    }
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port,
        address: None,
    }
}

/// Where the levels of a number begin and end.
fn bounds(service: &Service, metric: Metric) -> [Option<(f64, f64)>; 2] {
    [Level::Warning, Level::Critical].map(|level| {
        let bound = service.threshold(metric)?.bound(level)?;
        Some((bound.raise() * metric.sign(), bound.clear() * metric.sign()))
    })
}

#[test]
fn a_certificate_has_two_levels_even_if_none_is_written() {
    let bare = service("tls = \"console.example.net:443\"");
    let Ask::Tls { to, trust } = &bare.ask else { panic!() };
    assert_eq!((to, trust), (&endpoint("console.example.net", 443), &Trust::Any));
    assert_eq!(
        (bare.interval, bare.timeout),
        (Duration::from_secs(600), Duration::from_secs(10))
    );
    assert_eq!(
        bounds(&bare, Metric::CertificateDays),
        [Some((30.0, 33.0)), Some((7.0, 7.7))]
    );
    let written = service("tls = \"[2001:db8::1]:8443\", critical = \"36h\", trust = \"system\"");
    let Ask::Tls { to, trust } = &written.ask else { panic!() };
    assert_eq!((to, trust), (&endpoint("2001:db8::1", 8443), &Trust::System));
    assert_eq!(bounds(&written, Metric::CertificateDays), [None, Some((1.5, 1.65))]);
}

#[test]
fn a_page_is_any_2xx_unless_something_else_is_written() {
    let bare = service("http = \"https://portal.example.net\"");
    let Ask::Http(ask) = &bare.ask else { panic!() };
    assert_eq!(
        (ask.scheme, ask.path.as_str(), &ask.trust),
        (Scheme::Https, "/", &Trust::System)
    );
    assert_eq!(
        (&ask.to, ask.status.len(), &ask.text),
        (&endpoint("portal.example.net", 443), 0, &None)
    );
    assert_eq!(bounds(&bare, Metric::AnswerTime), [None, None]);
    let written = service(
        "http = \"http://192.0.2.11:8080/a?b=c#d\", expect = { status = [200, 301], text = \"ok\" }, within = \"2s\", \
         interval = \"30s\", failed = { level = \"critical\" }",
    );
    let Ask::Http(ask) = &written.ask else { panic!() };
    assert_eq!((&ask.to, ask.path.as_str()), (&endpoint("192.0.2.11", 8080), "/a?b=c"));
    assert_eq!((&ask.status[..], ask.text.as_deref()), (&[200, 301][..], Some("ok")));
    assert_eq!(bounds(&written, Metric::AnswerTime), [Some((2.0, 1.8)), None]);
    let within = written.within.unwrap();
    assert_eq!(within.hold, Duration::from_secs(30), "two slow answers in a row");
    assert_eq!(
        (written.failed.level, written.failed.after),
        (Some(Level::Critical), None)
    );
    assert!(written.is_on("192.0.2.11".parse().unwrap()) && !bare.is_on("192.0.2.11".parse().unwrap()));
}

#[test]
fn names_are_compared_as_names_and_records_without_their_order() {
    let many =
        service("dns = \"EHR.example.jp.\", server = \"192.0.2.53:5353\", expect = [\"A 192.0.2.2\", \"A 192.0.2.1\"]");
    let Ask::Dns {
        name,
        kind,
        server,
        expect,
    } = &many.ask
    else {
        panic!()
    };
    assert_eq!(
        (name.as_str(), *kind, server.port()),
        ("ehr.example.jp", RecordKind::A, 5353)
    );
    let records = [1, 2].map(|n| Record::A([192, 0, 2, n].into())).to_vec();
    assert_eq!(expect, &DnsExpect::Exactly(records));
    let of = |text: &str| match &service(&format!("dns = \"example.jp\", server = \"2001:db8::53\", {text}")).ask {
        Ask::Dns { kind, expect, .. } => (*kind, expect.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(of("expect = \"NXDOMAIN\""), (RecordKind::A, DnsExpect::Absent));
    assert_eq!(of("expect = \"MX\""), (RecordKind::Mx, DnsExpect::Some));
    let mx = DnsExpect::Exactly(vec![Record::Mx(10, "mail.example.jp".to_owned())]);
    assert_eq!(of("expect = \"MX 10 Mail.example.jp.\""), (RecordKind::Mx, mx));
}

#[test]
fn a_clock_is_judged_with_and_without_levels() {
    let bare = service("ntp = \"192.0.2.123\"");
    assert_eq!(
        bounds(&bare, Metric::ClockOffset),
        [Some((0.1, 0.09)), Some((1.0, 0.9))]
    );
    let inside = service("ntp = \"[2001:db8::123]:1123\", offset = { warning = \"5ms\" }");
    let beside = service("ntp = \"[2001:db8::123]:1123\", warning = \"5ms\"");
    assert_eq!(inside, beside);
    assert_eq!(bounds(&inside, Metric::ClockOffset), [Some((0.005, 0.0045)), None]);
}

#[test]
fn a_command_belongs_to_its_device() {
    let found = service("command = [\"/usr/lib/nagios/plugins/check_ssh\", \"192.0.2.12\"], timeout = \"30s\"");
    assert!(found.is_on("192.0.2.11".parse().unwrap()));
    assert_eq!(
        (found.timeout, found.interval),
        (Duration::from_secs(30), Duration::from_secs(60))
    );
}
