//! What a compiler must know of the traced system.
//!
//! **Invariant**: this trait is the language's only window to a kernel. The runtime answers for the
//! live machine, tests answer from fixtures, `rbtrace check --btf FILE` answers for another kernel.

use crate::context::Argument;
use crate::target::{StaticPlace, SystemCall, Target};
use crate::types::{EnumType, Field, StructKind, StructType, Type};
use std::fmt;
use std::rc::Rc;

/// What keeps a question from having an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What the question is about does not exist.
    Missing,
    /// The system cannot tell, or refuses.
    Other,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemError {
    /// In one word, for who must distinguish.
    pub cause: Cause,
    /// One sentence: what was looked for and what the system said.
    pub message: String,
    /// What to do about it, or near matches.
    pub hint: Option<String>,
}

/// Result of a question.
pub type Answer<T> = Result<T, SystemError>;

impl SystemError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        SystemError { cause: Cause::Other, message: message.into(), hint: None }
    }

    /// What was asked for does not exist; `hint` has near matches.
    pub fn missing(message: impl Into<String>, hint: Option<String>) -> Self {
        SystemError { cause: Cause::Missing, message: message.into(), hint }
    }

    /// An error that says what to do.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        SystemError { hint: Some(hint.into()), ..SystemError::new(message) }
    }
}

/// A function's parameters and its result, from BTF or DWARF.
#[derive(Clone, Debug, PartialEq)]
pub struct FuncProto {
    /// Parameters in order; names may be empty.
    pub params: Vec<(Rc<str>, Type)>,
    /// Result.
    pub ret: Type,
    /// How the kernel names the function to programs that are bound to it, where it can.
    pub function: Option<BtfFunction>,
}

/// A function by its type in the kernel's BTF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BtfFunction {
    /// Whose BTF: a module's, or `vmlinux`.
    pub module: Rc<str>,
    /// Number of the type.
    pub id: u32,
}

/// A type of arguments, by which functions are sought: `struct sk_buff *`. Qualifiers are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentType {
    /// What stands before the name.
    pub keyword: Keyword,
    /// The name, of integers with all its words.
    pub name: Rc<str>,
    /// How many `*` follow.
    pub pointers: u32,
}

/// The keyword of a type's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// `struct`
    Struct,
    /// `union`
    Union,
    /// `enum`
    Enum,
    /// None: a typedef, an integer, `void`.
    None,
}

impl fmt::Display for ArgumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyword = match self.keyword {
            Keyword::Struct => "struct ",
            Keyword::Union => "union ",
            Keyword::Enum => "enum ",
            Keyword::None => "",
        };
        write!(f, "{keyword}{}", self.name)?;
        (0..self.pointers).try_for_each(|n| f.write_str(if n == 0 { " *" } else { "*" }))
    }
}

/// A kernel function that takes an argument of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Function.
    pub func: Rc<str>,
    /// How the kernel names it to programs that are bound to it.
    pub function: BtfFunction,
    /// How many words of arguments come before the first one of that type: always fewer than are passed in registers.
    pub word: u8,
}

/// Fields of a tracepoint record, from its `format` file. Fields that begin with `common_` are
/// included, first.
#[derive(Clone, Debug, PartialEq)]
pub struct TracepointFormat {
    /// The event's number.
    pub id: u32,
    /// The fields.
    pub fields: Rc<[Field]>,
    /// For `syscalls:sys_enter_*` and `sys_exit_*`: the call.
    pub syscall: Option<SystemCall>,
}

/// A pattern of names: `*` any run, `?` any one character, `[a-z]` one of these.
pub type Pattern<'a> = &'a str;

/// A type by its name as scripts write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeName<'a> {
    /// `struct NAME`; a class is one, too.
    Struct(&'a str),
    /// `union NAME`
    Union(&'a str),
    /// `enum NAME`
    Enum(&'a str),
    /// `NAME`: a typedef, a base type, or a type of a language that names its structs so.
    Plain(&'a str),
}

/// A line of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLine<'a> {
    /// The file's path, or whole components of its end.
    pub file: &'a str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; `None`: any.
    pub column: Option<u32>,
}

/// Which programs and libraries are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFiles<'a> {
    /// Those of a name: a path, a pattern of paths, the name of a library or program. With a process, as it sees them, and
    /// with `*` all that it has mapped.
    Named(&'a str, Option<i32>),
    /// All that any process has mapped.
    Mapped,
    /// The program of this path and the libraries that it is linked to.
    Program(&'a str),
}

/// A static probe of a program or library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticProbe {
    /// The file.
    pub path: Rc<str>,
    /// Who provides it.
    pub provider: Rc<str>,
    /// Its name.
    pub name: Rc<str>,
    /// Where it is; never empty.
    pub places: Vec<StaticPlace>,
}

/// The traced system. Methods are asked only for what a script needs.
pub trait System {
    /// Kernel functions that can be probed and match (`module` likewise, `None`: any). Returns
    /// `(module, function)`; `vmlinux` for the kernel itself. Without a wildcard the function need not
    /// be listed as traceable, it must exist.
    fn kernel_functions(&self, module: Option<Pattern>, func: Pattern) -> Answer<Vec<(Rc<str>, Rc<str>)>>;

    /// Address and size in bytes of a kernel function; size where it is known.
    fn kernel_function(&self, module: Option<&str>, func: &str) -> Answer<(u64, Option<u64>)>;

    /// Checks that `offset` begins an instruction of `func`; the error shows its neighbours.
    fn check_kprobe_offset(&self, module: Option<&str>, func: &str, offset: u64) -> Answer<()>;

    /// The places where line `line` (column `col`) of the file with path suffix `file` begins, inlined
    /// copies included; within `func` where it is given. Returns `(function, offset)`.
    fn source_line(
        &self,
        module: Option<&str>,
        func: Option<&str>,
        file: &str,
        line: u32,
        col: Option<u32>,
    ) -> Answer<Vec<(Rc<str>, u64)>>;

    /// Tracepoints `(category, event)` that match.
    fn tracepoints(&self, category: Pattern, event: Pattern) -> Answer<Vec<(Rc<str>, Rc<str>)>>;

    /// The record of a tracepoint.
    fn tracepoint_format(&self, category: &str, event: &str) -> Answer<TracepointFormat>;

    /// Raw tracepoints `(module, event)` that match.
    fn raw_tracepoints(&self, module: Option<Pattern>, event: Pattern) -> Answer<Vec<(Rc<str>, Rc<str>)>>;

    /// Parameters of a raw tracepoint, without the leading `void *__data`.
    fn raw_tracepoint_proto(&self, module: Option<&str>, event: &str) -> Answer<FuncProto>;

    /// Parameters and result of a kernel function.
    fn kernel_function_proto(&self, module: Option<&str>, func: &str) -> Answer<FuncProto>;

    /// The functions of [`System::kernel_functions`] that take an argument of this type in a register; without one, all whose
    /// types are known.
    fn kernel_functions_taking(
        &self,
        module: Option<Pattern>,
        func: Pattern,
        ty: Option<&ArgumentType>,
    ) -> Answer<Vec<Taker>>;

    /// May the programs of this kind of probe call a kernel function (a kfunc)?
    fn may_call(&self, _probe: &str, _func: &str) -> Answer<bool> {
        Ok(false)
    }

    /// Can one program be attached to many kernel functions at once?
    fn attaches_to_many(&self) -> bool {
        false
    }

    /// User-level functions that match: `binary` is a path, a pattern of paths, a library's name or,
    /// with `pid`, `*`. Fills in [`Target::Uprobe`] whole (path, symbol, file offset); `offset` is added.
    fn uprobes(
        &self,
        binary: &str,
        symbol: Pattern,
        offset: u64,
        ret: bool,
        pid: Option<i32>,
    ) -> Answer<Vec<Target>>;

    /// A user-level address of a binary, as a file offset: `(resolved path, file offset)`.
    fn uprobe_address(&self, binary: &str, address: u64, pid: Option<i32>) -> Answer<(Rc<str>, u64)>;

    /// The places where a source line of a program or library begins, inlined copies included; within `func` where it
    /// is given. Returns each place's offset in its function, and [`Target::Uprobe`] whole.
    fn user_source_line(
        &self,
        binary: &str,
        func: Option<&str>,
        line: SourceLine,
        pid: Option<i32>,
    ) -> Answer<Vec<(u64, Target)>>;

    /// The parameters of the function whose code lies at this offset of a file, and where they are there.
    fn user_arguments(&self, path: &str, offset: u64) -> Answer<Vec<Argument>>;

    /// A type of a program or library by name, as its debug information has it.
    fn user_type(&self, path: &str, name: TypeName) -> Answer<Type>;

    /// Static probes (USDT) that match, by file, provider and name.
    fn static_probes(&self, files: UserFiles, provider: Pattern, name: Pattern) -> Answer<Vec<StaticProbe>>;

    /// Address of the one symbol of this name in a file.
    fn static_symbol(&self, path: &str, name: &str) -> Answer<u64>;

    /// The struct or union of this name.
    fn struct_type(&self, kind: StructKind, name: &str) -> Answer<Rc<StructType>>;

    /// The enum of this name.
    fn enum_type(&self, name: &str) -> Answer<Rc<EnumType>>;

    /// What a typedef or a kernel's base type (`u32`, `size_t`, `pid_t`, `unsigned long`) stands for.
    fn named_type(&self, name: &str) -> Answer<Type>;

    /// An enum constant of the kernel: its value and its enum.
    fn enum_constant(&self, name: &str) -> Option<(i64, Rc<EnumType>)>;

    /// The members of a struct that this system made; sets `ty.fields`.
    fn complete(&self, ty: &StructType) -> Answer<Rc<[Field]>>;

    /// A type as it is once a script looks into it. A system may hand out types of which it knows only
    /// the name (a struct that a tracepoint's record points to), so that a name in passing costs
    /// nothing. Ask this before the type of a tracepoint's field is used.
    fn resolve(&self, ty: &Type) -> Type {
        ty.clone()
    }

    /// Address of a kernel symbol.
    fn kaddr(&self, name: &str) -> Answer<u64>;

    /// Address of a user symbol in a binary (`uaddr`): address and size of what it names.
    fn uaddr(&self, binary: &str, name: &str) -> Answer<(u64, u64)>;

    /// Offset of a register in `pt_regs` (`ip`, `sp`, `ax`, …) and its size in bytes.
    fn register(&self, name: &str) -> Option<(u32, u8)>;

    /// Names of registers, for the hint of an error.
    fn register_names(&self) -> Vec<&'static str>;

    /// A constant that the machine or its kernel's configuration decides: `PAGE_SIZE`, `HZ`.
    fn machine_constant(&self, _name: &str) -> Option<i64> {
        None
    }

    /// Number of possible CPUs.
    fn ncpus(&self) -> u32;

    /// Id of the control group (v2) at a path.
    fn cgroup_id(&self, path: &str) -> Answer<u64>;
}
