//! Maps: entries by key, each a value or a summary of what was gathered.

use super::number::wrap;
use super::value::{Value, keys};
use crate::programs::ast::{Holds, I64, U64};
use crate::programs::json::Json;
use std::collections::BTreeMap;

/// A map's content.
pub(super) struct Table {
    holds: Holds,
    pub(super) entries: BTreeMap<Vec<Value>, Entry>,
}

/// What stands behind a key.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// An assigned value.
    Value(Value),
    /// Everything that was gathered.
    Gathered(Vec<i128>),
}

impl Table {
    pub(super) fn new(holds: Holds) -> Table {
        Table { holds, entries: BTreeMap::new() }
    }

    /// The value at a key as an expression reads it.
    pub(super) fn read(&self, key: &[Value]) -> Value {
        match (self.entries.get(key), &self.holds) {
            (Some(Entry::Value(v)), _) => v.clone(),
            (Some(Entry::Gathered(of)), holds) => Value::Int(summary(holds, of)),
            (None, Holds::Value(ty)) => Value::zero(ty),
            (None, _) => Value::Int(0),
        }
    }

    pub(super) fn store(&mut self, key: Vec<Value>, value: Value) {
        self.entries.insert(key, Entry::Value(value));
    }

    pub(super) fn gather(&mut self, key: Vec<Value>, n: i128) {
        let entry = self.entries.entry(key).or_insert_with(|| Entry::Gathered(vec![]));
        if let Entry::Gathered(of) = entry {
            of.push(n);
        }
    }

    /// How the map is printed; `None` when it is empty.
    pub(super) fn json(&self) -> Option<Json> {
        let show = |e: &Entry| match e {
            Entry::Value(v) => v.json(),
            Entry::Gathered(of) => gathered(&self.holds, of),
        };
        match self.entries.iter().next()? {
            (key, entry) if key.is_empty() => Some(show(entry)),
            _ => Some(Json::Object(self.entries.iter().map(|(k, e)| (keys(k), show(e))).collect())),
        }
    }
}

fn summary(holds: &Holds, of: &[i128]) -> i128 {
    let total = of.iter().sum::<i128>();
    match holds {
        Holds::Count => of.len() as i128,
        Holds::Sum(i) => wrap(total, *i),
        Holds::Min(_) => of.iter().copied().min().unwrap_or(0),
        Holds::Max(_) => of.iter().copied().max().unwrap_or(0),
        _ => average(of),
    }
}

/// Towards zero.
fn average(of: &[i128]) -> i128 {
    wrap(of.iter().sum(), I64) / (of.len() as i128).max(1)
}

fn gathered(holds: &Holds, of: &[i128]) -> Json {
    match holds {
        Holds::Stats => Json::Object(
            [("count", of.len() as i128), ("average", average(of)), ("total", wrap(of.iter().sum(), I64))]
                .map(|(k, n)| (k.to_owned(), Json::Number(n)))
                .into(),
        ),
        Holds::Hist(k) => buckets(of, |n| power_bucket(n, *k)),
        Holds::Lhist(min, max, step) => {
            buckets(of, |n| linear_bucket(n, (*min).into(), (*max).into(), (*step).into()))
        }
        _ => Json::Number(summary(holds, of)),
    }
}

type Bounds = (Option<i128>, Option<i128>);

/// The buckets that are not empty, with their counts.
fn buckets(of: &[i128], bucket: impl Fn(i128) -> Bounds) -> Json {
    let mut counts: BTreeMap<Bounds, i128> = BTreeMap::new();
    for n in of {
        *counts.entry(bucket(*n)).or_default() += 1;
    }
    let show = |((low, high), count): (Bounds, i128)| {
        let members = [("min", low), ("max", high), ("count", Some(count))];
        let some = members.into_iter().filter_map(|(k, n)| Some((k.to_owned(), Json::Number(n?))));
        Json::Object(some.collect())
    };
    Json::List(counts.into_iter().map(show).collect())
}

/// 2^k buckets for each power of two.
fn power_bucket(n: i128, k: u32) -> Bounds {
    let n = wrap(n, I64);
    if n < 0 {
        return (None, Some(-1));
    }
    let log = (n as u64).checked_ilog2().unwrap_or(0);
    let width = 1i128 << log.saturating_sub(k);
    let low = n / width * width;
    (Some(low), Some(low + width - 1))
}

/// (max-min)/step whole buckets; what lies above is one more.
fn linear_bucket(n: i128, min: i128, max: i128, step: i128) -> Bounds {
    let above = min + (max - min) / step * step;
    if n < min {
        (None, Some(min - 1))
    } else if n >= above {
        (Some(above), None)
    } else {
        let low = min + (n - min) / step * step;
        (Some(low), Some(low + step - 1))
    }
}

/// Whether what is gathered here is taken without a sign.
pub(super) fn unsigned(holds: &Holds) -> bool {
    matches!(holds, Holds::Sum(U64) | Holds::Min(U64) | Holds::Max(U64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_numbers() {
        assert_eq!(power_bucket(-1, 0), (None, Some(-1)));
        for (n, low, high) in
            [(0, 0, 0), (1, 1, 1), (2, 2, 3), (4, 4, 7), (1023, 512, 1023), (1024, 1024, 2047)]
        {
            assert_eq!(power_bucket(n, 0), (Some(low), Some(high)));
        }
        assert_eq!(power_bucket(1000, 2), (Some(896), Some(1023)));
        assert_eq!(linear_bucket(9, 0, 10, 3), (Some(9), None));
        assert_eq!(linear_bucket(-1, 0, 10, 3), (None, Some(-1)));
        assert_eq!(linear_bucket(5, 0, 10, 3), (Some(3), Some(5)));
    }
}
