//! Proves an allocation right by running it over symbols: which original registers' values each place holds.
//!
//! For each original instruction the registers that stand in its place must hold the values that it
//! named. This finds every lost, overwritten or confused value, whatever the allocator did.

use crate::emit::mach::{MBlock, MFunc, MInst, MOp, MTerm, Reg, Src};
use std::collections::{HashMap, HashSet};

/// Does [`super::allocate`] check each result? In builds with debug assertions.
pub fn enabled() -> bool {
    cfg!(debug_assertions)
}

/// Where a value can lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Reg(Reg),
    Slot(u32),
}

/// Original registers whose value each place holds; a place that is missing holds nothing known.
type State = HashMap<Place, HashSet<Reg>>;

/// Checks an allocated function against the one it was made of; the error says what is wrong.
pub fn check(original: &MFunc, allocated: &MFunc) -> Result<(), String> {
    let origins: Vec<&MOp> = original.blocks.iter().flat_map(|b| &b.insts).map(|i| &i.op).collect();
    let by_number = |n: u32| -> Option<&MOp> { origins.get(n as usize).copied() };
    let mut entry: Vec<Option<State>> = vec![None; allocated.blocks.len()];
    let first = (0..original.params).map(|i| Reg(i + 1)).chain([Reg::R10]);
    entry[0] = Some(first.map(|r| (Place::Reg(r), HashSet::from([r]))).collect());
    let mut todo = vec![0];
    while let Some(b) = todo.pop() {
        let Some(mut state) = entry[b].clone() else { continue };
        run_block(&mut state, &allocated.blocks[b], &original.blocks[b].term, &by_number)
            .map_err(|e| format!("internal: wrong register allocation in block {b}: {e}"))?;
        for s in allocated.blocks[b].term.successors() {
            if merge(&mut entry[s], &state) {
                todo.push(s);
            }
        }
    }
    Ok(())
}

/// Keeps what both know; true if that changed the entry state.
fn merge(entry: &mut Option<State>, state: &State) -> bool {
    let Some(old) = entry else {
        *entry = Some(state.clone());
        return true;
    };
    let size = |s: &State| s.values().map(HashSet::len).sum::<usize>();
    let before = size(old);
    old.retain(|place, held| {
        let Some(new) = state.get(place) else { return false };
        held.retain(|r| new.contains(r));
        !held.is_empty()
    });
    size(old) != before
}

fn run_block<'a>(
    state: &mut State,
    block: &MBlock,
    original_term: &MTerm,
    by_number: &impl Fn(u32) -> Option<&'a MOp>,
) -> Result<(), String> {
    for inst in &block.insts {
        match inst.origin.and_then(by_number) {
            Some(original) => run_original(state, inst, original)?,
            None => run_added(state, inst)?,
        }
    }
    let (mut wanted, mut given) = (vec![], vec![]);
    original_term.uses(|r| wanted.push(r));
    block.term.uses(|r| given.push(r));
    wanted.into_iter().zip(given).try_for_each(|(w, g)| need(state, g, w))
}

fn need(state: &State, place: Reg, value: Reg) -> Result<(), String> {
    let held = state.get(&Place::Reg(place));
    if held.is_some_and(|h| h.contains(&value)) {
        return Ok(());
    }
    Err(format!("r{} does not hold v{}", place.0, value.0))
}

/// Source and destination of an instruction that only moves a value.
fn transfer(op: &MOp) -> Option<(Place, Place)> {
    match *op {
        MOp::Mov { dst, src: Src::Reg(src), wide: true } => Some((Place::Reg(dst), Place::Reg(src))),
        MOp::Spill { src, slot } => Some((Place::Slot(slot.0), Place::Reg(src))),
        MOp::Reload { dst, slot } => Some((Place::Reg(dst), Place::Slot(slot.0))),
        MOp::Stay { slot } => Some((Place::Slot(slot.0), Place::Slot(slot.0))),
        _ => None,
    }
}

fn run_added(state: &mut State, inst: &MInst) -> Result<(), String> {
    let Some((dst, src)) = transfer(&inst.op) else {
        return Err(format!("an instruction was added that moves nothing: {:?}", inst.op));
    };
    let held = state.get(&src).cloned().unwrap_or_default();
    state.insert(dst, held);
    Ok(())
}

fn run_original(state: &mut State, inst: &MInst, original: &MOp) -> Result<(), String> {
    if let (Some((d, s)), Some((dst, src))) = (original.as_copy(), transfer(&inst.op)) {
        let held = state.get(&src).cloned().unwrap_or_default();
        if !held.contains(&s) {
            return Err(format!("{src:?} does not hold v{}", s.0));
        }
        if d == s {
            return Ok(());
        }
        forget(state, d);
        let mut held = held;
        held.insert(d);
        state.insert(dst, held);
        return Ok(());
    }
    let (mut wanted, mut given) = (vec![], vec![]);
    original.uses(|r| wanted.push(r));
    inst.op.uses(|r| given.push(r));
    wanted.into_iter().zip(given).try_for_each(|(w, g)| need(state, g, w))?;
    let (mut defined, mut places) = (vec![], vec![]);
    original.defs(|r| defined.push(r));
    inst.op.defs(|r| places.push(r));
    defined.iter().for_each(|d| forget(state, *d));
    for (d, p) in defined.into_iter().zip(places) {
        state.insert(Place::Reg(p), HashSet::from([d]));
    }
    if inst.op.is_call() {
        (1..=5).for_each(|r| drop(state.remove(&Place::Reg(Reg(r)))));
    }
    Ok(())
}

/// A register gets a new value: no place holds it any more.
fn forget(state: &mut State, r: Reg) {
    for held in state.values_mut() {
        held.remove(&r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::mach::SpillSlot;
    use rbtrace_lang::Span;

    fn func(ops: &[MOp]) -> MFunc {
        let inst = |(i, op): (usize, &MOp)| MInst { op: *op, span: Span::default(), origin: Some(i as u32) };
        let insts = ops.iter().enumerate().map(inst).collect();
        let block = MBlock { insts, term: MTerm::Exit, term_span: Span::default() };
        MFunc { blocks: vec![block], regs: 20, params: 1, slot_bytes: 0, spills: 1 }
    }

    fn mov(dst: u32, src: u32) -> MOp {
        MOp::Mov { dst: Reg(dst), src: Src::Reg(Reg(src)), wide: true }
    }

    /// v11 = r1; v12 = r1; call; r0 = v11
    fn original() -> MFunc {
        func(&[mov(11, 1), mov(12, 1), MOp::Call { helper: 5, args: 0 }, mov(0, 11)])
    }

    #[test]
    fn accepts_what_is_right() {
        let good = func(&[mov(6, 1), mov(2, 1), MOp::Call { helper: 5, args: 0 }, mov(0, 6)]);
        assert_eq!(check(&original(), &good), Ok(()));
    }

    #[test]
    fn finds_a_value_that_a_call_destroyed() {
        let bad = func(&[mov(2, 1), mov(6, 1), MOp::Call { helper: 5, args: 0 }, mov(0, 2)]);
        assert!(check(&original(), &bad).unwrap_err().contains("does not hold v11"));
    }

    #[test]
    fn finds_a_value_that_another_overwrote() {
        let slot = SpillSlot(0);
        let mut bad = original();
        bad.blocks[0].insts[0].op = MOp::Spill { src: Reg(1), slot };
        bad.blocks[0].insts[1].op = mov(2, 1);
        bad.blocks[0].insts[3].op = MOp::Reload { dst: Reg(0), slot };
        assert_eq!(check(&original(), &bad), Ok(()));
        let clobber = MInst { op: MOp::Spill { src: Reg(0), slot }, span: Span::default(), origin: None };
        bad.blocks[0].insts.insert(3, clobber);
        assert!(check(&original(), &bad).unwrap_err().contains("does not hold v11"));
    }
}
