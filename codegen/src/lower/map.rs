//! Reading and writing the script's maps.

use super::Lowered;
use super::frame::Lower;
use super::memory::{Fill, Place};
use super::visit;
use crate::helpers;
use crate::ir::{Alu, AtomicOp, Cond, Op, Space, Ty, Value, Width};
use crate::kernel::Feature;
use crate::layout;
use crate::object::{Fault, MapForm};
use rbtrace_lang::hir::{Expr, ExprKind, MapId};
use rbtrace_lang::types::Type;

/// `BPF_ANY` of `include/uapi/linux/bpf.h`: make a new entry or change the one there is.
pub(super) const BPF_ANY: i64 = 0;
/// `BPF_NOEXIST`: make a new entry only.
pub(super) const BPF_NOEXIST: i64 = 1;

impl Lower<'_, '_> {
    /// A key in memory, padding zeroed.
    pub(super) fn key(&mut self, map: MapId, key: &Expr) -> Lowered<Value> {
        let Some(ty) = self.shared.program.map(map).key.clone() else {
            return self.unsupported(key.span, "This map has no keys");
        };
        if let (ExprKind::Local(local), true) = (&key.kind, key.ty == ty) {
            let place = self.local_place(*local);
            if let Some(place) = place.filter(|p| p.padded || !layout::has_text(&ty)) {
                return Ok(self.address(&place));
            }
        }
        let slot = self.slot_for(&ty);
        self.store_as(key, &ty, &Place::slot(slot), Fill::Padded)?;
        Ok(self.slot_addr(slot))
    }

    /// The number of the element that is the value of an aggregation without keys.
    pub(super) fn element_key(&mut self, map: MapId) -> Value {
        let MapForm::Element(element) = self.shared.home(map).form else { return self.f.b.iconst(0) };
        let slot = Place::slot(self.slot(4));
        let element = self.f.b.iconst(i64::from(element));
        self.store_scalar(&slot, 4, element);
        self.address(&slot)
    }

    /// Address of an entry's value; null where there is no such entry.
    pub(super) fn lookup(&mut self, map: MapId, key: Value) -> Value {
        match self.shared.lockers(map) {
            Some(lockers) => self.look_into_locker(map, lockers, key),
            None => self.lookup_in_hash(map, key),
        }
    }

    /// `bpf_map_lookup_elem`
    pub(super) fn lookup_in_hash(&mut self, map: MapId, key: Value) -> Value {
        let map = self.script_map_ref(map);
        self.call_ptr(helpers::MAP_LOOKUP_ELEM, &[map, key], Space::MapValue)
    }

    /// The place of the value of a map without keys that all CPUs share.
    pub(super) fn single(&mut self, map: MapId) -> Place {
        let home = self.shared.home(map);
        let MapForm::Bytes(at) = home.form else { return Place::ptr(self.map_value(home.object, 0)) };
        Place::ptr(self.map_value(home.object, at))
    }

    /// Marks the value of a map without keys as set.
    pub(super) fn mark_set(&mut self, map: MapId, place: &Place) {
        let offset = layout::set_word(&self.shared.program.map(map).value);
        let one = self.f.b.iconst(1);
        self.store_scalar(&place.at(offset), 8, one);
    }

    /// The value of an entry as a number; zero where there is none.
    pub(super) fn map_value_of(&mut self, map: MapId, key: Option<&Expr>, e: &Expr) -> Lowered<Value> {
        let ty = self.shared.program.map(map).value.clone();
        if let Type::Agg(agg) = ty {
            return self.read_aggregate(map, key, agg, e.span);
        }
        let Some(key) = key else {
            let place = self.single(map);
            return self.load_scalar(&place, &ty);
        };
        let key = self.key(map, key)?;
        let elem = self.lookup(map, key);
        let result = self.f.b.declare_var(super::frame::scalar_ty(&ty));
        let zero = self.f.b.ins(Op::Const(0), super::frame::scalar_ty(&ty));
        self.f.b.def_var(result, zero);
        self.if_found(elem, |lower| {
            let value = lower.load_scalar(&Place::ptr(elem), &ty)?;
            lower.f.b.def_var(result, value);
            Ok(())
        })?;
        Ok(self.f.b.use_var(result))
    }

    /// Where the value of an entry lies; zeros where there is none.
    pub(super) fn map_place(&mut self, map: MapId, key: Option<&Expr>, e: &Expr) -> Lowered<Place> {
        let ty = self.shared.program.map(map).value.clone();
        if let Type::Agg(agg) = ty {
            return self.aggregate_place(map, key, agg, e.span);
        }
        let Some(key) = key else { return Ok(self.single(map)) };
        let key = self.key(map, key)?;
        let elem = self.lookup(map, key);
        let (missing, end) = (self.f.b.create_block(), self.f.b.create_block());
        let result = self.f.b.declare_var(Ty::Ptr(Space::MapValue));
        self.f.b.def_var(result, elem);
        self.branch_null(elem, missing, end);
        self.f.b.start(missing);
        let zeros = self.shared.zeros(ty.size() + layout::TEXT_SPARE);
        let zeros = self.map_value(zeros, 0);
        self.f.b.def_var(result, zeros);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(Place::ptr(self.f.b.use_var(result)))
    }

    /// `@m = value`, `@m[key] = value`
    pub(super) fn assign_map(&mut self, map: MapId, key: Option<&Expr>, value: &Expr) -> Lowered<()> {
        let ty = self.shared.program.map(map).value.clone();
        let Some(key) = key else {
            let place = self.single(map);
            if !ty.is_scalar() && visit::reads_map(value, map) {
                let copy = self.materialize(value)?;
                self.copy_as(&copy, &value.ty, &place, &ty, Fill::Loose)?;
            } else {
                self.store_as(value, &ty, &place, Fill::Loose)?;
            }
            self.mark_set(map, &place);
            return Ok(());
        };
        let value = self.value_in_memory(value, &ty)?;
        let key = self.key(map, key)?;
        match self.shared.lockers(map) {
            Some(lockers) => self.put_into_locker(map, lockers, key, value),
            None => self.put_into_hash(map, key, value),
        }
        Ok(())
    }

    /// `bpf_map_update_elem`; a full map is counted.
    pub(super) fn put_into_hash(&mut self, map: MapId, key: Value, value: Value) {
        let map_ref = self.script_map_ref(map);
        let flags = self.f.b.iconst(BPF_ANY);
        let result = self.call(helpers::MAP_UPDATE_ELEM, &[map_ref, key, value, flags]);
        // Not "less than 0": before 6.4 the maps' own functions return an int, whose upper half is zero here.
        self.fault_if(Cond::Ne, result, 0, Fault::MapFull(map));
    }

    /// Address of a value in memory, where it lies already or in a slot.
    fn value_in_memory(&mut self, value: &Expr, ty: &Type) -> Lowered<Value> {
        if let (ExprKind::Local(local), true) = (&value.kind, value.ty == *ty)
            && let Some(place) = self.local_place(*local)
        {
            return Ok(self.address(&place));
        }
        let slot = self.slot_for(ty);
        self.store_as(value, ty, &Place::slot(slot), Fill::Loose)?;
        Ok(self.slot_addr(slot))
    }

    /// Runs `then` with the value of an entry, which is made with a value of zero where there is none.
    /// Nothing runs when the map is full, which is counted.
    pub(super) fn with_entry(
        &mut self,
        map: MapId,
        key: Value,
        then: impl FnOnce(&mut Self, Value) -> Lowered<()>,
    ) -> Lowered<()> {
        let elem = self.lookup(map, key);
        let (missing, full, found, end) = (
            self.f.b.create_block(),
            self.f.b.create_block(),
            self.f.b.create_block(),
            self.f.b.create_block(),
        );
        let result = self.f.b.declare_var(Ty::Ptr(Space::MapValue));
        self.f.b.def_var(result, elem);
        self.branch_null(elem, missing, found);
        self.f.b.start(missing);
        let made = self.insert_zero(map, key);
        self.f.b.def_var(result, made);
        self.branch_null(made, full, found);
        self.f.b.start(full);
        self.fault(Fault::MapFull(map));
        self.f.b.jump(end, &[]);
        self.f.b.start(found);
        let elem = self.f.b.use_var(result);
        then(self, elem)?;
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// Makes an entry of zeros and looks it up: another CPU may have been faster, or the map is full.
    fn insert_zero(&mut self, map: MapId, key: Value) -> Value {
        let size = self.script_def(map).value_size;
        let zeros = self.shared.zeros(size);
        let zeros = self.map_value(zeros, 0);
        let map_ref = self.script_map_ref(map);
        let flags = self.f.b.iconst(BPF_NOEXIST);
        self.call(helpers::MAP_UPDATE_ELEM, &[map_ref, key, zeros, flags]);
        self.lookup(map, key)
    }

    /// Adds to a number in a map, at once for all CPUs. The result is the value before; it is asked for
    /// only when `wanted`.
    pub(super) fn add_to_map(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        step: i64,
        wanted: bool,
    ) -> Lowered<Value> {
        let ty = self.shared.program.map(map).value.clone();
        let Some(key) = key else {
            let place = self.single(map);
            let old = self.add_in_place(&place, &ty, step, wanted)?;
            self.mark_set(map, &place);
            return Ok(old);
        };
        let key = self.key(map, key)?;
        let result = self.f.b.declare_var(Ty::I64);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(result, zero);
        self.with_entry(map, key, |lower, elem| {
            let old = lower.add_in_place(&Place::ptr(elem), &ty, step, wanted)?;
            lower.f.b.def_var(result, old);
            Ok(())
        })?;
        Ok(self.f.b.use_var(result))
    }

    fn add_in_place(&mut self, place: &Place, ty: &Type, step: i64, wanted: bool) -> Lowered<Value> {
        let width = match Width::of(ty.size()) {
            Some(width @ (Width::B4 | Width::B8)) => width,
            _ => {
                let old = self.load_scalar(place, ty)?;
                let new = self.imm(Alu::Add, old, step);
                self.store_scalar(place, ty.size(), new);
                return Ok(old);
            }
        };
        let ptr = self.address(place);
        let value = self.f.b.iconst(step);
        let (offset, fetch) = (0, self.kernel().has(Feature::Atomics));
        if wanted && fetch {
            let op = Op::Atomic { op: AtomicOp::FetchAdd, width, ptr, offset, value };
            let old = self.f.b.ins(op, Ty::I64);
            return Ok(self.normalize(old, ty));
        }
        let old = if wanted { self.load_scalar(place, ty)? } else { value };
        self.f.b.effect(Op::Atomic { op: AtomicOp::Add, width, ptr, offset, value });
        Ok(old)
    }

    /// `has_key(@m, key)`
    pub(super) fn has_key(&mut self, map: MapId, key: &Expr) -> Lowered<Value> {
        let key = self.key(map, key)?;
        let elem = self.lookup(map, key);
        self.value_of_branch([0, 1], |lower, missing, found| {
            lower.branch_null(elem, missing, found);
            Ok(())
        })
    }

    /// `delete(@m, key)`: was there one?
    pub(super) fn delete(&mut self, map: MapId, key: Option<&Expr>) -> Lowered<Value> {
        let Some(key) = key else { return self.delete_single(map) };
        let key = self.key(map, key)?;
        Ok(match self.shared.lockers(map) {
            Some(lockers) => self.empty_locker(map, lockers, key),
            None => self.delete_in_hash(map, key),
        })
    }

    /// `bpf_map_delete_elem`: was there an entry?
    pub(super) fn delete_in_hash(&mut self, map: MapId, key: Value) -> Value {
        let map = self.script_map_ref(map);
        let result = self.call(helpers::MAP_DELETE_ELEM, &[map, key]);
        let zero = self.f.b.iconst(0);
        self.compare(Cond::Eq, result, zero)
    }

    fn delete_single(&mut self, map: MapId) -> Lowered<Value> {
        let ty = self.shared.program.map(map).value.clone();
        let (size, span) = (layout::set_word(&ty) + 8, self.f.b.span());
        let word = Type::int(8, false);
        if !self.shared.is_per_cpu(map) {
            let place = self.single(map);
            let was = self.load_scalar(&place.at(size - 8), &word)?;
            self.zero(&place, size);
            return Ok(was);
        }
        let key = self.element_key(map);
        let was = self.f.b.declare_var(Ty::I64);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(was, zero);
        self.for_each_cpu(map, key, span, |lower, elem| {
            let place = Place::ptr(elem);
            let set = lower.load_scalar(&place.at(size - 8), &word)?;
            let before = lower.f.b.use_var(was);
            let any = lower.f.b.alu(Alu::Or, before, set);
            lower.f.b.def_var(was, any);
            lower.zero(&place, size);
            Ok(())
        })?;
        Ok(self.f.b.use_var(was))
    }
}
