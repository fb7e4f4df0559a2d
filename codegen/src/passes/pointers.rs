//! Which slots pointers lead into, and what instructions do to them.

use crate::bitset::BitSet;
use crate::ir::*;

/// The slots that a value may point into: mostly none or one.
#[derive(Clone, Debug, Default)]
pub enum Reach {
    /// None.
    #[default]
    Nothing,
    /// One.
    One(Slot),
    /// Several, by number.
    Many(Box<BitSet>),
}

impl Reach {
    /// Numbers of the slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (one, many) = match self {
            Reach::Nothing => (None, None),
            Reach::One(s) => (Some(s.0 as usize), None),
            Reach::Many(set) => (None, Some(set.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Is the slot with this number among them?
    pub fn contains(&self, slot: usize) -> bool {
        match self {
            Reach::Nothing => false,
            Reach::One(s) => s.0 as usize == slot,
            Reach::Many(set) => set.contains(slot),
        }
    }

    /// Adds a slot; true if it was not there.
    fn insert(&mut self, slot: Slot) -> bool {
        match self {
            Reach::Nothing => *self = Reach::One(slot),
            Reach::One(s) if *s == slot => return false,
            Reach::One(s) => {
                let mut set = BitSet::new();
                set.insert(s.0 as usize);
                set.insert(slot.0 as usize);
                *self = Reach::Many(Box::new(set));
            }
            Reach::Many(set) => return set.insert(slot.0 as usize),
        }
        true
    }

    /// Adds all of `other`; true if that changed anything.
    fn add(&mut self, other: &Reach) -> bool {
        match (self, other) {
            (_, Reach::Nothing) => false,
            (to, Reach::One(s)) => to.insert(*s),
            (Reach::Many(to), Reach::Many(set)) => to.union(set),
            (to, Reach::Many(_)) => {
                // It had one at most, so there is always something new.
                let before = std::mem::replace(to, other.clone());
                before.iter().for_each(|s| _ = to.insert(Slot(s as u32)));
                true
            }
        }
    }
}

/// By value: the slots that it may point into.
pub fn reaches(f: &Function) -> Vec<Reach> {
    let mut to = vec![Reach::Nothing; f.types.len()];
    let mut defined = vec![false; f.types.len()];
    let in_order = f.blocks.iter().all(|b| is_in_order(b, &mut defined));
    // Where definitions stand before uses, all that a round can miss is what a jump carries.
    let mut again = round(f, &mut to, !in_order);
    while again {
        again = round(f, &mut to, true);
    }
    to
}

/// Does arithmetic stand behind the definitions of what it computes with?
fn is_in_order(b: &BlockData, defined: &mut [bool]) -> bool {
    b.params.iter().for_each(|p| defined[p.0 as usize] = true);
    b.insts.iter().all(|i| {
        i.result.into_iter().for_each(|v| defined[v.0 as usize] = true);
        !matches!(i.op, Op::Alu(_, x, y) if !defined[x.0 as usize] || !defined[y.0 as usize])
    })
}

/// Goes through the function once; true if a jump, or with `all` anything, had something new to carry.
fn round(f: &Function, to: &mut [Reach], all: bool) -> bool {
    let mut changed = false;
    for b in &f.blocks {
        for i in &b.insts {
            let Some(v) = i.result else { continue };
            match i.op {
                Op::SlotAddr(s) => changed |= to[v.0 as usize].insert(s) && all,
                Op::Alu(_, x, y) => changed |= (flow(to, x, v) | flow(to, y, v)) && all,
                _ => {}
            }
        }
        for (target, args) in b.term.successors() {
            for (&param, &arg) in f.block(target).params.iter().zip(args) {
                changed |= flow(to, arg, param);
            }
        }
    }
    changed
}

fn flow(to: &mut [Reach], from: Value, v: Value) -> bool {
    if matches!(to[from.0 as usize], Reach::Nothing) || from == v {
        return false;
    }
    let source = std::mem::take(&mut to[from.0 as usize]);
    let changed = to[v.0 as usize].add(&source);
    to[from.0 as usize] = source;
    changed
}

/// Where a pointer leads: a slot at a known offset, or only a set of slots.
#[derive(Debug)]
pub struct Pointers {
    exact: Vec<Option<(Slot, i64)>>,
    may: Vec<Reach>,
    /// Slots whose address is stored somewhere: any call may touch them.
    pub escaped: BitSet,
}

impl Pointers {
    /// Follows all pointers of a function.
    pub fn new(f: &Function) -> Self {
        let exact = vec![None; f.types.len()];
        if f.slots.is_empty() {
            return Pointers { exact, may: vec![Reach::Nothing; f.types.len()], escaped: BitSet::new() };
        }
        let mut p = Pointers { exact, may: reaches(f), escaped: BitSet::new() };
        p.find_exact(f);
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            if let Op::Store { value, .. } | Op::Atomic { value, .. } | Op::CmpXchg { new: value, .. } = &i.op
            {
                p.may[value.0 as usize].iter().for_each(|s| _ = p.escaped.insert(s));
            }
        }
        p
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
        self.exact.resize(n, None);
        self.may.resize(n, Reach::Nothing);
        self.exact[n - 1] = Some((slot, 0));
        self.may[n - 1].insert(slot);
    }

    /// Slot and byte offset that an access at `ptr + offset` begins at, where known.
    pub fn exact(&self, ptr: Value, offset: i32) -> Option<(Slot, i64)> {
        self.exact[ptr.0 as usize].map(|(s, at)| (s, at + i64::from(offset)))
    }

    /// Slots that `ptr` may lead into.
    pub fn may(&self, ptr: Value) -> &Reach {
        &self.may[ptr.0 as usize]
    }

    /// May a call change this slot? It may if it is given it to write, or if its address is stored somewhere.
    pub fn changed_by_call(&self, op: &Op, slot: Slot) -> bool {
        let slot = slot.0 as usize;
        let (args, read_only) = match op {
            Op::Call(h, args) => (args, h.info().map_or(&[][..], |i| i.reads)),
            Op::CallLocal(_, args) => (args, &[][..]),
            _ => return self.escaped.contains(slot),
        };
        let written = |(i, arg): (usize, &Value)| !read_only.contains(&i) && self.may(*arg).contains(slot);
        self.escaped.contains(slot) || args.iter().enumerate().any(written)
    }
}
