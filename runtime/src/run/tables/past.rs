//! Emptying a map without writing to it: what it held then is remembered and taken off what it holds later.
//!
//! So no count is lost or comes back when a program runs at that moment.

use super::{Entry, Summed};
use std::collections::BTreeMap;

/// What the entries of a map meant before.
#[derive(Debug, Default)]
pub(super) struct Past(BTreeMap<Vec<u8>, Before>);

/// What an entry meant before.
#[derive(Debug)]
struct Before {
    /// The value when the map was emptied or zeroed last.
    value: Summed,
    /// The entry is there even if nothing was added since.
    stays: bool,
}

impl Past {
    /// The entries there are since, of what the map holds now. `wrapped` brings differences into the range of sums.
    pub(super) fn since(&self, held: Vec<Entry>, wrapped: impl Fn(Summed) -> Summed) -> Vec<Entry> {
        let mut now: BTreeMap<Vec<u8>, Summed> = held.into_iter().map(|e| (e.key, e.value)).collect();
        for (key, before) in &self.0 {
            let gone = minus(&before.value, &before.value);
            let since = wrapped(minus(now.get(key).unwrap_or(&gone), &before.value));
            if before.stays || !is_zero(&since) {
                now.insert(key.clone(), since);
            } else {
                now.remove(key);
            }
        }
        now.into_iter().map(|(key, value)| Entry { key, value }).collect()
    }

    /// Takes what the map holds for past, with entries that stay or not. Returns the keys to which nothing was added since the
    /// last time.
    pub(super) fn forget(
        &mut self,
        held: Vec<Entry>,
        stays: bool,
        wrapped: impl Fn(Summed) -> Summed,
    ) -> Vec<Vec<u8>> {
        let there: Vec<Vec<u8>> = self.since(held.clone(), wrapped).into_iter().map(|e| e.key).collect();
        let there = |key: &Vec<u8>| there.binary_search(key).is_ok();
        let idle = held.iter().map(|e| &e.key).filter(|key| !there(key)).cloned().collect();
        let before = |e: Entry| (e.key.clone(), Before { stays: stays && there(&e.key), value: e.value });
        self.0 = held.into_iter().map(before).collect();
        idle
    }

    /// The entry has left the kernel with this value.
    pub(super) fn taken(&mut self, key: &[u8], value: &Summed) {
        if let Some(before) = self.0.get_mut(key) {
            before.value = minus(&before.value, value);
            if !before.stays && is_zero(&before.value) {
                self.0.remove(key);
            }
        }
    }
}

fn minus(a: &Summed, b: &Summed) -> Summed {
    match (a, b) {
        (Summed::Number(a), Summed::Number(b)) => Summed::Number(a - b),
        (Summed::Total { count, total }, Summed::Total { count: less, total: minus }) => {
            Summed::Total { count: count - less, total: total - minus }
        }
        (Summed::Buckets(a), Summed::Buckets(b)) => {
            Summed::Buckets(a.iter().zip(b).map(|(a, b)| a.wrapping_sub(*b)).collect())
        }
        (a, _) => a.clone(),
    }
}

fn is_zero(value: &Summed) -> bool {
    match value {
        Summed::Plain(_) | Summed::Series(_) => false,
        Summed::Number(n) => *n == 0,
        Summed::Total { count, .. } => *count == 0,
        Summed::Buckets(buckets) => buckets.iter().all(|n| *n == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(entries: &[(u8, i128)]) -> Vec<Entry> {
        let entry = |&(key, n): &(u8, i128)| Entry { key: vec![key], value: Summed::Number(n) };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn what_was_counted_before_is_past() {
        let mut past = Past::default();
        let same = |v| v;
        assert_eq!(past.since(held(&[(1, 5), (2, 1)]), same), held(&[(1, 5), (2, 1)]));
        past.forget(held(&[(1, 5), (2, 1)]), false, same);
        assert_eq!(past.since(held(&[(1, 5), (2, 3), (3, 1)]), same), held(&[(2, 2), (3, 1)]));
        past.forget(held(&[(1, 5), (2, 3)]), true, same);
        assert_eq!(past.since(held(&[(1, 5), (2, 3)]), same), held(&[(2, 0)]), "1 was not there");
        past.forget(held(&[(1, 5), (2, 3)]), true, same);
        assert_eq!(past.since(held(&[(1, 6), (2, 3)]), same), held(&[(1, 1), (2, 0)]), "2 is still there");
    }

    #[test]
    fn an_idle_entry_may_leave() {
        let mut past = Past::default();
        let same = |v| v;
        assert_eq!(past.forget(held(&[(1, 5), (2, 1)]), false, same), Vec::<Vec<u8>>::new());
        assert_eq!(past.forget(held(&[(1, 5), (2, 2)]), false, same), vec![vec![1]]);
        // Three were counted at the last moment.
        past.taken(&[1], &Summed::Number(8));
        assert_eq!(past.since(held(&[(2, 2)]), same), held(&[(1, 3)]));
        assert_eq!(past.since(held(&[(1, 4), (2, 2)]), same), held(&[(1, 7)]));
        past.forget(held(&[(1, 4), (2, 2)]), false, same);
        assert_eq!(past.since(held(&[(1, 4), (2, 2)]), same), held(&[]));
    }
}
