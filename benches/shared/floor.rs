//! The floors: bare loops that send hinomi's own request bytes at hinomi's own rate and tick in batches, read what comes, and
//! understand nothing. What they use is what the sockets alone cost. They run until they are ended.

use crate::fleet::{PORT, address};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);
const BATCH: usize = 64;
/// As many UDP sockets as hinomi has.
const UDP_SOCKETS: usize = 8;
/// As hinomi asks for; the kernel grants what net.core.rmem_max allows.
const BUFFER: usize = 4 << 20;

/// At whom, how often, with what.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) targets: u32,
    pub(crate) interval_s: u32,
    /// The requests of one round, hexadecimal on the command line.
    pub(crate) requests: Vec<Vec<u8>>,
}

impl Options {
    /// `TARGETS INTERVAL_S HEX…`
    pub(crate) fn read(words: &[String]) -> Result<Options, String> {
        let [targets, interval, requests @ ..] = words else {
            return Err("floor: TARGETS INTERVAL_S HEX…".to_owned());
        };
        let number = |w: &String| w.parse().map_err(|e| format!("floor: {w}: {e}"));
        Ok(Options {
            targets: number(targets)?,
            interval_s: number(interval)?,
            requests: requests
                .iter()
                .map(|r| unhex(r))
                .collect::<Option<_>>()
                .ok_or("floor: not hexadecimal")?,
        })
    }

    /// What [`Options::read`] reads.
    pub(crate) fn words(targets: u32, interval_s: u32, requests: &[String]) -> Vec<String> {
        let mut words = vec![targets.to_string(), interval_s.to_string()];
        words.extend_from_slice(requests);
        words
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Asks each address for each request once an interval, on 8 UDP sockets.
pub(crate) fn snmp(options: &Options) -> Result<(), String> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
        socket.set_recv_buffer_size(BUFFER)?;
        Ok(socket)
    };
    let sockets: std::io::Result<Vec<Socket>> = (0..UDP_SOCKETS).map(|_| open()).collect();
    beat(options, &sockets.map_err(|e| format!("floor: {e}"))?, PORT)
}

/// Asks each address once an interval, on one RAW socket that hears echo replies only.
pub(crate) fn echo(options: &Options) -> Result<(), String> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        socket.set_recv_buffer_size(BUFFER)?;
        let filter = [
            SockFilter::new(0xb1, 0, 0, 0), // X = length of the IP header
            SockFilter::new(0x50, 0, 0, 0), // A = type
            SockFilter::new(0x15, 0, 1, 0), // echo reply?
            SockFilter::new(0x06, 0, 0, 0xffff),
            SockFilter::new(0x06, 0, 0, 0),
        ];
        socket.attach_filter(&filter)?;
        Ok::<_, std::io::Error>(socket)
    };
    beat(options, &[open().map_err(|e| format!("floor: {e}"))?], 0)
}

fn beat(options: &Options, sockets: &[Socket], port: u16) -> Result<(), String> {
    let (targets, requests) = (u64::from(options.targets), &options.requests);
    if requests.is_empty() || targets == 0 {
        return Err("floor: nothing to ask".to_owned());
    }
    let turn = targets * requests.len() as u64;
    let ticks = u64::from(options.interval_s) * 100;
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut memory = vec![[0u8; 2_048]; BATCH];
    let mut queues: Vec<Vec<(&[u8], SockaddrIn)>> = vec![Vec::new(); sockets.len()];
    let (begun, mut sent) = (Instant::now(), 0u64);
    loop {
        sockets.iter().for_each(|s| drain(s, &mut headers, &mut memory));
        let tick = begun.elapsed().as_millis() as u64 / 10;
        while sent < turn * tick / ticks {
            let who = (sent % targets) as u32;
            let to = SocketAddrV4::new(address(who), port);
            queues[who as usize % sockets.len()]
                .push((&requests[(sent / targets) as usize % requests.len()], to.into()));
            sent += 1;
        }
        for (socket, queue) in sockets.iter().zip(&mut queues) {
            queue.chunks(BATCH).for_each(|some| send(socket, &mut headers, some));
            queue.clear();
        }
        let into = Duration::from_micros(begun.elapsed().as_micros() as u64 % TICK.as_micros() as u64);
        std::thread::sleep(TICK - into);
    }
}

/// Reads until nothing is left.
fn drain(socket: &Socket, headers: &mut MultiHeaders<SockaddrIn>, memory: &mut [[u8; 2_048]]) {
    loop {
        let mut slices: Vec<_> = memory.iter_mut().map(|m| [IoSliceMut::new(m)]).collect();
        let got = recvmmsg(
            socket.as_raw_fd(),
            headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        if got.map_or(0, Iterator::count) < BATCH {
            return;
        }
    }
}

fn send(socket: &Socket, headers: &mut MultiHeaders<SockaddrIn>, some: &[(&[u8], SockaddrIn)]) {
    let slices: Vec<_> = some.iter().map(|(bytes, _)| [IoSlice::new(bytes)]).collect();
    let to: Vec<_> = some.iter().map(|(_, to)| Some(*to)).collect();
    // A datagram that the kernel refuses shows in what the fleet counts.
    let _ = sendmmsg(
        socket.as_raw_fd(),
        headers,
        slices.iter(),
        to,
        [],
        MsgFlags::MSG_DONTWAIT,
    );
}
