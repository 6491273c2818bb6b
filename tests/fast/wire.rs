//! The SNMP codec against an independent one (async-snmp): never our own on both sides.

#![allow(clippy::unwrap_used)]

use async_snmp::compatibility::DecodeConfig;
use async_snmp::message::{
    CommunityMessage, Message as TheirMessage, MsgFlags, MsgGlobalData, SecurityLevel, V3Message,
};
use async_snmp::pdu::{Pdu as TheirPdu, PduBody, StandardPduType};
use async_snmp::v3::auth::{authenticate_message, verify_message};
use async_snmp::v3::{AuthProtocol, MasterKeys, PrivProtocol, UsmSecurityParams};
use async_snmp::{Oid, Value as TheirValue, VarBind as TheirVarBind};
use cfb_mode::Decryptor;
use cfb_mode::cipher::KeyIvInit;
use hinomi::wire::snmp::usm::{Auth, MasterKey, Privacy};
use hinomi::wire::snmp::{
    DecodeError, Message, Names, Pdu, PduKind, Request, Scoped, ScopedData, ScopedPdu, V3Header, Value, ValueView,
    VarBind, Version, decode, encode_community, encode_v3, number_of,
};
use proptest::prelude::*;
use std::sync::LazyLock;

const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04hinomi";

fn pairs() -> Vec<(Value, TheirValue)> {
    vec![
        (Value::Null, TheirValue::Null),
        (Value::Integer(-1), TheirValue::Integer(-1)),
        (Value::Integer(i64::from(i32::MIN)), TheirValue::Integer(i32::MIN)),
        (
            Value::OctetString(vec![0, 255, 7]),
            TheirValue::OctetString(vec![0, 255, 7].into()),
        ),
        (
            Value::OctetString(vec![9; 300]),
            TheirValue::OctetString(vec![9; 300].into()),
        ),
        (
            Value::Oid(vec![1, 3, 6, 1, 4, 1, u32::MAX]),
            TheirValue::ObjectIdentifier(Oid::from_slice(&[1, 3, 6, 1, 4, 1, u32::MAX])),
        ),
        (Value::IpAddress([192, 0, 2, 1]), TheirValue::IpAddress([192, 0, 2, 1])),
        (Value::Counter32(u32::MAX), TheirValue::Counter32(u32::MAX)),
        (Value::Gauge32(0x80), TheirValue::Gauge32(0x80)),
        (Value::TimeTicks(4_294_967_295), TheirValue::TimeTicks(4_294_967_295)),
        (
            Value::Opaque(vec![0x9f, 0x78, 4, 0, 0, 0, 0]),
            TheirValue::Opaque(vec![0x9f, 0x78, 4, 0, 0, 0, 0].into()),
        ),
        (Value::Counter64(u64::MAX), TheirValue::Counter64(u64::MAX)),
        (Value::Counter64(1 << 63), TheirValue::Counter64(1 << 63)),
        (Value::NoSuchObject, TheirValue::NoSuchObject),
        (Value::NoSuchInstance, TheirValue::NoSuchInstance),
        (Value::EndOfMibView, TheirValue::EndOfMibView),
    ]
}

fn their_pdu(kind: StandardPduType, id: i32, varbinds: Vec<TheirVarBind>) -> TheirPdu {
    let body = PduBody::Standard {
        pdu_type: kind,
        error_status: 0,
        error_index: 0,
    };
    TheirPdu::from_raw_parts(id, body, varbinds)
}

#[test]
fn what_we_ask_they_read() {
    let oids = [
        vec![1, 3, 6, 1, 2, 1, 1, 3, 0],
        vec![1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 4_000_000_000],
    ];
    for (kind, version) in [
        (PduKind::Get, Version::V1),
        (PduKind::Get, Version::V2c),
        (PduKind::GetNext, Version::V1),
        (PduKind::GetBulk, Version::V2c),
    ] {
        let mut pdu = Pdu::request(kind, 0x7fff_fffe, &oids);
        if kind == PduKind::GetBulk {
            pdu.error_index = 25;
        }
        let bytes = encode_community(version, b"s3cret", &pdu);
        let theirs = CommunityMessage::decode(bytes.into(), DecodeConfig::STRICT)
            .unwrap()
            .value;
        let (v, community, body) = theirs.into_parts();
        assert_eq!(v as i32, i32::try_from(version.number()).unwrap());
        assert_eq!(community.as_bytes(), b"s3cret");
        let body = body.standard().cloned().unwrap();
        assert_eq!(body.request_id(), 0x7fff_fffe);
        assert_eq!(body.get_bulk_fields(), (kind == PduKind::GetBulk).then_some((0, 25)));
        let asked: Vec<Vec<u32>> = body.varbinds().iter().map(|v| v.oid.arcs().to_vec()).collect();
        assert_eq!(asked, oids);
    }
}

#[test]
fn what_they_answer_we_read() {
    let oid = |i: usize| vec![1, 3, 6, 1, 2, 1, u32::try_from(i).unwrap()];
    let theirs: Vec<TheirVarBind> = pairs()
        .into_iter()
        .enumerate()
        .map(|(i, (_, v))| TheirVarBind::new(Oid::from_slice(&oid(i)), v))
        .collect();
    let message = CommunityMessage::v2c(b"public".to_vec(), their_pdu(StandardPduType::Response, -5, theirs)).unwrap();
    let bytes = message.encode().unwrap();
    let ours: Vec<VarBind> = pairs()
        .into_iter()
        .enumerate()
        .map(|(i, (value, _))| VarBind { oid: oid(i), value })
        .collect();
    let want = Pdu {
        kind: PduKind::Response,
        request_id: -5,
        error_status: 0,
        error_index: 0,
        varbinds: ours,
    };
    let Ok(Message::Community {
        version,
        community,
        pdu,
    }) = decode(&bytes)
    else {
        panic!("not a v2c message")
    };
    assert_eq!(number_of(&bytes), Some(-5), "at a glance");
    assert_eq!(
        (version, community, pdu.to_pdu()),
        (Version::V2c, &b"public"[..], want.clone())
    );
    // And the way back: what we write of it is octet for octet the same.
    assert_eq!(encode_community(Version::V2c, b"public", &want), bytes.to_vec());
}

fn protocols() -> [(Auth, AuthProtocol); 5] {
    [
        (Auth::Sha1, AuthProtocol::Sha1),
        (Auth::Sha224, AuthProtocol::Sha224),
        (Auth::Sha256, AuthProtocol::Sha256),
        (Auth::Sha384, AuthProtocol::Sha384),
        (Auth::Sha512, AuthProtocol::Sha512),
    ]
}

static SYS_UP_TIME: LazyLock<Names> = LazyLock::new(|| Names::new(std::iter::once(&[1, 3, 6, 1, 2, 1, 1, 3, 0][..])));

fn scoped(id: i32) -> Scoped<'static> {
    let request = Request {
        kind: PduKind::Get,
        request_id: id,
        repetitions: 0,
        names: &SYS_UP_TIME,
    };
    Scoped {
        engine_id: ENGINE,
        context: &[],
        body: request.into(),
    }
}

#[test]
fn a_list_encoded_once_is_what_a_pdu_would_write() {
    let oids: Vec<Vec<u32>> = (0..40)
        .map(|i| vec![1, 3, 6, 1, 4, 1, i * 1_000, u32::MAX, i])
        .collect();
    for count in [0, 1, 2, 40] {
        let (oids, names) = (&oids[..count], Names::new(oids[..count].iter().map(Vec::as_slice)));
        let request = Request {
            kind: PduKind::GetBulk,
            request_id: 77,
            repetitions: 16,
            names: &names,
        };
        let mut pdu = Pdu::request(PduKind::GetBulk, 77, oids);
        pdu.error_index = 16;
        let bytes = encode_community(Version::V2c, b"c", request);
        assert_eq!(bytes, encode_community(Version::V2c, b"c", &pdu), "{count}");
        let Ok(Message::Community { pdu, .. }) = decode(&bytes) else {
            panic!("{count}")
        };
        assert!(names.same(&pdu.varbinds) && names.len() == count);
        assert!(count == 0 || !names.same(&pdu.varbinds[1..]));
    }
}

fn header(id: i32) -> V3Header<'static> {
    V3Header {
        id,
        reportable: true,
        engine_id: ENGINE,
        boots: 3,
        time: 86_400,
        user: b"noc",
    }
}

#[test]
fn what_we_sign_they_verify_and_the_other_way_round() {
    for (auth, theirs) in protocols() {
        let ours = MasterKey::from_password(auth, b"authpassword")
            .unwrap()
            .auth_key(ENGINE);
        let (key, _) = MasterKeys::new(theirs, b"authpassword")
            .unwrap()
            .localize(ENGINE)
            .unwrap();
        let bytes = encode_v3(&header(77), 65_507, &scoped(78), Some(&ours), None);
        let read = V3Message::decode(bytes.clone().into(), DecodeConfig::STRICT)
            .unwrap()
            .value;
        let usm = UsmSecurityParams::decode(read.security_params().clone(), DecodeConfig::STRICT)
            .unwrap()
            .value;
        let tag = usm.auth_params().to_vec();
        let at = bytes.windows(tag.len()).position(|w| w == tag).unwrap();
        assert!(verify_message(&key, &bytes, at, tag.len()).unwrap(), "{auth:?}");
        assert_eq!(
            (usm.engine_boots(), usm.engine_time(), usm.username().as_ref()),
            (3, 86_400, &b"noc"[..])
        );
        assert_eq!((read.msg_id(), read.pdu().unwrap().request_id()), (77, 78));

        let params = UsmSecurityParams::new(ENGINE.to_vec(), 4, 5, b"noc".to_vec()).unwrap();
        let params = params.with_auth_placeholder(key.mac_len()).unwrap().encode().unwrap();
        let flags = MsgFlags::new(SecurityLevel::AuthNoPriv, false);
        let global = MsgGlobalData::new(99, async_snmp::message_size::MessageSize::new(1_500).unwrap(), flags).unwrap();
        let pdu = their_pdu(StandardPduType::Response, 100, Vec::new());
        let inner = async_snmp::message::ScopedPdu::new(ENGINE.to_vec(), Vec::new(), pdu);
        let mut bytes = V3Message::new(global, params, inner)
            .unwrap()
            .encode()
            .unwrap()
            .to_vec();
        let zeros = vec![0; key.mac_len()];
        let at = bytes.windows(zeros.len()).position(|w| w == zeros).unwrap();
        authenticate_message(&key, &mut bytes, at, zeros.len()).unwrap();
        let Ok(Message::V3(read)) = decode(&bytes) else {
            panic!("{auth:?}")
        };
        assert_eq!(number_of(&bytes), Some(read.header.id), "at a glance");
        assert_eq!(read.auth_params, at..at + zeros.len());
        assert!(
            read.authenticated && ours.verify(&bytes, read.auth_params.clone()),
            "{auth:?}"
        );
        let ScopedData::Plain(inner) = read.data else { panic!() };
        assert_eq!(ScopedPdu::read(inner).unwrap().pdu.request_id, 100);
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 0x10;
            let believed = matches!(decode(&bad), Ok(Message::V3(m)) if ours.verify(&bad, m.auth_params.clone()));
            assert!(!believed, "{auth:?} octet {i}");
        }
    }
}

#[test]
fn what_we_encrypt_their_keys_open() {
    for (auth, their_auth) in protocols() {
        for (privacy, their_privacy) in [
            (Privacy::Aes128, PrivProtocol::Aes128),
            (Privacy::Aes192, PrivProtocol::Aes192Blumenthal),
            (Privacy::Aes256, PrivProtocol::Aes256Blumenthal),
            (Privacy::Aes192c, PrivProtocol::Aes192Reeder),
            (Privacy::Aes256c, PrivProtocol::Aes256Reeder),
        ] {
            let master = MasterKey::from_password(auth, b"privpassword").unwrap();
            let signer = master.auth_key(ENGINE);
            let key = master.privacy_key(privacy, ENGINE);
            let theirs = MasterKeys::new(their_auth, b"authpassword").unwrap();
            let theirs = theirs
                .with_privacy(their_privacy, b"privpassword")
                .unwrap()
                .localize(ENGINE)
                .unwrap();
            let their_key = theirs.1.unwrap().encryption_key().to_vec();
            let salt = 0x0102_0304_0506_0708;
            let bytes = encode_v3(&header(1), 65_507, &scoped(2), Some(&signer), Some((&key, salt)));
            let Ok(TheirMessage::V3(read)) =
                TheirMessage::decode(bytes.clone().into(), DecodeConfig::STRICT).map(|m| m.value)
            else {
                panic!("{auth:?} {privacy:?}")
            };
            let async_snmp::message::V3MessageData::Encrypted(cipher) = read.data() else {
                panic!()
            };
            let mut plain = cipher.to_vec();
            let iv = [
                &3u32.to_be_bytes()[..],
                &86_400u32.to_be_bytes(),
                &u64::to_be_bytes(salt),
            ]
            .concat();
            match their_key.len() {
                16 => Decryptor::<aes::Aes128>::new_from_slices(&their_key, &iv)
                    .unwrap()
                    .decrypt(&mut plain),
                24 => Decryptor::<aes::Aes192>::new_from_slices(&their_key, &iv)
                    .unwrap()
                    .decrypt(&mut plain),
                _ => Decryptor::<aes::Aes256>::new_from_slices(&their_key, &iv)
                    .unwrap()
                    .decrypt(&mut plain),
            }
            let read = ScopedPdu::read(&plain).unwrap();
            assert_eq!(
                (read.engine_id, read.context),
                (ENGINE, &[][..]),
                "{auth:?} {privacy:?}"
            );
            assert!(
                read.pdu.request_id == 2 && SYS_UP_TIME.same(&read.pdu.varbinds),
                "{auth:?} {privacy:?}"
            );
            let Ok(Message::V3(ours)) = decode(&bytes) else {
                panic!()
            };
            let ScopedData::Encrypted(inner) = ours.data else {
                panic!()
            };
            assert_eq!(key.decrypt(3, 86_400, ours.privacy_params, inner), Some(plain));
        }
    }
}

fn response() -> Vec<u8> {
    let varbinds = pairs()
        .into_iter()
        .map(|(_, v)| TheirVarBind::new(Oid::from_slice(&[1, 3, 6, 1, 9]), v))
        .collect();
    let message = CommunityMessage::v2c(b"public".to_vec(), their_pdu(StandardPduType::Response, 7, varbinds));
    message.unwrap().encode().unwrap().to_vec()
}

#[test]
fn not_exactly_one_message_is_none() {
    let whole = response();
    for n in 0..whole.len() {
        assert!(decode(&whole[..n]).is_err(), "{n} octets");
    }
    let mut more = whole;
    more.push(0);
    assert_eq!(decode(&more), Err(DecodeError::TrailingBytes));
    assert_eq!(decode(&[0x30, 3, 2, 1, 2]), Err(DecodeError::Version(2)));
}

#[test]
fn a_nest_of_four_thousand_sequences_is_a_value_that_cannot_be_read() {
    let mut nest = Vec::new();
    for depth in 0..4_000usize {
        let len = nest.len();
        let mut outer = vec![
            0x30,
            0x82,
            u8::try_from(len >> 8).unwrap_or(0xff),
            (len & 0xff).to_le_bytes()[0],
        ];
        outer.extend_from_slice(&nest);
        nest = outer;
        assert!(decode(&nest).is_err(), "depth {depth}");
    }
    // The same as the value of an otherwise right answer.
    let mut value = Vec::new();
    for _ in 0..4_000usize {
        value.splice(
            0..0,
            [
                0x30,
                0x82,
                (value.len() >> 8).to_le_bytes()[0],
                value.len().to_le_bytes()[0],
            ],
        );
    }
    let mut varbind = vec![6, 1, 0x2b];
    varbind.extend(value);
    let wrap = |tag: u8, inner: Vec<u8>| {
        let mut out = vec![
            tag,
            0x82,
            (inner.len() >> 8).to_le_bytes()[0],
            inner.len().to_le_bytes()[0],
        ];
        out.extend(inner);
        out
    };
    let list = wrap(0x30, wrap(0x30, varbind));
    let pdu = wrap(0xa2, [vec![2, 1, 7, 2, 1, 0, 2, 1, 0], list].concat());
    let message = wrap(0x30, [vec![2, 1, 1, 4, 1, b'p'], pdu].concat());
    // Nothing goes down into it: the value is one that cannot be read, and the rest of the answer counts.
    let Ok(Message::Community { pdu, .. }) = decode(&message) else {
        panic!("the envelope is whole");
    };
    assert!(matches!(pdu.varbinds[0].value, ValueView::Unreadable { tag: 0x30, .. }));
}

fn any_value() -> impl Strategy<Value = (Value, TheirValue)> {
    prop_oneof![
        any::<i32>().prop_map(|v| (Value::Integer(v.into()), TheirValue::Integer(v))),
        any::<u32>().prop_map(|v| (Value::Counter32(v), TheirValue::Counter32(v))),
        any::<u32>().prop_map(|v| (Value::Gauge32(v), TheirValue::Gauge32(v))),
        any::<u64>().prop_map(|v| (Value::Counter64(v), TheirValue::Counter64(v))),
        prop::collection::vec(any::<u8>(), 0..200)
            .prop_map(|v| (Value::OctetString(v.clone()), TheirValue::OctetString(v.into()))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_codecs_agree(
        id in any::<i32>(),
        varbinds in prop::collection::vec((prop::collection::vec(any::<u32>(), 1..20), any_value()), 0..12),
    ) {
        let oid = |tail: &[u32]| [&[1, 3][..], tail].concat();
        let theirs = varbinds.iter().map(|(t, (_, v))| TheirVarBind::new(Oid::from_slice(&oid(t)), v.clone())).collect();
        let message = CommunityMessage::v2c(b"c".to_vec(), their_pdu(StandardPduType::Response, id, theirs)).unwrap();
        let bytes = message.encode().unwrap();
        let Ok(Message::Community { pdu, .. }) = decode(&bytes) else { panic!() };
        prop_assert_eq!(pdu.request_id, id);
        let ours: Vec<VarBind> = varbinds.iter().map(|(t, (v, _))| VarBind { oid: oid(t), value: v.clone() }).collect();
        prop_assert_eq!(&pdu.to_pdu().varbinds, &ours);
        prop_assert_eq!(encode_community(Version::V2c, b"c", &pdu.to_pdu()), bytes.to_vec());
    }

    #[test]
    fn mutated_messages_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        v3 in any::<bool>(),
    ) {
        let mut bytes = if v3 { encode_v3(&header(1), 65_507, &scoped(2), None, None) } else { response() };
        for (at, value) in flips {
            let i = at.index(bytes.len());
            bytes[i] = value;
        }
        let _ = decode(&bytes);
        if let Ok(Message::V3(message)) = decode(&bytes)
            && let ScopedData::Plain(inner) = message.data
        {
            let _ = ScopedPdu::read(inner);
        }
        let _ = decode(&bytes[..cut.index(bytes.len())]);
        let _ = hinomi::wire::icmp::parse(false, &bytes);
        let _ = hinomi::wire::icmp::parse(true, &bytes);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
        let _ = ScopedPdu::read(&bytes);
        let _ = hinomi::wire::icmp::parse(false, &bytes);
        let _ = hinomi::wire::icmp::parse(true, &bytes);
    }
}

/// Reads a seed of a fuzz target, and all that one cut or one flipped bit makes of it.
fn damaged(kind: &str, read: impl Fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(kind);
    let mut seeds = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        seeds += 1;
        read(&bytes);
        for at in 0..bytes.len() {
            read(&bytes[..at]);
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                read(&flipped);
            }
        }
    }
    assert!(seeds > 0, "no seed of {kind}");
}

#[test]
fn no_cut_or_flip_of_what_watches_read_panics() {
    use hinomi::wire::{certificate, dns, ntp, perfdata};
    let nonce = 0x0102_0304_0506_0708;
    damaged("ntp", |bytes| {
        if let Ok(read) = ntp::reply(bytes, nonce) {
            let _ = ntp::offset_and_delay(ntp::Stamp(0), &read, ntp::Stamp(u64::MAX));
        }
    });
    for kind in [dns::Kind::A, dns::Kind::Mx, dns::Kind::Txt, dns::Kind::Cname] {
        damaged("dns", |bytes| {
            if let Ok(read) = dns::reply(bytes, 7, "ehr.example.jp", kind) {
                assert!(read.records.len() < 500);
            }
        });
    }
    damaged("certificate", |bytes| {
        if let Ok(read) = certificate::read(bytes) {
            assert!(read.subject.chars().count() <= 200 && read.names.len() <= 20);
        }
    });
    damaged("perfdata", |bytes| {
        let read = perfdata::read(bytes);
        assert!(read.numbers.iter().all(|n| n.value.is_finite()));
    });
}
