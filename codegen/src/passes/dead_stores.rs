//! Drops stores to slots whose bytes are not read any more.

use super::pointers::Pointers;
use super::util::constants;
use crate::helpers::{Fills, GET_CURRENT_COMM};
use crate::ir::*;
use std::collections::HashMap;

/// Slots up to so many bytes are followed byte by byte; larger ones are dropped only if never read at all.
const MASK_BYTES: u32 = 64;

/// Bytes of each slot that are still needed.
type State = Vec<u64>;

/// Runs the pass.
pub fn run(f: &mut Function) {
    if f.slots.is_empty() {
        return;
    }
    let pass = Pass { pointers: Pointers::new(f), constants: constants(f), read: vec![false; f.slots.len()] };
    let pass = pass.find_reads(f);
    let needed = pass.solve(f);
    for (b, mut state) in f.block_ids().zip(needed) {
        let insts = std::mem::take(&mut f.block_mut(b).insts);
        let mut kept = Vec::with_capacity(insts.len());
        for inst in insts.into_iter().rev() {
            if !pass.is_dead(f, &state, &inst) {
                pass.step(&mut state, &inst.op);
                kept.push(inst);
            }
        }
        kept.reverse();
        f.block_mut(b).insts = kept;
    }
}

struct Pass {
    pointers: Pointers,
    constants: HashMap<Value, i64>,
    /// Slots that are read somewhere.
    read: Vec<bool>,
}

/// The part of a slot that is written.
struct Written {
    slot: Slot,
    at: i64,
    len: i64,
    /// Is all of it surely overwritten?
    all: bool,
}

/// The bits of these bytes, as far as there are any.
fn mask(at: i64, len: i64) -> u64 {
    let below = |n: i64| if n >= 64 { u64::MAX } else { (1u64 << n.max(0)) - 1 };
    below(at + len) & !below(at)
}

impl Pass {
    fn find_reads(mut self, f: &Function) -> Self {
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            for v in self.reads(&i.op) {
                for s in self.pointers.may(v).iter() {
                    self.read[s] = true;
                }
            }
        }
        for s in self.pointers.escaped.iter() {
            self.read[s] = true;
        }
        self
    }

    /// Pointers through which an operation reads.
    fn reads(&self, op: &Op) -> Vec<Value> {
        match op {
            Op::Load { ptr, .. } | Op::Atomic { ptr, .. } => vec![*ptr],
            Op::Copy { src, .. } => vec![*src],
            Op::Call(h, args) if h.fills() == Fills::Whole => args[1.min(args.len())..].to_vec(),
            Op::Call(_, args) | Op::CallLocal(_, args) => args.clone(),
            _ => vec![],
        }
    }

    /// What an operation writes, where it is known.
    fn writes(&self, op: &Op) -> Option<Written> {
        let (ptr, offset, len) = match op {
            Op::Store { width, ptr, offset, .. } => (*ptr, *offset, i64::from(width.bytes())),
            Op::Zero { dst, offset, len, .. } => (*dst, *offset, i64::from(*len)),
            Op::Copy { dst, dst_offset, len, .. } => (*dst, *dst_offset, i64::from(*len)),
            Op::Call(h, args) if h.fills() != Fills::Nothing => {
                (*args.first()?, 0, *self.constants.get(args.get(1)?)?)
            }
            _ => return None,
        };
        let (slot, at) = self.pointers.exact(ptr, offset)?;
        let all = !matches!(op, Op::Call(h, _) if h.fills() == Fills::Text);
        Some(Written { slot, at, len, all })
    }

    fn step(&self, state: &mut State, op: &Op) {
        if let Some(w) = self.writes(op).filter(|w| w.all) {
            state[w.slot.0 as usize] &= !mask(w.at, w.len);
        }
        let is_call = matches!(op, Op::Call(h, _) if !h.is_pure()) || matches!(op, Op::CallLocal(..));
        if is_call {
            self.pointers.escaped.iter().for_each(|s| state[s] = u64::MAX);
        }
        let width = match op {
            Op::Load { width, .. } | Op::Atomic { width, .. } => Some(i64::from(width.bytes())),
            Op::Copy { len, .. } => Some(i64::from(*len)),
            _ => None,
        };
        let offset = match op {
            Op::Load { offset, .. } | Op::Atomic { offset, .. } => *offset,
            Op::Copy { src_offset, .. } => *src_offset,
            _ => 0,
        };
        for v in self.reads(op) {
            match (self.pointers.exact(v, offset), width) {
                (Some((s, at)), Some(len)) => state[s.0 as usize] |= mask(at, len),
                _ => self.pointers.may(v).iter().for_each(|s| state[s] = u64::MAX),
            }
        }
    }

    /// By block: what is needed after its end.
    fn solve(&self, f: &Function) -> Vec<State> {
        let none = vec![0u64; f.slots.len()];
        let mut before = vec![none.clone(); f.blocks.len()];
        let mut after = before.clone();
        let mut changed = true;
        while changed {
            changed = false;
            for b in (0..f.blocks.len()).rev() {
                let mut state = none.clone();
                for (s, _) in f.blocks[b].term.successors() {
                    state.iter_mut().zip(&before[s.0 as usize]).for_each(|(a, b)| *a |= b);
                }
                after[b].clone_from(&state);
                f.blocks[b].insts.iter().rev().for_each(|i| self.step(&mut state, &i.op));
                changed |= before[b] != state;
                before[b] = state;
            }
        }
        after
    }

    fn is_dead(&self, f: &Function, state: &State, inst: &Inst) -> bool {
        let only_writes = match &inst.op {
            Op::Store { .. } | Op::Zero { .. } | Op::Copy { .. } => true,
            Op::Call(h, _) => *h == GET_CURRENT_COMM && inst.result.is_none(),
            _ => false,
        };
        if !only_writes {
            return false;
        }
        let Some(w) = self.writes(&inst.op) else { return false };
        let s = w.slot.0 as usize;
        if !self.read[s] {
            return true;
        }
        f.slots[s].size <= MASK_BYTES
            && w.at >= 0
            && w.at + w.len <= i64::from(f.slots[s].size)
            && !self.pointers.escaped.contains(s)
            && state[s] & mask(w.at, w.len) == 0
    }
}
