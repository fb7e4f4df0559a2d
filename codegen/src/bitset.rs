//! Sets of small numbers.

use crate::steps;

/// A set of small numbers. It takes no memory for what lies behind its largest member: most sets are empty.
#[derive(Clone, Debug, Default)]
pub struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    /// An empty set.
    pub fn new() -> Self {
        BitSet::default()
    }

    /// Adds; true if it was not there.
    pub fn insert(&mut self, i: usize) -> bool {
        if self.words.len() <= i / 64 {
            self.words.resize(i / 64 + 1, 0);
        }
        let (w, m) = (&mut self.words[i / 64], 1u64 << (i % 64));
        let new = *w & m == 0;
        *w |= m;
        new
    }

    /// Takes out.
    pub fn remove(&mut self, i: usize) {
        if let Some(word) = self.words.get_mut(i / 64) {
            *word &= !(1u64 << (i % 64));
        }
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.words.clear();
    }

    /// Is it there?
    pub fn contains(&self, i: usize) -> bool {
        self.words.get(i / 64).is_some_and(|word| word & (1u64 << (i % 64)) != 0)
    }

    /// Adds all of `other`; true if that changed anything.
    pub fn union(&mut self, other: &BitSet) -> bool {
        let mut changed = false;
        steps::count(other.words.len());
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            let new = *a | b;
            changed |= new != *a;
            *a = new;
        }
        changed
    }

    /// Keeps what `other` has too.
    pub fn intersect(&mut self, other: &BitSet) {
        self.words.truncate(other.words.len());
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= b;
        }
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        steps::count(self.words.len());
        self.words.iter().enumerate().flat_map(|(i, &w)| {
            let mut w = w;
            std::iter::from_fn(move || {
                (w != 0).then(|| {
                    let bit = w.trailing_zeros() as usize;
                    w &= w - 1;
                    i * 64 + bit
                })
            })
        })
    }
}
