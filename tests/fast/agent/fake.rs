//! A scripted SNMP agent, written with async-snmp's codec, and a virtual network to it.

use super::site;
use async_snmp::compatibility::DecodeConfig;
use async_snmp::message::{
    CommunityMessage, CommunityPdu, Message, MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel, V3Message,
};
use async_snmp::message_size::MessageSize;
use async_snmp::pdu::{Pdu, PduBody, PduType, StandardPduType};
use async_snmp::v3::auth::authenticate_message;
use async_snmp::v3::{AuthProtocol, LocalizedKey, MasterKeys, UsmSecurityParams};
use async_snmp::{Oid, Value, VarBind, Version};
use hinomi::model::snmp::{self, Credentials, V3User};
use hinomi::model::{Device, DeviceId, Mono, Now, Secret, Site, Wall};
use hinomi::poll::agent::{AgentEvent, Agents};
use hinomi::poll::{AgentReading, AgentRound, Channel};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) const COMMUNITY: &[u8] = b"s3cret-community";
pub(crate) const USER: &str = "noc";
pub(crate) const PASSWORD: &str = "s3cret-password";
const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04engine-a";
const USM_STATS: [u32; 9] = [1, 3, 6, 1, 6, 3, 15, 1, 1];

/// What a request asks, in the agent's eyes.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) version: Version,
    pub(crate) msg_id: i32,
    pub(crate) request_id: i32,
    pub(crate) kind: PduType,
    pub(crate) oids: Vec<Vec<u32>>,
    repetitions: u32,
    engine: Vec<u8>,
    pub(crate) boots: u32,
    time: u32,
}

/// The agent.
pub(crate) struct Fake {
    pub(crate) objects: BTreeMap<Vec<u32>, Value>,
    pub(crate) engine: Vec<u8>,
    pub(crate) boots: u32,
    /// Engine time at Mono(0), seconds.
    pub(crate) time: u32,
    /// tooBig for answers of more octets.
    pub(crate) limit: usize,
    /// GETNEXT and GETBULK give an object again and again.
    pub(crate) circles: bool,
    /// GETBULK invents rows without end.
    pub(crate) endless: bool,
    /// GET denies what lies below; a walk gives it.
    pub(crate) by_walk_only: Option<Vec<u32>>,
}

impl Fake {
    pub(crate) fn new() -> Fake {
        let mut fake = Fake {
            objects: BTreeMap::new(),
            engine: ENGINE.to_vec(),
            boots: 5,
            time: 1_000,
            limit: usize::MAX,
            circles: false,
            endless: false,
            by_walk_only: None,
        };
        fake.set(
            &[1, 3, 6, 1, 2, 1, 1, 2, 0],
            Value::ObjectIdentifier(Oid::from_slice(&[1, 3, 6, 1, 4, 1, 99_999])),
        );
        fake.set(&[1, 3, 6, 1, 2, 1, 1, 3, 0], Value::TimeTicks(100_000));
        fake.set(&[1, 3, 6, 1, 2, 1, 2, 1, 0], Value::Integer(2));
        fake.set(&[1, 3, 6, 1, 2, 1, 31, 1, 5, 0], Value::TimeTicks(0));
        fake.set(&[1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2, 196_608], Value::Integer(42));
        fake.set(&[1, 3, 6, 1, 3, 1], Value::Integer(0));
        fake.port(1, "a", 1_000);
        fake.port(2, "b", 2_000);
        fake
    }

    pub(crate) fn set(&mut self, oid: &[u32], value: Value) {
        self.objects.insert(oid.to_vec(), value);
    }

    /// A row with 64-bit counters; every counter is `base` plus its column number.
    pub(crate) fn port(&mut self, index: u32, name: &str, base: u64) {
        let x = |col: u32| [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, col, index];
        let e = |col: u32| [1, 3, 6, 1, 2, 1, 2, 2, 1, col, index];
        self.set(&x(1), Value::OctetString(name.as_bytes().to_vec().into()));
        self.set(
            &x(18),
            Value::OctetString(format!("alias of {name}").into_bytes().into()),
        );
        for col in 6..=13 {
            self.set(&x(col), Value::Counter64(base + u64::from(col)));
        }
        self.set(&x(15), Value::Gauge32(1_000));
        self.set(&x(19), Value::TimeTicks(0));
        for col in [7, 8] {
            self.set(&e(col), Value::Integer(1));
        }
        for col in [10, 11, 13, 14, 16, 17, 19, 20] {
            self.set(&e(col), Value::Counter32(u32::try_from(base).unwrap() + col));
        }
        self.set(&e(5), Value::Gauge32(1_000_000_000));
        self.set(&e(2), Value::OctetString(format!("descr-{name}").into_bytes().into()));
    }

    pub(crate) fn remove_port(&mut self, index: u32) {
        let table = |oid: &[u32]| {
            oid.starts_with(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1]) || oid.starts_with(&[1, 3, 6, 1, 2, 1, 2, 2, 1])
        };
        self.objects
            .retain(|oid, _| !(table(oid) && oid.last() == Some(&index)));
    }

    /// Takes columns of ifXTable away.
    pub(crate) fn remove_columns(&mut self, columns: &[u32]) {
        self.objects.retain(|oid, _| {
            !(oid.starts_with(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1]) && oid.get(10).is_some_and(|c| columns.contains(c)))
        });
    }

    pub(crate) fn key(&self) -> LocalizedKey {
        // Hashing a megabyte takes long in a build without optimisation.
        static MASTER: OnceLock<MasterKeys> = OnceLock::new();
        let master = MASTER.get_or_init(|| MasterKeys::new(AuthProtocol::Sha256, PASSWORD.as_bytes()).unwrap());
        master.localize(&self.engine).unwrap().0
    }

    pub(crate) fn read(bytes: &[u8]) -> Asked {
        let message = Message::decode(bytes.to_vec().into(), DecodeConfig::STRICT)
            .unwrap()
            .value;
        let version = message.version();
        let mut asked = Asked {
            version,
            msg_id: 0,
            request_id: 0,
            kind: PduType::GetRequest,
            oids: Vec::new(),
            repetitions: 0,
            engine: Vec::new(),
            boots: 0,
            time: 0,
        };
        if let Message::V3(v3) = &message {
            let usm = UsmSecurityParams::decode(v3.security_params().clone(), DecodeConfig::STRICT)
                .unwrap()
                .value;
            asked.msg_id = v3.msg_id();
            asked.engine = usm.engine_id().to_vec();
            (asked.boots, asked.time) = (usm.engine_boots(), usm.engine_time());
        }
        let pdu = message.pdu().unwrap();
        asked.request_id = pdu.request_id();
        asked.kind = pdu.pdu_type();
        asked.oids = pdu.varbinds().iter().map(|v| v.oid.arcs().to_vec()).collect();
        asked.repetitions = pdu.get_bulk_fields().map_or(1, |(_, r)| r);
        asked
    }

    /// The true answer, or the Report that an honest agent sends.
    pub(crate) fn answer(&self, asked: &Asked, now: Mono) -> Vec<u8> {
        let time = self.time + u32::try_from(now.0 / 1_000_000).unwrap();
        if asked.version == Version::V3 {
            if asked.engine != self.engine {
                return self.report(asked, 4, None, (self.boots, time));
            }
            if asked.boots != self.boots || asked.time.abs_diff(time) > 150 {
                return self.report(asked, 2, Some(&self.key()), (self.boots, time));
            }
        }
        let (status, index, varbinds) = self.values(asked);
        let bytes = self.respond(asked, (status, index), varbinds, time);
        if bytes.len() > self.limit {
            return self.respond(asked, (1, 0), Vec::new(), time);
        }
        bytes
    }

    fn respond(&self, asked: &Asked, status: (i32, i32), varbinds: Vec<VarBind>, time: u32) -> Vec<u8> {
        let pdu = response(asked.request_id, status, varbinds);
        match asked.version {
            Version::V3 => self.v3(asked.msg_id, Some(&self.key()), (self.boots, time), pdu),
            version => community(version, COMMUNITY, pdu),
        }
    }

    fn gives(&self, oid: &[u32]) -> bool {
        self.by_walk_only.as_ref().is_none_or(|base| !oid.starts_with(base))
    }

    /// Error-status, error-index and varbinds.
    pub(crate) fn values(&self, asked: &Asked) -> (i32, i32, Vec<VarBind>) {
        let v1 = asked.version == Version::V1;
        // RFC 3584 section 4.2.2.1: there is no Counter64 in a v1 view.
        let seen = |entry: &(&Vec<u32>, &Value)| !(v1 && matches!(entry.1, Value::Counter64(_)));
        let mut out = Vec::new();
        for (i, oid) in asked.oids.iter().enumerate() {
            let mut from = oid.clone();
            for _ in 0..asked.repetitions.max(1) {
                let found = match asked.kind {
                    PduType::GetRequest => self
                        .objects
                        .get_key_value(&from)
                        .filter(seen)
                        .filter(|(oid, _)| self.gives(oid)),
                    _ if self.circles && oid.len() > 11 => self.objects.range(from[..11].to_vec()..).next(),
                    _ => self
                        .objects
                        .range((Bound::Excluded(from.clone()), Bound::Unbounded))
                        .find(seen),
                };
                if self.endless && asked.kind != PduType::GetRequest {
                    let next = if from.len() > 11 { from[11] + 1 } else { 1 };
                    from = [&from[..11], &[next]].concat();
                    out.push(bind(
                        &from,
                        Value::OctetString(format!("port{next}").into_bytes().into()),
                    ));
                    continue;
                }
                let missing = if asked.kind == PduType::GetRequest {
                    Value::NoSuchInstance
                } else {
                    Value::EndOfMibView
                };
                let Some((name, value)) = found else {
                    if v1 {
                        let echo = asked.oids.iter().map(|o| bind(o, Value::Null)).collect();
                        return (2, i32::try_from(i + 1).unwrap(), echo);
                    }
                    out.push(bind(&from, missing));
                    break;
                };
                from.clone_from(name);
                out.push(bind(name, value.clone()));
                if asked.kind == PduType::GetRequest {
                    break;
                }
            }
        }
        (0, 0, out)
    }

    /// A Report of a usmStats counter, signed if a key is given.
    pub(crate) fn report(&self, asked: &Asked, counter: u32, key: Option<&LocalizedKey>, clock: (u32, u32)) -> Vec<u8> {
        let oid = [&USM_STATS[..], &[counter, 0]].concat();
        let body = standard(StandardPduType::Report, (0, 0));
        let pdu = Pdu::from_raw_parts(asked.request_id, body, vec![bind(&oid, Value::Counter32(7))]);
        self.v3(asked.msg_id, key, clock, pdu)
    }

    pub(crate) fn v3(&self, id: i32, key: Option<&LocalizedKey>, (boots, time): (u32, u32), pdu: Pdu) -> Vec<u8> {
        let params = UsmSecurityParams::new(self.engine.clone(), boots, time, USER.as_bytes().to_vec()).unwrap();
        let (level, params) = match key {
            Some(key) => (
                SecurityLevel::AuthNoPriv,
                params.with_auth_placeholder(key.mac_len()).unwrap(),
            ),
            None => (SecurityLevel::NoAuthNoPriv, params),
        };
        let global = MsgGlobalData::new(id, MessageSize::new(1_500).unwrap(), MsgFlags::new(level, false)).unwrap();
        let scoped = ScopedPdu::new(self.engine.clone(), Vec::new(), pdu);
        let message = V3Message::new(global, params.encode().unwrap(), scoped).unwrap();
        let mut bytes = message.encode().unwrap().to_vec();
        if let Some(key) = key {
            let zeros = vec![0; key.mac_len()];
            let at = bytes.windows(zeros.len()).position(|w| w == zeros).unwrap();
            authenticate_message(key, &mut bytes, at, zeros.len()).unwrap();
        }
        bytes
    }
}

pub(crate) fn bind(oid: &[u32], value: Value) -> VarBind {
    VarBind::new(Oid::from_slice(oid), value)
}

fn standard(pdu_type: StandardPduType, (error_status, error_index): (i32, i32)) -> PduBody {
    PduBody::Standard {
        pdu_type,
        error_status,
        error_index,
    }
}

pub(crate) fn response(id: i32, status: (i32, i32), varbinds: Vec<VarBind>) -> Pdu {
    Pdu::from_raw_parts(id, standard(StandardPduType::Response, status), varbinds)
}

pub(crate) fn request(id: i32, varbinds: Vec<VarBind>) -> Pdu {
    Pdu::from_raw_parts(id, standard(StandardPduType::GetRequest, (0, 0)), varbinds)
}

pub(crate) fn community(version: Version, name: &[u8], pdu: Pdu) -> Vec<u8> {
    let message = match version {
        Version::V1 => CommunityMessage::v1(name.to_vec(), CommunityPdu::Standard(pdu).standard().unwrap().clone()),
        _ => CommunityMessage::v2c(name.to_vec(), pdu),
    };
    message.unwrap().encode().unwrap().to_vec()
}

pub(crate) fn v1() -> Credentials {
    Credentials::V1 {
        community: Secret::new(COMMUNITY),
    }
}

pub(crate) fn v2c() -> Credentials {
    Credentials::V2c {
        community: Secret::new(COMMUNITY),
    }
}

pub(crate) fn v3() -> Credentials {
    Credentials::V3(V3User {
        user: USER.into(),
        auth: Some((snmp::AuthProtocol::Sha256, Secret::new(PASSWORD))),
        privacy: None,
        context: String::new(),
    })
}

/// A datagram on its way to the client.
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    /// After the request.
    pub(crate) delay: Duration,
}

/// One client, one agent, and the time.
pub(crate) struct World {
    pub(crate) agents: Agents,
    pub(crate) fake: Fake,
    pub(crate) now: Mono,
    pub(crate) target: SocketAddr,
    channel: Channel,
    in_flight: BTreeMap<(Mono, u64), Datagram>,
    number: u64,
    /// Requests of the last round or probe, as the agent read them.
    pub(crate) asked: Vec<Asked>,
}

pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(2);

impl World {
    pub(crate) fn new(credentials: Credentials, interfaces: &[&str]) -> World {
        World::of(site::device("edge-a", 161, credentials, interfaces))
    }

    pub(crate) fn of(device: Device) -> World {
        World::at(site::site(vec![device]))
    }

    /// The agent of a site's only device.
    pub(crate) fn at(site: Arc<Site>) -> World {
        World {
            target: SocketAddr::new(site.devices[0].address, 161),
            agents: Agents::new(site, [1; 32]),
            fake: Fake::new(),
            now: Mono(1_000_000),
            channel: Channel::Udp(0),
            in_flight: BTreeMap::new(),
            number: 0,
            asked: Vec::new(),
        }
    }

    pub(crate) fn clock(&self) -> Now {
        Now {
            mono: self.now,
            wall: Wall(0),
        }
    }

    /// The truth, after the usual time.
    pub(crate) fn truth(&self, asked: &Asked) -> Datagram {
        self.datagram(self.fake.answer(asked, self.now))
    }

    pub(crate) fn datagram(&self, bytes: Vec<u8>) -> Datagram {
        Datagram {
            from: self.target,
            bytes,
            delay: ROUND_TRIP,
        }
    }

    pub(crate) fn honest_round(&mut self) -> AgentRound {
        self.round(|world, asked| vec![world.truth(asked)])
    }

    pub(crate) fn honest(&mut self) -> AgentReading {
        *self.honest_round().outcome.unwrap()
    }

    /// A round of which every request is answered as `network` says.
    pub(crate) fn round(&mut self, network: impl FnMut(&World, &Asked) -> Vec<Datagram>) -> AgentRound {
        self.agents.start_round(DeviceId(0), self.clock());
        match self.run(network) {
            AgentEvent::Round(round) => round,
            other => panic!("{other:?}"),
        }
    }

    /// Runs until something ended.
    pub(crate) fn run(&mut self, mut network: impl FnMut(&World, &Asked) -> Vec<Datagram>) -> AgentEvent {
        self.asked.clear();
        loop {
            for event in self.agents.events() {
                match event {
                    AgentEvent::Send { channel, to, bytes } => {
                        assert_eq!(to, self.target);
                        self.channel = channel;
                        let asked = Fake::read(&bytes);
                        for datagram in network(self, &asked) {
                            self.number += 1;
                            self.in_flight
                                .insert((self.now + datagram.delay, self.number), datagram);
                        }
                        self.asked.push(asked);
                    }
                    done => return done,
                }
            }
            self.step();
        }
    }

    /// The next arrival or deadline.
    pub(crate) fn step(&mut self) {
        let wakeup = self.agents.next_wakeup();
        match self.in_flight.first_entry() {
            Some(entry) if entry.key().0 < wakeup => {
                self.now = self.now.max(entry.key().0);
                let datagram = entry.remove();
                let now = self.clock();
                self.agents
                    .take(self.channel, datagram.from, self.now, &datagram.bytes, now);
            }
            _ => {
                assert!(wakeup != Mono::NEVER, "nothing is on its way and nothing is waited for");
                self.now = self.now.max(wakeup);
                let now = self.clock();
                self.agents.wake(now);
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// The one event that waits.
    pub(crate) fn only_event(&mut self) -> AgentEvent {
        let mut events = self.agents.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.pop().unwrap()
    }

    pub(crate) fn deliver(&mut self, channel: Channel, from: SocketAddr, bytes: &[u8]) {
        let now = self.clock();
        self.agents.take(channel, from, self.now, bytes, now);
    }
}
