//! Loop bodies as functions that a helper calls, with the nest's record as their context.

use super::Lowered;
use super::frame::{Home, Leave, LoopTarget, Lower, OpenFunction};
use super::memory::Place;
use super::nest::{AREA, CONTEXT, MAX_FRAMES, Nest, RESULT, Round, STATUS, Within};
use super::visit::{self, Captures};
use crate::builder::{FunctionBuilder, Var};
use crate::helpers;
use crate::ir::{Cond, FuncId, Op, Space, Ty, Value, Width};
use crate::layout;
use rbtrace_lang::hir::{LocalId, MapId, Stmt};
use rbtrace_lang::types::{Type, U64};
use rbtrace_lang::{Diagnostic, Span};
use std::rc::Rc;

/// Locals of the functions around it that a callback keeps in registers.
const MOST_VARS: usize = 6;

/// A loop body that is ready to be called.
pub(super) struct Callback {
    /// The function, as a helper takes it.
    pub(super) func: Value,
    /// The nest's record, as a helper takes it.
    pub(super) context: Value,
    captures: Captures,
    nest: Rc<Nest>,
}

impl Lower<'_, '_> {
    /// Builds a callback. `params` end with its context; `start`: where a range starts, if it is not constant.
    pub(super) fn callback(
        &mut self,
        params: &[Ty],
        round: Round,
        start: Option<Value>,
        build: impl FnOnce(&mut Self, Option<Value>) -> Lowered<()>,
    ) -> Lowered<Callback> {
        self.check_depth()?;
        let captures = round.captures();
        let (nest, context) = match &self.f.within {
            Some(within) => (within.nest.clone(), within.record),
            None => self.outermost(round, &captures),
        };
        self.fill_record(&nest, context, &captures);
        let start_at = round.var.and_then(|var| nest.starts.get(&var).copied()).filter(|_| start.is_some());
        if let (Some(start), Some(at)) = (start, start_at) {
            self.store_scalar(&Place::ptr(context).at(at), 8, start);
        }
        let id = self.reserve_func();
        self.build_callback(id, params, &nest, &captures, |lower, record| {
            let start = start_at.map(|at| load(&mut lower.f.b, record, at, Ty::I64));
            build(lower, start)
        })?;
        let func = self.f.b.ins(Op::FuncAddr(id), Ty::Ptr(Space::Func));
        Ok(Callback { func, context, captures, nest })
    }

    /// May this function call back one more?
    fn check_depth(&self) -> Lowered<()> {
        if self.f.depth < MAX_FRAMES {
            return Ok(());
        }
        let most = MAX_FRAMES - if self.own == 0 { 1 } else { 2 };
        let message =
            format!("This loop is nested too deeply: the kernel runs {most} loops within each other");
        Err(Diagnostic::error(self.f.b.span(), message)
            .hint("collect what it needs in a map, and loop over that"))
    }

    /// Makes the record of a nest, with all that stays the same in it.
    fn outermost(&mut self, round: Round, captures: &Captures) -> (Rc<Nest>, Value) {
        let nest = Rc::new(Nest::new(round, &self.area));
        let record = self.slot(nest.size);
        self.f.b.keep_on_stack(record);
        let place = Place::slot(record);
        if captures.leaves {
            let status = self.opaque_zero();
            self.store_scalar(&place.at(STATUS), 8, status);
            self.zero(&place.at(RESULT), 8);
        }
        if let (true, Some(ctx)) = (captures.context, self.f.ctx) {
            self.store_scalar(&place.at(CONTEXT), 8, ctx);
        }
        for (&local, &offset) in &nest.locals {
            if let Home::Slot(slot) = self.home(local) {
                if nest.assigned.contains(&local) {
                    // On the stack it would be what it is before the loop, in all rounds (`opaque_zero`).
                    self.f.b.keep_off_stack(slot);
                }
                let address = self.slot_addr(slot);
                self.store_scalar(&place.at(offset), 8, address);
            }
        }
        if nest.area {
            let area = self.area_place();
            let area = self.address(&area);
            self.store_scalar(&place.at(AREA), 8, area);
        }
        let address = self.slot_addr(record);
        (nest, address)
    }

    /// Writes the scalars that the body needs, so that the verifier knows nothing of them.
    fn fill_record(&mut self, nest: &Nest, record: Value, captures: &Captures) {
        for (&local, &offset) in &nest.locals {
            if !captures.locals.contains(&local) {
                continue;
            }
            let value = match self.home(local) {
                Home::Var(var) => {
                    let value = self.f.b.use_var(var);
                    self.hide(value)
                }
                Home::Cell(..) if self.assigned_here(local) => self.load_cell(local, record, offset),
                // The record has it already.
                Home::Cell(..) | Home::Slot(_) | Home::Ptr(_) | Home::Area(_) => continue,
            };
            self.store_scalar(&Place::ptr(record).at(offset), 8, value);
        }
    }

    /// May the local change in this callback?
    fn assigned_here(&self, local: LocalId) -> bool {
        self.f.within.as_ref().is_none_or(|w| w.assigned.contains(&local))
    }

    fn build_callback(
        &mut self,
        id: FuncId,
        params: &[Ty],
        nest: &Rc<Nest>,
        captures: &Captures,
        build: impl FnOnce(&mut Self, Value) -> Lowered<()>,
    ) -> Lowered<()> {
        let span = self.f.b.span();
        let mut b = FunctionBuilder::new(format!("loop{}", id.0), params, span);
        let record = b.param(params.len() - 1);
        let (on_break, on_continue) = (b.create_block(), b.create_block());
        let ctx = captures.context.then(|| load(&mut b, record, CONTEXT, Ty::Ptr(Space::Ctx)));
        let leave = Leave::Callback { context: record, on_break };
        let mut frame = OpenFunction::new(b, ctx, self.probe.locals.len(), leave);
        let assigned = captures.assigned.clone();
        frame.within = Some(Within { nest: nest.clone(), record, assigned });
        frame.depth = self.f.depth + 1;
        frame.loops.push(LoopTarget { on_break, on_continue });
        let outer = std::mem::replace(&mut self.f, frame);
        self.load_locals(nest, record, captures);
        let built = build(self, record);
        self.close_callback(nest, record, captures, [on_break, on_continue]);
        let inner = std::mem::replace(&mut self.f, outer);
        self.define_func(id, inner.b.finish());
        built
    }

    /// Gives the locals of the callback their homes. What it might have to hand on to a loop within stays in the
    /// record, the rest becomes SSA variables.
    fn load_locals(&mut self, nest: &Nest, record: Value, captures: &Captures) {
        if nest.area {
            let area = load(&mut self.f.b, record, AREA, Ty::Ptr(Space::Stack));
            self.f.area = Some(Place::ptr(area));
        }
        for (&local, &offset) in &nest.locals {
            let home = match self.var_type(local) {
                None => Home::Ptr(load(&mut self.f.b, record, offset, Ty::Ptr(Space::Stack))),
                Some(_) if !captures.locals.contains(&local) => continue,
                Some(_) if captures.loops || captures.locals.len() > MOST_VARS => Home::Cell(record, offset),
                Some(ty) => {
                    let var = self.f.b.declare_var(ty);
                    let value = load(&mut self.f.b, record, offset, ty);
                    self.f.b.def_var(var, value);
                    Home::Var(var)
                }
            };
            self.f.homes[local.0 as usize] = Some(home);
        }
    }

    /// Ends the callback: 0 goes on, 1 stops; what it changed is written back before.
    fn close_callback(
        &mut self,
        nest: &Nest,
        record: Value,
        captures: &Captures,
        [on_break, on_continue]: [crate::ir::Block; 2],
    ) {
        let end = self.f.b.create_block();
        let code: Var = self.f.b.declare_var(Ty::I64);
        self.f.b.jump(on_continue, &[]);
        for (block, n) in [(on_continue, 0), (on_break, 1)] {
            self.f.b.start(block);
            let value = self.f.b.iconst(n);
            self.f.b.def_var(code, value);
            self.f.b.jump(end, &[]);
        }
        self.f.b.start(end);
        for (local, offset) in changed(nest, captures) {
            if let Home::Var(var) = self.home(local) {
                let value = self.f.b.use_var(var);
                self.store_scalar(&Place::ptr(record).at(offset), 8, value);
            }
        }
        let code = self.f.b.use_var(code);
        self.f.b.ret(code);
    }

    /// What the callback changed comes back, and the program is left where the body left it.
    pub(super) fn after_callback(&mut self, call: &Callback) -> Lowered<()> {
        let record = call.context;
        for (local, offset) in changed(&call.nest, &call.captures) {
            if let (Some(ty), Home::Var(_)) = (self.var_type(local), self.home(local)) {
                let value = load(&mut self.f.b, record, offset, ty);
                let value = self.hide(value);
                self.set_local(local, value);
            }
        }
        if !call.captures.leaves {
            return Ok(());
        }
        let (left, on) = (self.f.b.create_block(), self.f.b.create_block());
        let status = load(&mut self.f.b, record, STATUS, Ty::I64);
        let status = self.hide(status);
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Ne, status, zero, left, on);
        self.f.b.start(left);
        match self.f.leave {
            // The record says it already, to all loops of the nest.
            Leave::Callback { on_break, .. } => self.f.b.jump(on_break, &[]),
            Leave::Program => {
                let result = load(&mut self.f.b, record, RESULT, Ty::I64);
                self.f.b.ret(result);
            }
        }
        self.f.b.start(on);
        Ok(())
    }

    /// Loads a scalar of the nest's record. What it is after a loop within, or in another round, the verifier of older
    /// kernels does not know, but thinks that it does.
    pub(super) fn load_cell(&mut self, local: LocalId, record: Value, offset: u32) -> Value {
        let ty = super::frame::scalar_ty(&self.probe.locals[local.0 as usize].ty);
        let value = load(&mut self.f.b, record, offset, ty);
        if self.assigned_here(local) { self.hide(value) } else { value }
    }

    /// `for ($kv : @map)`
    pub(super) fn for_map(&mut self, var: LocalId, map: MapId, body: &[Stmt], span: Span) -> Lowered<()> {
        if !self.can_call(helpers::FOR_EACH_MAP_ELEM) {
            return self.unsupported(span, "This kernel cannot loop over maps (5.13 or newer can)");
        }
        if self.shared.program.map(map).key.is_none() {
            return self.unsupported(span, "A map without keys cannot be looped over");
        }
        let params = [
            Ty::Ptr(Space::Map),
            Ty::Ptr(Space::MapValue),
            Ty::Ptr(Space::MapValue),
            Ty::Ptr(Space::Callback),
        ];
        let round = Round { cond: None, body, var: Some(var), starts: false };
        let call = self.callback(&params, round, None, |lower, _| {
            lower.bind_pair(var, map, body, span)?;
            lower.stmts(body)
        })?;
        self.each_entry(map, call.func, call.context);
        self.after_callback(&call)
    }

    fn each_entry(&mut self, map: MapId, func: Value, context: Value) -> Value {
        let map = self.script_map_ref(map);
        let flags = self.f.b.iconst(0);
        self.call(helpers::FOR_EACH_MAP_ELEM, &[map, func, context, flags])
    }

    /// Gives the loop's variable its value: the entry's key and value where they lie, or a copy of both
    /// where the variable is more than that.
    fn bind_pair(&mut self, var: LocalId, map: MapId, body: &[Stmt], span: Span) -> Lowered<()> {
        let key = Place::ptr(self.f.b.param(1)).padded();
        let value = match self.is_aggregate(map) {
            None => Place::ptr(self.f.b.param(2)),
            Some(agg) => {
                let key = self.f.b.param(1);
                let (first, second) = self.merge(map, key, agg, span)?;
                let number = match agg {
                    rbtrace_lang::types::Agg::Avg { signed } => self.average(first, second, signed)?,
                    _ => first,
                };
                let place = Place::slot(self.slot(16));
                self.store_scalar(&place, 8, number);
                self.store_scalar(&place.at(8), 8, second);
                place
            }
        };
        let key_ty = self.shared.program.map(map).key.clone().unwrap_or(U64);
        let value_ty = match self.is_aggregate(map) {
            Some(agg) => agg.scalar().unwrap_or(Type::Agg(agg)),
            None => self.shared.program.map(map).value.clone(),
        };
        let pair = [(key, key_ty), (value, value_ty)];
        if visit::stays_pair(body, var) {
            self.f.pairs.push((var, pair));
            return Ok(());
        }
        let ty = self.probe.locals[var.0 as usize].ty.clone();
        match self.local_place(var) {
            Some(place) => self.copy_pair(&pair, &place, &ty, super::memory::Fill::Loose),
            None => self.unsupported(span, "The variable of this loop is no pair"),
        }
    }

    /// `len(@m)`: the number of entries that the helper walks over.
    pub(super) fn map_len(&mut self, map: MapId) -> Lowered<Value> {
        let span = self.f.b.span();
        if self.shared.program.map(map).key.is_none() {
            let set = layout::set_word(&self.shared.program.map(map).value);
            let place = self.single(map).at(set);
            return self.load_scalar(&place, &U64);
        }
        if !self.can_call(helpers::FOR_EACH_MAP_ELEM) {
            return self
                .unsupported(span, "This kernel cannot count the entries of a map (5.13 or newer can)");
        }
        self.check_depth()?;
        let id = self.reserve_func();
        let params = [
            Ty::Ptr(Space::Map),
            Ty::Ptr(Space::MapValue),
            Ty::Ptr(Space::MapValue),
            Ty::Ptr(Space::Callback),
        ];
        let mut b = FunctionBuilder::new(format!("count{}", id.0), &params, span);
        let zero = b.iconst(0);
        b.ret(zero);
        self.define_func(id, b.finish());
        let func = self.f.b.ins(Op::FuncAddr(id), Ty::Ptr(Space::Func));
        let context = self.f.b.iconst(0);
        Ok(self.each_entry(map, func, context))
    }
}

/// Scalars that a body may have changed, and their offsets in the record.
fn changed(nest: &Nest, captures: &Captures) -> Vec<(LocalId, u32)> {
    captures.assigned.iter().filter_map(|local| Some((*local, *nest.locals.get(local)?))).collect()
}

/// Loads a word of any type.
fn load(b: &mut FunctionBuilder, ptr: Value, offset: u32, ty: Ty) -> Value {
    b.ins(Op::Load { width: Width::B8, signed: false, ptr, offset: offset as i32 }, ty)
}
