//! Counts by key without the hash: each CPU has a few tallies, and the first keys that come keep one.
//!
//! A lookup in a per-CPU hash costs several times what counting does. A key's tally follows from a
//! multiplication; keys whose tally belongs to another key are counted in the hash as ever. Nothing is ever
//! evicted or emptied, so that what user space reads is one monotonic count for each tally; it clears by
//! remembering what it has read. [`Tallies`] says how they lie.
//!
//! Only programs of one CPU write to its tallies, but one may interrupt the other. A tally that has never been
//! claimed holds the key of zeros, which no tally but the first is ever looked at for; that one belongs to it from
//! the start. The word [`Tallies::TAKEN`] is exchanged to claim a tally, and the first word of the key is written
//! last: until then the tally matches no key.

use super::Lowered;
use super::frame::Lower;
use super::map::BPF_ANY;
use super::memory::Place;
use crate::builder::Var;
use crate::helpers;
use crate::ir::{Alu, AtomicOp, Block, Cond, Op, Space, Ty, Value, Width};
use crate::object::{Fault, ObjMapId, Tallies};
use rbtrace_lang::hir::MapId;

/// 2^32 divided by the golden ratio, odd, as an immediate: the high bits of the low half of a product with it
/// depend on all bits of the key.
pub(super) const SPREAD: i64 = 0x9e37_79b1_u32 as i32 as i64;
/// Makes the two halves of a text differ when they are exchanged.
const SECOND: i64 = 31;

impl Lower<'_, '_> {
    /// Counts one for a key in memory: in its tally, or in the hash where that is another key's.
    pub(super) fn count_in_tally(&mut self, map: MapId, tallies: (ObjMapId, u32), key: Value) -> Lowered<()> {
        let words = self.key_words(map, key);
        let index = self.tally_offset(&words, self.script_def(map).key_size);
        let tally = self.tally_of_cpu(tallies, index);
        let counter = self.f.b.declare_var(Ty::Ptr(Space::MapValue));
        self.f.b.def_var(counter, tally);
        let [miss, count, hash, end] = [(); 4].map(|()| self.f.b.create_block());
        let there = self.f.b.load(Width::B8, false, tally, Tallies::KEY as i32);
        self.match_key(tally, there, &words, miss, count);
        self.f.b.start(miss);
        self.claim(tally, there, &words, count, hash);
        self.f.b.start(hash);
        self.count_in_hash(map, key, counter, count, end);
        self.f.b.start(count);
        let counter = self.f.b.use_var(counter);
        self.count_at(&Place::ptr(counter))?;
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(())
    }

    /// Is the tally this key's?
    fn match_key(&mut self, tally: Value, there: Value, words: &[Value], miss: Block, yes: Block) {
        let Some(&second) = words.get(1) else {
            return self.f.b.branch_unlikely(Cond::Ne, there, words[0], miss, yes);
        };
        let rest = self.f.b.create_block();
        self.f.b.branch_unlikely(Cond::Ne, there, words[0], miss, rest);
        self.f.b.start(rest);
        let there = self.f.b.load(Width::B8, false, tally, Tallies::KEY as i32 + 8);
        self.f.b.branch_unlikely(Cond::Ne, there, second, miss, yes);
    }

    /// Goes to `count` with the key's entry, or makes one that has counted once and goes to `end`.
    ///
    /// An entry that another CPU makes meanwhile does no harm: only this CPU's part is written.
    fn count_in_hash(&mut self, map: MapId, key: Value, counter: Var, count: Block, end: Block) {
        let elem = self.lookup(map, key);
        self.f.b.def_var(counter, elem);
        let missing = self.f.b.create_block();
        self.branch_null(elem, missing, count);
        self.f.b.start(missing);
        let first = self.slot(8);
        let one = self.f.b.iconst(1);
        self.store_scalar(&Place::slot(first), 8, one);
        let (map_ref, first) = (self.script_map_ref(map), self.slot_addr(first));
        let flags = self.f.b.iconst(BPF_ANY);
        let result = self.call(helpers::MAP_UPDATE_ELEM, &[map_ref, key, first, flags]);
        self.fault_if(Cond::Ne, result, 0, Fault::MapFull(map));
        self.f.b.jump(end, &[]);
    }

    fn key_words(&mut self, map: MapId, key: Value) -> Vec<Value> {
        match self.script_def(map).key_size {
            16 => [0, 8].map(|at| self.f.b.load(Width::B8, false, key, at)).to_vec(),
            size => vec![self.f.b.load(Width::of(size).unwrap_or(Width::B8), false, key, 0)],
        }
    }

    /// Where the key's tally lies among those of a CPU. The key of zeros has the first.
    fn tally_offset(&mut self, words: &[Value], key_size: u32) -> Value {
        let mut mixed = words[0];
        if let Some(second) = words.get(1) {
            let second = self.imm(Alu::Mul, *second, SECOND);
            mixed = self.f.b.alu(Alu::Xor, mixed, second);
        }
        if key_size >= 8 {
            let high = self.imm(Alu::LShr, mixed, 32);
            mixed = self.f.b.alu(Alu::Xor, mixed, high);
        }
        let product = self.imm(Alu::Mul, mixed, SPREAD);
        let (tally, all) = (Tallies::SIZE.trailing_zeros(), Tallies::PER_CPU.trailing_zeros());
        let shifted = self.imm(Alu::LShr, product, i64::from(32 - all - tally));
        self.imm(Alu::And, shifted, i64::from(Tallies::CPU_SIZE - Tallies::SIZE))
    }

    fn tally_of_cpu(&mut self, (tallies, map): (ObjMapId, u32), index: Value) -> Value {
        let cpus = self.kernel().ncpus().next_power_of_two();
        let base = self.map_value(tallies, map * cpus * Tallies::CPU_SIZE);
        if cpus == 1 {
            return self.f.b.alu(Alu::Add, base, index);
        }
        let cpu = self.call(helpers::GET_SMP_PROCESSOR_ID, &[]);
        let cpu = self.imm(Alu::And, cpu, i64::from(cpus - 1));
        let cpu = self.scale(cpu, Tallies::CPU_SIZE);
        let offset = self.f.b.alu(Alu::Add, cpu, index);
        self.f.b.alu(Alu::Add, base, offset)
    }

    /// Claims a free tally for this key and goes to `count`, or to `hash` where somebody else has it.
    /// `there`: the first word of the tally's key, which is another than this key's.
    fn claim(&mut self, tally: Value, there: Value, words: &[Value], count: Block, hash: Block) {
        let (free, claimed) = (self.f.b.create_block(), self.f.b.create_block());
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Ne, there, zero, hash, free);
        self.f.b.start(free);
        let one = self.f.b.iconst(1);
        let before = self.exchange(tally, Tallies::TAKEN, one);
        self.f.b.branch_unlikely(Cond::Eq, before, zero, claimed, hash);
        self.f.b.start(claimed);
        if let Some(second) = words.get(1) {
            self.f.b.store(Width::B8, tally, Tallies::KEY as i32 + 8, *second);
        }
        // An exchange also keeps the order towards user space, which reads this word first.
        self.exchange(tally, Tallies::KEY, words[0]);
        self.f.b.jump(count, &[]);
    }

    fn exchange(&mut self, ptr: Value, offset: u32, value: Value) -> Value {
        let op = Op::Atomic { op: AtomicOp::Xchg, width: Width::B8, ptr, offset: offset as i32, value };
        self.f.b.ins(op, Ty::I64)
    }
}
