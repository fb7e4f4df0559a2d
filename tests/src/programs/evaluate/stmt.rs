//! Statements.

use super::number::{arithmetic, wrap};
use super::print::convert;
use super::tables::unsigned;
use super::{State, Value};
use crate::programs::ast::*;
use crate::programs::json::Json;

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return,
}

impl State<'_> {
    pub(super) fn block(&mut self, stmts: &[Stmt]) -> Flow {
        for s in stmts {
            if self.steps == 0 {
                return Flow::Break;
            }
            self.steps -= 1;
            let flow = self.stmt(s);
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }

    fn stmt(&mut self, s: &Stmt) -> Flow {
        match s {
            Stmt::Break => return Flow::Break,
            Stmt::Continue => return Flow::Continue,
            Stmt::Return => return Flow::Return,
            Stmt::If(c, yes, no) => return if self.truth(c) { self.block(yes) } else { self.block(no) },
            Stmt::Unroll(n, body) => {
                for _ in 0..*n {
                    let flow = self.block(body);
                    if flow != Flow::Next {
                        return flow;
                    }
                }
            }
            Stmt::For(v, a, b, body) => {
                let (a, b) = (self.int(a), self.int(b));
                return self.rounds(*v, (a..b.max(a)).map(Value::Int), body);
            }
            Stmt::ForMap(v, m, body) => {
                let keys: Vec<_> = self.tables[*m].entries.keys().cloned().collect();
                let pair = |s: &Self, mut key: Vec<Value>| {
                    let value = s.tables[*m].read(&key);
                    let key = if key.len() == 1 { key.remove(0) } else { Value::Tuple(key) };
                    Value::Tuple(vec![key, value])
                };
                let rounds: Vec<_> = keys.into_iter().map(|k| pair(self, k)).collect();
                return self.rounds(*v, rounds.into_iter(), body);
            }
            Stmt::While(v, n, body) => return self.repeat(*v, n, body),
            _ => self.simple(s),
        }
        Flow::Next
    }

    fn rounds(&mut self, v: VarId, rounds: impl Iterator<Item = Value>, body: &[Stmt]) -> Flow {
        for value in rounds {
            self.vars[v] = Some(value);
            match self.block(body) {
                Flow::Break => break,
                Flow::Return => return Flow::Return,
                Flow::Next | Flow::Continue => {}
            }
        }
        Flow::Next
    }

    fn repeat(&mut self, v: VarId, n: &Expr, body: &[Stmt]) -> Flow {
        let mut round = 0;
        self.vars[v] = Some(Value::Int(0));
        while round < self.int(n) {
            round += 1;
            self.vars[v] = Some(Value::Int(round));
            match self.block(body) {
                Flow::Break => break,
                Flow::Return => return Flow::Return,
                Flow::Next | Flow::Continue => {}
            }
        }
        Flow::Next
    }

    fn simple(&mut self, s: &Stmt) {
        match s {
            Stmt::Let(v, e) => self.vars[*v] = Some(self.expr(e)),
            Stmt::Assign(v, op, e) => {
                let ty = self.p.vars[*v].ty.clone();
                let old = self.vars[*v].clone().unwrap_or_else(|| Value::zero(&ty));
                self.vars[*v] = Some(self.combine(&ty, &old, *op, e));
            }
            Stmt::Step(v, up) => {
                let ty = self.p.vars[*v].ty.int();
                let old = self.vars[*v].as_ref().map_or(0, Value::int);
                self.vars[*v] = Some(Value::Int(wrap(old + if *up { 1 } else { -1 }, ty)));
            }
            Stmt::Store(m, k, op, e) => {
                let (key, ty) = (self.exprs(k), self.holds(*m));
                let old = self.tables[*m].read(&key);
                let value = self.combine(&ty, &old, *op, e);
                self.tables[*m].store(key, value);
            }
            Stmt::StepMap(m, k, up) => {
                let (key, ty) = (self.exprs(k), self.holds(*m).int());
                let old = self.tables[*m].read(&key).int();
                let value = wrap(old + if *up { 1 } else { -1 }, ty);
                self.tables[*m].store(key, Value::Int(value));
            }
            Stmt::Gather(m, k, e) => {
                let key = self.exprs(k);
                let n = e.as_ref().map_or(1, |e| self.int(e));
                let ty = if unsigned(&self.p.maps[*m].holds) { U64 } else { I64 };
                self.tables[*m].gather(key, wrap(n, ty));
            }
            Stmt::Delete(m, k) => {
                let key = self.exprs(k);
                self.tables[*m].entries.remove(&key);
            }
            Stmt::Print(e) => {
                let value = self.expr(e).json();
                self.lines.push(value);
            }
            Stmt::Printf(parts) => {
                let mut line = String::new();
                for (text, c, e) in parts {
                    let value = self.expr(e);
                    line += text;
                    line += &convert(*c, &value);
                }
                self.lines.push(Json::text(line + "\n"));
            }
            _ => {}
        }
    }

    fn holds(&self, m: MapId) -> Ty {
        match &self.p.maps[m].holds {
            Holds::Value(ty) => ty.clone(),
            _ => Ty::Int(I64),
        }
    }

    /// The new value of `place op= e`.
    fn combine(&mut self, ty: &Ty, old: &Value, op: Option<BinOp>, e: &Expr) -> Value {
        let Some(op) = op else { return self.expr(e) };
        let place = Expr { ty: ty.clone(), kind: Kind::Flag(false) };
        let signed = op == BinOp::Sub || !both_unsigned(&place, e);
        let n = arithmetic(op, old.int(), self.int(e), signed);
        Value::Int(wrap(n, ty.int()))
    }
}
