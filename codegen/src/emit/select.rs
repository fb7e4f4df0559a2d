//! Instruction selection: legal IR to machine code over virtual registers.
//!
//! Constants, slot, map and function addresses have no register of their own: they are made where they are used,
//! as immediates, as r10 with an offset, or in the argument register itself.
//! Block parameters pass through one register of their own each, so that copies on an edge never disturb one another.

use super::mach::{MBlock, MBlockId, MFunc, MInst, MOp, MTerm, Reg, Src};
use super::sink::sums_to_sink;
use crate::dense::ValueMap;
use crate::error::BackendError;
use crate::hash::FastMap;
use crate::ir::*;
use crate::kernel::{Feature, Kernel};
use crate::passes::util::{fits_i32, predecessors};
use crate::regalloc::frame::SlotLayout;
use rbtrace_lang::Span;
use std::collections::HashMap;

/// Selects instructions for one function whose slots lie as `frame` says.
///
/// **Invariant**: the IR is legal: no `Copy`, `Zero` or `Cmp` is left, and no signed division that the
/// machine lacks.
pub fn select(f: &Function, frame: &SlotLayout, kernel: &dyn Kernel) -> Result<MFunc, BackendError> {
    let mut s = Selector::new(f, frame, frame.offsets(f)?, kernel);
    s.enter();
    for b in f.block_ids() {
        s.block(b)?;
    }
    Ok(s.out)
}

struct Selector<'a> {
    f: &'a Function,
    /// Offset of each slot from r10.
    slots: HashMap<Slot, i32>,
    kernel: &'a dyn Kernel,
    out: MFunc,
    /// Register of each value that has one.
    regs: Vec<Option<Reg>>,
    /// What defines each value.
    defs: Vec<Option<&'a Op>>,
    /// Sums that are made where they are used.
    sunk: Vec<bool>,
    /// The register through which each block parameter arrives.
    incoming: ValueMap<Reg>,
    /// Constants and addresses that already lie in a register, until the next call or the end of the block.
    made: FastMap<Made, Reg>,
    /// The only predecessor of each block that has one.
    only_pred: Vec<Option<Block>>,
    block: MBlockId,
    span: Span,
}

/// What a register made on demand holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Made {
    Const(i64),
    Value(Value),
}

/// The only predecessor of each block that has one.
fn only_predecessors(f: &Function) -> Vec<Option<Block>> {
    let preds = predecessors(f);
    f.block_ids().map(|b| if let [one] = preds.of(b) { Some(*one) } else { None }).collect()
}

impl<'a> Selector<'a> {
    fn new(f: &'a Function, frame: &SlotLayout, slots: HashMap<Slot, i32>, kernel: &'a dyn Kernel) -> Self {
        let mut defs = vec![None; f.types.len()];
        for b in &f.blocks {
            for i in &b.insts {
                if let Some(v) = i.result {
                    defs[v.0 as usize] = Some(&i.op);
                }
            }
        }
        let empty = |b: &BlockData| MBlock { insts: vec![], term: MTerm::Exit, term_span: b.term_span };
        let out = MFunc {
            blocks: f.blocks.iter().map(empty).collect(),
            regs: Reg::FIRST_VIRTUAL,
            params: f.blocks[0].params.len() as u32,
            slot_bytes: frame.stack_bytes,
            spills: 0,
        };
        let regs = vec![None; f.types.len()];
        let (incoming, made) = (ValueMap::new(), FastMap::default());
        let sunk = sums_to_sink(f);
        let only_pred = only_predecessors(f);
        Selector {
            f,
            slots,
            kernel,
            out,
            regs,
            defs,
            sunk,
            incoming,
            made,
            only_pred,
            block: 0,
            span: f.span,
        }
    }

    /// Takes the function's arguments and gives each other block parameter its register.
    fn enter(&mut self) {
        self.span = self.f.blocks[0].insts.first().map_or(self.f.span, |i| i.span);
        for (i, &p) in self.f.blocks[0].params.iter().enumerate() {
            let dst = self.reg_of(p);
            self.mov(dst, Reg::arg(i));
        }
        for b in &self.f.blocks[1..] {
            for &p in &b.params {
                let r = self.out.new_reg();
                self.incoming.insert(p, r);
            }
        }
    }

    fn block(&mut self, b: Block) -> Result<(), BackendError> {
        let data = self.f.block(b);
        self.keep_addresses(b);
        self.block = b.0 as usize;
        if b.0 != 0 {
            self.span = data.insts.first().map_or(data.term_span, |i| i.span);
            for &p in &data.params {
                let (dst, src) = (self.reg_of(p), self.incoming.get(p).copied());
                src.into_iter().for_each(|src| self.mov(dst, src));
            }
        }
        for inst in &data.insts {
            self.span = inst.span;
            self.inst(inst)?;
        }
        self.span = data.term_span;
        self.term(&data.term)
    }

    /// Addresses of maps take two instructions each: one that the only way into a block has made is used on.
    fn keep_addresses(&mut self, b: Block) {
        let goes_on = b.0 != 0 && self.only_pred[b.0 as usize] == Some(Block(self.block as u32));
        let defs = &self.defs;
        self.made.retain(|made, _| match made {
            Made::Value(v) => goes_on && matches!(defs[v.0 as usize], Some(Op::MapValue(..) | Op::MapRef(_))),
            Made::Const(_) => false,
        });
    }

    fn push(&mut self, op: MOp) {
        if op.is_call() {
            self.made.clear();
        }
        let inst = MInst { op, span: self.span, origin: None };
        self.out.blocks[self.block].insts.push(inst);
    }

    fn mov(&mut self, dst: Reg, src: Reg) {
        if dst == src {
            return;
        }
        self.push(MOp::Mov { dst, src: Src::Reg(src), wide: true });
    }

    fn reg_of(&mut self, v: Value) -> Reg {
        let i = v.0 as usize;
        if let Some(r) = self.regs[i] {
            return r;
        }
        let r = self.out.new_reg();
        self.regs[i] = Some(r);
        r
    }

    fn const_of(&self, v: Value) -> Option<i64> {
        match self.defs[v.0 as usize] {
            Some(Op::Const(c)) if self.f.ty(v) == Ty::I32 => Some(*c as u32 as i64),
            Some(Op::Const(c)) => Some(*c),
            _ => None,
        }
    }

    /// Puts a value that is made on demand into `dst`; false where it has a register of its own.
    fn make(&mut self, v: Value, dst: Reg) -> bool {
        if let Some(c) = self.const_of(v) {
            self.load_const(dst, c);
            return true;
        }
        match self.defs[v.0 as usize] {
            Some(Op::SlotAddr(s)) => {
                self.mov(dst, Reg::R10);
                let src = Src::Imm(self.slots[s]);
                self.push(MOp::Alu { op: Alu::Add, wide: true, dst, src });
            }
            Some(&Op::MapRef(map)) => self.push(MOp::LdMap { dst, map }),
            Some(&Op::MapValue(map, offset)) => self.push(MOp::LdMapValue { dst, map, offset }),
            Some(&Op::FuncAddr(func)) => self.push(MOp::LdFunc { dst, func }),
            Some(Op::Alu(Alu::Add, ..)) => return self.make_address(v, dst),
            _ => return false,
        }
        true
    }

    /// A constant offset from the frame, or a sum that is not worth a register.
    fn make_address(&mut self, v: Value, dst: Reg) -> bool {
        let (base, offset) = match (self.static_address(v), self.defs[v.0 as usize]) {
            (Some(place), _) => place,
            (None, Some(Op::Alu(Alu::Add, x, c))) if self.sunk[v.0 as usize] => match self.const_of(*c) {
                Some(c) => (self.reg(*x), c as i32),
                None => return false,
            },
            _ => return false,
        };
        self.mov(dst, base);
        self.push(MOp::Alu { op: Alu::Add, wide: true, dst, src: Src::Imm(offset) });
        true
    }

    fn load_const(&mut self, dst: Reg, c: i64) {
        if fits_i32(c) {
            self.push(MOp::Mov { dst, src: Src::Imm(c as i32), wide: true });
        } else if u32::try_from(c).is_ok() {
            self.push(MOp::Mov { dst, src: Src::Imm(c as u32 as i32), wide: false });
        } else {
            self.push(MOp::LdImm { dst, imm: c });
        }
    }

    /// A value in a register that must not be changed.
    fn reg(&mut self, v: Value) -> Reg {
        let key = self.const_of(v).map_or(Made::Value(v), Made::Const);
        if let Some(&r) = self.made.get(&key) {
            return r;
        }
        if !self.on_demand(v) {
            return self.reg_of(v);
        }
        let r = self.out.new_reg();
        self.make(v, r);
        self.made.insert(key, r);
        r
    }

    fn on_demand(&self, v: Value) -> bool {
        match self.defs[v.0 as usize] {
            Some(Op::Const(_) | Op::SlotAddr(_) | Op::MapRef(_) | Op::MapValue(..) | Op::FuncAddr(_)) => true,
            Some(Op::Alu(Alu::Add, ..)) => self.sunk[v.0 as usize] || self.static_address(v).is_some(),
            _ => false,
        }
    }

    /// A value in a given register: an argument, a result, a two-address destination.
    fn reg_into(&mut self, v: Value, dst: Reg) {
        let key = self.const_of(v).map_or(Made::Value(v), Made::Const);
        let made = self.made.get(&key).copied();
        match made {
            Some(r) if self.const_of(v).is_none_or(|c| !fits_i32(c)) => self.mov(dst, r),
            _ => {
                if !self.make(v, dst) {
                    let src = self.reg_of(v);
                    self.mov(dst, src);
                }
            }
        }
    }

    /// A second operand for an operation of 64 bits (`wide`) or 32.
    fn src(&mut self, v: Value, wide: bool) -> Src {
        match self.const_of(v) {
            Some(c) if fits_i32(c) => Src::Imm(c as i32),
            Some(c) if !wide => Src::Imm(c as i32),
            _ => Src::Reg(self.reg(v)),
        }
    }

    /// r10 and the offset of an address that is a slot's and a constant.
    fn static_address(&self, v: Value) -> Option<(Reg, i32)> {
        match self.defs[v.0 as usize]? {
            Op::SlotAddr(s) => Some((Reg::R10, self.slots[s])),
            Op::Alu(Alu::Add, p, c) if matches!(self.f.ty(*p), Ty::Ptr(_)) => {
                let c = i32::try_from(self.const_of(*c)?).ok()?;
                let (base, offset) = self.static_address(*p)?;
                Some((base, offset.checked_add(c)?))
            }
            _ => None,
        }
    }

    /// Base register and offset for a memory access: constant additions go into the offset.
    fn address(&mut self, ptr: Value, offset: i32) -> Result<(Reg, i16), BackendError> {
        let (mut v, mut sum) = (ptr, i64::from(offset));
        loop {
            match self.defs[v.0 as usize] {
                Some(Op::SlotAddr(s)) => {
                    let offset = sum + i64::from(self.slots[s]);
                    return i16::try_from(offset).map(|o| (Reg::R10, o)).map_err(|_| self.too_far());
                }
                Some(Op::Alu(Alu::Add, p, c)) if matches!(self.f.ty(*p), Ty::Ptr(_)) => {
                    let Some(c) = self.const_of(*c) else { break };
                    if i16::try_from(sum + c).is_err() {
                        break;
                    }
                    (v, sum) = (*p, sum + c);
                }
                _ => break,
            }
        }
        let base = self.reg(v);
        match i16::try_from(sum) {
            Ok(o) => Ok((base, o)),
            Err(_) => self.far_address(base, sum),
        }
    }

    fn far_address(&mut self, base: Reg, sum: i64) -> Result<(Reg, i16), BackendError> {
        let sum = i32::try_from(sum).map_err(|_| self.too_far())?;
        let dst = self.out.new_reg();
        self.mov(dst, base);
        self.push(MOp::Alu { op: Alu::Add, wide: true, dst, src: Src::Imm(sum) });
        Ok((dst, 0))
    }

    fn too_far(&self) -> BackendError {
        BackendError::new(self.span, "an offset into memory is too large for a BPF instruction")
    }

    fn is_wide(&self, v: Value) -> bool {
        self.f.ty(v) != Ty::I32
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), BackendError> {
        match (&inst.op, inst.result) {
            (Op::Store { width, ptr, offset, value }, _) => return self.store(*width, *ptr, *offset, *value),
            (Op::Atomic { op, width, ptr, offset, value }, result) => {
                let (base, offset) = self.address(*ptr, *offset)?;
                return self.atomic(*op, *width, (base, offset), *value, result);
            }
            (Op::CmpXchg { ptr, offset, old, new }, result) => {
                let ((base, offset), src) = (self.address(*ptr, *offset)?, self.reg(*new));
                self.reg_into(*old, Reg::R0);
                self.push(MOp::CmpXchg { base, offset, src });
                if let Some(v) = result {
                    let dst = self.reg_of(v);
                    self.push(MOp::Mov { dst, src: Src::Reg(Reg::R0), wide: true });
                }
            }
            (Op::Call(h, args), result) => {
                self.call(MOp::Call { helper: h.0, args: args.len() as u8 }, args, result);
            }
            (Op::CallLocal(func, args), result) => {
                self.call(MOp::CallLocal { func: *func, args: args.len() as u8 }, args, result);
            }
            (Op::Copy { .. } | Op::Zero { .. } | Op::Cmp(..), _) => {
                return Err(BackendError::new(self.span, "internal: an operation was not expanded"));
            }
            (op, Some(v)) if !self.on_demand(v) => self.value(op, v)?,
            _ => {}
        }
        Ok(())
    }

    /// Operations that only compute a value.
    fn value(&mut self, op: &Op, v: Value) -> Result<(), BackendError> {
        let dst = self.reg_of(v);
        let wide = self.is_wide(v);
        match *op {
            Op::Alu(op, a, b) => self.alu(op, dst, a, b, wide),
            Op::Neg(a) => {
                self.reg_into(a, dst);
                self.push(MOp::Neg { dst, wide });
            }
            Op::Sext(width, a) => {
                let src = self.reg(a);
                self.sext(width, dst, src, wide);
            }
            Op::Zext(width, a) => self.zext(width, dst, a),
            Op::Bswap(Width::B1, a) => self.zext(Width::B1, dst, a),
            Op::Bswap(width, a) => {
                self.reg_into(a, dst);
                self.push(MOp::Swap { dst, width });
            }
            Op::Load { width, signed, ptr, offset } => {
                let (base, offset) = self.address(ptr, offset)?;
                self.load(dst, (base, offset), width, signed, wide);
            }
            _ => {}
        }
        Ok(())
    }

    fn alu(&mut self, op: Alu, dst: Reg, a: Value, b: Value, wide: bool) {
        let mut src = self.src(b, wide);
        if let (Alu::Shl | Alu::LShr | Alu::AShr, Src::Imm(n)) = (op, src) {
            // The verifier refuses counts beyond the width; the machine takes them modulo it.
            src = Src::Imm(n & if wide { 63 } else { 31 });
        }
        if let (Alu::UDiv | Alu::URem | Alu::SDiv | Alu::SRem, Src::Imm(0)) = (op, src) {
            // The verifier refuses a constant zero; in a register the machine defines the result.
            let zero = self.out.new_reg();
            self.load_const(zero, 0);
            src = Src::Reg(zero);
        }
        self.reg_into(a, dst);
        self.push(MOp::Alu { op, wide, dst, src });
    }

    /// `dst = src` extended by sign to 64 bits (`wide`) or 32.
    fn sext(&mut self, from: Width, dst: Reg, src: Reg, wide: bool) {
        let bits = if wide { 64 } else { 32 };
        let shift = bits - from.bytes().min(bits / 8) * 8;
        if shift == 0 {
            self.push(MOp::Mov { dst, src: Src::Reg(src), wide });
        } else if self.kernel.has(Feature::IsaV4) {
            self.push(MOp::MovSx { dst, src, from, wide });
        } else {
            self.mov(dst, src);
            let src = Src::Imm(shift as i32);
            self.push(MOp::Alu { op: Alu::Shl, wide, dst, src });
            self.push(MOp::Alu { op: Alu::AShr, wide, dst, src });
        }
    }

    fn zext(&mut self, from: Width, dst: Reg, a: Value) {
        if matches!(from, Width::B4 | Width::B8) {
            // A copy of all 64 bits where the upper half is zero already: that one can be coalesced.
            let wide = from == Width::B8 || !self.is_wide(a);
            let src = Src::Reg(self.reg(a));
            self.push(MOp::Mov { dst, src, wide });
        } else {
            self.reg_into(a, dst);
            let mask = if from == Width::B1 { 0xff } else { 0xffff };
            self.push(MOp::Alu { op: Alu::And, wide: true, dst, src: Src::Imm(mask) });
        }
    }

    fn load(&mut self, dst: Reg, (base, offset): (Reg, i16), width: Width, signed: bool, wide: bool) {
        let signed = signed && width != Width::B8 && (wide || width != Width::B4);
        let native = signed && self.kernel.has(Feature::IsaV4) && wide;
        self.push(MOp::Load { dst, base, offset, width, signed: native });
        if signed && !native {
            self.sext(width, dst, dst, wide);
        }
    }

    fn store(&mut self, width: Width, ptr: Value, offset: i32, value: Value) -> Result<(), BackendError> {
        let (base, offset) = self.address(ptr, offset)?;
        let src = match self.const_of(value) {
            Some(c) if fits_i32(c) || width != Width::B8 => Src::Imm(truncate(c, width)),
            _ => Src::Reg(self.reg(value)),
        };
        self.push(MOp::Store { base, offset, width, src });
        Ok(())
    }

    fn atomic(
        &mut self,
        op: AtomicOp,
        width: Width,
        (base, offset): (Reg, i16),
        value: Value,
        result: Option<Value>,
    ) -> Result<(), BackendError> {
        if !matches!(op, AtomicOp::FetchAdd | AtomicOp::Xchg) {
            let src = self.reg(value);
            self.push(MOp::Atomic { op, width, base, offset, src });
            return Ok(());
        }
        let src = match result {
            Some(v) => self.reg_of(v),
            None => self.out.new_reg(),
        };
        self.reg_into(value, src);
        self.push(MOp::Atomic { op, width, base, offset, src });
        Ok(())
    }

    fn call(&mut self, op: MOp, args: &[Value], result: Option<Value>) {
        // Values that lie in registers first: they are the ones that can already be in place.
        let (made, held): (Vec<_>, Vec<_>) = (0..args.len()).partition(|&i| self.on_demand(args[i]));
        for i in held.into_iter().chain(made) {
            self.reg_into(args[i], Reg::arg(i));
        }
        self.push(op);
        if let Some(v) = result {
            let dst = self.reg_of(v);
            let wide = self.is_wide(v);
            self.push(MOp::Mov { dst, src: Src::Reg(Reg::R0), wide });
        }
    }

    fn term(&mut self, term: &Term) -> Result<(), BackendError> {
        let mterm = match term {
            Term::Jump(b, args) => {
                self.edge_copies(*b, args);
                MTerm::Jump(b.0 as usize)
            }
            Term::Branch { cond, a, b, then, otherwise, unlikely } => {
                self.branch(*cond, *a, *b, then, otherwise, *unlikely)
            }
            Term::Return(v) => {
                self.reg_into(*v, Reg::R0);
                MTerm::Exit
            }
            Term::Unreachable => {
                self.load_const(Reg::R0, 0);
                MTerm::Exit
            }
        };
        self.out.blocks[self.block].term = mterm;
        Ok(())
    }

    fn branch(
        &mut self,
        mut cond: Cond,
        mut a: Value,
        mut b: Value,
        then: &(Block, Vec<Value>),
        otherwise: &(Block, Vec<Value>),
        unlikely: bool,
    ) -> MTerm {
        if self.const_of(a).is_some() && self.const_of(b).is_none() {
            (a, b, cond) = (b, a, cond.swap());
        }
        let wide = self.compare_wide(cond, a, b);
        let ra = self.reg(a);
        let rb = self.src(b, wide);
        let home = self.block;
        // Both ways lead to one block: the one set of copies goes before the branch, the other after it.
        let then_block = if then.0 == otherwise.0 {
            self.edge_copies(then.0, &then.1);
            then.0.0 as usize
        } else {
            self.edge_block(then)
        };
        self.block = home;
        let otherwise = self.edge_block(otherwise);
        self.block = home;
        MTerm::Branch { cond, wide, a: ra, b: rb, then: then_block, otherwise, unlikely }
    }

    /// Compares 64 bits where that gives the same answer: the verifier then learns more of the range.
    fn compare_wide(&self, cond: Cond, a: Value, b: Value) -> bool {
        if self.is_wide(a) {
            return true;
        }
        let signed = matches!(cond, Cond::SLt | Cond::SLe | Cond::SGt | Cond::SGe);
        !signed && self.const_of(b).is_none_or(fits_i32)
    }

    /// The block where an edge of a branch goes: a new one where the edge carries values.
    fn edge_block(&mut self, (target, args): &(Block, Vec<Value>)) -> MBlockId {
        if args.is_empty() {
            return target.0 as usize;
        }
        let made = std::mem::take(&mut self.made);
        self.out.blocks.push(MBlock {
            insts: vec![],
            term: MTerm::Jump(target.0 as usize),
            term_span: self.span,
        });
        self.block = self.out.blocks.len() - 1;
        self.edge_copies(*target, args);
        self.made = made;
        self.block
    }

    fn edge_copies(&mut self, target: Block, args: &[Value]) {
        for (&p, &arg) in self.f.block(target).params.iter().zip(args) {
            if let Some(&dst) = self.incoming.get(p) {
                self.reg_into(arg, dst);
            }
        }
    }
}

/// The low bytes of a constant as an immediate for a store.
fn truncate(c: i64, width: Width) -> i32 {
    match width {
        Width::B1 => i32::from(c as u8),
        Width::B2 => i32::from(c as u16),
        Width::B4 | Width::B8 => c as i32,
    }
}
