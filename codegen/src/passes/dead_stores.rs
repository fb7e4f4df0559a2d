//! Drops stores to slots whose bytes are not read any more.
//!
//! What is still needed of a slot is carried from its reads backwards, block by block, up to where it is written: the work
//! grows with the blocks between them, not with the number of blocks times that of slots.

use super::pointers::Pointers;
use super::util::{BlockLists, constants, predecessors};
use crate::dense::ValueMap;
use crate::hash::FastMap;
use crate::helpers::{Fills, GET_CURRENT_COMM};
use crate::ir::*;

/// Slots up to so many bytes are followed byte by byte; larger ones are dropped only if never read at all.
const MASK_BYTES: u32 = 64;

/// Runs the pass; true if it changed anything.
pub fn run(f: &mut Function) -> bool {
    if f.slots.is_empty() {
        return false;
    }
    let pass = Pass::new(f);
    let mut needs = Needs { bytes: vec![0; f.slots.len()], touched: vec![] };
    let after = pass.solve(f, &mut needs);
    let mut changed = false;
    let mut dead = vec![];
    for (b, after) in f.block_ids().zip(&after) {
        after.iter().for_each(|&(slot, bytes)| needs.add(slot, bytes));
        dead.clear();
        for inst in f.block(b).insts.iter().rev() {
            dead.push(pass.is_dead(f, &needs, inst));
            if dead.last() == Some(&false) {
                pass.step(&inst.op, |slot, written, read| needs.change(slot, written, read));
            }
        }
        needs.clear();
        if dead.contains(&true) {
            changed = true;
            f.block_mut(b).insts.retain(|_| dead.pop() == Some(false));
        }
    }
    changed
}

/// Bytes of each slot that are needed at a place.
struct Needs {
    bytes: Vec<u64>,
    /// The slots that may be needed there.
    touched: Vec<usize>,
}

impl Needs {
    fn add(&mut self, slot: usize, bytes: u64) {
        self.touched.push(slot);
        self.bytes[slot] |= bytes;
    }

    fn change(&mut self, slot: usize, written: u64, read: u64) {
        self.add(slot, 0);
        self.bytes[slot] = self.bytes[slot] & !written | read;
    }

    fn clear(&mut self) {
        self.touched.drain(..).for_each(|slot| self.bytes[slot] = 0);
    }
}

/// What a block does to the need of one slot: the bytes that it needs itself, and those that it writes before.
#[derive(Clone, Copy, Default)]
struct Transfer {
    needs: u64,
    writes: u64,
}

struct Pass {
    pointers: Pointers,
    constants: ValueMap<i64>,
    /// Slots that are read somewhere.
    read: Vec<bool>,
    /// Slots that are followed byte by byte.
    followed: Vec<bool>,
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
    fn new(f: &Function) -> Self {
        let (pointers, mut read) = (Pointers::new(f), vec![false; f.slots.len()]);
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            reads(&i.op).iter().flat_map(|v| pointers.may(*v).iter()).for_each(|s| read[s] = true);
        }
        pointers.escaped.iter().for_each(|s| read[s] = true);
        let followed = |s: usize| read[s] && f.slots[s].size <= MASK_BYTES && !pointers.escaped.contains(s);
        let followed = (0..f.slots.len()).map(followed).collect();
        Pass { pointers, constants: constants(f), read, followed }
    }

    /// What an operation writes, where it is known.
    fn writes(&self, op: &Op) -> Option<Written> {
        let (ptr, offset, len) = match op {
            Op::Store { width, ptr, offset, .. } => (*ptr, *offset, i64::from(width.bytes())),
            Op::Zero { dst, offset, len, .. } => (*dst, *offset, i64::from(*len)),
            Op::Copy { dst, dst_offset, len, .. } => (*dst, *dst_offset, i64::from(*len)),
            Op::Call(h, args) if h.fills() != Fills::Nothing => {
                (*args.first()?, 0, *self.constants.get(*args.get(1)?)?)
            }
            _ => return None,
        };
        let (slot, at) = self.pointers.exact(ptr, offset)?;
        let all = !matches!(op, Op::Call(h, _) if h.fills() == Fills::Text);
        Some(Written { slot, at, len, all })
    }

    /// Gives each followed slot that an operation accesses, with the bytes that it writes and those that it reads.
    fn step(&self, op: &Op, mut each: impl FnMut(usize, u64, u64)) {
        let mut each = |s: usize, written, read| {
            if self.followed[s] {
                each(s, written, read);
            }
        };
        if let Some(w) = self.writes(op).filter(|w| w.all) {
            each(w.slot.0 as usize, mask(w.at, w.len), 0);
        }
        let (offset, len) = match op {
            Op::Load { width, offset, .. } | Op::Atomic { width, offset, .. } => {
                (*offset, Some(i64::from(width.bytes())))
            }
            Op::Copy { src_offset, len, .. } => (*src_offset, Some(i64::from(*len))),
            _ => (0, None),
        };
        for &v in reads(op) {
            match (self.pointers.exact(v, offset), len) {
                (Some((s, at)), Some(len)) => each(s.0 as usize, 0, mask(at, len)),
                _ => self.pointers.may(v).iter().for_each(|s| each(s, 0, u64::MAX)),
            }
        }
    }

    /// By block: the bytes of slots that are needed after its end.
    fn solve(&self, f: &Function, scratch: &mut Needs) -> Vec<Vec<(usize, u64)>> {
        let preds = predecessors(f);
        let mut flow = Flow { transfers: FastMap::default(), after: FastMap::default(), todo: vec![], preds };
        for b in f.block_ids() {
            let mut writes: FastMap<usize, u64> = FastMap::default();
            for inst in f.block(b).insts.iter().rev() {
                self.step(&inst.op, |slot, written, read| {
                    scratch.change(slot, written, read);
                    *writes.entry(slot).or_default() |= written;
                });
            }
            for (slot, writes) in writes {
                let needs = scratch.bytes[slot];
                flow.transfers.insert((b, slot), Transfer { needs, writes });
                flow.need_before(b, slot, needs);
            }
            scratch.clear();
        }
        flow.run();
        let mut after = vec![vec![]; f.blocks.len()];
        flow.after.iter().for_each(|(&(b, slot), &bytes)| after[b.0 as usize].push((slot, bytes)));
        after
    }

    fn is_dead(&self, f: &Function, needs: &Needs, inst: &Inst) -> bool {
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
        self.followed[s]
            && w.at >= 0
            && w.at + w.len <= i64::from(f.slots[s].size)
            && needs.bytes[s] & mask(w.at, w.len) == 0
    }
}

/// Pointers through which an operation reads.
fn reads(op: &Op) -> &[Value] {
    match op {
        Op::Load { ptr, .. } | Op::Atomic { ptr, .. } => std::slice::from_ref(ptr),
        Op::Copy { src, .. } => std::slice::from_ref(src),
        Op::Call(h, args) if h.fills() == Fills::Whole => args.get(1..).unwrap_or_default(),
        Op::Call(_, args) | Op::CallLocal(_, args) => args,
        _ => &[],
    }
}

/// Carries needs backwards over the blocks.
struct Flow {
    transfers: FastMap<(Block, usize), Transfer>,
    /// Needed after the end of a block.
    after: FastMap<(Block, usize), u64>,
    todo: Vec<(Block, usize, u64)>,
    preds: BlockLists,
}

impl Flow {
    fn need_before(&mut self, b: Block, slot: usize, bytes: u64) {
        if bytes != 0 {
            self.todo.extend(self.preds.of(b).iter().map(|p| (*p, slot, bytes)));
        }
    }

    fn run(&mut self) {
        while let Some((b, slot, bytes)) = self.todo.pop() {
            let after = self.after.entry((b, slot)).or_default();
            let new = bytes & !*after;
            *after |= new;
            let own = self.transfers.get(&(b, slot)).copied().unwrap_or_default();
            self.need_before(b, slot, new & !own.writes & !own.needs);
        }
    }
}
