//! Which slots pointers lead into, and what instructions do to them.

use crate::bitset::BitSet;
use crate::ir::*;

/// Where a pointer leads: a slot at a known offset, or only a set of slots.
#[derive(Debug)]
pub struct Pointers {
    exact: Vec<Option<(Slot, i64)>>,
    may: Vec<BitSet>,
    /// Slots whose address is stored somewhere: any call may touch them.
    pub escaped: BitSet,
}

impl Pointers {
    /// Follows all pointers of a function.
    pub fn new(f: &Function) -> Self {
        let n = f.slots.len();
        let mut p = Pointers {
            exact: vec![None; f.types.len()],
            may: vec![BitSet::new(); f.types.len()],
            escaped: BitSet::new(),
        };
        if n == 0 {
            return p;
        }
        while p.round(f) {}
        p.find_exact(f);
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            match &i.op {
                Op::Store { value, .. } | Op::Atomic { value, .. } => {
                    p.escaped.union(&p.may[value.0 as usize]);
                }
                _ => {}
            }
        }
        p
    }

    fn round(&mut self, f: &Function) -> bool {
        let mut changed = false;
        for b in &f.blocks {
            for i in &b.insts {
                let Some(v) = i.result else { continue };
                match i.op {
                    Op::SlotAddr(s) => changed |= self.may[v.0 as usize].insert(s.0 as usize),
                    Op::Alu(_, x, y) => changed |= self.flow(x, v) | self.flow(y, v),
                    _ => {}
                }
            }
            for (target, args) in b.term.successors() {
                for (&param, &arg) in f.block(target).params.iter().zip(args) {
                    changed |= self.flow(arg, param);
                }
            }
        }
        changed
    }

    fn flow(&mut self, from: Value, to: Value) -> bool {
        let source = self.may[from.0 as usize].clone();
        self.may[to.0 as usize].union(&source)
    }

    fn find_exact(&mut self, f: &Function) {
        let mut constants = vec![None; f.types.len()];
        // Definitions come before uses in reverse postorder, which is the order of the blocks here.
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            let Some(v) = i.result else { continue };
            match i.op {
                Op::Const(c) => constants[v.0 as usize] = Some(c),
                Op::SlotAddr(s) => self.exact[v.0 as usize] = Some((s, 0)),
                Op::Alu(Alu::Add, x, y) => {
                    let base = self.exact[x.0 as usize].zip(constants[y.0 as usize]);
                    self.exact[v.0 as usize] = base.map(|((s, at), c)| (s, at + c));
                }
                _ => {}
            }
        }
    }

    /// Learns of a new value, the address of `slot`.
    pub fn add(&mut self, v: Value, slot: Slot) {
        let n = v.0 as usize + 1;
        let mut none = self.escaped.clone();
        none.clear();
        self.exact.resize(n, None);
        self.may.resize(n, none);
        self.exact[n - 1] = Some((slot, 0));
        self.may[n - 1].insert(slot.0 as usize);
    }

    /// Slot and byte offset that an access at `ptr + offset` begins at, where known.
    pub fn exact(&self, ptr: Value, offset: i32) -> Option<(Slot, i64)> {
        self.exact[ptr.0 as usize].map(|(s, at)| (s, at + i64::from(offset)))
    }

    /// Slots that `ptr` may lead into.
    pub fn may(&self, ptr: Value) -> &BitSet {
        &self.may[ptr.0 as usize]
    }

    /// Slots that a call may change: those it is given to write and those whose address is stored somewhere.
    pub fn changed_by_call(&self, op: &Op) -> BitSet {
        let mut set = self.escaped.clone();
        let (args, read_only) = match op {
            Op::Call(h, args) => (args, h.info().map_or(&[][..], |i| i.reads)),
            Op::CallLocal(_, args) => (args, &[][..]),
            _ => return set,
        };
        for (i, arg) in args.iter().enumerate() {
            if !read_only.contains(&i) {
                set.union(&self.may[arg.0 as usize]);
            }
        }
        set
    }
}
