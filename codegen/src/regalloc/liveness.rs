//! Which registers are live where.
//!
//! Each register is followed backwards from the blocks that need it at their beginning to those that define it: the work grows
//! with what is found, not with the number of blocks times that of registers.

use crate::dominators::BlockLists;
use crate::emit::mach::{MFunc, MInst, Reg};
use crate::ir::Block;
use crate::steps;

/// Registers live at one place, ascending: they are few.
#[derive(Clone, Debug, Default)]
pub struct Live {
    regs: Vec<u32>,
}

impl Live {
    /// Adds a register.
    pub fn insert(&mut self, r: Reg) {
        if let Err(at) = self.regs.binary_search(&r.0) {
            self.regs.insert(at, r.0);
        }
    }

    /// Takes a register out.
    pub fn remove(&mut self, r: Reg) {
        if let Ok(at) = self.regs.binary_search(&r.0) {
            self.regs.remove(at);
        }
    }

    /// Is it live?
    pub fn contains(&self, r: Reg) -> bool {
        self.regs.binary_search(&r.0).is_ok()
    }

    /// The registers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Reg> + '_ {
        self.regs.iter().map(|r| Reg(*r))
    }

    /// From what is live after an instruction to what is live before it.
    pub fn step_back(&mut self, inst: &MInst) {
        inst.op.defs(|r| self.remove(r));
        inst.op.uses(|r| self.insert(r));
    }
}

/// Registers live at the end of each block, r10 left out.
#[derive(Debug)]
pub struct Liveness {
    /// By block: live after its end.
    pub out: Vec<Live>,
}

impl Liveness {
    /// Computes it.
    pub fn new(f: &MFunc) -> Self {
        let edges = (0..f.blocks.len()).flat_map(|b| f.blocks[b].term.successors().map(move |s| (s, b)));
        let edges: Vec<_> = edges.map(|(s, b)| (Block(s as u32), Block(b as u32))).collect();
        let preds = BlockLists::new(f.blocks.len(), &edges);
        let mut out = vec![Live::default(); f.blocks.len()];
        let accesses = Accesses::new(f);
        // The register that was last found to be defined in each block.
        let mut defined = vec![u32::MAX; f.blocks.len()];
        let mut defs = accesses.defs.iter().peekable();
        for needs in accesses.needs.chunk_by(|a, b| a.0 == b.0) {
            let reg = needs[0].0;
            while let Some(&(r, b)) = defs.next_if(|def| def.0 <= reg) {
                if r == reg {
                    defined[b as usize] = reg;
                }
            }
            let mut todo: Vec<u32> = needs.iter().map(|need| need.1).collect();
            while let Some(b) = todo.pop() {
                steps::count(1);
                for p in preds.of(Block(b)).iter().map(|p| p.0 as usize) {
                    if out[p].regs.last() != Some(&reg) {
                        out[p].regs.push(reg);
                        todo.extend((defined[p] != reg).then_some(p as u32));
                    }
                }
            }
        }
        Liveness { out }
    }
}

/// Registers and blocks, in the order of the registers.
struct Accesses {
    /// The blocks that read a register before they write it.
    needs: Vec<(u32, u32)>,
    /// The blocks that write a register.
    defs: Vec<(u32, u32)>,
}

impl Accesses {
    fn new(f: &MFunc) -> Self {
        let regs = f.regs as usize;
        // The last block that needed, and that defined, each register.
        let (mut needed, mut defined) = (vec![u32::MAX; regs], vec![u32::MAX; regs]);
        let (mut needs, mut defs) = (vec![], vec![]);
        for (b, block) in (0..).zip(&f.blocks) {
            let mut reads = |r: Reg, defined: &[u32]| {
                let i = r.index();
                if r != Reg::R10 && defined[i] != b && std::mem::replace(&mut needed[i], b) != b {
                    needs.push((r.0, b));
                }
            };
            for inst in &block.insts {
                inst.op.uses(|r| reads(r, &defined));
                inst.op.defs(|r| {
                    if std::mem::replace(&mut defined[r.index()], b) != b {
                        defs.push((r.0, b));
                    }
                });
            }
            block.term.uses(|r| reads(r, &defined));
        }
        defs.retain(|(r, _)| needed[*r as usize] != u32::MAX);
        needs.sort_unstable();
        defs.sort_unstable();
        Accesses { needs, defs }
    }
}

/// Drops instructions whose only effect is a register that nobody reads.
pub fn remove_dead(f: &mut MFunc) {
    let liveness = Liveness::new(f);
    let mut dead = vec![];
    for (block, mut live) in f.blocks.iter_mut().zip(liveness.out) {
        block.term.uses(|r| live.insert(r));
        dead.clear();
        for inst in block.insts.iter().rev() {
            let mut needed = inst.op.has_effect();
            inst.op.defs(|r| needed |= live.contains(r));
            dead.push(!needed);
            if needed {
                live.step_back(inst);
            }
        }
        if dead.contains(&true) {
            block.insts.retain(|_| dead.pop() == Some(false));
        }
    }
}
