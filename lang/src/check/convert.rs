//! Implicit conversions: to a place's type, to a truth value, of char arrays to texts.

use super::literal::{constant, is_literal, normalize};
use super::{Checker, Typed};
use crate::ast;
use crate::context::Location;
use crate::hir::{Expr, ExprKind, Stmt, StmtKind};
use crate::types::{I64, TupleType, Type, U64};

/// An expression with another type, converted by `Convert`.
pub(crate) fn convert(e: Expr, ty: Type) -> Expr {
    if e.ty == ty {
        return e;
    }
    let span = e.span;
    Expr { kind: ExprKind::Convert(Box::new(e)), ty, span }
}

/// Is it an array of chars, which counts as a text where a value is wanted?
pub(crate) fn is_char_array(ty: &Type) -> bool {
    matches!(ty, Type::Array { elem, len } if *len > 0 && **elem == Type::int(1, true))
}

/// Char arrays that lie in memory become texts of the same size. What was cast to int8[] stays one.
pub(crate) fn decay(e: Expr) -> Expr {
    let in_memory = matches!(
        e.kind,
        ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Deref(_)
            | ExprKind::At(Location::Field(_))
    );
    if in_memory && is_char_array(&e.ty) { as_text(e) } else { e }
}

/// The bytes of an array as a text.
pub(crate) fn as_text(e: Expr) -> Expr {
    let Type::Array { len, .. } = e.ty else { return e };
    let span = e.span;
    Expr { kind: ExprKind::Reinterpret(Box::new(e)), ty: Type::Str(len), span }
}

/// An integer as 64 bits, by its own sign; literals too.
pub(crate) fn to_64(e: Expr) -> Expr {
    let ty = if e.ty.is_signed() { I64 } else { U64 };
    to_int(e, ty)
}

/// An integer as an integer of another type.
pub(crate) fn to_int(e: Expr, ty: Type) -> Expr {
    match e.kind {
        ExprKind::Const(bits) if e.ty != ty => constant(bits, ty, e.span),
        _ => convert(e, ty),
    }
}

impl Checker<'_> {
    /// Types an expression whose value is used: char arrays become texts.
    pub(crate) fn value(&mut self, e: &ast::Expr) -> Typed {
        let e = self.expr(e)?;
        if let Type::Void = e.ty {
            return self.error(e.span, "this has no value");
        }
        Some(decay(e))
    }

    /// A condition: a bool.
    pub(crate) fn condition(&mut self, e: &ast::Expr) -> Typed {
        let value = self.value(e)?;
        // `(x = 1)` is a record of one field.
        if let ast::ExprKind::Tuple(items) = &e.kind
            && let [(Some(_), _)] = items.as_slice()
        {
            let message = "a record (NAME = VALUE) is no condition";
            return self.error_hint(e.span, message, Some("to compare, write ==".into()));
        }
        self.truth(value)
    }

    /// `x != 0`
    pub(crate) fn truth(&mut self, e: Expr) -> Typed {
        match &e.ty {
            Type::Bool => Some(e),
            Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. } => {
                if let ExprKind::Const(bits) = e.kind {
                    return Some(super::literal::boolean(bits != 0, e.span));
                }
                Some(convert(e, Type::Bool))
            }
            ty => {
                let hint = match ty {
                    Type::Str(_) => Some("compare the text: TEXT != \"\"".to_string()),
                    Type::Tuple(_) | Type::Array { .. } | Type::Struct(_) => {
                        Some("compare one of its fields or elements".into())
                    }
                    _ => None,
                };
                self.error_hint(
                    e.span,
                    format!("{ty} cannot be a condition: it is neither true nor false"),
                    hint,
                )
            }
        }
    }

    /// To a type that the checker found by joining: what differs is only width.
    pub(crate) fn coerce(&mut self, e: Expr, ty: &Type) -> Expr {
        if e.ty == *ty {
            return e;
        }
        let span = e.span;
        match (e.kind, &e.ty, ty) {
            (ExprKind::Const(bits), _, Type::Int { .. }) => constant(bits, ty.clone(), span),
            (ExprKind::Text(t), Type::Str(_), Type::Str(_)) => {
                Expr { kind: ExprKind::Text(t), ty: ty.clone(), span }
            }
            (ExprKind::Tuple(fields), Type::Tuple(from), Type::Tuple(to)) => {
                self.coerce_tuple(fields, from, to, span)
            }
            (kind, Type::Tuple(from), Type::Tuple(to)) if !same_names(from, to) => {
                let whole = Expr { kind, ty: e.ty.clone(), span };
                let fields = (0..from.fields.len() as u32)
                    .map(|n| Expr {
                        kind: ExprKind::TupleField(Box::new(whole.clone()), n),
                        ty: from.fields[n as usize].1.clone(),
                        span,
                    })
                    .collect();
                self.coerce_tuple(fields, from, to, span)
            }
            (kind, from, Type::Str(_) | Type::Buf(_) | Type::Tuple(_)) => {
                let inner = Expr { kind, ty: from.clone(), span };
                Expr { kind: ExprKind::Widen(Box::new(inner)), ty: ty.clone(), span }
            }
            (kind, from, _) => convert(Expr { kind, ty: from.clone(), span }, ty.clone()),
        }
    }

    /// Field by field; records by name, whatever their order. Fields are evaluated as they are written.
    fn coerce_tuple(
        &mut self,
        fields: Vec<Expr>,
        from: &TupleType,
        to: &TupleType,
        span: crate::Span,
    ) -> Expr {
        let (before, fields) = if same_names(from, to) { (vec![], fields) } else { self.in_order(fields) };
        let mut rest: Vec<(Option<_>, Expr)> =
            from.fields.iter().map(|(n, _)| n.clone()).zip(fields).collect();
        let mut out = vec![];
        for (name, ty) in &to.fields {
            let at = rest.iter().position(|(n, _)| n == name).unwrap_or(0);
            if at < rest.len() {
                let (_, field) = rest.remove(at);
                out.push(self.coerce(field, ty));
            }
        }
        let ty = Type::Tuple(TupleType { fields: to.fields.clone() }.into());
        let tuple = Expr { kind: ExprKind::Tuple(out), ty: ty.clone(), span };
        if before.is_empty() {
            return tuple;
        }
        Expr { kind: ExprKind::Block(before, Box::new(tuple)), ty, span }
    }

    /// Fields whose order of evaluation can be seen go through variables.
    fn in_order(&mut self, fields: Vec<Expr>) -> (Vec<Stmt>, Vec<Expr>) {
        let mut before = vec![];
        let mut through = |c: &mut Self, e: Expr| {
            if matches!(e.kind, ExprKind::Const(_) | ExprKind::Text(_) | ExprKind::Local(_)) {
                return e;
            }
            let (ty, span) = (e.ty.clone(), e.span);
            let local = c.temporary("field", ty.clone(), span);
            before.push(Stmt { kind: StmtKind::AssignLocal(local, e), span });
            Expr { kind: ExprKind::Local(local), ty, span }
        };
        let fields = fields.into_iter().map(|e| through(self, e)).collect();
        (before, fields)
    }

    /// An integer argument, as its own type.
    pub(crate) fn int_value(&mut self, e: &ast::Expr, what: &str) -> Typed {
        let e = self.value(e)?;
        match e.ty {
            Type::Int { .. } | Type::Enum(_) | Type::Bool => Some(e),
            ref ty => self.error(e.span, format!("{what} takes an integer, not {ty}")),
        }
    }

    /// An integer that is known when the script is compiled.
    pub(crate) fn const_int(&mut self, e: &ast::Expr, what: &str) -> Option<i128> {
        super::literal::const_value(&self.constant_value(e, what)?)
    }

    /// The same, with its type.
    pub(crate) fn constant_value(&mut self, e: &ast::Expr, what: &str) -> Typed {
        let typed = self.value(e)?;
        match super::literal::const_value(&typed) {
            Some(_) => Some(typed),
            None => self.error(
                e.span,
                format!("{what} must be a constant: its value is needed when the script is compiled"),
            ),
        }
    }
}

fn same_names(a: &TupleType, b: &TupleType) -> bool {
    a.fields.iter().map(|f| &f.0).eq(b.fields.iter().map(|f| &f.0))
}

/// A literal takes the type of its partner where that holds it.
pub(crate) fn adapt(e: Expr, partner: &Type) -> Expr {
    if let (true, Type::Int { size, signed }, ExprKind::Const(bits)) = (is_literal(&e), partner, &e.kind) {
        let value = super::literal::const_value(&e).unwrap_or_default();
        if super::shape::int_holds(*size, *signed, value) {
            return Expr {
                kind: ExprKind::Const(normalize(*bits, partner)),
                ty: partner.clone(),
                span: e.span,
            };
        }
    }
    e
}
