//! Emptying a map that programs also read or assign to: what has come since it was printed stays.
//!
//! Each entry is taken out of the kernel, and what it holds beyond what was printed is put back.

use super::Table;
use crate::bytes::{int_at, u64_at};
use rbtrace_lang::types::Agg;
use std::io;

/// What a map held: keys and values as they lie in the kernel.
pub(super) type Held = Vec<(Vec<u8>, Vec<u8>)>;

/// How often an entry is put back that programs make anew at the same moment.
const TRIES: usize = 8;

impl Table {
    /// What the map holds, as it lies in the kernel.
    pub(super) fn raw(&self) -> io::Result<Held> {
        let mut held = Held::new();
        self.storage.each(&mut |key, value| held.push((key.to_vec(), value.to_vec())), &self.value)?;
        Ok(held)
    }

    /// Removes what was printed, or with `stays` makes it zero.
    pub(super) fn remove(&self, printed: &Held, stays: bool) -> io::Result<()> {
        let empty = self.storage.empty(&self.value, stays);
        for (key, before) in printed {
            if self.key.is_none() {
                let now = self.storage.single()?;
                let left = self.since(before, &now).unwrap_or_else(|| empty.clone());
                if left != now {
                    self.storage.set_single(&left)?;
                }
            } else if let Some(now) = self.storage.take(key, <[u8]>::to_vec)?
                && let Some(left) = self.since(before, &now).or_else(|| stays.then(|| empty.clone()))
            {
                self.put_back(key, left)?;
            }
        }
        Ok(())
    }

    /// What an entry holds beyond what it held before; `None`: nothing.
    fn since(&self, before: &[u8], now: &[u8]) -> Option<Vec<u8>> {
        let Some(agg) = self.aggregation() else { return (now != before).then(|| now.to_vec()) };
        let size = (agg.size() as usize).min(before.len());
        let parts = self.storage.cpu_parts(now).zip(self.storage.cpu_parts(before));
        let left: Vec<u8> = parts.flat_map(|(now, before)| part_since(agg, size, before, now)).collect();
        left.iter().any(|&byte| byte != 0).then_some(left)
    }

    /// Puts an entry back. If a program has made a new one meanwhile, that one wins; two parts of an aggregation are
    /// combined.
    fn put_back(&self, key: &[u8], mut left: Vec<u8>) -> io::Result<()> {
        for _ in 0..TRIES {
            if self.storage.insert(key, &left)? {
                return Ok(());
            }
            let Some(agg) = self.aggregation() else { return Ok(()) };
            if let Some(newer) = self.storage.take(key, <[u8]>::to_vec)? {
                let parts = self.storage.cpu_parts(&left).zip(self.storage.cpu_parts(&newer));
                left = parts.flat_map(|(a, b)| both(agg, a, b)).collect();
            }
        }
        Err(io::Error::other("an entry is made anew as fast as it is emptied"))
    }
}

/// What one CPU has collected since.
fn part_since(agg: Agg, size: usize, before: &[u8], now: &[u8]) -> Vec<u8> {
    let nothing = vec![0; now.len()];
    match agg {
        // The extreme of all: a new one has come since.
        Agg::Min { .. } | Agg::Max { .. } => {
            if before == now {
                nothing
            } else {
                now.to_vec()
            }
        }
        Agg::Count
        | Agg::Sum { .. }
        | Agg::Avg { .. }
        | Agg::Stats { .. }
        | Agg::Hist { .. }
        | Agg::LHist { .. } => {
            let mut left = now.to_vec();
            words(&mut left[..size], &before[..size], u64::wrapping_sub);
            // Behind the value of a map without keys stands whether it is set.
            if left[..size] == nothing[..size] { nothing } else { left }
        }
        Agg::TSeries { .. } => nothing,
    }
}

/// What one CPU has collected in two parts.
fn both(agg: Agg, a: &[u8], b: &[u8]) -> Vec<u8> {
    let number = |part: &[u8], signed| int_at(part, 8, signed);
    let is_set = |part: &[u8]| u64_at(part, 8) != 0;
    match agg {
        Agg::Min { signed } | Agg::Max { signed } => {
            let smaller = number(a, signed) < number(b, signed);
            let first = !is_set(b) || is_set(a) && smaller == matches!(agg, Agg::Min { .. });
            if first { a.to_vec() } else { b.to_vec() }
        }
        Agg::Count
        | Agg::Sum { .. }
        | Agg::Avg { .. }
        | Agg::Stats { .. }
        | Agg::Hist { .. }
        | Agg::LHist { .. } => {
            let mut sum = a.to_vec();
            words(&mut sum, b, u64::wrapping_add);
            sum
        }
        Agg::TSeries { .. } => b.to_vec(),
    }
}

/// Combines word by word.
fn words(a: &mut [u8], b: &[u8], combine: fn(u64, u64) -> u64) {
    for (a, b) in a.chunks_exact_mut(8).zip(b.chunks_exact(8)) {
        let word = combine(u64_at(a, 0), u64_at(b, 0));
        a.copy_from_slice(&word.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(words: &[i64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn sums_keep_the_difference() {
        let since = |agg, size, before: &[i64], now: &[i64]| part_since(agg, size, &part(before), &part(now));
        assert_eq!(since(Agg::Count, 8, &[5], &[7]), part(&[2]));
        assert_eq!(since(Agg::Count, 8, &[5, 1], &[5, 1]), part(&[0, 0]), "a map without keys");
        assert_eq!(since(Agg::Count, 8, &[5, 1], &[6, 1]), part(&[1, 1]));
        assert_eq!(since(Agg::Avg { signed: true }, 16, &[-5, 1], &[-9, 3]), part(&[-4, 2]));
        assert_eq!(both(Agg::Count, &part(&[2]), &part(&[3])), part(&[5]));
    }

    #[test]
    fn extremes_stay_where_they_are_new() {
        let (min, max) = (Agg::Min { signed: true }, Agg::Max { signed: false });
        assert_eq!(part_since(min, 16, &part(&[5, 1]), &part(&[5, 1])), part(&[0, 0]));
        assert_eq!(part_since(min, 16, &part(&[5, 1]), &part(&[3, 1])), part(&[3, 1]));
        assert_eq!(both(min, &part(&[3, 1]), &part(&[-4, 1])), part(&[-4, 1]));
        assert_eq!(both(max, &part(&[3, 1]), &part(&[-4, 1])), part(&[-4, 1]), "unsigned");
        assert_eq!(both(min, &part(&[0, 0]), &part(&[9, 1])), part(&[9, 1]));
        assert_eq!(both(max, &part(&[3, 1]), &part(&[9, 0])), part(&[3, 1]));
    }
}
