//! What an address is like: slow, silent, a liar. Chosen by a stable hash, so that two runs have the same network.

/// A stable mix of two numbers (splitmix64).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(b.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Whether agent `i` belongs to the `percent` that `what` is chosen for.
pub(crate) fn chosen(i: u32, what: &str, percent: f64) -> bool {
    let salt = what.bytes().fold(0u64, |s, b| s.wrapping_mul(131) ^ u64::from(b));
    (mix(u64::from(i), salt) >> 11) as f64 / (1u64 << 53) as f64 * 100.0 < percent
}

/// A way of answering that must not be believed (or, for the last, not twice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The request id of somebody else.
    Id,
    /// Another community.
    Community,
    /// SNMPv1 in place of v2c.
    Version,
    /// Octets after the message.
    Trailing,
    /// A length that runs past the end.
    Malformed,
    /// The right number of values, of the neighbour's objects.
    Objects,
    /// The last variable is left out.
    Fewer,
    /// A GET instead of a response.
    Kind,
    /// From the address beside the one that was asked.
    Source,
    /// An empty datagram.
    Empty,
    /// The right answer, three times.
    Again,
}

/// All of them; a liar tells one kind of lie.
const LIES: [Lie; 11] = [
    Lie::Id,
    Lie::Community,
    Lie::Version,
    Lie::Trailing,
    Lie::Malformed,
    Lie::Objects,
    Lie::Fewer,
    Lie::Kind,
    Lie::Source,
    Lie::Empty,
    Lie::Again,
];

/// The lie of a liar.
pub(crate) fn lie(i: u32, percent: f64) -> Option<Lie> {
    chosen(i, "liar", percent).then(|| LIES[(mix(u64::from(i), 77) % LIES.len() as u64) as usize])
}
