//! Statements.

use super::literal::{const_value, int_literal};
use super::{Checker, Phase};
use crate::ast::{self, StmtKind};
use crate::hir::{self, Expr, ExprKind, Stmt};
use crate::types::Type;
use crate::{Diagnostic, Span};

fn stmt(kind: hir::StmtKind, span: Span) -> Stmt {
    Stmt { kind, span }
}

impl Checker<'_> {
    /// A block in a scope of its own, its last value discarded.
    pub(crate) fn block(&mut self, block: &ast::Block) -> Vec<Stmt> {
        self.scopes.push();
        let mut out = self.stmts(&block.stmts);
        if let Some(value) = &block.value {
            if block.stmts.last().is_some_and(leaves) {
                self.warn(value.span, "Unreachable statement: the block ends before it");
            }
            self.expr_stmt(value, true, &mut out);
        }
        self.scopes.pop();
        out
    }

    /// The statements of a block, without a scope.
    pub(crate) fn stmts(&mut self, stmts: &[ast::Stmt]) -> Vec<Stmt> {
        let mut out = vec![];
        let mut ended = false;
        for s in stmts {
            if ended {
                self.warn(s.span, "Unreachable statement: the block ends before it");
            }
            self.stmt(s, &mut out);
            ended = leaves(s);
        }
        out
    }

    fn stmt(&mut self, s: &ast::Stmt, out: &mut Vec<Stmt>) {
        let kind = match &s.kind {
            StmtKind::Expr(e) => return self.expr_stmt(e, true, out),
            StmtKind::Discard(e) => return self.expr_stmt(e, false, out),
            StmtKind::Let { name, ty, value } => self.let_stmt(name, ty.as_ref(), value.as_ref(), s.span),
            StmtKind::Assign { target, op, value } => self.assign(target, *op, value, s.span),
            StmtKind::If { cond, then, otherwise } => self.if_stmt(cond, then, otherwise.as_ref()),
            StmtKind::While { cond, body } => self.while_stmt(cond, body, s.span),
            StmtKind::ForRange { var, start, end, body } => self.for_range(var, start, end, body),
            StmtKind::ForMap { var, map, body } => self.for_map(var, map, body),
            StmtKind::Unroll { count, body } => self.unroll(count, body),
            StmtKind::Break => self.jump("break", hir::StmtKind::Break, s.span),
            StmtKind::Continue => self.jump("continue", hir::StmtKind::Continue, s.span),
            StmtKind::Return(value) => self.return_stmt(value.as_ref()),
            StmtKind::Block(b) => Some(hir::StmtKind::Block(self.block(b))),
        };
        out.extend(kind.map(|k| stmt(k, s.span)));
    }

    /// An expression for its effect; warns where it has none and is not discarded on purpose.
    fn expr_stmt(&mut self, e: &ast::Expr, warn: bool, out: &mut Vec<Stmt>) {
        if let ast::ExprKind::Ternary(cond, then, otherwise) = &e.kind {
            return self.ternary_stmt(cond, then, otherwise, (e.span, warn), out);
        }
        if let ast::ExprKind::Block(b) = &e.kind {
            return self.block_stmt(b, e.span, warn, out);
        }
        let Some(typed) = self.expr(e) else { return };
        if warn && typed.ty != Type::Void && !has_effect(e) {
            self.warn(e.span, "the value of this is not used");
        }
        out.push(effect(typed));
    }

    /// A block expression as a statement: what a macro call expands to.
    fn block_stmt(&mut self, b: &ast::Block, span: Span, warn: bool, out: &mut Vec<Stmt>) {
        self.scopes.push();
        let outside = self.enter(b, span);
        let mut inner = self.stmts(&b.stmts);
        if let Some(v) = &b.value {
            self.expr_stmt(v, warn, &mut inner);
        }
        self.expanded.truncate(outside);
        self.scopes.pop();
        out.push(stmt(hir::StmtKind::Block(inner), span));
    }

    /// `c ? print(1) : print(2);` is an `if`.
    fn ternary_stmt(
        &mut self,
        cond: &ast::Expr,
        then: &ast::Expr,
        otherwise: &ast::Expr,
        (span, warn): (Span, bool),
        out: &mut Vec<Stmt>,
    ) {
        let cond = self.condition(cond);
        let mut branches = [vec![], vec![]];
        for (e, branch) in [then, otherwise].into_iter().zip(&mut branches) {
            self.expr_stmt(e, warn, branch);
        }
        let [then, otherwise] = branches;
        out.extend(cond.map(|cond| stmt(hir::StmtKind::If { cond, then, otherwise }, span)));
    }

    fn if_stmt(
        &mut self,
        cond: &ast::Expr,
        then: &ast::Block,
        otherwise: Option<&ast::Block>,
    ) -> Option<hir::StmtKind> {
        let cond = self.condition(cond);
        let known = cond.as_ref().and_then(const_value);
        let then = self.branch(then, known == Some(0));
        let otherwise = otherwise.map_or(vec![], |b| self.branch(b, known.is_some_and(|v| v != 0)));
        Some(hir::StmtKind::If { cond: cond?, then, otherwise })
    }

    /// In a branch that is never taken `fail()` says nothing, and what this kernel does not have is no error:
    /// it only gives the maps and variables their types.
    fn branch(&mut self, block: &ast::Block, dead: bool) -> Vec<Stmt> {
        if !dead {
            return self.block(block);
        }
        let before = self.diags.len();
        self.scopes.dead += 1;
        self.block(block);
        self.scopes.dead -= 1;
        self.diags.truncate(before);
        vec![]
    }

    fn jump(&mut self, name: &str, kind: hir::StmtKind, span: Span) -> Option<hir::StmtKind> {
        if self.scopes.loops == 0 {
            return self.error(span, format!("'{name}' needs a loop around it"));
        }
        Some(kind)
    }

    fn return_stmt(&mut self, value: Option<&ast::Expr>) -> Option<hir::StmtKind> {
        let Some(value) = value else { return Some(hir::StmtKind::Return(None)) };
        let typed = self.value(value)?;
        if !typed.ty.is_integer() {
            return self.error(value.span, format!("a probe returns an integer, not {}", typed.ty));
        }
        Some(hir::StmtKind::Return(Some(super::convert::to_64(typed))))
    }

    fn let_stmt(
        &mut self,
        name: &ast::Name,
        ty: Option<&ast::TypeExpr>,
        value: Option<&ast::Expr>,
        span: Span,
    ) -> Option<hir::StmtKind> {
        let declared = ty.map(|t| self.resolve_type(t));
        let value = value.map(|v| self.value(v));
        self.check_shadowing(&name.text, name.span)?;
        let id = self.introduce(&name.text, name.span);
        match declared {
            Some(Some(ty)) => self.declare(id, &ty, ty_span(name, span))?,
            Some(None) => return None,
            None => {}
        }
        match value {
            Some(value) => self.assign_var(id, value?, span),
            None => {
                if self.phase == Phase::Report && self.var(id).shape.is_none() {
                    let zero = int_literal(0, span);
                    self.join_var(id, &zero, span)?;
                }
                Some(hir::StmtKind::Declare(id))
            }
        }
    }

    /// Fixes the type of a variable; `string` without a size stays open.
    fn declare(&mut self, id: hir::LocalId, ty: &Type, span: Span) -> Option<()> {
        match ty {
            Type::Void | Type::Agg(_) => {
                return self.error(span, format!("a variable cannot be a '{ty}'"));
            }
            Type::Array { len: 0, .. } => {
                return self.error(span, "the array's length must be given here");
            }
            _ => {}
        }
        self.complete_deep(ty, span)?;
        let open = matches!(ty, Type::Str(0) | Type::Buf(0));
        let var = self.var(id);
        // The type of `typeof` may have widened since the round before.
        let widened = !open && var.declared.as_ref().is_some_and(|before| before != ty);
        if !open {
            var.declared = Some(ty.clone());
        }
        if var.shape.is_none() || widened {
            var.shape = Some(super::shape::Shape::of_type(ty));
            self.changed = true;
        }
        Some(())
    }
}

fn ty_span(name: &ast::Name, span: Span) -> Span {
    name.span.to(span)
}

/// Does what follows this statement never run?
fn leaves(s: &ast::Stmt) -> bool {
    match &s.kind {
        StmtKind::Return(_) | StmtKind::Break | StmtKind::Continue => true,
        StmtKind::Expr(ast::Expr { kind: ast::ExprKind::Call { name, .. }, .. }) => &*name.text == "exit",
        _ => false,
    }
}

/// May be written as a statement without using its value.
fn has_effect(e: &ast::Expr) -> bool {
    matches!(&e.kind, ast::ExprKind::IncDec { .. })
        || matches!(&e.kind, ast::ExprKind::Call { name, .. } if &*name.text == "delete")
}

/// A typed expression as a statement.
pub(crate) fn effect(e: Expr) -> Stmt {
    let span = e.span;
    match e.kind {
        ExprKind::Emit(emit) => stmt(hir::StmtKind::Emit(emit), span),
        ExprKind::Block(stmts, value) if value.ty == Type::Void => {
            let mut stmts = stmts;
            if !matches!(value.kind, ExprKind::Const(_)) {
                stmts.push(effect(*value));
            }
            match stmts.len() {
                1 => stmts.remove(0),
                _ => stmt(hir::StmtKind::Block(stmts), span),
            }
        }
        kind => stmt(hir::StmtKind::Expr(Expr { kind, ty: e.ty, span }), span),
    }
}

/// A warning about a loop that bpftrace deprecates.
pub(crate) fn while_is_deprecated(span: Span) -> Diagnostic {
    Diagnostic::warning(span, "the language may lose 'while': prefer 'for'")
        .hint("a counting loop is written: for ($i : 0..10) { print($i); }")
}
