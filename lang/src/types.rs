//! The types of the language and how their values lie in memory.
//!
//! **Invariant**: size, alignment and field offsets of a value are decided here and nowhere else.
//! Generated code writes values in this form, the printer reads them in this form.
//!
//! | type | bytes |
//! |---|---|
//! | bool, integers, enums, pointers | native, little endian |
//! | `Str(n)` | `n` bytes, the text up to the first NUL; a text that was cut has no NUL in its `n` bytes |
//! | `Buf(n)` | `u32` length, then `n` bytes |
//! | tuples | fields at their natural alignment as in C; padding is zero |
//! | structs, arrays | as in C |
//! | stacks | `i64`: ≥ 0 an id in the stack map; < 0 an errno (no stack); user stacks: then `u32` pid (tgid), `u32` 0 |
//! | `Ksym` | `u64` address |
//! | `Usym` | `u64` address, `u32` pid, `u32` 0 |
//! | `Timestamp` | `u64` nanoseconds (`Sw` clock of [`TimeBase`]) |
//! | `Inet` | `u32` address family (`AF_INET` 2, `AF_INET6` 10), 16 bytes in network order |
//! | `Mac` | 6 bytes |
//! | `Username` | `u32` uid |
//! | `CgroupPath` | `u64` cgroup id |
//! | `Strerror`, `SignalName`, `SyscallName` | `i32` number |
//! | `ProbeName` | `u32` number of the attach point |
//! | count, sum | per CPU one `u64` / `i64` |
//! | min, max | per CPU `i64`/`u64` value, then `u64` 1 when set |
//! | avg, stats | per CPU `i64` total, `u64` count |
//! | hist(bits) | per CPU `u64` × [`hist_buckets`] |
//! | lhist | per CPU `u64` × (number of steps + 2): below, steps…, above |
//! | tseries | per CPU [`Interval`] × intervals; that of a time is at its number modulo intervals |

use std::cell::OnceCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Where a pointer points to, and so which helper reads through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddrSpace {
    /// Kernel memory: `bpf_probe_read_kernel`.
    Kernel,
    /// Memory of the current process: `bpf_probe_read_user`.
    User,
    /// The program's own memory (`&$x`): read directly.
    Bpf,
    /// The program's context (tracepoint records): read directly, at fixed offsets.
    Ctx,
    /// Unknown: in programs that mostly read user memory the address decides.
    Unknown,
}

impl AddrSpace {
    /// Where a pointer points to that the verifier does not follow any more: an address like others.
    pub fn outside(self) -> AddrSpace {
        match self {
            AddrSpace::Bpf | AddrSpace::Ctx => AddrSpace::Kernel,
            AddrSpace::Kernel | AddrSpace::User | AddrSpace::Unknown => self,
        }
    }
}

/// How a stack is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackMode {
    /// `symbol+offset`.
    Bpftrace,
    /// `address symbol+offset (module)`.
    Perf,
    /// Addresses only.
    Raw,
    /// Build id and file offset (user stacks).
    BuildId,
}

/// Whether a struct type is a struct or a union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StructKind {
    /// `struct`
    Struct,
    /// `union`
    Union,
}

/// The clock of a time value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeBase {
    /// `CLOCK_BOOTTIME` (what `nsecs` is).
    Boot,
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// `CLOCK_TAI`.
    Tai,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// No value.
    Void,
    /// `true`, `false`; one byte.
    Bool,
    /// An integer of 1, 2, 4 or 8 bytes.
    Int {
        /// Size in bytes.
        size: u8,
        /// Signed?
        signed: bool,
    },
    /// A floating-point number of 4 or 8 bytes: programs cannot calculate with it, and it prints as null.
    Float(u8),
    /// A named enum; values print by name where one is known.
    Enum(Rc<EnumType>),
    /// Text of at most this many bytes.
    Str(u32),
    /// Bytes: a length and at most this many bytes.
    Buf(u32),
    /// A pointer.
    Ptr {
        /// What it points to; `Void` for `void *`.
        to: Box<Type>,
        /// Where to.
        space: AddrSpace,
    },
    /// A struct or union.
    Struct(Rc<StructType>),
    /// `len` elements in a row. A length of 0 is a flexible array member.
    Array {
        /// Type of one element.
        elem: Box<Type>,
        /// How many.
        len: u32,
    },
    /// Values side by side, with or without names.
    Tuple(Rc<TupleType>),
    /// A kernel stack.
    KStack(StackType),
    /// A user stack.
    UStack(StackType),
    /// A kernel address that prints as a symbol.
    Ksym,
    /// A user address that prints as a symbol.
    Usym,
    /// A time that prints through its `strftime` format.
    Timestamp {
        /// The format.
        format: Rc<str>,
        /// Which clock was read.
        base: TimeBase,
    },
    /// An IP address.
    Inet,
    /// A hardware address.
    Mac,
    /// A user id that prints as a name.
    Username,
    /// A cgroup id that prints as a path below the hierarchy that the pattern names.
    CgroupPath(Rc<str>),
    /// An errno that prints as its text.
    Strerror,
    /// The number of a signal that prints as what it means.
    SignalName,
    /// The number of a system call that prints as its name.
    SyscallName,
    /// An attach point's number ([`crate::hir::ProbeId`]) that prints as its name.
    ProbeName,
    /// What a map-value function collects.
    Agg(Agg),
}

/// Printing mode and depth of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackType {
    /// How it prints.
    pub mode: StackMode,
    /// At most this many frames, 1 ..= 127 by default (`kernel.perf_event_max_stack`).
    pub depth: u16,
    /// Unwound by the call frame information of the process's files (`dw_ustack`), not by frame pointers.
    pub cfi: bool,
}

/// Map-value functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Agg {
    /// `count()`
    Count,
    /// `sum(n)`; signed as its argument.
    Sum {
        /// Signed?
        signed: bool,
    },
    /// `min(n)`
    Min {
        /// Signed?
        signed: bool,
    },
    /// `max(n)`
    Max {
        /// Signed?
        signed: bool,
    },
    /// `avg(n)`
    Avg {
        /// Signed?
        signed: bool,
    },
    /// `stats(n)`
    Stats {
        /// Signed?
        signed: bool,
    },
    /// `hist(n, bits)`: 2^bits buckets per power of two, bits 0 ..= 5.
    Hist {
        /// log2 of the buckets per power of two.
        bits: u8,
    },
    /// `lhist(n, min, max, step)`
    LHist {
        /// Lower bound, inclusive.
        min: i64,
        /// Upper bound, exclusive.
        max: i64,
        /// Width of one bucket, > 0.
        step: i64,
    },
    /// `tseries(n, interval, intervals, how)`
    TSeries {
        /// Nanoseconds of an interval, > 0.
        interval: u64,
        /// How many of the last ones are kept, > 0.
        intervals: u32,
        /// What becomes of several values in one interval.
        how: InInterval,
        /// Signed as its argument.
        signed: bool,
    },
}

/// What a time series keeps of the values of one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InInterval {
    /// The last one.
    Last,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their average.
    Avg,
}

/// Layout of one interval of a time series.
#[derive(Clone, Copy, Debug)]
pub struct Interval;

impl Interval {
    /// A `u64`: 1 + the number of the interval since 1970; 0 where nothing was ever put here.
    pub const NUMBER: u32 = 0;
    /// The value or total.
    pub const VALUE: u32 = 8;
    /// A `u64`: for the last value the time at which it was put here, for an average how many there are, for the
    /// smallest and the largest 1.
    pub const MORE: u32 = 16;
    /// Bytes.
    pub const SIZE: u32 = 24;
}

/// An enum by name, with its constants where they are known.
#[derive(Debug)]
pub struct EnumType {
    /// The name without `enum`; empty for an anonymous one.
    pub name: Rc<str>,
    /// Size in bytes.
    pub size: u8,
    /// Signed?
    pub signed: bool,
    /// Constants in the order of their declaration.
    pub values: Vec<(Rc<str>, i64)>,
}

impl PartialEq for EnumType {
    fn eq(&self, o: &Self) -> bool {
        self.name == o.name && self.size == o.size && self.values.len() == o.values.len()
    }
}
impl Eq for EnumType {}
impl Hash for EnumType {
    fn hash<H: Hasher>(&self, h: &mut H) {
        self.name.hash(h);
    }
}

/// A struct or union.
///
/// `fields` is filled on first use by [`crate::System::complete`], so that a kernel struct with a
/// thousand relatives costs only what a script touches. Identity is `(key, name)`.
#[derive(Debug)]
pub struct StructType {
    /// The name without `struct`; empty for an anonymous one.
    pub name: Rc<str>,
    /// Struct or union.
    pub kind: StructKind,
    /// Size in bytes; 0 for a type that is only declared.
    pub size: u32,
    /// Alignment in bytes, ≥ 1.
    pub align: u32,
    /// Where it came from: opaque, meaningful to the `System` that made it; 0 for a script's own struct.
    pub key: u64,
    /// The members, once asked for.
    pub fields: OnceCell<Rc<[Field]>>,
}

impl PartialEq for StructType {
    fn eq(&self, o: &Self) -> bool {
        self.key == o.key && self.name == o.name && self.size == o.size && self.kind == o.kind
    }
}
impl Eq for StructType {}
impl Hash for StructType {
    fn hash<H: Hasher>(&self, h: &mut H) {
        self.key.hash(h);
        self.name.hash(h);
    }
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name; empty for an anonymous struct or union whose members count as the outer one's.
    pub name: Rc<str>,
    /// Type.
    pub ty: Type,
    /// Offset in bytes from the start of the struct.
    pub offset: u32,
    /// For a bit field: first bit counted from `offset`'s lowest bit, and width in bits. The load of
    /// `ty.size()` bytes at `offset` always covers it.
    pub bits: Option<Bits>,
    /// `__data_loc`: the four bytes here hold offset (low 16 bits) and length (high 16) of the data,
    /// counted from the start of the record.
    pub data_loc: bool,
}

/// Place of a bit field within its storage unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bits {
    /// Lowest bit.
    pub shift: u8,
    /// Width, 1 ..= 64.
    pub width: u8,
}

/// A tuple or record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TupleType {
    /// Names (for records) and types of the fields.
    pub fields: Vec<(Option<Rc<str>>, Type)>,
}

/// The scalar that map-value functions and times are counted in.
pub const U64: Type = Type::Int { size: 8, signed: false };
/// The type of most arithmetic.
pub const I64: Type = Type::Int { size: 8, signed: true };
/// 32 bits, unsigned.
pub const U32: Type = Type::Int { size: 4, signed: false };
/// 32 bits, signed.
pub const I32: Type = Type::Int { size: 4, signed: true };
/// `AF_INET`.
pub const AF_INET: u32 = 2;
/// `AF_INET6`.
pub const AF_INET6: u32 = 10;

/// How many buckets `hist(n, bits)` has.
///
/// Bucket 0 counts negative values; then 2^bits buckets with one value each (0 ..= 2^bits - 1);
/// then, for each power of two from 2^bits up to 2^63, 2^bits buckets of equal width.
pub fn hist_buckets(bits: u8) -> u32 {
    let k = 1u32 << bits;
    1 + k + (64 - u32::from(bits)) * k
}

/// How many buckets `lhist(_, min, max, step)` has, the two open ones included.
pub fn lhist_buckets(min: i64, max: i64, step: i64) -> u32 {
    ((max - min) / step) as u32 + 2
}

impl Type {
    /// A pointer type.
    pub fn ptr(to: Type, space: AddrSpace) -> Type {
        Type::Ptr { to: Box::new(to), space }
    }

    /// A pointer type (or an array of such) with another address space; other types as they are.
    pub fn in_space(&self, space: AddrSpace) -> Type {
        match self {
            Type::Ptr { to, .. } => Type::Ptr { to: to.clone(), space },
            Type::Array { elem, len } => Type::Array { elem: Box::new(elem.in_space(space)), len: *len },
            ty => ty.clone(),
        }
    }

    /// What a pointer is once it was calculated with or kept in memory ([`AddrSpace::outside`]); other types as they are.
    pub fn as_address(&self) -> Type {
        match self {
            Type::Ptr { to, space } => Type::Ptr { to: to.clone(), space: space.outside() },
            ty => ty.clone(),
        }
    }

    /// An integer type.
    pub fn int(size: u8, signed: bool) -> Type {
        Type::Int { size, signed }
    }

    /// A tuple without names.
    pub fn tuple(fields: impl IntoIterator<Item = Type>) -> Type {
        Type::Tuple(Rc::new(TupleType { fields: fields.into_iter().map(|t| (None, t)).collect() }))
    }

    /// Size in bytes of a value, as it lies in variables, keys, map values (per CPU for
    /// aggregations) and event records.
    pub fn size(&self) -> u32 {
        match self {
            Type::Void => 0,
            Type::Bool => 1,
            Type::Int { size, .. } | Type::Float(size) => u32::from(*size),
            Type::Enum(e) => u32::from(e.size),
            Type::Str(n) => *n,
            Type::Buf(n) => 4 + *n,
            Type::Ptr { .. } | Type::Ksym | Type::Timestamp { .. } | Type::CgroupPath(_) => 8,
            Type::Struct(s) => s.size,
            Type::Array { elem, len } => elem.size() * len,
            Type::Tuple(t) => t.size(),
            Type::KStack(_) => 8,
            Type::UStack(_) | Type::Usym => 16,
            Type::Inet => 20,
            Type::Mac => 6,
            Type::Username | Type::Strerror | Type::SignalName | Type::SyscallName | Type::ProbeName => 4,
            Type::Agg(a) => a.size(),
        }
    }

    /// Alignment in bytes, ≥ 1.
    pub fn align(&self) -> u32 {
        match self {
            Type::Void | Type::Bool | Type::Str(_) | Type::Mac => 1,
            Type::Int { size, .. } | Type::Float(size) => u32::from(*size),
            Type::Enum(e) => u32::from(e.size),
            Type::Buf(_)
            | Type::Inet
            | Type::Username
            | Type::Strerror
            | Type::SignalName
            | Type::SyscallName
            | Type::ProbeName => 4,
            Type::Struct(s) => s.align,
            Type::Array { elem, .. } => elem.align(),
            Type::Tuple(t) => t.fields.iter().map(|(_, t)| t.align()).max().unwrap_or(1),
            _ => 8,
        }
    }

    /// Does a value fit a register and count as one number? (bool, integers, enums, pointers,
    /// and the opaque one-word values.)
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Type::Bool
                | Type::Int { .. }
                | Type::Enum(_)
                | Type::Ptr { .. }
                | Type::Ksym
                | Type::Timestamp { .. }
                | Type::Username
                | Type::CgroupPath(_)
                | Type::Strerror
                | Type::SignalName
                | Type::SyscallName
                | Type::ProbeName
                | Type::KStack(_)
        )
    }

    /// An integer, an enum or a bool: arithmetic is allowed.
    pub fn is_integer(&self) -> bool {
        matches!(self, Type::Int { .. } | Type::Enum(_) | Type::Bool)
    }

    /// Do values of this type extend with their sign when they are widened?
    pub fn is_signed(&self) -> bool {
        match self {
            Type::Int { signed, .. } => *signed,
            Type::Enum(e) => e.signed,
            Type::Strerror | Type::SignalName | Type::SyscallName | Type::KStack(_) => true,
            _ => false,
        }
    }
}

impl TupleType {
    /// Byte offsets of the fields.
    pub fn offsets(&self) -> Vec<u32> {
        let mut at = 0u32;
        self.fields
            .iter()
            .map(|(_, t)| {
                at = at.next_multiple_of(t.align());
                let here = at;
                at += t.size();
                here
            })
            .collect()
    }

    /// Size with the padding at the end.
    pub fn size(&self) -> u32 {
        let mut at = 0u32;
        let mut align = 1;
        for (_, t) in &self.fields {
            at = at.next_multiple_of(t.align()) + t.size();
            align = align.max(t.align());
        }
        at.next_multiple_of(align)
    }
}

impl Agg {
    /// Bytes per CPU.
    pub fn size(&self) -> u32 {
        match *self {
            Agg::Count | Agg::Sum { .. } => 8,
            Agg::Min { .. } | Agg::Max { .. } | Agg::Avg { .. } | Agg::Stats { .. } => 16,
            Agg::Hist { bits } => 8 * hist_buckets(bits),
            Agg::LHist { min, max, step } => 8 * lhist_buckets(min, max, step),
            Agg::TSeries { intervals, .. } => Interval::SIZE * intervals,
        }
    }

    /// The name of the function that makes it.
    pub fn name(&self) -> &'static str {
        match self {
            Agg::Count => "count",
            Agg::Sum { .. } => "sum",
            Agg::Min { .. } => "min",
            Agg::Max { .. } => "max",
            Agg::Avg { .. } => "avg",
            Agg::Stats { .. } => "stats",
            Agg::Hist { .. } => "hist",
            Agg::LHist { .. } => "lhist",
            Agg::TSeries { .. } => "tseries",
        }
    }

    /// The integer type that reading such a value gives (`(int64)@c`, `@c > 5`), if it has one.
    pub fn scalar(&self) -> Option<Type> {
        Some(match *self {
            Agg::Count => U64,
            Agg::Sum { signed } | Agg::Min { signed } | Agg::Max { signed } | Agg::Avg { signed } => {
                Type::int(8, signed)
            }
            Agg::Stats { .. } | Agg::Hist { .. } | Agg::LHist { .. } | Agg::TSeries { .. } => return None,
        })
    }

    /// Is a value of it shown as a table of its own?
    pub fn is_table(&self) -> bool {
        matches!(self, Agg::Hist { .. } | Agg::LHist { .. } | Agg::TSeries { .. })
    }
}

impl fmt::Display for Type {
    /// As messages name it: `uint64`, `string[64]`, `struct sk_buff *`, `(int64,string[16])`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Void => write!(f, "void"),
            Type::Bool => write!(f, "bool"),
            Type::Int { size, signed } => {
                write!(f, "{}int{}", if *signed { "" } else { "u" }, u32::from(*size) * 8)
            }
            Type::Float(size) => write!(f, "{}", if *size == 4 { "float" } else { "double" }),
            Type::Enum(e) => write!(f, "enum {}", e.name),
            Type::Str(n) => write!(f, "string[{n}]"),
            Type::Buf(n) => write!(f, "buffer[{n}]"),
            Type::Ptr { to, .. } => match &**to {
                Type::Ptr { .. } => write!(f, "{to}*"),
                to => write!(f, "{to} *"),
            },
            Type::Struct(s) => {
                let k = if s.kind == StructKind::Struct { "struct" } else { "union" };
                write!(f, "{k} {}", s.name)
            }
            Type::Array { elem, len } => write!(f, "{elem}[{len}]"),
            Type::Tuple(t) => {
                write!(f, "(")?;
                for (i, (name, ty)) in t.fields.iter().enumerate() {
                    if i > 0 {
                        write!(f, ",")?;
                    }
                    if let Some(n) = name {
                        write!(f, "{n}=")?;
                    }
                    write!(f, "{ty}")?;
                }
                write!(f, ")")
            }
            Type::KStack(_) => write!(f, "kstack"),
            Type::UStack(_) => write!(f, "ustack"),
            Type::Ksym => write!(f, "ksym_t"),
            Type::Usym => write!(f, "usym_t"),
            Type::Timestamp { .. } => write!(f, "timestamp"),
            Type::Inet => write!(f, "inet"),
            Type::Mac => write!(f, "mac_address"),
            Type::Username => write!(f, "username"),
            Type::CgroupPath(_) => write!(f, "cgroup_path_t"),
            Type::Strerror => write!(f, "strerror_t"),
            Type::SignalName => write!(f, "signal_name_t"),
            Type::SyscallName => write!(f, "syscall_name_t"),
            Type::ProbeName => write!(f, "probe_t"),
            Type::Agg(a) => write!(f, "{}_t", a.name()),
        }
    }
}
