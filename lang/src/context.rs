//! What a body sees where its probe fires: data that each kind of probe hands to the checker.

use crate::system::SystemError;
use crate::types::{AddrSpace, Field, StructType, Type, U64};
use std::fmt;
use std::rc::Rc;

/// Where a value lies that a probe gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// The program's context itself: its address.
    Context,
    /// A field of the context's record, this many bytes from its start.
    Field(u32),
    /// Data of the context's record that four bytes at this offset describe (`__data_loc`): its address.
    DataLoc(u32),
    /// A word of 8 bytes at this offset of the context.
    Word(u32),
    /// Such a word that the verifier takes for a pointer to a kernel object, with which nothing can be calculated: it
    /// is read as a plain number.
    Pointer(u32),
    /// A register of the code that was interrupted.
    Register(Register),
    /// Two of them: the first 8 bytes of a value, and the rest.
    Pair(Register, Register),
    /// Nowhere: it is always this.
    Constant(u64),
    /// Memory of the process whose code was interrupted.
    Memory(Memory),
}

/// Memory that an operand of an instruction names: `base + index * scale + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Memory {
    /// A register, by its offset in `struct pt_regs`.
    pub base: Option<u32>,
    /// A register likewise, and what it is multiplied by.
    pub index: Option<(u32, u8)>,
    /// Bytes.
    pub offset: i64,
    /// Addresses have 32 bits only.
    pub narrow: bool,
}

/// What lies at a [`Location`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A value of the type that it is said to have; the context's own address.
    Value,
    /// Elements of the type, behind an address.
    Data,
    /// A machine word, which stands for a value of the type.
    Word,
    /// The value in two machine words.
    Parts,
}

impl Location {
    /// What lies there.
    pub fn holds(self) -> Holds {
        match self {
            Location::Context | Location::Field(_) | Location::Constant(_) | Location::Memory(_) => {
                Holds::Value
            }
            Location::DataLoc(_) => Holds::Data,
            Location::Pair(..) => Holds::Parts,
            Location::Word(_) | Location::Pointer(_) | Location::Register(_) => Holds::Word,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Context => write!(f, "ctx"),
            Location::Field(offset) => write!(f, "field@{offset}"),
            Location::DataLoc(offset) => write!(f, "data_loc@{offset}"),
            Location::Word(offset) => write!(f, "word@{offset}"),
            Location::Pointer(offset) => write!(f, "pointer@{offset}"),
            Location::Register(register) => write!(f, "{register}"),
            Location::Pair(low, high) => write!(f, "{low}+{high}"),
            Location::Constant(value) => write!(f, "constant@{value:#x}"),
            Location::Memory(memory) => write!(f, "memory@{memory}"),
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Register::Arg(n) => write!(f, "arg{n}"),
            Register::Return => write!(f, "retval"),
            Register::At { offset, size } => write!(f, "reg@{offset}:{size}"),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+}", self.offset)?;
        if let Some(base) = self.base {
            write!(f, "+reg{base}")?;
        }
        if let Some((index, scale)) = self.index {
            write!(f, "+reg{index}*{scale}")?;
        }
        if self.narrow { write!(f, ":4") } else { Ok(()) }
    }
}

/// A register, by what it is used for or by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    /// Argument number n of a function call.
    Arg(u8),
    /// A function's result.
    Return,
    /// The register at this offset of `struct pt_regs`.
    At {
        /// Bytes.
        offset: u32,
        /// 1, 2, 4 or 8.
        size: u8,
    },
}

/// An argument of the traced event.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Name; may be empty.
    pub name: Rc<str>,
    /// Type.
    pub ty: Type,
    /// Where it lies, or why it cannot be read.
    pub at: Result<Location, Rc<str>>,
}

/// What `args` is.
#[derive(Clone, Debug)]
pub enum Args {
    /// Not asked for, or not to be had in this kind of probe.
    None,
    /// The fields of a record, which is the program's context.
    Record(Rc<StructType>, Rc<[Argument]>),
    /// Values by name.
    Values(Rc<[Argument]>),
    /// The system could not say.
    Unavailable(SystemError),
}

impl Args {
    /// The arguments, where they are known.
    pub fn list(&self) -> &[Argument] {
        match self {
            Args::Record(_, list) | Args::Values(list) => list,
            Args::None | Args::Unavailable(_) => &[],
        }
    }

    /// A record's fields; as a whole it has those that can be read.
    pub fn record(mut record: StructType) -> Args {
        let fields = record.fields.take().unwrap_or_default();
        let list: Rc<[Argument]> = fields.iter().map(Argument::of_field).collect();
        let readable = fields.iter().zip(&*list).filter(|(_, argument)| argument.at.is_ok());
        record.fields = readable.map(|(field, _)| field.clone()).collect::<Rc<[_]>>().into();
        Args::Record(Rc::new(record), list)
    }
}

impl Argument {
    /// A machine word without a name.
    pub(crate) fn word(at: Location) -> Argument {
        Argument { name: "".into(), ty: U64, at: Ok(at) }
    }

    fn of_field(field: &Field) -> Argument {
        let at = match field.data_loc {
            _ if field.name.starts_with("common_") => {
                Err("the kernel keeps the common_ fields of tracepoints from programs".into())
            }
            true => Ok(Location::DataLoc(field.offset)),
            false => Ok(Location::Field(field.offset)),
        };
        Argument { name: Rc::clone(&field.name), ty: field.ty.clone(), at }
    }
}

/// What the context of a program is, for `ctx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ctx {
    /// Nothing worth reading.
    None,
    /// The kernel's struct of this name.
    Struct(Rc<str>),
    /// The record whose fields are `args`.
    Record,
}

/// What a body asks of its probe; the rest need not be found out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    /// `args`, or `ctx`, which may be a record.
    pub args: bool,
    /// `retval`.
    pub retval: bool,
    /// `arg0`, `arg1`, …
    pub numbered: bool,
}

/// What a body sees where its probe fires.
#[derive(Clone, Debug)]
pub struct Context {
    /// The kind of probe, as stdlib's table names it.
    pub kind: &'static str,
    /// Where integers point to that are used as pointers.
    pub space: AddrSpace,
    /// Events come from any process: with `-p` the program asks whose they are. Of the other kinds, the
    /// kernel lets only those of the process through.
    pub any_process: bool,
    /// What `ctx` points to.
    pub ctx: Ctx,
    /// `arg0`, `arg1`, …
    pub numbered: Vec<Argument>,
    /// Their type as values.
    pub numbered_as: Type,
    /// How many of them there are, where there are no others; without it, the others lie on the stack.
    pub all_numbered: Option<Rc<str>>,
    /// `args`
    pub args: Args,
    /// `arg_match`, and its type: the argument by whose type the function was found.
    pub matched: Option<(Type, Location)>,
    /// `retval`, and its type.
    pub retval: Option<(Type, Location)>,
    /// `func`: its type.
    pub func: Option<Type>,
    /// Are there registers to be read?
    pub registers: bool,
    /// The file that holds the probed code, for `uaddr()`.
    pub binary: Option<Rc<str>>,
    /// What to do for a builtin that is not to be had here, by its name.
    pub advice: &'static [(&'static str, &'static str)],
}

impl Context {
    /// One without anything to see; kinds of probes add what they have.
    pub fn bare(kind: &'static str) -> Context {
        Context {
            kind,
            space: AddrSpace::Unknown,
            any_process: false,
            ctx: Ctx::None,
            numbered: vec![],
            numbered_as: U64,
            all_numbered: None,
            args: Args::None,
            matched: None,
            retval: None,
            func: None,
            registers: false,
            binary: None,
            advice: &[],
        }
    }

    /// At a function's entry or on its return: the program's context is its registers.
    pub(crate) fn function(kind: &'static str, on_return: bool) -> Context {
        let (numbered, retval, advice) = if on_return {
            (vec![], Some((U64, Location::Register(Register::Return))), ARGUMENTS_ARE_GONE)
        } else {
            (
                (0..ARG_REGISTERS).map(|n| Argument::word(Location::Register(Register::Arg(n)))).collect(),
                None,
                &[][..],
            )
        };
        let (ctx, registers) = (Ctx::Struct("pt_regs".into()), true);
        Context { ctx, numbered, retval, registers, advice, ..Context::bare(kind) }
    }
}

const AT_ENTRY: &str = "store it in a map at the function's entry, with tid as the key";
const ARGUMENTS_ARE_GONE: &[(&str, &str)] =
    &[("args", AT_ENTRY), ("argN", AT_ENTRY), ("arg_match", AT_ENTRY)];

/// How many arguments are passed in registers on x86-64 (arm64 passes two more).
pub(crate) const ARG_REGISTERS: u8 = 6;
