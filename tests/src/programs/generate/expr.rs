//! Expressions.

use super::{Generator, Theme};
use crate::programs::ast::*;

const OPS: [BinOp; 10] = [
    BinOp::Add,
    BinOp::Sub,
    BinOp::Mul,
    BinOp::And,
    BinOp::Or,
    BinOp::Xor,
    BinOp::Div,
    BinOp::Rem,
    BinOp::Shl,
    BinOp::Shr,
];
const CMPS: [CmpOp; 6] = [CmpOp::Eq, CmpOp::Ne, CmpOp::Lt, CmpOp::Le, CmpOp::Gt, CmpOp::Ge];

impl Generator {
    /// An expression of this type.
    pub(super) fn expr(&mut self, ty: &Ty, depth: usize) -> Expr {
        match ty {
            Ty::Int(i) => self.int(depth).to(*i),
            Ty::Bool => self.flag(depth),
            Ty::Text => self.text(depth),
            Ty::Tuple(of) => {
                let of: Vec<_> = of.iter().map(|t| self.expr(t, depth.saturating_sub(1))).collect();
                Expr { ty: ty.clone(), kind: Kind::Tuple(of) }
            }
            Ty::Pointer(s) => self.pointer(*s),
        }
    }

    /// An integer of any type.
    pub(super) fn int(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf();
        }
        match self.rng.weighted(&[30, 42, 12, 3, 3, 7, 3, 2, self.text_weight()]) {
            0 => self.leaf(),
            1 => self.arithmetic(depth),
            2 => {
                let (e, ty) = (self.opaque(depth - 1), self.any_int());
                Expr { ty: Ty::Int(ty), kind: Kind::Cast(e.into()) }
            }
            3 => {
                let e = self.opaque(depth - 1);
                Expr { ty: Ty::Int(I64), kind: Kind::Neg(e.into()) }
            }
            4 => {
                let e = self.opaque(depth - 1);
                let signed = e.ty.int().signed;
                Expr { ty: Ty::Int(Int { bits: 64, signed }), kind: Kind::Flip(e.into()) }
            }
            5 => self.choice(depth),
            6 => {
                let c = self.flag(depth - 1);
                Expr { ty: Ty::Int(U64), kind: Kind::Cast(c.into()) }
            }
            7 => self.len(),
            _ => {
                let t = self.text(1);
                let strlen = Expr { ty: Ty::Int(U64), kind: Kind::Strlen(t.into()) };
                Expr { ty: Ty::Int(I64), kind: Kind::Cast(strlen.into()) }
            }
        }
    }

    fn text_weight(&self) -> usize {
        if self.theme == Theme::Strings { 12 } else { 1 }
    }

    /// `c ? a : b` of one type.
    fn choice(&mut self, depth: usize) -> Expr {
        let c = self.flag(depth - 1);
        let ty = self.rng.pick(&[I64, I64, U64]);
        let a = self.opaque(depth - 1).to(ty);
        let b = self.int(depth - 1);
        // A literal takes the other branch's type.
        let b = if matches!(b.kind, Kind::Lit(0..=100)) { Expr { ty: a.ty.clone(), ..b } } else { b.to(ty) };
        Expr { ty: Ty::Int(ty), kind: Kind::Cond(c.into(), a.into(), b.into()) }
    }

    fn len(&mut self) -> Expr {
        let maps: Vec<_> =
            (0..self.p.maps.len()).filter(|m| !self.p.maps[*m].key.is_empty() && self.readable(*m)).collect();
        if maps.is_empty() {
            return self.leaf();
        }
        let len = Expr { ty: Ty::Int(U64), kind: Kind::Len(self.rng.pick(&maps)) };
        Expr { ty: Ty::Int(I64), kind: Kind::Cast(len.into()) }
    }

    pub(super) fn any_int(&mut self) -> Int {
        Int { bits: self.rng.pick(&[8, 16, 32, 64]), signed: self.rng.chance(50) }
    }

    fn arithmetic(&mut self, depth: usize) -> Expr {
        let op = OPS[self.rng.weighted(&[20, 14, 10, 12, 8, 12, 6, 6, 6, 8])];
        let a = self.opaque(depth - 1);
        let b = match op {
            BinOp::Shl | BinOp::Shr => self.shift(depth),
            BinOp::Div | BinOp::Rem if self.rng.chance(75) => {
                let n = self.rng.pick(&[1, 2, 3, 7, 8, 10, 60, 256, 1000, 65535]);
                Expr::lit(n)
            }
            // A zero in the text is an error.
            BinOp::Div | BinOp::Rem => self.opaque(depth - 1),
            _ => self.int(depth - 1),
        };
        if self.rng.chance(15) && !matches!(op, BinOp::Shl | BinOp::Shr | BinOp::Div | BinOp::Rem) {
            return Expr::bin(op, b, a);
        }
        Expr::bin(op, a, b)
    }

    /// A count of bits.
    fn shift(&mut self, depth: usize) -> Expr {
        if self.rng.chance(60) {
            return Expr::lit(self.rng.within(0, 63).into());
        }
        let e = self.opaque(depth - 1).to(U64);
        if self.rng.chance(50) { Expr::bin(BinOp::And, e, Expr::lit(31)) } else { e }
    }

    pub(super) fn literal(&mut self) -> Expr {
        let n = match self.rng.below(10) {
            0..=4 => self.rng.within(0, 20).into(),
            5 => self.rng.within(-20, -1).into(),
            6 | 7 => self.rng.within(21, 70_000).into(),
            8 => i128::from(1u64 << self.rng.below(63)),
            _ => (self.rng.next() >> 1).into(),
        };
        Expr::lit(n)
    }

    /// An integer that the compiler does not know.
    pub(super) fn opaque(&mut self, depth: usize) -> Expr {
        for _ in 0..4 {
            let e = self.int(depth);
            if !matches!(e.kind, Kind::Lit(_)) {
                return e;
            }
        }
        self.source()
    }

    fn leaf(&mut self) -> Expr {
        if self.rng.chance(22) {
            return self.literal();
        }
        let mut of = vec![];
        for v in self.visible() {
            let ty = self.p.vars[v].ty.clone();
            self.ints_in(Expr { ty, kind: Kind::Var(v) }, &mut of);
        }
        if of.is_empty() || self.rng.chance(35) { self.source() } else { self.rng.pick(&of) }
    }

    /// The integers in a value: itself, a tuple's parts, some of a struct's fields.
    fn ints_in(&mut self, e: Expr, of: &mut Vec<Expr>) {
        match e.ty.clone() {
            Ty::Int(_) => of.push(e),
            Ty::Tuple(parts) => {
                for (i, ty) in parts.into_iter().enumerate() {
                    self.ints_in(Expr { ty, kind: Kind::Part(e.clone().into(), i) }, of);
                }
            }
            Ty::Pointer(_) => of.extend(self.field_of(e, |f| f.ty.is_int())),
            _ => {}
        }
    }

    /// An integer from outside the program: a map that another probe fills, an argument, memory.
    pub(super) fn source(&mut self) -> Expr {
        let memory = match self.theme {
            Theme::Memory | Theme::Headers => 60,
            _ => 10,
        };
        match self.rng.weighted(&[30, 20, memory]) {
            1 if self.traced() => {
                let arg = self.rng.within(3, 5) as usize;
                Expr { ty: Ty::Int(U64), kind: Kind::Arg(arg) }
            }
            2 if self.traced() => self.memory_int(),
            _ => self.map_int(),
        }
    }

    /// A condition.
    pub(super) fn flag(&mut self, depth: usize) -> Expr {
        let deeper = depth.saturating_sub(1);
        let boolean = |kind| Expr { ty: Ty::Bool, kind };
        let text = if self.theme == Theme::Strings { 40 } else { 5 };
        match self.rng.weighted(&[45, 6 * depth, 6 * depth, 8, 6, text]) {
            1 => boolean(Kind::All(self.test(deeper).into(), self.test(deeper).into())),
            2 => boolean(Kind::Any(self.test(deeper).into(), self.test(deeper).into())),
            3 => boolean(Kind::Not(self.test(deeper).into())),
            4 => self.has_key(),
            5 => self.text_flag(deeper),
            _ => {
                let (a, b, op) = (self.opaque(deeper), self.int(deeper), self.rng.pick(&CMPS));
                Expr::cmp(op, a, b)
            }
        }
    }

    /// A condition, or an integer that stands for one.
    pub(super) fn test(&mut self, depth: usize) -> Expr {
        if self.rng.chance(20) {
            let e = self.opaque(depth);
            return Expr::bin(BinOp::And, e, Expr::lit(1 << self.rng.below(12)));
        }
        self.flag(depth)
    }

    fn text_flag(&mut self, depth: usize) -> Expr {
        let (a, b) = (self.text(depth), self.text(0));
        let kind = match self.rng.below(4) {
            0 => Kind::Contains(a.into(), b.into()),
            1 => {
                let part = self.part_of_text();
                Kind::Contains(a.into(), part.into())
            }
            2 => Kind::Prefix(a.into(), b.into(), self.rng.within(1, 12) as usize),
            _ => Kind::Same(a.into(), b.into(), self.rng.chance(50)),
        };
        Expr { ty: Ty::Bool, kind }
    }

    /// A string.
    pub(super) fn text(&mut self, depth: usize) -> Expr {
        let of: Vec<_> = self.visible().into_iter().filter(|v| self.p.vars[*v].ty == Ty::Text).collect();
        let var = if of.is_empty() { 0 } else { 30 };
        let memory = if self.traced() { 30 } else { 0 };
        match self.rng.weighted(&[20, var, memory, 20, 8 * depth.min(1), memory / 6]) {
            1 => Expr { ty: Ty::Text, kind: Kind::Var(self.rng.pick(&of)) },
            2 => self.memory_text(),
            3 => self.map_text(),
            4 => {
                let (c, a, b) = (self.flag(depth - 1), self.text(depth - 1), self.text(depth - 1));
                Expr { ty: Ty::Text, kind: Kind::Cond(c.into(), a.into(), b.into()) }
            }
            5 => Expr { ty: Ty::Text, kind: Kind::Comm },
            _ => self.part_of_text(),
        }
    }
}
