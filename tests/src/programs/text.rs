//! Programs as text in the language.

use super::ast::*;
use std::fmt::Write as _;

/// The whole script. `$1` is the process whose system calls count.
pub fn program(p: &Program) -> String {
    let mut out = String::new();
    for s in p.structs.iter().filter(|s| !s.known) {
        structure(&mut out, s);
    }
    let w = Writer { p };
    if !p.setup.is_empty() {
        out.push_str("BEGIN {\n");
        w.block(&mut out, &p.setup, 1);
        out.push_str("}\n");
    }
    if p.calls.is_empty() {
        out.push_str("BEGIN {\n");
        w.block(&mut out, &p.body, 1);
        out.push_str("}\nBEGIN { exit(); }\n");
    } else {
        out.push_str("tracepoint:syscalls:sys_enter_prctl /pid == $1 && args.option == 12345/ {\n");
        w.block(&mut out, &p.body, 1);
        out.push_str("}\n");
    }
    out
}

fn structure(out: &mut String, s: &Struct) {
    let _ = write!(out, "struct {} {{", s.name);
    for f in &s.fields {
        let ty = if f.ty == Ty::Text { "char".to_owned() } else { format!("{}_t", int(f.ty.int())) };
        let array = f.array.map(|n| format!("[{n}]")).unwrap_or_default();
        let _ = write!(out, " {ty} {}{array};", f.name);
    }
    out.push_str(" }\n");
}

fn int(i: Int) -> String {
    format!("{}int{}", if i.signed { "" } else { "u" }, i.bits)
}

struct Writer<'a> {
    p: &'a Program,
}

impl Writer<'_> {
    fn block(&self, out: &mut String, stmts: &[Stmt], depth: usize) {
        for s in stmts {
            self.stmt(out, s, depth);
        }
    }

    fn stmt(&self, out: &mut String, s: &Stmt, depth: usize) {
        let pad = "  ".repeat(depth);
        out.push_str(&pad);
        let body = |out: &mut String, head: String, stmts: &[Stmt]| {
            out.push_str(&head);
            out.push_str(" {\n");
            self.block(out, stmts, depth + 1);
            out.push_str(&pad);
            out.push('}');
        };
        match s {
            Stmt::If(c, yes, no) => {
                body(out, format!("if ({})", self.expr(c)), yes);
                if !no.is_empty() {
                    body(out, " else".into(), no);
                }
            }
            Stmt::For(v, a, b, stmts) => {
                body(out, format!("for ({} : {}..{})", var(*v), self.operand(a), self.operand(b)), stmts);
            }
            Stmt::While(v, n, stmts) => {
                let (v, n) = (var(*v), self.operand(n));
                body(out, format!("{v} = (int64)0;\n{pad}while ({v} < {n})"), &[]);
                out.truncate(out.len() - pad.len() - 1);
                let _ = writeln!(out, "{pad}  {v}++;");
                self.block(out, stmts, depth + 1);
                let _ = write!(out, "{pad}}}");
            }
            Stmt::Unroll(n, stmts) => body(out, format!("unroll({n})"), stmts),
            Stmt::ForMap(v, m, stmts) => body(out, format!("for ({} : @m{m})", var(*v)), stmts),
            _ => {
                let _ = write!(out, "{};", self.simple(s));
            }
        }
        out.push('\n');
    }

    fn simple(&self, s: &Stmt) -> String {
        let step = |up: &bool| if *up { "++" } else { "--" };
        match s {
            Stmt::Let(v, e) => {
                let declared = self.p.vars.get(*v).filter(|v| v.declared).map(|v| &v.ty);
                match declared {
                    Some(Ty::Int(i)) => format!("let {}: {} = {}", var(*v), int(*i), self.expr(e)),
                    _ => format!("{} = {}", var(*v), self.expr(e)),
                }
            }
            Stmt::Assign(v, op, e) => format!("{} {}= {}", var(*v), opt(*op), self.expr(e)),
            Stmt::Step(v, up) => format!("{}{}", var(*v), step(up)),
            Stmt::Store(m, k, op, e) => format!("{} {}= {}", self.place(*m, k), opt(*op), self.expr(e)),
            Stmt::StepMap(m, k, up) => format!("{}{}", self.place(*m, k), step(up)),
            Stmt::Gather(m, k, e) => format!("{} = {}", self.place(*m, k), self.gather(*m, e.as_ref())),
            Stmt::Delete(m, k) => format!("delete(@m{m}, {})", self.key(k)),
            Stmt::Print(e) => format!("print({})", self.expr(e)),
            Stmt::Printf(parts) => self.printf(parts),
            Stmt::Break => "break".into(),
            Stmt::Continue => "continue".into(),
            Stmt::Return => "return".into(),
            Stmt::If(..) | Stmt::For(..) | Stmt::While(..) | Stmt::Unroll(..) | Stmt::ForMap(..) => {
                String::new()
            }
        }
    }

    fn gather(&self, m: MapId, e: Option<&Expr>) -> String {
        let e = e.map(|e| self.expr(e)).unwrap_or_default();
        match self.p.maps.get(m).map(|m| &m.holds) {
            Some(Holds::Sum(_)) => format!("sum({e})"),
            Some(Holds::Min(_)) => format!("min({e})"),
            Some(Holds::Max(_)) => format!("max({e})"),
            Some(Holds::Avg) => format!("avg({e})"),
            Some(Holds::Stats) => format!("stats({e})"),
            Some(Holds::Hist(0)) => format!("hist({e})"),
            Some(Holds::Hist(k)) => format!("hist({e}, {k})"),
            Some(Holds::Lhist(a, b, c)) => format!("lhist({e}, {a}, {b}, {c})"),
            _ => "count()".into(),
        }
    }

    fn printf(&self, parts: &[(String, Conversion, Expr)]) -> String {
        let format: String = parts.iter().map(|(text, c, _)| format!("{text}{}", conversion(*c))).collect();
        let args: String = parts.iter().map(|(_, _, e)| format!(", {}", self.expr(e))).collect();
        format!("printf(\"{format}\\n\"{args})")
    }

    fn place(&self, m: MapId, key: &[Expr]) -> String {
        if key.is_empty() { format!("@m{m}") } else { format!("@m{m}[{}]", self.list(key)) }
    }

    /// A key as a function's argument: several parts are a tuple.
    fn key(&self, key: &[Expr]) -> String {
        if key.len() == 1 { self.list(key) } else { format!("({})", self.list(key)) }
    }

    fn list(&self, of: &[Expr]) -> String {
        of.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }

    /// An expression that can stand on one side of an operator.
    fn operand(&self, e: &Expr) -> String {
        let text = self.expr(e);
        match e.kind {
            Kind::Lit(n) if n < 0 => format!("({text})"),
            Kind::Bin(..) | Kind::Cmp(..) | Kind::All(..) | Kind::Any(..) | Kind::Cond(..) => {
                format!("({text})")
            }
            Kind::Prefix(..) | Kind::Same(..) | Kind::Neg(_) => format!("({text})"),
            _ => text,
        }
    }

    fn expr(&self, e: &Expr) -> String {
        let op = |e: &Expr| self.operand(e);
        match &e.kind {
            Kind::Lit(n) => n.to_string(),
            Kind::Flag(b) => b.to_string(),
            Kind::Text(s) => format!("\"{s}\""),
            Kind::Var(v) => var(*v),
            Kind::Map(m, k) => self.place(*m, k),
            Kind::Arg(n) => format!("args.arg{n}"),
            Kind::Comm => "comm".into(),
            Kind::Neg(a) => format!("-{}", op(a)),
            Kind::Flip(a) => format!("~{}", op(a)),
            Kind::Not(a) => format!("!{}", op(a)),
            Kind::Bin(o, a, b) => format!("{} {} {}", op(a), sign(*o), op(b)),
            Kind::Cmp(o, a, b) => format!("{} {} {}", op(a), comparison(*o), op(b)),
            Kind::All(a, b) => format!("{} && {}", op(a), op(b)),
            Kind::Any(a, b) => format!("{} || {}", op(a), op(b)),
            Kind::Cond(c, a, b) => format!("{} ? {} : {}", op(c), op(a), op(b)),
            Kind::Cast(a) => format!("({}){}", int(e.ty.int()), op(a)),
            Kind::Tuple(of) => format!("({})", self.list(of)),
            Kind::Part(a, n) => format!("{}.{n}", op(a)),
            Kind::Contains(a, b) => format!("strcontains({}, {})", self.expr(a), self.expr(b)),
            Kind::Prefix(a, b, n) => format!("strncmp({}, {}, {n}) == 0", self.expr(a), self.expr(b)),
            Kind::Same(a, b, equal) => format!("{} {} {}", op(a), if *equal { "==" } else { "!=" }, op(b)),
            Kind::Strlen(a) => format!("strlen({})", self.expr(a)),
            Kind::Pointer(base, at) => self.pointer(&e.ty, *base, at),
            Kind::Field(a, n, index) => self.field(a, *n, *index),
            Kind::StrAt(base, at, len) => self.str_at(*base, at, len.as_deref()),
            Kind::HasKey(m, k) => format!("has_key(@m{m}, {})", self.key(k)),
            Kind::Len(m) => format!("len(@m{m})"),
        }
    }

    fn pointer(&self, ty: &Ty, base: Base, at: &Expr) -> String {
        let name = match ty {
            Ty::Pointer(s) => self.p.structs.get(*s).map_or("?", |s| s.name.as_str()),
            _ => "?",
        };
        let at = self.operand(at);
        match base {
            Base::Buffer => format!("uptr((struct {name} *)(args.arg2 + {at}))"),
            Base::Name => {
                format!(
                    "kptr((struct {name} *)((uint64)curtask + offsetof(struct task_struct, comm) + {at}))"
                )
            }
        }
    }

    fn field(&self, a: &Expr, n: usize, index: Option<usize>) -> String {
        let field = match &a.ty {
            Ty::Pointer(s) => self.p.structs.get(*s).and_then(|s| s.fields.get(n)),
            _ => None,
        };
        let index = index.map(|i| format!("[{i}]")).unwrap_or_default();
        let base = match a.kind {
            Kind::Pointer(..) => format!("({})", self.expr(a)),
            _ => self.operand(a),
        };
        format!("{base}->{}{index}", field.map_or("?", |f| &f.name))
    }

    fn str_at(&self, base: Base, at: &Expr, len: Option<&Expr>) -> String {
        let at = self.operand(at);
        let len = len.map(|l| format!(", {}", self.expr(l))).unwrap_or_default();
        match base {
            Base::Buffer => format!("str(uptr((int8 *)(args.arg2 + {at})){len})"),
            Base::Name => {
                format!(
                    "str(kptr((int8 *)((uint64)curtask + offsetof(struct task_struct, comm) + {at})){len})"
                )
            }
        }
    }
}

fn var(v: VarId) -> String {
    format!("$v{v}")
}

fn opt(op: Option<BinOp>) -> &'static str {
    op.map_or("", sign)
}

fn sign(op: BinOp) -> &'static str {
    match op {
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
    }
}

fn comparison(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "==",
        CmpOp::Ne => "!=",
        CmpOp::Lt => "<",
        CmpOp::Le => "<=",
        CmpOp::Gt => ">",
        CmpOp::Ge => ">=",
    }
}

fn conversion(c: Conversion) -> String {
    let length = match (c.letter, c.bits) {
        ('s', _) | (_, 32) => "",
        (_, 8) => "hh",
        (_, 16) => "h",
        _ => "l",
    };
    let width = if c.width == 0 { String::new() } else { c.width.to_string() };
    format!("%{}{width}{length}{}", if c.zeros { "0" } else { "" }, c.letter)
}
