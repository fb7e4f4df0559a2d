//! Conditions as control flow: comparisons end blocks, `&&` and `||` skip their right side.

use super::Lowered;
use super::frame::Lower;
use crate::ir::{Block, Cond, Ty, Value};
use rbtrace_lang::ast::BinOp;
use rbtrace_lang::hir::{Expr, ExprKind, Unary};

/// The condition of a comparison operator.
pub(super) fn condition(op: BinOp, signed: bool) -> Cond {
    match (op, signed) {
        (BinOp::Eq, _) => Cond::Eq,
        (BinOp::Ne, _) => Cond::Ne,
        (BinOp::Lt, true) => Cond::SLt,
        (BinOp::Lt, false) => Cond::ULt,
        (BinOp::Le, true) => Cond::SLe,
        (BinOp::Le, false) => Cond::ULe,
        (BinOp::Gt, true) => Cond::SGt,
        (BinOp::Gt, false) => Cond::UGt,
        (BinOp::Ge, true) => Cond::SGe,
        _ => Cond::UGe,
    }
}

impl Lower<'_, '_> {
    /// Goes to `then` where the bool is true, else to `otherwise`. Both blocks are the caller's to seal.
    pub(super) fn branch_on(&mut self, e: &Expr, then: Block, otherwise: Block) -> Lowered<()> {
        let outer = self.f.b.set_span(e.span);
        let done = self.branch_inner(e, then, otherwise);
        self.f.b.set_span(outer);
        done
    }

    fn branch_inner(&mut self, e: &Expr, then: Block, otherwise: Block) -> Lowered<()> {
        match &e.kind {
            ExprKind::Const(n) => self.f.b.jump(if *n != 0 { then } else { otherwise }, &[]),
            ExprKind::Unary(Unary::Not, a) if a.ty.is_scalar() => self.branch_on(a, otherwise, then)?,
            ExprKind::Logical { and, left, right } => {
                let middle = self.f.b.create_block();
                match and {
                    true => self.branch_on(left, middle, otherwise)?,
                    false => self.branch_on(left, then, middle)?,
                }
                self.f.b.start(middle);
                self.branch_on(right, then, otherwise)?;
            }
            ExprKind::Binary(op, a, b) if op.is_comparison() => {
                let (x, y) = self.numbers(a, b)?;
                let (x, y) = (self.tested(x), self.tested(y));
                let cond = condition(*op, a.ty.is_signed() && b.ty.is_signed());
                self.f.b.branch(cond, x, y, then, otherwise);
            }
            ExprKind::Binary(BinOp::And, a, b) => {
                let (x, y) = (self.scalar(a)?, self.scalar(b)?);
                let (x, y) = (self.tested(x), self.tested(y));
                self.f.b.branch(Cond::Set, x, y, then, otherwise);
            }
            ExprKind::Convert(a) if a.ty.is_scalar() && e.ty == rbtrace_lang::types::Type::Bool => {
                self.branch_on(a, then, otherwise)?;
            }
            ExprKind::CompareMemory { negate, left, right, limit } => {
                let (equal, unequal) = if *negate { (otherwise, then) } else { (then, otherwise) };
                self.compare_memory(left, right, *limit, equal, unequal)?;
            }
            ExprKind::StrContains(text, part) => self.str_contains(text, part, then, otherwise, None)?,
            _ => {
                let value = self.scalar(e)?;
                let value = self.tested(value);
                let zero = self.f.b.iconst(0);
                self.f.b.branch(Cond::Ne, value, zero, then, otherwise);
            }
        }
        Ok(())
    }

    /// A condition as 0 or 1.
    pub(super) fn truth(&mut self, e: &Expr) -> Lowered<Value> {
        self.value_of_branch([1, 0], |lower, then, otherwise| lower.branch_on(e, then, otherwise))
    }

    /// `a && b`, `a || b` as 0 or 1.
    pub(super) fn logical_value(&mut self, and: bool, a: &Expr, b: &Expr) -> Lowered<Value> {
        self.value_of_branch([1, 0], |lower, then, otherwise| {
            let middle = lower.f.b.create_block();
            match and {
                true => lower.branch_on(a, middle, otherwise)?,
                false => lower.branch_on(a, then, middle)?,
            }
            lower.f.b.start(middle);
            lower.branch_on(b, then, otherwise)
        })
    }

    /// One constant where the branch goes to its first block, the other where it goes to its second.
    pub(super) fn value_of_branch(
        &mut self,
        values: [i64; 2],
        branch: impl FnOnce(&mut Self, Block, Block) -> Lowered<()>,
    ) -> Lowered<Value> {
        let (then, otherwise, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        branch(self, then, otherwise)?;
        let result = self.f.b.declare_var(Ty::I64);
        for (block, n) in [(then, values[0]), (otherwise, values[1])] {
            self.f.b.start(block);
            let value = self.f.b.iconst(n);
            self.f.b.def_var(result, value);
            self.f.b.jump(end, &[]);
        }
        self.f.b.start(end);
        let result = self.f.b.use_var(result);
        Ok(self.joined(result))
    }
}
