//! Blocks and statements.

use super::expr::compound;
use super::valued::is_value;
use super::{Builder, MAX_DEPTH, Rule, inner};
use crate::ast::{Block, Expr, ExprKind, Name, Stmt, StmtKind};
use crate::{Diagnostic, Span};
use pest::iterators::Pair;

/// Conditions and blocks of an `if` in turn, and the last `else`.
type Branches = (Vec<(Expr, Block)>, Option<Block>);

impl Builder {
    /// A block; `wanted`: its last expression without semicolon is its value, not a statement.
    pub(super) fn block(&mut self, pair: Pair<Rule>, wanted: bool) -> Block {
        let mut block = Block { span: self.span(&pair), ..Block::default() };
        let mut parts = pair.into_inner().peekable();
        while let Some(p) = parts.next() {
            if matches!(p.as_rule(), Rule::lbrace | Rule::rbrace | Rule::semi) {
                continue;
            }
            let last = parts.peek().is_none_or(|n| n.as_rule() == Rule::rbrace);
            if wanted && last && is_value(&p) {
                block.value = Some(Box::new(self.block_value(p)));
            } else {
                block.stmts.extend(self.stmt(p));
            }
        }
        block
    }

    fn block_value(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::block => Expr { kind: ExprKind::Block(self.block(pair, true)), span },
            Rule::if_expr => self.if_value(pair),
            _ => inner(pair, Rule::expr).next().map_or_else(|| Self::nothing(span), |p| self.expr(p)),
        }
    }

    fn stmt(&mut self, pair: Pair<Rule>) -> Option<Stmt> {
        let mut span = self.span(&pair);
        // The semicolon ends a statement, it is no part of it.
        if pair.as_str().trim_end().ends_with(';') && pair.as_rule() != Rule::block {
            span = self.before_semicolon(&pair);
        }
        let kind = match pair.as_rule() {
            Rule::block => StmtKind::Block(self.block(pair, false)),
            Rule::if_expr => self.if_stmt(pair)?,
            Rule::let_stmt => self.let_stmt(pair)?,
            Rule::for_stmt => self.for_stmt(pair)?,
            Rule::while_stmt => {
                let (cond, body) = self.loop_parts(pair)?;
                StmtKind::While { cond, body }
            }
            Rule::unroll_stmt => {
                let (count, body) = self.loop_parts(pair)?;
                StmtKind::Unroll { count, body }
            }
            Rule::break_stmt => StmtKind::Break,
            Rule::continue_stmt => StmtKind::Continue,
            Rule::return_stmt => {
                let value = inner(pair, Rule::expr).next();
                StmtKind::Return(value.map(|p| self.expr(p)))
            }
            Rule::simple_stmt => self.simple(pair, span)?,
            _ => {
                let error = Diagnostic::error(span, "import does not stand in a block");
                self.diags.push(error.hint("imports stand above all probes"));
                return None;
            }
        };
        Some(Stmt { kind, span })
    }

    fn before_semicolon(&self, pair: &Pair<Rule>) -> Span {
        let start = pair.as_span().start();
        let text = pair.as_str().trim_end().trim_end_matches(';').trim_end();
        self.place(start, start + text.len())
    }

    /// An expression, or an assignment.
    fn simple(&mut self, pair: Pair<Rule>, span: Span) -> Option<StmtKind> {
        let mut parts = pair.into_inner();
        let target = self.expr(parts.next()?);
        let Some(op) = parts.next().filter(|p| p.as_rule() == Rule::assign_op) else {
            return Some(StmtKind::Expr(target));
        };
        let value = self.expr(parts.next()?);
        let op = compound(op.as_str());
        match &target.kind {
            ExprKind::Ident(name) if &**name == "_" && op.is_none() => return Some(StmtKind::Discard(value)),
            ExprKind::Var(_) | ExprKind::Map(_) | ExprKind::MapIndex { .. } => {}
            ExprKind::Field { .. } | ExprKind::TupleIndex(..) => {
                let message = "syntax: a single field cannot be assigned: only variables and maps can";
                let hint = "build the whole value again: $x = (1, 2)";
                self.diags.push(Diagnostic::error(span, message).hint(hint));
            }
            _ => self.error(target.span, "syntax: only a variable ($x) or a map (@x) can be assigned to"),
        }
        Some(StmtKind::Assign { target, op, value })
    }

    fn let_stmt(&mut self, pair: Pair<Rule>) -> Option<StmtKind> {
        let (mut name, mut ty, mut value) = (None, None, None);
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::var => name = Some(self.name(&p)),
                Rule::let_type => ty = Some(self.type_expr(p)),
                Rule::expr => value = Some(self.expr(p)),
                _ => {}
            }
        }
        Some(StmtKind::Let { name: name?, ty, value })
    }

    fn loop_parts(&mut self, pair: Pair<Rule>) -> Option<(Expr, Block)> {
        let (mut head, mut body) = (None, None);
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::expr => head = Some(self.expr(p)),
                Rule::block => body = Some(self.block(p, false)),
                _ => {}
            }
        }
        head.zip(body)
    }

    fn for_stmt(&mut self, pair: Pair<Rule>) -> Option<StmtKind> {
        let (mut head, mut body) = (None, None);
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::for_head => head = Some(p),
                Rule::block => body = Some(self.block(p, false)),
                _ => {}
            }
        }
        let (head, body) = head.zip(body)?;
        let mut var = None;
        let mut ends = vec![];
        for p in head.into_inner() {
            match p.as_rule() {
                Rule::var => var = Some(self.name(&p)),
                Rule::expr => ends.push(self.expr(p)),
                _ => {}
            }
        }
        self.for_kind(var?, ends, body)
    }

    fn for_kind(&mut self, var: Name, mut ends: Vec<Expr>, body: Block) -> Option<StmtKind> {
        let second = if ends.len() > 1 { ends.pop() } else { None };
        let first = ends.pop()?;
        match (second, first) {
            (Some(end), start) => Some(StmtKind::ForRange { var, start, end, body }),
            (None, Expr { kind: ExprKind::Map(map), span }) => {
                Some(StmtKind::ForMap { var, map: Name { text: map, span }, body })
            }
            (None, other) => {
                self.error(other.span, "syntax: a 'for' goes over a map (@name) or a range (FROM..TO)");
                None
            }
        }
    }

    /// Conditions and blocks of an `if`.
    pub(super) fn branches(&mut self, pair: Pair<Rule>, wanted: bool) -> Branches {
        let mut branches = vec![];
        let mut cond = None;
        let mut otherwise = None;
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::expr => cond = Some(self.expr(p)),
                Rule::block => {
                    let block = self.block(p, wanted);
                    match cond.take() {
                        Some(c) => branches.push((c, block)),
                        None => otherwise = Some(block),
                    }
                }
                _ => {}
            }
        }
        if branches.len() > MAX_DEPTH {
            let span = branches[MAX_DEPTH].0.span;
            self.error(span, format!("syntax: more than {MAX_DEPTH} branches of one 'if'"));
            branches.truncate(1);
        }
        (branches, otherwise)
    }

    fn if_stmt(&mut self, pair: Pair<Rule>) -> Option<StmtKind> {
        let (mut branches, mut otherwise) = self.branches(pair, false);
        while let Some((cond, then)) = branches.pop() {
            let span = cond.span.to(otherwise.as_ref().map_or(then.span, |b| b.span));
            let kind = StmtKind::If { cond, then, otherwise: otherwise.take() };
            if branches.is_empty() {
                return Some(kind);
            }
            otherwise = Some(Block { stmts: vec![Stmt { kind, span }], value: None, span });
        }
        None
    }
}
