//! Random IR: functions that compute from four words of the context, with branches, loops, slots and calls.

use rbtrace_codegen::ir::*;
use rbtrace_lang::Span;

/// xorshift64*
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn constant(&mut self) -> i64 {
        match self.below(5) {
            0 => self.below(5) as i64 - 2,
            1 => 1 << self.below(63),
            2 => self.pick(&[i64::MIN, i64::MAX, 0xffff_ffff, 0x8000_0000, i32::MIN as i64, 255, 0xffff]),
            3 => self.next() as i32 as i64,
            _ => self.next() as i64,
        }
    }
}

const ALUS: [Alu; 13] = [
    Alu::Add,
    Alu::Sub,
    Alu::Mul,
    Alu::UDiv,
    Alu::SDiv,
    Alu::URem,
    Alu::SRem,
    Alu::And,
    Alu::Or,
    Alu::Xor,
    Alu::Shl,
    Alu::LShr,
    Alu::AShr,
];
const CONDS: [Cond; 11] = [
    Cond::Eq,
    Cond::Ne,
    Cond::ULt,
    Cond::ULe,
    Cond::UGt,
    Cond::UGe,
    Cond::SLt,
    Cond::SLe,
    Cond::SGt,
    Cond::SGe,
    Cond::Set,
];
const WIDTHS: [Width; 4] = [Width::B1, Width::B2, Width::B4, Width::B8];

/// A random module whose entry takes a context of four words.
pub(crate) fn module(seed: u64, slots: usize) -> Module {
    module_of(seed, slots, 1)
}

/// The same with slots `scale` times as large.
pub(crate) fn module_of(seed: u64, slots: usize, scale: u32) -> Module {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let sub = rng.below(3) == 0;
    let mut funcs = vec![Gen::new(&mut rng, "main", &[Ty::Ptr(Space::Ctx)], slots, scale).main(sub)];
    if sub {
        funcs.push(Gen::new(&mut rng, "sub", &[Ty::I64, Ty::I64, Ty::I64], 1, scale).sub());
    }
    Module { funcs, scratch: None }
}

struct Gen<'a> {
    rng: &'a mut Rng,
    f: Function,
    block: Block,
    /// Values that the whole function may use.
    shared: Vec<Value>,
    /// Values of the current block.
    local: Vec<Value>,
    slot_addrs: Vec<Value>,
    calls: bool,
}

impl<'a> Gen<'a> {
    fn new(rng: &'a mut Rng, name: &str, params: &[Ty], slots: usize, scale: u32) -> Self {
        let mut f = Function::new(name, params, Span::default());
        for _ in 0..slots {
            let size = rng.pick(&[1, 4, 6, 8, 12, 16, 24, 40]) * scale;
            f.add_slot(size, if size.is_multiple_of(8) { 8 } else { 1 });
        }
        Gen { rng, f, block: Block(0), shared: vec![], local: vec![], slot_addrs: vec![], calls: false }
    }

    fn main(mut self, calls: bool) -> Function {
        self.calls = calls;
        let ctx = self.f.block(Block(0)).params[0];
        for i in 0..4 {
            let op = Op::Load { width: Width::B8, signed: false, ptr: ctx, offset: i * 8 };
            let v = self.emit(op, Ty::I64);
            self.local.push(v);
        }
        self.body()
    }

    fn sub(mut self) -> Function {
        self.local = self.f.block(Block(0)).params.clone();
        self.body()
    }

    fn body(mut self) -> Function {
        for s in 0..self.f.slots.len() {
            let dst = self.emit(Op::SlotAddr(Slot(s as u32)), Ty::Ptr(Space::Stack));
            let len = self.f.slots[s].size;
            self.effect(Op::Zero { dst, offset: 0, len, align: self.f.slots[s].align });
            self.slot_addrs.push(dst);
        }
        self.insts();
        self.shared = self.local.clone();
        let blocks = 1 + self.rng.below(6) as u32;
        for _ in 0..blocks {
            let b = self.f.add_block();
            for _ in 0..self.rng.below(4) {
                let ty = if self.rng.below(3) == 0 { Ty::I32 } else { Ty::I64 };
                self.f.add_param(b, ty);
            }
        }
        self.finish(blocks);
        for b in 1..=blocks {
            self.block = Block(b);
            self.local = self.f.block(self.block).params.clone();
            self.insts();
            self.finish(blocks);
        }
        self.f
    }

    fn effect(&mut self, op: Op) {
        self.f.block_mut(self.block).insts.push(Inst { op, result: None, span: Span::default() });
    }

    fn emit(&mut self, op: Op, ty: Ty) -> Value {
        let v = self.f.new_value(ty);
        let block = self.block;
        self.f.block_mut(block).insts.push(Inst { op, result: Some(v), span: Span::default() });
        v
    }

    /// Any value of a type.
    fn any(&mut self, ty: Ty) -> Value {
        let all: Vec<Value> =
            self.shared.iter().chain(&self.local).copied().filter(|v| self.f.ty(*v) == ty).collect();
        if all.is_empty() || self.rng.below(5) == 0 {
            let c = self.rng.constant();
            return self.emit(Op::Const(c), ty);
        }
        // Old values too, so that many are live at once.
        if self.rng.below(2) == 0 { all[all.len() - 1] } else { self.rng.pick(&all) }
    }

    fn ty(&mut self) -> Ty {
        if self.rng.below(3) == 0 { Ty::I32 } else { Ty::I64 }
    }

    fn insts(&mut self) {
        for _ in 0..self.rng.below(14) {
            self.inst();
        }
    }

    fn inst(&mut self) {
        let ty = self.ty();
        let width = self.rng.pick(&WIDTHS);
        let op = match self.rng.below(14) {
            0..=5 => return self.alu(ty),
            6 => Op::Neg(self.any(ty)),
            7 => {
                let of = self.ty();
                Op::Cmp(self.rng.pick(&CONDS), self.any(of), self.any(of))
            }
            8 if width != Width::B8 => {
                let of = if width == Width::B4 { ty } else { self.ty() };
                Op::Sext(width, self.any(of))
            }
            9 if width != Width::B8 => {
                let of = self.ty();
                Op::Zext(width, self.any(of))
            }
            10 if width != Width::B1 && (width != Width::B8 || ty == Ty::I64) => {
                Op::Bswap(width, self.any(ty))
            }
            11 | 12 => return self.memory(width),
            13 => return self.call(),
            _ => return,
        };
        let v = self.emit(op, ty);
        self.local.push(v);
    }

    fn alu(&mut self, ty: Ty) {
        let op = self.rng.pick(&ALUS);
        let (a, mut b) = (self.any(ty), self.any(ty));
        if matches!(op, Alu::Shl | Alu::LShr | Alu::AShr) {
            let mask = self.emit(Op::Const(if ty == Ty::I32 { 31 } else { 63 }), ty);
            b = self.emit(Op::Alu(Alu::And, b, mask), ty);
        }
        let v = self.emit(Op::Alu(op, a, b), ty);
        self.local.push(v);
    }

    /// A slot and an aligned offset for an access of `len` bytes.
    fn place(&mut self, len: u32) -> Option<(Value, i32, usize)> {
        let fits: Vec<usize> = (0..self.slot_addrs.len()).filter(|&s| self.f.slots[s].size >= len).collect();
        if fits.is_empty() {
            return None;
        }
        let s = self.rng.pick(&fits);
        let align = len.next_power_of_two().min(8);
        let room = (self.f.slots[s].size - len) / align;
        Some((self.slot_addrs[s], (self.rng.below(room as usize + 1) as u32 * align) as i32, s))
    }

    fn memory(&mut self, width: Width) {
        let Some((ptr, offset, s)) = self.place(width.bytes()) else { return };
        match self.rng.below(6) {
            0 | 1 => {
                let ty = if width == Width::B8 { Ty::I64 } else { self.ty() };
                let value = self.any(ty);
                self.effect(Op::Store { width, ptr, offset, value });
            }
            2 | 3 => {
                let signed = self.rng.below(2) == 0;
                let ty = if width == Width::B8 { Ty::I64 } else { self.ty() };
                let v = self.emit(Op::Load { width, signed, ptr, offset }, ty);
                self.local.push(v);
            }
            4 => {
                let (dst, len) = (self.slot_addrs[s], self.f.slots[s].size);
                self.effect(Op::Zero { dst, offset: 0, len, align: 1 });
            }
            _ => {
                let t = self.rng.below(self.slot_addrs.len());
                let len = self.f.slots[s].size.min(self.f.slots[t].size);
                let (dst, src) = (self.slot_addrs[s], self.slot_addrs[t]);
                if s != t {
                    self.effect(Op::Copy { dst, dst_offset: 0, src, src_offset: 0, len, align: 1 });
                }
            }
        }
    }

    fn call(&mut self) {
        let probe_read = self.slot_addrs.len() > 1 && self.rng.below(2) == 0;
        if probe_read {
            // `bpf_probe_read_kernel` from slot to slot.
            let (s, t) = (self.rng.below(self.slot_addrs.len()), self.rng.below(self.slot_addrs.len()));
            let len = self.f.slots[s].size.min(self.f.slots[t].size);
            let (dst, src) = (self.slot_addrs[s], self.slot_addrs[t]);
            if s != t {
                let len = self.emit(Op::Const(len.into()), Ty::I64);
                let v = self.emit(Op::Call(Helper(113), [dst, len, src].into()), Ty::I64);
                self.local.push(v);
            }
        } else if self.calls {
            let args = [(); 3].map(|()| self.any(Ty::I64)).into();
            let v = self.emit(Op::CallLocal(FuncId(1), args), Ty::I64);
            self.local.push(v);
        }
    }

    fn args(&mut self, b: Block) -> Vec<Value> {
        let types: Vec<Ty> = self.f.block(b).params.iter().map(|p| self.f.ty(*p)).collect();
        types.into_iter().map(|ty| self.any(ty)).collect()
    }

    fn later(&mut self, blocks: u32) -> (Block, Vec<Value>) {
        let b = Block(self.block.0 + 1 + self.rng.below((blocks - self.block.0) as usize) as u32);
        (b, self.args(b))
    }

    fn finish(&mut self, blocks: u32) {
        let kind = self.rng.below(6);
        let term = if self.block.0 == blocks || (kind == 0 && self.block.0 > 0) {
            self.give_back()
        } else if kind == 1 {
            let (b, args) = self.later(blocks);
            Term::Jump(b, args)
        } else if kind == 2 && self.block.0 > 0 {
            self.round(blocks)
        } else {
            let ty = self.ty();
            let (a, b) = (self.any(ty), self.any(ty));
            let (then, otherwise) = (self.later(blocks), self.later(blocks));
            let unlikely = self.rng.below(4) == 0;
            Term::Branch { cond: self.rng.pick(&CONDS), a, b, then, otherwise, unlikely }
        };
        let block = self.block;
        self.f.block_mut(block).term = term;
    }

    /// Some rounds of the current block.
    fn round(&mut self, blocks: u32) -> Term {
        let me = self.block;
        let i = self.f.add_param(me, Ty::I64);
        // Blocks before this one have ended already: they now start the count.
        for b in 0..self.f.blocks.len() {
            let b = Block(b as u32);
            if self.f.block(b).term.successors().all(|(t, _)| t != me) {
                continue;
            }
            let zero = self.f.new_value(Ty::I64);
            let data = self.f.block_mut(b);
            data.insts.push(Inst { op: Op::Const(0), result: Some(zero), span: Span::default() });
            match &mut data.term {
                Term::Jump(_, args) => args.push(zero),
                Term::Branch { then, otherwise, .. } => {
                    for side in [then, otherwise] {
                        if side.0 == me {
                            side.1.push(zero);
                        }
                    }
                }
                _ => {}
            }
        }
        let one = self.emit(Op::Const(1), Ty::I64);
        let limit = 1 + self.rng.below(5) as i64;
        let limit = self.emit(Op::Const(limit), Ty::I64);
        let next = self.emit(Op::Alu(Alu::Add, i, one), Ty::I64);
        let mut again = self.args(me);
        if let Some(last) = again.last_mut() {
            *last = next;
        }
        let otherwise = self.later(blocks);
        Term::Branch { cond: Cond::ULt, a: next, b: limit, then: (me, again), otherwise, unlikely: false }
    }

    /// Returns a mix of what is known, folded to 32 bits.
    fn give_back(&mut self) -> Term {
        let mut all: Vec<Value> = self.shared.iter().chain(&self.local).copied().collect();
        all.retain(|v| self.f.ty(*v) == Ty::I64);
        let mut sum = self.any(Ty::I64);
        for v in all {
            if self.rng.below(2) == 0 {
                sum = self.emit(Op::Alu(Alu::Xor, sum, v), Ty::I64);
                let three = self.emit(Op::Const(3), Ty::I64);
                sum = self.emit(Op::Alu(Alu::Mul, sum, three), Ty::I64);
            }
        }
        for s in 0..self.slot_addrs.len() {
            let op = Op::Load { width: Width::B1, signed: false, ptr: self.slot_addrs[s], offset: 0 };
            let v = self.emit(op, Ty::I64);
            sum = self.emit(Op::Alu(Alu::Add, sum, v), Ty::I64);
        }
        let c = self.emit(Op::Const(32), Ty::I64);
        let high = self.emit(Op::Alu(Alu::LShr, sum, c), Ty::I64);
        Term::Return(self.emit(Op::Alu(Alu::Xor, sum, high), Ty::I64))
    }
}
