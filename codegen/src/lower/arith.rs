//! Arithmetic with the language's rules: division by zero gives 1, shift counts are modulo 64.

use super::frame::Lower;
use crate::ir::{Alu, Cond, Op, Ty, Value};
use crate::kernel::Feature;
use crate::object::Fault;
use rbtrace_lang::ast::BinOp;

impl Lower<'_, '_> {
    /// 64-bit arithmetic.
    pub(super) fn arithmetic(&mut self, op: BinOp, a: Value, b: Value, signed: bool) -> Value {
        let alu = match op {
            BinOp::Add => Alu::Add,
            BinOp::Sub => Alu::Sub,
            BinOp::Mul => Alu::Mul,
            BinOp::And => Alu::And,
            BinOp::Or => Alu::Or,
            BinOp::Xor => Alu::Xor,
            // The instruction itself takes the count modulo 64 when it comes from a register.
            BinOp::Shl => return self.shift(Alu::Shl, a, b),
            BinOp::Shr => return self.shift(if signed { Alu::AShr } else { Alu::LShr }, a, b),
            BinOp::Div => return self.divide(a, b, signed, false),
            BinOp::Rem => return self.divide(a, b, signed, true),
            // Comparisons and logic are lowered as conditions.
            _ => return a,
        };
        self.f.b.alu(alu, a, b)
    }

    /// A shift. The verifier wants to see that a count is below 64.
    fn shift(&mut self, op: Alu, a: Value, count: Value) -> Value {
        let count = match self.f.b.known_const(count) {
            Some(n) => self.f.b.iconst(n & 63),
            None => self.imm(Alu::And, count, 63),
        };
        self.f.b.alu(op, a, count)
    }

    fn divide(&mut self, a: Value, b: Value, signed: bool, remainder: bool) -> Value {
        match self.f.b.known_const(b) {
            Some(0) | None => self.checked_divide(a, b, signed, remainder),
            Some(_) => self.divide_unchecked(a, b, signed, remainder),
        }
    }

    /// Counts a divisor of zero and gives 1.
    fn checked_divide(&mut self, a: Value, b: Value, signed: bool, remainder: bool) -> Value {
        let (zero, nonzero, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        let result = self.f.b.declare_var(Ty::I64);
        let divisor = self.tested(b);
        let none = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Eq, divisor, none, zero, nonzero);
        self.f.b.start(nonzero);
        let quotient = self.divide_unchecked(a, b, signed, remainder);
        self.f.b.def_var(result, quotient);
        self.f.b.jump(end, &[]);
        self.f.b.start(zero);
        self.fault(Fault::DivisionByZero);
        let one = self.f.b.iconst(1);
        self.f.b.def_var(result, one);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(result)
    }

    /// Division by what is known not to be zero.
    pub(super) fn divide_nonzero(&mut self, op: BinOp, a: Value, b: Value, signed: bool) -> Value {
        self.divide_unchecked(a, b, signed, op == BinOp::Rem)
    }

    fn divide_unchecked(&mut self, a: Value, b: Value, signed: bool, remainder: bool) -> Value {
        let op = match (signed, remainder) {
            (false, false) => Alu::UDiv,
            (false, true) => Alu::URem,
            (true, false) if self.kernel().has(Feature::IsaV4) => Alu::SDiv,
            (true, true) if self.kernel().has(Feature::IsaV4) => Alu::SRem,
            (true, _) => return self.signed_divide(a, b, remainder),
        };
        self.f.b.alu(op, a, b)
    }

    /// Signed division by an unsigned one of the magnitudes; the quotient has the sign of `a ^ b`, the
    /// remainder that of `a`. With `m = x >> 63` (0 or -1), `(x ^ m) - m` negates where `m` is -1.
    fn signed_divide(&mut self, a: Value, b: Value, remainder: bool) -> Value {
        let sign_a = self.imm(Alu::AShr, a, 63);
        let sign_b = self.imm(Alu::AShr, b, 63);
        let (size_a, size_b) = (self.negate_by(a, sign_a), self.negate_by(b, sign_b));
        let op = if remainder { Alu::URem } else { Alu::UDiv };
        let magnitude = self.f.b.alu(op, size_a, size_b);
        let sign = if remainder { sign_a } else { self.f.b.alu(Alu::Xor, sign_a, sign_b) };
        self.negate_by(magnitude, sign)
    }

    fn negate_by(&mut self, value: Value, mask: Value) -> Value {
        let flipped = self.f.b.alu(Alu::Xor, value, mask);
        self.f.b.alu(Alu::Sub, flipped, mask)
    }

    /// `max(a, b)` or `min(a, b)` style choice: `a` where the condition holds, else `b`.
    pub(super) fn select(&mut self, cond: Cond, x: Value, y: Value, a: Value, b: Value) -> Value {
        let (other, end) = (self.f.b.create_block(), self.f.b.create_block());
        let result = self.f.b.declare_var(Ty::I64);
        self.f.b.def_var(result, a);
        self.f.b.branch(cond, x, y, end, other);
        self.f.b.start(other);
        self.f.b.def_var(result, b);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(result)
    }

    /// The number, or `most` where it is larger: the verifier sees its bound right here.
    pub(super) fn at_most(&mut self, number: Value, most: u32) -> Value {
        self.imm(Alu::UMin, number, i64::from(most))
    }

    /// `a == b` and its kin as 0 or 1.
    pub(super) fn compare(&mut self, cond: Cond, a: Value, b: Value) -> Value {
        self.f.b.ins(Op::Cmp(cond, a, b), Ty::I64)
    }
}
