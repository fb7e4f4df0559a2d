//! The counts that programs keep in front of a map's hash, read from outside.
//!
//! Programs only ever add to them, and nothing here writes once they run: a map is cleared by remembering what its slots
//! held. So no count is lost or comes back when a program runs at that moment.

use crate::sys::mapped::Words;
use rbtrace_codegen::object::Slots as Layout;
use std::cell::RefCell;
use std::io;
use std::os::fd::BorrowedFd;

/// Words of a slot.
const WORDS: u32 = Layout::SIZE / 8;

/// The slots of one map, of all CPUs.
#[derive(Debug)]
pub struct Slots {
    words: Words,
    key_size: usize,
    past: RefCell<Vec<Past>>,
}

/// What a slot's count meant before.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    /// The count when the map was emptied or zeroed last.
    count: u64,
    /// The entry is there even if nothing has been counted since.
    stays: bool,
}

/// A slot with an entry.
#[derive(Debug)]
struct Slot {
    index: usize,
    key: Vec<u8>,
    count: u64,
}

impl Slots {
    /// Maps the slots of an object of `bytes` bytes, for keys of `key_size` bytes.
    pub fn new(map: BorrowedFd, bytes: u32, key_size: u32) -> io::Result<Self> {
        let words = Words::new(map, bytes / 8)?;
        let first_slots = (0..bytes / Layout::CPU_SIZE).map(|cpu| cpu * Layout::CPU_SIZE);
        first_slots.for_each(|at| words.set((at + Layout::TAKEN) / 8, 1));
        let past = RefCell::new(vec![Past::default(); (bytes / Layout::SIZE) as usize]);
        Ok(Slots { words, key_size: key_size as usize, past })
    }

    /// The keys that have an entry and what each counted since; a key comes once for each CPU at most.
    pub fn entries(&self) -> Vec<(Vec<u8>, u64)> {
        let past = self.past.borrow();
        let entry = |slot: Slot| {
            let before = past[slot.index];
            let since = slot.count.wrapping_sub(before.count);
            (since != 0 || before.stays).then_some((slot.key, since))
        };
        self.owned(past.len()).filter_map(entry).collect()
    }

    /// Removes every entry.
    pub fn clear(&self) {
        self.forget(|_| false);
    }

    /// Makes every count zero; the entries stay.
    pub fn zero(&self) {
        self.forget(|had_entry| had_entry);
    }

    fn forget(&self, stays: fn(bool) -> bool) {
        let mut past = self.past.borrow_mut();
        for slot in self.owned(past.len()) {
            let before = &mut past[slot.index];
            let had_entry = before.stays || slot.count != before.count;
            *before = Past { count: slot.count, stays: stays(had_entry) };
        }
    }

    fn owned(&self, count: usize) -> impl Iterator<Item = Slot> {
        (0..count).filter_map(|index| self.slot(index))
    }

    /// The slot, if it belongs to a key. The key's first word is written last, and counts follow it.
    fn slot(&self, index: usize) -> Option<Slot> {
        let word = |offset: u32| self.words.get(index as u32 * WORDS + offset / 8);
        let first = word(Layout::KEY);
        let of_zeros = (index as u32).is_multiple_of(Layout::PER_CPU);
        if first == 0 && !of_zeros {
            return None;
        }
        let key = [first, word(Layout::KEY + 8)].map(u64::to_ne_bytes).concat();
        let key = key.get(..self.key_size)?.to_vec();
        Some(Slot { index, key, count: word(Layout::COUNT) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    /// Slots of two CPUs in a file that has already lost its name.
    fn slots(key_size: u32) -> Slots {
        let path = std::env::temp_dir().join(format!("rbtrace-slots-{}-{key_size}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(4096).unwrap();
        Slots::new(file.as_fd(), 2 * Layout::CPU_SIZE, key_size).unwrap()
    }

    fn write(slots: &Slots, index: u32, key: [u64; 2], count: u64) {
        let at = index * WORDS;
        slots.words.set(at + Layout::KEY / 8, key[0]);
        slots.words.set(at + Layout::KEY / 8 + 1, key[1]);
        slots.words.set(at + Layout::COUNT / 8, count);
    }

    fn entry(key: u32, count: u64) -> (Vec<u8>, u64) {
        (key.to_ne_bytes().to_vec(), count)
    }

    #[test]
    fn first_slots_are_the_zero_keys_and_others_nobodys() {
        let slots = slots(4);
        let taken = |index: u32| slots.words.get(index * WORDS + Layout::TAKEN / 8);
        assert_eq!([0, 1, 31, 32, 33].map(taken), [1, 0, 0, 1, 0]);
        write(&slots, 32, [0, 0], 3);
        write(&slots, 33, [0, 0], 9);
        assert_eq!(slots.entries(), [entry(0, 3)]);
    }

    #[test]
    fn what_was_counted_before_is_past() {
        let slots = slots(4);
        write(&slots, 5, [7, 0], 10);
        write(&slots, 6, [8, 0], 1);
        assert_eq!(slots.entries(), [entry(7, 10), entry(8, 1)]);
        slots.clear();
        assert_eq!(slots.entries(), []);
        write(&slots, 5, [7, 0], 12);
        assert_eq!(slots.entries(), [entry(7, 2)]);
        slots.zero();
        assert_eq!(slots.entries(), [entry(7, 0)]);
        slots.zero();
        assert_eq!(slots.entries(), [entry(7, 0)], "still there");
        write(&slots, 5, [7, 0], 13);
        assert_eq!(slots.entries(), [entry(7, 1)]);
        slots.clear();
        assert_eq!(slots.entries(), []);
    }

    #[test]
    fn texts_take_both_words() {
        let slots = slots(16);
        let words = [u64::from_ne_bytes(*b"a long n"), u64::from_ne_bytes(*b"ame\0\0\0\0\0")];
        write(&slots, 1, words, 2);
        assert_eq!(slots.entries(), [(b"a long name\0\0\0\0\0".to_vec(), 2)]);
    }
}
