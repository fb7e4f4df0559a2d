//! Tracepoints of single system calls, served from the raw tracepoints `sys_enter` and `sys_exit`.
//!
//! One program hangs there for all such probes of a script and tells the calls apart by number. That
//! saves the perf path of each event, and at the end a wait for RCU for each tracepoint.
//! Bodies that need more of the record than its fields stay on the tracepoint itself.

use super::frame::{Lower, OpenFunction, Registers};
use super::plan::{NR, Plan, in_raw};
use super::programs;
use super::shared::Shared;
use super::{Lowered, Unit, visit};
use crate::arch;
use crate::helpers;
use crate::ir::{Alu, Block, Cond, FuncId, Module, Op, Space, Ty, Value, Width};
use crate::kernel::Kernel;
use crate::layout;
use crate::object::{Attachment, Form, ObjMapId, ProgramType};
use rbtrace_lang::context::{Location, Register};
use rbtrace_lang::hir::{AttachPoint, Expr, ExprKind, Probe};
use rbtrace_lang::target::Target;
use rbtrace_lang::target::{Edge, SystemCall};
use rbtrace_lang::types::U64;
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many calls are distinguished one by one.
const FEW: usize = 4;

/// A body and the calls that it is for.
pub(super) struct Member<'p> {
    pub(super) probe: &'p Probe,
    pub(super) edge: Edge,
    calls: Vec<(u32, &'p AttachPoint)>,
    /// What the body reads, by its place in the context of the raw tracepoint.
    reads: BTreeSet<Location>,
}

/// The attach points of a body that can be served from a raw tracepoint, and the others.
pub(super) fn take<'p>(probe: &'p Probe, kernel: &dyn Kernel) -> (Vec<Member<'p>>, Vec<&'p AttachPoint>) {
    let reads = visit::locations(probe)
        .filter(|_| probe.attach.iter().any(|a| call_of(a).is_some()))
        .filter(|_| kernel.can_call(ProgramType::RawTracepoint, helpers::GET_CURRENT_TASK_BTF));
    let Some(reads) = reads else { return (vec![], probe.attach.iter().collect()) };
    let (mut members, mut rest): (Vec<Member<'p>>, _) = (vec![], vec![]);
    for point in &probe.attach {
        let moved = |call: &SystemCall| -> Option<BTreeSet<Location>> {
            reads.iter().map(|&l| in_raw(call.edge, l)).collect()
        };
        let Some((call, reads)) = call_of(point).and_then(|call| Some((call, moved(&call)?))) else {
            rest.push(point);
            continue;
        };
        match members.iter_mut().find(|m| m.edge == call.edge) {
            Some(member) => member.calls.push((call.number, point)),
            None => members.push(Member { probe, edge: call.edge, calls: vec![(call.number, point)], reads }),
        }
    }
    (members, rest)
}

fn call_of(point: &AttachPoint) -> Option<SystemCall> {
    if let Target::Tracepoint { syscall, .. } = &point.target { *syscall } else { None }
}

/// The bodies that one program can hold, in the order of the script. The kernel takes no more than `BPF_MAX_SUBPROGS` (256,
/// include/linux/bpf_verifier.h) functions in a program.
pub(super) fn shares(members: Vec<Member>, form: Form) -> Vec<Vec<Member>> {
    const MOST: usize = 240;
    let mut shares: Vec<Vec<Member>> = vec![];
    let mut left = 0;
    for member in members {
        // Loops, and in the frugal form searches, too, are functions of their own.
        let functions = if form == Form::Frugal || visit::has_loop(member.probe) { 8 } else { 2 };
        if shares.is_empty() || left < functions {
            shares.push(vec![]);
            left = MOST;
        }
        left -= functions;
        if let Some(last) = shares.last_mut() {
            last.push(member);
        }
    }
    shares
}

/// One program for bodies at this edge.
pub(super) fn lower_program<'p>(
    shared: &mut Shared<'p>,
    edge: Edge,
    members: Vec<Member<'p>>,
) -> Lowered<Option<Unit>> {
    let Some(first) = members.first() else { return Ok(None) };
    let name = first.calls[0].1.name.clone();
    let points = members.iter().flat_map(|m| m.calls.iter().map(|(_, a)| a.id)).collect();
    let event = if edge == Edge::Enter { "sys_enter" } else { "sys_exit" };
    let target = Target::RawTracepoint { event: event.into(), module: None };
    let loops = members.iter().any(|m| visit::has_loop(m.probe));
    let funcs = match <[Member; 1]>::try_from(members) {
        Ok([only]) => single(shared, &only)?,
        Err(members) => dispatch(shared, edge, members)?,
    };
    let kernel_name =
        if funcs.len() > 1 { event.to_owned() } else { layout::kernel_name(programs::short_name(&name)) };
    Ok(Some(Unit {
        module: Module { funcs, scratch: None },
        name: kernel_name,
        load: ProgramType::RawTracepoint.into(),
        attach: vec![Attachment { target, points }],
        wants_cookie: false,
        all_registers: false,
        loops,
    }))
}

type Functions = Vec<crate::ir::Function>;

/// A program with its filter and its body in one function.
fn single<'p>(shared: &mut Shared<'p>, member: &Member<'p>) -> Lowered<Functions> {
    let frame = OpenFunction::program(&programs::function_name(&member.calls[0].1.name), CTX, member.probe);
    let mut lower = body_lower(shared, member, frame, vec![None], 0);
    let (run, skip) = (lower.f.b.create_block(), lower.f.b.create_block());
    let nr = lower.call_number(member.edge)?;
    let id = lower.match_calls(nr, &member.calls, run, skip);
    lower.f.b.start(skip);
    lower.return_zero();
    lower.f.b.start(run);
    lower.f.attach_id = id;
    lower.syscall_body(&member.reads)?;
    Ok(lower.finish())
}

const CTX: Ty = Ty::Ptr(Space::Ctx);

/// A program that calls its bodies.
fn dispatch<'p>(shared: &mut Shared<'p>, edge: Edge, members: Vec<Member<'p>>) -> Lowered<Functions> {
    let mut funcs = vec![None; members.len() + 1];
    let mut calls = vec![];
    let probe = members[0].probe;
    for (n, member) in members.into_iter().enumerate() {
        calls.push(member.calls.clone());
        let name = programs::function_name(&member.calls[0].1.name);
        let mut frame = OpenFunction::body(&format!("{name}_{n}"), &[CTX, Ty::I64], member.probe);
        frame.attach_id = (calls[n].len() > 1).then(|| frame.b.param(1));
        frame.depth = 2;
        let mut lower = body_lower(shared, &member, frame, std::mem::take(&mut funcs), n + 1);
        lower.syscall_body(&member.reads)?;
        funcs = lower.into_funcs();
    }
    let frame = OpenFunction::program(if edge == Edge::Enter { "sys_enter" } else { "sys_exit" }, CTX, probe);
    let main = Member { probe, edge, calls: calls.concat(), reads: BTreeSet::new() };
    let mut lower = body_lower(shared, &main, frame, funcs, 0);
    let nr = lower.call_number(edge)?;
    lower.call_bodies(nr, &calls)?;
    lower.return_zero();
    Ok(lower.finish())
}

fn body_lower<'a, 'p>(
    shared: &'a mut Shared<'p>,
    member: &Member<'p>,
    frame: OpenFunction,
    funcs: Vec<Option<crate::ir::Function>>,
    own: usize,
) -> Lower<'a, 'p> {
    let attach = member.calls.iter().map(|(_, a)| *a).collect();
    let plan = Plan { load: ProgramType::RawTracepoint.into(), attach };
    let mut lower = Lower::new(shared, member.probe, plan, frame);
    lower.place_at(funcs, own);
    lower.raw_call = Some(member.edge);
    lower.registers = Registers::Behind(None);
    lower
}

impl<'p> Lower<'_, 'p> {
    /// The body, unless the call came from a 32-bit program, whose numbers mean other calls. `reads`: what it reads.
    ///
    /// A predicate that neither reads the record nor changes anything comes before that question: it
    /// mostly answers no, and is the cheaper of the two.
    fn syscall_body(&mut self, reads: &BTreeSet<Location>) -> Lowered<()> {
        let predicate = self.probe.predicate.as_ref();
        let of_record = predicate.is_some_and(visit::reads_probe);
        let first = predicate.is_some_and(|p| !of_record && !visit::has_effects(p));
        if first {
            self.predicate()?;
        }
        self.skip_32_bit_callers();
        if !first {
            if of_record {
                self.copy_registers(reads)?;
            }
            self.predicate()?;
        }
        if !of_record {
            self.copy_registers(reads)?;
        }
        self.actions()
    }

    /// Ends the program for a system call of a 32-bit program.
    fn skip_32_bit_callers(&mut self) {
        let (native, skip) = (self.f.b.create_block(), self.f.b.create_block());
        let (offset, mask) = arch::CURRENT.compat_status;
        let status = self.load_from_task(offset);
        let mask = self.f.b.iconst(mask);
        self.f.b.branch_unlikely(Cond::Set, status, mask, skip, native);
        self.f.b.start(skip);
        self.return_zero();
        self.f.b.start(native);
    }

    /// Copies the registers that the body reads, at once.
    fn copy_registers(&mut self, reads: &BTreeSet<Location>) -> Lowered<()> {
        let offsets = reads.iter().filter_map(|l| match l {
            Location::Register(Register::At { offset, .. }) if self.known(*l).is_none() => Some(*offset),
            _ => None,
        });
        let offsets: Vec<u32> = offsets.collect();
        let (Some(&low), Some(&high)) = (offsets.iter().min(), offsets.iter().max()) else { return Ok(()) };
        let copy = self.read_registers(low, high + 8, self.f.b.span())?;
        self.registers = Registers::Behind(Some((copy, low)));
        Ok(())
    }

    /// The number of the call.
    fn call_number(&mut self, edge: Edge) -> Lowered<Value> {
        let Some(location) = in_raw(edge, Location::Field(NR)) else {
            return self.unsupported(self.f.b.span(), "internal: a system call has no number");
        };
        let number = Expr { kind: ExprKind::At(Location::Field(NR)), ty: U64, span: self.f.b.span() };
        let value = self.at(Location::Field(NR), &number)?;
        self.f.known.push((location, value));
        Ok(value)
    }

    /// Goes to `yes` where the number is one of these calls; the result is the attach point's number
    /// there where there are several.
    fn match_calls(
        &mut self,
        nr: Value,
        calls: &[(u32, &'p AttachPoint)],
        yes: Block,
        no: Block,
    ) -> Option<Value> {
        if let [(only, _)] = calls {
            let only = self.f.b.iconst(i64::from(*only));
            self.f.b.branch(Cond::Eq, nr, only, yes, no);
            return None;
        }
        let (table, count) = self.call_table(calls);
        let inside = self.f.b.create_block();
        let count = self.f.b.iconst(i64::from(count));
        self.f.b.branch(Cond::ULt, nr, count, inside, no);
        self.f.b.start(inside);
        let base = self.map_value(table.0, table.1);
        let bytes = self.scale(nr, 4);
        let at = self.f.b.alu(Alu::Add, base, bytes);
        let entry = self.f.b.load(Width::B4, false, at, 0);
        let none = self.f.b.iconst(0);
        self.f.b.branch(Cond::Ne, entry, none, yes, no);
        Some(entry)
    }

    /// A table from the number of a call to the number of its attach point plus 1.
    fn call_table(&mut self, calls: &[(u32, &'p AttachPoint)]) -> ((ObjMapId, u32), u32) {
        let count = calls.iter().map(|(nr, _)| nr + 1).max().unwrap_or(0);
        let mut table = vec![0u32; count as usize];
        for (nr, point) in calls {
            table[*nr as usize] = point.id.0 + 1;
        }
        let bytes: Vec<u8> = table.iter().flat_map(|n| n.to_le_bytes()).collect();
        (self.shared.data(&bytes), count)
    }

    /// Calls every body that is for this call.
    fn call_bodies(&mut self, nr: Value, calls: &[Vec<(u32, &'p AttachPoint)>]) -> Lowered<()> {
        let mut by_number: BTreeMap<u32, Vec<FuncId>> = BTreeMap::new();
        for (n, calls) in calls.iter().enumerate() {
            let func = FuncId(n as u32 + 1);
            if let [(only, _)] = calls[..] {
                by_number.entry(only).or_default().push(func);
                continue;
            }
            let (run, next) = (self.f.b.create_block(), self.f.b.create_block());
            let id = self.match_calls(nr, calls, run, next);
            self.f.b.start(run);
            self.call_body(func, id)?;
            self.f.b.jump(next, &[]);
            self.f.b.start(next);
        }
        let by_number: Vec<(u32, Vec<FuncId>)> = by_number.into_iter().collect();
        let end = self.f.b.create_block();
        self.search_number(nr, &by_number, end)?;
        self.f.b.start(end);
        Ok(())
    }

    /// Finds the call's number among those of single calls, by halves where they are many.
    fn search_number(&mut self, nr: Value, among: &[(u32, Vec<FuncId>)], end: Block) -> Lowered<()> {
        if among.len() > FEW {
            let (low, high) = among.split_at(among.len() / 2);
            let (below, above) = (self.f.b.create_block(), self.f.b.create_block());
            let middle = self.f.b.iconst(i64::from(high[0].0));
            self.f.b.branch(Cond::ULt, nr, middle, below, above);
            self.f.b.start(below);
            self.search_number(nr, low, end)?;
            self.f.b.start(above);
            return self.search_number(nr, high, end);
        }
        for (number, funcs) in among {
            let (run, next) = (self.f.b.create_block(), self.f.b.create_block());
            let number = self.f.b.iconst(i64::from(*number));
            self.f.b.branch(Cond::Eq, nr, number, run, next);
            self.f.b.start(run);
            for func in funcs {
                self.call_body(*func, None)?;
            }
            self.f.b.jump(end, &[]);
            self.f.b.start(next);
        }
        self.f.b.jump(end, &[]);
        Ok(())
    }

    fn call_body(&mut self, func: FuncId, id: Option<Value>) -> Lowered<()> {
        let ctx = self.ctx(self.f.b.span())?;
        let id = match id {
            Some(id) => id,
            None => self.f.b.iconst(0),
        };
        self.f.b.ins(Op::CallLocal(func, [ctx, id].into()), Ty::I64);
        Ok(())
    }
}
