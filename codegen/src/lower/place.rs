//! Finding the places of expressions, loading from them and storing to them.

use super::frame::{Home, Lower, Pair};
use super::memory::{Base, Fill, Place, Remote};
use super::{Lowered, read};
use crate::ir::{Alu, Cond, Space, Ty, Value, Width};
use crate::object::{Fault, ProgramType};
use rbtrace_lang::hir::{Expr, ExprKind, LocalId};
use rbtrace_lang::types::{AddrSpace, Bits, Type};
use std::rc::Rc;

impl Lower<'_, '_> {
    /// The memory that a local lives in; `None` for an SSA variable and for an entry's pair.
    pub(super) fn local_place(&mut self, local: LocalId) -> Option<Place> {
        if self.pair(local).is_some() {
            return None;
        }
        let home = self.home(local);
        let place = self.place_of_home(home)?;
        Some(Place { padded: self.uses.always_padded(local), ..place })
    }

    /// The memory that a home is; `None` for an SSA variable and a word of a nest's record.
    pub(super) fn place_of_home(&mut self, home: Home) -> Option<Place> {
        Some(match home {
            Home::Var(_) | Home::Cell(..) => return None,
            Home::Slot(slot) => Place::slot(slot),
            Home::Ptr(ptr) => Place::ptr(ptr),
            Home::Area(offset) => self.area_place().at(offset),
        })
    }

    /// The memory that a pointer expression points to.
    pub(super) fn target(&mut self, ptr: &Expr) -> Lowered<Place> {
        let Type::Ptr { space, .. } = &ptr.ty else {
            let addr = self.scalar(ptr)?;
            let space = self.unknown_space();
            return Ok(Place::remote(addr, space));
        };
        let space = *space;
        let addr = self.scalar(ptr)?;
        Ok(self.target_of(addr, space))
    }

    /// The memory at an address.
    pub(super) fn target_of(&mut self, addr: Value, space: AddrSpace) -> Place {
        if matches!(self.f.b.ty(addr), Ty::Ptr(_)) {
            return Place::ptr(addr);
        }
        match space {
            AddrSpace::User => Place::remote(addr, Remote::User),
            AddrSpace::Unknown => {
                let space = self.unknown_space();
                Place::remote(addr, space)
            }
            AddrSpace::Kernel | AddrSpace::Bpf | AddrSpace::Ctx => Place::remote(addr, Remote::Kernel),
        }
    }

    pub(super) fn unknown_space(&self) -> Remote {
        if self.reads_user() { Remote::Either } else { Remote::Kernel }
    }

    /// Where the value of an expression lies. Values that lie nowhere yet are put into a slot.
    pub(super) fn place(&mut self, e: &Expr) -> Lowered<Place> {
        let outer = self.f.b.set_span(e.span);
        let place = self.place_inner(e);
        self.f.b.set_span(outer);
        place
    }

    fn place_inner(&mut self, e: &Expr) -> Lowered<Place> {
        match &e.kind {
            ExprKind::Local(local) => match self.local_place(*local) {
                Some(place) => Ok(place),
                None => self.materialize(e),
            },
            ExprKind::Text(bytes) => {
                Ok(Place { base: Base::Bytes(bytes.clone()), offset: 0, align: 8, padded: true })
            }
            ExprKind::Deref(ptr) => self.target(ptr),
            ExprKind::Field { base, offset, bits: None } => Ok(self.place(base)?.at(*offset)),
            ExprKind::TupleField(base, n) => self.tuple_field(base, *n),
            ExprKind::Index { base, index } => self.element(base, index),
            ExprKind::Reinterpret(inner) => self.place(inner),
            ExprKind::MapGet { map, key } if !e.ty.is_scalar() => self.map_place(*map, key.as_deref(), e),
            ExprKind::At(location) => match self.field_place(*location)? {
                Some(place) => Ok(place),
                None => self.materialize(e),
            },
            ExprKind::Block(stmts, value) => {
                self.stmts(stmts)?;
                self.place(value)
            }
            // Values that lie nowhere yet.
            ExprKind::Const(_)
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
            | ExprKind::Ternary(..)
            | ExprKind::IncDec { .. }
            | ExprKind::Convert(_)
            | ExprKind::Widen(_)
            | ExprKind::Tuple(_)
            | ExprKind::Field { bits: Some(_), .. }
            | ExprKind::PtrAdd { .. }
            | ExprKind::PtrDiff { .. }
            | ExprKind::AddrOf(_)
            | ExprKind::Builtin(_)
            | ExprKind::KStack(_)
            | ExprKind::UStack(_)
            | ExprKind::StrFrom { .. }
            | ExprKind::BufFrom { .. }
            | ExprKind::Ntop { .. }
            | ExprKind::MacAddr(_)
            | ExprKind::Ksym(_)
            | ExprKind::Usym(_)
            | ExprKind::Strftime(_)
            | ExprKind::CgroupPath(_)
            | ExprKind::Strerror(_)
            | ExprKind::StrContains(..)
            | ExprKind::StrLen(_)
            | ExprKind::Bswap(_)
            | ExprKind::Signal(_)
            | ExprKind::Override(_)
            | ExprKind::Call(..)
            | ExprKind::Emit(_) => self.materialize(e),
        }
    }

    /// Puts a value into a slot of its own.
    pub(super) fn materialize(&mut self, e: &Expr) -> Lowered<Place> {
        let place = Place::slot(self.slot_for(&e.ty));
        self.store_as(e, &e.ty, &place, Fill::Loose)?;
        Ok(place)
    }

    /// Key and value of the entry that a loop's variable stands for.
    pub(super) fn pair(&self, local: LocalId) -> Option<Pair> {
        self.f.pairs.iter().find(|(var, _)| *var == local).map(|(_, pair)| pair.clone())
    }

    fn tuple_field(&mut self, base: &Expr, n: u32) -> Lowered<Place> {
        if let ExprKind::Local(local) = base.kind {
            let pair = self.pair(local);
            if let Some((place, _)) = pair.and_then(|pair| pair.into_iter().nth(n as usize)) {
                return Ok(place);
            }
        }
        let Type::Tuple(tuple) = &base.ty else {
            return self.unsupported(base.span, format!("A field of {} cannot be taken", base.ty));
        };
        let offset = tuple.offsets().get(n as usize).copied().unwrap_or(0);
        Ok(self.place(base)?.at(offset))
    }

    /// An element of an array. An index beyond its end counts a fault and gives the first one.
    fn element(&mut self, base: &Expr, index: &Expr) -> Lowered<Place> {
        let (elem, len) = match &base.ty {
            Type::Array { elem, len } => ((**elem).clone(), *len),
            Type::Str(n) | Type::Buf(n) => (Type::int(1, true), *n),
            _ => return self.unsupported(base.span, format!("{} has no elements", base.ty)),
        };
        let skip = if matches!(base.ty, Type::Buf(_)) { 4 } else { 0 };
        let place = self.place(base)?.at(skip);
        let size = elem.size();
        if let ExprKind::Const(n) = index.kind {
            if len > 0 && n >= u64::from(len) {
                return self
                    .unsupported(index.span, format!("The index {n} is beyond the end of {}", base.ty));
            }
            return Ok(place.at(n as u32 * size));
        }
        let index = self.scalar(index)?;
        let index = if len > 0 { self.checked_index(index, len) } else { index };
        let bytes = self.scale(index, size);
        self.displaced(&place, bytes, size)
    }

    /// The index, or 0 with a fault where it is out of bounds.
    fn checked_index(&mut self, index: Value, len: u32) -> Value {
        let index = self.tested(index);
        let (wrong, on) = (self.f.b.create_block(), self.f.b.create_block());
        let var = self.f.b.declare_var(Ty::I64);
        self.f.b.def_var(var, index);
        let limit = self.f.b.iconst(i64::from(len));
        self.f.b.branch_unlikely(Cond::UGe, index, limit, wrong, on);
        self.f.b.start(wrong);
        self.fault(Fault::OutOfBounds);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(var, zero);
        self.f.b.jump(on, &[]);
        self.f.b.start(on);
        let index = self.f.b.use_var(var);
        self.at_most(index, len - 1)
    }

    /// `index * size`
    pub(super) fn scale(&mut self, index: Value, size: u32) -> Value {
        match size {
            1 => index,
            n if n.is_power_of_two() => self.imm(Alu::Shl, index, i64::from(n.trailing_zeros())),
            n => self.imm(Alu::Mul, index, i64::from(n)),
        }
    }

    /// The place `bytes` further on, where that is known at run time only.
    pub(super) fn displaced(&mut self, place: &Place, bytes: Value, step: u32) -> Lowered<Place> {
        let align = place.alignment().min(1 << step.trailing_zeros().min(3));
        let base = match place.base.clone() {
            Base::Remote(addr, space) => Base::Remote(self.f.b.alu(Alu::Add, addr, bytes), space),
            // The context may be read at constant offsets only.
            Base::Ptr(ptr) if self.f.b.ty(ptr) == Ty::Ptr(Space::Ctx) => {
                let start = self.as_number(ptr);
                Base::Remote(self.f.b.alu(Alu::Add, start, bytes), Remote::Kernel)
            }
            Base::Ptr(ptr) => Base::Ptr(self.f.b.alu(Alu::Add, ptr, bytes)),
            Base::Slot(slot) => {
                let addr = self.slot_addr(slot);
                Base::Ptr(self.f.b.alu(Alu::Add, addr, bytes))
            }
            Base::Bytes(text) => {
                let (id, at) = self.shared.data(&padded_text(&text));
                let addr = self.map_value(id, at);
                Base::Ptr(self.f.b.alu(Alu::Add, addr, bytes))
            }
        };
        Ok(Place { base, align, ..*place })
    }

    /// A pointer to a directly readable place and the offset to read at.
    pub(super) fn direct(&mut self, base: &Base) -> Option<Value> {
        match *base {
            Base::Slot(slot) => Some(self.slot_addr(slot)),
            Base::Ptr(ptr) => Some(ptr),
            Base::Remote(..) | Base::Bytes(_) => None,
        }
    }

    /// The address itself, for helpers.
    pub(super) fn address(&mut self, place: &Place) -> Value {
        let base = match &place.base {
            Base::Slot(slot) => self.slot_addr(*slot),
            Base::Ptr(ptr) => *ptr,
            Base::Remote(addr, _) => *addr,
            Base::Bytes(text) => {
                let (id, at) = self.shared.data(&padded_text(text));
                self.map_value(id, at)
            }
        };
        self.f.b.offset(base, place.offset)
    }

    /// Loads a scalar of this type, extended to 64 bits.
    pub(super) fn load_scalar(&mut self, place: &Place, ty: &Type) -> Lowered<Value> {
        let size = ty.size();
        let Some(width) = Width::of(size) else {
            return self.unsupported(self.f.b.span(), format!("A value of type {ty} is not a number"));
        };
        if let Base::Bytes(text) = &place.base {
            let value = read::constant(text, place.offset as usize, size);
            let value = read::extend_const(value, size, ty.is_signed());
            return Ok(self.f.b.iconst(value));
        }
        let (ptr, offset) = match self.readable(place, size) {
            Some(at) => at,
            None => {
                let slot = self.slot(size);
                let dst = Place::slot(slot);
                self.probe_read(&dst, size, place);
                (self.slot_addr(slot), 0)
            }
        };
        let direct = matches!(place.base, Base::Slot(_) | Base::Ptr(_));
        let in_parts = direct && place.alignment() < size && self.f.b.ty(ptr) == Ty::Ptr(Space::Stack);
        Ok(match in_parts {
            true => self.load_parts(ptr, offset, place.alignment(), ty),
            false => self.f.b.load(width, ty.is_signed(), ptr, offset),
        })
    }

    /// Loads a scalar whose place on the stack is aligned to `step` bytes only (packed structs): the verifier takes
    /// no other access there.
    fn load_parts(&mut self, ptr: Value, offset: i32, step: u32, ty: &Type) -> Value {
        let width = Width::of(step).unwrap_or(Width::B1);
        let mut value = self.f.b.load(width, false, ptr, offset);
        for at in (step..ty.size()).step_by(step as usize) {
            let part = self.f.b.load(width, false, ptr, offset + at as i32);
            let part = self.imm(Alu::Shl, part, i64::from(at) * 8);
            value = self.f.b.alu(Alu::Or, value, part);
        }
        if ty.is_signed() { self.normalize(value, ty) } else { value }
    }

    /// Pointer and offset for a load of `size` bytes, where a plain load may do it.
    pub(super) fn readable(&mut self, place: &Place, size: u32) -> Option<(Value, i32)> {
        let ptr = match &place.base {
            Base::Ptr(ptr) if self.f.b.ty(*ptr) == Ty::Ptr(Space::Ctx) => {
                return self.ctx_readable(place, size).then_some((*ptr, place.offset as i32));
            }
            base => self.direct(base)?,
        };
        match i16::try_from(place.offset) {
            Ok(offset) => Some((ptr, i32::from(offset))),
            Err(_) => Some((self.f.b.offset(ptr, place.offset), 0)),
        }
    }

    /// Does the verifier let the context be read there? It wants natural alignment, and of tracepoints it
    /// hides the first eight bytes (`tp_prog_is_valid_access`). What it takes for pointers in that of a kernel function
    /// (`btf_ctx_access`) would be no numbers.
    fn ctx_readable(&self, place: &Place, size: u32) -> bool {
        if self.plan.load.ty == ProgramType::Tracing {
            return false;
        }
        let hidden = if self.plan.load.ty == ProgramType::Tracepoint { 8 } else { 0 };
        place.offset >= hidden && place.offset % i64::from(size) == 0 && place.offset < i64::from(i16::MAX)
    }

    /// Loads a bit field from its storage unit.
    pub(super) fn load_bits(&mut self, place: &Place, ty: &Type, bits: Bits) -> Lowered<Value> {
        let unsigned = Type::int(ty.size() as u8, false);
        let unit = self.load_scalar(place, &unsigned)?;
        let (shift, width) = (i64::from(bits.shift), i64::from(bits.width));
        if ty.is_signed() {
            let high = self.imm(Alu::Shl, unit, 64 - width - shift);
            return Ok(self.imm(Alu::AShr, high, 64 - width));
        }
        let low = if shift == 0 { unit } else { self.imm(Alu::LShr, unit, shift) };
        let mask = if width >= 64 { -1 } else { (1i64 << width) - 1 };
        Ok(if mask == -1 { low } else { self.imm(Alu::And, low, mask) })
    }

    /// Stores a value of the script. In memory it is a number, whatever it points to: the verifier would follow a pointer there,
    /// and the script may calculate with what it loads.
    pub(super) fn store_number(&mut self, place: &Place, size: u32, value: Value) {
        let number = self.as_number(value);
        self.store_scalar(place, size, number);
    }

    /// Stores a scalar's low bytes.
    pub(super) fn store_scalar(&mut self, place: &Place, size: u32, value: Value) {
        let Some(ptr) = self.direct(&place.base) else { return };
        let (ptr, offset) = match i16::try_from(place.offset) {
            Ok(offset) => (ptr, i32::from(offset)),
            Err(_) => (self.f.b.offset(ptr, place.offset), 0),
        };
        let mut at = 0;
        let mut value = value;
        // A place that is aligned to less than the value (packed structs) is written in parts.
        let step = size.min(place.alignment());
        while at < size {
            let width = Width::of(step).unwrap_or(Width::B1);
            self.f.b.store(width, ptr, offset + at as i32, value);
            at += step;
            if at < size {
                value = self.imm(Alu::LShr, value, i64::from(step) * 8);
            }
        }
    }
}

/// The text with zeros up to a multiple of 8, at least one.
pub(super) fn padded_text(text: &[u8]) -> Rc<[u8]> {
    let mut bytes = text.to_vec();
    bytes.resize((text.len() + 1).next_multiple_of(8), 0);
    bytes.into()
}
