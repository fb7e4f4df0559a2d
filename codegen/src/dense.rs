//! Tables by value: as quick as an array, and no memory before the first entry.

use crate::ir::Value;

/// What is known of some values of a function.
#[derive(Clone, Debug)]
pub struct ValueMap<T> {
    entries: Vec<Option<T>>,
}

impl<T> Default for ValueMap<T> {
    fn default() -> Self {
        ValueMap { entries: vec![] }
    }
}

impl<T> ValueMap<T> {
    /// An empty table.
    pub fn new() -> Self {
        ValueMap::default()
    }

    /// Sets the entry of a value.
    pub fn insert(&mut self, v: Value, entry: T) {
        let i = v.0 as usize;
        if self.entries.len() <= i {
            self.entries.resize_with(i + 1, || None);
        }
        self.entries[i] = Some(entry);
    }

    /// The entry of a value.
    pub fn get(&self, v: Value) -> Option<&T> {
        self.entries.get(v.0 as usize)?.as_ref()
    }

    /// Takes the entry of a value away.
    pub fn remove(&mut self, v: Value) {
        if let Some(entry) = self.entries.get_mut(v.0 as usize) {
            *entry = None;
        }
    }

    /// Has the value an entry?
    pub fn contains(&self, v: Value) -> bool {
        self.get(v).is_some()
    }

    /// Is there no entry?
    pub fn is_empty(&self) -> bool {
        !self.entries.iter().any(Option::is_some)
    }
}
