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

/// Eight bytes at a time: xor, multiply, fold the high half down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameHasher(u64);

impl NameHasher {
    fn mix(&mut self, word: u64) {
        // The fraction of the golden ratio, an odd number without pattern.
        let wide = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        #[allow(clippy::cast_possible_truncation)] // both halves are meant
        {
            self.0 = (wide as u64) ^ ((wide >> 64) as u64).rotate_left(23) ^ 0xa5a5;
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

    #[test]
    fn numbered_names_spread() {
        let build = BuildHasherDefault::<NameHasher>::default();
        let (mut low, mut high) = (vec![0u32; 1 << 12], vec![0u32; 1 << 7]);
        let mut all = HashSet::new();
        for n in 0..200_000u32 {
            let hash = build.hash_one(format!("N-{n:07}").as_str());
            low[(hash & 0xfff) as usize] += 1;
            high[(hash >> 57) as usize] += 1;
            all.insert(hash);
        }
        // 49 and 1562 on average; the tables of std use the lowest and the highest bits.
        assert!(
            low.iter().all(|n| (10..120).contains(n)),
            "{:?} {:?}",
            low.iter().min(),
            low.iter().max()
        );
        assert!(
            high.iter().all(|n| (1000..2200).contains(n)),
            "{:?} {:?}",
            high.iter().min(),
            high.iter().max()
        );
        assert_eq!(all.len(), 200_000);
    }
}
