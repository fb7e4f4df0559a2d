//! Loads from slots become the values that were stored there, within a block and the blocks it alone leads to.
//!
//! Two slots with the same content are one as far as a map helper is concerned: the second key becomes the
//! first, and a lookup with a key that was looked up already gives what that one gave.

use super::pointers::Pointers;
use super::util::{constants, predecessors, replace};
use crate::dense::ValueMap;
use crate::helpers::{GET_CURRENT_COMM, MAP_DELETE_ELEM, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM};
use crate::ir::*;
use crate::object::ObjMapId;
use rbtrace_lang::Span;
use std::rc::Rc;

/// What a piece of a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// The low bytes of a value.
    Value(Value),
    /// Zeros.
    Zero,
    /// The current task's name, as `bpf_get_current_comm` gives it for a buffer of this size.
    Comm(i64),
}

/// A known piece: first byte, bytes, content.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    slot: Slot,
    at: i64,
    len: i64,
    held: Held,
}

/// A lookup that was made: the map, the key's content, the result.
#[derive(Clone, Debug, PartialEq)]
struct Lookup {
    map: ObjMapId,
    key: Content,
    result: Value,
}

/// The pieces from a place in a slot to its end: offset from there, bytes, content.
type Content = Rc<[(i64, i64, Held)]>;

/// What is known at a place in the program.
#[derive(Clone, Debug, Default)]
struct State {
    pieces: Vec<Piece>,
    lookups: Vec<Lookup>,
}

/// Pieces that are remembered at once.
const MAX_PIECES: usize = 64;
/// Lookups that are remembered at once.
const MAX_LOOKUPS: usize = 32;

/// Runs the pass; the blocks are in reverse postorder. True if it changed anything.
pub fn run(f: &mut Function) -> bool {
    forward(f, true)
}

/// Runs the pass where each slot has its place: no slot is used longer than before, for another may lie there by then.
pub fn run_placed(f: &mut Function) -> bool {
    forward(f, false)
}

fn forward(f: &mut Function, share_keys: bool) -> bool {
    if f.slots.is_empty() {
        return false;
    }
    let preds = predecessors(f);
    let mut after: Vec<State> = vec![];
    let mut pass = Pass {
        pointers: Pointers::new(f),
        maps: maps(f),
        constants: constants(f),
        share_keys,
        state: State::default(),
        replaced: ValueMap::new(),
        out: vec![],
        changed: false,
    };
    for b in f.block_ids() {
        pass.state = before(f, preds.of(b), &mut after);
        pass.block(f, b);
        after.push(std::mem::take(&mut pass.state));
    }
    replace(f, &pass.replaced);
    pass.changed
}

/// What is known on all ways into a block; nothing at the head of a loop.
fn before(f: &Function, preds: &[Block], after: &mut [State]) -> State {
    if preds.iter().any(|p| p.0 as usize >= after.len()) {
        return State::default();
    }
    let Some((first, rest)) = preds.split_first() else { return State::default() };
    let first = first.0 as usize;
    if rest.is_empty() && f.blocks[first].term.successors().count() == 1 {
        return std::mem::take(&mut after[first]);
    }
    let everywhere = |known: &dyn Fn(&State) -> bool| rest.iter().all(|p| known(&after[p.0 as usize]));
    let pieces = after[first].pieces.iter().filter(|p| everywhere(&|s| s.pieces.contains(p)));
    let lookups = after[first].lookups.iter().filter(|l| everywhere(&|s| s.lookups.contains(l)));
    State { pieces: pieces.copied().collect(), lookups: lookups.cloned().collect() }
}

/// The map that each value is.
fn maps(f: &Function) -> ValueMap<ObjMapId> {
    let mut maps = ValueMap::new();
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        if let (Op::MapRef(map), Some(v)) = (&i.op, i.result) {
            maps.insert(v, *map);
        }
    }
    maps
}

struct Pass {
    pointers: Pointers,
    maps: ValueMap<ObjMapId>,
    constants: ValueMap<i64>,
    /// Whether an earlier slot may serve as the key of a later call.
    share_keys: bool,
    state: State,
    replaced: ValueMap<Value>,
    /// Where the instructions of a block gather.
    out: Vec<Inst>,
    changed: bool,
}

impl Pass {
    fn block(&mut self, f: &mut Function, b: Block) {
        let mut insts = std::mem::take(&mut f.block_mut(b).insts);
        for mut inst in insts.drain(..) {
            let before = inst.op;
            let stored_again = self.inst(f, &mut inst);
            let dropped = stored_again || inst.result.is_some_and(|v| self.replaced.contains(v));
            self.changed |= dropped || inst.op != before;
            if !dropped {
                self.out.push(inst);
            }
        }
        insts.append(&mut self.out);
        f.block_mut(b).insts = insts;
    }

    /// Follows an instruction; true if it is a store of what is there already.
    fn inst(&mut self, f: &mut Function, inst: &mut Inst) -> bool {
        match inst.op {
            Op::Load { width, signed, ptr, offset } => {
                let found = self.pointers.exact(ptr, offset).and_then(|at| self.find(at, width));
                if let (Some(held), Some(v)) = (found, inst.result) {
                    self.forward(f, inst, held, width, signed, v);
                } else {
                    self.loaded(f, inst, width, signed, ptr, offset);
                }
            }
            Op::Store { width, ptr, offset, value } => {
                let (len, held) = (i64::from(width.bytes()), Held::Value(value));
                if self.holds(ptr, offset, len, held) {
                    return true;
                }
                self.write(ptr, offset, len, Some(held));
            }
            Op::Zero { dst, offset, len, .. } => {
                if self.holds(dst, offset, len.into(), Held::Zero) {
                    return true;
                }
                self.write(dst, offset, len.into(), Some(Held::Zero));
            }
            Op::Copy { dst, dst_offset, src, src_offset, len, .. } => {
                self.copy((dst, dst_offset), (src, src_offset), len.into());
            }
            Op::Atomic { width, ptr, offset, .. } => self.write(ptr, offset, width.bytes().into(), None),
            Op::CmpXchg { ptr, offset, .. } => self.write(ptr, offset, 8, None),
            Op::Call(h, _) if h.is_pure() => {}
            Op::Call(..) | Op::CallLocal(..) => self.call(f, inst),
            _ => {}
        }
        false
    }

    fn holds(&self, ptr: Value, offset: i32, len: i64, held: Held) -> bool {
        let Some((slot, at)) = self.pointers.exact(ptr, offset) else { return false };
        let same = |p: &Piece| p.slot == slot && p.at == at && p.len == len && p.held == held;
        self.state.pieces.iter().any(same)
    }

    fn call(&mut self, f: &mut Function, inst: &mut Inst) {
        if let Op::Call(h @ (MAP_LOOKUP_ELEM | MAP_UPDATE_ELEM | MAP_DELETE_ELEM), args) = &mut inst.op {
            if let Some(key) = args.get(1).and_then(|k| self.same_key(f, *k, inst.span)) {
                args[1] = key;
            }
            let map = self.maps.get(args[0]).copied();
            if *h == MAP_LOOKUP_ELEM {
                self.look_up(f, map, args[1], inst.result);
            } else {
                self.state.lookups.retain(|l| map.is_some_and(|m| m != l.map));
            }
        } else if !leaves_maps_alone(&inst.op) {
            self.state.lookups.clear();
        }
        match self.filled(&inst.op) {
            Some(piece) => {
                self.cut(piece.slot, piece.at, piece.at + piece.len);
                self.add(piece);
            }
            None => self.state.pieces.retain(|p| !self.pointers.changed_by_call(&inst.op, p.slot)),
        }
    }

    /// What a call writes to a slot, where it writes the same each time.
    fn filled(&self, op: &Op) -> Option<Piece> {
        let Op::Call(GET_CURRENT_COMM, args) = op else { return None };
        let (slot, at) = self.pointers.exact(args[0], 0)?;
        let len = self.constants.get(*args.get(1)?).copied()?;
        // Some kernels leave what is behind the NUL: only over zeros, or over itself, is the result known.
        let zeros = |p: &Piece| p.held == Held::Zero && p.at <= at && at + len <= p.at + p.len;
        let itself = |p: &Piece| p.at == at && p.held == Held::Comm(len);
        let known = self.state.pieces.iter().any(|p| p.slot == slot && (zeros(p) || itself(p)));
        known.then_some(Piece { slot, at, len, held: Held::Comm(len) })
    }

    /// An earlier lookup with this key gives the result, too.
    fn look_up(&mut self, f: &Function, map: Option<ObjMapId>, key: Value, result: Option<Value>) {
        let content = self.pointers.exact(key, 0).and_then(|(s, at)| self.content(f, s, at));
        let (Some(map), Some(key), Some(result)) = (map, content, result) else { return };
        match self.state.lookups.iter().find(|l| l.map == map && l.key == key) {
            Some(l) if f.ty(l.result) == f.ty(result) => {
                self.replaced.insert(result, l.result);
            }
            _ if self.state.lookups.len() >= MAX_LOOKUPS => {}
            _ => self.state.lookups.push(Lookup { map, key, result }),
        }
    }

    /// All that a slot holds from `at` to its end, if it is known.
    fn content(&self, f: &Function, slot: Slot, at: i64) -> Option<Content> {
        let end = i64::from(f.slots[slot.0 as usize].size);
        let pieces = self.state.pieces.iter().filter(|p| p.slot == slot && p.at >= at);
        let mut content: Vec<(i64, i64, Held)> = pieces.map(|p| (p.at - at, p.len, p.held)).collect();
        content.sort_by_key(|c| c.0);
        let mut next = 0;
        for &(from, len, _) in &content {
            if from != next {
                return None;
            }
            next += len;
        }
        (next == end - at).then(|| content.into())
    }

    /// The address of an earlier slot with the same content.
    fn same_key(&mut self, f: &mut Function, key: Value, span: Span) -> Option<Value> {
        let (slot, 0) = self.pointers.exact(key, 0).filter(|_| self.share_keys)? else { return None };
        let content = self.content(f, slot, 0)?;
        let size = f.slots[slot.0 as usize].size;
        let equal = |s: &Slot| {
            f.slots[s.0 as usize].size == size && self.content(f, *s, 0).as_ref() == Some(&content)
        };
        let mut earlier: Vec<Slot> = self.state.pieces.iter().map(|p| p.slot).filter(|s| *s < slot).collect();
        earlier.sort_unstable();
        earlier.dedup();
        let other = earlier.into_iter().find(equal)?;
        let v = f.new_value(Ty::Ptr(Space::Stack));
        self.pointers.add(v, other);
        self.out.push(Inst { op: Op::SlotAddr(other), result: Some(v), span });
        Some(v)
    }

    /// What an access finds, if one piece has it from its first byte on.
    fn find(&self, (slot, at): (Slot, i64), width: Width) -> Option<Held> {
        let len = i64::from(width.bytes());
        let piece = self
            .state
            .pieces
            .iter()
            .rev()
            .find(|p| p.slot == slot && p.at <= at && at + len <= p.at + p.len)?;
        match piece.held {
            Held::Value(_) if piece.at != at => None,
            Held::Comm(_) => None,
            held => Some(held),
        }
    }

    /// The load becomes an operation on what is held.
    fn forward(&mut self, f: &Function, inst: &mut Inst, held: Held, width: Width, signed: bool, v: Value) {
        inst.op = match held {
            Held::Zero => Op::Const(0),
            Held::Comm(_) => return,
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
            self.state.pieces.retain(|p| !may.contains(p.slot.0 as usize));
            return;
        };
        self.cut(slot, at, at + len);
        if let Some(held) = held.filter(|_| !self.pointers.escaped.contains(slot.0 as usize)) {
            self.add(Piece { slot, at, len, held });
        }
    }

    /// Forgets bytes of a slot; what is left of zeros stays known.
    fn cut(&mut self, slot: Slot, from: i64, to: i64) {
        let hit = |p: &Piece| p.slot == slot && p.at < to && from < p.at + p.len;
        let mut zeros = vec![];
        self.state.pieces.retain(|p| {
            zeros.extend((hit(p) && p.held == Held::Zero).then_some(*p));
            !hit(p)
        });
        for p in zeros {
            let parts = [(p.at, from.min(p.at + p.len)), (to.max(p.at), p.at + p.len)];
            for (at, end) in parts.into_iter().filter(|(at, end)| at < end) {
                self.add(Piece { at, len: end - at, ..p });
            }
        }
    }

    fn add(&mut self, piece: Piece) {
        if self.state.pieces.len() < MAX_PIECES {
            self.state.pieces.push(piece);
        }
    }

    fn copy(&mut self, dst: (Value, i32), src: (Value, i32), len: i64) {
        let from = self.pointers.exact(src.0, src.1);
        self.write(dst.0, dst.1, len, None);
        let (Some((s, from)), Some((d, to))) = (from, self.pointers.exact(dst.0, dst.1)) else { return };
        if self.pointers.escaped.contains(d.0 as usize) || s == d {
            return;
        }
        let mut moved: Vec<Piece> = self.state.pieces.iter().filter(|p| p.slot == s).copied().collect();
        for p in moved.iter_mut().filter(|p| p.held == Held::Zero) {
            let end = (p.at + p.len).min(from + len);
            p.at = p.at.max(from);
            p.len = end - p.at;
        }
        moved.retain(|p| p.len > 0 && p.at >= from && p.at + p.len <= from + len);
        for p in moved {
            self.add(Piece { slot: d, at: p.at - from + to, ..p });
        }
    }
}

/// Does this call neither change a map nor run callbacks?
fn leaves_maps_alone(op: &Op) -> bool {
    matches!(op, Op::Call(helper, _) if helper.leaves_maps_alone())
}
