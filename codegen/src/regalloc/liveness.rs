//! Which registers are live where, by backward data flow over bit sets.

use crate::bitset::BitSet;
use crate::emit::mach::{MFunc, MInst};

/// Registers live at the end of each block.
#[derive(Debug)]
pub struct Liveness {
    /// By block: live after its end.
    pub out: Vec<BitSet>,
}

impl Liveness {
    /// Computes it.
    pub fn new(f: &MFunc) -> Self {
        let mut live_in = vec![BitSet::new(); f.blocks.len()];
        let mut out = live_in.clone();
        let mut changed = true;
        while changed {
            changed = false;
            for b in (0..f.blocks.len()).rev() {
                for s in f.blocks[b].term.successors() {
                    changed |= out[b].union(&live_in[s]);
                }
                let mut live = out[b].clone();
                f.blocks[b].term.uses(|r| {
                    live.insert(r.index());
                });
                for inst in f.blocks[b].insts.iter().rev() {
                    step_back(&mut live, inst);
                }
                changed |= live_in[b].union(&live);
            }
        }
        Liveness { out }
    }
}

/// From what is live after an instruction to what is live before it.
pub fn step_back(live: &mut BitSet, inst: &MInst) {
    inst.op.defs(|r| live.remove(r.index()));
    inst.op.uses(|r| {
        live.insert(r.index());
    });
}

/// Drops instructions whose only effect is a register that nobody reads.
pub fn remove_dead(f: &mut MFunc) {
    let liveness = Liveness::new(f);
    for (b, block) in f.blocks.iter_mut().enumerate() {
        let mut live = liveness.out[b].clone();
        block.term.uses(|r| {
            live.insert(r.index());
        });
        let mut kept = Vec::with_capacity(block.insts.len());
        for inst in block.insts.drain(..).rev() {
            let mut needed = inst.op.has_effect();
            inst.op.defs(|r| needed |= live.contains(r.index()));
            if needed {
                step_back(&mut live, &inst);
                kept.push(inst);
            }
        }
        kept.reverse();
        block.insts = kept;
    }
}
