//! `Copy` and `Zero` become the widest loads and stores that alignment allows; long ones become one helper call.

use super::util::definitions;
use crate::helpers::PROBE_READ_KERNEL;
use crate::ir::*;
use rbtrace_lang::Span;

/// Longest run, in loads or stores, that is expanded in place; a call costs about as much.
const MAX_STORES: usize = 64;

/// Expands every [`Op::Copy`] and [`Op::Zero`]; true if there was one.
pub fn run(f: &mut Function) -> bool {
    let expanded = |i: &Inst| matches!(i.op, Op::Copy { .. } | Op::Zero { .. });
    let blocks: Vec<Block> = f.block_ids().filter(|b| f.block(*b).insts.iter().any(expanded)).collect();
    if blocks.is_empty() {
        return false;
    }
    let known = alignments(f);
    for b in blocks {
        for inst in std::mem::take(&mut f.block_mut(b).insts) {
            match inst.op {
                Op::Copy { dst, dst_offset, src, src_offset, len, align } => {
                    let to = Place { ptr: dst, offset: dst_offset, align: known.at(dst, dst_offset, align) };
                    let from =
                        Place { ptr: src, offset: src_offset, align: known.at(src, src_offset, align) };
                    Expander { f, b, span: inst.span }.copy(to, from, len);
                }
                Op::Zero { dst, offset, len, align } => {
                    let to = Place { ptr: dst, offset, align: known.at(dst, offset, align) };
                    Expander { f, b, span: inst.span }.zero(to, len);
                }
                _ => f.block_mut(b).insts.push(inst),
            }
        }
    }
    true
}

#[derive(Clone, Copy)]
struct Place {
    ptr: Value,
    offset: i32,
    align: u32,
}

/// What is known of the alignment of pointers.
struct Alignments {
    by_value: Vec<Option<u32>>,
}

impl Alignments {
    /// Alignment of `ptr + offset`, at least `given`.
    fn at(&self, ptr: Value, offset: i32, given: u32) -> u32 {
        let known = self.by_value[ptr.0 as usize].map_or(1, |a| add(a, i64::from(offset)));
        known.max(given).clamp(1, 8)
    }
}

fn add(align: u32, offset: i64) -> u32 {
    align.min(1 << offset.trailing_zeros().min(3))
}

fn alignments(f: &Function) -> Alignments {
    let defs = definitions(f);
    let by_value = (0..f.types.len()).map(|v| alignment(f, &defs, Value(v as u32), 0)).collect();
    Alignments { by_value }
}

/// Depth to which sums are looked through.
const MAX_DEPTH: u32 = 8;

fn alignment(f: &Function, defs: &[Option<&Op>], v: Value, depth: u32) -> Option<u32> {
    match (defs[v.0 as usize], f.ty(v)) {
        (Some(Op::SlotAddr(s)), _) => Some(slot_align(&f.slots[s.0 as usize])),
        (Some(Op::Alu(Alu::Add, p, c)), Ty::Ptr(_)) if depth < MAX_DEPTH => match defs[c.0 as usize] {
            Some(Op::Const(c)) => alignment(f, defs, *p, depth + 1).map(|a| add(a, *c)),
            _ => unaligned(f.ty(v)),
        },
        (_, ty) => unaligned(ty),
    }
}

/// The verifier takes unaligned accesses to map values and records where the machine does (x86, arm64).
fn unaligned(ty: Ty) -> Option<u32> {
    matches!(ty, Ty::Ptr(Space::MapValue | Space::Record)).then_some(8)
}

/// The alignment that a slot gets: wide accesses need it, and it costs little.
pub fn slot_align(s: &SlotData) -> u32 {
    if s.size >= 8 { 8 } else { s.align.max(1 << s.size.max(1).ilog2()) }
}

/// Pieces `(offset, width)` that cover `len` bytes at that alignment.
fn pieces(len: u32, align: u32) -> Vec<(i32, Width)> {
    let (mut at, mut out) = (0, vec![]);
    for width in [Width::B8, Width::B4, Width::B2, Width::B1] {
        while width.bytes() <= align && len - at >= width.bytes() {
            out.push((at as i32, width));
            at += width.bytes();
        }
    }
    out
}

struct Expander<'a> {
    f: &'a mut Function,
    b: Block,
    span: Span,
}

impl Expander<'_> {
    fn push(&mut self, op: Op, result: Option<Value>) {
        let span = self.span;
        self.f.block_mut(self.b).insts.push(Inst { op, result, span });
    }

    fn value(&mut self, op: Op, ty: Ty) -> Value {
        let v = self.f.new_value(ty);
        self.push(op, Some(v));
        v
    }

    fn address(&mut self, p: Place) -> Value {
        let c = self.value(Op::Const(p.offset.into()), Ty::I64);
        let ty = self.f.ty(p.ptr);
        self.value(Op::Alu(Alu::Add, p.ptr, c), ty)
    }

    fn copy(&mut self, to: Place, from: Place, len: u32) {
        let pieces = pieces(len, to.align.min(from.align));
        if pieces.len() > MAX_STORES {
            let (dst, src) = (self.address(to), self.address(from));
            return self.probe_read(dst, len, src);
        }
        for (at, width) in pieces {
            let load = Op::Load { width, signed: false, ptr: from.ptr, offset: from.offset + at };
            let value = self.value(load, Ty::I64);
            self.push(Op::Store { width, ptr: to.ptr, offset: to.offset + at, value }, None);
        }
    }

    fn zero(&mut self, to: Place, len: u32) {
        let pieces = pieces(len, to.align);
        let zero = self.value(Op::Const(0), Ty::I64);
        if pieces.len() > MAX_STORES {
            // Address 0 is never readable: the helper clears the destination.
            let dst = self.address(to);
            return self.probe_read(dst, len, zero);
        }
        for (at, width) in pieces {
            self.push(Op::Store { width, ptr: to.ptr, offset: to.offset + at, value: zero }, None);
        }
    }

    fn probe_read(&mut self, dst: Value, len: u32, src: Value) {
        let len = self.value(Op::Const(len.into()), Ty::I64);
        self.push(Op::Call(PROBE_READ_KERNEL, [dst, len, src].into()), None);
    }
}
