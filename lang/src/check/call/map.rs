//! Functions on maps.

use super::emit;
use crate::Span;
use crate::ast::{self, ExprKind as Ast};
use crate::check::literal::{constant, int_literal};
use crate::check::{Checker, Typed};
use crate::hir::{EmitKind, Expr, ExprKind, MapId, Stmt, StmtKind};
use crate::types::{I64, Type};

impl Checker<'_> {
    /// `clear(@m)`, `zero(@m)`
    pub(crate) fn whole_map(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let Some(map) = self.named_map(&args[0]) else { return self.no_map(name, &args[0]) };
        self.value_type(map, args[0].span)?;
        emit(if name == "clear" { EmitKind::Clear(map) } else { EmitKind::Zero(map) }, vec![], span)
    }

    fn no_map(&mut self, name: &str, e: &ast::Expr) -> Typed {
        let hint = match &e.kind {
            Ast::MapIndex { map, .. } => Some(format!("{name}() works on the whole map: {name}(@{map})")),
            _ => None,
        };
        self.error_hint(e.span, format!("{name}() needs a map"), hint)
    }

    /// `delete(@m)`, `delete(@m, key)`, `delete(@m[key])`
    pub(crate) fn delete(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (map, key) = match (&args[0].kind, args.get(1)) {
            (Ast::MapIndex { map, key }, None) => {
                let map = self.map_id(map, args[0].span);
                (map, Some(self.map_key(map, key, args[0].span)))
            }
            (Ast::Map(_), Some(key)) => {
                let map = self.named_map(&args[0])?;
                self.needs_keys(map, "delete(@x, key)", span)?;
                (map, Some(self.map_key(map, key, span)))
            }
            (Ast::Map(_), None) => (self.scalar_map(&args[0], span)?, None),
            _ => return self.no_map("delete", &args[0]),
        };
        self.value_type(map, args[0].span)?;
        let key = match key {
            Some(key) => Some(Box::new(key?)),
            None => None,
        };
        Some(Expr { kind: ExprKind::Delete { map, key }, ty: Type::Bool, span })
    }

    fn scalar_map(&mut self, e: &ast::Expr, span: Span) -> Option<MapId> {
        let map = self.named_map(e)?;
        if self.is_keyed(map) == Some(true) {
            return self.error_hint(
                span,
                "delete() needs the key of an entry: this map has keys",
                Some("delete(@map, key) removes one entry, clear(@map) all".into()),
            );
        }
        Some(map)
    }

    fn needs_keys(&mut self, map: MapId, call: &str, span: Span) -> Option<()> {
        if self.is_keyed(map) == Some(false) {
            return self.error(span, format!("{call} needs a map with keys"));
        }
        Some(())
    }

    /// `has_key(@m, key)`
    pub(crate) fn has_key(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (map, key) = match (&args[0].kind, args.get(1)) {
            (Ast::Map(_), Some(key)) => (self.named_map(&args[0])?, key),
            (Ast::MapIndex { map, key }, None) => (self.map_id(map, args[0].span), &**key),
            (Ast::Map(_), None) => return self.error(span, "has_key() needs a map and a key"),
            _ => return self.no_map("has_key", &args[0]),
        };
        self.needs_keys(map, "has_key()", span)?;
        let key = self.map_key(map, key, span);
        self.value_type(map, args[0].span)?;
        Some(Expr { kind: ExprKind::HasKey { map, key: Box::new(key?) }, ty: Type::Bool, span })
    }

    /// `find(@m, key, $result)`
    pub(crate) fn find(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let [map, key, result] = args else { return None };
        let Some(map) = self.named_map(map) else { return self.no_map("find", map) };
        let Ast::Var(name) = &result.kind else {
            return self
                .error(result.span, "find() puts the value into a variable: find(@map, key, $result)");
        };
        self.needs_keys(map, "find()", span)?;
        let key = self.map_key(map, key, span);
        let ty = match self.value_type(map, args[0].span)? {
            Type::Agg(agg) => agg.scalar()?,
            ty => ty,
        };
        let key = Box::new(key?);
        let value = Expr { kind: ExprKind::MapGet { map, key: Some(key.clone()) }, ty, span };
        let Some(var) = self.lookup(name) else {
            return self.error(
                result.span,
                format!("there is no variable ${name} here: declare it first (let ${name};)"),
            );
        };
        let assign = self.assign_var(var, value, span)?;
        let found = self.temporary("found", Type::Bool, span);
        let has_key = Expr { kind: ExprKind::HasKey { map, key }, ty: Type::Bool, span };
        let is_found = Expr { kind: ExprKind::Local(found), ty: Type::Bool, span };
        let stmt = |kind| Stmt { kind, span };
        let stmts = vec![
            stmt(StmtKind::AssignLocal(found, has_key)),
            stmt(StmtKind::If { cond: is_found.clone(), then: vec![stmt(assign)], otherwise: vec![] }),
        ];
        Some(Expr { kind: ExprKind::Block(stmts, Box::new(is_found)), ty: Type::Bool, span })
    }

    /// `stack_len(kstack)`
    pub(crate) fn stack_len(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let stack = self.value(&args[0])?;
        match stack.ty {
            Type::KStack(_) | Type::UStack(_) => {
                Some(Expr { kind: ExprKind::StackLen(Box::new(stack)), ty: I64, span })
            }
            ref ty => self.error(args[0].span, format!("stack_len() takes a stack, not {ty}")),
        }
    }

    /// `len(@m)`, `len(kstack)`, `len("text")`
    pub(crate) fn len(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        if let Some(map) = self.named_map(&args[0]) {
            if self.known_value_type(map).is_some_and(|ty| matches!(ty, Type::KStack(_) | Type::UStack(_)))
                && self.is_keyed(map) == Some(false)
            {
                let stack = self.value(&args[0])?;
                return Some(Expr { kind: ExprKind::StackLen(Box::new(stack)), ty: I64, span });
            }
            self.needs_keys(map, "len()", span)?;
            self.value_type(map, args[0].span)?;
            return Some(Expr { kind: ExprKind::MapLen(map), ty: I64, span });
        }
        let value = self.expr(&args[0])?;
        match value.ty {
            Type::KStack(_) | Type::UStack(_) => {
                Some(Expr { kind: ExprKind::StackLen(Box::new(value)), ty: I64, span })
            }
            Type::Array { len, .. } => Some(constant(u64::from(len), I64, span)),
            Type::Str(_) => {
                let length = match &value.kind {
                    ExprKind::Text(t) => return Some(int_literal(t.len() as i128, span)),
                    _ => ExprKind::StrLen(Box::new(value)),
                };
                Some(Expr { kind: length, ty: I64, span })
            }
            ref ty => {
                let message = format!("len() takes a map, a stack, an array or a text, not {ty}");
                self.error(args[0].span, message)
            }
        }
    }
}
