//! `strcontains`: a text within a text.
//!
//! The verifier follows a plain loop over the text from place to place. Where that would be too much for it, the
//! search is a callback of `bpf_loop`, whose record lies on the stack of its caller:
//!
//! | offset | what |
//! |---|---|
//! | 0 | address of the text |
//! | 8 | address of the part, where it is not constant |
//! | 16 | 1 when it was found |
//! | 24, 32 | where in the text the comparison began, and how many bytes were equal so far |

use super::Lowered;
use super::compare::constant_text;
use super::frame::{Leave, Lower, OpenFunction};
use super::memory::{Base, Place};
use super::nest::MAX_FRAMES;
use crate::builder::{FunctionBuilder, Var};
use crate::helpers;
use crate::ir::{Alu, Block, Cond, Op, Slot, Space, Ty, Value, Width};
use rbtrace_lang::hir::Expr;

/// Instructions of one search up to which the verifier is left to follow it.
const PLAIN_STEPS: u64 = 1 << 16;
/// What it follows at most, where there is no other way.
const MOST_STEPS: u64 = 1 << 19;
/// Branches of one search that it may put aside: a part of `BPF_COMPLEXITY_LIMIT_JMP_SEQ` (kernel/bpf/verifier.c).
const MOST_BRANCHES: u64 = 4096;

const TEXT: u32 = 0;
const PART: u32 = 8;
const FOUND: u32 = 16;
const START: u32 = 24;
const EQUAL: u32 = 32;

/// What a search costs the verifier.
struct Cost {
    steps: u64,
    branches: u64,
}

impl Lower<'_, '_> {
    /// Goes to `then` where `part` occurs in `text`; `at` then holds where it begins.
    pub(super) fn str_contains(
        &mut self,
        text: &Expr,
        part: &Expr,
        then: Block,
        otherwise: Block,
        at: Option<Var>,
    ) -> Lowered<()> {
        let size = text.ty.size();
        let Some(wanted) = constant_text(part) else {
            return self.contains_variable(text, part, then, otherwise, at);
        };
        let len = wanted.len() as u32;
        if len == 0 || len > size {
            self.f.b.jump(if len == 0 { then } else { otherwise }, &[]);
            return Ok(());
        }
        let places = size - len + 1;
        let each = 8 + 3 * u64::from(len);
        let cost = Cost { steps: each * u64::from(places), branches: 3 * u64::from(places) };
        let (hay, slot) = self.text_in_memory(text)?;
        if self.calls_back(&cost, size, len, part)? {
            return self.find_constant((slot, places), &wanted, then, otherwise, at);
        }
        self.counted(places, otherwise, |lower, index, next| {
            lower.note_place(at, index);
            let here = lower.displaced(&hay, index, 1)?;
            lower.matches(&here, &wanted, then, next, otherwise);
            Ok(())
        })?;
        Ok(())
    }

    /// Is the search to be a callback?
    fn calls_back(&self, cost: &Cost, size: u32, part_size: u32, part: &Expr) -> Lowered<bool> {
        let within = |steps| cost.steps <= steps && cost.branches <= MOST_BRANCHES;
        if !self.is_frugal() && within(PLAIN_STEPS) {
            return Ok(false);
        }
        if self.f.depth < MAX_FRAMES && self.can_call(helpers::LOOP) {
            return Ok(true);
        }
        if within(MOST_STEPS) {
            return Ok(false);
        }
        let message = format!("These texts are too long to be searched here ({size} and {part_size} bytes)");
        self.unsupported(part.span, message)
    }

    /// Does the constant text stand here? At the end of the text it stands nowhere.
    fn matches(&mut self, here: &Place, wanted: &[u8], then: Block, next: Block, otherwise: Block) {
        let first = self.load_byte(here);
        let zero = self.f.b.iconst(0);
        let (some, rest) = (self.f.b.create_block(), self.f.b.create_block());
        self.f.b.branch(Cond::Eq, first, zero, otherwise, some);
        self.f.b.start(some);
        let byte = self.f.b.iconst(i64::from(wanted[0]));
        self.f.b.branch(Cond::Ne, first, byte, next, rest);
        self.f.b.start(rest);
        // A branch for each byte would be a way more for the verifier at each place.
        let mut differs = self.f.b.iconst(0);
        for (n, &byte) in (1..).zip(&wanted[1..]) {
            let c = self.load_byte(&here.at(n));
            let c = self.imm(Alu::Xor, c, i64::from(byte));
            differs = self.f.b.alu(Alu::Or, differs, c);
        }
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Ne, differs, zero, next, then);
    }

    fn note_place(&mut self, at: Option<Var>, index: Value) {
        if let Some(at) = at {
            self.f.b.def_var(at, index);
        }
    }

    fn contains_variable(
        &mut self,
        text: &Expr,
        part: &Expr,
        then: Block,
        otherwise: Block,
        at: Option<Var>,
    ) -> Lowered<()> {
        let (size, part_size) = (text.ty.size(), part.ty.size());
        let rounds = u64::from(size) * u64::from(part_size);
        let cost = Cost { steps: 10 * rounds, branches: 4 * rounds };
        let (hay, hay_slot) = self.text_in_memory(text)?;
        let (needle, needle_slot) = self.text_in_memory(part)?;
        if self.calls_back(&cost, size, part_size, part)? {
            return self.find_variable([hay_slot, needle_slot], [size, part_size], then, otherwise, at);
        }
        self.counted(size, otherwise, |lower, index, next| {
            lower.note_place(at, index);
            lower.counted(part_size, then, |lower, inner, more| {
                let wanted = lower.displaced(&needle, inner, 1)?;
                let wanted = lower.load_byte(&wanted);
                let byte = lower.f.b.alu(Alu::Add, index, inner);
                let (compare, inside) = (lower.f.b.create_block(), lower.f.b.create_block());
                lower.if_zero(wanted, then, compare);
                lower.f.b.start(compare);
                let limit = lower.f.b.iconst(i64::from(size));
                lower.f.b.branch(Cond::UGe, byte, limit, next, inside);
                lower.f.b.start(inside);
                let here = lower.displaced(&hay, byte, 1)?;
                let c = lower.load_byte(&here);
                let some = lower.f.b.create_block();
                // A text that ends before the part does has no later place for it either.
                lower.if_zero(c, otherwise, some);
                lower.f.b.start(some);
                lower.f.b.branch(Cond::Ne, c, wanted, next, more);
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    }

    /// Looks for a constant text at one place in each round.
    fn find_constant(
        &mut self,
        (hay, places): (Slot, u32),
        wanted: &[u8],
        then: Block,
        otherwise: Block,
        at: Option<Var>,
    ) -> Lowered<()> {
        self.find((&[hay], u64::from(places)), then, otherwise, at, |lower, record, [found, next, stop]| {
            let index = lower.f.b.param(0);
            let limit = lower.f.b.iconst(i64::from(places));
            let inside = lower.f.b.create_block();
            lower.f.b.branch_unlikely(Cond::UGe, index, limit, stop, inside);
            lower.f.b.start(inside);
            if at.is_some() {
                lower.store_scalar(&Place::ptr(record).at(START), 8, index);
            }
            let text = lower.text_of(record, TEXT);
            let here = Place::ptr(lower.f.b.alu(Alu::Add, text, index));
            lower.matches(&here, wanted, found, next, stop);
        })
    }

    /// Compares one byte in each round: equal ones lead on, others to the next place of the text.
    fn find_variable(
        &mut self,
        texts: [Slot; 2],
        [size, part_size]: [u32; 2],
        then: Block,
        otherwise: Block,
        at: Option<Var>,
    ) -> Lowered<()> {
        let rounds = u64::from(size) * u64::from(part_size) + 1;
        self.find((&texts, rounds), then, otherwise, at, |lower, record, [found, next, stop]| {
            let place = Place::ptr(record);
            let (start, equal) = (lower.word(record, START), lower.word(record, EQUAL));
            let [in_part, in_text, some, differ, more] = std::array::from_fn(|_| lower.f.b.create_block());
            let limit = lower.f.b.iconst(i64::from(part_size));
            lower.f.b.branch_unlikely(Cond::UGe, equal, limit, found, in_part);
            lower.f.b.start(in_part);
            let part = lower.text_of(record, PART);
            let part = Place::ptr(lower.f.b.alu(Alu::Add, part, equal));
            let wanted = lower.load_byte(&part);
            let compare = lower.f.b.create_block();
            lower.if_zero(wanted, found, compare);
            lower.f.b.start(compare);
            let at = lower.f.b.alu(Alu::Add, start, equal);
            let limit = lower.f.b.iconst(i64::from(size));
            lower.f.b.branch_unlikely(Cond::UGe, at, limit, stop, in_text);
            lower.f.b.start(in_text);
            let text = lower.text_of(record, TEXT);
            let here = Place::ptr(lower.f.b.alu(Alu::Add, text, at));
            let c = lower.load_byte(&here);
            lower.if_zero(c, stop, some);
            lower.f.b.start(some);
            lower.f.b.branch(Cond::Ne, c, wanted, differ, more);
            lower.f.b.start(more);
            let one_more = lower.imm(Alu::Add, equal, 1);
            let one_more = lower.hide(one_more);
            lower.store_scalar(&place.at(EQUAL), 8, one_more);
            lower.f.b.jump(next, &[]);
            lower.f.b.start(differ);
            let after = lower.imm(Alu::Add, start, 1);
            let after = lower.hide(after);
            lower.store_scalar(&place.at(START), 8, after);
            let none = lower.opaque_zero();
            lower.store_scalar(&place.at(EQUAL), 8, none);
            lower.f.b.jump(next, &[]);
        })
    }

    /// Runs a search as a callback; `round` ends at one of three blocks: found, next round, not found.
    fn find(
        &mut self,
        (texts, rounds): (&[Slot], u64),
        then: Block,
        otherwise: Block,
        at: Option<Var>,
        round: impl FnOnce(&mut Self, Value, [Block; 3]),
    ) -> Lowered<()> {
        let slot = self.slot(EQUAL + 8);
        self.f.b.keep_on_stack(slot);
        let record = Place::slot(slot);
        for (&text, word) in texts.iter().zip([TEXT, PART]) {
            // At an unknown offset the stack is no place to read from, in older kernels.
            self.f.b.keep_off_stack(text);
            let address = self.slot_addr(text);
            self.store_scalar(&record.at(word), 8, address);
        }
        for word in [FOUND, START, EQUAL] {
            let zero = self.opaque_zero();
            self.store_scalar(&record.at(word), 8, zero);
        }
        let func = self.search_function(round);
        let (rounds, context) = (self.f.b.iconst(rounds as i64), self.slot_addr(slot));
        let flags = self.f.b.iconst(0);
        self.call(helpers::LOOP, &[rounds, func, context, flags]);
        let found = self.word(context, FOUND);
        let found = self.hide(found);
        if at.is_some() {
            let start = self.word(context, START);
            self.note_place(at, start);
        }
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Ne, found, zero, then, otherwise);
        Ok(())
    }

    fn search_function(&mut self, round: impl FnOnce(&mut Self, Value, [Block; 3])) -> Value {
        let id = self.reserve_func();
        let params = [Ty::I64, Ty::Ptr(Space::Callback)];
        let mut b = FunctionBuilder::new(format!("search{}", id.0), &params, self.f.b.span());
        let record = b.param(1);
        let ends: [Block; 3] = std::array::from_fn(|_| b.create_block());
        let [found, next, stop] = ends;
        let leave = Leave::Callback { context: record, on_break: stop };
        let mut frame = OpenFunction::new(b, None, 0, leave);
        frame.depth = self.f.depth + 1;
        let outer = std::mem::replace(&mut self.f, frame);
        round(self, record, ends);
        self.f.b.start(found);
        let one = self.f.b.iconst(1);
        self.store_scalar(&Place::ptr(record).at(FOUND), 8, one);
        self.f.b.jump(stop, &[]);
        for (block, code) in [(stop, 1), (next, 0)] {
            self.f.b.start(block);
            let code = self.f.b.iconst(code);
            self.f.b.ret(code);
        }
        let inner = std::mem::replace(&mut self.f, outer);
        self.define_func(id, inner.b.finish());
        self.f.b.ins(Op::FuncAddr(id), Ty::Ptr(Space::Func))
    }

    /// A word of the record.
    fn word(&mut self, record: Value, at: u32) -> Value {
        self.f.b.load(Width::B8, false, record, at as i32)
    }

    /// A text's address in the record.
    fn text_of(&mut self, record: Value, at: u32) -> Value {
        let op = Op::Load { width: Width::B8, signed: false, ptr: record, offset: at as i32 };
        self.f.b.ins(op, Ty::Ptr(Space::Stack))
    }

    fn text_in_memory(&mut self, e: &Expr) -> Lowered<(Place, Slot)> {
        let place = self.text_place(e, e.ty.size())?;
        match place.base {
            Base::Slot(slot) if place.offset == 0 => Ok((place, slot)),
            _ => {
                let slot = self.slot_for(&e.ty);
                let copy = Place::slot(slot);
                self.copy_bytes(&place, &copy, e.ty.size());
                Ok((copy, slot))
            }
        }
    }

    fn if_zero(&mut self, value: Value, then: Block, otherwise: Block) {
        let zero = self.f.b.iconst(0);
        self.f.b.branch(Cond::Eq, value, zero, then, otherwise);
    }

    fn load_byte(&mut self, place: &Place) -> Value {
        match self.readable(place, 1) {
            Some((ptr, offset)) => self.f.b.load(Width::B1, false, ptr, offset),
            None => self.f.b.iconst(0),
        }
    }
}
