//! Members of structs, records and `args`; dereferencing.

use super::convert::convert;
use super::literal::int_literal;
use super::memory::{Member, in_space};
use super::probes::Args;
use super::suggest::did_you_mean;
use super::{Checker, Typed};
use crate::Span;
use crate::ast::{self, Name, TypeOrExpr};
use crate::hir::{Expr, ExprKind};
use crate::types::{AddrSpace, StructType, Type, U64};
use std::rc::Rc;

impl Checker<'_> {
    /// `base.name`; of a pointer, what it points to.
    pub(crate) fn field(&mut self, base: &ast::Expr, name: &Name, span: Span) -> Typed {
        if matches!(&base.kind, ast::ExprKind::Ident(word) if &**word == "args")
            && self.user_constant("args").is_none()
        {
            return self.args_field(name, span, base.span);
        }
        let base = self.expr(base)?;
        self.field_of(base, name, span)
    }

    /// The member of a value that is typed.
    pub(crate) fn field_of(&mut self, base: Expr, name: &Name, span: Span) -> Typed {
        match base.ty.clone() {
            Type::Ptr { to, .. } if matches!(*to, Type::Struct(_) | Type::Tuple(_) | Type::Ptr { .. }) => {
                let place = self.deref(base, span)?;
                self.field_of(place, name, span)
            }
            Type::Struct(s) => self.struct_field(base, &s, name, span),
            Type::Tuple(t) => {
                let Some(at) = t.fields.iter().position(|(n, _)| n.as_deref() == Some(&*name.text)) else {
                    let hint = did_you_mean(&name.text, t.fields.iter().filter_map(|(n, _)| n.clone()));
                    return self.error_hint(span, format!("this record has no field '{}'", name.text), hint);
                };
                self.tuple_field(base, at as i128, span)
            }
            ty => {
                let hint = match ty {
                    Type::Int { .. } => Some(format!("cast it first: ((struct NAME *)x).{}", name.text)),
                    _ => None,
                };
                self.error_hint(span, format!("'{ty}' has no fields, so no '{}'", name.text), hint)
            }
        }
    }

    fn struct_field(&mut self, base: Expr, s: &Rc<StructType>, name: &Name, span: Span) -> Typed {
        let Some(found) = self.member(s, &name.text, span)? else {
            return self.no_such_field(s, &name.text, span);
        };
        let space = space_of(&base).unwrap_or_else(|| self.space());
        Some(self.member_of(base, &found, space, span))
    }

    fn no_such_field(&mut self, s: &Rc<StructType>, name: &str, span: Span) -> Typed {
        let names = self.member_names(s, span);
        let hint = did_you_mean(name, names.iter().map(|n| &**n));
        let ty = Type::Struct(Rc::clone(s));
        self.error_hint(span, format!("'{ty}' has no field '{name}'"), hint)
    }

    fn member_of(&mut self, base: Expr, found: &Member, space: AddrSpace, span: Span) -> Expr {
        // A record's pointers know where they point; those of other structs point where the struct lies.
        let ty = self.resolved(&found.ty);
        if found.data_loc {
            let elem = match ty {
                Type::Array { elem, .. } => *elem,
                other => other,
            };
            let ty = Type::ptr(elem, AddrSpace::Kernel);
            return Expr { kind: ExprKind::DataLoc(found.offset), ty, span };
        }
        let ty = if space == AddrSpace::Ctx { ty } else { in_space(&ty, space) };
        let kind = ExprKind::Field { base: Box::new(base), offset: found.offset, bits: found.bits };
        Expr { kind, ty, span }
    }

    /// `*x`: the place that a pointer points to.
    pub(crate) fn deref(&mut self, e: Expr, span: Span) -> Typed {
        let e = match &e.ty {
            Type::Ptr { to, .. } if **to == Type::Void => {
                let ty = e.ty.clone();
                return self.error_hint(
                    span,
                    format!("'*' cannot read from '{ty}': what it points to is not known"),
                    Some("cast it first: *(uint64 *)x".into()),
                );
            }
            Type::Ptr { .. } => e,
            // An integer is an address of 8 bytes.
            Type::Int { .. } => self.as_pointer(e, U64),
            ty => {
                let message = format!("'*' reads where a pointer points: '{ty}' is not one");
                return self.error(span, message);
            }
        };
        let Type::Ptr { to, .. } = &e.ty else { return None };
        let ty = self.resolved(to);
        if let Type::Struct(s) = &ty
            && s.size == 0
            && self.fields_of(s, span)?.is_empty()
        {
            return self.error(span, format!("'{ty}' is only declared: its members are not known"));
        }
        Some(Expr { kind: ExprKind::Deref(Box::new(e)), ty, span })
    }

    /// `args.name`
    fn args_field(&mut self, name: &Name, span: Span, base: Span) -> Typed {
        match self.view.args.clone() {
            Args::Record(s) => {
                if name.text.starts_with("common_") {
                    return self
                        .error(span, "the kernel keeps the common_ fields of tracepoints from programs");
                }
                let record = self.record(&s, base);
                self.struct_field(record, &s, name, span)
            }
            Args::Params(params) => {
                let Some(at) = params.iter().position(|(n, _)| *n == name.text) else {
                    let hint = did_you_mean(&name.text, params.iter().map(|(n, _)| &**n));
                    return self.error_hint(
                        span,
                        format!("the function has no parameter '{}'", name.text),
                        hint,
                    );
                };
                self.param(at, &params[at].1, span)
            }
            Args::Unavailable(e) => self.error_hint(span, e.message, e.hint),
            Args::None => self.no_args(base),
        }
    }

    /// A function's parameter by its place.
    fn param(&mut self, at: usize, ty: &Type, span: Span) -> Typed {
        let ty = in_space(&self.resolved(ty), self.space());
        if at > super::builtins::LAST_ARG && self.view.ctx == crate::hir::Ctx::PtRegs {
            return self.error(span, "this parameter is passed on the stack, which cannot be read yet");
        }
        if !super::casts::is_word(&ty) {
            return self.error(span, format!("a parameter of type '{ty}' cannot be read"));
        }
        let word = Expr { kind: ExprKind::Arg(at as u8), ty: U64, span };
        Some(convert(word, ty))
    }

    /// The tracepoint's record as a place.
    fn record(&mut self, s: &Rc<StructType>, span: Span) -> Expr {
        let ty = Type::Struct(Rc::clone(s));
        let context = Expr { kind: ExprKind::Context, ty: Type::ptr(ty.clone(), AddrSpace::Ctx), span };
        Expr { kind: ExprKind::Deref(Box::new(context)), ty, span }
    }

    /// `args` by itself.
    pub(crate) fn args_whole(&mut self, span: Span) -> Typed {
        match self.view.args.clone() {
            Args::Record(s) => Some(self.record(&s, span)),
            Args::Params(params) => {
                let fields: Vec<_> =
                    params.iter().enumerate().map(|(n, (_, ty))| self.param(n, ty, span)).collect();
                let fields = fields.into_iter().collect::<Option<Vec<_>>>()?;
                let types = params
                    .iter()
                    .zip(&fields)
                    .map(|((name, _), e)| (Some(Rc::clone(name)), e.ty.clone()))
                    .collect();
                let ty = Type::Tuple(Rc::new(crate::types::TupleType { fields: types }));
                Some(Expr { kind: ExprKind::Tuple(fields), ty, span })
            }
            Args::Unavailable(e) => self.error_hint(span, e.message, e.hint),
            Args::None => self.no_args(span),
        }
    }

    fn no_args<T>(&mut self, span: Span) -> Option<T> {
        let hint = match self.view.kind {
            super::probes::Kind::Uprobe => Some("use arg0, arg1, … and cast them".to_string()),
            super::probes::Kind::Kretprobe | super::probes::Kind::Uretprobe => {
                Some("store them in a map at the function's entry, with tid as the key".into())
            }
            _ => None,
        };
        self.error_hint(span, "args exists only in tracepoint, rawtracepoint and kprobe probes", hint)
    }

    /// `offsetof(struct x, a.b)`
    pub(crate) fn offset_of(&mut self, of: &TypeOrExpr, path: &[Name], span: Span) -> Typed {
        let mut ty = self.type_of(of)?;
        let mut offset = 0;
        for name in path {
            let Type::Struct(s) = &ty else {
                return self.error(name.span, format!("'{ty}' has no field '{}'", name.text));
            };
            let s = Rc::clone(s);
            let Some(found) = self.member(&s, &name.text, span)? else {
                let names = self.member_names(&s, span);
                let hint = did_you_mean(&name.text, names.iter().map(|n| &**n));
                return self.error_hint(span, format!("'{ty}' has no field '{}'", name.text), hint);
            };
            offset += found.offset;
            ty = found.ty;
        }
        Some(int_literal(i128::from(offset), span))
    }
}

/// The address space that a place lies in, if it lies in memory.
pub(crate) fn space_of(e: &Expr) -> Option<AddrSpace> {
    match &e.kind {
        ExprKind::Deref(p) => match p.ty {
            Type::Ptr { space, .. } => Some(space),
            _ => None,
        },
        ExprKind::Field { base, .. } | ExprKind::Index { base, .. } => space_of(base),
        _ => None,
    }
}
