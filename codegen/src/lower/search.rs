//! `strcontains`: a text within a text.

use super::Lowered;
use super::compare::constant_text;
use super::frame::Lower;
use super::memory::{Base, Place};
use crate::ir::{Alu, Block, Cond, Value, Width};
use rbtrace_lang::hir::Expr;

/// Comparisons of one byte that the verifier is asked to follow.
const MOST_STEPS: u64 = 1 << 16;

impl Lower<'_, '_> {
    /// Goes to `then` where `part` occurs in `text`.
    pub(super) fn str_contains(
        &mut self,
        text: &Expr,
        part: &Expr,
        then: Block,
        otherwise: Block,
    ) -> Lowered<()> {
        let size = text.ty.size();
        let Some(part_text) = constant_text(part) else {
            return self.contains_variable(text, part, then, otherwise);
        };
        let len = part_text.len() as u32;
        if len == 0 || len > size {
            self.f.b.jump(if len == 0 { then } else { otherwise }, &[]);
            return Ok(());
        }
        let hay = self.text_in_memory(text)?;
        self.counted(size - len + 1, otherwise, |lower, index, next| {
            let here = lower.displaced(&hay, index, 1)?;
            lower.end_of_text(&here, otherwise);
            for (n, &byte) in part_text.iter().enumerate() {
                let c = lower.load_byte(&here.at(n as u32));
                let wanted = lower.f.b.iconst(i64::from(byte));
                let on = lower.f.b.create_block();
                lower.f.b.branch(Cond::Ne, c, wanted, next, on);
                lower.f.b.start(on);
            }
            lower.f.b.jump(then, &[]);
            Ok(())
        })?;
        Ok(())
    }

    fn contains_variable(&mut self, text: &Expr, part: &Expr, then: Block, otherwise: Block) -> Lowered<()> {
        let (size, part_size) = (text.ty.size(), part.ty.size());
        if u64::from(size) * u64::from(part_size) > MOST_STEPS {
            let message = format!("These texts are too long to be searched ({size} and {part_size} bytes)");
            return self.unsupported(part.span, message);
        }
        let (hay, needle) = (self.text_in_memory(text)?, self.text_in_memory(part)?);
        self.counted(size, otherwise, |lower, index, next| {
            lower.counted(part_size, then, |lower, inner, more| {
                let wanted = lower.displaced(&needle, inner, 1)?;
                let wanted = lower.load_byte(&wanted);
                let zero = lower.f.b.iconst(0);
                let (compare, inside) = (lower.f.b.create_block(), lower.f.b.create_block());
                lower.f.b.branch(Cond::Eq, wanted, zero, then, compare);
                lower.f.b.start(compare);
                let at = lower.f.b.alu(Alu::Add, index, inner);
                let limit = lower.f.b.iconst(i64::from(size));
                lower.f.b.branch(Cond::UGe, at, limit, next, inside);
                lower.f.b.start(inside);
                let here = lower.displaced(&hay, at, 1)?;
                // A text that ends before the part does has no later place for it either.
                lower.end_of_text(&here, otherwise);
                let c = lower.load_byte(&here);
                lower.f.b.branch(Cond::Ne, c, wanted, next, more);
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    }

    fn text_in_memory(&mut self, e: &Expr) -> Lowered<Place> {
        let place = self.text_place(e, e.ty.size())?;
        match place.base {
            Base::Slot(_) => Ok(place),
            _ => {
                let slot = Place::slot(self.slot_for(&e.ty));
                self.copy_bytes(&place, &slot, e.ty.size());
                Ok(slot)
            }
        }
    }

    /// Goes to `end` at a NUL: behind it an array of the kernel holds anything.
    fn end_of_text(&mut self, place: &Place, end: Block) {
        let c = self.load_byte(place);
        let (zero, on) = (self.f.b.iconst(0), self.f.b.create_block());
        self.f.b.branch(Cond::Eq, c, zero, end, on);
        self.f.b.start(on);
    }

    fn load_byte(&mut self, place: &Place) -> Value {
        match self.readable(place, 1) {
            Some((ptr, offset)) => self.f.b.load(Width::B1, false, ptr, offset),
            None => self.f.b.iconst(0),
        }
    }
}
