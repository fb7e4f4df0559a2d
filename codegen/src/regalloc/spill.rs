//! Moves registers to memory: a store after each definition, a reload before the first use after each call.

use crate::emit::mach::{MBlock, MFunc, MInst, MOp, Reg, Role, SpillSlot, Src};
use crate::hash::{FastMap, FastSet};
use rbtrace_lang::Span;

/// What is known of registers in memory, over all rounds of allocation.
#[derive(Debug, Default)]
pub struct Spills {
    /// Where a register lives, for registers that hold a copy of a spilled one too.
    slots: FastMap<Reg, SpillSlot>,
    /// Registers that live so shortly that spilling them again would not help.
    pub minimal: FastSet<Reg>,
}

impl Spills {
    /// Rewrites the function so that the registers of each group live in one spill slot.
    pub fn rewrite(&mut self, f: &mut MFunc, groups: &[Vec<Reg>]) {
        let mut fresh: FastMap<Reg, (SpillSlot, bool)> = FastMap::default();
        for group in groups {
            // What holds a copy of a spilled register already keeps that one's slot, and now gets registers that
            // span one instruction only.
            let (known, new): (Vec<Reg>, Vec<Reg>) =
                group.iter().copied().partition(|r| self.slots.contains_key(r));
            fresh.extend(known.into_iter().map(|r| (r, (self.slots[&r], true))));
            if !new.is_empty() {
                let slot = SpillSlot(f.spills);
                f.spills += 1;
                fresh.extend(new.into_iter().map(|r| (r, (slot, false))));
            }
        }
        let mut blocks = std::mem::take(&mut f.blocks);
        for block in &mut blocks {
            Rewriter { spills: self, f, spilled: &fresh, current: FastMap::default(), out: vec![] }
                .block(block);
        }
        f.blocks = blocks;
    }
}

struct Rewriter<'a> {
    spills: &'a mut Spills,
    f: &'a mut MFunc,
    spilled: &'a FastMap<Reg, (SpillSlot, bool)>,
    /// Slots whose value lies in a register right now.
    current: FastMap<SpillSlot, Reg>,
    out: Vec<MInst>,
}

impl Rewriter<'_> {
    fn block(mut self, block: &mut MBlock) {
        for inst in std::mem::take(&mut block.insts) {
            self.inst(inst);
        }
        let span = block.term_span;
        let mut term = block.term.clone();
        let mut temps = FastMap::default();
        term.map_uses(|r| self.read(r, span, &mut temps));
        block.term = term;
        block.insts = self.out;
    }

    fn slot(&self, r: Reg) -> Option<SpillSlot> {
        self.spilled.get(&r).map(|s| s.0)
    }

    fn inst(&mut self, inst: MInst) {
        if self.transfer(&inst) {
            return;
        }
        let mut inst = inst;
        let span = inst.span;
        let mut temps: FastMap<Reg, Reg> = FastMap::default();
        let mut written = vec![];
        let mut op = inst.op;
        op.operands_mut(|r, role| {
            let Some(&(slot, _)) = self.spilled.get(r) else { return };
            let old = *r;
            *r = match role {
                Role::Use => self.read(old, span, &mut temps),
                Role::Both => self.private(old, span, &temps),
                Role::Def => *temps.entry(old).or_insert_with(|| self.f.new_reg()),
            };
            if role != Role::Use {
                written.push((slot, *r, old));
            }
        });
        inst.op = op;
        if inst.op.is_call() {
            self.current.clear();
        }
        self.out.push(inst);
        for (slot, r, old) in written {
            self.write_back(slot, r, old, span);
        }
    }

    /// Copies between a register and memory become one reload or store; transfers of a slot to itself vanish.
    fn transfer(&mut self, inst: &MInst) -> bool {
        let same = match inst.op {
            MOp::Reload { dst: r, slot } | MOp::Spill { src: r, slot } => self.slot(r).filter(|s| *s == slot),
            MOp::Mov { dst, src: Src::Reg(src), wide: true } => {
                self.slot(dst).filter(|s| self.slot(src) == Some(*s))
            }
            _ => None,
        };
        if let Some(slot) = same {
            // Left for the checker, which has to hear of the copy; emits nothing.
            self.out.extend(inst.origin.map(|_| MInst { op: MOp::Stay { slot }, ..*inst }));
            return true;
        }
        let MOp::Mov { dst, src: Src::Reg(src), wide: true } = inst.op else { return false };
        match (self.slot(dst), self.slot(src)) {
            (Some(slot), None) => {
                self.store(dst, src, slot, inst);
                true
            }
            (None, Some(slot)) => {
                let op = match self.current.get(&slot) {
                    Some(&r) => MOp::Mov { dst, src: Src::Reg(r), wide: true },
                    None => MOp::Reload { dst, slot },
                };
                self.out.push(MInst { op, ..*inst });
                true
            }
            _ => false,
        }
    }

    /// A copy into a spilled register. What comes from a register of the machine stays in one as well, as long as no
    /// call destroys it: results of calls are mostly looked at at once.
    fn store(&mut self, dst: Reg, src: Reg, slot: SpillSlot, inst: &MInst) {
        self.current.remove(&slot);
        let minimal = self.spilled.get(&dst).is_some_and(|s| s.1);
        if src.is_virtual() || minimal {
            self.out.push(MInst { op: MOp::Spill { src, slot }, ..*inst });
            return;
        }
        let t = self.f.new_reg();
        let op = MOp::Mov { dst: t, src: Src::Reg(src), wide: true };
        self.out.push(MInst { op, ..*inst });
        self.out.push(MInst { op: MOp::Spill { src: t, slot }, span: inst.span, origin: None });
        self.spills.slots.insert(t, slot);
        self.current.insert(slot, t);
    }

    /// A register with the value of spilled `r`, only to be read.
    fn read(&mut self, r: Reg, span: Span, temps: &mut FastMap<Reg, Reg>) -> Reg {
        let Some(&(slot, minimal)) = self.spilled.get(&r) else { return r };
        if let Some(&t) = temps.get(&r).or(self.current.get(&slot)) {
            return t;
        }
        let t = self.reload(slot, span);
        temps.insert(r, t);
        if minimal {
            self.spills.minimal.insert(t);
        } else {
            self.spills.slots.insert(t, slot);
            self.current.insert(slot, t);
        }
        t
    }

    /// A register with the value of spilled `r` that the instruction changes.
    fn private(&mut self, r: Reg, span: Span, temps: &FastMap<Reg, Reg>) -> Reg {
        let Some(&(slot, minimal)) = self.spilled.get(&r) else { return r };
        let t = match (temps.get(&r), self.current.remove(&slot)) {
            (Some(&t), _) => t,
            (None, Some(now)) => {
                let dst = self.f.new_reg();
                let op = MOp::Mov { dst, src: Src::Reg(now), wide: true };
                self.out.push(MInst { op, span, origin: None });
                dst
            }
            (None, None) => self.reload(slot, span),
        };
        if minimal {
            self.spills.minimal.insert(t);
        }
        t
    }

    fn reload(&mut self, slot: SpillSlot, span: Span) -> Reg {
        let dst = self.f.new_reg();
        self.out.push(MInst { op: MOp::Reload { dst, slot }, span, origin: None });
        dst
    }

    fn write_back(&mut self, slot: SpillSlot, r: Reg, old: Reg, span: Span) {
        self.out.push(MInst { op: MOp::Spill { src: r, slot }, span, origin: None });
        if self.spilled.get(&old).is_some_and(|s| s.1) {
            self.spills.minimal.insert(r);
            self.current.remove(&slot);
        } else {
            self.spills.slots.insert(r, slot);
            self.current.insert(slot, r);
        }
    }
}
