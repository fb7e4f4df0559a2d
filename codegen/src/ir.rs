//! The SSA form: functions of basic blocks with parameters.
//!
//! Values are 64 bits wide (`I64`), 32 bits (`I32`, upper half zero as BPF's ALU32 leaves it) or pointers
//! by address space. Aggregates are never values: they lie in [`Slot`]s, map values or records and
//! are moved by [`Op::Copy`], [`Op::Zero`], loads and stores.
//!
//! **Invariant**: a value is defined once, before its uses, in a block that dominates them
//! ([`crate::verify`] checks it after each pass in tests).

pub use crate::args::Args;
use crate::object::ObjMapId;
use rbtrace_lang::Span;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// A basic block; block 0 is the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block(pub u32);

/// A piece of memory that lives on the stack or, where it does not fit, in per-CPU scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// Index of a function in [`Module::funcs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncId(pub u32);

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// 32 bits; the register's upper half is zero.
    I32,
    /// 64 bits.
    I64,
    /// A pointer that programs may follow directly.
    Ptr(Space),
}

/// What a [`Ty::Ptr`] points to; decides what may alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// A slot (stack or scratch).
    Stack,
    /// A map's value.
    MapValue,
    /// A map itself, as helpers take it.
    Map,
    /// The program's context.
    Ctx,
    /// A reserved ring-buffer record.
    Record,
    /// A BTF-typed kernel pointer: loads are probe reads of the verifier's own.
    Btf,
    /// The context record of a callback.
    Callback,
    /// A function, as callback helpers take it.
    Func,
}

/// Width of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "bytes")]
pub enum Width {
    B1,
    B2,
    B4,
    B8,
}

impl Width {
    /// Bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Width::B1 => 1,
            Width::B2 => 2,
            Width::B4 => 4,
            Width::B8 => 8,
        }
    }

    /// The width of this many bytes, if it is one of 1, 2, 4, 8.
    pub fn of(bytes: u32) -> Option<Width> {
        Some(match bytes {
            1 => Width::B1,
            2 => Width::B2,
            4 => Width::B4,
            8 => Width::B8,
            _ => return None,
        })
    }
}

/// Two-operand arithmetic. Operands and result have one type (I32 or I64); `Add` and `Sub` also
/// take a pointer on the left and an I64 on the right; the result then is a pointer of the same space, or
/// an I64 where the address is wanted as a number (`ptr + 0` typed I64 must not be folded to `ptr`).
///
/// `UMin`, of I64 only, shows the verifier a number's bound where the number is used: what a branch has shown of
/// a number in memory is not known of the next register that it is loaded into (before 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named by what they do")]
pub enum Alu {
    Add,
    Sub,
    Mul,
    UDiv,
    SDiv,
    URem,
    SRem,
    And,
    Or,
    Xor,
    Shl,
    LShr,
    AShr,
    UMin,
}

/// Comparisons; `S` signed, `U` unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named by what they do")]
pub enum Cond {
    Eq,
    Ne,
    ULt,
    ULe,
    UGt,
    UGe,
    SLt,
    SLe,
    SGt,
    SGe,
    /// `a & b != 0`
    Set,
}

impl Cond {
    /// The condition that holds exactly when this one does not; `Set` has none.
    pub fn negate(self) -> Option<Cond> {
        use Cond::*;
        Some(match self {
            Eq => Ne,
            Ne => Eq,
            ULt => UGe,
            ULe => UGt,
            UGt => ULe,
            UGe => ULt,
            SLt => SGe,
            SLe => SGt,
            SGt => SLe,
            SGe => SLt,
            Set => return None,
        })
    }

    /// The condition with its operands exchanged.
    pub fn swap(self) -> Cond {
        use Cond::*;
        match self {
            ULt => UGt,
            ULe => UGe,
            UGt => ULt,
            UGe => ULe,
            SLt => SGt,
            SLe => SGe,
            SGt => SLt,
            SGe => SLe,
            c => c,
        }
    }
}

/// Atomic operations on map values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named by what they do")]
pub enum AtomicOp {
    Add,
    Or,
    And,
    Xor,
    /// With the old value as result (needs `Feature::Atomics`).
    FetchAdd,
    Xchg,
}

/// A BPF helper, by its number in `include/uapi/linux/bpf.h` (`enum bpf_func_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Helper(pub u32);

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A constant.
    Const(i64),
    /// Arithmetic.
    Alu(Alu, Value, Value),
    /// `-x`
    Neg(Value),
    /// 0 or 1, I64 unless typed I32; fused into the branch where it is used only there.
    Cmp(Cond, Value, Value),
    /// The low bits, extended by their sign to the result type.
    Sext(Width, Value),
    /// The low bits, extended by zeros to the result type. `Zext(B4, i64)` makes an I32 or I64.
    Zext(Width, Value),
    /// Bytes in reverse order within the low `Width`, the rest zero.
    Bswap(Width, Value),
    /// Reads `Width` bytes at pointer + offset, extended by zeros, or by sign where asked.
    Load {
        /// Bytes.
        width: Width,
        /// Extend by sign.
        signed: bool,
        /// Pointer.
        ptr: Value,
        /// Constant offset, fits `i16`.
        offset: i32,
    },
    /// Writes the low bytes of `value`. No result.
    Store {
        /// Bytes.
        width: Width,
        /// Pointer.
        ptr: Value,
        /// Constant offset.
        offset: i32,
        /// What.
        value: Value,
    },
    /// Atomic read-modify-write of 4 or 8 bytes. A result only for `FetchAdd` and `Xchg`.
    Atomic {
        /// Operation.
        op: AtomicOp,
        /// Bytes, 4 or 8.
        width: Width,
        /// Pointer.
        ptr: Value,
        /// Constant offset.
        offset: i32,
        /// Operand.
        value: Value,
    },
    /// Atomically writes `new` to 8 bytes that hold `old`. The result is what they held (needs `Feature::Atomics`).
    CmpXchg {
        /// Pointer.
        ptr: Value,
        /// Constant offset.
        offset: i32,
        /// What is to be there.
        old: Value,
        /// What is written if so.
        new: Value,
    },
    /// Copies `len` bytes between directly readable places. `align`: both are aligned to it (1, 2, 4, 8).
    /// No result. Expanded to loads and stores before register allocation; long ones to a loop-free
    /// sequence or, above a limit, to `bpf_probe_read_kernel`.
    Copy {
        /// Destination pointer.
        dst: Value,
        /// Byte offset at it.
        dst_offset: i32,
        /// Source pointer.
        src: Value,
        /// Byte offset at it.
        src_offset: i32,
        /// Bytes.
        len: u32,
        /// Alignment of both.
        align: u32,
    },
    /// Fills with zeros. No result.
    Zero {
        /// Destination pointer.
        dst: Value,
        /// Byte offset at it.
        offset: i32,
        /// Bytes.
        len: u32,
        /// Alignment.
        align: u32,
    },
    /// Address of a slot: `Ptr(Stack)`.
    SlotAddr(Slot),
    /// A map for helpers: `Ptr(Map)`.
    MapRef(ObjMapId),
    /// Direct address of byte `offset` of element 0 of an array map: `Ptr(MapValue)`, never null.
    MapValue(ObjMapId, u32),
    /// A callback: `Ptr(Func)`.
    FuncAddr(FuncId),
    /// Calls a helper with at most 5 arguments; the result is r0. Typed I64 or a pointer (which may be
    /// null until it is compared with 0).
    Call(Helper, Args),
    /// Calls a function of this module.
    CallLocal(FuncId, Args),
}

impl Op {
    /// May it be dropped when its result is not used?
    pub fn is_pure(&self) -> bool {
        match self {
            Op::Store { .. } | Op::Atomic { .. } | Op::CmpXchg { .. } | Op::Copy { .. } | Op::Zero { .. } => {
                false
            }
            Op::Call(h, _) => h.is_pure(),
            Op::CallLocal(..) => false,
            _ => true,
        }
    }
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Goes on at a block, giving its parameters.
    Jump(Block, Vec<Value>),
    /// Compares and branches. Where both targets are one block its arguments may differ.
    Branch {
        /// Condition.
        cond: Cond,
        /// Left operand.
        a: Value,
        /// Right operand, of the same type as `a` (a pointer compares with an I64 constant 0).
        b: Value,
        /// Where to when it holds.
        then: (Block, Vec<Value>),
        /// Where to otherwise.
        otherwise: (Block, Vec<Value>),
        /// The condition is expected to fail (error paths): laid out of line.
        unlikely: bool,
    },
    /// Leaves the function.
    Return(Value),
    /// Not yet set, or never reached.
    Unreachable,
}

/// An instruction and its result, if it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// The value that it defines.
    pub result: Option<Value>,
    /// Where it came from.
    pub span: Span,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockData {
    /// Values that jumps to it give.
    pub params: Vec<Value>,
    /// Instructions.
    pub insts: Vec<Inst>,
    /// End.
    pub term: Term,
    /// Where the end came from.
    pub term_span: Span,
}

/// A slot's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotData {
    /// Bytes.
    pub size: u32,
    /// Alignment, a power of two up to 8.
    pub align: u32,
    /// Where it may lie.
    pub memory: Memory,
}

/// The memory that a slot may lie in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// On the stack if there is room, else in scratch memory.
    #[default]
    Any,
    /// On the stack only (helpers that take no map value, callback contexts).
    Stack,
    /// In scratch memory only: it holds what the stack has no room for.
    Scratch,
    /// The start of the program's place in scratch memory, for its callbacks. Of no size.
    ScratchStart,
}

/// A function: a program, a subprogram or a callback.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Name for BTF and dumps.
    pub name: String,
    /// Its parameters are the entry block's.
    pub blocks: Vec<BlockData>,
    /// Types of the values, by number.
    pub types: Vec<Ty>,
    /// Slots, by number.
    pub slots: Vec<SlotData>,
    /// The block in the script.
    pub span: Span,
}

/// A program with its callbacks; function 0 is the entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// The functions.
    pub funcs: Vec<Function>,
    /// Memory for slots that do not fit the stack, where the module may use it.
    pub scratch: Option<Scratch>,
}

/// Per-CPU memory that programs claim a place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// A per-CPU array; each element is a place.
    pub map: ObjMapId,
    /// Places of a CPU.
    pub places: u32,
    /// Another task may run while this program does: claiming must be one atomic step.
    pub preemptible: bool,
    /// The counter of runs for which no place was free.
    pub crowded: (ObjMapId, u32),
}

impl Function {
    /// An empty function with its entry block and the entry's parameters.
    pub fn new(name: impl Into<String>, params: &[Ty], span: Span) -> Self {
        let mut f = Function { name: name.into(), blocks: vec![], types: vec![], slots: vec![], span };
        let entry = f.add_block();
        for &ty in params {
            f.add_param(entry, ty);
        }
        f
    }

    /// A new value of a type, not yet defined.
    pub fn new_value(&mut self, ty: Ty) -> Value {
        self.types.push(ty);
        Value(self.types.len() as u32 - 1)
    }

    /// A new block that ends `Unreachable`.
    pub fn add_block(&mut self) -> Block {
        self.blocks.push(BlockData {
            params: vec![],
            insts: vec![],
            term: Term::Unreachable,
            term_span: self.span,
        });
        Block(self.blocks.len() as u32 - 1)
    }

    /// A new parameter of a block.
    pub fn add_param(&mut self, block: Block, ty: Ty) -> Value {
        let v = self.new_value(ty);
        self.block_mut(block).params.push(v);
        v
    }

    /// A new slot.
    pub fn add_slot(&mut self, size: u32, align: u32) -> Slot {
        self.slots.push(SlotData { size, align, memory: Memory::Any });
        Slot(self.slots.len() as u32 - 1)
    }

    /// The type of a value.
    pub fn ty(&self, v: Value) -> Ty {
        self.types[v.0 as usize]
    }

    /// A block.
    pub fn block(&self, b: Block) -> &BlockData {
        &self.blocks[b.0 as usize]
    }

    /// A block, to change.
    pub fn block_mut(&mut self, b: Block) -> &mut BlockData {
        &mut self.blocks[b.0 as usize]
    }

    /// All blocks in order.
    pub fn block_ids(&self) -> impl Iterator<Item = Block> + use<> {
        (0..self.blocks.len() as u32).map(Block)
    }
}

impl Term {
    /// The blocks that it may go to, with the arguments it gives.
    pub fn successors(&self) -> impl DoubleEndedIterator<Item = (Block, &[Value])> {
        let (first, second) = match self {
            Term::Jump(b, args) => (Some((*b, &args[..])), None),
            Term::Branch { then, otherwise, .. } => {
                (Some((then.0, &then.1[..])), Some((otherwise.0, &otherwise.1[..])))
            }
            Term::Return(_) | Term::Unreachable => (None, None),
        };
        first.into_iter().chain(second)
    }
}
