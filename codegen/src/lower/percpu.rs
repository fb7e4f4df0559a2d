//! Reading values that each CPU keeps for itself, or, where the kernel has no way to, that all CPUs share.

use super::Lowered;
use super::collect;
use super::frame::Lower;
use super::memory::Place;
use crate::helpers;
use crate::ir::{Alu, Cond, Space, Ty, Value};
use rbtrace_lang::Span;
use rbtrace_lang::ast::BinOp;
use rbtrace_lang::hir::{Expr, MapId};
use rbtrace_lang::types::{Agg, Type, U64};

impl Lower<'_, '_> {
    /// Runs `body` with the value of each CPU that has one, or once with the one that they share.
    pub(super) fn for_each_cpu(
        &mut self,
        map: MapId,
        key: Value,
        span: Span,
        body: impl FnOnce(&mut Self, Value) -> Lowered<()>,
    ) -> Lowered<()> {
        if !self.shared.is_per_cpu(map) {
            return self.with_shared(map, key, body);
        }
        if !collect::reads_all_cpus(self.kernel()) {
            let name = &self.shared.program.map(map).name;
            let message = format!("{name} is collected per CPU, and this kernel cannot sum it up in a probe");
            return Err(rbtrace_lang::Diagnostic::error(span, message).hint(
                "bpf_map_lookup_percpu_elem is there from Linux 5.19 on; count(), sum(), avg() and stats() do \
                 without it",
            ));
        }
        let end = self.f.b.create_block();
        self.counted(self.kernel().ncpus(), end, |lower, cpu, next| {
            let map = lower.script_map_ref(map);
            let elem = lower.call_ptr(helpers::MAP_LOOKUP_PERCPU_ELEM, &[map, key, cpu], Space::MapValue);
            let found = lower.f.b.create_block();
            lower.branch_null(elem, next, found);
            lower.f.b.start(found);
            body(lower, elem)?;
            lower.f.b.jump(next, &[]);
            Ok(())
        })?;
        self.f.b.start(end);
        Ok(())
    }

    fn with_shared(
        &mut self,
        map: MapId,
        key: Value,
        body: impl FnOnce(&mut Self, Value) -> Lowered<()>,
    ) -> Lowered<()> {
        if self.shared.program.map(map).key.is_none() {
            let value = self.single(map);
            let value = self.address(&value);
            return body(self, value);
        }
        let elem = self.lookup(map, key);
        self.if_found(elem, |lower| body(lower, elem))
    }

    /// The number that an aggregation stands for, over all CPUs; zero where there is no entry.
    pub(super) fn read_aggregate(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        agg: Agg,
        span: Span,
    ) -> Lowered<Value> {
        let key = match key {
            Some(key) => self.key(map, key)?,
            None => self.element_key(map),
        };
        let (value, second) = self.merge(map, key, agg, span)?;
        match agg {
            Agg::Avg { signed } => self.average(value, second, signed),
            _ => Ok(value),
        }
    }

    /// Both words of an aggregation over all CPUs.
    pub(super) fn merge(&mut self, map: MapId, key: Value, agg: Agg, span: Span) -> Lowered<(Value, Value)> {
        let words = [self.f.b.declare_var(Ty::I64), self.f.b.declare_var(Ty::I64)];
        for word in words {
            let zero = self.f.b.iconst(0);
            self.f.b.def_var(word, zero);
        }
        self.for_each_cpu(map, key, span, |lower, elem| match agg {
            Agg::Count | Agg::Sum { .. } => lower.add_word(elem, 0, words[0]),
            Agg::Avg { .. } | Agg::Stats { .. } => {
                lower.add_word(elem, 0, words[0])?;
                lower.add_word(elem, 8, words[1])
            }
            Agg::Min { signed } => {
                lower.take_extreme(elem, words, if signed { Cond::SLt } else { Cond::ULt })
            }
            Agg::Max { signed } => {
                lower.take_extreme(elem, words, if signed { Cond::SGt } else { Cond::UGt })
            }
            Agg::Hist { .. } | Agg::LHist { .. } | Agg::TSeries { .. } => {
                let name = agg.name();
                lower.unsupported(span, format!("a probe cannot read a {name}(): print(@x) shows it"))
            }
        })?;
        Ok((self.f.b.use_var(words[0]), self.f.b.use_var(words[1])))
    }

    fn add_word(&mut self, elem: Value, offset: u32, sum: crate::builder::Var) -> Lowered<()> {
        let word = self.load_scalar(&Place::ptr(elem).at(offset), &U64)?;
        let before = self.f.b.use_var(sum);
        let total = self.f.b.alu(Alu::Add, before, word);
        self.f.b.def_var(sum, total);
        Ok(())
    }

    /// Takes a CPU's value where it is set and is the first or wins against the one so far.
    fn take_extreme(&mut self, elem: Value, best: [crate::builder::Var; 2], wins: Cond) -> Lowered<()> {
        let place = Place::ptr(elem);
        let (set, again, take, end) = (
            self.f.b.create_block(),
            self.f.b.create_block(),
            self.f.b.create_block(),
            self.f.b.create_block(),
        );
        let zero = self.f.b.iconst(0);
        let is_set = self.load_scalar(&place.at(8), &U64)?;
        self.f.b.branch(Cond::Eq, is_set, zero, end, set);
        self.f.b.start(set);
        let value = self.load_scalar(&place, &U64)?;
        let (so_far, have) = (self.f.b.use_var(best[0]), self.f.b.use_var(best[1]));
        self.f.b.branch(Cond::Eq, have, zero, take, again);
        self.f.b.start(again);
        self.f.b.branch(wins, value, so_far, take, end);
        self.f.b.start(take);
        let one = self.f.b.iconst(1);
        self.f.b.def_var(best[0], value);
        self.f.b.def_var(best[1], one);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// `total / count` towards zero; zero where nothing was counted.
    pub(super) fn average(&mut self, total: Value, count: Value, signed: bool) -> Lowered<Value> {
        let zero = self.f.b.iconst(0);
        let (some, end) = (self.f.b.create_block(), self.f.b.create_block());
        let result = self.f.b.declare_var(Ty::I64);
        self.f.b.def_var(result, zero);
        self.f.b.branch(Cond::Eq, count, zero, end, some);
        self.f.b.start(some);
        let quotient = self.divide_nonzero(BinOp::Div, total, count, signed);
        self.f.b.def_var(result, quotient);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(self.f.b.use_var(result))
    }

    /// An aggregation merged over all CPUs, as it lies in one CPU's value.
    pub(super) fn aggregate_place(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        agg: Agg,
        span: Span,
    ) -> Lowered<Place> {
        let key = match key {
            Some(key) => self.key(map, key)?,
            None => self.element_key(map),
        };
        let (first, second) = self.merge(map, key, agg, span)?;
        let place = Place::slot(self.slot_for(&Type::Agg(agg)));
        self.store_scalar(&place, 8, first);
        if agg.size() > 8 {
            self.store_scalar(&place.at(8), 8, second);
        }
        Ok(place)
    }
}
