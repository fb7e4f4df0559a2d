//! Loads from slots become the values that were stored there, within a block and the blocks it alone leads to.

use super::pointers::Pointers;
use super::util::{predecessors, replace};
use crate::ir::*;
use std::collections::HashMap;

/// What a piece of a slot holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    /// The low bytes of a value.
    Value(Value),
    /// Zeros.
    Zero,
}

/// A known piece: first byte, bytes, content.
#[derive(Clone, Copy, Debug)]
struct Piece {
    slot: Slot,
    at: i64,
    len: i64,
    held: Held,
}

type State = Vec<Piece>;

/// Pieces that are remembered at once.
const MAX_PIECES: usize = 64;

/// Runs the pass; the blocks are in reverse postorder.
pub fn run(f: &mut Function) {
    if f.slots.is_empty() {
        return;
    }
    let pointers = Pointers::new(f);
    let preds = predecessors(f);
    let mut after: HashMap<Block, State> = HashMap::new();
    let mut pass = Pass { pointers, state: vec![], replaced: HashMap::new() };
    for b in f.block_ids() {
        pass.state = match preds[b.0 as usize][..] {
            [p] if b.0 != 0 => after.get(&p).cloned().unwrap_or_default(),
            _ => vec![],
        };
        pass.block(f, b);
        after.insert(b, std::mem::take(&mut pass.state));
    }
    replace(f, &pass.replaced);
}

struct Pass {
    pointers: Pointers,
    state: State,
    replaced: HashMap<Value, Value>,
}

impl Pass {
    fn block(&mut self, f: &mut Function, b: Block) {
        let insts = std::mem::take(&mut f.block_mut(b).insts);
        let mut out = Vec::with_capacity(insts.len());
        for mut inst in insts {
            match inst.op {
                Op::Load { width, signed, ptr, offset } => {
                    let found = self.pointers.exact(ptr, offset).and_then(|at| self.find(at, width));
                    if let (Some(held), Some(v)) = (found, inst.result) {
                        self.forward(f, &mut inst, held, width, signed, v);
                    } else {
                        self.loaded(f, &inst, width, signed, ptr, offset);
                    }
                }
                Op::Store { width, ptr, offset, value } => {
                    let len = i64::from(width.bytes());
                    self.write(ptr, offset, len, Some(Held::Value(value)));
                }
                Op::Zero { dst, offset, len, .. } => self.write(dst, offset, len.into(), Some(Held::Zero)),
                Op::Copy { dst, dst_offset, src, src_offset, len, .. } => {
                    self.copy((dst, dst_offset), (src, src_offset), len.into());
                }
                Op::Atomic { width, ptr, offset, .. } => self.write(ptr, offset, width.bytes().into(), None),
                Op::Call(h, _) if h.is_pure() => {}
                Op::Call(..) | Op::CallLocal(..) => {
                    let touched = self.pointers.touched_by_call(&inst.op);
                    self.state.retain(|p| !touched.contains(p.slot.0 as usize));
                }
                _ => {}
            }
            if !matches!(inst.result, Some(v) if self.replaced.contains_key(&v)) {
                out.push(inst);
            }
        }
        f.block_mut(b).insts = out;
    }

    /// What an access finds, if one piece has it from its first byte on.
    fn find(&self, (slot, at): (Slot, i64), width: Width) -> Option<Held> {
        let len = i64::from(width.bytes());
        let piece =
            self.state.iter().rev().find(|p| p.slot == slot && p.at <= at && at + len <= p.at + p.len)?;
        (piece.at == at || piece.held == Held::Zero).then_some(piece.held)
    }

    /// The load becomes an operation on what is held.
    fn forward(&mut self, f: &Function, inst: &mut Inst, held: Held, width: Width, signed: bool, v: Value) {
        inst.op = match held {
            Held::Zero => Op::Const(0),
            Held::Value(value) if width == Width::B8 && f.ty(value) == f.ty(v) => {
                self.replaced.insert(v, value);
                return;
            }
            // A pointer that is read as a number, or the other way round: the load stays.
            Held::Value(value) if matches!(f.ty(value), Ty::Ptr(_)) || matches!(f.ty(v), Ty::Ptr(_)) => {
                return;
            }
            Held::Value(value) if signed => Op::Sext(width, value),
            Held::Value(value) => Op::Zext(width, value),
        };
    }

    /// A load says what the slot holds, too.
    fn loaded(&mut self, f: &Function, inst: &Inst, width: Width, signed: bool, ptr: Value, offset: i32) {
        let (Some((slot, at)), Some(v)) = (self.pointers.exact(ptr, offset), inst.result) else { return };
        if !signed && !matches!(f.ty(v), Ty::Ptr(_)) && !self.pointers.escaped.contains(slot.0 as usize) {
            self.add(Piece { slot, at, len: width.bytes().into(), held: Held::Value(v) });
        }
    }

    fn write(&mut self, ptr: Value, offset: i32, len: i64, held: Option<Held>) {
        let Some((slot, at)) = self.pointers.exact(ptr, offset) else {
            let may = self.pointers.may(ptr);
            self.state.retain(|p| !may.contains(p.slot.0 as usize));
            return;
        };
        self.state.retain(|p| p.slot != slot || p.at + p.len <= at || at + len <= p.at);
        if let Some(held) = held.filter(|_| !self.pointers.escaped.contains(slot.0 as usize)) {
            self.add(Piece { slot, at, len, held });
        }
    }

    fn add(&mut self, piece: Piece) {
        if self.state.len() < MAX_PIECES {
            self.state.push(piece);
        }
    }

    fn copy(&mut self, dst: (Value, i32), src: (Value, i32), len: i64) {
        let from = self.pointers.exact(src.0, src.1);
        self.write(dst.0, dst.1, len, None);
        let (Some((s, from)), Some((d, to))) = (from, self.pointers.exact(dst.0, dst.1)) else { return };
        if self.pointers.escaped.contains(d.0 as usize) || s == d {
            return;
        }
        let inside = |p: &&Piece| p.slot == s && p.at >= from && p.at + p.len <= from + len;
        let moved: Vec<Piece> = self.state.iter().filter(inside).copied().collect();
        for p in moved {
            self.add(Piece { slot: d, at: p.at - from + to, ..p });
        }
    }
}
