//! The agent of a device: answers GET and GETBULK (SNMPv2c) with octets made here, not by the codec that is being tested.
//!
//! Never here: a judgement; a datagram that nobody asked for.

use super::truth::At;
use super::truth::roles::{Cell, Rows};

/// How a counter lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Begins at zero again.
    Reset,
    /// Leaps further than the port could carry.
    Leap,
    /// Goes back a little.
    Back,
    /// Stands still, or moves again.
    Freeze(bool),
}

/// A port.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) up: bool,
    bps: (u64, u64),
    octets: (f64, f64),
    moved: At,
    frozen: bool,
}

impl Port {
    fn new(name: &str) -> Port {
        Port {
            name: name.to_owned(),
            up: true,
            bps: (1_000_000, 1_000_000),
            octets: (1e9, 2e9),
            moved: 0,
            frozen: false,
        }
    }

    fn advance(&mut self, now: At) {
        let seconds = now.saturating_sub(self.moved) as f64 / 1e6;
        self.moved = now;
        if !self.frozen {
            self.octets.0 += self.bps.0 as f64 / 8.0 * seconds;
            self.octets.1 += self.bps.1 as f64 / 8.0 * seconds;
        }
    }

    pub(crate) fn set_bps(&mut self, inward: u64, outward: u64, now: At) {
        self.advance(now);
        self.bps = (inward, outward);
    }

    pub(crate) fn lie(&mut self, lie: Lie, now: At) {
        self.advance(now);
        match lie {
            Lie::Reset => self.octets = (0.0, 0.0),
            Lie::Leap => self.octets.0 += 1e15,
            Lie::Back => self.octets.0 -= 5e6,
            Lie::Freeze(on) => self.frozen = on,
        }
    }
}

/// An agent.
pub(crate) struct Agent {
    pub(crate) running: bool,
    pub(crate) cpu: i64,
    pub(crate) ports: Vec<Port>,
    /// What it tells of redundancy groups.
    pub(crate) roles: Rows,
    /// sysUpTime at the beginning of the story, less a reboot since.
    booted: i64,
}

enum Value<'a> {
    Int(i64),
    Gauge(u64),
    Ticks(u64),
    Counter32(u64),
    Counter64(u64),
    Text(&'a str),
    Octet(u8),
    Oid(&'a [u8]),
    NoInstance,
    EndOfMib,
}

impl Value<'_> {
    fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Int(v) => Value::Int(*v),
            Cell::Counter(v) => Value::Counter32(*v),
            Cell::Octet(v) => Value::Octet(*v),
        }
    }
}

const IF_X: [u8; 9] = [0x2b, 6, 1, 2, 1, 31, 1, 1, 1];
/// 1.3.6.1.4.1.99999.1: a make that no profile knows.
const MAKE: [u8; 9] = [0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1];

impl Agent {
    /// An agent that has been up for a day.
    pub(crate) fn new(ports: &[String]) -> Agent {
        Agent {
            running: true,
            cpu: 20,
            ports: ports.iter().map(|p| Port::new(p)).collect(),
            roles: Rows::new(),
            booted: -86_400_000_000,
        }
    }

    /// Starts again: counters and uptime begin anew.
    pub(crate) fn reboot(&mut self, now: At) {
        self.booted = now as i64;
        for port in &mut self.ports {
            port.lie(Lie::Reset, now);
        }
    }

    /// The answer to a request, if it is one.
    pub(crate) fn answer(&mut self, request: &[u8], now: At) -> Option<Vec<u8>> {
        if !self.running {
            return None;
        }
        for port in &mut self.ports {
            port.advance(now);
        }
        let (_, message, _) = tlv(request)?;
        let (version, community, pdu) = three(message)?;
        let (kind, mut rest, _) = tlv(pdu)?;
        let mut fields = [0i64; 3];
        let mut id = rest;
        for (i, field) in fields.iter_mut().enumerate() {
            let (_, contents, after) = tlv(rest)?;
            *field = contents.iter().fold(0, |n, b| n << 8 | i64::from(*b));
            if i == 0 {
                id = &rest[..rest.len() - after.len()];
            }
            rest = after;
        }
        let (_, mut list, _) = tlv(rest)?;
        let mut varbinds = Vec::with_capacity(list.len() * 2);
        while !list.is_empty() {
            let (_, varbind, after) = tlv(list)?;
            let (_, oid, _) = tlv(varbind)?;
            match kind {
                0xa0 => self.get(oid, now, &mut varbinds),
                0xa5 => self.bulk(oid, fields[2].clamp(1, 32) as usize, &mut varbinds),
                _ => return None,
            }
            list = after;
        }
        let mut pdu = id.to_vec();
        pdu.extend([2, 1, 0, 2, 1, 0]);
        wrap(0x30, &varbinds, &mut pdu);
        let mut message = [version, community].concat();
        wrap(0xa2, &pdu, &mut message);
        let mut answer = Vec::with_capacity(message.len() + 4);
        wrap(0x30, &message, &mut answer);
        Some(answer)
    }

    fn get(&self, oid: &[u8], now: At, out: &mut Vec<u8>) {
        let ticks = ((now as i64 - self.booted) / 10_000) as u64;
        let value = match oid {
            [0x2b, 6, 1, 2, 1, 1, 3, 0] => Value::Ticks(ticks),
            [0x2b, 6, 1, 2, 1, 1, 2, 0] => Value::Oid(&MAKE),
            [0x2b, 6, 1, 2, 1, 2, 1, 0] => Value::Int(self.ports.len() as i64),
            [0x2b, 6, 1, 2, 1, 31, 1, 5, 0] => Value::Ticks(0),
            [0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1, 1, 0] => Value::Gauge(self.cpu as u64),
            [0x2b, 6, 1, 2, 1, 2, 2, 1, column, index] => self.narrow(*column, *index),
            [0x2b, 6, 1, 2, 1, 31, 1, 1, 1, column, index] => self.wide(*column, *index),
            _ => self.roles.get(&numbers(oid)).map_or(Value::NoInstance, Value::of),
        };
        varbind(oid, &value, out);
    }

    fn port(&self, index: u8) -> Option<&Port> {
        self.ports.get(usize::from(index).checked_sub(1)?)
    }

    fn narrow(&self, column: u8, index: u8) -> Value<'_> {
        let Some(port) = self.port(index) else {
            return Value::NoInstance;
        };
        match column {
            7 => Value::Int(1),
            8 => Value::Int(if port.up { 1 } else { 2 }),
            13 | 14 | 19 | 20 => Value::Counter32(0),
            _ => Value::NoInstance,
        }
    }

    fn wide(&self, column: u8, index: u8) -> Value<'_> {
        let Some(port) = self.port(index) else {
            return Value::NoInstance;
        };
        match column {
            1 => Value::Text(&port.name),
            6 => Value::Counter64(port.octets.0 as u64),
            10 => Value::Counter64(port.octets.1 as u64),
            7 => Value::Counter64((port.octets.0 / 500.0) as u64),
            11 => Value::Counter64((port.octets.1 / 500.0) as u64),
            8 | 9 | 12 | 13 => Value::Counter64(0),
            15 => Value::Gauge(1_000),
            18 => Value::Text(""),
            19 => Value::Ticks(0),
            _ => Value::NoInstance,
        }
    }

    /// Names of ports and what is told of roles; any other column is empty.
    fn bulk(&self, from: &[u8], repetitions: usize, out: &mut Vec<u8>) {
        let column = [&IF_X[..], &[1]].concat();
        let Some(after) = from.strip_prefix(&column[..]) else {
            return self.next_roles(from, repetitions, out);
        };
        let first = after.first().copied().unwrap_or(0);
        let names = (1u8..).zip(&self.ports).filter(|(index, _)| *index > first);
        let mut left = repetitions;
        for (index, port) in names.take(repetitions) {
            varbind(&[&column[..], &[index]].concat(), &Value::Text(&port.name), out);
            left -= 1;
        }
        if left > 0 {
            varbind(&[&IF_X[..], &[2, 1]].concat(), &Value::Counter32(0), out);
        }
    }
}

impl Agent {
    fn next_roles(&self, from: &[u8], repetitions: usize, out: &mut Vec<u8>) {
        let after = (std::ops::Bound::Excluded(numbers(from)), std::ops::Bound::Unbounded);
        let mut left = repetitions;
        for (oid, cell) in self.roles.range(after).take(repetitions) {
            varbind(&octets(oid), &Value::of(cell), out);
            left -= 1;
        }
        if left > 0 {
            varbind(from, &Value::EndOfMib, out);
        }
    }
}

/// The numbers of an object identifier.
fn numbers(oid: &[u8]) -> Vec<u32> {
    let mut all = vec![1, 3];
    let mut number = 0;
    for byte in oid.get(1..).unwrap_or_default() {
        number = number << 7 | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            all.push(std::mem::take(&mut number));
        }
    }
    if let Some(first) = oid.first() {
        (all[0], all[1]) = (u32::from(first / 40), u32::from(first % 40));
    }
    all
}

/// An object identifier of these numbers.
fn octets(numbers: &[u32]) -> Vec<u8> {
    let mut all = vec![(numbers[0] * 40 + numbers[1]) as u8];
    for number in &numbers[2..] {
        let digits = (1..5).take_while(|d| number >> (7 * d) > 0).count();
        for d in (0..=digits).rev() {
            let more = if d > 0 { 0x80 } else { 0 };
            all.push((number >> (7 * d) & 0x7f) as u8 | more);
        }
    }
    all
}

/// Tag, contents and what follows.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length) = (*bytes.first()?, *bytes.get(1)?);
    let (length, start) = match length {
        0x81 => (usize::from(*bytes.get(2)?), 3),
        0x82 => (usize::from(*bytes.get(2)?) << 8 | usize::from(*bytes.get(3)?), 4),
        short => (usize::from(short), 2),
    };
    Some((tag, bytes.get(start..start + length)?, bytes.get(start + length..)?))
}

/// Version, community (both whole) and the rest.
fn three(message: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (_, _, after_version) = tlv(message)?;
    let version = &message[..message.len() - after_version.len()];
    let (_, _, pdu) = tlv(after_version)?;
    Some((version, &after_version[..after_version.len() - pdu.len()], pdu))
}

fn wrap(tag: u8, contents: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    match contents.len() {
        n @ 0..=127 => out.push(n as u8),
        n @ 128..=255 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(contents);
}

fn number(tag: u8, value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take(7).take_while(|b| **b == 0).count();
    let digits = &bytes[skip..];
    let sign = digits[0] & 0x80 != 0;
    out.extend([tag, digits.len() as u8 + u8::from(sign)]);
    out.extend(sign.then_some(0));
    out.extend_from_slice(digits);
}

fn varbind(oid: &[u8], value: &Value<'_>, out: &mut Vec<u8>) {
    let mut contents = Vec::with_capacity(32);
    wrap(6, oid, &mut contents);
    match value {
        Value::Int(v) => number(2, *v as u64, &mut contents),
        Value::Gauge(v) => number(0x42, *v, &mut contents),
        Value::Ticks(v) => number(0x43, *v & 0xffff_ffff, &mut contents),
        Value::Counter32(v) => number(0x41, *v & 0xffff_ffff, &mut contents),
        Value::Counter64(v) => number(0x46, *v, &mut contents),
        Value::Text(text) => wrap(4, text.as_bytes(), &mut contents),
        Value::Octet(octet) => wrap(4, &[*octet], &mut contents),
        Value::Oid(oid) => wrap(6, oid, &mut contents),
        Value::NoInstance => contents.extend([0x81, 0]),
        Value::EndOfMib => contents.extend([0x82, 0]),
    }
    wrap(0x30, &contents, out);
}
