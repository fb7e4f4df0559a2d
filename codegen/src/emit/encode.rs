//! The encoder: the one place that knows raw opcodes (`include/uapi/linux/bpf.h`, `Documentation/bpf/standardization`).

use super::mach::{MOp, Reg, Src};
use crate::ir::{Alu, AtomicOp, Cond, Width};

// Instruction classes and modes, `include/uapi/linux/bpf_common.h` and `bpf.h`.
const LD_IMM_DW: u8 = 0x18;
const LDX: u8 = 0x01;
const ST: u8 = 0x02;
const STX: u8 = 0x03;
const ALU: u8 = 0x04;
const JMP: u8 = 0x05;
const JMP32: u8 = 0x06;
const ALU64: u8 = 0x07;
const MEM: u8 = 0x60;
const MEMSX: u8 = 0x80;
const ATOMIC: u8 = 0xc0;
const SRC_REG: u8 = 0x08;
const MOV: u8 = 0xb0;
const NEG: u8 = 0x80;
/// `BPF_END | BPF_TO_BE` in class ALU: on a little-endian machine it reverses the bytes.
const SWAP: u8 = 0xd0 | 0x08;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
const FETCH: i32 = 0x01;

/// `src_reg` of a 64-bit immediate: `BPF_PSEUDO_*`.
mod pseudo {
    pub(super) const MAP_FD: u8 = 1;
    pub(super) const MAP_VALUE: u8 = 2;
    pub(super) const FUNC: u8 = 4;
    pub(super) const CALL: u8 = 1;
}

/// One `struct bpf_insn` as a little-endian word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub code: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register or pseudo kind.
    pub src: u8,
    /// Offset.
    pub off: i16,
    /// Immediate.
    pub imm: i32,
}

impl Insn {
    /// The instruction as the kernel takes it.
    pub fn word(self) -> u64 {
        u64::from(self.code)
            | u64::from(self.dst & 15) << 8
            | u64::from(self.src & 15) << 12
            | u64::from(self.off as u16) << 16
            | u64::from(self.imm as u32) << 32
    }

    /// Takes a word apart.
    pub fn from_word(w: u64) -> Insn {
        Insn {
            code: w as u8,
            dst: (w >> 8) as u8 & 15,
            src: (w >> 12) as u8 & 15,
            off: (w >> 16) as i16,
            imm: (w >> 32) as i32,
        }
    }
}

fn reg(r: Reg) -> u8 {
    r.0 as u8
}

fn size(w: Width) -> u8 {
    match w {
        Width::B4 => 0x00,
        Width::B2 => 0x08,
        Width::B1 => 0x10,
        Width::B8 => 0x18,
    }
}

/// Opcode bits and `off` (1: signed, ISA v4).
fn alu_code(op: Alu) -> (u8, i16) {
    match op {
        Alu::Add => (0x00, 0),
        Alu::Sub => (0x10, 0),
        Alu::Mul => (0x20, 0),
        Alu::UDiv => (0x30, 0),
        Alu::SDiv => (0x30, 1),
        Alu::Or => (0x40, 0),
        Alu::And => (0x50, 0),
        Alu::Shl => (0x60, 0),
        Alu::LShr => (0x70, 0),
        Alu::URem => (0x90, 0),
        Alu::SRem => (0x90, 1),
        Alu::Xor => (0xa0, 0),
        Alu::AShr => (0xc0, 0),
        // What a branch jumps over.
        Alu::UMin => (MOV, 0),
    }
}

fn cond_code(c: Cond) -> u8 {
    match c {
        Cond::Eq => 0x10,
        Cond::UGt => 0x20,
        Cond::UGe => 0x30,
        Cond::Set => 0x40,
        Cond::Ne => 0x50,
        Cond::SGt => 0x60,
        Cond::SGe => 0x70,
        Cond::ULt => 0xa0,
        Cond::ULe => 0xb0,
        Cond::SLt => 0xc0,
        Cond::SLe => 0xd0,
    }
}

fn atomic_code(op: AtomicOp) -> i32 {
    match op {
        AtomicOp::Add => 0x00,
        AtomicOp::Or => 0x40,
        AtomicOp::And => 0x50,
        AtomicOp::Xor => 0xa0,
        AtomicOp::FetchAdd => FETCH,
        AtomicOp::Xchg => 0xe0 | FETCH,
    }
}

fn with_src(code: u8, dst: u8, off: i16, src: Src) -> Insn {
    match src {
        Src::Reg(r) => Insn { code: code | SRC_REG, dst, src: reg(r), off, imm: 0 },
        Src::Imm(imm) => Insn { code, dst, src: 0, off, imm },
    }
}

/// A conditional jump; `off` counts from the next instruction.
pub fn branch(cond: Cond, wide: bool, a: Reg, b: Src, off: i16) -> Insn {
    with_src(cond_code(cond) | if wide { JMP } else { JMP32 }, reg(a), off, b)
}

/// A jump, or its long form (ISA v4) where `off` needs more than 16 bits.
pub fn jump(off: i32) -> Insn {
    match i16::try_from(off) {
        Ok(off) => Insn { code: JMP, off, ..Insn::default() },
        Err(_) => Insn { code: JMP32, imm: off, ..Insn::default() },
    }
}

/// Leaves the function.
pub fn exit() -> Insn {
    Insn { code: JMP | EXIT, ..Insn::default() }
}

/// Encodes an instruction onto `out`. Spill slot `n` lies `spill_base + 8 * (n + 1)` bytes below r10.
/// Calls and addresses of functions get an immediate of -1, to be set by the layout.
pub fn encode(op: &MOp, spill_base: u32, out: &mut Vec<Insn>) {
    let slot = |n: u32| -((spill_base + 8 * (n + 1)) as i32) as i16;
    let class = |wide: bool| if wide { ALU64 } else { ALU };
    let insn = match *op {
        MOp::Mov { dst, src, wide } => with_src(class(wide) | MOV, reg(dst), 0, src),
        MOp::MovSx { dst, src, from, wide } => {
            with_src(class(wide) | MOV, reg(dst), from.bytes() as i16 * 8, Src::Reg(src))
        }
        MOp::LdImm { dst, imm } => return ld_imm(dst, 0, imm as i32, (imm >> 32) as i32, out),
        MOp::LdMap { dst, .. } => return ld_imm(dst, pseudo::MAP_FD, 0, 0, out),
        MOp::LdMapValue { dst, offset, .. } => return ld_imm(dst, pseudo::MAP_VALUE, 0, offset as i32, out),
        MOp::LdFunc { dst, .. } => return ld_imm(dst, pseudo::FUNC, -1, 0, out),
        MOp::Alu { op, wide, dst, src } => {
            if op == Alu::UMin {
                out.push(branch(Cond::ULe, wide, dst, src, 1));
            }
            let (code, off) = alu_code(op);
            with_src(code | class(wide), reg(dst), off, src)
        }
        MOp::Neg { dst, wide } => Insn { code: NEG | class(wide), dst: reg(dst), ..Insn::default() },
        MOp::Swap { dst, width } => {
            Insn { code: SWAP | ALU, dst: reg(dst), imm: width.bytes() as i32 * 8, ..Insn::default() }
        }
        MOp::Load { dst, base, offset, width, signed } => {
            let mode = if signed { MEMSX } else { MEM };
            Insn { code: LDX | mode | size(width), dst: reg(dst), src: reg(base), off: offset, imm: 0 }
        }
        MOp::Store { base, offset, width, src } => store(base, offset, width, src),
        MOp::Atomic { op, width, base, offset, src } => {
            let imm = atomic_code(op);
            Insn { code: STX | ATOMIC | size(width), dst: reg(base), src: reg(src), off: offset, imm }
        }
        MOp::CmpXchg { base, offset, src } => {
            let code = STX | ATOMIC | size(Width::B8);
            Insn { code, dst: reg(base), src: reg(src), off: offset, imm: 0xf0 | FETCH }
        }
        MOp::Call { helper, .. } => Insn { code: JMP | CALL, imm: helper as i32, ..Insn::default() },
        MOp::CallLocal { .. } => Insn { code: JMP | CALL, src: pseudo::CALL, imm: -1, ..Insn::default() },
        MOp::Spill { src, slot: s } => store(Reg::R10, slot(s.0), Width::B8, Src::Reg(src)),
        MOp::Reload { dst, slot: s } => {
            Insn { code: LDX | MEM | size(Width::B8), dst: reg(dst), src: 10, off: slot(s.0), imm: 0 }
        }
        MOp::Stay { .. } => return,
    };
    out.push(insn);
}

fn store(base: Reg, off: i16, width: Width, src: Src) -> Insn {
    let (dst, size) = (reg(base), size(width));
    match src {
        Src::Reg(r) => Insn { code: STX | MEM | size, dst, src: reg(r), off, imm: 0 },
        Src::Imm(imm) => Insn { code: ST | MEM | size, dst, src: 0, off, imm },
    }
}

fn ld_imm(dst: Reg, src: u8, low: i32, high: i32, out: &mut Vec<Insn>) {
    out.push(Insn { code: LD_IMM_DW, dst: reg(dst), src, off: 0, imm: low });
    out.push(Insn { imm: high, ..Insn::default() });
}
