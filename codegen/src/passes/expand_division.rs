//! Signed division and remainder for machines that have only the unsigned ones (before ISA v4).

use crate::ir::*;
use crate::kernel::{Feature, Kernel};
use rbtrace_lang::Span;

/// Expands `SDiv` and `SRem` where the machine lacks them; true if it did.
pub fn run(f: &mut Function, kernel: &dyn Kernel) -> bool {
    let signed = |i: &Inst| matches!(i.op, Op::Alu(Alu::SDiv | Alu::SRem, ..));
    let blocks: Vec<Block> = f.block_ids().filter(|b| f.block(*b).insts.iter().any(signed)).collect();
    if blocks.is_empty() || kernel.has(Feature::IsaV4) {
        return false;
    }
    for b in blocks {
        for inst in std::mem::take(&mut f.block_mut(b).insts) {
            match (&inst.op, inst.result) {
                (&Op::Alu(op @ (Alu::SDiv | Alu::SRem), x, y), Some(v)) => {
                    let ty = f.ty(v);
                    Expander { f, b, span: inst.span, ty }.divide(op, x, y, v);
                }
                _ => f.block_mut(b).insts.push(inst),
            }
        }
    }
    true
}

struct Expander<'a> {
    f: &'a mut Function,
    b: Block,
    span: Span,
    ty: Ty,
}

impl Expander<'_> {
    fn emit(&mut self, op: Op) -> Value {
        let v = self.f.new_value(self.ty);
        self.emit_as(op, v);
        v
    }

    fn emit_as(&mut self, op: Op, v: Value) {
        let span = self.span;
        self.f.block_mut(self.b).insts.push(Inst { op, result: Some(v), span });
    }

    /// All ones where `x` is negative, else 0.
    fn sign(&mut self, x: Value) -> Value {
        let bits = self.emit(Op::Const(if self.ty == Ty::I32 { 31 } else { 63 }));
        self.emit(Op::Alu(Alu::AShr, x, bits))
    }

    /// `x` with its sign changed where `sign` is all ones.
    fn apply(&mut self, x: Value, sign: Value) -> Value {
        let flipped = self.emit(Op::Alu(Alu::Xor, x, sign));
        self.emit(Op::Alu(Alu::Sub, flipped, sign))
    }

    fn divide(&mut self, op: Alu, x: Value, y: Value, v: Value) {
        let (sx, sy) = (self.sign(x), self.sign(y));
        let (ax, ay) = (self.apply(x, sx), self.apply(y, sy));
        // A remainder has the sign of the dividend, a quotient that of both.
        let (unsigned, sign) = if op == Alu::SDiv {
            (self.emit(Op::Alu(Alu::UDiv, ax, ay)), self.emit(Op::Alu(Alu::Xor, sx, sy)))
        } else {
            (self.emit(Op::Alu(Alu::URem, ax, ay)), sx)
        };
        let flipped = self.emit(Op::Alu(Alu::Xor, unsigned, sign));
        self.emit_as(Op::Alu(Alu::Sub, flipped, sign), v);
    }
}
