//! The network of the bench: answers echo requests and SNMP requests of those that are not silent, from memory.

use super::site::{CIRCUITS, DEVICES, PER_DEVICE};
use hinomi::model::Mono;
use hinomi::poll::{Channel, PollInput};
use hinomi::wire::snmp::{Message, Pdu, PduKind, Value, VarBind, Version, decode, encode_community};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What a ten-millionth of a second of simulated traffic is not worth: answers come so much later.
const DELAY: Duration = Duration::from_millis(5);

/// Who answers.
#[derive(Default)]
pub(crate) struct Network {
    /// By circuit.
    pub(crate) silent: Vec<bool>,
    /// Aggregation devices below this number are silent, and so is what is behind them.
    pub(crate) dead_devices: u32,
    pub(crate) behind: u32,
    pub(crate) echoes: u64,
    pub(crate) requests: u64,
}

impl Network {
    fn answers(&self, to: IpAddr) -> bool {
        let IpAddr::V4(v4) = to else { return false };
        let number = u32::from(v4);
        if number >= DEVICES {
            return number - DEVICES >= self.dead_devices;
        }
        let circuit = number - CIRCUITS;
        let dead = self.behind > 0 && circuit / self.behind < self.dead_devices;
        !dead && !self.silent.get(circuit as usize).copied().unwrap_or(false)
    }

    /// Takes a datagram; gives its answer.
    pub(crate) fn sent(&mut self, channel: Channel, to: SocketAddr, bytes: &[u8], now: Mono) -> Option<PollInput> {
        match channel {
            Channel::Icmp => self.echoes += 1,
            Channel::Udp(_) => self.requests += 1,
        }
        if !self.answers(to.ip()) {
            return None;
        }
        let bytes = match channel {
            Channel::Icmp => echo(to.ip(), bytes)?,
            Channel::Udp(_) => agent(to.ip(), bytes, now)?,
        };
        Some(PollInput::Datagram {
            channel,
            from: to,
            at: now + DELAY,
            bytes,
        })
    }
}

fn echo(to: IpAddr, echo: &[u8]) -> Option<Vec<u8>> {
    let IpAddr::V4(address) = to else { return None };
    let mut bytes = vec![0x45, 0, 0, 20 + u8::try_from(echo.len()).ok()?, 0, 0, 0, 0, 64, 1, 0, 0];
    bytes.extend(address.octets());
    bytes.extend([192, 0, 2, 1]);
    bytes.extend(echo);
    // Type 8 becomes 0: the checksum grows by 8 in its upper octet, in ones' complement.
    let sum = u32::from(u16::from_be_bytes([echo[2], echo[3]])) + 0x0800;
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(0);
    bytes[20] = 0;
    bytes[22..24].copy_from_slice(&sum.to_be_bytes());
    Some(bytes)
}

fn agent(to: IpAddr, bytes: &[u8], now: Mono) -> Option<Vec<u8>> {
    let Ok(Message::Community { community, pdu, .. }) = decode(bytes) else {
        return None;
    };
    let device = matches!(to, IpAddr::V4(v4) if u32::from(v4) >= DEVICES);
    let varbinds = match pdu.kind {
        PduKind::Get => pdu.varbinds.iter().map(|v| get(device, &v.oid(), now)).collect(),
        _ => bulk(device, &pdu.varbinds.first()?.oid(), pdu.error_index),
    };
    let answer = Pdu {
        kind: PduKind::Response,
        request_id: pdu.request_id,
        error_status: 0,
        error_index: 0,
        varbinds,
    };
    Some(encode_community(Version::V2c, community, &answer))
}

const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];

fn name(device: bool, index: u32) -> Option<String> {
    match (device, index) {
        (false, 2) => Some("wan0".to_owned()),
        (true, 1..=PER_DEVICE) => Some(format!("ge-0/0/{}", index - 1)),
        _ => None,
    }
}

fn get(device: bool, oid: &[u32], now: Mono) -> VarBind {
    let ticks = u32::try_from(now.0 / 10_000).unwrap_or(0);
    let octets = now.0 / 1_000_000 * 2_000_000;
    let value = match oid {
        [1, 3, 6, 1, 2, 1, 1, 3, 0] => Value::TimeTicks(ticks),
        [1, 3, 6, 1, 2, 1, 1, 2, 0] => Value::Oid(vec![1, 3, 6, 1, 4, 1, 99_999, 1]),
        [1, 3, 6, 1, 2, 1, 2, 1, 0] => Value::Integer(if device { 48 } else { 2 }),
        [1, 3, 6, 1, 2, 1, 31, 1, 5, 0] => Value::TimeTicks(0),
        [1, 3, 6, 1, 2, 1, 2, 2, 1, 7 | 8, _] => Value::Integer(1),
        [1, 3, 6, 1, 2, 1, 2, 2, 1, 13 | 14 | 19 | 20, _] => Value::Counter32(0),
        [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, index] => {
            name(device, *index).map_or(Value::NoSuchInstance, |n| Value::OctetString(n.into_bytes()))
        }
        [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6..=13, _] => Value::Counter64(octets),
        [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15, _] => Value::Gauge32(1_000),
        [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18, _] => Value::OctetString(Vec::new()),
        [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 19, _] => Value::TimeTicks(0),
        _ => Value::NoSuchObject,
    };
    VarBind {
        oid: oid.to_vec(),
        value,
    }
}

/// A GETBULK over ifName; anything else is past the end.
fn bulk(device: bool, from: &[u32], repetitions: u32) -> Vec<VarBind> {
    let Some(rest) = from.strip_prefix(IF_NAME) else {
        return vec![VarBind {
            oid: from.to_vec(),
            value: Value::EndOfMibView,
        }];
    };
    let first = rest.first().map_or(1, |i| i + 1);
    let last = first + repetitions;
    let rows = (first.max(if device { 1 } else { 2 })..last).map_while(|index| {
        let name = name(device, index)?;
        Some(VarBind {
            oid: [IF_NAME, &[index]].concat(),
            value: Value::OctetString(name.into_bytes()),
        })
    });
    let mut rows: Vec<VarBind> = rows.collect();
    if rows.len() < repetitions as usize {
        rows.push(VarBind {
            oid: vec![1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 2, 1],
            value: Value::Counter32(0),
        });
    }
    rows
}
