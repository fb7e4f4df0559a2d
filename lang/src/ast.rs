//! The syntax tree: what the text says, before anything is known of types or of the kernel.

use crate::Span;
use std::rc::Rc;

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The text, without `$` or `@`.
    pub text: Rc<str>,
    /// Its place, sigil included.
    pub span: Span,
}

/// A whole script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// `struct`, `union`, `enum`, `typedef`, `#define`, `#include` in order.
    pub c_defs: Vec<CDef>,
    /// Entries of `config = { … }` blocks.
    pub config: Vec<ConfigEntry>,
    /// `import "…";`
    pub imports: Vec<(Rc<str>, Span)>,
    /// `let @a = hash(100);`
    pub map_decls: Vec<MapDecl>,
    /// `macro name(args) { … }`
    pub macros: Vec<Macro>,
    /// The action blocks.
    pub probes: Vec<Probe>,
}

/// One C declaration or preprocessor line.
#[derive(Clone, Debug)]
pub struct CDef {
    /// What it declares.
    pub kind: CDefKind,
    /// Its place.
    pub span: Span,
}

/// Kinds of [`CDef`].
#[derive(Clone, Debug)]
pub enum CDefKind {
    /// `struct NAME { … };` or `union`.
    Struct(CStruct),
    /// `enum NAME { A, B = 3 };`
    Enum {
        /// Name; empty for an anonymous enum.
        name: Rc<str>,
        /// Constants; the value expression is a constant expression.
        values: Vec<(Name, Option<Expr>)>,
    },
    /// `typedef TYPE NAME;`
    Typedef {
        /// The new name.
        name: Name,
        /// What it stands for.
        ty: TypeExpr,
    },
    /// `#define NAME BODY`; the body is parsed as an expression where it is one.
    Define {
        /// The macro's name.
        name: Name,
        /// The text after the name.
        text: Rc<str>,
        /// The text as an expression, if it is one.
        value: Option<Expr>,
    },
    /// `#include <FILE>` or `"FILE"`: kernel types come from BTF and constants from the library's
    /// table, so this only names where the author expected them.
    Include {
        /// The path between the brackets.
        path: Rc<str>,
    },
}

/// A struct or union in C syntax.
#[derive(Clone, Debug)]
pub struct CStruct {
    /// `union` rather than `struct`.
    pub is_union: bool,
    /// Name; empty for an anonymous one.
    pub name: Rc<str>,
    /// Members in order.
    pub fields: Vec<CField>,
    /// `__attribute__((packed))`
    pub packed: bool,
}

/// A member in C syntax.
#[derive(Clone, Debug)]
pub struct CField {
    /// Name; empty for an anonymous struct or union.
    pub name: Rc<str>,
    /// Type.
    pub ty: TypeExpr,
    /// A struct or union that is defined in place; `ty` then is `TypeExpr::Struct` with its name.
    pub inline: Option<Box<CStruct>>,
    /// Width of a bit field.
    pub bits: Option<u8>,
    /// Place.
    pub span: Span,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeExprKind,
    /// Place.
    pub span: Span,
}

/// Kinds of [`TypeExpr`].
#[derive(Clone, Debug, PartialEq)]
pub enum TypeExprKind {
    /// `uint64`, `bool`, `string`, `u32`, `unsigned int`, `char`, a typedef's name, `ksym_t` …
    /// Words of C types are joined by one space.
    Named(Rc<str>),
    /// `struct NAME`
    Struct(Rc<str>),
    /// `union NAME`
    Union(Rc<str>),
    /// `enum NAME`
    Enum(Rc<str>),
    /// `T *`
    Ptr(Box<TypeExpr>),
    /// `T[N]`; `None`: `T[]`, the size of what is cast. For `string[N]`, `buffer[N]` too.
    Array(Box<TypeExpr>, Option<Box<Expr>>),
    /// `(T, T)`
    Tuple(Vec<TypeExpr>),
    /// `typeof(EXPR)` or `typeof(TYPE)`
    Typeof(Box<TypeOrExpr>),
}

/// The argument of `sizeof`, `offsetof`, `typeof`.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeOrExpr {
    /// A type.
    Type(TypeExpr),
    /// An expression, whose type is meant.
    Expr(Expr),
}

/// `name = value` of a config block.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// As written.
    pub name: Name,
    /// The value's text.
    pub value: Rc<str>,
    /// Place of the value.
    pub span: Span,
}

/// `let @name = kind(entries);`
#[derive(Clone, Debug)]
pub struct MapDecl {
    /// The map.
    pub name: Name,
    /// `hash`, `lruhash`, `percpuhash`, `percpulruhash`.
    pub kind: Name,
    /// Most entries.
    pub entries: u64,
    /// Place.
    pub span: Span,
}

/// `macro name($a, b, @c) { … }`
#[derive(Clone, Debug)]
pub struct Macro {
    /// Name.
    pub name: Name,
    /// Parameters in order.
    pub params: Vec<MacroParam>,
    /// Body; its last expression, if any, is the value.
    pub body: Block,
    /// Place.
    pub span: Span,
    /// From the library: a script's own macro of the same name and parameters wins.
    pub from_stdlib: bool,
}

/// One parameter of a macro.
#[derive(Clone, Debug, PartialEq)]
pub enum MacroParam {
    /// `$x`: a scratch variable of the caller.
    Var(Name),
    /// `@x`: a map of the caller.
    Map(Name),
    /// `x`: an expression.
    Expr(Name),
}

/// One action block.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it attaches to.
    pub attach: Vec<AttachSpec>,
    /// Between slashes.
    pub predicate: Option<Expr>,
    /// Between braces.
    pub body: Block,
    /// The whole block.
    pub span: Span,
}

/// One attach point as written: `kprobe:vfs_*`.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachSpec {
    /// The optional `name=` before it.
    pub label: Option<Name>,
    /// The text, without blanks around it and with positional parameters not yet replaced.
    pub text: Rc<str>,
    /// Place.
    pub span: Span,
}

/// Statements between braces, and the value of the last one where it has no semicolon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// The statements.
    pub stmts: Vec<Stmt>,
    /// A last expression without semicolon: the block's value where one is wanted.
    pub value: Option<Box<Expr>>,
    /// Place, braces included.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Place.
    pub span: Span,
}

/// Kinds of [`Stmt`].
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// An expression for its effect.
    Expr(Expr),
    /// `_ = EXPR;`
    Discard(Expr),
    /// `let $x;`, `let $x: T;`, `let $x: T = EXPR;`
    Let {
        /// The variable.
        name: Name,
        /// Its type where given.
        ty: Option<TypeExpr>,
        /// Its first value where given.
        value: Option<Expr>,
    },
    /// `PLACE = EXPR` and `PLACE op= EXPR` (a variable, a map, a map entry).
    Assign {
        /// A `Var`, `Map` or `MapIndex` expression.
        target: Expr,
        /// `None` for `=`.
        op: Option<BinOp>,
        /// The value.
        value: Expr,
    },
    /// `if`
    If {
        /// Condition.
        cond: Expr,
        /// Then.
        then: Block,
        /// Else; `else if` is a block of one `If`.
        otherwise: Option<Block>,
    },
    /// `while (c) { … }`
    While {
        /// Condition.
        cond: Expr,
        /// Body.
        body: Block,
    },
    /// `for ($i : a..b) { … }`
    ForRange {
        /// The variable.
        var: Name,
        /// First value.
        start: Expr,
        /// One past the last.
        end: Expr,
        /// Body.
        body: Block,
    },
    /// `for ($kv : @map) { … }`
    ForMap {
        /// The variable, a tuple of key and value.
        var: Name,
        /// The map.
        map: Name,
        /// Body.
        body: Block,
    },
    /// `unroll (n) { … }`
    Unroll {
        /// How often.
        count: Expr,
        /// Body.
        body: Block,
    },
    /// `break;`
    Break,
    /// `continue;`
    Continue,
    /// `return;`, `return EXPR;`
    Return(Option<Expr>),
    /// A bare block.
    Block(Block),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Place.
    pub span: Span,
}

/// Kinds of [`Expr`].
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// An integer literal; negative ones are `Unary(Neg)` of it. `unsigned`: with suffix `u`/`ul`/`ull`
    /// is an error in the language, so this is only the magnitude.
    Int(u64),
    /// `true`, `false`.
    Bool(bool),
    /// A string literal, escapes resolved. Bytes, as `\xff` need not be UTF-8.
    Str(Rc<[u8]>),
    /// A bare word: builtin, constant, enum constant, macro without arguments.
    Ident(Rc<str>),
    /// `$1`
    Positional(u32),
    /// `$#`
    PositionalCount,
    /// `$x`
    Var(Rc<str>),
    /// `@x` without key.
    Map(Rc<str>),
    /// `@x[key]`; several keys are one `Tuple`.
    MapIndex {
        /// The map's name without `@`; empty for the anonymous map.
        map: Rc<str>,
        /// The key.
        key: Box<Expr>,
    },
    /// Prefix operator.
    Unary(UnOp, Box<Expr>),
    /// `++`, `--`.
    IncDec {
        /// `++`?
        inc: bool,
        /// Before the operand?
        prefix: bool,
        /// A `Var`, `Map` or `MapIndex`.
        place: Box<Expr>,
    },
    /// Infix operator, `&&` and `||` among them.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `c ? a : b`
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `name(args)`
    Call {
        /// The function's name.
        name: Name,
        /// Arguments.
        args: Vec<Expr>,
    },
    /// `sizeof(…)`
    Sizeof(Box<TypeOrExpr>),
    /// `typeinfo(of)`
    Typeinfo(Box<TypeOrExpr>),
    /// `offsetof(struct x, a.b)`
    Offsetof(Box<TypeOrExpr>, Vec<Name>),
    /// A type where only a macro argument may stand: `typeof(uint8)`.
    TypeArg(TypeExpr),
    /// `(T)x`
    Cast(TypeExpr, Box<Expr>),
    /// `(a, b)`, `(a,)`; with names a record: `(x=1, y=2)`.
    Tuple(Vec<(Option<Name>, Expr)>),
    /// `x.name`, `x->name`
    Field {
        /// Left of the dot.
        base: Box<Expr>,
        /// The member.
        name: Name,
        /// `->`?
        arrow: bool,
    },
    /// `x.0`
    TupleIndex(Box<Expr>, u32),
    /// `x[i]` of an array, pointer or tuple (maps are `MapIndex`).
    Index(Box<Expr>, Box<Expr>),
    /// `{ …; value }`
    Block(Block),
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnOp {
    /// `-`
    Neg,
    /// `~`
    BitNot,
    /// `!`
    Not,
    /// `*`
    Deref,
    /// `&` (variables, maps)
    AddrOf,
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the operators' own")]
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
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    LogAnd,
    LogOr,
}

impl BinOp {
    /// The operator's text.
    pub fn text(self) -> &'static str {
        match self {
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::Div => "/",
            BinOp::Rem => "%",
            BinOp::And => "&",
            BinOp::Or => "|",
            BinOp::Xor => "^",
            BinOp::Shl => "<<",
            BinOp::Shr => ">>",
            BinOp::Eq => "==",
            BinOp::Ne => "!=",
            BinOp::Lt => "<",
            BinOp::Le => "<=",
            BinOp::Gt => ">",
            BinOp::Ge => ">=",
            BinOp::LogAnd => "&&",
            BinOp::LogOr => "||",
        }
    }

    /// `==`, `<` and their kin, whose value is a bool.
    pub fn is_comparison(self) -> bool {
        matches!(self, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge)
    }
}
