//! The fleet as a process of its own: a thread for orders, and for each family one for answers and one for echoes, and nothing by address but numbers.
//!
//! Orders are lines on standard input, each answered by lines that end with `end`: `measure`, `verdict`, `requests`, `echo`,
//! `silence 40%`, `silence all`, `silence group 3`, `back`. The end of the input is the end of the process.

use super::PORT;
use super::agent::Answerer;
use super::count::Count;
use super::judge::{Window, judge, self_check};
use super::mib::Agent;
use super::nature::{Lie, chosen, lie};
use super::options::Options;
use super::silence::Silence;
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::collections::VecDeque;
use std::io::{BufRead, IoSlice, IoSliceMut, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Datagrams read in one call.
const BATCH: usize = 64;
/// Between two looks: many requests are answered in one go, at most this late.
const NAP: Duration = Duration::from_millis(1);
/// Of the kernel, by privilege, for a fleet that must not lose what it is asked.
const BUFFER: usize = 64 << 20;

struct State {
    options: Options,
    began: Instant,
    snmp: Mutex<Count>,
    echo: Mutex<Count>,
    silence: Mutex<Silence>,
    from_ms: Mutex<u32>,
    /// The list of requests of agent 0 since the last `measure`, as they came.
    requests: Mutex<Vec<Vec<u8>>>,
    /// The last echo request to agent 0, without the IP header.
    echo_request: Mutex<Vec<u8>>,
}

/// A poisoned lock means a thread of the fleet has panicked: its numbers are worth nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread of the fleet panics")
}

/// Runs until standard input ends.
pub(crate) fn run(options: Options) -> Result<(), String> {
    self_check();
    let count = || Count::new(options.targets, options.ports, options.interval_s * 1_000);
    let state = Arc::new(State {
        snmp: Mutex::new(count()),
        echo: Mutex::new(count()),
        silence: Mutex::new(Silence::new(options.clone())),
        from_ms: Mutex::new(0),
        requests: Mutex::new(Vec::new()),
        echo_request: Mutex::new(Vec::new()),
        began: Instant::now(),
        options,
    });
    for family in [Domain::IPV4, Domain::IPV6] {
        if family == Domain::IPV6 && state.options.v6 == 0 {
            continue;
        }
        let socket = udp(family).map_err(|e| format!("UDP port {PORT}: {e}"))?;
        let raw = raw(family).map_err(|e| format!("RAW ICMP: {e}"))?;
        let (answering, listening) = (Arc::clone(&state), Arc::clone(&state));
        std::thread::spawn(move || Desk::new(&answering, socket).serve());
        std::thread::spawn(move || listen(&listening, &raw));
    }
    lock(&state.silence).begin()?;
    say(&["ready to be asked".to_owned()])?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| format!("standard input: {e}"))?;
        say(&state.order(&line.split_whitespace().collect::<Vec<_>>()))?;
    }
    Ok(())
}

fn say(lines: &[String]) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let all = lines.iter().map(String::as_str).chain(["end"]);
    all.into_iter()
        .try_for_each(|line| writeln!(out, "{line}"))
        .and_then(|()| out.flush())
        .map_err(|e| format!("standard output: {e}"))
}

fn udp(family: Domain) -> std::io::Result<Socket> {
    let socket = Socket::new(family, Type::DGRAM, Some(Protocol::UDP))?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
    let any: IpAddr = if family == Domain::IPV6 {
        socket.set_only_v6(true)?;
        // The addresses are this host's by a local route alone; an answer from one of them is refused without this.
        socket.set_freebind_v6(true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        Ipv4Addr::UNSPECIFIED.into()
    };
    socket.bind(&SocketAddr::from((any, PORT)).into())?;
    Ok(socket)
}

/// Hears echo requests only (classic BPF), of each 128 octets, with the address that they went to.
fn raw(family: Domain) -> std::io::Result<Socket> {
    let v6 = family == Domain::IPV6;
    let protocol = if v6 { Protocol::ICMPV6 } else { Protocol::ICMPV4 };
    let socket = Socket::new(family, Type::RAW, Some(protocol))?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
    if v6 {
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        let filter = [
            SockFilter::new(0x30, 0, 0, 0),   // A = type; the kernel has taken the IPv6 header off
            SockFilter::new(0x15, 0, 1, 128), // echo request?
            SockFilter::new(0x06, 0, 0, 128),
            SockFilter::new(0x06, 0, 0, 0),
        ];
        socket.attach_filter(&filter)?;
        return Ok(socket);
    }
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    let filter = [
        SockFilter::new(0xb1, 0, 0, 0), // X = length of the IP header
        SockFilter::new(0x50, 0, 0, 0), // A = type
        SockFilter::new(0x15, 0, 1, 8), // echo request?
        SockFilter::new(0x06, 0, 0, 128),
        SockFilter::new(0x06, 0, 0, 0),
    ];
    socket.attach_filter(&filter)?;
    Ok(socket)
}

/// The address that a datagram went to.
fn asked_address(info: &ControlMessageOwned) -> Option<IpAddr> {
    match info {
        ControlMessageOwned::Ipv4PacketInfo(packet) => {
            Some(Ipv4Addr::from(u32::from_be(packet.ipi_addr.s_addr)).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(packet) => Some(Ipv6Addr::from(packet.ipi6_addr.s6_addr).into()),
        _ => None,
    }
}

impl State {
    fn ms(&self) -> u32 {
        // A run lasts minutes: 32 bits are 49 days.
        self.began.elapsed().as_millis() as u32
    }

    fn order(&self, words: &[&str]) -> Vec<String> {
        match words {
            ["measure"] => {
                lock(&self.silence).restart();
                lock(&self.requests).clear();
                let (mut snmp, mut echo) = (lock(&self.snmp), lock(&self.echo));
                snmp.restart();
                echo.restart();
                *lock(&self.from_ms) = self.ms();
                vec![]
            }
            ["verdict"] => self.verdict(),
            ["echo"] => vec![hex(&lock(&self.echo_request))],
            ["requests"] => lock(&self.requests).iter().map(|r| hex(r)).collect(),
            words => match lock(&self.silence).change(words) {
                Ok(silent) => vec![format!("{silent} silent")],
                Err(problem) => vec![format!("error: {problem}")],
            },
        }
    }

    fn verdict(&self) -> Vec<String> {
        let window = Window {
            from: *lock(&self.from_ms),
            to: self.ms(),
            interval: self.options.interval_s * 1_000,
        };
        let (targets, silence) = (self.options.targets, lock(&self.silence));
        let answers = |i: u32| !silence.ever(i) && !chosen(i, "always silent", self.options.silent);
        let mut lines = vec![format!("window ms={} dropped={}", window.to - window.from, dropped())];
        for (name, count) in [("snmp", lock(&self.snmp)), ("echo", lock(&self.echo))] {
            // The kernel answers echoes: nobody lies there.
            let lies = |i: u32| name == "snmp" && lie(i, self.options.lying).is_some();
            lines.push(format!(
                "{name} requests={} retries={} single={} walks={} garbage={}",
                count.requests, count.retries, count.single, count.walks, count.garbage
            ));
            let verdict = |wanted: &dyn Fn(u32) -> bool| judge(&count.log, targets, window, wanted);
            lines.push(format!("{name}-answering {}", verdict(&|i| answers(i) && !lies(i))));
            lines.push(format!("{name}-lying {}", verdict(&|i| answers(i) && lies(i))));
            lines.push(format!("{name}-silent {}", verdict(&|i| !answers(i))));
        }
        lines
    }
}

/// Datagrams that the kernel could not queue for this process since it began: were there any, the judge would be wrong.
fn dropped() -> u64 {
    let links = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let own: Vec<String> = links
        .filter_map(|l| {
            let target = std::fs::read_link(l.path()).ok()?.to_string_lossy().into_owned();
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["udp", "udp6", "raw", "raw6"]
        .map(|t| std::fs::read_to_string(format!("/proc/self/net/{t}")).unwrap_or_default());
    let of = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        own.iter()
            .any(|inode| fields.get(9) == Some(&inode.as_str()))
            .then(|| fields.last()?.parse::<u64>().ok())?
    };
    tables.iter().flat_map(|t| t.lines()).filter_map(of).sum()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// An answer that is not sent at once.
struct Late {
    due: Instant,
    bytes: Vec<u8>,
    to: SockaddrStorage,
    from: ControlMessageOwned,
}

/// The thread that answers.
struct Desk {
    state: Arc<State>,
    socket: Socket,
    answerer: Answerer,
    /// By due time: all are late by the same.
    late: VecDeque<Late>,
    lies: Vec<Option<Lie>>,
    slow: Vec<bool>,
    mute: Vec<bool>,
    lost: u64,
}

impl Desk {
    fn new(state: &Arc<State>, socket: Socket) -> Desk {
        let o = state.options.clone();
        let all = 0..o.targets;
        Desk {
            socket,
            answerer: Answerer::new(),
            late: VecDeque::new(),
            lies: all.clone().map(|i| lie(i, o.lying)).collect(),
            slow: all.clone().map(|i| chosen(i, "slow", o.slow)).collect(),
            mute: all.map(|i| chosen(i, "always silent", o.silent)).collect(),
            lost: 0,
            state: Arc::clone(state),
        }
    }

    fn serve(mut self) {
        let mut memory = vec![[0u8; 2_048]; BATCH];
        let mut got = Vec::with_capacity(BATCH);
        loop {
            receive(&self.socket, &mut memory, &mut got);
            let full = got.len() == BATCH;
            for ((length, to, info), bytes) in got.drain(..).zip(&memory) {
                self.request(&bytes[..length], to, info);
            }
            self.send_late();
            if !full {
                std::thread::sleep(NAP);
            }
        }
    }

    fn request(&mut self, bytes: &[u8], to: SockaddrStorage, info: ControlMessageOwned) {
        let o = &self.state.options;
        let Some(who) = asked_address(&info).and_then(|asked| o.index(asked)) else {
            return;
        };
        let ms = self.state.ms();
        let agent = Agent {
            number: who,
            ports: o.ports,
            ms: u64::from(ms),
        };
        let lie = self.lies[who as usize];
        let understood = self.answerer.answer(bytes, &agent, lie);
        {
            let mut count = lock(&self.state.snmp);
            match understood {
                Some(asked) => count.asked(who, ms, asked),
                None => count.garbage += 1,
            }
        }
        if who == 0 {
            let mut requests = lock(&self.state.requests);
            if requests.len() < 1_000 {
                requests.push(bytes.to_vec());
            }
        }
        if understood.is_none() || self.mute[who as usize] || lock(&self.state.silence).silent(who) || self.loses() {
            return;
        }
        let from = if lie == Some(Lie::Source) { beside(info) } else { info };
        if self.slow[who as usize] {
            let (due, bytes) = (
                Instant::now() + Duration::from_millis(self.state.options.delay_ms),
                self.answerer.out.bytes().to_vec(),
            );
            self.late.push_back(Late { due, bytes, to, from });
            return;
        }
        for _ in 0..if lie == Some(Lie::Again) { 3 } else { 1 } {
            send(&self.socket, self.answerer.out.bytes(), &to, &from);
        }
    }

    /// Every n-th answer, by the configured share, is lost.
    fn loses(&mut self) -> bool {
        self.lost += 1;
        chosen(self.lost as u32, "loss", self.state.options.loss)
    }

    fn send_late(&mut self) {
        let now = Instant::now();
        while self.late.front().is_some_and(|l| l.due <= now) {
            // There is a front: it has just been looked at.
            let Some(late) = self.late.pop_front() else { return };
            send(&self.socket, &late.bytes, &late.to, &late.from);
        }
    }
}

/// Length, who asked, and which address: of as many datagrams as there are, up to [`BATCH`]. The headers are made anew: the kernel reads
/// and overwrites their lengths.
fn receive<const N: usize>(
    socket: &Socket,
    memory: &mut [[u8; N]],
    got: &mut Vec<(usize, SockaddrStorage, ControlMessageOwned)>,
) {
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(cmsg_space!([u32; 5])));
    let mut slices: Vec<_> = memory.iter_mut().map(|m| [IoSliceMut::new(m)]).collect();
    if let Ok(all) = recvmmsg(
        socket.as_raw_fd(),
        &mut headers,
        slices.iter_mut(),
        MsgFlags::MSG_DONTWAIT,
        None,
    ) {
        got.extend(all.filter_map(|m| Some((m.bytes, m.address?, m.cmsgs().ok()?.next()?))));
    }
}

/// An answer that the kernel refuses is an answer lost: the fleet goes on.
fn send(socket: &Socket, bytes: &[u8], to: &SockaddrStorage, from: &ControlMessageOwned) {
    let control = match from {
        ControlMessageOwned::Ipv4PacketInfo(info) => ControlMessage::Ipv4PacketInfo(info),
        ControlMessageOwned::Ipv6PacketInfo(info) => ControlMessage::Ipv6PacketInfo(info),
        _ => return,
    };
    let _ = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        &[control],
        MsgFlags::MSG_DONTWAIT,
        Some(to),
    );
}

/// The address beside the one that was asked.
fn beside(info: ControlMessageOwned) -> ControlMessageOwned {
    match info {
        ControlMessageOwned::Ipv4PacketInfo(mut packet) => {
            packet.ipi_spec_dst.s_addr ^= 1u32.to_be();
            ControlMessageOwned::Ipv4PacketInfo(packet)
        }
        ControlMessageOwned::Ipv6PacketInfo(mut packet) => {
            packet.ipi6_addr.s6_addr[15] ^= 1;
            ControlMessageOwned::Ipv6PacketInfo(packet)
        }
        other => other,
    }
}

/// The thread that counts echo requests of one family.
fn listen(state: &State, raw: &Socket) {
    let mut memory = vec![[0u8; 128]; BATCH];
    let mut got = Vec::with_capacity(BATCH);
    loop {
        receive(raw, &mut memory, &mut got);
        let (full, ms) = (got.len() == BATCH, state.ms());
        for ((length, _, info), packet) in got.drain(..).zip(&memory) {
            let Some(who) = asked_address(&info).and_then(|asked| state.options.index(asked)) else {
                continue;
            };
            lock(&state.echo).echo(who, ms);
            if who == 0 {
                // A RAW socket of IPv4 gives the IP header, too.
                let header = match info {
                    ControlMessageOwned::Ipv4PacketInfo(_) => usize::from(packet[0] & 0x0f) * 4,
                    _ => 0,
                };
                *lock(&state.echo_request) = packet[header.min(length)..length].to_vec();
            }
        }
        if !full {
            std::thread::sleep(NAP);
        }
    }
}
