//! Writing values of any type to memory.

use super::Lowered;
use super::frame::{Home, Lower, Pair};
use super::memory::{Base, Fill, Place};
use super::read::constant;
use crate::ir::{Op, Width};
use crate::layout::{TEXT_SPARE, has_text};
use crate::object::ProgramType;
use rbtrace_lang::hir::{Expr, ExprKind, LocalId};
use rbtrace_lang::types::{TupleType, Type};

impl Lower<'_, '_> {
    /// Writes the value of an expression to a place as a value of type `ty`, to which it may widen.
    pub(super) fn store_as(&mut self, e: &Expr, ty: &Type, dst: &Place, fill: Fill) -> Lowered<()> {
        let outer = self.f.b.set_span(e.span);
        let done = self.store_inner(e, ty, dst, fill);
        self.f.b.set_span(outer);
        done
    }

    fn store_inner(&mut self, e: &Expr, ty: &Type, dst: &Place, fill: Fill) -> Lowered<()> {
        if e.ty.is_scalar() && ty.is_scalar() {
            let value = self.scalar(e)?;
            self.store_number(dst, ty.size(), value);
            return Ok(());
        }
        match &e.kind {
            ExprKind::Widen(inner) => self.store_as(inner, ty, dst, fill),
            ExprKind::Tuple(items) => self.store_tuple(items, ty, dst, fill),
            ExprKind::Ternary(c, a, b) => self.store_choice(c, [a, b], ty, dst, fill),
            ExprKind::Block(stmts, value) => {
                self.stmts(stmts)?;
                self.store_as(value, ty, dst, fill)
            }
            ExprKind::Local(local) => match self.pair(*local) {
                Some(pair) => self.copy_pair(&pair, dst, ty, fill),
                None => self.store_local(e, *local, ty, dst, fill),
            },
            ExprKind::Builtin(_) => self.store_comm(dst, ty, fill),
            ExprKind::StrFrom { ptr, len } => {
                self.str_from(ptr, len.as_deref(), &e.ty, dst, fill)?;
                self.zero_rest(e, ty, dst, fill);
                Ok(())
            }
            ExprKind::BufFrom { ptr, len } => {
                self.buf_from(ptr, len.as_deref(), &e.ty, dst)?;
                self.zero_rest(e, ty, dst, Fill::Padded);
                Ok(())
            }
            ExprKind::UStack(stack) => self.store_ustack(*stack, dst),
            ExprKind::Usym(a) => {
                let value = self.scalar_or_address(a)?;
                self.store_usym(value, dst);
                Ok(())
            }
            ExprKind::Ntop { family, addr } => self.store_inet(family.as_deref(), addr, dst),
            ExprKind::MacAddr(a) => self.store_mac(a, dst),
            ExprKind::Call(function, args) => {
                let text = self.function_text(function, args, e)?;
                self.copy_as(&text, &e.ty, dst, ty, fill)
            }
            ExprKind::Reinterpret(a) if a.ty.is_scalar() => {
                let value = self.scalar(a)?;
                self.store_number(dst, a.ty.size(), value);
                Ok(())
            }
            // What lies somewhere already, and numbers.
            ExprKind::Const(_)
            | ExprKind::Text(_)
            | ExprKind::MapGet { .. }
            | ExprKind::HasKey { .. }
            | ExprKind::Delete { .. }
            | ExprKind::MapLen(_)
            | ExprKind::StackLen(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::CompareMemory { .. }
            | ExprKind::Strncmp(..)
            | ExprKind::Logical { .. }
            | ExprKind::IncDec { .. }
            | ExprKind::Convert(_)
            | ExprKind::Reinterpret(_)
            | ExprKind::TupleField(..)
            | ExprKind::Deref(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::PtrAdd { .. }
            | ExprKind::PtrDiff { .. }
            | ExprKind::AddrOf(_)
            | ExprKind::At(_)
            | ExprKind::KStack(_)
            | ExprKind::Ksym(_)
            | ExprKind::Strftime(_)
            | ExprKind::CgroupPath(_)
            | ExprKind::Strerror(_)
            | ExprKind::StrContains(..)
            | ExprKind::StrLen(_)
            | ExprKind::Bswap(_)
            | ExprKind::Signal(_)
            | ExprKind::Override(_)
            | ExprKind::Emit(_) => self.store_copy(e, ty, dst, fill),
        }
    }

    /// Copies a value from where it lies.
    fn store_copy(&mut self, e: &Expr, ty: &Type, dst: &Place, fill: Fill) -> Lowered<()> {
        let src = self.place(e)?;
        self.copy_as(&src, &e.ty, dst, ty, fill)
    }

    fn store_local(&mut self, e: &Expr, local: LocalId, ty: &Type, dst: &Place, fill: Fill) -> Lowered<()> {
        if !matches!(self.home(local), Home::Var(_) | Home::Cell(..)) {
            return self.store_copy(e, ty, dst, fill);
        }
        let value = self.local_value(local, &e.ty)?;
        self.store_number(dst, ty.size(), value);
        Ok(())
    }

    /// Zeros what a wider type has behind a value.
    fn zero_rest(&mut self, e: &Expr, ty: &Type, dst: &Place, fill: Fill) {
        let (size, room) = (e.ty.size(), ty.size());
        if fill == Fill::Padded && room > size {
            self.zero(&dst.at(size), room - size);
        }
    }

    fn store_tuple(&mut self, items: &[Expr], ty: &Type, dst: &Place, fill: Fill) -> Lowered<()> {
        let Type::Tuple(tuple) = ty else {
            return self.unsupported(self.f.b.span(), format!("A tuple cannot be stored as {ty}"));
        };
        for (n, (item, offset)) in items.iter().zip(tuple.offsets()).enumerate() {
            self.store_as(item, &tuple.fields[n].1, &dst.at(offset), fill)?;
            self.zero_gap(tuple, n, dst);
        }
        Ok(())
    }

    /// Zeros the padding behind field `n` of a tuple.
    fn zero_gap(&mut self, tuple: &TupleType, n: usize, dst: &Place) {
        let offsets = tuple.offsets();
        let end = offsets[n] + tuple.fields[n].1.size();
        let next = offsets.get(n + 1).copied().unwrap_or(tuple.size());
        self.zero(&dst.at(end), next - end);
    }

    fn store_choice(
        &mut self,
        cond: &Expr,
        sides: [&Expr; 2],
        ty: &Type,
        dst: &Place,
        fill: Fill,
    ) -> Lowered<()> {
        let (then, otherwise, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        self.branch_on(cond, then, otherwise)?;
        for (block, side) in [(then, sides[0]), (otherwise, sides[1])] {
            self.f.b.start(block);
            self.store_as(side, ty, dst, fill)?;
            self.f.b.jump(end, &[]);
        }
        self.f.b.start(end);
        Ok(())
    }

    /// Copies a value, widening texts and the fields of tuples.
    pub(super) fn copy_as(
        &mut self,
        src: &Place,
        src_ty: &Type,
        dst: &Place,
        dst_ty: &Type,
        fill: Fill,
    ) -> Lowered<()> {
        match (src_ty, dst_ty) {
            (Type::Str(from), Type::Str(to)) => self.copy_text(src, *from, dst, *to, fill),
            (Type::Buf(from), Type::Buf(to)) => self.copy_buffer(src, *from, dst, *to, fill),
            (Type::Tuple(from), Type::Tuple(to)) if src_ty != dst_ty || needs_care(src, src_ty, fill) => {
                self.copy_tuple(src, &from.clone(), dst, &to.clone(), fill)?;
            }
            _ if src_ty.is_scalar() && dst_ty.is_scalar() => {
                let value = self.load_scalar(src, src_ty)?;
                self.store_number(dst, dst_ty.size(), value);
            }
            _ => self.copy_bytes(src, dst, src_ty.size().min(dst_ty.size())),
        }
        Ok(())
    }

    fn copy_tuple(
        &mut self,
        src: &Place,
        from: &TupleType,
        dst: &Place,
        to: &TupleType,
        fill: Fill,
    ) -> Lowered<()> {
        let (from_at, to_at) = (from.offsets(), to.offsets());
        for n in 0..to.fields.len().min(from.fields.len()) {
            let (src, dst_field) = (src.at(from_at[n]), dst.at(to_at[n]));
            self.copy_as(&src, &from.fields[n].1, &dst_field, &to.fields[n].1, fill)?;
            self.zero_gap(to, n, dst);
        }
        Ok(())
    }

    /// Copies an entry's key and value into a tuple.
    pub(super) fn copy_pair(&mut self, pair: &Pair, dst: &Place, ty: &Type, fill: Fill) -> Lowered<()> {
        let Type::Tuple(tuple) = ty else {
            return self.unsupported(self.f.b.span(), format!("A pair cannot be stored as {ty}"));
        };
        for (n, ((src, src_ty), offset)) in pair.iter().zip(tuple.offsets()).enumerate() {
            self.copy_as(src, src_ty, &dst.at(offset), &tuple.fields[n].1, fill)?;
            self.zero_gap(tuple, n, dst);
        }
        Ok(())
    }

    fn copy_text(&mut self, src: &Place, from: u32, dst: &Place, to: u32, fill: Fill) {
        let len = from.min(to);
        match &src.base {
            Base::Bytes(text) => self.write_text(&text.clone(), src.offset as usize, dst, to, fill),
            _ if src.padded || fill == Fill::Loose => {
                self.copy_bytes(src, dst, len);
                if to > from {
                    self.zero(&dst.at(from), to - from);
                }
            }
            _ => {
                self.zero(dst, to);
                if matches!(src.base, Base::Remote(..)) {
                    let size = self.f.b.iconst(i64::from(len + TEXT_SPARE));
                    self.probe_read_str(dst, size, src);
                } else {
                    self.copy_str(dst, len + TEXT_SPARE, src);
                }
            }
        }
    }

    fn copy_buffer(&mut self, src: &Place, from: u32, dst: &Place, to: u32, _fill: Fill) {
        self.copy_bytes(src, dst, from.min(to) + 4);
        if to > from {
            self.zero(&dst.at(from + 4), to - from);
        }
    }

    /// Writes a constant text. Memory of the ring buffer need not be filled behind it.
    fn write_text(&mut self, text: &[u8], at: usize, dst: &Place, size: u32, fill: Fill) {
        let text = text.get(at..).unwrap_or(&[]);
        let fills = fill == Fill::Padded || matches!(dst.base, Base::Slot(_));
        let used = (text.len() as u32 + 1).min(size);
        let end = if fills { size } else { used };
        self.write_bytes(text, dst, end);
    }

    /// Writes constant bytes, and zeros up to `end`.
    pub(super) fn write_bytes(&mut self, bytes: &[u8], dst: &Place, end: u32) {
        let used = (bytes.len() as u32).min(end);
        let mut at = 0;
        while at < used {
            let place = dst.at(at);
            let mut step = place.alignment();
            while at + step > end {
                step /= 2;
            }
            let value = self.f.b.iconst(constant(bytes, at as usize, step) as i64);
            self.store_scalar(&place, step, value);
            at += step;
        }
        self.zero(&dst.at(at), end - at);
    }

    /// Fills with zeros.
    pub(super) fn zero(&mut self, dst: &Place, len: u32) {
        if len == 0 {
            return;
        }
        let Some(ptr) = self.direct(&dst.base) else { return };
        let align = dst.alignment();
        if let (Some(width), true) = (Width::of(len), len <= align) {
            let zero = self.f.b.iconst(0);
            self.f.b.store(width, ptr, dst.offset as i32, zero);
            return;
        }
        self.f.b.effect(Op::Zero { dst: ptr, offset: dst.offset as i32, len, align });
    }

    /// Copies bytes from anywhere.
    pub(super) fn copy_bytes(&mut self, src: &Place, dst: &Place, len: u32) {
        if len == 0 {
            return;
        }
        if let Base::Bytes(text) = &src.base {
            let text = text.clone();
            let from = text.get(src.offset as usize..).unwrap_or(&[]);
            return self.write_bytes(&from[..from.len().min(len as usize)], dst, len);
        }
        let align = src.alignment().min(dst.alignment());
        let to = self.direct(&dst.base);
        // A record may be read in parts, at aligned offsets; `readable` says whether it may be at all. Other contexts only
        // field by field.
        let from = self
            .readable(src, align)
            .filter(|_| !self.is_ctx(src) || self.is_record() && (align >= 4 || len <= 16));
        match (from, to) {
            (Some((src, src_offset)), Some(to)) => {
                let dst_offset = dst.offset as i32;
                self.f.b.effect(Op::Copy { dst: to, dst_offset, src, src_offset, len, align });
            }
            _ => self.probe_read(dst, len, src),
        }
    }

    fn is_record(&self) -> bool {
        self.plan.load.ty == ProgramType::Tracepoint
    }

    fn is_ctx(&self, place: &Place) -> bool {
        matches!(place.base, Base::Ptr(p) if self.f.b.ty(p) == crate::ir::Ty::Ptr(crate::ir::Space::Ctx))
    }
}

/// Must texts inside be copied one by one, so that what follows them becomes zero?
fn needs_care(src: &Place, ty: &Type, fill: Fill) -> bool {
    fill == Fill::Padded && !src.padded && has_text(ty)
}
