//! Memory: structs at any address, texts, network headers.

use super::{Generator, Theme};
use crate::programs::ast::*;
use crate::programs::world;

impl Generator {
    /// The structs that the program knows.
    pub(super) fn structs(&mut self) {
        for i in 0..2 {
            let s = self.own_struct(i);
            self.p.structs.push(s);
        }
        if self.theme == Theme::Headers {
            self.p.structs.extend(headers());
        }
    }

    fn own_struct(&mut self, i: usize) -> Struct {
        let mut s = Struct { name: format!("own{i}"), fields: vec![], size: 0, known: false };
        let mut align = 1;
        for n in 0..self.rng.within(2, 7) {
            let text = self.rng.chance(12);
            let ty = if text { Ty::Text } else { Ty::Int(self.any_int()) };
            let size = if text { 1 } else { (ty.int().bits / 8) as usize };
            let array = (text || self.rng.chance(12)).then(|| self.rng.within(2, 6) as usize);
            let offset = s.size.next_multiple_of(size);
            s.size = offset + size * array.unwrap_or(1);
            align = align.max(size);
            s.fields.push(Field { name: format!("f{n}"), ty, array, offset, bits: None });
        }
        s.size = s.size.next_multiple_of(align);
        s
    }

    /// A pointer to such a struct, at any address.
    pub(super) fn pointer(&mut self, s: StructId) -> Expr {
        let size = self.p.structs[s].size;
        let base = if size <= 12 && self.rng.chance(20) { Base::Name } else { Base::Buffer };
        let at = match (base, frame_offset(&self.p.structs[s])) {
            (Base::Buffer, Some(at)) => Expr::lit(at as i128),
            (Base::Name, _) => Expr::lit(self.rng.within(0, 16 - size as i64).into()),
            _ if self.rng.chance(60) => Expr::lit(self.rng.within(0, 900).into()),
            _ => {
                let e = self.opaque(1).to(U64);
                let mask = self.rng.pick(&[1, 7, 63, 255]);
                let odd = Expr::lit(self.rng.within(0, 9).into());
                Expr::bin(BinOp::Add, Expr::bin(BinOp::And, e, Expr::lit(mask)), odd)
            }
        };
        Expr { ty: Ty::Pointer(s), kind: Kind::Pointer(base, at.into()) }
    }

    /// Some field of what a pointer points to.
    pub(super) fn field_of(&mut self, pointer: Expr, fits: impl Fn(&Field) -> bool) -> Option<Expr> {
        let Ty::Pointer(s) = pointer.ty else { return None };
        let fields: Vec<_> = self.p.structs[s].fields.iter().cloned().enumerate().collect();
        let fields: Vec<_> = fields.into_iter().filter(|(_, f)| fits(f)).collect();
        if fields.is_empty() {
            return None;
        }
        let (n, field) = self.rng.pick(&fields);
        let index = if field.ty.is_int() { field.array.map(|n| self.rng.below(n)) } else { None };
        Some(Expr { ty: field.ty, kind: Kind::Field(pointer.into(), n, index) })
    }

    /// An integer in memory.
    pub(super) fn memory_int(&mut self) -> Expr {
        if self.p.structs.is_empty() {
            return self.map_int();
        }
        let s = self.rng.below(self.p.structs.len());
        let pointer = self.pointer_somewhere(s);
        match self.field_of(pointer, |f| f.ty.is_int()) {
            Some(e) => e,
            None => self.map_int(),
        }
    }

    /// A variable that points to it, or an address of its own.
    fn pointer_somewhere(&mut self, s: StructId) -> Expr {
        let ty = Ty::Pointer(s);
        let vars = self.visible();
        let vars: Vec<_> = vars.into_iter().filter(|v| self.p.vars[*v].ty == ty).collect();
        if !vars.is_empty() && self.rng.chance(60) {
            return Expr { ty, kind: Kind::Var(self.rng.pick(&vars)) };
        }
        // Below the depth of expressions: a literal address, so that addresses do not nest without end.
        let at = frame_offset(&self.p.structs[s]).map_or_else(|| self.rng.within(0, 900), |at| at as i64);
        Expr { ty, kind: Kind::Pointer(Base::Buffer, Expr::lit(at.into()).into()) }
    }

    /// A text in the buffer, or a part of one, or of the task's name.
    pub(super) fn memory_text(&mut self) -> Expr {
        let len = match self.rng.below(10) {
            0..=2 => Some(Expr::lit(self.rng.within(1, 40).into()).into()),
            3 => {
                let e = self.map_int().to(I64);
                let some = Expr::bin(BinOp::And, e, Expr::lit(31));
                Some(Expr::bin(BinOp::Add, some, Expr::lit(1)).into())
            }
            _ => None,
        };
        let (base, at) = if self.rng.chance(10) {
            (Base::Name, Expr::lit(self.rng.within(0, 14).into()))
        } else {
            let n = world::TEXTS as i64 + self.rng.within(0, 15) * world::TEXT_STEP as i64;
            (Base::Buffer, Expr::lit((n + self.rng.pick(&[0, 0, 0, 1, 3])).into()))
        };
        Expr { ty: Ty::Text, kind: Kind::StrAt(base, at.into(), len) }
    }

    /// A literal: a word of the texts, or a piece of one.
    pub(super) fn part_of_text(&mut self) -> Expr {
        let text = if self.rng.chance(50) {
            self.rng.pick(&world::WORDS).to_owned()
        } else {
            world::text(self.rng.below(40))
        };
        let longest = if self.theme == Theme::Strings { 24 } else { 8 };
        let from = self.rng.below(text.len());
        let len = 1 + self.rng.below(longest);
        Expr { ty: Ty::Text, kind: Kind::Text(text.chars().skip(from).take(len).collect()) }
    }
}

/// Where the header stands in the frame.
fn frame_offset(s: &Struct) -> Option<usize> {
    match s.name.as_str() {
        "ethhdr" => Some(world::FRAME),
        "iphdr" | "ipv6hdr" => Some(world::FRAME + 14),
        "tcphdr" | "udphdr" => Some(world::FRAME + 34),
        _ => None,
    }
}

/// The network headers, as the kernel's `include/uapi/linux/{if_ether,ip,tcp,udp}.h` lay them out.
fn headers() -> Vec<Struct> {
    let ethhdr = [("h_dest", 8, 0, Some(6)), ("h_source", 8, 6, Some(6)), ("h_proto", 16, 12, None)];
    let iphdr = [
        ("tos", 8, 1, None),
        ("tot_len", 16, 2, None),
        ("id", 16, 4, None),
        ("frag_off", 16, 6, None),
        ("ttl", 8, 8, None),
        ("protocol", 8, 9, None),
        ("check", 16, 10, None),
        ("saddr", 32, 12, None),
        ("daddr", 32, 16, None),
    ];
    let tcphdr = [
        ("source", 16, 0, None),
        ("dest", 16, 2, None),
        ("seq", 32, 4, None),
        ("ack_seq", 32, 8, None),
        ("window", 16, 14, None),
        ("check", 16, 16, None),
        ("urg_ptr", 16, 18, None),
    ];
    let udphdr =
        [("source", 16, 0, None), ("dest", 16, 2, None), ("len", 16, 4, None), ("check", 16, 6, None)];
    let mut headers = vec![
        header("ethhdr", 14, &ethhdr),
        header("iphdr", 20, &iphdr),
        header("tcphdr", 20, &tcphdr),
        header("udphdr", 8, &udphdr),
    ];
    headers[1].fields.extend([bit_field("ihl", 0, 0, 4), bit_field("version", 0, 4, 4)]);
    headers[2].fields.extend([
        bit_field("doff", 12, 4, 4),
        bit_field("fin", 12, 8, 1),
        bit_field("syn", 12, 9, 1),
    ]);
    headers
}

fn header(name: &str, size: usize, fields: &[(&str, u32, usize, Option<usize>)]) -> Struct {
    let field = |&(name, bits, offset, array): &(&str, u32, usize, Option<usize>)| Field {
        name: name.into(),
        ty: Ty::Int(Int { bits, signed: false }),
        array,
        offset,
        bits: None,
    };
    Struct { name: name.into(), fields: fields.iter().map(field).collect(), size, known: true }
}

/// A bit field within 16 bits.
fn bit_field(name: &str, offset: usize, first: u32, width: u32) -> Field {
    let ty = Ty::Int(Int { bits: 16, signed: false });
    Field { name: name.into(), ty, array: None, offset, bits: Some((first, width)) }
}
