//! The SNMP codec and USM. What was read is written and read again and must be the same; keys must not panic on any parameter;
//! a tag fits one message and no other. The keys are those of the seeds, so that real messages are opened to their end.
#![no_main]

use hinomi::wire::snmp::usm::{Auth, AuthKey, MasterKey, Privacy, PrivacyKey};
use hinomi::wire::snmp::{
    Message, Names, PduKind, PduView, Request, Scoped, ScopedData, ScopedPdu, V3Message, decode, encode_community,
    encode_v3, number_of,
};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// The users of the seeds and one with the shortest hash, whose keys have to be extended.
const USERS: [(Auth, Privacy); 3] = [
    (Auth::Sha256, Privacy::Aes128),
    (Auth::Sha512, Privacy::Aes256),
    (Auth::Sha1, Privacy::Aes192),
];

fn users() -> &'static [(MasterKey, Privacy)] {
    static KEYS: OnceLock<Vec<(MasterKey, Privacy)>> = OnceLock::new();
    let key = |auth| MasterKey::from_password(auth, b"s3cret-password").expect("the password is not empty");
    KEYS.get_or_init(|| USERS.iter().map(|(auth, privacy)| (key(*auth), *privacy)).collect())
}

/// Names are encoded apart from PDUs: both ways must agree.
fn names(view: &PduView<'_>) {
    let pdu = view.to_pdu();
    let names = Names::new(pdu.varbinds.iter().map(|v| v.oid.as_slice()));
    assert!(names.same(&view.varbinds), "the names of a PDU are not its names");
    let request = Request {
        kind: PduKind::Get,
        request_id: view.request_id,
        repetitions: 0,
        names: &names,
    };
    let bytes = encode_community(hinomi::wire::snmp::Version::V2c, b"public", request);
    match decode(&bytes) {
        Ok(Message::Community { pdu, .. }) => assert!(names.same(&pdu.varbinds) && pdu.kind == PduKind::Get),
        other => panic!("a request of ours is read as {other:?}"),
    }
}

fn scoped(read: &ScopedPdu<'_>, message: &V3Message<'_>, auth: &AuthKey, privacy: &PrivacyKey) {
    let pdu = read.pdu.to_pdu();
    names(&read.pdu);
    let written = Scoped {
        engine_id: read.engine_id,
        context: read.context,
        body: (&pdu).into(),
    };
    for keys in [(None, None), (Some(auth), None), (Some(auth), Some((privacy, 7)))] {
        let bytes = encode_v3(&message.header, message.max_size, &written, keys.0, keys.1);
        let Ok(Message::V3(again)) = decode(&bytes) else {
            panic!("what we write is not what we read")
        };
        assert_eq!((again.header, again.max_size), (message.header, message.max_size));
        assert_eq!(again.authenticated, keys.0.is_some());
        let plain = match again.data {
            ScopedData::Plain(data) => data.to_vec(),
            ScopedData::Encrypted(data) => privacy
                .decrypt(again.header.boots, again.header.time, again.privacy_params, data)
                .expect("a salt has eight octets"),
        };
        let second = ScopedPdu::read(&plain).expect("what we write can be read");
        assert_eq!(
            (second.pdu.to_pdu(), second.engine_id, second.context),
            (pdu.clone(), read.engine_id, read.context)
        );
        if keys.0.is_some() {
            assert!(
                auth.verify(&bytes, again.auth_params.clone()),
                "a tag of ours does not fit"
            );
            let mut other = bytes.clone();
            let at = pdu.request_id.unsigned_abs() as usize % other.len();
            other[at] ^= 1;
            let (fits, start) = (auth.verify(&other, again.auth_params.clone()), again.auth_params.start);
            assert!(!fits, "a tag fits two messages");
            shortened(&bytes, start, auth);
        }
    }
}

/// A tag that is cut short but right as far as it goes (CVE-2008-0960): whoever takes one is forged in 256 tries.
fn shortened(bytes: &[u8], start: usize, auth: &AuthKey) {
    for length in [0, 1, 4, auth.tag_len() - 1] {
        let mut cut = bytes.to_vec();
        cut[start..start + length].fill(0);
        let tag = auth.sign(&cut);
        cut[start..start + length].copy_from_slice(&tag[..length]);
        assert!(
            !auth.verify(&cut, start..start + length),
            "a tag of {length} octets was taken"
        );
    }
}

fn v3(message: &V3Message<'_>, bytes: &[u8]) {
    assert!(
        message.auth_params.end <= bytes.len(),
        "a range outside of the datagram"
    );
    let header = &message.header;
    for (master, privacy) in users() {
        let (auth, key) = (
            master.auth_key(header.engine_id),
            master.privacy_key(*privacy, header.engine_id),
        );
        let verified = auth.verify(bytes, message.auth_params.clone());
        assert!(
            !verified || message.auth_params.len() == auth.tag_len(),
            "a tag of another length was taken"
        );
        match message.data {
            ScopedData::Plain(data) => {
                if let Ok(read) = ScopedPdu::read(data) {
                    scoped(&read, message, &auth, &key);
                }
            }
            ScopedData::Encrypted(data) => {
                if let Some(plain) = key.decrypt(header.boots, header.time, message.privacy_params, data) {
                    assert_eq!(plain.len(), data.len(), "AES in CFB mode keeps the length");
                    if let Ok(read) = ScopedPdu::read(&plain) {
                        scoped(&read, message, &auth, &key);
                    }
                }
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    // The glance must agree with the whole reading, and must not panic where there is none.
    let glance = number_of(data);
    match decode(data) {
        Ok(Message::Community {
            version,
            community,
            pdu,
        }) => {
            assert_eq!(glance, Some(pdu.request_id));
            let owned = pdu.to_pdu();
            names(&pdu);
            let bytes = encode_community(version, community, &owned);
            match decode(&bytes) {
                Ok(Message::Community {
                    version: v,
                    community: c,
                    pdu: second,
                }) => {
                    assert_eq!(
                        (v, c, second.to_pdu()),
                        (version, community, owned),
                        "written and read again"
                    );
                }
                _ => panic!("what we write is not what we read"),
            }
        }
        Ok(Message::V3(message)) => {
            assert_eq!(glance, Some(message.header.id));
            v3(&message, data);
        }
        Err(_) => drop(ScopedPdu::read(data)),
    }
});
