//! Expressions.

use super::number::{arithmetic, compare, wrap};
use super::{State, Value};
use crate::programs::ast::*;
use crate::programs::world;

impl State<'_> {
    pub(super) fn expr(&mut self, e: &Expr) -> Value {
        match &e.kind {
            Kind::Lit(n) => Value::Int(*n),
            Kind::Flag(b) => Value::Flag(*b),
            Kind::Text(s) => Value::Text(s.clone().into_bytes()),
            Kind::Var(v) => self.vars[*v].clone().unwrap_or_else(|| Value::zero(&e.ty)),
            Kind::Map(m, k) => {
                let key = self.exprs(k);
                self.tables[*m].read(&key)
            }
            Kind::Arg(n) => Value::Int(self.args[n - 3].into()),
            Kind::Comm => Value::Text(world::NAME.into()),
            Kind::Neg(a) => Value::Int(arithmetic(BinOp::Sub, 0, self.int(a), true)),
            Kind::Flip(a) => Value::Int(wrap(!self.int(a), e.ty.int())),
            Kind::Not(a) => Value::Flag(!self.truth(a)),
            Kind::Bin(op, a, b) => {
                let (a, b) = (self.int(a), self.int(b));
                Value::Int(arithmetic(*op, a, b, e.ty.int().signed))
            }
            Kind::Cmp(op, a, b) => {
                let unsigned = both_unsigned(a, b);
                let (a, b) = (self.int(a), self.int(b));
                Value::Flag(compare(*op, a, b, unsigned))
            }
            Kind::All(a, b) => Value::Flag(self.truth(a) && self.truth(b)),
            Kind::Any(a, b) => Value::Flag(self.truth(a) || self.truth(b)),
            Kind::Cond(c, a, b) => {
                let chosen = if self.truth(c) { a } else { b };
                self.expr(chosen)
            }
            Kind::Cast(a) => Value::Int(wrap(self.int(a), e.ty.int())),
            Kind::Tuple(of) => Value::Tuple(self.exprs(of)),
            Kind::Part(a, n) => match self.expr(a) {
                Value::Tuple(of) => of[*n].clone(),
                _ => Value::zero(&e.ty),
            },
            Kind::HasKey(m, k) => {
                let key = self.exprs(k);
                Value::Flag(self.tables[*m].entries.contains_key(&key))
            }
            Kind::Len(m) => Value::Int(self.tables[*m].entries.len() as i128),
            Kind::Pointer(base, at) => Value::Pointer(*base, self.int(at) as i64),
            Kind::Field(a, n, index) => self.field(a, *n, *index),
            _ => self.textual(e),
        }
    }

    fn textual(&mut self, e: &Expr) -> Value {
        match &e.kind {
            Kind::Contains(a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                let (a, b) = (a.text(), b.text());
                Value::Flag(b.is_empty() || a.windows(b.len()).any(|w| w == b))
            }
            Kind::Prefix(a, b, n) => {
                let (a, b) = (self.expr(a), self.expr(b));
                // A text ends with NUL, which is compared too.
                let first = |t: &[u8]| t.iter().copied().chain([0]).take(*n).collect::<Vec<_>>();
                Value::Flag(first(a.text()) == first(b.text()))
            }
            Kind::Same(a, b, equal) => {
                let (a, b) = (self.expr(a), self.expr(b));
                Value::Flag((a == b) == *equal)
            }
            Kind::Strlen(a) => Value::Int(self.expr(a).text().len() as i128),
            Kind::StrAt(base, at, len) => {
                let at = self.int(at) as i64;
                // The NUL counts.
                let len = len.as_deref().map_or(usize::MAX, |l| (self.int(l) as usize).saturating_sub(1));
                let text = world::bytes(*base, at);
                Value::Text(text.into_iter().take(len).take_while(|b| *b != 0).collect())
            }
            _ => Value::zero(&e.ty),
        }
    }

    fn field(&mut self, a: &Expr, n: usize, index: Option<usize>) -> Value {
        let Value::Pointer(base, at) = self.expr(a) else { return Value::Int(0) };
        let Ty::Pointer(s) = a.ty else { return Value::Int(0) };
        let field = &self.p.structs[s].fields[n];
        let size = (field.ty.int().bits / 8) as usize;
        let bytes = world::bytes(base, at + (field.offset + index.unwrap_or(0) * size) as i64);
        if field.ty == Ty::Text {
            let max = field.array.unwrap_or(0);
            return Value::Text(bytes.into_iter().take(max).take_while(|b| *b != 0).collect());
        }
        let raw = bytes.iter().take(size).rev().fold(0, |n, b| n << 8 | i128::from(*b));
        let ty = field.ty.int();
        Value::Int(match field.bits {
            Some((first, width)) => wrap(raw >> first, Int { bits: width, ..ty }),
            None => wrap(raw, ty),
        })
    }

    pub(super) fn exprs(&mut self, of: &[Expr]) -> Vec<Value> {
        of.iter().map(|e| self.expr(e)).collect()
    }

    pub(super) fn int(&mut self, e: &Expr) -> i128 {
        self.expr(e).int()
    }

    pub(super) fn truth(&mut self, e: &Expr) -> bool {
        self.expr(e).truth()
    }
}
