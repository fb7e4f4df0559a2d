//! `dw_ustack`: the user stack by a table of unwind rules, where programs keep no frame pointer.
//!
//! User space makes a table for each process out of the call frame information of its files ([`UnwindRow`]). The
//! program looks each return address up by halves, reads the caller's registers from the user's stack, and goes on
//! there. What it has found is kept in a map by its hash, which stands for the stack.
//!
//! A round is one frame. It is a callback of `bpf_loop` where there is that helper; else the verifier follows all
//! rounds. Between rounds everything lies in a record on the stack of the caller:
//!
//! | offset | what |
//! |---|---|
//! | 0, 8, 16 | instruction pointer, stack pointer, frame pointer |
//! | 24 | how many frames were found |
//! | 32 | their hash |
//! | 40 | 0, then [`COMPLETE`] or [`CUT`] |
//! | 48 | 1: the instruction pointer is a return address; its call lies before it |
//! | 56, 64 | addresses of the table and of the frames |
//! | 72, 76 | a key of the table and the number of a row, four bytes each |
//! | 80 … | words of the user's stack |

use super::Lowered;
use super::frame::{Leave, Lower, OpenFunction};
use super::memory::Place;
use super::nest::MAX_FRAMES;
use crate::arch;
use crate::builder::FunctionBuilder;
use crate::helpers;
use crate::ir::{Alu, Block, Cond, Op, Space, Ty, Value, Width};
use crate::object::{Control, Fault, UnwindRow, UnwindRule};
use rbtrace_lang::context::Register;
use rbtrace_lang::types::{StackType, U64};

const IP: u32 = 0;
const SP: u32 = 8;
const FP: u32 = 16;
const COUNT: u32 = 24;
const HASH: u32 = 32;
const STATUS: u32 = 40;
const RETURNED: u32 = 48;
const TABLE: u32 = 56;
const FRAMES: u32 = 64;
const KEY: u32 = 72;
const NUMBER: u32 = 76;
const WORDS: u32 = 80;
const RECORD: u32 = WORDS + SIGNAL_WORDS;

/// Its outermost frame has been found, or as many as were asked for.
const COMPLETE: i64 = 1;
/// Its next frame cannot be found.
const CUT: i64 = 2;

/// Where a signal frame has the frame pointer, counted from its `struct ucontext`
/// (arch/x86/include/uapi/asm/{ucontext,sigcontext}.h).
const SIGNAL_FP: u32 = 120;
/// From there to the stack pointer, and to the instruction pointer.
const SIGNAL_SP: u32 = 160 - SIGNAL_FP;
const SIGNAL_IP: u32 = 168 - SIGNAL_FP;
/// Bytes that hold all three.
const SIGNAL_WORDS: u32 = SIGNAL_IP + 8;

/// Entries of the procedure linkage table have 16 bytes.
const PLT_ENTRY: i64 = 16;

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const SPREAD: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

const ENOENT: i64 = 2;
const EEXIST: i64 = 17;

impl Lower<'_, '_> {
    /// The id of the unwound stack, or a negative errno.
    pub(super) fn unwound_stack_id(&mut self, ty: StackType) -> Lowered<Value> {
        let registers = self.user_registers()?;
        let slot = self.slot(RECORD);
        self.f.b.keep_on_stack(slot);
        let frames = self.slot(u32::from(ty.depth).next_power_of_two() * 8);
        self.f.b.keep_off_stack(frames);
        self.zero(&Place::slot(frames), u32::from(ty.depth) * 8);
        let record = self.slot_addr(slot);
        let id = self.f.b.declare_var(Ty::I64);
        let none = self.f.b.iconst(-ENOENT);
        self.f.b.def_var(id, none);
        let pid = self.process_id();
        let table = self.table_of(pid, record);
        let [missing, found, end] = [(); 3].map(|()| self.f.b.create_block());
        self.branch_null(table, missing, found);
        self.f.b.start(missing);
        self.table_wanted(pid, Fault::NoUnwindTable);
        self.f.b.jump(end, &[]);
        self.f.b.start(found);
        let frames = self.slot_addr(frames);
        self.begin_unwinding(record, registers, table, frames);
        self.unwind(record, ty)?;
        self.count_cut(record, pid);
        let stack = self.keep_stack(record, frames, ty);
        self.f.b.def_var(id, stack);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(self.f.b.use_var(id))
    }

    /// Instruction pointer, stack pointer and frame pointer of the process.
    fn user_registers(&mut self) -> Lowered<[Value; 3]> {
        let span = self.f.b.span();
        let fp = arch::register("bp").map_or(0, |(offset, _)| offset);
        let wanted = [arch::CURRENT.ip, arch::CURRENT.sp, fp];
        let mut values = [None; 3];
        if self.plan.attach.iter().all(|a| a.target.is_of_user()) {
            for (value, offset) in values.iter_mut().zip(wanted) {
                *value = Some(self.register(Register::At { offset, size: 8 }, &U64, span)?);
            }
        } else {
            if !self.can_call(helpers::TASK_PT_REGS) {
                let message =
                    "dw_ustack() needs Linux 5.15 outside of uprobes: this kernel has no bpf_task_pt_regs";
                return self.unsupported(span, message);
            }
            let task = self.call_ptr(helpers::GET_CURRENT_TASK_BTF, &[], Space::Btf);
            let saved = self.call_ptr(helpers::TASK_PT_REGS, &[task], Space::Btf);
            for (value, offset) in values.iter_mut().zip(wanted) {
                *value = Some(self.f.b.load(Width::B8, false, saved, offset as i32));
            }
        }
        let zero = self.f.b.iconst(0);
        Ok(values.map(|v| v.unwrap_or(zero)))
    }

    fn table_of(&mut self, pid: Value, record: Value) -> Value {
        let map = self.shared.unwind_tables();
        let map = self.map_ref(map);
        self.store_scalar(&Place::ptr(record).at(KEY), 8, pid);
        let key = self.f.b.offset(record, i64::from(KEY));
        self.call_ptr(helpers::MAP_LOOKUP_ELEM, &[map, key], Space::Map)
    }

    /// Counts what the process's table lacks, and asks user space for a newer one.
    fn table_wanted(&mut self, pid: Value, fault: Fault) {
        self.fault(fault);
        let word = self.control(Control::UNWIND);
        self.f.b.store(Width::B8, word, 0, pid);
    }

    fn begin_unwinding(&mut self, record: Value, registers: [Value; 3], table: Value, frames: Value) {
        let place = Place::ptr(record);
        for (at, value) in
            [IP, SP, FP, TABLE, FRAMES].into_iter().zip([&registers[..], &[table, frames]].concat())
        {
            self.store_scalar(&place.at(at), 8, value);
        }
        for at in [COUNT, HASH, STATUS, RETURNED] {
            let zero = self.opaque_zero();
            self.store_scalar(&place.at(at), 8, zero);
        }
    }

    /// Runs the rounds.
    fn unwind(&mut self, record: Value, ty: StackType) -> Lowered<()> {
        if self.f.depth < MAX_FRAMES && self.can_call(helpers::LOOP) {
            let rounds = self.f.b.iconst(i64::from(ty.depth));
            let func = self.unwinder(ty)?;
            let flags = self.f.b.iconst(0);
            self.call(helpers::LOOP, &[rounds, func, record, flags]);
            return Ok(());
        }
        let end = self.f.b.create_block();
        self.counted(u32::from(ty.depth), end, |lower, _, next| lower.one_frame(record, ty, [next, end]))?;
        self.f.b.start(end);
        Ok(())
    }

    /// The function of a round.
    fn unwinder(&mut self, ty: StackType) -> Lowered<Value> {
        let id = self.reserve_func();
        let params = [Ty::I64, Ty::Ptr(Space::Callback)];
        let mut b = FunctionBuilder::new(format!("unwind{}", id.0), &params, self.f.b.span());
        let record = b.param(1);
        let [next, stop] = [(); 2].map(|()| b.create_block());
        let leave = Leave::Callback { context: record, on_break: stop };
        let mut frame = OpenFunction::new(b, None, 0, leave);
        frame.depth = self.f.depth + 1;
        let outer = std::mem::replace(&mut self.f, frame);
        let built = self.one_frame(record, ty, [next, stop]);
        for (block, code) in [(next, 0), (stop, 1)] {
            self.f.b.start(block);
            let code = self.f.b.iconst(code);
            self.f.b.ret(code);
        }
        let inner = std::mem::replace(&mut self.f, outer);
        self.define_func(id, inner.b.finish());
        built?;
        Ok(self.f.b.ins(Op::FuncAddr(id), Ty::Ptr(Space::Func)))
    }

    /// Notes a frame and finds its caller. Goes to `next`, or to `stop` where there is none.
    fn one_frame(&mut self, record: Value, ty: StackType, [next, stop]: [Block; 2]) -> Lowered<()> {
        let [complete, cut] = [(); 2].map(|()| self.f.b.create_block());
        self.note_frame(record, ty);
        let row = self.find_row(record, cut)?;
        self.follow(record, row, [next, complete, cut])?;
        for (block, status) in [(complete, COMPLETE), (cut, CUT)] {
            self.f.b.start(block);
            let status = self.f.b.iconst(status);
            self.store_scalar(&Place::ptr(record).at(STATUS), 8, status);
            self.f.b.jump(stop, &[]);
        }
        Ok(())
    }

    fn note_frame(&mut self, record: Value, ty: StackType) {
        let place = Place::ptr(record);
        let [ip, count, hash] = [IP, COUNT, HASH].map(|at| self.recorded(record, at));
        let frames = Op::Load { width: Width::B8, signed: false, ptr: record, offset: FRAMES as i32 };
        let frames = self.f.b.ins(frames, Ty::Ptr(Space::Stack));
        let inside = self.imm(Alu::And, count, i64::from(ty.depth.next_power_of_two()) - 1);
        let offset = self.imm(Alu::Shl, inside, 3);
        let frame = self.f.b.alu(Alu::Add, frames, offset);
        self.f.b.store(Width::B8, frame, 0, ip);
        let count = self.imm(Alu::Add, count, 1);
        self.store_scalar(&place.at(COUNT), 8, count);
        let hash = self.f.b.alu(Alu::Xor, hash, ip);
        let spread = self.f.b.iconst(SPREAD);
        let hash = self.f.b.alu(Alu::Mul, hash, spread);
        let high = self.imm(Alu::LShr, hash, 29);
        let hash = self.f.b.alu(Alu::Xor, hash, high);
        self.store_scalar(&place.at(HASH), 8, hash);
    }

    /// The last row whose address is not above the code's; goes to `cut` where the table has none.
    ///
    /// Powers of two are added to the row's number as long as the row's address allows it. That is calculated, not
    /// branched on: the verifier would have to follow each branch. It lies in the record's four bytes, of which the
    /// verifier remembers no bounds: before 6.2 it would tell all ways through the rounds apart by them.
    fn find_row(&mut self, record: Value, cut: Block) -> Lowered<Value> {
        let [ip, returned] = [IP, RETURNED].map(|at| self.recorded(record, at));
        let code = self.f.b.alu(Alu::Sub, ip, returned);
        let number = Place::ptr(record).at(NUMBER);
        let first = self.f.b.iconst(0);
        self.store_scalar(&number, 4, first);
        let found = self.f.b.create_block();
        self.counted(UnwindRow::BITS, found, |lower, index, next| {
            let highest = lower.f.b.iconst(i64::from(UnwindRow::BITS) - 1);
            let bit = lower.f.b.alu(Alu::Sub, highest, index);
            let one = lower.f.b.iconst(1);
            let step = lower.f.b.alu(Alu::Shl, one, bit);
            let now = lower.f.b.load(Width::B4, false, record, NUMBER as i32);
            let farther = lower.f.b.alu(Alu::Add, now, step);
            let row = lower.row(record, farther);
            let inside = lower.f.b.create_block();
            lower.branch_null(row, next, inside);
            lower.f.b.start(inside);
            let address = lower.f.b.load(Width::B8, false, row, UnwindRow::ADDRESS as i32);
            let above = lower.f.b.alu(Alu::Sub, address, code);
            let above = lower.imm(Alu::Sub, above, 1);
            let taken = lower.imm(Alu::AShr, above, 63);
            let taken = lower.f.b.alu(Alu::And, taken, step);
            let now = lower.f.b.alu(Alu::Add, now, taken);
            lower.store_scalar(&number, 4, now);
            lower.f.b.jump(next, &[]);
            Ok(())
        })?;
        self.f.b.start(found);
        let number = self.f.b.load(Width::B4, false, record, NUMBER as i32);
        let row = self.row(record, number);
        let inside = self.f.b.create_block();
        self.branch_null(row, cut, inside);
        self.f.b.start(inside);
        Ok(row)
    }

    /// A row of the table by its number; null where there is none.
    fn row(&mut self, record: Value, number: Value) -> Value {
        self.store_scalar(&Place::ptr(record).at(KEY), 4, number);
        let table = Op::Load { width: Width::B8, signed: false, ptr: record, offset: TABLE as i32 };
        let table = self.f.b.ins(table, Ty::Ptr(Space::Map));
        let key = self.f.b.offset(record, i64::from(KEY));
        self.call_ptr(helpers::MAP_LOOKUP_ELEM, &[table, key], Space::MapValue)
    }

    /// Replaces the registers in the record by the caller's.
    fn follow(&mut self, record: Value, row: Value, [next, complete, cut]: [Block; 3]) -> Lowered<()> {
        let rule = self.f.b.load(Width::B2, false, row, UnwindRow::RULE as i32);
        let distance = self.f.b.load(Width::B4, true, row, UnwindRow::CFA as i32);
        let saved = self.f.b.load(Width::B2, true, row, UnwindRow::FP as i32);
        let [ip, sp, fp] = [IP, SP, FP].map(|at| self.recorded(record, at));
        self.unless(rule, UnwindRule::Unknown, cut);
        self.unless(rule, UnwindRule::Outermost, complete);
        let signal = self.f.b.create_block();
        self.unless(rule, UnwindRule::Signal, signal);
        let by_fp = self.f.b.iconst(UnwindRule::Fp as i64);
        let base = self.select(Cond::UGe, rule, by_fp, fp, sp);
        let cfa = self.f.b.declare_var(Ty::I64);
        let direct = self.f.b.alu(Alu::Add, base, distance);
        self.f.b.def_var(cfa, direct);
        let [plt, indirect, calling] = [(); 3].map(|()| self.f.b.create_block());
        self.unless(rule, UnwindRule::Plt, plt);
        self.unless(rule, UnwindRule::FpIndirect, indirect);
        let whole = self.f.b.create_block();
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Eq, saved, zero, calling, whole);
        self.f.b.start(whole);
        let at = self.f.b.alu(Alu::Add, direct, saved);
        self.user_words(record, at, 8, cut);
        self.keep_word(record, 0, FP);
        self.f.b.jump(calling, &[]);
        self.f.b.start(plt);
        let byte = self.imm(Alu::And, ip, PLT_ENTRY - 1);
        let [none, word] = [0, 8].map(|n| self.f.b.iconst(n));
        let pushed = self.select(Cond::SGe, byte, saved, word, none);
        let above = self.f.b.alu(Alu::Add, direct, pushed);
        self.f.b.def_var(cfa, above);
        self.f.b.jump(calling, &[]);
        self.f.b.start(indirect);
        self.user_words(record, direct, 8, cut);
        let held = self.recorded(record, WORDS);
        self.f.b.def_var(cfa, held);
        let at = self.f.b.alu(Alu::Add, fp, saved);
        self.user_words(record, at, 8, cut);
        self.keep_word(record, 0, FP);
        self.f.b.jump(calling, &[]);
        self.f.b.start(calling);
        let cfa = self.f.b.use_var(cfa);
        self.step_out(record, cfa, [next, complete, cut]);
        self.f.b.start(signal);
        let at = self.imm(Alu::Add, sp, i64::from(SIGNAL_FP));
        self.user_words(record, at, SIGNAL_WORDS, cut);
        for (from, to) in [(0, FP), (SIGNAL_SP, SP), (SIGNAL_IP, IP)] {
            self.keep_word(record, from, to);
        }
        // The interrupted instruction is the next one to run: no call lies before it.
        let exact = self.opaque_zero();
        self.store_scalar(&Place::ptr(record).at(RETURNED), 8, exact);
        self.f.b.jump(next, &[]);
        Ok(())
    }

    /// Goes to the function that called: its return address lies below its stack pointer, which is above ours.
    fn step_out(&mut self, record: Value, cfa: Value, [next, complete, cut]: [Block; 3]) {
        let place = Place::ptr(record);
        let sp = self.recorded(record, SP);
        let above = self.f.b.create_block();
        self.f.b.branch_unlikely(Cond::ULe, cfa, sp, cut, above);
        self.f.b.start(above);
        let at = self.imm(Alu::Add, cfa, -8);
        self.user_words(record, at, 8, cut);
        self.store_scalar(&place.at(SP), 8, cfa);
        self.keep_word(record, 0, IP);
        let one = self.f.b.iconst(1);
        let returned = self.hide(one);
        self.store_scalar(&place.at(RETURNED), 8, returned);
        let ip = self.recorded(record, IP);
        let zero = self.f.b.iconst(0);
        self.f.b.branch_unlikely(Cond::Eq, ip, zero, complete, next);
    }

    /// Goes to `there` where the row has this rule.
    fn unless(&mut self, rule: Value, this: UnwindRule, there: Block) {
        let other = self.f.b.create_block();
        let this = self.f.b.iconst(this as i64);
        self.f.b.branch(Cond::Eq, rule, this, there, other);
        self.f.b.start(other);
    }

    /// Reads from the user's stack into the record; goes to `cut` where that cannot be read.
    fn user_words(&mut self, record: Value, address: Value, bytes: u32, cut: Block) {
        let to = self.f.b.offset(record, i64::from(WORDS));
        let size = self.f.b.iconst(i64::from(bytes));
        let failed = self.call(helpers::PROBE_READ_USER, &[to, size, address]);
        let (zero, read) = (self.f.b.iconst(0), self.f.b.create_block());
        self.f.b.branch_unlikely(Cond::Ne, failed, zero, cut, read);
        self.f.b.start(read);
    }

    fn keep_word(&mut self, record: Value, from: u32, to: u32) {
        let value = self.recorded(record, WORDS + from);
        self.store_scalar(&Place::ptr(record).at(to), 8, value);
    }

    fn recorded(&mut self, record: Value, at: u32) -> Value {
        self.f.b.load(Width::B8, false, record, at as i32)
    }

    fn count_cut(&mut self, record: Value, pid: Value) {
        let status = self.recorded(record, STATUS);
        let status = self.hide(status);
        let [cut, whole] = [(); 2].map(|()| self.f.b.create_block());
        let code = self.f.b.iconst(CUT);
        self.f.b.branch_unlikely(Cond::Eq, status, code, cut, whole);
        self.f.b.start(cut);
        self.table_wanted(pid, Fault::StackCut);
        self.f.b.jump(whole, &[]);
        self.f.b.start(whole);
    }

    /// Puts the frames in their map, unless the same ones are there. Returns their id, or a negative errno.
    fn keep_stack(&mut self, record: Value, frames: Value, ty: StackType) -> Value {
        let map = self.shared.stacks(ty, true);
        let hash = self.recorded(record, HASH);
        // A negative number would be an errno.
        let hash = self.imm(Alu::LShr, hash, 1);
        self.store_scalar(&Place::ptr(record).at(KEY), 8, hash);
        let id = self.f.b.declare_var(Ty::I64);
        self.f.b.def_var(id, hash);
        let key = self.f.b.offset(record, i64::from(KEY));
        let map_ref = self.map_ref(map);
        let known = self.call_ptr(helpers::MAP_LOOKUP_ELEM, &[map_ref, key], Space::MapValue);
        let [new, failed, end] = [(); 3].map(|()| self.f.b.create_block());
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Eq, known, zero, new, end);
        self.f.b.start(new);
        let map_ref = self.map_ref(map);
        let flags = self.f.b.iconst(super::map::BPF_NOEXIST);
        let result = self.call(helpers::MAP_UPDATE_ELEM, &[map_ref, key, frames, flags]);
        let written = self.f.b.create_block();
        self.f.b.branch(Cond::Eq, result, zero, end, written);
        self.f.b.start(written);
        let there = self.f.b.iconst(-EEXIST);
        self.f.b.branch_unlikely(Cond::Ne, result, there, failed, end);
        self.f.b.start(failed);
        self.fault(Fault::StackLost);
        self.f.b.def_var(id, result);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        self.f.b.use_var(id)
    }
}
