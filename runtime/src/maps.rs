//! A script's maps, read from outside: entries, summed over the CPUs; emptied and zeroed.

use crate::print::{int_at, u64_at};
use crate::slots::Slots;
use crate::sys::map;
use rbtrace_codegen::object::{MapDef, MapForm, MapKind};
use rbtrace_lang::types::{Agg, Type};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Batches larger than this many bytes are read one entry at a time.
const BATCH_BYTES: usize = 64 << 20;

/// A script's map in the kernel.
#[derive(Debug)]
pub struct Table {
    /// The kernel object.
    pub fd: Rc<OwnedFd>,
    /// How it was made.
    pub def: MapDef,
    /// How it lies there.
    pub form: MapForm,
    /// Name with `@`.
    pub name: Rc<str>,
    /// Key type; `None` without keys.
    pub key: Option<Type>,
    /// Value type.
    pub value: Type,
    /// Possible CPUs.
    pub cpus: u32,
    /// What is counted in front of the hash.
    pub slots: Option<Slots>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's bytes; empty without keys.
    pub key: Vec<u8>,
    /// The value.
    pub value: Value,
}

/// A value, summed over the CPUs.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The bytes of a value of the map's type.
    Plain(Vec<u8>),
    /// `count`, `sum`, `min`, `max`.
    Number(i128),
    /// `avg`, `stats`.
    Total {
        /// How many.
        count: i128,
        /// Their sum.
        total: i128,
    },
    /// `hist`, `lhist`.
    Buckets(Vec<u64>),
}

impl Value {
    /// What entries of an aggregation are sorted by.
    fn rank(&self) -> i128 {
        match self {
            Value::Plain(_) => 0,
            Value::Number(n) => *n,
            Value::Total { count, total } => average(*count, *total),
            Value::Buckets(b) => b.iter().map(|&n| i128::from(n)).sum(),
        }
    }
}

/// The quotient towards zero; 0 of nothing.
pub fn average(count: i128, total: i128) -> i128 {
    if count == 0 { 0 } else { total / count }
}

impl Table {
    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn per_cpu(&self) -> bool {
        matches!(self.def.kind, MapKind::PerCpuHash | MapKind::LruPerCpuHash | MapKind::PerCpuArray)
    }

    /// Bytes that a lookup returns.
    fn read_size(&self) -> usize {
        let size = self.def.value_size as usize;
        if self.per_cpu() { size.next_multiple_of(8) * self.cpus as usize } else { size }
    }

    /// Is the value an aggregation?
    pub fn aggregation(&self) -> Option<Agg> {
        if let Type::Agg(a) = self.value { Some(a) } else { None }
    }

    /// The entry that stands for "never set": a zero.
    pub fn unset(&self) -> Entry {
        Entry { key: Vec::new(), value: self.sum(&vec![0; self.read_size()]) }
    }

    /// All entries: aggregations by value, others by key, both ascending.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = match self.form {
            MapForm::Hash => self.with_slots(self.hash_entries()?),
            MapForm::Single => self.single()?.into_iter().collect(),
            MapForm::TaskStorage => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        };
        self.sort(&mut entries);
        Ok(entries)
    }

    /// The entry of one key, or of the map without keys.
    pub fn entry(&self, key: &[u8]) -> io::Result<Option<Entry>> {
        if self.form == MapForm::Single {
            return self.single();
        }
        let key = key.get(..self.def.key_size as usize).unwrap_or(&[]);
        if key.is_empty() {
            return Ok(None);
        }
        let mut value = vec![0; self.read_size()];
        let found = map::lookup(self.fd(), key, &mut value)?;
        let entry = found.then(|| Entry { key: key.to_vec(), value: self.sum(&value) });
        Ok(self.with_slots(entry.into_iter().collect()).into_iter().find(|e| e.key == key))
    }

    fn single(&self) -> io::Result<Option<Entry>> {
        let mut value = vec![0; self.read_size()];
        map::lookup(self.fd(), &0u32.to_le_bytes(), &mut value)?;
        let flag = (self.value.size() as usize).next_multiple_of(8);
        let is_set = self.per_cpu_parts(&value).any(|part| u64_at(part, flag) != 0);
        Ok(is_set.then(|| Entry { key: Vec::new(), value: self.sum(&value) }))
    }

    fn hash_entries(&self) -> io::Result<Vec<Entry>> {
        let (key_size, read) = (self.def.key_size as usize, self.read_size());
        let count = self.def.max_entries as usize;
        if count.saturating_mul(key_size + read) <= BATCH_BYTES {
            let (mut keys, mut values) = (vec![0; count * key_size], vec![0; count * read]);
            if let Ok(n) = map::lookup_all(self.fd(), &mut keys, &mut values, self.def.max_entries) {
                let pairs = keys.chunks_exact(key_size).zip(values.chunks_exact(read)).take(n as usize);
                return Ok(pairs.map(|(k, v)| Entry { key: k.to_vec(), value: self.sum(v) }).collect());
            }
        }
        let mut entries = Vec::new();
        let mut value = vec![0; read];
        for key in self.keys()? {
            if map::lookup(self.fd(), &key, &mut value)? {
                entries.push(Entry { key, value: self.sum(&value) });
            }
        }
        Ok(entries)
    }

    /// Adds what the slots counted to the hash's entries.
    fn with_slots(&self, entries: Vec<Entry>) -> Vec<Entry> {
        let Some(slots) = &self.slots else { return entries };
        let mut by_key: BTreeMap<_, _> = entries.into_iter().map(|e| (e.key, e.value)).collect();
        for (key, more) in slots.entries() {
            if let Value::Number(n) = by_key.entry(key).or_insert(Value::Number(0)) {
                *n += i128::from(more);
            }
        }
        by_key.into_iter().map(|(key, value)| Entry { key, value }).collect()
    }

    fn keys(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut next = vec![0; self.def.key_size as usize];
        // A key that is deleted meanwhile makes the walk begin again: stop after as many as can be there.
        while keys.len() < self.def.max_entries as usize
            && map::next_key(self.fd(), keys.last().map(Vec::as_slice), &mut next)?
        {
            keys.push(next.clone());
        }
        Ok(keys)
    }

    fn per_cpu_parts<'a>(&self, value: &'a [u8]) -> std::slice::ChunksExact<'a, u8> {
        let size =
            if self.per_cpu() { (self.def.value_size as usize).next_multiple_of(8) } else { value.len() };
        value.chunks_exact(size.max(1))
    }

    fn sum(&self, value: &[u8]) -> Value {
        let Some(agg) = self.aggregation() else {
            return Value::Plain(value[..(self.value.size() as usize).min(value.len())].to_vec());
        };
        sum(agg, self.per_cpu_parts(value))
    }

    fn sort(&self, entries: &mut [Entry]) {
        if let Some(key) = &self.key {
            entries.sort_by(|a, b| compare(key, &a.key, &b.key));
        }
        if self.aggregation().is_some() {
            entries.sort_by_key(|e| e.value.rank());
        }
    }

    /// The `top` entries with the largest values (all for 0), ascending by value.
    pub fn top(&self, mut entries: Vec<Entry>, top: u32) -> Vec<Entry> {
        if top == 0 {
            return entries;
        }
        if self.aggregation().is_none() {
            entries.sort_by(|a, b| match (&a.value, &b.value) {
                (Value::Plain(a), Value::Plain(b)) => compare(&self.value, a, b),
                _ => Ordering::Equal,
            });
        }
        let from = entries.len().saturating_sub(top as usize);
        entries.split_off(from)
    }

    /// Removes every entry.
    pub fn clear(&self) -> io::Result<()> {
        if self.form == MapForm::Single {
            return map::update(self.fd(), &0u32.to_le_bytes(), &vec![0; self.read_size()]);
        }
        self.slots.iter().for_each(Slots::clear);
        for key in self.keys()? {
            map::delete(self.fd(), &key)?;
        }
        Ok(())
    }

    /// Makes every value zero; the entries stay.
    pub fn zero(&self) -> io::Result<()> {
        let mut zero = vec![0; self.read_size()];
        if self.form == MapForm::Single {
            if self.single()?.is_none() {
                return Ok(());
            }
            let flag = (self.value.size() as usize).next_multiple_of(8);
            if let Some(word) = zero.get_mut(flag..flag + 8) {
                word.copy_from_slice(&1u64.to_le_bytes());
            }
            return map::update(self.fd(), &0u32.to_le_bytes(), &zero);
        }
        self.slots.iter().for_each(Slots::zero);
        for key in self.keys()? {
            map::update(self.fd(), &key, &zero)?;
        }
        Ok(())
    }
}

/// Sums an aggregation over its per-CPU parts.
fn sum<'a>(agg: Agg, parts: impl Iterator<Item = &'a [u8]>) -> Value {
    let parts: Vec<&[u8]> = parts.collect();
    let word = |part: &[u8], at: usize, signed: bool| int_at(part.get(at..).unwrap_or(&[]), 8, signed);
    match agg {
        Agg::Count => Value::Number(parts.iter().map(|p| word(p, 0, false)).sum()),
        Agg::Sum { signed } => Value::Number(wrap(parts.iter().map(|p| word(p, 0, signed)).sum(), signed)),
        Agg::Min { signed } | Agg::Max { signed } => {
            let set = parts.iter().filter(|p| u64_at(p, 8) != 0).map(|p| word(p, 0, signed));
            let best = if matches!(agg, Agg::Min { .. }) { set.min() } else { set.max() };
            Value::Number(best.unwrap_or(0))
        }
        Agg::Avg { signed } | Agg::Stats { signed } => Value::Total {
            count: parts.iter().map(|p| word(p, 8, false)).sum(),
            total: wrap(parts.iter().map(|p| word(p, 0, signed)).sum(), signed),
        },
        Agg::Hist { .. } | Agg::LHist { .. } => {
            let n = agg.size() as usize / 8;
            Value::Buckets((0..n).map(|i| parts.iter().map(|p| u64_at(p, i * 8)).sum()).collect())
        }
    }
}

/// 64 bits of a sum.
fn wrap(sum: i128, signed: bool) -> i128 {
    if signed { i128::from(sum as i64) } else { i128::from(sum as u64) }
}

/// The order of two values of a type: numbers by value, texts by bytes, tuples field by field.
fn compare(ty: &Type, a: &[u8], b: &[u8]) -> Ordering {
    match ty {
        Type::Tuple(t) => t
            .fields
            .iter()
            .zip(t.offsets())
            .map(|((_, ty), at)| {
                let part =
                    |d: &'_ [u8]| d.get(at as usize..(at + ty.size()) as usize).unwrap_or(&[]).to_vec();
                compare(ty, &part(a), &part(b))
            })
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal),
        ty if ty.is_scalar() => {
            let number = |d| int_at(d, ty.size() as usize, ty.is_signed());
            number(a).cmp(&number(b))
        }
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_lang::types::I64;

    fn parts(words: &[&[i64]]) -> Vec<Vec<u8>> {
        words.iter().map(|w| w.iter().flat_map(|n| n.to_le_bytes()).collect()).collect()
    }

    fn summed(agg: Agg, words: &[&[i64]]) -> Value {
        sum(agg, parts(words).iter().map(Vec::as_slice))
    }

    #[test]
    fn aggregations_over_cpus() {
        assert_eq!(summed(Agg::Count, &[&[2], &[3]]), Value::Number(5));
        assert_eq!(summed(Agg::Sum { signed: true }, &[&[-2], &[1]]), Value::Number(-1));
        assert_eq!(summed(Agg::Min { signed: true }, &[&[0, 0], &[7, 1], &[9, 1]]), Value::Number(7));
        assert_eq!(summed(Agg::Max { signed: true }, &[&[0, 0], &[-7, 1]]), Value::Number(-7));
        let total = summed(Agg::Stats { signed: true }, &[&[-3, 1], &[0, 1]]);
        assert_eq!(total, Value::Total { count: 2, total: -3 });
        assert_eq!(average(2, -3), -1);
    }

    #[test]
    fn keys_are_ordered_by_value() {
        let key = Type::tuple([I64, Type::Str(8)]);
        let bytes = |n: i64, s: &[u8; 8]| [&n.to_le_bytes()[..], s].concat();
        let (a, b) = (bytes(-1, b"b\0\0\0\0\0\0\0"), bytes(256, b"a\0\0\0\0\0\0\0"));
        assert_eq!(compare(&key, &a, &b), Ordering::Less);
        assert_eq!(compare(&Type::Str(8), &a[8..], &b[8..]), Ordering::Greater);
    }
}
