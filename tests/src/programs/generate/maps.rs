//! Maps: those that other probes fill, and those that the program works on.

use super::{Generator, Theme};
use crate::programs::ast::*;
use crate::programs::world;

/// Keys that sources have: 0 to 7.
const KEYS: i128 = 8;

impl Generator {
    /// Maps with content that the compiler does not know.
    pub(super) fn sources(&mut self) {
        for i in 0..3 {
            let ty = if i == 1 { U64 } else { I64 };
            let m = self.new_map(vec![], Holds::Value(Ty::Int(ty)));
            let n = self.literal().to(ty);
            self.p.setup.push(Stmt::Store(m, vec![], None, n));
        }
        let ints = self.new_map(vec![Ty::Int(I64)], Holds::Value(Ty::Int(I64)));
        let texts = self.new_map(vec![Ty::Int(I64)], Holds::Value(Ty::Text));
        for k in 0..KEYS {
            let key = || vec![Expr::lit(k).to(I64)];
            let n = self.literal().to(I64);
            self.p.setup.push(Stmt::Store(ints, key(), None, n));
            if k % 2 == 0 {
                let text = Expr { ty: Ty::Text, kind: Kind::Text(world::text(self.rng.below(40))) };
                self.p.setup.push(Stmt::Store(texts, key(), None, text));
            }
        }
    }

    /// Maps that the body works on.
    pub(super) fn targets(&mut self) {
        let n = self.rng.within(2, 5);
        for _ in 0..n {
            let m = self.target();
            let first = self.first(m);
            self.p.setup.push(first);
        }
    }

    pub(super) fn target(&mut self) -> MapId {
        let key = self.key_type();
        let holds = if self.rng.chance(45) { Holds::Value(self.value_type()) } else { self.gathering() };
        self.new_map(key, holds)
    }

    /// The first entry: a map that is only read would have no type.
    pub(super) fn first(&mut self, m: MapId) -> Stmt {
        let key = self.cheap_key(m);
        match self.p.maps[m].holds.clone() {
            Holds::Value(ty) => {
                let e = self.constant(&ty);
                Stmt::Store(m, key, None, e)
            }
            Holds::Count => Stmt::Gather(m, key, None),
            Holds::Sum(ty) | Holds::Min(ty) | Holds::Max(ty) => {
                Stmt::Gather(m, key, Some(Expr::lit(5).to(ty)))
            }
            _ => Stmt::Gather(m, key, Some(Expr::lit(7).to(I64))),
        }
    }

    fn constant(&mut self, ty: &Ty) -> Expr {
        match ty {
            Ty::Int(i) => self.literal().to(*i),
            Ty::Bool => Expr { ty: Ty::Bool, kind: Kind::Flag(self.rng.chance(50)) },
            Ty::Tuple(of) => {
                let of = of.iter().map(|ty| self.constant(ty)).collect();
                Expr { ty: ty.clone(), kind: Kind::Tuple(of) }
            }
            _ => self.part_of_text(),
        }
    }

    fn key_type(&mut self) -> Vec<Ty> {
        let n = self.rng.weighted(&[20, 50, 20, 8]);
        (0..n)
            .map(|_| {
                match self.rng.weighted(&[50, 20, if self.theme == Theme::Strings { 60 } else { 15 }, 8, 6]) {
                    0 => Ty::Int(self.rng.pick(&[I64, U64])),
                    1 => Ty::Int(self.any_int()),
                    2 => Ty::Text,
                    3 => Ty::Bool,
                    _ => Ty::Tuple(vec![Ty::Int(I64), self.rng.pick(&[Ty::Text, Ty::Int(U64)])]),
                }
            })
            .collect()
    }

    fn value_type(&mut self) -> Ty {
        match self.rng.weighted(&[40, 20, if self.theme == Theme::Strings { 30 } else { 8 }, 12, 5]) {
            0 => Ty::Int(I64),
            1 => Ty::Int(U64),
            2 => Ty::Text,
            3 => self.tuple_type(),
            _ => Ty::Bool,
        }
    }

    /// Two or three parts.
    pub(super) fn tuple_type(&mut self) -> Ty {
        let n = self.rng.within(2, 3);
        let part = |g: &mut Self| match g.rng.weighted(&[50, 20, 20, 10]) {
            0 => Ty::Int(I64),
            1 => Ty::Int(g.any_int()),
            2 => Ty::Text,
            _ => Ty::Bool,
        };
        Ty::Tuple((0..n).map(|_| part(self)).collect())
    }

    pub(super) fn gathering(&mut self) -> Holds {
        let ty = self.rng.pick(&[I64, U64]);
        match self.rng.below(9) {
            0 | 1 => Holds::Count,
            2 => Holds::Sum(ty),
            3 => Holds::Min(ty),
            4 => Holds::Max(ty),
            5 => Holds::Avg,
            6 => Holds::Stats,
            7 => Holds::Hist(self.rng.pick(&[0, 0, 0, 2, 5])),
            _ => {
                let (min, step) = (self.rng.within(-20, 20), self.rng.within(1, 9));
                Holds::Lhist(min, min + step * self.rng.within(1, 12), step)
            }
        }
    }

    /// Whether a map may be read here: in a loop through a map only what the loop does not change.
    pub(super) fn readable(&self, m: MapId) -> bool {
        let value = matches!(self.p.maps[m].holds, Holds::Value(_));
        !self.busy.contains(&m) && (value || self.free_from.is_none())
    }

    fn maps(&self, fits: impl Fn(&Map) -> bool) -> Vec<MapId> {
        (0..self.p.maps.len()).filter(|m| self.readable(*m) && fits(&self.p.maps[*m])).collect()
    }

    /// A key of the map: small numbers, so that keys meet.
    pub(super) fn key(&mut self, m: MapId) -> Vec<Expr> {
        let types = self.p.maps[m].key.clone();
        types.iter().map(|ty| self.key_part(ty)).collect()
    }

    fn key_part(&mut self, ty: &Ty) -> Expr {
        match ty {
            Ty::Int(i) => {
                let e = if self.rng.chance(20) {
                    Expr::lit(self.rng.within(0, 7).into())
                } else {
                    let e = self.opaque(1);
                    Expr::bin(BinOp::And, e, Expr::lit(self.rng.pick(&[1, 3, 7, 15])))
                };
                e.to(*i)
            }
            Ty::Tuple(of) => {
                let of = of.iter().map(|ty| self.key_part(ty)).collect();
                Expr { ty: ty.clone(), kind: Kind::Tuple(of) }
            }
            ty => self.expr(ty, 1),
        }
    }

    /// An integer from a map.
    pub(super) fn map_int(&mut self) -> Expr {
        let int = |m: &Map| match &m.holds {
            Holds::Value(ty) => ty.is_int(),
            Holds::Count | Holds::Sum(_) | Holds::Min(_) | Holds::Max(_) | Holds::Avg => true,
            Holds::Stats | Holds::Hist(_) | Holds::Lhist(..) => false,
        };
        let maps = self.maps(int);
        if maps.is_empty() {
            return self.literal();
        }
        let m = self.rng.pick(&maps);
        let kind = Kind::Map(m, self.cheap_key(m));
        match self.p.maps[m].holds.clone() {
            Holds::Value(ty) => Expr { ty, kind },
            Holds::Sum(ty) | Holds::Min(ty) | Holds::Max(ty) => self.cast_of_map(ty, kind),
            _ => self.cast_of_map(I64, kind),
        }
    }

    fn cast_of_map(&self, ty: Int, kind: Kind) -> Expr {
        let read = Expr { ty: Ty::Int(ty), kind };
        Expr { ty: Ty::Int(ty), kind: Kind::Cast(read.into()) }
    }

    /// A key without reads of further maps.
    fn cheap_key(&mut self, m: MapId) -> Vec<Expr> {
        let types = self.p.maps[m].key.clone();
        let vars = self.visible();
        let vars: Vec<_> = vars.into_iter().filter(|v| self.p.vars[*v].ty.is_int()).collect();
        types.iter().map(|ty| self.cheap_part(&vars, ty)).collect()
    }

    fn cheap_part(&mut self, vars: &[VarId], ty: &Ty) -> Expr {
        match ty {
            Ty::Int(i) if !vars.is_empty() && self.rng.chance(70) => {
                let v = self.rng.pick(vars);
                let e = Expr { ty: self.p.vars[v].ty.clone(), kind: Kind::Var(v) };
                Expr::bin(BinOp::And, e, Expr::lit(7)).to(*i)
            }
            Ty::Int(i) => Expr::lit(self.rng.within(0, 7).into()).to(*i),
            Ty::Bool => Expr { ty: Ty::Bool, kind: Kind::Flag(self.rng.chance(50)) },
            Ty::Tuple(of) => {
                let of = of.iter().map(|ty| self.cheap_part(vars, ty)).collect();
                Expr { ty: ty.clone(), kind: Kind::Tuple(of) }
            }
            _ => self.part_of_text(),
        }
    }

    /// A string from a map, or a literal.
    pub(super) fn map_text(&mut self) -> Expr {
        let maps = self.maps(|m| m.holds == Holds::Value(Ty::Text));
        if maps.is_empty() {
            return self.part_of_text();
        }
        let m = self.rng.pick(&maps);
        Expr { ty: Ty::Text, kind: Kind::Map(m, self.cheap_key(m)) }
    }

    pub(super) fn has_key(&mut self) -> Expr {
        let maps = self.maps(|m| !m.key.is_empty());
        if maps.is_empty() {
            return Expr::cmp(CmpOp::Gt, self.source(), Expr::lit(3));
        }
        let m = self.rng.pick(&maps);
        Expr { ty: Ty::Bool, kind: Kind::HasKey(m, self.cheap_key(m)) }
    }

    /// Maps that a statement may change here.
    pub(super) fn changeable(&self, gathering: bool) -> Vec<MapId> {
        let fits = |m: &MapId| {
            let value = matches!(self.p.maps[*m].holds, Holds::Value(_));
            !self.busy.contains(m) && value != gathering && (gathering || self.free_from.is_none())
        };
        (0..self.p.maps.len()).filter(fits).collect()
    }
}
