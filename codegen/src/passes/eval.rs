//! What operations give on constants: the machine's own results, division by zero included.

use super::util::normal;
use crate::ir::*;

/// Result of arithmetic in a type.
pub fn alu(op: Alu, ty: Ty, a: i64, b: i64) -> i64 {
    if ty == Ty::I32 { i64::from(alu32(op, a as u32, b as u32)) } else { alu64(op, a, b) }
}

fn alu64(op: Alu, a: i64, b: i64) -> i64 {
    let (x, y) = (a as u64, b as u64);
    let count = (b & 63) as u32;
    match op {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::UDiv => x.checked_div(y).unwrap_or(0) as i64,
        Alu::URem => x.checked_rem(y).unwrap_or(x) as i64,
        Alu::SDiv if b == 0 => 0,
        Alu::SDiv => a.wrapping_div(b),
        Alu::SRem if b == 0 => a,
        Alu::SRem => a.wrapping_rem(b),
        Alu::And => a & b,
        Alu::Or => a | b,
        Alu::Xor => a ^ b,
        Alu::Shl => a << count,
        Alu::LShr => (x >> count) as i64,
        Alu::AShr => a >> count,
        Alu::UMin => x.min(y) as i64,
    }
}

fn alu32(op: Alu, a: u32, b: u32) -> u32 {
    let (x, y) = (a as i32, b as i32);
    let count = b & 31;
    match op {
        Alu::Shl => a << count,
        Alu::LShr => a >> count,
        Alu::AShr => (x >> count) as u32,
        // Sign-extended operands give the 32-bit result in the low half; an overflow wraps there.
        Alu::SDiv | Alu::SRem => alu64(op, x.into(), y.into()) as u32,
        _ => alu64(op, a.into(), b.into()) as u32,
    }
}

/// Does the comparison hold, for operands of a type?
pub fn cond(c: Cond, ty: Ty, a: i64, b: i64) -> bool {
    let (a, b) = if ty == Ty::I32 { (a as i32 as i64, b as i32 as i64) } else { (a, b) };
    let (x, y) = (a as u64, b as u64);
    match c {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::ULt => x < y,
        Cond::ULe => x <= y,
        Cond::UGt => x > y,
        Cond::UGe => x >= y,
        Cond::SLt => a < b,
        Cond::SLe => a <= b,
        Cond::SGt => a > b,
        Cond::SGe => a >= b,
        Cond::Set => a & b != 0,
    }
}

/// The low bits of `v`, extended by their sign into a type.
pub fn sext(width: Width, ty: Ty, v: i64) -> i64 {
    let shift = 64 - width.bytes() * 8;
    normal(ty, v << shift >> shift)
}

/// The low bits of `v`.
pub fn zext(width: Width, v: i64) -> i64 {
    let shift = 64 - width.bytes() * 8;
    ((v as u64) << shift >> shift) as i64
}

/// The low bytes of `v` reversed.
pub fn bswap(width: Width, v: i64) -> i64 {
    ((v as u64).swap_bytes() >> (64 - width.bytes() * 8)) as i64
}
