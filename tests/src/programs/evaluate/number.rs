//! Integers: values are the mathematical ones; a type is the range that they are wrapped into.

use crate::programs::ast::{BinOp, CmpOp, I64, Int, U64};

/// A number as a value of a type: the low bits, read with or without sign.
pub(super) fn wrap(n: i128, ty: Int) -> i128 {
    let low = n & ((1 << ty.bits) - 1);
    if ty.signed && low >> (ty.bits - 1) != 0 { low - (1 << ty.bits) } else { low }
}

/// Arithmetic on 64 bits. A divisor that is zero gives 1; a count of bits counts modulo 64.
pub(super) fn arithmetic(op: BinOp, a: i128, b: i128, signed: bool) -> i128 {
    let ty = if signed { I64 } else { U64 };
    let (a, b) = (wrap(a, ty), wrap(b, ty));
    let result = match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Div | BinOp::Rem if b == 0 => 1,
        BinOp::Div => a / b,
        BinOp::Rem => a % b,
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Shl => a << (b & 63),
        BinOp::Shr => a >> (b & 63),
    };
    wrap(result, ty)
}

/// A comparison of values: unsigned only when both sides are.
pub(super) fn compare(op: CmpOp, a: i128, b: i128, unsigned: bool) -> bool {
    let ty = if unsigned { U64 } else { I64 };
    let (a, b) = (wrap(a, ty), wrap(b, ty));
    match op {
        CmpOp::Eq => a == b,
        CmpOp::Ne => a != b,
        CmpOp::Lt => a < b,
        CmpOp::Le => a <= b,
        CmpOp::Gt => a > b,
        CmpOp::Ge => a >= b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_as_documented() {
        assert_eq!(wrap(200, Int { bits: 8, signed: true }), -56);
        assert_eq!(wrap(-1, Int { bits: 32, signed: false }), 4_294_967_295);
        assert_eq!(arithmetic(BinOp::Div, -7, 2, true), -3);
        assert_eq!(arithmetic(BinOp::Rem, -7, 2, true), -1);
        assert_eq!(arithmetic(BinOp::Div, i128::from(i64::MIN), -1, true), i128::from(i64::MIN));
        assert_eq!(arithmetic(BinOp::Mul, u64::MAX.into(), u64::MAX.into(), false), 1);
        assert_eq!(arithmetic(BinOp::Shr, -16, 66, true), -4);
        assert_eq!(arithmetic(BinOp::Rem, 7, 0, false), 1);
        assert!(!compare(CmpOp::Eq, 255, -1, false));
    }
}
