//! The port for traps and informs. The input is one datagram (seeds: those of net-snmp's own tools), sent by each device of the site and by a
//! stranger; where it is a PDU of v2c it is also wrapped by somebody who has the keys of v3. Whatever it is: nothing panics, exactly one
//! thing becomes of it, what is believed proves who sent it, a Response needs belief, and what is handed on is clean and short.
#![no_main]

use hinomi::config::load_with;
use hinomi::model::{Mono, Site};
use hinomi::poll::trap::{LocalEngine, TrapResult, Traps};
use hinomi::wire::snmp::usm::{Auth, MasterKey, Privacy};
use hinomi::wire::snmp::{Message, PduKind, Scoped, ScopedData, ScopedPdu, V3Header, Value, decode, encode_v3};
use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};

#[path = "around.rs"]
mod around;

/// snmpEngineID of hinomi, and of the sender of traps.
const OWN: &[u8] = b"\x80\x00\x7e\xd9\x05hinomi-fuzz";
const SENDER: &[u8] = b"\x80\x00\x1f\x88\x04agent";
const BOOTS: u32 = 3;
/// The device that speaks v3.
const THREE: u8 = 3;
const STRANGER: u8 = 9;

fn site() -> Arc<Site> {
    static SITE: OnceLock<Arc<Site>> = OnceLock::new();
    let read = || {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/site.toml"));
        let loaded = load_with(file, &around::Dummy);
        Arc::new(loaded.site.unwrap_or_else(|| panic!("{:?}", loaded.problems)))
    };
    Arc::clone(SITE.get_or_init(read))
}

fn master() -> &'static MasterKey {
    static KEY: OnceLock<MasterKey> = OnceLock::new();
    KEY.get_or_init(|| MasterKey::from_password(Auth::Sha256, b"s3cret-password").expect("the password is not empty"))
}

/// Did somebody sign this who has the key?
fn signed(bytes: &[u8]) -> bool {
    match decode(bytes) {
        Ok(Message::V3(message)) => master()
            .auth_key(message.header.engine_id)
            .verify(bytes, message.auth_params.clone()),
        _ => false,
    }
}

/// The kind of PDU of an answer; what is encrypted is opened with the key of hinomi's own engine.
fn kind(answer: &[u8]) -> PduKind {
    match decode(answer).expect("what we write can be read") {
        Message::Community { pdu, .. } => pdu.kind,
        Message::V3(message) => {
            assert_eq!(message.header.engine_id, OWN, "we speak for ourselves only");
            assert_eq!(message.header.boots, BOOTS);
            let plain = match message.data {
                ScopedData::Plain(bytes) => bytes.to_vec(),
                ScopedData::Encrypted(bytes) => master()
                    .privacy_key(Privacy::Aes128, OWN)
                    .decrypt(message.header.boots, message.header.time, message.privacy_params, bytes)
                    .expect("a salt has eight octets"),
            };
            assert!(!message.authenticated || signed(answer), "a wrong signature of ours");
            ScopedPdu::read(&plain).expect("what we write can be read").pdu.kind
        }
    }
}

/// Sends a datagram and looks at what comes of it.
fn send(traps: &mut Traps, device: u8, bytes: &[u8]) -> TrapResult {
    let before: Vec<u64> = traps.counts().map(|(_, n)| n).collect();
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, device), 40_000));
    let (seen, answer) = traps.take(from, bytes, Mono(5_000_000));
    let mut changed = traps.counts().zip(before).filter(|((_, is), was)| is != was);
    let Some(((result, _), _)) = changed.next() else {
        panic!("a datagram of which nothing became")
    };
    assert!(changed.next().is_none(), "a datagram was counted twice");
    assert_eq!(seen.is_some(), result == TrapResult::Accepted);
    if let Some(seen) = &seen {
        let clean = |text: &str| text.chars().all(|c| !c.is_control()) && text.chars().count() <= 161;
        assert!(clean(&seen.details), "details that are not clean and short: {:?}", seen.details);
        assert!(seen.oid.split('.').all(|n| n.parse::<u32>().is_ok()), "{}", seen.oid);
        match device {
            THREE => assert!(signed(bytes), "a forged trap was believed"),
            STRANGER => panic!("a stranger was believed"),
            _ => assert!(bytes.windows(6).any(|w| w == b"public"), "believed without the community"),
        }
    }
    if let Some(answer) = &answer {
        assert!(answer.len() <= bytes.len() + 192, "an amplifier: {} for {}", answer.len(), bytes.len());
        let believed = matches!(result, TrapResult::Accepted | TrapResult::Repeated);
        assert_eq!(kind(answer) == PduKind::Response, believed, "{result:?}");
    }
    result
}

/// The PDU of a message of v2c, wrapped by somebody who has the keys.
fn wrapped(bytes: &[u8], engine: &[u8]) -> Option<(PduKind, bool, Vec<u8>)> {
    let Ok(Message::Community { pdu, .. }) = decode(bytes) else {
        return None;
    };
    let pdu = pdu.to_pdu();
    let begins = match pdu.varbinds.as_slice() {
        [uptime, oid, ..] => {
            uptime.oid == [1, 3, 6, 1, 2, 1, 1, 3, 0]
                && oid.oid == [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]
                && matches!((&uptime.value, &oid.value), (Value::TimeTicks(_), Value::Oid(_)))
        }
        _ => false,
    };
    let header = V3Header {
        id: 7,
        reportable: pdu.kind == PduKind::Inform,
        engine_id: engine,
        boots: BOOTS,
        time: 5,
        user: b"noc",
    };
    let scoped = Scoped {
        engine_id: engine,
        context: &[],
        body: (&pdu).into(),
    };
    let (auth, privacy) = (master().auth_key(engine), master().privacy_key(Privacy::Aes128, engine));
    let message = encode_v3(&header, 65_507, &scoped, Some(&auth), Some((&privacy, 9)));
    Some((pdu.kind, begins, message))
}

fuzz_target!(|data: &[u8]| {
    let local = LocalEngine {
        id: OWN.to_vec(),
        boots: BOOTS,
        started: Mono(0),
    };
    let mut traps = Traps::new(site(), local, 7);
    for device in [1, 2, THREE] {
        send(&mut traps, device, data);
        send(&mut traps, device, data);
    }
    assert_eq!(send(&mut traps, STRANGER, data), TrapResult::UnknownSource);
    if let Some((kind, begins, message)) = wrapped(data, SENDER)
        && kind != PduKind::Inform
    {
        let believed = send(&mut traps, THREE, &message) == TrapResult::Accepted;
        assert_eq!(believed, kind == PduKind::Trap && begins, "a trap of v3");
    }
    if let Some((kind, begins, message)) = wrapped(data, OWN) {
        let result = send(&mut traps, THREE, &message);
        let believed = matches!(result, TrapResult::Accepted | TrapResult::Repeated);
        assert_eq!(believed, kind == PduKind::Inform && begins, "an inform of v3: {result:?}");
    }
});
