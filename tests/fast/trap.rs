//! Traps and informs: what is believed, what is answered, what they do. The messages of `SNMPTRAP_*` were written by net-snmp's own tools; real
//! ones are run against a real listener in `real`.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise")]

mod core;
mod real;
mod usm;

use hinomi::config::{Found, NotFound, SecretFrom, SourceFile, Surroundings, check};
use hinomi::model::{Mono, Secret, Site};
use hinomi::poll::trap::{LocalEngine, TrapKind, TrapResult, TrapSeen, Traps};
use hinomi::wire::snmp::{Message, PduKind, Value, decode};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "s3cret-password";

/// `snmptrap -v1 -c public … 1.3.6.1.4.1.9.1.1 192.0.2.77 2 0 12345`, with ifIndex, ifName, ifAdminStatus and ifOperStatus.
const SNMPTRAP_V1: &str = "307502010004067075626c6963a46806082b060104010901014004c000024d02010202010043023039304c300f060a2b060102010202\
    0101030201033017060b2b060102011f0101010103040867652d302f302f31300f060a2b060102010202010703020101300f060a2b060102010202010803020102";
/// `snmptrap -v1 -c public … 1.3.6.1.4.1.318 127.0.0.1 6 5 12345 1.3.6.1.4.1.318.2.3.3.0 s "UPS: On battery power"`.
const SNMPTRAP_V1_APC: &str = "304e02010004067075626c6963a44106072b06010401823e40047f0000010201060201054302303930263024060b2b06010401823e\
    0203030004155550533a204f6e206261747465727920706f776572";
/// `snmptrap -v2c -c public … 12345 1.3.6.1.6.3.1.1.5.3`, with the same varbinds.
const SNMPTRAP_V2C: &str = "30819102010104067075626c6963a78183020414ffb8090201000201003075300e06082b06010201010300430230393017060a2b060106\
    03010104010006092b0601060301010503300f060a2b0601020102020101030201033017060b2b060102011f0101010103040867652d302f302f31300f060a2b06\
    0102010202010703020101300f060a2b060102010202010803020102";
/// `snmpinform`, likewise.
const SNMPINFORM_V2C: &str = "30819102010104067075626c6963a681830204106e87be0201000201003075300e06082b06010201010300430230393017060a2b0601\
    0603010104010006092b0601060301010503300f060a2b0601020102020101030201033017060b2b060102011f0101010103040867652d302f302f31300f060a2b\
    060102010202010703020101300f060a2b060102010202010803020102";
/// `snmptrap -v3 -e 0x8000000001020304 -u noc -l authPriv -a SHA-256 -A s3cret-password -x AES -X s3cret-password`, likewise. Boots 1, time 7219.
const SNMPTRAP_V3: &str = "3081f6020103301102041f6c0508020300ffe3040103020103043d303b0408800000000102030402010102031c273304036e6f63041813\
    6bf84b677ffde724b4149df688ccacae197e6f3e9426500408e86d6dc89fcfb1ed04819e1331f233cf20fda2bea0de1d8b21b38c43921b5de64798787372d8f6c1\
    f95eea775b1cbd10201d4f5310d0359888f748ea7c0937121536c9f4b1d8006c502bc37df96a7ba0a4e6a1f0ab27f704d3e30bf16fc4f3fefaf38cef6dbff8df41\
    176dcd7606344ff1b0b1b2d30b92de3549f899eae16a7dfd637478c1f80cd67ccb94a272ebba8e6863857fde914ccbea966f7f61974d621549364d035ad3c81a";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Every secret is the name of its variable.
struct Named;

impl Surroundings for Named {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        let SecretFrom::Env(name) = from else { unreachable!() };
        Ok(Found {
            secret: Some(Secret::new(name.as_str())),
            doubt: None,
        })
    }

    fn table(&self, _: &Path) -> Result<String, NotFound> {
        unreachable!()
    }

    fn certificates(&self, _: &Path) -> Result<(), NotFound> {
        Ok(())
    }

    fn profiles(&self, _: &Path) -> Result<Vec<SourceFile>, NotFound> {
        Ok(Vec::new())
    }
}

/// Speaks v2c, v3 (authPriv), no SNMP, v2c but not in service, v2c over IPv6.
const SITE: &str = r#"
[operator]
name = "Test"
[snmp.two]
version = "2c"
community = { env = "public" }
[snmp.three]
version = "3"
user = "noc"
auth = { protocol = "sha256", password = { env = "s3cret-password" } }
privacy = { protocol = "aes128", password = { env = "s3cret-password" } }
[traps]
listen = ["127.0.0.1:10162"]
[[device]]
name = "edge"
address = "192.0.2.1"
snmp = "two"
[[device]]
name = "core"
address = "192.0.2.3"
snmp = "three"
[[device]]
name = "mute"
address = "192.0.2.4"
[[device]]
name = "planned"
address = "192.0.2.5"
snmp = "two"
status = "planned"
[[device]]
name = "six"
address = "2001:db8::1"
snmp = "two"
"#;

pub(crate) fn site(text: &str) -> Arc<Site> {
    let file = SourceFile {
        path: PathBuf::from("hinomi.toml"),
        text: text.to_owned(),
        private: true,
    };
    let loaded = check(&[file], &Named);
    let words: String = loaded.problems.iter().map(ToString::to_string).collect();
    Arc::new(loaded.site.unwrap_or_else(|| panic!("{words}")))
}

fn local() -> LocalEngine {
    LocalEngine {
        id: b"\x80\x00\x7e\xd9\x05hinomi-test".to_vec(),
        boots: 3,
        started: Mono(0),
    }
}

fn traps() -> Traps {
    Traps::new(site(SITE), local(), 7)
}

fn from(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 45_000)
}

const EDGE: &str = "192.0.2.1";
const CORE: &str = "192.0.2.3";

fn at(seconds: u64) -> Mono {
    Mono(1_000_000_000) + Duration::from_secs(seconds)
}

/// Takes one datagram and says what became of it, which must be exactly one thing.
fn take(traps: &mut Traps, ip: &str, datagram: &[u8], now: Mono) -> (TrapResult, Option<TrapSeen>, Option<Vec<u8>>) {
    let before: Vec<_> = traps.counts().collect();
    let (seen, answer) = traps.take(from(ip), datagram, now);
    let changed: Vec<TrapResult> = before
        .into_iter()
        .zip(traps.counts())
        .filter(|((_, was), (_, is))| was != is)
        .map(|((result, _), _)| result)
        .collect();
    let [result] = changed[..] else { panic!("{changed:?}") };
    assert_eq!(seen.is_some(), result == TrapResult::Accepted);
    (result, seen, answer)
}

fn accepted(traps: &mut Traps, ip: &str, hex: &str) -> TrapSeen {
    let (result, seen, _) = take(traps, ip, &bytes(hex), at(0));
    assert_eq!(result, TrapResult::Accepted);
    seen.unwrap()
}

#[test]
fn a_trap_of_each_version_says_the_same() {
    let mut traps = traps();
    let v1 = accepted(&mut traps, EDGE, SNMPTRAP_V1);
    let v2c = accepted(&mut traps, EDGE, SNMPTRAP_V2C);
    let v3 = accepted(&mut traps, CORE, SNMPTRAP_V3);
    let says = "ifIndex 3, ifName ge-0/0/1, admin up, oper down";
    for (seen, device, details) in [
        (&v1, "edge", format!("{says}, agent-addr 192.0.2.77")),
        (&v2c, "edge", says.to_owned()),
        (&v3, "core", says.to_owned()),
    ] {
        assert_eq!(&*traps.site().device(seen.device).name, device);
        assert_eq!((seen.kind, &*seen.oid), (TrapKind::LinkDown, "1.3.6.1.6.3.1.1.5.3"));
        assert_eq!(seen.details, details);
        assert_eq!(seen.at, at(0));
    }
    let line = serde_json::to_string(&v1).unwrap();
    assert_eq!(
        serde_json::from_str::<TrapSeen>(&line).unwrap(),
        v1,
        "it can be recorded and replayed"
    );
}

#[test]
fn an_enterprise_trap_of_v1_is_mapped_and_its_message_is_shown() {
    let seen = accepted(&mut traps(), EDGE, SNMPTRAP_V1_APC);
    assert_eq!((seen.kind, &*seen.oid), (TrapKind::OnBattery, "1.3.6.1.4.1.318.0.5"));
    assert_eq!(seen.details, "message UPS: On battery power, agent-addr 127.0.0.1");
}

#[test]
fn an_ipv4_sender_on_an_ipv6_socket_is_the_same_sender() {
    let seen = accepted(&mut traps(), "::ffff:192.0.2.1", SNMPTRAP_V2C);
    assert_eq!(seen.details, "ifIndex 3, ifName ge-0/0/1, admin up, oper down");
    accepted(&mut traps(), "2001:db8::1", SNMPTRAP_V2C);
}

#[test]
fn an_inform_is_answered_each_time_and_told_once() {
    let mut traps = traps();
    for (now, expected) in [
        (0, TrapResult::Accepted),
        (1, TrapResult::Repeated),
        (2, TrapResult::Repeated),
    ] {
        let (result, _, answer) = take(&mut traps, EDGE, &bytes(SNMPINFORM_V2C), at(now));
        assert_eq!(result, expected);
        let answer = answer.expect("an inform wants a Response");
        let Ok(Message::Community { community, pdu, .. }) = decode(&answer) else {
            panic!("not a message of v2c")
        };
        assert_eq!(
            (community, pdu.kind, pdu.request_id),
            (&b"public"[..], PduKind::Response, 0x106e_87be)
        );
        assert_eq!(
            (pdu.error_status, pdu.varbinds.len()),
            (0, 6),
            "what was sent comes back"
        );
        assert_eq!(pdu.to_pdu().varbinds[0].value, Value::TimeTicks(12345));
    }
}

/// What is no notification of a device of ours, and why.
fn lies() -> Vec<(&'static str, &'static str, Vec<u8>, TrapResult)> {
    let (v1, v2c, v3) = (bytes(SNMPTRAP_V1), bytes(SNMPTRAP_V2C), bytes(SNMPTRAP_V3));
    let changed = |mut bytes: Vec<u8>, at: usize, to: u8| {
        bytes[at] = to;
        bytes
    };
    let community = v2c.windows(6).position(|w| w == b"public").unwrap();
    let pdu = community + 6;
    let longer = [&v2c[..], &[0]].concat();
    let uptime = v2c.windows(8).position(|w| w == [0x2b, 6, 1, 2, 1, 1, 3, 0]).unwrap();
    let inform = bytes(SNMPINFORM_V2C);
    vec![
        ("a stranger", "192.0.2.99", v2c.clone(), TrapResult::UnknownSource),
        (
            "a device without snmp",
            "192.0.2.4",
            v2c.clone(),
            TrapResult::UnknownSource,
        ),
        (
            "a device not in service",
            "192.0.2.5",
            v2c.clone(),
            TrapResult::UnknownSource,
        ),
        (
            "a wrong community",
            EDGE,
            changed(v2c.clone(), community, b'P'),
            TrapResult::WrongCommunity,
        ),
        (
            "an inform with one",
            EDGE,
            changed(inform.clone(), community, b'P'),
            TrapResult::WrongCommunity,
        ),
        ("v2c from who speaks v3", CORE, v2c.clone(), TrapResult::Unauthenticated),
        (
            "an inform of v2c from who speaks v3",
            CORE,
            inform,
            TrapResult::Unauthenticated,
        ),
        ("v1 from who speaks v3", CORE, v1.clone(), TrapResult::Unauthenticated),
        ("v3 from who speaks v2c", EDGE, v3, TrapResult::Unauthenticated),
        ("cut short", EDGE, v2c[..v2c.len() - 1].to_vec(), TrapResult::Malformed),
        ("something behind it", EDGE, longer, TrapResult::Malformed),
        ("a GET", EDGE, changed(v2c.clone(), pdu, 0xa0), TrapResult::Malformed),
        (
            "a Response",
            EDGE,
            changed(v2c.clone(), pdu, 0xa2),
            TrapResult::Malformed,
        ),
        (
            "a trap of v1 in v2c",
            EDGE,
            changed(v1.clone(), 4, 1),
            TrapResult::Malformed,
        ),
        (
            "a trap of v2 in v1",
            EDGE,
            changed(v2c.clone(), 5, 0),
            TrapResult::Malformed,
        ),
        (
            "no sysUpTime",
            EDGE,
            changed(v2c.clone(), uptime + 6, 4),
            TrapResult::Malformed,
        ),
        ("nothing", EDGE, Vec::new(), TrapResult::Malformed),
        ("noise", EDGE, vec![0xff; 1400], TrapResult::Malformed),
    ]
}

#[test]
fn a_lie_is_counted_by_its_kind_and_never_answered() {
    for (what, ip, datagram, expected) in lies() {
        let (result, seen, answer) = take(&mut traps(), ip, &datagram, at(0));
        assert_eq!((result, seen, answer), (expected, None, None), "{what}");
    }
}

#[test]
fn text_of_a_device_is_harmless_and_short() {
    let mut evil = bytes(SNMPTRAP_V1_APC);
    let place = evil.windows(3).position(|w| w == b"UPS").unwrap();
    evil[place..place + 4].copy_from_slice(b"\x1b[2J");
    let (_, seen, _) = take(&mut traps(), EDGE, &evil, at(0));
    let details = seen.unwrap().details;
    assert!(details.starts_with("message 1b5b324a"), "{details}");
    assert!(details.chars().all(|c| !c.is_control()) && details.chars().count() <= 161);
    // Three octets that turn the direction of writing.
    evil[place..place + 4].copy_from_slice("\u{202e}X".as_bytes());
    let (_, seen, _) = take(&mut traps(), EDGE, &evil, at(0));
    let details = seen.unwrap().details;
    assert!(
        details.starts_with("message X") && !details.contains(hinomi::model::text::is_hostile),
        "{details}"
    );
    // Japanese, in Shift_JIS.
    evil[place..place + 4].copy_from_slice(b"\x93\x64\x8c\xb9");
    let (_, seen, _) = take(&mut traps(), EDGE, &evil, at(0));
    assert!(seen.unwrap().details.starts_with("message 電源"));
}

#[test]
fn a_flood_from_one_source_takes_nothing_from_another() {
    let mut traps = traps();
    let (flood, honest) = (bytes(SNMPTRAP_V1), bytes(SNMPTRAP_V3));
    let mut results = [0u64; 2];
    for second in 0..60u64 {
        for i in 0..5_000u64 {
            let now = at(second) + Duration::from_micros(i * 200);
            let (seen, _) = traps.take(from(EDGE), &flood, now);
            results[usize::from(seen.is_some())] += 1;
        }
        let (result, ..) = take(&mut traps, CORE, &honest, at(second) + Duration::from_millis(999));
        assert_eq!(result, TrapResult::Accepted, "second {second}");
    }
    // 50 at once, then 10 a second.
    assert!((50 + 590..=50 + 600).contains(&results[1]), "{results:?}");
    assert_eq!(traps.count_of(TrapResult::RateLimited), results[0]);
}

#[test]
fn garbage_takes_from_the_bucket_too() {
    let mut traps = traps();
    for _ in 0..50 {
        assert_eq!(take(&mut traps, EDGE, b"garbage", at(0)).0, TrapResult::Malformed);
    }
    assert_eq!(take(&mut traps, EDGE, b"garbage", at(0)).0, TrapResult::RateLimited);
    assert_eq!(
        take(&mut traps, EDGE, &bytes(SNMPTRAP_V2C), at(1)).0,
        TrapResult::Accepted
    );
}

#[test]
fn a_reload_takes_the_communities_and_devices_of_the_new_site() {
    let mut traps = traps();
    accepted(&mut traps, EDGE, SNMPTRAP_V2C);
    traps.reload(site(&SITE.replace("env = \"public\"", "env = \"private\"")));
    assert_eq!(
        take(&mut traps, EDGE, &bytes(SNMPTRAP_V2C), at(1)).0,
        TrapResult::WrongCommunity
    );
    traps.reload(site(&SITE.replace("192.0.2.1\"", "192.0.2.9\"")));
    assert_eq!(
        take(&mut traps, EDGE, &bytes(SNMPTRAP_V2C), at(1)).0,
        TrapResult::UnknownSource
    );
    accepted(&mut traps, "192.0.2.9", SNMPTRAP_V2C);
}

#[test]
fn the_limits_are_those_of_the_configuration() {
    let listen = "listen = [\"127.0.0.1:10162\"]\n";
    let limits = format!("{listen}per_source = {{ rate = 1, burst = 2 }}\n");
    let mut traps = Traps::new(site(&SITE.replace(listen, &limits)), local(), 7);
    let results: Vec<TrapResult> = [0, 0, 0, 1, 1]
        .map(|now| take(&mut traps, EDGE, &bytes(SNMPTRAP_V2C), at(now)).0)
        .into();
    use TrapResult::{Accepted, RateLimited};
    assert_eq!(results, [Accepted, Accepted, RateLimited, Accepted, RateLimited]);
}

/// Every datagram that differs in one octet: nothing panics, and where it is believed it says something short.
#[test]
fn damaged_datagrams_never_panic() {
    for hex in [SNMPTRAP_V1, SNMPTRAP_V1_APC, SNMPTRAP_V2C, SNMPINFORM_V2C, SNMPTRAP_V3] {
        let whole = bytes(hex);
        let mut traps = traps();
        for i in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[i] ^= flip;
                // A second later each, so that the bucket never runs dry.
                let now = at((i as u64) * 3);
                let source = if hex == SNMPTRAP_V3 { CORE } else { EDGE };
                let (seen, answer) = traps.take(from(source), &damaged, now);
                assert!(
                    hex != SNMPTRAP_V3 || seen.is_none(),
                    "octet {i}: a forged trap was believed"
                );
                assert!(seen.is_none_or(|s| s.details.chars().count() <= 161));
                assert!(answer.is_none_or(|a| a.len() <= whole.len() + 128), "no amplifier");
            }
        }
    }
}
