//! Machine code before and after register allocation: BPF instructions over virtual registers.
//!
//! Registers 0 to 10 are the machine's own; the others are virtual until [`crate::regalloc`] has run.
//! The code is in two-address form, as BPF is: `Alu` changes its destination.

use crate::ir::{Alu, AtomicOp, Cond, FuncId, Width};
use crate::object::ObjMapId;
use rbtrace_lang::Span;

/// A register: r0 to r10, or virtual from [`Reg::FIRST_VIRTUAL`] on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u32);

impl Reg {
    /// Result of calls and of the function.
    pub const R0: Reg = Reg(0);
    /// The frame pointer, read only.
    pub const R10: Reg = Reg(10);
    /// Registers that may hold values: r0 to r9.
    pub const ALLOCATABLE: u32 = 10;
    /// Number of the first virtual register.
    pub const FIRST_VIRTUAL: u32 = 11;

    /// The register of argument `i`, counted from 0.
    pub fn arg(i: usize) -> Reg {
        Reg(i as u32 + 1)
    }

    /// Is it one that allocation has to replace?
    pub fn is_virtual(self) -> bool {
        self.0 >= Reg::FIRST_VIRTUAL
    }

    /// Index for tables by register.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Src {
    /// A register.
    Reg(Reg),
    /// An immediate, extended by its sign where the operation is 64 bits wide.
    Imm(i32),
}

/// Number of a spill slot of a function, 8 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpillSlot(pub u32);

/// What a machine instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MOp {
    /// `dst = src`; the 32-bit form clears the upper half.
    Mov {
        /// Destination.
        dst: Reg,
        /// Source.
        src: Src,
        /// 64 bits?
        wide: bool,
    },
    /// `dst = src` extended by sign from `from` (ISA v4).
    MovSx {
        /// Destination.
        dst: Reg,
        /// Source.
        src: Reg,
        /// Width of the source.
        from: Width,
        /// To 64 bits? Else to 32, the upper half zero.
        wide: bool,
    },
    /// A 64-bit constant, two instructions long.
    LdImm {
        /// Destination.
        dst: Reg,
        /// Value.
        imm: i64,
    },
    /// A map, two instructions long.
    LdMap {
        /// Destination.
        dst: Reg,
        /// Map.
        map: ObjMapId,
    },
    /// An address in element 0 of an array map, two instructions long.
    LdMapValue {
        /// Destination.
        dst: Reg,
        /// Map.
        map: ObjMapId,
        /// Byte offset.
        offset: u32,
    },
    /// The address of a function, two instructions long.
    LdFunc {
        /// Destination.
        dst: Reg,
        /// Function.
        func: FuncId,
    },
    /// `dst = dst op src`
    Alu {
        /// Operation; `SDiv` and `SRem` need ISA v4.
        op: Alu,
        /// 64 bits? Else 32, the upper half becomes zero.
        wide: bool,
        /// Destination and left operand.
        dst: Reg,
        /// Right operand.
        src: Src,
    },
    /// `dst = -dst`
    Neg {
        /// Destination and operand.
        dst: Reg,
        /// 64 bits?
        wide: bool,
    },
    /// Reverses the low bytes of `dst` and clears the rest.
    Swap {
        /// Destination and operand.
        dst: Reg,
        /// How many bytes: 2, 4 or 8.
        width: Width,
    },
    /// Reads memory.
    Load {
        /// Destination.
        dst: Reg,
        /// Base address.
        base: Reg,
        /// Byte offset.
        offset: i16,
        /// Bytes.
        width: Width,
        /// Extend by sign to 64 bits (ISA v4).
        signed: bool,
    },
    /// Writes memory.
    Store {
        /// Base address.
        base: Reg,
        /// Byte offset.
        offset: i16,
        /// Bytes.
        width: Width,
        /// What.
        src: Src,
    },
    /// Atomic read-modify-write; `FetchAdd` and `Xchg` leave the old value in `src`.
    Atomic {
        /// Operation.
        op: AtomicOp,
        /// 4 or 8 bytes.
        width: Width,
        /// Base address.
        base: Reg,
        /// Byte offset.
        offset: i16,
        /// Operand.
        src: Reg,
    },
    /// Writes `src` to 8 bytes if they hold what r0 holds; leaves in r0 what they held.
    CmpXchg {
        /// Base address.
        base: Reg,
        /// Byte offset.
        offset: i16,
        /// What is written.
        src: Reg,
    },
    /// Calls a helper with its first `args` argument registers.
    Call {
        /// Number of the helper.
        helper: u32,
        /// Number of arguments.
        args: u8,
    },
    /// Calls a function of the module.
    CallLocal {
        /// Function.
        func: FuncId,
        /// Number of arguments.
        args: u8,
    },
    /// Saves a register on the stack.
    Spill {
        /// What.
        src: Reg,
        /// Where.
        slot: SpillSlot,
    },
    /// Brings a spilled value back.
    Reload {
        /// Destination.
        dst: Reg,
        /// From where.
        slot: SpillSlot,
    },
    /// A copy whose both sides live in one spill slot: no code.
    Stay {
        /// The slot.
        slot: SpillSlot,
    },
}

/// A machine instruction with its place in the script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MInst {
    /// What it does.
    pub op: MOp,
    /// Where it came from.
    pub span: Span,
    /// Index of the instruction in the function as selected; `None` for what allocation added.
    pub origin: Option<u32>,
}

/// Index of a block in [`MFunc::blocks`].
pub type MBlockId = usize;

/// How a machine block ends.
#[derive(Clone, Debug, PartialEq)]
pub enum MTerm {
    /// Goes on there.
    Jump(MBlockId),
    /// Compares and branches.
    Branch {
        /// Condition.
        cond: Cond,
        /// Compare 64 bits? Else the low 32.
        wide: bool,
        /// Left operand.
        a: Reg,
        /// Right operand.
        b: Src,
        /// Where to when it holds.
        then: MBlockId,
        /// Where to otherwise.
        otherwise: MBlockId,
        /// The condition is expected to fail.
        unlikely: bool,
    },
    /// Leaves the function with r0.
    Exit,
}

/// A machine block.
#[derive(Clone, Debug, PartialEq)]
pub struct MBlock {
    /// Instructions.
    pub insts: Vec<MInst>,
    /// End.
    pub term: MTerm,
    /// Place of the end.
    pub term_span: Span,
}

/// A machine function.
#[derive(Clone, Debug, PartialEq)]
pub struct MFunc {
    /// Blocks; 0 is the entry.
    pub blocks: Vec<MBlock>,
    /// One more than the highest register in use.
    pub regs: u32,
    /// Number of arguments that arrive in r1 and on.
    pub params: u32,
    /// Bytes of the frame that slots take, a multiple of 8; spill slots lie below them.
    pub slot_bytes: u32,
    /// Number of spill slots.
    pub spills: u32,
}

impl MFunc {
    /// A fresh virtual register.
    pub fn new_reg(&mut self) -> Reg {
        self.regs += 1;
        Reg(self.regs - 1)
    }
}

impl MTerm {
    /// Blocks that it may go to.
    pub fn successors(&self) -> impl Iterator<Item = MBlockId> + use<> {
        let (a, b) = match *self {
            MTerm::Jump(t) => (Some(t), None),
            MTerm::Branch { then, otherwise, .. } => (Some(then), Some(otherwise)),
            MTerm::Exit => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Calls `f` on each register that it reads.
    pub fn uses(&self, mut f: impl FnMut(Reg)) {
        match self {
            MTerm::Branch { a, b, .. } => {
                f(*a);
                if let Src::Reg(r) = b {
                    f(*r);
                }
            }
            MTerm::Exit => f(Reg::R0),
            MTerm::Jump(_) => {}
        }
    }

    /// Replaces each register that it reads.
    pub fn map_uses(&mut self, mut f: impl FnMut(Reg) -> Reg) {
        if let MTerm::Branch { a, b, .. } = self {
            *a = f(*a);
            if let Src::Reg(r) = b {
                *r = f(*r);
            }
        }
    }
}

/// The part that a register plays in an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read.
    Use,
    /// Written.
    Def,
    /// Read and written: two-address destinations.
    Both,
}

impl MOp {
    /// Calls `f` on each register that stands in the instruction, with its part. Implied registers
    /// (of calls, r0 of `CmpXchg`) are given by [`MOp::uses`] and [`MOp::defs`] only.
    pub fn operands_mut(&mut self, mut f: impl FnMut(&mut Reg, Role)) {
        match self {
            MOp::Mov { dst, src, .. } => {
                if let Src::Reg(r) = src {
                    f(r, Role::Use);
                }
                f(dst, Role::Def);
            }
            MOp::MovSx { dst, src, .. } => {
                f(src, Role::Use);
                f(dst, Role::Def);
            }
            MOp::LdImm { dst, .. }
            | MOp::LdMap { dst, .. }
            | MOp::LdMapValue { dst, .. }
            | MOp::LdFunc { dst, .. }
            | MOp::Reload { dst, .. } => f(dst, Role::Def),
            MOp::Alu { dst, src, .. } => {
                if let Src::Reg(r) = src {
                    f(r, Role::Use);
                }
                f(dst, Role::Both);
            }
            MOp::Neg { dst, .. } | MOp::Swap { dst, .. } => f(dst, Role::Both),
            MOp::Load { dst, base, .. } => {
                f(base, Role::Use);
                f(dst, Role::Def);
            }
            MOp::Store { base, src, .. } => {
                f(base, Role::Use);
                if let Src::Reg(r) = src {
                    f(r, Role::Use);
                }
            }
            MOp::Atomic { op, base, src, .. } => {
                f(base, Role::Use);
                let fetches = matches!(op, AtomicOp::FetchAdd | AtomicOp::Xchg);
                f(src, if fetches { Role::Both } else { Role::Use });
            }
            MOp::CmpXchg { base, src, .. } => {
                f(base, Role::Use);
                f(src, Role::Use);
            }
            MOp::Spill { src, .. } => f(src, Role::Use),
            MOp::Call { .. } | MOp::CallLocal { .. } | MOp::Stay { .. } => {}
        }
    }

    fn operands(&self, mut f: impl FnMut(Reg, Role)) {
        // One list of operands serves both; a copy is a few words.
        let mut copy = *self;
        copy.operands_mut(|r, role| f(*r, role));
    }

    /// Calls `f` on each register that is read.
    pub fn uses(&self, mut f: impl FnMut(Reg)) {
        if let MOp::Call { args, .. } | MOp::CallLocal { args, .. } = self {
            (0..*args as usize).for_each(|i| f(Reg::arg(i)));
        }
        if let MOp::CmpXchg { .. } = self {
            f(Reg::R0);
        }
        self.operands(|r, role| {
            if role != Role::Def {
                f(r);
            }
        });
    }

    /// Calls `f` on each register that is written or destroyed.
    pub fn defs(&self, mut f: impl FnMut(Reg)) {
        if self.is_call() {
            (0..=5).for_each(|i| f(Reg(i)));
        }
        if let MOp::CmpXchg { .. } = self {
            f(Reg::R0);
        }
        self.operands(|r, role| {
            if role != Role::Use {
                f(r);
            }
        });
    }

    /// Does it destroy r0 to r5?
    pub fn is_call(&self) -> bool {
        matches!(self, MOp::Call { .. } | MOp::CallLocal { .. })
    }

    /// Has it an effect besides its destination register?
    pub fn has_effect(&self) -> bool {
        match self {
            MOp::Store { .. }
            | MOp::Atomic { .. }
            | MOp::CmpXchg { .. }
            | MOp::Spill { .. }
            | MOp::Stay { .. } => true,
            op => op.is_call(),
        }
    }

    /// Source and destination of a full-width register copy.
    pub fn as_copy(&self) -> Option<(Reg, Reg)> {
        match *self {
            MOp::Mov { dst, src: Src::Reg(src), wide: true } => Some((dst, src)),
            _ => None,
        }
    }
}
