//! ICMP (RFC 792) and ICMPv6 (RFC 4443): echo requests out; echo replies, and errors that quote an echo request of ours, in.
//!
//! `surge_ping` decodes the packet; what it leaves out is checked here: the type of the message, the checksum of ICMPv4, the
//! protocol and type of what an error quotes. The payload, which it does not hand out, is read from the bytes.
//!
//! Never here: a socket, a decision whether a reply is one of ours (the identifier and the payload tell; `poll` knows them).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use surge_ping::{Icmpv4Packet, Icmpv6Packet};

const ECHO_HEADER: usize = 8;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const V4_ECHO_REPLY: u8 = 0;
const V4_ECHO_REQUEST: u8 = 8;
const V6_ECHO_REQUEST: u8 = 128;
const V6_ECHO_REPLY: u8 = 129;
const PROTOCOL_ICMP: u8 = 1;

/// What an ICMP message means to somebody who sends echo requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IcmpMessage<'a> {
    /// Answer of a host to an echo request.
    EchoReply {
        /// Identifier as sent.
        ident: u16,
        /// Sequence number as sent.
        seq: u16,
        /// Payload as sent.
        payload: &'a [u8],
    },
    /// Destination unreachable, time exceeded, parameter problem (ICMPv6: also packet too big) about an echo request.
    Error {
        /// ICMP type.
        kind_type: u8,
        /// ICMP code.
        code: u8,
        /// Whom the quoted echo request was for.
        original_to: IpAddr,
        /// Identifier of the quoted echo request.
        ident: u16,
        /// Sequence number of the quoted echo request.
        seq: u16,
        /// What is quoted of its payload; may be empty (RFC 792 asks for 8 octets only, which the header fills).
        payload: &'a [u8],
    },
    /// Anything else: requests (on loopback a RAW socket hears its own), neighbour discovery, errors about other traffic.
    Other,
}

/// Why a packet is no ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IcmpError {
    /// Shorter than its headers say.
    #[error("the ICMP packet ends before its headers do")]
    Truncated,
    /// Not IPv4, or not ICMP inside.
    #[error("the packet is not ICMP")]
    NotIcmp,
    /// The checksum does not fit: damaged on the way (a RAW socket is handed such packets).
    #[error("the ICMP checksum is wrong")]
    Checksum,
}

/// Builds an echo request, from the ICMP header on. IPv4: with checksum; IPv6: the kernel fills it in (RFC 3542 section 3.1).
pub fn echo_request(v6: bool, ident: u16, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ECHO_HEADER + payload.len());
    out.extend_from_slice(&[if v6 { V6_ECHO_REQUEST } else { V4_ECHO_REQUEST }, 0, 0, 0]);
    out.extend_from_slice(&ident.to_be_bytes());
    out.extend_from_slice(&seq.to_be_bytes());
    out.extend_from_slice(payload);
    if !v6 {
        let sum = !ones_complement_sum(&out);
        out[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    out
}

/// Reads what a RAW socket received: IPv4 from the IP header on, ICMPv6 from the ICMPv6 header on.
///
/// # Errors
/// When the bytes are not an intact ICMP message. An intact one that says nothing about an echo is [`IcmpMessage::Other`].
pub fn parse(v6: bool, bytes: &[u8]) -> Result<IcmpMessage<'_>, IcmpError> {
    if v6 { parse_v6(bytes) } else { parse_v4(bytes) }
}

fn parse_v4(bytes: &[u8]) -> Result<IcmpMessage<'_>, IcmpError> {
    let (protocol, start, end) = v4_bounds(bytes)?;
    if protocol != PROTOCOL_ICMP {
        return Err(IcmpError::NotIcmp);
    }
    let icmp = bytes.get(start..end).ok_or(IcmpError::Truncated)?;
    let header = icmp.get(..ECHO_HEADER).ok_or(IcmpError::Truncated)?;
    if ones_complement_sum(icmp) != 0xffff {
        return Err(IcmpError::Checksum);
    }
    match header[0] {
        V4_ECHO_REPLY => {}
        3 | 11 | 12 => return Ok(v4_error(bytes, icmp).unwrap_or(IcmpMessage::Other)),
        _ => return Ok(IcmpMessage::Other),
    }
    let packet = decode_v4(&bytes[..end]).ok_or(IcmpError::Truncated)?;
    Ok(IcmpMessage::EchoReply {
        ident: packet.get_identifier().into_u16(),
        seq: packet.get_sequence().into_u16(),
        payload: &icmp[ECHO_HEADER..],
    })
}

/// An error message is about an echo of ours only if it quotes an ICMP echo request.
fn v4_error<'a>(bytes: &'a [u8], icmp: &'a [u8]) -> Option<IcmpMessage<'a>> {
    let quoted = icmp.get(ECHO_HEADER..)?;
    // A quote is usually cut short, so its total length says nothing about what is here.
    let ihl = usize::from(quoted.first()? & 0x0f) * 4;
    let echo = quoted.get(ihl..)?;
    if ihl < V4_HEADER || quoted[0] >> 4 != 4 || *quoted.get(9)? != PROTOCOL_ICMP {
        return None;
    }
    if echo.len() < ECHO_HEADER || echo[0] != V4_ECHO_REQUEST {
        return None;
    }
    let packet = decode_v4(bytes)?;
    Some(IcmpMessage::Error {
        kind_type: packet.get_icmp_type().0,
        code: packet.get_icmp_code().0,
        original_to: IpAddr::V4(packet.get_real_dest()),
        ident: packet.get_identifier().into_u16(),
        seq: packet.get_sequence().into_u16(),
        payload: &echo[ECHO_HEADER..],
    })
}

fn decode_v4(bytes: &[u8]) -> Option<Icmpv4Packet> {
    // With RAW the two addresses are taken from the IP header; the arguments are not looked at.
    let unused = Ipv4Addr::UNSPECIFIED;
    Icmpv4Packet::decode(bytes, socket2::Type::RAW, unused, unused).ok()
}

/// Protocol, start and end of what an IPv4 packet carries.
fn v4_bounds(bytes: &[u8]) -> Result<(u8, usize, usize), IcmpError> {
    let header = bytes.get(..V4_HEADER).ok_or(IcmpError::Truncated)?;
    let start = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || start < V4_HEADER {
        return Err(IcmpError::NotIcmp);
    }
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if total < start || total > bytes.len() {
        return Err(IcmpError::Truncated);
    }
    Ok((header[9], start, total))
}

fn parse_v6(bytes: &[u8]) -> Result<IcmpMessage<'_>, IcmpError> {
    let header = bytes.get(..ECHO_HEADER).ok_or(IcmpError::Truncated)?;
    match header[0] {
        V6_ECHO_REPLY => {
            let packet = Icmpv6Packet::decode(bytes, Ipv6Addr::UNSPECIFIED).map_err(|_| IcmpError::Truncated)?;
            Ok(IcmpMessage::EchoReply {
                ident: packet.get_identifier().into_u16(),
                seq: packet.get_sequence().into_u16(),
                payload: &bytes[ECHO_HEADER..],
            })
        }
        1..=4 => Ok(v6_error(bytes).unwrap_or(IcmpMessage::Other)),
        _ => Ok(IcmpMessage::Other),
    }
}

/// Only quotes without extension headers are taken: our echo requests carry none.
fn v6_error(bytes: &[u8]) -> Option<IcmpMessage<'_>> {
    let quoted = bytes.get(ECHO_HEADER..)?;
    let echo = quoted.get(V6_HEADER..)?;
    if quoted[0] >> 4 != 6 || quoted[6] != 58 || echo.len() < ECHO_HEADER || echo[0] != V6_ECHO_REQUEST {
        return None;
    }
    let packet = Icmpv6Packet::decode(bytes, Ipv6Addr::UNSPECIFIED).ok()?;
    Some(IcmpMessage::Error {
        kind_type: packet.get_icmpv6_type().0,
        code: packet.get_icmpv6_code().0,
        original_to: IpAddr::V6(packet.get_real_dest()),
        ident: packet.get_identifier().into_u16(),
        seq: packet.get_sequence().into_u16(),
        payload: &echo[ECHO_HEADER..],
    })
}

/// RFC 1071. Over a message with its checksum in place the result is 0xffff.
fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4_packet(source: [u8; 4], icmp: &[u8], options: &[u8]) -> Vec<u8> {
        let ihl = 20 + options.len();
        let mut p = vec![0x40 | u8::try_from(ihl / 4).unwrap(), 0];
        p.extend_from_slice(&u16::try_from(ihl + icmp.len()).unwrap().to_be_bytes());
        p.extend_from_slice(&[0, 0, 0, 0, 64, 1, 0, 0]);
        p.extend_from_slice(&source);
        p.extend_from_slice(&[192, 0, 2, 9]);
        p.extend_from_slice(options);
        p.extend_from_slice(icmp);
        p
    }

    fn checksummed(mut icmp: Vec<u8>) -> Vec<u8> {
        icmp[2..4].fill(0);
        let sum = !ones_complement_sum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        icmp
    }

    fn reply_of(request: &[u8]) -> Vec<u8> {
        let mut reply = request.to_vec();
        reply[0] = 0;
        checksummed(reply)
    }

    fn unreachable(quoted_request: &[u8]) -> Vec<u8> {
        let mut icmp = vec![3, 1, 0, 0, 0, 0, 0, 0];
        let mut quote = v4_packet([192, 0, 2, 9], quoted_request, &[]);
        quote[16..20].copy_from_slice(&[198, 51, 100, 1]);
        icmp.extend_from_slice(&quote);
        v4_packet([192, 0, 2, 1], &checksummed(icmp), &[])
    }

    #[test]
    fn request_bytes_and_checksum_are_those_of_rfc_792() {
        // 0x0800 + 0x1234 + 0x0007 + 0x6162 = 0x7b9d; its complement is 0x8462.
        assert_eq!(
            echo_request(false, 0x1234, 7, b"ab"),
            [8, 0, 0x84, 0x62, 0x12, 0x34, 0, 7, b'a', b'b']
        );
        assert_eq!(
            echo_request(true, 0x1234, 7, b"ab"),
            [128, 0, 0, 0, 0x12, 0x34, 0, 7, b'a', b'b']
        );
    }

    #[test]
    fn replies_are_read_with_their_payload() {
        let reply = reply_of(&echo_request(false, 0xbeef, 300, b"cookie-01"));
        for options in [&[][..], &[1, 1, 1, 1][..]] {
            let packet = v4_packet([198, 51, 100, 1], &reply, options);
            let want = IcmpMessage::EchoReply {
                ident: 0xbeef,
                seq: 300,
                payload: b"cookie-01",
            };
            assert_eq!(parse(false, &packet), Ok(want));
        }
        let mut v6 = echo_request(true, 0xbeef, 300, b"cookie-01");
        v6[0] = 129;
        let want = IcmpMessage::EchoReply {
            ident: 0xbeef,
            seq: 300,
            payload: b"cookie-01",
        };
        assert_eq!(parse(true, &v6), Ok(want));
    }

    #[test]
    fn an_error_names_the_original_target() {
        let packet = unreachable(&echo_request(false, 7, 8, b"xy"));
        let want = IcmpMessage::Error {
            kind_type: 3,
            code: 1,
            original_to: IpAddr::from([198, 51, 100, 1]),
            ident: 7,
            seq: 8,
            payload: b"xy",
        };
        assert_eq!(parse(false, &packet), Ok(want));
        let target: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let mut v6 = vec![1, 3, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 10, 58, 64];
        v6.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        v6.extend_from_slice(&target.octets());
        v6.extend_from_slice(&echo_request(true, 7, 8, b"xy"));
        let want = IcmpMessage::Error {
            kind_type: 1,
            code: 3,
            original_to: IpAddr::V6(target),
            ident: 7,
            seq: 8,
            payload: b"xy",
        };
        assert_eq!(parse(true, &v6), Ok(want));
    }

    #[test]
    fn what_is_not_about_our_echoes_is_other() {
        let request = v4_packet([192, 0, 2, 9], &echo_request(false, 1, 1, b""), &[]);
        assert_eq!(parse(false, &request), Ok(IcmpMessage::Other));
        assert_eq!(parse(true, &echo_request(true, 1, 1, b"")), Ok(IcmpMessage::Other));
        // An error that quotes a reply of ours to somebody else.
        let foreign = unreachable(&reply_of(&echo_request(false, 7, 8, b"xy")));
        assert_eq!(parse(false, &foreign), Ok(IcmpMessage::Other));
        // A redirect quotes a request too, but says nothing about reachability.
        let mut redirect = unreachable(&echo_request(false, 7, 8, b"xy"))[20..].to_vec();
        redirect[0] = 5;
        let redirect = v4_packet([192, 0, 2, 1], &checksummed(redirect), &[]);
        assert_eq!(parse(false, &redirect), Ok(IcmpMessage::Other));
    }

    #[test]
    fn damaged_and_cut_packets_are_refused() {
        let packet = v4_packet([198, 51, 100, 1], &reply_of(&echo_request(false, 1, 2, b"cookie")), &[]);
        for n in 0..packet.len() {
            assert_eq!(parse(false, &packet[..n]), Err(IcmpError::Truncated), "{n} octets");
        }
        let mut flipped = packet.clone();
        flipped[30] ^= 4;
        assert_eq!(parse(false, &flipped), Err(IcmpError::Checksum));
        let mut udp = packet;
        udp[9] = 17;
        assert_eq!(parse(false, &udp), Err(IcmpError::NotIcmp));
    }

    #[test]
    fn no_cut_or_flip_of_an_error_panics() {
        let whole = unreachable(&echo_request(false, 7, 8, b"xy"));
        for n in 0..=whole.len() {
            for bit in 0..8 {
                let mut p = whole[..n].to_vec();
                if let Some(last) = p.last_mut() {
                    *last ^= 1 << bit;
                }
                let _ = parse(false, &p);
                let _ = parse(true, p.get(20..).unwrap_or(&[]));
            }
        }
    }
}
