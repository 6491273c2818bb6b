//! Who answers on the way to a target, hop by hop: for `hinomi isolate`.
//!
//! All hops are asked at once and each twice, so that a silent hop costs no time.

use super::clock;
use crate::model::Mono;
use crate::net::{IcmpError, Tracer};
use crate::wire::icmp::{IcmpMessage, echo_request, parse};
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// Hops asked for.
const HOPS: u8 = 20;
/// Answers are waited for so long.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Between two looks at the socket.
const LOOK: Duration = Duration::from_millis(5);

/// One hop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hop {
    /// From 1.
    pub hop: u8,
    /// Who answered; `None`: nobody.
    pub from: Option<IpAddr>,
    /// After how long, seconds.
    pub rtt_seconds: Option<f64>,
    /// It is the target.
    pub target: bool,
    /// It says that the target cannot be reached: ICMP type and code.
    pub unreachable: Option<(u8, u8)>,
}

/// Traces the way; up to the target, or to the last hop that answers.
pub fn trace(to: IpAddr) -> Result<Vec<Hop>, IcmpError> {
    let v6 = to.is_ipv6();
    let tracer = Tracer::open(v6)?;
    let ident: u16 = rand::random();
    let mut sent: Vec<Mono> = vec![Mono(0); usize::from(HOPS) * 2];
    let mut hops: Vec<Hop> = (1..=HOPS).map(nobody).collect();
    for again in 0..2u16 {
        for hop in 1..=HOPS {
            let seq = u16::from(hop - 1) + again * u16::from(HOPS);
            sent[usize::from(seq)] = clock::mono();
            // A host that cannot send hears nothing: that shows.
            let _ = tracer.send(to, hop, &echo_request(v6, ident, seq, b"hinomi trace"));
        }
        let until = clock::mono() + PATIENCE / 2;
        while clock::mono() < until && !hops.iter().any(|h| h.target) {
            match tracer.receive() {
                Some((from, bytes)) => take(&mut hops, &sent, ident, (from, &bytes), to),
                None => std::thread::sleep(LOOK),
            }
        }
    }
    let end = hops.iter().position(|h| h.target).map(|at| at + 1);
    let last = hops.iter().rposition(|h| h.from.is_some()).map_or(0, |at| at + 1);
    hops.truncate(end.unwrap_or(last));
    Ok(hops)
}

fn nobody(hop: u8) -> Hop {
    Hop {
        hop,
        from: None,
        rtt_seconds: None,
        target: false,
        unreachable: None,
    }
}

fn take(hops: &mut [Hop], sent: &[Mono], ours: u16, (from, bytes): (IpAddr, &[u8]), to: IpAddr) {
    let (seq, target, unreachable) = match parse(to.is_ipv6(), bytes) {
        Ok(IcmpMessage::EchoReply { ident, seq, .. }) if ident == ours && from == to => (seq, true, None),
        Ok(IcmpMessage::Error {
            kind_type,
            code,
            original_to,
            ident,
            seq,
            ..
        }) if ident == ours && original_to == to => {
            let exceeded = if to.is_ipv6() { 3 } else { 11 };
            (seq, false, (kind_type != exceeded).then_some((kind_type, code)))
        }
        _ => return,
    };
    let Some(at) = sent.get(usize::from(seq)) else { return };
    if let Some(hop) = hops.get_mut(usize::from(seq) % usize::from(HOPS))
        && hop.from.is_none()
    {
        hop.from = Some(from);
        hop.rtt_seconds = Some(clock::mono().since(*at).as_secs_f64());
        (hop.target, hop.unreachable) = (target, unreachable);
    }
}
