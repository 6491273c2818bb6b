//! The whole SNMP client among agents that answer truly, late, twice, wrongly, damaged, or for somebody else. The input is what the
//! agents have (answers of a real one, which libFuzzer changes) and then a script of what happens. Whatever it is: nothing panics,
//! what comes from elsewhere or with the wrong key ends no round, what is handed on is clean, what waits is bounded, and after
//! some silence every round has ended.
#![no_main]

use hinomi::config::load_with;
use hinomi::model::{DeviceId, Mono, Now, Site, Wall};
use hinomi::poll::agent::{AgentEvent, Agents};
use hinomi::poll::{AgentReading, Channel};
use hinomi::wire::snmp::usm::{Auth, MasterKey, Privacy};
use hinomi::wire::snmp::{Message, Pdu, PduKind, Scoped, ScopedData, ScopedPdu, V3Header, Value, VarBind, Version};
use hinomi::wire::snmp::{decode, encode_community, encode_v3};
use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[path = "around.rs"]
mod around;

/// snmpEngineID of the v3 agent.
const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04agent";
const NO_SUCH_NAME: u32 = 2;
const USM_STATS: [u32; 9] = [1, 3, 6, 1, 6, 3, 15, 1, 1];
/// unknownEngineIDs, the answer to a discovery.
const UNKNOWN_ENGINE: u32 = 4;

fn site() -> Arc<Site> {
    static SITE: OnceLock<Arc<Site>> = OnceLock::new();
    let read = || {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("site.toml");
        let loaded = load_with(&file, &around::Dummy);
        Arc::new(
            loaded
                .site
                .unwrap_or_else(|| panic!("site.toml: {:?}", loaded.problems)),
        )
    };
    SITE.get_or_init(read).clone()
}

fn master(right: bool) -> &'static MasterKey {
    static KEYS: OnceLock<[MasterKey; 2]> = OnceLock::new();
    let key = |word: &[u8]| MasterKey::from_password(Auth::Sha256, word).expect("the password is not empty");
    &KEYS.get_or_init(|| [key(b"another-password"), key(b"s3cret-password")])[usize::from(right)]
}

/// The input, octet by octet; zeros after its end.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn octets(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u32 {
        self.octets(4).iter().fold(0, |n, b| n << 8 | u32::from(*b))
    }

    fn value(&mut self) -> Value {
        match self.octet() % 14 {
            0 => Value::Integer(i64::from(self.number().cast_signed())),
            1 => Value::OctetString({
                let n = usize::from(self.octet());
                self.octets(n).to_vec()
            }),
            2 => Value::Oid(vec![1, 3, 6, 1, 4, 1, self.number() >> 4]),
            3 => Value::Counter32(self.number()),
            4 => Value::Gauge32(self.number()),
            5 => Value::TimeTicks(self.number()),
            6 => Value::Counter64(u64::from(self.number()) << 32 | u64::from(self.number())),
            7 => Value::NoSuchObject,
            8 => Value::NoSuchInstance,
            9 => Value::EndOfMibView,
            10 => Value::Null,
            11 => Value::Opaque(self.octets(7).to_vec()),
            12 => Value::OctetString(format!("eth{}", self.octet() % 4).into_bytes()),
            _ => Value::Integer(i64::from(self.octet() % 8)),
        }
    }
}

/// What the agents have, in order.
struct Mib(Vec<VarBind>);

impl Mib {
    /// The varbinds of the answers that the input begins with, each with its length before it.
    fn read(script: &mut Script<'_>) -> Mib {
        let mut rows = Vec::new();
        loop {
            let length = usize::from(script.octet()) << 8 | usize::from(script.octet());
            if length == 0 {
                break;
            }
            if let Ok(Message::Community { pdu, .. }) = decode(script.octets(length)) {
                rows.extend(pdu.to_pdu().varbinds.into_iter().filter(|v| !v.value.is_absent()));
            }
        }
        rows.sort_by(|a, b| a.oid.cmp(&b.oid));
        rows.dedup_by(|a, b| a.oid == b.oid);
        Mib(rows)
    }

    fn get(&self, oid: &[u32]) -> Option<Value> {
        let at = self.0.binary_search_by(|v| v.oid.as_slice().cmp(oid)).ok()?;
        Some(self.0[at].value.clone())
    }

    fn after(&self, oid: &[u32]) -> Option<&VarBind> {
        self.0.get(self.0.partition_point(|v| v.oid.as_slice() <= oid))
    }

    /// What a good agent says.
    fn truth(&self, asked: &Pdu, version: Version) -> Pdu {
        let mut pdu = Pdu {
            kind: PduKind::Response,
            error_status: 0,
            error_index: 0,
            ..asked.clone()
        };
        let rows = if asked.kind == PduKind::GetBulk {
            asked.error_index.min(20)
        } else {
            1
        };
        if asked.kind != PduKind::Get {
            pdu.varbinds.clear();
            let mut from = asked.varbinds.first().map(|v| v.oid.clone()).unwrap_or_default();
            for _ in 0..rows {
                let next = self.after(&from).cloned();
                let end = VarBind {
                    oid: from.clone(),
                    value: Value::EndOfMibView,
                };
                pdu.varbinds.push(next.unwrap_or(end));
                from = pdu.varbinds.last().map(|v| v.oid.clone()).unwrap_or_default();
            }
        } else {
            for varbind in &mut pdu.varbinds {
                varbind.value = self.get(&varbind.oid).unwrap_or(Value::NoSuchInstance);
            }
        }
        let absent = pdu.varbinds.iter().position(|v| v.value.is_absent());
        if let (Version::V1, Some(at)) = (version, absent) {
            let index = u32::try_from(at + 1).expect("a request has few objects");
            return Pdu {
                error_status: NO_SUCH_NAME,
                error_index: index,
                varbinds: asked.varbinds.clone(),
                ..pdu
            };
        }
        pdu
    }
}

/// Whatever stands in the script.
fn invented(asked: &Pdu, script: &mut Script<'_>) -> Pdu {
    let mut pdu = Pdu {
        kind: PduKind::Response,
        error_status: 0,
        error_index: 0,
        ..asked.clone()
    };
    match script.octet() % 16 {
        0 => (pdu.error_status, pdu.error_index) = (u32::from(script.octet()), u32::from(script.octet())),
        1 => drop(pdu.varbinds.pop()),
        2 => pdu.kind = PduKind::Report,
        _ => {}
    }
    if asked.kind == PduKind::Get {
        for varbind in &mut pdu.varbinds {
            varbind.value = script.value();
        }
        return pdu;
    }
    let from = asked.varbinds.first().map(|v| v.oid.clone()).unwrap_or_default();
    let row = |i: u8, script: &mut Script<'_>| {
        let mut oid = from.clone();
        oid.push(u32::from(i) + u32::from(script.octet() % 4));
        VarBind {
            oid,
            value: script.value(),
        }
    };
    let rows = script.octet() % 20;
    pdu.varbinds = (0..rows).map(|i| row(i, script)).collect();
    pdu
}

/// Who answers, and how well it knows the secrets.
struct Agent {
    mib: Mib,
    boots: u32,
    /// Seconds ahead of the client's clock.
    ahead: u32,
}

impl Agent {
    /// Answers a request with what `say` makes of it. `right`: with the right community or keys.
    fn answer(&self, request: &[u8], now: Now, right: bool, say: impl FnOnce(&Pdu, Version) -> Pdu) -> Vec<u8> {
        let v3 = match decode(request).expect("what we send can be read") {
            Message::Community {
                version,
                community,
                pdu,
            } => {
                let community = if right { community } else { b"other" };
                return encode_community(version, community, &say(&pdu.to_pdu(), version));
            }
            Message::V3(v3) => v3,
        };
        let time = (now.mono.0 / 1_000_000) as u32 + self.ahead;
        let header = V3Header {
            reportable: false,
            boots: self.boots,
            time,
            engine_id: ENGINE,
            ..v3.header
        };
        if v3.header.engine_id.is_empty() {
            let asked = ScopedPdu::read(match v3.data {
                ScopedData::Plain(data) => data,
                ScopedData::Encrypted(_) => panic!("a discovery cannot be encrypted"),
            });
            let pdu = report(&asked.expect("what we send can be read").pdu.to_pdu(), UNKNOWN_ENGINE);
            return written(&header, &pdu, None);
        }
        let (auth, key) = (
            master(true).auth_key(v3.header.engine_id),
            master(true).privacy_key(Privacy::Aes128, v3.header.engine_id),
        );
        assert!(
            auth.verify(request, v3.auth_params.clone()),
            "a request that is not signed"
        );
        let plain = match v3.data {
            ScopedData::Plain(data) => data.to_vec(),
            ScopedData::Encrypted(data) => key
                .decrypt(v3.header.boots, v3.header.time, v3.privacy_params, data)
                .expect("a salt has eight octets"),
        };
        let asked = ScopedPdu::read(&plain).expect("what we send can be read").pdu.to_pdu();
        let encrypted = matches!(v3.data, ScopedData::Encrypted(_));
        written(&header, &say(&asked, Version::V3), Some((right, encrypted)))
    }
}

fn report(asked: &Pdu, counter: u32) -> Pdu {
    let oid = [&USM_STATS[..], &[counter, 0]].concat();
    let varbinds = vec![VarBind {
        oid,
        value: Value::Counter32(7),
    }];
    Pdu {
        kind: PduKind::Report,
        error_status: 0,
        error_index: 0,
        varbinds,
        ..asked.clone()
    }
}

/// `keys`: whether they are the right ones, and whether the message is encrypted.
fn written(header: &V3Header<'_>, pdu: &Pdu, keys: Option<(bool, bool)>) -> Vec<u8> {
    let scoped = Scoped {
        engine_id: header.engine_id,
        context: b"",
        body: pdu.into(),
    };
    let Some((right, encrypted)) = keys else {
        return encode_v3(header, 65_507, &scoped, None, None);
    };
    let auth = master(right).auth_key(header.engine_id);
    let key = master(right).privacy_key(Privacy::Aes128, header.engine_id);
    encode_v3(header, 65_507, &scoped, Some(&auth), encrypted.then_some((&key, 7)))
}

struct Client {
    agents: Agents,
    now: Now,
    /// The last two requests of each device, the last one first: socket, address, datagram.
    out: [Vec<(Channel, SocketAddr, Vec<u8>)>; 3],
    running: [bool; 3],
    /// Liveness probes that are out: the caller bounds them, one a device and round.
    probes: usize,
    /// Of the last of them: each has its own, as those of the daemon have.
    token: u64,
}

/// Which device an address is: the last octet less one.
fn device_of(to: SocketAddr) -> usize {
    match to {
        SocketAddr::V4(v4) => usize::from(v4.ip().octets()[3]) - 1,
        SocketAddr::V6(_) => unreachable!("the site has IPv4 only"),
    }
}

impl Client {
    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        self.agents.wake(self.now);
        assert!(self.agents.next_wakeup() > self.now.mono, "a wake-up that does nothing");
    }

    fn take(&mut self, (channel, to): (Channel, SocketAddr), bytes: &[u8]) {
        self.agents.take(channel, to, self.now.mono, bytes, self.now);
    }

    fn collect(&mut self) {
        let events = self.agents.events();
        assert!(events.len() < 64, "{} effects of one input", events.len());
        for event in events {
            match event {
                AgentEvent::Send { channel, to, bytes } => {
                    assert!(
                        bytes.len() <= 1_472,
                        "a request of {} octets would be fragmented",
                        bytes.len()
                    );
                    let out = &mut self.out[device_of(to)];
                    out.insert(0, (channel, to, bytes));
                    out.truncate(2);
                }
                AgentEvent::Round(round) => {
                    assert!(
                        round.started <= round.ended && round.ended <= self.now.mono,
                        "a round ends in its time"
                    );
                    self.running[round.device.index()] = false;
                    if let Ok(reading) = &round.outcome {
                        clean(reading);
                    }
                }
                AgentEvent::Liveness { started, ended, .. } => {
                    self.probes = self.probes.checked_sub(1).expect("a probe ends once");
                    assert!(started <= ended && ended <= self.now.mono, "a probe ends in its time");
                }
            }
        }
        for device in 0..3 {
            assert_eq!(
                self.agents.busy(DeviceId(device)),
                self.running[device as usize],
                "device {device}"
            );
        }
    }
}

/// What is handed on has no control characters, a bounded length and an order, and each name once.
fn clean(reading: &AgentReading) {
    let fit = |text: &str| text.chars().count() <= 255 && !text.chars().any(char::is_control) && !text.is_empty();
    for interface in &reading.interfaces {
        assert!(fit(&interface.name), "{:?}", interface.name);
        assert!(interface.alias.as_deref().is_none_or(fit), "{:?}", interface.alias);
    }
    assert!(
        reading.interfaces.windows(2).all(|w| w[0].name < w[1].name),
        "interfaces are not in order"
    );
    assert!(
        reading.missing.windows(2).all(|w| w[0] < w[1]),
        "missing names are not in order"
    );
    assert!(
        reading.scalars.windows(2).all(|w| w[0].oid < w[1].oid),
        "objects are not in order"
    );
}

fn step(client: &mut Client, agent: &mut Agent, script: &mut Script<'_>) {
    let step = script.octet();
    let device = usize::from(step >> 6) % 3;
    if !client.running[device] {
        client.running[device] = true;
        client.agents.start_round(DeviceId(device as u32), client.now);
        client.collect();
    }
    let Some((channel, to, request)) = client.out[device].first().cloned() else {
        return;
    };
    let (who, now, before) = ((channel, to), client.now, client.running);
    let signs = device == 2;
    // An input that must not end a round.
    let mut unbelievable = false;
    match step & 15 {
        0 => client.pass(Duration::from_millis(u64::from(script.octet()) * 20)),
        1 => {
            let n = usize::from(script.octet()) * 4;
            client.take(who, script.octets(n));
            unbelievable = signs;
        }
        2 => {
            let bytes = agent.answer(&request, now, true, |asked, version| agent.mib.truth(asked, version));
            client.take(
                (channel, SocketAddr::from((Ipv4Addr::new(127, 0, 0, 99), to.port()))),
                &bytes,
            );
            client.take((channel, SocketAddr::new(to.ip(), to.port() + 1)), &bytes);
            unbelievable = true;
        }
        3 => {
            let mut bytes = agent.answer(&request, now, true, |asked, version| agent.mib.truth(asked, version));
            let (at, damage) = (usize::from(script.octet()) * 4 % bytes.len(), script.octet());
            bytes[at] ^= damage;
            client.take(who, &bytes);
            unbelievable = signs && damage != 0;
        }
        4 => client.agents.send_failed(channel, to, "Network is unreachable", now),
        6 => {
            let bytes = agent.answer(&request, now, true, |asked, _| invented(asked, script));
            client.take(who, &bytes);
        }
        7 if client.probes < 8 => {
            client.probes += 1;
            client.token += 1;
            client.agents.start_liveness(DeviceId(device as u32), client.token, now);
        }
        8 => client.agents.reload(site(), now),
        9 => {
            let bytes = agent.answer(&request, now, false, |asked, version| agent.mib.truth(asked, version));
            client.take(who, &bytes);
            unbelievable = true;
        }
        10 => {
            agent.boots = agent.boots.saturating_add(u32::from(script.octet())) & 0x7fff_ffff;
            agent.ahead = script.number() >> 4;
        }
        11 => {
            let (status, index) = (u32::from(script.octet()), u32::from(script.octet()));
            let refuse = |asked: &Pdu, _| Pdu {
                kind: PduKind::Response,
                error_status: status,
                error_index: index,
                ..asked.clone()
            };
            client.take(who, &agent.answer(&request, now, true, refuse));
        }
        12 => {
            let counter = u32::from(script.octet() % 8);
            client.take(
                who,
                &agent.answer(&request, now, true, |asked, _| report(asked, counter)),
            );
        }
        13 => {
            let Some((channel, to, request)) = client.out[device].last().cloned() else {
                return;
            };
            let bytes = agent.answer(&request, now, true, |asked, version| agent.mib.truth(asked, version));
            client.take((channel, to), &bytes);
            client.take((channel, to), &bytes);
        }
        14 => {
            let (at, value) = (usize::from(script.octet()), script.value());
            if let Some(row) = agent.mib.0.get_mut(at) {
                row.value = value;
            }
        }
        _ => {
            let bytes = agent.answer(&request, now, true, |asked, version| agent.mib.truth(asked, version));
            client.take(who, &bytes);
        }
    }
    client.collect();
    assert!(
        !unbelievable || client.running == before,
        "an answer that nobody signed ended a round"
    );
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let mut agent = Agent {
        mib: Mib::read(&mut script),
        boots: 3,
        ahead: 0,
    };
    let mut client = Client {
        agents: Agents::new(site(), [7; 32]),
        now: Now {
            mono: Mono(1_000_000),
            wall: Wall::default(),
        },
        out: Default::default(),
        running: [false; 3],
        probes: 0,
        token: 0,
    };
    for _ in 0..200 {
        if script.0.is_empty() {
            break;
        }
        step(&mut client, &mut agent, &mut script);
    }
    // Three tries of each request and of each detour, one diagnosis: a minute of silence ends anything.
    for _ in 0..120 {
        client.pass(Duration::from_millis(500));
        client.collect();
    }
    assert_eq!(
        (client.running, client.probes),
        ([false; 3], 0),
        "a round or a probe that does not end"
    );
    assert_eq!(client.agents.next_wakeup(), Mono::NEVER, "something still waits");
});
