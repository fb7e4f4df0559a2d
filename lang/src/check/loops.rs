//! Loops.

use super::Checker;
use super::convert::to_int;
use super::shape::Shape;
use super::stmt::while_is_deprecated;
use crate::Span;
use crate::ast;
use crate::hir::{Stmt, StmtKind};
use crate::types::{TupleType, Type};
use std::rc::Rc;

/// `unroll` of more rounds is refused: each costs a copy of the body.
const MAX_UNROLL: i128 = 100;

impl Checker<'_> {
    fn loop_body(&mut self, body: &ast::Block) -> Vec<Stmt> {
        self.scopes.loops += 1;
        let out = self.block(body);
        self.scopes.loops -= 1;
        out
    }

    pub(crate) fn while_stmt(&mut self, cond: &ast::Expr, body: &ast::Block, span: Span) -> Option<StmtKind> {
        self.diags.push(while_is_deprecated(cond.span.to(Span { end: span.start, ..span })));
        let cond = self.condition(cond);
        let body = self.loop_body(body);
        Some(StmtKind::While { cond: cond?, body })
    }

    pub(crate) fn unroll(&mut self, count: &ast::Expr, body: &ast::Block) -> Option<StmtKind> {
        let rounds = self.const_int(count, "the number of rounds of unroll");
        let body = self.loop_body(body);
        match rounds? {
            n if n < 1 => self.error(count.span, "unroll needs at least 1 round"),
            n if n > MAX_UNROLL => {
                self.error(count.span, format!("unroll makes at most {MAX_UNROLL} rounds"))
            }
            n => Some(StmtKind::Unroll { count: n as u32, body }),
        }
    }

    pub(crate) fn for_range(
        &mut self,
        var: &ast::Name,
        start: &ast::Expr,
        end: &ast::Expr,
        body: &ast::Block,
    ) -> Option<StmtKind> {
        let bounds = [(start, "start"), (end, "end")].map(|(e, what)| {
            let typed = self.value(e)?;
            match typed.ty {
                Type::Int { .. } | Type::Enum(_) => Some(typed),
                _ => self.error(e.span, format!("the {what} of a range is an integer")),
            }
        });
        self.check_shadowing(&var.text, var.span)?;
        self.scopes.push();
        let id = self.introduce(&var.text, var.span);
        // The variable holds both bounds.
        let mut ty = None;
        for e in bounds.iter().flatten() {
            ty = self.join_var(id, e, var.span);
        }
        let body = self.loop_body(body);
        self.scopes.pop();
        let [start, end] = bounds;
        let ty = self.var(id).shape.as_ref().map(Shape::to_type).or(ty)?;
        Some(StmtKind::ForRange { var: id, start: to_int(start?, ty.clone()), end: to_int(end?, ty), body })
    }

    pub(crate) fn for_map(
        &mut self,
        var: &ast::Name,
        map: &ast::Name,
        body: &ast::Block,
    ) -> Option<StmtKind> {
        let id = self.map_id(&map.text, map.span);
        let name = self.map_name(id);
        if self.is_keyed(id) == Some(false) {
            return self.error(map.span, format!("{name} holds one value: a loop goes over maps with keys"));
        }
        let pair = self.pair_type(id, map.span);
        self.check_shadowing(&var.text, var.span)?;
        self.scopes.push();
        let local = self.introduce(&var.text, var.span);
        if let Some(pair) = &pair {
            // A loop variable follows its map: it does not widen by itself.
            let shape = Shape::of_type(pair);
            let v = self.var(local);
            if v.shape.as_ref() != Some(&shape) {
                (v.shape, v.declared) = (Some(shape), Some(pair.clone()));
                self.changed = true;
            }
        }
        let body = self.loop_body(body);
        self.scopes.pop();
        pair.map(|_| StmtKind::ForMap { var: local, map: id, body })
    }

    /// `(key, value)` of a map; aggregations by their scalar.
    fn pair_type(&mut self, map: crate::hir::MapId, span: Span) -> Option<Type> {
        let value = match self.value_type(map, span)? {
            Type::Agg(agg) => match agg.scalar() {
                Some(ty) => ty,
                None => {
                    let name = self.map_name(map);
                    return self.error(
                        span,
                        format!("a loop cannot read {name}: its values are '{}'", Type::Agg(agg)),
                    );
                }
            },
            ty => ty,
        };
        let key = self.key_type(map, span)?;
        Some(Type::Tuple(Rc::new(TupleType { fields: vec![(None, key), (None, value)] })))
    }
}
