//! Constants: making them, reading their value back, computing with them.

use crate::Span;
use crate::ast::BinOp;
use crate::check::shape::literal_type;
use crate::hir::{Expr, ExprKind, Unary};
use crate::types::Type;

/// The bits of `value` as a constant of this type holds them: cut to its size, extended by its sign.
pub(crate) fn normalize(value: u64, ty: &Type) -> u64 {
    let bits = ty.size() * 8;
    if *ty == Type::Bool {
        return u64::from(value != 0);
    }
    if bits == 0 || bits >= 64 {
        return value;
    }
    let shift = 64 - bits;
    if ty.is_signed() { (((value << shift) as i64) >> shift) as u64 } else { (value << shift) >> shift }
}

/// An integer literal of the smallest type that holds it.
pub(crate) fn int_literal(value: i128, span: Span) -> Expr {
    Expr { kind: ExprKind::Const(value as u64), ty: literal_type(value, value), span }
}

/// A constant of a given type.
pub(crate) fn constant(value: u64, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Const(normalize(value, &ty)), ty, span }
}

/// A text constant; its type has room for a NUL.
pub(crate) fn text(bytes: &[u8], span: Span) -> Expr {
    Expr { kind: ExprKind::Text(bytes.into()), ty: Type::Str(bytes.len() as u32 + 1), span }
}

/// A bool constant.
pub(crate) fn boolean(value: bool, span: Span) -> Expr {
    constant(u64::from(value), Type::Bool, span)
}

/// Is it an integer literal, which takes the type of what it meets?
pub(crate) fn is_literal(e: &Expr) -> bool {
    matches!((&e.kind, &e.ty), (ExprKind::Const(_), Type::Int { .. }))
}

/// The value of a constant of this type.
fn value_of(bits: u64, ty: &Type) -> i128 {
    if ty.is_signed() { i128::from(bits as i64) } else { i128::from(bits) }
}

/// The value of an expression that is known when the script is compiled.
pub(crate) fn const_value(e: &Expr) -> Option<i128> {
    match &e.kind {
        ExprKind::Const(bits) => Some(value_of(*bits, &e.ty)),
        ExprKind::Convert(inner) => {
            let value = const_value(inner)?;
            if e.ty == Type::Bool {
                return Some(i128::from(value != 0));
            }
            Some(value_of(normalize(value as u64, &e.ty), &e.ty))
        }
        ExprKind::Unary(op, inner) => {
            let value = const_value(inner)?;
            Some(match op {
                Unary::Neg => value_of(normalize(value.wrapping_neg() as u64, &e.ty), &e.ty),
                Unary::BitNot => value_of(normalize(!value as u64, &e.ty), &e.ty),
                Unary::Not => i128::from(value == 0),
            })
        }
        ExprKind::Binary(op, l, r) => {
            let value = fold(*op, const_value(l)?, const_value(r)?)?;
            Some(value_of(normalize(value as u64, &e.ty), &e.ty))
        }
        ExprKind::Logical { and, left, right } => {
            let left = const_value(left)? != 0;
            if left != *and {
                return Some(i128::from(left));
            }
            const_value(right).map(|v| i128::from(v != 0))
        }
        ExprKind::Ternary(c, a, b) => const_value(if const_value(c)? != 0 { a } else { b }),
        ExprKind::Block(stmts, value) if stmts.is_empty() => const_value(value),
        _ => None,
    }
}

/// Computes with exact values; `None` for a division by zero or a shift that has no value.
pub(crate) fn fold(op: BinOp, a: i128, b: i128) -> Option<i128> {
    let truth = |v: bool| Some(i128::from(v));
    match op {
        BinOp::Add => a.checked_add(b),
        BinOp::Sub => a.checked_sub(b),
        BinOp::Mul => a.checked_mul(b),
        BinOp::Div => a.checked_div(b),
        BinOp::Rem => a.checked_rem(b),
        BinOp::And => Some(a & b),
        BinOp::Or => Some(a | b),
        BinOp::Xor => Some(a ^ b),
        BinOp::Shl => Some(i128::from((a as u64).wrapping_shl((b as u32) & 63) as i64)),
        BinOp::Shr => Some(a >> ((b as u32) & 63)),
        BinOp::Eq => truth(a == b),
        BinOp::Ne => truth(a != b),
        BinOp::Lt => truth(a < b),
        BinOp::Le => truth(a <= b),
        BinOp::Gt => truth(a > b),
        BinOp::Ge => truth(a >= b),
        BinOp::LogAnd => truth(a != 0 && b != 0),
        BinOp::LogOr => truth(a != 0 || b != 0),
    }
}

/// Folds an operation on two literals to a literal, where the exact result fits 64 bits.
///
/// Results above int64 stay where the language computes with uint64: literals above int64 are unsigned.
pub(crate) fn fold_literals(op: BinOp, a: &Expr, b: &Expr, span: Span) -> Option<Expr> {
    if !is_literal(a) || !is_literal(b) {
        return None;
    }
    let value = fold(op, const_value(a)?, const_value(b)?)?;
    if op.is_comparison() {
        return Some(boolean(value != 0, span));
    }
    let in_range = value >= i128::from(i64::MIN) && value <= i128::from(u64::MAX);
    in_range.then(|| int_literal(value, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_cut_and_extended_by_their_type() {
        assert_eq!(normalize(300, &Type::int(1, false)), 44);
        assert_eq!(normalize(255, &Type::int(1, true)), u64::MAX);
        assert_eq!(normalize(2, &Type::Bool), 1);
    }

    #[test]
    fn folding_is_exact() {
        assert_eq!(fold(BinOp::Div, -7, 2), Some(-3));
        assert_eq!(fold(BinOp::Rem, -7, 2), Some(-1));
        assert_eq!(fold(BinOp::Div, 1, 0), None);
        assert_eq!(fold(BinOp::Shr, -8, 1), Some(-4));
    }

    #[test]
    fn casts_of_constants_have_a_value() {
        let cast = Expr {
            kind: ExprKind::Convert(Box::new(int_literal(-1, Span::default()))),
            ty: Type::int(2, false),
            span: Span::default(),
        };
        assert_eq!(const_value(&cast), Some(65535));
    }
}
