//! The shapes of whole programs.

use super::{Generator, Theme};
use crate::programs::ast::*;

impl Generator {
    pub(super) fn program(&mut self) {
        let traced = match self.theme {
            Theme::Memory | Theme::Headers => true,
            Theme::Strings | Theme::Variables => self.rng.chance(70),
            _ => self.rng.chance(30),
        };
        self.sources();
        if traced {
            self.structs();
            let calls = self.rng.within(1, 3);
            self.p.calls = (0..calls)
                .map(|_| [self.rng.next(), self.rng.next() >> 40, self.rng.below(9) as u64])
                .collect();
        }
        self.targets();
        let body = match self.theme {
            Theme::Variables => self.many_variables(),
            Theme::Tables => self.many_tables(),
            Theme::Conditions => self.many_conditions(),
            Theme::Loops => {
                let n = self.rng.within(1, 3) as usize;
                let mut out = self.stmts(n, 4);
                if self.rng.chance(60) {
                    out.push(self.nest());
                }
                out
            }
            _ => {
                let n = self.rng.within(4, 10) as usize;
                self.stmts(n, 2)
            }
        };
        self.p.body.extend(body);
        let last = self.printf(2);
        self.p.body.push(last);
    }

    /// Up to 70 variables that all live until they are summed up.
    fn many_variables(&mut self) -> Vec<Stmt> {
        let n = self.rng.within(30, 70);
        let mut out: Vec<_> = (0..n)
            .map(|_| {
                let (ty, declared) = if self.rng.chance(70) { (I64, false) } else { (self.any_int(), true) };
                self.variable(Ty::Int(ty), declared)
            })
            .collect();
        let ints: Vec<_> = self.visible();
        out.extend(self.stmts(3, 2));
        let var = |g: &Self, v: VarId| Expr { ty: g.p.vars[v].ty.clone(), kind: Kind::Var(v) };
        let mut sum = var(self, ints[0]).to(I64);
        for v in &ints[1..] {
            sum = Expr::bin(BinOp::Add, sum, var(self, *v));
        }
        out.push(Stmt::Print(sum.to(I64)));
        out
    }

    /// Up to 72 maps without keys beside the others.
    fn many_tables(&mut self) -> Vec<Stmt> {
        let n = self.rng.within(20, 72);
        let mut out = vec![];
        for _ in 0..n {
            let holds = self.gathering();
            let m = self.new_map(vec![], holds);
            let first = self.first(m);
            self.p.setup.push(first);
            out.push(self.gather(m));
        }
        out.extend(self.stmts(3, 2));
        out
    }

    /// A printf with up to 32 conditions, several ifs in a row.
    fn many_conditions(&mut self) -> Vec<Stmt> {
        let n = self.rng.within(8, 32) as usize;
        let mut out = self.stmts(2, 1);
        let parts = (0..n)
            .map(|_| {
                let c = self.test(1);
                let a = self.opaque(1).to(I64);
                let b = Expr { ty: Ty::Int(I64), kind: Kind::Lit(self.rng.within(0, 99).into()) };
                let e = Expr { ty: Ty::Int(I64), kind: Kind::Cond(c.into(), a.into(), b.into()) };
                (" ".to_owned(), Conversion { letter: 'd', bits: 64, width: 0, zeros: false }, e)
            })
            .collect();
        out.push(Stmt::Printf(parts));
        for _ in 0..self.rng.within(2, 12) {
            let (c, then) = (self.test(2), self.gather_something());
            out.push(Stmt::If(c, vec![then], vec![]));
        }
        out
    }
}
