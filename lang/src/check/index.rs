//! `x[i]` of arrays, pointers, texts and tuples; `x.0`.

use super::convert::to_int;
use super::literal::const_value;
use super::{Checker, Typed};
use crate::Span;
use crate::ast;
use crate::hir::{Expr, ExprKind};
use crate::types::{I64, Type};

impl Checker<'_> {
    pub(crate) fn index(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> Typed {
        let (base, index) = (self.expr(base), self.value(index));
        let (base, index) = (base?, index?);
        if !index.ty.is_integer() {
            return self.error(index.span, format!("an index is an integer, not '{}'", index.ty));
        }
        match base.ty.clone() {
            Type::Array { elem, len } => self.array_element(base, &elem, len, index, span),
            Type::Str(n) => {
                let ty = Type::Array { elem: Box::new(Type::int(1, true)), len: n };
                let elem = Type::int(1, true);
                let bytes = Expr { span: base.span, ty, kind: ExprKind::Reinterpret(Box::new(base)) };
                self.array_element(bytes, &elem, n, index, span)
            }
            Type::Ptr { to, .. } => {
                if *to == Type::Void {
                    return self.error_hint(
                        span,
                        "'void *' has no elements: what it points to has no size",
                        Some("cast it first: ((uint8 *)x)[n]".into()),
                    );
                }
                let at = if const_value(&index) == Some(0) {
                    base
                } else {
                    self.pointer_add(base, index, false, span)?
                };
                self.deref(at, span)
            }
            Type::Tuple(_) => match const_value(&index) {
                Some(n) => self.tuple_field(base, n, span),
                None => {
                    self.error(index.span, "the index of a tuple is a constant, as its fields differ in type")
                }
            },
            ty => self.error(span, format!("{ty} has no elements: arrays, pointers, texts and tuples have")),
        }
    }

    fn array_element(&mut self, base: Expr, elem: &Type, len: u32, index: Expr, span: Span) -> Typed {
        if let Some(n) = const_value(&index) {
            // Of a flexible array the length is not known.
            if n < 0 || (len > 0 && n >= i128::from(len)) {
                return self
                    .error(span, format!("there is no element {n}: the array has {len}, counted from 0"));
            }
        }
        let space = super::fields::space_of(&base);
        let elem = self.resolved(elem);
        let ty = match space {
            Some(space) if space != crate::types::AddrSpace::Ctx => elem.in_space(space),
            _ => elem,
        };
        let kind = ExprKind::Index { base: Box::new(base), index: Box::new(to_int(index, I64)) };
        Some(Expr { kind, ty, span })
    }

    pub(crate) fn tuple_field(&mut self, base: Expr, n: i128, span: Span) -> Typed {
        let Type::Tuple(t) = &base.ty else {
            let message = format!("'{}' is not a tuple, so it has no field {n}", base.ty);
            return self.error(span, message);
        };
        let at = usize::try_from(n).ok().filter(|&n| n < t.fields.len());
        let Some(at) = at else {
            let message = format!("there is no field {n}: the tuple has {}, counted from 0", t.fields.len());
            return self.error(span, message);
        };
        let ty = t.fields[at].1.clone();
        Some(Expr { kind: ExprKind::TupleField(Box::new(base), at as u32), ty: ty.as_address(), span })
    }
}
