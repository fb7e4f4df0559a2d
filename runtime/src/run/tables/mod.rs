//! A script's maps, read from outside: entries, summed over the CPUs; emptied and zeroed.

pub mod lockers;
mod past;
mod series;
mod since;
mod storage;
pub mod tallies;

pub use storage::Storage;

use crate::bytes::{int_at, u64_at};
use crate::show::print::series::Series;
use crate::show::print::{Datum, Env, Row, hist, read};
use past::Past;
use rbtrace_lang::types::{Agg, Type};
use since::Held;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// A script's map in the kernel.
#[derive(Debug)]
pub struct Table {
    storage: Storage,
    /// Name with `@`.
    pub name: Rc<str>,
    /// Key type; `None` without keys.
    pub key: Option<Type>,
    /// Value type.
    pub value: Type,
    /// What was emptied, where programs only add to the values; else the values are changed in the kernel.
    past: Option<RefCell<Past>>,
    /// Everything that was read to be printed last, and the kind of record that asked for it.
    printed: RefCell<Option<(u32, Vec<Entry>)>>,
    /// The same of a map without a past: what lay in the kernel.
    printed_raw: RefCell<Option<(u32, Held)>>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's bytes; empty without keys.
    pub key: Vec<u8>,
    /// The value.
    pub value: Summed,
}

/// A value, summed over the CPUs.
#[derive(Clone, Debug, PartialEq)]
pub enum Summed {
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
    /// `tseries`: the values by the numbers of their intervals; `None` for an interval without a value.
    Series(BTreeMap<u64, Option<i128>>),
}

impl Summed {
    /// What entries of an aggregation are sorted by.
    fn rank(&self) -> i128 {
        match self {
            Summed::Plain(_) => 0,
            Summed::Number(n) => *n,
            Summed::Total { count, total } => average(*count, *total),
            Summed::Buckets(b) => b.iter().map(|&n| i128::from(n)).sum(),
            // They stay in the order of their keys.
            Summed::Series(_) => 0,
        }
    }
}

/// The quotient towards zero; 0 of nothing.
fn average(count: i128, total: i128) -> i128 {
    if count == 0 { 0 } else { total / count }
}

impl Table {
    /// A script's map. `grows`: programs only add to its values ([`rbtrace_codegen::object::ScriptMap::grows`]).
    pub fn new(storage: Storage, name: Rc<str>, key: Option<Type>, value: Type, grows: bool) -> Self {
        let past = grows.then(RefCell::default);
        Table {
            storage,
            name,
            key,
            value,
            past,
            printed: RefCell::default(),
            printed_raw: RefCell::default(),
        }
    }

    /// Is the value an aggregation?
    pub fn aggregation(&self) -> Option<Agg> {
        if let Type::Agg(a) = self.value { Some(a) } else { None }
    }

    /// The entry that stands for "never set": a zero.
    pub fn unset(&self) -> Entry {
        Entry { key: Vec::new(), value: self.sum(&vec![0; self.storage.read_size()]) }
    }

    /// All entries: aggregations by value, others by key, both ascending.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        Ok(self.shown(self.held()?))
    }

    /// The same, remembered for what a record of kind `print` is followed by ([`Table::clear`]).
    pub fn entries_for(&self, print: u32) -> io::Result<Vec<Entry>> {
        if self.past.is_some() {
            let held = self.held()?;
            *self.printed.borrow_mut() = Some((print, held.clone()));
            return Ok(self.shown(held));
        }
        let raw = self.raw()?;
        let held = raw.iter().map(|(key, value)| Entry { key: key.clone(), value: self.sum(value) });
        let shown = self.shown(held.collect());
        *self.printed_raw.borrow_mut() = Some((print, raw));
        Ok(shown)
    }

    fn shown(&self, held: Vec<Entry>) -> Vec<Entry> {
        let mut entries = match &self.past {
            Some(past) => past.borrow().since(held, |v| self.wrapped(v)),
            None => held,
        };
        self.sort(&mut entries);
        entries
    }

    /// What the kernel holds.
    fn held(&self) -> io::Result<Vec<Entry>> {
        let mut entries: BTreeMap<Vec<u8>, Summed> = BTreeMap::new();
        self.storage
            .each(&mut |key, value| _ = entries.insert(key.to_vec(), self.sum(value)), &self.value)?;
        for (key, more) in self.storage.tallies() {
            if let Summed::Number(n) = entries.entry(key).or_insert(Summed::Number(0)) {
                *n += i128::from(more);
            }
        }
        if let Some(Agg::TSeries { intervals, .. }) = self.aggregation() {
            series::align(&mut entries, intervals);
        }
        Ok(entries.into_iter().map(|(key, value)| Entry { key, value }).collect())
    }

    /// The entry of one key, or of the map without keys.
    pub fn entry(&self, key: &[u8]) -> io::Result<Option<Entry>> {
        if self.key.is_none() || self.past.is_some() {
            let key = key.get(..self.storage.key_size()).unwrap_or(&[]);
            return Ok(self.entries()?.into_iter().find(|e| self.key.is_none() || e.key == key));
        }
        let entry = |key: &[u8], value: &[u8]| Entry { key: key.to_vec(), value: self.sum(value) };
        self.storage.get(key, entry)
    }

    /// An entry as it is shown.
    pub fn row(&self, env: &Env, entry: &Entry) -> Row {
        let key = self.key.as_ref().map_or_else(Vec::new, |ty| read::key(env, ty, &entry.key));
        Row { key, value: self.datum(env, &entry.value) }
    }

    /// A value as it is shown.
    pub fn datum(&self, env: &Env, value: &Summed) -> Datum {
        match (value, self.aggregation()) {
            (Summed::Plain(bytes), _) => read::read(env, &self.value, bytes),
            (Summed::Number(n), _) => Datum::Total(*n),
            (Summed::Total { count, total }, Some(Agg::Stats { .. })) => {
                Datum::Stats { count: *count, average: average(*count, *total), total: *total }
            }
            (Summed::Total { count, total }, _) => Datum::Number(average(*count, *total)),
            (Summed::Buckets(counts), Some(agg)) => Datum::Histogram(hist::buckets(agg, counts)),
            (Summed::Series(values), Some(agg)) => Datum::Series(Series::new(env, agg, values)),
            (Summed::Buckets(_) | Summed::Series(_), None) => Datum::Nothing,
        }
    }

    fn sum(&self, value: &[u8]) -> Summed {
        let Some(agg) = self.aggregation() else {
            return Summed::Plain(value[..(self.value.size() as usize).min(value.len())].to_vec());
        };
        sum(agg, self.storage.cpu_parts(value))
    }

    /// A difference of two sums in 64 bits, as the sums are.
    fn wrapped(&self, value: Summed) -> Summed {
        match (value, self.aggregation()) {
            (Summed::Number(n), Some(Agg::Sum { signed })) => Summed::Number(wrap(n, signed)),
            (Summed::Total { count, total }, Some(Agg::Avg { signed } | Agg::Stats { signed })) => {
                Summed::Total { count, total: wrap(total, signed) }
            }
            (value, _) => value,
        }
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
                (Summed::Plain(a), Summed::Plain(b)) => compare(&self.value, a, b),
                _ => Ordering::Equal,
            });
        }
        let from = entries.len().saturating_sub(top as usize);
        entries.split_off(from)
    }

    /// Removes every entry. `after`: the kind of record that the same run of the program has sent before to print this map;
    /// what came after that was read stays.
    pub fn clear(&self, after: Option<u32>) -> io::Result<()> {
        self.emptied(after, false)?.map_or_else(|| self.storage.clear(), Ok)
    }

    /// Makes every value zero; the entries stay. `after` as for [`Table::clear`].
    pub fn zero(&self, after: Option<u32>) -> io::Result<()> {
        self.emptied(after, true)?.map_or_else(|| self.storage.zero(&self.value), Ok)
    }

    /// Empties the map without losing anything; `None` where that is not possible.
    fn emptied(&self, after: Option<u32>, stays: bool) -> io::Result<Option<()>> {
        let printed = self.printed_raw.take();
        match printed.filter(|(print, _)| Some(*print) == after) {
            Some((_, held)) => self.remove(&held, stays).map(Some),
            None => self.forget(after, stays),
        }
    }

    /// Remembers what the map holds; `None` where it has to be changed in the kernel.
    fn forget(&self, after: Option<u32>, stays: bool) -> io::Result<Option<()>> {
        let Some(past) = &self.past else { return Ok(None) };
        let printed = self.printed.borrow();
        let held = match &*printed {
            Some((print, held)) if Some(*print) == after => held.clone(),
            _ => self.held()?,
        };
        let mut past = past.borrow_mut();
        let idle = past.forget(held, stays, |v| self.wrapped(v));
        if self.storage.is_tight() {
            for key in idle {
                // Not counted in for a whole round: hardly anyone is about to.
                let taken = self.storage.take(&key, |value| self.sum(value))?;
                taken.into_iter().for_each(|value| past.taken(&key, &value));
            }
        }
        Ok(Some(()))
    }
}

/// Sums an aggregation over its per-CPU parts.
fn sum<'a>(agg: Agg, parts: impl Iterator<Item = &'a [u8]>) -> Summed {
    let parts: Vec<&[u8]> = parts.collect();
    let word = |part: &[u8], at: usize, signed: bool| int_at(part.get(at..).unwrap_or(&[]), 8, signed);
    match agg {
        Agg::Count => Summed::Number(parts.iter().map(|p| word(p, 0, false)).sum()),
        Agg::Sum { signed } => Summed::Number(wrap(parts.iter().map(|p| word(p, 0, signed)).sum(), signed)),
        Agg::Min { signed } | Agg::Max { signed } => {
            let set = parts.iter().filter(|p| u64_at(p, 8) != 0).map(|p| word(p, 0, signed));
            let best = if matches!(agg, Agg::Min { .. }) { set.min() } else { set.max() };
            Summed::Number(best.unwrap_or(0))
        }
        Agg::Avg { signed } | Agg::Stats { signed } => Summed::Total {
            count: parts.iter().map(|p| word(p, 8, false)).sum(),
            total: wrap(parts.iter().map(|p| word(p, 0, signed)).sum(), signed),
        },
        Agg::TSeries { intervals, how, signed, .. } => {
            let cells = parts.iter().flat_map(|part| series::cells(part, intervals));
            Summed::Series(series::merged(how, signed, cells))
        }
        Agg::Hist { .. } | Agg::LHist { .. } => {
            let n = agg.size() as usize / 8;
            Summed::Buckets((0..n).map(|i| parts.iter().map(|p| u64_at(p, i * 8)).sum()).collect())
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

    fn summed(agg: Agg, words: &[&[i64]]) -> Summed {
        sum(agg, parts(words).iter().map(Vec::as_slice))
    }

    #[test]
    fn aggregations_over_cpus() {
        assert_eq!(summed(Agg::Count, &[&[2], &[3]]), Summed::Number(5));
        assert_eq!(summed(Agg::Sum { signed: true }, &[&[-2], &[1]]), Summed::Number(-1));
        assert_eq!(summed(Agg::Min { signed: true }, &[&[0, 0], &[7, 1], &[9, 1]]), Summed::Number(7));
        assert_eq!(summed(Agg::Max { signed: true }, &[&[0, 0], &[-7, 1]]), Summed::Number(-7));
        let total = summed(Agg::Stats { signed: true }, &[&[-3, 1], &[0, 1]]);
        assert_eq!(total, Summed::Total { count: 2, total: -3 });
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
