//! Statements.

use super::{Generator, PRINTED, Theme};
use crate::programs::ast::*;

/// Operators of compound assignments; those from the front give the same in any order.
const COMPOUND: [BinOp; 8] =
    [BinOp::Add, BinOp::Xor, BinOp::Or, BinOp::And, BinOp::Sub, BinOp::Mul, BinOp::Shr, BinOp::Rem];

impl Generator {
    /// Up to `n` statements.
    pub(super) fn stmts(&mut self, n: usize, depth: usize) -> Vec<Stmt> {
        let mut out = vec![];
        for _ in 0..n {
            out.extend(self.stmt(depth));
        }
        if out.is_empty() {
            out.push(self.gather_something());
        }
        out
    }

    fn stmt(&mut self, depth: usize) -> Option<Stmt> {
        let nested = if depth == 0 { 0 } else { 1 };
        let loops = nested * if self.theme == Theme::Loops { 45 } else { 14 };
        let print = if self.may_print() { 12 } else { 0 };
        let leave = if self.continuable { 7 } else { 0 };
        let once = usize::from(self.free_from.is_none());
        match self.rng.weighted(&[14, 16, 7, 16, 18, print, 14 * nested, loops, leave, 4 * once, once]) {
            0 => Some(self.new_variable()),
            1 => self.assign(),
            2 => self.step(),
            3 => self.store(),
            4 => Some(self.gather_something()),
            5 => Some(self.print()),
            6 => Some(self.branch(depth)),
            7 => self.a_loop(depth),
            8 => {
                let leave = if self.breakable && self.rng.chance(50) { Stmt::Break } else { Stmt::Continue };
                Some(Stmt::If(self.test(2), vec![leave], vec![]))
            }
            9 => self.delete(),
            _ => Some(Stmt::If(self.test(2), vec![Stmt::Return], vec![])),
        }
    }

    fn may_print(&self) -> bool {
        self.free_from.is_none() && self.runs <= PRINTED
    }

    pub(super) fn new_variable(&mut self) -> Stmt {
        let pointer = if self.traced() && !self.p.structs.is_empty() { 15 } else { 0 };
        let text = if self.theme == Theme::Strings { 30 } else { 8 };
        let (ty, declared) = match self.rng.weighted(&[40, 20, text, 10, pointer, 8]) {
            0 => (Ty::Int(self.rng.pick(&[I64, U64])), false),
            1 => (Ty::Int(self.any_int()), true),
            2 => (Ty::Text, false),
            3 => (self.tuple_type(), false),
            5 => (Ty::Int(self.any_int()), false),
            _ => (Ty::Pointer(self.rng.below(self.p.structs.len())), false),
        };
        self.variable(ty, declared)
    }

    pub(super) fn variable(&mut self, ty: Ty, declared: bool) -> Stmt {
        let e = self.expr(&ty, 2);
        let v = self.new_var(ty, declared);
        self.show(v);
        Stmt::Let(v, e)
    }

    fn assign(&mut self) -> Option<Stmt> {
        let vars = self.assignable(|ty| !matches!(ty, Ty::Pointer(_)));
        if vars.is_empty() {
            return None;
        }
        let v = self.rng.pick(&vars);
        let ty = self.p.vars[v].ty.clone();
        // What is inferred would widen.
        let wide = ty.is_int() && (ty.int().bits == 64 || self.p.vars[v].declared);
        let op = (wide && self.rng.chance(50)).then(|| self.compound(ty.int()));
        let e = self.operand_of(op, &ty);
        Some(Stmt::Assign(v, op, e))
    }

    /// An operator whose result has the place's sign.
    fn compound(&mut self, ty: Int) -> BinOp {
        let op = self.rng.pick(&COMPOUND);
        if op == BinOp::Sub && !ty.signed { BinOp::Add } else { op }
    }

    fn operand_of(&mut self, op: Option<BinOp>, ty: &Ty) -> Expr {
        match op {
            Some(BinOp::Shr) => Expr::lit(self.rng.within(0, 63).into()),
            Some(BinOp::Rem) => Expr::lit(self.rng.within(1, 1000).into()),
            _ => self.expr(ty, 2),
        }
    }

    fn step(&mut self) -> Option<Stmt> {
        // An unsigned one of 64 bits that is counted down becomes signed.
        let vars = self.assignable(|ty| ty.is_int());
        if vars.is_empty() {
            return None;
        }
        let v = self.rng.pick(&vars);
        let var = &self.p.vars[v];
        let (signed, declared) = (var.ty.int().signed, var.declared);
        let up = !signed && !declared || self.rng.chance(60);
        if !declared {
            // Counting widens what is inferred.
            self.p.vars[v].ty = Ty::Int(Int { bits: 64, signed });
        }
        Some(Stmt::Step(v, up))
    }

    fn store(&mut self) -> Option<Stmt> {
        let maps = self.changeable(false);
        if maps.is_empty() {
            return None;
        }
        let m = self.rng.pick(&maps);
        let Holds::Value(ty) = self.p.maps[m].holds.clone() else { return None };
        let key = self.key(m);
        if ty.is_int() && self.rng.chance(20) {
            return Some(Stmt::StepMap(m, key, !ty.int().signed || self.rng.chance(60)));
        }
        let op = (ty.is_int() && self.rng.chance(40)).then(|| self.compound(ty.int()));
        let e = self.operand_of(op, &ty);
        Some(Stmt::Store(m, key, op, e))
    }

    pub(super) fn gather_something(&mut self) -> Stmt {
        let maps = self.changeable(true);
        let m = if maps.is_empty() {
            let holds = self.gathering();
            let m = self.new_map(vec![], holds);
            let first = self.first(m);
            self.p.setup.push(first);
            m
        } else {
            self.rng.pick(&maps)
        };
        self.gather(m)
    }

    pub(super) fn gather(&mut self, m: MapId) -> Stmt {
        let key = self.key(m);
        let e = match self.p.maps[m].holds.clone() {
            Holds::Count => None,
            Holds::Sum(ty) | Holds::Min(ty) | Holds::Max(ty) => Some(self.int(2).to(ty)),
            Holds::Lhist(..) => {
                let e = self.int(1).to(I64);
                Some(Expr::bin(BinOp::Rem, e, Expr::lit(100)))
            }
            _ => {
                let e = self.int(2).to(I64);
                // Sums of these must not overflow.
                Some(Expr::bin(BinOp::Rem, e, Expr::lit(1_000_000)))
            }
        };
        Stmt::Gather(m, key, e)
    }

    pub(super) fn print(&mut self) -> Stmt {
        if self.rng.chance(25) {
            let e = match self.rng.below(4) {
                0 => self.flag(2),
                1 => self.text(1),
                2 => {
                    let ty = self.tuple_type();
                    self.expr(&ty, 2)
                }
                _ => self.opaque(2).to(I64),
            };
            // A map by itself is printed as a map, not as a value.
            let e = if matches!(e.kind, Kind::Map(..)) { self.part_of_text() } else { e };
            return Stmt::Print(e);
        }
        let n = self.rng.within(1, 4) as usize;
        self.printf(n)
    }

    pub(super) fn printf(&mut self, n: usize) -> Stmt {
        let text = |g: &mut Self| g.rng.pick(&["", " ", "x=", " [", "-", ", ", "a b "]).to_owned();
        let parts = (0..n)
            .map(|_| {
                let (c, e) = self.argument();
                (text(self), c, e)
            })
            .collect();
        Stmt::Printf(parts)
    }

    fn argument(&mut self) -> (Conversion, Expr) {
        let texts = if self.theme == Theme::Strings { 45 } else { 15 };
        let width = if self.rng.chance(25) { self.rng.within(-12, 24) as i32 } else { 0 };
        if self.rng.chance(texts) {
            let e = if self.rng.chance(80) { self.text(1) } else { self.flag(2) };
            return (Conversion { letter: 's', bits: 64, width, zeros: false }, e);
        }
        let letter = self.rng.pick(&['d', 'd', 'u', 'x']);
        let bits = self.rng.pick(&[64, 64, 64, 32, 16, 8]);
        let zeros = width > 0 && self.rng.chance(30);
        let e = self.int(3);
        (Conversion { letter, bits, width, zeros }, e)
    }

    fn branch(&mut self, depth: usize) -> Stmt {
        let c = self.test(2);
        let n = self.rng.within(1, 3) as usize;
        let yes = self.scoped(n, depth - 1);
        let no = if self.rng.chance(45) { self.scoped(n, depth - 1) } else { vec![] };
        Stmt::If(c, yes, no)
    }

    /// A block's statements.
    pub(super) fn scoped(&mut self, n: usize, depth: usize) -> Vec<Stmt> {
        self.scopes.push(vec![]);
        let stmts = self.stmts(n, depth);
        self.scopes.pop();
        stmts
    }

    fn delete(&mut self) -> Option<Stmt> {
        let maps = [self.changeable(false), self.changeable(true)].concat();
        let maps: Vec<_> = maps.into_iter().filter(|m| !self.p.maps[*m].key.is_empty()).collect();
        if maps.is_empty() {
            return None;
        }
        let m = self.rng.pick(&maps);
        Some(Stmt::Delete(m, self.key(m)))
    }
}
