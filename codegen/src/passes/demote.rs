//! Moves numbers to scratch memory where more of them are in use at once than registers and the stack can hold.
//!
//! A number that is moved is stored where it is computed and loaded before each use. Pointers stay: in a map's memory the
//! verifier forgets what they are. So do numbers whose range the verifier must know: offsets into memory, sizes
//! given to helpers, and what decides whether a loop goes on.

use super::util::*;
use crate::bitset::BitSet;
use crate::helpers;
use crate::ir::*;
use rbtrace_lang::Span;
use std::collections::{BTreeSet, HashMap};

/// Moves numbers until nowhere more than `most` are in use at once, as far as they may be moved.
pub fn run(f: &mut Function, most: usize) {
    let movable = movable(f);
    let victims = choose(f, &movable, most);
    if !victims.is_empty() {
        Rewriter::new(f, &victims).run();
    }
}

/// Numbers that may lie in memory.
fn movable(f: &Function) -> Vec<bool> {
    let constants = constants(f);
    let guarded = guarded(f);
    let number = |v: &u32| matches!(f.ty(Value(*v)), Ty::I64 | Ty::I32);
    (0..f.types.len() as u32)
        .map(|v| number(&v) && !guarded.contains(v as usize) && !constants.contains(Value(v)))
        .collect()
}

/// Numbers whose range matters to the verifier, and those that they are computed from.
fn guarded(f: &Function) -> BitSet {
    let defs = definitions(f);
    let mut todo = vec![];
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        match (&i.op, i.result) {
            (Op::Alu(_, _, offset), Some(v)) if matches!(f.ty(v), Ty::Ptr(_)) => todo.push(*offset),
            (Op::Call(h, args), _) => todo.extend(size_arg(*h).and_then(|n| args.get(n))),
            _ => {}
        }
    }
    todo.extend(loop_conditions(f));
    let arguments = arguments(f);
    let mut guarded = BitSet::new();
    while let Some(v) = todo.pop() {
        if !guarded.insert(v.0 as usize) {
            continue;
        }
        match defs[v.0 as usize] {
            // A mask or a bound gives the number its range.
            Some(Op::Alu(Alu::And | Alu::UMin, a, b)) if is_const(&defs, *a) || is_const(&defs, *b) => {}
            Some(op @ (Op::Alu(..) | Op::Zext(..) | Op::Sext(..))) => operands(op, |v| todo.push(v)),
            Some(_) => {}
            None => todo.extend(arguments.get(&v).into_iter().flatten()),
        }
    }
    guarded
}

fn is_const(defs: &[Option<&Op>], v: Value) -> bool {
    matches!(defs[v.0 as usize], Some(Op::Const(_)))
}

/// The argument of a helper that is the size of another.
fn size_arg(h: Helper) -> Option<usize> {
    match h {
        helpers::PROBE_READ
        | helpers::PROBE_READ_STR
        | helpers::PROBE_READ_USER
        | helpers::PROBE_READ_KERNEL
        | helpers::PROBE_READ_USER_STR
        | helpers::PROBE_READ_KERNEL_STR
        | helpers::GET_CURRENT_COMM => Some(1),
        helpers::GET_STACK => Some(2),
        _ => None,
    }
}

/// What jumps give to each block parameter.
fn arguments(f: &Function) -> HashMap<Value, Vec<Value>> {
    let mut out: HashMap<Value, Vec<Value>> = HashMap::new();
    for (target, args) in f.blocks.iter().flat_map(|b| b.term.successors()) {
        for (p, a) in f.block(target).params.iter().zip(args) {
            out.entry(*p).or_default().push(*a);
        }
    }
    out
}

/// Operands of the branches that leave loops: the verifier follows a loop only as long as it knows them.
fn loop_conditions(f: &Function) -> Vec<Value> {
    let mut out = vec![];
    for b in f.block_ids() {
        let Term::Branch { a, b: right, then, otherwise, .. } = &f.block(b).term else { continue };
        if reaches(f, then.0, b) != reaches(f, otherwise.0, b) {
            out.extend([*a, *right]);
        }
    }
    out
}

fn reaches(f: &Function, from: Block, to: Block) -> bool {
    let mut seen = vec![false; f.blocks.len()];
    let mut todo = vec![from];
    while let Some(b) = todo.pop() {
        if b == to {
            return true;
        }
        if !std::mem::replace(&mut seen[b.0 as usize], true) {
            todo.extend(f.block(b).term.successors().map(|s| s.0));
        }
    }
    false
}

/// By block: what is in use at its end.
fn live_out(f: &Function, wanted: &[bool]) -> Vec<BitSet> {
    let mut live_in = vec![BitSet::new(); f.blocks.len()];
    let mut out = live_in.clone();
    let mut live = Live::new(wanted.to_vec());
    let mut changed = true;
    while changed {
        changed = false;
        for b in (0..f.blocks.len() as u32).rev().map(Block) {
            let at = b.0 as usize;
            for (s, _) in f.block(b).term.successors() {
                changed |= out[at].union(&live_in[s.0 as usize]);
            }
            live.walk(f.block(b), &out[at], |_, _| {});
            changed |= live_in[at].union(&live.set);
        }
    }
    out
}

/// The numbers in use at a place.
struct Live {
    set: BitSet,
    /// How many they are.
    len: usize,
    wanted: Vec<bool>,
    /// Where each came into use, on the way back.
    since: Vec<usize>,
    /// The current instruction.
    at: usize,
}

impl Live {
    fn new(wanted: Vec<bool>) -> Self {
        Live { set: BitSet::new(), len: 0, since: vec![0; wanted.len()], wanted, at: 0 }
    }

    fn needs(&mut self, v: Value) {
        let i = v.0 as usize;
        if self.wanted[i] && self.set.insert(i) {
            self.len += 1;
            self.since[i] = self.at;
        }
    }

    fn ends(&mut self, v: usize) -> bool {
        let was = self.set.contains(v);
        self.len -= usize::from(was);
        self.set.remove(v);
        was
    }

    /// Goes through a block from its end, where `out` is in use. `at` is called at each place, with the number that came out
    /// of use there, if any.
    fn walk(&mut self, b: &BlockData, out: &BitSet, mut at: impl FnMut(&mut Live, Option<Value>)) {
        self.set.clear();
        (self.len, self.at) = (0, b.insts.len());
        out.iter().for_each(|v| self.needs(Value(v as u32)));
        term_operands(&b.term, |v| self.needs(v));
        at(self, None);
        for (n, i) in b.insts.iter().enumerate().rev() {
            self.at = n;
            let ended = i.result.filter(|v| self.ends(v.0 as usize));
            operands(&i.op, |v| self.needs(v));
            at(self, ended);
        }
        b.params.iter().for_each(|p| _ = self.ends(p.0 as usize));
    }
}

/// The numbers to move: where too many are in use at once, those that are in use longest for each of their uses.
fn choose(f: &Function, movable: &[bool], most: usize) -> BTreeSet<Value> {
    let out = live_out(f, movable);
    let rank = ranks(f, movable, &out);
    let mut victims = BTreeSet::new();
    let mut live = Live::new(movable.to_vec());
    for b in f.block_ids() {
        live.walk(f.block(b), &out[b.0 as usize], |live, _| {
            if live.len <= most {
                return;
            }
            let mut now: Vec<usize> = live.set.iter().collect();
            now.sort_unstable_by_key(|&v| std::cmp::Reverse((rank[v], v)));
            for &v in &now[..live.len - most] {
                live.ends(v);
                live.wanted[v] = false;
                victims.insert(Value(v as u32));
            }
        });
    }
    victims
}

/// By number: at how many places it is in use for each of its uses.
fn ranks(f: &Function, movable: &[bool], out: &[BitSet]) -> Vec<u64> {
    let (mut places, mut uses) = (vec![0u64; f.types.len()], vec![1u64; f.types.len()]);
    let mut live = Live::new(movable.to_vec());
    for b in f.block_ids() {
        let data = f.block(b);
        data.insts.iter().for_each(|i| operands(&i.op, |v| uses[v.0 as usize] += 1));
        term_operands(&data.term, |v| uses[v.0 as usize] += 1);
        live.walk(data, &out[b.0 as usize], |live, ended| {
            if let Some(v) = ended {
                places[v.0 as usize] += (live.since[v.0 as usize] - live.at) as u64;
            }
            if live.at == 0 {
                live.set.iter().for_each(|v| places[v] += live.since[v] as u64 + 1);
            }
        });
    }
    places.iter().zip(uses).map(|(places, uses)| places * 64 / uses).collect()
}

struct Rewriter<'a> {
    f: &'a mut Function,
    /// Where each moved number lies.
    slots: HashMap<Value, Slot>,
    /// Where jumps leave the arguments for moved block parameters: other parameters may still be read meanwhile.
    passed: HashMap<Value, Slot>,
}

impl<'a> Rewriter<'a> {
    fn new(f: &'a mut Function, victims: &BTreeSet<Value>) -> Self {
        let mut r = Rewriter { f, slots: HashMap::new(), passed: HashMap::new() };
        for v in victims {
            let slot = r.slot();
            r.slots.insert(*v, slot);
        }
        let params: Vec<Value> = r.f.blocks[1..].iter().flat_map(|b| b.params.clone()).collect();
        for p in params.into_iter().filter(|p| victims.contains(p)) {
            let slot = r.slot();
            r.passed.insert(p, slot);
        }
        r
    }

    fn slot(&mut self) -> Slot {
        let slot = self.f.add_slot(8, 8);
        self.f.slots[slot.0 as usize].memory = Memory::Scratch;
        slot
    }

    fn run(&mut self) {
        for b in self.f.block_ids() {
            self.block(b);
        }
        for b in self.f.block_ids().skip(1) {
            let passed = &self.passed;
            self.f.block_mut(b).params.retain(|p| !passed.contains_key(p));
        }
    }

    fn block(&mut self, b: Block) {
        let insts = std::mem::take(&mut self.f.block_mut(b).insts);
        let mut out = vec![];
        let span = insts.first().map_or(self.f.block(b).term_span, |i| i.span);
        for p in self.f.block(b).params.clone() {
            let Some(&slot) = self.slots.get(&p) else { continue };
            let value = match self.passed.get(&p).copied() {
                Some(from) => self.load(from, self.f.ty(p), span, &mut out),
                None => p,
            };
            self.store(slot, value, span, &mut out);
        }
        for mut inst in insts {
            self.reload(inst.span, &mut out, |change| operands_mut(&mut inst.op, change));
            let (result, span) = (inst.result, inst.span);
            out.push(inst);
            if let Some(v) = result
                && let Some(&slot) = self.slots.get(&v)
            {
                self.store(slot, v, span, &mut out);
            }
        }
        self.f.block_mut(b).insts = out;
        self.end(b);
    }

    /// The end of a block: its operands, and what it gives to moved parameters.
    fn end(&mut self, b: Block) {
        let span = self.f.block(b).term_span;
        let mut term = std::mem::replace(&mut self.f.block_mut(b).term, Term::Unreachable);
        let split = matches!(term, Term::Branch { .. });
        for (target, args) in targets_mut(&mut term) {
            let params = self.f.block(*target).params.clone();
            let moved: Vec<(Slot, Value)> =
                params.iter().zip(&*args).filter_map(|(p, a)| Some((*self.passed.get(p)?, *a))).collect();
            let mut keep = params.iter().map(|p| !self.passed.contains_key(p));
            args.retain(|_| keep.next().unwrap_or(true));
            if moved.is_empty() {
                continue;
            }
            let at = if split { self.f.add_block() } else { b };
            let mut out = std::mem::take(&mut self.f.block_mut(at).insts);
            for (slot, mut value) in moved {
                self.reload(span, &mut out, |change| change(&mut value));
                self.store(slot, value, span, &mut out);
            }
            if split {
                self.reload(span, &mut out, |change| args.iter_mut().for_each(change));
                self.f.block_mut(at).term = Term::Jump(*target, std::mem::take(args));
                *target = at;
            }
            self.f.block_mut(at).insts = out;
        }
        let mut out = std::mem::take(&mut self.f.block_mut(b).insts);
        self.reload(span, &mut out, |change| term_operands_mut(&mut term, change));
        let data = self.f.block_mut(b);
        (data.insts, data.term) = (out, term);
    }

    /// Loads each moved number that `visit` finds.
    fn reload(&mut self, span: Span, out: &mut Vec<Inst>, visit: impl FnOnce(&mut dyn FnMut(&mut Value))) {
        let mut loaded: HashMap<Value, Value> = HashMap::new();
        visit(&mut |v: &mut Value| {
            let Some(&slot) = self.slots.get(v) else { return };
            let ty = self.f.ty(*v);
            *v = *loaded.entry(*v).or_insert_with(|| self.load(slot, ty, span, out));
        });
    }

    fn address(&mut self, slot: Slot, span: Span, out: &mut Vec<Inst>) -> Value {
        let ptr = self.f.new_value(Ty::Ptr(Space::Stack));
        out.push(Inst { op: Op::SlotAddr(slot), result: Some(ptr), span });
        ptr
    }

    fn load(&mut self, slot: Slot, ty: Ty, span: Span, out: &mut Vec<Inst>) -> Value {
        let ptr = self.address(slot, span, out);
        let value = self.f.new_value(ty);
        let op = Op::Load { width: width(ty), signed: false, ptr, offset: 0 };
        out.push(Inst { op, result: Some(value), span });
        value
    }

    fn store(&mut self, slot: Slot, value: Value, span: Span, out: &mut Vec<Inst>) {
        let ptr = self.address(slot, span, out);
        let op = Op::Store { width: width(self.f.ty(value)), ptr, offset: 0, value };
        out.push(Inst { op, result: None, span });
    }
}

fn width(ty: Ty) -> Width {
    if ty == Ty::I32 { Width::B4 } else { Width::B8 }
}
