//! Watched services: a wrong answer and none are findings with two levels; an answer that says "not known" is missing data.
//!
//! Never here: the numbers of an answer (they are held against their thresholds with all others), how a service is asked.

use super::engine::{Rules, reachable};
use super::reach::down_key;
use super::{Cause, RuleEffect};
use crate::model::service::{Answer, Ask, Certificate, ChainCheck, DnsExpect, Exit, Failure, NameCheck, TextCheck};
use crate::model::{
    Device, DeviceId, FindingKey, FindingKind, FindingRule, Level, Metric, Mono, Name, Now, Part, Service, Wall,
};
use crate::poll::ServiceReading;
use crate::sample::service::is_synchronised;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// No answer that can be judged for this many intervals is "no data".
const NO_DATA_INTERVALS: u32 = 3;

/// What is wrong with an answer, or that there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// None came.
    NoAnswer {
        /// The system's words.
        error: String,
    },
    /// What came is no answer.
    Malformed {
        /// What it is instead.
        error: String,
    },
    /// The certificate is for another name.
    WrongName {
        /// The name that was asked.
        wanted: String,
        /// For which it is.
        names: Vec<String>,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// Valid from.
        from: Wall,
    },
    /// The certificate of a page ended.
    Expired {
        /// Valid until.
        until: Wall,
    },
    /// Nobody who is trusted signed the certificate.
    Untrusted {
        /// Why.
        why: String,
    },
    /// Another status than expected.
    Status {
        /// What came.
        status: u16,
    },
    /// The text is not in the page.
    TextMissing {
        /// Which text.
        wanted: String,
    },
    /// The name server refuses, or fails, or does not know the name.
    Rcode {
        /// RFC 1035.
        rcode: u8,
    },
    /// Other records than expected.
    Records {
        /// What came; none: the name has no such record.
        found: Vec<String>,
        /// What was expected; none: any.
        wanted: Vec<String>,
    },
    /// A name exists that must not.
    Exists,
    /// The clock is not set by anything.
    Unsynchronised {
        /// What it says of itself.
        stratum: u8,
        /// A kiss code, if it sent one.
        kiss: Option<String>,
    },
    /// A plugin says so.
    Plugin {
        /// The first line of its output.
        text: String,
    },
}

/// What is wrong with an answer; a plugin says itself how bad it is.
pub fn fault(service: &Service, answer: &Answer, now: Wall) -> Option<(Option<Level>, Fault)> {
    let found = match (&service.ask, answer) {
        (Ask::Tls { to, .. }, Answer::Tls(shown)) => certificate(&to.host, shown, now),
        (
            Ask::Http(ask),
            Answer::Http {
                status,
                text,
                certificate: shown,
                ..
            },
        ) => {
            let good = match ask.status.is_empty() {
                true => (200..300).contains(status),
                false => ask.status.contains(status),
            };
            let of_certificate = || {
                let shown = shown.as_ref()?;
                let expired = (now > shown.not_after).then_some(Fault::Expired { until: shown.not_after });
                expired.or_else(|| certificate(&ask.to.host, shown, now))
            };
            let of_page = || match (good, text) {
                (false, _) => Some(Fault::Status { status: *status }),
                (true, TextCheck::Missing) => Some(Fault::TextMissing {
                    wanted: ask.text.clone().unwrap_or_default(),
                }),
                (true, TextCheck::Found | TextCheck::NotAsked) => None,
            };
            of_certificate().or_else(of_page)
        }
        (Ask::Dns { expect, .. }, Answer::Dns { rcode, records }) => dns(expect, *rcode, records),
        (Ask::Ntp { .. }, Answer::Ntp(clock)) => (!is_synchronised(clock)).then(|| Fault::Unsynchronised {
            stratum: clock.stratum,
            kiss: clock.kiss.clone(),
        }),
        (Ask::Command { .. }, Answer::Command { exit, text, .. }) => {
            let level = match exit {
                Exit::Ok => return None,
                Exit::Warning => Level::Warning,
                Exit::Critical => Level::Critical,
            };
            return Some((Some(level), Fault::Plugin { text: text.clone() }));
        }
        // An answer of another kind comes from a tape that was made with another configuration.
        _ => None,
    };
    found.map(|fault| (None, fault))
}

fn certificate(host: &str, shown: &Certificate, now: Wall) -> Option<Fault> {
    if let NameCheck::Differs(names) = &shown.name {
        return Some(Fault::WrongName {
            wanted: host.to_owned(),
            names: names.clone(),
        });
    }
    if now < shown.not_before {
        return Some(Fault::NotYetValid { from: shown.not_before });
    }
    match &shown.chain {
        ChainCheck::Untrusted(why) => Some(Fault::Untrusted { why: why.clone() }),
        ChainCheck::NotAsked | ChainCheck::Trusted => None,
    }
}

/// RFC 1035: no error, and the name that does not exist.
const NOERROR: u8 = 0;
const NXDOMAIN: u8 = 3;

fn dns(expect: &DnsExpect, rcode: u8, records: &[crate::model::service::Record]) -> Option<Fault> {
    let words = |records: &[crate::model::service::Record]| records.iter().map(ToString::to_string).collect();
    match (expect, rcode) {
        (DnsExpect::Absent, NXDOMAIN) => None,
        (DnsExpect::Absent, NOERROR) => Some(Fault::Exists),
        (DnsExpect::Some, NOERROR) if !records.is_empty() => None,
        (DnsExpect::Some, NOERROR) => Some(Fault::Records {
            found: Vec::new(),
            wanted: Vec::new(),
        }),
        (DnsExpect::Exactly(wanted), NOERROR) => (wanted != records).then(|| Fault::Records {
            found: words(records),
            wanted: words(wanted),
        }),
        (_, rcode) => Some(Fault::Rcode { rcode }),
    }
}

/// How a watched service behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServiceState {
    /// When the other side was last heard, rightly or wrongly; the first round if it never was.
    known_at: Mono,
    /// Since when it fails, and when it failed last.
    pub(super) failing: Option<(Mono, Mono)>,
}

/// By device and watch.
pub(super) type Services = BTreeMap<(Name, Name), ServiceState>;

/// The finding about a service; `metric` as [`FindingKey`] has it for no data.
pub(super) fn service_key(device: &Device, watch: &Name, kind: FindingKind) -> FindingKey {
    FindingKey {
        part: Part::Watch(watch.clone()),
        kind,
        metric: (kind == FindingKind::NoData).then_some(Metric::Watch),
        ..down_key(device)
    }
}

impl Rules {
    /// A round of a service ended; its numbers have been judged.
    pub(super) fn service(&mut self, reading: &ServiceReading, now: Now) {
        let site = self.site.clone();
        let device = site.device(reading.device);
        let Some(service) = device.service(&reading.watch) else {
            return;
        };
        let id = (device.name.clone(), reading.watch.clone());
        let fresh = ServiceState {
            known_at: reading.at,
            failing: None,
        };
        let state = self.services.entry(id.clone()).or_insert(fresh);
        let found = match &reading.result {
            Ok(answer) => fault(service, answer, reading.wall),
            Err(Failure::NoAnswer(error)) => Some((None, Fault::NoAnswer { error: error.clone() })),
            Err(Failure::Malformed(error)) => Some((None, Fault::Malformed { error: error.clone() })),
            Err(Failure::NotKnown(reason)) => {
                let since = state.known_at;
                return self.service_unknown((device, service), &reading.watch, since, reason, now);
            }
        };
        state.known_at = reading.at;
        let no_data = service_key(device, &reading.watch, FindingKind::NoData);
        self.end(&no_data, Cause::DataBack, now);
        let key = service_key(device, &reading.watch, FindingKind::WatchFailed);
        match found {
            None => {
                if let Some(state) = self.services.get_mut(&id) {
                    state.failing = None;
                }
                self.end(&key, Cause::WatchWorks, now);
            }
            Some(found) if !service.is_on(device.address) || reachable(self.reach.node(reading.device).state) => {
                self.service_failed((reading.device, device, service), key, found, reading.at, now);
            }
            // The silence of its device explains it.
            Some(_) => {}
        }
    }

    fn service_failed(
        &mut self,
        (id, device, service): (DeviceId, &Device, &Service),
        key: FindingKey,
        (level, fault): (Option<Level>, Fault),
        at: Mono,
        now: Now,
    ) {
        let Part::Watch(watch) = &key.part else { return };
        let watch = watch.clone();
        let since = match self.services.get_mut(&(device.name.clone(), watch.clone())) {
            Some(state) => {
                let failing = state.failing.get_or_insert((at, at));
                failing.1 = at;
                failing.0
            }
            None => at,
        };
        let written = service.failed.over(device.rule(FindingKind::WatchFailed));
        let rule = FindingRule {
            level: service.failed.level.or(level).unwrap_or(written.level),
            ..written
        };
        let cause = Cause::WatchFailed { fault };
        self.conditions.hold(key.clone(), rule, cause, since, since, now);
        let change = self.conditions.set_level(&key, rule.level, now);
        self.out.extend(change.map(RuleEffect::Finding));
        if !self.conditions.raised(&key) {
            self.out.push(RuleEffect::AskAgain(id, watch));
        }
    }

    /// Nobody can say how the service is.
    fn service_unknown(
        &mut self,
        (device, service): (&Device, &Service),
        watch: &Name,
        since: Mono,
        reason: &str,
        now: Now,
    ) {
        // What was wrong before is not told by now, unless it is seen again.
        self.conditions
            .pause(&service_key(device, watch, FindingKind::WatchFailed));
        let silent = now.mono.since(since);
        if silent < service.interval * NO_DATA_INTERVALS {
            return;
        }
        let cause = Cause::NoData {
            seconds: silent.as_secs_f64(),
            reason: reason.to_owned(),
        };
        let key = service_key(device, watch, FindingKind::NoData);
        let rule = device.rule(FindingKind::NoData);
        self.conditions.hold(key, rule, cause, since, since, now);
    }
}
