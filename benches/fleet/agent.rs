//! One SNMPv2c agent: a blocking thread with a socket, a small fixed MIB, and a log of what it was asked when.
//!
//! Its codec is its own, so that a flaw of ours does not judge itself.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// All agents listen here, each on its own address.
pub(crate) const PORT: u16 = 16_161;

/// What was asked when.
#[derive(Default)]
pub(crate) struct Log {
    /// GETs of sysUpTime alone.
    pub(crate) liveness: Vec<Duration>,
    /// GETs with ifHCInOctets among the columns.
    pub(crate) rounds: Vec<Duration>,
    /// Columns of the last of them.
    pub(crate) columns: usize,
    /// All requests.
    pub(crate) requests: u64,
    /// Not understood.
    pub(crate) garbage: u64,
}

/// The address of agent `i`.
pub(crate) fn address(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x7f01_0000 + i + 1)
}

/// Starts agent `i`; its log comes when it is told to stop.
pub(crate) fn spawn(i: u32, begun: Instant, stop: Arc<AtomicBool>) -> JoinHandle<Log> {
    let socket =
        UdpSocket::bind((address(i), PORT)).unwrap_or_else(|e| panic!("{}:{PORT}: {e} (ulimit -n?)", address(i)));
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let work = move || {
        let mut log = Log::default();
        let mut buffer = [0u8; 2048];
        while !stop.load(Ordering::Relaxed) {
            let Ok((n, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            let at = begun.elapsed();
            match answer(&buffer[..n], at, &mut log) {
                Some(bytes) => drop(socket.send_to(&bytes, from)),
                None => log.garbage += 1,
            }
        }
        log
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(work).unwrap()
}

/// Splits off one tag, length, value.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        (long.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

fn put(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        n if n < 0x80 => out.push(n as u8),
        n if n < 0x100 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(value);
    out
}

fn unsigned(tag: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take_while(|b| **b == 0).count().min(7);
    let mut digits = bytes[skip..].to_vec();
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    put(tag, &digits)
}

/// The MIB in its encoded order: object identifiers without tag and length, and their values. All arcs are below 128, so the
/// order of the octets is the order of the arcs.
fn mib(at: Duration) -> Vec<(Vec<u8>, Vec<u8>)> {
    let system = |n: u8| vec![0x2b, 6, 1, 2, 1, 1, n, 0];
    let row = |column: u8| vec![0x2b, 6, 1, 2, 1, 2, 2, 1, column, 1];
    let extended = |column: u8| vec![0x2b, 6, 1, 2, 1, 31, 1, 1, 1, column, 1];
    let ticks = at.as_millis() as u64 / 10 + 100_000;
    let traffic = at.as_millis() as u64 * 1_000;
    let mut all = vec![
        (system(1), put(0x04, b"an agent of the fleet")),
        (system(2), put(0x06, &[0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1])),
        (system(3), unsigned(0x43, ticks)),
        (system(5), put(0x04, b"fleet")),
        (vec![0x2b, 6, 1, 2, 1, 2, 1, 0], unsigned(0x02, 1)),
        (row(1), unsigned(0x02, 1)),
        (row(2), put(0x04, b"eth0")),
        (row(3), unsigned(0x02, 6)),
        (row(5), unsigned(0x42, 1_000_000_000)),
        (row(7), unsigned(0x02, 1)),
        (row(8), unsigned(0x02, 1)),
    ];
    all.extend([10, 11, 16, 17].map(|c| (row(c), unsigned(0x41, traffic & 0xffff_ffff))));
    all.extend([13, 14, 19, 20].map(|c| (row(c), unsigned(0x41, 0))));
    all.push((extended(1), put(0x04, b"eth0")));
    all.extend([6, 7, 8, 9, 10, 11, 12, 13].map(|c| (extended(c), unsigned(0x46, traffic / u64::from(c)))));
    all.push((extended(15), unsigned(0x42, 1_000)));
    all.push((extended(18), put(0x04, b"uplink")));
    all.push((extended(19), unsigned(0x43, 0)));
    all.push((vec![0x2b, 6, 1, 2, 1, 31, 1, 5, 0], unsigned(0x43, 0)));
    all.sort();
    all
}

const UPTIME: [u8; 8] = [0x2b, 6, 1, 2, 1, 1, 3, 0];
const IN_OCTETS: [u8; 11] = [0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 6, 1];

/// Answers GET, GETNEXT and GETBULK.
fn answer(request: &[u8], at: Duration, log: &mut Log) -> Option<Vec<u8>> {
    let (0x30, message, _) = tlv(request)? else { return None };
    let (2, version, rest) = tlv(message)? else { return None };
    let (4, community, rest) = tlv(rest)? else { return None };
    let (kind, pdu, _) = tlv(rest)?;
    let (2, id, rest) = tlv(pdu)? else { return None };
    let (2, first, rest) = tlv(rest)? else { return None };
    let (2, second, rest) = tlv(rest)? else { return None };
    let (0x30, mut list, _) = tlv(rest)? else { return None };
    let mut names = Vec::new();
    while !list.is_empty() {
        let (0x30, pair, rest) = tlv(list)? else { return None };
        let (6, name, _) = tlv(pair)? else { return None };
        names.push(name);
        list = rest;
    }
    log.requests += 1;
    if kind == 0xa0 && names == [UPTIME.as_slice()] {
        log.liveness.push(at);
    }
    if kind == 0xa0 && names.contains(&IN_OCTETS.as_slice()) {
        log.rounds.push(at);
        log.columns = names.len();
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)).min(20);
    let pairs = values(kind, &names, number(first), number(second), &mib(at))?;
    let body = [put(2, id), put(2, &[0]), put(2, &[0]), put(0x30, &pairs)].concat();
    let message = [put(2, version), put(4, community), put(0xa2, &body)].concat();
    Some(put(0x30, &message))
}

fn values(kind: u8, names: &[&[u8]], first: usize, second: usize, mib: &[(Vec<u8>, Vec<u8>)]) -> Option<Vec<u8>> {
    let pair = |name: &[u8], value: &[u8]| put(0x30, &[put(6, name), value.to_vec()].concat());
    let after = |name: &[u8]| mib.iter().find(|(n, _)| n.as_slice() > name);
    let mut out = Vec::new();
    match kind {
        0xa0 => names.iter().for_each(|name| {
            let found = mib.iter().find(|(n, _)| n == name);
            out.extend(pair(name, found.map_or(&[0x80, 0], |(_, v)| v.as_slice())));
        }),
        0xa1 | 0xa5 => {
            let (single, turns) = if kind == 0xa1 {
                (names.len(), 0)
            } else {
                (first.min(names.len()), second)
            };
            let mut heads: Vec<Vec<u8>> = names.iter().map(|n| n.to_vec()).collect();
            for (turn, range) in [(1, 0..single), (turns, single..names.len())] {
                for _ in 0..turn {
                    for head in &mut heads[range.clone()] {
                        let (name, value) = after(head).cloned().unwrap_or((head.clone(), vec![0x82, 0]));
                        out.extend(pair(&name, &value));
                        *head = name;
                    }
                }
            }
        }
        _ => return None,
    }
    Some(out)
}
