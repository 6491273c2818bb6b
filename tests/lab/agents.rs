//! Many small SNMP v2c agents on loopback for the stories that need numbers rather than real parts. Their encoding is the lab's own:
//! the product's codec is never on both sides. They count what they are asked: the judge of a lost poll is the agent.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
const SYS_UPTIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const SYS_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];
const CPU: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2, 1];

/// One agent.
#[derive(Debug)]
pub(crate) struct Agent {
    /// `127.1.x.y:port`.
    pub(crate) address: String,
    /// hrProcessorLoad, percent.
    pub(crate) cpu: AtomicI64,
    /// It answers nothing.
    pub(crate) silent: AtomicBool,
    /// When requests that ask for the processor load came in.
    asked: Mutex<Vec<Instant>>,
    began: Instant,
}

impl Agent {
    /// Times at which the processor load was asked for.
    pub(crate) fn asked(&self) -> Vec<Instant> {
        self.asked.lock().expect("no holder of the list panics").clone()
    }

    /// A new load.
    pub(crate) fn set(&self, percent: i64) {
        self.cpu.store(percent, Ordering::SeqCst);
    }

    fn objects(&self) -> BTreeMap<Vec<u32>, Vec<u8>> {
        let ticks = u32::try_from(self.began.elapsed().as_millis() / 10).unwrap_or(0) + 100_000;
        let mut map = BTreeMap::new();
        map.insert(SYS_DESCR.to_vec(), tlv(0x04, b"agent of the lab"));
        map.insert(
            SYS_OBJECT_ID.to_vec(),
            tlv(0x06, &oid_bytes(&[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10])),
        );
        map.insert(SYS_UPTIME.to_vec(), tlv(0x43, &unsigned(ticks)));
        map.insert(SYS_NAME.to_vec(), tlv(0x04, b"lab"));
        let load = u32::try_from(self.cpu.load(Ordering::SeqCst)).unwrap_or(0);
        map.insert(CPU.to_vec(), tlv(0x02, &unsigned(load)));
        map
    }
}

/// Starts `count` agents on addresses of 127.1.0.0/16, all on one port; they run until the process ends.
pub(crate) fn start(count: u16) -> Result<(Vec<Arc<Agent>>, u16), String> {
    let probe = UdpSocket::bind("127.1.0.0:0").map_err(|e| format!("agents cannot bind: {e}"))?;
    let port = probe.local_addr().map_err(|e| e.to_string())?.port();
    let mut agents = Vec::new();
    for number in 0..count {
        let address = format!("127.1.{}.{}:{port}", number / 200, number % 200 + 1);
        let socket = UdpSocket::bind(&address).map_err(|e| format!("agent cannot bind {address}: {e}"))?;
        let agent = Arc::new(Agent {
            address,
            cpu: AtomicI64::new(10),
            silent: AtomicBool::new(false),
            asked: Mutex::new(Vec::new()),
            began: Instant::now(),
        });
        agents.push(agent.clone());
        std::thread::spawn(move || serve(&socket, &agent));
    }
    Ok((agents, port))
}

fn serve(socket: &UdpSocket, agent: &Agent) {
    let mut buffer = [0u8; 65_536];
    let _ = socket.set_read_timeout(Some(Duration::from_secs(3600)));
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        if agent.silent.load(Ordering::SeqCst) {
            continue;
        }
        if let Some(answer) = answer(&buffer[..length], agent) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// A v2c GET, GETNEXT or GETBULK with community `lab` to its response.
fn answer(request: &[u8], agent: &Agent) -> Option<Vec<u8>> {
    let (0x30, message, _) = read(request)? else {
        return None;
    };
    let (0x02, version, rest) = read(message)? else {
        return None;
    };
    let (0x04, community, rest) = read(rest)? else {
        return None;
    };
    if version != [1] || community != b"lab" {
        return None;
    }
    let (kind, pdu, _) = read(rest)?;
    let (0x02, id, rest) = read(pdu)? else { return None };
    let (0x02, first, rest) = read(rest)? else { return None };
    let (0x02, second, rest) = read(rest)? else { return None };
    let (0x30, mut list, _) = read(rest)? else { return None };
    let mut asked = Vec::new();
    while !list.is_empty() {
        let (0x30, varbind, rest) = read(list)? else {
            return None;
        };
        let (0x06, name, _) = read(varbind)? else { return None };
        asked.push(oid(name));
        list = rest;
    }
    if kind == 0xa0 && asked.iter().any(|o| o == CPU) {
        agent
            .asked
            .lock()
            .expect("no holder of the list panics")
            .push(Instant::now());
    }
    let objects = agent.objects();
    let mut bindings = Vec::new();
    match kind {
        0xa0 => asked.iter().for_each(|name| bindings.extend(get(&objects, name))),
        0xa1 => asked.iter().for_each(|name| bindings.extend(next(&objects, name).1)),
        0xa5 => {
            let plain = usize::from(*first.last()?);
            for (at, name) in asked.iter().enumerate() {
                let mut name = name.clone();
                for _ in 0..if at < plain {
                    1
                } else {
                    usize::from(*second.last()?).min(20)
                } {
                    let (at, binding) = next(&objects, &name);
                    bindings.extend(binding);
                    match at {
                        Some(at) => name = at,
                        None => break,
                    }
                }
            }
        }
        _ => return None,
    }
    let mut body = tlv(0x02, id);
    body.extend(tlv(0x02, &[0]));
    body.extend(tlv(0x02, &[0]));
    body.extend(tlv(0x30, &bindings));
    let mut message = tlv(0x02, &[1]);
    message.extend(tlv(0x04, b"lab"));
    message.extend(tlv(0xa2, &body));
    Some(tlv(0x30, &message))
}

fn binding(name: &[u32], value: &[u8]) -> Vec<u8> {
    let mut pair = tlv(0x06, &oid_bytes(name));
    pair.extend_from_slice(value);
    tlv(0x30, &pair)
}

fn get(objects: &BTreeMap<Vec<u32>, Vec<u8>>, name: &[u32]) -> Vec<u8> {
    // noSuchInstance where nothing stands.
    binding(name, objects.get(name).map_or(&[0x81, 0][..], |v| v.as_slice()))
}

fn next(objects: &BTreeMap<Vec<u32>, Vec<u8>>, name: &[u32]) -> (Option<Vec<u32>>, Vec<u8>) {
    use std::ops::Bound::{Excluded, Unbounded};
    match objects.range::<[u32], _>((Excluded(name), Unbounded)).next() {
        Some((at, value)) => (Some(at.clone()), binding(at, value)),
        // endOfMibView.
        None => (None, binding(name, &[0x82, 0])),
    }
}

fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, first) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let (length, start) = match first {
        0..=0x7f => (first, 2),
        0x81 => (usize::from(*bytes.get(2)?), 3),
        0x82 => (usize::from(*bytes.get(2)?) << 8 | usize::from(*bytes.get(3)?), 4),
        _ => return None,
    };
    Some((tag, bytes.get(start..start + length)?, bytes.get(start + length..)?))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        Ok(long) => out.extend([0x81, long]),
        Err(_) => {
            let length = u16::try_from(content.len()).expect("an answer fits one datagram");
            out.push(0x82);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

fn unsigned(value: u32) -> Vec<u8> {
    let mut bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    if bytes.first().is_none_or(|b| *b >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}

fn oid(bytes: &[u8]) -> Vec<u32> {
    let mut out = Vec::new();
    let mut value = 0u32;
    for byte in bytes {
        value = (value << 7) | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if out.is_empty() {
                out.extend([(value / 40).min(2), value - 40 * (value / 40).min(2)]);
            } else {
                out.push(value);
            }
            value = 0;
        }
    }
    out
}

fn oid_bytes(oid: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    let first = oid[0] * 40 + oid[1];
    for sub in std::iter::once(&first).chain(&oid[2..]) {
        let mut shift = 28;
        while shift > 0 && sub >> shift == 0 {
            shift -= 7;
        }
        while shift > 0 {
            out.push(u8::try_from((sub >> shift) & 0x7f).unwrap_or(0) | 0x80);
            shift -= 7;
        }
        out.push(u8::try_from(sub & 0x7f).unwrap_or(0));
    }
    out
}
