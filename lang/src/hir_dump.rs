//! The typed program as text, for `-d` and for tests: one statement a line, every expression with the
//! conversions that the checker put in, types where they are not plain.

use crate::ast::BinOp;
use crate::context::Location;
use crate::hir::*;
use std::fmt::{self, Write as _};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for map in &self.maps {
            write!(f, "map {}", map.name)?;
            if let Some(key) = &map.key {
                write!(f, "[{key}]")?;
            }
            writeln!(f, ": {} ({} entries)", map.value, map.max_entries)?;
        }
        for probe in &self.probes {
            let mut d = Dump { program: self, probe, out: String::new(), depth: 0 };
            d.probe();
            f.write_str(&d.out)?;
        }
        Ok(())
    }
}

struct Dump<'a> {
    program: &'a Program,
    probe: &'a Probe,
    out: String,
    depth: usize,
}

impl Dump<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:width$}{text}", "", width = self.depth * 2);
    }

    fn probe(&mut self) {
        let probe = self.probe;
        let names: Vec<_> = probe.attach.iter().map(|a| format!("{}#{}", a.name, a.id.0)).collect();
        self.line(&format!("probe {} ({:?})", names.join(", "), probe.space));
        self.depth += 1;
        for (i, l) in probe.locals.iter().enumerate() {
            self.line(&format!("local {}.{i}: {}", l.name, l.ty));
        }
        if let Some(p) = &probe.predicate {
            let p = self.expr(p);
            self.line(&format!("if not {p}: return"));
        }
        self.stmts(&probe.body);
        self.depth -= 1;
    }

    fn block(&mut self, head: &str, body: &[Stmt]) {
        self.line(head);
        self.depth += 1;
        self.stmts(body);
        self.depth -= 1;
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            self.stmt(s);
        }
    }

    fn stmt(&mut self, s: &Stmt) {
        match &s.kind {
            StmtKind::Expr(e) => {
                let e = self.expr(e);
                self.line(&e);
            }
            StmtKind::Declare(l) => {
                let text = format!("let {}", self.local(*l));
                self.line(&text);
            }
            StmtKind::AssignLocal(l, e) => {
                let text = format!("{} = {}", self.local(*l), self.expr(e));
                self.line(&text);
            }
            StmtKind::AssignMap { map, key, value } => {
                let text = format!("{} = {}", self.entry(*map, key.as_ref()), self.expr(value));
                self.line(&text);
            }
            StmtKind::Aggregate { map, key, agg, value, time } => {
                let values = value.iter().chain(time).map(|v| self.expr(v)).collect::<Vec<_>>();
                let value = values.join(", ");
                let text = format!("{} = {}({value})", self.entry(*map, key.as_ref()), agg.name());
                self.line(&text);
            }
            StmtKind::If { cond, then, otherwise } => {
                let cond = self.expr(cond);
                self.block(&format!("if {cond}"), then);
                if !otherwise.is_empty() {
                    self.block("else", otherwise);
                }
            }
            StmtKind::While { cond, body } => {
                let cond = self.expr(cond);
                self.block(&format!("while {cond}"), body);
            }
            StmtKind::ForRange { var, start, end, body } => {
                let head = format!("for {} in {}..{}", self.local(*var), self.expr(start), self.expr(end));
                self.block(&head, body);
            }
            StmtKind::ForMap { var, map, body } => {
                let head = format!("for {} in {}", self.local(*var), self.program.map(*map).name);
                self.block(&head, body);
            }
            StmtKind::Unroll { count, body } => self.block(&format!("unroll {count}"), body),
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Return(value) => {
                let value = value.as_ref().map(|v| self.expr(v)).unwrap_or_default();
                self.line(format!("return {value}").trim_end());
            }
            StmtKind::Block(body) => self.block("block", body),
            StmtKind::Emit(e) => {
                let text = self.emit(e);
                self.line(&text);
            }
            StmtKind::Exit(code) => {
                let code = code.as_ref().map(|v| self.expr(v)).unwrap_or_default();
                self.line(&format!("exit({code})"));
            }
        }
    }

    fn local(&self, id: LocalId) -> String {
        format!("{}.{}", self.probe.locals[id.0 as usize].name, id.0)
    }

    fn entry(&self, map: MapId, key: Option<&Expr>) -> String {
        let name = &self.program.map(map).name;
        match key {
            Some(k) => format!("{name}[{}]", self.expr(k)),
            None => name.to_string(),
        }
    }

    fn place(&self, place: &Lvalue) -> String {
        match place {
            Lvalue::Local(l) => self.local(*l),
            Lvalue::Map { map, key } => self.entry(*map, key.as_deref()),
        }
    }

    fn list(&self, exprs: &[Expr]) -> String {
        exprs.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }

    fn emit(&self, e: &Emit) -> String {
        let args = self.list(&e.args);
        match &e.kind {
            EmitKind::PrintEntry(m) => format!("print {} entry ({args})", self.program.map(*m).name),
            EmitKind::PrintMap { map, top, div } => {
                format!("print {} top {top} div {div}", self.program.map(*map).name)
            }
            EmitKind::Clear(m) => format!("clear {}", self.program.map(*m).name),
            EmitKind::Zero(m) => format!("zero {}", self.program.map(*m).name),
            kind => format!("{kind:?}({args})"),
        }
    }

    /// Two operands and what stands between them, in parentheses: precedence need not be guessed.
    fn infix(&self, left: &Expr, op: &str, right: &Expr) -> String {
        format!("({} {op} {})", self.expr(left), self.expr(right))
    }

    fn call(&self, name: &str, args: &[&Expr]) -> String {
        let args: Vec<_> = args.iter().map(|e| self.expr(e)).collect();
        format!("{name}({})", args.join(", "))
    }

    fn expr(&self, e: &Expr) -> String {
        match &e.kind {
            ExprKind::Const(bits) => constant(*bits, &e.ty),
            ExprKind::Text(t) => format!("{:?}:{}", String::from_utf8_lossy(t), e.ty),
            ExprKind::Local(l) => self.local(*l),
            ExprKind::MapGet { map, key } => self.entry(*map, key.as_deref()),
            ExprKind::HasKey { map, key } => format!("has_key {}", self.entry(*map, Some(key))),
            ExprKind::Delete { map, key } => format!("delete {}", self.entry(*map, key.as_deref())),
            ExprKind::MapLen(m) => format!("len {}", self.program.map(*m).name),
            ExprKind::Unary(op, x) => {
                let op = match op {
                    Unary::Neg => "-",
                    Unary::BitNot => "~",
                    Unary::Not => "!",
                };
                format!("{op}{}", self.expr(x))
            }
            ExprKind::Binary(op, a, b) => {
                let sign = if signed_matters(*op) && a.ty.is_signed() { "s" } else { "" };
                self.infix(a, &format!("{}{sign}", op.text()), b)
            }
            ExprKind::CompareMemory { negate, left, right, limit } => {
                let op = if *negate { "!=" } else { "==" };
                let limit = limit.map(|n| format!("[..{n}]")).unwrap_or_default();
                self.infix(left, &format!("{op}{limit}"), right)
            }
            ExprKind::Logical { and, left, right } => self.infix(left, if *and { "&&" } else { "||" }, right),
            ExprKind::Ternary(c, a, b) => {
                format!("({} ? {} : {})", self.expr(c), self.expr(a), self.expr(b))
            }
            ExprKind::IncDec { place, step, prefix } => {
                let place = self.place(place);
                if *prefix { format!("({step:+} {place})") } else { format!("({place} {step:+})") }
            }
            ExprKind::Convert(x) => format!("({}){}", e.ty, self.expr(x)),
            ExprKind::Reinterpret(x) => format!("as<{}>({})", e.ty, self.expr(x)),
            ExprKind::Widen(x) => format!("widen<{}>({})", e.ty, self.expr(x)),
            ExprKind::Tuple(items) => format!("({})", self.list(items)),
            ExprKind::TupleField(t, n) => format!("{}.{n}", self.expr(t)),
            ExprKind::Deref(p) => format!("*{}", self.expr(p)),
            ExprKind::Field { base, offset, bits } => {
                let bits = bits.map(|b| format!("/{}:{}", b.shift, b.width)).unwrap_or_default();
                format!("{}@{offset}{bits}:{}", self.expr(base), e.ty)
            }
            ExprKind::Index { base, index } => format!("{}[{}]", self.expr(base), self.expr(index)),
            ExprKind::PtrAdd { ptr, index, scale } => {
                format!("({} + {}*{scale})", self.expr(ptr), self.expr(index))
            }
            ExprKind::PtrDiff { left, right, scale } => {
                format!("{}/{scale}", self.infix(left, "-", right))
            }
            ExprKind::AddrOf(place) => format!("&{}", self.place(place)),
            ExprKind::At(location @ Location::Field(_)) => format!("{location}:{}", e.ty),
            ExprKind::At(location) => location.to_string(),
            ExprKind::Builtin(b) => format!("{b:?}").to_lowercase(),
            ExprKind::UStack(s) if s.cfi => format!("dw_ustack({:?}, {})", s.mode, s.depth),
            ExprKind::KStack(s) => format!("kstack({:?}, {})", s.mode, s.depth),
            ExprKind::UStack(s) => format!("ustack({:?}, {})", s.mode, s.depth),
            ExprKind::Block(stmts, value) => {
                let mut inner =
                    Dump { program: self.program, probe: self.probe, out: String::new(), depth: 0 };
                inner.stmts(stmts);
                format!("{{ {}; {} }}", inner.out.trim().replace('\n', "; "), self.expr(value))
            }
            ExprKind::Emit(x) => self.emit(x),
            other => self.function(other, e),
        }
    }

    /// Expressions that read as a function's call.
    fn function(&self, kind: &ExprKind, e: &Expr) -> String {
        match kind {
            ExprKind::StackLen(x) => self.call("stack_len", &[x]),
            ExprKind::Strncmp(a, b, n) => format!("{}:{n}", self.call("strncmp", &[a, b])),
            ExprKind::StrFrom { ptr, len: Some(n) } => {
                format!("{}:{}", self.call("str", &[ptr, n]), e.ty)
            }
            ExprKind::StrFrom { ptr, len: None } => format!("{}:{}", self.call("str", &[ptr]), e.ty),
            ExprKind::BufFrom { ptr, len: Some(n) } => {
                format!("{}:{}", self.call("buf", &[ptr, n]), e.ty)
            }
            ExprKind::BufFrom { ptr, len: None } => format!("{}:{}", self.call("buf", &[ptr]), e.ty),
            ExprKind::Ntop { family: Some(f), addr } => self.call("ntop", &[f, addr]),
            ExprKind::Ntop { family: None, addr } => self.call("ntop", &[addr]),
            ExprKind::MacAddr(x) => self.call("macaddr", &[x]),
            ExprKind::Ksym(x) => self.call("ksym", &[x]),
            ExprKind::Usym(x) => self.call("usym", &[x]),
            ExprKind::Strftime(x) => self.call("strftime", &[x]),
            ExprKind::CgroupPath(x) => self.call("cgroup_path", &[x]),
            ExprKind::Call(function, args) => {
                self.call(&format!("{function:?}").to_lowercase(), &args.iter().collect::<Vec<_>>())
            }
            ExprKind::Strerror(x) => self.call("strerror", &[x]),
            ExprKind::StrContains(a, b) => self.call("strcontains", &[a, b]),
            ExprKind::StrLen(x) => self.call("strlen", &[x]),
            ExprKind::Bswap(x) => self.call("bswap", &[x]),
            ExprKind::Signal(x) => self.call("signal", &[x]),
            ExprKind::Override(x) => self.call("override", &[x]),
            other => format!("{other:?}"),
        }
    }
}

/// Operators whose result depends on the operands' sign.
fn signed_matters(op: BinOp) -> bool {
    matches!(op, BinOp::Div | BinOp::Rem | BinOp::Shr | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge)
}

fn constant(bits: u64, ty: &crate::types::Type) -> String {
    match ty {
        crate::types::Type::Bool => (bits != 0).to_string(),
        t if t.is_signed() => format!("{}:{t}", bits as i64),
        t => format!("{bits}:{t}"),
    }
}
