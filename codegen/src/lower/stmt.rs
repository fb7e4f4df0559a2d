//! Statements.

use super::Lowered;
use super::frame::{Leave, Lower};
use super::iterator;
use super::memory::{Fill, Place};
use super::visit;
use crate::ir::{Cond, Ty, Value, Width};
use crate::object::{Control, ProgramType};
use rbtrace_lang::hir::{EmitKind, Expr, ExprKind, LocalId, Stmt, StmtKind};
use rbtrace_lang::target::Target;
use rbtrace_lang::types::U64;

impl Lower<'_, '_> {
    /// The program: the predicate, then the body.
    pub(super) fn body(&mut self) -> Lowered<()> {
        self.skip_after_exit();
        self.skip_end_of_list()?;
        self.predicate()?;
        self.write_mark()?;
        self.actions()
    }

    /// Ends the program of an interval that has asked for the end: until it is detached it would fire again.
    fn skip_after_exit(&mut self) {
        let interval = self.plan.attach.iter().all(|a| matches!(a.target, Target::Interval(_)));
        if !interval || !visit::exits(self.probe) {
            return;
        }
        let (run, skip) = (self.f.b.create_block(), self.f.b.create_block());
        let word = self.control(Control::EXIT);
        let asked = self.f.b.load(Width::B8, false, word, 0);
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Ne, asked, zero, skip, run);
        self.f.b.start(skip);
        self.return_zero();
        self.f.b.start(run);
    }

    /// Ends the program of an iterator behind the last object, where the kernel runs it once more, with none.
    fn skip_end_of_list(&mut self) -> Lowered<()> {
        if self.iterator().is_none() {
            return Ok(());
        }
        let (run, skip) = (self.f.b.create_block(), self.f.b.create_block());
        let object = self.ctx_word(iterator::OBJECT, &U64, self.probe.span)?;
        self.branch_null(object, skip, run);
        self.f.b.start(skip);
        self.return_zero();
        self.f.b.start(run);
        Ok(())
    }

    /// Ends the program where the predicate is false.
    pub(super) fn predicate(&mut self) -> Lowered<()> {
        if let Some(predicate) = &self.probe.predicate {
            let (run, skip) = (self.f.b.create_block(), self.f.b.create_block());
            self.branch_on(predicate, run, skip)?;
            self.f.b.start(skip);
            self.return_zero();
            self.f.b.start(run);
        }
        Ok(())
    }

    /// What stands between the braces.
    pub(super) fn actions(&mut self) -> Lowered<()> {
        let probe = self.probe;
        self.f.b.set_span(probe.span);
        for n in 0..probe.locals.len() as u32 {
            if !self.uses.is_declared(LocalId(n)) {
                self.declare(LocalId(n), &probe.body)?;
            }
        }
        self.stmts(&probe.body)?;
        self.f.b.set_span(probe.span);
        self.return_zero();
        Ok(())
    }

    pub(super) fn return_zero(&mut self) {
        let zero = self.f.b.iconst(0);
        self.f.b.ret(zero);
    }

    /// Statements in order, up to one that leaves.
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) -> Lowered<()> {
        for (n, stmt) in stmts.iter().enumerate() {
            if !self.f.b.is_reachable() {
                break;
            }
            let outer = self.f.b.set_span(stmt.span);
            self.after = self.printed_before(stmt, &stmts[..n]);
            match &stmt.kind {
                StmtKind::Declare(local) => self.declare(*local, &stmts[n + 1..])?,
                kind => self.stmt(kind, stmt)?,
            }
            self.f.b.set_span(outer);
        }
        Ok(())
    }

    /// Where a statement empties a map that one before it prints: the kind of that one's record.
    fn printed_before(&self, stmt: &Stmt, before: &[Stmt]) -> Option<u32> {
        let (EmitKind::Clear(map) | EmitKind::Zero(map)) = emitted(stmt)? else { return None };
        let prints = |s: &&Stmt| matches!(emitted(s), Some(EmitKind::PrintMap { map: m, .. }) if m == map);
        let print = before.iter().rev().find(prints)?;
        self.shared.print_of(*map, print.span)
    }

    fn stmt(&mut self, kind: &StmtKind, stmt: &Stmt) -> Lowered<()> {
        match kind {
            StmtKind::Expr(e) => self.effect(e).map(|_| ()),
            StmtKind::Declare(_) => Ok(()),
            StmtKind::AssignLocal(local, value) => self.assign_local(*local, value),
            StmtKind::AssignMap { map, key, value } => self.assign_map(*map, key.as_ref(), value),
            StmtKind::Aggregate { map, key, agg, value, time } => {
                self.aggregate(*map, key.as_ref(), *agg, (value.as_ref(), time.as_ref()), stmt.span)
            }
            StmtKind::If { cond, then, otherwise } => self.if_else(cond, then, otherwise),
            StmtKind::While { cond, body } => self.while_loop(cond, body),
            StmtKind::ForRange { var, start, end, body } => self.for_range(*var, start, end, body),
            StmtKind::ForMap { var, map, body } => self.for_map(*var, *map, body, stmt.span),
            StmtKind::Unroll { count, body } => self.unroll(*count, body),
            StmtKind::Break => self.leave_round(stmt, true),
            StmtKind::Continue => self.leave_round(stmt, false),
            StmtKind::Return(value) => {
                let value = match value {
                    Some(value) => self.scalar(value)?,
                    None => self.f.b.iconst(0),
                };
                // What the program of an iterator returns says how the list goes on.
                let value = if self.iterator().is_some() { self.f.b.iconst(0) } else { value };
                self.leave(value);
                Ok(())
            }
            StmtKind::Block(body) => self.stmts(body),
            StmtKind::Emit(emit) => self.emit(emit, stmt.span),
            StmtKind::Exit(code) => self.exit(code.as_ref()),
        }
    }

    /// Begins a variable's scope with zero, unless the first statement that names it assigns all of it.
    fn declare(&mut self, local: LocalId, following: &[Stmt]) -> Lowered<()> {
        let ty = self.probe.locals[local.0 as usize].ty.clone();
        if self.var_type(local).is_some() {
            let zero = self.f.b.ins(crate::ir::Op::Const(0), super::frame::scalar_ty(&ty));
            self.set_local(local, zero);
            return Ok(());
        }
        let first = following.iter().find(|s| visit::stmt_mentions(s, local));
        let assigned = match first.map(|s| &s.kind) {
            None => return Ok(()),
            Some(StmtKind::AssignLocal(target, value)) => *target == local && !visit::mentions(value, local),
            Some(_) => false,
        };
        if let (false, Some(place)) = (assigned, self.local_place(local)) {
            self.zero(&place, ty.size());
        }
        Ok(())
    }

    fn assign_local(&mut self, local: LocalId, value: &Expr) -> Lowered<()> {
        let ty = self.probe.locals[local.0 as usize].ty.clone();
        if ty.is_scalar() {
            let number = self.scalar(value)?;
            let keeps_pointer = super::frame::scalar_ty(&ty) != Ty::I64;
            let number = if keeps_pointer { number } else { self.as_number(number) };
            self.set_local(local, number);
            return Ok(());
        }
        let Some(place) = self.local_place(local) else { return Ok(()) };
        let fill = if place.padded { Fill::Padded } else { Fill::Loose };
        if visit::mentions(value, local) {
            let copy = self.materialize(value)?;
            return self.copy_as(&copy, &value.ty, &place, &ty, fill);
        }
        self.store_as(value, &ty, &place, fill)
    }

    fn if_else(&mut self, cond: &Expr, then: &[Stmt], otherwise: &[Stmt]) -> Lowered<()> {
        let (yes, end) = (self.f.b.create_block(), self.f.b.create_block());
        let no = if otherwise.is_empty() { end } else { self.f.b.create_block() };
        self.branch_on(cond, yes, no)?;
        self.f.b.start(yes);
        self.stmts(then)?;
        self.f.b.jump(end, &[]);
        if no != end {
            self.f.b.start(no);
            self.stmts(otherwise)?;
            self.f.b.jump(end, &[]);
        }
        self.f.b.start(end);
        Ok(())
    }

    /// Leaves the program with a value, from whatever callback.
    pub(super) fn leave(&mut self, value: Value) {
        match self.f.leave {
            Leave::Program => self.f.b.ret(value),
            Leave::Callback { context, on_break } => {
                let place = Place::ptr(context);
                let one = self.f.b.iconst(1);
                self.store_scalar(&place.at(super::nest::STATUS), 8, one);
                self.store_scalar(&place.at(super::nest::RESULT), 8, value);
                self.f.b.jump(on_break, &[]);
            }
        }
    }

    /// `exit(code)`: leaves word to user space, wakes it where it sleeps, and leaves the program.
    fn exit(&mut self, code: Option<&Expr>) -> Lowered<()> {
        let code = match code {
            Some(code) => self.scalar(code)?,
            None => self.f.b.iconst(0),
        };
        let code_word = self.control(Control::EXIT_CODE);
        self.f.b.store(Width::B8, code_word, 0, code);
        let exit_word = self.control(Control::EXIT);
        let one = self.f.b.iconst(1);
        self.f.b.store(Width::B8, exit_word, 0, one);
        // Of an iterator the rest of the list is still to come.
        if self.plan.load.ty != ProgramType::TestRun && self.iterator().is_none() {
            self.mark_exit();
        }
        let zero = self.f.b.iconst(0);
        self.leave(zero);
        Ok(())
    }
}

/// What a statement sends, if that is all it does.
fn emitted(stmt: &Stmt) -> Option<&EmitKind> {
    match &stmt.kind {
        StmtKind::Emit(emit) => Some(&emit.kind),
        StmtKind::Expr(Expr { kind: ExprKind::Emit(emit), .. }) => Some(&emit.kind),
        _ => None,
    }
}
