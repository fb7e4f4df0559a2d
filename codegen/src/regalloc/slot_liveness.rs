//! Which slots are in use at once: from the first access on any path to the last.

use crate::bitset::BitSet;
use crate::ir::*;
use crate::passes::util::{operands, predecessors, term_operands};

/// Conflicts between the slots of a function.
#[derive(Debug)]
pub struct SlotConflicts {
    conflicts: Vec<BitSet>,
    used: BitSet,
    holds_pointer: BitSet,
}

/// The slots that each value may point into.
fn points_to(f: &Function) -> Vec<BitSet> {
    let mut to = vec![BitSet::new(); f.types.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for b in &f.blocks {
            for i in &b.insts {
                let Some(v) = i.result else { continue };
                match i.op {
                    Op::SlotAddr(s) => changed |= to[v.0 as usize].insert(s.0 as usize),
                    Op::Alu(_, a, b) => changed |= flow(&mut to, a, v) | flow(&mut to, b, v),
                    _ => {}
                }
            }
            for (target, args) in b.term.successors() {
                for (&p, &a) in f.block(target).params.iter().zip(args) {
                    changed |= flow(&mut to, a, p);
                }
            }
        }
    }
    to
}

fn flow(to: &mut [BitSet], from: Value, v: Value) -> bool {
    let source = to[from.0 as usize].clone();
    to[v.0 as usize].union(&source)
}

impl SlotConflicts {
    /// Computes them.
    pub fn new(f: &Function) -> Self {
        let n = f.slots.len();
        let empty = BitSet::new();
        let mut c = SlotConflicts {
            conflicts: vec![empty.clone(); n],
            used: empty.clone(),
            holds_pointer: empty.clone(),
        };
        if n == 0 {
            return c;
        }
        let to = points_to(f);
        let escaped = c.escapes(f, &to);
        let accesses: Vec<Vec<BitSet>> = f.blocks.iter().map(|b| block_accesses(b, &to)).collect();
        let (reached, live) = (reached(f, &accesses), live(f, &accesses));
        for (b, steps) in accesses.iter().enumerate() {
            c.block(steps, &reached[b], &live[b]);
        }
        for s in escaped.iter().filter(|&s| c.used.contains(s)).collect::<Vec<_>>() {
            (0..n).filter(|&t| t != s).for_each(|t| c.add(s, t));
        }
        c
    }

    /// Slots whose address is stored, and slots that it is stored into.
    fn escapes(&mut self, f: &Function, to: &[BitSet]) -> BitSet {
        let mut escaped = BitSet::new();
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            let Op::Store { ptr, value, .. } = i.op else { continue };
            escaped.union(&to[value.0 as usize]);
            if matches!(f.ty(value), Ty::Ptr(_)) {
                self.holds_pointer.union(&to[ptr.0 as usize]);
            }
        }
        escaped
    }

    /// Walks a block forwards with what was reached before and backwards with what is still needed.
    fn block(&mut self, steps: &[BitSet], reached: &BitSet, live_out: &BitSet) {
        let mut needed = vec![live_out.clone()];
        for step in steps.iter().rev() {
            let mut live = needed[needed.len() - 1].clone();
            live.union(step);
            needed.push(live);
        }
        let mut reached = reached.clone();
        for (step, live) in steps.iter().zip(needed.iter().rev()) {
            reached.union(step);
            self.used.union(step);
            let mut now = reached.clone();
            now.intersect(live);
            let now: Vec<usize> = now.iter().collect();
            for (i, &s) in now.iter().enumerate() {
                now[..i].iter().for_each(|&t| self.add(s, t));
            }
        }
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

/// The slots that each instruction, and the end, touches.
fn block_accesses(b: &BlockData, to: &[BitSet]) -> Vec<BitSet> {
    let mut out = vec![];
    for i in &b.insts {
        let mut set = BitSet::new();
        if !matches!(i.op, Op::Alu(..)) {
            operands(&i.op, |v| _ = set.union(&to[v.0 as usize]));
        }
        out.push(set);
    }
    let mut set = BitSet::new();
    if let Term::Return(_) = b.term {
        term_operands(&b.term, |v| _ = set.union(&to[v.0 as usize]));
    }
    out.push(set);
    out
}

fn all(steps: &[BitSet]) -> BitSet {
    let mut set = BitSet::new();
    steps.iter().for_each(|s| _ = set.union(s));
    set
}

/// By block: slots accessed on some path before it.
fn reached(f: &Function, accesses: &[Vec<BitSet>]) -> Vec<BitSet> {
    let preds = predecessors(f);
    let own: Vec<BitSet> = accesses.iter().map(|a| all(a)).collect();
    let mut before = vec![BitSet::new(); f.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for b in 0..f.blocks.len() {
            for p in &preds[b] {
                let mut after = before[p.0 as usize].clone();
                after.union(&own[p.0 as usize]);
                changed |= before[b].union(&after);
            }
        }
    }
    before
}

/// By block: slots accessed on some path after it.
fn live(f: &Function, accesses: &[Vec<BitSet>]) -> Vec<BitSet> {
    let own: Vec<BitSet> = accesses.iter().map(|a| all(a)).collect();
    let mut after = vec![BitSet::new(); f.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for b in (0..f.blocks.len()).rev() {
            for (s, _) in f.blocks[b].term.successors() {
                let mut next = after[s.0 as usize].clone();
                next.union(&own[s.0 as usize]);
                changed |= after[b].union(&next);
            }
        }
    }
    after
}
