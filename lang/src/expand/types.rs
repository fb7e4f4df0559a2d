//! Types in macros: a parameter may stand for a type, passed as `typeof(T)`.

use super::Expander;
use crate::Span;
use crate::ast::{Expr, ExprKind, Name, TypeExpr, TypeExprKind, TypeOrExpr};
use std::rc::Rc;

impl Expander<'_> {
    fn param(&self, name: &Rc<str>) -> Option<&Expr> {
        self.frame.as_ref()?.exprs.get(name)
    }

    /// A type: its base may be a parameter, its array sizes may be `#define` names.
    pub(super) fn type_expr(&mut self, ty: &mut TypeExpr) {
        let span = ty.span;
        match &mut ty.kind {
            TypeExprKind::Ptr(of) => self.type_expr(of),
            TypeExprKind::Array(of, size) => {
                self.type_expr(of);
                if let Some(size) = size {
                    self.expr(size);
                }
            }
            TypeExprKind::Tuple(parts) => parts.iter_mut().for_each(|p| self.type_expr(p)),
            TypeExprKind::Typeof(of) => self.type_or_expr(of),
            TypeExprKind::Named(name) => {
                let Some(arg) = self.param(name) else { return };
                match type_of_argument(arg) {
                    Some(kind) => ty.kind = kind,
                    None => {
                        let name = name.clone();
                        self.invalid(&name, span);
                    }
                }
            }
            TypeExprKind::Struct(name) | TypeExprKind::Union(name) | TypeExprKind::Enum(name) => {
                let Some(arg) = self.param(name) else { return };
                match type_of_argument(arg) {
                    Some(TypeExprKind::Named(new)) => *name = new,
                    _ => {
                        let name = name.clone();
                        self.invalid(&name, span);
                    }
                }
            }
        }
    }

    fn invalid(&mut self, name: &str, span: Span) {
        let of = self.stack.last().map_or("", |m| &*m.name.text).to_string();
        let arg = self.frame.as_ref().and_then(|f| f.exprs.get(name)).map_or(span, |e| e.span);
        let message = format!("macro '{of}' needs a type for '{name}', such as typeof(uint64)");
        self.diags.push(crate::Diagnostic::error(arg, message).related(span, "it is used as a type here"));
    }

    /// The argument of `sizeof`, `offsetof`, `typeof`: a bare word is a type unless it is a parameter
    /// or a `#define`.
    pub(super) fn type_or_expr(&mut self, of: &mut TypeOrExpr) {
        let ty = match of {
            TypeOrExpr::Expr(e) => return self.expr(e),
            TypeOrExpr::Type(ty) => ty,
        };
        if let TypeExprKind::Named(name) = &ty.kind {
            let (name, span) = (name.clone(), ty.span);
            if let Some(arg) = self.param(&name).cloned() {
                *of = match arg.kind {
                    ExprKind::TypeArg(ty) => TypeOrExpr::Type(ty),
                    ExprKind::Ident(word) => {
                        TypeOrExpr::Type(TypeExpr { kind: TypeExprKind::Named(word), span: arg.span })
                    }
                    kind => TypeOrExpr::Expr(Expr { kind, span: arg.span }),
                };
                return;
            }
            if self.is_value(&name) {
                if let Some(value) = self.define(&name, span) {
                    *of = TypeOrExpr::Expr(value);
                }
                return;
            }
        }
        self.type_expr(ty);
    }

    fn is_value(&self, name: &str) -> bool {
        self.defines.get(name).is_some_and(|d| d.value.is_some())
    }

    /// The path of `offsetof`: a parameter may stand for all of it.
    pub(super) fn fields(&mut self, fields: &mut Vec<Name>) {
        let [only] = fields.as_slice() else { return };
        let Some(arg) = self.param(&only.text) else { return };
        let (span, path) = (arg.span, field_path(arg));
        match path {
            Some(path) => *fields = path,
            None => self.error(span, "offsetof takes the names of fields here, joined by dots: a.b.c"),
        }
    }
}

/// What type an argument stands for: `typeof(T)` or a bare word.
fn type_of_argument(arg: &Expr) -> Option<TypeExprKind> {
    match &arg.kind {
        ExprKind::Ident(word) => Some(TypeExprKind::Named(word.clone())),
        ExprKind::TypeArg(TypeExpr { kind: TypeExprKind::Typeof(of), .. }) => match &**of {
            TypeOrExpr::Type(ty) => Some(ty.kind.clone()),
            TypeOrExpr::Expr(_) => Some(TypeExprKind::Typeof(of.clone())),
        },
        ExprKind::TypeArg(ty) => Some(ty.kind.clone()),
        _ => None,
    }
}

/// `a.b.c` as names.
fn field_path(e: &Expr) -> Option<Vec<Name>> {
    match &e.kind {
        ExprKind::Ident(word) => Some(vec![Name { text: word.clone(), span: e.span }]),
        ExprKind::Field { base, name, .. } => {
            let mut path = field_path(base)?;
            path.push(name.clone());
            Some(path)
        }
        _ => None,
    }
}
