//! Operators on numbers and pointers.

use super::convert::{adapt, convert, to_64, to_int};
use super::literal::{const_value, fold_literals, int_literal, is_literal};
use super::{Checker, Typed};
use crate::Span;
use crate::ast::{self, BinOp, UnOp};
use crate::hir::{Expr, ExprKind, Unary};
use crate::types::{I64, Type, U64};

impl Checker<'_> {
    pub(crate) fn unary(&mut self, op: UnOp, inner: &ast::Expr, span: Span) -> Typed {
        match op {
            UnOp::AddrOf => self.address_of(inner, span),
            UnOp::Deref => {
                let inner = self.expr(inner)?;
                self.deref(inner, span)
            }
            UnOp::Not => {
                let inner = self.condition(inner)?;
                if let ExprKind::Const(v) = inner.kind {
                    return Some(super::literal::boolean(v == 0, span));
                }
                Some(Expr { kind: ExprKind::Unary(Unary::Not, Box::new(inner)), ty: Type::Bool, span })
            }
            UnOp::Neg => self.negate(Unary::Neg, "-", inner, span),
            UnOp::BitNot => self.negate(Unary::BitNot, "~", inner, span),
        }
    }

    fn negate(&mut self, op: Unary, text: &str, inner: &ast::Expr, span: Span) -> Typed {
        let inner = self.value(inner)?;
        if !inner.ty.is_integer() {
            return self.error(span, format!("'{text}' does not work on {}", inner.ty));
        }
        if let (true, Some(v)) = (is_literal(&inner), const_value(&inner)) {
            let value = match op {
                Unary::Neg => -v,
                // A literal above int64 is unsigned, and so is its complement.
                _ if v > i128::from(i64::MAX) => i128::from(!(v as u64)),
                _ => !v,
            };
            if value < i128::from(i64::MIN) {
                return self.error(span, "the result is below the smallest int64");
            }
            return Some(int_literal(value, span));
        }
        // Negative numbers need a sign; `~` of an unsigned value stays unsigned.
        let ty = if op == Unary::BitNot && !inner.ty.is_signed() { U64 } else { I64 };
        let inner = to_int(inner, ty.clone());
        Some(Expr { kind: ExprKind::Unary(op, Box::new(inner)), ty, span })
    }

    /// An operation on two typed operands.
    pub(crate) fn binary(&mut self, op: BinOp, l: Expr, r: Expr, span: Span) -> Typed {
        if matches!(op, BinOp::LogAnd | BinOp::LogOr) {
            return self.logical(op == BinOp::LogAnd, l, r, span);
        }
        if op.is_comparison() {
            return self.compare(op, l, r, span);
        }
        if matches!(l.ty, Type::Ptr { .. }) || matches!(r.ty, Type::Ptr { .. }) {
            return self.pointer_arithmetic(op, l, r, span);
        }
        if !l.ty.is_integer() || !r.ty.is_integer() {
            return self.bad_operands(op, &l.ty, &r.ty, span);
        }
        self.arithmetic(op, l, r, span)
    }

    pub(crate) fn bad_operands(&mut self, op: BinOp, l: &Type, r: &Type, span: Span) -> Typed {
        let texts = matches!(l, Type::Str(_)) || matches!(r, Type::Str(_));
        let hint = match op {
            BinOp::Add if texts => Some("printf(\"%s%s\", a, b) prints texts one after another"),
            _ if texts && op.is_comparison() => Some("texts compare with == and != only"),
            _ => None,
        };
        self.error_hint(
            span,
            format!("'{}' does not work on {l} and {r}", op.text()),
            hint.map(str::to_string),
        )
    }

    fn logical(&mut self, and: bool, l: Expr, r: Expr, span: Span) -> Typed {
        let (l, r) = (self.truth(l), self.truth(r));
        let (left, right) = (Box::new(l?), Box::new(r?));
        Some(Expr { kind: ExprKind::Logical { and, left, right }, ty: Type::Bool, span })
    }

    fn arithmetic(&mut self, op: BinOp, l: Expr, r: Expr, span: Span) -> Typed {
        if matches!(op, BinOp::Div | BinOp::Rem) && const_value(&r) == Some(0) {
            return self.error(span, format!("division by zero: the right side of {} is 0", op.text()));
        }
        if matches!(op, BinOp::Shl | BinOp::Shr)
            && let Some(n) = const_value(&r).filter(|n| !(0..64).contains(n))
        {
            return self.error(r.span, format!("a number of 64 bits is shifted by 0 to 63 bits, not {n}"));
        }
        if let Some(folded) = fold_literals(op, &l, &r, span) {
            return Some(folded);
        }
        if is_literal(&l) && is_literal(&r) {
            return self.error(span, "the result does not fit 64 bits");
        }
        // A literal takes the sign of its partner where that can hold it.
        let signed = match (is_literal(&l), is_literal(&r)) {
            (true, _) => r.ty.is_signed() || const_value(&l) < Some(0),
            (_, true) => l.ty.is_signed() || const_value(&r) < Some(0),
            _ => l.ty.is_signed() || r.ty.is_signed(),
        };
        if matches!(op, BinOp::Shl | BinOp::Shr) {
            return self.shift(op, l, r, signed, span);
        }
        if signed && op != BinOp::Sub {
            self.warn_mixed_signs(&l, &r);
        }
        let ty = if signed || op == BinOp::Sub { I64 } else { U64 };
        let (l, r) = (widen(l, &ty), widen(r, &ty));
        Some(Expr { kind: ExprKind::Binary(op, Box::new(l), Box::new(r)), ty, span })
    }

    /// uint64 becomes int64 beside a signed operand: large values turn negative.
    pub(crate) fn warn_mixed_signs(&mut self, l: &Expr, r: &Expr) {
        for (e, other) in [(l, r), (r, l)] {
            if other.ty.is_signed() {
                self.warn_sign_change(e, &I64);
            }
        }
    }

    /// Warns where a uint64 whose value is not known goes into an int64.
    pub(crate) fn warn_sign_change(&mut self, e: &Expr, to: &Type) {
        if e.ty == U64 && *to == I64 && const_value(e).is_none() {
            self.warn(e.span, changes_type(&e.ty, to));
        }
    }

    /// `>>` copies the sign of its left side; the result's sign is that of any arithmetic.
    fn shift(&mut self, op: BinOp, l: Expr, r: Expr, signed: bool, span: Span) -> Typed {
        let l = if is_literal(&l) { to_int(l, if signed { I64 } else { U64 }) } else { to_64(l) };
        let r = to_int(r, U64);
        let ty = l.ty.clone();
        let shifted = Expr { kind: ExprKind::Binary(op, Box::new(l), Box::new(r)), ty, span };
        Some(convert(shifted, if signed { I64 } else { U64 }))
    }

    fn pointer_arithmetic(&mut self, op: BinOp, l: Expr, r: Expr, span: Span) -> Typed {
        match (op, &l.ty, &r.ty) {
            (BinOp::Add, Type::Ptr { .. }, ty) if ty.is_integer() => self.pointer_add(l, r, false, span),
            (BinOp::Add, ty, Type::Ptr { .. }) if ty.is_integer() => self.pointer_add(r, l, false, span),
            (BinOp::Sub, Type::Ptr { .. }, ty) if ty.is_integer() => self.pointer_add(l, r, true, span),
            (BinOp::Sub, Type::Ptr { to: a, .. }, Type::Ptr { to: b, .. })
                if super::shape::same_target(a, b) =>
            {
                let scale = self.target_size(a, span)?;
                let (left, right) = (Box::new(l), Box::new(r));
                Some(Expr { kind: ExprKind::PtrDiff { left, right, scale }, ty: I64, span })
            }
            (_, l, r) => {
                let (l, r) = (l.clone(), r.clone());
                self.error_hint(
                    span,
                    format!("'{}' does not work on {l} and {r}", op.text()),
                    Some("cast the pointer to uint64 to compute with its address".into()),
                )
            }
        }
    }

    /// `pointer ± integer`, in elements.
    pub(crate) fn pointer_add(&mut self, ptr: Expr, index: Expr, negative: bool, span: Span) -> Typed {
        let Type::Ptr { to, .. } = &ptr.ty else { return None };
        let scale = self.target_size(to, span)?;
        let mut index = to_int(index, I64);
        if negative {
            index = match const_value(&index) {
                Some(v) if matches!(index.kind, ExprKind::Const(_)) => {
                    super::literal::constant(v.wrapping_neg() as u64, I64, index.span)
                }
                _ => Expr { span: index.span, ty: I64, kind: ExprKind::Unary(Unary::Neg, Box::new(index)) },
            };
        }
        let ty = ptr.ty.as_address();
        Some(Expr { kind: ExprKind::PtrAdd { ptr: Box::new(ptr), index: Box::new(index), scale }, ty, span })
    }

    /// Bytes of one element behind a pointer; of `void *` one byte.
    pub(crate) fn target_size(&mut self, to: &Type, span: Span) -> Option<u32> {
        match to {
            Type::Void => Some(1),
            Type::Struct(s) if s.size == 0 => {
                // What is only declared has no size; an empty struct is as useless.
                self.error(span, format!("'{to}' is only declared: its size is not known"))
            }
            to => Some(to.size()),
        }
    }
}

/// The warning that a value may not survive a conversion that nobody wrote.
pub(crate) fn changes_type(from: &Type, to: &Type) -> String {
    format!("a {from} becomes {to} here, which may change its value: cast it to {to} if that is meant")
}

/// To 64 bits: by the operand's own sign, then as the operation's type.
fn widen(e: Expr, ty: &Type) -> Expr {
    let e = adapt(e, ty);
    if is_literal(&e) { to_int(e, ty.clone()) } else { convert(e, ty.clone()) }
}
