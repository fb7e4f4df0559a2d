//! Which slots are in use at once: from the first access on any path to the last.

use crate::bitset::BitSet;
use crate::ir::*;
use crate::passes::pointers::{Reach, reaches};
use crate::passes::util::{BlockLists, operands, predecessors, term_operands};

/// Conflicts between the slots of a function.
#[derive(Debug)]
pub struct SlotConflicts {
    conflicts: Vec<BitSet>,
    used: BitSet,
    holds_pointer: BitSet,
}

impl SlotConflicts {
    /// Computes them.
    pub fn new(f: &Function) -> Self {
        let n = f.slots.len();
        let mut c = SlotConflicts {
            conflicts: vec![BitSet::new(); n],
            used: BitSet::new(),
            holds_pointer: BitSet::new(),
        };
        if n == 0 {
            return c;
        }
        let to = reaches(f);
        let escaped = c.escapes(f, &to);
        let preds = predecessors(f);
        let accesses: Vec<Vec<Access>> = f.blocks.iter().map(|b| block_accesses(b, &to)).collect();
        let own: Vec<BitSet> = accesses.iter().map(|a| all(a)).collect();
        let use_ = Use { reached: reached(f, &own, &preds), live: live(f, &own), own };
        let mut last = vec![0; n];
        for b in f.block_ids() {
            c.block(&accesses[b.0 as usize], b, preds.of(b), &use_, &mut last);
        }
        use_.own.iter().for_each(|own| _ = c.used.union(own));
        for s in escaped.iter().filter(|&s| c.used.contains(s)).collect::<Vec<_>>() {
            (0..n).filter(|&t| t != s).for_each(|t| c.add(s, t));
        }
        c
    }

    /// Slots whose address is stored, and slots that it is stored into.
    fn escapes(&mut self, f: &Function, to: &[Reach]) -> BitSet {
        let mut escaped = BitSet::new();
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            let Op::Store { ptr, value, .. } = i.op else { continue };
            to[value.0 as usize].iter().for_each(|s| _ = escaped.insert(s));
            if matches!(f.ty(value), Ty::Ptr(_)) {
                to[ptr.0 as usize].iter().for_each(|s| _ = self.holds_pointer.insert(s));
            }
        }
        escaped
    }

    /// Follows the slots in use through a block: each that comes into use meets all that are.
    ///
    /// `last` is a table by slot to work with.
    fn block(&mut self, accesses: &[Access], b: Block, preds: &[Block], of: &Use, last: &mut [usize]) {
        let mut now = self.enter(b, preds, of);
        let (reached, live) = (&of.reached[b.0 as usize], &of.live[b.0 as usize]);
        accesses.iter().for_each(|a| last[a.slot] = a.inst);
        let mut met = BitSet::new();
        for together in accesses.chunk_by(|a, b| a.inst == b.inst) {
            for s in together.iter().map(|a| a.slot) {
                if !reached.contains(s) && met.insert(s) {
                    now.iter().for_each(|&t| self.add(s, t));
                    now.push(s);
                }
            }
            let ends = |a: &Access| last[a.slot] == a.inst && !live.contains(a.slot);
            if together.iter().any(ends) {
                now.retain(|&t| !together.iter().any(|a| a.slot == t && ends(a)));
            }
        }
    }

    /// The slots in use where a block begins. Those that were in use together at the end of a block that leads to it
    /// have met there, if that one was followed already.
    fn enter(&mut self, b: Block, preds: &[Block], of: &Use) -> Vec<usize> {
        let (reached, live, own) = (&of.reached[b.0 as usize], &of.live[b.0 as usize], &of.own[b.0 as usize]);
        let mut now = live.clone();
        now.union(own);
        now.intersect(reached);
        let now: Vec<usize> = now.iter().collect();
        let new_from = |p: &Block| -> Vec<usize> {
            let (reached, own) = (&of.reached[p.0 as usize], &of.own[p.0 as usize]);
            now.iter().copied().filter(|&s| !reached.contains(s) && !own.contains(s)).collect()
        };
        let followed = preds.iter().filter(|p| **p < b);
        let new = followed.map(new_from).min_by_key(Vec::len).unwrap_or_else(|| now.clone());
        for &s in &new {
            now.iter().filter(|&&t| t != s).for_each(|&t| self.add(s, t));
        }
        now
    }

    fn add(&mut self, s: usize, t: usize) {
        self.conflicts[s].insert(t);
        self.conflicts[t].insert(s);
    }

    /// Is the slot accessed at all?
    pub fn used(&self, s: usize) -> bool {
        self.used.contains(s)
    }

    /// Must the slot lie on the stack? Only there does the verifier remember what a stored pointer points to.
    pub fn on_stack(&self, f: &Function, s: usize) -> bool {
        f.slots[s].memory == Memory::Stack || self.holds_pointer.contains(s)
    }

    /// Slots in use together with `s`.
    pub fn of(&self, s: usize) -> impl Iterator<Item = usize> + '_ {
        self.conflicts[s].iter()
    }
}

/// By block: the slots that it accesses, those accessed on some path before it, and on some path after it.
struct Use {
    own: Vec<BitSet>,
    reached: Vec<BitSet>,
    live: Vec<BitSet>,
}

/// An instruction of a block, and a slot that it accesses.
struct Access {
    inst: usize,
    slot: usize,
}

/// The slots that a block accesses, in order.
fn block_accesses(b: &BlockData, to: &[Reach]) -> Vec<Access> {
    let mut out = vec![];
    let mut add = |inst: usize, v: Value| {
        out.extend(to[v.0 as usize].iter().map(|slot| Access { inst, slot }));
    };
    for (n, i) in b.insts.iter().enumerate().filter(|(_, i)| !matches!(i.op, Op::Alu(..))) {
        operands(&i.op, |v| add(n, v));
    }
    if let Term::Return(_) = b.term {
        term_operands(&b.term, |v| add(b.insts.len(), v));
    }
    out
}

fn all(accesses: &[Access]) -> BitSet {
    let mut set = BitSet::new();
    accesses.iter().for_each(|a| _ = set.insert(a.slot));
    set
}

fn reached(f: &Function, own: &[BitSet], preds: &BlockLists) -> Vec<BitSet> {
    let mut before = vec![BitSet::new(); f.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for b in f.block_ids() {
            let mut set = std::mem::take(&mut before[b.0 as usize]);
            for p in preds.of(b) {
                changed |= set.union(&before[p.0 as usize]);
                changed |= set.union(&own[p.0 as usize]);
            }
            before[b.0 as usize] = set;
        }
    }
    before
}

fn live(f: &Function, own: &[BitSet]) -> Vec<BitSet> {
    let mut after = vec![BitSet::new(); f.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for b in (0..f.blocks.len()).rev() {
            let mut set = std::mem::take(&mut after[b]);
            for (s, _) in f.blocks[b].term.successors() {
                changed |= set.union(&after[s.0 as usize]);
                changed |= set.union(&own[s.0 as usize]);
            }
            after[b] = set;
        }
    }
    after
}
