//! Reads of neighbouring kernel fields become one read: a helper call costs more than the bytes between them.
//!
//! Only reads that always follow one another are merged, so that no byte is read that the script does not reach:
//! what lies between two fields of one object is inside the object. A failure is counted once, for the first
//! field; all of them are zero then, as they would be on their own.

use super::pointers::Pointers;
use super::util::{BlockLists, Dominators, constants, operands, predecessors};
use crate::dense::ValueMap;
use crate::helpers::PROBE_READ_KERNEL;
use crate::ir::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Longest merged read in bytes.
const MAX_BYTES: i64 = 64;

/// Blocks that a merged read looks ahead.
const MAX_BLOCKS: usize = 64;

/// A read of a constant number of bytes into a slot of its own.
#[derive(Clone, Copy, Debug)]
struct Read {
    block: Block,
    inst: usize,
    slot: Slot,
    base: Value,
    offset: i64,
    len: i64,
}

impl Read {
    /// What its widest load must be aligned to.
    fn align(&self) -> i64 {
        1 << self.len.ilog2()
    }
}

/// Runs the pass; true if it changed anything.
pub fn run(f: &mut Function) -> bool {
    let is_read = |i: &&Inst| matches!(i.op, Op::Call(PROBE_READ_KERNEL, _));
    if f.blocks.iter().flat_map(|b| &b.insts).filter(is_read).nth(1).is_none() {
        return false;
    }
    let reads = Finder::new(f).reads();
    if reads.len() < 2 {
        return false;
    }
    let chains = Chains::new(f);
    let mut of_base: HashMap<Value, Vec<usize>> = HashMap::new();
    for (i, read) in reads.iter().enumerate() {
        of_base.entry(read.base).or_default().push(i);
    }
    let mut taken = vec![false; reads.len()];
    let mut plans = vec![];
    for i in 0..reads.len() {
        let same_base = &of_base[&reads[i].base];
        if taken[i] || same_base.len() < 2 {
            continue;
        }
        let mut group = vec![i];
        let chain = chains.after(f, reads[i].block);
        for &j in same_base {
            let later = chain.get(&reads[j].block);
            let follows = later.is_some_and(|&n| n > 0 || reads[j].inst > reads[i].inst);
            if !taken[j] && follows && fits(&reads, &group, j) {
                group.push(j);
            }
        }
        if group.len() > 1 {
            group.iter().for_each(|&j| taken[j] = true);
            plans.push(group.into_iter().map(|j| reads[j]).collect::<Vec<_>>());
        }
    }
    if !plans.is_empty() {
        apply(f, &plans);
    }
    !plans.is_empty()
}

/// What covers all reads of a group, and where its bytes go.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Offset of the first byte from the base.
    start: i64,
    /// Bytes.
    len: i64,
    /// Where the first byte lies in the slot.
    shift: i64,
}

impl Window {
    /// The window of a group whose reads can all be aligned at once.
    ///
    /// The verifier takes loads from the stack only where they are aligned, but the base may be any address, such as that
    /// of a header behind the 14 bytes of another: what counts is where the bytes land, not where they come from.
    fn of(group: &[Read]) -> Option<Window> {
        let start = group.iter().map(|r| r.offset).min()?;
        let len = group.iter().map(|r| r.offset + r.len).max()? - start;
        let aligned = |shift: i64| group.iter().all(|r| (r.offset - start + shift) % r.align() == 0);
        // As in a base that is aligned itself, if possible: that leaves most choice to reads that join later.
        let shift = (0..8).map(|n| (start + n) & 7).find(|&shift| aligned(shift))?;
        Some(Window { start, len, shift }).filter(|w| w.len + w.shift <= MAX_BYTES)
    }
}

fn fits(reads: &[Read], group: &[usize], new: usize) -> bool {
    let all: Vec<Read> = group.iter().chain([&new]).map(|&i| reads[i]).collect();
    Window::of(&all).is_some()
}

/// Finds the reads that may be merged.
struct Finder<'a> {
    f: &'a Function,
    pointers: Pointers,
    constants: ValueMap<i64>,
    sums: ValueMap<(Value, i64)>,
    /// Slots that are only filled by one read and loaded from.
    private: Vec<bool>,
}

impl<'a> Finder<'a> {
    fn new(f: &'a Function) -> Self {
        let constants = constants(f);
        let mut sums = ValueMap::new();
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            if let (Op::Alu(Alu::Add, x, c), Some(v)) = (&i.op, i.result)
                && let Some(&c) = constants.get(*c)
            {
                sums.insert(v, (*x, c));
            }
        }
        let pointers = Pointers::new(f);
        let mut finder = Finder { f, pointers, constants, sums, private: vec![] };
        finder.private = finder.private_slots();
        finder
    }

    fn private_slots(&self) -> Vec<bool> {
        let mut filled = vec![0; self.f.slots.len()];
        let mut private = vec![true; self.f.slots.len()];
        for i in self.f.blocks.iter().flat_map(|b| &b.insts) {
            match &i.op {
                Op::SlotAddr(_) | Op::Load { .. } => {}
                Op::Call(PROBE_READ_KERNEL, args)
                    if self.pointers.exact(args[0], 0).is_some_and(|p| p.1 == 0) =>
                {
                    self.pointers.may(args[0]).iter().for_each(|s| filled[s] += 1);
                    self.pointers.may(args[2]).iter().for_each(|s| private[s] = false);
                }
                op => operands(op, |v| self.pointers.may(v).iter().for_each(|s| private[s] = false)),
            }
        }
        for b in &self.f.blocks {
            for (_, args) in b.term.successors() {
                let passed = args.iter().flat_map(|a| self.pointers.may(*a).iter());
                passed.for_each(|s| private[s] = false);
            }
        }
        private.iter().zip(filled).map(|(p, n)| *p && n == 1).collect()
    }

    fn reads(&self) -> Vec<Read> {
        let mut out = vec![];
        for b in self.f.block_ids() {
            for (inst, i) in self.f.block(b).insts.iter().enumerate() {
                out.extend(self.read(&i.op).map(|r| Read { block: b, inst, ..r }));
            }
        }
        out
    }

    fn read(&self, op: &Op) -> Option<Read> {
        let Op::Call(PROBE_READ_KERNEL, args) = op else { return None };
        let [dst, len, src] = args[..] else { return None };
        let (slot, _) = self.pointers.exact(dst, 0)?;
        let len = *self.constants.get(len)?;
        let (base, offset) = self.sums.get(src).copied().unwrap_or((src, 0));
        let whole = i64::from(self.f.slots[slot.0 as usize].size) >= len && (1..=8).contains(&len);
        let good = whole && offset >= 0 && self.private[slot.0 as usize] && self.f.ty(base) == Ty::I64;
        good.then_some(Read { block: Block(0), inst: 0, slot, base, offset, len })
    }
}

/// For each block, the block that always runs next unless a read fails.
struct Chains {
    dominators: Dominators,
    preds: BlockLists,
}

impl Chains {
    fn new(f: &Function) -> Self {
        let preds = predecessors(f);
        Chains { dominators: Dominators::with(f, &preds), preds }
    }

    /// A block and those that follow it when nothing unlikely happens, up to the next loop, numbered in order.
    fn after(&self, f: &Function, start: Block) -> HashMap<Block, usize> {
        let mut chain = HashMap::from([(start, 0)]);
        let mut b = start;
        loop {
            b = match &f.block(b).term {
                Term::Jump(t, _) => *t,
                Term::Branch { otherwise, unlikely: true, .. } => otherwise.0,
                _ => return chain,
            };
            let is_loop = self.preds.of(b).iter().any(|p| self.dominators.dominates(b, *p));
            if is_loop
                || chain.len() > MAX_BLOCKS
                || chain.contains_key(&b)
                || !self.dominators.dominates(start, b)
            {
                return chain;
            }
            chain.insert(b, chain.len());
        }
    }
}

/// Carries out the merging: one read in place of the first, the others succeed at once.
fn apply(f: &mut Function, plans: &[Vec<Read>]) {
    let mut moved: BTreeMap<Slot, (Slot, i64)> = BTreeMap::new();
    let mut firsts: BTreeMap<(Block, usize), (Slot, Value, Window)> = BTreeMap::new();
    let mut others: BTreeSet<(Block, usize)> = BTreeSet::new();
    for group in plans {
        let Some(window) = Window::of(group) else { continue };
        let slot = f.add_slot((window.shift + window.len) as u32, 8);
        moved.extend(group.iter().map(|r| (r.slot, (slot, r.offset - window.start + window.shift))));
        firsts.insert((group[0].block, group[0].inst), (slot, group[0].base, window));
        others.extend(group[1..].iter().map(|r| (r.block, r.inst)));
    }
    for b in f.block_ids() {
        let insts = std::mem::take(&mut f.block_mut(b).insts);
        let mut out = Rewriter { f, out: vec![] };
        for (n, inst) in insts.into_iter().enumerate() {
            let place = match inst.op {
                Op::SlotAddr(s) => moved.get(&s).copied(),
                _ => None,
            };
            if let Some(&plan) = firsts.get(&(b, n)) {
                out.first(&inst, plan);
            } else if others.contains(&(b, n)) {
                out.out.push(Inst { op: Op::Const(0), ..inst });
            } else if let Some(place) = place {
                out.moved(&inst, place);
            } else {
                out.out.push(inst);
            }
        }
        let out =
            out.out.into_iter().filter(|i| i.result.is_some() || !matches!(i.op, Op::Const(_))).collect();
        f.block_mut(b).insts = out;
    }
}

struct Rewriter<'a> {
    f: &'a mut Function,
    out: Vec<Inst>,
}

impl Rewriter<'_> {
    fn value(&mut self, op: Op, ty: Ty, like: &Inst) -> Value {
        let v = self.f.new_value(ty);
        self.out.push(Inst { op, result: Some(v), span: like.span });
        v
    }

    fn first(&mut self, inst: &Inst, (slot, base, window): (Slot, Value, Window)) {
        let mut dst = self.value(Op::SlotAddr(slot), Ty::Ptr(Space::Stack), inst);
        if window.shift != 0 {
            let shift = self.value(Op::Const(window.shift), Ty::I64, inst);
            dst = self.value(Op::Alu(Alu::Add, dst, shift), Ty::Ptr(Space::Stack), inst);
        }
        let len = self.value(Op::Const(window.len), Ty::I64, inst);
        let start = self.value(Op::Const(window.start), Ty::I64, inst);
        let src = self.value(Op::Alu(Alu::Add, base, start), Ty::I64, inst);
        self.out.push(Inst { op: Op::Call(PROBE_READ_KERNEL, [dst, len, src].into()), ..*inst });
    }

    fn moved(&mut self, inst: &Inst, (slot, at): (Slot, i64)) {
        let base = self.value(Op::SlotAddr(slot), Ty::Ptr(Space::Stack), inst);
        let at = self.value(Op::Const(at), Ty::I64, inst);
        self.out.push(Inst { op: Op::Alu(Alu::Add, base, at), ..*inst });
    }
}
