//! The generator's own typed programs: independent of the compiler's.

/// Index into [`Program::vars`].
pub type VarId = usize;
/// Index into [`Program::maps`].
pub type MapId = usize;
/// Index into [`Program::structs`].
pub type StructId = usize;

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    /// 8, 16, 32 or 64.
    pub bits: u32,
    /// Whether it has a sign.
    pub signed: bool,
}

/// `int64`.
pub const I64: Int = Int { bits: 64, signed: true };
/// `uint64`.
pub const U64: Int = Int { bits: 64, signed: false };

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    /// An integer.
    Int(Int),
    /// The result of a comparison.
    Bool,
    /// A string.
    Text,
    /// A tuple.
    Tuple(Vec<Ty>),
    /// A pointer to a struct.
    Pointer(StructId),
}

impl Ty {
    /// The integer type; `int64` for everything else.
    pub fn int(&self) -> Int {
        if let Ty::Int(i) = self { *i } else { I64 }
    }

    /// Whether it is an integer.
    pub fn is_int(&self) -> bool {
        matches!(self, Ty::Int(_))
    }
}

/// Binary operators on integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CmpOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Whose memory an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// The runner's buffer, whose address is the system call's second argument.
    Buffer,
    /// The task's name, in kernel memory.
    Name,
}

/// An expression with its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Its type.
    pub ty: Ty,
    /// What it is.
    pub kind: Kind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// An integer literal: one that is not negative adapts to the sign of the other operand.
    Lit(i128),
    /// `true` or `false`.
    Flag(bool),
    /// A string literal.
    Text(String),
    /// A variable.
    Var(VarId),
    /// A map's value.
    Map(MapId, Vec<Expr>),
    /// An argument of the system call, `args.argN`.
    Arg(usize),
    /// The runner's name.
    Comm,
    /// `-e`.
    Neg(Box<Expr>),
    /// `~e`.
    Flip(Box<Expr>),
    /// `!e`.
    Not(Box<Expr>),
    /// Arithmetic, 64 bits wide.
    Bin(BinOp, Box<Expr>, Box<Expr>),
    /// A comparison of integers.
    Cmp(CmpOp, Box<Expr>, Box<Expr>),
    /// `a && b`.
    All(Box<Expr>, Box<Expr>),
    /// `a || b`.
    Any(Box<Expr>, Box<Expr>),
    /// `c ? a : b`.
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A cast to the expression's type.
    Cast(Box<Expr>),
    /// `(a, b)`.
    Tuple(Vec<Expr>),
    /// `e.N`.
    Part(Box<Expr>, usize),
    /// `strcontains(a, b)`.
    Contains(Box<Expr>, Box<Expr>),
    /// `strncmp(a, b, n) == 0`.
    Prefix(Box<Expr>, Box<Expr>, usize),
    /// `a == b` (or `!=`) of strings.
    Same(Box<Expr>, Box<Expr>, bool),
    /// `strlen(a)`.
    Strlen(Box<Expr>),
    /// A struct pointer at an offset.
    Pointer(Base, Box<Expr>),
    /// A field by number, of a struct pointer; an element's index when the field is an array of integers.
    Field(Box<Expr>, usize, Option<usize>),
    /// `str(address, length)`.
    StrAt(Base, Box<Expr>, Option<Box<Expr>>),
    /// `has_key(@m, key)`.
    HasKey(MapId, Vec<Expr>),
    /// `len(@m)`.
    Len(MapId),
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// `$v = e;`, or `let $v: T = e;` when the variable's type is declared.
    Let(VarId, Expr),
    /// `$v = e;`, `$v += e;`
    Assign(VarId, Option<BinOp>, Expr),
    /// `$v++;` or `$v--;`
    Step(VarId, bool),
    /// `@m[k] = e;`, `@m[k] += e;`
    Store(MapId, Vec<Expr>, Option<BinOp>, Expr),
    /// `@m[k]++;` or `@m[k]--;`
    StepMap(MapId, Vec<Expr>, bool),
    /// `@m[k] = sum(e);`: the function is the map's.
    Gather(MapId, Vec<Expr>, Option<Expr>),
    /// `delete(@m, k);`
    Delete(MapId, Vec<Expr>),
    /// `printf`, the text before each argument with its conversion.
    Printf(Vec<(String, Conversion, Expr)>),
    /// `print(e);`
    Print(Expr),
    /// `if`.
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `for ($v : a..b)`.
    For(VarId, Expr, Expr, Vec<Stmt>),
    /// `$v = 0; while ($v < n) { $v++; … }`
    While(VarId, Expr, Vec<Stmt>),
    /// `unroll(n)`.
    Unroll(usize, Vec<Stmt>),
    /// `for ($kv : @m)`.
    ForMap(VarId, MapId, Vec<Stmt>),
    /// `break;`
    Break,
    /// `continue;`
    Continue,
    /// `return;`
    Return,
}

/// A conversion of `printf`: letters behind the `%`, with what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// `d`, `u`, `x` or `s`.
    pub letter: char,
    /// Bits that are printed, for integers.
    pub bits: u32,
    /// The least width; to the left when negative.
    pub width: i32,
    /// Filled with zeros.
    pub zeros: bool,
}

/// A variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Var {
    /// Its type.
    pub ty: Ty,
    /// Whether its first assignment declares it, so that it wraps.
    pub declared: bool,
}

/// What a map holds.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Holds {
    Value(Ty),
    Count,
    Sum(Int),
    Min(Int),
    Max(Int),
    Avg,
    Stats,
    Hist(u32),
    Lhist(i64, i64, i64),
}

/// A map.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The types of its keys; empty for a map without.
    pub key: Vec<Ty>,
    /// What it holds.
    pub holds: Holds,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// An integer, or text.
    pub ty: Ty,
    /// The number of elements of an array; the capacity of text.
    pub array: Option<usize>,
    /// Where it begins.
    pub offset: usize,
    /// First bit and width, of a bit field.
    pub bits: Option<(u32, u32)>,
}

/// A struct: defined by the script, or by the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Its size.
    pub size: usize,
    /// The kernel's own: the script does not define it.
    pub known: bool,
}

/// A whole program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Its variables, `$v0`…
    pub vars: Vec<Var>,
    /// Its maps, `@m0`…
    pub maps: Vec<Map>,
    /// Its structs.
    pub structs: Vec<Struct>,
    /// What the first probe does: fills the maps whose content the compiler must not know.
    pub setup: Vec<Stmt>,
    /// The body: of a second BEGIN, or of the system call's tracepoint when there are calls.
    pub body: Vec<Stmt>,
    /// The third to fifth arguments of each system call that the runner makes.
    pub calls: Vec<[u64; 3]>,
}

impl Expr {
    /// A literal; not negative.
    pub fn lit(n: i128) -> Expr {
        Expr { ty: Ty::Int(if n > i128::from(i64::MAX) { U64 } else { I64 }), kind: Kind::Lit(n) }
    }

    /// Arithmetic: the result is unsigned when both sides are, and never of a difference.
    pub fn bin(op: BinOp, a: Expr, b: Expr) -> Expr {
        let signed = op == BinOp::Sub || !both_unsigned(&a, &b);
        Expr { ty: Ty::Int(Int { bits: 64, signed }), kind: Kind::Bin(op, a.into(), b.into()) }
    }

    /// A comparison.
    pub fn cmp(op: CmpOp, a: Expr, b: Expr) -> Expr {
        Expr { ty: Ty::Bool, kind: Kind::Cmp(op, a.into(), b.into()) }
    }

    /// The expression as a value of this integer type.
    pub fn to(self, to: Int) -> Expr {
        if self.ty == Ty::Int(to) && !matches!(self.kind, Kind::Lit(_)) {
            return self;
        }
        Expr { ty: Ty::Int(to), kind: Kind::Cast(self.into()) }
    }

    fn adapts(&self) -> bool {
        matches!(self.kind, Kind::Lit(0..=0x7fff_ffff_ffff_ffff))
    }
}

/// Whether an operation of both is unsigned: literals adapt.
pub fn both_unsigned(a: &Expr, b: &Expr) -> bool {
    let unsigned = |e: &Expr| !e.ty.int().signed;
    match (a.adapts(), b.adapts()) {
        (true, false) => unsigned(b),
        (false, true) => unsigned(a),
        _ => unsigned(a) && unsigned(b),
    }
}
