//! Drops stores to slots whose bytes are not read any more.
//!
//! What is still needed of a slot is carried from its reads backwards, block by block, up to where it is written: the work
//! grows with the blocks between them, not with the number of blocks times that of slots.

use super::pointers::Pointers;
use super::util::{BlockLists, constants, predecessors};
use crate::dense::ValueMap;
use crate::helpers::{Fills, GET_CURRENT_COMM};
use crate::ir::*;
use crate::steps;

/// Slots up to this many bytes are followed byte by byte; larger ones are dropped only if never read at all.
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

/// What a block does to the need of one slot.
#[derive(Clone, Copy)]
struct Transfer {
    slot: usize,
    block: Block,
    /// The bytes that it reads before it writes them.
    needs: u64,
    /// The bytes that it writes.
    writes: u64,
}

impl Default for Transfer {
    fn default() -> Self {
        Transfer { slot: 0, block: Block(0), needs: 0, writes: 0 }
    }
}

struct Pass {
    pointers: Pointers,
    constants: ValueMap<i64>,
    /// Slots that are read somewhere.
    read: Vec<bool>,
    /// The bytes of each slot that are followed: all of them or none.
    followed: Vec<u64>,
}

/// The part of a slot that is written.
struct Written {
    slot: Slot,
    at: i64,
    len: i64,
    /// Is all of it overwritten on every path?
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
        let followed = |(s, slot): (usize, &SlotData)| {
            let follows = read[s] && slot.size <= MASK_BYTES && !pointers.escaped.contains(s);
            if follows { mask(0, slot.size.into()) } else { 0 }
        };
        let followed = f.slots.iter().enumerate().map(followed).collect();
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
        let mut each = |s: usize, written: u64, read: u64| {
            if self.followed[s] != 0 {
                each(s, written, read & self.followed[s]);
            }
        };
        if let Some(w) = self.writes(op).filter(|w| w.all) {
            each(w.slot.0 as usize, mask(w.at, w.len), 0);
        }
        let (offset, len) = match op {
            Op::Load { width, offset, .. } | Op::Atomic { width, offset, .. } => {
                (*offset, Some(i64::from(width.bytes())))
            }
            Op::CmpXchg { offset, .. } => (*offset, Some(8)),
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
        let transfers = self.transfers(f, scratch);
        let (preds, blocks) = (predecessors(f), f.blocks.len());
        let mut flow =
            Flow { preds, own: vec![Transfer::default(); blocks], after: vec![0; blocks], todo: vec![] };
        let mut after = vec![vec![]; blocks];
        for of_slot in transfers.chunk_by(|a, b| a.slot == b.slot) {
            flow.run(of_slot, |b, bytes| after[b].push((of_slot[0].slot, bytes)));
        }
        after
    }

    /// What each block does to the slots that it accesses, in the order of the slots.
    fn transfers(&self, f: &Function, scratch: &mut Needs) -> Vec<Transfer> {
        let mut transfers: Vec<Transfer> = vec![];
        // By slot: the number of its last transfer.
        let mut last = vec![usize::MAX; f.slots.len()];
        for b in f.block_ids() {
            let first = transfers.len();
            for inst in f.block(b).insts.iter().rev() {
                self.step(&inst.op, |slot, written, read| {
                    scratch.change(slot, written, read);
                    if last[slot] == usize::MAX || last[slot] < first {
                        last[slot] = transfers.len();
                        transfers.push(Transfer { slot, block: b, needs: 0, writes: 0 });
                    }
                    transfers[last[slot]].writes |= written;
                });
            }
            transfers[first..].iter_mut().for_each(|t| t.needs = scratch.bytes[t.slot]);
            scratch.clear();
        }
        transfers.sort_by_key(|t| t.slot);
        transfers
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
        self.followed[s] != 0
            && w.at >= 0
            && w.at + w.len <= i64::from(f.slots[s].size)
            && needs.bytes[s] & mask(w.at, w.len) == 0
    }
}

/// Pointers through which an operation reads.
fn reads(op: &Op) -> &[Value] {
    match op {
        Op::Load { ptr, .. } | Op::Atomic { ptr, .. } | Op::CmpXchg { ptr, .. } => std::slice::from_ref(ptr),
        Op::Copy { src, .. } => std::slice::from_ref(src),
        Op::Call(h, args) if h.fills() == Fills::Whole => args.get(1..).unwrap_or_default(),
        Op::Call(_, args) | Op::CallLocal(_, args) => args,
        _ => &[],
    }
}

/// Carries the needs of one slot after the other backwards over the blocks.
struct Flow {
    preds: BlockLists,
    /// What each block does to the slot.
    own: Vec<Transfer>,
    /// What is needed of it after each block.
    after: Vec<u64>,
    todo: Vec<(Block, u64)>,
}

impl Flow {
    /// Gives each block after which some of a slot is needed.
    fn run(&mut self, transfers: &[Transfer], mut each: impl FnMut(usize, u64)) {
        transfers.iter().for_each(|t| self.own[t.block.0 as usize] = *t);
        transfers.iter().for_each(|t| self.need_before(t.block, t.needs));
        let mut reached = vec![];
        while let Some((b, bytes)) = self.todo.pop() {
            steps::count(1);
            let at = b.0 as usize;
            let new = bytes & !self.after[at];
            reached.extend((self.after[at] == 0).then_some(at));
            self.after[at] |= new;
            self.need_before(b, new & !self.own[at].writes & !self.own[at].needs);
        }
        reached.into_iter().for_each(|b| each(b, std::mem::take(&mut self.after[b])));
        transfers.iter().for_each(|t| self.own[t.block.0 as usize] = Transfer::default());
    }

    fn need_before(&mut self, b: Block, bytes: u64) {
        if bytes != 0 {
            self.todo.extend(self.preds.of(b).iter().map(|p| (*p, bytes)));
        }
    }
}
