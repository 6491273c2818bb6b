//! The index of a conceptual row, taken apart as its MIB defines it (RFC 2578 section 7.7; InetAddress of RFC 4001).
//!
//! Never here: what a row is about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One part of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexPart {
    /// One number.
    Number,
    /// An IpAddress: four numbers.
    Ipv4,
    /// A router's identifier: an IPv4 address in one number.
    RouterId,
    /// InetAddressType and InetAddress: IPv4, IPv6, and both with a zone. Some agents leave out the length of the address.
    Inet,
    /// An OBJECT IDENTIFIER: its length, then that many numbers.
    ObjectId,
}

/// A part that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A number.
    Number(u32),
    /// An address, and its zone where it has one.
    Address(IpAddr, Option<u32>),
}

impl Field {
    /// The address, if it is one.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Field::Address(address, _) => Some(address),
            Field::Number(_) => None,
        }
    }
}

/// Indices have no more parts than this.
const MOST: usize = 4;

/// The parts of an index that people or rules look at, in their order.
pub type Fields = [Option<Field>; MOST];

/// Takes an index apart; `None` if it is not of this form.
pub fn fields(parts: &[IndexPart], index: &[u32]) -> Option<Fields> {
    let mut all = [None; MOST];
    read(parts, index, 0, &mut all).then_some(all)
}

/// What may be read in more than one way is right if all of the index is used up.
fn read(parts: &[IndexPart], index: &[u32], at: usize, all: &mut Fields) -> bool {
    let Some((part, parts)) = parts.split_first() else {
        return index.is_empty();
    };
    let mut put = |field: Field, rest: &[u32]| {
        let fits = read(parts, rest, at + 1, all);
        if let (true, Some(place)) = (fits, all.get_mut(at)) {
            *place = Some(field);
        }
        fits
    };
    match (part, index) {
        (IndexPart::Number, [n, rest @ ..]) => put(Field::Number(*n), rest),
        (IndexPart::RouterId, [n, rest @ ..]) => put(Field::Address(Ipv4Addr::from_bits(*n).into(), None), rest),
        (IndexPart::Ipv4, _) => match address(index, 4) {
            Some((field, rest)) => put(field, rest),
            None => false,
        },
        (IndexPart::ObjectId, [length, rest @ ..]) => {
            let length = usize::try_from(*length).unwrap_or(usize::MAX);
            rest.get(length..).is_some_and(|rest| put(Field::Number(0), rest))
        }
        (IndexPart::Inet, [kind, rest @ ..]) => {
            // InetAddressType: ipv4(1), ipv6(2), ipv4z(3), ipv6z(4).
            let octets = match kind {
                1 => 4,
                2 => 16,
                3 => 8,
                4 => 20,
                _ => return false,
            };
            let with_length = rest.split_first().filter(|(length, _)| **length == octets);
            let forms = [with_length.map(|(_, rest)| rest), Some(rest)];
            let mut read = forms.into_iter().flatten().filter_map(|rest| address(rest, octets));
            read.any(|(field, rest)| put(field, rest))
        }
        (_, []) => false,
    }
}

/// An address of so many octets, of which the last four of eight or twenty are its zone.
fn address(index: &[u32], octets: u32) -> Option<(Field, &[u32])> {
    let count = usize::try_from(octets).ok()?;
    let (head, rest) = index.split_at_checked(count)?;
    let mut bytes = [0; 20];
    for (byte, number) in bytes.iter_mut().zip(head) {
        *byte = u8::try_from(*number).ok()?;
    }
    let quad = |from: usize| -> Option<[u8; 4]> { bytes.get(from..from + 4)?.try_into().ok() };
    let zone = |from: usize| quad(from).map(u32::from_be_bytes);
    let v6 = || -> Option<IpAddr> {
        let octets: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets).into())
    };
    let field = match count {
        4 => Field::Address(Ipv4Addr::from(quad(0)?).into(), None),
        8 => Field::Address(Ipv4Addr::from(quad(0)?).into(), zone(4)),
        16 => Field::Address(v6()?, None),
        20 => Field::Address(v6()?, zone(16)),
        _ => return None,
    };
    Some((field, rest))
}

/// An address as a value: an IpAddress, or an InetAddress of four or sixteen octets.
pub fn address_of(octets: &[u8]) -> Option<IpAddr> {
    let numbers: Vec<u32> = octets.iter().copied().map(u32::from).collect();
    match address(&numbers, u32::try_from(octets.len()).ok()?)? {
        (Field::Address(address, _), _) => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::IndexPart::{Inet, Ipv4, Number, ObjectId, RouterId};
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn numbers(text: &str) -> Vec<u32> {
        text.split('.').map(|n| n.parse().expect("a number")).collect()
    }

    const V6: &str = "32.1.5.80.0.2.0.47.0.0.0.0.0.51.0.1";

    fn only(parts: &[IndexPart], index: &str) -> Vec<Field> {
        let found = fields(parts, &numbers(index));
        found.into_iter().flatten().flatten().collect()
    }

    #[test]
    fn addresses_of_both_families_are_read_with_and_without_their_length() {
        let v6 = Field::Address(address("2001:550:2:2f::33:1"), None);
        let v4 = Field::Address(address("192.0.2.2"), None);
        assert_eq!(only(&[Number, Inet], &format!("1.2.16.{V6}")), [Field::Number(1), v6]);
        assert_eq!(only(&[Number, Inet], "1.1.4.192.0.2.2"), [Field::Number(1), v4]);
        assert_eq!(only(&[Inet], &format!("2.{V6}")), [v6]);
        assert_eq!(only(&[Ipv4, Number], "192.0.2.2.0"), [v4, Field::Number(0)]);
        let router = Field::Address(address("0.0.0.7"), None);
        assert_eq!(only(&[RouterId], "7"), [router]);
        let both = only(&[Number, Inet, Inet], &format!("0.2.16.{V6}.2.16.{V6}"));
        assert_eq!(both, [Field::Number(0), v6, v6]);
        let bare = only(&[Number, Inet, Inet], "0.1.192.0.2.11.1.192.0.2.2");
        assert_eq!(
            bare,
            [Field::Number(0), Field::Address(address("192.0.2.11"), None), v4]
        );
        // An address that begins like its own length.
        let four = Field::Address(address("4.4.0.1"), None);
        assert_eq!(only(&[Inet], "1.4.4.0.1"), [four]);
        assert_eq!(only(&[Inet], "1.4.4.4.0.1"), [four]);
        assert_eq!(only(&[ObjectId, Inet], "3.0.0.7.1.4.192.0.2.2"), [Field::Number(0), v4]);
    }

    #[test]
    fn a_zone_belongs_to_its_address() {
        let local = "254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1";
        let with_zone = Field::Address(address("fe80::1"), Some(7));
        assert_eq!(only(&[Inet], &format!("4.20.{local}.0.0.0.7")), [with_zone]);
        assert_eq!(
            only(&[Inet], "3.8.192.0.2.2.0.0.0.9"),
            [Field::Address(address("192.0.2.2"), Some(9))]
        );
    }

    #[test]
    fn what_is_not_of_the_form_is_nothing() {
        for index in [
            "1.2.16.32.1.5.80",
            "1.1.4.192.0.2.2.9",
            "1.9.4.1.2.3.4",
            "1.1.4.300.0.2.2",
            "1",
        ] {
            assert_eq!(fields(&[Number, Inet], &numbers(index)), None, "{index}");
        }
        assert_eq!(fields(&[ObjectId], &[9, 1]), None);
        assert_eq!(fields(&[], &[]), Some([None; MOST]));
    }

    #[test]
    fn an_address_may_be_a_value() {
        assert_eq!(address_of(&[192, 0, 2, 1]), Some(address("192.0.2.1")));
        assert_eq!(
            address_of(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            Some(address("fe80::1"))
        );
        assert_eq!(address_of(b"word!"), None);
    }
}
