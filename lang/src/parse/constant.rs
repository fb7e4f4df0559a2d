//! Integer constants that must be known while parsing: `#if` conditions and widths of bit fields.

use super::Builder;
use crate::ast::{BinOp, Expr, ExprKind, UnOp};

/// The value of an integer expression, names looked up by `lookup`.
pub(super) fn evaluate(text: &str, lookup: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
    fold(&Builder::constant(text)?, lookup)
}

/// The value of a parsed integer expression.
pub(super) fn fold(e: &Expr, lookup: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
    match &e.kind {
        ExprKind::Int(v) => Some(*v as i64),
        ExprKind::Bool(b) => Some(i64::from(*b)),
        ExprKind::Ident(name) => lookup(name),
        ExprKind::Unary(op, x) => {
            let x = fold(x, lookup)?;
            match op {
                UnOp::Neg => Some(x.wrapping_neg()),
                UnOp::BitNot => Some(!x),
                UnOp::Not => Some(i64::from(x == 0)),
                UnOp::Deref | UnOp::AddrOf => None,
            }
        }
        ExprKind::Binary(op, a, b) => binary(*op, fold(a, lookup)?, fold(b, lookup)?),
        ExprKind::Ternary(c, a, b) => fold(if fold(c, lookup)? != 0 { a } else { b }, lookup),
        _ => None,
    }
}

fn binary(op: BinOp, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Div => a.checked_div(b)?,
        BinOp::Rem => a.checked_rem(b)?,
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Shl => a.wrapping_shl(b as u32),
        BinOp::Shr => a.wrapping_shr(b as u32),
        BinOp::Eq => i64::from(a == b),
        BinOp::Ne => i64::from(a != b),
        BinOp::Lt => i64::from(a < b),
        BinOp::Le => i64::from(a <= b),
        BinOp::Gt => i64::from(a > b),
        BinOp::Ge => i64::from(a >= b),
        BinOp::LogAnd => i64::from(a != 0 && b != 0),
        BinOp::LogOr => i64::from(a != 0 || b != 0),
    })
}
