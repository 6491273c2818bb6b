//! NTP (RFC 5905), the client's side: one question of 48 octets, one answer.
//!
//! The question tells nothing of this host but a random number where its own time would stand; only an answer that repeats it is
//! believed. Never here: a clock, whether an offset is good.

/// Length of a packet without extensions.
pub const LENGTH: usize = 48;

/// Seconds from 1900 to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A point in time as NTP writes it: 32 bits of seconds since 1900 (they wrap in 2036), 32 bits of their fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub u64);

impl Stamp {
    /// From microseconds since 1970.
    pub fn from_unix_us(us: i64) -> Stamp {
        let seconds = us.div_euclid(1_000_000).cast_unsigned().wrapping_add(UNIX_EPOCH);
        let fraction = (us.rem_euclid(1_000_000).cast_unsigned() << 32) / 1_000_000;
        Stamp((seconds << 32) | fraction)
    }

    /// Difference to an earlier (or later) one, microseconds; right across the wrap, as long as it is less than 68 years.
    fn since(self, earlier: Stamp) -> i64 {
        let units = i128::from(self.0.wrapping_sub(earlier.0).cast_signed());
        i64::try_from((units * 1_000_000) >> 32).unwrap_or(i64::MAX)
    }
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NtpError {
    /// Shorter than a packet, or longer than one with extensions may be.
    #[error("its length is not that of an NTP packet")]
    Length,
    /// Not the answer of a server.
    #[error("it is not the answer of an NTP server")]
    Mode,
    /// It answers another question.
    #[error("it does not repeat what was asked")]
    Origin,
    /// The server tells no time.
    #[error("it tells no time")]
    NoTime,
}

/// An answer that repeats the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 3: the clock is not synchronised.
    pub leap: u8,
    /// 0 and no kiss code, 16 and more: not synchronised.
    pub stratum: u8,
    /// To the primary source, microseconds.
    pub root_delay_us: u64,
    /// Largest error against the primary source, microseconds.
    pub root_dispersion_us: u64,
    /// When the question arrived there.
    pub received: Stamp,
    /// When the answer left there.
    pub sent: Stamp,
    /// Of stratum 0: four letters, if it has any.
    pub kiss: Option<[u8; 4]>,
}

/// Longest packet that is taken: extensions and a MAC may follow.
const LONGEST: usize = 1024;

/// The question.
pub fn request(nonce: u64) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = 0b00_100_011; // no leap warning, version 4, client
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// Reads an answer.
pub fn reply(packet: &[u8], nonce: u64) -> Result<Reply, NtpError> {
    if packet.len() > LONGEST {
        return Err(NtpError::Length);
    }
    let Some((packet, _)) = packet.split_first_chunk::<LENGTH>() else {
        return Err(NtpError::Length);
    };
    let (leap, version, mode) = (packet[0] >> 6, packet[0] >> 3 & 7, packet[0] & 7);
    if mode != 4 || !(3..=4).contains(&version) {
        return Err(NtpError::Mode);
    }
    if long(packet, 24) != nonce {
        return Err(NtpError::Origin);
    }
    let stratum = packet[1];
    // A server whose clock is set by nothing says stratum 0 too, without letters.
    let code = [packet[12], packet[13], packet[14], packet[15]];
    let kiss = (stratum == 0 && code.iter().all(u8::is_ascii_alphanumeric)).then_some(code);
    let (received, sent) = (long(packet, 32), long(packet, 40));
    if stratum != 0 && (received == 0 || sent == 0) {
        return Err(NtpError::NoTime);
    }
    Ok(Reply {
        leap,
        stratum,
        root_delay_us: short_us(packet, 4),
        root_dispersion_us: short_us(packet, 8),
        received: Stamp(received),
        sent: Stamp(sent),
        kiss,
    })
}

/// Clock of the server less ours, and the round trip, microseconds (RFC 5905, section 8). `asked` and `arrived` are of our clock.
pub fn offset_and_delay(asked: Stamp, reply: &Reply, arrived: Stamp) -> (i64, u64) {
    let there = i128::from(reply.received.since(asked));
    let back = i128::from(reply.sent.since(arrived));
    let offset = i64::try_from((there + back) / 2).unwrap_or(i64::MAX);
    let delay = u64::try_from((there - back).max(0)).unwrap_or(u64::MAX);
    (offset, delay)
}

fn long(packet: &[u8; LENGTH], at: usize) -> u64 {
    packet[at..at + 8]
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// 16 bits of seconds, 16 of their fraction.
fn short_us(packet: &[u8; LENGTH], at: usize) -> u64 {
    let units = packet[at..at + 4]
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    (units * 1_000_000) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(nonce: u64, received: Stamp, sent: Stamp) -> [u8; LENGTH] {
        let mut packet = [0; LENGTH];
        packet[0] = 0b00_100_100;
        packet[1] = 2;
        packet[8..12].copy_from_slice(&[0, 0, 0x80, 0]);
        packet[24..32].copy_from_slice(&nonce.to_be_bytes());
        packet[32..40].copy_from_slice(&received.0.to_be_bytes());
        packet[40..].copy_from_slice(&sent.0.to_be_bytes());
        packet
    }

    #[test]
    fn the_offset_is_that_of_rfc_5905() {
        let us = |us: i64| Stamp::from_unix_us(1_800_000_000_000_000 + us);
        // The server is 250 ms ahead; each way takes 10 ms, the server 5 ms.
        let packet = answer(7, us(260_000), us(265_000));
        let read = reply(&packet, 7).unwrap();
        let (offset, delay) = offset_and_delay(us(0), &read, us(25_000));
        assert!((offset - 250_000).abs() <= 2, "{offset}");
        assert!(delay.abs_diff(20_000) <= 2, "{delay}");
        assert_eq!((read.stratum, read.leap, read.root_dispersion_us), (2, 0, 500_000));
    }

    #[test]
    fn the_seconds_wrap_in_2036() {
        // 2036-02-07 06:28:16 UTC is second 2^32 since 1900.
        let wrap = 4_294_967_296_i64 - 2_208_988_800;
        let us = |us: i64| Stamp::from_unix_us(wrap * 1_000_000 + us);
        assert_eq!(us(0).0, 0);
        let read = reply(&answer(7, us(100_000), us(100_000)), 7).unwrap();
        let (offset, _) = offset_and_delay(us(-50_000), &read, us(-50_000));
        assert!((offset - 150_000).abs() <= 2, "{offset}");
    }

    #[test]
    fn only_the_answer_to_the_question_is_believed() {
        let good = answer(7, Stamp(5), Stamp(6));
        assert_eq!(reply(&good, 8), Err(NtpError::Origin));
        assert_eq!(reply(&good[..47], 7), Err(NtpError::Length));
        assert_eq!(reply(&[good.as_slice(), &[0; 1000]].concat(), 7), Err(NtpError::Length));
        assert_eq!(reply(&request(7), 7), Err(NtpError::Mode));
        assert_eq!(reply(&answer(7, Stamp(0), Stamp(6)), 7), Err(NtpError::NoTime));
        let mut kiss = answer(7, Stamp(0), Stamp(0));
        kiss[1] = 0;
        kiss[12..16].copy_from_slice(b"RATE");
        assert_eq!(reply(&kiss, 7).map(|r| r.kiss), Ok(Some(*b"RATE")));
        kiss[12..16].fill(0);
        assert_eq!(
            reply(&kiss, 7).map(|r| (r.stratum, r.kiss)),
            Ok((0, None)),
            "set by nothing, as chronyd says it"
        );
    }

    #[test]
    fn the_question_tells_nothing_of_this_host() {
        let packet = request(0x0102_0304_0506_0708);
        assert_eq!(packet[0], 0x23);
        assert!(packet[1..40].iter().all(|b| *b == 0));
        assert_eq!(packet[40..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
