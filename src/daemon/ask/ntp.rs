//! One question to one NTP server. I/O.

use super::{each_try, exchange};
use crate::model::service::{Clock, Failure};
use crate::text::line;
use crate::wire::ntp::{Stamp, offset_and_delay, reply, request};
use rustix::time::{ClockId, clock_gettime};
use std::net::SocketAddr;
use std::time::Duration;

/// Asks for the time.
pub(super) async fn ask(server: SocketAddr, limit: Duration) -> Result<Clock, Failure> {
    // Each try has a number of its own: an answer to an earlier one would have the wrong time of asking.
    let question = || {
        let nonce: u64 = rand::random();
        (request(nonce).to_vec(), (nonce, now()))
    };
    let read = |packet: &[u8], (nonce, at): &(u64, Stamp)| {
        let arrived = now();
        let reply = reply(packet, *nonce).map_err(|e| e.to_string())?;
        let (offset_us, delay_us) = offset_and_delay(*at, &reply, arrived);
        Ok(Clock {
            offset_us,
            delay_us,
            stratum: reply.stratum,
            leap: reply.leap,
            dispersion_us: reply.root_dispersion_us + reply.root_delay_us / 2,
            kiss: reply.kiss.map(|code| line(&code, code.len())),
        })
    };
    exchange(server, each_try(limit), question, read).await
}

/// The clock that is compared.
fn now() -> Stamp {
    let t = clock_gettime(ClockId::Realtime);
    Stamp::from_unix_us(t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1000))
}
