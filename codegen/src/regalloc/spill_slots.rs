//! Lets spill slots whose values are never live at once share their place on the stack.

use crate::bitset::BitSet;
use crate::emit::mach::{MFunc, MOp, SpillSlot};

/// Renumbers the spill slots of an allocated function; `f.spills` becomes the number of places.
pub fn share(f: &mut MFunc) {
    let n = f.spills as usize;
    if n == 0 {
        return;
    }
    remove_dead(f);
    let conflicts = conflicts(f, n);
    let mut place: Vec<u32> = vec![];
    for (s, conflicts) in conflicts.iter().enumerate() {
        let mut taken = BitSet::new();
        conflicts.iter().take_while(|&t| t < s).for_each(|t| _ = taken.insert(place[t] as usize));
        let free = (0..n).find(|&p| !taken.contains(p)).unwrap_or(s);
        place.push(free as u32);
    }
    f.spills = place.iter().max().map_or(0, |m| m + 1);
    for inst in f.blocks.iter_mut().flat_map(|b| &mut b.insts) {
        if let MOp::Spill { slot, .. } | MOp::Reload { slot, .. } = &mut inst.op {
            *slot = SpillSlot(place[slot.0 as usize]);
        }
    }
}

/// Drops stores to slots that are stored to again before they are read.
fn remove_dead(f: &mut MFunc) {
    let out = live_out(f);
    for (block, mut live) in f.blocks.iter_mut().zip(out) {
        let mut kept = Vec::with_capacity(block.insts.len());
        for inst in block.insts.drain(..).rev() {
            let dead = matches!(inst.op, MOp::Spill { slot, .. } if !live.contains(slot.0 as usize));
            step(&mut live, &inst.op);
            if !dead {
                kept.push(inst);
            }
        }
        kept.reverse();
        block.insts = kept;
    }
}

fn conflicts(f: &MFunc, n: usize) -> Vec<BitSet> {
    let mut conflicts = vec![BitSet::new(); n];
    let out = live_out(f);
    for (block, out) in f.blocks.iter().zip(out) {
        let mut live = out;
        for inst in block.insts.iter().rev() {
            if let MOp::Spill { slot, .. } = inst.op {
                let s = slot.0 as usize;
                for t in live.iter().filter(|&t| t != s) {
                    conflicts[s].insert(t);
                    conflicts[t].insert(s);
                }
            }
            step(&mut live, &inst.op);
        }
    }
    conflicts
}

fn step(live: &mut BitSet, op: &MOp) {
    match op {
        MOp::Spill { slot, .. } => live.remove(slot.0 as usize),
        MOp::Reload { slot, .. } => {
            live.insert(slot.0 as usize);
        }
        _ => {}
    }
}

fn live_out(f: &MFunc) -> Vec<BitSet> {
    let mut live_in = vec![BitSet::new(); f.blocks.len()];
    let mut out = live_in.clone();
    let mut changed = true;
    while changed {
        changed = false;
        for (b, block) in f.blocks.iter().enumerate().rev() {
            for s in block.term.successors() {
                changed |= out[b].union(&live_in[s]);
            }
            let mut live = out[b].clone();
            block.insts.iter().rev().for_each(|i| step(&mut live, &i.op));
            changed |= live_in[b].union(&live);
        }
    }
    out
}
