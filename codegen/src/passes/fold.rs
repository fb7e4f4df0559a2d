//! Constant folding and algebraic simplification of one operation at a time.

use super::eval;
use super::util::{fits_i32, normal};
use crate::ir::*;

/// What an operation became.
#[derive(Debug, PartialEq)]
pub enum Simpler {
    /// It is as simple as can be.
    Keep,
    /// A value that exists already.
    Value(Value),
    /// Another operation.
    Op(Op),
    /// Arithmetic with a new constant on the right.
    WithConst(Alu, Value, i64),
}

/// What is known of the values of a function.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Types.
    pub types: &'a [Ty],
    /// Definitions seen so far.
    pub defs: &'a [Option<Op>],
}

/// Depth to which definitions are looked through.
const MAX_DEPTH: u32 = 6;

impl Facts<'_> {
    fn def(&self, v: Value) -> Option<&Op> {
        self.defs.get(v.0 as usize)?.as_ref()
    }

    fn ty(&self, v: Value) -> Ty {
        self.types[v.0 as usize]
    }

    /// The constant that a value is.
    pub fn constant(&self, v: Value) -> Option<i64> {
        match self.def(v)? {
            Op::Const(c) => Some(normal(self.ty(v), *c)),
            _ => None,
        }
    }

    /// How many low bits may be set.
    ///
    /// **Invariant**: no more is known here than the kernel's verifier knows. A comparison that is decided
    /// by it is dropped, and where it guarded a memory access the verifier must see the bound in another
    /// way. So nothing is said of quotients, remainders and swapped bytes, which the verifier does not follow.
    pub fn bits(&self, v: Value) -> u32 {
        self.bits_at(v, 0)
    }

    fn bits_at(&self, v: Value, depth: u32) -> u32 {
        let all = if self.ty(v) == Ty::I32 { 32 } else { 64 };
        if depth > MAX_DEPTH {
            return all;
        }
        let of = |v| self.bits_at(v, depth + 1);
        let known = match self.def(v) {
            Some(Op::Const(c)) => 64 - normal(self.ty(v), *c).leading_zeros(),
            Some(Op::Cmp(..)) => 1,
            Some(Op::Zext(w, a)) => of(*a).min(w.bytes() * 8),
            Some(Op::Load { width, signed: false, .. }) => width.bytes() * 8,
            Some(Op::Alu(op, a, b)) => self.alu_bits(*op, of(*a), of(*b), *b),
            _ => 64,
        };
        known.min(all)
    }

    fn alu_bits(&self, op: Alu, a: u32, b: u32, right: Value) -> u32 {
        let mask = if self.ty(right) == Ty::I32 { 31 } else { 63 };
        match (op, self.constant(right)) {
            (Alu::And | Alu::UMin, _) => a.min(b),
            (Alu::Or | Alu::Xor, _) => a.max(b),
            (Alu::Add, _) => a.max(b) + 1,
            (Alu::Mul, _) => a + b,
            (Alu::LShr, Some(c)) => a.saturating_sub(c as u32 & mask),
            (Alu::Shl, Some(c)) => a + (c as u32 & mask),
            _ => 64,
        }
    }

    /// Simplifies an operation whose result has type `ty`.
    pub fn simplify(&self, op: &Op, ty: Ty) -> Simpler {
        match *op {
            Op::Alu(op, a, b) => self.alu(op, a, b, ty),
            Op::Neg(a) => match self.constant(a) {
                Some(c) => constant(ty, c.wrapping_neg()),
                None => Simpler::Keep,
            },
            Op::Cmp(c, a, b) => self.cmp(c, a, b, ty),
            Op::Sext(w, a) => self.sext(w, a, ty),
            Op::Zext(w, a) => self.zext(w, a, ty),
            Op::Bswap(w, a) => match self.constant(a) {
                Some(c) => constant(ty, eval::bswap(w, c)),
                None => Simpler::Keep,
            },
            Op::Store { width, ptr, offset, value } => match self.narrow(value, width) {
                Some(value) => Simpler::Op(Op::Store { width, ptr, offset, value }),
                None => Simpler::Keep,
            },
            _ => Simpler::Keep,
        }
    }

    /// A value with the same low bytes that costs less.
    fn narrow(&self, v: Value, width: Width) -> Option<Value> {
        let bits = width.bytes() * 8;
        match *self.def(v)? {
            Op::Zext(w, a) | Op::Sext(w, a) if w.bytes() * 8 >= bits => Some(a),
            Op::Alu(Alu::And, a, m) => {
                let mask = self.constant(m)?;
                let kept = mask.trailing_ones();
                (kept >= bits).then_some(a)
            }
            _ => None,
        }
    }

    fn sext(&self, w: Width, a: Value, ty: Ty) -> Simpler {
        if let Some(c) = self.constant(a) {
            return constant(ty, eval::sext(w, ty, c));
        }
        if self.bits(a) < w.bytes() * 8 && self.ty(a) == ty {
            return Simpler::Value(a);
        }
        match self.def(a) {
            Some(&(Op::Zext(v, x) | Op::Sext(v, x))) if v >= w => Simpler::Op(Op::Sext(w, x)),
            _ => Simpler::Keep,
        }
    }

    fn zext(&self, w: Width, a: Value, ty: Ty) -> Simpler {
        if let Some(c) = self.constant(a) {
            return constant(ty, eval::zext(w, c));
        }
        if self.bits(a) <= w.bytes() * 8 {
            if self.ty(a) == ty {
                return Simpler::Value(a);
            }
            // A change of type only: the form that costs a plain copy at most.
            if w != Width::B4 && self.ty(a) == Ty::I32 {
                return Simpler::Op(Op::Zext(Width::B4, a));
            }
        }
        match self.def(a) {
            Some(&(Op::Zext(v, x) | Op::Sext(v, x))) if v >= w => Simpler::Op(Op::Zext(w, x)),
            _ => Simpler::Keep,
        }
    }

    fn cmp(&self, c: Cond, a: Value, b: Value, ty: Ty) -> Simpler {
        if let Some(known) = self.known_cond(c, a, b) {
            return constant(ty, i64::from(known));
        }
        let (c, a, b) = self.condition(c, a, b);
        // A truth value compared with 0 or 1 is itself.
        match (c, self.constant(b), self.def(a)) {
            (Cond::Ne, Some(0), Some(Op::Cmp(..))) if self.ty(a) == ty => Simpler::Value(a),
            _ => Simpler::Op(Op::Cmp(c, a, b)),
        }
    }

    /// The answer of a comparison, where it is known.
    pub fn known_cond(&self, c: Cond, a: Value, b: Value) -> Option<bool> {
        let ty = self.ty(a);
        if let (Some(x), Some(y)) = (self.constant(a), self.constant(b)) {
            return Some(eval::cond(c, ty, x, y));
        }
        if a == b && c != Cond::Set {
            return Some(eval::cond(c, ty, 0, 0));
        }
        if let (Ty::Ptr(_), Some(0), Some(Op::SlotAddr(_) | Op::MapValue(..))) =
            (ty, self.constant(b), self.def(a))
        {
            return Some(c == Cond::Ne);
        }
        self.known_by_range(c, a, b)
    }

    fn known_by_range(&self, c: Cond, a: Value, b: Value) -> Option<bool> {
        let limit = self.constant(b)?;
        let bits = self.bits(a);
        if bits >= 63 || (self.ty(a) == Ty::I32 && bits >= 32) {
            return match (c, limit) {
                (Cond::ULt, 0) => Some(false),
                (Cond::UGe, 0) => Some(true),
                _ => None,
            };
        }
        // 0 <= a < 2^bits, also when taken as signed.
        let (max, signed) =
            ((1i64 << bits) - 1, if self.ty(a) == Ty::I32 { limit as i32 as i64 } else { limit });
        match c {
            Cond::ULt if (limit as u64) > max as u64 => Some(true),
            Cond::ULe if (limit as u64) >= max as u64 => Some(true),
            Cond::UGt if (limit as u64) >= max as u64 => Some(false),
            Cond::UGe if (limit as u64) > max as u64 => Some(false),
            Cond::SLt if signed > max => Some(true),
            Cond::SLe if signed >= max => Some(true),
            Cond::SGt if signed >= max => Some(false),
            Cond::SGe if signed > max => Some(false),
            Cond::SLt if signed <= 0 => Some(false),
            Cond::SGe if signed <= 0 => Some(true),
            Cond::SLe if signed < 0 => Some(false),
            Cond::SGt if signed < 0 => Some(true),
            Cond::ULt if limit == 0 => Some(false),
            Cond::UGe if limit == 0 => Some(true),
            Cond::Eq if limit as u64 > max as u64 => Some(false),
            Cond::Ne if limit as u64 > max as u64 => Some(true),
            _ => None,
        }
    }

    /// The same condition in its simplest form: constants on the right, truth values looked through.
    pub fn condition(&self, c: Cond, a: Value, b: Value) -> (Cond, Value, Value) {
        if self.constant(a).is_some() && self.constant(b).is_none() && !matches!(self.ty(b), Ty::Ptr(_)) {
            return self.condition(c.swap(), b, a);
        }
        let (Some(&Op::Cmp(inner, x, y)), Some(k)) = (self.def(a), self.constant(b)) else {
            return self.through_zext(c, a, b);
        };
        let same = match (c, k) {
            (Cond::Ne | Cond::UGt | Cond::SGt, 0) | (Cond::Eq | Cond::UGe | Cond::SGe | Cond::Set, 1) => true,
            (Cond::Eq | Cond::ULe | Cond::SLe, 0) | (Cond::Ne | Cond::ULt | Cond::SLt, 1) => false,
            _ => return (c, a, b),
        };
        match if same { Some(inner) } else { inner.negate() } {
            Some(c) => self.condition(c, x, y),
            None => (c, a, b),
        }
    }

    /// A comparison of a zero-extended I32 with 0 is one of the I32.
    fn through_zext(&self, c: Cond, a: Value, b: Value) -> (Cond, Value, Value) {
        let (Some(&Op::Zext(Width::B4, x)), Some(0)) = (self.def(a), self.constant(b)) else {
            return (c, a, b);
        };
        match self.def(x) {
            Some(Op::Cmp(inner, ..)) if inner.negate().is_some() && matches!(c, Cond::Eq | Cond::Ne) => {
                self.condition(c, x, b)
            }
            _ => (c, a, b),
        }
    }

    fn alu(&self, op: Alu, a: Value, b: Value, ty: Ty) -> Simpler {
        if matches!(self.ty(a), Ty::Ptr(_)) && ty == Ty::I64 {
            // A pointer's address as a number: the types differ.
            return Simpler::Keep;
        }
        let (ca, cb) = (self.constant(a), self.constant(b));
        if let (Some(x), Some(y)) = (ca, cb) {
            return constant(ty, eval::alu(op, ty, x, y));
        }
        let commutes = matches!(op, Alu::Add | Alu::Mul | Alu::And | Alu::Or | Alu::Xor);
        if commutes && ca.is_some() && ty == self.ty(b) {
            return Simpler::Op(Op::Alu(op, b, a));
        }
        if let Some(c) = cb {
            return self.alu_const(op, a, c, ty);
        }
        match op {
            Alu::Sub | Alu::Xor if a == b && !matches!(self.ty(a), Ty::Ptr(_)) => constant(ty, 0),
            Alu::And | Alu::Or if a == b => Simpler::Value(a),
            _ => Simpler::Keep,
        }
    }

    fn alu_const(&self, op: Alu, a: Value, c: i64, ty: Ty) -> Simpler {
        let ones = normal(ty, -1);
        match (op, c) {
            (Alu::Add | Alu::Sub | Alu::Or | Alu::Xor | Alu::Shl | Alu::LShr | Alu::AShr, 0) => {
                Simpler::Value(a)
            }
            (Alu::Mul | Alu::UDiv | Alu::SDiv, 1) => Simpler::Value(a),
            (Alu::Mul | Alu::And, 0) | (Alu::URem | Alu::SRem, 1) => constant(ty, 0),
            (Alu::Or, c) if c == ones => constant(ty, ones),
            (Alu::And, c) if c.trailing_ones() >= self.bits(a) => Simpler::Value(a),
            (Alu::And, 0xffff_ffff) => Simpler::Op(Op::Zext(Width::B4, a)),
            (Alu::Sub, c) if ty == Ty::I32 || fits_i32(c.wrapping_neg()) => {
                Simpler::WithConst(Alu::Add, a, normal(ty, c.wrapping_neg()))
            }
            (Alu::Mul, c) if (c as u64).is_power_of_two() => {
                Simpler::WithConst(Alu::Shl, a, c.trailing_zeros().into())
            }
            (Alu::UDiv, c) if (c as u64).is_power_of_two() => {
                Simpler::WithConst(Alu::LShr, a, c.trailing_zeros().into())
            }
            (Alu::URem, c) if (c as u64).is_power_of_two() => {
                Simpler::WithConst(Alu::And, a, c.wrapping_sub(1))
            }
            (Alu::LShr, c) if c as u64 >= u64::from(self.bits(a)) && c < 64 && ty == Ty::I64 => {
                constant(ty, 0)
            }
            _ => self.reassociate(op, a, c, ty),
        }
    }

    /// `(x op c1) op c2` with one constant.
    fn reassociate(&self, op: Alu, a: Value, c: i64, ty: Ty) -> Simpler {
        let Some(&Op::Alu(inner, x, k)) = self.def(a) else { return Simpler::Keep };
        let Some(k) = self.constant(k) else { return Simpler::Keep };
        if inner != op {
            return Simpler::Keep;
        }
        let width = if ty == Ty::I32 { 32 } else { 64 };
        match op {
            Alu::Add => Simpler::WithConst(op, x, normal(ty, k.wrapping_add(c))),
            Alu::And => Simpler::WithConst(op, x, k & c),
            Alu::Or => Simpler::WithConst(op, x, k | c),
            Alu::Xor => Simpler::WithConst(op, x, k ^ c),
            Alu::Mul => Simpler::WithConst(op, x, normal(ty, k.wrapping_mul(c))),
            Alu::Shl | Alu::LShr if (0..width).contains(&k) && (0..width).contains(&c) && k + c < width => {
                Simpler::WithConst(op, x, k + c)
            }
            _ => Simpler::Keep,
        }
    }
}

fn constant(ty: Ty, c: i64) -> Simpler {
    Simpler::Op(Op::Const(normal(ty, c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Value = Value(0);
    const C: Value = Value(1);

    /// Simplifies `x op c` for an unknown `x`.
    fn with(op: Alu, c: i64, ty: Ty) -> Simpler {
        let defs = [None, Some(Op::Const(c))];
        Facts { types: &[ty, ty], defs: &defs }.simplify(&Op::Alu(op, X, C), ty)
    }

    #[test]
    fn powers_of_two_need_no_multiplication() {
        assert_eq!(with(Alu::Mul, 8, Ty::I64), Simpler::WithConst(Alu::Shl, X, 3));
        assert_eq!(with(Alu::UDiv, 1024, Ty::I64), Simpler::WithConst(Alu::LShr, X, 10));
        assert_eq!(with(Alu::URem, 1024, Ty::I64), Simpler::WithConst(Alu::And, X, 1023));
        assert_eq!(with(Alu::SDiv, 1024, Ty::I64), Simpler::Keep);
        assert_eq!(with(Alu::Mul, 1 << 31, Ty::I32), Simpler::WithConst(Alu::Shl, X, 31));
    }

    #[test]
    fn identities() {
        assert_eq!(with(Alu::Add, 0, Ty::I64), Simpler::Value(X));
        assert_eq!(with(Alu::Mul, 0, Ty::I64), Simpler::Op(Op::Const(0)));
        assert_eq!(with(Alu::Or, -1, Ty::I32), Simpler::Op(Op::Const(0xffff_ffff)));
        assert_eq!(with(Alu::And, 0xffff_ffff, Ty::I64), Simpler::Op(Op::Zext(Width::B4, X)));
        assert_eq!(with(Alu::And, 0xffff_ffff, Ty::I32), Simpler::Value(X));
        assert_eq!(with(Alu::Sub, 5, Ty::I64), Simpler::WithConst(Alu::Add, X, -5));
    }

    #[test]
    fn a_divisor_of_zero_gives_what_the_machine_gives() {
        let defs = [Some(Op::Const(7)), Some(Op::Const(0))];
        let facts = Facts { types: &[Ty::I64; 2], defs: &defs };
        assert_eq!(facts.simplify(&Op::Alu(Alu::UDiv, X, C), Ty::I64), Simpler::Op(Op::Const(0)));
        assert_eq!(facts.simplify(&Op::Alu(Alu::SRem, X, C), Ty::I64), Simpler::Op(Op::Const(7)));
    }

    #[test]
    fn comparisons_of_truth_values_are_looked_through() {
        let defs = [None, None, Some(Op::Cmp(Cond::ULt, X, C)), Some(Op::Const(0))];
        let facts = Facts { types: &[Ty::I64; 4], defs: &defs };
        assert_eq!(facts.condition(Cond::Eq, Value(2), Value(3)), (Cond::UGe, X, C));
        assert_eq!(facts.condition(Cond::Ne, Value(2), Value(3)), (Cond::ULt, X, C));
    }

    #[test]
    fn ranges_decide_comparisons() {
        let defs = [Some(Op::Zext(Width::B1, Value(2))), Some(Op::Const(256)), None];
        let facts = Facts { types: &[Ty::I64; 3], defs: &defs };
        assert_eq!(facts.known_cond(Cond::ULt, X, C), Some(true));
        assert_eq!(facts.known_cond(Cond::Eq, X, C), Some(false));
        assert_eq!(facts.known_cond(Cond::SGe, X, C), Some(false));
    }
}
