//! Moves slots that do not fit the stack to the module's per-CPU scratch memory.
//!
//! Its address is looked up once, right before the first block that needs it. Each function of a module has a part of
//! its own: a callback runs while its caller's slots are in use.

use super::util::{Dominators, split};
use crate::error::BackendError;
use crate::helpers::{MAP_LOOKUP_ELEM, RINGBUF_RESERVE};
use crate::ir::*;
use crate::object::ObjMapId;

/// Largest value of a per-CPU map: `PCPU_MIN_UNIT_SIZE` in `include/linux/percpu.h`.
const MAX_BYTES: u32 = 32 << 10;

/// Moves slots of function `func` to scratch memory, at these offsets from byte `start` on; returns the end of
/// the part.
pub fn use_for(
    module: &mut Module,
    func: usize,
    slots: &[(Slot, u32)],
    start: u32,
) -> Result<u32, BackendError> {
    let error = |text: &str| BackendError::new(module.funcs[func].span, text);
    let Some((map, element)) = module.scratch else {
        return Err(error("the values of this block do not fit the 512 bytes of BPF stack"));
    };
    let f = &module.funcs[func];
    let mut offsets = vec![None; f.slots.len()];
    let mut end = start;
    for (s, at) in slots {
        offsets[s.0 as usize] = Some(start + at);
        end = end.max(start + at + f.slots[s.0 as usize].size);
    }
    if end > MAX_BYTES {
        return Err(error("the values of this block need more than 32 KiB of memory"));
    }
    let f = &mut module.funcs[func];
    let base = look_up(f, &offsets, map, element);
    rewrite(f, &offsets, base);
    Ok(end.next_multiple_of(8))
}

/// Block and instruction before which the memory must be known.
fn place(f: &Function, offsets: &[Option<u32>]) -> (Block, usize) {
    let needs = |op: &Op| match op {
        Op::SlotAddr(s) => offsets[s.0 as usize].is_some(),
        // What it returns must be given back on every path: the lookup, which can leave the function, comes before.
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
    let mut todo: Vec<Block> = f.block(block).term.successors().iter().map(|s| s.0).collect();
    while let Some(b) = todo.pop() {
        if b == block {
            return true;
        }
        if !std::mem::replace(&mut seen[b.0 as usize], true) {
            todo.extend(f.block(b).term.successors().iter().map(|s| s.0));
        }
    }
    false
}

/// Adds the lookup; returns the memory's address.
fn look_up(f: &mut Function, offsets: &[Option<u32>], map: ObjMapId, element: u32) -> Value {
    let (block, at) = place(f, offsets);
    let rest = split(f, block, at);
    let span = f.block(block).term_span;
    let key = f.add_slot(4, 4);
    f.slots[key.0 as usize].memory = Memory::Stack;
    let leave = f.add_block();
    let mut values = vec![];
    let mut emit = |f: &mut Function, b: Block, op: Op, ty: Option<Ty>| {
        let result = ty.map(|t| f.new_value(t));
        f.block_mut(b).insts.push(Inst { op, result, span });
        values.extend(result);
        values.last().copied().unwrap_or(Value(0))
    };
    let ptr = emit(f, block, Op::SlotAddr(key), Some(Ty::Ptr(Space::Stack)));
    let value = emit(f, block, Op::Const(element.into()), Some(Ty::I64));
    emit(f, block, Op::Store { width: Width::B4, ptr, offset: 0, value }, None);
    let map = emit(f, block, Op::MapRef(map), Some(Ty::Ptr(Space::Map)));
    let base = emit(f, block, Op::Call(MAP_LOOKUP_ELEM, vec![map, ptr]), Some(Ty::Ptr(Space::MapValue)));
    let null = emit(f, block, Op::Const(0), Some(Ty::I64));
    let zero = emit(f, leave, Op::Const(0), Some(Ty::I64));
    f.block_mut(leave).term = Term::Return(zero);
    f.block_mut(block).term = Term::Branch {
        cond: Cond::Eq,
        a: base,
        b: null,
        then: (leave, vec![]),
        otherwise: (rest, vec![]),
        unlikely: true,
    };
    base
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
