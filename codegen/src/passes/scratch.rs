//! Moves slots that do not fit the stack to the module's scratch memory.
//!
//! Each CPU has a few places of it. A program claims one right before the first block that needs it, and gives it back on
//! every way out: an interrupt may run another program meanwhile and, where a program can be preempted, another
//! task the same one, which need not end first. Where no place is free the rest of the program is not run, which is counted.
//!
//! Each function of a module has a part of its own: a callback runs while its caller's slots are in use. It works in its
//! caller's place, whose address stands behind the record that it is given.

use super::pointers::Pointers;
use super::util::{definitions, split, targets_mut};
use crate::dominators::Dominators;
use crate::error::BackendError;
use crate::helpers::{MAP_LOOKUP_ELEM, RINGBUF_RESERVE};
use crate::ir::*;
use rbtrace_lang::Span;

/// Largest value of a per-CPU map: `PCPU_MIN_UNIT_SIZE` in `include/linux/percpu.h`.
const MAX_BYTES: u32 = 32 << 10;
/// A place begins with a word that is not 0 while it is claimed.
const CLAIMED: i32 = 0;
/// Bytes before the slots.
const HEADER: u32 = 8;

/// Moves slots of function `func` to scratch memory, at these offsets from byte `start` on; returns the end of
/// the part.
pub fn use_for(
    module: &mut Module,
    func: usize,
    slots: &[(Slot, u32)],
    start: u32,
) -> Result<u32, BackendError> {
    let error = |text: &str| BackendError::new(module.funcs[func].span, text);
    let Some(scratch) = module.scratch else {
        return Err(error("the values of this block do not fit the 512 bytes of BPF stack"));
    };
    let f = &module.funcs[func];
    let start = start.max(HEADER);
    let mut offsets = vec![None; f.slots.len()];
    let mut end = start;
    for (s, at) in slots {
        let data = &f.slots[s.0 as usize];
        if data.memory == Memory::ScratchStart {
            offsets[s.0 as usize] = Some(0);
        } else {
            offsets[s.0 as usize] = Some(start + at);
            end = end.max(start + at + data.size);
        }
    }
    if end > MAX_BYTES {
        return Err(error("the values of this block need more than 32 KiB of memory"));
    }
    let calls = calls_of(module, func);
    let base = if calls.is_empty() {
        claim(&mut module.funcs[func], &offsets, scratch)
    } else {
        inherit(module, func, calls)?
    };
    rewrite(&mut module.funcs[func], &offsets, base);
    Ok(end.next_multiple_of(8))
}

/// A call that is given a callback.
struct CallbackCall {
    caller: usize,
    block: Block,
    inst: usize,
    record: Value,
}

/// The calls that are given function `func` as their callback.
fn calls_of(module: &Module, func: usize) -> Vec<CallbackCall> {
    let mut calls = vec![];
    for (caller, f) in module.funcs.iter().enumerate() {
        let defs = definitions(f);
        let is_func = |v: &Value| matches!(defs[v.0 as usize], Some(Op::FuncAddr(g)) if g.0 as usize == func);
        for block in f.block_ids() {
            for (inst, i) in f.block(block).insts.iter().enumerate() {
                if let Op::Call(_, args) = &i.op
                    && let Some(n) = args.iter().position(is_func)
                    && let Some(&record) = args.get(n + 1)
                {
                    calls.push(CallbackCall { caller, block, inst, record });
                }
            }
        }
    }
    calls
}

/// Lets a callback have the address of its caller's place: it stands behind the record that the callback is given.
fn inherit(module: &mut Module, func: usize, calls: Vec<CallbackCall>) -> Result<Value, BackendError> {
    let offset = place_word(module, calls)?;
    let f = &mut module.funcs[func];
    let Some(&record) = f.blocks[0].params.last() else { return Err(no_record(f)) };
    let base = f.new_value(Ty::Ptr(Space::MapValue));
    let op = Op::Load { width: Width::B8, signed: false, ptr: record, offset: offset as i32 };
    let span = f.blocks[0].insts.first().map_or(f.span, |i| i.span);
    f.blocks[0].insts.insert(0, Inst { op, result: Some(base), span });
    Ok(base)
}

fn no_record(f: &Function) -> BackendError {
    BackendError::new(f.span, "internal: a callback that needs memory has no record")
}

/// Offset in the record of a nest of callbacks of the word with the address of the place; it is added at the nest's outermost
/// calls, in the function whose slot the record is, unless another callback of the nest has done so.
fn place_word(module: &mut Module, calls: Vec<CallbackCall>) -> Result<u32, BackendError> {
    let (mut todo, mut outermost) = (calls, vec![]);
    let mut seen = vec![false; module.funcs.len()];
    while let Some(call) = todo.pop() {
        let f = &module.funcs[call.caller];
        // One record as a rule; joined paths may give one of several.
        let slots: Vec<usize> = Pointers::new(f).may(call.record).iter().collect();
        if !slots.is_empty() {
            outermost.push((call, slots));
        } else if !std::mem::replace(&mut seen[call.caller], true) {
            let outer = calls_of(module, call.caller);
            if outer.is_empty() {
                return Err(no_record(f));
            }
            todo.extend(outer);
        }
    }
    let known = outermost.iter().find_map(|(call, slots)| known_word(&module.funcs[call.caller], slots));
    if let Some(offset) = known {
        return Ok(offset);
    }
    let size = |caller: usize, s: &usize| module.funcs[caller].slots[*s].size.next_multiple_of(8);
    let sizes = outermost.iter().flat_map(|(call, slots)| slots.iter().map(|s| size(call.caller, s)));
    let offset = sizes.max().unwrap_or(0);
    // Later instructions of a block first: the others keep their numbers.
    outermost.sort_by_key(|(call, _)| std::cmp::Reverse((call.caller, call.block, call.inst)));
    for (call, slots) in outermost {
        let f = &mut module.funcs[call.caller];
        slots.into_iter().for_each(|s| f.slots[s].size = offset + 8);
        give_place(f, &call, offset as i32);
    }
    Ok(offset)
}

/// Where the address of the place stands in one of these records already.
fn known_word(f: &Function, records: &[usize]) -> Option<u32> {
    let (defs, pointers) = (definitions(f), Pointers::new(f));
    let is_start = |v: Value| matches!(defs[v.0 as usize], Some(Op::SlotAddr(s)) if f.slots[s.0 as usize].memory == Memory::ScratchStart);
    f.blocks.iter().flat_map(|b| &b.insts).find_map(|i| match i.op {
        Op::Store { ptr, offset, value, .. } if is_start(value) => {
            pointers.may(ptr).iter().any(|s| records.contains(&s)).then_some(offset as u32)
        }
        _ => None,
    })
}

/// Stores the address of the caller's place in the record of a call.
fn give_place(f: &mut Function, call: &CallbackCall, offset: i32) {
    let known = f.slots.iter().position(|s| s.memory == Memory::ScratchStart);
    let slot = known.map_or_else(|| f.add_slot(0, 8), |s| Slot(s as u32));
    f.slots[slot.0 as usize].memory = Memory::ScratchStart;
    let value = f.new_value(Ty::Ptr(Space::Stack));
    let insts = &mut f.block_mut(call.block).insts;
    let span = insts[call.inst].span;
    let store = Op::Store { width: Width::B8, ptr: call.record, offset, value };
    insts.insert(call.inst, Inst { op: store, result: None, span });
    insts.insert(call.inst, Inst { op: Op::SlotAddr(slot), result: Some(value), span });
}

/// Block and instruction before which the memory must be known.
fn place(f: &Function, offsets: &[Option<u32>]) -> (Block, usize) {
    let needs = |op: &Op| match op {
        Op::SlotAddr(s) => offsets[s.0 as usize].is_some(),
        // What it returns must be given back on every path, and claiming can leave the function.
        Op::Call(h, _) => *h == RINGBUF_RESERVE,
        _ => false,
    };
    let dominators = Dominators::new(f);
    let users = dominators.order.iter().filter(|b| f.block(**b).insts.iter().any(|i| needs(&i.op)));
    let mut block = users.copied().reduce(|a, b| dominators.common(a, b)).unwrap_or(Block(0));
    while in_loop(f, block) {
        block = dominators.idom[block.0 as usize];
        if block == Block(0) {
            break;
        }
    }
    let insts = &f.block(block).insts;
    (block, insts.iter().position(|i| needs(&i.op)).unwrap_or(insts.len()))
}

/// Can the block come round again?
fn in_loop(f: &Function, block: Block) -> bool {
    let mut seen = vec![false; f.blocks.len()];
    let mut todo: Vec<Block> = f.block(block).term.successors().map(|s| s.0).collect();
    while let Some(b) = todo.pop() {
        if b == block {
            return true;
        }
        if !std::mem::replace(&mut seen[b.0 as usize], true) {
            todo.extend(f.block(b).term.successors().map(|s| s.0));
        }
    }
    false
}

/// Claims a place, and gives it back where the function ends or needs it no more; returns its address.
fn claim(f: &mut Function, offsets: &[Option<u32>], scratch: Scratch) -> Value {
    let (block, at) = place(f, offsets);
    let rest = split(f, block, at);
    let span = f.block(block).term_span;
    let base = Claim { f, span, scratch }.emit(block, rest);
    give_back(f, rest, base);
    base
}

/// The code that claims a place.
struct Claim<'a> {
    f: &'a mut Function,
    span: Span,
    scratch: Scratch,
}

impl Claim<'_> {
    /// Goes from `block` through the CPU's places to `rest` with the first that is free.
    fn emit(&mut self, block: Block, rest: Block) -> Value {
        let [look, test, next, crowded, leave] = [(); 5].map(|()| self.f.add_block());
        let first = self.constant(block, 0);
        self.f.block_mut(block).term = Term::Jump(look, vec![first]);
        let number = self.f.add_param(look, Ty::I64);
        let base = self.look_up(look, number);
        self.branch(look, (Cond::Eq, base, 0), leave, test);
        let before = self.mark(test, base);
        self.branch(test, (Cond::Ne, before, 0), next, rest);
        self.take(rest, base);
        let one = self.constant(next, 1);
        let after = self.value(next, Op::Alu(Alu::Add, number, one), Ty::I64);
        self.branch(next, (Cond::UGe, after, self.scratch.places.into()), crowded, look);
        if let Term::Branch { otherwise, .. } = &mut self.f.block_mut(next).term {
            otherwise.1.push(after);
        }
        self.count(crowded);
        for end in [crowded, leave] {
            let zero = self.constant(end, 0);
            self.f.block_mut(end).term = Term::Return(zero);
        }
        base
    }

    fn value(&mut self, block: Block, op: Op, ty: Ty) -> Value {
        let value = self.f.new_value(ty);
        self.f.block_mut(block).insts.push(Inst { op, result: Some(value), span: self.span });
        value
    }

    fn effect(&mut self, block: Block, op: Op) {
        self.f.block_mut(block).insts.push(Inst { op, result: None, span: self.span });
    }

    fn constant(&mut self, block: Block, c: i64) -> Value {
        self.value(block, Op::Const(c), Ty::I64)
    }

    /// Ends a block; the condition is expected to fail.
    fn branch(&mut self, block: Block, (cond, a, b): (Cond, Value, i64), then: Block, otherwise: Block) {
        let b = self.constant(block, b);
        let (then, otherwise) = ((then, vec![]), (otherwise, vec![]));
        self.f.block_mut(block).term = Term::Branch { cond, a, b, then, otherwise, unlikely: true };
    }

    /// Looks up the place with this number. It always exists, though the verifier takes the result for possibly null.
    fn look_up(&mut self, block: Block, number: Value) -> Value {
        let key = self.f.add_slot(4, 4);
        self.f.slots[key.0 as usize].memory = Memory::Stack;
        let ptr = self.value(block, Op::SlotAddr(key), Ty::Ptr(Space::Stack));
        self.effect(block, Op::Store { width: Width::B4, ptr, offset: 0, value: number });
        let map = self.value(block, Op::MapRef(self.scratch.map), Ty::Ptr(Space::Map));
        self.value(block, Op::Call(MAP_LOOKUP_ELEM, [map, ptr].into()), Ty::Ptr(Space::MapValue))
    }

    /// Marks the place as claimed where that must be one step with looking; the mark it had before.
    fn mark(&mut self, block: Block, ptr: Value) -> Value {
        if !self.scratch.preemptible {
            let op = Op::Load { width: Width::B8, signed: false, ptr, offset: CLAIMED };
            return self.value(block, op, Ty::I64);
        }
        let value = self.constant(block, 1);
        let op = Op::Atomic { op: AtomicOp::Xchg, width: Width::B8, ptr, offset: CLAIMED, value };
        self.value(block, op, Ty::I64)
    }

    /// Marks the place where nothing but an interrupt can have come in between, which gives back what it claims.
    fn take(&mut self, rest: Block, ptr: Value) {
        if self.scratch.preemptible {
            return;
        }
        let (value, span) = (self.f.new_value(Ty::I64), self.span);
        let store = Op::Store { width: Width::B8, ptr, offset: CLAIMED, value };
        let insts = &mut self.f.block_mut(rest).insts;
        insts.insert(0, Inst { op: store, result: None, span });
        insts.insert(0, Inst { op: Op::Const(1), result: Some(value), span });
    }

    /// Counts that no place was free.
    fn count(&mut self, block: Block) {
        let (map, offset) = self.scratch.crowded;
        let ptr = self.value(block, Op::MapValue(map, offset), Ty::Ptr(Space::MapValue));
        let value = self.constant(block, 1);
        self.effect(block, Op::Atomic { op: AtomicOp::Add, width: Width::B8, ptr, offset: 0, value });
    }
}

/// Gives the place back on every way out of what `rest` dominates.
fn give_back(f: &mut Function, rest: Block, base: Value) {
    let dominators = Dominators::new(f);
    let within = |b: Block| dominators.dominates(rest, b);
    for b in f.block_ids().filter(|b| within(*b)) {
        let mut term = std::mem::replace(&mut f.block_mut(b).term, Term::Unreachable);
        let span = f.block(b).term_span;
        let ends = matches!(term, Term::Return(_));
        let leaves = matches!(term, Term::Jump(t, _) if !within(t));
        if ends || leaves {
            unmark(f, b, base, span);
        } else {
            for (target, args) in targets_mut(&mut term) {
                if within(*target) {
                    continue;
                }
                let between = f.add_block();
                unmark(f, between, base, span);
                let data = f.block_mut(between);
                (data.term, data.term_span) = (Term::Jump(*target, std::mem::take(args)), span);
                *target = between;
            }
        }
        f.block_mut(b).term = term;
    }
}

fn unmark(f: &mut Function, block: Block, ptr: Value, span: Span) {
    let value = f.new_value(Ty::I64);
    let store = Op::Store { width: Width::B8, ptr, offset: CLAIMED, value };
    let insts = &mut f.block_mut(block).insts;
    insts.push(Inst { op: Op::Const(0), result: Some(value), span });
    insts.push(Inst { op: store, result: None, span });
}

/// Addresses of the slots become offsets from the memory's.
fn rewrite(f: &mut Function, offsets: &[Option<u32>], base: Value) {
    for b in f.block_ids() {
        for inst in std::mem::take(&mut f.block_mut(b).insts) {
            let offset = match inst.op {
                Op::SlotAddr(s) => offsets.get(s.0 as usize).copied().flatten(),
                _ => None,
            };
            let Some(offset) = offset else {
                f.block_mut(b).insts.push(inst);
                continue;
            };
            let c = f.new_value(Ty::I64);
            let op = Op::Const(offset.into());
            let add = Inst { op: Op::Alu(Alu::Add, base, c), ..inst };
            f.block_mut(b).insts.extend([Inst { op, result: Some(c), span: add.span }, add]);
        }
    }
    retype(f, base);
}

/// Pointers derived from the memory's address point to a map value.
fn retype(f: &mut Function, base: Value) {
    let mut derived = vec![false; f.types.len()];
    derived[base.0 as usize] = true;
    let mut changed = true;
    while changed {
        changed = false;
        let mut found = vec![];
        for b in &f.blocks {
            for i in &b.insts {
                if let (Op::Alu(_, a, _), Some(v)) = (&i.op, i.result) {
                    found.extend(derived[a.0 as usize].then_some(v));
                }
            }
            for (target, args) in b.term.successors() {
                let pairs = f.block(target).params.iter().zip(args);
                found.extend(pairs.filter(|(_, a)| derived[a.0 as usize]).map(|(p, _)| *p));
            }
        }
        for v in found {
            changed |= !std::mem::replace(&mut derived[v.0 as usize], true);
        }
    }
    for (v, _) in derived.iter().enumerate().filter(|(_, d)| **d) {
        if f.types[v] == Ty::Ptr(Space::Stack) {
            f.types[v] = Ty::Ptr(Space::MapValue);
        }
    }
}
