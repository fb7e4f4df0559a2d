//! Assignments to variables and maps, `++` and `--`.

use super::call::Collected;
use super::convert::{decay, to_int};
use super::literal::{const_value, int_literal, is_literal};
use super::shape::{Shape, int_holds};
use super::{Checker, Phase, Typed};
use crate::Span;
use crate::ast::{self, BinOp, ExprKind as Ast};
use crate::hir::{Expr, ExprKind, LocalId, Lvalue, MapId, Stmt, StmtKind};
use crate::types::{I64, Type};

impl Checker<'_> {
    /// `PLACE = VALUE`, `PLACE op= VALUE`.
    pub(crate) fn assign(
        &mut self,
        target: &ast::Expr,
        op: Option<BinOp>,
        value: &ast::Expr,
        span: Span,
    ) -> Option<StmtKind> {
        match &target.kind {
            Ast::Var(name) => {
                let value = match op {
                    Some(op) => self.compound(target, op, value, span),
                    None => self.value(value),
                };
                let id = match self.lookup(name) {
                    Some(id) => id,
                    None => self.introduce(name, target.span),
                };
                self.assign_var(id, value?, span)
            }
            Ast::Map(name) => self.assign_map(name, None, target, op, value, span),
            Ast::MapIndex { map, key } => self.assign_map(map, Some(key), target, op, value, span),
            _ => self.error_hint(
                target.span,
                "this cannot be assigned",
                Some("only variables ($x) and maps (@x, @x[key]) can be".into()),
            ),
        }
    }

    /// `$x op= value` computes `$x op value`.
    fn compound(&mut self, target: &ast::Expr, op: BinOp, value: &ast::Expr, span: Span) -> Typed {
        let left = self.expr(target);
        let right = self.value(value);
        self.binary(op, left?, right?, span)
    }

    /// Assigns a value that is typed to a variable.
    pub(crate) fn assign_var(&mut self, id: LocalId, value: Expr, span: Span) -> Option<StmtKind> {
        let value = decay(value);
        self.complete_deep(&value.ty, value.span)?;
        let ty = match self.var(id).declared.clone() {
            Some(declared) => {
                self.check_declared(id, &value, &declared, span)?;
                declared
            }
            None => {
                let ty = self.join_var(id, &value, span)?;
                self.warn_sign_change(&value, &ty);
                ty
            }
        };
        Some(StmtKind::AssignLocal(id, self.coerce(value, &ty)))
    }

    /// A declared variable does not widen: integers are cut (with a warning), literals must fit.
    fn check_declared(&mut self, id: LocalId, value: &Expr, declared: &Type, span: Span) -> Option<()> {
        if let (Type::Int { size, signed }, Type::Int { size: vsize, signed: vsigned }) =
            (declared, &value.ty)
        {
            if is_literal(value) {
                let fits = const_value(value).is_some_and(|v| int_holds(*size, *signed, v));
                return if fits { Some(()) } else { self.var_mismatch(id, &value.ty, declared, span) };
            }
            if vsize > size || vsigned != signed {
                self.warn(value.span, super::ops::changes_type(&value.ty, declared));
            }
            return Some(());
        }
        let mut shape = Shape::of_type(declared);
        match shape.join(&Shape::of_expr(value)) {
            Ok(()) if shape.to_type() == *declared => Some(()),
            _ => self.var_mismatch(id, &value.ty, declared, span),
        }
    }

    fn assign_map(
        &mut self,
        name: &str,
        key: Option<&ast::Expr>,
        target: &ast::Expr,
        op: Option<BinOp>,
        value: &ast::Expr,
        span: Span,
    ) -> Option<StmtKind> {
        let map = self.map_id(name, target.span);
        if op.is_none()
            && let Some(done) = self.assign_aggregation(map, key, value, target.span, span)
        {
            if done.is_none() && self.phase == Phase::Report {
                self.note_failed(map);
            }
            return done;
        }
        let value = match op {
            Some(op) => self.compound_map(map, target, op, value, span),
            None => self.value(value),
        };
        let key = self.target_key(map, key, target.span);
        if value.is_none() && self.phase == Phase::Report {
            self.note_failed(map);
        }
        let value = decay(value?);
        if let Type::Void | Type::Agg(_) = value.ty {
            return self.error(span, format!("'{}' cannot be assigned to a map", value.ty));
        }
        self.complete_deep(&value.ty, value.span)?;
        let ty = self.join_value(map, &Shape::of_expr(&value), &value.ty, span)?;
        self.warn_sign_change(&value, &ty);
        Some(StmtKind::AssignMap { map, key: key?, value: self.coerce(value, &ty) })
    }

    /// `@m = count()`, and `@m = { …; count() }`. Outer `None`: the value is not a map-value function.
    fn assign_aggregation(
        &mut self,
        map: MapId,
        key: Option<&ast::Expr>,
        value: &ast::Expr,
        target: Span,
        span: Span,
    ) -> Option<Option<StmtKind>> {
        match &value.kind {
            Ast::Call { name, args } => {
                let aggregation = self.aggregation(name, args, value.span)?;
                Some(aggregation.and_then(|a| self.aggregate(map, key, a, target, span)))
            }
            Ast::Ident(name) => {
                let name = ast::Name { text: name.clone(), span: value.span };
                let aggregation = self.aggregation(&name, &[], value.span)?;
                Some(aggregation.and_then(|a| self.aggregate(map, key, a, target, span)))
            }
            Ast::Block(block) if ends_in_aggregation(block) => {
                let last = block.value.as_deref()?;
                self.scopes.push();
                let mut stmts = self.stmts(&block.stmts);
                let done = self.assign_aggregation(map, key, last, target, span);
                self.scopes.pop();
                Some(done?.map(|kind| {
                    stmts.push(Stmt { kind, span });
                    StmtKind::Block(stmts)
                }))
            }
            _ => None,
        }
    }

    /// The key of what is assigned. Outer `None`: poison.
    pub(crate) fn target_key(
        &mut self,
        map: MapId,
        key: Option<&ast::Expr>,
        span: Span,
    ) -> Option<Option<Expr>> {
        match key {
            Some(key) => self.map_key(map, key, span).map(Some),
            None => self.note_keyed(map, false, span).map(|()| None),
        }
    }

    /// `@m op= value`; a map that nothing else assigns begins as the integer 0.
    fn compound_map(
        &mut self,
        map: MapId,
        target: &ast::Expr,
        op: BinOp,
        value: &ast::Expr,
        span: Span,
    ) -> Typed {
        if let Some(ty @ Type::Agg(_)) = self.known_value_type(map) {
            return self.error_hint(
                span,
                format!("'{}=' does not work on {ty}", op.text()),
                Some("assign count(), sum(n) and their kin with =".into()),
            );
        }
        let seed = self.phase >= Phase::Seed && self.known_value_type(map).is_none();
        if seed {
            let zero = Shape::of_expr(&int_literal(0, span));
            self.join_value(map, &zero, &I64, span)?;
        }
        self.compound(target, op, value, span)
    }

    /// `++`, `--`
    pub(crate) fn inc_dec(&mut self, inc: bool, prefix: bool, place: &ast::Expr, span: Span) -> Typed {
        let (place, ty) = match &place.kind {
            Ast::Var(name) => self.inc_dec_var(inc, name, place.span, span)?,
            Ast::Map(name) => self.inc_dec_map(inc, name, None, place.span, span)?,
            Ast::MapIndex { map, key } => self.inc_dec_map(inc, map, Some(key), place.span, span)?,
            _ => {
                return self
                    .error(span, format!("'{}' needs a variable ($x) or a map (@x) to change", sign(inc)));
            }
        };
        let step = match &ty {
            Type::Ptr { to, .. } => i64::from(self.target_size(to, span)?),
            _ => 1,
        };
        let step = if inc { step } else { -step };
        Some(Expr { kind: ExprKind::IncDec { place, step, prefix }, ty, span })
    }

    fn inc_dec_var(&mut self, inc: bool, name: &str, place: Span, span: Span) -> Option<(Lvalue, Type)> {
        let now = self.read_var(name, place)?.ty;
        let id = self.lookup(name)?;
        self.check_inc_dec(inc, &now, span)?;
        if self.var(id).declared.is_some() {
            return Some((Lvalue::Local(id), now));
        }
        if !matches!(now, Type::Int { .. }) {
            let ty = now.as_address();
            let ty = self.join_var_shape(id, &Shape::of_type(&ty), &ty, span)?;
            return Some((Lvalue::Local(id), ty));
        }
        // `$x++` assigns `$x + 1`, whose type is 64 bits wide.
        let wide = Type::int(8, now.is_signed() || !inc);
        let ty = self.join_var_shape(id, &Shape::of_type(&wide), &wide, span)?;
        Some((Lvalue::Local(id), ty))
    }

    fn inc_dec_map(
        &mut self,
        inc: bool,
        name: &str,
        key: Option<&ast::Expr>,
        place: Span,
        span: Span,
    ) -> Option<(Lvalue, Type)> {
        let map = self.map_id(name, place);
        let key = self.target_key(map, key, place)?.map(Box::new);
        let now = match self.known_value_type(map) {
            Some(ty) => ty,
            None if self.phase >= Phase::Seed => I64,
            None => self.value_type(map, place)?,
        };
        self.check_inc_dec(inc, &now, span)?;
        let ty = match now {
            Type::Int { .. } => {
                let wide = Type::int(8, now.is_signed() || !inc);
                self.join_value(map, &Shape::of_type(&wide), &wide, span)?
            }
            other => other,
        };
        Some((Lvalue::Map { map, key }, ty))
    }

    fn check_inc_dec(&mut self, inc: bool, ty: &Type, span: Span) -> Option<()> {
        match ty {
            Type::Int { .. } | Type::Ptr { .. } => Some(()),
            ty => self.error(span, format!("'{}' does not work on {ty}", sign(inc))),
        }
    }

    /// `@m = count()` and its kin.
    fn aggregate(
        &mut self,
        map: MapId,
        key: Option<&ast::Expr>,
        (agg, value, time): Collected,
        target: Span,
        span: Span,
    ) -> Option<StmtKind> {
        let key = self.target_key(map, key, target);
        let ty = Type::Agg(agg);
        let Type::Agg(agg) = self.join_value(map, &Shape::of_type(&ty), &ty, span)? else { return None };
        let signed = match agg {
            crate::types::Agg::Hist { .. } | crate::types::Agg::LHist { .. } => true,
            agg => agg_signed(agg),
        };
        let value = value.map(|v| to_int(v, Type::int(8, signed)));
        Some(StmtKind::Aggregate { map, key: key?, agg, value, time })
    }
}

/// Is the value of this block a call of a map-value function?
fn ends_in_aggregation(block: &ast::Block) -> bool {
    match block.value.as_deref().map(|v| &v.kind) {
        Some(Ast::Call { name, .. }) => super::call::is_aggregation(&name.text),
        Some(Ast::Block(inner)) => ends_in_aggregation(inner),
        _ => false,
    }
}

fn agg_signed(agg: crate::types::Agg) -> bool {
    use crate::types::Agg;
    match agg {
        Agg::Sum { signed }
        | Agg::Min { signed }
        | Agg::Max { signed }
        | Agg::Avg { signed }
        | Agg::Stats { signed }
        | Agg::TSeries { signed, .. } => signed,
        Agg::Count => false,
        Agg::Hist { .. } | Agg::LHist { .. } => true,
    }
}

fn sign(inc: bool) -> &'static str {
    if inc { "++" } else { "--" }
}
