//! The counts that programs keep in front of a map's hash, read from outside.
//!
//! Programs only ever add to them, and nothing here writes once they run.

use crate::sys::mapped::Words;
use rbtrace_codegen::object::Tallies as Layout;
use std::ops::Range;
use std::rc::Rc;

/// Words of a tally.
const WORDS: u32 = Layout::SIZE / 8;

/// The tallies of one map, of all CPUs.
#[derive(Debug)]
pub struct Tallies {
    words: Rc<Words>,
    /// Numbers of the map's tallies.
    range: Range<u32>,
    key_size: usize,
}

impl Tallies {
    /// The tallies of the map that comes as number `map` of those in `words`, for keys of `key_size` bytes. `bytes`: those of
    /// each map.
    pub fn new(words: Rc<Words>, map: u32, bytes: u32, key_size: u32) -> Self {
        let count = bytes / Layout::SIZE;
        let range = map * count..(map + 1) * count;
        let first_tallies = range.clone().step_by(Layout::PER_CPU as usize);
        first_tallies.for_each(|tally| words.set(tally * WORDS + Layout::TAKEN / 8, 1));
        Tallies { words, range, key_size: key_size as usize }
    }

    /// The keys that have a tally and what was counted there; a key comes once for each CPU at most.
    pub fn entries(&self) -> Vec<(Vec<u8>, u64)> {
        self.range.clone().filter_map(|index| self.tally(index)).collect()
    }

    /// The tally, if it belongs to a key. The key's first word is written last, and counts follow it.
    fn tally(&self, index: u32) -> Option<(Vec<u8>, u64)> {
        let word = |offset: u32| self.words.get(index * WORDS + offset / 8);
        let first = word(Layout::KEY);
        let of_zeros = index.is_multiple_of(Layout::PER_CPU);
        if first == 0 && !of_zeros {
            return None;
        }
        let key = [first, word(Layout::KEY + 8)].map(u64::to_ne_bytes).concat();
        let key = key.get(..self.key_size)?.to_vec();
        let count = word(Layout::COUNT);
        (count != 0).then_some((key, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    /// Tallies of two CPUs in a file that has already lost its name.
    fn tallies(key_size: u32) -> Tallies {
        let path = std::env::temp_dir().join(format!("rbtrace-tallies-{}-{key_size}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(4096).unwrap();
        let words = Words::new(file.as_fd(), 2 * Layout::CPU_SIZE / 8).unwrap();
        Tallies::new(Rc::new(words), 0, 2 * Layout::CPU_SIZE, key_size)
    }

    fn write(tallies: &Tallies, index: u32, key: [u64; 2], count: u64) {
        let at = index * WORDS;
        tallies.words.set(at + Layout::KEY / 8, key[0]);
        tallies.words.set(at + Layout::KEY / 8 + 1, key[1]);
        tallies.words.set(at + Layout::COUNT / 8, count);
    }

    fn entry(key: u32, count: u64) -> (Vec<u8>, u64) {
        (key.to_ne_bytes().to_vec(), count)
    }

    #[test]
    fn first_tallies_are_the_zero_keys_and_others_nobodys() {
        let tallies = tallies(4);
        write(&tallies, 2, [7, 0], 0);
        let taken = |index: u32| tallies.words.get(index * WORDS + Layout::TAKEN / 8);
        assert_eq!([0, 1, 31, 32, 33].map(taken), [1, 0, 0, 1, 0]);
        write(&tallies, 32, [0, 0], 3);
        write(&tallies, 33, [0, 0], 9);
        assert_eq!(tallies.entries(), [entry(0, 3)]);
    }

    #[test]
    fn texts_take_both_words() {
        let tallies = tallies(16);
        let words = [u64::from_ne_bytes(*b"a long n"), u64::from_ne_bytes(*b"ame\0\0\0\0\0")];
        write(&tallies, 1, words, 2);
        assert_eq!(tallies.entries(), [(b"a long name\0\0\0\0\0".to_vec(), 2)]);
    }
}
