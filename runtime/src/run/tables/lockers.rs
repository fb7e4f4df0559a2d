//! The values that threads keep in front of a map's hash, read from outside.

use crate::sys::mapped::Words;
use rbtrace_codegen::object::Lockers as Layout;
use std::rc::Rc;

/// The lockers of one map.
#[derive(Debug)]
pub struct Lockers {
    words: Rc<Words>,
    /// The map's number among those in `words`.
    map: u32,
    key_size: usize,
}

impl Lockers {
    /// The lockers of the map that comes as number `map` of those in `words`, for keys of `key_size` bytes. Called before any
    /// program runs.
    pub fn new(words: Rc<Words>, map: u32, key_size: u32) -> Self {
        let lockers = Lockers { words, map, key_size: key_size as usize };
        lockers.set(0, Layout::KEY, Layout::BUSY);
        lockers.set(0, Layout::SPILLED, 1);
        lockers
    }

    /// Calls `found` with key and value of each locker that is in use.
    pub fn each(&self, mut found: impl FnMut(&[u8], &[u8])) {
        for locker in 0..Layout::COUNT {
            let key = self.word(locker, Layout::KEY);
            let value = self.word(locker, Layout::VALUE);
            // It may have changed hands meanwhile.
            if key != 0 && key != Layout::BUSY && self.word(locker, Layout::KEY) == key {
                let (key, value) = (key.to_ne_bytes(), value.to_ne_bytes());
                found(key.get(..self.key_size).unwrap_or(&key), &value);
            }
        }
    }

    fn word(&self, locker: u32, offset: u32) -> u64 {
        self.words.get(self.index(locker, offset))
    }

    fn set(&self, locker: u32, offset: u32, value: u64) {
        self.words.set(self.index(locker, offset), value);
    }

    fn index(&self, locker: u32, offset: u32) -> u32 {
        (self.map * Layout::MAP_SIZE + locker * Layout::SIZE + offset) / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    /// Lockers of two maps in a file that has already lost its name; those of the second.
    fn lockers() -> Lockers {
        let path = std::env::temp_dir().join(format!("rbtrace-lockers-{}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(u64::from(2 * Layout::MAP_SIZE)).unwrap();
        let words = Words::new(file.as_fd(), 2 * Layout::MAP_SIZE / 8).unwrap();
        Lockers::new(Rc::new(words), 1, 4)
    }

    #[test]
    fn those_in_use() {
        let lockers = lockers();
        let put = |locker, key, value| {
            lockers.set(locker, Layout::VALUE, value);
            lockers.set(locker, Layout::KEY, key);
        };
        put(1, 77, 5);
        put(2, Layout::BUSY, 6);
        put(3, 0, 7);
        put(Layout::COUNT - 1, 0x1_0000, 8);
        let mut found = vec![];
        lockers.each(|key, value| found.push((key.to_vec(), value[0])));
        assert_eq!(found, [(vec![77, 0, 0, 0], 5), (vec![0, 0, 1, 0], 8)]);
    }
}
