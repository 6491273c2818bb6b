//! What a RAW socket hears, of both families: nothing may panic, and what is handed out must stand in the datagram. A request is
//! never taken for a reply, and what we ask is read back the way an error message quotes it.
#![no_main]

use hinomi::wire::icmp::{IcmpMessage, echo_request, parse};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;

/// RFC 1071, written once more: a checksum that both sides get wrong in the same way would not be noticed.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IPv4 packet around this, with a checksum that is right: libFuzzer would need long to find one.
fn packet(icmp: &[u8]) -> Vec<u8> {
    let mut icmp = icmp.to_vec();
    icmp[2..4].fill(0);
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let length = u16::try_from(20 + icmp.len()).expect("inputs are shorter than 64 kB");
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9]);
    packet.extend_from_slice(&icmp);
    packet
}

/// Where the echo header stands in what was read, found once more and apart from the code under test; and whom the quote was for.
fn reference(v6: bool, quoted: bool, bytes: &[u8]) -> (usize, Option<IpAddr>) {
    let header = |at: usize| usize::from(bytes[at] & 0x0f) * 4;
    let icmp = if v6 { 0 } else { header(0) };
    if !quoted {
        return (icmp, None);
    }
    let quote = icmp + 8;
    if v6 {
        let to = <[u8; 16]>::try_from(&bytes[quote + 24..quote + 40]).expect("sixteen octets");
        return (quote + 40, Some(to.into()));
    }
    assert!(header(quote) >= 20, "a quote whose header is shorter than any");
    let to = <[u8; 4]>::try_from(&bytes[quote + 16..quote + 20]).expect("four octets");
    (quote + header(quote), Some(to.into()))
}

fn inside(v6: bool, bytes: &[u8]) {
    let (ident, seq, payload, target) = match parse(v6, bytes) {
        Ok(IcmpMessage::EchoReply { ident, seq, payload }) => (ident, seq, payload, None),
        Ok(IcmpMessage::Error {
            ident,
            seq,
            payload,
            original_to,
            ..
        }) => (ident, seq, payload, Some(original_to)),
        Ok(IcmpMessage::Other) | Err(_) => return,
    };
    let (echo, to) = reference(v6, target.is_some(), bytes);
    let kind = match (v6, target.is_some()) {
        (false, false) => 0,
        (false, true) => 8,
        (true, false) => 129,
        (true, true) => 128,
    };
    assert_eq!(bytes[echo], kind, "taken from something that is no echo");
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    assert_eq!((ident, seq, target), (word(echo + 4), word(echo + 6), to));
    assert!(bytes[echo + 8..].starts_with(payload), "a payload from elsewhere");
}

fuzz_target!(|data: &[u8]| {
    inside(false, data);
    inside(true, data);
    if data.len() >= 8 {
        inside(false, &packet(data));
    }
    let payload = &data[..data.len().min(64)];
    let (v4, v6) = (echo_request(false, 1, 2, payload), echo_request(true, 1, 2, payload));
    assert_eq!(
        parse(false, &packet(&v4)),
        Ok(IcmpMessage::Other),
        "a request was taken for a reply"
    );
    assert_eq!(
        parse(true, &v6),
        Ok(IcmpMessage::Other),
        "a request was taken for a reply"
    );
    let error = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &packet(&v4)].concat();
    let quoted = IcmpMessage::Error {
        kind_type: 3,
        code: 1,
        original_to: IpAddr::from([192, 0, 2, 9]),
        ident: 1,
        seq: 2,
        payload,
    };
    assert_eq!(parse(false, &packet(&error)), Ok(quoted));
});
