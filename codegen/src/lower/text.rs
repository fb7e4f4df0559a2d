//! Texts and buffers read through pointers.

use super::Lowered;
use super::frame::Lower;
use super::memory::{Base, Fill, Place};
use crate::ir::{Alu, Cond, Value};
use crate::layout::TEXT_SPARE;
use rbtrace_lang::hir::{Expr, ExprKind};
use rbtrace_lang::types::Type;

impl Lower<'_, '_> {
    /// Where the bytes lie that `str` and `buf` read: at a pointer, or in an array.
    pub(super) fn source(&mut self, e: &Expr) -> Lowered<Place> {
        match &e.ty {
            Type::Ptr { .. } => self.target(e),
            ty if ty.is_scalar() => self.target(e),
            _ => self.place(e),
        }
    }

    /// `str(ptr, len)` into a place of type `ty`; the result is what the helper returned.
    pub(super) fn str_from(
        &mut self,
        ptr: &Expr,
        len: Option<&Expr>,
        ty: &Type,
        dst: &Place,
        fill: Fill,
    ) -> Lowered<Value> {
        let Type::Str(room) = *ty else {
            return self.unsupported(ptr.span, format!("str() cannot give {ty}"));
        };
        let size = match len {
            None => self.f.b.iconst(i64::from(room + TEXT_SPARE)),
            Some(len) => self.capped(len, room + TEXT_SPARE)?,
        };
        let src = self.source(ptr)?;
        // A helper that may write less than the whole must find initialised memory.
        if fill == Fill::Padded {
            self.zero(dst, room);
        } else if self.f.b.known_const(size).is_none() && matches!(dst.base, Base::Slot(_)) {
            self.zero(dst, room + TEXT_SPARE);
        }
        Ok(self.probe_read_str(dst, size, &src))
    }

    /// A length that is at most `most`, as the verifier wants to see it.
    pub(super) fn capped(&mut self, len: &Expr, most: u32) -> Lowered<Value> {
        if let ExprKind::Const(n) = len.kind {
            return Ok(self.f.b.iconst(n.min(u64::from(most)) as i64));
        }
        let len = self.scalar(len)?;
        let len = self.tested(len);
        Ok(self.at_most(len, most))
    }

    /// The place of a text of which only the first `count` bytes will be looked at.
    pub(super) fn text_place(&mut self, e: &Expr, count: u32) -> Lowered<Place> {
        if let (ExprKind::StrFrom { ptr, len }, Type::Str(room)) = (&e.kind, &e.ty) {
            let room = count.min(*room);
            let place = Place::slot(self.slot(room + TEXT_SPARE));
            self.str_from(ptr, len.as_deref(), &Type::Str(room), &place, Fill::Loose)?;
            return Ok(place);
        }
        let place = self.place(e)?;
        if !matches!(place.base, Base::Remote(..)) {
            return Ok(place);
        }
        let slot = Place::slot(self.slot(count));
        self.copy_bytes(&place, &slot, count);
        Ok(slot)
    }

    /// `strlen(text)`: the helper's own count, without the NUL.
    pub(super) fn strlen(&mut self, e: &Expr) -> Lowered<Value> {
        if let Some(text) = super::compare::constant_text(e) {
            return Ok(self.f.b.iconst(text.len() as i64));
        }
        let scratch = Place::slot(self.slot_for(&e.ty));
        let read = match &e.kind {
            ExprKind::StrFrom { ptr, len } => {
                self.str_from(ptr, len.as_deref(), &e.ty, &scratch, Fill::Loose)?
            }
            _ => {
                let place = self.place(e)?;
                let size = e.ty.size() + TEXT_SPARE;
                match place.base {
                    Base::Remote(..) => {
                        let size = self.f.b.iconst(i64::from(size));
                        self.probe_read_str(&scratch, size, &place)
                    }
                    _ => self.copy_str(&scratch, size, &place),
                }
            }
        };
        // An errno counts as an empty text.
        let one = self.f.b.iconst(1);
        let read = self.select(Cond::SGe, read, one, read, one);
        Ok(self.imm(Alu::Sub, read, 1))
    }

    /// `buf(ptr, len)`: the length, then that many bytes, then zeros.
    pub(super) fn buf_from(&mut self, ptr: &Expr, len: Option<&Expr>, ty: &Type, dst: &Place) -> Lowered<()> {
        let Type::Buf(room) = *ty else {
            return self.unsupported(ptr.span, format!("buf() cannot give {ty}"));
        };
        let full = match len {
            None => true,
            Some(len) => matches!(len.kind, ExprKind::Const(n) if n >= u64::from(room)),
        };
        let size = match len {
            Some(len) => self.capped(len, room)?,
            None => self.f.b.iconst(i64::from(room)),
        };
        let src = self.source(ptr)?;
        let bytes = dst.at(4);
        if full {
            self.store_scalar(dst, 4, size);
            self.copy_bytes(&src, &bytes, room);
            return Ok(());
        }
        self.zero(&bytes, room);
        self.probe_read_sized(&bytes, size, &src);
        self.store_scalar(dst, 4, size);
        Ok(())
    }
}
