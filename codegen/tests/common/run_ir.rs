//! A small interpreter of the IR: what a program means.

use rbtrace_codegen::ir::*;

/// Runs function 0 with a context of words.
pub(crate) fn run(module: &Module, ctx: &[u64]) -> u64 {
    let mut memory = vec![];
    for word in ctx {
        memory.extend(word.to_le_bytes());
    }
    let mut machine = Machine { module, memory, steps: 0 };
    machine.call(0, &[0])
}

struct Machine<'a> {
    module: &'a Module,
    /// The context and all slots of the functions that run.
    memory: Vec<u8>,
    steps: u64,
}

fn mask(ty: Ty, v: u64) -> u64 {
    if ty == Ty::I32 { v & 0xffff_ffff } else { v }
}

fn sext(width: Width, v: u64) -> u64 {
    let shift = 64 - width.bytes() * 8;
    ((v << shift) as i64 >> shift) as u64
}

fn zext(width: Width, v: u64) -> u64 {
    let shift = 64 - width.bytes() * 8;
    v << shift >> shift
}

fn alu(op: Alu, ty: Ty, a: u64, b: u64) -> u64 {
    if ty == Ty::I32 {
        return u64::from(alu32(op, a as u32, b as u32));
    }
    let (x, y) = (a as i64, b as i64);
    match op {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::UDiv => a.checked_div(b).unwrap_or(0),
        Alu::URem => a.checked_rem(b).unwrap_or(a),
        Alu::SDiv => {
            if y == 0 {
                0
            } else {
                x.wrapping_div(y) as u64
            }
        }
        Alu::SRem => {
            if y == 0 {
                a
            } else {
                x.wrapping_rem(y) as u64
            }
        }
        Alu::And => a & b,
        Alu::Or => a | b,
        Alu::Xor => a ^ b,
        Alu::Shl => a << (b & 63),
        Alu::LShr => a >> (b & 63),
        Alu::AShr => (x >> (b & 63)) as u64,
        Alu::UMin => a.min(b),
    }
}

fn alu32(op: Alu, a: u32, b: u32) -> u32 {
    let (x, y) = (a as i32, b as i32);
    match op {
        Alu::SDiv => {
            if y == 0 {
                0
            } else {
                x.wrapping_div(y) as u32
            }
        }
        Alu::SRem => {
            if y == 0 {
                a
            } else {
                x.wrapping_rem(y) as u32
            }
        }
        Alu::AShr => (x >> (b & 31)) as u32,
        Alu::Shl => a << (b & 31),
        Alu::LShr => a >> (b & 31),
        _ => alu(op, Ty::I64, a.into(), b.into()) as u32,
    }
}

fn holds(cond: Cond, ty: Ty, a: u64, b: u64) -> bool {
    let (x, y) = if ty == Ty::I32 { (a as i32 as i64, b as i32 as i64) } else { (a as i64, b as i64) };
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::ULt => a < b,
        Cond::ULe => a <= b,
        Cond::UGt => a > b,
        Cond::UGe => a >= b,
        Cond::SLt => x < y,
        Cond::SLe => x <= y,
        Cond::SGt => x > y,
        Cond::SGe => x >= y,
        Cond::Set => a & b != 0,
    }
}

impl Machine<'_> {
    fn call(&mut self, func: usize, args: &[u64]) -> u64 {
        let module = self.module;
        let f = &module.funcs[func];
        let base = self.memory.len();
        let mut slots = vec![];
        for s in &f.slots {
            slots.push(self.memory.len() as u64);
            self.memory.resize(self.memory.len() + s.size as usize, 0xaa);
        }
        let mut values = vec![0u64; f.types.len()];
        let mut block = Block(0);
        let mut given = args.to_vec();
        let result = loop {
            for (p, v) in f.block(block).params.iter().zip(&given) {
                values[p.0 as usize] = *v;
            }
            for i in &f.block(block).insts {
                self.steps += 1;
                assert!(self.steps < 1_000_000, "the program does not end");
                let v = self.inst(f, &i.op, i.result, &values, &slots);
                if let Some(r) = i.result {
                    values[r.0 as usize] = mask(f.ty(r), v);
                }
            }
            let get = |v: &Value| values[v.0 as usize];
            let (next, args) = match &f.block(block).term {
                Term::Jump(b, args) => (*b, args),
                Term::Branch { cond, a, b, then, otherwise, .. } => {
                    let side = if holds(*cond, f.ty(*a), get(a), get(b)) { then } else { otherwise };
                    (side.0, &side.1)
                }
                Term::Return(v) => break get(v),
                Term::Unreachable => break 0,
            };
            given = args.iter().map(get).collect();
            block = next;
        };
        self.memory.truncate(base);
        result
    }

    fn read(&self, at: u64, width: Width) -> u64 {
        let mut bytes = [0; 8];
        let n = width.bytes() as usize;
        bytes[..n].copy_from_slice(&self.memory[at as usize..at as usize + n]);
        u64::from_le_bytes(bytes)
    }

    fn inst(&mut self, f: &Function, op: &Op, result: Option<Value>, values: &[u64], slots: &[u64]) -> u64 {
        let get = |v: &Value| values[v.0 as usize];
        match op {
            Op::Const(c) => *c as u64,
            Op::Alu(op, a, b) => {
                let ty = result.map_or(Ty::I64, |r| f.ty(r));
                alu(*op, ty, get(a), get(b))
            }
            Op::Neg(a) => get(a).wrapping_neg(),
            Op::Cmp(c, a, b) => u64::from(holds(*c, f.ty(*a), get(a), get(b))),
            Op::Sext(w, a) => sext(*w, get(a)),
            Op::Zext(w, a) => zext(*w, get(a)),
            Op::Bswap(w, a) => get(a).swap_bytes() >> (64 - w.bytes() * 8),
            Op::Load { width, signed, ptr, offset } => {
                let v = self.read(get(ptr).wrapping_add(*offset as u64), *width);
                if *signed { sext(*width, v) } else { v }
            }
            Op::Store { width, ptr, offset, value } => {
                let at = get(ptr).wrapping_add(*offset as u64) as usize;
                let n = width.bytes() as usize;
                self.memory[at..at + n].copy_from_slice(&get(value).to_le_bytes()[..n]);
                0
            }
            Op::Copy { dst, dst_offset, src, src_offset, len, .. } => {
                let from = (get(src) as i64 + i64::from(*src_offset)) as usize;
                let to = (get(dst) as i64 + i64::from(*dst_offset)) as usize;
                self.memory.copy_within(from..from + *len as usize, to);
                0
            }
            Op::Zero { dst, offset, len, .. } => {
                let at = (get(dst) as i64 + i64::from(*offset)) as usize;
                self.memory[at..at + *len as usize].fill(0);
                0
            }
            Op::SlotAddr(s) => slots[s.0 as usize],
            Op::Call(Helper(113), args) => {
                let (dst, len, src) =
                    (get(&args[0]) as usize, get(&args[1]) as usize, get(&args[2]) as usize);
                self.memory.copy_within(src..src + len, dst);
                0
            }
            Op::CallLocal(func, args) => {
                let args: Vec<u64> = args.iter().map(get).collect();
                self.call(func.0 as usize, &args)
            }
            other => panic!("not interpreted: {other:?}"),
        }
    }
}
