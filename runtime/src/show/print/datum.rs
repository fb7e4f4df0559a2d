//! A value of the language as data: read from its bytes, with names looked up.

use super::hist::Bucket;
use super::series::Series;
use crate::files::symbols::{SourceFrame, Sym};
use rbtrace_lang::types::StackMode;
use std::rc::Rc;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// Nothing.
    Nothing,
    /// `true`, `false`.
    Bool(bool),
    /// An integer; of `avg` the average.
    Number(i128),
    /// What `count`, `sum`, `min`, `max` came to.
    Total(i128),
    /// A constant of an enum.
    Constant {
        /// Its name, where the number has one.
        name: Option<Rc<str>>,
        /// Its number.
        number: i128,
    },
    /// A pointer.
    Address(u64),
    /// A text, with the mark behind one that was cut. Programs need not write UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Elements of an array.
    List(Vec<Datum>),
    /// Members of a struct; those of anonymous ones stand among them.
    Struct(Vec<(Rc<str>, Datum)>),
    /// Values side by side, with or without names.
    Tuple(Vec<(Option<Rc<str>>, Datum)>),
    /// The symbol of an address.
    Symbol {
        /// The address.
        address: u64,
        /// The symbol, where one is known.
        symbol: Option<Sym>,
    },
    /// A stack.
    Stack(Stack),
    /// What prints as a name: a time, an address of a network, a user, a cgroup, an error, a probe.
    Name(String),
    /// `stats`
    Stats {
        /// How many.
        count: i128,
        /// Their average.
        average: i128,
        /// Their sum.
        total: i128,
    },
    /// `hist`, `lhist`: the buckets from the first to the last that is not empty.
    Histogram(Vec<Bucket>),
    /// `tseries`
    Series(Series),
}

/// A stack, innermost frame first.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// How the script wants it shown.
    pub mode: StackMode,
    /// Of a process, not of the kernel.
    pub user: bool,
    /// Its frames; none where no stack could be taken.
    pub frames: Vec<StackFrame>,
}

/// A frame of a stack. In the modes `raw` and `build_id` nothing is looked up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackFrame {
    /// The address; in the file that `build_id` names, the offset.
    pub address: u64,
    /// Which file it lies in (mode `build_id`).
    pub build_id: Option<[u8; 20]>,
    /// The symbol that holds it.
    pub symbol: Option<Sym>,
    /// Source lines, innermost inlined call first; the last is the symbol's own.
    pub source: Rc<[SourceFrame]>,
}

/// An entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The key's parts; none of a map without keys.
    pub key: Vec<Datum>,
    /// The value, summed over the CPUs.
    pub value: Datum,
}

impl Datum {
    /// Divided by `by` as `print(@map, top, div)` does: numbers and averages, and the counts of buckets.
    #[must_use]
    pub fn divided(self, by: u64) -> Datum {
        let by = by.max(1);
        let div = i128::from(by);
        match self {
            Datum::Number(n) => Datum::Number(n / div),
            Datum::Total(n) => Datum::Total(n / div),
            Datum::Stats { count, average, total } => Datum::Stats { count, average: average / div, total },
            Datum::Histogram(mut buckets) => {
                buckets.iter_mut().for_each(|b| b.count /= by);
                Datum::Histogram(buckets)
            }
            Datum::Series(series) => Datum::Series(series.divided(div)),
            other => other,
        }
    }
}
