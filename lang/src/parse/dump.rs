//! The syntax tree as text, as `-d ast` shows it: one node a line, indented by depth.

use crate::ast::{
    Block, CDef, CDefKind, CField, CStruct, Expr, ExprKind, Macro, MacroParam, Probe, Script, Stmt, StmtKind,
    TypeExpr, TypeExprKind, TypeOrExpr, UnOp,
};
use std::fmt::{self, Display, Formatter, Write as _};

/// Writes lines at a depth.
#[derive(Default)]
struct Tree {
    out: String,
    depth: usize,
}

impl Tree {
    fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.out, "{:1$}{text}", "", self.depth * 2);
    }

    /// A line with what stands under it.
    fn node(&mut self, text: impl Display, children: impl FnOnce(&mut Tree)) {
        self.line(text);
        self.depth += 1;
        children(self);
        self.depth -= 1;
    }

    fn exprs<'a>(&mut self, list: impl IntoIterator<Item = &'a Expr>) {
        for e in list {
            self.expr(e);
        }
    }

    fn under<'a>(&mut self, text: impl Display, list: impl IntoIterator<Item = &'a Expr>) {
        self.node(text, |t| t.exprs(list));
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let mut t = Tree::default();
        for d in &self.c_defs {
            t.c_def(d);
        }
        for c in &self.config {
            t.line(format_args!("config {} = {}", c.name.text, c.value));
        }
        for (path, _) in &self.imports {
            t.line(format_args!("import {path:?}"));
        }
        for m in &self.map_decls {
            t.line(format_args!("map @{} = {}({})", m.name.text, m.kind.text, m.entries));
        }
        for m in &self.macros {
            t.macro_(m);
        }
        for p in &self.probes {
            t.probe(p);
        }
        f.write_str(&t.out)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let mut t = Tree::default();
        t.expr(self);
        f.write_str(&t.out)
    }
}

impl Display for TypeExpr {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match &self.kind {
            TypeExprKind::Named(name) => f.write_str(name),
            TypeExprKind::Struct(name) => write!(f, "struct {name}"),
            TypeExprKind::Union(name) => write!(f, "union {name}"),
            TypeExprKind::Enum(name) => write!(f, "enum {name}"),
            TypeExprKind::Ptr(to) => write!(f, "{to} *"),
            TypeExprKind::Array(of, None) => write!(f, "{of}[]"),
            TypeExprKind::Array(of, Some(n)) => write!(f, "{of}[{}]", one_line(n)),
            TypeExprKind::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
                write!(f, "({})", parts.join(", "))
            }
            TypeExprKind::Typeof(of) => match &**of {
                TypeOrExpr::Type(ty) => write!(f, "typeof({ty})"),
                TypeOrExpr::Expr(e) => write!(f, "typeof({})", one_line(e)),
            },
        }
    }
}

/// An expression inside a type: its tree with the lines joined.
fn one_line(e: &Expr) -> String {
    e.to_string().split_whitespace().map(|w| w.trim_start_matches("int:")).collect::<Vec<_>>().join(" ")
}

impl Tree {
    fn c_def(&mut self, def: &CDef) {
        match &def.kind {
            CDefKind::Struct(s) => self.c_struct(s, ""),
            CDefKind::Enum { name, values } => self.node(format_args!("enum {name}"), |t| {
                for (name, value) in values {
                    t.under(&name.text, value);
                }
            }),
            CDefKind::Typedef { name, ty } => self.line(format_args!("typedef {} = {ty}", name.text)),
            CDefKind::Define { name, text, value } => {
                self.under(format_args!("define {} {text}", name.text), value);
            }
            CDefKind::Include { path } => self.line(format_args!("include {path}")),
        }
    }

    fn c_struct(&mut self, s: &CStruct, name: &str) {
        let kind = if s.is_union { "union" } else { "struct" };
        let packed = if s.packed { " packed" } else { "" };
        self.node(format!("{kind} {}{packed} {name}", s.name).trim_end().replace("  ", " "), |t| {
            for field in &s.fields {
                t.c_field(field);
            }
        });
    }

    fn c_field(&mut self, field: &CField) {
        let bits = field.bits.map_or(String::new(), |b| format!(" : {b}"));
        match &field.inline {
            Some(s) => self.c_struct(s, &field.name),
            None => self.line(format_args!("{}: {}{bits}", field.name, field.ty)),
        }
    }

    fn macro_(&mut self, m: &Macro) {
        let params: Vec<_> = m
            .params
            .iter()
            .map(|p| match p {
                MacroParam::Var(n) => format!("${}", n.text),
                MacroParam::Map(n) => format!("@{}", n.text),
                MacroParam::Expr(n) => n.text.to_string(),
            })
            .collect();
        self.node(format_args!("macro {}({})", m.name.text, params.join(", ")), |t| t.block(&m.body));
    }

    fn probe(&mut self, p: &Probe) {
        self.node("probe", |t| {
            for a in &p.attach {
                match &a.label {
                    Some(label) => t.line(format_args!("{}={}", label.text, a.text)),
                    None => t.line(&a.text),
                }
            }
            if let Some(e) = &p.predicate {
                t.under("predicate", [e]);
            }
            t.node("body", |t| t.block(&p.body));
        });
    }

    fn block(&mut self, b: &Block) {
        for s in &b.stmts {
            self.stmt(s);
        }
        if let Some(value) = &b.value {
            self.under("value", [&**value]);
        }
    }

    fn stmt(&mut self, s: &Stmt) {
        match &s.kind {
            StmtKind::Expr(e) => self.expr(e),
            StmtKind::Discard(e) => self.under("discard", [e]),
            StmtKind::Let { name, ty, value } => match ty {
                Some(ty) => self.under(format_args!("let ${}: {ty}", name.text), value),
                None => self.under(format_args!("let ${}", name.text), value),
            },
            StmtKind::Assign { target, op, value } => {
                self.under(format_args!("{}=", op.map_or("", |o| o.text())), [target, value]);
            }
            StmtKind::If { cond, then, otherwise } => {
                self.under("if", [cond]);
                self.node("then", |t| t.block(then));
                if let Some(b) = otherwise {
                    self.node("else", |t| t.block(b));
                }
            }
            StmtKind::While { cond, body } => self.with_body("while", [cond], body),
            StmtKind::Unroll { count, body } => self.with_body("unroll", [count], body),
            StmtKind::ForRange { var, start, end, body } => {
                self.with_body(format_args!("for ${}", var.text), [start, end], body);
            }
            StmtKind::ForMap { var, map, body } => {
                self.node(format_args!("for ${} : @{}", var.text, map.text), |t| t.block(body));
            }
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Return(value) => self.under("return", value),
            StmtKind::Block(b) => self.node("block", |t| t.block(b)),
        }
    }

    fn with_body<'a>(&mut self, text: impl Display, head: impl IntoIterator<Item = &'a Expr>, body: &Block) {
        self.node(text, |t| {
            t.exprs(head);
            t.node("body", |t| t.block(body));
        });
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Int(v) => self.line(format_args!("int:{v}")),
            ExprKind::Bool(v) => self.line(v),
            ExprKind::Str(bytes) => self.line(format_args!("\"{}\"", bytes.escape_ascii())),
            ExprKind::Ident(name) => self.line(name),
            ExprKind::Positional(n) => self.line(format_args!("${n}")),
            ExprKind::PositionalCount => self.line("$#"),
            ExprKind::Var(name) => self.line(format_args!("${name}")),
            ExprKind::Map(name) => self.line(format_args!("@{name}")),
            ExprKind::MapIndex { map, key } => self.under(format_args!("@{map}[]"), [&**key]),
            ExprKind::Unary(op, x) => self.under(unary_text(*op), [&**x]),
            ExprKind::IncDec { inc, prefix, place } => {
                let op = if *inc { "++" } else { "--" };
                let text = if *prefix { format!("{op}_") } else { format!("_{op}") };
                self.under(text, [&**place]);
            }
            ExprKind::Binary(op, a, b) => self.under(op.text(), [&**a, &**b]),
            ExprKind::Ternary(c, a, b) => self.under("?:", [&**c, &**a, &**b]),
            ExprKind::Call { name, args } => self.under(format_args!("{}()", name.text), args),
            ExprKind::Sizeof(of) => self.type_or_expr("sizeof", of),
            ExprKind::Typeinfo(of) => self.type_or_expr("typeinfo", of),
            ExprKind::Offsetof(of, fields) => {
                let path: Vec<_> = fields.iter().map(|f| &*f.text).collect();
                self.type_or_expr(&format!("offsetof .{}", path.join(".")), of);
            }
            ExprKind::TypeArg(ty) => self.line(format_args!("type {ty}")),
            ExprKind::Cast(ty, x) => self.under(format_args!("({ty})"), [&**x]),
            ExprKind::Tuple(items) => self.node("tuple", |t| {
                for (name, item) in items {
                    match name {
                        Some(name) => t.under(format_args!("{} =", name.text), [item]),
                        None => t.expr(item),
                    }
                }
            }),
            ExprKind::Field { base, name, arrow } => {
                let dot = if *arrow { "->" } else { "." };
                self.under(format_args!("{dot}{}", name.text), [&**base]);
            }
            ExprKind::TupleIndex(base, n) => self.under(format_args!(".{n}"), [&**base]),
            ExprKind::Index(base, index) => self.under("[]", [&**base, &**index]),
            ExprKind::Block(b) => self.node("block", |t| t.block(b)),
        }
    }

    fn type_or_expr(&mut self, text: &str, of: &TypeOrExpr) {
        match of {
            TypeOrExpr::Type(ty) => self.node(text, |t| t.line(format_args!("type {ty}"))),
            TypeOrExpr::Expr(e) => self.under(text, [e]),
        }
    }
}

fn unary_text(op: UnOp) -> &'static str {
    match op {
        UnOp::Neg => "-",
        UnOp::BitNot => "~",
        UnOp::Not => "!",
        UnOp::Deref => "*",
        UnOp::AddrOf => "&",
    }
}
