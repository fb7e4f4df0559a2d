//! The kernel objects that a script's maps lie in.

use crate::bytes::u64_at;
use crate::run::tables::lockers::Lockers;
use crate::run::tables::tallies::Tallies;
use crate::sys::map;
use crate::sys::mapped::Words;
use rbtrace_codegen::object::MapDef;
use rbtrace_lang::types::Type;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Batches larger than this many bytes are read one entry at a time.
const BATCH_BYTES: usize = 64 << 20;

/// Where a script's map lies.
#[derive(Debug)]
pub enum Storage {
    /// In a hash.
    Hash {
        /// The kernel object.
        fd: Rc<OwnedFd>,
        /// How it was made.
        def: MapDef,
        /// Possible CPUs.
        cpus: u32,
        /// What is counted in front of the hash.
        tallies: Option<Tallies>,
        /// What threads keep in front of it.
        lockers: Option<Lockers>,
    },
    /// In an element of a per-CPU array.
    Element {
        /// The kernel object.
        fd: Rc<OwnedFd>,
        /// Bytes of the element on one CPU.
        size: u32,
        /// Possible CPUs.
        cpus: u32,
        /// Which element.
        element: u32,
    },
    /// In a part of an array that is mapped.
    Bytes {
        /// The array.
        words: Rc<Words>,
        /// First byte.
        at: u32,
        /// Bytes.
        len: u32,
    },
}

impl Storage {
    /// Bytes that a lookup returns.
    pub(super) fn read_size(&self) -> usize {
        match self {
            Storage::Hash { def, cpus, .. } if def.kind.is_per_cpu() => per_cpu(def.value_size, *cpus),
            Storage::Hash { def, .. } => def.value_size as usize,
            Storage::Element { size, cpus, .. } => per_cpu(*size, *cpus),
            Storage::Bytes { len, .. } => *len as usize,
        }
    }

    /// Bytes of a key; 0 without keys.
    pub(super) fn key_size(&self) -> usize {
        if let Storage::Hash { def, .. } = self { def.key_size as usize } else { 0 }
    }

    /// The values of the CPUs in what a lookup returned.
    pub(super) fn cpu_parts<'a>(&self, value: &'a [u8]) -> std::slice::ChunksExact<'a, u8> {
        let size = match self {
            Storage::Hash { def, .. } if def.kind.is_per_cpu() => {
                (def.value_size as usize).next_multiple_of(8)
            }
            Storage::Element { size, .. } => (*size as usize).next_multiple_of(8),
            Storage::Hash { .. } | Storage::Bytes { .. } => value.len(),
        };
        value.chunks_exact(size.max(1))
    }

    /// Calls `found` with key and value of each entry; of a key that comes twice, the last one is meant.
    pub(super) fn each(&self, found: &mut dyn FnMut(&[u8], &[u8]), ty: &Type) -> io::Result<()> {
        self.each_in_kernel_object(found, ty)?;
        if let Storage::Hash { lockers: Some(lockers), .. } = self {
            lockers.each(found);
        }
        Ok(())
    }

    fn each_in_kernel_object(&self, found: &mut dyn FnMut(&[u8], &[u8]), ty: &Type) -> io::Result<()> {
        let Storage::Hash { fd, def, .. } = self else {
            let value = self.single()?;
            if self.is_set(&value, ty) {
                found(&[], &value);
            }
            return Ok(());
        };
        let (key_size, read, count) = (def.key_size as usize, self.read_size(), def.max_entries as usize);
        if count.saturating_mul(key_size + read) <= BATCH_BYTES {
            let (mut keys, mut values) = (vec![0; count * key_size], vec![0; count * read]);
            if let Ok(n) = map::lookup_all(fd.as_fd(), &mut keys, &mut values, def.max_entries) {
                let pairs = keys.chunks_exact(key_size).zip(values.chunks_exact(read)).take(n as usize);
                pairs.for_each(|(k, v)| found(k, v));
                return Ok(());
            }
        }
        let mut value = vec![0; read];
        for key in keys(fd.as_fd(), def)? {
            if map::lookup(fd.as_fd(), &key, &mut value)? {
                found(&key, &value);
            }
        }
        Ok(())
    }

    /// What the tallies in front of a hash have counted; a key comes once for each CPU at most.
    pub(super) fn tallies(&self) -> Vec<(Vec<u8>, u64)> {
        if let Storage::Hash { tallies: Some(tallies), .. } = self { tallies.entries() } else { vec![] }
    }

    /// The entry of one key.
    pub(super) fn get<T>(&self, key: &[u8], entry: impl Fn(&[u8], &[u8]) -> T) -> io::Result<Option<T>> {
        let Storage::Hash { fd, .. } = self else { return Ok(None) };
        let Some(key) = key.get(..self.key_size()) else { return Ok(None) };
        let mut value = vec![0; self.read_size()];
        Ok(map::lookup(fd.as_fd(), key, &mut value)?.then(|| entry(key, &value)))
    }

    /// The value of a map without keys, with the word that says whether it is set.
    pub(super) fn single(&self) -> io::Result<Vec<u8>> {
        let mut value = vec![0; self.read_size()];
        match self {
            Storage::Hash { .. } => {}
            Storage::Element { fd, element, .. } => {
                map::lookup(fd.as_fd(), &element.to_le_bytes(), &mut value)?;
            }
            Storage::Bytes { words, at, .. } => {
                for (n, word) in value.chunks_exact_mut(8).enumerate() {
                    word.copy_from_slice(&words.get(at / 8 + n as u32).to_ne_bytes());
                }
            }
        }
        Ok(value)
    }

    fn is_set(&self, value: &[u8], ty: &Type) -> bool {
        self.cpu_parts(value).any(|part| u64_at(part, set_word(ty)) != 0)
    }

    pub(super) fn set_single(&self, value: &[u8]) -> io::Result<()> {
        match self {
            Storage::Hash { .. } => {}
            Storage::Element { fd, element, .. } => {
                return map::update(fd.as_fd(), &element.to_le_bytes(), value);
            }
            Storage::Bytes { words, at, .. } => {
                for (n, word) in value.chunks_exact(8).enumerate() {
                    words.set(at / 8 + n as u32, u64_at(word, 0));
                }
            }
        }
        Ok(())
    }

    /// What an entry is once it is emptied; with `stays` one that is there.
    pub(super) fn empty(&self, ty: &Type, stays: bool) -> Vec<u8> {
        let mut empty = vec![0; self.read_size()];
        if let (true, Some(word)) = (stays, empty.get_mut(set_word(ty)..set_word(ty) + 8))
            && !matches!(self, Storage::Hash { .. })
        {
            word.copy_from_slice(&1u64.to_ne_bytes());
        }
        empty
    }

    /// Makes an entry of a hash; `false` where there is one.
    pub(super) fn insert(&self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        let Storage::Hash { fd, .. } = self else { return Ok(false) };
        map::insert(fd.as_fd(), key, value)
    }

    /// Removes every entry in the kernel.
    pub(super) fn clear(&self) -> io::Result<()> {
        let Storage::Hash { fd, def, .. } = self else {
            return self.set_single(&vec![0; self.read_size()]);
        };
        for key in keys(fd.as_fd(), def)? {
            map::delete(fd.as_fd(), &key)?;
        }
        Ok(())
    }

    /// Makes every value in the kernel zero.
    pub(super) fn zero(&self, ty: &Type) -> io::Result<()> {
        let zero = self.empty(ty, true);
        let Storage::Hash { fd, def, .. } = self else {
            return if self.is_set(&self.single()?, ty) { self.set_single(&zero) } else { Ok(()) };
        };
        for key in keys(fd.as_fd(), def)? {
            map::update(fd.as_fd(), &key, &zero)?;
        }
        Ok(())
    }

    /// Is a hash more than half full, so that entries nobody counts in should leave?
    pub(super) fn is_tight(&self) -> bool {
        let Storage::Hash { fd, def, .. } = self else { return false };
        keys(fd.as_fd(), def).is_ok_and(|keys| keys.len() > def.max_entries as usize / 2)
    }

    /// Removes one entry of a hash; what its value was then.
    pub(super) fn take<T>(&self, key: &[u8], value: impl Fn(&[u8]) -> T) -> io::Result<Option<T>> {
        let Storage::Hash { fd, .. } = self else { return Ok(None) };
        let mut bytes = vec![0; self.read_size()];
        Ok(map::take(fd.as_fd(), key, &mut bytes)?.then(|| value(&bytes)))
    }
}

fn per_cpu(size: u32, cpus: u32) -> usize {
    (size as usize).next_multiple_of(8) * cpus as usize
}

/// Where the word lies that says whether a map without keys is set.
fn set_word(ty: &Type) -> usize {
    (ty.size() as usize).next_multiple_of(8)
}

fn keys(fd: BorrowedFd, def: &MapDef) -> io::Result<Vec<Vec<u8>>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut next = vec![0; def.key_size as usize];
    // A key that is deleted meanwhile makes the walk begin again: stop after as many as can be there.
    while keys.len() < def.max_entries as usize
        && map::next_key(fd, keys.last().map(Vec::as_slice), &mut next)?
    {
        keys.push(next.clone());
    }
    Ok(keys)
}
