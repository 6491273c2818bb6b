//! Maps from names that are made for hundreds of thousands of short texts.
//!
//! The hasher is quick and does not resist texts chosen to collide: these come from the operator's own files. Never here: iteration, so that no
//! order of a map can show.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map by names.
pub(crate) type NameMap<K, V> = HashMap<K, V, BuildHasherDefault<NameHasher>>;
/// A set of names.
pub(crate) type NameSet<K> = HashSet<K, BuildHasherDefault<NameHasher>>;

/// Eight bytes at a time: xor, multiply, and both halves of the product folded into one, so that every bit reaches the lowest ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameHasher(u64);

impl NameHasher {
    fn mix(&mut self, word: u64) {
        // The fraction of the golden ratio, an odd number without pattern.
        let wide = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        #[allow(clippy::cast_possible_truncation)] // both halves are meant
        {
            self.0 = (wide as u64) ^ ((wide >> 64) as u64);
        }
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            self.mix(u64::from_le_bytes(eight));
        }
        let mut eight = [0; 8];
        let rest = words.remainder();
        eight[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(eight) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    /// The fullest of 4,096 and of 128 buckets, by the lowest and the highest bits, which the tables of std use.
    fn fullest(hashes: impl Iterator<Item = u64>) -> (u32, u32) {
        let (mut low, mut high) = (vec![0u32; 1 << 12], vec![0u32; 1 << 7]);
        for hash in hashes {
            low[(hash & 0xfff) as usize] += 1;
            high[(hash >> 57) as usize] += 1;
        }
        (low.into_iter().max().unwrap(), high.into_iter().max().unwrap())
    }

    #[test]
    fn numbered_names_and_addresses_spread() {
        let build = BuildHasherDefault::<NameHasher>::default();
        // 49 and 1,563 on average.
        let good = |(low, high): (u32, u32)| low < 150 && high < 2_500;
        for prefix in ["N-", "", "13", "agg-1-", "医療法人第", "contract number "] {
            let of_names = fullest((0..200_000).map(|n| build.hash_one(format!("{prefix}{n:07}").as_str())));
            assert!(good(of_names), "{prefix}: {of_names:?}");
        }
        let address = |n: u32| std::net::IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + n));
        let of_addresses = fullest((0..200_000).map(|n| build.hash_one(address(n))));
        assert!(good(of_addresses), "{of_addresses:?}");
    }
}
