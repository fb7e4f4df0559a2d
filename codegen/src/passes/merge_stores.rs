//! Stores of constants next to each other become fewer, wider ones.

use super::pointers::Pointers;
use super::util::{constants, fits_i32};
use crate::dense::ValueMap;
use crate::ir::*;
use crate::passes::expand_memory::slot_align;
use rbtrace_lang::Span;
use std::collections::BTreeMap;

/// Runs the pass; true if it merged anything. Other stores may have moved behind arithmetic, which matters to no pass.
pub fn run(f: &mut Function) -> bool {
    let constants = constants(f);
    let pointers = Pointers::new(f);
    let mut changed = false;
    let mut out = vec![];
    for b in f.block_ids() {
        let mut insts = std::mem::take(&mut f.block_mut(b).insts);
        let mut pass = Pass { f, pointers: &pointers, out, run: None, changed };
        insts.drain(..).for_each(|inst| pass.inst(inst, &constants));
        pass.flush();
        (out, changed) = (pass.out, pass.changed);
        insts.append(&mut out);
        f.block_mut(b).insts = insts;
    }
    changed
}

/// Stores through one pointer that have not been emitted yet.
struct Run {
    ptr: Value,
    bytes: BTreeMap<i32, u8>,
    original: Vec<Inst>,
}

struct Pass<'a> {
    f: &'a mut Function,
    pointers: &'a Pointers,
    out: Vec<Inst>,
    run: Option<Run>,
    changed: bool,
}

impl Pass<'_> {
    fn inst(&mut self, inst: Inst, constants: &ValueMap<i64>) {
        if let Op::Store { width, ptr, offset, value } = inst.op
            && let Some(&c) = constants.get(value)
        {
            return self.add(inst, ptr, offset, width, c);
        }
        // What touches no memory may stand between the stores.
        let quiet = inst.op.is_pure() && !matches!(inst.op, Op::Load { .. } | Op::Call(..));
        if !quiet {
            self.flush();
        }
        self.out.push(inst);
    }

    fn add(&mut self, inst: Inst, ptr: Value, offset: i32, width: Width, c: i64) {
        if self.run.as_ref().is_some_and(|r| r.ptr != ptr) {
            self.flush();
        }
        let run = self.run.get_or_insert_with(|| Run { ptr, bytes: BTreeMap::new(), original: vec![] });
        for (i, byte) in c.to_le_bytes().into_iter().take(width.bytes() as usize).enumerate() {
            run.bytes.insert(offset + i as i32, byte);
        }
        run.original.push(inst);
    }

    fn flush(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let [store] = run.original[..] {
            return self.out.push(store);
        }
        let pieces = self.pieces(&run);
        if pieces.len() >= run.original.len() {
            self.out.extend(run.original);
            return;
        }
        self.changed = true;
        let span = run.original[0].span;
        for (offset, width, c) in pieces {
            self.store(run.ptr, offset, width, c, span);
        }
    }

    fn store(&mut self, ptr: Value, offset: i32, width: Width, c: i64, span: Span) {
        let value = self.f.new_value(Ty::I64);
        self.out.push(Inst { op: Op::Const(c), result: Some(value), span });
        self.out.push(Inst { op: Op::Store { width, ptr, offset, value }, result: None, span });
    }

    /// The widest stores that write the bytes; a constant that needs 64 bits counts as two stores and is not made.
    fn pieces(&self, run: &Run) -> Vec<(i32, Width, i64)> {
        let mut out = vec![];
        let mut rest = run.bytes.clone();
        while let Some((&at, _)) = rest.first_key_value() {
            let widest = [Width::B8, Width::B4, Width::B2, Width::B1].into_iter().find_map(|w| {
                let bytes: Option<Vec<u8>> =
                    (0..w.bytes() as i32).map(|i| rest.get(&(at + i)).copied()).collect();
                let c = bytes?.iter().rev().fold(0i64, |c, b| c << 8 | i64::from(*b));
                (self.aligned(run.ptr, at, w) && (w != Width::B8 || fits_i32(c))).then_some((w, c))
            });
            let Some((width, c)) = widest else {
                return run.original.iter().map(|_| (0, Width::B1, 0)).collect();
            };
            (0..width.bytes() as i32).for_each(|i| _ = rest.remove(&(at + i)));
            out.push((at, width, c));
        }
        out
    }

    /// May `width` bytes be written at `ptr + offset`? Unaligned only where the verifier takes it.
    fn aligned(&self, ptr: Value, offset: i32, width: Width) -> bool {
        match (self.f.ty(ptr), self.pointers.exact(ptr, offset)) {
            (Ty::Ptr(Space::MapValue | Space::Record), _) => true,
            (_, Some((slot, at))) => {
                let align = slot_align(&self.f.slots[slot.0 as usize]);
                align >= width.bytes() && at % i64::from(width.bytes()) == 0
            }
            _ => width == Width::B1,
        }
    }
}
