//! Map-value functions: `count()`, `sum()` and their kin collect in place, each CPU for itself where it can.

use super::Lowered;
use super::frame::Lower;
use super::memory::Place;
use crate::ir::{Alu, AtomicOp, Cond, Op, Value, Width};
use rbtrace_lang::Span;
use rbtrace_lang::hir::{Expr, MapId};
use rbtrace_lang::types::{Agg, Type, U64, hist_buckets, lhist_buckets};

impl Lower<'_, '_> {
    /// `@m[key] = agg(value)`
    pub(super) fn aggregate(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        agg: Agg,
        (value, time): (Option<&Expr>, Option<&Expr>),
        span: Span,
    ) -> Lowered<()> {
        let small = value.is_some_and(|v| v.ty.size() < 8 && !v.ty.is_signed());
        let value = match value {
            Some(value) => {
                let number = self.scalar(value)?;
                let number = self.as_number(number);
                Some(self.tested(number))
            }
            None => None,
        };
        let time = match time {
            Some(time) => Some(self.scalar(time)?),
            None => None,
        };
        if let Some(key) = key {
            let key = self.key(map, key)?;
            if let Some(tallies) = self.shared.tallies(map) {
                return self.count_in_tally(map, tallies, key);
            }
            return self.with_entry(map, key, |lower, elem| {
                lower.collect(map, &Place::ptr(elem), agg, (value, time), small, span)
            });
        }
        if !self.shared.is_per_cpu(map) {
            let place = self.single(map);
            self.collect(map, &place, agg, (value, time), small, span)?;
            self.mark_set(map, &place);
            return Ok(());
        }
        let key = self.element_key(map);
        let elem = self.lookup(map, key);
        self.if_found(elem, |lower| {
            let place = Place::ptr(elem);
            lower.collect(map, &place, agg, (value, time), small, span)?;
            lower.mark_set(map, &place);
            Ok(())
        })
    }

    /// Adds 1 to a word of this CPU.
    pub(super) fn count_at(&mut self, place: &Place) -> Lowered<()> {
        self.add_to(place, None, false)
    }

    /// Adds a value (or 1) to a word. `shared`: other CPUs do, too.
    pub(super) fn add_to(&mut self, place: &Place, value: Option<Value>, shared: bool) -> Lowered<()> {
        let value = match value {
            Some(value) => value,
            None => self.f.b.iconst(1),
        };
        // Another task may come in between.
        if shared || self.plan.attach.iter().any(|a| a.target.is_preemptible()) {
            let ptr = self.address(place);
            let (op, width) = (AtomicOp::Add, Width::B8);
            self.f.b.effect(Op::Atomic { op, width, ptr, offset: 0, value });
            return Ok(());
        }
        let before = self.load_scalar(place, &U64)?;
        let after = self.f.b.alu(Alu::Add, before, value);
        self.store_scalar(place, 8, after);
        Ok(())
    }

    fn collect(
        &mut self,
        map: MapId,
        place: &Place,
        agg: Agg,
        (value, time): (Option<Value>, Option<Value>),
        small: bool,
        span: Span,
    ) -> Lowered<()> {
        let shared = !self.shared.is_per_cpu(map);
        if agg == Agg::Count {
            return self.add_to(place, None, shared);
        }
        let Some(value) = value else {
            return self.unsupported(span, format!("{}() needs a value", agg.name()));
        };
        match agg {
            Agg::Count => Ok(()),
            Agg::Sum { .. } => self.add_to(place, Some(value), shared),
            Agg::Avg { .. } | Agg::Stats { .. } => {
                self.add_to(place, Some(value), shared)?;
                self.add_to(&place.at(8), None, shared)
            }
            Agg::Min { signed } => self.keep(place, value, if signed { Cond::SLt } else { Cond::ULt }),
            Agg::Max { signed } => self.keep(place, value, if signed { Cond::SGt } else { Cond::UGt }),
            Agg::Hist { bits } => {
                let bucket = self.hist_bucket(value, bits, small);
                self.count_bucket(place, bucket, hist_buckets(bits), shared)
            }
            Agg::LHist { min, max, step } => {
                let bucket = self.lhist_bucket(value, min, max, step);
                self.count_bucket(place, bucket, lhist_buckets(min, max, step), shared)
            }
            Agg::TSeries { interval, intervals, how, signed } => match time {
                Some(time) => self.series(place, (value, time), (interval, intervals), how, signed),
                None => self.unsupported(span, "internal: a time series needs a clock"),
            },
        }
    }

    /// Keeps the value where none was kept yet or where it wins.
    pub(super) fn keep(&mut self, place: &Place, value: Value, wins: Cond) -> Lowered<()> {
        let (compare, write, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        let set = self.load_scalar(&place.at(8), &U64)?;
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Eq, set, zero, write, compare);
        self.f.b.start(compare);
        let kept = self.load_scalar(place, &U64)?;
        self.f.b.branch(wins, value, kept, write, end);
        self.f.b.start(write);
        self.store_scalar(place, 8, value);
        let one = self.f.b.iconst(1);
        self.store_scalar(&place.at(8), 8, one);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// Counts one in a bucket; its number is in range, which the verifier wants to see.
    fn count_bucket(&mut self, place: &Place, bucket: Value, buckets: u32, shared: bool) -> Lowered<()> {
        let bucket = self.at_most(bucket, buckets - 1);
        let bytes = self.imm(Alu::Shl, bucket, 3);
        let base = self.address(place);
        let bucket = Place::ptr(self.f.b.alu(Alu::Add, base, bytes));
        self.add_to(&bucket, None, shared)
    }

    /// The type that one CPU's value of a map has.
    pub(super) fn is_aggregate(&self, map: MapId) -> Option<Agg> {
        match self.shared.program.map(map).value {
            Type::Agg(agg) => Some(agg),
            _ => None,
        }
    }
}
