//! A thread's own value without the hash, as in `@start[tid] = nsecs`: a thread puts it into a locker, which follows from its
//! number, and takes it out again.
//!
//! An update and a deletion in a hash cost several times what the rest of such a program does. Threads whose locker
//! is taken by another use the hash as ever, and the locker remembers that there are such. [`Lockers`] says how they lie.
//!
//! The running thread alone has its number, so that no other CPU changes its locker. A program that interrupts another
//! of the same thread may: what takes a locker or gives it back therefore exchanges the key in one step, and where that fails
//! the hash serves. The order in which processors see stores is x86's: none overtakes another.

use super::frame::Lower;
use super::tallies::SPREAD;
use crate::ir::{Alu, Block, Cond, Op, Space, Ty, Value, Width};
use crate::object::{Lockers, ObjMapId};
use rbtrace_lang::hir::MapId;

/// The lockers of a map: the kernel object, and its number there.
pub(super) type At = (ObjMapId, u32);

/// A thread's locker.
struct Locker {
    /// Its address.
    at: Value,
    /// The thread's number, which is the key.
    thread: Value,
}

impl Lower<'_, '_> {
    /// The value of the running thread in its locker, or else in the hash; null where it has none.
    pub(super) fn look_into_locker(&mut self, map: MapId, lockers: At, key: Value) -> Value {
        let locker = self.locker(map, lockers, key);
        let [mine, other, hash, end] = [(); 4].map(|()| self.f.b.create_block());
        let result = self.f.b.declare_var(Ty::Ptr(Space::MapValue));
        let null = self.f.b.ins(Op::Const(0), Ty::Ptr(Space::MapValue));
        self.f.b.def_var(result, null);
        let there = self.locker_word(&locker, Lockers::KEY);
        self.f.b.branch(Cond::Eq, there, locker.thread, mine, other);
        self.f.b.start(other);
        self.branch_if_spilled(&locker, hash, end);
        self.f.b.start(hash);
        let found = self.lookup_in_hash(map, key);
        self.f.b.def_var(result, found);
        self.f.b.jump(end, &[]);
        self.f.b.start(mine);
        let value = self.imm(Alu::Add, locker.at, i64::from(Lockers::VALUE));
        self.f.b.def_var(result, value);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(result)
    }

    /// Keeps a value of the running thread, which lies at `value`: in its locker, or in the hash where that is not free.
    pub(super) fn put_into_locker(&mut self, map: MapId, lockers: At, key: Value, value: Value) {
        let locker = self.locker(map, lockers, key);
        let [free, other, emptied, taken, hash, end] = [(); 6].map(|()| self.f.b.create_block());
        let (zero, busy) = (self.f.b.iconst(0), self.f.b.iconst(Lockers::BUSY as i64));
        let there = self.locker_word(&locker, Lockers::KEY);
        // What is not there yet may still lie in the hash, from when the locker was another's.
        self.f.b.branch(Cond::Eq, there, zero, free, other);
        self.f.b.start(free);
        let stale = self.f.b.create_block();
        self.branch_if_spilled(&locker, stale, emptied);
        self.f.b.start(stale);
        self.delete_in_hash(map, key);
        self.f.b.jump(emptied, &[]);
        self.f.b.start(emptied);
        let before = self.exchange_key(&locker, zero, busy);
        self.f.b.branch_unlikely(Cond::Ne, before, zero, hash, taken);
        self.f.b.start(other);
        let before = self.exchange_key(&locker, locker.thread, busy);
        self.f.b.branch(Cond::Eq, before, locker.thread, taken, hash);
        self.f.b.start(taken);
        let width = Width::of(self.shared.program.map(map).value.size()).unwrap_or(Width::B8);
        let number = self.f.b.load(width, false, value, 0);
        self.f.b.store(width, locker.at, Lockers::VALUE as i32, number);
        self.f.b.store(Width::B8, locker.at, Lockers::KEY as i32, locker.thread);
        self.f.b.jump(end, &[]);
        self.f.b.start(hash);
        let one = self.f.b.iconst(1);
        self.f.b.store(Width::B8, locker.at, Lockers::SPILLED as i32, one);
        self.put_into_hash(map, key, value);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
    }

    /// Gives the running thread's locker back, and drops what the hash has; was there a value?
    pub(super) fn empty_locker(&mut self, map: MapId, lockers: At, key: Value) -> Value {
        let locker = self.locker(map, lockers, key);
        let [mine, rest, hash, end] = [(); 4].map(|()| self.f.b.create_block());
        let was = self.f.b.declare_var(Ty::I64);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(was, zero);
        let there = self.locker_word(&locker, Lockers::KEY);
        self.f.b.branch(Cond::Eq, there, locker.thread, mine, rest);
        self.f.b.start(mine);
        let before = self.exchange_key(&locker, locker.thread, zero);
        let gone = self.compare(Cond::Eq, before, locker.thread);
        self.f.b.def_var(was, gone);
        self.f.b.jump(rest, &[]);
        self.f.b.start(rest);
        self.branch_if_spilled(&locker, hash, end);
        self.f.b.start(hash);
        let deleted = self.delete_in_hash(map, key);
        let before = self.f.b.use_var(was);
        let either = self.f.b.alu(Alu::Or, before, deleted);
        self.f.b.def_var(was, either);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(was)
    }

    /// The locker of the thread whose number lies at `key`.
    fn locker(&mut self, map: MapId, (object, number): At, key: Value) -> Locker {
        let width = Width::of(self.script_def(map).key_size).unwrap_or(Width::B4);
        let thread = self.f.b.load(width, false, key, 0);
        let product = self.imm(Alu::Mul, thread, SPREAD);
        let (size, all) = (Lockers::SIZE.trailing_zeros(), Lockers::COUNT.trailing_zeros());
        let shifted = self.imm(Alu::LShr, product, i64::from(32 - all - size));
        let offset = self.imm(Alu::And, shifted, i64::from(Lockers::MAP_SIZE - Lockers::SIZE));
        let base = self.map_value(object, number * Lockers::MAP_SIZE);
        Locker { at: self.f.b.alu(Alu::Add, base, offset), thread }
    }

    fn locker_word(&mut self, locker: &Locker, offset: u32) -> Value {
        self.f.b.load(Width::B8, false, locker.at, offset as i32)
    }

    fn branch_if_spilled(&mut self, locker: &Locker, yes: Block, no: Block) {
        let spilled = self.locker_word(locker, Lockers::SPILLED);
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Ne, spilled, zero, yes, no);
    }

    fn exchange_key(&mut self, locker: &Locker, old: Value, new: Value) -> Value {
        self.f.b.ins(Op::CmpXchg { ptr: locker.at, offset: Lockers::KEY as i32, old, new }, Ty::I64)
    }
}
