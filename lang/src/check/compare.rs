//! Comparisons.

use super::convert::{adapt, convert, to_int};
use super::literal::fold_literals;
use super::shape::{Conflict, Shape};
use super::{Checker, Typed};
use crate::Span;
use crate::ast::BinOp;
use crate::hir::{Expr, ExprKind};
use crate::types::{I64, Type, U64};

impl Checker<'_> {
    pub(crate) fn compare(&mut self, op: BinOp, l: Expr, r: Expr, span: Span) -> Typed {
        match (&l.ty, &r.ty) {
            (Type::ProbeName, Type::Str(_)) | (Type::Str(_), Type::ProbeName) => self.probe_as_text_here(),
            (a, b) if is_number(a) && is_number(b) => self.compare_numbers(op, l, r, span),
            (a, b) if a == b && a.is_scalar() => {
                let bits = |e: Expr| convert(e, U64);
                Some(compared(op, bits(l), bits(r), span))
            }
            _ => self.compare_memory(op, l, r, span),
        }
    }

    fn compare_numbers(&mut self, op: BinOp, l: Expr, r: Expr, span: Span) -> Typed {
        if let Some(folded) = fold_literals(op, &l, &r, span) {
            return Some(folded);
        }
        if let (Type::Bool, Type::Bool) = (&l.ty, &r.ty) {
            return Some(compared(op, l, r, span));
        }
        // A literal takes its partner's type where that holds it: then the narrow values compare.
        let (lty, rty) = (as_int(&l.ty), as_int(&r.ty));
        let (l, r) = (adapt(l, &rty), adapt(r, &lty));
        let (l, r) = (number(l), number(r));
        if l.ty == r.ty {
            return Some(compared(op, l, r, span));
        }
        let signed = l.ty.is_signed() || r.ty.is_signed();
        self.warn_mixed_signs(&l, &r);
        let ty = if signed { I64 } else { U64 };
        Some(compared(op, to_int(l, ty.clone()), to_int(r, ty), span))
    }

    fn compare_memory(&mut self, op: BinOp, l: Expr, r: Expr, span: Span) -> Typed {
        let equality = matches!(op, BinOp::Eq | BinOp::Ne);
        let comparable = match (&l.ty, &r.ty) {
            (Type::Str(_), Type::Str(_)) | (Type::Buf(_), Type::Buf(_)) => Ok(None),
            (Type::Tuple(_), Type::Tuple(_)) => {
                let mut shape = Shape::of_expr(&l);
                shape.join(&Shape::of_expr(&r)).map(|()| Some(shape.to_type()))
            }
            (a, b) if a == b && !matches!(a, Type::Void | Type::Agg(_) | Type::Timestamp { .. }) => Ok(None),
            _ => Err(Conflict::Types),
        };
        match comparable {
            Ok(_) if !equality => self.bad_operands(op, &l.ty, &r.ty, span),
            Ok(ty) => {
                let (l, r) = match ty {
                    Some(ty) => (self.coerce(l, &ty), self.coerce(r, &ty)),
                    None => (l, r),
                };
                Some(memory(op == BinOp::Ne, l, r, span))
            }
            Err(Conflict::ProbeText) => self.probe_as_text_here(),
            Err(Conflict::Types) => {
                let d = crate::Diagnostic::error(
                    span,
                    format!("'{}' cannot compare {} with {}", op.text(), l.ty, r.ty),
                );
                self.diags.push(
                    d.related(l.span, format!("left ({})", l.ty))
                        .related(r.span, format!("right ({})", r.ty)),
                );
                None
            }
        }
    }
}

fn is_number(ty: &Type) -> bool {
    ty.is_integer() || matches!(ty, Type::Ptr { .. })
}

/// The integer type that a literal beside this type takes.
fn as_int(ty: &Type) -> Type {
    match ty {
        Type::Ptr { .. } => U64,
        Type::Bool => Type::int(1, false),
        Type::Enum(e) => Type::int(e.size, e.signed),
        ty => ty.clone(),
    }
}

/// Pointers, bools and enums as the integers that they are.
fn number(e: Expr) -> Expr {
    let ty = as_int(&e.ty);
    to_int(e, ty)
}

fn compared(op: BinOp, l: Expr, r: Expr, span: Span) -> Expr {
    Expr { kind: ExprKind::Binary(op, Box::new(l), Box::new(r)), ty: Type::Bool, span }
}

fn memory(negate: bool, l: Expr, r: Expr, span: Span) -> Expr {
    let (left, right) = (Box::new(l), Box::new(r));
    Expr { kind: ExprKind::CompareMemory { negate, left, right, limit: None }, ty: Type::Bool, span }
}
