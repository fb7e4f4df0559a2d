//! Expressions: the grammar's flat runs of operands and operators, folded by precedence.

use super::{Builder, MAX_DEPTH, Rule, inner};
use crate::Span;
use crate::ast::{BinOp, Block, Expr, ExprKind, Name, Stmt, StmtKind, UnOp};
use pest::iterators::{Pair, Pairs};
use std::iter::Peekable;

type Run<'a> = Peekable<Pairs<'a, Rule>>;

/// An infix operator and how tightly it binds; the levels are C's.
fn infix(text: &str) -> (BinOp, u8) {
    match text {
        "||" => (BinOp::LogOr, 1),
        "&&" => (BinOp::LogAnd, 2),
        "|" => (BinOp::Or, 3),
        "^" => (BinOp::Xor, 4),
        "&" => (BinOp::And, 5),
        "==" => (BinOp::Eq, 6),
        "!=" => (BinOp::Ne, 6),
        "<" => (BinOp::Lt, 7),
        "<=" => (BinOp::Le, 7),
        ">" => (BinOp::Gt, 7),
        ">=" => (BinOp::Ge, 7),
        "<<" => (BinOp::Shl, 8),
        ">>" => (BinOp::Shr, 8),
        "+" => (BinOp::Add, 9),
        "-" => (BinOp::Sub, 9),
        "*" => (BinOp::Mul, 10),
        "/" => (BinOp::Div, 10),
        _ => (BinOp::Rem, 10),
    }
}

/// The operator of `+=` and its kin; `None` for `=`.
pub(super) fn compound(text: &str) -> Option<BinOp> {
    match text.trim_end_matches('=') {
        "" => None,
        op => Some(infix(op).0),
    }
}

fn is_place(e: &Expr) -> bool {
    matches!(e.kind, ExprKind::Var(_) | ExprKind::Map(_) | ExprKind::MapIndex { .. })
}

impl Builder {
    /// An `expr`.
    pub(super) fn expr(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let run = pair.into_inner();
        let operators = run.clone().filter(|p| !is_operand(p.as_rule())).count();
        self.depth += operators;
        let value = if self.depth > MAX_DEPTH {
            self.error(span, format!("syntax: expression with more than {MAX_DEPTH} operators"));
            Self::nothing(span)
        } else {
            self.whole(&mut run.peekable())
        };
        self.depth -= operators;
        value
    }

    fn whole(&mut self, run: &mut Run) -> Expr {
        let cond = self.binary(run, 0);
        let Some(tail) = run.next() else { return cond };
        let mut arms: Vec<Expr> = inner(tail, Rule::expr).map(|p| self.expr(p)).collect();
        let Some(last) = arms.pop() else { return cond };
        let span = cond.span.to(last.span);
        match arms.pop() {
            Some(first) => ternary(cond, first, last, span),
            None => short_ternary(cond, last, span),
        }
    }

    /// Operators that bind at least as tightly as `min`.
    fn binary(&mut self, run: &mut Run, min: u8) -> Expr {
        let mut left = self.operand(run);
        while let Some(p) = run.peek().filter(|p| p.as_rule() == Rule::bin_op) {
            let (op, level) = infix(p.as_str().trim_end());
            if level < min {
                break;
            }
            run.next();
            let right = self.binary(run, level + 1);
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span };
        }
        left
    }

    /// Prefix operators and casts, a primary, postfix operators.
    fn operand(&mut self, run: &mut Run) -> Expr {
        let mut prefixes = vec![];
        let mut value = Self::nothing(Span { file: self.file, start: self.base, end: self.base });
        for p in run.by_ref() {
            match p.as_rule() {
                Rule::cast | Rule::unary_op | Rule::kw_comptime => prefixes.push(p),
                _ => {
                    value = self.primary(p);
                    break;
                }
            }
        }
        while let Some(p) = run.next_if(|p| is_postfix(p.as_rule())) {
            value = self.postfix(value, p);
        }
        for p in prefixes.into_iter().rev() {
            value = self.prefix(p, value);
        }
        value
    }

    fn prefix(&mut self, pair: Pair<Rule>, value: Expr) -> Expr {
        let own = self.span(&pair);
        let span = own.to(value.span);
        let kind = match (pair.as_rule(), pair.as_str().trim_end()) {
            (Rule::cast, _) => match inner(pair, Rule::type_ref).next() {
                Some(p) => ExprKind::Cast(self.type_expr(p), Box::new(value)),
                None => value.kind,
            },
            (Rule::kw_comptime, _) => {
                ExprKind::Call { name: Name { text: "comptime".into(), span: own }, args: vec![value] }
            }
            (_, op @ ("++" | "--")) => {
                if !is_place(&value) {
                    self.error(value.span, "syntax: ++ and -- need a variable ($x) or a map (@x) to change");
                }
                ExprKind::IncDec { inc: op == "++", prefix: true, place: Box::new(value) }
            }
            (_, "&") => {
                if !is_place(&value) {
                    let message = "syntax: '&' needs a variable ($x) or a map (@x) to take the address of";
                    self.error(value.span, message);
                }
                ExprKind::Unary(UnOp::AddrOf, Box::new(value))
            }
            (_, op) => ExprKind::Unary(unary(op), Box::new(value)),
        };
        Expr { kind, span }
    }

    fn postfix(&mut self, base: Expr, pair: Pair<Rule>) -> Expr {
        let own = self.span(&pair);
        let span = base.span.to(own);
        let base_span = base.span;
        let base = Box::new(base);
        let kind = match pair.as_rule() {
            Rule::inc_dec => {
                if !is_place(&base) {
                    self.error(own, "syntax: ++ and -- need a variable ($x) or a map (@x) to change");
                }
                ExprKind::IncDec { inc: pair.as_str().starts_with('+'), prefix: false, place: base }
            }
            Rule::tuple_index => match inner(pair, Rule::digits).next().map(|p| p.as_str().parse()) {
                Some(Ok(n)) => ExprKind::TupleIndex(base, n),
                _ => {
                    self.error(own, "syntax: index of a tuple is too large");
                    ExprKind::TupleIndex(base, u32::MAX)
                }
            },
            Rule::index => match inner(pair, Rule::expr).next() {
                Some(p) => ExprKind::Index(base, Box::new(self.expr(p))),
                None => base.kind,
            },
            _ => {
                let arrow = pair.as_str().starts_with('-');
                let name = inner(pair, Rule::ident).next().map(|p| self.name(&p));
                let name = name.unwrap_or(Name { text: "".into(), span: base_span });
                ExprKind::Field { base, name, arrow }
            }
        };
        Expr { kind, span }
    }

    fn primary(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::var => ExprKind::Var(pair.as_str()[1..].into()),
            Rule::int => ExprKind::Int(self.integer(&pair)),
            Rule::string => ExprKind::Str(self.string(pair)),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::positional => self.positional(&pair, span),
            Rule::map => return self.map(pair),
            Rule::name => self.name_or_call(pair),
            Rule::paren => return self.paren(pair),
            Rule::block => ExprKind::Block(self.block(pair, true)),
            Rule::if_expr => return self.if_value(pair),
            Rule::sizeof => match inner(pair, Rule::type_or_expr).next() {
                Some(p) => ExprKind::Sizeof(Box::new(self.type_or_expr(p))),
                None => ExprKind::Int(0),
            },
            Rule::offsetof => self.offsetof(pair),
            _ => match inner(pair, Rule::type_or_expr).next() {
                Some(p) => ExprKind::Typeinfo(Box::new(self.type_or_expr(p))),
                None => ExprKind::Int(0),
            },
        };
        Expr { kind, span }
    }

    fn positional(&mut self, pair: &Pair<Rule>, span: Span) -> ExprKind {
        let digits = &pair.as_str()[1..];
        if digits == "#" {
            return ExprKind::PositionalCount;
        }
        match digits.parse() {
            Ok(n @ 1..) => ExprKind::Positional(n),
            _ => {
                self.error(
                    span,
                    format!(
                        "syntax: there is no parameter ${digits}: they are numbered from $1 to ${}",
                        u32::MAX
                    ),
                );
                ExprKind::Positional(1)
            }
        }
    }

    fn map(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let map = parts.next().map_or("", |p| &p.as_str()[1..]).into();
        let Some(key) = parts.next() else { return Expr { kind: ExprKind::Map(map), span } };
        let keys: Vec<Expr> = inner(key, Rule::expr).map(|p| self.expr(p)).collect();
        let key = match <[Expr; 1]>::try_from(keys) {
            Ok([key]) => key,
            Err(keys) => {
                let kind = ExprKind::Tuple(keys.into_iter().map(|k| (None, k)).collect());
                Expr { kind, span }
            }
        };
        Expr { kind: ExprKind::MapIndex { map, key: Box::new(key) }, span }
    }

    fn name_or_call(&mut self, pair: Pair<Rule>) -> ExprKind {
        let mut parts = pair.into_inner();
        let Some(name) = parts.next() else { return ExprKind::Int(0) };
        let Some(args) = parts.next() else { return ExprKind::Ident(name.as_str().into()) };
        let args = args.into_inner().filter_map(|p| match p.as_rule() {
            Rule::expr => Some(self.expr(p)),
            Rule::type_arg => Some(self.type_arg(p)),
            _ => None,
        });
        let args = args.collect();
        ExprKind::Call { name: self.name(&name), args }
    }

    /// A group, a tuple or a record.
    fn paren(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let mut items = vec![];
        let mut commas = 0;
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::expr => items.push((None, self.expr(p))),
                Rule::comma => commas += 1,
                Rule::record => {
                    commas += 1;
                    items = self.record(p);
                }
                _ => {}
            }
        }
        match (items.pop(), commas) {
            (Some((_, single)), 0) => single,
            (last, _) => {
                items.extend(last);
                Expr { kind: ExprKind::Tuple(items), span }
            }
        }
    }

    fn record(&mut self, pair: Pair<Rule>) -> Vec<(Option<Name>, Expr)> {
        let mut items: Vec<(Option<Name>, Expr)> = vec![];
        for item in inner(pair, Rule::record_item) {
            let mut parts = item.into_inner();
            let name = parts.next().map(|p| self.name(&p));
            if let Some(n) = name.as_ref().filter(|n| is_taken(&items, n)) {
                self.error(n.span, format!("syntax: the record has two fields called '{}'", n.text));
            }
            items.extend(parts.find(|p| p.as_rule() == Rule::expr).map(|p| (name, self.expr(p))));
        }
        items
    }

    fn offsetof(&mut self, pair: Pair<Rule>) -> ExprKind {
        let mut of = None;
        let mut fields = vec![];
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::type_or_expr => of = Some(self.type_or_expr(p)),
                Rule::ident => fields.push(self.name(&p)),
                _ => {}
            }
        }
        of.map_or(ExprKind::Int(0), |of| ExprKind::Offsetof(Box::new(of), fields))
    }

    /// `if` as a value: a ternary of blocks.
    pub(super) fn if_value(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        if !super::valued::if_has_value(&pair) {
            self.error(
                span,
                "syntax: an 'if' that is used as a value needs a value in each branch and an 'else'",
            );
            return Self::nothing(span);
        }
        let (branches, otherwise) = self.branches(pair, true);
        let block = |b: Block| Expr { span: b.span, kind: ExprKind::Block(b) };
        let mut value = otherwise.map_or_else(|| Self::nothing(span), block);
        for (cond, then) in branches.into_iter().rev() {
            let span = cond.span.to(value.span);
            value = Expr {
                kind: ExprKind::Ternary(Box::new(cond), Box::new(block(then)), Box::new(value)),
                span,
            };
        }
        Expr { span, ..value }
    }
}

fn is_taken(items: &[(Option<Name>, Expr)], name: &Name) -> bool {
    items.iter().any(|(n, _)| n.as_ref().is_some_and(|n| n.text == name.text))
}

fn ternary(cond: Expr, first: Expr, last: Expr, span: Span) -> Expr {
    Expr { kind: ExprKind::Ternary(Box::new(cond), Box::new(first), Box::new(last)), span }
}

/// `a ?: b` is `a ? a : b`, with `a` evaluated once where that could matter.
fn short_ternary(cond: Expr, last: Expr, span: Span) -> Expr {
    if is_simple(&cond) {
        return ternary(cond.clone(), cond, last, span);
    }
    let name = Name { text: format!("?:@{}", cond.span.start).into(), span: cond.span };
    let var = Expr { kind: ExprKind::Var(name.text.clone()), span: cond.span };
    let value = Some(Box::new(ternary(var.clone(), var, last, span)));
    let kind = StmtKind::Let { name, ty: None, value: Some(cond) };
    let stmts = vec![Stmt { kind, span }];
    Expr { kind: ExprKind::Block(Block { stmts, value, span }), span }
}

/// Cheap to copy and without effects.
fn is_simple(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Ident(_) | ExprKind::Var(_) | ExprKind::Map(_) | ExprKind::Int(_) => true,
        ExprKind::Field { base, .. } => is_simple(base),
        ExprKind::MapIndex { key, .. } => is_simple(key),
        _ => false,
    }
}

/// What adds no level to the tree by itself.
fn is_operand(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::var | Rule::int | Rule::name | Rule::map | Rule::string | Rule::paren | Rule::boolean
    )
}

fn is_postfix(rule: Rule) -> bool {
    matches!(rule, Rule::field | Rule::tuple_index | Rule::index | Rule::inc_dec)
}

fn unary(op: &str) -> UnOp {
    match op {
        "!" => UnOp::Not,
        "~" => UnOp::BitNot,
        "*" => UnOp::Deref,
        _ => UnOp::Neg,
    }
}
