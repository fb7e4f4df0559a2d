//! What a block of the script uses, found without typing it: `probe`, and which fields of `args`.

use super::builtins::arg_number;
use crate::ast::{Block, Expr, ExprKind, Probe, Stmt, StmtKind, TypeExpr, TypeExprKind, TypeOrExpr};
use rbtrace_stdlib as stdlib;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What a block uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Uses {
    /// Fields of `args` by name.
    pub args: BTreeSet<Rc<str>>,
    /// `args` as a whole: `print(args)`.
    pub whole_args: bool,
    /// `ctx`, which may be the record whose fields are `args`.
    pub ctx: bool,
    /// `retval`.
    pub retval: bool,
    /// A function that only some kinds of probes may call.
    pub limited: bool,
    /// `arg_match`.
    pub matched: bool,
    /// The builtin `probe`.
    pub probe: bool,
    /// `arg0`, `arg1`, …, by number.
    pub numbered: BTreeSet<usize>,
}

impl Uses {
    /// What a block uses.
    pub(crate) fn of(probe: &Probe) -> Uses {
        let mut uses = Uses::default();
        if let Some(p) = &probe.predicate {
            uses.expr(p);
        }
        uses.block(&probe.body);
        uses
    }

    /// Is `args` not used at all?
    pub(crate) fn no_args(&self) -> bool {
        !self.whole_args && !self.ctx && self.args.is_empty()
    }

    fn word(&mut self, name: &str) {
        match name.strip_prefix("__builtin_").unwrap_or(name) {
            "args" => self.whole_args = true,
            "ctx" => self.ctx = true,
            "retval" => self.retval = true,
            "arg_match" => self.matched = true,
            "probe" => self.probe = true,
            name => self.numbered.extend(arg_number(name)),
        }
    }

    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|s| self.stmt(s));
        if let Some(v) = &block.value {
            self.expr(v);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) | StmtKind::Discard(e) | StmtKind::Return(Some(e)) => self.expr(e),
            StmtKind::Let { ty, value, .. } => {
                ty.iter().for_each(|t| self.ty(t));
                value.iter().for_each(|e| self.expr(e));
            }
            StmtKind::Assign { target, value, .. } => {
                self.expr(target);
                self.expr(value);
            }
            StmtKind::If { cond, then, otherwise } => {
                self.expr(cond);
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            StmtKind::While { cond: e, body } | StmtKind::Unroll { count: e, body } => {
                self.expr(e);
                self.block(body);
            }
            StmtKind::ForRange { start, end, body, .. } => {
                self.expr(start);
                self.expr(end);
                self.block(body);
            }
            StmtKind::ForMap { body, .. } | StmtKind::Block(body) => self.block(body),
            StmtKind::Break | StmtKind::Continue | StmtKind::Return(None) => {}
        }
    }

    fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Ptr(t) => self.ty(t),
            TypeExprKind::Array(t, n) => {
                self.ty(t);
                n.iter().for_each(|e| self.expr(e));
            }
            TypeExprKind::Tuple(ts) => ts.iter().for_each(|t| self.ty(t)),
            TypeExprKind::Typeof(t) => self.type_or_expr(t),
            _ => {}
        }
    }

    fn type_or_expr(&mut self, t: &TypeOrExpr) {
        match t {
            TypeOrExpr::Type(t) => self.ty(t),
            TypeOrExpr::Expr(e) => self.expr(e),
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Ident(name) => self.word(name),
            ExprKind::Field { base, name, .. } => match &base.kind {
                ExprKind::Ident(args) if &**args == "args" => {
                    self.args.insert(Rc::clone(&name.text));
                }
                _ => self.expr(base),
            },
            ExprKind::MapIndex { key: e, .. }
            | ExprKind::Unary(_, e)
            | ExprKind::IncDec { place: e, .. }
            | ExprKind::TupleIndex(e, _) => self.expr(e),
            ExprKind::Cast(t, e) => {
                self.ty(t);
                self.expr(e);
            }
            ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Ternary(c, a, b) => {
                self.expr(c);
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Call { name, args } => {
                self.word(&name.text);
                self.limited |= stdlib::function(&name.text).is_some_and(|f| !f.probes.is_empty());
                args.iter().for_each(|a| self.expr(a));
            }
            ExprKind::Sizeof(t) | ExprKind::Typeinfo(t) | ExprKind::Offsetof(t, _) => self.type_or_expr(t),
            ExprKind::TypeArg(t) => self.ty(t),
            ExprKind::Tuple(fields) => fields.iter().for_each(|(_, e)| self.expr(e)),
            ExprKind::Block(b) => self.block(b),
            ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Positional(_)
            | ExprKind::PositionalCount
            | ExprKind::Var(_)
            | ExprKind::Map(_) => {}
        }
    }
}
