//! Equality of texts, buffers, arrays, tuples and structs, word by word.

use super::Lowered;
use super::frame::Lower;
use super::memory::{Base, Fill, Place};
use super::read::constant;
use crate::ir::{Block, Cond, Value, Width};
use rbtrace_lang::hir::{Expr, ExprKind};
use rbtrace_lang::types::Type;
use std::rc::Rc;

impl Lower<'_, '_> {
    /// Goes to `equal` or to `unequal`. `limit`: how many bytes count, from the first.
    pub(super) fn compare_memory(
        &mut self,
        left: &Expr,
        right: &Expr,
        limit: Option<u32>,
        equal: Block,
        unequal: Block,
    ) -> Lowered<()> {
        match (constant_text(left), constant_text(right)) {
            (None, Some(text)) => self.compare_constant(left, &text, limit, equal, unequal),
            (Some(text), None) => self.compare_constant(right, &text, limit, equal, unequal),
            (Some(a), Some(b)) => {
                let cut = |t: &[u8]| t[..t.len().min(limit.unwrap_or(u32::MAX) as usize)].to_vec();
                self.f.b.jump(if cut(&a) == cut(&b) { equal } else { unequal }, &[]);
                Ok(())
            }
            (None, None) => self.compare_places(left, right, limit, equal, unequal),
        }
    }

    /// `strncmp` as a number.
    pub(super) fn strncmp(&mut self, a: &Expr, b: &Expr, limit: u32) -> Lowered<Value> {
        self.value_of_branch([0, 1], |lower, equal, unequal| {
            lower.compare_memory(a, b, Some(limit), equal, unequal)
        })
    }

    fn compare_constant(
        &mut self,
        e: &Expr,
        text: &[u8],
        limit: Option<u32>,
        equal: Block,
        unequal: Block,
    ) -> Lowered<()> {
        let len = text.len() as u32;
        let size = text_size(&e.ty);
        let is_text = matches!(e.ty, Type::Str(_));
        // With its NUL, unless the comparison ends before or the other text has no room for one.
        let wanted = if is_text { len + 1 } else { len };
        let wanted = wanted.min(limit.unwrap_or(u32::MAX));
        if len > size && wanted > size {
            self.f.b.jump(unequal, &[]);
            return Ok(());
        }
        let count = wanted.min(size);
        let place = self.text_place(e, count)?;
        // Where zeros follow the text up to its end, whole words may be compared.
        let whole = count.next_multiple_of(8);
        let count = if place.padded && wanted > len && whole <= size { whole } else { count };
        let text = Place { base: Base::Bytes(text.into()), offset: 0, align: 8, padded: true };
        self.compare_bytes(&place, &text, count, equal, unequal)
    }

    fn compare_places(
        &mut self,
        left: &Expr,
        right: &Expr,
        limit: Option<u32>,
        equal: Block,
        unequal: Block,
    ) -> Lowered<()> {
        let (a, b) = (self.padded_place(left)?, self.padded_place(right)?);
        let (size_a, size_b) = (left.ty.size(), right.ty.size());
        let common = size_a.min(size_b);
        let count = common.min(limit.unwrap_or(u32::MAX));
        let longer = if size_a > size_b { &a } else { &b };
        if size_a == size_b || count < common || limit == Some(common) {
            return self.compare_bytes(&a, &b, count, equal, unequal);
        }
        // The longer text must end where the shorter one has no more room.
        let same = self.f.b.create_block();
        self.compare_bytes(&a, &b, count, same, unequal)?;
        self.f.b.start(same);
        let next = self.load_scalar(&longer.at(common), &Type::int(1, false))?;
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Eq, next, zero, equal, unequal);
        Ok(())
    }

    /// The value's place with all bytes that are no part of it zero.
    pub(super) fn padded_place(&mut self, e: &Expr) -> Lowered<Place> {
        let readable = |place: &Place| !matches!(place.base, Base::Remote(..));
        if matches!(e.kind, ExprKind::Local(_) | ExprKind::MapGet { .. }) {
            let place = self.place(e)?;
            if readable(&place) && (place.padded || !crate::layout::has_text(&e.ty)) {
                return Ok(place);
            }
        }
        let place = Place::slot(self.slot_for(&e.ty)).padded();
        self.store_as(e, &e.ty, &place, Fill::Padded)?;
        Ok(place)
    }

    /// Compares `count` bytes in the largest words that both places are aligned to.
    fn compare_bytes(
        &mut self,
        a: &Place,
        b: &Place,
        count: u32,
        equal: Block,
        unequal: Block,
    ) -> Lowered<()> {
        let mut at = 0;
        while at < count {
            let (pa, pb) = (a.at(at), b.at(at));
            let mut step = pa.alignment().min(pb.alignment());
            while at + step > count {
                step /= 2;
            }
            let x = self.load_word(&pa, step)?;
            let y = self.load_word(&pb, step)?;
            let next = self.f.b.create_block();
            self.f.b.branch(Cond::Ne, x, y, unequal, next);
            self.f.b.start(next);
            at += step;
        }
        self.f.b.jump(equal, &[]);
        Ok(())
    }

    fn load_word(&mut self, place: &Place, size: u32) -> Lowered<Value> {
        if let Base::Bytes(text) = &place.base {
            let word = constant(text, place.offset as usize, size);
            return Ok(self.f.b.iconst(word as i64));
        }
        let width = Width::of(size).unwrap_or(Width::B1);
        match self.readable(place, size) {
            Some((ptr, offset)) => {
                let word = self.f.b.load(width, false, ptr, offset);
                Ok(self.tested(word))
            }
            None => self.load_scalar(place, &Type::int(size as u8, false)),
        }
    }
}

/// The bytes of a constant text, through what only pads it.
pub(super) fn constant_text(e: &Expr) -> Option<Rc<[u8]>> {
    match &e.kind {
        ExprKind::Text(bytes) => {
            let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
            Some(bytes[..end].into())
        }
        ExprKind::Widen(inner) => constant_text(inner),
        _ => None,
    }
}

/// Bytes that can hold the text itself.
fn text_size(ty: &Type) -> u32 {
    match ty {
        Type::Str(n) => *n,
        ty => ty.size(),
    }
}
