//! Expressions: one arm for each kind.

use super::literal::{boolean, int_literal, text};
use super::shape::Shape;
use super::{Checker, Typed};
use crate::Span;
use crate::ast::{self, ExprKind as Ast};
use crate::hir::{Expr, ExprKind, Lvalue};
use crate::types::{AddrSpace, TupleType, Type};
use std::rc::Rc;

/// Most bytes and fields of a tuple. Tuples of tuples double with each level.
const MAX_TUPLE: u64 = 64 << 10;

/// Bytes and fields of a type; counts no further than `most`.
fn weight(ty: &Type, most: u64) -> u64 {
    let Type::Tuple(t) = ty else { return u64::from(ty.size()) };
    t.fields
        .iter()
        .fold(1, |sum, (_, ty)| if sum > most { sum } else { sum + 1 + weight(ty, most - sum.min(most)) })
}

impl Checker<'_> {
    /// Types an expression as it is: an array or a struct stays the place where it lies.
    pub(crate) fn expr(&mut self, e: &ast::Expr) -> Typed {
        let span = e.span;
        match &e.kind {
            Ast::Int(v) => Some(int_literal(i128::from(*v), span)),
            Ast::Bool(b) => Some(boolean(*b, span)),
            Ast::Str(s) => Some(text(s, span)),
            Ast::Ident(name) => self.ident(name, span),
            Ast::Positional(n) => self.positional(*n, span),
            Ast::PositionalCount => Some(int_literal(self.options.params.len() as i128, span)),
            Ast::Var(name) => self.read_var(name, span),
            Ast::Map(name) => self.read_map(name, None, span),
            Ast::MapIndex { map, key } => self.read_map(map, Some(key), span),
            Ast::Unary(op, inner) => self.unary(*op, inner, span),
            Ast::IncDec { inc, prefix, place } => self.inc_dec(*inc, *prefix, place, span),
            Ast::Binary(op, l, r) => {
                let (l, r) = (self.value(l), self.value(r));
                self.binary(*op, l?, r?, span)
            }
            Ast::Ternary(c, a, b) => self.ternary(c, a, b, span),
            Ast::Call { name, args } => self.call(name, args, span),
            Ast::Sizeof(of) => {
                let ty = self.type_of(of)?;
                Some(int_literal(i128::from(ty.size()), span))
            }
            Ast::Typeinfo(of) => self.typeinfo(of, span),
            Ast::Offsetof(of, path) => self.offset_of(of, path, span),
            Ast::TypeArg(_) => self.error(span, "a type cannot stand here"),
            Ast::Cast(ty, inner) => self.cast_expr(ty, inner, span),
            Ast::Tuple(fields) => self.tuple(fields, span),
            Ast::Field { base, name, .. } => self.field(base, name, span),
            Ast::TupleIndex(base, n) => {
                let base = self.expr(base)?;
                self.tuple_field(base, i128::from(*n), span)
            }
            Ast::Index(base, index) => self.index(base, index, span),
            Ast::Block(b) => self.block_expr(b, span),
        }
    }

    fn tuple(&mut self, fields: &[(Option<ast::Name>, ast::Expr)], span: Span) -> Typed {
        let typed: Vec<Typed> = fields.iter().map(|(_, e)| self.value(e)).collect();
        let values = typed.into_iter().collect::<Option<Vec<_>>>()?;
        let types = fields
            .iter()
            .zip(&values)
            .map(|((name, _), v)| (name.as_ref().map(|n| Rc::clone(&n.text)), v.ty.clone()))
            .collect();
        let ty = Type::Tuple(Rc::new(TupleType { fields: types }));
        if weight(&ty, MAX_TUPLE) > MAX_TUPLE {
            return self.error(span, format!("this tuple is larger than {MAX_TUPLE} bytes"));
        }
        Some(Expr { kind: ExprKind::Tuple(values), ty, span })
    }

    fn ternary(&mut self, cond: &ast::Expr, a: &ast::Expr, b: &ast::Expr, span: Span) -> Typed {
        let cond = self.condition(cond);
        let (a, b) = (self.expr(a), self.expr(b));
        let (cond, a, b) = (cond?, super::convert::decay(a?), super::convert::decay(b?));
        let mut shape = Shape::of_expr(&a);
        if shape.join(&Shape::of_expr(&b)).is_err() {
            return self.error_hint(
                span,
                format!("both values of '?:' need one type: these are '{}' and '{}'", a.ty, b.ty),
                Some("use if and else, or convert one side".into()),
            );
        }
        let ty = shape.to_type();
        let (a, b) = (self.coerce(a, &ty), self.coerce(b, &ty));
        Some(Expr { kind: ExprKind::Ternary(Box::new(cond), Box::new(a), Box::new(b)), ty, span })
    }

    /// `{ …; value }`
    fn block_expr(&mut self, block: &ast::Block, span: Span) -> Typed {
        self.scopes.push();
        let outside = self.enter(block, span);
        let stmts = self.stmts(&block.stmts);
        let value = match &block.value {
            Some(v) => self.expr(v),
            None => Some(super::call::nothing(span)),
        };
        self.expanded.truncate(outside);
        self.scopes.pop();
        let value = value?;
        if stmts.is_empty() {
            return Some(value);
        }
        let ty = value.ty.clone();
        Some(Expr { kind: ExprKind::Block(stmts, Box::new(value)), ty, span })
    }

    /// Notes the call of a macro whose body this block is; how many such calls there were around it.
    pub(crate) fn enter(&mut self, block: &ast::Block, span: Span) -> usize {
        let outside = self.expanded.len();
        self.expanded.extend(is_elsewhere(block, span).then_some(span));
        outside
    }

    /// `&$x`, `&@m[key]`
    pub(crate) fn address_of(&mut self, place: &ast::Expr, span: Span) -> Typed {
        let (place, ty) = match &place.kind {
            Ast::Var(name) => {
                // A variable that is pointed to lies in memory.
                let ty = self.read_var(name, place.span)?.ty.as_address();
                let local = self.lookup(name)?;
                if matches!(ty, Type::Ptr { .. }) {
                    self.join_var_shape(local, &Shape::of_type(&ty), &ty, span)?;
                }
                (Lvalue::Local(local), ty)
            }
            Ast::Map(name) => {
                let map = self.map_id(name, place.span);
                self.note_keyed(map, false, place.span)?;
                (Lvalue::Map { map, key: None }, self.value_type(map, place.span)?)
            }
            Ast::MapIndex { map: name, key } => {
                let map = self.map_id(name, place.span);
                let key = self.map_key(map, key, place.span)?;
                (Lvalue::Map { map, key: Some(Box::new(key)) }, self.value_type(map, place.span)?)
            }
            _ => return self.error(span, "'&' needs a variable ($x) or a map (@x) to take the address of"),
        };
        Some(Expr { kind: ExprKind::AddrOf(place), ty: Type::ptr(ty, AddrSpace::Bpf), span })
    }
}

/// Does a block's text lie somewhere else than the block? Then it is a macro's, and the block is its call.
fn is_elsewhere(block: &ast::Block, span: Span) -> bool {
    let first = block.stmts.first().map(|s| s.span).or(block.value.as_ref().map(|v| v.span));
    first.is_some_and(|s| s.file != span.file || s.start < span.start || s.end > span.end)
}
