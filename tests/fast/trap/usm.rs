//! SNMPv3: who is authoritative, time windows, Reports, Responses.

use super::{CORE, EDGE, PASSWORD, SITE, SNMPTRAP_V3, at, bytes, local, site, take, traps};
use hinomi::model::Mono;
use hinomi::poll::trap::{TrapKind, TrapResult, Traps};
use hinomi::wire::snmp::usm::{Auth, AuthKey, MasterKey, Privacy, PrivacyKey};
use hinomi::wire::snmp::{
    Message, Pdu, PduKind, Scoped, ScopedData, ScopedPdu, V3Header, Value, VarBind, decode, encode_v3,
};
use std::time::Duration;

const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04device";

/// Somebody who sends, with the keys of one engine.
struct Sender {
    engine: Vec<u8>,
    boots: u32,
    time: u32,
    user: &'static [u8],
    auth: Option<AuthKey>,
    privacy: Option<PrivacyKey>,
    id: i32,
}

impl Sender {
    fn new(engine: &[u8], boots: u32, time: u32) -> Sender {
        let master = MasterKey::from_password(Auth::Sha256, PASSWORD.as_bytes()).unwrap();
        Sender {
            engine: engine.to_vec(),
            boots,
            time,
            user: b"noc",
            auth: Some(master.auth_key(engine)),
            privacy: Some(master.privacy_key(Privacy::Aes128, engine)),
            id: 77,
        }
    }

    fn with_password(mut self, password: &str) -> Sender {
        let master = MasterKey::from_password(Auth::Sha256, password.as_bytes()).unwrap();
        self.auth = Some(master.auth_key(&self.engine));
        self
    }

    fn message(&self, kind: PduKind) -> Vec<u8> {
        let varbind = |oid: &[u32], value| VarBind {
            oid: oid.to_vec(),
            value,
        };
        let cold_start = Value::Oid(vec![1, 3, 6, 1, 6, 3, 1, 1, 5, 1]);
        let pdu = Pdu {
            kind,
            request_id: 4711,
            error_status: 0,
            error_index: 0,
            varbinds: vec![
                varbind(&[1, 3, 6, 1, 2, 1, 1, 3, 0], Value::TimeTicks(100)),
                varbind(&[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0], cold_start),
            ],
        };
        let header = V3Header {
            id: self.id,
            reportable: kind == PduKind::Inform,
            engine_id: &self.engine,
            boots: self.boots,
            time: self.time,
            user: self.user,
        };
        let scoped = Scoped {
            engine_id: ENGINE,
            context: b"ctx",
            body: (&pdu).into(),
        };
        let privacy = self.privacy.as_ref().map(|key| (key, 99));
        encode_v3(&header, 65_507, &scoped, self.auth.as_ref(), privacy)
    }

    /// Takes a Report or a Response apart: kind, first varbind, and whether it is signed with the sender's key.
    fn read(&self, answer: &[u8]) -> (PduKind, VarBind, bool) {
        let Ok(Message::V3(message)) = decode(answer) else {
            panic!("no message of v3")
        };
        assert_eq!(message.header.id, self.id, "msgID is that of the question");
        assert!(!message.header.reportable);
        let signed = message.authenticated && self.auth.as_ref().unwrap().verify(answer, message.auth_params.clone());
        assert_eq!(signed, message.authenticated, "a wrong signature");
        let plain = match message.data {
            ScopedData::Plain(bytes) => bytes.to_vec(),
            ScopedData::Encrypted(bytes) => self
                .privacy
                .as_ref()
                .unwrap()
                .decrypt(message.header.boots, message.header.time, message.privacy_params, bytes)
                .unwrap(),
        };
        let scoped = ScopedPdu::read(&plain).unwrap();
        (scoped.pdu.kind, scoped.pdu.to_pdu().varbinds.swap_remove(0), signed)
    }
}

fn usm_stat(number: u32) -> Vec<u32> {
    vec![1, 3, 6, 1, 6, 3, 15, 1, 1, number, 0]
}

fn result(traps: &mut Traps, sender: &Sender, kind: PduKind, now: Mono) -> TrapResult {
    take(traps, CORE, &sender.message(kind), now).0
}

#[test]
fn a_trap_is_believed_by_the_clock_of_its_sender() {
    let mut traps = traps();
    let of = |boots, time| Sender::new(ENGINE, boots, time);
    let mut take = |sender: Sender, now| result(&mut traps, &sender, PduKind::Trap, at(now));
    assert_eq!(take(of(5, 1_000), 0), TrapResult::Accepted, "the first sets the clock");
    assert_eq!(
        take(of(5, 1_000), 100),
        TrapResult::Accepted,
        "100 s late is within the window"
    );
    assert_eq!(
        take(of(5, 1_000), 151),
        TrapResult::NotInTimeWindow,
        "151 s late is played back"
    );
    assert_eq!(take(of(4, 9_000), 152), TrapResult::NotInTimeWindow, "of a boot before");
    assert_eq!(take(of(6, 3), 153), TrapResult::Accepted, "it restarted");
    assert_eq!(
        take(of(5, 1_300), 154),
        TrapResult::NotInTimeWindow,
        "its last boot is over"
    );
    assert_eq!(take(of(0x7fff_ffff, 1), 155), TrapResult::NotInTimeWindow);
    let other = Sender::new(b"\x80\x00\x1f\x88\x04member-2", 1, 1);
    assert_eq!(take(other, 156), TrapResult::Accepted, "another engine of the device");
    assert_eq!(
        take(of(6, 10), 157),
        TrapResult::Accepted,
        "the first one is still known"
    );
}

#[test]
fn nothing_can_be_played_back_after_a_reload() {
    let mut traps = traps();
    let old = Sender::new(ENGINE, 5, 1_000);
    assert_eq!(result(&mut traps, &old, PduKind::Trap, at(0)), TrapResult::Accepted);
    traps.reload(site(&SITE.replace("\"edge\"", "\"edge-a\"")));
    assert_eq!(
        result(&mut traps, &old, PduKind::Trap, at(200)),
        TrapResult::NotInTimeWindow
    );
    traps.reload(site(&SITE.replace("sha256", "sha512")));
    assert_eq!(
        result(&mut traps, &old, PduKind::Trap, at(201)),
        TrapResult::Unauthenticated,
        "other credentials"
    );
}

#[test]
fn a_message_that_proves_nothing_changes_no_clock() {
    let mut traps = traps();
    let honest = Sender::new(ENGINE, 5, 1_000);
    assert_eq!(result(&mut traps, &honest, PduKind::Trap, at(0)), TrapResult::Accepted);
    let forged = Sender::new(ENGINE, 900, 1).with_password("another-password");
    assert_eq!(
        result(&mut traps, &forged, PduKind::Trap, at(1)),
        TrapResult::Unauthenticated
    );
    assert_eq!(result(&mut traps, &honest, PduKind::Trap, at(2)), TrapResult::Accepted);
    for weaker in [
        Sender {
            privacy: None,
            ..Sender::new(ENGINE, 6, 1)
        },
        Sender {
            privacy: None,
            auth: None,
            ..Sender::new(ENGINE, 6, 1)
        },
        Sender {
            user: b"root",
            ..Sender::new(ENGINE, 6, 1)
        },
    ] {
        assert_eq!(
            result(&mut traps, &weaker, PduKind::Trap, at(3)),
            TrapResult::Unauthenticated
        );
    }
    assert_eq!(result(&mut traps, &honest, PduKind::Trap, at(4)), TrapResult::Accepted);
    let (got, _, answer) = take(&mut traps, EDGE, &honest.message(PduKind::Trap), at(5));
    assert_eq!(
        (got, answer),
        (TrapResult::Unauthenticated, None),
        "from the address of another device"
    );
}

#[test]
fn the_trap_of_the_real_tool_is_refused_when_it_is_played_back() {
    let mut traps = traps();
    let real = bytes(SNMPTRAP_V3);
    assert_eq!(take(&mut traps, CORE, &real, at(0)).0, TrapResult::Accepted);
    assert_eq!(take(&mut traps, CORE, &real, at(3_600)).0, TrapResult::NotInTimeWindow);
}

/// What net-snmp does before its first inform: it asks for the engine, without a user and without a PDU to speak of.
fn discovery() -> Vec<u8> {
    let header = V3Header {
        id: 77,
        reportable: true,
        ..V3Header::default()
    };
    let pdu = Pdu::request(PduKind::Get, 4711, &[]);
    let scoped = Scoped {
        engine_id: &[],
        context: &[],
        body: (&pdu).into(),
    };
    encode_v3(&header, 65_507, &scoped, None, None)
}

#[test]
fn an_inform_is_answered_only_after_it_was_authenticated() {
    let mut traps = traps();
    let now = local().started + Duration::from_secs(2_000);
    let (got, _, report) = take(&mut traps, CORE, &discovery(), now);
    assert_eq!(got, TrapResult::Discovery);
    let sender = Sender::new(&local().id, 0, 0);
    let report = report.expect("discovery wants a Report");
    let Ok(Message::V3(message)) = decode(&report) else {
        panic!()
    };
    let header = &message.header;
    assert_eq!((header.engine_id, header.boots, header.time), (&*local().id, 3, 2_000));
    let (kind, counter, signed) = sender.read(&report);
    assert_eq!((kind, counter.oid, signed), (PduKind::Report, usm_stat(4), false));

    // Right key, no idea of our clock: a signed Report, so that it can be believed.
    let (got, _, report) = take(&mut traps, CORE, &sender.message(PduKind::Inform), now);
    assert_eq!(got, TrapResult::Discovery);
    let (kind, counter, signed) = sender.read(&report.unwrap());
    assert_eq!((kind, counter.oid, signed), (PduKind::Report, usm_stat(2), true));

    let sender = Sender::new(&local().id, 3, 2_000);
    let (got, seen, response) = take(&mut traps, CORE, &sender.message(PduKind::Inform), now);
    assert_eq!((got, seen.unwrap().kind), (TrapResult::Accepted, TrapKind::ColdStart));
    let response = response.unwrap();
    let (kind, uptime, signed) = sender.read(&response);
    assert_eq!(
        (kind, uptime.value, signed),
        (PduKind::Response, Value::TimeTicks(100), true)
    );
    let Ok(Message::V3(message)) = decode(&response) else {
        panic!()
    };
    assert!(matches!(message.data, ScopedData::Encrypted(_)), "as the inform was");
    let (got, _, again) = take(&mut traps, CORE, &sender.message(PduKind::Inform), now);
    let (Ok(Message::V3(first)), Ok(Message::V3(second))) = (decode(&response), decode(again.as_ref().unwrap())) else {
        panic!()
    };
    assert_eq!(got, TrapResult::Repeated);
    assert_ne!(first.privacy_params, second.privacy_params, "a salt is used once");
}

#[test]
fn what_is_not_authenticated_gets_a_report_at_most() {
    let now = local().started + Duration::from_secs(2_000);
    let own = local().id;
    let good = || Sender::new(&own, 3, 2_000);
    for (what, sender, expected, stat) in [
        (
            "a wrong password",
            good().with_password("another-password"),
            TrapResult::Unauthenticated,
            5,
        ),
        (
            "an unknown user",
            Sender {
                user: b"root",
                ..good()
            },
            TrapResult::Unauthenticated,
            3,
        ),
        (
            "no privacy",
            Sender {
                privacy: None,
                ..good()
            },
            TrapResult::Unauthenticated,
            1,
        ),
        (
            "an old recording",
            Sender::new(&own, 3, 1_800),
            TrapResult::NotInTimeWindow,
            2,
        ),
        (
            "from the boot before",
            Sender::new(&own, 2, 2_000),
            TrapResult::NotInTimeWindow,
            2,
        ),
        (
            "another receiver's engine",
            Sender::new(ENGINE, 3, 2_000),
            TrapResult::Discovery,
            4,
        ),
    ] {
        let mut traps = traps();
        let (got, _, answer) = take(&mut traps, CORE, &sender.message(PduKind::Inform), now);
        assert_eq!(got, expected, "{what}");
        let (kind, counter, signed) = sender.read(&answer.expect(what));
        assert_eq!((kind, counter.oid), (PduKind::Report, usm_stat(stat)), "{what}");
        // Only who has the key learns our clock in a way that can be believed.
        assert_eq!(signed, stat == 2, "{what}");
        assert!(
            !traps.counts().any(|(r, n)| r == TrapResult::Accepted && n > 0),
            "{what}"
        );
    }
    let wrong_privacy = Sender {
        privacy: Some(
            MasterKey::from_password(Auth::Sha256, b"another-password")
                .unwrap()
                .privacy_key(Privacy::Aes128, &own),
        ),
        ..good()
    };
    let (got, _, answer) = take(&mut traps(), CORE, &wrong_privacy.message(PduKind::Inform), now);
    assert_eq!(got, TrapResult::Unauthenticated);
    assert_eq!(good().read(&answer.unwrap()).1.oid, usm_stat(6));
}

#[test]
fn a_trap_to_our_own_engine_or_an_inform_without_report_is_nobodys() {
    let now = local().started + Duration::from_secs(2_000);
    let sender = Sender::new(&local().id, 3, 2_000);
    let (got, _, answer) = take(&mut traps(), CORE, &sender.message(PduKind::Trap), now);
    assert_eq!((got, answer), (TrapResult::Malformed, None));
    let (got, _, answer) = take(&mut traps(), CORE, &sender.message(PduKind::Get), now);
    assert_eq!((got, answer), (TrapResult::Malformed, None), "we are no agent");
}
