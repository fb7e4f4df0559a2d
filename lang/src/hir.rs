//! The typed program: what the type checker hands to the code generator.
//!
//! **Invariant**: every expression has its final type, every name is resolved, every implicit
//! conversion is a node. Lowering never asks for a type again and never asks the system.

use crate::ast::BinOp;
use crate::attach::Matched;
use crate::context::Location;
use crate::format::Piece;
use crate::target::Target;
use crate::types::{AddrSpace, Agg, Bits, StackType, Type};
use crate::{Source, Span};
use std::rc::Rc;

/// A program ready for code generation.
#[derive(Debug)]
pub struct Program {
    /// The texts that spans point into; 0 is the script.
    pub sources: Vec<Source>,
    /// One for each body that is compiled. A block whose attach points give its names different types
    /// (`args` of two tracepoints) appears once per group of equal types.
    pub probes: Vec<Probe>,
    /// The script's maps in the order of their first use; [`MapId`] indexes it.
    pub maps: Vec<Map>,
    /// Settings after the script's config block and the environment.
    pub config: Config,
}

/// Index into [`Program::maps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapId(pub u32);

/// Index into [`Probe::locals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(pub u32);

/// Number of an attach point, unique in the program: what the `probe` builtin and the attach cookie carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(pub u32);

/// Config variables that codegen and runtime read.
#[derive(Clone, Debug)]
pub struct Config {
    /// Most bytes of a text that `str()` reads, the NUL included.
    pub max_strlen: u32,
    /// Entries of a map that is not declared.
    pub max_map_keys: u32,
    /// Most attach points.
    pub max_probes: u32,
    /// Most programs.
    pub max_bpf_progs: u32,
    /// Most bytes of a file that `cat` prints.
    pub max_cat_bytes: u32,
    /// Verifier log buffer in bytes.
    pub log_size: u32,
    /// Pages of the ring buffer; `None`: by the machine's memory.
    pub perf_rb_pages: Option<u32>,
    /// What follows a text that was cut.
    pub str_trunc_trailer: Rc<str>,
    /// What to do with probes that cannot be attached.
    pub missing_probes: MissingProbes,
    /// Print maps at the end.
    pub print_maps_on_exit: bool,
    /// Licence of the programs.
    pub license: Rc<str>,
    /// Demangle C++ and Rust symbols.
    pub cpp_demangle: bool,
    /// Resolve user symbols when they are printed rather than when a process is first seen.
    pub lazy_symbolication: bool,
    /// Show source lines and inlined functions in stacks where debug info is at hand.
    pub show_debug_info: bool,
    /// Objects larger than this many bytes go to the per-CPU scratch map.
    pub on_stack_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_strlen: 1024,
            max_map_keys: 4096,
            max_probes: 1024,
            max_bpf_progs: 1024,
            max_cat_bytes: 10240,
            log_size: 1_000_000,
            perf_rb_pages: None,
            str_trunc_trailer: "..".into(),
            missing_probes: MissingProbes::Error,
            print_maps_on_exit: true,
            license: "GPL".into(),
            cpp_demangle: true,
            lazy_symbolication: false,
            show_debug_info: true,
            on_stack_limit: 32,
        }
    }
}

/// Config variable `missing_probes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingProbes {
    /// An error.
    Error,
    /// A warning.
    Warn,
    /// Nothing is said.
    Ignore,
}

/// A map of the script.
#[derive(Clone, Debug)]
pub struct Map {
    /// Name with `@`.
    pub name: Rc<str>,
    /// Key; `None` for a map without keys.
    pub key: Option<Type>,
    /// Value.
    pub value: Type,
    /// Kernel object that a declaration asks for.
    pub decl: Option<MapDeclKind>,
    /// Most entries.
    pub max_entries: u32,
    /// Place of the declaration or first use.
    pub span: Span,
}

/// `let @a = KIND(n)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapDeclKind {
    /// `BPF_MAP_TYPE_HASH`
    Hash,
    /// `BPF_MAP_TYPE_LRU_HASH`
    LruHash,
    /// `BPF_MAP_TYPE_PERCPU_HASH`
    PerCpuHash,
    /// `BPF_MAP_TYPE_LRU_PERCPU_HASH`
    LruPerCpuHash,
}

/// A body and all that it attaches to.
#[derive(Debug)]
pub struct Probe {
    /// Where; never empty, all of one kind.
    pub attach: Vec<AttachPoint>,
    /// Where pointers point to of which that is not known otherwise.
    pub space: AddrSpace,
    /// Runs the body only when true.
    pub predicate: Option<Expr>,
    /// The body.
    pub body: Vec<Stmt>,
    /// Scratch variables; [`LocalId`] indexes it. Shadowed names have entries of their own.
    pub locals: Vec<Local>,
    /// The block in the text.
    pub span: Span,
}

/// A scratch variable.
#[derive(Clone, Debug)]
pub struct Local {
    /// Name with `$`.
    pub name: Rc<str>,
    /// Final type. It starts as zero at each entry of its scope.
    pub ty: Type,
}

/// One place to attach to.
#[derive(Clone, Debug)]
pub struct AttachPoint {
    /// Its number.
    pub id: ProbeId,
    /// Its full name as the `probe` builtin prints it: `kprobe:vfs_read`, `tracepoint:sched:sched_switch`.
    pub name: Rc<str>,
    /// The kind of probe, as stdlib's table names it.
    pub provider: &'static str,
    /// What exactly.
    pub target: Target,
    /// The argument by whose type the function was found.
    pub matched: Option<Rc<Matched>>,
    /// The attach point in the text.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Place.
    pub span: Span,
}

/// Kinds of [`Stmt`].
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// Evaluate for effect.
    Expr(Expr),
    /// A scope's variable begins: it is zero (in a loop: again in each round).
    Declare(LocalId),
    /// `$x = value`; the value's type fits the variable (integers and texts may be narrower: they
    /// widen; a text or buffer that is longer never occurs).
    AssignLocal(LocalId, Expr),
    /// `@m = value`, `@m[key] = value` of a map that is no aggregation.
    AssignMap {
        /// The map.
        map: MapId,
        /// Its key, of the map's key type up to widening.
        key: Option<Expr>,
        /// The value.
        value: Expr,
    },
    /// `@m[key] = count()` and its kin.
    Aggregate {
        /// The map.
        map: MapId,
        /// Its key.
        key: Option<Expr>,
        /// Which function; equal to the map's value type.
        agg: Agg,
        /// What is counted, 64 bits; `None` for `count()`.
        value: Option<Expr>,
        /// For `tseries()` the time in nanoseconds of TAI, uint64.
        time: Option<Expr>,
    },
    /// `if`
    If {
        /// Condition, bool.
        cond: Expr,
        /// Then.
        then: Vec<Stmt>,
        /// Else.
        otherwise: Vec<Stmt>,
    },
    /// `while`
    While {
        /// Condition, bool.
        cond: Expr,
        /// Body.
        body: Vec<Stmt>,
    },
    /// `for ($i : start..end)`; both are evaluated once.
    ForRange {
        /// The variable, an integer.
        var: LocalId,
        /// First, of the variable's type.
        start: Expr,
        /// One past the last, of the variable's type.
        end: Expr,
        /// Body.
        body: Vec<Stmt>,
    },
    /// `for ($kv : @map)`
    ForMap {
        /// A tuple of key and value (aggregations as their scalar).
        var: LocalId,
        /// The map.
        map: MapId,
        /// Body.
        body: Vec<Stmt>,
    },
    /// `unroll`: the body this many times.
    Unroll {
        /// How often, ≥ 1.
        count: u32,
        /// Body.
        body: Vec<Stmt>,
    },
    /// Leaves the innermost loop.
    Break,
    /// The innermost loop's next round.
    Continue,
    /// Leaves the program; the value is the program's exit value (integer).
    Return(Option<Expr>),
    /// Statements in a scope of their own.
    Block(Vec<Stmt>),
    /// Sends something to user space.
    Emit(Emit),
    /// `exit(code)`: asks for the end and leaves the program at once.
    Exit(Option<Expr>),
}

/// Something that user space prints or does, in the order in which it was sent.
#[derive(Clone, Debug)]
pub struct Emit {
    /// What.
    pub kind: EmitKind,
    /// The values that go with it.
    pub args: Vec<Expr>,
}

/// Kinds of [`Emit`].
#[derive(Clone, Debug, PartialEq)]
pub enum EmitKind {
    /// `printf(format, args)`
    Printf(Rc<[Piece]>),
    /// `errorf`, `warnf`: to stderr with the place. `true` for a warning; then the calls of the macros that it stands in,
    /// innermost first.
    Errorf(Rc<[Piece]>, bool, Rc<[Span]>),
    /// `print(value)`: one value, of any type.
    Print,
    /// `print(@map[key])` of one entry: like `Print`, with the map's name and key shown:
    /// args are the key, then the value. Of stats, hist and lhist, which have no scalar, the key alone:
    /// user space reads the entry.
    PrintEntry(MapId),
    /// `print(@map, top, div)`
    PrintMap {
        /// The map.
        map: MapId,
        /// At most this many; 0: all.
        top: u32,
        /// Values are divided by this; 0 means 1.
        div: u64,
    },
    /// `clear(@map)`
    Clear(MapId),
    /// `zero(@map)`
    Zero(MapId),
    /// `time(format)`: the time at which it is printed.
    Time(Rc<str>),
    /// `system(format, args)`
    System(Rc<[Piece]>),
    /// `cat(format, args)`
    Cat(Rc<[Piece]>),
    /// `unwatch(address)`
    Unwatch,
    /// `join(array of char pointers, separator)`; its one argument is the pointer.
    Join {
        /// Between two texts.
        sep: Rc<str>,
        /// The arguments' address space is that of the expression's pointer type.
        max_args: u32,
    },
}

/// An expression and its type.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
    /// Place.
    pub span: Span,
}

/// Kinds of [`Expr`].
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// An integer, bool, enum or pointer constant, as the bits of its value.
    Const(u64),
    /// A text constant; its type is `Str(n)` with n > length (or an array/buffer of the same bytes).
    Text(Rc<[u8]>),
    /// A scratch variable.
    Local(LocalId),
    /// `@m`, `@m[key]`: the value, zero where there is none. Of an aggregation: its type is the scalar
    /// (`Agg::scalar`), summed over all CPUs.
    MapGet {
        /// The map.
        map: MapId,
        /// Its key.
        key: Option<Box<Expr>>,
    },
    /// `has_key(@m, key)`: bool.
    HasKey {
        /// The map.
        map: MapId,
        /// Its key.
        key: Box<Expr>,
    },
    /// `delete(@m, key)`: bool, whether there was one.
    Delete {
        /// The map.
        map: MapId,
        /// Its key; `None` empties the one value of a map without keys.
        key: Option<Box<Expr>>,
    },
    /// `len(@m)`: number of entries, int64.
    MapLen(MapId),
    /// `len(kstack)` / `len(ustack)`: number of frames.
    StackLen(Box<Expr>),
    /// `-x`, `~x` (int64/uint64), `!x` (bool).
    Unary(Unary, Box<Expr>),
    /// Both operands have one type, integers of 64 bits, or for comparisons integers, bools or pointers
    /// of equal size; shifts: the right one is 64 bits. Signed operations when the operands are signed.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `==` / `!=` of texts, buffers, arrays, tuples, structs: `negate` for `!=`. Texts of unlike
    /// sizes compare as texts.
    CompareMemory {
        /// `!=`
        negate: bool,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
        /// `strncmp`: only this many bytes, from the first.
        limit: Option<u32>,
    },
    /// `strncmp(a, b, n)` as a value: 0 when equal, 1 otherwise, uint64.
    Strncmp(Box<Expr>, Box<Expr>, u32),
    /// `&&`, `||`; bools; the right side only runs when it matters.
    Logical {
        /// `&&` rather than `||`.
        and: bool,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// `c ? a : b`; both of the expression's type (texts may be shorter).
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `++`/`--` of a variable or map entry: the old value, or with `prefix` the new one. `step` is ±1,
    /// or ± the size of what a pointer points to.
    IncDec {
        /// What changes.
        place: Lvalue,
        /// By how much.
        step: i64,
        /// The value afterwards?
        prefix: bool,
    },
    /// To this expression's type, both integers, enums, bools or pointers: truncates, extends by the
    /// operand's sign, or for bool is `x != 0`.
    Convert(Box<Expr>),
    /// The same bytes as another type of the same size (`(int8[8])x`, `(uint64)$array`, text to array).
    Reinterpret(Box<Expr>),
    /// A text or tuple as a wider type: text is padded with NULs, tuple fields widen one by one.
    Widen(Box<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// Field number n of a tuple.
    TupleField(Box<Expr>, u32),
    /// What a pointer points to. Of a struct or array type it stands for the place, and only what is
    /// used of it is read.
    Deref(Box<Expr>),
    /// A member of a struct value (commonly of a `Deref`), at `offset` bytes.
    Field {
        /// The struct.
        base: Box<Expr>,
        /// Byte offset.
        offset: u32,
        /// Bit field.
        bits: Option<Bits>,
    },
    /// An element of an array value.
    Index {
        /// The array.
        base: Box<Expr>,
        /// int64; checked against the length at run time unless it is constant.
        index: Box<Expr>,
    },
    /// `pointer + index * size`; subtraction has a negated index. `checked` is false.
    PtrAdd {
        /// The pointer.
        ptr: Box<Expr>,
        /// int64.
        index: Box<Expr>,
        /// Bytes for each step.
        scale: u32,
    },
    /// `pointer - pointer` in elements, int64.
    PtrDiff {
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
        /// Bytes of one element.
        scale: u32,
    },
    /// `&$x`, `&@m[key]`: a pointer into the program's own memory (`AddrSpace::Bpf`).
    AddrOf(Lvalue),
    /// The value at a place that the probe gives. Of [`Location::Context`] and [`Location::DataLoc`] the
    /// value is the address; a field of struct or array type stands for the place.
    At(Location),
    /// A value of the running task or machine.
    Builtin(Builtin),
    /// `kstack(mode, depth)`
    KStack(StackType),
    /// `ustack(mode, depth)`
    UStack(StackType),
    /// `str(ptr, n)`: text at a pointer; `len` is evaluated at run time and capped by the type.
    StrFrom {
        /// The pointer (or array place).
        ptr: Box<Expr>,
        /// Bytes wanted, the NUL included; `None`: what the type holds.
        len: Option<Box<Expr>>,
    },
    /// `buf(ptr, n)`
    BufFrom {
        /// A pointer, an array place or a text.
        ptr: Box<Expr>,
        /// Bytes; capped by the type.
        len: Option<Box<Expr>>,
    },
    /// `ntop(addr)` / `ntop(af, addr)`: an `Inet`. The address is a uint32 (network order in memory) or
    /// an array of 4 or 16 bytes.
    Ntop {
        /// Family; `None`: by the address's size.
        family: Option<Box<Expr>>,
        /// Address.
        addr: Box<Expr>,
    },
    /// `macaddr(x)`: 6 bytes at a place or array.
    MacAddr(Box<Expr>),
    /// `ksym(x)`: as a symbol.
    Ksym(Box<Expr>),
    /// `usym(x)`: with the current process.
    Usym(Box<Expr>),
    /// `strftime(format, x)`: the type says the format.
    Strftime(Box<Expr>),
    /// `cgroup_path(id)`; the type says the pattern.
    CgroupPath(Box<Expr>),
    /// `strerror(n)`, `signal_name(n)`, `syscall_name(n)`: the type says which.
    Strerror(Box<Expr>),
    /// `strcontains(haystack, needle)`: bool.
    StrContains(Box<Expr>, Box<Expr>),
    /// `strlen(text)` / `len(text)`: bytes before the NUL.
    StrLen(Box<Expr>),
    /// `bswap(x)`
    Bswap(Box<Expr>),
    /// `signal(n)`: sends it to the current process (`--unsafe`).
    Signal(Box<Expr>),
    /// A function of which its arguments say all.
    Call(Function, Vec<Expr>),
    /// `override(n)`: makes the probed function return (`--unsafe`).
    Override(Box<Expr>),
    /// `{ …; value }`
    Block(Vec<Stmt>, Box<Expr>),
    /// A call for its effect that has no value.
    Emit(Emit),
}

/// What [`ExprKind::Call`] calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// `strstr(text, part)`: where the part begins, or -1; int64.
    StrStr,
    /// `str_concat(a, b)`: a text that holds both.
    StrConcat,
    /// `memcmp(a, b, n)`: the difference of the first two bytes that differ among n; int32.
    Memcmp,
    /// `signal_thread(n)`: sends it to the current thread (`--unsafe`).
    SignalThread,
    /// `write_user(address, value, n)`: copies n bytes of the value to the process; bool (`--unsafe`).
    WriteUser,
    /// `debugf(format, …)`: one line of the kernel's trace pipe.
    Debug(Rc<[Piece]>),
    /// `socket_cookie(sock)`: the number of a socket, uint64.
    SocketCookie,
    /// `path(path)`: the whole path of a `struct path`, a text.
    Path,
}

/// `-`, `~`, `!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-`
    Neg,
    /// `~`
    BitNot,
    /// `!`
    Not,
}

/// Something that can be assigned.
#[derive(Clone, Debug)]
pub enum Lvalue {
    /// `$x`
    Local(LocalId),
    /// `@m`, `@m[key]`
    Map {
        /// The map.
        map: MapId,
        /// Its key.
        key: Option<Box<Expr>>,
    },
}

/// Builtins without arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Builtin {
    /// Process id (tgid) in the tracer's PID namespace, uint32; 0 for a process of another one.
    Pid,
    /// Thread id likewise, uint32.
    Tid,
    /// Process id in the first PID namespace, uint32.
    PidInit,
    /// Thread id in the first PID namespace, uint32.
    TidInit,
    /// User id, uint32 (or `Username`).
    Uid,
    /// Group id, uint32.
    Gid,
    /// Name of the current thread, `Str(16)`.
    Comm,
    /// CPU number, uint32.
    Cpu,
    /// Nanoseconds since boot, suspend included, uint64.
    NsecsBoot,
    /// Nanoseconds since boot, suspend not included.
    NsecsMonotonic,
    /// TAI.
    NsecsTai,
    /// TAI by the clock of boot and its distance at the start, for kernels that cannot be asked for TAI.
    NsecsSwTai,
    /// Nanoseconds since begin, uint64.
    Elapsed,
    /// cgroup id, uint64.
    Cgroup,
    /// `struct task_struct *`.
    Curtask,
    /// A random number, uint32.
    Rand,
    /// `func`: name of the traced function (`Ksym` or `Usym` of the instruction pointer at entry).
    Func,
    /// `probe`: the attach point's number, of type `ProbeName`. Lowered to a constant, or to the attach
    /// cookie where several attach points share the body. (Where a script uses `probe` as a text, the
    /// checker makes one body for each attach point and puts the text.)
    Probe,
    /// `cpid`: set by user space before anything is attached, uint32.
    Cpid,
    /// `ncpus`, a constant of the machine, uint64.
    Ncpus,
    /// `jiffies`, uint64.
    Jiffies,
    /// NUMA node, uint32.
    Numaid,
    /// Instruction pointer of the probe.
    Ip,
}

impl Program {
    /// The map of this number.
    pub fn map(&self, id: MapId) -> &Map {
        &self.maps[id.0 as usize]
    }

    /// All attach points in the order of their numbers.
    pub fn attach_points(&self) -> impl Iterator<Item = &AttachPoint> {
        self.probes.iter().flat_map(|p| &p.attach)
    }
}
