//! Loop bodies as functions that a helper calls.
//!
//! What a body needs of the function around it travels in one record on the stack of that function:
//!
//! | offset | what |
//! |---|---|
//! | 0 | status: 1 when the body left the program, where it may |
//! | 8 | the program's result then |
//! | 16 … | 8 bytes each: the context, values of the caller, scalars by value, other locals by address |

use super::Lowered;
use super::area::Area;
use super::frame::{Frame, Home, Leave, LoopTarget, Lower};
use super::memory::Place;
use super::visit::{self, Captures};
use crate::builder::{FunctionBuilder, Var};
use crate::helpers;
use crate::ir::{Alu, Cond, FuncId, Op, Slot, Space, Ty, Value, Width};
use crate::layout;
use crate::object::Control;
use rbtrace_lang::Span;
use rbtrace_lang::hir::{Expr, LocalId, MapId, Stmt};
use rbtrace_lang::types::{Type, U64};

/// Offset of the status word.
pub(super) const STATUS: u32 = 0;
/// Offset of the result that goes with it.
pub(super) const RESULT: u32 = 8;
/// Offset of what is captured.
const CAPTURED: u32 = 16;

/// A loop body that is ready to be called.
pub(super) struct Callback {
    /// The function, as a helper takes it.
    pub(super) func: Value,
    /// Its record, as a helper takes it; 0 where it needs none.
    pub(super) context: Value,
    record: Slot,
    /// Scalars that the body may have changed, with their offsets.
    changed: Vec<(LocalId, u32)>,
    leaves: bool,
}

/// What one callback's record holds.
struct Plan {
    captures: Captures,
    locals: Vec<(LocalId, u32)>,
    values: u32,
    /// Where the area's address stands, if it is needed.
    area: Option<u32>,
    size: u32,
}

fn plan(captures: Captures, values: usize, area: &Area) -> Plan {
    let values_at = CAPTURED + 8;
    let mut at = values_at + 8 * values as u32;
    let mut word = || {
        at += 8;
        at - 8
    };
    let (in_area, own): (Vec<_>, Vec<_>) =
        captures.locals.iter().copied().partition(|l| area.offset(*l).is_some());
    let locals: Vec<_> = own.into_iter().map(|local| (local, word())).collect();
    let area = (!in_area.is_empty()).then(word);
    Plan { captures, locals, values: values_at, area, size: at }
}

impl Lower<'_, '_> {
    /// Builds a callback. `params` end with its context; `values` are numbers that `build` wants to have;
    /// `own` is the loop's variable.
    pub(super) fn callback(
        &mut self,
        params: &[Ty],
        values: &[Value],
        cond: Option<&Expr>,
        body: &[Stmt],
        own: Option<LocalId>,
        build: impl FnOnce(&mut Self, &[Value]) -> Lowered<()>,
    ) -> Lowered<Callback> {
        let plan = plan(visit::captures(cond, body, own), values.len(), &self.area);
        let record = self.slot(plan.size);
        self.f.b.keep_on_stack(record);
        let by_value = self.fill_record(&plan, record, values)?;
        let id = self.reserve_func();
        self.build_callback(id, params, &plan, &by_value, build)?;
        let func = self.f.b.ins(Op::FuncAddr(id), Ty::Ptr(Space::Func));
        let context = self.slot_addr(record);
        let changed = by_value.into_iter().filter(|(l, _)| plan.captures.assigned.contains(l)).collect();
        Ok(Callback { func, context, record, changed, leaves: plan.captures.leaves })
    }

    /// Writes what the body needs; the result lists the locals that travel by value.
    fn fill_record(&mut self, plan: &Plan, record: Slot, values: &[Value]) -> Lowered<Vec<(LocalId, u32)>> {
        let place = Place::slot(record);
        if plan.captures.leaves {
            let status = self.opaque_zero();
            self.store_scalar(&place.at(STATUS), 8, status);
            self.zero(&place.at(RESULT), 8);
        }
        if let (true, Some(ctx)) = (plan.captures.context, self.f.ctx) {
            self.store_scalar(&place.at(CAPTURED), 8, ctx);
        }
        for (n, &value) in values.iter().enumerate() {
            self.store_scalar(&place.at(plan.values + 8 * n as u32), 8, value);
        }
        if let Some(offset) = plan.area {
            let area = self.area_place();
            let area = self.address(&area);
            self.store_scalar(&place.at(offset), 8, area);
        }
        let mut by_value = vec![];
        for &(local, offset) in &plan.locals {
            let home = self.home(local);
            let value = match (home, self.place_of_home(home)) {
                (Home::Var(var), _) => {
                    by_value.push((local, offset));
                    let value = self.f.b.use_var(var);
                    self.hide(value)
                }
                (_, Some(place)) => self.address(&place),
                (_, None) => continue,
            };
            self.store_scalar(&place.at(offset), 8, value);
        }
        Ok(by_value)
    }

    fn build_callback(
        &mut self,
        id: FuncId,
        params: &[Ty],
        plan: &Plan,
        by_value: &[(LocalId, u32)],
        build: impl FnOnce(&mut Self, &[Value]) -> Lowered<()>,
    ) -> Lowered<()> {
        let span = self.f.b.span();
        let mut b = FunctionBuilder::new(format!("loop{}", id.0), params, span);
        let context = b.param(params.len() - 1);
        let (on_break, on_continue) = (b.create_block(), b.create_block());
        let ctx = plan.captures.context.then(|| load_ptr(&mut b, context, CAPTURED, Ty::Ptr(Space::Ctx)));
        let leave = Leave::Callback { context, on_break };
        let mut frame = Frame::new(b, ctx, self.probe.locals.len(), leave);
        frame.loops.push(LoopTarget { on_break, on_continue });
        let outer = std::mem::replace(&mut self.f, frame);
        let values = self.load_captures(context, plan, by_value);
        let built = build(self, &values);
        self.close_callback(context, plan, by_value, [on_break, on_continue]);
        let inner = std::mem::replace(&mut self.f, outer);
        self.define_func(id, inner.b.finish());
        built
    }

    /// Gives the locals of the callback their homes.
    fn load_captures(&mut self, context: Value, plan: &Plan, by_value: &[(LocalId, u32)]) -> Vec<Value> {
        for &(local, offset) in &plan.locals {
            let home = if by_value.contains(&(local, offset)) {
                let ty = super::frame::scalar_ty(&self.probe.locals[local.0 as usize].ty);
                let var = self.f.b.declare_var(ty);
                let value = load_ptr(&mut self.f.b, context, offset, ty);
                self.f.b.def_var(var, value);
                Home::Var(var)
            } else {
                Home::Ptr(load_ptr(&mut self.f.b, context, offset, Ty::Ptr(Space::Stack)))
            };
            self.f.homes[local.0 as usize] = Some(home);
        }
        if let Some(offset) = plan.area {
            let area = load_ptr(&mut self.f.b, context, offset, Ty::Ptr(Space::Stack));
            self.f.area = Some(Place::ptr(area));
        }
        let given = plan.locals.first().map(|&(_, at)| at).or(plan.area).unwrap_or(plan.size);
        (plan.values..given).step_by(8).map(|at| load_ptr(&mut self.f.b, context, at, Ty::I64)).collect()
    }

    /// Ends the callback: 0 goes on, 1 stops; what it changed is written back before.
    fn close_callback(
        &mut self,
        context: Value,
        plan: &Plan,
        by_value: &[(LocalId, u32)],
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
        for &(local, offset) in by_value.iter().filter(|(l, _)| plan.captures.assigned.contains(l)) {
            if let Home::Var(var) = self.home(local) {
                let value = self.f.b.use_var(var);
                self.store_scalar(&Place::ptr(context).at(offset), 8, value);
            }
        }
        let code = self.f.b.use_var(code);
        self.f.b.ret(code);
    }

    /// What the callback changed comes back, and the program is left where the body left it.
    pub(super) fn after_callback(&mut self, call: Callback) -> Lowered<()> {
        let record = Place::slot(call.record);
        for (local, offset) in call.changed {
            let ty = super::frame::scalar_ty(&self.probe.locals[local.0 as usize].ty);
            let from = self.slot_addr(call.record);
            let value = load_ptr(&mut self.f.b, from, offset, ty);
            let value = self.hide(value);
            self.set_local(local, value);
        }
        if !call.leaves {
            return Ok(());
        }
        let (left, on) = (self.f.b.create_block(), self.f.b.create_block());
        let status = self.load_scalar(&record.at(STATUS), &U64)?;
        let status = self.hide(status);
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Ne, status, zero, left, on);
        self.f.b.start(left);
        let result = self.load_scalar(&record.at(RESULT), &U64)?;
        self.leave(result);
        self.f.b.start(on);
        Ok(())
    }

    /// A zero that the verifier does not know to be one.
    ///
    /// Kernels before 6.7 verify a callback as if it ran exactly once with what its record held at the
    /// call, and would drop code that only other rounds reach.
    fn opaque_zero(&mut self) -> Value {
        let word = self.control(Control::ZERO);
        self.f.b.load(Width::B8, false, word, 0)
    }

    /// The same number without what the verifier knows of it.
    fn hide(&mut self, value: Value) -> Value {
        if self.f.b.ty(value) != Ty::I64 {
            return value;
        }
        let zero = self.opaque_zero();
        self.f.b.alu(Alu::Or, value, zero)
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
        let call = self.callback(&params, &[], None, body, Some(var), |lower, _| {
            lower.bind_pair(var, map, body, span)?;
            lower.stmts(body)
        })?;
        self.each_entry(map, call.func, call.context);
        self.after_callback(call)
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

/// Loads a word of any type.
fn load_ptr(b: &mut FunctionBuilder, ptr: Value, offset: u32, ty: Ty) -> Value {
    b.ins(Op::Load { width: Width::B8, signed: false, ptr, offset: offset as i32 }, ty)
}
