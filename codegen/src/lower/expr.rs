//! Expressions whose value is one number, and values that are made in memory.

use super::Lowered;
use super::frame::{Home, Lower};
use super::memory::Place;
use super::read::extend_const;
use crate::ir::{Alu, Cond, Op, Ty, Value, Width};
use rbtrace_lang::ast::BinOp;
use rbtrace_lang::hir::{Expr, ExprKind, LocalId, Lvalue, Unary};
use rbtrace_lang::types::Type;

impl Lower<'_, '_> {
    /// The value of a scalar expression, extended to 64 bits by the sign of its type.
    pub(super) fn scalar(&mut self, e: &Expr) -> Lowered<Value> {
        let outer = self.f.b.set_span(e.span);
        let value = self.scalar_inner(e);
        self.f.b.set_span(outer);
        value
    }

    fn scalar_inner(&mut self, e: &Expr) -> Lowered<Value> {
        match &e.kind {
            ExprKind::Const(bits) => {
                let value = extend_const(*bits, e.ty.size().clamp(1, 8), e.ty.is_signed());
                Ok(self.f.b.iconst(value))
            }
            ExprKind::Local(local) => self.local_value(*local, &e.ty),
            ExprKind::Unary(op, a) => self.unary(*op, a),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b),
            ExprKind::CompareMemory { .. } | ExprKind::Logical { .. } | ExprKind::StrContains(..) => {
                self.truth(e)
            }
            ExprKind::Strncmp(a, b, n) => self.strncmp(a, b, *n),
            ExprKind::Ternary(c, a, b) => self.choose(c, a, b),
            ExprKind::IncDec { place, step, prefix } => self.inc_dec(place, *step, *prefix, &e.ty),
            ExprKind::Convert(a) => self.convert(a, &e.ty),
            ExprKind::Block(stmts, value) => {
                self.stmts(stmts)?;
                self.scalar(value)
            }
            ExprKind::Emit(emit) => {
                self.emit(emit, e.span)?;
                Ok(self.f.b.iconst(0))
            }
            ExprKind::MapGet { map, key } => self.map_value_of(*map, key.as_deref(), e),
            ExprKind::HasKey { map, key } => self.has_key(*map, key),
            ExprKind::Delete { map, key } => self.delete(*map, key.as_deref()),
            ExprKind::MapLen(map) => self.map_len(*map),
            ExprKind::StackLen(stack) => self.stack_len(stack),
            ExprKind::Widen(a) => self.scalar(a),
            ExprKind::Reinterpret(a) if a.ty.is_scalar() => self.convert(a, &e.ty),
            ExprKind::Deref(_)
            | ExprKind::Field { bits: None, .. }
            | ExprKind::Index { .. }
            | ExprKind::TupleField(..)
            | ExprKind::Reinterpret(_) => {
                let place = self.place(e)?;
                self.load_scalar(&place, &e.ty)
            }
            ExprKind::Field { base, offset, bits: Some(bits) } => {
                let place = self.place(base)?.at(*offset);
                self.load_bits(&place, &e.ty, *bits)
            }
            ExprKind::PtrAdd { ptr, index, scale } => self.ptr_add(ptr, index, *scale),
            ExprKind::PtrDiff { left, right, scale } => self.ptr_diff(left, right, *scale),
            ExprKind::AddrOf(place) => self.address_of(place, e),
            ExprKind::Ksym(a) | ExprKind::Strftime(a) | ExprKind::CgroupPath(a) | ExprKind::Strerror(a) => {
                self.scalar_or_address(a)
            }
            ExprKind::StrLen(a) => self.strlen(a),
            ExprKind::Bswap(a) => self.bswap(a),
            ExprKind::KStack(ty) => self.stack_id(*ty, false),
            ExprKind::Signal(a) => self.signal(a),
            ExprKind::Call(function, args) => self.function_number(function, args, e.span),
            ExprKind::Override(a) => self.override_return(a),
            ExprKind::At(location) => self.at(*location, e),
            ExprKind::Builtin(which) => self.builtin(*which, e.span),
            ExprKind::Text(_)
            | ExprKind::Tuple(_)
            | ExprKind::UStack(_)
            | ExprKind::Usym(_)
            | ExprKind::StrFrom { .. }
            | ExprKind::BufFrom { .. }
            | ExprKind::Ntop { .. }
            | ExprKind::MacAddr(_) => {
                self.unsupported(e.span, format!("A value of type {} cannot be used as a number", e.ty))
            }
        }
    }

    /// The value of a number; the address of anything else (`ksym(array)`).
    pub(super) fn scalar_or_address(&mut self, e: &Expr) -> Lowered<Value> {
        if e.ty.is_scalar() {
            return self.scalar(e);
        }
        let place = self.place(e)?;
        Ok(self.address(&place))
    }

    pub(super) fn local_value(&mut self, local: LocalId, ty: &Type) -> Lowered<Value> {
        let home = self.home(local);
        match (home, self.place_of_home(home)) {
            (_, Some(place)) => self.load_scalar(&place, ty),
            (Home::Var(var), None) => Ok(self.f.b.use_var(var)),
            (Home::Cell(record, offset), None) => Ok(self.load_cell(local, record, offset)),
            (_, None) => self.unsupported(self.f.b.span(), "This variable has no place"),
        }
    }

    /// Assigns a scalar local; the value is cut to the variable's width.
    pub(super) fn set_local(&mut self, local: LocalId, value: Value) {
        let value = self.joined(value);
        let ty = &self.probe.locals[local.0 as usize].ty;
        let home = self.home(local);
        match (home, self.place_of_home(home)) {
            (Home::Var(var), _) => self.f.b.def_var(var, value),
            (Home::Cell(record, offset), _) => self.store_scalar(&Place::ptr(record).at(offset), 8, value),
            (_, Some(place)) => self.store_scalar(&place, ty.size(), value),
            (_, None) => {}
        }
    }

    /// A value extended to 64 bits from the width of a type.
    pub(super) fn normalize(&mut self, value: Value, ty: &Type) -> Value {
        match (ty, Width::of(ty.size())) {
            (Type::Bool, _) => self.is_nonzero(value),
            (_, None | Some(Width::B8)) => value,
            (_, Some(width)) if ty.is_signed() => self.f.b.ins(Op::Sext(width, value), Ty::I64),
            (_, Some(width)) => self.f.b.ins(Op::Zext(width, value), Ty::I64),
        }
    }

    pub(super) fn is_nonzero(&mut self, value: Value) -> Value {
        let value = self.tested(value);
        let zero = self.f.b.iconst(0);
        self.f.b.ins(Op::Cmp(Cond::Ne, value, zero), Ty::I64)
    }

    /// `(ty)a`; what fits already is left alone.
    fn convert(&mut self, a: &Expr, ty: &Type) -> Lowered<Value> {
        let value = self.scalar_or_address(a)?;
        if super::frame::scalar_ty(ty) == self.f.b.ty(value) && ty.size() == 8 && a.ty.size() == 8 {
            return Ok(value);
        }
        let value = self.as_number(value);
        let (from, to) = (a.ty.size(), ty.size());
        let keeps = match (a.ty.is_signed(), ty.is_signed()) {
            (false, false) => from <= to,
            (true, true) => from <= to,
            (false, true) => from < to,
            (true, false) => to == 8,
        };
        if (keeps || to == 8) && (*ty != Type::Bool || a.ty == Type::Bool) {
            return Ok(value);
        }
        Ok(self.normalize(value, ty))
    }

    fn unary(&mut self, op: Unary, a: &Expr) -> Lowered<Value> {
        let value = self.scalar(a)?;
        Ok(match op {
            Unary::Neg => self.f.b.ins(Op::Neg(value), Ty::I64),
            Unary::BitNot => self.imm(Alu::Xor, value, -1),
            Unary::Not => {
                let value = self.tested(value);
                let zero = self.f.b.iconst(0);
                self.f.b.ins(Op::Cmp(Cond::Eq, value, zero), Ty::I64)
            }
        })
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr) -> Lowered<Value> {
        let signed = a.ty.is_signed() || b.ty.is_signed();
        if op.is_comparison() {
            let (x, y) = self.numbers(a, b)?;
            let (x, y) = (self.tested(x), self.tested(y));
            let cond = super::cond::condition(op, signed && a.ty.is_signed() == b.ty.is_signed());
            return Ok(self.f.b.ins(Op::Cmp(cond, x, y), Ty::I64));
        }
        if matches!(op, BinOp::LogAnd | BinOp::LogOr) {
            return self.logical_value(op == BinOp::LogAnd, a, b);
        }
        let signed = if matches!(op, BinOp::Shl | BinOp::Shr) { a.ty.is_signed() } else { signed };
        let (x, y) = (self.scalar(a)?, self.scalar(b)?);
        Ok(self.arithmetic(op, x, y, signed))
    }

    /// Two operands as numbers, pointers as their addresses.
    pub(super) fn numbers(&mut self, a: &Expr, b: &Expr) -> Lowered<(Value, Value)> {
        let (x, y) = (self.scalar(a)?, self.scalar(b)?);
        Ok((self.as_number(x), self.as_number(y)))
    }

    /// A pointer's address as a number. The verifier refuses arithmetic on a pointer; a copy that a helper has made is a
    /// number to it.
    pub(super) fn as_number(&mut self, value: Value) -> Value {
        if !matches!(self.f.b.ty(value), Ty::Ptr(_)) {
            return value;
        }
        let (pointer, number) = (Place::slot(self.slot(8)), Place::slot(self.slot(8)));
        self.store_scalar(&pointer, 8, value);
        self.read_certain(&number, 8, &pointer);
        let number = self.address(&number);
        self.f.b.load(Width::B8, false, number, 0)
    }

    /// `c ? a : b` of scalars.
    fn choose(&mut self, c: &Expr, a: &Expr, b: &Expr) -> Lowered<Value> {
        let (then, otherwise, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        self.branch_on(c, then, otherwise)?;
        let ty = super::frame::scalar_ty(&a.ty);
        let result = self.f.b.declare_var(ty);
        for (block, side) in [(then, a), (otherwise, b)] {
            self.f.b.start(block);
            let value = if side.ty == Type::Void { self.effect(side)? } else { self.scalar(side)? };
            self.f.b.def_var(result, value);
            self.f.b.jump(end, &[]);
        }
        self.f.b.start(end);
        let result = self.f.b.use_var(result);
        Ok(self.joined(result))
    }

    /// Evaluates for the effect alone.
    pub(super) fn effect(&mut self, e: &Expr) -> Lowered<Value> {
        let outer = self.f.b.set_span(e.span);
        match &e.kind {
            ExprKind::Emit(emit) => self.emit(emit, e.span)?,
            ExprKind::Block(stmts, value) => {
                self.stmts(stmts)?;
                self.effect(value)?;
            }
            ExprKind::IncDec { place: Lvalue::Map { map, key }, step, .. } => {
                self.add_to_map(*map, key.as_deref(), *step, false)?;
            }
            ExprKind::Const(_) => {}
            _ if e.ty == Type::Void || e.ty.is_scalar() => {
                self.scalar(e)?;
            }
            _ => {
                self.place(e)?;
            }
        }
        self.f.b.set_span(outer);
        Ok(self.f.b.iconst(0))
    }

    fn inc_dec(&mut self, place: &Lvalue, step: i64, prefix: bool, ty: &Type) -> Lowered<Value> {
        match place {
            Lvalue::Local(local) => {
                let var_ty = self.probe.locals[local.0 as usize].ty.clone();
                let old = self.local_value(*local, &var_ty)?;
                let sum = self.imm(Alu::Add, old, step);
                let new = self.normalize(sum, &var_ty);
                self.set_local(*local, new);
                Ok(if prefix { new } else { old })
            }
            Lvalue::Map { map, key } => {
                let old = self.add_to_map(*map, key.as_deref(), step, true)?;
                let value = if prefix { self.imm(Alu::Add, old, step) } else { old };
                Ok(self.normalize(value, ty))
            }
        }
    }

    fn ptr_add(&mut self, ptr: &Expr, index: &Expr, scale: u32) -> Lowered<Value> {
        let base = self.scalar(ptr)?;
        let base = self.as_number(base);
        if let ExprKind::Const(n) = index.kind {
            return Ok(self.f.b.offset(base, (n as i64).wrapping_mul(i64::from(scale))));
        }
        let index = self.scalar(index)?;
        let bytes = self.scale(index, scale.max(1));
        Ok(self.f.b.alu(Alu::Add, base, bytes))
    }

    fn ptr_diff(&mut self, left: &Expr, right: &Expr, scale: u32) -> Lowered<Value> {
        let (a, b) = self.numbers(left, right)?;
        let bytes = self.f.b.alu(Alu::Sub, a, b);
        if scale <= 1 {
            return Ok(bytes);
        }
        let scale = self.f.b.iconst(i64::from(scale));
        Ok(self.arithmetic(BinOp::Div, bytes, scale, true))
    }

    fn address_of(&mut self, place: &Lvalue, e: &Expr) -> Lowered<Value> {
        match place {
            Lvalue::Local(local) => match self.local_place(*local) {
                Some(place) => Ok(self.address(&place)),
                None => self.unsupported(e.span, "The address of this variable cannot be taken"),
            },
            Lvalue::Map { map, key } => {
                let value_ty = self.shared.program.map(*map).value.clone();
                let value = Expr { kind: e.kind.clone(), ty: value_ty, span: e.span };
                let place = self.map_place(*map, key.as_deref(), &value)?;
                Ok(self.address(&place))
            }
        }
    }

    fn bswap(&mut self, a: &Expr) -> Lowered<Value> {
        let value = self.scalar(a)?;
        Ok(match Width::of(a.ty.size()) {
            None | Some(Width::B1) => value,
            Some(width) => {
                let swapped = self.f.b.ins(Op::Bswap(width, value), Ty::I64);
                if a.ty.is_signed() { self.normalize(swapped, &a.ty) } else { swapped }
            }
        })
    }
}
