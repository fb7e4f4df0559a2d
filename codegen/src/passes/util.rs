//! What several passes need: operands, replacement of values, constants.

pub use crate::dominators::{BlockLists, Dominators, predecessors, reverse_postorder};

use crate::dense::ValueMap;
use crate::ir::*;
use crate::steps;

/// Does it fit a BPF immediate?
pub fn fits_i32(c: i64) -> bool {
    i32::try_from(c).is_ok()
}

/// Calls `f` on each value that an operation reads.
pub fn operands(op: &Op, mut f: impl FnMut(Value)) {
    steps::count(1);
    match op {
        Op::Const(_) | Op::SlotAddr(_) | Op::MapRef(_) | Op::MapValue(..) | Op::FuncAddr(_) => {}
        Op::Alu(_, a, b) | Op::Cmp(_, a, b) => [*a, *b].into_iter().for_each(f),
        Op::Neg(a) | Op::Sext(_, a) | Op::Zext(_, a) | Op::Bswap(_, a) => f(*a),
        Op::Load { ptr, .. } => f(*ptr),
        Op::Store { ptr, value, .. } | Op::Atomic { ptr, value, .. } => {
            [*ptr, *value].into_iter().for_each(f);
        }
        Op::CmpXchg { ptr, old, new, .. } => [*ptr, *old, *new].into_iter().for_each(f),
        Op::Copy { dst, src, .. } => [*dst, *src].into_iter().for_each(f),
        Op::Zero { dst, .. } => f(*dst),
        Op::Call(_, args) | Op::CallLocal(_, args) => args.iter().copied().for_each(f),
    }
}

/// Calls `f` on each value that an operation reads, to change it.
pub fn operands_mut(op: &mut Op, mut f: impl FnMut(&mut Value)) {
    steps::count(1);
    match op {
        Op::Const(_) | Op::SlotAddr(_) | Op::MapRef(_) | Op::MapValue(..) | Op::FuncAddr(_) => {}
        Op::Alu(_, a, b) | Op::Cmp(_, a, b) => {
            f(a);
            f(b);
        }
        Op::Neg(a) | Op::Sext(_, a) | Op::Zext(_, a) | Op::Bswap(_, a) => f(a),
        Op::Load { ptr, .. } => f(ptr),
        Op::Store { ptr, value, .. } | Op::Atomic { ptr, value, .. } => {
            f(ptr);
            f(value);
        }
        Op::CmpXchg { ptr, old, new, .. } => {
            f(ptr);
            f(old);
            f(new);
        }
        Op::Copy { dst, src, .. } => {
            f(dst);
            f(src);
        }
        Op::Zero { dst, .. } => f(dst),
        Op::Call(_, args) | Op::CallLocal(_, args) => args.iter_mut().for_each(f),
    }
}

/// Calls `f` on each value that the end of a block reads.
pub fn term_operands(term: &Term, mut f: impl FnMut(Value)) {
    match term {
        Term::Jump(_, args) => args.iter().copied().for_each(f),
        Term::Branch { a, b, then, otherwise, .. } => {
            f(*a);
            f(*b);
            then.1.iter().chain(&otherwise.1).copied().for_each(f);
        }
        Term::Return(v) => f(*v),
        Term::Unreachable => {}
    }
}

/// Calls `f` on each value that the end of a block reads, to change it.
pub fn term_operands_mut(term: &mut Term, mut f: impl FnMut(&mut Value)) {
    match term {
        Term::Jump(_, args) => args.iter_mut().for_each(f),
        Term::Branch { a, b, then, otherwise, .. } => {
            f(a);
            f(b);
            then.1.iter_mut().chain(&mut otherwise.1).for_each(f);
        }
        Term::Return(v) => f(v),
        Term::Unreachable => {}
    }
}

/// Changes the blocks that the end of a block goes to.
pub fn targets_mut(term: &mut Term) -> impl Iterator<Item = (&mut Block, &mut Vec<Value>)> {
    let (first, second) = match term {
        Term::Jump(b, args) => (Some((b, args)), None),
        Term::Branch { then, otherwise, .. } => {
            (Some((&mut then.0, &mut then.1)), Some((&mut otherwise.0, &mut otherwise.1)))
        }
        Term::Return(_) | Term::Unreachable => (None, None),
    };
    first.into_iter().chain(second)
}

/// Replaces values by others everywhere; chains are followed.
pub fn replace(f: &mut Function, map: &ValueMap<Value>) {
    if map.is_empty() {
        return;
    }
    let resolve = |v: &mut Value| {
        while let Some(&w) = map.get(*v) {
            *v = w;
        }
    };
    for b in &mut f.blocks {
        for i in &mut b.insts {
            operands_mut(&mut i.op, resolve);
        }
        term_operands_mut(&mut b.term, resolve);
    }
}

/// The operation that defines each value; `None` for parameters.
pub fn definitions(f: &Function) -> Vec<Option<&Op>> {
    let mut defs = vec![None; f.types.len()];
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        if let Some(v) = i.result {
            defs[v.0 as usize] = Some(&i.op);
        }
    }
    defs
}

/// A constant as the register of its type holds it.
pub fn normal(ty: Ty, c: i64) -> i64 {
    if ty == Ty::I32 { i64::from(c as u32) } else { c }
}

/// Cuts a block before instruction `at`: the rest with the end goes to a new block, which is returned. The
/// old block ends `Unreachable`.
pub fn split(f: &mut Function, b: Block, at: usize) -> Block {
    let rest = f.add_block();
    let data = f.block_mut(b);
    let insts = data.insts.split_off(at);
    let term = std::mem::replace(&mut data.term, Term::Unreachable);
    let span = data.term_span;
    data.term_span = insts.first().map_or(span, |i| i.span);
    let new = f.block_mut(rest);
    (new.insts, new.term, new.term_span) = (insts, term, span);
    rest
}

/// The values that are constants, in the form of their types.
pub fn constants(f: &Function) -> ValueMap<i64> {
    let mut constants = ValueMap::new();
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        if let (Op::Const(c), Some(v)) = (&i.op, i.result) {
            constants.insert(v, normal(f.ty(v), *c));
        }
    }
    constants
}
