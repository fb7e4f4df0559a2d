//! Bucket numbers of `hist` and `lhist` ([`rbtrace_lang::types::hist_buckets`] says which is which).

use super::frame::Lower;
use crate::builder::Var;
use crate::ir::{Alu, Cond, Ty, Value};
use rbtrace_lang::types::lhist_buckets;

impl Lower<'_, '_> {
    /// The bucket of a value in `hist(n, bits)`. `small`: it cannot be negative.
    pub(super) fn hist_bucket(&mut self, value: Value, bits: u8, small: bool) -> Value {
        let result = self.f.b.declare_var(Ty::I64);
        let end = self.f.b.create_block();
        let zero = self.f.b.iconst(0);
        if !small {
            let positive = self.f.b.create_block();
            self.f.b.def_var(result, zero);
            self.f.b.branch_unlikely(Cond::SLt, value, zero, end, positive);
            self.f.b.start(positive);
        }
        let bucket = if bits == 0 { self.log2_bucket(value) } else { self.fine_bucket(value, bits) };
        self.f.b.def_var(result, bucket);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(result)
    }

    /// One bucket a power of two: 0 is in bucket 1, and 2^p is in bucket p + 2.
    ///
    /// What the binary search leaves of the value is 0 only for a value of 0, else 1.
    fn log2_bucket(&mut self, value: Value) -> Value {
        let (rest, power) = self.search_power(value, 1);
        let (rest, power) = (self.f.b.use_var(rest), self.f.b.use_var(power));
        self.f.b.alu(Alu::Add, power, rest)
    }

    /// Binary search for the highest set bit. The result is what is left of the value after the shift,
    /// and the shift plus `start`.
    fn search_power(&mut self, value: Value, start: i64) -> (Var, Var) {
        let (rest, power) = (self.f.b.declare_var(Ty::I64), self.f.b.declare_var(Ty::I64));
        let first = self.f.b.iconst(start);
        self.f.b.def_var(rest, value);
        self.f.b.def_var(power, first);
        for step in [32, 16, 8, 4, 2, 1] {
            let (high, next) = (self.f.b.create_block(), self.f.b.create_block());
            let so_far = self.f.b.use_var(rest);
            let limit = self.f.b.iconst(1i64 << step);
            self.f.b.branch(Cond::UGe, so_far, limit, high, next);
            self.f.b.start(high);
            let so_far = self.f.b.use_var(rest);
            let shifted = self.imm(Alu::LShr, so_far, step);
            self.f.b.def_var(rest, shifted);
            let before = self.f.b.use_var(power);
            let after = self.imm(Alu::Add, before, step);
            self.f.b.def_var(power, after);
            self.f.b.jump(next, &[]);
            self.f.b.start(next);
        }
        (rest, power)
    }

    /// 2^bits buckets a power of two.
    fn fine_bucket(&mut self, value: Value, bits: u8) -> Value {
        let per_power = 1i64 << bits;
        let (exact, powers, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        let result = self.f.b.declare_var(Ty::I64);
        let limit = self.f.b.iconst(per_power);
        self.f.b.branch(Cond::ULt, value, limit, exact, powers);
        self.f.b.start(exact);
        let bucket = self.imm(Alu::Add, value, 1);
        self.f.b.def_var(result, bucket);
        self.f.b.jump(end, &[]);
        self.f.b.start(powers);
        let (_, power) = self.search_power(value, -i64::from(bits));
        let power = self.f.b.use_var(power);
        let bucket = self.bucket_of_power(value, power, bits);
        self.f.b.def_var(result, bucket);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(result)
    }

    /// `1 + 2^bits + power * 2^bits + (the bits below the highest one)`
    fn bucket_of_power(&mut self, value: Value, power: Value, bits: u8) -> Value {
        let per_power = 1i64 << bits;
        let shifted = self.f.b.alu(Alu::LShr, value, power);
        let within = self.imm(Alu::And, shifted, per_power - 1);
        let first = self.imm(Alu::Shl, power, i64::from(bits));
        let bucket = self.f.b.alu(Alu::Add, first, within);
        self.imm(Alu::Add, bucket, 1 + per_power)
    }

    /// The bucket of a value in `lhist(n, min, max, step)`.
    pub(super) fn lhist_bucket(&mut self, value: Value, min: i64, max: i64, step: i64) -> Value {
        let buckets = i64::from(lhist_buckets(min, max, step));
        let top = min.wrapping_add((buckets - 2).wrapping_mul(step));
        let bucket = self.f.b.declare_var(Ty::I64);
        let (not_below, within, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        let below = self.f.b.iconst(0);
        self.f.b.def_var(bucket, below);
        let min_value = self.f.b.iconst(min);
        self.f.b.branch(Cond::SLt, value, min_value, end, not_below);
        self.f.b.start(not_below);
        let above = self.f.b.iconst(buckets - 1);
        self.f.b.def_var(bucket, above);
        let top = self.f.b.iconst(top);
        self.f.b.branch(Cond::SGe, value, top, end, within);
        self.f.b.start(within);
        let distance = if min == 0 { value } else { self.f.b.alu(Alu::Sub, value, min_value) };
        let number = if step == 1 { distance } else { self.imm(Alu::UDiv, distance, step) };
        let number = self.imm(Alu::Add, number, 1);
        self.f.b.def_var(bucket, number);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(bucket)
    }
}
