//! NTP answers. Only one that repeats the question is read; what is read gives an offset without overflow, and a short kiss code.
#![no_main]

use hinomi::wire::ntp::{LENGTH, Stamp, offset_and_delay, reply, request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let nonce = data.get(24..32).map_or(7, |b| b.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)));
    if let Ok(read) = reply(data, nonce) {
        assert!(data.len() >= LENGTH && (read.kiss.is_none() || read.stratum == 0));
        for at in [Stamp(0), Stamp(u64::MAX), Stamp(1 << 63), Stamp::from_unix_us(i64::MAX), read.sent] {
            let _ = offset_and_delay(at, &read, Stamp::from_unix_us(i64::MIN));
        }
        assert!(reply(data, nonce.wrapping_add(1)).is_err(), "it answers two questions");
    }
    assert!(reply(&request(nonce), nonce).is_err(), "our own question is no answer");
});
