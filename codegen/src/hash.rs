//! A quick hash for keys of a few words, such as operations and numbers of registers.
//!
//! The standard one withstands keys that an enemy chooses, which costs more than all else in the passes; the keys here are
//! numbers that the compiler gave out. It is the same in each run.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map with the quick hash.
pub type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;
/// A set with the quick hash.
pub type FastSet<K> = HashSet<K, BuildHasherDefault<Quick>>;

/// Multiplies and turns, word by word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quick(u64);

impl Quick {
    /// An odd number without a pattern: the fraction of the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(Self::FACTOR);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.add(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.add(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table's buckets are chosen by the low bits, in which a product is poor.
        self.0.rotate_left(26)
    }
}
