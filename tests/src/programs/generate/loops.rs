//! Loops.

use super::{EXECUTED, Generator, Theme};
use crate::programs::ast::*;

const ROUNDS: [i64; 12] = [1, 2, 3, 5, 5, 8, 10, 10, 16, 64, 100, 300];

impl Generator {
    /// A loop of any kind; `None` when the body would be executed too often.
    pub(super) fn a_loop(&mut self, depth: usize) -> Option<Stmt> {
        let left = (EXECUTED / self.runs.max(1)) as i64;
        let fits: Vec<_> = ROUNDS.into_iter().filter(|n| *n <= left / 4).collect();
        if fits.is_empty() {
            return None;
        }
        let rounds = self.rng.pick(&fits);
        match self.rng.weighted(&[50, 20, 12, 18]) {
            0 => Some(self.range(rounds, depth)),
            1 => Some(self.while_loop(rounds, depth)),
            2 => {
                let rounds = rounds.min(6);
                let outer = (self.breakable, self.continuable);
                (self.breakable, self.continuable) = (false, false);
                let body = self.inside(rounds, None, depth);
                (self.breakable, self.continuable) = outer;
                Some(Stmt::Unroll(rounds as usize, body))
            }
            _ => self.through_map(depth),
        }
    }

    /// Ranges within each other, up to four deep, with conditions in the innermost.
    pub(super) fn nest(&mut self) -> Stmt {
        let shape = self.rng.pick(&[
            &[100, 100][..],
            &[10, 10, 10],
            &[5, 5, 5, 5],
            &[64],
            &[300, 8],
            &[3, 40, 3],
            &[2; 5],
            &[2; 6],
        ]);
        self.nested(shape)
    }

    fn nested(&mut self, shape: &[i64]) -> Stmt {
        let v = self.new_var(Ty::Int(I64), false);
        let to = self.bound(shape[0]);
        let runs = self.runs;
        self.runs *= shape[0] as u64;
        self.scopes.push(vec![v]);
        self.fixed.push(v);
        let outer = (self.breakable, self.continuable);
        (self.breakable, self.continuable) = (true, true);
        let mut body = if self.rng.chance(40) { self.stmts(1, 1) } else { vec![] };
        body.push(if shape.len() > 1 { self.nested(&shape[1..]) } else { self.bit_test(v) });
        if self.rng.chance(40) {
            body.extend(self.stmts(1, 1));
        }
        (self.breakable, self.continuable) = outer;
        self.scopes.pop();
        self.runs = runs;
        Stmt::For(v, Expr::lit(0), to, body)
    }

    /// `if (e & ((uint64)1 << $v)) { … }`
    fn bit_test(&mut self, v: VarId) -> Stmt {
        let e = self.opaque(1);
        let v = Expr { ty: self.p.vars[v].ty.clone(), kind: Kind::Var(v) };
        let bit = Expr::bin(BinOp::Shl, Expr::lit(1).to(U64), v);
        Stmt::If(Expr::bin(BinOp::And, e, bit), self.scoped(1, 1), vec![])
    }

    /// The body of a loop with `v` as its variable.
    fn inside(&mut self, rounds: i64, v: Option<VarId>, depth: usize) -> Vec<Stmt> {
        let runs = self.runs;
        self.runs *= rounds.max(1) as u64;
        self.scopes.push(v.into_iter().collect());
        self.fixed.extend(v);
        let n = self.rng.within(1, if self.theme == Theme::Loops { 4 } else { 3 }) as usize;
        let body = self.stmts(n, depth - 1);
        self.scopes.pop();
        self.runs = runs;
        body
    }

    fn breakable(&mut self, rounds: i64, v: VarId, depth: usize) -> Vec<Stmt> {
        let outer = (self.breakable, self.continuable);
        (self.breakable, self.continuable) = (true, true);
        let body = self.inside(rounds, Some(v), depth);
        (self.breakable, self.continuable) = outer;
        body
    }

    /// A bound: a literal, or something between 0 and `rounds` that is only known when it runs.
    fn bound(&mut self, rounds: i64) -> Expr {
        if rounds < 2 || self.rng.chance(60) {
            return Expr::lit(rounds.into());
        }
        let e = self.opaque(1).to(I64);
        let mask = (1i128 << (rounds as u64).ilog2()) - 1;
        Expr::bin(BinOp::And, e, Expr::lit(mask))
    }

    fn range(&mut self, rounds: i64, depth: usize) -> Stmt {
        let v = self.new_var(Ty::Int(I64), false);
        let (from, to) = if self.rng.chance(70) {
            (Expr::lit(0), self.bound(rounds))
        } else {
            let from = self.rng.within(-3, 40);
            (Expr::lit(from.into()), Expr::lit((from + rounds).into()))
        };
        let body = self.breakable(rounds, v, depth);
        Stmt::For(v, from, to, body)
    }

    fn while_loop(&mut self, rounds: i64, depth: usize) -> Stmt {
        let v = self.new_var(Ty::Int(I64), false);
        let bound = Expr::lit(rounds.into());
        let body = self.breakable(rounds, v, depth);
        self.show(v);
        Stmt::While(v, bound, body)
    }

    /// A loop through a map: what it does is the same in any order of the entries.
    fn through_map(&mut self, depth: usize) -> Option<Stmt> {
        let maps: Vec<_> = (0..self.p.maps.len())
            .filter(|m| {
                let map = &self.p.maps[*m];
                let loopable = matches!(map.holds, Holds::Value(_) | Holds::Count | Holds::Sum(_));
                !map.key.is_empty() && loopable && self.readable(*m)
            })
            .collect();
        if maps.is_empty() {
            return None;
        }
        let m = self.rng.pick(&maps);
        let map = self.p.maps[m].clone();
        let key = if map.key.len() == 1 { map.key[0].clone() } else { Ty::Tuple(map.key) };
        let value = match map.holds {
            Holds::Value(ty) => ty,
            Holds::Sum(ty) => Ty::Int(ty),
            _ => Ty::Int(I64),
        };
        let v = self.new_var(Ty::Tuple(vec![key, value]), false);
        let (breakable, continuable, free) = (self.breakable, self.continuable, self.free_from);
        let total = self.total();
        (self.breakable, self.continuable) = (false, true);
        self.free_from = free.or(Some(self.scopes.len()));
        self.busy.push(m);
        self.hidden.extend(total);
        let mut body = self.inside(32, Some(v), depth);
        if let Some(total) = total {
            let at = if self.rng.chance(50) { 0 } else { body.len() };
            body.insert(at, self.sum_up(total, v));
            self.hidden.pop();
        }
        self.busy.pop();
        (self.breakable, self.continuable, self.free_from) = (breakable, continuable, free);
        Some(Stmt::ForMap(v, m, body))
    }

    /// A variable for what a loop through a map sums up.
    fn total(&mut self) -> Option<VarId> {
        let vars = self.assignable(|ty| ty.is_int() && ty.int().bits == 64);
        (!vars.is_empty()).then(|| self.rng.pick(&vars))
    }

    /// `$total += …;`, by an operator for which the order does not matter, of what the entry says.
    fn sum_up(&mut self, total: VarId, entry: VarId) -> Stmt {
        let op = self.rng.pick(&[BinOp::Add, BinOp::Xor, BinOp::Or, BinOp::And]);
        let ty = self.p.vars[total].ty.int();
        self.scopes.push(vec![entry]);
        let e = self.opaque(1).to(ty);
        self.scopes.pop();
        Stmt::Assign(total, Some(op), e)
    }
}
