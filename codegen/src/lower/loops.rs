//! Loops: short straight ones are left to the verifier, all others are callbacks of `bpf_loop`.
//!
//! The verifier follows a plain loop round by round, and in each round every path; a callback it forgets at its
//! end. So a loop with branches or with a loop within is a callback, and with it every loop around it.

use super::Lowered;
use super::frame::{LoopTarget, Lower};
use super::nest::{MAX_FRAMES, Round};
use super::visit;
use crate::builder::Var;
use crate::helpers;
use crate::ir::{Alu, Block, Cond, Space, Ty, Value};
use crate::object::Fault;
use rbtrace_lang::Diagnostic;
use rbtrace_lang::hir::{Expr, ExprKind, LocalId, Stmt};

/// Steps up to which a straight loop of known length is left to the verifier.
const PLAIN_STEPS: u64 = 512;
/// Rounds of a loop of unknown length where the kernel has no `bpf_loop`.
const BOUNDED_ROUNDS: i64 = 1024;
/// Rounds of nested loops that the verifier does not follow: it puts aside a branch or more in each of them, and gives up
/// with so many (`BPF_COMPLEXITY_LIMIT_JMP_SEQ` of kernel/bpf/verifier.c).
const TOO_MANY_ROUNDS: u64 = 8192;
/// `BPF_MAX_LOOPS` of `include/linux/bpf_verifier.h`.
const MAX_LOOPS: i64 = 8 * 1024 * 1024;

impl Lower<'_, '_> {
    /// `for ($i : start..end)`
    pub(super) fn for_range(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) -> Lowered<()> {
        let rounds = match (&start.kind, &end.kind) {
            (ExprKind::Const(a), ExprKind::Const(b)) => {
                Some((*b as i64).saturating_sub(*a as i64).max(0) as u64)
            }
            _ => None,
        };
        let signed = start.ty.is_signed();
        let first = self.scalar(start)?;
        let known = self.f.b.known_const(first);
        let last = self.scalar(end)?;
        let (first, last) = (self.tested(first), self.tested(last));
        let short = |n: u64| visit::steps(body).is_some_and(|steps| n.saturating_mul(steps) <= PLAIN_STEPS);
        match rounds {
            Some(n) if short(n) && !self.follows_none() => {
                self.plain_range(var, [first, last], signed, None, body)
            }
            // Too deep for one more call: the verifier has to follow it.
            Some(n) if n <= PLAIN_STEPS && self.f.depth == MAX_FRAMES => {
                self.plain_range(var, [first, last], signed, None, body)
            }
            _ if self.can_call(helpers::LOOP) => {
                let round = Round::range(var, start, body);
                self.range_callback(round, var, known, [first, last], signed)
            }
            Some(n) => self.rolled_out(n, |lower| lower.plain_range(var, [first, last], signed, None, body)),
            None => self.rolled_out(1, |lower| {
                lower.plain_range(var, [first, last], signed, Some(BOUNDED_ROUNDS), body)
            }),
        }
    }

    /// Is the verifier to follow no loop at all?
    fn follows_none(&self) -> bool {
        self.is_frugal() && self.f.depth < MAX_FRAMES && self.can_call(helpers::LOOP)
    }

    /// A loop that the verifier has to follow for this many rounds, in each round of the loops around it.
    fn rolled_out(&mut self, rounds: u64, build: impl FnOnce(&mut Self) -> Lowered<()>) -> Lowered<()> {
        let outer = self.f.rounds;
        self.f.rounds = outer.saturating_mul(rounds.max(1));
        if self.f.rounds > TOO_MANY_ROUNDS {
            let message = format!("This loop has too many rounds for this kernel ({})", self.f.rounds);
            let hint = "before Linux 5.17 there is no bpf_loop, and loops are followed round by round when they are loaded";
            return Err(Diagnostic::error(self.f.b.span(), message).hint(hint));
        }
        let done = build(self);
        self.f.rounds = outer;
        done
    }

    /// A loop in this function, cut off after `limit` rounds.
    fn plain_range(
        &mut self,
        var: LocalId,
        [first, last]: [Value; 2],
        signed: bool,
        limit: Option<i64>,
        body: &[Stmt],
    ) -> Lowered<()> {
        let counter = self.f.b.declare_var(Ty::I64);
        self.f.b.def_var(counter, first);
        let below = if signed { Cond::SLt } else { Cond::ULt };
        self.plain_loop(
            limit,
            |lower, round, end| {
                let now = lower.f.b.use_var(counter);
                lower.f.b.branch(below, now, last, round, end);
                Ok(())
            },
            |lower| {
                let now = lower.f.b.use_var(counter);
                lower.set_local(var, now);
                lower.stmts(body)
            },
            |lower| {
                let now = lower.f.b.use_var(counter);
                let next = lower.imm(Alu::Add, now, 1);
                lower.f.b.def_var(counter, next);
            },
        )
    }

    /// The frame of a loop: condition, body, step.
    fn plain_loop(
        &mut self,
        limit: Option<i64>,
        cond: impl FnOnce(&mut Self, Block, Block) -> Lowered<()>,
        body: impl FnOnce(&mut Self) -> Lowered<()>,
        step: impl FnOnce(&mut Self),
    ) -> Lowered<()> {
        let (head, round, next, end) = (
            self.f.b.create_block(),
            self.f.b.create_block(),
            self.f.b.create_block(),
            self.f.b.create_block(),
        );
        let rounds = self.f.b.declare_var(Ty::I64);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(rounds, zero);
        self.f.b.jump(head, &[]);
        self.f.b.switch_to(head);
        cond(self, round, end)?;
        self.f.b.start(round);
        self.f.loops.push(LoopTarget { on_break: end, on_continue: next });
        let done = body(self);
        self.f.loops.pop();
        done?;
        self.f.b.jump(next, &[]);
        self.f.b.start(next);
        step(self);
        match limit {
            None => self.f.b.jump(head, &[]),
            Some(limit) => self.next_bounded(rounds, limit, head, end),
        }
        self.f.b.seal(head);
        self.f.b.start(end);
        Ok(())
    }

    /// Runs `body` for 0, 1, … below `count`; it jumps to the block that it is given to go on. Goes to `end`
    /// after the last. Returns the counter.
    pub(super) fn counted(
        &mut self,
        count: u32,
        end: Block,
        body: impl FnOnce(&mut Self, Value, Block) -> Lowered<()>,
    ) -> Lowered<Var> {
        let index = self.f.b.declare_var(Ty::I64);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(index, zero);
        let (head, round, next) = (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        self.f.b.jump(head, &[]);
        self.f.b.switch_to(head);
        let now = self.f.b.use_var(index);
        let limit = self.f.b.iconst(i64::from(count));
        self.f.b.branch(Cond::ULt, now, limit, round, end);
        self.f.b.start(round);
        body(self, now, next)?;
        self.f.b.start(next);
        let after = self.imm(Alu::Add, now, 1);
        self.f.b.def_var(index, after);
        self.f.b.jump(head, &[]);
        self.f.b.seal(head);
        Ok(index)
    }

    /// The next round, unless there were too many.
    fn next_bounded(&mut self, rounds: Var, limit: i64, head: Block, end: Block) {
        let now = self.f.b.use_var(rounds);
        let now = self.imm(Alu::Add, now, 1);
        self.f.b.def_var(rounds, now);
        let cut = self.f.b.create_block();
        let limit = self.f.b.iconst(limit);
        self.f.b.branch_unlikely(Cond::UGe, now, limit, cut, head);
        self.f.b.start(cut);
        self.fault(Fault::LoopLimit);
        self.f.b.jump(end, &[]);
    }

    fn range_callback(
        &mut self,
        round: Round,
        var: LocalId,
        start: Option<i64>,
        [first, last]: [Value; 2],
        signed: bool,
    ) -> Lowered<()> {
        let below = if signed { Cond::SLt } else { Cond::ULt };
        let zero = self.f.b.iconst(0);
        let distance = self.f.b.alu(Alu::Sub, last, first);
        let rounds = self.select(below, first, last, distance, zero);
        self.fault_if(Cond::UGt, rounds, MAX_LOOPS, Fault::LoopLimit);
        let most = self.f.b.iconst(MAX_LOOPS);
        let rounds = self.select(Cond::ULe, rounds, most, rounds, most);
        // Where the verifier knows that there is no round, it drops the body but keeps its address, and gives up (6.18).
        let rounds = self.hide(rounds);
        let params = [Ty::I64, Ty::Ptr(Space::Callback)];
        let call = self.callback(&params, round, start.is_none().then_some(first), |lower, first| {
            let index = lower.f.b.param(0);
            let now = match first {
                Some(first) => lower.f.b.alu(Alu::Add, first, index),
                None => lower.f.b.offset(index, start.unwrap_or(0)),
            };
            lower.set_local(var, now);
            lower.stmts(round.body)
        })?;
        let flags = self.f.b.iconst(0);
        self.call(helpers::LOOP, &[rounds, call.func, call.context, flags]);
        self.after_callback(&call)
    }

    /// `while (cond)`
    pub(super) fn while_loop(&mut self, cond: &Expr, body: &[Stmt]) -> Lowered<()> {
        if !self.can_call(helpers::LOOP) {
            return self.rolled_out(1, |lower| {
                lower.plain_loop(
                    Some(BOUNDED_ROUNDS),
                    |lower, round, end| lower.branch_on(cond, round, end),
                    |lower| lower.stmts(body),
                    |_| {},
                )
            });
        }
        let params = [Ty::I64, Ty::Ptr(Space::Callback)];
        let round = Round { cond: Some(cond), body, var: None, starts: false };
        let call = self.callback(&params, round, None, |lower, _| {
            let round = lower.f.b.create_block();
            let end = lower.innermost_break();
            lower.branch_on(cond, round, end)?;
            lower.f.b.start(round);
            lower.stmts(body)
        })?;
        let most = self.f.b.iconst(MAX_LOOPS);
        let flags = self.f.b.iconst(0);
        let rounds = self.call(helpers::LOOP, &[most, call.func, call.context, flags]);
        self.fault_if(Cond::Eq, rounds, MAX_LOOPS, Fault::LoopLimit);
        self.after_callback(&call)
    }

    fn innermost_break(&mut self) -> Block {
        match self.f.loops.last() {
            Some(target) => target.on_break,
            None => self.f.b.create_block(),
        }
    }

    /// `unroll (count)`
    pub(super) fn unroll(&mut self, count: u32, body: &[Stmt]) -> Lowered<()> {
        let end = self.f.b.create_block();
        for _ in 0..count {
            let next = self.f.b.create_block();
            self.f.loops.push(LoopTarget { on_break: end, on_continue: next });
            let done = self.stmts(body);
            self.f.loops.pop();
            done?;
            self.f.b.jump(next, &[]);
            self.f.b.start(next);
        }
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// `break`, `continue`
    pub(super) fn leave_round(&mut self, stmt: &Stmt, stop: bool) -> Lowered<()> {
        let Some(&target) = self.f.loops.last() else {
            return Err(Diagnostic::error(stmt.span, "There is no loop around this"));
        };
        self.f.b.jump(if stop { target.on_break } else { target.on_continue }, &[]);
        Ok(())
    }
}
