//! Time series: what is put into the interval of its time, each CPU for itself.

use super::Lowered;
use super::frame::Lower;
use super::memory::Place;
use crate::ir::{Alu, Cond, Value};
use rbtrace_lang::types::{InInterval, Interval, U64};

impl Lower<'_, '_> {
    /// Puts a value into a series of `intervals` intervals of this many nanoseconds.
    pub(super) fn series(
        &mut self,
        place: &Place,
        (value, time): (Value, Value),
        (interval, intervals): (u64, u32),
        how: InInterval,
        signed: bool,
    ) -> Lowered<()> {
        let number = self.imm(Alu::UDiv, time, interval as i64);
        let at = self.imm(Alu::URem, number, i64::from(intervals));
        let number = self.imm(Alu::Add, number, 1);
        let at = self.at_most(at, intervals - 1);
        let bytes = self.scale(at, Interval::SIZE);
        let base = self.address(place);
        let cell = Place::ptr(self.f.b.alu(Alu::Add, base, bytes));
        if how == InInterval::Last {
            self.store_scalar(&cell.at(Interval::VALUE), 8, value);
            self.store_scalar(&cell.at(Interval::MORE), 8, time);
            self.store_scalar(&cell.at(Interval::NUMBER), 8, number);
            return Ok(());
        }
        self.begin_interval(&cell, number)?;
        self.add_to_interval(&cell, value, how, signed)
    }

    /// Forgets what was put here a whole round of intervals ago or earlier.
    fn begin_interval(&mut self, cell: &Place, number: Value) -> Lowered<()> {
        let (fresh, on) = (self.f.b.create_block(), self.f.b.create_block());
        let before = self.load_scalar(&cell.at(Interval::NUMBER), &U64)?;
        self.f.b.branch_unlikely(Cond::Ne, before, number, fresh, on);
        self.f.b.start(fresh);
        self.zero(&cell.at(Interval::VALUE), Interval::SIZE - Interval::VALUE);
        self.store_scalar(&cell.at(Interval::NUMBER), 8, number);
        self.f.b.jump(on, &[]);
        self.f.b.start(on);
        Ok(())
    }

    fn add_to_interval(&mut self, cell: &Place, value: Value, how: InInterval, signed: bool) -> Lowered<()> {
        let kept = cell.at(Interval::VALUE);
        match how {
            InInterval::Min => self.keep(&kept, value, if signed { Cond::SLt } else { Cond::ULt }),
            InInterval::Max => self.keep(&kept, value, if signed { Cond::SGt } else { Cond::UGt }),
            InInterval::Avg => {
                self.add_to(&kept, Some(value), false)?;
                self.add_to(&cell.at(Interval::MORE), None, false)
            }
            InInterval::Sum | InInterval::Last => self.add_to(&kept, Some(value), false),
        }
    }
}
