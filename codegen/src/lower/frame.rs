//! The function that is being built, and where its variables live.

use super::area::Area;
use super::memory::Place;
use super::nest::Within;
use super::plan::{self, Plan};
use super::shared::{CONTROL, Shared};
use super::visit::LocalUses;
use super::{Lowered, visit};
use crate::builder::{FunctionBuilder, Var};
use crate::helpers;
use crate::ir::{Alu, AtomicOp, Block, Cond, FuncId, Function, Helper, Op, Slot, Space, Ty, Value, Width};
use crate::kernel::Kernel;
use crate::layout::{TEXT_SPARE, has_text};
use crate::object::{Control, Fault, Form, MapDef, ObjMapId};
use rbtrace_lang::context::Location;
use rbtrace_lang::hir::{LocalId, MapId, Probe};
use rbtrace_lang::target::Edge;
use rbtrace_lang::types::{AddrSpace, Type};
use rbtrace_lang::{Diagnostic, Span};

/// The lowering of one program: its functions, and what it shares with the others.
pub(super) struct Lower<'a, 'p> {
    pub(super) shared: &'a mut Shared<'p>,
    pub(super) probe: &'p Probe,
    pub(super) plan: Plan<'p>,
    pub(super) uses: LocalUses,
    /// Locals that live together in one piece of memory, where callbacks need many.
    pub(super) area: Area,
    pub(super) wants_cookie: bool,
    pub(super) all_registers: bool,
    /// The program serves tracepoints of system calls from this raw tracepoint.
    pub(super) raw_call: Option<Edge>,
    /// Where the registers of the interrupted code lie.
    pub(super) registers: Registers,
    /// Of a statement that empties a map: the kind of record that prints the map before.
    pub(super) after: Option<u32>,
    /// Finished functions and places for those under way.
    funcs: Vec<Option<Function>>,
    /// The place of the function that holds the body.
    pub(super) own: usize,
    /// The function under construction.
    pub(super) f: OpenFunction,
}

/// One function under construction.
pub(super) struct OpenFunction {
    pub(super) b: FunctionBuilder,
    /// Where each local lives in this function, once it was used.
    pub(super) homes: Vec<Option<Home>>,
    /// Where the locals of [`Lower::area`] lie, once one was used or where a callback was given it.
    pub(super) area: Option<Place>,
    /// The program's context, where this function has it.
    pub(super) ctx: Option<Value>,
    /// Where `break` and `continue` go, innermost last.
    pub(super) loops: Vec<LoopTarget>,
    /// How this function is left for good.
    pub(super) leave: Leave,
    /// Loop variables over maps that stand for the places of key and value.
    pub(super) pairs: Vec<(LocalId, Pair)>,
    /// The number, plus 1, of the attach point that fired, where it is looked up.
    pub(super) attach_id: Option<Value>,
    /// Values of locations that are known already.
    pub(super) known: Vec<(Location, Value)>,
    /// Rounds that the enclosing plain loops multiply to.
    pub(super) rounds: u64,
    /// How many numbers were tested so far.
    pub(super) tests: u32,
    /// The nest of loops that this function is a part of.
    pub(super) within: Option<Within>,
    /// Its number in the chain of calls, the program's own being 1.
    pub(super) depth: u32,
}

/// Where the registers of the interrupted code lie.
#[derive(Clone)]
pub(super) enum Registers {
    /// The program's context begins with them.
    InContext,
    /// The context's first word is their address; those from an offset on may be copied already.
    Behind(Option<(Place, u32)>),
}

/// Places and types of an entry's key and value.
pub(super) type Pair = [(Place, Type); 2];

/// Where a local lives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home {
    /// In an SSA variable, extended to 64 bits.
    Var(Var),
    /// In a slot.
    Slot(Slot),
    /// At a pointer, which outlives this function.
    Ptr(Value),
    /// At this offset in the area.
    Area(u32),
    /// A scalar at this offset of the nest's record.
    Cell(Value, u32),
}

/// Where `break` and `continue` go.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoopTarget {
    pub(super) on_break: Block,
    pub(super) on_continue: Block,
}

/// How `return` and `exit()` leave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leave {
    /// The program ends.
    Program,
    /// The callback stores at its context what the caller is to return and ends the loop.
    Callback { context: Value, on_break: Block },
}

impl OpenFunction {
    /// The frame of a program.
    pub(super) fn program(name: &str, context: Ty, probe: &Probe) -> OpenFunction {
        OpenFunction::body(name, &[context], probe)
    }

    /// The frame of a function whose first parameter is the context.
    pub(super) fn body(name: &str, params: &[Ty], probe: &Probe) -> OpenFunction {
        let b = FunctionBuilder::new(name, params, probe.span);
        let ctx = Some(b.param(0));
        OpenFunction::new(b, ctx, probe.locals.len(), Leave::Program)
    }

    pub(super) fn new(b: FunctionBuilder, ctx: Option<Value>, locals: usize, leave: Leave) -> OpenFunction {
        OpenFunction {
            b,
            homes: vec![None; locals],
            area: None,
            ctx,
            loops: vec![],
            leave,
            pairs: vec![],
            attach_id: None,
            known: vec![],
            rounds: 1,
            tests: 0,
            within: None,
            depth: 1,
        }
    }
}

impl<'a, 'p> Lower<'a, 'p> {
    pub(super) fn new(shared: &'a mut Shared<'p>, probe: &'p Probe, plan: Plan<'p>, f: OpenFunction) -> Self {
        let uses = visit::local_uses(probe);
        let area = Area::new(probe, plan.load.ty, shared.kernel);
        Lower {
            shared,
            probe,
            plan,
            uses,
            area,
            wants_cookie: false,
            all_registers: false,
            raw_call: None,
            registers: Registers::InContext,
            after: None,
            funcs: vec![None],
            own: 0,
            f,
        }
    }

    /// Puts the body at number `own` of functions that exist already.
    pub(super) fn place_at(&mut self, funcs: Vec<Option<Function>>, own: usize) {
        self.funcs = funcs;
        self.own = own;
    }

    pub(super) fn kernel(&self) -> &'p dyn Kernel {
        self.shared.kernel
    }

    /// Is everything to be as cheap to verify as can be?
    pub(super) fn is_frugal(&self) -> bool {
        self.shared.form == Form::Frugal
    }

    /// May this program call the helper?
    pub(super) fn can_call(&self, helper: Helper) -> bool {
        self.kernel().can_call(self.plan.load.ty, helper)
    }

    /// A number for a callback whose body is about to be built.
    pub(super) fn reserve_func(&mut self) -> FuncId {
        self.funcs.push(None);
        FuncId(self.funcs.len() as u32 - 1)
    }

    /// Puts a finished callback at its number.
    pub(super) fn define_func(&mut self, id: FuncId, func: Function) {
        self.funcs[id.0 as usize] = Some(func);
    }

    /// All functions, the program first.
    pub(super) fn finish(self) -> Vec<Function> {
        self.into_funcs().into_iter().flatten().collect()
    }

    /// All functions, with places for those that are yet to come.
    pub(super) fn into_funcs(mut self) -> Vec<Option<Function>> {
        self.funcs[self.own] = Some(self.f.b.finish());
        self.funcs
    }

    /// An error: this cannot be compiled.
    pub(super) fn unsupported<T>(&self, span: Span, what: impl Into<String>) -> Lowered<T> {
        Err(Diagnostic::error(span, what))
    }

    /// Where a local lives in this function.
    pub(super) fn home(&mut self, local: LocalId) -> Home {
        if let Some(home) = self.f.homes[local.0 as usize] {
            return home;
        }
        let home = match (self.area.offset(local), self.var_type(local)) {
            (Some(offset), _) => Home::Area(offset),
            (None, Some(ty)) => Home::Var(self.f.b.declare_var(ty)),
            (None, None) => {
                let ty = self.probe.locals[local.0 as usize].ty.clone();
                Home::Slot(self.slot_for(&ty))
            }
        };
        self.f.homes[local.0 as usize] = Some(home);
        home
    }

    /// The type of the SSA variable that a local is; `None` where it lies in memory.
    pub(super) fn var_type(&self, local: LocalId) -> Option<Ty> {
        let ty = &self.probe.locals[local.0 as usize].ty;
        let in_memory = self.uses.address_taken(local) || self.area.offset(local).is_some();
        (ty.is_scalar() && !in_memory).then(|| scalar_ty(ty))
    }

    /// The area, as this function sees it.
    pub(super) fn area_place(&mut self) -> Place {
        if let Some(place) = &self.f.area {
            return place.clone();
        }
        let slot = self.slot(self.area.size);
        // On the stack the verifier would think that it knows what is there after a loop.
        self.f.b.keep_off_stack(slot);
        let place = Place::slot(slot);
        self.f.area = Some(place.clone());
        place
    }

    /// A slot that holds a value of this type, with the spare byte that texts need.
    pub(super) fn slot_for(&mut self, ty: &Type) -> Slot {
        if ty.is_scalar() {
            // Exactly its bytes: that a key's are all known is what makes a second lookup the first one.
            return self.f.b.slot(ty.size(), 8);
        }
        let spare = if has_text(ty) { TEXT_SPARE } else { 0 };
        self.slot((ty.size() + spare).max(1))
    }

    /// A slot of this many bytes, aligned to 8.
    pub(super) fn slot(&mut self, bytes: u32) -> Slot {
        self.f.b.slot(bytes.next_multiple_of(8), 8)
    }

    /// Address of a slot.
    pub(super) fn slot_addr(&mut self, slot: Slot) -> Value {
        self.f.b.ins(Op::SlotAddr(slot), Ty::Ptr(Space::Stack))
    }

    /// A map, for a helper.
    pub(super) fn map_ref(&mut self, map: ObjMapId) -> Value {
        self.f.b.ins(Op::MapRef(map), Ty::Ptr(Space::Map))
    }

    /// The kernel object of a script's map, for a helper.
    pub(super) fn script_map_ref(&mut self, map: MapId) -> Value {
        let id = self.shared.map_id(map);
        self.map_ref(id)
    }

    /// The definition of a script's map.
    pub(super) fn script_def(&self, map: MapId) -> &MapDef {
        self.shared.def(self.shared.map_id(map))
    }

    /// Direct address within element 0 of an array map.
    pub(super) fn map_value(&mut self, map: ObjMapId, offset: u32) -> Value {
        self.f.b.ins(Op::MapValue(map, offset), Ty::Ptr(Space::MapValue))
    }

    /// Address of a word of the control map.
    pub(super) fn control(&mut self, word: u32) -> Value {
        self.map_value(CONTROL, Control::offset(word))
    }

    /// Calls a helper that returns a number.
    pub(super) fn call<const N: usize>(&mut self, helper: Helper, args: &[Value; N]) -> Value {
        self.f.b.ins(Op::Call(helper, (*args).into()), Ty::I64)
    }

    /// Calls a helper that returns a pointer, which may be null.
    pub(super) fn call_ptr<const N: usize>(
        &mut self,
        helper: Helper,
        args: &[Value; N],
        space: Space,
    ) -> Value {
        self.f.b.ins(Op::Call(helper, (*args).into()), Ty::Ptr(space))
    }

    /// Where a value lies for this program.
    pub(super) fn locate(&self, location: Location) -> Location {
        let moved = self.raw_call.and_then(|edge| plan::in_raw(edge, location));
        moved.unwrap_or(location)
    }

    /// The value of a location, where it is at hand.
    pub(super) fn known(&self, location: Location) -> Option<Value> {
        self.f.known.iter().find(|(l, _)| *l == location).map(|(_, value)| *value)
    }

    /// The program's context.
    pub(super) fn ctx(&self, span: Span) -> Lowered<Value> {
        self.f.ctx.ok_or_else(|| Diagnostic::error(span, "The probe's context cannot be used here"))
    }

    /// Is the memory that an unknown pointer points to the process's?
    pub(super) fn reads_user(&self) -> bool {
        self.probe.space == AddrSpace::User
    }

    /// Counts a fault here.
    pub(super) fn fault(&mut self, what: Fault) {
        let span = self.f.b.span();
        let counter = self.shared.counter(what, span);
        let ptr = self.control(Control::COUNTERS + counter);
        let value = self.f.b.iconst(1);
        self.f.b.effect(Op::Atomic { op: AtomicOp::Add, width: Width::B8, ptr, offset: 0, value });
    }

    /// Counts a fault when the condition holds, and goes on in either case.
    pub(super) fn fault_if(&mut self, cond: Cond, a: Value, b: i64, what: Fault) {
        let (failed, on) = (self.f.b.create_block(), self.f.b.create_block());
        let b = self.f.b.iconst(b);
        self.f.b.branch_unlikely(cond, a, b, failed, on);
        self.f.b.start(failed);
        self.fault(what);
        self.f.b.jump(on, &[]);
        self.f.b.start(on);
    }

    /// Runs `then` when a pointer is not null; counts `otherwise` or does nothing when it is.
    pub(super) fn if_found(
        &mut self,
        ptr: Value,
        then: impl FnOnce(&mut Self) -> Lowered<()>,
    ) -> Lowered<()> {
        let (found, end) = (self.f.b.create_block(), self.f.b.create_block());
        self.branch_null(ptr, end, found);
        self.f.b.start(found);
        then(self)?;
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// Branches on a null pointer, which is the rare case.
    pub(super) fn branch_null(&mut self, ptr: Value, null: Block, found: Block) {
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Eq, ptr, zero, null, found);
    }

    /// The attach point's number where there is only one.
    pub(super) fn only_attach_point(&self) -> Option<u32> {
        let (first, rest) = self.plan.attach.split_first()?;
        // The places of one probe are one attach point.
        rest.iter().all(|other| other.id == first.id).then_some(first.id.0)
    }

    /// The cookie of the attach point that fired: its number.
    pub(super) fn cookie(&mut self, span: Span) -> Lowered<Value> {
        if let Some(entry) = self.f.attach_id {
            return Ok(self.imm(Alu::Sub, entry, 1));
        }
        self.wants_cookie = true;
        let ctx = self.ctx(span)?;
        Ok(self.call(helpers::GET_ATTACH_COOKIE, &[ctx]))
    }

    /// `a op b` with a constant.
    pub(super) fn imm(&mut self, op: Alu, a: Value, b: i64) -> Value {
        self.f.b.alu_imm(op, a, b)
    }
}

/// The IR type of a scalar.
pub(super) fn scalar_ty(ty: &Type) -> Ty {
    match ty {
        Type::Ptr { space: AddrSpace::Ctx, .. } => Ty::Ptr(Space::Ctx),
        Type::Ptr { space: AddrSpace::Bpf, .. } => Ty::Ptr(Space::Stack),
        _ => Ty::I64,
    }
}
